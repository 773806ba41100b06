#include <assert.h>
#include <errno.h>

#include "pipeline/builder_parts.h"

/* The entry of the lanes; no listing has that id, and it is restored ahead of all others. */
enum { LANES_KEY = 0 };

enum {
    ROW_ENCODED_BYTES = 1 + 8 + 8 + 8,
    LANE_NAME_BYTES = 4 + 8,
    LANE_ENCODED_BYTES = LANE_NAME_BYTES + 1 + MODALITY_COUNT * ROW_ENCODED_BYTES,
    LISTING_ENCODED_BYTES = ROW_COUNT * 8 + ROW_ENCODED_BYTES + 1 + LANE_COUNT * LANE_ENCODED_BYTES,
    LANES_ENCODED_BYTES = 8 + 8 + 8 + LANE_COUNT * (LANE_NAME_BYTES + 1),
};

/* ---- Rows ---- */

/* While dead letters are under way no row is said to be abandoned: a crash would lose the letter.
 */
static char *row_put(char *at, const struct row *row, bool letters_out) {
    at = wire_put(
        at, (uint64_t)(row->known | row->repair << 1 | row->remake << 2 | row->strikes << 3), 1);
    at = wire_put(at, row->content, 8);
    at = wire_put(at, (uint64_t)row->version, 8);
    return wire_put(at, (uint64_t)(letters_out ? row->abandoned : DOC_VERSION_NONE), 8);
}

static void row_get(struct wire_reader *reader, struct row *row) {
    uint64_t flags = wire_get(reader, 1);
    row->known = (flags & 1) != 0;
    row->repair = (flags & 2) != 0;
    row->remake = (flags & 4) != 0;
    row->strikes = (uint8_t)(flags >> 3);
    row->content = wire_get(reader, 8);
    row->version = (doc_version)wire_get(reader, 8);
    row->abandoned = (doc_version)wire_get(reader, 8);
}

/* ---- Lanes ---- */

/* A lane's name tells it from a former one of the same model, whose collections were dropped. */
static char *lane_name_put(char *at, const struct lane *lane) {
    at = wire_put(at, lane->model_version, 4);
    return wire_put(at, (uint64_t)lane->opened, 8);
}

static struct lane *lane_name_get(struct wire_reader *reader, struct builder_task *task) {
    struct lane *lane = lane_of_model(task, (uint32_t)wire_get(reader, 4));
    doc_version opened = (doc_version)wire_get(reader, 8);
    return lane != NULL && lane->opened == opened ? lane : NULL;
}

static int lanes_save(struct builder_task *task, struct effect *save, struct effects *effects) {
    char value[LANES_ENCODED_BYTES];
    char *at = wire_put(value, (uint64_t)task->announced.ts.ns, 8);
    at = wire_put(at, task->announced.id.hi, 8);
    at = wire_put(at, task->announced.id.lo, 8);
    for (size_t i = 0; i < LANE_COUNT; i++) {
        const struct lane *lane = &task->lanes[i];
        if (lane->model_version != 0) {
            at = lane_name_put(at, lane);
            at = wire_put(at, (uint64_t)(lane->served | lane->everyone << 1), 1);
        }
    }
    struct state_entry *entry = &save->save_state.entries[save->save_state.count++];
    entry->key = LANES_KEY;
    entry->value = effect_copy(effects, save, (struct bytes){value, (size_t)(at - value)});
    task->lanes_unsaved = false;
    return effects->out_of_memory ? -ENOMEM : 0;
}

static int lanes_get(struct builder_task *task, struct bytes value) {
    struct wire_reader reader = wire_reader_of(value);
    task->announced.ts.ns = (int64_t)wire_get(&reader, 8);
    task->announced.id.hi = wire_get(&reader, 8);
    task->announced.id.lo = wire_get(&reader, 8);
    size_t served = 0;
    for (size_t i = 0; i < LANE_COUNT && reader.at != reader.end; i++) {
        uint32_t model_version = (uint32_t)wire_get(&reader, 4);
        doc_version opened = (doc_version)wire_get(&reader, 8);
        uint64_t flags = wire_get(&reader, 1);
        struct lane *lane;
        if (reader.failed || model_version == 0 || lane_of_model(task, model_version) != NULL) {
            return -EINVAL;
        }
        if (lane_open(task, model_version, opened, &lane) != 0) {
            return -ENOMEM;
        }
        lane->served = (flags & 1) != 0;
        lane->everyone = (flags & 2) != 0;
        served += lane->served;
    }
    return served == 1 && reader.at == reader.end ? 0 : -EINVAL;
}

static int lanes_restore(const struct pipeline_config *config, struct builder_task *task,
                         struct bytes value) {
    assert(task->listings.count == 0);
    lanes_close(task);
    int error = lanes_get(task, value);
    if (error == -EINVAL) {
        lanes_close(task);
        task->announced = STAMP_NONE;
        return lanes_begin(config, task) != 0 ? -ENOMEM : -EINVAL;
    }
    return error;
}

/* ---- Listings ---- */

struct codec_context {
    const struct builder_task *task;
    bool letters_out;
};

static size_t index_of(const struct builder_task *task, const void *item) {
    return (size_t)((const char *)item - task->listings.items) / task->listings.item_size;
}

static size_t entry_room(const void *item) {
    const struct listing *listing = item;
    return folded_encoded_size(&listing->head.folded) + LISTING_ENCODED_BYTES;
}

static bool any_abandoned(const struct builder_task *task, const struct listing *listing) {
    bool any = listing->keyword.abandoned != DOC_VERSION_NONE;
    for (size_t i = 0; i < LANE_COUNT; i++) {
        const struct lane *lane = &task->lanes[i];
        for (size_t m = 0; m < MODALITY_COUNT && lane->model_version != 0; m++) {
            any = any || lane->rows[index_of(task, listing)].rows[m].abandoned != DOC_VERSION_NONE;
        }
    }
    return any;
}

static char *lane_rows_put(char *at, const struct lane *lane, const struct lane_rows *rows,
                           bool letters_out) {
    at = lane_name_put(at, lane);
    at = wire_put(at, (uint64_t)(rows->joined | rows->backfill << 1), 1);
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        at = row_put(at, &rows->rows[m], letters_out);
    }
    return at;
}

static size_t entry_write(const void *item, char *buffer, bool *again, const void *ctx) {
    const struct codec_context *context = ctx;
    const struct builder_task *task = context->task;
    const struct listing *listing = item;
    bool out = context->letters_out;
    *again = !out && any_abandoned(task, listing);
    char *at = buffer + folded_encode(&listing->head.folded, buffer);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        at = wire_put(at, (uint64_t)listing->wants[i].moved, 8);
    }
    at = row_put(at, &listing->keyword, out);
    char *count = at++;
    *count = 0;
    for (size_t i = 0; i < LANE_COUNT; i++) {
        const struct lane *lane = &task->lanes[i];
        if (lane->model_version != 0) {
            at = lane_rows_put(at, lane, &lane->rows[index_of(task, item)], out);
            ++*count;
        }
    }
    return (size_t)(at - buffer);
}

int builder_save_entries(struct partitioned *builder, struct task *head, struct effect *save,
                         struct effects *effects) {
    struct builder_task *task = (struct builder_task *)head;
    struct codec_context context = {task, head->sources[SOURCE_LOG].waiting == 0};
    struct listing_codec codec = {entry_room, entry_write, &context};
    bool late = bug_on(builder->machine.bugs, BUG_OFFSET_BEFORE_STATE);
    if (listings_save(&task->listings, save, effects, &codec, late) != 0) {
        return -ENOMEM;
    }
    return task->lanes_unsaved ? lanes_save(task, save, effects) : 0;
}

/* Rows of lanes that are not open any more are skipped: they are forgotten. */
static void lane_rows_get(struct wire_reader *reader, struct builder_task *task, size_t at) {
    struct lane *lane = lane_name_get(reader, task);
    struct lane_rows forgotten = {.joined = false};
    struct lane_rows *rows = lane == NULL ? &forgotten : &lane->rows[at];
    uint64_t flags = wire_get(reader, 1);
    rows->joined = (flags & 1) != 0;
    rows->backfill = (flags & 2) != 0;
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        row_get(reader, &rows->rows[m]);
    }
}

/* As if it had never been heard of. */
static void listing_reset(struct builder_task *task, size_t at) {
    struct listing *listing = listing_at(task, at);
    uint64_t id = listing->head.folded.document.listing_id;
    folded_release(&listing->head.folded);
    *listing = (struct listing){.keyword_busy = false};
    folded_init(&listing->head.folded, id);
    for (size_t i = 0; i < LANE_COUNT; i++) {
        if (task->lanes[i].model_version != 0) {
            task->lanes[i].rows[at] = (struct lane_rows){.joined = false};
        }
    }
}

static int listing_restore(struct builder_task *task, size_t at, struct bytes value) {
    struct listing *listing = listing_at(task, at);
    struct wire_reader reader = wire_reader_of(value);
    int error = listings_decode(&task->listings, at, &reader);
    if (error != 0) {
        return error;
    }
    wants_update(listing);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        listing->wants[i].moved = (doc_version)wire_get(&reader, 8);
    }
    row_get(&reader, &listing->keyword);
    uint64_t count = wire_get(&reader, 1);
    for (uint64_t i = 0; i < count && i < LANE_COUNT; i++) {
        lane_rows_get(&reader, task, at);
    }
    if (!reader.failed && reader.at == reader.end && count <= LANE_COUNT) {
        return 0;
    }
    listing_reset(task, at);
    return -EINVAL;
}

int builder_restore_entry(struct partitioned *builder, struct task *head, uint64_t key,
                          struct bytes value) {
    struct builder_task *task = (struct builder_task *)head;
    if (key == LANES_KEY) {
        return lanes_restore(builder->machine.config, task, value);
    }
    int64_t at = listing_make(task, key);
    if (at < 0) {
        return -ENOMEM;
    }
    int error = listing_restore(task, (size_t)at, value);
    return error != 0 ? error : listing_queue(builder, task, (size_t)at);
}
