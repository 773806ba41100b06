#include "sim/poison.h"

#include <assert.h>
#include <string.h>

#include "pipeline/record.h"

const char *poison_kind_name(enum poison_kind kind) {
    static const char *const names[POISON_KIND_COUNT] = {
        [POISON_INVALID_UTF8] = "invalid-utf8",
        [POISON_CHECKSUM] = "checksum",
        [POISON_FUTURE_FORMAT] = "future-format",
        [POISON_FUTURE_CONTRACT] = "future-contract",
        [POISON_TRUNCATED] = "truncated",
        [POISON_TRAILING_BYTES] = "trailing-bytes",
        [POISON_JSON] = "json",
        [POISON_WRONG_TYPE] = "wrong-type",
        [POISON_NEGATIVE_PRICE] = "negative-price",
        [POISON_TOO_LONG] = "too-long",
        [POISON_TIME_BEFORE_1970] = "time-before-1970",
        [POISON_BAD_MEDIA] = "bad-media",
        [POISON_BAD_POLICY] = "bad-policy",
        [POISON_BAD_ORDER] = "bad-order",
    };
    assert(kind < POISON_KIND_COUNT);
    return names[kind];
}

/* A title that would do and a price. */
static size_t fill(struct field fields[2], struct bytes title, int64_t price) {
    fields[0] = (struct field){.id = FIELD_TITLE, .type = VALUE_TEXT, .text = title};
    fields[1] = (struct field){.id = FIELD_PRICE, .type = VALUE_INTEGER, .integer = price};
    return 2;
}

static size_t encode(const struct record *r, const struct field *fields, size_t count, char *buffer,
                     size_t capacity) {
    int64_t len = record_encode(r, fields, count, buffer, capacity);
    assert(len > 0);
    return (size_t)len;
}

/* Listing records that are wrong by what they say. */
static size_t make_listing(enum poison_kind kind, struct record *r, char *buffer, size_t capacity) {
    struct field fields[2];
    size_t count = fill(fields, bytes_of("A title that nobody will read"), 19900);
    switch (kind) {
    case POISON_INVALID_UTF8: /* the e with acute accent of ISO 8859-1 */
        fields[0].text = bytes_of("Caf\xe9ti\xe8re 8 tasses");
        break;
    case POISON_FUTURE_CONTRACT:
        r->contract_version = RECORD_CONTRACT_VERSION_MAX + 1;
        break;
    case POISON_WRONG_TYPE: /* a price as text */
        fields[1].type = VALUE_TEXT;
        fields[1].text = bytes_of("19,90");
        break;
    case POISON_NEGATIVE_PRICE:
        fields[1].integer = -1;
        break;
    case POISON_TOO_LONG:
        fields[0].text = (struct bytes){buffer + capacity / 2, RECORD_TEXT_MAX + 1};
        memset(buffer + capacity / 2, 'a', RECORD_TEXT_MAX + 1);
        capacity /= 2;
        break;
    case POISON_TIME_BEFORE_1970:
        r->stamp.ts.ns = -1;
        break;
    default:
        break;
    }
    return encode(r, fields, count, buffer, capacity);
}

/* Damage to the bytes of a record that was well. */
static size_t damage(enum poison_kind kind, char *buffer, size_t len, size_t capacity) {
    switch (kind) {
    case POISON_CHECKSUM:
        buffer[len - 1] = (char)(buffer[len - 1] ^ 0x20);
        return len;
    case POISON_FUTURE_FORMAT:
        buffer[0] = 2;
        return len;
    case POISON_TRUNCATED:
        return len / 2;
    case POISON_TRAILING_BYTES:
        assert(len < capacity);
        buffer[len] = '\n';
        return len + 1;
    default:
        (void)capacity;
        return len;
    }
}

static size_t make_json(char *buffer, size_t capacity) {
    static const char json[] =
        "{\"op\":\"UPSERT\",\"title\":\"sent by the script of last summer\"}";
    assert(sizeof json - 1 <= capacity);
    memcpy(buffer, json, sizeof json - 1);
    return sizeof json - 1;
}

static size_t make_media(struct record *r, char *buffer, size_t capacity) {
    r->type = RECORD_MEDIA;
    r->image_id = 1;
    r->image_descriptor = bytes_of("front view \xf0\x9f");
    return encode(r, NULL, 0, buffer, capacity);
}

static size_t make_policy(struct record *r, uint64_t seller_id, char *buffer, size_t capacity) {
    r->type = RECORD_POLICY;
    r->subject_id = r->seller_id = seller_id;
    r->status = (enum policy_status)3;
    return encode(r, NULL, 0, buffer, capacity);
}

static size_t make_order(struct record *r, char *buffer, size_t capacity) {
    r->type = RECORD_ORDER;
    r->order_id = 1;
    r->quantity = 0;
    return encode(r, NULL, 0, buffer, capacity);
}

void poison_make(enum poison_kind kind, uint64_t listing_id, uint64_t seller_id, struct stamp stamp,
                 char *buffer, size_t capacity, struct poison *out) {
    assert(kind < POISON_KIND_COUNT && capacity >= POISON_ROOM);
    struct record r = {.type = RECORD_LISTING,
                       .op = RECORD_UPSERT,
                       .contract_version = RECORD_CONTRACT_VERSION,
                       .stamp = stamp,
                       .subject_id = listing_id};
    *out = (struct poison){.kind = kind, .topic = TOPIC_LISTING, .key = listing_id};
    size_t len;
    switch (kind) {
    case POISON_JSON:
        len = make_json(buffer, capacity);
        break;
    case POISON_BAD_MEDIA:
        out->topic = TOPIC_MEDIA;
        len = make_media(&r, buffer, capacity);
        break;
    case POISON_BAD_POLICY:
        out->topic = TOPIC_POLICY;
        out->key = seller_id;
        len = make_policy(&r, seller_id, buffer, capacity);
        break;
    case POISON_BAD_ORDER:
        out->topic = TOPIC_ORDER;
        len = make_order(&r, buffer, capacity);
        break;
    default:
        len = make_listing(kind, &r, buffer, capacity);
        len = damage(kind, buffer, len, capacity);
    }
    out->value = (struct bytes){buffer, len};
}

void poison_draw(struct prng *p, uint64_t listing_id, uint64_t seller_id, struct stamp stamp,
                 char *buffer, size_t capacity, struct poison *out) {
    enum poison_kind kind = (enum poison_kind)prng_below(p, POISON_KIND_COUNT);
    poison_make(kind, listing_id, seller_id, stamp, buffer, capacity, out);
}
