#include "sim/pace.h"

#include <assert.h>

bool pace_peaks_valid(const struct workload_peak *peaks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (peaks[i].from_ns < 0 || peaks[i].until_ns <= peaks[i].from_ns || peaks[i].factor < 1 ||
            peaks[i].factor > PACE_FACTOR_MAX ||
            (i > 0 && peaks[i].from_ns < peaks[i - 1].until_ns)) {
            return false;
        }
    }
    return true;
}

/* The pace at a moment, and until when it stays so. */
static int64_t factor_at(const struct workload_peak *peaks, size_t count, int64_t at_ns,
                         int64_t *until_ns) {
    for (size_t i = 0; i < count; i++) {
        if (at_ns < peaks[i].from_ns) {
            *until_ns = peaks[i].from_ns;
            return 1;
        }
        if (at_ns < peaks[i].until_ns) {
            *until_ns = peaks[i].until_ns;
            return peaks[i].factor;
        }
    }
    *until_ns = INT64_MAX;
    return 1;
}

int64_t pace_between(const struct workload_peak *peaks, size_t count, int64_t from_ns,
                     int64_t to_ns) {
    assert(from_ns <= to_ns);
    int64_t gone = 0;
    while (from_ns < to_ns) {
        int64_t until_ns;
        int64_t factor = factor_at(peaks, count, from_ns, &until_ns);
        until_ns = until_ns < to_ns ? until_ns : to_ns;
        if (until_ns - from_ns > (INT64_MAX - gone) / factor) {
            return INT64_MAX;
        }
        gone += (until_ns - from_ns) * factor;
        from_ns = until_ns;
    }
    return gone;
}

int64_t pace_after(const struct workload_peak *peaks, size_t count, int64_t from_ns, int64_t gone) {
    for (;;) {
        int64_t until_ns;
        int64_t factor = factor_at(peaks, count, from_ns, &until_ns);
        if (until_ns == INT64_MAX || gone / factor < until_ns - from_ns) {
            return gone / factor < INT64_MAX - from_ns ? from_ns + gone / factor : INT64_MAX;
        }
        gone -= (until_ns - from_ns) * factor;
        from_ns = until_ns;
    }
}
