/*
 * The kill matrix: which planted bug is caught by which check, in which scenario, on how many seeds
 * (D4). Read from the results of a sweep whose cases are scenarios with and without a bug.
 *
 * A seed is caught when its run failed and the check of the bug's row (pipeline/bugs.h) is among
 * those that did. A bug survives a seed that is not caught, whatever else failed.
 */
#ifndef MURPHY_CLI_KILL_MATRIX_H
#define MURPHY_CLI_KILL_MATRIX_H

#include "cli/sweep_drive.h"
#include "pipeline/bugs.h"

/* A check that failed in runs with a bug. */
struct kill_check {
    char *name;
    int64_t seeds;
};

/* A scenario with a bug that it says it catches, or without one. */
struct kill_case {
    int64_t played;
    int64_t failed; /* by any check */
    int64_t caught; /* by the one that is meant to */
    int64_t slo;    /* only an objective was missed */
    int64_t error;  /* did not come to its end */
    uint64_t first; /* seed that was caught; of those that were */
    struct kill_check *checks;
    size_t check_count, check_capacity;
    bool struck[FAULT_KIND_COUNT]; /* in a run that was caught, or that has no bug */
};

struct kill_matrix {
    const struct sweep *sweep;
    struct kill_case *cases; /* one for each of the sweep's */
    bool wanted[BUG_COUNT];  /* bugs that were asked for */
    bool whole;              /* nothing was left out of what there is */
};

/* Did the run come out as it should: caught, or without a bug passed? If not, `why` says so. */
bool kill_row_wanted(const struct sweep_row *row, char why[SWEEP_WHY_SIZE]);

/* Fills the matrix, whose sweep is set, with the seeds that were asked for. 0, or -1 with the
 * store's error. */
int kill_matrix_read(struct kill_matrix *matrix, struct sweep_store *store);
void kill_matrix_release(struct kill_matrix *matrix);

/* The case of a scenario without a bug. */
const struct kill_case *kill_matrix_clean(const struct kill_matrix *matrix, size_t scenario);
/* Is the case one of that bug? */
bool kill_matrix_has(const struct kill_matrix *matrix, size_t at, enum bug_id bug);
/* Does some scenario say that it catches the bug? */
bool kill_matrix_claimed(const struct kill_matrix *matrix, enum bug_id bug);
/* Does the case show what protects from the kind? Its bug, which takes the protection away, was
 * caught, and the kind struck: in a run that was caught or, where without the protection nobody
 * asks what the fault answers, in the same scenario without the bug. */
bool kill_matrix_shows(const struct kill_matrix *matrix, size_t at, enum fault_kind kind);

struct kill_totals {
    size_t bugs, pairs, unclaimed;
    int64_t played, caught; /* with bugs */
    int64_t clean, passed;  /* without */
    int64_t wrong, error;   /* came out otherwise than they should; did not come to their end */
};
struct kill_totals kill_matrix_totals(const struct kill_matrix *matrix);
/* 1 when something came out otherwise or a bug is claimed by nobody, else 70 when a run did not
 * come to its end, else 0. */
int kill_totals_status(const struct kill_totals *totals);

/* Calls `each` for every row of the request that came out otherwise than it should. 0 or -1. */
int kill_matrix_unwanted(const struct kill_matrix *matrix, struct sweep_store *store,
                         void (*each)(void *ctx, const struct sweep_row *row, const char *why),
                         void *ctx);

/* Both: 0 or -1 with the store's error. */
int kill_matrix_print(const struct kill_matrix *matrix, struct sweep_store *store,
                      const struct sweep_closing *closing, FILE *out);
int kill_matrix_json(const struct kill_matrix *matrix, struct sweep_store *store,
                     const struct sweep_closing *closing, FILE *out);

#endif
