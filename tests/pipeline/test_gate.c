/* The gate (A8): a seller's status reaches the serving stores ahead of the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/machine_script.h"

static const uint32_t only[] = {0};

static struct script *gate_of(const struct bugs *bugs) {
    static const struct pipeline_config config = {.partitions = 2};
    struct script *s = script_new(MACHINE_GATE, &config, bugs);
    script_assign(s, 1, 1, only);
    script_expect(s, "#1 load-state gate/0 generation 1\n");
    script_load(s, 1);
    script_expect(s, "#2 fetch seller-policy/0 from 0\n"
                     "#3 fetch seller-policy/1 from 0\n");
    return s;
}

/* Both stores are told, whatever is no policy record is left out, and the feed is read on once both
 * have it. */
static void tells_both_stores(void **state) {
    (void)state;
    struct script *s = gate_of(NULL);
    script_records(s, 3, 5, TEXTS("policy 3 @10 suppressed", "!poison", "policy 4 @11 active"));
    script_expect(s, "#4 block-sellers vectors 3 suppressed 4 active\n"
                     "#5 block-sellers keyword 3 suppressed 4 active\n");
    script_answer(s, 5);
    script_expect(s, "");
    script_answer(s, 4);
    script_expect(s, "timer in 30000 ms\n"
                     "#6 fetch seller-policy/1 from 8\n");
    script_free(s);
}

/* A store that fails is told again; the other partition of the feed goes on meanwhile. */
static void a_failing_store_is_told_again(void **state) {
    (void)state;
    struct script *s = gate_of(NULL);
    script_records(s, 2, 0, TEXTS("policy 3 @10 suppressed"));
    script_skip(s);
    script_fail(s, 4, PORT_UNKNOWN);
    script_expect(s, "resend #4\n");
    script_records(s, 3, 0, TEXTS("policy 9 @12 suppressed"));
    script_expect(s, "#6 block-sellers vectors 9 suppressed\n"
                     "#7 block-sellers keyword 9 suppressed\n");
    script_answer(s, 4);
    script_expect(s, "");
    script_answer(s, 5);
    script_skip(s);
    assert_int_equal(script_newest(s, EFFECT_FETCH), 8);
    script_free(s);
}

/* After a crash before both stores have it the record is read again. */
static void a_crash_tells_again(void **state) {
    (void)state;
    struct script *s = gate_of(NULL);
    script_records(s, 2, 0, TEXTS("policy 3 @10 suppressed"));
    script_answer(s, 4);
    script_skip(s);
    script_restart(s);
    script_assign(s, 2, 1, only);
    script_load(s, 1);
    script_skip(s);
    script_records(s, 2, 0, TEXTS("policy 3 @10 suppressed"));
    script_expect(s, "#4 block-sellers vectors 3 suppressed\n"
                     "#5 block-sellers keyword 3 suppressed\n");
    script_free(s);
}

/* Without its protection the gate tells nobody. */
static void the_planted_bug_tells_nobody(void **state) {
    (void)state;
    struct bugs bugs = {.on = {[BUG_SUPPRESSION_QUEUES] = true}};
    struct script *s = gate_of(&bugs);
    script_records(s, 2, 0, TEXTS("policy 3 @10 suppressed"));
    script_skip(s);
    assert_int_equal(script_newest(s, EFFECT_BLOCK_SELLERS), 0);
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_both_stores),
        cmocka_unit_test(a_failing_store_is_told_again),
        cmocka_unit_test(a_crash_tells_again),
        cmocka_unit_test(the_planted_bug_tells_nobody),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
