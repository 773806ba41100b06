/*
 * What faults do to a vector database of each kind, seen in the fake behind them (C3): restarts
 * that forget, readers that are behind, upserts that leave the former row, compaction that waits,
 * and batches that are a transaction. The test makes every request by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/injector.h"

static const vtime start = {INT64_C(1772409600) * VTIME_SECOND};

struct rig {
    struct simulation *simulation;
    struct injector *injector;
};

static struct rig rig_of(enum vector_profile_id profile, const struct fault *faults, size_t count) {
    struct simulation_options options = {.seed = 11,
                                         .start = start,
                                         .vectors = vector_profile_of(profile),
                                         .index_text = true,
                                         .seal_rows_min = 8};
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

static void run_to(struct rig *rig, int64_t since_ns) {
    assert_int_equal(simulation_run(rig->simulation, vtime_add(start, since_ns)),
                     SIMULATION_RUNNING);
}

static struct vector_port *port_of(struct rig *rig) {
    return &simulation_ports(rig->simulation)->vectors;
}

/* Writes the listings 1 to count. */
static int put(struct rig *rig, enum row_write_kind kind, size_t count, doc_version version,
               enum item_status *statuses) {
    static const float vector[TEXT_DIMENSION] = {1.0F};
    struct vector_write items[64];
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct vector_write){.listing_id = i + 1,
                                         .kind = kind,
                                         .meta = {.version = version, .active = true},
                                         .vector = vector};
        statuses[i] = ITEM_UNKNOWN;
    }
    struct vector_port *port = port_of(rig);
    return port->ops->write(port->ctx, simulation_now(rig->simulation), MODALITY_TEXT, 1, items,
                            count, statuses);
}

static bool answers(struct rig *rig) {
    struct scan_row row;
    size_t count;
    struct vector_port *port = port_of(rig);
    return port->ops->scan(port->ctx, simulation_now(rig->simulation), MODALITY_TEXT, 1,
                           SCAN_BY_SCAN, 0, 0, &row, 1, &count) == PORT_OK;
}

static size_t seen(struct rig *rig, enum scan_path path) {
    static struct scan_row rows[256];
    size_t count = 0;
    struct vector_port *port = port_of(rig);
    assert_int_equal(port->ops->scan(port->ctx, simulation_now(rig->simulation), MODALITY_TEXT, 1,
                                     path, 0, UINT64_MAX, rows, 256, &count),
                     PORT_OK);
    return count;
}

/* A restart takes the store away for a while, and with it what it held in memory only: where
 * tombstones are that, an older write comes back. */
static void restarts_forget_what_is_in_memory(void **state) {
    (void)state;
    static const enum vector_profile_id both[] = {VECTORS_PLAIN, VECTORS_OPENSEARCH};
    for (size_t i = 0; i < 2; i++) {
        const struct fault fault = {.kind = FAULT_SINK_RESTART,
                                    .sink = SINK_VECTORS,
                                    .every_ns = VTIME_SECOND,
                                    .down_ns = 2 * VTIME_SECOND,
                                    .from_ns = VTIME_SECOND,
                                    .until_ns = 20 * VTIME_SECOND};
        struct rig rig = rig_of(both[i], &fault, 1);
        enum item_status status;
        assert_int_equal(put(&rig, ROW_DELETE, 1, 9, &status), PORT_OK);
        size_t refused = 0;
        for (int64_t second = 0; second <= 30; second++) {
            run_to(&rig, second * VTIME_SECOND);
            refused += !answers(&rig);
        }
        assert_true(refused > 2 && refused < 25 && injector_struck(rig.injector, 0) > 0);
        assert_int_equal(put(&rig, ROW_UPSERT, 1, 5, &status), PORT_OK);
        assert_int_equal(status, both[i] == VECTORS_PLAIN ? ITEM_CONFLICT : ITEM_APPLIED);
        rig_free(&rig);
    }
}

/* What was written late is seen late, in its order, and by all once the world heals. */
static void readers_are_behind(void **state) {
    (void)state;
    const struct fault fault = {.kind = FAULT_LATE_VISIBILITY,
                                .ratio_num = 1,
                                .ratio_den = 1,
                                .delay_ns = 10 * VTIME_MINUTE};
    struct rig rig = rig_of(VECTORS_PLAIN, &fault, 1);
    enum item_status statuses[8];
    assert_int_equal(put(&rig, ROW_UPSERT, 8, 1, statuses), PORT_OK);
    assert_int_equal(put(&rig, ROW_DELETE, 2, 2, statuses), PORT_OK);
    assert_int_equal(seen(&rig, SCAN_BY_SEARCH), 0);
    assert_int_equal(put(&rig, ROW_UPSERT, 1, 1, statuses), PORT_OK);
    assert_int_equal(statuses[0], ITEM_CONFLICT);
    run_to(&rig, 20 * VTIME_MINUTE);
    assert_int_equal(seen(&rig, SCAN_BY_SEARCH), 6);
    assert_int_equal(put(&rig, ROW_UPSERT, 8, 3, statuses), PORT_OK);
    assert_int_equal(seen(&rig, SCAN_BY_SCAN), 6);
    injector_heal(rig.injector);
    assert_int_equal(seen(&rig, SCAN_BY_SCAN), 8);
    assert_int_equal(injector_struck(rig.injector, 0), 4);
    rig_free(&rig);
}

/* A row that is replaced stays beside the new one; one that is new replaces nothing. */
static void upserts_leave_the_former_row(void **state) {
    (void)state;
    const struct fault fault = {.kind = FAULT_UPSERT_DUPLICATES, .ratio_num = 1, .ratio_den = 1};
    struct rig rig = rig_of(VECTORS_MILVUS, &fault, 1);
    enum item_status statuses[4];
    assert_int_equal(put(&rig, ROW_UPSERT, 4, 1, statuses), PORT_OK);
    run_to(&rig, VTIME_MINUTE);
    assert_int_equal(injector_struck(rig.injector, 0), 0);
    assert_int_equal(put(&rig, ROW_UPSERT, 3, 2, statuses), PORT_OK);
    run_to(&rig, 2 * VTIME_MINUTE);
    assert_int_equal(injector_struck(rig.injector, 0), 3);
    assert_int_equal(seen(&rig, SCAN_BY_SCAN), 7);
    assert_int_equal(seen(&rig, SCAN_BY_ID), 4);
    rig_free(&rig);
}

/* Rows are lost to one path or to all some time after they were written, and each strike did it. */
static void rows_are_lost(void **state) {
    (void)state;
    const struct fault fault = {
        .kind = FAULT_ROWS_LOST, .ratio_num = 1, .ratio_den = 1, .delay_ns = VTIME_MINUTE};
    struct rig rig = rig_of(VECTORS_PLAIN, &fault, 1);
    enum item_status statuses[60];
    assert_int_equal(put(&rig, ROW_UPSERT, 60, 1, statuses), PORT_OK);
    assert_int_equal(seen(&rig, SCAN_BY_SCAN), 60);
    run_to(&rig, VTIME_MINUTE);
    assert_int_equal(injector_struck(rig.injector, 0), 60);
    size_t scanned = seen(&rig, SCAN_BY_SCAN), found = seen(&rig, SCAN_BY_SEARCH);
    size_t by_id = seen(&rig, SCAN_BY_ID);
    assert_true(scanned > 0 && found > 0 && by_id > scanned && by_id > found && by_id < 60);
    assert_int_equal(scanned + found, by_id);
    assert_int_equal(put(&rig, ROW_UPSERT, 60, 2, statuses), PORT_OK);
    injector_heal(rig.injector);
    run_to(&rig, 3 * VTIME_MINUTE);
    assert_int_equal(injector_struck(rig.injector, 0), 60);
    assert_int_equal(seen(&rig, SCAN_BY_SEARCH), 60);
    rig_free(&rig);
}

/* A row that is there cannot come back; one that was deleted does, older than its deletion. */
static void deleted_rows_return(void **state) {
    (void)state;
    const struct fault fault = {
        .kind = FAULT_ROWS_RETURN, .ratio_num = 1, .ratio_den = 1, .delay_ns = VTIME_MINUTE};
    struct rig rig = rig_of(VECTORS_PLAIN, &fault, 1);
    enum item_status statuses[60];
    assert_int_equal(put(&rig, ROW_UPSERT, 60, 1, statuses), PORT_OK);
    run_to(&rig, 30 * VTIME_SECOND);
    assert_int_equal(injector_struck(rig.injector, 0), 0);
    assert_int_equal(put(&rig, ROW_DELETE, 60, 2, statuses), PORT_OK);
    assert_int_equal(seen(&rig, SCAN_BY_SEARCH), 0);
    run_to(&rig, VTIME_MINUTE);
    size_t back = seen(&rig, SCAN_BY_SEARCH);
    assert_true(back > 0 && back < 60);
    assert_int_equal(injector_struck(rig.injector, 0), back);
    rig_free(&rig);
}

/* Spoiled rows stay where they are, at their version, and say something else. */
static void rows_are_spoiled(void **state) {
    (void)state;
    const struct fault fault = {
        .kind = FAULT_ROWS_SPOILED, .ratio_num = 1, .ratio_den = 1, .delay_ns = VTIME_MINUTE};
    struct rig rig = rig_of(VECTORS_PLAIN, &fault, 1);
    enum item_status statuses[60];
    assert_int_equal(put(&rig, ROW_UPSERT, 60, 7, statuses), PORT_OK);
    run_to(&rig, VTIME_MINUTE);
    assert_int_equal(injector_struck(rig.injector, 0), 60);
    size_t hashes = 0, models = 0, policies = 0;
    for (uint64_t id = 1; id <= 60; id++) {
        struct vector_row_view view;
        assert_true(
            fake_vector_db_find(simulation_vector_db(rig.simulation), MODALITY_TEXT, 1, id, &view));
        assert_int_equal(view.meta.version, 7);
        hashes += view.meta.whole_hash != 0;
        models += view.meta.model_version != 0;
        policies += view.meta.policy != (enum policy_status)0;
    }
    assert_true(hashes > 0 && models > 0 && policies > 0);
    assert_int_equal(hashes + models + policies, 60);
    rig_free(&rig);
}

/* Of a transaction nothing is in when one item fails, or when the store dies half way. */
static void transactions_are_whole_or_nothing(void **state) {
    (void)state;
    static const struct fault faults[] = {
        {.kind = FAULT_ITEM_FAILURES, .sink = SINK_VECTORS, .ratio_num = 1, .ratio_den = 2},
        {.kind = FAULT_SINK_CRASH,
         .sink = SINK_VECTORS,
         .point = POINT_HALF,
         .ratio_num = 1,
         .ratio_den = 1}};
    for (size_t i = 0; i < 2; i++) {
        struct rig rig = rig_of(VECTORS_PGVECTOR, &faults[i], 1);
        enum item_status statuses[40];
        assert_int_equal(put(&rig, ROW_UPSERT, 40, 1, statuses), i == 0 ? PORT_OK : PORT_UNKNOWN);
        for (size_t k = 0; k < 40 && i == 0; k++) {
            assert_int_equal(statuses[k], ITEM_RETRYABLE);
        }
        injector_heal(rig.injector);
        assert_int_equal(seen(&rig, SCAN_BY_SCAN), 0);
        assert_int_equal(put(&rig, ROW_UPSERT, 40, 1, statuses), PORT_OK);
        assert_int_equal(seen(&rig, SCAN_BY_SCAN), 40);
        rig_free(&rig);
    }
}

/* Puts what is there into the graph. */
static void search(struct rig *rig) {
    static const float query[TEXT_DIMENSION] = {1.0F};
    struct search_hit hits[2];
    struct row_filter all = {0};
    size_t count;
    struct vector_port *port = port_of(rig);
    assert_int_equal(port->ops->search(port->ctx, simulation_now(rig->simulation), MODALITY_TEXT, 1,
                                       query, 2, 16, false, &all, hits, &count),
                     PORT_OK);
}

/* Nobody's order compacts while compaction is held back; it strikes where there was something to
 * be compacted. */
static void compaction_waits(void **state) {
    (void)state;
    const struct fault fault = {.kind = FAULT_SLOW_COMPACTION, .until_ns = VTIME_HOUR};
    struct rig rig = rig_of(VECTORS_PGVECTOR, &fault, 1);
    enum item_status status;
    struct vector_port *port = port_of(&rig);
    const struct vector_admin compact = {.kind = VECTOR_COMPACT};
    enum item_status statuses[40];
    assert_int_equal(put(&rig, ROW_UPSERT, 40, 1, statuses), PORT_OK);
    search(&rig);
    assert_int_equal(port->ops->admin(port->ctx, start, &compact, &status, NULL), PORT_OK);
    assert_int_equal(injector_struck(rig.injector, 0), 0);
    assert_int_equal(put(&rig, ROW_DELETE, 4, 2, statuses), PORT_OK);
    assert_int_equal(port->ops->admin(port->ctx, start, &compact, &status, NULL), PORT_OK);
    assert_int_equal(injector_struck(rig.injector, 0), 1);
    run_to(&rig, 2 * VTIME_HOUR);
    assert_int_equal(
        port->ops->admin(port->ctx, simulation_now(rig.simulation), &compact, &status, NULL),
        PORT_OK);
    assert_int_equal(injector_struck(rig.injector, 0), 1);
    rig_free(&rig);
}

/* A store that dies within a switch has moved one alias of three where each moves by itself, and
 * none elsewhere. */
static void switches_tear_where_aliases_are_apart(void **state) {
    (void)state;
    static const enum vector_profile_id both[] = {VECTORS_OPENSEARCH, VECTORS_MILVUS};
    for (size_t i = 0; i < 2; i++) {
        const struct fault fault = {.kind = FAULT_SINK_CRASH,
                                    .sink = SINK_VECTORS,
                                    .point = POINT_HALF,
                                    .ratio_num = 1,
                                    .ratio_den = 1};
        struct rig rig = rig_of(both[i], &fault, 1);
        struct fake_vector_db *db = simulation_vector_db(rig.simulation);
        for (int m = 0; m < MODALITY_COUNT; m++) {
            assert_int_equal(fake_vector_db_create_collection(db, (enum modality)m, 2), 0);
        }
        const struct vector_admin turn = {
            .kind = VECTOR_SWITCH, .from_version = 1, .model_version = 2};
        struct vector_port *port = port_of(&rig);
        enum item_status status;
        assert_int_equal(port->ops->admin(port->ctx, start, &turn, &status, NULL), PORT_UNKNOWN);
        assert_int_equal(fake_vector_db_alias_target(db, MODALITY_TEXT), 1 + i);
        assert_int_equal(fake_vector_db_alias_target(db, MODALITY_FUSED), 1);
        injector_heal(rig.injector);
        assert_int_equal(port->ops->admin(port->ctx, start, &turn, &status, NULL), PORT_OK);
        assert_int_equal(status, ITEM_APPLIED);
        assert_int_equal(fake_vector_db_alias_target(db, MODALITY_FUSED), 2);
        rig_free(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restarts_forget_what_is_in_memory),
        cmocka_unit_test(readers_are_behind),
        cmocka_unit_test(upserts_leave_the_former_row),
        cmocka_unit_test(rows_are_lost),
        cmocka_unit_test(deleted_rows_return),
        cmocka_unit_test(rows_are_spoiled),
        cmocka_unit_test(transactions_are_whole_or_nothing),
        cmocka_unit_test(compaction_waits),
        cmocka_unit_test(switches_tear_where_aliases_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
