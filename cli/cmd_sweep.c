/*
 * murphy sweep: many seeds of many scenarios over many processes.
 */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/murphy.h"
#include "cli/sweep_drive.h"
#include "cli/sweep_load.h"
#include "pipeline/bugs.h"
#include "scenarios/quantity.h"

static void help(void) {
    puts("usage: murphy sweep SCENARIO... --seeds A..B [--jobs N] [--shard I/N]\n"
         "                    [--out DIR]\n"
         "                    [--json] [--cover SHARE] [--bug NAME] [--set PATH=VALUE]...\n\n"
         "Plays every SCENARIO, names (murphy list scenarios) or files, under each seed\n"
         "from A to B. 'all' stands for every scenario that needs no file from outside.\n\n"
         "  --seeds A..B      both included, or one seed\n"
         "  --jobs N          so many processes at once; as many as there are processors\n"
         "  --shard I/N       every N-th seed, from the I-th on (I from 1): N machines\n"
         "                    together play all seeds, and murphy merge joins what they\n"
         "                    found\n"
         "  --out DIR         keep each result in DIR/sweep.db as it comes, and leave\n"
         "                    a page of the whole in DIR/report.html; a sweep that\n"
         "                    was stopped or killed goes on where it was\n"
         "  --json            print the summary as one document\n"
         "  --cover SHARE     fail when less of the cells of fault and state was reached,\n"
         "                    as 95%\n"
         "  --bug NAME, --set PATH=VALUE   as in murphy run\n\n"
         "A failure prints the line that does it again at once, and again at the end.\n"
         "Exit status: 0 all held, 1 a check failed, 70 a run did not come to its end, 2\n"
         "only an objective failed, 130 interrupted.");
}

/* ---- The command line ---- */

/* "I/N", 1 <= I <= N. */
static bool parse_shard(const char *text, struct sweep *sweep) {
    char first[24];
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof first) {
        return false;
    }
    memcpy(first, text, (size_t)(slash - text));
    first[slash - text] = '\0';
    return parse_seed(first, &sweep->shard) && parse_seed(slash + 1, &sweep->shards) &&
           sweep->shard >= 1 && sweep->shard <= sweep->shards && sweep->shards <= SWEEP_RUNS_MAX;
}

static int take_value(struct sweep *sweep, const char *option, const char *value) {
    if (sweep_option_known(option)) {
        return sweep_option_take(sweep, option, value);
    }
    if (strcmp(option, "--shard") == 0) {
        if (!parse_shard(value, sweep)) {
            return usage_error("sweep", "a shard is I/N with I from 1 to N, not", value);
        }
    } else if (strcmp(option, "--bug") == 0) {
        if (bug_find(value) < 0) {
            return usage_error("sweep", "murphy list bugs names what there is; there is no bug",
                               value);
        }
        sweep->bug = value;
    } else if (strcmp(option, "--cover") == 0) {
        struct share share;
        if (quantity_share_parse(value, &share) != QUANTITY_OK ||
            !quantity_share_ppm(share, &sweep->cover_ppm)) {
            return usage_error("sweep", "--cover takes a share, as 95%, not", value);
        }
    } else if (strcmp(option, "--set") == 0) {
        if (sweep->setting_count == SWEEP_SETTINGS_MAX) {
            return usage_error("sweep", "too many --set options", NULL);
        }
        sweep->settings[sweep->setting_count++].text = value;
    } else {
        return usage_error("sweep", "unknown option", option);
    }
    return EXIT_HELD;
}

/* Scenarios as given are gathered in `names`, which has room for argc. */
static int parse(int argc, char **argv, struct sweep *sweep, const char **names, size_t *count) {
    bool seeds = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--json") == 0) {
            sweep->json = true;
        } else if (arg[0] != '-') {
            names[(*count)++] = arg;
        } else {
            bool known = sweep_option_known(arg) || strcmp(arg, "--shard") == 0 ||
                         strcmp(arg, "--bug") == 0 || strcmp(arg, "--set") == 0 ||
                         strcmp(arg, "--cover") == 0;
            if (known && i + 1 == argc) {
                return usage_error("sweep", "a value is missing after", arg);
            }
            int status = take_value(sweep, arg, known ? argv[++i] : "");
            if (status != EXIT_HELD) {
                return status;
            }
            seeds = seeds || strcmp(arg, "--seeds") == 0;
        }
    }
    return *count == 0 ? usage_error("sweep", "say which scenario, or all", NULL)
           : !seeds    ? usage_error("sweep", "say which --seeds A..B", NULL)
                       : EXIT_HELD;
}

/* ---- Scenarios ---- */

static int load(struct sweep *sweep, const char *const *names, size_t count,
                const struct scenario_list *list, const char *directory) {
    int status = EXIT_HELD;
    for (size_t i = 0; status == EXIT_HELD && i < count; i++) {
        if (strcmp(names[i], "all") != 0) {
            status = sweep_add_scenario(sweep, names[i], directory, false);
            continue;
        }
        for (size_t j = 0; status == EXIT_HELD && j < list->count; j++) {
            status = sweep_add_scenario(sweep, list->entries[j].name, directory, true);
        }
    }
    for (size_t i = 0; status == EXIT_HELD && i < sweep->scenario_count; i++) {
        status = sweep_add_case(sweep, i, sweep->bug);
    }
    return status;
}

/* ---- All of it ---- */

static bool passed(const struct sweep_row *row, char why[SWEEP_WHY_SIZE]) {
    snprintf(why, SWEEP_WHY_SIZE, "%s: %s", run_verdict_name(row->outcome.verdict),
             row->outcome.cause);
    return row->outcome.verdict == RUN_PASS;
}

static int summary(void *ctx, struct sweep_store *store, const struct sweep_closing *closing,
                   FILE *out) {
    (void)ctx;
    return sweep_summary_write(store, closing, out);
}

static int sweep_all(struct sweep *sweep, const char *const *names, size_t count) {
    struct scenario_list list;
    int status = scenarios_listed("sweep", &list);
    if (status != EXIT_HELD) {
        sweep_release(sweep);
        return status;
    }
    status = load(sweep, names, count, &list, scenario_directory());
    if (status == EXIT_HELD) {
        status = sweep_drive(
            sweep,
            &(struct sweep_caller){.unwanted = "failures", .wanted = passed, .summary = summary});
    }
    sweep_release(sweep);
    scenario_list_release(&list);
    return status;
}

int cmd_sweep(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            help();
            return EXIT_HELD;
        }
    }
    struct sweep sweep = sweep_begin("sweep");
    const char **names = calloc((size_t)argc + 1, sizeof *names);
    size_t count = 0;
    if (names == NULL) {
        fputs("murphy sweep: out of memory\n", stderr);
        return EXIT_INTERNAL;
    }
    int status = parse(argc, argv, &sweep, names, &count);
    if (status == EXIT_HELD) {
        status = sweep_all(&sweep, names, count);
    }
    free(names);
    return status;
}
