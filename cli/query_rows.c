#include "cli/query_rows.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/moment.h"
#include "pipeline/array.h"
#include "reports/unicode.h"

/* Columns of a table that are wider are cut. */
#define WIDTH_MAX 48
#define BLOB_SHOWN_MAX 12

/* A text that grows; remembers when it could not. */
struct text {
    char *data;
    size_t len, capacity;
    bool no_memory;
};

static void add(struct text *t, const char *data, size_t len) {
    if (t->no_memory || ARRAY_RESERVE(t->data, t->capacity, t->len + len + 1) != 0) {
        t->no_memory = true;
        return;
    }
    memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = 0;
}

static void add_string(struct text *t, const char *string) {
    add(t, string, strlen(string));
}

static void addf(struct text *t, const char *format, ...) {
    char piece[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(piece, sizeof(piece), format, arguments);
    va_end(arguments);
    add_string(t, piece);
}

/* The code point at *at, which moves on; SQLite's texts may hold zero bytes. */
static uint32_t next_code_point(const char **at) {
    if (**at == 0) {
        ++*at;
        return UNICODE_REPLACEMENT;
    }
    return unicode_next(at);
}

static void add_code_point(struct text *t, uint32_t code_point) {
    char utf8[5];
    int len = unicode_encode(code_point, utf8);
    add(t, utf8, (size_t)len);
}

static void add_hex(struct text *t, const unsigned char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        addf(t, "%02x", bytes[i]);
    }
}

/* ---- JSON and CSV ---- */

static void add_json_text(struct text *t, const char *data, size_t len) {
    add_string(t, "\"");
    for (const char *at = data; at < data + len;) {
        uint32_t c = next_code_point(&at);
        if (c == '"' || c == '\\') {
            addf(t, "\\%c", (int)c);
        } else if (c < 0x20 || c == 0x7f) {
            addf(t, "\\u%04x", (unsigned)c);
        } else {
            add_code_point(t, c);
        }
    }
    add_string(t, "\"");
}

/* A finite number so that it reads back the same; JSON knows no others. */
static void add_real(struct text *t, double value) {
    if (value - value != 0) {
        add_string(t, "null");
        return;
    }
    char shortest[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(shortest, sizeof(shortest), "%.*g", digits, value);
        if (strtod(shortest, 0) == value) {
            break;
        }
    }
    add_string(t, shortest);
}

static void add_json_value(struct text *t, sqlite3_stmt *s, int c) {
    switch (sqlite3_column_type(s, c)) {
    case SQLITE_INTEGER:
        addf(t, "%" PRId64, (int64_t)sqlite3_column_int64(s, c));
        break;
    case SQLITE_FLOAT:
        add_real(t, sqlite3_column_double(s, c));
        break;
    case SQLITE_TEXT: {
        const char *data = (const char *)sqlite3_column_text(s, c);
        add_json_text(t, data, (size_t)sqlite3_column_bytes(s, c));
        break;
    }
    case SQLITE_BLOB: {
        const unsigned char *data = sqlite3_column_blob(s, c);
        add_string(t, "\"");
        add_hex(t, data, (size_t)sqlite3_column_bytes(s, c));
        add_string(t, "\"");
        break;
    }
    default:
        add_string(t, "null");
    }
}

/* A column's name; of several alike all but the first get a number. */
static void add_json_name(struct text *t, sqlite3_stmt *s, int c) {
    const char *name = sqlite3_column_name(s, c);
    int same = 1;
    for (int i = 0; i < c; i++) {
        same += strcmp(sqlite3_column_name(s, i), name) == 0;
    }
    struct text numbered = {0};
    add_string(&numbered, name);
    if (same > 1) {
        addf(&numbered, "_%d", same);
    }
    if (numbered.no_memory) {
        t->no_memory = true;
    } else {
        add_json_text(t, numbered.data, numbered.len);
    }
    free(numbered.data);
}

static int write_json(sqlite3_stmt *s, struct text *out) {
    int columns = sqlite3_column_count(s);
    int rc;
    add_string(out, "[");
    const char *before = "\n";
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        add_string(out, before);
        before = ",\n";
        for (int c = 0; c < columns; c++) {
            add_string(out, c == 0 ? "{" : ", ");
            add_json_name(out, s, c);
            add_string(out, ": ");
            add_json_value(out, s, c);
        }
        add_string(out, "}");
    }
    add_string(out, before[0] == ',' ? "\n]\n" : "]\n");
    return rc;
}

static void add_csv_text(struct text *t, const char *data, size_t len) {
    bool quoted = memchr(data, ',', len) != 0 || memchr(data, '"', len) != 0 ||
                  memchr(data, '\n', len) != 0 || memchr(data, '\r', len) != 0 || len == 0;
    add_string(t, quoted ? "\"" : "");
    for (const char *at = data; at < data + len;) {
        uint32_t c = next_code_point(&at);
        add_string(t, c == '"' ? "\"" : "");
        add_code_point(t, c);
    }
    add_string(t, quoted ? "\"" : "");
}

static void add_csv_value(struct text *t, sqlite3_stmt *s, int c) {
    switch (sqlite3_column_type(s, c)) {
    case SQLITE_NULL:
        break;
    case SQLITE_TEXT: {
        const char *data = (const char *)sqlite3_column_text(s, c);
        add_csv_text(t, data, (size_t)sqlite3_column_bytes(s, c));
        break;
    }
    case SQLITE_BLOB: {
        const unsigned char *data = sqlite3_column_blob(s, c);
        add_hex(t, data, (size_t)sqlite3_column_bytes(s, c));
        break;
    }
    default:
        add_json_value(t, s, c);
    }
}

static int write_csv(sqlite3_stmt *s, struct text *out) {
    int columns = sqlite3_column_count(s);
    int rc;
    for (int c = 0; c < columns; c++) {
        const char *name = sqlite3_column_name(s, c);
        add_string(out, c == 0 ? "" : ",");
        add_csv_text(out, name, strlen(name));
    }
    add_string(out, "\n");
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        for (int c = 0; c < columns; c++) {
            add_string(out, c == 0 ? "" : ",");
            add_csv_value(out, s, c);
        }
        add_string(out, "\n");
    }
    return rc;
}

/* ---- the table ---- */

/* One shown value: its text in a pool, and how many columns of the terminal it takes. */
struct shown {
    size_t at, len, width;
    bool right; /* numbers stand at the right */
};

struct grid {
    struct text pool;
    struct shown *cells;
    size_t count, capacity;
};

/* Text for a terminal: nothing in it moves the cursor or turns the direction around. */
static void add_shown_text(struct text *t, const char *data, size_t len) {
    for (const char *at = data; at < data + len;) {
        uint32_t c = next_code_point(&at);
        if (c == '\n') {
            add_string(t, "\\n");
        } else if (unicode_is_hidden(c)) {
            addf(t, "\\u{%x}", (unsigned)c);
        } else {
            add_code_point(t, c);
        }
    }
}

static void add_shown_blob(struct text *t, const unsigned char *bytes, size_t len) {
    bool cut = len > BLOB_SHOWN_MAX;
    add_string(t, "x'");
    add_hex(t, bytes, cut ? BLOB_SHOWN_MAX : len);
    add_string(t, "'");
    if (cut) {
        addf(t, "\xe2\x80\xa6 %zu bytes", len);
    }
}

/* Integers of a column named ..._ns: moments when they are of our time, else durations. */
static void add_shown_integer(struct text *t, const char *name, int64_t value) {
    size_t len = strlen(name);
    char readable[MOMENT_TEXT_MAX];
    if (len < 3 || strcmp(name + len - 3, "_ns") != 0) {
        addf(t, "%" PRId64, value);
    } else if (value > 365 * VTIME_DAY || value < -365 * VTIME_DAY) {
        moment_format((vtime){value}, readable);
        add_string(t, readable);
    } else {
        duration_format(value, readable);
        add_string(t, readable);
    }
}

static void add_shown_value(struct text *t, sqlite3_stmt *s, int c) {
    switch (sqlite3_column_type(s, c)) {
    case SQLITE_INTEGER:
        add_shown_integer(t, sqlite3_column_name(s, c), sqlite3_column_int64(s, c));
        break;
    case SQLITE_FLOAT:
        addf(t, "%.6g", sqlite3_column_double(s, c));
        break;
    case SQLITE_TEXT: {
        const char *data = (const char *)sqlite3_column_text(s, c);
        add_shown_text(t, data, (size_t)sqlite3_column_bytes(s, c));
        break;
    }
    case SQLITE_BLOB: {
        const unsigned char *data = sqlite3_column_blob(s, c);
        add_shown_blob(t, data, (size_t)sqlite3_column_bytes(s, c));
        break;
    }
    default:
        add_string(t, "NULL");
    }
}

/* Ends the cell that began at `start` of the pool; cuts it when it is too wide. */
static void end_cell(struct grid *g, size_t start, bool right, bool cut) {
    if (g->pool.no_memory || ARRAY_RESERVE(g->cells, g->capacity, g->count + 1) != 0) {
        g->pool.no_memory = true;
        return;
    }
    const char *text = g->pool.len == start ? "" : g->pool.data + start;
    size_t width = unicode_text_width(text);
    if (cut && width > WIDTH_MAX) {
        const char *at = text;
        const char *end = text;
        for (width = 0; width <= WIDTH_MAX - 1;) {
            end = at;
            width += (size_t)unicode_width(unicode_next(&at));
        }
        g->pool.len = (size_t)(end - g->pool.data);
        add_string(&g->pool, "\xe2\x80\xa6");
        width = g->pool.no_memory ? 0 : unicode_text_width(g->pool.data + start);
    }
    g->cells[g->count++] = (struct shown){start, g->pool.len - start, width, right};
    add(&g->pool, "", 1); /* cells end in a zero byte, so that each is a string */
}

static void add_line(struct text *out, const struct grid *g, size_t first, int columns,
                     const size_t *widths) {
    for (int c = 0; c < columns; c++) {
        const struct shown *cell = &g->cells[first + (size_t)c];
        size_t padding = widths[c] - cell->width;
        add_string(out, c == 0 ? "" : "  ");
        for (size_t i = 0; cell->right && i < padding; i++) {
            add_string(out, " ");
        }
        add(out, g->pool.data + cell->at, cell->len);
        for (size_t i = 0; !cell->right && c + 1 < columns && i < padding; i++) {
            add_string(out, " ");
        }
    }
    add_string(out, "\n");
}

static void add_rule(struct text *out, int columns, const size_t *widths) {
    for (int c = 0; c < columns; c++) {
        add_string(out, c == 0 ? "" : "  ");
        for (size_t i = 0; i < widths[c]; i++) {
            add_string(out, "-");
        }
    }
    add_string(out, "\n");
}

static void lay_out(struct text *out, struct grid *g, int columns) {
    size_t *widths = calloc((size_t)columns, sizeof(*widths));
    if (widths == 0 || g->pool.no_memory) {
        out->no_memory = true;
        free(widths);
        return;
    }
    for (size_t i = 0; i < g->count; i++) {
        size_t *width = &widths[i % (size_t)columns];
        *width = g->cells[i].width > *width ? g->cells[i].width : *width;
    }
    for (int c = 0; c < columns && g->count > (size_t)columns; c++) {
        g->cells[c].right = g->cells[columns + c].right; /* a name stands as its column does */
    }
    add_line(out, g, 0, columns, widths);
    add_rule(out, columns, widths);
    for (size_t row = (size_t)columns; row < g->count; row += (size_t)columns) {
        add_line(out, g, row, columns, widths);
    }
    size_t rows = g->count / (size_t)columns - 1;
    addf(out, "(%zu row%s)\n", rows, rows == 1 ? "" : "s");
    free(widths);
}

static int write_table(sqlite3_stmt *s, struct text *out) {
    struct grid g = {0};
    int columns = sqlite3_column_count(s);
    int rc;
    for (int c = 0; c < columns; c++) {
        size_t start = g.pool.len;
        const char *name = sqlite3_column_name(s, c);
        add_shown_text(&g.pool, name, strlen(name));
        end_cell(&g, start, false, columns > 1);
    }
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        for (int c = 0; c < columns; c++) {
            size_t start = g.pool.len;
            int type = sqlite3_column_type(s, c);
            add_shown_value(&g.pool, s, c);
            end_cell(&g, start, type == SQLITE_INTEGER || type == SQLITE_FLOAT, columns > 1);
        }
    }
    lay_out(out, &g, columns);
    free(g.pool.data);
    free(g.cells);
    return rc;
}

int query_rows_write(sqlite3_stmt *statement, enum query_form form, FILE *out) {
    static int (*const writers[])(sqlite3_stmt *, struct text *) = {
        [QUERY_TABLE] = write_table, [QUERY_JSON] = write_json, [QUERY_CSV] = write_csv};
    struct text text = {0};
    int rc = writers[form](statement, &text);
    if (rc == SQLITE_DONE && text.no_memory) {
        rc = SQLITE_NOMEM;
    }
    if (rc == SQLITE_DONE &&
        (fwrite(text.data, 1, text.len, out) != text.len || fflush(out) != 0)) {
        rc = SQLITE_IOERR;
    }
    free(text.data);
    return rc;
}
