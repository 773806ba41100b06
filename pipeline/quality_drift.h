/*
 * Drift of the embeddings as it goes on (B10): every so often the vectors of some listings whose
 * text changed lately are held against a reference, the vectors of the first such listings
 * (pipeline/drift.h says by which measures). An embedding service that answers with vectors of
 * another kind without saying so is seen, although every single vector is well formed. A change of
 * the served model is announced, and begins a new reference.
 *
 * The listings are chosen by a hash of their id and of the stretch of time, so that the choice is
 * the same however often the feed is read.
 */
#ifndef MURPHY_PIPELINE_QUALITY_DRIFT_H
#define MURPHY_PIPELINE_QUALITY_DRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bugs.h"
#include "pipeline/rows.h"
#include "pipeline/sentence.h"

enum {
    QUALITY_SAMPLE_MAX = 48, /* listings of a sample */
    QUALITY_SAMPLE_MIN = 24, /* fewer wait for more */
    QUALITY_REFERENCE_ROWS = 96,
};

/* Caller-owned; zeroed is empty. */
struct quality_drift {
    uint64_t ids[QUALITY_SAMPLE_MAX], keys[QUALITY_SAMPLE_MAX]; /* by key, ascending */
    size_t count;
    float *reference; /* QUALITY_REFERENCE_ROWS of TEXT_DIMENSION; NULL while there is none */
    size_t reference_rows;
    bool raised;
};

void quality_drift_release(struct quality_drift *drift);
/* Another model is served: what was learnt is about the former one. */
void quality_drift_forget(struct quality_drift *drift);

/* The listing's text changed, in that stretch of time. */
void quality_drift_offer(struct quality_drift *drift, uint64_t listing_id, uint64_t stretch);
/* Enough listings to look at. */
static inline bool quality_drift_is_due(const struct quality_drift *drift) {
    return drift->count >= QUALITY_SAMPLE_MIN;
}

enum quality_drift_verdict { QUALITY_DRIFT_NOTHING, QUALITY_DRIFT_RAISED, QUALITY_DRIFT_CLEARED };

/*
 * Takes the vectors of a sample: `rows` of TEXT_DIMENSION. They become reference as long as that is
 * not complete, else they are judged; evidence says by what. -ENOMEM when out of memory.
 */
int quality_drift_judge(struct quality_drift *drift, const float *vectors, size_t rows,
                        const struct bugs *bugs, struct sentence *evidence,
                        enum quality_drift_verdict *verdict);

#endif
