#include "sim/replay_line.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/field_check.h"
#include "pipeline/little_endian.h"

#define TEN_THOUSAND 10000
#define PRICE_MAX                                                                                  \
    INT64_C(900000000000) /* currency units: exact in a double, in ten-thousandths                 \
                           */

void replay_line_setup(void) {
    json_object_seed(1);
}

__attribute__((format(printf, 2, 3))) static int complain(struct replay_complaint *complaint,
                                                          const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(complaint->text, sizeof complaint->text, format, arguments);
    va_end(arguments);
    complaint->column = 0;
    return -1;
}

static int no_memory(struct replay_complaint *complaint) {
    return complain(complaint, "there is not enough memory");
}

static const char *kind_of(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

static struct bytes text_of(const json_t *value) {
    return (struct bytes){json_string_value(value), json_string_length(value)};
}

/* ---- the frame of a line ---- */

static bool read_digits(const char **at, const char *end, int count, int *out) {
    int value = 0;
    if (end - *at < count) {
        return false;
    }
    for (int i = 0; i < count; i++, ++*at) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return true;
}

static bool skip_byte(const char **at, const char *end, char byte) {
    if (*at == end || **at != byte) {
        return false;
    }
    ++*at;
    return true;
}

/* Days from 1970-01-01 of the Gregorian calendar; years from 1970. */
static int64_t days_since_1970(int year, int month, int day) {
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int y = year - 1;
    int64_t days = (int64_t)(year - 1970) * 365 + (y / 4 - y / 100 + y / 400) - (492 - 19 + 4);
    return days + before[month - 1] + (leap && month > 2) + day - 1;
}

static int days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (leap && month == 2);
}

/* Up to nine digits behind a dot. */
static bool read_fraction(const char **at, const char *end, int64_t *ns) {
    int64_t unit = VTIME_SECOND;
    *ns = 0;
    if (!skip_byte(at, end, '.')) {
        return true;
    }
    const char *from = *at;
    for (; *at < end && **at >= '0' && **at <= '9' && unit > 1; ++*at) {
        unit /= 10;
        *ns += unit * (**at - '0');
    }
    return *at > from;
}

static bool read_timestamp(struct bytes text, vtime *out) {
    const char *at = text.data;
    const char *end = text.data + text.len;
    int year, month, day, hour, minute, second;
    int64_t ns;
    if (!read_digits(&at, end, 4, &year) || !skip_byte(&at, end, '-') ||
        !read_digits(&at, end, 2, &month) || !skip_byte(&at, end, '-') ||
        !read_digits(&at, end, 2, &day) || !skip_byte(&at, end, 'T') ||
        !read_digits(&at, end, 2, &hour) || !skip_byte(&at, end, ':') ||
        !read_digits(&at, end, 2, &minute) || !skip_byte(&at, end, ':') ||
        !read_digits(&at, end, 2, &second) || !read_fraction(&at, end, &ns) ||
        !skip_byte(&at, end, 'Z') || at != end) {
        return false;
    }
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    out->ns = days_since_1970(year, month, day) * VTIME_DAY + hour * VTIME_HOUR +
              minute * VTIME_MINUTE + second * VTIME_SECOND + ns;
    return true;
}

/* A decimal below 2^61 without leading zeros is itself, anything else its hash. */
static uint64_t id_of(struct bytes text) {
    uint64_t number = 0;
    bool decimal = text.len <= 19 && (text.data[0] != '0' || text.len == 1);
    for (size_t i = 0; decimal && i < text.len; i++) {
        decimal = text.data[i] >= '0' && text.data[i] <= '9';
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (decimal && number < REPLAY_ID_BIT) {
        return number;
    }
    return (XXH3_64bits(text.data, text.len) & (REPLAY_ID_BIT - 1)) | REPLAY_ID_BIT;
}

static int read_op(const json_t *value, enum replay_op *out, struct replay_complaint *complaint) {
    static const char *const names[] = {"create", "update", "price_change", "delete"};
    if (value == NULL) {
        return complain(complaint, "the event has no op");
    }
    if (!json_is_string(value)) {
        return complain(complaint, "op is %s, not a text", kind_of(value));
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(json_string_value(value), names[i]) == 0) {
            *out = (enum replay_op)i;
            return 0;
        }
    }
    return complain(complaint, "op is \"%.40s\", not create, update, price_change or delete",
                    json_string_value(value));
}

static int read_at(const json_t *value, vtime *out, struct replay_complaint *complaint) {
    if (value == NULL) {
        return complain(complaint, "the event has no ts");
    }
    if (!json_is_string(value)) {
        return complain(complaint, "ts is %s, not a text", kind_of(value));
    }
    if (!read_timestamp(text_of(value), out)) {
        return complain(complaint,
                        "ts is \"%.40s\", not a time from 1970 to 2261 like 2026-02-10T17:12:15Z",
                        json_string_value(value));
    }
    return 0;
}

static int read_id(const json_t *value, struct replay_line *out,
                   struct replay_complaint *complaint) {
    if (value == NULL) {
        return complain(complaint, "the event has no id");
    }
    if (!json_is_string(value)) {
        return complain(complaint, "id is %s, not a text", kind_of(value));
    }
    out->id = text_of(value);
    if (out->id.len == 0 || out->id.len > RECORD_TEXT_MAX) {
        return complain(complaint, "id has %zu bytes, not 1 to %d", out->id.len, RECORD_TEXT_MAX);
    }
    out->listing_id = id_of(out->id);
    return 0;
}

static int check_doc(const struct replay_line *line, struct replay_complaint *complaint) {
    const json_t *doc = line->doc;
    if (doc == NULL) {
        return line->op == REPLAY_DELETE ? 0 : complain(complaint, "the event has no doc");
    }
    if (!json_is_object(doc)) {
        return complain(complaint, "doc is %s, not an object", kind_of(doc));
    }
    const json_t *id = json_object_get(doc, "id");
    if (id != NULL && (!json_is_string(id) || !bytes_equal(text_of(id), line->id))) {
        return complain(complaint, "doc.id is not the id of the event, \"%.60s\"", line->id.data);
    }
    return 0;
}

static int check_changed(const struct replay_line *line, struct replay_complaint *complaint) {
    const json_t *changed = line->changed;
    if (changed == NULL) {
        return 0;
    }
    if (!json_is_array(changed)) {
        return complain(complaint, "changed is %s, not a list of names", kind_of(changed));
    }
    for (size_t i = 0; i < json_array_size(changed); i++) {
        const json_t *name = json_array_get(changed, i);
        if (!json_is_string(name)) {
            return complain(complaint, "changed[%zu] is %s, not a name", i, kind_of(name));
        }
        if (strcmp(json_string_value(name), "id") == 0) {
            return complain(complaint, "changed names id, which cannot change");
        }
        for (size_t j = 0; j < i; j++) {
            if (json_equal(json_array_get(changed, j), name)) {
                return complain(complaint, "changed names \"%.60s\" twice",
                                json_string_value(name));
            }
        }
    }
    return 0;
}

static int check_keys(json_t *json, struct replay_complaint *complaint) {
    static const char *const known[] = {"op", "ts", "id", "doc", "changed", "old"};
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0] && !found; i++) {
            found = strcmp(key, known[i]) == 0;
        }
        if (!found) {
            return complain(complaint,
                            "\"%.60s\" is no part of an event: op, ts, id, doc, changed, old", key);
        }
    }
    return 0;
}

/* Null says as little as nothing. */
static const json_t *present(const json_t *value) {
    return json_is_null(value) ? NULL : value;
}

static int read_frame(json_t *json, struct replay_line *out, struct replay_complaint *complaint) {
    if (!json_is_object(json)) {
        return complain(complaint, "the line is %s, not an object", kind_of(json));
    }
    out->doc = present(json_object_get(json, "doc"));
    out->changed = present(json_object_get(json, "changed"));
    if (check_keys(json, complaint) != 0 ||
        read_op(json_object_get(json, "op"), &out->op, complaint) != 0 ||
        read_at(json_object_get(json, "ts"), &out->at, complaint) != 0 ||
        read_id(json_object_get(json, "id"), out, complaint) != 0) {
        return -1;
    }
    return check_doc(out, complaint) != 0 ? -1 : check_changed(out, complaint);
}

/* jansson tells where the token that it stumbled over ends; people look for where it starts. */
static int column_of(const json_error_t *error) {
    static const char before[] = " near '";
    int column = error->column;
    const char *token = strstr(error->text, before);
    if (token != NULL) {
        token += sizeof before - 1;
        const char *end = strrchr(token, '\'');
        int characters = 0;
        for (const char *at = token; end != NULL && at < end; at++) {
            characters += (*at & 0xc0) != 0x80;
        }
        column -= characters > 1 ? characters - 1 : 0;
    }
    return column > 0 ? column : 0;
}

int replay_line_parse(struct bytes text, struct replay_line *out,
                      struct replay_complaint *complaint) {
    *out = (struct replay_line){.json = NULL};
    if (strspn(text.data, " \t\r\n") >= text.len) {
        return complain(complaint, "the line is empty");
    }
    json_error_t error;
    json_t *json =
        json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (json == NULL) {
        complain(complaint, "the line is no JSON: %.200s", error.text);
        complaint->column = column_of(&error);
        return -1;
    }
    if (read_frame(json, out, complaint) != 0) {
        json_decref(json);
        return -1;
    }
    out->json = json;
    return 0;
}

void replay_line_release(struct replay_line *line) {
    json_decref(line->json);
    line->json = NULL;
}

/* ---- fields ---- */

int replay_fields_add(struct replay_fields *fields, struct field f) {
    if (ARRAY_RESERVE(fields->items, fields->capacity, fields->count + 1) != 0) {
        return -ENOMEM;
    }
    fields->items[fields->count++] = f;
    return 0;
}

static int by_field_order(const void *a, const void *b) {
    const struct field *x = a;
    const struct field *y = b;
    return field_order(x->id, x->name, y->id, y->name);
}

void replay_fields_sort(struct replay_fields *fields) {
    if (fields->count > 1) {
        qsort(fields->items, fields->count, sizeof *fields->items, by_field_order);
    }
}

/* What a field is made from and into. */
struct maker {
    const struct replay_line *line;
    struct arena *arena;
    struct replay_fields *out;
    struct replay_complaint *complaint;
};

/* Checks a field as the pipeline will, and adds it. */
static int add(const struct maker *m, const char *key, struct field f) {
    struct record_error error;
    if (field_check(&f, &error) != 0) {
        return complain(m->complaint, "doc.%.60s: %s (%s is %lld; expected %s)", key, error.reason,
                        error.field, (long long)error.actual, error.expected);
    }
    return replay_fields_add(m->out, f) == 0 ? 0 : no_memory(m->complaint);
}

static int keep(const struct maker *m, struct bytes text, struct bytes *out) {
    return arena_copy(m->arena, text, out) == 0 ? 0 : no_memory(m->complaint);
}

/* A text, or null (also when there is no value). */
static int add_text(const struct maker *m, enum field_id id, const char *key, const json_t *value) {
    struct field f = {.id = id, .type = VALUE_NULL};
    if (value == NULL || json_is_null(value)) {
        return add(m, key, f);
    }
    if (!json_is_string(value)) {
        return complain(m->complaint, "doc.%s is %s, not a text", key, kind_of(value));
    }
    f.type = VALUE_TEXT;
    return keep(m, text_of(value), &f.text) != 0 ? -1 : add(m, key, f);
}

/*
 * The number of ten-thousandths whose double is this one. The division is exact to the last bit
 * (IEEE 754), so it gives what reading the decimal gave, or there is no such decimal.
 */
static bool ten_thousandths(double value, int64_t *out) {
    if (!(value >= 0 && value <= (double)PRICE_MAX)) {
        return false;
    }
    *out = (int64_t)(value * TEN_THOUSAND + 0.5);
    return (double)*out / TEN_THOUSAND == value;
}

static int add_price(const struct maker *m, const json_t *value) {
    struct field f = {.id = FIELD_PRICE, .type = VALUE_NULL};
    if (value == NULL || json_is_null(value)) {
        return add(m, "price", f);
    }
    if (!json_is_number(value)) {
        return complain(m->complaint, "doc.price is %s, not a number", kind_of(value));
    }
    double number = json_number_value(value);
    if (number < 0) {
        return complain(m->complaint, "doc.price is negative");
    }
    if (number > (double)PRICE_MAX) {
        return complain(m->complaint, "doc.price is above %lld", (long long)PRICE_MAX);
    }
    if (!ten_thousandths(number, &f.integer)) {
        return complain(m->complaint, "doc.price has more than four decimals");
    }
    f.type = VALUE_INTEGER;
    return add(m, "price", f);
}

static int add_locale(const struct maker *m, const json_t *value) {
    if (value != NULL) {
        return add_text(m, FIELD_LOCALE, "locale", value);
    }
    return add(m, "locale",
               (struct field){.id = FIELD_LOCALE, .type = VALUE_TEXT, .text = bytes_of("es-ES")});
}

static int add_seller(const struct maker *m) {
    const json_t *value = json_object_get(m->line->doc, "seller_id");
    int64_t seller = 1;
    if (value != NULL && !json_is_null(value)) {
        if (!json_is_integer(value) || json_integer_value(value) < 1) {
            return complain(m->complaint, "doc.seller_id is not a whole number from 1");
        }
        seller = json_integer_value(value);
    } else {
        value = json_object_get(m->line->doc, "seller");
        if (json_is_integer(value) && json_integer_value(value) >= 1) {
            seller = json_integer_value(value);
        }
    }
    return add(m, "seller_id",
               (struct field){.id = FIELD_SELLER, .type = VALUE_INTEGER, .integer = seller});
}

/* The address up to its query names the picture. */
static int add_image(const struct maker *m, const json_t *value) {
    struct field f = {.id = FIELD_IMAGE_IDS, .type = VALUE_NULL};
    m->out->image_named = true;
    if (value != NULL && !json_is_null(value)) {
        if (!json_is_string(value)) {
            return complain(m->complaint, "doc.thumbnail is %s, not a text", kind_of(value));
        }
        const char *address = json_string_value(value);
        size_t len = strcspn(address, "?");
        char packed[8];
        m->out->has_image = len > 0;
        m->out->image_id = XXH3_64bits(address, len);
        le64_put(packed, m->out->image_id);
        f.type = VALUE_IDS;
        if (keep(m, (struct bytes){packed, len > 0 ? 8 : 0}, &f.text) != 0) {
            return -1;
        }
    }
    return add(m, "thumbnail", f);
}

/*
 * JSON text of a value that jansson read, with the fewest digits (15 to 17) in its numbers that
 * read back the same. To be freed by the caller; NULL when there is no memory.
 */
static char *json_text(const json_t *value) {
    for (unsigned digits = 15; digits < 17; digits++) {
        size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits);
        char *text = json_dumps(value, flags);
        json_t *back = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
        bool same = back != NULL && json_equal(back, value);
        json_decref(back);
        if (same || text == NULL) {
            return text;
        }
        free(text);
    }
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
}

static int add_json_text(const struct maker *m, const char *key, const json_t *value,
                         struct field f) {
    char *text = json_text(value);
    if (text == NULL) {
        return no_memory(m->complaint);
    }
    int rc = keep(m, bytes_of(text), &f.text);
    free(text);
    return rc != 0 ? -1 : add(m, key, f);
}

static int add_attribute(const struct maker *m, const char *key, const json_t *value) {
    struct field f = {.id = FIELD_ATTRIBUTE, .type = VALUE_NULL};
    if (keep(m, bytes_of(key), &f.name) != 0) {
        return -1;
    }
    if (value == NULL) {
        return add(m, key, f);
    }
    switch (json_typeof(value)) {
    case JSON_NULL:
        return add(m, key, f);
    case JSON_TRUE:
    case JSON_FALSE:
        f.type = VALUE_TEXT;
        f.text = bytes_of(json_is_true(value) ? "true" : "false");
        return add(m, key, f);
    case JSON_INTEGER:
        f.type = VALUE_INTEGER;
        f.integer = json_integer_value(value);
        return add(m, key, f);
    case JSON_STRING:
        f.type = VALUE_TEXT;
        return keep(m, text_of(value), &f.text) != 0 ? -1 : add(m, key, f);
    case JSON_REAL:
        f.type = VALUE_NUMBER;
        return add_json_text(m, key, value, f);
    case JSON_OBJECT:
    case JSON_ARRAY:
        f.type = VALUE_TEXT;
        return add_json_text(m, key, value, f);
    }
    assert(false && "a JSON value of no type");
    return -1;
}

static bool is(const char *key, const char *name) {
    return strcmp(key, name) == 0;
}

/* The fields that one key of doc becomes. Own fields that a whole UPSERT names anyhow, from keys
 * that need not be there, are left to add_own when `whole`. */
static int add_key(const struct maker *m, const char *key, bool whole) {
    const json_t *value = json_object_get(m->line->doc, key);
    if (is(key, "name")) {
        return whole ? 0 : add_text(m, FIELD_TITLE, key, value);
    }
    if (is(key, "description")) {
        return whole ? 0 : add_text(m, FIELD_DESCRIPTION, key, value);
    }
    if (is(key, "locale")) {
        return whole ? 0 : add_locale(m, value);
    }
    if (is(key, "top_category")) {
        return whole ? 0 : add_text(m, FIELD_CATEGORY, key, value);
    }
    if (is(key, "seller_id")) {
        return whole ? 0 : add_seller(m);
    }
    if (is(key, "price")) {
        return whole ? 0 : add_price(m, value);
    }
    bool named_by_id =
        !whole && is(key, "seller") && json_object_get(m->line->doc, "seller_id") == NULL;
    if (named_by_id && add_seller(m) != 0) {
        return -1;
    }
    if (!whole && is(key, "thumbnail") && add_image(m, value) != 0) {
        return -1;
    }
    return add_attribute(m, key, value);
}

static int add_own(const struct maker *m) {
    const json_t *doc = m->line->doc;
    if (add_text(m, FIELD_TITLE, "name", json_object_get(doc, "name")) != 0 ||
        add_text(m, FIELD_DESCRIPTION, "description", json_object_get(doc, "description")) != 0 ||
        add_locale(m, json_object_get(doc, "locale")) != 0 ||
        add_text(m, FIELD_CATEGORY, "top_category", json_object_get(doc, "top_category")) != 0 ||
        add_seller(m) != 0 || add_price(m, json_object_get(doc, "price")) != 0) {
        return -1;
    }
    return add_image(m, json_object_get(doc, "thumbnail"));
}

static int add_source_id(const struct maker *m) {
    if ((m->line->listing_id & REPLAY_ID_BIT) == 0) {
        return 0;
    }
    if (json_object_get(m->line->doc, "source_id") != NULL) {
        return complain(m->complaint, "doc.source_id stands where the id \"%.60s\" is to be kept",
                        m->line->id.data);
    }
    struct field f = {.id = FIELD_ATTRIBUTE, .type = VALUE_TEXT, .name = bytes_of("source_id")};
    return keep(m, m->line->id, &f.text) != 0 ? -1 : add(m, "id", f);
}

static int add_whole(const struct maker *m) {
    if (add_own(m) != 0 || add_source_id(m) != 0) {
        return -1;
    }
    const json_t *doc = m->line->doc;
    /* The iterators of jansson take no const object, and change none. */
    for (void *i = json_object_iter((json_t *)(uintptr_t)doc); i != NULL;
         i = json_object_iter_next((json_t *)(uintptr_t)doc, i)) {
        const char *key = json_object_iter_key(i);
        if (!is(key, "id") && add_key(m, key, true) != 0) {
            return -1;
        }
    }
    return 0;
}

/* No name comes twice: seller and seller_id can both be named, and say the same. */
static void drop_repeated(struct replay_fields *fields) {
    size_t kept = 0;
    for (size_t i = 0; i < fields->count; i++) {
        if (kept == 0 || by_field_order(&fields->items[kept - 1], &fields->items[i]) != 0) {
            fields->items[kept++] = fields->items[i];
        }
    }
    fields->count = kept;
}

int replay_line_fields(const struct replay_line *line, bool whole, struct arena *arena,
                       struct replay_fields *out, struct replay_complaint *complaint) {
    assert(line->op != REPLAY_DELETE);
    struct maker m = {line, arena, out, complaint};
    out->count = 0;
    out->image_named = out->has_image = false;
    out->image_id = 0;
    if (whole) {
        if (add_whole(&m) != 0) {
            return -1;
        }
    } else {
        for (size_t i = 0; i < json_array_size(line->changed); i++) {
            const char *key = json_string_value(json_array_get(line->changed, i));
            if (add_key(&m, key, false) != 0) {
                return -1;
            }
        }
    }
    replay_fields_sort(out);
    drop_repeated(out);
    return 0;
}
