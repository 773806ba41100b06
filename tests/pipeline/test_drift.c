/* Measures of drift between samples of vectors (B10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/drift.h"
#include "sim/embedding_model.h"
#include "sim/prng.h"

enum { ROWS = 128, DIM = 64 };

/* About normal: mean 0, variance 1. */
static float bell(struct prng *prng) {
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += (double)(prng_next(prng) >> 11) / 9007199254740992.0;
    }
    return (float)(sum - 6);
}

static struct vector_sample sample_of(float rows[ROWS * DIM], uint64_t seed) {
    struct prng prng;
    prng_init(&prng, seed, "drift sample");
    for (size_t i = 0; i < ROWS * DIM; i++) {
        rows[i] = bell(&prng);
    }
    return (struct vector_sample){rows, ROWS, DIM};
}

static struct drift_values measure(struct vector_sample a, struct vector_sample b) {
    struct drift_values values;
    assert_int_equal(drift_measure(a, b, &values), 0);
    return values;
}

static unsigned exceeded(struct vector_sample a, struct vector_sample b) {
    struct drift_values values = measure(a, b);
    struct drift_values limits = drift_limits_for(a.rows, b.rows);
    return drift_exceeded(&values, &limits);
}

#define BIT(identifier) (1u << DRIFT_MEASURE_##identifier)

static float left[ROWS * DIM], right[ROWS * DIM];

/* Two samples of one distribution do not differ, whatever the seed. */
static void test_calm(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        assert_int_equal(exceeded(sample_of(left, 2 * seed), sample_of(right, 2 * seed + 1)), 0);
    }
}

/* A sample against itself: nothing moved, and no line tells it from itself. */
static void test_same_sample(void **state) {
    (void)state;
    struct drift_values values = measure(sample_of(left, 1), sample_of(left, 1));
    assert_true(values.of[DRIFT_MEASURE_CENTROID] == 0);
    assert_true(values.of[DRIFT_MEASURE_COMPONENTS] == 0);
    assert_true(values.of[DRIFT_MEASURE_MMD] <= 0);
    assert_true(values.of[DRIFT_MEASURE_SEPARATION] <= 0.55);
}

/* A shift of every component by half its spread is seen by every measure. */
static void test_shift(void **state) {
    (void)state;
    struct vector_sample a = sample_of(left, 1), b = sample_of(right, 2);
    for (size_t i = 0; i < ROWS * DIM; i++) {
        right[i] += 0.5f;
    }
    assert_int_equal(exceeded(a, b), BIT(CENTROID) | BIT(MMD) | BIT(COMPONENTS) | BIT(SEPARATION));
    struct drift_values values = measure(a, b);
    assert_true(values.of[DRIFT_MEASURE_CENTROID] > 0.45);
    assert_true(values.of[DRIFT_MEASURE_CENTROID] < 0.55);
    assert_true(values.of[DRIFT_MEASURE_COMPONENTS] > 0.6);
    assert_true(values.of[DRIFT_MEASURE_SEPARATION] > 0.95);
}

/* A cloud that grew about its own centre: the centroid and the components' means stay, MMD^2 sees
 * it. */
static void test_spread(void **state) {
    (void)state;
    struct vector_sample a = sample_of(left, 1), b = sample_of(right, 2);
    for (size_t i = 0; i < ROWS * DIM; i++) {
        right[i] *= 1.5f;
    }
    assert_int_equal(exceeded(a, b), BIT(MMD));
}

/* One cloud that fell into two, as far to either side: again only MMD^2 sees it. */
static void test_mixture(void **state) {
    (void)state;
    struct vector_sample a = sample_of(left, 1), b = sample_of(right, 2);
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t i = 0; i < DIM; i++) {
            right[row * DIM + i] += row / 2 % 2 == 0 ? 0.8f : -0.8f;
        }
    }
    assert_int_equal(exceeded(a, b), BIT(MMD));
}

/* Some components collapsed to nothing, as when a feature is lost: their means stay at 0. */
static void test_lost_components(void **state) {
    (void)state;
    struct vector_sample a = sample_of(left, 1), b = sample_of(right, 2);
    for (size_t row = 0; row < ROWS; row++) {
        memset(&right[row * DIM], 0, DIM / 2 * sizeof *right);
    }
    assert_int_equal(exceeded(a, b), BIT(MMD));
}

/* A quarter of the components moved by their spread: their share says so. */
static void test_components(void **state) {
    (void)state;
    struct vector_sample a = sample_of(left, 1), b = sample_of(right, 2);
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t i = 0; i < DIM / 4; i++) {
            right[row * DIM + i] += 1;
        }
    }
    struct drift_values values = measure(a, b);
    assert_true(values.of[DRIFT_MEASURE_COMPONENTS] >= 0.25);
    assert_true(values.of[DRIFT_MEASURE_COMPONENTS] < 0.3);
}

/* More components than rows do not let chance pass for a separation: the direction comes from
 * other rows than those that it judges. */
static void test_few_rows(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct vector_sample a = sample_of(left, 2 * seed), b = sample_of(right, 2 * seed + 1);
        a.rows = b.rows = 16;
        assert_int_equal(exceeded(a, b), 0);
    }
}

/* Rows without any spread, and the smallest samples that may be measured. */
static void test_degenerate(void **state) {
    (void)state;
    float zeros[DRIFT_ROWS_MIN] = {0}, ones[DRIFT_ROWS_MIN] = {1, 1, 1, 1};
    struct vector_sample a = {zeros, DRIFT_ROWS_MIN, 1}, b = {ones, DRIFT_ROWS_MIN, 1};
    assert_true(measure(a, a).of[DRIFT_MEASURE_CENTROID] == 0);
    assert_true(measure(a, a).of[DRIFT_MEASURE_SEPARATION] == 0.5);
    assert_int_equal(exceeded(a, a), 0);
    assert_int_equal(exceeded(a, b) & BIT(CENTROID), BIT(CENTROID));
    assert_true(measure(a, b).of[DRIFT_MEASURE_SEPARATION] == 1);
}

/* Another model with the same texts: vectors of length 1 about another place, seen at once. */
static void test_other_model(void **state) {
    (void)state;
    static const char *const words[] = {"red",   "shoe", "lamp", "desk",  "oak",  "blue",
                                        "chair", "wool", "coat", "metal", "tall", "box"};
    enum { TEXTS = 40 };
    static float old[TEXTS * EMBED_TEXT_DIM], other[TEXTS * EMBED_TEXT_DIM];
    static struct embedding_model one, two;
    embedding_model_init(&one, 1, 7);
    embedding_model_init(&two, 2, 7);
    struct prng prng;
    prng_init(&prng, 3, "texts");
    for (size_t i = 0; i < 2 * TEXTS; i++) {
        char text[64];
        int length = snprintf(text, sizeof text, "%s %s %s", words[prng_next(&prng) % 12],
                              words[prng_next(&prng) % 12], words[prng_next(&prng) % 12]);
        struct text_piece piece = {{text, (size_t)length}, TEXT_TITLE};
        bool first = i < TEXTS;
        embed_text(first ? &one : &two, &piece, 1,
                   (first ? old : other) + i % TEXTS * EMBED_TEXT_DIM);
    }
    struct vector_sample a = {old, TEXTS, EMBED_TEXT_DIM}, b = {other, TEXTS, EMBED_TEXT_DIM};
    assert_true(exceeded(a, b) & BIT(MMD));
    assert_true(exceeded(a, b) & BIT(SEPARATION));
}

/* The bits of a measure are what they were: a compiler or an instruction set that changed them
 * would change traces (D3). */
static void test_bits(void **state) {
    (void)state;
    struct drift_values values = measure(sample_of(left, 1), sample_of(right, 2));
    char text[160];
    snprintf(text, sizeof text, "%a %a %a %a", values.of[0], values.of[1], values.of[2],
             values.of[3]);
    assert_string_equal(text, "0x0p+0 0x1.37b03ec268p-15 0x0p+0 0x1.f8ap-2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calm),       cmocka_unit_test(test_same_sample),
        cmocka_unit_test(test_shift),      cmocka_unit_test(test_spread),
        cmocka_unit_test(test_mixture),    cmocka_unit_test(test_lost_components),
        cmocka_unit_test(test_components), cmocka_unit_test(test_few_rows),
        cmocka_unit_test(test_degenerate), cmocka_unit_test(test_other_model),
        cmocka_unit_test(test_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
