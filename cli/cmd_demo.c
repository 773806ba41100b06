/*
 * murphy demo: the story live, in five acts. Each plays a scenario and tells what happened from its
 * result; nothing in it is told from memory.
 */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/demo_flow.h"
#include "cli/murphy.h"
#include "cli/run_contracts.h"
#include "cli/run_files.h"
#include "cli/scenario_run.h"
#include "scenarios/scenario.h"

/* On a terminal the display rests so long behind each hop of the update that is followed. */
#define HOP_PAUSE_NS (120 * VTIME_MILLISECOND)

static struct scenario_run *volatile playing; /* read by the signal handler */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
    if (playing != NULL) {
        scenario_run_interrupt(playing);
    }
}

/* ---- Telling ---- */

struct teller {
    bool colour;
    const char *out; /* folder for the reports, or NULL */
    uint64_t seed;
};

enum tone { TONE_TITLE = 1, TONE_GOOD = 32, TONE_BAD = 31, TONE_DIM = 2 };

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static void
tell(const struct teller *t, enum tone tone, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (t->colour) {
        printf("\033[%dm", (int)tone);
    }
    vprintf(format, arguments);
    if (t->colour) {
        fputs("\033[0m", stdout);
    }
    putchar('\n');
    fflush(stdout);
    va_end(arguments);
}

static uint64_t count_of(const struct run_counts *counts, const char *name) {
    for (size_t i = 0; i < counts->count; i++) {
        if (strcmp(counts->items[i].name, name) == 0) {
            return counts->items[i].count;
        }
    }
    return 0;
}

static void tell_clock(int64_t since_ns, char *text, size_t size) {
    snprintf(text, size, "+%lld:%02lld:%02lld", (long long)(since_ns / VTIME_HOUR),
             (long long)(since_ns / VTIME_MINUTE % 60), (long long)(since_ns / VTIME_SECOND % 60));
}

static void tell_verdict(const struct teller *t, const struct run_result *r) {
    size_t held = run_checks_with(r, RUN_CHECK_PASS);
    bool pass = r->verdict == RUN_PASS;
    tell(t, pass ? TONE_GOOD : TONE_BAD,
         "  %s: %zu of %zu checks held, %zu of %zu objectives met; %.0f virtual s in %.2f s",
         run_verdict_name(r->verdict), held, r->check_count, run_slos_with(r, RUN_SLO_MET),
         r->slo_count, (double)r->virtual_ns / 1e9, (double)r->wall_ns / 1e9);
    tell(t, TONE_DIM, "  trace %s   again: %s", r->trace_hash, r->reproduce);
}

static void tell_flow(const struct teller *t, const struct run_result *r) {
    putchar('\n');
    printf("  %llu operations became %llu visible changes in every store.\n",
           (unsigned long long)count_of(&r->events, "operations"),
           (unsigned long long)count_of(&r->events, "visible_changes"));
    for (size_t i = 0; i < r->freshness_count; i++) {
        const struct run_freshness *f = &r->freshness[i];
        printf("  %-14s visible after %6.2f s (median), %6.2f s (95 %%), %llu changes\n", f->store,
               (double)histogram_quantile_ns(&f->visibility, 500) / 1e9,
               (double)histogram_quantile_ns(&f->visibility, 950) / 1e9,
               (unsigned long long)f->visibility.count);
    }
    printf("  %llu embeddings made, %llu avoided since nothing that they show had changed.\n",
           (unsigned long long)r->costs.embeddings_made,
           (unsigned long long)r->costs.embeddings_avoided);
    tell_verdict(t, r);
}

static void tell_break(const struct teller *t, const struct run_result *r) {
    for (size_t i = 0; i < r->faults.count; i++) {
        printf("  %-24s struck %6llu times\n", r->faults.items[i].name,
               (unsigned long long)r->faults.items[i].count);
    }
    printf("  %llu stale writes were refused, %llu requests retried, %llu late records absorbed.\n",
           (unsigned long long)r->costs.stale_rejected,
           (unsigned long long)count_of(&r->reached, "retries"),
           (unsigned long long)count_of(&r->events, "late"));
    tell_verdict(t, r);
}

static void tell_catch(const struct teller *t, const struct run_result *r) {
    for (size_t i = 0; i < r->band_count && i < 3; i++) {
        char from[32], to[32];
        tell_clock(r->bands[i].from_ns - r->start_ns, from, sizeof from);
        tell_clock(r->bands[i].to_ns - r->start_ns, to, sizeof to);
        printf("  %s to %s   %s on %s\n", from, to, r->bands[i].kind, r->bands[i].subject);
    }
    for (size_t i = 0; i < r->alert_count; i++) {
        char at[32];
        if (r->alerts[i].at_ns > r->start_ns + r->virtual_ns) {
            continue;
        }
        tell_clock(r->alerts[i].at_ns - r->start_ns, at, sizeof at);
        printf("  %s %-7s %s on %s\n            %s\n", at,
               r->alerts[i].raised ? "RAISED" : run_alert_word(&r->alerts[i]), r->alerts[i].name,
               r->alerts[i].subject, r->alerts[i].evidence);
    }
    tell_verdict(t, r);
}

static void tell_repair(const struct teller *t, const struct run_result *r) {
    const struct run_reconciliation *reconciliation = &r->reconciliation;
    for (size_t i = 0; i < reconciliation->store_count; i++) {
        const struct run_store_drift *drift = &reconciliation->stores[i];
        printf("  %-14s %-18s %6llu before, %llu after repair\n", drift->store,
               run_drift_name(drift->drift), (unsigned long long)drift->before,
               (unsigned long long)drift->after);
    }
    for (size_t i = 0; i < reconciliation->store_count; i++) {
        const struct run_store_drift *drift = &reconciliation->stores[i];
        if (drift->drift == RUN_DRIFT_ORPHAN && strcmp(drift->store, "keyword") == 0) {
            printf(
                "  %llu deleted products could still be found by their words; %llu after repair.\n",
                (unsigned long long)drift->before, (unsigned long long)drift->after);
        }
    }
    puts("  the first differences, row by row:");
    for (size_t i = 0; i < reconciliation->sample_count && i < 6; i++) {
        const struct run_drift_sample *sample = &reconciliation->samples[i];
        printf("    %-13s listing %s: %s\n", sample->store, sample->listing, sample->reason);
    }
    tell_verdict(t, r);
}

static void tell_proof(const struct teller *t, const struct run_result *r) {
    for (size_t i = 0; i < r->check_count; i++) {
        if (r->checks[i].status == RUN_CHECK_FAIL) {
            tell(t, TONE_BAD, "  %s failed: expected %s, observed %s", r->checks[i].name,
                 r->checks[i].expected, r->checks[i].observed);
        }
    }
    tell_verdict(t, r);
}

/* ---- Acts ---- */

struct act {
    const char *name;
    const char *scenario;
    const char *bug;
    enum run_verdict wanted;
    const char *title;
    void (*tell)(const struct teller *t, const struct run_result *r);
    bool follow; /* one update, live, through every hop */
};

static const struct act acts[] = {
    {"flow", "calm-day", NULL, RUN_PASS, "FLOW    a calm day: every store ends as the sellers said",
     tell_flow, true},
    {"break", "bad-day", NULL, RUN_PASS, "BREAK   a bad day: everything goes wrong, on purpose",
     tell_break, false},
    {"catch", "stalled-feed", NULL, RUN_PASS,
     "CATCH   a feed stands still, and the freshness watch says so", tell_catch, false},
    {"repair", "dual-write-drift", NULL, RUN_PASS,
     "REPAIR  deleted products stay searchable; reconciliation finds and mends them", tell_repair,
     false},
    {"proof", "duplicate-storm", "no-dedupe", RUN_FAIL,
     "PROOF   take one protection away, and the harness turns red", tell_proof, false},
};
enum { ACTS = sizeof acts / sizeof *acts };

static int play(const struct teller *t, const struct act *act, const char *directory) {
    struct scenario scenario;
    struct scenario_error error;
    if (scenario_load(act->scenario, directory, NULL, 0, &scenario, &error) != 0) {
        fprintf(stderr, "murphy demo: %s\n", error.text);
        return EXIT_INPUT;
    }
    struct contract_set contracts;
    if (run_contracts_load(&scenario, &contracts, &error) != 0) {
        fprintf(stderr, "murphy demo: %s\n", error.text);
        scenario_release(&scenario);
        return EXIT_INPUT;
    }
    char reproduce[160];
    snprintf(reproduce, sizeof reproduce, "murphy run %s --seed %llu%s%s", act->scenario,
             (unsigned long long)t->seed, act->bug == NULL ? "" : " --bug ",
             act->bug == NULL ? "" : act->bug);
    struct scenario_run_options options = {.seed = t->seed,
                                           .bug = act->bug,
                                           .contracts = &contracts,
                                           .keep_history = t->out != NULL,
                                           .reproduce = reproduce};
    struct page page = {.out = stdout, .colour = t->colour};
    struct demo_flow flow;
    if (act->follow) {
        demo_flow_init(&flow, &page, scenario.workload.start, t->colour ? HOP_PAUSE_NS : 0);
        options.listener = demo_flow_listener(&flow);
    }
    tell(t, TONE_TITLE, "\n%s", act->title);
    playing = scenario_run_new(&scenario, &options);
    if (interrupted && playing != NULL) {
        scenario_run_interrupt(playing); /* the signal came before there was a run to stop */
    }
    int status = EXIT_INTERNAL;
    enum scenario_run_status played =
        playing == NULL ? SCENARIO_RUN_ERROR : scenario_run_play(playing);
    if (played == SCENARIO_RUN_DONE) {
        const struct run_result *result = scenario_run_result(playing);
        if (act->follow) {
            demo_flow_tell(&flow);
        }
        act->tell(t, result);
        status = result->verdict == act->wanted ? EXIT_HELD : EXIT_CHECK_FAILED;
        if (t->out != NULL) {
            char path[4096], text[640];
            snprintf(path, sizeof path, "%s/%s", t->out, act->name);
            if (run_files_save(playing, path, text, sizeof text) != 0) {
                fprintf(stderr, "murphy demo: %s\n", text);
                status = EXIT_INTERNAL;
            } else {
                tell(t, TONE_DIM, "  report %s/report.html", path);
            }
        }
    } else if (played == SCENARIO_RUN_INTERRUPTED) {
        status = EXIT_INTERRUPTED;
    } else {
        fprintf(stderr, "murphy demo: %s\n",
                playing == NULL ? "out of memory" : scenario_run_error(playing));
    }
    struct scenario_run *run = playing;
    playing = NULL;
    scenario_run_free(run);
    contract_set_release(&contracts);
    scenario_release(&scenario);
    return status;
}

static bool story_known(const char *name) {
    for (size_t i = 0; i < ACTS; i++) {
        if (strcmp(acts[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void help(void) {
    puts("usage: murphy demo [STORY] [--seed N] [--out DIR]\n\n"
         "Tells the story live. STORY is one of flow, break, catch, repair, proof;\n"
         "without one, all of them. --out DIR leaves a report and the stores of each act\n"
         "in DIR/STORY.");
}

int cmd_demo(int argc, char **argv) {
    struct teller teller = {.colour = colour_wanted(STDOUT_FILENO), .seed = 1};
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        bool takes_value = strcmp(argv[i], "--out") == 0 || strcmp(argv[i], "--seed") == 0;
        if (strcmp(argv[i], "--help") == 0) {
            help();
            return EXIT_HELD;
        }
        if (takes_value && i + 1 == argc) {
            return usage_error("demo", "a value is missing after", argv[i]);
        }
        if (strcmp(argv[i], "--out") == 0) {
            teller.out = argv[++i];
        } else if (strcmp(argv[i], "--seed") == 0) {
            if (!parse_seed(argv[++i], &teller.seed)) {
                return usage_error("demo", "the seed is a whole number from 0 to 2^64-1, not",
                                   argv[i]);
            }
        } else if (argv[i][0] == '-') {
            return usage_error("demo", "unknown option", argv[i]);
        } else if (only == NULL) {
            only = argv[i];
        } else {
            return usage_error("demo", "one story at a time; not wanted:", argv[i]);
        }
    }
    const char *directory = scenario_directory();
    if (directory == NULL) {
        return EXIT_INTERNAL;
    }
    if (only != NULL && !story_known(only)) {
        return usage_error("demo", "there is no story", only);
    }
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    if (teller.out != NULL && run_files_folder(teller.out) != 0) {
        return EXIT_INTERNAL;
    }
    int worst = EXIT_HELD;
    for (size_t i = 0; i < ACTS && !interrupted; i++) {
        if (only != NULL && strcmp(only, acts[i].name) != 0) {
            continue;
        }
        int status = play(&teller, &acts[i], directory);
        worst = status > worst ? status : worst;
    }
    return interrupted ? EXIT_INTERRUPTED : worst;
}
