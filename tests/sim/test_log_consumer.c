/*
 * What a consumer's client does by itself (C2): each reset policy, at each edge of the log, where
 * the group committed nothing, and where the broker errs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/effects.h"
#include "sim/fake_kafka.h"
#include "sim/log_consumer.h"

#define GROUP "readers"
enum { START = 3, END = 8 };

/* A log of which offsets 3 to 7 are kept. */
struct rig {
    struct fake_kafka *kafka;
    struct log_port port;
    vtime now;
    struct log_record records[16];
    struct log_polled polled;
};

static void append(struct rig *r, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct produce_item item = {TOPIC_LISTING, 1, bytes_of("x")};
        struct produce_result result;
        assert_int_equal(r->port.ops->produce(r->port.ctx, r->now, &item, 1, &result), 0);
    }
}

static struct rig rig_new(void) {
    struct fake_kafka_options options = {0};
    options.topics[TOPIC_LISTING].partitions = 1;
    struct rig r = {.kafka = fake_kafka_new(&options), .now = {VTIME_DAY}};
    assert_non_null(r.kafka);
    r.port = fake_kafka_port(r.kafka);
    append(&r, END);
    assert_int_equal(fake_kafka_delete_records(r.kafka, TOPIC_LISTING, 0, START), 0);
    return r;
}

static int poll_from(struct rig *r, enum offset_reset policy, int64_t offset,
                     uint32_t after_epoch) {
    struct log_poll poll = {.group = GROUP,
                            .policy = policy,
                            .topic = TOPIC_LISTING,
                            .offset = offset,
                            .after_epoch = after_epoch,
                            .max = 16};
    return log_consumer_poll(&r->port, r->now, &poll, r->records, &r->polled);
}

static void assert_moved(struct rig *r, enum offset_reset policy, int64_t offset,
                         uint32_t after_epoch, int64_t position) {
    assert_int_equal(poll_from(r, policy, offset, after_epoch), PORT_OK);
    assert_true(r->polled.moved);
    assert_int_equal(r->polled.position, position);
    assert_int_equal(r->polled.count, 0);
}

/* Within the log no policy has a say: the records are those that were asked for. */
static void within_the_log_it_reads(void **state) {
    (void)state;
    struct rig r = rig_new();
    for (int policy = 0; policy < OFFSET_RESETS; policy++) {
        for (int64_t offset = START; offset <= END; offset++) {
            assert_int_equal(poll_from(&r, (enum offset_reset)policy, offset, 0), PORT_OK);
            assert_false(r.polled.moved);
            assert_int_equal(r.polled.position, offset);
            assert_int_equal(r.polled.count, END - offset);
        }
        assert_int_equal(poll_from(&r, (enum offset_reset)policy, FETCH_OLDEST, 0), PORT_OK);
        assert_int_equal(r.polled.position, START);
    }
    fake_kafka_free(r.kafka);
}

/* Outside of it, each goes its way; without one the reader is told what the log keeps. */
static void outside_the_policy_decides(void **state) {
    (void)state;
    struct rig r = rig_new();
    static const int64_t outside[] = {0, START - 1, END + 1, END + 100};
    for (size_t i = 0; i < 4; i++) {
        assert_moved(&r, OFFSET_RESET_EARLIEST, outside[i], 0, START);
        assert_moved(&r, OFFSET_RESET_LATEST, outside[i], 0, END);
        assert_int_equal(poll_from(&r, OFFSET_RESET_NONE, outside[i], 0), PORT_OUT_OF_RANGE);
        assert_true(r.polled.bounded);
        assert_int_equal(r.polled.start, START);
        assert_int_equal(r.polled.end, END);
    }
    fake_kafka_free(r.kafka);
}

/* What a group committed comes before its policy, also when it lies outside the log; a group that
 * committed nothing, or whose commits were forgotten, is where its policy says. */
static void commits_come_first(void **state) {
    (void)state;
    struct rig r = rig_new();
    assert_moved(&r, OFFSET_RESET_EARLIEST, FETCH_COMMITTED, 0, START);
    assert_moved(&r, OFFSET_RESET_LATEST, FETCH_COMMITTED, 0, END);
    assert_int_equal(poll_from(&r, OFFSET_RESET_NONE, FETCH_COMMITTED, 0), PORT_OUT_OF_RANGE);

    assert_int_equal(fake_kafka_group_join(r.kafka, r.now, GROUP, 1, 1u << TOPIC_LISTING), 0);
    uint32_t generation = fake_kafka_group_generation(r.kafka, GROUP);
    assert_int_equal(
        r.port.ops->commit(r.port.ctx, r.now, GROUP, 1, generation, TOPIC_LISTING, 0, 5), 0);
    assert_int_equal(poll_from(&r, OFFSET_RESET_LATEST, FETCH_COMMITTED, 0), PORT_OK);
    assert_int_equal(r.polled.position, 5);
    assert_int_equal(r.polled.count, END - 5);

    fake_kafka_group_forget(r.kafka, GROUP);
    assert_moved(&r, OFFSET_RESET_LATEST, FETCH_COMMITTED, 0, END);
    fake_kafka_free(r.kafka);
}

/* A log that was cut and has grown again is in range; where a policy is set the reader goes back to
 * where the two part and hears nothing of it. */
static void truncation_is_silent_under_a_policy(void **state) {
    (void)state;
    struct rig r = rig_new();
    assert_int_equal(fake_kafka_truncate(r.kafka, r.now, TOPIC_LISTING, 0, 6), 0);
    append(&r, 5);
    assert_int_equal(poll_from(&r, OFFSET_RESET_NONE, 8, 1), PORT_TRUNCATED);
    assert_int_equal(r.polled.end, 6);
    assert_moved(&r, OFFSET_RESET_EARLIEST, 8, 1, 6);
    assert_moved(&r, OFFSET_RESET_LATEST, 8, 1, 6);
    fake_kafka_free(r.kafka);
}

static int refuse(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t offset,
                  struct log_record *out, size_t max, size_t *count) {
    (void)ctx;
    (void)now;
    (void)topic;
    (void)partition;
    (void)offset;
    (void)out;
    (void)max;
    *count = 0;
    return PORT_OUT_OF_RANGE;
}

/* A client believes a broker that errs; a log that cannot be reached moves nobody. */
static void errors_of_a_moment(void **state) {
    (void)state;
    struct rig r = rig_new();
    struct log_port right = r.port;
    struct log_port_ops ops = *right.ops;
    ops.fetch = refuse;
    r.port.ops = &ops;
    assert_moved(&r, OFFSET_RESET_LATEST, 5, 0, END);
    r.port = right;
    fake_kafka_set_online(r.kafka, TOPIC_LISTING, 0, false);
    assert_int_equal(poll_from(&r, OFFSET_RESET_LATEST, 0, 0), PORT_UNAVAILABLE);
    assert_false(r.polled.moved);
    assert_int_equal(poll_from(&r, OFFSET_RESET_EARLIEST, FETCH_COMMITTED, 0), PORT_UNAVAILABLE);
    assert_false(r.polled.moved);
    fake_kafka_free(r.kafka);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(within_the_log_it_reads),
        cmocka_unit_test(outside_the_policy_decides),
        cmocka_unit_test(commits_come_first),
        cmocka_unit_test(truncation_is_silent_under_a_policy),
        cmocka_unit_test(errors_of_a_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
