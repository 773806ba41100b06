#include "sim/fake_state_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 16

struct slot {
    uint64_t key;
    char *data; /* NULL: the slot is free */
    size_t len; /* 0 only within a save, of a key that is about to go */
    size_t size;
};

/* Open addressing with linear probing; a removal closes the gap, so there are no markers. */
struct map {
    struct slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t used;
};

struct checkpoint {
    char *group;
    uint32_t partition;
    uint32_t generation;
    uint64_t saves;
    uint64_t loads;
    uint64_t fenced;
    struct map map;
    size_t bytes;
    char *offsets;
    size_t offsets_len;
    size_t offsets_size;
};

struct fake_state_store {
    struct checkpoint **checkpoints; /* by (group, partition) */
    size_t count;
    size_t capacity;
    char **fresh; /* room for the buffers of one save */
    size_t fresh_capacity;
    bool loading; /* entry() is being called */
};

/* ---- Map ---- */

static size_t map_home(const struct map *m, uint64_t key) {
    key ^= key >> 32;
    key *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(key >> 32) & (m->slot_count - 1);
}

/* The slot of the key, or the free one where it belongs; slot_count > used. */
static struct slot *map_place(const struct map *m, uint64_t key) {
    size_t i = map_home(m, key);
    while (m->slots[i].data != NULL && m->slots[i].key != key) {
        i = (i + 1) & (m->slot_count - 1);
    }
    return &m->slots[i];
}

static struct slot *map_find(const struct map *m, uint64_t key) {
    if (m->used == 0) {
        return NULL;
    }
    struct slot *s = map_place(m, key);
    return s->data == NULL ? NULL : s;
}

/* Room for `more` further keys below two thirds full. */
static bool map_reserve(struct map *m, size_t more) {
    size_t needed = m->used + more;
    if (needed <= m->slot_count / 3 * 2) {
        return true;
    }
    struct map grown = {.slot_count = m->slot_count == 0 ? SLOTS_FIRST : m->slot_count,
                        .used = m->used};
    while (needed > grown.slot_count / 3 * 2) {
        grown.slot_count *= 2;
    }
    grown.slots = calloc(grown.slot_count, sizeof *grown.slots);
    if (grown.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].data != NULL) {
            *map_place(&grown, m->slots[i].key) = m->slots[i];
        }
    }
    free(m->slots);
    *m = grown;
    return true;
}

/* Moves later slots of the same run back, so that each is still reached from its home. */
static void map_remove(struct map *m, struct slot *s) {
    size_t mask = m->slot_count - 1;
    size_t gap = (size_t)(s - m->slots);
    free(s->data);
    for (size_t i = (gap + 1) & mask; m->slots[i].data != NULL; i = (i + 1) & mask) {
        size_t home = map_home(m, m->slots[i].key);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap] = (struct slot){0};
    m->used--;
}

static void map_release(struct map *m) {
    for (size_t i = 0; i < m->slot_count; i++) {
        free(m->slots[i].data);
    }
    free(m->slots);
    *m = (struct map){0};
}

/* ---- Checkpoints ---- */

/* Index of the first checkpoint at or after (group, partition). */
static size_t checkpoint_place(const struct fake_state_store *s, const char *group,
                               uint32_t partition) {
    size_t low = 0;
    size_t high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct checkpoint *c = s->checkpoints[middle];
        int order = strcmp(c->group, group);
        if (order < 0 || (order == 0 && c->partition < partition)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct checkpoint *checkpoint_find(const struct fake_state_store *s, const char *group,
                                          uint32_t partition) {
    size_t i = checkpoint_place(s, group, partition);
    if (i == s->count) {
        return NULL;
    }
    struct checkpoint *c = s->checkpoints[i];
    return c->partition == partition && strcmp(c->group, group) == 0 ? c : NULL;
}

static struct checkpoint *checkpoint_new(const char *group, uint32_t partition) {
    struct checkpoint *c = calloc(1, sizeof *c);
    size_t len = strlen(group) + 1;
    char *name = malloc(len);
    if (c == NULL || name == NULL) {
        free(c);
        free(name);
        return NULL;
    }
    memcpy(name, group, len);
    c->group = name;
    c->partition = partition;
    return c;
}

static void checkpoint_free(struct checkpoint *c) {
    map_release(&c->map);
    free(c->offsets);
    free(c->group);
    free(c);
}

static bool reserve_checkpoint(struct fake_state_store *s) {
    if (s->count < s->capacity) {
        return true;
    }
    size_t capacity = s->capacity == 0 ? 16 : 2 * s->capacity;
    struct checkpoint **grown = realloc(s->checkpoints, capacity * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    s->checkpoints = grown;
    s->capacity = capacity;
    return true;
}

/* The checkpoint of (group, partition), made when there is none; NULL when memory is out. */
static struct checkpoint *checkpoint_open(struct fake_state_store *s, const char *group,
                                          uint32_t partition) {
    struct checkpoint *c = checkpoint_find(s, group, partition);
    if (c != NULL) {
        return c;
    }
    c = reserve_checkpoint(s) ? checkpoint_new(group, partition) : NULL;
    if (c == NULL) {
        return NULL;
    }
    size_t place = checkpoint_place(s, group, partition);
    memmove(s->checkpoints + place + 1, s->checkpoints + place,
            (s->count - place) * sizeof(*s->checkpoints));
    s->checkpoints[place] = c;
    s->count++;
    return c;
}

/* ---- Save ---- */

/* A value grows by little, mostly: an eighth more, so that the next one fits. */
static size_t value_size(size_t len) {
    return (len + len / 8 + 15) / 16 * 16;
}

static void fresh_release(struct fake_state_store *s, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(s->fresh[i]);
    }
}

static bool fresh_reserve(struct fake_state_store *s, size_t count) {
    if (count <= s->fresh_capacity) {
        return true;
    }
    char **grown = realloc(s->fresh, count * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    s->fresh = grown;
    s->fresh_capacity = count;
    return true;
}

/* A buffer for each value that has no room where its key's value is now, NULL for the others.
 * `size` of a slot never falls within a save, so what fits before it fits during it. */
static bool fresh_prepare(struct fake_state_store *s, const struct checkpoint *c,
                          const struct state_entry *entries, size_t count) {
    if (!fresh_reserve(s, count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        s->fresh[i] = NULL;
        size_t len = entries[i].value.len;
        const struct slot *old = map_find(&c->map, entries[i].key);
        if (len == 0 || (old != NULL && old->size >= len)) {
            continue;
        }
        s->fresh[i] = malloc(value_size(len));
        if (s->fresh[i] == NULL) {
            fresh_release(s, i);
            return false;
        }
    }
    return true;
}

static bool reserve_offsets(struct checkpoint *c, size_t len) {
    if (len <= c->offsets_size) {
        return true;
    }
    size_t size = value_size(len);
    char *grown = realloc(c->offsets, size);
    if (grown == NULL) {
        return false;
    }
    c->offsets = grown;
    c->offsets_size = size;
    return true;
}

/* Cannot fail. An emptied slot keeps its buffer until sweep: the same save may fill it again. */
static void apply_entry(struct checkpoint *c, const struct state_entry *entry, char *fresh) {
    struct slot *slot = map_place(&c->map, entry->key);
    size_t len = entry->value.len;
    if (slot->data == NULL && len == 0) {
        return;
    }
    if (slot->data == NULL) {
        *slot = (struct slot){.key = entry->key};
        c->map.used++;
    }
    if (fresh != NULL && slot->size < len) {
        free(slot->data);
        slot->data = fresh;
        slot->size = value_size(len);
    } else {
        free(fresh); /* an earlier entry of this save has made room already */
    }
    assert(slot->size >= len);
    if (len > 0) {
        memcpy(slot->data, entry->value.data, len);
    }
    c->bytes = c->bytes - slot->len + len;
    slot->len = len;
}

static void sweep(struct checkpoint *c, const struct state_entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct slot *slot = entries[i].value.len == 0 ? map_find(&c->map, entries[i].key) : NULL;
        if (slot != NULL && slot->len == 0) {
            map_remove(&c->map, slot);
        }
    }
}

static int save(void *ctx, vtime now, const char *group, uint32_t partition, uint32_t generation,
                struct bytes offsets, const struct state_entry *entries, size_t count) {
    struct fake_state_store *s = ctx;
    (void)now;
    assert(!s->loading);
    struct checkpoint *c = checkpoint_open(s, group, partition);
    if (c == NULL) {
        return PORT_NO_MEMORY;
    }
    if (generation < c->generation) {
        c->fenced++;
        return PORT_FENCED;
    }
    if (!reserve_offsets(c, offsets.len) || !map_reserve(&c->map, count) ||
        !fresh_prepare(s, c, entries, count)) {
        return PORT_NO_MEMORY;
    }
    /* From here on nothing fails. */
    for (size_t i = 0; i < count; i++) {
        apply_entry(c, &entries[i], s->fresh[i]);
    }
    sweep(c, entries, count);
    if (offsets.len > 0) {
        memcpy(c->offsets, offsets.data, offsets.len);
    }
    c->offsets_len = offsets.len;
    c->generation = generation;
    c->saves++;
    return 0;
}

/* ---- Load ---- */

static int compare_slots(const void *a, const void *b) {
    uint64_t x = (*(const struct slot *const *)a)->key;
    uint64_t y = (*(const struct slot *const *)b)->key;
    return x < y ? -1 : x > y;
}

static struct bytes checkpoint_offsets(const struct checkpoint *c) {
    return c->offsets_len == 0 ? (struct bytes){0} : (struct bytes){c->offsets, c->offsets_len};
}

/* The used slots in key order, or NULL when memory is out; never NULL otherwise. */
static const struct slot **sorted_slots(const struct map *m) {
    const struct slot **sorted = malloc((m->used + 1) * sizeof(*sorted));
    if (sorted == NULL) {
        return NULL;
    }
    size_t n = 0;
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].data != NULL) {
            sorted[n++] = &m->slots[i];
        }
    }
    assert(n == m->used);
    qsort(sorted, n, sizeof(*sorted), compare_slots);
    return sorted;
}

static int load(void *ctx, vtime now, const char *group, uint32_t partition, uint32_t generation,
                struct bytes *offsets,
                int (*entry)(void *entry_ctx, uint64_t key, struct bytes value), void *entry_ctx) {
    struct fake_state_store *s = ctx;
    (void)now;
    assert(!s->loading);
    *offsets = (struct bytes){0};
    struct checkpoint *c = checkpoint_open(s, group, partition);
    const struct slot **sorted = c == NULL ? NULL : sorted_slots(&c->map);
    if (sorted == NULL) {
        return PORT_NO_MEMORY;
    }
    if (generation > c->generation) {
        c->generation = generation;
    }
    c->loads++;
    *offsets = checkpoint_offsets(c);
    int error = 0;
    s->loading = true;
    for (size_t i = 0; i < c->map.used && error == 0; i++) {
        error = entry(entry_ctx, sorted[i]->key, (struct bytes){sorted[i]->data, sorted[i]->len});
    }
    s->loading = false;
    free(sorted);
    return error;
}

/* ---- Life ---- */

struct fake_state_store *fake_state_store_new(void) {
    return calloc(1, sizeof(struct fake_state_store));
}

void fake_state_store_free(struct fake_state_store *s) {
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        checkpoint_free(s->checkpoints[i]);
    }
    free(s->checkpoints);
    free(s->fresh);
    free(s);
}

static int peek(void *ctx, vtime now, const char *group, uint32_t partition, uint64_t key,
                struct bytes *value) {
    (void)now;
    *value = fake_state_store_value(ctx, group, partition, key);
    return PORT_OK;
}

struct state_port fake_state_store_port(struct fake_state_store *s) {
    static const struct state_port_ops ops = {save, load, peek};
    return (struct state_port){&ops, s};
}

/* ---- What can be seen and lost ---- */

size_t fake_state_store_count(const struct fake_state_store *s) {
    return s->count;
}

struct fake_state_info fake_state_store_info(const struct fake_state_store *s, size_t i) {
    assert(i < s->count);
    const struct checkpoint *c = s->checkpoints[i];
    return (struct fake_state_info){.group = c->group,
                                    .partition = c->partition,
                                    .generation = c->generation,
                                    .saves = c->saves,
                                    .loads = c->loads,
                                    .fenced = c->fenced,
                                    .entries = c->map.used,
                                    .bytes = c->bytes,
                                    .offsets = checkpoint_offsets(c)};
}

bool fake_state_store_find(const struct fake_state_store *s, const char *group, uint32_t partition,
                           struct fake_state_info *out) {
    if (checkpoint_find(s, group, partition) == NULL) {
        return false;
    }
    *out = fake_state_store_info(s, checkpoint_place(s, group, partition));
    return true;
}

struct bytes fake_state_store_value(const struct fake_state_store *s, const char *group,
                                    uint32_t partition, uint64_t key) {
    const struct checkpoint *c = checkpoint_find(s, group, partition);
    const struct slot *slot = c == NULL ? NULL : map_find(&c->map, key);
    return slot == NULL ? (struct bytes){0} : (struct bytes){slot->data, slot->len};
}

bool fake_state_store_wipe(struct fake_state_store *s, const char *group, uint32_t partition) {
    assert(!s->loading);
    struct checkpoint *c = checkpoint_find(s, group, partition);
    if (c == NULL) {
        return false;
    }
    bool lost = c->map.used > 0 || c->offsets_len > 0;
    map_release(&c->map);
    c->bytes = 0;
    c->offsets_len = 0;
    c->generation = 0;
    return lost;
}

/* Entries are counted in key order, which does not depend on what was in the map before. */
bool fake_state_store_rot(struct fake_state_store *s, const char *group, uint32_t partition,
                          uint64_t random) {
    assert(!s->loading);
    struct checkpoint *c = checkpoint_find(s, group, partition);
    const struct slot **sorted = c == NULL || c->map.used == 0 ? NULL : sorted_slots(&c->map);
    if (sorted == NULL) {
        return false;
    }
    const struct slot *slot = sorted[random % c->map.used];
    size_t bit = (size_t)(random / c->map.used % (8 * slot->len));
    slot->data[bit / 8] = (char)(slot->data[bit / 8] ^ 1 << bit % 8);
    free(sorted);
    return true;
}

/* ---- Invariants ---- */

static void checkpoint_check(const struct checkpoint *c) {
    size_t used = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < c->map.slot_count; i++) {
        const struct slot *slot = &c->map.slots[i];
        if (slot->data != NULL) {
            assert(slot->len > 0 && slot->len <= slot->size);
            assert(map_find(&c->map, slot->key) == slot);
            used++;
            bytes += slot->len;
        }
    }
    assert(used == c->map.used && bytes == c->bytes);
}

void fake_state_store_check(const struct fake_state_store *s) {
    for (size_t i = 0; i < s->count; i++) {
        const struct checkpoint *c = s->checkpoints[i];
        checkpoint_check(c);
        if (i > 0) {
            const struct checkpoint *before = s->checkpoints[i - 1];
            int order = strcmp(before->group, c->group);
            assert(order < 0 || (order == 0 && before->partition < c->partition));
        }
    }
}
