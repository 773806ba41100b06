/*
 * What the seeds of a scenario differ in beside traffic and faults: the section `draw` lists
 * values for a few settings, and each seed has one of each list. So one scenario is held against
 * every kind of vector database, and every way to deal partitions.
 *
 * Each setting is drawn from a stream of its own: a value more in one list, or a list more, shifts
 * nothing else.
 */
#ifndef MURPHY_SCENARIOS_SCENARIO_DRAW_H
#define MURPHY_SCENARIOS_SCENARIO_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenarios/scenario.h"

/* Puts what the seed draws in the place of what the scenario states. */
void scenario_draw(struct scenario *scenario, uint64_t seed);

/* A setting that the scenario draws, and the value in force. */
struct scenario_drawn {
    const char *key; /* as after --set: "vectors.profile" */
    char value[40];  /* as in the file: "milvus-like" */
};

/* The i-th of them; false behind the last. */
bool scenario_drawn(const struct scenario *scenario, size_t i, struct scenario_drawn *out);

#endif
