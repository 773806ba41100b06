/*
 * One self-contained HTML page per sweep (D5, D9): the verdict, every failure with the line that
 * does it again, runs by scenario, what seeds drew, and the table of fault kinds and states of the
 * pipeline, with the reason of each cell that is declared impossible and of each kind that a swarm
 * of all faults does without. It is made from the document that `murphy sweep --json` prints.
 */
#ifndef MURPHY_REPORTS_SWEEP_HTML_H
#define MURPHY_REPORTS_SWEEP_HTML_H

#include <jansson.h>

#include "reports/save.h"

/* Failures beyond so many are counted only. */
#define SWEEP_HTML_FAILURES_MAX 500

/* 0, or -1 with a sentence. The file appears whole or not at all. */
int sweep_html_save(const json_t *summary, const char *path, struct report_error *error);

#endif
