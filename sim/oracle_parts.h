/*
 * The inside of the oracle, shared by its parts and private to them:
 *
 *     oracle.c              life, listings, what is heard and who is told of it
 *     oracle_view.c         a listing as the log tells it, in hashes: did a record change anything?
 *     oracle_freshness.c    samples, histograms, minutes
 *     oracle_safety.c       checks as writes happen
 *     oracle_contract.c     which contract versions hold, and what they refuse
 *     oracle_gone.c         who must be gone, and since when
 *     oracle_erasure.c      who was to be erased, and whether every store did so
 *     oracle_remade.c       whom a fact touches: those that name its subject, and no others
 *     oracle_orders.c       what operators ordered about models
 *     oracle_upgrade.c      what switched aliases show to readers
 *     oracle_convergence.c  the end: all listings, presence of rows, the keyword index
 *     oracle_vectors.c      the end: vectors against the reference
 *     oracle_reading.c      the end: the stores, read once
 *     oracle_findings.c     the end: differences, counted and told
 *     oracle_warehouse.c    the end: gold, silver, dashboard
 *     oracle_batch.c        the end: stream and nightly batch
 *     oracle_retention.c    the end: what the warehouse need not tell of any more
 *     oracle_audit.c        the end: which model made which vector
 *     oracle_source.c       the end: the OLTP store
 *     oracle_json.c         JSON columns of the warehouse against the reference
 *     oracle_finish.c       which stores those are
 *     oracle_report.c       the table of checks and their results
 */
#ifndef MURPHY_SIM_ORACLE_PARTS_H
#define MURPHY_SIM_ORACLE_PARTS_H

#include "pipeline/id_map.h"
#include "sim/oracle.h"

/* ---- A listing as the log tells it ---- */

struct view_attribute {
    uint64_t name;  /* hash */
    uint64_t value; /* hash; 0: null */
    struct stamp stamp;
};

struct view_field {
    struct stamp stamp; /* STAMP_NONE: absent */
    uint64_t value;     /* hash, of a seller its id; 0: null */
    bool null;
    bool empty;     /* a text without a byte */
    uint64_t named; /* key of what a category or a locale names in the reference tables */
};

struct view_image {
    uint64_t id;
    struct stamp stamp;
    uint64_t descriptor; /* hash; 0: withdrawn */
};

/* When an event first named the image, in whichever life. */
struct view_naming {
    uint64_t id;
    vtime first;
};

struct view_policy {
    uint64_t seller;
    struct stamp stamp;
    enum policy_status status;
};

/* What a reference table says of something that the listing may name. */
struct view_table {
    enum fact_kind kind;
    uint64_t key;
    struct stamp stamp;
    uint64_t value; /* hash */
    uint8_t tokeniser;
};

/* What readers are told, in so far as it can change. */
struct seen {
    uint64_t fields; /* of all that are not null */
    uint64_t images; /* of the visible ones in order; 0: none */
    uint64_t tables; /* what the reference tables make of category and locale */
    bool alive;
    bool has_text;
    enum policy_status policy;
};

struct view {
    struct stamp tombstone, last_set, erased;
    struct stamp last;                         /* greatest stamp of a listing or media record */
    struct view_field fields[FIELD_ATTRIBUTE]; /* by enum field_id; 0 is not used */
    struct view_attribute *attributes;         /* by name's hash */
    size_t attribute_count, attribute_capacity;
    struct view_image *images;
    size_t image_count, image_capacity;
    struct view_naming *namings; /* while the listing was never erased */
    size_t naming_count, naming_capacity;
    int64_t orphan_after_ns;
    struct view_policy *policies;
    size_t policy_count, policy_capacity;
    struct view_table *tables;
    size_t table_count, table_capacity;
    uint64_t *image_ids; /* of FIELD_IMAGE_IDS */
    size_t image_id_count, image_id_capacity;
    bool known; /* a record was folded */
    struct seen seen;
};

/* An image that nobody names for so long is an orphan (sim/reference.h). */
void view_init(struct view *v, int64_t orphan_after_ns);
void view_release(struct view *v);
/* Folds a record of the listing log: 1 when v->seen changed, also for an erasure, which every store
 * is told; 0 when not; -ENOMEM. */
int view_fold(struct view *v, const struct record *record);
/* True when the log told of category and locale what the reference tables say. */
bool view_joins(const struct view *v, const struct reference_document *d);
/* The listing is one that a search with that filter may find. */
bool view_passes(const struct view *v, const struct row_filter *filter);

static inline bool seen_served(const struct seen *s) {
    return s->alive && s->policy == POLICY_ACTIVE;
}

/* The vector rows of a listing that looks like this. */
static inline uint8_t seen_vectors(const struct seen *s) {
    bool text = seen_served(s) && s->has_text;
    bool image = seen_served(s) && s->images != 0;
    return (uint8_t)(text << MODALITY_TEXT | image << MODALITY_IMAGE |
                     (text || image) << MODALITY_FUSED);
}

/* ---- Listings ---- */

#define SAMPLE_NONE UINT32_MAX

/* A change that waits to be visible in one store. */
struct sample {
    doc_version position;
    vtime log, event;
    uint32_t listing;
    bool removal; /* readers shall no longer see the listing there */
    bool late;
    uint32_t next_of_listing;
    uint32_t before, after; /* among the waiting samples of the store, oldest first */
};

struct sample_list {
    uint32_t first, last;
};

/* A row as readers last saw it written. */
struct seen_row {
    doc_version version;   /* greatest ever written */
    uint64_t whole_hash;   /* at that version */
    uint64_t content_hash; /* these two: of the row as it is, where it is present */
    uint32_t model_version;
    bool present;
    bool left; /* was present once and went */
};

/* A vector row in the collection that waits beside the one that readers see. */
struct waiting_row {
    uint32_t model_version;
    doc_version version; /* greatest ever written there */
    bool present;        /* at that version */
};

/* Whether a listing is served, by what its feeds were told so far. */
struct feed_view {
    struct stamp tombstone, last_set, seller_stamp;
    uint64_t seller; /* 0 and STAMP_NONE: none */
    bool known;
    bool gone;            /* it is known and not to be served */
    bool postponed;       /* gone, but the record that says so waits in the late queue */
    bool quarantined;     /* it waits for an operator, or was discarded: also postponed */
    vtime gone_since;     /* when the feed took the change; NEVER while postponed */
    bool by_policy;       /* gone, since its seller is suppressed */
    struct stamp gone_by; /* stamp of the record that took it away */
};

struct oracle_listing {
    uint64_t id;
    struct view view;
    struct feed_view feed;
    doc_version visible;      /* position of the last log record that changed what readers see */
    doc_version history_from; /* of the last erasure: no older version may be kept */
    vtime visible_at;         /* when it was appended to the log */
    /* Records of it went with a leader: versions between these may be there or not. */
    doc_version torn_from, torn_until;
    struct seen_row rows[STORE_OLTP];
    struct waiting_row waiting_rows[MODALITY_COUNT];
    struct sample_list waiting[ORACLE_FRESH_STORES];
    bool in_oltp;      /* an operation wrote its row */
    bool disagrees;    /* feeds and log say different things about whether it is served */
    bool gone_lingers; /* it is gone, and readers see it somewhere */
};

/* ---- Checks ---- */

enum check_id {
    CHECK_VERSION_MONOTONE,
    CHECK_NO_DUPLICATE_ROW,
    CHECK_GONE_IN_TIME,
    CHECK_SERVED_GONE,
    CHECK_EMBEDDING_ECONOMY,
    CHECK_ALIAS_SWITCH,
    CHECK_ONE_MODEL,
    CHECK_ORDERS_OBEYED,
    CHECK_REMADE_EXACTLY,
    CHECK_DEAD_LETTERS,
    CHECK_CONTRACT,
    CHECK_ALL_VISIBLE,
    CHECK_CONVERGENCE,
    CHECK_STANDBY_COMPLETE,
    CHECK_RETIRED,
    CHECK_ROWS_AGREE,
    CHECK_NO_LOST_EMBEDDING,
    CHECK_HISTORY,
    CHECK_DASHBOARD,
    CHECK_SOURCE,
    CHECK_AUDIT_COMPLETE,
    CHECK_AUDIT_STREAM,
    CHECK_ERASURE,
    CHECK_BATCH_EQUALS_STREAM,
    CHECK_RETENTION,
    CHECK_LOG_WRITTEN,
    CHECK_LOG_READ,
    CHECK_FILTERS_RIGHT,
    CHECK_LOSSES_MARKED,
    CHECK_COUNT
};

enum { EVIDENCE_BYTES = 1600 };

struct check_state {
    uint64_t looked_at;
    uint64_t violations;
    vtime first_at;
    size_t evidence_length;
    char evidence[EVIDENCE_BYTES];
    char expected[160];
    char observed[160];
};

/* Counts a violation; the first ones are kept as a line of evidence each. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
void
check_violated(struct oracle *o, enum check_id id, vtime at, const char *format, ...);

/* As in 2026-03-02T01:31:01Z. */
struct moment_text {
    char text[48];
};
struct moment_text moment_text(vtime at);

/* ---- Minutes ---- */

struct fresh_minutes {
    struct oracle_minute *items;
    size_t count, capacity;
    struct lag_histogram current; /* visibility lag within the minute that runs */
};
struct feed_minutes {
    struct oracle_feed_minute *items;
    size_t count, capacity;
    uint64_t records;
    int64_t lag_max_ns;
    bool lag_known;
    bool appended;
    vtime last_append;
};

#define FEED_COUNT TOPIC_FEED_COUNT /* the feeds come first among the topics */

struct fresh_store {
    struct lag_histogram visibility, event;
    struct sample_list waiting; /* all of the store, oldest first */
    uint64_t pending, late;
    uint64_t worst_listing;
    vtime worst_at;
    struct fresh_minutes minutes;
};

/* ---- The oracle ---- */

struct oracle_seller {
    uint64_t id;
    struct stamp stamp;
    struct stamp erased; /* of the greatest erasure of all its listings, or NONE */
    enum policy_status status;
    unsigned blocked;   /* bits 1 << store: its readers do not get the seller's rows */
    uint32_t *listings; /* that ever were the seller's */
    size_t listing_count, listing_capacity;
};

struct deadline {
    vtime at;
    uint32_t listing;
    vtime gone_since; /* the listing's, when this was set: else it is out of date */
};

/* Deadlines of one bound, in the order of time: [first, count). */
struct deadlines {
    struct deadline *items;
    size_t first, count, capacity;
};

/* A record that its reader may yet pass on. */
struct on_the_way {
    int64_t offset;
    uint64_t listing_id;
    struct stamp stamp;
};

/* How far a feed's partition is routed. */
struct feed_progress {
    int64_t appended; /* greatest offset; -1: none */
    int64_t routed;
    struct on_the_way *waiting; /* a queue: [waiting_first, waiting_count), by offset */
    size_t waiting_first, waiting_count, waiting_capacity;
};

/* A record of the late queue. */
struct late_record {
    uint64_t key; /* hash of its origin */
    uint64_t listing_id;
    struct stamp stamp;
};

struct poison {
    uint64_t hash;
    vtime at;
    uint64_t letters;
};

/* Where erasures are looked for while the run goes on: the fakes themselves. */
struct erasure_stores {
    struct fake_oltp *oltp;
    struct fake_warehouse *warehouse;
    struct fake_vector_db *vectors;
    struct fake_keyword *keyword;
    struct fake_kafka *kafka;
    struct fake_state_store *state;
    struct fake_object_store *objects;
};

/* An erasure that somebody asked for. */
struct erasure_case {
    enum erasure_scope scope;
    uint64_t id;
    struct stamp stamp;
    vtime asked, certified_at;
    bool certified;    /* at least those that were there when it was asked */
    bool judged;       /* its time was up */
    struct id_map ids; /* listings that certificates named */
};

/* The log told that a listing is erased. */
struct erasure_news {
    uint64_t listing_id;
    struct stamp stamp;
    vtime at;
};

/* A position that changed what readers see of a listing. */
struct position {
    uint64_t listing_id;
    doc_version version;
    vtime at;
    uint8_t wanted; /* bit (1 << enum modality) for each vector row that it asks for */
};

/* ---- Models ---- */

/* Where an order leads readers. */
struct move {
    uint32_t to;
    vtime at;
    size_t order; /* among those given */
};

struct given_order {
    enum control_kind kind;
    uint32_t model_version;
    vtime at;
    bool refused; /* by the pipeline, which may */
};

/*
 * What operators ordered about models, folded: what is to be in the end.
 *
 *     upgrade          standby = the next model
 *     cutover          served <-> standby, which is the former model from now on
 *     rollback         served <-> standby, which is the next model again
 *     retire, abandon  standby = none, and its collections go
 */
struct orders {
    struct given_order *given;
    size_t given_count, given_capacity;
    uint32_t *turns[MODALITY_COUNT]; /* models that the alias was led to, as ordered */
    size_t turn_count[MODALITY_COUNT], turn_capacity[MODALITY_COUNT];
    uint32_t served;
    uint32_t standby; /* written beside it; 0: none */
    bool cut_over;    /* standby is the former model, not the next */
    struct move *moves;
    size_t move_count, move_capacity;
    size_t moved[MODALITY_COUNT]; /* of the moves, those that the alias has made */
};

/* A vector row as readers saw it once. */
struct seen_vector {
    uint64_t listing_id;
    doc_version version;
    uint64_t content_hash;
    uint32_t model_version;
    enum modality modality;
    vtime at;
};

struct finding;
struct contracts;

enum { DIFFERENCES_PER_STORE = 20 };

struct log_history;

struct oracle {
    struct oracle_options options;
    bool out_of_memory;
    bool finished;
    vtime now;
    vtime finished_at;
    struct reference *reference;
    struct oracle_counts counts;
    struct check_state checks[CHECK_COUNT];
    struct oracle_check results[CHECK_COUNT];

    struct id_map listing_index;
    struct oracle_listing *listings;
    size_t listing_count, listing_capacity;

    /* freshness */
    struct fresh_store fresh[ORACLE_FRESH_STORES];
    struct feed_minutes feeds[FEED_COUNT];
    struct lag_histogram feed_lag[FEED_COUNT];
    struct pulse pulses[PULSE_COUNT];
    struct sample *samples;
    size_t sample_count, sample_capacity;
    uint32_t free_sample;
    int64_t minute_ns;
    vtime minute_end;

    /* who must be gone */
    struct id_map seller_index;
    struct oracle_seller *sellers;
    size_t seller_count, seller_capacity;
    struct id_map seller_listing; /* hash of (seller, listing) */
    /* When readers must no longer get a listing, and when its rows must be gone. */
    struct deadlines hidden, removed;
    uint64_t disagreeing, lingering;

    struct log_history *log; /* NULL until something was appended */

    struct id_map named; /* what a listing ever named; key: hash of kind, key and listing */

    /* on the way */
    struct feed_progress *progress[FEED_COUNT];
    size_t progress_count[FEED_COUNT], progress_capacity[FEED_COUNT];
    struct id_map fed;        /* events that a feed has; key: hash of topic and stamp */
    struct id_map late_index; /* records of the late queue; key: hash of their origin; value: 1
                                 while they wait, 0 when drained */
    struct late_record *late_records;
    size_t late_record_count, late_record_capacity;
    struct id_map poison_index;
    struct poison *poisons;
    size_t poison_count, poison_capacity;
    uint64_t poison_unanswered;

    /* erasures */
    struct erasure_stores watched; /* that are looked at; all NULL: none */
    struct erasure_case *erasures;
    size_t erasure_count, erasure_capacity;
    struct erasure_news *erasure_news;
    size_t erasure_news_count, erasure_news_capacity;
    uint64_t erasures_open; /* without a certificate */
    int64_t erasure_longest_ns;
    vtime erasures_counted;
    uint64_t erasures_waiting; /* as counted then */
    struct contracts *contracts;

    struct position *positions;
    size_t position_count, position_capacity;

    /* models */
    struct orders orders;
    struct fake_vector_db *vectors;  /* that alias switches are judged in */
    uint32_t served[MODALITY_COUNT]; /* model that the alias points to; 0: none */
    bool aliases_apart;              /* they point to different models, since: */
    vtime apart_since;

    uint64_t batch_runs; /* of the whole of bronze, that ended */
    struct seen_vector *seen_vectors;
    size_t seen_vector_count, seen_vector_capacity;

    /* the end */
    struct finding *differences;
    size_t difference_count, difference_capacity;
    uint64_t kept[STORE_COUNT]; /* differences kept of each store */
    uint64_t drift[STORE_COUNT][DRIFT_CLASS_COUNT];
    uint64_t compared[STORE_COUNT];
    char waits_for[240];
};

/* Index of the listing, made if need be; UINT32_MAX when out of memory. */
uint32_t oracle_listing_of(struct oracle *o, uint64_t id);
struct oracle_listing *oracle_listing_find(struct oracle *o, uint64_t id);
/* The stores that serve buyers or count as served: all but silver and OLTP. */
static inline bool store_serves(enum store_id store) {
    return store != STORE_SILVER && store != STORE_OLTP;
}

/* An older write can change nothing in the store, so what is there is judged at any moment. */
static inline bool store_conditional(const struct oracle *o, enum store_id store) {
    return !o->options.vectors_unconditional || store > STORE_VECTOR_FUSED;
}

/* ---- oracle_freshness.c ---- */

void freshness_init(struct oracle *o);
void freshness_release(struct oracle *o);
/* Closes the minutes that are over. */
void freshness_tick(struct oracle *o, vtime now);
void freshness_feed(struct oracle *o, enum topic_id topic, vtime append,
                    const struct record *record);
/* The log told something that readers can see. */
void freshness_change(struct oracle *o, vtime now, uint32_t listing, const struct seen *before,
                      doc_version position, vtime log, vtime event, bool late);
void freshness_row(struct oracle *o, vtime now, uint32_t listing, enum store_id store,
                   const struct row_state *after);
uint64_t freshness_pending(const struct oracle *o);
void freshness_finish(struct oracle *o, vtime now);

/* ---- oracle_remade.c ---- */

/* The listing feed took these bytes. */
void remade_feed(struct oracle *o, struct bytes value);
/* The log told a listing something. */
void remade_log(struct oracle *o, vtime now, const struct record *record);

/* ---- oracle_gone.c ---- */

void gone_release(struct oracle *o);
/* A feed took the record. */
void gone_feed(struct oracle *o, vtime now, vtime append, const struct record *record);
/* The record went to the late queue, and is late indeed; it left it. */
void gone_postpone(struct oracle *o, uint32_t listing, const struct record *record);
/* The record was held back for an operator. */
void gone_quarantine(struct oracle *o, uint32_t listing, const struct record *record);
void gone_drained(struct oracle *o, vtime now, uint32_t listing, const struct record *record);
/* The listing's rows, or what the log says of it, changed. */
void gone_update(struct oracle *o, uint32_t listing);
void gone_row(struct oracle *o, vtime now, uint32_t listing, enum store_id store);
/* Judges the deadlines that are over. */
void gone_tick(struct oracle *o, vtime now);
/* True when the listing should have left long enough ago. */
bool gone_overdue(const struct oracle *o, const struct oracle_listing *listing, enum store_id store,
                  vtime now);

/* ---- oracle_upgrade.c ---- */

void upgrade_init(struct oracle *o);
void upgrade_release(struct oracle *o);
/* Aliases that one action did not switch together are noticed as time goes on. */
void upgrade_tick(struct oracle *o, vtime now);
/* Every order is carried out, the standby collections have caught up, retired ones are gone. Else
 * false, with what is waited for in `text`. */
bool upgrade_settled(const struct oracle *o, char *text, size_t size);
void orders_init(struct oracle *o);
void orders_release(struct oracle *o);
void orders_given(struct oracle *o, vtime now, enum control_kind kind, uint32_t model_version);
/* Judges a switch by the orders. */
void orders_switched(struct oracle *o, vtime now, enum modality modality, uint32_t from,
                     uint32_t to);
void upgrade_switched(struct oracle *o, vtime now, enum modality modality, uint32_t from,
                      uint32_t to);
/* The model whose collection is to be written beside the one that the alias points to; 0: none. */
uint32_t upgrade_standby(const struct oracle *o, enum modality modality);
/* A search of vectors found the listing; the query was embedded by that model. */
void upgrade_hit(struct oracle *o, vtime now, enum store_id store, uint32_t model_version,
                 uint64_t listing_id);
void upgrade_finish(struct oracle *o, vtime now, const struct fake_vector_db *vectors);

/* ---- oracle_contract.c ---- */

bool contracts_init(struct oracle *o);
void contracts_release(struct oracle *o);
/* A record of the control topic. */
void contracts_control(struct oracle *o, const struct log_record *logged);
/* A feed took a record: false when its contract did not accept it by then. */
bool contracts_feed(struct oracle *o, enum topic_id topic, uint32_t partition,
                    const struct log_record *logged, const struct record *record, uint64_t event);
/* The record came through to the log or the late queue: true when that is the first that is heard
 * of it being accepted. */
bool contracts_routed(struct oracle *o, vtime now, const struct record *record);
/* Judges a dead letter, if it is about a record that names another contract version. */
struct dead_letter;
bool contracts_letter(struct oracle *o, vtime now, const struct dead_letter *letter);
/* The letter of that key was erased: nobody can replay its record, nor should. */
void contracts_letter_gone(struct oracle *o, uint64_t key);
/* Events that were refused and of which no copy came through since. */
uint64_t contracts_unmended(const struct oracle *o);

/* ---- oracle_erasure.c ---- */

void erasure_release(struct oracle *o);
/* What oracle_watch does, for tests that have stores and no simulation. */
void erasure_watch(struct oracle *o, const struct erasure_stores *stores);
/* The log told, at that moment, that the listing is erased up to the stamp. */
void erasure_told(struct oracle *o, vtime at, uint64_t listing_id, struct stamp stamp);
void erasure_asked(struct oracle *o, vtime now, const struct workload_op *op);
void erasure_certified(struct oracle *o, vtime now, struct bytes value);
/* The record was appended to the listing log or the late queue. */
void erasure_log(struct oracle *o, vtime now, enum topic_id topic, const struct record *record);
/* Judges those whose time is up. */
void erasure_tick(struct oracle *o, vtime now);
/* Requests that wait for a certificate. */
uint64_t erasure_waiting(struct oracle *o);
void erasure_finish(struct oracle *o, vtime now);

/* ---- oracle_safety.c ---- */

/* What poison bytes are known by. */
uint64_t poison_key(struct bytes value);

void safety_row(struct oracle *o, vtime now, struct oracle_listing *listing,
                const struct row_change *change);
/* The service made vectors, or they were kept. */
void safety_embedded(struct oracle *o, vtime now, const struct embed_item *item,
                     const struct embed_result *result);
/* A row of a collection that no alias points to. */
void safety_unseen_row(struct oracle *o, vtime now, struct oracle_listing *listing,
                       const struct row_change *change);
void safety_poison(struct oracle *o, vtime now, struct bytes value);
void safety_dead_letter(struct oracle *o, vtime now, const struct log_record *logged);
void safety_finish(struct oracle *o, vtime now);
/* How far a feed is routed. */
/* record is NULL when the bytes are none. */
void progress_appended(struct oracle *o, enum topic_id topic, uint32_t partition, int64_t offset,
                       const struct record *record);
/* Records of a feed from that offset on went with a leader. */
void progress_truncated(struct oracle *o, enum topic_id topic, uint32_t partition, int64_t offset);
void progress_routed(struct oracle *o, enum topic_id topic, uint32_t partition, int64_t offset);
/* What an erasure covers need not be routed any more. */
bool progress_done(const struct oracle *o, enum topic_id *topic, uint32_t *partition);
void progress_release(struct oracle *o);

/* ---- The end ---- */

/* The stores to compare. The fakes themselves: no fault is in between. */
struct oracle_stores {
    struct fake_vector_db *vectors;
    struct fake_keyword *keyword;
    struct fake_warehouse *warehouse;
    struct fake_oltp *oltp;
    uint32_t partitions; /* of the listing log */
};
/* What oracle_finish does, for tests that have stores and no simulation. */
void oracle_finish_stores(struct oracle *o, vtime now, const struct oracle_stores *stores);

/* Rows of a scan in id order, walked once along with the listings. */
struct scanned {
    struct scan_row *rows;
    size_t count, capacity;
    size_t at;
};

/* The collections of each modality: what the alias points to, and what is written beside it. */
enum lane { LANE_SERVED, LANE_STANDBY, LANE_COUNT };

/* Everything that a comparison needs, read once. */
struct comparison {
    struct oracle *o;
    vtime now;
    const struct oracle_stores *stores;
    uint32_t models[LANE_COUNT][MODALITY_COUNT]; /* 0: none */
    struct scanned vectors[LANE_COUNT][MODALITY_COUNT][SCAN_PATH_COUNT];
    struct scanned keyword[SCAN_PATH_COUNT];
    struct scanned gold;
    uint64_t *ids; /* of every listing that the reference or a store knows, in order */
    size_t id_count, id_capacity;
    bool served; /* some listing is to have a vector */
    struct fake_embedding *embedding;
    float *made[MODALITY_COUNT]; /* vectors of the listing at hand */
    char *attributes;            /* their text */
    size_t attributes_capacity;
    struct image_input *images;
    size_t image_capacity;
};

/* The rows of one id: moves on to it. */
struct scanned_rows {
    const struct scan_row *first; /* NULL: none */
    size_t count;
};
struct scanned_rows scanned_take(struct scanned *scanned, uint64_t id);
/* Reads every store by every path, and gathers the ids. False when out of memory. */
bool comparison_read(struct comparison *c);

/* What is said of one row. */
struct finding {
    enum check_id check;
    enum store_id store;
    enum drift_class class;
    uint32_t model_version; /* of a vector collection; elsewhere 0 */
    uint64_t listing_id;
    doc_version expected_version, observed_version;
    char expected[192];
    char observed[192];
};
/* Counts it, as a violation too, and keeps the first ones. */
void finding_add(struct comparison *c, const struct finding *finding);

/* Writes both sides into the finding. */
void finding_words(struct finding *f, const char *expected, const char *observed);
void finding_text(struct finding *f, const char *what, struct bytes expected,
                  struct bytes observed);
void finding_number(struct finding *f, const char *what, int64_t expected, int64_t observed);
/* True, with both sides in the finding, when they differ; no text and an empty one are one. */
bool finding_text_differs(struct finding *f, const char *what, struct bytes expected,
                          struct bytes observed);

/* Why content differs: the log never got the change (stale), or it did (mismatch). */
enum drift_class content_class(const struct oracle_listing *l, const struct reference_document *d);

/* The rows of one listing in one serving store, by each path. */
struct served_rows {
    const struct scan_row *any;
    size_t least, most; /* rows by the path that found fewest and most */
    enum scan_path blind;
};
struct served_rows served_take(struct scanned scanned[SCAN_PATH_COUNT], uint64_t id);
/*
 * Presence, twins, model and version of a serving store's row. True when a row is there and its
 * content is worth comparing.
 */
bool presence_compare(struct comparison *c, const struct oracle_listing *l,
                      const struct reference_document *d, bool wanted,
                      const struct served_rows *rows, struct finding *f);

void vectors_compare(struct comparison *c, const struct oracle_listing *l,
                     const struct reference_document *d);
/* After all of them. That no listing is to have a vector, and none has, is as good as any row. */
void vectors_compared(struct comparison *c);
void gold_compare(struct comparison *c, const struct oracle_listing *l,
                  const struct reference_document *d);
void silver_compare(struct comparison *c);
void dashboard_compare(struct comparison *c);
/* A row of a vector collection changed. */
void audit_heard(struct oracle *o, vtime now, const struct row_change *change);
void audit_compare(struct comparison *c);
/* oracle_stream.c: each listing's audit stream verifies, and replayed it is the listing. Before the
 * positions are cut down to what silver still tells. */
void stream_compare_all(struct comparison *c);
/* Of positions by listing and version. */
int position_order(const void *left, const void *right);
void batch_compare(struct comparison *c);
/* oracle_retention.c: before what is compared with it, as it says what is to be there. */
void retention_compare(struct comparison *c);

/* oracle_log.c */
void log_history_release(struct oracle *o);
/* What is kept, and who leads, is asked there. */
void log_history_watch(struct oracle *o, const struct fake_kafka *kafka);
void log_appended_note(struct oracle *o, enum topic_id topic, uint32_t partition,
                       const struct log_record *record);
/* What the record appended last there is about: the listing, and of the audit topic its version. */
void log_subject_note(struct oracle *o, enum topic_id topic, uint32_t partition,
                      uint64_t listing_id, doc_version version);
/* True of a version whose word in the audit topic expired before the loader read it. */
bool log_audit_unread(const struct oracle *o, uint64_t listing_id, doc_version version);
/* What the loader lost unread against the marks in the warehouse. */
void losses_compare(struct comparison *c);
void log_truncated_note(struct oracle *o, vtime now, enum topic_id topic, uint32_t partition,
                        const struct log_record *record);
void log_repeated_note(struct oracle *o, vtime now, const struct produce_item *item,
                       uint32_t partition, int64_t offset);
void log_history_judge(struct oracle *o, vtime now);
/* A record of the listing went with its leader; one was told again; a version is one of those that
 * not everybody made. */
void torn_lost(struct oracle_listing *l, doc_version position);
void torn_told(struct oracle_listing *l, doc_version position);
bool is_torn(const struct oracle_listing *l, doc_version version);
/* Positions of versions that were over at the edge are not expected; they stand in order. */
void retention_positions(struct oracle *o, vtime edge);
vtime retention_edge(const struct comparison *c);
/* The version is older than the first that silver tells of: to be asked once the positions of
 * versions that were over are gone. */
bool retention_over(const struct oracle *o, uint64_t listing_id, doc_version version);
/* The log had nothing of a listing since the edge and took it away before. */
bool retention_gone(const struct oracle_listing *l, vtime edge);
/* oracle_remade.c: the log told each listing what the tables say of what it names. */
void remade_compare(struct comparison *c, const struct oracle_listing *l,
                    const struct reference_document *d);
void source_compare(struct comparison *c, const struct oracle_listing *l,
                    const struct reference_document *d);
void source_orders_compare(struct comparison *c);

/* True when the JSON text is an object of just these attributes; an array of just these ids. */
bool json_is_attributes(struct bytes json, const struct reference_document *d);
bool json_is_images(struct bytes json, const struct reference_document *d);

#endif
