/*
 * What the files of the router share (pipeline/router.c says what it does):
 *
 *     router.c             sources, order, what goes where; quarantine, commands
 *     router_facts.c       who names what; facts learnt, fanned out, and told with listing records
 *     router_erasures.c    erasures, to listings and into the register
 *     router_trail.c       where outputs went, and what is to be said again when they are lost
 *     router_checkpoint.c  the checkpointed form
 *
 * Private to the router.
 */
#ifndef MURPHY_PIPELINE_ROUTER_PARTS_H
#define MURPHY_PIPELINE_ROUTER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/contract_gate.h"
#include "pipeline/erasure_ledger.h"
#include "pipeline/fact.h"
#include "pipeline/id_map.h"
#include "pipeline/partitioned.h"
#include "pipeline/quarantine.h"
#include "pipeline/record.h"
#include "pipeline/wire.h"

enum { PURPOSE_PRODUCE = TASK_PURPOSE_OWN, PURPOSE_FANOUT, PURPOSE_LOOK, PURPOSE_PROBE };
enum { TIMER_LATE = TASK_TIMER_OWN };

/* Sources of a task: three of its own partition, the control topic, then every policy, every
 * privacy and every reference partition; behind them its partition of the quarantine, if there is
 * one. */
enum { SOURCE_LISTING, SOURCE_MEDIA, SOURCE_LATE, SOURCE_CONTROL, SOURCE_POLICY };
enum { SOURCES_OWN = SOURCE_CONTROL };
#define FANNED_FEEDS 3

static inline bool has_quarantine(const struct partitioned *router) {
    return router->machine.config->quarantine_deletes_min > 0;
}

static inline size_t source_quarantine(const struct partitioned *router) {
    return SOURCE_POLICY + FANNED_FEEDS * (size_t)router->machine.config->partitions;
}

/* The source is a queue of the router's own, whose records were taken in before. */
static inline bool is_queue(const struct partitioned *router, size_t source) {
    return source == SOURCE_LATE || source == source_quarantine(router);
}

/* Something that listings name: a seller, a category, a spelling of a locale. */
struct named {
    struct fact fact; /* what was told of it last; its value is the task's own */
    uint64_t entry;   /* its key in the checkpoint; 0: none yet */
    bool known;       /* something was told */
    bool dirty;
    uint64_t *listings; /* that ever named it, in the order in which they were first seen */
    size_t listing_count, listing_capacity;
};

/* A listing and what it ever named: nearly always one of each kind. */
struct routed_listing {
    uint64_t id;
    uint64_t entry; /* its key in the checkpoint; 0: none yet */
    bool dirty;
    uint32_t name_count;
    size_t name_capacity;
    uint32_t *names; /* indices in task.named */
};

/* A fact, or the erasure of a seller, on its way to the listings that name its subject; of those
 * that come while it is sent some are told twice, since it rides along with them too. */
struct fanout {
    size_t source;
    size_t named;
    size_t next; /* listing to send next */
    bool last_of_batch;
    bool registered;      /* the register has the end of an erasure's listings */
    struct record record; /* without pointers, save those to `text` while it is encoded */
    uint8_t key_length, value_length;
    char text[2 * FACT_VALUE_MAX]; /* of a reference row: its key and its value */
};

/* Fan-outs in the order in which they came: [first, count). */
struct fanout_queue {
    struct fanout *items;
    size_t first, count, capacity;
};

/* Whoever must go is told ahead of whatever looks different from now on (A8). */
enum { FANOUT_GONE, FANOUT_TABLES, FANOUT_QUEUES };

/* Idempotent producers of a task: fan-outs, of which one is under way at a time, and each source.
 */
enum { PRODUCER_FANOUT, PRODUCER_SOURCES };

/* When it was made, every record below these offsets of the sources had its outputs in the listing
 * log below this position. */
struct trail_mark {
    uint32_t epoch;
    int64_t next;
    int64_t *offsets; /* by source */
};
enum { TRAIL_MARKS = 16 };

struct trail {
    bool known;     /* some output was acknowledged */
    bool watched;   /* it waits at the end of its outputs */
    bool doubted;   /* by another leader meanwhile: whether it has the former ones is being asked */
    uint32_t epoch; /* of the last one that is not in doubt */
    int64_t next;   /* behind it */
    uint32_t epoch_after; /* while doubted: what to go on with */
    int64_t next_after;
    struct trail_mark marks[TRAIL_MARKS]; /* oldest first */
    size_t mark_count;
    int64_t *again_until; /* by source: records below it were routed before a loss */
    uint64_t entry;       /* its key in the checkpoint; 0: none yet */
};

struct router_task {
    struct task task;
    struct trail trail;
    uint32_t *sequences; /* by producer; only while they are idempotent */
    uint32_t producer_epoch;
    bool late_open; /* the late queue is being drained */
    struct quarantine quarantine;
    uint64_t quarantine_entry; /* its key in the checkpoint; 0: none yet */
    bool drain_wanted;         /* an operator decided: what is held is to go its way */
    bool draining;
    struct contract_gate gate;
    uint64_t gate_entry; /* its key in the checkpoint; 0: none yet */
    vtime watermark;
    struct id_map named_index[FACT_KIND_END]; /* by kind; 0 is not used */
    struct named *named;
    size_t named_count, named_capacity;
    struct id_map listing_index;
    struct routed_listing *listings;
    size_t listing_count, listing_capacity;
    struct erasure_ledger ledger;
    struct fanout_queue fanouts[FANOUT_QUEUES];
    bool fanout_under_way; /* a slice is on its way */
    uint64_t entry_last;
};

/* ---- router.c ---- */

/* One output of a source's fetched records is acknowledged. */
int output_done(struct partitioned *router, struct router_task *task, size_t source, vtime now,
                struct effects *effects);
/* Room for so many items. */
int produce_reserve(struct effects *effects, struct effect *produce, size_t count);
/* Encodes a record without fields as an item of the produce; *value is what was encoded, may be
 * NULL. All of these: 0 or -ENOMEM. */
int produce_record(const struct record *record, enum topic_id topic, uint64_t key,
                   struct effect *produce, struct effects *effects, struct bytes *value);

/* ---- Facts: router_facts.c ---- */

void knowledge_init(struct router_task *task);
void knowledge_release(struct router_task *task);
/* Index of what has that kind and key, or of the listing, made if need be; -ENOMEM. */
int64_t named_of(struct router_task *task, enum fact_kind kind, uint64_t key);
int64_t listing_of(struct router_task *task, uint64_t id);
/* Remembers that the listing names that, or named it. 0 or -ENOMEM. */
int listing_names(struct router_task *task, uint64_t listing_id, enum fact_kind kind, uint64_t key);
/* What was told. 0 or -ENOMEM with what was known before. */
int named_learn(struct named *named, const struct fact *fact);

/* Learns what a listing record names; what is told of that rides along, pointing into the task. */
int facts_ride(const struct partitioned *router, struct router_task *task, struct record *record);
/* Takes a record of the policy or the reference feed in: learns the fact and queues its fan-out. */
int facts_learn(const struct partitioned *router, struct router_task *task, size_t source,
                const struct log_record *logged, const struct record *record);

int fanout_add(struct router_task *task, size_t source, const struct log_record *logged,
               const struct record *record, size_t named);
/* What a fetch of the source told is all queued: if there is any, the source waits for it, and it
 * is sent unless something is being sent. */
int fanouts_begin(struct partitioned *router, struct router_task *task, size_t source, vtime now,
                  struct effects *effects);
/* Sends the next slice; 0 when there is nothing to send or it was sent. */
int fanout_send(struct partitioned *router, struct router_task *task, vtime now,
                struct effects *effects);

/* ---- Erasures: router_erasures.c ---- */

/* Items that the erasures which a batch brings with it can add to its produce, by record. */
enum { ERASURE_ITEMS = 2 };

/* Encodes the erasure as one of that listing, which goes into the log, and into the register when a
 * seller's request reached it. 0 or -ENOMEM. */
int erasure_items(struct record *erasure, uint64_t listing_id, struct effect *produce,
                  struct effects *effects);
/* Says in the register that every listing that this task knew was named before. 0 or -ENOMEM. */
int erasure_end(struct partitioned *router, struct router_task *task, struct fanout *fanout,
                struct effects *effects);
/* Takes an erasure in. 0 or -ENOMEM. */
int erasure_learn(struct partitioned *router, struct router_task *task, size_t source,
                  const struct log_record *logged, struct record *record, struct effect *produce,
                  struct effects *effects);
/* Whom the listing record names, and whether that was erased. 0 or -ENOMEM. */
int meet_erasures(struct router_task *task, const struct record *record, struct effect *produce,
                  struct effects *effects);
/* True when the record is not to be routed: its subject was erased, at its stamp or above. */
bool is_erased(const struct partitioned *router, const struct router_task *task,
               const struct record *record);

/* ---- What became of outputs: router_trail.c ---- */

int trail_init(const struct partitioned *router, struct router_task *task);
void trail_release(struct router_task *task);
/* Numbers the items of a produce, at most `room` of them, unless producers are not idempotent. */
void producer_mark(const struct partitioned *router, struct router_task *task, size_t producer,
                   struct effect *produce, size_t room);
/* True of a record that was routed before, and whose outputs a leader change may have lost. */
bool trail_again(const struct router_task *task, size_t source, const struct log_record *logged);
/* The outputs were taken by the log. If another leader took them, it is asked for the former ones.
 */
int trail_acknowledged(struct partitioned *router, struct router_task *task,
                       const struct effect *produce, struct effects *effects);
/* The leader that was asked has them all, or another record came. */
void trail_answered(struct router_task *task, uint32_t what);
/* task_ops.saved: waits for another leader. */
int trail_watch(struct partitioned *router, struct task *head, vtime now, struct effects *effects);
/* Asks after the outputs that the checkpoint knows of. */
int trail_look(struct partitioned *router, struct router_task *task, struct effects *effects);
/* task_ops.refused: outputs are lost, so their sources are read again from before them. */
int trail_refused(struct partitioned *router, struct task *head, uint32_t purpose,
                  uint32_t argument, const struct event *event, struct effects *effects,
                  bool *again);
/* Its checkpointed form, which says where outputs are by now. The size is exact. */
bool trail_is_kept(const struct partitioned *router, const struct router_task *task);
int trail_mark_now(struct router_task *task);
size_t trail_size(const struct router_task *task);
char *trail_encode(const struct router_task *task, char *at);
int trail_decode(const struct partitioned *router, struct router_task *task,
                 struct wire_reader *reader);

/* ---- Checkpoints: router_checkpoint.c ---- */

int router_save_entries(struct partitioned *router, struct task *head, struct effect *save,
                        struct effects *effects);
int router_restore_entry(struct partitioned *router, struct task *head, uint64_t key,
                         struct bytes value);

/* Says in a record for the listing log who writes it, once that format is finalised (C6). */
void router_sign(const struct partitioned *router, struct record *record);

#endif
