/*
 * murphy bugs: the kill matrix, planted bug x check x seeds to detect (D4).
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/kill_matrix.h"
#include "cli/murphy.h"
#include "cli/sweep_drive.h"
#include "cli/sweep_load.h"

/* Enough to tell luck from habit, and few enough to wait for. */
enum { USUAL_SEEDS = 3 };

static void help(void) {
    puts("usage: murphy bugs [--seeds A..B] [--jobs N] [--bug NAME]... [--scenario NAME]\n"
         "                   ... [--out DIR] [--json]\n\n"
         "Takes each protection away in turn and looks which check notices. A planted bug\n"
         "(murphy list bugs) is played in every scenario whose `catches` names it, on each\n"
         "seed from A to B, and the scenario is played without it. A seed is caught when\n"
         "the run fails and the check that is meant to catch the bug is one that did.\n\n"
         "  --seeds A..B      both included, or one seed; without it 1..3\n"
         "  --jobs N          so many processes at once; else as many as processors\n"
         "  --bug NAME        this bug only; may be given again\n"
         "  --scenario NAME   this scenario or file only; may be given again\n"
         "  --out DIR         keep each result in DIR/sweep.db as it comes; started again\n"
         "                    it goes on where it was\n"
         "  --json            print the matrix as one document\n\n"
         "Exit status: 0 every bug was caught on every seed and nothing failed without,\n"
         "1 otherwise, 70 a run did not come to its end, 130 interrupted.");
}

struct request {
    struct sweep sweep;
    bool bugs[BUG_COUNT];
    bool any_bug; /* some were chosen */
    const char **names;
    size_t name_count; /* of scenarios that were chosen */
};

static int parse(int argc, char **argv, struct request *r) {
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        bool known =
            sweep_option_known(arg) || strcmp(arg, "--bug") == 0 || strcmp(arg, "--scenario") == 0;
        if (strcmp(arg, "--json") == 0) {
            r->sweep.json = true;
        } else if (!known) {
            return usage_error("bugs", arg[0] == '-' ? "unknown option" : "not wanted:", arg);
        } else if (i + 1 == argc) {
            return usage_error("bugs", "a value is missing after", arg);
        } else if (strcmp(arg, "--bug") == 0) {
            int bug = bug_find(argv[++i]);
            if (bug < 0) {
                return usage_error("bugs", "murphy list bugs names what there is; there is no bug",
                                   argv[i]);
            }
            r->bugs[bug] = r->any_bug = true;
        } else if (strcmp(arg, "--scenario") == 0) {
            r->names[r->name_count++] = argv[++i];
        } else {
            int status = sweep_option_take(&r->sweep, arg, argv[++i]);
            if (status != EXIT_HELD) {
                return status;
            }
        }
    }
    for (int bug = 0; !r->any_bug && bug < BUG_COUNT; bug++) {
        r->bugs[bug] = true;
    }
    return EXIT_HELD;
}

/* ---- What is played ---- */

static bool catches_wanted(const struct request *r, const struct scenario_entry *entry) {
    for (int bug = 0; bug < BUG_COUNT; bug++) {
        if (r->bugs[bug] && entry->catches[bug]) {
            return true;
        }
    }
    return false;
}

static int add_scenarios(struct request *r, const char *directory,
                         const struct scenario_list *list) {
    int status = EXIT_HELD;
    for (size_t i = 0; status == EXIT_HELD && i < r->name_count; i++) {
        status = sweep_add_scenario(&r->sweep, r->names[i], directory, false);
    }
    for (size_t i = 0; status == EXIT_HELD && r->name_count == 0 && i < list->count; i++) {
        if (catches_wanted(r, &list->entries[i])) {
            status = sweep_add_scenario(&r->sweep, list->entries[i].name, directory, true);
        }
    }
    return status;
}

/* The scenario with each bug that it catches and that is wanted, and without. */
static int add_cases(struct request *r, size_t at) {
    const struct scenario *s = &r->sweep.scenarios[at].loaded;
    size_t before = r->sweep.case_count;
    int status = EXIT_HELD;
    for (size_t i = 0; status == EXIT_HELD && i < s->catch_count; i++) {
        if (r->bugs[bug_find(s->catches[i])]) {
            status = sweep_add_case(&r->sweep, at, s->catches[i]);
        }
    }
    bool played = r->sweep.case_count > before;
    return status == EXIT_HELD && played ? sweep_add_case(&r->sweep, at, NULL) : status;
}

/* Of chosen scenarios only those bugs are asked for that they say they catch. */
static int narrow(struct request *r, struct kill_matrix *matrix) {
    for (int bug = 0; bug < BUG_COUNT; bug++) {
        bool claimed = kill_matrix_claimed(matrix, (enum bug_id)bug);
        matrix->wanted[bug] = r->bugs[bug] && (claimed || r->name_count == 0);
        if (r->any_bug && r->bugs[bug] && !matrix->wanted[bug]) {
            return usage_error(
                "bugs", "no scenario that was given names it in `catches`:", bug_table()[bug].name);
        }
    }
    return r->sweep.case_count == 0 && r->name_count > 0
               ? usage_error("bugs", "it catches no bug, having no `catches`:", r->names[0])
               : EXIT_HELD;
}

/* ---- All of it ---- */

static int summary(void *ctx, struct sweep_store *store, const struct sweep_closing *closing,
                   FILE *out) {
    struct kill_matrix *m = ctx;
    int failed = kill_matrix_read(m, store);
    if (failed == 0) {
        failed = closing->json ? kill_matrix_json(m, store, closing, out)
                               : kill_matrix_print(m, store, closing, out);
    }
    int status = EXIT_INTERNAL;
    if (failed == 0) {
        struct kill_totals totals = kill_matrix_totals(m);
        status = kill_totals_status(&totals);
    }
    kill_matrix_release(m);
    return status;
}

static int play(struct request *r) {
    struct scenario_list list;
    int status = scenarios_listed("bugs", &list);
    if (status != EXIT_HELD) {
        sweep_release(&r->sweep);
        return status;
    }
    struct kill_matrix matrix = {.sweep = &r->sweep, .whole = !r->any_bug && r->name_count == 0};
    status = add_scenarios(r, scenario_directory(), &list);
    for (size_t i = 0; status == EXIT_HELD && i < r->sweep.scenario_count; i++) {
        status = add_cases(r, i);
    }
    if (status == EXIT_HELD) {
        status = narrow(r, &matrix);
    }
    if (status == EXIT_HELD) {
        status = sweep_drive(&r->sweep, &(struct sweep_caller){.unwanted = "unexpected",
                                                               .wanted = kill_row_wanted,
                                                               .summary = summary,
                                                               .ctx = &matrix});
    }
    sweep_release(&r->sweep);
    scenario_list_release(&list);
    return status;
}

int cmd_bugs(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            help();
            return EXIT_HELD;
        }
    }
    struct request request = {.sweep = sweep_begin("bugs"),
                              .names = calloc((size_t)argc + 1, sizeof(const char *))};
    if (request.names == NULL) {
        fputs("murphy bugs: out of memory\n", stderr);
        return EXIT_INTERNAL;
    }
    request.sweep.bug = SWEEP_EACH_BUG;
    request.sweep.seed_from = 1;
    request.sweep.seed_to = USUAL_SEEDS;
    int status = parse(argc, argv, &request);
    if (status == EXIT_HELD) {
        status = play(&request);
    }
    free(request.names);
    return status;
}
