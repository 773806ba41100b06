/*
 * The conformance suite of the warehouse port (A9, A12, A16, A17, B4): what the loader, the batch,
 * the builder that reads on from bronze, and the eraser lean on, held by the fake and by a
 * PostgreSQL; and a long random play of torn, repeated and disordered loads in which a subject must
 * answer as the fake does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/suite.h"
#include "conformance/warehouse_subject.h"
#include "sim/prng.h"

enum { ROWS_MAX = 256, LISTINGS = 8, PLAY_ROWS = 3 };

SUITE_SUBJECTS(warehouse)

/* ---- What the tests say ---- */

static void load(struct warehouse_subject *s, int64_t second, struct warehouse_batch batch) {
    batch.dedupe = true;
    assert_int_equal(s->port.ops->load(s->port.ctx, at(second), &batch), 0);
}

static struct document_row document(uint64_t id, doc_version version, int64_t second) {
    return (struct document_row){.listing_id = id,
                                 .version = version,
                                 .changed_at = at(second),
                                 .stamp = stamp_of(second),
                                 .source_hash = id * 1000 + version,
                                 .whole_hash = id * 2000 + version,
                                 .alive = true,
                                 .policy = POLICY_ACTIVE,
                                 .seller_id = 7,
                                 .price = 500,
                                 .title = bytes_of("lamp"),
                                 .description = bytes_of(""),
                                 .locale = bytes_of("en"),
                                 .category = bytes_of("home"),
                                 .attributes = bytes_of("{}"),
                                 .images = bytes_of("[]"),
                                 .category_path = bytes_of("home"),
                                 .locale_tag = bytes_of("en")};
}

static void load_document(struct warehouse_subject *s, int64_t second, struct document_row row) {
    load(
        s, second,
        (struct warehouse_batch){.silver = &row, .silver_count = 1, .gold = &row, .gold_count = 1});
}

static struct bronze_row record(enum topic_id topic, uint32_t epoch, int64_t offset,
                                uint64_t listing_id, int64_t second, const char *value) {
    return (struct bronze_row){.topic = topic,
                               .partition = 1,
                               .epoch = epoch,
                               .offset = offset,
                               .append = at(second),
                               .type = RECORD_LISTING,
                               .stamp = stamp_of(second),
                               .subject_id = listing_id,
                               .value = bytes_of(value)};
}

static void load_bronze(struct warehouse_subject *s, struct bronze_row row) {
    load(s, 0, (struct warehouse_batch){.bronze = &row, .bronze_count = 1});
}

static void load_order(struct warehouse_subject *s, int64_t second, struct order_row row) {
    load(s, second, (struct warehouse_batch){.orders = &row, .order_count = 1});
}

static struct order_row order(uint64_t id, int64_t second, int64_t placed, int64_t amount,
                              const char *category) {
    return (struct order_row){.order_id = id,
                              .listing_id = 1,
                              .stamp = stamp_of(second),
                              .placed = at(placed),
                              .quantity = 1,
                              .amount = amount,
                              .category = bytes_of(category)};
}

static size_t scan(struct warehouse_subject *s, uint64_t first, uint64_t last,
                   struct scan_row *rows, size_t max) {
    size_t count = 0;
    assert_int_equal(s->port.ops->scan(s->port.ctx, at(0), first, last, rows, max, &count), 0);
    return count;
}

static size_t read_log(struct warehouse_subject *s, int64_t offset, struct log_record *out,
                       size_t max) {
    size_t count = 0;
    assert_int_equal(
        s->port.ops->read_log(s->port.ctx, at(0), TOPIC_LISTING_LOG, 1, offset, out, max, &count),
        0);
    return count;
}

static size_t read_sales(struct warehouse_subject *s, bool rebuilt, size_t skip,
                         struct sales_row *out, size_t max) {
    size_t count = 0;
    assert_int_equal(s->port.ops->read_sales(s->port.ctx, at(0), rebuilt, (vtime){0}, VTIME_NEVER,
                                             skip, out, max, &count),
                     0);
    return count;
}

static void refresh(struct warehouse_subject *s) {
    assert_int_equal(s->port.ops->refresh_dashboard(s->port.ctx, at(1000000), false, &(vtime){0}),
                     0);
}

/* ---- Bronze ---- */

/* A record goes in once by its place; read as a log they come in the order of offsets whatever the
 * order of loads, from any offset on, with all their bytes. */
static void bronze_is_a_log(void **state) {
    struct warehouse_subject *s = *state;
    load_bronze(s, record(TOPIC_LISTING_LOG, 0, 3, UINT64_MAX, 13, "three"));
    load_bronze(s, record(TOPIC_LISTING_LOG, 0, 1, 5, 11, "one"));
    load_bronze(s, record(TOPIC_LISTING_LOG, 0, 1, 5, 11, "again"));
    load_bronze(s, record(TOPIC_LISTING, 0, 2, 5, 12, "of another topic"));
    struct bronze_row raw = record(TOPIC_LISTING_LOG, 0, 9, 6, 19, "");
    raw.value = (struct bytes){"\0\xff", 2};
    load_bronze(s, raw);
    struct log_record out[8];
    assert_int_equal(read_log(s, 0, out, 8), 3);
    assert_int_equal(out[0].offset, 1);
    assert_true(bytes_equal(out[0].value, bytes_of("one")));
    assert_int_equal(out[1].offset, 3);
    assert_true(out[1].key == UINT64_MAX);
    assert_int_equal(out[1].append.ns, at(13).ns);
    assert_true(bytes_equal(out[2].value, raw.value));
    assert_int_equal(read_log(s, 2, out, 1), 1);
    assert_int_equal(out[0].offset, 3);
}

/* Of an offset that was given out twice the later epoch's record counts. */
static void later_epochs_count(void **state) {
    struct warehouse_subject *s = *state;
    load_bronze(s, record(TOPIC_LISTING_LOG, 1, 4, 5, 20, "kept"));
    load_bronze(s, record(TOPIC_LISTING_LOG, 0, 4, 5, 10, "truncated"));
    load_bronze(s, record(TOPIC_LISTING_LOG, 0, 3, 5, 9, "before"));
    struct log_record out[8];
    assert_int_equal(read_log(s, 0, out, 8), 2);
    assert_true(bytes_equal(out[0].value, bytes_of("before")));
    assert_true(bytes_equal(out[1].value, bytes_of("kept")));
    assert_int_equal(out[1].epoch, 1);
}

/* A channel's token is that of its last load; a batch of the past leaves it where it is. */
static void channels_tell_how_far(void **state) {
    struct warehouse_subject *s = *state;
    struct warehouse_channel channels[] = {{TOPIC_ORDER, 1, 0}, {TOPIC_ORDER, 2, 0}};
    struct warehouse_batch batch = {
        .channelled = true, .channel_topic = TOPIC_ORDER, .channel_partition = 1};
    static const int64_t sent[] = {30, 20, 40};
    static const int64_t told[] = {30, 30, 40};
    for (int i = 0; i < 3; i++) {
        batch.token = sent[i];
        load(s, i, batch);
        assert_int_equal(s->port.ops->open_channels(s->port.ctx, at(i), channels, 2), 0);
        assert_int_equal(channels[0].token, told[i]);
        assert_int_equal(channels[1].token, CHANNEL_NO_TOKEN);
    }
}

/* ---- Silver and gold ---- */

/* Versions may come in any order and more than once: their intervals tile the time since the first,
 * and where the log's clock went back an interval starts with the one before it. */
static void silver_intervals_tile(void **state) {
    struct warehouse_subject *s = *state;
    const struct {
        doc_version version;
        int64_t second;
    } versions[] = {{30, 50}, {10, 20}, {20, 60}, {10, 20}, {40, 70}};
    for (size_t i = 0; i < 5; i++) {
        load_document(s, 100, document(1, versions[i].version, versions[i].second));
    }
    const int64_t from[] = {20, 60, 60, 70};
    struct silver_span spans[8];
    assert_int_equal(s->silver(s->ctx, 1, spans, 8), 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(spans[i].version, 10 * (i + 1));
        assert_int_equal(spans[i].from.ns, at(from[i]).ns);
        assert_int_equal(spans[i].to.ns, i < 3 ? at(from[i + 1]).ns : VTIME_NEVER.ns);
    }
}

/* Gold keeps the greatest version of each listing, gone ones as rows that say so, and tells what a
 * listing should have elsewhere. */
static void gold_keeps_the_greatest_version(void **state) {
    struct warehouse_subject *s = *state;
    struct document_row row = document(UINT64_MAX, 5, 10);
    row.images = bytes_of("[4]");
    load_document(s, 100, row);
    load_document(s, 101, document(UINT64_MAX, 4, 9));
    load_document(s, 102, document(UINT64_MAX, 5, 10));
    row = document(3, 1, 10);
    row.title = bytes_of("");
    row.alive = false;
    load_document(s, 103, row);
    row = document(4, 2, 10);
    row.policy = POLICY_SUPPRESSED;
    load_document(s, 104, row);
    struct scan_row rows[8];
    assert_int_equal(scan(s, 0, UINT64_MAX, rows, 8), 3);
    assert_int_equal(rows[0].listing_id, 3);
    assert_false(rows[0].alive);
    assert_int_equal(rows[0].modalities, 0);
    assert_true(rows[1].suppressed);
    assert_int_equal(rows[1].modalities, 1 << MODALITY_TEXT | 1 << MODALITY_FUSED);
    assert_true(rows[2].listing_id == UINT64_MAX);
    assert_int_equal(rows[2].version, 5);
    assert_int_equal(rows[2].changed_at.ns, at(100).ns);
    assert_int_equal(rows[2].modalities, 7);
    assert_true(rows[2].source_hash == document(UINT64_MAX, 5, 10).source_hash);
    assert_int_equal(scan(s, 4, UINT64_MAX, rows, 1), 1);
    assert_int_equal(rows[0].listing_id, 4);
}

/* ---- Orders and the dashboard ---- */

/* The view is what the last refresh made of the orders: each once, as last told, in the hour in
 * which it was placed. */
static void dashboard_follows_orders(void **state) {
    struct warehouse_subject *s = *state;
    struct sales_row rows[8];
    load_order(s, 1, order(1, 10, 10, 700, "home"));
    load_order(s, 2, order(2, 4000, 4000, 200, "home"));
    assert_int_equal(read_sales(s, false, 0, rows, 8), 0);
    refresh(s);
    load_order(s, 3, order(1, 10, 10, 700, "home"));
    load_order(s, 4, order(1, 9, 10, 999, "stale"));
    load_order(s, 5, order(3, 30, 20, 50, "garden"));
    assert_int_equal(read_sales(s, false, 0, rows, 8), 2);
    refresh(s);
    assert_int_equal(read_sales(s, false, 0, rows, 8), 3);
    assert_true(bytes_equal(rows[0].category, bytes_of("garden")));
    assert_true(bytes_equal(rows[1].category, bytes_of("home")));
    assert_int_equal(rows[1].orders, 1);
    assert_int_equal(rows[1].amount, 700);
    assert_int_equal(rows[1].changed_at.ns, at(1).ns);
    assert_int_equal(rows[1].hour.ns, sales_hour(at(10)).ns);
    assert_int_equal(rows[2].hour.ns, sales_hour(at(4000)).ns);

    load_order(s, 6, order(1, 60, 10, 650, "garden")); /* corrected: to another bucket */
    refresh(s);
    assert_int_equal(read_sales(s, false, 0, rows, 8), 2);
    assert_int_equal(rows[0].orders, 2);
    assert_int_equal(rows[0].amount, 700);
    assert_int_equal(read_sales(s, false, 1, rows, 8), 1);
    assert_int_equal(rows[0].amount, 200);
}

/* What the batch made stands beside what the stream made: documents by greatest version, sales of a
 * range all at once. */
static void batches_replace_what_they_made(void **state) {
    struct warehouse_subject *s = *state;
    struct document_row rows[] = {document(1, 5, 10), document(2, 5, 10)};
    load(s, 1, (struct warehouse_batch){.rebuilt = rows, .rebuilt_count = 2});
    rows[0] = document(1, 4, 9);
    rows[1] = document(2, 6, 12);
    load(s, 2, (struct warehouse_batch){.rebuilt = rows, .rebuilt_count = 2});
    struct scan_row scanned[4];
    size_t count = 0;
    assert_int_equal(
        s->port.ops->scan_rebuilt(s->port.ctx, at(0), 0, UINT64_MAX, scanned, 4, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(scanned[0].version, 5);
    assert_int_equal(scanned[1].version, 6);
    assert_int_equal(scanned[1].changed_at.ns, at(12).ns);
    assert_int_equal(scan(s, 0, UINT64_MAX, scanned, 4), 0);

    struct sales_row sales[] = {
        {.category = bytes_of("home"), .hour = sales_hour(at(0)), .orders = 2, .amount = 900},
        {.category = bytes_of("home"), .hour = sales_hour(at(7200)), .orders = 1, .amount = 300}};
    struct warehouse_batch batch = {.rebuilt_sales_given = true,
                                    .rebuilt_from = {0},
                                    .rebuilt_to = VTIME_NEVER,
                                    .rebuilt_sales = sales,
                                    .rebuilt_sales_count = 2};
    load(s, 3, batch);
    batch.rebuilt_to = sales_hour(at(3600));
    sales[0].amount = 901;
    batch.rebuilt_sales_count = 1;
    load(s, 4, batch);
    struct sales_row shown[4];
    assert_int_equal(read_sales(s, true, 0, shown, 4), 2);
    assert_int_equal(shown[0].amount, 901);
    assert_int_equal(shown[1].amount, 300);
}

/* ---- Erasures ---- */

static void erase(struct warehouse_subject *s, uint64_t id, int64_t second,
                  struct erasure_subject *subject, struct erasure_look *looks) {
    *subject = (struct erasure_subject){.listing_id = id, .stamp = stamp_of(second)};
    memset(looks, 0, ERASURE_PLACE_COUNT * sizeof *looks);
    assert_int_equal(s->port.ops->erase(s->port.ctx, at(900), subject, 1, looks), 0);
}

/* What the loader told of an erasure removes what it covers and keeps it out; an eraser that looks
 * finds nothing then, and is told the version. One of which nothing was told counts as not done. */
static void erasures_remove_and_keep_out(void **state) {
    struct warehouse_subject *s = *state;
    struct erasure_subject subject;
    struct erasure_look looks[ERASURE_PLACE_COUNT];
    load_bronze(s, record(TOPIC_LISTING_LOG, 0, 1, 1, 10, "raw"));
    load_document(s, 1, document(1, 5, 10));
    erase(s, 1, 20, &subject, looks);
    assert_int_equal(looks[ERASED_IN_BRONZE].found, 1);
    assert_int_equal(subject.version, DOC_VERSION_NONE);

    struct erasure_row told = {1, stamp_of(20), 8};
    struct document_row empty = document(1, 8, 20);
    empty.alive = false;
    load(s, 2,
         (struct warehouse_batch){
             .erasures = &told, .erasure_count = 1, .gold = &empty, .gold_count = 1});
    load_bronze(s, record(TOPIC_LISTING_LOG, 0, 1, 1, 10, "raw"));
    load_document(s, 3, document(1, 7, 15));
    erase(s, 1, 20, &subject, looks);
    assert_int_equal(subject.version, 8);
    assert_int_equal(looks[ERASED_IN_BRONZE].found, 0);
    assert_int_equal(looks[ERASED_IN_SILVER].found, 0);
    assert_int_equal(looks[ERASED_IN_GOLD].found, 0);
    assert_true(looks[ERASED_IN_BRONZE].examined > 0);
    struct log_record out[4];
    assert_int_equal(read_log(s, 0, out, 4), 0);
    load_bronze(s, record(TOPIC_LISTING_LOG, 0, 5, 1, 30, "a new life"));
    load_document(s, 4, document(1, 9, 30));
    erase(s, 1, 20, &subject, looks);
    assert_int_equal(looks[ERASED_IN_SILVER].found, 0);
    assert_int_equal(read_log(s, 0, out, 4), 1);
    struct scan_row row;
    assert_int_equal(scan(s, 1, 1, &row, 1), 1);
    assert_int_equal(row.version, 9);
}

/* ---- A random play beside the fake ---- */

static const char *const categories[] = {"home", "garden", "", "caf\xc3\xa9"};

/* One load as a loader might send it: rows of the past among them, any of them twice. */
static void play_load(struct warehouse_subject *both[2], struct prng *p, int64_t second,
                      bool erases) {
    struct bronze_row bronze[PLAY_ROWS];
    struct document_row documents[PLAY_ROWS];
    struct order_row orders[PLAY_ROWS];
    struct erasure_row erasure;
    for (int i = 0; i < PLAY_ROWS; i++) {
        uint64_t id = 1 + prng_below(p, LISTINGS);
        int64_t offset = (int64_t)prng_below(p, 60);
        uint32_t epoch = (uint32_t)prng_below(p, 2);
        /* What a place or a version says does not depend on when it is told. */
        bronze[i] = record(TOPIC_LISTING_LOG, epoch, offset, 1 + (uint64_t)offset % LISTINGS,
                           offset * 3 + (int64_t)epoch, categories[offset % 4]);
        doc_version version = 1 + prng_below(p, 40);
        /* Where a removed version had pushed the ones behind it on, it is nobody's business whether
         * they move back: with erasures the clock of the log goes on. */
        documents[i] = document(id, version, (int64_t)(erases ? version : version * 7 % 31));
        documents[i].alive = version % 5 != 0;
        documents[i].images = bytes_of(version % 3 == 0 ? "[1]" : "[]");
        int64_t told = (int64_t)prng_below(p, 50);
        orders[i] = order(id, told, (int64_t)id * 1800, told * 10, categories[told % 4]);
    }
    erasure = (struct erasure_row){1 + prng_below(p, LISTINGS),
                                   stamp_of((int64_t)prng_below(p, 90)), 1 + prng_below(p, 30)};
    struct warehouse_batch batch = {.bronze = bronze,
                                    .bronze_count = prng_below(p, PLAY_ROWS + 1),
                                    .silver = documents,
                                    .silver_count = prng_below(p, PLAY_ROWS + 1),
                                    .gold = documents,
                                    .gold_count = prng_below(p, PLAY_ROWS + 1),
                                    .orders = orders,
                                    .order_count = prng_below(p, PLAY_ROWS + 1),
                                    .erasures = &erasure,
                                    .erasure_count = erases && prng_ratio(p, 1, 25)};
    for (int i = 0; i < 2; i++) {
        load(both[i], second, batch);
    }
}

static void assert_same_log(struct warehouse_subject *both[2]) {
    struct log_record out[2][ROWS_MAX];
    size_t count = read_log(both[0], 0, out[0], ROWS_MAX);
    assert_int_equal(read_log(both[1], 0, out[1], ROWS_MAX), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(out[0][i].offset, out[1][i].offset);
        assert_int_equal(out[0][i].epoch, out[1][i].epoch);
        assert_true(out[0][i].key == out[1][i].key);
        assert_true(bytes_equal(out[0][i].value, out[1][i].value));
    }
}

static void assert_same_documents(struct warehouse_subject *both[2]) {
    struct scan_row rows[2][ROWS_MAX];
    size_t count = scan(both[0], 0, UINT64_MAX, rows[0], ROWS_MAX);
    assert_int_equal(scan(both[1], 0, UINT64_MAX, rows[1], ROWS_MAX), count);
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(&rows[0][i], &rows[1][i], sizeof rows[0][i]);
    }
    for (uint64_t id = 1; id <= LISTINGS; id++) {
        struct silver_span spans[2][64];
        size_t versions = both[0]->silver(both[0]->ctx, id, spans[0], 64);
        assert_int_equal(both[1]->silver(both[1]->ctx, id, spans[1], 64), versions);
        for (size_t i = 0; i < versions; i++) {
            assert_memory_equal(&spans[0][i], &spans[1][i], sizeof spans[0][i]);
        }
    }
}

static void assert_same_sales(struct warehouse_subject *both[2]) {
    struct sales_row rows[2][ROWS_MAX];
    size_t count = read_sales(both[0], false, 0, rows[0], ROWS_MAX);
    assert_int_equal(read_sales(both[1], false, 0, rows[1], ROWS_MAX), count);
    for (size_t i = 0; i < count; i++) {
        assert_true(bytes_equal(rows[0][i].category, rows[1][i].category));
        assert_int_equal(rows[0][i].hour.ns, rows[1][i].hour.ns);
        assert_int_equal(rows[0][i].orders, rows[1][i].orders);
        assert_int_equal(rows[0][i].quantity, rows[1][i].quantity);
        assert_int_equal(rows[0][i].amount, rows[1][i].amount);
        assert_int_equal(rows[0][i].changed_at.ns, rows[1][i].changed_at.ns);
    }
}

static void play(struct warehouse_subject *s, bool erases) {
    struct warehouse_subject fake;
    assert_true(warehouse_subject_fake(&fake));
    struct warehouse_subject *both[2] = {s, &fake};
    struct prng p;
    prng_init(&p, 17, "warehouse conformance");
    for (int64_t step = 0; step < 400; step++) {
        play_load(both, &p, 1000 + step, erases);
        if (prng_ratio(&p, 1, 4)) {
            refresh(both[0]);
            refresh(both[1]);
        }
        if (step % 10 == 9) {
            assert_same_log(both);
            assert_same_documents(both);
            assert_same_sales(both);
        }
    }
    fake.free(fake.ctx);
}

/* Whatever is loaded, torn, repeated or disordered, a subject answers as the fake does. */
static void random_loads_agree_with_the_fake(void **state) {
    play(*state, false);
}

/* Also where listings are erased between and behind the loads. */
static void random_erasures_agree_with_the_fake(void **state) {
    play(*state, true);
}

int warehouse_suite_run(const char *name, bool (*make)(struct warehouse_subject *out)) {
    const struct CMUnitTest tests[] = {
        TEST(bronze_is_a_log),
        TEST(later_epochs_count),
        TEST(channels_tell_how_far),
        TEST(silver_intervals_tile),
        TEST(gold_keeps_the_greatest_version),
        TEST(dashboard_follows_orders),
        TEST(batches_replace_what_they_made),
        TEST(erasures_remove_and_keep_out),
        TEST(random_loads_agree_with_the_fake),
        TEST(random_erasures_agree_with_the_fake),
    };
    make_subject = make;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
