/*
 * The way back from the dashboard's numbers, walked by the run itself (B6).
 */
#include <stdio.h>

#include "cli/scenario_run_parts.h"
#include "scenarios/quantity.h"
#include "sim/lineage_simulation.h"

static const char *moment(struct scenario_run *run, vtime t) {
    int64_t since_ns = vtime_diff(t, run->start);
    if (t.ns == INT64_MIN) {
        return "the start";
    }
    return run_result_textf(&run->result, "+%lld.%03lld s", (long long)(since_ns / VTIME_SECOND),
                            (long long)(since_ns / VTIME_MILLISECOND % 1000));
}

enum { EVIDENCE_MAX = 8 };

/* The first findings, a line each. */
static const char *findings_text(struct scenario_run *run, const struct lineage *l,
                                 const struct lineage_answer *answer) {
    const char *text = "";
    for (size_t i = 0; i < answer->finding_count && i < EVIDENCE_MAX; i++) {
        const struct lineage_finding *f = &answer->findings[i];
        uint32_t category = !f->is_order            ? f->shown.category
                            : f->oltp.order_id != 0 ? f->oltp.category
                                                    : f->said.category;
        struct bytes name = lineage_category_name(l, category);
        const char *what =
            f->is_order
                ? run_result_textf(&run->result, "order %llu",
                                   (unsigned long long)(f->oltp.order_id | f->said.order_id))
                : "the sum";
        text = run_result_textf(
            &run->result, "%s%s: %s of \"%.*s\" %s since %s, %s, effect %lld\n", text,
            lineage_layer_name(f->layer), what, name.len < 60 ? (int)name.len : 60, name.data,
            lineage_flaw_name(f->flaw), moment(run, f->since),
            f->until.ns == VTIME_NEVER.ns
                ? "to the end"
                : run_result_textf(&run->result, "until %s", moment(run, f->until)),
            (long long)f->effect);
    }
    return text;
}

static bool ask(struct scenario_run *run, struct lineage *l,
                const struct lineage_question *question, struct lineage_answer *answer) {
    if (lineage_walk(l, question, answer) == 0) {
        return true;
    }
    run->out_of_memory = true;
    return false;
}

static const char *sentence(struct scenario_run *run, const struct lineage_answer *answer) {
    char text[LINEAGE_SENTENCE];
    lineage_sentence(answer, text);
    return run_result_text(&run->result, text);
}

int64_t scenario_run_dashboard_sla_ns(const struct scenario_run *run) {
    const struct contract_set *contracts = run->options.contracts;
    int64_t promised_ns =
        contracts == NULL ? 0 : contracts->contracts[SEAM_GOLD_SALES].levels_ns[LEVEL_FRESHNESS];
    return promised_ns != 0 ? promised_ns : LINEAGE_SLA_NS;
}

/* At rest nothing is on its way any more: every number is right. */
static void judge_rest(struct scenario_run *run, struct lineage *l) {
    struct lineage_question question = {
        .measure = LINEAGE_AMOUNT, .at = simulation_now(run->simulation), .each = true};
    struct lineage_answer answer;
    if (ask(run, l, &question, &answer)) {
        judged_check(run, "lineage", "lineage", answer.verdict == LINEAGE_RIGHT,
                     "every sale of the dashboard as OLTP says", sentence(run, &answer),
                     question.at.ns, findings_text(run, l, &answer));
    }
    lineage_answer_release(&answer);
}

static void judge_moment(struct scenario_run *run, struct lineage *l,
                         const struct expected_lineage *wanted) {
    struct lineage_question question = {.measure = wanted->metric,
                                        .at = vtime_add(run->start, wanted->at_ns),
                                        .sla_ns = scenario_run_dashboard_sla_ns(run)};
    struct lineage_answer answer;
    if (ask(run, l, &question, &answer)) {
        bool named = answer.verdict != LINEAGE_NO_DATA && answer.layer == wanted->layer &&
                     (wanted->cause == LINEAGE_NO_CAUSE || answer.cause == wanted->cause);
        char at[DURATION_TEXT_SIZE];
        quantity_duration_format(wanted->at_ns, at);
        judged_check(
            run,
            run_result_textf(&run->result, "lineage: %s at %s",
                             lineage_measure_name(wanted->metric), at),
            "lineage", named,
            wanted->layer == LINEAGE_OLTP
                ? "no layer is wrong"
                : run_result_textf(
                      &run->result, "%s%s%s is named", lineage_layer_name(wanted->layer),
                      wanted->cause == LINEAGE_NO_CAUSE ? "" : " ",
                      wanted->cause == LINEAGE_NO_CAUSE ? "" : lineage_cause_name(wanted->cause)),
            sentence(run, &answer), question.at.ns, findings_text(run, l, &answer));
    }
    lineage_answer_release(&answer);
}

void judge_lineage(struct scenario_run *run) {
    bool histories = run->options.keep_history || run->scenario->lineage_count > 0;
    struct lineage l;
    lineage_init(&l);
    if (lineage_of_simulation(&l, run->simulation, histories) != 0) {
        run->out_of_memory = true;
    } else {
        judge_rest(run, &l);
        for (size_t i = 0; i < run->scenario->lineage_count && !run->out_of_memory; i++) {
            judge_moment(run, &l, &run->scenario->lineages[i]);
        }
    }
    lineage_release(&l);
}
