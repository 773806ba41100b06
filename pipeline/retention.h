/*
 * How long data is kept (A16), and from when on: a topic drops what is older than its retention,
 * the warehouse, once a day, what it need not tell of any more.
 */
#ifndef MURPHY_PIPELINE_RETENTION_H
#define MURPHY_PIPELINE_RETENTION_H

#include <stdint.h>

#include "pipeline/vtime.h"

#define TOPICS_KEPT_NS_DEFAULT (14 * VTIME_DAY)
#define WAREHOUSE_KEPT_NS_DEFAULT (730 * VTIME_DAY)

/* The moment from which on the warehouse tells everything: the last midnight (UTC), less what is
 * kept. Negative is for ever, and so is what began before time did. */
static inline vtime warehouse_edge(int64_t kept_ns, vtime now) {
    if (kept_ns < 0 || now.ns < kept_ns) {
        return (vtime){INT64_MIN};
    }
    return (vtime){now.ns - now.ns % VTIME_DAY - kept_ns};
}

#endif
