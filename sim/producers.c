#include "sim/producers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/record.h"

enum { FIELDS_MAX = 2 * RECORD_FIELDS_MAX };

struct producers {
    const struct workload_contract *contracts;
    size_t count;
    vtime start;
    uint64_t seed;
    struct field fields[FIELDS_MAX];
    struct field row[FIELDS_MAX];
    char price[32];
    char meaning[RECORD_BYTES_MAX];
    char written[RECORD_BYTES_MAX];
};

struct producers *producers_new(const struct workload_contract *contracts, size_t count,
                                vtime start, uint64_t seed) {
    struct producers *p = malloc(sizeof *p);
    if (p != NULL) {
        p->contracts = contracts;
        p->count = count;
        p->start = start;
        p->seed = seed;
    }
    return p;
}

void producers_free(struct producers *p) {
    free(p);
}

/* The same numbers for the same key, whatever else happens. */
static uint64_t draw(const struct producers *p, size_t contract, uint64_t key, uint64_t more) {
    uint64_t parts[4] = {p->seed, contract, key, more};
    return XXH3_64bits(parts, sizeof parts);
}

/* The producer of the key has moved to that contract. */
static bool has_moved(const struct producers *p, size_t i, const struct workload_op *op) {
    const struct workload_contract *contract = &p->contracts[i];
    return contract->feed == op->topic && vtime_diff(op->at, p->start) >= contract->from_ns &&
           draw(p, i, op->key, 0) % 1000000 < contract->share_ppm;
}

/* The contract that the producer of the key has moved to last, or NULL. */
static const struct workload_contract *contract_of(const struct producers *p,
                                                   const struct workload_op *op) {
    const struct workload_contract *found = NULL;
    for (size_t i = 0; i < p->count; i++) {
        found = has_moved(p, i, op) ? &p->contracts[i] : found;
    }
    return found;
}

/* Puts the attribute in its place by name; one of that name is replaced. */
static size_t attribute_put(struct field *fields, size_t count, struct field attribute) {
    size_t at = 0;
    while (at < count && (fields[at].id != FIELD_ATTRIBUTE ||
                          bytes_compare(fields[at].name, attribute.name) < 0)) {
        at++;
    }
    bool there = at < count && bytes_equal(fields[at].name, attribute.name);
    if (!there) {
        memmove(&fields[at + 1], &fields[at], (count - at) * sizeof *fields);
    }
    fields[at] = attribute;
    return count + !there;
}

/* The attribute that came with a contract, for a record. */
static struct field attribute_of(const struct producers *p, size_t i,
                                 const struct workload_op *op) {
    const struct workload_contract *contract = &p->contracts[i];
    uint64_t value = draw(p, i, op->key, op->stamp.id.lo);
    return (struct field){.id = FIELD_ATTRIBUTE,
                          .type = VALUE_INTEGER,
                          .name = bytes_of(contract->attribute),
                          .integer = 1 + (int64_t)(value % contract->attribute_max)};
}

/* Adds the attributes of every contract that the producer has moved to, to the record's fields and
 * to the application's row. Returns how many fields there are. */
static size_t attributes_add(struct producers *p, size_t count, struct workload_op *op) {
    size_t row_count = op->listing.attribute_count;
    bool has_row = op->through_oltp && row_count + p->count <= FIELDS_MAX;
    if (has_row && row_count > 0) {
        memcpy(p->row, op->listing.attributes, row_count * sizeof *p->row);
    }
    for (size_t i = 0; i < p->count && count < RECORD_FIELDS_MAX; i++) {
        if (p->contracts[i].attribute != NULL && has_moved(p, i, op)) {
            struct field attribute = attribute_of(p, i, op);
            count = attribute_put(p->fields, count, attribute);
            row_count = has_row ? attribute_put(p->row, row_count, attribute) : row_count;
        }
    }
    if (has_row) {
        op->listing.attribute_count = row_count;
        op->listing.attributes = p->row;
    }
    return count;
}

/* 1/10,000 as decimal text. */
static void price_to_text(struct producers *p, struct field *field) {
    int length = snprintf(p->price, sizeof p->price, "%" PRId64 ".%04" PRId64,
                          field->integer / 10000, field->integer % 10000);
    field->type = VALUE_TEXT;
    field->text = (struct bytes){p->price, (size_t)length};
}

static struct bytes encoded(const struct record *r, const struct field *fields, size_t count,
                            char *buffer) {
    int64_t length = record_encode(r, fields, count, buffer, RECORD_BYTES_MAX);
    assert(length > 0);
    return (struct bytes){buffer, (size_t)length};
}

void producers_write(struct producers *p, struct workload_op *op) {
    const struct workload_contract *contract = contract_of(p, op);
    struct record r;
    struct record_error error;
    op->meaning = op->value;
    if (op->kind == OP_POISON || contract == NULL || record_decode(op->value, &r, &error) != 0) {
        return;
    }
    r.contract_version = (uint16_t)contract->version;
    size_t count = 0;
    struct field field;
    for (struct field_cursor c = record_fields(&r); record_fields_next(&c, &field);) {
        p->fields[count++] = field;
    }
    if (r.type == RECORD_LISTING && r.op == RECORD_UPSERT) {
        count = attributes_add(p, count, op);
    }
    op->meaning = op->value = encoded(&r, p->fields, count, p->meaning);
    for (size_t i = 0; contract->price_as_text && i < count; i++) {
        if (p->fields[i].id == FIELD_PRICE && p->fields[i].type == VALUE_INTEGER) {
            price_to_text(p, &p->fields[i]);
            op->value = encoded(&r, p->fields, count, p->written);
        }
    }
}
