#define _POSIX_C_SOURCE 200809L

#include "cli/sweep.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/reproduce.h"
#include "pipeline/wire.h"
#include "reports/format.h"
#include "reports/unicode.h"

/* ---- Which run is what ---- */

static uint64_t shard_seeds(const struct sweep *sweep) {
    uint64_t seeds = sweep->seed_to - sweep->seed_from + 1;
    return (seeds + sweep->shards - sweep->shard) / sweep->shards;
}

uint64_t sweep_runs(const struct sweep *sweep) {
    return shard_seeds(sweep) * sweep->case_count;
}

const struct sweep_case *sweep_case_of(const struct sweep *sweep, uint64_t run) {
    return &sweep->cases[run % sweep->case_count];
}

const struct sweep_scenario *sweep_scenario_of(const struct sweep *sweep, uint64_t run) {
    return &sweep->scenarios[sweep_case_of(sweep, run)->scenario];
}

uint64_t sweep_seed_of(const struct sweep *sweep, uint64_t run) {
    return sweep->seed_from + sweep->shard - 1 + run / sweep->case_count * sweep->shards;
}

void sweep_reproduce(const struct sweep *sweep, uint64_t run, char *text, size_t size) {
    struct run_words words = {sweep_scenario_of(sweep, run)->given, sweep_seed_of(sweep, run),
                              sweep_case_of(sweep, run)->bug, sweep->settings,
                              sweep->setting_count};
    reproduce_line(&words, text, size);
}

/* ---- What did not hold ---- */

/* Texts of a run may hold anything: what is not UTF-8 is replaced. */
static json_t *clean(const char *text) {
    char *copy = unicode_clean(text == NULL ? "" : text);
    json_t *value = copy == NULL ? NULL : json_string(copy);
    free(copy);
    return value;
}

/* A JSON text on the heap; NULL when out of memory. Takes the value. */
static char *text_of(json_t *array, bool failed) {
    char *text = failed ? NULL : json_dumps(array, JSON_COMPACT);
    json_decref(array);
    return text;
}

static char *failed_checks(const struct run_result *r) {
    json_t *array = json_array();
    bool failed = array == NULL;
    for (size_t i = 0; i < r->check_count; i++) {
        const struct run_check *c = &r->checks[i];
        if (c->status == RUN_CHECK_PASS) {
            continue;
        }
        json_t *row = json_pack("{s:o, s:o, s:s, s:o, s:o, s:s, s:o}", "name", clean(c->name),
                                "kind", clean(c->kind), "status", run_check_status_name(c->status),
                                "expected", clean(c->expected), "observed", clean(c->observed),
                                "at", format_moment(c->at_ns).text, "evidence", clean(c->evidence));
        failed = json_array_append_new(array, row) != 0 || failed;
    }
    return text_of(array, failed);
}

static char *breached_objectives(const struct run_result *r) {
    json_t *array = json_array();
    bool failed = array == NULL;
    for (size_t i = 0; i < r->slo_count; i++) {
        const struct run_slo *s = &r->slos[i];
        if (s->status == RUN_SLO_MET) {
            continue;
        }
        bool known = s->status != RUN_SLO_NO_DATA;
        json_t *row =
            json_pack("{s:o, s:s, s:s, s:s?}", "name", clean(s->name), "status",
                      run_slo_status_name(s->status), "objective", format_objective(s).text,
                      "observed", known ? format_figure(s->observed, s->unit).text : NULL);
        failed = json_array_append_new(array, row) != 0 || failed;
    }
    return text_of(array, failed);
}

static char *coverage(const struct run_result *r) {
    json_t *object = json_object();
    bool failed = object == NULL;
    for (size_t i = 0; i < r->cell_count; i++) {
        const struct run_cell *cell = &r->cells[i];
        json_t *row = json_object_get(object, cell->fault);
        if (row == NULL) {
            row = json_object();
            failed = json_object_set_new(object, cell->fault, row) != 0 || failed;
        }
        failed = failed || json_object_set_new(row, cell->state,
                                               json_integer((json_int_t)cell->strikes)) != 0;
    }
    return text_of(object, failed);
}

static char *drawn_settings(const struct run_result *r) {
    json_t *object = json_object();
    bool failed = object == NULL;
    for (size_t i = 0; i < r->drawn_count; i++) {
        failed |= json_object_set_new(object, r->drawn[i].key, clean(r->drawn[i].value)) != 0;
    }
    return text_of(object, failed);
}

static char *allowances(const struct run_result *r) {
    json_t *object = json_object();
    bool failed = object == NULL;
    for (size_t i = 0; i < r->allowance_count; i++) {
        json_t *needed = json_integer(r->allowances[i].needed);
        failed |= json_object_set_new(object, r->allowances[i].name, needed) != 0;
    }
    return text_of(object, failed);
}

/* The check that says most comes first: one that failed, before one without data, before one of
 * freshness. */
static const struct run_check *worst_check(const struct run_result *r) {
    const struct run_check *worst = NULL;
    int grade = 0;
    for (size_t i = 0; i < r->check_count; i++) {
        const struct run_check *c = &r->checks[i];
        int its = c->status == RUN_CHECK_PASS         ? 0
                  : strcmp(c->kind, "freshness") == 0 ? 1
                  : c->status == RUN_CHECK_NO_DATA    ? 2
                                                      : 3;
        if (its > grade) {
            grade = its;
            worst = c;
        }
    }
    return worst;
}

/* One line. */
static void cause_of(const struct run_result *r, char *text, size_t size) {
    const struct run_check *check = worst_check(r);
    snprintf(text, size, "%s", r->error == NULL ? "" : r->error);
    if (check != NULL) {
        snprintf(text, size, "%s: %s; expected %s", check->name, check->observed, check->expected);
    }
    for (size_t i = 0; check == NULL && i < r->slo_count; i++) {
        const struct run_slo *s = &r->slos[i];
        if (s->status != RUN_SLO_MET) {
            snprintf(text, size, "%s: %s; objective %s", s->name,
                     s->status == RUN_SLO_NO_DATA ? "no data"
                                                  : format_figure(s->observed, s->unit).text,
                     format_objective(s).text);
            break;
        }
    }
    for (char *at = text; *at != '\0'; at++) {
        *at = (unsigned char)*at < ' ' || *at == 0x7f ? ' ' : *at;
    }
}

/* ---- Messages: verdict, bad_input, wall time, then texts with their zero byte ---- */

enum { TEXTS = 9, HEAD = 2 + 8 };

static const char **text_at(struct sweep_outcome *o, size_t i) {
    const char **texts[TEXTS] = {&o->trace_hash, &o->end_state,     &o->cause,
                                 &o->error,      &o->failed_checks, &o->breached,
                                 &o->coverage,   &o->drawn,         &o->allowed};
    return texts[i];
}

static char *message_of(struct sweep_outcome *o, size_t *size) {
    *size = HEAD;
    for (size_t i = 0; i < TEXTS; i++) {
        *size += 4 + strlen(*text_at(o, i)) + 1;
    }
    char *message = malloc(*size);
    if (message == NULL) {
        return NULL;
    }
    char *at = wire_put(message, o->verdict, 1);
    at = wire_put(at, o->bad_input, 1);
    at = wire_put(at, (uint64_t)o->wall_ns, 8);
    for (size_t i = 0; i < TEXTS; i++) {
        at = wire_put_bytes(at, (struct bytes){*text_at(o, i), strlen(*text_at(o, i)) + 1});
    }
    assert(at == message + *size);
    return message;
}

bool sweep_outcome_read(char *message, size_t size, struct sweep_outcome *out) {
    struct wire_reader reader = wire_reader_of((struct bytes){message, size});
    *out = (struct sweep_outcome){.verdict = (enum run_verdict)wire_get(&reader, 1)};
    out->bad_input = wire_get(&reader, 1) != 0;
    out->wall_ns = (int64_t)wire_get(&reader, 8);
    for (size_t i = 0; i < TEXTS; i++) {
        struct bytes text = wire_get_bytes(&reader);
        if (text.len == 0 || text.data[text.len - 1] != '\0') {
            return false;
        }
        *text_at(out, i) = text.data;
    }
    return !reader.failed && reader.at == reader.end && out->verdict <= RUN_SLO;
}

/* ---- Playing ---- */

static char *judged(const struct run_result *r, size_t *size) {
    char cause[512];
    cause_of(r, cause, sizeof cause);
    char *checks = failed_checks(r), *objectives = breached_objectives(r), *cells = coverage(r);
    char *drawn = drawn_settings(r), *allowed = allowances(r);
    bool whole =
        checks != NULL && objectives != NULL && cells != NULL && drawn != NULL && allowed != NULL;
    struct sweep_outcome outcome = {
        .verdict = r->verdict,
        .wall_ns = r->wall_ns,
        .trace_hash = r->trace_hash == NULL ? "" : r->trace_hash,
        .end_state = r->end_state == NULL ? "" : r->end_state,
        .cause = cause,
        .error = r->error == NULL ? "" : r->error,
        .failed_checks = checks,
        .breached = objectives,
        .coverage = cells,
        .drawn = drawn,
        .allowed = allowed,
    };
    char *message = whole ? message_of(&outcome, size) : NULL;
    free(checks);
    free(objectives);
    free(cells);
    free(drawn);
    free(allowed);
    return message;
}

char *sweep_play(const struct sweep *sweep, uint64_t run, size_t *size) {
    char reproduce[REPRODUCE_SIZE];
    sweep_reproduce(sweep, run, reproduce, sizeof reproduce);
    const struct sweep_scenario *scenario = sweep_scenario_of(sweep, run);
    struct scenario_run_options options = {.seed = sweep_seed_of(sweep, run),
                                           .bug = sweep_case_of(sweep, run)->bug,
                                           .contracts = &scenario->contracts,
                                           .reproduce = reproduce};
    struct scenario_run *played = scenario_run_new(&scenario->loaded, &options);
    if (played == NULL) {
        return NULL;
    }
    enum scenario_run_status status = scenario_run_play(played);
    char *message;
    if (status == SCENARIO_RUN_DONE) {
        message = judged(scenario_run_result(played), size);
    } else {
        const char *error = scenario_run_error(played);
        message = message_of(&(struct sweep_outcome){.verdict = RUN_ERROR,
                                                     .bad_input = status == SCENARIO_RUN_BAD_INPUT,
                                                     .trace_hash = "",
                                                     .end_state = "",
                                                     .cause = error,
                                                     .error = error,
                                                     .failed_checks = "[]",
                                                     .breached = "[]",
                                                     .coverage = "{}",
                                                     .drawn = "{}",
                                                     .allowed = "{}"},
                             size);
    }
    scenario_run_free(played);
    return message;
}
