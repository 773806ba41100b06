/* Quarantine of mass deletes (B10): what is held back, what an operator's word does, and that a
 * crash neither loses nor doubles anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/quarantine.h"
#include "tests/support/machine_script.h"

static struct pipeline_config config_of(void) {
    struct pipeline_config config = {.partitions = 1,
                                     .volume_window_ns = VTIME_HOUR,
                                     .volume_factor = 2,
                                     .quarantine_deletes_min = 3,
                                     .checkpoint_interval_ns = 10 * VTIME_SECOND};
    return pipeline_config_with_defaults(&config);
}

static struct record delete_at(int64_t seconds) {
    return (struct record){
        .type = RECORD_LISTING, .op = RECORD_DELETE, .stamp = {text_time(seconds), {0, 1}}};
}

/* Judges `count` deletes of that hour and returns the verdict on the last one. */
static enum quarantine_verdict judge(struct quarantine *q, int64_t hour, int count, bool *began) {
    struct pipeline_config config = config_of();
    enum quarantine_verdict verdict = QUARANTINE_PASS;
    for (int i = 0; i < count; i++) {
        struct record record = delete_at(hour * 3600 + i);
        verdict = quarantine_judge(q, &config, &record, record.stamp.ts, began);
    }
    return verdict;
}

/* Two windows are learnt from; then more than twice the usual, and no fewer than the minimum, is
 * too many. All that follow are held, in later windows too. */
static void test_learns_then_holds(void **state) {
    (void)state;
    struct quarantine q = {0};
    bool began;
    assert_int_equal(judge(&q, 0, 5, &began), QUARANTINE_PASS);
    assert_int_equal(judge(&q, 1, 1, &began), QUARANTINE_PASS);
    assert_int_equal(judge(&q, 2, 6, &began), QUARANTINE_PASS); /* usual is 3 */
    assert_int_equal(judge(&q, 2, 1, &began), QUARANTINE_HOLD);
    assert_true(began);
    assert_int_equal(judge(&q, 7, 1, &began), QUARANTINE_HOLD);
    assert_false(began);
    struct record upsert = delete_at(7 * 3600 + 60);
    upsert.op = RECORD_UPSERT;
    struct pipeline_config config = config_of();
    assert_int_equal(quarantine_judge(&q, &config, &upsert, upsert.stamp.ts, &began),
                     QUARANTINE_PASS);
    quarantine_release(&q);
}

/* What happened while deletes were held is not what is usual. */
static void test_an_accident_does_not_teach(void **state) {
    (void)state;
    struct quarantine q = {0};
    bool began;
    judge(&q, 0, 1, &began);
    judge(&q, 1, 1, &began);
    assert_int_equal(judge(&q, 2, 100, &began), QUARANTINE_HOLD);
    assert_int_equal(quarantine_decide(&q, false, (vtime){0}, text_time(2 * 3600 + 200)), 0);
    judge(&q, 3, 1, &began);
    assert_int_equal(usual_mean(&q.seen.usual), 1);
    quarantine_release(&q);
}

/* The word is about event times: what is dated before it passes, what was discarded is dropped
 * whenever it comes, what is dated later is judged anew. A repair passes. */
static void test_the_word_is_about_event_times(void **state) {
    (void)state;
    struct quarantine q = {0};
    struct pipeline_config config = config_of();
    bool began;
    judge(&q, 0, 1, &began);
    judge(&q, 1, 1, &began);
    judge(&q, 2, 10, &began);
    assert_int_equal(quarantine_decide(&q, true, text_time(7200), text_time(7300)), 0);
    static const struct {
        int64_t dated;
        enum quarantine_verdict verdict;
    } table[] = {{7199, QUARANTINE_PASS}, {7200, QUARANTINE_DROP}, {7299, QUARANTINE_DROP},
                 {7300, QUARANTINE_PASS}, {7301, QUARANTINE_PASS}, {7302, QUARANTINE_HOLD}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct record record = delete_at(table[i].dated);
        assert_int_equal(quarantine_judge(&q, &config, &record, text_time(8000), &began),
                         table[i].verdict);
        assert_int_equal(quarantine_is_discarded(&q, &record), table[i].verdict == QUARANTINE_DROP);
    }
    assert_int_equal(quarantine_decide(&q, false, (vtime){0}, text_time(8000)), 0);
    struct record repair = delete_at(7250);
    repair.sections = SECTION_REPAIR;
    assert_int_equal(quarantine_judge(&q, &config, &repair, text_time(8100), &began),
                     QUARANTINE_PASS);
    quarantine_release(&q);
}

/* A checkpoint holds the counts of what is dealt with, and the words. */
static void test_checkpoint(void **state) {
    (void)state;
    struct quarantine q = {0}, restored = {0};
    bool began;
    judge(&q, 0, 4, &began);
    judge(&q, 1, 4, &began);
    assert_int_equal(quarantine_decide(&q, true, text_time(10), text_time(20)), 0);
    judge(&q, 2, 2, &began);
    quarantine_dealt(&q);
    judge(&q, 2, 50, &began);
    char buffer[1024];
    assert_true(quarantine_size(&q) <= sizeof buffer);
    char *end = quarantine_encode(&q, buffer);
    struct wire_reader reader = wire_reader_of((struct bytes){buffer, (size_t)(end - buffer)});
    assert_int_equal(quarantine_decode(&restored, &reader), 0);
    assert_true(!reader.failed && reader.at == reader.end);
    assert_int_equal(restored.seen.deletes, 2);
    assert_false(restored.seen.holding);
    assert_int_equal(usual_mean(&restored.seen.usual), 4);
    assert_true(restored.decided.ns == text_time(20).ns);
    struct record record = delete_at(15);
    assert_true(quarantine_is_discarded(&restored, &record));
    quarantine_release(&q);
    quarantine_release(&restored);
}

/* ---- In the router ---- */

enum { FETCH_LISTING = 2, FETCH_CONTROL = 7 };

/* A router in its third hour with three deletes held: of listings 3, 4 and 5. Its requests are
 * answered, and 14 is the fetch of the listing feed. */
static struct script *holding(void) {
    struct pipeline_config config = config_of();
    struct script *s = script_new(MACHINE_ROUTER, &config, NULL);
    script_begin(s);
    s->quiet_fetch = true;
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 1 @0 delete"));
    script_answer(s, 8);
    s->now = text_time(3600);
    script_records(s, 9, 1, TEXTS("listing 2 @3600 delete"));
    script_answer(s, 10);
    s->now = text_time(7200);
    script_skip(s);
    script_records(s, 11, 2,
                   TEXTS("listing 6 @7200 delete", "listing 7 @7200 delete",
                         "listing 3 @7200 delete", "listing 4 @7200 delete",
                         "listing 5 @7200 title=Lamp"));
    script_expect(s, "#12 produce\n"
                     "    listing-log 6 listing 6 @7200 delete origin=listing-changes/0/2\n"
                     "    listing-log 7 listing 7 @7200 delete origin=listing-changes/0/3\n"
                     "    quarantine 3 listing 3 @7200 delete origin=listing-changes/0/4\n"
                     "    quarantine 4 listing 4 @7200 delete origin=listing-changes/0/5\n"
                     "    listing-log 5 listing 5 @7200 title=Lamp origin=listing-changes/0/6\n"
                     "alert mass-delete listing-changes error: 3 deletes in partition 0 within a "
                     "window; usual is 1; from now on deletes wait for an operator\n");
    assert_int_equal(machine_counters(s->machine)[COUNTER_QUARANTINED], 2);
    return s;
}

/* Released deletes go on in their order, once what was on its way to the quarantine is there. */
static void test_release(void **state) {
    (void)state;
    struct script *s = holding();
    script_records(s, FETCH_CONTROL, 0, TEXTS("control release @7260"));
    script_expect(s, "alert mass-delete listing-changes cleared: deletes of partition 0 go on: an "
                     "operator decided on those dated before 2026-03-02T02:01:00Z\n");
    s->quiet_fetch = false;
    script_answer(s, 12);
    assert_non_null(strstr(script_told(s), "fetch quarantine/0 from 0 at once\n"));
    script_skip(s);
    script_records(s, 14, 0, TEXTS("listing 3 @7200 delete", "listing 4 @7200 delete"));
    script_expect(s, "#16 produce\n"
                     "    listing-log 3 listing 3 @7200 delete\n"
                     "    listing-log 4 listing 4 @7200 delete\n");
    script_answer(s, 16);
    script_expect(s, "#17 fetch quarantine/0 from 2 at once\n");
    script_free(s);
}

/* Discarded ones go nowhere, and one that comes later of the same stretch is put beside them. */
static void test_discard(void **state) {
    (void)state;
    struct script *s = holding();
    script_answer(s, 12);
    script_records(s, FETCH_CONTROL, 0, TEXTS("control discard @7260 from=7000 to=7250"));
    script_skip(s);
    script_records(s, script_newest(s, EFFECT_FETCH) - 1, 0, TEXTS("listing 3 @7200 delete"));
    script_expect(s, "#16 produce\n");
    script_records(s, 13, 7, TEXTS("listing 8 @7201 delete", "listing 9 @7251 delete"));
    script_expect(s, "#17 produce\n"
                     "    quarantine 8 listing 8 @7201 delete origin=listing-changes/0/7\n"
                     "    listing-log 9 listing 9 @7251 delete origin=listing-changes/0/8\n");
    script_free(s);
}

/* A router that takes over knows what is held, and what was not dealt with it judges as before. */
static void test_restart(void **state) {
    (void)state;
    struct script *s = holding();
    script_answer(s, 12);
    script_wait(s, 10 * VTIME_SECOND);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    script_skip(s);
    script_records(s, FETCH_LISTING, 7, TEXTS("listing 9 @7205 delete"));
    script_expect(s, "#8 produce\n"
                     "    quarantine 9 listing 9 @7205 delete origin=listing-changes/0/7\n");
    script_free(s);
}

/* A word that was heard, but whose deletes were not let go before the crash, is not forgotten. */
static void test_restart_while_draining(void **state) {
    (void)state;
    struct script *s = holding();
    script_answer(s, 12);
    script_records(s, FETCH_CONTROL, 0, TEXTS("control release @7260"));
    script_wait(s, 10 * VTIME_SECOND);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    s->quiet_fetch = false;
    script_skip(s);
    script_load(s, 1);
    assert_non_null(strstr(script_told(s), "fetch quarantine/0 from 0 at once\n"));
    assert_non_null(strstr(script_told(s), "fetch control/0 from 1\n"));
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_then_holds),
        cmocka_unit_test(test_an_accident_does_not_teach),
        cmocka_unit_test(test_the_word_is_about_event_times),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_release),
        cmocka_unit_test(test_discard),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_while_draining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
