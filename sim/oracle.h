/*
 * The oracle: judges a run from outside (D2). It hears what sellers said, what was appended to the
 * log and what readers of each store can see, and never asks the pipeline what it thinks; of the
 * core it uses the wire format alone.
 *
 *     operations ---------> reference model ------------------------+
 *     feeds appended -----> who must be gone, and since when        |  oracle_finish compares
 *     log appended -------> which position changed what readers see |  every store with it
 *     row_changed --------> safety checks, freshness samples        |
 *     alias_switched -----> what readers see instead                |
 *     orders -------------> which models are served and written ----+
 *
 * Safety is judged as writes happen; convergence at the end, when the run has healed. A check that
 * had nothing to look at says no_data, which is never a pass.
 *
 * Freshness: a log record that changes what a reader sees of a listing opens a sample per store
 * (vector-fused, keyword, gold). It is visible when a reader can see that position or something
 * newer; where the change takes the listing out of a store, when readers no longer see it there.
 * Visibility lag runs from the append to the feed, event lag from the producer's time. Records that
 * went through the late queue, and are older than the allowed lateness, are counted apart.
 *
 * Models (A10): readers see what the alias points to, so expectations follow it: rows, recomputed
 * vectors and samples are those of the collection that it points to. At a switch the oracle
 * re-reads what readers see of every listing and holds it against what they saw before: nothing may
 * vanish, grow older or come back from deletion, changes younger than switch_in_flight_ns apart.
 * Which model is to be served, which one is written beside it and which is to be gone follows from
 * the orders that operators gave, never from what the pipeline says of itself.
 *
 * A leader change that loses records of the listing log (C2) tears the histories of their listings:
 * who had folded them showed versions that others never made. From the first of them to the last
 * record that is told again of a listing, silver may have its versions or not; then all agree
 * again.
 */
#ifndef MURPHY_SIM_ORACLE_H
#define MURPHY_SIM_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/control.h"
#include "pipeline/effects.h"
#include "pipeline/ports.h"
#include "pipeline/topics.h"
#include "sim/fake_vector_db.h"
#include "sim/pulse.h"
#include "sim/reference.h"
#include "sim/simulation.h"
#include "sim/store.h"
#include "sim/workload.h"

struct oracle;

/* One accepted change that became visible in one store. */
struct oracle_sample {
    uint64_t listing_id;
    enum store_id store;
    doc_version version; /* its position in the listing log */
    vtime event;         /* producer's time */
    vtime log;           /* appended to its feed */
    vtime visible;
};

/* A position of the listing log at which a listing is another one than before. */
struct oracle_change {
    uint64_t listing_id;
    doc_version version;
    vtime at;       /* append */
    uint8_t wanted; /* bit (1 << enum modality) for each vector row that it asks for; with the text
                       vector goes the keyword row */
    bool seen;      /* readers see a difference: freshness is measured */
};

/* A zero member means its default. */
struct oracle_options {
    vtime start;                  /* of the run: minute 0 of every series */
    vtime traffic_end;            /* silence after it is right; 0: there is no such moment */
    uint32_t model_version;       /* that the aliases point to at the start; 1 */
    int64_t allowed_lateness_ns;  /* as the pipeline is configured; 2 h */
    int64_t orphan_after_ns;      /* likewise: images that nobody names for so long; 7 d */
    int64_t future_max_ns;        /* likewise: what is further ahead is refused; 5 min */
    int64_t gone_within_ns;       /* a deleted or suppressed listing has left every serving store so
                                     long after its feed took the change; 5 min */
    int64_t switch_in_flight_ns;  /* a change so young need not be in the collection that an alias
                                     switches to; 5 min */
    int64_t suppressed_within_ns; /* readers do not get a suppressed one any more; gone_within_ns */
    int64_t
        erasure_within_ns; /* an erasure reached every store so long after it was asked for; 72 h
                            */
    int64_t warehouse_kept_ns;  /* as the warehouse is configured: 730 days; negative: for ever */
    bool leaders_unclean;       /* a leader may take acknowledged records with it */
    bool vectors_unconditional; /* any write to them applies: what arrives last stands until a
                                   reconciliation, and no version or deletion is judged before */
    int64_t aliases_apart_ns;   /* for so long they may point to different models */
    bool refusals;              /* stores refuse rows for good on purpose: letters that say so are
                                   right */
    /* A write of a vector over one of the same content is needless. Where metadata alone cannot be
     * written it is not: there it is an embedding that was made although the row had it. */
    bool vectors_whole;
    uint64_t needless_embeddings_max_ppm; /* of all full vector writes, or embeddings; 0 is 0 */
    void (*sampled)(void *ctx, const struct oracle_sample *sample); /* hears of each; may be NULL */
    void (*changed)(void *ctx, const struct oracle_change *change); /* likewise */
    void *ctx;                                                      /* of both */
    unsigned losses_expected; /* bits 1 << topic: what these lose is no violation */
    uint32_t vectors_every;   /* recompute the vectors of each n-th listing at the end; 1: of all */
};

/* NULL when out of memory. */
struct oracle *oracle_new(const struct oracle_options *options);
void oracle_free(struct oracle *o);

/* The database whose aliases it is told of; without it none may switch. It must outlive the last
 * call that hears or asks whether all is settled. */
void oracle_reads(struct oracle *o, struct fake_vector_db *vectors);

/* Whose stores are looked at while it runs, for erasures; without it they are not judged. */
void oracle_watch(struct oracle *o, struct simulation *s);

/* What became of erasures. */
struct oracle_erasures {
    uint64_t asked, certified;
    int64_t longest_ns; /* from the request to the certificate */
};
struct oracle_erasures oracle_erasures(const struct oracle *o);

/* ---- Hearing: hand them on from a struct simulation_observer ---- */

/* Time has come so far: what was due is judged as of its own moment. Everything heard tells it too.
 */
void oracle_tick(struct oracle *o, vtime now);

void oracle_operation(struct oracle *o, vtime now, const struct workload_op *op);
void oracle_appended(struct oracle *o, vtime now, enum topic_id topic, uint32_t partition,
                     const struct log_record *record);
/* A record goes with its leader: nobody need have read it, and it has to be said again. */
void oracle_truncated(struct oracle *o, vtime now, enum topic_id topic, uint32_t partition,
                      const struct log_record *record);
/* A record was taken for a repeat and not appended. */
void oracle_repeated(struct oracle *o, vtime now, const struct produce_item *item,
                     uint32_t partition, int64_t offset);
/* What a machine of that kind is told: of interest are answers of the log. */
void oracle_told(struct oracle *o, enum machine_kind kind, const struct event *event);
void oracle_row_changed(struct oracle *o, vtime now, const struct row_change *change);
void oracle_embedded(struct oracle *o, vtime now, const struct embed_item *items,
                     const struct embed_result *results, size_t count);
/* An alias points to another collection of its modality; 0: none. */
void oracle_alias_switched(struct oracle *o, vtime now, enum modality modality, uint32_t from,
                           uint32_t to);
/* A row changed in the collection of a model that no alias points to. */
void oracle_unseen_row_changed(struct oracle *o, vtime now, const struct row_change *change);
void oracle_seller_changed(struct oracle *o, vtime now, enum store_id store, uint64_t seller_id,
                           enum policy_status status);
/* An observer that does just that. */
struct simulation_observer oracle_observer(struct oracle *o);
/* An operator gave an order about models; any other is of no interest. Orders that the pipeline
 * must refuse are not told: carried out all the same, they break orders-obeyed. */
void oracle_ordered(struct oracle *o, vtime now, enum control_kind kind, uint32_t model_version);
/* The pipeline said that it refuses an order of that kind, which it may: the first that was not
 * carried out is none. */
void oracle_refused(struct oracle *o, enum control_kind kind);
/* A run of the nightly batch ended. */
void oracle_batch_made(struct oracle *o, vtime now, const struct batch_report *report);
/* Version 1 of a feed's contract, before anything comes in; without it the feed takes what the wire
 * carries. */
void oracle_contract(struct oracle *o, enum topic_id feed, struct bytes text);
/* An operator is about to order the registration of a contract; `refused` when the pipeline must
 * not accept it. */
void oracle_registration(struct oracle *o, enum topic_id feed, struct bytes text, bool refused);
/* What a probe search through the alias, or the keyword index (model 0), answered to a query that
 * this model embedded. */
void oracle_hits(struct oracle *o, vtime now, enum store_id store, uint32_t model_version,
                 const struct search_hit *hits, size_t count);

/* The same hits, and the filter that they were found with (A7). */
void oracle_filtered(struct oracle *o, vtime now, enum store_id store,
                     const struct row_filter *filter, const struct search_hit *hits, size_t count);

/* A probe search was not answered. That a store is down is no fault of the pipeline's; that nothing
 * is where the alias points, or that it points nowhere, is. */
void oracle_search_failed(struct oracle *o, vtime now, enum store_id store, int error);

/* True once memory ran out: nothing that the oracle says then counts. */
bool oracle_out_of_memory(const struct oracle *o);

/*
 * Cheap. Nothing that was appended to a feed is still on its way: everything is routed, late queue
 * included, every change is visible in its stores, whoever must be gone is gone, every poison has
 * its dead letter. What is still in the outbox or in the workload, and the dashboard's next
 * refresh, are for the caller to wait for.
 */
bool oracle_settled(struct oracle *o);
/* Says in one sentence what it waits for; for the message of a run that does not settle. Good until
 * the next call. */
const char *oracle_waits_for(struct oracle *o);

/* The end checks. Once, after the run healed; call oracle_checks after it. */
void oracle_finish(struct oracle *o, struct simulation *s);

/* ---- Checks ---- */

enum oracle_status { ORACLE_NO_DATA = 0, ORACLE_PASS, ORACLE_FAIL };

struct oracle_check {
    const char *name;
    const char *id;   /* requirements that it serves, e.g. "A9" */
    const char *kind; /* "safety", "convergence" */
    enum oracle_status status;
    const char *expected; /* one clause each */
    const char *observed;
    vtime at;             /* of the first violation; else of the judgement */
    const char *evidence; /* first violations, a line each; "" when there are none */
};
/* All of them, in the order of the table. Before oracle_finish the convergence checks have no data.
 * Owned by the oracle, good until the next call. NULL and 0 when out of memory. */
const struct oracle_check *oracle_checks(struct oracle *o, size_t *count);

struct oracle_check_about {
    const char *name;
    const char *requirement;
    const char *kind;
    const char *about;
};
/* Static. */
const struct oracle_check_about *oracle_check_table(size_t *count);

/* Records that the topic acknowledged, and that went with a leader before they were passed on,
 * whether or not they were said again. */
uint64_t oracle_losses(const struct oracle *o, enum topic_id topic);

/* ---- Differences found by oracle_finish ---- */

/* Differences of one class in one store, classes as in reconciliation; in the vector stores those
 * of standby collections too. */
uint64_t oracle_drift(const struct oracle *o, enum store_id store, enum drift_class class);
uint64_t oracle_drift_total(const struct oracle *o);
/* Listings compared in a store. */
uint64_t oracle_compared(const struct oracle *o, enum store_id store);

struct oracle_difference {
    enum store_id store;
    enum drift_class class;
    uint64_t listing_id;
    doc_version expected_version; /* NONE: no row */
    doc_version observed_version;
    const char *expected; /* e.g. "price 123000" */
    const char *observed;
};
/* The first of each store, by store and listing. */
size_t oracle_difference_count(const struct oracle *o);
struct oracle_difference oracle_difference(const struct oracle *o, size_t i);

/* ---- Freshness ---- */

#define ORACLE_FRESH_STORES 3
/* STORE_VECTOR_FUSED, STORE_KEYWORD, STORE_GOLD */
enum store_id oracle_fresh_store(size_t i);

struct oracle_freshness {
    const struct lag_histogram *visibility; /* t_visible - t_log */
    const struct lag_histogram *event;      /* t_visible - t_event */
    uint64_t pending;                       /* samples that are not visible yet */
    uint64_t late;          /* visible, but went through the late queue: in neither histogram */
    uint64_t worst_listing; /* of visibility->max_ns; meaningless without data */
    vtime worst_at;         /* when it became visible */
};
struct oracle_freshness oracle_freshness(const struct oracle *o, size_t fresh_store);

/* How long a "minute" of the series below is: 1 minute, doubled whenever a series has 4,096 of
 * them. The worse of two neighbours that become one survives. */
int64_t oracle_minute_ns(const struct oracle *o);

/* One virtual minute of a store: of the samples that became visible in it. */
struct oracle_minute {
    uint64_t samples;
    int64_t lag_max_ns; /* visibility lag; meaningless without samples */
    int64_t lag_p95_ns;
    int64_t pending_age_ns; /* of the oldest sample still waiting at the end of it; 0: none */
};
/* Minute i spans [start + i * w, start + (i + 1) * w) with w = oracle_minute_ns(): complete ones,
 * and after oracle_finish the last one too. */
const struct oracle_minute *oracle_minutes(const struct oracle *o, size_t fresh_store,
                                           size_t *count);

/* One virtual minute of a feed. */
struct oracle_feed_minute {
    uint64_t records;   /* appended in it */
    int64_t lag_max_ns; /* append - event time; meaningless without records; poison not counted */
    int64_t silence_ns; /* from the last append to the end of it; -1: never appended */
};
/* topic: LISTING, MEDIA, POLICY or ORDER. */
const struct oracle_feed_minute *oracle_feed_minutes(const struct oracle *o, enum topic_id topic,
                                                     size_t *count);
/* append - event time of all records of a feed, late ones included. */
const struct lag_histogram *oracle_feed_lag(const struct oracle *o, enum topic_id topic);

/* ---- Seams ---- */

/* Where things come through, and when: feeds by their topic, then these. Lags are from a record's
 * append to its feed; those of stores are in struct oracle_freshness. */
enum oracle_pulse {
    PULSE_FEED, /* + enum topic_id of a feed; lag from the event, of the first copy of each */
    PULSE_ANY_FEED = PULSE_FEED + TOPIC_FEED_COUNT, /* without lag */
    PULSE_LOG,                                      /* routed: appended to the listing log */
    PULSE_VECTORS, /* visible in the fused collection that is served */
    PULSE_KEYWORDS,
    PULSE_GOLD,
    PULSE_LETTERS, /* refused: a dead letter says so */
    PULSE_COUNT
};
const struct pulse *oracle_pulse(const struct oracle *o, enum oracle_pulse which);

/* ---- Counts ---- */

struct oracle_counts {
    uint64_t operations;
    uint64_t poison;
    uint64_t feed_records;    /* appended to the four feeds */
    uint64_t feed_duplicates; /* of them, events that the feed had already */
    uint64_t late_records;    /* appended to the late queue */
    uint64_t log_records;     /* appended to the listing log */
    uint64_t visible_changes; /* of them, those that changed what a reader sees */
    uint64_t dead_letters;
    uint64_t lost_unread; /* records that expired before the loader read them */
    uint64_t claims;      /* records that their contract may refuse although they decode */
    uint64_t row_changes[STORE_COUNT];
    uint64_t full_vector_writes; /* ROW_UPSERT on a vector row */
    uint64_t metadata_writes;    /* ROW_METADATA on a vector row */
    uint64_t needless_embeddings;
    uint64_t tampered_rows; /* rows that were not as last written when the next write came */
    uint64_t erasures;      /* certified */
    uint64_t hits;          /* judged */
    uint64_t switches;      /* of aliases */
    uint64_t moves_ordered; /* cutovers and rollbacks */
    uint64_t drops_ordered; /* retirements, upgrades given up */
};
struct oracle_counts oracle_counts(const struct oracle *o);

/* The model version that is to be written beside the served one, by the orders; 0: none. */
uint32_t oracle_standby_model(const struct oracle *o);

/* The model that it compares with. */
struct reference *oracle_reference(struct oracle *o);

#endif
