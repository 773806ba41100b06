/* The pace of a workload (A14): a peak's clock runs as many times as fast as its factor says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/pace.h"
#include "sim/prng.h"

static const struct workload_peak peaks[] = {{100, 200, 4}, {200, 250, 10}, {1000, 1001, 1000}};
enum { PEAKS = sizeof peaks / sizeof *peaks };

/* Outside of peaks the clock is the ordinary one; within, it is the factor. */
static void clock_runs_by_the_factor(void **state) {
    (void)state;
    assert_int_equal(pace_between(peaks, PEAKS, 0, 100), 100);
    assert_int_equal(pace_between(peaks, PEAKS, 0, 110), 140);
    assert_int_equal(pace_between(peaks, PEAKS, 150, 220), 200 + 200);
    assert_int_equal(pace_between(peaks, PEAKS, 0, 2000), 2000 + 300 + 450 + 999);
    assert_int_equal(pace_between(NULL, 0, 7, 12), 5);
}

/* pace_after turns pace_between around. */
static void after_is_the_inverse(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 1, "test");
    for (int i = 0; i < 100000; i++) {
        int64_t from = (int64_t)prng_below(&p, 1200);
        int64_t to = from + (int64_t)prng_below(&p, 1200);
        int64_t gone = pace_between(peaks, PEAKS, from, to);
        assert_int_equal(pace_after(peaks, PEAKS, from, gone), to);
    }
    assert_int_equal(pace_after(peaks, PEAKS, 0, INT64_MAX), INT64_MAX - (300 + 450 + 999));
}

/* Peaks out of order, overlapping, empty or without a factor are refused. */
static void peaks_are_checked(void **state) {
    (void)state;
    assert_true(pace_peaks_valid(peaks, PEAKS));
    assert_true(pace_peaks_valid(NULL, 0));
    assert_false(pace_peaks_valid((struct workload_peak[]){{10, 20, 2}, {15, 30, 2}}, 2));
    assert_false(pace_peaks_valid((struct workload_peak[]){{20, 20, 2}}, 1));
    assert_false(pace_peaks_valid((struct workload_peak[]){{10, 20, 0}}, 1));
    assert_false(pace_peaks_valid((struct workload_peak[]){{10, 20, PACE_FACTOR_MAX + 1}}, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_runs_by_the_factor),
        cmocka_unit_test(after_is_the_inverse),
        cmocka_unit_test(peaks_are_checked),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
