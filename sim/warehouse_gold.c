#include "sim/warehouse_parts.h"

#include <assert.h>

#include "pipeline/array.h"

/* The document whose columns start at `c`. */
struct document_row warehouse_read_document(sqlite3_stmt *s, int c, uint64_t listing_id) {
    return (struct document_row){
        .listing_id = listing_id,
        .version = sqlite3_column_int64(s, c),
        .changed_at = {sqlite3_column_int64(s, c + 1)},
        .stamp = warehouse_stamp(s, c + 2),
        .source_hash = (uint64_t)sqlite3_column_int64(s, c + 5),
        .whole_hash = (uint64_t)sqlite3_column_int64(s, c + 6),
        .alive = sqlite3_column_int(s, c + 7) != 0,
        .policy = (enum policy_status)sqlite3_column_int(s, c + 8),
        .seller_id = (uint64_t)sqlite3_column_int64(s, c + 9),
        .price =
            sqlite3_column_type(s, c + 10) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, c + 10),
        .title = statement_bytes(s, c + 11),
        .description = statement_bytes(s, c + 12),
        .locale = statement_bytes(s, c + 13),
        .category = statement_bytes(s, c + 14),
        .attributes = statement_bytes(s, c + 15),
        .images = statement_bytes(s, c + 16),
        .category_path = statement_bytes(s, c + 17),
        .locale_tag = statement_bytes(s, c + 18),
        .tokeniser = (enum tokeniser)sqlite3_column_int(s, c + 19),
    };
}

struct row_state warehouse_state_of(const struct document_row *d, bool present) {
    return (struct row_state){.present = present,
                              .version = d->version,
                              .source_hash = d->source_hash,
                              .whole_hash = d->whole_hash};
}

static bool is_served(const struct document_row *d) {
    return d->alive && d->policy != POLICY_SUPPRESSED;
}

/* Writes the row by its key, or as one more row of that key. */
static int put_gold(struct fake_warehouse *w, vtime now, const struct document_row *d,
                    bool second) {
    struct cell cells[2 + DOCUMENT_CELLS];
    cells[0] = cell_integer(warehouse_key(d->listing_id));
    document_cells(d, cells + 1);
    cells[1 + DOCUMENT_CELLS] = cell_integer(now.ns);
    if (warehouse_run(w, second ? PUT_GOLD_SECOND : PUT_GOLD, cells, 2 + DOCUMENT_CELLS) != 0) {
        return PORT_NO_MEMORY;
    }
    cells[0] = cell_pattern(d->listing_id);
    struct row_key key = {d->listing_id, second ? ++w->gold_copies : 0};
    return row_journal_put(&w->gold_journal, now, key, cells, 2 + DOCUMENT_CELLS) == 0
               ? 0
               : PORT_NO_MEMORY;
}

/* The index entry of a listing, made when there is none; NULL without memory. */
static struct gold_entry *ensure_gold(struct fake_warehouse *w, uint64_t listing_id) {
    uint32_t at = id_map_get(&w->gold_by_id, listing_id);
    if (at != NONE) {
        return &w->gold[at];
    }
    if (ARRAY_RESERVE(w->gold, w->gold_capacity, w->gold_count + 1) != 0 ||
        id_map_put_index(&w->gold_by_id, listing_id, (uint32_t)w->gold_count) != 0) {
        return 0;
    }
    w->gold[w->gold_count] =
        (struct gold_entry){.listing_id = listing_id, .state = {.version = DOC_VERSION_NONE}};
    return &w->gold[w->gold_count++];
}

/* A row from before the listing's erasure goes to the time travel when it is written over. */
static int gold_overwritten(struct fake_warehouse *w, vtime now, const struct gold_entry *entry,
                            const struct document_row *d) {
    const struct erasure_mark *mark = erasure_marks_find(&w->marks, d->listing_id);
    bool old = mark != NULL && entry->state.version != DOC_VERSION_NONE &&
               entry->state.version < mark->version;
    return !old || erasure_marks_removed(&w->marks, now, mark, 1) == 0 ? 0 : PORT_NO_MEMORY;
}

int warehouse_load_gold(struct fake_warehouse *w, vtime now, const struct document_row *d,
                        bool dedupe) {
    assert(d->version > DOC_VERSION_NONE);
    struct gold_entry *entry = ensure_gold(w, d->listing_id);
    if (entry == 0) {
        return PORT_NO_MEMORY;
    }
    enum merge_turn turn =
        dedupe ? warehouse_merge_turn(w, MERGE_GOLD, d->listing_id, 0) : MERGE_FIRST;
    bool present = entry->state.version != DOC_VERSION_NONE;
    bool second =
        turn == MERGE_INSERTS || (turn == MERGE_FIRST && entry->state.version >= d->version);
    if (turn == MERGE_REFUSED) {
        return PORT_AMBIGUOUS;
    }
    if ((second && dedupe && turn == MERGE_FIRST) || turn == MERGE_LOSES ||
        warehouse_version_is_erased(w, d)) {
        return 0;
    }
    if (gold_overwritten(w, now, entry, d) != 0 || put_gold(w, now, d, second) != 0) {
        return PORT_NO_MEMORY;
    }
    struct row_change change = {.store = STORE_GOLD,
                                .listing_id = d->listing_id,
                                .kind = ROW_UPSERT,
                                .before = entry->state,
                                .after = warehouse_state_of(d, is_served(d)),
                                .duplicate = second};
    w->counts.gold += second || !present;
    w->counts.duplicates += second;
    if (warehouse_merge_took(w, MERGE_GOLD, d->listing_id, 0, present && !second) != 0) {
        return PORT_NO_MEMORY;
    }
    if (!second) {
        entry->state = change.after;
    }
    store_observer_tell(&w->observer, now, &change);
    return 0;
}

struct row_state fake_warehouse_gold(const struct fake_warehouse *w, uint64_t listing_id) {
    uint32_t at = id_map_get(&w->gold_by_id, listing_id);
    return at == NONE ? (struct row_state){.version = DOC_VERSION_NONE} : w->gold[at].state;
}

/* Which rows a listing should have in the vector database: fused where there is either. */
static uint8_t modalities_of(bool text, bool image) {
    return (uint8_t)(text << MODALITY_TEXT | image << MODALITY_IMAGE |
                     (text || image) << MODALITY_FUSED);
}

int warehouse_scan_gold(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                        size_t max, size_t *count) {
    struct fake_warehouse *w = ctx;
    (void)now;
    sqlite3_stmt *s = w->statements[w->gold_copies == 0 ? SCAN_GOLD : SCAN_GOLD_SECOND];
    sqlite3_bind_int64(s, 1, warehouse_key(first));
    sqlite3_bind_int64(s, 2, warehouse_key(last));
    sqlite3_bind_int64(s, 3, (int64_t)max);
    *count = 0;
    int more = statement_row(s);
    for (; more == 1; more = statement_row(s)) {
        out[(*count)++] = (struct scan_row){
            .listing_id = warehouse_id(sqlite3_column_int64(s, 0)),
            .version = sqlite3_column_int64(s, 1),
            .source_hash = (uint64_t)sqlite3_column_int64(s, 2),
            .whole_hash = (uint64_t)sqlite3_column_int64(s, 3),
            .alive = sqlite3_column_int(s, 4) != 0,
            .suppressed = sqlite3_column_int(s, 5) == POLICY_SUPPRESSED,
            .changed_at = {sqlite3_column_int64(s, 6)},
            .modalities =
                modalities_of(sqlite3_column_int(s, 7) != 0, sqlite3_column_int(s, 8) != 0),
        };
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}
