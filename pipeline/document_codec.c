/*
 * The checkpointed form of a document. Little-endian, no padding:
 *
 *     u8 format (3)
 *     u64 listing id, i64 version, i64 changed_at, stamp tombstone, stamp erased, stamp
 *     last_set
 *     u32 fields, u32 images, u32 facts, u32 namings: how many of each follow
 *     field:  u8 id, u8 type, u16 bytes of name, u32 bytes of text, stamp, i64 integer, name, text
 *     image:  u64 image id, u8 delivered (2: and its bytes are dropped), u32 bytes of descriptor,
 * stamp, descriptor fact:   u8 kind, u64 key, u8 code, stamp, u8 bytes of value, value naming: u64
 * image id, stamp
 *
 * where a stamp is i64 event_ts, u64 event id's high half, u64 low half. Parts stand in the order
 * of their keys; room that a document keeps for growing is not part of it.
 */
#include <assert.h>
#include <errno.h>

#include "pipeline/document_parts.h"
#include "pipeline/fact.h"
#include "pipeline/little_endian.h"
#include "pipeline/memory.h"

enum {
    DOCUMENT_FORMAT = 3,
    STAMP_BYTES = 24,
    HEAD_BYTES = 1 + 3 * 8 + 3 * STAMP_BYTES + 4 * 4,
    FIELD_BYTES = 8 + STAMP_BYTES + 8,
    IMAGE_BYTES = 13 + STAMP_BYTES,
    FACT_BYTES = 11 + STAMP_BYTES,
    NAMING_BYTES = 8 + STAMP_BYTES,
    SLICE_SPARE = 15 /* by which the room of a slice is greater than its data, at most */
};

/* ---- encoding ---- */

static char *put_stamp(char *at, struct stamp s) {
    at = le64_put(at, (uint64_t)s.ts.ns);
    at = le64_put(at, s.id.hi);
    return le64_put(at, s.id.lo);
}

static char *put_data(char *at, const char *data, size_t len) {
    if (len > 0) {
        memcpy(at, data, len);
    }
    return at + len;
}

static char *put_head(char *at, const struct document *d) {
    at = le8_put(at, DOCUMENT_FORMAT);
    at = le64_put(at, d->listing_id);
    at = le64_put(at, (uint64_t)d->version);
    at = le64_put(at, (uint64_t)d->changed_at.ns);
    at = put_stamp(at, d->tombstone);
    at = put_stamp(at, d->erased);
    at = put_stamp(at, d->last_set);
    at = le32_put(at, d->field_count);
    at = le32_put(at, d->image_count);
    at = le32_put(at, d->fact_count);
    return le32_put(at, d->naming_count);
}

static char *put_field(char *at, const struct document_field *held) {
    at = le8_put(at, held->id);
    at = le8_put(at, held->type);
    at = le16_put(at, held->name_len);
    at = le32_put(at, held->text_len);
    at = put_stamp(at, held->stamp);
    at = le64_put(at, (uint64_t)held->integer);
    return put_data(at, held->data, (size_t)held->name_len + held->text_len);
}

static char *put_image(char *at, const struct document_image *held) {
    at = le64_put(at, held->image_id);
    at = le8_put(at, (uint8_t)(held->delivered + held->dropped));
    at = le32_put(at, held->len);
    at = put_stamp(at, held->stamp);
    return put_data(at, held->data, held->len);
}

static char *put_fact(char *at, const struct document_fact *held) {
    at = le8_put(at, held->kind);
    at = le64_put(at, held->key);
    at = le8_put(at, held->code);
    at = put_stamp(at, held->stamp);
    at = le8_put(at, held->len);
    return put_data(at, held->data, held->len);
}

static char *put_naming(char *at, const struct document_naming *held) {
    at = le64_put(at, held->image_id);
    return put_stamp(at, held->first);
}

static size_t encoded_size(const struct document *d) {
    size_t size = HEAD_BYTES + (size_t)d->field_count * FIELD_BYTES +
                  (size_t)d->image_count * IMAGE_BYTES + (size_t)d->fact_count * FACT_BYTES +
                  (size_t)d->naming_count * NAMING_BYTES;
    for (uint32_t i = 0; i < d->field_count; i++) {
        size += (size_t)d->fields[i].name_len + d->fields[i].text_len;
    }
    for (uint32_t i = 0; i < d->image_count; i++) {
        size += d->images[i].len;
    }
    for (uint32_t i = 0; i < d->fact_count; i++) {
        size += d->facts[i].len;
    }
    return size;
}

size_t document_encode(const struct document *d, char *buffer, size_t capacity) {
    size_t size = encoded_size(d);
    if (size > capacity) {
        return size;
    }
    char *at = put_head(buffer, d);
    for (uint32_t i = 0; i < d->field_count; i++) {
        at = put_field(at, &d->fields[i]);
    }
    for (uint32_t i = 0; i < d->image_count; i++) {
        at = put_image(at, &d->images[i]);
    }
    for (uint32_t i = 0; i < d->fact_count; i++) {
        at = put_fact(at, &d->facts[i]);
    }
    for (uint32_t i = 0; i < d->naming_count; i++) {
        at = put_naming(at, &d->namings[i]);
    }
    assert(at == buffer + size);
    return size;
}

/* ---- decoding: every function returns 0, -EINVAL or -ENOMEM ---- */

/* What is left to read, how much of that can be the parts' data, and where in the document's block
 * they go. */
struct reader {
    const char *at;
    size_t left;
    size_t data_left;
    char *room;
};

/* The next `size` bytes, or NULL when there are fewer. */
static const char *take(struct reader *in, size_t size) {
    if (size > in->left) {
        return NULL;
    }
    const char *at = in->at;
    in->at += size;
    in->left -= size;
    return at;
}

/* The next bytes as a part's data; NULL when they reach into what the parts behind it need. */
static const char *take_data(struct reader *in, size_t size) {
    if (size > in->data_left) {
        return NULL;
    }
    in->data_left -= size;
    return take(in, size);
}

/* Gives a part its slice of the block. */
static void take_slice(struct reader *in, size_t size, char **data, uint32_t *capacity) {
    *data = NULL;
    *capacity = document_slice_room(size);
    if (size > 0) {
        *data = in->room;
        in->room += *capacity;
    }
}

static struct stamp stamp_get(const char *at) {
    return (struct stamp){{(int64_t)le64_get(at)}, {le64_get(at + 8), le64_get(at + 16)}};
}

/* STAMP_NONE in its one spelling, or a stamp that an event can have. */
static bool is_stamp_or_none(struct stamp s) {
    return s.ts.ns >= 0 || stamp_compare(s, STAMP_NONE) == 0;
}

struct part_counts {
    uint32_t fields, images, facts, namings;
};

static int decode_head(struct document *d, struct reader *in, struct part_counts *counts) {
    const char *at = take(in, HEAD_BYTES);
    if (at == NULL || le8_get(at) != DOCUMENT_FORMAT) {
        return -EINVAL;
    }
    d->listing_id = le64_get(at + 1);
    d->version = (doc_version)le64_get(at + 9);
    d->changed_at.ns = (int64_t)le64_get(at + 17);
    d->tombstone = stamp_get(at + 25);
    d->erased = stamp_get(at + 49);
    d->last_set = stamp_get(at + 73);
    *counts = (struct part_counts){le32_get(at + 97), le32_get(at + 101), le32_get(at + 105),
                                   le32_get(at + 109)};
    bool sound = d->version >= DOC_VERSION_NONE && is_stamp_or_none(d->tombstone) &&
                 is_stamp_or_none(d->erased) && is_stamp_or_none(d->last_set) &&
                 stamp_compare(d->erased, d->tombstone) <= 0 &&
                 (stamp_is_none(d->last_set) || stamp_compare(d->last_set, d->tombstone) > 0);
    /* Before room is made for that many: are there bytes for them? */
    bool covered = in->left >= (uint64_t)counts->fields * FIELD_BYTES +
                                   (uint64_t)counts->images * IMAGE_BYTES +
                                   (uint64_t)counts->facts * FACT_BYTES +
                                   (uint64_t)counts->namings * NAMING_BYTES;
    return sound && covered ? 0 : -EINVAL;
}

static bool field_fits(const struct document *d, const struct field *f, struct stamp stamp) {
    struct record_error error;
    bool typed = f->type == VALUE_NULL      ? f->text.len == 0 && f->integer == 0
                 : f->type == VALUE_INTEGER ? f->text.len == 0
                                            : f->integer == 0;
    if (!typed || field_check(f, &error) != 0 || stamp.ts.ns < 0 ||
        stamp_compare(stamp, d->tombstone) <= 0 || stamp_compare(stamp, d->last_set) > 0) {
        return false;
    }
    if (d->field_count == 0) {
        return true;
    }
    struct field before = held_field(&d->fields[d->field_count - 1]);
    return field_order(before.id, before.name, f->id, f->name) < 0;
}

static int decode_field(struct document *d, struct reader *in) {
    const char *head = take(in, FIELD_BYTES);
    if (head == NULL) {
        return -EINVAL;
    }
    size_t name_len = le16_get(head + 2);
    size_t text_len = le32_get(head + 4);
    const char *data = take_data(in, name_len + text_len);
    if (data == NULL) {
        return -EINVAL;
    }
    struct field f = {
        .id = (enum field_id)le8_get(head),
        .type = (enum value_type)le8_get(head + 1),
        .name = {data, name_len},
        .integer = (int64_t)le64_get(head + 8 + STAMP_BYTES),
        .text = {data + name_len, text_len},
    };
    struct stamp stamp = stamp_get(head + 8);
    if (!field_fits(d, &f, stamp)) {
        return -EINVAL;
    }
    struct document_field *held = &d->fields[d->field_count];
    *held = (struct document_field){0};
    take_slice(in, name_len + text_len, &held->data, &held->capacity);
    document_set_field(held, &f, stamp);
    d->field_count++;
    return 0;
}

static int decode_image(struct document *d, struct reader *in) {
    const char *head = take(in, IMAGE_BYTES);
    if (head == NULL) {
        return -EINVAL;
    }
    uint64_t image_id = le64_get(head);
    uint8_t delivered = le8_get(head + 8);
    struct stamp stamp = stamp_get(head + 13);
    struct bytes descriptor = {NULL, le32_get(head + 9)};
    descriptor.data = take_data(in, descriptor.len);
    struct record_error error;
    if (descriptor.data == NULL || delivered > 2 || (delivered != 1 && descriptor.len > 0) ||
        text_check(descriptor, "image_descriptor", RECORD_TEXT_MAX, "", &error) != 0 ||
        stamp.ts.ns < 0 || stamp_compare(stamp, d->tombstone) <= 0 ||
        (d->image_count > 0 && d->images[d->image_count - 1].image_id >= image_id)) {
        return -EINVAL;
    }
    struct document_image *held = &d->images[d->image_count];
    *held = (struct document_image){0};
    take_slice(in, descriptor.len, &held->data, &held->capacity);
    document_set_image(held, image_id, delivered != 0, descriptor, stamp);
    held->dropped = delivered == 2;
    d->image_count++;
    return 0;
}

static int decode_fact(struct document *d, struct reader *in) {
    const char *head = take(in, FACT_BYTES);
    if (head == NULL) {
        return -EINVAL;
    }
    struct fact fact = {
        .kind = (enum fact_kind)le8_get(head),
        .key = le64_get(head + 1),
        .code = le8_get(head + 9),
        .stamp = stamp_get(head + 10),
        .value = {NULL, le8_get(head + 10 + STAMP_BYTES)},
    };
    fact.value.data = take_data(in, fact.value.len);
    struct record_error error;
    if (fact.value.data == NULL || !fact_sound(&fact) ||
        text_check(fact.value, "fact", FACT_VALUE_MAX, "", &error) != 0 ||
        document_fact_at(d, fact.kind, fact.key) != d->fact_count ||
        document_fact_find(d, fact.kind, fact.key) != NULL) {
        return -EINVAL;
    }
    struct document_fact *held = &d->facts[d->fact_count];
    *held = (struct document_fact){0};
    take_slice(in, fact.value.len, &held->data, &held->capacity);
    document_set_fact(held, &fact);
    d->fact_count++;
    return 0;
}

static int decode_naming(struct document *d, struct reader *in) {
    const char *head = take(in, NAMING_BYTES);
    if (head == NULL) {
        return -EINVAL;
    }
    struct document_naming naming = {le64_get(head), stamp_get(head + 8)};
    bool behind =
        d->naming_count == 0 || d->namings[d->naming_count - 1].image_id < naming.image_id;
    if (!behind || naming.first.ts.ns < 0 || !stamp_is_none(d->erased)) {
        return -EINVAL;
    }
    d->namings[d->naming_count++] = naming;
    return 0;
}

/* Bytes that parts take besides their data. */
static size_t fixed_bytes(const struct part_counts *counts) {
    return (size_t)counts->fields * FIELD_BYTES + (size_t)counts->images * IMAGE_BYTES +
           (size_t)counts->facts * FACT_BYTES + (size_t)counts->namings * NAMING_BYTES;
}

/* What the parts take in memory besides their data. */
static size_t arrays_bytes(const struct part_counts *counts) {
    return counts->fields * sizeof(struct document_field) +
           counts->images * sizeof(struct document_image) +
           counts->facts * sizeof(struct document_fact) +
           counts->namings * sizeof(struct document_naming);
}

/* The next `count` items of the block. */
static void *take_array(struct reader *in, uint32_t count, size_t item_bytes) {
    void *array = in->room;
    in->room += count * item_bytes;
    return array;
}

/* One block for all parts and their data: what is left to read behind the head, and what rounding a
 * slice's room up may add. */
static int reserve_block(struct document *d, struct reader *in, const struct part_counts *counts) {
    size_t parts = (size_t)counts->fields + counts->images + counts->facts;
    in->data_left = in->left - fixed_bytes(counts);
    size_t size = arrays_bytes(counts) + in->data_left;
    if (size == 0) {
        return 0;
    }
    d->block = memory_resize(NULL, size + parts * SLICE_SPARE);
    if (d->block == NULL) {
        return -ENOMEM;
    }
    static_assert(
        sizeof(struct document_field) % 8 == 0 && sizeof(struct document_image) % 8 == 0 &&
            sizeof(struct document_fact) % 8 == 0 && sizeof(struct document_naming) % 8 == 0,
        "arrays stand behind each other");
    in->room = d->block;
    d->in_block = ARRAYS_ALL;
    d->fields = take_array(in, counts->fields, sizeof *d->fields);
    d->images = take_array(in, counts->images, sizeof *d->images);
    d->facts = take_array(in, counts->facts, sizeof *d->facts);
    d->namings = take_array(in, counts->namings, sizeof *d->namings);
    d->field_capacity = counts->fields;
    d->image_capacity = counts->images;
    d->fact_capacity = counts->facts;
    d->naming_capacity = counts->namings;
    return 0;
}

static int decode_parts(struct document *d, struct reader *in) {
    struct part_counts counts;
    int status = decode_head(d, in, &counts);
    if (status == 0) {
        status = reserve_block(d, in, &counts);
    }
    for (uint32_t i = 0; status == 0 && i < counts.fields; i++) {
        status = decode_field(d, in);
    }
    for (uint32_t i = 0; status == 0 && i < counts.images; i++) {
        status = decode_image(d, in);
    }
    for (uint32_t i = 0; status == 0 && i < counts.facts; i++) {
        status = decode_fact(d, in);
    }
    for (uint32_t i = 0; status == 0 && i < counts.namings; i++) {
        status = decode_naming(d, in);
    }
    return status == 0 && in->left != 0 ? -EINVAL : status;
}

int document_peek_erased(struct bytes input, struct stamp *erased) {
    if (input.len < HEAD_BYTES || le8_get(input.data) != DOCUMENT_FORMAT) {
        return -EINVAL;
    }
    *erased = stamp_get(input.data + 25 + STAMP_BYTES);
    return 0;
}

int document_decode(struct document *d, struct bytes input) {
    struct reader in = {.at = input.data, .left = input.len};
    document_init(d, 0);
    int status = decode_parts(d, &in);
    if (status != 0) {
        document_release(d);
        document_init(d, 0);
    }
    return status;
}
