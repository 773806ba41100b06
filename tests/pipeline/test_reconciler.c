/*
 * The reconciler (D1): it reads row by row only where stores differ, names each difference by its
 * class, repairs where the loss happened, and looks again.
 */
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

#include "tests/support/machine_script.h"

enum { STORED_MAX = 40000 };

enum { ALL_PATHS = 7, NOT_SCAN = 6, NOT_BY_ID = 5 }; /* bits of enum scan_path */

/* A row of a store, and the paths that find it. */
struct stored {
    enum scan_store store;
    unsigned paths;
    struct scan_row row;
};

/* The stores of a test: rows in order of listing id. */
struct stores {
    struct stored *rows;
    size_t count;
    size_t digests, leaves; /* asked for */
    uint64_t widest_leaf;
};

static struct stores stores_new(void) {
    struct stores stores = {.rows = malloc(STORED_MAX * sizeof *stores.rows)};
    assert_non_null(stores.rows);
    return stores;
}

static struct scan_row *put(struct stores *stores, enum scan_store store, struct scan_row row) {
    assert_true(stores->count < STORED_MAX);
    size_t at = stores->count++;
    while (at > 0 && stores->rows[at - 1].row.listing_id > row.listing_id) {
        stores->rows[at] = stores->rows[at - 1];
        at--;
    }
    stores->rows[at] = (struct stored){store, ALL_PATHS, row};
    return &stores->rows[at].row;
}

static void drop(struct stores *stores, enum scan_store store, uint64_t id) {
    size_t kept = 0;
    for (size_t i = 0; i < stores->count; i++) {
        if (stores->rows[i].store != store || stores->rows[i].row.listing_id != id) {
            stores->rows[kept++] = stores->rows[i];
        }
    }
    stores->count = kept;
}

static struct stored *find(struct stores *stores, enum scan_store store, uint64_t id) {
    for (size_t i = 0; i < stores->count; i++) {
        if (stores->rows[i].store == store && stores->rows[i].row.listing_id == id) {
            return &stores->rows[i];
        }
    }
    fail_msg("no such row");
    return NULL;
}

/* A listing that stands in every store as it should: text alone, changed long ago. */
static void put_listing(struct stores *stores, uint64_t id) {
    struct scan_row row = {.listing_id = id,
                           .version = doc_version_pack(0, (int64_t)(id % 10000)),
                           .source_hash = 10 * id,
                           .whole_hash = 100 * id,
                           .content_hash = 5,
                           .model_version = 1,
                           .alive = true,
                           .changed_at = text_time(-86400)};
    put(stores, SCAN_VECTOR_TEXT, row);
    put(stores, SCAN_VECTOR_FUSED, row);
    put(stores, SCAN_KEYWORD, row)->model_version = 0;
    struct scan_row *gold = put(stores, SCAN_GOLD, row);
    gold->modalities = 1u << MODALITY_TEXT | 1u << MODALITY_FUSED;
    struct scan_row *oltp = put(stores, SCAN_OLTP, row);
    oltp->version = DOC_VERSION_NONE;
    oltp->whole_hash = 0;
}

/* Deleted in the source and everywhere else, long ago. */
static void put_deleted(struct stores *stores, uint64_t id) {
    put_listing(stores, id);
    drop(stores, SCAN_VECTOR_TEXT, id);
    drop(stores, SCAN_VECTOR_FUSED, id);
    drop(stores, SCAN_KEYWORD, id);
    find(stores, SCAN_GOLD, id)->row.alive = false;
    find(stores, SCAN_OLTP, id)->row.alive = false;
}

static void answer_scan(struct script *s, struct stores *stores, uint64_t request) {
    struct effect *scan = script_request(s, request);
    scan->scan.complete = true;
    for (size_t i = 0; i < stores->count; i++) {
        const struct stored *stored = &stores->rows[i];
        if (stored->store != scan->scan.store || (stored->paths >> scan->scan.path & 1) == 0 ||
            stored->row.listing_id < scan->scan.first || stored->row.listing_id > scan->scan.last) {
            continue;
        }
        scan_digest_add(&scan->scan.digest, stored->store, &stored->row);
        if (scan->scan.count < scan->scan.max) {
            scan->scan.rows[scan->scan.count++] = stored->row;
        } else {
            scan->scan.complete = false;
        }
    }
    if (scan->scan.store == SCAN_OLTP) {
        stores->digests += scan->scan.max == 0;
        stores->leaves += scan->scan.max > 0;
        if (scan->scan.max > 0 && scan->scan.last - scan->scan.first + 1 > stores->widest_leaf) {
            stores->widest_leaf = scan->scan.last - scan->scan.first + 1;
        }
    }
    script_answer(s, request);
}

/* The aliases of all modalities point to that model. */
static void answer_targets(struct script *s, uint32_t model) {
    uint64_t request = script_newest(s, EFFECT_VECTOR_ADMIN);
    for (int m = 0; m < MODALITY_COUNT; m++) {
        script_request(s, request)->admin.targets.aliases[m] = model;
    }
    script_answer(s, request);
}

/* Answers scans until the pass is over, and forgets what was told of them: what is left is what the
 * pass said in the end. */
static void pass(struct script *s, struct stores *stores) {
    uint64_t request;
    if (script_newest(s, EFFECT_VECTOR_ADMIN) != 0) {
        answer_targets(s, 1);
    }
    while ((request = script_newest(s, EFFECT_SCAN)) != 0) {
        script_skip(s);
        answer_scan(s, stores, request);
    }
}

static struct script *begun(const struct pipeline_config *config) {
    struct script *s = script_new(MACHINE_RECONCILER, config, NULL);
    s->quiet_fetch = true;
    script_start(s);
    script_skip(s);
    return s;
}

/* One pass of a fresh reconciler over the stores. */
static struct script *reconcile(struct stores *stores) {
    struct script *s = begun(NULL);
    script_command(s, COMMAND_RECONCILE, SCAN_OLTP, 0, NULL);
    pass(s, stores);
    return s;
}

/* Reconciles twenty sound listings of which one was disturbed, and expects that. */
static void expect_of(struct stores *stores, const char *text) {
    struct script *s = reconcile(stores);
    script_expect(s, text);
    script_free(s);
    free(stores->rows);
}

static struct stores twenty(void) {
    struct stores stores = stores_new();
    for (uint64_t id = 1; id <= 20; id++) {
        put_listing(&stores, id);
    }
    return stores;
}

/* It asks every store for the digest of everything, by scan and by search; nothing differs, and
 * nothing is read row by row. */
static void test_equal_stores(void **state) {
    (void)state;
    struct stores stores = twenty();
    put_deleted(&stores, 21);
    struct script *s = begun(NULL);
    script_command(s, COMMAND_RECONCILE, SCAN_OLTP, 0, NULL);
    script_expect(s, "#1 vector-admin targets\n");
    answer_targets(s, 1);
    script_expect(s, "#2 scan oltp scan 0 and on\n"
                     "#3 scan gold scan 0 and on\n"
                     "#4 scan vector-text scan 0 and on\n"
                     "#5 scan vector-text search 0 and on\n"
                     "#6 scan vector-image scan 0 and on\n"
                     "#7 scan vector-image search 0 and on\n"
                     "#8 scan vector-fused scan 0 and on\n"
                     "#9 scan vector-fused search 0 and on\n"
                     "#10 scan keyword scan 0 and on\n"
                     "#11 scan keyword search 0 and on\n");
    pass(s, &stores);
    script_expect(s, "report run 1 pass 0 compared 0 repairs 0\n");
    assert_int_equal(stores.leaves, 0);
    assert_int_equal(script_timers(s), 0);
    script_free(s);
    free(stores.rows);
}

/* Empty stores are equal. */
static void test_empty_stores(void **state) {
    (void)state;
    struct stores stores = stores_new();
    expect_of(&stores, "report run 1 pass 0 compared 0 repairs 0\n");
}

/* Each class of difference, and where its repair goes. A row that its store lost is written again
 * by the builder; a change that the log never had is published again from OLTP. */
static void test_missing_row(void **state) {
    (void)state;
    struct stores stores = twenty();
    drop(&stores, SCAN_VECTOR_TEXT, 7);
    expect_of(&stores, "repair vector-text v1 7\n"
                       "report run 1 pass 0 compared 20 repairs 1\n"
                       "    vector-text missing 1\n");
}

static void test_missing_in_gold(void **state) {
    (void)state;
    struct stores stores = twenty();
    drop(&stores, SCAN_VECTOR_TEXT, 7);
    drop(&stores, SCAN_VECTOR_FUSED, 7);
    drop(&stores, SCAN_KEYWORD, 7);
    drop(&stores, SCAN_GOLD, 7);
    /* Which serving rows it should have is not known before gold has it. */
    expect_of(&stores, "#26 republish 7\n"
                       "report run 1 pass 0 compared 20 repairs 1\n"
                       "    gold missing 1\n");
}

/* Deleted in the source without a word to the log, as a dual write does: still served (D1). */
static void test_deleted_product_still_searchable(void **state) {
    (void)state;
    struct stores stores = twenty();
    find(&stores, SCAN_OLTP, 7)->row.alive = false;
    expect_of(&stores, "#26 republish 7\n"
                       "report run 1 pass 0 compared 20 repairs 1\n"
                       "    gold orphan 1\n"
                       "    vector-text orphan 1\n"
                       "    vector-fused orphan 1\n"
                       "    keyword orphan 1\n");
}

/* Deleted in gold too: the pipeline knows better, and a store brought the row back. */
static void test_resurrected_row(void **state) {
    (void)state;
    struct stores stores = twenty();
    find(&stores, SCAN_OLTP, 7)->row.alive = false;
    find(&stores, SCAN_GOLD, 7)->row.alive = false;
    drop(&stores, SCAN_VECTOR_FUSED, 7);
    drop(&stores, SCAN_KEYWORD, 7);
    expect_of(&stores, "repair vector-text v1 7\n"
                       "report run 1 pass 0 compared 20 repairs 1\n"
                       "    vector-text resurrected 1\n");
}

/* A row that neither the source nor gold ever heard of: no document can overrule it, so that it is
 * gone is published. */
static void test_orphan_row(void **state) {
    (void)state;
    struct stores stores = twenty();
    struct scan_row ghost = find(&stores, SCAN_KEYWORD, 7)->row;
    ghost.listing_id = 99;
    put(&stores, SCAN_KEYWORD, ghost);
    expect_of(&stores, "#26 republish 99\n"
                       "report run 1 pass 0 compared 21 repairs 1\n"
                       "    keyword orphan 1\n");
}

static void test_duplicate_row(void **state) {
    (void)state;
    struct stores stores = twenty();
    put(&stores, SCAN_VECTOR_FUSED, find(&stores, SCAN_VECTOR_FUSED, 7)->row);
    expect_of(&stores, "repair vector-fused v1 7\n"
                       "report run 1 pass 0 compared 20 repairs 1\n"
                       "    vector-fused duplicate 1\n");
}

static void test_stale_row(void **state) {
    (void)state;
    struct stores stores = twenty();
    struct scan_row *row = &find(&stores, SCAN_VECTOR_TEXT, 7)->row;
    row->version = doc_version_pack(0, 3);
    row->whole_hash = 1;
    expect_of(&stores, "repair vector-text v1 7\n"
                       "report run 1 pass 0 compared 20 repairs 1\n"
                       "    vector-text stale 1\n");
}

/* The source moved on and the log never heard of it: gold is stale, and so is what it feeds. */
static void test_stale_everywhere(void **state) {
    (void)state;
    struct stores stores = twenty();
    find(&stores, SCAN_OLTP, 7)->row.source_hash = 1;
    expect_of(&stores, "#26 republish 7\n"
                       "report run 1 pass 0 compared 20 repairs 1\n"
                       "    gold stale 1\n"
                       "    vector-text stale 1\n"
                       "    vector-fused stale 1\n"
                       "    keyword stale 1\n");
}

/* The same version with other content, two paths of one store that disagree, or a row that says of
 * its seller what is not so and is filtered out for it (A7). */
static void test_mismatched_rows(void **state) {
    (void)state;
    struct stores stores = twenty();
    find(&stores, SCAN_VECTOR_TEXT, 7)->row.whole_hash = 1;
    find(&stores, SCAN_VECTOR_FUSED, 8)->paths = NOT_SCAN;
    find(&stores, SCAN_KEYWORD, 9)->paths = 1u << SCAN_BY_SCAN | 1u << SCAN_BY_ID;
    find(&stores, SCAN_KEYWORD, 10)->paths = NOT_BY_ID;
    find(&stores, SCAN_KEYWORD, 11)->row.suppressed = true;
    expect_of(&stores, "repair vector-text v1 7\n"
                       "repair vector-fused v1 8\n"
                       "repair keyword 9 10 11\n"
                       "report run 1 pass 0 compared 20 repairs 5\n"
                       "    vector-text mismatch 1\n"
                       "    vector-fused mismatch 1\n"
                       "    keyword mismatch 3\n");
}

/* What readers see counts: rows of the model that the aliases point to are right, and repairs go to
 * its collections (A10). */
static void test_follows_the_aliases(void **state) {
    (void)state;
    struct stores stores = twenty();
    for (size_t i = 0; i < stores.count; i++) {
        stores.rows[i].row.model_version *= 2;
    }
    find(&stores, SCAN_VECTOR_TEXT, 7)->row.model_version = 1;
    struct script *s = begun(NULL);
    script_command(s, COMMAND_RECONCILE, SCAN_OLTP, 0, NULL);
    answer_targets(s, 2);
    assert_int_equal(script_request(s, script_newest(s, EFFECT_SCAN))->scan.model_version, 0);
    pass(s, &stores);
    script_expect(s, "repair vector-text v2 7\n"
                     "report run 1 pass 0 compared 20 repairs 1\n"
                     "    vector-text wrong_model 1\n");
    script_free(s);
    free(stores.rows);
}

/* Collections that are dropped under a pass, since readers were led to others, tell nothing: the
 * pass begins again, with a look at the aliases (A10). */
static void test_collection_dropped_under_a_pass(void **state) {
    (void)state;
    struct stores stores = twenty();
    struct script *s = begun(NULL);
    script_command(s, COMMAND_RECONCILE, SCAN_OLTP, 0, NULL);
    answer_targets(s, 1);
    uint64_t request;
    while ((request = script_newest(s, EFFECT_SCAN)) != 0) {
        if (script_request(s, request)->scan.store == SCAN_VECTOR_TEXT) {
            script_fail(s, request, PORT_NOT_FOUND);
        } else {
            answer_scan(s, &stores, request);
        }
    }
    script_skip(s);
    assert_int_equal(script_timers(s), 1);
    script_timer(s);
    script_expect(s, "#12 vector-admin targets\n");
    pass(s, &stores);
    script_expect(s, "report run 1 pass 0 compared 0 repairs 0\n");
    script_free(s);
    free(stores.rows);
}

/* A row made by another model is found although it agrees in everything else. */
static void test_wrong_model(void **state) {
    (void)state;
    struct stores stores = twenty();
    find(&stores, SCAN_VECTOR_TEXT, 7)->row.model_version = 2;
    expect_of(&stores, "repair vector-text v1 7\n"
                       "report run 1 pass 0 compared 20 repairs 1\n"
                       "    vector-text wrong_model 1\n");
}

/* The seller is suppressed, gold knows it, and a store still serves the listing (A8). */
static void test_suppressed_and_served(void **state) {
    (void)state;
    struct stores stores = twenty();
    find(&stores, SCAN_OLTP, 7)->row.suppressed = true;
    find(&stores, SCAN_GOLD, 7)->row.suppressed = true;
    drop(&stores, SCAN_VECTOR_TEXT, 7);
    drop(&stores, SCAN_VECTOR_FUSED, 7);
    expect_of(&stores, "repair keyword 7\n"
                       "report run 1 pass 0 compared 20 repairs 1\n"
                       "    keyword suppressed_served 1\n");
}

/* What changed after the cutoff, in the source or in gold, is in flight: no drift, no repair. */
static void test_in_flight(void **state) {
    (void)state;
    struct stores stores = twenty();
    find(&stores, SCAN_OLTP, 7)->row.source_hash = 1;
    find(&stores, SCAN_OLTP, 7)->row.changed_at = text_time(-299);
    drop(&stores, SCAN_KEYWORD, 8);
    find(&stores, SCAN_GOLD, 8)->row.changed_at = text_time(-299);
    drop(&stores, SCAN_KEYWORD, 9);
    find(&stores, SCAN_GOLD, 9)->row.changed_at = text_time(-300); /* just old enough */
    expect_of(&stores, "repair keyword 9\n"
                       "report run 1 pass 0 compared 20 repairs 1\n"
                       "    gold in_flight 1\n"
                       "    vector-text in_flight 1\n"
                       "    vector-fused in_flight 1\n"
                       "    keyword missing 1\n"
                       "    keyword in_flight 2\n");
}

/* Of many listings only the ranges that differ are split and read. */
static void test_splits_what_differs(void **state) {
    (void)state;
    struct stores stores = stores_new();
    for (uint64_t id = 1; id <= 5000; id++) {
        put_listing(&stores, id);
    }
    find(&stores, SCAN_VECTOR_TEXT, 4321)->row.whole_hash = 1;
    struct script *s = reconcile(&stores);
    assert_non_null(strstr(script_told(s), "repair vector-text v1 4321\n"));
    /* 5,000 are split into 16; the one of 313 that differs into 16 again; one leaf of 20. */
    assert_int_equal(stores.leaves, 1);
    assert_int_equal(stores.digests, 1 + 16 + 16);
    assert_in_range(stores.widest_leaf, 1, 20);
    script_free(s);
    free(stores.rows);
}

/* More copies of one row than a leaf has room for do not keep it busy for ever. */
static void test_one_id_a_thousand_times(void **state) {
    (void)state;
    struct stores stores = twenty();
    for (int i = 0; i < 1500; i++) {
        put(&stores, SCAN_VECTOR_TEXT, find(&stores, SCAN_VECTOR_TEXT, 7)->row);
    }
    struct script *s = reconcile(&stores);
    assert_non_null(strstr(script_told(s), "repair vector-text v1 7\n"));
    assert_non_null(strstr(script_told(s), "vector-text duplicate 1\n"));
    script_free(s);
    free(stores.rows);
}

/* Ids at the ends of their range are found like any other. */
static void test_extreme_ids(void **state) {
    (void)state;
    struct stores stores = stores_new();
    put_listing(&stores, 0);
    put_listing(&stores, UINT64_MAX - 1);
    put_listing(&stores, UINT64_MAX);
    drop(&stores, SCAN_KEYWORD, 0);
    drop(&stores, SCAN_VECTOR_TEXT, UINT64_MAX);
    expect_of(&stores, "repair vector-text v1 18446744073709551615\n"
                       "repair keyword 0\n"
                       "report run 1 pass 0 compared 3 repairs 2\n"
                       "    vector-text missing 1\n"
                       "    keyword missing 1\n");
}

/* After repairs have settled it looks again, until nothing differs. */
static void test_looks_again(void **state) {
    (void)state;
    struct stores stores = twenty();
    struct scan_row lost = find(&stores, SCAN_KEYWORD, 7)->row;
    drop(&stores, SCAN_KEYWORD, 7);
    struct script *s = reconcile(&stores);
    script_skip(s);
    put(&stores, SCAN_KEYWORD, lost);
    script_timer(s);
    assert_int_equal(s->now.ns, text_time(120).ns);
    pass(s, &stores);
    script_expect(s, "report run 1 pass 1 compared 0 repairs 0\n");
    assert_int_equal(script_timers(s), 0);
    script_command(s, COMMAND_RECONCILE, SCAN_OLTP, 0, NULL);
    pass(s, &stores);
    script_expect(s, "report run 2 pass 0 compared 0 repairs 0\n");
    script_free(s);
    free(stores.rows);
}

/* A repair that does not help is not tried for ever: passes are bounded, and the last one shows
 * what remains. */
static void test_passes_are_bounded(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .reconcile_passes_max = 3};
    struct stores stores = twenty();
    drop(&stores, SCAN_KEYWORD, 7);
    struct script *s = begun(&config);
    script_command(s, COMMAND_RECONCILE, SCAN_OLTP, 0, NULL);
    for (int i = 0; i < 2; i++) {
        pass(s, &stores);
        script_skip(s);
        script_timer(s);
    }
    pass(s, &stores);
    script_expect(s, "report run 1 pass 2 compared 20 repairs 0\n"
                     "    keyword missing 1\n");
    assert_int_equal(script_timers(s), 0);
    script_free(s);
    free(stores.rows);
}

/* It can be told to show the differences only. */
static void test_repair_off(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .reconcile_repair_off = true};
    struct stores stores = twenty();
    drop(&stores, SCAN_KEYWORD, 7);
    struct script *s = begun(&config);
    script_command(s, COMMAND_RECONCILE, SCAN_OLTP, 0, NULL);
    pass(s, &stores);
    script_expect(s, "report run 1 pass 0 compared 20 repairs 0\n"
                     "    keyword missing 1\n");
    assert_int_equal(script_timers(s), 0);
    script_free(s);
    free(stores.rows);
}

/* With an interval it starts by itself; a command while it runs is answered by the one that runs.
 */
static void test_interval_and_command(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .reconcile_interval_ns = VTIME_HOUR};
    struct stores stores = twenty();
    struct script *s = begun(&config);
    script_timer(s);
    answer_targets(s, 1);
    assert_int_equal(script_waiting(s), 10);
    script_command(s, COMMAND_RECONCILE, SCAN_OLTP, 0, NULL);
    assert_int_equal(script_waiting(s), 10);
    pass(s, &stores);
    script_expect(s, "report run 1 pass 0 compared 0 repairs 0\n");
    script_timer(s);
    pass(s, &stores);
    script_expect(s, "report run 2 pass 0 compared 0 repairs 0\n");
    script_free(s);
    free(stores.rows);
}

/* A store that cannot be asked just now is asked again; the pass waits for it (A14). */
static void test_unavailable_store(void **state) {
    (void)state;
    struct stores stores = twenty();
    struct script *s = begun(NULL);
    script_command(s, COMMAND_RECONCILE, SCAN_OLTP, 0, NULL);
    script_skip(s);
    script_fail(s, 1, PORT_UNAVAILABLE);
    script_expect(s, "resend #1\n");
    answer_targets(s, 1);
    script_skip(s);
    script_fail(s, 3, PORT_UNAVAILABLE);
    script_expect(s, "resend #3\n");
    pass(s, &stores);
    script_expect(s, "report run 1 pass 0 compared 0 repairs 0\n");
    script_free(s);
    free(stores.rows);
}

/* A republication whose reply was lost is asked for again: records that come twice are no news. */
static void test_republish_again(void **state) {
    (void)state;
    struct stores stores = twenty();
    find(&stores, SCAN_OLTP, 7)->row.alive = false;
    struct script *s = reconcile(&stores);
    script_skip(s);
    uint64_t request = script_newest(s, EFFECT_REPUBLISH);
    script_fail(s, request, PORT_UNKNOWN);
    script_expect(s, "resend #26\n");
    script_answer(s, request);
    script_expect(s, "");
    assert_int_equal(script_waiting(s), 0);
    script_free(s);
    free(stores.rows);
}

/* A report shows the first differences one by one, with the versions that were expected and seen.
 */
static void test_samples(void **state) {
    (void)state;
    struct stores stores = stores_new();
    for (uint64_t id = 1; id <= 100; id++) {
        put_listing(&stores, id);
        find(&stores, SCAN_VECTOR_TEXT, id)->row.version = 3;
    }
    struct script *s = reconcile(&stores);
    assert_non_null(strstr(script_told(s), "vector-text stale 99\n"));
    assert_int_equal(s->report.sample_count, 64);
    assert_int_equal(s->samples[0].listing_id, 1);
    assert_int_equal(s->samples[0].class, DRIFT_STALE);
    assert_int_equal(s->samples[0].store, SCAN_VECTOR_TEXT);
    assert_int_equal(s->samples[0].expected_version, doc_version_pack(0, 1));
    assert_int_equal(s->samples[0].observed_version, 3);
    script_free(s);
    free(stores.rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_stores),
        cmocka_unit_test(test_empty_stores),
        cmocka_unit_test(test_missing_row),
        cmocka_unit_test(test_missing_in_gold),
        cmocka_unit_test(test_deleted_product_still_searchable),
        cmocka_unit_test(test_resurrected_row),
        cmocka_unit_test(test_orphan_row),
        cmocka_unit_test(test_duplicate_row),
        cmocka_unit_test(test_stale_row),
        cmocka_unit_test(test_stale_everywhere),
        cmocka_unit_test(test_mismatched_rows),
        cmocka_unit_test(test_follows_the_aliases),
        cmocka_unit_test(test_collection_dropped_under_a_pass),
        cmocka_unit_test(test_wrong_model),
        cmocka_unit_test(test_suppressed_and_served),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_splits_what_differs),
        cmocka_unit_test(test_one_id_a_thousand_times),
        cmocka_unit_test(test_extreme_ids),
        cmocka_unit_test(test_looks_again),
        cmocka_unit_test(test_passes_are_bounded),
        cmocka_unit_test(test_repair_off),
        cmocka_unit_test(test_interval_and_command),
        cmocka_unit_test(test_unavailable_store),
        cmocka_unit_test(test_republish_again),
        cmocka_unit_test(test_samples),
    };
    return cmocka_run_group_tests_name("reconciler", tests, NULL, NULL);
}
