#include "sim/table_compare.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/sqlite_host.h"

enum { COLUMNS_MAX = 32, SHOWN_MAX = 160, SQL_MAX = 4096 };

struct side {
    sqlite3_stmt *rows;
    bool there; /* the statement stands on a row */
};

struct walk {
    const struct table_comparison *c;
    struct table_counts *counts;
    struct side stored, rebuilt;
    int columns, keys; /* the key's come first */
    char names[COLUMNS_MAX][64];
};

/* ---- Columns ---- */

/* Whether the list "a, b" names the column. */
static bool lists(const char *list, const char *column) {
    size_t length = strlen(column);
    for (const char *at = list; at != NULL && *at != '\0';) {
        const char *end = strchr(at, ',');
        size_t named = end == NULL ? strlen(at) : (size_t)(end - at);
        if (named == length && memcmp(at, column, length) == 0) {
            return true;
        }
        at = end == NULL ? NULL : end + 1 + strspn(end + 1, " ");
    }
    return false;
}

static void add_name(struct walk *w, const char *name, size_t length) {
    assert(w->columns < COLUMNS_MAX && length < sizeof w->names[0]);
    memcpy(w->names[w->columns], name, length);
    w->names[w->columns++][length] = '\0';
}

static void key_columns(struct walk *w) {
    for (const char *at = w->c->key; *at != '\0';) {
        size_t length = strcspn(at, ",");
        add_name(w, at, length);
        at += length;
        at += strspn(at, ", ");
    }
    w->keys = w->columns;
}

/* The columns of the rebuilt table are those that are compared: 0, or -1. */
static int find_columns(struct walk *w, sqlite3 *rebuilt) {
    char sql[160];
    sqlite3_stmt *s = NULL;
    key_columns(w);
    snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" LIMIT 0", w->c->table);
    if (sqlite_host_prepare(rebuilt, sql, &s) != SQLITE_OK) {
        return -1;
    }
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        const char *name = sqlite3_column_name(s, i);
        if (strncmp(name, "recorded_", 9) != 0 && !lists(w->c->key, name) &&
            !lists(w->c->ignored, name)) {
            add_name(w, name, strlen(name));
        }
    }
    sqlite3_finalize(s);
    return 0;
}

/* ---- Rows ---- */

/* Names are qualified: SQLite takes a quoted one that it does not know for a text. */
static int side_open(struct walk *w, struct side *side, sqlite3 *db, const char *where) {
    char sql[SQL_MAX];
    size_t used = 0;
    for (int i = 0; i < w->columns; i++) {
        used += (size_t)snprintf(sql + used, sizeof sql - used, "%st.\"%s\"",
                                 i == 0 ? "SELECT " : ", ", w->names[i]);
    }
    used += (size_t)snprintf(sql + used, sizeof sql - used, " FROM \"%s\" t WHERE %s ORDER BY ",
                             w->c->table, where == NULL ? "1" : where);
    for (int i = 0; i < w->columns; i++) {
        used += (size_t)snprintf(sql + used, sizeof sql - used, "%s%d", i == 0 ? "" : ", ", i + 1);
    }
    assert(used < sizeof sql);
    return sqlite_host_prepare(db, sql, &side->rows) == SQLITE_OK ? 0 : -1;
}

/* To the next row: 0, or -1. */
static int side_next(struct side *side, uint64_t *count) {
    int rc = sqlite3_step(side->rows);
    side->there = rc == SQLITE_ROW;
    *count += side->there;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : rc == SQLITE_NOMEM ? -2 : -1;
}

/* Where SQLite's order puts values of a type. */
static int rank_of(int type) {
    return type == SQLITE_NULL ? 0 : type == SQLITE_TEXT ? 2 : type == SQLITE_BLOB ? 3 : 1;
}

static int bytes_order(sqlite3_stmt *a, sqlite3_stmt *b, int column) {
    const void *left = sqlite3_column_blob(a, column);
    const void *right = sqlite3_column_blob(b, column);
    int left_length = sqlite3_column_bytes(a, column);
    int right_length = sqlite3_column_bytes(b, column);
    int common = left_length < right_length ? left_length : right_length;
    int order = common == 0 ? 0 : memcmp(left, right, (size_t)common);
    return order != 0 ? order : (left_length > right_length) - (left_length < right_length);
}

static int value_order(sqlite3_stmt *a, sqlite3_stmt *b, int column) {
    int left = sqlite3_column_type(a, column), right = sqlite3_column_type(b, column);
    if (rank_of(left) != rank_of(right)) {
        return rank_of(left) - rank_of(right);
    }
    if (rank_of(left) >= 2) {
        return bytes_order(a, b, column);
    }
    if (left == SQLITE_INTEGER && right == SQLITE_INTEGER) {
        int64_t x = sqlite3_column_int64(a, column), y = sqlite3_column_int64(b, column);
        return (x > y) - (x < y);
    }
    double x = sqlite3_column_double(a, column), y = sqlite3_column_double(b, column);
    int order = (x > y) - (x < y);
    return order != 0 ? order : left - right;
}

static int key_order(const struct walk *w) {
    int order = 0;
    for (int i = 0; i < w->keys && order == 0; i++) {
        order = value_order(w->stored.rows, w->rebuilt.rows, i);
    }
    return order;
}

/* ---- Differences ---- */

static void show(sqlite3_stmt *s, int column, char out[SHOWN_MAX + 8]) {
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_NULL:
        snprintf(out, SHOWN_MAX, "NULL");
        return;
    case SQLITE_INTEGER:
        snprintf(out, SHOWN_MAX, "%" PRId64, (int64_t)sqlite3_column_int64(s, column));
        return;
    case SQLITE_BLOB: {
        const unsigned char *blob = sqlite3_column_blob(s, column);
        int length = sqlite3_column_bytes(s, column), used = snprintf(out, SHOWN_MAX, "x'");
        for (int i = 0; i < length && used + 4 < SHOWN_MAX; i++) {
            used += snprintf(out + used, 3, "%02x", blob[i]);
        }
        snprintf(out + used, 2, "'");
        return;
    }
    default: {
        const char *text = (const char *)sqlite3_column_text(s, column);
        size_t length = strlen(text == NULL ? "" : text);
        size_t kept = length < SHOWN_MAX ? length : SHOWN_MAX - 1;
        while (kept < length && kept > 0 && ((unsigned char)text[kept] & 0xc0) == 0x80) {
            kept--; /* no letter is cut in two */
        }
        snprintf(out, SHOWN_MAX + 8, "%.*s%s", (int)kept, text == NULL ? "" : text,
                 kept < length ? "..." : "");
    }
    }
}

static void show_key(const struct walk *w, sqlite3_stmt *s, char *out, size_t size) {
    size_t used = 0;
    for (int i = 0; i < w->keys && used < size; i++) {
        char value[SHOWN_MAX + 8];
        show(s, i, value);
        used += (size_t)snprintf(out + used, size - used, "%s%s %s", i == 0 ? "" : ", ",
                                 w->names[i], value);
    }
}

static int one_side(const struct walk *w, sqlite3_stmt *s, bool stored) {
    char key[512];
    show_key(w, s, key, sizeof key);
    struct table_difference difference = {w->c->table, key, NULL, stored ? "a row" : "no row",
                                          stored ? "no row" : "a row"};
    return w->c->different(w->c->ctx, &difference);
}

/* Both sides have the row: tells of every column that differs. */
static int both_sides(const struct walk *w, bool *equal) {
    int answer = 0;
    *equal = true;
    for (int i = w->keys; i < w->columns && answer == 0; i++) {
        if (value_order(w->stored.rows, w->rebuilt.rows, i) == 0) {
            continue;
        }
        *equal = false;
        char key[512], stored[SHOWN_MAX + 8], rebuilt[SHOWN_MAX + 8];
        show_key(w, w->stored.rows, key, sizeof key);
        show(w->stored.rows, i, stored);
        show(w->rebuilt.rows, i, rebuilt);
        struct table_difference difference = {w->c->table, key, w->names[i], stored, rebuilt};
        answer = w->c->different(w->c->ctx, &difference);
    }
    return answer;
}

/* Compares where the two stand and goes on. */
static int walk_step(struct walk *w) {
    int order = !w->stored.there ? 1 : !w->rebuilt.there ? -1 : key_order(w);
    int answer = 0;
    if (order == 0) {
        bool equal;
        answer = both_sides(w, &equal);
        w->counts->equal += equal;
        w->counts->different += !equal;
    } else if (order > 0) {
        w->counts->missing++;
        answer = one_side(w, w->rebuilt.rows, false);
    } else if (w->c->excused != NULL && w->c->excused(w->c->ctx, w->stored.rows)) {
        w->counts->excused++;
    } else {
        w->counts->extra++;
        answer = one_side(w, w->stored.rows, true);
    }
    if (answer == 0 && order <= 0) {
        answer = side_next(&w->stored, &w->counts->stored);
    }
    if (answer == 0 && order >= 0) {
        answer = side_next(&w->rebuilt, &w->counts->rebuilt);
    }
    return answer;
}

int tables_compare(sqlite3 *stored, sqlite3 *rebuilt, const struct table_comparison *c,
                   struct table_counts *counts) {
    struct walk w = {.c = c, .counts = counts};
    int answer = -1;
    if (find_columns(&w, rebuilt) == 0 && side_open(&w, &w.stored, stored, c->where_stored) == 0 &&
        side_open(&w, &w.rebuilt, rebuilt, c->where_rebuilt) == 0) {
        answer = side_next(&w.stored, &counts->stored);
        answer = answer == 0 ? side_next(&w.rebuilt, &counts->rebuilt) : answer;
        while (answer == 0 && (w.stored.there || w.rebuilt.there)) {
            answer = walk_step(&w);
        }
    }
    sqlite3_finalize(w.stored.rows);
    sqlite3_finalize(w.rebuilt.rows);
    return answer;
}
