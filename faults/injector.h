/*
 * The injector: carries out the faults of a scenario on a simulation, counts what each did, and
 * keeps a record of every decision that struck.
 *
 * Every fault draws from a stream of its own, named by what it does and to whom, once for each
 * thing that it could strike, also when another fault was first. So another fault in the scenario
 * changes which requests are made, but not what this one decides about the n-th of them.
 */
#ifndef MURPHY_FAULTS_INJECTOR_H
#define MURPHY_FAULTS_INJECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "faults/faults.h"
#include "faults/pipeline_states.h"
#include "sim/simulation.h"

struct injector;

/* One strike: which fault of the scenario, when, at which named point, the how-manyeth there. */
struct decision {
    uint32_t fault; /* index in the scenario */
    vtime at;
    const char *point; /* static, as in "vectors.write" */
    uint64_t occurrence;
};

/* For drawing: a stretch of time during which something was done. */
struct fault_band {
    uint32_t fault;
    vtime from, to;
};

/* Wraps the simulation's ports and schedules what has a time. NULL when out of memory. The faults
 * must outlive it; the simulation is freed after it. */
struct injector *injector_new(struct simulation *simulation, const struct fault *faults,
                              size_t count);
void injector_free(struct injector *injector);

/* Nothing strikes any more: what was held back goes out, in the order in which it was taken, writes
 * that were to come again come now, what was down comes up. */
void injector_heal(struct injector *injector);

/* True when memory ran out on the way: the run is worth nothing. */
bool injector_out_of_memory(const struct injector *injector);

/* How often a kind struck while a state of the pipeline held. */
uint64_t injector_reached(const struct injector *injector, enum fault_kind kind,
                          enum pipeline_state state);

/* How often fault i struck. */
uint64_t injector_struck(const struct injector *injector, size_t i);
const struct decision *injector_decisions(const struct injector *injector, size_t *count);
/* In the order of their beginning. Strikes of one fault that follow each other closely are one. */
const struct fault_band *injector_bands(const struct injector *injector, size_t *count);

/* How often the i-th named point was passed, struck or not; NULL behind the last. */
const char *injector_point(const struct injector *injector, size_t i, uint64_t *passed);
/* Where calls of that name strike: a bit of enum fault_place; 0: it is no call to a store. */
unsigned injector_point_place(size_t i);
/* Its name and what it stands for; NULL behind the last. */
const char *injector_point_about(size_t i, const char **about);

#endif
