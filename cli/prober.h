/*
 * Probe searches: what buyers would see while the run goes. Now and then it asks a few queries of
 * the vector database and the keyword index through the ports that readers use, compares the
 * approximate answer with the exact one (recall@10), and counts answers and latency (D2, D8).
 */
#ifndef MURPHY_CLI_PROBER_H
#define MURPHY_CLI_PROBER_H

#include <stdint.h>

#include "reports/result.h"
#include "scenarios/scenario.h"
#include "sim/oracle.h"
#include "sim/prng.h"
#include "sim/simulation.h"

struct prober {
    struct simulation *simulation;
    struct workload *workload;
    struct oracle *oracle;
    struct run_result *result; /* recall and availability go there */
    const struct scenario *scenario;
    struct prng stream;
    struct latency_model latency;
    int series; /* of recall in the result */
    uint64_t asked;
    double recall_sum;
};

/* Schedules the first round. 0 or -1 when out of memory. */
int prober_start(struct prober *prober);
/* Readers are led elsewhere: asks a round at once, whatever the pace, so that a gap at that very
 * moment is noticed (A10). */
void prober_alias_switched(struct prober *prober, vtime now);
/* Fills the mean once the run is over. */
void prober_finish(struct prober *prober);

#endif
