/*
 * The processes of a sweep. The parent allocates little and forks; a worker plays many runs, one
 * after the other, and answers each over a socket. A worker that dies, by a signal or otherwise,
 * costs the run that it was playing, which comes out as an error that says how and what the worker
 * said last; another worker takes its place.
 *
 * Workers end with their parent, however that ends.
 */
#ifndef MURPHY_CLI_SWEEP_WORKERS_H
#define MURPHY_CLI_SWEEP_WORKERS_H

#include "cli/sweep.h"

struct sweep_host {
    void *ctx;
    /* Called in each worker once it is there: to let go of what is the parent's alone. */
    void (*forked)(void *ctx);
    /* The next run to play, or -1 when there is none left. */
    int64_t (*next)(void *ctx);
    /* One has come out. 0 to go on; anything else stops the sweep and is returned. */
    int (*done)(void *ctx, uint64_t run, const struct sweep_outcome *outcome);
    /* Called several times a second. 0 to go on. */
    int (*tick)(void *ctx);
};

/* Plays until there is nothing left or a callback wants to stop; workers are gone when it returns.
 * 0, what the callback returned, or -1 with a message on stderr. */
int sweep_workers_play(const struct sweep *sweep, const struct sweep_host *host);

#endif
