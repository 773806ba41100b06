/*
 * Silences and lags, as service levels of contracts are about them (B2).
 */
#include "sim/pulse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static vtime at(int64_t second) {
    return (vtime){second * VTIME_SECOND};
}

/* The longest silence is between two beats, before the first or after the last. */
static void longest_silence(void **state) {
    (void)state;
    static const struct {
        int64_t beats[3], until, longest, end;
    } cases[] = {
        {{10, 40, 50}, 60, 30, 40},   {{35, 40, 50}, 60, 35, 35}, {{10, 20, 30}, 90, 60, 90},
        {{10, 20, 500}, 25, 10, 20}, /* what comes later ends no silence that counts */
        {{10, 20, 500}, 60, 40, 500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pulse pulse = {.until = at(cases[i].until)};
        for (size_t k = 0; k < 3; k++) {
            pulse_beat(&pulse, at(cases[i].beats[k]));
        }
        vtime end;
        assert_int_equal(pulse_silence_ns(&pulse, at(0), &end), cases[i].longest * VTIME_SECOND);
        assert_int_equal(end.ns, at(cases[i].end).ns);
        assert_int_equal(pulse.beats, 3);
    }
}

/* Where nothing ever came, all of the time was silent. */
static void nothing_ever(void **state) {
    (void)state;
    struct pulse pulse = {.until = at(100)};
    vtime end;
    assert_int_equal(pulse_silence_ns(&pulse, at(40), &end), 60 * VTIME_SECOND);
    assert_int_equal(end.ns, at(100).ns);
}

/* Lags are counted beside the beats. */
static void lags(void **state) {
    (void)state;
    struct pulse pulse = {.until = at(100)};
    for (int i = 1; i <= 20; i++) {
        pulse_beat_after(&pulse, at(i), i * VTIME_MILLISECOND);
    }
    assert_int_equal(pulse.lag.count, 20);
    assert_int_equal(lag_quantile_ns(&pulse.lag, 950) / VTIME_MILLISECOND, 19);
    assert_int_equal(pulse.lag.max_ns, 20 * VTIME_MILLISECOND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_silence),
        cmocka_unit_test(nothing_ever),
        cmocka_unit_test(lags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
