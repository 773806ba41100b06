/*
 * What a run leaves in its output folder: run.json, junit.xml, report.html, stores.db.
 */
#ifndef MURPHY_CLI_RUN_FILES_H
#define MURPHY_CLI_RUN_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/scenario_run.h"

/* Makes the folder unless it is there. 0, or -1 with a message on stderr. */
int run_files_folder(const char *directory);

/* True, with a message on stderr, when nothing could be written there, as far as can be seen before
 * a run is played. Makes nothing. */
bool run_files_refused(const char *directory);

/* Makes the folder if need be. 0, or -1 with one sentence in error; each file is whole or absent,
 * and run.json is there only when all of them are and belong to this run. */
int run_files_save(struct scenario_run *run, const char *directory, char *error, size_t error_size);

#endif
