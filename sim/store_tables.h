/*
 * The stores of a run that is not over, as tables for SQL: what the quality rules of contracts are
 * asked of (B2). They have the names, and of the columns the most telling, that `murphy query`
 * shows of a finished run, so that a rule can be tried there:
 *
 *   oltp_listing outbox bronze_event silver_listing silver_order gold_document gold_sales
 *   dashboard_sales vector_row keyword_row embedding_audit artifact dead_letter
 *
 * They show what is there when a table is first asked for anything: stores that change afterwards
 * need new tables. SQLite sees them as virtual tables over arrays; a column compared with = to a
 * constant is compared here, without SQLite's help.
 *
 * A query must return one row of one number and change nothing.
 */
#ifndef MURPHY_SIM_STORE_TABLES_H
#define MURPHY_SIM_STORE_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "sim/simulation.h"

struct store_tables;

/* Without a simulation the tables are there and hold nothing. NULL when out of memory. The
 * simulation outlives them. */
struct store_tables *store_tables_new(struct simulation *s);
void store_tables_free(struct store_tables *t);

/* Could that be asked? 0, or -1 with a sentence in `error`. */
int store_tables_check(struct store_tables *t, const char *sql, char *error, size_t error_size);

/* Asks it: 1 with the number, 0 when the answer is NULL or there is none, or -1 with a sentence. */
int store_tables_ask(struct store_tables *t, const char *sql, double *number, char *error,
                     size_t error_size);

/* What is counted so often that SQLite is spared it: the same numbers, in a tenth of the time. */
enum store_count {
    STORE_COUNT_NONE,
    STORE_COUNT_ROWS,
    STORE_COUNT_NULLS,      /* rows in which one of the columns is NULL */
    STORE_COUNT_DUPLICATES, /* rows beyond the first of each combination of the columns */
};
/* The count, or -1 when memory ran out. Table and columns are there. */
int64_t store_tables_count(struct store_tables *t, enum store_count what, const char *table,
                           const char *const *columns, size_t column_count);

/* The i-th column of a table, NULL behind the last, or when there is no such table. */
const char *store_tables_column(const char *table, size_t i);

#endif
