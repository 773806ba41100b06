/*
 * murphy relevance: how well search ranks by words, by vectors and by both, on a labelled set (B7).
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/murphy.h"
#include "sim/relevance_trial.h"

struct request {
    const char *products, *judgments; /* NULL: the generated set */
    uint64_t seed;
    bool json;
};

static void help(void) {
    puts("usage: murphy relevance [OPTIONS]\n\n"
         "Ranks the products of a labelled set by words (BM25), by vectors learned from\n"
         "the products, and by both, and says how good each ranking is.\n\n"
         "The set is generated, or read from files, plain or gzip, that go together:\n"
         "  --products FILE.jsonl   a JSON object a line: id, title or name, any more\n"
         "                          texts\n"
         "  --judgments FILE.csv    columns query, docid and rating, 0 to 9\n\n"
         "  --seed N                everything random follows from it; 1\n"
         "  --json                  the figures as JSON\n\n"
         "Nothing is tuned on the queries that it is scored on: each half of the queries\n"
         "is fused in the way that did best on the other half.");
}

/* EXIT_HELD to go on, or the status to leave with. */
static int parse(int argc, char **argv, struct request *r) {
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--json") == 0) {
            r->json = true;
            continue;
        }
        bool known = strcmp(name, "--products") == 0 || strcmp(name, "--judgments") == 0 ||
                     strcmp(name, "--seed") == 0;
        if (!known) {
            return usage_error("relevance", "unknown option", name);
        }
        if (i + 1 == argc) {
            return usage_error("relevance", "a value is missing after", name);
        }
        const char *value = argv[++i];
        if (strcmp(name, "--products") == 0) {
            r->products = value;
        } else if (strcmp(name, "--judgments") == 0) {
            r->judgments = value;
        } else if (!parse_seed(value, &r->seed)) {
            return usage_error("relevance", "the seed is a whole number from 0 to 2^64-1, not",
                               value);
        }
    }
    return (r->products == NULL) == (r->judgments == NULL)
               ? EXIT_HELD
               : usage_error("relevance", "--products and --judgments go together", NULL);
}

/* ---- text ---- */

static void print_row(const char *name, const struct relevance *figures) {
    char bar[31];
    int length = (int)(figures->ndcg10 * 30 + 0.5);
    memset(bar, '#', sizeof bar);
    bar[length < 30 ? length : 30] = '\0';
    printf("  %-8s %8.4f %8.4f %11.4f  %s\n", name, figures->ndcg10, figures->mrr,
           figures->recall100, bar);
}

static void print_fusion(int half, const struct fusion *fusion) {
    printf("  half %d: %s, %.0f %% vector and %.0f %% words\n", half + 1,
           fusion->kind == FUSION_WEIGHTED ? "weighted scores" : "reciprocal ranks",
           fusion->vector_weight * 100, (1 - fusion->vector_weight) * 100);
}

static void print_verdict(const struct relevance_report *report) {
    bool vector_better = report->vector.ndcg10 > report->bm25.ndcg10;
    printf("\nHybrid against %s, the better of the two: nDCG@10 %+.4f,\n"
           "95 %% of the bootstrap within %+.4f and %+.4f: %s.\n"
           "Of the queries %zu are better, %zu equal, %zu worse.\n",
           vector_better ? "vector" : "BM25", report->lift, report->lift_ci95.low,
           report->lift_ci95.high,
           report->lift_ci95.low > 0    ? "a lift"
           : report->lift_ci95.high < 0 ? "a loss"
                                        : "so few queries cannot tell it from none",
           report->better, report->equal, report->worse);
}

static void print_text(const struct request *r, const struct relevance_set *set,
                       const struct relevance_report *report) {
    printf("%s: %zu products, %zu queries with %zu judgments\n",
           r->products != NULL ? r->products : "The generated set", set->product_count,
           report->queries, set->judgment_count);
    if (set->query_count > report->queries) {
        printf("%zu more queries have no rating above 0 and are not scored.\n",
               set->query_count - report->queries);
    }
    if (set->strangers > 0) {
        printf("%zu judgments name products that are not there; no ranking can find those.\n",
               set->strangers);
    }
    fputs("\n            nDCG@10      MRR  recall@100  nDCG@10 from 0 to 1\n", stdout);
    print_row("BM25", &report->bm25);
    print_row("vector", &report->vector);
    print_row("hybrid", &report->hybrid);
    print_verdict(report);
    fputs("\nFused, by what did best on the other half of the queries:\n", stdout);
    print_fusion(0, &report->fused[0]);
    print_fusion(1, &report->fused[1]);
}

/* ---- JSON ---- */

static json_t *figures_json(const struct relevance *figures) {
    return json_pack("{s:f, s:f, s:f}", "ndcg10", figures->ndcg10, "mrr", figures->mrr, "recall100",
                     figures->recall100);
}

static int print_json(const struct relevance_report *report) {
    json_t *all =
        json_pack("{s:I, s:o, s:o, s:o, s:{s:f, s:[f, f]}}", "queries", (json_int_t)report->queries,
                  "bm25", figures_json(&report->bm25), "vector", figures_json(&report->vector),
                  "hybrid", figures_json(&report->hybrid), "lift", "ndcg10", report->lift, "ci95",
                  report->lift_ci95.low, report->lift_ci95.high);
    bool good =
        all != NULL && json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0;
    json_decref(all);
    if (!good) {
        fputs("murphy relevance: out of memory\n", stderr);
        return EXIT_INTERNAL;
    }
    putchar('\n');
    return EXIT_HELD;
}

/* ---- the command ---- */

static int load(const struct request *r, struct relevance_set *set) {
    struct relevance_error error;
    if (r->products == NULL) {
        if (relevance_set_generate(set, r->seed) == 0) {
            return EXIT_HELD;
        }
        fputs("murphy relevance: out of memory\n", stderr);
        return EXIT_INTERNAL;
    }
    if (relevance_set_read(set, r->products, r->judgments, &error) == 0) {
        return EXIT_HELD;
    }
    fprintf(stderr, "murphy relevance: %s\n", error.text);
    return EXIT_INPUT;
}

static int measure_and_show(const struct request *r, const struct relevance_set *set) {
    struct relevance_report report;
    if (relevance_trial(set, r->seed, &report) != 0) {
        fputs("murphy relevance: out of memory\n", stderr);
        return EXIT_INTERNAL;
    }
    if (r->json) {
        return print_json(&report);
    }
    print_text(r, set, &report);
    return EXIT_HELD;
}

int cmd_relevance(int argc, char **argv) {
    struct request r = {.seed = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            help();
            return EXIT_HELD;
        }
    }
    int status = parse(argc, argv, &r);
    if (status != EXIT_HELD) {
        return status;
    }
    struct relevance_set set;
    relevance_set_init(&set);
    status = load(&r, &set);
    if (status == EXIT_HELD) {
        status = measure_and_show(&r, &set);
    }
    relevance_set_release(&set);
    return status;
}
