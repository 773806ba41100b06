/* The result of a run: what it keeps, how it judges, and that running out of memory never loses a
 * failure (D2, D9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/reports/fixture.h"

/* Every quantile lies in [exact, exact * 33/32 + one unit]: never too low, 3.2 % too high at most.
 */
static void test_quantiles_are_never_too_low(void **state) {
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 200; round++) {
        static int64_t values[500];
        static struct histogram h;
        int n = 1 + (int)(fixture_next(&seed) % 500);
        int shift = (int)(fixture_next(&seed) % 14);
        histogram_init(&h, 1000);
        for (int i = 0; i < n; i++) {
            int64_t v = (int64_t)fixture_next(&seed) << shift;
            int j = i;
            for (; j > 0 && values[j - 1] > v; j--)
                values[j] = values[j - 1];
            values[j] = v;
            histogram_add(&h, v);
        }
        for (int permille = 0; permille <= 1000; permille += 50) {
            int rank = (n * permille + 999) / 1000;
            int64_t exact = values[rank > 0 ? rank - 1 : 0];
            int64_t got = histogram_quantile_ns(&h, permille);
            assert_true(got >= exact);
            assert_true(got <= exact + exact / 32 + 1000);
            assert_true(got <= h.max_ns);
        }
        assert_int_equal(h.min_ns, values[0]);
        assert_int_equal(h.max_ns, values[n - 1]);
    }
}

/* Bucket edges rise without a gap, and what is too long or negative is still counted. */
static void test_histogram_edges(void **state) {
    (void)state;
    static struct histogram h;
    histogram_init(&h, 1);
    assert_int_equal(histogram_quantile_ns(&h, 950), -1);
    for (int i = 1; i < HISTOGRAM_BUCKETS; i++)
        assert_true(histogram_edge_ns(&h, i) > histogram_edge_ns(&h, i - 1));
    histogram_add(&h, -5);
    histogram_add(&h, INT64_MAX);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.min_ns, 0);
    assert_int_equal(histogram_quantile_ns(&h, 500), 0);
    assert_true(histogram_quantile_ns(&h, 1000) == INT64_MAX);
}

/* A series never holds more than its bound, stays in order, and keeps the greatest value. */
static void test_series_keeps_spikes(void **state) {
    (void)state;
    uint64_t seed = 9;
    for (int round = 0; round < 20; round++) {
        struct run_result r;
        run_result_init(&r);
        int index = run_result_series(&r, RUN_SERIES_FEED_LAG, "listing");
        int64_t at = FIXTURE_START;
        double max = -1;
        for (int i = 0; i < 20000; i++) {
            /* Mostly forward, sometimes back. */
            at += (int64_t)(fixture_next(&seed) % 3000000000U) - 200000000;
            double value = fixture_next(&seed) % 1000000;
            max = value > max ? value : max;
            run_series_append(&r, index, at, value);
        }
        const struct run_series *s = &r.series[index];
        double kept = -1;
        assert_in_range(s->count, RUN_SERIES_POINTS / 4, RUN_SERIES_POINTS);
        for (size_t i = 0; i < s->count; i++) {
            kept = s->points[i].value > kept ? s->points[i].value : kept;
            if (i > 0)
                assert_true((s->points[i].at_ns - s->start_ns) / s->width_ns >
                                (s->points[i - 1].at_ns - s->start_ns) / s->width_ns ||
                            s->points[i - 1].at_ns < s->start_ns);
        }
        assert_true(kept >= max && kept <= max);
        run_result_release(&r);
    }
}

/* No data breaks a series and never hides a value. */
static void test_series_gap(void **state) {
    (void)state;
    struct run_result r;
    run_result_init(&r);
    int index = run_result_series(&r, RUN_SERIES_STORE_LAG, "vector");
    run_series_append(&r, index, FIXTURE_AT(0), 1);
    run_series_append(&r, index, FIXTURE_AT(1), (double)NAN);
    run_series_append(&r, index, FIXTURE_AT(2), (double)INFINITY);
    run_series_append(&r, index, FIXTURE_AT(3), 2);
    run_series_append(&r, index, FIXTURE_AT(3), (double)NAN);
    assert_int_equal(r.series[index].count, 4);
    assert_true(isnan(r.series[index].points[1].value));
    assert_true(isnan(r.series[index].points[2].value));
    assert_true(r.series[index].points[3].value > 1.5);
    assert_int_equal(run_result_series(&r, RUN_SERIES_STORE_LAG, "vector"), index);
    assert_int_not_equal(run_result_series(&r, RUN_SERIES_FEED_LAG, "vector"), index);
    run_result_release(&r);
}

static enum run_verdict judged(enum run_check_status check, const char *kind,
                               enum run_slo_status slo) {
    struct run_result r;
    run_result_init(&r);
    run_result_add_check(&r, &(struct run_check){.name = "c", .kind = kind, .status = check});
    run_result_add_slo(&r, &(struct run_slo){.name = "s", .unit = "s", .status = slo});
    enum run_verdict verdict = run_result_judge(&r);
    run_result_release(&r);
    return verdict;
}

/* No data is never a pass; correctness outranks freshness; exit statuses are the contract's. */
static void test_verdicts(void **state) {
    (void)state;
    assert_int_equal(judged(RUN_CHECK_PASS, "safety", RUN_SLO_MET), RUN_PASS);
    assert_int_equal(judged(RUN_CHECK_FAIL, "safety", RUN_SLO_MET), RUN_FAIL);
    assert_int_equal(judged(RUN_CHECK_FAIL, "safety", RUN_SLO_BREACHED), RUN_FAIL);
    assert_int_equal(judged(RUN_CHECK_NO_DATA, "safety", RUN_SLO_MET), RUN_FAIL);
    assert_int_equal(judged(RUN_CHECK_FAIL, "freshness", RUN_SLO_MET), RUN_SLO);
    assert_int_equal(judged(RUN_CHECK_NO_DATA, "freshness", RUN_SLO_MET), RUN_SLO);
    assert_int_equal(judged(RUN_CHECK_PASS, "safety", RUN_SLO_BREACHED), RUN_SLO);
    assert_int_equal(judged(RUN_CHECK_PASS, "safety", RUN_SLO_NO_DATA), RUN_SLO);
    struct run_result r;
    fixture_empty(&r);
    assert_int_equal(r.verdict, RUN_ERROR);
    run_result_release(&r);
    assert_int_equal(run_verdict_exit_status(RUN_PASS), 0);
    assert_int_equal(run_verdict_exit_status(RUN_FAIL), 1);
    assert_int_equal(run_verdict_exit_status(RUN_SLO), 2);
    assert_int_equal(run_verdict_exit_status(RUN_ERROR), 70);
}

/* A freshness row without samples, or without an objective, is not met. */
static void test_freshness_without_data_is_not_met(void **state) {
    (void)state;
    static struct run_freshness f;
    memset(&f, 0, sizeof f);
    f.objective_ns = 300 * FIXTURE_SECOND;
    assert_int_equal(run_freshness_status(&f), RUN_SLO_NO_DATA);
    histogram_add(&f.visibility, FIXTURE_SECOND);
    assert_int_equal(run_freshness_status(&f), RUN_SLO_MET);
    histogram_add(&f.visibility, 300 * FIXTURE_SECOND);
    assert_int_equal(run_freshness_status(&f), RUN_SLO_BREACHED);
    f.objective_ns = 0;
    assert_int_equal(run_freshness_status(&f), RUN_SLO_NO_DATA);
}

/* Drift per store adds up per class, and rows in flight are not drift. */
static void test_drift_totals(void **state) {
    (void)state;
    struct run_result r;
    run_result_init(&r);
    fixture_drift(&r);
    assert_int_equal(r.reconciliation.before[RUN_DRIFT_STALE], 41);
    assert_int_equal(run_drift_total(r.reconciliation.before), 75);
    assert_int_equal(run_drift_total(r.reconciliation.after), 3);
    run_result_release(&r);
}

/* Strings are copied, NULL reads as empty, long ones fit, counters add up. */
static void test_strings_and_counters(void **state) {
    (void)state;
    struct run_result r;
    char name[] = "first";
    char *big = malloc(30001);
    assert_non_null(big);
    memset(big, 'x', 30000);
    big[30000] = '\0';
    run_result_init(&r);
    run_result_add_check(&r, &(struct run_check){.name = name, .evidence = big});
    name[0] = 'F';
    memset(big, 'y', 10);
    assert_string_equal(r.checks[0].name, "first");
    assert_string_equal(r.checks[0].kind, "");
    assert_int_equal(r.checks[0].status, RUN_CHECK_NO_DATA);
    assert_int_equal(strlen(r.checks[0].evidence), 30000);
    assert_int_equal(r.checks[0].evidence[0], 'x');
    assert_string_equal(run_result_textf(&r, "%s-%d", "a", 7), "a-7");
    run_result_count_event(&r, "late", 2);
    run_result_count_event(&r, "late", 3);
    run_result_count_reached(&r, "never", 0);
    assert_int_equal(r.events.count, 1);
    assert_int_equal(r.events.items[0].count, 5);
    assert_int_equal(r.reached.count, 1);
    free(big);
    run_result_release(&r);
}

/* Whichever allocation fails, nothing crashes or leaks, and the result says that it is incomplete,
 * until none fails. */
static void test_every_allocation_may_fail(void **state) {
    (void)state;
    struct run_result r;
    long n = 0;
    bool incomplete = true;
    for (; incomplete; n++) {
        run_result_init(&r);
        r.allocations_left = n;
        fixture_identity(&r);
        fixture_checks(&r);
        fixture_slos(&r);
        fixture_drift(&r);
        fixture_faults(&r);
        fixture_alerts(&r);
        fixture_recall(&r);
        int index = run_result_series(&r, RUN_SERIES_FEED_LAG, "listing");
        run_series_append(&r, index, FIXTURE_AT(1), 1);
        int row = run_result_freshness(&r, "vector", 1);
        assert_true(row >= 0 || run_result_incomplete(&r));
        incomplete = run_result_incomplete(&r);
        assert_int_equal(run_result_judge(&r), incomplete ? RUN_ERROR : RUN_FAIL);
        run_result_release(&r);
    }
    assert_true(n > 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_are_never_too_low),
        cmocka_unit_test(test_histogram_edges),
        cmocka_unit_test(test_series_keeps_spikes),
        cmocka_unit_test(test_series_gap),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_freshness_without_data_is_not_met),
        cmocka_unit_test(test_drift_totals),
        cmocka_unit_test(test_strings_and_counters),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
