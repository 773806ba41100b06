/*
 * One run of a scenario: builds the simulation, arms the faults, listens with the oracle, heals,
 * waits for convergence, reconciles, judges, and leaves everything in a run_result.
 */
#ifndef MURPHY_CLI_SCENARIO_RUN_H
#define MURPHY_CLI_SCENARIO_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "reports/result.h"
#include "scenarios/contract_set.h"
#include "scenarios/scenario.h"
#include "sim/oracle.h"
#include "sim/trace.h"

/* Hears what happens in the simulation as it happens; members may be NULL. */
struct scenario_run_listener {
    void *ctx;
    void (*operation)(void *ctx, vtime now, const struct workload_op *op);
    void (*appended)(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                     const struct log_record *record);
    void (*row_changed)(void *ctx, vtime now, const struct row_change *change);
    /* A machine is about to be told of an event. */
    void (*told)(void *ctx, enum machine_kind kind, const char *name, const struct event *event);
    /* A request leaves a machine. */
    void (*asked)(void *ctx, vtime now, const struct effect *effect);
};

struct scenario_run_options {
    uint64_t seed;
    const char *bug;                      /* planted bug by name, or NULL */
    const struct contract_set *contracts; /* of the seams; outlives the run */
    bool keep_history;                    /* record what every store held when, for the export */
    const char *reproduce;                /* command line that does it again */
    struct scenario_run_listener listener;
    /* Called now and then with virtual time gone and expected; may be NULL. */
    void (*progress)(void *ctx, int64_t done_ns, int64_t total_ns, const char *phase);
    void *progress_ctx;
};

enum scenario_run_status {
    SCENARIO_RUN_DONE,        /* judged: see the result's verdict */
    SCENARIO_RUN_BAD_INPUT,   /* a file of the workload is wrong: see the error */
    SCENARIO_RUN_INTERRUPTED, /* scenario_run_interrupt was called: the result is not to be used */
    SCENARIO_RUN_ERROR        /* out of memory */
};

struct scenario_run;

/* NULL when out of memory. The scenario must outlive the run. */
struct scenario_run *scenario_run_new(const struct scenario *scenario,
                                      const struct scenario_run_options *options);
void scenario_run_free(struct scenario_run *run);
/* Runs it to its end. */
enum scenario_run_status scenario_run_play(struct scenario_run *run);
/* Makes the playing run return soon; safe from a signal handler. */
void scenario_run_interrupt(struct scenario_run *run);
/* One sentence after BAD_INPUT or ERROR. */
const char *scenario_run_error(const struct scenario_run *run);

struct run_result *scenario_run_result(struct scenario_run *run);

/* The checks that a run makes besides those of the oracle. Static. */
const struct oracle_check_about *scenario_run_check_table(size_t *count);
/* Writes the runs of the pipeline's jobs as OpenLineage events, openlineage.jsonl in that folder;
 * 0, or -1 with a sentence in error. Of a run that kept its history. */
int scenario_run_openlineage(struct scenario_run *run, const char *directory, char *error,
                             size_t error_size);
/* Writes the stores as SQLite file stores.db in that folder; 0, or -1 with a sentence in error. */
int scenario_run_export(struct scenario_run *run, const char *directory, char *error,
                        size_t error_size);

#endif
