/*
 * Arithmetic on float32 vectors that gives the same bits on every instruction set (D3).
 *
 * Floating-point addition is not associative, so a sum is only reproducible when its order is
 * fixed. The order here: 64 running sums; element i is added to sum i mod 64, in ascending i; each
 * term is rounded before it is added (no fused multiply-add, which plain C cannot do cheaply and
 * which would round once less). At the end, with s[0..63]:
 *
 *   t[j] = (s[j] + s[j + 16]) + (s[j + 32] + s[j + 48])     j = 0..15
 *   then halving: t[j] += t[j + 8], + 4, + 2, + 1; the result is t[0]
 *
 * That is four registers of AVX-512, eight of AVX2, and plain C vectorises the same way. The build
 * must not contract expressions (-ffp-contract=off). A row padded with zeros gives the same bits as
 * the row itself. Denormals count in full. With a NaN or an infinity in the input the result may be
 * a NaN whose bits differ between variants: keep such vectors out by vector_is_finite.
 *
 * No alignment is asked for; rows that begin at multiples of 64 bytes are fastest.
 */
#ifndef MURPHY_SIM_VECTOR_MATH_H
#define MURPHY_SIM_VECTOR_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a search orders by. Both are distances: less is nearer. */
enum vector_metric {
    VECTOR_L2,     /* squared Euclidean distance */
    VECTOR_COSINE, /* 1 - dot product of the normalised vectors: in [0, 2] but for rounding */
    VECTOR_METRIC_COUNT
};

/* One implementation of the sums. The *_4 forms read the query once for four rows. */
struct vector_kernels {
    const char *name;
    float (*dot)(const float *a, const float *b, size_t dim);
    float (*l2_squared)(const float *a, const float *b, size_t dim);
    void (*dot_4)(const float *query, const float *const rows[4], size_t dim, float out[4]);
    void (*l2_squared_4)(const float *query, const float *const rows[4], size_t dim, float out[4]);
};

/* The implementation in use; the best that this processor has unless one was selected. */
const struct vector_kernels *vector_math_kernels(void);

/*
 * Uses "plain", "avx2" or "avx512" from here on, NULL the best there is. False, and nothing
 * changed, when this processor or this build does not have it. For tests and measurements: results
 * do not depend on it. Not to be called while another thread computes.
 */
bool vector_math_select(const char *name);

float vector_dot(const float *a, const float *b, size_t dim);
float vector_l2_squared(const float *a, const float *b, size_t dim);
float vector_norm(const float *a, size_t dim);

/* Cosine similarity, dot / (|a| |b|), held to [-1, 1]; 0 when either vector is zero. */
float vector_cosine(const float *a, const float *b, size_t dim);

/*
 * Scales to length 1 within rounding; out may be a. A vector that has it already stays as it is, so
 * doing it twice is doing it once. Vectors whose squared length would overflow or
 * underflow are scaled first, so every finite vector but zero has a direction. False, with zeros in
 * out, when all elements are zero.
 */
bool vector_normalise(const float *a, size_t dim, float *out);

/* No element is a NaN or an infinity. */
bool vector_is_finite(const float *a, size_t dim);

/*
 * Distances from the query to `count` rows, 0 when the metric's rows are the same. For
 * VECTOR_COSINE query and rows must have been normalised.
 */
void vector_distances(const struct vector_kernels *kernels, enum vector_metric metric,
                      const float *query, const float *const *rows, size_t count, size_t dim,
                      float *out);

float vector_distance(const struct vector_kernels *kernels, enum vector_metric metric,
                      const float *a, const float *b, size_t dim);

/* "l2" or "cosine". */
const char *vector_metric_name(enum vector_metric metric);

/* The metric of that name; false when there is none. */
bool vector_metric_parse(const char *name, enum vector_metric *metric);

/*
 * A distance and an id in one integer, ordered by distance and then by id: the order of every
 * search result here. -0 sorts before +0; no NaN.
 */
static inline uint64_t vector_rank(float distance, uint32_t id) {
    union {
        float value;
        uint32_t bits;
    } d = {distance};
    uint32_t ordered =
        (d.bits & UINT32_C(0x80000000)) != 0 ? ~d.bits : d.bits | UINT32_C(0x80000000);
    return (uint64_t)ordered << 32 | id;
}

static inline uint32_t vector_rank_id(uint64_t rank) {
    return (uint32_t)rank;
}

static inline float vector_rank_distance(uint64_t rank) {
    uint32_t ordered = (uint32_t)(rank >> 32);
    union {
        uint32_t bits;
        float value;
    } d = {(ordered & UINT32_C(0x80000000)) != 0 ? ordered & UINT32_C(0x7FFFFFFF) : ~ordered};
    return d.value;
}

#endif
