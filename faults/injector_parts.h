/*
 * What the files of the injector share: its state, how a fault decides and puts a strike on record,
 * and what happens to a request on its way to a store. Each port's faults are in a file of their
 * own, which wraps the port with functions of the same kind that pass on to the one inside.
 */
#ifndef MURPHY_FAULTS_INJECTOR_PARTS_H
#define MURPHY_FAULTS_INJECTOR_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "faults/faults.h"
#include "faults/injector.h"
#include "pipeline/effects.h"
#include "pipeline/ports.h"
#include "pipeline/vtime.h"
#include "sim/prng.h"
#include "sim/simulation.h"

/* How long a store stays down after a crash, and a worker, unless the fault says. */
#define SINK_DOWN_NS (20 * VTIME_SECOND)
#define WORKER_DOWN_NS (5 * VTIME_SECOND)

/* Named points where faults strike. */
enum point {
    PASS_VECTORS,
    PASS_KEYWORDS,
    PASS_WAREHOUSE,
    PASS_EMBEDDING,
    PASS_STATE,
    PASS_PRODUCE,
    PASS_OBJECTS, /* these seven in the order of enum fault_sink */
    PASS_APPEND,  /* a record on its way to a feed */
    PASS_OUTBOX,  /* a change with its outbox row */
    PASS_WORKER,  /* a worker's next misfortune */
    PASS_RELAY,   /* the relay reads the outbox */
    PASS_VECTORS_UPSERT,
    PASS_VECTORS_DELETE,
    PASS_VECTORS_ADMIN,
    PASS_VECTORS_BLOCK,
    PASS_VECTORS_ERASE,
    PASS_KEYWORDS_UPSERT,
    PASS_KEYWORDS_DELETE,
    PASS_KEYWORDS_BLOCK,
    PASS_KEYWORDS_ERASE,
    PASS_WAREHOUSE_BATCH,
    PASS_WAREHOUSE_REFRESH,
    PASS_WAREHOUSE_ERASE,
    PASS_BROKER, /* a partition's, or a group's */
    PASS_COMMIT, /* an offset on its way to its group's coordinator */
    PASS_FETCH,  /* a consumer asks for records */
    PASS_COUNT
};

struct armed {
    struct fault fault;
    struct prng stream;
    uint64_t struck;
    uint32_t met; /* what it could have struck in its window */
    /* Of a leader that went: its partition, how long requests to it count as sent before that, and
     * whether the one that is on its way was its last. */
    uint32_t cut;
    vtime cut_until;
    bool cut_written;
    vtime refused; /* when it last turned away somebody who sends record by record */
    bool banded;   /* it has struck: its latest band is */
    size_t band;
};

/* A write that will be carried out once more. */
struct repeat {
    struct repeat *next, **previous;
    struct injector *injector;
    bool done; /* carried out already, when the run healed */
    bool keyword;
    enum modality modality;
    uint32_t model_version;
    size_t count;
    struct vector_write *vectors;
    struct keyword_write *keywords;
    struct effect_pool pool;
    struct effect *memory;
};

struct held;
struct late_delete;
struct late_commit;
struct decay;

/* What happened to a worker last. */
struct misfortune {
    vtime crashed, down_until;
    vtime paused, paused_until;
    vtime slow_until;
};

/* A restart that has cost nothing yet: it counts once somebody is not answered. */
struct idle_restart {
    struct armed *armed; /* NULL: none */
    vtime until;
};

struct injector {
    struct simulation *simulation;
    struct simulation_ports inner; /* what the ports were */
    struct armed *armed;
    size_t count;
    uint8_t *sinks; /* whom each fault is about, side by side: every request asks */
    bool healed;
    vtime start;
    struct state_watch states;
    uint64_t reached[FAULT_KIND_COUNT][PIPELINE_STATE_COUNT];
    vtime down_from[SINK_COUNT], down_until[SINK_COUNT];
    struct idle_restart idle_restarts[SINK_COUNT];
    struct misfortune *workers; /* by actor */
    uint64_t passed[PASS_COUNT];
    struct held *held, **held_end; /* in the order in which they were taken */
    struct repeat *repeats;
    struct decay *decays;
    struct late_delete *late_deletes;
    int64_t listing_lag_ns, lifecycle_shift_ns; /* of the object store, as it is */
    struct late_commit **late_commits;
    size_t late_commit_count, late_commit_capacity;
    struct decision *decisions;
    size_t decision_count, decision_capacity;
    struct fault_band *bands;
    size_t band_count, band_capacity;
    bool out_of_memory;
};

/* ---- Deciding: injector.c ---- */

static inline bool injector_about(const struct injector *in, size_t i, enum fault_sink sink) {
    return in->sinks[i] == (uint8_t)sink;
}

/* It is its time, and the state holds that it waits for. */
bool injector_in_window(struct injector *in, struct armed *armed, vtime now);
/* It strikes no more: its time is over, or the run has healed. */
bool injector_is_over(const struct injector *in, const struct armed *armed, vtime now);
/* True when the fault strikes this time. Draws only inside its window. */
bool injector_draws(struct injector *in, struct armed *armed, vtime now);
/* Puts a strike on record. What it does lasts until `until`. */
void injector_note(struct injector *in, struct armed *armed, enum point point, vtime now,
                   vtime until);
int64_t injector_down_ns(const struct armed *armed, int64_t otherwise_ns);
bool injector_is_its_time(const struct injector *in, const struct armed *armed, vtime now);

/* ---- States of the pipeline: injector_states.c ---- */

void injector_listen(struct injector *in);
/* The states that hold, but for those that `but` itself is the cause of (it may be NULL), and those
 * that began at this moment. */
uint32_t injector_states(struct injector *in, const struct armed *but, vtime now);
/* Counts a strike under the states that hold. */
void injector_reach(struct injector *in, const struct armed *armed, vtime now);
/* A request of a machine of that kind is a sign of the state. */
void injector_sign(struct injector *in, vtime now, enum machine_kind caller,
                   enum pipeline_state state);

/* ---- Requests to a store: injector_requests.c ---- */

enum verdict { PASSES, FAILS_BEFORE, REPLY_LOST, HALF_DONE, THROTTLED };

/* What happens to a request. Every fault draws, also when another one was first: how often its
 * stream was asked depends on how many requests came, and not on its neighbours. */
enum verdict injector_judge(struct injector *in, enum fault_sink sink, vtime now);
/* The same for a request of a name of its own among those of its store. */
enum verdict injector_judge_call(struct injector *in, enum fault_sink sink, enum point call,
                                 vtime now);
/* Arms the next restart of the fault's store. */
void injector_restart_arm(struct injector *in, struct armed *armed, vtime now);
/* The store answers nobody from now on. */
void injector_store_down(struct injector *in, enum fault_sink sink, vtime now, vtime until);
bool injector_store_is_down(const struct injector *in, enum fault_sink sink, vtime now);
/* Reads are not struck one by one; but a store that is down, or out, answers nobody. */
bool injector_unreachable(struct injector *in, enum fault_sink sink, vtime now);
/* What becomes of an item: APPLIED when it goes its way. What an index has against content it has
 * not against a deletion. */
enum item_status injector_item_fate(struct injector *in, enum fault_sink sink,
                                    enum row_write_kind kind, vtime now);
/* True when nothing of the request was done, and what the caller is then told. */
bool verdict_refused(enum verdict verdict);
int verdict_refusal(enum verdict verdict);
/* How many of n items are carried out. */
size_t verdict_share(enum verdict verdict, size_t n);
/* What the caller of a request that was carried out is told. */
int verdict_outcome(enum verdict verdict, int error);

/* ---- Writes that come again: injector_repeats.c ---- */

/* Draws whether a write comes again, and when; VTIME_NEVER when not. What was not carried out at
 * all cannot. */
vtime injector_repeat_draw(struct injector *in, enum fault_sink sink, vtime now,
                           size_t carried_out);
size_t repeat_carried_out(const enum item_status *statuses, size_t count);
/* A repeat to be filled in, with memory of its own; NULL when there is none. */
struct repeat *repeat_new(struct injector *in, struct effects *effects);
void repeat_copy_meta(struct effects *effects, struct effect *memory, struct row_meta *meta);
/* Has it carried out at `at`; frees it when memory ran out while it was filled in. */
void repeat_schedule(struct injector *in, struct repeat *repeat, struct effects *effects, vtime at);
void injector_repeats_heal(struct injector *in, vtime now);
void injector_repeats_release(struct injector *in);

/* ---- Rows that go wrong in their store: injector_rows.c ---- */

/* Some of these that were carried out go wrong later. */
void injector_rows_written(struct injector *in, vtime now, enum modality modality,
                           uint32_t model_version, const struct vector_write *items,
                           const enum item_status *statuses, size_t count);
/* What has not gone wrong yet stays as it is. */
void injector_rows_heal(struct injector *in);
void injector_rows_release(struct injector *in);

/* ---- Workers and their checkpoints: injector_workers.c ---- */

void injector_worker_arm(struct injector *in, struct armed *armed, vtime now);
void injector_crash_worker(struct injector *in, struct armed *armed, uint32_t actor,
                           enum point point, vtime now);
void injector_wrap_state(struct injector *in);
void injector_workers_heal(struct injector *in);

/* ---- Records on their way to a feed: injector_log.c ---- */

void injector_wrap_log(struct injector *in);
void injector_log_heal(struct injector *in, vtime now);
void injector_log_release(struct injector *in);

/* ---- Brokers and groups: injector_brokers.c ---- */

/* A kind that strikes them at a pace of its own. */
bool injector_strikes_brokers(enum fault_kind kind);
void injector_broker_arm(struct injector *in, struct armed *armed, vtime now);
int injector_commit(struct injector *in, vtime now, const char *group, uint32_t member,
                    uint32_t generation, enum topic_id topic, uint32_t partition, int64_t offset);
/* A produce request reaches the log: whether it is the last that a leader takes is decided for all
 * of it, as batches go in whole. */
void injector_produce_begins(struct injector *in, vtime now);
/* The item was on its way when its leader went, and nobody tells what became of it: true, with the
 * result filled in. PORT_NO_MEMORY goes to *error. */
bool injector_cut_off(struct injector *in, vtime now, const struct producer_mark *mark,
                      const struct produce_item *item, struct produce_result *result, int *error);
void injector_brokers_heal(struct injector *in, vtime now);
void injector_brokers_release(struct injector *in);

/* ---- The stores ---- */

void injector_wrap_embedding(struct injector *in);
void injector_wrap_vectors(struct injector *in);
void injector_vectors_heal(struct injector *in, vtime now);
void injector_wrap_keywords(struct injector *in);
void injector_wrap_warehouse(struct injector *in);
void injector_wrap_oltp(struct injector *in);
void injector_wrap_objects(struct injector *in);
void injector_objects_heal(struct injector *in, vtime now);
void injector_objects_release(struct injector *in);

#endif
