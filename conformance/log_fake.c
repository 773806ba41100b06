/* The fake Kafka as a subject: its time is the suite's. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/log_subject.h"
#include "sim/fake_kafka.h"

struct subject {
    struct fake_kafka *kafka;
    struct log_port log; /* its own */
    bool errs;           /* at the next fetch */
    vtime now;
};

/* ---- The port, which can be made to err ---- */

static int fetch(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t offset,
                 struct log_record *out, size_t max, size_t *count) {
    struct subject *s = ctx;
    bool errs = s->errs;
    s->errs = false;
    *count = 0;
    return errs ? PORT_OUT_OF_RANGE
                : s->log.ops->fetch(s->log.ctx, now, topic, partition, offset, out, max, count);
}

static int produce(void *ctx, vtime now, const struct produce_item *items, size_t count,
                   struct produce_result *results) {
    struct subject *s = ctx;
    return s->log.ops->produce(s->log.ctx, now, items, count, results);
}

static int bounds(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t *start,
                  int64_t *end) {
    struct subject *s = ctx;
    return s->log.ops->bounds(s->log.ctx, now, topic, partition, start, end);
}

static int commit(void *ctx, vtime now, const char *group, uint32_t member, uint32_t generation,
                  enum topic_id topic, uint32_t partition, int64_t offset) {
    struct subject *s = ctx;
    return s->log.ops->commit(s->log.ctx, now, group, member, generation, topic, partition, offset);
}

static int port_committed(void *ctx, vtime now, const char *group, enum topic_id topic,
                          uint32_t partition, int64_t *offset) {
    struct subject *s = ctx;
    return s->log.ops->committed(s->log.ctx, now, group, topic, partition, offset);
}

static const struct log_port_ops port_ops = {.produce = produce,
                                             .fetch = fetch,
                                             .bounds = bounds,
                                             .commit = commit,
                                             .committed = port_committed};

/* ---- What a test does to it ---- */

static void release(void *ctx) {
    struct subject *s = ctx;
    fake_kafka_free(s->kafka);
    free(s);
}

static vtime now(void *ctx) {
    struct subject *s = ctx;
    s->now.ns += VTIME_MILLISECOND;
    return s->now;
}

static void join(void *ctx, const char *group, uint32_t member, unsigned topics) {
    struct subject *s = ctx;
    int rc = fake_kafka_group_join(s->kafka, now(s), group, member, topics);
    assert(rc == 0);
    (void)rc;
}

static void leave(void *ctx, const char *group, uint32_t member) {
    struct subject *s = ctx;
    fake_kafka_group_leave(s->kafka, now(s), group, member);
}

static void stall(void *ctx, const char *group, uint32_t member) {
    struct subject *s = ctx;
    s->now = fake_kafka_group_silence(s->kafka, now(s), group, member);
    (void)fake_kafka_group_check(s->kafka, s->now);
}

static bool settle(void *ctx, const char *group, const uint32_t *members, size_t count,
                   struct log_share *shares) {
    struct subject *s = ctx;
    for (size_t i = 0; i < count; i++) {
        shares[i] = (struct log_share){.generation = fake_kafka_group_generation(s->kafka, group)};
        for (uint32_t p = 0; p < LOG_SUBJECT_PARTITIONS; p++) {
            if (fake_kafka_group_owner(s->kafka, group, p) == members[i]) {
                shares[i].partitions[shares[i].count++] = p;
            }
        }
    }
    return true;
}

static int64_t committed(void *ctx, const char *group, enum topic_id topic, uint32_t partition) {
    struct subject *s = ctx;
    return fake_kafka_group_committed(s->kafka, group, topic, partition);
}

/* A client goes on where the policy put it. */
static int consume(void *ctx, const char *group, enum offset_reset policy, enum topic_id topic,
                   uint32_t partition, int64_t offset, int64_t *from) {
    struct subject *s = ctx;
    struct log_port port = {&port_ops, s};
    struct log_poll poll = {.group = group,
                            .policy = policy,
                            .topic = topic,
                            .partition = partition,
                            .offset = offset,
                            .max = 1};
    struct log_record record;
    struct log_polled polled;
    int error = log_consumer_poll(&port, now(s), &poll, &record, &polled);
    if (error == PORT_OK && polled.moved) {
        poll.offset = polled.position;
        error = log_consumer_poll(&port, now(s), &poll, &record, &polled);
        assert(!polled.moved);
    }
    *from = polled.count > 0 ? record.offset : polled.position;
    return error;
}

static void err_once(void *ctx) {
    struct subject *s = ctx;
    s->errs = true;
}

static void change_leader(void *ctx, enum topic_id topic, uint32_t partition) {
    struct subject *s = ctx;
    int64_t end = fake_kafka_partition(s->kafka, topic, partition).end;
    int rc = fake_kafka_truncate(s->kafka, now(s), topic, partition, end);
    assert(rc == 0);
    (void)rc;
}

static void set_reachable(void *ctx, bool reachable) {
    struct subject *s = ctx;
    for (enum topic_id topic = 0; topic < TOPIC_COUNT; topic++) {
        for (uint32_t p = 0; p < LOG_SUBJECT_PARTITIONS; p++) {
            fake_kafka_set_online(s->kafka, topic, p, reachable);
        }
    }
}

static const struct log_subject_ops ops = {
    .now = now,
    .join = join,
    .leave = leave,
    .stall = stall,
    .settle = settle,
    .committed = committed,
    .consume = consume,
    .err_once = err_once,
    .change_leader = change_leader,
    .set_reachable = set_reachable,
};

bool log_subject_fake(struct log_subject *out) {
    struct fake_kafka_options options = {.record_bytes_max = LOG_SUBJECT_VALUE_MAX};
    for (enum topic_id topic = 0; topic < TOPIC_COUNT; topic++) {
        options.topics[topic].partitions = LOG_SUBJECT_PARTITIONS;
        options.topics[topic].retention_bytes = LOG_SUBJECT_KEPT;
    }
    struct subject *s = calloc(1, sizeof *s);
    struct fake_kafka *kafka = fake_kafka_new(&options);
    if (s == NULL || kafka == NULL) {
        fake_kafka_free(kafka);
        free(s);
        return false;
    }
    *s = (struct subject){
        .kafka = kafka, .log = fake_kafka_port(kafka), .now = {INT64_C(1700000000000000000)}};
    *out = (struct log_subject){"the fake", {&port_ops, s}, &ops, release, s};
    return true;
}
