/*
 * What the conformance suite of the embedding port is run against: the port alone. One subject is
 * the fake, another is a model that was trained on texts, behind HTTP. A service need not make
 * every modality, nor vectors of the dimension that the stores hold: it says what it does make.
 */
#ifndef MURPHY_CONFORMANCE_EMBEDDING_SUBJECT_H
#define MURPHY_CONFORMANCE_EMBEDDING_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/ports.h"

/* Model version 1 is known, and this one is not. A request of more items is too large. */
enum { EMBEDDING_SUBJECT_UNKNOWN = 99, EMBEDDING_SUBJECT_ITEMS_MAX = 256 };

struct embedding_subject {
    struct embedding_port port;
    uint32_t dimensions[MODALITY_COUNT]; /* 0: it does not make them */
    void (*free)(void *ctx);
    void *ctx;
};

/* False when it cannot be had; then it has said why. */
bool embedding_subject_fake(struct embedding_subject *out);
bool embedding_subject_http(struct embedding_subject *out);

/* Holds subjects to the port (see conformance/suite.h). */
int embedding_suite_run(const char *name, bool (*make)(struct embedding_subject *out));

#endif
