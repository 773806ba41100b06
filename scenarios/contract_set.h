/*
 * The contracts of the seams (B2): one file of the Open Data Contract Standard for each place at
 * which data goes from one owner to the next. They are read and kept to: the schemas of the feeds
 * are what records are held against at ingest, service levels are judged in every run, quality
 * rules are asked of the stores at its end.
 *
 * In a folder of contracts each file NAME.odcs.yaml (.yml, .json) holds one, and each seam has
 * exactly one. What the standard has no key for stands in customProperties: `seam`, `producer`,
 * `consumer`, `deliveryGuarantee`, `consumerIdempotency`, `reconciliation`; of a feed
 * `compatibility`, the mode of its registry.
 *
 * Service levels (slaProperties)
 *   freshness   while there is traffic something comes through at least so often; of a view that is
 *               refreshed: nothing waits for longer to be shown. valueExt: the watch over a feed
 *               warns so early
 *   latency     95 % of what comes through does so within so long
 *   retention   it is kept at least so long
 *
 * Quality rules are of type `library` (all metrics of the standard but patterns), `sql` (SQLite, on
 * the tables of sim/store_tables.h) or `text` (for people). Of an object of physicalType table,
 * `primaryKey` and `required` are rules too, `primary-key` and `required`.
 *
 * A file that breaks a rule is refused with file, line, column, path and one sentence; nothing of
 * the folder is used (D12).
 */
#ifndef MURPHY_SCENARIOS_CONTRACT_SET_H
#define MURPHY_SCENARIOS_CONTRACT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/topics.h"
#include "scenarios/scenario.h"

/* X(identifier, "name", "about") */
#define SEAMS(X)                                                                                   \
    X(OUTBOX, "outbox", "OLTP's outbox to the feeds")                                              \
    X(LISTING_CHANGES, "listing-changes", "the feed of listings to the router")                    \
    X(MEDIA_INGEST, "media-ingest", "the feed of images to the router")                            \
    X(SELLER_POLICY, "seller-policy", "the feed of sellers' standing to the router")               \
    X(ORDERS, "orders", "the feed of orders to the loader")                                        \
    X(PRIVACY, "privacy", "the feed of privacy requests to router and eraser")                     \
    X(REFERENCE_DATA, "reference-data", "the feed of reference tables to the router")              \
    X(LISTING_LOG, "listing-log", "the per-listing log to the builder")                            \
    X(LATE_QUEUE, "late-queue", "what came too late to the batch that takes it in")                \
    X(VECTORS, "vectors", "the builder to the vector database")                                    \
    X(KEYWORDS, "keywords", "the builder to the keyword index")                                    \
    X(BRONZE, "bronze", "the loader to the warehouse's raw layer")                                 \
    X(SILVER, "silver", "the loader to the warehouse's history")                                   \
    X(GOLD_DOCUMENT, "gold-document", "the loader to the search documents")                        \
    X(GOLD_SALES, "gold-sales", "orders to the dashboard's view of sales")                         \
    X(DEAD_LETTERS, "dead-letters", "refused records to whoever mends them")                       \
    X(EMBEDDING_ARTIFACTS, "embedding-artifacts", "embeddings to the object store")                \
    X(EMBEDDING_AUDIT, "embedding-audit", "which model made which embedding, to the warehouse")

enum seam {
#define SEAM_ENUM(identifier, name, about) SEAM_##identifier,
    SEAMS(SEAM_ENUM)
#undef SEAM_ENUM
        SEAM_COUNT
};
const char *seam_name(enum seam seam);
const char *seam_about(enum seam seam);
/* The feed that a seam is, or TOPIC_FEED_COUNT. */
enum topic_id seam_feed(enum seam seam);

/* The service levels that are measured. */
enum service_level { LEVEL_FRESHNESS, LEVEL_LATENCY, LEVEL_RETENTION, LEVEL_COUNT };
const char *service_level_name(enum service_level level);
/* As scenarios name one, "vectors.latency". Static. */
const char *service_level_of(enum seam seam, enum service_level level);

enum rule_operator {
    RULE_BE,
    RULE_NOT_BE,
    RULE_GREATER,
    RULE_GREATER_OR_EQUAL,
    RULE_LESS,
    RULE_LESS_OR_EQUAL,
    RULE_BETWEEN,
    RULE_NOT_BETWEEN,
    RULE_OPERATOR_COUNT
};

/* One number that is asked of the stores, and what it must be. */
struct contract_rule {
    const char *name;  /* within its contract */
    const char *about; /* "" where the file says nothing */
    const char *sql;
    /* The same number without SQL, where it can be had so (enum store_count). */
    int count; /* 0: it cannot */
    const char *table;
    const char *const *columns;
    size_t column_count;
    const char *total; /* SQL; the number is a share of that in percent; NULL: it is not */
    enum rule_operator compare;
    double low, high; /* high of a range only */
};
bool contract_rule_holds(const struct contract_rule *rule, double value);
/* "= 0", "< 5 %", "from 1 to 9". */
enum { RULE_TEXT_SIZE = 80 };
void contract_rule_wants(const struct contract_rule *rule, char text[RULE_TEXT_SIZE]);

struct seam_contract {
    enum seam seam;
    const char *file;
    const char *id, *name, *version, *status, *owner, *about;
    const char *producer, *consumer, *delivery, *idempotent_by, *reconciliation;
    int64_t levels_ns[LEVEL_COUNT]; /* 0: not promised */
    int64_t freshness_warn_ns;      /* of a feed; 0: there is no warning */
    const char *schema;             /* of a feed: the text that its registry takes; else NULL */
    struct contract_rule *rules;
    size_t rule_count;
};

struct contract_set {
    struct seam_contract contracts[SEAM_COUNT]; /* by seam */
    void *memory;                               /* owns what they point to */
};

/* Reads a folder. 0, or -1 with *error filled and *out zeroed. */
int contract_set_load(const char *folder, struct contract_set *out, struct scenario_error *error);
/* Would the file be taken, whatever else is in its folder? 0, or -1 with *error filled. */
int contract_file_check(const char *path, struct scenario_error *error);
void contract_set_release(struct contract_set *set);

#endif
