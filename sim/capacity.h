/*
 * How much the services behind the ports can do: so many items a second each (A14).
 *
 * A service works off requests in the order in which they were sent, one item after the other; what
 * finds it busy waits. Without a rate a service is as fast as its latency says, however much it is
 * given. The model is one server with a queue: what matters to the pipeline is that a service that
 * is given more than it can do answers later and later, until the pipeline gives it less.
 */
#ifndef MURPHY_SIM_CAPACITY_H
#define MURPHY_SIM_CAPACITY_H

#include <stdint.h>

#include "pipeline/effects.h"
#include "pipeline/vtime.h"

/* Items a second; 0: without limit. */
struct capacity_rates {
    uint32_t embedding; /* listings */
    uint32_t vectors;   /* rows */
    uint32_t keywords;  /* rows */
    uint32_t warehouse; /* rows, of all layers */
    uint32_t worker;    /* records that one worker process takes in */
};

struct capacity {
    struct capacity_rates rates;
    vtime free_at[EFFECT_COUNT];
};

/* When a request that arrives at a moment is carried out. */
vtime capacity_take(struct capacity *capacity, vtime arrival, const struct effect *effect);

#endif
