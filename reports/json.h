/*
 * run.json: the machine-readable report, a contract that scripts depend on (DESIGN section 5), with
 * keys in a fixed order. Beside the contract's keys it holds `about`, `bug`, `start`, `error`,
 * `freshness`, `recall`, `costs`, `alerts`, `bands` and, in `reconciliation`, `status`, `compared`,
 * `remaining_classes`, `stores` and `samples`.
 *
 * Moments are RFC 3339 strings, null where there is none; durations are seconds. What has no data
 * is null (a status says "no_data"), never 0. Ill-formed UTF-8 becomes U+FFFD. A seed that exceeds
 * a signed 64-bit integer, which JSON readers do not hold, is written as a string of its decimal
 * digits.
 */
#ifndef MURPHY_REPORTS_JSON_H
#define MURPHY_REPORTS_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include "reports/result.h"
#include "reports/save.h"

struct run_json_options {
    bool without_wall; /* leave out wall_seconds, the one figure that differs between two runs */
    bool with_series;  /* the time series too, as `series` (up to 512 points each) */
    bool compact;      /* one line */
};

/* 0, or -1 with a sentence. NULL options mean all false. */
int run_json_write(const struct run_result *r, const struct run_json_options *options, FILE *out,
                   struct report_error *error);
int run_json_save(const struct run_result *r, const struct run_json_options *options,
                  const char *path, struct report_error *error);

#endif
