/*
 * The stores of a finished run, opened for reading: what `murphy query` and `murphy explain` share.
 *
 * A run is the folder that `murphy run --out DIR` wrote, or its stores.db. Whatever else is given
 * (nothing, another file, one that was cut short, one that another version wrote in another layout)
 * is refused in one sentence on stderr.
 */
#ifndef MURPHY_CLI_RUN_STORES_H
#define MURPHY_CLI_RUN_STORES_H

#include <sqlite3.h>
#include <stdbool.h>

#include "pipeline/vtime.h"

struct run_stores {
    const char *command; /* whose name stands before messages; static */
    const char *run;     /* as it was given */
    sqlite3 *db;
    vtime start, end; /* of the run */
    int64_t dashboard_sla_ns;
    vtime warehouse_from; /* from when on the warehouse tells everything; the start: of all */
};

/* 0, or an exit status after a message. Close it in either case. */
int run_stores_open(struct run_stores *r, const char *command, const char *run);
void run_stores_close(struct run_stores *r);

/*
 * Shows every table as of the moment that the text names (NULL: the end of the run), and sets *at
 * to it (VTIME_NEVER: the end). Says on stderr where the moment lies before what the warehouse
 * keeps. 0, or an exit status after a message. Once.
 */
int run_stores_as_of(struct run_stores *r, const char *text, vtime *at);

/* Prints "murphy COMMAND: SENTENCE" to stderr; returns the status. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int run_stores_complain(const struct run_stores *r, int status, const char *format, ...);

/* A statement on the run failed: says so, returns the exit status. A damaged file is bad input. */
int run_stores_failed(const struct run_stores *r);

#endif
