/*
 * What the conformance suite of the object port is run against: the port alone. One subject is the
 * fake, another is a server that speaks the protocol of Amazon S3.
 */
#ifndef MURPHY_CONFORMANCE_OBJECTS_SUBJECT_H
#define MURPHY_CONFORMANCE_OBJECTS_SUBJECT_H

#include <stdbool.h>

#include "pipeline/ports.h"

struct objects_subject {
    struct object_port port;
    void (*free)(void *ctx);
    void *ctx;
};

/* An empty store that keeps objects for ever. False when it cannot be had; then it has said why. */
bool objects_subject_fake(struct objects_subject *out);
bool objects_subject_s3(struct objects_subject *out);

/* Holds subjects to the port (see conformance/suite.h). */
int objects_suite_run(const char *name, bool (*make)(struct objects_subject *out));

#endif
