#include "sim/fusion.h"

#include <assert.h>
#include <stdlib.h>

#define RANK_OFFSET 60

static double reciprocal(struct ranking list, size_t at) {
    (void)list;
    return 1.0 / (double)(RANK_OFFSET + 1 + at);
}

/* A list whose scores are all the same has only best hits. */
static double normalised(struct ranking list, size_t at) {
    double most = list.hits[0].score;
    double least = list.hits[list.count - 1].score;
    return most > least ? ((double)list.hits[at].score - least) / (most - least) : 1;
}

static int by_id(const void *left, const void *right) {
    const struct fused_hit *a = left;
    const struct fused_hit *b = right;
    return a->listing_id < b->listing_id ? -1 : a->listing_id > b->listing_id;
}

static int by_score(const void *left, const void *right) {
    const struct fused_hit *a = left;
    const struct fused_hit *b = right;
    return a->score != b->score ? (a->score > b->score ? -1 : 1) : by_id(left, right);
}

/* Makes one of the two hits that a listing may have; `hits` is in the order of ids. */
static size_t join(struct fused_hit *hits, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && hits[kept - 1].listing_id == hits[i].listing_id) {
            hits[kept - 1].score += hits[i].score;
        } else {
            hits[kept++] = hits[i];
        }
    }
    return kept;
}

size_t fusion_rank(const struct fusion *fusion, struct ranking keyword, struct ranking vector,
                   struct fused_hit *out) {
    assert(fusion->vector_weight >= 0 && fusion->vector_weight <= 1);
    double (*value)(struct ranking, size_t) =
        fusion->kind == FUSION_WEIGHTED ? normalised : reciprocal;
    size_t count = 0;
    for (size_t i = 0; i < keyword.count; i++) {
        out[count++] = (struct fused_hit){keyword.hits[i].listing_id,
                                          (1 - fusion->vector_weight) * value(keyword, i)};
    }
    for (size_t i = 0; i < vector.count; i++) {
        out[count++] =
            (struct fused_hit){vector.hits[i].listing_id, fusion->vector_weight * value(vector, i)};
    }
    qsort(out, count, sizeof *out, by_id); /* a sum of two does not depend on their order */
    count = join(out, count);
    qsort(out, count, sizeof *out, by_score);
    return count;
}
