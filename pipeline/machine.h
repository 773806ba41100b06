/*
 * A pipeline machine: an event in, effects out.
 *
 *     pipeline_step(machine, &event, &effects)
 *
 * A machine does no I/O, reads no clock, draws no random number, starts no thread and keeps no
 * global. Time arrives inside the event. Every host (simulator, service, replay) builds machines
 * through machine_new and feeds them the same kinds of events; the sequence of events into a
 * machine is its journal, and the same journal gives the same effects, byte for byte (D7).
 *
 * Life: machine_new; EVENT_START once; then events in any order until machine_free. A crash is
 * machine_free without notice: what was not in a store or a checkpoint is gone.
 */
#ifndef MURPHY_PIPELINE_MACHINE_H
#define MURPHY_PIPELINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bugs.h"
#include "pipeline/effects.h"
#include "pipeline/ports.h"
#include "pipeline/vtime.h"

/* How the processes of a kind come to their work. */
enum machine_tenure {
    MACHINE_GROUPED,  /* a consumer group deals the partitions out; checkpoints by partition */
    MACHINE_LEASED,   /* one process, by a lease whose number is the generation; it is assigned
                         partition 0 alone, and checkpoints there */
    MACHINE_STATELESS /* one process, told of its start alone; no checkpoints */
};

/* X(identifier, name, tenure): made by NAME_new.
 *
 *   relay       outbox -> feeds
 *   router      feeds -> one log per listing; policy fan-out; late queue
 *   builder     log -> documents -> embeddings -> vector database, keyword index
 *   loader      log and orders -> warehouse, dashboard
 *   reconciler  compares the stores, repairs what differs
 *   watch       freshness and volume of each feed
 *   quality     nulls, schema, clocks, refused rows, drift of embeddings
 *   gate        policy feed -> the sellers whose rows readers do not get
 *   batch       nightly: gold and sales made anew from bronze, and compared
 *   upgrader    leads the vector collections from one embedding model to another
 *   steward     dead letters -> their feeds once more
 *   eraser      sees to it that erasures reach every place; certifies them
 */
#define MACHINES(X)                                                                                \
    X(RELAY, relay, LEASED)                                                                        \
    X(ROUTER, router, GROUPED)                                                                     \
    X(BUILDER, builder, GROUPED)                                                                   \
    X(LOADER, loader, GROUPED)                                                                     \
    X(RECONCILER, reconciler, STATELESS)                                                           \
    X(WATCH, watch, STATELESS)                                                                     \
    X(GATE, gate, LEASED)                                                                          \
    X(UPGRADER, upgrader, LEASED)                                                                  \
    X(BATCH, batch, LEASED)                                                                        \
    X(STEWARD, steward, LEASED)                                                                    \
    X(ERASER, eraser, LEASED)                                                                      \
    X(QUALITY, quality, LEASED)

enum machine_kind {
#define MACHINE_ENUM(identifier, name, tenure) MACHINE_##identifier,
    MACHINES(MACHINE_ENUM)
#undef MACHINE_ENUM
        MACHINE_KIND_COUNT
};
const char *machine_kind_name(enum machine_kind kind);
enum machine_tenure machine_tenure(enum machine_kind kind);
/* The name of a kind's consumer group and of its checkpoints; NULL for the stateless. */
const char *machine_group(enum machine_kind kind);

enum event_kind {
    EVENT_START,
    EVENT_ASSIGNED, /* this member now owns these partitions, under this generation, and no others
                     */
    EVENT_STATE,
    EVENT_SAVED,
    EVENT_RECORDS,
    EVENT_OUTBOX,
    EVENT_PRODUCED,
    EVENT_EMBEDDED,
    EVENT_WRITTEN,
    EVENT_LOADED,
    EVENT_SCANNED,
    EVENT_OBSERVED,
    EVENT_TIMER,
    EVENT_COMMAND,
    EVENT_ADMINISTERED,
    EVENT_VECTORS,
    EVENT_FOUND,
    EVENT_SALES,
    EVENT_KIND_COUNT
};
const char *event_kind_name(enum event_kind kind);

/* What a monitor sees of one feed. */
struct feed_observation {
    enum topic_id topic;
    uint64_t records; /* appended since the run began */
    uint64_t upserts, deletes;
    vtime last_append; /* meaningless while records is 0 */
    /* The group that is furthest behind, if what it has to read next is past half the time that the
     * topic keeps it, and when that was appended; NULL: none is. */
    const char *laggard;
    vtime unread;
};

enum command_kind {
    COMMAND_REPAIR,    /* builder: write these listings to that store anew; a listing that does not
                          take part in the writing of that model yet does so from now on, with all
                          its vectors (backfill, A10) */
    COMMAND_RECONCILE, /* reconciler: begin now */
    COMMAND_REMAKE, /* builder: the same as a repair, with vectors that the embedding service makes
                       anew: what was kept of them is not to be used (C5) */
    COMMAND_FINALISE, /* any machine: formats up to `level` are written from now on (C6) */
};

struct event {
    enum event_kind kind;
    vtime now;
    uint64_t request; /* of the effect that this answers, else 0 */
    int error;        /* enum port_error of the request as a whole */
    /* The answered effect, for events that answer one: its items with their results. It belongs
     * to the host and is good for the step. */
    const struct effect *answered;
    union {
        struct {
            uint32_t generation;
            const uint32_t *partitions; /* ascending */
            size_t count;
        } assigned;
        struct {
            struct bytes offsets; /* empty: there never was a checkpoint */
            const struct state_entry *entries;
            size_t count;
        } state;
        struct {
            const struct log_record *records;
            size_t count;
            /* PORT_OUT_OF_RANGE: what the log keeps, if `bounded`. PORT_TRUNCATED: `end` is where
             * the records part that were read before from those that are there now. */
            int64_t start, end;
            bool bounded;
            /* Asked with may_move: the log had not what was asked for, or its broker said so, and
             * the client stands at `position` instead. No records came. */
            bool moved;
            int64_t position;
        } records;
        struct {
            const struct outbox_row *rows;
            size_t count;
        } outbox;
        struct {
            const struct feed_observation *feeds;
            size_t count;
        } observed;
        struct {
            const struct sales_row *rows;
            size_t count;
        } sales;
        uint64_t timer; /* the machine's own name for it */
        struct {
            enum command_kind kind;
            enum scan_store store;
            uint32_t model_version; /* 0: the one that is served */
            const uint64_t *listing_ids;
            size_t count;
            uint32_t level; /* COMMAND_FINALISE */
        } command;
    };
};

/* How much of what; zero means the default beside it. */
struct pipeline_config {
    uint32_t partitions; /* of every topic; 8 */
    /* What this process may read and write (pipeline/format.h). */
    uint32_t code_version; /* formats up to that are read; the newest */
    uint32_t format_level; /* that is finalised as it starts; 1 */
    /* Version 1 of the contract of each feed (pipeline/registry.h); empty: what the wire carries.
     * The texts outlive the machine. */
    struct bytes contracts[TOPIC_FEED_COUNT];
    uint32_t model_version;         /* of embeddings; 1 */
    int64_t allowed_lateness_ns;    /* 2 h */
    int64_t late_batch_interval_ns; /* 1 h: how often the late queue is drained */
    int64_t orphan_after_ns;        /* 7 d: an image that nobody names for so long is never shown */
    int64_t orphan_kept_ns;         /* 14 d: its bytes stay, since as old a record may still come */
    int64_t future_max_ns;          /* 5 min: what is further ahead of its append is refused */
    int64_t checkpoint_interval_ns; /* 30 s */
    uint32_t fetch_records_max;     /* 512 */
    uint32_t embed_batch_max;       /* 128 */
    uint32_t embed_requests_max;    /* 8 under way for a partition and a model version */
    uint32_t backlog_max;           /* 4,096 listings that wait for a sink before fetching stops */
    int64_t retry_base_ns;          /* 200 ms, doubled by every attempt */
    int64_t retry_max_ns;           /* 30 s */
    int64_t dashboard_interval_ns;  /* 60 s */
    int64_t watch_interval_ns;      /* 30 s */
    int64_t feed_warn_ns[TOPIC_COUNT]; /* per feed; 0: no such threshold; both 0: not watched */
    int64_t feed_error_ns[TOPIC_COUNT];
    int64_t erasure_sweep_ns;    /* 1 h between looks at the places of an erasure */
    int64_t artifacts_settle_ns; /* 30 min: so far behind a listing of the object store may be;
                                    negative: not at all */
    int64_t erasure_warn_ns;     /* 48 h without a certificate */
    int64_t erasure_error_ns;    /* 60 h */
    int64_t volume_window_ns;    /* 1 h */
    uint64_t volume_deletes_min; /* 100: fewer deletes in a window are never an anomaly */
    uint64_t volume_upserts_min; /* likewise of upserts; 0: they are not watched */
    int64_t quality_window_ns;   /* 10 min: what the quality monitor holds against what is usual */
    int64_t quality_drift_ns;    /* 1 h: how often it looks at vectors */
    bool quality_off;
    uint32_t volume_factor; /* 10 times the usual deletes of a window are one */
    uint64_t
        quarantine_deletes_min;    /* so many deletes of a window and partition, if they are more
                                      than volume_factor times the usual, are held back; 0: never */
    int64_t reconcile_interval_ns; /* 0: on command only */
    int64_t reconcile_cutoff_ns;   /* 5 min: changes younger than this are in flight */
    int64_t reconcile_settle_ns;   /* 2 min from repair to the next pass */
    uint32_t reconcile_passes_max; /* 5 */
    bool reconcile_repair_off;     /* show the differences only */
    int64_t batch_interval_ns;     /* 24 h makes it nightly; 0: on command only */
    uint32_t batch_page_rows;      /* 4,096: of bronze, of gold */
    int64_t topics_kept_ns;        /* 14 days; negative: for ever */
    int64_t warehouse_kept_ns;     /* 730 days; negative: for ever */
    bool audit_off;                /* say of no vector which model made it */
    /* The relay and the router look whether a new leader has what a former one acknowledged, and
     * say again what it has not: for topics that may elect an unclean leader (C2). */
    bool verify_outputs;
    int64_t outbox_kept_ns; /* 10 min: so long the outbox then keeps what is published */
    bool idempotent;        /* the relay and the router number what they produce */
    /* 64: listings of a partition that the backfill asked for, under way */
    uint32_t backfill_in_flight_max;

    /* Of the upgrader. */
    uint32_t upgrade_page_rows;        /* 128 listings that a walk looks at together */
    int64_t upgrade_settle_ns;         /* 20 s between two looks at a page that differs */
    int64_t upgrade_cutoff_ns;         /* 2 min: changes younger than this may be in flight */
    int64_t upgrade_fresh_ns;          /* 2 min: a judgement that took longer is made again */
    int64_t upgrade_retry_ns;          /* 5 min until gates that failed are judged again */
    int64_t upgrade_guard_ns;          /* 60 s between two looks where the aliases point */
    int64_t upgrade_tend_ns;           /* between two walks that mend the collections which wait
                                          beside the served ones; 0: none are needed */
    int64_t upgrade_drain_ns;          /* 60 s from the end of the writes to the end of the rows */
    uint32_t upgrade_search_ef;        /* 100, of the searches that recall is measured with */
    uint32_t upgrade_recall_permille;  /* 900: recall@10 that the gate asks for */
    uint32_t upgrade_overlap_permille; /* 100: overlap@10 with the old model */
    uint32_t backfill_batch;           /* 32 listings whose repair is asked for and not seen yet */
    int64_t backfill_pause_ns;         /* 1 s after each look at a page */
    int64_t backfill_resend_ns;        /* 60 s until a repair is asked for once more */
    int64_t backfill_lag_ns;           /* 30 s: live writes behind by more hold the walk */
    int64_t backfill_hold_max_ns;      /* 10 min: no page is held for longer */

    /* What the stores of rows can do (docs/vector.md); each zero fits one that keeps versions and
     * tombstones for ever. */
    bool vector_tombstone_rows;  /* it forgets tombstones: a deletion is written as a row */
    bool keyword_tombstone_rows; /* likewise */
    int64_t vector_compact_ns;   /* how often it is told to drop what deletions left; 0: it needs no
                                    telling */
    bool vector_repair_deletes;  /* it may hold a key twice: a repair deletes before it writes */
    bool vector_whole_rows; /* it does not change metadata alone, or does so without a look at the
                               content: rows are written as a whole */
};
/* A copy with every zero replaced by its default (feed thresholds stay). */
struct pipeline_config pipeline_config_with_defaults(const struct pipeline_config *config);

struct machine;

/* What a machine counted since it was made; the host adds up incarnations. */
#define MACHINE_COUNTERS(X)                                                                        \
    X(RECORDS_READ, "records_read")                                                                \
    X(RECORDS_ROUTED, "records_routed")                                                            \
    X(POLICY_FANOUT, "policy_fanout")                                                              \
    X(ERASURE_FANOUT, "erasure_fanout")                                                            \
    X(ERASURE_SWEEPS, "erasure_sweeps")                                                            \
    X(ERASURES_CERTIFIED, "erasures_certified")                                                    \
    X(ERASED_DROPPED, "erased_dropped")                                                            \
    X(LATE, "late")                                                                                \
    X(DEAD_LETTERED, "dead_lettered")                                                              \
    X(FOLDED, "folded")                                                                            \
    X(NOT_NEWS, "not_news")                                                                        \
    X(EMBEDDINGS_MADE, "embeddings_made")                                                          \
    X(EMBEDDINGS_REUSED, "embeddings_reused")                                                      \
    X(EMBEDDINGS_AVOIDED, "embeddings_avoided")                                                    \
    X(VECTORS_WRITTEN, "vectors_written")                                                          \
    X(METADATA_WRITES, "metadata_only_writes")                                                     \
    X(ROW_DELETES, "row_deletes")                                                                  \
    X(STALE_REJECTED, "stale_rejected")                                                            \
    X(RETRIES, "retries")                                                                          \
    X(CHECKPOINTS, "checkpoints")                                                                  \
    X(BACKFILL_REPAIRS, "backfill_repairs")                                                        \
    X(BACKFILL_HOLDS, "backfill_holds")                                                            \
    X(GATES_JUDGED, "gates_judged")                                                                \
    X(ALIAS_SWITCHES, "alias_switches")                                                            \
    X(UPGRADE_REFUSALS, "upgrade_refusals")                                                        \
    X(QUARANTINED, "quarantined")                                                                  \
    X(REFERENCE_FANOUT, "reference_fanout")                                                        \
    X(ORPHANS_DROPPED, "orphans_dropped")                                                          \
    X(LETTERS_REPLAYED, "letters_replayed")                                                        \
    X(BATCHES_SPLIT, "batches_split")                                                              \
    X(TRUNCATIONS, "truncations")                                                                  \
    X(REROUTED, "rerouted")                                                                        \
    X(COMPACTIONS, "compactions")                                                                  \
    X(CHANNELS_REWOUND, "channels_rewound")                                                        \
    X(OFFSET_RESETS, "offset_resets")                                                              \
    X(CHECKPOINTS_SEALED, "checkpoints_sealed")                                                    \
    /* By the host: a partition's checkpoint went to a worker of another code version. */          \
    X(HANDED_TO_NEWER, "handed_to_newer")                                                          \
    X(HANDED_TO_OLDER, "handed_to_older")
enum machine_counter {
#define COUNTER_ENUM(identifier, name) COUNTER_##identifier,
    MACHINE_COUNTERS(COUNTER_ENUM)
#undef COUNTER_ENUM
        MACHINE_COUNTER_COUNT
};
const char *machine_counter_name(enum machine_counter counter);

/* The most that ever waited in one partition of a machine (A14). */
#define MACHINE_GAUGES(X)                                                                          \
    X(BACKLOG, "backlog_high") /* listings that wait for a sink of the builder */
enum machine_gauge {
#define GAUGE_ENUM(identifier, name) GAUGE_##identifier,
    MACHINE_GAUGES(GAUGE_ENUM)
#undef GAUGE_ENUM
        MACHINE_GAUGE_COUNT
};
const char *machine_gauge_name(enum machine_gauge gauge);

/*
 * Makes a machine. `member` tells the instances of one kind apart and seeds their retry jitter.
 * config and bugs (NULL: none) must outlive the machine. NULL when out of memory.
 */
struct machine *machine_new(enum machine_kind kind, uint32_t member,
                            const struct pipeline_config *config, const struct bugs *bugs);
void machine_free(struct machine *machine);

/*
 * Takes one event and appends effects. Returns 0, or -ENOMEM: then the machine's memory may hold
 * half a step, and the host must treat it as crashed (free it, release the effects unsent, and
 * restart it from its checkpoint).
 */
int pipeline_step(struct machine *machine, const struct event *event, struct effects *effects);

const uint64_t *machine_counters(const struct machine *machine);
const uint64_t *machine_gauges(const struct machine *machine);
enum machine_kind machine_kind_of(const struct machine *machine);

#endif
