/*
 * The simulator as a host (D3, A15): the same options give the same run; crashes, pauses, ties and
 * numbers of workers change the way and not the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/end_state.h"
#include "sim/oracle.h"
#include "sim/simulation.h"

static const vtime start = {INT64_C(1772409600) * VTIME_SECOND};

static vtime after(int64_t seconds) {
    return vtime_add(start, seconds * VTIME_SECOND);
}

/* A simulation with a small catalogue and the oracle that listens to it. */
struct run {
    struct workload *workload;
    struct simulation *simulation;
    struct oracle *oracle;
};

static struct workload *workload_of(uint64_t seed) {
    struct workload_options options = {.seed = seed,
                                       .start = start,
                                       .duration_ns = 10 * VTIME_MINUTE,
                                       .catalogue_load_ns = VTIME_MINUTE,
                                       .listings = 60,
                                       .events = 700,
                                       .sellers = 8,
                                       .skew_quarters = 4,
                                       .media_first_percent = 30,
                                       .media_lead_ns_max = 30 * VTIME_SECOND,
                                       .media_lag_ns_max = 30 * VTIME_SECOND,
                                       .description_words = 12};
    struct workload_error error;
    struct workload *workload = workload_new(&options, &error);
    if (workload == NULL) {
        fail_msg("%s", error.text);
    }
    return workload;
}

static struct simulation_options options_of(uint64_t seed) {
    return (struct simulation_options){
        .seed = seed, .start = start, .session_timeout_ns = 10 * VTIME_SECOND};
}

static struct run run_judged(const struct simulation_options *options,
                             const struct oracle_options *judgement) {
    struct run run = {.workload = workload_of(options->seed)};
    run.simulation = simulation_new(options, run.workload);
    run.oracle = oracle_new(judgement);
    assert_non_null(run.simulation);
    assert_non_null(run.oracle);
    struct simulation_observer observer = oracle_observer(run.oracle);
    simulation_observe(run.simulation, &observer);
    return run;
}

/* Whose memory of what was written dies with it embeds some content twice: `needless_ppm` allows.
 */
static struct run run_allowing(const struct simulation_options *options, uint64_t needless_ppm) {
    return run_judged(options, &(struct oracle_options){
                                   .start = start, .needless_embeddings_max_ppm = needless_ppm});
}

static struct run run_of(const struct simulation_options *options) {
    return run_allowing(options, 0);
}

static void run_free(struct run *run) {
    simulation_free(run->simulation);
    oracle_free(run->oracle);
    workload_free(run->workload);
}

static void run_until(struct run *run, vtime until) {
    assert_int_equal(simulation_run(run->simulation, until), SIMULATION_RUNNING);
}

/* Runs until nothing is on its way any more. */
static void run_to_rest(struct run *run) {
    vtime limit = after(6 * 3600);
    vtime now = simulation_now(run->simulation);
    while (!simulation_workload_done(run->simulation) || !oracle_settled(run->oracle)) {
        now = vtime_add(now, 10 * VTIME_SECOND);
        if (now.ns > limit.ns) {
            fail_msg("waits for %s", oracle_waits_for(run->oracle));
        }
        run_until(run, now);
    }
    run_until(run, vtime_add(now, 2 * VTIME_MINUTE)); /* the dashboard, the last checkpoints */
}

/* At rest no check fails: every store holds what the reference says. */
static void expect_right(struct run *run) {
    run_to_rest(run);
    oracle_finish(run->oracle, run->simulation);
    size_t count;
    const struct oracle_check *checks = oracle_checks(run->oracle, &count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        if (checks[i].status == ORACLE_FAIL) {
            fail_msg("%s: expected %s, observed %s\n%s", checks[i].name, checks[i].expected,
                     checks[i].observed, checks[i].evidence);
        }
    }
}

static struct trace_hash hash_of(struct run *run) {
    return trace_hash_of(simulation_trace(run->simulation));
}

/* ---- End states ---- */

static struct end_state end_state_of(struct run *run) {
    struct end_state end;
    assert_int_equal(end_state_read(run->simulation, &end), 0);
    return end;
}

static void expect_same_end(struct run *a, struct run *b) {
    struct end_state end_a = end_state_of(a), end_b = end_state_of(b);
    for (int part = 0; part < END_STATE_PARTS; part++) {
        if (end_a.parts[part] != end_b.parts[part]) {
            fail_msg("%s differ", end_state_part_name((enum end_state_part)part));
        }
    }
    assert_true(trace_hash_equal(end_a.whole, end_b.whole));
}

/* ---- Determinism ---- */

/* Equal options, twice in one process: equal traces; another seed gives another run. */
static void test_same_options_same_trace(void **state) {
    (void)state;
    struct trace_hash hashes[3];
    for (int i = 0; i < 3; i++) {
        struct simulation_options options = options_of(i == 2 ? 8 : 7);
        options.explore_ties = true;
        struct run run = run_of(&options);
        run_until(&run, after(100));
        simulation_crash(run.simulation, simulation_actor_find(run.simulation, MACHINE_BUILDER, 0));
        run_until(&run, after(130));
        simulation_restart(run.simulation,
                           simulation_actor_find(run.simulation, MACHINE_BUILDER, 0));
        run_until(&run, after(300));
        assert_true(simulation_events(run.simulation) > 1000);
        hashes[i] = hash_of(&run);
        run_free(&run);
    }
    assert_true(trace_hash_equal(hashes[0], hashes[1]));
    assert_false(trace_hash_equal(hashes[0], hashes[2]));
}

/* Stopping and going on, and looking at ports and counters meanwhile, leaves no trace. */
static void test_pieces_make_the_same_run(void **state) {
    (void)state;
    struct simulation_options options = options_of(3);
    struct run whole = run_of(&options);
    run_until(&whole, after(200));
    struct run pieces = run_of(&options);
    for (int64_t second = 0; second <= 200; second += 7) {
        run_until(&pieces, after(second));
        end_state_of(&pieces);
        simulation_counter(pieces.simulation, COUNTER_FOLDED);
        assert_int_equal(simulation_now(pieces.simulation).ns, after(second).ns);
    }
    run_until(&pieces, after(200));
    assert_true(trace_hash_equal(hash_of(&whole), hash_of(&pieces)));
    run_free(&whole);
    run_free(&pieces);
}

/* Seeded exploration tries other orders of what happens at one moment; the end is the same. */
static void test_ties_change_the_way_and_not_the_end(void **state) {
    (void)state;
    struct simulation_options options = options_of(5);
    struct run plain = run_of(&options);
    options.explore_ties = true;
    struct run explored = run_of(&options);
    expect_right(&plain);
    expect_right(&explored);
    assert_false(trace_hash_equal(hash_of(&plain), hash_of(&explored)));
    expect_same_end(&plain, &explored);
    run_free(&plain);
    run_free(&explored);
}

/* One worker of a kind, three, or twice as many as there are partitions: equal stores. */
static void test_workers_change_the_way_and_not_the_end(void **state) {
    (void)state;
    static const uint32_t workers[] = {1, 3, 16};
    struct run runs[3];
    for (int i = 0; i < 3; i++) {
        struct simulation_options options = options_of(6);
        options.workers[MACHINE_ROUTER] = workers[i];
        options.workers[MACHINE_BUILDER] = workers[i];
        options.workers[MACHINE_LOADER] = workers[i];
        runs[i] = run_of(&options);
        assert_int_equal(simulation_actor_count(runs[i].simulation),
                         MACHINE_KIND_COUNT - 3 + 3 * workers[i]);
        expect_right(&runs[i]);
        expect_same_end(&runs[0], &runs[i]);
    }
    for (int i = 0; i < 3; i++) {
        run_free(&runs[i]);
    }
}

/* A row that goes wrong shows in the end state of its store and in no other's. */
static void test_a_wrong_row_shows_in_the_end_state(void **state) {
    (void)state;
    struct simulation_options options = options_of(6);
    struct run run = run_of(&options);
    expect_right(&run);
    struct end_state right = end_state_of(&run);
    struct fake_vector_db *db = simulation_vector_db(run.simulation);
    struct vector_port port = fake_vector_db_port(db);
    vtime now = simulation_now(run.simulation);
    struct scan_row row;
    size_t count = 0;
    assert_int_equal(
        port.ops->scan(port.ctx, now, MODALITY_TEXT, 1, SCAN_BY_ID, 0, UINT64_MAX, &row, 1, &count),
        0);
    assert_int_equal(count, 1);
    assert_int_equal(fake_vector_db_corrupt_row(db, now, MODALITY_TEXT, 1, row.listing_id,
                                                VECTOR_CORRUPT_HASHES),
                     0);
    struct end_state wrong = end_state_of(&run);
    for (int part = 0; part < END_STATE_PARTS; part++) {
        assert_int_equal(right.parts[part] != wrong.parts[part], part == END_STATE_VECTORS);
    }
    assert_false(trace_hash_equal(right.whole, wrong.whole));
    run_free(&run);
}

/* ---- Crashes and pauses ---- */

/* A port of vectors that counts what a caller writes while it is down. */
struct listening {
    struct simulation *simulation;
    struct vector_port inner;
    uint32_t actor;
    size_t writes, writes_while_down;
};

static int listening_write(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                           const struct vector_write *items, size_t count,
                           enum item_status *statuses) {
    struct listening *listening = ctx;
    if (simulation_caller(listening->simulation) == listening->actor) {
        listening->writes++;
        listening->writes_while_down +=
            !simulation_actor_up(listening->simulation, listening->actor);
    }
    return listening->inner.ops->write(listening->inner.ctx, now, modality, model_version, items,
                                       count, statuses);
}

static int listening_scan(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                          enum scan_path path, uint64_t first, uint64_t last, struct scan_row *out,
                          size_t max, size_t *count) {
    struct listening *listening = ctx;
    return listening->inner.ops->scan(listening->inner.ctx, now, modality, model_version, path,
                                      first, last, out, max, count);
}

static int listening_block(void *ctx, vtime now, const struct seller_block *items, size_t count) {
    struct listening *listening = ctx;
    return listening->inner.ops->block(listening->inner.ctx, now, items, count);
}

static int listening_admin(void *ctx, vtime now, const struct vector_admin *admin,
                           enum item_status *status, struct vector_targets *targets) {
    struct listening *listening = ctx;
    return listening->inner.ops->admin(listening->inner.ctx, now, admin, status, targets);
}

static const struct vector_port_ops listening_ops = {.block = listening_block,
                                                     .write = listening_write,
                                                     .scan = listening_scan,
                                                     .admin = listening_admin};

static void listen(struct listening *listening, struct simulation *s, uint32_t actor) {
    struct simulation_ports *ports = simulation_ports(s);
    *listening = (struct listening){.simulation = s, .inner = ports->vectors, .actor = actor};
    ports->vectors = (struct vector_port){&listening_ops, listening};
}

/* A crash drops answers and not writes: what was sent still arrives. Nothing is lost in the end,
 * however often everybody dies. */
static void test_crashes(void **state) {
    (void)state;
    struct simulation_options options = options_of(9);
    struct run run = run_allowing(&options, 1000000);
    struct simulation *s = run.simulation;
    uint32_t builder = simulation_actor_find(s, MACHINE_BUILDER, 0);
    struct listening listening;
    listen(&listening, s, builder);
    for (int round = 0; round < 120; round++) {
        for (uint32_t actor = 0; actor < simulation_actor_count(s); actor++) {
            simulation_crash(s, actor);
            simulation_crash(s, actor); /* is down already */
            assert_false(simulation_actor_up(s, actor));
        }
        run_until(&run, vtime_add(simulation_now(s), VTIME_SECOND));
        for (uint32_t actor = 0; actor < simulation_actor_count(s); actor++) {
            simulation_restart(s, actor);
            simulation_restart(s, actor); /* is up already */
            assert_true(simulation_actor_up(s, actor));
        }
        run_until(&run, vtime_add(simulation_now(s), (2 + round % 5) * VTIME_SECOND));
    }
    assert_true(listening.writes_while_down > 0);
    assert_true(listening.writes > listening.writes_while_down);
    expect_right(&run);
    run_free(&run);
}

static uint64_t fenced_saves(struct simulation *s) {
    struct fake_state_store *store = simulation_state_store(s);
    uint64_t fenced = 0;
    for (size_t i = 0; i < fake_state_store_count(store); i++) {
        struct fake_state_info info = fake_state_store_info(store, i);
        fenced += strcmp(info.group, "builder") == 0 ? info.fenced : 0;
    }
    return fenced;
}

/* A worker that stands still is evicted and another takes over; when it goes on it is a zombie: its
 * writes are refused by version, its checkpoint is fenced, and the end is right. */
static void test_zombie(void **state) {
    (void)state;
    uint64_t fenced = 0, rejected = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct simulation_options options = options_of(seed);
        options.workers[MACHINE_BUILDER] = 2;
        options.pipeline.checkpoint_interval_ns = 3 * VTIME_SECOND;
        struct run run = run_allowing(&options, 1000000);
        struct simulation *s = run.simulation;
        for (uint32_t round = 0; round < 6; round++) {
            uint32_t zombie = simulation_actor_find(s, MACHINE_BUILDER, round % 2);
            run_until(&run, vtime_add(simulation_now(s), 20 * VTIME_SECOND));
            simulation_pause(s, zombie);
            run_until(&run, vtime_add(simulation_now(s), 40 * VTIME_SECOND));
            assert_true(simulation_actor_up(s, zombie));
            simulation_resume(s, zombie);
        }
        expect_right(&run);
        fenced += fenced_saves(s);
        rejected += simulation_counter(s, COUNTER_STALE_REJECTED);
        run_free(&run);
    }
    assert_true(fenced > 0);
    assert_true(rejected > 0);
}

/* A pause shorter than the session timeout costs time and nothing else: nobody is evicted. */
static void test_short_pause(void **state) {
    (void)state;
    struct simulation_options options = options_of(4);
    options.workers[MACHINE_ROUTER] = 2;
    struct run run = run_of(&options);
    struct simulation *s = run.simulation;
    uint32_t router = simulation_actor_find(s, MACHINE_ROUTER, 1);
    run_until(&run, after(20));
    uint32_t generation = fake_kafka_group_generation(simulation_kafka(s), "router");
    simulation_pause(s, router);
    run_until(&run, after(29));
    simulation_resume(s, router);
    run_until(&run, after(60));
    assert_int_equal(fake_kafka_group_generation(simulation_kafka(s), "router"), generation);
    expect_right(&run);
    run_free(&run);
}

/* ---- Scale and capacity ---- */

/* More processes take partitions over, fewer give theirs back, at any moment, and nothing is lost
 * (A15). */
static void test_scale(void **state) {
    (void)state;
    struct simulation_options options = options_of(3);
    options.workers_max[MACHINE_BUILDER] = 5;
    options.workers_max[MACHINE_ROUTER] = 2;
    options.pipeline.checkpoint_interval_ns = 3 * VTIME_SECOND;
    struct run run = run_allowing(&options, 1000000);
    struct simulation *s = run.simulation;
    struct fake_kafka *kafka = simulation_kafka(s);
    static const uint32_t sizes[] = {3, 5, 1, 4, 2, 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        run_until(&run, vtime_add(simulation_now(s), 40 * VTIME_SECOND));
        simulation_scale(s, MACHINE_BUILDER, sizes[i]);
        simulation_scale(s, MACHINE_ROUTER, 1 + sizes[i] % 2);
        run_until(&run, vtime_add(simulation_now(s), VTIME_SECOND));
        assert_int_equal(fake_kafka_group_members(kafka, "builder"), sizes[i]);
        assert_int_equal(fake_kafka_group_members(kafka, "router"), 1 + sizes[i] % 2);
    }
    uint32_t left_out = simulation_actor_find(s, MACHINE_BUILDER, 4);
    simulation_restart(s, left_out);
    assert_false(simulation_actor_up(s, left_out));
    expect_right(&run);
    run_free(&run);
}

/* Seconds from the start until all traffic of the run is dealt with. */
static int64_t seconds_to_rest(struct capacity_rates capacity, uint32_t workers) {
    struct simulation_options options = options_of(9);
    options.capacity = capacity;
    options.workers[MACHINE_ROUTER] = options.workers[MACHINE_BUILDER] = workers;
    options.workers[MACHINE_LOADER] = workers;
    struct run run = run_judged(
        &options, &(struct oracle_options){.start = start, .gone_within_ns = 2 * VTIME_HOUR});
    expect_right(&run);
    int64_t seconds = vtime_diff(simulation_now(run.simulation), start) / VTIME_SECOND;
    run_free(&run);
    return seconds;
}

/* A service or a worker that can do less than it is given finishes later, by as much as its rate
 * says; more workers make up for slow ones (A14). */
static void test_capacity(void **state) {
    (void)state;
    int64_t free_s = seconds_to_rest((struct capacity_rates){0}, 1);
    int64_t slow_s = seconds_to_rest((struct capacity_rates){.vectors = 1}, 1);
    assert_true(slow_s > free_s + 120);
    int64_t one_s = seconds_to_rest((struct capacity_rates){.worker = 1}, 1);
    int64_t four_s = seconds_to_rest((struct capacity_rates){.worker = 1}, 4);
    assert_true(one_s > free_s + 120);
    if (four_s >= one_s - 60) {
        fail_msg("%lld s with one worker each, %lld s with four", (long long)one_s,
                 (long long)four_s);
    }
}

/* ---- Commands ---- */

/* The reconciler finds a row that the vector database lost, and the builder that owns the listing
 * writes it again (D1). */
static void test_repair_reaches_the_owner(void **state) {
    (void)state;
    struct simulation_options options = options_of(2);
    options.workers[MACHINE_BUILDER] = 3;
    struct run run = run_of(&options);
    struct simulation *s = run.simulation;
    run_to_rest(&run);
    run_until(&run, vtime_add(simulation_now(s), 10 * VTIME_MINUTE)); /* nothing is in flight */
    struct end_state before = end_state_of(&run);
    struct fake_vector_db *db = simulation_vector_db(s);
    struct scan_row rows[10];
    size_t count = 0;
    struct vector_port port = simulation_ports(s)->vectors;
    assert_int_equal(port.ops->scan(port.ctx, simulation_now(s), MODALITY_TEXT, 1, SCAN_BY_SCAN, 0,
                                    UINT64_MAX, rows, 10, &count),
                     0);
    assert_int_equal(count, 10);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fake_vector_db_lose_row(db, simulation_now(s), MODALITY_TEXT, 1,
                                                 rows[i].listing_id, (1u << SCAN_PATH_COUNT) - 1),
                         0);
    }
    assert_false(trace_hash_equal(end_state_of(&run).whole, before.whole));
    simulation_command(s, simulation_actor_find(s, MACHINE_RECONCILER, 0), COMMAND_RECONCILE);
    run_until(&run, vtime_add(simulation_now(s), 10 * VTIME_MINUTE));
    assert_true(trace_hash_equal(end_state_of(&run).whole, before.whole));
    expect_right(&run);
    run_free(&run);
}

/* ---- Waiting ---- */

/* Consumers that wait do not poll: an idle pipeline does next to nothing. */
static void test_idle_is_quiet(void **state) {
    (void)state;
    struct simulation_options options = options_of(1);
    struct simulation *s = simulation_new(&options, NULL);
    assert_non_null(s);
    assert_true(simulation_workload_done(s));
    assert_int_equal(simulation_run(s, after(120)), SIMULATION_RUNNING);
    uint64_t events = simulation_events(s);
    assert_int_equal(simulation_run(s, after(720)), SIMULATION_RUNNING);
    /* The watch looks twice a minute, a timer and an answer each; others once in several minutes.
     */
    assert_in_range(simulation_events(s) - events, 38, 60);
    simulation_free(s);
}

/* How long records took from their feed to the listing log, at most. */
struct arrivals {
    int64_t lag_ns_max;
};

static void note_arrival(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                         const struct log_record *logged) {
    struct arrivals *arrivals = ctx;
    struct record record;
    struct record_error error;
    (void)partition;
    if (topic != TOPIC_LISTING_LOG || record_decode(logged->value, &record, &error) != 0) {
        return;
    }
    int64_t lag_ns = vtime_diff(now, record.origin.append);
    arrivals->lag_ns_max = lag_ns > arrivals->lag_ns_max ? lag_ns : arrivals->lag_ns_max;
}

/* A consumer that waits is woken by what it waits for: no record waits for a poll. */
static void test_waiting_fetch_wakes(void **state) {
    (void)state;
    struct simulation_options options = options_of(1);
    struct workload *workload = workload_of(1);
    struct simulation *s = simulation_new(&options, workload);
    struct arrivals arrivals = {.lag_ns_max = 0};
    struct simulation_observer observer = {.ctx = &arrivals, .appended = note_arrival};
    simulation_observe(s, &observer);
    assert_int_equal(simulation_run(s, after(590)), SIMULATION_RUNNING);
    assert_in_range(arrivals.lag_ns_max, VTIME_MILLISECOND, 3 * VTIME_SECOND);
    simulation_free(s);
    workload_free(workload);
}

/* ---- The harness ---- */

static void stop(void *ctx, vtime now, uint64_t arg) {
    struct simulation *s = ctx;
    assert_int_equal(now.ns, after(30).ns);
    assert_int_equal(arg, 17);
    simulation_stop(s);
}

/* What the harness schedules happens at its moment and stands in the trace; a stopped run says so,
 * and can be given back in the middle. */
static void test_scheduled_stop(void **state) {
    (void)state;
    struct simulation_options options = options_of(1);
    struct run run = run_of(&options);
    assert_int_equal(
        simulation_schedule(run.simulation, after(30), "stop", 1, stop, run.simulation, 17), 0);
    assert_int_equal(simulation_run(run.simulation, after(100)), SIMULATION_STOPPED);
    assert_int_equal(simulation_now(run.simulation).ns, after(30).ns);
    run_free(&run);
}

/* Actors have names, kinds and places. */
static void test_actors(void **state) {
    (void)state;
    struct simulation_options options = options_of(1);
    options.workers[MACHINE_BUILDER] = 12;
    options.workers[MACHINE_RELAY] = 5; /* there is always one */
    struct simulation *s = simulation_new(&options, NULL);
    assert_int_equal(simulation_actor_count(s), 12 + MACHINE_KIND_COUNT - 1);
    uint32_t last = simulation_actor_find(s, MACHINE_BUILDER, 11);
    assert_string_equal(simulation_actor_name(s, last), "builder-12");
    assert_int_equal(simulation_actor_kind(s, last), MACHINE_BUILDER);
    assert_int_equal(simulation_actor_find(s, MACHINE_BUILDER, 12), SIMULATION_ACTOR_NONE);
    assert_string_equal(simulation_actor_name(s, simulation_actor_find(s, MACHINE_RELAY, 0)),
                        "relay");
    assert_int_equal(simulation_actor_find(s, MACHINE_RELAY, 1), SIMULATION_ACTOR_NONE);
    assert_string_equal(simulation_actor_name(s, SIMULATION_ACTOR_NONE), "harness");
    assert_int_equal(simulation_caller(s), SIMULATION_ACTOR_NONE);
    simulation_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_options_same_trace),
        cmocka_unit_test(test_pieces_make_the_same_run),
        cmocka_unit_test(test_ties_change_the_way_and_not_the_end),
        cmocka_unit_test(test_workers_change_the_way_and_not_the_end),
        cmocka_unit_test(test_a_wrong_row_shows_in_the_end_state),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_zombie),
        cmocka_unit_test(test_short_pause),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_repair_reaches_the_owner),
        cmocka_unit_test(test_idle_is_quiet),
        cmocka_unit_test(test_waiting_fetch_wakes),
        cmocka_unit_test(test_scheduled_stop),
        cmocka_unit_test(test_actors),
    };
    return cmocka_run_group_tests_name("simulation", tests, NULL, NULL);
}
