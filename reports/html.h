/*
 * One self-contained HTML page per run (D9): it needs no network, no script and no other file.
 * First what an engineer at three in the morning wants, the verdict, why, and the command that does
 * it again; then the timeline of lag under fault bands, objectives with their budgets, freshness,
 * reconciliation before and after repair, recall against latency, every check with its evidence,
 * faults and reached points, costs.
 *
 * Light and dark follow the reader's preference; it prints; it fits a phone. Everything that came
 * from the run is escaped (markup.h), and a content security policy in the page forbids loading
 * anything. A few lines of script filter the checks and copy the command; without them all stays
 * readable.
 */
#ifndef MURPHY_REPORTS_HTML_H
#define MURPHY_REPORTS_HTML_H

#include <stdbool.h>
#include <stdio.h>

#include "reports/result.h"
#include "reports/save.h"

struct run_html_options {
    bool without_wall;
    const char *gnuplot; /* the program; NULL: "gnuplot" on the path */
};

/* 0, or -1 with a sentence. Without gnuplot the page says so and holds everything else. NULL
 * options are all zero. */
int run_html_write(const struct run_result *r, const struct run_html_options *options, FILE *out,
                   struct report_error *error);
int run_html_save(const struct run_result *r, const struct run_html_options *options,
                  const char *path, struct report_error *error);

#endif
