/*
 * The freshness that the oracle measures: samples, minutes and quantiles, on stories that are told
 * at known moments.
 */
#include "sim/prng.h"
#include "tests/sim/oracle_world.h"

/* ---- Freshness ---- */

/* Lags run from the feed's append, and beside it from the seller's moment, to the store's write. */
static void lags_are_measured(void **state) {
    (void)state;
    struct world *w = world_new();
    struct message m = creation(w, 1);
    said(w, OP_LISTING_CREATE, &m);
    pass(w, 10);
    fed(w, &m);
    pass(w, 1);
    logged(w, &m, 1);
    assert_int_equal(oracle_freshness(w->o, 0).pending, 1);
    pass(w, 4);
    deliver_vectors(w, 1);
    pass(w, 5);
    deliver_keyword(w, 1);
    pass(w, 20);
    deliver_warehouse(w, 1);
    static const int64_t lags_s[ORACLE_FRESH_STORES] = {5, 10, 30};
    for (size_t i = 0; i < ORACLE_FRESH_STORES; i++) {
        struct oracle_freshness f = oracle_freshness(w->o, i);
        assert_int_equal(f.pending, 0);
        assert_int_equal(f.visibility->count, 1);
        assert_int_equal(f.visibility->max_ns, lags_s[i] * VTIME_SECOND);
        assert_int_equal(f.event->max_ns, (lags_s[i] + 10) * VTIME_SECOND);
        assert_int_equal(lag_quantile_ns(f.visibility, 950), lags_s[i] * VTIME_SECOND);
        assert_int_equal(f.worst_listing, 1);
    }
    assert_int_equal(oracle_feed_lag(w->o, TOPIC_LISTING)->max_ns, 10 * VTIME_SECOND);
    world_free(w);
}

/* A newer version shows the older changes too; what is suppressed is seen in gold alone. */
static void newer_versions_show_older_changes(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, price_change(w, 1, 5));
    tell(w, price_change(w, 1, 6));
    tell(w, price_change(w, 1, 6)); /* no change: no sample */
    assert_int_equal(oracle_freshness(w->o, 0).pending, 2);
    deliver(w, 1);
    assert_int_equal(oracle_freshness(w->o, 0).pending, 0);
    assert_int_equal(oracle_freshness(w->o, 0).visibility->count, 3);
    struct message m = policy(w, POLICY_SUPPRESSED);
    said(w, OP_POLICY, &m);
    fed(w, &m);
    fan_out(w, &m, 1, 1);
    tell(w, price_change(w, 1, 7));
    assert_int_equal(oracle_freshness(w->o, 0).pending, 0);
    assert_int_equal(oracle_freshness(w->o, 1).pending, 0);
    assert_int_equal(oracle_freshness(w->o, 2).pending, 1);
    world_free(w);
}

/* A removal is visible when readers no longer see the listing; before that an update of what is on
 * its way out is not waited for. */
static void removals_are_measured(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, price_change(w, 1, 5));
    tell(w, deletion(w, 1));
    assert_int_equal(oracle_freshness(w->o, 0).pending, 2);
    pass(w, 8);
    deliver(w, 1);
    assert_int_equal(oracle_freshness(w->o, 0).pending, 0);
    assert_int_equal(oracle_freshness(w->o, 0).visibility->count, 3);
    assert_int_equal(oracle_freshness(w->o, 0).visibility->max_ns, 11 * VTIME_SECOND);
    /* Created and deleted before any store heard of it: nobody sees it, and nothing is waited for
     * but gold. */
    tell(w, creation(w, 2));
    tell(w, deletion(w, 2));
    assert_int_equal(oracle_freshness(w->o, 0).pending, 0);
    assert_int_equal(oracle_freshness(w->o, 2).pending, 2);
    world_free(w);
}

/* The store is at the first of two deletions: the second is not visible yet. */
static void a_removal_is_not_the_next_one(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, deletion(w, 1));
    struct vector_write gone = {.listing_id = 1, .kind = ROW_DELETE, .rule = VERSION_GREATER};
    gone.meta.version = w->folded[1].visible_version;
    tell(w, creation(w, 1));
    tell(w, deletion(w, 1));
    assert_int_equal(oracle_freshness(w->o, 0).pending, 3);
    write_vector(w, MODALITY_FUSED, &gone);
    assert_int_equal(oracle_freshness(w->o, 0).pending, 2);
    deliver_vectors(w, 1);
    assert_int_equal(oracle_freshness(w->o, 0).pending, 0);
    world_free(w);
}

/* A change that never becomes visible is in no quantile and fails a check of its own. */
static void never_visible(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, price_change(w, 1, 5));
    deliver_keyword(w, 1);
    deliver_warehouse(w, 1);
    assert_false(oracle_settled(w->o));
    assert_non_null(strstr(oracle_waits_for(w->o), "vector-fused"));
    finish(w);
    assert_only(w, "all-visible convergence");
    assert_int_equal(oracle_freshness(w->o, 0).pending, 1);
    assert_int_equal(oracle_freshness(w->o, 0).visibility->count, 1);
    world_free(w);
}

/* A feed's record that is not routed is waited for. */
static void unrouted_records_are_waited_for(void **state) {
    (void)state;
    struct world *w = world_new();
    struct message m = image(w, 1, RECORD_UPSERT); /* nothing that a reader would see */
    said(w, OP_MEDIA, &m);
    assert_true(oracle_settled(w->o));
    fed(w, &m);
    assert_false(oracle_settled(w->o));
    assert_non_null(strstr(oracle_waits_for(w->o), "media"));
    logged(w, &m, 1);
    deliver_warehouse(w, 1);
    assert_true(oracle_settled(w->o));
    world_free(w);
}

/* Minute by minute: what became visible, what still waits, and how silent the feed is. */
static void minutes(void **state) {
    (void)state;
    struct world *w = world_new();
    tell(w, creation(w, 1)); /* fed at second 1 */
    pass(w, 28);
    deliver(w, 1); /* at second 30: lag 29 s */
    pass(w, 40);
    tell(w, price_change(w, 1, 5)); /* fed at 71 */
    pass(w, 108);
    deliver(w, 1); /* at 180: lag 109 s */
    pass(w, 5);
    finish(w);
    size_t count;
    const struct oracle_minute *m = oracle_minutes(w->o, 0, &count);
    assert_int_equal(count, 4);
    assert_int_equal(oracle_minute_ns(w->o), VTIME_MINUTE);
    assert_int_equal(m[0].samples, 1);
    assert_int_equal(m[0].lag_max_ns, 29 * VTIME_SECOND);
    assert_int_equal(m[0].lag_p95_ns, 29 * VTIME_SECOND);
    assert_int_equal(m[0].pending_age_ns, 0);
    assert_int_equal(m[1].samples, 0);
    assert_int_equal(m[1].pending_age_ns, 49 * VTIME_SECOND);
    assert_int_equal(m[2].pending_age_ns, 109 * VTIME_SECOND);
    assert_int_equal(m[3].samples, 1);
    assert_int_equal(m[3].lag_max_ns, 109 * VTIME_SECOND);
    const struct oracle_feed_minute *f = oracle_feed_minutes(w->o, TOPIC_LISTING, &count);
    assert_int_equal(count, 4);
    assert_int_equal(f[0].records, 1);
    assert_int_equal(f[0].lag_max_ns, VTIME_SECOND);
    assert_int_equal(f[0].silence_ns, 59 * VTIME_SECOND);
    assert_int_equal(f[1].silence_ns, 49 * VTIME_SECOND);
    assert_int_equal(f[2].records, 0);
    assert_int_equal(f[2].silence_ns, 109 * VTIME_SECOND);
    f = oracle_feed_minutes(w->o, TOPIC_ORDER, &count);
    assert_int_equal(f[3].silence_ns, -1);
    world_free(w);
}

/* A long run's minutes grow longer, and no spike is lost in them. */
static void minutes_of_a_long_run(void **state) {
    (void)state;
    struct world *w = world_new();
    tell(w, creation(w, 1));
    pass(w, 600);
    deliver(w, 1);
    for (int day = 0; day < 30; day++) {
        pass(w, 86400);
        probe(w, 1);
        tell(w, price_change(w, 1, day));
        deliver(w, 1);
    }
    finish(w);
    size_t count;
    const struct oracle_minute *m = oracle_minutes(w->o, 0, &count);
    assert_true(count <= 4096);
    assert_int_equal(oracle_minute_ns(w->o), 16 * VTIME_MINUTE);
    uint64_t samples = 0;
    int64_t worst_ns = 0;
    for (size_t i = 0; i < count; i++) {
        samples += m[i].samples;
        worst_ns = m[i].samples > 0 && m[i].lag_max_ns > worst_ns ? m[i].lag_max_ns : worst_ns;
    }
    assert_int_equal(samples, 31);
    assert_int_equal(worst_ns, 601 * VTIME_SECOND);
    int64_t elapsed_ns = vtime_diff(w->now, START);
    assert_int_equal(count, (elapsed_ns + oracle_minute_ns(w->o) - 1) / oracle_minute_ns(w->o));
    world_free(w);
}

/* Quantiles are at most a 32nd too high and never too low. */
static void quantiles(void **state) {
    (void)state;
    struct world *w = world_new();
    struct prng p;
    prng_init(&p, 6, "quantiles");
    int64_t lags_ms[200];
    for (int i = 0; i < 200; i++) {
        tell(w, price_change(w, 1, i));
        lags_ms[i] = prng_range(&p, 0, prng_ratio(&p, 1, 2) ? 100 : 1000000);
        w->now = vtime_add(w->now, lags_ms[i] * VTIME_MILLISECOND);
        deliver_warehouse(w, 1);
        lags_ms[i] += 1000; /* from the feed to the log */
    }
    struct oracle_freshness f = oracle_freshness(w->o, 2);
    assert_int_equal(f.visibility->count, 200);
    static const int permilles[] = {1, 500, 900, 950, 990, 1000};
    for (size_t q = 0; q < sizeof permilles / sizeof *permilles; q++) {
        int64_t said_ns = lag_quantile_ns(f.visibility, permilles[q]);
        int below = 0;
        int64_t exact_ms = 0;
        for (int i = 0; i < 200; i++) {
            below += lags_ms[i] * VTIME_MILLISECOND <= said_ns;
        }
        assert_true(below * 1000 >= 200 * permilles[q]);
        /* The exact one is the smallest with that many at or below it. */
        for (int i = 0; i < 200; i++) {
            int at_most = 0;
            for (int k = 0; k < 200; k++) {
                at_most += lags_ms[k] <= lags_ms[i];
            }
            if (at_most * 1000 >= 200 * permilles[q] && (exact_ms == 0 || lags_ms[i] < exact_ms)) {
                exact_ms = lags_ms[i];
            }
        }
        assert_true(said_ns <= (exact_ms + 1) * VTIME_MILLISECOND * 33 / 32 + VTIME_MILLISECOND);
    }
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lags_are_measured),
        cmocka_unit_test(newer_versions_show_older_changes),
        cmocka_unit_test(removals_are_measured),
        cmocka_unit_test(a_removal_is_not_the_next_one),
        cmocka_unit_test(never_visible),
        cmocka_unit_test(unrouted_records_are_waited_for),
        cmocka_unit_test(minutes),
        cmocka_unit_test(minutes_of_a_long_run),
        cmocka_unit_test(quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
