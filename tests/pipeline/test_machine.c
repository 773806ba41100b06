/* What all machines share: names, defaults, planted bugs, topics, and what happens when memory is
 * out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/memory.h"
#include "tests/support/machine_script.h"

/* Every bug is found by its name, and says what it does and which check is meant to catch it. */
static void test_bug_table(void **state) {
    (void)state;
    const struct bug_about *table = bug_table();
    for (int i = 0; i < BUG_COUNT; i++) {
        assert_int_equal(bug_find(table[i].name), i);
        assert_true(strlen(table[i].about) > 20);
        assert_true(strlen(table[i].check) > 0);
    }
    assert_int_equal(bug_find("no-such-bug"), -1);
    assert_int_equal(bug_find(""), -1);
    assert_false(bug_on(NULL, BUG_NO_DEDUPE));
}

/* Kinds, events and counters have names of their own; consumer groups are named after kinds. */
static void test_names(void **state) {
    (void)state;
    for (int a = 0; a < EVENT_KIND_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(event_kind_name((enum event_kind)a),
                                    event_kind_name((enum event_kind)b));
        }
    }
    for (int a = 0; a < MACHINE_COUNTER_COUNT; a++) {
        assert_true(strlen(machine_counter_name((enum machine_counter)a)) > 0);
    }
    assert_string_equal(machine_group(MACHINE_ROUTER), "router");
    assert_string_equal(machine_group(MACHINE_LOADER), "loader");
    assert_null(machine_group(MACHINE_RECONCILER));
    assert_null(machine_group(MACHINE_WATCH));
}

/* Zeros become defaults, what is given stays, thresholds of feeds are nobody's to guess. */
static void test_defaults(void **state) {
    (void)state;
    struct pipeline_config given = {.partitions = 3, .retry_max_ns = VTIME_HOUR};
    struct pipeline_config config = pipeline_config_with_defaults(&given);
    assert_int_equal(config.partitions, 3);
    assert_int_equal(config.retry_max_ns, VTIME_HOUR);
    assert_int_equal(config.allowed_lateness_ns, 2 * VTIME_HOUR);
    assert_int_equal(config.embed_batch_max, 128);
    assert_int_equal(config.reconcile_interval_ns, 0);
    assert_int_equal(config.feed_error_ns[TOPIC_LISTING], 0);
    assert_false(config.reconcile_repair_off);
}

/* Keys spread over partitions, each always to the same. */
static void test_partitions_of_keys(void **state) {
    (void)state;
    unsigned counts[8] = {0};
    for (uint64_t key = 0; key < 8000; key++) {
        uint32_t partition = topic_partition(key, 8);
        assert_true(partition < 8);
        assert_int_equal(partition, topic_partition(key, 8));
        counts[partition]++;
    }
    for (int i = 0; i < 8; i++) {
        assert_in_range(counts[i], 900, 1100);
    }
    assert_int_equal(topic_partition(12345, 1), 0);
}

/* A machine that was just made, and never heard of anything, can be told anything it does not
 * expect: it has no effect. */
static void test_unexpected_events(void **state) {
    (void)state;
    for (int kind = 0; kind < MACHINE_KIND_COUNT; kind++) {
        struct script *s = script_new((enum machine_kind)kind, NULL, NULL);
        static const enum event_kind kinds[] = {
            EVENT_STATE,        EVENT_SAVED,   EVENT_RECORDS, EVENT_OUTBOX,  EVENT_PRODUCED,
            EVENT_EMBEDDED,     EVENT_WRITTEN, EVENT_LOADED,  EVENT_SCANNED, EVENT_OBSERVED,
            EVENT_ADMINISTERED, EVENT_VECTORS, EVENT_FOUND,   EVENT_SALES};
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            struct effect_pool pool;
            struct effects effects;
            effect_pool_init(&pool);
            effects_init(&effects, &pool);
            struct event event = {.kind = kinds[i], .now = s->now, .request = 77};
            assert_int_equal(pipeline_step(s->machine, &event, &effects), 0);
            assert_null(effects.first);
            effect_pool_release(&pool);
        }
        script_command(s, COMMAND_REPAIR, SCAN_KEYWORD, 1, (const uint64_t[]){7});
        script_expect(s, "");
        script_free(s);
    }
}

/* ---- Memory runs out ---- */

static long allocations_left; /* negative: no limit */

/* Replaces the library's (pipeline/memory.h). */
void *memory_resize(void *old, size_t size) {
    if (allocations_left == 0) {
        return NULL;
    }
    if (allocations_left > 0) {
        allocations_left--;
    }
    return realloc(old, size);
}

/* A step that gets no memory for its documents says so, and the machine can be thrown away: the
 * process is treated as crashed. */
static void test_out_of_memory(void **state) {
    (void)state;
    for (int kind = MACHINE_ROUTER; kind <= MACHINE_LOADER; kind++) {
        int failures = 0;
        bool done = false;
        for (long limit = 0; !done; limit++) {
            allocations_left = -1;
            struct script *s = script_new((enum machine_kind)kind, NULL, NULL);
            script_begin(s);
            if (kind == MACHINE_BUILDER) { /* it reads the control topic to its end first */
                script_records(s, 2, 0, TEXTS(NULL));
            }
            uint64_t fetch = kind == MACHINE_BUILDER ? 4 : 2;
            struct bytes value = record_from_text("listing 7 @1 title=Lamp seller=3 images=1");
            struct log_record record = {.append = s->now, .key = 7, .value = value};
            struct event event = {.kind = EVENT_RECORDS,
                                  .now = s->now,
                                  .request = fetch,
                                  .answered = script_request(s, fetch),
                                  .records = {.records = &record, .count = 1}};
            struct effect_pool pool;
            struct effects effects;
            effect_pool_init(&pool);
            effects_init(&effects, &pool);
            allocations_left = limit;
            int error = pipeline_step(s->machine, &event, &effects);
            assert_true(error == 0 || error == -ENOMEM);
            done = error == 0;
            failures += !done;
            allocations_left = -1;
            struct effect *effect;
            while ((effect = effects_take(&effects)) != NULL) {
                effect_release(&pool, effect);
            }
            effect_pool_release(&pool);
            script_free(s);
            free((char *)value.data);
        }
        assert_true(failures > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bug_table),         cmocka_unit_test(test_names),
        cmocka_unit_test(test_defaults),          cmocka_unit_test(test_partitions_of_keys),
        cmocka_unit_test(test_unexpected_events), cmocka_unit_test(test_out_of_memory),
    };
    allocations_left = -1;
    return cmocka_run_group_tests_name("machines", tests, NULL, NULL);
}
