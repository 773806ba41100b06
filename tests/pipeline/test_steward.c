/* The steward (A13): dead letters go back to their feeds when an operator asks, once in effect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/machine_script.h"

/* A steward of one partition of letters that has just begun; its fetch of commands is request 2. */
enum { FETCH_CONTROL = 2 };

static struct script *begun(const struct bugs *bugs) {
    struct pipeline_config config = {.partitions = 1, .checkpoint_interval_ns = 10 * VTIME_SECOND};
    struct script *s = script_new(MACHINE_STEWARD, &config, bugs);
    script_begin(s);
    return s;
}

static void later(struct script *s, int64_t seconds) {
    s->now = vtime_add(s->now, seconds * VTIME_SECOND);
}

/* The command reads the letters, and what came from a feed goes back as it was, under its key. */
static void test_replays(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_CONTROL, 0, TEXTS("control retire @0", "control replay-letters @1"));
    script_expect(s, "timer in 10000 ms\n"
                     "#3 fetch dead-letter/0 from 0 at once\n"
                     "#4 fetch control/0 from 2\n");
    s->now = vtime_add(s->now, -VTIME_SECOND);
    script_records(s, 3, 0,
                   TEXTS("letter listing-changes/0/5 listing 7 @1v2 price=9.50",
                         "letter orders/0/5 order 1 of 9 @1v2", "letter listing-log/0/2 !rubbish",
                         "letter media-ingest/0/9 ", "!no letter"));
    script_expect(s, "#5 produce\n"
                     "    listing-changes 7 listing 7 @1v2 price=9.50\n"
                     "    orders 9 order 1 of 9 @1v2 quantity=1 amount=0\n");
    script_answer(s, 5);
    script_expect(s, "#6 fetch dead-letter/0 from 5 at once\n");
    script_records(s, 6, 5, TEXTS(NULL));
    script_expect(s, "");
    assert_int_equal(machine_counters(s->machine)[COUNTER_LETTERS_REPLAYED], 2);
    script_free(s);
}

/* A letter that is as late as the command, or later, is not part of it: what is refused again comes
 * back as a letter and stays. */
static void test_does_not_chase_its_tail(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    s->quiet_fetch = true;
    later(s, 5);
    script_records(s, FETCH_CONTROL, 0, TEXTS("control replay-letters @1"));
    later(s, -1);
    script_records(s, 3, 0, TEXTS("letter listing-changes/0/5 !rubbish"));
    script_answer(s, 5);
    script_skip(s);
    later(s, 1);
    script_records(s, 6, 1, TEXTS("letter listing-changes/0/6 !rubbish"));
    script_expect(s, "#7 produce\n");
    script_answer(s, 7);
    script_expect(s, "");
    assert_int_equal(script_waiting(s), 1); /* it waits for commands alone */
    script_free(s);
}

/* Letters written in the range that the command names, and no others; a second command waits for
 * the first and reads from the beginning. */
static void test_ranges_and_order(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    s->quiet_fetch = true;
    later(s, 100);
    script_records(s, FETCH_CONTROL, 0,
                   TEXTS("control replay-letters @1 from=20 to=30", "control replay-letters @2"));
    s->now = text_time(19);
    script_records(s, 3, 0, TEXTS("letter listing-changes/0/1 listing 1 @1"));
    script_expect(s, "#5 produce\n");
    script_answer(s, 5);
    s->now = text_time(20);
    script_records(s, 6, 1, TEXTS("letter listing-changes/0/2 listing 2 @1"));
    script_expect(s, "#7 produce\n    listing-changes 2 listing 2 @1\n");
    script_answer(s, 7);
    s->now = text_time(30);
    script_records(s, 8, 2, TEXTS("letter listing-changes/0/3 listing 3 @1"));
    script_expect(s, "#9 produce\n");
    script_answer(s, 9);
    script_records(s, 10, 3, TEXTS(NULL));
    s->now = text_time(30);
    script_records(s, 11, 0, TEXTS("letter listing-changes/0/3 listing 3 @1"));
    script_expect(s, "#12 produce\n    listing-changes 3 listing 3 @1\n");
    script_free(s);
}

static void crash(struct script *s) {
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
}

/* A crash before a batch is back in its feed sends it again; a checkpoint names what is left of the
 * command, and how far it came. */
static void test_crash_while_replaying(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    s->quiet_fetch = true;
    later(s, 100);
    script_records(s, FETCH_CONTROL, 0, TEXTS("control replay-letters @1"));
    s->now = text_time(5);
    script_records(s, 3, 0, TEXTS("letter listing-changes/0/1 listing 1 @1"));
    script_answer(s, 5);
    script_records(s, 6, 1, TEXTS("letter listing-changes/0/2 listing 2 @1"));
    script_timer(s);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    s->quiet_fetch = false;
    script_skip(s);
    crash(s);
    assert_non_null(strstr(script_told(s), "fetch dead-letter/0 from 1 at once"));
    assert_non_null(strstr(script_told(s), "fetch control/0 from 1\n"));
    script_free(s);
}

/* With the bug what is left of the command is lost. */
static void test_bug_replay_forgets(void **state) {
    (void)state;
    struct bugs bugs = {.on[BUG_REPLAY_FORGETS] = true};
    struct script *s = begun(&bugs);
    later(s, 100);
    script_records(s, FETCH_CONTROL, 0, TEXTS("control replay-letters @1"));
    script_timer(s);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_skip(s);
    crash(s);
    script_expect(s, "#1 load-state steward/0 generation 2\n#2 fetch control/0 from 1\n");
    script_free(s);
}

/* A vector database that needs to be told is told to compact at an interval, one order at a time;
 * the timer begins anew with the next steward. */
static void test_compacts(void **state) {
    (void)state;
    struct script *s = script_new(
        MACHINE_STEWARD,
        &(struct pipeline_config){.partitions = 1, .vector_compact_ns = 5 * VTIME_MINUTE}, NULL);
    script_begin(s);
    assert_int_equal(script_timers(s), 1);
    script_timer(s);
    script_expect(s, "#3 vector-admin compact\n");
    script_answer(s, 3);
    assert_non_null(strstr(script_told(s), "timer in 300000 ms\n"));
    assert_int_equal(machine_counters(s->machine)[COUNTER_COMPACTIONS], 1);
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replays),
        cmocka_unit_test(test_does_not_chase_its_tail),
        cmocka_unit_test(test_ranges_and_order),
        cmocka_unit_test(test_crash_while_replaying),
        cmocka_unit_test(test_bug_replay_forgets),
        cmocka_unit_test(test_compacts),
    };
    return cmocka_run_group_tests_name("steward", tests, NULL, NULL);
}
