/*
 * What a sweep came to: a table by scenario, every failure with the line that does it again, and an
 * exit status. Everything is read from the store, so that `murphy merge` says the same of the same
 * rows.
 */
#ifndef MURPHY_CLI_SWEEP_SUMMARY_H
#define MURPHY_CLI_SWEEP_SUMMARY_H

#include <stdio.h>

#include "cli/sweep_store.h"

struct sweep_closing {
    bool json;
    uint32_t cover_ppm; /* share of the cells of fault and state that must be reached; 0: none */
    bool interrupted;
    uint64_t played;    /* runs of this sweep */
    uint64_t before;    /* runs that were there from a sweep before this one */
    int64_t missing;    /* runs that were asked for and are not there */
    int64_t elapsed_ns; /* 0: not known */
    unsigned jobs;      /* 0: not known */
    char page[4096];    /* the file that a page of the whole is saved in; "": none */
};

/* How many runs are not there of all the seeds that were ever asked of this store or any shard of
 * it. -1: see the store's error. */
int64_t sweep_summary_missing(struct sweep_store *store);

/*
 * Writes the summary and returns the exit status that the rows add up to: 1 when a check failed
 * anywhere, else 70 when a run did not come to its end, else 2 when only objectives failed, else 0;
 * EXIT_INTERNAL with the store's error when the summary cannot be made.
 */
int sweep_summary_write(struct sweep_store *store, const struct sweep_closing *closing, FILE *out);

#endif
