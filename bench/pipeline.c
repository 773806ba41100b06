/*
 * The whole pipeline on one core: generated listing events through OLTP, relay, router, builder,
 * embedding, vector database, keyword index, warehouse and dashboard, with trace and oracle on.
 *
 * The vector database builds no index here: in production that is the work of its own nodes, and at
 * some 2,000 vectors/s a core it would be all that is measured.
 */
#include <stdio.h>

#include "bench/bench.h"
#include "sim/oracle.h"
#include "sim/simulation.h"

enum { RUNS = 3, LISTINGS = 5000, EVENTS = 150000 };

/* Rates of the marketplace that Murphy stands for. */
#define AVERAGE_RATE 35000

/* Events per second of one run, or -1. */
static double one_run(uint64_t seed) {
    vtime start = {INT64_C(1767225600) * VTIME_SECOND};
    struct workload_options options = {
        .seed = seed,
        .start = start,
        .duration_ns = EVENTS * VTIME_SECOND / AVERAGE_RATE,
        .catalogue_load_ns = VTIME_SECOND / 2,
        .listings = LISTINGS,
        .events = EVENTS,
        .sellers = 200,
    };
    struct workload_error error;
    struct workload *workload = workload_new(&options, &error);
    if (workload == NULL) {
        fprintf(stderr, "murphy-bench: %s\n", error.text);
        return -1;
    }
    struct simulation_options simulated = {.seed = seed, .start = start};
    struct simulation *simulation = simulation_new(&simulated, workload);
    struct oracle *oracle =
        oracle_new(&(struct oracle_options){.start = start, .vectors_every = 50});
    double rate = -1;
    if (simulation != NULL && oracle != NULL) {
        struct simulation_observer observer = oracle_observer(oracle);
        simulation_observe(simulation, &observer);
        double began = bench_cpu_seconds();
        enum simulation_status status = simulation_run(simulation, workload_end(workload));
        vtime limit = vtime_add(simulation_now(simulation), VTIME_HOUR);
        while (status == SIMULATION_RUNNING && !oracle_settled(oracle) &&
               vtime_before(simulation_now(simulation), limit)) {
            status =
                simulation_run(simulation, vtime_add(simulation_now(simulation), VTIME_SECOND));
        }
        double seconds = bench_cpu_seconds() - began;
        if (status == SIMULATION_RUNNING && oracle_settled(oracle)) {
            rate = (double)oracle_counts(oracle).operations / seconds;
        } else {
            fprintf(stderr, "murphy-bench: the pipeline did not settle: %s\n",
                    oracle_waits_for(oracle));
        }
    }
    simulation_free(simulation);
    oracle_free(oracle);
    workload_free(workload);
    return rate;
}

int bench_pipeline(void) {
    double rates[RUNS];
    for (int i = 0; i < RUNS; i++) {
        rates[i] = one_run((uint64_t)i + 1);
        if (rates[i] < 0) {
            return -1;
        }
    }
    bench_report("pipeline", bench_median(rates, RUNS), "events/s", AVERAGE_RATE,
                 "the marketplace's average of 35,000 listing events/s");
    return 0;
}
