/*
 * `murphy-bench [NAME...]` runs all benchmarks or those named. Exit status: 0 all measured, 1 one
 * could not be measured, 64 an unknown name.
 */
#include "bench/bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(void);
} benches[] = {
    {"queue_hold_10000", bench_queue_hold},
    {"hnsw", bench_hnsw},
    {"pipeline", bench_pipeline},
};

#define BENCH_COUNT (sizeof benches / sizeof benches[0])

static bool is_known(const char *name) {
    for (size_t i = 0; i < BENCH_COUNT; i++) {
        if (strcmp(name, benches[i].name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const char *name, char **wanted, int count) {
    for (int i = 0; i < count; i++) {
        if (strcmp(name, wanted[i]) == 0) {
            return true;
        }
    }
    return count == 0;
}

/* Every name is looked up first: a slip of the pen costs no minute of measuring. */
static bool names_are_known(char **names, int count) {
    for (int i = 0; i < count; i++) {
        if (is_known(names[i])) {
            continue;
        }
        fprintf(stderr, "murphy-bench: there is no benchmark '%s'; there are:", names[i]);
        for (size_t b = 0; b < BENCH_COUNT; b++) {
            fprintf(stderr, " %s", benches[b].name);
        }
        fputc('\n', stderr);
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    if (!names_are_known(argv + 1, argc - 1)) {
        return 64;
    }
    int status = 0;
    for (size_t i = 0; i < BENCH_COUNT; i++) {
        if (is_wanted(benches[i].name, argv + 1, argc - 1) && benches[i].run() != 0) {
            status = 1;
        }
    }
    return status;
}
