/* The stores over time: timeline, freshness, reconciliation, search, costs. */
#include "reports/html_parts.h"

#include <string.h>

#include "reports/format.h"
#include "reports/markup.h"

/* --- timeline ----------------------------------------------------------------------------------
 */

static void series_legend(FILE *out, const struct run_result *r, enum run_series_kind kind,
                          const char *title) {
    bool any = false;
    for (size_t i = 0; i < r->series_count; i++) {
        if (r->series[i].kind != kind || r->series[i].count == 0)
            continue;
        if (!any)
            fprintf(out, "<ul class=\"legend\"><li class=\"soft\">%s</li>", title);
        any = true;
        html_swatch(out, plots_feed_colour(r, i), r->series[i].name);
    }
    if (any)
        fputs("</ul>", out);
}

static bool steps_told(const struct run_result *r) {
    for (size_t i = 0; i < r->alert_count; i++) {
        if (r->alerts[i].told)
            return true;
    }
    return false;
}

static void alert_row(FILE *out, const struct run_result *r, const struct run_alert *a) {
    fputs("<tr><td class=\"num\">", out);
    html_moment(out, r, a->at_ns);
    fputs("</td><td>", out);
    html_tag(out, a->told ? "plain" : a->raised ? "bad" : "good", run_alert_word(a));
    fputs("</td><th scope=\"row\" class=\"name\">", out);
    markup_text(out, a->name);
    fputs("</th>", out);
    html_text_cell(out, a->subject);
    html_text_cell(out, a->evidence);
    fputs("</tr>\n", out);
}

static void alerts(FILE *out, const struct run_result *r) {
    if (r->alert_count == 0) {
        fputs("<p class=\"none\">No alert was raised.</p>\n", out);
        return;
    }
    fputs(
        "<h3>Alerts</h3><div class=\"scroll\"><table><caption><span>As the pipeline raised and "
        "cleared "
        "them</span></caption><thead><tr><th scope=\"col\" class=\"num\">At</th><th "
        "scope=\"col\">State"
        "</th><th scope=\"col\">Alert</th><th scope=\"col\">Subject</th><th scope=\"col\">Evidence"
        "</th></tr></thead><tbody>\n",
        out);
    for (size_t i = 0; i < r->alert_count; i++)
        alert_row(out, r, &r->alerts[i]);
    fputs("</tbody></table></div>\n", out);
}

/* How coarse the curves are: a reader must know that they show maxima. */
static void timeline_caption(FILE *out, const struct run_result *r) {
    int64_t width_ns = 0;
    for (size_t i = 0; i < r->series_count; i++)
        width_ns = r->series[i].width_ns > width_ns ? r->series[i].width_ns : width_ns;
    fputs("<p class=\"note\">Virtual time from the start of the run.", out);
    if (width_ns)
        fprintf(out, " Each point of a curve is the worst value in up to %s.",
                format_duration(width_ns).text);
    fputs("</p>\n", out);
}

void html_timeline(FILE *out, const struct run_result *r, const struct plots *plots) {
    html_section(out, "timeline", r->band_count ? "Lag while things broke" : "Lag over time");
    if (*plots->problem) {
        fputs("<p><span class=\"tag warn\">no plots</span> ", out);
        markup_text(out, plots->problem);
        fputs("</p>\n", out);
    } else if (!plots->svg[PLOT_TIMELINE][PLOT_WIDE]) {
        fputs("<p class=\"none\">No data: no lag was sampled and no fault was injected.</p>\n",
              out);
    }
    if (plots->svg[PLOT_TIMELINE][PLOT_WIDE]) {
        series_legend(out, r, RUN_SERIES_FEED_LAG, "Feeds");
        series_legend(out, r, RUN_SERIES_STORE_LAG, "Stores");
        if (r->band_count + r->alert_count)
            fputs("<ul class=\"legend\"><li><i class=\"block\" style=\"background:var(--p2)\"></i>"
                  "fault at work</li><li><i class=\"block\" style=\"background:var(--p3)\"></i>"
                  "alert raised</li>",
                  out);
        if (r->band_count + r->alert_count && steps_told(r))
            fputs("<li><i class=\"block\" style=\"background:var(--p10)\"></i>step of an "
                  "upgrade</li>",
                  out);
        if (r->band_count + r->alert_count)
            fputs("</ul>\n", out);
        html_plot(out, plots, PLOT_TIMELINE);
        timeline_caption(out, r);
        size_t rows = plots_timeline_rows(r);
        if (rows > PLOT_ROWS_MAX)
            fprintf(out, "<p class=\"note\">%zu more faults and alerts are not drawn.</p>\n",
                    rows - PLOT_ROWS_MAX);
    }
    alerts(out, r);
    html_section_end(out);
}

/* --- freshness ---------------------------------------------------------------------------------
 */

static void quantile_cell(FILE *out, const struct histogram *h, int permille) {
    int64_t q = histogram_quantile_ns(h, permille);
    html_number_cell(out, q < 0 ? "-" : format_duration(q).text);
}

static void freshness_row(FILE *out, const struct run_result *r, const struct run_freshness *f) {
    const struct histogram *v = &f->visibility;
    enum run_slo_status status = run_freshness_status(f);
    fputs("<tr><td>", out);
    if (f->objective_ns == 0 && v->count > 0)
        html_tag(out, "none", "no objective");
    else
        html_tag(out, html_look_of_slo(status),
                 status == RUN_SLO_NO_DATA ? "no data" : run_slo_status_name(status));
    fprintf(out,
            "</td><th scope=\"row\" class=\"name\"><span class=\"key\">"
            "<i style=\"background:var(--p%d)\"></i>",
            10 + plots_store_colour(r, f->store));
    markup_text(out, f->store);
    fputs("</span></th>", out);
    html_number_cell(out, format_count(v->count).text);
    quantile_cell(out, v, 500);
    quantile_cell(out, v, 950);
    quantile_cell(out, v, 990);
    html_number_cell(out, v->count ? format_duration(v->max_ns).text : "-");
    if (f->objective_ns) {
        char objective[80];
        snprintf(objective, sizeof objective, "P%g < %s", run_freshness_permille(f) / 10.0,
                 format_duration(f->objective_ns).text);
        html_number_cell(out, objective);
    } else {
        html_number_cell(out, "-");
    }
    quantile_cell(out, &f->event, 950);
    fputs("<td class=\"num\">", out);
    if (f->pending)
        html_tag(out, "warn", format_count(f->pending).text);
    else
        fputs("0", out);
    fputs("</td></tr>\n", out);
}

void html_freshness(FILE *out, const struct run_result *r, const struct plots *plots) {
    html_section(out, "freshness", "Freshness per store");
    if (r->freshness_count == 0) {
        fputs("<p class=\"none\">No data: no change was followed to a store.</p>\n", out);
        html_section_end(out);
        return;
    }
    html_plot(out, plots, PLOT_FRESHNESS);
    fputs("<div class=\"scroll\"><table><caption><span>Visibility lag: from the append to the log "
          "to the "
          "first moment a reader sees the change. Event lag counts from the producer's own time. "
          "Never visible: accepted changes that no reader had seen by the "
          "end.</span></caption><thead><tr>"
          "<th scope=\"col\">Status</th><th scope=\"col\">Store</th>"
          "<th scope=\"col\" class=\"num\">Changes</th><th scope=\"col\" class=\"num\">P50</th>"
          "<th scope=\"col\" class=\"num\">P95</th><th scope=\"col\" class=\"num\">P99</th>"
          "<th scope=\"col\" class=\"num\">Max</th><th scope=\"col\" class=\"num\">Objective</th>"
          "<th scope=\"col\" class=\"num\">Event lag P95</th>"
          "<th scope=\"col\" class=\"num\">Never visible</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < r->freshness_count; i++)
        freshness_row(out, r, &r->freshness[i]);
    fputs("</tbody></table></div>\n", out);
    html_section_end(out);
}

/* --- reconciliation ----------------------------------------------------------------------------
 */

static uint64_t greatest_class(const struct run_reconciliation *rec) {
    uint64_t max = 1;
    for (int i = 0; i < RUN_DRIFT_COUNT; i++) {
        max = rec->before[i] > max ? rec->before[i] : max;
        max = rec->after[i] > max ? rec->after[i] : max;
    }
    return max;
}

static void bar(FILE *out, uint64_t count, uint64_t max, const char *fill) {
    if (count == 0)
        return;
    double width = 100.0 * (double)count / (double)max;
    fprintf(out, "<span class=\"bar naked\"><i class=\"%s\" style=\"width:%.1f%%\"></i></span>",
            fill, width < 1.5 ? 1.5 : width);
}

static const char *const meanings[RUN_DRIFT_COUNT] = {
    [RUN_DRIFT_MISSING] = "should be there and is not",
    [RUN_DRIFT_ORPHAN] = "is there and never should have been",
    [RUN_DRIFT_DUPLICATE] = "is there more than once",
    [RUN_DRIFT_STALE] = "holds an older version",
    [RUN_DRIFT_MISMATCH] = "right version, other content",
    [RUN_DRIFT_RESURRECTED] = "was deleted and is back",
    [RUN_DRIFT_WRONG_MODEL] = "embedded by another model version",
    [RUN_DRIFT_SUPPRESSED_SERVED] = "is served although its seller is suppressed",
    [RUN_DRIFT_IN_FLIGHT] = "newer than the cutoff: not drift",
};

static void class_row(FILE *out, const struct run_reconciliation *rec, int i) {
    bool zero = rec->before[i] + rec->after[i] == 0, flight = i == RUN_DRIFT_IN_FLIGHT;
    uint64_t max = greatest_class(rec);
    fprintf(out, "<tr%s><th scope=\"row\">%s</th><td class=\"soft more\">%s</td>",
            zero ? " class=\"zero\"" : "", run_drift_name((enum run_drift)i), meanings[i]);
    html_number_cell(out, format_count(rec->before[i]).text);
    html_number_cell(out, format_count(rec->after[i]).text);
    fputs("<td class=\"wide\">", out);
    bar(out, rec->before[i], max, flight ? "fillsoft" : "fillwarn");
    bar(out, flight ? 0 : rec->after[i], max, "fillbad");
    fputs("</td></tr>\n", out);
}

static void class_table(FILE *out, const struct run_reconciliation *rec) {
    fputs(
        "<div class=\"scroll\"><table><caption><span>Rows that differed from the source of truth, "
        "per "
        "class</span></caption><thead><tr><th scope=\"col\">Difference</th><th scope=\"col\" "
        "class=\"more\">The row</th>"
        "<th scope=\"col\" class=\"num\">Before repair</th>"
        "<th scope=\"col\" class=\"num\">After</th><th scope=\"col\"><span class=\"key\">"
        "<i class=\"fillwarn\"></i>before</span> <span class=\"key\"><i class=\"fillbad\"></i>after"
        "</span></th></tr></thead><tbody>\n",
        out);
    for (int i = 0; i < RUN_DRIFT_COUNT; i++)
        class_row(out, rec, i);
    fputs("</tbody></table></div>\n", out);
}

static void store_table(FILE *out, const struct run_reconciliation *rec) {
    if (rec->store_count == 0)
        return;
    fputs("<details><summary>Per store</summary><div class=\"scroll\"><table><caption><span>Rows "
          "that "
          "differed, per store and class</span></caption><thead><tr><th scope=\"col\">Store</th>"
          "<th scope=\"col\">Difference</th><th scope=\"col\" class=\"num\">Before repair</th>"
          "<th scope=\"col\" class=\"num\">After</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < rec->store_count; i++) {
        const struct run_store_drift *d = &rec->stores[i];
        fprintf(out, "<tr%s><th scope=\"row\" class=\"name\">",
                d->before + d->after ? "" : " class=\"zero\"");
        markup_text(out, d->store);
        fputs("</th>", out);
        html_text_cell(out, run_drift_name(d->drift));
        html_number_cell(out, format_count(d->before).text);
        html_number_cell(out, format_count(d->after).text);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div></details>\n", out);
}

static void sample_row(FILE *out, const struct run_drift_sample *s) {
    fputs("<tr><th scope=\"row\" class=\"name mono\">", out);
    markup_text(out, s->listing);
    fputs("</th>", out);
    html_text_cell(out, s->store);
    fputs("<td>", out);
    html_tag(out, "warn", run_drift_name(s->drift));
    fputs("</td>", out);
    html_text_cell(out, s->expected);
    html_text_cell(out, s->observed);
    html_text_cell(out, s->reason);
    fputs("</tr>\n", out);
}

static void sample_table(FILE *out, const struct run_reconciliation *rec) {
    if (rec->sample_count == 0)
        return;
    fputs("<h3>Sample differences</h3><div class=\"scroll\"><table><caption><span>What the store "
          "held, "
          "what it should have held, and why</span></caption><thead><tr><th "
          "scope=\"col\">Listing</th>"
          "<th scope=\"col\">Store</th><th scope=\"col\">Difference</th><th scope=\"col\">Expected"
          "</th><th scope=\"col\">Observed</th><th scope=\"col\">Reason</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < rec->sample_count; i++)
        sample_row(out, &rec->samples[i]);
    fputs("</tbody></table></div>\n", out);
}

void html_reconciliation(FILE *out, const struct run_result *r) {
    const struct run_reconciliation *rec = &r->reconciliation;
    html_section(out, "reconciliation", "Reconciliation before and after repair");
    if (!rec->present) {
        fputs("<p><span class=\"tag warn\">no data</span> Reconciliation never ran: nothing is "
              "known of what the stores hold.</p>\n",
              out);
        html_section_end(out);
        return;
    }
    uint64_t before = run_drift_total(rec->before), after = run_drift_total(rec->after);
    fputs("<p>", out);
    html_tag(out, after ? "bad" : "good", after ? "drift left" : before ? "repaired" : "clean");
    fprintf(out, " %s row%s differed, %s repaired, %s left.", format_count(before).text,
            before == 1 ? "" : "s", format_count(rec->repaired).text, format_count(after).text);
    if (rec->compared)
        fprintf(out, " %s rows compared", format_count(rec->compared).text);
    if (rec->cutoff_ns) {
        fputs(rec->compared ? ", cutoff " : " Cutoff ", out);
        html_moment(out, r, rec->cutoff_ns);
    }
    fputs(rec->compared || rec->cutoff_ns ? ".</p>\n" : "</p>\n", out);
    if (before + after == 0)
        fputs("<details><summary>Per class</summary>", out);
    class_table(out, rec);
    fputs(before + after == 0 ? "</details>\n" : "", out);
    store_table(out, rec);
    sample_table(out, rec);
    html_section_end(out);
}

/* --- search ------------------------------------------------------------------------------------
 */

static bool curve_line_is_first(const struct run_result *r, size_t i) {
    for (size_t j = 0; j < i; j++) {
        if (plots_curve_line(r, j) == plots_curve_line(r, i))
            return false;
    }
    return true;
}

static void curve_legend(FILE *out, const struct run_result *r) {
    fputs("<ul class=\"legend\">", out);
    for (size_t i = 0; i < r->recall.curve_count; i++) {
        char name[64];
        if (!curve_line_is_first(r, i))
            continue;
        snprintf(name, sizeof name, "M %d, efConstruction %d", r->recall.curve[i].m,
                 r->recall.curve[i].ef_construction);
        html_swatch(out, plots_curve_line(r, i) % PLOT_COLOURS, name);
    }
    fputs("</ul>\n", out);
}

static void curve_table(FILE *out, const struct run_recall *recall) {
    fputs(
        "<details><summary>Every point</summary><div "
        "class=\"scroll\"><table><caption><span>Recall@10 "
        "against exact search, and latency per query</span></caption><thead><tr>"
        "<th scope=\"col\" class=\"num\">M</th><th scope=\"col\" class=\"num\">efConstruction</th>"
        "<th scope=\"col\" class=\"num\">ef</th><th scope=\"col\" class=\"num\">Recall@10</th>"
        "<th scope=\"col\" class=\"num\">Latency</th><th scope=\"col\"></th></tr></thead>"
        "<tbody>\n",
        out);
    for (size_t i = 0; i < recall->curve_count; i++) {
        const struct run_curve_point *p = &recall->curve[i];
        fprintf(out,
                "<tr><td class=\"num\">%d</td><td class=\"num\">%d</td><td class=\"num\">%d</td>",
                p->m, p->ef_construction, p->ef);
        html_number_cell(out, format_figure(p->recall, "ratio").text);
        html_number_cell(out, format_figure(p->latency_us / 1e6, "s").text);
        fputs("<td>", out);
        if (p->chosen)
            html_tag(out, "good", "operating point");
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table></div></details>\n", out);
}

static void search_fact(FILE *out, const char *name, const char *value) {
    fprintf(out, "<dt>%s</dt><dd>%s</dd>", name, value);
}

static void search_facts(FILE *out, const struct run_recall *c) {
    char line[256];
    fputs("<dl class=\"facts\">", out);
    if (c->probes)
        snprintf(line, sizeof line, "mean %s, least %s, over %s probes against exact search",
                 format_figure(c->mean, "ratio").text, format_figure(c->min, "ratio").text,
                 format_count(c->probes).text);
    else
        snprintf(line, sizeof line, "no data");
    search_fact(out, "Recall@10", line);
    if (c->latency.count) {
        snprintf(line, sizeof line, "P50 %s, P95 %s, P99 %s, max %s (virtual time)",
                 format_duration(histogram_quantile_ns(&c->latency, 500)).text,
                 format_duration(histogram_quantile_ns(&c->latency, 950)).text,
                 format_duration(histogram_quantile_ns(&c->latency, 990)).text,
                 format_duration(c->latency.max_ns).text);
        search_fact(out, "Query latency", line);
    }
    if (c->asked) {
        snprintf(line, sizeof line, "%s of %s queries answered (%s)",
                 format_count(c->answered).text, format_count(c->asked).text,
                 format_figure((double)c->answered / (double)c->asked, "ratio").text);
        search_fact(out, "Availability", line);
    }
    fputs("</dl>\n", out);
}

void html_search(FILE *out, const struct run_result *r, const struct plots *plots) {
    const struct run_recall *c = &r->recall;
    html_section(out, "search", "Search: recall and latency");
    if (c->probes + c->asked + c->curve_count == 0) {
        fputs("<p class=\"none\">No data: no search was probed.</p>\n", out);
        html_section_end(out);
        return;
    }
    if (c->probes + c->asked)
        search_facts(out, c);
    if (c->curve_count) {
        curve_legend(out, r);
        html_plot(out, plots, PLOT_CURVE);
        curve_table(out, c);
    }
    html_section_end(out);
}

/* --- costs -------------------------------------------------------------------------------------
 */

static void cost_row(FILE *out, const char *name, uint64_t count, const char *aside) {
    fprintf(out, "<tr><th scope=\"row\">%s</th>", name);
    html_number_cell(out, format_count(count).text);
    fprintf(out, "<td class=\"soft\">%s</td></tr>\n", aside);
}

void html_costs(FILE *out, const struct run_result *r) {
    const struct run_costs *c = &r->costs;
    char aside[160];
    html_section(out, "costs", "Work and cost");
    fputs("<div class=\"pair\"><div class=\"scroll\"><table><caption><span>What the pipeline spent"
          "</span></caption><tbody>\n",
          out);
    uint64_t wanted = c->embeddings_made + c->embeddings_avoided;
    snprintf(aside, sizeof aside, "%s of those wanted; content unchanged",
             format_share(c->embeddings_avoided, wanted).text);
    cost_row(out, "Embeddings made", c->embeddings_made, "");
    cost_row(out, "Embeddings taken from artifacts", c->embeddings_reused, "");
    cost_row(out, "Embeddings avoided", c->embeddings_avoided, wanted ? aside : "");
    cost_row(out, "Vectors written", c->vectors_written, "");
    cost_row(out, "Metadata-only writes", c->metadata_writes, "vector left as it is");
    cost_row(out, "Stale writes rejected", c->stale_rejected, "by the store's version check");
    fputs("</tbody></table></div><div class=\"scroll\"><table><caption><span>Events of the workload"
          "</span></caption><tbody>\n",
          out);
    for (size_t i = 0; i < r->events.count; i++) {
        fputs("<tr><th scope=\"row\" class=\"name\">", out);
        markup_text(out, r->events.items[i].name);
        fputs("</th>", out);
        html_number_cell(out, format_count(r->events.items[i].count).text);
        fputs("</tr>\n", out);
    }
    if (r->events.count == 0)
        fputs("<tr><td class=\"soft\">none counted</td></tr>\n", out);
    fputs("</tbody></table></div></div>\n", out);
    html_section_end(out);
}
