#include "cli/sweep_matrix.h"

#include <inttypes.h>
#include <string.h>

#include "sim/sqlite_host.h"

int sweep_matrix_read(struct sweep_store *store, struct sweep_matrix *matrix) {
    static const char sql[] =
        "SELECT kind.key, state.key, count(*), sum(state.value) FROM run, "
        "json_each(run.coverage) AS kind, json_each(kind.value) AS state GROUP BY 1, 2";
    sqlite3_stmt *s;
    memset(matrix, 0, sizeof *matrix);
    if (sqlite_host_prepare(store->db, sql, &s) != SQLITE_OK) {
        return sweep_store_fail(store, -1, "the results cannot be read");
    }
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        int kind = fault_find((const char *)sqlite3_column_text(s, 0));
        int state = pipeline_state_find((const char *)sqlite3_column_text(s, 1));
        if (kind >= 0 && state >= 0) {
            matrix->runs[kind][state] = sqlite3_column_int64(s, 2);
            matrix->strikes[kind][state] = sqlite3_column_int64(s, 3);
            matrix->any += matrix->runs[kind][state];
        }
    }
    int failed =
        step == SQLITE_DONE ? 0 : sweep_store_fail(store, -1, "the results cannot be read");
    sqlite3_finalize(s);
    return failed;
}

/* ---- Text ---- */

bool sweep_matrix_struck(const struct sweep_matrix *m, int kind) {
    for (int state = 0; state < PIPELINE_STATE_COUNT; state++) {
        if (m->runs[kind][state] > 0) {
            return true;
        }
    }
    return false;
}

/* Columns of a cell: as wide as the greatest number needs, so that small sweeps fit 80 columns. */
static int cell_width(const struct sweep_matrix *m) {
    int64_t most = 0;
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        for (int state = 0; state < PIPELINE_STATE_COUNT; state++) {
            most = m->runs[kind][state] > most ? m->runs[kind][state] : most;
        }
    }
    int width = 2;
    for (int64_t limit = 100; limit <= most; limit *= 10) {
        width++;
    }
    return width;
}

static void print_row(const struct sweep_matrix *m, int kind, int width, FILE *out) {
    fprintf(out, "%-24s", fault_table()[kind].name);
    for (int state = 0; state < PIPELINE_STATE_COUNT; state++) {
        if (m->runs[kind][state] > 0) {
            fprintf(out, " %*" PRId64, width, m->runs[kind][state]);
        } else {
            bool impossible = pipeline_state_impossible(kind, state) != NULL;
            fprintf(out, " %*s", width, impossible ? "-" : ".");
        }
    }
    fputs("\n", out);
}

void sweep_matrix_print(const struct sweep_matrix *m, FILE *out) {
    if (m->any == 0) {
        return;
    }
    int width = cell_width(m);
    fputs("\nRuns in which a fault struck in a state of the pipeline (. never, - impossible)\n",
          out);
    fprintf(out, "%-24s", "");
    for (int state = 0; state < PIPELINE_STATE_COUNT; state++) {
        fprintf(out, " %*d", width, state + 1);
    }
    fputs("\n", out);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        if (sweep_matrix_struck(m, kind)) {
            print_row(m, kind, width, out);
        }
    }
    for (int state = 0; state < PIPELINE_STATE_COUNT; state++) {
        bool last = state % 4 == 3 || state + 1 == PIPELINE_STATE_COUNT;
        fprintf(out, "%2d %-*s%s", state + 1, last ? 0 : 17, pipeline_state_table()[state].name,
                last ? "\n" : "");
    }
}

/* ---- JSON ---- */

json_t *sweep_matrix_json(const struct sweep_matrix *m) {
    json_t *kinds = json_object();
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        json_t *states = json_object();
        for (int state = 0; state < PIPELINE_STATE_COUNT; state++) {
            const char *impossible = pipeline_state_impossible(kind, state);
            json_t *cell =
                json_pack("{s:I, s:I, s:s*}", "runs", (json_int_t)m->runs[kind][state], "strikes",
                          (json_int_t)m->strikes[kind][state], "impossible", impossible);
            json_object_set_new(states, pipeline_state_table()[state].name, cell);
        }
        if (sweep_matrix_struck(m, kind)) {
            json_object_set(kinds, fault_table()[kind].name, states);
        }
        json_decref(states);
    }
    return kinds;
}

/* ---- The gate ---- */

/* A swarm has the kind, or some other run did. */
static bool counts(const struct sweep_matrix *m, int kind) {
    return fault_table()[kind].no_swarm[0] == '\0' || sweep_matrix_struck(m, kind);
}

bool sweep_matrix_holds(const struct sweep_matrix *m, uint32_t cover_ppm, FILE *out) {
    uint64_t cells = 0, reached = 0, contradicted = 0;
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        for (int state = 0; counts(m, kind) && state < PIPELINE_STATE_COUNT; state++) {
            const char *impossible = pipeline_state_impossible(kind, state);
            const char *name = pipeline_state_table()[state].name;
            bool seen = m->runs[kind][state] > 0;
            cells += impossible == NULL;
            reached += impossible == NULL && seen;
            contradicted += impossible != NULL && seen;
            if (impossible == NULL && !seen) {
                fprintf(out, "never reached: %s while %s\n", fault_table()[kind].name, name);
            } else if (impossible != NULL && seen) {
                fprintf(out, "reached, and declared impossible: %s while %s (%s)\n",
                        fault_table()[kind].name, name, impossible);
            }
        }
    }
    fprintf(out, "%" PRIu64 " of %" PRIu64 " cells of fault and state were reached\n", reached,
            cells);
    return contradicted == 0 && reached * 1000000 >= cells * cover_ppm;
}
