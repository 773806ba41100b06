/* What every store of checkpoints must do that the pipeline is to restart from (A15): see
 * conformance/state_subject.h. */
#ifndef MURPHY_CONFORMANCE_STATE_SUITE_H
#define MURPHY_CONFORMANCE_STATE_SUITE_H

#include <stdbool.h>

#include "conformance/state_subject.h"

/* The number of tests that failed. Prints as cmocka does. */
int state_suite_run(const char *name, bool (*make)(struct state_subject *out));

#endif
