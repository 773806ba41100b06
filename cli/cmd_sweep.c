/*
 * murphy sweep: many seeds of many scenarios over many processes.
 */
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/murphy.h"
#include "cli/reproduce.h"
#include "cli/run_contracts.h"
#include "cli/run_files.h"
#include "cli/sweep_store.h"
#include "cli/sweep_summary.h"
#include "cli/sweep_workers.h"
#include "pipeline/array.h"
#include "pipeline/bugs.h"
#include "reports/format.h"
#include "scenarios/quantity.h"
#include "sim/clock_shim.h"

enum { JOBS_MAX = 1024 };

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
         "  --out DIR         keep each result in DIR/sweep.db as it comes; a sweep that\n"
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

/* "A..B" or "A". */
static bool parse_seeds(const char *text, struct sweep *sweep) {
    char first[24];
    const char *dots = strstr(text, "..");
    if (dots == NULL) {
        return parse_seed(text, &sweep->seed_from) && parse_seed(text, &sweep->seed_to);
    }
    size_t length = (size_t)(dots - text);
    if (length >= sizeof first) {
        return false;
    }
    memcpy(first, text, length);
    first[length] = '\0';
    return parse_seed(first, &sweep->seed_from) && parse_seed(dots + 2, &sweep->seed_to);
}

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
    uint64_t number;
    if (strcmp(option, "--seeds") == 0) {
        if (!parse_seeds(value, sweep) || sweep->seed_from > sweep->seed_to ||
            sweep->seed_to > INT64_MAX - SWEEP_RUNS_MAX) {
            return usage_error("sweep", "seeds are A..B, whole numbers below 2^63, not", value);
        }
    } else if (strcmp(option, "--jobs") == 0) {
        if (!parse_seed(value, &number) || number < 1 || number > JOBS_MAX) {
            return usage_error("sweep", "jobs are a whole number from 1 to 1024, not", value);
        }
        sweep->jobs = (unsigned)number;
    } else if (strcmp(option, "--shard") == 0) {
        if (!parse_shard(value, sweep)) {
            return usage_error("sweep", "a shard is I/N with I from 1 to N, not", value);
        }
    } else if (strcmp(option, "--out") == 0) {
        sweep->out = value;
    } else if (strcmp(option, "--bug") == 0) {
        if (bug_find(value) < 0) {
            return usage_error("sweep", "murphy list bugs names them; there is no bug", value);
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
            bool known = strcmp(arg, "--seeds") == 0 || strcmp(arg, "--jobs") == 0 ||
                         strcmp(arg, "--shard") == 0 || strcmp(arg, "--out") == 0 ||
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

static bool digest_file(const char *path, char text[TRACE_HASH_TEXT_SIZE]) {
    FILE *file = fopen(path, "r");
    char *content = NULL;
    size_t length = 0, capacity = 0;
    bool read = file != NULL;
    while (read && !feof(file)) {
        read = ARRAY_RESERVE(content, capacity, length + 4096) == 0;
        length += read ? fread(content + length, 1, capacity - length, file) : 0;
        read = read && !ferror(file);
    }
    if (file != NULL) {
        fclose(file);
    }
    trace_hash_format(trace_digest((struct bytes){content, length}), text);
    free(content);
    return read;
}

/* Of the scenario's file and of those of its contracts, since both say what fails. */
static bool digest_scenario(struct sweep_scenario *scenario) {
    char texts[(SEAM_COUNT + 1) * (TRACE_HASH_TEXT_SIZE - 1) + 1];
    char *at = texts;
    bool read = digest_file(scenario->loaded.path, at);
    for (int seam = 0; read && seam < SEAM_COUNT; seam++) {
        at += strlen(at);
        read = digest_file(scenario->contracts.contracts[seam].file, at);
    }
    trace_hash_format(trace_digest(bytes_of(texts)), scenario->digest);
    return read;
}

static int add_scenario(struct sweep *sweep, const char *name, const char *directory,
                        bool only_without_file, size_t *capacity) {
    struct scenario_error error;
    if (ARRAY_RESERVE(sweep->scenarios, *capacity, sweep->scenario_count + 1) != 0) {
        fputs("murphy sweep: out of memory\n", stderr);
        return EXIT_INTERNAL;
    }
    struct sweep_scenario *added = &sweep->scenarios[sweep->scenario_count];
    *added = (struct sweep_scenario){.given = name};
    if (scenario_load(name, directory, sweep->settings, sweep->setting_count, &added->loaded,
                      &error) != 0) {
        /* The sentence of a scenario that waits for its file. */
        if (only_without_file && strstr(error.text, "needs a file of changes") != NULL) {
            return EXIT_HELD;
        }
        fprintf(stderr, "murphy sweep: %s\n", error.text);
        return EXIT_INPUT;
    }
    if (run_contracts_load(&added->loaded, &added->contracts, &error) != 0) {
        fprintf(stderr, "murphy sweep: %s\n", error.text);
        scenario_release(&added->loaded);
        return EXIT_INPUT;
    }
    sweep->scenario_count++;
    for (size_t i = 0; i + 1 < sweep->scenario_count; i++) {
        if (strcmp(sweep->scenarios[i].loaded.name, added->loaded.name) == 0) {
            return usage_error("sweep", "a scenario is given twice:", added->loaded.name);
        }
    }
    if (!digest_scenario(added)) {
        fprintf(stderr, "murphy sweep: cannot read %s: %s\n", added->loaded.path, strerror(errno));
        return EXIT_INPUT;
    }
    return EXIT_HELD;
}

static int load(struct sweep *sweep, const char *const *names, size_t count,
                const struct scenario_list *list, const char *directory) {
    size_t capacity = 0;
    int status = EXIT_HELD;
    for (size_t i = 0; status == EXIT_HELD && i < count; i++) {
        if (strcmp(names[i], "all") != 0) {
            status = add_scenario(sweep, names[i], directory, false, &capacity);
            continue;
        }
        for (size_t j = 0; status == EXIT_HELD && j < list->count; j++) {
            status = add_scenario(sweep, list->entries[j].name, directory, true, &capacity);
        }
    }
    return status;
}

/* ---- Playing ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
}

struct playing {
    const struct sweep *sweep;
    struct sweep_store *store;
    unsigned char *marks; /* a bit for each run that is there */
    uint64_t at;          /* the next to look at */
    uint64_t total, before, done, failures;
    int64_t began_ns, shown_ns;
    bool terminal;
};

static void host_forked(void *ctx) {
    struct playing *p = ctx;
    sweep_store_forked(p->store);
}

static int64_t host_next(void *ctx) {
    struct playing *p = ctx;
    while (p->at < p->total && (p->marks[p->at / 8] >> p->at % 8 & 1) != 0) {
        p->at++;
    }
    return p->at < p->total ? (int64_t)p->at++ : -1;
}

static void wipe(const struct playing *p) {
    if (p->terminal) {
        fputs("\r\033[K", stderr);
    }
}

static int host_done(void *ctx, uint64_t run, const struct sweep_outcome *outcome) {
    struct playing *p = ctx;
    char reproduce[REPRODUCE_SIZE];
    sweep_reproduce(p->sweep, run, reproduce, sizeof reproduce);
    struct sweep_row row = {.scenario = sweep_scenario_of(p->sweep, run)->loaded.name,
                            .seed = sweep_seed_of(p->sweep, run),
                            .outcome = *outcome,
                            .reproduce = reproduce};
    if (outcome->bad_input) {
        wipe(p);
        fprintf(stderr, "murphy sweep: %s\n", outcome->error);
        return EXIT_INPUT;
    }
    int status = sweep_store_add(p->store, &row);
    if (status != EXIT_HELD) {
        wipe(p);
        fprintf(stderr, "murphy sweep: %s\n", p->store->error);
        return status;
    }
    p->done++;
    if (outcome->verdict != RUN_PASS) {
        p->failures++;
        wipe(p);
        fprintf(stderr, "%s: %s\n  %s\n", run_verdict_name(outcome->verdict), outcome->cause,
                reproduce);
    }
    return 0;
}

/* A line that is drawn again and again on a terminal; elsewhere a line every ten seconds. */
static int host_tick(void *ctx) {
    struct playing *p = ctx;
    int64_t now_ns = clock_shim_real_monotonic_ns();
    int64_t pace_ns = p->terminal ? 200 * VTIME_MILLISECOND : 10 * VTIME_SECOND;
    if (interrupted) {
        return EXIT_INTERRUPTED;
    }
    if (now_ns - p->shown_ns < pace_ns) {
        return 0;
    }
    p->shown_ns = now_ns;
    int64_t gone_ns = now_ns - p->began_ns;
    uint64_t left = p->total - p->before - p->done;
    wipe(p);
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 ", %.2f seeds/s, %" PRIu64 " failures, %s left%s",
            p->before + p->done, p->total, (double)p->done * 1e9 / (double)gone_ns, p->failures,
            p->done == 0
                ? "?"
                : format_duration((int64_t)((double)gone_ns / (double)p->done * (double)left)).text,
            p->terminal ? "" : "\n");
    fflush(stderr);
    return 0;
}

static int complain(const struct sweep_store *store, int status) {
    fprintf(stderr, "murphy sweep: %s\n", store->error);
    return status;
}

static int play_marked(struct sweep *sweep, struct sweep_store *store, unsigned char *marks) {
    int64_t before = sweep_store_marks(store, sweep, marks);
    if (before < 0) {
        return complain(store, EXIT_INTERNAL);
    }
    struct playing p = {.sweep = sweep,
                        .store = store,
                        .marks = marks,
                        .total = sweep_runs(sweep),
                        .before = (uint64_t)before,
                        .began_ns = clock_shim_real_monotonic_ns(),
                        .terminal = colour_wanted(STDERR_FILENO)};
    p.shown_ns = p.began_ns;
    if (before > 0) {
        fprintf(stderr, "%s holds %" PRIu64 " of %" PRIu64 " runs: going on\n", sweep->out,
                p.before, p.total);
    }
    uint64_t left = p.total - p.before;
    sweep->jobs = left < sweep->jobs ? (unsigned)left : sweep->jobs;
    struct sweep_host host = {&p, host_forked, host_next, host_done, host_tick};
    int status = left == 0 ? EXIT_HELD : sweep_workers_play(sweep, &host);
    wipe(&p);
    if (status != EXIT_HELD && status != EXIT_INTERRUPTED) {
        return status < 0 ? EXIT_INTERNAL : status;
    }
    struct sweep_closing closing = {.json = sweep->json,
                                    .cover_ppm = sweep->cover_ppm,
                                    .interrupted = status == EXIT_INTERRUPTED,
                                    .played = p.done,
                                    .before = p.before,
                                    .missing = (int64_t)(left - p.done),
                                    .elapsed_ns = clock_shim_real_monotonic_ns() - p.began_ns,
                                    .jobs = sweep->jobs};
    int verdict = sweep_summary_write(store, &closing, stdout);
    if (store->error[0] != '\0' || sweep_store_finish(store) != EXIT_HELD) {
        return complain(store, EXIT_INTERNAL);
    }
    if (status == EXIT_INTERRUPTED && sweep->out != NULL) {
        fprintf(stderr, "murphy sweep: interrupted; started again with --out %s it goes on\n",
                sweep->out);
    }
    return status == EXIT_INTERRUPTED ? status : verdict;
}

static int play(struct sweep *sweep) {
    struct sweep_store store;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    int status =
        sweep->out == NULL ? sweep_store_memory(&store) : sweep_store_open(&store, sweep->out);
    if (status == EXIT_HELD) {
        status = sweep_store_begin(&store, sweep);
    }
    if (status != EXIT_HELD) {
        complain(&store, status);
    } else {
        unsigned char *marks = calloc(sweep_runs(sweep) / 8 + 1, 1);
        status = marks == NULL ? EXIT_INTERNAL : play_marked(sweep, &store, marks);
        free(marks);
    }
    sweep_store_close(&store);
    return status;
}

/* ---- All of it ---- */

static int sweep_all(struct sweep *sweep, const char *const *names, size_t count) {
    struct scenario_list list;
    struct scenario_error error;
    const char *directory = scenario_directory();
    if (directory == NULL) {
        return EXIT_INTERNAL;
    }
    if (scenario_list_load(directory, &list, &error) != 0) {
        fprintf(stderr, "murphy sweep: %s\n", error.text);
        return EXIT_INPUT;
    }
    int status = load(sweep, names, count, &list, directory);
    if (status == EXIT_HELD &&
        (sweep->seed_to - sweep->seed_from >= SWEEP_RUNS_MAX ||
         (sweep->seed_to - sweep->seed_from + 1) * sweep->scenario_count > SWEEP_RUNS_MAX)) {
        status = usage_error("sweep", "more than 100,000,000 runs are not one sweep", NULL);
    }
    if (status == EXIT_HELD && sweep->out != NULL && run_files_refused(sweep->out)) {
        status = EXIT_USAGE;
    }
    if (status == EXIT_HELD && !digest_file("/proc/self/exe", sweep->build)) {
        fprintf(stderr, "murphy sweep: cannot read the program: %s\n", strerror(errno));
        status = EXIT_INTERNAL;
    }
    if (status == EXIT_HELD) {
        status = play(sweep);
    }
    for (size_t i = 0; i < sweep->scenario_count; i++) {
        contract_set_release(&sweep->scenarios[i].contracts);
        scenario_release(&sweep->scenarios[i].loaded);
    }
    free(sweep->scenarios);
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
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct sweep sweep = {.shard = 1,
                          .shards = 1,
                          .jobs = processors < 1          ? 1
                                  : processors > JOBS_MAX ? JOBS_MAX
                                                          : (unsigned)processors};
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
