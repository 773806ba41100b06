/*
 * The one sentence that sums a run up, the same in every report: what failed, and how far; or that
 * all held, and under what.
 */
#ifndef MURPHY_REPORTS_HEADLINE_H
#define MURPHY_REPORTS_HEADLINE_H

#include "reports/result.h"

struct headline {
    char text[400];
};

struct headline run_headline(const struct run_result *r);

/* How many times faults were injected, all kinds. */
uint64_t run_faults_injected(const struct run_result *r);

#endif
