/*
 * Vector arithmetic (D3, D8): every variant gives the bits of the documented order of summation,
 * for every length, and those bits are the ones known from before.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/prng.h"
#include "sim/vector_math.h"

#define DIM_MAX 1600

static const char *const variants[] = {"plain", "avx2", "avx512"};
#define VARIANTS (sizeof variants / sizeof variants[0])

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Uniform in [-1, 1), a multiple of 2^-23. */
static float uniform(struct prng *p) {
    return (float)((int32_t)(prng_next(p) >> 40) - (1 << 23)) / (float)(1 << 23);
}

/* Any finite float: denormals, zeros of both signs, and what overflows when multiplied. */
static float any_finite(struct prng *p) {
    for (;;) {
        uint32_t bits = (uint32_t)prng_next(p);
        float value;
        if (prng_ratio(p, 1, 4)) {
            bits &= UINT32_C(0x807FFFFF);
        }
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            return value;
        }
    }
}

/* The order of the header, written down as slowly as can be. */
static float reference(const float *a, const float *b, size_t dim, bool l2) {
    float s[64] = {0};
    for (size_t i = 0; i < dim; i++) {
        float left = a[i];
        float right = b[i];
        if (l2) {
            left = right = a[i] - b[i];
        }
        float term = left * right;
        s[i % 64] += term;
    }
    float t[16];
    for (size_t j = 0; j < 16; j++) {
        t[j] = (s[j] + s[j + 16]) + (s[j + 32] + s[j + 48]);
    }
    for (size_t width = 8; width > 0; width /= 2) {
        for (size_t j = 0; j < width; j++) {
            t[j] += t[j + width];
        }
    }
    return t[0];
}

static void assert_same(float got, float expected) {
    if (isnan(expected)) {
        assert_true(isnan(got));
    } else {
        assert_int_equal(bits_of(got), bits_of(expected));
    }
}

/* Every form of the variant in use, on one query and four rows at whatever alignment they have. */
static void compare_with_reference(const float *query, const float *const rows[4], size_t dim) {
    const struct vector_kernels *kernels = vector_math_kernels();
    float dot[4];
    float l2[4];
    kernels->dot_4(query, rows, dim, dot);
    kernels->l2_squared_4(query, rows, dim, l2);
    for (size_t r = 0; r < 4; r++) {
        float dot_expected = reference(query, rows[r], dim, false);
        float l2_expected = reference(query, rows[r], dim, true);
        assert_same(dot[r], dot_expected);
        assert_same(l2[r], l2_expected);
        assert_same(kernels->dot(query, rows[r], dim), dot_expected);
        assert_same(kernels->l2_squared(query, rows[r], dim), l2_expected);
    }
}

static void compare_all_lengths(const char *stream, float (*draw)(struct prng *)) {
    struct prng p;
    prng_init(&p, 1, stream);
    float *pool = malloc(5 * (DIM_MAX + 1) * sizeof *pool);
    assert_non_null(pool);
    for (size_t dim = 1; dim <= DIM_MAX; dim++) {
        /* Rows one after the other: alignment changes with the length. */
        for (size_t i = 0; i < 5 * dim; i++) {
            pool[i] = draw(&p);
        }
        const float *rows[4] = {pool + dim, pool + 2 * dim, pool + 3 * dim, pool + 4 * dim};
        for (size_t v = 0; v < VARIANTS; v++) {
            if (vector_math_select(variants[v])) {
                compare_with_reference(pool, rows, dim);
            }
        }
    }
    vector_math_select(NULL);
    free(pool);
}

/* All lengths from 1 to 1,600: the same bits as the documented order (D3). */
static void variants_agree_on_ordinary_numbers(void **state) {
    (void)state;
    compare_all_lengths("ordinary", uniform);
}

/* The same where sums run through denormals, overflow to infinity or cancel to a NaN. */
static void variants_agree_on_extreme_numbers(void **state) {
    (void)state;
    compare_all_lengths("extreme", any_finite);
}

/* Denormals are neither flushed on the way in nor on the way out. */
static void denormals_count(void **state) {
    (void)state;
    float tiny[70];
    float ones[70];
    for (size_t i = 0; i < 70; i++) {
        tiny[i] = FLT_TRUE_MIN;
        ones[i] = 1;
    }
    for (size_t v = 0; v < VARIANTS; v++) {
        if (vector_math_select(variants[v])) {
            assert_int_equal(bits_of(vector_dot(tiny, ones, 70)), 70);
        }
    }
    vector_math_select(NULL);
}

/* Sums that are exact in any order, so the answers are known without us. */
static void exact_sums_are_exact(void **state) {
    (void)state;
    float a[100];
    float b[100];
    for (size_t i = 0; i < 100; i++) {
        a[i] = (float)(i + 1);
        b[i] = (float)(2 * (i + 1));
    }
    for (size_t v = 0; v < VARIANTS; v++) {
        if (vector_math_select(variants[v])) {
            assert_true(vector_dot(a, b, 100) == 676700.0f);
            assert_true(vector_l2_squared(a, b, 100) == 338350.0f);
        }
    }
    vector_math_select(NULL);
    float triangle[2] = {3, 4};
    assert_true(vector_norm(triangle, 2) == 5);
    assert_true(vector_dot(a, b, 0) == 0);
}

/* The bits that 768 fixed numbers give: whatever compiler, level and processor (D3). */
static void bits_are_those_known(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 7, "known");
    float a[768];
    float b[768];
    for (size_t i = 0; i < 768; i++) {
        a[i] = uniform(&p);
        b[i] = uniform(&p);
    }
    for (size_t v = 0; v < VARIANTS; v++) {
        if (vector_math_select(variants[v])) {
            assert_int_equal(bits_of(vector_dot(a, b, 768)), UINT32_C(0xC1074215));
            assert_int_equal(bits_of(vector_l2_squared(a, b, 768)), UINT32_C(0x4407E370));
            assert_int_equal(bits_of(vector_cosine(a, b, 768)), UINT32_C(0xBD038D61));
        }
    }
    vector_math_select(NULL);
}

/* Zeros behind a row leave its sums as they are, so rows may be stored padded. */
static void padding_changes_nothing(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 2, "padding");
    float a[128] = {0};
    float b[128] = {0};
    for (size_t dim = 1; dim <= 64; dim++) {
        a[dim - 1] = any_finite(&p);
        b[dim - 1] = uniform(&p);
        for (size_t padded = dim; padded <= 128; padded++) {
            assert_same(vector_dot(a, b, padded), vector_dot(a, b, dim));
            assert_same(vector_l2_squared(a, b, padded), vector_l2_squared(a, b, dim));
        }
    }
}

/* Every finite vector but zero gets length 1, however short or long it is. */
static void every_direction_can_be_normalised(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 3, "normalise");
    static const float scales[] = {FLT_TRUE_MIN, 1e-40f, 1e-30f, 1e-10f, 1, 1e15f, 1e30f, FLT_MAX};
    for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++) {
        float a[96];
        float unit[96];
        for (size_t i = 0; i < 96; i++) {
            a[i] = scales[s] * (prng_ratio(&p, 1, 2) ? 1.0f : -1.0f);
        }
        assert_true(vector_normalise(a, 96, unit));
        assert_true(fabsf(vector_norm(unit, 96) - 1) < 1e-5f);
        assert_true(vector_normalise(a, 96, a));
        assert_memory_equal(a, unit, sizeof a);
    }
    float zero[3] = {0, -0.0f, 0};
    assert_false(vector_normalise(zero, 3, zero));
    assert_true(vector_norm(zero, 3) == 0);
}

/* Rows that a caller has normalised are the same bits after the index has done so again. */
static void normalising_twice_is_normalising_once(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 6, "twice");
    float once[1536];
    float twice[1536];
    for (size_t dim = 1; dim <= 1536; dim++) {
        for (size_t i = 0; i < dim; i++) {
            once[i] = uniform(&p);
        }
        once[0] += 2;
        assert_true(vector_normalise(once, dim, once));
        assert_true(vector_normalise(once, dim, twice));
        assert_memory_equal(once, twice, dim * sizeof *once);
    }
}

/* Cosine: the same direction 1, the opposite -1, a right angle and a zero vector 0. */
static void cosine_is_the_angle(void **state) {
    (void)state;
    float east[2] = {3, 0};
    float north[2] = {0, 0.1f};
    float west[2] = {-7, 0};
    float none[2] = {0, 0};
    assert_true(vector_cosine(east, east, 2) == 1);
    assert_true(vector_cosine(east, west, 2) == -1);
    assert_true(vector_cosine(east, north, 2) == 0);
    assert_true(vector_cosine(east, none, 2) == 0);
}

/* One bad element anywhere is noticed, and nothing else is (C5). */
static void a_nan_or_an_infinity_is_found(void **state) {
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    float a[67];
    for (size_t i = 0; i < 67; i++) {
        a[i] = i % 2 == 0 ? FLT_MAX : -FLT_MAX;
    }
    assert_true(vector_is_finite(a, 67));
    for (size_t i = 0; i < 67; i++) {
        for (size_t b = 0; b < 3; b++) {
            float saved = a[i];
            a[i] = bad[b];
            assert_false(vector_is_finite(a, 67));
            a[i] = saved;
        }
    }
}

/* The integer order of ranks is the order of (distance, id), and nothing is lost on the way. */
static void ranks_order_by_distance_then_id(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 4, "ranks");
    for (int i = 0; i < 100000; i++) {
        float a = any_finite(&p);
        float b = prng_ratio(&p, 1, 3) ? a : any_finite(&p);
        uint32_t id_a = (uint32_t)prng_next(&p);
        uint32_t id_b = (uint32_t)prng_next(&p);
        uint64_t rank_a = vector_rank(a, id_a);
        uint64_t rank_b = vector_rank(b, id_b);
        if (a < b || (bits_of(a) == bits_of(b) && id_a < id_b)) {
            assert_true(rank_a < rank_b);
        }
        assert_int_equal(bits_of(vector_rank_distance(rank_a)), bits_of(a));
        assert_int_equal(vector_rank_id(rank_a), id_a);
    }
}

/* Distances of many rows are those of one row each, for every count and both metrics. */
static void distances_come_one_by_one_or_together(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 5, "distances");
    float pool[12 * 33];
    for (size_t i = 0; i < sizeof pool / sizeof pool[0]; i++) {
        pool[i] = uniform(&p);
    }
    const float *rows[11];
    for (size_t r = 0; r < 11; r++) {
        rows[r] = pool + (r + 1) * 33;
    }
    const struct vector_kernels *kernels = vector_math_kernels();
    for (unsigned metric = 0; metric < VECTOR_METRIC_COUNT; metric++) {
        for (size_t count = 0; count <= 11; count++) {
            float out[11];
            vector_distances(kernels, (enum vector_metric)metric, pool, rows, count, 33, out);
            for (size_t r = 0; r < count; r++) {
                assert_same(out[r], vector_distance(kernels, (enum vector_metric)metric, pool,
                                                    rows[r], 33));
            }
        }
    }
}

/* A variant that does not exist is refused and the present one stays; names of metrics are read. */
static void names_are_checked(void **state) {
    (void)state;
    assert_true(vector_math_select("plain"));
    assert_false(vector_math_select("sse9"));
    assert_string_equal(vector_math_kernels()->name, "plain");
    assert_true(vector_math_select(NULL));
    enum vector_metric metric;
    assert_true(vector_metric_parse("l2", &metric) && metric == VECTOR_L2);
    assert_true(vector_metric_parse("cosine", &metric) && metric == VECTOR_COSINE);
    assert_false(vector_metric_parse("L2", &metric));
    assert_string_equal(vector_metric_name(VECTOR_COSINE), "cosine");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_agree_on_ordinary_numbers),
        cmocka_unit_test(variants_agree_on_extreme_numbers),
        cmocka_unit_test(denormals_count),
        cmocka_unit_test(exact_sums_are_exact),
        cmocka_unit_test(bits_are_those_known),
        cmocka_unit_test(padding_changes_nothing),
        cmocka_unit_test(every_direction_can_be_normalised),
        cmocka_unit_test(normalising_twice_is_normalising_once),
        cmocka_unit_test(cosine_is_the_angle),
        cmocka_unit_test(a_nan_or_an_infinity_is_found),
        cmocka_unit_test(ranks_order_by_distance_then_id),
        cmocka_unit_test(distances_come_one_by_one_or_together),
        cmocka_unit_test(names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
