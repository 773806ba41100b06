/*
 * The two ways of `murphy explain` through a finished run: one update forward through every hop
 * (--listing), one number of the dashboard back to the rows of OLTP (--metric).
 */
#ifndef MURPHY_CLI_EXPLAIN_H
#define MURPHY_CLI_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/run_stores.h"
#include "pipeline/vtime.h"

/* The run is open; its tables show the moment, NAME_history everything. */
struct explain {
    struct run_stores stores;
    const char *listing; /* digits; NULL with a metric */
    const char *update;  /* which update: a number or an event id; NULL: the last */
    const char *metric;  /* NULL with a listing */
    bool json;
    vtime at; /* the moment asked for, at most the end of the run */
};

/* Print to stdout; return the exit status, after a message on stderr where it is an error. */
int explain_listing(struct explain *e);
int explain_metric(struct explain *e);

#endif
