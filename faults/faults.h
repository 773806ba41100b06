/*
 * The one table of faults: what can be done to the pipeline's world on purpose, what each models,
 * and which checks ought to notice if a protection were missing.
 *
 * A fault wraps a port or acts on an actor at a named point. It strikes only between its `from`
 * and `until`, with a probability or at a pace of its own, decided by a random stream of its own,
 * so that adding one fault to a scenario leaves the decisions of the others as they were.
 */
#ifndef MURPHY_FAULTS_FAULTS_H
#define MURPHY_FAULTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/machine.h"
#include "pipeline/topics.h"
#include "pipeline/vtime.h"

/* What a fault can be given. Times count from the start of the run. */
enum fault_parameter {
    FAULT_FEED = 1,        /* one of the feeds */
    FAULT_SINK = 1 << 1,   /* one of enum fault_sink */
    FAULT_WORKER = 1 << 2, /* one of the machines */
    FAULT_RATIO = 1 << 3,  /* probability for each thing that it could strike */
    FAULT_EVERY = 1 << 4,  /* mean time between strikes */
    FAULT_DELAY = 1 << 5,  /* longest delay */
    FAULT_DOWN = 1 << 6,   /* how long what was struck stays down */
    FAULT_POINT = 1 << 7,  /* enum fault_point */
};

/* X(identifier, "name", required parameters, optional parameters, "what it does",
 *   "what it models", "checks that notice") */
#define FAULTS(X)                                                                                  \
    X(DUPLICATE_RECORDS, "duplicate-records", FAULT_FEED | FAULT_RATIO, FAULT_DELAY,               \
      "a record is appended to its feed a second time, up to `delay` later",                       \
      "a producer's retry after a lost acknowledgement; at-least-once delivery",                   \
      "no-duplicate-row convergence dashboard")                                                    \
    X(LATE_RECORDS, "late-records", FAULT_FEED | FAULT_RATIO | FAULT_DELAY, 0,                     \
      "a record reaches its feed up to `delay` after its event, behind younger ones",              \
      "an offline seller app, a mirror that falls behind", "convergence version-monotone")         \
    X(STALLED_FEED, "stalled-feed", FAULT_FEED, 0,                                                 \
      "nothing reaches the feed; what was sent comes when the stall ends",                         \
      "a stuck mirror or connector", "feed-freshness convergence")                                 \
    X(SINK_CRASH, "sink-crash", FAULT_SINK | FAULT_POINT | FAULT_RATIO, FAULT_DOWN,                \
      "a store dies before a write, after it with the reply lost, or with half a batch in",        \
      "process crash, node loss, connection reset", "convergence version-monotone")                \
    X(SINK_OUTAGE, "sink-outage", FAULT_SINK, 0, "a store refuses every request",                  \
      "cluster red, network partition", "convergence freshness")                                   \
    X(SINK_THROTTLE, "sink-throttle", FAULT_SINK | FAULT_RATIO, 0,                                 \
      "a store answers that there are too many requests",                                          \
      "rate limits: 429 above 100 requests/s and namespace in Pinecone", "convergence")            \
    X(ITEM_FAILURES, "item-failures", FAULT_SINK | FAULT_RATIO, 0,                                 \
      "single items of a batch fail for now; the rest of the batch goes on",                       \
      "OpenSearch bulk: items are answered one by one, `errors: true`", "convergence")             \
    X(STALE_WRITE, "stale-write", FAULT_SINK | FAULT_RATIO | FAULT_DELAY, 0,                       \
      "a write that was carried out is carried out once more up to `delay` later",                 \
      "a client's retry that overtakes nothing and arrives last; a known hazard of Elasticsearch", \
      "version-monotone convergence")                                                              \
    X(WORKER_CRASH, "worker-crash", FAULT_WORKER | FAULT_EVERY, FAULT_DOWN,                        \
      "a worker dies and another takes its place `down` later", "OOM kill, node loss, deploy",     \
      "convergence no-duplicate-row")                                                              \
    X(WORKER_CRASH_AT_WRITE, "worker-crash-at-write", FAULT_SINK | FAULT_RATIO, FAULT_DOWN,        \
      "a worker dies at the moment at which a write of its arrives at a store",                    \
      "a crash between the effect and its checkpoint", "convergence no-duplicate-row")             \
    X(WORKER_PAUSE, "worker-pause", FAULT_WORKER | FAULT_EVERY | FAULT_DOWN, 0,                    \
      "a worker stands still for `down`, loses its partitions, and goes on as a zombie",           \
      "GC pause, VM migration, SIGSTOP", "version-monotone convergence")                           \
    X(DUAL_WRITE, "dual-write", FAULT_RATIO, 0,                                                    \
      "a change of a listing or a seller is committed to OLTP and never reaches the log",          \
      "an application that writes to its database and to the log one after the other, without an " \
      "outbox, and dies in between",                                                               \
      "reconciliation")                                                                            \
    X(ITEM_REFUSALS, "item-refusals", FAULT_SINK | FAULT_RATIO, 0,                                 \
      "single items of a batch are refused for good; the rest of the batch goes on",               \
      "a mapping or a limit of an index that was changed by hand", "load-failures reconciliation") \
    X(MODEL_DRIFT, "model-drift", FAULT_RATIO, 0,                                                  \
      "an embedding is answered with vectors of another kind: well formed, of length 1, "          \
      "elsewhere",                                                                                 \
      "a silent change of the model, or of its tokenizer, behind the service's gateway",           \
      "embedding-drift")

enum fault_kind {
#define FAULT_ENUM(identifier, name, required, optional, about, models, checks) FAULT_##identifier,
    FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_KIND_COUNT
};

struct fault_about {
    const char *name;
    unsigned required; /* bits of enum fault_parameter; from and until are always allowed */
    unsigned optional;
    const char *about;
    const char *models;
    const char *checks;
};
/* FAULT_KIND_COUNT rows. */
const struct fault_about *fault_table(void);
/* Index of a name, or -1. */
int fault_find(const char *name);

enum fault_sink {
    SINK_VECTORS,
    SINK_KEYWORDS,
    SINK_WAREHOUSE,
    SINK_EMBEDDING,
    SINK_STATE, /* the checkpoint store */
    SINK_LOG,   /* produce requests */
    SINK_COUNT
};
const char *fault_sink_name(enum fault_sink sink);
int fault_sink_find(const char *name);

/* Where in a write a crash strikes. */
enum fault_point {
    POINT_BEFORE, /* nothing was done */
    POINT_AFTER,  /* all was done, the reply is lost */
    POINT_HALF,   /* the first half was done, the reply is lost */
    POINT_COUNT
};
const char *fault_point_name(enum fault_point point);
int fault_point_find(const char *name);

struct fault {
    enum fault_kind kind;
    enum topic_id feed;
    enum fault_sink sink;
    enum machine_kind worker;
    enum fault_point point;
    uint32_t ratio_num, ratio_den;
    int64_t every_ns;
    int64_t delay_ns;
    int64_t down_ns;
    int64_t from_ns;
    int64_t until_ns; /* 0: until healing */
    bool always;      /* a swarm never switches it off */
    bool off;         /* switched off for this seed */
};

/*
 * The name of a fault's random stream: what it does to whom, and the how-manyeth of that it is, so
 * that other faults before or behind it in the scenario change nothing. `use` tells streams of one
 * fault apart.
 */
#define FAULT_STREAM_TEXT 160
void fault_stream_name(const struct fault *faults, size_t i, const char *use,
                       char text[FAULT_STREAM_TEXT]);

/*
 * Swarm: switches each fault off with probability 1/2, decided by a stream of its own for each, so
 * that a seed tries some faults without the others. Faults that are all on, all the time, hide
 * what only the absence of one shows (Groce et al., Swarm Testing, 2012).
 */
void faults_swarm(struct fault *faults, size_t count, uint64_t seed);

#endif
