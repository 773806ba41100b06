/*
 * Runs the conformance suite of the vector port: `vectors fake` or `vectors postgres`, the latter
 * on the server that the environment names, which must have the extension vector. Both must pass
 * every test of conformance/vectors_suite.c.
 */
#include <stdio.h>
#include <string.h>

#include "conformance/vectors_suite.h"

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "fake") == 0) {
        return vectors_suite_run("vectors: the fake", vectors_subject_fake) != 0;
    }
    if (argc == 2 && strcmp(argv[1], "postgres") == 0) {
        return vectors_suite_run("vectors: PostgreSQL with pgvector", vectors_subject_postgres) !=
               0;
    }
    fprintf(stderr, "usage: vectors fake|postgres\n");
    return 64;
}
