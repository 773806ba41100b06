#include "pipeline/record.h"
#include "pipeline/xxh3.h"

#include <assert.h>

#include "pipeline/field_check.h"
#include "pipeline/format.h"
#include "pipeline/little_endian.h"
#include "pipeline/record_parts.h"

/* Offsets in the header, and sizes of the parts; the layout is in record.h. */
enum {
    AT_FORMAT = 0,
    AT_TYPE = 1,
    AT_OP = 2,
    AT_SECTIONS = 3,
    AT_LENGTH = 4,
    AT_CHECKSUM = 8,
    AT_CONTRACT = 12,
    AT_FIELD_COUNT = 14,
    AT_EVENT_ID = 16,
    AT_EVENT_TS = 32,
    AT_SUBJECT = 40,
    HEADER_BYTES = 48,

    FIELD_BYTES = 8,
    MEDIA_BYTES = 12,
    POLICY_BYTES = 9,
    ORDER_BYTES = 36,
    CONTROL_BYTES = 38,
    AUDIT_BYTES = 14 + 8 * AUDIT_MODALITIES,
    ERASURE_BYTES = 13,
    CERTIFICATE_BYTES = 21,

    REFERENCE_BYTES = 10
};

/*
 * The hash starts behind the checksum; the four bytes that open the record come in by a product
 * with an odd number, which maps different openings to different sums. The length needs no cover:
 * it must equal the size of the input.
 */
static uint32_t checksum_of(const char *record, size_t len) {
    uint32_t opening = le32_get(record + AT_FORMAT);
    return (uint32_t)XXH3_64bits(record + AT_CONTRACT, len - AT_CONTRACT) + opening * 0x9E3779B1u;
}

const char *record_type_name(enum record_type type) {
    static const char *const names[RECORD_TYPE_END] = {
        [RECORD_LISTING] = "listing",
        [RECORD_MEDIA] = "media",
        [RECORD_POLICY] = "policy",
        [RECORD_ORDER] = "order",
        [RECORD_CONTROL] = "control",
        [RECORD_ERASURE] = "erasure",
        [RECORD_AUDIT] = "audit",
        [RECORD_REFERENCE] = "reference",
        [RECORD_CERTIFICATE] = "certificate",
    };
    return type > 0 && type < RECORD_TYPE_END ? names[type] : NULL;
}

/* ---- decoding ---- */

static int reject_frame(struct record_error *error, const char *reason, const char *expected,
                        int64_t actual) {
    return record_reject(error, reason, "record", expected, actual);
}

/* The format of a record with these sections: one that only the second format has makes it one. */
static uint8_t format_of(unsigned sections) {
    return sections & SECTION_WRITER ? FORMAT_SEALED : FORMAT_BARE;
}

/* Format, length and checksum: after this the bytes are what their producer wrote. */
static int check_frame(struct bytes input, struct record_error *error) {
    if (input.len < HEADER_BYTES) {
        return reject_frame(error, "record is cut off", "a header of 48 bytes", (int64_t)input.len);
    }
    if (input.len > RECORD_BYTES_MAX) {
        return reject_frame(error, "record is too long", "at most 1048576 bytes",
                            (int64_t)input.len);
    }
    uint8_t format = le8_get(input.data + AT_FORMAT);
    if (format != FORMAT_BARE && format != format_of(le8_get(input.data + AT_SECTIONS))) {
        return reject_frame(error, "unknown format", "format 1", format); /* a producer's */
    }
    uint32_t length = le32_get(input.data + AT_LENGTH);
    if (length != input.len) {
        return reject_frame(error, "length is not the size of the record",
                            "as many bytes as there are", length);
    }
    if (le32_get(input.data + AT_CHECKSUM) != checksum_of(input.data, input.len)) {
        return reject_frame(error, "checksum does not match", "the checksum of the bytes",
                            le32_get(input.data + AT_CHECKSUM));
    }
    return 0;
}

uint8_t record_format(struct bytes input) {
    bool framed = input.len >= HEADER_BYTES && input.len <= RECORD_BYTES_MAX &&
                  le32_get(input.data + AT_LENGTH) == input.len &&
                  le32_get(input.data + AT_CHECKSUM) == checksum_of(input.data, input.len);
    return framed ? le8_get(input.data + AT_FORMAT) : 0;
}

static int check_kind(const char *data, struct record_error *error) {
    uint8_t type = le8_get(data + AT_TYPE);
    uint8_t op = le8_get(data + AT_OP);
    if (type < RECORD_LISTING || type >= RECORD_TYPE_END) {
        return record_reject(error, "unknown type of record", "type", "1 to 9", type);
    }
    if (op != RECORD_UPSERT && op != RECORD_DELETE) {
        return record_reject(error, "unknown operation", "op", "1 or 2", op);
    }
    if (op == RECORD_DELETE && type != RECORD_LISTING && type != RECORD_MEDIA) {
        return record_reject(error, "only listings and media can be deleted", "op", "1", op);
    }
    uint8_t sections = le8_get(data + AT_SECTIONS);
    if ((sections & ~SECTIONS_KNOWN) != 0 || format_of(sections) != le8_get(data + AT_FORMAT)) {
        return record_reject(error, "unknown section", "sections", "bits 0 to 5", sections);
    }
    return 0;
}

static int decode_header(const char *data, struct record *out, struct record_error *error) {
    if (check_kind(data, error) != 0) {
        return -1;
    }
    *out = (struct record){
        .type = (enum record_type)le8_get(data + AT_TYPE),
        .op = (enum record_op)le8_get(data + AT_OP),
        .contract_version = le16_get(data + AT_CONTRACT),
        .stamp = {{(int64_t)le64_get(data + AT_EVENT_TS)},
                  {le64_get(data + AT_EVENT_ID), le64_get(data + AT_EVENT_ID + 8)}},
        .subject_id = le64_get(data + AT_SUBJECT),
        .field_count = le16_get(data + AT_FIELD_COUNT),
        .sections = le8_get(data + AT_SECTIONS),
    };
    if (out->contract_version < 1 || out->contract_version > RECORD_CONTRACT_VERSION_MAX) {
        return record_reject(error, "unknown contract version", "contract_version", "1 to 999",
                             out->contract_version);
    }
    if (!is_moment(out->stamp.ts.ns)) {
        return record_reject(error, "time is before 1970", "event_ts", "0 or more",
                             out->stamp.ts.ns);
    }
    bool of_listing =
        out->type == RECORD_LISTING || out->type == RECORD_MEDIA || out->type == RECORD_ORDER;
    if (of_listing && out->subject_id == 0) {
        return record_reject(error, "the id names no listing", "subject_id", "1 or more", 0);
    }
    bool has_fields = out->type == RECORD_LISTING && out->op == RECORD_UPSERT;
    if (!has_fields && out->field_count != 0) {
        return record_reject(error, "fields in a record that has none", "field_count", "0",
                             out->field_count);
    }
    if (out->field_count > RECORD_FIELDS_MAX) {
        return record_reject(error, "too many fields", "field_count", "at most 1000",
                             out->field_count);
    }
    return 0;
}

static size_t field_size(const char *at) {
    return FIELD_BYTES + (size_t)le16_get(at + 2) + le32_get(at + 4);
}

/* Reads the field whose bytes are known to be there. An INTEGER of another size than 8 is left 0:
 * check_field_size refused it, or will. */
static inline void read_field(const char *at, struct field *out) {
    size_t name_len = le16_get(at + 2);
    size_t value_len = le32_get(at + 4);
    const char *value = at + FIELD_BYTES + name_len;
    *out = (struct field){
        .id = (enum field_id)le8_get(at),
        .type = (enum value_type)le8_get(at + 1),
        .name = {at + FIELD_BYTES, name_len},
    };
    if (out->type == VALUE_INTEGER) {
        out->integer = value_len == 8 ? (int64_t)le64_get(value) : 0;
    } else {
        out->text = (struct bytes){value, value_len};
    }
}

static int check_field_size(const char *at, size_t left, struct record_error *error) {
    if (left < FIELD_BYTES || left < field_size(at)) {
        return record_reject(error, "record ends within a field", "field_count",
                             "as many fields as counted", (int64_t)left);
    }
    uint8_t type = le8_get(at + 1);
    uint32_t value_len = le32_get(at + 4);
    if (type == VALUE_INTEGER && value_len != 8) {
        return record_reject(error, "integer is not 8 bytes", "field", "8 bytes", value_len);
    }
    if (type == VALUE_NULL && value_len != 0) {
        return record_reject(error, "null has a value", "field", "0 bytes", value_len);
    }
    return 0;
}

static int decode_listing(struct bytes body, bool any_type, struct record *out,
                          struct record_error *error) {
    const char *at = body.data;
    const char *end = body.data + body.len;
    struct field before = {0};
    for (uint16_t i = 0; i < out->field_count; i++) {
        struct field f;
        if (check_field_size(at, (size_t)(end - at), error) != 0) {
            return -1;
        }
        read_field(at, &f);
        if ((any_type ? field_check_claimed(&f, error) : field_check(&f, error)) != 0) {
            return -1;
        }
        if (i > 0 && field_order(before.id, before.name, f.id, f.name) >= 0) {
            return record_reject(error, "fields are out of order or one comes twice",
                                 field_id_name(f.id), "ids and names that rise", i);
        }
        before = f;
        at += field_size(at);
    }
    if (at != end) {
        return reject_frame(error, "bytes are left over", "no byte after the fields", end - at);
    }
    out->field_bytes = body;
    return 0;
}

/* The text of u32 length that ends a body after `fixed` bytes. */
static int decode_tail(struct bytes body, size_t fixed, const char *field, struct bytes *out,
                       struct record_error *error) {
    if (body.len < fixed || le32_get(body.data + fixed - 4) != body.len - fixed) {
        return record_reject(error, "length of the text is not what is left of the record", field,
                             "the bytes up to the sections", (int64_t)body.len);
    }
    *out = (struct bytes){body.data + fixed, body.len - fixed};
    return text_check(*out, field, RECORD_TEXT_MAX, "at most 20480 bytes", error);
}

static int decode_media(struct bytes body, struct record *out, struct record_error *error) {
    if (decode_tail(body, MEDIA_BYTES, "image_descriptor", &out->image_descriptor, error) != 0) {
        return -1;
    }
    out->image_id = le64_get(body.data);
    return 0;
}

static int decode_policy(struct bytes body, struct record *out, struct record_error *error) {
    if (body.len != POLICY_BYTES) {
        return reject_frame(error, "policy event is of the wrong size", "9 bytes of body",
                            (int64_t)body.len);
    }
    uint8_t status = le8_get(body.data + 8);
    if (!is_status(status)) {
        return record_reject(error, "unknown policy status", "status", "1 or 2", status);
    }
    out->seller_id = le64_get(body.data);
    out->status = (enum policy_status)status;
    return 0;
}

static int decode_order(struct bytes body, struct record *out, struct record_error *error) {
    if (decode_tail(body, ORDER_BYTES, "order_category", &out->order_category, error) != 0) {
        return -1;
    }
    out->order_id = le64_get(body.data);
    out->placed = (vtime){(int64_t)le64_get(body.data + 8)};
    out->quantity = (int64_t)le64_get(body.data + 16);
    out->amount = (int64_t)le64_get(body.data + 24);
    if (!is_moment(out->placed.ns)) {
        return record_reject(error, "time is before 1970", "placed", "0 or more", out->placed.ns);
    }
    if (out->quantity < 1) {
        return record_reject(error, "quantity is not positive", "quantity", "1 or more",
                             out->quantity);
    }
    if (out->amount < 0) {
        return record_reject(error, "amount is negative", "amount", "0 or more", out->amount);
    }
    return 0;
}

static int decode_audit(struct bytes body, struct record *out, struct record_error *error) {
    if (body.len != AUDIT_BYTES) {
        return reject_frame(error, "audit record is of the wrong size", "38 bytes of body",
                            (int64_t)body.len);
    }
    struct audit_note *audit = &out->audit;
    *audit = (struct audit_note){
        .version = (int64_t)le64_get(body.data),
        .model_version = le32_get(body.data + 8),
        .modalities = le8_get(body.data + 12),
        .made = le8_get(body.data + 13),
    };
    for (size_t m = 0; m < AUDIT_MODALITIES; m++) {
        audit->content[m] = le64_get(body.data + 14 + 8 * m);
    }
    if (audit->modalities >= 1u << AUDIT_MODALITIES || (audit->made & ~audit->modalities) != 0) {
        return record_reject(error, "unknown modality", "modalities", "bits 0 to 2",
                             audit->modalities);
    }
    return 0;
}

static int decode_control(struct bytes body, struct record *out, struct record_error *error) {
    struct control *control = &out->control;
    if (decode_tail(body, CONTROL_BYTES, "control_text", &control->text, error) != 0) {
        return -1;
    }
    *control = (struct control){
        .kind = le16_get(body.data),
        .model_version = le32_get(body.data + 2),
        .model_other = le32_get(body.data + 6),
        .from = {(int64_t)le64_get(body.data + 10)},
        .to = {(int64_t)le64_get(body.data + 18)},
        .id = le64_get(body.data + 26),
        .text = control->text,
    };
    return 0;
}

static int decode_scope(const char *at, struct record *out, struct record_error *error) {
    uint8_t scope = le8_get(at);
    if (scope != ERASURE_LISTING && scope != ERASURE_SELLER) {
        return record_reject(error, "unknown scope of an erasure", "scope", "1 or 2", scope);
    }
    out->erasure_scope = (enum erasure_scope)scope;
    out->erasure_id = le64_get(at + 1);
    return 0;
}

static int decode_erasure(struct bytes body, struct record *out, struct record_error *error) {
    if (body.len != ERASURE_BYTES) {
        return reject_frame(error, "erasure is of the wrong size", "13 bytes of body",
                            (int64_t)body.len);
    }
    out->erasure_part = le32_get(body.data + 9);
    return decode_scope(body.data, out, error);
}

static int decode_certificate(struct bytes body, struct record *out, struct record_error *error) {
    size_t left = body.len < CERTIFICATE_BYTES ? 0 : body.len - CERTIFICATE_BYTES;
    size_t looks = body.len < CERTIFICATE_BYTES ? 1 : le32_get(body.data + 13);
    if (looks > left || left - looks != 8 * (size_t)le32_get(body.data + 17)) {
        return record_reject(error, "looks and ids are not what is left of the record",
                             "certificate_looks", "the bytes up to the sections",
                             (int64_t)body.len);
    }
    out->certificate_wave = le32_get(body.data + 9);
    out->certificate_looks = (struct bytes){body.data + CERTIFICATE_BYTES, looks};
    out->certificate_ids = (struct bytes){body.data + CERTIFICATE_BYTES + looks, left - looks};
    return decode_scope(body.data, out, error);
}

static int check_reference(const struct reference_row *row, struct record_error *error) {
    bool locale = row->table == FACT_LOCALE;
    if (row->table != FACT_CATEGORY && !locale) {
        return record_reject(error, "unknown reference table", "table", "2 or 3", row->table);
    }
    if (locale ? !is_tokeniser(row->tokeniser) : row->tokeniser != 0) {
        return record_reject(error, "unknown tokeniser", "tokeniser",
                             locale ? "1 or 2" : "0 for a category", row->tokeniser);
    }
    if (row->key.len == 0 || row->value.len == 0) {
        return record_reject(error, "empty text", row->key.len == 0 ? "key" : "value",
                             "at least 1 byte", 0);
    }
    return text_check(row->key, "key", FACT_VALUE_MAX, "at most 255 bytes", error) != 0
               ? -1
               : text_check(row->value, "value", FACT_VALUE_MAX, "at most 255 bytes", error);
}

static int decode_reference(struct bytes body, struct record *out, struct record_error *error) {
    size_t left = body.len < REFERENCE_BYTES ? 0 : body.len - REFERENCE_BYTES;
    if (body.len < REFERENCE_BYTES || le32_get(body.data + 2) > left ||
        le32_get(body.data + 6) != left - le32_get(body.data + 2)) {
        return record_reject(error, "length of the texts is not what is left of the record", "key",
                             "the bytes up to the sections", (int64_t)body.len);
    }
    const char *texts = body.data + REFERENCE_BYTES;
    uint32_t key_len = le32_get(body.data + 2);
    out->reference = (struct reference_row){
        .table = (enum fact_kind)le8_get(body.data),
        .tokeniser = (enum tokeniser)le8_get(body.data + 1),
        .key = {texts, key_len},
        .value = {texts + key_len, left - key_len},
    };
    return check_reference(&out->reference, error);
}

static int decode_body(struct bytes body, bool claimed, struct record *out,
                       struct record_error *error) {
    bool any_type = claimed && out->contract_version != RECORD_CONTRACT_VERSION;
    switch (out->type) {
    case RECORD_LISTING:
        return decode_listing(body, any_type, out, error);
    case RECORD_MEDIA:
        return decode_media(body, out, error);
    case RECORD_POLICY:
        return decode_policy(body, out, error);
    case RECORD_ORDER:
        return decode_order(body, out, error);
    case RECORD_CONTROL:
        return decode_control(body, out, error);
    case RECORD_AUDIT:
        return decode_audit(body, out, error);
    case RECORD_ERASURE:
        return decode_erasure(body, out, error);
    case RECORD_CERTIFICATE:
        return decode_certificate(body, out, error);
    case RECORD_REFERENCE:
        return decode_reference(body, out, error);
    case RECORD_TYPE_END:
        break;
    }
    assert(false && "decode_header lets only known types through");
    return -1;
}

static int decode(struct bytes input, bool claimed, struct record *out,
                  struct record_error *error) {
    if (check_frame(input, error) != 0 || decode_header(input.data, out, error) != 0) {
        return -1;
    }
    size_t sections = sections_found(input, out->sections);
    if (input.len < HEADER_BYTES + sections) {
        return reject_frame(error, "record is cut off", "room for its sections",
                            (int64_t)input.len);
    }
    struct bytes body = {input.data + HEADER_BYTES, input.len - HEADER_BYTES - sections};
    if (decode_body(body, claimed, out, error) != 0) {
        return -1;
    }
    return sections_decode((struct bytes){body.data + body.len, sections}, out, error);
}

int record_decode(struct bytes input, struct record *out, struct record_error *error) {
    return decode(input, false, out, error);
}

int record_decode_claimed(struct bytes input, struct record *out, struct record_error *error) {
    return decode(input, true, out, error);
}

/* ---- reading fields ---- */

struct field_cursor record_fields(const struct record *r) {
    return (struct field_cursor){r->field_bytes.data, r->field_count};
}

bool record_fields_next(struct field_cursor *cursor, struct field *out) {
    if (cursor->left == 0) {
        return false;
    }
    read_field(cursor->at, out);
    cursor->at += field_size(cursor->at);
    cursor->left--;
    return true;
}

size_t field_id_count(const struct field *f) {
    assert(f->type == VALUE_IDS);
    return f->text.len / 8;
}

uint64_t field_id_at(const struct field *f, size_t i) {
    assert(i < field_id_count(f));
    return le64_get(f->text.data + 8 * i);
}

/* ---- encoding ---- */

static size_t value_size(const struct field *f) {
    switch (f->type) {
    case VALUE_NULL:
        return 0;
    case VALUE_INTEGER:
        return 8;
    case VALUE_TEXT:
    case VALUE_NUMBER:
    case VALUE_IDS:
        return f->text.len;
    }
    assert(false && "a field of no type");
    return 0;
}

static size_t body_size(const struct record *r, const struct field *fields, size_t field_count) {
    size_t size = 0;
    switch (r->type) {
    case RECORD_LISTING:
        for (size_t i = 0; i < field_count; i++) {
            size += FIELD_BYTES + fields[i].name.len + value_size(&fields[i]);
        }
        return size;
    case RECORD_MEDIA:
        return MEDIA_BYTES + r->image_descriptor.len;
    case RECORD_POLICY:
        return POLICY_BYTES;
    case RECORD_ORDER:
        return ORDER_BYTES + r->order_category.len;
    case RECORD_CONTROL:
        return CONTROL_BYTES + r->control.text.len;
    case RECORD_AUDIT:
        return AUDIT_BYTES;
    case RECORD_ERASURE:
        return ERASURE_BYTES;
    case RECORD_REFERENCE:
        return REFERENCE_BYTES + r->reference.key.len + r->reference.value.len;
    case RECORD_CERTIFICATE:
        return CERTIFICATE_BYTES + r->certificate_looks.len + r->certificate_ids.len;
    case RECORD_TYPE_END:
        break;
    }
    assert(false && "a record of no type");
    return 0;
}

size_t record_encoded_bound(const struct record *r, const struct field *fields,
                            size_t field_count) {
    return HEADER_BYTES + body_size(r, fields, field_count) + record_sections_size(r);
}

static char *put_field(char *at, const struct field *f) {
    at = le8_put(at, (uint8_t)f->id);
    at = le8_put(at, (uint8_t)f->type);
    at = le16_put(at, (uint16_t)f->name.len);
    at = le32_put(at, (uint32_t)value_size(f));
    at = put_bytes(at, f->name);
    if (f->type == VALUE_NULL) {
        return at;
    }
    return f->type == VALUE_INTEGER ? le64_put(at, (uint64_t)f->integer) : put_bytes(at, f->text);
}

static char *put_body(char *at, const struct record *r, const struct field *fields,
                      size_t field_count) {
    switch (r->type) {
    case RECORD_LISTING:
        for (size_t i = 0; i < field_count; i++) {
            at = put_field(at, &fields[i]);
        }
        return at;
    case RECORD_MEDIA:
        at = le64_put(at, r->image_id);
        at = le32_put(at, (uint32_t)r->image_descriptor.len);
        return put_bytes(at, r->image_descriptor);
    case RECORD_POLICY:
        at = le64_put(at, r->seller_id);
        return le8_put(at, (uint8_t)r->status);
    case RECORD_ORDER:
        at = le64_put(at, r->order_id);
        at = le64_put(at, (uint64_t)r->placed.ns);
        at = le64_put(at, (uint64_t)r->quantity);
        at = le64_put(at, (uint64_t)r->amount);
        at = le32_put(at, (uint32_t)r->order_category.len);
        return put_bytes(at, r->order_category);
    case RECORD_CONTROL:
        at = le16_put(at, r->control.kind);
        at = le32_put(at, r->control.model_version);
        at = le32_put(at, r->control.model_other);
        at = le64_put(at, (uint64_t)r->control.from.ns);
        at = le64_put(at, (uint64_t)r->control.to.ns);
        at = le64_put(at, r->control.id);
        at = le32_put(at, (uint32_t)r->control.text.len);
        return put_bytes(at, r->control.text);
    case RECORD_AUDIT:
        at = le64_put(at, (uint64_t)r->audit.version);
        at = le32_put(at, r->audit.model_version);
        at = le8_put(at, r->audit.modalities);
        at = le8_put(at, r->audit.made);
        for (size_t m = 0; m < AUDIT_MODALITIES; m++) {
            at = le64_put(at, r->audit.content[m]);
        }
        return at;
    case RECORD_ERASURE:
        at = le8_put(at, (uint8_t)r->erasure_scope);
        at = le64_put(at, r->erasure_id);
        return le32_put(at, r->erasure_part);
    case RECORD_REFERENCE:
        at = le8_put(at, (uint8_t)r->reference.table);
        at = le8_put(at, (uint8_t)r->reference.tokeniser);
        at = le32_put(at, (uint32_t)r->reference.key.len);
        at = le32_put(at, (uint32_t)r->reference.value.len);
        return put_bytes(put_bytes(at, r->reference.key), r->reference.value);
    case RECORD_CERTIFICATE:
        at = le8_put(at, (uint8_t)r->erasure_scope);
        at = le64_put(at, r->erasure_id);
        at = le32_put(at, r->certificate_wave);
        at = le32_put(at, (uint32_t)r->certificate_looks.len);
        at = le32_put(at, (uint32_t)(r->certificate_ids.len / 8));
        at = put_bytes(at, r->certificate_looks);
        return put_bytes(at, r->certificate_ids);
    case RECORD_TYPE_END:
        break;
    }
    assert(false && "a record of no type");
    return at;
}

static char *put_header(char *at, const struct record *r, size_t field_count, size_t length) {
    at = le8_put(at, format_of(r->sections));
    at = le8_put(at, (uint8_t)r->type);
    at = le8_put(at, (uint8_t)r->op);
    at = le8_put(at, (uint8_t)r->sections);
    at = le32_put(at, (uint32_t)length);
    at = le32_put(at, 0);
    at = le16_put(at, r->contract_version);
    at = le16_put(at, (uint16_t)field_count);
    at = le64_put(at, r->stamp.id.hi);
    at = le64_put(at, r->stamp.id.lo);
    at = le64_put(at, (uint64_t)r->stamp.ts.ns);
    return le64_put(at, r->subject_id);
}

/* Do all lengths fit the widths that the layout gives them? */
static bool lengths_fit(const struct field *fields, size_t field_count, size_t total) {
    if (total > UINT32_MAX || field_count > UINT16_MAX) {
        return false;
    }
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i].name.len > UINT16_MAX) {
            return false;
        }
    }
    return true;
}

int64_t record_encode(const struct record *r, const struct field *fields, size_t field_count,
                      char *buffer, size_t capacity) {
    assert(r->type == RECORD_LISTING || field_count == 0);
    assert((r->sections & ~(unsigned)SECTIONS_KNOWN) == 0);
    size_t length = record_encoded_bound(r, fields, field_count);
    if (length > capacity || !lengths_fit(fields, field_count, length)) {
        return -1;
    }
    char *at = put_header(buffer, r, field_count, length);
    at = put_body(at, r, fields, field_count);
    at = sections_put(at, r);
    assert(at == buffer + length);
    le32_put(buffer + AT_CHECKSUM, checksum_of(buffer, length));
    return (int64_t)length;
}

int64_t record_reframe(struct bytes input, const struct record *r, char *buffer, size_t capacity) {
    assert(input.len >= HEADER_BYTES);
    assert((r->sections & ~(unsigned)SECTIONS_KNOWN) == 0);
    size_t kept = input.len - sections_found(input, le8_get(input.data + AT_SECTIONS));
    size_t length = kept + record_sections_size(r);
    if (length > capacity) {
        return -1;
    }
    memcpy(buffer, input.data, kept);
    le8_put(buffer + AT_FORMAT, format_of(r->sections));
    le8_put(buffer + AT_SECTIONS, (uint8_t)r->sections);
    le32_put(buffer + AT_LENGTH, (uint32_t)length);
    if (r->type == RECORD_POLICY || r->type == RECORD_REFERENCE) {
        le64_put(buffer + AT_SUBJECT, r->subject_id);
    }
    sections_put(buffer + kept, r);
    le32_put(buffer + AT_CHECKSUM, checksum_of(buffer, length));
    return (int64_t)length;
}
