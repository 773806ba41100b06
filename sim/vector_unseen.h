/*
 * Writes that a collection has taken and that its readers do not see yet, in the order in which
 * they came (C3). The version that a later write is held against is that of the last of them, so a
 * database is never unsure of versions: only its readers are behind.
 * Private to the vector database.
 */
#ifndef MURPHY_SIM_VECTOR_UNSEEN_H
#define MURPHY_SIM_VECTOR_UNSEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/id_map.h"
#include "pipeline/rows.h"
#include "pipeline/vtime.h"
#include "sim/vector_collection.h"

struct unseen_write;

struct vector_unseen {
    struct unseen_write **items; /* [first, count) are left */
    size_t first, count, capacity;
    uint32_t dropped;   /* from the front of items, ever */
    struct id_map last; /* of a listing: index in items, and dropped on top */
    size_t dimension;
};

void vector_unseen_init(struct vector_unseen *u, size_t dimension);
void vector_unseen_release(struct vector_unseen *u);

/* Takes a copy, to be seen at that moment or when all before it are. `live`: what is so once it is.
 * 0 or PORT_NO_MEMORY. */
int vector_unseen_add(struct vector_unseen *u, vtime visible, const struct vector_write *w,
                      struct vector_live live);

/* What the last write of the listing made of its row; NULL when none is left. */
const struct vector_live *vector_unseen_live(const struct vector_unseen *u, uint64_t listing_id);

/* Moment at which the first of them is to be seen; VTIME_NEVER when there is none. */
vtime vector_unseen_due(const struct vector_unseen *u);
/* The first of them, which is left there; NULL when there is none. */
const struct vector_write *vector_unseen_first(const struct vector_unseen *u);
void vector_unseen_drop_first(struct vector_unseen *u);

/* The last write of each listing of the range, in any order: calls each() with what it made. */
void vector_unseen_each(const struct vector_unseen *u, uint64_t first, uint64_t last,
                        void (*each)(void *ctx, const struct vector_write *w,
                                     const struct vector_live *live),
                        void *ctx);

#endif
