/*
 * What the conformance suite of the warehouse port is run against: the port, and a look at silver,
 * which the port writes and never reads. One subject is the fake, another is a PostgreSQL.
 */
#ifndef MURPHY_CONFORMANCE_WAREHOUSE_SUBJECT_H
#define MURPHY_CONFORMANCE_WAREHOUSE_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/ports.h"

/* A version of a listing, and the time for which it held. */
struct silver_span {
    doc_version version;
    vtime from, to; /* to: VTIME_NEVER of the present one */
};

struct warehouse_subject {
    struct warehouse_port port;
    /* The listing's versions in their order; at most max. */
    size_t (*silver)(void *ctx, uint64_t listing_id, struct silver_span *out, size_t max);
    void (*free)(void *ctx);
    void *ctx;
};

/* An empty warehouse. False when it cannot be had; then it has said why. */
bool warehouse_subject_fake(struct warehouse_subject *out);
bool warehouse_subject_postgres(struct warehouse_subject *out);

/* Holds subjects to the port (see conformance/suite.h). */
int warehouse_suite_run(const char *name, bool (*make)(struct warehouse_subject *out));

#endif
