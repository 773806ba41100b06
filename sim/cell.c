#include "sim/cell.h"

#include <assert.h>
#include <stdio.h>

static int cell_bind(sqlite3_stmt *statement, int index, const struct cell *cell) {
    switch (cell->type) {
    case CELL_INTEGER:
        return sqlite3_bind_int64(statement, index, cell->integer);
    case CELL_TEXT:
        return sqlite3_bind_text64(statement, index, cell->text.data, cell->text.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case CELL_BLOB:
        return sqlite3_bind_blob64(statement, index, cell->text.data, cell->text.len,
                                   SQLITE_STATIC);
    case CELL_NULL:
        break;
    }
    return sqlite3_bind_null(statement, index);
}

int cells_bind(sqlite3_stmt *statement, int first, const struct cell *cells, int count) {
    int result = SQLITE_OK;
    for (int i = 0; i < count; i++) {
        int rc = cell_bind(statement, first + i, &cells[i]);
        if (result == SQLITE_OK) {
            result = rc;
        }
    }
    return result;
}

/* Reports what only a wrong statement can cause, and stops. */
static void check_memory_only(sqlite3_stmt *statement, int rc) {
    if (rc != SQLITE_NOMEM) {
        fprintf(stderr, "SQLite: %s in: %s\n", sqlite3_errmsg(sqlite3_db_handle(statement)),
                sqlite3_sql(statement));
    }
    assert(rc == SQLITE_NOMEM);
}

int statement_run(sqlite3_stmt *statement) {
    sqlite3_step(statement);
    int rc = sqlite3_reset(statement);
    if (rc == SQLITE_OK) {
        return 0;
    }
    check_memory_only(statement, rc);
    return -1;
}

int statement_row(sqlite3_stmt *statement) {
    if (sqlite3_step(statement) == SQLITE_ROW) {
        return 1;
    }
    int rc = sqlite3_reset(statement);
    if (rc == SQLITE_OK) {
        return 0;
    }
    check_memory_only(statement, rc);
    return -1;
}

struct bytes statement_bytes(sqlite3_stmt *statement, int column) {
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
        return (struct bytes){0, 0};
    }
    const char *data = sqlite3_column_blob(statement, column);
    size_t len = (size_t)sqlite3_column_bytes(statement, column);
    return (struct bytes){data != 0 ? data : "", len};
}
