/*
 * What the conformance suite of the vector port is run against: the port alone, which can make its
 * own collections. One subject is the fake, another is a PostgreSQL with pgvector.
 */
#ifndef MURPHY_CONFORMANCE_VECTORS_SUBJECT_H
#define MURPHY_CONFORMANCE_VECTORS_SUBJECT_H

#include <stdbool.h>

#include "pipeline/ports.h"

struct vectors_subject {
    struct vector_port port;
    void (*free)(void *ctx);
    void *ctx;
};

/* An empty database. False when it cannot be had; then it has said why. */
bool vectors_subject_fake(struct vectors_subject *out);
bool vectors_subject_postgres(struct vectors_subject *out);

/* The same as plain as pgvector is by itself, without a driver's tombstones and without scans that
 * go on until enough rows pass: what the profile pgvector-like claims to be. */
bool pgvector_subject_fake(struct vectors_subject *out);
bool pgvector_subject_postgres(struct vectors_subject *out);

/* Hold subjects to the port, and to that profile (see conformance/suite.h). */
int pgvector_suite_run(const char *name, bool (*make)(struct vectors_subject *out));
int vectors_suite_run(const char *name, bool (*make)(struct vectors_subject *out));

#endif
