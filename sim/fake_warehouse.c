#include "sim/fake_warehouse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/id_map.h"
#include "pipeline/retention.h"
#include "sim/cell.h"
#include "sim/erasure_marks.h"
#include "sim/sqlite_host.h"

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
    READ_BRONZE,
    READ_LOG,
    READ_LOG_OF_EPOCH,
    LATER_EPOCH,
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
    [READ_BRONZE] = "SELECT * FROM bronze_event UNION ALL"
                    " SELECT position," BRONZE_COLUMNS " FROM bronze_second",
    [READ_LOG_OF_EPOCH] =
        "SELECT * FROM bronze_event WHERE position BETWEEN ?1 AND ?2 ORDER BY position",
    [LATER_EPOCH] = "SELECT 1 FROM bronze_event WHERE position > ?1 AND position <= ?2 LIMIT 1",
    [READ_LOG] = "SELECT * FROM bronze_event WHERE position >= ?1 AND position <= ?2"
                 " AND (position & ?3) >= ?4 ORDER BY position & ?3, position DESC",
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
    bool touched;
    struct sales_row present; /* the sums over the orders as they are; no category or hour */
    struct sales_row shown;   /* as the last refresh took them over */
};

struct fake_warehouse {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct store_observer observer;
    struct row_journal gold_journal, order_journal, sales_journal;
    struct erasure_marks marks;
    int64_t time_travel_ns, fail_safe_ns, kept_ns;
    vtime edge;     /* up to where was looked for what has come of age */
    int64_t oldest; /* moment of the oldest record or version that ever came */
    bool has_dropped;
    bool bronze_by_subject; /* its index is made */
    struct fake_warehouse_counts counts;
    uint32_t gold_copies, order_copies;
    struct warehouse_audit audit;
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
    uint32_t *touched;
    size_t touched_count, touched_capacity;
};

/* Ids in the order of signed integers: SQLite knows no others. */
static int64_t key_of(uint64_t id) {
    return (int64_t)(id ^ (UINT64_C(1) << 63));
}

static uint64_t id_of(int64_t key) {
    return (uint64_t)key ^ (UINT64_C(1) << 63);
}

/* ---- life ---- */

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
    row_journal_init(&w->sales_journal, options->journal);
    id_map_init(&w->silver_newest);
    id_map_init(&w->gold_by_id);
    id_map_init(&w->bucket_by_hash);
    warehouse_audit_init(&w->audit);
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
    row_journal_release(&w->sales_journal);
    id_map_release(&w->silver_newest);
    id_map_release(&w->gold_by_id);
    id_map_release(&w->bucket_by_hash);
    warehouse_audit_release(&w->audit);
    erasure_marks_release(&w->marks);
    warehouse_rebuilt_release(&w->rebuilt);
    free(w->shown);
    free(w->silver);
    free(w->gold);
    free(w->buckets);
    free(w->log_values);
    free(w->touched);
    free(w);
}

static int run(struct fake_warehouse *w, enum statement which, const struct cell *cells,
               int count) {
    sqlite3_stmt *statement = w->statements[which];
    if (cells_bind(statement, 1, cells, count) != SQLITE_OK || statement_run(statement) != 0) {
        return PORT_NO_MEMORY;
    }
    return 0;
}

static struct stamp stamp_at(sqlite3_stmt *s, int column) {
    return (struct stamp){{sqlite3_column_int64(s, column)},
                          {(uint64_t)sqlite3_column_int64(s, column + 1),
                           (uint64_t)sqlite3_column_int64(s, column + 2)}};
}

/* ---- bronze ---- */

#define OFFSET_BITS 38
#define EPOCH_BITS 12
#define PARTITION_BITS 10

/* (topic, partition, epoch, offset) in one integer that sorts like them. */
static int64_t pack_position(const struct bronze_row *row) {
    assert(row->topic < TOPIC_COUNT && row->partition < (1u << PARTITION_BITS));
    assert(row->epoch < (1u << EPOCH_BITS));
    assert(row->offset >= 0 && row->offset < (INT64_C(1) << OFFSET_BITS));
    uint64_t packed = (uint64_t)row->topic;
    packed = (packed << PARTITION_BITS) | row->partition;
    packed = (packed << EPOCH_BITS) | row->epoch;
    return (int64_t)((packed << OFFSET_BITS) | (uint64_t)row->offset);
}

static void unpack_position(int64_t position, struct bronze_row *row) {
    uint64_t packed = (uint64_t)position;
    row->offset = (int64_t)(packed & ((UINT64_C(1) << OFFSET_BITS) - 1));
    packed >>= OFFSET_BITS;
    row->epoch = (uint32_t)(packed & ((1u << EPOCH_BITS) - 1));
    packed >>= EPOCH_BITS;
    row->partition = (uint32_t)(packed & ((1u << PARTITION_BITS) - 1));
    row->topic = (enum topic_id)(packed >> PARTITION_BITS);
}

/* Of what an erasure is about: orders, policy and erasures themselves stay. */
static bool is_content(enum record_type type) {
    return type == RECORD_LISTING || type == RECORD_MEDIA;
}

static bool bronze_is_erased(const struct fake_warehouse *w, const struct bronze_row *row) {
    const struct erasure_mark *mark = erasure_marks_find(&w->marks, row->subject_id);
    return mark != NULL && is_content(row->type) && stamp_compare(row->stamp, mark->stamp) <= 0;
}

static bool version_is_erased(const struct fake_warehouse *w, const struct document_row *d) {
    const struct erasure_mark *mark = erasure_marks_find(&w->marks, d->listing_id);
    return mark != NULL && d->version < mark->version;
}

/* Such a record goes at the edge, whoever still asks for it. */
static bool goes_at_edge(const struct fake_warehouse *w, const struct bronze_row *row) {
    if (row->topic != TOPIC_LISTING_LOG || row->type == 0) {
        return true;
    }
    uint32_t at = id_map_get(&w->silver_newest, row->subject_id);
    if (at == NONE || !is_content(row->type)) {
        return is_content(row->type);
    }
    const struct silver_entry *newest = &w->silver[at];
    return !newest->alive && newest->valid_from_ns < w->edge.ns &&
           newest->recorded_ns < w->edge.ns &&
           newest->version != doc_version_pack(row->epoch, row->offset);
}

static int load_bronze(struct fake_warehouse *w, vtime now, const struct bronze_row *row,
                       bool dedupe) {
    if (bronze_is_erased(w, row) || (vtime_before(row->append, w->edge) && goes_at_edge(w, row))) {
        return 0;
    }
    w->oldest = row->append.ns < w->oldest ? row->append.ns : w->oldest;
    struct cell cells[] = {
        cell_integer(pack_position(row)),
        cell_integer(row->append.ns),
        cell_integer(row->type),
        cell_integer(row->stamp.ts.ns),
        cell_pattern(row->stamp.id.hi),
        cell_pattern(row->stamp.id.lo),
        cell_pattern(row->subject_id),
        cell_integer(now.ns),
        cell_blob(row->value),
    };
    if (run(w, PUT_BRONZE, cells, 9) != 0) {
        return PORT_NO_MEMORY;
    }
    if (sqlite3_changes(w->db) == 1) {
        w->counts.bronze++;
        return 0;
    }
    if (!dedupe) {
        w->counts.bronze++;
        w->counts.duplicates++;
        return run(w, PUT_BRONZE_SECOND, cells, 9);
    }
    return 0;
}

/* Adds the record to those read; its value is found by its place until all are there. */
static int take_logged(struct fake_warehouse *w, sqlite3_stmt *s, const struct bronze_row *row,
                       struct log_record *out, size_t *used) {
    struct bytes value = statement_bytes(s, 8);
    if (ARRAY_RESERVE(w->log_values, w->log_capacity, *used + value.len + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    memcpy(w->log_values + *used, value.data, value.len);
    *out = (struct log_record){.offset = row->offset,
                               .epoch = row->epoch,
                               .append = {sqlite3_column_int64(s, 1)},
                               .key = (uint64_t)sqlite3_column_int64(s, 6),
                               .value = {NULL, value.len}};
    *used += value.len;
    return 0;
}

/* The records of the partition from the offset on, in the order of offsets, the later of two first.
 * Where no leader ever changed that is the order in which bronze keeps them. */
static sqlite3_stmt *log_statement(struct fake_warehouse *w, enum topic_id topic,
                                   uint32_t partition, int64_t offset) {
    int64_t offset_max = (INT64_C(1) << OFFSET_BITS) - 1;
    struct bronze_row place = {
        .topic = topic, .partition = partition, .offset = offset < 0 ? 0 : offset};
    int64_t from = pack_position(&place);
    place.offset = 0;
    int64_t first = pack_position(&place);
    place.offset = offset_max;
    int64_t epoch_end = pack_position(&place);
    place.epoch = (1u << EPOCH_BITS) - 1;
    int64_t end = pack_position(&place);
    sqlite3_stmt *later = w->statements[LATER_EPOCH];
    sqlite3_bind_int64(later, 1, epoch_end);
    sqlite3_bind_int64(later, 2, end);
    bool changed = statement_row(later) != 0;
    sqlite3_reset(later);
    if (!changed) {
        sqlite3_stmt *s = w->statements[READ_LOG_OF_EPOCH];
        sqlite3_bind_int64(s, 1, from);
        sqlite3_bind_int64(s, 2, epoch_end);
        return s;
    }
    sqlite3_stmt *s = w->statements[READ_LOG];
    sqlite3_bind_int64(s, 1, first);
    sqlite3_bind_int64(s, 2, end);
    sqlite3_bind_int64(s, 3, offset_max);
    sqlite3_bind_int64(s, 4, offset);
    return s;
}

static int port_read_log(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                         int64_t offset, struct log_record *out, size_t max, size_t *count) {
    struct fake_warehouse *w = ctx;
    *count = 0;
    if (fake_warehouse_expire(w, now) != 0) {
        return PORT_NO_MEMORY;
    }
    sqlite3_stmt *s = log_statement(w, topic, partition, offset);
    size_t used = 0;
    int more = statement_row(s), rc = 0;
    for (; more == 1 && rc == 0 && *count < max; more = statement_row(s)) {
        struct bronze_row row;
        unpack_position(sqlite3_column_int64(s, 0), &row);
        if (*count > 0 && out[*count - 1].offset == row.offset) {
            continue; /* what stood there before a leader change */
        }
        rc = take_logged(w, s, &row, &out[*count], &used);
        *count += rc == 0;
    }
    sqlite3_reset(s);
    const char *at = w->log_values;
    for (size_t i = 0; i < *count; i++) {
        out[i].value.data = at;
        at += out[i].value.len;
    }
    return more < 0 ? PORT_NO_MEMORY : rc;
}

int fake_warehouse_each_bronze(struct fake_warehouse *w,
                               int (*each)(void *ctx, vtime ingested, const struct bronze_row *row),
                               void *ctx) {
    sqlite3_stmt *s = w->statements[READ_BRONZE];
    int more = statement_row(s);
    for (; more == 1; more = statement_row(s)) {
        struct bronze_row row = {
            .append = {sqlite3_column_int64(s, 1)},
            .type = (enum record_type)sqlite3_column_int(s, 2),
            .stamp = stamp_at(s, 3),
            .subject_id = (uint64_t)sqlite3_column_int64(s, 6),
            .value = statement_bytes(s, 8),
        };
        unpack_position(sqlite3_column_int64(s, 0), &row);
        int rc = each(ctx, (vtime){sqlite3_column_int64(s, 7)}, &row);
        if (rc != 0) {
            sqlite3_reset(s);
            return rc;
        }
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

/* ---- documents: the columns that silver and gold share ---- */

#define DOCUMENT_CELLS 20

static void document_cells(const struct document_row *d, struct cell cells[DOCUMENT_CELLS]) {
    cells[0] = cell_integer(d->version);
    cells[1] = cell_integer(d->changed_at.ns);
    cells[2] = cell_integer(d->stamp.ts.ns);
    cells[3] = cell_pattern(d->stamp.id.hi);
    cells[4] = cell_pattern(d->stamp.id.lo);
    cells[5] = cell_pattern(d->source_hash);
    cells[6] = cell_pattern(d->whole_hash);
    cells[7] = cell_integer(d->alive);
    cells[8] = cell_integer(d->policy);
    cells[9] = d->seller_id == 0 ? cell_null() : cell_pattern(d->seller_id);
    cells[10] = d->price < 0 ? cell_null() : cell_integer(d->price);
    cells[11] = cell_text(d->title);
    cells[12] = cell_text(d->description);
    cells[13] = cell_text(d->locale);
    cells[14] = cell_text(d->category);
    cells[15] = cell_text(d->attributes);
    cells[16] = cell_text(d->images);
    cells[17] = cell_text(d->category_path);
    cells[18] = cell_text(d->locale_tag);
    cells[19] = cell_integer(d->tokeniser);
}

/* The document whose columns start at `c`. */
static struct document_row read_document(sqlite3_stmt *s, int c, uint64_t listing_id) {
    return (struct document_row){
        .listing_id = listing_id,
        .version = sqlite3_column_int64(s, c),
        .changed_at = {sqlite3_column_int64(s, c + 1)},
        .stamp = stamp_at(s, c + 2),
        .source_hash = (uint64_t)sqlite3_column_int64(s, c + 5),
        .whole_hash = (uint64_t)sqlite3_column_int64(s, c + 6),
        .alive = sqlite3_column_int(s, c + 7) != 0,
        .policy = (enum policy_status)sqlite3_column_int(s, c + 8),
        .seller_id = (uint64_t)sqlite3_column_int64(s, c + 9),
        .price =
            sqlite3_column_type(s, c + 10) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, c + 10),
        .title = statement_bytes(s, c + 11),
        .description = statement_bytes(s, c + 12),
        .locale = statement_bytes(s, c + 13),
        .category = statement_bytes(s, c + 14),
        .attributes = statement_bytes(s, c + 15),
        .images = statement_bytes(s, c + 16),
        .category_path = statement_bytes(s, c + 17),
        .locale_tag = statement_bytes(s, c + 18),
        .tokeniser = (enum tokeniser)sqlite3_column_int(s, c + 19),
    };
}

static struct row_state state_of(const struct document_row *d, bool present) {
    return (struct row_state){.present = present,
                              .version = d->version,
                              .source_hash = d->source_hash,
                              .whole_hash = d->whole_hash};
}

/* ---- silver ---- */

/* Makes the intervals tile from a row that was linked in on: each starts where the one before it
 * ends, never before that one started. Stops at the first later row that stays where it was. */
static void tile(struct fake_warehouse *w, uint32_t linked) {
    int64_t floor_ns = INT64_MIN;
    if (w->silver[linked].older != NONE) {
        floor_ns = w->silver[w->silver[linked].older].valid_from_ns;
    }
    for (uint32_t at = linked; at != NONE; at = w->silver[at].newer) {
        struct silver_entry *entry = &w->silver[at];
        int64_t from_ns = entry->changed_at_ns > floor_ns ? entry->changed_at_ns : floor_ns;
        bool stays = at != linked && entry->valid_from_ns == from_ns;
        entry->valid_from_ns = from_ns;
        if (entry->older != NONE) {
            w->silver[entry->older].valid_to_ns = from_ns;
        }
        if (stays) {
            return;
        }
        if (entry->newer == NONE) {
            entry->valid_to_ns = INT64_MAX;
        }
        floor_ns = from_ns;
    }
}

/* The listing's row of the greatest version that is not above v, or NONE; *newer is the next. */
static uint32_t find_version(const struct fake_warehouse *w, uint64_t listing_id, doc_version v,
                             uint32_t *newer) {
    *newer = NONE;
    uint32_t at = id_map_get(&w->silver_newest, listing_id);
    while (at != NONE && w->silver[at].version > v) {
        *newer = at;
        at = w->silver[at].older;
    }
    return at;
}

static int link_silver(struct fake_warehouse *w, vtime now, const struct document_row *d,
                       uint32_t older, uint32_t newer) {
    uint32_t at = (uint32_t)w->silver_count;
    if (ARRAY_RESERVE(w->silver, w->silver_capacity, w->silver_count + 1) != 0 ||
        (newer == NONE && id_map_put_index(&w->silver_newest, d->listing_id, at) != 0)) {
        return PORT_NO_MEMORY;
    }
    w->oldest = d->changed_at.ns < w->oldest ? d->changed_at.ns : w->oldest;
    w->silver[w->silver_count++] = (struct silver_entry){
        .listing_id = d->listing_id,
        .version = d->version,
        .changed_at_ns = d->changed_at.ns,
        .recorded_ns = now.ns,
        .alive = d->alive,
        .older = older,
        .newer = newer,
    };
    if (older != NONE) {
        w->silver[older].newer = at;
    }
    if (newer != NONE) {
        w->silver[newer].older = at;
    }
    tile(w, at);
    return 0;
}

static int load_silver(struct fake_warehouse *w, vtime now, const struct document_row *d,
                       bool dedupe) {
    if (version_is_erased(w, d)) {
        return 0;
    }
    uint32_t newer;
    uint32_t older = find_version(w, d->listing_id, d->version, &newer);
    bool known = older != NONE && w->silver[older].version == d->version;
    bool over = newer != NONE && w->silver[newer].valid_from_ns <= w->edge.ns;
    if ((known && dedupe) || over) {
        return 0;
    }
    struct cell cells[2 + DOCUMENT_CELLS] = {cell_integer((int64_t)w->silver_count + 1),
                                             cell_pattern(d->listing_id)};
    document_cells(d, cells + 2);
    if (run(w, PUT_SILVER, cells, 2 + DOCUMENT_CELLS) != 0 ||
        link_silver(w, now, d, older, newer) != 0) {
        return PORT_NO_MEMORY;
    }
    w->counts.silver++;
    w->counts.duplicates += known;
    struct row_change change = {.store = STORE_SILVER,
                                .listing_id = d->listing_id,
                                .kind = ROW_UPSERT,
                                .before = {.present = known},
                                .after = state_of(d, true),
                                .duplicate = known};
    if (known) {
        change.before = change.after;
    }
    store_observer_tell(&w->observer, now, &change);
    return 0;
}

/* The row that the statement stands at; of its document the keys alone, unless it is wanted whole.
 */
static struct silver_row silver_at(const struct fake_warehouse *w, sqlite3_stmt *s, bool whole) {
    const struct silver_entry *entry = &w->silver[sqlite3_column_int64(s, 0) - 1];
    uint64_t listing_id = (uint64_t)sqlite3_column_int64(s, 1);
    struct silver_row row = {
        .document = {.listing_id = listing_id, .version = sqlite3_column_int64(s, 2)},
        .valid_from = {entry->valid_from_ns},
        .valid_to = {entry->valid_to_ns},
        .recorded = {entry->recorded_ns},
    };
    if (whole) {
        row.document = read_document(s, 2, listing_id);
    }
    return row;
}

static int each_silver(struct fake_warehouse *w, enum statement which,
                       int (*each)(void *ctx, const struct silver_row *row), void *ctx) {
    sqlite3_stmt *s = w->statements[which];
    int more = statement_row(s);
    for (; more == 1; more = statement_row(s)) {
        struct silver_row row = silver_at(w, s, which != READ_SILVER_KEYS);
        int rc = each(ctx, &row);
        if (rc != 0) {
            sqlite3_reset(s);
            return rc;
        }
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

int fake_warehouse_each_silver(struct fake_warehouse *w,
                               int (*each)(void *ctx, const struct silver_row *row), void *ctx) {
    return each_silver(w, READ_SILVER, each, ctx);
}

int fake_warehouse_each_version(struct fake_warehouse *w,
                                int (*each)(void *ctx, const struct silver_row *row), void *ctx) {
    return each_silver(w, READ_SILVER_KEYS, each, ctx);
}

int fake_warehouse_each_current(struct fake_warehouse *w,
                                int (*each)(void *ctx, const struct silver_row *row), void *ctx) {
    int rc = 0;
    for (size_t i = 0; i < w->silver_count && rc == 0; i++) {
        if (w->silver[i].valid_to_ns == VTIME_NEVER.ns) {
            sqlite3_bind_int64(w->statements[READ_SILVER_ROW], 1, (int64_t)i + 1);
            rc = each_silver(w, READ_SILVER_ROW, each, ctx);
        }
    }
    return rc;
}

/* ---- gold ---- */

static bool is_served(const struct document_row *d) {
    return d->alive && d->policy != POLICY_SUPPRESSED;
}

/* Writes the row by its key, or as one more row of that key. */
static int put_gold(struct fake_warehouse *w, vtime now, const struct document_row *d,
                    bool second) {
    struct cell cells[2 + DOCUMENT_CELLS];
    cells[0] = cell_integer(key_of(d->listing_id));
    document_cells(d, cells + 1);
    cells[1 + DOCUMENT_CELLS] = cell_integer(now.ns);
    if (run(w, second ? PUT_GOLD_SECOND : PUT_GOLD, cells, 2 + DOCUMENT_CELLS) != 0) {
        return PORT_NO_MEMORY;
    }
    cells[0] = cell_pattern(d->listing_id);
    struct row_key key = {d->listing_id, second ? ++w->gold_copies : 0};
    return row_journal_put(&w->gold_journal, now, key, cells, 2 + DOCUMENT_CELLS) == 0
               ? 0
               : PORT_NO_MEMORY;
}

/* The index entry of a listing, made when there is none; NULL without memory. */
static struct gold_entry *ensure_gold(struct fake_warehouse *w, uint64_t listing_id) {
    uint32_t at = id_map_get(&w->gold_by_id, listing_id);
    if (at != NONE) {
        return &w->gold[at];
    }
    if (ARRAY_RESERVE(w->gold, w->gold_capacity, w->gold_count + 1) != 0 ||
        id_map_put_index(&w->gold_by_id, listing_id, (uint32_t)w->gold_count) != 0) {
        return 0;
    }
    w->gold[w->gold_count] =
        (struct gold_entry){.listing_id = listing_id, .state = {.version = DOC_VERSION_NONE}};
    return &w->gold[w->gold_count++];
}

/* A row from before the listing's erasure goes to the time travel when it is written over. */
static int gold_overwritten(struct fake_warehouse *w, vtime now, const struct gold_entry *entry,
                            const struct document_row *d) {
    const struct erasure_mark *mark = erasure_marks_find(&w->marks, d->listing_id);
    bool old = mark != NULL && entry->state.version != DOC_VERSION_NONE &&
               entry->state.version < mark->version;
    return !old || erasure_marks_removed(&w->marks, now, mark, 1) == 0 ? 0 : PORT_NO_MEMORY;
}

static int load_gold(struct fake_warehouse *w, vtime now, const struct document_row *d,
                     bool dedupe) {
    assert(d->version > DOC_VERSION_NONE);
    struct gold_entry *entry = ensure_gold(w, d->listing_id);
    if (entry == 0) {
        return PORT_NO_MEMORY;
    }
    bool second = entry->state.version >= d->version;
    if ((second && dedupe) || version_is_erased(w, d)) {
        return 0;
    }
    if (gold_overwritten(w, now, entry, d) != 0 || put_gold(w, now, d, second) != 0) {
        return PORT_NO_MEMORY;
    }
    struct row_change change = {.store = STORE_GOLD,
                                .listing_id = d->listing_id,
                                .kind = ROW_UPSERT,
                                .before = entry->state,
                                .after = state_of(d, is_served(d)),
                                .duplicate = second};
    w->counts.gold += second || entry->state.version == DOC_VERSION_NONE;
    w->counts.duplicates += second;
    if (!second) {
        entry->state = change.after;
    }
    store_observer_tell(&w->observer, now, &change);
    return 0;
}

struct row_state fake_warehouse_gold(const struct fake_warehouse *w, uint64_t listing_id) {
    uint32_t at = id_map_get(&w->gold_by_id, listing_id);
    return at == NONE ? (struct row_state){.version = DOC_VERSION_NONE} : w->gold[at].state;
}

/* ---- orders and the dashboard ---- */

/* The bucket of a category and hour, made when there is none; NONE without memory. */
static uint32_t ensure_bucket(struct fake_warehouse *w, struct bytes category, int64_t hour_ns) {
    uint64_t hash = XXH3_64bits_withSeed(category.data, category.len, (XXH64_hash_t)hour_ns);
    for (;; hash++) {
        uint32_t at = id_map_get(&w->bucket_by_hash, hash);
        if (at == NONE) {
            break;
        }
        const struct bucket *b = &w->buckets[at];
        if (b->hour_ns == hour_ns &&
            bytes_equal((struct bytes){b->category, b->category_len}, category)) {
            return at;
        }
    }
    if (ARRAY_RESERVE(w->buckets, w->bucket_capacity, w->bucket_count + 1) != 0 ||
        ARRAY_RESERVE(w->touched, w->touched_capacity, w->bucket_count + 1) != 0) {
        return NONE;
    }
    char *copy = malloc(category.len + 1);
    if (copy == 0 || id_map_put_index(&w->bucket_by_hash, hash, (uint32_t)w->bucket_count) != 0) {
        free(copy);
        return NONE;
    }
    if (category.len > 0) {
        memcpy(copy, category.data, category.len);
    }
    w->buckets[w->bucket_count] =
        (struct bucket){.category = copy, .category_len = category.len, .hour_ns = hour_ns};
    return (uint32_t)w->bucket_count++;
}

static int keep_order_history(struct fake_warehouse *w, vtime now, const struct order_row *order,
                              int64_t hour_ns, uint32_t copy) {
    struct cell cells[] = {
        cell_pattern(order->order_id),
        cell_pattern(order->listing_id),
        cell_text(order->category),
        cell_integer(hour_ns),
        cell_integer(order->quantity),
        cell_integer(order->amount),
        cell_integer(order->stamp.ts.ns),
        cell_pattern(order->stamp.id.hi),
        cell_pattern(order->stamp.id.lo),
        cell_integer(order_placed(order->placed, order->stamp).ns),
    };
    struct row_key key = {order->order_id, copy};
    return row_journal_put(&w->order_journal, now, key, cells, 10) == 0 ? 0 : PORT_NO_MEMORY;
}

/* An order as its bucket counts it. */
struct counted_order {
    uint32_t bucket;
    int64_t quantity;
    int64_t amount;
    struct stamp stamp;
};

static int read_order(struct fake_warehouse *w, uint64_t order_id, struct counted_order *out) {
    sqlite3_stmt *s = w->statements[READ_ORDER];
    sqlite3_bind_int64(s, 1, key_of(order_id));
    int found = statement_row(s);
    if (found < 0) {
        return PORT_NO_MEMORY;
    }
    assert(found == 1);
    *out = (struct counted_order){(uint32_t)sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 3),
                                  sqlite3_column_int64(s, 4), stamp_at(s, 5)};
    sqlite3_reset(s);
    return 0;
}

/* Counts an order into its bucket (sign 1) or out of it (-1). Sums wrap around, so what goes in
 * comes out exactly. */
static void count_order(struct fake_warehouse *w, vtime now, const struct counted_order *order,
                        int sign) {
    struct bucket *b = &w->buckets[order->bucket];
    uint64_t factor = (uint64_t)(int64_t)sign;
    b->present.changed_at = now;
    b->present.orders += sign;
    b->present.quantity =
        (int64_t)((uint64_t)b->present.quantity + factor * (uint64_t)order->quantity);
    b->present.amount = (int64_t)((uint64_t)b->present.amount + factor * (uint64_t)order->amount);
    if (!b->touched) {
        b->touched = true;
        w->touched[w->touched_count++] = order->bucket;
    }
}

static int load_order(struct fake_warehouse *w, vtime now, const struct order_row *order,
                      bool dedupe) {
    int64_t hour_ns = sales_hour(order_placed(order->placed, order->stamp)).ns;
    struct counted_order counted = {ensure_bucket(w, order->category, hour_ns), order->quantity,
                                    order->amount, order->stamp};
    if (counted.bucket == NONE) {
        return PORT_NO_MEMORY;
    }
    struct cell cells[] = {
        cell_integer(key_of(order->order_id)), cell_integer(counted.bucket),
        cell_pattern(order->listing_id),       cell_integer(order->quantity),
        cell_integer(order->amount),           cell_integer(order->stamp.ts.ns),
        cell_pattern(order->stamp.id.hi),      cell_pattern(order->stamp.id.lo),
    };
    if (run(w, ADD_ORDER, cells, 8) != 0) {
        return PORT_NO_MEMORY;
    }
    bool added = sqlite3_changes(w->db) == 1;
    uint32_t copy = 0;
    if (!added) {
        struct counted_order old;
        if (read_order(w, order->order_id, &old) != 0) {
            return PORT_NO_MEMORY;
        }
        bool newer = stamp_compare(order->stamp, old.stamp) > 0;
        if (!newer && dedupe) {
            return 0;
        }
        if (run(w, newer ? PUT_ORDER : PUT_ORDER_SECOND, cells, 8) != 0) {
            return PORT_NO_MEMORY;
        }
        if (newer) {
            count_order(w, now, &old, -1);
        } else {
            copy = ++w->order_copies;
            w->counts.duplicates++;
        }
    }
    count_order(w, now, &counted, 1);
    w->counts.orders += added || copy != 0;
    return keep_order_history(w, now, order, hour_ns, copy);
}

static int refresh_bucket(struct fake_warehouse *w, vtime now, uint32_t at) {
    struct bucket *b = &w->buckets[at];
    b->shown = b->present;
    b->touched = false;
    struct row_key key = {at, 0};
    if (b->shown.orders == 0) { /* its orders moved to other buckets */
        return row_journal_gone(&w->sales_journal, now, key);
    }
    struct cell cells[] = {cell_text((struct bytes){b->category, b->category_len}),
                           cell_integer(b->hour_ns), cell_integer(b->shown.orders),
                           cell_integer(b->shown.quantity), cell_integer(b->shown.amount)};
    return row_journal_put(&w->sales_journal, now, key, cells, 5);
}

bool fake_warehouse_sales(const struct fake_warehouse *w, size_t i, struct sales_row *out) {
    if (i >= w->bucket_count) {
        return false;
    }
    *out = w->buckets[i].shown;
    out->category = (struct bytes){w->buckets[i].category, w->buckets[i].category_len};
    out->hour = (vtime){w->buckets[i].hour_ns};
    return true;
}

/* ---- erasure ---- */

enum { BRONZE_SLICE = 64 };

/* Positions of the listing's raw records at or below the mark: all are counted, the first ones are
 * handed out. */
static int find_bronze(struct fake_warehouse *w, const struct erasure_mark *mark,
                       int64_t positions[BRONZE_SLICE], uint64_t *found) {
    if (!w->bronze_by_subject) { /* runs without erasures go without its cost */
        if (sqlite3_exec(w->db, "CREATE INDEX bronze_by_subject ON bronze_event(subject_id)", 0, 0,
                         0) != SQLITE_OK) {
            return PORT_NO_MEMORY;
        }
        w->bronze_by_subject = true;
    }
    sqlite3_stmt *s = w->statements[FIND_BRONZE];
    sqlite3_bind_int64(s, 1, (int64_t)mark->listing_id);
    *found = 0;
    int more;
    while ((more = statement_row(s)) == 1) {
        if (!is_content((enum record_type)sqlite3_column_int(s, 4)) ||
            stamp_compare(stamp_at(s, 1), mark->stamp) > 0) {
            continue;
        }
        if (*found < BRONZE_SLICE) {
            positions[*found] = sqlite3_column_int64(s, 0);
        }
        ++*found;
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

static int drop_bronze(struct fake_warehouse *w, int64_t position) {
    struct cell cell = cell_integer(position);
    if (run(w, DROP_BRONZE, &cell, 1) != 0) {
        return PORT_NO_MEMORY;
    }
    w->counts.bronze--;
    if (run(w, DROP_BRONZE_SECOND, &cell, 1) != 0) {
        return PORT_NO_MEMORY;
    }
    w->counts.bronze -= (uint64_t)sqlite3_changes(w->db);
    return 0;
}

/* Finds, and removes when asked to, what the mark covers in bronze. */
static int erase_bronze(struct fake_warehouse *w, const struct erasure_mark *mark, bool remove,
                        uint64_t *found) {
    int64_t positions[BRONZE_SLICE];
    uint64_t left;
    int rc = find_bronze(w, mark, positions, found);
    for (left = *found; rc == 0 && remove && left > 0;) {
        for (uint64_t i = 0; i < left && i < BRONZE_SLICE && rc == 0; i++) {
            rc = drop_bronze(w, positions[i]);
        }
        rc = rc == 0 ? find_bronze(w, mark, positions, &left) : rc;
    }
    return rc;
}

static void unlink_silver(struct fake_warehouse *w, uint32_t at) {
    struct silver_entry *entry = &w->silver[at];
    assert(entry->older == NONE);
    if (entry->newer != NONE) {
        w->silver[entry->newer].older = NONE;
    } else {
        id_map_put_index(&w->silver_newest, entry->listing_id, NONE); /* is there */
    }
    entry->dropped = true;
    entry->newer = NONE;
    w->counts.silver--;
}

static uint32_t silver_oldest(const struct fake_warehouse *w, uint64_t listing_id) {
    uint32_t at = id_map_get(&w->silver_newest, listing_id);
    while (at != NONE && w->silver[at].older != NONE) {
        at = w->silver[at].older;
    }
    return at;
}

static int erase_silver(struct fake_warehouse *w, const struct erasure_mark *mark, bool remove,
                        uint64_t *found) {
    *found = 0;
    uint32_t at = silver_oldest(w, mark->listing_id);
    while (at != NONE && w->silver[at].version < mark->version) {
        uint32_t next = w->silver[at].newer;
        ++*found;
        if (remove) {
            struct cell row = cell_integer((int64_t)at + 1);
            if (run(w, DROP_SILVER, &row, 1) != 0) {
                return PORT_NO_MEMORY;
            }
            unlink_silver(w, at);
        }
        at = next;
    }
    return 0;
}

static bool gold_is_old(const struct fake_warehouse *w, const struct erasure_mark *mark) {
    struct row_state gold = fake_warehouse_gold(w, mark->listing_id);
    return gold.version != DOC_VERSION_NONE && gold.version < mark->version;
}

/* Removes what the listing's mark covers; its gold row is written over by the batch that brings the
 * mark. */
static int erase_listing(struct fake_warehouse *w, vtime now, const struct erasure_mark *mark) {
    uint64_t bronze;
    uint64_t silver;
    if (erase_bronze(w, mark, true, &bronze) != 0 || erase_silver(w, mark, true, &silver) != 0 ||
        erasure_marks_removed(&w->marks, now, mark, bronze + silver) != 0) {
        return PORT_NO_MEMORY;
    }
    return 0;
}

static int load_erasure(struct fake_warehouse *w, vtime now, const struct erasure_row *row) {
    struct erasure_mark mark = {row->listing_id, row->stamp, row->version, STAMP_NONE};
    if (erasure_marks_raise(&w->marks, &mark) != 0) {
        return PORT_NO_MEMORY;
    }
    mark = *erasure_marks_find(&w->marks, row->listing_id);
    return erase_listing(w, now, &mark);
}

int fake_warehouse_held(struct fake_warehouse *w, vtime now, uint64_t listing_id,
                        struct stamp stamp, doc_version version, struct warehouse_held *held) {
    const struct erasure_mark *known = erasure_marks_find(&w->marks, listing_id);
    struct erasure_mark mark = {listing_id, stamp, version, STAMP_NONE};
    *held =
        (struct warehouse_held){.marked = known != NULL && stamp_compare(known->stamp, stamp) >= 0};
    if (erase_bronze(w, &mark, false, &held->bronze) != 0 ||
        erase_silver(w, &mark, false, &held->silver) != 0) {
        return PORT_NO_MEMORY;
    }
    held->gold = gold_is_old(w, &mark);
    held->time_travel =
        erasure_marks_lingering(&w->marks, now, listing_id, stamp, 0, w->time_travel_ns);
    held->fail_safe = erasure_marks_lingering(&w->marks, now, listing_id, stamp, w->time_travel_ns,
                                              w->time_travel_ns + w->fail_safe_ns);
    return 0;
}

static int port_erase(void *ctx, vtime now, struct erasure_subject *subjects, size_t count,
                      struct erasure_look *looks) {
    struct fake_warehouse *w = ctx;
    for (enum erasure_place place = ERASED_IN_BRONZE; place <= ERASED_IN_FAIL_SAFE; place++) {
        looks[place].examined += (uint32_t)count;
        looks[place].at = now;
    }
    for (size_t i = 0; i < count; i++) {
        const struct erasure_mark *mark = erasure_marks_find(&w->marks, subjects[i].listing_id);
        doc_version version = mark == NULL ? DOC_VERSION_NONE : mark->version;
        struct warehouse_held held;
        if (fake_warehouse_held(w, now, subjects[i].listing_id, subjects[i].stamp, version,
                                &held) != 0) {
            return PORT_NO_MEMORY;
        }
        looks[ERASED_IN_BRONZE].found += held.marked ? held.bronze : 1;
        looks[ERASED_IN_SILVER].found += held.silver;
        looks[ERASED_IN_GOLD].found += held.gold;
        looks[ERASED_IN_TIME_TRAVEL].found += held.time_travel;
        looks[ERASED_IN_FAIL_SAFE].found += held.fail_safe;
        subjects[i].version = held.marked ? version : DOC_VERSION_NONE;
        if (held.marked && erase_listing(w, now, mark) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    return 0;
}

/* ---- expiry ---- */

static int expire_bronze(struct fake_warehouse *w) {
    int64_t positions[BRONZE_SLICE];
    int64_t behind = -1;
    size_t found;
    do {
        sqlite3_stmt *s = w->statements[OLD_BRONZE];
        sqlite3_bind_int64(s, 1, w->edge.ns);
        sqlite3_bind_int64(s, 2, behind);
        int more = 0;
        for (found = 0; found < BRONZE_SLICE && (more = statement_row(s)) == 1;) {
            behind = sqlite3_column_int64(s, 0);
            struct bronze_row row;
            unpack_position(behind, &row);
            row.type = (enum record_type)sqlite3_column_int(s, 1);
            row.subject_id = (uint64_t)sqlite3_column_int64(s, 2);
            if (goes_at_edge(w, &row)) {
                positions[found++] = behind;
            }
        }
        sqlite3_reset(s);
        if (more < 0) {
            return PORT_NO_MEMORY;
        }
        for (size_t i = 0; i < found; i++) {
            w->has_dropped = true;
            if (drop_bronze(w, positions[i]) != 0) {
                return PORT_NO_MEMORY;
            }
        }
    } while (found == BRONZE_SLICE);
    return 0;
}

/* A version goes once it was over at the edge. */
static int expire_silver(struct fake_warehouse *w) {
    for (uint32_t i = 0; i < w->silver_count; i++) {
        uint32_t at = w->silver[i].dropped || w->silver[i].older != NONE ? NONE : i;
        while (at != NONE && w->silver[at].valid_to_ns <= w->edge.ns) {
            uint32_t next = w->silver[at].newer;
            struct cell row = cell_integer((int64_t)at + 1);
            if (run(w, DROP_SILVER, &row, 1) != 0) {
                return PORT_NO_MEMORY;
            }
            unlink_silver(w, at);
            w->has_dropped = true;
            at = next;
        }
    }
    return 0;
}

/* An audit row goes with the version that it is about. */
static bool audit_stays(void *ctx, const struct audit_entry *entry) {
    const struct fake_warehouse *w = ctx;
    uint32_t oldest = silver_oldest(w, entry->row.listing_id);
    return entry->recorded.ns >= w->edge.ns || oldest == NONE ||
           entry->row.version >= w->silver[oldest].version;
}

int fake_warehouse_expire(struct fake_warehouse *w, vtime now) {
    vtime edge = warehouse_edge(w->kept_ns, now);
    if (!vtime_before(w->edge, edge)) {
        return 0;
    }
    w->edge = edge;
    if (edge.ns <= w->oldest) { /* nothing is old enough */
        return 0;
    }
    if (expire_silver(w) != 0 || expire_bronze(w) != 0 ||
        warehouse_audit_retain(&w->audit, audit_stays, w) != 0) {
        return PORT_NO_MEMORY;
    }
    return 0;
}

vtime fake_warehouse_from(const struct fake_warehouse *w) {
    return w->has_dropped ? w->edge : (vtime){INT64_MIN};
}

/* ---- the port ---- */

static int port_load(void *ctx, vtime now, const struct warehouse_batch *batch) {
    struct fake_warehouse *w = ctx;
    int rc = fake_warehouse_expire(w, now);
    for (size_t i = 0; i < batch->erasure_count && rc == 0; i++) {
        rc = load_erasure(w, now, &batch->erasures[i]);
    }
    for (size_t i = 0; i < batch->bronze_count && rc == 0; i++) {
        rc = load_bronze(w, now, &batch->bronze[i], batch->dedupe);
    }
    for (size_t i = 0; i < batch->silver_count && rc == 0; i++) {
        rc = load_silver(w, now, &batch->silver[i], batch->dedupe);
    }
    for (size_t i = 0; i < batch->gold_count && rc == 0; i++) {
        rc = load_gold(w, now, &batch->gold[i], batch->dedupe);
    }
    for (size_t i = 0; i < batch->order_count && rc == 0; i++) {
        rc = load_order(w, now, &batch->orders[i], batch->dedupe);
    }
    for (size_t i = 0; i < batch->audit_count && rc == 0; i++) {
        bool failed = warehouse_audit_add(&w->audit, now, &batch->audits[i], batch->dedupe) < 0;
        rc = failed ? PORT_NO_MEMORY : 0;
    }
    return rc != 0 || warehouse_rebuilt_load(&w->rebuilt, batch) == 0 ? rc : PORT_NO_MEMORY;
}

/* Which rows a listing should have in the vector database: fused where there is either. */
static uint8_t modalities_of(bool text, bool image) {
    return (uint8_t)(text << MODALITY_TEXT | image << MODALITY_IMAGE |
                     (text || image) << MODALITY_FUSED);
}

static int port_scan(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                     size_t max, size_t *count) {
    struct fake_warehouse *w = ctx;
    (void)now;
    sqlite3_stmt *s = w->statements[w->gold_copies == 0 ? SCAN_GOLD : SCAN_GOLD_SECOND];
    sqlite3_bind_int64(s, 1, key_of(first));
    sqlite3_bind_int64(s, 2, key_of(last));
    sqlite3_bind_int64(s, 3, (int64_t)max);
    *count = 0;
    int more = statement_row(s);
    for (; more == 1; more = statement_row(s)) {
        out[(*count)++] = (struct scan_row){
            .listing_id = id_of(sqlite3_column_int64(s, 0)),
            .version = sqlite3_column_int64(s, 1),
            .source_hash = (uint64_t)sqlite3_column_int64(s, 2),
            .whole_hash = (uint64_t)sqlite3_column_int64(s, 3),
            .alive = sqlite3_column_int(s, 4) != 0,
            .suppressed = sqlite3_column_int(s, 5) == POLICY_SUPPRESSED,
            .changed_at = {sqlite3_column_int64(s, 6)},
            .modalities =
                modalities_of(sqlite3_column_int(s, 7) != 0, sqlite3_column_int(s, 8) != 0),
        };
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

static int port_scan_rebuilt(void *ctx, vtime now, uint64_t first, uint64_t last,
                             struct scan_row *out, size_t max, size_t *count) {
    struct fake_warehouse *w = ctx;
    (void)now;
    *count = warehouse_rebuilt_scan(&w->rebuilt, first, last, out, max);
    return 0;
}

static int bucket_order(const void *left, const void *right) {
    const struct bucket *a = *(const struct bucket *const *)left;
    const struct bucket *b = *(const struct bucket *const *)right;
    if (a->hour_ns != b->hour_ns) {
        return a->hour_ns < b->hour_ns ? -1 : 1;
    }
    return bytes_compare((struct bytes){a->category, a->category_len},
                         (struct bytes){b->category, b->category_len});
}

static int port_read_sales(void *ctx, vtime now, bool rebuilt, vtime from, vtime to, size_t skip,
                           struct sales_row *out, size_t max, size_t *count) {
    struct fake_warehouse *w = ctx;
    (void)now;
    *count = 0;
    if (rebuilt) {
        *count = warehouse_rebuilt_sales(&w->rebuilt, from, to, skip, out, max);
        return 0;
    }
    if (ARRAY_RESERVE(w->shown, w->shown_capacity, w->bucket_count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    size_t shown = 0;
    for (size_t i = 0; i < w->bucket_count; i++) {
        const struct bucket *b = &w->buckets[i];
        if (b->shown.orders != 0 && b->hour_ns >= from.ns && b->hour_ns < to.ns) {
            w->shown[shown++] = b;
        }
    }
    qsort(w->shown, shown, sizeof *w->shown, bucket_order);
    for (size_t i = skip; i < shown && *count < max; i++) {
        out[*count] = w->shown[i]->shown;
        out[*count].changed_at = w->shown[i]->present.changed_at; /* shown or not */
        out[*count].category = (struct bytes){w->shown[i]->category, w->shown[i]->category_len};
        out[(*count)++].hour = (vtime){w->shown[i]->hour_ns};
    }
    return 0;
}

static int port_refresh_dashboard(void *ctx, vtime now) {
    struct fake_warehouse *w = ctx;
    for (size_t i = 0; i < w->touched_count; i++) {
        if (refresh_bucket(w, now, w->touched[i]) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    w->touched_count = 0;
    return 0;
}

struct warehouse_port fake_warehouse_port(struct fake_warehouse *w) {
    static const struct warehouse_port_ops ops = {port_load,       port_scan,
                                                  port_read_log,   port_scan_rebuilt,
                                                  port_read_sales, port_refresh_dashboard,
                                                  port_erase};
    return (struct warehouse_port){&ops, w};
}

/* ---- what is asked from outside the simulation ---- */

struct fake_warehouse_counts fake_warehouse_counts(const struct fake_warehouse *w) {
    return w->counts;
}

const struct warehouse_rebuilt *fake_warehouse_rebuilt(const struct fake_warehouse *w) {
    return &w->rebuilt;
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

const struct row_journal *fake_warehouse_sales_journal(const struct fake_warehouse *w) {
    return &w->sales_journal;
}

static void check_silver(const struct fake_warehouse *w) {
    for (uint32_t i = 0; i < w->silver_count; i++) {
        const struct silver_entry *e = &w->silver[i];
        if (e->dropped) {
            continue;
        }
        assert(e->valid_from_ns <= e->valid_to_ns && e->valid_from_ns >= e->changed_at_ns);
        assert((e->valid_to_ns == INT64_MAX) == (e->newer == NONE));
        if (e->newer == NONE) {
            assert(id_map_get(&w->silver_newest, e->listing_id) == i);
            continue;
        }
        const struct silver_entry *newer = &w->silver[e->newer];
        assert(newer->older == i && newer->listing_id == e->listing_id);
        assert(newer->version >= e->version && newer->valid_from_ns == e->valid_to_ns);
    }
}

/* Adds up a bucket's orders from the tables. */
static void check_bucket(struct fake_warehouse *w, uint32_t at) {
    struct sales_row sum = {.orders = 0};
    sqlite3_stmt *s = w->statements[SUM_BUCKET];
    sqlite3_bind_int64(s, 1, at);
    while (statement_row(s) == 1) {
        sum.orders++;
        sum.quantity += sqlite3_column_int64(s, 0);
        sum.amount += sqlite3_column_int64(s, 1);
    }
    const struct sales_row *present = &w->buckets[at].present;
    assert(sum.orders == present->orders && sum.quantity == present->quantity);
    assert(sum.amount == present->amount);
}

void fake_warehouse_check(struct fake_warehouse *w) {
    check_silver(w);
    for (uint32_t i = 0; i < w->bucket_count; i++) {
        check_bucket(w, i);
    }
    assert(w->counts.silver <= w->silver_count);
    for (size_t i = 0; i < w->gold_count; i++) {
        struct scan_row rows[2];
        size_t count = 0;
        uint64_t id = w->gold[i].listing_id;
        int rc = port_scan(w, (vtime){0}, id, id, rows, 2, &count);
        assert(rc == 0 && (count == 1 || (count == 2 && w->gold_copies > 0)));
        assert(rows[0].version == w->gold[i].state.version);
    }
}
