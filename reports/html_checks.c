/* Checks, objectives, and what was done to the run. */
#include "reports/html_parts.h"

#include <string.h>

#include "reports/format.h"
#include "reports/markup.h"

static void fact(FILE *out, const char *name, const char *value) {
    if (!*value)
        return;
    fprintf(out, "<dt>%s</dt><dd>", name);
    markup_text(out, value);
    fputs("</dd>", out);
}

static void problem(FILE *out, const struct run_result *r, const struct run_check *c) {
    bool unknown = c->status == RUN_CHECK_NO_DATA;
    fprintf(out, "<div class=\"problem%s\"><h3>", unknown ? " unknown" : "");
    html_tag(out, html_look_of_check(c->status), unknown ? "no data" : "failed");
    fputs(" ", out);
    markup_text(out, c->name);
    fputs(" <span class=\"soft\">", out);
    markup_text(out, c->kind);
    if (c->at_ns) {
        fputs(", at ", out);
        html_moment(out, r, c->at_ns);
    }
    fputs("</span></h3><dl class=\"facts\">", out);
    fact(out, "Expected", c->expected);
    fact(out, "Observed", c->observed);
    fputs("</dl>", out);
    if (*c->evidence) {
        fputs("<pre class=\"evidence\">", out);
        markup_text(out, c->evidence);
        fputs("</pre>", out);
    }
    fputs("</div>\n", out);
}

static void problems_with(FILE *out, const struct run_result *r, enum run_check_status status) {
    for (size_t i = 0; i < r->check_count; i++) {
        if (r->checks[i].status == status)
            problem(out, r, &r->checks[i]);
    }
}

void html_problems(FILE *out, const struct run_result *r) {
    size_t failed = run_checks_with(r, RUN_CHECK_FAIL);
    if (failed + run_checks_with(r, RUN_CHECK_NO_DATA) == 0)
        return;
    html_section(out, "problems", failed ? "What failed" : "What could not be judged");
    problems_with(out, r, RUN_CHECK_FAIL);
    problems_with(out, r, RUN_CHECK_NO_DATA);
    html_section_end(out);
}

static void check_row(FILE *out, const struct run_result *r, const struct run_check *c) {
    const char *status = run_check_status_name(c->status);
    fprintf(out, "<tr data-status=\"%s\"><td>", status);
    html_tag(out, html_look_of_check(c->status),
             c->status == RUN_CHECK_NO_DATA ? "no data" : status);
    fputs("</td><th scope=\"row\" class=\"name\">", out);
    markup_text(out, c->name);
    fputs("</th>", out);
    html_text_cell(out, c->kind);
    html_text_cell(out, c->expected);
    fputs("<td>", out);
    markup_text(out, c->observed);
    if (*c->evidence) {
        fputs("<details><summary>evidence</summary><pre>", out);
        markup_text(out, c->evidence);
        fputs("</pre></details>", out);
    }
    fputs("</td><td class=\"num\">", out);
    html_moment(out, r, c->at_ns);
    fputs("</td></tr>\n", out);
}

void html_checks(FILE *out, const struct run_result *r) {
    static const enum run_check_status order[] = {RUN_CHECK_FAIL, RUN_CHECK_NO_DATA,
                                                  RUN_CHECK_PASS};
    html_section(out, "checks", "Every check");
    if (r->check_count == 0) {
        fputs("<p class=\"none\">No check was made: this run shows nothing.</p>\n", out);
        html_section_end(out);
        return;
    }
    fputs("<div id=\"filter\" class=\"filter\"></div><div "
          "class=\"scroll\"><table><caption><span>Failed "
          "first, then those without data</span></caption><thead><tr><th scope=\"col\">Status</th>"
          "<th scope=\"col\">Check</th><th scope=\"col\">Kind</th><th scope=\"col\">Expected</th>"
          "<th scope=\"col\">Observed</th><th scope=\"col\" class=\"num\">At</th></tr></thead>"
          "<tbody>\n",
          out);
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        for (size_t i = 0; i < r->check_count; i++) {
            if (r->checks[i].status == order[k])
                check_row(out, r, &r->checks[i]);
        }
    }
    fputs("</tbody></table></div>\n", out);
    html_section_end(out);
}

static void budget_cell(FILE *out, const struct run_slo *s) {
    if (s->status == RUN_SLO_NO_DATA || !s->budget_known) {
        fputs("<td class=\"wide soft\">-</td><td class=\"num soft\">-</td>", out);
        return;
    }
    double left = s->budget_remaining;
    double width = left < 0 ? 100 : left > 1 ? 100 : left * 100;
    fprintf(out,
            "<td class=\"wide\"><span class=\"bar\"><i class=\"%s\" style=\"width:%.1f%%\"></i>"
            "</span></td><td class=\"num\">%.0f %%</td>",
            left <= 0     ? "fillbad"
            : left < 0.25 ? "fillwarn"
                          : "fillgood",
            width, left * 100);
}

static void slo_row(FILE *out, const struct run_slo *s) {
    bool data = s->status != RUN_SLO_NO_DATA;
    fputs("<tr><td>", out);
    html_tag(out, html_look_of_slo(s->status), data ? run_slo_status_name(s->status) : "no data");
    fputs("</td><th scope=\"row\" class=\"name\">", out);
    markup_text(out, s->name);
    fputs("</th>", out);
    fprintf(out, "<td class=\"num\">%s ", s->direction == RUN_AT_LEAST ? "&ge;" : "&lt;");
    markup_text(out, format_figure(s->objective, s->unit).text);
    fputs("</td>", out);
    html_number_cell(out, data ? format_figure(s->observed, s->unit).text : "no data");
    budget_cell(out, s);
    fputs("</tr>\n", out);
}

void html_objectives(FILE *out, const struct run_result *r) {
    static const enum run_slo_status order[] = {RUN_SLO_BREACHED, RUN_SLO_NO_DATA, RUN_SLO_MET};
    html_section(out, "objectives", "Objectives and their error budgets");
    if (r->slo_count == 0) {
        fputs("<p class=\"none\">This scenario states no objective.</p>\n", out);
        html_section_end(out);
        return;
    }
    fputs("<div class=\"scroll\"><table><caption><span>A budget below zero is "
          "overspent</span></caption><thead>"
          "<tr><th scope=\"col\">Status</th><th scope=\"col\">Objective</th>"
          "<th scope=\"col\" class=\"num\">Stated</th><th scope=\"col\" class=\"num\">Observed</th>"
          "<th scope=\"col\" colspan=\"2\" class=\"num\">Error budget left</th></tr></thead>"
          "<tbody>\n",
          out);
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        for (size_t i = 0; i < r->slo_count; i++) {
            if (r->slos[i].status == order[k])
                slo_row(out, &r->slos[i]);
        }
    }
    fputs("</tbody></table></div>\n", out);
    html_section_end(out);
}

static void counts_table(FILE *out, const char *caption, const char *column,
                         const struct run_counts *counts, bool zero_is_bad) {
    fprintf(out,
            "<div class=\"scroll\"><table><caption><span>%s</span></caption><thead><tr><th "
            "scope=\"col\">%s</th>"
            "<th scope=\"col\" class=\"num\">Times</th></tr></thead><tbody>\n",
            caption, column);
    for (size_t i = 0; i < counts->count; i++) {
        const struct run_count *c = &counts->items[i];
        fputs("<tr><th scope=\"row\" class=\"name\">", out);
        markup_text(out, c->name);
        fputs("</th><td class=\"num\">", out);
        if (c->count == 0 && zero_is_bad)
            html_tag(out, "warn", "never");
        else
            fputs(format_count(c->count).text, out);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

static uint64_t strikes_in(const struct run_result *r, const char *fault, const char *state) {
    for (size_t i = 0; i < r->cell_count; i++) {
        if (strcmp(r->cells[i].fault, fault) == 0 && strcmp(r->cells[i].state, state) == 0)
            return r->cells[i].strikes;
    }
    return 0;
}

/* Which fault struck in which state of the pipeline; states that none struck in are named below. */
static void coverage_table(FILE *out, const struct run_result *r) {
    fputs("<div class=\"scroll\"><table><caption><span>Strikes by state of the pipeline"
          "</span></caption><thead><tr><th scope=\"col\">Fault</th>",
          out);
    for (size_t s = 0; s < r->states.count; s++) {
        if (r->states.items[s].count == 0)
            continue;
        fputs("<th scope=\"col\" class=\"num\">", out);
        markup_text(out, r->states.items[s].name);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    for (size_t f = 0; f < r->faults.count; f++) {
        fputs("<tr><th scope=\"row\" class=\"name\">", out);
        markup_text(out, r->faults.items[f].name);
        fputs("</th>", out);
        for (size_t s = 0; s < r->states.count; s++) {
            if (r->states.items[s].count == 0)
                continue;
            uint64_t strikes = strikes_in(r, r->faults.items[f].name, r->states.items[s].name);
            fprintf(out, "<td class=\"num\">%s</td>",
                    strikes == 0 ? "" : format_count(strikes).text);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n<p>Never struck in: ", out);
    const char *between = "";
    for (size_t s = 0; s < r->states.count; s++) {
        if (r->states.items[s].count == 0) {
            fputs(between, out);
            markup_text(out, r->states.items[s].name);
            between = ", ";
        }
    }
    fputs(*between == '\0' ? "none.</p>\n" : ".</p>\n", out);
}

void html_broken(FILE *out, const struct run_result *r) {
    html_section(out, "broken", "Broken on purpose, and how far it went");
    fputs("<div class=\"pair\"><div>", out);
    if (r->faults.count)
        counts_table(out, "Faults injected", "Fault", &r->faults, true);
    else
        fputs("<p class=\"none\">No fault was injected.</p>", out);
    fputs("</div><div>", out);
    if (r->reached.count)
        counts_table(out, "Points of interest that the run reached", "Point", &r->reached, true);
    else
        fputs("<p class=\"none\">No point of interest was declared.</p>", out);
    fputs("</div></div>\n", out);
    if (r->cell_count)
        coverage_table(out, r);
    html_section_end(out);
}
