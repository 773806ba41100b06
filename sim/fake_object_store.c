#include "sim/fake_object_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/id_map.h"
#include "pipeline/wire.h"

enum { BLOCK_BYTES = 1 << 20 };
#define NONE UINT32_MAX

/* Room for packed vectors; given back once all that were put there are gone. */
struct block {
    char *bytes;
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
    int64_t listing_lag_ns;
    int64_t lifecycle_shift_ns;
    vtime shifted;          /* since when */
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
        free(o->blocks[i].bytes);
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

static vtime expires_shifted(const struct fake_object_store *o, vtime stored, int64_t shift_ns) {
    if (o->retention_ns < 0) {
        return VTIME_NEVER;
    }
    int64_t due_ns = stored.ns + o->retention_ns + shift_ns;
    return (vtime){(due_ns + VTIME_DAY - 1) / VTIME_DAY * VTIME_DAY};
}

static vtime expires(const struct fake_object_store *o, vtime stored) {
    return expires_shifted(o, stored, o->lifecycle_shift_ns);
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
        free(block->bytes);
        block->bytes = NULL;
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
            vtime ended = vtime_max(due, o->shifted);
            o->counts.early += vtime_before(ended, expires_shifted(o, object->stored, 0));
            end(o, (uint32_t)o->oldest, OBJECT_EXPIRED, ended);
        }
    }
}

/* An object that is kept is found, maybe after its time. */
static void found_kept(struct fake_object_store *o, const struct object *object, vtime now) {
    o->counts.late += !vtime_before(now, expires_shifted(o, object->stored, 0));
}

/* ---- The port ---- */

/*
 * A vector is packed as the floats whose bits are not all zero, behind a bit for each float that
 * says whether it is one of them: words and pictures touch few of the dimensions. Written without
 * branches, since no one can guess which.
 */
enum { PACKED_GROUP = 32, PACKED_MAX = FUSED_DIMENSION / 8 + FUSED_DIMENSION * 4 };
_Static_assert(TEXT_DIMENSION % PACKED_GROUP == 0 && IMAGE_DIMENSION % PACKED_GROUP == 0 &&
                   FUSED_DIMENSION % PACKED_GROUP == 0,
               "a vector ends with a group");

static size_t pack(const float *vector, size_t dimension, char *buffer) {
    char *masks = buffer;
    char *values = buffer + dimension / 8;
    for (size_t i = 0; i < dimension; i += PACKED_GROUP) {
        uint32_t mask = 0;
        for (size_t j = 0; j < PACKED_GROUP; j++) {
            uint32_t bits;
            memcpy(&bits, &vector[i + j], sizeof bits);
            le32_put(values, bits); /* the next one overwrites it unless it stays */
            values += bits != 0 ? sizeof bits : 0;
            mask |= (uint32_t)(bits != 0) << j;
        }
        masks = le32_put(masks, mask);
    }
    return (size_t)(values - buffer);
}

static void unpack(const char *packed, float *vector, size_t dimension) {
    const char *values = packed + dimension / 8;
    memset(vector, 0, dimension * sizeof *vector);
    for (size_t i = 0; i < dimension; i += PACKED_GROUP) {
        uint32_t mask = le32_get(packed + i / 8);
        for (size_t j = i; mask != 0; j++, mask >>= 1) {
            if ((mask & 1) != 0) {
                uint32_t bits = le32_get(values);
                memcpy(&vector[j], &bits, sizeof bits);
                values += sizeof bits;
            }
        }
    }
}

/* A block with room for a packed vector; NULL when memory is out. */
static struct block *block_for(struct fake_object_store *o) {
    struct block *last = o->block_count == 0 ? NULL : &o->blocks[o->block_count - 1];
    if (last != NULL && last->used + PACKED_MAX <= BLOCK_BYTES) {
        return last;
    }
    if (ARRAY_RESERVE(o->blocks, o->block_capacity, o->block_count + 1) != 0) {
        return NULL;
    }
    char *fresh = malloc(BLOCK_BYTES);
    if (fresh == NULL) {
        return NULL;
    }
    last = o->block_count == 0 ? NULL : &o->blocks[o->block_count - 1];
    if (last != NULL && last->kept == 0) {
        free(last->bytes);
        last->bytes = NULL;
    }
    o->blocks[o->block_count] = (struct block){.bytes = fresh};
    return &o->blocks[o->block_count++];
}

static int put_one(struct fake_object_store *o, vtime now, const struct artifact_key *key,
                   const float *vector) {
    size_t floats = modality_dimension(key->modality);
    struct block *block = block_for(o);
    if (block == NULL || ARRAY_RESERVE(o->objects, o->capacity, o->count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    assert(o->count < NONE);
    uint32_t at = (uint32_t)o->count, former = find(o, key), previous = NONE;
    id_map_index(&o->by_listing, key->listing_id, &previous);
    if (id_map_put_index(&o->by_listing, key->listing_id, at) != 0 ||
        id_map_put_index(&o->by_key, key_hash(key), at) != 0) {
        return PORT_NO_MEMORY;
    }
    o->objects[o->count++] = (struct object){
        .key = *key,
        .stored = now,
        .block = (uint32_t)(o->block_count - 1),
        .at = (uint32_t)block->used,
        .previous = previous,
    };
    block->used += pack(vector, floats, block->bytes + block->used);
    block->kept++;
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
            found_kept(o, object, now);
            unpack(o->blocks[object->block].bytes + object->at, vectors[i],
                   modality_dimension(keys[i].modality));
        }
    }
    return 0;
}

/* Newest object of a listing, or NONE. */
static uint32_t newest_of(const struct fake_object_store *o, uint64_t listing_id) {
    uint32_t at;
    return id_map_index(&o->by_listing, listing_id, &at) ? at : NONE;
}

/* A listing made at that moment names it. */
static bool was_listed(const struct object *object, vtime made, vtime until) {
    bool there = object->end == OBJECT_KEPT || vtime_before(made, object->ended);
    return there && object->stored.ns <= until.ns && object->stored.ns <= made.ns;
}

/* A listing names what was there when it was made, a while ago. */
static bool is_listed(struct fake_object_store *o, const struct object *object, vtime now,
                      vtime until) {
    bool listed = was_listed(object, vtime_add(now, -o->listing_lag_ns), until);
    o->counts.mislisted += listed != was_listed(object, now, until);
    if (listed && object->end == OBJECT_KEPT) {
        found_kept(o, object, now);
    }
    return listed;
}

static int port_erase(void *ctx, vtime now, const uint64_t *listing_ids, size_t count,
                      vtime until) {
    struct fake_object_store *o = ctx;
    expire(o, now);
    for (size_t i = 0; i < count; i++) {
        for (uint32_t at = newest_of(o, listing_ids[i]); at != NONE; at = o->objects[at].previous) {
            const struct object *object = &o->objects[at];
            if (object->end == OBJECT_KEPT && is_listed(o, object, now, until)) {
                end(o, at, OBJECT_ERASED, now);
            }
        }
    }
    return 0;
}

static int port_purge(void *ctx, vtime now, vtime from, vtime to) {
    struct fake_object_store *o = ctx;
    expire(o, now);
    for (size_t i = o->oldest; i < o->count; i++) {
        const struct object *object = &o->objects[i];
        bool meant = object->stored.ns >= from.ns && object->stored.ns < to.ns;
        if (meant && object->end == OBJECT_KEPT && is_listed(o, object, now, now)) {
            end(o, (uint32_t)i, OBJECT_ERASED, now);
        }
    }
    return 0;
}

static int port_count(void *ctx, vtime now, const uint64_t *listing_ids, size_t count, vtime until,
                      uint64_t *objects) {
    struct fake_object_store *o = ctx;
    expire(o, now);
    *objects = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t at = newest_of(o, listing_ids[i]); at != NONE; at = o->objects[at].previous) {
            *objects += is_listed(o, &o->objects[at], now, until);
        }
    }
    return 0;
}

struct object_port fake_object_store_port(struct fake_object_store *o) {
    static const struct object_port_ops ops = {
        .put = port_put,
        .get = port_get,
        .erase = port_erase,
        .purge = port_purge,
        .count = port_count,
    };
    return (struct object_port){&ops, o};
}

/* ---- Looking inside ---- */

void fake_object_store_list_late(struct fake_object_store *o, int64_t lag_ns) {
    o->listing_lag_ns = lag_ns;
}

void fake_object_store_shift_lifecycle(struct fake_object_store *o, vtime now, int64_t shift_ns) {
    expire(o, now);
    o->lifecycle_shift_ns = shift_ns;
    o->shifted = now;
}

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
    };
}

struct fake_object_store_counts fake_object_store_counts(const struct fake_object_store *o) {
    return o->counts;
}

bool fake_object_store_holds(const struct fake_object_store *o, uint64_t listing_id, vtime until) {
    uint32_t at = newest_of(o, listing_id);
    while (at != NONE &&
           !(o->objects[at].end == OBJECT_KEPT && o->objects[at].stored.ns <= until.ns)) {
        at = o->objects[at].previous;
    }
    return at != NONE;
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
