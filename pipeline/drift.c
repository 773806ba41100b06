#include "pipeline/drift.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/memory.h"

/* Sums run in so many lanes, which are added up in one order: a compiler may use vector
 * instructions of any width without another result. */
enum { LANES = 8 };

const char *drift_measure_name(enum drift_measure measure) {
    static const char *const names[DRIFT_MEASURE_COUNT] = {
#define DRIFT_NAME(identifier, name, limit) [DRIFT_MEASURE_##identifier] = name,
        DRIFT_MEASURES(DRIFT_NAME)
#undef DRIFT_NAME
    };
    assert(measure < DRIFT_MEASURE_COUNT);
    return names[measure];
}

static double lanes_sum(const double lane[LANES]) {
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Of one row in double precision and another: a row is widened once for all that it is compared
 * with, for to widen both each time costs more than all the rest. */
static double distance_squared(const double *x, const float *y, size_t dim) {
    double lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= dim; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            double difference = x[i + k] - (double)y[i + k];
            lane[k] += difference * difference;
        }
    }
    for (; i < dim; i++) {
        double difference = x[i] - (double)y[i];
        lane[i % LANES] += difference * difference;
    }
    return lanes_sum(lane);
}

static double projection(const float *x, const double *direction, size_t dim) {
    double lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= dim; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            lane[k] += (double)x[i + k] * direction[i + k];
        }
    }
    for (; i < dim; i++) {
        lane[i % LANES] += (double)x[i] * direction[i];
    }
    return lanes_sum(lane);
}

static const float *row_of(const struct vector_sample *sample, size_t row) {
    return sample->components + row * sample->dim;
}

/* ---- Moments: centroid and components ---- */

/* Mean and variance of each component. */
static void moments(const struct vector_sample *sample, double *mean, double *variance) {
    size_t dim = sample->dim;
    memset(mean, 0, dim * sizeof *mean);
    memset(variance, 0, dim * sizeof *variance);
    for (size_t row = 0; row < sample->rows; row++) {
        const float *x = row_of(sample, row);
        for (size_t i = 0; i < dim; i++) {
            mean[i] += (double)x[i];
        }
    }
    for (size_t i = 0; i < dim; i++) {
        mean[i] /= (double)sample->rows;
    }
    for (size_t row = 0; row < sample->rows; row++) {
        const float *x = row_of(sample, row);
        for (size_t i = 0; i < dim; i++) {
            double difference = (double)x[i] - mean[i];
            variance[i] += difference * difference;
        }
    }
    for (size_t i = 0; i < dim; i++) {
        variance[i] /= (double)(sample->rows - 1);
    }
}

/* Both samples' moments: four arrays of dim each in one piece of memory. */
static void moment_measures(const struct vector_sample *a, const struct vector_sample *b,
                            double *memory, struct drift_values *out) {
    size_t dim = a->dim;
    double *mean_a = memory, *variance_a = memory + dim;
    double *mean_b = memory + 2 * dim, *variance_b = memory + 3 * dim;
    moments(a, mean_a, variance_a);
    moments(b, mean_b, variance_b);
    double apart = 0, chance = 0, spread = 0;
    size_t drifted = 0;
    for (size_t i = 0; i < dim; i++) {
        double difference = mean_a[i] - mean_b[i];
        double squared = difference * difference;
        double error = variance_a[i] / (double)a->rows + variance_b[i] / (double)b->rows;
        double variance = (variance_a[i] + variance_b[i]) / 2;
        drifted += squared > 9 * error && squared > variance / 100;
        apart += squared;
        chance += error;
        spread += variance;
    }
    double shift = apart > chance ? apart - chance : 0;
    /* Samples without any spread differ by as much as one can say: by all or nothing. */
    out->of[DRIFT_MEASURE_CENTROID] = spread > 0 ? sqrt(shift / spread) : shift > 0 ? 1 : 0;
    out->of[DRIFT_MEASURE_COMPONENTS] = (double)drifted / (double)dim;
}

/* ---- Maximum mean discrepancy ---- */

static const float *row_of_both(const struct vector_sample *a, const struct vector_sample *b,
                                size_t row) {
    return row < a->rows ? row_of(a, row) : row_of(b, row - a->rows);
}

/* distances holds those of each pair (i, k), k < i, of the rows of a and then of b; wide is room
 * for a row. */
static double mmd(const struct vector_sample *a, const struct vector_sample *b, double *wide,
                  double *distances) {
    size_t rows = a->rows + b->rows;
    double sum = 0;
    size_t pair = 0;
    for (size_t i = 1; i < rows; i++) {
        const float *row = row_of_both(a, b, i);
        for (size_t k = 0; k < a->dim; k++) {
            wide[k] = (double)row[k];
        }
        for (size_t k = 0; k < i; k++) {
            distances[pair] = distance_squared(wide, row_of_both(a, b, k), a->dim);
            sum += distances[pair++];
        }
    }
    if (sum == 0) {
        return 0;
    }
    double scale = sum / (double)pair;
    double within_a = 0, within_b = 0, across = 0;
    pair = 0;
    for (size_t i = 1; i < rows; i++) {
        for (size_t k = 0; k < i; k++) {
            double near = 1 / (1 + distances[pair++] / scale);
            if (i < a->rows) {
                within_a += near;
            } else if (k >= a->rows) {
                within_b += near;
            } else {
                across += near;
            }
        }
    }
    double pairs_a = (double)(a->rows * (a->rows - 1) / 2);
    double pairs_b = (double)(b->rows * (b->rows - 1) / 2);
    return within_a / pairs_a + within_b / pairs_b - 2 * across / (double)(a->rows * b->rows);
}

/* ---- Separation ---- */

/* Adds to the direction the mean of the sample's rows of that parity, times sign. */
static void add_half_mean(const struct vector_sample *sample, size_t parity, double sign,
                          double *direction) {
    size_t rows = (sample->rows + 1 - parity) / 2;
    for (size_t row = parity; row < sample->rows; row += 2) {
        const float *x = row_of(sample, row);
        for (size_t i = 0; i < sample->dim; i++) {
            direction[i] += sign * (double)x[i] / (double)rows;
        }
    }
}

/* Wins of b over a among the rows of the parity that the direction does not come from; a draw is
 * half a win. */
static double half_separation(const struct vector_sample *a, const struct vector_sample *b,
                              size_t parity, double *direction, double *scores) {
    memset(direction, 0, a->dim * sizeof *direction);
    add_half_mean(b, 1 - parity, 1, direction);
    add_half_mean(a, 1 - parity, -1, direction);
    size_t count = 0;
    for (size_t row = parity; row < a->rows; row += 2) {
        scores[count++] = projection(row_of(a, row), direction, a->dim);
    }
    size_t wins = 0, draws = 0, judged = 0;
    for (size_t row = parity; row < b->rows; row += 2) {
        double score = projection(row_of(b, row), direction, b->dim);
        for (size_t i = 0; i < count; i++) {
            wins += score > scores[i];
            draws += score == scores[i];
        }
        judged += count;
    }
    return ((double)wins + (double)draws / 2) / (double)judged;
}

int drift_measure(struct vector_sample a, struct vector_sample b, struct drift_values *out) {
    assert(a.dim == b.dim && a.dim > 0);
    assert(a.rows >= DRIFT_ROWS_MIN && b.rows >= DRIFT_ROWS_MIN);
    size_t dim = a.dim, rows = a.rows + b.rows;
    size_t pairs = rows * (rows - 1) / 2;
    size_t room = dim + pairs > 4 * dim ? dim + pairs : 4 * dim;
    room = room > dim + a.rows ? room : dim + a.rows;
    double *memory = memory_resize(NULL, room * sizeof *memory);
    if (memory == NULL) {
        return -ENOMEM;
    }
    moment_measures(&a, &b, memory, out);
    out->of[DRIFT_MEASURE_MMD] = mmd(&a, &b, memory, memory + dim);
    double separation = half_separation(&a, &b, 0, memory, memory + dim);
    separation += half_separation(&a, &b, 1, memory, memory + dim);
    out->of[DRIFT_MEASURE_SEPARATION] = separation / 2;
    free(memory);
    return 0;
}

/* ---- Limits ---- */

struct drift_values drift_limits_for(size_t rows_a, size_t rows_b) {
    struct drift_values limits = {{
#define DRIFT_LIMIT(identifier, name, limit) [DRIFT_MEASURE_##identifier] = limit,
        DRIFT_MEASURES(DRIFT_LIMIT)
#undef DRIFT_LIMIT
    }};
    double a = (double)rows_a, b = (double)rows_b;
    double separation = 0.5 + 6 * sqrt((a + b + 1) / (12 * a * b));
    double mmd = 4 * 0.1 / sqrt(a * b);
    if (limits.of[DRIFT_MEASURE_SEPARATION] < separation) {
        limits.of[DRIFT_MEASURE_SEPARATION] = separation;
    }
    if (limits.of[DRIFT_MEASURE_MMD] < mmd) {
        limits.of[DRIFT_MEASURE_MMD] = mmd;
    }
    return limits;
}

unsigned drift_exceeded(const struct drift_values *values, const struct drift_values *limits) {
    unsigned exceeded = 0;
    for (size_t i = 0; i < DRIFT_MEASURE_COUNT; i++) {
        exceeded |= values->of[i] > limits->of[i] ? 1u << i : 0;
    }
    return exceeded;
}
