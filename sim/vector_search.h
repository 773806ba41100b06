/*
 * Exact search for the k nearest rows, by computing every distance: what approximate search is
 * measured against (D8), and the search of small or heavily filtered collections.
 *
 * Hits come nearest first; of equal distances the lower id first, which also decides who is k-th.
 */
#ifndef MURPHY_SIM_VECTOR_SEARCH_H
#define MURPHY_SIM_VECTOR_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/vector_math.h"
#include "sim/vector_rows.h"

struct vector_hit {
    uint32_t id;
    float distance;
};

/* Whether a row may be among the hits. Must answer the same for the same id during one search. */
typedef bool vector_accept(void *ctx, uint32_t id);

/* The best of what it is offered, at most `room`: a heap with the worst on top. */
struct vector_top {
    uint64_t *ranks; /* of the caller, vector_rank of sim/vector_math.h */
    size_t room;
    size_t count;
};

void vector_top_offer(struct vector_top *top, float distance, uint32_t id);

/* Puts the ranks into ascending order; the heap is over. */
void vector_top_sort(struct vector_top *top);

/*
 * Searches rows[0..count), for which ids[i] is row i's id (NULL: i itself). For VECTOR_COSINE rows
 * and query must have been normalised. The query holds rows->dim elements. accept may be NULL.
 * Writes at most k hits and returns how many, or -ENOMEM.
 */
int64_t vector_search_exact(enum vector_metric metric, const struct vector_rows *rows,
                            const uint32_t *ids, size_t count, const float *query, size_t k,
                            vector_accept *accept, void *ctx, struct vector_hit *hits);

/*
 * recall@k as a count: how many of `found` are as near as the last of `truth`, at most truth_count.
 * By distance and not by id, as in ANN-Benchmarks (M. Aumüller et al., Information Systems 87,
 * 2020): of a hundred equal vectors any ten are right.
 */
size_t vector_hits_shared(const struct vector_hit *found, size_t found_count,
                          const struct vector_hit *truth, size_t truth_count);

#endif
