/*
 * Plays many runs from their request to their summary: results are kept, in memory or in a folder,
 * what is there already is not played again, a line tells how far it is, and Ctrl-C ends it with
 * what there is.
 */
#ifndef MURPHY_CLI_SWEEP_DRIVE_H
#define MURPHY_CLI_SWEEP_DRIVE_H

#include "cli/sweep_store.h"
#include "cli/sweep_summary.h"

enum { SWEEP_WHY_SIZE = 900 };

/* What a command makes of the runs. */
struct sweep_caller {
    const char *unwanted; /* what runs that came out otherwise are called: "failures" */
    /* Did the run come out as it should? If not, `why` is one line that says so. */
    bool (*wanted)(const struct sweep_row *row, char why[SWEEP_WHY_SIZE]);
    /* Writes what they came to and returns the exit status; EXIT_INTERNAL with the store's error
     * when it cannot. */
    int (*summary)(void *ctx, struct sweep_store *store, const struct sweep_closing *closing,
                   FILE *out);
    void *ctx;
};

/* Returns the exit status of the command. */
int sweep_drive(struct sweep *sweep, const struct sweep_caller *caller);

#endif
