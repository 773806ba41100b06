/*
 * Rows of listings in tables of PostgreSQL, as the serving stores keep them: metadata in columns
 * that filters read, a version that guards each write, and a tombstone as a row that says so, since
 * a DELETE leaves nothing that a stale write could be held against. Beside the columns here a table
 * has one of its own, which comes last: what is searched.
 */
#ifndef MURPHY_CONFORMANCE_POSTGRES_ROWS_H
#define MURPHY_CONFORMANCE_POSTGRES_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conformance/postgres.h"
#include "pipeline/ports.h"

/* Parameters $1 to $14 are the columns in this order, as postgres_rows_cells gives them. */
#define POSTGRES_ROWS_COLUMNS                                                                      \
    "key bigint PRIMARY KEY, version bigint NOT NULL, gone bigint NOT NULL, written bigint,"       \
    " source_hash bigint, whole_hash bigint, content_hash bigint, model_version bigint,"           \
    " seller_id bigint, price bigint, category bytea, locale bytea, servable bigint,"              \
    " modalities bigint"
#define POSTGRES_ROWS_PARAMETERS "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14"
#define POSTGRES_ROWS_SET                                                                          \
    "version = $2, gone = $3, written = $4, source_hash = $5, whole_hash = $6, content_hash = $7," \
    " model_version = $8, seller_id = $9, price = $10, category = $11, locale = $12,"              \
    " servable = $13, modalities = $14"
enum { POSTGRES_ROWS_CELLS = 14 };

/* The rows that pass a filter: parameters $2 to $5, as postgres_rows_filter gives them. */
#define POSTGRES_ROWS_FILTER                                                                       \
    "gone = 0 AND ($2 = ''::bytea OR category = $2) AND ($3 = ''::bytea OR locale = $3)"           \
    " AND ($4 = 0 OR seller_id = $4) AND ($5 = 0 OR (servable = 1 AND seller_id NOT IN"            \
    " (SELECT seller_id FROM block WHERE status <> 1)))"
enum { POSTGRES_ROWS_FILTER_CELLS = 4 };

/* Where blocks of sellers stand; one for all tables of a schema. */
extern const char postgres_rows_blocks[];
int postgres_rows_block(PGconn *db, const struct seller_block *items, size_t count);

void postgres_rows_cells(uint64_t listing_id, const struct row_meta *meta, vtime now,
                         struct cell cells[POSTGRES_ROWS_CELLS]);
/* filter may be NULL. */
void postgres_rows_filter(const struct row_filter *filter,
                          struct cell cells[POSTGRES_ROWS_FILTER_CELLS]);

/* What a table holds of a listing, locked until the end of the transaction. */
struct postgres_held {
    bool known; /* a row or a tombstone */
    bool present;
    doc_version version;
    uint64_t content_hash;
};
struct postgres_held postgres_rows_held(PGconn *db, const char *table, uint64_t listing_id);

/* APPLIED, CONFLICT or MISSING: whether a write may take the place of what is held. */
enum item_status postgres_rows_judge(const struct postgres_held *held, enum row_write_kind kind,
                                     enum version_rule rule, const struct row_meta *meta);

void postgres_rows_change(PGconn *db, const char *table, uint64_t listing_id,
                          const struct row_meta *meta, vtime now);
/* Without a tombstone nothing is remembered. */
void postgres_rows_remove(PGconn *db, const char *table, uint64_t listing_id, doc_version version,
                          bool tombstone);

/* Returns how many rows were filled in. */
size_t postgres_rows_scan(PGconn *db, const char *table, uint64_t first, uint64_t last,
                          struct scan_row *out, size_t max);

/* Removes rows below the subjects' versions and what is dead of them: a vacuum takes it. Leaves
 * tombstones at those versions, of rows that were not there too if so asked. */
void postgres_rows_erase(PGconn *db, const char *table, const struct erasure_subject *subjects,
                         size_t count, bool absent_too, struct erasure_look *look);

#endif
