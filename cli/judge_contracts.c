/*
 * Whether each seam's contract held (B2): its service levels by what the oracle and the warehouse
 * saw, its quality rules by asking the stores. The levels are judged as objectives of the run, the
 * rules as one check per contract; both are named by the contract's id.
 */
#include <stdio.h>
#include <string.h>

#include "cli/run_contracts.h"
#include "cli/scenario_run_parts.h"
#include "scenarios/quantity.h"
#include "sim/store_tables.h"

/* ---- Service levels ---- */

/* Where a seam is listened to. */
struct ear {
    const struct pulse *pulse;          /* of freshness; NULL: nobody listens */
    const struct lag_histogram *behind; /* likewise where a view is refreshed from time to time */
    const struct lag_histogram *lag;    /* of latency; NULL likewise */
};

static struct ear ear_at(const struct scenario_run *run, enum seam seam) {
    const struct oracle *o = run->oracle;
    const struct fake_warehouse *w = simulation_warehouse(run->simulation);
    enum topic_id feed = seam_feed(seam);
    const struct pulse *own =
        feed == TOPIC_FEED_COUNT ? NULL : oracle_pulse(o, (enum oracle_pulse)(PULSE_FEED + feed));
    switch (seam) {
    case SEAM_OUTBOX:
        return (struct ear){.pulse = oracle_pulse(o, PULSE_ANY_FEED),
                            .lag = &oracle_pulse(o, PULSE_FEED + TOPIC_LISTING)->lag};
    case SEAM_VECTORS:
        return (struct ear){.pulse = oracle_pulse(o, PULSE_VECTORS),
                            .lag = oracle_freshness(o, 0).visibility};
    case SEAM_KEYWORDS:
        return (struct ear){.pulse = oracle_pulse(o, PULSE_KEYWORDS),
                            .lag = oracle_freshness(o, 1).visibility};
    case SEAM_GOLD_DOCUMENT:
        return (struct ear){.pulse = oracle_pulse(o, PULSE_GOLD),
                            .lag = oracle_freshness(o, 2).visibility};
    case SEAM_GOLD_SALES:
        return (struct ear){.behind = fake_warehouse_behind(w)};
    case SEAM_LISTING_LOG:
        own = oracle_pulse(o, PULSE_LOG);
        break;
    case SEAM_BRONZE:
        own = fake_warehouse_pulse(w, WAREHOUSE_BRONZE);
        break;
    case SEAM_SILVER:
        own = fake_warehouse_pulse(w, WAREHOUSE_SILVER);
        break;
    case SEAM_DEAD_LETTERS:
        own = oracle_pulse(o, PULSE_LETTERS);
        break;
    default:
        break;
    }
    return (struct ear){.pulse = own, .lag = own == NULL ? NULL : &own->lag};
}

static int64_t kept_ns(const struct scenario *scenario, enum seam seam) {
    return seam == SEAM_EMBEDDING_ARTIFACTS ? scenario->retention.artifacts_ns
           : seam == SEAM_BRONZE || seam == SEAM_SILVER || seam == SEAM_EMBEDDING_AUDIT
               ? scenario->retention.warehouse_ns
               : scenario->retention.topics_ns;
}

/* What was seen of a level; false: nothing that it could be judged by. */
struct seen_level {
    bool data;
    int64_t observed_ns; /* 0 of retention: for ever */
    bool met;
};

static struct seen_level look(const struct scenario_run *run, const struct seam_contract *contract,
                              enum service_level level) {
    struct ear ear = ear_at(run, contract->seam);
    int64_t promised_ns = contract->levels_ns[level];
    struct seen_level seen = {.data = false};
    vtime end;
    switch (level) {
    case LEVEL_FRESHNESS:
        seen.data =
            ear.behind != NULL ? ear.behind->count > 0 : ear.pulse != NULL && ear.pulse->beats > 0;
        seen.observed_ns = !seen.data           ? 0
                           : ear.behind != NULL ? ear.behind->max_ns
                                                : pulse_silence_ns(ear.pulse, run->start, &end);
        seen.met = seen.data && seen.observed_ns < promised_ns;
        break;
    case LEVEL_LATENCY:
        seen.data = ear.lag != NULL && ear.lag->count > 0;
        seen.observed_ns = seen.data ? lag_quantile_ns(ear.lag, 950) : 0;
        seen.met = seen.data && seen.observed_ns < promised_ns;
        break;
    case LEVEL_RETENTION:
        seen.data = true;
        seen.observed_ns = kept_ns(run->scenario, contract->seam);
        seen.met = seen.observed_ns == 0 || seen.observed_ns >= promised_ns;
        break;
    case LEVEL_COUNT:
        break;
    }
    return seen;
}

static const char *duration_text(struct scenario_run *run, int64_t ns) {
    char text[DURATION_TEXT_SIZE];
    int64_t unit_ns = ns >= VTIME_MINUTE ? VTIME_SECOND : VTIME_MILLISECOND;
    quantity_duration_format(ns - ns % unit_ns, text);
    return run_result_text(&run->result, text);
}

static const char *wanted_text(struct scenario_run *run, enum service_level level, int64_t ns) {
    static const char *const words[LEVEL_COUNT] = {"something every %s", "95 %% within %s",
                                                   "kept for %s"};
    char text[120];
    snprintf(text, sizeof text, words[level], duration_text(run, ns));
    return run_result_text(&run->result, text);
}

static void judge_level(struct scenario_run *run, const struct seam_contract *contract,
                        enum service_level level) {
    struct seen_level seen = look(run, contract, level);
    const char *waiver = run_contracts_waiver(run->scenario, contract->seam, level);
    bool waived = waiver != NULL;
    bool broken = seen.data && !seen.met;
    if (waived) {
        judged_allowance(run, "contracts.waived", waiver, broken);
    }
    const char *observed = !seen.data ? "nothing came through"
                           : seen.observed_ns == 0 && level == LEVEL_RETENTION
                               ? "for ever"
                               : duration_text(run, seen.observed_ns);
    run_result_add_term(
        &run->result,
        &(struct run_contract_term){.name = service_level_name(level),
                                    .wanted = wanted_text(run, level, contract->levels_ns[level]),
                                    .observed = observed,
                                    .status = waived       ? RUN_TERM_WAIVED
                                              : !seen.data ? RUN_TERM_IDLE
                                              : broken     ? RUN_TERM_BROKEN
                                                           : RUN_TERM_HELD});
    const char *key = service_level_of(contract->seam, level);
    if (!waived && (broken || judged_as_breached(run, key))) {
        judged_objective(
            run,
            &(struct run_slo){.name = run_result_textf(&run->result, "contract %s: %s",
                                                       contract->id, service_level_name(level)),
                              .objective = (double)contract->levels_ns[level] / 1e9,
                              .observed = (double)seen.observed_ns / 1e9,
                              .unit = "s",
                              .direction = level == LEVEL_RETENTION ? RUN_AT_LEAST : RUN_AT_MOST,
                              .status = broken      ? RUN_SLO_BREACHED
                                        : seen.data ? RUN_SLO_MET
                                                    : RUN_SLO_NO_DATA},
            key);
    }
}

/* ---- Quality rules ---- */

/* What became of the rules of one contract. */
struct rules_seen {
    size_t held;
    const char *evidence; /* a line for each that did not hold */
};

static const char *number_text(struct scenario_run *run, const struct contract_rule *rule,
                               double value) {
    return run_result_textf(&run->result, "%.12g%s", value, rule->total == NULL ? "" : " %");
}

/* 1 with the number, 0 when it has none, -1 when it cannot be had. */
static int ask(struct store_tables *tables, const struct contract_rule *rule, double *value,
               char *error, size_t size) {
    double total = 0;
    if (rule->count != STORE_COUNT_NONE) {
        int64_t count = store_tables_count(tables, (enum store_count)rule->count, rule->table,
                                           rule->columns, rule->column_count);
        *value = (double)count;
        snprintf(error, size, "out of memory");
        return count < 0 ? -1 : 1;
    }
    int known = store_tables_ask(tables, rule->sql, value, error, size);
    if (known == 1 && rule->total != NULL) {
        known = store_tables_ask(tables, rule->total, &total, error, size);
        *value = known == 1 && total > 0 ? 100 * *value / total : 0;
    }
    return known;
}

static void judge_rule(struct scenario_run *run, struct store_tables *tables,
                       const struct contract_rule *rule, struct rules_seen *seen) {
    char wanted[RULE_TEXT_SIZE], error[200] = "";
    double value = 0;
    int known = ask(tables, rule, &value, error, sizeof error);
    bool holds = known == 1 && contract_rule_holds(rule, value);
    contract_rule_wants(rule, wanted);
    const char *observed = known == 1   ? number_text(run, rule, value)
                           : known == 0 ? "no number"
                                        : run_result_text(&run->result, error);
    run_result_add_term(&run->result, &(struct run_contract_term){
                                          .name = rule->name,
                                          .wanted = wanted,
                                          .observed = observed,
                                          .status = holds ? RUN_TERM_HELD : RUN_TERM_BROKEN});
    seen->held += holds;
    if (!holds) {
        seen->evidence =
            run_result_textf(&run->result, "%s%s: %s, must be %s%s%s\n", seen->evidence, rule->name,
                             observed, wanted, rule->about[0] == '\0' ? "" : ": ", rule->about);
    }
}

static void judge_rules(struct scenario_run *run, struct store_tables *tables,
                        const struct seam_contract *contract) {
    struct rules_seen seen = {.evidence = ""};
    if (contract->rule_count == 0) {
        return;
    }
    for (size_t i = 0; i < contract->rule_count; i++) {
        judge_rule(run, tables, &contract->rules[i], &seen);
    }
    judged_check(run, run_result_textf(&run->result, "contract %s", contract->id), "contract",
                 seen.held == contract->rule_count,
                 run_result_textf(&run->result, "its %zu quality rules hold", contract->rule_count),
                 run_result_textf(&run->result, "%zu of %zu", seen.held, contract->rule_count), 0,
                 seen.evidence);
}

/* ---- All of them ---- */

bool contract_explains(const struct scenario_run *run, const struct alert_seen *alert) {
    const struct contract_set *set = run->options.contracts;
    for (int i = 0; i < SEAM_COUNT; i++) {
        enum topic_id feed = seam_feed((enum seam)i);
        if (feed != TOPIC_FEED_COUNT && strcmp(topic_name(feed), alert->subject) == 0 &&
            strcmp(alert->name, "feed-freshness") == 0 &&
            run_contracts_watched(run->scenario, set, feed)) {
            struct seen_level seen = look(run, &set->contracts[i], LEVEL_FRESHNESS);
            return seen.data && !seen.met;
        }
    }
    return false;
}

void judge_contracts(struct scenario_run *run) {
    struct store_tables *tables = store_tables_new(run->simulation);
    for (size_t i = 0; i < run->scenario->waived_count; i++) {
        judged_allowance(run, "contracts.waived", run->scenario->waived[i], false);
    }
    if (tables == NULL) {
        run->out_of_memory = true;
        return;
    }
    for (int i = 0; i < SEAM_COUNT; i++) {
        const struct seam_contract *contract = &run->options.contracts->contracts[i];
        run_result_add_contract(&run->result, &(struct run_contract){.id = contract->id,
                                                                     .version = contract->version,
                                                                     .owner = contract->owner,
                                                                     .about = contract->name});
        for (int level = 0; level < LEVEL_COUNT; level++) {
            const char *key = service_level_of(contract->seam, (enum service_level)level);
            if (contract->levels_ns[level] > 0 || judged_as_breached(run, key)) {
                judge_level(run, contract, (enum service_level)level);
            }
        }
        judge_rules(run, tables, contract);
    }
    store_tables_free(tables);
}
