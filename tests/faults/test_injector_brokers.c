/*
 * Faults of brokers and groups, one by one (C2): what each does to the log and to groups, that it
 * does no more than its row says, and that healing ends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "faults/injector.h"
#include "faults/pipeline_states.h"

static const vtime start = {INT64_C(1772409600) * VTIME_SECOND};

struct rig {
    struct simulation *simulation;
    struct injector *injector;
    struct fake_kafka *kafka;
};

static struct rig rig_new(const struct fault *fault, uint64_t seed) {
    struct rig rig;
    struct simulation_options options = {.seed = seed,
                                         .start = start,
                                         .session_timeout_ns = 10 * VTIME_SECOND,
                                         .poll_timeout_ns = VTIME_MINUTE};
    options.pipeline.partitions = 2;
    options.workers[MACHINE_BUILDER] = 3;
    rig.simulation = simulation_new(&options, NULL);
    assert_non_null(rig.simulation);
    rig.kafka = simulation_kafka(rig.simulation);
    rig.injector = injector_new(rig.simulation, fault, 1);
    assert_non_null(rig.injector);
    return rig;
}

static void rig_free(struct rig *rig) {
    assert_false(injector_out_of_memory(rig->injector));
    fake_kafka_check(rig->kafka);
    injector_free(rig->injector);
    simulation_free(rig->simulation);
}

static vtime run_to(struct rig *rig, int64_t since_ns) {
    assert_int_equal(simulation_run(rig->simulation, vtime_add(start, since_ns)),
                     SIMULATION_RUNNING);
    return simulation_now(rig->simulation);
}

static const struct log_port *log_of(struct rig *rig) {
    return &simulation_ports(rig->simulation)->log;
}

/* Bytes that are no record go into the dead letters, which nobody reads here. */
static void produce(struct rig *rig, uint64_t key) {
    struct produce_item item = {TOPIC_DEAD_LETTER, key, {"x", 1}};
    struct produce_result result;
    const struct log_port *log = log_of(rig);
    assert_int_equal(
        log->ops->produce(log->ctx, simulation_now(rig->simulation), &item, 1, &result), 0);
}

static struct fake_kafka_partition partition(const struct rig *rig, uint32_t p) {
    return fake_kafka_partition(rig->kafka, TOPIC_DEAD_LETTER, p);
}

/* A leader goes, its partition is not there for so long, and comes back under the next epoch with
 * all its records. */
static void a_leader_changes(void **state) {
    (void)state;
    struct fault fault = {.kind = FAULT_LEADER_CHANGE,
                          .feed = TOPIC_DEAD_LETTER,
                          .every_ns = VTIME_MINUTE,
                          .down_ns = 20 * VTIME_SECOND,
                          .until_ns = 10 * VTIME_MINUTE};
    struct rig rig = rig_new(&fault, 1);
    for (uint64_t key = 0; key < 20; key++) {
        produce(&rig, key);
    }
    int64_t records = partition(&rig, 0).end + partition(&rig, 1).end;
    bool away = false;
    for (int64_t second = 1; second < 660; second++) {
        run_to(&rig, second * VTIME_SECOND);
        away = away || !partition(&rig, 0).online || !partition(&rig, 1).online;
    }
    uint32_t epochs = partition(&rig, 0).epoch + partition(&rig, 1).epoch;
    assert_true(away);
    assert_true(epochs > 0 && epochs == injector_struck(rig.injector, 0));
    assert_true(partition(&rig, 0).online && partition(&rig, 1).online);
    assert_int_equal(partition(&rig, 0).end + partition(&rig, 1).end, records);
    rig_free(&rig);
}

/* Who sent to a leader that went is not told what became of it: of what came in just after that
 * some is in, and some is not; later it is refused, and is not in. */
static void requests_under_way_are_cut_off(void **state) {
    (void)state;
    struct fault fault = {.kind = FAULT_LEADER_CHANGE,
                          .feed = TOPIC_DEAD_LETTER,
                          .every_ns = VTIME_SECOND,
                          .down_ns = VTIME_HOUR};
    size_t written = 0, lost = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rig rig = rig_new(&fault, seed);
        const struct log_port *log = log_of(&rig);
        for (int64_t i = 1; i <= 40; i++) {
            vtime now = run_to(&rig, i * 200 * VTIME_MILLISECOND);
            struct produce_item item = {TOPIC_DEAD_LETTER, 1, {"x", 1}};
            struct produce_result result;
            uint32_t p = topic_partition(1, 2);
            int64_t end = partition(&rig, p).end;
            bool online = partition(&rig, p).online;
            assert_int_equal(log->ops->produce(log->ctx, now, &item, 1, &result), PORT_OK);
            bool in = partition(&rig, p).end > end;
            assert_int_equal(partition(&rig, p).online, online);
            assert_true(result.status == ITEM_UNKNOWN || in == (result.status == ITEM_APPLIED));
            assert_true(!online || result.status == ITEM_APPLIED);
            written += result.status == ITEM_UNKNOWN && in;
            lost += result.status == ITEM_UNKNOWN && !in;
        }
        rig_free(&rig);
    }
    assert_in_range(written, 50, 150);
    assert_in_range(lost, 50, 150);
}

/* Healing ends an election that is under way. */
static void healing_elects(void **state) {
    (void)state;
    struct fault fault = {.kind = FAULT_LEADER_CHANGE,
                          .feed = TOPIC_DEAD_LETTER,
                          .every_ns = VTIME_SECOND,
                          .down_ns = VTIME_HOUR};
    struct rig rig = rig_new(&fault, 1);
    run_to(&rig, VTIME_MINUTE);
    assert_true(!partition(&rig, 0).online && !partition(&rig, 1).online);
    injector_heal(rig.injector);
    assert_true(partition(&rig, 0).online && partition(&rig, 1).online);
    run_to(&rig, 2 * VTIME_HOUR);
    assert_int_equal(partition(&rig, 0).epoch, 1);
    rig_free(&rig);
}

/* An unclean leader lacks what was appended within the lag, and nothing older; where a follower has
 * everything the fault does not strike. */
static void an_unclean_leader_lacks_the_last(void **state) {
    (void)state;
    struct fault fault = {.kind = FAULT_UNCLEAN_LEADER,
                          .feed = TOPIC_DEAD_LETTER,
                          .every_ns = 5 * VTIME_SECOND,
                          .delay_ns = 30 * VTIME_SECOND,
                          .down_ns = VTIME_SECOND};
    struct rig rig = rig_new(&fault, 3);
    for (uint64_t key = 0; key < 20; key++) {
        produce(&rig, key);
    }
    int64_t ends[2] = {partition(&rig, 0).end, partition(&rig, 1).end};
    run_to(&rig, VTIME_MINUTE);
    uint64_t struck = injector_struck(rig.injector, 0);
    assert_true(struck > 0);
    assert_true(partition(&rig, 0).end + partition(&rig, 1).end < ends[0] + ends[1]);
    /* What is left is older than any lag by then. */
    ends[0] = partition(&rig, 0).end;
    ends[1] = partition(&rig, 1).end;
    run_to(&rig, 10 * VTIME_MINUTE);
    assert_int_equal(injector_struck(rig.injector, 0), struck);
    assert_int_equal(partition(&rig, 0).end, ends[0]);
    assert_int_equal(partition(&rig, 1).end, ends[1]);
    rig_free(&rig);
}

/* A partition forgets what it holds, and counts on from there. */
static void retention_comes_early(void **state) {
    (void)state;
    struct fault fault = {
        .kind = FAULT_EARLY_RETENTION, .feed = TOPIC_DEAD_LETTER, .every_ns = VTIME_SECOND};
    struct rig rig = rig_new(&fault, 1);
    for (uint64_t key = 0; key < 20; key++) {
        produce(&rig, key);
    }
    int64_t end = partition(&rig, 0).end;
    run_to(&rig, VTIME_MINUTE);
    assert_int_equal(partition(&rig, 0).start, end);
    assert_int_equal(partition(&rig, 0).end, end);
    assert_int_equal(injector_struck(rig.injector, 0), 2);
    rig_free(&rig);
}

static void a_reader_is_told_wrongly(void **state) {
    (void)state;
    struct fault fault = {.kind = FAULT_FALSE_OUT_OF_RANGE,
                          .feed = TOPIC_DEAD_LETTER,
                          .ratio_num = 1,
                          .ratio_den = 2};
    struct rig rig = rig_new(&fault, 1);
    const struct log_port *log = log_of(&rig);
    unsigned refused = 0;
    for (int i = 0; i < 100; i++) {
        struct log_record record;
        size_t count;
        int error = log->ops->fetch(log->ctx, start, TOPIC_DEAD_LETTER, 0, 0, &record, 1, &count);
        assert_true(error == PORT_OK || error == PORT_OUT_OF_RANGE);
        refused += error != PORT_OK;
        /* Other topics are not meant. */
        assert_int_equal(log->ops->fetch(log->ctx, start, TOPIC_ORDER, 0, 0, &record, 1, &count),
                         PORT_OK);
    }
    assert_in_range(refused, 25, 75);
    assert_int_equal(injector_struck(rig.injector, 0), refused);
    rig_free(&rig);
}

static int commit(struct rig *rig, int64_t offset) {
    const struct log_port *log = log_of(rig);
    const char *group = machine_group(MACHINE_BUILDER);
    return log->ops->commit(log->ctx, simulation_now(rig->simulation), group, 0,
                            fake_kafka_group_generation(rig->kafka, group), TOPIC_LISTING_LOG, 0,
                            offset);
}

static int64_t committed(struct rig *rig) {
    return fake_kafka_group_committed(rig->kafka, machine_group(MACHINE_BUILDER), TOPIC_LISTING_LOG,
                                      0);
}

/* A commit that is lost is acknowledged; one that comes late rewinds; all may go at once. */
static void commits_are_lost_late_and_forgotten(void **state) {
    (void)state;
    struct fault lost = {
        .kind = FAULT_LOST_COMMITS, .worker = MACHINE_BUILDER, .ratio_num = 1, .ratio_den = 1};
    struct rig rig = rig_new(&lost, 1);
    assert_int_equal(commit(&rig, 5), PORT_OK);
    assert_int_equal(committed(&rig), FAKE_KAFKA_NO_OFFSET);
    assert_int_equal(injector_struck(rig.injector, 0), 1);
    rig_free(&rig);

    struct fault stale = {.kind = FAULT_STALE_COMMITS,
                          .worker = MACHINE_BUILDER,
                          .ratio_num = 1,
                          .ratio_den = 1,
                          .delay_ns = VTIME_MINUTE,
                          .until_ns = 20 * VTIME_SECOND};
    rig = rig_new(&stale, 1);
    assert_int_equal(commit(&rig, 5), PORT_OK);
    assert_int_equal(committed(&rig), 5);
    run_to(&rig, 30 * VTIME_SECOND);
    assert_int_equal(commit(&rig, 9), PORT_OK);
    run_to(&rig, 2 * VTIME_MINUTE);
    assert_true(committed(&rig) == 5 || committed(&rig) == 9);
    assert_int_equal(injector_struck(rig.injector, 0), committed(&rig) == 5);
    rig_free(&rig);

    struct fault forgotten = {
        .kind = FAULT_COMMITS_FORGOTTEN, .worker = MACHINE_BUILDER, .every_ns = 10 * VTIME_SECOND};
    rig = rig_new(&forgotten, 1);
    assert_int_equal(commit(&rig, 5), PORT_OK);
    run_to(&rig, VTIME_MINUTE);
    assert_int_equal(committed(&rig), FAKE_KAFKA_NO_OFFSET);
    assert_int_equal(injector_struck(rig.injector, 0), 1); /* later there was nothing to forget */
    rig_free(&rig);
}

/* A partition that forgets producers strikes once it knows one. */
static void producers_are_forgotten(void **state) {
    (void)state;
    struct fault fault = {
        .kind = FAULT_PRODUCERS_FORGOTTEN, .feed = TOPIC_DEAD_LETTER, .every_ns = VTIME_SECOND};
    struct rig rig = rig_new(&fault, 1);
    run_to(&rig, VTIME_MINUTE);
    assert_int_equal(injector_struck(rig.injector, 0), 0);
    const struct log_port *log = log_of(&rig);
    struct producer_mark mark = {.producer = 7, .epoch = 1, .sequence = 1};
    struct produce_item item = {TOPIC_DEAD_LETTER, 1, {"x", 1}};
    struct produce_result result;
    assert_int_equal(
        log->ops->produce_as(log->ctx, vtime_add(start, VTIME_MINUTE), &mark, &item, 1, &result),
        PORT_OK);
    run_to(&rig, 2 * VTIME_MINUTE);
    assert_int_equal(injector_struck(rig.injector, 0), 1);
    rig_free(&rig);
}

/* Each of those that come by themselves waits for its state too: in a world without an upgrade
 * nothing is ever switched (D5). */
static void misfortunes_wait_for_a_state(void **state) {
    (void)state;
    static const enum fault_kind kinds[] = {FAULT_LEADER_CHANGE,       FAULT_UNCLEAN_LEADER,
                                            FAULT_EARLY_RETENTION,     FAULT_COMMITS_FORGOTTEN,
                                            FAULT_PRODUCERS_FORGOTTEN, FAULT_SINK_RESTART,
                                            FAULT_WORKER_CRASH,        FAULT_MEMBER_FLAPS};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct fault fault = {.kind = kinds[i],
                              .feed = TOPIC_DEAD_LETTER,
                              .worker = MACHINE_BUILDER,
                              .every_ns = VTIME_SECOND,
                              .delay_ns = VTIME_MINUTE,
                              .down_ns = VTIME_SECOND,
                              .when = 1 + STATE_SWITCHING};
        struct rig rig = rig_new(&fault, 1);
        for (uint64_t key = 0; key < 20; key++) {
            produce(&rig, key);
        }
        assert_int_equal(commit(&rig, 5), PORT_OK);
        run_to(&rig, VTIME_MINUTE);
        assert_int_equal(injector_struck(rig.injector, 0), 0);
        assert_int_equal(committed(&rig), 5);
        rig_free(&rig);
    }
}

/* A member that flaps costs its group two generations and is in it afterwards. */
static void members_flap(void **state) {
    (void)state;
    struct fault fault = {
        .kind = FAULT_MEMBER_FLAPS, .worker = MACHINE_BUILDER, .every_ns = 20 * VTIME_SECOND};
    struct rig rig = rig_new(&fault, 1);
    const char *group = machine_group(MACHINE_BUILDER);
    uint32_t generation = fake_kafka_group_generation(rig.kafka, group);
    run_to(&rig, 5 * VTIME_MINUTE);
    uint64_t struck = injector_struck(rig.injector, 0);
    assert_true(struck > 3);
    assert_int_equal(fake_kafka_group_generation(rig.kafka, group), generation + 2 * struck);
    assert_int_equal(fake_kafka_group_members(rig.kafka, group), 3);
    rig_free(&rig);
}

/* A worker that is stuck stays a member beyond the session timeout, and leaves at the poll timeout;
 * when it goes on it joins again. */
static void a_stuck_worker_leaves_late(void **state) {
    (void)state;
    struct fault fault = {.kind = FAULT_WORKER_STUCK,
                          .worker = MACHINE_BUILDER,
                          .every_ns = VTIME_SECOND,
                          .down_ns = 2 * VTIME_MINUTE,
                          .until_ns = 2 * VTIME_SECOND};
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct rig rig = rig_new(&fault, seed);
        const char *group = machine_group(MACHINE_BUILDER);
        run_to(&rig, 30 * VTIME_SECOND);
        assert_int_equal(fake_kafka_group_members(rig.kafka, group), 3);
        run_to(&rig, 70 * VTIME_SECOND);
        bool struck = injector_struck(rig.injector, 0) > 0;
        assert_true((fake_kafka_group_members(rig.kafka, group) < 3) == struck);
        run_to(&rig, 5 * VTIME_MINUTE);
        assert_int_equal(fake_kafka_group_members(rig.kafka, group), 3);
        rig_free(&rig);
    }
}

/* A record that was held back waits for a leader of its partition: its producer was told that it is
 * in, and tells it to nobody again. */
static void a_late_record_waits_for_a_leader(void **state) {
    (void)state;
    struct fault fault = {.kind = FAULT_LATE_RECORDS,
                          .feed = TOPIC_DEAD_LETTER,
                          .ratio_num = 1,
                          .ratio_den = 1,
                          .delay_ns = 10 * VTIME_SECOND};
    struct rig rig = rig_new(&fault, 1);
    for (uint64_t key = 0; key < 20; key++) {
        produce(&rig, key);
    }
    for (uint32_t p = 0; p < 2; p++) {
        fake_kafka_set_online(rig.kafka, TOPIC_DEAD_LETTER, p, false);
    }
    run_to(&rig, VTIME_MINUTE);
    assert_int_equal(partition(&rig, 0).end + partition(&rig, 1).end, 0);
    for (uint32_t p = 0; p < 2; p++) {
        fake_kafka_set_online(rig.kafka, TOPIC_DEAD_LETTER, p, true);
    }
    run_to(&rig, 2 * VTIME_MINUTE);
    assert_int_equal(partition(&rig, 0).end + partition(&rig, 1).end, 20);
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_changes),
        cmocka_unit_test(healing_elects),
        cmocka_unit_test(requests_under_way_are_cut_off),
        cmocka_unit_test(a_late_record_waits_for_a_leader),
        cmocka_unit_test(an_unclean_leader_lacks_the_last),
        cmocka_unit_test(retention_comes_early),
        cmocka_unit_test(a_reader_is_told_wrongly),
        cmocka_unit_test(commits_are_lost_late_and_forgotten),
        cmocka_unit_test(producers_are_forgotten),
        cmocka_unit_test(misfortunes_wait_for_a_state),
        cmocka_unit_test(members_flap),
        cmocka_unit_test(a_stuck_worker_leaves_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
