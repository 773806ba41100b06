/*
 * The summary of a run for a person at a terminal: at most 80 columns (but for a single word of the
 * reproduce line that is longer), verdict first, then what was broken on purpose, failures with
 * their evidence, what had no data, what held, objectives, freshness, reconciliation, recall,
 * costs, alerts, and last the command that does it all again.
 */
#ifndef MURPHY_REPORTS_TEXT_H
#define MURPHY_REPORTS_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "reports/result.h"
#include "reports/save.h"

struct run_text_options {
    bool colour;       /* the caller asks only on a terminal and without NO_COLOR */
    bool ascii;        /* other characters by number */
    bool without_wall; /* leave wall time out */
};

/* 0, or -1 with a sentence. NULL options mean all false. */
int run_text_write(const struct run_result *r, const struct run_text_options *options, FILE *out,
                   struct report_error *error);
int run_text_save(const struct run_result *r, const struct run_text_options *options,
                  const char *path, struct report_error *error);

#endif
