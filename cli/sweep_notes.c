#include "cli/sweep_notes.h"

#include <inttypes.h>
#include <string.h>

#include "sim/sqlite_host.h"

/* Of each: scenario, name, value, runs, and of these how many held or needed it. */
static const char *const queries[] = {
    [SWEEP_DRAWN] = "SELECT scenario, key, value, count(*), sum(verdict = 'pass') FROM run, "
                    "json_each(run.drawn) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    [SWEEP_ALLOWED] = "SELECT scenario, key, '', count(*), sum(value) FROM run, "
                      "json_each(run.allowed) WHERE bug = '' GROUP BY 1, 2 ORDER BY 1, 2",
};

struct row {
    const char *scenario, *name, *value;
    int64_t runs, counted;
};

static int read_rows(struct sweep_store *store, enum sweep_note note,
                     int (*take)(void *ctx, const struct row *row), void *ctx) {
    sqlite3_stmt *s;
    if (sqlite_host_prepare(store->db, queries[note], &s) != SQLITE_OK) {
        return sweep_store_fail(store, -1, "the results cannot be read");
    }
    int step, failed = 0;
    while (failed == 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct row row = {(const char *)sqlite3_column_text(s, 0),
                          (const char *)sqlite3_column_text(s, 1),
                          (const char *)sqlite3_column_text(s, 2), sqlite3_column_int64(s, 3),
                          sqlite3_column_int64(s, 4)};
        failed = take(ctx, &row);
    }
    failed = failed != 0 || step != SQLITE_DONE
                 ? sweep_store_fail(store, -1, "the results cannot be read")
                 : 0;
    sqlite3_finalize(s);
    return failed;
}

/* ---- Text ---- */

void sweep_notes_drawn(const struct sweep_row *row, FILE *out) {
    json_t *drawn = json_loads(row->outcome.drawn, 0, NULL);
    const char *key, *before = "      drew ";
    json_t *value;
    json_object_foreach(drawn, key, value) {
        fprintf(out, "%s%s %s", before, key, json_string_value(value));
        before = ", ";
    }
    fputs(json_object_size(drawn) == 0 ? "" : "\n", out);
    json_decref(drawn);
}

struct printing {
    FILE *out;
    char last[300]; /* setting of a scenario whose line is not over */
    bool any;
};

static int print_drawn(void *ctx, const struct row *row) {
    struct printing *p = ctx;
    char setting[sizeof p->last];
    snprintf(setting, sizeof setting, "%s, %s", row->scenario, row->name);
    bool first = strcmp(setting, p->last) != 0;
    if (first) {
        fprintf(p->out, "%s%s:", p->any ? "\n" : "\nRuns by what their seeds drew\n", setting);
        strcpy(p->last, setting);
    }
    fprintf(p->out, "%s %s %" PRId64, first ? "" : ",", row->value, row->runs);
    if (row->counted < row->runs) {
        fprintf(p->out, " (%" PRId64 " did not hold)", row->runs - row->counted);
    }
    p->any = true;
    return 0;
}

static int print_needless(void *ctx, const struct row *row) {
    struct printing *p = ctx;
    if (row->counted == 0 && row->runs >= SWEEP_NEEDLESS_RUNS) {
        fprintf(p->out, "%sneedless: %s: %s, in none of %" PRId64 " runs\n", p->any ? "" : "\n",
                row->scenario, row->name, row->runs);
        p->any = true;
    }
    return 0;
}

int sweep_notes_print(struct sweep_store *store, FILE *out) {
    struct printing drawn = {.out = out}, needless = {.out = out};
    if (read_rows(store, SWEEP_DRAWN, print_drawn, &drawn) != 0) {
        return -1;
    }
    fputs(drawn.any ? "\n" : "", out);
    return read_rows(store, SWEEP_ALLOWED, print_needless, &needless);
}

/* ---- JSON ---- */

static int append_drawn(void *ctx, const struct row *row) {
    return json_array_append_new(ctx, json_pack("{s:s, s:s, s:s, s:I, s:I}", "scenario",
                                                row->scenario, "setting", row->name, "value",
                                                row->value, "runs", (json_int_t)row->runs, "held",
                                                (json_int_t)row->counted));
}

static int append_allowed(void *ctx, const struct row *row) {
    return json_array_append_new(ctx, json_pack("{s:s, s:s, s:I, s:I}", "scenario", row->scenario,
                                                "name", row->name, "runs", (json_int_t)row->runs,
                                                "needed", (json_int_t)row->counted));
}

json_t *sweep_notes_json(struct sweep_store *store, enum sweep_note note) {
    json_t *array = json_array();
    if (read_rows(store, note, note == SWEEP_DRAWN ? append_drawn : append_allowed, array) != 0) {
        json_decref(array);
        return NULL;
    }
    return array;
}
