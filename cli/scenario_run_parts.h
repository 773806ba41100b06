/*
 * The inside of a scenario's run, shared by the half that plays it and the half that judges it.
 */
#ifndef MURPHY_CLI_SCENARIO_RUN_PARTS_H
#define MURPHY_CLI_SCENARIO_RUN_PARTS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/prober.h"
#include "cli/scenario_run.h"
#include "faults/injector.h"
#include "sim/hop_log.h"
#include "sim/job_log.h"
#include "sim/oracle.h"

/* An alert that some monitor of the pipeline raised or cleared. */
struct alert_seen {
    vtime at;
    const char *name;    /* static */
    const char *subject; /* static */
    enum alert_state state;
    const char *evidence; /* the result's */
};

/* One pass of a reconciliation, without its samples. */
struct pass_seen {
    vtime at;
    struct reconciliation_report report;
};

struct scenario_run {
    struct scenario drawn;           /* as this seed has it */
    const struct scenario *scenario; /* which is that one */
    struct scenario_run_options options;
    struct workload *workload;
    struct simulation *simulation;
    struct injector *injector;
    struct fault *faults; /* the scenario's, those switched off that a swarm does without */
    struct oracle *oracle;
    struct simulation_observer oracle_ear;
    struct prober prober;
    struct run_result result;
    struct alert_seen *alerts;
    size_t alert_count, alert_capacity;
    struct pass_seen *passes;
    size_t pass_count, pass_capacity;
    struct oracle_sample *samples; /* kept for the export alone */
    size_t sample_count, sample_capacity;
    struct job_log *jobs;      /* NULL without an export */
    struct hop_log *hops;      /* likewise; NULL without an export */
    uint64_t removals;         /* operations after which something must be gone */
    bool batching;             /* a nightly batch that was asked for is not over */
    struct batch_report batch; /* the last one */
    bool reconciling;          /* a reconciliation that was asked for is not over */
    bool out_of_memory;
    vtime start; /* of virtual time: the scenario's, or the first change of a replayed file */
    vtime healed_at;
    vtime settled_at; /* VTIME_NEVER: it did not settle in time */
    volatile sig_atomic_t interrupted;
    char error[640];
};

/* Fills the result from what was seen. */
void scenario_run_judge(struct scenario_run *run);

/* The way back from the dashboard's numbers (B6): at rest none is wrong, and what the scenario
 * expects at other moments. */
void judge_lineage(struct scenario_run *run);
/* By the contract of gold-sales; a number that is older is not merely on its way. */
int64_t scenario_run_dashboard_sla_ns(const struct scenario_run *run);

/* The contracts of the seams (B2): service levels, quality rules. */
void judge_contracts(struct scenario_run *run);
/* An alert of the watch over a feed is no false one: the contract that it goes by was broken. */
bool contract_explains(const struct scenario_run *run, const struct alert_seen *alert);

/* Adds an objective, or where the scenario says by that key that it must be breached, the check
 * that it is. */
void judged_objective(struct scenario_run *run, const struct run_slo *slo, const char *key);
/* Does the scenario say so? */
bool judged_as_breached(const struct scenario_run *run, const char *key);

/* Adds a check that holds or does not. */
void judged_check(struct scenario_run *run, const char *name, const char *kind, bool holds,
                  const char *expected, const char *observed, int64_t at_ns, const char *evidence);

/* What the scenario lets pass at that key, and whether this run needed it. */
void judged_allowance(struct scenario_run *run, const char *key, const char *value, bool needed);

/* Differences that count as drift in one pass. */
uint64_t pass_drift(const struct reconciliation_report *report);

#endif
