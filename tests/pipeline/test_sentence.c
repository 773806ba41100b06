/* Sentences of evidence: numbers, times and durations read as people write them. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pipeline/sentence.h"

static void expect(const struct sentence *sentence, const char *text) {
    struct bytes bytes = sentence_bytes(sentence);
    assert_int_equal(bytes.len, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.len);
}

static void test_numbers(void **state) {
    (void)state;
    struct sentence sentence = sentence_begin();
    expect(&sentence, "");
    sentence_add(&sentence, "from ");
    sentence_add_number(&sentence, 0);
    sentence_add(&sentence, " to ");
    sentence_add_number(&sentence, UINT64_MAX);
    expect(&sentence, "from 0 to 18446744073709551615");
}

static void test_durations(void **state) {
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } table[] = {{-5, "0s"},        {0, "0s"},           {59, "59s"},     {60, "1m00s"},
                 {3599, "59m59s"},  {3600, "1h00m"},     {3661, "1h01m"}, {7199, "1h59m"},
                 {86400, "24h00m"}, {1000000, "277h46m"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sentence sentence = sentence_begin();
        sentence_add_duration(&sentence, table[i].seconds * VTIME_SECOND);
        expect(&sentence, table[i].text);
    }
}

/* Dates are those of the C library, leap days and ends of centuries included. */
static void test_times(void **state) {
    (void)state;
    static const int64_t days[] = {0,     58,    59,    60,    365,   789,   790,   11016,
                                   11017, 20513, 20514, 24836, 47540, 47541, 100000};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        for (int second = 0; second < 86400; second += 43199) {
            time_t at = (time_t)(days[i] * 86400 + second);
            struct tm tm;
            char text[32];
            assert_non_null(gmtime_r(&at, &tm));
            strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
            struct sentence sentence = sentence_begin();
            sentence_add_time(&sentence, (vtime){(int64_t)at * VTIME_SECOND + 999});
            expect(&sentence, text);
        }
    }
}

/* Beyond its room a sentence is cut, and nothing is written behind it. */
static void test_is_cut(void **state) {
    (void)state;
    struct sentence sentence = sentence_begin();
    for (int i = 0; i < 100; i++) {
        sentence_add(&sentence, "lamps ");
        sentence_add_number(&sentence, 12345);
    }
    assert_int_equal(sentence_bytes(&sentence).len, sizeof sentence.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_is_cut),
    };
    return cmocka_run_group_tests_name("sentences", tests, NULL, NULL);
}
