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
/* A read takes effect when its answer leaves, so it needs no arrival of its own. */
bool carrier_reads(enum effect_kind kind);
/* Sends a request on its way. Takes the flight. */
void carrier_send(struct simulation *s, struct flight *flight);
/* There is something to read where these wait: they are answered once it has gathered a while. */
void carrier_wake(struct simulation *s, struct waiting *waiting);
/* A write reaches its port: it is carried out, and its answer sent. Takes the flight. */
void carrier_arrive(struct simulation *s, struct flight *flight);
/* Steps the actor with what the flight brings; a read is carried out now. Takes the flight. */
void carrier_deliver(struct simulation *s, struct flight *flight);
/* Carries out a statement. The effect stays the caller's. */
void carrier_state(struct simulation *s, uint32_t actor, struct effect *effect);

#endif
