/*
 * A report appears under its name whole or not at all: it is written to a temporary file in the
 * same folder and renamed. On failure the temporary file is removed and what had that name before
 * stays. (No fsync: a report can be made again from its seed.)
 */
#ifndef MURPHY_REPORTS_SAVE_H
#define MURPHY_REPORTS_SAVE_H

#include <stdio.h>

#include "reports/result.h"

/* One sentence that says what failed and with which file. */
struct report_error {
    char text[512];
};

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
/* Fills the sentence and returns -1. */
int report_fail(struct report_error *error, const char *format, ...);

/* A writer puts the whole report on `out` and returns 0, or -1 with a sentence. The result is NULL
 * for one that reads its options alone. */
typedef int report_writer(const struct run_result *r, const void *options, FILE *out,
                          struct report_error *error);

int report_save(report_writer *writer, const struct run_result *r, const void *options,
                const char *path, struct report_error *error);

/* For writers: -1 with a sentence when the result lacks something. */
int report_refuse_incomplete(const struct run_result *r, struct report_error *error);

/* For writers: flushes; -1 with a sentence when any write to `out` failed. */
int report_finish(FILE *out, struct report_error *error);

#endif
