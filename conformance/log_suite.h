/* What every log must do that the pipeline is to run on (C2): see conformance/log_subject.h. */
#ifndef MURPHY_CONFORMANCE_LOG_SUITE_H
#define MURPHY_CONFORMANCE_LOG_SUITE_H

#include <stdbool.h>

#include "conformance/log_subject.h"

/* The number of tests that failed. Prints as cmocka does. */
int log_suite_run(const char *name, bool (*make)(struct log_subject *out));

#endif
