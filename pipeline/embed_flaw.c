#include "pipeline/embed_flaw.h"

/* Every component is a finite number: the squares of others add up to what differs from itself.
 * Eight sums, so that the loop does not wait for each addition. */
static bool are_numbers(const float *vector, size_t dimension) {
    float sums[8] = {0};
    for (size_t i = 0; i + 8 <= dimension; i += 8) {
        for (size_t lane = 0; lane < 8; lane++) {
            sums[lane] += vector[i + lane] * vector[i + lane];
        }
    }
    float sum = 0;
    for (size_t lane = 0; lane < 8; lane++) {
        sum += sums[lane];
    }
    return sum - sum == 0; /* not so of an infinity, nor of what is no number */
}

_Static_assert(TEXT_DIMENSION % 8 == 0 && IMAGE_DIMENSION % 8 == 0 && FUSED_DIMENSION % 8 == 0,
               "a vector is read by eights");

enum embed_flaw embed_flaw_of(uint32_t model_version, const struct embed_result *result,
                              const struct bugs *bugs) {
    if (result->model_version != model_version && !bug_on(bugs, BUG_MODEL_UNCHECKED)) {
        return EMBED_OTHER_MODEL;
    }
    for (int m = 0; m < MODALITY_COUNT; m++) {
        size_t dimension = modality_dimension((enum modality)m);
        const float *vector = result->vectors[m];
        if (vector != NULL && result->dimensions[m] != dimension &&
            !bug_on(bugs, BUG_DIMENSION_UNCHECKED)) {
            return EMBED_WRONG_DIMENSION;
        }
        if (vector != NULL && !are_numbers(vector, dimension) &&
            !bug_on(bugs, BUG_NUMBERS_UNCHECKED)) {
            return EMBED_NO_NUMBERS;
        }
    }
    return EMBED_SOUND;
}
