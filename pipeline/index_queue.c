#include "pipeline/index_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"

void index_queue_release(struct index_queue *queue) {
    free(queue->items);
    *queue = (struct index_queue){NULL, 0, 0, 0};
}

int index_queue_push(struct index_queue *queue, size_t item) {
    if (queue->first > 0 && queue->first + queue->count == queue->capacity) {
        memmove(queue->items, queue->items + queue->first, queue->count * sizeof *queue->items);
        queue->first = 0;
    }
    if (ARRAY_RESERVE(queue->items, queue->capacity, queue->first + queue->count + 1) != 0) {
        return -ENOMEM;
    }
    queue->items[queue->first + queue->count++] = item;
    return 0;
}

size_t index_queue_pop(struct index_queue *queue) {
    assert(queue->count > 0);
    size_t item = queue->items[queue->first++];
    if (--queue->count == 0) {
        queue->first = 0;
    }
    return item;
}
