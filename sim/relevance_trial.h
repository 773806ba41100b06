/*
 * Words, vectors and both at once over a labelled set (B7).
 *
 * Products go into the keyword index and, as vectors learned from the products alone, into the
 * vector database; every query is asked of both, with its filter; how the answers are fused is
 * chosen among FUSION_CHOICES. Nothing is tuned on a query that it is scored on: queries are put
 * into two halves, in turn by the order of a hash of their texts, and each half is fused in the way
 * that had the greatest mean nDCG@10 on the other half. The learning sees neither queries nor
 * judgements.
 */
#ifndef MURPHY_SIM_RELEVANCE_TRIAL_H
#define MURPHY_SIM_RELEVANCE_TRIAL_H

#include <stddef.h>
#include <stdint.h>

#include "sim/fusion.h"
#include "sim/relevance.h"
#include "sim/relevance_set.h"

#define FUSION_CHOICES 14

struct relevance_report {
    size_t queries; /* scored: those with a rating above 0 */
    struct relevance bm25, vector, hybrid;
    struct fusion fused[2]; /* how, of each half */
    double lift;            /* nDCG@10 of hybrid less that of the better of the two */
    struct interval lift_ci95;
    size_t better, equal, worse; /* queries on which hybrid is so, against that one */
};

/* seed: of the random start of learning and of the bootstrap. 0 or -ENOMEM. */
int relevance_trial(const struct relevance_set *set, uint64_t seed,
                    struct relevance_report *report);

#endif
