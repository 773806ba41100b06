/* The outbox relay (A2): what is committed reaches its feed, in order, whatever fails between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/machine_script.h"

static const uint32_t only[] = {0};

/* Rows are published, the checkpoint is saved, and only then the outbox is trimmed. */
static void test_publishes_then_saves_then_trims(void **state) {
    (void)state;
    struct script *s = script_new(MACHINE_RELAY, NULL, NULL);
    script_assign(s, 1, 1, only);
    script_expect(s, "#1 load-state relay/0 generation 1\n");
    script_load(s, 1);
    script_expect(s, "#2 outbox-fetch after 0\n");
    script_outbox(s, 2, 1,
                  TEXTS("listing 7 @1 title=Lamp", "order 9 of 7 @2", "policy 3 @3 active"));
    script_expect(s, "#3 produce\n"
                     "    listing-changes 7 listing 7 @1 title=Lamp\n"
                     "    orders 7 order 9 of 7 @2 quantity=1 amount=0\n"
                     "    seller-policy 3 policy 3 @3 active\n");
    script_answer(s, 3);
    script_expect(s, "#4 save-state relay/0 generation 1 entries 0\n");
    script_answer(s, 4);
    script_expect(s, "trim-outbox to 3\n"
                     "#5 outbox-fetch after 3\n");
    script_free(s);
}

/* A batch of which one row was refused is published again as a whole: readers fold repeats. */
static void test_resends_an_incomplete_batch(void **state) {
    (void)state;
    struct script *s = script_new(MACHINE_RELAY, NULL, NULL);
    script_begin(s);
    script_outbox(s, 2, 1, TEXTS("listing 7 @1 title=Lamp", "listing 8 @2 title=Desk"));
    script_skip(s);
    script_answer_items(s, 3, "ar");
    script_expect(s, "resend #3\n");
    script_answer_items(s, 3, "ua");
    script_expect(s, "resend #3\n");
    script_fail(s, 3, PORT_UNAVAILABLE);
    script_expect(s, "resend #3\n");
    script_answer(s, 3);
    script_expect(s, "#4 save-state relay/0 generation 1 entries 0\n");
    script_free(s);
}

/* Retries wait twice as long each time, jittered between half of it and all of it, up to the cap
 * (A14). */
static void test_backs_off(void **state) {
    (void)state;
    struct pipeline_config config = {.retry_base_ns = 100 * VTIME_MILLISECOND,
                                     .retry_max_ns = 2 * VTIME_SECOND};
    int64_t seen[12];
    for (uint32_t round = 0; round < 2; round++) {
        struct script *s = script_new(MACHINE_RELAY, &config, NULL);
        script_begin(s);
        int64_t wait_ns = 100 * VTIME_MILLISECOND;
        for (int i = 0; i < 12; i++) {
            script_fail(s, 2, PORT_UNAVAILABLE);
            int64_t delay_ns = vtime_diff(s->resend_at, s->now);
            assert_in_range(delay_ns, wait_ns / 2, wait_ns);
            /* The same journal gives the same moments (D7). */
            assert_true(round == 0 || seen[i] == delay_ns);
            seen[i] = delay_ns;
            wait_ns = 2 * wait_ns < 2 * VTIME_SECOND ? 2 * wait_ns : 2 * VTIME_SECOND;
        }
        script_free(s);
    }
    /* At the cap it is the jitter alone that tells one from the next. */
    assert_true(seen[9] != seen[10] || seen[10] != seen[11]);
}

/* After success the next failure starts from the beginning. */
static void test_backoff_starts_anew(void **state) {
    (void)state;
    struct script *s = script_new(MACHINE_RELAY, NULL, NULL);
    script_begin(s);
    for (int i = 0; i < 6; i++) {
        script_fail(s, 2, PORT_THROTTLED);
    }
    assert_true(vtime_diff(s->resend_at, s->now) > VTIME_SECOND);
    script_outbox(s, 2, 1, TEXTS("listing 7 @1 title=Lamp"));
    script_fail(s, 3, PORT_UNAVAILABLE);
    assert_true(vtime_diff(s->resend_at, s->now) <= 200 * VTIME_MILLISECOND);
    script_free(s);
}

/* A restarted relay goes on where its checkpoint was, not where the outbox begins; what its former
 * self had published but not trimmed goes. */
static void test_restart_goes_on_from_the_checkpoint(void **state) {
    (void)state;
    struct script *s = script_new(MACHINE_RELAY, NULL, NULL);
    script_begin(s);
    script_outbox(s, 2, 1, TEXTS("listing 7 @1 title=Lamp", "listing 8 @2 title=Desk"));
    script_answer(s, 3);
    script_answer(s, 4);
    script_outbox(s, 5, 3, TEXTS("listing 9 @3 title=Chair"));
    script_skip(s);
    script_restart(s);
    script_assign(s, 2, 1, only);
    script_expect(s, "#1 load-state relay/0 generation 2\n");
    script_load(s, 1);
    script_expect(s, "trim-outbox to 2\n#2 outbox-fetch after 2\n");
    script_free(s);
}

/* A relay whose checkpoint is fenced has a successor: it stops, and trims nothing. */
static void test_fenced_relay_stops(void **state) {
    (void)state;
    struct script *s = script_new(MACHINE_RELAY, NULL, NULL);
    script_begin(s);
    script_outbox(s, 2, 1, TEXTS("listing 7 @1 title=Lamp"));
    script_answer(s, 3);
    script_skip(s);
    script_fail(s, 4, PORT_FENCED);
    script_expect(s, "");
    assert_int_equal(script_waiting(s), 0);
    script_free(s);
}

/* Answers to what a former assignment asked are not heard: the batch belongs to another life. */
static void test_ignores_answers_of_a_former_assignment(void **state) {
    (void)state;
    struct script *s = script_new(MACHINE_RELAY, NULL, NULL);
    script_begin(s);
    script_outbox(s, 2, 1, TEXTS("listing 7 @1 title=Lamp"));
    script_assign(s, 2, 1, only);
    script_skip(s);
    script_answer(s, 3);
    script_expect(s, "");
    script_load(s, 4);
    script_expect(s, "#5 outbox-fetch after 0\n");
    script_assign(s, 3, 0, NULL);
    script_outbox(s, 5, 1, TEXTS("listing 7 @1 title=Lamp"));
    script_expect(s, "");
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publishes_then_saves_then_trims),
        cmocka_unit_test(test_resends_an_incomplete_batch),
        cmocka_unit_test(test_backs_off),
        cmocka_unit_test(test_backoff_starts_anew),
        cmocka_unit_test(test_restart_goes_on_from_the_checkpoint),
        cmocka_unit_test(test_fenced_relay_stops),
        cmocka_unit_test(test_ignores_answers_of_a_former_assignment),
    };
    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
