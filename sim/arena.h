/*
 * Text that lives as long as a whole: bytes are copied in, stay where they are, and are freed
 * together.
 */
#ifndef MURPHY_SIM_ARENA_H
#define MURPHY_SIM_ARENA_H

#include <stddef.h>

#include "pipeline/bytes.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
};

static inline void arena_init(struct arena *a) {
    a->chunks = NULL;
}
void arena_release(struct arena *a);

/* Room for `size` bytes, at no particular alignment; never NULL but when there is no memory. */
char *arena_room(struct arena *a, size_t size);

/* A copy of text in *out, its data not NULL even when it is empty. 0 or -ENOMEM. */
int arena_copy(struct arena *a, struct bytes text, struct bytes *out);

#endif
