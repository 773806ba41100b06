/* The router (A1, A3, A8): feeds in, one ordered log per listing out, policy fanned out. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/machine_script.h"

/* Requests of a router of one partition that has just begun: fetches of listing changes, media,
 * policy, privacy requests, reference data and commands. */
enum {
    FETCH_LISTING = 2,
    FETCH_MEDIA,
    FETCH_POLICY,
    FETCH_PRIVACY,
    FETCH_REFERENCE,
    FETCH_CONTROL
};

static struct script *begun_with(const struct pipeline_config *config, const struct bugs *bugs) {
    struct script *s = script_new(MACHINE_ROUTER, config, bugs);
    script_begin(s);
    s->quiet_fetch = true;
    return s;
}

static struct script *begun(const struct bugs *bugs) {
    struct pipeline_config config = {.partitions = 1, .checkpoint_interval_ns = 10 * VTIME_SECOND};
    return begun_with(&config, bugs);
}

/* A task reads its partition of two feeds and every partition of the policy feed; the late queue
 * waits for its hour. */
static void test_reads_its_partition_and_all_of_policy(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 2};
    struct script *s = script_new(MACHINE_ROUTER, &config, NULL);
    script_assign(s, 1, 1, (const uint32_t[]){1});
    script_expect(s, "#1 load-state router/1 generation 1\n");
    script_load(s, 1);
    script_expect(s, "#2 fetch listing-changes/1 from 0\n"
                     "#3 fetch media-ingest/1 from 0\n"
                     "#4 fetch seller-policy/0 from 0\n"
                     "#5 fetch seller-policy/1 from 0\n"
                     "#6 fetch privacy/0 from 0\n"
                     "#7 fetch privacy/1 from 0\n"
                     "#8 fetch reference-data/0 from 0\n"
                     "#9 fetch reference-data/1 from 0\n"
                     "#10 fetch control/0 from 0\n"
                     "timer in 3600000 ms\n");
    script_free(s);
}

/* Records keep their order, are keyed by listing, and say where they came from. */
static void test_routes_to_the_listing_log(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 5, TEXTS("listing 7 @1 title=Lamp", "listing 8 @2 delete"));
    script_expect(s, "#8 produce\n"
                     "    listing-log 7 listing 7 @1 title=Lamp origin=listing-changes/0/5\n"
                     "    listing-log 8 listing 8 @2 delete origin=listing-changes/0/6\n");
    script_records(s, FETCH_MEDIA, 0, TEXTS("media 7 @3 image=1 front"));
    script_expect(s, "#9 produce\n"
                     "    listing-log 7 media 7 @3 image=1 front origin=media-ingest/0/0\n");
    s->quiet_fetch = false;
    script_answer(s, 9);
    script_expect(s, "timer in 10000 ms\n#10 fetch media-ingest/0 from 1\n");
    script_answer(s, 8);
    script_expect(s, "#11 fetch listing-changes/0 from 7\n");
    script_free(s);
}

/* A feed is not read on before its outputs are in, and a checkpoint does not say otherwise. */
static void test_checkpoint_stays_below_what_is_not_out(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_answer(s, 8);
    script_records(s, 9, 1, TEXTS("listing 7 @2 title=Desk"));
    script_skip(s);
    s->quiet_fetch = false;
    script_timer(s);
    script_expect(s, "#11 save-state router/0 generation 1 entries 1\n");
    script_answer(s, 11);
    script_expect(s, "commit router generation 1 listing-changes/0 at 1\n"
                     "commit router generation 1 media-ingest/0 at 0\n"
                     "commit router generation 1 listing-late/0 at 0\n"
                     "commit router generation 1 control/0 at 0\n"
                     "commit router generation 1 seller-policy/0 at 0\n"
                     "commit router generation 1 privacy/0 at 0\n"
                     "commit router generation 1 reference-data/0 at 0\n");
    /* The restarted router reads again what was not acknowledged. */
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    assert_non_null(strstr(script_told(s), "fetch listing-changes/0 from 1\n"));
    script_free(s);
}

/* A policy event reaches every listing that its seller ever had, those sold on included. */
static void test_policy_fans_out(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0,
                   TEXTS("listing 7 @1 seller=3", "listing 8 @2 seller=3", "listing 9 @3 seller=4",
                         "listing 8 @4 seller=4"));
    script_skip(s);
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 suppressed"));
    script_expect(s, "#9 produce\n"
                     "#10 produce\n"
                     "    listing-log 7 policy 3 of 7 @9 suppressed origin=seller-policy/0/0\n"
                     "    listing-log 8 policy 3 of 8 @9 suppressed origin=seller-policy/0/0\n");
    script_free(s);
}

/* A listing that comes after the policy event carries the status; one of another seller does not.
 */
static void test_status_rides_along(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 suppressed"));
    script_skip(s);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 seller=3", "listing 8 @2 seller=4"));
    script_expect(s, "#9 produce\n"
                     "    listing-log 7 listing 7 @1 seller=3 policy=3:suppressed "
                     "origin=listing-changes/0/0\n"
                     "    listing-log 8 listing 8 @2 seller=4 origin=listing-changes/0/1\n");
    script_free(s);
}

/* Of two policy events of a seller the one with the greater stamp holds, in whatever order they
 * come; an older one is not news to anybody. */
static void test_older_policy_does_not_fan_out(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 seller=3"));
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 active", "policy 3 @8 suppressed"));
    script_skip(s);
    script_answer(s, 9);
    script_answer(s, 10);
    script_records(s, script_newest(s, EFFECT_FETCH), 2, TEXTS("policy 3 @7 suppressed"));
    script_expect(s, "#12 produce\n");
    script_free(s);
}

/* A seller with very many listings is served in slices, one at a time; the policy feed waits for
 * the last, and other feeds do not. */
static void test_fanout_goes_in_slices(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    char texts[300][40];
    const char *lines[301] = {NULL};
    uint64_t fetch = FETCH_LISTING;
    for (int batch = 0; batch < 2; batch++) {
        for (int i = 0; i < 300; i++) {
            snprintf(texts[i], sizeof texts[i], "listing %d @1 seller=3", 300 * batch + i + 1);
            lines[i] = texts[i];
        }
        script_records(s, fetch, 300 * batch, lines);
        script_answer(s, script_newest(s, EFFECT_PRODUCE));
        fetch = script_newest(s, EFFECT_FETCH);
    }
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 suppressed"));
    uint64_t slice = script_newest(s, EFFECT_PRODUCE);
    assert_int_equal(script_request(s, slice)->produce.count, 512);
    script_answer(s, slice - 1); /* the records' own produce, empty */
    script_answer(s, slice);
    uint64_t rest = script_newest(s, EFFECT_PRODUCE);
    assert_int_equal(script_request(s, rest)->produce.count, 88);
    script_skip(s);
    s->quiet_fetch = false;
    script_records(s, fetch, 600, TEXTS("listing 7 @2 price=1"));
    assert_non_null(strstr(script_told(s), "listing-log 7 listing 7 @2 price=1"));
    script_skip(s);
    script_answer(s, rest);
    assert_non_null(strstr(script_told(s), "fetch seller-policy/0 from 1\n"));
    assert_int_equal(machine_counters(s->machine)[COUNTER_POLICY_FANOUT], 600);
    script_free(s);
}

/* While the status of a seller with 100,000 listings goes out, every change of somebody else is
 * routed as soon as it is read, between two slices (A8, A14). */
static void test_a_large_seller_starves_nobody(void **state) {
    (void)state;
    enum { LISTINGS = 100000, BATCH = 500 };
    struct script *s = begun(NULL);
    static char texts[BATCH][48];
    const char *lines[BATCH + 1] = {NULL};
    uint64_t fetch = FETCH_LISTING;
    for (int first = 0; first < LISTINGS; first += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            snprintf(texts[i], sizeof texts[i], "listing %d @1 seller=3", first + i + 1);
            lines[i] = texts[i];
        }
        script_records(s, fetch, first, lines);
        script_answer(s, script_newest(s, EFFECT_PRODUCE));
        fetch = script_newest(s, EFFECT_FETCH);
        script_skip(s);
    }
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 suppressed"));
    uint64_t slice = script_newest(s, EFFECT_PRODUCE);
    script_answer(s, slice - 1);
    int slices = 0;
    for (int64_t offset = LISTINGS; machine_counters(s->machine)[COUNTER_POLICY_FANOUT] < LISTINGS;
         offset++) {
        assert_in_range(script_request(s, slice)->produce.count, 1, 512);
        script_skip(s);
        script_records(s, fetch, offset, TEXTS("listing 200000 @10 price=5 seller=4"));
        assert_non_null(strstr(script_told(s), "listing-log 200000 listing 200000 @10"));
        script_answer(s, script_newest(s, EFFECT_PRODUCE));
        fetch = script_newest(s, EFFECT_FETCH);
        script_skip(s);
        script_answer(s, slice);
        slice = script_newest(s, EFFECT_PRODUCE);
        slices++;
    }
    assert_in_range(slices, LISTINGS / 512, LISTINGS / 512 + 1);
    script_free(s);
}

/* A router that dies in the middle of a fan-out fans out again, also to those that were served:
 * the seller's status may be in the checkpoint already. */
static void test_crash_amid_a_fanout(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 seller=3", "listing 8 @1 seller=3"));
    script_answer(s, 8);
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 suppressed"));
    script_timer(s);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    script_skip(s);
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 suppressed"));
    script_expect(s, "#8 produce\n"
                     "#9 produce\n"
                     "    listing-log 7 policy 3 of 7 @9 suppressed origin=seller-policy/0/0\n"
                     "    listing-log 8 policy 3 of 8 @9 suppressed origin=seller-policy/0/0\n");
    script_free(s);
}

/* Knowledge survives: ids of sellers and listings may be any 64 bits, and may be equal. */
static void test_knowledge_survives_a_restart(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0,
                   TEXTS("listing 3 @1 seller=3",
                         "listing 18446744073709551615 @2 "
                         "seller=18446744073709551615",
                         "listing 4 @3 seller=9223372036854775811"));
    script_answer(s, 8);
    script_records(s, FETCH_POLICY, 0,
                   TEXTS("policy 3 @9 suppressed", "policy 18446744073709551615 @9 suppressed"));
    script_timer(s);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    /* A second checkpoint, after more was learnt, does not disturb the entries of the first. */
    script_records(s, script_newest(s, EFFECT_FETCH), 3, TEXTS("listing 5 @4 seller=3"));
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    script_timer(s);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    script_skip(s);
    script_records(s, FETCH_POLICY, 2,
                   TEXTS("policy 18446744073709551615 @19 active", "policy 3 @19 active",
                         "policy 9223372036854775811 @19 suppressed"));
    script_expect(s, "#8 produce\n"
                     "#9 produce\n"
                     "    listing-log 18446744073709551615 policy 18446744073709551615 @19 active "
                     "origin=seller-policy/0/2\n");
    script_answer(s, 9);
    assert_non_null(strstr(script_told(s), "policy 3 @19 active origin"));
    assert_non_null(strstr(script_told(s), "policy 3 of 5 @19 active origin"));
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    assert_non_null(strstr(script_told(s), "policy 9223372036854775811 of 4 @19 suppressed"));
    script_free(s);
}

/* What is older than the allowed lateness goes to the late queue, which the hour drains (A3); two
 * hours late is ordinary. */
static void test_late_queue(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    s->now = text_time(3 * 3600);
    script_records(s, FETCH_LISTING, 0,
                   TEXTS("listing 7 @10000 title=Lamp", "listing 8 @2800 title=Desk",
                         "listing 9 @2799 title=Chair"));
    script_expect(s, "#8 produce\n"
                     "    listing-log 7 listing 7 @10000 title=Lamp origin=listing-changes/0/0\n"
                     "    listing-log 8 listing 8 @2800 title=Desk origin=listing-changes/0/1\n"
                     "    listing-late 9 listing 9 @2799 title=Chair origin=listing-changes/0/2\n");
    assert_int_equal(machine_counters(s->machine)[COUNTER_LATE], 1);
    script_answer(s, 8);
    s->quiet_fetch = false;
    script_skip(s);
    script_timer(s); /* the late hour, then the checkpoint */
    script_expect(s, "timer in 3600000 ms\n#10 fetch listing-late/0 from 0 at once\n");
    script_records(s, 10, 0, TEXTS("listing 9 @2799 title=Chair"));
    script_expect(s, "#11 produce\n    listing-log 9 listing 9 @2799 title=Chair\n");
    script_answer(s, 11);
    script_expect(s, "#12 fetch listing-late/0 from 1 at once\n");
    script_records(s, 12, 1, TEXTS(NULL));
    script_expect(s, "");
    script_free(s);
}

/* A producer whose clock is ahead does not make everybody else late. */
static void test_future_times_do_not_move_the_watermark(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .future_max_ns = 2 * VTIME_DAY};
    struct script *s = script_new(MACHINE_ROUTER, &config, NULL);
    script_begin(s);
    s->quiet_fetch = true;
    script_records(s, FETCH_LISTING, 0,
                   TEXTS("listing 7 @90000 title=Lamp", "listing 8 @1 title=Desk"));
    assert_null(strstr(script_told(s), "listing-late"));
    script_free(s);
}

/* What is dated further ahead of its append than five minutes is refused, since it would win
 * against everything that is said until then (B10). */
static void test_refuses_the_future(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0,
                   TEXTS("listing 7 @300 title=Lamp", "listing 8 @301 title=Desk"));
    script_expect(s,
                  "#8 produce\n"
                  "    listing-log 7 listing 7 @300 title=Lamp origin=listing-changes/0/0\n"
                  "    dead-letter 8 letter listing-changes/0/1 event_ts: event time lies in the "
                  "future, expected a time that is hardly ahead of its append, in ns, found "
                  "301000000000\n");
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @400 suppressed"));
    assert_non_null(strstr(script_told(s), "dead-letter 3 letter seller-policy/0/0 event_ts"));
    script_free(s);
}

/* Without that rule the record goes its way: the planted bug does that. */
static void test_future_accepted(void **state) {
    (void)state;
    struct bugs bugs = {.on[BUG_FUTURE_ACCEPTED] = true};
    struct script *s = begun(&bugs);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 8 @90000 title=Desk"));
    assert_null(strstr(script_told(s), "dead-letter"));
    script_free(s);
}

/* Malformed bytes, and records in a topic that does not carry their type, go to the dead letters,
 * with what is wrong and where (A13); the rest of the batch goes on. */
static void test_refuses_what_is_no_record_of_the_topic(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0,
                   TEXTS("!rubbish", "order 9 of 7 @1", "listing 7 @2 title=Lamp"));
    script_expect(
        s, "#8 produce\n"
           "    dead-letter 0 letter listing-changes/0/0 record: record is cut off, "
           "expected a header of 48 bytes, found 8\n"
           "    dead-letter 7 letter listing-changes/0/1 type: this topic does not carry records "
           "of this type, expected a listing record, found 4\n"
           "    listing-log 7 listing 7 @2 title=Lamp origin=listing-changes/0/2\n");
    script_records(s, FETCH_POLICY, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_expect(s, "#9 produce\n"
                     "    dead-letter 7 letter seller-policy/0/0 type: this topic does not carry "
                     "records of this type, expected a policy record, found 1\n");
    assert_int_equal(machine_counters(s->machine)[COUNTER_DEAD_LETTERED], 3);
    script_free(s);
}

/* ---- Contracts ---- */

#define REGISTER_2 "control register @0 id=0 text=mode\tforward;version\t2;"
#define OPEN ";attribute.*:text,integer,number,null"

/* A record of a version that nobody registered waits until the control topic was read up to its
 * end, and those behind it wait with it; then it is a dead letter that says which are known (A13,
 * B9). */
static void test_unregistered_version(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(
        s, FETCH_LISTING, 0,
        TEXTS("listing 7 @1 title=Lamp", "listing 7 @2v2 title=Desk", "listing 8 @3 title=Chair"));
    script_expect(s, "#8 produce\n    listing-log 7 listing 7 @1 title=Lamp "
                     "origin=listing-changes/0/0\n");
    s->quiet_fetch = false;
    script_answer(s, 8);
    script_expect(s, "timer in 10000 ms\n#9 fetch control/0 from 0 at once\n");
    script_records(s, 9, 0, TEXTS(NULL));
    script_expect(s, "#10 fetch listing-changes/0 from 1\n");
    script_records(s, 10, 1, TEXTS("listing 7 @2v2 title=Desk", "listing 8 @3 title=Chair"));
    script_expect(s, "#11 produce\n"
                     "    dead-letter 7 letter listing-changes/0/1 contract_version: contract "
                     "version is not registered, expected 1, found 2\n"
                     "    listing-log 8 listing 8 @3 title=Chair origin=listing-changes/0/2\n");
    script_free(s);
}

/* Version 1 as the feed's contract has it: what breaks it is a dead letter that names field, limit
 * and what was found (B2, A13). */
static void test_first_version_of_the_contract(void **state) {
    (void)state;
    struct pipeline_config config = {
        .partitions = 1,
        .checkpoint_interval_ns = 10 * VTIME_SECOND,
        .contracts[TOPIC_LISTING] = bytes_of("version 1; title: text, null, max 5"),
    };
    struct script *s = begun_with(&config, NULL);
    script_records(s, FETCH_LISTING, 0,
                   TEXTS("listing 7 @1 title=Lamp", "listing 7 @2 title=Lantern"));
    script_expect(s, "#8 produce\n    listing-log 7 listing 7 @1 title=Lamp "
                     "origin=listing-changes/0/0\n");
    script_answer(s, 8);
    script_records(s, 9, 0, TEXTS(NULL));
    script_records(s, 10, 1, TEXTS("listing 7 @2 title=Lantern"));
    assert_non_null(strstr(
        script_told(s), "dead-letter 7 letter listing-changes/0/1 title: value is out of bounds, "
                        "expected text of at most 5 bytes or null, found 7"));
    script_free(s);
}

/* What is registered by the time of the look is accepted, also by what takes the task over; and the
 * read that waited at the control topic all along tells nothing twice. */
static void test_registered_meanwhile(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @2v2 grade=+3"));
    script_answer(s, 8);
    script_records(s, 9, 0, TEXTS(REGISTER_2 "attribute.grade:integer"));
    script_records(s, FETCH_CONTROL, 0, TEXTS(REGISTER_2 "attribute.grade:integer"));
    script_records(s, 10, 1, TEXTS(NULL));
    script_skip(s);
    script_records(s, script_newest(s, EFFECT_FETCH), 0, TEXTS("listing 7 @2v2 grade=+3"));
    assert_non_null(strstr(script_told(s), "listing-log 7 listing 7 @2v2 grade=+3"));
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    script_wait(s, 11 * VTIME_SECOND);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    script_skip(s);
    script_records(s, FETCH_LISTING, 1, TEXTS("listing 8 @3v2 grade=+1"));
    script_expect(s, "#8 produce\n    listing-log 8 listing 8 @3v2 grade=+1 "
                     "origin=listing-changes/0/1\n");
    script_free(s);
}

/* Makes the task read the control topic up for the sake of the next 100 listing records. */
static void look(struct script *s) {
    script_records(s, FETCH_LISTING, 100, TEXTS("listing 7 @1v9 title=Lamp"));
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    script_records(s, script_newest(s, EFFECT_FETCH), 0, TEXTS(NULL));
    script_skip(s);
}

/* A record is held against the version that it names: types, null, limits, unknown names; what is
 * required is asked of a record that names the seller. */
static void test_content_is_held_against_the_contract(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_CONTROL, 0,
                   TEXTS(REGISTER_2 "seller:integer;title:text,required;"
                                    "attribute.grade:integer,min\t1,max\t7,null"));
    script_skip(s);
    look(s);
    script_records(s, script_newest(s, EFFECT_FETCH), 0,
                   TEXTS("listing 7 @1v2 grade=+8", "listing 7 @2v2 grade=good",
                         "listing 7 @3v2 title=null", "listing 7 @4v2 colour=red",
                         "listing 7 @5v2 seller=3", "listing 7 @6v2 grade=+7",
                         "listing 7 @7v2 title=Lamp seller=3 grade=null", "listing 7 @8 colour=red",
                         "listing 7 @9v2 delete"));
    script_expect(
        s, "#12 produce\n"
           "    dead-letter 7 letter listing-changes/0/0 attribute.grade: value is out of bounds, "
           "expected integer from 1 to 7 or null, found 8\n"
           "    dead-letter 7 letter listing-changes/0/1 attribute.grade: value is of the wrong "
           "type, expected integer from 1 to 7 or null, found 2\n"
           "    dead-letter 7 letter listing-changes/0/2 title: value is null, expected text, "
           "found 1\n"
           "    dead-letter 7 letter listing-changes/0/3 attribute.colour: field is not in the "
           "contract, expected no such field, found 2\n"
           "    dead-letter 7 letter listing-changes/0/4 title: required field is missing, "
           "expected text, found 0\n"
           "    listing-log 7 listing 7 @6v2 grade=+7 origin=listing-changes/0/5\n"
           "    listing-log 7 listing 7 @7v2 title=Lamp seller=3 grade=null "
           "origin=listing-changes/0/6\n"
           "    listing-log 7 listing 7 @8 colour=red origin=listing-changes/0/7\n"
           "    listing-log 7 listing 7 @9v2 delete origin=listing-changes/0/8\n");
    script_free(s);
}

/* A price as decimal text, where its contract says so, goes on in the unit of documents. */
static void test_decimal_price(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_CONTROL, 0,
                   TEXTS("control register @0 id=0 text=mode\tnone;version\t2;"
                         "price:decimal,null,min\t0" OPEN));
    script_skip(s);
    look(s);
    script_records(s, script_newest(s, EFFECT_FETCH), 0,
                   TEXTS("listing 7 @1v2 price=19.90 colour=red", "listing 7 @2v2 price=1.23456",
                         "listing 7 @3v2 price=19900", "listing 7 @4v2 price=-1.0"));
    script_expect(
        s, "#12 produce\n"
           "    listing-log 7 listing 7 @1v2 price=199000 colour=red origin=listing-changes/0/0\n"
           "    dead-letter 7 letter listing-changes/0/1 price: value is of the wrong type, "
           "expected decimal at least 0 or null, found 2\n"
           "    dead-letter 7 letter listing-changes/0/2 price: value is of the wrong type, "
           "expected decimal at least 0 or null, found 3\n"
           "    dead-letter 7 letter listing-changes/0/3 price: value is out of bounds, "
           "expected decimal at least 0 or null, found -10000\n");
    script_free(s);
}

/* A registration that does not hold is told by the task that owns the control topic's partition,
 * and taken back by the next one that does hold. */
static void test_refused_schema(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_CONTROL, 0,
                   TEXTS("control register @0 id=0 text=version\t2;attribute.grade:integer" OPEN,
                         REGISTER_2 "attribute.grade:integer" OPEN));
    assert_non_null(strstr(script_told(s),
                           "alert schema-refused listing-changes error: attribute.grade: version 2 "
                           "reads integer, and version 1 writes text, integer, number or null "
                           "(mode backward)\n"));
    assert_non_null(
        strstr(script_told(s), "alert schema-refused listing-changes cleared: registered\n"));
    script_free(s);
    struct pipeline_config config = {.partitions = 2};
    s = script_new(MACHINE_ROUTER, &config, NULL);
    script_assign(s, 1, 1, (const uint32_t[]){1});
    script_load(s, 1);
    script_skip(s);
    script_records(s, 10, 0, TEXTS("control register @0 id=0 text=nonsense"));
    assert_null(strstr(script_told(s), "alert"));
    script_free(s);
}

/* The next generation takes a partition away: answers to what its task asked are not heard. */
static void test_ignores_answers_of_a_former_assignment(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 2};
    struct script *s = script_new(MACHINE_ROUTER, &config, NULL);
    s->quiet_fetch = true;
    script_assign(s, 1, 2, (const uint32_t[]){0, 1});
    script_load(s, 1);
    script_load(s, 2);
    script_assign(s, 2, 1, (const uint32_t[]){1});
    script_skip(s);
    script_records(s, 3, 0, TEXTS("listing 7 @1 title=Lamp")); /* of partition 0 */
    script_expect(s, "");
    script_records(s, 13, 0, TEXTS("listing 7 @1 title=Lamp")); /* of partition 1, kept */
    assert_non_null(strstr(script_told(s), "produce"));
    script_free(s);
}

/* An erasure goes into the log; what is at or below it, also of media, is not routed any more, and
 * what is above begins a new life (A12). */
static void test_erasure_of_a_listing(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    script_expect(s, "#8 produce\n"
                     "    listing-log 7 erasure listing 7 @10 origin=privacy/0/0\n");
    script_records(
        s, FETCH_LISTING, 0,
        TEXTS("listing 7 @9 title=Old", "listing 7 @11 title=New", "listing 8 @9 title=Desk"));
    script_expect(s, "#9 produce\n"
                     "    listing-log 7 listing 7 @11 title=New origin=listing-changes/0/1\n"
                     "    listing-log 8 listing 8 @9 title=Desk origin=listing-changes/0/2\n");
    script_records(s, FETCH_MEDIA, 0, TEXTS("media 7 @10 image=1 front"));
    script_expect(s, "#10 produce\n");
    assert_int_equal(machine_counters(s->machine)[COUNTER_ERASED_DROPPED], 2);
    script_free(s);
}

/* A seller's erasure reaches every listing that the seller ever had, and the register says which,
 * and when that was all. */
static void test_erasure_of_a_seller(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(
        s, FETCH_LISTING, 0,
        TEXTS("listing 7 @1 seller=3", "listing 8 @2 seller=3", "listing 9 @3 seller=4"));
    script_skip(s);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure seller 3 @10"));
    script_expect(s, "#9 produce\n"
                     "#10 produce\n"
                     "    listing-log 7 erasure seller 3 of 7 @10 origin=privacy/0/0\n"
                     "    erased-listings 3 erasure seller 3 of 7 @10 origin=privacy/0/0\n"
                     "    listing-log 8 erasure seller 3 of 8 @10 origin=privacy/0/0\n"
                     "    erased-listings 3 erasure seller 3 of 8 @10 origin=privacy/0/0\n");
    script_answer(s, 10);
    script_expect(s, "#11 produce\n"
                     "    erased-listings 3 erasure seller 3 @10 part=1 origin=privacy/0/0\n");
    script_free(s);
}

/* A listing of an erased seller that comes only later is erased as it comes, once. */
static void test_erasure_meets_a_later_listing(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure seller 3 @10"));
    script_skip(s);
    script_records(
        s, FETCH_LISTING, 0,
        TEXTS("listing 7 @5 seller=3", "listing 7 @6 seller=3", "listing 8 @11 seller=3"));
    script_expect(s, "#10 produce\n"
                     "    listing-log 7 erasure seller 3 of 7 @10\n"
                     "    erased-listings 3 erasure seller 3 of 7 @10\n"
                     "    listing-log 8 erasure seller 3 of 8 @10\n"
                     "    erased-listings 3 erasure seller 3 of 8 @10\n"
                     "    listing-log 8 listing 8 @11 seller=3 origin=listing-changes/0/2\n");
    script_free(s);
}

/* The ledger outlives the process: a replay of the feed brings nothing of the listing back. Without
 * it, which is the planted bug, it does. */
static void replay(const struct bugs *bugs, const char *expected) {
    struct script *s = begun(bugs);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    script_answer(s, 8);
    script_skip(s);
    script_timer(s);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    s->quiet_fetch = true;
    script_records(s, FETCH_CONTROL, 0, TEXTS("control replay-feed @20 id=0"));
    script_skip(s);
    script_records(s, script_newest(s, EFFECT_FETCH) - 1, 0, TEXTS("listing 7 @9 title=Old"));
    script_expect(s, expected);
    script_free(s);
}

static void test_ledger_outlives_the_process(void **state) {
    (void)state;
    struct bugs bugs = {.on = {[BUG_ERASURE_FORGETS_LEDGER] = true}};
    replay(NULL, "#10 produce\n");
    replay(&bugs, "#10 produce\n"
                  "    listing-log 7 listing 7 @9 title=Old origin=listing-changes/0/0\n");
}

/* A member that missed a generation cannot know who wrote meanwhile: it starts from checkpoints. */
static void test_missed_generation_reloads(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_expect(s, "");
    script_assign(s, 4, 1, (const uint32_t[]){0});
    script_expect(s, "#8 load-state router/0 generation 4\n");
    script_free(s);
}

/* Timers of a former task are not its successor's: however often a partition comes and goes, the
 * late queue is drained once an hour. */
static void test_timers_do_not_pile_up(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    for (uint32_t generation = 3; generation < 20; generation += 2) {
        script_assign(s, generation, 1, (const uint32_t[]){0});
        script_load(s, script_newest(s, EFFECT_LOAD_STATE));
    }
    size_t timers = script_timers(s);
    assert_in_range(timers, 10, 10);
    s->quiet_fetch = false;
    script_wait(s, VTIME_HOUR);
    assert_int_equal(script_timers(s), 1);
    script_free(s);
}

/* A checkpoint that is fenced says that another member owns the partition: the task is gone, and
 * so is whatever was under way for it. */
static void test_fenced_checkpoint_drops_the_task(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_answer(s, 8);
    script_timer(s);
    uint64_t save = script_newest(s, EFFECT_SAVE_STATE);
    script_skip(s);
    script_fail(s, save, PORT_FENCED);
    script_records(s, FETCH_MEDIA, 0, TEXTS("media 7 @3 image=1 front"));
    script_expect(s, "");
    script_free(s);
}

/* A checkpoint whose fate is unknown is sent again, and what changed meanwhile waits for the
 * next. */
static void test_checkpoints_are_one_at_a_time(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_answer(s, 8);
    script_timer(s);
    uint64_t save = script_newest(s, EFFECT_SAVE_STATE);
    script_fail(s, save, PORT_UNKNOWN);
    script_records(s, FETCH_MEDIA, 0, TEXTS("media 7 @3 image=1 front"));
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    size_t timers = script_timers(s);
    script_answer(s, save);
    assert_int_equal(script_timers(s), timers + 1);
    script_timer(s);
    assert_true(script_newest(s, EFFECT_SAVE_STATE) > save);
    script_free(s);
}

/* Records that the log does not keep any more are told of, once; nothing is skipped silently. */
static void test_offset_out_of_range_alerts(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    s->quiet_fetch = false;
    script_fail(s, FETCH_LISTING, PORT_OUT_OF_RANGE);
    script_expect(s, "alert offset-out-of-range listing-changes error: offset 0 of "
                     "listing-changes/0 not kept any more: records were lost unread\n"
                     "#8 fetch listing-changes/0 from -1\n");
    script_records(s, 8, 40, TEXTS("listing 7 @1 seller=3"));
    assert_non_null(strstr(script_told(s), "alert offset-out-of-range listing-changes cleared"));
    assert_non_null(strstr(script_told(s), "listing-log 7 listing 7 @1 seller=3"));
    script_free(s);
}

/* A feed that is read once more is read from the oldest record that its topic keeps: what expired
 * stays out, without an alarm, and what was told before is told again. A process that dies before
 * its checkpoint reads the command again; one that dies behind it goes on with the replay (A16,
 * A17). */
static void test_replay_feed(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    script_skip(s);
    for (int again = 0; again < 2; again++) {
        s->quiet_fetch = false;
        script_records(s, script_newest_of(s, TOPIC_CONTROL), 0,
                       TEXTS("control replay-feed @20 id=0"));
        assert_non_null(strstr(script_told(s), "fetch listing-changes/0 from -1\n"));
        assert_null(strstr(script_told(s), "alert"));
        if (again == 0) { /* nothing was saved */
            script_restart(s);
            script_assign(s, 2, 1, (const uint32_t[]){0});
            script_load(s, 1);
        }
        script_skip(s);
    }
    script_wait(s, 10 * VTIME_SECOND);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 3, 1, (const uint32_t[]){0});
    script_load(s, 1);
    assert_non_null(strstr(script_told(s), "fetch listing-changes/0 from -1\n"));
    assert_non_null(strstr(script_told(s), "fetch control/0 from 1\n"));
    s->quiet_fetch = true;
    script_skip(s);
    script_records(s, script_newest_of(s, TOPIC_LISTING), 40, TEXTS("listing 8 @9 title=Vase"));
    script_expect(s, "#8 produce\n"
                     "    listing-log 8 listing 8 @9 title=Vase origin=listing-changes/0/40\n");
    s->quiet_fetch = false;
    script_answer(s, 8);
    assert_non_null(strstr(script_told(s), "fetch listing-changes/0 from 41\n"));
    script_free(s);
}

/* Nor is the command lost when its feed is in the middle of something, and the process dies behind
 * a checkpoint that has read it. */
static void test_replay_feed_waits_its_turn(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_records(s, FETCH_CONTROL, 0, TEXTS("control replay-feed @20 id=0"));
    script_wait(s, 10 * VTIME_SECOND);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    s->quiet_fetch = false;
    script_skip(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    assert_non_null(strstr(script_told(s), "fetch listing-changes/0 from -1\n"));
    script_free(s);
}

/* Without the fan-out, a suppression reaches only what comes later: the planted bug does that. */
static void test_bug_no_policy_fanout(void **state) {
    (void)state;
    struct bugs bugs = {.on[BUG_NO_POLICY_FANOUT] = true};
    struct script *s = begun(&bugs);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @1 seller=3"));
    script_skip(s);
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 suppressed"));
    script_expect(s, "#9 produce\n");
    script_answer(s, 8);
    script_skip(s);
    script_records(s, script_newest(s, EFFECT_FETCH), 1, TEXTS("listing 8 @2 seller=3"));
    assert_non_null(strstr(script_told(s), "policy=3:suppressed"));
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_its_partition_and_all_of_policy),
        cmocka_unit_test(test_routes_to_the_listing_log),
        cmocka_unit_test(test_checkpoint_stays_below_what_is_not_out),
        cmocka_unit_test(test_policy_fans_out),
        cmocka_unit_test(test_status_rides_along),
        cmocka_unit_test(test_older_policy_does_not_fan_out),
        cmocka_unit_test(test_fanout_goes_in_slices),
        cmocka_unit_test(test_a_large_seller_starves_nobody),
        cmocka_unit_test(test_crash_amid_a_fanout),
        cmocka_unit_test(test_knowledge_survives_a_restart),
        cmocka_unit_test(test_late_queue),
        cmocka_unit_test(test_refuses_the_future),
        cmocka_unit_test(test_future_accepted),
        cmocka_unit_test(test_future_times_do_not_move_the_watermark),
        cmocka_unit_test(test_refuses_what_is_no_record_of_the_topic),
        cmocka_unit_test(test_unregistered_version),
        cmocka_unit_test(test_registered_meanwhile),
        cmocka_unit_test(test_first_version_of_the_contract),
        cmocka_unit_test(test_content_is_held_against_the_contract),
        cmocka_unit_test(test_decimal_price),
        cmocka_unit_test(test_refused_schema),
        cmocka_unit_test(test_ignores_answers_of_a_former_assignment),
        cmocka_unit_test(test_erasure_of_a_listing),
        cmocka_unit_test(test_erasure_of_a_seller),
        cmocka_unit_test(test_erasure_meets_a_later_listing),
        cmocka_unit_test(test_ledger_outlives_the_process),
        cmocka_unit_test(test_missed_generation_reloads),
        cmocka_unit_test(test_timers_do_not_pile_up),
        cmocka_unit_test(test_fenced_checkpoint_drops_the_task),
        cmocka_unit_test(test_checkpoints_are_one_at_a_time),
        cmocka_unit_test(test_offset_out_of_range_alerts),
        cmocka_unit_test(test_replay_feed),
        cmocka_unit_test(test_replay_feed_waits_its_turn),
        cmocka_unit_test(test_bug_no_policy_fanout),
    };
    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
