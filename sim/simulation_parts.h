/*
 * The inside of the simulator, shared by its two halves: simulation.c decides what runs when,
 * carrier.c takes effects to ports and answers back. Private to them.
 */
#ifndef MURPHY_SIM_SIMULATION_PARTS_H
#define MURPHY_SIM_SIMULATION_PARTS_H

#include <signal.h>

#include "sim/embedding_archive.h"
#include "sim/event_queue.h"
#include "sim/fake_embedding.h"
#include "sim/oltp_books.h"
#include "sim/prng.h"
#include "sim/simulation.h"

/* Kinds of queue events, as the trace shows them. */
enum {
    KIND_DELIVER = 0, /* + enum event_kind: an actor is told something; payload: flight */
    KIND_ARRIVE = 32, /* + enum effect_kind: a request reaches its port; payload: flight */
    KIND_APPLICATION = 64,
    KIND_GROUP,
    KIND_SEND_AGAIN, /* payload: malloc'ed */
    KIND_SCHEDULED,  /* payload: malloc'ed */
    KIND_RESEND,     /* an actor sends a request once more; payload: flight */
};

/* Something on its way to an actor, or from it and back. */
struct flight {
    struct flight *next;
    struct effect *effect; /* owned; NULL for what no request asked for */
    uint32_t actor;
    uint32_t incarnation; /* of the actor that asked; another one gets no answer */
    uint32_t kind;        /* of the queue event that it travels as */
    enum event_kind event;
    int error; /* of a write that was carried out */
    uint64_t timer;
    enum command_kind command;
    uint32_t generation; /* EVENT_ASSIGNED; of COMMAND_FINALISE the level; partitions live in
                            `effect` or are static */
    const uint32_t *partitions;
    size_t partition_count;
    bool rejoin; /* EVENT_ASSIGNED: the group waits for this member to join again */
};

/* Requests that wait for something to read. */
struct waiting {
    struct flight *first;
};

struct actor {
    enum machine_kind kind;
    uint32_t member;
    uint32_t incarnation;
    uint32_t code_version; /* of the next process that is started, and of the one that runs */
    uint32_t lease;        /* number of the last one; of a leased machine */
    bool paused;
    bool idle;               /* the scale leaves it out */
    vtime busy_until;        /* it works on what it was told last */
    int64_t slow_ns;         /* so much longer over everything that it is told */
    struct machine *machine; /* NULL while down */
    struct flight *deferred; /* what came while paused, in order */
    struct flight **deferred_last;
    char name[24];
};

struct simulation {
    struct simulation_options options;
    struct pipeline_config config; /* complete */
    vtime now;
    uint64_t events;
    uint64_t digest; /* of the present event, for the trace */
    volatile sig_atomic_t stopped;
    bool out_of_memory;
    struct event_queue queue;
    struct trace trace;
    struct prng latency;
    struct prng scheduling;
    struct latency_model latencies[EFFECT_COUNT];
    struct capacity capacity;
    struct workload *workload;

    struct fake_kafka *kafka;
    struct fake_oltp *oltp;
    struct oltp_books books;
    struct fake_state_store *state_store;
    struct fake_keyword *keyword;
    struct fake_warehouse *warehouse;
    struct fake_embedding *embedding;
    struct embedding_archive archive;
    struct fake_object_store *object_store;
    struct fake_vector_db *vector_db;
    struct simulation_ports ports;
    struct outbox_gate outbox_gate;
    struct simulation_observer observer;
    struct simulation_listener listener;

    /* Of each kind of machine, what is deployed; the number tells deployments apart. */
    struct {
        uint32_t number, version;
        int64_t down_ns;
    } deployments[MACHINE_KIND_COUNT];
    uint32_t deployment_last;
    uint32_t format_level; /* that is finalised */
    uint32_t *saved_by;    /* code version behind each checkpoint, by kind and partition; 0: none */

    struct actor *actors;
    uint32_t actor_count;
    uint32_t caller;
    uint32_t caller_incarnation;
    int64_t reply_held_ns;                    /* of the request that is carried out */
    uint64_t orders;                          /* that operators gave */
    uint64_t counters[MACHINE_COUNTER_COUNT]; /* of machines that are gone */
    uint64_t gauges[MACHINE_GAUGE_COUNT];     /* of machines that are gone */
    struct effect_pool pool;
    struct flight *free_flights;

    struct waiting *waiting[TOPIC_COUNT]; /* by partition */
    struct waiting waiting_outbox;
    struct feed_observation feeds[TOPIC_COUNT];

    /* Room for one answer at a time. */
    struct log_record *records;
    size_t record_capacity;
    struct outbox_row *outbox_rows;
    size_t outbox_capacity;
    struct state_entry *entries;
    size_t entry_count, entry_capacity;
    struct scan_row *scan_rows;
    struct sales_row *sales_rows;
    size_t sales_capacity;
};

static inline uint32_t simulation_application(const struct simulation *s) {
    return s->actor_count;
}
static inline uint32_t simulation_harness(const struct simulation *s) {
    return s->actor_count + 1;
}

/* NULL sets out_of_memory. The flight owns the effect. */
struct flight *flight_new(struct simulation *s, uint32_t actor, enum event_kind event,
                          struct effect *effect);
void flight_free(struct simulation *s, struct flight *flight);
/* Lets the flight run as an event of that kind at a moment. Takes the flight. */
void flight_push(struct simulation *s, vtime at, uint32_t kind, struct flight *flight);
/* Adds bytes to the digest of the present event, as simulation_note adds a number. */
void simulation_note_bytes(struct simulation *s, struct bytes bytes);
/* Steps the actor's machine; the answered flight, if any, is released or sent again. */
void simulation_step(struct simulation *s, uint32_t index, const struct event *event,
                     struct flight *answered);

/* Tells whoever listens of an alert. */
void simulation_tell_alert(struct simulation *s, const char *name, const char *subject,
                           enum alert_state state, struct bytes evidence);

/* A checkpoint was saved, or handed to somebody. */
void deployment_saved(struct simulation *s, uint32_t actor, uint32_t partition);
void deployment_loaded(struct simulation *s, uint32_t actor, uint32_t partition);

/* The actor has given up what its group took from it. */
void simulation_rejoin(struct simulation *s, uint32_t actor);

/* Fills in which group is about to lose what it has not read (A16). */
void simulation_find_laggards(struct simulation *s);

#endif
