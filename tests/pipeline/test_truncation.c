/*
 * What machines do when a leader change takes records away, or a broker says so (C2): readers go
 * back to where the log was cut, producers say again what is lost, and documents agree afterwards.
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

static const uint32_t only[] = {0};

/* The warehouse knows no token of a channel, where somebody asks. */
static void open_channels(struct script *s) {
    uint64_t open = script_newest(s, EFFECT_OPEN_CHANNELS);
    if (open != 0) {
        script_answer(s, open);
    }
}

static struct script *begun(enum machine_kind kind, const struct bugs *bugs) {
    struct pipeline_config config = {.partitions = 1,
                                     .verify_outputs = true,
                                     .audit_off = true,
                                     .checkpoint_interval_ns = 10 * VTIME_SECOND};
    struct script *s = script_new(kind, &config, bugs);
    script_begin(s);
    s->quiet_fetch = true;
    open_channels(s);
    script_skip(s);
    return s;
}

/* Answers a fetch with that error, and what the log keeps. */
static void refuse(struct script *s, uint64_t request, int error, int64_t start, int64_t end) {
    struct event event = {.kind = EVENT_RECORDS,
                          .request = request,
                          .error = error,
                          .answered = script_request(s, request)};
    event.records.start = start;
    event.records.end = end;
    event.records.bounded = true;
    script_step(s, &event);
}

/* Every item went into partition 0, from that offset on, under a leader of that epoch. */
static void acknowledge(struct script *s, uint64_t request, uint32_t epoch, int64_t offset) {
    struct effect *produce = script_request(s, request);
    for (size_t i = 0; i < produce->produce.count; i++) {
        produce->produce.results[i] = (struct produce_result){
            .status = ITEM_APPLIED, .epoch = epoch, .offset = offset + (int64_t)i};
    }
    script_step(s,
                &(struct event){.kind = EVENT_PRODUCED, .request = request, .answered = produce});
}

/* The newest fetch of the topic that still waits. */
static const struct effect *fetch_of(struct script *s, enum topic_id topic) {
    uint64_t request = script_newest_of(s, topic);
    assert_int_not_equal(request, 0);
    return script_request(s, request);
}

/* ---- Readers ---- */

/* A reader says under which leader it read last. When the present one has not all of that, it goes
 * back to where the two part, and says so until it can read on. */
static void test_reader_goes_back(void **state) {
    (void)state;
    struct script *s = begun(MACHINE_LOADER, NULL);
    assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.after_epoch, 0);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 0,
                   TEXTS("listing 7 @1 title=Lamp", "listing 8 @2 title=Desk"));
    script_answer(s, script_newest(s, EFFECT_LOAD_WAREHOUSE));
    const struct effect *fetch = fetch_of(s, TOPIC_LISTING_LOG);
    assert_int_equal(fetch->fetch.offset, 2);
    assert_int_equal(fetch->fetch.after_epoch, 1);
    script_skip(s);
    refuse(s, fetch->request, PORT_TRUNCATED, 0, 1);
    assert_non_null(strstr(script_told(s), "alert log-truncated listing-log warn"));
    assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.offset, 1);
    assert_int_equal(machine_counters(s->machine)[COUNTER_TRUNCATIONS], 1);
    script_skip(s);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 1, TEXTS("listing 9 @3 title=Chair"));
    assert_non_null(strstr(script_told(s), "alert log-truncated listing-log cleared"));
    script_free(s);
}

/* A builder reads on in the step in which it takes records in: that fetch says under which leader
 * they were, too. */
static void test_reading_on_at_once(void **state) {
    (void)state;
    struct script *s = begun(MACHINE_BUILDER, NULL);
    script_records(s, script_newest_of(s, TOPIC_CONTROL), 0, TEXTS(NULL));
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 0, TEXTS("listing 7 @1 title=Lamp"));
    assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.offset, 1);
    assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.after_epoch, 1);
    script_free(s);
}

/* The epoch is in the checkpoint: a successor finds out what happened while nobody read. */
static void test_checkpoint_keeps_the_epoch(void **state) {
    (void)state;
    struct script *s = begun(MACHINE_LOADER, NULL);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 0, TEXTS("listing 7 @1 title=Lamp"));
    script_answer(s, script_newest(s, EFFECT_LOAD_WAREHOUSE));
    script_wait(s, 10 * VTIME_SECOND);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, only);
    script_load(s, script_newest(s, EFFECT_LOAD_STATE));
    open_channels(s);
    assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.offset, 1);
    assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.after_epoch, 1);
    script_free(s);
}

/* A broker that says out of range of what it keeps is asked again; one that has lost the end of the
 * log is believed, also by a reader that knows no epoch. */
static void test_out_of_range_is_looked_into(void **state) {
    (void)state;
    struct script *s = begun(MACHINE_LOADER, NULL);
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 0,
                   TEXTS("listing 7 @1 title=Lamp", "listing 8 @2 title=Desk"));
    script_answer(s, script_newest(s, EFFECT_LOAD_WAREHOUSE));
    uint64_t fetch = script_newest_of(s, TOPIC_LISTING_LOG);
    script_skip(s);
    refuse(s, fetch, PORT_OUT_OF_RANGE, 0, 5);
    assert_string_not_equal(script_told(s), "");
    assert_null(strstr(script_told(s), "alert"));
    assert_non_null(strstr(script_told(s), "resend"));
    refuse(s, fetch, PORT_OUT_OF_RANGE, 0, 1);
    assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.offset, 1);
    script_free(s);
}

/* The client put the reader somewhere else, and says no more than that. */
static void move(struct script *s, uint64_t request, int64_t position) {
    struct event event = {
        .kind = EVENT_RECORDS, .request = request, .answered = script_request(s, request)};
    event.records.moved = true;
    event.records.position = position;
    script_step(s, &event);
}

static struct script *read_two(const struct bugs *bugs) {
    struct script *s = begun(MACHINE_BUILDER, bugs);
    script_records(s, script_newest_of(s, TOPIC_CONTROL), 0, TEXTS(NULL));
    script_records(s, script_newest_of(s, TOPIC_LISTING_LOG), 0,
                   TEXTS("listing 7 @1 title=Lamp", "listing 8 @2 title=Desk"));
    assert_true(fetch_of(s, TOPIC_LISTING_LOG)->fetch.may_move);
    return s;
}

/* A reader that its group's reset policy moved asks for what it wanted once more, of somebody who
 * tells why it is not there: wherever the client went, nothing is skipped and nothing read twice,
 * and a loss is found out as without a policy (C2). */
static void test_policy_decides_nothing(void **state) {
    (void)state;
    static const int64_t positions[] = {0, 1, 9};
    for (size_t i = 0; i < 3; i++) {
        struct script *s = read_two(NULL);
        move(s, script_newest_of(s, TOPIC_LISTING_LOG), positions[i]);
        const struct effect *fetch = fetch_of(s, TOPIC_LISTING_LOG);
        assert_int_equal(fetch->fetch.offset, 2);
        assert_int_equal(fetch->fetch.after_epoch, 1);
        assert_false(fetch->fetch.may_move);
        assert_int_equal(machine_counters(s->machine)[COUNTER_OFFSET_RESETS], 1);
        script_skip(s);
        if (i == 0) {
            refuse(s, fetch->request, PORT_OUT_OF_RANGE, 5, 9);
            assert_true(fetch_of(s, TOPIC_LISTING_LOG)->fetch.bronze);
        } else if (i == 1) {
            refuse(s, fetch->request, PORT_TRUNCATED, 0, 1);
            assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.offset, 1);
        } else {
            script_records(s, fetch->request, 2, TEXTS("listing 9 @3 title=Chair"));
            assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.offset, 3);
            assert_true(fetch_of(s, TOPIC_LISTING_LOG)->fetch.may_move);
        }
        script_free(s);
    }
}

/* Of a group without checkpoint and commit the client has nothing to begin with; the reader has:
 * the beginning of the log. */
static void test_begins_at_the_beginning(void **state) {
    (void)state;
    struct script *s = begun(MACHINE_BUILDER, NULL);
    script_records(s, script_newest_of(s, TOPIC_CONTROL), 0, TEXTS(NULL));
    move(s, script_newest_of(s, TOPIC_LISTING_LOG), 9);
    assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.offset, 0);
    refuse(s, script_newest_of(s, TOPIC_LISTING_LOG), PORT_OUT_OF_RANGE, 7, 9);
    assert_true(fetch_of(s, TOPIC_LISTING_LOG)->fetch.bronze);
    assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.offset, 0);
    script_free(s);
}

/* Whoever believes the policy goes on where it put him. */
static void test_policy_believed(void **state) {
    (void)state;
    struct bugs bugs = {0};
    bugs.on[BUG_POLICY_BELIEVED] = true;
    struct script *s = read_two(&bugs);
    move(s, script_newest_of(s, TOPIC_LISTING_LOG), 9);
    assert_int_equal(fetch_of(s, TOPIC_LISTING_LOG)->fetch.offset, 9);
    script_free(s);
}

/* Where somebody reads from the oldest record on, whatever that is, nothing can be out of range. */
static void test_oldest_is_in_range(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1};
    struct script *s = script_new(MACHINE_ROUTER, &config, NULL);
    script_begin(s);
    s->quiet_fetch = true;
    script_records(s, script_newest_of(s, TOPIC_CONTROL), 0, TEXTS("control replay-feed @20 id=0"));
    uint64_t fetch = script_newest_of(s, TOPIC_LISTING);
    assert_int_equal(fetch_of(s, TOPIC_LISTING)->fetch.offset, FETCH_OLDEST);
    script_skip(s);
    refuse(s, fetch, PORT_OUT_OF_RANGE, 0, 5);
    assert_null(strstr(script_told(s), "alert"));
    assert_int_equal(fetch_of(s, TOPIC_LISTING)->fetch.offset, FETCH_OLDEST);
    script_free(s);
}

/* ---- The router ---- */

enum { FETCH_LISTING = 2, FETCH_MEDIA = 3 };

static void save(struct script *s) {
    script_wait(s, 10 * VTIME_SECOND);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
}

/* Routes one record, then, behind a checkpoint, a second one: at offsets 0 and 1 of the log. */
static struct script *two_routed(const struct bugs *bugs) {
    struct script *s = begun(MACHINE_ROUTER, bugs);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 title=Lamp"));
    acknowledge(s, script_newest(s, EFFECT_PRODUCE), 0, 0);
    save(s);
    script_records(s, script_newest_of(s, TOPIC_LISTING), 1, TEXTS("listing 8 @2 title=Desk"));
    acknowledge(s, script_newest(s, EFFECT_PRODUCE), 0, 1);
    return s;
}

/* An acknowledgement by another leader makes the router ask for the former one's records; when one
 * is lost, the feed is read again from the last mark before it, and told again as such. */
static void test_lost_outputs_are_routed_again(void **state) {
    (void)state;
    struct script *s = two_routed(NULL);
    script_records(s, script_newest_of(s, TOPIC_LISTING), 2, TEXTS("listing 9 @3 title=Chair"));
    acknowledge(s, script_newest(s, EFFECT_PRODUCE), 1, 1);
    const struct effect *probe = fetch_of(s, TOPIC_LISTING_LOG);
    assert_int_equal(probe->fetch.offset, 2);
    assert_int_equal(probe->fetch.after_epoch, 1);
    assert_true(probe->fetch.no_wait);
    refuse(s, probe->request, PORT_TRUNCATED, 0, 1);
    assert_int_equal(fetch_of(s, TOPIC_LISTING)->fetch.offset, 1);
    script_skip(s);
    script_records(s, script_newest_of(s, TOPIC_LISTING), 1,
                   TEXTS("listing 8 @2 title=Desk", "listing 9 @3 title=Chair"));
    const struct effect *produce = script_request(s, script_newest(s, EFFECT_PRODUCE));
    assert_int_equal(produce->produce.count, 2);
    for (size_t i = 0; i < 2; i++) {
        struct record record;
        struct record_error error;
        assert_int_equal(record_decode(produce->produce.items[i].value, &record, &error), 0);
        assert_true((record.sections & SECTION_AGAIN) != 0);
    }
    assert_int_equal(machine_counters(s->machine)[COUNTER_REROUTED], 2);
    script_free(s);
}

/* Where the new leader has everything nothing is told again. */
static void test_clean_change_routes_nothing_again(void **state) {
    (void)state;
    struct script *s = two_routed(NULL);
    script_records(s, script_newest_of(s, TOPIC_LISTING), 2, TEXTS("listing 9 @3 title=Chair"));
    acknowledge(s, script_newest(s, EFFECT_PRODUCE), 1, 2);
    uint64_t probe = script_newest_of(s, TOPIC_LISTING_LOG);
    script_records(s, probe, 2, TEXTS("listing 9 @3 title=Chair"));
    assert_int_equal(fetch_of(s, TOPIC_LISTING)->fetch.offset, 3);
    assert_int_equal(machine_counters(s->machine)[COUNTER_REROUTED], 0);
    script_free(s);
}

/* A router that has nothing to say waits at the end of its outputs, and so hears of a loss at once.
 */
static void test_idle_router_hears_of_a_loss(void **state) {
    (void)state;
    struct script *s = two_routed(NULL);
    save(s);
    const struct effect *watch = fetch_of(s, TOPIC_LISTING_LOG);
    assert_false(watch->fetch.no_wait);
    refuse(s, watch->request, PORT_TRUNCATED, 0, 0);
    assert_int_equal(fetch_of(s, TOPIC_LISTING)->fetch.offset, FETCH_OLDEST);
    script_free(s);
}

/* A successor asks after what its checkpoint knows: the loss may have come while nobody looked. And
 * what was to be told again is told again by the successor of the one that found it out. */
static void test_successor_asks(void **state) {
    (void)state;
    struct script *s = two_routed(NULL);
    save(s);
    for (uint32_t generation = 2; generation < 4; generation++) {
        script_restart(s);
        script_assign(s, generation, 1, only);
        script_load(s, script_newest(s, EFFECT_LOAD_STATE));
        open_channels(s);
        if (generation == 2) {
            const struct effect *probe = fetch_of(s, TOPIC_LISTING_LOG);
            assert_int_equal(probe->fetch.offset, 2);
            refuse(s, probe->request, PORT_TRUNCATED, 0, 1);
            save(s);
        }
    }
    assert_int_equal(fetch_of(s, TOPIC_LISTING)->fetch.offset, 1);
    script_records(s, script_newest_of(s, TOPIC_LISTING), 1, TEXTS("listing 8 @2 title=Desk"));
    assert_int_equal(machine_counters(s->machine)[COUNTER_REROUTED], 1);
    script_free(s);
}

/* ---- The relay ---- */

/* Published rows stay in the outbox for a while; when a leader change loses one, all that the
 * outbox still has is published again. */
static void test_relay_publishes_again(void **state) {
    (void)state;
    struct script *s = begun(MACHINE_RELAY, NULL);
    script_outbox(s, script_newest(s, EFFECT_OUTBOX_FETCH), 1,
                  TEXTS("listing 7 @1 title=Lamp", "listing 8 @2 title=Desk"));
    script_skip(s);
    acknowledge(s, script_newest(s, EFFECT_PRODUCE), 0, 0);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    assert_null(strstr(script_told(s), "trim-outbox"));
    const struct effect *watch = fetch_of(s, TOPIC_LISTING);
    assert_int_equal(watch->fetch.offset, 2);
    script_skip(s);
    refuse(s, watch->request, PORT_TRUNCATED, 0, 1);
    assert_non_null(strstr(script_told(s), "alert outputs-lost outbox"));
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    assert_int_equal(
        script_request(s, script_newest(s, EFFECT_OUTBOX_FETCH))->outbox_fetch.sequence, 0);
    script_free(s);
}

/* After ten minutes they go. */
static void test_relay_trims_later(void **state) {
    (void)state;
    struct script *s = begun(MACHINE_RELAY, NULL);
    for (int64_t sequence = 1; sequence < 3; sequence++) {
        script_skip(s);
        script_outbox(s, script_newest(s, EFFECT_OUTBOX_FETCH), sequence,
                      TEXTS("listing 7 @1 title=Lamp"));
        acknowledge(s, script_newest(s, EFFECT_PRODUCE), 0, sequence - 1);
        script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
        s->now = vtime_add(s->now, 11 * VTIME_MINUTE);
    }
    assert_non_null(strstr(script_told(s), "trim-outbox to 1\n"));
    script_free(s);
}

/* ---- Idempotent producers ---- */

/* Each batch goes on where the last one ended, under the generation as the epoch; a zombie that is
 * told that a later epoch has begun gives its work up. */
static void test_outputs_are_numbered(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .idempotent = true};
    struct script *s = script_new(MACHINE_RELAY, &config, NULL);
    script_begin(s);
    script_outbox(s, 2, 1, TEXTS("listing 7 @1 title=Lamp", "listing 8 @2 title=Desk"));
    const struct effect *produce = script_request(s, script_newest(s, EFFECT_PRODUCE));
    struct producer_mark first = produce->produce.mark;
    assert_true(first.producer != 0);
    assert_int_equal(first.epoch, 1);
    assert_int_equal(first.sequence, 1);
    script_answer(s, produce->request);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_outbox(s, script_newest(s, EFFECT_OUTBOX_FETCH), 3, TEXTS("listing 9 @3 title=Chair"));
    produce = script_request(s, script_newest(s, EFFECT_PRODUCE));
    assert_true(produce->produce.mark.producer == first.producer);
    assert_int_equal(produce->produce.mark.sequence, 3);
    script_skip(s);
    script_answer_items(s, produce->request, "f");
    script_expect(s, "");
    assert_int_equal(script_waiting(s), 0);
    script_free(s);
}

/* Likewise in the router, whose sources are producers of their own. */
static void test_router_numbers_by_source(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .idempotent = true};
    struct script *s = script_new(MACHINE_ROUTER, &config, NULL);
    script_begin(s);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 title=Lamp"));
    struct producer_mark listing =
        script_request(s, script_newest(s, EFFECT_PRODUCE))->produce.mark;
    script_records(s, FETCH_MEDIA, 0, TEXTS("media 7 @3 image=1 front"));
    uint64_t media = script_newest(s, EFFECT_PRODUCE);
    assert_true(script_request(s, media)->produce.mark.producer != listing.producer);
    assert_int_equal(listing.epoch, 1);
    script_answer_items(s, media, "f");
    assert_int_equal(script_newest_of(s, TOPIC_MEDIA), 0);
    script_free(s);
}

/* ---- Documents ---- */

/* A record that is told again is a version of its own where the log ever changed leaders, also when
 * it tells nothing: so whoever knew it already and whoever did not show the same. */
static void test_told_again_is_a_version(void **state) {
    (void)state;
    struct bytes value = record_from_text("listing 7 @1 title=Lamp");
    struct record_error error;
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        for (int again = 0; again < 2; again++) {
            struct folded folded;
            struct record record;
            folded_init(&folded, 7);
            assert_int_equal(record_decode(value, &record, &error), 0);
            struct log_record logged = {.offset = 4, .value = value};
            assert_int_equal(folded_fold(&folded, &record, &logged, NULL), FOLD_VISIBLE);
            record.sections |= again ? SECTION_AGAIN : 0;
            logged = (struct log_record){.offset = 3, .epoch = epoch, .value = value};
            bool told = again && epoch > 0;
            assert_int_equal(folded_fold(&folded, &record, &logged, NULL),
                             told ? FOLD_VISIBLE : FOLD_NOT_NEWS);
            assert_int_equal(folded.visible_version,
                             told ? doc_version_pack(1, 3) : doc_version_pack(0, 4));
            folded_release(&folded);
        }
    }
    free((char *)value.data);
}

/* Folds the record of that text, told again, at that position of the log. */
static int fold_again(struct folded *folded, uint32_t epoch, int64_t offset, const char *text) {
    struct bytes value = record_from_text(text);
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode(value, &record, &error), 0);
    record.sections |= SECTION_AGAIN;
    struct log_record logged = {.epoch = epoch, .offset = offset, .value = value};
    int outcome = folded_fold(folded, &record, &logged, NULL);
    free((char *)value.data);
    return outcome;
}

/* It is one once: a reader that begins again behind what it knows, as a loader does whose channel's
 * token an operator set too low, finds it no news, and its version does not go back (A9, B8). */
static void test_told_again_is_a_version_once(void **state) {
    (void)state;
    struct folded folded;
    folded_init(&folded, 7);
    assert_int_equal(fold_again(&folded, 0, 4, "listing 7 @1 title=Lamp"), FOLD_VISIBLE);
    assert_int_equal(fold_again(&folded, 1, 3, "listing 7 @1 title=Lamp"), FOLD_VISIBLE);
    assert_int_equal(fold_again(&folded, 1, 5, "listing 7 @2 title=Desk"), FOLD_VISIBLE);
    doc_version known = folded.visible_version;
    assert_int_equal(known, doc_version_pack(1, 5));
    assert_int_equal(fold_again(&folded, 1, 3, "listing 7 @1 title=Lamp"), FOLD_NOT_NEWS);
    assert_int_equal(fold_again(&folded, 1, 5, "listing 7 @2 title=Desk"), FOLD_NOT_NEWS);
    assert_int_equal(folded.visible_version, known);
    assert_int_equal(fold_again(&folded, 1, 6, "listing 7 @2 title=Desk"), FOLD_VISIBLE);
    folded_release(&folded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_goes_back),
        cmocka_unit_test(test_reading_on_at_once),
        cmocka_unit_test(test_checkpoint_keeps_the_epoch),
        cmocka_unit_test(test_out_of_range_is_looked_into),
        cmocka_unit_test(test_policy_decides_nothing),
        cmocka_unit_test(test_begins_at_the_beginning),
        cmocka_unit_test(test_policy_believed),
        cmocka_unit_test(test_oldest_is_in_range),
        cmocka_unit_test(test_lost_outputs_are_routed_again),
        cmocka_unit_test(test_clean_change_routes_nothing_again),
        cmocka_unit_test(test_idle_router_hears_of_a_loss),
        cmocka_unit_test(test_successor_asks),
        cmocka_unit_test(test_relay_publishes_again),
        cmocka_unit_test(test_relay_trims_later),
        cmocka_unit_test(test_outputs_are_numbered),
        cmocka_unit_test(test_router_numbers_by_source),
        cmocka_unit_test(test_told_again_is_a_version),
        cmocka_unit_test(test_told_again_is_a_version_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
