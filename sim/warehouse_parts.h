/*
 * What the files of the warehouse fake share: its rows' indexes and its statements.
 * sim/fake_warehouse.c opens it and carries out loads; one file each keeps bronze, silver, gold and
 * sales; warehouse_time takes away what was erased and what has come of age. Nobody else includes
 * this.
 */
#ifndef MURPHY_SIM_WAREHOUSE_PARTS_H
#define MURPHY_SIM_WAREHOUSE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/id_map.h"
#include "sim/cell.h"
#include "sim/erasure_marks.h"
#include "sim/fake_warehouse.h"
#include "sim/row_cells.h"
#include "sim/sqlite_host.h"

enum statement {
    PUT_BRONZE,
    PUT_BRONZE_SECOND,
    PUT_SILVER,
    PUT_GOLD,
    PUT_GOLD_SECOND,
    PUT_ORDER,
    PUT_ORDER_SECOND,
    ADD_ORDER,
    READ_ORDER,
    READ_ORDERS,
    READ_BRONZE,
    READ_LOG,
    READ_LOG_OF_EPOCH,
    LATER_EPOCH,
    READ_RAW,
    READ_SILVER,
    READ_SILVER_KEYS,
    READ_SILVER_ROW,
    SCAN_GOLD,
    SCAN_GOLD_SECOND,
    SUM_BUCKET,
    FIND_BRONZE,
    DROP_BRONZE,
    DROP_BRONZE_SECOND,
    DROP_SILVER,
    OLD_BRONZE,
    STATEMENT_COUNT
};

/* A row of silver's index; its columns are the row `index + 1` of silver_listing. */
struct silver_entry {
    uint64_t listing_id;
    doc_version version;
    int64_t changed_at_ns;
    int64_t valid_from_ns;
    int64_t valid_to_ns; /* INT64_MAX: current */
    int64_t recorded_ns;
    uint32_t older, newer; /* the listing's rows of the next lower and higher version, or NONE */
    bool alive;            /* the listing was there in that version */
    bool dropped;          /* and linked no more */
};
#define NONE ID_MAP_NONE

struct gold_entry {
    uint64_t listing_id;
    struct row_state state;
};

struct bucket {
    char *category;
    size_t category_len;
    int64_t hour_ns;
    bool touched;             /* since the view took it over */
    vtime touched_at;         /* since the last refresh */
    bool moved;               /* by the load under way */
    struct sales_row present; /* gold: the sums over silver's orders; no category or hour */
    struct sales_row shown;   /* the view: as the last refresh took them over */
    vtime heard_at;           /* when something was said of its orders last */
};

struct fake_warehouse {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct store_observer observer;
    struct row_journal gold_journal, order_journal, gold_sales_journal, sales_journal;
    struct erasure_marks marks;
    int64_t time_travel_ns, fail_safe_ns, kept_ns;
    vtime edge;     /* up to where was looked for what has come of age */
    int64_t oldest; /* moment of the oldest record or version that ever came */
    bool has_dropped;
    bool bronze_by_subject; /* its index is made */
    struct fake_warehouse_counts counts;
    struct pulse pulses[WAREHOUSE_PULSES];
    struct lag_histogram behind;
    vtime unshown_since; /* meaningless while nothing was touched */
    uint32_t gold_copies, order_copies;
    struct warehouse_audit audit;
    struct warehouse_events events;
    struct warehouse_rebuilt rebuilt;
    const struct bucket **shown; /* of the sales that were read last */
    size_t shown_capacity;

    struct silver_entry *silver;
    size_t silver_count, silver_capacity;
    struct id_map silver_newest; /* by listing: its row of the highest version */

    struct gold_entry *gold;
    size_t gold_count, gold_capacity;
    struct id_map gold_by_id;

    struct bucket *buckets;
    size_t bucket_count, bucket_capacity;
    struct id_map bucket_by_hash;
    char *log_values; /* of the records that read_log handed out last */
    size_t log_capacity;
    uint32_t *touched, *moved;
    size_t touched_count, touched_capacity, moved_count, moved_capacity;
    enum warehouse_merge merge;
    struct id_map tokens; /* of channels, by topic and partition */
    int64_t time_travel_extra_ns;
    uint64_t overstayed;
    int64_t view_lag_min_ns, view_lag_ns, stream_kept_ns;
    bool view_made, stream_stale;
    vtime refreshed_at, view_as_of;
    uint64_t batch;       /* number of the load under way */
    struct id_map merged; /* by key of a merge: the load that took a row of it last, and how */
    bool gold_held;       /* silver's orders go in, their sums do not follow */
    struct gap_row *gaps; /* in the order of arrival */
    size_t gap_count, gap_capacity;
};

/* Ids in the order of signed integers: SQLite knows no others. */
static inline int64_t warehouse_key(uint64_t id) {
    return (int64_t)(id ^ (UINT64_C(1) << 63));
}

static inline uint64_t warehouse_id(int64_t key) {
    return (uint64_t)key ^ (UINT64_C(1) << 63);
}

/* Runs a statement that answers no rows: 0 or PORT_NO_MEMORY. */
int warehouse_run(struct fake_warehouse *w, enum statement which, const struct cell *cells,
                  int count);
/* The stamp whose three columns start at `column`. */
struct stamp warehouse_stamp(sqlite3_stmt *s, int column);

/* ---- Merges ---- */

enum merge_table { MERGE_GOLD, MERGE_ORDERS, MERGE_AUDITS };
/* What becomes of a row of the load under way. */
enum merge_turn {
    MERGE_FIRST,   /* of its key */
    MERGE_INSERTS, /* a further one of a key that was not there: a second row */
    MERGE_WINS,    /* of a key that was: the arbitrary one is this */
    MERGE_LOSES,   /* or it is not */
    MERGE_REFUSED
};
void warehouse_merge_begin(struct fake_warehouse *w);
/* A key is one or two numbers. */
enum merge_turn warehouse_merge_turn(const struct fake_warehouse *w, enum merge_table table,
                                     uint64_t key, uint64_t more);
/* The load took a row of that key: over one that was there (matched), or as its first. */
int warehouse_merge_took(struct fake_warehouse *w, enum merge_table table, uint64_t key,
                         uint64_t more, bool matched);

/* ---- Bronze ---- */

/* Reads a position back into topic, partition, epoch and offset. */
void warehouse_place(int64_t position, struct bronze_row *row);
/* Of what an erasure is about: orders, policy and erasures themselves stay. */
bool warehouse_is_content(enum record_type type);
/* Such a record goes at the edge, whoever still asks for it. */
bool warehouse_goes_at_edge(const struct fake_warehouse *w, const struct bronze_row *row);
int warehouse_load_bronze(struct fake_warehouse *w, vtime now, const struct bronze_row *row,
                          bool dedupe);
int warehouse_drop_bronze(struct fake_warehouse *w, int64_t position);
int warehouse_read_log(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                       int64_t offset, struct log_record *out, size_t max, size_t *count);

/* ---- Documents: the columns that silver and gold share ---- */

/* The document whose columns start at `c`. */
struct document_row warehouse_read_document(sqlite3_stmt *s, int c, uint64_t listing_id);
struct row_state warehouse_state_of(const struct document_row *d, bool present);

/* ---- Silver ---- */

int warehouse_load_silver(struct fake_warehouse *w, vtime now, const struct document_row *d,
                          bool dedupe);
/* The listing's row of the lowest version, or NONE. */
uint32_t warehouse_silver_oldest(const struct fake_warehouse *w, uint64_t listing_id);
/* Takes the oldest row of a listing out of its chain. */
void warehouse_unlink_silver(struct fake_warehouse *w, uint32_t at);
void warehouse_check_silver(const struct fake_warehouse *w);

/* ---- Gold ---- */

int warehouse_load_gold(struct fake_warehouse *w, vtime now, const struct document_row *d,
                        bool dedupe);
int warehouse_scan_gold(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                        size_t max, size_t *count);

/* ---- Orders and the dashboard ---- */

int warehouse_load_order(struct fake_warehouse *w, vtime now, const struct order_row *order,
                         bool dedupe, bool repair);
/* Gold's sums of a category and hour from silver anew. */
int warehouse_remake_sales(struct fake_warehouse *w, vtime now, const struct sales_row *which);
/* Gold as this load left it goes into its history. */
int warehouse_keep_sales(struct fake_warehouse *w, vtime now);
int warehouse_refresh_sales(void *ctx, vtime now, bool whole, vtime *as_of);
int warehouse_read_sales(void *ctx, vtime now, bool rebuilt, vtime from, vtime to, size_t skip,
                         struct sales_row *out, size_t max, size_t *count);
/* Adds up a bucket's orders from the tables. */
void warehouse_check_sales(struct fake_warehouse *w, uint32_t at);

/* ---- What goes: erasures, and what comes of age ---- */

bool warehouse_version_is_erased(const struct fake_warehouse *w, const struct document_row *d);
int warehouse_load_erasure(struct fake_warehouse *w, vtime now, const struct erasure_row *row);
int warehouse_erase(void *ctx, vtime now, struct erasure_subject *subjects, size_t count,
                    struct erasure_look *looks);

#endif
