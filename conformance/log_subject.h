/*
 * What the conformance suite of the log port is run against: the port, and what a test must be able
 * to do to the system behind it. One subject is the fake, another is librdkafka, talking to its own
 * mock brokers over sockets of the loopback interface.
 *
 * A subject is made anew for every test. Time goes by in the fake because the suite says so, and
 * elsewhere because it does: a test may wait, and must not ask how long something took.
 */
#ifndef MURPHY_CONFORMANCE_LOG_SUBJECT_H
#define MURPHY_CONFORMANCE_LOG_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"
#include "pipeline/topics.h"
#include "sim/log_consumer.h"

/* Of every topic. */
enum { LOG_SUBJECT_PARTITIONS = 4 };
/* Of a partition about so many bytes are kept, and no more. */
enum { LOG_SUBJECT_KEPT = 5 * 1024 * 1024 };
/* A produced value may be this long, and no longer than that. */
enum { LOG_SUBJECT_VALUE_MAX = 64 * 1024 };

/* A member's share of its group. */
struct log_share {
    uint32_t partitions[LOG_SUBJECT_PARTITIONS]; /* ascending */
    size_t count;
    uint32_t generation; /* what the member passes to commit; grows with every change it sees */
};

struct log_subject_ops {
    /* The moment to hand to the port. */
    vtime (*now)(void *ctx);
    /* A member starts, restarts, or leaves in good order. Topics: bits 1 << topic_id. */
    void (*join)(void *ctx, const char *group, uint32_t member, unsigned topics);
    void (*leave)(void *ctx, const char *group, uint32_t member);
    /* The member stands still until the group has gone on without it. It may go on as a zombie. */
    void (*stall)(void *ctx, const char *group, uint32_t member);
    /* Waits until the partitions are dealt out among these members; false when they never were. */
    bool (*settle)(void *ctx, const char *group, const uint32_t *members, size_t count,
                   struct log_share *shares);
    int64_t (*committed)(void *ctx, const char *group, enum topic_id topic, uint32_t partition);
    /* A consumer of the group starts under that policy at that offset, or where the group committed
     * (FETCH_COMMITTED): 0 and where it reads from, or PORT_OUT_OF_RANGE when it is told that it
     * cannot. */
    int (*consume)(void *ctx, const char *group, enum offset_reset policy, enum topic_id topic,
                   uint32_t partition, int64_t offset, int64_t *from);
    /* The next fetch is refused as out of range, whatever is asked for. */
    void (*err_once)(void *ctx);
    /* Another broker leads the partition from now on; nothing is lost. */
    void (*change_leader)(void *ctx, enum topic_id topic, uint32_t partition);
    /* No broker can be reached, or all can. */
    void (*set_reachable)(void *ctx, bool reachable);
};

struct log_subject {
    const char *name;
    struct log_port port;
    const struct log_subject_ops *ops;
    void (*free)(void *ctx);
    void *ctx;
};

/* False when it cannot be had; then it has said why. */
bool log_subject_fake(struct log_subject *out);
bool log_subject_librdkafka(struct log_subject *out);

/* Holds subjects to the port (see conformance/suite.h). */
int log_suite_run(const char *name, bool (*make)(struct log_subject *out));

#endif
