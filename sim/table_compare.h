/*
 * Two tables of the same columns in two databases, held against each other row by row (B4): a merge
 * over both in the order of the key. Nothing is known here of what the columns mean.
 */
#ifndef MURPHY_SIM_TABLE_COMPARE_H
#define MURPHY_SIM_TABLE_COMPARE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* One difference. Texts are good for the call; long ones are cut. */
struct table_difference {
    const char *table;
    const char *key;    /* "listing_id 7, version 12" */
    const char *column; /* NULL: one side has no such row, or has it once more than the other */
    const char *stored, *rebuilt;
};

struct table_comparison {
    const char *table;
    const char *key;           /* columns, separated by ", " */
    const char *ignored;       /* columns that are not compared, likewise; NULL: none */
    const char *where_stored;  /* a condition on the rows that are looked at; NULL: all */
    const char *where_rebuilt; /* likewise */
    /* A stored row that the other side has not may be in order: then true. NULL: never. The columns
     * of the statement are those of the table, without the ignored ones. */
    bool (*excused)(const void *ctx, sqlite3_stmt *stored);
    int (*different)(void *ctx, const struct table_difference *difference);
    void *ctx;
};

struct table_counts {
    uint64_t stored, rebuilt; /* rows looked at */
    uint64_t equal;
    uint64_t different;      /* there on both sides and not equal */
    uint64_t missing, extra; /* stored rows that are missing, and that should not be there */
    uint64_t excused;
};

/* Adds to the counts. 0, what `different` answered, or -1 after an error of SQLite, which the
 * database that had it tells; -2 without memory. */
int tables_compare(sqlite3 *stored, sqlite3 *rebuilt, const struct table_comparison *c,
                   struct table_counts *counts);

#endif
