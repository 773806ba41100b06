/*
 * The stores of a run by name, and how a fake store tells the harness what became of its rows.
 *
 * A fake calls its observer for every row whose visible state changes, at the moment at which a
 * reader would first see the change. The observer is the oracle's ear: safety checks and freshness
 * are judged on what readers could see, never on what the pipeline says (D2).
 */
#ifndef MURPHY_SIM_STORE_H
#define MURPHY_SIM_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/rows.h"
#include "pipeline/stamp.h"
#include "pipeline/vtime.h"

enum store_id {
    STORE_VECTOR_TEXT, /* the three vector collections in the order of enum modality */
    STORE_VECTOR_IMAGE,
    STORE_VECTOR_FUSED,
    STORE_KEYWORD,
    STORE_SILVER,
    STORE_GOLD,
    STORE_OLTP,
    STORE_COUNT
};
/* "vector-text", "vector-image", "vector-fused", "keyword", "silver", "gold", "oltp" */
const char *store_name(enum store_id store);

/* What a reader sees of one row, before and after. */
struct row_state {
    bool present;        /* gold: alive and not suppressed; silver: the row exists */
    doc_version version; /* also of an absent row whose tombstone is known, else NONE */
    uint64_t source_hash;
    uint64_t whole_hash;
    uint64_t content_hash; /* vector and keyword rows */
    uint32_t model_version;
};

struct row_change {
    enum store_id store;
    uint64_t listing_id;
    enum row_write_kind kind; /* what wrote it */
    struct row_state before;
    struct row_state after;
    bool duplicate;      /* the store now holds a second row of the same key */
    uint32_t collection; /* model version of the vector collection; elsewhere 0 */
};

struct store_observer {
    void (*row_changed)(void *ctx, vtime now, const struct row_change *change); /* NULL: nobody */
    /* Readers of that store get the rows of the seller no more, or again. NULL: nobody. */
    void (*seller_changed)(void *ctx, vtime now, enum store_id store, uint64_t seller_id,
                           enum policy_status status);
    void *ctx;
};

static inline void store_observer_tell(const struct store_observer *observer, vtime now,
                                       const struct row_change *change) {
    if (observer->row_changed != 0) {
        observer->row_changed(observer->ctx, now, change);
    }
}

#endif
