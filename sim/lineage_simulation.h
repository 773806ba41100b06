/*
 * The facts of the lineage, gathered from the stores of a simulation: what each layer says now, and
 * where the simulation keeps histories (simulation_options.journal) what it said when. Without them
 * a walk can be asked of the present alone.
 */
#ifndef MURPHY_SIM_LINEAGE_SIMULATION_H
#define MURPHY_SIM_LINEAGE_SIMULATION_H

#include "sim/lineage.h"
#include "sim/simulation.h"

/* Fills a lineage that was just initialised. 0 or -ENOMEM. */
int lineage_of_simulation(struct lineage *l, struct simulation *s, bool histories);

/* A row as a record of an order says it; the layer's moments and place are the caller's. */
int lineage_row_of_record(struct lineage *l, const struct record *record, struct lineage_row *row);

#endif
