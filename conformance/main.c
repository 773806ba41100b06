/*
 * Runs the conformance suite of a port against a subject: `murphy-conformance PORT SUBJECT`. Every
 * subject of a port must pass every test of its suite. Real systems are found by what the
 * environment says of them; ci/conformance.sh starts them.
 */
#include <stdio.h>
#include <string.h>

#include "conformance/books_subject.h"
#include "conformance/embedding_subject.h"
#include "conformance/keywords_subject.h"
#include "conformance/log_subject.h"
#include "conformance/objects_subject.h"
#include "conformance/oltp_subject.h"
#include "conformance/state_subject.h"
#include "conformance/vectors_subject.h"
#include "conformance/warehouse_subject.h"

#define SUBJECTS(X)                                                                                \
    X(log, fake, "the fake")                                                                       \
    X(log, librdkafka, "librdkafka and its mock brokers")                                          \
    X(oltp, fake, "the fake")                                                                      \
    X(oltp, postgres, "PostgreSQL")                                                                \
    X(books, fake, "the fake")                                                                     \
    X(books, postgres, "PostgreSQL")                                                               \
    X(warehouse, fake, "the fake")                                                                 \
    X(warehouse, postgres, "PostgreSQL")                                                           \
    X(state, fake, "the fake")                                                                     \
    X(state, postgres, "PostgreSQL")                                                               \
    X(keywords, fake, "the fake")                                                                  \
    X(keywords, postgres, "PostgreSQL's full text search")                                         \
    X(objects, fake, "the fake")                                                                   \
    X(objects, s3, "a server of the protocol of Amazon S3")                                        \
    X(embedding, fake, "the fake")                                                                 \
    X(embedding, http, "a trained model behind HTTP")                                              \
    X(vectors, fake, "the fake")                                                                   \
    X(vectors, postgres, "PostgreSQL with pgvector")                                               \
    X(pgvector, fake, "the fake, as it is pgvector-like")                                          \
    X(pgvector, postgres, "pgvector by itself")

#define X(port, subject, about)                                                                    \
    static int run_##port##_##subject(void) {                                                      \
        return port##_suite_run(#port ": " about, port##_subject_##subject);                       \
    }
SUBJECTS(X)
#undef X

static const struct {
    const char *port, *subject, *about;
    int (*run)(void);
} subjects[] = {
#define X(port, subject, about) {#port, #subject, about, run_##port##_##subject},
    SUBJECTS(X)
#undef X
};
enum { SUBJECT_COUNT = sizeof subjects / sizeof subjects[0] };

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 3 && i < SUBJECT_COUNT; i++) {
        if (strcmp(argv[1], subjects[i].port) == 0 && strcmp(argv[2], subjects[i].subject) == 0) {
            return subjects[i].run() != 0;
        }
    }
    fprintf(stderr, "usage: murphy-conformance PORT SUBJECT, as in\n");
    for (size_t i = 0; i < SUBJECT_COUNT; i++) {
        fprintf(stderr, "  %-10s %-11s %s\n", subjects[i].port, subjects[i].subject,
                subjects[i].about);
    }
    return 64;
}
