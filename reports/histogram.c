#include "reports/histogram.h"

#include <assert.h>
#include <string.h>

#define PARTS_LOG2 5
#define PARTS (1 << PARTS_LOG2)

static int64_t unit_of(const struct histogram *h) {
    return h->unit_ns > 0 ? h->unit_ns : INT64_C(1000000);
}

void histogram_init(struct histogram *h, int64_t unit_ns) {
    assert(unit_ns >= 0);
    memset(h, 0, sizeof *h);
    h->unit_ns = unit_ns;
}

static int top_bit(uint64_t value) {
    int bit = 0;
    while (value >>= 1)
        bit++;
    return bit;
}

static int bucket_of(uint64_t units) {
    if (units < PARTS)
        return (int)units;
    int shift = top_bit(units) - PARTS_LOG2;
    int index = (shift + 1) * PARTS + (int)((units >> shift) - PARTS);
    return index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS - 1;
}

void histogram_add(struct histogram *h, int64_t duration_ns) {
    int64_t d = duration_ns > 0 ? duration_ns : 0;
    if (h->count == 0 || d < h->min_ns)
        h->min_ns = d;
    if (h->count == 0 || d > h->max_ns)
        h->max_ns = d;
    h->count++;
    h->buckets[bucket_of((uint64_t)(d / unit_of(h)))]++;
}

int64_t histogram_edge_ns(const struct histogram *h, int index) {
    assert(index >= 0 && index < HISTOGRAM_BUCKETS);
    int64_t first_above;
    if (index < PARTS) {
        first_above = index + 1;
    } else {
        int shift = index / PARTS - 1;
        first_above = (int64_t)(index % PARTS + PARTS + 1) << shift;
    }
    if (first_above > INT64_MAX / unit_of(h))
        return INT64_MAX;
    return first_above * unit_of(h) - 1;
}

int64_t histogram_quantile_ns(const struct histogram *h, int permille) {
    assert(permille >= 0 && permille <= 1000);
    if (h->count == 0)
        return -1;
    /* Split so that the product cannot overflow: rank = ceil(count * permille / 1000), at least 1.
     */
    uint64_t p = (uint64_t)permille;
    uint64_t rank = h->count / 1000 * p + (h->count % 1000 * p + 999) / 1000;
    if (rank == 0)
        rank = 1;
    uint64_t seen = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= rank && i < HISTOGRAM_BUCKETS - 1) {
            int64_t edge = histogram_edge_ns(h, i);
            return edge < h->max_ns ? edge : h->max_ns;
        }
    }
    return h->max_ns;
}
