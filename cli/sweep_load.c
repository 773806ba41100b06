#define _XOPEN_SOURCE 700

#include "cli/sweep_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/murphy.h"
#include "cli/run_contracts.h"
#include "pipeline/array.h"

enum { JOBS_MAX = 1024 };

struct sweep sweep_begin(const char *command) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return (struct sweep){.command = command,
                          .shard = 1,
                          .shards = 1,
                          .jobs = processors < 1          ? 1
                                  : processors > JOBS_MAX ? JOBS_MAX
                                                          : (unsigned)processors};
}

void sweep_release(struct sweep *sweep) {
    for (size_t i = 0; i < sweep->scenario_count; i++) {
        contract_set_release(&sweep->scenarios[i].contracts);
        scenario_release(&sweep->scenarios[i].loaded);
    }
    free(sweep->scenarios);
    free(sweep->cases);
}

static int out_of_memory(const struct sweep *sweep) {
    fprintf(stderr, "murphy %s: out of memory\n", sweep->command);
    return EXIT_INTERNAL;
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

bool sweep_option_known(const char *option) {
    return strcmp(option, "--seeds") == 0 || strcmp(option, "--jobs") == 0 ||
           strcmp(option, "--out") == 0;
}

int sweep_option_take(struct sweep *sweep, const char *option, const char *value) {
    uint64_t number;
    if (strcmp(option, "--seeds") == 0) {
        if (!parse_seeds(value, sweep) || sweep->seed_from > sweep->seed_to ||
            sweep->seed_to > INT64_MAX - SWEEP_RUNS_MAX) {
            return usage_error(sweep->command, "seeds are A..B, whole numbers below 2^63, not",
                               value);
        }
    } else if (strcmp(option, "--jobs") == 0) {
        if (!parse_seed(value, &number) || number < 1 || number > JOBS_MAX) {
            return usage_error(sweep->command, "jobs are a whole number from 1 to 1024, not",
                               value);
        }
        sweep->jobs = (unsigned)number;
    } else {
        sweep->out = value;
    }
    return EXIT_HELD;
}

/* ---- Scenarios ---- */

bool sweep_digest_file(const char *path, char text[TRACE_HASH_TEXT_SIZE]) {
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
    bool read = sweep_digest_file(scenario->loaded.path, at);
    for (int seam = 0; read && seam < SEAM_COUNT; seam++) {
        at += strlen(at);
        read = sweep_digest_file(scenario->contracts.contracts[seam].file, at);
    }
    trace_hash_format(trace_digest(bytes_of(texts)), scenario->digest);
    return read;
}

int sweep_add_scenario(struct sweep *sweep, const char *name, const char *directory,
                       bool only_without_file) {
    struct scenario_error error;
    if (ARRAY_RESERVE(sweep->scenarios, sweep->scenario_capacity, sweep->scenario_count + 1) != 0) {
        return out_of_memory(sweep);
    }
    struct sweep_scenario *added = &sweep->scenarios[sweep->scenario_count];
    *added = (struct sweep_scenario){.given = name};
    if (scenario_load(name, directory, sweep->settings, sweep->setting_count, &added->loaded,
                      &error) != 0) {
        /* The sentence of a scenario that waits for its file. */
        if (only_without_file && strstr(error.text, "needs a file of changes") != NULL) {
            return EXIT_HELD;
        }
        fprintf(stderr, "murphy %s: %s\n", sweep->command, error.text);
        return EXIT_INPUT;
    }
    if (run_contracts_load(&added->loaded, &added->contracts, &error) != 0) {
        fprintf(stderr, "murphy %s: %s\n", sweep->command, error.text);
        scenario_release(&added->loaded);
        return EXIT_INPUT;
    }
    sweep->scenario_count++;
    for (size_t i = 0; i + 1 < sweep->scenario_count; i++) {
        if (strcmp(sweep->scenarios[i].loaded.name, added->loaded.name) == 0) {
            return usage_error(sweep->command, "a scenario is given twice:", added->loaded.name);
        }
    }
    if (!digest_scenario(added)) {
        fprintf(stderr, "murphy %s: cannot read %s: %s\n", sweep->command, added->loaded.path,
                strerror(errno));
        return EXIT_INPUT;
    }
    return EXIT_HELD;
}

int sweep_add_case(struct sweep *sweep, size_t scenario, const char *bug) {
    if (ARRAY_RESERVE(sweep->cases, sweep->case_capacity, sweep->case_count + 1) != 0) {
        return out_of_memory(sweep);
    }
    sweep->cases[sweep->case_count++] = (struct sweep_case){scenario, bug};
    return EXIT_HELD;
}
