#define _XOPEN_SOURCE 700

#include "cli/murphy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/scenario.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
};

static const struct command commands[] = {
    {"run", cmd_run, "play one scenario under one seed and judge it"},
    {"sweep", cmd_sweep, "many seeds of many scenarios over many processes"},
    {"merge", cmd_merge, "the shards of a sweep as one"},
    {"bugs", cmd_bugs, "take each protection away in turn: which check notices"},
    {"list", cmd_list, "scenarios, faults, checks, contracts, bugs, and what else there is"},
    {"query", cmd_query, "ask the stores of a finished run, as of any moment, in SQL"},
    {"explain", cmd_explain, "one update through every hop; a number back to its rows"},
    {"rebuild", cmd_rebuild, "make the layers of a finished run anew, show what differs"},
    {"tune", cmd_tune, "draw recall against latency of the vector index, pick a point"},
    {"relevance", cmd_relevance, "how well search ranks by words, by vectors and by both"},
    {"demo", cmd_demo, "the story live: flow, break, catch, repair"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void help(FILE *out) {
    fputs("Murphy plays a day of marketplace traffic through the real pipeline core, breaks\n"
          "it on purpose, and shows whether every store ended right. Same seed, same bytes.\n\n"
          "usage: murphy COMMAND [OPTIONS]\n\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].about);
    }
    fputs("\nmurphy COMMAND --help says what a command takes. To begin: murphy demo\n"
          "Exit status: 0 all held, 1 a check failed, 2 only an objective failed, 64 usage,\n"
          "65 bad input, 70 internal error, 130 interrupted.\n",
          out);
}

int usage_error(const char *command, const char *text, const char *what) {
    fprintf(stderr, "murphy %s: %s%s%s%s; see murphy %s --help\n", command, text,
            what == NULL ? "" : " '", what == NULL ? "" : what, what == NULL ? "" : "'", command);
    return EXIT_USAGE;
}

bool parse_seed(const char *text, uint64_t *seed) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *seed = value;
    return errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9';
}

bool colour_wanted(int file_descriptor) {
    const char *no_color = getenv("NO_COLOR");
    return isatty(file_descriptor) == 1 && (no_color == NULL || no_color[0] == '\0');
}

/* A folder by its way from the program to it, as its whole path; NULL with a message. */
static const char *folder_of(const char *way, const char *what, char path[PATH_MAX]) {
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) {
        fprintf(stderr, "murphy: cannot read /proc/self/exe: %s\n", strerror(errno));
        return NULL;
    }
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    *slash = '\0';
    char joined[PATH_MAX];
    int n = snprintf(joined, sizeof joined, "%s/%s", program, way);
    if (n < 0 || (size_t)n >= sizeof joined || realpath(joined, path) == NULL) {
        fprintf(stderr, "murphy: there is no folder of %s at %s/%s\n", what, program, way);
        return NULL;
    }
    return path;
}

const char *scenario_directory(void) {
    static char path[PATH_MAX];
    return folder_of(MURPHY_SCENARIOS_DIR, "scenarios", path);
}

int scenarios_listed(const char *command, struct scenario_list *list) {
    const char *directory = scenario_directory();
    struct scenario_error error;
    if (directory == NULL) {
        return EXIT_INTERNAL;
    }
    if (scenario_list_load(directory, list, &error) != 0) {
        fprintf(stderr, "murphy %s: %s\n", command, error.text);
        return EXIT_INPUT;
    }
    return EXIT_HELD;
}

const char *contract_directory(void) {
    static char path[PATH_MAX];
    return folder_of(MURPHY_CONTRACTS_DIR, "contracts", path);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (argc < 2) {
        help(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        help(stdout);
        return EXIT_HELD;
    }
    if (strcmp(name, "--version") == 0) {
        puts("murphy " MURPHY_VERSION);
        return EXIT_HELD;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            int status = commands[i].run(argc - 1, argv + 1);
            bool failed = fflush(stdout) != 0 || ferror(stdout);
            if (failed && status == EXIT_HELD) {
                fprintf(stderr, "murphy: cannot write the result: %s\n", strerror(errno));
                return EXIT_INTERNAL;
            }
            return status;
        }
    }
    fprintf(stderr, "murphy: there is no command '%s'; murphy --help lists them\n", name);
    return EXIT_USAGE;
}
