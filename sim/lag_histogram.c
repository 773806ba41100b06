#include "sim/lag_histogram.h"

#include <assert.h>

#include "pipeline/vtime.h"

static uint32_t bucket_of(int64_t duration_ns) {
    uint64_t ms = duration_ns <= 0 ? 0 : (uint64_t)duration_ns / (uint64_t)VTIME_MILLISECOND;
    if (ms < 32) {
        return (uint32_t)ms;
    }
    uint32_t shift = 0;
    for (uint64_t rest = ms >> 6; rest > 0; rest >>= 1) {
        shift++;
    }
    /* ms >> shift is in [32, 64). */
    uint32_t bucket = 32 * shift + (uint32_t)(ms >> shift);
    return bucket < LAG_BUCKETS ? bucket : LAG_BUCKETS - 1;
}

/* The greatest duration of a bucket. */
static int64_t bucket_edge_ns(uint32_t bucket) {
    uint64_t next = bucket + 1;
    if (next > 32) {
        uint32_t shift = (bucket - 32) / 32;
        next = (uint64_t)(bucket - 32 * shift + 1) << shift;
    }
    return (int64_t)next * VTIME_MILLISECOND - 1;
}

void lag_histogram_count(struct lag_histogram *h, int64_t duration_ns) {
    if (h->count == 0 || duration_ns < h->min_ns) {
        h->min_ns = duration_ns;
    }
    if (h->count == 0 || duration_ns > h->max_ns) {
        h->max_ns = duration_ns;
    }
    h->count++;
    h->buckets[bucket_of(duration_ns)]++;
}

int64_t lag_bucket_ns(const struct lag_histogram *h, size_t i) {
    assert(i < LAG_BUCKETS);
    int64_t edge_ns = bucket_edge_ns((uint32_t)i);
    return i < LAG_BUCKETS - 1 && edge_ns < h->max_ns ? edge_ns : h->max_ns;
}

int64_t lag_quantile_ns(const struct lag_histogram *h, int permille) {
    assert(permille > 0 && permille <= 1000);
    if (h->count == 0) {
        return -1;
    }
    uint64_t wanted = (h->count * (uint64_t)permille + 999) / 1000;
    uint64_t below = 0;
    for (uint32_t i = 0; i < LAG_BUCKETS - 1; i++) {
        below += h->buckets[i];
        if (below >= wanted) {
            return lag_bucket_ns(h, i);
        }
    }
    return h->max_ns;
}
