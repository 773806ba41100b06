#include "sim/vector_math.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "sim/vector_math_x86.h"

#define LANES 64
#define SLICE 16

/* --- plain C --- */

/* What is added to a lane. Each is rounded on its own. */
static inline float product(float a, float b) {
    return a * b;
}

static inline float squared_difference(float a, float b) {
    float d = a - b;
    return d * d;
}

/* The documented order of reduction. Destroys t, 16 elements. */
static float halve(float *t) {
    for (size_t width = SLICE / 2; width > 0; width /= 2) {
        for (size_t j = 0; j < width; j++) {
            t[j] += t[j + width];
        }
    }
    return t[0];
}

/*
 * Sixteen lanes at a time, so that the sums stay in the registers of any processor; lanes do not
 * touch each other, so the order within each is as documented.
 */
#define DEFINE_PLAIN(name, term)                                                                   \
    static float name(const float *a, const float *b, size_t dim) {                                \
        float sums[LANES / SLICE][SLICE];                                                          \
        for (size_t first = 0; first < LANES; first += SLICE) {                                    \
            float lanes[SLICE] = {0};                                                              \
            size_t i = first;                                                                      \
            for (; i + SLICE <= dim; i += LANES) {                                                 \
                for (size_t j = 0; j < SLICE; j++) {                                               \
                    lanes[j] += term(a[i + j], b[i + j]);                                          \
                }                                                                                  \
            }                                                                                      \
            for (size_t j = 0; i + j < dim; j++) {                                                 \
                lanes[j] += term(a[i + j], b[i + j]);                                              \
            }                                                                                      \
            memcpy(sums[first / SLICE], lanes, sizeof lanes);                                      \
        }                                                                                          \
        float t[SLICE];                                                                            \
        for (size_t j = 0; j < SLICE; j++) {                                                       \
            t[j] = (sums[0][j] + sums[1][j]) + (sums[2][j] + sums[3][j]);                          \
        }                                                                                          \
        return halve(t);                                                                           \
    }

DEFINE_PLAIN(plain_dot, product)
DEFINE_PLAIN(plain_l2_squared, squared_difference)

static void plain_dot_4(const float *query, const float *const rows[4], size_t dim, float out[4]) {
    for (size_t r = 0; r < 4; r++) {
        out[r] = plain_dot(query, rows[r], dim);
    }
}

static void plain_l2_squared_4(const float *query, const float *const rows[4], size_t dim,
                               float out[4]) {
    for (size_t r = 0; r < 4; r++) {
        out[r] = plain_l2_squared(query, rows[r], dim);
    }
}

static const struct vector_kernels kernels_plain = {
    .name = "plain",
    .dot = plain_dot,
    .l2_squared = plain_l2_squared,
    .dot_4 = plain_dot_4,
    .l2_squared_4 = plain_l2_squared_4,
};

/* --- which one --- */

/* NULL: not decided yet. Threads that decide at the same time decide the same. */
static const struct vector_kernels *_Atomic selected;

static const struct vector_kernels *best(void) {
    const struct vector_kernels *kernels = vector_kernels_avx512();
    if (kernels == NULL) {
        kernels = vector_kernels_avx2();
    }
    return kernels != NULL ? kernels : &kernels_plain;
}

const struct vector_kernels *vector_math_kernels(void) {
    const struct vector_kernels *kernels = atomic_load_explicit(&selected, memory_order_relaxed);
    if (kernels == NULL) {
        kernels = best();
        atomic_store_explicit(&selected, kernels, memory_order_relaxed);
    }
    return kernels;
}

bool vector_math_select(const char *name) {
    const struct vector_kernels *kernels = NULL;
    if (name == NULL) {
        kernels = best();
    } else if (strcmp(name, "plain") == 0) {
        kernels = &kernels_plain;
    } else if (strcmp(name, "avx2") == 0) {
        kernels = vector_kernels_avx2();
    } else if (strcmp(name, "avx512") == 0) {
        kernels = vector_kernels_avx512();
    }
    if (kernels == NULL) {
        return false;
    }
    atomic_store_explicit(&selected, kernels, memory_order_relaxed);
    return true;
}

/* --- what follows from the sums --- */

float vector_dot(const float *a, const float *b, size_t dim) {
    return vector_math_kernels()->dot(a, b, dim);
}

float vector_l2_squared(const float *a, const float *b, size_t dim) {
    return vector_math_kernels()->l2_squared(a, b, dim);
}

float vector_norm(const float *a, size_t dim) {
    return sqrtf(vector_dot(a, a, dim));
}

float vector_cosine(const float *a, const float *b, size_t dim) {
    float length = vector_norm(a, dim) * vector_norm(b, dim);
    if (length <= 0) {
        return 0;
    }
    float cosine = vector_dot(a, b, dim) / length;
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

static float largest_magnitude(const float *a, size_t dim) {
    float largest = 0;
    for (size_t i = 0; i < dim; i++) {
        float magnitude = fabsf(a[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

static void scale(const float *a, size_t dim, float factor, float *out) {
    for (size_t i = 0; i < dim; i++) {
        out[i] = a[i] * factor;
    }
}

/* Squared lengths between these lose nothing to overflow or to denormals. */
#define SQUARE_MIN 1e-20f
#define SQUARE_MAX 1e30f

/* How far from 1 the squared length of a normalised vector may be. */
#define SQUARE_ROUNDING 1e-6f

bool vector_normalise(const float *a, size_t dim, float *out) {
    float square = vector_dot(a, a, dim);
    if (fabsf(square - 1) <= SQUARE_ROUNDING) {
        memmove(out, a, dim * sizeof *a);
        return true;
    }
    if (!(square > SQUARE_MIN && square < SQUARE_MAX)) {
        float largest = largest_magnitude(a, dim);
        if (largest <= 0) {
            scale(a, dim, 0, out);
            return false;
        }
        /* Divided, for the reciprocal of a denormal is infinite. */
        for (size_t i = 0; i < dim; i++) {
            out[i] = a[i] / largest;
        }
        a = out;
        square = vector_dot(a, a, dim);
    }
    scale(a, dim, 1 / sqrtf(square), out);
    return true;
}

bool vector_is_finite(const float *a, size_t dim) {
    /* x - x is 0 for a finite x and a NaN otherwise; the sum keeps a NaN. */
    float lanes[SLICE] = {0};
    size_t i = 0;
    for (; i + SLICE <= dim; i += SLICE) {
        for (size_t j = 0; j < SLICE; j++) {
            lanes[j] += a[i + j] - a[i + j];
        }
    }
    for (size_t j = 0; i + j < dim; j++) {
        lanes[j] += a[i + j] - a[i + j];
    }
    return !isnan(halve(lanes));
}

float vector_distance(const struct vector_kernels *kernels, enum vector_metric metric,
                      const float *a, const float *b, size_t dim) {
    return metric == VECTOR_L2 ? kernels->l2_squared(a, b, dim) : 1 - kernels->dot(a, b, dim);
}

void vector_distances(const struct vector_kernels *kernels, enum vector_metric metric,
                      const float *query, const float *const *rows, size_t count, size_t dim,
                      float *out) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        if (metric == VECTOR_L2) {
            kernels->l2_squared_4(query, rows + i, dim, out + i);
        } else {
            kernels->dot_4(query, rows + i, dim, out + i);
            for (size_t j = i; j < i + 4; j++) {
                out[j] = 1 - out[j];
            }
        }
    }
    for (; i < count; i++) {
        out[i] = vector_distance(kernels, metric, query, rows[i], dim);
    }
}

static const char *const metric_names[VECTOR_METRIC_COUNT] = {
    [VECTOR_L2] = "l2",
    [VECTOR_COSINE] = "cosine",
};

const char *vector_metric_name(enum vector_metric metric) {
    assert((unsigned)metric < VECTOR_METRIC_COUNT);
    return metric_names[metric];
}

bool vector_metric_parse(const char *name, enum vector_metric *metric) {
    for (unsigned m = 0; m < VECTOR_METRIC_COUNT; m++) {
        if (strcmp(name, metric_names[m]) == 0) {
            *metric = (enum vector_metric)m;
            return true;
        }
    }
    return false;
}
