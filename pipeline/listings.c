#include "pipeline/listings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"

static struct listing_head *head_at(const struct listings *listings, size_t at) {
    return listings_at(listings, at);
}

void listings_init(struct listings *listings, size_t item_size,
                   const struct pipeline_config *config, const struct bugs *bugs) {
    memset(listings, 0, sizeof *listings);
    listings->item_size = item_size;
    listings->orphan_after_ns =
        bug_on(bugs, BUG_ORPHANS_SHOWN) ? INT64_MAX : config->orphan_after_ns;
    listings->orphan_kept_ns = config->orphan_kept_ns;
    listings->watermark = listings->swept = (vtime){INT64_MIN};
    id_map_init(&listings->index);
}

void listings_release(struct listings *listings) {
    for (size_t i = 0; i < listings->count; i++) {
        folded_release(&head_at(listings, i)->folded);
    }
    free(listings->items);
    free(listings->unsaved);
    id_map_release(&listings->index);
}

int64_t listings_make(struct listings *listings, uint64_t id) {
    size_t at;
    if (listings_find(listings, id, &at)) {
        return (int64_t)at;
    }
    void *items = listings->items;
    if (array_reserve(&items, &listings->capacity, listings->count + 1, listings->item_size) != 0) {
        return -ENOMEM;
    }
    listings->items = items;
    if (id_map_put_index(&listings->index, id, listings->count) != 0) {
        return -ENOMEM;
    }
    struct listing_head *head = head_at(listings, listings->count);
    memset(head, 0, listings->item_size);
    folded_init(&head->folded, id);
    head->folded.document.orphan_after_ns = listings->orphan_after_ns;
    return (int64_t)listings->count++;
}

bool listings_find(const struct listings *listings, uint64_t id, size_t *at) {
    uint32_t index;
    if (!id_map_index(&listings->index, id, &index)) {
        return false;
    }
    *at = index;
    return true;
}

static int64_t drop_orphans(struct listings *listings, vtime horizon) {
    int64_t dropped = 0;
    for (size_t i = 0; i < listings->count; i++) {
        uint32_t of_one = document_drop_orphans(&head_at(listings, i)->folded.document, horizon);
        if (of_one > 0 && listings_unsaved(listings, i) != 0) {
            return -ENOMEM;
        }
        dropped += of_one;
    }
    return dropped;
}

int64_t listings_age(struct listings *listings, const struct record *record, vtime append) {
    vtime seen = {record->stamp.ts.ns < append.ns ? record->stamp.ts.ns : append.ns};
    listings->watermark = vtime_max(listings->watermark, seen);
    vtime day = {listings->watermark.ns - listings->watermark.ns % VTIME_DAY};
    if (day.ns <= listings->swept.ns || day.ns <= listings->orphan_kept_ns) {
        return 0;
    }
    listings->swept = day;
    return drop_orphans(listings, vtime_add(day, -listings->orphan_kept_ns));
}

int listings_unsaved(struct listings *listings, size_t at) {
    struct listing_head *head = head_at(listings, at);
    if (head->unsaved > 0) {
        return 0;
    }
    if (ARRAY_RESERVE(listings->unsaved, listings->unsaved_capacity, listings->unsaved_count + 1) !=
        0) {
        return -ENOMEM;
    }
    head->unsaved = 1;
    listings->unsaved[listings->unsaved_count++] = at;
    return 0;
}

int listings_decode(struct listings *listings, size_t at, struct wire_reader *reader) {
    struct folded *folded = &head_at(listings, at)->folded;
    uint64_t id = folded->document.listing_id;
    int64_t orphan_after_ns = folded->document.orphan_after_ns;
    int error = folded_decode_by(folded, reader, orphan_after_ns);
    if (error == 0 && folded->document.listing_id != id) {
        error = -EINVAL;
    }
    if (error == -EINVAL) {
        folded_release(folded);
        folded_init(folded, id);
        folded->document.orphan_after_ns = orphan_after_ns;
    }
    return error;
}

int listings_save(struct listings *listings, struct effect *save, struct effects *effects,
                  const struct listing_codec *codec, bool late) {
    struct state_entry *entries =
        effect_alloc(effects, save, (listings->unsaved_count + 1) * sizeof *entries);
    if (entries == NULL) {
        return -ENOMEM;
    }
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < listings->unsaved_count; i++) {
        struct listing_head *head = head_at(listings, listings->unsaved[i]);
        bool again = late && head->unsaved++ == 1;
        if (!again) {
            char *value = effect_alloc_raw(effects, save, codec->room(head));
            if (value == NULL) {
                return -ENOMEM;
            }
            size_t length = codec->encode(head, value, &again, codec->ctx);
            entries[count++] =
                (struct state_entry){head->folded.document.listing_id, {value, length}};
        }
        if (again) {
            listings->unsaved[kept++] = listings->unsaved[i];
        } else {
            head->unsaved = 0;
        }
    }
    listings->unsaved_count = kept;
    save->save_state.entries = entries;
    save->save_state.count = count;
    return 0;
}
