#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "cli/kill_matrix.h"
#include "cli/murphy.h"
#include "reports/format.h"
#include "reports/page.h"

/* ---- Text ---- */

static const char *scenario_name(const struct kill_matrix *m, size_t at) {
    return m->sweep->scenarios[m->sweep->cases[at].scenario].loaded.name;
}

static void put_count(struct page *p, int width, int64_t count) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, count);
    page_cell_right(p, width, text);
}

/* Widths of the columns behind the scenario's name, of 80 in all. */
enum { NAME = 37, NUMBER = 8, FIRST = 9, CLEAN = 10 };

static void print_head(struct page *p) {
    page_put(p, "planted bug: the check that is meant to catch it");
    page_newline(p);
    page_cell(p, NAME, "  in scenario");
    page_cell_right(p, NUMBER, "caught");
    page_cell_right(p, NUMBER, "failed");
    page_cell_right(p, NUMBER, "seeds");
    page_cell_right(p, FIRST, "first");
    page_cell_right(p, CLEAN, "clean red");
    page_newline(p);
}

/* Checks that noticed too, with the number of seeds where that is not all of them. */
static void print_others(struct page *p, const struct kill_case *c, const char *meant) {
    char text[2000];
    size_t length = 0;
    for (size_t i = 0; i < c->check_count && length < sizeof text; i++) {
        const struct kill_check *check = &c->checks[i];
        if (strcmp(check->name, meant) == 0) {
            continue;
        }
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s",
                                   length == 0 ? "also noticed by " : ", ", check->name);
        if (check->seeds < c->played && length < sizeof text) {
            length += (size_t)snprintf(text + length, sizeof text - length, " (%" PRId64 ")",
                                       check->seeds);
        }
    }
    if (length > 0) {
        page_wrap(p, 4, text);
    }
}

static void print_pair(struct page *p, const struct kill_matrix *m, size_t at, const char *check) {
    const struct kill_case *c = &m->cases[at];
    const struct kill_case *clean = kill_matrix_clean(m, m->sweep->cases[at].scenario);
    int64_t red = clean->failed + clean->slo + clean->error;
    char first[24] = "-";
    if (c->caught > 0) {
        snprintf(first, sizeof first, "%" PRIu64, c->first);
    }
    page_colour(p, c->caught < c->played || red > 0 ? PAGE_BAD : PAGE_PLAIN);
    page_put(p, "  ");
    page_cell(p, NAME - 2, scenario_name(m, at));
    put_count(p, NUMBER, c->caught);
    put_count(p, NUMBER, c->failed);
    put_count(p, NUMBER, c->played);
    page_cell_right(p, FIRST, first);
    put_count(p, CLEAN, red);
    page_newline(p);
    page_colour(p, PAGE_DIM);
    print_others(p, c, check);
    page_colour(p, PAGE_PLAIN);
}

static void print_bug(struct page *p, const struct kill_matrix *m, enum bug_id bug) {
    const struct bug_about *about = &bug_table()[bug];
    page_colour(p, PAGE_BOLD);
    page_put(p, about->name);
    page_colour(p, PAGE_PLAIN);
    page_put(p, ": ");
    page_put(p, about->check);
    page_newline(p);
    for (size_t at = 0; at < m->sweep->case_count; at++) {
        if (kill_matrix_has(m, at, bug)) {
            print_pair(p, m, at, about->check);
        }
    }
    if (!kill_matrix_claimed(m, bug)) {
        page_colour(p, PAGE_BAD);
        page_put(p, "  no scenario catches it");
        page_newline(p);
        page_colour(p, PAGE_PLAIN);
    }
}

/* "no-version-check in crashed-sink, worker-slow-node; ...", or why there is nothing. */
static void fault_text(const struct kill_matrix *m, enum fault_kind kind, char *text, size_t size) {
    size_t length = 0;
    text[0] = '\0';
    for (int bug = 0; bug < BUG_COUNT; bug++) {
        bool begun = false;
        for (size_t at = 0; at < m->sweep->case_count && length < size; at++) {
            if (!kill_matrix_has(m, at, (enum bug_id)bug) || !kill_matrix_shows(m, at, kind)) {
                continue;
            }
            length += (size_t)snprintf(text + length, size - length, "%s%s%s%s",
                                       begun         ? ", "
                                       : length == 0 ? ""
                                                     : "; ",
                                       begun ? "" : bug_table()[bug].name, begun ? "" : " in ",
                                       scenario_name(m, at));
            begun = true;
        }
    }
    const char *bugs = fault_table()[kind].bugs;
    if (length == 0 && bugs[0] == '\0') {
        snprintf(text, size, "nothing: no planted bug takes its protection away");
    } else if (length == 0) {
        snprintf(text, size,
                 "nothing: it struck in no scenario in which one of its bugs was caught: %s", bugs);
    }
}

static bool fault_shown(const struct kill_matrix *m, enum fault_kind kind) {
    for (size_t at = 0; at < m->sweep->case_count; at++) {
        if (kill_matrix_shows(m, at, kind)) {
            return true;
        }
    }
    return false;
}

static void print_fault(struct page *p, const struct kill_matrix *m, enum fault_kind kind) {
    char text[4096];
    fault_text(m, kind, text, sizeof text);
    page_colour(p, fault_shown(m, kind) ? PAGE_PLAIN : PAGE_WARN);
    page_cell(p, 22, fault_table()[kind].name);
    page_put(p, " ");
    page_wrap(p, 23, text);
    page_colour(p, PAGE_PLAIN);
}

/* Where bugs or scenarios were chosen, kinds that have nothing to do with them are not spoken of.
 */
static void print_faults(struct page *p, const struct kill_matrix *m) {
    bool begun = false;
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        if (!m->whole && !fault_shown(m, (enum fault_kind)kind)) {
            continue;
        }
        if (!begun) {
            page_newline(p);
            page_put(p, "kind of fault: the bug that takes its protection away, caught where it "
                        "struck");
            page_newline(p);
            begun = true;
        }
        print_fault(p, m, (enum fault_kind)kind);
    }
}

static void print_unwanted(void *ctx, const struct sweep_row *row, const char *why) {
    struct page *p = ctx;
    page_wrap(p, 2, why);
    page_command(p, 6, row->reproduce);
}

static void print_totals(struct page *p, const struct kill_matrix *m, const struct kill_totals *t,
                         const struct sweep_closing *c) {
    char text[400];
    int n = snprintf(text, sizeof text,
                     "%zu bug%s in %zu pair%s of bug and scenario, seeds %" PRIu64 " to %" PRIu64
                     ": %s of %s runs caught. Without a bug %s of %s runs passed.",
                     t->bugs, t->bugs == 1 ? "" : "s", t->pairs, t->pairs == 1 ? "" : "s",
                     m->sweep->seed_from, m->sweep->seed_to, format_count((uint64_t)t->caught).text,
                     format_count((uint64_t)t->played).text, format_count((uint64_t)t->passed).text,
                     format_count((uint64_t)t->clean).text);
    if (c->played > 0) {
        snprintf(text + n, sizeof text - (size_t)n, " %s runs in %s with %u at once.",
                 format_count(c->played).text, format_duration(c->elapsed_ns).text, c->jobs);
    }
    page_newline(p);
    page_colour(p, kill_totals_status(t) == EXIT_HELD ? PAGE_GOOD : PAGE_BAD);
    page_wrap(p, 0, text);
    page_colour(p, PAGE_PLAIN);
    if (c->missing > 0) {
        snprintf(text, sizeof text, "%s: %s runs that were asked for are missing",
                 c->interrupted ? "interrupted" : "not whole",
                 format_count((uint64_t)c->missing).text);
        page_wrap(p, 0, text);
    }
}

int kill_matrix_print(const struct kill_matrix *m, struct sweep_store *store,
                      const struct sweep_closing *closing, FILE *out) {
    struct page p = {.out = out, .colour = colour_wanted(fileno(out))};
    struct kill_totals totals = kill_matrix_totals(m);
    print_head(&p);
    for (int bug = 0; bug < BUG_COUNT; bug++) {
        if (m->wanted[bug]) {
            print_bug(&p, m, (enum bug_id)bug);
        }
    }
    page_newline(&p);
    page_wrap(&p, 0,
              "caught: seeds on which that check failed. failed: on which any check did. first: "
              "the first seed caught. clean red: seeds that did not pass without the bug.");
    print_faults(&p, m);
    if (totals.wrong + totals.error > 0) {
        page_newline(&p);
        page_put(&p, "came out otherwise than they should:");
        page_newline(&p);
    }
    int failed = kill_matrix_unwanted(m, store, print_unwanted, &p);
    print_totals(&p, m, &totals, closing);
    return failed;
}

/* ---- JSON ---- */

static json_t *checks_json(const struct kill_case *c) {
    json_t *checks = json_object();
    for (size_t i = 0; i < c->check_count; i++) {
        json_object_set_new(checks, c->checks[i].name,
                            json_integer((json_int_t)c->checks[i].seeds));
    }
    return checks;
}

static json_t *pair_json(const struct kill_matrix *m, size_t at) {
    const struct kill_case *c = &m->cases[at];
    const struct kill_case *clean = kill_matrix_clean(m, m->sweep->cases[at].scenario);
    return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "scenario",
                     scenario_name(m, at), "killed", c->played > 0 && c->caught == c->played,
                     "caught", (json_int_t)c->caught, "failed", (json_int_t)c->failed, "error",
                     (json_int_t)c->error, "seeds", (json_int_t)c->played, "first",
                     c->caught > 0 ? json_integer((json_int_t)c->first) : json_null(),
                     "clean_seeds", (json_int_t)clean->played, "clean_red",
                     (json_int_t)(clean->failed + clean->slo + clean->error), "checks",
                     checks_json(c));
}

static json_t *bug_json(const struct kill_matrix *m, enum bug_id bug) {
    const struct bug_about *about = &bug_table()[bug];
    json_t *pairs = json_array();
    bool killed = kill_matrix_claimed(m, bug);
    for (size_t at = 0; at < m->sweep->case_count; at++) {
        if (kill_matrix_has(m, at, bug)) {
            const struct kill_case *c = &m->cases[at];
            killed = killed && c->played > 0 && c->caught == c->played;
            json_array_append_new(pairs, pair_json(m, at));
        }
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:o}", "name", about->name, "about", about->about,
                     "check", about->check, "killed", killed, "scenarios", pairs);
}

static json_t *fault_json(const struct kill_matrix *m, enum fault_kind kind) {
    json_t *pairs = json_array();
    for (size_t at = 0; at < m->sweep->case_count; at++) {
        if (kill_matrix_shows(m, at, kind)) {
            json_array_append_new(pairs, json_pack("{s:s, s:s}", "scenario", scenario_name(m, at),
                                                   "bug", m->sweep->cases[at].bug));
        }
    }
    json_t *row = json_pack("{s:s, s:o}", "name", fault_table()[kind].name, "shown_by", pairs);
    if (json_array_size(pairs) == 0) {
        char text[400];
        fault_text(m, kind, text, sizeof text);
        json_object_set_new(row, "why_not", json_string(text));
    }
    return row;
}

static void add_unwanted(void *ctx, const struct sweep_row *row, const char *why) {
    json_array_append_new(ctx,
                          json_pack("{s:s, s:s?, s:I, s:s, s:s, s:s}", "scenario", row->scenario,
                                    "bug", row->bug, "seed", (json_int_t)row->seed, "verdict",
                                    run_verdict_name(row->outcome.verdict), "why", why, "reproduce",
                                    row->reproduce));
}

int kill_matrix_json(const struct kill_matrix *m, struct sweep_store *store,
                     const struct sweep_closing *closing, FILE *out) {
    struct kill_totals t = kill_matrix_totals(m);
    int status = kill_totals_status(&t);
    json_t *bugs = json_array(), *faults = json_array(), *unwanted = json_array();
    for (int bug = 0; bug < BUG_COUNT; bug++) {
        if (m->wanted[bug]) {
            json_array_append_new(bugs, bug_json(m, (enum bug_id)bug));
        }
    }
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        if (m->whole || fault_shown(m, (enum fault_kind)kind)) {
            json_array_append_new(faults, fault_json(m, (enum fault_kind)kind));
        }
    }
    int failed = kill_matrix_unwanted(m, store, add_unwanted, unwanted);
    json_t *document = json_pack(
        "{s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:o, s:o}", "murphy",
        MURPHY_VERSION, "verdict",
        status == EXIT_HELD           ? "pass"
        : status == EXIT_CHECK_FAILED ? "fail"
                                      : "error",
        "complete", closing->missing == 0, "interrupted", closing->interrupted, "seed_from",
        (json_int_t)m->sweep->seed_from, "seed_to", (json_int_t)m->sweep->seed_to, "runs",
        (json_int_t)t.played, "caught", (json_int_t)t.caught, "clean_runs", (json_int_t)t.clean,
        "clean_passed", (json_int_t)t.passed, "missing", (json_int_t)closing->missing,
        "elapsed_seconds", (double)closing->elapsed_ns / 1e9, "bugs", bugs, "faults", faults,
        "survivors", unwanted);
    if (document == NULL || json_dumpf(document, out, JSON_INDENT(2)) != 0) {
        snprintf(store->error, sizeof store->error, "out of memory");
        failed = -1;
    }
    fputc('\n', out);
    json_decref(document);
    return failed;
}
