#include "sim/fake_keyword.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/id_map.h"
#include "sim/fts_bm25.h"
#include "sim/fts_words.h"
#include "sim/row_cells.h"
#include "sim/seller_blocks.h"
#include "sim/sqlite_host.h"
#include "sim/text_bigrams.h"

enum text_field { TITLE, DESCRIPTION, ATTRIBUTES, TEXT_FIELDS };

static const double field_weight[TEXT_FIELDS] = {4, 1, 1.5};

/* One index per field, so that a changed title costs a title. Only titles carry the marker by which
 * a scan through the index finds every document. Contentless: the texts are held here. */
static const char schema[] = "CREATE VIRTUAL TABLE title USING fts5(text, marker, content='',"
                             " tokenize=\"unicode61 remove_diacritics 2\");"
                             "CREATE VIRTUAL TABLE description USING fts5(text, content='',"
                             " tokenize=\"unicode61 remove_diacritics 2\");"
                             "CREATE VIRTUAL TABLE attributes USING fts5(text, content='',"
                             " tokenize=\"unicode61 remove_diacritics 2\");";

static const char *const insert_sql[TEXT_FIELDS] = {
    "INSERT INTO title(rowid, text, marker) VALUES(?, ?, 'm')",
    "INSERT INTO description(rowid, text) VALUES(?, ?)",
    "INSERT INTO attributes(rowid, text) VALUES(?, ?)",
};
static const char *const clear_sql[TEXT_FIELDS] = {
    "INSERT INTO title(title) VALUES('delete-all')",
    "INSERT INTO description(description) VALUES('delete-all')",
    "INSERT INTO attributes(attributes) VALUES('delete-all')",
};
static const char *const match_sql[TEXT_FIELDS] = {
    "SELECT rowid, murphy_bm25(title) FROM title WHERE title MATCH ?",
    "SELECT rowid, murphy_bm25(description) FROM description WHERE description MATCH ?",
    "SELECT rowid, murphy_bm25(attributes) FROM attributes WHERE attributes MATCH ?",
};
static const char marker_sql[] = "SELECT rowid FROM title WHERE title MATCH 'marker:m'";

struct keyword_row {
    uint64_t id;
    bool known;      /* version says what was written last; else no write is remembered */
    bool present;    /* false: a tombstone */
    bool lasting;    /* the tombstone is a document: it is not forgotten */
    bool waiting;    /* in the list of rows whose texts FTS5 has not got yet */
    uint8_t hidden;  /* bits of enum scan_path */
    uint8_t changed; /* bits of enum text_field: differs from what FTS5 has */
    vtime written;
    struct row_meta meta; /* category and locale point into labels */
    char *labels;
    char *text; /* the fields one after the other */
    size_t length[TEXT_FIELDS];
    uint32_t place[TEXT_FIELDS];     /* rowid in the field's index; 0: none */
    uint32_t masked[TEXT_FIELDS];    /* places that hold former texts of it */
    doc_version stood[TEXT_FIELDS];  /* last version of the text that FTS5 has, when it changed */
    doc_version oldest[TEXT_FIELDS]; /* of the masked ones: least last version */
    enum tokeniser tokeniser;        /* of the text */
};

/* One field's index. */
struct field_index {
    sqlite3_stmt *insert, *clear, *match;
    uint32_t *owner; /* row of each place; place 0 is not used */
    size_t owner_capacity;
    uint32_t places; /* the last place given out */
    uint32_t live;   /* places that a row still refers to */
};

struct fake_keyword {
    sqlite3 *db;
    struct fts_words words;
    sqlite3_stmt *find_marked;
    struct field_index fields[TEXT_FIELDS];
    struct store_observer observer;
    int64_t gc_deletes_ns;
    struct row_journal journal;
    struct seller_blocks blocks;

    struct keyword_row *rows;
    size_t row_count, row_capacity;
    struct id_map by_id;
    uint32_t *sorted; /* all rows in id order; the first sorted_count are in place */
    size_t sorted_count, sorted_capacity;
    uint32_t *waiting;
    size_t waiting_count, waiting_capacity;

    double *score; /* of the search going on, per row */
    size_t score_capacity;
    uint32_t *found; /* rows found by it */
    size_t found_capacity;
    bool *marked; /* per row: the inverted index yields it */
    size_t marked_capacity;
    bool marked_current;
    char *query;
    size_t query_capacity;
    char *spaced; /* a text whose pairs stand apart */
    size_t spaced_capacity;
    struct fake_keyword_counts counts;
};

/* ---- life ---- */

static int prepare_field(struct fake_keyword *k, enum text_field f) {
    struct field_index *index = &k->fields[f];
    int rc = sqlite_host_prepare(k->db, insert_sql[f], &index->insert);
    if (rc == SQLITE_OK) {
        rc = sqlite_host_prepare(k->db, clear_sql[f], &index->clear);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite_host_prepare(k->db, match_sql[f], &index->match);
    }
    return rc;
}

static int open_index(struct fake_keyword *k) {
    int rc = sqlite_host_open(&k->db, SQLITE_HOST_MEMORY, 0);
    if (rc == SQLITE_OK) {
        rc = fts_bm25_register(k->db);
    }
    if (rc == SQLITE_OK) {
        rc = fts_words_open(&k->words, k->db);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(k->db, schema, 0, 0, 0);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite_host_prepare(k->db, marker_sql, &k->find_marked);
    }
    for (int f = 0; f < TEXT_FIELDS && rc == SQLITE_OK; f++) {
        rc = prepare_field(k, (enum text_field)f);
    }
    assert(rc == SQLITE_OK || rc == SQLITE_NOMEM);
    return rc;
}

struct fake_keyword *fake_keyword_new(const struct fake_keyword_options *options) {
    struct fake_keyword *k = calloc(1, sizeof(*k));
    if (k == 0) {
        return 0;
    }
    k->observer = options->observer;
    k->gc_deletes_ns = options->gc_deletes_ns;
    row_journal_init(&k->journal, options->journal);
    id_map_init(&k->by_id);
    if (open_index(k) != SQLITE_OK) {
        fake_keyword_free(k);
        return 0;
    }
    return k;
}

void fake_keyword_free(struct fake_keyword *k) {
    if (k == 0) {
        return;
    }
    seller_blocks_release(&k->blocks);
    for (int f = 0; f < TEXT_FIELDS; f++) {
        sqlite3_finalize(k->fields[f].insert);
        sqlite3_finalize(k->fields[f].clear);
        sqlite3_finalize(k->fields[f].match);
        free(k->fields[f].owner);
    }
    sqlite3_finalize(k->find_marked);
    fts_words_close(&k->words);
    sqlite3_close(k->db);
    for (size_t i = 0; i < k->row_count; i++) {
        free(k->rows[i].labels);
        free(k->rows[i].text);
    }
    row_journal_release(&k->journal);
    id_map_release(&k->by_id);
    free(k->rows);
    free(k->sorted);
    free(k->waiting);
    free(k->score);
    free(k->found);
    free(k->marked);
    free(k->query);
    free(k->spaced);
    free(k);
}

/* ---- rows ---- */

static struct keyword_row *find_row(const struct fake_keyword *k, uint64_t id) {
    uint32_t at = id_map_get(&k->by_id, id);
    return at == ID_MAP_NONE ? 0 : &k->rows[at];
}

/* The row of an id, made when there is none; NULL without memory. */
static struct keyword_row *ensure_row(struct fake_keyword *k, uint64_t id) {
    struct keyword_row *row = find_row(k, id);
    if (row != 0) {
        return row;
    }
    if (ARRAY_RESERVE(k->rows, k->row_capacity, k->row_count + 1) != 0 ||
        ARRAY_RESERVE(k->sorted, k->sorted_capacity, k->row_count + 1) != 0 ||
        ARRAY_RESERVE(k->waiting, k->waiting_capacity, k->row_count + 1) != 0 ||
        id_map_put_index(&k->by_id, id, (uint32_t)k->row_count) != 0) {
        return 0;
    }
    k->sorted[k->row_count] = (uint32_t)k->row_count;
    row = &k->rows[k->row_count++];
    *row = (struct keyword_row){.id = id};
    k->marked_current = false;
    return row;
}

static struct row_state state_of(const struct keyword_row *row) {
    struct row_state state = {.present = row->present, .version = DOC_VERSION_NONE};
    if (row->known) {
        state.version = row->meta.version;
    }
    if (row->present) {
        state.source_hash = row->meta.source_hash;
        state.whole_hash = row->meta.whole_hash;
        state.content_hash = row->meta.content_hash;
        state.model_version = row->meta.model_version;
    }
    return state;
}

struct row_state fake_keyword_row(const struct fake_keyword *k, uint64_t listing_id) {
    const struct keyword_row *row = find_row(k, listing_id);
    return row == 0 ? (struct row_state){.version = DOC_VERSION_NONE} : state_of(row);
}

static struct bytes text_of(const struct keyword_row *row, enum text_field field) {
    const char *at = row->text;
    for (enum text_field f = TITLE; f < field; f++) {
        at += row->length[f];
    }
    return (struct bytes){at, row->length[field]};
}

/* Takes over metadata; keeps a copy of its texts. */
static int set_meta(struct keyword_row *row, const struct row_meta *meta) {
    struct row_meta before = row->meta;
    bool same = row->labels != 0 && bytes_equal(before.category, meta->category) &&
                bytes_equal(before.locale, meta->locale);
    if (!same) {
        char *labels = malloc(meta->category.len + meta->locale.len + 1);
        if (labels == 0) {
            return PORT_NO_MEMORY;
        }
        if (meta->category.len > 0) {
            memcpy(labels, meta->category.data, meta->category.len);
        }
        if (meta->locale.len > 0) {
            memcpy(labels + meta->category.len, meta->locale.data, meta->locale.len);
        }
        free(row->labels);
        row->labels = labels;
        before.category = (struct bytes){labels, meta->category.len};
        before.locale = (struct bytes){labels + meta->category.len, meta->locale.len};
    }
    row->meta = *meta;
    row->meta.category = before.category;
    row->meta.locale = before.locale;
    return 0;
}

static void wait_for_index(struct fake_keyword *k, struct keyword_row *row, unsigned changed) {
    for (int f = 0; f < TEXT_FIELDS; f++) {
        if ((changed & ~(unsigned)row->changed & (1u << f)) != 0) {
            row->stood[f] = row->meta.version; /* the write that changes it is not in yet */
        }
    }
    row->changed |= (uint8_t)changed;
    if (row->changed != 0 && !row->waiting) {
        row->waiting = true;
        k->waiting[k->waiting_count++] = (uint32_t)(row - k->rows);
    }
}

/* Keeps the texts of an upsert and marks the fields that differ. */
static int set_text(struct fake_keyword *k, struct keyword_row *row,
                    const struct keyword_write *w) {
    const struct bytes fields[TEXT_FIELDS] = {w->title, w->description, w->attributes};
    unsigned changed = 0;
    size_t total = 0;
    for (int f = 0; f < TEXT_FIELDS; f++) {
        bool same = row->present && row->tokeniser == w->tokeniser &&
                    bytes_equal(text_of(row, (enum text_field)f), fields[f]);
        changed |= same ? 0 : 1u << f;
        total += fields[f].len;
    }
    if (changed == 0) {
        return 0;
    }
    char *text = malloc(total + 1);
    if (text == 0) {
        return PORT_NO_MEMORY;
    }
    char *at = text;
    for (int f = 0; f < TEXT_FIELDS; f++) {
        if (fields[f].len > 0) {
            memcpy(at, fields[f].data, fields[f].len);
        }
        at += fields[f].len;
        row->length[f] = fields[f].len;
    }
    free(row->text);
    row->text = text;
    row->tokeniser = w->tokeniser;
    wait_for_index(k, row, changed);
    return 0;
}

static void drop_text(struct fake_keyword *k, struct keyword_row *row) {
    free(row->text);
    row->text = 0;
    memset(row->length, 0, sizeof(row->length));
    wait_for_index(k, row, (1u << TEXT_FIELDS) - 1);
}

/* ---- writes ---- */

static bool version_allows(const struct keyword_row *row, enum version_rule rule, doc_version v) {
    if (!row->known || rule == VERSION_IGNORED) {
        return true;
    }
    return rule == VERSION_GREATER ? v > row->meta.version : v >= row->meta.version;
}

/* A tombstone that is no document is remembered for a while only. */
static void collect_tombstone(const struct fake_keyword *k, vtime now, struct keyword_row *row) {
    bool tombstone = row->known && !row->present && !row->lasting;
    if (tombstone && k->gc_deletes_ns != 0 && vtime_diff(now, row->written) >= k->gc_deletes_ns) {
        row->known = false;
    }
}

size_t fake_keyword_restart(struct fake_keyword *k) {
    size_t forgotten = 0;
    for (size_t i = 0; i < k->row_count && k->gc_deletes_ns != 0; i++) {
        struct keyword_row *row = &k->rows[i];
        bool stays = row->present || row->lasting;
        forgotten += row->known && !stays;
        row->known = stays;
    }
    return forgotten;
}

static enum item_status judge(const struct keyword_row *row, const struct keyword_write *w) {
    if (!version_allows(row, w->rule, w->meta.version)) {
        return ITEM_CONFLICT;
    }
    if (w->kind == ROW_METADATA &&
        (!row->present || row->meta.content_hash != w->meta.content_hash)) {
        return ITEM_MISSING;
    }
    return ITEM_APPLIED;
}

static int apply(struct fake_keyword *k, struct keyword_row *row, const struct keyword_write *w) {
    if (w->kind == ROW_DELETE || w->kind == ROW_TOMBSTONE) {
        drop_text(k, row);
        row->present = false;
        row->lasting = w->kind == ROW_TOMBSTONE;
        /* An unconditional delete is one of an index without versions: nothing is remembered. */
        row->known = w->rule != VERSION_IGNORED;
        row->meta.version = w->meta.version;
        return 0;
    }
    int rc = w->kind == ROW_UPSERT ? set_text(k, row, w) : 0;
    if (rc == 0) {
        rc = set_meta(row, &w->meta);
    }
    if (rc == 0) {
        row->present = true;
        row->known = true;
    }
    return rc;
}

static int keep_history(struct fake_keyword *k, vtime now, const struct keyword_row *row) {
    struct row_key key = {row->id, 0};
    if (!k->journal.on) {
        return 0;
    }
    if (!row->present) {
        return row_journal_gone(&k->journal, now, key);
    }
    struct cell cells[KEYWORD_CELLS];
    keyword_cells(row->id, &row->meta, text_of(row, TITLE), text_of(row, DESCRIPTION),
                  text_of(row, ATTRIBUTES), cells);
    return row_journal_put(&k->journal, now, key, cells, KEYWORD_CELLS);
}

static int write_item(struct fake_keyword *k, vtime now, const struct keyword_write *w,
                      enum item_status *status) {
    struct keyword_row *row = ensure_row(k, w->listing_id);
    if (row == 0) {
        return PORT_NO_MEMORY;
    }
    collect_tombstone(k, now, row);
    *status = judge(row, w);
    if (*status != ITEM_APPLIED) {
        return 0;
    }
    struct row_change change = {.store = STORE_KEYWORD,
                                .listing_id = w->listing_id,
                                .kind = w->kind,
                                .before = state_of(row)};
    int rc = apply(k, row, w);
    if (rc != 0) {
        return rc;
    }
    row->written = now;
    k->marked_current = false;
    change.after = state_of(row);
    k->counts.rows += (uint64_t)change.after.present - (uint64_t)change.before.present;
    if (keep_history(k, now, row) != 0) {
        return PORT_NO_MEMORY;
    }
    store_observer_tell(&k->observer, now, &change);
    return 0;
}

static int port_write(void *ctx, vtime now, const struct keyword_write *items, size_t count,
                      enum item_status *statuses) {
    for (size_t i = 0; i < count; i++) {
        int rc = write_item(ctx, now, &items[i], &statuses[i]);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int fake_keyword_hide(struct fake_keyword *k, uint64_t listing_id, enum scan_path path,
                      bool hidden) {
    struct keyword_row *row = ensure_row(k, listing_id);
    if (row == 0) {
        return PORT_NO_MEMORY;
    }
    unsigned bit = 1u << path;
    row->hidden = (uint8_t)(hidden ? row->hidden | bit : row->hidden & ~bit);
    return 0;
}

/* ---- the inverted index ---- */

/* A text as FTS5 gets it, which cuts it at spaces: of a locale without spaces, its pairs. The texts
 * share an index, as fields of several analysers would. Empty data: no memory. */
static struct bytes analysed(struct fake_keyword *k, struct bytes text, enum tokeniser tokeniser) {
    size_t room = 2 * text.len + text.len / 3 + 1;
    if (tokeniser != TOKENISER_BIGRAM) {
        return text;
    }
    if (ARRAY_RESERVE(k->spaced, k->spaced_capacity, room) != 0) {
        return (struct bytes){0};
    }
    return (struct bytes){k->spaced, bigrams_spaced(text, k->spaced, room)};
}

/* Puts a field's text at a place of its own and lets go of the place it had. Places only grow:
 * FTS5 writes out what it has gathered whenever a rowid is smaller than the one before. */
static int index_text(struct fake_keyword *k, enum text_field f, uint32_t row_at) {
    struct field_index *index = &k->fields[f];
    struct keyword_row *row = &k->rows[row_at];
    index->live -= row->place[f] != 0;
    if (row->place[f] != 0) {
        bool older = row->masked[f] == 0 || row->stood[f] < row->oldest[f];
        row->oldest[f] = older ? row->stood[f] : row->oldest[f];
        row->masked[f]++;
    }
    row->place[f] = 0;
    bool holds = row->present && (f == TITLE || row->length[f] > 0);
    if (!holds) {
        return 0;
    }
    if (ARRAY_RESERVE(index->owner, index->owner_capacity, (size_t)index->places + 2) != 0) {
        return PORT_NO_MEMORY;
    }
    struct bytes text = analysed(k, text_of(row, f), row->tokeniser);
    struct cell cells[] = {cell_integer(index->places + 1), cell_text(text)};
    if (text.data == NULL || cells_bind(index->insert, 1, cells, 2) != SQLITE_OK ||
        statement_run(index->insert) != 0) {
        return PORT_NO_MEMORY;
    }
    row->place[f] = ++index->places;
    index->owner[row->place[f]] = row_at;
    index->live++;
    k->counts.indexed++;
    return 0;
}

/* Makes the index anew from the texts that are there. */
static int merge_field(struct fake_keyword *k, enum text_field f) {
    struct field_index *index = &k->fields[f];
    if (statement_run(index->clear) != 0) {
        return PORT_NO_MEMORY;
    }
    index->places = 0;
    index->live = 0;
    k->counts.merges++;
    for (size_t i = 0; i < k->row_count; i++) {
        bool indexed = k->rows[i].place[f] != 0;
        k->rows[i].place[f] = 0;
        k->rows[i].masked[f] = 0;
        int rc = indexed ? index_text(k, f, (uint32_t)i) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

#define MASKED_MIN 256

/* Brings FTS5 up to date: what a search sees is what was written. */
static int refresh(struct fake_keyword *k) {
    for (size_t i = 0; i < k->waiting_count; i++) {
        struct keyword_row *row = &k->rows[k->waiting[i]];
        for (int f = 0; f < TEXT_FIELDS; f++) {
            if ((row->changed & (1u << f)) != 0 &&
                index_text(k, (enum text_field)f, k->waiting[i]) != 0) {
                return PORT_NO_MEMORY;
            }
        }
        row->changed = 0;
        row->waiting = false;
    }
    k->waiting_count = 0;
    for (int f = 0; f < TEXT_FIELDS; f++) {
        const struct field_index *index = &k->fields[f];
        uint32_t masked = index->places - index->live;
        if (masked > index->live + MASKED_MIN && merge_field(k, (enum text_field)f) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    return 0;
}

int fake_keyword_merge(struct fake_keyword *k) {
    int rc = refresh(k);
    for (int f = 0; f < TEXT_FIELDS && rc == 0; f++) {
        rc = merge_field(k, (enum text_field)f);
    }
    return rc;
}

/* The row whose present text stands at a place, or NULL for a masked place. */
static struct keyword_row *live_row(const struct fake_keyword *k, enum text_field f,
                                    int64_t place) {
    struct keyword_row *row = &k->rows[k->fields[f].owner[place]];
    return row->place[f] == place ? row : 0;
}

/* ---- search ---- */

/* A query in the making. */
struct query {
    struct bytes text; /* what the user typed */
    char *at;          /* behind what is written of the expression */
    struct span {
        size_t begin, end; /* in the text */
    } terms[KEYWORD_TERMS_MAX];
    size_t count;
    size_t from; /* where the piece begins whose words are told */
};

/* A term that stands at that place is taken once, however often it is come upon. */
static void add_term(struct query *q, size_t begin, size_t end) {
    for (size_t i = 0; i < q->count; i++) {
        if (q->terms[i].begin == begin && q->terms[i].end == end) {
            return;
        }
    }
    if (q->count == KEYWORD_TERMS_MAX) {
        return;
    }
    if (q->count > 0) {
        memcpy(q->at, " OR ", 4);
        q->at += 4;
    }
    q->terms[q->count++] = (struct span){begin, end};
    *q->at++ = '"';
    memcpy(q->at, q->text.data + begin, end - begin);
    q->at += end - begin;
    *q->at++ = '"';
}

static void add_word(void *ctx, size_t begin, size_t end) {
    struct query *q = ctx;
    add_term(q, q->from + begin, q->from + end);
}

/* The words as they stand; then the pairs of letters of languages without spaces, and what stands
 * beside such letters without a space. */
static int add_terms(struct query *q, const struct fts_words *words) {
    int rc = fts_words_each(words, q->text, add_word, q);
    struct bytes piece;
    for (size_t at = 0; rc == SQLITE_OK && bigrams_next(q->text, &at, &piece);) {
        q->from = (size_t)(piece.data - q->text.data);
        rc = fts_words_each(words, piece, add_word, q);
    }
    return rc;
}

/*
 * A user's words as an FTS5 expression over the column `text`: every term quoted, joined by OR.
 * Terms are letters and digits, so nothing in them is syntax. Returns the number of terms, or
 * PORT_NO_MEMORY.
 */
static int make_query(struct fake_keyword *k, struct bytes words, struct bytes *out) {
    static const char open[] = "{text} : (";
    size_t bound = sizeof(open) + 3 * words.len + KEYWORD_TERMS_MAX * sizeof("\"\" OR ") + 2;
    if (ARRAY_RESERVE(k->query, k->query_capacity, bound) != 0) {
        return PORT_NO_MEMORY;
    }
    memcpy(k->query, open, sizeof(open) - 1);
    struct query q = {.text = words, .at = k->query + sizeof(open) - 1};
    if (add_terms(&q, &k->words) != SQLITE_OK) {
        return PORT_NO_MEMORY;
    }
    *q.at++ = ')';
    *out = (struct bytes){k->query, (size_t)(q.at - k->query)};
    return (int)q.count;
}

/* Adds a field's scores to the rows that it finds. */
static int match_field(struct fake_keyword *k, enum text_field f, struct bytes query,
                       size_t *found) {
    sqlite3_stmt *s = k->fields[f].match;
    struct cell cell = cell_text(query);
    if (cells_bind(s, 1, &cell, 1) != SQLITE_OK) {
        return PORT_NO_MEMORY;
    }
    int more = statement_row(s);
    for (; more == 1; more = statement_row(s)) {
        struct keyword_row *row = live_row(k, f, sqlite3_column_int64(s, 0));
        if (row == 0) {
            continue;
        }
        size_t at = (size_t)(row - k->rows);
        if (k->score[at] == 0) {
            k->found[(*found)++] = (uint32_t)at;
        }
        k->score[at] += field_weight[f] * sqlite3_column_double(s, 1);
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

static bool passes(const struct fake_keyword *k, const struct keyword_row *row,
                   const struct row_filter *filter) {
    if ((row->hidden & (1u << SCAN_BY_SEARCH)) != 0) {
        return false;
    }
    if (filter == 0) {
        return true;
    }
    const struct row_meta *m = &row->meta;
    return (filter->category.len == 0 || bytes_equal(filter->category, m->category)) &&
           (filter->locale.len == 0 || bytes_equal(filter->locale, m->locale)) &&
           (filter->seller_id == 0 || filter->seller_id == m->seller_id) &&
           (!filter->servable_only || (m->active && m->policy == POLICY_ACTIVE &&
                                       !seller_blocks_has(&k->blocks, m->seller_id)));
}

static bool better(const struct search_hit *a, const struct search_hit *b) {
    return a->score != b->score ? a->score > b->score : a->listing_id < b->listing_id;
}

/* Puts a hit among the k best so far. */
static void offer(struct search_hit *hits, size_t *count, size_t k, struct search_hit hit) {
    size_t at = *count;
    if (at == k && (k == 0 || !better(&hit, &hits[at - 1]))) {
        return;
    }
    if (at < k) {
        ++*count;
    } else {
        at--;
    }
    for (; at > 0 && better(&hit, &hits[at - 1]); at--) {
        hits[at] = hits[at - 1];
    }
    hits[at] = hit;
}

static int port_search(void *ctx, vtime now, struct bytes words, size_t wanted,
                       const struct row_filter *filter, struct search_hit *hits, size_t *count) {
    struct fake_keyword *k = ctx;
    (void)now;
    *count = 0;
    struct bytes query;
    int terms = make_query(k, words, &query);
    if (terms <= 0) {
        return terms;
    }
    if (refresh(k) != 0 || ARRAY_RESERVE(k->score, k->score_capacity, k->row_count + 1) != 0 ||
        ARRAY_RESERVE(k->found, k->found_capacity, TEXT_FIELDS * k->row_count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    memset(k->score, 0, k->row_count * sizeof(k->score[0]));
    size_t found = 0;
    for (int f = 0; f < TEXT_FIELDS; f++) {
        int rc = match_field(k, (enum text_field)f, query, &found);
        if (rc != 0) {
            return rc;
        }
    }
    for (size_t i = 0; i < found; i++) {
        const struct keyword_row *row = &k->rows[k->found[i]];
        if (passes(k, row, filter)) {
            offer(hits, count, wanted,
                  (struct search_hit){row->id, (float)k->score[k->found[i]], row->meta.version});
        }
    }
    return 0;
}

/* ---- scans ---- */

struct sort_entry {
    uint64_t id;
    uint32_t row;
};

static int sort_compare(const void *left, const void *right) {
    const struct sort_entry *a = left;
    const struct sort_entry *b = right;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* Brings k->sorted into id order. */
static int sort_rows(struct fake_keyword *k) {
    if (k->sorted_count == k->row_count) {
        return 0;
    }
    struct sort_entry *entries = malloc(k->row_count * sizeof(*entries));
    if (entries == 0) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = 0; i < k->row_count; i++) {
        entries[i] = (struct sort_entry){k->rows[i].id, (uint32_t)i};
    }
    qsort(entries, k->row_count, sizeof(*entries), sort_compare);
    for (size_t i = 0; i < k->row_count; i++) {
        k->sorted[i] = entries[i].row;
    }
    free(entries);
    k->sorted_count = k->row_count;
    return 0;
}

/* The first position in k->sorted whose id is not below `first`. */
static size_t lower_bound(const struct fake_keyword *k, uint64_t first) {
    size_t low = 0;
    size_t high = k->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (k->rows[k->sorted[middle]].id < first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct scan_row scan_row_of(const struct keyword_row *row) {
    return (struct scan_row){
        .listing_id = row->id,
        .version = row->meta.version,
        .source_hash = row->meta.source_hash,
        .whole_hash = row->meta.whole_hash,
        .content_hash = row->meta.content_hash,
        .model_version = row->meta.model_version,
        .changed_at = row->written,
        .alive = true,
        .suppressed = row->meta.policy == POLICY_SUPPRESSED || !row->meta.active,
    };
}

/* Asks the inverted index which rows it holds. */
static int mark_searchable(struct fake_keyword *k) {
    if (k->marked_current) {
        return 0;
    }
    if (refresh(k) != 0 || ARRAY_RESERVE(k->marked, k->marked_capacity, k->row_count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    memset(k->marked, 0, k->row_count * sizeof(k->marked[0]));
    int more = statement_row(k->find_marked);
    for (; more == 1; more = statement_row(k->find_marked)) {
        const struct keyword_row *row = live_row(k, TITLE, sqlite3_column_int64(k->find_marked, 0));
        if (row != 0) {
            k->marked[row - k->rows] = true;
        }
    }
    k->marked_current = more == 0;
    return more < 0 ? PORT_NO_MEMORY : 0;
}

/* Whether a path comes upon the row. By id it is looked up once more, by search it must have been
 * marked. */
static bool path_sees(const struct fake_keyword *k, enum scan_path path, uint32_t at) {
    const struct keyword_row *row = &k->rows[at];
    if ((row->hidden & (1u << path)) != 0) {
        return false;
    }
    if (path == SCAN_BY_SEARCH) {
        return k->marked[at];
    }
    return path == SCAN_BY_ID ? find_row(k, row->id)->present : row->present;
}

static int port_scan(void *ctx, vtime now, enum scan_path path, uint64_t first, uint64_t last,
                     struct scan_row *out, size_t max, size_t *count) {
    struct fake_keyword *k = ctx;
    (void)now;
    *count = 0;
    if (sort_rows(k) != 0 || (path == SCAN_BY_SEARCH && mark_searchable(k) != 0)) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = lower_bound(k, first); i < k->row_count && *count < max; i++) {
        const struct keyword_row *row = &k->rows[k->sorted[i]];
        if (row->id > last) {
            break;
        }
        if (path_sees(k, path, k->sorted[i])) {
            out[(*count)++] = scan_row_of(row);
        }
    }
    return 0;
}

static int port_block(void *ctx, vtime now, const struct seller_block *items, size_t count) {
    struct fake_keyword *k = ctx;
    return seller_blocks_set(&k->blocks, now, items, count, &k->observer, STORE_KEYWORD,
                             STORE_KEYWORD);
}

/* Places in the index with a text that the row had last in a version below that one, those included
 * that the next refresh masks. */
static uint64_t masked_texts(const struct keyword_row *row, doc_version version) {
    uint64_t masked = 0;
    for (int f = 0; f < TEXT_FIELDS; f++) {
        bool leaves = (row->changed & (1u << f)) != 0 && row->place[f] != 0;
        masked += row->masked[f] > 0 && row->oldest[f] < version;
        masked += leaves && row->stood[f] < version;
    }
    return masked;
}

uint64_t fake_keyword_held(const struct fake_keyword *k, uint64_t listing_id, doc_version version) {
    uint32_t at = id_map_get(&k->by_id, listing_id);
    if (at == ID_MAP_NONE) {
        return 0;
    }
    bool old = k->rows[at].present && k->rows[at].meta.version < version;
    return old + masked_texts(&k->rows[at], version);
}

static int port_erase(void *ctx, vtime now, const struct erasure_subject *subjects, size_t count,
                      struct erasure_look *looks) {
    struct fake_keyword *k = ctx;
    struct erasure_look *look = &looks[ERASED_IN_KEYWORD];
    uint64_t found = 0;
    look->examined++;
    look->at = now;
    for (size_t i = 0; i < count; i++) {
        found += fake_keyword_held(k, subjects[i].listing_id, subjects[i].version);
        struct keyword_write removal = {.listing_id = subjects[i].listing_id,
                                        .kind = k->gc_deletes_ns != 0 ? ROW_TOMBSTONE : ROW_DELETE,
                                        .rule = VERSION_GREATER,
                                        .meta = {.version = subjects[i].version}};
        enum item_status status;
        if (write_item(k, now, &removal, &status) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    look->found += found;
    return found == 0 ? 0 : fake_keyword_merge(k);
}

struct keyword_port fake_keyword_port(struct fake_keyword *k) {
    static const struct keyword_port_ops ops = {port_write, port_scan, port_search, port_block,
                                                port_erase};
    return (struct keyword_port){&ops, k};
}

/* ---- what is asked from outside the simulation ---- */

struct fake_keyword_counts fake_keyword_counts(const struct fake_keyword *k) {
    struct fake_keyword_counts counts = k->counts;
    for (int f = 0; f < TEXT_FIELDS; f++) {
        counts.masked += k->fields[f].places - k->fields[f].live;
    }
    return counts;
}

const struct row_journal *fake_keyword_journal(const struct fake_keyword *k) {
    return &k->journal;
}

void fake_keyword_check(const struct fake_keyword *k) {
    uint32_t live[TEXT_FIELDS] = {0};
    uint64_t present = 0;
    for (size_t i = 0; i < k->row_count; i++) {
        const struct keyword_row *row = &k->rows[i];
        assert(id_map_get(&k->by_id, row->id) == i);
        assert(!row->present || row->known);
        assert(row->present || row->text == 0);
        present += row->present;
        for (int f = 0; f < TEXT_FIELDS; f++) {
            live[f] += row->place[f] != 0;
            assert(row->place[f] == 0 || k->fields[f].owner[row->place[f]] == i);
        }
    }
    assert(present == k->counts.rows);
    for (int f = 0; f < TEXT_FIELDS; f++) {
        assert(live[f] == k->fields[f].live);
    }
}
