/* The processor clock of a thread is POSIX. */
#define _POSIX_C_SOURCE 200809L

#include "bench/bench.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void bench_report(const char *name, double value, const char *unit, double peer_value,
                  const char *peer) {
    printf("{\"name\": \"%s\", \"value\": %.0f, \"unit\": \"%s\", ", name, value, unit);
    if (peer == NULL) {
        printf("\"peer\": null, \"ratio\": null}\n");
    } else {
        assert(peer_value > 0);
        printf("\"peer\": {\"name\": \"%s\", \"value\": %.0f}, \"ratio\": %.3f}\n", peer,
               peer_value, value / peer_value);
    }
    fflush(stdout);
}

double bench_cpu_seconds(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) {
        perror("clock_gettime");
        exit(70);
    }
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count) {
    assert(count > 0);
    qsort(values, count, sizeof *values, compare_doubles);
    size_t middle = count / 2;
    return count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}
