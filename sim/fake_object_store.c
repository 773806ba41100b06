#define _DEFAULT_SOURCE /* madvise */
#include "sim/fake_object_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/id_map.h"
#include "pipeline/wire.h"

/* Two mebibytes: blocks are written once from end to end, and a page of their size is faulted in at
 * once instead of in 512 pieces. */
enum { BLOCK_FLOATS = 1 << 19, BLOCK_BYTES = BLOCK_FLOATS * sizeof(float) };
#define NONE UINT32_MAX

/* Room for vectors; given back once all that were put there are gone. */
struct block {
    float *floats;
    size_t used;
    size_t kept; /* objects */
};

struct object {
    struct artifact_key key;
    vtime stored;
    vtime ended;
    enum object_end end;
    uint32_t block;
    uint32_t at;       /* in its block */
    uint32_t previous; /* object of the same listing; NONE: none */
};

struct fake_object_store {
    int64_t retention_ns;
    struct object *objects; /* in the order in which they were stored */
    size_t count, capacity;
    size_t oldest; /* objects before it are not kept */
    struct block *blocks;
    size_t block_count, block_capacity;
    struct id_map by_key;     /* hash of the key -> the object kept */
    struct id_map by_listing; /* -> its newest object */
    struct fake_object_store_counts counts;
};

struct fake_object_store *fake_object_store_new(const struct fake_object_store_options *options) {
    struct fake_object_store *o = calloc(1, sizeof *o);
    if (o == NULL) {
        return NULL;
    }
    o->retention_ns = options != NULL && options->retention_ns != 0
                          ? options->retention_ns
                          : FAKE_OBJECT_STORE_RETENTION_NS;
    id_map_init(&o->by_key);
    id_map_init(&o->by_listing);
    return o;
}

void fake_object_store_free(struct fake_object_store *o) {
    if (o == NULL) {
        return;
    }
    for (size_t i = 0; i < o->block_count; i++) {
        free(o->blocks[i].floats);
    }
    free(o->blocks);
    free(o->objects);
    id_map_release(&o->by_key);
    id_map_release(&o->by_listing);
    free(o);
}

static uint64_t key_hash(const struct artifact_key *key) {
    char text[8 + 8 + 4 + 4];
    char *at = wire_put(text, key->listing_id, 8);
    at = wire_put(at, key->content_hash, 8);
    at = wire_put(at, key->model_version, 4);
    wire_put(at, key->modality, 4);
    return XXH3_64bits(text, sizeof text);
}

static bool key_equal(const struct artifact_key *a, const struct artifact_key *b) {
    return a->listing_id == b->listing_id && a->content_hash == b->content_hash &&
           a->model_version == b->model_version && a->modality == b->modality;
}

/* Two keys of one hash would be told apart by the key itself: the later one is then the one that is
 * found, which costs a vector made again and nothing else. */
static uint32_t find(const struct fake_object_store *o, const struct artifact_key *key) {
    uint32_t at;
    return id_map_index(&o->by_key, key_hash(key), &at) && key_equal(&o->objects[at].key, key)
               ? at
               : NONE;
}

/* ---- Ends ---- */

static vtime expires(const struct fake_object_store *o, vtime stored) {
    if (o->retention_ns < 0) {
        return VTIME_NEVER;
    }
    int64_t due_ns = stored.ns + o->retention_ns;
    return (vtime){(due_ns + VTIME_DAY - 1) / VTIME_DAY * VTIME_DAY};
}

static void end(struct fake_object_store *o, uint32_t at, enum object_end why, vtime when) {
    struct object *object = &o->objects[at];
    assert(object->end == OBJECT_KEPT);
    object->end = why;
    object->ended = when;
    if (find(o, &object->key) == at) {
        id_map_remove(&o->by_key, key_hash(&object->key));
    }
    o->counts.kept--;
    o->counts.bytes -= modality_dimension(object->key.modality) * sizeof(float);
    struct block *block = &o->blocks[object->block];
    bool filling = object->block + 1 == o->block_count;
    if (--block->kept == 0 && !filling) {
        free(block->floats);
        block->floats = NULL;
    }
}

/* The lifecycle: what is due goes, oldest first. */
static void expire(struct fake_object_store *o, vtime now) {
    for (; o->oldest < o->count; o->oldest++) {
        const struct object *object = &o->objects[o->oldest];
        vtime due = expires(o, object->stored);
        if (object->end == OBJECT_KEPT && vtime_before(now, due)) {
            return;
        }
        if (object->end == OBJECT_KEPT) {
            end(o, (uint32_t)o->oldest, OBJECT_EXPIRED, due);
        }
    }
}

/* ---- The port ---- */

/* Room for a vector in the block that is being filled; NULL when memory is out. */
static float *room_for(struct fake_object_store *o, size_t floats, uint32_t *at) {
    struct block *last = o->block_count == 0 ? NULL : &o->blocks[o->block_count - 1];
    if (last == NULL || last->used + floats > BLOCK_FLOATS) {
        if (ARRAY_RESERVE(o->blocks, o->block_capacity, o->block_count + 1) != 0) {
            return NULL;
        }
        float *fresh = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
        if (fresh == NULL) {
            return NULL;
        }
        madvise(fresh, BLOCK_BYTES, MADV_HUGEPAGE);
        if (last != NULL && o->blocks[o->block_count - 1].kept == 0) {
            free(o->blocks[o->block_count - 1].floats);
            o->blocks[o->block_count - 1].floats = NULL;
        }
        last = &o->blocks[o->block_count++];
        *last = (struct block){.floats = fresh};
    }
    *at = (uint32_t)last->used;
    return last->floats + last->used;
}

static int put_one(struct fake_object_store *o, vtime now, const struct artifact_key *key,
                   const float *vector) {
    size_t floats = modality_dimension(key->modality);
    uint32_t place;
    float *room = room_for(o, floats, &place);
    if (room == NULL || ARRAY_RESERVE(o->objects, o->capacity, o->count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    assert(o->count < NONE);
    uint32_t at = (uint32_t)o->count, former = find(o, key), previous = NONE;
    id_map_index(&o->by_listing, key->listing_id, &previous);
    if (id_map_put_index(&o->by_listing, key->listing_id, at) != 0 ||
        id_map_put_index(&o->by_key, key_hash(key), at) != 0) {
        return PORT_NO_MEMORY;
    }
    memcpy(room, vector, floats * sizeof(float));
    o->blocks[o->block_count - 1].used += floats;
    o->blocks[o->block_count - 1].kept++;
    o->objects[o->count++] = (struct object){
        .key = *key,
        .stored = now,
        .block = (uint32_t)(o->block_count - 1),
        .at = place,
        .previous = previous,
    };
    o->counts.kept++;
    o->counts.bytes += floats * sizeof(float);
    if (former != NONE) {
        end(o, former, OBJECT_OVERWRITTEN, now);
    }
    return 0;
}

static int port_put(void *ctx, vtime now, const struct artifact_key *keys,
                    const float *const *vectors, size_t count) {
    struct fake_object_store *o = ctx;
    expire(o, now);
    for (size_t i = 0; i < count; i++) {
        o->counts.puts++;
        if (put_one(o, now, &keys[i], vectors[i]) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    return 0;
}

static int port_get(void *ctx, vtime now, const struct artifact_key *keys, size_t count,
                    float *const *vectors, bool *found) {
    struct fake_object_store *o = ctx;
    expire(o, now);
    for (size_t i = 0; i < count; i++) {
        uint32_t at = find(o, &keys[i]);
        o->counts.gets++;
        o->counts.found += at != NONE;
        found[i] = at != NONE;
        if (found[i]) {
            const struct object *object = &o->objects[at];
            memcpy(vectors[i], o->blocks[object->block].floats + object->at,
                   modality_dimension(keys[i].modality) * sizeof(float));
        }
    }
    return 0;
}

/* Newest object of a listing, or NONE. */
static uint32_t newest_of(const struct fake_object_store *o, uint64_t listing_id) {
    uint32_t at;
    return id_map_index(&o->by_listing, listing_id, &at) ? at : NONE;
}

static int port_erase(void *ctx, vtime now, const uint64_t *listing_ids, size_t count) {
    struct fake_object_store *o = ctx;
    expire(o, now);
    for (size_t i = 0; i < count; i++) {
        for (uint32_t at = newest_of(o, listing_ids[i]); at != NONE; at = o->objects[at].previous) {
            if (o->objects[at].end == OBJECT_KEPT) {
                end(o, at, OBJECT_ERASED, now);
            }
        }
    }
    return 0;
}

static int port_count(void *ctx, vtime now, const uint64_t *listing_ids, size_t count,
                      uint64_t *objects) {
    struct fake_object_store *o = ctx;
    expire(o, now);
    *objects = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t at = newest_of(o, listing_ids[i]); at != NONE; at = o->objects[at].previous) {
            *objects += o->objects[at].end == OBJECT_KEPT;
        }
    }
    return 0;
}

struct object_port fake_object_store_port(struct fake_object_store *o) {
    static const struct object_port_ops ops = {
        .put = port_put, .get = port_get, .erase = port_erase, .count = port_count};
    return (struct object_port){&ops, o};
}

/* ---- Looking inside ---- */

size_t fake_object_store_count(struct fake_object_store *o, vtime now) {
    expire(o, now);
    return o->count;
}

struct object_info fake_object_store_object(const struct fake_object_store *o, size_t i) {
    assert(i < o->count);
    const struct object *object = &o->objects[i];
    return (struct object_info){
        .key = object->key,
        .stored = object->stored,
        .expires = expires(o, object->stored),
        .end = object->end,
        .ended = object->ended,
        .vector = object->end == OBJECT_KEPT ? o->blocks[object->block].floats + object->at : NULL,
    };
}

struct fake_object_store_counts fake_object_store_counts(const struct fake_object_store *o) {
    return o->counts;
}

void fake_object_store_check(const struct fake_object_store *o) {
    uint64_t kept = 0;
    for (size_t i = 0; i < o->count; i++) {
        const struct object *object = &o->objects[i];
        assert(i == 0 || !vtime_before(object->stored, o->objects[i - 1].stored));
        if (object->end != OBJECT_KEPT) {
            continue;
        }
        kept++;
        assert(find(o, &object->key) == i);
        uint32_t at = newest_of(o, object->key.listing_id);
        while (at != NONE && at != i) {
            at = o->objects[at].previous;
        }
        assert(at == i);
    }
    assert(kept == o->counts.kept);
}
