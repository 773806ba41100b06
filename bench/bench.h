/*
 * Benchmarks: each is a function that measures, reports one line of JSON per result on standard
 * output, and returns 0, or 1 after saying on standard error why it could not.
 *
 * A result is a rate where more is better. Where there is something to compare with, both are
 * measured in the same run, in turns, so that whatever else the machine does bears on both alike;
 * the ratio of the medians means more than either rate.
 */
#ifndef MURPHY_BENCH_BENCH_H
#define MURPHY_BENCH_BENCH_H

#include <stddef.h>

/*
 * Prints {"name", "value", "unit", "peer": {"name", "value"}, "ratio"}, ratio being value / peer
 * value. Without a peer (NULL) both peer and ratio are null. Names and units are plain words: no
 * quote, backslash or control character.
 */
void bench_report(const char *name, double value, const char *unit, double peer_value,
                  const char *peer);

/*
 * Seconds of processor time that this thread has used. Unlike the wall clock it does not count the
 * time in which other processes had the core.
 */
double bench_cpu_seconds(void);

/* The median; reorders the values. count > 0. */
double bench_median(double *values, size_t count);

/* bench/queue_hold.c: the event queue against a binary heap in the hold model. */
int bench_queue_hold(void);

/* bench/hnsw.c: approximate search at a recall of 0.95, against hnswlib where that is installed. */
int bench_hnsw(void);

/* bench/pipeline.c: listing events through the whole pipeline on one core, trace and checks on. */
int bench_pipeline(void);

#endif
