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
};

struct document_policy {
    uint64_t seller_id;
    struct stamp stamp;
    enum policy_status status;
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
uint32_t document_policy_at(const struct document *d, uint32_t from, uint64_t seller_id);

/* The part of that key, or NULL. */
const struct document_field *document_find(const struct document *d, enum field_id id);
const struct document_image *document_image_find(const struct document *d, uint64_t image_id);

/* Make room for `count` parts in all, or `size` bytes of data. 0 or -ENOMEM; contents stay. */
int document_reserve_fields(struct document *d, size_t count);
int document_reserve_images(struct document *d, size_t count);
int document_reserve_policies(struct document *d, size_t count);
int document_reserve_data(char **data, uint32_t *capacity, size_t size);

/* Fill a part whose data has the room. */
void document_set_field(struct document_field *held, const struct field *f, struct stamp stamp);
void document_set_image(struct document_image *held, uint64_t image_id, bool delivered,
                        struct bytes descriptor, struct stamp stamp);

#endif
