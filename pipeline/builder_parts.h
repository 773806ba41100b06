/*
 * What the files of the document builder share (pipeline/builder.c says what it does):
 *
 *     builder.c             folds the log, obeys announcements and repairs, keeps the pace
 *     builder_rows.c        what a row needs, and what an answer of its store means
 *     builder_lane.c        the vector rows of one model version: queues, embeddings, writes
 *     builder_answers.c     what the embedding service and the vector database said
 *     builder_keywords.c    the keyword rows
 *     builder_audit.c       which model version makes which vectors
 *     builder_checkpoint.c  the checkpointed form
 *
 * Private to the builder.
 */
#ifndef MURPHY_PIPELINE_BUILDER_PARTS_H
#define MURPHY_PIPELINE_BUILDER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/folded.h"
#include "pipeline/index_queue.h"
#include "pipeline/listings.h"
#include "pipeline/partitioned.h"

enum {
    PURPOSE_EMBED = TASK_PURPOSE_OWN, /* argument: lane_argument */
    PURPOSE_VECTORS,                  /* argument: lane_argument */
    PURPOSE_KEYWORDS,                 /* argument: 1 for rows of listings that went */
    PURPOSE_LETTERS,                  /* dead letters; argument: the source, which waits for them */
    PURPOSE_AUDIT,                    /* what is said of vectors */
};

enum { SOURCE_LOG, SOURCE_CONTROL, SOURCE_COUNT };

/* Rows of a listing: its vectors in the order of enum modality, then the keyword row. */
enum { ROW_KEYWORD = MODALITY_COUNT, ROW_COUNT };

/* Where a key may have several rows and a delete takes one, so many go before a repair writes. */
enum { REPAIR_STRIKES = 4 };

/* What the document asks of a row, whatever its store. */
struct want {
    uint64_t content;  /* content hash; 0: no row */
    doc_version moved; /* version at which it changed last */
};

/* What a store acknowledged of a row. */
struct row {
    bool known;            /* something, since the listing was loaded */
    bool repair;           /* write over the same version too */
    uint8_t strikes;       /* and before that delete so often: there may be several rows */
    bool remake;           /* with a vector that was not kept from before */
    uint64_t content;      /* content hash; 0: no row */
    doc_version version;   /* version */
    doc_version abandoned; /* version that the store refuses for good; dead-lettered */
    doc_version anew;      /* version whose vector was refused and is made a second time */
};

struct listing {
    struct listing_head head;
    struct want wants[ROW_COUNT];
    struct row keyword;
    bool keyword_busy;
    bool keyword_queued[2]; /* in builder_task.keywords */
};

/* ---- Lanes ---- */

/* The vector rows of a listing in one lane. */
struct lane_rows {
    struct row rows[MODALITY_COUNT];
    uint64_t embedding[MODALITY_COUNT]; /* content hashes that are being embedded; 0: not */
    doc_version embedding_version;      /* of the document that they were asked for */
    uint64_t embed_request;             /* that makes them; 0: none */
    uint8_t writes;                     /* requests under way for these rows */
    uint8_t queued;                     /* bits: the queues of the lane that hold the listing */
    bool joined;                        /* see struct lane */
    bool backfill;                      /* it joined by a repair, and was not written since */
    bool backfill_under_way;            /* it counts in lane.backfill_under_way */
};

/* What waits in a lane, the most urgent first. A listing that lags and has nothing under way stands
 * in the queue of its class; what stands elsewhere too was overtaken by events and is skipped. */
enum lane_class {
    LANE_GONE,     /* listings that are not served any more: their rows go (A8) */
    LANE_WRITES,   /* can be written as they are */
    LANE_EMBEDS,   /* need vectors made first */
    LANE_BACKFILL, /* asked for by the backfill: after everything that is alive */
    LANE_CLASS_COUNT,
    LANE_NOTHING = LANE_CLASS_COUNT
};

/*
 * The vector collections of one model version (A10). One lane is served: readers see it through the
 * aliases. Another may be open beside it, a shadow: a listing takes part there once it joined, by a
 * visible change since the lane was opened (dual write), by a repair that names it (backfill), or
 * since it is gone.
 *
 *     closed --announced beside the served one--> shadow --announced as served--> served
 *        ^                                                                          |
 *        +------ not announced any more ------ former, written on for a rollback <--+
 *
 * Lanes do not wait for each other, save that backfill gives way to a served lane under pressure.
 */
struct lane {
    uint32_t model_version; /* 0: closed */
    doc_version opened;     /* position of the announcement; NONE: it never needed one */
    uint32_t serial;        /* tells its requests from those of lanes that were closed */
    bool served;
    bool everyone;          /* it is, or was, served: every listing has joined */
    struct lane_rows *rows; /* by index of the listing */
    size_t count, capacity;
    struct index_queue queues[LANE_CLASS_COUNT];
    size_t under_way;          /* listings with a request */
    size_t backfill_under_way; /* those that the backfill asked for */
    uint32_t embeds_under_way; /* requests */
    /* Requests that go in circles: while there is one, no other is sent there (an open circuit). */
    uint32_t embed_failing, writes_failing, gone_failing;
    /* What the service and the store take at once, learned from what they refused; 0: no limit. */
    uint32_t embed_items_max, write_items_max;
    bool flawed; /* the service answered with vectors that are not written; an alert said so */
};

enum { LANE_COUNT = 2 };

/* What is said of vectors in one step: a produce that is made when the first record comes. */
struct audits {
    size_t room;
    struct effect *produce;
};

struct builder_task {
    struct task task;
    struct listings listings;
    struct lane lanes[LANE_COUNT];
    uint32_t lane_serial_last;
    struct stamp announced; /* of the announcement obeyed last; its number is the low id */
    bool lanes_unsaved;
    struct index_queue keywords[2]; /* [1]: of listings that went, ahead of the others (A8) */
    size_t keywords_under_way;
    uint32_t keywords_failing[2];
    uint32_t keyword_items_max;
    bool reading;              /* the log */
    bool fetch_paused;         /* while too much waits for a sink */
    uint32_t audits_under_way; /* requests; no checkpoint is taken meanwhile */
    struct audits repairs;     /* of the repair command at hand */
};

static inline struct listing *listing_at(const struct builder_task *task, size_t at) {
    return listings_at(&task->listings, at);
}

/* True when no store is to hold anything of the listing. */
static inline bool listing_gone(const struct listing *listing) {
    return listing->wants[MODALITY_TEXT].content == 0 &&
           listing->wants[MODALITY_IMAGE].content == 0 &&
           listing->wants[MODALITY_FUSED].content == 0;
}

/* ---- Rows: builder_rows.c ---- */

/* Brings what each row should be up to the document. */
void wants_update(struct listing *listing);

enum need { NEED_NOTHING, NEED_CONTENT, NEED_METADATA, NEED_DELETE };
enum need row_need(const struct partitioned *builder, const struct folded *folded,
                   const struct want *want, const struct row *row);
/* tombstone_rows: the store forgets tombstones, so a deletion is a row. */
enum row_write_kind row_kind(enum need need, bool tombstone_rows);
enum version_rule row_rule(const struct partitioned *builder, const struct row *row,
                           enum row_write_kind kind);
/* The metadata to write, copied into the effect; a metadata-only write names the content that the
 * store should hold. 0 or -ENOMEM. */
int row_meta(const struct listing *listing, const struct want *want, const struct row *row,
             enum need need, struct effects *effects, struct effect *write, struct row_meta *meta);
/* Takes in what the store said of one row, unless it refused it for good. */
void row_settle(struct partitioned *builder, struct row *row, enum item_status status,
                enum row_write_kind kind, enum version_rule rule, const struct row_meta *meta);
/* The repair of a row: it is written anew, whatever the store acknowledged before. */
void row_repair(struct row *row);

/* Dead letters of one step: a produce that is made when the first one comes. */
struct letters {
    size_t source; /* that waits for them */
    size_t room;
    struct effect *produce;
};
/* 0 or -ENOMEM. */
int letter_add(struct partitioned *builder, struct builder_task *task, struct letters *letters,
               uint64_t key, const struct dead_letter *letter, struct effects *effects);
/* The document's present version of the row is refused for good: it is set aside until the document
 * moves on. 0 or -ENOMEM. */
int row_abandon(struct partitioned *builder, struct builder_task *task, size_t at, struct row *row,
                const char *name, struct letters *letters, struct effects *effects);

/* Items of one write request: stores limit their batches (Pinecone to 1,000 rows). */
static inline size_t batch_room(size_t items, uint32_t items_max) {
    enum { WRITE_ITEMS_MAX = 1000 };
    size_t most = items_max > 0 && items_max < WRITE_ITEMS_MAX ? items_max : WRITE_ITEMS_MAX;
    return items < most ? items : most;
}

/* So many items at once were too many. */
static inline void items_max_learn(uint32_t *items_max, size_t refused) {
    uint32_t half = (uint32_t)(refused / 2);
    if (*items_max == 0 || half < *items_max) {
        *items_max = half;
    }
}

/* ---- Lanes: builder_lane.c ---- */

/* What a request of a lane says of itself. */
static inline uint32_t lane_argument(const struct lane *lane, bool gone, size_t modality) {
    return lane->serial << 3 | (uint32_t)gone << 2 | (uint32_t)modality;
}
static inline uint32_t argument_serial(uint32_t argument) {
    return argument >> 3;
}
static inline bool argument_gone(uint32_t argument) {
    return (argument >> 2 & 1) != 0;
}
static inline size_t argument_modality(uint32_t argument) {
    return argument & 3;
}

/* The open lane, or NULL. */
struct lane *lane_served(struct builder_task *task);
struct lane *lane_of_model(struct builder_task *task, uint32_t model_version);
struct lane *lane_of_serial(struct builder_task *task, uint32_t serial);

/* Opens a lane in a free place. 0 or -ENOMEM. */
int lane_open(struct builder_task *task, uint32_t model_version, doc_version opened,
              struct lane **lane);
/* Forgets everything of it; answers that are still to come find no lane. */
void lane_close(struct lane *lane);
void lanes_close(struct builder_task *task);
/* Opens the lane that is served before anything was announced. 0 or -ENOMEM. */
int lanes_begin(const struct pipeline_config *config, struct builder_task *task);
/* Makes room for `count` listings. 0 or -ENOMEM. */
int lane_reserve(struct lane *lane, size_t count);

/* Queues the listing if it lags and has nothing under way. 0 or -ENOMEM. */
int lane_queue(struct partitioned *builder, struct builder_task *task, struct lane *lane,
               size_t at);
/* Sends what waits, as far as nothing holds it up. 0 or -ENOMEM. */
int lane_pump(struct partitioned *builder, struct builder_task *task, struct lane *lane,
              struct effects *effects);
/* Listings that wait or are under way. */
size_t lane_backlog(const struct lane *lane);

/* The write requests of each modality that are being filled; a full one is followed by the next. */
struct vector_batch {
    struct effect *effects[MODALITY_COUNT];
    size_t room;
    bool gone;
};
/* Bits of the modalities that need vectors which are not at hand; `made` holds vectors by modality,
 * or NULL. */
uint8_t vectors_wanted(const struct partitioned *builder, const struct listing *listing,
                       const struct lane_rows *rows, float *const *made);
/* Sends every lagging vector row of the listing. 0 or -ENOMEM. */
int vectors_write(struct partitioned *builder, struct builder_task *task, struct lane *lane,
                  size_t at, float *const *made, struct vector_batch *batch,
                  struct effects *effects);
/* A write request with room for `room` items; NULL when out of memory. */
struct effect *vectors_begin(struct partitioned *builder, struct builder_task *task,
                             const struct lane *lane, uint32_t argument, size_t room,
                             struct effects *effects);
/* The listing's request is over, or given up. */
void lane_ended(struct lane *lane, struct lane_rows *rows);

/* ---- Answers: builder_answers.c ---- */

/* As task_ops says of `answered` and `refused`. */
int lane_answered(struct partitioned *builder, struct builder_task *task, uint32_t purpose,
                  uint32_t argument, const struct event *event, struct effects *effects,
                  bool *again);
int lane_refused(struct partitioned *builder, struct builder_task *task, uint32_t purpose,
                 uint32_t argument, const struct event *event, struct effects *effects,
                 bool *again);

/* ---- Keyword rows: builder_keywords.c ---- */

int keywords_queue(struct partitioned *builder, struct builder_task *task, size_t at);
int keywords_pump(struct partitioned *builder, struct builder_task *task, struct effects *effects);
size_t keywords_backlog(const struct builder_task *task);
int keywords_answered(struct partitioned *builder, struct builder_task *task,
                      const struct event *event, struct effects *effects, bool *again);
int keywords_refused(struct partitioned *builder, struct builder_task *task,
                     const struct event *event, struct effects *effects, bool *again);

/* ---- The audit: builder_audit.c ---- */

/*
 * Says which model version makes which vectors of the listing's present version in that lane, and
 * which of them (`made`, bits) are made anew. Said before the vectors are asked for, of every
 * version that readers could come to see: so a crash between two steps hides none (A11). Nothing is
 * said of a listing without vectors. 0 or -ENOMEM.
 */
int audit_add(struct partitioned *builder, struct builder_task *task, struct audits *audits,
              const struct lane *lane, const struct listing *listing, uint8_t made,
              struct effects *effects);
/* The modalities that the listing has vectors of, as bits. */
uint8_t audit_modalities(const struct listing *listing);

/* ---- Told once more: builder_restate.c ---- */

/* Tells the listing's images to the log once more, if the record is its row that reconciliation
 * published. Nothing is read until they are in. 0 or -ENOMEM. */
int restate(struct partitioned *builder, struct builder_task *task, const struct listing *listing,
            const struct record *record, struct effects *effects);

/* ---- Checkpoints: builder_checkpoint.c ---- */

int builder_save_entries(struct partitioned *builder, struct task *head, struct effect *save,
                         struct effects *effects);
int builder_restore_entry(struct partitioned *builder, struct task *head, uint64_t key,
                          struct bytes value);

/* ---- builder.c ---- */

/* Queues the listing for whichever of its sinks lags and has nothing under way. 0 or -ENOMEM. */
int listing_queue(struct partitioned *builder, struct builder_task *task, size_t at);
/* Index of the listing, made if need be, with room in every open lane; -ENOMEM. */
int64_t listing_make(struct builder_task *task, uint64_t id);

#endif
