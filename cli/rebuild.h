/*
 * `murphy rebuild`: what its halves share.
 */
#ifndef MURPHY_CLI_REBUILD_H
#define MURPHY_CLI_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/rebuilt_layers.h"

struct rebuild_arguments {
    const char *run, *from, *at; /* at: NULL: the end */
    uint32_t layers;             /* bits (1 << enum rebuilt_layer); 0: all */
    uint64_t limit;              /* differences that are shown */
    bool limited;                /* the user said so */
    uint64_t listing;            /* of the audit streams this one alone */
    bool has_listing;
    bool json, help;
};

/* Each prints its result and returns the exit status. */
int rebuild_from_bronze(const struct rebuild_arguments *a);
int rebuild_from_audit(const struct rebuild_arguments *a);

#endif
