/*
 * Inside `murphy tune`: what it was asked, what it measured, and how that is shown.
 *
 * Times are wall time of one thread of this machine; recall is the same everywhere.
 */
#ifndef MURPHY_CLI_TUNE_H
#define MURPHY_CLI_TUNE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/vector_math.h"
#include "sim/vector_rows.h"

#define TUNE_GRID_MAX 16

struct tune_axis {
    uint32_t values[TUNE_GRID_MAX];
    size_t count;
};

struct tune_request {
    /* generated vectors */
    size_t count;
    size_t dim;
    size_t clusters;
    size_t query_count;
    /* or files */
    const char *base;
    const char *queries;

    enum vector_metric metric;
    uint64_t seed;
    uint32_t k;
    uint32_t deleted_percent; /* rows removed after building */
    uint32_t accept_percent;  /* rows that the filter of each search lets pass; 100: no filter */
    double objective;         /* recall@k */
    struct tune_axis m, ef_construction, ef;
    bool json;
    const char *out; /* SVG; NULL: none */
};

struct tune_point {
    uint32_t m, ef_construction, ef;
    double recall;
    double queries_per_second;
    double latency_p50_us, latency_p95_us;
    double build_vectors_per_second;
};

struct tune_result {
    const struct tune_request *request;
    struct vector_rows base, queries;
    size_t base_count, query_count;
    struct tune_point *points; /* by m, then efConstruction, then ef */
    size_t point_count;
    const struct tune_point *chosen; /* NULL: none reaches the objective */
};

/* Set by Ctrl-C; whatever takes long looks at it every few milliseconds. */
extern volatile sig_atomic_t tune_interrupted;

/* Reads or generates the vectors, measures every point and chooses. Returns an exit status, having
 * said on stderr what went wrong; *result is to be released in any case. */
int tune_measure(const struct tune_request *request, struct tune_result *result);
void tune_release(struct tune_result *result);

void tune_print_text(const struct tune_result *result, FILE *out);
/* False when memory ran out. */
bool tune_print_json(const struct tune_result *result, FILE *out);

/*
 * The SVG is drawn by gnuplot. tune_svg_begin finds out whether it can be, before the time is spent
 * on measuring. Both say on stderr why not, and return an exit status. The file appears whole or
 * not at all.
 */
int tune_svg_begin(const char *path);
int tune_svg_write(const struct tune_result *result, const char *path);

#endif
