/*
 * Results for the report suites: one that exercises everything (a failed run with faults, drift and
 * hostile text), one that passed, one that holds nothing.
 */
#ifndef MURPHY_TESTS_REPORTS_FIXTURE_H
#define MURPHY_TESTS_REPORTS_FIXTURE_H

#include <math.h>
#include <stdio.h>

#include "reports/result.h"

#define FIXTURE_SECOND INT64_C(1000000000)
#define FIXTURE_MINUTE (60 * FIXTURE_SECOND)
#define FIXTURE_START INT64_C(1767225600000000000) /* 2026-01-01T00:00:00Z */
#define FIXTURE_SPAN (240 * FIXTURE_MINUTE)
#define FIXTURE_AT(minutes) (FIXTURE_START + (minutes)*FIXTURE_MINUTE)

/* Text as a marketplace and its enemies write it: markup, a terminal escape, a direction override,
 * broken UTF-8, quotes, wide characters. */
#define FIXTURE_HOSTILE                                                                            \
    "<script>alert('x')</script> & \"q\" \x1b[31mred \xE2\x80\xAEtxet \xff\xc3( "                  \
    "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE3\x81\xAE\xE5\x95\x86\xE5\x93\x81 `id` $(id)"

/* A small generator, so that histograms and series look like measurements. */
static inline uint32_t fixture_next(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* Lag of a feed at a minute: small noise, and a ramp while it stood still. */
static inline double fixture_lag(uint64_t *state, int second, int from, int to) {
    double noise = 0.4 + (fixture_next(state) % 1000) / 400.0;
    if (second < from || second > to + 180)
        return noise;
    return second <= to ? noise + second - from : noise + (to - from) * (to + 180 - second) / 180.0;
}

static inline void fixture_series(struct run_result *r) {
    static const struct {
        enum run_series_kind kind;
        const char *name;
        int from, to;
    } lines[] = {
        {RUN_SERIES_FEED_LAG, "listing", 4500, 6900},
        {RUN_SERIES_FEED_LAG, "media", 9000, 9600},
        {RUN_SERIES_FEED_LAG, "policy", 99999, 99999},
        {RUN_SERIES_FEED_LAG, "orders", 10800, 11100},
        {RUN_SERIES_STORE_LAG, "vector", 4500, 6900},
        {RUN_SERIES_STORE_LAG, "keyword", 9000, 9600},
        {RUN_SERIES_STORE_LAG, "warehouse", 11700, 12300},
        {RUN_SERIES_STORE_LAG, "dashboard", 11700, 12420},
    };
    uint64_t state = 7;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int series = run_result_series(r, lines[i].kind, lines[i].name);
        for (int s = 0; s <= 14400; s += 5) {
            double lag = fixture_lag(&state, s, lines[i].from, lines[i].to);
            bool silent = i == 3 && s > 3000 && s < 4200;
            run_series_append(r, series, FIXTURE_START + s * FIXTURE_SECOND,
                              silent ? (double)NAN : lag);
        }
    }
    int recall = run_result_series(r, RUN_SERIES_RECALL, "recall@10");
    for (int s = 60; s <= 14400; s += 60) {
        double dip = s > 9000 && s < 10200 ? 0.08 : 0;
        run_series_append(r, recall, FIXTURE_START + s * FIXTURE_SECOND,
                          1 - dip - (fixture_next(&state) % 4) / 100.0);
    }
}

static inline void fixture_freshness(struct run_result *r) {
    static const struct {
        const char *store;
        int64_t base_ms;
        int slow_percent;
        int64_t slow_ms;
    } stores[] = {{"vector", 2500, 9, 1900000},
                  {"keyword", 1100, 3, 400000},
                  {"warehouse", 31000, 2, 600000},
                  {"dashboard", 62000, 2, 700000}};
    uint64_t state = 11;
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++) {
        int row = run_result_freshness(r, stores[i].store, 300 * FIXTURE_SECOND);
        if (row < 0)
            return;
        struct run_freshness *f = &r->freshness[row];
        for (int n = 0; n < 20000; n++) {
            uint32_t chance = fixture_next(&state) % 100;
            int64_t ms = stores[i].base_ms / 4 + fixture_next(&state) % (2 * stores[i].base_ms);
            if (chance < (uint32_t)stores[i].slow_percent)
                ms += fixture_next(&state) % stores[i].slow_ms;
            histogram_add(&f->visibility, ms * 1000000);
            histogram_add(&f->event, (ms + fixture_next(&state) % 9000) * 1000000);
        }
        f->pending = i == 0 ? 2 : 0;
    }
    /* A store that nothing was written to. */
    run_result_freshness(r, "shadow_v2", 300 * FIXTURE_SECOND);
}

static inline void fixture_drift(struct run_result *r) {
    static const struct run_store_drift drifts[] = {
        {"vector/text", RUN_DRIFT_RESURRECTED, 3, 0},
        {"vector/text", RUN_DRIFT_STALE, 41, 0},
        {"vector/image", RUN_DRIFT_WRONG_MODEL, 12, 0},
        {"vector/fused", RUN_DRIFT_SUPPRESSED_SERVED, 5, 1},
        {"keyword", RUN_DRIFT_ORPHAN, 2, 0},
        {"keyword", RUN_DRIFT_MISMATCH, 1, 0},
        {"warehouse/silver", RUN_DRIFT_DUPLICATE, 4, 2},
        {"warehouse/gold", RUN_DRIFT_MISSING, 7, 0},
        {"dashboard", RUN_DRIFT_IN_FLIGHT, 19, 19},
    };
    r->reconciliation.present = true;
    r->reconciliation.cutoff_ns = FIXTURE_AT(235);
    r->reconciliation.compared = 14211;
    r->reconciliation.repaired = 72;
    for (size_t i = 0; i < sizeof drifts / sizeof *drifts; i++)
        run_result_add_store_drift(r, &drifts[i]);
    run_result_add_sample(
        r, &(struct run_drift_sample){
               .store = "vector/text",
               .listing = "L-0004711",
               .drift = RUN_DRIFT_RESURRECTED,
               .expected = "no row: deleted at 2026-01-01T01:12:30Z, version (3, 81204)",
               .observed = "row at version (3, 80977), served by search at rank 2",
               .reason = "a stale write was retried after the store had collected the tombstone"});
    run_result_add_sample(
        r, &(struct run_drift_sample){.store = "keyword",
                                      .listing = "L-0001234",
                                      .drift = RUN_DRIFT_MISMATCH,
                                      .expected = "title \"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\"",
                                      .observed = "title \"" FIXTURE_HOSTILE "\"",
                                      .reason = "written outside the pipeline (dual write)"});
    run_result_add_sample(
        r, &(struct run_drift_sample){.store = "warehouse/silver",
                                      .listing = "L-0000042",
                                      .drift = RUN_DRIFT_DUPLICATE,
                                      .expected = "one current row",
                                      .observed = "two rows with valid_to = null",
                                      .reason = "a torn micro-batch was loaded twice"});
}

static inline void fixture_checks(struct run_result *r) {
    static const struct run_check checks[] = {
        {"version_never_goes_back", "safety", RUN_CHECK_PASS, "0 writes", "0 of 60,112 writes", 0,
         ""},
        {"no_deleted_listing_served", "safety", RUN_CHECK_FAIL,
         "no query returns a listing more than 30 s after its delete",
         "listing L-0004711 served 92 s after its delete", FIXTURE_AT(74) + 123456789,
         "event 81204  DELETE L-0004711 at T+01:12:30\n"
         "event 81377  retry of batch 902 (reply lost) writes version (3, 80977)\n"
         "event 81512  tombstone collected after 60 s (gc_deletes)\n"
         "query 3318   rank 2, score 0.913, title " FIXTURE_HOSTILE},
        {"no_duplicate_row", "safety", RUN_CHECK_PASS, "0", "0", 0, ""},
        {"nothing_suppressed_served", "safety", RUN_CHECK_PASS, "0", "0", 0, ""},
        {"stores_converge", "convergence", RUN_CHECK_FAIL,
         "every store equals the reference within 10 min of healing",
         "3 rows differ after 10 min 00 s", FIXTURE_AT(240), ""},
        {"reconcile_clean_after_repair", "reconciliation", RUN_CHECK_FAIL, "0 rows", "3 rows",
         FIXTURE_AT(239), "vector/fused: 1 suppressed_served\nwarehouse/silver: 2 duplicate"},
        {"feed_listing_fresh", "freshness", RUN_CHECK_FAIL, "watermark less than 15 min old",
         "39 min 58 s old", FIXTURE_AT(115), "no record on listing.v1 since T+01:15:00"},
        {"stall_is_caught", "caught", RUN_CHECK_PASS, "alert within 5 min of the stall",
         "raised after 4 min 10 s", FIXTURE_AT(79), ""},
        {"erasure_complete", "safety", RUN_CHECK_NO_DATA, "certificate within 72 h",
         "no privacy request was made", 0, ""},
        {"fused_follows_text_and_image", "convergence", RUN_CHECK_PASS, "equal versions",
         "1,988 listings equal", FIXTURE_AT(240), ""},
        {"offsets_never_skip", "safety", RUN_CHECK_PASS, "0 gaps", "0 gaps", 0, ""},
        {"all_points_reached", "coverage", RUN_CHECK_PASS, "11", "11", 0, ""},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        run_result_add_check(r, &checks[i]);
}

static inline void fixture_slos(struct run_result *r) {
    static const struct run_slo slos[] = {
        {"visibility_p95.vector", 300, 812.4, "s", RUN_AT_MOST, RUN_SLO_BREACHED, true, -0.8},
        {"visibility_p95.keyword", 300, 2.31, "s", RUN_AT_MOST, RUN_SLO_MET, true, 0.41},
        {"search_availability", 0.999, 0.9995, "ratio", RUN_AT_LEAST, RUN_SLO_MET, true, 0.52},
        {"recall_at_10", 0.95, 0.9712, "ratio", RUN_AT_LEAST, RUN_SLO_MET, false, 0},
        {"erasure", 259200, 0, "s", RUN_AT_MOST, RUN_SLO_NO_DATA, true, 1},
        {"dead_letters", 10, 3, "events", RUN_AT_MOST, RUN_SLO_MET, true, 0.7},
    };
    for (size_t i = 0; i < sizeof slos / sizeof *slos; i++)
        run_result_add_slo(r, &slos[i]);
}

static inline void fixture_contracts(struct run_result *r) {
    static const struct run_contract contracts[] = {
        {.id = "vectors", .version = "1.0.0", .owner = "search", .about = "Vectors"},
        {.id = "orders", .version = "1.2.0", .owner = "checkout", .about = FIXTURE_HOSTILE},
        {.id = "privacy", .version = "2.0.0", .owner = "legal", .about = "Requests"},
    };
    static const struct run_contract_term terms[] = {
        {"freshness", "something every 30m", "1h4m", RUN_TERM_BROKEN},
        {"latency", "95 % within 5m", "2s", RUN_TERM_HELD},
        {"latency", "95 % within 1m", "4m", RUN_TERM_WAIVED},
        {"latency", "95 % within 1m", "nothing came through", RUN_TERM_IDLE},
    };
    for (size_t i = 0; i < sizeof contracts / sizeof *contracts; i++) {
        run_result_add_contract(r, &contracts[i]);
        run_result_add_term(r, &terms[i == 0 ? 0 : i + 1]);
        if (i == 0)
            run_result_add_term(r, &terms[1]);
    }
}

static inline void fixture_faults(struct run_result *r) {
    static const struct {
        const char *kind;
        uint64_t injected;
    } faults[] = {{"kafka.redeliver", 412}, {"feed.stall", 3},          {"sink.reply_lost", 18},
                  {"sink.partial", 7},      {"producer.late", 96},      {"embedding.throttle", 240},
                  {"worker.crash", 4},      {"vector.tombstone_gc", 61}};
    static const struct run_band bands[] = {
        {"feed.stall", "listing", FIXTURE_AT(75), FIXTURE_AT(115)},
        {"feed.stall", "media", FIXTURE_AT(150), FIXTURE_AT(160)},
        {"feed.stall", "orders", FIXTURE_AT(180), FIXTURE_AT(185)},
        {"sink.reply_lost", "vector", FIXTURE_AT(70), FIXTURE_AT(74)},
        {"sink.reply_lost", "vector", FIXTURE_AT(150), FIXTURE_AT(158)},
        {"embedding.throttle", "text", FIXTURE_AT(20), FIXTURE_AT(45)},
        {"worker.crash", "builder-1", FIXTURE_AT(30), FIXTURE_AT(30)},
        {"worker.crash", "builder-1", FIXTURE_AT(120), FIXTURE_AT(121)},
        {"worker.crash", "sink-2", FIXTURE_AT(195), FIXTURE_AT(205)},
        {"kafka.redeliver", "listing.v1", FIXTURE_AT(5), FIXTURE_AT(200)},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        run_result_count_fault(r, faults[i].kind, faults[i].injected);
    for (size_t i = 0; i < sizeof bands / sizeof *bands; i++)
        run_result_add_band(r, &bands[i]);
}

static inline void fixture_alerts(struct run_result *r) {
    static const struct run_alert alerts[] = {
        {FIXTURE_AT(79), "feed_stalled", "listing", true, "watermark 4 min 10 s old, warn at 4 min",
         false},
        {FIXTURE_AT(116), "feed_stalled", "listing", false, "watermark 2.1 s old", false},
        {FIXTURE_AT(154), "feed_stalled", "media", true, "watermark 4 min 02 s old", false},
        {FIXTURE_AT(162), "feed_stalled", "media", false, "watermark 1.0 s old", false},
        {FIXTURE_AT(236), "drift_found", "vector/text", true, "44 rows", false},
    };
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
        run_result_add_alert(r, &alerts[i]);
}

static inline void fixture_recall(struct run_result *r) {
    struct run_recall *c = &r->recall;
    c->probes = 240;
    c->mean = 0.9712;
    c->min = 0.9;
    c->objective = 0.95;
    c->asked = 24000;
    c->answered = 23988;
    uint64_t state = 5;
    for (int i = 0; i < 24000; i++)
        histogram_add(&c->latency,
                      700000 + fixture_next(&state) % 900000 * (1 + (i % 50 == 0) * 9));
    for (int m = 8; m <= 32; m *= 2) {
        for (int ef = 10; ef <= 320; ef *= 2) {
            double miss = 0.5 / (1 + ef * m / 60.0);
            run_result_add_curve_point(r, &(struct run_curve_point){m, 200, ef, 1 - miss * miss,
                                                                    20 + ef * (1.2 + m / 20.0),
                                                                    m == 16 && ef == 40});
        }
    }
}

static inline void fixture_identity(struct run_result *r) {
    r->murphy = run_result_text(r, "0.2.0");
    r->seed = 7;
    r->trace_hash = run_result_text(r, "9f1c2ab4d07e55318c44e1b0a7de6612");
    r->end_state = run_result_text(r, "51d0c3a97be2f4480e6f1a2b3c4d5e6f");
    run_result_add_end_state(r, "gold", UINT64_C(0xf1c2ab4d07e55318));
    run_result_add_drawn(r, &(struct run_drawn){"vectors.profile", "milvus-like"});
    run_result_add_drawn(r, &(struct run_drawn){"explore_ties", "true"});
    run_result_allow(r, "expect.may_raise mass-delete", false);
    run_result_allow(r, "contracts.waived vectors.latency", false);
    run_result_allow(r, "contracts.waived vectors.latency", true);
    run_result_allow(r, "contracts.waived vectors.latency", false);
    r->start_ns = FIXTURE_START;
    r->virtual_ns = FIXTURE_SPAN;
    r->wall_ns = 612345678;
    run_result_count_event(r, "produced", 20000);
    run_result_count_event(r, "duplicates", 412);
    run_result_count_event(r, "late", 96);
    run_result_count_event(r, "dead_lettered", 3);
    run_result_count_event(r, "partial_updates", 8120);
    r->costs = (struct run_costs){4120, 77, 11204, 9001, 3222, 412};
}

static inline void fixture_failed(struct run_result *r) {
    run_result_init(r);
    fixture_identity(r);
    r->scenario = run_result_text(r, "bad-day");
    r->about = run_result_text(
        r, "Four hours of a marketplace on its worst day: duplicates, late events, stalled feeds, "
           "crashed sinks and a dual write, all together; every store must still end right.");
    r->bug = run_result_text(r, "tombstone-dropped");
    r->reproduce = run_result_text(
        r, "murphy run bad-day --seed 7 --bug tombstone-dropped --set "
           "'workload.about=two words' --set workload.rate=35000 --out /tmp/out/bad-day");
    fixture_checks(r);
    fixture_slos(r);
    fixture_contracts(r);
    fixture_drift(r);
    fixture_faults(r);
    fixture_series(r);
    fixture_freshness(r);
    fixture_alerts(r);
    fixture_recall(r);
    run_result_count_reached(r, "sink.retry_after_unknown", 18);
    run_result_count_reached(r, "builder.replay_after_crash", 4);
    run_result_count_reached(r, "router.late_queue", 96);
    run_result_count_reached(r, "reconciler.split_range", 37);
    run_result_count_reached(r, "kafka.zombie_fenced", 0);
    r->verdict = run_result_judge(r);
}

static inline void fixture_passed(struct run_result *r) {
    run_result_init(r);
    fixture_identity(r);
    r->scenario = run_result_text(r, "calm-day");
    r->about = run_result_text(r, "Nothing is broken: the stores follow the sellers.");
    r->reproduce = run_result_text(r, "murphy run calm-day --seed 7");
    run_result_add_check(r, &(struct run_check){.name = "version_never_goes_back",
                                                .kind = "safety",
                                                .status = RUN_CHECK_PASS,
                                                .expected = "0",
                                                .observed = "0 of 60,112 writes"});
    run_result_add_check(r, &(struct run_check){.name = "stores_converge",
                                                .kind = "convergence",
                                                .status = RUN_CHECK_PASS,
                                                .expected = "equal",
                                                .observed = "equal"});
    run_result_add_slo(r, &(struct run_slo){.name = "visibility_p95.vector",
                                            .objective = 300,
                                            .observed = 2.5,
                                            .unit = "s",
                                            .status = RUN_SLO_MET,
                                            .budget_known = true,
                                            .budget_remaining = 1});
    r->reconciliation.present = true;
    r->reconciliation.cutoff_ns = FIXTURE_AT(240);
    r->reconciliation.compared = 8000;
    int row = run_result_freshness(r, "vector", 300 * FIXTURE_SECOND);
    for (int i = 0; row >= 0 && i < 1000; i++)
        histogram_add(&r->freshness[row].visibility, (500 + i * 3) * INT64_C(1000000));
    int lag = run_result_series(r, RUN_SERIES_FEED_LAG, "listing");
    uint64_t state = 3;
    for (int s = 0; s < 14400; s += 10)
        run_series_append(r, lag, FIXTURE_START + s * FIXTURE_SECOND,
                          fixture_lag(&state, s, 99999, 99999));
    r->verdict = run_result_judge(r);
}

/* A run that measured nothing: every report must say so, and none may look like a pass. */
static inline void fixture_empty(struct run_result *r) {
    run_result_init(r);
    r->scenario = run_result_text(r, "nothing");
    r->verdict = run_result_judge(r);
}

#endif
