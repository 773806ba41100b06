/* What every warehouse must do that the pipeline is to load (A9, A12, A17, B4): see
 * conformance/warehouse_subject.h. */
#ifndef MURPHY_CONFORMANCE_WAREHOUSE_SUITE_H
#define MURPHY_CONFORMANCE_WAREHOUSE_SUITE_H

#include <stdbool.h>

#include "conformance/warehouse_subject.h"

/* The number of tests that failed. Prints as cmocka does. */
int warehouse_suite_run(const char *name, bool (*make)(struct warehouse_subject *out));

#endif
