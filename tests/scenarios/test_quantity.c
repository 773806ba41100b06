/*
 * Times, shares and moments as people write them.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pipeline/vtime.h"
#include "scenarios/quantity.h"
#include "sim/prng.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Every unit, alone and together. */
static void durations_add_up(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"0s", 0},
        {"1ns", 1},
        {"1us", 1000},
        {"250ms", 250 * VTIME_MILLISECOND},
        {"90s", 90 * VTIME_SECOND},
        {"5m", 5 * VTIME_MINUTE},
        {"2h30m", 150 * VTIME_MINUTE},
        {"1d1h1m1s1ms1us1ns", VTIME_DAY + VTIME_HOUR + VTIME_MINUTE + VTIME_SECOND +
                                  VTIME_MILLISECOND + VTIME_MICROSECOND + 1},
        {"007s", 7 * VTIME_SECOND},
        {"9223372036854775807ns", INT64_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t ns = -1;
        assert_int_equal(quantity_duration_parse(cases[i].text, &ns), QUANTITY_OK);
        assert_int_equal(ns, cases[i].ns);
    }
}

/* What is no time says why. */
static void other_durations_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum quantity_status status;
    } cases[] = {
        {"", QUANTITY_MALFORMED},
        {"90", QUANTITY_NO_UNIT},
        {"2h30", QUANTITY_NO_UNIT},
        {"s", QUANTITY_MALFORMED},
        {"5 m", QUANTITY_MALFORMED},
        {" 5m", QUANTITY_MALFORMED},
        {"5m ", QUANTITY_MALFORMED},
        {"+5m", QUANTITY_MALFORMED},
        {"-5m", QUANTITY_MALFORMED},
        {"1.5h", QUANTITY_MALFORMED},
        {"5M", QUANTITY_MALFORMED},
        {"5min", QUANTITY_MALFORMED},
        {"30m2h", QUANTITY_MALFORMED},
        {"5m5m", QUANTITY_MALFORMED},
        {"9223372036854775808ns", QUANTITY_TOO_LARGE},
        {"99999999999999999999h", QUANTITY_TOO_LARGE},
        {"106752d", QUANTITY_TOO_LARGE},
        {"106751d24h", QUANTITY_TOO_LARGE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t ns = 77;
        assert_int_equal(quantity_duration_parse(cases[i].text, &ns), cases[i].status);
        assert_int_equal(ns, 77);
    }
}

/* Writing and reading again gives the same time. */
static void durations_come_back(void **state) {
    (void)state;
    struct prng random;
    prng_init(&random, 1, "durations");
    for (int i = 0; i < 20000; i++) {
        int64_t ns = (int64_t)(prng_next(&random) >> 1 >> prng_below(&random, 63)), back = -1;
        char text[DURATION_TEXT_SIZE];
        quantity_duration_format(ns, text);
        assert_int_equal(quantity_duration_parse(text, &back), QUANTITY_OK);
        assert_int_equal(back, ns);
    }
}

/* Fractions, percentages and decimals come out in lowest terms. */
static void shares_are_exact(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t num, den;
    } cases[] = {
        {"1/20", 1, 20},
        {"2/40", 1, 20},
        {"5%", 1, 20},
        {"0%", 0, 1},
        {"100%", 1, 1},
        {"1/1", 1, 1},
        {"0/7", 0, 1},
        {"2.5%", 1, 40},
        {"0.0001%", 1, 1000000},
        {"99.9%", 999, 1000},
        {"1/4294967295", 1, UINT32_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct share share = {7, 7};
        assert_int_equal(quantity_share_parse(cases[i].text, &share), QUANTITY_OK);
        assert_int_equal(share.num, cases[i].num);
        assert_int_equal(share.den, cases[i].den);
    }
}

static void other_shares_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum quantity_status status;
    } cases[] = {
        {"", QUANTITY_MALFORMED},
        {"5", QUANTITY_MALFORMED},
        {"%", QUANTITY_MALFORMED},
        {"5 %", QUANTITY_MALFORMED},
        {"5%%", QUANTITY_MALFORMED},
        {"1/", QUANTITY_MALFORMED},
        {"/2", QUANTITY_MALFORMED},
        {"1/2/3", QUANTITY_MALFORMED},
        {"1.5/2", QUANTITY_MALFORMED},
        {"1.%", QUANTITY_MALFORMED},
        {"-1%", QUANTITY_MALFORMED},
        {"101%", QUANTITY_NOT_A_SHARE},
        {"3/2", QUANTITY_NOT_A_SHARE},
        {"1/0", QUANTITY_NOT_A_SHARE},
        {"0/0", QUANTITY_NOT_A_SHARE},
        {"100.0001%", QUANTITY_NOT_A_SHARE},
        {"1.00001%", QUANTITY_TOO_FINE},
        {"1/4294967296", QUANTITY_TOO_LARGE},
        {"99999999999999999999%", QUANTITY_TOO_LARGE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct share share = {7, 7};
        assert_int_equal(quantity_share_parse(cases[i].text, &share), cases[i].status);
        assert_int_equal(share.num, 7);
    }
}

/* Each of the million numbers with up to six decimals is read as just that many millionths. */
static void six_decimals_are_kept(void **state) {
    (void)state;
    for (uint32_t millionths = 0; millionths <= 1000000; millionths += 7) {
        char text[16];
        snprintf(text, sizeof text, "%" PRIu32 ".%06" PRIu32, millionths / 1000000,
                 millionths % 1000000);
        double number;
        assert_int_equal(sscanf(text, "%lf", &number), 1);
        struct share share;
        uint32_t ppm;
        assert_int_equal(quantity_share_of_number(number, &share), QUANTITY_OK);
        assert_true(quantity_share_ppm(share, &ppm));
        assert_int_equal(ppm, millionths);
    }
    struct share share;
    assert_int_equal(quantity_share_of_number(0.1234567, &share), QUANTITY_TOO_FINE);
    assert_int_equal(quantity_share_of_number(-0.1, &share), QUANTITY_NOT_A_SHARE);
    assert_int_equal(quantity_share_of_number(1.000001, &share), QUANTITY_NOT_A_SHARE);
}

/* A third is no whole number of millionths. */
static void parts_per_million_say_when_they_are_rounded(void **state) {
    (void)state;
    uint32_t ppm;
    assert_true(quantity_share_ppm((struct share){999, 1000}, &ppm));
    assert_int_equal(ppm, 999000);
    assert_false(quantity_share_ppm((struct share){1, 3}, &ppm));
    assert_int_equal(ppm, 333333);
}

/* Days and leap years agree with the C library's calendar, for every day of 150 years. */
static void moments_follow_the_calendar(void **state) {
    (void)state;
    for (int64_t day = 0; day < 150 * 365; day++) {
        time_t seconds = (time_t)(day * 86400 + day % 86400);
        struct tm tm = *gmtime(&seconds);
        char text[32];
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
        int64_t ns;
        assert_int_equal(quantity_moment_parse(text, &ns), QUANTITY_OK);
        assert_int_equal(ns, (int64_t)seconds * VTIME_SECOND);
    }
}

static void other_moments_are_refused(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "2026-03-02",
        "2026-03-02T08:00:00",
        "2026-03-02 08:00:00Z",
        "2026-03-02T08:00:00z",
        "2026-03-02T08:00:00+01:00",
        "2026-03-02T08:00:00.5Z",
        "2026-02-29T08:00:00Z",
        "2026-00-02T08:00:00Z",
        "2026-13-02T08:00:00Z",
        "2026-03-00T08:00:00Z",
        "2026-04-31T08:00:00Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T08:60:00Z",
        "2026-03-02T08:00:60Z",
        "1969-12-31T23:59:59Z",
        "2262-01-01T00:00:00Z",
        "2100-02-29T00:00:00Z",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t ns;
        assert_int_equal(quantity_moment_parse(cases[i], &ns), QUANTITY_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_add_up),
        cmocka_unit_test(other_durations_are_refused),
        cmocka_unit_test(durations_come_back),
        cmocka_unit_test(shares_are_exact),
        cmocka_unit_test(other_shares_are_refused),
        cmocka_unit_test(six_decimals_are_kept),
        cmocka_unit_test(parts_per_million_say_when_they_are_rounded),
        cmocka_unit_test(moments_follow_the_calendar),
        cmocka_unit_test(other_moments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
