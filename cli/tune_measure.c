#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/murphy.h"
#include "cli/tune.h"
#include "sim/hnsw.h"
#include "sim/prng.h"
#include "sim/vector_clusters.h"
#include "sim/vector_files.h"
#include "sim/vector_search.h"

/* Generated vectors as wide about their centres as makes the choice of a point worth while. */
#define LATENT 32
#define SPREAD 1.0f

/* A point is measured for so long, in whole passes over the queries. */
#define POINT_SECONDS_MIN 0.15
#define PASSES_MAX 50

static double now_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int failed(const char *text) {
    fprintf(stderr, "murphy tune: %s\n", text);
    return EXIT_INTERNAL;
}

/* --- progress --- */

struct progress {
    double began, shown;
    bool terminal, any;
};

static void progress_begin(struct progress *p) {
    *p = (struct progress){.began = now_seconds(), .terminal = isatty(STDERR_FILENO) == 1};
}

/* From the first second on: on a terminal one line in place, elsewhere a line every few seconds. */
static void progress_show(struct progress *p, const char *phase, size_t done, size_t total) {
    double now = now_seconds();
    if (now - p->began < 1 || now - p->shown < (p->terminal ? 0.2 : 5)) {
        return;
    }
    p->shown = now;
    p->any = true;
    fprintf(stderr, "%s%s: %zu %%, %.1f s%s", p->terminal ? "\r\033[K" : "", phase,
            total > 0 ? done * 100 / total : 100, now - p->began, p->terminal ? "" : "\n");
    fflush(stderr);
}

static void progress_end(struct progress *p) {
    if (p->terminal && p->any) {
        fputs("\r\033[K", stderr);
    }
}

/* --- vectors --- */

struct tuner {
    const struct tune_request *request;
    struct tune_result *result;
    struct progress progress;
    struct vector_hit *truth; /* k for each query */
    int64_t *truth_counts;
    double *latencies;
    struct vector_hit *hits; /* k */
};

static bool reading_goes_on(void *ctx, size_t rows_read) {
    struct tuner *t = ctx;
    char phase[64];
    snprintf(phase, sizeof phase, "reading row %zu", rows_read);
    progress_show(&t->progress, phase, 0, 1);
    return tune_interrupted == 0;
}

/* The exit status for what fvecs_read returned. */
static int read_status(int rc, const struct vector_file_error *error) {
    if (rc == 0) {
        return EXIT_HELD;
    }
    if (rc == -EINTR || (rc != 0 && tune_interrupted != 0)) {
        return EXIT_INTERRUPTED;
    }
    fprintf(stderr, "murphy tune: %s\n", error->text);
    return rc == -ENOMEM ? EXIT_INTERNAL : EXIT_INPUT;
}

static int read_vectors(struct tuner *t) {
    struct vector_file_error error;
    struct tune_result *r = t->result;
    int rc = fvecs_read(t->request->base, 0, &r->base, &r->base_count, reading_goes_on, t, &error);
    if (rc == 0) {
        rc = fvecs_read(t->request->queries, r->base.dim, &r->queries, &r->query_count,
                        reading_goes_on, t, &error);
    }
    return read_status(rc, &error);
}

static int draw_rows(struct tuner *t, struct vector_clusters *c, struct vector_rows *rows,
                     size_t count) {
    if (vector_rows_reserve(rows, count) != 0) {
        return failed("no memory for so many vectors");
    }
    for (size_t i = 0; i < count && tune_interrupted == 0; i++) {
        vector_clusters_draw(c, vector_rows_at(rows, i));
        if (i % 64 == 0) {
            progress_show(&t->progress, "generating vectors", i, count);
        }
    }
    return EXIT_HELD;
}

static int generate_vectors(struct tuner *t) {
    const struct tune_request *request = t->request;
    struct tune_result *r = t->result;
    struct vector_clusters c;
    struct vector_clusters_options options = {
        .seed = request->seed,
        .dim = request->dim,
        .clusters = request->clusters,
        .latent = request->dim < LATENT ? request->dim : LATENT,
        .spread = SPREAD,
    };
    if (vector_clusters_init(&c, &options) != 0) {
        return failed("no memory for so many clusters");
    }
    vector_rows_init(&r->base, request->dim);
    vector_rows_init(&r->queries, request->dim);
    r->base_count = request->count;
    r->query_count = request->query_count;
    int status = draw_rows(t, &c, &r->base, r->base_count);
    if (status == EXIT_HELD) {
        status = draw_rows(t, &c, &r->queries, r->query_count);
    }
    vector_clusters_release(&c);
    return status;
}

static void normalise_rows(struct vector_rows *rows, size_t count) {
    for (size_t i = 0; i < count && tune_interrupted == 0; i++) {
        vector_normalise(vector_rows_at(rows, i), rows->dim, vector_rows_at(rows, i));
    }
}

/* Memory handed out but not there ends in the kernel's killing the process. */
static int check_memory(const struct tune_request *request) {
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_size = sysconf(_SC_PAGESIZE);
    double have = (double)pages * (double)page_size;
    /* The vectors, the index's copy of them while it grows, and the links. */
    double links = 12.0 * 2 * request->m.values[request->m.count - 1];
    double need = (double)request->count * ((double)request->dim * 4 * 2 + links) +
                  (double)request->query_count * (double)request->dim * 4;
    if (request->base != NULL || pages <= 0 || page_size <= 0 || need < 0.9 * have) {
        return EXIT_HELD;
    }
    fprintf(stderr, "murphy tune: this takes about %.0f GB of memory, and the machine has %.0f\n",
            need / 1e9, have / 1e9);
    return EXIT_USAGE;
}

static int get_vectors(struct tuner *t) {
    int status = check_memory(t->request);
    if (status != EXIT_HELD) {
        return status;
    }
    status = t->request->base != NULL ? read_vectors(t) : generate_vectors(t);
    if (status == EXIT_HELD && t->request->metric == VECTOR_COSINE) {
        normalise_rows(&t->result->base, t->result->base_count);
        normalise_rows(&t->result->queries, t->result->query_count);
    }
    return status;
}

/* --- what is right --- */

/* Which rows are removed, and which the filter lets pass: by hash of the id, independently. */
static uint32_t percent_of(uint32_t id, uint64_t salt) {
    uint64_t x = (id + salt) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)((x >> 32) % 100);
}

static bool is_deleted(const struct tune_request *r, uint32_t id) {
    return percent_of(id, 1) < r->deleted_percent;
}

static bool passes_filter(void *ctx, uint32_t id) {
    const struct tune_request *r = ctx;
    return percent_of(id, UINT64_C(1) << 40) < r->accept_percent;
}

static bool is_right(void *ctx, uint32_t id) {
    const struct tune_request *r = ctx;
    return !is_deleted(r, id) && passes_filter(ctx, id);
}

static int find_truth(struct tuner *t) {
    const struct tune_result *r = t->result;
    size_t k = t->request->k;
    for (size_t q = 0; q < r->query_count && tune_interrupted == 0; q++) {
        progress_show(&t->progress, "exact search", q, r->query_count);
        t->truth_counts[q] = vector_search_exact(t->request->metric, &r->base, NULL, r->base_count,
                                                 vector_rows_at(&r->queries, q), k, is_right,
                                                 (void *)t->request, t->truth + q * k);
        if (t->truth_counts[q] < 0) {
            return failed("out of memory");
        }
    }
    return EXIT_HELD;
}

/* --- points --- */

static int build(struct tuner *t, struct hnsw *h, struct tune_point *point, const char *phase) {
    const struct tune_result *r = t->result;
    double began = now_seconds();
    size_t i = 0;
    for (; i < r->base_count && tune_interrupted == 0; i++) {
        if (hnsw_put(h, (uint32_t)i, vector_rows_at(&r->base, i)) != 0) {
            return failed("out of memory");
        }
        if (i % 16 == 0) {
            progress_show(&t->progress, phase, i, r->base_count);
        }
    }
    point->build_vectors_per_second = (double)i / (now_seconds() - began);
    for (uint32_t id = 0; id < r->base_count && tune_interrupted == 0; id++) {
        if (is_deleted(t->request, id)) {
            (void)hnsw_remove(h, id);
        }
    }
    return EXIT_HELD;
}

static int64_t search(struct tuner *t, struct hnsw *h, size_t q, uint32_t ef) {
    return hnsw_search(h, vector_rows_at(&t->result->queries, q), t->request->k, ef,
                       t->request->accept_percent < 100 ? passes_filter : NULL, (void *)t->request,
                       t->hits);
}

/* Also warms up what the timed passes use. */
static int measure_recall(struct tuner *t, struct hnsw *h, struct tune_point *point) {
    size_t shared = 0;
    size_t wanted = 0;
    for (size_t q = 0; q < t->result->query_count && tune_interrupted == 0; q++) {
        int64_t count = search(t, h, q, point->ef);
        if (count < 0) {
            return failed("out of memory");
        }
        size_t right = (size_t)t->truth_counts[q];
        if (right > 0) {
            shared +=
                vector_hits_shared(t->hits, (size_t)count, t->truth + q * t->request->k, right);
        }
        wanted += right;
    }
    point->recall = wanted > 0 ? (double)shared / (double)wanted : 1;
    return EXIT_HELD;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const double *sorted, size_t count, size_t percent) {
    size_t rank = (count * percent + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

static void measure_speed(struct tuner *t, struct hnsw *h, struct tune_point *point) {
    size_t queries = t->result->query_count;
    size_t count = 0;
    double spent = 0;
    for (size_t pass = 0; pass < PASSES_MAX && spent < POINT_SECONDS_MIN; pass++) {
        for (size_t q = 0; q < queries && tune_interrupted == 0; q++) {
            double began = now_seconds();
            (void)search(t, h, q, point->ef);
            t->latencies[count] = now_seconds() - began;
            spent += t->latencies[count++];
        }
        if (tune_interrupted != 0) {
            return;
        }
    }
    qsort(t->latencies, count, sizeof *t->latencies, compare_doubles);
    point->queries_per_second = (double)count / spent;
    point->latency_p50_us = 1e6 * percentile(t->latencies, count, 50);
    point->latency_p95_us = 1e6 * percentile(t->latencies, count, 95);
}

static int measure_graph(struct tuner *t, size_t graph, uint32_t m, uint32_t ef_construction) {
    const struct tune_request *request = t->request;
    struct hnsw_options options = {
        .metric = request->metric,
        .dim = (uint32_t)t->result->base.dim,
        .m = m,
        .ef_construction = ef_construction,
        .seed = request->seed,
        .rows_expected = t->result->base_count,
    };
    char phase[96];
    snprintf(phase, sizeof phase, "graph %zu of %zu (M %" PRIu32 ", efConstruction %" PRIu32 ")",
             graph + 1, request->m.count * request->ef_construction.count, m, ef_construction);
    struct hnsw *h;
    if (hnsw_new(&options, &h) != 0) {
        return failed("out of memory");
    }
    struct tune_point point = {.m = m, .ef_construction = ef_construction};
    int status = build(t, h, &point, phase);
    for (size_t i = 0; status == EXIT_HELD && tune_interrupted == 0 && i < request->ef.count; i++) {
        progress_show(&t->progress, phase, 1, 1);
        point.ef = request->ef.values[i];
        status = measure_recall(t, h, &point);
        if (status == EXIT_HELD) {
            measure_speed(t, h, &point);
            t->result->points[t->result->point_count++] = point;
        }
    }
    hnsw_free(h);
    return status;
}

static int measure_grid(struct tuner *t) {
    const struct tune_axis *m = &t->request->m;
    const struct tune_axis *ef_construction = &t->request->ef_construction;
    int status = EXIT_HELD;
    size_t graph = 0;
    for (size_t i = 0; i < m->count; i++) {
        for (size_t j = 0; j < ef_construction->count; j++) {
            if (status == EXIT_HELD && tune_interrupted == 0) {
                status = measure_graph(t, graph++, m->values[i], ef_construction->values[j]);
            }
        }
    }
    return status;
}

static void choose(struct tune_result *r) {
    for (size_t i = 0; i < r->point_count; i++) {
        const struct tune_point *p = &r->points[i];
        if (p->recall >= r->request->objective &&
            (r->chosen == NULL || p->queries_per_second > r->chosen->queries_per_second)) {
            r->chosen = p;
        }
    }
}

static int get_room(struct tuner *t) {
    const struct tune_request *r = t->request;
    size_t queries = t->result->query_count;
    size_t points = r->m.count * r->ef_construction.count * r->ef.count;
    t->result->points = calloc(points, sizeof *t->result->points);
    t->truth = calloc(queries * r->k, sizeof *t->truth);
    t->truth_counts = calloc(queries, sizeof *t->truth_counts);
    t->latencies = calloc(queries * PASSES_MAX, sizeof *t->latencies);
    t->hits = calloc(r->k, sizeof *t->hits);
    bool all = t->result->points != NULL && t->truth != NULL && t->truth_counts != NULL &&
               t->latencies != NULL && t->hits != NULL;
    return all ? EXIT_HELD : failed("out of memory");
}

int tune_measure(const struct tune_request *request, struct tune_result *result) {
    *result = (struct tune_result){.request = request};
    struct tuner t = {.request = request, .result = result};
    progress_begin(&t.progress);
    int status = get_vectors(&t);
    if (status == EXIT_HELD) {
        status = get_room(&t);
    }
    if (status == EXIT_HELD) {
        status = find_truth(&t);
    }
    if (status == EXIT_HELD) {
        status = measure_grid(&t);
    }
    progress_end(&t.progress);
    choose(result);
    free(t.truth);
    free(t.truth_counts);
    free(t.latencies);
    free(t.hits);
    return status;
}

void tune_release(struct tune_result *result) {
    vector_rows_release(&result->base);
    vector_rows_release(&result->queries);
    free(result->points);
    result->points = NULL;
}
