#include "sim/oltp_row.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/document.h"
#include "pipeline/fact.h"
#include "pipeline/little_endian.h"
#include "pipeline/ports.h"

#define OWN_FIELDS 7 /* fields of a listing that are no attributes */

bool oltp_listing_says(const struct oltp_listing *row) {
    return row->seller_id != 0 || row->title.len > 0 || row->description.len > 0 ||
           row->category.len > 0 || row->locale.len > 0 || row->image_ids.len > 0 ||
           row->price >= 0 || row->attribute_count > 0;
}

/* ---- attributes ---- */

size_t oltp_attributes_bound(const struct field *attributes, size_t count) {
    size_t bound = 0;
    for (size_t i = 0; i < count; i++) {
        bound += 1 + 2 + 8 + attributes[i].name.len + attributes[i].text.len;
    }
    return bound;
}

static char *put_bytes(char *at, struct bytes bytes) {
    if (bytes.len > 0) {
        memcpy(at, bytes.data, bytes.len);
    }
    return at + bytes.len;
}

/* One attribute: type, length of name, name, then 8 bytes of integer or of length and text. */
static char *pack_attribute(char *at, const struct field *f) {
    assert(f->id == FIELD_ATTRIBUTE && f->name.len <= UINT16_MAX);
    at = le8_put(at, (uint8_t)f->type);
    at = le16_put(at, (uint16_t)f->name.len);
    at = put_bytes(at, f->name);
    if (f->type == VALUE_TEXT || f->type == VALUE_NUMBER) {
        at = le64_put(at, f->text.len);
        return put_bytes(at, f->text);
    }
    return le64_put(at, (uint64_t)(f->type == VALUE_INTEGER ? f->integer : 0));
}

size_t oltp_attributes_pack(const struct field *attributes, size_t count, char *buffer) {
    char *at = buffer;
    for (size_t i = 0; i < count; i++) {
        assert(i == 0 || bytes_compare(attributes[i - 1].name, attributes[i].name) < 0);
        at = pack_attribute(at, &attributes[i]);
    }
    return (size_t)(at - buffer);
}

bool oltp_attribute_next(struct bytes packed, size_t *at, struct field *out) {
    if (*at >= packed.len) {
        return false;
    }
    const char *p = packed.data + *at;
    *out = (struct field){.id = FIELD_ATTRIBUTE, .type = (enum value_type)le8_get(p)};
    out->name = (struct bytes){p + 3, le16_get(p + 1)};
    p += 3 + out->name.len;
    uint64_t number = le64_get(p);
    p += 8;
    if (out->type == VALUE_TEXT || out->type == VALUE_NUMBER) {
        out->text = (struct bytes){p, (size_t)number};
        p += number;
    } else if (out->type == VALUE_INTEGER) {
        out->integer = (int64_t)number;
    }
    *at = (size_t)(p - packed.data);
    return true;
}

/* They stand behind the place for the row's own fields, where a record wants them. */
int oltp_attributes_unpack(struct oltp_encoder *e, struct bytes packed, struct oltp_listing *row) {
    size_t count = 0;
    struct field attribute;
    for (size_t at = 0; oltp_attribute_next(packed, &at, &attribute); count++) {
        if (ARRAY_RESERVE(e->fields, e->field_capacity, OWN_FIELDS + count + 1) != 0) {
            return PORT_NO_MEMORY;
        }
        e->fields[OWN_FIELDS + count] = attribute;
    }
    row->attributes = count == 0 ? NULL : e->fields + OWN_FIELDS;
    row->attribute_count = count;
    return 0;
}

struct field *oltp_attribute(struct oltp_encoder *e, size_t i) {
    return &e->fields[OWN_FIELDS + i];
}

/* ---- records made from rows ---- */

void oltp_encoder_release(struct oltp_encoder *e) {
    free(e->encoded);
    free(e->fields);
    *e = (struct oltp_encoder){0};
}

static struct field text_field(enum field_id id, struct bytes text) {
    return (struct field){.id = id, .type = text.data == 0 ? VALUE_NULL : VALUE_TEXT, .text = text};
}

static struct field integer_field(enum field_id id, bool null, int64_t value) {
    return (struct field){
        .id = id, .type = null ? VALUE_NULL : VALUE_INTEGER, .integer = null ? 0 : value};
}

static int encode(struct oltp_encoder *e, const struct record *record, size_t field_count,
                  struct bytes *out) {
    size_t bound = record_encoded_bound(record, e->fields, field_count);
    if (ARRAY_RESERVE(e->encoded, e->encoded_capacity, bound + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    int64_t length = record_encode(record, e->fields, field_count, e->encoded, e->encoded_capacity);
    assert(length > 0);
    *out = (struct bytes){e->encoded, (size_t)length};
    return 0;
}

int oltp_encode_listing(struct oltp_encoder *e, uint64_t listing_id, struct stamp stamp,
                        const struct oltp_listing *row, struct bytes *out) {
    struct record record = {
        .type = RECORD_LISTING,
        .op = row == 0 ? RECORD_DELETE : RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = stamp,
        .subject_id = listing_id,
        .sections = SECTION_REPAIR,
    };
    size_t count = 0;
    if (row != 0) {
        if (ARRAY_RESERVE(e->fields, e->field_capacity, OWN_FIELDS) != 0) {
            return PORT_NO_MEMORY;
        }
        assert(row->attribute_count == 0 || row->attributes == e->fields + OWN_FIELDS);
        e->fields[count++] = text_field(FIELD_TITLE, row->title);
        e->fields[count++] = text_field(FIELD_DESCRIPTION, row->description);
        e->fields[count++] = text_field(FIELD_LOCALE, row->locale);
        e->fields[count++] = text_field(FIELD_CATEGORY, row->category);
        e->fields[count++] =
            integer_field(FIELD_SELLER, row->seller_id == 0, (int64_t)row->seller_id);
        e->fields[count++] = integer_field(FIELD_PRICE, row->price < 0, row->price);
        e->fields[count] = text_field(FIELD_IMAGE_IDS, row->image_ids);
        if (e->fields[count].type == VALUE_TEXT) {
            e->fields[count].type = VALUE_IDS;
        }
        count++;
        assert(count == OWN_FIELDS);
        count += row->attribute_count;
    }
    return encode(e, &record, count, out);
}

int oltp_encode_seller(struct oltp_encoder *e, uint64_t seller_id, enum policy_status status,
                       struct stamp stamp, struct bytes *out) {
    struct record record = {
        .type = RECORD_POLICY,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = stamp,
        .subject_id = seller_id,
        .seller_id = seller_id,
        .status = status,
        .sections = SECTION_REPAIR,
    };
    return encode(e, &record, 0, out);
}

int oltp_encode_reference(struct oltp_encoder *e, const struct reference_row *row,
                          struct stamp stamp, struct bytes *out) {
    struct record record = {
        .type = RECORD_REFERENCE,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = stamp,
        .subject_id = reference_key(row),
        .sections = SECTION_REPAIR,
        .reference = *row,
    };
    return encode(e, &record, 0, out);
}

int oltp_encode_order(struct oltp_encoder *e, const struct order_row *order, struct bytes *out) {
    bool corrected = order->placed.ns != order->stamp.ts.ns;
    struct record record = {
        .type = RECORD_ORDER,
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = order->stamp,
        .subject_id = order->listing_id,
        .order_id = order->order_id,
        .placed = {corrected ? order->placed.ns : 0},
        .quantity = order->quantity,
        .amount = order->amount,
        .order_category = order->category,
        .sections = SECTION_REPAIR,
    };
    return encode(e, &record, 0, out);
}

int oltp_hash_listing(struct oltp_encoder *e, const struct oltp_listing *row, uint64_t *hash) {
    *hash = 0;
    struct bytes encoded;
    if (oltp_encode_listing(e, row->listing_id, row->stamp, row->deleted ? 0 : row, &encoded) !=
        0) {
        return PORT_NO_MEMORY;
    }
    struct record record;
    struct record_error error;
    if (record_decode(encoded, &record, &error) != 0) {
        return 0;
    }
    struct document document;
    document_init(&document, row->listing_id);
    int rc = document_fold(&document, &record, doc_version_pack(0, 0), row->stamp.ts, 0);
    if (rc >= 0) {
        struct document_digest digest;
        document_digest(&document, &digest);
        *hash = digest.source;
    }
    document_release(&document);
    return rc < 0 ? PORT_NO_MEMORY : 0;
}
