#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "cli/murphy.h"
#include "cli/tune.h"

/* --- the table --- */

/* "21,117": so many are easier to compare at a glance. */
static const char *with_commas(double value, char out[32]) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%.0f", value);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[used++] = ',';
        }
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

static void print_heading(const struct tune_result *r, FILE *out) {
    const struct tune_request *q = r->request;
    char count[32];
    char queries[32];
    with_commas((double)r->base_count, count);
    with_commas((double)r->query_count, queries);
    if (q->base != NULL) {
        fprintf(out, "%s: %s vectors of %zu\n", q->base, count, r->base.dim);
        fprintf(out, "%s: %s queries", q->queries, queries);
    } else {
        fprintf(out, "%s generated vectors of %zu in %zu clusters, %s queries", count, r->base.dim,
                q->clusters, queries);
    }
    fprintf(out, ", k %" PRIu32 ", %s\n", q->k, vector_metric_name(q->metric));
    if (q->deleted_percent > 0 || q->accept_percent < 100) {
        fprintf(out, "%" PRIu32 " %% of the rows deleted, %" PRIu32 " %% accepted by the filter\n",
                q->deleted_percent, q->accept_percent);
    }
}

static void print_table(const struct tune_result *r, FILE *out) {
    fprintf(out,
            "\n   M  efConstruction    ef  recall@%-4" PRIu32
            " queries/s   p50 us   p95 us   built/s\n",
            r->request->k);
    const struct tune_point *before = NULL;
    for (size_t i = 0; i < r->point_count; i++) {
        const struct tune_point *p = &r->points[i];
        char rate[32];
        char built[32];
        if (before != NULL &&
            (before->m != p->m || before->ef_construction != p->ef_construction)) {
            fputc('\n', out);
        }
        before = p;
        fprintf(out, "%4" PRIu32 "  %14" PRIu32 " %5" PRIu32 "  %11.4f %10s %8.0f %8.0f %9s%s\n",
                p->m, p->ef_construction, p->ef, p->recall,
                with_commas(p->queries_per_second, rate), p->latency_p50_us, p->latency_p95_us,
                with_commas(p->build_vectors_per_second, built), p == r->chosen ? " *" : "");
    }
}

/* --- the plot: recall to the right in nines, speed upwards in doublings --- */

#define PLOT_COLUMNS 64
#define PLOT_ROWS 14
#define NINES_MAX 4.0

static double nines(double recall) {
    double missing = 1 - recall;
    return missing <= 1e-4 ? NINES_MAX : -log10(missing);
}

struct plot {
    char cells[PLOT_ROWS][PLOT_COLUMNS + 1];
    double nines_least;
    double rate_least, rate_most; /* log2 */
};

static int column_of(const struct plot *p, double recall) {
    double share = (nines(recall) - p->nines_least) / (NINES_MAX - p->nines_least);
    return share < 0 ? 0 : (int)(share * (PLOT_COLUMNS - 1) + 0.5);
}

static int row_of(const struct plot *p, double rate) {
    double share = (log2(rate) - p->rate_least) / (p->rate_most - p->rate_least);
    return PLOT_ROWS - 1 - (int)(share * (PLOT_ROWS - 1) + 0.5);
}

static void plot_begin(struct plot *p, const struct tune_result *r) {
    memset(p->cells, ' ', sizeof p->cells);
    p->nines_least = nines(r->request->objective);
    p->rate_least = INFINITY;
    p->rate_most = -INFINITY;
    for (size_t i = 0; i < r->point_count; i++) {
        p->nines_least = fmin(p->nines_least, nines(r->points[i].recall));
        p->rate_least = fmin(p->rate_least, log2(r->points[i].queries_per_second));
        p->rate_most = fmax(p->rate_most, log2(r->points[i].queries_per_second));
    }
    p->nines_least = fmin(p->nines_least, NINES_MAX - 1);
    p->rate_most = fmax(p->rate_most, p->rate_least + 1);
    for (int row = 0; row < PLOT_ROWS; row++) {
        p->cells[row][PLOT_COLUMNS] = '\0';
        p->cells[row][column_of(p, r->request->objective)] = ':';
    }
}

/* The graphs are named a, b, c, ... in the order of the table. */
static char graph_letter(size_t graph) {
    return graph < 26 ? (char)('a' + graph) : '+';
}

static void plot_points(struct plot *p, const struct tune_result *r) {
    for (size_t i = 0; i < r->point_count; i++) {
        const struct tune_point *point = &r->points[i];
        char *cell = &p->cells[row_of(p, point->queries_per_second)][column_of(p, point->recall)];
        *cell = graph_letter(i / r->request->ef.count);
    }
    if (r->chosen != NULL) {
        p->cells[row_of(p, r->chosen->queries_per_second)][column_of(p, r->chosen->recall)] = '*';
    }
}

static void print_scale(const struct plot *p, FILE *out) {
    static const struct {
        double recall;
        const char *text;
    } marks[] = {{0.5, "0.5"}, {0.8, "0.8"}, {0.9, "0.9"}, {0.99, "0.99"}, {0.999, "0.999"}};
    char line[PLOT_COLUMNS + 8];
    memset(line, ' ', sizeof line);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (nines(marks[i].recall) >= p->nines_least) {
            memcpy(line + column_of(p, marks[i].recall), marks[i].text, strlen(marks[i].text));
        }
    }
    line[PLOT_COLUMNS - 1] = '1';
    line[PLOT_COLUMNS] = '\0';
    fprintf(out, "%10s  %s\n", "recall", line);
}

static void print_plot(const struct tune_result *r, FILE *out) {
    struct plot p;
    plot_begin(&p, r);
    plot_points(&p, r);
    fputs("\n queries/s\n", out);
    for (int row = 0; row < PLOT_ROWS; row++) {
        char rate[32] = "";
        if (row % 4 == 0 || row == PLOT_ROWS - 1) {
            double share = (double)(PLOT_ROWS - 1 - row) / (PLOT_ROWS - 1);
            with_commas(exp2(p.rate_least + share * (p.rate_most - p.rate_least)), rate);
        }
        char *end = p.cells[row] + PLOT_COLUMNS;
        while (end > p.cells[row] && end[-1] == ' ') {
            *--end = '\0';
        }
        fprintf(out, "%10s |%s\n", rate, p.cells[row]);
    }
    print_scale(&p, out);
    fputs("\n  : the objective   * the point chosen\n", out);
    size_t graphs = r->point_count / r->request->ef.count;
    for (size_t g = 0; g < graphs; g++) {
        const struct tune_point *point = &r->points[g * r->request->ef.count];
        char text[64];
        snprintf(text, sizeof text, "%c M %" PRIu32 " efConstruction %" PRIu32, graph_letter(g),
                 point->m, point->ef_construction);
        bool last = g % 2 == 1 || g + 1 == graphs;
        fprintf(out, last ? "  %s\n" : "  %-36s", text);
    }
}

static const struct tune_point *best_recall(const struct tune_result *r) {
    const struct tune_point *best = &r->points[0];
    for (size_t i = 1; i < r->point_count; i++) {
        best = r->points[i].recall > best->recall ? &r->points[i] : best;
    }
    return best;
}

static void print_verdict(const struct tune_result *r, FILE *out) {
    const struct tune_point *p = r->chosen != NULL ? r->chosen : best_recall(r);
    char rate[32];
    if (r->chosen == NULL) {
        fprintf(out, "\nNo point reaches recall@%" PRIu32 " of %g. The best of %zu:\n",
                r->request->k, r->request->objective, r->point_count);
    } else {
        fprintf(out, "\nThe fastest of %zu points with recall@%" PRIu32 " of at least %g:\n",
                r->point_count, r->request->k, r->request->objective);
    }
    fprintf(out,
            "  M %" PRIu32 ", efConstruction %" PRIu32 ", ef %" PRIu32
            ": recall %.4f, %s queries/s, p95 %.0f us\n",
            p->m, p->ef_construction, p->ef, p->recall, with_commas(p->queries_per_second, rate),
            p->latency_p95_us);
    if (r->chosen == NULL) {
        fputs("Larger --ef or --m may reach it.\n", out);
    }
}

void tune_print_text(const struct tune_result *result, FILE *out) {
    print_heading(result, out);
    print_table(result, out);
    print_plot(result, out);
    print_verdict(result, out);
}

/* --- JSON --- */

static json_t *point_json(const struct tune_point *p) {
    return json_pack("{s:I, s:I, s:I, s:f, s:f, s:{s:f, s:f}, s:f}", "M", (json_int_t)p->m,
                     "efConstruction", (json_int_t)p->ef_construction, "ef", (json_int_t)p->ef,
                     "recall", p->recall, "queries_per_second", p->queries_per_second, "latency_us",
                     "p50", p->latency_p50_us, "p95", p->latency_p95_us, "build_vectors_per_second",
                     p->build_vectors_per_second);
}

/* A path need not be UTF-8; then its place is empty. */
static json_t *path_json(const char *path) {
    json_t *text = path == NULL ? NULL : json_string(path);
    return text != NULL ? text : json_null();
}

static json_t *data_json(const struct tune_result *r) {
    const struct tune_request *q = r->request;
    json_t *clusters = q->base == NULL ? json_integer((json_int_t)q->clusters) : json_null();
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:o, s:I, s:i, s:i}", "base", path_json(q->base),
                     "queries", path_json(q->queries), "count", (json_int_t)r->base_count, "dim",
                     (json_int_t)r->base.dim, "queries_count", (json_int_t)r->query_count,
                     "clusters", clusters, "seed", (json_int_t)q->seed, "deleted_percent",
                     (int)q->deleted_percent, "accept_percent", (int)q->accept_percent);
}

bool tune_print_json(const struct tune_result *result, FILE *out) {
    const struct tune_request *q = result->request;
    json_t *points = json_array();
    for (size_t i = 0; i < result->point_count; i++) {
        json_array_append_new(points, point_json(&result->points[i]));
    }
    json_t *chosen = result->chosen != NULL ? point_json(result->chosen) : json_null();
    json_t *all =
        json_pack("{s:s, s:o, s:s, s:i, s:f, s:o, s:o}", "murphy", MURPHY_VERSION, "data",
                  data_json(result), "metric", vector_metric_name(q->metric), "k", (int)q->k,
                  "objective", q->objective, "points", points, "chosen", chosen);
    bool good = all != NULL && json_dumpf(all, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0;
    if (good) {
        fputc('\n', out);
    }
    json_decref(all);
    return good;
}
