/*
 * What the conformance suite of the keyword port is run against: the port alone. One subject is the
 * fake, another is PostgreSQL's full text search.
 */
#ifndef MURPHY_CONFORMANCE_KEYWORDS_SUBJECT_H
#define MURPHY_CONFORMANCE_KEYWORDS_SUBJECT_H

#include <stdbool.h>

#include "pipeline/ports.h"

struct keywords_subject {
    struct keyword_port port;
    void (*free)(void *ctx);
    void *ctx;
};

/* An empty index. False when it cannot be had; then it has said why. */
bool keywords_subject_fake(struct keywords_subject *out);
bool keywords_subject_postgres(struct keywords_subject *out);

/* Holds subjects to the port (see conformance/suite.h). */
int keywords_suite_run(const char *name, bool (*make)(struct keywords_subject *out));

#endif
