/*
 * A Kafka in memory: topics with keyed partitions, retention, leader changes, consumer groups.
 * It implements struct log_port; faults wrap that port or call the functions below.
 *
 * Fidelity
 *
 *   modelled
 *     keyed partitions          topic_partition(key, n), the same for every producer
 *     offsets                   dense, or with holes (fake_kafka_skip), as control records leave
 *     append time               message.timestamp.type=LogAppendTime: the broker's clock
 *     leader epochs             in every record; each leader change raises the partition's epoch
 *     unclean leader election   unclean.leader.election.enable=true: truncation, offsets reused
 *     retention                 retention.ms, retention.bytes; whole segments, rolled by
 *                               segment.bytes and segment.ms; DeleteRecords
 *     offset out of range       below the start or above the end; what then (auto.offset.reset)
 *                               is up to the consumer's client, as in Kafka (log_consumer.h)
 *     outcome per record        an offline partition refuses its records, others go in
 *     record size limit         max.message.bytes
 *     group generations         a commit of another generation or of a non-member is fenced
 *                               (ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID) and moves nothing
 *     session.timeout.ms        a silent member is evicted at the deadline, not before
 *     rebalances                eager and cooperative (KIP-429), by options.protocol: members are
 *                               told what they lose, join again, and hold the group up until they
 *                               do or are evicted
 *     max.poll.interval.ms      a member that lives and does not poll leaves at the deadline
 *     idempotent producers      marks of producer, epoch and sequence; a repeat is acknowledged and
 *                               not appended, an older epoch is fenced; known from the records that
 *                               are left after a truncation, forgotten by forget_producers
 *     truncation detection      OffsetForLeaderEpoch (KIP-320): epoch_end
 *     lost commits              fake_kafka_group_forget
 *     zombies                   an evicted member can still fetch and produce; it learns of its
 *                               eviction when it next speaks or commits
 *     committed offsets         may go back, may lie outside the log, outlive members and
 *                               truncation; the committer need not own the partition
 *     compaction                of a compacted topic: a tombstone (a record without a value) takes
 *                               the records of its key that stand before it, some time later;
 *                               offsets stay
 *   approximated
 *     when compaction runs      a key's former values go only once it gets a tombstone; tombstones
 *                               stay for the retention; no segment has to be closed for it
 *     FAKE_KAFKA_INSTANT        a rebalance happens at one moment, which no Kafka does: for tests
 *                               of something else; scenarios are cooperative unless told
 *     generations               the round in which partitions are given up has one of its own
 *     sequence numbers          rise with holes: one count for all partitions of a producer, so a
 *                               gap tells nothing (OUT_OF_ORDER_SEQUENCE_NUMBER is not modelled)
 *     a member that joins again dynamic membership, but it keeps its number: one rebalance, as
 *                               after a restart; its former self is fenced by the generation
 *     heartbeats                implied while a member is not declared silent
 *     append time monotony      per partition, also across leader changes
 *     record sizes              value bytes only, no headers, no compression
 *     high watermark            acks=all with instant replicas: appended is visible at once
 *   not modelled
 *     transactions, static membership, offsets.retention.minutes by the clock,
 *     group.initial.rebalance.delay.ms, quotas, fetch sizes in bytes, time lookup (ListOffsets)
 *
 * Invariants (fake_kafka_check asserts them):
 *  1. start <= end; the records of a partition have ascending offsets below end;
 *  2. append times and epochs never fall with the offset;
 *  3. start never falls; end falls in fake_kafka_truncate only;
 *  4. while a group has members and waits for none of them, each partition number has exactly one
 *     of them as its owner; at any time at most one;
 *  5. the generation of a group grows with every change of its membership.
 *
 * Memory: the value of a record is copied once into its segment and stays at its address until
 * the segment expires or the record is truncated or compacted away; nothing is allocated per
 * record. Released bytes are overwritten first, so a reader that holds on to them is found out.
 */
#ifndef MURPHY_SIM_FAKE_KAFKA_H
#define MURPHY_SIM_FAKE_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"
#include "pipeline/topics.h"
#include "pipeline/vtime.h"

#define FAKE_KAFKA_PARTITIONS_DEFAULT 8
#define FAKE_KAFKA_RETENTION_NS_DEFAULT (14 * VTIME_DAY)
#define FAKE_KAFKA_SEGMENT_BYTES_DEFAULT (256 * 1024)
#define FAKE_KAFKA_SEGMENT_NS_DEFAULT (7 * VTIME_DAY)
#define FAKE_KAFKA_COMPACTION_NS_DEFAULT (10 * VTIME_MINUTE)
#define FAKE_KAFKA_RECORD_BYTES_DEFAULT (RECORD_BYTES_MAX + 4096)
#define FAKE_KAFKA_SESSION_NS_DEFAULT (45 * VTIME_SECOND)
#define FAKE_KAFKA_POLL_NS_DEFAULT (5 * VTIME_MINUTE)
#define FAKE_KAFKA_NOBODY UINT32_MAX
#define FAKE_KAFKA_NO_OFFSET INT64_C(-1)
/* So far back a broker finds the record that a retry repeats; before that it only knows that it is
 * one. */
#define FAKE_KAFKA_REPEAT_RECORDS 2048

struct fake_kafka;

/* How partitions are dealt to members; both depend on member numbers alone, not on order. */
enum fake_kafka_assignor {
    FAKE_KAFKA_RANGE, /* contiguous runs in order of member number (RangeAssignor) */
    FAKE_KAFKA_STICKY /* balanced, and as few partitions move as balance allows (KIP-54) */
};

/* How members come from one generation to the next. */
enum fake_kafka_protocol {
    /* Everybody has the new assignment at once: no member need be waited for. */
    FAKE_KAFKA_INSTANT,
    /* Everybody gives up everything and joins again; when all have, the partitions are dealt anew.
     * A member that cannot answer holds up the group until it is evicted. */
    FAKE_KAFKA_EAGER,
    /* Everybody keeps what stays his; what moves is given up first and dealt in a second round,
     * when those who had it have joined again (KIP-429). The assignor is the sticky one. */
    FAKE_KAFKA_COOPERATIVE,
    FAKE_KAFKA_PROTOCOL_COUNT
};
const char *fake_kafka_protocol_name(enum fake_kafka_protocol protocol);

/* Zero means default. */
struct fake_kafka_topic_options {
    uint32_t partitions;
    int64_t retention_ns;    /* retention.ms; negative: for ever */
    int64_t retention_bytes; /* retention.bytes per partition; default and negative: no limit */
    bool compacted;          /* cleanup.policy=compact,delete */
};
struct fake_kafka_options {
    struct fake_kafka_topic_options topics[TOPIC_COUNT];
    size_t segment_bytes;       /* segment.bytes */
    int64_t segment_ns;         /* segment.ms: a segment is closed at this age */
    int64_t compaction_lag_ns;  /* age at which a tombstone takes effect; default 10 min */
    size_t record_bytes_max;    /* max.message.bytes */
    int64_t session_timeout_ns; /* session.timeout.ms */
    int64_t poll_timeout_ns;    /* max.poll.interval.ms */
    enum fake_kafka_protocol protocol;
    enum fake_kafka_assignor assignor;
};

/*
 * Who is told what becomes of records, at the moment it happens. Either function may be NULL. The
 * record is good for the call; the functions may read the fake and must not change it.
 */
struct fake_kafka_observer {
    void (*appended)(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                     const struct log_record *record);
    /* Lost to a leader change; called before it goes, lowest offset first. */
    void (*truncated)(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                      const struct log_record *record);
    /* A record that an idempotent producer sent again was not appended; `offset` is that of the
     * one that it repeats, or NO_OFFSET. */
    void (*repeated)(void *ctx, vtime now, const struct produce_item *item, uint32_t partition,
                     int64_t offset);
    /* The partition has another leader, clean or not. */
    void (*led)(void *ctx, vtime now, enum topic_id topic, uint32_t partition);
    void *ctx;
};

/* NULL options: all defaults. NULL when memory is out. */
struct fake_kafka *fake_kafka_new(const struct fake_kafka_options *options);
void fake_kafka_free(struct fake_kafka *k); /* NULL is fine */

/*
 * The log as the pipeline sees it; errors beyond those of ports.h:
 *  produce  PORT_TOO_LARGE with nothing done when any item is above record_bytes_max. Items of an
 *           offline partition are RETRYABLE, all others APPLIED. PORT_NO_MEMORY: every status is
 *           filled, the items that did not go in are RETRYABLE.
 *  fetch, bounds  PORT_NOT_FOUND (no such partition), PORT_UNAVAILABLE (offline). A fetch within a
 *           hole of offsets starts at the next record; 0 records when there is none yet.
 *  commit   PORT_FENCED, PORT_NOT_FOUND (no such partition).
 *  epoch_end  as fetch.
 */
struct log_port fake_kafka_port(struct fake_kafka *k);

void fake_kafka_observe(struct fake_kafka *k, struct fake_kafka_observer observer);

/* ---- Records, for the host, the oracle and faults ---- */

struct fake_kafka_partition {
    int64_t start; /* first offset still kept (log start offset) */
    int64_t end;   /* offset of the next append (log end offset) */
    uint32_t epoch;
    bool online;
    uint64_t bytes; /* kept, records below `start` in a kept segment included */
    size_t segments;
};

uint32_t fake_kafka_partitions(const struct fake_kafka *k, enum topic_id topic);
/* The partition must exist. */
struct fake_kafka_partition fake_kafka_partition(const struct fake_kafka *k, enum topic_id topic,
                                                 uint32_t partition);
/* The record at this very offset, or NULL; good until the next call that changes the log. Reads
 * offline partitions too. */
const struct log_record *fake_kafka_record(const struct fake_kafka *k, enum topic_id topic,
                                           uint32_t partition, int64_t offset);
/* Records appended since the beginning, lost and expired ones included. */
uint64_t fake_kafka_appended(const struct fake_kafka *k);

/* Applies retention to every partition; an append applies it to its own. */
void fake_kafka_expire(struct fake_kafka *k, vtime now);
/* Takes away what tombstones of compacted topics cover; requests to a topic do so too. */
void fake_kafka_compact(struct fake_kafka *k, vtime now);
/* DeleteRecords (KIP-107): nothing below `before` is kept. PORT_OUT_OF_RANGE above the end. */
int fake_kafka_delete_records(struct fake_kafka *k, enum topic_id topic, uint32_t partition,
                              int64_t before);
/*
 * Leader change: the new leader has nothing at or above `offset`, so those records are lost and
 * their offsets are given out once more under the next epoch. offset == end: a clean change.
 * PORT_OUT_OF_RANGE outside start..end. A partition lives through 65,535 changes at most, which is
 * what a doc_version can hold.
 */
int fake_kafka_truncate(struct fake_kafka *k, vtime now, enum topic_id topic, uint32_t partition,
                        int64_t offset);
/* A partition without a leader takes no request. Partitions start online. */
void fake_kafka_set_online(struct fake_kafka *k, enum topic_id topic, uint32_t partition,
                           bool online);
/* Where the records of that leader end for the present one: OffsetForLeaderEpoch. */
int64_t fake_kafka_epoch_end(const struct fake_kafka *k, enum topic_id topic, uint32_t partition,
                             uint32_t epoch);
/* The partition loses what it knows of idempotent producers (producer.id.expiration.ms): whatever
 * they send next is taken in, retries too. How many it knew. */
size_t fake_kafka_forget_producers(struct fake_kafka *k, enum topic_id topic, uint32_t partition);
/* Uses up `count` offsets without a record, as transaction markers do. */
void fake_kafka_skip(struct fake_kafka *k, enum topic_id topic, uint32_t partition, int64_t count);

/* ---- Consumer groups ----
 *
 *              join, leave, verdict of check: generation + 1
 *   +--------+ ------------------------------------------------> every member has a change
 *   | member |                                                   pending (next_change)
 *   +--------+ --silence--> +--------+ --check at the deadline--> evicted (a zombie, maybe)
 *        ^                  | silent |
 *        +------speak-------+--------+   a commit puts the deadline off
 *
 * A group reads topics with the same partition count; what is assigned is partition number p of all
 * of them. Group names are copied. Every group call first carries out the verdicts that are due by
 * `now`. After a call that can change a group, poll next_change.
 */

/*
 * Makes `member` a member, known or not, and rebalances. `topics` is a set of bits 1 << topic_id,
 * the same for all members of a group at a time. 0 or PORT_NO_MEMORY (nothing done).
 */
int fake_kafka_group_join(struct fake_kafka *k, vtime now, const char *group, uint32_t member,
                          unsigned topics);
/* Leaves in good order: rebalances at once. A non-member is no error. */
void fake_kafka_group_leave(struct fake_kafka *k, vtime now, const char *group, uint32_t member);
/*
 * The member crashed, hangs or is cut off: its heartbeats end. Returns the moment of the verdict,
 * now + session timeout, when the host calls fake_kafka_group_check; of a silent member the moment
 * already set; of a non-member VTIME_NEVER.
 */
vtime fake_kafka_group_silence(struct fake_kafka *k, vtime now, const char *group, uint32_t member);
/*
 * The member's process lives and does not poll: it is stuck in its work. Its heartbeats go on; its
 * client leaves the group when max.poll.interval.ms is over. Returns that moment, as silence does.
 */
vtime fake_kafka_group_stall(struct fake_kafka *k, vtime now, const char *group, uint32_t member);
/* The member gave up what its last change took away and asks to be in the next generation. Of a
 * non-member, or when nobody is waited for, of no effect. */
void fake_kafka_group_rejoin(struct fake_kafka *k, vtime now, const char *group, uint32_t member);
/* A heartbeat, or a poll: ends the silence. PORT_FENCED when it is no member any more: it must join
 * again. */
int fake_kafka_group_speak(struct fake_kafka *k, vtime now, const char *group, uint32_t member);
/* Evicts every member of every group whose deadline is at or before now. Returns the earliest
 * deadline still open, or VTIME_NEVER: the host schedules the next check there. */
vtime fake_kafka_group_check(struct fake_kafka *k, vtime now);

/* What a member is to learn: from this generation on it owns these, and no others. */
struct fake_kafka_change {
    const char *group;
    uint32_t member;
    uint32_t generation;
    const uint32_t *partitions; /* ascending; good until the next group call */
    size_t count;
    bool rejoin; /* it is waited for: fake_kafka_group_rejoin once it has given up the rest */
};
/*
 * The next undelivered change, groups in order of creation, members in order of number; false when
 * there is none. Of several changes a member gets only the latest. A silent member gets its change
 * once it speaks; one that left or was evicted gets none.
 */
bool fake_kafka_group_next_change(struct fake_kafka *k, struct fake_kafka_change *out);

/* The committed offsets of a group are gone (offsets.retention.minutes, a lost offsets topic). How
 * many there were. */
size_t fake_kafka_group_forget(struct fake_kafka *k, const char *group);

/* 0 and no members for a group that nobody joined. */
uint32_t fake_kafka_group_generation(const struct fake_kafka *k, const char *group);
size_t fake_kafka_group_members(const struct fake_kafka *k, const char *group);
/* The member that owns partition number p at present, or FAKE_KAFKA_NOBODY. */
uint32_t fake_kafka_group_owner(const struct fake_kafka *k, const char *group, uint32_t partition);
/* Last committed offset, or FAKE_KAFKA_NO_OFFSET. */
int64_t fake_kafka_group_committed(const struct fake_kafka *k, const char *group,
                                   enum topic_id topic, uint32_t partition);
/* end - committed, of a group that committed nothing end - start; never below 0. */
int64_t fake_kafka_group_lag(const struct fake_kafka *k, const char *group, enum topic_id topic,
                             uint32_t partition);

/* Asserts the invariants; walks every record. */
void fake_kafka_check(const struct fake_kafka *k);

#endif
