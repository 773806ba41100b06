#include "pipeline/topics.h"

#include <assert.h>

const char *topic_name(enum topic_id topic) {
    static const char *const names[TOPIC_COUNT] = {
        [TOPIC_LISTING] = "listing-changes", [TOPIC_MEDIA] = "media-ingest",
        [TOPIC_POLICY] = "seller-policy",    [TOPIC_ORDER] = "orders",
        [TOPIC_PRIVACY] = "privacy",         [TOPIC_REFERENCE] = "reference-data",
        [TOPIC_LISTING_LOG] = "listing-log", [TOPIC_LATE] = "listing-late",
        [TOPIC_DEAD_LETTER] = "dead-letter", [TOPIC_CONTROL] = "control",
        [TOPIC_ERASED] = "erased-listings",  [TOPIC_CERTIFICATE] = "erasure-certificates",
        [TOPIC_QUARANTINE] = "quarantine",   [TOPIC_AUDIT] = "embedding-audit",
    };
    assert(topic < TOPIC_COUNT);
    return names[topic];
}

uint32_t topic_partition(uint64_t key, uint32_t n) {
    assert(n > 0);
    /* The finalizer of MurmurHash3: every bit of the key moves every bit of the result. */
    key ^= key >> 33;
    key *= UINT64_C(0xff51afd7ed558ccd);
    key ^= key >> 33;
    key *= UINT64_C(0xc4ceb9fe1a85ec53);
    key ^= key >> 33;
    return (uint32_t)(key % n);
}
