/*
 * The vector port over PostgreSQL with pgvector: a table for each collection, with the columns
 * of conformance/postgres_rows.h and the vector, which has an HNSW index.
 *
 * pgvector filters behind the traversal; hnsw.iterative_scan (0.8) goes on until enough rows pass.
 */
#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/postgres_rows.h"
#include "conformance/vectors_subject.h"

enum { SQL_MAX = 2048, NAME_MAX_BYTES = 64, BATCH_MAX = 4096 };

struct subject {
    PGconn *db;
    bool tombstones; /* a DELETE leaves a row that says so */
};

static void table_name(char *name, enum modality modality, uint32_t model_version) {
    snprintf(name, NAME_MAX_BYTES, "listing_%s_v%u", modality_name(modality), model_version);
}

static bool there(struct subject *s, enum modality modality, uint32_t model_version) {
    struct cell cells[] = {cell_integer(modality), cell_integer(model_version)};
    PGresult *result = postgres_ask(
        s->db, "SELECT 1 FROM collection WHERE modality = $1 AND model_version = $2", cells, 2);
    bool found = PQntuples(result) == 1;
    PQclear(result);
    return found;
}

static uint32_t alias(struct subject *s, enum modality modality) {
    struct cell cell = cell_integer(modality);
    PGresult *result =
        postgres_ask(s->db, "SELECT model_version FROM alias WHERE modality = $1", &cell, 1);
    uint32_t target = PQntuples(result) == 1 ? (uint32_t)postgres_integer(result, 0, 0) : 0;
    PQclear(result);
    return target;
}

/* As pgvector receives a vector: dimension, nothing, floats, all in network order. */
static struct bytes wire_vector(const float *vector, size_t dimension, char *buffer) {
    char *at = buffer;
    *at++ = (char)(dimension >> 8);
    *at++ = (char)dimension;
    *at++ = 0;
    *at++ = 0;
    for (size_t i = 0; i < dimension; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        for (int b = 24; b >= 0; b -= 8) {
            *at++ = (char)(bits >> b);
        }
    }
    return (struct bytes){buffer, (size_t)(at - buffer)};
}

static void unwire_vector(struct bytes wire, float *vector) {
    const unsigned char *at = (const unsigned char *)wire.data + 4;
    for (size_t i = 0; i < (wire.len - 4) / 4; i++, at += 4) {
        uint32_t bits =
            (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        memcpy(&vector[i], &bits, sizeof bits);
    }
}

/* ---- Writes ---- */

/* Finite, and of a norm near 1, which is what a cosine needs. */
static bool valid(const float *vector, size_t dimension) {
    float norm = 0;
    for (size_t i = 0; i < dimension; i++) {
        norm += vector[i] * vector[i];
    }
    return norm > 0.98F && norm < 1.02F; /* no NaN is */
}

static enum item_status judge(struct subject *s, const char *table, const struct vector_write *w,
                              size_t dimension) {
    struct postgres_held held = postgres_rows_held(s->db, table, w->listing_id);
    enum item_status status = postgres_rows_judge(&held, w->kind, w->rule, &w->meta);
    bool bad = w->kind == ROW_UPSERT && !valid(w->vector, dimension);
    return status == ITEM_APPLIED && bad ? ITEM_FATAL : status;
}

static void upsert(struct subject *s, const char *table, vtime now, const struct vector_write *w,
                   size_t dimension) {
    char wire[4 + FUSED_DIMENSION * 4];
    struct cell cells[POSTGRES_ROWS_CELLS + 1];
    postgres_rows_cells(w->listing_id, &w->meta, now, cells);
    cells[POSTGRES_ROWS_CELLS] = cell_blob(wire_vector(w->vector, dimension, wire));
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql,
             "INSERT INTO %s VALUES(" POSTGRES_ROWS_PARAMETERS ",$15)"
             " ON CONFLICT(key) DO UPDATE SET " POSTGRES_ROWS_SET ", embedding = $15",
             table);
    postgres_do_as(s->db, sql, cells, POSTGRES_ROWS_CELLS + 1, POSTGRES_ROWS_CELLS);
}

static int port_write(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                      const struct vector_write *items, size_t count, enum item_status *statuses) {
    struct subject *s = ctx;
    if (!there(s, modality, model_version)) {
        return PORT_NOT_FOUND;
    }
    if (count > BATCH_MAX) {
        return PORT_TOO_LARGE;
    }
    char table[NAME_MAX_BYTES];
    table_name(table, modality, model_version);
    size_t dimension = modality_dimension(modality);
    postgres_run(s->db, "BEGIN");
    for (size_t i = 0; i < count; i++) {
        const struct vector_write *w = &items[i];
        statuses[i] = judge(s, table, w, dimension);
        if (statuses[i] != ITEM_APPLIED) {
            continue;
        }
        switch (w->kind) {
        case ROW_UPSERT:
            upsert(s, table, now, w, dimension);
            break;
        case ROW_METADATA:
            postgres_rows_change(s->db, table, w->listing_id, &w->meta, now);
            break;
        case ROW_DELETE:
        case ROW_TOMBSTONE:
            postgres_rows_remove(s->db, table, w->listing_id, w->meta.version,
                                 (s->tombstones || w->kind == ROW_TOMBSTONE) &&
                                     w->rule != VERSION_IGNORED);
            break;
        case ROW_WRITE_KIND_COUNT:
            assert(0 && "no kind of write");
        }
    }
    postgres_run(s->db, "COMMIT");
    return 0;
}

/* ---- Reads ---- */

/* There is one access path to a table: each of them answers the same. */
static int port_scan(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                     enum scan_path path, uint64_t first, uint64_t last, struct scan_row *out,
                     size_t max, size_t *count) {
    (void)now;
    (void)path;
    struct subject *s = ctx;
    *count = 0;
    if (!there(s, modality, model_version)) {
        return PORT_NOT_FOUND;
    }
    char table[NAME_MAX_BYTES];
    table_name(table, modality, model_version);
    *count = postgres_rows_scan(s->db, table, first, last, out, max);
    return 0;
}

static int port_search(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                       const float *query, size_t k, uint32_t ef, bool exact,
                       const struct row_filter *filter, struct search_hit *hits, size_t *count) {
    (void)now;
    struct subject *s = ctx;
    *count = 0;
    uint32_t target = model_version == 0 ? alias(s, modality) : model_version;
    if (target == 0 || !there(s, modality, target)) {
        return PORT_NOT_FOUND;
    }
    char table[NAME_MAX_BYTES];
    table_name(table, modality, target);
    char wire[4 + FUSED_DIMENSION * 4];
    struct cell cells[1 + POSTGRES_ROWS_FILTER_CELLS + 1];
    cells[0] = cell_blob(wire_vector(query, modality_dimension(modality), wire));
    postgres_rows_filter(filter, cells + 1);
    cells[1 + POSTGRES_ROWS_FILTER_CELLS] = cell_integer((int64_t)k);
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql,
             "SET hnsw.ef_search = %u; SET enable_indexscan = %s; SET enable_seqscan = %s",
             ef < k ? (unsigned)k : ef, exact ? "off" : "on", exact ? "on" : "off");
    postgres_run(s->db, sql);
    snprintf(sql, sizeof sql,
             "SELECT key, version, 1 - distance FROM (SELECT key, version, embedding <=> $1"
             " AS distance FROM %s WHERE " POSTGRES_ROWS_FILTER
             " ORDER BY embedding <=> $1%s LIMIT $6) nearest"
             " ORDER BY distance, key",
             table, exact ? ", key" : "");
    PGresult *result = postgres_ask_as(s->db, sql, cells, 6, 0);
    for (int i = 0; i < PQntuples(result); i++) {
        hits[i] = (struct search_hit){postgres_id(postgres_integer(result, i, 0)),
                                      (float)postgres_real(result, i, 2),
                                      (doc_version)postgres_integer(result, i, 1)};
    }
    *count = (size_t)PQntuples(result);
    PQclear(result);
    return 0;
}

static int port_read(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                     const uint64_t *listing_ids, size_t count, float *vectors, bool *found) {
    (void)now;
    struct subject *s = ctx;
    if (!there(s, modality, model_version)) {
        return PORT_NOT_FOUND;
    }
    if (count > BATCH_MAX) {
        return PORT_TOO_LARGE;
    }
    char table[NAME_MAX_BYTES];
    table_name(table, modality, model_version);
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql, "SELECT embedding FROM %s WHERE gone = 0 AND key = $1", table);
    for (size_t i = 0; i < count; i++) {
        struct cell key = cell_integer(postgres_key(listing_ids[i]));
        PGresult *result = postgres_ask(s->db, sql, &key, 1);
        found[i] = PQntuples(result) == 1;
        if (found[i]) {
            unwire_vector(postgres_bytes(result, 0, 0), vectors + i * modality_dimension(modality));
        }
        PQclear(result);
    }
    return 0;
}

/* ---- Collections, aliases, blocks, erasure ---- */

static void create(struct subject *s, enum modality modality, uint32_t model_version) {
    char table[NAME_MAX_BYTES];
    table_name(table, modality, model_version);
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql,
             "CREATE TABLE IF NOT EXISTS %s(" POSTGRES_ROWS_COLUMNS ","
             " embedding vector(%zu));"
             "CREATE INDEX IF NOT EXISTS %s_index ON %s USING hnsw (embedding vector_cosine_ops);"
             "INSERT INTO collection VALUES(%d, %u) ON CONFLICT DO NOTHING",
             table, modality_dimension(modality), table, table, modality, model_version);
    postgres_run(s->db, sql);
}

static enum item_status drop(struct subject *s, enum modality modality, uint32_t model_version) {
    if (!there(s, modality, model_version)) {
        return ITEM_MISSING;
    }
    char table[NAME_MAX_BYTES];
    table_name(table, modality, model_version);
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql,
             "BEGIN; DROP TABLE %s; DELETE FROM collection WHERE modality = %d"
             " AND model_version = %u; DELETE FROM alias WHERE modality = %d"
             " AND model_version = %u; COMMIT",
             table, modality, model_version, modality, model_version);
    postgres_run(s->db, sql);
    return ITEM_APPLIED;
}

static enum item_status switch_all(struct subject *s, uint32_t from, uint32_t to) {
    for (enum modality m = 0; m < MODALITY_COUNT; m++) {
        uint32_t target = alias(s, m);
        if (target != from && target != to) {
            return ITEM_CONFLICT;
        }
    }
    for (enum modality m = 0; m < MODALITY_COUNT; m++) {
        if (!there(s, m, to)) {
            return ITEM_MISSING;
        }
    }
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql,
             "INSERT INTO alias SELECT m, %u FROM generate_series(0, %d) m"
             " ON CONFLICT(modality) DO UPDATE SET model_version = %u",
             to, MODALITY_COUNT - 1, to);
    postgres_run(s->db, sql);
    return ITEM_APPLIED;
}

static void tell_targets(struct subject *s, struct vector_targets *targets) {
    *targets = (struct vector_targets){0};
    for (enum modality m = 0; m < MODALITY_COUNT; m++) {
        targets->aliases[m] = alias(s, m);
    }
    PGresult *result = postgres_ask(s->db,
                                    "SELECT model_version, bit_or(1 << modality::int)"
                                    " FROM collection GROUP BY 1 ORDER BY 1",
                                    NULL, 0);
    for (int i = 0; i < PQntuples(result) && i < VECTOR_MODELS_MAX; i++) {
        targets->models[targets->model_count++] = (struct vector_model){
            (uint32_t)postgres_integer(result, i, 0), (uint8_t)postgres_integer(result, i, 1)};
    }
    PQclear(result);
}

/* Dead rows and their entries in the indexes go. */
static void compact(struct subject *s) {
    postgres_run(s->db, "VACUUM");
}

static int port_admin(void *ctx, vtime now, const struct vector_admin *admin,
                      enum item_status *status, struct vector_targets *targets) {
    (void)now;
    struct subject *s = ctx;
    *status = ITEM_APPLIED;
    switch (admin->kind) {
    case VECTOR_CREATE:
        create(s, admin->modality, admin->model_version);
        break;
    case VECTOR_DROP:
        *status = drop(s, admin->modality, admin->model_version);
        break;
    case VECTOR_SWITCH:
        *status = switch_all(s, admin->from_version, admin->model_version);
        break;
    case VECTOR_TARGETS:
        tell_targets(s, targets);
        break;
    case VECTOR_COMPACT:
        compact(s);
        break;
    case VECTOR_ADMIN_KIND_COUNT:
        assert(0 && "no kind of administration");
    }
    return 0;
}

static int port_block(void *ctx, vtime now, const struct seller_block *items, size_t count) {
    (void)now;
    struct subject *s = ctx;
    return postgres_rows_block(s->db, items, count);
}

static int port_erase(void *ctx, vtime now, uint32_t model_version,
                      const struct erasure_subject *subjects, size_t count,
                      struct erasure_look *looks) {
    struct subject *s = ctx;
    looks[ERASED_IN_VECTORS].at = now;
    PGresult *result = postgres_ask(
        s->db, "SELECT modality, model_version FROM collection ORDER BY 2, 1", NULL, 0);
    for (int i = 0; i < PQntuples(result); i++) {
        uint32_t version = (uint32_t)postgres_integer(result, i, 1);
        if (model_version == 0 || version == model_version) {
            char table[NAME_MAX_BYTES];
            table_name(table, (enum modality)postgres_integer(result, i, 0), version);
            postgres_rows_erase(s->db, table, subjects, count, false, &looks[ERASED_IN_VECTORS]);
        }
    }
    PQclear(result);
    return 0;
}

static const struct vector_port_ops port_ops = {.write = port_write,
                                                .scan = port_scan,
                                                .search = port_search,
                                                .read = port_read,
                                                .admin = port_admin,
                                                .block = port_block,
                                                .erase = port_erase};

static void release(void *ctx) {
    struct subject *s = ctx;
    free(s);
}

static bool open_like(bool plain, struct vectors_subject *out) {
    struct subject *s = calloc(1, sizeof *s);
    if (s == NULL || (s->db = postgres_open("vectors")) == NULL) {
        free(s);
        return false;
    }
    s->tombstones = !plain;
    postgres_run(s->db, "CREATE TABLE collection(modality bigint, model_version bigint,"
                        " PRIMARY KEY(modality, model_version));"
                        "CREATE TABLE alias(modality bigint PRIMARY KEY, model_version bigint)");
    postgres_run(s->db, postgres_rows_blocks);
    postgres_run(s->db, plain ? "SET hnsw.iterative_scan = off"
                              : "SET hnsw.iterative_scan = strict_order");
    *out = (struct vectors_subject){{&port_ops, s}, release, s};
    return true;
}

bool vectors_subject_postgres(struct vectors_subject *out) {
    return open_like(false, out);
}

bool pgvector_subject_postgres(struct vectors_subject *out) {
    return open_like(true, out);
}
