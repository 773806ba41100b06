/*
 * Effects: what a machine of the core wants done. A step appends them to a struct effects; the
 * host takes them over, carries each out through a port, and answers with an event that names the
 * effect's request number.
 *
 * Every effect owns its memory: whatever it points to was allocated with effect_alloc and lives
 * until effect_release, however long the request travels and whether or not the machine that sent
 * it still exists. Memory comes from a pool of blocks that the host owns, so that a running
 * pipeline allocates nothing.
 *
 * A request is answered exactly once unless its machine is gone. After the answering step the host
 * releases the effect, except when that step asked for it again with EFFECT_RESEND: then the same
 * effect is sent once more at the stated moment. Resending is always harmless, since every write
 * is versioned or keyed.
 */
#ifndef MURPHY_PIPELINE_EFFECTS_H
#define MURPHY_PIPELINE_EFFECTS_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/erasure.h"
#include "pipeline/ports.h"
#include "pipeline/rows.h"
#include "pipeline/topics.h"
#include "pipeline/vtime.h"

/* In place of an offset: the oldest record that is kept. */
#define FETCH_OLDEST INT64_C(-1)
/* In place of an offset: the one that the group of whoever asks committed; where there is none, its
 * reset policy decides. The host puts what it found in its place. */
#define FETCH_COMMITTED INT64_C(-2)

enum effect_kind {
    /* Requests: each is answered by the event named beside it. */
    EFFECT_LOAD_STATE,        /* EVENT_STATE */
    EFFECT_SAVE_STATE,        /* EVENT_SAVED */
    EFFECT_FETCH,             /* EVENT_RECORDS, as soon as there is at least one record */
    EFFECT_OUTBOX_FETCH,      /* EVENT_OUTBOX, as soon as there is at least one row */
    EFFECT_PRODUCE,           /* EVENT_PRODUCED */
    EFFECT_EMBED,             /* EVENT_EMBEDDED */
    EFFECT_WRITE_VECTORS,     /* EVENT_WRITTEN */
    EFFECT_WRITE_KEYWORDS,    /* EVENT_WRITTEN */
    EFFECT_LOAD_WAREHOUSE,    /* EVENT_LOADED */
    EFFECT_REFRESH_DASHBOARD, /* EVENT_LOADED */
    EFFECT_SCAN,              /* EVENT_SCANNED */
    EFFECT_REPUBLISH,         /* EVENT_LOADED */
    EFFECT_OBSERVE_FEEDS,     /* EVENT_OBSERVED */
    EFFECT_BLOCK_SELLERS,     /* EVENT_LOADED */
    EFFECT_VECTOR_ADMIN,      /* EVENT_ADMINISTERED */
    EFFECT_READ_VECTORS,      /* EVENT_VECTORS */
    EFFECT_SEARCH,            /* EVENT_FOUND */
    EFFECT_ERASE,             /* EVENT_LOADED */
    EFFECT_READ_SALES,        /* EVENT_SALES */
    EFFECT_REPUBLISH_SALES,   /* EVENT_LOADED */
    EFFECT_OPEN_CHANNELS,     /* EVENT_LOADED */
    /* Statements: not answered. */
    EFFECT_RESEND,       /* send the request that was just answered once more */
    EFFECT_TIMER,        /* EVENT_TIMER at a moment */
    EFFECT_COMMIT,       /* tell the log's group how far this member is */
    EFFECT_TRIM_OUTBOX,  /* published rows may go */
    EFFECT_REPAIR,       /* tells the builder that owns each listing to write it to a store anew */
    EFFECT_ALERT,        /* something that an operator should know */
    EFFECT_REPORT,       /* the result of a reconciliation */
    EFFECT_BATCH_REPORT, /* the result of a nightly batch */
    EFFECT_COUNT
};
const char *effect_kind_name(enum effect_kind kind);

/* Stores that a scan or a repair can name. The vector collections come in the order of modality. */
enum scan_store {
    SCAN_OLTP,
    SCAN_GOLD,
    SCAN_VECTOR_TEXT,
    SCAN_VECTOR_IMAGE,
    SCAN_VECTOR_FUSED,
    SCAN_KEYWORD,
    SCAN_STORE_COUNT
};
const char *scan_store_name(enum scan_store store);

/* Channels that one request opens. */
enum { CHANNELS_MAX = 4 };

/* Who can be asked to erase listings: each looks at its own places (pipeline/erasure.h). */
enum erase_target {
    ERASE_SOURCE,
    ERASE_WAREHOUSE, /* fills in the subjects' versions, which the next two need */
    ERASE_VECTORS,
    ERASE_KEYWORD,
    ERASE_STATE, /* only looks: entries go with the next checkpoint */
    ERASE_ARTIFACTS,
    ERASE_ARTIFACTS_OF_STRETCH, /* of whatever listing; looks at nothing */
    ERASE_TARGET_COUNT
};
const char *erase_target_name(enum erase_target target);

/* Rows of a range, counted and summed by what they have in common between stores. Sums are over a
 * hash of each row, so that they do not depend on order. */
enum scan_view {
    VIEW_ALIVE,  /* the listing lives */
    VIEW_SERVED, /* it lives and its seller is not suppressed */
    VIEW_TEXT,   /* it is served and has that modality: as gold knows it; in a serving store each */
    VIEW_IMAGE,  /* row counts in the view of its own store */
    VIEW_FUSED,
    VIEW_COUNT
};
struct scan_digest {
    uint64_t rows[VIEW_COUNT];
    uint64_t source_sum[VIEW_COUNT]; /* of (listing id, source hash) */
    uint64_t whole_sum[VIEW_COUNT];  /* of (listing id, whole hash, version) */
    uint64_t rows_total;
    uint64_t id_first, id_last;           /* meaningless while rows_total is 0 */
    uint32_t model_least, model_greatest; /* model versions; meaningless while rows_total is 0 */
};

/* Adds a row of the given store to a digest; the one definition that every host sums with. */
void scan_digest_add(struct scan_digest *digest, enum scan_store store, const struct scan_row *row);

/* Classes of difference (DESIGN section 3). */
enum drift_class {
    DRIFT_MISSING,     /* should be there, is not */
    DRIFT_ORPHAN,      /* is there, should not be, and the pipeline never heard that it goes */
    DRIFT_DUPLICATE,   /* is there twice */
    DRIFT_STALE,       /* an older version */
    DRIFT_MISMATCH,    /* the same version, other content */
    DRIFT_RESURRECTED, /* is there although the pipeline deleted it */
    DRIFT_WRONG_MODEL, /* made by another model version than the collection's */
    DRIFT_SUPPRESSED_SERVED, /* is served although its seller is suppressed */
    DRIFT_IN_FLIGHT,         /* newer than the cutoff: not drift */
    DRIFT_CLASS_COUNT
};
const char *drift_class_name(enum drift_class c);

struct drift {
    enum scan_store store;
    enum drift_class class;
    uint64_t listing_id;
    doc_version expected_version;
    doc_version observed_version;
};

/* One pass of reconciliation. */
struct reconciliation_report {
    uint32_t run;  /* counts reconciliations that an operator or a timer started */
    uint32_t pass; /* 0: what was found; 1 and on: found again after repair */
    vtime cutoff;
    uint64_t rows_compared; /* listings in leaf ranges */
    uint64_t ranges_compared;
    uint64_t counts[SCAN_STORE_COUNT][DRIFT_CLASS_COUNT];
    uint64_t repairs_sent;       /* in this pass */
    const struct drift *samples; /* the first differences, in id order within a range */
    size_t sample_count;
};

/* One run of the nightly batch (A17). */
struct batch_report {
    uint32_t run; /* counts them */
    vtime from, to;
    vtime began;
    uint64_t records;   /* of bronze, read */
    uint64_t documents; /* made anew */
    uint64_t buckets;   /* of sales, made anew */
    /* Where the stream's gold and view differ from what was made; IN_FLIGHT is no difference. */
    uint64_t document_counts[DRIFT_CLASS_COUNT];
    uint64_t sales_counts[DRIFT_CLASS_COUNT];
    /* Where what was made of bronze's orders differs from what OLTP says of its own. */
    uint64_t source_counts[DRIFT_CLASS_COUNT];
    uint64_t remade;      /* buckets that were repaired from bronze */
    uint64_t republished; /* buckets whose orders OLTP was asked to tell again */
};

enum alert_state {
    ALERT_CLEARED,
    ALERT_WARN,
    ALERT_ERROR,
    ALERT_NO_DATA,
    ALERT_INFO /* no alarm: what a controller that works through stages has come to */
};
const char *alert_state_name(enum alert_state state);

struct effect {
    enum effect_kind kind;
    uint64_t request; /* unique within its machine, from 1; 0 for statements */
    struct effect *next;
    struct effect_block *blocks; /* memory of this effect */
    union {
        struct {
            const char *group; /* static */
            uint32_t partition;
            uint32_t generation;
        } load_state;
        struct {
            const char *group;
            uint32_t partition;
            uint32_t generation;
            struct bytes offsets;
            struct state_entry *entries;
            size_t count;
        } save_state;
        struct {
            enum topic_id topic;
            uint32_t partition;
            int64_t offset;
            uint32_t after_epoch; /* 1 + leader epoch of the record before `offset`; 0: not known */
            uint32_t max;
            bool no_wait; /* answer at once, with nothing if there is nothing */
            bool bronze;  /* from the warehouse, which keeps what the topic lost; no_wait */
            /* As the group's consumer, whose client moves a reader by the group's reset policy
             * (auto.offset.reset) and tells where to. Without it, whoever asks is told why the log
             * has not what he wants. */
            bool may_move;
        } fetch;
        struct {
            int64_t sequence;
            uint32_t max;
        } outbox_fetch;
        struct {
            struct produce_item *items;
            struct produce_result *results; /* filled by the host */
            size_t count;
            struct producer_mark mark; /* of the first item; none unless it is idempotent */
        } produce;
        struct {
            uint32_t model_version;
            struct embed_item *items;
            struct embed_result *results; /* vectors point into this effect */
            size_t count;
        } embed;
        struct {
            enum modality modality;
            uint32_t model_version;
            struct vector_write *items;
            enum item_status *statuses; /* filled by the host */
            size_t count;
        } vectors;
        struct {
            struct keyword_write *items;
            enum item_status *statuses; /* filled by the host */
            size_t count;
        } keywords;
        struct warehouse_batch warehouse;
        struct {
            enum scan_store store;
            enum scan_path path;
            uint32_t model_version;
            uint64_t first, last;
            uint32_t max;          /* rows wanted; 0: the digest alone */
            struct scan_row *rows; /* room for max rows, filled by the host */
            size_t count;
            bool rebuilt;  /* of gold: what the nightly batch made in its place */
            bool page;     /* end behind the max-th row: the digest is of those rows alone */
            bool complete; /* false: there are more rows than max */
            struct scan_digest digest;
        } scan;
        struct {
            uint64_t *listing_ids;
            size_t count;
            enum scan_store store;  /* REPAIR only */
            bool anew;              /* REPAIR only: COMMAND_REMAKE */
            uint32_t model_version; /* REPAIR of a vector store: of the collection; 0: the one that
                                       is served */
        } listings;                 /* REPUBLISH, REPAIR */
        struct {
            struct vector_admin what;
            enum item_status status; /* filled by the host, as are the targets */
            struct vector_targets targets;
        } admin;
        struct {
            enum modality modality;
            uint32_t model_version;
            uint64_t *listing_ids;
            float *vectors; /* room for count vectors, filled by the host */
            bool *found;
            size_t count;
        } read;
        struct {
            enum modality modality;
            uint32_t model_version; /* 0: through the alias */
            const float *queries;   /* count vectors, one after the other */
            size_t count;
            size_t k;
            uint32_t ef;
            bool exact;
            struct search_hit *hits; /* room for k of each query, filled by the host */
            size_t *hit_counts;      /* of each query */
        } search;
        struct {
            enum scan_store store; /* the keyword index, or any of the vectors: all of them */
            struct seller_block *items;
            size_t count;
        } block;
        struct {
            bool whole;
            vtime as_of; /* filled by the host */
        } refresh;
        struct {
            struct warehouse_channel items[CHANNELS_MAX]; /* tokens are filled by the host */
            size_t count;
        } channels;
        struct {
            enum erase_target target;
            uint32_t model_version; /* of vectors: 0 for every version */
            struct erasure_subject *subjects;
            size_t count;
            vtime artifacts_from;  /* of a stretch: those that were stored since */
            vtime artifacts_until; /* of artifacts: those that were stored by then */
            struct erasure_look looks[ERASURE_PLACE_COUNT]; /* filled by the host */
        } erase;
        struct {
            uint64_t request;
            vtime at;
            bool narrowed; /* of a write, answered item by item: without the items that are settled,
                              which the machine took in (effect_narrow) */
        } resend;
        struct {
            uint64_t id; /* the machine's own name for it */
            vtime at;
        } timer;
        struct {
            const char *group;
            uint32_t generation;
            enum topic_id topic;
            uint32_t partition;
            int64_t offset;
        } commit;
        int64_t trim_sequence;
        struct {
            const char *name;    /* static, e.g. "feed-freshness" */
            const char *subject; /* static, e.g. a topic's name */
            enum alert_state state;
            struct bytes evidence; /* one sentence */
        } alert;
        struct reconciliation_report report;
        struct {
            bool rebuilt; /* what the nightly batch made */
            bool oltp;    /* what the source says */
            vtime from, to;
            size_t skip, max;
        } sales;
        struct {
            struct sales_row *rows; /* category and hour count */
            size_t count;
        } republish_sales;
        struct batch_report batch;
    };
};

/* ---- Memory ---- */

struct effect_block;

/* Blocks by size class, reused; owned by the host, may outlive every machine. */
#define EFFECT_POOL_CLASSES 16
struct effect_pool {
    struct effect_block *free[EFFECT_POOL_CLASSES];
    uint64_t blocks_allocated; /* from the system, ever */
};
void effect_pool_init(struct effect_pool *pool);
void effect_pool_release(struct effect_pool *pool);

/* What one step wants done, in order. */
struct effects {
    struct effect_pool *pool;
    struct effect *first;
    struct effect **last;
    bool out_of_memory; /* an effect or part of one could not be allocated: the step failed */
};
void effects_init(struct effects *effects, struct effect_pool *pool);
/* Appends an effect; size_hint is how much memory will be asked of it in all, 0 if unknown. NULL
 * when memory ran out (effects->out_of_memory says so too). */
struct effect *effects_add(struct effects *effects, enum effect_kind kind, uint64_t request,
                           size_t size_hint);
/* Memory of the effect, zeroed, aligned for any type up to 64 bytes; NULL when there is none. */
void *effect_alloc(struct effects *effects, struct effect *effect, size_t size);
/* The same without zeroing, for what is filled at once. */
void *effect_alloc_raw(struct effects *effects, struct effect *effect, size_t size);
/* A copy of the bytes in the effect's memory; empty when out of memory or empty. */
struct bytes effect_copy(struct effects *effects, struct effect *effect, struct bytes bytes);
/* States an alert; name and subject are static, the evidence is copied. */
void effects_alert(struct effects *effects, const char *name, const char *subject,
                   enum alert_state state, struct bytes evidence);
/* Takes the first effect out, or NULL. The caller releases it when it is done with. */
struct effect *effects_take(struct effects *effects);
void effect_release(struct effect_pool *pool, struct effect *effect);
/* Leaves of an answered write only the items that may go through later, in their order: RETRYABLE
 * and UNKNOWN ones. A large batch of which some item fails every time would else never end. */
void effect_narrow(struct effect *write);

#endif
