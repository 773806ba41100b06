/*
 * The warehouse port over PostgreSQL: bronze, silver, gold, the dashboard's view and what the batch
 * made, as tables; SCD2 intervals, sums and the choice of the greater version as SQL. A load is one
 * transaction, which the port does not ask for: each of its rows is idempotent by its key.
 *
 * PostgreSQL has no time travel: what is removed is gone with the next vacuum.
 */
#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/postgres.h"
#include "conformance/warehouse_subject.h"

static const char schema[] =
    "CREATE TABLE bronze(topic bigint, partition bigint, epoch bigint, position bigint,"
    " append_at bigint, type bigint, ts bigint, hi bigint, lo bigint, subject bigint, value bytea,"
    " PRIMARY KEY(topic, partition, epoch, position));"
    "CREATE TABLE silver(key bigint, version bigint, changed_at bigint, valid_from bigint,"
    " valid_to bigint, PRIMARY KEY(key, version));"
    "CREATE TABLE gold(key bigint PRIMARY KEY, version bigint, source_hash bigint,"
    " whole_hash bigint, alive bigint, suppressed bigint, changed_at bigint, modalities bigint);"
    "CREATE TABLE orders(key bigint PRIMARY KEY, category bytea, hour bigint, quantity bigint,"
    " amount bigint, ts bigint, hi bigint, lo bigint);"
    "CREATE TABLE bucket(category bytea, hour bigint, changed_at bigint,"
    " PRIMARY KEY(category, hour));"
    "CREATE TABLE dashboard(category bytea, hour bigint, orders bigint, quantity bigint,"
    " amount bigint, PRIMARY KEY(category, hour));"
    "CREATE TABLE channel(topic bigint, partition bigint, token bigint,"
    " PRIMARY KEY(topic, partition));"
    "CREATE TABLE mark(key bigint PRIMARY KEY, ts bigint, hi bigint, lo bigint, version bigint);"
    "CREATE TABLE rebuilt(key bigint PRIMARY KEY, version bigint, source_hash bigint,"
    " whole_hash bigint, alive bigint, suppressed bigint, changed_at bigint);"
    "CREATE TABLE rebuilt_sales(category bytea, hour bigint, orders bigint, quantity bigint,"
    " amount bigint, changed_at bigint, PRIMARY KEY(category, hour))";

enum { SALES_COLUMNS = 6 };

struct subject {
    PGconn *db;
    PGresult *handed; /* whose bytes the last call handed out */
};

static struct bytes whole(struct bytes b) {
    return (struct bytes){b.len > 0 ? b.data : "", b.len};
}

/* A stamp as three integers that stand in its order. */
static void stamp_cells(struct stamp stamp, struct cell cells[3]) {
    cells[0] = cell_integer(stamp.ts.ns);
    cells[1] = cell_integer(postgres_key(stamp.id.hi));
    cells[2] = cell_integer(postgres_key(stamp.id.lo));
}

/* ---- Loads ---- */

#define CONTENT "type IN (1, 2)"
_Static_assert(RECORD_LISTING == 1 && RECORD_MEDIA == 2, "what an erasure is about");

static void remove_erased(struct subject *s, uint64_t listing_id) {
    struct cell key = cell_integer(postgres_key(listing_id));
    postgres_do(s->db,
                "DELETE FROM bronze b USING mark m WHERE m.key = $1 AND b.subject = $1"
                " AND b." CONTENT " AND (b.ts, b.hi, b.lo) <= (m.ts, m.hi, m.lo)",
                &key, 1);
    postgres_do(s->db,
                "DELETE FROM silver v USING mark m WHERE m.key = $1 AND v.key = $1"
                " AND v.version < m.version",
                &key, 1);
}

static void load_erasure(struct subject *s, const struct erasure_row *row) {
    struct cell cells[5] = {cell_integer(postgres_key(row->listing_id))};
    stamp_cells(row->stamp, cells + 1);
    cells[4] = cell_integer((int64_t)row->version);
    postgres_do(s->db,
                "INSERT INTO mark VALUES($1,$2,$3,$4,$5) ON CONFLICT(key) DO UPDATE SET"
                " (ts, hi, lo) = (SELECT ts, hi, lo FROM (VALUES (mark.ts, mark.hi, mark.lo),"
                " ($2::bigint, $3::bigint, $4::bigint)) AS two(ts, hi, lo)"
                " ORDER BY ts DESC, hi DESC, lo DESC LIMIT 1),"
                " version = greatest(mark.version, $5)",
                cells, 5);
    remove_erased(s, row->listing_id);
}

static void load_bronze(struct subject *s, const struct bronze_row *row) {
    struct cell cells[11] = {cell_integer(row->topic),     cell_integer(row->partition),
                             cell_integer(row->epoch),     cell_integer(row->offset),
                             cell_integer(row->append.ns), cell_integer(row->type)};
    stamp_cells(row->stamp, cells + 6);
    cells[9] = cell_integer(postgres_key(row->subject_id));
    cells[10] = cell_blob(whole(row->value));
    postgres_do(s->db,
                "INSERT INTO bronze SELECT $1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11"
                " WHERE NOT EXISTS (SELECT 1 FROM mark WHERE key = $10 AND $6 IN (1, 2)"
                " AND ($7, $8, $9) <= (ts, hi, lo)) ON CONFLICT DO NOTHING",
                cells, 11);
}

/* Each version holds from when it came, or from when the one before it did if that was later, until
 * the next. */
static void load_silver(struct subject *s, const struct document_row *d) {
    struct cell cells[] = {cell_integer(postgres_key(d->listing_id)),
                           cell_integer((int64_t)d->version), cell_integer(d->changed_at.ns)};
    postgres_do(s->db,
                "INSERT INTO silver SELECT $1, $2, $3 WHERE NOT EXISTS"
                " (SELECT 1 FROM mark WHERE key = $1 AND version > $2) ON CONFLICT DO NOTHING",
                cells, 3);
    postgres_do(s->db,
                "UPDATE silver SET valid_from = spans.f, valid_to = spans.t FROM"
                " (SELECT version, f, lead(f) OVER (ORDER BY version) AS t FROM"
                " (SELECT version, max(changed_at) OVER (ORDER BY version) AS f FROM silver"
                " WHERE key = $1) starts) spans"
                " WHERE silver.key = $1 AND silver.version = spans.version",
                cells, 1);
}

/* Which rows the listing should have in the vector database: fused where there is either. */
static uint8_t modalities_of(const struct document_row *d) {
    bool text =
        d->title.len > 0 || d->description.len > 0 || !bytes_equal(d->attributes, bytes_of("{}"));
    bool image = !bytes_equal(d->images, bytes_of("[]"));
    return (uint8_t)(text << MODALITY_TEXT | image << MODALITY_IMAGE |
                     (text || image) << MODALITY_FUSED);
}

static void load_gold(struct subject *s, vtime now, const struct document_row *d) {
    struct cell cells[] = {cell_integer(postgres_key(d->listing_id)),
                           cell_integer((int64_t)d->version),
                           cell_pattern(d->source_hash),
                           cell_pattern(d->whole_hash),
                           cell_integer(d->alive),
                           cell_integer(d->policy == POLICY_SUPPRESSED),
                           cell_integer(now.ns),
                           cell_integer(modalities_of(d))};
    postgres_do(s->db,
                "INSERT INTO gold SELECT $1,$2,$3,$4,$5,$6,$7,$8 WHERE NOT EXISTS"
                " (SELECT 1 FROM mark WHERE key = $1 AND version > $2)"
                " ON CONFLICT(key) DO UPDATE SET version = $2, source_hash = $3, whole_hash = $4,"
                " alive = $5, suppressed = $6, changed_at = $7, modalities = $8"
                " WHERE gold.version < $2",
                cells, 8);
}

static void touch(struct subject *s, vtime now, struct bytes category, int64_t hour) {
    struct cell cells[] = {cell_blob(whole(category)), cell_integer(hour), cell_integer(now.ns)};
    postgres_do(s->db,
                "INSERT INTO bucket VALUES($1,$2,$3)"
                " ON CONFLICT(category, hour) DO UPDATE SET changed_at = $3",
                cells, 3);
}

/* A later word about an order moves it to the bucket of its category and hour. */
static void load_order(struct subject *s, vtime now, const struct order_row *order) {
    struct cell key = cell_integer(postgres_key(order->order_id));
    PGresult *before =
        postgres_ask(s->db, "SELECT category, hour FROM orders WHERE key = $1", &key, 1);
    int64_t hour = sales_hour(order_placed(order->placed, order->stamp)).ns;
    struct cell cells[8] = {key, cell_blob(whole(order->category)), cell_integer(hour),
                            cell_integer(order->quantity), cell_integer(order->amount)};
    stamp_cells(order->stamp, cells + 5);
    int64_t changed =
        postgres_do(s->db,
                    "INSERT INTO orders VALUES($1,$2,$3,$4,$5,$6,$7,$8) ON CONFLICT(key) DO UPDATE"
                    " SET category = $2, hour = $3, quantity = $4, amount = $5, ts = $6, hi = $7,"
                    " lo = $8 WHERE (orders.ts, orders.hi, orders.lo) < ($6, $7, $8)",
                    cells, 8);
    if (changed == 1) {
        if (PQntuples(before) == 1) {
            touch(s, now, postgres_bytes(before, 0, 0), postgres_integer(before, 0, 1));
        }
        touch(s, now, order->category, hour);
    }
    PQclear(before);
}

static void load_rebuilt(struct subject *s, const struct document_row *d) {
    struct cell cells[] = {cell_integer(postgres_key(d->listing_id)),
                           cell_integer((int64_t)d->version),
                           cell_pattern(d->source_hash),
                           cell_pattern(d->whole_hash),
                           cell_integer(d->alive),
                           cell_integer(d->policy == POLICY_SUPPRESSED),
                           cell_integer(d->changed_at.ns)};
    postgres_do(s->db,
                "INSERT INTO rebuilt VALUES($1,$2,$3,$4,$5,$6,$7) ON CONFLICT(key) DO UPDATE SET"
                " version = $2, source_hash = $3, whole_hash = $4, alive = $5, suppressed = $6,"
                " changed_at = $7 WHERE rebuilt.version <= $2",
                cells, 7);
}

static void load_rebuilt_sales(struct subject *s, const struct warehouse_batch *batch) {
    struct cell range[] = {cell_integer(batch->rebuilt_from.ns),
                           cell_integer(batch->rebuilt_to.ns)};
    postgres_do(s->db, "DELETE FROM rebuilt_sales WHERE hour >= $1 AND hour < $2", range, 2);
    for (size_t i = 0; i < batch->rebuilt_sales_count; i++) {
        const struct sales_row *row = &batch->rebuilt_sales[i];
        struct cell cells[] = {cell_blob(whole(row->category)), cell_integer(row->hour.ns),
                               cell_integer(row->orders),       cell_integer(row->quantity),
                               cell_integer(row->amount),       cell_integer(row->changed_at.ns)};
        postgres_do(s->db, "INSERT INTO rebuilt_sales VALUES($1,$2,$3,$4,$5,$6)", cells, 6);
    }
}

static void token_move(struct subject *s, const struct warehouse_batch *batch) {
    struct cell cells[] = {cell_integer(batch->channel_topic),
                           cell_integer(batch->channel_partition), cell_integer(batch->token)};
    postgres_do(s->db,
                "INSERT INTO channel VALUES($1,$2,$3) ON CONFLICT(topic, partition) DO UPDATE"
                " SET token = greatest(channel.token, $3)",
                cells, 3);
}

static int port_open_channels(void *ctx, vtime now, struct warehouse_channel *channels,
                              size_t count) {
    (void)now;
    struct subject *s = ctx;
    for (size_t i = 0; i < count; i++) {
        struct cell cells[] = {cell_integer(channels[i].topic),
                               cell_integer(channels[i].partition)};
        PGresult *result = postgres_ask(
            s->db, "SELECT token FROM channel WHERE topic = $1 AND partition = $2", cells, 2);
        channels[i].token =
            PQntuples(result) == 1 ? postgres_integer(result, 0, 0) : CHANNEL_NO_TOKEN;
        PQclear(result);
    }
    return 0;
}

static int port_load(void *ctx, vtime now, const struct warehouse_batch *batch) {
    struct subject *s = ctx;
    postgres_run(s->db, "BEGIN");
    for (size_t i = 0; i < batch->erasure_count; i++) {
        load_erasure(s, &batch->erasures[i]);
    }
    for (size_t i = 0; i < batch->bronze_count; i++) {
        load_bronze(s, &batch->bronze[i]);
    }
    for (size_t i = 0; i < batch->silver_count; i++) {
        load_silver(s, &batch->silver[i]);
    }
    for (size_t i = 0; i < batch->gold_count; i++) {
        load_gold(s, now, &batch->gold[i]);
    }
    for (size_t i = 0; i < batch->order_count; i++) {
        load_order(s, now, &batch->orders[i]);
    }
    for (size_t i = 0; i < batch->rebuilt_count; i++) {
        load_rebuilt(s, &batch->rebuilt[i]);
    }
    if (batch->rebuilt_sales_given) {
        load_rebuilt_sales(s, batch);
    }
    if (batch->channelled) {
        token_move(s, batch);
    }
    postgres_run(s->db, "COMMIT");
    return 0;
}

/* ---- Reads ---- */

static PGresult *hand_out(struct subject *s, PGresult *result) {
    PQclear(s->handed);
    s->handed = result;
    return result;
}

static size_t scan_rows(struct subject *s, const char *sql, uint64_t first, uint64_t last,
                        struct scan_row *out, size_t max) {
    struct cell cells[] = {cell_integer(postgres_key(first)), cell_integer(postgres_key(last)),
                           cell_integer((int64_t)max)};
    PGresult *result = postgres_ask(s->db, sql, cells, 3);
    int count = PQntuples(result);
    for (int i = 0; i < count; i++) {
        out[i] = (struct scan_row){
            .listing_id = postgres_id(postgres_integer(result, i, 0)),
            .version = (doc_version)postgres_integer(result, i, 1),
            .source_hash = (uint64_t)postgres_integer(result, i, 2),
            .whole_hash = (uint64_t)postgres_integer(result, i, 3),
            .alive = postgres_integer(result, i, 4) != 0,
            .suppressed = postgres_integer(result, i, 5) != 0,
            .changed_at = {postgres_integer(result, i, 6)},
            .modalities = (uint8_t)postgres_integer(result, i, 7),
        };
    }
    PQclear(result);
    return (size_t)count;
}

static int port_scan(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                     size_t max, size_t *count) {
    (void)now;
    *count = scan_rows(ctx, "SELECT * FROM gold WHERE key BETWEEN $1 AND $2 ORDER BY key LIMIT $3",
                       first, last, out, max);
    return 0;
}

static int port_scan_rebuilt(void *ctx, vtime now, uint64_t first, uint64_t last,
                             struct scan_row *out, size_t max, size_t *count) {
    (void)now;
    *count = scan_rows(
        ctx, "SELECT *, 0::bigint FROM rebuilt WHERE key BETWEEN $1 AND $2 ORDER BY key LIMIT $3",
        first, last, out, max);
    return 0;
}

static int port_read_log(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                         int64_t offset, struct log_record *out, size_t max, size_t *count) {
    (void)now;
    struct subject *s = ctx;
    struct cell cells[] = {cell_integer(topic), cell_integer(partition), cell_integer(offset),
                           cell_integer((int64_t)max)};
    PGresult *result = hand_out(
        s, postgres_ask(
               s->db,
               "SELECT DISTINCT ON (position) position, epoch, append_at, subject, value, type"
               " FROM bronze WHERE topic = $1 AND partition = $2 AND position >= $3"
               " ORDER BY position, epoch DESC LIMIT $4",
               cells, 4));
    *count = (size_t)PQntuples(result);
    for (int i = 0; i < PQntuples(result); i++) {
        out[i] = (struct log_record){.offset = postgres_integer(result, i, 0),
                                     .epoch = (uint32_t)postgres_integer(result, i, 1),
                                     .append = {postgres_integer(result, i, 2)},
                                     .key = postgres_id(postgres_integer(result, i, 3)),
                                     .value = postgres_bytes(result, i, 4),
                                     .refused = postgres_integer(result, i, 5) == 0};
    }
    return 0;
}

static int port_read_sales(void *ctx, vtime now, bool rebuilt, vtime from, vtime to, size_t skip,
                           struct sales_row *out, size_t max, size_t *count) {
    (void)now;
    struct subject *s = ctx;
    struct cell cells[] = {cell_integer(from.ns), cell_integer(to.ns), cell_integer((int64_t)skip),
                           cell_integer((int64_t)max)};
    PGresult *result =
        hand_out(s, postgres_ask(s->db,
                                 rebuilt ? "SELECT category, hour, orders, quantity, amount,"
                                           " changed_at FROM rebuilt_sales WHERE hour >= $1"
                                           " AND hour < $2 ORDER BY hour, category"
                                           " OFFSET $3 LIMIT $4"
                                         : "SELECT category, hour, orders, quantity, amount,"
                                           " changed_at FROM dashboard JOIN bucket"
                                           " USING (category, hour) WHERE hour >= $1"
                                           " AND hour < $2 ORDER BY hour, category"
                                           " OFFSET $3 LIMIT $4",
                                 cells, 4));
    assert(PQnfields(result) == SALES_COLUMNS);
    *count = (size_t)PQntuples(result);
    for (int i = 0; i < PQntuples(result); i++) {
        out[i] = (struct sales_row){.category = postgres_bytes(result, i, 0),
                                    .hour = {postgres_integer(result, i, 1)},
                                    .orders = postgres_integer(result, i, 2),
                                    .quantity = postgres_integer(result, i, 3),
                                    .amount = postgres_integer(result, i, 4),
                                    .changed_at = {postgres_integer(result, i, 5)}};
    }
    return 0;
}

static int port_refresh_dashboard(void *ctx, vtime now, bool whole, vtime *as_of) {
    (void)whole; /* always */
    *as_of = now;
    struct subject *s = ctx;
    postgres_run(s->db, "BEGIN; DELETE FROM dashboard; INSERT INTO dashboard"
                        " SELECT category, hour, count(*), sum(quantity), sum(amount) FROM orders"
                        " GROUP BY category, hour; COMMIT");
    return 0;
}

/* ---- Erasures ---- */

static int64_t count_of(struct subject *s, const char *sql, const struct cell *cells, int count) {
    PGresult *result = postgres_ask(s->db, sql, cells, count);
    int64_t value = postgres_integer(result, 0, 0);
    PQclear(result);
    return value;
}

static void erase_one(struct subject *s, struct erasure_subject *subject,
                      struct erasure_look *looks) {
    struct cell cells[4] = {cell_integer(postgres_key(subject->listing_id))};
    stamp_cells(subject->stamp, cells + 1);
    int64_t marked = count_of(
        s, "SELECT count(*) FROM mark WHERE key = $1 AND (ts, hi, lo) >= ($2, $3, $4)", cells, 4);
    int64_t bronze = count_of(s,
                              "SELECT count(*) FROM bronze WHERE subject = $1 AND " CONTENT
                              " AND (ts, hi, lo) <= ($2, $3, $4)",
                              cells, 4);
    looks[ERASED_IN_BRONZE].found += marked != 0 ? (uint64_t)bronze : 1;
    subject->version = DOC_VERSION_NONE;
    looks[ERASED_IN_SILVER].found +=
        (uint64_t)count_of(s,
                           "SELECT count(*) FROM silver JOIN mark USING (key) WHERE key = $1"
                           " AND silver.version < mark.version",
                           cells, 1);
    looks[ERASED_IN_GOLD].found +=
        (uint64_t)count_of(s,
                           "SELECT count(*) FROM gold JOIN mark USING (key) WHERE key = $1"
                           " AND gold.version < mark.version",
                           cells, 1);
    if (marked != 0) {
        subject->version =
            (doc_version)count_of(s, "SELECT version FROM mark WHERE key = $1", cells, 1);
        remove_erased(s, subject->listing_id);
    }
}

static int port_erase(void *ctx, vtime now, struct erasure_subject *subjects, size_t count,
                      struct erasure_look *looks) {
    struct subject *s = ctx;
    for (enum erasure_place place = ERASED_IN_BRONZE; place <= ERASED_IN_FAIL_SAFE; place++) {
        looks[place].examined += (uint32_t)count;
        looks[place].at = now;
    }
    for (size_t i = 0; i < count; i++) {
        erase_one(s, &subjects[i], looks);
    }
    return 0;
}

/* ---- The subject ---- */

static size_t silver(void *ctx, uint64_t listing_id, struct silver_span *out, size_t max) {
    struct subject *s = ctx;
    struct cell cells[] = {cell_integer(postgres_key(listing_id)), cell_integer((int64_t)max)};
    PGresult *result = postgres_ask(s->db,
                                    "SELECT version, valid_from, valid_to FROM silver"
                                    " WHERE key = $1 ORDER BY version LIMIT $2",
                                    cells, 2);
    size_t count = (size_t)PQntuples(result);
    for (int i = 0; i < PQntuples(result); i++) {
        vtime to =
            PQgetisnull(result, i, 2) ? VTIME_NEVER : (vtime){postgres_integer(result, i, 2)};
        out[i] = (struct silver_span){
            (doc_version)postgres_integer(result, i, 0), {postgres_integer(result, i, 1)}, to};
    }
    PQclear(result);
    return count;
}

static const struct warehouse_port_ops port_ops = {.open_channels = port_open_channels,
                                                   .load = port_load,
                                                   .scan = port_scan,
                                                   .read_log = port_read_log,
                                                   .scan_rebuilt = port_scan_rebuilt,
                                                   .read_sales = port_read_sales,
                                                   .refresh_dashboard = port_refresh_dashboard,
                                                   .erase = port_erase};

static void release(void *ctx) {
    struct subject *s = ctx;
    PQclear(s->handed);
    free(s);
}

bool warehouse_subject_postgres(struct warehouse_subject *out) {
    struct subject *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    s->db = postgres_open("warehouse");
    if (s->db == NULL) {
        free(s);
        return false;
    }
    postgres_run(s->db, schema);
    *out = (struct warehouse_subject){{&port_ops, s}, silver, release, s};
    return true;
}
