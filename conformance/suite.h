/*
 * What the suites share: the moments that they speak of, and a subject that is made anew for each
 * test.
 *
 * Every suite is `int PORT_suite_run(name, make)`: the number of tests that failed. It prints as
 * cmocka does. conformance/main.c has the table of all suites and their subjects.
 */
#ifndef MURPHY_CONFORMANCE_SUITE_H
#define MURPHY_CONFORMANCE_SUITE_H

#include <stdint.h>

#include "pipeline/stamp.h"
#include "pipeline/vtime.h"

static inline vtime at(int64_t second) {
    return (vtime){INT64_C(1700000000) * VTIME_SECOND + second * VTIME_SECOND};
}

static inline struct stamp stamp_of(int64_t second) {
    return (struct stamp){at(second), {UINT64_C(0xfedcba9876543210), (uint64_t)second}};
}

/* Defines make_subject, which PORT_suite_run sets, and setup and teardown for cmocka. */
#define SUITE_SUBJECTS(PORT)                                                                       \
    static bool (*make_subject)(struct PORT##_subject * out);                                      \
                                                                                                   \
    static int setup(void **state) {                                                               \
        struct PORT##_subject *s = calloc(1, sizeof *s);                                           \
        if (s == NULL || !make_subject(s)) {                                                       \
            free(s);                                                                               \
            return -1;                                                                             \
        }                                                                                          \
        *state = s;                                                                                \
        return 0;                                                                                  \
    }                                                                                              \
                                                                                                   \
    static int teardown(void **state) {                                                            \
        struct PORT##_subject *s = *state;                                                         \
        s->free(s->ctx);                                                                           \
        free(s);                                                                                   \
        return 0;                                                                                  \
    }

#define TEST_AFTER(setup, function) cmocka_unit_test_setup_teardown(function, setup, teardown)
#define TEST(function) TEST_AFTER(setup, function)

#endif
