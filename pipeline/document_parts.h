/*
 * What a document is made of: private to the files document*.c.
 */
#ifndef MURPHY_PIPELINE_DOCUMENT_PARTS_H
#define MURPHY_PIPELINE_DOCUMENT_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/document.h"
#include "pipeline/field_check.h"

/* A field with the event that set it. `data` holds the attribute's name, then text or ids. */
struct document_field {
    struct stamp stamp;
    int64_t integer;
    char *data;
    uint32_t capacity; /* bytes at data */
    uint32_t text_len;
    uint16_t name_len;
    uint8_t id;   /* enum field_id */
    uint8_t type; /* enum value_type */
};

/* An image that media ingest delivered or withdrew. `data` holds the descriptor. */
struct document_image {
    uint64_t image_id;
    struct stamp stamp;
    char *data;
    uint32_t capacity;
    uint32_t len; /* 0 when withdrawn */
    bool delivered;
    bool dropped; /* an orphan whose bytes are gone */
};

/* When some event first named an image, in whichever life of the listing. */
struct document_naming {
    uint64_t image_id;
    struct stamp first;
};

/* What was told of something that the listing names, or named, or may name. `data` holds the value.
 */
struct document_fact {
    uint64_t key;
    struct stamp stamp;
    char *data;
    uint32_t capacity;
    uint8_t len;
    uint8_t kind; /* enum fact_kind */
    uint8_t code;
};

static inline struct bytes held_name(const struct document_field *held) {
    return (struct bytes){held->data, held->name_len};
}

static inline struct field held_field(const struct document_field *held) {
    struct field f = {
        .id = (enum field_id)held->id,
        .type = (enum value_type)held->type,
        .name = held_name(held),
        .integer = held->integer,
    };
    if (held->text_len > 0) {
        f.text = (struct bytes){held->data + held->name_len, held->text_len};
    }
    return f;
}

/* Index of the first part at or behind the key; `from` is known not to be behind it. */
uint32_t document_field_at(const struct document *d, uint32_t from, enum field_id id,
                           struct bytes name);
uint32_t document_image_at(const struct document *d, uint32_t from, uint64_t image_id);
uint32_t document_fact_at(const struct document *d, enum fact_kind kind, uint64_t key);

uint32_t document_naming_at(const struct document *d, uint64_t image_id);

/* The part of that key, or NULL. */
const struct document_field *document_find(const struct document *d, enum field_id id);
const struct document_image *document_image_find(const struct document *d, uint64_t image_id);
const struct document_fact *document_fact_find(const struct document *d, enum fact_kind kind,
                                               uint64_t key);

/* Nobody named it in time, by whatever is known. */
bool document_image_orphaned(const struct document *d, const struct document_image *image);

/* The arrays of a document, as bits of in_block. */
enum document_array {
    ARRAY_FIELDS = 1,
    ARRAY_IMAGES = 2,
    ARRAY_FACTS = 4,
    ARRAY_NAMINGS = 8,
    ARRAYS_ALL = 15
};

/* Make room for `count` parts in all, or `size` bytes of data. 0 or -ENOMEM; contents stay. */
int document_reserve_fields(struct document *d, size_t count);
int document_reserve_images(struct document *d, size_t count);
/* The image when it is there to be shown to whoever names it, or NULL: delivered, and no orphan. */
const struct document_image *document_image_ready(const struct document *d, uint64_t image_id);

int document_reserve_facts(struct document *d, size_t count);
int document_reserve_namings(struct document *d, size_t count);
int document_reserve_data(char **data, uint32_t *capacity, size_t size);
/* The same for a part that is decoded: its data takes a slice of the document's block, of which it
 * has so much room to itself. */
uint32_t document_slice_room(size_t size);
/* Frees a part's data, unless the block holds it. */
void document_free_data(char *data, uint32_t capacity);

/* Fill a part whose data has the room. */
void document_set_field(struct document_field *held, const struct field *f, struct stamp stamp);
void document_set_image(struct document_image *held, uint64_t image_id, bool delivered,
                        struct bytes descriptor, struct stamp stamp);
void document_set_fact(struct document_fact *held, const struct fact *fact);

static inline struct fact held_fact(const struct document_fact *held) {
    return (struct fact){
        .kind = (enum fact_kind)held->kind,
        .key = held->key,
        .code = held->code,
        .stamp = held->stamp,
        .value = {held->data, held->len},
    };
}

#endif
