/*
 * The scenario files of a folder: NAME.json each, schemas (*.schema.json) left out.
 */
#ifndef MURPHY_SCENARIOS_SCENARIO_FILES_H
#define MURPHY_SCENARIOS_SCENARIO_FILES_H

#include <stddef.h>

#include "scenarios/scenario.h"

struct scenario_names {
    char **names; /* owned; sorted by bytes; without .json */
    size_t count, capacity;
};
/* 0, or -1 with *error filled and nothing held. */
int scenario_names_read(const char *directory, struct scenario_names *out,
                        struct scenario_error *error);
void scenario_names_release(struct scenario_names *names);

/*
 * The file of a scenario given by file (anything with a slash or ending in .json) or by name,
 * allocated. NULL with *error filled when memory ran out or a name is given that the directory does
 * not hold.
 */
char *scenario_file_find(const char *name_or_file, const char *directory,
                         struct scenario_error *error);

/* Says that there is no such file, and what there is in its folder. Returns -1. */
int scenario_file_missing(const char *path, struct scenario_error *error);

#endif
