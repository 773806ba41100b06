/*
 * JUnit XML, which CI systems read: one suite per run, one case per check and per objective, never
 * one per row (GitLab caps a file at 500,000 cases). A check without data is an <error>, not a
 * <skipped>, since CI systems count a skipped case as fine; so is a run that checked nothing.
 * Characters that XML 1.0 cannot hold are shown by number (\x1B).
 */
#ifndef MURPHY_REPORTS_JUNIT_H
#define MURPHY_REPORTS_JUNIT_H

#include <stdbool.h>
#include <stdio.h>

#include "reports/result.h"
#include "reports/save.h"

struct run_junit_options {
    bool without_wall; /* leave out the suite's time */
};

/* 0, or -1 with a sentence. NULL options mean all false. */
int run_junit_write(const struct run_result *r, const struct run_junit_options *options, FILE *out,
                    struct report_error *error);
int run_junit_save(const struct run_result *r, const struct run_junit_options *options,
                   const char *path, struct report_error *error);

#endif
