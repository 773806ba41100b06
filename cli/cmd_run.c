/*
 * murphy run: one run of one scenario under one seed.
 */
#define _POSIX_C_SOURCE 200809L

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/murphy.h"
#include "cli/reproduce.h"
#include "cli/run_contracts.h"
#include "cli/run_files.h"
#include "cli/scenario_run.h"
#include "pipeline/bugs.h"
#include "reports/json.h"
#include "reports/text.h"
#include "sim/clock_shim.h"

enum { SETTINGS_MAX = 64 };

struct arguments {
    const char *scenario;
    uint64_t seed;
    const char *out;
    const char *bug;
    bool json;
    struct scenario_setting settings[SETTINGS_MAX];
    size_t setting_count;
    char contracts[PATH_MAX + 32]; /* a setting; "" when no other folder is wanted */
};

static void help(void) {
    puts("usage: murphy run SCENARIO [--seed N] [--out DIR] [--json] [--bug NAME]\n"
         "                  [--contracts DIR] [--set PATH=VALUE]...\n\n"
         "Plays SCENARIO, a name (murphy list scenarios) or a file, once.\n\n"
         "  --seed N          everything random follows from it; 1\n"
         "  --out DIR         leave run.json, report.html, junit.xml and stores.db there\n"
         "  --json            print run.json in place of the summary\n"
         "  --bug NAME        take one protection away (murphy list bugs)\n"
         "  --contracts DIR   keep to the contracts of that folder; --set\n"
         "                    contracts.folder=DIR\n"
         "  --set PATH=VALUE  change one value of the scenario, e.g. workload.events=5000\n\n"
         "Exit status: 0 all held, 1 a check failed, 2 only an objective failed.");
}

/* EXIT_HELD to go on, or the status to leave with; *done says that nothing is left to do. */
static int parse(int argc, char **argv, struct arguments *a, bool *done) {
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(arg, "--help") == 0) {
            help();
            *done = true;
            return EXIT_HELD;
        }
        if (strcmp(arg, "--json") == 0) {
            a->json = true;
            continue;
        }
        if (arg[0] != '-') {
            if (a->scenario != NULL) {
                return usage_error("run", "one scenario at a time; not wanted:", arg);
            }
            a->scenario = arg;
            continue;
        }
        bool known = strcmp(arg, "--seed") == 0 || strcmp(arg, "--out") == 0 ||
                     strcmp(arg, "--bug") == 0 || strcmp(arg, "--set") == 0 ||
                     strcmp(arg, "--contracts") == 0;
        if (!known) {
            return usage_error("run", "unknown option", arg);
        }
        if (value == NULL) {
            return usage_error("run", "a value is missing after", arg);
        }
        i++;
        if (strcmp(arg, "--seed") == 0 && !parse_seed(value, &a->seed)) {
            return usage_error("run", "the seed is a whole number from 0 to 2^64-1, not", value);
        }
        if (strcmp(arg, "--out") == 0) {
            a->out = value;
        }
        if (strcmp(arg, "--bug") == 0) {
            if (bug_find(value) < 0) {
                return usage_error("run", "murphy list bugs names what there is; there is no bug",
                                   value);
            }
            a->bug = value;
        }
        if (strcmp(arg, "--contracts") == 0) {
            snprintf(a->contracts, sizeof a->contracts, "contracts.folder=%s", value);
            value = a->contracts;
        }
        if (strcmp(arg, "--set") == 0 || strcmp(arg, "--contracts") == 0) {
            if (a->setting_count == SETTINGS_MAX) {
                return usage_error("run", "too many --set options", NULL);
            }
            a->settings[a->setting_count++].text = value;
        }
    }
    return a->scenario == NULL ? usage_error("run", "say which scenario", NULL) : EXIT_HELD;
}

/* ---- Progress and interruption ---- */

static struct scenario_run *volatile playing; /* read by the signal handler */

static void on_interrupt(int number) {
    (void)number;
    if (playing != NULL) {
        scenario_run_interrupt(playing);
    }
}

struct progress {
    int64_t began_ns;
    int64_t shown_ns;
    bool shown;
};

/* After a second a line that is drawn again and again, where animation is wanted; elsewhere a line
 * now and then. */
static void show_progress(void *ctx, int64_t done_ns, int64_t total_ns, const char *phase) {
    struct progress *p = ctx;
    int64_t now_ns = clock_shim_real_monotonic_ns();
    bool terminal = colour_wanted(STDERR_FILENO);
    int64_t pace_ns = terminal ? 200 * VTIME_MILLISECOND : 5 * VTIME_SECOND;
    if (now_ns - p->began_ns < VTIME_SECOND || now_ns - p->shown_ns < pace_ns) {
        return;
    }
    p->shown_ns = now_ns;
    p->shown = terminal;
    int percent = total_ns > 0 && done_ns < total_ns ? (int)(done_ns * 100 / total_ns) : 100;
    fprintf(stderr, "%s%s: %d %%, %.1f s%s", terminal ? "\r\033[K" : "", phase, percent,
            (double)(now_ns - p->began_ns) / 1e9, terminal ? "" : "\n");
    fflush(stderr);
}

/* ---- Results ---- */

static int report_failure(const char *text) {
    fprintf(stderr, "murphy run: %s\n", text);
    return EXIT_INTERNAL;
}

static int save(struct scenario_run *run, const char *directory) {
    char error[640];
    return run_files_save(run, directory, error, sizeof error) == 0 ? EXIT_HELD
                                                                    : report_failure(error);
}

static int show(struct scenario_run *run, const struct arguments *a) {
    struct report_error error;
    const struct run_result *result = scenario_run_result(run);
    struct run_text_options text = {.colour = colour_wanted(STDOUT_FILENO)};
    int failed = a->json ? run_json_write(result, NULL, stdout, &error)
                         : run_text_write(result, &text, stdout, &error);
    if (failed != 0) {
        return report_failure(error.text);
    }
    if (a->out != NULL && !a->json) {
        printf("\nreport  %s/report.html\n", a->out);
    }
    return run_verdict_exit_status(result->verdict);
}

static int play(const struct arguments *a, const struct scenario *scenario,
                const struct contract_set *contracts) {
    char reproduce[REPRODUCE_SIZE];
    reproduce_line(&(struct run_words){a->scenario, a->seed, a->bug, a->settings, a->setting_count},
                   reproduce, sizeof reproduce);
    struct progress progress = {.began_ns = clock_shim_real_monotonic_ns()};
    struct scenario_run_options options = {
        .seed = a->seed,
        .bug = a->bug,
        .contracts = contracts,
        .keep_history = a->out != NULL,
        .reproduce = reproduce,
        .progress = show_progress,
        .progress_ctx = &progress,
    };
    struct scenario_run *run = scenario_run_new(scenario, &options);
    if (run == NULL) {
        return report_failure("out of memory");
    }
    playing = run;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    enum scenario_run_status status = scenario_run_play(run);
    if (progress.shown) {
        fputs("\r\033[K", stderr);
    }
    int exit_status = EXIT_INTERNAL;
    switch (status) {
    case SCENARIO_RUN_DONE:
        exit_status = a->out == NULL ? EXIT_HELD : save(run, a->out);
        /* Whoever does not want to read the summary to its end may leave as usual. */
        sigaction(SIGINT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        sigaction(SIGTERM, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        if (exit_status == EXIT_HELD) {
            exit_status = show(run, a);
        }
        break;
    case SCENARIO_RUN_BAD_INPUT:
        fprintf(stderr, "murphy run: %s\n", scenario_run_error(run));
        exit_status = EXIT_INPUT;
        break;
    case SCENARIO_RUN_INTERRUPTED:
        fputs("murphy run: interrupted; nothing was written\n", stderr);
        exit_status = EXIT_INTERRUPTED;
        break;
    case SCENARIO_RUN_ERROR:
        fprintf(stderr, "murphy run: %s\n", scenario_run_error(run));
        break;
    }
    playing = NULL;
    scenario_run_free(run);
    return exit_status;
}

int cmd_run(int argc, char **argv) {
    struct arguments a = {.seed = 1};
    bool done = false;
    int status = parse(argc, argv, &a, &done);
    if (status != EXIT_HELD || done) {
        return status;
    }
    const char *directory = scenario_directory();
    if (directory == NULL) {
        return EXIT_INTERNAL;
    }
    struct scenario scenario;
    struct scenario_error error;
    if (scenario_load(a.scenario, directory, a.settings, a.setting_count, &scenario, &error) != 0) {
        fprintf(stderr, "murphy run: %s\n", error.text);
        return EXIT_INPUT;
    }
    if (a.out != NULL && run_files_refused(a.out)) {
        scenario_release(&scenario);
        return EXIT_USAGE;
    }
    struct contract_set contracts;
    if (run_contracts_load(&scenario, &contracts, &error) != 0) {
        fprintf(stderr, "murphy run: %s\n", error.text);
        scenario_release(&scenario);
        return EXIT_INPUT;
    }
    status = play(&a, &scenario, &contracts);
    contract_set_release(&contracts);
    scenario_release(&scenario);
    return status;
}
