/*
 * Runs the conformance suite of the warehouse port: `warehouse fake` or `warehouse postgres`, the
 * latter on the server that the environment names. Both must pass every test of
 * conformance/warehouse_suite.c.
 */
#include <stdio.h>
#include <string.h>

#include "conformance/warehouse_suite.h"

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "fake") == 0) {
        return warehouse_suite_run("warehouse: the fake", warehouse_subject_fake) != 0;
    }
    if (argc == 2 && strcmp(argv[1], "postgres") == 0) {
        return warehouse_suite_run("warehouse: PostgreSQL", warehouse_subject_postgres) != 0;
    }
    fprintf(stderr, "usage: warehouse fake|postgres\n");
    return 64;
}
