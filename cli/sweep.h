/*
 * Inside `murphy sweep`, `murphy merge` and `murphy bugs`: what is asked, and what came out of one
 * seed.
 */
#ifndef MURPHY_CLI_SWEEP_H
#define MURPHY_CLI_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/scenario_run.h"
#include "reports/result.h"
#include "scenarios/scenario.h"

enum { SWEEP_SETTINGS_MAX = 64 };

/* What results are said to be of when every case has a bug of its own: no bug is called so. */
#define SWEEP_EACH_BUG "each"

/* More runs than this are not one sweep: a bit is kept for each. */
#define SWEEP_RUNS_MAX UINT64_C(100000000)

struct sweep_scenario {
    const char *given; /* as on the command line */
    struct scenario loaded;
    struct contract_set contracts;
    char digest[33]; /* of its file and its contracts: shards of two texts do not belong together */
};

/* What is played under each seed. */
struct sweep_case {
    size_t scenario; /* index */
    const char *bug; /* static or of the command line; NULL: none */
};

/* What is asked. Run number i is case i % count under the shard's seed i / count, so that a
 * sweep that is stopped has got equally far in all of them. */
struct sweep {
    const char *command; /* whose messages they are: "sweep" */
    struct sweep_scenario *scenarios;
    size_t scenario_count, scenario_capacity;
    struct sweep_case *cases;
    size_t case_count, case_capacity;
    uint64_t seed_from, seed_to;
    uint64_t shard, shards; /* 1..shards */
    char build[33];         /* digest of the program */
    unsigned jobs;
    const char *out; /* NULL: results are kept in memory */
    const char *bug; /* of all cases; NULL: none; SWEEP_EACH_BUG: each has its own */
    bool json;
    uint32_t cover_ppm; /* share of the cells of fault and state that must be reached; 0: none */
    struct scenario_setting settings[SWEEP_SETTINGS_MAX];
    size_t setting_count;
};

/* Runs of the whole shard. */
uint64_t sweep_runs(const struct sweep *sweep);
const struct sweep_case *sweep_case_of(const struct sweep *sweep, uint64_t run);
const struct sweep_scenario *sweep_scenario_of(const struct sweep *sweep, uint64_t run);
uint64_t sweep_seed_of(const struct sweep *sweep, uint64_t run);
void sweep_reproduce(const struct sweep *sweep, uint64_t run, char *text, size_t size);

/* What came out of one run. Texts are the owner's: a message's, a row's. */
struct sweep_outcome {
    enum run_verdict verdict;
    bool bad_input; /* no seed of this scenario can be run: see error */
    int64_t wall_ns;
    const char *trace_hash; /* "" when the run did not come to its end */
    const char *end_state;
    const char *cause; /* one line: the first check or objective that did not hold */
    const char *error;
    const char *failed_checks; /* JSON array, "[]" for none */
    const char *breached;      /* JSON array of objectives */
    const char *coverage;      /* JSON object: strikes by kind of fault and state */
    const char *drawn;         /* JSON object: values by setting */
    const char *allowed;       /* JSON object: what the scenario lets pass; 1: it was needed */
};

/* Plays one run and writes its outcome as a message on the heap: NULL when out of memory. */
char *sweep_play(const struct sweep *sweep, uint64_t run, size_t *size);

/* Reads a message in place. False when it is none. */
bool sweep_outcome_read(char *message, size_t size, struct sweep_outcome *out);

#endif
