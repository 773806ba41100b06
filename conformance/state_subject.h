/*
 * What the conformance suite of the state port is run against: the port alone. One subject is the
 * fake, another is a PostgreSQL.
 */
#ifndef MURPHY_CONFORMANCE_STATE_SUBJECT_H
#define MURPHY_CONFORMANCE_STATE_SUBJECT_H

#include <stdbool.h>

#include "pipeline/ports.h"

struct state_subject {
    struct state_port port;
    void (*free)(void *ctx);
    void *ctx;
};

/* A store without checkpoints. False when it cannot be had; then it has said why. */
bool state_subject_fake(struct state_subject *out);
bool state_subject_postgres(struct state_subject *out);

/* Holds subjects to the port (see conformance/suite.h). */
int state_suite_run(const char *name, bool (*make)(struct state_subject *out));

#endif
