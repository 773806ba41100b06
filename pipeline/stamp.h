/*
 * The two orders that the whole pipeline leans on.
 *
 * A stamp orders *changes*: (event_ts, event_id) of the event that made the change; the greater
 * pair wins wherever two events set the same thing (A3). It is the producer's order and does not
 * depend on how the events travelled.
 *
 * A version orders *writes*: the position, (leader epoch, offset), of the last listing-log record
 * that changed the document. Two writers that write version v of a listing write the same bytes,
 * and a higher version reflects a superset of events, so a replay or a zombie can do no harm (A9).
 */
#ifndef MURPHY_PIPELINE_STAMP_H
#define MURPHY_PIPELINE_STAMP_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline/vtime.h"

/* A UUID, most significant half first. */
struct event_id {
    uint64_t hi;
    uint64_t lo;
};

struct stamp {
    vtime ts;
    struct event_id id;
};

/* Lower than the stamp of every event; the value of a zeroed struct is not it. */
#define STAMP_NONE ((struct stamp){{INT64_MIN}, {0, 0}})

static inline int event_id_compare(struct event_id a, struct event_id b) {
    if (a.hi != b.hi) {
        return a.hi < b.hi ? -1 : 1;
    }
    return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* Negative, zero or positive: a before, equal to or after b. */
static inline int stamp_compare(struct stamp a, struct stamp b) {
    if (a.ts.ns != b.ts.ns) {
        return a.ts.ns < b.ts.ns ? -1 : 1;
    }
    return event_id_compare(a.id, b.id);
}

static inline bool stamp_is_none(struct stamp s) {
    return s.ts.ns == INT64_MIN;
}

/*
 * A version packed into one non-negative int64, the form that stores keep as their external
 * version: 16 bits of leader epoch above 47 bits of offset. 0 means "no version": offsets are
 * packed as offset + 1.
 */
typedef int64_t doc_version;

#define DOC_VERSION_NONE ((doc_version)0)
#define DOC_VERSION_OFFSET_BITS 47

static inline doc_version doc_version_pack(uint32_t epoch, int64_t offset) {
    assert(epoch < (1u << 16));
    assert(offset >= 0 && offset < (INT64_C(1) << DOC_VERSION_OFFSET_BITS) - 1);
    return ((int64_t)epoch << DOC_VERSION_OFFSET_BITS) + offset + 1;
}

static inline uint32_t doc_version_epoch(doc_version v) {
    return (uint32_t)(v >> DOC_VERSION_OFFSET_BITS);
}

static inline int64_t doc_version_offset(doc_version v) {
    return (v & ((INT64_C(1) << DOC_VERSION_OFFSET_BITS) - 1)) - 1;
}

#endif
