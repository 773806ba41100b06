#include "sim/warehouse_parts.h"

#include <assert.h>

#include "pipeline/retention.h"

bool warehouse_version_is_erased(const struct fake_warehouse *w, const struct document_row *d) {
    const struct erasure_mark *mark = erasure_marks_find(&w->marks, d->listing_id);
    return mark != NULL && d->version < mark->version;
}

enum { BRONZE_SLICE = 64 };

/* Positions of the listing's raw records at or below the mark: all are counted, the first ones are
 * handed out. */
static int find_bronze(struct fake_warehouse *w, const struct erasure_mark *mark,
                       int64_t positions[BRONZE_SLICE], uint64_t *found) {
    if (!w->bronze_by_subject) { /* runs without erasures go without its cost */
        if (sqlite3_exec(w->db, "CREATE INDEX bronze_by_subject ON bronze_event(subject_id)", 0, 0,
                         0) != SQLITE_OK) {
            return PORT_NO_MEMORY;
        }
        w->bronze_by_subject = true;
    }
    sqlite3_stmt *s = w->statements[FIND_BRONZE];
    sqlite3_bind_int64(s, 1, (int64_t)mark->listing_id);
    *found = 0;
    int more;
    while ((more = statement_row(s)) == 1) {
        if (!warehouse_is_content((enum record_type)sqlite3_column_int(s, 4)) ||
            stamp_compare(warehouse_stamp(s, 1), mark->stamp) > 0) {
            continue;
        }
        if (*found < BRONZE_SLICE) {
            positions[*found] = sqlite3_column_int64(s, 0);
        }
        ++*found;
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

/* Finds, and removes when asked to, what the mark covers in bronze. */
static int erase_bronze(struct fake_warehouse *w, const struct erasure_mark *mark, bool remove,
                        uint64_t *found) {
    int64_t positions[BRONZE_SLICE];
    uint64_t left;
    int rc = find_bronze(w, mark, positions, found);
    for (left = *found; rc == 0 && remove && left > 0;) {
        for (uint64_t i = 0; i < left && i < BRONZE_SLICE && rc == 0; i++) {
            rc = warehouse_drop_bronze(w, positions[i]);
        }
        rc = rc == 0 ? find_bronze(w, mark, positions, &left) : rc;
    }
    return rc;
}

static int erase_silver(struct fake_warehouse *w, const struct erasure_mark *mark, bool remove,
                        uint64_t *found) {
    *found = 0;
    uint32_t at = warehouse_silver_oldest(w, mark->listing_id);
    while (at != NONE && w->silver[at].version < mark->version) {
        uint32_t next = w->silver[at].newer;
        ++*found;
        if (remove) {
            struct cell row = cell_integer((int64_t)at + 1);
            if (warehouse_run(w, DROP_SILVER, &row, 1) != 0) {
                return PORT_NO_MEMORY;
            }
            warehouse_unlink_silver(w, at);
        }
        at = next;
    }
    return 0;
}

static bool gold_is_old(const struct fake_warehouse *w, const struct erasure_mark *mark) {
    struct row_state gold = fake_warehouse_gold(w, mark->listing_id);
    return gold.version != DOC_VERSION_NONE && gold.version < mark->version;
}

/* Removes what the listing's mark covers; its gold row is written over by the batch that brings the
 * mark. */
static int erase_listing(struct fake_warehouse *w, vtime now, const struct erasure_mark *mark) {
    uint64_t bronze;
    uint64_t silver;
    if (erase_bronze(w, mark, true, &bronze) != 0 || erase_silver(w, mark, true, &silver) != 0 ||
        erasure_marks_removed(&w->marks, now, mark, bronze + silver) != 0) {
        return PORT_NO_MEMORY;
    }
    return 0;
}

int warehouse_load_erasure(struct fake_warehouse *w, vtime now, const struct erasure_row *row) {
    struct erasure_mark mark = {row->listing_id, row->stamp, row->version, STAMP_NONE};
    if (erasure_marks_raise(&w->marks, &mark) != 0) {
        return PORT_NO_MEMORY;
    }
    mark = *erasure_marks_find(&w->marks, row->listing_id);
    return erase_listing(w, now, &mark);
}

static int64_t time_travel_ns(const struct fake_warehouse *w) {
    return w->time_travel_ns + w->time_travel_extra_ns;
}

void fake_warehouse_stretch_time_travel(struct fake_warehouse *w, int64_t extra_ns) {
    w->time_travel_extra_ns = extra_ns;
}

uint64_t fake_warehouse_overstayed(const struct fake_warehouse *w) {
    return w->overstayed;
}

/* Rows that are in the time travel and would not be if it were as long as is stated. */
static uint64_t overstaying(const struct fake_warehouse *w, vtime now,
                            const struct erasure_subject *subject) {
    return w->time_travel_extra_ns == 0
               ? 0
               : erasure_marks_lingering(&w->marks, now, subject->listing_id, subject->stamp,
                                         w->time_travel_ns, time_travel_ns(w));
}

int fake_warehouse_held(struct fake_warehouse *w, vtime now, uint64_t listing_id,
                        struct stamp stamp, doc_version version, struct warehouse_held *held) {
    const struct erasure_mark *known = erasure_marks_find(&w->marks, listing_id);
    struct erasure_mark mark = {listing_id, stamp, version, STAMP_NONE};
    *held =
        (struct warehouse_held){.marked = known != NULL && stamp_compare(known->stamp, stamp) >= 0};
    if (erase_bronze(w, &mark, false, &held->bronze) != 0 ||
        erase_silver(w, &mark, false, &held->silver) != 0) {
        return PORT_NO_MEMORY;
    }
    held->gold = gold_is_old(w, &mark);
    held->time_travel =
        erasure_marks_lingering(&w->marks, now, listing_id, stamp, 0, time_travel_ns(w));
    held->fail_safe = erasure_marks_lingering(&w->marks, now, listing_id, stamp, time_travel_ns(w),
                                              time_travel_ns(w) + w->fail_safe_ns);
    return 0;
}

int warehouse_erase(void *ctx, vtime now, struct erasure_subject *subjects, size_t count,
                    struct erasure_look *looks) {
    struct fake_warehouse *w = ctx;
    for (enum erasure_place place = ERASED_IN_BRONZE; place <= ERASED_IN_FAIL_SAFE; place++) {
        looks[place].examined += (uint32_t)count;
        looks[place].at = now;
    }
    for (size_t i = 0; i < count; i++) {
        const struct erasure_mark *mark = erasure_marks_find(&w->marks, subjects[i].listing_id);
        doc_version version = mark == NULL ? DOC_VERSION_NONE : mark->version;
        struct warehouse_held held;
        if (fake_warehouse_held(w, now, subjects[i].listing_id, subjects[i].stamp, version,
                                &held) != 0) {
            return PORT_NO_MEMORY;
        }
        looks[ERASED_IN_BRONZE].found += held.marked ? held.bronze : 1;
        looks[ERASED_IN_SILVER].found += held.silver;
        looks[ERASED_IN_GOLD].found += held.gold;
        looks[ERASED_IN_TIME_TRAVEL].found += held.time_travel;
        looks[ERASED_IN_FAIL_SAFE].found += held.fail_safe;
        w->overstayed += overstaying(w, now, &subjects[i]);
        subjects[i].version = held.marked ? version : DOC_VERSION_NONE;
        if (held.marked && erase_listing(w, now, mark) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    return 0;
}

static int expire_bronze(struct fake_warehouse *w) {
    int64_t positions[BRONZE_SLICE];
    int64_t behind = -1;
    size_t found;
    do {
        sqlite3_stmt *s = w->statements[OLD_BRONZE];
        sqlite3_bind_int64(s, 1, w->edge.ns);
        sqlite3_bind_int64(s, 2, behind);
        int more = 0;
        for (found = 0; found < BRONZE_SLICE && (more = statement_row(s)) == 1;) {
            behind = sqlite3_column_int64(s, 0);
            struct bronze_row row;
            warehouse_place(behind, &row);
            row.type = (enum record_type)sqlite3_column_int(s, 1);
            row.subject_id = (uint64_t)sqlite3_column_int64(s, 2);
            if (warehouse_goes_at_edge(w, &row)) {
                positions[found++] = behind;
            }
        }
        sqlite3_reset(s);
        if (more < 0) {
            return PORT_NO_MEMORY;
        }
        for (size_t i = 0; i < found; i++) {
            w->has_dropped = true;
            if (warehouse_drop_bronze(w, positions[i]) != 0) {
                return PORT_NO_MEMORY;
            }
        }
    } while (found == BRONZE_SLICE);
    return 0;
}

/* A version goes once it was over at the edge. */
static int expire_silver(struct fake_warehouse *w) {
    for (uint32_t i = 0; i < w->silver_count; i++) {
        uint32_t at = w->silver[i].dropped || w->silver[i].older != NONE ? NONE : i;
        while (at != NONE && w->silver[at].valid_to_ns <= w->edge.ns) {
            uint32_t next = w->silver[at].newer;
            struct cell row = cell_integer((int64_t)at + 1);
            if (warehouse_run(w, DROP_SILVER, &row, 1) != 0) {
                return PORT_NO_MEMORY;
            }
            warehouse_unlink_silver(w, at);
            w->has_dropped = true;
            at = next;
        }
    }
    return 0;
}

/* An audit row goes with the version that it is about. */
static bool audit_stays(void *ctx, const struct audit_entry *entry) {
    const struct fake_warehouse *w = ctx;
    uint32_t oldest = warehouse_silver_oldest(w, entry->row.listing_id);
    return entry->recorded.ns >= w->edge.ns || oldest == NONE ||
           entry->row.version >= w->silver[oldest].version;
}

int fake_warehouse_expire(struct fake_warehouse *w, vtime now) {
    vtime edge = warehouse_edge(w->kept_ns, now);
    if (!vtime_before(w->edge, edge)) {
        return 0;
    }
    w->edge = edge;
    if (edge.ns <= w->oldest) { /* nothing is old enough */
        return 0;
    }
    if (expire_silver(w) != 0 || expire_bronze(w) != 0 ||
        warehouse_audit_retain(&w->audit, audit_stays, w) != 0) {
        return PORT_NO_MEMORY;
    }
    return 0;
}

vtime fake_warehouse_from(const struct fake_warehouse *w) {
    return w->has_dropped ? w->edge : (vtime){INT64_MIN};
}
