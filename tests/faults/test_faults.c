/*
 * The table of faults, as far as it can be held against the rest without striking (D5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "faults/faults.h"
#include "sim/oracle.h"

/* Every kind is found by its name and by no other, and says what it does and what it models. */
static void kinds_have_names(void **state) {
    (void)state;
    const struct fault_about *table = fault_table();
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        assert_int_equal(fault_find(table[i].name), i);
        assert_true(strlen(table[i].about) > 20 && strlen(table[i].models) > 10);
        assert_int_equal(strspn(table[i].name, "abcdefghijklmnopqrstuvwxyz-"),
                         strlen(table[i].name));
    }
    assert_int_equal(fault_find("nonesuch"), -1);
    assert_int_equal(fault_find(""), -1);
    assert_int_equal(fault_find("late-record"), -1);
}

/* A parameter is required or optional, not both; each fault strikes somebody, and at a rate, in
 * a pace or in its window alone. */
static void parameters_make_sense(void **state) {
    (void)state;
    const struct fault_about *table = fault_table();
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        unsigned required = table[i].required;
        unsigned subject = required & (FAULT_FEED | FAULT_SINK | FAULT_WORKER);
        assert_int_equal(required & table[i].optional, 0);
        assert_true((subject & (subject - 1)) == 0);
        assert_true(subject != 0 || i == FAULT_DUAL_WRITE || i == FAULT_MODEL_DRIFT);
        assert_false((required & FAULT_RATIO) != 0 && (required & FAULT_EVERY) != 0);
        assert_true((required & (FAULT_RATIO | FAULT_EVERY)) != 0 || i == FAULT_STALLED_FEED ||
                    i == FAULT_SINK_OUTAGE);
    }
}

static bool is_judged(const char *check, size_t length) {
    static const char *const others[] = {"feed-freshness", "freshness", "reconciliation",
                                         "load-failures", "embedding-drift"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strlen(others[i]) == length && memcmp(check, others[i], length) == 0) {
            return true;
        }
    }
    size_t count;
    const struct oracle_check_about *checks = oracle_check_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (strlen(checks[i].name) == length && memcmp(check, checks[i].name, length) == 0) {
            return true;
        }
    }
    return false;
}

/* The checks that ought to notice exist. */
static void checks_that_notice_exist(void **state) {
    (void)state;
    const struct fault_about *table = fault_table();
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        const char *at = table[i].checks;
        assert_true(*at != '\0');
        while (*at != '\0') {
            size_t length = strcspn(at, " ");
            if (!is_judged(at, length)) {
                fail_msg("%s: there is no check %.*s", table[i].name, (int)length, at);
            }
            at += length + strspn(at + length, " ");
        }
    }
}

/* Sinks and points are found by their names and by no other. */
static void sinks_and_points_have_names(void **state) {
    (void)state;
    for (int i = 0; i < SINK_COUNT; i++) {
        assert_int_equal(fault_sink_find(fault_sink_name((enum fault_sink)i)), i);
    }
    for (int i = 0; i < POINT_COUNT; i++) {
        assert_int_equal(fault_point_find(fault_point_name((enum fault_point)i)), i);
    }
    assert_int_equal(fault_sink_find("vector"), -1);
    assert_int_equal(fault_point_find("between"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(parameters_make_sense),
        cmocka_unit_test(checks_that_notice_exist),
        cmocka_unit_test(sinks_and_points_have_names),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
