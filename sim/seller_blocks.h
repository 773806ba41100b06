/*
 * The sellers that a serving store keeps from its readers, whatever its rows say (A8). A search
 * that asks for servable rows passes over the rows of a blocked seller; scans and other searches
 * see them. Real stores do it with a terms lookup (OpenSearch) or a `not in` filter (Milvus) over a
 * small table beside the index.
 */
#ifndef MURPHY_SIM_SELLER_BLOCKS_H
#define MURPHY_SIM_SELLER_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/id_map.h"
#include "pipeline/rows.h"
#include "sim/store.h"

struct seller_blocks {
    struct id_map index;
    struct seller_block *items; /* the latest that was said of each seller */
    size_t count, capacity;
    size_t blocked;
};

/* A zeroed struct is ready for use. */
void seller_blocks_release(struct seller_blocks *blocks);
/* Takes over what is newer than what was known. Stores `first` to `last` tell the observer whenever
 * a seller is blocked or let in. 0, or PORT_NO_MEMORY with some of them taken. */
int seller_blocks_set(struct seller_blocks *blocks, vtime now, const struct seller_block *items,
                      size_t count, const struct store_observer *observer, enum store_id first,
                      enum store_id last);
bool seller_blocks_has(const struct seller_blocks *blocks, uint64_t seller_id);

#endif
