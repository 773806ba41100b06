#define _XOPEN_SOURCE 700

/*
 * The runs of the pipeline's jobs as OpenLineage events (B6).
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "cli/scenario_run_parts.h"
#include "reports/openlineage.h"
#include "sim/stores_export.h"

enum { COLUMNS_MAX = 32 };

/* How sales are made of orders, and those of records: what the loader does, column by column. */
static const struct openlineage_column made_of[] = {
    {TOPIC_ORDER, "value", JOB_OLTP_ORDER, "order_id"},
    {JOB_BRONZE_EVENT, "value", TOPIC_ORDER, "value"},
    {JOB_SILVER_ORDER, "order_id", JOB_BRONZE_EVENT, "value"},
    {JOB_SILVER_ORDER, "category", JOB_BRONZE_EVENT, "value"},
    {JOB_SILVER_ORDER, "hour_ns", JOB_BRONZE_EVENT, "value"},
    {JOB_SILVER_ORDER, "quantity", JOB_BRONZE_EVENT, "value"},
    {JOB_SILVER_ORDER, "amount", JOB_BRONZE_EVENT, "value"},
    {JOB_GOLD_SALES, "category", JOB_SILVER_ORDER, "category"},
    {JOB_GOLD_SALES, "hour_ns", JOB_SILVER_ORDER, "hour_ns"},
    {JOB_GOLD_SALES, "orders", JOB_SILVER_ORDER, "order_id"},
    {JOB_GOLD_SALES, "quantity", JOB_SILVER_ORDER, "quantity"},
    {JOB_GOLD_SALES, "amount", JOB_SILVER_ORDER, "amount"},
    {JOB_DASHBOARD_SALES, "category", JOB_GOLD_SALES, "category"},
    {JOB_DASHBOARD_SALES, "hour_ns", JOB_GOLD_SALES, "hour_ns"},
    {JOB_DASHBOARD_SALES, "orders", JOB_GOLD_SALES, "orders"},
    {JOB_DASHBOARD_SALES, "quantity", JOB_GOLD_SALES, "quantity"},
    {JOB_DASHBOARD_SALES, "amount", JOB_GOLD_SALES, "amount"},
    {JOB_SALES_BATCH, "amount", JOB_BRONZE_EVENT, "value"},
    {JOB_SALES_BATCH, "quantity", JOB_BRONZE_EVENT, "value"},
};

struct lineage_events {
    struct openlineage_dataset datasets[JOB_DATASET_COUNT];
    char spaces[JOB_DATASET_COUNT][24];
    const char *columns[JOB_DATASET_COUNT][COLUMNS_MAX];
    struct openlineage_run *runs;
    struct openlineage_use *uses;
    char (*jobs)[48];
    size_t use_count;
};

static const char *const record_columns[] = {"key", "value"};

static void dataset_fill(struct lineage_events *events, enum job_dataset dataset) {
    struct openlineage_dataset *out = &events->datasets[dataset];
    const char *name = job_dataset_name(dataset);
    snprintf(events->spaces[dataset], sizeof events->spaces[dataset], "%s://murphy",
             job_dataset_system(dataset));
    *out = (struct openlineage_dataset){.space = events->spaces[dataset], .name = name};
    if ((int)dataset < TOPIC_COUNT) {
        out->columns = record_columns;
        out->column_count = sizeof record_columns / sizeof *record_columns;
        return;
    }
    const char **columns = events->columns[dataset];
    while (out->column_count < COLUMNS_MAX &&
           (columns[out->column_count] = stores_export_column(name, out->column_count)) != NULL) {
        out->column_count++;
    }
    out->columns = columns;
}

/* The same run of the same seed has the same id. A UUID of version 8: of our own making. */
static void run_id_make(const struct scenario_run *run, const struct job_run *job,
                        char id[OPENLINEAGE_RUN_ID]) {
    char text[512];
    snprintf(text, sizeof text, "%s %llu %s %s %s %llu %lld", run->scenario->name,
             (unsigned long long)run->options.seed,
             run->options.bug == NULL ? "" : run->options.bug, job->job,
             job->worker == NULL ? "" : job->worker, (unsigned long long)job->number,
             (long long)job->started.ns);
    XXH128_hash_t hash = XXH3_128bits(text, strlen(text));
    uint64_t high = (hash.high64 & ~UINT64_C(0xf000)) | UINT64_C(0x8000);
    uint64_t low = (hash.low64 & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
    snprintf(id, OPENLINEAGE_RUN_ID, "%08llx-%04llx-%04llx-%04llx-%012llx",
             (unsigned long long)(high >> 32), (unsigned long long)(high >> 16 & 0xffff),
             (unsigned long long)(high & 0xffff), (unsigned long long)(low >> 48),
             (unsigned long long)(low & UINT64_C(0xffffffffffff)));
}

/* The datasets with rows; returns how many. */
static size_t uses_fill(struct lineage_events *events, const uint64_t rows[JOB_DATASET_COUNT]) {
    size_t first = events->use_count;
    for (size_t i = 0; i < JOB_DATASET_COUNT; i++) {
        if (rows[i] > 0) {
            events->uses[events->use_count++] = (struct openlineage_use){i, rows[i]};
        }
    }
    return events->use_count - first;
}

static void run_fill(struct lineage_events *events, const struct scenario_run *run, size_t i) {
    static const enum openlineage_end ends[] = {
        [JOB_RUNNING] = OPENLINEAGE_ABORT,
        [JOB_DONE] = OPENLINEAGE_COMPLETE,
        [JOB_FAILED] = OPENLINEAGE_FAIL,
        [JOB_CUT_SHORT] = OPENLINEAGE_ABORT,
    };
    const struct job_run *job = job_log_run(run->jobs, i);
    struct openlineage_run *out = &events->runs[i];
    snprintf(events->jobs[i], sizeof events->jobs[i], "%s%s%s", job->job,
             job->phase == NULL ? "" : ".", job->phase == NULL ? "" : job->phase);
    *out = (struct openlineage_run){
        .job = events->jobs[i],
        .worker = job->worker,
        .streaming = job->streaming,
        .started_ns = job->started.ns,
        .ended_ns = job->ended.ns,
        .end = ends[job->outcome],
        .message = job->message,
        .from_ns = job->from.ns,
        .to_ns = job->to.ns,
    };
    run_id_make(run, job, out->run_id);
    out->inputs = events->uses + events->use_count;
    out->input_count = uses_fill(events, job->read);
    out->outputs = events->uses + events->use_count;
    out->output_count = uses_fill(events, job->written);
}

int scenario_run_openlineage(struct scenario_run *run, const char *directory, char *error,
                             size_t error_size) {
    size_t count = job_log_count(run->jobs);
    struct lineage_events *events = calloc(1, sizeof *events);
    struct report_error report = {"out of memory while writing the lineage events"};
    int failed = -1;
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/openlineage.jsonl", directory);
    if (events != NULL && length > 0 && (size_t)length < sizeof path) {
        events->runs = calloc(count + 1, sizeof *events->runs);
        events->uses = calloc(2 * count * JOB_DATASET_COUNT + 1, sizeof *events->uses);
        events->jobs = calloc(count + 1, sizeof *events->jobs);
    }
    if (events != NULL && events->runs != NULL && events->uses != NULL && events->jobs != NULL) {
        for (int i = 0; i < JOB_DATASET_COUNT; i++) {
            dataset_fill(events, (enum job_dataset)i);
        }
        for (size_t i = 0; i < count; i++) {
            run_fill(events, run, i);
        }
        struct openlineage_document document = {events->datasets, JOB_DATASET_COUNT,
                                                made_of,          sizeof made_of / sizeof *made_of,
                                                events->runs,     count};
        failed = run_openlineage_save(&run->result, &document, path, &report);
    }
    if (failed != 0) {
        snprintf(error, error_size, "%s", report.text);
    }
    if (events != NULL) {
        free(events->runs);
        free(events->uses);
        free(events->jobs);
    }
    free(events);
    return failed;
}
