#include "sim/vector_search.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/memory.h"

/* Moves the rank at `hole` down to where both below it are less. */
static void sift_down(uint64_t *ranks, size_t count, size_t hole) {
    uint64_t rank = ranks[hole];
    for (;;) {
        size_t child = 2 * hole + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && ranks[child + 1] > ranks[child]) {
            child++;
        }
        if (ranks[child] <= rank) {
            break;
        }
        ranks[hole] = ranks[child];
        hole = child;
    }
    ranks[hole] = rank;
}

void vector_top_offer(struct vector_top *top, float distance, uint32_t id) {
    uint64_t rank = vector_rank(distance, id);
    if (top->count == top->room) {
        if (top->room > 0 && rank < top->ranks[0]) {
            top->ranks[0] = rank;
            sift_down(top->ranks, top->count, 0);
        }
        return;
    }
    size_t hole = top->count++;
    while (hole > 0 && top->ranks[(hole - 1) / 2] < rank) {
        top->ranks[hole] = top->ranks[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    top->ranks[hole] = rank;
}

void vector_top_sort(struct vector_top *top) {
    for (size_t left = top->count; left > 1; left--) {
        uint64_t worst = top->ranks[0];
        top->ranks[0] = top->ranks[left - 1];
        top->ranks[left - 1] = worst;
        sift_down(top->ranks, left - 1, 0);
    }
}

/* Rows whose distances are computed together. */
#define BATCH 16

struct batch {
    const float *rows[BATCH];
    uint32_t ids[BATCH];
    size_t count;
};

static void batch_offer(struct batch *b, const struct vector_kernels *kernels,
                        enum vector_metric metric, const float *query, size_t dim,
                        struct vector_top *top) {
    float distances[BATCH];
    vector_distances(kernels, metric, query, b->rows, b->count, dim, distances);
    for (size_t i = 0; i < b->count; i++) {
        vector_top_offer(top, distances[i], b->ids[i]);
    }
    b->count = 0;
}

int64_t vector_search_exact(enum vector_metric metric, const struct vector_rows *rows,
                            const uint32_t *ids, size_t count, const float *query, size_t k,
                            vector_accept *accept, void *ctx, struct vector_hit *hits) {
    if (k > count) {
        k = count;
    }
    if (k == 0) {
        return 0;
    }
    struct vector_top top = {.ranks = memory_resize(NULL, k * sizeof *top.ranks), .room = k};
    if (top.ranks == NULL) {
        return -ENOMEM;
    }
    const struct vector_kernels *kernels = vector_math_kernels();
    struct batch batch = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        uint32_t id = ids == NULL ? (uint32_t)i : ids[i];
        if (accept != NULL && !accept(ctx, id)) {
            continue;
        }
        batch.rows[batch.count] = vector_rows_at(rows, i);
        batch.ids[batch.count++] = id;
        if (batch.count == BATCH) {
            batch_offer(&batch, kernels, metric, query, rows->dim, &top);
        }
    }
    batch_offer(&batch, kernels, metric, query, rows->dim, &top);
    vector_top_sort(&top);
    for (size_t i = 0; i < top.count; i++) {
        hits[i] =
            (struct vector_hit){vector_rank_id(top.ranks[i]), vector_rank_distance(top.ranks[i])};
    }
    free(top.ranks);
    return (int64_t)top.count;
}

size_t vector_hits_shared(const struct vector_hit *found, size_t found_count,
                          const struct vector_hit *truth, size_t truth_count) {
    size_t shared = 0;
    for (size_t i = 0; i < found_count && shared < truth_count; i++) {
        shared += found[i].distance <= truth[truth_count - 1].distance;
    }
    return shared;
}
