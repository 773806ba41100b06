/*
 * Map from a 64-bit id to a pointer or a number: how a machine finds its documents.
 *
 * Entries stand densely in the order in which they were put, and that is the order of iteration, so
 * nothing that walks a map depends on its hash. Beside them, a table of slots with open addressing
 * and linear probing holds 32 bits of each id's hash and the index of its entry: a look-up reads
 * one or two lines of slots and one entry. Removal moves the slots behind it back (Knuth, The Art
 * of Computer Programming, vol. 3, 6.4, algorithm R), so the table never fills with dead slots;
 * dead entries are squeezed out when the array of entries is full.
 *
 * Limits: 2^30 entries. Memory: 24 bytes an entry, and 8 a slot, 1.5 to 3 slots an entry.
 */
#ifndef MURPHY_PIPELINE_ID_MAP_H
#define MURPHY_PIPELINE_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

union id_map_value {
    void *pointer; /* not owned */
    uint64_t number;
};

struct id_map_entry {
    uint64_t id;
    union id_map_value value; /* may be changed in place */
    bool live;                /* private */
};

struct id_map {
    struct id_map_entry *entries;
    uint64_t *slots;      /* low half of the hash << 32 | index of the entry + 1; 0: free */
    uint32_t entry_count; /* dead ones included */
    uint32_t entry_capacity;
    uint32_t live_count;
    uint32_t slot_count; /* 0 or a power of two */
};

void id_map_init(struct id_map *m);
/* Frees what m owns; m is then as after id_map_init. Pointers in it are the caller's. */
void id_map_release(struct id_map *m);

/* Room for `count` entries in all: until then id_map_put cannot fail. 0 or -ENOMEM. */
int id_map_reserve(struct id_map *m, size_t count);

/* The entry of an id, or NULL. Good until the next id_map_put, id_map_reserve or release. */
struct id_map_entry *id_map_find(const struct id_map *m, uint64_t id);

/*
 * Sets the value of an id. Returns 1 when the id came in, 0 when its value was replaced (it keeps
 * its place in the order), -ENOMEM with the map as it was.
 */
int id_map_put(struct id_map *m, uint64_t id, union id_map_value value);

/* True when the id was there. An id that is put again stands last in the order. */
bool id_map_remove(struct id_map *m, uint64_t id);

static inline size_t id_map_count(const struct id_map *m) {
    return m->live_count;
}

/*
 * Walks the entries in order: *cursor starts at 0; NULL at the end. Removing entries during the
 * walk is allowed, putting is not.
 */
struct id_map_entry *id_map_next(const struct id_map *m, size_t *cursor);

/* Asserts that slots and entries say the same. */
void id_map_check(const struct id_map *m);

/* For maps whose values are indices into an array: finds one, or says that there is none. */
static inline bool id_map_index(const struct id_map *m, uint64_t id, uint32_t *index) {
    const struct id_map_entry *entry = id_map_find(m, id);
    if (entry == NULL) {
        return false;
    }
    *index = (uint32_t)entry->value.number;
    return true;
}

/* The same as a number that says NONE when the id is absent. */
#define ID_MAP_NONE UINT32_MAX
static inline uint32_t id_map_get(const struct id_map *m, uint64_t id) {
    uint32_t index = ID_MAP_NONE;
    id_map_index(m, id, &index);
    return index;
}

/* Sets or replaces. 0 or -ENOMEM. */
static inline int id_map_put_index(struct id_map *m, uint64_t id, size_t index) {
    int outcome = id_map_put(m, id, (union id_map_value){.number = index});
    return outcome < 0 ? outcome : 0;
}

#endif
