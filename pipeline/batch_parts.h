/*
 * What the files of the nightly batch share: pipeline/batch.c is its machine and makes documents
 * and sales anew, pipeline/batch_mend.c holds sales against the view and against OLTP and mends
 * what differs. Private to them.
 */
#ifndef MURPHY_PIPELINE_BATCH_PARTS_H
#define MURPHY_PIPELINE_BATCH_PARTS_H

#include "pipeline/batch_compare.h"
#include "pipeline/batch_repair.h"
#include "pipeline/batch_sales.h"
#include "pipeline/listings.h"
#include "pipeline/partitioned.h"

enum {
    PURPOSE_PAGE = TASK_PURPOSE_OWN, /* of bronze */
    PURPOSE_WRITE,
    PURPOSE_SCAN,  /* argument: 1 for what was made */
    PURPOSE_SALES, /* enum sales_source */
    PURPOSE_REPAIR,
    PURPOSE_REFRESH
};
enum { TIMER_SCHEDULE = TASK_TIMER_OWN };
enum { WRITE_ROWS = 512 };

enum phase {
    PHASE_IDLE,
    PHASE_DOCUMENTS,
    PHASE_ORDERS,
    PHASE_SALES,
    PHASE_COMPARE_DOCUMENTS,
    PHASE_COMPARE_SALES,
    PHASE_REPAIR
};

/* Who says what was sold. */
enum sales_source { SALES_VIEW, SALES_MADE, SALES_OLTP, SALES_SOURCES };

struct rebuilt {
    struct listing_head head;
    bool in_range; /* a record of the range told of it */
};

/* A side of the comparison, [0] of the stream, [1] as made. */
struct scanned_side {
    struct scan_row *rows;
    size_t count, capacity;
    bool complete; /* nothing comes behind them */
    bool there;    /* the answer came */
};
struct sales_side {
    struct kept_sales said;
    bool there;
};

struct batch_task {
    struct task task;
    enum phase phase;
    struct batch_report report; /* of the run under way */
    uint32_t partition;         /* that is read */
    int64_t offset;             /* to read next in it */
    vtime scheduled;            /* up to where scheduled runs were begun; 0: never */
    bool alarmed;
    bool mends;    /* once the alarm is in the checkpoint */
    bool beyond;   /* told that the range began before bronze does */
    bool fetching; /* the control topic */
    struct listings listings;
    size_t written; /* listings before this one are */
    struct batch_sales sales;
    uint64_t cursor; /* listing id from which to compare */
    struct scanned_side documents[2];
    struct sales_side sides[SALES_SOURCES];
    struct kept_sales remade, missing; /* what differs, and is to be mended */
};

/* ---- batch.c ---- */

/* From when on bronze tells everything, as the run began (A16). */
vtime batch_bronze_edge(const struct partitioned *batch, const struct batch_task *task);
/* The first hour whose sales are made anew. */
vtime batch_first_hour(const struct partitioned *batch, const struct batch_task *task);
int batch_read_page(struct partitioned *batch, struct batch_task *task, struct effects *effects);
/* NULL without memory. */
struct effect *batch_load_begin(struct partitioned *batch, struct batch_task *task,
                                uint32_t purpose, struct effects *effects);
/* A partition is dealt with: the next one, or the next phase. */
int batch_partition_done(struct partitioned *batch, struct batch_task *task, vtime now,
                         struct effects *effects);
int batch_finish(struct partitioned *batch, struct batch_task *task, vtime now,
                 struct effects *effects);

/* ---- batch_mend.c ---- */

uint64_t batch_drift(const uint64_t counts[DRIFT_CLASS_COUNT]);
struct batch_scope batch_scope_of(const struct partitioned *batch, const struct batch_task *task);
void batch_sides_forget(struct batch_task *task);
/* Asks who says what was sold; what comes is held against the others when all have answered. */
int batch_read_sales(struct partitioned *batch, struct batch_task *task, enum sales_source source,
                     struct effects *effects);
int batch_sales_read(struct partitioned *batch, struct batch_task *task, const struct event *event,
                     enum sales_source source, struct effects *effects);
/* The orders of a partition were read once more: those of what differs are written over silver's.
 */
int batch_mend_orders(struct partitioned *batch, struct batch_task *task, vtime now,
                      struct effects *effects);
/* The last of it: gold's sums of what differed, after silver's orders. */
int batch_mend_sums(struct partitioned *batch, struct batch_task *task, struct effects *effects);
/* A checkpoint has all that the task knows: a repair that waited for it begins. */
int batch_mend_begin(struct partitioned *batch, struct task *task, vtime now,
                     struct effects *effects);
/* What differs is said on a change of state. */
void batch_alert(struct batch_task *task, struct effects *effects);
/* A step of the repair is done; `republished`: it was OLTP's. */
int batch_mended(struct partitioned *batch, struct batch_task *task, bool republished, vtime now,
                 struct effects *effects);
int batch_mend_refresh(struct partitioned *batch, struct batch_task *task, struct effects *effects);
/* What lies between OLTP and bronze lost orders: said once in a run, since it is mended. */
void batch_tell_missing(struct batch_task *task, struct effects *effects);

#endif
