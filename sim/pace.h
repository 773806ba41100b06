/*
 * The pace of a workload over time: 1 on an ordinary day, `factor` times that during a peak (A14:
 * promotion peaks are about four times the average).
 *
 * Arrivals are drawn on a clock of their own that runs as fast as the pace says; so a peak draws
 * operations towards itself, and their total stays what the scenario asks for.
 */
#ifndef MURPHY_SIM_PACE_H
#define MURPHY_SIM_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACE_FACTOR_MAX = 1000 };

/* From the start of the run; factor from 1 to PACE_FACTOR_MAX. */
struct workload_peak {
    int64_t from_ns, until_ns; /* [from, until) */
    uint32_t factor;
};

/* In the order of time, not overlapping, each with some length and a factor in its bounds. */
bool pace_peaks_valid(const struct workload_peak *peaks, size_t count);

/* How far the pace's clock goes between two moments, from <= to, as nanoseconds from the start.
 * The result fits while (to - from) * PACE_FACTOR_MAX does; it is cut at INT64_MAX. */
int64_t pace_between(const struct workload_peak *peaks, size_t count, int64_t from_ns,
                     int64_t to_ns);
/* The moment at which the pace's clock has gone so far beyond `from`. */
int64_t pace_after(const struct workload_peak *peaks, size_t count, int64_t from_ns, int64_t gone);

#endif
