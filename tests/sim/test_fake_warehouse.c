/*
 * The warehouse (A9): loads that are torn, repeated and out of order end in the tables of a naive
 * model; silver's intervals tile; late orders correct past buckets; plain inserts leave second
 * rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/fake_warehouse.h"
#include "sim/prng.h"

static struct {
    int silver, gold, duplicates;
    struct row_change last;
} heard;

static void hear(void *ctx, vtime now, const struct row_change *change) {
    (void)ctx;
    (void)now;
    heard.silver += change->store == STORE_SILVER;
    heard.gold += change->store == STORE_GOLD;
    heard.duplicates += change->duplicate;
    heard.last = *change;
}

/* Behind every load of these tests; and of which moment the view is. */
static const vtime after_all = {900 * VTIME_DAY};
static vtime as_of;

static struct fake_warehouse *open_warehouse(void) {
    memset(&heard, 0, sizeof(heard));
    struct fake_warehouse *w = fake_warehouse_new(
        &(struct fake_warehouse_options){.observer = {.row_changed = hear}, .journal = true});
    assert_non_null(w);
    return w;
}

static void load(struct fake_warehouse *w, int64_t now, struct warehouse_batch batch) {
    struct warehouse_port port = fake_warehouse_port(w);
    assert_int_equal(port.ops->load(port.ctx, (vtime){now}, &batch), 0);
    fake_warehouse_check(w);
}

static struct document_row document(uint64_t id, doc_version version, int64_t changed_at) {
    return (struct document_row){.listing_id = id,
                                 .version = version,
                                 .changed_at = {changed_at},
                                 .stamp = {{changed_at}, {1, (uint64_t)version}},
                                 .source_hash = (uint64_t)version * 3,
                                 .whole_hash = (uint64_t)version * 5,
                                 .alive = true,
                                 .policy = POLICY_ACTIVE,
                                 .price = 100,
                                 .title = bytes_of("lamp")};
}

static void load_silver(struct fake_warehouse *w, struct document_row row) {
    load(w, row.changed_at.ns,
         (struct warehouse_batch){.silver = &row, .silver_count = 1, .dedupe = true});
}

static void load_gold(struct fake_warehouse *w, struct document_row row, bool dedupe) {
    load(w, 77, (struct warehouse_batch){.gold = &row, .gold_count = 1, .dedupe = dedupe});
}

struct text {
    char text[2000];
};

static int note_silver(void *ctx, const struct silver_row *row) {
    char *text = ((struct text *)ctx)->text;
    snprintf(text + strlen(text), 2000 - strlen(text), "%d [%d,%d);", (int)row->document.version,
             (int)row->valid_from.ns, row->valid_to.ns == INT64_MAX ? -1 : (int)row->valid_to.ns);
    return 0;
}

static const char *silver_of(struct fake_warehouse *w) {
    static struct text text;
    text.text[0] = 0;
    assert_int_equal(fake_warehouse_each_silver(w, note_silver, &text), 0);
    return text.text;
}

/* A version that arrives late takes its place between its neighbours; a repeated one takes none. */
static void silver_intervals_close_in_any_order(void **state) {
    (void)state;
    struct fake_warehouse *w = open_warehouse();
    load_silver(w, document(1, 10, 100));
    load_silver(w, document(1, 30, 300));
    assert_string_equal(silver_of(w), "10 [100,300);30 [300,-1);");
    load_silver(w, document(1, 20, 200));
    assert_string_equal(silver_of(w), "10 [100,200);30 [300,-1);20 [200,300);");
    load_silver(w, document(1, 20, 200));
    load_silver(w, document(1, 5, 50));
    load_silver(w, document(2, 1, 1));
    assert_string_equal(silver_of(w), "10 [100,200);30 [300,-1);20 [200,300);5 [50,100);1 [1,-1);");
    assert_int_equal(heard.silver, 5);
    assert_true(heard.last.after.present && !heard.last.before.present);
    fake_warehouse_free(w);
}

/* Where the log's clock went back, intervals still tile: the later versions wait for the clock. */
static void silver_tiles_when_the_clock_goes_back(void **state) {
    (void)state;
    struct fake_warehouse *w = open_warehouse();
    load_silver(w, document(1, 10, 100));
    load_silver(w, document(1, 30, 80));
    load_silver(w, document(1, 40, 150));
    assert_string_equal(silver_of(w), "10 [100,100);30 [100,150);40 [150,-1);");
    load_silver(w, document(1, 20, 170));
    assert_string_equal(silver_of(w), "10 [100,170);30 [170,170);40 [170,-1);20 [170,170);");
    fake_warehouse_free(w);
}

static struct bronze_row raw_at(int64_t offset, enum record_type type, int64_t ts) {
    return (struct bronze_row){.topic = TOPIC_LISTING_LOG,
                               .offset = offset,
                               .type = type,
                               .stamp = {{ts}, {1, 1}},
                               .subject_id = 1,
                               .value = bytes_of("raw")};
}

static struct warehouse_held held_of(struct fake_warehouse *w, int64_t now, int64_t ts,
                                     doc_version version) {
    struct warehouse_held held;
    struct stamp stamp = {{ts}, {1, 1}};
    assert_int_equal(fake_warehouse_held(w, (vtime){now}, 1, stamp, version, &held), 0);
    return held;
}

/* An erasure removes raw records by their stamp and versions by their position, refuses them from
 * then on, and leaves all else: what is newer, policy, other listings (A12). */
static void erasure_removes_and_refuses(void **state) {
    (void)state;
    struct fake_warehouse *w = open_warehouse();
    struct bronze_row bronze[] = {raw_at(0, RECORD_LISTING, 100), raw_at(1, RECORD_MEDIA, 150),
                                  raw_at(2, RECORD_POLICY, 120), raw_at(3, RECORD_LISTING, 300)};
    struct document_row silver[] = {document(1, 10, 100), document(1, 20, 200),
                                    document(2, 15, 150)};
    struct warehouse_batch before = {.bronze = bronze,
                                     .bronze_count = 4,
                                     .silver = silver,
                                     .silver_count = 3,
                                     .gold = silver + 1,
                                     .gold_count = 2,
                                     .dedupe = true};
    load(w, 1000, before);
    struct erasure_row erasure = {1, {{200}, {1, 1}}, 30};
    struct document_row emptied = document(1, 30, 400);
    struct warehouse_batch batch = {.silver = &emptied,
                                    .silver_count = 1,
                                    .gold = &emptied,
                                    .gold_count = 1,
                                    .erasures = &erasure,
                                    .erasure_count = 1,
                                    .dedupe = true};
    load(w, 2000, batch);
    assert_int_equal(fake_warehouse_counts(w).bronze, 2);
    assert_string_equal(silver_of(w), "15 [150,-1);30 [400,-1);");
    assert_int_equal(fake_warehouse_gold(w, 1).version, 30);
    load(w, 3000, before); /* by a loader that knows nothing of it */
    load(w, 3000, batch);
    assert_int_equal(fake_warehouse_counts(w).bronze, 2);
    assert_string_equal(silver_of(w), "15 [150,-1);30 [400,-1);");
    assert_int_equal(fake_warehouse_gold(w, 1).version, 30);
    struct warehouse_held held = held_of(w, 3000, 200, 30);
    assert_true(held.marked && held.bronze == 0 && held.silver == 0 && held.gold == 0);
    fake_warehouse_free(w);
}

/* Three deadlines: a removed row is not found any more, then not in the time travel, then not in
 * the fail-safe; a later erasure does not put the earlier one's off. */
static void erasure_has_three_deadlines(void **state) {
    (void)state;
    struct fake_warehouse *w = fake_warehouse_new(
        &(struct fake_warehouse_options){.time_travel_ns = 100, .fail_safe_ns = 50});
    struct bronze_row bronze = raw_at(0, RECORD_LISTING, 10);
    struct document_row silver = document(1, 10, 10);
    struct erasure_row first = {1, {{20}, {1, 1}}, 20};
    struct erasure_row second = {1, {{60}, {1, 1}}, 60};
    load(w, 0,
         (struct warehouse_batch){.bronze = &bronze,
                                  .bronze_count = 1,
                                  .silver = &silver,
                                  .silver_count = 1,
                                  .dedupe = true});
    assert_int_equal(held_of(w, 1000, 20, 20).bronze, 1);
    load(w, 1000, (struct warehouse_batch){.erasures = &first, .erasure_count = 1, .dedupe = true});
    assert_int_equal(held_of(w, 1099, 20, 20).time_travel, 2);
    assert_int_equal(held_of(w, 1100, 20, 20).time_travel, 0);
    assert_int_equal(held_of(w, 1149, 20, 20).fail_safe, 2);
    assert_int_equal(held_of(w, 1150, 20, 20).fail_safe, 0);
    silver = document(1, 30, 30);
    load(w, 1160, (struct warehouse_batch){.silver = &silver, .silver_count = 1, .dedupe = true});
    load(w, 1170,
         (struct warehouse_batch){.erasures = &second, .erasure_count = 1, .dedupe = true});
    assert_int_equal(held_of(w, 1180, 60, 60).time_travel, 1);
    assert_int_equal(held_of(w, 1180, 20, 20).time_travel, 0);
    fake_warehouse_free(w);
}

static size_t scan(struct fake_warehouse *w, uint64_t first, uint64_t last, struct scan_row *rows,
                   size_t max) {
    struct warehouse_port port = fake_warehouse_port(w);
    size_t count = 0;
    assert_int_equal(port.ops->scan(port.ctx, (vtime){0}, first, last, rows, max, &count), 0);
    return count;
}

/* Gold takes a row only over a lower version; what readers see is alive and not suppressed. */
static void gold_keeps_the_greatest_version(void **state) {
    (void)state;
    struct fake_warehouse *w = open_warehouse();
    struct document_row row = document(UINT64_MAX, 10, 100);
    load_gold(w, row, true);
    assert_true(heard.last.after.present && heard.last.before.version == DOC_VERSION_NONE);
    load_gold(w, row, true);
    load_gold(w, document(UINT64_MAX, 9, 90), true);
    assert_int_equal(heard.gold, 1);
    row.version = 11;
    row.policy = POLICY_SUPPRESSED;
    load_gold(w, row, true);
    assert_false(heard.last.after.present);
    assert_int_equal(heard.last.before.version, 10);
    row.version = 12;
    row.policy = POLICY_ACTIVE;
    row.alive = false;
    load_gold(w, row, true);
    assert_false(fake_warehouse_gold(w, UINT64_MAX).present);
    assert_int_equal(fake_warehouse_gold(w, UINT64_MAX).version, 12);
    load_gold(w, document(1, 1, 1), true);
    struct scan_row rows[3];
    assert_int_equal(scan(w, 0, UINT64_MAX, rows, 3), 2);
    assert_true(rows[0].listing_id == 1 && rows[0].alive && !rows[0].suppressed);
    assert_true(rows[1].listing_id == UINT64_MAX && !rows[1].alive && rows[1].version == 12);
    assert_int_equal(rows[1].source_hash, 30);
    assert_int_equal(rows[1].whole_hash, 50);
    assert_int_equal(rows[1].changed_at.ns, 77);
    assert_int_equal(scan(w, 2, UINT64_MAX - 1, rows, 3), 0);
    assert_int_equal(scan(w, 0, UINT64_MAX, rows, 1), 1);
    assert_int_equal(fake_warehouse_counts(w).gold, 2);
    fake_warehouse_free(w);
}

/* Bronze hands the records of a partition out again, from an offset on, in their order; of an
 * offset that a leader change gave out twice, the later record (A16). */
static void bronze_is_read_as_a_log(void **state) {
    (void)state;
    struct fake_warehouse *w = open_warehouse();
    static const struct {
        uint32_t partition, epoch;
        int64_t offset;
        const char *value;
    } rows[] = {{3, 0, 7, "a"}, {3, 0, 8, "b"}, {2, 0, 8, "x"}, {3, 1, 8, "c"}, {3, 1, 9, "dd"}};
    struct bronze_row raw[5];
    for (size_t i = 0; i < 5; i++) {
        raw[i] = (struct bronze_row){.topic = TOPIC_LISTING_LOG,
                                     .partition = rows[i].partition,
                                     .epoch = rows[i].epoch,
                                     .offset = rows[i].offset,
                                     .append = {100 + (int64_t)i},
                                     .value = bytes_of(rows[i].value)};
    }
    load(w, 1, (struct warehouse_batch){.bronze = raw, .bronze_count = 5, .dedupe = true});
    struct warehouse_port port = fake_warehouse_port(w);
    struct log_record out[4];
    size_t count;
    assert_int_equal(
        port.ops->read_log(port.ctx, (vtime){2}, TOPIC_LISTING_LOG, 3, 7, out, 4, &count), 0);
    assert_int_equal(count, 3);
    assert_true(bytes_equal(out[0].value, bytes_of("a")) && out[0].append.ns == 100);
    assert_true(bytes_equal(out[1].value, bytes_of("c")) && out[1].epoch == 1);
    assert_true(bytes_equal(out[2].value, bytes_of("dd")) && out[2].offset == 9);
    assert_int_equal(
        port.ops->read_log(port.ctx, (vtime){2}, TOPIC_LISTING_LOG, 3, 7, out, 1, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(
        port.ops->read_log(port.ctx, (vtime){2}, TOPIC_LISTING_LOG, 3, 10, out, 4, &count), 0);
    assert_int_equal(count, 0);
    fake_warehouse_free(w);
}

/* A day of the log: a raw record, the version that it made, its audit. */
static void load_day(struct fake_warehouse *w, uint64_t id, int64_t day, bool alive) {
    struct document_row row = document(id, doc_version_pack(0, day), day * VTIME_DAY + 1);
    row.alive = alive;
    struct bronze_row raw = {.topic = TOPIC_LISTING_LOG,
                             .offset = day,
                             .append = row.changed_at,
                             .type = RECORD_LISTING,
                             .subject_id = id,
                             .value = bytes_of("x")};
    struct bronze_row order = {
        .topic = TOPIC_ORDER, .offset = day, .append = row.changed_at, .type = RECORD_ORDER};
    struct audit_row audit = {.listing_id = id, .version = row.version, .model_version = 1};
    struct bronze_row both[] = {raw, order};
    load(w, row.changed_at.ns,
         (struct warehouse_batch){.bronze = both,
                                  .bronze_count = 2,
                                  .silver = &row,
                                  .silver_count = 1,
                                  .gold = &row,
                                  .gold_count = 1,
                                  .audits = &audit,
                                  .audit_count = 1,
                                  .dedupe = true});
}

/* Of what is older than its two years the warehouse keeps what a present version stands on; of a
 * listing that was gone by then, the record that says so. From the edge on it tells everything,
 * and what came of age is not taken in again (A16). */
static void keeps_its_time(void **state) {
    (void)state;
    struct fake_warehouse *w = fake_warehouse_new(
        &(struct fake_warehouse_options){.journal = true, .kept_ns = 10 * VTIME_DAY});
    load_day(w, 4, 1, true);
    load_day(w, 4, 2, true);
    load_day(w, 4, 8, true);
    load_day(w, 5, 3, true);
    load_day(w, 5, 4, false);
    assert_true(fake_warehouse_from(w).ns == INT64_MIN);
    assert_int_equal(fake_warehouse_expire(w, (vtime){13 * VTIME_DAY + 5}), 0);
    assert_int_equal(fake_warehouse_counts(w).silver, 4); /* version 1 was over when day 2 began */
    assert_int_equal(fake_warehouse_expire(w, (vtime){15 * VTIME_DAY + 5}), 0);
    fake_warehouse_check(w);
    assert_true(fake_warehouse_from(w).ns == 5 * VTIME_DAY);
    struct fake_warehouse_counts counts = fake_warehouse_counts(w);
    assert_int_equal(counts.gold, 2);
    assert_int_equal(counts.silver, 3);         /* 4 as of the edge and since, the end of 5 */
    assert_int_equal(counts.bronze, 3 + 1 + 1); /* of 4 all, of 5 its end, the order of day 8 */
    assert_int_equal(fake_warehouse_audit(w)->count, 3);
    assert_null(warehouse_audit_find(fake_warehouse_audit(w), 4, doc_version_pack(0, 1), 0, 1));
    assert_non_null(warehouse_audit_find(fake_warehouse_audit(w), 4, doc_version_pack(0, 2), 0, 1));
    load_day(w, 4, 1, true); /* a replay of what is gone */
    load_day(w, 5, 3, true);
    counts = fake_warehouse_counts(w);
    assert_int_equal(counts.silver, 3);
    assert_int_equal(counts.bronze, 5);
    fake_warehouse_free(w);
}

/* Plain inserts turn a repeated row into a second one, in every layer, and the observer hears. */
static void plain_inserts_leave_second_rows(void **state) {
    (void)state;
    struct fake_warehouse *w = open_warehouse();
    struct document_row row = document(4, 10, 100);
    struct bronze_row raw = {
        .topic = TOPIC_LISTING_LOG, .partition = 3, .offset = 9, .value = bytes_of("x")};
    struct order_row order = {
        .order_id = 1, .listing_id = 4, .quantity = 1, .amount = 50, .category = bytes_of("home")};
    struct warehouse_batch batch = {.bronze = &raw,
                                    .bronze_count = 1,
                                    .silver = &row,
                                    .silver_count = 1,
                                    .gold = &row,
                                    .gold_count = 1,
                                    .orders = &order,
                                    .order_count = 1};
    load(w, 1, batch);
    assert_int_equal(heard.duplicates, 0);
    load(w, 2, batch);
    assert_int_equal(heard.duplicates, 2);
    struct fake_warehouse_counts counts = fake_warehouse_counts(w);
    assert_int_equal(counts.bronze, 2);
    assert_int_equal(counts.silver, 2);
    assert_int_equal(counts.gold, 2);
    assert_int_equal(counts.orders, 2);
    assert_int_equal(counts.duplicates, 4);
    struct scan_row rows[4];
    assert_int_equal(scan(w, 4, 4, rows, 4), 2);
    assert_string_equal(silver_of(w), "10 [100,100);10 [100,-1);");
    struct warehouse_port port = fake_warehouse_port(w);
    assert_int_equal(port.ops->refresh_dashboard(port.ctx, after_all, false, &as_of), 0);
    struct sales_row sales;
    assert_true(fake_warehouse_sales(w, 0, &sales));
    assert_int_equal(sales.orders, 2);
    assert_int_equal(sales.amount, 100);
    batch.dedupe = true;
    load(w, 4, batch);
    assert_int_equal(fake_warehouse_counts(w).duplicates, 4);
    fake_warehouse_free(w);
}

static void load_order(struct fake_warehouse *w, uint64_t id, int64_t ts, const char *category,
                       int64_t amount) {
    struct order_row order = {.order_id = id,
                              .listing_id = 1,
                              .stamp = {{ts}, {0, 1}},
                              .quantity = 2,
                              .amount = amount,
                              .category = bytes_of(category)};
    load(w, ts, (struct warehouse_batch){.orders = &order, .order_count = 1, .dedupe = true});
}

static const char *sales_of(struct fake_warehouse *w, bool refresh) {
    static char text[500];
    struct warehouse_port port = fake_warehouse_port(w);
    if (refresh) {
        assert_int_equal(port.ops->refresh_dashboard(port.ctx, after_all, false, &as_of), 0);
    }
    text[0] = 0;
    struct sales_row row;
    for (size_t i = 0; fake_warehouse_sales(w, i, &row); i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s %d: %d %d %d;",
                 (int)row.category.len, row.category.data, (int)(row.hour.ns / VTIME_HOUR),
                 (int)row.orders, (int)row.quantity, (int)row.amount);
    }
    return text;
}

/* The view stands still between refreshes; a late order corrects its own hour, and a later version
 * of an order moves it from one bucket to another. */
static void dashboard_follows_orders(void **state) {
    (void)state;
    struct fake_warehouse *w = open_warehouse();
    load_order(w, 1, 5 * VTIME_HOUR, "home", 10);
    load_order(w, 2, 5 * VTIME_HOUR + 1, "toys", 20);
    assert_string_equal(sales_of(w, false), "home 5: 0 0 0;toys 5: 0 0 0;");
    assert_string_equal(sales_of(w, true), "home 5: 1 2 10;toys 5: 1 2 20;");
    load_order(w, 3, 6 * VTIME_HOUR, "home", 30);
    load_order(w, 4, 6 * VTIME_HOUR - 1, "home", 40);
    assert_string_equal(sales_of(w, false), "home 5: 1 2 10;toys 5: 1 2 20;home 6: 0 0 0;");
    assert_string_equal(sales_of(w, true), "home 5: 2 4 50;toys 5: 1 2 20;home 6: 1 2 30;");
    load_order(w, 3, 7 * VTIME_HOUR, "home", 31);
    load_order(w, 4, 1 * VTIME_HOUR, "home", 99);
    assert_string_equal(
        sales_of(w, true),
        "home 5: 2 4 50;toys 5: 1 2 20;home 6: 0 0 0;home 7: 1 2 31;home 1: 0 0 0;");
    fake_warehouse_free(w);
}

/* ---- random loads against a naive model ---- */

#define LISTINGS 12
#define VERSIONS 25
#define ORDERS 60
#define RAW 200

static struct document_row made[LISTINGS][VERSIONS];
static struct order_row orders[ORDERS][3]; /* states of one order by growing stamp */
static struct bronze_row raw[RAW];
static bool silver_sent[LISTINGS][VERSIONS], gold_sent[LISTINGS][VERSIONS];
static bool order_sent[ORDERS][3], raw_sent[RAW];

static void make_rows(struct prng *prng) {
    for (int i = 0; i < LISTINGS; i++) {
        int64_t clock = (int64_t)prng_below(prng, 1000);
        int64_t version = 1;
        for (int v = 0; v < VERSIONS; v++) {
            clock += prng_range(prng, -20, 100);
            version += prng_range(prng, 1, 50);
            made[i][v] = document((uint64_t)i + 1, version, clock);
            made[i][v].alive = prng_ratio(prng, 4, 5);
        }
    }
    static const char *const categories[] = {"home", "toys", ""};
    for (int i = 0; i < ORDERS; i++) {
        for (int s = 0; s < 3; s++) {
            orders[i][s] = (struct order_row){
                .order_id = prng_next(prng),
                .listing_id = 1,
                .stamp = {{prng_range(prng, -3, 3) * VTIME_HOUR / 2}, {0, (uint64_t)s}},
                .quantity = prng_range(prng, 1, 5),
                .amount = prng_range(prng, 0, 1000),
                .category = bytes_of(categories[prng_below(prng, 3)])};
            if (s > 0) {
                orders[i][s].order_id = orders[i][0].order_id;
                orders[i][s].stamp.ts.ns += orders[i][s - 1].stamp.ts.ns;
                orders[i][s].stamp.ts = vtime_max(orders[i][s].stamp.ts, orders[i][s - 1].stamp.ts);
            }
        }
    }
    for (int i = 0; i < RAW; i++) {
        raw[i] = (struct bronze_row){.topic = (enum topic_id)(i % TOPIC_COUNT),
                                     .partition = (uint32_t)(i / TOPIC_COUNT % 3),
                                     .epoch = (uint32_t)(i / (TOPIC_COUNT * 3) % 2),
                                     .offset = i / (TOPIC_COUNT * 6),
                                     .append = {i},
                                     .subject_id = (uint64_t)i,
                                     .value = bytes_of("raw")};
    }
}

static void send_random_batch(struct fake_warehouse *w, struct prng *prng, int64_t now) {
    struct document_row silver[8], gold[8];
    struct order_row order[4];
    struct bronze_row bronze[8];
    struct warehouse_batch batch = {
        .bronze = bronze, .silver = silver, .gold = gold, .orders = order, .dedupe = true};
    batch.bronze_count = (size_t)prng_below(prng, 8);
    batch.silver_count = (size_t)prng_below(prng, 8);
    batch.gold_count = (size_t)prng_below(prng, 8);
    batch.order_count = (size_t)prng_below(prng, 4);
    for (size_t i = 0; i < batch.bronze_count; i++) {
        uint64_t at = prng_below(prng, RAW);
        bronze[i] = raw[at];
        raw_sent[at] = true;
    }
    for (size_t i = 0; i < batch.silver_count; i++) {
        uint64_t id = prng_below(prng, LISTINGS), v = prng_below(prng, VERSIONS);
        silver[i] = made[id][v];
        silver_sent[id][v] = true;
    }
    for (size_t i = 0; i < batch.gold_count; i++) {
        uint64_t id = prng_below(prng, LISTINGS), v = prng_below(prng, VERSIONS);
        gold[i] = made[id][v];
        gold_sent[id][v] = true;
    }
    for (size_t i = 0; i < batch.order_count; i++) {
        uint64_t id = prng_below(prng, ORDERS), s = prng_below(prng, 3);
        order[i] = orders[id][s];
        order_sent[id][s] = true;
    }
    load(w, now, batch);
}

/* The silver rows as they came, gathered by listing. */
static struct silver_row gathered[LISTINGS * VERSIONS];
static size_t gathered_count;

static int gather(void *ctx, const struct silver_row *row) {
    (void)ctx;
    assert_true(gathered_count < LISTINGS * VERSIONS);
    assert_true(bytes_equal(row->document.title, bytes_of("lamp")));
    gathered[gathered_count++] = *row;
    return 0;
}

static const struct silver_row *gathered_row(uint64_t id, doc_version version) {
    for (size_t i = 0; i < gathered_count; i++) {
        if (gathered[i].document.listing_id == id && gathered[i].document.version == version) {
            return &gathered[i];
        }
    }
    return 0;
}

/* Silver holds each version that was sent once, and the intervals tile in version order. */
static void compare_silver(struct fake_warehouse *w) {
    gathered_count = 0;
    assert_int_equal(fake_warehouse_each_silver(w, gather, 0), 0);
    size_t expected = 0;
    for (int i = 0; i < LISTINGS; i++) {
        const struct silver_row *before = 0;
        for (int v = 0; v < VERSIONS; v++) {
            if (!silver_sent[i][v]) {
                continue;
            }
            const struct silver_row *row = gathered_row((uint64_t)i + 1, made[i][v].version);
            assert_non_null(row);
            assert_int_equal(row->document.changed_at.ns, made[i][v].changed_at.ns);
            vtime from = made[i][v].changed_at;
            if (before != 0) {
                from = vtime_max(from, before->valid_from);
                assert_int_equal(before->valid_to.ns, from.ns);
            }
            assert_int_equal(row->valid_from.ns, from.ns);
            before = row;
            expected++;
        }
        assert_true(before == 0 || before->valid_to.ns == INT64_MAX);
    }
    assert_int_equal(gathered_count, expected);
}

static void compare_gold(struct fake_warehouse *w) {
    struct scan_row rows[LISTINGS + 1];
    size_t count = scan(w, 0, UINT64_MAX, rows, LISTINGS + 1), at = 0;
    for (int i = 0; i < LISTINGS; i++) {
        int best = -1;
        for (int v = 0; v < VERSIONS; v++) {
            best = gold_sent[i][v] ? v : best;
        }
        if (best >= 0) {
            assert_true(at < count && rows[at].listing_id == (uint64_t)i + 1);
            assert_int_equal(rows[at].version, made[i][best].version);
            assert_int_equal(rows[at].alive, made[i][best].alive);
            at++;
        }
    }
    assert_int_equal(at, count);
}

static void compare_sales(struct fake_warehouse *w) {
    struct warehouse_port port = fake_warehouse_port(w);
    assert_int_equal(port.ops->refresh_dashboard(port.ctx, after_all, false, &as_of), 0);
    struct sales_row row;
    int64_t shown = 0, expected = 0;
    for (size_t i = 0; fake_warehouse_sales(w, i, &row); i++) {
        int64_t count = 0, quantity = 0, amount = 0;
        for (int o = 0; o < ORDERS; o++) {
            int s = order_sent[o][2] ? 2 : order_sent[o][1] ? 1 : order_sent[o][0] ? 0 : -1;
            if (s >= 0 && bytes_equal(orders[o][s].category, row.category) &&
                orders[o][s].stamp.ts.ns >= row.hour.ns &&
                orders[o][s].stamp.ts.ns < row.hour.ns + VTIME_HOUR) {
                count++;
                quantity += orders[o][s].quantity;
                amount += orders[o][s].amount;
            }
        }
        assert_int_equal(row.orders, count);
        assert_int_equal(row.quantity, quantity);
        assert_int_equal(row.amount, amount);
        shown += count;
    }
    for (int o = 0; o < ORDERS; o++) {
        expected += order_sent[o][0] || order_sent[o][1] || order_sent[o][2];
    }
    assert_int_equal(shown, expected);
}

static int check_raw(void *ctx, vtime ingested, const struct bronze_row *row) {
    int *count = ctx;
    (void)ingested;
    const struct bronze_row *expected = &raw[row->subject_id];
    assert_true(raw_sent[row->subject_id]);
    assert_true(row->topic == expected->topic && row->partition == expected->partition);
    assert_true(row->epoch == expected->epoch && row->offset == expected->offset);
    assert_int_equal(row->append.ns, expected->append.ns);
    assert_true(bytes_equal(row->value, bytes_of("raw")));
    ++*count;
    return 0;
}

static void compare_bronze(struct fake_warehouse *w) {
    int count = 0, expected = 0;
    assert_int_equal(fake_warehouse_each_bronze(w, check_raw, &count), 0);
    for (int i = 0; i < RAW; i++) {
        expected += raw_sent[i];
    }
    assert_int_equal(count, expected);
}

/* Whatever pieces the rows come in, however often and in whatever order, the tables end as the
 * naive model says, and nothing counts twice. */
static void any_order_of_loads_ends_the_same(void **state) {
    (void)state;
    struct prng prng;
    prng_init(&prng, 21, "warehouse");
    for (int round = 0; round < 60; round++) {
        struct fake_warehouse *w = open_warehouse();
        memset(silver_sent, 0, sizeof(silver_sent));
        memset(gold_sent, 0, sizeof(gold_sent));
        memset(order_sent, 0, sizeof(order_sent));
        memset(raw_sent, 0, sizeof(raw_sent));
        make_rows(&prng);
        int batches = (int)prng_range(&prng, 1, 150);
        for (int i = 0; i < batches; i++) {
            send_random_batch(w, &prng, i);
            if (prng_ratio(&prng, 1, 20)) {
                compare_sales(w);
            }
        }
        compare_silver(w);
        compare_gold(w);
        compare_sales(w);
        compare_bronze(w);
        assert_int_equal(fake_warehouse_counts(w).duplicates, 0);
        assert_int_equal(heard.duplicates, 0);
        fake_warehouse_free(w);
    }
}

static int note_gold(void *ctx, const struct row_version *v) {
    char *text = ((struct text *)ctx)->text;
    snprintf(text + strlen(text), 2000 - strlen(text), "%d.%d v%d [%d,%d);", (int)v->key.key,
             (int)v->key.copy, (int)v->cells[1].integer, (int)v->from.ns,
             v->to.ns == INT64_MAX ? -1 : (int)v->to.ns);
    return 0;
}

/* The journal of gold holds every state and none that was turned away. */
static void history_is_kept(void **state) {
    (void)state;
    struct fake_warehouse *w = open_warehouse();
    struct document_row rows[] = {document(1, 10, 1), document(1, 9, 1), document(1, 11, 2)};
    for (int i = 0; i < 3; i++) {
        load(w, 10 * (i + 1),
             (struct warehouse_batch){.gold = &rows[i], .gold_count = 1, .dedupe = true});
    }
    load(w, 40, (struct warehouse_batch){.gold = &rows[0], .gold_count = 1, .dedupe = false});
    struct text text = {""};
    assert_int_equal(row_journal_each(fake_warehouse_gold_journal(w), note_gold, &text), 0);
    assert_string_equal(text.text, "1.0 v10 [10,30);1.0 v11 [30,-1);1.1 v10 [40,-1);");
    fake_warehouse_free(w);
}

/* Of an audit row that comes again, as after a crash, the first stays; another model version,
 * another modality and another version have rows of their own (A11). */
static void audit_keeps_the_first_row_of_a_key(void **state) {
    (void)state;
    struct fake_warehouse *w =
        fake_warehouse_new(&(struct fake_warehouse_options){.journal = false});
    const struct audit_row rows[] = {
        {7, 1, MODALITY_TEXT, 1, 10, true},  {7, 1, MODALITY_TEXT, 1, 10, false},
        {7, 1, MODALITY_FUSED, 1, 11, true}, {7, 2, MODALITY_TEXT, 1, 10, false},
        {7, 1, MODALITY_TEXT, 2, 10, true},
    };
    for (int64_t again = 0; again < 2; again++) {
        load(w, again, (struct warehouse_batch){.audits = rows, .audit_count = 5, .dedupe = true});
    }
    const struct warehouse_audit *audit = fake_warehouse_audit(w);
    assert_int_equal(audit->count, 4);
    const struct audit_row *row = warehouse_audit_find(audit, 7, 1, MODALITY_TEXT, 1);
    assert_true(row != NULL && row->made && row->content_hash == 10);
    assert_null(warehouse_audit_find(audit, 7, 1, MODALITY_IMAGE, 1));
    fake_warehouse_free(w);
}

/* ---- Merges, views and change streams as they are (C4) ---- */

static struct order_row order_of(uint64_t id, int64_t ts, int64_t amount) {
    return (struct order_row){.order_id = id,
                              .listing_id = 7,
                              .stamp = {{ts}, {0, (uint64_t)ts}},
                              .quantity = 1,
                              .amount = amount,
                              .category = bytes_of("home")};
}

static int merge_orders(struct fake_warehouse *w, const struct order_row *rows, size_t count) {
    struct warehouse_port port = fake_warehouse_port(w);
    struct warehouse_batch batch = {.orders = rows, .order_count = count, .dedupe = true};
    int error = port.ops->load(port.ctx, (vtime){1}, &batch);
    fake_warehouse_check(w);
    return error;
}

/* Several rows of a batch for one order that is there are an error; for one that is not there each
 * is inserted; in batches of their own they are what they say. */
static void ambiguous_merges_are_refused(void **state) {
    (void)state;
    struct fake_warehouse *w =
        fake_warehouse_new(&(struct fake_warehouse_options){.merge = WAREHOUSE_MERGE_REFUSES});
    struct order_row rows[] = {order_of(1, 5, 10), order_of(1, 6, 20), order_of(1, 7, 30)};
    assert_int_equal(merge_orders(w, rows, 1), PORT_OK);
    assert_int_equal(merge_orders(w, rows + 1, 2), PORT_AMBIGUOUS);
    assert_int_equal(merge_orders(w, rows + 2, 1), PORT_OK);
    assert_int_equal(fake_warehouse_counts(w).orders, 1);
    struct order_row twins[] = {order_of(2, 5, 10), order_of(2, 5, 10)};
    assert_int_equal(merge_orders(w, twins, 2), PORT_OK);
    assert_int_equal(fake_warehouse_counts(w).orders, 3);
    assert_int_equal(fake_warehouse_counts(w).duplicates, 1);
    struct audit_row audit = {.listing_id = 3, .version = 4, .modality = 1, .model_version = 1};
    struct audit_row audits[] = {audit, audit};
    for (int i = 0; i < 2; i++) {
        load(w, 1, (struct warehouse_batch){.audits = audits, .audit_count = 2, .dedupe = true});
        assert_int_equal(fake_warehouse_audit(w)->count, 2);
    }
    fake_warehouse_free(w);
}

/* With that error switched off an arbitrary row stays: not always the latest. */
static void arbitrary_rows_stay(void **state) {
    (void)state;
    struct fake_warehouse *w =
        fake_warehouse_new(&(struct fake_warehouse_options){.merge = WAREHOUSE_MERGE_PICKS});
    int latest = 0;
    for (uint64_t id = 1; id <= 40; id++) {
        struct order_row rows[] = {order_of(id, 5, 10), order_of(id, 6, 20), order_of(id, 7, 30)};
        struct sales_row before, after;
        assert_int_equal(merge_orders(w, rows, 1), PORT_OK);
        fake_warehouse_gold_sales(w, 0, &before);
        assert_int_equal(merge_orders(w, rows + 1, 2), PORT_OK);
        fake_warehouse_gold_sales(w, 0, &after);
        latest += after.amount - before.amount == 20;
        assert_int_equal(after.orders, id);
    }
    assert_in_range(latest, 8, 32);
    fake_warehouse_free(w);
}

/* A channel's token is that of its last load that is wholly in; a batch of the past leaves it, an
 * operator may set it to anything. */
static void channels_have_tokens(void **state) {
    (void)state;
    struct fake_warehouse *w = open_warehouse();
    struct warehouse_port port = fake_warehouse_port(w);
    struct warehouse_channel channels[] = {{TOPIC_ORDER, 1, 0}, {TOPIC_ORDER, 2, 0}};
    struct warehouse_batch batch = {
        .channelled = true, .channel_topic = TOPIC_ORDER, .channel_partition = 1, .dedupe = true};
    static const int64_t sent[] = {30, 20, 40};
    static const int64_t told[] = {30, 30, 40};
    for (int i = 0; i < 3; i++) {
        batch.token = sent[i];
        load(w, 1, batch);
        assert_int_equal(port.ops->open_channels(port.ctx, (vtime){1}, channels, 2), 0);
        assert_int_equal(channels[0].token, told[i]);
        assert_int_equal(channels[1].token, CHANNEL_NO_TOKEN);
    }
    assert_int_equal(fake_warehouse_set_token(w, TOPIC_ORDER, 1, 7), 0);
    assert_int_equal(port.ops->open_channels(port.ctx, (vtime){1}, channels, 1), 0);
    assert_int_equal(channels[0].token, 7);
    fake_warehouse_free(w);
}

static int refresh_at(struct fake_warehouse *w, int64_t second, bool whole) {
    struct warehouse_port port = fake_warehouse_port(w);
    return port.ops->refresh_dashboard(port.ctx, (vtime){second * VTIME_SECOND}, whole, &as_of);
}

static int64_t shown(struct fake_warehouse *w) {
    struct sales_row row;
    assert_true(fake_warehouse_sales(w, 0, &row));
    return row.orders;
}

/* A view is not refreshed more often than its least target lag, may be made as of a while ago, and
 * says so: what was loaded since comes with a later refresh. */
static void views_lag(void **state) {
    (void)state;
    struct fake_warehouse *w =
        fake_warehouse_new(&(struct fake_warehouse_options){.view_lag_min_ns = VTIME_MINUTE});
    load_order(w, 1, 1, "home", 10);
    assert_int_equal(refresh_at(w, 10, false), PORT_OK);
    assert_int_equal(shown(w), 1);
    struct order_row second = order_of(2, 20 * VTIME_SECOND, 10);
    load(w, 20 * VTIME_SECOND,
         (struct warehouse_batch){.orders = &second, .order_count = 1, .dedupe = true});
    assert_int_equal(refresh_at(w, 30, false), PORT_OK); /* too soon */
    assert_int_equal(as_of.ns, 10 * VTIME_SECOND);
    fake_warehouse_lag_view(w, VTIME_MINUTE);
    assert_int_equal(refresh_at(w, 75, false), PORT_OK);
    assert_int_equal(as_of.ns, 15 * VTIME_SECOND);
    assert_int_equal(shown(w), 1);
    fake_warehouse_lag_view(w, 0);
    assert_int_equal(refresh_at(w, 140, false), PORT_OK);
    assert_int_equal(as_of.ns, 140 * VTIME_SECOND);
    assert_int_equal(shown(w), 2);
    fake_warehouse_free(w);
}

/* Changes that are older than their retention cannot be refreshed by: the whole can. */
static void change_streams_go_stale(void **state) {
    (void)state;
    struct fake_warehouse *w =
        fake_warehouse_new(&(struct fake_warehouse_options){.stream_kept_ns = VTIME_HOUR});
    load_order(w, 1, 1, "home", 10);
    assert_int_equal(refresh_at(w, 3601, false), PORT_OUT_OF_RANGE);
    assert_int_equal(shown(w), 0);
    assert_int_equal(refresh_at(w, 3602, true), PORT_OK);
    assert_int_equal(shown(w), 1);
    fake_warehouse_stale_stream(w);
    assert_int_equal(refresh_at(w, 3603, false), PORT_OUT_OF_RANGE);
    assert_int_equal(refresh_at(w, 3604, true), PORT_OK);
    assert_int_equal(refresh_at(w, 9999999, false), PORT_OK);
    fake_warehouse_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silver_intervals_close_in_any_order),
        cmocka_unit_test(silver_tiles_when_the_clock_goes_back),
        cmocka_unit_test(erasure_removes_and_refuses),
        cmocka_unit_test(erasure_has_three_deadlines),
        cmocka_unit_test(gold_keeps_the_greatest_version),
        cmocka_unit_test(bronze_is_read_as_a_log),
        cmocka_unit_test(keeps_its_time),
        cmocka_unit_test(plain_inserts_leave_second_rows),
        cmocka_unit_test(dashboard_follows_orders),
        cmocka_unit_test(any_order_of_loads_ends_the_same),
        cmocka_unit_test(history_is_kept),
        cmocka_unit_test(audit_keeps_the_first_row_of_a_key),
        cmocka_unit_test(ambiguous_merges_are_refused),
        cmocka_unit_test(arbitrary_rows_stay),
        cmocka_unit_test(channels_have_tokens),
        cmocka_unit_test(views_lag),
        cmocka_unit_test(change_streams_go_stale),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
