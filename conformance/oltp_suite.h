/* What every operational database must do that the pipeline is to read from (A2): see
 * conformance/oltp_subject.h. */
#ifndef MURPHY_CONFORMANCE_OLTP_SUITE_H
#define MURPHY_CONFORMANCE_OLTP_SUITE_H

#include <stdbool.h>

#include "conformance/oltp_subject.h"

/* The number of tests that failed. Prints as cmocka does. */
int oltp_suite_run(const char *name, bool (*make)(struct oltp_subject *out));

#endif
