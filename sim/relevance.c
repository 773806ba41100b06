#include "sim/relevance.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/fts_bm25.h"
#include "sim/prng.h"

#define NDCG_RANKS 10

/* Natural logarithms do: the base falls out of the quotient. */
static double discounted(uint8_t rating, size_t at) {
    assert(rating <= RELEVANCE_RATING_MAX);
    return (double)((1u << rating) - 1) / fts_bm25_ln((double)(at + 2));
}

static double ideal_gain(const uint8_t *judged, size_t count) {
    size_t of_rating[RELEVANCE_RATING_MAX + 1] = {0};
    for (size_t i = 0; i < count; i++) {
        of_rating[judged[i]]++;
    }
    double sum = 0;
    size_t at = 0;
    for (int rating = RELEVANCE_RATING_MAX; rating > 0; rating--) {
        for (size_t i = 0; i < of_rating[rating] && at < NDCG_RANKS; i++) {
            sum += discounted((uint8_t)rating, at++);
        }
    }
    return sum;
}

struct relevance relevance_of(const uint8_t *ratings, size_t count, const uint8_t *judged,
                              size_t judged_count) {
    double gain = 0;
    size_t found = 0;
    size_t wanted = 0;
    struct relevance r = {0, 0, 0};
    for (size_t i = 0; i < count && i < RELEVANCE_DEPTH; i++) {
        gain += i < NDCG_RANKS ? discounted(ratings[i], i) : 0;
        if (ratings[i] > 0 && found++ == 0) {
            r.mrr = 1.0 / (double)(i + 1);
        }
    }
    for (size_t i = 0; i < judged_count; i++) {
        wanted += judged[i] > 0;
    }
    assert(wanted > 0);
    r.ndcg10 = gain / ideal_gain(judged, judged_count);
    r.recall100 = (double)found / (double)wanted;
    return r;
}

static int ascending(const void *left, const void *right) {
    const double *a = left;
    const double *b = right;
    return *a < *b ? -1 : *a > *b;
}

int relevance_bootstrap(const double *differences, size_t count, uint64_t seed,
                        struct interval *out) {
    assert(count > 0);
    double *means = malloc(BOOTSTRAP_DRAWS * sizeof *means);
    if (means == NULL) {
        return -ENOMEM;
    }
    struct prng p;
    prng_init(&p, seed, "relevance-bootstrap");
    for (size_t draw = 0; draw < BOOTSTRAP_DRAWS; draw++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++) {
            sum += differences[prng_below(&p, count)];
        }
        means[draw] = sum / (double)count;
    }
    qsort(means, BOOTSTRAP_DRAWS, sizeof *means, ascending);
    *out = (struct interval){means[BOOTSTRAP_DRAWS / 40],
                             means[BOOTSTRAP_DRAWS - BOOTSTRAP_DRAWS / 40 - 1]};
    free(means);
    return 0;
}
