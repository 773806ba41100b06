/*
 * The log port over librdkafka, and its own mock brokers as the subject: real client, real
 * protocol, real sockets, real time. Sources: rdkafka.h and rdkafka_mock.h of librdkafka 2.0.2.
 *
 * What of the port this client cannot say, and what is done instead:
 *   epoch       a message does not tell its leader epoch before 2.1; 0 is given
 *   generation  a consumer does not show its group's generation; the driver counts its own
 *               assignments, and each commit carries what the client itself knows
 */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-statement-expression" /* macros of rdkafka.h */
#endif

#include "conformance/log_subject.h"
#include "pipeline/effects.h"
#include "pipeline/wire.h"

enum {
    BROKERS = 3,
    MEMBERS_MAX = 16,
    PATIENCE_MS = 20000, /* for what must happen */
    REFUSAL_MS = 3000,   /* for what must not */
    POLL_INTERVAL_MS = 3000,
    SETTLED_MS = 400 /* nothing has changed for so long */
};

struct member {
    uint32_t number;
    rd_kafka_t *consumer;
    struct log_share share;
};

struct subject {
    rd_kafka_t *producer;
    rd_kafka_mock_cluster_t *cluster;
    rd_kafka_t *reader;                  /* fetches; in no group */
    struct member *members[MEMBERS_MAX]; /* callbacks know each by its address */
    size_t member_count;
    rd_kafka_message_t **held; /* what the last fetch handed out */
    size_t held_count;
};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * VTIME_SECOND + t.tv_nsec;
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "librdkafka: %s\n", error);
        return false;
    }
    return true;
}

static rd_kafka_conf_t *configure(const char *const (*settings)[2], const char *brokers) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool good = set(conf, "bootstrap.servers", brokers) && set(conf, "log_level", "0") &&
                set(conf, "reconnect.backoff.ms", "20") &&
                set(conf, "reconnect.backoff.max.ms", "100");
    for (; good && (*settings)[0] != NULL; settings++) {
        good = set(conf, (*settings)[0], (*settings)[1]);
    }
    if (!good) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

static rd_kafka_t *start(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
    char error[256];
    rd_kafka_t *rk = conf != NULL ? rd_kafka_new(type, conf, error, sizeof error) : NULL;
    if (rk == NULL && conf != NULL) {
        fprintf(stderr, "librdkafka: %s\n", error);
        rd_kafka_conf_destroy(conf);
    }
    return rk;
}

/* ---- The port ---- */

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    (void)opaque;
    struct produce_result *result = message->_private;
    result->offset = message->offset;
    if (message->err == 0) {
        result->status = ITEM_APPLIED;
    } else if (rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        result->status = ITEM_RETRYABLE;
    } else {
        result->status = ITEM_UNKNOWN;
    }
}

static int produce(void *ctx, vtime now, const struct produce_item *items, size_t count,
                   struct produce_result *results) {
    (void)now;
    struct subject *s = ctx;
    for (size_t i = 0; i < count; i++) {
        if (items[i].value.len > LOG_SUBJECT_VALUE_MAX) {
            return PORT_TOO_LARGE;
        }
    }
    for (size_t i = 0; i < count; i++) {
        char key[8];
        le64_put(key, items[i].key);
        uint32_t partition = topic_partition(items[i].key, LOG_SUBJECT_PARTITIONS);
        results[i] =
            (struct produce_result){.status = ITEM_RETRYABLE, .partition = partition, .offset = -1};
        void *value = items[i].value.len > 0 ? (void *)(uintptr_t)items[i].value.data : NULL;
        rd_kafka_resp_err_t error = rd_kafka_producev(
            s->producer, RD_KAFKA_V_TOPIC(topic_name(items[i].topic)),
            RD_KAFKA_V_PARTITION((int32_t)partition), RD_KAFKA_V_KEY(key, sizeof key),
            RD_KAFKA_V_VALUE(value, items[i].value.len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_OPAQUE(&results[i]), RD_KAFKA_V_END);
        if (error != 0) {
            fprintf(stderr, "librdkafka: produce: %s\n", rd_kafka_err2str(error));
        }
    }
    rd_kafka_resp_err_t error = rd_kafka_flush(s->producer, PATIENCE_MS);
    assert(error == 0 && "every message has its report within message.timeout.ms");
    (void)error;
    return 0;
}

static int port_error(rd_kafka_resp_err_t error) {
    switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return 0;
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return PORT_NOT_FOUND;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return PORT_OUT_OF_RANGE;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return PORT_FENCED;
    default:
        return PORT_UNAVAILABLE;
    }
}

static void release_held(struct subject *s) {
    for (size_t i = 0; i < s->held_count; i++) {
        rd_kafka_message_destroy(s->held[i]);
    }
    free(s->held);
    s->held = NULL;
    s->held_count = 0;
}

static struct log_record record_of(const rd_kafka_message_t *message) {
    rd_kafka_timestamp_type_t type;
    struct log_record record = {
        .offset = message->offset,
        .append = {rd_kafka_message_timestamp(message, &type) * VTIME_MILLISECOND},
        .value = {message->len > 0 ? message->payload : "", message->len},
    };
    if (message->key_len == 8) {
        record.key = le64_get(message->key);
    }
    return record;
}

static int bounds(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t *from,
                  int64_t *to) {
    (void)now;
    struct subject *s = ctx;
    return port_error(rd_kafka_query_watermark_offsets(s->reader, topic_name(topic),
                                                       (int32_t)partition, from, to, REFUSAL_MS));
}

/* Why a fetch got none: the client waits for a partition that is not there. */
static int no_answer(struct subject *s, enum topic_id topic, uint32_t partition) {
    int64_t from;
    int64_t to;
    int rc = bounds(s, (vtime){0}, topic, partition, &from, &to);
    return rc != 0 ? rc : PORT_UNAVAILABLE;
}

/* Reads on until there are `max`, or the end is told, or nothing has come for too long. */
static int fetch(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t offset,
                 struct log_record *out, size_t max, size_t *count) {
    (void)now;
    struct subject *s = ctx;
    release_held(s);
    *count = 0;
    s->held = calloc(max, sizeof *s->held);
    if (s->held == NULL) {
        return PORT_NO_MEMORY;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic_name(topic), (int32_t)partition)->offset = offset;
    int rc = port_error(rd_kafka_assign(s->reader, list));
    rd_kafka_topic_partition_list_destroy(list);
    int64_t deadline_ns = now_ns() + REFUSAL_MS * VTIME_MILLISECOND;
    bool ended = false;
    while (rc == 0 && !ended && *count < max) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(s->reader, 100);
        if (message == NULL || message->err == RD_KAFKA_RESP_ERR__TRANSPORT ||
            message->err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            if (message != NULL) {
                rd_kafka_message_destroy(message);
            }
            rc = now_ns() >= deadline_ns ? no_answer(s, topic, partition) : 0;
        } else if (message->err == 0) {
            s->held[s->held_count++] = message;
            out[(*count)++] = record_of(message);
        } else {
            ended = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            rc = ended ? 0 : port_error(message->err);
            rd_kafka_message_destroy(message);
        }
    }
    rd_kafka_assign(s->reader, NULL);
    return rc;
}

static struct member *member_of(struct subject *s, uint32_t number) {
    for (size_t i = 0; i < s->member_count; i++) {
        if (s->members[i]->number == number) {
            return s->members[i];
        }
    }
    return NULL;
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t error,
                         rd_kafka_topic_partition_list_t *list, void *opaque);

/* A consumer of the group that has not joined it yet. */
static struct member *member_start(struct subject *s, const char *group, uint32_t number) {
    assert(s->member_count < MEMBERS_MAX);
    struct member *member = calloc(1, sizeof *member);
    assert(member != NULL);
    member->number = number;
    s->members[s->member_count++] = member;
    char interval[16];
    snprintf(interval, sizeof interval, "%d", POLL_INTERVAL_MS);
    const char *const settings[][2] = {{"group.id", group},
                                       {"enable.auto.commit", "false"},
                                       {"enable.auto.offset.store", "false"},
                                       {"partition.assignment.strategy", "range"},
                                       {"session.timeout.ms", interval},
                                       {"max.poll.interval.ms", interval},
                                       {"heartbeat.interval.ms", "100"},
                                       {NULL, NULL}};
    rd_kafka_conf_t *conf = configure(settings, rd_kafka_mock_cluster_bootstraps(s->cluster));
    assert(conf != NULL);
    rd_kafka_conf_set_opaque(conf, member);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    member->consumer = start(RD_KAFKA_CONSUMER, conf);
    assert(member->consumer != NULL);
    rd_kafka_poll_set_consumer(member->consumer);
    return member;
}

static int commit(void *ctx, vtime now, const char *group, uint32_t number, uint32_t generation,
                  enum topic_id topic, uint32_t partition, int64_t offset) {
    (void)now;
    (void)generation; /* the client sends its own */
    struct subject *s = ctx;
    struct member *member = member_of(s, number);
    if (member == NULL) {
        member = member_start(s, group, number);
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic_name(topic), (int32_t)partition)->offset = offset;
    rd_kafka_resp_err_t error = rd_kafka_commit(member->consumer, list, 0);
    rd_kafka_topic_partition_list_destroy(list);
    return port_error(error);
}

static int64_t committed(void *ctx, const char *group, enum topic_id topic, uint32_t partition) {
    struct subject *s = ctx;
    const char *const settings[][2] = {{"group.id", group}, {NULL, NULL}};
    rd_kafka_t *onlooker =
        start(RD_KAFKA_CONSUMER, configure(settings, rd_kafka_mock_cluster_bootstraps(s->cluster)));
    assert(onlooker != NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic_name(topic), (int32_t)partition);
    rd_kafka_resp_err_t error = rd_kafka_committed(onlooker, list, PATIENCE_MS);
    int64_t offset = list->elems[0].offset;
    assert(error == 0);
    (void)error;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(onlooker);
    return offset;
}

static int port_committed(void *ctx, vtime now, const char *group, enum topic_id topic,
                          uint32_t partition, int64_t *offset) {
    (void)now;
    *offset = committed(ctx, group, topic, partition);
    return *offset < 0 ? PORT_NOT_FOUND : PORT_OK;
}

/* Of idempotent producers and of leader epochs the client library 2.0.2 tells its user nothing: it
 * numbers and repeats by itself. */
static const struct log_port_ops port_ops = {.produce = produce,
                                             .fetch = fetch,
                                             .bounds = bounds,
                                             .commit = commit,
                                             .committed = port_committed};

/* ---- What a test does to it ---- */

static void release(void *ctx) {
    struct subject *s = ctx;
    release_held(s);
    for (size_t i = 0; i < s->member_count; i++) {
        rd_kafka_destroy(s->members[i]->consumer);
        free(s->members[i]);
    }
    if (s->reader != NULL) {
        rd_kafka_destroy(s->reader);
    }
    if (s->producer != NULL) {
        rd_kafka_destroy(s->producer); /* the mock brokers are its own */
    }
    free(s);
}

static vtime now(void *ctx) {
    (void)ctx;
    return (vtime){now_ns()};
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Each partition number once, whatever number of topics it is of. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t error,
                         rd_kafka_topic_partition_list_t *list, void *opaque) {
    struct member *member = opaque;
    struct log_share *share = &member->share;
    share->count = 0;
    if (error != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        rd_kafka_assign(rk, NULL);
        return;
    }
    share->generation++;
    for (int i = 0; i < list->cnt; i++) {
        uint32_t partition = (uint32_t)list->elems[i].partition;
        bool known = false;
        for (size_t j = 0; j < share->count; j++) {
            known = known || share->partitions[j] == partition;
        }
        if (!known) {
            assert(share->count < LOG_SUBJECT_PARTITIONS);
            share->partitions[share->count++] = partition;
        }
    }
    qsort(share->partitions, share->count, sizeof *share->partitions, by_number);
    rd_kafka_assign(rk, list);
}

static void join(void *ctx, const char *group, uint32_t number, unsigned topics) {
    struct subject *s = ctx;
    struct member *member = member_start(s, group, number);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(TOPIC_COUNT);
    for (enum topic_id topic = 0; topic < TOPIC_COUNT; topic++) {
        if ((topics & 1U << topic) != 0) {
            rd_kafka_topic_partition_list_add(list, topic_name(topic), RD_KAFKA_PARTITION_UA);
        }
    }
    rd_kafka_resp_err_t error = rd_kafka_subscribe(member->consumer, list);
    assert(error == 0);
    (void)error;
    rd_kafka_topic_partition_list_destroy(list);
}

static void leave(void *ctx, const char *group, uint32_t number) {
    (void)group;
    struct subject *s = ctx;
    struct member *member = member_of(s, number);
    rd_kafka_consumer_close(member->consumer);
    rd_kafka_destroy(member->consumer);
    for (size_t i = 0; i < s->member_count; i++) {
        if (s->members[i] == member) {
            s->members[i] = s->members[--s->member_count];
        }
    }
    free(member);
}

static void poll_members(struct subject *s, const uint32_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct member *member = member_of(s, numbers[i]);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(member->consumer, 20);
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
}

static bool dealt_out(struct subject *s, const uint32_t *numbers, size_t count) {
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        size_t own = member_of(s, numbers[i])->share.count;
        if (own == 0) {
            return false;
        }
        sum += own;
    }
    return sum == LOG_SUBJECT_PARTITIONS;
}

static bool settle(void *ctx, const char *group, const uint32_t *numbers, size_t count,
                   struct log_share *shares) {
    (void)group;
    struct subject *s = ctx;
    int64_t deadline_ns = now_ns() + PATIENCE_MS * VTIME_MILLISECOND;
    int64_t since_ns = now_ns();
    while (now_ns() < deadline_ns) {
        poll_members(s, numbers, count);
        if (!dealt_out(s, numbers, count)) {
            since_ns = now_ns();
        } else if (now_ns() - since_ns > SETTLED_MS * VTIME_MILLISECOND) {
            for (size_t i = 0; i < count; i++) {
                shares[i] = member_of(s, numbers[i])->share;
            }
            return true;
        }
    }
    return false;
}

/* It does not poll for longer than max.poll.interval.ms; the others do. */
static void stall(void *ctx, const char *group, uint32_t number) {
    (void)group;
    struct subject *s = ctx;
    uint32_t others[MEMBERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < s->member_count; i++) {
        if (s->members[i]->number != number) {
            others[count++] = s->members[i]->number;
        }
    }
    int64_t end_ns = now_ns() + (POLL_INTERVAL_MS + 1500) * VTIME_MILLISECOND;
    while (now_ns() < end_ns) {
        poll_members(s, others, count);
    }
}

static const char *policy_setting(enum offset_reset policy) {
    return policy == OFFSET_RESET_NONE ? "error" : offset_reset_name(policy);
}

/* Where the first record stands that it gets, or the end that it is told. */
static int first_position(rd_kafka_t *consumer, int64_t *from) {
    int64_t deadline_ns = now_ns() + PATIENCE_MS * VTIME_MILLISECOND;
    int rc = PORT_UNAVAILABLE;
    while (rc == PORT_UNAVAILABLE && now_ns() < deadline_ns) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message == NULL) {
            continue;
        }
        bool there = message->err == 0 || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        *from = message->offset;
        rc = there ? PORT_OK : port_error(message->err);
        rd_kafka_message_destroy(message);
    }
    return rc;
}

static int consume(void *ctx, const char *group, enum offset_reset policy, enum topic_id topic,
                   uint32_t partition, int64_t offset, int64_t *from) {
    struct subject *s = ctx;
    const char *const settings[][2] = {{"group.id", group},
                                       {"enable.auto.commit", "false"},
                                       {"enable.auto.offset.store", "false"},
                                       {"enable.partition.eof", "true"},
                                       {"auto.offset.reset", policy_setting(policy)},
                                       {"fetch.wait.max.ms", "20"},
                                       {NULL, NULL}};
    rd_kafka_t *consumer =
        start(RD_KAFKA_CONSUMER, configure(settings, rd_kafka_mock_cluster_bootstraps(s->cluster)));
    assert(consumer != NULL);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic_name(topic), (int32_t)partition)->offset =
        offset == FETCH_COMMITTED ? RD_KAFKA_OFFSET_STORED : offset;
    int rc = port_error(rd_kafka_assign(consumer, list));
    rd_kafka_topic_partition_list_destroy(list);
    rc = rc == PORT_OK ? first_position(consumer, from) : rc;
    rd_kafka_destroy(consumer);
    return rc;
}

static void err_once(void *ctx) {
    enum { FETCH_REQUEST = 1 }; /* its ApiKey */
    struct subject *s = ctx;
    rd_kafka_mock_push_request_errors(s->cluster, FETCH_REQUEST, 1,
                                      RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
}

static void change_leader(void *ctx, enum topic_id topic, uint32_t partition) {
    struct subject *s = ctx;
    for (int32_t broker = 1; broker <= BROKERS; broker++) {
        rd_kafka_mock_partition_set_leader(s->cluster, topic_name(topic), (int32_t)partition,
                                           broker);
    }
}

static void set_reachable(void *ctx, bool reachable) {
    struct subject *s = ctx;
    for (int32_t broker = 1; broker <= BROKERS; broker++) {
        if (reachable) {
            rd_kafka_mock_broker_set_up(s->cluster, broker);
        } else {
            rd_kafka_mock_broker_set_down(s->cluster, broker);
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

bool log_subject_librdkafka(struct log_subject *out) {
    struct subject *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    char brokers[16];
    snprintf(brokers, sizeof brokers, "%d", BROKERS);
    const char *const producing[][2] = {{"test.mock.num.brokers", brokers},
                                        {"enable.idempotence", "true"},
                                        {"linger.ms", "0"},
                                        {"message.timeout.ms", "3000"},
                                        {NULL, NULL}};
    rd_kafka_conf_t *conf = configure(producing, "");
    if (conf != NULL) {
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    }
    s->producer = start(RD_KAFKA_PRODUCER, conf);
    s->cluster = s->producer != NULL ? rd_kafka_handle_mock_cluster(s->producer) : NULL;
    if (s->cluster == NULL) {
        release(s);
        return false;
    }
    for (enum topic_id topic = 0; topic < TOPIC_COUNT; topic++) {
        rd_kafka_mock_topic_create(s->cluster, topic_name(topic), LOG_SUBJECT_PARTITIONS, BROKERS);
    }
    const char *const reading[][2] = {{"group.id", "of nobody"},
                                      {"enable.auto.commit", "false"},
                                      {"enable.auto.offset.store", "false"},
                                      {"enable.partition.eof", "true"},
                                      {"auto.offset.reset", "error"},
                                      {"fetch.wait.max.ms", "20"},
                                      {NULL, NULL}};
    s->reader =
        start(RD_KAFKA_CONSUMER, configure(reading, rd_kafka_mock_cluster_bootstraps(s->cluster)));
    if (s->reader == NULL) {
        release(s);
        return false;
    }
    rd_kafka_poll_set_consumer(s->reader);
    *out = (struct log_subject){"librdkafka", {&port_ops, s}, &ops, release, s};
    return true;
}
