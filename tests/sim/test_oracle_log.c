/*
 * What the oracle says of the log (C2): each anomaly, by the name that Jepsen gave it, is noticed;
 * an ordinary life of a log is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/oracle_parts.h"
#include "tests/support/record_text.h"

enum { PARTITION = 3 };

struct told_log {
    struct oracle *o;
    struct bytes values[8];
};

static struct told_log *log_new(void) {
    static const char *const texts[8] = {"listing 7 @1 title=Lamp", "listing 8 @2 title=Desk",
                                         "listing 7 @3 price=5",    "media 7 @4 image=1 front",
                                         "listing 9 @5 delete",     "policy 3 of 7 @6 suppressed",
                                         "listing 8 @7 price=9",    "listing 7 @8 price=6"};
    struct told_log *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->o = oracle_new(&(struct oracle_options){.leaders_unclean = true});
    assert_non_null(t->o);
    for (size_t i = 0; i < 8; i++) {
        t->values[i] = record_from_text(texts[i]);
    }
    return t;
}

static void log_free(struct told_log *t) {
    assert_false(oracle_out_of_memory(t->o));
    oracle_free(t->o);
    for (size_t i = 0; i < 8; i++) {
        free((char *)t->values[i].data);
    }
    free(t);
}

static struct log_record record(const struct told_log *t, uint32_t epoch, int64_t offset,
                                size_t value) {
    return (struct log_record){
        .offset = offset, .epoch = epoch, .append = text_time(100), .value = t->values[value]};
}

static void append(struct told_log *t, uint32_t epoch, int64_t offset, size_t value) {
    struct log_record r = record(t, epoch, offset, value);
    oracle_appended(t->o, text_time(100), TOPIC_LISTING_LOG, PARTITION, &r);
}

static void lose(struct told_log *t, uint32_t epoch, int64_t offset, size_t value) {
    struct log_record r = record(t, epoch, offset, value);
    oracle_truncated(t->o, text_time(100), TOPIC_LISTING_LOG, PARTITION, &r);
}

/* The producer is told that the value is at that offset. */
static void acknowledge(struct told_log *t, uint32_t epoch, int64_t offset, size_t value) {
    struct produce_item item = {TOPIC_LISTING_LOG, 7, t->values[value]};
    struct produce_result result = {ITEM_APPLIED, PARTITION, epoch, offset};
    struct effect produce = {.kind = EFFECT_PRODUCE};
    produce.produce.items = &item;
    produce.produce.results = &result;
    produce.produce.count = 1;
    oracle_told(
        t->o, MACHINE_ROUTER,
        &(struct event){.kind = EVENT_PRODUCED, .now = text_time(101), .answered = &produce});
}

/* A machine asked from an offset on and is told that many records from `first` on, of which the
 * i-th is value first + i. */
static void poll(struct told_log *t, enum machine_kind kind, int64_t asked, int64_t first,
                 size_t count) {
    struct log_record records[8];
    for (size_t i = 0; i < count; i++) {
        records[i] = record(t, 0, first + (int64_t)i, (size_t)first + i);
    }
    struct effect fetch = {.kind = EFFECT_FETCH};
    fetch.fetch.topic = TOPIC_LISTING_LOG;
    fetch.fetch.partition = PARTITION;
    fetch.fetch.offset = asked;
    struct event event = {.kind = EVENT_RECORDS, .now = text_time(102), .answered = &fetch};
    event.records.records = records;
    event.records.count = count;
    oracle_told(t->o, kind, &event);
}

static void assert_violated(struct told_log *t, enum check_id id, const char *anomaly) {
    const struct check_state *check = &t->o->checks[id];
    if (anomaly == NULL) {
        if (check->violations > 0) {
            fail_msg("%s", check->evidence);
        }
        return;
    }
    assert_true(check->violations > 0);
    if (strstr(check->evidence, anomaly) == NULL) {
        fail_msg("no %s in: %s", anomaly, check->evidence);
    }
}

/* Records are written, acknowledged, read by both groups in their own steps, read again after a
 * crash: nothing to say. A reader of its own, as the router that looks at its outputs, need not
 * read everything. */
static void an_ordinary_log(void **state) {
    (void)state;
    struct told_log *t = log_new();
    for (int64_t i = 0; i < 6; i++) {
        append(t, 0, i, (size_t)i);
        acknowledge(t, 0, i, (size_t)i);
    }
    poll(t, MACHINE_BUILDER, 0, 0, 4);
    poll(t, MACHINE_BUILDER, 2, 2, 4);
    poll(t, MACHINE_LOADER, FETCH_OLDEST, 0, 6);
    poll(t, MACHINE_ROUTER, 5, 5, 1);
    log_history_judge(t->o, text_time(200));
    assert_violated(t, CHECK_LOG_WRITTEN, NULL);
    assert_violated(t, CHECK_LOG_READ, NULL);
    assert_true(t->o->checks[CHECK_LOG_WRITTEN].looked_at == 6);
    assert_true(t->o->checks[CHECK_LOG_READ].looked_at == 15);
    log_free(t);
}

static void acknowledged_and_not_there(void **state) {
    (void)state;
    struct told_log *t = log_new();
    append(t, 0, 0, 0);
    acknowledge(t, 0, 1, 1);
    assert_violated(t, CHECK_LOG_WRITTEN, "lost-write");
    log_free(t);
    t = log_new();
    append(t, 0, 0, 0);
    acknowledge(t, 0, 0, 1);
    assert_violated(t, CHECK_LOG_WRITTEN, "lost-write");
    log_free(t);
}

/* What a leader took with it is a loss until it is said again; a fact that is overtaken is none. */
static void gone_with_its_leader(void **state) {
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct told_log *t = log_new();
        for (int64_t i = 0; i < 6; i++) {
            append(t, 0, i, (size_t)i);
        }
        poll(t, MACHINE_BUILDER, 0, 0, 4);
        poll(t, MACHINE_LOADER, 0, 0, 4);
        lose(t, 0, 4, 4);
        lose(t, 0, 5, 5);
        if (again) {
            append(t, 1, 4, 4);
            poll(t, MACHINE_BUILDER, 4, 4, 1);
            poll(t, MACHINE_LOADER, 4, 4, 1);
        }
        log_history_judge(t->o, text_time(200));
        assert_violated(t, CHECK_LOG_WRITTEN, again ? NULL : "lost-write");
        assert_violated(t, CHECK_LOG_READ, NULL);
        log_free(t);
    }
}

/* A repeat of what stands before it, as of a feed that was read again, is no loss; one whose first
 * went too is. */
static void a_repeat_goes_with_its_leader(void **state) {
    (void)state;
    for (int64_t from = 1; from >= 0; from--) {
        struct told_log *t = log_new();
        append(t, 0, 0, 4);
        append(t, 0, 1, 0);
        append(t, 0, 2, 4);
        poll(t, MACHINE_BUILDER, 0, 0, 3);
        poll(t, MACHINE_LOADER, 0, 0, 3);
        for (int64_t i = from; i < 3; i++) {
            lose(t, 0, i, i == 1 ? 0 : 4);
        }
        append(t, 1, from, 0);
        poll(t, MACHINE_BUILDER, from, from, 1);
        poll(t, MACHINE_LOADER, from, from, 1);
        log_history_judge(t->o, text_time(200));
        assert_violated(t, CHECK_LOG_WRITTEN, from == 1 ? NULL : "lost-write");
        log_free(t);
    }
}

/* A producer that begins its numbers anew under its former epoch is told that all went well. */
static void taken_for_a_repeat(void **state) {
    (void)state;
    struct told_log *t = log_new();
    struct produce_item item = {TOPIC_LISTING_LOG, 7, t->values[0]};
    append(t, 0, 0, 0);
    oracle_repeated(t->o, text_time(1), &item, PARTITION, 0);
    oracle_repeated(t->o, text_time(1), &item, PARTITION, -1);
    assert_violated(t, CHECK_LOG_WRITTEN, NULL);
    /* One that is held back on its way comes after all. */
    item.value = t->values[2];
    oracle_repeated(t->o, text_time(1), &item, PARTITION, -1);
    append(t, 0, 1, 2);
    poll(t, MACHINE_BUILDER, 0, 0, 2);
    poll(t, MACHINE_LOADER, 0, 0, 2);
    log_history_judge(t->o, text_time(200));
    assert_violated(t, CHECK_LOG_WRITTEN, NULL);
    item.value = t->values[1];
    oracle_repeated(t->o, text_time(1), &item, PARTITION, 0);
    log_history_judge(t->o, text_time(200));
    assert_violated(t, CHECK_LOG_WRITTEN, "lost-write");
    log_free(t);
}

static void a_group_skips(void **state) {
    (void)state;
    struct told_log *t = log_new();
    for (int64_t i = 0; i < 6; i++) {
        append(t, 0, i, (size_t)i);
    }
    poll(t, MACHINE_LOADER, 0, 0, 6);
    poll(t, MACHINE_BUILDER, 0, 0, 2);
    poll(t, MACHINE_BUILDER, 4, 4, 2);
    assert_violated(t, CHECK_LOG_READ, "poll-skip");
    log_free(t);
}

static void a_group_stops_before_the_end(void **state) {
    (void)state;
    struct told_log *t = log_new();
    for (int64_t i = 0; i < 3; i++) {
        append(t, 0, i, (size_t)i);
    }
    poll(t, MACHINE_LOADER, 0, 0, 3);
    poll(t, MACHINE_BUILDER, 0, 0, 2);
    assert_violated(t, CHECK_LOG_READ, NULL);
    log_history_judge(t->o, text_time(200));
    assert_violated(t, CHECK_LOG_READ, "unseen: builder");
    log_free(t);
}

/* After a leader change the group has to read the records of the next leader at offsets that it had
 * read before. */
static void offsets_given_out_again_are_read_again(void **state) {
    (void)state;
    struct told_log *t = log_new();
    for (int64_t i = 0; i < 4; i++) {
        append(t, 0, i, (size_t)i);
    }
    poll(t, MACHINE_LOADER, 0, 0, 4);
    poll(t, MACHINE_BUILDER, 0, 0, 4);
    lose(t, 0, 2, 2);
    lose(t, 0, 3, 3);
    for (int64_t i = 2; i < 6; i++) {
        append(t, 1, i, (size_t)i);
    }
    poll(t, MACHINE_LOADER, 2, 2, 4);
    poll(t, MACHINE_BUILDER, 4, 4, 2);
    assert_violated(t, CHECK_LOG_READ, "poll-skip: builder");
    log_free(t);
}

static void an_answer_goes_back(void **state) {
    (void)state;
    struct told_log *t = log_new();
    for (int64_t i = 0; i < 4; i++) {
        append(t, 0, i, (size_t)i);
    }
    poll(t, MACHINE_BUILDER, 2, 1, 3);
    assert_violated(t, CHECK_LOG_READ, "nonmonotonic-poll");
    log_free(t);
}

static void another_record_at_an_offset(void **state) {
    (void)state;
    struct told_log *t = log_new();
    append(t, 0, 0, 1);
    poll(t, MACHINE_BUILDER, 0, 0, 1);
    assert_violated(t, CHECK_LOG_READ, "inconsistent-offsets");
    log_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_log),
        cmocka_unit_test(acknowledged_and_not_there),
        cmocka_unit_test(gone_with_its_leader),
        cmocka_unit_test(a_repeat_goes_with_its_leader),
        cmocka_unit_test(taken_for_a_repeat),
        cmocka_unit_test(a_group_skips),
        cmocka_unit_test(a_group_stops_before_the_end),
        cmocka_unit_test(offsets_given_out_again_are_read_again),
        cmocka_unit_test(an_answer_goes_back),
        cmocka_unit_test(another_record_at_an_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
