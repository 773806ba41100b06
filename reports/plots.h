/*
 * The plots of a report: SVG drawn by gnuplot, all of them in one gnuplot process (starting it
 * costs ten times what a plot does), and made fit to stand inside an HTML page: no XML prolog, ids
 * unique in the page, colours as CSS variables (var(--p0) ...) so that light and dark mode and
 * print each have their own, and our own title for screen readers.
 *
 * Each plot is drawn twice: wide for a desktop, narrow for a phone; the page shows one.
 *
 * gnuplot is an external program and may be missing: then every svg is NULL and `problem` says so
 * in a sentence. A plot without data is NULL too, with no problem.
 */
#ifndef MURPHY_REPORTS_PLOTS_H
#define MURPHY_REPORTS_PLOTS_H

#include "reports/result.h"

enum plot {
    PLOT_TIMELINE,  /* lag per feed and store, recall, faults and alerts over one time axis */
    PLOT_FRESHNESS, /* distribution of visibility lag per store against the objective */
    PLOT_CURVE,     /* recall against latency */
    PLOT_COUNT
};

enum plot_size { PLOT_WIDE, PLOT_NARROW, PLOT_SIZES };

struct plots {
    char *svg[PLOT_COUNT][PLOT_SIZES]; /* heap, NUL-terminated; NULL: not drawn */
    char problem[300];                 /* "" when gnuplot did its work */
};

/* Rows of faults and alerts that the timeline shows; the page says how many more there are. */
#define PLOT_ROWS_MAX 16

/* gnuplot: the program, NULL for "gnuplot" on the path. Never fails: see `problem`. */
void plots_draw(struct plots *p, const struct run_result *r, const char *gnuplot);
void plots_release(struct plots *p);

/* Distinct (kind, subject) of faults and (name, subject) of alerts: rows the timeline would need.
 */
size_t plots_timeline_rows(const struct run_result *r);

/* The colour, --s0 to --s7, of a store or feed: the same in every plot and legend. */
#define PLOT_COLOURS 8
int plots_feed_colour(const struct run_result *r, size_t series_index);
int plots_store_colour(const struct run_result *r, const char *store);

/* The line of a curve point: points of one (m, ef_construction) share it. Counts from 0 in order of
 * first appearance. */
int plots_curve_line(const struct run_result *r, size_t point_index);

#endif
