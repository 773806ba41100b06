/*
 * The nearest known word to a mistyped one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenarios/nearest.h"
#include "sim/prng.h"

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The definition, word for word: the least of all ways to cut both words down. */
static size_t by_definition(const char *a, size_t m, const char *b, size_t n) {
    if (m == 0 || n == 0) {
        return m + n;
    }
    size_t best = by_definition(a, m - 1, b, n - 1) + (a[m - 1] != b[n - 1]);
    best = least(best, by_definition(a, m - 1, b, n) + 1);
    best = least(best, by_definition(a, m, b, n - 1) + 1);
    if (m > 1 && n > 1 && a[m - 1] == b[n - 2] && a[m - 2] == b[n - 1]) {
        best = least(best, by_definition(a, m - 2, b, n - 2) + 1);
    }
    return best;
}

/* The table gives what the definition says, on random words of few letters. */
static void distance_is_as_defined(void **state) {
    (void)state;
    struct prng random;
    prng_init(&random, 1, "words");
    for (int i = 0; i < 2000; i++) {
        char words[2][7] = {"", ""};
        for (int w = 0; w < 2; w++) {
            size_t length = (size_t)prng_below(&random, 6);
            for (size_t k = 0; k < length; k++) {
                words[w][k] = (char)('a' + prng_below(&random, 3));
            }
        }
        assert_int_equal(nearest_distance(words[0], words[1]),
                         by_definition(words[0], strlen(words[0]), words[1], strlen(words[1])));
    }
}

static const char *nearest_of(const char *word) {
    static const char *const known[] = {"ratio", "from", "until", "every", "ef", "listing-changes"};
    struct nearest nearest = nearest_begin(word);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        nearest_try(&nearest, known[i]);
    }
    return nearest.best;
}

/* A slip is found; a word that is far from all has no near one. */
static void only_near_words_are_proposed(void **state) {
    (void)state;
    assert_string_equal(nearest_of("rato"), "ratio");
    assert_string_equal(nearest_of("RATIO"), "ratio");
    assert_string_equal(nearest_of("form"), "from");
    assert_string_equal(nearest_of("untill"), "until");
    assert_string_equal(nearest_of("eff"), "ef");
    assert_string_equal(nearest_of("listing_changes"), "listing-changes");
    assert_string_equal(nearest_of("listing"), "listing-changes");
    assert_null(nearest_of("x"));
    assert_null(nearest_of(""));
    assert_null(nearest_of("banana"));
    assert_null(nearest_of("so"));
}

/* Words past the limit are no one's neighbours, and do no harm. */
static void long_words_have_no_near_ones(void **state) {
    (void)state;
    char word[200];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_int_equal(nearest_distance(word, "a"), SIZE_MAX);
    assert_null(nearest_of(word));
    word[NEAREST_LENGTH_MAX] = '\0';
    assert_int_equal(nearest_distance(word, "a"), NEAREST_LENGTH_MAX - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_is_as_defined),
        cmocka_unit_test(only_near_words_are_proposed),
        cmocka_unit_test(long_words_have_no_near_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
