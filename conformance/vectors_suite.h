/* What every vector database must do that the pipeline is to write to (C3, A7, A9): see
 * conformance/vectors_subject.h. */
#ifndef MURPHY_CONFORMANCE_VECTORS_SUITE_H
#define MURPHY_CONFORMANCE_VECTORS_SUITE_H

#include <stdbool.h>

#include "conformance/vectors_subject.h"

/* The number of tests that failed. Prints as cmocka does. */
int vectors_suite_run(const char *name, bool (*make)(struct vectors_subject *out));

#endif
