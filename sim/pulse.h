/*
 * How often something comes through at a place, and how long each took to get there: what the
 * service levels of contracts speak of (B2).
 */
#ifndef MURPHY_SIM_PULSE_H
#define MURPHY_SIM_PULSE_H

#include "pipeline/vtime.h"
#include "sim/lag_histogram.h"

struct pulse {
    uint64_t beats;
    vtime first, last;
    vtime until; /* silence after that is right and does not count; 0: there is no such moment */
    int64_t longest_ns; /* between two beats, as far as it counts */
    vtime longest_end;
    struct lag_histogram lag;
};

void pulse_beat(struct pulse *p, vtime now);
/* The same with how long it took. */
void pulse_beat_after(struct pulse *p, vtime now, int64_t lag_ns);
/* The longest silence in [start, until], before the first beat and after the last included; the
 * whole when there was none. *end is when it was over. */
int64_t pulse_silence_ns(const struct pulse *p, vtime start, vtime *end);

#endif
