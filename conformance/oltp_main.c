/*
 * Runs the conformance suite of the OLTP port: `oltp fake` or `oltp postgres`, the latter on the
 * server that the environment names. Both must pass every test of conformance/oltp_suite.c.
 */
#include <stdio.h>
#include <string.h>

#include "conformance/oltp_suite.h"

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "fake") == 0) {
        return oltp_suite_run("oltp: the fake", oltp_subject_fake) != 0;
    }
    if (argc == 2 && strcmp(argv[1], "postgres") == 0) {
        return oltp_suite_run("oltp: PostgreSQL", oltp_subject_postgres) != 0;
    }
    fprintf(stderr, "usage: oltp fake|postgres\n");
    return 64;
}
