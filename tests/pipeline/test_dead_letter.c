/* Dead letters come back as they were written, and nothing else is one (A13). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/dead_letter.h"

static const struct dead_letter sample = {
    .topic = TOPIC_MEDIA,
    .partition = 7,
    .offset = INT64_C(1) << 40,
    .key = UINT64_MAX,
    .append = {-5},
    .contract_version = 1,
    .reason = {"text is not valid UTF-8", 23},
    .field = {"title", 5},
    .expected = {"UTF-8", 5},
    .actual = -3,
    .value = {"\xff\x00\x01", 3},
};

static char *encoded(size_t *size) {
    *size = dead_letter_size(&sample);
    char *buffer = malloc(*size);
    assert_non_null(buffer);
    dead_letter_encode(&sample, buffer);
    return buffer;
}

static void test_round_trip(void **state) {
    (void)state;
    size_t size;
    char *buffer = encoded(&size);
    struct dead_letter letter;
    assert_int_equal(dead_letter_decode((struct bytes){buffer, size}, &letter), 0);
    assert_int_equal(letter.topic, TOPIC_MEDIA);
    assert_int_equal(letter.partition, 7);
    assert_int_equal(letter.offset, INT64_C(1) << 40);
    assert_true(letter.key == UINT64_MAX);
    assert_int_equal(letter.append.ns, -5);
    assert_int_equal(letter.contract_version, 1);
    assert_int_equal(letter.actual, -3);
    assert_true(bytes_equal(letter.reason, sample.reason));
    assert_true(bytes_equal(letter.field, sample.field));
    assert_true(bytes_equal(letter.expected, sample.expected));
    assert_true(bytes_equal(letter.value, sample.value));
    free(buffer);
}

/* The refused bytes may be none at all. */
static void test_empty_parts(void **state) {
    (void)state;
    struct dead_letter empty = {.topic = TOPIC_LISTING};
    char buffer[64];
    assert_true(dead_letter_size(&empty) <= sizeof buffer);
    dead_letter_encode(&empty, buffer);
    struct dead_letter letter;
    assert_int_equal(dead_letter_decode((struct bytes){buffer, dead_letter_size(&empty)}, &letter),
                     0);
    assert_int_equal(letter.value.len, 0);
}

/* Cut off anywhere, or with something behind it, it is no dead letter. */
static void test_other_bytes_are_refused(void **state) {
    (void)state;
    size_t size;
    char *buffer = encoded(&size);
    struct dead_letter letter;
    for (size_t cut = 0; cut < size; cut++) {
        char *exact = malloc(cut + 1); /* so that a read behind it is found out */
        memcpy(exact, buffer, cut);
        assert_int_equal(dead_letter_decode((struct bytes){exact, cut}, &letter), -1);
        free(exact);
    }
    buffer[0] = TOPIC_COUNT;
    assert_int_equal(dead_letter_decode((struct bytes){buffer, size}, &letter), -1);
    buffer = realloc(buffer, size + 1);
    buffer[0] = TOPIC_MEDIA;
    buffer[size] = 0;
    assert_int_equal(dead_letter_decode((struct bytes){buffer, size + 1}, &letter), -1);
    free(buffer);
}

/* The same record has the same letter; another one, or one at an offset that was given out again,
 * has another. */
static void test_keys(void **state) {
    (void)state;
    struct dead_letter other = sample;
    other.reason = bytes_of("for another reason");
    assert_true(dead_letter_key(&other) == dead_letter_key(&sample));
    other.append.ns++;
    assert_true(dead_letter_key(&other) != dead_letter_key(&sample));
    other = sample;
    other.offset++;
    assert_true(dead_letter_key(&other) != dead_letter_key(&sample));
}

/* A length that points beyond the end is not followed. */
static void test_lengths_do_not_lead_astray(void **state) {
    (void)state;
    size_t size;
    char *buffer = encoded(&size);
    struct dead_letter letter;
    memset(buffer + 39, 0xff, 4); /* of the reason */
    assert_int_equal(dead_letter_decode((struct bytes){buffer, size}, &letter), -1);
    free(buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_empty_parts),
        cmocka_unit_test(test_other_bytes_are_refused),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_lengths_do_not_lead_astray),
    };
    return cmocka_run_group_tests_name("dead letters", tests, NULL, NULL);
}
