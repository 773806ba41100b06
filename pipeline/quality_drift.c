#include "pipeline/quality_drift.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/drift.h"
#include "pipeline/memory.h"

#define ROW_BYTES (TEXT_DIMENSION * sizeof(float))

void quality_drift_release(struct quality_drift *drift) {
    free(drift->reference);
    *drift = (struct quality_drift){0};
}

void quality_drift_forget(struct quality_drift *drift) {
    drift->reference_rows = 0;
    drift->count = 0;
}

void quality_drift_offer(struct quality_drift *drift, uint64_t listing_id, uint64_t stretch) {
    for (size_t i = 0; i < drift->count; i++) {
        if (drift->ids[i] == listing_id) {
            return;
        }
    }
    uint64_t parts[2] = {listing_id, stretch};
    uint64_t key = XXH3_64bits(parts, sizeof parts);
    size_t at = drift->count;
    while (at > 0 && drift->keys[at - 1] > key) {
        at--;
    }
    if (at == QUALITY_SAMPLE_MAX) {
        return;
    }
    size_t last = drift->count < QUALITY_SAMPLE_MAX ? drift->count++ : QUALITY_SAMPLE_MAX - 1;
    memmove(&drift->ids[at + 1], &drift->ids[at], (last - at) * sizeof *drift->ids);
    memmove(&drift->keys[at + 1], &drift->keys[at], (last - at) * sizeof *drift->keys);
    drift->ids[at] = listing_id;
    drift->keys[at] = key;
}

static int reference_add(struct quality_drift *drift, const float *vectors, size_t rows) {
    if (drift->reference == NULL) {
        drift->reference = memory_resize(NULL, QUALITY_REFERENCE_ROWS * ROW_BYTES);
        if (drift->reference == NULL) {
            return -ENOMEM;
        }
    }
    size_t room = QUALITY_REFERENCE_ROWS - drift->reference_rows;
    rows = rows < room ? rows : room;
    memcpy(drift->reference + drift->reference_rows * TEXT_DIMENSION, vectors, rows * ROW_BYTES);
    drift->reference_rows += rows;
    return 0;
}

/* Thousandths, as in 0.015; below 0 it is 0. */
static void add_value(struct sentence *evidence, double value) {
    uint64_t thousandths = value > 0 ? (uint64_t)(value * 1000 + 0.5) : 0;
    sentence_add_number(evidence, thousandths / 1000);
    sentence_add(evidence, ".");
    uint64_t rest = thousandths % 1000;
    sentence_add(evidence, rest < 10 ? "00" : rest < 100 ? "0" : "");
    sentence_add_number(evidence, rest);
}

static void tell(struct sentence *evidence, size_t rows, const struct drift_values *values,
                 const struct drift_values *limits, unsigned exceeded) {
    sentence_add_number(evidence, rows);
    sentence_add(evidence, " text vectors written lately against ");
    sentence_add_number(evidence, QUALITY_REFERENCE_ROWS);
    sentence_add(evidence, " of the reference: ");
    for (unsigned i = 0; i < DRIFT_MEASURE_COUNT; i++) {
        sentence_add(evidence, i == 0 ? "" : ", ");
        sentence_add(evidence, drift_measure_name((enum drift_measure)i));
        sentence_add(evidence, " ");
        add_value(evidence, values->of[i]);
        if ((exceeded >> i & 1) != 0) {
            sentence_add(evidence, " above ");
            add_value(evidence, limits->of[i]);
        }
    }
}

int quality_drift_judge(struct quality_drift *drift, const float *vectors, size_t rows,
                        const struct bugs *bugs, struct sentence *evidence,
                        enum quality_drift_verdict *verdict) {
    *verdict = QUALITY_DRIFT_NOTHING;
    if (rows < QUALITY_SAMPLE_MIN) {
        return 0;
    }
    if (drift->reference_rows < QUALITY_REFERENCE_ROWS) {
        return reference_add(drift, vectors, rows);
    }
    struct vector_sample sample = {vectors, rows, TEXT_DIMENSION};
    struct vector_sample reference = {drift->reference, drift->reference_rows, TEXT_DIMENSION};
    if (bug_on(bugs, BUG_DRIFT_SELF)) {
        reference = sample;
    }
    struct drift_values values;
    if (drift_measure(reference, sample, &values) != 0) {
        return -ENOMEM;
    }
    struct drift_values limits = drift_limits_for(reference.rows, sample.rows);
    unsigned exceeded = drift_exceeded(&values, &limits);
    if ((exceeded != 0) == drift->raised) {
        return 0;
    }
    drift->raised = exceeded != 0;
    *verdict = drift->raised ? QUALITY_DRIFT_RAISED : QUALITY_DRIFT_CLEARED;
    *evidence = sentence_begin();
    tell(evidence, rows, &values, &limits, exceeded);
    return 0;
}
