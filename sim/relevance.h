/*
 * How good rankings are, by judgements (B7).
 *
 *   nDCG@10     gain 2^rating - 1, discount log2(1 + rank); over that of the best order of all that
 *               was judged for the query
 *   MRR         1 / rank of the first hit with a rating of at least 1 in the first 100, else 0
 *   recall@100  of the listings with a rating of at least 1, how many are among the first 100
 *
 * What was not judged counts as rating 0. A query without any rating above 0 says nothing and is
 * not to be scored.
 */
#ifndef MURPHY_SIM_RELEVANCE_H
#define MURPHY_SIM_RELEVANCE_H

#include <stddef.h>
#include <stdint.h>

#define RELEVANCE_RATING_MAX 9
#define RELEVANCE_DEPTH 100 /* hits that are looked at */

struct relevance {
    double ndcg10, mrr, recall100;
};

/* ratings: of the hits in their order, 0 for unjudged ones; judged: all ratings of the query. At
 * least one of those is above 0. */
struct relevance relevance_of(const uint8_t *ratings, size_t count, const uint8_t *judged,
                              size_t judged_count);

struct interval {
    double low, high;
};

/*
 * Percentile bootstrap of the mean (B. Efron): `count` differences are drawn anew with replacement,
 * BOOTSTRAP_DRAWS times, and of the means the middle 95 % stand. The same seed, the same interval.
 * count > 0. 0 or -ENOMEM.
 */
#define BOOTSTRAP_DRAWS 10000
int relevance_bootstrap(const double *differences, size_t count, uint64_t seed,
                        struct interval *out);

#endif
