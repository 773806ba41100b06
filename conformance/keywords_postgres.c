/*
 * The keyword port over PostgreSQL's full text search: the columns of conformance/postgres_rows.h
 * and a tsvector, whose weights tell titles, attributes and descriptions apart.
 *
 * Texts are cut here and not by the server's parser, which takes e-mail addresses, paths and
 * hyphenated words for tokens of their own: lower case, without diacritics, cut at whatever is
 * neither letter nor digit, and in pairs where the locale asks for it. Ranking is ts_rank, which
 * knows nothing of how rare a word is.
 */
#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/keywords_subject.h"
#include "conformance/postgres_rows.h"
#include "pipeline/array.h"
#include "sim/text_bigrams.h"

#define TABLE "document"

/* The result of convert_from would take the collation C from the name of its encoding, and that
 * knows letters of ASCII alone. */
static const char schema[] =
    "CREATE FUNCTION decoded(x bytea) RETURNS text IMMUTABLE LANGUAGE sql AS $$"
    " SELECT convert_from(x, 'UTF8') COLLATE \"default\" $$;"
    "CREATE FUNCTION plain(x bytea) RETURNS text IMMUTABLE LANGUAGE sql AS $$"
    " SELECT regexp_replace(normalize(regexp_replace(normalize(lower(decoded(x)), NFD),"
    " '[\\u0300-\\u036F]', '', 'g'), NFC), '[^[:alnum:]]+', ' ', 'g') $$;"
    "CREATE FUNCTION cut(x bytea) RETURNS tsvector IMMUTABLE LANGUAGE sql AS $$"
    " SELECT to_tsvector('simple', plain(x)) $$;"
    "CREATE FUNCTION any_of(x bytea) RETURNS tsquery IMMUTABLE LANGUAGE sql AS $$"
    " SELECT coalesce(string_agg(quote_literal(lexeme), ' | '), '')::tsquery FROM unnest(cut(x))"
    " $$;"
    "CREATE TABLE " TABLE "(" POSTGRES_ROWS_COLUMNS ", terms tsvector);"
    "CREATE INDEX ON " TABLE " USING gin(terms)";

enum { TITLE, DESCRIPTION, ATTRIBUTES, TEXT_FIELDS };

struct subject {
    PGconn *db;
    char *spaced[TEXT_FIELDS]; /* texts whose pairs stand apart */
    size_t capacity[TEXT_FIELDS];
};

static struct bytes spaced(struct subject *s, int field, struct bytes text) {
    size_t room = 2 * text.len + text.len / 3 + 1;
    int rc = ARRAY_RESERVE(s->spaced[field], s->capacity[field], room);
    assert(rc == 0);
    (void)rc;
    return (struct bytes){s->spaced[field], bigrams_spaced(text, s->spaced[field], room)};
}

static void upsert(struct subject *s, vtime now, const struct keyword_write *w) {
    const struct bytes fields[TEXT_FIELDS] = {w->title, w->description, w->attributes};
    struct cell cells[POSTGRES_ROWS_CELLS + TEXT_FIELDS];
    postgres_rows_cells(w->listing_id, &w->meta, now, cells);
    for (int f = 0; f < TEXT_FIELDS; f++) {
        struct bytes text = fields[f].len > 0 ? fields[f] : bytes_of("");
        bool pairs = w->tokeniser == TOKENISER_BIGRAM;
        cells[POSTGRES_ROWS_CELLS + f] = cell_blob(pairs ? spaced(s, f, text) : text);
    }
    postgres_do(s->db,
                "INSERT INTO " TABLE " VALUES(" POSTGRES_ROWS_PARAMETERS ","
                " setweight(cut($15), 'A') || setweight(cut($16), 'C') || setweight(cut($17), 'B'))"
                " ON CONFLICT(key) DO UPDATE SET " POSTGRES_ROWS_SET ", terms = excluded.terms",
                cells, POSTGRES_ROWS_CELLS + TEXT_FIELDS);
}

static void carry_out(struct subject *s, vtime now, const struct keyword_write *w) {
    switch (w->kind) {
    case ROW_UPSERT:
        upsert(s, now, w);
        break;
    case ROW_METADATA:
        postgres_rows_change(s->db, TABLE, w->listing_id, &w->meta, now);
        break;
    case ROW_DELETE:
    case ROW_TOMBSTONE:
        postgres_rows_remove(s->db, TABLE, w->listing_id, w->meta.version,
                             w->rule != VERSION_IGNORED);
        break;
    case ROW_WRITE_KIND_COUNT:
        assert(0 && "no kind of write");
    }
}

static int port_write(void *ctx, vtime now, const struct keyword_write *items, size_t count,
                      enum item_status *statuses) {
    struct subject *s = ctx;
    postgres_run(s->db, "BEGIN");
    for (size_t i = 0; i < count; i++) {
        struct postgres_held held = postgres_rows_held(s->db, TABLE, items[i].listing_id);
        statuses[i] = postgres_rows_judge(&held, items[i].kind, items[i].rule, &items[i].meta);
        if (statuses[i] == ITEM_APPLIED) {
            carry_out(s, now, &items[i]);
        }
    }
    postgres_run(s->db, "COMMIT");
    return 0;
}

/* There is one access path to a table: each of them answers the same. */
static int port_scan(void *ctx, vtime now, enum scan_path path, uint64_t first, uint64_t last,
                     struct scan_row *out, size_t max, size_t *count) {
    struct subject *s = ctx;
    (void)now;
    (void)path;
    *count = postgres_rows_scan(s->db, TABLE, first, last, out, max);
    return 0;
}

/* The query as it stands and in pairs, as one over fields of both kinds would be cut. */
static struct bytes both_ways(struct subject *s, struct bytes query) {
    size_t room = 3 * query.len + query.len / 3 + 2;
    int rc = ARRAY_RESERVE(s->spaced[0], s->capacity[0], room);
    assert(rc == 0);
    (void)rc;
    if (query.len > 0) {
        memcpy(s->spaced[0], query.data, query.len);
    }
    s->spaced[0][query.len] = ' ';
    size_t pairs = bigrams_spaced(query, s->spaced[0] + query.len + 1, room - query.len - 1);
    return (struct bytes){s->spaced[0], query.len + 1 + pairs};
}

static int port_search(void *ctx, vtime now, struct bytes query, size_t k,
                       const struct row_filter *filter, struct search_hit *hits, size_t *count) {
    struct subject *s = ctx;
    (void)now;
    struct cell cells[1 + POSTGRES_ROWS_FILTER_CELLS + 1];
    cells[0] = cell_blob(both_ways(s, query));
    postgres_rows_filter(filter, cells + 1);
    cells[1 + POSTGRES_ROWS_FILTER_CELLS] = cell_integer((int64_t)k);
    PGresult *result = postgres_ask(
        s->db,
        "SELECT key, version, ts_rank('{0, 0.25, 0.375, 1}', terms, asked)::float8"
        " FROM " TABLE ", any_of($1) asked WHERE terms @@ asked AND " POSTGRES_ROWS_FILTER
        " ORDER BY 3 DESC, key LIMIT $6",
        cells, 2 + POSTGRES_ROWS_FILTER_CELLS);
    for (int i = 0; i < PQntuples(result); i++) {
        hits[i] = (struct search_hit){postgres_id(postgres_integer(result, i, 0)),
                                      (float)postgres_real(result, i, 2),
                                      (doc_version)postgres_integer(result, i, 1)};
    }
    *count = (size_t)PQntuples(result);
    PQclear(result);
    return 0;
}

static int port_block(void *ctx, vtime now, const struct seller_block *items, size_t count) {
    struct subject *s = ctx;
    (void)now;
    return postgres_rows_block(s->db, items, count);
}

static int port_erase(void *ctx, vtime now, const struct erasure_subject *subjects, size_t count,
                      struct erasure_look *looks) {
    struct subject *s = ctx;
    looks[ERASED_IN_KEYWORD].at = now;
    postgres_rows_erase(s->db, TABLE, subjects, count, true, &looks[ERASED_IN_KEYWORD]);
    return 0;
}

static const struct keyword_port_ops port_ops = {port_write, port_scan, port_search, port_block,
                                                 port_erase};

static void release(void *ctx) {
    struct subject *s = ctx;
    for (int f = 0; f < TEXT_FIELDS; f++) {
        free(s->spaced[f]);
    }
    free(s);
}

bool keywords_subject_postgres(struct keywords_subject *out) {
    struct subject *s = calloc(1, sizeof *s);
    if (s == NULL || (s->db = postgres_open("keywords")) == NULL) {
        free(s);
        return false;
    }
    postgres_run(s->db, schema);
    postgres_run(s->db, postgres_rows_blocks);
    *out = (struct keywords_subject){{&port_ops, s}, release, s};
    return true;
}
