#include "reports/plot_script.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "reports/format.h"
#include "reports/unicode.h"

#define SECOND INT64_C(1000000000)
#define DAY_S 86400.0

/* Lags below this are drawn here: a logarithmic axis has no zero. */
#define LAG_FLOOR_S 0.1

/* --- what plots and legends agree on -----------------------------------------------------------
 */

int plots_feed_colour(const struct run_result *r, size_t series_index) {
    int rank = 0;
    for (size_t i = 0; i < series_index; i++)
        rank += r->series[i].kind == r->series[series_index].kind;
    return rank % PLOT_COLOURS;
}

/* Where the store's series stands among those of stores, -1 when it has none; how many there are
 * for NULL. */
static int store_series_rank(const struct run_result *r, const char *store) {
    int rank = 0;
    for (size_t i = 0; i < r->series_count; i++) {
        if (r->series[i].kind != RUN_SERIES_STORE_LAG)
            continue;
        if (store && strcmp(r->series[i].name, store) == 0)
            return rank;
        rank++;
    }
    return store ? -1 : rank;
}

int plots_store_colour(const struct run_result *r, const char *store) {
    int rank = store_series_rank(r, store);
    if (rank >= 0)
        return rank % PLOT_COLOURS;
    rank = store_series_rank(r, NULL);
    for (size_t i = 0; i < r->freshness_count && strcmp(r->freshness[i].store, store) != 0; i++)
        rank += store_series_rank(r, r->freshness[i].store) < 0;
    return rank % PLOT_COLOURS;
}

static bool same_line(const struct run_curve_point *a, const struct run_curve_point *b) {
    return a->m == b->m && a->ef_construction == b->ef_construction;
}

static bool curve_is_first(const struct run_result *r, size_t i) {
    for (size_t j = 0; j < i; j++) {
        if (same_line(&r->recall.curve[j], &r->recall.curve[i]))
            return false;
    }
    return true;
}

int plots_curve_line(const struct run_result *r, size_t point_index) {
    int line = 0;
    for (size_t i = 0; !same_line(&r->recall.curve[i], &r->recall.curve[point_index]); i++)
        line += curve_is_first(r, i);
    return line;
}

static bool band_is_first(const struct run_result *r, size_t i) {
    for (size_t j = 0; j < i; j++) {
        if (strcmp(r->bands[j].kind, r->bands[i].kind) == 0 &&
            strcmp(r->bands[j].subject, r->bands[i].subject) == 0)
            return false;
    }
    return true;
}

static bool alert_is_first(const struct run_result *r, size_t i) {
    for (size_t j = 0; j < i; j++) {
        if (strcmp(r->alerts[j].name, r->alerts[i].name) == 0 &&
            strcmp(r->alerts[j].subject, r->alerts[i].subject) == 0)
            return false;
    }
    return true;
}

size_t plots_timeline_rows(const struct run_result *r) {
    size_t rows = 0;
    for (size_t i = 0; i < r->band_count; i++)
        rows += band_is_first(r, i);
    for (size_t i = 0; i < r->alert_count; i++)
        rows += alert_is_first(r, i);
    return rows;
}

/* --- gnuplot's language ------------------------------------------------------------------------
 */

/* A single-quoted string of at most `width` columns. */
static void put_string(FILE *out, const char *text, int width) {
    fputc('\'', out);
    int used = 0;
    int full = (int)unicode_text_width(text);
    for (uint32_t c; (c = unicode_next(&text)) != 0;) {
        char utf8[5];
        if (unicode_is_hidden(c) || c == '`')
            c = '?';
        used += unicode_width(c);
        if (used > width - (full > width)) {
            fputs("\xE2\x80\xA6", out);
            break;
        }
        unicode_encode(c, utf8);
        fputs(c == '\'' ? "''" : utf8, out);
    }
    fputc('\'', out);
}

static void put_colour(FILE *out, int colour) {
    fprintf(out, "rgb '#0100%02x'", (unsigned)colour);
}

struct canvas {
    int width, height;
    int left, right; /* margins in pixels */
    bool narrow;
};

static void put_terminal(FILE *out, const struct canvas *c, const char *name) {
    fprintf(out,
            "reset\nset encoding utf8\n"
            "set terminal svg size %d,%d dynamic noenhanced name '%s' font ',%d'\n"
            "set output\nset samples 2\nunset key\n",
            c->width, c->height, name, c->narrow ? 11 : 12);
}

/* The area of a graph, pixels from the top. */
static void put_area(FILE *out, const struct canvas *c, int top, int bottom) {
    fprintf(out,
            "set lmargin at screen %.5f\nset rmargin at screen %.5f\n"
            "set tmargin at screen %.5f\nset bmargin at screen %.5f\n",
            (double)c->left / c->width, 1 - (double)c->right / c->width,
            1 - (double)top / c->height, 1 - (double)bottom / c->height);
}

static void put_axes(FILE *out) {
    fputs("set border 3 lw 1 lc ", out);
    put_colour(out, PLOT_GRID);
    fputs("\nset tics out nomirror scale 0.4 textcolor ", out);
    put_colour(out, PLOT_INK);
    fputs("\nset grid lw 0.6 lt 1 lc ", out);
    put_colour(out, PLOT_GRID);
    fputs("\n", out);
}

static void put_title(FILE *out, const char *title) {
    fputs("set label 1 ", out);
    put_string(out, title, 100);
    fputs(" at graph 0, graph 1 offset 0,0.8 left textcolor ", out);
    put_colour(out, PLOT_INK);
    fputs("\n", out);
}

/* --- axes of time and of lag -------------------------------------------------------------------
 */

struct span {
    double seconds; /* the axis runs from 0, the run's start, to here */
    int64_t start_ns;
};

static double offset_s(const struct span *s, int64_t at_ns) {
    return (double)(at_ns - s->start_ns) / 1e9;
}

static struct span span_of(const struct run_result *r) {
    struct span s = {(double)r->virtual_ns / 1e9, r->start_ns};
    if (s.start_ns == 0 && r->series_count && r->series[0].count)
        s.start_ns = r->series[0].points[0].at_ns;
    for (size_t i = 0; i < r->series_count; i++) {
        const struct run_series *series = &r->series[i];
        if (series->count)
            s.seconds = fmax(s.seconds, offset_s(&s, series->points[series->count - 1].at_ns));
    }
    return s;
}

static double time_step(double seconds, int tics) {
    static const double steps[] = {1,   2,   5,    10,   15,   30,    60,    120,   300,
                                   600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400};
    static const double days[] = {2, 7, 14, 30, 91, 182, 365, 730};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (seconds / steps[i] <= tics)
            return steps[i];
    }
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        if (seconds / (days[i] * DAY_S) <= tics)
            return days[i] * DAY_S;
    }
    return seconds;
}

static void put_time_label(FILE *out, const struct span *s, double at) {
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (s->seconds > 2 * DAY_S) {
        int year, month, day;
        format_civil_date(s->start_ns + (int64_t)at * SECOND, &year, &month, &day);
        fprintf(out, "'%d %s'", day, months[month - 1]);
    } else if (s->seconds <= 600) {
        fprintf(out, "'%d:%02d'", (int)at / 60, (int)at % 60);
    } else {
        fprintf(out, "'%d:%02d'", (int)at / 3600, (int)at / 60 % 60);
    }
}

static void put_time_axis(FILE *out, const struct span *s, bool labels, bool narrow) {
    fprintf(out, "set xrange [0:%.9g]\nset xtics (", s->seconds);
    double step = time_step(s->seconds, narrow ? 5 : 12);
    int n = 0;
    for (double at = 0; at <= s->seconds; at += step) {
        fputs(n++ ? ", " : "", out);
        if (labels)
            put_time_label(out, s, at);
        else
            fputs("''", out);
        fprintf(out, " %.9g", at);
    }
    fputs(")\n", out);
}

/* Tics where people have words for a duration. */
static void put_lag_tics(FILE *out, const char *axis, double from, double to) {
    static const struct {
        double seconds;
        const char *label;
    } tics[] = {{0.001, "1 ms"}, {0.01, "10 ms"}, {0.1, "0.1 s"},   {1, "1 s"},
                {10, "10 s"},    {60, "1 min"},   {600, "10 min"},  {3600, "1 h"},
                {36000, "10 h"}, {345600, "4 d"}, {2592000, "30 d"}};
    fprintf(out, "set logscale %s\nset %stics (", axis, axis);
    int n = 0;
    for (size_t i = 0; i < sizeof tics / sizeof *tics; i++) {
        if (tics[i].seconds >= from * 0.999 && tics[i].seconds <= to)
            fprintf(out, "%s'%s' %g", n++ ? ", " : "", tics[i].label, tics[i].seconds);
    }
    fputs(")\n", out);
}

/* --- the timeline ------------------------------------------------------------------------------
 */

static size_t points_of_kind(const struct run_result *r, enum run_series_kind kind) {
    size_t points = 0;
    for (size_t i = 0; i < r->series_count; i++)
        points += r->series[i].kind == kind ? r->series[i].count : 0;
    return points;
}

/* Datablocks $s0, $s1, ... ; an empty line breaks the curve where there is no data. */
static void put_series_data(FILE *out, const struct run_result *r, const struct span *span) {
    for (size_t i = 0; i < r->series_count; i++) {
        const struct run_series *s = &r->series[i];
        bool lag = s->kind != RUN_SERIES_RECALL;
        fprintf(out, "$s%zu << EOD\n", i);
        for (size_t j = 0; j < s->count; j++) {
            double value = s->points[j].value;
            if (isnan(value))
                fputs("\n", out);
            else
                fprintf(out, "%.9g %.5g\n", offset_s(span, s->points[j].at_ns),
                        lag ? fmax(value, LAG_FLOOR_S) : value);
        }
        fputs("EOD\n", out);
    }
}

/* One light shade behind the curves for every fault; which fault it is, the rows below say. */
static void put_shades(FILE *out, const struct run_result *r, const struct span *span) {
    double least = span->seconds / 600;
    for (size_t i = 0; i < r->band_count; i++) {
        double from = offset_s(span, r->bands[i].from_ns);
        double to = fmax(offset_s(span, r->bands[i].to_ns), from + least);
        /* A fault that lasts most of the run would only tint the whole plot. */
        if (to - from > span->seconds * 0.6)
            continue;
        fprintf(out,
                "set object rectangle from %.9g, graph 0 to %.9g, graph 1 behind fillstyle solid "
                "0.13 noborder fillcolor ",
                from, fmin(to, span->seconds));
        put_colour(out, PLOT_FAULT);
        fputs("\n", out);
    }
}

static void put_curves(FILE *out, const struct run_result *r, enum run_series_kind kind) {
    int n = 0;
    for (size_t i = 0; i < r->series_count; i++) {
        const struct run_series *s = &r->series[i];
        if (s->kind != kind || s->count == 0)
            continue;
        fprintf(out, "%s$s%zu using 1:2 with lines lw 1.6 lc ", n++ ? ", " : "plot ", i);
        put_colour(out, PLOT_SERIES + plots_feed_colour(r, i));
    }
    fputs("\n", out);
}

static double greatest(const struct run_result *r, enum run_series_kind kind) {
    double max = 0;
    for (size_t i = 0; i < r->series_count; i++) {
        const struct run_series *s = &r->series[i];
        for (size_t j = 0; s->kind == kind && j < s->count; j++)
            max = s->points[j].value > max ? s->points[j].value : max;
    }
    return max;
}

static double least_recall(const struct run_result *r) {
    double min = 1;
    for (size_t i = 0; i < r->series_count; i++) {
        const struct run_series *s = &r->series[i];
        for (size_t j = 0; s->kind == RUN_SERIES_RECALL && j < s->count; j++)
            min = s->points[j].value < min ? s->points[j].value : min;
    }
    return min;
}

/* A dashed line across the graph; its words stand above the graph, where no curve runs. */
static void put_objective(FILE *out, double y, const char *words) {
    fprintf(
        out,
        "set arrow 1 from graph 0, first %.9g to graph 1, first %.9g nohead dt (6,4) lw 1.2 lc ", y,
        y);
    put_colour(out, PLOT_OBJECTIVE);
    fputs("\nset label 2 ", out);
    put_string(out, words, 40);
    fputs(" at graph 1, graph 1 offset 0,0.8 right textcolor ", out);
    put_colour(out, PLOT_OBJECTIVE);
    fputs("\n", out);
}

static int64_t common_objective_ns(const struct run_result *r) {
    int64_t objective = r->freshness_count ? r->freshness[0].objective_ns : 0;
    for (size_t i = 1; i < r->freshness_count; i++)
        objective = r->freshness[i].objective_ns == objective ? objective : 0;
    return objective;
}

static void start_panel(FILE *out, const struct canvas *c, const struct span *span, int top,
                        int height, const char *title, bool labels) {
    fputs("unset label\nunset arrow\nunset logscale\nset ytics auto\n", out);
    put_area(out, c, top, top + height);
    put_time_axis(out, span, labels, c->narrow);
    put_title(out, title);
}

static void lag_panel(FILE *out, const struct run_result *r, enum run_series_kind kind) {
    double max = fmax(greatest(r, kind) * 1.6, 20);
    int64_t objective = kind == RUN_SERIES_STORE_LAG ? common_objective_ns(r) : 0;
    if (objective) {
        char words[FORMAT_SIZE + 48];
        int permille = run_freshness_permille(&r->freshness[0]);
        snprintf(words, sizeof words, "- - P%g < %s", permille / 10.0,
                 format_duration(objective).text);
        max = fmax(max, (double)objective / 1e9 * 4);
        put_objective(out, (double)objective / 1e9, words);
    }
    fprintf(out, "set yrange [%g:%.9g]\n", LAG_FLOOR_S, max);
    put_lag_tics(out, "y", LAG_FLOOR_S, max);
    put_curves(out, r, kind);
}

static void recall_panel(FILE *out, const struct run_result *r) {
    double objective = r->recall.objective;
    double low = fmin(least_recall(r), objective > 0 ? objective : 1);
    low = floor(low * 20 - 0.5) / 20;
    low = low > 0 ? low : 0;
    fprintf(out, "set yrange [%g:1.01]\nset ytics %g\nset format y '%%.2f'\n", low,
            1 - low > 0.3   ? 0.25
            : 1 - low > 0.1 ? 0.1
                            : 0.05);
    if (objective > 0) {
        char words[FORMAT_SIZE + 48];
        snprintf(words, sizeof words, "- - objective %s", format_figure(objective, "ratio").text);
        put_objective(out, objective, words);
    }
    put_curves(out, r, RUN_SERIES_RECALL);
}

struct rows {
    FILE *out;
    const struct run_result *r;
    const struct span *span;
    int count;
    bool narrow;
};

/* Row 0 is at the top: y runs downwards. */
static void put_bar(const struct rows *rows, int row, double from, double to, int colour) {
    to = fmin(fmax(to, from + rows->span->seconds / (rows->narrow ? 120 : 300)),
              rows->span->seconds);
    fprintf(
        rows->out,
        "set object rectangle from %.9g, %.2f to %.9g, %.2f front fillstyle solid 0.85 noborder "
        "fillcolor ",
        fmin(from, to), row + (rows->narrow ? 0.5 : 0.2), to, row + (rows->narrow ? 0.88 : 0.8));
    put_colour(rows->out, colour);
    fputs("\n", rows->out);
}

/* Beside the row; on a narrow plot above the bar, where a whole name fits. */
static void put_row_label(struct rows *rows, const char *name, const char *subject) {
    char label[256];
    snprintf(label, sizeof label, "%.120s%s%.120s", name, *subject ? " " : "", subject);
    fputs("set label ", rows->out);
    put_string(rows->out, label, rows->narrow ? 48 : 30);
    if (rows->narrow)
        fprintf(rows->out, " at graph 0, first %.2f offset 0.5,0 left", rows->count + 0.22);
    else
        fprintf(rows->out, " at graph 0, first %.2f offset -1,0 right", rows->count + 0.5);
    fputs(" front textcolor ", rows->out);
    put_colour(rows->out, PLOT_INK);
    fputs("\n", rows->out);
}

static void fault_row(struct rows *rows, size_t first) {
    const struct run_band *b = rows->r->bands;
    put_row_label(rows, b[first].kind, b[first].subject);
    for (size_t i = first; i < rows->r->band_count; i++) {
        if (strcmp(b[i].kind, b[first].kind) == 0 && strcmp(b[i].subject, b[first].subject) == 0)
            put_bar(rows, rows->count, offset_s(rows->span, b[i].from_ns),
                    offset_s(rows->span, b[i].to_ns), PLOT_FAULT);
    }
    rows->count++;
}

/* From a step that was told to the next one of that name, or to the end. */
static double step_end(const struct rows *rows, size_t step) {
    const struct run_alert *a = rows->r->alerts;
    for (size_t i = step + 1; i < rows->r->alert_count; i++) {
        if (a[i].told && strcmp(a[i].name, a[step].name) == 0)
            return offset_s(rows->span, a[i].at_ns);
    }
    return rows->span->seconds;
}

/* From raised to cleared, or to the end. */
static void alert_row(struct rows *rows, size_t first) {
    const struct run_alert *a = rows->r->alerts;
    double since = -1;
    put_row_label(rows, a[first].name, a[first].subject);
    for (size_t i = first; i < rows->r->alert_count; i++) {
        if (strcmp(a[i].name, a[first].name) != 0 || strcmp(a[i].subject, a[first].subject) != 0)
            continue;
        double at = offset_s(rows->span, a[i].at_ns);
        if (a[i].told) {
            put_bar(rows, rows->count, at, step_end(rows, i), PLOT_STEP);
        } else if (a[i].raised && since < 0) {
            since = at;
        } else if (!a[i].raised && since >= 0) {
            put_bar(rows, rows->count, since, at, PLOT_ALERT);
            since = -1;
        }
    }
    if (since >= 0)
        put_bar(rows, rows->count, since, rows->span->seconds, PLOT_ALERT);
    rows->count++;
}

static void rows_panel(FILE *out, const struct run_result *r, const struct span *span, int shown,
                       bool narrow) {
    struct rows rows = {out, r, span, 0, narrow};
    /* Alerts get at least a quarter of the rows: a plot of faults alone says nothing of detection.
     */
    size_t all = plots_timeline_rows(r), alerts = 0;
    for (size_t i = 0; i < r->alert_count; i++)
        alerts += alert_is_first(r, i);
    size_t kept = alerts < (size_t)shown / 4 ? alerts : (size_t)shown / 4;
    size_t faults = all - alerts;
    size_t fault_rows = faults < (size_t)shown - kept ? faults : (size_t)shown - kept;
    fputs("unset object\nunset ytics\n", out);
    fprintf(out, "set yrange [%d:0]\n", shown);
    for (size_t i = 0; i < r->band_count && rows.count < (int)fault_rows; i++) {
        if (band_is_first(r, i))
            fault_row(&rows, i);
    }
    for (size_t i = 0; i < r->alert_count && rows.count < shown; i++) {
        if (alert_is_first(r, i))
            alert_row(&rows, i);
    }
    fputs("plot NaN\n", out);
}

static bool timeline(FILE *out, const struct run_result *r, enum plot_size size, const char *name) {
    bool narrow = size == PLOT_NARROW;
    bool feeds = points_of_kind(r, RUN_SERIES_FEED_LAG) > 0;
    bool stores = points_of_kind(r, RUN_SERIES_STORE_LAG) > 0;
    bool recall = points_of_kind(r, RUN_SERIES_RECALL) > 0;
    size_t all_rows = plots_timeline_rows(r);
    int rows = all_rows > PLOT_ROWS_MAX ? PLOT_ROWS_MAX : (int)all_rows;
    struct span span = span_of(r);
    if (!(feeds || stores || recall || rows) || span.seconds <= 0)
        return false;
    int lag_height = narrow ? 120 : 170, recall_height = 90, gap = 40, top = 30;
    int rows_height = rows * (narrow ? 30 : 20);
    struct canvas c = {.width = narrow ? 400 : 1120,
                       .left = narrow ? 52 : 225,
                       .right = narrow ? 16 : 18,
                       .narrow = narrow};
    int blocks = feeds + stores + recall + (rows > 0);
    c.height = top + (feeds + stores) * lag_height + recall * recall_height + rows_height +
               (blocks - 1) * gap + 30;
    put_terminal(out, &c, name);
    put_series_data(out, r, &span);
    put_axes(out);
    put_shades(out, r, &span);
    fputs("set multiplot\n", out);
    if (feeds) {
        start_panel(out, &c, &span, top, lag_height, "Lag per feed", --blocks == 0);
        lag_panel(out, r, RUN_SERIES_FEED_LAG);
        top += lag_height + gap;
    }
    if (stores) {
        start_panel(out, &c, &span, top, lag_height, "Visibility lag per store", --blocks == 0);
        lag_panel(out, r, RUN_SERIES_STORE_LAG);
        top += lag_height + gap;
    }
    if (recall) {
        start_panel(out, &c, &span, top, recall_height, "Recall@10", --blocks == 0);
        recall_panel(out, r);
        top += recall_height + gap;
    }
    if (rows) {
        start_panel(out, &c, &span, top, rows_height, "Faults and alerts", true);
        rows_panel(out, r, &span, rows, narrow);
    }
    fputs("unset multiplot\n", out);
    return true;
}

/* --- distribution of visibility lag ------------------------------------------------------------
 */

/* Cumulative per cent at each bucket's upper edge. */
static void put_distribution(FILE *out, size_t index, const struct histogram *h) {
    uint64_t seen = 0;
    fprintf(out, "$f%zu << EOD\n%g 0\n", index, LAG_FLOOR_S / 10);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (h->buckets[i] == 0)
            continue;
        double edge = (double)histogram_edge_ns(h, i) / 1e9;
        double cap = (double)h->max_ns / 1e9;
        seen += h->buckets[i];
        fprintf(out, "%.6g %.6g\n", fmax(fmin(edge, cap), LAG_FLOOR_S / 10),
                100.0 * (double)seen / (double)h->count);
    }
    fputs("1e12 100\nEOD\n", out);
}

/* The corner that a curve must pass on its upper left. */
static void put_corner(FILE *out, double seconds, double percent, const char *words) {
    const char *const lines[] = {"from graph 0, first %.9g to first %.9g, first %.9g",
                                 "from first %.9g, graph 0 to first %.9g, first %.9g"};
    for (int i = 0; i < 2; i++) {
        fputs("set arrow ", out);
        fprintf(out, i ? lines[1] : lines[0], i ? seconds : percent, seconds, percent);
        fputs(" nohead dt (6,4) lw 1.2 lc ", out);
        put_colour(out, PLOT_OBJECTIVE);
        fputs("\n", out);
    }
    fputs("set label ", out);
    put_string(out, words, 40);
    fprintf(out, " at first %.9g, graph 0 offset -0.7,1 right textcolor ", seconds);
    put_colour(out, PLOT_OBJECTIVE);
    fputs("\n", out);
}

static bool freshness(FILE *out, const struct run_result *r, enum plot_size size,
                      const char *name) {
    bool narrow = size == PLOT_NARROW;
    struct canvas c = {narrow ? 400 : 1120, narrow ? 260 : 300, narrow ? 50 : 70, narrow ? 14 : 18,
                       narrow};
    double max = 0, min = 1e9;
    for (size_t i = 0; i < r->freshness_count; i++) {
        const struct histogram *h = &r->freshness[i].visibility;
        max = h->count ? fmax(max, (double)h->max_ns / 1e9) : max;
        min = h->count ? fmin(min, (double)h->min_ns / 1e9) : min;
    }
    if (max <= 0)
        return false;
    int64_t objective = common_objective_ns(r);
    max = fmax(max, (double)objective / 1e9) * 1.5;
    min = min < 0.1 ? 0.01 : 0.1;
    put_terminal(out, &c, name);
    put_axes(out);
    put_area(out, &c, 30, c.height - 34);
    put_title(out, "Share of changes visible within");
    fprintf(out,
            "set xrange [%g:%.9g]\nset yrange [0:101]\nset ytics 25\nset format y '%%.0f %%%%'\n",
            min, max);
    put_lag_tics(out, "x", min, max);
    if (objective) {
        char words[FORMAT_SIZE + 48];
        int permille = run_freshness_permille(&r->freshness[0]);
        snprintf(words, sizeof words, "P%g < %s", permille / 10.0, format_duration(objective).text);
        put_corner(out, (double)objective / 1e9, permille / 10.0, words);
    }
    for (size_t i = 0; i < r->freshness_count; i++) {
        if (r->freshness[i].visibility.count)
            put_distribution(out, i, &r->freshness[i].visibility);
    }
    int n = 0;
    for (size_t i = 0; i < r->freshness_count; i++) {
        if (r->freshness[i].visibility.count == 0)
            continue;
        fprintf(out, "%s$f%zu using 1:2 with lines lw 2 lc ", n++ ? ", " : "plot ", i);
        put_colour(out, PLOT_SERIES + plots_store_colour(r, r->freshness[i].store));
    }
    fputs("\n", out);
    return true;
}

/* --- recall against latency --------------------------------------------------------------------
 */

static bool plottable(const struct run_curve_point *p) {
    return isfinite(p->recall) && isfinite(p->latency_us) && p->latency_us > 0;
}

static void put_curve_data(FILE *out, const struct run_recall *recall, size_t first) {
    fprintf(out, "$c%zu << EOD\n", first);
    for (size_t i = first; i < recall->curve_count; i++) {
        const struct run_curve_point *p = &recall->curve[i];
        if (same_line(p, &recall->curve[first]) && plottable(p))
            fprintf(out, "%.6g %.6g %d\n", p->latency_us, p->recall, p->ef);
    }
    fputs("EOD\n$chosen << EOD\n", out);
    for (size_t i = 0; i < recall->curve_count; i++) {
        const struct run_curve_point *p = &recall->curve[i];
        if (p->chosen && plottable(p))
            fprintf(out, "%.6g %.6g\n", p->latency_us, p->recall);
    }
    fputs("EOD\n", out);
}

static void put_curve_line(FILE *out, const struct run_result *r, size_t first, bool narrow) {
    int colour = PLOT_SERIES + plots_curve_line(r, first) % PLOT_COLOURS;
    fprintf(out, "$c%zu using 1:2 with linespoints lw 1.8 pt 7 ps 0.55 lc ", first);
    put_colour(out, colour);
    if (narrow)
        return;
    fprintf(out, ", $c%zu using 1:2:3 with labels font ',10' offset 0.9,-0.6 textcolor ", first);
    put_colour(out, colour);
}

/* Tics at 1, 2 and 5 of each decade, with a tenth of room beside the outermost points. */
static void put_latency_axis(FILE *out, double least_us, double most_us) {
    static const int steps[] = {1, 2, 5};
    double from = least_us / 1.15, to = most_us * 1.25;
    int n = 0;
    fprintf(out, "set logscale x\nset xrange [%.6g:%.6g]\nset xtics (", from, to);
    for (int64_t decade = 1; decade < SECOND; decade *= 10) {
        for (int i = 0; i < 3; i++) {
            double us = (double)(decade * steps[i]);
            if (us >= from && us <= to)
                fprintf(out, "%s'%s' %.9g", n++ ? ", " : "",
                        format_duration(decade * steps[i] * 1000).text, us);
        }
    }
    fputs(")\n", out);
}

static bool curve(FILE *out, const struct run_result *r, enum plot_size size, const char *name) {
    bool narrow = size == PLOT_NARROW, any_chosen = false;
    const struct run_recall *recall = &r->recall;
    double low = 1, least_us = 1e12, most_us = 0;
    size_t points = 0;
    for (size_t i = 0; i < recall->curve_count; i++) {
        if (!plottable(&recall->curve[i]))
            continue;
        low = fmin(low, recall->curve[i].recall);
        least_us = fmin(least_us, recall->curve[i].latency_us);
        most_us = fmax(most_us, recall->curve[i].latency_us);
        any_chosen = any_chosen || recall->curve[i].chosen;
        points++;
    }
    if (points == 0)
        return false;
    struct canvas c = {narrow ? 400 : 1120, narrow ? 280 : 360, narrow ? 50 : 70, narrow ? 20 : 40,
                       narrow};
    put_terminal(out, &c, name);
    put_axes(out);
    put_area(out, &c, 30, c.height - 34);
    put_title(out, narrow ? "Recall@10 over latency"
                          : "Recall@10 over latency per query; the figures beside points are ef");
    low = recall->objective > 0 ? fmin(low, recall->objective) : low;
    low = floor(low * 50 - 0.25) / 50;
    fprintf(out, "set yrange [%.4g:%.4g]\nset format y '%%.2f'\n", low, 1 + (1 - low) * 0.05);
    put_latency_axis(out, least_us, most_us);
    if (recall->objective > 0) {
        char words[FORMAT_SIZE + 48];
        snprintf(words, sizeof words, "- - objective %s",
                 format_figure(recall->objective, "ratio").text);
        put_objective(out, recall->objective, words);
    }
    for (size_t i = 0; i < recall->curve_count; i++) {
        if (curve_is_first(r, i))
            put_curve_data(out, recall, i);
    }
    int n = 0;
    for (size_t i = 0; i < recall->curve_count; i++) {
        if (!curve_is_first(r, i))
            continue;
        fputs(n++ ? ", " : "plot ", out);
        put_curve_line(out, r, i, narrow);
    }
    if (any_chosen) {
        fputs(", $chosen using 1:2 with points pt 6 ps 1.8 lw 2 lc ", out);
        put_colour(out, PLOT_OBJECTIVE);
    }
    fputs("\n", out);
    return true;
}

bool plot_script(FILE *script, const struct run_result *r, enum plot plot, enum plot_size size,
                 const char *name) {
    switch (plot) {
    case PLOT_TIMELINE:
        return timeline(script, r, size, name);
    case PLOT_FRESHNESS:
        return freshness(script, r, size, name);
    case PLOT_CURVE:
        return curve(script, r, size, name);
    case PLOT_COUNT:
        break;
    }
    return false;
}
