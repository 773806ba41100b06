/*
 * The ways of a few updates for a run's report (D9): of the change that was slowest to be seen in
 * each store, and of the first listing that reconciliation found different.
 */
#ifndef MURPHY_CLI_RUN_WAYS_H
#define MURPHY_CLI_RUN_WAYS_H

#include "reports/result.h"

/* Adds them to the result, from the stores that the run left in the folder. 0, or -1 with a message
 * on stderr. */
int run_ways_add(struct run_result *result, const char *directory);

#endif
