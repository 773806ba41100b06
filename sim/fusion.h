/*
 * One ranking out of two: that of the keyword index and that of the vectors (B7).
 *
 *   reciprocal rank  a hit at rank r of a list counts its weight / (60 + r), from r = 1 (G.
 * Cormack, C. Clarke and S. Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual
 * Rank Learning Methods", SIGIR 2009) weighted         scores of a list are brought to [0, 1], its
 * least to 0 and its greatest to 1, and counted by its weight
 *
 * The weight of the vectors is vector_weight, that of the keywords 1 - vector_weight. What a list
 * does not have counts 0 there. Equal scores go by listing id.
 */
#ifndef MURPHY_SIM_FUSION_H
#define MURPHY_SIM_FUSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"

enum fusion_kind { FUSION_RECIPROCAL_RANK, FUSION_WEIGHTED };

struct fusion {
    enum fusion_kind kind;
    double vector_weight; /* 0 to 1 */
};

struct ranking {
    const struct search_hit *hits; /* best first, no listing twice */
    size_t count;
};

struct fused_hit {
    uint64_t listing_id;
    double score;
};

/* The hits of either list, best first, into out, which has room for both; returns how many. */
size_t fusion_rank(const struct fusion *fusion, struct ranking keyword, struct ranking vector,
                   struct fused_hit *out);

#endif
