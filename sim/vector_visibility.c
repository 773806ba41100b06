#include <string.h>

#include "sim/fake_vector_db_parts.h"

/* ---- writing ---- */

/* The write becomes what readers see. */
static int show(struct fake_vector_db *db, const struct collection_entry *entry, vtime now,
                const struct vector_write *w) {
    struct row_change change = {
        .store = (enum store_id)(STORE_VECTOR_TEXT + entry->modality),
        .listing_id = w->listing_id,
        .kind = w->kind,
        .collection = entry->model_version,
    };
    int rc = vector_collection_apply(entry->collection, now, w, &change.before, &change.after);
    if (rc != 0) {
        return rc;
    }
    const struct vector_alias_observer *unseen = &db->options.alias_observer;
    if (db->alias[entry->modality] == entry->model_version) {
        store_observer_tell(&db->options.observer, now, &change);
    } else if (unseen->unseen_row_changed != 0) {
        unseen->unseen_row_changed(unseen->ctx, now, &change);
    }
    return 0;
}

/* When readers see what is written now: after the delay of its level, or at the next refresh. */
static vtime seen_at(const struct fake_vector_db *db, vtime now) {
    const struct vector_profile *profile = &db->options.profile;
    vtime at = vtime_add(now, profile->visible_after_ns + db->delay_ns);
    if (profile->refreshes && profile->visible_after_ns != 0) {
        int64_t into_ns = at.ns % profile->visible_after_ns;
        at = vtime_add(at, -into_ns);
    }
    return at;
}

/* Asks to be woken when the next write is to be seen. */
static void ask_to_wake(struct fake_vector_db *db, vtime at) {
    const struct vector_background *background = &db->options.background;
    if (background->wake != 0 && vtime_before(at, db->wake)) {
        db->wake = at;
        background->wake(background->ctx, at);
    }
}

int collection_write(struct fake_vector_db *db, struct collection_entry *entry, vtime now,
                     const struct vector_write *w, enum item_status *status) {
    const struct vector_live *unseen = vector_unseen_live(&entry->unseen, w->listing_id);
    struct vector_live live =
        unseen != 0 ? *unseen : vector_collection_live(entry->collection, w->listing_id);
    *status = vector_collection_judge(entry->collection, &live, now, w);
    db->counts.writes[entry->modality][w->kind][*status]++;
    if (*status != ITEM_APPLIED) {
        return 0;
    }
    entry->lsn++;
    vtime at = seen_at(db, now);
    if (!vtime_before(now, at) && vector_unseen_first(&entry->unseen) == 0) {
        entry->lsn_seen = entry->lsn;
        return show(db, entry, now, w);
    }
    int rc = vector_unseen_add(&entry->unseen, at, w, vector_live_after(now, w));
    ask_to_wake(db, vector_unseen_due(&entry->unseen));
    return rc;
}

/* ---- showing ---- */

int collection_show(struct fake_vector_db *db, struct collection_entry *entry, vtime now,
                    bool all) {
    struct vector_unseen *unseen = &entry->unseen;
    while (vector_unseen_first(unseen) != 0 &&
           (all || !vtime_before(now, vector_unseen_due(unseen)))) {
        int rc = show(db, entry, now, vector_unseen_first(unseen));
        if (rc != 0) {
            return rc;
        }
        vector_unseen_drop_first(unseen);
        entry->lsn_seen++;
    }
    return 0;
}

int fake_vector_db_due(struct fake_vector_db *db, vtime now) {
    db->wake = VTIME_NEVER;
    vtime next = VTIME_NEVER;
    for (size_t i = 0; i < db->entry_count; i++) {
        struct collection_entry *entry = &db->entries[i];
        if (collection_show(db, entry, now, false) != 0) {
            return PORT_NO_MEMORY;
        }
        vtime due = vector_unseen_due(&entry->unseen);
        next = vtime_before(due, next) ? due : next;
    }
    if (vtime_before(next, VTIME_NEVER)) {
        ask_to_wake(db, next);
    }
    return 0;
}

int fake_vector_db_show(struct fake_vector_db *db, vtime now) {
    for (size_t i = 0; i < db->entry_count; i++) {
        if (collection_show(db, &db->entries[i], now, true) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    return 0;
}

void fake_vector_db_delay(struct fake_vector_db *db, int64_t delay_ns) {
    db->delay_ns = delay_ns;
}

/* ---- reading ---- */

/* Whether a read waits until everything is seen that was written before it. */
static bool waits(const struct fake_vector_db *db) {
    const struct vector_background *background = &db->options.background;
    switch (db->options.profile.consistency) {
    case CONSISTENCY_STRONG:
        return true;
    case CONSISTENCY_SESSION:
        return background->writer_reads != 0 && background->writer_reads(background->ctx);
    case CONSISTENCY_BOUNDED:
    case CONSISTENCY_EVENTUALLY:
    case CONSISTENCY_COUNT:
        break;
    }
    return false;
}

int collection_read(struct fake_vector_db *db, struct collection_entry *entry, vtime now) {
    return vector_unseen_first(&entry->unseen) == 0
               ? 0
               : collection_show(db, entry, now, waits(db) && db->delay_ns == 0);
}

struct overlay {
    struct scan_row *out;
    size_t max;
    size_t *count;
};

static void lay_over(void *ctx, const struct vector_write *w, const struct vector_live *live) {
    struct overlay *over = ctx;
    size_t at = 0;
    while (at < *over->count && over->out[at].listing_id < w->listing_id) {
        at++;
    }
    bool there = at < *over->count && over->out[at].listing_id == w->listing_id;
    if (!live->present) {
        *over->count -= there;
        memmove(over->out + at, over->out + at + there, (*over->count - at) * sizeof *over->out);
        return;
    }
    if (!there && at == over->max) {
        return;
    }
    if (!there) {
        size_t moved = *over->count - at - (*over->count == over->max);
        memmove(over->out + at + 1, over->out + at, moved * sizeof *over->out);
        *over->count += *over->count < over->max;
    }
    over->out[at] = vector_scan_row(w->listing_id, &w->meta, live->written);
}

void collection_read_unseen(const struct fake_vector_db *db, const struct collection_entry *entry,
                            uint64_t first, uint64_t last, struct scan_row *out, size_t max,
                            size_t *count) {
    struct overlay over = {out, max, count};
    if (db->options.profile.gets_realtime) {
        vector_unseen_each(&entry->unseen, first, last, lay_over, &over);
    }
}
