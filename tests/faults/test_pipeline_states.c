/*
 * States of the pipeline as they are told from outside, and faults that wait for one, for a request
 * of a name, or for the how-manyeth (D5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "faults/injector.h"
#include "faults/pipeline_states.h"
#include "tests/support/record_text.h"

static const vtime start = {INT64_C(1772409600) * VTIME_SECOND};

struct rig {
    struct simulation *simulation;
    struct injector *injector;
};

static struct rig rig_of(const struct fault *faults, size_t count) {
    struct simulation_options options = {.seed = 7, .start = start};
    struct rig rig = {.simulation = simulation_new(&options, NULL)};
    assert_non_null(rig.simulation);
    rig.injector = injector_new(rig.simulation, faults, count);
    assert_non_null(rig.injector);
    return rig;
}

static void rig_free(struct rig *rig) {
    assert_false(injector_out_of_memory(rig->injector));
    injector_free(rig->injector);
    simulation_free(rig->simulation);
}

/* ---- The table ---- */

/* Every state is found by its name and by no other, and says when it holds; whatever is declared
 * impossible has a reason. */
static void states_have_names(void **state) {
    (void)state;
    for (int i = 0; i < PIPELINE_STATE_COUNT; i++) {
        assert_int_equal(pipeline_state_find(pipeline_state_table()[i].name), i);
        assert_true(strlen(pipeline_state_table()[i].about) > 15);
        for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
            const char *reason = pipeline_state_impossible(kind, i);
            assert_true(reason == NULL || strlen(reason) > 15);
        }
    }
    assert_int_equal(pipeline_state_find("stead"), -1);
}

/* ---- Signs ---- */

struct watch {
    struct rig rig;
    struct state_watch watch;
    vtime now;
};

static struct watch watching(void) {
    struct watch w = {.rig = rig_of(NULL, 0), .now = start};
    w.watch.simulation = w.rig.simulation;
    return w;
}

static void watch_free(struct watch *w) {
    state_watch_release(&w->watch);
    rig_free(&w->rig);
}

static uint32_t bit(enum pipeline_state state) {
    return UINT32_C(1) << state;
}

/* So many seconds later exactly these states hold. */
static void then(struct watch *w, int64_t seconds, uint32_t expected) {
    w->now = vtime_add(w->now, seconds * VTIME_SECOND);
    assert_int_equal(state_watch_now(&w->watch, w->now, 0), expected);
}

static void phase(struct watch *w, const char *name) {
    state_watch_alert(&w->watch, w->now, "upgrade", name, ALERT_INFO);
}

/* Nothing holds: steady. What shows in a moment holds for a while after it. */
static void states_have_a_tail(void **state) {
    (void)state;
    struct watch w = watching();
    then(&w, 0, bit(STATE_STEADY));
    state_watch_sign(&w.watch, w.now, STATE_RESTORING);
    then(&w, 10, bit(STATE_RESTORING));
    then(&w, 1, bit(STATE_STEADY));
    assert_int_equal(state_watch_now(&w.watch, w.now, bit(STATE_ZOMBIE)), bit(STATE_ZOMBIE));
    watch_free(&w);
}

/* The upgrader tells its phases; a rollback lasts until readers are led forward again. */
static void an_upgrade_has_states(void **state) {
    (void)state;
    struct watch w = watching();
    phase(&w, "preparing");
    then(&w, 60, bit(STATE_BACKFILLING));
    phase(&w, "backfilling");
    then(&w, 60, bit(STATE_BACKFILLING) | bit(STATE_DUAL_WRITING));
    phase(&w, "ready");
    then(&w, 60, bit(STATE_DUAL_WRITING));
    phase(&w, "switching");
    then(&w, 1, bit(STATE_DUAL_WRITING) | bit(STATE_SWITCHING));
    phase(&w, "serving");
    then(&w, 60, bit(STATE_DUAL_WRITING));
    phase(&w, "switching-back");
    phase(&w, "validating");
    then(&w, 60, bit(STATE_DUAL_WRITING) | bit(STATE_ROLLED_BACK));
    phase(&w, "serving");
    then(&w, 60, bit(STATE_DUAL_WRITING));
    phase(&w, "retiring");
    then(&w, 60, bit(STATE_RETIRING));
    phase(&w, "idle");
    then(&w, 60, bit(STATE_STEADY));
    watch_free(&w);
}

static void append(struct watch *w, enum topic_id topic, struct bytes value) {
    struct log_record record = {.append = w->now, .value = value};
    state_watch_appended(&w->watch, w->now, topic, &record);
}

/* From the request to its certificate, however often the request came. */
static void an_erasure_lasts_to_its_certificate(void **state) {
    (void)state;
    struct watch w = watching();
    struct bytes asked = record_from_text("erasure listing 7 @10");
    append(&w, TOPIC_PRIVACY, asked);
    append(&w, TOPIC_PRIVACY, asked);
    then(&w, 3600, bit(STATE_ERASING));
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode(asked, &record, &error), 0);
    char looks[ERASURE_LOOKS_BYTES] = {0}, buffer[1024];
    record.type = RECORD_CERTIFICATE;
    record.certificate_looks = (struct bytes){looks, sizeof looks};
    int64_t size = record_encode(&record, NULL, 0, buffer, sizeof buffer);
    assert_true(size > 0);
    append(&w, TOPIC_CERTIFICATE, (struct bytes){buffer, (size_t)size});
    then(&w, 60, bit(STATE_STEADY));
    free((char *)asked.data);
    watch_free(&w);
}

/* Drift is being repaired until a pass that repairs nothing; deletes are held until the alert is
 * cleared. */
static void repairs_and_quarantines(void **state) {
    (void)state;
    struct watch w = watching();
    state_watch_reconciled(&w.watch, w.now, &(struct reconciliation_report){.repairs_sent = 3});
    then(&w, 60, bit(STATE_REPAIRING));
    state_watch_reconciled(&w.watch, w.now, &(struct reconciliation_report){0});
    then(&w, 60, bit(STATE_STEADY));
    state_watch_alert(&w.watch, w.now, "mass-delete", "listing-changes", ALERT_ERROR);
    then(&w, 60, bit(STATE_QUARANTINED));
    state_watch_alert(&w.watch, w.now, "mass-delete", "listing-changes", ALERT_CLEARED);
    then(&w, 60, bit(STATE_STEADY));
    watch_free(&w);
}

/* ---- Triggers ---- */

static int write_rows(struct rig *rig, enum row_write_kind kind, uint64_t first, size_t count) {
    static const float vector[TEXT_DIMENSION] = {1.0F};
    struct vector_write items[4] = {{0}};
    enum item_status statuses[4];
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct vector_write){
            .listing_id = first + i,
            .kind = kind,
            .meta = {.version = (doc_version)first, .model_version = 1, .active = true},
            .vector = kind == ROW_UPSERT ? vector : NULL};
    }
    struct vector_port *vectors = &simulation_ports(rig->simulation)->vectors;
    return vectors->ops->write(vectors->ctx, simulation_now(rig->simulation), MODALITY_TEXT, 1,
                               items, count, statuses);
}

static uint64_t rows(struct rig *rig) {
    return fake_vector_db_collection(simulation_vector_db(rig->simulation), MODALITY_TEXT).rows;
}

static uint32_t call_named(const char *name) {
    const char *about, *point;
    for (uint32_t i = 0; (point = injector_point_about(i, &about)) != NULL; i++) {
        if (strcmp(point, name) == 0) {
            assert_int_equal(injector_point_place(i), PLACE_VECTORS);
            return i + 1;
        }
    }
    fail_msg("there is no point %s", name);
    return 0;
}

/* The third upsert, after it was applied and before the reply: it is in, and nobody knows. Deletes
 * between do not count, and no other upsert is struck. */
static void the_third_upsert_after_apply(void **state) {
    (void)state;
    struct fault fault = {.kind = FAULT_SINK_CRASH,
                          .sink = SINK_VECTORS,
                          .point = POINT_AFTER,
                          .ratio_num = 1,
                          .ratio_den = 1,
                          .down_ns = 1,
                          .call = call_named("vectors.upsert"),
                          .occurrence = 3};
    struct rig rig = rig_of(&fault, 1);
    assert_int_equal(write_rows(&rig, ROW_UPSERT, 1, 1), PORT_OK);
    assert_int_equal(write_rows(&rig, ROW_DELETE, 9, 1), PORT_OK);
    assert_int_equal(write_rows(&rig, ROW_UPSERT, 2, 1), PORT_OK);
    assert_int_equal(rows(&rig), 2);
    assert_int_equal(write_rows(&rig, ROW_UPSERT, 3, 1), PORT_UNKNOWN);
    assert_int_equal(rows(&rig), 3);
    simulation_run(rig.simulation, vtime_add(start, VTIME_SECOND));
    for (uint64_t id = 4; id < 10; id++) {
        assert_int_equal(write_rows(&rig, ROW_UPSERT, id, 1), PORT_OK);
    }
    assert_int_equal(injector_struck(rig.injector, 0), 1);
    size_t count;
    const struct decision *decisions = injector_decisions(rig.injector, &count);
    assert_int_equal(count, 1);
    assert_string_equal(decisions[0].point, "vectors.write");
    assert_int_equal(decisions[0].occurrence, 4);
    rig_free(&rig);
}

static void asks_for_erasure(struct rig *rig) {
    struct bytes asked = record_from_text("erasure listing 7 @10");
    struct produce_item item = {TOPIC_PRIVACY, 7, asked};
    struct produce_result result;
    struct log_port *log = &simulation_ports(rig->simulation)->log;
    assert_int_equal(
        log->ops->produce(log->ctx, simulation_now(rig->simulation), &item, 1, &result), PORT_OK);
    free((char *)asked.data);
}

/* A fault that waits for a state strikes in it and in no other; what lasts goes on for its time
 * once the state has begun it. Each strike is counted under the states that held, but not under
 * those that it brought about itself. */
static void faults_wait_for_a_state(void **state) {
    (void)state;
    const struct fault faults[] = {{.kind = FAULT_SINK_THROTTLE,
                                    .sink = SINK_VECTORS,
                                    .ratio_num = 1,
                                    .ratio_den = 1,
                                    .when = 1 + STATE_STEADY},
                                   {.kind = FAULT_SINK_OUTAGE,
                                    .sink = SINK_VECTORS,
                                    .down_ns = VTIME_MINUTE,
                                    .when = 1 + STATE_ERASING}};
    struct rig rig = rig_of(faults, 2);
    simulation_run(rig.simulation, vtime_add(start, VTIME_MINUTE));
    assert_int_equal(write_rows(&rig, ROW_UPSERT, 1, 1), PORT_THROTTLED);
    asks_for_erasure(&rig);
    assert_int_equal(write_rows(&rig, ROW_UPSERT, 1, 1), PORT_UNAVAILABLE);
    simulation_run(rig.simulation, vtime_add(start, 119 * VTIME_SECOND));
    assert_int_equal(write_rows(&rig, ROW_UPSERT, 1, 1), PORT_UNAVAILABLE);
    simulation_run(rig.simulation, vtime_add(start, 121 * VTIME_SECOND));
    assert_int_equal(write_rows(&rig, ROW_UPSERT, 1, 1), PORT_OK);
    assert_int_equal(injector_reached(rig.injector, FAULT_SINK_THROTTLE, STATE_STEADY), 1);
    assert_int_equal(injector_reached(rig.injector, FAULT_SINK_THROTTLE, STATE_ERASING), 0);
    assert_int_equal(injector_reached(rig.injector, FAULT_SINK_OUTAGE, STATE_ERASING),
                     injector_struck(rig.injector, 1));
    assert_int_equal(injector_reached(rig.injector, FAULT_SINK_OUTAGE, STATE_STORE_DOWN), 0);
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(states_have_a_tail),
        cmocka_unit_test(an_upgrade_has_states),
        cmocka_unit_test(an_erasure_lasts_to_its_certificate),
        cmocka_unit_test(repairs_and_quarantines),
        cmocka_unit_test(the_third_upsert_after_apply),
        cmocka_unit_test(faults_wait_for_a_state),
    };
    return cmocka_run_group_tests_name("pipeline states", tests, NULL, NULL);
}
