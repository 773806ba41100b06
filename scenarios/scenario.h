/*
 * A scenario: what traffic, what goes wrong, what must hold and what must be caught.
 *
 * Scenarios are JSON files, NAME.json in scenarios/, checked here against the same rules that
 * scenario.schema.json states for editors. A file that breaks a rule is refused with file, line,
 * column and the path of the value (D12); nothing of it is used.
 *
 * Times are strings like "90s", "5m", "2h30m", "250ms"; shares are strings like "1/20", "5%" or
 * numbers from 0 to 1 with at most 6 decimals: both become exact integers. Some objectives can be
 * "off". Every key that is not given has the default of docs/scenarios.md filled in, so that a
 * loaded scenario says all that is in force.
 */
#ifndef MURPHY_SCENARIOS_SCENARIO_H
#define MURPHY_SCENARIOS_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "faults/faults.h"
#include "pipeline/bugs.h"
#include "pipeline/control.h"
#include "pipeline/machine.h"
#include "sim/capacity.h"
#include "sim/fake_kafka.h"
#include "sim/lineage.h"
#include "sim/log_consumer.h"
#include "sim/vector_profile.h"
#include "sim/workload.h"

/* Something that the pipeline's own monitors must notice: the scenario fails if they do not (D1).
 */
struct expected_alert {
    const char *name;    /* "feed-freshness", "feed-volume", "offset-out-of-range" */
    const char *topic;   /* name of the one that it is about; NULL: it is about `subject` */
    const char *subject; /* NULL: it is about `topic` */
    enum alert_state state;
    int64_t after_ns;     /* raised no earlier than this, from the start of the run */
    int64_t before_ns;    /* and no later; 0: any time */
    int64_t again_ns;     /* raised again no later than this it is no false alarm; 0: before_ns */
    bool cleared;         /* and cleared again before the end */
    const char *evidence; /* must occur in the alert's sentence; NULL: anything */
};

/* What the alert is about. */
static inline const char *expected_alert_subject(const struct expected_alert *alert) {
    return alert->topic != NULL ? alert->topic : alert->subject;
}

/* Drift that reconciliation must find and repair: at least `min` rows of a class in a store. */
struct expected_drift {
    enum scan_store store;
    enum drift_class drift;
    uint64_t min;
};

/* How often something must have happened in the pipeline: a counter of its machines. */
struct expected_count {
    const char *name; /* of enum machine_counter */
    uint64_t min, max;
};

/* Where a number of the dashboard must be found to go wrong at a moment (B6). */
struct expected_lineage {
    enum lineage_measure metric; /* over all categories and hours */
    int64_t at_ns;               /* from the start of the run */
    enum lineage_layer layer;    /* LINEAGE_OLTP: none must be */
    enum lineage_cause cause;    /* LINEAGE_NO_CAUSE: any */
};

/* Something that an operator asks for: a record of the control topic. */
struct operation {
    enum control_kind control;
    int64_t at_ns;     /* from the start of the run */
    int64_t within_ns; /* up to so long after that, drawn by the seed */
    uint32_t model_version;
    enum topic_id feed;
    int64_t from_ns, to_ns;   /* [from, to) from the start of the run; to 0: without limits */
    const char *text;         /* NULL: none */
    bool refused;             /* the pipeline must not obey */
    bool refusable;           /* it may refuse, by an alert */
    enum machine_kind worker; /* of a deployment: 0, which is no grouped machine, for all */
    uint32_t workers;         /* of that kind, from then on */
    uint32_t version;         /* of the code, or of what it may write */
    int64_t down_ns;          /* how long a process that is replaced is away; 0: 10 s */
    bool forced;              /* also where it would be refused */
};

/* Service level objectives of the run; zero: not stated, not judged. */
struct objectives {
    int64_t freshness_p95_ns;     /* visibility lag, in each serving store; default 5 min */
    int64_t gone_within_ns;       /* deletes and suppressions leave serving within; default 5 min */
    int64_t suppressed_within_ns; /* suppressions within; default gone_within */
    int64_t erasure_within_ns;    /* from a privacy request to its certificate; default 72 h */
    uint32_t recall_ppm;          /* recall@10 of probes, parts per million */
    int64_t search_p95_ns;        /* latency of probes */
    uint32_t availability_ppm;    /* probes answered; default 999,000 */
    int64_t convergence_ns;       /* from healing to all stores right; default 2 h 30 min */
    uint32_t
        needless_embeddings_ppm; /* share of embeddings made twice for one content; default 0 */
};

struct scenario {
    const char *name;
    const char *about; /* one or two sentences: what it shows */
    const char *path;  /* file that it came from */

    const char **catches; /* planted bugs, each of which it must fail under */
    size_t catch_count;

    /* Its seed is set by the run. In a replay, start and duration are 0: they follow from the file
     * (workload_peek of the first operation, workload_end). */
    struct workload_options workload;
    struct pipeline_config pipeline;
    uint32_t workers[MACHINE_KIND_COUNT];
    int64_t session_timeout_ns;
    int64_t poll_timeout_ns;
    enum fake_kafka_protocol rebalance;
    enum offset_reset offset_reset[MACHINE_KIND_COUNT];
    int64_t time_travel_ns, fail_safe_ns; /* of the warehouse */
    struct {
        int64_t topics_ns, artifacts_ns, warehouse_ns; /* 0: for ever */
    } retention;
    bool explore_ties;
    struct capacity_rates capacity;
    /* Zero: the profile's. */
    struct {
        uint32_t profile; /* enum vector_profile_id */
        int64_t gc_deletes_ns;
        uint32_t consistency; /* 1 + enum vector_consistency */
        int64_t visible_after_ns;
        uint32_t batch_items_max, batch_bytes_max;
        uint32_t requests_per_second_max;
    } vectors;
    int64_t keyword_gc_deletes_ns; /* 0: never */
    bool merge_picks;              /* of the warehouse */

    /* What each seed draws one of; empty lists: what is stated above holds (scenario_draw.h). */
    struct {
        uint32_t *profiles;
        size_t profiles_count;
        int64_t *keyword_gc_deletes;
        size_t keyword_gc_deletes_count;
        enum fake_kafka_protocol *rebalances;
        size_t rebalances_count;
        bool *idempotent;
        size_t idempotent_count;
        bool *unclean_leaders;
        size_t unclean_leaders_count;
        bool *explore_ties;
        size_t explore_ties_count;
    } draw;

    struct fault *faults;
    size_t fault_count;
    uint32_t focus_ppm; /* so many of a swarm's faults wait for one state of the pipeline */
    bool swarm;         /* faults_swarm draws which of them a seed has, and how hard they strike */

    struct operation *operations;
    size_t operation_count;

    int64_t probe_every_ns; /* 0: no probe searches */
    uint32_t probe_queries; /* per round */
    uint32_t probe_seal_rows;
    uint32_t probe_ef;
    bool probe_filters; /* by each kind of filter, not by category alone */

    bool reconcile_at_end;    /* the pipeline's reconciler runs once all is quiet */
    int64_t *reconcile_at_ns; /* and at these moments, from the start */
    size_t reconcile_at_count;

    struct objectives objectives;
    struct expected_alert *alerts;
    size_t alert_count;
    struct expected_drift *drifts; /* none: reconciliation at the end must find nothing */
    size_t drift_count;
    const char **may_raise; /* alerts that are no false alarms, whoever they are about */
    size_t may_raise_count;
    bool any_drift; /* whatever reconciliation finds is all right, as long as it repairs it */
    struct expected_count *counts;
    size_t count_count;
    struct expected_lineage *lineages;
    size_t lineage_count;
    const char **breached; /* objectives that must be breached, by name, as "freshness_p95" */
    size_t breached_count;
    const char **lost; /* topics that must lose acknowledged records */
    size_t lost_count;

    const char *contracts; /* folder of the seams' contracts; NULL: the project's */
    const char **waived;   /* service levels that nobody promises there, as "vectors.latency" */
    size_t waived_count;

    void *memory; /* owns everything above */
};

/* One sentence: file, line, column, path, what is wrong, and the nearest known name if any. */
struct scenario_error {
    char text[1600];
};

/* A `PATH=VALUE` of the command line: replaces or adds one value, before the rules are checked. */
struct scenario_setting {
    const char *text;
};

/*
 * Loads a scenario by file (anything with a slash or ending in .json) or by name (NAME.json in
 * `directory`). 0, or -1 with *error filled and *out zeroed.
 */
int scenario_load(const char *name_or_file, const char *directory,
                  const struct scenario_setting *settings, size_t setting_count,
                  struct scenario *out, struct scenario_error *error);
void scenario_release(struct scenario *scenario);

/*
 * All scenarios in a directory, sorted by name: what is said of each, which kinds of faults strike
 * in it on every seed, and which planted bugs it catches.
 */
struct scenario_entry {
    char *name;
    char *about;
    bool strikes[FAULT_KIND_COUNT];
    bool catches[BUG_COUNT];
};
struct scenario_list {
    struct scenario_entry *entries;
    size_t count;
};
int scenario_list_load(const char *directory, struct scenario_list *out,
                       struct scenario_error *error);
void scenario_list_release(struct scenario_list *list);

/* Does the scenario show what protects from the kind? The kind strikes in it on every seed, and the
 * bug, which takes the kind's protection away, is one that it catches. */
bool scenario_entry_shows(const struct scenario_entry *entry, enum fault_kind kind,
                          enum bug_id bug);

#endif
