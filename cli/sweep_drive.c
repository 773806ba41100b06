#define _XOPEN_SOURCE 700

#include "cli/sweep_drive.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/murphy.h"
#include "cli/reproduce.h"
#include "cli/run_files.h"
#include "cli/sweep_load.h"
#include "cli/sweep_workers.h"
#include "pipeline/vtime.h"
#include "reports/format.h"
#include "sim/clock_shim.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
}

struct playing {
    const struct sweep *sweep;
    const struct sweep_caller *caller;
    struct sweep_store *store;
    unsigned char *marks; /* a bit for each run that is there */
    uint64_t at;          /* the next to look at */
    uint64_t total, before, done, unwanted;
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
    char why[SWEEP_WHY_SIZE];
    struct sweep_row row = {.scenario = sweep_scenario_of(p->sweep, run)->loaded.name,
                            .bug = sweep_case_of(p->sweep, run)->bug,
                            .seed = sweep_seed_of(p->sweep, run),
                            .outcome = *outcome,
                            .reproduce = reproduce};
    if (outcome->bad_input) {
        wipe(p);
        fprintf(stderr, "murphy %s: %s\n", p->sweep->command, outcome->error);
        return EXIT_INPUT;
    }
    int status = sweep_store_add(p->store, &row);
    if (status != EXIT_HELD) {
        wipe(p);
        fprintf(stderr, "murphy %s: %s\n", p->sweep->command, p->store->error);
        return status;
    }
    p->done++;
    if (!p->caller->wanted(&row, why)) {
        p->unwanted++;
        wipe(p);
        fprintf(stderr, "%s\n  %s\n", why, reproduce);
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
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 ", %.2f seeds/s, %" PRIu64 " %s, %s left%s",
            p->before + p->done, p->total, (double)p->done * 1e9 / (double)gone_ns, p->unwanted,
            p->caller->unwanted,
            p->done == 0
                ? "?"
                : format_duration((int64_t)((double)gone_ns / (double)p->done * (double)left)).text,
            p->terminal ? "" : "\n");
    fflush(stderr);
    return 0;
}

static int complain(const struct sweep *sweep, const struct sweep_store *store, int status) {
    fprintf(stderr, "murphy %s: %s\n", sweep->command, store->error);
    return status;
}

static int play_marked(struct sweep *sweep, const struct sweep_caller *caller,
                       struct sweep_store *store, unsigned char *marks) {
    int64_t before = sweep_store_marks(store, sweep, marks);
    if (before < 0) {
        return complain(sweep, store, EXIT_INTERNAL);
    }
    struct playing p = {.sweep = sweep,
                        .caller = caller,
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
    if (sweep->out != NULL) {
        snprintf(closing.page, sizeof closing.page, "%s/report.html", sweep->out);
    }
    int verdict = caller->summary(caller->ctx, store, &closing, stdout);
    if (store->error[0] != '\0' || sweep_store_finish(store) != EXIT_HELD) {
        return complain(sweep, store, EXIT_INTERNAL);
    }
    if (status == EXIT_INTERRUPTED && sweep->out != NULL) {
        fprintf(stderr, "murphy %s: interrupted; started again with --out %s it goes on\n",
                sweep->command, sweep->out);
    }
    return status == EXIT_INTERRUPTED ? status : verdict;
}

static int play(struct sweep *sweep, const struct sweep_caller *caller) {
    struct sweep_store store;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    int status =
        sweep->out == NULL ? sweep_store_memory(&store) : sweep_store_open(&store, sweep->out);
    if (status == EXIT_HELD) {
        status = sweep_store_begin(&store, sweep);
    }
    if (status != EXIT_HELD) {
        complain(sweep, &store, status);
    } else {
        unsigned char *marks = calloc(sweep_runs(sweep) / 8 + 1, 1);
        status = marks == NULL ? EXIT_INTERNAL : play_marked(sweep, caller, &store, marks);
        free(marks);
    }
    sweep_store_close(&store);
    return status;
}

int sweep_drive(struct sweep *sweep, const struct sweep_caller *caller) {
    if (sweep->seed_to - sweep->seed_from >= SWEEP_RUNS_MAX ||
        (sweep->seed_to - sweep->seed_from + 1) * sweep->case_count > SWEEP_RUNS_MAX) {
        return usage_error(sweep->command, "more than 100,000,000 runs are not one sweep", NULL);
    }
    if (sweep->out != NULL && run_files_refused(sweep->out)) {
        return EXIT_USAGE;
    }
    if (!sweep_digest_file("/proc/self/exe", sweep->build)) {
        fprintf(stderr, "murphy %s: cannot read the program: %s\n", sweep->command,
                strerror(errno));
        return EXIT_INTERNAL;
    }
    return play(sweep, caller);
}
