/*
 * The runs of the pipeline's jobs, for whoever keeps lineage (B6): what ran from when to when, what
 * came of it, and how many rows of which dataset it read and wrote.
 *
 *     job                unit of run
 *     relay, router, ... one life of a worker process: from its start to its end or its death
 *     refresh            one refresh of the dashboard that was asked for
 *     batch              one run of the nightly batch, crashes in between included
 *     reconciliation     all passes of one reconciliation
 *     upgrade.PHASE      one phase of a model upgrade, as backfilling
 *     erasure            one privacy request, until its certificate
 *
 * It listens as the oracle does and judges nothing. Costs nothing where nobody asked for it. Once
 * memory runs out nothing further is kept, and job_log_out_of_memory says so.
 */
#ifndef MURPHY_SIM_JOB_LOG_H
#define MURPHY_SIM_JOB_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/effects.h"
#include "pipeline/machine.h"
#include "pipeline/record.h"
#include "pipeline/topics.h"

/* Datasets: the topics by their number, then these. */
enum job_dataset {
    JOB_OUTBOX = TOPIC_COUNT,
    JOB_OLTP_LISTING,
    JOB_OLTP_ORDER,
    JOB_BRONZE_EVENT,
    JOB_SILVER_LISTING,
    JOB_SILVER_ORDER,
    JOB_GOLD_DOCUMENT,
    JOB_GOLD_SALES,
    JOB_DASHBOARD_SALES,
    JOB_GOLD_BATCH,
    JOB_SALES_BATCH,
    JOB_EMBEDDING_AUDIT,
    JOB_VECTOR_ROW,
    JOB_KEYWORD_ROW,
    JOB_DATASET_COUNT
};
/* "kafka", "oltp", "warehouse", "vectors" or "keywords"; and the topic's or the table's name. */
const char *job_dataset_system(enum job_dataset dataset);
const char *job_dataset_name(enum job_dataset dataset);

enum job_outcome { JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CUT_SHORT };

struct job_run {
    const char *job;    /* static, or good as long as the simulation */
    const char *phase;  /* static; of an upgrade, else NULL */
    const char *worker; /* the simulation's, as in "loader-1"; NULL: it has none of its own */
    bool streaming;     /* it ends with its process, not with its work */
    uint64_t number;    /* tells runs apart */
    uint64_t subject;   /* of an erasure: its id; else 0 */
    struct stamp stamp; /* of an erasure: that of the request */
    vtime started, ended;
    enum job_outcome outcome;
    const char *message; /* static; why it failed or was cut short */
    vtime from, to;      /* the range that it is about; 0: none */
    uint64_t read[JOB_DATASET_COUNT], written[JOB_DATASET_COUNT]; /* rows */
};

struct job_log;

/* NULL when out of memory. */
struct job_log *job_log_new(void);
void job_log_free(struct job_log *j);

/* ---- Hearing ---- */

void job_log_told(struct job_log *j, uint32_t actor, const char *kind, const char *worker,
                  const struct event *event);
void job_log_asked(struct job_log *j, vtime now, uint32_t actor, const char *worker,
                   const struct effect *effect);
void job_log_ended(struct job_log *j, vtime now, uint32_t actor, bool crashed);
void job_log_batch_made(struct job_log *j, vtime now, const struct batch_report *report);
/* `began`: when the reconciliation did. */
void job_log_reconciled(struct job_log *j, vtime now, vtime began,
                        const struct reconciliation_report *report);
void job_log_alert(struct job_log *j, vtime now, const char *name, const char *subject);
void job_log_appended(struct job_log *j, vtime now, enum topic_id topic,
                      const struct log_record *record);
/* The run is over: processes end with it, and what has an end of its own is cut short. */
void job_log_close(struct job_log *j, vtime now);

bool job_log_out_of_memory(const struct job_log *j);

/* In the order of their beginnings as they were heard of. */
size_t job_log_count(const struct job_log *j);
const struct job_run *job_log_run(const struct job_log *j, size_t i);

#endif
