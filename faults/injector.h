/*
 * The injector: carries out the faults of a scenario on a simulation, counts what each did, and
 * keeps a record of every decision that struck.
 */
#ifndef MURPHY_FAULTS_INJECTOR_H
#define MURPHY_FAULTS_INJECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "faults/faults.h"
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

/* Nothing strikes any more: what was held back goes out, what was down comes up. */
void injector_heal(struct injector *injector);

/* How often fault i struck. */
uint64_t injector_struck(const struct injector *injector, size_t i);
const struct decision *injector_decisions(const struct injector *injector, size_t *count);
/* Bands of fault i until `end`: its window, or its strikes where they last. */
const struct fault_band *injector_bands(const struct injector *injector, size_t *count);

/* How often the i-th named point was passed, struck or not; NULL behind the last. */
const char *injector_point(const struct injector *injector, size_t i, uint64_t *passed);
/* Its name and what it stands for; NULL behind the last. */
const char *injector_point_about(size_t i, const char **about);

#endif
