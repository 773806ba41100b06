/*
 * Faults under traffic (A15, C6, D3): those that strike workers and the application, the same
 * decisions from the same seed, and convergence once healed, fault by fault and all together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "faults/injector.h"
#include "sim/oracle.h"

static const vtime start = {INT64_C(1772409600) * VTIME_SECOND};

#define TRAFFIC_NS (10 * VTIME_MINUTE)

struct run {
    struct workload *workload;
    struct simulation *simulation;
    struct oracle *oracle;
    struct injector *injector;
    uint64_t through_oltp; /* operations that changed a row */
    uint64_t orders;
    struct simulation_observer inner;
};

static void note_operation(void *ctx, vtime now, const struct workload_op *op) {
    struct run *run = ctx;
    run->through_oltp += op->through_oltp;
    run->orders += op->kind == OP_ORDER;
    run->inner.operation(run->inner.ctx, now, op);
}

/* The observer of the oracle, with an ear of ours in front. */
static void note_appended(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                          const struct log_record *record) {
    struct run *run = ctx;
    run->inner.appended(run->inner.ctx, now, topic, partition, record);
}

static void note_row(void *ctx, vtime now, const struct row_change *change) {
    struct run *run = ctx;
    run->inner.row_changed(run->inner.ctx, now, change);
}

static void note_embedded(void *ctx, vtime now, const struct embed_item *items,
                          const struct embed_result *results, size_t count) {
    struct run *run = ctx;
    run->inner.embedded(run->inner.ctx, now, items, results, count);
}

static void run_begin(struct run *run, uint64_t seed, const struct fault *faults, size_t count) {
    *run = (struct run){0};
    struct workload_options workload = {.seed = seed,
                                        .start = start,
                                        .duration_ns = TRAFFIC_NS,
                                        .catalogue_load_ns = VTIME_MINUTE,
                                        .listings = 60,
                                        .events = 700,
                                        .sellers = 8,
                                        .weight_create = 30,
                                        .weight_price = 500,
                                        .weight_text = 80,
                                        .weight_attributes = 80,
                                        .weight_images = 80,
                                        .weight_delete = 40,
                                        .weight_recreate = 20,
                                        .weight_policy = 30,
                                        .weight_order = 90,
                                        .weight_poison = 10,
                                        .skew_quarters = 4,
                                        .media_first_percent = 30,
                                        .media_lead_ns_max = 30 * VTIME_SECOND,
                                        .media_lag_ns_max = 30 * VTIME_SECOND,
                                        .description_words = 12};
    struct simulation_options options = {
        .seed = seed, .start = start, .session_timeout_ns = 10 * VTIME_SECOND};
    options.workers[MACHINE_ROUTER] = 2;
    options.workers[MACHINE_BUILDER] = 3;
    options.workers[MACHINE_LOADER] = 2;
    struct workload_error error;
    run->workload = workload_new(&workload, &error);
    assert_non_null(run->workload);
    run->simulation = simulation_new(&options, run->workload);
    run->oracle = oracle_new(&(struct oracle_options){
        .start = start, .gone_within_ns = VTIME_HOUR, .needless_embeddings_max_ppm = 1000000});
    assert_non_null(run->simulation);
    assert_non_null(run->oracle);
    run->inner = oracle_observer(run->oracle);
    simulation_observe(run->simulation, &(struct simulation_observer){.ctx = run,
                                                                      .operation = note_operation,
                                                                      .appended = note_appended,
                                                                      .row_changed = note_row,
                                                                      .embedded = note_embedded});
    run->injector = injector_new(run->simulation, faults, count);
    assert_non_null(run->injector);
}

static void run_end(struct run *run) {
    assert_false(injector_out_of_memory(run->injector));
    injector_free(run->injector);
    simulation_free(run->simulation);
    oracle_free(run->oracle);
    workload_free(run->workload);
}

static void run_to(struct run *run, int64_t since_ns) {
    assert_int_equal(simulation_run(run->simulation, vtime_add(start, since_ns)),
                     SIMULATION_RUNNING);
}

static uint64_t struck_in_all(const struct run *run, size_t count) {
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++) {
        all += injector_struck(run->injector, i);
    }
    return all;
}

/* Heals, waits for rest, and lets the oracle judge: every store holds what the reference says. */
static void heal_and_converge(struct run *run, size_t faults) {
    injector_heal(run->injector);
    uint64_t struck = struck_in_all(run, faults);
    int64_t now_ns = TRAFFIC_NS;
    while (!simulation_workload_done(run->simulation) || !oracle_settled(run->oracle)) {
        now_ns += 10 * VTIME_SECOND;
        if (now_ns > 4 * VTIME_HOUR) {
            fail_msg("waits for %s", oracle_waits_for(run->oracle));
        }
        run_to(run, now_ns);
    }
    run_to(run, now_ns + 2 * VTIME_MINUTE); /* the dashboard, the last checkpoints */
    oracle_finish(run->oracle, run->simulation);
    size_t count;
    const struct oracle_check *checks = oracle_checks(run->oracle, &count);
    assert_true(count > 10);
    for (size_t i = 0; i < count; i++) {
        if (checks[i].status == ORACLE_FAIL) {
            fail_msg("%s: expected %s, observed %s\n%s", checks[i].name, checks[i].expected,
                     checks[i].observed, checks[i].evidence);
        }
    }
    assert_int_equal(struck_in_all(run, faults), struck);
    for (uint32_t actor = 0; actor < simulation_actor_count(run->simulation); actor++) {
        assert_true(simulation_actor_up(run->simulation, actor));
    }
}

/* ---- Workers ---- */

/* How often workers of these kinds (bits) go down in the traffic, looking a hundred times a second,
 * and how long they stay down in all. */
static uint64_t downs(struct run *run, unsigned kinds, int64_t *down_ns) {
    bool up[64];
    memset(up, true, sizeof up);
    uint64_t count = 0;
    *down_ns = 0;
    for (int64_t at = 0; at <= TRAFFIC_NS; at += VTIME_SECOND / 100) {
        run_to(run, at);
        for (uint32_t i = 0; i < simulation_actor_count(run->simulation); i++) {
            bool is_up = simulation_actor_up(run->simulation, i);
            if ((kinds >> simulation_actor_kind(run->simulation, i) & 1) == 0) {
                assert_true(is_up);
            }
            count += up[i] && !is_up;
            *down_ns += is_up ? 0 : VTIME_SECOND / 100;
            up[i] = is_up;
        }
    }
    return count;
}

/* Workers of the named kind and no others die at about the stated pace, as often as is counted, and
 * come back after the stated time. */
static void workers_crash_at_their_pace(void **state) {
    (void)state;
    static const enum machine_kind kinds[] = {MACHINE_RELAY,  MACHINE_ROUTER,     MACHINE_BUILDER,
                                              MACHINE_LOADER, MACHINE_RECONCILER, MACHINE_WATCH};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct fault faults[] = {{.kind = FAULT_WORKER_CRASH,
                                        .worker = kinds[k],
                                        .every_ns = 30 * VTIME_SECOND,
                                        .down_ns = 3 * VTIME_SECOND}};
        struct run run;
        run_begin(&run, 7 + k, faults, 1);
        int64_t down_ns;
        uint64_t count = downs(&run, 1u << kinds[k], &down_ns);
        assert_int_equal(count, injector_struck(run.injector, 0));
        assert_in_range(count, 8, 36);
        assert_in_range(down_ns / (int64_t)count, 5 * VTIME_SECOND / 2, 7 * VTIME_SECOND / 2);
        heal_and_converge(&run, 1);
        run_end(&run);
    }
}

/* Strikes fall into the window; without a time of its own a worker is down for five seconds. */
static void a_crashed_worker_is_soon_replaced(void **state) {
    (void)state;
    const struct fault faults[] = {{.kind = FAULT_WORKER_CRASH,
                                    .worker = MACHINE_ROUTER,
                                    .every_ns = 30 * VTIME_SECOND,
                                    .from_ns = 2 * VTIME_MINUTE,
                                    .until_ns = 8 * VTIME_MINUTE}};
    struct run run;
    run_begin(&run, 5, faults, 1);
    int64_t down_ns;
    uint64_t crashes = downs(&run, 1u << MACHINE_ROUTER, &down_ns);
    size_t count;
    const struct decision *decisions = injector_decisions(run.injector, &count);
    assert_int_equal(count, crashes);
    assert_in_range(count, 4, 24);
    for (size_t i = 0; i < count; i++) {
        int64_t since_ns = vtime_diff(decisions[i].at, start);
        assert_in_range(since_ns, 2 * VTIME_MINUTE, 8 * VTIME_MINUTE - 1);
        assert_string_equal(decisions[i].point, "worker.run");
    }
    assert_in_range(down_ns / (int64_t)count, 48 * VTIME_SECOND / 10, 52 * VTIME_SECOND / 10);
    run_end(&run);
}

/* A worker that stands still for longer than its session loses its partitions, is not dead, and is
 * back in its group when it goes on. */
static void paused_workers_lose_their_partitions(void **state) {
    (void)state;
    const struct fault faults[] = {{.kind = FAULT_WORKER_PAUSE,
                                    .worker = MACHINE_BUILDER,
                                    .every_ns = 2 * VTIME_MINUTE,
                                    .down_ns = 30 * VTIME_SECOND}};
    struct run run;
    run_begin(&run, 3, faults, 1);
    struct fake_kafka *kafka = simulation_kafka(run.simulation);
    size_t fewest = 3;
    for (int64_t at = VTIME_SECOND; at <= TRAFFIC_NS; at += VTIME_SECOND) {
        run_to(&run, at);
        size_t members = fake_kafka_group_members(kafka, "builder");
        fewest = members < fewest ? members : fewest;
        assert_int_equal(fake_kafka_group_members(kafka, "loader"), 2);
        assert_true(simulation_actor_up(run.simulation,
                                        simulation_actor_find(run.simulation, MACHINE_BUILDER, 0)));
    }
    assert_in_range(fewest, 0, 2);
    assert_true(injector_struck(run.injector, 0) > 1);
    heal_and_converge(&run, 1);
    assert_int_equal(fake_kafka_group_members(kafka, "builder"), 3);
    run_end(&run);
}

/* Who writes to the store is dead at that moment, and the write is in: the worker does it again
 * when it is back, and the end is right. */
static void workers_crash_at_writes(void **state) {
    (void)state;
    static const struct {
        enum fault_sink sink;
        unsigned workers;
    } writers[] = {{SINK_VECTORS, 1u << MACHINE_BUILDER | 1u << MACHINE_GATE},
                   {SINK_KEYWORDS, 1u << MACHINE_BUILDER | 1u << MACHINE_GATE},
                   {SINK_EMBEDDING, 1u << MACHINE_BUILDER},
                   {SINK_WAREHOUSE, 1u << MACHINE_LOADER}};
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        const struct fault faults[] = {{.kind = FAULT_WORKER_CRASH_AT_WRITE,
                                        .sink = writers[i].sink,
                                        .ratio_num = 1,
                                        .ratio_den = 20,
                                        .down_ns = 2 * VTIME_SECOND}};
        struct run run;
        run_begin(&run, 9 + i, faults, 1);
        int64_t down_ns;
        uint64_t count = downs(&run, writers[i].workers, &down_ns);
        assert_true(count > 3);
        assert_int_equal(count, injector_struck(run.injector, 0));
        size_t decided;
        const struct decision *decisions = injector_decisions(run.injector, &decided);
        uint64_t passed;
        assert_int_equal(decided, count);
        assert_string_equal(decisions[0].point,
                            injector_point(run.injector, (size_t)writers[i].sink, &passed));
        assert_true(passed > count);
        heal_and_converge(&run, 1);
        run_end(&run);
    }
}

/* ---- The application ---- */

/* A change that the log never has is in the database without an outbox row; orders are not struck;
 * in the end the stores differ from the source, as the oracle says. */
static void dual_writes_leave_no_outbox_row(void **state) {
    (void)state;
    const struct fault faults[] = {{.kind = FAULT_DUAL_WRITE, .ratio_num = 1, .ratio_den = 5}};
    struct run run;
    run_begin(&run, 4, faults, 1);
    run_to(&run, TRAFFIC_NS);
    uint64_t struck = injector_struck(run.injector, 0);
    assert_true(struck > 20);
    int64_t published = fake_oltp_last_sequence(simulation_oltp(run.simulation));
    assert_int_equal(published, run.through_oltp - struck);
    uint64_t passed = 0;
    const char *name = "";
    for (size_t i = 0; name != NULL && strcmp(name, "oltp.commit") != 0; i++) {
        name = injector_point(run.injector, i, &passed);
    }
    assert_int_equal(passed, run.through_oltp - run.orders);
    injector_heal(run.injector);
    run_to(&run, TRAFFIC_NS + VTIME_HOUR);
    assert_int_equal(injector_struck(run.injector, 0), struck);
    oracle_finish(run.oracle, run.simulation);
    size_t count;
    const struct oracle_check *checks = oracle_checks(run.oracle, &count);
    bool differs = false;
    for (size_t i = 0; i < count; i++) {
        differs = differs ||
                  (strcmp(checks[i].name, "convergence") == 0 && checks[i].status == ORACLE_FAIL);
    }
    assert_true(differs);
    run_end(&run);
}

/* ---- Everything ---- */

#define RATIO(n) .ratio_num = 1, .ratio_den = (n)

/* One fault of each kind that can be absorbed, and of each point and sink. */
static const struct fault everything[] = {
    {.kind = FAULT_DUPLICATE_RECORDS, RATIO(5), .delay_ns = VTIME_MINUTE},
    {.kind = FAULT_DUPLICATE_RECORDS, .feed = TOPIC_POLICY, RATIO(2), .delay_ns = VTIME_MINUTE},
    {.kind = FAULT_DUPLICATE_RECORDS, .feed = TOPIC_ORDER, RATIO(5), .delay_ns = VTIME_MINUTE},
    {.kind = FAULT_LATE_RECORDS, RATIO(5), .delay_ns = 20 * VTIME_MINUTE},
    {.kind = FAULT_LATE_RECORDS, .feed = TOPIC_MEDIA, RATIO(5), .delay_ns = 20 * VTIME_MINUTE},
    {.kind = FAULT_STALLED_FEED,
     .feed = TOPIC_MEDIA,
     .from_ns = 2 * VTIME_MINUTE,
     .until_ns = 5 * VTIME_MINUTE},
    {.kind = FAULT_STALLED_FEED, .from_ns = 7 * VTIME_MINUTE}, /* until healing */
    {.kind = FAULT_SINK_CRASH, .point = POINT_BEFORE, RATIO(50), .down_ns = 3 * VTIME_SECOND},
    {.kind = FAULT_SINK_CRASH, .point = POINT_AFTER, RATIO(50), .down_ns = 3 * VTIME_SECOND},
    {.kind = FAULT_SINK_CRASH, .point = POINT_HALF, RATIO(50), .down_ns = 3 * VTIME_SECOND},
    {.kind = FAULT_SINK_CRASH,
     .sink = SINK_KEYWORDS,
     .point = POINT_HALF,
     RATIO(30),
     .down_ns = 3 * VTIME_SECOND},
    {.kind = FAULT_SINK_CRASH,
     .sink = SINK_WAREHOUSE,
     .point = POINT_HALF,
     RATIO(20),
     .down_ns = 3 * VTIME_SECOND},
    {.kind = FAULT_SINK_CRASH,
     .sink = SINK_EMBEDDING,
     .point = POINT_HALF,
     RATIO(30),
     .down_ns = 3 * VTIME_SECOND},
    {.kind = FAULT_SINK_CRASH,
     .sink = SINK_STATE,
     .point = POINT_AFTER,
     RATIO(20),
     .down_ns = 3 * VTIME_SECOND},
    {.kind = FAULT_SINK_CRASH,
     .sink = SINK_LOG,
     .point = POINT_HALF,
     RATIO(50),
     .down_ns = 3 * VTIME_SECOND},
    {.kind = FAULT_SINK_OUTAGE,
     .sink = SINK_KEYWORDS,
     .from_ns = 3 * VTIME_MINUTE,
     .until_ns = 4 * VTIME_MINUTE},
    {.kind = FAULT_SINK_OUTAGE, .sink = SINK_STATE, .from_ns = 9 * VTIME_MINUTE},
    {.kind = FAULT_SINK_THROTTLE, .sink = SINK_EMBEDDING, RATIO(10)},
    {.kind = FAULT_SINK_THROTTLE, .sink = SINK_WAREHOUSE, RATIO(10)},
    {.kind = FAULT_ITEM_FAILURES, RATIO(20)},
    {.kind = FAULT_ITEM_FAILURES, .sink = SINK_KEYWORDS, RATIO(20)},
    {.kind = FAULT_STALE_WRITE, RATIO(5), .delay_ns = 30 * VTIME_MINUTE},
    {.kind = FAULT_STALE_WRITE, .sink = SINK_KEYWORDS, RATIO(5), .delay_ns = 30 * VTIME_MINUTE},
    {.kind = FAULT_WORKER_CRASH, .worker = MACHINE_ROUTER, .every_ns = VTIME_MINUTE},
    {.kind = FAULT_WORKER_CRASH,
     .worker = MACHINE_RELAY,
     .every_ns = 2 * VTIME_MINUTE,
     .down_ns = 20 * VTIME_SECOND},
    {.kind = FAULT_WORKER_CRASH_AT_WRITE, RATIO(60)},
    {.kind = FAULT_WORKER_CRASH_AT_WRITE, .sink = SINK_STATE, RATIO(20)},
    {.kind = FAULT_WORKER_PAUSE,
     .worker = MACHINE_BUILDER,
     .every_ns = VTIME_MINUTE,
     .down_ns = 20 * VTIME_SECOND},
    {.kind = FAULT_WORKER_PAUSE,
     .worker = MACHINE_LOADER,
     .every_ns = VTIME_MINUTE,
     .down_ns = 20 * VTIME_SECOND},
};
enum { EVERYTHING = sizeof everything / sizeof *everything };

/* Whatever the fault, alone it strikes, and once healed every store holds what the reference says.
 */
static void each_fault_is_absorbed(void **state) {
    (void)state;
    for (size_t i = 0; i < EVERYTHING; i++) {
        struct run run;
        run_begin(&run, 100 + i, &everything[i], 1);
        run_to(&run, TRAFFIC_NS);
        if (injector_struck(run.injector, 0) == 0) {
            fail_msg("fault %zu, %s, never struck", i, fault_table()[everything[i].kind].name);
        }
        heal_and_converge(&run, 1);
        run_end(&run);
    }
}

/* All of them at once are absorbed as well, and each kind strikes. */
static void all_faults_are_absorbed(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct run run;
        run_begin(&run, seed, everything, EVERYTHING);
        run_to(&run, TRAFFIC_NS);
        uint64_t of_kind[FAULT_KIND_COUNT] = {0};
        bool has_kind[FAULT_KIND_COUNT] = {false};
        for (size_t i = 0; i < EVERYTHING; i++) {
            of_kind[everything[i].kind] += injector_struck(run.injector, i);
            has_kind[everything[i].kind] = true;
        }
        for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
            assert_int_equal(of_kind[kind] > 0, has_kind[kind]);
        }
        heal_and_converge(&run, EVERYTHING);
        run_end(&run);
    }
}

/* The same seed decides the same, strike by strike, and gives the same trace; another does not. */
static void a_seed_decides_the_same(void **state) {
    (void)state;
    struct run runs[3];
    const struct decision *decisions[3];
    size_t counts[3];
    for (int i = 0; i < 3; i++) {
        run_begin(&runs[i], i == 2 ? 22 : 21, everything, EVERYTHING);
        run_to(&runs[i], TRAFFIC_NS);
        decisions[i] = injector_decisions(runs[i].injector, &counts[i]);
        assert_int_equal(counts[i], struck_in_all(&runs[i], EVERYTHING));
    }
    assert_true(counts[0] > 200);
    assert_int_equal(counts[0], counts[1]);
    size_t same = 0;
    for (size_t i = 0; i < counts[0]; i++) {
        const struct decision *a = &decisions[0][i], *b = &decisions[1][i];
        assert_true(a->fault == b->fault && a->at.ns == b->at.ns && a->occurrence == b->occurrence);
        assert_string_equal(a->point, b->point);
        assert_true(i == 0 || a->at.ns >= decisions[0][i - 1].at.ns);
        same += i < counts[2] && a->at.ns == decisions[2][i].at.ns;
    }
    assert_true(same < counts[0] / 2);
    struct trace_hash hashes[3];
    for (int i = 0; i < 3; i++) {
        hashes[i] = trace_hash_of(simulation_trace(runs[i].simulation));
        run_end(&runs[i]);
    }
    assert_true(trace_hash_equal(hashes[0], hashes[1]));
    assert_false(trace_hash_equal(hashes[0], hashes[2]));
}

/* Faults whose window never opens leave no trace of themselves. */
static void no_strike_no_trace(void **state) {
    (void)state;
    static const struct fault never[] = {
        {.kind = FAULT_SINK_THROTTLE, RATIO(1), .from_ns = VTIME_DAY},
        {.kind = FAULT_LATE_RECORDS, RATIO(1), .delay_ns = VTIME_HOUR, .from_ns = VTIME_DAY}};
    struct trace_hash hashes[2];
    for (size_t i = 0; i < 2; i++) {
        struct run run;
        run_begin(&run, 6, never, 2 * i);
        run_to(&run, TRAFFIC_NS);
        hashes[i] = trace_hash_of(simulation_trace(run.simulation));
        run_end(&run);
    }
    assert_true(trace_hash_equal(hashes[0], hashes[1]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_crash_at_their_pace),
        cmocka_unit_test(a_crashed_worker_is_soon_replaced),
        cmocka_unit_test(paused_workers_lose_their_partitions),
        cmocka_unit_test(workers_crash_at_writes),
        cmocka_unit_test(dual_writes_leave_no_outbox_row),
        cmocka_unit_test(each_fault_is_absorbed),
        cmocka_unit_test(all_faults_are_absorbed),
        cmocka_unit_test(a_seed_decides_the_same),
        cmocka_unit_test(no_strike_no_trace),
    };
    return cmocka_run_group_tests_name("injector runs", tests, NULL, NULL);
}
