/*
 * murphy tune: recall against latency of the vector index over M, efConstruction and ef, and the
 * operating point for a stated recall (D8).
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/murphy.h"
#include "cli/tune.h"
#include "sim/hnsw.h"

volatile sig_atomic_t tune_interrupted;

static void interrupt(int number) {
    (void)number;
    tune_interrupted = 1;
}

static void help(void) {
    puts("usage: murphy tune [OPTIONS]\n\n"
         "Measures recall and speed of the vector index (HNSW) over a grid of its\n"
         "parameters and picks the fastest point that reaches a recall.\n\n"
         "Vectors, generated in clusters:\n"
         "  --count N             5000\n"
         "  --dim N               768\n"
         "  --clusters N          50\n"
         "  --queries-count N     400\n"
         "or from files, which are .fvecs:\n"
         "  --base FILE           what is searched\n"
         "  --queries FILE        what is looked for\n\n"
         "Searches:\n"
         "  --metric l2|cosine    cosine\n"
         "  --k N                 how many nearest are wanted; 10\n"
         "  --deleted PERCENT     rows removed after building; 0\n"
         "  --accept PERCENT      rows that a filter lets pass; 100\n"
         "  --seed N              everything random follows from it; 1\n\n"
         "Grid, values with commas between them:\n"
         "  --m LIST              links of a row; 8,16,32\n"
         "  --ef-construction LIST  candidates when building; 100,200\n"
         "  --ef LIST             candidates when searching; 10,20,40,80,160\n\n"
         "Result:\n"
         "  --objective R         recall@k to be reached; 0.95\n"
         "  --json                every point as JSON\n"
         "  --out FILE.svg        a plot too, drawn by gnuplot\n\n"
         "Recall is the same on every machine, speed is this machine's. Exit status: 0 a\n"
         "point was chosen, 2 none reaches the objective.");
}

/* --- values --- */

static bool parse_whole(const char *text, uint64_t least, uint64_t most, uint64_t *out) {
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < least || value > most) {
        return false;
    }
    *out = value;
    return true;
}

/* The program never leaves the C locale for numbers, so the decimal mark is a point. */
static bool parse_objective(const char *text, double *out) {
    if (strspn(text, "0123456789.") != strlen(text)) {
        return false;
    }
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0) || value > 1) {
        return false;
    }
    *out = value;
    return true;
}

/* "8,16,32", ascending, each within the bounds. */
static bool parse_axis(const char *text, uint64_t least, uint64_t most, struct tune_axis *axis) {
    char copy[256];
    if (strlen(text) >= sizeof copy) {
        return false;
    }
    strcpy(copy, text);
    axis->count = 0;
    for (char *at = copy; at != NULL;) {
        char *comma = strchr(at, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        uint64_t value;
        if (axis->count == TUNE_GRID_MAX || !parse_whole(at, least, most, &value) ||
            (axis->count > 0 && value <= axis->values[axis->count - 1])) {
            return false;
        }
        axis->values[axis->count++] = (uint32_t)value;
        at = comma == NULL ? NULL : comma + 1;
    }
    return true;
}

/* --- options --- */

/* What was said, as far as it matters whether it was. */
struct given {
    bool generated;
    bool ef;
};

enum kind { WHOLE, AXIS, METRIC, OBJECTIVE, TEXT, FLAG };

struct option {
    const char *name;
    enum kind kind;
    uint64_t least, most;
    const char *wanted; /* ends a sentence about what was given in its place */
};

static const struct option option_table[] = {
    {"--count", WHOLE, 1, 100000000, "--count is a whole number from 1 to 100000000, not"},
    {"--dim", WHOLE, 1, HNSW_DIM_MAX, "--dim is a whole number from 1 to 4096, not"},
    {"--clusters", WHOLE, 1, 1000000, "--clusters is a whole number from 1 to 1000000, not"},
    {"--queries-count", WHOLE, 1, 1000000,
     "--queries-count is a whole number from 1 to 1000000, not"},
    {"--k", WHOLE, 1, 1000, "--k is a whole number from 1 to 1000, not"},
    {"--deleted", WHOLE, 0, 95, "--deleted is a whole percentage from 0 to 95, not"},
    {"--accept", WHOLE, 1, 100, "--accept is a whole percentage from 1 to 100, not"},
    {"--seed", WHOLE, 0, UINT64_MAX, "the seed is a whole number from 0 to 2^64-1, not"},
    {"--m", AXIS, 2, HNSW_M_MAX, "--m takes up to 16 ascending numbers from 2 to 128, not"},
    {"--ef-construction", AXIS, 1, HNSW_EF_MAX,
     "--ef-construction takes up to 16 ascending numbers from 1 to 65536, not"},
    {"--ef", AXIS, 1, HNSW_EF_MAX, "--ef takes up to 16 ascending numbers from 1 to 65536, not"},
    {"--metric", METRIC, 0, 0, "the metric is l2 or cosine, not"},
    {"--objective", OBJECTIVE, 0, 0, "the objective is a recall above 0 and up to 1, not"},
    {"--base", TEXT, 0, 0, NULL},
    {"--queries", TEXT, 0, 0, NULL},
    {"--out", TEXT, 0, 0, NULL},
    {"--json", FLAG, 0, 0, NULL},
};

static const struct option *find_option(const char *name) {
    for (size_t i = 0; i < sizeof option_table / sizeof option_table[0]; i++) {
        if (strcmp(option_table[i].name, name) == 0) {
            return &option_table[i];
        }
    }
    return NULL;
}

static void set_whole(struct tune_request *r, struct given *given, const char *name,
                      uint64_t value) {
    if (strcmp(name, "--count") == 0) {
        r->count = (size_t)value;
    } else if (strcmp(name, "--dim") == 0) {
        r->dim = (size_t)value;
    } else if (strcmp(name, "--clusters") == 0) {
        r->clusters = (size_t)value;
    } else if (strcmp(name, "--queries-count") == 0) {
        r->query_count = (size_t)value;
    } else if (strcmp(name, "--k") == 0) {
        r->k = (uint32_t)value;
        return;
    } else if (strcmp(name, "--deleted") == 0) {
        r->deleted_percent = (uint32_t)value;
        return;
    } else if (strcmp(name, "--accept") == 0) {
        r->accept_percent = (uint32_t)value;
        return;
    } else {
        r->seed = value;
        return;
    }
    given->generated = true;
}

static bool set_axis(struct tune_request *r, struct given *given, const struct option *option,
                     const char *value) {
    struct tune_axis *axis = strcmp(option->name, "--m") == 0    ? &r->m
                             : strcmp(option->name, "--ef") == 0 ? &r->ef
                                                                 : &r->ef_construction;
    given->ef = given->ef || axis == &r->ef;
    return parse_axis(value, option->least, option->most, axis);
}

static bool set_option(struct tune_request *r, struct given *given, const struct option *option,
                       const char *value) {
    uint64_t whole;
    switch (option->kind) {
    case WHOLE:
        if (!parse_whole(value, option->least, option->most, &whole)) {
            return false;
        }
        set_whole(r, given, option->name, whole);
        return true;
    case AXIS:
        return set_axis(r, given, option, value);
    case METRIC:
        return vector_metric_parse(value, &r->metric);
    case OBJECTIVE:
        return parse_objective(value, &r->objective);
    case TEXT:
        *(strcmp(option->name, "--base") == 0      ? &r->base
          : strcmp(option->name, "--queries") == 0 ? &r->queries
                                                   : &r->out) = value;
        return true;
    case FLAG:
        r->json = true;
        return true;
    }
    return false;
}

/* ef below k would be k: the grid has no such points. */
static int settle_ef(struct tune_request *r, bool given) {
    if (given) {
        return r->ef.values[0] >= r->k
                   ? EXIT_HELD
                   : usage_error("tune", "an ef below k finds no k; each --ef must be at least --k",
                                 NULL);
    }
    static const uint32_t usual[] = {10, 20, 40, 80, 160};
    r->ef.count = 0;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        uint32_t ef = r->k <= usual[0] ? usual[i] : usual[i] / 10 * r->k;
        r->ef.values[r->ef.count++] = ef;
    }
    return EXIT_HELD;
}

/* What an option alone cannot say. */
static int settle(struct tune_request *r, const struct given *given) {
    if ((r->base == NULL) != (r->queries == NULL)) {
        return usage_error("tune", "--base and --queries go together", NULL);
    }
    if (r->base != NULL && given->generated) {
        return usage_error("tune",
                           "--count, --dim, --clusters and --queries-count are for generated "
                           "vectors and do not go with --base",
                           NULL);
    }
    return settle_ef(r, given->ef);
}

/* EXIT_HELD to go on, or the status to leave with; *done says that nothing is left to do. */
static int parse(int argc, char **argv, struct tune_request *r, bool *done) {
    struct given given = {false, false};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--help") == 0) {
            help();
            *done = true;
            return EXIT_HELD;
        }
        const struct option *option = find_option(name);
        if (option == NULL) {
            return usage_error("tune", "unknown option", name);
        }
        const char *value = NULL;
        if (option->kind != FLAG) {
            if (i + 1 == argc) {
                return usage_error("tune", "a value is missing after", name);
            }
            value = argv[++i];
        }
        if (!set_option(r, &given, option, value)) {
            return usage_error("tune", option->wanted, value);
        }
    }
    return settle(r, &given);
}

/* --- the command --- */

static int show(const struct tune_result *result) {
    const struct tune_request *r = result->request;
    if (!r->json) {
        tune_print_text(result, stdout);
    } else if (!tune_print_json(result, stdout)) {
        fputs("murphy tune: out of memory\n", stderr);
        return EXIT_INTERNAL;
    }
    int status = r->out != NULL ? tune_svg_write(result, r->out) : EXIT_HELD;
    if (status != EXIT_HELD) {
        return status;
    }
    return result->chosen != NULL ? EXIT_HELD : EXIT_SLO_FAILED;
}

static int measure_and_show(const struct tune_request *r) {
    if (r->out != NULL) {
        int status = tune_svg_begin(r->out);
        if (status != EXIT_HELD) {
            return status;
        }
    }
    struct tune_result result;
    int status = tune_measure(r, &result);
    if (tune_interrupted != 0) {
        fputs("murphy tune: interrupted\n", stderr);
        status = EXIT_INTERRUPTED;
    }
    if (status == EXIT_HELD) {
        status = show(&result);
    }
    tune_release(&result);
    return status;
}

int cmd_tune(int argc, char **argv) {
    struct tune_request r = {
        .count = 5000,
        .dim = 768,
        .clusters = 50,
        .query_count = 400,
        .metric = VECTOR_COSINE,
        .seed = 1,
        .k = 10,
        .accept_percent = 100,
        .objective = 0.95,
        .m = {{8, 16, 32}, 3},
        .ef_construction = {{100, 200}, 2},
    };
    bool done = false;
    int status = parse(argc, argv, &r, &done);
    if (status != EXIT_HELD || done) {
        return status;
    }
    struct sigaction on_interrupt = {.sa_handler = interrupt};
    struct sigaction int_before;
    struct sigaction term_before;
    sigaction(SIGINT, &on_interrupt, &int_before);
    sigaction(SIGTERM, &on_interrupt, &term_before);
    status = measure_and_show(&r);
    sigaction(SIGINT, &int_before, NULL);
    sigaction(SIGTERM, &term_before, NULL);
    return status;
}
