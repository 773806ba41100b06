/*
 * Carries effects to ports and answers back: which port an effect goes to, how long it travels,
 * when it takes effect, and what its answer looks like. Part of the simulator.
 */
#ifndef MURPHY_SIM_CARRIER_H
#define MURPHY_SIM_CARRIER_H

#include <stdint.h>

#include "sim/simulation_parts.h"

/* One-way latency of each kind of request. */
void carrier_latencies_init(struct latency_model latencies[EFFECT_COUNT]);
/* Sends a request on its way at the given moment. Takes the flight. */
void carrier_send(struct simulation *s, struct flight *flight, vtime at);
/* There is something to read where these wait: they are answered once it has gathered a while. */
void carrier_wake(struct simulation *s, struct waiting *waiting);
/* A write reaches its port: it is carried out, and its answer sent. Returns its digest. */
uint64_t carrier_arrive(struct simulation *s, struct flight *flight);
/* Steps the actor with what the flight brings; a read is carried out now. Takes the flight. */
void carrier_deliver(struct simulation *s, struct flight *flight);
/* Carries out a statement. The effect stays the caller's. */
void carrier_state(struct simulation *s, uint32_t actor, struct effect *effect);
/* Covers what a delivery carries. */
uint64_t carrier_digest(const struct flight *flight);

#endif
