/*
 * The judgement of a run: puts what was seen into the result, as checks, objectives and figures.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/murphy.h"
#include "cli/scenario_run_parts.h"
#include "scenarios/scenario_draw.h"
#include "sim/end_state.h"

static_assert((int)DRIFT_CLASS_COUNT == (int)RUN_DRIFT_COUNT, "one list of classes of drift");

static const char *seconds_text(struct run_result *r, int64_t ns) {
    return run_result_textf(r, "%lld.%03lld s", (long long)(ns / VTIME_SECOND),
                            (long long)(ns / VTIME_MILLISECOND % 1000));
}

void judged_check(struct scenario_run *run, const char *name, const char *kind, bool holds,
                  const char *expected, const char *observed, int64_t at_ns, const char *evidence) {
    run_result_add_check(&run->result,
                         &(struct run_check){.name = name,
                                             .kind = kind,
                                             .status = holds ? RUN_CHECK_PASS : RUN_CHECK_FAIL,
                                             .expected = expected,
                                             .observed = observed,
                                             .at_ns = at_ns,
                                             .evidence = evidence});
}

void judged_allowance(struct scenario_run *run, const char *key, const char *value, bool needed) {
    run_result_allow(&run->result, run_result_textf(&run->result, "%s %s", key, value), needed);
}

/* ---- Checks ---- */

/* Those that are made here; the oracle makes the others. */
enum own_check {
    OWN_CAUGHT,
    OWN_SETTLED,
    OWN_RECONCILIATION_CLEAN,
    OWN_NO_DRIFT_FOUND,
    OWN_FAULTS_STRUCK,
    OWN_NO_FALSE_ALARM,
    OWN_BACKLOG_BOUNDED,
    OWN_CONTRACT,
    OWN_LINEAGE,
    OWN_COUNT
};
static const struct oracle_check_about own_checks[OWN_COUNT] = {
    [OWN_CAUGHT] = {"caught", "D1", "caught",
                    "what a scenario expects to be noticed was: an alert, a class of drift, a "
                    "breached objective; one check for each, as in `caught: stale in gold`"},
    [OWN_SETTLED] = {"settled", "A3", "convergence",
                     "once healed, everything came to rest within the scenario's bound"},
    [OWN_RECONCILIATION_CLEAN] = {"reconciliation-clean", "D1", "reconciliation",
                                  "the pipeline's reconciliation ended, and left no drift"},
    [OWN_NO_DRIFT_FOUND] = {"no-drift-found", "D1", "reconciliation",
                            "where no drift is expected, the reconciliation found none to repair"},
    [OWN_FAULTS_STRUCK] = {"faults-struck", "D5", "coverage",
                           "each fault that the scenario switches on struck at least once"},
    [OWN_NO_FALSE_ALARM] = {"no-false-alarm", "B10", "quality",
                            "no alert was raised that the scenario does not expect"},
    [OWN_CONTRACT] = {"contract", "B2", "contract",
                      "the quality rules of a seam's contract hold at the end; one check for each "
                      "contract, as in `contract gold-document`"},
    [OWN_BACKLOG_BOUNDED] = {"backlog-bounded", "A14", "safety",
                             "no more listings wait for a sink than the limit of a partition, and "
                             "those of one fetch, however slow the sink"},
    [OWN_LINEAGE] = {"lineage", "B6", "lineage",
                     "at rest the walk back from every number of the dashboard to the rows of "
                     "OLTP names no layer; where a scenario expects a wrong number it names the "
                     "layer, as in `lineage: sales_amount at 2h`"},
};

const struct oracle_check_about *scenario_run_check_table(size_t *count) {
    *count = OWN_COUNT;
    return own_checks;
}

static uint64_t orders_placed(const struct scenario_run *run) {
    const struct reference_order *orders;
    size_t count = 0;
    return reference_orders(oracle_reference(run->oracle), &orders, &count) == 0 ? count : 0;
}

static bool has_tables(const struct scenario_run *run) {
    return run->scenario->workload.weight_reference > 0;
}

static bool has_probes(const struct scenario_run *run) {
    return run->scenario->probe_every_ns > 0;
}
static bool has_removals(const struct scenario_run *run) {
    return run->removals > 0;
}
static bool has_refusals(const struct scenario_run *run) {
    struct oracle_counts counts = oracle_counts(run->oracle);
    return counts.poison + counts.dead_letters > 0;
}
static bool has_claims(const struct scenario_run *run) {
    return oracle_counts(run->oracle).claims > 0;
}
static bool has_orders(const struct scenario_run *run) {
    return orders_placed(run) > 0;
}
static bool has_moves(const struct scenario_run *run) {
    return oracle_counts(run->oracle).moves_ordered > 0;
}
static bool has_drops(const struct scenario_run *run) {
    return oracle_counts(run->oracle).drops_ordered > 0;
}
static bool has_standby(const struct scenario_run *run) {
    return oracle_standby_model(run->oracle) != 0;
}

static bool has_erasures(const struct scenario_run *run) {
    return oracle_erasures(run->oracle).asked > 0;
}

static bool has_losses(const struct scenario_run *run) {
    return oracle_counts(run->oracle).lost_unread > 0;
}

/* A scenario without searches, removals, poison, orders or upgrades gives these nothing to look at,
 * and they are left out of its judgement; any other check without data is a failure. */
static bool has_subject(const struct scenario_run *run, const char *check) {
    static const struct {
        const char *check;
        bool (*has)(const struct scenario_run *run);
    } subjects[] = {
        {"served-gone", has_probes},    {"one-model", has_probes},
        {"filters-right", has_probes},  {"gone-in-time", has_removals},
        {"dead-letters", has_refusals}, {"dashboard", has_orders},
        {"alias-switch", has_moves},    {"orders-obeyed", has_moves},
        {"retired", has_drops},         {"standby-complete", has_standby},
        {"contract-held", has_claims},  {"erasure", has_erasures},
        {"remade-exactly", has_tables}, {"losses-marked", has_losses},
    };
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        if (strcmp(subjects[i].check, check) == 0) {
            return subjects[i].has(run);
        }
    }
    return true;
}

static void judge_oracle(struct scenario_run *run) {
    size_t count;
    const struct oracle_check *checks = oracle_checks(run->oracle, &count);
    static const enum run_check_status statuses[] = {
        [ORACLE_NO_DATA] = RUN_CHECK_NO_DATA,
        [ORACLE_PASS] = RUN_CHECK_PASS,
        [ORACLE_FAIL] = RUN_CHECK_FAIL,
    };
    for (size_t i = 0; i < count; i++) {
        if (checks[i].status == ORACLE_NO_DATA && !has_subject(run, checks[i].name)) {
            continue;
        }
        run_result_add_check(&run->result, &(struct run_check){.name = checks[i].name,
                                                               .kind = checks[i].kind,
                                                               .status = statuses[checks[i].status],
                                                               .expected = checks[i].expected,
                                                               .observed = checks[i].observed,
                                                               .at_ns = checks[i].at.ns,
                                                               .evidence = checks[i].evidence});
    }
}

static void add_own_check(struct scenario_run *run, enum own_check check, bool holds,
                          const char *expected, const char *observed, int64_t at_ns,
                          const char *evidence) {
    judged_check(run, own_checks[check].name, own_checks[check].kind, holds, expected, observed,
                 at_ns, evidence);
}

static void judge_settled(struct scenario_run *run) {
    bool settled = run->settled_at.ns != VTIME_NEVER.ns;
    int64_t bound_ns = run->scenario->objectives.convergence_ns;
    int64_t took_ns = settled ? vtime_diff(run->settled_at, run->healed_at) : INT64_MAX;
    add_own_check(run, OWN_SETTLED, took_ns <= bound_ns,
                  run_result_textf(&run->result, "within %s of healing",
                                   seconds_text(&run->result, bound_ns)),
                  settled ? seconds_text(&run->result, took_ns) : "still waiting",
                  settled ? run->settled_at.ns : simulation_now(run->simulation).ns,
                  settled ? "" : oracle_waits_for(run->oracle));
}

/* A swarm draws how hard its faults strike, and some not at all: only those that are always on
 * must. That each kind strikes somewhere is seen over all seeds (docs/faults.md). */
static void judge_faults(struct scenario_run *run) {
    const struct scenario *scenario = run->scenario;
    uint64_t wanted = 0, idle = 0;
    const char *evidence = "";
    for (size_t i = 0; i < scenario->fault_count; i++) {
        if (run->faults[i].off) {
            continue;
        }
        const char *name = fault_table()[scenario->faults[i].kind].name;
        uint64_t struck = injector_struck(run->injector, i);
        run_result_count_fault(&run->result, name, struck);
        bool must = !scenario->swarm || scenario->faults[i].always;
        wanted += must || struck > 0;
        if (must && struck == 0) {
            idle++;
            evidence = run_result_textf(&run->result, "%sfaults[%zu] %s never struck\n", evidence,
                                        i, name);
        }
    }
    if (wanted > 0) {
        add_own_check(
            run, OWN_FAULTS_STRUCK, idle == 0,
            scenario->swarm ? "every fault strikes that is always on" : "every fault strikes",
            run_result_textf(&run->result, "%llu of %llu struck",
                             (unsigned long long)(wanted - idle), (unsigned long long)wanted),
            0, evidence);
    }
}

static bool alert_matches(const struct scenario_run *run, const struct expected_alert *wanted,
                          const struct alert_seen *seen, int64_t before_ns) {
    int64_t since_ns = vtime_diff(seen->at, run->start);
    return strcmp(wanted->name, seen->name) == 0 &&
           strcmp(expected_alert_subject(wanted), seen->subject) == 0 &&
           wanted->state == seen->state && since_ns >= wanted->after_ns &&
           (before_ns == 0 || since_ns <= before_ns) &&
           (wanted->evidence == NULL || strstr(seen->evidence, wanted->evidence) != NULL);
}

/* The alert is cleared at some time after index i. */
static bool alert_clears(const struct scenario_run *run, size_t i) {
    for (size_t k = i + 1; k < run->alert_count; k++) {
        if (strcmp(run->alerts[k].name, run->alerts[i].name) == 0 &&
            strcmp(run->alerts[k].subject, run->alerts[i].subject) == 0 &&
            run->alerts[k].state == ALERT_CLEARED) {
            return true;
        }
    }
    return false;
}

/* Time to detect (B10): `after` is when the trouble begins. */
static const char *detection_text(struct scenario_run *run, const struct expected_alert *wanted,
                                  const struct alert_seen *found) {
    int64_t took_ns = vtime_diff(found->at, run->start) - wanted->after_ns;
    return wanted->after_ns == 0
               ? "raised as expected"
               : run_result_textf(&run->result, "raised as expected; time to detect %s",
                                  seconds_text(&run->result, took_ns));
}

/* What the pipeline's own monitors had to notice (D1). */
static void judge_caught(struct scenario_run *run) {
    for (size_t i = 0; i < run->scenario->alert_count; i++) {
        const struct expected_alert *wanted = &run->scenario->alerts[i];
        const struct alert_seen *found = NULL;
        bool holds = false;
        for (size_t k = 0; k < run->alert_count && !holds; k++) {
            if (alert_matches(run, wanted, &run->alerts[k], wanted->before_ns)) {
                found = &run->alerts[k];
                holds = !wanted->cleared || alert_clears(run, k);
            }
        }
        const char *name =
            run_result_textf(&run->result, "caught: %s %s on %s", wanted->name,
                             alert_state_name(wanted->state), expected_alert_subject(wanted));
        const char *expected =
            run_result_textf(&run->result, "%s%s%s%s", alert_state_name(wanted->state),
                             wanted->cleared ? ", cleared again" : "",
                             wanted->evidence == NULL ? "" : ", evidence names ",
                             wanted->evidence == NULL ? "" : wanted->evidence);
        judged_check(run, name, "caught", holds, expected,
                     holds           ? detection_text(run, wanted, found)
                     : found == NULL ? "never raised"
                                     : "raised and never cleared",
                     found == NULL ? 0 : found->at.ns, found == NULL ? "" : found->evidence);
    }
}

static void judge_losses(struct scenario_run *run) {
    for (size_t i = 0; i < run->scenario->lost_count; i++) {
        const char *topic = run->scenario->lost[i];
        uint64_t losses = 0;
        for (int t = 0; t < TOPIC_COUNT; t++) {
            if (strcmp(topic_name((enum topic_id)t), topic) == 0) {
                losses = oracle_losses(run->oracle, (enum topic_id)t);
            }
        }
        judged_check(run, run_result_textf(&run->result, "caught: lost-write on %s", topic),
                     "caught", losses > 0, "1 at least",
                     run_result_textf(&run->result, "%llu", (unsigned long long)losses), 0, "");
    }
}

static void judge_counts(struct scenario_run *run) {
    for (size_t i = 0; i < run->scenario->count_count; i++) {
        const struct expected_count *wanted = &run->scenario->counts[i];
        uint64_t seen = 0;
        for (int c = 0; c < MACHINE_COUNTER_COUNT; c++) {
            if (strcmp(machine_counter_name((enum machine_counter)c), wanted->name) == 0) {
                seen = simulation_counter(run->simulation, (enum machine_counter)c);
            }
        }
        judged_check(run, run_result_textf(&run->result, "caught: %s", wanted->name), "caught",
                     seen >= wanted->min && seen <= wanted->max,
                     run_result_textf(&run->result, "%llu to %llu", (unsigned long long)wanted->min,
                                      (unsigned long long)wanted->max),
                     run_result_textf(&run->result, "%llu", (unsigned long long)seen), 0, "");
    }
}

static bool alert_allowed(struct scenario_run *run, const struct alert_seen *seen) {
    for (size_t i = 0; i < run->scenario->may_raise_count; i++) {
        if (strcmp(run->scenario->may_raise[i], seen->name) == 0) {
            judged_allowance(run, "expect.may_raise", seen->name, true);
            return true;
        }
    }
    return false;
}

static bool alert_expected(const struct scenario_run *run, const struct alert_seen *seen) {
    for (size_t i = 0; i < run->scenario->alert_count; i++) {
        const struct expected_alert *wanted = &run->scenario->alerts[i];
        int64_t until_ns = wanted->again_ns != 0 ? wanted->again_ns : wanted->before_ns;
        if (alert_matches(run, wanted, seen, until_ns)) {
            return true;
        }
    }
    return false;
}

/* False alarms teach people to look away. */
static void judge_false_alarms(struct scenario_run *run) {
    vtime end = workload_end(run->workload);
    uint64_t alarms = 0;
    for (size_t i = 0; i < run->scenario->may_raise_count; i++) {
        judged_allowance(run, "expect.may_raise", run->scenario->may_raise[i], false);
    }
    const struct alert_seen *first = NULL;
    for (size_t i = 0; i < run->alert_count; i++) {
        const struct alert_seen *seen = &run->alerts[i];
        /* Once the traffic is over, silence is right. */
        bool right = strcmp(seen->name, "feed-freshness") == 0 && !vtime_before(seen->at, end);
        right = right || contract_explains(run, seen); /* which is judged as an objective */
        if (seen->state == ALERT_ERROR && !right && !alert_expected(run, seen) &&
            !alert_allowed(run, seen)) {
            alarms++;
            first = first == NULL ? seen : first;
        }
    }
    add_own_check(run, OWN_NO_FALSE_ALARM, alarms == 0,
                  "no error raised but those that the scenario expects",
                  run_result_textf(&run->result, "%llu", (unsigned long long)alarms),
                  first == NULL ? 0 : first->at.ns,
                  first == NULL ? ""
                                : run_result_textf(&run->result, "%s on %s: %s", first->name,
                                                   first->subject, first->evidence));
}

/* Work that waits for a sink stays bounded, however slow the sink (A14): by the limit, and what one
 * fetch brings on top. */
static void judge_backlog(struct scenario_run *run) {
    struct pipeline_config config = pipeline_config_with_defaults(&run->scenario->pipeline);
    uint64_t limit = (uint64_t)config.backlog_max + config.fetch_records_max;
    uint64_t most = simulation_gauge(run->simulation, GAUGE_BACKLOG);
    judged_check(run, own_checks[OWN_BACKLOG_BOUNDED].name, "safety", most <= limit,
                 run_result_textf(&run->result, "at most %llu listings of a partition wait",
                                  (unsigned long long)limit),
                 run_result_textf(&run->result, "%llu", (unsigned long long)most), 0, "");
}

/* ---- Reconciliation ---- */

/* The passes of the last reconciliation: [first, last]. False when none ever ran. */
static bool last_reconciliation(const struct scenario_run *run, size_t *first, size_t *last) {
    if (run->pass_count == 0) {
        return false;
    }
    *last = run->pass_count - 1;
    *first = *last;
    while (run->passes[*first].report.pass > 0) {
        (*first)--;
    }
    return true;
}

static void fill_reconciliation(struct scenario_run *run,
                                const struct reconciliation_report *before,
                                const struct reconciliation_report *after) {
    struct run_reconciliation *out = &run->result.reconciliation;
    out->present = true;
    out->cutoff_ns = after->cutoff.ns;
    out->compared = before->rows_compared;
    for (int store = SCAN_GOLD; store < SCAN_STORE_COUNT; store++) {
        for (int c = 0; c < DRIFT_CLASS_COUNT; c++) {
            if (before->counts[store][c] + after->counts[store][c] > 0) {
                run_result_add_store_drift(
                    &run->result, &(struct run_store_drift){
                                      scan_store_name((enum scan_store)store), (enum run_drift)c,
                                      before->counts[store][c], after->counts[store][c]});
            }
        }
    }
}

/* What the pass found, by class: "3 differences: 2 stale, 1 resurrected". */
static const char *drift_text(struct scenario_run *run,
                              const struct reconciliation_report *report) {
    const char *text =
        run_result_textf(&run->result, "%llu differences", (unsigned long long)pass_drift(report));
    const char *separator = ": ";
    for (int c = 0; c < DRIFT_IN_FLIGHT; c++) {
        uint64_t rows = 0;
        for (int store = SCAN_GOLD; store < SCAN_STORE_COUNT; store++) {
            rows += report->counts[store][c];
        }
        if (rows > 0) {
            text =
                run_result_textf(&run->result, "%s%s%llu %s", text, separator,
                                 (unsigned long long)rows, drift_class_name((enum drift_class)c));
            separator = ", ";
        }
    }
    return text;
}

static void judge_expected_drift(struct scenario_run *run) {
    for (size_t i = 0; i < run->scenario->drift_count; i++) {
        const struct expected_drift *wanted = &run->scenario->drifts[i];
        uint64_t found = 0;
        for (size_t k = 0; k < run->pass_count; k++) {
            uint64_t count = run->passes[k].report.counts[wanted->store][wanted->drift];
            found = count > found ? count : found;
        }
        judged_check(
            run,
            run_result_textf(&run->result, "caught: %s in %s", drift_class_name(wanted->drift),
                             scan_store_name(wanted->store)),
            "caught", found >= wanted->min,
            run_result_textf(&run->result, "at least %llu", (unsigned long long)wanted->min),
            run_result_textf(&run->result, "%llu", (unsigned long long)found), 0, "");
    }
}

/* The first pass of the reconciliation that found most, and of equals of the last. */
static size_t worst_reconciliation(const struct scenario_run *run) {
    size_t worst = 0;
    for (size_t i = 0; i < run->pass_count; i++) {
        const struct reconciliation_report *report = &run->passes[i].report;
        if (report->pass == 0 && pass_drift(report) >= pass_drift(&run->passes[worst].report)) {
            worst = i;
        }
    }
    return worst;
}

static void judge_reconciliation(struct scenario_run *run) {
    judge_expected_drift(run);
    size_t first, last;
    bool any = last_reconciliation(run, &first, &last);
    /* What an earlier one said does not stand for one that was asked for and never ended. */
    if (run->reconciling || (!any && run->scenario->reconcile_at_end)) {
        run_result_add_check(&run->result,
                             &(struct run_check){.name = own_checks[OWN_RECONCILIATION_CLEAN].name,
                                                 .kind = own_checks[OWN_RECONCILIATION_CLEAN].kind,
                                                 .expected = "no drift once repaired",
                                                 .observed = "it never ended"});
        return;
    }
    if (!any) {
        return;
    }
    const struct reconciliation_report *found = &run->passes[first].report;
    const struct reconciliation_report *left = &run->passes[last].report;
    uint64_t before = pass_drift(found), after = pass_drift(left);
    fill_reconciliation(run, found, left);
    run->result.reconciliation.repaired = before > after ? before - after : 0;
    add_own_check(run, OWN_RECONCILIATION_CLEAN, after == 0, "no drift once repaired",
                  run_result_textf(&run->result, "%llu before, %llu after, %u passes",
                                   (unsigned long long)before, (unsigned long long)after,
                                   left->pass + 1),
                  run->passes[last].at.ns, "");
    size_t worst = worst_reconciliation(run);
    const struct reconciliation_report *drift = &run->passes[worst].report;
    if (run->scenario->any_drift) {
        judged_allowance(run, "expect", "any_drift", pass_drift(drift) > 0);
    } else if (run->scenario->drift_count == 0 && run->scenario->reconcile_at_end) {
        add_own_check(run, OWN_NO_DRIFT_FOUND, pass_drift(drift) == 0,
                      "the pipeline needs no repair", drift_text(run, drift),
                      run->passes[worst].at.ns, "");
    }
}

/* ---- Objectives ---- */

bool judged_as_breached(const struct scenario_run *run, const char *key) {
    for (size_t i = 0; i < run->scenario->breached_count; i++) {
        if (strcmp(run->scenario->breached[i], key) == 0) {
            return true;
        }
    }
    return false;
}

void judged_objective(struct scenario_run *run, const struct run_slo *slo, const char *key) {
    if (!judged_as_breached(run, key)) {
        run_result_add_slo(&run->result, slo);
        return;
    }
    judged_check(run, run_result_textf(&run->result, "caught: %s breached", slo->name), "caught",
                 slo->status == RUN_SLO_BREACHED, "breached", run_slo_status_name(slo->status), 0,
                 "");
}

static enum run_slo_status slo_status(bool data, bool met) {
    return !data ? RUN_SLO_NO_DATA : met ? RUN_SLO_MET : RUN_SLO_BREACHED;
}

/* Share of a histogram above a bound, to a permille. */
static double share_above(const struct lag_histogram *h, int64_t bound_ns) {
    int low = 0, high = 1000;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (lag_quantile_ns(h, middle) <= bound_ns) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return (1000 - low) / 1000.0;
}

static void take_histogram(struct histogram *out, const struct lag_histogram *in) {
    for (uint32_t i = 0; i < LAG_BUCKETS; i++) {
        int64_t value_ns = lag_bucket_ns(in, i);
        for (uint64_t k = 0; k < in->buckets[i]; k++) {
            histogram_add(out, value_ns);
        }
    }
    if (in->count > 0) {
        out->min_ns = in->min_ns;
        out->max_ns = in->max_ns;
    }
}

static void judge_freshness(struct scenario_run *run) {
    int64_t objective_ns = run->scenario->objectives.freshness_p95_ns;
    for (size_t i = 0; i < ORACLE_FRESH_STORES; i++) {
        const char *store = store_name(oracle_fresh_store(i));
        struct oracle_freshness fresh = oracle_freshness(run->oracle, i);
        int row = run_result_freshness(&run->result, store, objective_ns);
        if (row >= 0) {
            take_histogram(&run->result.freshness[row].visibility, fresh.visibility);
            take_histogram(&run->result.freshness[row].event, fresh.event);
            run->result.freshness[row].pending = fresh.pending;
        }
        if (objective_ns == 0) {
            continue;
        }
        bool data = fresh.visibility->count > 0;
        int64_t p95_ns = lag_quantile_ns(fresh.visibility, 950);
        struct run_slo slo = {
            .name = run_result_textf(&run->result, "freshness p95 %s", store),
            .objective = (double)objective_ns / 1e9,
            .observed = data ? (double)p95_ns / 1e9 : 0,
            .unit = "s",
            .direction = RUN_AT_MOST,
            .status = slo_status(data, p95_ns < objective_ns),
            .budget_known = data,
            .budget_remaining = data ? 1 - share_above(fresh.visibility, objective_ns) / 0.05 : 0,
        };
        judged_objective(run, &slo, "freshness_p95");
    }
}

static void judge_erasures(struct scenario_run *run) {
    struct oracle_erasures erasures = oracle_erasures(run->oracle);
    if (erasures.asked == 0) {
        return;
    }
    int64_t objective_ns = run->scenario->objectives.erasure_within_ns;
    bool all = erasures.certified == erasures.asked;
    double share = (double)erasures.longest_ns / (double)objective_ns;
    struct run_slo slo = {
        .name = "longest erasure",
        .objective = (double)objective_ns / 1e9,
        .observed = (double)erasures.longest_ns / 1e9,
        .unit = "s",
        .direction = RUN_AT_MOST,
        .status = slo_status(erasures.certified > 0, all && erasures.longest_ns <= objective_ns),
        .budget_known = erasures.certified > 0,
        .budget_remaining = 1 - share,
    };
    judged_objective(run, &slo, "erasure_within");
}

static void judge_probes(struct scenario_run *run) {
    const struct objectives *objectives = &run->scenario->objectives;
    struct run_recall *recall = &run->result.recall;
    if (objectives->recall_ppm > 0) {
        recall->objective = objectives->recall_ppm / 1e6;
        struct run_slo slo = {
            .name = "recall@10 of probes",
            .objective = recall->objective,
            .observed = recall->mean,
            .unit = "ratio",
            .direction = RUN_AT_LEAST,
            .status = slo_status(recall->probes > 0, recall->mean >= recall->objective),
        };
        judged_objective(run, &slo, "recall");
    }
    if (objectives->search_p95_ns > 0) {
        bool data = recall->latency.count > 0;
        int64_t p95_ns = data ? histogram_quantile_ns(&recall->latency, 950) : 0;
        struct run_slo slo = {
            .name = "search latency p95",
            .objective = (double)objectives->search_p95_ns / 1e9,
            .observed = (double)p95_ns / 1e9,
            .unit = "s",
            .direction = RUN_AT_MOST,
            .status = slo_status(data, p95_ns <= objectives->search_p95_ns),
        };
        judged_objective(run, &slo, "search_p95");
    }
    if (objectives->availability_ppm > 0 && run->scenario->probe_every_ns > 0) {
        bool data = recall->asked > 0;
        double objective = objectives->availability_ppm / 1e6;
        double observed = data ? (double)recall->answered / (double)recall->asked : 0;
        double allowed = 1 - objective;
        struct run_slo slo = {
            .name = "availability of search",
            .objective = objective,
            .observed = observed,
            .unit = "ratio",
            .direction = RUN_AT_LEAST,
            .status = slo_status(data, observed >= objective),
            .budget_known = data && allowed > 0,
            .budget_remaining = allowed > 0 ? 1 - (1 - observed) / allowed : 0,
        };
        judged_objective(run, &slo, "availability");
    }
}

/* ---- Figures ---- */

static const enum topic_id feeds[] = {TOPIC_LISTING, TOPIC_MEDIA, TOPIC_POLICY, TOPIC_ORDER,
                                      TOPIC_REFERENCE};
enum { FEEDS = sizeof feeds / sizeof *feeds };

/* Records that reached their feed more than a minute after their event. */
static uint64_t late_records(const struct scenario_run *run) {
    uint64_t late = 0;
    for (size_t f = 0; f < FEEDS; f++) {
        const struct lag_histogram *lag = oracle_feed_lag(run->oracle, feeds[f]);
        for (size_t i = 0; i < LAG_BUCKETS; i++) {
            late += lag_bucket_ns(lag, i) > VTIME_MINUTE ? lag->buckets[i] : 0;
        }
    }
    return late;
}

static void fill_counts(struct scenario_run *run) {
    struct run_result *r = &run->result;
    struct oracle_counts counts = oracle_counts(run->oracle);
    run_result_count_event(r, "produced", counts.feed_records);
    run_result_count_event(r, "duplicates", counts.feed_duplicates);
    run_result_count_event(r, "late", late_records(run));
    run_result_count_event(r, "dead_lettered", counts.dead_letters);
    run_result_count_event(r, "late_queue", counts.late_records);
    run_result_count_event(r, "operations", counts.operations);
    run_result_count_event(r, "poison", counts.poison);
    run_result_count_event(r, "log_records", counts.log_records);
    run_result_count_event(r, "visible_changes", counts.visible_changes);
    run_result_count_event(r, "simulated", simulation_events(run->simulation));
    for (int i = 0; i < MACHINE_COUNTER_COUNT; i++) {
        run_result_count_reached(r, machine_counter_name((enum machine_counter)i),
                                 simulation_counter(run->simulation, (enum machine_counter)i));
    }
    for (int i = 0; i < MACHINE_GAUGE_COUNT; i++) {
        run_result_count_reached(r, machine_gauge_name((enum machine_gauge)i),
                                 simulation_gauge(run->simulation, (enum machine_gauge)i));
    }
    uint64_t passed;
    const char *point;
    for (size_t i = 0; (point = injector_point(run->injector, i, &passed)) != NULL; i++) {
        run_result_count_reached(r, point, passed);
    }
    struct simulation *s = run->simulation;
    r->costs = (struct run_costs){
        .embeddings_made = simulation_counter(s, COUNTER_EMBEDDINGS_MADE),
        .embeddings_reused = simulation_counter(s, COUNTER_EMBEDDINGS_REUSED),
        .embeddings_avoided = simulation_counter(s, COUNTER_EMBEDDINGS_AVOIDED),
        .vectors_written = simulation_counter(s, COUNTER_VECTORS_WRITTEN),
        .metadata_writes = simulation_counter(s, COUNTER_METADATA_WRITES),
        .stale_rejected = simulation_counter(s, COUNTER_STALE_REJECTED),
    };
}

static void fill_series(struct scenario_run *run) {
    vtime start = run->start;
    int64_t width_ns = oracle_minute_ns(run->oracle);
    for (size_t f = 0; f < FEEDS; f++) {
        size_t count;
        const struct oracle_feed_minute *minutes =
            oracle_feed_minutes(run->oracle, feeds[f], &count);
        int series = -1;
        for (size_t i = 0; i < count; i++) {
            if (minutes[i].records == 0 && minutes[i].silence_ns < 0) {
                continue;
            }
            if (series < 0) {
                series = run_result_series(&run->result, RUN_SERIES_FEED_LAG, topic_name(feeds[f]));
            }
            int64_t lag_ns = minutes[i].records > 0 ? minutes[i].lag_max_ns : minutes[i].silence_ns;
            run_series_append(&run->result, series, start.ns + (int64_t)i * width_ns,
                              (double)lag_ns / 1e9);
        }
    }
    for (size_t s = 0; s < ORACLE_FRESH_STORES; s++) {
        size_t count;
        const struct oracle_minute *minutes = oracle_minutes(run->oracle, s, &count);
        int series = run_result_series(&run->result, RUN_SERIES_STORE_LAG,
                                       store_name(oracle_fresh_store(s)));
        for (size_t i = 0; i < count; i++) {
            int64_t lag_ns = minutes[i].samples > 0 ? minutes[i].lag_max_ns : 0;
            lag_ns = minutes[i].pending_age_ns > lag_ns ? minutes[i].pending_age_ns : lag_ns;
            run_series_append(&run->result, series, start.ns + (int64_t)i * width_ns,
                              (double)lag_ns / 1e9);
        }
    }
}

static void fill_coverage(struct scenario_run *run) {
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        for (int state = 0; state < PIPELINE_STATE_COUNT; state++) {
            run_result_count_cell(
                &run->result, fault_table()[kind].name, pipeline_state_table()[state].name,
                injector_reached(run->injector, (enum fault_kind)kind, (enum pipeline_state)state));
        }
    }
}

/* What it strikes, as the scenario says, or else as the table of faults does, into `places`. */
static const char *fault_subject(const struct fault *fault, char places[FAULT_PLACES_TEXT]) {
    const struct fault_about *about = &fault_table()[fault->kind];
    unsigned takes = about->required | about->optional;
    if ((takes & (FAULT_FEED | FAULT_TOPIC)) != 0) {
        return topic_name(fault->feed);
    }
    if ((takes & FAULT_SINK) != 0) {
        return fault_sink_name(fault->sink);
    }
    if ((takes & FAULT_WORKER) != 0) {
        return machine_kind_name(fault->worker);
    }
    fault_places_text(about->places, ", ", places);
    return places;
}

/* What was planned for a stretch of time comes first: a report draws only so many rows. */
static bool is_planned(const struct fault *fault) {
    return fault->kind == FAULT_STALLED_FEED || fault->kind == FAULT_SINK_OUTAGE ||
           fault->kind == FAULT_DISK_FULL;
}

static void fill_bands(struct scenario_run *run) {
    size_t count;
    const struct fault_band *bands = injector_bands(run->injector, &count);
    for (int planned = 1; planned >= 0; planned--) {
        for (size_t i = 0; i < count; i++) {
            const struct fault *fault = &run->scenario->faults[bands[i].fault];
            char places[FAULT_PLACES_TEXT];
            if (is_planned(fault) == (planned == 1)) {
                run_result_add_band(&run->result,
                                    &(struct run_band){fault_table()[fault->kind].name,
                                                       fault_subject(fault, places),
                                                       bands[i].from.ns, bands[i].to.ns});
            }
        }
    }
}

static void fill_drawn(struct scenario_run *run) {
    struct scenario_drawn drawn;
    for (size_t i = 0; scenario_drawn(run->scenario, i, &drawn); i++) {
        run_result_add_drawn(&run->result, &(struct run_drawn){drawn.key, drawn.value});
    }
}

static void fill_end_state(struct scenario_run *run) {
    struct end_state state;
    if (end_state_read(run->simulation, &state) != 0) {
        run->out_of_memory = true;
        return;
    }
    char text[TRACE_HASH_TEXT_SIZE];
    trace_hash_format(state.whole, text);
    run->result.end_state = run_result_text(&run->result, text);
    for (int i = 0; i < END_STATE_PARTS; i++) {
        run_result_add_end_state(&run->result, end_state_part_name((enum end_state_part)i),
                                 state.parts[i]);
    }
}

/* One hash over where every audit stream ends: what is changed in a stored stream later does not
 * lead to it any more (B8). */
static void fill_audit(struct scenario_run *run) {
    const struct warehouse_events *events =
        fake_warehouse_events(simulation_warehouse(run->simulation));
    struct audit_head *heads;
    size_t count;
    if (warehouse_events_heads(events, &heads, &count) != 0) {
        run->out_of_memory = true;
        return;
    }
    char text[SHA256_TEXT];
    struct sha256 root = audit_root(heads, count);
    sha256_text(&root, text);
    run->result.audit =
        (struct run_audit){count, events->count, run_result_text(&run->result, text)};
    free(heads);
}

void scenario_run_judge(struct scenario_run *run) {
    struct run_result *r = &run->result;
    r->murphy = MURPHY_VERSION;
    r->scenario = run->scenario->name;
    r->about = run->scenario->about;
    r->seed = run->options.seed;
    r->bug = run->options.bug == NULL ? "" : run->options.bug;
    r->start_ns = run->start.ns;
    r->virtual_ns = vtime_diff(simulation_now(run->simulation), run->start);
    r->reproduce = run->options.reproduce;
    char hash[33];
    trace_hash_format(trace_hash_of(simulation_trace(run->simulation)), hash);
    r->trace_hash = run_result_text(r, hash);
    fill_drawn(run);
    fill_end_state(run);
    fill_audit(run);

    judge_caught(run);
    judge_counts(run);
    judge_losses(run);
    judge_oracle(run);
    judge_settled(run);
    judge_reconciliation(run);
    judge_faults(run);
    judge_false_alarms(run);
    judge_backlog(run);
    if (has_orders(run)) {
        judge_lineage(run);
    }
    judge_contracts(run);
    judge_freshness(run);
    judge_erasures(run);
    judge_probes(run);
    fill_counts(run);
    fill_series(run);
    fill_bands(run);
    fill_coverage(run);
    r->verdict = run_result_judge(r);
}
