/* The fake Kafka as a subject: its time is the suite's. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/log_subject.h"
#include "sim/fake_kafka.h"

struct subject {
    struct fake_kafka *kafka;
    vtime now;
};

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
    .change_leader = change_leader,
    .set_reachable = set_reachable,
};

bool log_subject_fake(struct log_subject *out) {
    struct fake_kafka_options options = {.record_bytes_max = LOG_SUBJECT_VALUE_MAX};
    for (enum topic_id topic = 0; topic < TOPIC_COUNT; topic++) {
        options.topics[topic].partitions = LOG_SUBJECT_PARTITIONS;
    }
    struct subject *s = calloc(1, sizeof *s);
    struct fake_kafka *kafka = fake_kafka_new(&options);
    if (s == NULL || kafka == NULL) {
        fake_kafka_free(kafka);
        free(s);
        return false;
    }
    *s = (struct subject){kafka, {INT64_C(1700000000000000000)}};
    *out = (struct log_subject){"the fake", fake_kafka_port(kafka), &ops, release, s};
    return true;
}
