/*
 * Which kinds of faults struck in which states of the pipeline, over all runs of a sweep (D5).
 */
#ifndef MURPHY_CLI_SWEEP_MATRIX_H
#define MURPHY_CLI_SWEEP_MATRIX_H

#include <jansson.h>
#include <stdio.h>

#include "cli/sweep_store.h"
#include "faults/faults.h"
#include "faults/pipeline_states.h"

struct sweep_matrix {
    int64_t runs[FAULT_KIND_COUNT]
                [PIPELINE_STATE_COUNT]; /* in which the kind struck in the state */
    int64_t strikes[FAULT_KIND_COUNT][PIPELINE_STATE_COUNT];
    int64_t any; /* runs of all cells */
};

/* 0, or -1 with the store's error. */
int sweep_matrix_read(struct sweep_store *store, struct sweep_matrix *matrix);

bool sweep_matrix_struck(const struct sweep_matrix *matrix, int kind);

/* Kinds down, states across, runs in the cells. Nothing when nothing struck. */
void sweep_matrix_print(const struct sweep_matrix *matrix, FILE *out);
/* By kind, then by state: runs and strikes; and what is impossible, with its reason. */
json_t *sweep_matrix_json(const struct sweep_matrix *matrix);

/*
 * Of the kinds that the swarm has, or that struck in some run, and the states in which each can
 * strike, how many cells there are and how many were reached. Prints the cells that were not, and
 * those that were although they are declared impossible; false when there is one of these, or when
 * less than `cover_ppm` of the others were reached.
 */
bool sweep_matrix_holds(const struct sweep_matrix *matrix, uint32_t cover_ppm, FILE *out);

#endif
