/*
 * A value of one column: what a fake binds to a statement and what its journal keeps, so that both
 * are told the same row. The text is borrowed.
 */
#ifndef MURPHY_SIM_CELL_H
#define MURPHY_SIM_CELL_H

#include <sqlite3.h>
#include <stdint.h>

#include "pipeline/bytes.h"

enum cell_type { CELL_NULL, CELL_INTEGER, CELL_TEXT, CELL_BLOB };

struct cell {
    enum cell_type type;
    int64_t integer;
    struct bytes text; /* CELL_TEXT, CELL_BLOB */
};

static inline struct cell cell_null(void) {
    return (struct cell){CELL_NULL, 0, {0, 0}};
}

static inline struct cell cell_integer(int64_t value) {
    return (struct cell){CELL_INTEGER, value, {0, 0}};
}

/* A 64-bit pattern: ids and hashes. */
static inline struct cell cell_pattern(uint64_t value) {
    return (struct cell){CELL_INTEGER, (int64_t)value, {0, 0}};
}

/* NULL when text.data is NULL. */
static inline struct cell cell_text(struct bytes text) {
    return text.data == 0 ? cell_null() : (struct cell){CELL_TEXT, 0, text};
}

static inline struct cell cell_blob(struct bytes blob) {
    return blob.data == 0 ? cell_null() : (struct cell){CELL_BLOB, 0, blob};
}

/* Binds cells to the parameters from `first` (1 is the first); they are good until the next step
 * of the statement is over. Returns the first error. */
int cells_bind(sqlite3_stmt *statement, int first, const struct cell *cells, int count);

/* Steps a statement that returns no row and resets it: 0, or -1 when memory ran out. Any other
 * failure is a programmer's error. */
int statement_run(sqlite3_stmt *statement);

/* Steps to the next row: 1; 0 at the end, -1 out of memory; the statement is then reset. */
int statement_row(sqlite3_stmt *statement);

/* A text or blob column; data is NULL for a NULL column only. Good until the next step. */
struct bytes statement_bytes(sqlite3_stmt *statement, int column);

#endif
