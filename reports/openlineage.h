/*
 * A run's jobs as OpenLineage 2-0-2 run events, one JSON object a line: a START for each run and a
 * COMPLETE, FAIL or ABORT, by time, which is virtual.
 *
 * An ending names what the run read and wrote, with counts of rows; the first event that names a
 * dataset tells its columns, and where they come from if that is known. What the format has no
 * facet for (which worker, which seed) is in a run facet of our own, murphy_run.
 */
#ifndef MURPHY_REPORTS_OPENLINEAGE_H
#define MURPHY_REPORTS_OPENLINEAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "reports/result.h"
#include "reports/save.h"

struct openlineage_dataset {
    const char *space, *name;
    const char *const *columns; /* NULL: not known */
    size_t column_count;
};

/* A column of a dataset is made of a column of another one. Datasets by their index. */
struct openlineage_column {
    size_t dataset;
    const char *column;
    size_t source;
    const char *source_column;
};

struct openlineage_use {
    size_t dataset;
    uint64_t rows;
};

enum openlineage_end { OPENLINEAGE_COMPLETE, OPENLINEAGE_FAIL, OPENLINEAGE_ABORT };

#define OPENLINEAGE_RUN_ID 37
struct openlineage_run {
    char run_id[OPENLINEAGE_RUN_ID]; /* a UUID */
    const char *job;
    const char *worker; /* NULL: none */
    bool streaming;
    int64_t started_ns, ended_ns;
    enum openlineage_end end;
    const char *message;    /* of FAIL and ABORT */
    int64_t from_ns, to_ns; /* the range of time that it is about; to 0: none */
    const struct openlineage_use *inputs, *outputs;
    size_t input_count, output_count;
};

struct openlineage_document {
    const struct openlineage_dataset *datasets;
    size_t dataset_count;
    const struct openlineage_column *columns;
    size_t column_count;
    const struct openlineage_run *runs;
    size_t run_count;
};

/* 0, or -1 with a sentence in *error. */
int run_openlineage_write(const struct run_result *r, const struct openlineage_document *document,
                          FILE *out, struct report_error *error);
int run_openlineage_save(const struct run_result *r, const struct openlineage_document *document,
                         const char *path, struct report_error *error);

#endif
