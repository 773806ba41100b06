#include "sim/id_order.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"

void id_order_init(struct id_order *order) {
    *order = (struct id_order){0};
}

void id_order_release(struct id_order *order) {
    free(order->items);
    id_order_init(order);
}

int id_order_reserve(struct id_order *order) {
    return ARRAY_RESERVE(order->items, order->capacity, order->count + 1);
}

void id_order_add(struct id_order *order, uint64_t id, uint32_t row) {
    assert(order->count < order->capacity);
    order->items[order->count++] = (struct id_order_item){id, row};
}

static int item_compare(const void *left, const void *right) {
    const struct id_order_item *a = left;
    const struct id_order_item *b = right;
    if (a->id != b->id) {
        return a->id < b->id ? -1 : 1;
    }
    return a->row < b->row ? -1 : a->row > b->row;
}

/* Merges a sorted tail into the sorted head before it, from the end. */
static int merge(struct id_order_item *head, size_t head_count, size_t tail_count) {
    struct id_order_item *tail = malloc(tail_count * sizeof(*tail));
    if (tail == 0) {
        return -ENOMEM;
    }
    memcpy(tail, head + head_count, tail_count * sizeof(*tail));
    for (size_t to = head_count + tail_count; tail_count > 0;) {
        bool take_head =
            head_count > 0 && item_compare(&head[head_count - 1], &tail[tail_count - 1]) > 0;
        head[--to] = take_head ? head[--head_count] : tail[--tail_count];
    }
    free(tail);
    return 0;
}

int id_order_sort(struct id_order *order) {
    size_t tail_count = order->count - order->sorted;
    if (tail_count == 0) {
        return 0;
    }
    struct id_order_item *tail = order->items + order->sorted;
    qsort(tail, tail_count, sizeof(*tail), item_compare);
    bool in_place = order->sorted == 0 || item_compare(tail - 1, tail) < 0;
    if (!in_place && merge(order->items, order->sorted, tail_count) != 0) {
        return -ENOMEM;
    }
    order->sorted = order->count;
    return 0;
}

size_t id_order_seek(const struct id_order *order, uint64_t first) {
    assert(order->sorted == order->count);
    size_t low = 0;
    size_t high = order->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order->items[middle].id < first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
