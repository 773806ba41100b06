/*
 * Bytes on a feed that are no valid record: what a broken producer, a version too early or a
 * careless script leaves there (A13, C7). Every kind is one that record_decode must refuse.
 */
#ifndef MURPHY_SIM_POISON_H
#define MURPHY_SIM_POISON_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/stamp.h"
#include "pipeline/topics.h"
#include "sim/prng.h"

enum poison_kind {
    POISON_INVALID_UTF8,
    POISON_CHECKSUM,
    POISON_FUTURE_FORMAT,
    POISON_FUTURE_CONTRACT,
    POISON_TRUNCATED,
    POISON_TRAILING_BYTES,
    POISON_JSON,
    POISON_WRONG_TYPE,
    POISON_NEGATIVE_PRICE,
    POISON_TOO_LONG,
    POISON_TIME_BEFORE_1970,
    POISON_BAD_MEDIA,
    POISON_BAD_POLICY,
    POISON_BAD_ORDER,
    POISON_KIND_COUNT
};
const char *poison_kind_name(enum poison_kind kind);

struct poison {
    enum poison_kind kind;
    enum topic_id topic;
    uint64_t key;
    struct bytes value; /* in the caller's buffer */
};

#define POISON_ROOM 65536 /* what a buffer must hold */

/* One of them. */
void poison_draw(struct prng *p, uint64_t listing_id, uint64_t seller_id, struct stamp stamp,
                 char *buffer, size_t capacity, struct poison *out);
/* One of a kind. */
void poison_make(enum poison_kind kind, uint64_t listing_id, uint64_t seller_id, struct stamp stamp,
                 char *buffer, size_t capacity, struct poison *out);

#endif
