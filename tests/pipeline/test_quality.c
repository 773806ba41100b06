/* The quality monitor (B10): what strikes each of its monitors and what does not, drift of
 * embeddings, re-embedding, and that a crash forgets nothing. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/quality_drift.h"
#include "pipeline/quality_feed.h"
#include "sim/prng.h"
#include "tests/support/machine_script.h"

/* ---- The listing feed ---- */

static void take(struct quality_feed *feed, const char *text) {
    struct bytes bytes = record_from_text(text);
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode(bytes, &record, &error), 0);
    quality_feed_record(feed, &record, TEXT_EPOCH, 5 * VTIME_MINUTE, record.contract_version < 3);
    free((void *)bytes.data);
}

static void take_many(struct quality_feed *feed, int count, const char *text) {
    for (int i = 0; i < count; i++) {
        take(feed, text);
    }
}

static void take_version(struct quality_feed *feed, uint16_t version) {
    struct record record = {.type = RECORD_LISTING,
                            .op = RECORD_UPSERT,
                            .contract_version = version,
                            .stamp = {TEXT_EPOCH, {0, 1}},
                            .subject_id = 7};
    quality_feed_record(feed, &record, TEXT_EPOCH, 5 * VTIME_MINUTE, version < 3);
}

/* Changes of one attribute to a number. */
static void take_numbers(struct quality_feed *feed, int count, const char *name) {
    char buffer[256];
    struct record record = {.type = RECORD_LISTING,
                            .op = RECORD_UPSERT,
                            .contract_version = RECORD_CONTRACT_VERSION,
                            .stamp = {TEXT_EPOCH, {0, 1}},
                            .subject_id = 7};
    struct field field = {
        .id = FIELD_ATTRIBUTE, .type = VALUE_INTEGER, .name = bytes_of(name), .integer = 4};
    int64_t length = record_encode(&record, &field, 1, buffer, sizeof buffer);
    struct record_error error;
    assert_int_equal(record_decode((struct bytes){buffer, (size_t)length}, &record, &error), 0);
    for (int i = 0; i < count; i++) {
        quality_feed_record(feed, &record, TEXT_EPOCH, 5 * VTIME_MINUTE,
                            record.contract_version < 3);
    }
}

static bool strikes(struct quality_feed *feed, enum quality_monitor monitor, const char *evidence) {
    struct sentence sentence;
    bool struck = quality_feed_strikes(feed, monitor, &sentence);
    if (struck && evidence != NULL) {
        assert_int_equal(sentence.length, strlen(evidence));
        assert_memory_equal(sentence.text, evidence, sentence.length);
    }
    return struck;
}

#define WHOLE "listing 7 @0 title=Lamp locale=en category=lamps seller=3 price=900 colour=red"

/* A feed that was calm for three windows: 240 whole documents, 240 prices of which 6 are null. */
static struct quality_feed calm(void) {
    struct quality_feed feed = {0};
    for (int window = 0; window < 3; window++) {
        take_many(&feed, 80, WHOLE);
        take_many(&feed, 78, "listing 7 @0 price=800");
        take_many(&feed, 2, "listing 7 @0 price=null");
        take_many(&feed, 40, "listing 7 @0 colour=blue");
        for (int i = 0; i < QUALITY_MONITOR_COUNT; i++) {
            assert_false(strikes(&feed, (enum quality_monitor)i, NULL));
        }
        assert_int_equal(quality_feed_close(&feed), 0);
    }
    return feed;
}

/* Nulls in far more of the changes that name a field than usual; told once, cleared after a whole
 * window without. */
static void test_nulls(void **state) {
    (void)state;
    struct quality_feed feed = calm();
    take_many(&feed, 60, "listing 7 @0 price=800");
    take_many(&feed, 11, "listing 7 @0 price=null");
    assert_false(strikes(&feed, QUALITY_NULLS, NULL));
    take_many(&feed, 15, "listing 7 @0 price=null");
    assert_true(strikes(&feed, QUALITY_NULLS,
                        "price is null where it is named in 26 of 86; usual are 6 of 240"));
    assert_false(strikes(&feed, QUALITY_NULLS, NULL));
    assert_int_equal(quality_feed_close(&feed), 0);
    take_many(&feed, 50, "listing 7 @0 price=800");
    assert_int_equal(quality_feed_close(&feed), 1u << QUALITY_NULLS);
}

/* Before it knows what is usual it says nothing of shares. */
static void test_nulls_need_learning(void **state) {
    (void)state;
    struct quality_feed feed = {0};
    take_many(&feed, 100, "listing 7 @0 price=null");
    assert_false(strikes(&feed, QUALITY_NULLS, NULL));
}

/* What struck does not teach: the second window of it strikes like the first. */
static void test_what_struck_does_not_teach(void **state) {
    (void)state;
    struct quality_feed feed = calm();
    for (int window = 0; window < 20; window++) {
        take_many(&feed, 200, "listing 7 @0 price=null");
        assert_int_equal(strikes(&feed, QUALITY_NULLS, NULL), window == 0);
        assert_true(feed.struck[QUALITY_NULLS]);
        assert_int_equal(quality_feed_close(&feed), 0);
    }
}

/* Attributes that nobody knew and known ones of another type; few of them are evolution, and known
 * from then on. */
static void test_schema(void **state) {
    (void)state;
    struct quality_feed feed = calm();
    take_many(&feed, 9, "listing 7 @0 weight=4");
    assert_false(strikes(&feed, QUALITY_SCHEMA, NULL));
    assert_int_equal(quality_feed_close(&feed), 0);
    take_many(&feed, 20, "listing 7 @0 weight=4");
    assert_false(strikes(&feed, QUALITY_SCHEMA, NULL));
    take_many(&feed, 6, "listing 7 @0 size=4");
    take_numbers(&feed, 4, "colour");
    assert_true(strikes(&feed, QUALITY_SCHEMA,
                        "6 attributes that nobody knew, 4 of another type, 0 unknown contract "
                        "versions in 30 changes; the last was colour"));
    quality_feed_close(&feed);
    take_many(&feed, 10, "listing 7 @0 size=4");
    assert_int_equal(feed.window.unknown_names, 10);
}

/* Versions that are not registered are drift; the first record of one that is opens windows in
 * which new attributes teach. */
static void test_versions(void **state) {
    (void)state;
    struct quality_feed feed = calm();
    take_version(&feed, 2);
    take_many(&feed, 50, "listing 7 @0 weight=4");
    assert_false(strikes(&feed, QUALITY_SCHEMA, NULL));
    quality_feed_close(&feed);
    take_many(&feed, 50, "listing 7 @0 weight=4");
    assert_int_equal(feed.window.unknown_names, 0);
    for (int i = 0; i < 10; i++) {
        take_version(&feed, 3);
    }
    assert_true(strikes(&feed, QUALITY_SCHEMA,
                        "0 attributes that nobody knew, 0 of another type, 10 unknown contract "
                        "versions in 60 changes"));
}

/* Events that are dated further ahead than clocks may differ. */
static void test_future(void **state) {
    (void)state;
    struct quality_feed feed = {0};
    take_many(&feed, 10, "listing 7 @300 price=1");
    take_many(&feed, 2, "listing 8 @7200 price=1");
    assert_false(strikes(&feed, QUALITY_FUTURE, NULL));
    take(&feed, "listing 9 @3600 price=1");
    assert_true(strikes(&feed, QUALITY_FUTURE,
                        "3 events are dated ahead of their append, one of listing 8 by 2h00m"));
}

/* Whole documents that lack what they used to have; partial updates always lack something. */
static void test_absence(void **state) {
    (void)state;
    struct quality_feed feed = calm();
    take_many(&feed, 500, "listing 7 @0 price=4");
    assert_false(strikes(&feed, QUALITY_ABSENCE, NULL));
    take_many(&feed, 25, "listing 7 @0 title=Lamp locale=en category=lamps seller=3");
    assert_true(strikes(&feed, QUALITY_ABSENCE,
                        "price is missing or null in whole documents: in 25 of 25; usual are 0 of "
                        "240"));
}

/* Rows that the stores refuse, in number and as a share. */
static void test_loads(void **state) {
    (void)state;
    struct quality_feed feed = calm();
    take_many(&feed, 600, "listing 7 @0 price=4");
    quality_feed_refused(&feed, 5);
    assert_false(strikes(&feed, QUALITY_LOADS, NULL));
    quality_feed_refused(&feed, 1);
    assert_true(strikes(&feed, QUALITY_LOADS, "stores refused 6 rows for good, of 600 changes"));
}

/* What a checkpoint holds goes on as if nothing had been. */
static void test_feed_checkpoint(void **state) {
    (void)state;
    struct quality_feed feed = calm(), restored = {0};
    take_many(&feed, 30, "listing 7 @0 price=null");
    assert_true(strikes(&feed, QUALITY_NULLS, NULL));
    take_many(&feed, 9, "listing 7 @0 size=4");
    static char buffer[QUALITY_FEED_BYTES_MAX];
    char *end = quality_feed_encode(&feed, buffer);
    struct wire_reader reader = wire_reader_of((struct bytes){buffer, (size_t)(end - buffer)});
    quality_feed_decode(&restored, &reader);
    assert_true(!reader.failed && reader.at == reader.end);
    assert_false(strikes(&restored, QUALITY_NULLS, NULL));
    take(&restored, "listing 7 @0 size=4");
    assert_true(strikes(&restored, QUALITY_SCHEMA, NULL));
}

/* ---- Vectors ---- */

/* Rows about `centre` in the first components. */
static void fill(float *rows, size_t count, uint64_t seed, float centre) {
    struct prng prng;
    prng_init(&prng, seed, "quality vectors");
    for (size_t i = 0; i < count * TEXT_DIMENSION; i++) {
        double unit = (double)(prng_next(&prng) >> 11) / 9007199254740992.0;
        rows[i] = (float)(unit - 0.5) + (i % TEXT_DIMENSION < 64 ? centre : 0);
    }
}

static enum quality_drift_verdict judge(struct quality_drift *drift, uint64_t seed, float centre,
                                        const struct bugs *bugs) {
    static float rows[QUALITY_SAMPLE_MAX * TEXT_DIMENSION];
    struct sentence evidence;
    enum quality_drift_verdict verdict;
    fill(rows, QUALITY_SAMPLE_MAX, seed, centre);
    assert_int_equal(
        quality_drift_judge(drift, rows, QUALITY_SAMPLE_MAX, bugs, &evidence, &verdict), 0);
    return verdict;
}

/* The first samples are the reference; drift is told once and taken back once. */
static void test_drift(void **state) {
    (void)state;
    struct quality_drift drift = {0};
    assert_int_equal(judge(&drift, 1, 0, NULL), QUALITY_DRIFT_NOTHING);
    assert_int_equal(judge(&drift, 2, 0, NULL), QUALITY_DRIFT_NOTHING);
    assert_int_equal(drift.reference_rows, QUALITY_REFERENCE_ROWS);
    assert_int_equal(judge(&drift, 3, 0, NULL), QUALITY_DRIFT_NOTHING);
    assert_int_equal(judge(&drift, 4, 0.3f, NULL), QUALITY_DRIFT_RAISED);
    assert_int_equal(judge(&drift, 5, 0.3f, NULL), QUALITY_DRIFT_NOTHING);
    assert_int_equal(judge(&drift, 6, 0, NULL), QUALITY_DRIFT_CLEARED);
    quality_drift_forget(&drift);
    assert_int_equal(judge(&drift, 7, 0.3f, NULL), QUALITY_DRIFT_NOTHING);
    quality_drift_release(&drift);
}

/* A check that compares a window with itself sees nothing: the planted bug does that. */
static void test_drift_self(void **state) {
    (void)state;
    struct bugs bugs = {.on[BUG_DRIFT_SELF] = true};
    struct quality_drift drift = {0};
    for (uint64_t seed = 1; seed < 6; seed++) {
        assert_int_equal(judge(&drift, seed, seed < 3 ? 0 : 0.3f, &bugs), QUALITY_DRIFT_NOTHING);
    }
    quality_drift_release(&drift);
}

/* The choice of listings depends on which there were, not on their order or how often. */
static void test_choice(void **state) {
    (void)state;
    struct quality_drift a = {0}, b = {0};
    for (uint64_t id = 0; id < 500; id++) {
        quality_drift_offer(&a, id, 9);
        quality_drift_offer(&b, 499 - id, 9);
        quality_drift_offer(&b, 499 - id, 9);
    }
    assert_int_equal(a.count, QUALITY_SAMPLE_MAX);
    assert_int_equal(b.count, QUALITY_SAMPLE_MAX);
    assert_memory_equal(a.ids, b.ids, sizeof a.ids);
    assert_memory_equal(a.keys, b.keys, sizeof a.keys);
}

/* ---- The machine ---- */

enum { FETCH_LISTING = 2, FETCH_LETTERS, FETCH_CONTROL };

static struct script *begun(void) {
    struct pipeline_config config = {.partitions = 1,
                                     .quality_window_ns = 10 * VTIME_MINUTE,
                                     .quality_drift_ns = VTIME_HOUR,
                                     .reconcile_settle_ns = VTIME_MINUTE};
    struct script *s = script_new(MACHINE_QUALITY, &config, NULL);
    script_begin(s);
    s->quiet_fetch = true;
    return s;
}

/* It reads the listing feed, the dead letters and the commands, and keeps its windows. */
static void test_reads(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 2};
    struct script *s = script_new(MACHINE_QUALITY, &config, NULL);
    script_assign(s, 1, 1, (const uint32_t[]){0});
    script_expect(s, "#1 load-state quality/0 generation 1\n");
    script_load(s, 1);
    script_expect(s, "#2 fetch listing-changes/0 from 0\n"
                     "#3 fetch listing-changes/1 from 0\n"
                     "#4 fetch dead-letter/0 from 0\n"
                     "#5 fetch dead-letter/1 from 0\n"
                     "#6 fetch control/0 from 0\n"
                     "timer in 600000 ms\n"
                     "timer in 3600000 ms\n");
    script_free(s);
}

/* Raised with the batch that shows it, and cleared after a whole window without. */
static void test_alert_and_clear(void **state) {
    (void)state;
    struct script *s = begun();
    script_records(
        s, FETCH_LISTING, 0,
        TEXTS("listing 1 @9000 price=1", "listing 2 @9000 price=1", "listing 3 @9001 price=1"));
    script_expect(s, "alert future-timestamps listing-changes error: 3 events are dated ahead of "
                     "their append, one of listing 3 by 2h30m\n");
    script_wait(s, 10 * VTIME_MINUTE);
    assert_null(strstr(script_told(s), "alert"));
    script_wait(s, 10 * VTIME_MINUTE);
    assert_non_null(strstr(script_told(s), "alert future-timestamps listing-changes cleared: a "
                                           "whole window passed without\n"));
    script_free(s);
}

/* A restarted monitor does not tell again what it told. */
static void test_restart(void **state) {
    (void)state;
    struct script *s = begun();
    script_records(
        s, FETCH_LISTING, 0,
        TEXTS("listing 1 @9000 price=1", "listing 2 @9000 price=1", "listing 3 @9001 price=1"));
    script_wait(s, VTIME_MINUTE);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    script_skip(s);
    script_records(s, FETCH_LISTING, 3, TEXTS("listing 4 @9000 price=1"));
    script_expect(s, "");
    script_free(s);
}

/* Listings whose text changed are looked at once an hour, when there are enough. */
static void test_looks_at_vectors(void **state) {
    (void)state;
    struct script *s = begun();
    char lines[QUALITY_SAMPLE_MIN + 1][64];
    const char *texts[QUALITY_SAMPLE_MIN + 2] = {NULL};
    for (size_t i = 0; i < QUALITY_SAMPLE_MIN; i++) {
        snprintf(lines[i], sizeof lines[i], "listing %zu @0 title=Lamp", i + 1);
        texts[i] = lines[i];
    }
    snprintf(lines[QUALITY_SAMPLE_MIN], sizeof lines[0], "listing 99 @0 price=1");
    texts[QUALITY_SAMPLE_MIN] = lines[QUALITY_SAMPLE_MIN];
    script_records(s, FETCH_LISTING, 0, texts);
    script_wait(s, VTIME_HOUR);
    uint64_t read = script_newest(s, EFFECT_READ_VECTORS);
    assert_int_not_equal(read, 0);
    assert_int_equal(script_request(s, read)->read.count, QUALITY_SAMPLE_MIN);
    script_free(s);
}

static void answer_walk(struct script *s, uint64_t request, uint64_t listing_id, vtime written) {
    struct effect *scan = script_request(s, request);
    scan->scan.rows[0] = (struct scan_row){.listing_id = listing_id, .changed_at = written};
    scan->scan.count = 1;
    scan->scan.complete = true;
    script_answer(s, request);
}

/* Every collection is walked, rows of the stretch are written anew, and the walk is done again
 * until there are none; a crash in the middle goes on with it. */
static void test_reembed(void **state) {
    (void)state;
    struct script *s = begun();
    script_records(s, FETCH_CONTROL, 0, TEXTS("control re-embed @900 from=100 to=800"));
    struct effect *purge = script_request(s, script_newest(s, EFFECT_ERASE));
    assert_int_equal(purge->erase.target, ERASE_ARTIFACTS_OF_STRETCH);
    assert_int_equal(purge->erase.artifacts_from.ns, text_time(100).ns);
    assert_true(purge->erase.artifacts_until.ns <= text_time(800).ns);
    assert_int_equal(script_newest(s, EFFECT_SCAN), 0); /* what was kept goes first */
    script_answer(s, purge->request);
    script_skip(s);
    answer_walk(s, script_newest(s, EFFECT_SCAN), 7, text_time(100));
    assert_non_null(strstr(script_told(s), "repair vector-text v1 anew 7\n"));
    script_wait(s, VTIME_MINUTE);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    assert_non_null(strstr(script_told(s), "scan vector-image"));
    script_skip(s);
    answer_walk(s, script_newest(s, EFFECT_SCAN), 7, text_time(99));
    answer_walk(s, script_newest(s, EFFECT_SCAN), 7, text_time(800));
    assert_null(strstr(script_told(s), "repair"));
    assert_int_equal(script_newest(s, EFFECT_SCAN), 0);
    script_wait(s, 2 * VTIME_MINUTE); /* a row was found: once more */
    script_answer(s, script_newest(s, EFFECT_ERASE));
    for (int store = 0; store < 3; store++) {
        answer_walk(s, script_newest(s, EFFECT_SCAN), 7, text_time(1000));
    }
    script_wait(s, 2 * VTIME_MINUTE);
    assert_int_equal(script_newest(s, EFFECT_SCAN), 0);
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_nulls_need_learning),
        cmocka_unit_test(test_what_struck_does_not_teach),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_future),
        cmocka_unit_test(test_absence),
        cmocka_unit_test(test_loads),
        cmocka_unit_test(test_feed_checkpoint),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_drift_self),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_alert_and_clear),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_looks_at_vectors),
        cmocka_unit_test(test_reembed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
