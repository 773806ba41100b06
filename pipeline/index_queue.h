/*
 * First in, first out: indices of what waits for something. Private to the machines.
 */
#ifndef MURPHY_PIPELINE_INDEX_QUEUE_H
#define MURPHY_PIPELINE_INDEX_QUEUE_H

#include <stddef.h>

/* Zeroed it is empty. */
struct index_queue {
    size_t *items;
    size_t first, count, capacity;
};

void index_queue_release(struct index_queue *queue);
/* 0 or -ENOMEM. */
int index_queue_push(struct index_queue *queue, size_t item);
/* The oldest one; there is one. */
size_t index_queue_pop(struct index_queue *queue);

#endif
