#include "sim/id_map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct id_map_entry {
    uint64_t id;
    uint32_t value; /* ID_MAP_NONE: the place is free */
};

void id_map_init(struct id_map *m) {
    *m = (struct id_map){0};
}

void id_map_release(struct id_map *m) {
    free(m->entries);
    id_map_init(m);
}

/* Fibonacci hashing: neighbouring ids spread over the table. */
static uint32_t place_of(const struct id_map *m, uint64_t id) {
    uint32_t mask = m->capacity - 1;
    uint32_t place = (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;
    while (m->entries[place].value != ID_MAP_NONE && m->entries[place].id != id) {
        place = (place + 1) & mask;
    }
    return place;
}

static int grow(struct id_map *m) {
    struct id_map larger = {0, m->capacity == 0 ? 64 : m->capacity * 2, m->count};
    larger.entries = malloc(larger.capacity * sizeof(*larger.entries));
    if (larger.entries == 0) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < larger.capacity; i++) {
        larger.entries[i] = (struct id_map_entry){0, ID_MAP_NONE};
    }
    for (uint32_t i = 0; i < m->capacity; i++) {
        if (m->entries[i].value != ID_MAP_NONE) {
            larger.entries[place_of(&larger, m->entries[i].id)] = m->entries[i];
        }
    }
    free(m->entries);
    *m = larger;
    return 0;
}

uint32_t id_map_get(const struct id_map *m, uint64_t id) {
    return m->capacity == 0 ? ID_MAP_NONE : m->entries[place_of(m, id)].value;
}

int id_map_put(struct id_map *m, uint64_t id, uint32_t value) {
    assert(value != ID_MAP_NONE);
    if (m->count >= m->capacity / 2) {
        int rc = grow(m);
        if (rc != 0) {
            return rc;
        }
    }
    struct id_map_entry *entry = &m->entries[place_of(m, id)];
    if (entry->value == ID_MAP_NONE) {
        m->count++;
    }
    *entry = (struct id_map_entry){id, value};
    return 0;
}
