#include "reports/html.h"

#include <string.h>

#include "reports/format.h"
#include "reports/headline.h"
#include "reports/html_parts.h"
#include "reports/html_style.h"
#include "reports/markup.h"

/* --- what the sections share -------------------------------------------------------------------
 */

void html_head(FILE *out, const char *verdict, const char *title, const char *style) {
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
          "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n<title>",
          out);
    fprintf(out, "%s ", verdict);
    markup_text(out, title);
    fputs("</title>\n<style>", out);
    fputs(HTML_STYLE_COLOURS, out);
    fputs(HTML_STYLE_TEXT, out);
    fputs(HTML_STYLE_TOP, out);
    fputs(HTML_STYLE_TABLES, out);
    fputs(HTML_STYLE_PLOTS, out);
    fprintf(out, "%s</style></head>\n<body>\n", style);
}

void html_section(FILE *out, const char *id, const char *title) {
    fprintf(out, "<section id=\"%s\"><h2>%s</h2>\n", id, title);
}

void html_section_end(FILE *out) {
    fputs("</section>\n", out);
}

void html_plot(FILE *out, const struct plots *plots, enum plot plot) {
    static const char *const classes[] = {[PLOT_WIDE] = "wideplot", [PLOT_NARROW] = "narrow"};
    for (int size = 0; size < PLOT_SIZES; size++) {
        if (plots->svg[plot][size])
            fprintf(out, "<div class=\"plot %s\">%s</div>\n", classes[size],
                    plots->svg[plot][size]);
    }
}

void html_swatch(FILE *out, int colour, const char *name) {
    fprintf(out, "<li><i style=\"background:var(--p%d)\"></i>", 10 + colour);
    markup_text(out, name);
    fputs("</li>", out);
}

void html_tag(FILE *out, const char *look, const char *word) {
    fprintf(out, "<span class=\"tag %s\">%s</span>", look, word);
}

const char *html_look_of_check(enum run_check_status status) {
    return status == RUN_CHECK_PASS ? "good" : status == RUN_CHECK_FAIL ? "bad" : "warn";
}

const char *html_look_of_slo(enum run_slo_status status) {
    return status == RUN_SLO_MET ? "good" : status == RUN_SLO_BREACHED ? "bad" : "warn";
}

void html_number_cell(FILE *out, const char *text) {
    fputs("<td class=\"num\">", out);
    markup_text(out, text);
    fputs("</td>", out);
}

void html_text_cell(FILE *out, const char *text) {
    fputs("<td>", out);
    markup_text(out, text);
    fputs("</td>", out);
}

void html_moment(FILE *out, const struct run_result *r, int64_t at_ns) {
    if (at_ns == 0)
        return;
    struct formatted full = format_moment(at_ns);
    fprintf(out, "<time datetime=\"%s\" title=\"%s\">%s</time>", full.text, full.text,
            format_run_moment(r, at_ns).text);
}

/* --- the top -----------------------------------------------------------------------------------
 */

static const struct {
    const char *word, *look;
} verdicts[] = {[RUN_ERROR] = {"ERROR", "bad"},
                [RUN_PASS] = {"PASS", "good"},
                [RUN_FAIL] = {"FAIL", "bad"},
                [RUN_SLO] = {"SLO MISSED", "warn"}};

static void verdict(FILE *out, const struct run_result *r) {
    fprintf(out, "<div class=\"verdict\"><div class=\"pill %s\" style=\"flex:none\">%s</div><div>",
            verdicts[r->verdict].look, verdicts[r->verdict].word);
    fputs("<h1>", out);
    markup_text(out, *r->scenario ? r->scenario : "(no scenario)");
    fprintf(out, " <span class=\"soft\">seed %llu</span></h1>\n<p class=\"head\">",
            (unsigned long long)r->seed);
    markup_text(out, run_headline(r).text);
    fputs("</p>\n", out);
    if (*r->about) {
        fputs("<p class=\"soft\">", out);
        markup_text(out, r->about);
        fputs("</p>\n", out);
    }
    if (*r->bug) {
        fputs("<p><span class=\"tag warn\">planted bug</span> The core was built wrong on purpose: "
              "<code>",
              out);
        markup_text(out, r->bug);
        fputs("</code></p>\n", out);
    }
    fputs("</div></div>\n", out);
    if (*r->reproduce) {
        fputs("<div class=\"cmd\"><code id=\"command\" aria-label=\"command that reproduces this "
              "run\">",
              out);
        markup_text(out, r->reproduce);
        fputs("</code></div>\n", out);
    }
}

/* --- the tiles ---------------------------------------------------------------------------------
 */

/* look: "good", "bad", "warn" or "" */
static void tile(FILE *out, const char *look, const char *name, const char *value,
                 const char *aside) {
    fprintf(out, "<div class=\"tile %s%s\"><dt>%s</dt><dd>", *look ? "is" : "", look, name);
    markup_text(out, value);
    fputs("</dd><dd class=\"sub\">", out);
    markup_text(out, aside);
    fputs("</dd></div>\n", out);
}

static void checks_tile(FILE *out, const struct run_result *r) {
    char value[64], aside[64];
    size_t passed = run_checks_with(r, RUN_CHECK_PASS);
    snprintf(value, sizeof value, "%zu of %zu", passed, r->check_count);
    snprintf(aside, sizeof aside, "%zu failed, %zu without data",
             run_checks_with(r, RUN_CHECK_FAIL), run_checks_with(r, RUN_CHECK_NO_DATA));
    const char *look = run_checks_with(r, RUN_CHECK_FAIL) ? "bad"
                       : passed < r->check_count          ? "warn"
                                                          : "good";
    if (r->check_count == 0)
        tile(out, "warn", "Checks held", "no data", "nothing was checked");
    else
        tile(out, look, "Checks held", value, aside);
}

static void slos_tile(FILE *out, const struct run_result *r) {
    char value[64], aside[64];
    size_t met = run_slos_with(r, RUN_SLO_MET);
    if (r->slo_count == 0)
        return;
    snprintf(value, sizeof value, "%zu of %zu", met, r->slo_count);
    snprintf(aside, sizeof aside, "%zu breached, %zu without data",
             run_slos_with(r, RUN_SLO_BREACHED), run_slos_with(r, RUN_SLO_NO_DATA));
    const char *look = run_slos_with(r, RUN_SLO_BREACHED) ? "bad"
                       : met < r->slo_count               ? "warn"
                                                          : "good";
    tile(out, look, "Objectives met", value, aside);
}

/* The slowest store is the one that a person has to know of. */
static void freshness_tile(FILE *out, const struct run_result *r) {
    const struct run_freshness *worst = NULL;
    int64_t worst_ns = -1;
    for (size_t i = 0; i < r->freshness_count; i++) {
        const struct run_freshness *f = &r->freshness[i];
        int64_t p95 = histogram_quantile_ns(&f->visibility, 950);
        if (p95 > worst_ns) {
            worst = f;
            worst_ns = p95;
        }
    }
    if (!worst) {
        tile(out, "warn", "Slowest store, P95", "no data", "no change became visible");
        return;
    }
    char aside[128];
    snprintf(aside, sizeof aside, "%.60s; objective %s", worst->store,
             worst->objective_ns ? format_duration(worst->objective_ns).text : "none");
    tile(out, html_look_of_slo(run_freshness_status(worst)), "Slowest store, P95",
         format_duration(worst_ns).text, aside);
}

static void drift_tile(FILE *out, const struct run_result *r) {
    const struct run_reconciliation *rec = &r->reconciliation;
    if (!rec->present) {
        tile(out, "warn", "Rows still adrift", "no data", "reconciliation never ran");
        return;
    }
    char aside[160];
    uint64_t after = run_drift_total(rec->after);
    snprintf(aside, sizeof aside, "%s found, %s repaired",
             format_count(run_drift_total(rec->before)).text, format_count(rec->repaired).text);
    tile(out, after ? "bad" : "good", "Rows still adrift", format_count(after).text, aside);
}

static void recall_tile(FILE *out, const struct run_result *r) {
    const struct run_recall *c = &r->recall;
    char aside[160];
    if (c->probes == 0)
        return;
    snprintf(aside, sizeof aside, "least %s, %s probes", format_figure(c->min, "ratio").text,
             format_count(c->probes).text);
    const char *look = c->objective <= 0 ? "" : c->mean >= c->objective ? "good" : "bad";
    tile(out, look, "Recall@10, mean", format_figure(c->mean, "ratio").text, aside);
}

static void tiles(FILE *out, const struct run_result *r) {
    char aside[160];
    fputs("<dl class=\"tiles\">\n", out);
    checks_tile(out, r);
    slos_tile(out, r);
    freshness_tile(out, r);
    drift_tile(out, r);
    recall_tile(out, r);
    snprintf(aside, sizeof aside, "of %zu kind%s", r->faults.count,
             r->faults.count == 1 ? "" : "s");
    tile(out, "", "Faults injected", format_count(run_faults_injected(r)).text, aside);
    const struct run_costs *c = &r->costs;
    if (c->embeddings_made + c->embeddings_avoided) {
        snprintf(
            aside, sizeof aside, "%s avoided (%s)", format_count(c->embeddings_avoided).text,
            format_share(c->embeddings_avoided, c->embeddings_made + c->embeddings_avoided).text);
        tile(out, "", "Embeddings made", format_count(c->embeddings_made).text, aside);
    }
    fputs("</dl>\n", out);
}

/* --- the bottom --------------------------------------------------------------------------------
 */

static void fact(FILE *out, const char *name, const char *value) {
    if (!*value)
        return;
    fprintf(out, "<dt>%s</dt><dd class=\"mono\">", name);
    markup_text(out, value);
    fputs("</dd>", out);
}

static void footer(FILE *out, const struct run_result *r, const struct run_html_options *o) {
    fputs("<footer><dl class=\"facts\">", out);
    fact(out, "Murphy", r->murphy);
    fact(out, "Trace hash", r->trace_hash);
    fact(out, "End state", r->end_state);
    char drawn[600];
    format_drawn(r, drawn, sizeof drawn);
    fact(out, "Drawn", drawn);
    if (r->start_ns)
        fact(out, "Starts at", format_moment(r->start_ns).text);
    fact(out, "Virtual time", format_duration(r->virtual_ns).text);
    if (!o->without_wall)
        fact(out, "Wall time", format_duration(r->wall_ns).text);
    fputs("</dl></footer>\n<script>" HTML_SCRIPT "</script>\n</body></html>\n", out);
}

static void page(FILE *out, const struct run_result *r, const struct run_html_options *o,
                 const struct plots *plots) {
    char title[300];
    snprintf(title, sizeof title, "%.250s, seed %llu", r->scenario, (unsigned long long)r->seed);
    html_head(out, verdicts[r->verdict].word, title, "");
    fputs("<header>\n", out);
    verdict(out, r);
    tiles(out, r);
    fputs("<nav aria-label=\"Sections\"><a href=\"#timeline\">Timeline</a>"
          "<a href=\"#objectives\">Objectives</a>",
          out);
    fputs(r->contract_count == 0 ? "" : "<a href=\"#contracts\">Contracts</a>", out);
    fputs("<a href=\"#freshness\">Freshness</a>", out);
    fputs(r->way_count == 0 ? "" : "<a href=\"#ways\">Updates</a>", out);
    fputs("<a href=\"#reconciliation\">Reconciliation</a><a href=\"#search\">Search</a>"
          "<a href=\"#checks\">Checks</a><a href=\"#broken\">Broken on purpose</a>"
          "<a href=\"#costs\">Work and cost</a></nav>\n</header>\n<main>\n",
          out);
    html_problems(out, r);
    html_timeline(out, r, plots);
    html_objectives(out, r);
    html_contracts(out, r);
    html_freshness(out, r, plots);
    html_ways(out, r);
    html_reconciliation(out, r);
    html_search(out, r, plots);
    html_checks(out, r);
    html_broken(out, r);
    html_costs(out, r);
    fputs("</main>\n", out);
    footer(out, r, o);
}

int run_html_write(const struct run_result *r, const struct run_html_options *options, FILE *out,
                   struct report_error *error) {
    static const struct run_html_options plain;
    if (report_refuse_incomplete(r, error) != 0)
        return -1;
    const struct run_html_options *o = options ? options : &plain;
    struct plots plots;
    plots_draw(&plots, r, o->gnuplot);
    page(out, r, o, &plots);
    plots_release(&plots);
    return report_finish(out, error);
}

static int write_any(const struct run_result *r, const void *options, FILE *out,
                     struct report_error *error) {
    return run_html_write(r, options, out, error);
}

int run_html_save(const struct run_result *r, const struct run_html_options *options,
                  const char *path, struct report_error *error) {
    return report_save(write_any, r, options, path, error);
}
