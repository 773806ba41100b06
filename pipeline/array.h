/*
 * Room for one more: growing an array by doubling.
 */
#ifndef MURPHY_PIPELINE_ARRAY_H
#define MURPHY_PIPELINE_ARRAY_H

#include <errno.h>
#include <stddef.h>

#include "pipeline/memory.h"

/*
 * Makes sure that *items (an array of item_size each, or NULL) holds at least `needed` items; items
 * and capacity are updated together. Returns 0, or -ENOMEM with both as they were. Added room is
 * not initialised.
 */
static inline int array_reserve(void **items, size_t *capacity, size_t needed, size_t item_size) {
    if (needed <= *capacity) {
        return 0;
    }
    size_t wanted = *capacity < 4 ? 4 : 2 * *capacity;
    if (wanted < needed) {
        wanted = needed;
    }
    void *more = memory_resize(*items, wanted * item_size);
    if (more == NULL) {
        return -ENOMEM;
    }
    *items = more;
    *capacity = wanted;
    return 0;
}

#define ARRAY_RESERVE(items, capacity, needed)                                                     \
    array_reserve((void **)&(items), &(capacity), (needed), sizeof *(items))

#endif
