#include "conformance/postgres_rows.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

enum { SQL_MAX = 1024 };

const char postgres_rows_blocks[] =
    "CREATE TABLE block(seller_id bigint PRIMARY KEY, status bigint, ts bigint, hi bigint,"
    " lo bigint)";

static struct bytes not_null(struct bytes text) {
    return text.len > 0 ? text : bytes_of("");
}

void postgres_rows_cells(uint64_t listing_id, const struct row_meta *meta, vtime now,
                         struct cell cells[POSTGRES_ROWS_CELLS]) {
    const struct cell all[POSTGRES_ROWS_CELLS] = {
        cell_integer(postgres_key(listing_id)),
        cell_integer((int64_t)meta->version),
        cell_integer(0),
        cell_integer(now.ns),
        cell_pattern(meta->source_hash),
        cell_pattern(meta->whole_hash),
        cell_pattern(meta->content_hash),
        cell_integer(meta->model_version),
        cell_pattern(meta->seller_id),
        cell_integer(meta->price),
        cell_blob(not_null(meta->category)),
        cell_blob(not_null(meta->locale)),
        cell_integer(meta->policy == POLICY_ACTIVE && meta->active),
        cell_integer(meta->modalities),
    };
    memcpy(cells, all, sizeof all);
}

void postgres_rows_filter(const struct row_filter *filter,
                          struct cell cells[POSTGRES_ROWS_FILTER_CELLS]) {
    static const struct row_filter everything;
    const struct row_filter *f = filter != NULL ? filter : &everything;
    cells[0] = cell_blob(not_null(f->category));
    cells[1] = cell_blob(not_null(f->locale));
    cells[2] = cell_pattern(f->seller_id);
    cells[3] = cell_integer(f->servable_only);
}

int postgres_rows_block(PGconn *db, const struct seller_block *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        /* Event ids are unsigned: compared as the integers that stand in their order. */
        struct cell cells[] = {
            cell_pattern(items[i].seller_id), cell_integer(items[i].status == POLICY_ACTIVE),
            cell_integer(items[i].stamp.ts.ns), cell_integer(postgres_key(items[i].stamp.id.hi)),
            cell_integer(postgres_key(items[i].stamp.id.lo))};
        postgres_do(db,
                    "INSERT INTO block VALUES($1,$2,$3,$4,$5) ON CONFLICT(seller_id) DO UPDATE"
                    " SET status = $2, ts = $3, hi = $4, lo = $5"
                    " WHERE (block.ts, block.hi, block.lo) < ($3, $4, $5)",
                    cells, 5);
    }
    return 0;
}

/* ---- Writes ---- */

struct postgres_held postgres_rows_held(PGconn *db, const char *table, uint64_t listing_id) {
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql,
             "SELECT version, gone, content_hash FROM %s WHERE key = $1 FOR UPDATE", table);
    struct cell key = cell_integer(postgres_key(listing_id));
    PGresult *result = postgres_ask(db, sql, &key, 1);
    struct postgres_held held = {false, false, 0, 0};
    if (PQntuples(result) == 1) {
        held = (struct postgres_held){true, postgres_integer(result, 0, 1) == 0,
                                      (doc_version)postgres_integer(result, 0, 0),
                                      (uint64_t)postgres_integer(result, 0, 2)};
    }
    PQclear(result);
    return held;
}

enum item_status postgres_rows_judge(const struct postgres_held *held, enum row_write_kind kind,
                                     enum version_rule rule, const struct row_meta *meta) {
    bool over = !held->known || rule == VERSION_IGNORED || meta->version > held->version ||
                (rule == VERSION_GREATER_OR_EQUAL && meta->version == held->version);
    if (!over) {
        return ITEM_CONFLICT;
    }
    bool changeable = held->present && held->content_hash == meta->content_hash;
    return kind == ROW_METADATA && !changeable ? ITEM_MISSING : ITEM_APPLIED;
}

void postgres_rows_change(PGconn *db, const char *table, uint64_t listing_id,
                          const struct row_meta *meta, vtime now) {
    struct cell cells[POSTGRES_ROWS_CELLS];
    postgres_rows_cells(listing_id, meta, now, cells);
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql, "UPDATE %s SET " POSTGRES_ROWS_SET " WHERE key = $1", table);
    postgres_do(db, sql, cells, POSTGRES_ROWS_CELLS);
}

void postgres_rows_remove(PGconn *db, const char *table, uint64_t listing_id, doc_version version,
                          bool tombstone) {
    struct cell cells[] = {cell_integer(postgres_key(listing_id)), cell_integer((int64_t)version)};
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE key = $1", table);
    postgres_do(db, sql, cells, 1);
    if (tombstone) {
        snprintf(sql, sizeof sql, "INSERT INTO %s(key, version, gone) VALUES($1, $2, 1)", table);
        postgres_do(db, sql, cells, 2);
    }
}

/* ---- Reads and erasure ---- */

size_t postgres_rows_scan(PGconn *db, const char *table, uint64_t first, uint64_t last,
                          struct scan_row *out, size_t max) {
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql,
             "SELECT key, version, source_hash, whole_hash, content_hash, model_version, written,"
             " servable FROM %s WHERE gone = 0 AND key BETWEEN $1 AND $2 ORDER BY key LIMIT $3",
             table);
    struct cell cells[] = {cell_integer(postgres_key(first)), cell_integer(postgres_key(last)),
                           cell_integer((int64_t)max)};
    PGresult *result = postgres_ask(db, sql, cells, 3);
    for (int i = 0; i < PQntuples(result); i++) {
        out[i] = (struct scan_row){
            .listing_id = postgres_id(postgres_integer(result, i, 0)),
            .version = (doc_version)postgres_integer(result, i, 1),
            .source_hash = (uint64_t)postgres_integer(result, i, 2),
            .whole_hash = (uint64_t)postgres_integer(result, i, 3),
            .content_hash = (uint64_t)postgres_integer(result, i, 4),
            .model_version = (uint32_t)postgres_integer(result, i, 5),
            .changed_at = {postgres_integer(result, i, 6)},
            .alive = true,
            .suppressed = postgres_integer(result, i, 7) == 0,
        };
    }
    size_t count = (size_t)PQntuples(result);
    PQclear(result);
    return count;
}

void postgres_rows_erase(PGconn *db, const char *table, const struct erasure_subject *subjects,
                         size_t count, bool absent_too, struct erasure_look *look) {
    look->examined++;
    bool dead = false;
    for (size_t i = 0; i < count; i++) {
        struct postgres_held held = postgres_rows_held(db, table, subjects[i].listing_id);
        bool old = held.present && held.version < subjects[i].version;
        look->found += old;
        dead |= old;
        if (old || (absent_too && (!held.known || held.version < subjects[i].version))) {
            postgres_rows_remove(db, table, subjects[i].listing_id, subjects[i].version, true);
        }
    }
    if (dead) {
        char sql[SQL_MAX];
        snprintf(sql, sizeof sql, "VACUUM %s", table);
        postgres_run(db, sql);
    }
}
