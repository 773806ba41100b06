#include "sim/job_log.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"

#define NONE SIZE_MAX

struct open_refresh {
    uint32_t actor;
    uint64_t request;
    const char *worker;
    vtime asked;
};

struct job_log {
    bool out_of_memory;
    struct job_run *runs;
    size_t count, capacity;
    size_t *workers; /* by actor: its run, or NONE */
    size_t worker_count, worker_capacity;
    struct open_refresh *open; /* asked for and not answered yet */
    size_t open_count, open_capacity;
    size_t reconciliation, upgrade; /* under way, or NONE */
    uint32_t reconciliation_run;
};

const char *job_dataset_system(enum job_dataset dataset) {
    return (int)dataset < TOPIC_COUNT       ? "kafka"
           : dataset <= JOB_OLTP_ORDER      ? "oltp"
           : dataset <= JOB_EMBEDDING_AUDIT ? "warehouse"
           : dataset == JOB_VECTOR_ROW      ? "vectors"
                                            : "keywords";
}

const char *job_dataset_name(enum job_dataset dataset) {
    static const char *const names[JOB_DATASET_COUNT - TOPIC_COUNT] = {
        "outbox",       "oltp_listing",    "oltp_order", "bronze_event",    "silver_listing",
        "silver_order", "gold_document",   "gold_sales", "dashboard_sales", "gold_batch",
        "sales_batch",  "embedding_audit", "vector_row", "keyword_row",
    };
    return (int)dataset < TOPIC_COUNT ? topic_name((enum topic_id)dataset)
                                      : names[dataset - JOB_OUTBOX];
}

struct job_log *job_log_new(void) {
    struct job_log *j = calloc(1, sizeof *j);
    if (j != NULL) {
        j->reconciliation = j->upgrade = NONE;
    }
    return j;
}

void job_log_free(struct job_log *j) {
    if (j != NULL) {
        free(j->runs);
        free(j->workers);
        free(j->open);
        free(j);
    }
}

bool job_log_out_of_memory(const struct job_log *j) {
    return j->out_of_memory;
}

size_t job_log_count(const struct job_log *j) {
    return j->count;
}

const struct job_run *job_log_run(const struct job_log *j, size_t i) {
    return &j->runs[i];
}

/* The new run's place, or NONE. */
static size_t begin(struct job_log *j, const char *job, const char *worker, vtime started) {
    if (j->out_of_memory || ARRAY_RESERVE(j->runs, j->capacity, j->count + 1) != 0) {
        j->out_of_memory = true;
        return NONE;
    }
    j->runs[j->count] = (struct job_run){
        .job = job, .worker = worker, .number = j->count, .started = started, .ended = started};
    return j->count++;
}

static void end(struct job_log *j, size_t run, vtime now, enum job_outcome outcome,
                const char *message) {
    if (run != NONE) {
        j->runs[run].ended = now;
        j->runs[run].outcome = outcome;
        j->runs[run].message = message;
    }
}

/* Room for the actor; false without memory. */
static bool knows(struct job_log *j, uint32_t actor) {
    if (ARRAY_RESERVE(j->workers, j->worker_capacity, actor + 1) != 0) {
        j->out_of_memory = true;
        return false;
    }
    for (; j->worker_count <= actor; j->worker_count++) {
        j->workers[j->worker_count] = NONE;
    }
    return true;
}

/* ---- Rows ---- */

static void loaded(struct job_run *run, const struct warehouse_batch *batch) {
    run->written[JOB_BRONZE_EVENT] += batch->bronze_count;
    run->written[JOB_SILVER_LISTING] += batch->silver_count;
    run->written[JOB_GOLD_DOCUMENT] += batch->gold_count;
    run->written[JOB_SILVER_ORDER] += batch->order_count;
    run->written[JOB_GOLD_SALES] += batch->order_count + batch->remade_count;
    run->written[JOB_EMBEDDING_AUDIT] += batch->audit_count;
    run->written[JOB_GOLD_BATCH] += batch->rebuilt_count;
    run->written[JOB_SALES_BATCH] += batch->rebuilt_sales_count;
}

static void scanned(struct job_run *run, const struct effect *scan) {
    static const enum job_dataset datasets[SCAN_STORE_COUNT] = {
        [SCAN_OLTP] = JOB_OLTP_LISTING,       [SCAN_GOLD] = JOB_GOLD_DOCUMENT,
        [SCAN_VECTOR_TEXT] = JOB_VECTOR_ROW,  [SCAN_VECTOR_IMAGE] = JOB_VECTOR_ROW,
        [SCAN_VECTOR_FUSED] = JOB_VECTOR_ROW, [SCAN_KEYWORD] = JOB_KEYWORD_ROW,
    };
    run->read[datasets[scan->scan.store]] += scan->scan.digest.rows_total;
}

static void sales_read(struct job_run *run, const struct event *event) {
    const struct effect *read = event->answered;
    enum job_dataset dataset = read->sales.oltp      ? JOB_OLTP_ORDER
                               : read->sales.rebuilt ? JOB_SALES_BATCH
                                                     : JOB_DASHBOARD_SALES;
    run->read[dataset] += event->sales.count;
}

static void records_read(struct job_run *run, const struct event *event) {
    const struct effect *fetch = event->answered;
    enum job_dataset dataset =
        fetch->fetch.bronze ? JOB_BRONZE_EVENT : (enum job_dataset)fetch->fetch.topic;
    run->read[dataset] += event->records.count;
}

/* What an answered request read or wrote. */
static void count_rows(struct job_run *run, const struct event *event) {
    const struct effect *answered = event->answered;
    switch (answered->kind) {
    case EFFECT_FETCH:
        records_read(run, event);
        break;
    case EFFECT_OUTBOX_FETCH:
        run->read[JOB_OUTBOX] += event->outbox.count;
        break;
    case EFFECT_PRODUCE:
        for (size_t i = 0; i < answered->produce.count; i++) {
            run->written[answered->produce.items[i].topic]++;
        }
        break;
    case EFFECT_LOAD_WAREHOUSE:
        loaded(run, &answered->warehouse);
        break;
    case EFFECT_WRITE_VECTORS:
        run->written[JOB_VECTOR_ROW] += answered->vectors.count;
        break;
    case EFFECT_WRITE_KEYWORDS:
        run->written[JOB_KEYWORD_ROW] += answered->keywords.count;
        break;
    case EFFECT_SCAN:
        scanned(run, answered);
        break;
    case EFFECT_READ_SALES:
        sales_read(run, event);
        break;
    case EFFECT_REPUBLISH:
        run->written[JOB_OUTBOX] += answered->listings.count;
        break;
    case EFFECT_REPUBLISH_SALES:
        run->written[JOB_OUTBOX] += answered->republish_sales.count;
        break;
    default:
        break;
    }
}

/* ---- Hearing ---- */

/* A refresh was answered, or never will be. */
static void refresh_end(struct job_log *j, size_t open, vtime now, const char *failed) {
    struct open_refresh refresh = j->open[open];
    j->open[open] = j->open[--j->open_count];
    size_t run = begin(j, "refresh", refresh.worker, refresh.asked);
    end(j, run, now, failed == NULL ? JOB_DONE : JOB_FAILED, failed);
    if (run != NONE) {
        j->runs[run].read[JOB_GOLD_SALES] = failed == NULL;
        j->runs[run].written[JOB_DASHBOARD_SALES] = failed == NULL;
    }
}

static void refreshed(struct job_log *j, uint32_t actor, const struct event *event) {
    for (size_t i = 0; i < j->open_count; i++) {
        if (j->open[i].actor == actor && j->open[i].request == event->answered->request) {
            refresh_end(j, i, event->now,
                        event->error == PORT_OK ? NULL : port_error_name(event->error));
            return;
        }
    }
}

void job_log_told(struct job_log *j, uint32_t actor, const char *kind, const char *worker,
                  const struct event *event) {
    if (!knows(j, actor)) {
        return;
    }
    if (event->kind == EVENT_START) {
        j->workers[actor] = begin(j, kind, worker, event->now);
        if (j->workers[actor] != NONE) {
            j->runs[j->workers[actor]].streaming = true;
        }
        return;
    }
    if (event->answered == NULL) {
        return;
    }
    if (event->answered->kind == EFFECT_REFRESH_DASHBOARD) {
        refreshed(j, actor, event);
    } else if (event->error == PORT_OK && j->workers[actor] != NONE) {
        count_rows(&j->runs[j->workers[actor]], event);
    }
}

void job_log_asked(struct job_log *j, vtime now, uint32_t actor, const char *worker,
                   const struct effect *effect) {
    if (effect->kind != EFFECT_REFRESH_DASHBOARD) {
        return;
    }
    if (ARRAY_RESERVE(j->open, j->open_capacity, j->open_count + 1) != 0) {
        j->out_of_memory = true;
        return;
    }
    j->open[j->open_count++] = (struct open_refresh){actor, effect->request, worker, now};
}

void job_log_ended(struct job_log *j, vtime now, uint32_t actor, bool crashed) {
    if (!knows(j, actor)) {
        return;
    }
    end(j, j->workers[actor], now, crashed ? JOB_FAILED : JOB_DONE,
        crashed ? "the process died" : NULL);
    j->workers[actor] = NONE;
    for (size_t i = j->open_count; i > 0; i--) {
        if (j->open[i - 1].actor == actor) {
            refresh_end(j, i - 1, now, "the process that asked for it died");
        }
    }
}

void job_log_batch_made(struct job_log *j, vtime now, const struct batch_report *report) {
    size_t at = begin(j, "batch.nightly", NULL, report->began);
    end(j, at, now, JOB_DONE, NULL);
    if (at != NONE) {
        struct job_run *run = &j->runs[at];
        run->from = report->from;
        run->to = report->to;
        run->read[JOB_BRONZE_EVENT] = report->records;
        run->read[JOB_OLTP_ORDER] = report->buckets;
        run->read[JOB_DASHBOARD_SALES] = report->buckets;
        run->written[JOB_GOLD_BATCH] = report->documents;
        run->written[JOB_SALES_BATCH] = report->buckets;
        run->written[JOB_GOLD_SALES] = report->remade;
        run->written[JOB_OUTBOX] = report->republished;
    }
}

void job_log_reconciled(struct job_log *j, vtime now, vtime began,
                        const struct reconciliation_report *report) {
    if (j->reconciliation == NONE || j->reconciliation_run != report->run) {
        j->reconciliation = begin(j, "reconciliation", NULL, began);
        j->reconciliation_run = report->run;
    }
    if (j->reconciliation == NONE) {
        return;
    }
    end(j, j->reconciliation, now, JOB_DONE, NULL);
    static const enum job_dataset compared[] = {JOB_OLTP_LISTING, JOB_GOLD_DOCUMENT, JOB_VECTOR_ROW,
                                                JOB_KEYWORD_ROW};
    for (size_t i = 0; i < sizeof compared / sizeof *compared; i++) {
        j->runs[j->reconciliation].read[compared[i]] += report->rows_compared;
    }
}

/* One of the upgrader's phases; it tells of gates too. */
static bool is_phase(const char *subject) {
    static const char *const phases[] = {
        "idle",      "preparing", "backfilling",  "validating",     "ready",    "judging",
        "switching", "serving",   "judging-back", "switching-back", "retiring",
    };
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        if (strcmp(phases[i], subject) == 0) {
            return true;
        }
    }
    return false;
}

/* An upgrade tells of each phase as it enters it. */
void job_log_alert(struct job_log *j, vtime now, const char *name, const char *subject) {
    if (strcmp(name, "upgrade") != 0 || !is_phase(subject) ||
        (j->upgrade != NONE && strcmp(j->runs[j->upgrade].phase, subject) == 0)) {
        return;
    }
    end(j, j->upgrade, now, JOB_DONE, NULL);
    j->upgrade = strcmp(subject, "idle") == 0 ? NONE : begin(j, "upgrade", NULL, now);
    if (j->upgrade != NONE) {
        struct job_run *run = &j->runs[j->upgrade];
        run->phase = subject;
        bool fills = strcmp(subject, "backfilling") == 0 || strcmp(subject, "validating") == 0;
        run->read[JOB_GOLD_DOCUMENT] = fills;
        run->written[JOB_VECTOR_ROW] = fills;
    }
}

/* The youngest run that is about the request, or NONE. */
static size_t erasure_find(const struct job_log *j, uint64_t erasure_id) {
    for (size_t i = j->count; i > 0; i--) {
        if (j->runs[i - 1].subject == erasure_id && strcmp(j->runs[i - 1].job, "erasure") == 0) {
            return i - 1;
        }
    }
    return NONE;
}

static void erasure_begin(struct job_log *j, vtime now, const struct record *record) {
    static const enum job_dataset erased[] = {
        JOB_BRONZE_EVENT, JOB_SILVER_LISTING, JOB_GOLD_DOCUMENT,
        JOB_VECTOR_ROW,   JOB_KEYWORD_ROW,    (enum job_dataset)TOPIC_CERTIFICATE};
    size_t at = begin(j, "erasure", NULL, now);
    if (at == NONE) {
        return;
    }
    struct job_run *run = &j->runs[at];
    run->subject = record->erasure_id;
    run->stamp = record->stamp;
    run->read[TOPIC_PRIVACY] = 1;
    for (size_t i = 0; i < sizeof erased / sizeof *erased; i++) {
        run->written[erased[i]] = 1;
    }
}

void job_log_appended(struct job_log *j, vtime now, enum topic_id topic,
                      const struct log_record *logged) {
    struct record record;
    struct record_error error;
    if ((topic != TOPIC_PRIVACY && topic != TOPIC_CERTIFICATE) ||
        record_decode(logged->value, &record, &error) != 0) {
        return;
    }
    size_t run = erasure_find(j, record.erasure_id);
    if (record.type == RECORD_ERASURE &&
        (run == NONE || stamp_compare(record.stamp, j->runs[run].stamp) > 0)) {
        erasure_begin(j, now, &record);
    } else if (record.type == RECORD_CERTIFICATE && run != NONE) {
        end(j, run, now, JOB_DONE, NULL);
    }
}

void job_log_close(struct job_log *j, vtime now) {
    for (size_t i = 0; i < j->count; i++) {
        if (j->runs[i].outcome == JOB_RUNNING) {
            bool goes_on = j->runs[i].streaming;
            end(j, i, now, goes_on ? JOB_DONE : JOB_CUT_SHORT,
                goes_on ? NULL : "the simulation was over");
        }
    }
}
