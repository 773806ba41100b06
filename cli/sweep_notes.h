/*
 * What a sweep says beside its verdict: how the runs went by what their seeds drew
 * (scenario_draw.h), and what a scenario lets pass and none of its runs needed. A service level
 * that is waived and never breached, or an alert that may be raised and never is, is a check that
 * cannot fail: the scenario is better off without it.
 */
#ifndef MURPHY_CLI_SWEEP_NOTES_H
#define MURPHY_CLI_SWEEP_NOTES_H

#include <jansson.h>
#include <stdio.h>

#include "cli/sweep_store.h"

/* Of fewer runs nothing is said to be needless: what is rare has not shown yet. */
#define SWEEP_NEEDLESS_RUNS 40

enum sweep_note { SWEEP_DRAWN, SWEEP_ALLOWED };

/* A line with what the seed of a run drew; nothing when it drew nothing. */
void sweep_notes_drawn(const struct sweep_row *row, FILE *out);

/* Both notes as text. 0, or -1 with the store's error. */
int sweep_notes_print(struct sweep_store *store, FILE *out);

/* An array of objects: scenario, setting, value, runs, held; or scenario, name, runs, needed. NULL
 * with the store's error. */
json_t *sweep_notes_json(struct sweep_store *store, enum sweep_note note);

#endif
