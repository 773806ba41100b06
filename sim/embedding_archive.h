/*
 * The embedding service together with its archive of artifacts (A5, A16): every vector that it
 * makes goes to the object store under what it was made of, and what is there is not made again.
 *
 *     embed --> which wanted vectors of the item were kept? --all--> theirs
 *                       | some, none
 *                       +--> the model makes the rest --> put
 *
 * So a vector that a crash, a lost row or a rollback asks for once more costs a read while its
 * artifact is kept, and an embedding after that. The archive is a convenience: where the object
 * store fails, vectors are made as if there were none. A flawed answer is handed on and not kept.
 */
#ifndef MURPHY_SIM_EMBEDDING_ARCHIVE_H
#define MURPHY_SIM_EMBEDDING_ARCHIVE_H

#include <stdint.h>

#include "pipeline/bugs.h"
#include "pipeline/id_map.h"
#include "pipeline/ports.h"

struct embedding_archive {
    /* Asked anew each time, so that they can be wrapped. */
    const struct embedding_port *inner;
    const struct object_port *objects;
    const struct bugs *bugs;         /* BUG_ARTIFACT_ASSUMED is one of the archive's; may be NULL */
    struct id_map once;              /* with that bug: hashes of the keys that were ever kept */
    uint64_t reused[MODALITY_COUNT]; /* vectors that came from the archive */
    uint64_t unkept;                 /* vectors that the object store did not take */
    struct embed_item *items;        /* the part of a request that the model gets */
    size_t item_capacity;
    struct embed_result *results;
    size_t result_capacity;
};
void embedding_archive_release(struct embedding_archive *archive);

/* Errors are those of the inner port. */
struct embedding_port embedding_archive_port(struct embedding_archive *archive);

#endif
