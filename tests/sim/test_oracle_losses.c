/*
 * The oracle on what expired before the loader read it (A16): each stretch has its mark in the
 * warehouse, nothing else has one, and what the lost records alone could have made is not asked
 * for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/fake_kafka.h"
#include "sim/fake_warehouse.h"
#include "sim/oracle_parts.h"
#include "tests/support/record_text.h"

/* A partition of the listing log of which offsets 4 and 5 of 0 to 5 are kept. */
struct rig {
    struct oracle *o;
    struct fake_kafka *kafka;
    struct fake_warehouse *warehouse;
    struct bytes values[6];
};

static struct rig rig_new(void) {
    static const char *const texts[6] = {"listing 7 @1 title=Lamp", "listing 8 @2 title=Desk",
                                         "listing 7 @3 price=5",    "listing 9 @4 title=Cup",
                                         "listing 8 @5 price=9",    "listing 7 @6 price=6"};
    struct fake_kafka_options options = {0};
    options.topics[TOPIC_LISTING_LOG].partitions = 1;
    struct rig r = {.o = oracle_new(NULL),
                    .kafka = fake_kafka_new(&options),
                    .warehouse = fake_warehouse_new(&(struct fake_warehouse_options){0})};
    assert_non_null(r.o);
    assert_non_null(r.kafka);
    assert_non_null(r.warehouse);
    log_history_watch(r.o, r.kafka);
    struct log_port port = fake_kafka_port(r.kafka);
    for (size_t i = 0; i < 6; i++) {
        r.values[i] = record_from_text(texts[i]);
        struct produce_item item = {TOPIC_LISTING_LOG, 1, r.values[i]};
        struct produce_result result;
        assert_int_equal(port.ops->produce(port.ctx, text_time(100), &item, 1, &result), 0);
        struct log_record logged = {
            .offset = (int64_t)i, .append = text_time(100), .value = r.values[i]};
        oracle_appended(r.o, text_time(100), TOPIC_LISTING_LOG, 0, &logged);
    }
    assert_int_equal(fake_kafka_delete_records(r.kafka, TOPIC_LISTING_LOG, 0, 4), 0);
    return r;
}

static void rig_free(struct rig *r) {
    assert_false(oracle_out_of_memory(r->o));
    oracle_free(r->o);
    fake_kafka_free(r->kafka);
    fake_warehouse_free(r->warehouse);
    for (size_t i = 0; i < 6; i++) {
        free((char *)r->values[i].data);
    }
}

/* A group was told of offsets from `first` up to and without `end`. */
static void poll(struct rig *r, enum machine_kind kind, int64_t first, int64_t end) {
    struct log_record records[6];
    struct effect fetch = {.kind = EFFECT_FETCH};
    fetch.fetch.topic = TOPIC_LISTING_LOG;
    fetch.fetch.offset = first;
    struct event event = {.kind = EVENT_RECORDS, .now = text_time(102), .answered = &fetch};
    for (int64_t i = first; i < end; i++) {
        records[event.records.count++] =
            (struct log_record){.offset = i, .append = text_time(100), .value = r->values[i]};
    }
    event.records.records = records;
    oracle_told(r->o, kind, &event);
}

static void mark(struct rig *r, int64_t from, int64_t to) {
    struct warehouse_port port = fake_warehouse_port(r->warehouse);
    struct warehouse_batch batch = {
        .dedupe = true,
        .gap_given = true,
        .gap = {.topic = TOPIC_LISTING_LOG, .partition = 0, .from = from, .to = to}};
    assert_int_equal(port.ops->load(port.ctx, text_time(103), &batch), 0);
}

static uint64_t violations(struct rig *r) {
    struct oracle_stores stores = {.warehouse = r->warehouse};
    struct comparison c = {.o = r->o, .now = text_time(200), .stores = &stores};
    losses_compare(&c);
    return r->o->checks[CHECK_LOSSES_MARKED].violations;
}

/* Offsets 1 to 3 expired between two polls of the loader: a mark of all of them is asked for. */
static void a_loss_without_a_mark(void **state) {
    (void)state;
    static const struct {
        int64_t from, to;
        uint64_t violations;
    } marks[] = {{0, 0, 1}, {1, 4, 0}, {0, 4, 0}, {2, 4, 1}, {1, 3, 1}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        struct rig r = rig_new();
        poll(&r, MACHINE_LOADER, 0, 1);
        poll(&r, MACHINE_LOADER, 4, 6);
        if (marks[i].to > 0) {
            mark(&r, marks[i].from, marks[i].to);
        }
        assert_int_equal(violations(&r), marks[i].violations);
        assert_int_equal(r.o->checks[CHECK_LOG_READ].violations, 0);
        rig_free(&r);
    }
}

/* A mark of what the topic keeps is as wrong, and so is one of nothing. */
static void a_mark_without_a_loss(void **state) {
    (void)state;
    struct rig r = rig_new();
    poll(&r, MACHINE_LOADER, 0, 4);
    poll(&r, MACHINE_LOADER, 4, 6);
    assert_int_equal(violations(&r), 0);
    assert_int_equal(r.o->checks[CHECK_LOSSES_MARKED].looked_at, 0);
    mark(&r, 2, 5);
    assert_int_equal(violations(&r), 1);
    mark(&r, 1, 1);
    assert_int_equal(violations(&r), 3);
    rig_free(&r);
}

/* What builders lose is no loss to the warehouse; a mark that is loaded again is one, with the
 * greater end. */
static void one_mark_for_a_loss(void **state) {
    (void)state;
    struct rig r = rig_new();
    poll(&r, MACHINE_BUILDER, 4, 6);
    assert_int_equal(violations(&r), 0);
    mark(&r, 1, 3);
    mark(&r, 1, 4);
    mark(&r, 1, 2);
    size_t count;
    const struct gap_row *gaps = fake_warehouse_gaps(r.warehouse, &count);
    assert_int_equal(count, 1);
    assert_int_equal(gaps[0].to, 4);
    rig_free(&r);
}

/* Versions of listings between the first lost record and the one that tells all again may be
 * missing; those of others may not. */
static void what_is_lost_is_excused(void **state) {
    (void)state;
    struct rig r = rig_new();
    poll(&r, MACHINE_LOADER, 0, 2);
    poll(&r, MACHINE_LOADER, 4, 6);
    const struct oracle_listing *lamp = oracle_listing_find(r.o, 7);
    assert_false(is_torn(lamp, doc_version_pack(0, 0)));
    assert_true(is_torn(lamp, doc_version_pack(0, 2)));
    assert_true(is_torn(lamp, doc_version_pack(0, 5)));
    assert_false(is_torn(oracle_listing_find(r.o, 8), doc_version_pack(0, 4)));
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_without_a_mark),
        cmocka_unit_test(a_mark_without_a_loss),
        cmocka_unit_test(one_mark_for_a_loss),
        cmocka_unit_test(what_is_lost_is_excused),
    };
    return cmocka_run_group_tests_name("oracle losses", tests, NULL, NULL);
}
