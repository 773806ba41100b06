/*
 * A histogram of durations with log-spaced buckets, made with integer arithmetic only, so that two
 * machines that count the same durations report the same quantiles.
 *
 * Layout (the log-linear scheme of HdrHistogram): a duration is divided by the unit; values below
 * 32 have a bucket each, and above that each power of two is cut into 32 equal parts. So a bucket
 * is never wider than 1/32 (3.2 %) of its lower edge, and 1,024 buckets reach 2^36 units: 795 days
 * in milliseconds, 19 hours in microseconds. What is longer counts in the last bucket; what is
 * negative counts as zero. Minimum and maximum are exact.
 */
#ifndef MURPHY_REPORTS_HISTOGRAM_H
#define MURPHY_REPORTS_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 1024

struct histogram {
    int64_t unit_ns; /* 0 reads as one millisecond */
    uint64_t count;
    int64_t min_ns; /* exact; 0 while count is 0 */
    int64_t max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_init(struct histogram *h, int64_t unit_ns);

void histogram_add(struct histogram *h, int64_t duration_ns);

/* The greatest duration that bucket `index` holds, in nanoseconds. */
int64_t histogram_edge_ns(const struct histogram *h, int index);

/*
 * The smallest bucket edge that at least permille/1000 of the durations do not exceed, but never
 * more than the exact maximum: an objective is judged against a figure that is at most 3.2 % too
 * high, never too low. -1 while nothing was counted: no data is not zero.
 */
int64_t histogram_quantile_ns(const struct histogram *h, int permille);

#endif
