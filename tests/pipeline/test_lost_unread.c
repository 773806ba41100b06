/*
 * What becomes of records that expired before the loader read them (A16): the warehouse is told
 * which they were, nothing is loaded behind them without that, and what they said comes back as far
 * as somebody knows it: rows from OLTP, images from the builder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/folded.h"
#include "tests/support/machine_script.h"

/* A loader that has loaded offsets 0 and 1, and asks for 2. */
static struct script *loaded(const struct bugs *bugs) {
    struct pipeline_config config = {.partitions = 1, .checkpoint_interval_ns = 10 * VTIME_SECOND};
    struct script *s = script_new(MACHINE_LOADER, &config, bugs);
    script_begin(s);
    s->quiet_fetch = true;
    script_answer(s, script_newest(s, EFFECT_OPEN_CHANNELS));
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 0,
                   TEXTS("listing 7 @1 title=Lamp", "listing 8 @2 title=Desk"));
    script_answer(s, script_newest(s, EFFECT_LOAD_WAREHOUSE));
    script_skip(s);
    return s;
}

/* The topic keeps nothing below 40; bronze has nothing more. */
static void expire(struct script *s) {
    uint64_t fetch = script_newest_of(s, TOPIC_LISTING_LOG);
    struct event event = {.kind = EVENT_RECORDS,
                          .request = fetch,
                          .error = PORT_OUT_OF_RANGE,
                          .answered = script_request(s, fetch)};
    event.records.start = 40;
    event.records.end = 50;
    event.records.bounded = true;
    script_step(s, &event);
    assert_true(script_request(s, script_newest_of(s, TOPIC_LISTING_LOG))->fetch.bronze);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 0, TEXTS(NULL));
}

static const struct effect *load_behind(struct script *s) {
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 40, TEXTS("listing 7 @9 price=5"));
    return script_request(s, script_newest(s, EFFECT_LOAD_WAREHOUSE));
}

/* The alerts name the offsets, and so does the batch behind them. */
static void a_loss_is_marked(void **state) {
    (void)state;
    struct script *s = loaded(NULL);
    expire(s);
    assert_non_null(strstr(script_told(s), "listing-log error: offsets 2 to 39 of listing-log/0 "));
    const struct effect *load = load_behind(s);
    assert_non_null(strstr(script_told(s), "cleared: offsets 2 to 39 of listing-log/0 lost"));
    assert_true(load->warehouse.gap_given);
    assert_int_equal(load->warehouse.gap.topic, TOPIC_LISTING_LOG);
    assert_int_equal(load->warehouse.gap.partition, 0);
    assert_int_equal(load->warehouse.gap.from, 2);
    assert_int_equal(load->warehouse.gap.to, 40);
    assert_int_equal(load->warehouse.bronze_count, 1);
    script_free(s);
}

/* The checkpoint may be behind what is loaded: bronze tells that again, and is no loss. */
static void what_bronze_has_is_not_lost(void **state) {
    (void)state;
    struct script *s = loaded(NULL);
    uint64_t fetch = script_newest_of(s, TOPIC_LISTING_LOG);
    script_fail(s, fetch, PORT_OUT_OF_RANGE);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 2, TEXTS("listing 7 @3 title=Tray"));
    const struct effect *load = script_request(s, script_newest(s, EFFECT_LOAD_WAREHOUSE));
    assert_false(load->warehouse.gap_given);
    assert_int_equal(script_newest(s, EFFECT_REPUBLISH), 0);
    script_answer(s, load->request);
    fetch = script_newest_of(s, TOPIC_LISTING_LOG);
    assert_int_equal(script_request(s, fetch)->fetch.offset, 3);
    script_fail(s, fetch, PORT_OUT_OF_RANGE);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 0, TEXTS(NULL));
    load = load_behind(s);
    assert_int_equal(load->warehouse.gap.from, 3);
    script_free(s);
}

/* Every listing that is known is asked for once more, and no checkpoint leaves the loss behind
 * before that is done. */
static void what_oltp_knows_comes_back(void **state) {
    (void)state;
    struct script *s = loaded(NULL);
    expire(s);
    const struct effect *load = load_behind(s);
    const struct effect *ask = script_request(s, script_newest(s, EFFECT_REPUBLISH));
    assert_int_equal(ask->listings.count, 2);
    assert_int_equal(ask->listings.listing_ids[0], 7);
    assert_int_equal(ask->listings.listing_ids[1], 8);
    uint64_t republish = ask->request;
    uint64_t save = script_newest(s, EFFECT_SAVE_STATE);
    script_answer(s, load->request);
    script_wait(s, 20 * VTIME_SECOND);
    assert_int_equal(script_newest(s, EFFECT_SAVE_STATE), save);
    script_answer(s, republish);
    assert_true(script_newest(s, EFFECT_SAVE_STATE) > save);
    script_free(s);
}

/* A process that died between the mark and the asking leaves a checkpoint behind the loss: the next
 * one finds a hole in what bronze has, and asks. It marks nothing, for the mark is there. */
static void a_hole_in_bronze_is_made_good(void **state) {
    (void)state;
    struct script *s = loaded(NULL);
    script_fail(s, script_newest_of(s, TOPIC_LISTING_LOG), PORT_OUT_OF_RANGE);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 40, TEXTS("listing 7 @9 price=5"));
    assert_false(script_request(s, script_newest(s, EFFECT_LOAD_WAREHOUSE))->warehouse.gap_given);
    assert_int_equal(script_request(s, script_newest(s, EFFECT_REPUBLISH))->listings.count, 2);
    script_free(s);
}

/* Without the protections nothing is marked, and nothing asked for. */
static void what_bugs_leave_out(void **state) {
    (void)state;
    struct bugs bugs = {0};
    bugs.on[BUG_LOSS_UNMARKED] = bugs.on[BUG_LOSS_LEFT] = true;
    struct script *s = loaded(&bugs);
    expire(s);
    assert_false(load_behind(s)->warehouse.gap_given);
    assert_int_equal(script_newest(s, EFFECT_REPUBLISH), 0);
    script_free(s);
}

/* ---- Told once more ---- */

/* What reconciliation had published is a version for whoever learns nothing from it too. */
static void a_repair_is_a_version(void **state) {
    (void)state;
    struct bytes value = record_from_text("listing 7 @1 title=Lamp");
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode(value, &record, &error), 0);
    for (int bug = 0; bug < 2; bug++) {
        struct bugs bugs = {0};
        bugs.on[BUG_REPAIR_NO_VERSION] = bug == 1;
        struct folded folded;
        folded_init(&folded, 7);
        struct log_record logged = {.offset = 4, .value = value};
        record.sections = 0;
        assert_int_equal(folded_fold(&folded, &record, &logged, &bugs), FOLD_VISIBLE);
        record.sections = SECTION_REPAIR;
        logged.offset = 5;
        assert_int_equal(folded_fold(&folded, &record, &logged, &bugs),
                         bug ? FOLD_NOT_NEWS : FOLD_VISIBLE);
        assert_int_equal(folded_fold(&folded, &record, &logged, &bugs), FOLD_NOT_NEWS);
        folded_release(&folded);
    }
    free((char *)value.data);
}

/* Hands over one record of that text as reconciliation publishes it. */
static void published(struct script *s, int64_t offset, const char *text) {
    struct bytes value = record_from_text(text);
    struct record record;
    struct record_error error;
    char bytes[1024];
    assert_int_equal(record_decode(value, &record, &error), 0);
    record.sections |= SECTION_REPAIR;
    int64_t length = record_reframe(value, &record, bytes, sizeof bytes);
    assert_true(length > 0);
    struct log_record logged = {.offset = offset,
                                .key = record.subject_id,
                                .append = s->now,
                                .value = {bytes, (size_t)length}};
    uint64_t fetch = script_newest_of(s, TOPIC_LISTING_LOG);
    struct event event = {
        .kind = EVENT_RECORDS, .request = fetch, .answered = script_request(s, fetch)};
    event.records.records = &logged;
    event.records.count = 1;
    script_step(s, &event);
    free((char *)value.data);
}

static void decode(const struct effect *produce, size_t i, struct record *record) {
    struct record_error error;
    assert_int_equal(produce->produce.items[i].topic, TOPIC_LISTING_LOG);
    assert_int_equal(record_decode(produce->produce.items[i].value, record, &error), 0);
    assert_int_equal(record->subject_id, 7);
}

static struct script *with_images(const struct bugs *bugs) {
    struct pipeline_config config = {.partitions = 1, .audit_off = true};
    struct script *s = script_new(MACHINE_BUILDER, &config, bugs);
    script_begin(s);
    s->quiet_fetch = true;
    script_records(s, script_newest_of(s, TOPIC_CONTROL), 0, TEXTS(NULL));
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 0,
                   TEXTS("listing 7 @1 title=Lamp images=4,5", "media 7 @2 image=4 front",
                         "media 7 @3 image=5 side", "media 7 @6 image=5 withdrawn"));
    return s;
}

/* A builder that reads the row of a listing which reconciliation published tells what it knows of
 * images: who named them first, what was delivered, what was withdrawn; the last of it as a version
 * for all. An ordinary change of the row is none of that. */
static void images_are_told_again(void **state) {
    (void)state;
    struct script *s = with_images(NULL);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 4, TEXTS("listing 7 @7 price=5"));
    assert_int_equal(script_newest(s, EFFECT_PRODUCE), 0);
    published(s, 5, "listing 7 @7 title=Lamp price=5");
    const struct effect *produce = script_request(s, script_newest(s, EFFECT_PRODUCE));
    assert_int_equal(produce->produce.count, 4);
    struct record record;
    for (size_t i = 0; i < 2; i++) {
        decode(produce, i, &record);
        assert_int_equal(record.type, RECORD_LISTING);
        assert_int_equal(record.stamp.ts.ns, text_time(1).ns);
        assert_int_equal(record.sections, 0);
    }
    decode(produce, 2, &record);
    assert_int_equal(record.image_id, 4);
    assert_int_equal(record.op, RECORD_UPSERT);
    assert_int_equal(record.stamp.ts.ns, text_time(2).ns);
    assert_true(bytes_equal(record.image_descriptor, bytes_of("front")));
    assert_int_equal(record.sections, 0);
    decode(produce, 3, &record);
    assert_int_equal(record.image_id, 5);
    assert_int_equal(record.op, RECORD_DELETE);
    assert_int_equal(record.sections, SECTION_REPAIR);
    script_free(s);
}

static void images_unsaid(void **state) {
    (void)state;
    struct bugs bugs = {0};
    bugs.on[BUG_IMAGES_UNSAID] = true;
    struct script *s = with_images(&bugs);
    published(s, 4, "listing 7 @7 title=Lamp price=5");
    assert_int_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_is_marked),
        cmocka_unit_test(what_bronze_has_is_not_lost),
        cmocka_unit_test(what_oltp_knows_comes_back),
        cmocka_unit_test(a_hole_in_bronze_is_made_good),
        cmocka_unit_test(what_bugs_leave_out),
        cmocka_unit_test(a_repair_is_a_version),
        cmocka_unit_test(images_are_told_again),
        cmocka_unit_test(images_unsaid),
    };
    return cmocka_run_group_tests_name("lost unread", tests, NULL, NULL);
}
