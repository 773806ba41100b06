/*
 * What kinds of vector database there are, reduced to what a pipeline has to know of them
 * (docs/vector.md says which source says what). A profile is plain data: the fake behaves by it,
 * and the pipeline is configured by it.
 *
 *     plain            versions and tombstones for ever; every write is seen at once
 *     opensearch-like  external versions; tombstones in memory, for a minute; a refresh each second
 *     milvus-like      no conditional write, no primary key that is one; four levels of consistency
 *     pinecone-like    no conditional write; eventual, with a log sequence number; 429
 *     pgvector-like    transactions; a deletion leaves nothing; dead rows until a vacuum
 */
#ifndef MURPHY_SIM_VECTOR_PROFILE_H
#define MURPHY_SIM_VECTOR_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/machine.h"

enum vector_profile_id {
    VECTORS_PLAIN,
    VECTORS_OPENSEARCH,
    VECTORS_MILVUS,
    VECTORS_PINECONE,
    VECTORS_PGVECTOR,
    VECTOR_PROFILE_COUNT
};

/* What a read is promised (Milvus' names): everything written before it; what is older than a
 * bound; its own session's writes, and of the others' what is older than the bound; nothing. */
enum vector_consistency {
    CONSISTENCY_BOUNDED,
    CONSISTENCY_STRONG,
    CONSISTENCY_SESSION,
    CONSISTENCY_EVENTUALLY,
    CONSISTENCY_COUNT
};
const char *vector_consistency_name(enum vector_consistency level);

/* A zero member asks nothing of the pipeline: all of them zero are the plain profile. */
struct vector_profile {
    /* Versions. */
    bool unconditional;        /* every write applies, whatever the version that is there */
    int64_t gc_deletes_ns;     /* age at which a tombstone is forgotten; 0: never */
    bool tombstones_in_memory; /* a restart forgets them */

    /* A row is written as a whole or not at all: ROW_METADATA is ITEM_FATAL. OpenSearch answers 400
     * to an update with an external version. */
    bool whole_rows;

    bool keys_repeat; /* an upsert and a delete find one row of the key, if there are more */

    /* Visibility. */
    int64_t visible_after_ns; /* of a write, at most */
    bool refreshes;           /* all at once, every visible_after_ns */
    bool gets_realtime;       /* a get by id sees what searches and scans do not yet */
    enum vector_consistency consistency;

    /* The index. */
    bool index_blind;       /* dead rows use up the candidates of a search */
    bool compacts_on_order; /* dead rows stay in the index until VECTOR_COMPACT (VACUUM) */

    bool aliases_apart; /* each alias moves by itself, so that a store that dies tears a switch */

    /* Limits. */
    size_t batch_items_max; /* 0: 4,096; a larger batch is PORT_TOO_LARGE, and nothing is done */
    size_t batch_bytes_max; /* of vectors and metadata; 0: no limit */
    uint32_t requests_per_second_max; /* of one collection; more are PORT_THROTTLED; 0: no limit */
    bool transactional;               /* a batch is in as a whole or not at all */
};

const char *vector_profile_name(enum vector_profile_id id);
struct vector_profile vector_profile_of(enum vector_profile_id id);

/* What the pipeline does differently before such a database. */
void vector_profile_configure(const struct vector_profile *profile, struct pipeline_config *config);

#endif
