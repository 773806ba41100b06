/*
 * What the conformance suite of the books port is run against: the port, and the operational
 * database whose orders it reads. One subject is the fake, another is a PostgreSQL.
 */
#ifndef MURPHY_CONFORMANCE_BOOKS_SUBJECT_H
#define MURPHY_CONFORMANCE_BOOKS_SUBJECT_H

#include <stdbool.h>

#include "conformance/oltp_subject.h"
#include "pipeline/ports.h"

struct books_subject {
    struct books_port port;
    struct oltp_subject oltp;
    void (*free)(void *ctx); /* the database too */
    void *ctx;
};

/* Books without orders. False when they cannot be had; then it has said why. */
bool books_subject_fake(struct books_subject *out);
bool books_subject_postgres(struct books_subject *out);

/* Holds subjects to the port (see conformance/suite.h). */
int books_suite_run(const char *name, bool (*make)(struct books_subject *out));

#endif
