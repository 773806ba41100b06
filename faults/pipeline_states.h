/*
 * States of the pipeline in which a fault can find it (D5), told from outside: by what its machines
 * send to their ports, by what they raise, and by the records that they write.
 *
 * Several can hold at once. A state goes on for PIPELINE_STATE_TAIL_NS after its last sign: what
 * was sent in it is still on its way, and what was restored is still catching up with what it did
 * before.
 */
#ifndef MURPHY_FAULTS_PIPELINE_STATES_H
#define MURPHY_FAULTS_PIPELINE_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/vtime.h"
#include "sim/simulation.h"

#define PIPELINE_STATE_TAIL_NS (10 * VTIME_SECOND)
/* A group that has not taken in a record for so long is behind. */
#define PIPELINE_STATE_BEHIND_NS (2 * VTIME_MINUTE)

/* X(identifier, "name", "about") */
#define PIPELINE_STATES(X)                                                                         \
    X(STEADY, "steady", "none of the others holds")                                                \
    X(RESTORING, "restoring", "a process reads its checkpoint and goes on from there")             \
    X(REBALANCING, "rebalancing", "a group has dealt out its partitions anew")                     \
    X(WORKER_DOWN, "worker-down", "a process is dead, and none has taken its place")               \
    X(ZOMBIE, "zombie", "a process stands still, or has just gone on")                             \
    X(CATCHING_UP, "catching-up", "some group is behind by more than two minutes")                 \
    X(STORE_DOWN, "store-down", "a store, or the log, answers nobody")                             \
    X(BACKFILLING, "backfilling", "shadow collections are filled from a snapshot")                 \
    X(DUAL_WRITING, "dual-writing", "two models' collections are written")                         \
    X(SWITCHING, "switching", "aliases are about to be led to another model, or back")             \
    X(ROLLED_BACK, "rolled-back", "after a rollback, until the next cutover or the end of it")     \
    X(RETIRING, "retiring", "a model's collections are dropped")                                   \
    X(ERASING, "erasing", "somebody asked for an erasure, and there is no certificate yet")        \
    X(RECONCILING, "reconciling", "the stores are compared")                                       \
    X(REPAIRING, "repairing", "reconciliation found drift, and repairs are on their way")          \
    X(BATCH, "batch", "gold and sales are made anew from bronze")                                  \
    X(REPLAYING, "letters-replayed", "records of dead letters are sent back to their feeds")       \
    X(QUARANTINED, "quarantined", "deletes are held back for an operator")

enum pipeline_state {
#define STATE_ENUM(identifier, name, about) STATE_##identifier,
    PIPELINE_STATES(STATE_ENUM)
#undef STATE_ENUM
        PIPELINE_STATE_COUNT
};

struct pipeline_state_about {
    const char *name;
    const char *about;
};
/* PIPELINE_STATE_COUNT rows. */
const struct pipeline_state_about *pipeline_state_table(void);
/* Index of a name, or -1. */
int pipeline_state_find(const char *name);

/*
 * Cells of kind and state that no run can reach, each with its reason.
 *
 * X(kind, state, "reason")
 */
#define IMPOSSIBLE_CELLS(X)                                                                        \
    X(LOST_DELETES, STEADY, IMPOSSIBLE_BUT_ERASING)                                                \
    X(LATE_DELETES, STEADY, IMPOSSIBLE_BUT_ERASING)                                                \
    X(SINK_RESTART, STEADY,                                                                        \
      "it counts once somebody is turned away, or found a tombstone gone: the store is down, or "  \
      "was a moment ago")                                                                          \
    X(SLOW_LISTING, STEADY,                                                                        \
      "listings are read for erasures, and by a re-embed, which the swarm orders while deletes "   \
      "are in quarantine")
#define IMPOSSIBLE_BUT_ERASING                                                                     \
    "it strikes where an erasure finds something, and one that still does has no certificate: "    \
    "somebody is being erased"

/* Why a kind of fault cannot strike in a state; NULL: it can. */
const char *pipeline_state_impossible(int kind, int state);

/* What tells of the states of one run. Zero it and set `simulation`. */
struct state_watch {
    struct simulation *simulation;
    vtime seen[PIPELINE_STATE_COUNT]; /* last sign of a state that shows in moments */
    bool on[PIPELINE_STATE_COUNT];    /* a state that begins and ends */
    uint64_t *erasures;               /* hashes of those that are not certified */
    size_t erasure_count, erasure_capacity;
    bool out_of_memory;
};

void state_watch_release(struct state_watch *w);

/* Signs, as the simulation's listener and the wrapped ports have them. */
void state_watch_appended(struct state_watch *w, vtime now, enum topic_id topic,
                          const struct log_record *record);
void state_watch_alert(struct state_watch *w, vtime now, const char *name, const char *subject,
                       enum alert_state state);
void state_watch_reconciled(struct state_watch *w, vtime now,
                            const struct reconciliation_report *report);
void state_watch_sign(struct state_watch *w, vtime now, enum pipeline_state state);

/* Bits 1 << enum pipeline_state of those that hold. `also` are those that the caller knows of. */
uint32_t state_watch_now(struct state_watch *w, vtime now, uint32_t also);

#endif
