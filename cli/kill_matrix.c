#define _POSIX_C_SOURCE 200809L

#include "cli/kill_matrix.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/murphy.h"
#include "pipeline/array.h"
#include "sim/sqlite_host.h"

/* ---- One run ---- */

/* Is the check among those that failed? What had no data did not. */
static bool failed_by(const json_t *checks, const char *name) {
    size_t i;
    json_t *check;
    json_array_foreach(checks, i, check) {
        if (strcmp(json_string_value(json_object_get(check, "name")), name) == 0 &&
            strcmp(json_string_value(json_object_get(check, "status")), "fail") == 0) {
            return true;
        }
    }
    return false;
}

static bool caught(const struct sweep_row *row, const json_t *checks) {
    int bug = bug_find(row->bug);
    return bug >= 0 && row->outcome.verdict == RUN_FAIL &&
           failed_by(checks, bug_table()[bug].check);
}

bool kill_row_wanted(const struct sweep_row *row, char why[SWEEP_WHY_SIZE]) {
    bool passed = row->outcome.verdict == RUN_PASS;
    const char *verdict = passed ? "the run passed" : run_verdict_name(row->outcome.verdict);
    const char *cause = row->outcome.cause;
    if (row->bug == NULL) {
        snprintf(why, SWEEP_WHY_SIZE, "%s, seed %llu, without a bug: %s: %.600s", row->scenario,
                 (unsigned long long)row->seed, verdict, cause);
        return passed;
    }
    int bug = bug_find(row->bug);
    snprintf(why, SWEEP_WHY_SIZE, "%s, seed %llu: %s is not caught by %s: %s%s%.600s",
             row->scenario, (unsigned long long)row->seed, row->bug,
             bug < 0 ? "a check" : bug_table()[bug].check, verdict, cause[0] == '\0' ? "" : ": ",
             cause);
    json_t *checks = json_loads(row->outcome.failed_checks, 0, NULL);
    bool wanted = caught(row, checks);
    json_decref(checks);
    return wanted;
}

/* ---- All runs ---- */

#define ROWS                                                                                       \
    "SELECT " SWEEP_ROW_COLUMNS                                                                    \
    " FROM run WHERE seed BETWEEN ?1 AND ?2 ORDER BY bug, scenario, seed"

static bool same_case(const struct kill_matrix *m, size_t at, const struct sweep_row *row) {
    const struct sweep_case *c = &m->sweep->cases[at];
    return (c->bug == NULL) == (row->bug == NULL) &&
           (c->bug == NULL || strcmp(c->bug, row->bug) == 0) &&
           strcmp(m->sweep->scenarios[c->scenario].loaded.name, row->scenario) == 0;
}

/* Index of the row's case; the number of cases when it was not asked for. */
static size_t case_of(const struct kill_matrix *m, const struct sweep_row *row) {
    size_t at = 0;
    while (at < m->sweep->case_count && !same_case(m, at, row)) {
        at++;
    }
    return at;
}

static int count_check(struct kill_case *c, const char *name) {
    for (size_t i = 0; i < c->check_count; i++) {
        if (strcmp(c->checks[i].name, name) == 0) {
            c->checks[i].seeds++;
            return 0;
        }
    }
    char *copy = strdup(name);
    if (copy == NULL || ARRAY_RESERVE(c->checks, c->check_capacity, c->check_count + 1) != 0) {
        free(copy);
        return -1;
    }
    c->checks[c->check_count++] = (struct kill_check){copy, 1};
    return 0;
}

static int count_checks(struct kill_case *c, const json_t *checks) {
    size_t i;
    json_t *check;
    json_array_foreach(checks, i, check) {
        if (strcmp(json_string_value(json_object_get(check, "status")), "fail") == 0 &&
            count_check(c, json_string_value(json_object_get(check, "name"))) != 0) {
            return -1;
        }
    }
    return 0;
}

static void mark_struck(struct kill_case *c, const char *coverage) {
    json_t *cells = json_loads(coverage, 0, NULL);
    const char *name;
    json_t *states;
    json_object_foreach(cells, name, states) {
        int kind = fault_find(name);
        if (kind >= 0) {
            c->struck[kind] = true;
        }
    }
    json_decref(cells);
}

static int count_row(struct kill_case *c, const struct sweep_row *row) {
    json_t *checks = json_loads(row->outcome.failed_checks, 0, NULL);
    c->played++;
    c->failed += row->outcome.verdict == RUN_FAIL;
    c->slo += row->outcome.verdict == RUN_SLO;
    c->error += row->outcome.verdict == RUN_ERROR;
    bool is_caught = row->bug != NULL && caught(row, checks);
    if (is_caught) {
        c->first = c->caught == 0 || row->seed < c->first ? row->seed : c->first;
        c->caught++;
    }
    if (is_caught || row->bug == NULL) {
        mark_struck(c, row->outcome.coverage);
    }
    int failed = count_checks(c, checks);
    json_decref(checks);
    return failed;
}

/* Steps through the request's rows. */
static int each_row(const struct kill_matrix *m, struct sweep_store *store,
                    int (*each)(void *ctx, size_t at, const struct sweep_row *row), void *ctx) {
    sqlite3_stmt *s;
    if (sqlite_host_prepare(store->db, ROWS, &s) != SQLITE_OK) {
        return sweep_store_fail(store, -1, "the results cannot be read");
    }
    sqlite3_bind_int64(s, 1, (sqlite3_int64)m->sweep->seed_from);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)m->sweep->seed_to);
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        struct sweep_row row;
        sweep_row_read(s, &row);
        size_t at = case_of(m, &row);
        if (at < m->sweep->case_count && each(ctx, at, &row) != 0) {
            step = SQLITE_NOMEM;
            break;
        }
    }
    int failed =
        step == SQLITE_DONE ? 0 : sweep_store_fail(store, -1, "the results cannot be read");
    sqlite3_finalize(s);
    return failed;
}

static int count(void *ctx, size_t at, const struct sweep_row *row) {
    struct kill_matrix *m = ctx;
    return count_row(&m->cases[at], row);
}

int kill_matrix_read(struct kill_matrix *m, struct sweep_store *store) {
    m->cases = calloc(m->sweep->case_count + 1, sizeof *m->cases);
    if (m->cases == NULL) {
        snprintf(store->error, sizeof store->error, "out of memory");
        return -1;
    }
    return each_row(m, store, count, m);
}

void kill_matrix_release(struct kill_matrix *m) {
    for (size_t i = 0; m->cases != NULL && i < m->sweep->case_count; i++) {
        for (size_t k = 0; k < m->cases[i].check_count; k++) {
            free(m->cases[i].checks[k].name);
        }
        free(m->cases[i].checks);
    }
    free(m->cases);
    m->cases = NULL;
}

struct unwanted {
    void (*each)(void *ctx, const struct sweep_row *row, const char *why);
    void *ctx;
};

static int unwanted_row(void *ctx, size_t at, const struct sweep_row *row) {
    struct unwanted *u = ctx;
    char why[SWEEP_WHY_SIZE];
    (void)at;
    if (!kill_row_wanted(row, why)) {
        u->each(u->ctx, row, why);
    }
    return 0;
}

int kill_matrix_unwanted(const struct kill_matrix *m, struct sweep_store *store,
                         void (*each)(void *ctx, const struct sweep_row *row, const char *why),
                         void *ctx) {
    struct unwanted u = {each, ctx};
    return each_row(m, store, unwanted_row, &u);
}

/* ---- What they come to ---- */

bool kill_matrix_has(const struct kill_matrix *m, size_t at, enum bug_id bug) {
    const char *name = m->sweep->cases[at].bug;
    return name != NULL && strcmp(name, bug_table()[bug].name) == 0;
}

bool kill_matrix_claimed(const struct kill_matrix *m, enum bug_id bug) {
    for (size_t at = 0; at < m->sweep->case_count; at++) {
        if (kill_matrix_has(m, at, bug)) {
            return true;
        }
    }
    return false;
}

const struct kill_case *kill_matrix_clean(const struct kill_matrix *m, size_t scenario) {
    size_t at = 0;
    while (m->sweep->cases[at].bug != NULL || m->sweep->cases[at].scenario != scenario) {
        at++;
    }
    return &m->cases[at];
}

bool kill_matrix_shows(const struct kill_matrix *m, size_t at, enum fault_kind kind) {
    const struct sweep_case *c = &m->sweep->cases[at];
    return c->bug != NULL && fault_has_bug(kind, c->bug) && m->cases[at].caught > 0 &&
           (m->cases[at].struck[kind] || kill_matrix_clean(m, c->scenario)->struck[kind]);
}

struct kill_totals kill_matrix_totals(const struct kill_matrix *m) {
    struct kill_totals t = {0};
    for (int bug = 0; bug < BUG_COUNT; bug++) {
        bool claimed = kill_matrix_claimed(m, (enum bug_id)bug);
        t.bugs += m->wanted[bug];
        t.unclaimed += m->wanted[bug] && !claimed;
    }
    for (size_t at = 0; at < m->sweep->case_count; at++) {
        const struct kill_case *c = &m->cases[at];
        int64_t passed = c->played - c->failed - c->slo - c->error;
        bool clean = m->sweep->cases[at].bug == NULL;
        t.error += c->error;
        t.wrong += c->played - c->error - (clean ? passed : c->caught);
        if (clean) {
            t.clean += c->played;
            t.passed += passed;
        } else {
            t.pairs++;
            t.played += c->played;
            t.caught += c->caught;
        }
    }
    return t;
}

int kill_totals_status(const struct kill_totals *t) {
    return t->wrong > 0 || t->unclaimed > 0 ? EXIT_CHECK_FAILED
           : t->error > 0                   ? EXIT_INTERNAL
                                            : EXIT_HELD;
}
