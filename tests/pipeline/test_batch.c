/*
 * The nightly batch (A17): it makes gold and sales anew from bronze page by page, ends in the same
 * rows however often it runs and wherever it crashes, and says what the stream made differently.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/fake_warehouse.h"
#include "tests/support/machine_script.h"

enum { PAGE_ROWS = 2 };

/* A warehouse, the batch before it, and the command that the control topic holds. */
struct night {
    struct script *script;
    struct fake_warehouse *warehouse;
    const char *command;
    bool fills_gold;               /* what the batch makes is what the stream made */
    const struct sales_row *books; /* what OLTP says; NULL: what the dashboard says */
    size_t book_count;
    size_t republished; /* hours that OLTP was asked to tell again */
    size_t served;      /* requests */
    size_t crash_at;    /* so many requests served; 0: never */
    uint32_t process;   /* generation of the lease */
};

static void bronze(struct night *n, enum topic_id topic, int64_t offset, const char *text) {
    struct bytes value = record_from_text(text);
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode(value, &record, &error), 0);
    struct bronze_row row = {.topic = topic,
                             .offset = offset,
                             .append = record.stamp.ts,
                             .type = record.type,
                             .stamp = record.stamp,
                             .subject_id = record.subject_id,
                             .value = value};
    struct order_row order = {.order_id = record.order_id,
                              .listing_id = record.subject_id,
                              .stamp = record.stamp,
                              .placed = order_placed(record.placed, record.stamp),
                              .quantity = record.quantity,
                              .amount = record.amount,
                              .category = record.order_category};
    struct warehouse_port port = fake_warehouse_port(n->warehouse);
    struct warehouse_batch batch = {.bronze = &row,
                                    .bronze_count = 1,
                                    .orders = &order,
                                    .order_count = record.type == RECORD_ORDER,
                                    .dedupe = true};
    assert_int_equal(port.ops->load(port.ctx, n->script->now, &batch), 0);
    assert_int_equal(port.ops->refresh_dashboard(port.ctx, n->script->now, false, &(vtime){0}), 0);
    free((char *)(uintptr_t)value.data);
}

static void begin(struct night *n) {
    script_assign(n->script, ++n->process, 1, (const uint32_t[]){0});
    script_load(n->script, script_newest(n->script, EFFECT_LOAD_STATE));
}

/* Three listings, of which one is gone, and two orders in two hours. */
static struct night night_new(int64_t kept_ns) {
    struct pipeline_config config = {
        .partitions = 1, .batch_page_rows = PAGE_ROWS, .warehouse_kept_ns = kept_ns};
    struct night n = {.script = script_new(MACHINE_BATCH, &config, NULL), .fills_gold = true};
    n.script->quiet_fetch = true;
    n.warehouse = fake_warehouse_new(&(struct fake_warehouse_options){.kept_ns = -1});
    assert_non_null(n.warehouse);
    bronze(&n, TOPIC_LISTING_LOG, 0, "listing 1 @10 title=Lamp price=5");
    bronze(&n, TOPIC_LISTING_LOG, 1, "listing 2 @20 title=Chair");
    bronze(&n, TOPIC_LISTING_LOG, 2, "listing 3 @30 title=Vase");
    bronze(&n, TOPIC_LISTING_LOG, 3, "listing 1 @40 price=6");
    bronze(&n, TOPIC_LISTING_LOG, 4, "listing 3 @50 delete");
    bronze(&n, TOPIC_ORDER, 0, "order 1 of 1 @60 quantity=2 amount=100 category=lamps");
    bronze(&n, TOPIC_ORDER, 1, "order 2 of 2 @4000 quantity=1 amount=70 category=chairs");
    n.script->now = text_time(86400);
    begin(&n);
    return n;
}

static void night_end(struct night *n) {
    script_free(n->script);
    fake_warehouse_free(n->warehouse);
}

static void serve_fetch(struct night *n, struct effect *e) {
    struct log_record out[PAGE_ROWS];
    struct event event = {.kind = EVENT_RECORDS, .request = e->request, .answered = e};
    struct warehouse_port port = fake_warehouse_port(n->warehouse);
    assert_true(e->fetch.bronze && e->fetch.max == PAGE_ROWS);
    assert_int_equal(port.ops->read_log(port.ctx, n->script->now, e->fetch.topic,
                                        e->fetch.partition, e->fetch.offset, out, PAGE_ROWS,
                                        &event.records.count),
                     0);
    event.records.records = out;
    script_step(n->script, &event);
}

static void serve_load(struct night *n, const struct effect *e) {
    struct warehouse_port port = fake_warehouse_port(n->warehouse);
    struct warehouse_batch batch = e->warehouse;
    if (n->fills_gold) {
        batch.gold = batch.rebuilt;
        batch.gold_count = batch.rebuilt_count;
    }
    vtime earlier = vtime_add(n->script->now, -VTIME_HOUR);
    assert_int_equal(port.ops->load(port.ctx, earlier, &batch), 0);
    script_answer(n->script, e->request);
}

static void serve_scan(struct night *n, struct effect *e) {
    struct warehouse_port port = fake_warehouse_port(n->warehouse);
    int (*scan)(void *, vtime, uint64_t, uint64_t, struct scan_row *, size_t, size_t *) =
        e->scan.rebuilt ? port.ops->scan_rebuilt : port.ops->scan;
    assert_int_equal(scan(port.ctx, n->script->now, e->scan.first, e->scan.last, e->scan.rows,
                          e->scan.max, &e->scan.count),
                     0);
    e->scan.complete = e->scan.count < e->scan.max;
    script_answer(n->script, e->request);
}

static void serve_sales(struct night *n, struct effect *e) {
    struct sales_row rows[PAGE_ROWS];
    struct event event = {.kind = EVENT_SALES, .request = e->request, .answered = e};
    if (e->sales.oltp && n->books != NULL) {
        assert_true(n->book_count < PAGE_ROWS);
        memcpy(rows, n->books, n->book_count * sizeof *rows);
        event.sales.rows = rows;
        event.sales.count = n->book_count;
        script_step(n->script, &event);
        return;
    }
    struct warehouse_port port = fake_warehouse_port(n->warehouse);
    assert_int_equal(port.ops->read_sales(port.ctx, n->script->now, e->sales.rebuilt, e->sales.from,
                                          e->sales.to, e->sales.skip, rows, PAGE_ROWS,
                                          &event.sales.count),
                     0);
    event.sales.rows = rows;
    script_step(n->script, &event);
}

/* Answers one request; false when all that waits is the control topic. */
static bool serve(struct night *n) {
    static const enum effect_kind kinds[] = {
        EFFECT_SAVE_STATE,      EFFECT_LOAD_WAREHOUSE,    EFFECT_SCAN, EFFECT_READ_SALES,
        EFFECT_REPUBLISH_SALES, EFFECT_REFRESH_DASHBOARD, EFFECT_FETCH};
    uint64_t request = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && request == 0; i++) {
        request = script_newest(n->script, kinds[i]);
    }
    struct effect *e = request == 0 ? NULL : script_request(n->script, request);
    if (e == NULL) {
        return false;
    }
    switch (e->kind) {
    case EFFECT_SAVE_STATE:
        script_answer(n->script, request);
        return true;
    case EFFECT_LOAD_WAREHOUSE:
        serve_load(n, e);
        return true;
    case EFFECT_SCAN:
        serve_scan(n, e);
        return true;
    case EFFECT_READ_SALES:
        serve_sales(n, e);
        return true;
    case EFFECT_REPUBLISH_SALES:
        n->republished += e->republish_sales.count;
        script_answer(n->script, request);
        return true;
    case EFFECT_REFRESH_DASHBOARD: {
        struct warehouse_port port = fake_warehouse_port(n->warehouse);
        assert_int_equal(port.ops->refresh_dashboard(port.ctx, n->script->now, false, &(vtime){0}),
                         0);
        script_answer(n->script, request);
        return true;
    }
    default:
        break;
    }
    if (e->fetch.topic != TOPIC_CONTROL) {
        serve_fetch(n, e);
        return true;
    }
    if (n->command == NULL || e->fetch.offset > 0) {
        return false;
    }
    script_records(n->script, request, 0, TEXTS(n->command));
    return true;
}

/* Serves until the batch is at rest; a checkpoint is taken behind every request. */
static void work(struct night *n, const char *command) {
    n->command = command;
    while (serve(n)) {
        n->served++;
        if (script_timers(n->script) > 0) {
            script_timer(n->script);
        }
        if (n->served == n->crash_at) {
            script_restart(n->script);
            begin(n);
        }
    }
}

/* The next command of the topic stands at offset 0 for the test's sake. */
static void work_again(struct night *n, const char *command) {
    uint64_t request = script_newest(n->script, EFFECT_FETCH);
    int64_t offset = script_request(n->script, request)->fetch.offset;
    script_records(n->script, request, offset, TEXTS(command));
    work(n, NULL);
}

static uint64_t differences(const struct batch_report *report) {
    uint64_t sum = 0;
    for (int c = 0; c < DRIFT_CLASS_COUNT; c++) {
        sum += report->document_counts[c] + report->sales_counts[c];
    }
    return sum;
}

static void assert_made(const struct night *n) {
    const struct warehouse_rebuilt *made = fake_warehouse_rebuilt(n->warehouse);
    assert_int_equal(made->count, 3);
    assert_int_equal(made->documents[0].version, doc_version_pack(0, 3));
    assert_int_equal(made->documents[1].version, doc_version_pack(0, 1));
    assert_int_equal(made->documents[2].version, doc_version_pack(0, 4));
    assert_false(made->documents[2].alive);
    assert_int_equal(made->sales_count, 2);
    assert_int_equal(made->sales[0].amount, 100);
    assert_int_equal(made->sales[1].amount, 70);
}

/* Everything is made anew, twice: the same rows, and no difference to the stream. */
static void test_runs_again(void **state) {
    (void)state;
    struct night n = night_new(-1);
    work(&n, "control batch @70");
    assert_int_equal(n.script->batches, 1);
    assert_int_equal(n.script->batch.documents, 3);
    assert_int_equal(n.script->batch.buckets, 2);
    assert_int_equal(differences(&n.script->batch), 0);
    assert_made(&n);
    work_again(&n, "control batch @71");
    assert_int_equal(n.script->batches, 2);
    assert_int_equal(differences(&n.script->batch), 0);
    assert_made(&n);
    night_end(&n);
}

/* A range makes anew what changed in it, as of its end, and the sales of its hours. */
static void test_range(void **state) {
    (void)state;
    struct night n = night_new(-1);
    work(&n, "control batch @70 from=15 to=35");
    const struct warehouse_rebuilt *made = fake_warehouse_rebuilt(n.warehouse);
    assert_int_equal(n.script->batch.documents, 2);
    assert_int_equal(made->count, 2);
    assert_int_equal(made->documents[0].listing_id, 2);
    assert_true(made->documents[1].listing_id == 3 && made->documents[1].alive);
    night_end(&n);
}

/* Dead after any request: the run that was begun is ended by the next process, with the same rows;
 * the command is not lost, and the comparison finds nothing. */
static void test_crash_at_any_request(void **state) {
    (void)state;
    for (size_t at = 1;; at++) {
        struct night n = night_new(-1);
        n.crash_at = at;
        work(&n, "control batch @70");
        assert_true(n.script->batches >= 1);
        assert_int_equal(differences(&n.script->batch), 0);
        assert_made(&n);
        bool over = n.served < at;
        night_end(&n);
        if (over) {
            assert_true(at > 10);
            return;
        }
    }
}

/* Gold holds a listing that bronze does not know: an alert, until it is gone. */
static void test_differences_alert(void **state) {
    (void)state;
    struct night n = night_new(-1);
    struct document_row stray = {.listing_id = 9, .version = 1, .alive = true};
    struct warehouse_batch batch = {.gold = &stray, .gold_count = 1, .dedupe = true};
    struct warehouse_port port = fake_warehouse_port(n.warehouse);
    assert_int_equal(port.ops->load(port.ctx, text_time(100), &batch), 0);
    work(&n, "control batch @70");
    assert_int_equal(n.script->batch.document_counts[DRIFT_ORPHAN], 1);
    assert_non_null(strstr(script_told(n.script), "alert batch-differs warehouse error: "
                                                  "1 documents and 0 buckets of sales"));
    script_skip(n.script);
    bronze(&n, TOPIC_LISTING_LOG, 5, "listing 9 @80 title=Stool");
    work_again(&n, "control batch @71");
    assert_non_null(strstr(script_told(n.script), "alert batch-differs warehouse cleared"));
    night_end(&n);
}

/* Silver has order 1 with an amount that bronze never had, and the dashboard shows it. */
static void corrupt_silver(struct night *n) {
    struct order_row order = {.order_id = 1,
                              .listing_id = 1,
                              .stamp = {text_time(60), {0, 0}},
                              .placed = text_time(60),
                              .quantity = 2,
                              .amount = 10000,
                              .category = bytes_of("lamps")};
    struct warehouse_port port = fake_warehouse_port(n->warehouse);
    struct log_record raw;
    struct record record;
    struct record_error error;
    size_t count = 0;
    assert_int_equal(
        port.ops->read_log(port.ctx, n->script->now, TOPIC_ORDER, 0, 0, &raw, 1, &count), 0);
    assert_int_equal(record_decode(raw.value, &record, &error), 0);
    order.stamp = record.stamp;
    struct warehouse_batch batch = {
        .orders = &order, .order_count = 1, .dedupe = true, .repair = true};
    assert_int_equal(port.ops->load(port.ctx, text_time(100), &batch), 0);
    assert_int_equal(port.ops->refresh_dashboard(port.ctx, text_time(100), false, &(vtime){0}), 0);
}

static int64_t shown(const struct night *n, const char *category) {
    struct sales_row row;
    for (size_t i = 0; fake_warehouse_sales(n->warehouse, i, &row); i++) {
        if (bytes_equal(row.category, bytes_of(category))) {
            return row.amount;
        }
    }
    return -1;
}

/* Silver says what bronze does not: an alert, and silver, gold and the view are made right at once,
 * for that hour alone; wherever the batch dies on its way (B6). */
static void test_mends_what_bronze_says_differently(void **state) {
    (void)state;
    for (size_t at = 0;; at++) {
        struct night n = night_new(-1);
        corrupt_silver(&n);
        assert_int_equal(shown(&n, "lamps"), 10000);
        n.crash_at = at;
        work(&n, "control batch @70");
        assert_int_equal(shown(&n, "lamps"), 100);
        assert_int_equal(shown(&n, "chairs"), 70);
        fake_warehouse_check(n.warehouse);
        /* Whoever takes over may find nothing any more: what was found is said before. */
        assert_non_null(strstr(script_told(n.script), "alert batch-differs warehouse error: "
                                                      "0 documents and 1 buckets of sales"));
        assert_true(at > 0 || n.script->batch.remade == 1);
        bool over = at > 0 && n.served < at;
        n.crash_at = 0;
        work_again(&n, "control batch @71");
        assert_int_equal(differences(&n.script->batch), 0);
        assert_int_equal(n.script->batch.remade, 0);
        night_end(&n);
        if (over) {
            assert_true(at > 15);
            return;
        }
    }
}

/* Gold did not follow silver: its sums are added up anew. */
static void test_mends_gold(void **state) {
    (void)state;
    struct night n = night_new(-1);
    fake_warehouse_hold_gold(n.warehouse, true);
    bronze(&n, TOPIC_ORDER, 2, "order 3 of 2 @4100 quantity=1 amount=5 category=chairs");
    fake_warehouse_hold_gold(n.warehouse, false);
    assert_int_equal(shown(&n, "chairs"), 70);
    n.script->now = text_time(2 * 86400); /* it is no more on its way */
    work(&n, "control batch @70");
    assert_int_equal(n.script->batch.remade, 1);
    assert_int_equal(shown(&n, "chairs"), 75);
    night_end(&n);
}

/* With the bug the batch counts, and leaves what it counted. */
static void test_looks_alone_mend_nothing(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .batch_page_rows = PAGE_ROWS};
    struct bugs bugs = {.on = {[BUG_BATCH_ONLY_LOOKS] = true}};
    struct night n = night_new(-1);
    script_free(n.script);
    n.script = script_new(MACHINE_BATCH, &config, &bugs);
    n.script->quiet_fetch = true;
    n.script->now = text_time(86400);
    begin(&n);
    corrupt_silver(&n);
    work(&n, "control batch @70");
    assert_int_equal(differences(&n.script->batch), 1);
    assert_int_equal(shown(&n, "lamps"), 10000);
    night_end(&n);
}

/* OLTP has an order that bronze never got: its hour is told again, and nothing else is. */
static void test_asks_oltp_for_what_bronze_lacks(void **state) {
    (void)state;
    struct night n = night_new(-1);
    struct sales_row books = {.category = bytes_of("lamps"),
                              .hour = sales_hour(text_time(60)),
                              .orders = 2,
                              .quantity = 4,
                              .amount = 130};
    n.books = &books;
    n.book_count = 1;
    work(&n, "control batch @70");
    const struct batch_report *report = &n.script->batch;
    assert_int_equal(report->source_counts[DRIFT_MISMATCH], 1);
    assert_int_equal(report->source_counts[DRIFT_ORPHAN], 1); /* chairs: not in these books */
    assert_int_equal(n.republished, 2);
    assert_int_equal(report->republished, 2);
    assert_int_equal(report->remade, 0);
    assert_non_null(strstr(script_told(n.script), "alert orders-missing orders warn: "
                                                  "2 buckets of sales are not in bronze"));
    night_end(&n);
}

/* A range that began before bronze does: said, and not reported as differences; the sales of those
 * hours stay as they were made (A16). */
static void test_range_beyond_retention(void **state) {
    (void)state;
    struct night n = night_new(VTIME_DAY);
    work(&n, "control batch @70 from=5");
    script_skip(n.script);
    n.script->now = text_time(4 * 86400);
    work_again(&n, "control batch @71 from=5 to=7200");
    assert_non_null(strstr(script_told(n.script),
                           "alert batch-beyond-retention warehouse warn: bronze tells everything "
                           "from 2026-03-05T00:00:00Z on"));
    assert_int_equal(differences(&n.script->batch), 0);
    assert_int_equal(n.script->batch.buckets, 0);
    assert_made(&n);
    script_skip(n.script);
    work_again(&n, "control batch @72");
    assert_non_null(
        strstr(script_told(n.script), "alert batch-beyond-retention warehouse cleared"));
    night_end(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_again),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_crash_at_any_request),
        cmocka_unit_test(test_differences_alert),
        cmocka_unit_test(test_mends_what_bronze_says_differently),
        cmocka_unit_test(test_mends_gold),
        cmocka_unit_test(test_looks_alone_mend_nothing),
        cmocka_unit_test(test_asks_oltp_for_what_bronze_lacks),
        cmocka_unit_test(test_range_beyond_retention),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
