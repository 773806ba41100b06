#include "pipeline/id_map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/memory.h"

#define ENTRIES_MAX (UINT32_C(1) << 30)
#define SLOTS_MIN 8u

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): neighbouring ids get unrelated slots. */
static uint32_t hash_of(uint64_t id) {
    id = (id ^ (id >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    id = (id ^ (id >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(id ^ (id >> 31));
}

static uint32_t slot_hash(uint64_t slot) {
    return (uint32_t)(slot >> 32);
}

static uint32_t slot_index(uint64_t slot) {
    return (uint32_t)slot - 1;
}

void id_map_init(struct id_map *m) {
    *m = (struct id_map){0};
}

void id_map_release(struct id_map *m) {
    free(m->entries);
    free(m->slots);
    id_map_init(m);
}

/* At most two thirds of the slots are in use: probing stays short. */
static bool slots_suffice(uint32_t slot_count, size_t entries) {
    return entries * 3 <= (size_t)slot_count * 2;
}

static void slot_insert(struct id_map *m, uint32_t hash, uint32_t index) {
    uint32_t mask = m->slot_count - 1;
    uint32_t at = hash & mask;
    while (m->slots[at] != 0) {
        at = (at + 1) & mask;
    }
    m->slots[at] = (uint64_t)hash << 32 | (index + 1);
}

/* All slots anew, from the entries; those are squeezed together first. */
static void rebuild(struct id_map *m) {
    uint32_t kept = 0;
    memset(m->slots, 0, (size_t)m->slot_count * sizeof *m->slots);
    for (uint32_t i = 0; i < m->entry_count; i++) {
        if (m->entries[i].live) {
            m->entries[kept] = m->entries[i];
            slot_insert(m, hash_of(m->entries[kept].id), kept);
            kept++;
        }
    }
    m->entry_count = kept;
    assert(kept == m->live_count);
}

static int reserve_slots(struct id_map *m, size_t count) {
    if (slots_suffice(m->slot_count, count)) {
        return 0;
    }
    uint32_t wanted = m->slot_count > 0 ? m->slot_count : SLOTS_MIN;
    while (!slots_suffice(wanted, count)) {
        wanted *= 2;
    }
    uint64_t *moved = memory_resize(m->slots, (size_t)wanted * sizeof *moved);
    if (moved == NULL) {
        return -ENOMEM;
    }
    m->slots = moved;
    m->slot_count = wanted;
    rebuild(m);
    return 0;
}

/* Room for `count` entries from the first on, dead ones included. */
static int reserve_entries(struct id_map *m, size_t count) {
    if (count <= m->entry_capacity) {
        return 0;
    }
    struct id_map_entry *moved = memory_resize(m->entries, count * sizeof *moved);
    if (moved == NULL) {
        return -ENOMEM;
    }
    m->entries = moved;
    m->entry_capacity = (uint32_t)count;
    return 0;
}

int id_map_reserve(struct id_map *m, size_t count) {
    if (count > ENTRIES_MAX) {
        return -ENOMEM;
    }
    return reserve_entries(m, count) != 0 ? -ENOMEM : reserve_slots(m, count);
}

/* The slot of an id: in use, or the free one where the search ended. */
static uint32_t slot_of(const struct id_map *m, uint64_t id) {
    uint32_t hash = hash_of(id);
    uint32_t mask = m->slot_count - 1;
    uint32_t at = hash & mask;
    for (; m->slots[at] != 0; at = (at + 1) & mask) {
        if (slot_hash(m->slots[at]) == hash && m->entries[slot_index(m->slots[at])].id == id) {
            break;
        }
    }
    return at;
}

struct id_map_entry *id_map_find(const struct id_map *m, uint64_t id) {
    if (m->slot_count == 0) {
        return NULL;
    }
    uint64_t slot = m->slots[slot_of(m, id)];
    return slot != 0 ? &m->entries[slot_index(slot)] : NULL;
}

/* Room for one more at the end: by squeezing when a quarter is dead, else by growing. */
static int make_room(struct id_map *m) {
    if (m->live_count >= ENTRIES_MAX || reserve_slots(m, (size_t)m->live_count + 1) != 0) {
        return -ENOMEM;
    }
    if (m->entry_count < m->entry_capacity) {
        return 0;
    }
    if (m->entry_count - m->live_count > m->entry_count / 4 || m->entry_count >= ENTRIES_MAX) {
        rebuild(m);
        return 0;
    }
    size_t wanted = m->entry_capacity + m->entry_capacity / 2 + 4;
    if (reserve_entries(m, wanted) == 0) {
        return 0;
    }
    if (m->live_count == m->entry_count) {
        return -ENOMEM;
    }
    rebuild(m);
    return 0;
}

int id_map_put(struct id_map *m, uint64_t id, union id_map_value value) {
    struct id_map_entry *held = id_map_find(m, id);
    if (held != NULL) {
        held->value = value;
        return 0;
    }
    if (make_room(m) != 0) {
        return -ENOMEM;
    }
    m->entries[m->entry_count] = (struct id_map_entry){.id = id, .value = value, .live = true};
    slot_insert(m, hash_of(id), m->entry_count);
    m->entry_count++;
    m->live_count++;
    return 1;
}

/* Frees a slot and moves those behind it that may now stand nearer to their home. */
static void slot_remove(struct id_map *m, uint32_t hole) {
    uint32_t mask = m->slot_count - 1;
    for (uint32_t at = (hole + 1) & mask; m->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t home = slot_hash(m->slots[at]) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            m->slots[hole] = m->slots[at];
            hole = at;
        }
    }
    m->slots[hole] = 0;
}

bool id_map_remove(struct id_map *m, uint64_t id) {
    if (m->slot_count == 0) {
        return false;
    }
    uint32_t at = slot_of(m, id);
    if (m->slots[at] == 0) {
        return false;
    }
    m->entries[slot_index(m->slots[at])].live = false;
    m->live_count--;
    slot_remove(m, at);
    return true;
}

struct id_map_entry *id_map_next(const struct id_map *m, size_t *cursor) {
    while (*cursor < m->entry_count) {
        struct id_map_entry *entry = &m->entries[(*cursor)++];
        if (entry->live) {
            return entry;
        }
    }
    return NULL;
}

void id_map_check(const struct id_map *m) {
    assert(m->entry_count <= m->entry_capacity);
    assert(slots_suffice(m->slot_count, m->live_count));
    uint32_t used = 0;
    uint32_t live = 0;
    for (uint32_t i = 0; i < m->slot_count; i++) {
        used += m->slots[i] != 0;
    }
    for (uint32_t i = 0; i < m->entry_count; i++) {
        if (m->entries[i].live) {
            assert(id_map_find(m, m->entries[i].id) == &m->entries[i]);
            live++;
        }
    }
    assert(live == m->live_count && used == live);
}
