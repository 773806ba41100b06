#include "sim/fake_warehouse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/retention.h"
#include "sim/warehouse_parts.h"

#define DOCUMENT_COLUMNS                                                                           \
    " version, changed_at, event_ts, event_hi, event_lo, source_hash, whole_hash, alive, policy,"  \
    " seller_id, price, title, description, locale, category, attributes, images,"                 \
    " category_path, locale_tag, tokeniser"
#define BRONZE_COLUMNS                                                                             \
    " append_at, type, event_ts, event_hi, event_lo, subject_id, ingested_at, value"
#define ORDER_COLUMNS " bucket, listing_id, quantity, amount, event_ts, event_hi, event_lo"

/* Second rows of a key, which plain inserts make, live in tables of their own: the tables by key
 * stay clustered by it. */
static const char schema[] =
    "CREATE TABLE bronze_event(position INTEGER PRIMARY KEY," BRONZE_COLUMNS ");"
    "CREATE TABLE bronze_second(copy INTEGER PRIMARY KEY, position," BRONZE_COLUMNS ");"
    "CREATE TABLE silver_listing(row INTEGER PRIMARY KEY, listing_id," DOCUMENT_COLUMNS ");"
    "CREATE TABLE gold_document(key INTEGER PRIMARY KEY," DOCUMENT_COLUMNS ", written_at);"
    "CREATE TABLE gold_second(copy INTEGER PRIMARY KEY, key," DOCUMENT_COLUMNS ", written_at);"
    "CREATE TABLE silver_order(key INTEGER PRIMARY KEY," ORDER_COLUMNS ");"
    "CREATE TABLE order_second(copy INTEGER PRIMARY KEY, key," ORDER_COLUMNS ");";

/* What a scan reads; whether there is text, and whether there are images, in the last two. */
#define SCAN_COLUMNS                                                                               \
    "key, version, source_hash, whole_hash, alive, policy, written_at,"                            \
    " coalesce(title, '') <> '' OR coalesce(description, '') <> '' OR attributes <> '{}',"         \
    " images <> '[]'"

static const char *const sql[STATEMENT_COUNT] = {
    [PUT_BRONZE] = "INSERT OR IGNORE INTO bronze_event VALUES(?,?,?,?,?,?,?,?,?)",
    [PUT_BRONZE_SECOND] = "INSERT INTO bronze_second VALUES(NULL,?,?,?,?,?,?,?,?,?)",
    [PUT_SILVER] = "INSERT INTO silver_listing VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [PUT_GOLD] = "REPLACE INTO gold_document VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [PUT_GOLD_SECOND] =
        "INSERT INTO gold_second VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [PUT_ORDER] = "REPLACE INTO silver_order VALUES(?,?,?,?,?,?,?,?)",
    [PUT_ORDER_SECOND] = "INSERT INTO order_second VALUES(NULL,?,?,?,?,?,?,?,?)",
    [ADD_ORDER] = "INSERT OR IGNORE INTO silver_order VALUES(?,?,?,?,?,?,?,?)",
    [READ_ORDER] = "SELECT * FROM silver_order WHERE key = ?",
    [READ_ORDERS] = "SELECT 0 AS copy, * FROM silver_order UNION ALL SELECT * FROM order_second",
    [READ_BRONZE] =
        "SELECT * FROM bronze_event WHERE position BETWEEN ?1 AND ?2 UNION ALL"
        " SELECT position," BRONZE_COLUMNS " FROM bronze_second WHERE position BETWEEN ?1 AND ?2",
    [READ_LOG_OF_EPOCH] =
        "SELECT * FROM bronze_event WHERE position BETWEEN ?1 AND ?2 ORDER BY position",
    [LATER_EPOCH] = "SELECT 1 FROM bronze_event WHERE position > ?1 AND position <= ?2 LIMIT 1",
    [READ_LOG] = "SELECT * FROM bronze_event WHERE position >= ?1 AND position <= ?2"
                 " AND (position & ?3) >= ?4 ORDER BY position & ?3, position DESC",
    [READ_RAW] = "SELECT value FROM bronze_event WHERE position = ?",
    [READ_SILVER] = "SELECT * FROM silver_listing ORDER BY row",
    [READ_SILVER_KEYS] = "SELECT row, listing_id, version FROM silver_listing ORDER BY row",
    [READ_SILVER_ROW] = "SELECT * FROM silver_listing WHERE row = ?",
    [SCAN_GOLD] =
        "SELECT " SCAN_COLUMNS " FROM gold_document WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?",
    [SCAN_GOLD_SECOND] =
        "SELECT " SCAN_COLUMNS ", 0 AS copy"
        " FROM gold_document WHERE key BETWEEN ?1 AND ?2 UNION ALL"
        " SELECT " SCAN_COLUMNS ", copy"
        " FROM gold_second WHERE key BETWEEN ?1 AND ?2 ORDER BY key, copy LIMIT ?3",
    [FIND_BRONZE] = "SELECT position, event_ts, event_hi, event_lo, type FROM bronze_event"
                    " WHERE subject_id = ?",
    [DROP_BRONZE] = "DELETE FROM bronze_event WHERE position = ?",
    [DROP_BRONZE_SECOND] = "DELETE FROM bronze_second WHERE position = ?",
    [DROP_SILVER] = "DELETE FROM silver_listing WHERE row = ?",
    [OLD_BRONZE] = "SELECT position, type, subject_id FROM bronze_event"
                   " WHERE append_at < ?1 AND position > ?2 ORDER BY position",
    [SUM_BUCKET] = ("SELECT quantity, amount FROM silver_order WHERE bucket = ?1 UNION ALL"
                    " SELECT quantity, amount FROM order_second WHERE bucket = ?1"),
};

struct fake_warehouse *fake_warehouse_new(const struct fake_warehouse_options *options) {
    struct fake_warehouse *w = calloc(1, sizeof(*w));
    if (w == 0) {
        return 0;
    }
    w->observer = options->observer;
    w->time_travel_ns = options->time_travel_ns != 0 ? options->time_travel_ns : VTIME_DAY;
    w->fail_safe_ns = options->fail_safe_ns;
    w->kept_ns = options->kept_ns != 0 ? options->kept_ns : WAREHOUSE_KEPT_NS_DEFAULT;
    w->edge = (vtime){INT64_MIN};
    w->oldest = INT64_MAX;
    erasure_marks_init(&w->marks);
    row_journal_init(&w->gold_journal, options->journal);
    row_journal_init(&w->order_journal, options->journal);
    row_journal_init(&w->gold_sales_journal, options->journal);
    row_journal_init(&w->sales_journal, options->journal);
    w->merge = options->merge;
    w->view_lag_min_ns = options->view_lag_min_ns;
    w->stream_kept_ns = options->stream_kept_ns;
    w->view_as_of = (vtime){INT64_MIN};
    id_map_init(&w->merged);
    id_map_init(&w->tokens);
    id_map_init(&w->silver_newest);
    id_map_init(&w->gold_by_id);
    id_map_init(&w->bucket_by_hash);
    warehouse_audit_init(&w->audit);
    warehouse_events_init(&w->events);
    warehouse_rebuilt_init(&w->rebuilt);
    int rc = sqlite_host_open(&w->db, SQLITE_HOST_MEMORY, 0);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(w->db, schema, 0, 0, 0);
    }
    for (int i = 0; i < STATEMENT_COUNT && rc == SQLITE_OK; i++) {
        rc = sqlite_host_prepare(w->db, sql[i], &w->statements[i]);
    }
    assert(rc == SQLITE_OK || rc == SQLITE_NOMEM);
    if (rc != SQLITE_OK) {
        fake_warehouse_free(w);
        return 0;
    }
    return w;
}

void fake_warehouse_free(struct fake_warehouse *w) {
    if (w == 0) {
        return;
    }
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(w->statements[i]);
    }
    sqlite3_close(w->db);
    for (size_t i = 0; i < w->bucket_count; i++) {
        free(w->buckets[i].category);
    }
    row_journal_release(&w->gold_journal);
    row_journal_release(&w->order_journal);
    row_journal_release(&w->gold_sales_journal);
    row_journal_release(&w->sales_journal);
    id_map_release(&w->merged);
    id_map_release(&w->tokens);
    id_map_release(&w->silver_newest);
    id_map_release(&w->gold_by_id);
    id_map_release(&w->bucket_by_hash);
    warehouse_audit_release(&w->audit);
    free(w->gaps);
    warehouse_events_release(&w->events);
    erasure_marks_release(&w->marks);
    warehouse_rebuilt_release(&w->rebuilt);
    free(w->shown);
    free(w->silver);
    free(w->gold);
    free(w->buckets);
    free(w->log_values);
    free(w->touched);
    free(w->moved);
    free(w);
}

int warehouse_run(struct fake_warehouse *w, enum statement which, const struct cell *cells,
                  int count) {
    sqlite3_stmt *statement = w->statements[which];
    if (cells_bind(statement, 1, cells, count) != SQLITE_OK || statement_run(statement) != 0) {
        return PORT_NO_MEMORY;
    }
    return 0;
}

struct stamp warehouse_stamp(sqlite3_stmt *s, int column) {
    return (struct stamp){{sqlite3_column_int64(s, column)},
                          {(uint64_t)sqlite3_column_int64(s, column + 1),
                           (uint64_t)sqlite3_column_int64(s, column + 2)}};
}

/* ---- the port ---- */

static uint64_t channel_key(enum topic_id topic, uint32_t partition) {
    return (uint64_t)topic << 32 | partition;
}

int64_t fake_warehouse_token(const struct fake_warehouse *w, enum topic_id topic,
                             uint32_t partition) {
    const struct id_map_entry *entry = id_map_find(&w->tokens, channel_key(topic, partition));
    return entry == NULL ? CHANNEL_NO_TOKEN : (int64_t)entry->value.number;
}

int fake_warehouse_set_token(struct fake_warehouse *w, enum topic_id topic, uint32_t partition,
                             int64_t token) {
    union id_map_value value = {.number = (uint64_t)token};
    return id_map_put(&w->tokens, channel_key(topic, partition), value) < 0 ? PORT_NO_MEMORY : 0;
}

static int port_open_channels(void *ctx, vtime now, struct warehouse_channel *channels,
                              size_t count) {
    (void)now;
    for (size_t i = 0; i < count; i++) {
        channels[i].token = fake_warehouse_token(ctx, channels[i].topic, channels[i].partition);
    }
    return 0;
}

/* A batch of the past, which a former owner of the partition sends, leaves the token where it is.
 */
static int token_moves(struct fake_warehouse *w, const struct warehouse_batch *batch) {
    enum topic_id topic = batch->channel_topic;
    uint32_t partition = batch->channel_partition;
    bool moves = batch->channelled && batch->token > fake_warehouse_token(w, topic, partition);
    return moves ? fake_warehouse_set_token(w, topic, partition, batch->token) : 0;
}

static int load_audit(struct fake_warehouse *w, vtime now, const struct audit_row *row,
                      bool dedupe) {
    uint64_t more = (uint64_t)row->version * MODALITY_COUNT * 256 + (uint64_t)row->modality * 256 +
                    row->model_version;
    enum merge_turn turn = warehouse_merge_turn(w, MERGE_AUDITS, row->listing_id, more);
    int added = warehouse_audit_add(&w->audit, now, row, dedupe && turn != MERGE_INSERTS);
    if (added < 0) {
        return PORT_NO_MEMORY;
    }
    return added == 0 ? 0 : warehouse_merge_took(w, MERGE_AUDITS, row->listing_id, more, false);
}

static int load_gap(struct fake_warehouse *w, const struct gap_row *gap) {
    for (size_t i = 0; i < w->gap_count; i++) {
        struct gap_row *known = &w->gaps[i];
        if (known->topic == gap->topic && known->partition == gap->partition &&
            known->from == gap->from) {
            known->to = known->to > gap->to ? known->to : gap->to;
            return 0;
        }
    }
    if (ARRAY_RESERVE(w->gaps, w->gap_capacity, w->gap_count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    w->gaps[w->gap_count++] = *gap;
    return 0;
}

const struct gap_row *fake_warehouse_gaps(const struct fake_warehouse *w, size_t *count) {
    *count = w->gap_count;
    return w->gaps;
}

static int port_load(void *ctx, vtime now, const struct warehouse_batch *batch) {
    struct fake_warehouse *w = ctx;
    int rc = fake_warehouse_expire(w, now);
    warehouse_merge_begin(w);
    rc = rc == 0 && batch->gap_given ? load_gap(w, &batch->gap) : rc;
    for (size_t i = 0; i < batch->erasure_count && rc == 0; i++) {
        rc = warehouse_load_erasure(w, now, &batch->erasures[i]);
    }
    for (size_t i = 0; i < batch->bronze_count && rc == 0; i++) {
        rc = warehouse_load_bronze(w, now, &batch->bronze[i], batch->dedupe);
    }
    for (size_t i = 0; i < batch->silver_count && rc == 0; i++) {
        rc = warehouse_load_silver(w, now, &batch->silver[i], batch->dedupe);
    }
    for (size_t i = 0; i < batch->gold_count && rc == 0; i++) {
        rc = warehouse_load_gold(w, now, &batch->gold[i], batch->dedupe);
    }
    for (size_t i = 0; i < batch->order_count && rc == 0; i++) {
        rc = warehouse_load_order(w, now, &batch->orders[i], batch->dedupe, batch->repair);
    }
    for (size_t i = 0; i < batch->remade_count && rc == 0; i++) {
        rc = warehouse_remake_sales(w, now, &batch->remade[i]);
    }
    for (size_t i = 0; i < batch->event_count && rc == 0; i++) {
        bool failed = warehouse_events_add(&w->events, now, &batch->events[i], batch->dedupe) < 0;
        rc = failed ? PORT_NO_MEMORY : 0;
    }
    for (size_t i = 0; i < batch->audit_count && rc == 0; i++) {
        rc = load_audit(w, now, &batch->audits[i], batch->dedupe);
    }
    rc = rc == 0 ? warehouse_keep_sales(w, now) : rc;
    rc = rc == 0 && warehouse_rebuilt_load(&w->rebuilt, batch) != 0 ? PORT_NO_MEMORY : rc;
    return rc == 0 ? token_moves(w, batch) : rc;
}

static int port_scan_rebuilt(void *ctx, vtime now, uint64_t first, uint64_t last,
                             struct scan_row *out, size_t max, size_t *count) {
    struct fake_warehouse *w = ctx;
    (void)now;
    *count = warehouse_rebuilt_scan(&w->rebuilt, first, last, out, max);
    return 0;
}

struct warehouse_port fake_warehouse_port(struct fake_warehouse *w) {
    static const struct warehouse_port_ops ops = {
        .open_channels = port_open_channels,
        .load = port_load,
        .scan = warehouse_scan_gold,
        .read_log = warehouse_read_log,
        .scan_rebuilt = port_scan_rebuilt,
        .read_sales = warehouse_read_sales,
        .refresh_dashboard = warehouse_refresh_sales,
        .erase = warehouse_erase,
    };
    return (struct warehouse_port){&ops, w};
}

/* ---- what is asked from outside the simulation ---- */

struct fake_warehouse_counts fake_warehouse_counts(const struct fake_warehouse *w) {
    return w->counts;
}

const struct pulse *fake_warehouse_pulse(const struct fake_warehouse *w,
                                         enum warehouse_pulse which) {
    assert(which < WAREHOUSE_PULSES);
    return &w->pulses[which];
}

const struct lag_histogram *fake_warehouse_behind(const struct fake_warehouse *w) {
    return &w->behind;
}

void fake_warehouse_quiet_after(struct fake_warehouse *w, vtime until) {
    for (int i = 0; i < WAREHOUSE_PULSES; i++) {
        w->pulses[i].until = until;
    }
}

const struct warehouse_rebuilt *fake_warehouse_rebuilt(const struct fake_warehouse *w) {
    return &w->rebuilt;
}

const struct warehouse_events *fake_warehouse_events(const struct fake_warehouse *w) {
    return &w->events;
}

const struct warehouse_audit *fake_warehouse_audit(const struct fake_warehouse *w) {
    return &w->audit;
}

const struct row_journal *fake_warehouse_gold_journal(const struct fake_warehouse *w) {
    return &w->gold_journal;
}

const struct row_journal *fake_warehouse_order_journal(const struct fake_warehouse *w) {
    return &w->order_journal;
}

const struct row_journal *fake_warehouse_gold_sales_journal(const struct fake_warehouse *w) {
    return &w->gold_sales_journal;
}

const struct row_journal *fake_warehouse_sales_journal(const struct fake_warehouse *w) {
    return &w->sales_journal;
}

void fake_warehouse_check(struct fake_warehouse *w) {
    warehouse_check_silver(w);
    for (uint32_t i = 0; i < w->bucket_count; i++) {
        warehouse_check_sales(w, i);
    }
    assert(w->counts.silver <= w->silver_count);
    for (size_t i = 0; i < w->gold_count; i++) {
        struct scan_row rows[2];
        size_t count = 0;
        uint64_t id = w->gold[i].listing_id;
        int rc = warehouse_scan_gold(w, (vtime){0}, id, id, rows, 2, &count);
        assert(rc == 0 && (count == 1 || (count == 2 && w->gold_copies > 0)));
        assert(rows[0].version == w->gold[i].state.version);
    }
}
