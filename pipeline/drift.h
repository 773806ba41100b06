/*
 * Drift between two samples of vectors (B10): has the distribution of embeddings changed?
 *
 * A distance of centroids sees that a cloud moved; it does not see that the cloud grew, shrank, or
 * fell into two. So there are four measures, each with its limit in use:
 *
 *   centroid    distance of the means, in units of the spread: sqrt(|mean a - mean b|^2 / V), where
 *               V is the mean of both samples' summed variances; what chance alone makes of |..|^2
 *               (V_a/n_a + V_b/n_b) is taken off first
 *   mmd         squared maximum mean discrepancy, unbiased (A. Gretton et al., "A kernel two-sample
 *               test", JMLR 13, 2012; may be a little below 0), by the rational quadratic kernel
 *               k(x, y) = 1 / (1 + |x - y|^2 / s), s the mean squared distance of two rows of both
 *               samples together. The kernel is a mixture of Gaussians of all widths, so it is 0
 *               only for equal distributions, as with the Gaussian; but it asks for no exp, whose
 *               bits differ between libraries. It sees changes of every moment.
 *   components  share of components that drifted: whose means differ by more than three standard
 *               errors and by more than a tenth of their standard deviation
 *   separation  how well a line tells the samples apart: area under the ROC curve of the projection
 *               on the difference of means. Every vector is judged by a direction that it had no
 *               part in (even rows by odd ones, odd by even), or two samples of one distribution
 *               with more components than rows would be told apart perfectly. 0.5 is chance.
 *
 * Only + - * / and sqrt in a fixed order, in double precision: the same bits everywhere (D3). For n
 * rows in all of d components the time goes with n^2 d; 256 rows of 768 take about 20 ms.
 */
#ifndef MURPHY_PIPELINE_DRIFT_H
#define MURPHY_PIPELINE_DRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(identifier, "name", limit): the limits are those in use in the field, for samples of a few
 * hundred rows; small samples vary more (see drift_limits_for). */
#define DRIFT_MEASURES(X)                                                                          \
    X(CENTROID, "centroid distance", 0.25)                                                         \
    X(MMD, "MMD^2", 0.015)                                                                         \
    X(COMPONENTS, "share of drifted components", 0.2)                                              \
    X(SEPARATION, "separation", 0.55)

enum drift_measure {
#define DRIFT_ENUM(identifier, name, limit) DRIFT_MEASURE_##identifier,
    DRIFT_MEASURES(DRIFT_ENUM)
#undef DRIFT_ENUM
        DRIFT_MEASURE_COUNT
};
const char *drift_measure_name(enum drift_measure measure);

/* Rows of `dim` finite components, one after the other. */
struct vector_sample {
    const float *components;
    size_t rows;
    uint32_t dim;
};

/* A sample has at least so many rows. */
enum { DRIFT_ROWS_MIN = 4 };

struct drift_values {
    double of[DRIFT_MEASURE_COUNT];
};

/* Measures b against a; both have the same dim. Returns 0, or -ENOMEM. The measures are symmetric
 * but for the last bits. */
int drift_measure(struct vector_sample a, struct vector_sample b, struct drift_values *out);

/*
 * The limits for samples of that many rows: those of the table, and where chance alone would reach
 * one, what chance does not reach. For the separation that is 6 sqrt((n_a + n_b + 1) / (12 n_a
 * n_b)) above 0.5: six standard deviations of the area where all rows are judged by one direction,
 * about four of it here, where two directions judge half of them each and have rows in common. For
 * MMD^2 it is 0.4 / sqrt(n_a n_b): the kernel's spread is below 0.1. Calibrated on 23,000 looks at
 * vectors of calm runs (ci/false_alarms.sh), of which none is above.
 */
struct drift_values drift_limits_for(size_t rows_a, size_t rows_b);

/* The measures that are above their limits: bit 1 << measure each. */
unsigned drift_exceeded(const struct drift_values *values, const struct drift_values *limits);

#endif
