/*
 * Runs the conformance suite of the state port: `state fake` or `state postgres`, the latter on the
 * server that the environment names. Both must pass every test of conformance/state_suite.c.
 */
#include <stdio.h>
#include <string.h>

#include "conformance/state_suite.h"

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "fake") == 0) {
        return state_suite_run("state: the fake", state_subject_fake) != 0;
    }
    if (argc == 2 && strcmp(argv[1], "postgres") == 0) {
        return state_suite_run("state: PostgreSQL", state_subject_postgres) != 0;
    }
    fprintf(stderr, "usage: state fake|postgres\n");
    return 64;
}
