/*
 * The topics of the pipeline and what each is keyed by. Order of the enum is the order in which a
 * consumer of several topics is shown them. All topics but `policy` and
 * `privacy` are partitioned by listing id
 * with the same partition count, so partition p of one meets partition p of the other (B11).
 */
#ifndef MURPHY_PIPELINE_TOPICS_H
#define MURPHY_PIPELINE_TOPICS_H

#include <stdint.h>

enum topic_id {
    /* The feeds: what the world tells the pipeline. */
    TOPIC_LISTING,   /* listing changes, from the outbox; key: listing id */
    TOPIC_MEDIA,     /* media ingest; key: listing id */
    TOPIC_POLICY,    /* seller policy; key: seller id; every router reads all partitions */
    TOPIC_ORDER,     /* orders; key: listing id */
    TOPIC_PRIVACY,   /* erasures asked for; key: listing or seller id; read as policy is */
    TOPIC_REFERENCE, /* rows of the reference tables; key: reference_key; read as policy is */
    TOPIC_FEED_COUNT,
    /* What the pipeline keeps for itself. */
    TOPIC_LISTING_LOG = TOPIC_FEED_COUNT, /* the one ordered log per listing; key: listing id */
    TOPIC_LATE,                           /* older than the allowed lateness; key: listing id */
    TOPIC_DEAD_LETTER, /* records that the pipeline refused; key: dead_letter_key; compacted */
    TOPIC_CONTROL,     /* operators' commands, what controllers announce; key: CONTROL_KEY */
    TOPIC_ERASED,      /* register of erased listings, from routers to the eraser; key: id of the
                          request's listing or seller, so that a router's entries keep their order */
    TOPIC_CERTIFICATE, /* what was erased, and where it was looked for; key: likewise */
    TOPIC_QUARANTINE,  /* deletes held back, and those discarded since; key: listing id */
    TOPIC_AUDIT,       /* which model version makes which vectors; key: listing id */
    TOPIC_COUNT
};

/* Key of every control record: all stand in one partition, in order. */
#define CONTROL_KEY 0

/* Stable name for people and for stores, e.g. "listing-changes". */
const char *topic_name(enum topic_id topic);

/* The partition of a key among n: a hash, so neighbouring ids spread. n > 0. */
uint32_t topic_partition(uint64_t key, uint32_t n);

#endif
