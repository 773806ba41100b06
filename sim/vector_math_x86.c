#include "sim/vector_math_x86.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <string.h>

#define LANES 64

/*
 * The last dim mod 64 elements, padded with zeros: the terms of the padding are zero, and adding
 * zero changes no sum (a sum that began at +0 is never -0).
 */
static inline void pad(const float *from, size_t count, float to[LANES]) {
    memset(to, 0, LANES * sizeof *to);
    memcpy(to, from, count * sizeof *to);
}

/* --- AVX2: a sum of 64 lanes is eight registers --- */

#define AVX2 __attribute__((target("avx2")))

struct sums_avx2 {
    __m256 lane[8];
};

AVX2 static inline void add_dot_avx2(struct sums_avx2 *s, const float *a, const float *b) {
    for (size_t j = 0; j < 8; j++) {
        __m256 term = _mm256_mul_ps(_mm256_loadu_ps(a + 8 * j), _mm256_loadu_ps(b + 8 * j));
        s->lane[j] = _mm256_add_ps(s->lane[j], term);
    }
}

AVX2 static inline void add_l2_avx2(struct sums_avx2 *s, const float *a, const float *b) {
    for (size_t j = 0; j < 8; j++) {
        __m256 d = _mm256_sub_ps(_mm256_loadu_ps(a + 8 * j), _mm256_loadu_ps(b + 8 * j));
        s->lane[j] = _mm256_add_ps(s->lane[j], _mm256_mul_ps(d, d));
    }
}

AVX2 static inline float reduce_avx2(const struct sums_avx2 *s) {
    const __m256 *v = s->lane;
    __m256 low = _mm256_add_ps(_mm256_add_ps(v[0], v[2]), _mm256_add_ps(v[4], v[6]));
    __m256 high = _mm256_add_ps(_mm256_add_ps(v[1], v[3]), _mm256_add_ps(v[5], v[7]));
    __m256 t8 = _mm256_add_ps(low, high);
    __m128 t4 = _mm_add_ps(_mm256_castps256_ps128(t8), _mm256_extractf128_ps(t8, 1));
    __m128 t2 = _mm_add_ps(t4, _mm_movehl_ps(t4, t4));
    return _mm_cvtss_f32(_mm_add_ss(t2, _mm_shuffle_ps(t2, t2, 1)));
}

#define DEFINE_AVX2(name, add)                                                                     \
    AVX2 static float name(const float *a, const float *b, size_t dim) {                           \
        struct sums_avx2 s;                                                                        \
        for (size_t j = 0; j < 8; j++) {                                                           \
            s.lane[j] = _mm256_setzero_ps();                                                       \
        }                                                                                          \
        size_t i = 0;                                                                              \
        for (; i + LANES <= dim; i += LANES) {                                                     \
            add(&s, a + i, b + i);                                                                 \
        }                                                                                          \
        if (i < dim) {                                                                             \
            float a_end[LANES], b_end[LANES];                                                      \
            pad(a + i, dim - i, a_end);                                                            \
            pad(b + i, dim - i, b_end);                                                            \
            add(&s, a_end, b_end);                                                                 \
        }                                                                                          \
        return reduce_avx2(&s);                                                                    \
    }                                                                                              \
    AVX2 static void name##_4(const float *query, const float *const rows[4], size_t dim,          \
                              float out[4]) {                                                      \
        for (size_t r = 0; r < 4; r++) {                                                           \
            out[r] = name(query, rows[r], dim);                                                    \
        }                                                                                          \
    }

DEFINE_AVX2(avx2_dot, add_dot_avx2)
DEFINE_AVX2(avx2_l2_squared, add_l2_avx2)

static const struct vector_kernels kernels_avx2 = {
    .name = "avx2",
    .dot = avx2_dot,
    .l2_squared = avx2_l2_squared,
    .dot_4 = avx2_dot_4,
    .l2_squared_4 = avx2_l2_squared_4,
};

const struct vector_kernels *vector_kernels_avx2(void) {
    return __builtin_cpu_supports("avx2") ? &kernels_avx2 : NULL;
}

/* --- AVX-512: four registers, and room for four rows at once --- */

#define AVX512 __attribute__((target("avx512f")))

struct sums_avx512 {
    __m512 lane[4];
};

AVX512 static inline __m512 dot_term(__m512 a, __m512 b) {
    return _mm512_mul_ps(a, b);
}

AVX512 static inline __m512 l2_term(__m512 a, __m512 b) {
    __m512 d = _mm512_sub_ps(a, b);
    return _mm512_mul_ps(d, d);
}

AVX512 static inline float reduce_avx512(const struct sums_avx512 *s) {
    const __m512 *v = s->lane;
    __m512 t16 = _mm512_add_ps(_mm512_add_ps(v[0], v[1]), _mm512_add_ps(v[2], v[3]));
    __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(t16), 1));
    __m256 t8 = _mm256_add_ps(_mm512_castps512_ps256(t16), upper);
    __m128 t4 = _mm_add_ps(_mm256_castps256_ps128(t8), _mm256_extractf128_ps(t8, 1));
    __m128 t2 = _mm_add_ps(t4, _mm_movehl_ps(t4, t4));
    return _mm_cvtss_f32(_mm_add_ss(t2, _mm_shuffle_ps(t2, t2, 1)));
}

/* Which of the 16 lanes from element i < dim on are there. */
static inline __mmask16 lanes_left(size_t i, size_t dim) {
    return (__mmask16)(dim - i >= 16 ? 0xFFFFu : (1u << (dim - i)) - 1);
}

/* One definition for one row and for four, which differ in how often the query is loaded. */
#define DEFINE_AVX512(name, rows_count, term)                                                      \
    AVX512 static void name(const float *query, const float *const *rows, size_t dim,              \
                            float *out) {                                                          \
        struct sums_avx512 s[rows_count];                                                          \
        for (size_t r = 0; r < (rows_count); r++) {                                                \
            for (size_t j = 0; j < 4; j++) {                                                       \
                s[r].lane[j] = _mm512_setzero_ps();                                                \
            }                                                                                      \
        }                                                                                          \
        size_t i = 0;                                                                              \
        for (; i + LANES <= dim; i += LANES) {                                                     \
            for (size_t j = 0; j < 4; j++) {                                                       \
                __m512 q = _mm512_loadu_ps(query + i + 16 * j);                                    \
                for (size_t r = 0; r < (rows_count); r++) {                                        \
                    __m512 row = _mm512_loadu_ps(rows[r] + i + 16 * j);                            \
                    s[r].lane[j] = _mm512_add_ps(s[r].lane[j], term(q, row));                      \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        for (size_t j = 0; i + 16 * j < dim; j++) {                                                \
            __mmask16 left = lanes_left(i + 16 * j, dim);                                          \
            __m512 q = _mm512_maskz_loadu_ps(left, query + i + 16 * j);                            \
            for (size_t r = 0; r < (rows_count); r++) {                                            \
                __m512 row = _mm512_maskz_loadu_ps(left, rows[r] + i + 16 * j);                    \
                s[r].lane[j] = _mm512_add_ps(s[r].lane[j], term(q, row));                          \
            }                                                                                      \
        }                                                                                          \
        for (size_t r = 0; r < (rows_count); r++) {                                                \
            out[r] = reduce_avx512(&s[r]);                                                         \
        }                                                                                          \
    }

DEFINE_AVX512(dot_rows_1, 1, dot_term)
DEFINE_AVX512(dot_rows_4, 4, dot_term)
DEFINE_AVX512(l2_rows_1, 1, l2_term)
DEFINE_AVX512(l2_rows_4, 4, l2_term)

AVX512 static float avx512_dot(const float *a, const float *b, size_t dim) {
    float out;
    dot_rows_1(a, &b, dim, &out);
    return out;
}

AVX512 static float avx512_l2_squared(const float *a, const float *b, size_t dim) {
    float out;
    l2_rows_1(a, &b, dim, &out);
    return out;
}

AVX512 static void avx512_dot_4(const float *query, const float *const rows[4], size_t dim,
                                float out[4]) {
    dot_rows_4(query, rows, dim, out);
}

AVX512 static void avx512_l2_squared_4(const float *query, const float *const rows[4], size_t dim,
                                       float out[4]) {
    l2_rows_4(query, rows, dim, out);
}

static const struct vector_kernels kernels_avx512 = {
    .name = "avx512",
    .dot = avx512_dot,
    .l2_squared = avx512_l2_squared,
    .dot_4 = avx512_dot_4,
    .l2_squared_4 = avx512_l2_squared_4,
};

const struct vector_kernels *vector_kernels_avx512(void) {
    return __builtin_cpu_supports("avx512f") ? &kernels_avx512 : NULL;
}

#else

const struct vector_kernels *vector_kernels_avx2(void) {
    return NULL;
}

const struct vector_kernels *vector_kernels_avx512(void) {
    return NULL;
}

#endif
