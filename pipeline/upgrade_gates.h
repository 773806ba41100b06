/*
 * The gates of a model upgrade (A10): what must hold of the shadow collections before readers are
 * led to them.
 *
 *   coverage  every row that gold serves is there (100 %; what changed a moment ago excepted)
 *   versions  each is in gold's version, of the model, once, and nothing else is there
 *   recall    approximate search finds what exact search finds, for stored vectors as queries
 *   overlap   a listing's neighbours are partly those that it had under the old model: a model that
 *             knows nothing has neighbours that are anyone's
 *   drift     vectors written first and last come from one distribution: the model was one and the
 *             same from the beginning to the end of the backfill. What the catalogue itself does
 *             over time shows in the old model's vectors of the same listings too, and is no
 *             reason: the new model's must be twice as far apart
 *
 * Coverage and versions are counted on a walk over all listings (pipeline/upgrade_page.h), which
 * also draws the sample for the others: of each modality the rows whose hashes are least, so that
 * the same rows are judged every time and no order in the catalogue favours any.
 *
 *     begin --walk: count, sample--> [ per modality: read vectors --> search three ways ] --> judge
 */
#ifndef MURPHY_PIPELINE_UPGRADE_GATES_H
#define MURPHY_PIPELINE_UPGRADE_GATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/drift.h"
#include "pipeline/machine.h"
#include "pipeline/sentence.h"
#include "pipeline/upgrade_page.h"

/* In the order in which they are judged: the first that does not hold is the one that is named. */
#define UPGRADE_GATES(X)                                                                           \
    X(COVERAGE, "coverage")                                                                        \
    X(VERSIONS, "versions")                                                                        \
    X(RECALL, "recall")                                                                            \
    X(OVERLAP, "overlap")                                                                          \
    X(DRIFT, "drift")

enum upgrade_gate {
#define GATE_ENUM(identifier, name) GATE_##identifier,
    UPGRADE_GATES(GATE_ENUM)
#undef GATE_ENUM
        GATE_COUNT /* none: all hold */
};
const char *upgrade_gate_name(enum upgrade_gate gate);

enum {
    GATE_SAMPLE = 64,                /* rows of each modality */
    GATE_QUERIES = 32,               /* of those, as many are searched with */
    GATE_NEIGHBOURS = 10,            /* the @10 of recall and overlap */
    GATE_HITS = GATE_NEIGHBOURS + 1, /* a search finds the row itself too */
};

/* Three ways to search with the same stored rows. */
enum gate_search { SEARCH_SHADOW, SEARCH_SHADOW_EXACT, SEARCH_OLD_EXACT, GATE_SEARCH_COUNT };

struct gate_row {
    uint64_t hash; /* of the listing id */
    uint64_t listing_id;
    vtime written;
};

struct gate_found {
    uint64_t listing_ids[GATE_QUERIES]; /* whose vectors were searched with */
    size_t count;
    struct search_hit hits[GATE_QUERIES][GATE_HITS];
    size_t hit_counts[GATE_QUERIES];
};

/* Whose vectors are compared. */
enum gate_side { GATE_SHADOW, GATE_OLD, GATE_SIDE_COUNT };

struct gate_drift {
    bool measured;
    struct drift_values values, limits;
};

struct gate_ratio {
    uint64_t part, whole;
};

struct upgrade_gates {
    struct page_counts counts;
    struct gate_row sample[MODALITY_COUNT][GATE_SAMPLE];
    size_t sample_counts[MODALITY_COUNT];
    struct gate_found found[GATE_SEARCH_COUNT]; /* of the modality under way */
    struct gate_ratio recall[MODALITY_COUNT];
    struct gate_ratio overlap[MODALITY_COUNT];
    struct gate_drift drift[GATE_SIDE_COUNT];
    unsigned drifted[MODALITY_COUNT]; /* bits of enum drift_measure */
};

void upgrade_gates_begin(struct upgrade_gates *gates);
/* Counts of one page that are settled. */
void upgrade_gates_count(struct upgrade_gates *gates, const struct page_counts *counts);
/* A row that may be sampled. */
void upgrade_gates_sample(struct upgrade_gates *gates, enum modality m, const struct scan_row *row);

/* Fills a request for the stored vectors of the sample. 0 or -ENOMEM. */
int upgrade_gates_read(const struct upgrade_gates *gates, enum modality m, struct effects *effects,
                       struct effect *read);
/* Fills a search with those of the vectors read that are there. 0 or -ENOMEM. */
int upgrade_gates_search(struct upgrade_gates *gates, enum gate_search which,
                         const struct effect *read, struct effects *effects, struct effect *search);
/* Measures the drift between the rows written to the shadow first and those written last, in what
 * was read of it or of the old collection. 0 or -ENOMEM. */
int upgrade_gates_drift(struct upgrade_gates *gates, enum modality m, enum gate_side side,
                        const struct effect *read);
/* Keeps what a search found. */
void upgrade_gates_found(struct upgrade_gates *gates, enum gate_search which,
                         const struct effect *search);
/* All searches of the modality, and both measures of drift, are kept: compares them. */
void upgrade_gates_compare(struct upgrade_gates *gates, enum modality m);

/* The first gate that does not hold, with a sentence that says why; or GATE_COUNT. */
enum upgrade_gate upgrade_gates_judge(const struct upgrade_gates *gates,
                                      const struct pipeline_config *config, struct sentence *why);

#endif
