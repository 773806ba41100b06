#include "reports/text.h"

#include <stdarg.h>
#include <string.h>

#include "reports/format.h"
#include "reports/headline.h"
#include "reports/page.h"

#define LABEL_COLUMN 2
#define VALUE_COLUMN 16
#define SAMPLES_SHOWN 5
#define ALERTS_SHOWN 12

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
put(struct page *p, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    page_put(p, text);
}

static void heading(struct page *p, const char *title, const char *aside) {
    page_newline(p);
    page_colour(p, PAGE_BOLD);
    page_put(p, title);
    page_colour(p, PAGE_PLAIN);
    page_put(p, *aside ? "  " : "");
    page_wrap(p, LABEL_COLUMN, aside);
}

/* "  label         value", the value wrapped under itself. */
static void labelled(struct page *p, const char *label, const char *value) {
    page_tab(p, LABEL_COLUMN);
    page_put(p, label);
    page_tab(p, VALUE_COLUMN);
    page_wrap(p, VALUE_COLUMN, *value ? value : "-");
}

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static void
labelledf(struct page *p, const char *label, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    labelled(p, label, text);
}

enum mark { MARK_GOOD, MARK_BAD, MARK_UNKNOWN };

static void put_mark(struct page *p, enum mark mark) {
    static const char *const fancy[] = {"\xE2\x9C\x93", "\xE2\x9C\x97", "?"};
    static const char *const plain[] = {"+", "x", "?"};
    static const enum page_colour colours[] = {PAGE_GOOD, PAGE_BAD, PAGE_WARN};
    page_colour(p, colours[mark]);
    page_put(p, p->ascii ? plain[mark] : fancy[mark]);
    page_colour(p, PAGE_PLAIN);
    page_put(p, " ");
}

static enum mark slo_mark(enum run_slo_status status) {
    return status == RUN_SLO_MET ? MARK_GOOD : status == RUN_SLO_NO_DATA ? MARK_UNKNOWN : MARK_BAD;
}

static void verdict(struct page *p, const struct run_result *r) {
    static const struct {
        const char *word;
        enum page_colour colour;
    } words[] = {[RUN_ERROR] = {"ERROR", PAGE_BAD},
                 [RUN_PASS] = {"PASS", PAGE_GOOD},
                 [RUN_FAIL] = {"FAIL", PAGE_BAD},
                 [RUN_SLO] = {"SLO MISSED", PAGE_WARN}};
    page_colour(p, words[r->verdict].colour);
    page_put(p, words[r->verdict].word);
    page_colour(p, PAGE_PLAIN);
    page_put(p, "  ");
    char title[256];
    snprintf(title, sizeof title, "%.200s, seed %llu", r->scenario, (unsigned long long)r->seed);
    page_colour(p, PAGE_BOLD);
    page_wrap(p, LABEL_COLUMN, title);
    page_colour(p, PAGE_PLAIN);
    page_wrap(p, 0, run_headline(r).text);
    if (*r->about) {
        page_newline(p);
        page_colour(p, PAGE_DIM);
        page_wrap(p, 0, r->about);
        page_colour(p, PAGE_PLAIN);
    }
}

/* "20,000 produced, 412 duplicates, 3 dead lettered", wrapped between items only. */
static void counts_line(struct page *p, const char *label, const struct run_counts *counts) {
    page_tab(p, LABEL_COLUMN);
    page_put(p, label);
    page_tab(p, VALUE_COLUMN);
    for (size_t i = 0; i < counts->count; i++) {
        char item[160];
        int length =
            snprintf(item, sizeof item, "%s %.100s%s", format_count(counts->items[i].count).text,
                     counts->items[i].name, i + 1 < counts->count ? "," : "");
        for (char *c = item; *c; c++)
            *c = *c == '_' ? ' ' : *c;
        if (i > 0 && p->column + 1 + length > PAGE_COLUMNS) {
            page_newline(p);
            page_tab(p, VALUE_COLUMN);
        } else if (i > 0) {
            page_put(p, " ");
        }
        if (p->column + length > PAGE_COLUMNS)
            page_cell(p, PAGE_COLUMNS - p->column, item);
        else
            page_put(p, item);
    }
    if (counts->count == 0)
        page_put(p, "none counted");
    page_newline(p);
}

static void run_lines(struct page *p, const struct run_result *r, bool without_wall) {
    page_newline(p);
    if (*r->bug)
        labelled(p, "planted bug", r->bug);
    struct formatted span = format_duration(r->virtual_ns), wall = format_duration(r->wall_ns);
    labelledf(p, "time", "%s virtual%s%s, from %s", span.text, without_wall ? "" : " in ",
              without_wall ? "" : wall.text, format_moment(r->start_ns).text);
    char drawn[600];
    format_drawn(r, drawn, sizeof drawn);
    if (*drawn)
        labelled(p, "drawn", drawn);
    counts_line(p, "events", &r->events);
    if (*r->trace_hash)
        labelled(p, "trace", r->trace_hash);
    if (*r->end_state)
        labelled(p, "end state", r->end_state);
}

static void broken(struct page *p, const struct run_result *r) {
    heading(p, "Broken on purpose", r->faults.count || *r->bug ? "" : "nothing");
    for (size_t i = 0; i < r->faults.count; i++) {
        page_tab(p, LABEL_COLUMN);
        page_cell_right(p, 9, format_count(r->faults.items[i].count).text);
        page_put(p, p->ascii ? " x " : " \xC3\x97 ");
        page_wrap(p, VALUE_COLUMN, r->faults.items[i].name);
    }
    if (r->cell_count) {
        char line[1200] = "";
        size_t length = 0;
        for (size_t i = 0; i < r->states.count && length < sizeof line - 80; i++) {
            const struct run_count *state = &r->states.items[i];
            if (state->count > 0)
                length += (size_t)snprintf(line + length, sizeof line - length, "%s%s %s",
                                           length == 0 ? "" : ", ", state->name,
                                           format_count(state->count).text);
        }
        labelled(p, "in states", line);
    }
    if (*r->bug) {
        char line[300];
        snprintf(line, sizeof line, "and the core itself, with the planted bug %.200s", r->bug);
        page_tab(p, LABEL_COLUMN);
        page_wrap(p, VALUE_COLUMN, line);
    }
}

static void check_in_full(struct page *p, const struct run_result *r, const struct run_check *c,
                          enum mark mark) {
    char name[400];
    snprintf(name, sizeof name, "%.300s (%.60s)", c->name, c->kind);
    put_mark(p, mark);
    page_colour(p, PAGE_BOLD);
    page_wrap(p, LABEL_COLUMN, name);
    page_colour(p, PAGE_PLAIN);
    if (c->at_ns)
        labelled(p, "  at", format_run_moment(r, c->at_ns).text);
    if (*c->expected)
        labelled(p, "  expected", c->expected);
    if (*c->observed)
        labelled(p, "  observed", c->observed);
    if (*c->evidence)
        labelled(p, "  evidence", c->evidence);
}

static void checks_in_full(struct page *p, const struct run_result *r, const char *title,
                           enum run_check_status status, enum mark mark) {
    size_t n = run_checks_with(r, status);
    if (n == 0)
        return;
    char aside[80];
    snprintf(aside, sizeof aside, "%zu of %zu checks", n, r->check_count);
    heading(p, title, aside);
    for (size_t i = 0; i < r->check_count; i++) {
        if (r->checks[i].status == status)
            check_in_full(p, r, &r->checks[i], mark);
    }
}

static bool kind_seen_before(const struct run_result *r, size_t index) {
    for (size_t i = 0; i < index; i++) {
        const struct run_check *c = &r->checks[i];
        if (c->status == RUN_CHECK_PASS && strcmp(c->kind, r->checks[index].kind) == 0)
            return true;
    }
    return false;
}

/* One name in a list, on the next line when it does not fit. */
static void list_name(struct page *p, const char *name, bool first) {
    if (!first) {
        page_put(p, ",");
        if (p->column + 2 + (int)strlen(name) > PAGE_COLUMNS)
            page_newline(p);
        page_tab(p, p->column ? 0 : VALUE_COLUMN + 2);
    }
    if (p->column + (int)strlen(name) < PAGE_COLUMNS)
        page_put(p, name);
    else
        page_cell(p, PAGE_COLUMNS - p->column - 1, name);
}

/* A check's name without the kind that it begins with and that stands in front of it already. */
static const char *name_below_kind(const struct run_check *c) {
    size_t n = strlen(c->kind);
    if (n == 0 || strncmp(c->name, c->kind, n) != 0) {
        return c->name;
    }
    const char *rest = c->name + n + (c->name[n] == ':');
    return *rest == ' ' ? rest + 1 : c->name;
}

/* Passed checks by kind: there are many, and none needs attention. */
static void held(struct page *p, const struct run_result *r) {
    size_t n = run_checks_with(r, RUN_CHECK_PASS);
    char aside[80];
    snprintf(aside, sizeof aside, "%zu of %zu checks", n, r->check_count);
    heading(p, "Held", r->check_count ? aside : "no check was made");
    for (size_t i = 0; i < r->check_count; i++) {
        if (r->checks[i].status != RUN_CHECK_PASS || kind_seen_before(r, i))
            continue;
        put_mark(p, MARK_GOOD);
        page_cell(p, VALUE_COLUMN, *r->checks[i].kind ? r->checks[i].kind : "other");
        bool first = true;
        for (size_t j = i; j < r->check_count; j++) {
            const struct run_check *c = &r->checks[j];
            if (c->status == RUN_CHECK_PASS && strcmp(c->kind, r->checks[i].kind) == 0) {
                list_name(p, name_below_kind(c), first);
                first = false;
            }
        }
        page_newline(p);
    }
}

static void objectives(struct page *p, const struct run_result *r) {
    heading(p, "Objectives", r->slo_count ? "" : "none stated");
    if (!r->slo_count)
        return;
    page_tab(p, LABEL_COLUMN);
    page_cell(p, 34, "name");
    page_cell_right(p, 15, "objective");
    page_cell_right(p, 15, "observed");
    page_cell_right(p, 14, "budget left");
    page_newline(p);
    for (size_t i = 0; i < r->slo_count; i++) {
        const struct run_slo *s = &r->slos[i];
        bool data = s->status != RUN_SLO_NO_DATA;
        put_mark(p, slo_mark(s->status));
        page_cell(p, 34, s->name);
        page_cell_right(p, 15, format_objective(s).text);
        page_cell_right(p, 15, data ? format_figure(s->observed, s->unit).text : "no data");
        char budget[32] = "-";
        if (data && s->budget_known)
            snprintf(budget, sizeof budget, "%.0f %%", s->budget_remaining * 100);
        page_cell_right(p, 14, budget);
        page_newline(p);
    }
}

/* Those that did not hold, term by term; the others by their ids. */
static void contracts(struct page *p, const struct run_result *r) {
    size_t held = run_contracts_with(r, RUN_TERM_HELD);
    char aside[80];
    if (!r->contract_count)
        return;
    snprintf(aside, sizeof aside, "%zu of %zu held, %zu broken, %zu waived", held,
             r->contract_count, run_contracts_with(r, RUN_TERM_BROKEN),
             run_contracts_with(r, RUN_TERM_WAIVED));
    heading(p, "Contracts", aside);
    for (size_t i = 0; i < r->contract_count; i++) {
        const struct run_contract *c = &r->contracts[i];
        for (size_t k = 0; k < c->term_count; k++) {
            const struct run_contract_term *t = &c->terms[k];
            char line[400];
            if (t->status != RUN_TERM_BROKEN && t->status != RUN_TERM_WAIVED)
                continue;
            snprintf(line, sizeof line, "%s %s, of %s: %s %s, wanted %s", c->id, c->version,
                     c->owner, t->name, t->observed, t->wanted);
            put_mark(p, t->status == RUN_TERM_BROKEN ? MARK_BAD : MARK_UNKNOWN);
            page_wrap(p, LABEL_COLUMN, line);
        }
    }
    if (held > 0) {
        bool first = true;
        put_mark(p, MARK_GOOD);
        page_cell(p, VALUE_COLUMN, "held");
        for (size_t i = 0; i < r->contract_count; i++) {
            if (run_contract_status(&r->contracts[i]) == RUN_TERM_HELD) {
                list_name(p, r->contracts[i].id, first);
                first = false;
            }
        }
        page_newline(p);
    }
}

/* "5m00s", "12h03m", "12.5ms": a duration in seven columns. */
static void duration_cell(struct page *p, int width, int64_t ns) {
    char narrow[FORMAT_SIZE];
    size_t used = 0;
    if (ns < 0) {
        page_cell_right(p, width, "-");
        return;
    }
    struct formatted f = format_duration(ns);
    for (const char *c = f.text; *c; c++) {
        if (strncmp(c, "min", 3) == 0) {
            narrow[used++] = 'm';
            c += 2;
        } else if (*c != ' ') {
            narrow[used++] = *c;
        }
    }
    narrow[used] = '\0';
    page_cell_right(p, width, narrow);
}

static void freshness_row(struct page *p, const struct run_freshness *f) {
    const struct histogram *v = &f->visibility;
    if (f->objective_ns == 0 && v->count > 0)
        page_put(p, "  "); /* nobody asked for any */
    else
        put_mark(p, slo_mark(run_freshness_status(f)));
    page_cell(p, 18, f->store);
    page_cell_right(p, 9, v->count ? format_count(v->count).text : "no data");
    duration_cell(p, 8, histogram_quantile_ns(v, 500));
    duration_cell(p, 8, histogram_quantile_ns(v, 950));
    duration_cell(p, 8, histogram_quantile_ns(v, 990));
    duration_cell(p, 8, v->count ? v->max_ns : -1);
    duration_cell(p, 8, f->objective_ns ? f->objective_ns : -1);
    duration_cell(p, 10, histogram_quantile_ns(&f->event, 950));
    page_newline(p);
    if (f->pending) {
        page_tab(p, LABEL_COLUMN + 2);
        put(p, "and %s accepted change%s never became visible", format_count(f->pending).text,
            f->pending == 1 ? "" : "s");
        page_newline(p);
    }
}

static void freshness(struct page *p, const struct run_result *r) {
    heading(p, "Freshness", r->freshness_count ? "visibility lag, append to visible" : "no data");
    if (!r->freshness_count)
        return;
    static const char *const columns[] = {"P50", "P95", "P99", "max", "limit"};
    page_tab(p, LABEL_COLUMN);
    page_cell(p, 18, "store");
    page_cell_right(p, 9, "changes");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        page_cell_right(p, 8, columns[i]);
    page_cell_right(p, 10, "event P95");
    page_newline(p);
    for (size_t i = 0; i < r->freshness_count; i++)
        freshness_row(p, &r->freshness[i]);
}

static void drift_row(struct page *p, const char *store, const char *drift, uint64_t before,
                      uint64_t after) {
    put_mark(p, after ? MARK_BAD : MARK_GOOD);
    page_cell(p, 30, store);
    page_cell(p, 20, drift);
    page_cell_right(p, 12, format_count(before).text);
    page_cell_right(p, 14, format_count(after).text);
    page_newline(p);
}

/* Rows per store when they are known, else per class. Rows without drift are left out. */
static void drift_rows(struct page *p, const struct run_reconciliation *rec) {
    page_tab(p, LABEL_COLUMN);
    page_cell(p, 30, "store");
    page_cell(p, 20, "difference");
    page_cell_right(p, 12, "found");
    page_cell_right(p, 14, "after repair");
    page_newline(p);
    for (size_t i = 0; i < rec->store_count; i++) {
        const struct run_store_drift *d = &rec->stores[i];
        if (d->before + d->after && d->drift != RUN_DRIFT_IN_FLIGHT)
            drift_row(p, d->store, run_drift_name(d->drift), d->before, d->after);
    }
    for (int i = 0; i < RUN_DRIFT_COUNT && rec->store_count == 0; i++) {
        if (rec->before[i] + rec->after[i] && i != RUN_DRIFT_IN_FLIGHT)
            drift_row(p, "all", run_drift_name((enum run_drift)i), rec->before[i], rec->after[i]);
    }
}

static void samples(struct page *p, const struct run_reconciliation *rec) {
    for (size_t i = 0; i < rec->sample_count && i < SAMPLES_SHOWN; i++) {
        const struct run_drift_sample *s = &rec->samples[i];
        char line[300];
        snprintf(line, sizeof line, "%.100s in %.100s: %s", s->listing, s->store,
                 run_drift_name(s->drift));
        page_tab(p, LABEL_COLUMN);
        page_wrap(p, LABEL_COLUMN + 2, line);
        labelled(p, "  expected", s->expected);
        labelled(p, "  observed", s->observed);
        if (*s->reason)
            labelled(p, "  because", s->reason);
    }
    if (rec->sample_count > SAMPLES_SHOWN) {
        page_tab(p, LABEL_COLUMN + 2);
        put(p, "%zu more samples are in the report", rec->sample_count - SAMPLES_SHOWN);
        page_newline(p);
    }
}

static void reconciliation(struct page *p, const struct run_result *r) {
    const struct run_reconciliation *rec = &r->reconciliation;
    char aside[240];
    if (!rec->present) {
        heading(p, "Reconciliation", "no data: it never ran");
        return;
    }
    uint64_t before = run_drift_total(rec->before), after = run_drift_total(rec->after);
    int used =
        snprintf(aside, sizeof aside, "cutoff %s", format_run_moment(r, rec->cutoff_ns).text);
    if (rec->compared)
        used += snprintf(aside + used, sizeof aside - (size_t)used, ", %s rows compared",
                         format_count(rec->compared).text);
    if (before + after == 0)
        snprintf(aside + used, sizeof aside - (size_t)used, ", no difference");
    else
        snprintf(aside + used, sizeof aside - (size_t)used, ", %s repaired, %s left",
                 format_count(rec->repaired).text, format_count(after).text);
    heading(p, "Reconciliation", aside);
    if (before + after)
        drift_rows(p, rec);
    if (rec->before[RUN_DRIFT_IN_FLIGHT]) {
        page_tab(p, LABEL_COLUMN);
        put(p, "%s rows newer than the cutoff (in flight, not drift)",
            format_count(rec->before[RUN_DRIFT_IN_FLIGHT]).text);
        page_newline(p);
    }
    samples(p, rec);
}

static void recall(struct page *p, const struct run_result *r) {
    const struct run_recall *c = &r->recall;
    if (c->probes + c->asked == 0)
        return;
    heading(p, "Search", "");
    if (c->probes)
        labelledf(p, "recall@10", "mean %s, least %s, over %s probes",
                  format_figure(c->mean, "ratio").text, format_figure(c->min, "ratio").text,
                  format_count(c->probes).text);
    else
        labelled(p, "recall@10", "no data");
    if (c->latency.count)
        labelledf(p, "latency", "P50 %s, P95 %s, P99 %s, max %s",
                  format_duration(histogram_quantile_ns(&c->latency, 500)).text,
                  format_duration(histogram_quantile_ns(&c->latency, 950)).text,
                  format_duration(histogram_quantile_ns(&c->latency, 990)).text,
                  format_duration(c->latency.max_ns).text);
    if (c->asked)
        labelledf(p, "availability", "%s of %s queries answered (%s)",
                  format_count(c->answered).text, format_count(c->asked).text,
                  format_figure((double)c->answered / (double)c->asked, "ratio").text);
}

static void costs(struct page *p, const struct run_result *r) {
    const struct run_costs *c = &r->costs;
    uint64_t wanted = c->embeddings_made + c->embeddings_avoided;
    bool any = wanted + c->vectors_written + c->metadata_writes + c->stale_rejected > 0;
    heading(p, "Costs", any ? "" : "nothing was embedded or written");
    if (!any)
        return;
    labelledf(p, "embeddings", "%s made, %s avoided by content hash (%s)",
              format_count(c->embeddings_made).text, format_count(c->embeddings_avoided).text,
              format_share(c->embeddings_avoided, wanted).text);
    if (c->embeddings_reused > 0) {
        labelledf(p, "artifacts", "%s embeddings were kept from before and not made again",
                  format_count(c->embeddings_reused).text);
    }
    labelledf(p, "writes", "%s vectors, %s metadata only, %s stale ones rejected",
              format_count(c->vectors_written).text, format_count(c->metadata_writes).text,
              format_count(c->stale_rejected).text);
}

static void alerts(struct page *p, const struct run_result *r) {
    if (r->alert_count == 0)
        return;
    heading(p, "Alerts", "");
    for (size_t i = 0; i < r->alert_count && i < ALERTS_SHOWN; i++) {
        const struct run_alert *a = &r->alerts[i];
        char line[300];
        bool by_operator = strcmp(a->name, "operator") == 0;
        snprintf(line, sizeof line, "%-7s %.60s: %.60s%s%.100s", run_alert_word(a), a->name,
                 a->subject, by_operator && *a->evidence != '\0' ? " " : "",
                 by_operator ? a->evidence : "");
        page_tab(p, LABEL_COLUMN);
        page_cell(p, 18, format_run_moment(r, a->at_ns).text);
        page_wrap(p, LABEL_COLUMN + 26, line);
    }
    if (r->alert_count > ALERTS_SHOWN) {
        page_tab(p, LABEL_COLUMN);
        put(p, "%zu more are in the report", r->alert_count - ALERTS_SHOWN);
        page_newline(p);
    }
}

int run_text_write(const struct run_result *r, const struct run_text_options *options, FILE *out,
                   struct report_error *error) {
    static const struct run_text_options plain;
    if (report_refuse_incomplete(r, error) != 0)
        return -1;
    const struct run_text_options *o = options ? options : &plain;
    struct page page = {.out = out, .colour = o->colour, .ascii = o->ascii}, *p = &page;
    verdict(p, r);
    run_lines(p, r, o->without_wall);
    broken(p, r);
    checks_in_full(p, r, "Failed", RUN_CHECK_FAIL, MARK_BAD);
    checks_in_full(p, r, "No data", RUN_CHECK_NO_DATA, MARK_UNKNOWN);
    held(p, r);
    objectives(p, r);
    contracts(p, r);
    freshness(p, r);
    reconciliation(p, r);
    recall(p, r);
    alerts(p, r);
    costs(p, r);
    if (*r->reproduce) {
        heading(p, "Again", "");
        page_command(p, LABEL_COLUMN, r->reproduce);
    }
    return report_finish(out, error);
}

static int write_any(const struct run_result *r, const void *options, FILE *out,
                     struct report_error *error) {
    return run_text_write(r, options, out, error);
}

int run_text_save(const struct run_result *r, const struct run_text_options *options,
                  const char *path, struct report_error *error) {
    return report_save(write_any, r, options, path, error);
}
