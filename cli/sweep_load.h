/*
 * What is asked of many runs, as the command line says it: seeds, processes, a folder, scenarios,
 * and what is played of them.
 */
#ifndef MURPHY_CLI_SWEEP_LOAD_H
#define MURPHY_CLI_SWEEP_LOAD_H

#include "cli/sweep.h"
#include "sim/trace.h"

/* Nothing asked yet: as many processes as there are processors. */
struct sweep sweep_begin(const char *command);
void sweep_release(struct sweep *sweep);

/* Is it an option of every command that plays many runs: --seeds, --jobs, --out? */
bool sweep_option_known(const char *option);
/* Takes one of these. All of the following return an exit status, with a message on stderr unless
 * it is EXIT_HELD. */
int sweep_option_take(struct sweep *sweep, const char *option, const char *value);

/* Adds a scenario by its name or file, which must live as long. One that waits for a file of
 * changes is left out when `only_without_file`. */
int sweep_add_scenario(struct sweep *sweep, const char *name, const char *directory,
                       bool only_without_file);

/* Has every seed play the scenario of that index, with the bug or with NULL. */
int sweep_add_case(struct sweep *sweep, size_t scenario, const char *bug);

/* Digest of a file's bytes; false with errno set when it cannot be read. */
bool sweep_digest_file(const char *path, char text[TRACE_HASH_TEXT_SIZE]);

#endif
