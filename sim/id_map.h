/*
 * A map from 64-bit ids to small numbers (places in an array): open addressing with linear
 * probing, at most half full. Entries are never removed, and the map cannot be walked, so nothing
 * can depend on its order.
 */
#ifndef MURPHY_SIM_ID_MAP_H
#define MURPHY_SIM_ID_MAP_H

#include <stdint.h>

#define ID_MAP_NONE UINT32_MAX

struct id_map_entry;
struct id_map {
    struct id_map_entry *entries; /* NULL while empty */
    uint32_t capacity;            /* a power of two */
    uint32_t count;
};

void id_map_init(struct id_map *m);
void id_map_release(struct id_map *m);

/* The number of an id, or ID_MAP_NONE. */
uint32_t id_map_get(const struct id_map *m, uint64_t id);

/* Sets or replaces; value is not ID_MAP_NONE. 0, or -ENOMEM with the map as it was. */
int id_map_put(struct id_map *m, uint64_t id, uint32_t value);

#endif
