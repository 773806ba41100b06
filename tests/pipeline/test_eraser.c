/* The eraser (A12): looks at every place until nothing is found, and certifies it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/dead_letter.h"
#include "pipeline/erasure.h"
#include "tests/support/machine_script.h"
#include "tests/support/record_text.h"

/* Requests of an eraser of one partition that has just begun. */
enum { FETCH_PRIVACY = 2, FETCH_REGISTER, FETCH_LETTERS, FETCH_CONTROL };

static struct script *begun_with(int64_t artifacts_settle_ns, const struct bugs *bugs) {
    static struct pipeline_config config;
    config = (struct pipeline_config){.partitions = 1, .artifacts_settle_ns = artifacts_settle_ns};
    struct script *s = script_new(MACHINE_ERASER, &config, bugs);
    script_begin(s);
    s->quiet_fetch = true;
    return s;
}

/* Where the object store's listings are never behind. */
static struct script *begun(const struct bugs *bugs) {
    return begun_with(-1, bugs);
}

/* The newest question to a store: what it finds there. Answers it. */
static void answer_look(struct script *s, enum erasure_place place, uint64_t found) {
    uint64_t request = script_newest(s, EFFECT_ERASE);
    struct effect *erase = script_request(s, request);
    erase->erase.looks[place] = (struct erasure_look){1, found, s->now};
    for (size_t i = 0; i < erase->erase.count; i++) {
        erase->erase.subjects[i].version = 77;
    }
    script_answer(s, request);
}

/* Answers a whole sweep up to the dead letters: so many are found in the time travel, in
 * checkpoints and among the artifacts. */
static void answer_found(struct script *s, uint64_t in_time_travel, uint64_t in_state,
                         uint64_t artifacts) {
    answer_look(s, ERASED_IN_TIME_TRAVEL, in_time_travel);
    answer_look(s, ERASED_IN_VECTORS, 0);
    answer_look(s, ERASED_IN_KEYWORD, 0);
    answer_look(s, ERASED_IN_SOURCE, 0);
    answer_look(s, ERASED_IN_STATE, in_state);
    answer_look(s, ERASED_IN_ARTIFACTS, artifacts);
}

static void answer_stores(struct script *s, uint64_t in_time_travel) {
    answer_found(s, in_time_travel, 0, 0);
}

/* There are no dead letters, or no more. */
static void answer_no_letters(struct script *s) {
    script_records(s, script_newest(s, EFFECT_FETCH), 0, TEXTS(NULL));
}

/* A dead letter of a record with that key, appended so many seconds after the epoch of texts. */
static struct dead_letter letter_of(uint64_t key, int64_t seconds) {
    return (struct dead_letter){.topic = TOPIC_LISTING,
                                .key = key,
                                .append = vtime_add(TEXT_EPOCH, seconds * VTIME_SECOND),
                                .value = bytes_of("poison")};
}

static void answer_letter(struct script *s, uint64_t request, const struct dead_letter *letter) {
    char buffer[256];
    assert_true(dead_letter_size(letter) <= sizeof buffer);
    dead_letter_encode(letter, buffer);
    struct log_record record = {.offset = 4,
                                .append = s->now,
                                .key = dead_letter_key(letter),
                                .value = {buffer, dead_letter_size(letter)}};
    struct event event = {
        .kind = EVENT_RECORDS, .request = request, .answered = script_request(s, request)};
    event.records.records = &record;
    event.records.count = 1;
    script_step(s, &event);
}

/* Every place is asked in turn; once a sweep finds nothing a certificate names them all. */
static void test_certifies(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    script_expect(s, "#7 erase warehouse 7\n");
    answer_look(s, ERASED_IN_BRONZE, 0);
    script_expect(s, "#8 erase vectors 7\n");
    assert_int_equal(script_request(s, 8)->erase.subjects[0].version, 77);
    assert_int_equal(script_request(s, 8)->erase.model_version, 0);
    answer_look(s, ERASED_IN_VECTORS, 0);
    script_expect(s, "#9 erase keyword 7\n");
    answer_look(s, ERASED_IN_KEYWORD, 0);
    script_expect(s, "#10 erase source 7\n");
    answer_look(s, ERASED_IN_SOURCE, 0);
    script_expect(s, "#11 erase state 7\n");
    answer_look(s, ERASED_IN_STATE, 0);
    script_expect(s, "#12 erase artifacts 7\n");
    answer_look(s, ERASED_IN_ARTIFACTS, 0);
    answer_no_letters(s);
    script_expect(s, "#14 produce\n"
                     "    erasure-certificates 7 certificate listing 7 @10 listings=1 places=11\n");
    script_answer(s, 14);
    assert_int_equal(machine_counters(s->machine)[COUNTER_ERASURES_CERTIFIED], 1);
    script_wait(s, 100 * VTIME_HOUR);
    assert_int_equal(script_newest(s, EFFECT_ERASE), 0);
    script_free(s);
}

/* What is found is looked for again an hour later, and not certified before it is gone. */
static void test_sweeps_until_nothing_is_found(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    answer_stores(s, 3);
    answer_no_letters(s);
    assert_int_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_wait(s, VTIME_HOUR - VTIME_SECOND);
    assert_int_equal(script_newest(s, EFFECT_ERASE), 0);
    script_wait(s, VTIME_SECOND);
    answer_stores(s, 0);
    answer_no_letters(s);
    assert_int_not_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_free(s);
}

/* A seller's erasure waits until every router said which listings that is. */
static void test_waits_for_the_register(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure seller 3 @10"));
    script_records(s, FETCH_REGISTER, 0,
                   TEXTS("erasure seller 3 of 7 @10", "erasure seller 3 of 8 @10"));
    script_wait(s, 2 * VTIME_HOUR);
    assert_int_equal(script_newest(s, EFFECT_ERASE), 0);
    script_skip(s);
    script_records(s, script_newest_of(s, TOPIC_ERASED), 2, TEXTS("erasure seller 3 @10 part=1"));
    assert_non_null(strstr(script_told(s), "erase warehouse 7 8\n"));
    script_free(s);
}

/* A listing that names the seller only later does not hold the certificate of the others up: it
 * gets one of its own. */
static void test_later_listings_are_another_wave(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure seller 3 @10"));
    script_records(s, FETCH_REGISTER, 0,
                   TEXTS("erasure seller 3 of 7 @10", "erasure seller 3 @10 part=1"));
    uint64_t reads_on = script_newest_of(s, TOPIC_ERASED);
    answer_look(s, ERASED_IN_BRONZE, 0);
    script_records(s, reads_on, 2, TEXTS("erasure seller 3 of 8 @10", "erasure seller 3 of 7 @10"));
    answer_look(s, ERASED_IN_VECTORS, 0);
    answer_look(s, ERASED_IN_KEYWORD, 0);
    answer_look(s, ERASED_IN_SOURCE, 0);
    answer_look(s, ERASED_IN_STATE, 0);
    answer_look(s, ERASED_IN_ARTIFACTS, 0);
    answer_no_letters(s);
    script_skip(s);
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    assert_non_null(strstr(script_told(s), "erase warehouse 8\n"));
    answer_stores(s, 0);
    answer_no_letters(s);
    assert_non_null(strstr(script_told(s), "certificate seller 3 @10 wave=1 listings=1"));
    script_free(s);
}

/* A letter about an erased listing goes, whether the sweep finds it or it comes later; what was
 * sent after the erasure, or about others, stays. */
static void test_letters_go(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    struct dead_letter old = letter_of(7, 5);
    struct dead_letter other = letter_of(8, 5);
    struct dead_letter later = letter_of(7, 10 + 2 * 3600 + 1);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    answer_stores(s, 0);
    script_skip(s);
    answer_letter(s, script_newest(s, EFFECT_FETCH), &old);
    assert_non_null(strstr(script_told(s), "dead-letter tombstone"));
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    answer_no_letters(s);
    assert_int_equal(script_newest(s, EFFECT_PRODUCE), 0); /* it was found: no certificate yet */
    script_skip(s);
    answer_letter(s, FETCH_LETTERS, &later);
    script_expect(s, "");
    answer_letter(s, script_newest_of(s, TOPIC_DEAD_LETTER), &other);
    script_expect(s, "");
    uint64_t fetch = script_newest_of(s, TOPIC_DEAD_LETTER);
    answer_letter(s, fetch, &old);
    assert_non_null(strstr(script_told(s), "dead-letter tombstone"));
    /* It is not read on before the tombstone is in. */
    assert_int_equal(script_newest_of(s, TOPIC_DEAD_LETTER), 0);
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    assert_int_not_equal(script_newest_of(s, TOPIC_DEAD_LETTER), 0);
    script_free(s);
}

/* A letter whose record tells its time goes by that time: what the seller said after the erasure is
 * a new life, however soon it was refused, and is there to be replayed. */
static void test_letters_of_a_new_life_stay(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    answer_stores(s, 0);
    answer_no_letters(s);
    script_skip(s);
    struct dead_letter letter = letter_of(7, 12);
    letter.value = record_from_text("listing 7 @11v2 title=Lamp");
    answer_letter(s, FETCH_LETTERS, &letter);
    script_expect(s, "");
    free((char *)letter.value.data);
    letter.value = record_from_text("listing 7 @9v2 title=Lamp");
    answer_letter(s, script_newest_of(s, TOPIC_DEAD_LETTER), &letter);
    assert_non_null(strstr(script_told(s), "dead-letter tombstone"));
    free((char *)letter.value.data);
    script_free(s);
}

/* A crash loses the sweep, not the request; what was certified stays so. */
static void test_restarts(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10", "erasure listing 8 @11"));
    answer_stores(s, 0);
    answer_no_letters(s);
    script_answer(s, script_newest(s, EFFECT_PRODUCE)); /* the certificate of 7 */
    answer_look(s, ERASED_IN_BRONZE, 0);
    script_timer(s);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_skip(s);
    script_load(s, 1);
    assert_non_null(strstr(script_told(s), "erase warehouse 8\n"));
    assert_null(strstr(script_told(s), "warehouse 7"));
    script_free(s);
}

/* An operator has it looked again, for requests of a range: what is still gone needs no second
 * certificate, what is not is erased and certified anew (A17). */
static void test_sweep_on_command(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    answer_stores(s, 0);
    answer_no_letters(s);
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    script_records(s, FETCH_CONTROL, 0, TEXTS("control sweep @20 from=-100 to=-50"));
    assert_int_equal(script_newest(s, EFFECT_ERASE), 0);
    script_records(s, script_newest_of(s, TOPIC_CONTROL), 1, TEXTS("control sweep @21"));
    answer_stores(s, 0);
    answer_no_letters(s);
    assert_int_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_records(s, script_newest_of(s, TOPIC_CONTROL), 2, TEXTS("control sweep @22"));
    /* A crash now loses the sweep, and not that it is wanted. */
    script_timer(s);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    answer_stores(s, 1);
    answer_no_letters(s);
    assert_int_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_wait(s, VTIME_HOUR);
    answer_stores(s, 0);
    answer_no_letters(s);
    assert_int_not_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_free(s);
}

/* A request without a certificate is warned of after two days and an error after two and a half;
 * the certificate ends that. */
static void test_overdue(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    script_wait(s, 48 * VTIME_HOUR - VTIME_SECOND);
    assert_null(strstr(script_told(s), "erasure-overdue"));
    script_skip(s);
    script_wait(s, VTIME_SECOND);
    script_expect(s, "alert erasure-overdue privacy warn: the erasure of listing 7, asked for at "
                     "2026-03-02T00:00:00Z, is not certified yet\n");
    script_wait(s, 12 * VTIME_HOUR);
    assert_non_null(strstr(script_told(s), "privacy error"));
    answer_stores(s, 0);
    answer_no_letters(s);
    script_skip(s);
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    assert_non_null(strstr(script_told(s), "privacy cleared"));
    script_free(s);
}

/* A store that fails is asked again; letters that their topic forgot are passed over. */
static void test_failing_places(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    script_skip(s);
    script_fail(s, 7, PORT_UNKNOWN);
    script_expect(s, "resend #7\n");
    answer_stores(s, 0);
    uint64_t fetch = script_newest(s, EFFECT_FETCH);
    script_fail(s, fetch, PORT_OUT_OF_RANGE);
    assert_int_not_equal(script_newest(s, EFFECT_FETCH), fetch);
    answer_no_letters(s);
    assert_int_not_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_free(s);
}

/* An artifact that was told to go and is still there holds the certificate up: a store may lose a
 * delete. What was stored once no checkpoint held the old life is of a new one, and is left alone.
 */
static void test_deletes_are_not_believed(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    answer_found(s, 0, 1, 2);
    answer_no_letters(s);
    for (int i = 0; i < 3; i++) {
        script_wait(s, VTIME_HOUR);
        answer_look(s, ERASED_IN_TIME_TRAVEL, 0);
        answer_look(s, ERASED_IN_VECTORS, 0);
        answer_look(s, ERASED_IN_KEYWORD, 0);
        answer_look(s, ERASED_IN_SOURCE, 0);
        answer_look(s, ERASED_IN_STATE, 0);
        struct effect *look = script_request(s, script_newest(s, EFFECT_ERASE));
        assert_true(i == 0 ? look->erase.artifacts_until.ns == VTIME_NEVER.ns
                           : look->erase.artifacts_until.ns <
                                 s->now.ns - i * VTIME_HOUR + 2 * VTIME_MINUTE);
        answer_look(s, ERASED_IN_ARTIFACTS, i < 2);
        answer_no_letters(s);
        assert_int_equal(script_newest(s, EFFECT_PRODUCE) != 0, i == 2);
    }
    script_free(s);
}

/* A listing of the object store may be older than the last artifact: what it does not name counts
 * as gone only once it is surely younger, also when the eraser was restarted meanwhile. */
static void test_listings_settle(void **state) {
    (void)state;
    struct script *s = begun_with(90 * VTIME_MINUTE, NULL);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    answer_stores(s, 0);
    answer_no_letters(s);
    assert_int_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_timer(s);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    answer_stores(s, 0);
    answer_no_letters(s);
    assert_int_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_wait(s, VTIME_HOUR);
    answer_stores(s, 0);
    answer_no_letters(s);
    assert_int_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_wait(s, VTIME_HOUR);
    answer_stores(s, 0);
    answer_no_letters(s);
    assert_int_not_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_free(s);
}

/* The planted bugs each leave a place out. */
static void test_bugs(void **state) {
    (void)state;
    struct bugs bugs = {.on = {[BUG_ERASURE_FORGETS_LETTERS] = true,
                               [BUG_ERASURE_FORGETS_STATE] = true,
                               [BUG_ERASURE_FORGETS_OLD_MODELS] = true}};
    struct script *s = begun(&bugs);
    script_records(s, FETCH_PRIVACY, 0, TEXTS("erasure listing 7 @10"));
    answer_look(s, ERASED_IN_BRONZE, 0);
    assert_int_equal(script_request(s, script_newest(s, EFFECT_ERASE))->erase.model_version, 1);
    answer_look(s, ERASED_IN_VECTORS, 0);
    answer_look(s, ERASED_IN_KEYWORD, 0);
    answer_look(s, ERASED_IN_SOURCE, 0);
    answer_look(s, ERASED_IN_ARTIFACTS, 0);
    assert_int_not_equal(script_newest(s, EFFECT_PRODUCE), 0);
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certifies),
        cmocka_unit_test(test_sweeps_until_nothing_is_found),
        cmocka_unit_test(test_waits_for_the_register),
        cmocka_unit_test(test_later_listings_are_another_wave),
        cmocka_unit_test(test_letters_go),
        cmocka_unit_test(test_letters_of_a_new_life_stay),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_sweep_on_command),
        cmocka_unit_test(test_overdue),
        cmocka_unit_test(test_failing_places),
        cmocka_unit_test(test_deletes_are_not_believed),
        cmocka_unit_test(test_listings_settle),
        cmocka_unit_test(test_bugs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
