#include "pipeline/contract.h"

#include <assert.h>
#include <errno.h>

#include "pipeline/field_check.h"

/* What is said of prices on the wire and of what else feeds carry. */
static const char *const carried[TOPIC_FEED_COUNT] = {
    [TOPIC_LISTING] = "version 1\n"
                      "title: text, null\n"
                      "description: text, null\n"
                      "locale: text, null\n"
                      "category: text, null\n"
                      "seller: integer, null\n"
                      "price: integer, null, min 0\n"
                      "image_ids: ids, null\n"
                      "attribute.*: text, integer, number, null\n",
    [TOPIC_MEDIA] = "version 1\n"
                    "image_id: integer, required\n"
                    "image_descriptor: text\n",
    [TOPIC_POLICY] = "version 1\n"
                     "seller_id: integer, required\n"
                     "status: integer, required, min 1, max 2\n",
    [TOPIC_ORDER] = "version 1\n"
                    "order_id: integer, required\n"
                    "quantity: integer, required, min 1\n"
                    "amount: integer, required, min 0\n"
                    "category: text, required\n",
    [TOPIC_PRIVACY] = "version 1\n"
                      "scope: integer, required, min 1, max 2\n"
                      "erasure_id: integer, required\n",
    [TOPIC_REFERENCE] = "version 1\n"
                        "table: integer, required, min 2, max 3\n"
                        "tokeniser: integer, required, min 0, max 2\n"
                        "key: text, required\n"
                        "value: text, required\n",
};

struct bytes contract_carried(enum topic_id feed) {
    assert(feed < TOPIC_FEED_COUNT);
    return bytes_of(carried[feed]);
}

int contract_widest(enum topic_id feed, struct schema *out) {
    struct sentence error;
    int failed = schema_parse(contract_carried(feed), out, &error);
    assert(failed != -EINVAL);
    for (size_t i = 0; i < out->count; i++) {
        if (!out->fields[i].attribute && bytes_equal(out->fields[i].name, bytes_of("price"))) {
            out->fields[i].types |= SCHEMA_DECIMAL;
        }
    }
    return failed;
}

/* ---- What a record says ---- */

struct said {
    bool attribute;
    struct bytes name;
    enum value_type type;
    int64_t integer;
    struct bytes text;
};

static struct said said_integer(const char *name, uint64_t value) {
    return (struct said){.name = bytes_of(name), .type = VALUE_INTEGER, .integer = (int64_t)value};
}

static struct said said_text(const char *name, struct bytes text) {
    return (struct said){.name = bytes_of(name), .type = VALUE_TEXT, .text = text};
}

/* Walks what a record says, field by field. */
struct said_cursor {
    const struct record *record;
    struct field_cursor fields;
    size_t at;
};

static struct said_cursor said_begin(const struct record *record) {
    return (struct said_cursor){record, record_fields(record), 0};
}

static bool listing_next(struct said_cursor *cursor, struct said *out) {
    struct field field;
    if (!record_fields_next(&cursor->fields, &field)) {
        return false;
    }
    bool attribute = field.id == FIELD_ATTRIBUTE;
    *out = (struct said){
        .attribute = attribute,
        .name = attribute ? field.name : bytes_of(field_id_name(field.id)),
        .type = field.type,
        .integer = field.integer,
        .text = field.text,
    };
    return true;
}

static bool said_next(struct said_cursor *cursor, struct said *out) {
    const struct record *r = cursor->record;
    size_t at = cursor->at++;
    switch (r->type) {
    case RECORD_LISTING:
        return listing_next(cursor, out);
    case RECORD_MEDIA:
        *out = at == 0 ? said_integer("image_id", r->image_id)
                       : said_text("image_descriptor", r->image_descriptor);
        return at < 2;
    case RECORD_POLICY:
        *out =
            at == 0 ? said_integer("seller_id", r->seller_id) : said_integer("status", r->status);
        return at < 2;
    case RECORD_ORDER:
        *out = at == 0   ? said_integer("order_id", r->order_id)
               : at == 1 ? said_integer("quantity", (uint64_t)r->quantity)
               : at == 2 ? said_integer("amount", (uint64_t)r->amount)
                         : said_text("category", r->order_category);
        return at < 4;
    case RECORD_ERASURE:
        *out = at == 0 ? said_integer("scope", r->erasure_scope)
                       : said_integer("erasure_id", r->erasure_id);
        return at < 2;
    case RECORD_REFERENCE:
        *out = at == 0   ? said_integer("table", r->reference.table)
               : at == 1 ? said_integer("tokeniser", r->reference.tokeniser)
               : at == 2 ? said_text("key", r->reference.key)
                         : said_text("value", r->reference.value);
        return at < 4;
    default:
        return false;
    }
}

static bool says(const struct record *record, const struct schema_field *field) {
    struct said said;
    for (struct said_cursor c = said_begin(record); said_next(&c, &said);) {
        if (said.attribute == field->attribute && bytes_equal(said.name, field->name)) {
            return true;
        }
    }
    return false;
}

/* ---- Checking ---- */

bool contract_decimal(struct bytes text, int64_t *out) {
    size_t at = text.len > 0 && text.data[0] == '-';
    bool negative = at == 1;
    size_t digits = 0, places = 0;
    bool point = false;
    int64_t value = 0;
    for (; at < text.len; at++) {
        char c = text.data[at];
        if (c == '.' && !point && digits > 0) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || places == 4 || value > (INT64_MAX - 9) / 10) {
            return false;
        }
        value = value * 10 + (c - '0');
        digits++;
        places += point;
    }
    if (digits == 0 || (point && places == 0)) {
        return false;
    }
    for (; places < 4; places++) {
        if (value > INT64_MAX / 10) {
            return false;
        }
        value *= 10;
    }
    *out = negative ? -value : value;
    return true;
}

static int violated(struct contract_violation *out, const char *reason, const struct said *said,
                    const struct schema_field *wanted, int64_t actual) {
    struct schema_field named = {.attribute = said->attribute, .name = said->name};
    out->reason = reason;
    out->field = sentence_begin();
    schema_field_name(&named, &out->field);
    out->expected = sentence_begin();
    if (wanted == NULL) {
        sentence_add(&out->expected, "no such field");
    } else {
        schema_expected(wanted, &out->expected);
    }
    out->actual = actual;
    return -1;
}

/* Does the value have one of the types? *measure is then what limits are about. */
static bool has_type(const struct schema_field *wanted, const struct said *said, int64_t *measure) {
    unsigned types = wanted->types;
    *measure = said->type == VALUE_INTEGER ? said->integer : (int64_t)said->text.len;
    switch (said->type) {
    case VALUE_NULL:
        return (types & SCHEMA_NULL) != 0;
    case VALUE_TEXT:
        return (types & SCHEMA_TEXT) != 0 ||
               ((types & SCHEMA_DECIMAL) != 0 && contract_decimal(said->text, measure));
    case VALUE_INTEGER:
        return (types & (SCHEMA_INTEGER | SCHEMA_NUMBER)) != 0;
    case VALUE_NUMBER:
        return (types & SCHEMA_NUMBER) != 0;
    case VALUE_IDS:
        *measure = (int64_t)said->text.len / 8;
        return (types & SCHEMA_IDS) != 0;
    }
    return false;
}

static int value_check(const struct schema *schema, const struct said *said,
                       struct contract_violation *violation) {
    const struct schema_field *wanted = schema_find(schema, said->attribute, said->name);
    if (wanted == NULL) {
        return violated(violation, "field is not in the contract", said, NULL, said->type);
    }
    int64_t measure;
    if (!has_type(wanted, said, &measure)) {
        return violated(violation,
                        said->type == VALUE_NULL ? "value is null" : "value is of the wrong type",
                        said, wanted, said->type);
    }
    bool limited = said->type != VALUE_NULL && (wanted->has_min || wanted->has_max);
    return limited && (measure < wanted->min || measure > wanted->max)
               ? violated(violation, "value is out of bounds", said, wanted, measure)
               : 0;
}

/* A listing record that names no seller says only what changed. */
static bool is_whole(const struct record *record) {
    static const struct schema_field seller = {.name = {"seller", 6}};
    return record->op == RECORD_UPSERT && (record->type != RECORD_LISTING || says(record, &seller));
}

int contract_check(const struct schema *schema, const struct record *record,
                   struct contract_violation *violation) {
    struct said said;
    for (struct said_cursor c = said_begin(record); said_next(&c, &said);) {
        if (value_check(schema, &said, violation) != 0) {
            return -1;
        }
    }
    if (!is_whole(record)) {
        return 0;
    }
    for (size_t i = 0; i < schema->count; i++) {
        const struct schema_field *field = &schema->fields[i];
        if (field->required && !says(record, field)) {
            said = (struct said){.attribute = field->attribute, .name = field->name};
            return violated(violation, "required field is missing", &said, field, 0);
        }
    }
    return 0;
}

/* ---- One form behind the router ---- */

bool contract_rewrites(const struct record *record) {
    struct field field;
    for (struct field_cursor c = record_fields(record); record_fields_next(&c, &field);) {
        if (field.id >= FIELD_PRICE) {
            return field.id == FIELD_PRICE && field.type == VALUE_TEXT;
        }
    }
    return false;
}

size_t contract_rewrite_bound(struct bytes value) {
    return value.len + sizeof(int64_t);
}

int64_t contract_rewrite(const struct record *record, struct field *room, char *buffer,
                         size_t capacity) {
    size_t count = 0;
    struct field field;
    for (struct field_cursor c = record_fields(record); record_fields_next(&c, &field);) {
        if (field.id == FIELD_PRICE && field.type == VALUE_TEXT) {
            int64_t price;
            bool decimal = contract_decimal(field.text, &price);
            assert(decimal);
            (void)decimal;
            field = (struct field){.id = FIELD_PRICE, .type = VALUE_INTEGER, .integer = price};
        }
        room[count++] = field;
    }
    return record_encode(record, room, count, buffer, capacity);
}
