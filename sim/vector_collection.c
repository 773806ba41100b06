#include "sim/vector_collection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/id_map.h"
#include "sim/id_order.h"
#include "sim/row_cells.h"
#include "sim/vector_math.h"

/* What a row's texts are called in the label set. */
struct row_labels {
    uint32_t category, locale;
};

struct vector_row {
    uint64_t id;
    struct row_meta meta; /* texts are the label set's */
    vtime written;
    struct row_labels labels;
    uint32_t copy;      /* tells rows of one id apart in the journal */
    uint8_t kind;       /* enum row_write_kind of the last write */
    bool known;         /* the version counts; else no write is remembered */
    bool present;       /* false: a tombstone, or nothing */
    bool lasting;       /* the tombstone is a row: it is not forgotten */
    bool in_table;      /* the row table has it */
    bool listed;        /* it stands in ids */
    bool spare;         /* the id table does not lead to it */
    doc_version masked; /* oldest of the versions whose vectors the graph masks, when it does */
};

struct vector_collection {
    struct vector_collection_options options;
    size_t dimension;
    struct vector_row *rows; /* a record stays for its id, and is used again by it */
    size_t row_count, row_capacity;
    struct id_map by_id;
    struct id_order table; /* all records: the row table is those with in_table */
    struct id_order ids;   /* the ids that the id table was ever given */
    struct vector_segments *segments;
    struct row_journal journal;
    uint64_t present;
    uint64_t spares; /* rows that are present and spare */
    vtime now;       /* the latest moment heard of */
    struct segment_hit *hits;
    size_t hit_capacity;
};

/* ---- life ---- */

struct vector_collection *vector_collection_new(const struct vector_collection_options *options) {
    struct vector_collection *c = calloc(1, sizeof(*c));
    if (c == 0) {
        return 0;
    }
    c->options = *options;
    c->dimension = modality_dimension(options->modality);
    c->options.segments.dimension = c->dimension;
    c->now = (vtime){INT64_MIN};
    id_map_init(&c->by_id);
    id_order_init(&c->table);
    id_order_init(&c->ids);
    row_journal_init(&c->journal, options->journal);
    c->segments = vector_segments_new(&c->options.segments);
    if (c->segments == 0) {
        vector_collection_free(c);
        return 0;
    }
    return c;
}

static void release_rows(struct vector_collection *c) {
    vector_segments_free(c->segments);
    id_order_release(&c->ids);
    id_order_release(&c->table);
    id_map_release(&c->by_id);
    free(c->rows);
    free(c->hits);
    c->segments = 0;
    c->rows = 0;
    c->row_count = c->row_capacity = 0;
    c->hits = 0;
    c->hit_capacity = 0;
    c->present = c->spares = 0;
}

void vector_collection_free(struct vector_collection *c) {
    if (c != 0) {
        release_rows(c);
        row_journal_release(&c->journal);
        free(c);
    }
}

/* ---- rows ---- */

static struct vector_row *find_row(const struct vector_collection *c, uint64_t id) {
    uint32_t at = 0;
    return id_map_index(&c->by_id, id, &at) ? &c->rows[at] : 0;
}

static uint32_t number_of(const struct vector_collection *c, const struct vector_row *row) {
    return (uint32_t)(row - c->rows);
}

/*
 * Looks through all records of an id: *copy becomes a number that none of them has, *unused an
 * empty record that the id table does not lead to, or NULL. 0 or PORT_NO_MEMORY.
 */
static int look_for_copies(struct vector_collection *c, uint64_t id, uint32_t *copy,
                           struct vector_row **unused) {
    *copy = 0;
    *unused = 0;
    if (id_order_sort(&c->table) != 0) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = id_order_seek(&c->table, id); i < c->table.count && c->table.items[i].id == id;
         i++) {
        struct vector_row *row = &c->rows[c->table.items[i].row];
        *copy = row->copy >= *copy ? row->copy + 1 : *copy;
        if (*unused == 0 && row->spare && !row->present) {
            *unused = row;
        }
    }
    return 0;
}

/* Room for one more record. */
static int reserve_record(struct vector_collection *c) {
    return ARRAY_RESERVE(c->rows, c->row_capacity, c->row_count + 1) != 0 ||
                   id_order_reserve(&c->table) != 0
               ? PORT_NO_MEMORY
               : 0;
}

static struct vector_row *add_record(struct vector_collection *c, uint64_t id, uint32_t copy) {
    uint32_t at = (uint32_t)c->row_count++;
    assert(at < SEGMENT_ROW_NONE);
    c->rows[at] = (struct vector_row){.id = id, .copy = copy};
    id_order_add(&c->table, id, at);
    return &c->rows[at];
}

/* The record of an id, made where there is none; NULL without memory. */
static struct vector_row *ensure_row(struct vector_collection *c, uint64_t id) {
    struct vector_row *row = find_row(c, id);
    struct vector_row *unused = 0;
    uint32_t copy = 0;
    if (row != 0) {
        return row;
    }
    if ((c->spares > 0 && look_for_copies(c, id, &copy, &unused) != 0) || reserve_record(c) != 0 ||
        id_order_reserve(&c->ids) != 0 || id_map_put_index(&c->by_id, id, c->row_count) < 0) {
        return 0;
    }
    row = add_record(c, id, copy);
    id_order_add(&c->ids, id, number_of(c, row));
    row->listed = true;
    return row;
}

struct vector_live vector_collection_live(const struct vector_collection *c, uint64_t listing_id) {
    const struct vector_row *row = find_row(c, listing_id);
    return row == 0 ? (struct vector_live){.version = DOC_VERSION_NONE}
                    : (struct vector_live){.known = row->known,
                                           .present = row->present,
                                           .lasting = row->lasting,
                                           .version = row->meta.version,
                                           .content_hash = row->meta.content_hash,
                                           .written = row->written};
}

/* A present row or a tombstone that is not forgotten. */
static bool remembers(const struct vector_collection *c, const struct vector_live *live,
                      vtime now) {
    if (!live->known || live->present || live->lasting) {
        return live->known;
    }
    int64_t gc = c->options.gc_deletes_ns;
    return gc == 0 || vtime_diff(now, live->written) < gc;
}

static bool remembered(const struct vector_collection *c, const struct vector_row *row) {
    if (row == 0) {
        return false;
    }
    struct vector_live live = {.known = row->known,
                               .present = row->present,
                               .lasting = row->lasting,
                               .written = row->written};
    return remembers(c, &live, c->now);
}

static struct row_state state_of(const struct vector_collection *c, const struct vector_row *row) {
    struct row_state state = {.version = DOC_VERSION_NONE};
    if (remembered(c, row)) {
        state.version = row->meta.version;
    }
    if (row != 0 && row->present) {
        state.present = true;
        state.source_hash = row->meta.source_hash;
        state.whole_hash = row->meta.whole_hash;
        state.content_hash = row->meta.content_hash;
        state.model_version = row->meta.model_version;
    }
    return state;
}

uint64_t vector_collection_held(const struct vector_collection *c, uint64_t listing_id,
                                doc_version version) {
    const struct vector_row *row = find_row(c, listing_id);
    if (row == 0) {
        return 0;
    }
    return (row->present && row->meta.version < version) +
           (uint64_t)(vector_segments_masks(c->segments, number_of(c, row)) &&
                      row->masked < version);
}

void vector_collection_hold(struct vector_collection *c, bool held) {
    vector_segments_hold(c->segments, held);
}

void vector_collection_compact(struct vector_collection *c) {
    vector_segments_compact(c->segments);
}

struct row_state vector_collection_row(const struct vector_collection *c, uint64_t listing_id) {
    return state_of(c, find_row(c, listing_id));
}

const struct row_meta *vector_collection_find(const struct vector_collection *c,
                                              uint64_t listing_id, const float **vector,
                                              vtime *changed_at) {
    const struct vector_row *row = find_row(c, listing_id);
    if (row == 0 || !row->present) {
        return 0;
    }
    *vector = vector_segments_vector(c->segments, number_of(c, row));
    *changed_at = row->written;
    return &row->meta;
}

/* ---- history ---- */

static int keep_history(struct vector_collection *c, vtime now, const struct vector_row *row) {
    if (!c->journal.on) {
        return 0;
    }
    struct cell cells[1 + VECTOR_CELLS];
    vector_cells(row->id, &row->meta, cells + 1);
    cells[0] = cells[1];
    cells[1] = cell_integer(row->kind);
    struct row_key key = {row->id, row->copy};
    int rc = row_journal_put(&c->journal, now, key, cells, 1 + VECTOR_CELLS);
    return rc == 0 ? 0 : PORT_NO_MEMORY;
}

static int end_history(struct vector_collection *c, vtime now, const struct vector_row *row) {
    struct row_key key = {row->id, row->copy};
    return row_journal_gone(&c->journal, now, key) == 0 ? 0 : PORT_NO_MEMORY;
}

/* ---- changing rows ---- */

static int find_label(struct vector_collection *c, struct bytes text, struct bytes present_text,
                      uint32_t present, uint32_t *label) {
    if (bytes_equal(text, present_text)) {
        *label = present;
        return 0;
    }
    return label_set_intern(c->options.labels, text, label) == 0 ? 0 : PORT_NO_MEMORY;
}

static int find_labels(struct vector_collection *c, const struct vector_row *row,
                       const struct row_meta *meta, struct row_labels *labels) {
    int rc =
        find_label(c, meta->category, row->meta.category, row->labels.category, &labels->category);
    if (rc == 0) {
        rc = find_label(c, meta->locale, row->meta.locale, row->labels.locale, &labels->locale);
    }
    return rc;
}

/* The row holds this metadata from now on, and is present. */
static int set_meta(struct vector_collection *c, vtime now, struct vector_row *row,
                    enum row_write_kind kind, const struct row_meta *meta,
                    struct row_labels labels) {
    row->meta = *meta;
    row->meta.category = label_set_text(c->options.labels, labels.category);
    row->meta.locale = label_set_text(c->options.labels, labels.locale);
    row->labels = labels;
    row->kind = (uint8_t)kind;
    row->written = now;
    row->known = true;
    c->present += !row->present;
    row->present = true;
    return keep_history(c, now, row);
}

/* Notes up to which version the vector stood that the graph masks since `leaving`. */
static void note_masked(struct vector_collection *c, struct vector_row *row, bool before,
                        doc_version leaving) {
    if (vector_segments_masks(c->segments, number_of(c, row)) &&
        (!before || leaving < row->masked)) {
        row->masked = leaving;
    }
}

/* The row is in no structure any more; what the record says of its version stays. */
static int remove_row(struct vector_collection *c, vtime now, struct vector_row *row) {
    bool masked = vector_segments_masks(c->segments, number_of(c, row));
    vector_segments_remove(c->segments, number_of(c, row));
    note_masked(c, row, masked, row->meta.version);
    row->in_table = false;
    if (!row->present) {
        return 0;
    }
    row->present = false;
    c->present--;
    c->spares -= row->spare;
    return end_history(c, now, row);
}

/* Removes the rows of an id that the id table does not lead to. */
static int strike_spares(struct vector_collection *c, vtime now, uint64_t id) {
    if (c->spares == 0) {
        return 0;
    }
    if (id_order_sort(&c->table) != 0) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = id_order_seek(&c->table, id); i < c->table.count && c->table.items[i].id == id;
         i++) {
        struct vector_row *row = &c->rows[c->table.items[i].row];
        if (row->spare && remove_row(c, now, row) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    return 0;
}

/* Puts vector and metadata into a record that the id table leads to or that is spare. */
static int fill_row(struct vector_collection *c, vtime now, struct vector_row *row,
                    const struct row_meta *meta, const float *vector) {
    struct row_labels labels;
    bool masked = vector_segments_masks(c->segments, number_of(c, row));
    if (find_labels(c, row, meta, &labels) != 0 ||
        vector_segments_put(c->segments, number_of(c, row), row->id, vector) != 0) {
        return PORT_NO_MEMORY;
    }
    note_masked(c, row, masked, row->meta.version);
    c->spares += row->spare && !row->present;
    row->in_table = true;
    return set_meta(c, now, row, ROW_UPSERT, meta, labels);
}

static int upsert(struct vector_collection *c, vtime now, const struct vector_write *w) {
    struct vector_row *row = ensure_row(c, w->listing_id);
    return row == 0 ? PORT_NO_MEMORY : fill_row(c, now, row, &w->meta, w->vector);
}

static int change_meta(struct vector_collection *c, vtime now, struct vector_row *row,
                       enum row_write_kind kind, const struct row_meta *meta) {
    struct row_labels labels;
    int rc = find_labels(c, row, meta, &labels);
    return rc == 0 ? set_meta(c, now, row, kind, meta, labels) : rc;
}

/* A row of the id that the id table does not lead to takes the place of one that went. *promoted:
 * there is one. 0 or PORT_NO_MEMORY. */
static int promote_spare(struct vector_collection *c, struct vector_row *gone, bool *promoted) {
    *promoted = false;
    if (c->spares == 0) {
        return 0;
    }
    if (id_order_sort(&c->table) != 0 || id_order_reserve(&c->ids) != 0) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = id_order_seek(&c->table, gone->id);
         i < c->table.count && c->table.items[i].id == gone->id; i++) {
        struct vector_row *row = &c->rows[c->table.items[i].row];
        if (row->present && row->spare) {
            /* The id is there already, so this cannot fail. */
            (void)id_map_put_index(&c->by_id, gone->id, number_of(c, row));
            if (!row->listed) {
                id_order_add(&c->ids, gone->id, number_of(c, row));
                row->listed = true;
            }
            row->spare = false;
            c->spares--;
            gone->spare = true;
            *promoted = true;
            return 0;
        }
    }
    return 0;
}

static int delete_row(struct vector_collection *c, vtime now, const struct vector_write *w) {
    struct vector_row *row = ensure_row(c, w->listing_id);
    bool promoted = false;
    if (row == 0 || remove_row(c, now, row) != 0 ||
        (c->options.keys_repeat && promote_spare(c, row, &promoted) != 0)) {
        return PORT_NO_MEMORY;
    }
    if (promoted) {
        return 0;
    }
    row->known = w->rule != VERSION_IGNORED;
    row->lasting = w->kind == ROW_TOMBSTONE;
    row->meta.version = w->meta.version;
    row->written = now;
    row->kind = (uint8_t)w->kind;
    return 0;
}

/* ---- writes ---- */

static bool version_allows(const struct vector_collection *c, const struct vector_live *live,
                           vtime now, const struct vector_write *w) {
    if (c->options.unconditional || w->rule == VERSION_IGNORED || !remembers(c, live, now)) {
        return true;
    }
    return w->rule == VERSION_GREATER ? w->meta.version > live->version
                                      : w->meta.version >= live->version;
}

/* Finite and of a norm within 1 % of 1: false for a NaN, since its square compares with nothing. */
static bool vector_valid(const float *vector, size_t dimension) {
    float square = vector_dot(vector, vector, dimension);
    return square > 0.98F && square < 1.02F;
}

enum item_status vector_collection_judge(const struct vector_collection *c,
                                         const struct vector_live *live, vtime now,
                                         const struct vector_write *w) {
    if (!version_allows(c, live, now, w)) {
        return ITEM_CONFLICT;
    }
    if (w->kind == ROW_METADATA && c->options.whole_rows) {
        return ITEM_FATAL;
    }
    if (w->kind == ROW_METADATA && (!live->present || live->content_hash != w->meta.content_hash)) {
        return ITEM_MISSING;
    }
    if (w->kind == ROW_UPSERT && !vector_valid(w->vector, c->dimension)) {
        return ITEM_FATAL;
    }
    return ITEM_APPLIED;
}

struct vector_live vector_live_after(vtime now, const struct vector_write *w) {
    bool present = w->kind == ROW_UPSERT || w->kind == ROW_METADATA;
    return (struct vector_live){.known = present || w->rule != VERSION_IGNORED,
                                .present = present,
                                .lasting = w->kind == ROW_TOMBSTONE,
                                .version = w->meta.version,
                                .content_hash = w->meta.content_hash,
                                .written = now};
}

int vector_collection_apply(struct vector_collection *c, vtime now, const struct vector_write *w,
                            struct row_state *before, struct row_state *after) {
    c->now = vtime_max(c->now, now);
    struct vector_row *row = find_row(c, w->listing_id);
    *before = *after = state_of(c, row);
    if (w->kind == ROW_METADATA && (row == 0 || !row->present)) {
        return 0; /* a fault took it since the write was judged */
    }
    /* A key that the id table does not know is inserted without a look for others of its kind. */
    bool by_key = remembered(c, row) && w->kind != ROW_METADATA && !c->options.keys_repeat;
    if (by_key && strike_spares(c, now, w->listing_id) != 0) {
        return PORT_NO_MEMORY;
    }
    int rc = w->kind == ROW_UPSERT     ? upsert(c, now, w)
             : w->kind == ROW_METADATA ? change_meta(c, now, row, ROW_METADATA, &w->meta)
                                       : delete_row(c, now, w);
    *after = vector_collection_row(c, w->listing_id);
    return rc;
}

/* ---- reads ---- */

struct scan_row vector_scan_row(uint64_t listing_id, const struct row_meta *meta, vtime written) {
    return (struct scan_row){
        .listing_id = listing_id,
        .version = meta->version,
        .source_hash = meta->source_hash,
        .whole_hash = meta->whole_hash,
        .content_hash = meta->content_hash,
        .model_version = meta->model_version,
        .changed_at = written,
        .alive = true,
        .suppressed = meta->policy == POLICY_SUPPRESSED || !meta->active,
    };
}

static struct scan_row scanned(const struct vector_row *row) {
    return vector_scan_row(row->id, &row->meta, row->written);
}

static int scan_table(struct vector_collection *c, uint64_t first, uint64_t last,
                      struct scan_row *out, size_t max, size_t *count) {
    if (id_order_sort(&c->table) != 0) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = id_order_seek(&c->table, first); i < c->table.count && *count < max; i++) {
        const struct vector_row *row = &c->rows[c->table.items[i].row];
        if (row->id > last) {
            break;
        }
        if (row->in_table) {
            out[(*count)++] = scanned(row);
        }
    }
    return 0;
}

static int scan_ids(struct vector_collection *c, uint64_t first, uint64_t last,
                    struct scan_row *out, size_t max, size_t *count) {
    if (id_order_sort(&c->ids) != 0) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = id_order_seek(&c->ids, first); i < c->ids.count && *count < max; i++) {
        const struct id_order_item *item = &c->ids.items[i];
        if (item->id > last) {
            break;
        }
        /* An id that the table lost and got again stands here twice. */
        const struct vector_row *row = find_row(c, item->id);
        if (row != 0 && row->present && number_of(c, row) == item->row) {
            out[(*count)++] = scanned(row);
        }
    }
    return 0;
}

static int scan_segments(struct vector_collection *c, uint64_t first, uint64_t last,
                         struct scan_row *out, size_t max, size_t *count) {
    size_t cursor = 0;
    if (vector_segments_walk(c->segments, first, &cursor) != 0) {
        return PORT_NO_MEMORY;
    }
    while (*count < max) {
        uint32_t at = vector_segments_next(c->segments, &cursor, last);
        if (at == SEGMENT_ROW_NONE) {
            break;
        }
        out[(*count)++] = scanned(&c->rows[at]);
    }
    return 0;
}

int vector_collection_scan(struct vector_collection *c, vtime now, enum scan_path path,
                           uint64_t first, uint64_t last, struct scan_row *out, size_t max,
                           size_t *count) {
    assert(path < SCAN_PATH_COUNT);
    c->now = vtime_max(c->now, now);
    *count = 0;
    return path == SCAN_BY_SCAN ? scan_table(c, first, last, out, max, count)
           : path == SCAN_BY_ID ? scan_ids(c, first, last, out, max, count)
                                : scan_segments(c, first, last, out, max, count);
}

struct row_accept {
    const struct vector_row *rows;
    uint32_t category, locale; /* LABEL_EMPTY: any */
    uint64_t seller_id;        /* 0: any */
    bool servable_only;
    const struct seller_blocks *blocks;
};

static bool accept_row(const void *ctx, uint32_t at) {
    const struct row_accept *accept = ctx;
    const struct vector_row *row = &accept->rows[at];
    bool label_ok = (accept->category == LABEL_EMPTY || row->labels.category == accept->category) &&
                    (accept->locale == LABEL_EMPTY || row->labels.locale == accept->locale);
    bool seller_ok = accept->seller_id == 0 || row->meta.seller_id == accept->seller_id;
    return label_ok && seller_ok &&
           (!accept->servable_only || (row->meta.active && row->meta.policy == POLICY_ACTIVE &&
                                       !seller_blocks_has(accept->blocks, row->meta.seller_id)));
}

int vector_collection_search(struct vector_collection *c, const float *query, size_t k, uint32_t ef,
                             bool exact, const struct row_filter *filter,
                             const struct seller_blocks *blocks, struct search_hit *hits,
                             size_t *count) {
    *count = 0;
    struct row_accept accept = {.rows = c->rows, .blocks = blocks};
    struct segment_filter segment_filter = {0, 0};
    if (filter != 0) {
        accept.category = label_set_find(c->options.labels, filter->category);
        accept.locale = label_set_find(c->options.labels, filter->locale);
        accept.seller_id = filter->seller_id;
        accept.servable_only = filter->servable_only;
        segment_filter = (struct segment_filter){accept_row, &accept};
    }
    if (k == 0 || accept.category == LABEL_NONE || accept.locale == LABEL_NONE) {
        return 0;
    }
    if (ARRAY_RESERVE(c->hits, c->hit_capacity, k) != 0 ||
        vector_segments_search(c->segments, query, k, ef, exact, segment_filter, c->hits, count) !=
            0) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = 0; i < *count; i++) {
        const struct segment_hit *hit = &c->hits[i];
        hits[i] = (struct search_hit){hit->id, hit->score, c->rows[hit->row].meta.version};
    }
    return 0;
}

/* ---- faults ---- */

int vector_collection_plant(struct vector_collection *c, vtime now,
                            const struct vector_write *row) {
    c->now = vtime_max(c->now, now);
    return upsert(c, now, row);
}

int vector_collection_lose(struct vector_collection *c, vtime now, uint64_t listing_id,
                           unsigned paths) {
    c->now = vtime_max(c->now, now);
    struct vector_row *row = find_row(c, listing_id);
    if (row == 0 || !row->present) {
        return PORT_NOT_FOUND;
    }
    if (paths == (1U << SCAN_PATH_COUNT) - 1) {
        row->known = false;
        return remove_row(c, now, row);
    }
    if ((paths & 1U << SCAN_BY_SCAN) != 0) {
        row->in_table = false;
    }
    if ((paths & 1U << SCAN_BY_SEARCH) != 0) {
        vector_segments_remove(c->segments, number_of(c, row));
    }
    if ((paths & 1U << SCAN_BY_ID) != 0) {
        id_map_remove(&c->by_id, listing_id);
        row->spare = true;
        c->spares++;
    }
    return 0;
}

int vector_collection_duplicate(struct vector_collection *c, vtime now, uint64_t listing_id) {
    c->now = vtime_max(c->now, now);
    const struct vector_row *row = find_row(c, listing_id);
    const float *vector =
        row == 0 || !row->present ? 0 : vector_segments_vector(c->segments, number_of(c, row));
    if (vector == 0) {
        return PORT_NOT_FOUND;
    }
    struct row_meta meta = row->meta;
    struct vector_row *twin = 0;
    uint32_t copy = 0;
    if (look_for_copies(c, listing_id, &copy, &twin) != 0 ||
        (twin == 0 && reserve_record(c) != 0)) {
        return PORT_NO_MEMORY;
    }
    if (twin == 0) {
        twin = add_record(c, listing_id, copy);
        twin->spare = true;
    }
    float copy_of[FUSED_DIMENSION];
    memcpy(copy_of, vector, c->dimension * sizeof(*copy_of));
    return fill_row(c, now, twin, &meta, copy_of);
}

int vector_collection_tamper(struct vector_collection *c, vtime now, uint64_t listing_id,
                             const struct row_meta *meta, const float *vector) {
    c->now = vtime_max(c->now, now);
    struct vector_row *row = find_row(c, listing_id);
    if (row == 0 || !row->present) {
        return PORT_NOT_FOUND;
    }
    if (vector != 0 && vector_segments_put(c->segments, number_of(c, row), row->id, vector) != 0) {
        return PORT_NO_MEMORY;
    }
    vtime written = row->written;
    int rc = change_meta(c, now, row, vector == 0 ? ROW_METADATA : ROW_UPSERT, meta);
    row->written = written;
    return rc;
}

size_t vector_collection_forget(struct vector_collection *c) {
    size_t forgotten = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        bool stays = c->rows[i].present || c->rows[i].lasting;
        forgotten += c->rows[i].known && !stays;
        c->rows[i].known = stays;
    }
    return forgotten;
}

int vector_collection_empty(struct vector_collection *c, vtime now) {
    for (size_t i = 0; i < c->row_count; i++) {
        if (c->rows[i].present && end_history(c, now, &c->rows[i]) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    release_rows(c);
    return 0;
}

/* ---- looking inside ---- */

uint64_t vector_collection_rows(const struct vector_collection *c) {
    return c->present;
}

uint64_t vector_collection_tombstones(const struct vector_collection *c) {
    uint64_t tombstones = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        const struct vector_row *row = &c->rows[i];
        tombstones += !row->present && !row->spare && remembered(c, row);
    }
    return tombstones;
}

struct vector_segments_counts vector_collection_segments(const struct vector_collection *c) {
    return c->segments == 0 ? (struct vector_segments_counts){0}
                            : vector_segments_counts(c->segments);
}

const struct row_journal *vector_collection_journal(const struct vector_collection *c) {
    return &c->journal;
}

void vector_collection_check(const struct vector_collection *c) {
    if (c->segments == 0) {
        return;
    }
    uint64_t present = 0;
    uint64_t spares = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        const struct vector_row *row = &c->rows[i];
        present += row->present;
        spares += row->present && row->spare;
        assert(!row->present || row->known);
        assert(row->present == row->in_table);
        assert(row->present == (vector_segments_vector(c->segments, (uint32_t)i) != 0));
        assert(row->spare || find_row(c, row->id) == row);
        assert(row->labels.category == label_set_find(c->options.labels, row->meta.category));
        assert(row->labels.locale == label_set_find(c->options.labels, row->meta.locale));
    }
    assert(present == c->present && spares == c->spares);
    struct vector_segments_counts counts = vector_segments_counts(c->segments);
    assert(counts.growing + counts.sealed == present);
    vector_segments_check(c->segments);
}
