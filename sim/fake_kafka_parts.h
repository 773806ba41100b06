/*
 * The inside of the fake Kafka, shared by its parts: fake_kafka_log.c (topics, partitions,
 * segments), fake_kafka_producers.c (idempotent producers) and fake_kafka_group.c (consumer
 * groups). Nobody else includes this.
 */
#ifndef MURPHY_SIM_FAKE_KAFKA_PARTS_H
#define MURPHY_SIM_FAKE_KAFKA_PARTS_H

#include "sim/fake_kafka.h"

/* A run of records: their index, and one block with their values end to end, with gaps where
 * compaction took some out. */
struct kafka_segment {
    int64_t base; /* end of the log when the segment was opened: no record is below it */
    vtime first_append;
    vtime last_append;
    struct log_record *records; /* count of them, ascending offsets, dense unless skipped */
    size_t count;
    size_t capacity;
    char *block;
    size_t block_used;
    size_t block_size;
};

struct kafka_partition {
    struct kafka_segment *segments; /* oldest first; the last one is appended to; none is empty */
    size_t segment_count;
    size_t segment_capacity;
    int64_t start;
    int64_t end;
    vtime last_append;
    uint32_t epoch;
    bool offline;
    struct kafka_epoch *epochs; /* that began with a record of theirs or have none yet, ascending */
    size_t epoch_count, epoch_capacity;
    struct kafka_producer *producers; /* in the order in which they were first seen */
    size_t producer_count, producer_capacity;
    uint64_t bytes;                     /* sum of block_used */
    struct kafka_tombstone *tombstones; /* that compaction has not come to, oldest first */
    size_t tombstone_count, tombstone_capacity;
};

struct kafka_epoch {
    uint32_t epoch;
    int64_t start; /* the end of the log when its leader took over */
};

/* What a partition knows of an idempotent producer. */
struct kafka_producer {
    uint64_t producer;
    uint32_t epoch;
    uint32_t sequence; /* of the last record taken in */
    int64_t offset;    /* of that record */
};

/* A record without a value, in a topic that is compacted. */
struct kafka_tombstone {
    uint64_t key;
    int64_t offset;
    vtime append;
};

struct kafka_topic {
    struct kafka_partition *partitions;
    uint32_t partition_count;
    int64_t retention_ns;    /* negative: for ever */
    int64_t retention_bytes; /* negative: no limit */
    bool compacted;
};

struct kafka_member {
    uint32_t id;
    bool change_pending;
    bool waited_for; /* it has to join again before the group can go on */
    vtime deadline;  /* VTIME_NEVER unless silent or stuck */
};

struct kafka_group {
    char *name;
    unsigned topics;
    uint32_t generation;
    struct kafka_member *members; /* by id */
    size_t member_count;
    size_t member_capacity;
    uint32_t partition_count; /* of each topic read; 0 before the first join */
    uint32_t *owners;         /* member id by partition number, or FAKE_KAFKA_NOBODY */
    uint32_t *targets;        /* likewise, when those who are waited for have joined again */
    uint32_t *holders;        /* cooperative: likewise, who has it until it joins again without */
    bool preparing;           /* somebody is waited for */
    uint32_t *assigned;       /* room for the partitions of one change */
    int64_t *committed[TOPIC_COUNT];
};

struct fake_kafka {
    struct kafka_topic topics[TOPIC_COUNT];
    size_t segment_bytes;
    int64_t segment_ns;
    int64_t compaction_lag_ns;
    size_t record_bytes_max;
    int64_t session_timeout_ns;
    int64_t poll_timeout_ns;
    enum fake_kafka_protocol protocol;
    enum fake_kafka_assignor assignor;
    struct fake_kafka_observer observer;
    bool telling; /* an observer is being called: nothing may change */
    uint64_t appended;
    struct kafka_group *groups; /* in order of creation */
    size_t group_count;
    size_t group_capacity;
};

/* True when the record is to be appended; otherwise its result is filled. */
bool fake_kafka_producer_admits(const struct kafka_partition *p, const struct producer_mark *mark,
                                struct produce_result *result);
/* The record was appended. 0 or PORT_NO_MEMORY. */
int fake_kafka_producer_learn(struct kafka_partition *p, const struct log_record *r);
/* After a truncation the partition knows what the records that are left tell. */
void fake_kafka_producers_rewind(struct kafka_partition *p);

int fake_kafka_committed(void *ctx, vtime now, const char *group, enum topic_id topic,
                         uint32_t partition, int64_t *offset);
int fake_kafka_commit(void *ctx, vtime now, const char *group, uint32_t member, uint32_t generation,
                      enum topic_id topic, uint32_t partition, int64_t offset);
void fake_kafka_groups_release(struct fake_kafka *k);
void fake_kafka_groups_check(const struct fake_kafka *k);

#endif
