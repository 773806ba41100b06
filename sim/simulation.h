/*
 * The simulator: the host that runs the machines of the core in virtual time against fakes (D3).
 *
 * It owns the event queue, the trace, the fakes, and one actor per machine: a worker process that
 * can crash, be restarted, and be paused until the group takes its partitions away. Effects of a
 * machine travel to a port and their answers travel back; both ways take time drawn from the
 * latency stream. A write takes effect when its request arrives; a read, when its answer leaves.
 * The answer to a crashed actor is dropped: what was written stays written.
 *
 *     actor --effect--> [latency] --> port (fault wrappers --> fake) --> [latency] --event--> actor
 *
 * Order: events run by (time, tie, sequence of scheduling). The tie is 0, or with explore_ties a
 * number from the scheduling stream, which tries other orders of what happens at one moment.
 *
 * Everything that runs is an event of the queue and goes into the trace: sequence, time, actor,
 * kind, digest of what it carried, what ports answered and what the actor stated. Two runs of equal
 * options give equal traces; the first differing event of two that do not is found by bisection
 * (sim/trace.h).
 *
 * Faults replace members of simulation_ports() by wrappers in the same port, crash and pause
 * actors, and schedule what they hold back. The oracle listens through struct simulation_observer.
 */
#ifndef MURPHY_SIM_SIMULATION_H
#define MURPHY_SIM_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bugs.h"
#include "pipeline/effects.h"
#include "pipeline/machine.h"
#include "pipeline/ports.h"
#include "sim/capacity.h"
#include "sim/fake_kafka.h"
#include "sim/fake_keyword.h"
#include "sim/fake_object_store.h"
#include "sim/fake_oltp.h"
#include "sim/fake_state_store.h"
#include "sim/fake_vector_db.h"
#include "sim/fake_warehouse.h"
#include "sim/log_consumer.h"
#include "sim/store.h"
#include "sim/trace.h"
#include "sim/workload.h"

struct simulation;

enum { SIMULATION_WORKERS_MAX = 16 };

struct simulation_options {
    uint64_t seed;
    vtime start;
    struct pipeline_config pipeline;
    uint32_t workers[MACHINE_KIND_COUNT];     /* 0: one; only grouped machines can be more */
    uint32_t workers_max[MACHINE_KIND_COUNT]; /* simulation_scale goes up to so many; 0: workers */
    struct capacity_rates capacity;
    struct bugs bugs;
    bool explore_ties;
    int64_t session_timeout_ns; /* of consumer groups; 0: 45 s */
    int64_t poll_timeout_ns;    /* likewise; 0: 5 min */
    enum fake_kafka_protocol rebalance;
    enum offset_reset offset_reset[MACHINE_KIND_COUNT]; /* of each group */
    int64_t fetch_linger_ns;   /* how long a consumer that waits lets records gather; 0: 100 ms */
    int64_t group_commit_ns;   /* how long the application gathers a transaction; 0: 20 ms */
    int64_t artifacts_kept_ns; /* how long the object store keeps vectors; 0: 90 days */
    bool journal;              /* keep the history of every store, for the export */
    int64_t time_travel_ns;    /* of the warehouse; 0: 24 h */
    int64_t fail_safe_ns;
    bool merge_picks; /* of several rows of a batch for one row the warehouse takes any */
    struct vector_profile vectors;
    int64_t
        keyword_gc_deletes_ns; /* age at which the keyword index forgets a tombstone; 0: never */
    bool index_text;           /* build an approximate index over the text vectors */
    uint32_t seal_rows_min;    /* of it: rows that are searched exactly before; 0: 1,536 */
};

/* What a reader could know at the moment it happens. Any member may be NULL. */
struct simulation_observer {
    void *ctx;
    /* The application committed or sent an operation. */
    void (*operation)(void *ctx, vtime now, const struct workload_op *op);
    /* A record was appended to a topic. */
    void (*appended)(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                     const struct log_record *record);
    void (*row_changed)(void *ctx, vtime now, const struct row_change *change);
    /* Readers of that store get the seller's rows no more, or again. */
    void (*seller_changed)(void *ctx, vtime now, enum store_id store, uint64_t seller_id,
                           enum policy_status status);
    void (*alert)(void *ctx, vtime now, const char *name, const char *subject,
                  enum alert_state state, struct bytes evidence);
    void (*reconciled)(void *ctx, vtime now, const struct reconciliation_report *report);
    void (*batch_made)(void *ctx, vtime now, const struct batch_report *report);
    /* Vectors were made: which, and of what. */
    void (*embedded)(void *ctx, vtime now, const struct embed_item *items,
                     const struct embed_result *results, size_t count);
    /* Readers of a modality's vectors are led to another model's collection; 0: to none. */
    void (*alias_switched)(void *ctx, vtime now, enum modality modality, uint32_t from,
                           uint32_t to);
    /* A vector row changed where no alias leads readers. */
    void (*unseen_row_changed)(void *ctx, vtime now, const struct row_change *change);
    /* An actor is about to be told of an event. */
    void (*told)(void *ctx, uint32_t actor, const struct event *event);
    /* A request leaves an actor, for the first time or once more. */
    void (*asked)(void *ctx, vtime now, uint32_t actor, const struct effect *effect);
    /* An actor is no more: it died, or the scale leaves it out. */
    void (*ended)(void *ctx, vtime now, uint32_t actor, bool crashed);
    /* A record went with its leader; called before it goes, lowest offset first. */
    void (*truncated)(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                      const struct log_record *record);
    /* An idempotent producer's record was taken for a repeat of the one at `offset` (negative: the
     * broker does not know which) and not appended. */
    void (*repeated)(void *ctx, vtime now, const struct produce_item *item, uint32_t partition,
                     int64_t offset);
};

/* Somebody else who hears of a few of these, before the observer does. */
struct simulation_listener {
    void *ctx;
    void (*appended)(void *ctx, vtime now, enum topic_id topic, const struct log_record *record);
    void (*alert)(void *ctx, vtime now, const char *name, const char *subject,
                  enum alert_state state);
    void (*reconciled)(void *ctx, vtime now, const struct reconciliation_report *report);
};

/* The ports that effects go through. Replace members to wrap them. simulation_caller
 * tells on whose behalf one is called. */
struct simulation_ports {
    struct log_port log;
    struct oltp_port oltp;
    struct books_port books;
    struct embedding_port embedding;
    struct vector_port vectors;
    struct keyword_port keywords;
    struct warehouse_port warehouse;
    struct state_port state;
    struct object_port objects;  /* the embedding service's archive goes through it too */
    struct embedding_port model; /* what the archive has vectors made by */
};

/* Asked for each change whether its outbox row is written with it; a fault says no where an
 * application writes to its database and to the log one after the other, and dies in between. */
struct outbox_gate {
    bool (*publish)(void *ctx, vtime now, const struct workload_op *op); /* NULL: always */
    void *ctx;
};
struct outbox_gate *simulation_outbox_gate(struct simulation *s);

/* For whoever carries out a request now: its reply comes so much later than usual. */
void simulation_hold_reply(struct simulation *s, int64_t held_ns);

/* NULL when out of memory. The workload must outlive it and is fed from its first operation. */
struct simulation *simulation_new(const struct simulation_options *options,
                                  struct workload *workload);
void simulation_free(struct simulation *s);

struct simulation_ports *simulation_ports(struct simulation *s);
void simulation_observe(struct simulation *s, const struct simulation_observer *observer);
void simulation_listen(struct simulation *s, const struct simulation_listener *listener);

/* The fakes themselves: for the oracle, for export, and for faults that strike a store itself. */
struct fake_kafka *simulation_kafka(struct simulation *s);
struct fake_oltp *simulation_oltp(struct simulation *s);
struct fake_vector_db *simulation_vector_db(struct simulation *s);
struct fake_keyword *simulation_keyword(struct simulation *s);
struct fake_warehouse *simulation_warehouse(struct simulation *s);
struct fake_state_store *simulation_state_store(struct simulation *s);
struct fake_object_store *simulation_object_store(struct simulation *s);

/* ---- Running ---- */

enum simulation_status {
    SIMULATION_RUNNING,   /* ran to the given moment; there is more */
    SIMULATION_STOPPED,   /* simulation_stop was called */
    SIMULATION_NO_MEMORY, /* the run is worth nothing */
};
/* Runs everything up to and including `until`; the present is then `until`. */
enum simulation_status simulation_run(struct simulation *s, vtime until);
/* Makes simulation_run return after the present event; safe from a signal handler. */
void simulation_stop(struct simulation *s);
/* The harness ran out of memory: simulation_run returns SIMULATION_NO_MEMORY after this event. */
void simulation_give_up(struct simulation *s);

vtime simulation_now(const struct simulation *s);
uint64_t simulation_events(const struct simulation *s);
struct trace *simulation_trace(struct simulation *s);
uint64_t simulation_seed(const struct simulation *s);
/* True once every operation of the workload was carried out. */
bool simulation_workload_done(const struct simulation *s);

/* ---- Actors ---- */

#define SIMULATION_ACTOR_NONE UINT32_MAX

size_t simulation_actor_count(const struct simulation *s);
/* As in "builder-1"; "application" and "harness" name who is no machine. */
const char *simulation_actor_name(const struct simulation *s, uint32_t actor);
enum machine_kind simulation_actor_kind(const struct simulation *s, uint32_t actor);
/* Member `i` (from 0) of a kind, or SIMULATION_ACTOR_NONE. */
uint32_t simulation_actor_find(const struct simulation *s, enum machine_kind kind, uint32_t i);
/* The actor whose effect is being carried out, or SIMULATION_ACTOR_NONE. */
uint32_t simulation_caller(const struct simulation *s);
/* There is a caller, and the process that sent the effect still runs: it has not crashed since. */
bool simulation_caller_up(const struct simulation *s);

bool simulation_actor_up(const struct simulation *s, uint32_t actor);
/* The process dies: memory, retries to come and answers under way are gone; requests already sent
 * arrive. No effect on one that is down. */
void simulation_crash(struct simulation *s, uint32_t actor);
/* A new process takes its place and joins its group. No effect on one that is up, nor on one that
 * the scale leaves out. */
void simulation_restart(struct simulation *s, uint32_t actor);
/* From this moment on there are `workers` processes of a grouped kind, 0 to its workers_max:
 * further ones start and join the group; those that are too many leave it in good order and end. */
void simulation_scale(struct simulation *s, enum machine_kind kind, uint32_t workers);
/* The process ends in good order and leaves its group; simulation_restart brings it back. No effect
 * on one that is down. */
void simulation_drain(struct simulation *s, uint32_t actor);
/* The process takes so much longer over everything that it is told, while its heartbeats go on; 0:
 * as ever. It stays slow over a restart: the machine is what is slow. */
void simulation_slow(struct simulation *s, uint32_t actor, int64_t longer_ns);
/* The process stands still: events and retries wait; requests already sent arrive. Its group evicts
 * it after the session timeout; when it goes on, it first does what was waiting, in order and ahead
 * of what else is due at that moment, as a zombie does. */
void simulation_pause(struct simulation *s, uint32_t actor);
void simulation_resume(struct simulation *s, uint32_t actor);
/* The process is stuck in its work: like a pause, but its heartbeats go on, and it leaves its group
 * after the poll timeout (max.poll.interval.ms). Ended by simulation_resume. */
void simulation_stick(struct simulation *s, uint32_t actor);
/* The process leaves its group and joins it again at once: two rebalances. No effect on one that is
 * down, paused or in no group. */
void simulation_flap(struct simulation *s, uint32_t actor);
/* Hands a command to the machine, as an operator would. */
void simulation_command(struct simulation *s, uint32_t actor, enum command_kind kind);
/* An operator gives an order at this moment: a record of the control topic, which sends it again
 * until the log takes it. The stamp of `control` is filled in. */
void simulation_order(struct simulation *s, const struct control *control);

/* ---- Versions of the code (sim/deployment.c; C6) ---- */

struct deployment {
    uint32_t version;
    bool everyone; /* all machines; otherwise `kind` alone */
    enum machine_kind kind;
    int64_t down_ns; /* how long each process is away; more than 0 */
    bool forced;     /* also where what is finalised is beyond the version */
};
/* Replaces processes one after another, in the order of actors: each ends in good order, comes back
 * in the new version after down_ns, and the next one goes when it has been back for as long. What
 * is down just comes back so. A later deployment of a kind takes the place of the former one.
 * Alert: deploy-refused. */
void simulation_deploy(struct simulation *s, const struct deployment *deployment);
/* Formats up to that level may be written. Alert: finalise-refused, while some process runs older
 * code or is to be replaced by it, unless forced. */
void simulation_finalise(struct simulation *s, uint32_t level, bool forced);
uint32_t simulation_code_version(const struct simulation *s, uint32_t actor);
uint32_t simulation_format_level(const struct simulation *s);

/* When the oldest record was appended that some group which reads its topic has not committed;
 * VTIME_NEVER when there is none. The late queue, which is read now and then, does not count. */
vtime simulation_oldest_unread(const struct simulation *s);

/* Sum of a counter over all machines, those that died included. */
uint64_t simulation_counter(const struct simulation *s, enum machine_counter counter);

/* The greatest value of a gauge in any machine, those that died included. */
uint64_t simulation_gauge(const struct simulation *s, enum machine_gauge gauge);

/* ---- What the harness itself schedules ---- */

/* Calls run(ctx, now, arg) at a moment, as an event of the trace. `name` is static and stands in
 * the trace's text; digest covers what the event carries. 0 or -ENOMEM. */
int simulation_schedule(struct simulation *s, vtime at, const char *name, uint64_t digest,
                        void (*run)(void *ctx, vtime now, uint64_t arg), void *ctx, uint64_t arg);

/* Adds a number to the digest of the event that runs now: what the harness found out or decided and
 * nothing else in the trace shows, as the hits of a search. Of no effect between events. */
void simulation_note(struct simulation *s, uint64_t value);

/* Text of one traced event, for showing where two runs part. */
const char *simulation_kind_name(uint32_t kind);

#endif
