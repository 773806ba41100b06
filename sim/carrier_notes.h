/*
 * What the trace covers of the traffic between actors and ports: every request, what came of it,
 * every answer and every statement goes into the digest of the event that carries it, field by
 * field, so that two runs that part do so at the first event that differs (D3). Part of the
 * simulator.
 */
#ifndef MURPHY_SIM_CARRIER_NOTES_H
#define MURPHY_SIM_CARRIER_NOTES_H

#include "sim/simulation_parts.h"

/* What travels, and for whom. */
void carrier_note_flight(struct simulation *s, const struct flight *flight);
/* What a write asks for, when it reaches its port; and what came of it. Of a request that failed as
 * a whole items say nothing. The vectors of an embedding are noted when they are written. */
void carrier_note_request(struct simulation *s, const struct effect *effect);
void carrier_note_outcome(struct simulation *s, const struct effect *effect, int error);
/* What a read asked for and brought. */
void carrier_note_answer(struct simulation *s, const struct event *event);
/* What an actor said that no port answers. */
void carrier_note_statement(struct simulation *s, const struct effect *effect);

#endif
