/*
 * Serialises parts of a document into a hash. Every variable part goes in with its length in front,
 * so that no two documents serialise alike.
 *
 * Whatever fits in one block is hashed by one call of XXH3-64; of longer input every full block
 * seeds the next one. That keeps the state on the stack and away from the library's own.
 */
#include <assert.h>

#include "pipeline/document_parts.h"
#include "pipeline/little_endian.h"
#include "pipeline/xxh3.h"

#define BLOCK_BYTES 4096

/* Different seeds keep the hashes of different things apart. */
enum subject {
    SUBJECT_SOURCE = 1,
    SUBJECT_TEXT,
    SUBJECT_IMAGE,
    SUBJECT_FUSED,
    SUBJECT_WHOLE,
    SUBJECT_TABLES
};

struct hasher {
    uint64_t chain;
    size_t len;
    char block[BLOCK_BYTES];
};

/* The block is left as it is: only what is put there is read. */
static void hasher_start(struct hasher *h, enum subject subject) {
    h->chain = subject;
    h->len = 0;
}

static void hasher_flush(struct hasher *h) {
    h->chain = XXH3_64bits_withSeed(h->block, h->len, h->chain);
    h->len = 0;
}

/* Where to write `size` bytes, counted as written. */
static char *hasher_room(struct hasher *h, size_t size) {
    assert(size <= BLOCK_BYTES);
    if (h->len + size > BLOCK_BYTES) {
        hasher_flush(h);
    }
    char *at = h->block + h->len;
    h->len += size;
    return at;
}

static void hasher_u64(struct hasher *h, uint64_t v) {
    le64_put(hasher_room(h, 8), v);
}

/* Bytes without their length: the caller has put that. */
static void hasher_raw(struct hasher *h, struct bytes b) {
    while (b.len > 0) {
        if (h->len == BLOCK_BYTES) {
            hasher_flush(h);
        }
        size_t part = BLOCK_BYTES - h->len < b.len ? BLOCK_BYTES - h->len : b.len;
        memcpy(h->block + h->len, b.data, part);
        h->len += part;
        b = (struct bytes){b.data + part, b.len - part};
    }
}

static void hasher_bytes(struct hasher *h, struct bytes b) {
    hasher_u64(h, b.len);
    hasher_raw(h, b);
}

static void hasher_head(struct hasher *h, const struct document_field *held, size_t text_len) {
    char *at = hasher_room(h, 16);
    at = le8_put(at, held->id);
    at = le8_put(at, held->type);
    at = le16_put(at, held->name_len);
    at = le32_put(at, (uint32_t)text_len);
    le64_put(at, (uint64_t)held->integer);
}

/* Name and text stand behind each other in the document as they do here. */
static void hasher_field(struct hasher *h, const struct document_field *held) {
    hasher_head(h, held, held->text_len);
    hasher_raw(h, (struct bytes){held->data, (size_t)held->name_len + held->text_len});
}

/* Never 0, which stands for "nothing". */
static uint64_t hasher_end(struct hasher *h) {
    hasher_flush(h);
    return h->chain != 0 ? h->chain : 1;
}

static uint64_t source_hash(const struct document *d) {
    struct hasher h;
    hasher_start(&h, SUBJECT_SOURCE);
    hasher_u64(&h, document_alive(d));
    for (uint32_t i = 0; i < d->field_count; i++) {
        if (d->fields[i].type != VALUE_NULL) {
            hasher_field(&h, &d->fields[i]);
        }
    }
    return hasher_end(&h);
}

/* An empty text says as little to a model as none. */
static bool says_something(const struct document_field *held) {
    return held->type != VALUE_NULL && (held->id == FIELD_ATTRIBUTE || held->text_len > 0);
}

static uint64_t text_hash(const struct document *d) {
    struct hasher h;
    bool any = false;
    hasher_start(&h, SUBJECT_TEXT);
    for (uint32_t i = 0; i < d->field_count; i++) {
        const struct document_field *held = &d->fields[i];
        bool words =
            held->id == FIELD_TITLE || held->id == FIELD_DESCRIPTION || held->id == FIELD_ATTRIBUTE;
        if ((words || held->id == FIELD_LOCALE) && says_something(held)) {
            if (words || held->type != VALUE_TEXT) {
                hasher_field(&h, held);
            } else {
                struct bytes shown = document_locale(d);
                hasher_head(&h, held, shown.len);
                hasher_raw(&h, held_name(held));
                hasher_raw(&h, shown);
            }
            any |= words;
        }
    }
    if (document_tokeniser(d) != TOKENISER_WORD) {
        hasher_u64(&h, document_tokeniser(d));
    }
    return any ? hasher_end(&h) : 0;
}

static uint64_t image_hash(const struct document *d) {
    struct hasher h;
    bool any = false;
    struct field ids = document_field(d, FIELD_IMAGE_IDS);
    size_t count = ids.type == VALUE_IDS ? field_id_count(&ids) : 0;
    hasher_start(&h, SUBJECT_IMAGE);
    for (size_t i = 0; i < count; i++) {
        const struct document_image *image = document_image_ready(d, field_id_at(&ids, i));
        if (image != NULL) {
            hasher_u64(&h, image->image_id);
            hasher_bytes(&h, (struct bytes){image->data, image->len});
            any = true;
        }
    }
    return any ? hasher_end(&h) : 0;
}

static uint64_t joined_hash(enum subject subject, uint64_t a, uint64_t b, uint64_t c) {
    struct hasher h;
    hasher_start(&h, subject);
    hasher_u64(&h, a);
    hasher_u64(&h, b);
    hasher_u64(&h, c);
    return hasher_end(&h);
}

/* Whatever readers are shown that the listing's own fields, images and policy do not say. */
static uint64_t tables_hash(const struct document *d) {
    struct hasher h;
    hasher_start(&h, SUBJECT_TABLES);
    hasher_bytes(&h, document_category(d));
    hasher_bytes(&h, document_locale(d));
    hasher_u64(&h, document_tokeniser(d));
    return hasher_end(&h);
}

static uint64_t whole_hash(const struct document *d, const struct document_digest *digest) {
    struct hasher h;
    hasher_start(&h, SUBJECT_WHOLE);
    hasher_u64(&h, digest->source);
    hasher_u64(&h, digest->image);
    hasher_u64(&h, document_policy(d));
    hasher_u64(&h, tables_hash(d));
    return hasher_end(&h);
}

void document_digest(const struct document *d, struct document_digest *out) {
    out->source = source_hash(d);
    out->text = text_hash(d);
    out->image = image_hash(d);
    out->fused = out->text == 0 && out->image == 0
                     ? 0
                     : joined_hash(SUBJECT_FUSED, out->text, out->image, 0);
    out->whole = whole_hash(d, out);
}
