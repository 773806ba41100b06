/*
 * Runs the conformance suite of the log port: `log fake` or `log librdkafka`. Both must pass every
 * test of conformance/log_suite.c.
 */
#include <stdio.h>
#include <string.h>

#include "conformance/log_suite.h"

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "fake") == 0) {
        return log_suite_run("log: the fake", log_subject_fake) != 0;
    }
    if (argc == 2 && strcmp(argv[1], "librdkafka") == 0) {
        return log_suite_run("log: librdkafka and its mock brokers", log_subject_rdkafka) != 0;
    }
    fprintf(stderr, "usage: log fake|librdkafka\n");
    return 64;
}
