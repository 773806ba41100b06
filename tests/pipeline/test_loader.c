/* The warehouse loader (B4, A9): what goes into bronze, silver and gold, and when it counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/machine_script.h"

/* Fetches of a loader that has just begun. */
enum { FETCH_CONTROL = 3, FETCH_LOG, FETCH_ORDERS, FETCH_AUDIT };

static struct script *begun(const struct bugs *bugs) {
    struct pipeline_config config = {.partitions = 1, .checkpoint_interval_ns = 10 * VTIME_SECOND};
    struct script *s = script_new(MACHINE_LOADER, &config, bugs);
    script_begin(s);
    s->quiet_fetch = true;
    script_answer(s, script_newest(s, EFFECT_OPEN_CHANNELS));
    script_skip(s);
    return s;
}

static uint64_t load_request(const struct script *s) {
    return script_newest(s, EFFECT_LOAD_WAREHOUSE);
}

static void restart(struct script *s) {
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    script_answer(s, script_newest(s, EFFECT_OPEN_CHANNELS));
    script_skip(s);
}

/* Every record goes to bronze as it came, every visible version to silver, and the last of each
 * listing to gold. */
static void test_loads_a_batch(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LOG, 3,
                   TEXTS("listing 7 @1 title=Lamp colour=red images=1", "media 7 @2 image=1 front",
                         "listing 8 @3 delete", "listing 7 @1 title=Lamp colour=red images=1",
                         "!rubbish"));
    script_expect(
        s, "#7 load-warehouse\n"
           "    bronze listing-log/0/3 listing 7 @1 title=Lamp images=1 colour=red\n"
           "    bronze listing-log/0/4 media 7 @2 image=1 front\n"
           "    bronze listing-log/0/5 listing 8 @3 delete\n"
           "    bronze listing-log/0/6 listing 7 @1 title=Lamp images=1 colour=red\n"
           "    bronze listing-log/0/7 no record\n"
           "    silver 7 v3 alive title='Lamp' attributes={\"colour\":\"red\"} images=[]\n"
           "    silver 7 v4 alive title='Lamp' attributes={\"colour\":\"red\"} images=[\"1\"]\n"
           "    silver 8 v5 dead title='' attributes={} images=[]\n"
           "    gold 8 v5 dead title='' attributes={} images=[]\n"
           "    gold 7 v4 alive title='Lamp' attributes={\"colour\":\"red\"} images=[\"1\"]\n");
    script_free(s);
}

/* Valid from the append of the record that made the version, by the stamp of its event. */
static void test_silver_says_when_and_by_what(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    s->now = text_time(50);
    script_records(s, FETCH_LOG, 0, TEXTS("listing 7 @9.4 title=Lamp price=3 seller=5"));
    const struct document_row *row = &script_request(s, 7)->warehouse.silver[0];
    assert_int_equal(row->changed_at.ns, text_time(50).ns);
    assert_int_equal(row->stamp.ts.ns, text_time(9).ns);
    assert_int_equal(row->stamp.id.lo, 4);
    assert_int_equal(row->price, 3);
    assert_int_equal(row->seller_id, 5);
    script_free(s);
}

/* Orders go to bronze and silver; bytes that are none have a dead letter, and the feed is read on
 * when both are out (A13). */
static void test_loads_orders(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(
        s, FETCH_ORDERS, 0,
        TEXTS("order 9 of 7 @1 quantity=2 amount=100", "!rubbish", "listing 7 @1 title=Lamp"));
    script_expect(
        s, "#7 load-warehouse\n"
           "    bronze orders/0/0 order 9 of 7 @1 quantity=2 amount=100\n"
           "    bronze orders/0/1 no record\n"
           "    bronze orders/0/2 listing 7 @1 title=Lamp\n"
           "    order 9 of 7 quantity 2\n"
           "#8 produce\n"
           "    dead-letter 0 letter orders/0/1 record: record is cut off, expected a header of 48 "
           "bytes, found 8\n"
           "    dead-letter 7 letter orders/0/2 type: this topic does not carry records of this "
           "type, expected an order, found 1\n");
    script_answer(s, 7);
    assert_int_equal(script_newest(s, EFFECT_FETCH), FETCH_AUDIT);
    script_answer(s, 8);
    assert_int_equal(script_request(s, script_newest(s, EFFECT_FETCH))->fetch.offset, 3);
    script_free(s);
}

/* An order is held against the contract version that it names, as read up to the end of the control
 * topic; what breaks it is in bronze, and a dead letter (A13, B9). */
static void test_holds_orders_against_their_contract(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_ORDERS, 0, TEXTS("order 8 of 7 @1", "order 9 of 7 @1v2 quantity=200"));
    assert_null(strstr(script_told(s), "order 9"));
    script_answer(s, 7);
    script_skip(s);
    script_records(s, 8, 0,
                   TEXTS("control register @0 id=3 text=mode\tforward;version\t2;"
                         "order_id:integer,required;quantity:integer,required,min\t1,max\t100;"
                         "amount:integer,required,min\t0;category:text,required"));
    script_records(s, 9, 1, TEXTS(NULL));
    script_records(s, 10, 1,
                   TEXTS("order 9 of 7 @1v2 quantity=200", "order 10 of 7 @1v2 quantity=100"));
    script_expect(s, "#11 load-warehouse\n"
                     "    bronze orders/0/1 order 9 of 7 @1v2 quantity=200 amount=0\n"
                     "    bronze orders/0/2 order 10 of 7 @1v2 quantity=100 amount=0\n"
                     "    order 10 of 7 quantity 100\n"
                     "#12 produce\n"
                     "    dead-letter 7 letter orders/0/1 quantity: value is out of bounds, "
                     "expected integer from 1 to 100, found 200\n");
    script_free(s);
}

/* A batch that fails is sent again as it is, and the next is read when it is in (A14). */
static void test_resends_a_batch(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LOG, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_skip(s);
    script_fail(s, 7, PORT_UNKNOWN);
    script_expect(s, "resend #7\n");
    assert_int_equal(script_newest(s, EFFECT_FETCH), FETCH_AUDIT);
    script_answer(s, 7);
    assert_int_equal(script_request(s, script_newest(s, EFFECT_FETCH))->fetch.offset, 1);
    script_free(s);
}

/* No checkpoint is taken while a batch of the log is under way: the documents are ahead of the rows
 * then, and read again the records would be no news and their rows lost. */
static void test_checkpoint_waits_for_the_batch(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LOG, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_wait(s, 11 * VTIME_SECOND);
    assert_int_equal(script_newest(s, EFFECT_SAVE_STATE), 0);
    script_skip(s);
    script_answer(s, 7);
    script_expect(s, "#8 save-state loader/0 generation 1 entries 1\n");
    script_records(s, script_newest(s, EFFECT_FETCH), 1, TEXTS("listing 7 @2 title=Desk"));
    script_answer(s, 8);
    restart(s);
    assert_int_equal(script_request(s, FETCH_LOG)->fetch.offset, 1);
    script_records(s, FETCH_LOG, 1, TEXTS("listing 7 @2 title=Desk"));
    assert_non_null(strstr(script_told(s), "silver 7 v1 alive title='Desk'"));
    script_free(s);
}

/* Records that were in before the crash are no news after it, and go to bronze again alone. */
static void test_restart_goes_on(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LOG, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_answer(s, 7);
    script_wait(s, 11 * VTIME_SECOND);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    restart(s);
    script_records(s, FETCH_LOG, 1, TEXTS("listing 7 @1 title=Lamp"));
    script_expect(s, "#7 load-warehouse\n"
                     "    bronze listing-log/0/1 listing 7 @1 title=Lamp\n");
    script_free(s);
}

/* The events of a batch that is being loaded, copied. */
static size_t events_of(struct script *s, struct audit_event *events) {
    const struct warehouse_batch *batch = &script_request(s, load_request(s))->warehouse;
    memcpy(events, batch->events, batch->event_count * sizeof *events);
    return batch->event_count;
}

/* Each record that told something is the next event of its listing's audit stream, a repeat and a
 * late loser are none; what is read again after a crash makes the same events, to the digest (B8).
 */
static void test_streams_are_written_once(void **state) {
    (void)state;
    struct audit_event first[8], second[8], again[8];
    struct script *s = begun(NULL);
    script_records(s, FETCH_LOG, 0,
                   TEXTS("listing 7 @2 title=Lamp images=1", "listing 7 @2 title=Lamp images=1",
                         "listing 7 @1 title=Old", "media 7 @3 image=2 back"));
    assert_int_equal(events_of(s, first), 2);
    assert_int_equal(first[0].sequence, 1);
    assert_true(first[0].visible);
    assert_int_equal(first[1].sequence, 2);
    assert_int_equal(first[1].version, doc_version_pack(0, 3));
    assert_int_equal(first[1].type, RECORD_MEDIA);
    assert_false(first[1].visible); /* nobody names that image */
    script_answer(s, load_request(s));
    script_wait(s, 11 * VTIME_SECOND);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 4, TEXTS("listing 7 @4 price=5"));
    assert_int_equal(events_of(s, second), 1);
    assert_int_equal(second[0].sequence, 3);
    restart(s);
    script_records(s, FETCH_LOG, 4, TEXTS("listing 7 @4 price=5", "listing 7 @5 price=6"));
    assert_int_equal(events_of(s, again), 2);
    assert_int_equal(again[0].sequence, 3);
    assert_memory_equal(again[0].digest.bytes, second[0].digest.bytes, SHA256_BYTES);
    assert_int_equal(again[1].sequence, 4);
    script_free(s);
}

/* An erasure goes to the warehouse with the version that it makes; what comes after it and is
 * covered is not loaded, not even as raw bytes (A12). */
static void test_erasure(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LOG, 0,
                   TEXTS("listing 7 @9 title=Lamp", "erasure seller 3 of 7 @10",
                         "listing 7 @8 title=Old", "media 7 @9 image=1 front",
                         "listing 7 @11 title=Desk"));
    const struct warehouse_batch *batch = &script_request(s, load_request(s))->warehouse;
    assert_int_equal(batch->erasure_count, 1);
    assert_int_equal(batch->erasures[0].listing_id, 7);
    assert_int_equal(batch->erasures[0].stamp.ts.ns, text_time(10).ns);
    assert_int_equal(batch->erasures[0].version, doc_version_pack(0, 1));
    assert_int_equal(batch->bronze_count, 3); /* the first is removed by the mark */
    assert_int_equal(batch->silver_count, 3);
    assert_int_equal(batch->gold_count, 1);
    assert_true(batch->gold[0].alive);
    assert_true(bytes_equal(batch->gold[0].title, bytes_of("Desk")));
    script_free(s);
}

/* The dashboard is brought up to date once after orders came, and once after a start, since a crash
 * may have swallowed it. */
static void test_refreshes_the_dashboard(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_wait(s, VTIME_MINUTE);
    script_expect(s, "#7 refresh-dashboard\n");
    script_answer(s, 7);
    script_wait(s, 10 * VTIME_MINUTE);
    script_expect(s, "");
    for (int i = 0; i < 2; i++) {
        script_records(s, i == 0 ? FETCH_ORDERS : script_newest(s, EFFECT_FETCH), i,
                       TEXTS("order 9 of 7 @1"));
        script_answer(s, load_request(s));
    }
    script_skip(s);
    script_wait(s, VTIME_MINUTE);
    assert_non_null(strstr(script_told(s), "refresh-dashboard"));
    script_fail(s, script_newest(s, EFFECT_REFRESH_DASHBOARD), PORT_UNAVAILABLE);
    assert_non_null(strstr(script_told(s), "resend"));
    script_free(s);
}

/* Of several words about an order in one batch the latest goes into it, wherever it stands among
 * them, and of the audit the first: a warehouse that merges a batch at once takes several rows for
 * one of its rows as an error, or any of them (C4). */
static void test_one_row_for_a_key(void **state) {
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct bugs bugs = {.on[BUG_MERGE_AS_IT_CAME] = on};
        struct script *s = begun(&bugs);
        script_records(s, FETCH_ORDERS, 0,
                       TEXTS("order 9 of 7 @2 quantity=2", "order 8 of 7 @1",
                             "order 9 of 7 @3 quantity=3", "order 9 of 7 @1 quantity=1",
                             "order 9 of 7 @3 quantity=3"));
        const struct warehouse_batch *batch = &script_request(s, 7)->warehouse;
        assert_int_equal(batch->bronze_count, 5);
        assert_int_equal(batch->order_count, on ? 5 : 2);
        assert_int_equal(batch->orders[0].quantity, on ? 2 : 3);
        script_answer(s, 7);
        script_records(s, script_newest(s, EFFECT_FETCH), 5, TEXTS("order 9 of 7 @4 quantity=4"));
        const struct warehouse_batch *next = &script_request(s, load_request(s))->warehouse;
        assert_int_equal(next->order_count, 1); /* batches know nothing of each other */
        assert_int_equal(next->orders[0].quantity, 4);
        script_free(s);
    }
}

/* A view that is of a moment before the last orders were in is made once more (C4). */
static void test_refreshes_until_the_view_has_caught_up(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_ORDERS, 0, TEXTS("order 9 of 7 @1"));
    script_wait(s, 10 * VTIME_SECOND);
    script_answer(s, load_request(s));
    for (int i = 0; i < 2; i++) {
        script_wait(s, 2 * VTIME_MINUTE);
        struct effect *refresh = script_request(s, script_newest(s, EFFECT_REFRESH_DASHBOARD));
        refresh->refresh.as_of = vtime_add(s->now, -VTIME_HOUR);
        struct event event = {
            .kind = EVENT_LOADED, .request = refresh->request, .answered = refresh};
        script_step(s, &event);
    }
    script_wait(s, 2 * VTIME_MINUTE);
    script_answer(s, script_newest(s, EFFECT_REFRESH_DASHBOARD));
    script_wait(s, VTIME_HOUR);
    assert_int_equal(script_newest(s, EFFECT_REFRESH_DASHBOARD), 0);
    script_free(s);
}

/* Answers the opening of channels with tokens of the log and of the orders. */
static void answer_channels(struct script *s, int64_t log, int64_t orders) {
    struct effect *open = script_request(s, script_newest(s, EFFECT_OPEN_CHANNELS));
    assert_int_equal(open->channels.count, 3);
    open->channels.items[0].token = log;
    open->channels.items[1].token = orders;
    open->channels.items[2].token = CHANNEL_NO_TOKEN;
    struct event event = {.kind = EVENT_LOADED, .request = open->request, .answered = open};
    script_step(s, &event);
}

/* A batch says what its channel's token is once it is in. After a restart the lower of the token
 * and the checkpoint counts, since an operator can overwrite a token (C4). */
static void test_tokens(void **state) {
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct bugs bugs = {.on[BUG_TOKEN_TRUSTED] = on};
        struct script *s = begun(&bugs);
        script_records(s, FETCH_LOG, 0,
                       TEXTS("listing 7 @1 title=Lamp", "listing 8 @2 title=Desk"));
        const struct warehouse_batch *batch = &script_request(s, load_request(s))->warehouse;
        assert_true(batch->channelled);
        assert_int_equal(batch->channel_topic, TOPIC_LISTING_LOG);
        assert_int_equal(batch->token, 2);
        script_answer(s, load_request(s));
        script_records(s, FETCH_ORDERS, 0, TEXTS("order 9 of 7 @1", "order 10 of 7 @2"));
        script_answer(s, load_request(s));
        script_wait(s, 10 * VTIME_SECOND);
        script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
        script_restart(s);
        script_assign(s, 2, 1, (const uint32_t[]){0});
        script_load(s, 1);
        answer_channels(s, 1, 50);
        uint64_t log = script_newest_of(s, TOPIC_LISTING_LOG);
        assert_int_equal(script_request(s, log)->fetch.offset, 1);
        uint64_t orders = script_newest_of(s, TOPIC_ORDER);
        assert_int_equal(script_request(s, orders)->fetch.offset, on ? 50 : 2);
        script_free(s);
    }
}

/* Where the changes are not kept any more the view is made of all orders (C4). */
static void test_stale_changes(void **state) {
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct bugs bugs = {.on[BUG_STALE_STREAM_SKIPPED] = on};
        struct script *s = begun(&bugs);
        script_wait(s, VTIME_MINUTE);
        script_skip(s);
        script_fail(s, script_newest(s, EFFECT_REFRESH_DASHBOARD), PORT_OUT_OF_RANGE);
        script_expect(s, on ? "" : "#8 refresh-dashboard whole\n");
        script_free(s);
    }
}

/* The planted bug makes a repeat count as a change, and inserts rows without looking at keys. */
static void test_bug_no_dedupe(void **state) {
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct bugs bugs = {.on[BUG_NO_DEDUPE] = on};
        struct script *s = begun(&bugs);
        script_records(s, FETCH_LOG, 0,
                       TEXTS("listing 7 @1 title=Lamp", "listing 7 @1 title=Lamp"));
        const struct warehouse_batch *batch = &script_request(s, 7)->warehouse;
        assert_int_equal(batch->dedupe, !on);
        assert_int_equal(batch->silver_count, on ? 2 : 1);
        script_free(s);
    }
}

/* The planted bug saves documents one checkpoint later than the offsets that they stand for. */
static void test_bug_offset_before_state(void **state) {
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct bugs bugs = {.on[BUG_OFFSET_BEFORE_STATE] = on};
        struct script *s = begun(&bugs);
        script_records(s, FETCH_LOG, 0, TEXTS("listing 7 @1 title=Lamp price=2"));
        script_answer(s, 7);
        script_wait(s, 11 * VTIME_SECOND);
        assert_int_equal(script_request(s, script_newest(s, EFFECT_SAVE_STATE))->save_state.count,
                         !on);
        script_free(s);
    }
}

/* What the builder says of a version's vectors becomes a row a modality, and the source is read on
 * when they are in (A11). */
static void test_loads_the_audit(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    uint64_t fetch = FETCH_AUDIT;
    assert_int_equal(script_request(s, fetch)->fetch.topic, TOPIC_AUDIT);
    script_records(s, fetch, 0,
                   TEXTS("audit 7 @1 version=4 model=2 modalities=5 made=1", "!rubbish"));
    script_expect(s, "#7 load-warehouse\n"
                     "    audit 7 v4 text model 2 made\n"
                     "    audit 7 v4 fused model 2\n");
    script_answer(s, 7);
    fetch = script_newest(s, EFFECT_FETCH);
    assert_int_equal(script_request(s, fetch)->fetch.topic, TOPIC_AUDIT);
    assert_int_equal(script_request(s, fetch)->fetch.offset, 2);
    script_free(s);
}

/* What expired before the loader read it is lost to bronze, from which others would read it: an
 * error for each source, and on from the oldest record that is kept (A16). */
static void test_expired_unread(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    s->quiet_fetch = false;
    script_fail(s, FETCH_LOG, PORT_OUT_OF_RANGE);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 0, TEXTS(NULL)); /* of bronze */
    assert_non_null(strstr(script_told(s), "alert offset-out-of-range listing-log error"));
    assert_non_null(strstr(script_told(s), "fetch listing-log/0 from -1\n"));
    script_skip(s);
    script_fail(s, FETCH_ORDERS, PORT_OUT_OF_RANGE);
    assert_non_null(strstr(script_told(s), "alert offset-out-of-range orders error"));
    script_skip(s);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 40, TEXTS("listing 7 @9 title=Lamp"));
    assert_non_null(strstr(script_told(s), "alert offset-out-of-range listing-log cleared"));
    assert_non_null(strstr(script_told(s), "bronze listing-log/0/40 listing 7"));
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loads_a_batch),
        cmocka_unit_test(test_silver_says_when_and_by_what),
        cmocka_unit_test(test_loads_orders),
        cmocka_unit_test(test_holds_orders_against_their_contract),
        cmocka_unit_test(test_resends_a_batch),
        cmocka_unit_test(test_checkpoint_waits_for_the_batch),
        cmocka_unit_test(test_restart_goes_on),
        cmocka_unit_test(test_streams_are_written_once),
        cmocka_unit_test(test_erasure),
        cmocka_unit_test(test_refreshes_the_dashboard),
        cmocka_unit_test(test_one_row_for_a_key),
        cmocka_unit_test(test_refreshes_until_the_view_has_caught_up),
        cmocka_unit_test(test_stale_changes),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_bug_no_dedupe),
        cmocka_unit_test(test_bug_offset_before_state),
        cmocka_unit_test(test_loads_the_audit),
        cmocka_unit_test(test_expired_unread),
    };
    return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
