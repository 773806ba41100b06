#include "pipeline/field_check.h"

#include <assert.h>

#include "pipeline/little_endian.h"
#include "pipeline/utf8.h"

#define NAME_MAX_BYTES 255

/* Which types a field takes, besides null. */
#define TAKES(type) (1u << (type))
static const struct {
    const char *name;
    const char *expected;
    unsigned takes;
} kinds[] = {
    [FIELD_TITLE] = {"title", "text or null", TAKES(VALUE_TEXT)},
    [FIELD_DESCRIPTION] = {"description", "text or null", TAKES(VALUE_TEXT)},
    [FIELD_LOCALE] = {"locale", "text or null", TAKES(VALUE_TEXT)},
    [FIELD_CATEGORY] = {"category", "text or null", TAKES(VALUE_TEXT)},
    [FIELD_SELLER] = {"seller", "an integer or null", TAKES(VALUE_INTEGER)},
    [FIELD_PRICE] = {"price", "an integer or null", TAKES(VALUE_INTEGER)},
    [FIELD_IMAGE_IDS] = {"image_ids", "a list of ids or null", TAKES(VALUE_IDS)},
    [FIELD_ATTRIBUTE] = {"attribute", "text, an integer, a number or null",
                         TAKES(VALUE_TEXT) | TAKES(VALUE_INTEGER) | TAKES(VALUE_NUMBER)},
};

const char *field_id_name(enum field_id id) {
    assert(id >= FIELD_TITLE && id <= FIELD_ATTRIBUTE);
    return kinds[id].name;
}

int record_reject(struct record_error *error, const char *reason, const char *field,
                  const char *expected, int64_t actual) {
    *error = (struct record_error){reason, field, expected, actual};
    return -1;
}

int text_check(struct bytes text, const char *field, size_t max, const char *limit,
               struct record_error *error) {
    if (text.len > max) {
        return record_reject(error, "text is too long", field, limit, (int64_t)text.len);
    }
    size_t valid = utf8_valid_prefix(text);
    if (valid == text.len) {
        return 0;
    }
    if (text.data[valid] == 0) {
        return record_reject(error, "text holds a NUL", field, "text without U+0000",
                             (int64_t)valid);
    }
    return record_reject(error, "text is not valid UTF-8", field, "well-formed UTF-8",
                         le8_get(text.data + valid));
}

static size_t digits(struct bytes text, size_t at) {
    size_t from = at;
    while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9') {
        at++;
    }
    return at - from;
}

/* The grammar of RFC 8259, section 6. */
static bool is_number(struct bytes text) {
    size_t at = text.len > 0 && text.data[0] == '-';
    size_t whole = digits(text, at);
    if (whole == 0 || (whole > 1 && text.data[at] == '0')) {
        return false;
    }
    at += whole;
    if (at < text.len && text.data[at] == '.') {
        size_t fraction = digits(text, at + 1);
        if (fraction == 0) {
            return false;
        }
        at += 1 + fraction;
    }
    if (at < text.len && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        at += at < text.len && (text.data[at] == '+' || text.data[at] == '-');
        size_t exponent = digits(text, at);
        if (exponent == 0) {
            return false;
        }
        at += exponent;
    }
    return at == text.len;
}

static int number_check(struct bytes text, const char *field, struct record_error *error) {
    if (text.len > RECORD_TEXT_MAX) {
        return record_reject(error, "number is too long", field, "at most 20480 bytes",
                             (int64_t)text.len);
    }
    if (!is_number(text)) {
        return record_reject(error, "number is not as JSON writes numbers", field, "a JSON number",
                             (int64_t)text.len);
    }
    return 0;
}

static int ids_check(const struct field *f, const char *field, struct record_error *error) {
    if (f->text.len % 8 != 0) {
        return record_reject(error, "list of ids ends within an id", field, "8 bytes an id",
                             (int64_t)f->text.len);
    }
    size_t count = field_id_count(f);
    if (count > RECORD_IMAGES_MAX) {
        return record_reject(error, "too many images", field, "at most 64 images", (int64_t)count);
    }
    for (size_t i = 1; i < count; i++) {
        uint64_t id = field_id_at(f, i);
        for (size_t j = 0; j < i; j++) {
            if (field_id_at(f, j) == id) {
                return record_reject(error, "an image is named twice", field, "each id once",
                                     (int64_t)id);
            }
        }
    }
    return 0;
}

static int name_check(const struct field *f, struct record_error *error) {
    if (f->id != FIELD_ATTRIBUTE) {
        return f->name.len == 0 ? 0
                                : record_reject(error, "only attributes have names",
                                                kinds[f->id].name, "no name", (int64_t)f->name.len);
    }
    if (f->name.len == 0) {
        return record_reject(error, "attribute has no name", "attribute", "1 to 255 bytes", 0);
    }
    return text_check(f->name, "attribute name", NAME_MAX_BYTES, "1 to 255 bytes", error);
}

static int value_check(const struct field *f, struct record_error *error) {
    const char *name = kinds[f->id].name;
    switch (f->type) {
    case VALUE_NULL:
        return 0;
    case VALUE_TEXT:
        return text_check(f->text, name, RECORD_TEXT_MAX, "at most 20480 bytes", error);
    case VALUE_INTEGER:
        return f->id != FIELD_PRICE || f->integer >= 0
                   ? 0
                   : record_reject(error, "price is negative", name, "0 or more", f->integer);
    case VALUE_NUMBER:
        return number_check(f->text, name, error);
    case VALUE_IDS:
        return ids_check(f, name, error);
    }
    return record_reject(error, "unknown type of value", name, kinds[f->id].expected, f->type);
}

static int check(const struct field *f, bool any_type, struct record_error *error) {
    if (f->id < FIELD_TITLE || f->id > FIELD_ATTRIBUTE) {
        return record_reject(error, "unknown field", "field", "an id from 1 to 8", f->id);
    }
    if (f->type < VALUE_NULL || f->type > VALUE_IDS ||
        (!any_type && f->type != VALUE_NULL && (kinds[f->id].takes & TAKES(f->type)) == 0)) {
        return record_reject(error, "value is of the wrong type", kinds[f->id].name,
                             kinds[f->id].expected, f->type);
    }
    return name_check(f, error) != 0 ? -1 : value_check(f, error);
}

int field_check(const struct field *f, struct record_error *error) {
    return check(f, false, error);
}

int field_check_claimed(const struct field *f, struct record_error *error) {
    return check(f, true, error);
}
