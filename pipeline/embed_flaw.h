/*
 * What can be wrong with an answer of the embedding service that looks like one (C5): it is of
 * another model version than the one that was asked for, as in the middle of a deployment; its
 * vectors are of another dimension; they hold what is no number. None of it is written or archived:
 * a store might take it, and a vector of another model is wrong without looking so.
 *
 * A service that answers with another model's vectors under the name of the one that was asked for
 * is not seen here: no single vector shows it. The quality monitor sees it, by their distribution
 * (pipeline/quality_drift.h).
 */
#ifndef MURPHY_PIPELINE_EMBED_FLAW_H
#define MURPHY_PIPELINE_EMBED_FLAW_H

#include <stdint.h>

#include "pipeline/bugs.h"
#include "pipeline/ports.h"

enum embed_flaw {
    EMBED_SOUND,
    EMBED_OTHER_MODEL,
    EMBED_WRONG_DIMENSION,
    EMBED_NO_NUMBERS,
};

/* Of an item that was answered with APPLIED. bugs may be NULL. */
enum embed_flaw embed_flaw_of(uint32_t model_version, const struct embed_result *result,
                              const struct bugs *bugs);

#endif
