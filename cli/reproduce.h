/*
 * The command line that does a run again, as a shell reads it (D1).
 */
#ifndef MURPHY_CLI_REPRODUCE_H
#define MURPHY_CLI_REPRODUCE_H

#include <stddef.h>
#include <stdint.h>

#include "scenarios/scenario.h"

#define REPRODUCE_SIZE 4096

/* What a run was asked, as it was given. */
struct run_words {
    const char *scenario; /* name or file */
    uint64_t seed;
    const char *bug; /* NULL: none */
    const struct scenario_setting *settings;
    size_t setting_count;
};

/* Writes the line; one that is too long is cut. */
void reproduce_line(const struct run_words *words, char *text, size_t size);

#endif
