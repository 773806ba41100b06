#include "sim/vector_profile.h"

#include <assert.h>

static const struct {
    const char *name;
    struct vector_profile profile;
} profiles[VECTOR_PROFILE_COUNT] = {
    [VECTORS_PLAIN] = {"plain", {.unconditional = false}},
    [VECTORS_OPENSEARCH] = {"opensearch-like",
                            {.whole_rows = true,
                             .gc_deletes_ns = 60 * VTIME_SECOND,
                             .tombstones_in_memory = true,
                             .visible_after_ns = VTIME_SECOND,
                             .refreshes = true,
                             .gets_realtime = true}},
    [VECTORS_MILVUS] = {"milvus-like",
                        {.unconditional = true,
                         .whole_rows = true,
                         .keys_repeat = true,
                         .aliases_apart = true,
                         .visible_after_ns = 5 * VTIME_SECOND,
                         .batch_bytes_max = (size_t)64 << 20}},
    [VECTORS_PINECONE] = {"pinecone-like",
                          {.unconditional = true,
                           .visible_after_ns = 10 * VTIME_SECOND,
                           .consistency = CONSISTENCY_EVENTUALLY,
                           .batch_items_max = 1000,
                           .batch_bytes_max = (size_t)2 << 20,
                           .requests_per_second_max = 100}},
    /* DELETE leaves nothing that a later INSERT ... ON CONFLICT could be held against. */
    [VECTORS_PGVECTOR] = {"pgvector-like",
                          {.gc_deletes_ns = 1,
                           .transactional = true,
                           .index_blind = true,
                           .compacts_on_order = true}},
};

const char *vector_profile_name(enum vector_profile_id id) {
    assert(id < VECTOR_PROFILE_COUNT);
    return profiles[id].name;
}

const char *vector_consistency_name(enum vector_consistency level) {
    static const char *const names[CONSISTENCY_COUNT] = {
        [CONSISTENCY_BOUNDED] = "bounded",
        [CONSISTENCY_STRONG] = "strong",
        [CONSISTENCY_SESSION] = "session",
        [CONSISTENCY_EVENTUALLY] = "eventually",
    };
    assert(level < CONSISTENCY_COUNT);
    return names[level];
}

struct vector_profile vector_profile_of(enum vector_profile_id id) {
    assert(id < VECTOR_PROFILE_COUNT);
    return profiles[id].profile;
}

void vector_profile_configure(const struct vector_profile *profile,
                              struct pipeline_config *config) {
    config->vector_tombstone_rows = !profile->unconditional && profile->gc_deletes_ns != 0;
    config->vector_whole_rows = profile->unconditional || profile->whole_rows;
    if (profile->compacts_on_order && config->vector_compact_ns == 0) {
        config->vector_compact_ns = 5 * VTIME_MINUTE;
    }
    config->vector_repair_deletes = profile->keys_repeat;
    if (profile->unconditional && config->upgrade_tend_ns == 0) {
        config->upgrade_tend_ns = 10 * VTIME_MINUTE;
    }
}
