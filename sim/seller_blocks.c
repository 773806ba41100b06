#include "sim/seller_blocks.h"

#include <stdlib.h>

#include "pipeline/array.h"
#include "pipeline/ports.h"

void seller_blocks_release(struct seller_blocks *blocks) {
    id_map_release(&blocks->index);
    free(blocks->items);
}

static struct seller_block *find(const struct seller_blocks *blocks, uint64_t seller_id) {
    uint32_t at;
    return blocks->count > 0 && id_map_index(&blocks->index, seller_id, &at) ? &blocks->items[at]
                                                                             : NULL;
}

/* The seller's entry, made if need be; NULL when out of memory. */
static struct seller_block *entry_of(struct seller_blocks *blocks, uint64_t seller_id) {
    struct seller_block *found = find(blocks, seller_id);
    if (found != NULL) {
        return found;
    }
    if (ARRAY_RESERVE(blocks->items, blocks->capacity, blocks->count + 1) != 0 ||
        id_map_put_index(&blocks->index, seller_id, blocks->count) != 0) {
        return NULL;
    }
    blocks->items[blocks->count] =
        (struct seller_block){.seller_id = seller_id, .status = POLICY_ACTIVE, .stamp = STAMP_NONE};
    return &blocks->items[blocks->count++];
}

int seller_blocks_set(struct seller_blocks *blocks, vtime now, const struct seller_block *items,
                      size_t count, const struct store_observer *observer, enum store_id first,
                      enum store_id last) {
    for (size_t i = 0; i < count; i++) {
        struct seller_block *entry = entry_of(blocks, items[i].seller_id);
        if (entry == NULL) {
            return PORT_NO_MEMORY;
        }
        if (stamp_compare(items[i].stamp, entry->stamp) <= 0) {
            continue;
        }
        bool news = entry->status != items[i].status;
        *entry = items[i];
        if (!news) {
            continue;
        }
        blocks->blocked += entry->status == POLICY_SUPPRESSED;
        blocks->blocked -= entry->status != POLICY_SUPPRESSED;
        for (int store = first; store <= (int)last && observer->seller_changed != NULL; store++) {
            observer->seller_changed(observer->ctx, now, (enum store_id)store, entry->seller_id,
                                     entry->status);
        }
    }
    return 0;
}

bool seller_blocks_has(const struct seller_blocks *blocks, uint64_t seller_id) {
    if (blocks->blocked == 0) {
        return false;
    }
    const struct seller_block *entry = find(blocks, seller_id);
    return entry != NULL && entry->status == POLICY_SUPPRESSED;
}
