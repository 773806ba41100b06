/*
 * Ports: what a host offers to the effects of the core, as {ops, ctx}.
 *
 * The core never calls a port; it emits effects, and the host carries each out through one of
 * these. A fake implements a port, a driver of a real system implements it, and a fault wraps it
 * in the same port. All calls happen at a stated moment `now`, do not block, do not re-enter the
 * core, and take effect at once; how long the request and its reply travel is the host's business.
 *
 * Batch calls fill one status per item and return 0, or return a negative PORT_ error that holds
 * for the whole batch, with no statement about any item except where said.
 *
 * Erasing: every store that keeps anything of a listing has an `erase`, which tells what it finds
 * of the subjects and then removes it, so a second call that finds nothing proves it (A12). It adds
 * to looks, of which it fills those of its own places alone, and may be repeated.
 */
#ifndef MURPHY_PIPELINE_PORTS_H
#define MURPHY_PIPELINE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/erasure.h"
#include "pipeline/record.h"
#include "pipeline/rows.h"
#include "pipeline/topics.h"
#include "pipeline/vtime.h"

enum port_error {
    PORT_OK = 0,
    PORT_UNAVAILABLE = -1,  /* nothing was done; try again later */
    PORT_UNKNOWN = -2,      /* some, all or none of it was done: the reply was lost */
    PORT_THROTTLED = -3,    /* nothing was done; try again later and slower (429) */
    PORT_TOO_LARGE = -4,    /* nothing was done; never will be at this size */
    PORT_FENCED = -5,       /* the caller's generation is over */
    PORT_OUT_OF_RANGE = -6, /* log: the offset is below the start or above the end */
    PORT_NO_MEMORY = -7,
    PORT_NOT_FOUND = -8, /* no such topic, collection, alias */
    PORT_TRUNCATED = -9, /* log: what stood before the offset went with a leader */
    PORT_AMBIGUOUS = -10 /* warehouse: several rows of the batch are for one row; some may be in */
};
const char *port_error_name(int error);

/* ---- Log (Kafka) ---- */

/* Who produced a record, and the how-manyeth of his it was: an idempotent producer's retry is known
 * by that. Numbers rise within an epoch, with holes; a producer that starts anew takes a higher
 * epoch and may begin at 1 again. */
struct producer_mark {
    uint64_t producer; /* 0: it is not idempotent */
    uint32_t epoch;
    uint32_t sequence;
};

struct log_record {
    int64_t offset;
    uint32_t epoch; /* leader epoch at append */
    vtime append;   /* broker's time */
    uint64_t key;
    struct bytes value; /* owned by the log; good until the next call that changes the log */
    struct producer_mark mark;
    bool refused; /* of bronze: no record of its topic, or in breach of its contract, when it was
                     loaded */
};

struct produce_item {
    enum topic_id topic;
    uint64_t key;       /* the log picks the partition by topic_partition(key, partitions) */
    struct bytes value; /* copied */
};

/* Where a produced item went. */
struct produce_result {
    enum item_status status; /* APPLIED, also of one that was there before; RETRYABLE, UNKNOWN;
                                FATAL: a later epoch of its producer has begun */
    uint32_t partition;
    uint32_t epoch; /* APPLIED only, as is the offset: of the present leader */
    int64_t offset; /* negative when it is not known, as of a repeat from long ago */
};

struct log_port_ops {
    int (*produce)(void *ctx, vtime now, const struct produce_item *items, size_t count,
                   struct produce_result *results);
    /* The same for an idempotent producer: item i has the mark `first` with i added to its
     * sequence, and what was appended under its mark before is not appended again. */
    int (*produce_as)(void *ctx, vtime now, const struct producer_mark *first,
                      const struct produce_item *items, size_t count,
                      struct produce_result *results);
    /* Up to max records of a partition from `offset` on, in order; *count may be 0. */
    int (*fetch)(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t offset,
                 struct log_record *out, size_t max, size_t *count);
    /* First offset still kept, and the offset of the next append. */
    int (*bounds)(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t *start,
                  int64_t *end);
    /* Informs the group's coordinator of progress; fenced by generation. */
    int (*commit)(void *ctx, vtime now, const char *group, uint32_t member, uint32_t generation,
                  enum topic_id topic, uint32_t partition, int64_t offset);
    /* The end of that leader's records as the present leader has them (OffsetForLeaderEpoch): the
     * first offset of a later leader, or the end of the log. Whoever read further read what is
     * lost. */
    int (*epoch_end)(void *ctx, vtime now, enum topic_id topic, uint32_t partition, uint32_t epoch,
                     int64_t *end);
    /* The offset that the group committed last; PORT_NOT_FOUND when it did not, or its commits were
     * lost. */
    int (*committed)(void *ctx, vtime now, const char *group, enum topic_id topic,
                     uint32_t partition, int64_t *offset);
};
struct log_port {
    const struct log_port_ops *ops;
    void *ctx;
};

/* ---- OLTP with outbox ---- */

struct outbox_row {
    int64_t sequence; /* commit order, from 1 */
    enum topic_id topic;
    uint64_t key;
    struct bytes value; /* an encoded record; owned by the port, good until its next call */
};

struct oltp_port_ops {
    /* Up to max outbox rows after `sequence`, in order. */
    int (*outbox_read)(void *ctx, vtime now, int64_t sequence, struct outbox_row *out, size_t max,
                       size_t *count);
    /* Rows up to and including `sequence` are published and may be removed. */
    int (*outbox_trim)(void *ctx, vtime now, int64_t sequence);
    /* Listing rows with first <= id <= last, in id order, at most max; source_hash is computed
     * from the row's columns. */
    int (*scan)(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                size_t max, size_t *count);
    /* Puts the present row of each listing into the outbox once more as a whole (UPSERT of every
     * column, absent ones null; DELETE for a deleted or unknown listing) and its seller's status,
     * each with the stamp of its last change: the repair of a change that the log never got. */
    int (*republish)(void *ctx, vtime now, const uint64_t *listing_ids, size_t count);
    /* ERASED_IN_SOURCE: columns of rows whose last change is at or below the stamp. */
    int (*erase)(void *ctx, vtime now, const struct erasure_subject *subjects, size_t count,
                 struct erasure_look *looks);
};
struct oltp_port {
    const struct oltp_port_ops *ops;
    void *ctx;
};

/* ---- The books: orders as the source has them ---- */

struct books_port_ops {
    /* Sales of the hours in [from, to) by hour and category, without the first `skip`; changed_at
     * is the youngest order's last change. Categories are the port's, good until its next call. */
    int (*read_sales)(void *ctx, vtime now, vtime from, vtime to, size_t skip,
                      struct sales_row *out, size_t max, size_t *count);
    /* Puts the present orders of each category and hour into the outbox once more, with the stamps
     * of their last changes: the repair of orders that the log or the warehouse lost. */
    int (*republish)(void *ctx, vtime now, const struct sales_row *rows, size_t count);
};
struct books_port {
    const struct books_port_ops *ops;
    void *ctx;
};

/* ---- Embedding service ---- */

struct text_input {
    struct bytes title, description, attributes, locale;
    enum tokeniser tokeniser; /* how the texts are cut into words */
};
struct image_input {
    uint64_t image_id;
    struct bytes descriptor;
};

struct embed_item {
    uint64_t listing_id;
    uint8_t modalities;               /* bits: which vectors are wanted */
    uint64_t content[MODALITY_COUNT]; /* hashes of what the wanted vectors are made of; 0: of no
                                         listing, neither kept nor taken from what was kept */
    bool anew;                        /* what was kept of it is not to be used, but replaced */
    struct text_input text;
    const struct image_input *images;
    size_t image_count;
};
struct embed_result {
    enum item_status status;
    uint32_t model_version;
    uint8_t reused; /* bits of modalities: vectors that were made before, of the same content, and
                       kept; a service without an archive leaves it as it is */
    /* Of the wanted modalities: pointers into the caller's float buffers, filled on APPLIED, and
     * how many floats the service answered with. A buffer has room for modality_dimension(); of a
     * longer answer it holds the beginning, behind a shorter one it holds zeros. */
    float *vectors[MODALITY_COUNT];
    uint32_t dimensions[MODALITY_COUNT];
};
struct embedding_port_ops {
    int (*embed)(void *ctx, vtime now, uint32_t model_version, const struct embed_item *items,
                 size_t count, struct embed_result *results);
};
struct embedding_port {
    const struct embedding_port_ops *ops;
    void *ctx;
};

/* ---- Vector database ---- */

/* All must hold; a zero or empty member filters nothing. */
struct row_filter {
    struct bytes category;
    struct bytes locale;
    uint64_t seller_id;
    bool servable_only; /* active and policy status active */
};

struct search_hit {
    uint64_t listing_id;
    float score; /* cosine similarity, or BM25 (greater is better) */
    doc_version version;
};

/* What can be asked of collections and aliases. Repeating one that was done does no harm. */
enum vector_admin_kind {
    /* The collection of (modality, model_version). ITEM_APPLIED, also when it is there. */
    VECTOR_CREATE,
    /* The same, with its rows. ITEM_APPLIED, or ITEM_MISSING when it is not there. */
    VECTOR_DROP,
    /* Leads the aliases of all modalities from from_version to model_version in one action, which
     * readers see at once or not at all. ITEM_APPLIED, also where they stand there already;
     * ITEM_CONFLICT when one of them points to neither; ITEM_MISSING when a collection of
     * model_version is not there. After the latter two all of them stand as they stood. */
    VECTOR_SWITCH,
    /* Fills *targets; changes nothing. ITEM_APPLIED. */
    VECTOR_TARGETS,
    /* Drops what deleted and replaced rows left in every collection's index (VACUUM).
     * ITEM_APPLIED. */
    VECTOR_COMPACT,
    VECTOR_ADMIN_KIND_COUNT
};
const char *vector_admin_kind_name(enum vector_admin_kind kind);

struct vector_admin {
    enum vector_admin_kind kind;
    enum modality modality; /* CREATE, DROP */
    uint32_t model_version;
    uint32_t from_version; /* SWITCH */
};

/* Of which modalities a model version has collections. */
struct vector_model {
    uint32_t model_version;
    uint8_t modalities; /* bits (1 << enum modality) */
};
enum { VECTOR_MODELS_MAX = 16 };
struct vector_targets {
    uint32_t aliases[MODALITY_COUNT];              /* model version; 0: nowhere */
    struct vector_model models[VECTOR_MODELS_MAX]; /* by model version, ascending; no more are told
                                                    */
    size_t model_count;
};
/* The modalities of which a model version has collections, as bits. */
uint8_t vector_targets_modalities(const struct vector_targets *targets, uint32_t model_version);
/* The model version that every alias points to, or 0. */
uint32_t vector_targets_served(const struct vector_targets *targets);

struct vector_port_ops {
    int (*write)(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                 const struct vector_write *items, size_t count, enum item_status *statuses);
    /* Rows with first <= id <= last in id order, at most max, duplicates included. */
    int (*scan)(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                enum scan_path path, uint64_t first, uint64_t last, struct scan_row *out,
                size_t max, size_t *count);
    /* In the collection of that model version, or (0) through the alias "listing-MODALITY": what
     * readers see. k results at most, best first. filter may be NULL. */
    int (*search)(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                  const float *query, size_t k, uint32_t ef, bool exact,
                  const struct row_filter *filter, struct search_hit *hits, size_t *count);
    /* The stored vectors of listings, modality_dimension() floats each, one after the other; one
     * that is not found leaves its place as it is. */
    int (*read)(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                const uint64_t *listing_ids, size_t count, float *vectors, bool *found);
    /* *targets is filled by VECTOR_TARGETS only; may be NULL for the others. */
    int (*admin)(void *ctx, vtime now, const struct vector_admin *admin, enum item_status *status,
                 struct vector_targets *targets);
    /* Takes statuses of sellers over: searches for servable rows pass over those of suppressed ones
     * from then on, in every collection. May be repeated; PORT_UNKNOWN: some may be in. */
    int (*block)(void *ctx, vtime now, const struct seller_block *items, size_t count);
    /* ERASED_IN_VECTORS: rows below the version, with masked vectors, of every collection; of those
     * of one model version alone unless that is 0. Where the store forgets deletions, a row as
     * ROW_TOMBSTONE leaves it takes their place: it holds nothing of the listing, and keeps older
     * writes out that are still on their way. */
    int (*erase)(void *ctx, vtime now, uint32_t model_version,
                 const struct erasure_subject *subjects, size_t count, struct erasure_look *looks);
};
struct vector_port {
    const struct vector_port_ops *ops;
    void *ctx;
};

/* ---- Keyword index ---- */

struct keyword_port_ops {
    int (*write)(void *ctx, vtime now, const struct keyword_write *items, size_t count,
                 enum item_status *statuses);
    int (*scan)(void *ctx, vtime now, enum scan_path path, uint64_t first, uint64_t last,
                struct scan_row *out, size_t max, size_t *count);
    int (*search)(void *ctx, vtime now, struct bytes query, size_t k,
                  const struct row_filter *filter, struct search_hit *hits, size_t *count);
    /* As for the vector database. */
    int (*block)(void *ctx, vtime now, const struct seller_block *items, size_t count);
    /* ERASED_IN_KEYWORD: rows below the version and masked texts; it leaves what the vector
     * database does. */
    int (*erase)(void *ctx, vtime now, const struct erasure_subject *subjects, size_t count,
                 struct erasure_look *looks);
};
struct keyword_port {
    const struct keyword_port_ops *ops;
    void *ctx;
};

/* ---- Warehouse and dashboard ---- */

/* A channel brings the records of a topic's partition in order. Its token is the offset behind the
 * last record whose load is in, as long as nobody overwrites it: an operator can. */
#define CHANNEL_NO_TOKEN INT64_C(-1)
struct warehouse_channel {
    enum topic_id topic;
    uint32_t partition;
    int64_t token;
};

struct warehouse_port_ops {
    /* Opens channels: fills in their tokens, CHANNEL_NO_TOKEN for one that never had a load. */
    int (*open_channels)(void *ctx, vtime now, struct warehouse_channel *channels, size_t count);
    /* 0 when every row is in; otherwise the batch may be in partly and must be sent again. */
    int (*load)(void *ctx, vtime now, const struct warehouse_batch *batch);
    /* Gold rows over a range, dead ones included (alive false). */
    int (*scan)(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                size_t max, size_t *count);
    /* Records of a topic's partition from `offset` on as bronze keeps them, in the order of their
     * offsets; of an offset that was given out twice, the later record. Values are the warehouse's,
     * good until its next call. */
    int (*read_log)(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t offset,
                    struct log_record *out, size_t max, size_t *count);
    /* The same of the documents that the batch made. */
    int (*scan_rebuilt)(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                        size_t max, size_t *count);
    /* Sales of the hours in [from, to) by hour and category, without the first `skip`: as the view
     * shows them, or as the batch made them. Categories are the warehouse's, good until its next
     * call. */
    int (*read_sales)(void *ctx, vtime now, bool rebuilt, vtime from, vtime to, size_t skip,
                      struct sales_row *out, size_t max, size_t *count);
    /* Brings the dashboard's materialised view of sales by category and hour up to date: with the
     * orders that were loaded by *as_of, which it tells. That may be a while ago, since a target
     * lag is an aim. It goes by the changes since it did last, or (whole) by all orders.
     * PORT_OUT_OF_RANGE: nothing was done, and those changes are not kept any more; the whole is
     * what helps. */
    int (*refresh_dashboard)(void *ctx, vtime now, bool whole, vtime *as_of);
    /* ERASED_IN_BRONZE to ERASED_IN_FAIL_SAFE; fills in the subjects' versions. A subject that the
     * loader has not told of is found in bronze. */
    int (*erase)(void *ctx, vtime now, struct erasure_subject *subjects, size_t count,
                 struct erasure_look *looks);
};
struct warehouse_port {
    const struct warehouse_port_ops *ops;
    void *ctx;
};

/* ---- Object store: embedding artifacts ---- */

/* What a vector was made of, and by which model. */
struct artifact_key {
    uint64_t listing_id;
    uint64_t content_hash;
    uint32_t model_version;
    enum modality modality;
};

struct object_port_ops {
    /* Keeps vectors of modality_dimension() floats under their keys; a repeat replaces a vector of
     * the same content. Not conditional. PORT_UNKNOWN: some may be in. */
    int (*put)(void *ctx, vtime now, const struct artifact_key *keys, const float *const *vectors,
               size_t count);
    /* Fills the vectors that are kept, and says which. */
    int (*get)(void *ctx, vtime now, const struct artifact_key *keys, size_t count,
               float *const *vectors, bool *found);
    /* Drops every object of these listings that was stored at or before `until` (A12); may be
     * repeated. What the store's listings do not name yet stays, and an answer proves nothing: only
     * a later count does. */
    int (*erase)(void *ctx, vtime now, const uint64_t *listing_ids, size_t count, vtime until);
    /* Drops every object that was stored in [from, to), of whatever listing. */
    int (*purge)(void *ctx, vtime now, vtime from, vtime to);
    /* How many objects that `erase` means are kept, as the store's listings have it: they may lag.
     */
    int (*count)(void *ctx, vtime now, const uint64_t *listing_ids, size_t count, vtime until,
                 uint64_t *objects);
};
struct object_port {
    const struct object_port_ops *ops;
    void *ctx;
};

/* ---- State store: checkpoints of machines ---- */

struct state_entry {
    uint64_t key;
    struct bytes value; /* empty: the key is gone */
};

struct state_port_ops {
    /*
     * Atomically replaces the offsets and the named entries of (group, partition), or nothing.
     * PORT_FENCED when a checkpoint of a later generation exists.
     */
    int (*save)(void *ctx, vtime now, const char *group, uint32_t partition, uint32_t generation,
                struct bytes offsets, const struct state_entry *entries, size_t count);
    /*
     * Reads a checkpoint: calls entry() for each entry in key order, fills *offsets (empty when
     * there never was a checkpoint). From then on, saves of generations below `generation` are
     * fenced.
     */
    int (*load)(void *ctx, vtime now, const char *group, uint32_t partition, uint32_t generation,
                struct bytes *offsets,
                int (*entry)(void *entry_ctx, uint64_t key, struct bytes value), void *entry_ctx);
    /* The saved value of one entry, empty when there is none; fences nobody. Good until the next
     * call. */
    int (*peek)(void *ctx, vtime now, const char *group, uint32_t partition, uint64_t key,
                struct bytes *value);
};
struct state_port {
    const struct state_port_ops *ops;
    void *ctx;
};

#endif
