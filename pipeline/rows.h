/*
 * The rows that the pipeline writes to its stores and reads back from them: what an effect carries
 * and what a port takes. Everything here is plain data; pointers belong to whoever hands it over
 * and are good for the call only (a store copies what it keeps).
 */
#ifndef MURPHY_PIPELINE_ROWS_H
#define MURPHY_PIPELINE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/record.h"
#include "pipeline/sha256.h"
#include "pipeline/stamp.h"
#include "pipeline/topics.h"
#include "pipeline/vtime.h"

/* Result of one item of a request to a store. */
enum item_status {
    ITEM_APPLIED,   /* done */
    ITEM_CONFLICT,  /* refused: the store holds this version or a newer one; nothing to do */
    ITEM_MISSING,   /* metadata write only: there is no row with that content hash to change */
    ITEM_RETRYABLE, /* not done; may go through later */
    ITEM_FATAL,     /* not done and never will be: a dead letter */
    ITEM_UNKNOWN,   /* may or may not have been done: the reply was lost */
    ITEM_STATUS_COUNT
};
const char *item_status_name(enum item_status status);
/* It may go through when it is sent again. */
bool item_unsettled(enum item_status status);

enum modality { MODALITY_TEXT, MODALITY_IMAGE, MODALITY_FUSED, MODALITY_COUNT };
#define TEXT_DIMENSION 768
#define IMAGE_DIMENSION 1024
#define FUSED_DIMENSION 1536
const char *modality_name(enum modality m); /* "text", "image", "fused" */
size_t modality_dimension(enum modality m);

/* How a write meets the version that the store holds. */
enum version_rule {
    VERSION_GREATER,          /* `external`: applied only over a lower version */
    VERSION_GREATER_OR_EQUAL, /* `external_gte`: also over the same version (repair) */
    VERSION_IGNORED,          /* unconditional (planted bug only) */
};

/* What is known of a row besides its vector or text: filters and reconciliation read it (A7). */
struct row_meta {
    doc_version version;
    uint64_t source_hash;  /* document_digest.source */
    uint64_t whole_hash;   /* document_digest.whole */
    uint64_t content_hash; /* of this row's own content: digest.text, .image or .fused */
    uint32_t model_version;
    uint64_t seller_id;
    int64_t price; /* unit of FIELD_PRICE; -1 when null */
    struct bytes category;
    struct bytes locale;
    enum policy_status policy;
    bool active;
    uint8_t modalities; /* bit (1 << enum modality) for each modality that the listing has */
};

/* Vector database: one collection per (modality, model version); row id = listing id. */
enum row_write_kind {
    ROW_UPSERT,    /* vector or text, and metadata */
    ROW_METADATA,  /* metadata alone; applied only where the stored content hash equals meta's,
                      otherwise ITEM_MISSING */
    ROW_DELETE,    /* leaves a tombstone at meta.version, for as long as the store remembers one */
    ROW_TOMBSTONE, /* leaves a row at meta.version that says that there is none: without vector or
                      text, in no search and no scan, and kept like any other row */
    ROW_WRITE_KIND_COUNT
};

struct vector_write {
    uint64_t listing_id;
    enum row_write_kind kind;
    enum version_rule rule;
    struct row_meta meta; /* of a delete only version counts */
    const float *vector;  /* ROW_UPSERT: modality_dimension() floats */
};

/* Whether a serving store lets readers have the rows of a seller, whatever the rows say: of two
 * statuses of a seller the one with the greater stamp counts. */
struct seller_block {
    uint64_t seller_id;
    enum policy_status status;
    struct stamp stamp;
};

/* Keyword index: one document per listing. */
struct keyword_write {
    uint64_t listing_id;
    enum row_write_kind kind;
    enum version_rule rule;
    struct row_meta meta; /* content_hash = digest.text */
    struct bytes title;   /* ROW_UPSERT: the searchable text */
    struct bytes description;
    struct bytes attributes;  /* attribute names and values as one text */
    enum tokeniser tokeniser; /* ROW_UPSERT: how the texts are cut into terms (A4) */
};

/* Warehouse, bronze: a raw record as its topic carried it. Key: (topic, partition, offset, epoch).
 */
struct bronze_row {
    enum topic_id topic;
    uint32_t partition;
    uint32_t epoch;
    int64_t offset;
    vtime append;
    enum record_type type; /* 0 when the bytes are no record */
    struct stamp stamp;
    uint64_t subject_id;
    struct bytes value; /* the raw bytes */
};

/*
 * Warehouse, silver and gold: one version of a canonical document. Silver keeps every version
 * (SCD2: valid from the version's append time until the next version's; key: listing, version);
 * gold keeps the greatest version of each listing, deleted ones as rows that are not alive.
 */
struct document_row {
    uint64_t listing_id;
    doc_version version;
    vtime changed_at;   /* append time of the log record at `version`: valid_from */
    struct stamp stamp; /* of the event that made this version */
    uint64_t source_hash;
    uint64_t whole_hash;
    bool alive;
    enum policy_status policy;
    uint64_t seller_id;
    int64_t price; /* -1 when null */
    struct bytes title;
    struct bytes description;
    struct bytes locale;
    struct bytes category;
    struct bytes attributes; /* a JSON object, names in order */
    struct bytes images;     /* a JSON array of the visible image ids, in display order */
    /* What the reference tables make of category and locale (A4). */
    struct bytes category_path;
    struct bytes locale_tag;
    enum tokeniser tokeniser;
};

/* Warehouse, silver: an order. Key: order id; of two rows the greater stamp is kept. */
struct order_row {
    uint64_t order_id;
    uint64_t listing_id;
    struct stamp stamp;
    vtime placed; /* its sales belong to that hour, however late it is told or corrected */
    int64_t quantity;
    int64_t amount;
    struct bytes category;
};

/* Warehouse: which model version made the vector of a listing's version (A11). Key: listing,
 * version, modality and model version; the first row of a key stays. */
struct audit_row {
    uint64_t listing_id;
    doc_version version;
    enum modality modality;
    uint32_t model_version;
    uint64_t content_hash;
    bool made; /* anew; otherwise the vector of the version before serves on */
};

/* Warehouse: one event of a listing's audit stream (pipeline/audit_stream.h). Key: listing and
 * version, and digest: rows are added and never changed (B8). */
struct audit_event {
    uint64_t listing_id;
    uint64_t sequence;   /* from 1, without gaps */
    doc_version version; /* position of the record in the listing log */
    struct stamp stamp;  /* of the event */
    enum record_type type;
    bool visible;          /* readers saw a change: silver has that version */
    struct sha256 payload; /* of the record's bytes, as bronze keeps them */
    struct sha256 digest;  /* chained to the event before it */
};

/* Warehouse: a listing is erased. Of it the warehouse removes raw listing and media records at or
 * below the stamp and document rows below the version, refuses them from then on, and remembers
 * just this (A12). */
struct erasure_row {
    uint64_t listing_id;
    struct stamp stamp;
    doc_version version; /* position of the erasure in the listing log */
};

/* The dashboard: sales of a category in an hour. */
struct sales_row {
    struct bytes category;
    vtime hour; /* its start */
    int64_t orders;
    int64_t quantity;
    int64_t amount;    /* 1/10,000 of the currency unit */
    vtime changed_at;  /* when the last order of it was loaded; of what the batch made: appended */
    uint64_t checksum; /* of the orders, where they are added up one by one; else 0 */
};

/* What an order adds to a checksum: two sums that are equal by chance are told apart by it. */
static inline uint64_t sales_checksum(uint64_t order_id, struct stamp stamp) {
    uint64_t x = order_id * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)stamp.ts.ns;
    x = (x ^ x >> 29 ^ stamp.id.hi) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 32 ^ stamp.id.lo) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Start of the hour of a moment. */
static inline vtime sales_hour(vtime t) {
    int64_t into_ns = t.ns % VTIME_HOUR;
    return (vtime){t.ns - (into_ns < 0 ? into_ns + VTIME_HOUR : into_ns)};
}

/* Warehouse: records of a topic's partition that expired before they were loaded, from offset
 * `from` up to and without `to`: no layer has anything of them (A16). Key: (topic, partition,
 * from); of two the greater end stays. */
struct gap_row {
    enum topic_id topic;
    uint32_t partition;
    int64_t from, to;
    vtime noticed;
};

/* One micro-batch of a loader: applied row by row, each row idempotent by its key, so a batch may
 * be torn or repeated and only needs to be sent again (A9). */
struct warehouse_batch {
    const struct bronze_row *bronze;
    size_t bronze_count;
    const struct document_row *silver;
    size_t silver_count;
    const struct document_row *gold;
    size_t gold_count;
    const struct order_row *orders;
    size_t order_count;
    bool repair;                    /* orders take the place of rows with the same stamp too */
    const struct sales_row *remade; /* after them, gold's sums of these are made from silver anew */
    size_t remade_count;
    bool channelled; /* what follows is given: where the batch comes from, and what its channel's
                        token is when every row is in */
    enum topic_id channel_topic;
    uint32_t channel_partition;
    int64_t token;
    bool gap_given; /* what the source lost unread right before this batch */
    struct gap_row gap;
    bool dedupe; /* false (planted bug only): plain inserts in place of inserts by key */
    const struct audit_row *audits;
    size_t audit_count;
    const struct audit_event *events; /* in the order of each listing's sequence */
    size_t event_count;
    const struct erasure_row *erasures; /* taken in before everything else */
    size_t erasure_count;
    /* What the nightly batch made (A17). Documents by listing: the greater version stays, the same
     * is written again. */
    const struct document_row *rebuilt;
    size_t rebuilt_count;
    bool rebuilt_sales_given; /* these are all sales of the hours in [from, to): others go */
    vtime rebuilt_from, rebuilt_to;
    const struct sales_row *rebuilt_sales;
    size_t rebuilt_sales_count;
};

/*
 * What every store of listings can be asked for reconciliation: its rows over a range of listing
 * ids, in id order, each reduced to what can be compared. A path picks the access path, because
 * real stores disagree with themselves.
 */
enum scan_path { SCAN_BY_SCAN, SCAN_BY_ID, SCAN_BY_SEARCH, SCAN_PATH_COUNT };

struct scan_row {
    uint64_t listing_id;
    doc_version version; /* DOC_VERSION_NONE in OLTP, which has none */
    uint64_t source_hash;
    uint64_t whole_hash;   /* 0 in OLTP */
    uint64_t content_hash; /* 0 where the store has no content of its own */
    uint32_t model_version;
    uint8_t modalities; /* gold: bits of what the listing shows; elsewhere 0 */
    vtime changed_at;   /* OLTP: moment of the last change; elsewhere when the row was written */
    bool alive;         /* false: a row that says that the listing is gone (OLTP, gold) */
    bool suppressed;
};

#endif
