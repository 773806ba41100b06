/*
 * The sections of the HTML page. Private to html*.c. Each writes its whole <section>, or nothing
 * where the run has nothing of the kind and its absence says nothing either.
 */
#ifndef MURPHY_REPORTS_HTML_PARTS_H
#define MURPHY_REPORTS_HTML_PARTS_H

#include <stdio.h>

#include "reports/plots.h"
#include "reports/result.h"

/* Everything up to <body>: the title begins with the verdict; `style` is the page's own, or "". */
void html_head(FILE *out, const char *verdict, const char *title, const char *style);

/* Opens <section id><h2>title</h2>; close with html_section_end. */
void html_section(FILE *out, const char *id, const char *title);
void html_section_end(FILE *out);

/* Both sizes of a plot, or nothing. */
void html_plot(FILE *out, const struct plots *plots, enum plot plot);

/* A legend's entry in the colour --sN. */
void html_swatch(FILE *out, int colour, const char *name);

/* <span class="tag good|bad|warn">word</span> */
void html_tag(FILE *out, const char *look, const char *word);
const char *html_look_of_check(enum run_check_status status);
const char *html_look_of_slo(enum run_slo_status status);

/* <td class="num">text</td>, and a text cell. */
void html_number_cell(FILE *out, const char *text);
void html_text_cell(FILE *out, const char *text);

/* A moment with the full date for machines and as a tooltip. */
void html_moment(FILE *out, const struct run_result *r, int64_t at_ns);

void html_problems(FILE *out, const struct run_result *r);
void html_checks(FILE *out, const struct run_result *r);
void html_timeline(FILE *out, const struct run_result *r, const struct plots *plots);
void html_objectives(FILE *out, const struct run_result *r);
void html_contracts(FILE *out, const struct run_result *r);
void html_freshness(FILE *out, const struct run_result *r, const struct plots *plots);
void html_ways(FILE *out, const struct run_result *r);
void html_reconciliation(FILE *out, const struct run_result *r);
void html_search(FILE *out, const struct run_result *r, const struct plots *plots);
void html_broken(FILE *out, const struct run_result *r);
void html_costs(FILE *out, const struct run_result *r);

#endif
