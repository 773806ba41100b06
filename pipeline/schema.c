#include "pipeline/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "pipeline/array.h"
#include "pipeline/record.h"

static const char *const type_names[SCHEMA_TYPE_COUNT] = {
#define SCHEMA_TYPE_NAME(identifier, name) [SCHEMA_ORDER_##identifier] = (name),
    SCHEMA_TYPES(SCHEMA_TYPE_NAME)
#undef SCHEMA_TYPE_NAME
};

const struct schema_mode_about *schema_mode_about(enum schema_mode mode) {
    static const struct schema_mode_about table[SCHEMA_MODE_COUNT] = {
#define SCHEMA_MODE_ROW(identifier, name, backward, forward, transitive, about)                    \
    {name, backward, forward, transitive, about},
        SCHEMA_MODES(SCHEMA_MODE_ROW)
#undef SCHEMA_MODE_ROW
    };
    assert(mode < SCHEMA_MODE_COUNT);
    return &table[mode];
}

#define ATTRIBUTE_PREFIX "attribute."
static const struct bytes wildcard = {"*", 1};

/* ---- Words ---- */

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes trimmed(struct bytes text) {
    while (text.len > 0 && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* Cuts the text up to the first of the marks off its front; false when nothing is left. */
static bool cut(struct bytes *rest, const char *marks, struct bytes *out) {
    if (rest->data == NULL) {
        return false;
    }
    size_t end = 0;
    while (end < rest->len && strchr(marks, rest->data[end]) == NULL) {
        end++;
    }
    *out = trimmed((struct bytes){rest->data, end});
    *rest = end == rest->len ? (struct bytes){NULL, 0}
                             : (struct bytes){rest->data + end + 1, rest->len - end - 1};
    return true;
}

static bool is_word(struct bytes text, const char *word) {
    return bytes_equal(text, bytes_of(word));
}

/* Takes a word and what follows it, as in "max 300". */
static bool has_word(struct bytes clause, const char *word, struct bytes *rest) {
    size_t length = strlen(word);
    if (clause.len <= length || memcmp(clause.data, word, length) != 0 ||
        !is_space(clause.data[length])) {
        return false;
    }
    *rest = trimmed((struct bytes){clause.data + length, clause.len - length});
    return true;
}

static bool integer_of(struct bytes text, int64_t *out) {
    bool negative = text.len > 0 && text.data[0] == '-';
    uint64_t value = 0;
    if (text.len == negative || text.len > 19u + negative) {
        return false;
    }
    for (size_t i = negative; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (value > (uint64_t)INT64_MAX) {
        return false;
    }
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* ---- Sentences ---- */

static int refuse(struct sentence *error, struct bytes what, const char *why) {
    *error = sentence_begin();
    sentence_add_bytes(error, what);
    sentence_add(error, why);
    return -EINVAL;
}

void schema_field_name(const struct schema_field *field, struct sentence *out) {
    sentence_add(out, field->attribute ? ATTRIBUTE_PREFIX : "");
    sentence_add_bytes(out, field->name);
}

static const char *unit_of(unsigned type) {
    return type == SCHEMA_TEXT ? " bytes" : type == SCHEMA_IDS ? " ids" : "";
}

void schema_expected(const struct schema_field *field, struct sentence *out) {
    unsigned types = field->types;
    size_t said = 0;
    for (size_t i = 0; i < SCHEMA_TYPE_COUNT; i++) {
        if ((types >> i & 1) == 0) {
            continue;
        }
        bool last = types >> (i + 1) == 0;
        sentence_add(out, said++ == 0 ? "" : last ? " or " : ", ");
        sentence_add(out, type_names[i]);
        if (1u << i == SCHEMA_NULL || (!field->has_min && !field->has_max)) {
            continue;
        }
        const char *unit = unit_of(1u << i);
        sentence_add(out, *unit != '\0' ? " of " : " ");
        if (field->has_min && field->has_max) {
            sentence_add(out, *unit != '\0' ? "" : "from ");
            sentence_add_integer(out, field->min);
            sentence_add(out, " to ");
        } else {
            sentence_add(out, field->has_min ? "at least " : "at most ");
        }
        sentence_add_integer(out, field->has_max ? field->max : field->min);
        sentence_add(out, unit);
    }
}

/* ---- Reading ---- */

static int field_order(const struct schema_field *a, bool attribute, struct bytes name) {
    return a->attribute != attribute ? (a->attribute ? 1 : -1) : bytes_compare(a->name, name);
}

/* The place of a name, whether it is there or not. */
static size_t place_of(const struct schema *schema, bool attribute, struct bytes name) {
    size_t from = 0, end = schema->count;
    while (from < end) {
        size_t middle = from + (end - from) / 2;
        if (field_order(&schema->fields[middle], attribute, name) < 0) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from;
}

static bool is_at(const struct schema *schema, size_t at, bool attribute, struct bytes name) {
    return at < schema->count && field_order(&schema->fields[at], attribute, name) == 0;
}

const struct schema_field *schema_find(const struct schema *schema, bool attribute,
                                       struct bytes name) {
    size_t at = place_of(schema, attribute, name);
    if (is_at(schema, at, attribute, name)) {
        return &schema->fields[at];
    }
    at = attribute ? place_of(schema, true, wildcard) : schema->count;
    return is_at(schema, at, true, wildcard) ? &schema->fields[at] : NULL;
}

static int read_clause(struct bytes clause, struct schema_field *field, struct sentence *error) {
    for (size_t i = 0; i < SCHEMA_TYPE_COUNT; i++) {
        if (is_word(clause, type_names[i])) {
            field->types |= 1u << i;
            return 0;
        }
    }
    struct bytes rest;
    if (is_word(clause, "required")) {
        field->required = true;
    } else if (has_word(clause, "min", &rest) && !field->has_min && integer_of(rest, &field->min)) {
        field->has_min = true;
    } else if (has_word(clause, "max", &rest) && !field->has_max && integer_of(rest, &field->max)) {
        field->has_max = true;
    } else if (has_word(clause, "default", &rest) && !field->has_default) {
        field->has_default = true;
        field->fallback = rest;
    } else {
        return refuse(error, clause,
                      ": not a type (text, integer, number, ids, decimal, null) nor required, "
                      "min N, max N, default VALUE");
    }
    return 0;
}

/* The widest limits that a type has. */
static void widest(unsigned type, int64_t *min, int64_t *max) {
    bool counts = type == SCHEMA_TEXT || type == SCHEMA_IDS;
    *min = counts ? 0 : INT64_MIN;
    *max = type == SCHEMA_TEXT  ? RECORD_TEXT_MAX
           : type == SCHEMA_IDS ? RECORD_IMAGES_MAX
                                : INT64_MAX;
}

static int check_limits(struct schema_field *field, struct sentence *error) {
    unsigned type = field->types & ~(unsigned)SCHEMA_NULL;
    bool single = type != 0 && (type & (type - 1)) == 0 && type != SCHEMA_NUMBER;
    if ((field->has_min || field->has_max) && !single) {
        return refuse(error, field->name,
                      ": min and max need one type of text, integer, ids and decimal");
    }
    int64_t min, max;
    widest(type, &min, &max);
    field->min = field->has_min ? field->min : min;
    field->max = field->has_max ? field->max : max;
    return field->min >= min && field->max <= max && field->min <= field->max
               ? 0
               : refuse(error, field->name, ": nothing lies between its min and its max");
}

static bool default_fits(const struct schema_field *field) {
    int64_t value;
    unsigned types = field->types;
    bool limited = field->has_min || field->has_max;
    if ((types & SCHEMA_NULL) != 0 && is_word(field->fallback, "null")) {
        return true;
    }
    if ((types & (SCHEMA_INTEGER | SCHEMA_NUMBER)) != 0 && integer_of(field->fallback, &value)) {
        return !limited || (value >= field->min && value <= field->max);
    }
    return (types & SCHEMA_TEXT) != 0 && (!limited || ((int64_t)field->fallback.len >= field->min &&
                                                       (int64_t)field->fallback.len <= field->max));
}

static int check_field(struct schema_field *field, struct sentence *error) {
    if (field->types == 0) {
        return refuse(error, field->name, ": has no type");
    }
    if (check_limits(field, error) != 0) {
        return -EINVAL;
    }
    if (field->has_default && !default_fits(field)) {
        return refuse(error, field->name, ": its default is no value that it takes");
    }
    bool any = field->attribute && bytes_equal(field->name, wildcard);
    return any && (field->required || field->has_default)
               ? refuse(error, field->name,
                        ": what stands for any attribute cannot be required "
                        "and has no default")
               : 0;
}

static int read_name(struct bytes name, struct schema_field *field, struct sentence *error) {
    size_t prefix = strlen(ATTRIBUTE_PREFIX);
    field->name = name;
    if (name.len >= prefix && memcmp(name.data, ATTRIBUTE_PREFIX, prefix) == 0) {
        field->attribute = true;
        field->name = (struct bytes){name.data + prefix, name.len - prefix};
    }
    return field->name.len > 0 ? 0 : refuse(error, name, ": a field without a name");
}

static int read_field(struct schema *schema, struct bytes statement, struct sentence *error) {
    struct schema_field field = {0};
    struct bytes rest = statement, part;
    cut(&rest, ":", &part);
    if (read_name(part, &field, error) != 0) {
        return -EINVAL;
    }
    while (cut(&rest, ",", &part)) {
        if (read_clause(part, &field, error) != 0) {
            return -EINVAL;
        }
    }
    if (check_field(&field, error) != 0) {
        return -EINVAL;
    }
    size_t at = place_of(schema, field.attribute, field.name);
    if (is_at(schema, at, field.attribute, field.name)) {
        return refuse(error, field.name, ": stated twice");
    }
    if (schema->count == RECORD_FIELDS_MAX) {
        return refuse(error, field.name, ": more than 1000 fields");
    }
    if (ARRAY_RESERVE(schema->fields, schema->capacity, schema->count + 1) != 0) {
        return -ENOMEM;
    }
    memmove(&schema->fields[at + 1], &schema->fields[at],
            (schema->count - at) * sizeof *schema->fields);
    schema->fields[at] = field;
    schema->count++;
    return 0;
}

static enum schema_mode mode_of(struct bytes name) {
    for (int mode = SCHEMA_MODE_UNSAID + 1; mode < SCHEMA_MODE_COUNT; mode++) {
        if (is_word(name, schema_mode_about((enum schema_mode)mode)->name)) {
            return (enum schema_mode)mode;
        }
    }
    return SCHEMA_MODE_UNSAID;
}

static int read_statement(struct schema *schema, struct bytes statement, struct sentence *error) {
    struct bytes rest;
    if (statement.len == 0) {
        return 0;
    }
    if (has_word(statement, "version", &rest)) {
        int64_t version;
        bool right = schema->version == 0 && integer_of(rest, &version) && version > 0 &&
                     version <= RECORD_CONTRACT_VERSION_MAX;
        schema->version = right ? (uint16_t)version : 0;
        return right ? 0 : refuse(error, statement, ": one version from 1 to 999");
    }
    if (has_word(statement, "mode", &rest)) {
        bool first = schema->mode == SCHEMA_MODE_UNSAID;
        schema->mode = mode_of(rest);
        return first && schema->mode != SCHEMA_MODE_UNSAID
                   ? 0
                   : refuse(error, statement,
                            ": one of none, backward, forward, full, each with or without "
                            "-transitive");
    }
    return memchr(statement.data, ':', statement.len) != NULL
               ? read_field(schema, statement, error)
               : refuse(error, statement, ": not a statement");
}

static int read_statements(struct schema *schema, struct bytes text, struct sentence *error) {
    struct bytes line, statement;
    while (cut(&text, "\n", &line)) {
        struct bytes said = line;
        const char *comment = line.len > 0 ? memchr(line.data, '#', line.len) : NULL;
        if (comment != NULL) {
            said.len = (size_t)(comment - line.data);
        }
        while (cut(&said, ";", &statement)) {
            int failed = read_statement(schema, statement, error);
            if (failed != 0) {
                return failed;
            }
        }
    }
    struct bytes none = {NULL, 0};
    if (schema->version == 0 && schema->count > 0) {
        return refuse(error, none, "fields without a version");
    }
    return schema->version == 0 && schema->mode == SCHEMA_MODE_UNSAID
               ? refuse(error, none, "neither a version nor a mode")
               : 0;
}

int schema_parse(struct bytes text, struct schema *out, struct sentence *error) {
    *out = (struct schema){.text = memory_resize(NULL, text.len + 1)};
    if (out->text == NULL) {
        return -ENOMEM;
    }
    memcpy(out->text, text.len > 0 ? text.data : "", text.len);
    out->text[text.len] = '\0';
    int failed = read_statements(out, (struct bytes){out->text, text.len}, error);
    if (failed != 0) {
        schema_release(out);
    }
    return failed;
}

void schema_release(struct schema *schema) {
    free(schema->fields);
    free(schema->text);
    *schema = (struct schema){0};
}

/* ---- Writing ---- */

/* Counts what does not fit, so that one pass says how much room it takes. */
struct writer {
    char *buffer;
    size_t capacity, length;
};

static void put(struct writer *out, struct bytes text) {
    if (text.len > 0 && out->length + text.len <= out->capacity) {
        memcpy(out->buffer + out->length, text.data, text.len);
    }
    out->length += text.len;
}

static void put_limit(struct writer *out, const char *word, int64_t value) {
    struct sentence sentence = sentence_begin();
    sentence_add(&sentence, word);
    sentence_add_integer(&sentence, value);
    put(out, sentence_bytes(&sentence));
}

static void put_field(struct writer *out, const struct schema_field *field) {
    put(out, bytes_of(field->attribute ? ATTRIBUTE_PREFIX : ""));
    put(out, field->name);
    const char *before = ": ";
    for (size_t i = 0; i < SCHEMA_TYPE_COUNT; i++) {
        if ((field->types >> i & 1) != 0) {
            put(out, bytes_of(before));
            put(out, bytes_of(type_names[i]));
            before = ", ";
        }
    }
    put(out, bytes_of(field->required ? ", required" : ""));
    if (field->has_min) {
        put_limit(out, ", min ", field->min);
    }
    if (field->has_max) {
        put_limit(out, ", max ", field->max);
    }
    if (field->has_default) {
        put(out, bytes_of(", default "));
        put(out, field->fallback);
    }
    put(out, bytes_of("\n"));
}

size_t schema_text(const struct schema *schema, char *buffer, size_t capacity) {
    struct writer out = {buffer, capacity, 0};
    if (schema->version != 0) {
        put_limit(&out, "version ", schema->version);
        put(&out, bytes_of("\n"));
    }
    if (schema->mode != SCHEMA_MODE_UNSAID) {
        put(&out, bytes_of("mode "));
        put(&out, bytes_of(schema_mode_about(schema->mode)->name));
        put(&out, bytes_of("\n"));
    }
    for (size_t i = 0; i < schema->count; i++) {
        put_field(&out, &schema->fields[i]);
    }
    return out.length;
}
