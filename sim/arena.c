#include "sim/arena.h"

#include <errno.h>
#include <stdlib.h>

#define CHUNK_BYTES ((size_t)256 << 10)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, capacity;
    char bytes[];
};

void arena_release(struct arena *a) {
    while (a->chunks != NULL) {
        struct arena_chunk *next = a->chunks->next;
        free(a->chunks);
        a->chunks = next;
    }
}

char *arena_room(struct arena *a, size_t size) {
    struct arena_chunk *chunk = a->chunks;
    if (chunk == NULL || chunk->capacity - chunk->used < size) {
        size_t capacity = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        chunk = malloc(sizeof *chunk + capacity);
        if (chunk == NULL) {
            return NULL;
        }
        *chunk = (struct arena_chunk){.next = a->chunks, .capacity = capacity};
        a->chunks = chunk;
    }
    char *room = chunk->bytes + chunk->used;
    chunk->used += size;
    return room;
}

int arena_copy(struct arena *a, struct bytes text, struct bytes *out) {
    char *room = arena_room(a, text.len);
    if (room == NULL) {
        return -ENOMEM;
    }
    if (text.len > 0) {
        memcpy(room, text.data, text.len);
    }
    *out = (struct bytes){room, text.len};
    return 0;
}
