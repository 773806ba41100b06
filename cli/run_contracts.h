/*
 * The contracts of a run: where they are read from, and what of them goes into the simulation.
 */
#ifndef MURPHY_CLI_RUN_CONTRACTS_H
#define MURPHY_CLI_RUN_CONTRACTS_H

#include "scenarios/contract_set.h"
#include "scenarios/scenario.h"
#include "sim/oracle.h"

/* Those of the scenario's folder, or the project's. 0, or -1 with *error filled. */
int run_contracts_load(const struct scenario *scenario, struct contract_set *out,
                       struct scenario_error *error);

/* Where the scenario says that nobody promises it, its words for that; else NULL. */
const char *run_contracts_waiver(const struct scenario *scenario, enum seam seam,
                                 enum service_level level);

/* The watch over that feed goes by its contract: the scenario sets no thresholds of its own, lets
 * the promise stand, and has somebody write to the feed. */
bool run_contracts_watched(const struct scenario *scenario, const struct contract_set *set,
                           enum topic_id feed);

/* Schemas and thresholds of the feeds for the pipeline. The set outlives the simulation. */
void run_contracts_configure(const struct scenario *scenario, const struct contract_set *set,
                             struct pipeline_config *config);
/* The same for the judge. */
void run_contracts_tell(const struct contract_set *set, struct oracle *oracle);

#endif
