/*
 * What all machines are made of: the common head, requests under way, backoff, and the sources
 * that a partition's task reads. Private to the machines.
 */
#ifndef MURPHY_PIPELINE_MACHINE_PARTS_H
#define MURPHY_PIPELINE_MACHINE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/dead_letter.h"
#include "pipeline/effects.h"
#include "pipeline/machine.h"

/* Head of every machine; the concrete one begins with it. */
struct machine {
    enum machine_kind kind;
    uint32_t member;
    const struct pipeline_config *config; /* complete: every default filled */
    const struct bugs *bugs;
    uint64_t request_last;
    uint64_t counters[MACHINE_COUNTER_COUNT];
    uint64_t gauges[MACHINE_GAUGE_COUNT];
    int (*step)(struct machine *machine, const struct event *event, struct effects *effects);
    void (*free)(struct machine *machine);
    struct pipeline_config config_storage;
};

#define MACHINE_NEW(identifier, name, tenure) struct machine *name##_new(void);
MACHINES(MACHINE_NEW)
#undef MACHINE_NEW

static inline void machine_count(struct machine *machine, enum machine_counter counter,
                                 uint64_t n) {
    machine->counters[counter] += n;
}

/* The format that it writes: the one that is finalised, as far as its code knows it. */
uint8_t machine_format(const struct machine *machine);

/* So much waits in one partition now. */
static inline void machine_gauge(struct machine *machine, enum machine_gauge gauge,
                                 uint64_t waiting) {
    if (waiting > machine->gauges[gauge]) {
        machine->gauges[gauge] = waiting;
    }
}

/* A request effect with a number of its own, or NULL when out of memory. */
static inline struct effect *machine_request(struct machine *machine, struct effects *effects,
                                             enum effect_kind kind, size_t size_hint) {
    return effects_add(effects, kind, ++machine->request_last, size_hint);
}

/* Asks for EVENT_TIMER with that id at that moment. */
void machine_timer(struct effects *effects, uint64_t id, vtime at);

/*
 * Asks for the request that the event answers to be sent again after `failures` failures in a row:
 * exponential backoff with jitter of a half, drawn from a hash of who asks and how often, since the
 * core has no random numbers (A14).
 */
void machine_resend(struct machine *machine, struct effects *effects, const struct event *event,
                    uint32_t failures);

/* True when some item of a produce was not appended for sure. */
bool produce_incomplete(const struct effect *produce);

/* True when a later epoch of the producer has begun: whoever sent this is a zombie. */
bool produce_fenced(const struct effect *produce);

/* ---- Requests under way ---- */

/* The requests that a machine still expects answers to, so that an answer to a request of a former
 * assignment is recognised and dropped. */
struct pending_request {
    uint64_t request;
    uint32_t partition; /* the task that asked */
    uint32_t purpose;   /* the machine's own meaning */
    uint32_t failures;  /* answers in a row that made it be sent again */
};
struct pending_requests {
    struct pending_request *items;
    size_t count, capacity;
};
void pending_release(struct pending_requests *pending);
/* 0 or -ENOMEM. */
int pending_add(struct pending_requests *pending, uint64_t request, uint32_t partition,
                uint32_t purpose);
/* NULL when the request is not expected. Good until the next change. */
struct pending_request *pending_find(struct pending_requests *pending, uint64_t request);
void pending_remove(struct pending_requests *pending, uint64_t request);
/* Drops all of a partition: their answers will not be expected any more. */
void pending_drop_partition(struct pending_requests *pending, uint32_t partition);

/* ---- Sources ---- */

/* One topic partition that a task reads. */
struct source {
    enum topic_id topic;
    uint32_t partition;
    int64_t next;         /* offset to fetch next */
    int64_t safe;         /* everything below is dealt with: what a checkpoint may say */
    uint32_t waiting;     /* outputs of the fetched records that are not acknowledged yet */
    bool rewind;          /* is to be read from `rewind_to` on when it is fetched next */
    int64_t rewind_to;    /* an offset, or FETCH_OLDEST */
    bool expired;         /* what it reads next was not kept when it asked last */
    int64_t kept_from;    /* `expired`: the first offset that was kept then */
    int64_t lost_upto;    /* while records are handed over: those from `next` up to this offset
                             expired unread; else 0 */
    bool holed;           /* while records of bronze are handed over: some before or among them are
                             not there */
    bool torn;            /* it went back to where a leader change had cut the log */
    uint32_t after_epoch; /* 1 + leader epoch of the record before `next`; 0: not known */
};

/* The source was read up to what its next offset says: notes under which leader. */
void source_read(struct source *source, const struct log_record *records, size_t count);

/* Offsets of a checkpoint: (topic, partition, position) of each source; the position is the safe
 * offset with the leader epoch in its upper bits. */
#define SOURCE_ENCODED_BYTES 13
size_t sources_encode(const struct source *sources, size_t count, bool use_next, char *buffer);
/* Sets next and safe of every source that the bytes name; others keep 0. 0, or -EINVAL when the
 * bytes are corrupt. */
int sources_decode(struct source *sources, size_t count, struct bytes offsets);

/*
 * record_decode for bytes that stand in that topic, record_decode_claimed in a feed: a record of a
 * type that the topic does not carry is refused like other malformed bytes, since it would be
 * folded as what it is not.
 */
int record_of_topic(enum topic_id topic, struct bytes input, struct record *out,
                    struct record_error *error);

/* The dead letter of a refused record; it points into the record and the error. */
struct dead_letter dead_letter_of(const struct source *source, const struct log_record *logged,
                                  const struct record_error *error);

/* A produce item that carries a dead letter of the record with that key. 0 or -ENOMEM. */
int dead_letter_item(struct effects *effects, struct effect *produce, struct produce_item *item,
                     uint64_t key, const struct dead_letter *letter);

#endif
