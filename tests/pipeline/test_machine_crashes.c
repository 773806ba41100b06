/*
 * Crashes, zombies, lost replies and late writes between any two events of a machine (A9, A15): in
 * the end every store holds what a plain fold of the log says, and nothing was lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/machine_world.h"

enum { SEEDS = 300, EVENTS = 60, STEPS = 300 };

/* What is wrong in the end, told on stderr, or false. */
static bool ends_wrong(enum machine_kind kind, const struct world_options *options) {
    struct world *w = world_new(kind, options);
    world_story(w, EVENTS);
    world_run(w, STEPS);
    world_settle(w);
    const char *wrong = world_wrong(w);
    if (wrong != NULL) {
        print_message("seed %u: %s\n", (unsigned)options->seed, wrong);
    }
    bool is_wrong = wrong != NULL;
    world_free(w);
    return is_wrong;
}

static void holds(enum machine_kind kind, struct world_options options) {
    for (options.seed = 1; options.seed <= SEEDS; options.seed++) {
        assert_false(ends_wrong(kind, &options));
    }
}

/* Without faults the world itself finds nothing wrong. */
static void test_calm(void **state) {
    (void)state;
    for (int kind = MACHINE_RELAY; kind <= MACHINE_LOADER; kind++) {
        struct world_options options = {.seed = 1};
        assert_false(ends_wrong((enum machine_kind)kind, &options));
    }
}

/* Every outbox row is published (A2). */
static void test_relay(void **state) {
    (void)state;
    holds(MACHINE_RELAY, (struct world_options){.crash_percent = 3, .fault_percent = 30});
}

/* Every record is in the log, every policy has reached every listing of its seller (A8). */
static void test_router(void **state) {
    (void)state;
    holds(MACHINE_ROUTER, (struct world_options){.crash_percent = 3, .fault_percent = 30});
}

/* Deletes that were held back and released are in the log, none lost, whatever crashed between the
 * quarantine, the operator's word and the checkpoint (B10). */
static void test_router_quarantine(void **state) {
    (void)state;
    struct world_options options = {.crash_percent = 3, .fault_percent = 30, .quarantine = true};
    size_t held = 0;
    for (options.seed = 1; options.seed <= SEEDS; options.seed++) {
        struct world *w = world_new(MACHINE_ROUTER, &options);
        world_story(w, EVENTS);
        world_run(w, STEPS);
        world_settle(w);
        const char *wrong = world_wrong(w);
        if (wrong != NULL) {
            fail_msg("seed %u: %s", (unsigned)options.seed, wrong);
        }
        held += world_records(w, TOPIC_QUARANTINE) > 0;
        world_free(w);
    }
    assert_true(held > SEEDS / 3);
}

/* Every row is what its document says, vectors included, one version in all (A6, A9). */
static void test_builder(void **state) {
    (void)state;
    holds(MACHINE_BUILDER, (struct world_options){.crash_percent = 3, .fault_percent = 30});
}

/* Upgrades of the model, back and forth, their backfill and their repeats: every collection that is
 * written in the end holds what its documents say, made by its own model (A10). */
static void test_builder_upgrade(void **state) {
    (void)state;
    holds(MACHINE_BUILDER,
          (struct world_options){.crash_percent = 3, .fault_percent = 30, .upgrade = true});
}

/* Content that can never be embedded does not hold up the rest. */
static void test_builder_refused(void **state) {
    (void)state;
    holds(MACHINE_BUILDER,
          (struct world_options){.crash_percent = 2, .fault_percent = 20, .embed_fatal = true});
}

/* Bronze, silver and gold hold each row once (A9). */
static void test_loader(void **state) {
    (void)state;
    holds(MACHINE_LOADER, (struct world_options){.crash_percent = 3, .fault_percent = 30});
}

/* Processes of two versions of the code take over from each other at any moment, also after the
 * later one's formats are finalised: the earlier ones then leave alone what they cannot read, and
 * nothing is lost (C6). */
static void test_two_versions(void **state) {
    (void)state;
    static const enum machine_kind kinds[] = {MACHINE_ROUTER, MACHINE_BUILDER, MACHINE_LOADER};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        holds(kinds[i],
              (struct world_options){.crash_percent = 3, .fault_percent = 30, .versions = true});
    }
}

/* Taking a protection away is noticed within these seeds; the harness can fail. */
static void finds_in(enum machine_kind kind, enum bug_id bug, bool upgrade) {
    unsigned found = 0;
    for (uint64_t seed = 1; seed <= SEEDS && found == 0; seed++) {
        struct world_options options = {
            .seed = seed, .crash_percent = 3, .fault_percent = 30, .upgrade = upgrade};
        options.bugs.on[bug] = true;
        found += ends_wrong(kind, &options);
    }
    assert_true(found > 0);
}

static void finds(enum machine_kind kind, enum bug_id bug) {
    finds_in(kind, bug, false);
}

static void test_finds_live_writes_missed(void **state) {
    (void)state;
    finds_in(MACHINE_BUILDER, BUG_LIVE_WRITES_MISSED, true);
}

static void test_finds_no_version_check(void **state) {
    (void)state;
    finds(MACHINE_BUILDER, BUG_NO_VERSION_CHECK);
}

static void test_finds_no_tombstone(void **state) {
    (void)state;
    finds(MACHINE_BUILDER, BUG_NO_TOMBSTONE);
    finds(MACHINE_LOADER, BUG_NO_TOMBSTONE);
}

static void test_finds_no_dedupe(void **state) {
    (void)state;
    finds(MACHINE_LOADER, BUG_NO_DEDUPE);
}

static void test_finds_offset_before_state(void **state) {
    (void)state;
    finds(MACHINE_BUILDER, BUG_OFFSET_BEFORE_STATE);
    finds(MACHINE_LOADER, BUG_OFFSET_BEFORE_STATE);
}

static void test_finds_never_reembed(void **state) {
    (void)state;
    finds(MACHINE_BUILDER, BUG_NEVER_REEMBED);
}

static void test_finds_no_policy_fanout(void **state) {
    (void)state;
    finds(MACHINE_ROUTER, BUG_NO_POLICY_FANOUT);
}

/* The sound builder makes fewer embeddings than one that ignores content hashes (A5). */
static void test_finds_always_reembed(void **state) {
    (void)state;
    uint64_t made[2];
    for (int on = 0; on < 2; on++) {
        struct world_options options = {.seed = 1};
        options.bugs.on[BUG_ALWAYS_REEMBED] = on;
        struct world *w = world_new(MACHINE_BUILDER, &options);
        world_story(w, 400);
        world_run(w, STEPS);
        world_settle(w);
        made[on] = world_counter(w, COUNTER_EMBEDDINGS_MADE);
        world_free(w);
    }
    assert_true(made[0] > 0 && made[1] > made[0]);
}

/* Crashes do happen in these runs. */
static void test_crashes_happen(void **state) {
    (void)state;
    struct world_options options = {.seed = 1, .crash_percent = 3, .fault_percent = 30};
    struct world *w = world_new(MACHINE_BUILDER, &options);
    world_story(w, EVENTS);
    world_run(w, STEPS);
    assert_true(world_crashes(w) > 5);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calm),
        cmocka_unit_test(test_relay),
        cmocka_unit_test(test_router),
        cmocka_unit_test(test_router_quarantine),
        cmocka_unit_test(test_builder),
        cmocka_unit_test(test_builder_upgrade),
        cmocka_unit_test(test_builder_refused),
        cmocka_unit_test(test_loader),
        cmocka_unit_test(test_two_versions),
        cmocka_unit_test(test_finds_live_writes_missed),
        cmocka_unit_test(test_finds_no_version_check),
        cmocka_unit_test(test_finds_no_tombstone),
        cmocka_unit_test(test_finds_no_dedupe),
        cmocka_unit_test(test_finds_offset_before_state),
        cmocka_unit_test(test_finds_never_reembed),
        cmocka_unit_test(test_finds_no_policy_fanout),
        cmocka_unit_test(test_finds_always_reembed),
        cmocka_unit_test(test_crashes_happen),
    };
    return cmocka_run_group_tests_name("machine crashes", tests, NULL, NULL);
}
