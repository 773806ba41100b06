#include "sim/relevance_set.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/utf8.h"
#include "sim/line_reader.h"
#include "sim/relevance.h"
#include "sim/replay_line.h"

#define LINE_MAX_BYTES (16u << 20)

/* Where reading stands. */
struct reading {
    struct relevance_set *set;
    struct relevance_error *error;
    struct label_set ids;     /* of products: label is 1 + index */
    struct label_set queries; /* label is 1 + index */
    struct label_set pairs;   /* of query and product that were rated */
    const char *path;
    struct line_reader reader;
    char *text; /* being put together */
    size_t length, capacity;
};

/* "FILE:LINE:COLUMN: ...", without what is 0; returns -1. */
__attribute__((format(printf, 3, 4))) static int fail(struct reading *r, size_t column,
                                                      const char *format, ...) {
    char *text = r->error->text;
    size_t size = sizeof r->error->text;
    size_t used = (size_t)snprintf(text, size, "%.180s:", r->path);
    if (r->reader.line > 0) {
        used += (size_t)snprintf(text + used, size - used, "%zu:", r->reader.line);
    }
    if (r->reader.line > 0 && column > 0) {
        used += (size_t)snprintf(text + used, size - used, "%zu:", column);
    }
    used += (size_t)snprintf(text + used, size - used, " ");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
    return -1;
}

static int no_memory(struct reading *r) {
    return fail(r, 0, "there is not enough memory for the rest of the file");
}

/* 1 with a line, 0 at the end, -1 with the error told. */
static int next_line(struct reading *r, struct bytes *line) {
    switch (line_reader_next(&r->reader, line)) {
    case LINE_READ:
        break;
    case LINE_END:
        return 0;
    case LINE_TOO_LONG:
        return fail(r, 1, "the line is longer than %u bytes", LINE_MAX_BYTES);
    case LINE_DAMAGED:
        return fail(r, 1, "%s", r->reader.damage);
    case LINE_NO_MEMORY:
        return no_memory(r);
    }
    size_t valid = utf8_valid_prefix(*line);
    return valid == line->len ? 1 : fail(r, valid + 1, "this byte is not UTF-8 text");
}

/* ---- products ---- */

static int add_text(struct reading *r, struct bytes text) {
    if (ARRAY_RESERVE(r->text, r->capacity, r->length + text.len + 1) != 0) {
        return no_memory(r);
    }
    memcpy(r->text + r->length, text.data, text.len);
    r->length += text.len;
    r->text[r->length++] = ' ';
    return 0;
}

static bool is_address(struct bytes text) {
    return (text.len >= 7 && memcmp(text.data, "http://", 7) == 0) ||
           (text.len >= 8 && memcmp(text.data, "https://", 8) == 0);
}

static struct bytes text_of(const json_t *value) {
    return json_is_string(value)
               ? (struct bytes){json_string_value(value), json_string_length(value)}
               : (struct bytes){"", 0};
}

/* Texts that stand for themselves are no attributes. */
static bool is_own(const char *name, bool titled) {
    static const char *const own[] = {"id", "title", "description", "short_description", "locale"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(name, own[i]) == 0) {
            return true;
        }
    }
    return !titled && strcmp(name, "name") == 0;
}

/* Description and attributes one after the other in r->text; *split is where the latter begin. */
static int gather_texts(struct reading *r, json_t *object, bool titled, size_t *split) {
    static const char *const described[] = {"description", "short_description"};
    r->length = 0;
    for (size_t i = 0; i < 2; i++) {
        if (add_text(r, text_of(json_object_get(object, described[i]))) != 0) {
            return -1;
        }
    }
    *split = r->length;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        struct bytes text = text_of(value);
        if (text.len > 0 && !is_own(name, titled) && !is_address(text) && add_text(r, text) != 0) {
            return -1;
        }
    }
    return 0;
}

/* The product's id as text, in `digits` where it is a number. */
static int take_id(struct reading *r, const json_t *id, char digits[24], struct bytes *out) {
    if (json_is_integer(id)) {
        snprintf(digits, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(id));
        *out = bytes_of(digits);
        return 0;
    }
    *out = text_of(id);
    return out->len > 0 ? 0 : fail(r, 1, "a product has an \"id\", a text or a whole number");
}

static int take_product(struct reading *r, json_t *object) {
    char digits[24];
    struct bytes id;
    if (!json_is_object(object)) {
        return fail(r, 1, "a product is a JSON object");
    }
    if (take_id(r, json_object_get(object, "id"), digits, &id) != 0) {
        return -1;
    }
    uint32_t label;
    if (label_set_find(&r->ids, id) != LABEL_NONE) {
        return fail(r, 1, "the id \"%.60s\" is that of an earlier product", id.data);
    }
    struct bytes title = text_of(json_object_get(object, "title"));
    bool titled = title.len > 0;
    title = titled ? title : text_of(json_object_get(object, "name"));
    if (title.len == 0) {
        return fail(r, 1, "a product has a \"title\" or a \"name\", a text that is not empty");
    }
    size_t split;
    if (gather_texts(r, object, titled, &split) != 0) {
        return -1;
    }
    struct relevance_product product = {
        .title = title,
        .description = {r->text, split},
        .attributes = {r->text + split, r->length - split},
        .locale = text_of(json_object_get(object, "locale")),
    };
    if (label_set_intern(&r->ids, id, &label) != 0 ||
        relevance_set_product(r->set, &product) != 0) {
        return no_memory(r);
    }
    return 0;
}

static int read_product(struct reading *r, struct bytes line) {
    json_error_t error;
    json_t *object =
        json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (object == NULL) {
        return fail(r, (size_t)(error.position > 0 ? error.position : 1), "%s", error.text);
    }
    int rc = take_product(r, object);
    json_decref(object);
    return rc;
}

/* ---- judgments ---- */

enum csv_column { CSV_QUERY, CSV_DOCID, CSV_RATING, CSV_COLUMNS };

/* Where which field stands. */
struct csv_layout {
    size_t place[CSV_COLUMNS];
    size_t fields;
};

struct csv_field {
    struct bytes text;
    size_t column;
};

#define CSV_FIELDS_MAX 64

/* A quoted field from the quote at *at on, without its quotes, into r->text. */
static int quoted_field(struct reading *r, struct bytes line, size_t *at, struct csv_field *out) {
    size_t begin = r->length;
    size_t i = *at + 1;
    for (;; i++) {
        if (i >= line.len) {
            return fail(r, *at + 1, "the quote that begins here has no end");
        }
        if (line.data[i] == '"' && (i + 1 == line.len || line.data[i + 1] != '"')) {
            break;
        }
        i += line.data[i] == '"';
        r->text[r->length++] = line.data[i];
    }
    if (i + 1 < line.len && line.data[i + 1] != ',') {
        return fail(r, i + 2, "behind a quoted field stands a comma or nothing");
    }
    *out = (struct csv_field){{r->text + begin, r->length - begin}, *at + 1};
    *at = i + 1;
    return 0;
}

static int plain_field(struct reading *r, struct bytes line, size_t *at, struct csv_field *out) {
    size_t end = *at;
    while (end < line.len && line.data[end] != ',') {
        if (line.data[end] == '"') {
            return fail(r, end + 1, "a quote may only begin a field");
        }
        end++;
    }
    *out = (struct csv_field){{line.data + *at, end - *at}, *at + 1};
    *at = end;
    return 0;
}

/* Number of fields, or -1. */
static int cut_line(struct reading *r, struct bytes line, struct csv_field *fields) {
    r->length = 0;
    if (ARRAY_RESERVE(r->text, r->capacity, line.len + 1) != 0) {
        return no_memory(r);
    }
    size_t at = 0;
    for (int count = 0;;) {
        if (count == CSV_FIELDS_MAX) {
            return fail(r, at + 1, "a line has at most %d fields", CSV_FIELDS_MAX);
        }
        bool quoted = at < line.len && line.data[at] == '"';
        int rc = quoted ? quoted_field(r, line, &at, &fields[count])
                        : plain_field(r, line, &at, &fields[count]);
        count++;
        if (rc != 0 || at >= line.len) {
            return rc != 0 ? -1 : count;
        }
        at++; /* the comma */
    }
}

static int read_names(struct reading *r, struct bytes line, struct csv_layout *layout) {
    static const char *const names[CSV_COLUMNS] = {"query", "docid", "rating"};
    struct csv_field fields[CSV_FIELDS_MAX];
    if (line.len >= 3 && memcmp(line.data, "\xEF\xBB\xBF", 3) == 0) {
        line = (struct bytes){line.data + 3, line.len - 3};
    }
    int count = cut_line(r, line, fields);
    if (count < 0) {
        return -1;
    }
    layout->fields = (size_t)count;
    for (int c = 0; c < CSV_COLUMNS; c++) {
        size_t at = 0;
        while (at < layout->fields && !bytes_equal(fields[at].text, bytes_of(names[c]))) {
            at++;
        }
        if (at == layout->fields) {
            return fail(r, 1,
                        "the first line names the columns query, docid and rating; %s is "
                        "missing",
                        names[c]);
        }
        layout->place[c] = at;
    }
    return 0;
}

/* The query's number; it is made when it comes up for the first time. 0 or -1. */
static int find_query(struct reading *r, struct bytes text, uint32_t *query) {
    uint32_t label = label_set_find(&r->queries, text);
    if (label == LABEL_NONE) {
        if (label_set_intern(&r->queries, text, &label) != 0 ||
            relevance_set_query(r->set, text, (struct bytes){"", 0}) != 0) {
            return no_memory(r);
        }
    }
    *query = label - 1;
    return 0;
}

/* Refuses a second rating. */
static int remember_pair(struct reading *r, uint32_t query, const struct csv_field *docid) {
    char number[16];
    int digits = snprintf(number, sizeof number, "%u ", query);
    size_t size = (size_t)digits + docid->text.len;
    size_t known = r->pairs.count;
    char *pair = malloc(size);
    if (pair == NULL) {
        return no_memory(r);
    }
    memcpy(pair, number, (size_t)digits);
    memcpy(pair + digits, docid->text.data, docid->text.len);
    uint32_t label;
    int rc = label_set_intern(&r->pairs, (struct bytes){pair, size}, &label);
    free(pair);
    if (rc != 0) {
        return no_memory(r);
    }
    return r->pairs.count > known
               ? 0
               : fail(r, docid->column, "this product was rated for this query before");
}

static int read_judgment(struct reading *r, struct bytes line, const struct csv_layout *layout) {
    struct csv_field fields[CSV_FIELDS_MAX];
    int count = cut_line(r, line, fields);
    if (count < 0) {
        return -1;
    }
    if ((size_t)count != layout->fields) {
        return fail(r, line.len + 1, "the line has %d fields, the first one has %zu", count,
                    layout->fields);
    }
    const struct csv_field *text = &fields[layout->place[CSV_QUERY]];
    const struct csv_field *docid = &fields[layout->place[CSV_DOCID]];
    const struct csv_field *rating = &fields[layout->place[CSV_RATING]];
    if (text->text.len == 0 || docid->text.len == 0) {
        const struct csv_field *empty = text->text.len == 0 ? text : docid;
        return fail(r, empty->column, "the %s is empty", empty == text ? "query" : "docid");
    }
    if (rating->text.len != 1 || rating->text.data[0] < '0' || rating->text.data[0] > '9') {
        return fail(r, rating->column, "a rating is a whole number from 0 to %d, not \"%.*s\"",
                    RELEVANCE_RATING_MAX, (int)(rating->text.len < 40 ? rating->text.len : 40),
                    rating->text.data);
    }
    struct relevance_judgment judgment = {.rating = (uint8_t)(rating->text.data[0] - '0')};
    uint32_t label = label_set_find(&r->ids, docid->text);
    judgment.product = label == LABEL_NONE ? RELEVANCE_STRANGER : label - 1;
    if (find_query(r, text->text, &judgment.query) != 0 ||
        remember_pair(r, judgment.query, docid) != 0) {
        return -1;
    }
    return relevance_set_judge(r->set, judgment) == 0 ? 0 : no_memory(r);
}

/* ---- files ---- */

static int open_file(struct reading *r, const char *path) {
    r->path = path;
    int rc = line_reader_open(&r->reader, path, LINE_MAX_BYTES);
    return rc == 0 ? 0 : fail(r, 0, "%s", strerror(rc));
}

static int read_products(struct reading *r, const char *path) {
    struct bytes line;
    int more = open_file(r, path) == 0 ? next_line(r, &line) : -1;
    while (more > 0) {
        bool blank = line.len == 0 || (line.len == 1 && line.data[0] == '\r');
        more = !blank && read_product(r, line) != 0 ? -1 : next_line(r, &line);
    }
    if (more == 0 && r->set->product_count == 0) {
        more = fail(r, 1, "there is no product in the file");
    }
    line_reader_close(&r->reader);
    return more;
}

static int read_judgments(struct reading *r, const char *path) {
    struct csv_layout layout = {.fields = 0};
    struct bytes line;
    int more = open_file(r, path) == 0 ? next_line(r, &line) : -1;
    while (more > 0) {
        line.len -= line.len > 0 && line.data[line.len - 1] == '\r';
        int rc = layout.fields == 0 ? read_names(r, line, &layout)
                 : line.len == 0    ? 0
                                    : read_judgment(r, line, &layout);
        more = rc != 0 ? -1 : next_line(r, &line);
    }
    bool useful = false;
    for (size_t i = 0; i < r->set->query_count; i++) {
        useful = useful || r->set->queries[i].useful;
    }
    if (more == 0 && !useful) {
        more = fail(r, 1, "no product has a rating above 0, so there is nothing to score");
    }
    line_reader_close(&r->reader);
    return more;
}

int relevance_set_read(struct relevance_set *set, const char *products, const char *judgments,
                       struct relevance_error *error) {
    struct reading r = {.set = set, .error = error};
    label_set_init(&r.ids);
    label_set_init(&r.queries);
    label_set_init(&r.pairs);
    replay_line_setup();
    int rc = read_products(&r, products);
    if (rc == 0) {
        rc = read_judgments(&r, judgments);
    }
    relevance_set_settle(set);
    label_set_release(&r.ids);
    label_set_release(&r.queries);
    label_set_release(&r.pairs);
    free(r.text);
    return rc;
}
