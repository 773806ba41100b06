/*
 * Durations in buckets: milliseconds below 32 have one each, above that each power of two is cut in
 * 32 equal parts (so 1/32 exact), the last bucket holds the rest. The layout of
 * reports/histogram.h.
 */
#ifndef MURPHY_SIM_LAG_HISTOGRAM_H
#define MURPHY_SIM_LAG_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define LAG_BUCKETS 1024
struct lag_histogram {
    uint64_t count;
    int64_t min_ns; /* exact; 0 while count is 0 */
    int64_t max_ns;
    uint64_t buckets[LAG_BUCKETS];
};

void lag_histogram_count(struct lag_histogram *h, int64_t duration_ns);
/* The upper edge of the bucket that holds the quantile, at most max_ns; -1 with no data. */
int64_t lag_quantile_ns(const struct lag_histogram *h, int permille);
/* The greatest duration that bucket i of h holds, at most max_ns. */
int64_t lag_bucket_ns(const struct lag_histogram *h, size_t i);

#endif
