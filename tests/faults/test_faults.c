/*
 * The table of faults, as far as it can be held against the rest without striking (D5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "faults/faults.h"
#include "pipeline/bugs.h"

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
        unsigned subject = required & (FAULT_FEED | FAULT_TOPIC | FAULT_SINK | FAULT_WORKER);
        assert_int_equal(required & table[i].optional, 0);
        assert_true((subject & (subject - 1)) == 0);
        bool one_place = (table[i].places & (table[i].places - 1)) == 0;
        assert_true(subject != 0 || one_place);
        assert_false((required & FAULT_RATIO) != 0 && (required & FAULT_EVERY) != 0);
    }
}

/* Each kind says where it strikes, what it models with the source of that, what becomes of a
 * pipeline, and what notices; kinds that strike one of several stores are told which. */
static void kinds_say_what_is_to_be_known(void **state) {
    (void)state;
    const struct fault_about *table = fault_table();
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        const struct fault_about *about = &table[i];
        const char *source = strrchr(about->models, '[');
        if (source == NULL || source[strlen(source) - 1] != ']') {
            fail_msg("%s: what it models has no [source]", about->name);
        }
        unsigned sinks = about->places & PLACE_SINKS;
        assert_true(about->places != 0);
        if ((about->required & FAULT_SINK) != 0 ? sinks == 0 || sinks != about->places
                                                : (sinks & (sinks - 1)) != 0) {
            fail_msg("%s: its places and `sink` do not go together", about->name);
        }
        assert_int_equal(about->survival == SURVIVES, about->bounds[0] == '\0');
        assert_true(about->checks[0] != '\0');
        if (about->survival == SURVIVES_NOT && about->no_swarm[0] == '\0') {
            fail_msg("%s: no swarm survives it", about->name);
        }
    }
}

/* The bugs that take a kind's protection away exist. */
static void bugs_exist(void **state) {
    (void)state;
    const struct fault_about *table = fault_table();
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        for (const char *at = table[i].bugs; *at != '\0';) {
            size_t length = strcspn(at, " ");
            char name[60];
            snprintf(name, sizeof name, "%.*s", (int)length, at);
            if (bug_find(name) < 0) {
                fail_msg("%s: there is no bug %s", table[i].name, name);
            }
            at += length + strspn(at + length, " ");
        }
    }
}

/* A bug is of a kind's row by its whole name. */
static void rows_know_their_bugs(void **state) {
    (void)state;
    assert_true(fault_has_bug(FAULT_SINK_CRASH, "no-version-check"));
    assert_true(fault_has_bug(FAULT_SINK_CRASH, "offset-before-state"));
    assert_false(fault_has_bug(FAULT_SINK_CRASH, "no-version"));
    assert_false(fault_has_bug(FAULT_SINK_CRASH, "no-version-check offset-before-state"));
    assert_false(fault_has_bug(FAULT_SINK_CRASH, ""));
    assert_false(fault_has_bug(FAULT_SINK_CRASH, "no-dedupe"));
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

/* Under a seed a kind is there or is not, altogether; what is there strikes at most as hard as it
 * is stated, and what is always on exactly so. Over many seeds each kind is missing at times, and
 * each fault comes weak and strong. */
static void swarm_draws_kinds_and_intensities(void **state) {
    (void)state;
    const struct fault stated[] = {
        {.kind = FAULT_SINK_THROTTLE, .sink = SINK_VECTORS, .ratio_num = 1, .ratio_den = 10},
        {.kind = FAULT_SINK_THROTTLE, .sink = SINK_LOG, .ratio_num = 1, .ratio_den = 10},
        {.kind = FAULT_WORKER_PAUSE,
         .worker = MACHINE_ROUTER,
         .every_ns = VTIME_MINUTE,
         .down_ns = VTIME_MINUTE},
        {.kind = FAULT_LATE_RECORDS, .ratio_num = 1, .ratio_den = 2, .delay_ns = 8, .always = true},
    };
    enum { COUNT = sizeof stated / sizeof *stated, SEEDS = 400 };
    unsigned both_off = 0, one_off = 0, weak = 0, strong = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct fault faults[COUNT];
        memcpy(faults, stated, sizeof faults);
        faults_swarm(faults, COUNT, seed, 0);
        both_off += faults[0].off && faults[1].off;
        one_off += faults[0].off != faults[1].off;
        uint64_t eighths = (uint64_t)faults[0].ratio_num * 80 / faults[0].ratio_den;
        assert_in_range(eighths, 1, 8);
        weak += eighths == 1;
        strong += eighths == 8;
        assert_in_range(faults[2].every_ns, VTIME_MINUTE, 8 * VTIME_MINUTE);
        assert_in_range(faults[2].down_ns, VTIME_MINUTE / 8, VTIME_MINUTE);
        assert_memory_equal(&faults[3], &stated[3], sizeof stated[3]);
        struct fault alone = stated[1];
        faults_swarm(&alone, 1, seed, 0);
        assert_int_equal(alone.off, faults[1].off);
        assert_int_equal(alone.ratio_num, faults[1].ratio_num);
    }
    assert_true(both_off > SEEDS / 4 && both_off < 3 * SEEDS / 4);
    assert_true(one_off > SEEDS / 20);
    assert_true(weak > SEEDS / 20 && strong > SEEDS / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(parameters_make_sense),
        cmocka_unit_test(kinds_say_what_is_to_be_known),
        cmocka_unit_test(bugs_exist),
        cmocka_unit_test(rows_know_their_bugs),
        cmocka_unit_test(sinks_and_points_have_names),
        cmocka_unit_test(swarm_draws_kinds_and_intensities),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
