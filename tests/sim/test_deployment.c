/* Deployments of another version of the code, and what may be written when (C6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/format.h"
#include "sim/simulation.h"

static const vtime start = {INT64_C(1772409600) * VTIME_SECOND};

/* A simulation without traffic, and the last alert of its orchestrator. */
struct plant {
    struct simulation *simulation;
    char alert[32];
    char evidence[160];
};

static void hear_alert(void *ctx, vtime now, const char *name, const char *subject,
                       enum alert_state state, struct bytes evidence) {
    struct plant *p = ctx;
    (void)now;
    if (strcmp(subject, "orchestrator") == 0 && state == ALERT_ERROR) {
        strncpy(p->alert, name, sizeof p->alert - 1);
        memset(p->evidence, 0, sizeof p->evidence);
        memcpy(p->evidence, evidence.data, evidence.len);
    }
}

static struct plant *plant_new(uint32_t version) {
    static struct plant plant;
    plant = (struct plant){NULL, "", ""};
    struct simulation_options options = {.seed = 3, .start = start};
    options.pipeline.code_version = version;
    options.workers[MACHINE_BUILDER] = 3;
    options.workers[MACHINE_ROUTER] = 2;
    plant.simulation = simulation_new(&options, NULL);
    assert_non_null(plant.simulation);
    simulation_observe(plant.simulation,
                       &(struct simulation_observer){.ctx = &plant, .alert = hear_alert});
    return &plant;
}

static void pass(struct plant *p, int64_t seconds) {
    vtime until = vtime_add(simulation_now(p->simulation), seconds * VTIME_SECOND);
    assert_int_equal(simulation_run(p->simulation, until), SIMULATION_RUNNING);
}

static void deploy(struct plant *p, enum machine_kind kind, uint32_t version, bool forced) {
    simulation_deploy(p->simulation, &(struct deployment){.version = version,
                                                          .kind = kind,
                                                          .down_ns = 10 * VTIME_SECOND,
                                                          .forced = forced});
}

/* How many builders are up; and the version of each as a digit. */
static size_t builders_up(const struct plant *p, char versions[4]) {
    size_t up = 0;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t actor = simulation_actor_find(p->simulation, MACHINE_BUILDER, i);
        up += simulation_actor_up(p->simulation, actor);
        versions[i] = (char)('0' + simulation_code_version(p->simulation, actor));
    }
    versions[3] = '\0';
    return up;
}

static void expect_builders(const struct plant *p, size_t up, const char *versions) {
    char seen[4];
    assert_int_equal(builders_up(p, seen), up);
    assert_string_equal(seen, versions);
}

/* One process at a time goes and comes back; other machines stay as they are; one that had died
 * comes back in the new version; a later deployment takes the place of the former. */
static void test_rolls(void **state) {
    (void)state;
    struct plant *p = plant_new(FORMAT_BARE);
    pass(p, 60);
    deploy(p, MACHINE_BUILDER, 2, false);
    expect_builders(p, 2, "211");
    pass(p, 11);
    expect_builders(p, 3, "211");
    simulation_crash(p->simulation, simulation_actor_find(p->simulation, MACHINE_BUILDER, 1));
    pass(p, 10);
    expect_builders(p, 2, "221");
    pass(p, 8);
    expect_builders(p, 2, "221");
    pass(p, 2);
    expect_builders(p, 3, "221");
    deploy(p, MACHINE_BUILDER, 1, false);
    expect_builders(p, 2, "121");
    pass(p, 120);
    expect_builders(p, 3, "111");
    assert_int_equal(simulation_code_version(
                         p->simulation, simulation_actor_find(p->simulation, MACHINE_ROUTER, 0)),
                     1);
    simulation_free(p->simulation);
}

static void deploy_everywhere(struct plant *p, uint32_t version) {
    simulation_deploy(
        p->simulation,
        &(struct deployment){.version = version, .everyone = true, .down_ns = VTIME_SECOND});
}

/* Nothing is finalised while a process runs older code, or is about to; after that older code is
 * refused, unless an operator forces it. */
static void test_finalise(void **state) {
    (void)state;
    struct plant *p = plant_new(FORMAT_BARE);
    pass(p, 60);
    deploy_everywhere(p, 2);
    pass(p, 5);
    simulation_finalise(p->simulation, 2, false);
    assert_string_equal(p->alert, "finalise-refused");
    assert_non_null(strstr(p->evidence, "cannot read format 2"));
    assert_int_equal(simulation_format_level(p->simulation), FORMAT_BARE);
    pass(p, 120);
    simulation_crash(p->simulation, simulation_actor_find(p->simulation, MACHINE_GATE, 0));
    simulation_finalise(p->simulation, 2, false);
    assert_int_equal(simulation_format_level(p->simulation), 2);
    deploy(p, MACHINE_BUILDER, 1, false);
    assert_string_equal(p->alert, "deploy-refused");
    expect_builders(p, 3, "222");
    deploy(p, MACHINE_BUILDER, 1, true);
    expect_builders(p, 2, "122");
    simulation_free(p->simulation);
}

/* A roll-back that is ordered and has not begun is one that will need the former format. */
static void test_finalise_during_rollback(void **state) {
    (void)state;
    struct plant *p = plant_new(FORMAT_NEWEST);
    pass(p, 60);
    deploy(p, MACHINE_BUILDER, 1, false);
    simulation_finalise(p->simulation, 2, false);
    assert_string_equal(p->alert, "finalise-refused");
    simulation_finalise(p->simulation, 2, true);
    assert_int_equal(simulation_format_level(p->simulation), 2);
    simulation_free(p->simulation);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rolls),
        cmocka_unit_test(test_finalise),
        cmocka_unit_test(test_finalise_during_rollback),
    };
    return cmocka_run_group_tests_name("deployment", tests, NULL, NULL);
}
