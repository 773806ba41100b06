#include "sim/warehouse_parts.h"

#include <assert.h>

#include "pipeline/array.h"

/* Makes the intervals tile from a row that was linked in on: each starts where the one before it
 * ends, never before that one started. Stops at the first later row that stays where it was. */
static void tile(struct fake_warehouse *w, uint32_t linked) {
    int64_t floor_ns = INT64_MIN;
    if (w->silver[linked].older != NONE) {
        floor_ns = w->silver[w->silver[linked].older].valid_from_ns;
    }
    for (uint32_t at = linked; at != NONE; at = w->silver[at].newer) {
        struct silver_entry *entry = &w->silver[at];
        int64_t from_ns = entry->changed_at_ns > floor_ns ? entry->changed_at_ns : floor_ns;
        bool stays = at != linked && entry->valid_from_ns == from_ns;
        entry->valid_from_ns = from_ns;
        if (entry->older != NONE) {
            w->silver[entry->older].valid_to_ns = from_ns;
        }
        if (stays) {
            return;
        }
        if (entry->newer == NONE) {
            entry->valid_to_ns = INT64_MAX;
        }
        floor_ns = from_ns;
    }
}

/* The listing's row of the greatest version that is not above v, or NONE; *newer is the next. */
static uint32_t find_version(const struct fake_warehouse *w, uint64_t listing_id, doc_version v,
                             uint32_t *newer) {
    *newer = NONE;
    uint32_t at = id_map_get(&w->silver_newest, listing_id);
    while (at != NONE && w->silver[at].version > v) {
        *newer = at;
        at = w->silver[at].older;
    }
    return at;
}

static int link_silver(struct fake_warehouse *w, vtime now, const struct document_row *d,
                       uint32_t older, uint32_t newer) {
    uint32_t at = (uint32_t)w->silver_count;
    if (ARRAY_RESERVE(w->silver, w->silver_capacity, w->silver_count + 1) != 0 ||
        (newer == NONE && id_map_put_index(&w->silver_newest, d->listing_id, at) != 0)) {
        return PORT_NO_MEMORY;
    }
    w->oldest = d->changed_at.ns < w->oldest ? d->changed_at.ns : w->oldest;
    w->silver[w->silver_count++] = (struct silver_entry){
        .listing_id = d->listing_id,
        .version = d->version,
        .changed_at_ns = d->changed_at.ns,
        .recorded_ns = now.ns,
        .alive = d->alive,
        .older = older,
        .newer = newer,
    };
    if (older != NONE) {
        w->silver[older].newer = at;
    }
    if (newer != NONE) {
        w->silver[newer].older = at;
    }
    tile(w, at);
    return 0;
}

int warehouse_load_silver(struct fake_warehouse *w, vtime now, const struct document_row *d,
                          bool dedupe) {
    if (warehouse_version_is_erased(w, d)) {
        return 0;
    }
    uint32_t newer;
    uint32_t older = find_version(w, d->listing_id, d->version, &newer);
    bool known = older != NONE && w->silver[older].version == d->version;
    bool over = newer != NONE && w->silver[newer].valid_from_ns <= w->edge.ns;
    if ((known && dedupe) || over) {
        return 0;
    }
    struct cell cells[2 + DOCUMENT_CELLS] = {cell_integer((int64_t)w->silver_count + 1),
                                             cell_pattern(d->listing_id)};
    document_cells(d, cells + 2);
    if (warehouse_run(w, PUT_SILVER, cells, 2 + DOCUMENT_CELLS) != 0 ||
        link_silver(w, now, d, older, newer) != 0) {
        return PORT_NO_MEMORY;
    }
    w->counts.silver++;
    w->counts.duplicates += known;
    pulse_beat_after(&w->pulses[WAREHOUSE_SILVER], now, vtime_diff(now, d->changed_at));
    struct row_change change = {.store = STORE_SILVER,
                                .listing_id = d->listing_id,
                                .kind = ROW_UPSERT,
                                .before = {.present = known},
                                .after = warehouse_state_of(d, true),
                                .duplicate = known};
    if (known) {
        change.before = change.after;
    }
    store_observer_tell(&w->observer, now, &change);
    return 0;
}

/* The row that the statement stands at; of its document the keys alone, unless it is wanted whole.
 */
static struct silver_row silver_at(const struct fake_warehouse *w, sqlite3_stmt *s, bool whole) {
    const struct silver_entry *entry = &w->silver[sqlite3_column_int64(s, 0) - 1];
    uint64_t listing_id = (uint64_t)sqlite3_column_int64(s, 1);
    struct silver_row row = {
        .document = {.listing_id = listing_id, .version = sqlite3_column_int64(s, 2)},
        .valid_from = {entry->valid_from_ns},
        .valid_to = {entry->valid_to_ns},
        .recorded = {entry->recorded_ns},
    };
    if (whole) {
        row.document = warehouse_read_document(s, 2, listing_id);
    }
    return row;
}

static int each_silver(struct fake_warehouse *w, enum statement which,
                       int (*each)(void *ctx, const struct silver_row *row), void *ctx) {
    sqlite3_stmt *s = w->statements[which];
    int more = statement_row(s);
    for (; more == 1; more = statement_row(s)) {
        struct silver_row row = silver_at(w, s, which != READ_SILVER_KEYS);
        int rc = each(ctx, &row);
        if (rc != 0) {
            sqlite3_reset(s);
            return rc;
        }
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

int fake_warehouse_each_silver(struct fake_warehouse *w,
                               int (*each)(void *ctx, const struct silver_row *row), void *ctx) {
    return each_silver(w, READ_SILVER, each, ctx);
}

int fake_warehouse_each_version(struct fake_warehouse *w,
                                int (*each)(void *ctx, const struct silver_row *row), void *ctx) {
    return each_silver(w, READ_SILVER_KEYS, each, ctx);
}

int fake_warehouse_each_current(struct fake_warehouse *w,
                                int (*each)(void *ctx, const struct silver_row *row), void *ctx) {
    int rc = 0;
    for (size_t i = 0; i < w->silver_count && rc == 0; i++) {
        if (w->silver[i].valid_to_ns == VTIME_NEVER.ns) {
            sqlite3_bind_int64(w->statements[READ_SILVER_ROW], 1, (int64_t)i + 1);
            rc = each_silver(w, READ_SILVER_ROW, each, ctx);
        }
    }
    return rc;
}

void warehouse_unlink_silver(struct fake_warehouse *w, uint32_t at) {
    struct silver_entry *entry = &w->silver[at];
    assert(entry->older == NONE);
    if (entry->newer != NONE) {
        w->silver[entry->newer].older = NONE;
    } else {
        id_map_put_index(&w->silver_newest, entry->listing_id, NONE); /* is there */
    }
    entry->dropped = true;
    entry->newer = NONE;
    w->counts.silver--;
}

uint32_t warehouse_silver_oldest(const struct fake_warehouse *w, uint64_t listing_id) {
    uint32_t at = id_map_get(&w->silver_newest, listing_id);
    while (at != NONE && w->silver[at].older != NONE) {
        at = w->silver[at].older;
    }
    return at;
}

void warehouse_check_silver(const struct fake_warehouse *w) {
    for (uint32_t i = 0; i < w->silver_count; i++) {
        const struct silver_entry *e = &w->silver[i];
        if (e->dropped) {
            continue;
        }
        assert(e->valid_from_ns <= e->valid_to_ns && e->valid_from_ns >= e->changed_at_ns);
        assert((e->valid_to_ns == INT64_MAX) == (e->newer == NONE));
        if (e->newer == NONE) {
            assert(id_map_get(&w->silver_newest, e->listing_id) == i);
            continue;
        }
        const struct silver_entry *newer = &w->silver[e->newer];
        assert(newer->older == i && newer->listing_id == e->listing_id);
        assert(newer->version >= e->version && newer->valid_from_ns == e->valid_to_ns);
    }
}
