/*
 * The command line: exit statuses and one function per command. Each takes its own argument vector
 * (argv[0] is the command's name) and returns the exit status of the program.
 */
#ifndef MURPHY_CLI_MURPHY_H
#define MURPHY_CLI_MURPHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MURPHY_VERSION "0.1.0"

enum exit_status {
    EXIT_HELD = 0,
    EXIT_CHECK_FAILED = 1,
    EXIT_SLO_FAILED = 2,
    EXIT_USAGE = 64,
    EXIT_INPUT = 65,
    EXIT_INTERNAL = 70,
    EXIT_INTERRUPTED = 130
};

int cmd_run(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_rebuild(int argc, char **argv);
int cmd_tune(int argc, char **argv);
int cmd_sweep(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_bugs(int argc, char **argv);
int cmd_relevance(int argc, char **argv);
int cmd_demo(int argc, char **argv);

/* Folder of the scenario files, found from where the program lies. Static storage; NULL with a
 * message on stderr when the program cannot find itself. */
const char *scenario_directory(void);

/* Likewise that of the seams' contracts. */
const char *contract_directory(void);

/* Reads the list of the scenarios in their folder, for that command. An exit status: EXIT_HELD, or
 * another one after a message on stderr, and then there is nothing to release. */
struct scenario_list;
int scenarios_listed(const char *command, struct scenario_list *list);

/* Prints to stderr "murphy COMMAND: TEXT 'WHAT'" (what may be NULL) and how to get help; returns
 * EXIT_USAGE. */
int usage_error(const char *command, const char *text, const char *what);

/* A whole number from 0 to 2^64-1; false for anything else. */
bool parse_seed(const char *text, uint64_t *seed);

/* True on a terminal without NO_COLOR. */
bool colour_wanted(int file_descriptor);

#endif
