/*
 * Virtual time: integer nanoseconds since the Unix epoch, in a type of its own.
 *
 * The core never reads a clock; every moment it knows arrives in an event as a vtime. The struct
 * keeps a time from being mixed up with a duration (a plain int64_t whose name ends in _ns) or with
 * a count. The range is 1970 to 2262, which holds every run and every replayed catalogue.
 */
#ifndef MURPHY_PIPELINE_VTIME_H
#define MURPHY_PIPELINE_VTIME_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t ns;
} vtime;

#define VTIME_MICROSECOND INT64_C(1000)
#define VTIME_MILLISECOND INT64_C(1000000)
#define VTIME_SECOND INT64_C(1000000000)
#define VTIME_MINUTE (60 * VTIME_SECOND)
#define VTIME_HOUR (60 * VTIME_MINUTE)
#define VTIME_DAY (24 * VTIME_HOUR)

/* Later than every moment of a run: "never". */
#define VTIME_NEVER ((vtime){INT64_MAX})

/* Both stop at the ends of int64_t: times come from outside too, and may be anything. */
static inline vtime vtime_add(vtime t, int64_t duration_ns) {
    int64_t sum;
    if (__builtin_add_overflow(t.ns, duration_ns, &sum)) {
        sum = duration_ns < 0 ? INT64_MIN : INT64_MAX;
    }
    return (vtime){sum};
}

/* a - b, in nanoseconds. */
static inline int64_t vtime_diff(vtime a, vtime b) {
    int64_t difference;
    if (__builtin_sub_overflow(a.ns, b.ns, &difference)) {
        difference = b.ns > 0 ? INT64_MIN : INT64_MAX;
    }
    return difference;
}

static inline bool vtime_before(vtime a, vtime b) {
    return a.ns < b.ns;
}

static inline vtime vtime_max(vtime a, vtime b) {
    return a.ns < b.ns ? b : a;
}

#endif
