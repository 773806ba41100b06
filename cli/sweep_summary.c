#include "cli/sweep_summary.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "cli/murphy.h"
#include "cli/sweep_matrix.h"
#include "cli/sweep_notes.h"
#include "reports/format.h"
#include "reports/sweep_html.h"
#include "sim/sqlite_host.h"

struct totals {
    const char *scenario;
    int64_t runs, passed, failed, slo, error;
    int64_t wall_ns;
};

#define TOTALS                                                                                     \
    "count(*), coalesce(sum(verdict = 'pass'), 0), coalesce(sum(verdict = 'fail'), 0), "           \
    "coalesce(sum(verdict = 'slo'), 0), coalesce(sum(verdict = 'error'), 0), "                     \
    "coalesce(sum(wall_ns), 0)"

#define NOT_HELD "WHERE verdict <> 'pass' ORDER BY scenario, seed"

static int prepare(struct sweep_store *store, const char *sql, sqlite3_stmt **out) {
    return sqlite_host_prepare(store->db, sql, out) == SQLITE_OK
               ? 0
               : sweep_store_fail(store, -1, "the results cannot be read");
}

static int finish(struct sweep_store *store, sqlite3_stmt *statement, int step) {
    int failed =
        step == SQLITE_DONE ? 0 : sweep_store_fail(store, -1, "the results cannot be read");
    sqlite3_finalize(statement);
    return failed;
}

static struct totals totals_of(sqlite3_stmt *s) {
    return (struct totals){(const char *)sqlite3_column_text(s, 0),
                           sqlite3_column_int64(s, 1),
                           sqlite3_column_int64(s, 2),
                           sqlite3_column_int64(s, 3),
                           sqlite3_column_int64(s, 4),
                           sqlite3_column_int64(s, 5),
                           sqlite3_column_int64(s, 6)};
}

static double per_second(int64_t runs, int64_t ns) {
    return ns > 0 ? (double)runs * 1e9 / (double)ns : 0.0;
}

int64_t sweep_summary_missing(struct sweep_store *store) {
    /* Ranges may overlap: each counts what it lacks, so a run may be missed twice; 0 is exact. */
    const char *sql =
        "SELECT coalesce(sum(a.seed_to - a.seed_from + 1 - (SELECT count(*) FROM run r "
        "WHERE r.scenario = a.scenario AND r.bug = a.bug AND r.seed BETWEEN a.seed_from AND "
        "a.seed_to)), 0) "
        "FROM (SELECT DISTINCT scenario, bug, seed_from, seed_to FROM asked) a";
    sqlite3_stmt *s;
    if (prepare(store, sql, &s) != 0) {
        return -1;
    }
    int step = sqlite3_step(s);
    int64_t missing = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    return finish(store, s, step == SQLITE_ROW ? SQLITE_DONE : step) != 0 ? -1 : missing;
}

static int read_all_totals(struct sweep_store *store, struct totals *all) {
    sqlite3_stmt *s;
    if (prepare(store, "SELECT NULL, " TOTALS " FROM run", &s) != 0) {
        return -1;
    }
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        *all = totals_of(s);
        step = SQLITE_DONE;
    }
    return finish(store, s, step);
}

static int exit_status_of(const struct totals *all) {
    return all->failed > 0  ? EXIT_CHECK_FAILED
           : all->error > 0 ? EXIT_INTERNAL
           : all->slo > 0   ? EXIT_SLO_FAILED
                            : EXIT_HELD;
}

/* ---- Text ---- */

static void line(FILE *out, const struct totals *t, const char *name, double rate) {
    fprintf(out, "%-31s %7" PRId64 " %7" PRId64 " %6" PRId64 " %6" PRId64 " %6" PRId64 " %8.2f\n",
            name, t->runs, t->passed, t->failed, t->slo, t->error, rate);
}

static int write_failures(struct sweep_store *store, FILE *out) {
    sqlite3_stmt *s;
    if (prepare(store, "SELECT " SWEEP_ROW_COLUMNS " FROM run " NOT_HELD, &s) != 0) {
        return -1;
    }
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        struct sweep_row row;
        sweep_row_read(s, &row);
        fprintf(out, "\n%-5s %s, seed %" PRIu64 ": %s\n      %s\n",
                run_verdict_name(row.outcome.verdict), row.scenario, row.seed, row.outcome.cause,
                row.reproduce);
        sweep_notes_drawn(&row, out);
    }
    return finish(store, s, step);
}

static int write_text(struct sweep_store *store, const struct sweep_closing *c,
                      const struct totals *all, const struct sweep_matrix *matrix, FILE *out) {
    sqlite3_stmt *s;
    if (prepare(store, "SELECT scenario, " TOTALS " FROM run GROUP BY scenario", &s) != 0) {
        return -1;
    }
    fprintf(out, "%-31s %7s %7s %6s %6s %6s %8s\n", "scenario", "runs", "passed", "failed", "slo",
            "error", "seeds/s");
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        struct totals t = totals_of(s);
        line(out, &t, t.scenario, per_second(t.runs, t.wall_ns));
    }
    line(out, all, "all", per_second(all->runs, all->wall_ns));
    if (finish(store, s, step) != 0 || write_failures(store, out) != 0) {
        return -1;
    }
    sweep_matrix_print(matrix, out);
    if (sweep_notes_print(store, out) != 0) {
        return -1;
    }
    fputs("\nseeds/s are those of one process", out);
    if (c->played > 0 && c->elapsed_ns > 0) {
        fprintf(out, "; %s runs in %s with %u at once, %.2f/s", format_count(c->played).text,
                format_duration(c->elapsed_ns).text, c->jobs,
                per_second((int64_t)c->played, c->elapsed_ns));
    }
    if (c->before > 0) {
        fprintf(out, "; %s were there before", format_count(c->before).text);
    }
    fputs("\n", out);
    if (c->missing > 0) {
        fprintf(out, "%s: %s runs that were asked for are missing\n",
                c->interrupted ? "interrupted" : "not whole",
                format_count((uint64_t)c->missing).text);
    }
    return 0;
}

/* ---- JSON ---- */

static json_t *counts(const struct totals *t) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "runs", (json_int_t)t->runs, "passed",
                     (json_int_t)t->passed, "failed", (json_int_t)t->failed, "slo",
                     (json_int_t)t->slo, "error", (json_int_t)t->error, "process_seconds",
                     (double)t->wall_ns / 1e9, "seeds_per_second", per_second(t->runs, t->wall_ns));
}

static json_t *scenarios_array(struct sweep_store *store) {
    sqlite3_stmt *s;
    json_t *array = json_array();
    if (prepare(store, "SELECT scenario, " TOTALS " FROM run GROUP BY scenario", &s) != 0) {
        json_decref(array);
        return NULL;
    }
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        struct totals t = totals_of(s);
        json_t *row = json_pack("{s:s}", "name", t.scenario);
        json_object_update_new(row, counts(&t));
        if (json_array_append_new(array, row) != 0) {
            step = SQLITE_NOMEM;
            break;
        }
    }
    if (finish(store, s, step) != 0) {
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *failure(const struct sweep_row *row) {
    const struct sweep_outcome *o = &row->outcome;
    return json_pack(
        "{s:s, s:I, s:s, s:s*, s:s, s:s, s:s, s:o, s:o, s:o}", "scenario", row->scenario, "seed",
        (json_int_t)row->seed, "verdict", run_verdict_name(o->verdict), "trace_hash",
        o->trace_hash[0] == '\0' ? NULL : o->trace_hash, "cause", o->cause, "error", o->error,
        "reproduce", row->reproduce, "checks", json_loads(o->failed_checks, 0, NULL), "objectives",
        json_loads(o->breached, 0, NULL), "drawn", json_loads(o->drawn, 0, NULL));
}

static json_t *failures_array(struct sweep_store *store) {
    sqlite3_stmt *s;
    json_t *array = json_array();
    if (prepare(store, "SELECT " SWEEP_ROW_COLUMNS " FROM run " NOT_HELD, &s) != 0) {
        json_decref(array);
        return NULL;
    }
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        struct sweep_row row;
        sweep_row_read(s, &row);
        if (json_array_append_new(array, failure(&row)) != 0) {
            step = SQLITE_NOMEM;
            break;
        }
    }
    if (finish(store, s, step) != 0) {
        json_decref(array);
        return NULL;
    }
    return array;
}

/* Kinds that a swarm of all faults does without and that struck in no other run, with the reason.
 */
static json_t *left_out(const struct sweep_matrix *matrix) {
    json_t *kinds = json_object();
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        const struct fault_about *about = &fault_table()[kind];
        if (about->no_swarm[0] != '\0' && !sweep_matrix_struck(matrix, kind)) {
            json_object_set_new(kinds, about->name, json_string(about->no_swarm));
        }
    }
    return kinds;
}

/* NULL with the store's error. */
static json_t *document_of(struct sweep_store *store, const struct sweep_closing *c,
                           const struct totals *all, const struct sweep_matrix *matrix) {
    static const char *const verdicts[] = {[EXIT_HELD] = "pass",
                                           [EXIT_CHECK_FAILED] = "fail",
                                           [EXIT_SLO_FAILED] = "slo",
                                           [EXIT_INTERNAL] = "error"};
    json_t *document =
        json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:f}", "murphy", MURPHY_VERSION, "verdict",
                  verdicts[exit_status_of(all)], "complete", c->missing == 0, "interrupted",
                  c->interrupted, "missing", (json_int_t)c->missing, "before",
                  (json_int_t)c->before, "elapsed_seconds", (double)c->elapsed_ns / 1e9);
    int failed = json_object_update_new(document, counts(all));
    failed |= json_object_set_new(document, "scenarios", scenarios_array(store));
    failed |= json_object_set_new(document, "failures", failures_array(store));
    failed |= json_object_set_new(document, "coverage", sweep_matrix_json(matrix));
    failed |= json_object_set_new(document, "left_out", left_out(matrix));
    failed |= json_object_set_new(document, "drawn", sweep_notes_json(store, SWEEP_DRAWN));
    failed |= json_object_set_new(document, "allowances", sweep_notes_json(store, SWEEP_ALLOWED));
    if (failed == 0) {
        return document;
    }
    if (store->error[0] == '\0') {
        snprintf(store->error, sizeof store->error, "out of memory");
    }
    json_decref(document);
    return NULL;
}

/* The document on `out`, where it is asked for, and the page of the folder. */
static int write_document(struct sweep_store *store, const struct sweep_closing *c,
                          const struct totals *all, const struct sweep_matrix *matrix, FILE *out) {
    if (!c->json && c->page[0] == '\0') {
        return 0;
    }
    json_t *document = document_of(store, c, all, matrix);
    if (document == NULL) {
        return -1;
    }
    int failed = 0;
    if (c->json) {
        failed = json_dumpf(document, out, JSON_INDENT(2));
        fputc('\n', out);
    }
    struct report_error error;
    if (failed == 0 && c->page[0] != '\0' && sweep_html_save(document, c->page, &error) != 0) {
        snprintf(store->error, sizeof store->error, "%s", error.text);
        failed = -1;
    }
    json_decref(document);
    return failed != 0 ? -1 : 0;
}

int sweep_summary_write(struct sweep_store *store, const struct sweep_closing *closing, FILE *out) {
    struct totals all = {0};
    struct sweep_matrix matrix;
    if (read_all_totals(store, &all) != 0 || sweep_matrix_read(store, &matrix) != 0 ||
        (!closing->json && write_text(store, closing, &all, &matrix, out) != 0) ||
        write_document(store, closing, &all, &matrix, out) != 0) {
        return EXIT_INTERNAL;
    }
    int status = exit_status_of(&all);
    bool covered = closing->cover_ppm == 0 ||
                   sweep_matrix_holds(&matrix, closing->cover_ppm, closing->json ? stderr : out);
    return covered ? status : EXIT_CHECK_FAILED;
}
