#include "sim/hnsw_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/memory.h"

#define DEFAULT_M 16
#define DEFAULT_EF_CONSTRUCTION 200
#define DEFAULT_DEAD_PERCENT 20

/* Below so many dead rows compacting is not worth its while. */
#define DEAD_MIN 16

/* --- memory --- */

/* Grows one of the arrays by slot; added elements are zero. */
static int grow(void *array, size_t old_count, size_t count, size_t size) {
    void **items = array;
    char *more = memory_resize(*items, count * size);
    if (more == NULL) {
        return -ENOMEM;
    }
    memset(more + old_count * size, 0, (count - old_count) * size);
    *items = more;
    return 0;
}

/* Arrays that grew before one did not stay larger, which does no harm: capacity says what counts.
 */
static int reserve_slots(struct hnsw *h, size_t capacity) {
    size_t old = h->capacity;
    size_t list = h->m_lowest + 1;
    if (capacity <= old) {
        return 0;
    }
    if (vector_rows_reserve(&h->rows, capacity) != 0 ||
        grow(&h->lowest, old * list, capacity * list, sizeof *h->lowest) != 0 ||
        grow(&h->lowest_notes, old * h->m_lowest, capacity * h->m_lowest,
             sizeof *h->lowest_notes) != 0 ||
        grow(&h->upper, old, capacity, sizeof *h->upper) != 0 ||
        grow(&h->ids, old, capacity, sizeof *h->ids) != 0 ||
        grow(&h->parents, old, capacity, sizeof *h->parents) != 0 ||
        grow(&h->ties, old, capacity, sizeof *h->ties) != 0 ||
        grow(&h->levels, old, capacity, sizeof *h->levels) != 0 ||
        grow(&h->states, old, capacity, sizeof *h->states) != 0 ||
        grow(&h->free_slots, old, capacity, sizeof *h->free_slots) != 0 ||
        grow(&h->visited, old, capacity, sizeof *h->visited) != 0 ||
        grow(&h->open, old, capacity, sizeof *h->open) != 0) {
        return -ENOMEM;
    }
    h->capacity = capacity;
    return 0;
}

/* The lists of a row above the lowest level. */
static size_t upper_size(const struct hnsw *h, uint32_t level) {
    size_t m = h->options.m;
    return level * ((m + 1) * sizeof(uint32_t) + m * sizeof(struct hnsw_note));
}

static int reserve_best(struct hnsw *h, size_t ef) {
    if (ef + 1 <= h->best_capacity) {
        return 0;
    }
    struct hnsw_near *more = memory_resize(h->best, (ef + 1) * sizeof *more);
    if (more == NULL) {
        return -ENOMEM;
    }
    h->best = more;
    h->best_capacity = ef + 1;
    return 0;
}

/* --- life --- */

static bool options_are_valid(const struct hnsw_options *o) {
    return (unsigned)o->metric < VECTOR_METRIC_COUNT && o->dim >= 1 && o->dim <= HNSW_DIM_MAX &&
           o->m >= 2 && o->m <= HNSW_M_MAX && o->ef_construction >= 1 &&
           o->ef_construction <= HNSW_EF_MAX && o->dead_percent_max <= 100 &&
           o->rows_expected < UINT32_MAX;
}

static void set_defaults(struct hnsw_options *o) {
    o->m = o->m == 0 ? DEFAULT_M : o->m;
    o->ef_construction = o->ef_construction == 0 ? DEFAULT_EF_CONSTRUCTION : o->ef_construction;
    o->dead_percent_max = o->dead_percent_max == 0 ? DEFAULT_DEAD_PERCENT : o->dead_percent_max;
}

/* A row is on level l or above with probability m^-l: the paper's level distribution. */
static void set_levels(struct hnsw *h) {
    h->level_below[0] = UINT64_MAX;
    for (size_t l = 1; l < HNSW_LEVELS_MAX; l++) {
        h->level_below[l] = h->level_below[l - 1] / h->options.m;
    }
}

int hnsw_new(const struct hnsw_options *options, struct hnsw **out) {
    struct hnsw_options o = *options;
    set_defaults(&o);
    if (!options_are_valid(&o)) {
        return -EINVAL;
    }
    struct hnsw *h = memory_resize(NULL, sizeof *h);
    if (h == NULL) {
        return -ENOMEM;
    }
    *h = (struct hnsw){.options = o, .m_lowest = 2 * o.m, .entry = HNSW_NO_SLOT};
    h->kernels = vector_math_kernels();
    set_levels(h);
    vector_rows_init(&h->rows, o.dim);
    id_map_init(&h->slots_by_id);
    size_t query_size = h->rows.stride * sizeof *h->query;
    h->query = memory_resize(NULL, query_size);
    if (h->query == NULL || reserve_best(h, o.ef_construction) != 0 ||
        reserve_slots(h, o.rows_expected) != 0) {
        hnsw_free(h);
        return -ENOMEM;
    }
    memset(h->query, 0, query_size);
    *out = h;
    return 0;
}

void hnsw_free(struct hnsw *h) {
    if (h == NULL) {
        return;
    }
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        free(h->upper[slot]);
    }
    vector_rows_release(&h->rows);
    id_map_release(&h->slots_by_id);
    free(h->lowest);
    free(h->lowest_notes);
    free(h->upper);
    free(h->ids);
    free(h->parents);
    free(h->ties);
    free(h->levels);
    free(h->states);
    free(h->free_slots);
    free(h->visited);
    free(h->open);
    free(h->best);
    free(h->query);
    free(h);
}

/* --- rows come and go --- */

static uint32_t draw_level(const struct hnsw *h, uint32_t id) {
    unsigned char bytes[4] = {(unsigned char)id, (unsigned char)(id >> 8),
                              (unsigned char)(id >> 16), (unsigned char)(id >> 24)};
    uint64_t draw = XXH3_64bits_withSeed(bytes, sizeof bytes, h->options.seed);
    uint32_t level = 0;
    while (level + 1 < HNSW_LEVELS_MAX && draw < h->level_below[level + 1]) {
        level++;
    }
    return level;
}

void hnsw_release_slot(struct hnsw *h, uint32_t slot) {
    free(h->upper[slot]);
    h->upper[slot] = NULL;
    h->states[slot] = HNSW_FREE;
    h->free_slots[h->free_count++] = slot;
}

/* The last live row is gone: nothing of the graph is worth keeping. */
static void clear(struct hnsw *h) {
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        free(h->upper[slot]);
        h->upper[slot] = NULL;
        h->states[slot] = HNSW_FREE;
        hnsw_list(h, slot, 0)[0] = 0;
    }
    h->slot_count = 0;
    h->free_count = 0;
    h->dead_count = 0;
    h->entry = HNSW_NO_SLOT;
}

static void make_dead(struct hnsw *h, uint32_t slot) {
    h->states[slot] = HNSW_DEAD;
    h->live_count--;
    h->dead_count++;
    if (h->live_count == 0) {
        clear(h);
        return;
    }
    size_t all = (size_t)h->live_count + h->dead_count;
    if (h->options.dead_percent_max < 100 && h->dead_count >= DEAD_MIN &&
        (size_t)h->dead_count * 100 > all * h->options.dead_percent_max) {
        hnsw_compact(h);
    }
}

/* Copies the vector into h->query as rows are kept; false when it is not finite. */
static bool prepare(struct hnsw *h, const float *vector) {
    uint32_t dim = h->options.dim;
    if (!vector_is_finite(vector, dim)) {
        return false;
    }
    if (h->options.metric == VECTOR_COSINE) {
        (void)vector_normalise(vector, dim, h->query);
    } else {
        memcpy(h->query, vector, dim * sizeof *vector);
    }
    return true;
}

/* Memory for one more row on that level; *upper is its lists above the lowest. */
static int reserve_row(struct hnsw *h, uint32_t id, uint32_t level, uint32_t **upper) {
    *upper = NULL;
    if (h->free_count == 0 && h->slot_count == h->capacity) {
        if (h->capacity >= UINT32_MAX / 2) {
            return -ENOMEM;
        }
        if (reserve_slots(h, h->capacity < 32 ? 64 : 2 * h->capacity) != 0) {
            return -ENOMEM;
        }
    }
    if (level > 0) {
        size_t size = upper_size(h, level);
        *upper = memory_resize(NULL, size);
        if (*upper == NULL) {
            return -ENOMEM;
        }
        memset(*upper, 0, size);
    }
    if (id_map_find(&h->slots_by_id, id) == NULL &&
        id_map_put_index(&h->slots_by_id, id, HNSW_NO_SLOT) < 0) {
        free(*upper);
        return -ENOMEM;
    }
    return 0;
}

/* A slot that holds the prepared vector, in no list yet. */
static uint32_t take_slot(struct hnsw *h, uint32_t id, uint32_t level, uint32_t *upper) {
    uint32_t slot = h->free_count > 0 ? h->free_slots[--h->free_count] : h->slot_count++;
    memcpy(vector_rows_at(&h->rows, slot), h->query, h->rows.stride * sizeof *h->query);
    h->ids[slot] = id;
    h->levels[slot] = (uint8_t)level;
    h->upper[slot] = upper;
    h->states[slot] = HNSW_LIVE;
    h->parents[slot] = HNSW_NO_SLOT;
    h->ties[slot] = 0;
    h->live_count++;
    return slot;
}

int hnsw_put(struct hnsw *h, uint32_t id, const float *vector) {
    h->kernels = vector_math_kernels();
    h->cost = (struct hnsw_cost){0};
    if (!prepare(h, vector)) {
        return -EINVAL;
    }
    const float *present = hnsw_row(h, id);
    if (present != NULL && memcmp(present, h->query, h->options.dim * sizeof *present) == 0) {
        return 0;
    }
    uint32_t level = draw_level(h, id);
    uint32_t *upper;
    if (reserve_row(h, id, level, &upper) != 0) {
        return -ENOMEM;
    }
    struct id_map_entry *entry = id_map_find(&h->slots_by_id, id);
    if (entry->value.number != HNSW_NO_SLOT) {
        make_dead(h, (uint32_t)entry->value.number);
    }
    uint32_t slot = take_slot(h, id, level, upper);
    entry->value.number = slot;
    if (h->entry == HNSW_NO_SLOT) {
        h->entry = slot;
        h->parents[slot] = slot;
    } else {
        hnsw_link_slot(h, slot);
    }
    return 0;
}

bool hnsw_remove(struct hnsw *h, uint32_t id) {
    uint32_t slot;
    if (!id_map_index(&h->slots_by_id, id, &slot)) {
        return false;
    }
    (void)id_map_remove(&h->slots_by_id, id);
    make_dead(h, slot);
    return true;
}

/* --- searches --- */

/* 0 with the candidates in h->best, or as hnsw_search says. */
static int search(struct hnsw *h, const float *query, size_t ef, vector_accept *accept, void *ctx) {
    h->kernels = vector_math_kernels();
    h->cost = (struct hnsw_cost){0};
    h->best_count = 0;
    if (ef > HNSW_EF_MAX || !prepare(h, query)) {
        return -EINVAL;
    }
    if (h->entry == HNSW_NO_SLOT || ef == 0) {
        return 0;
    }
    if (reserve_best(h, ef) != 0) {
        return -ENOMEM;
    }
    struct hnsw_near from = hnsw_descend(h, h->query, 0);
    hnsw_traverse(h, h->query, from, 0, ef, accept, ctx);
    return 0;
}

static struct vector_hit hit_of(const struct hnsw_near *near) {
    return (struct vector_hit){vector_rank_id(near->rank), vector_rank_distance(near->rank)};
}

int64_t hnsw_search(struct hnsw *h, const float *query, size_t k, size_t ef, vector_accept *accept,
                    void *ctx, struct vector_hit *hits) {
    int failed = search(h, query, k == 0 || ef > k ? ef : k, accept, ctx);
    size_t count = h->best_count < k ? h->best_count : k;
    for (size_t i = 0; i < count && failed == 0; i++) {
        hits[i] = hit_of(&h->best[i]);
    }
    return failed != 0 ? failed : (int64_t)count;
}

int64_t hnsw_search_blind(struct hnsw *h, const float *query, size_t k, size_t ef,
                          vector_accept *accept, void *ctx, struct vector_hit *hits) {
    h->blind = true;
    int failed = search(h, query, ef, accept, ctx);
    h->blind = false;
    size_t count = 0;
    for (size_t i = 0; i < h->best_count && count < k && failed == 0; i++) {
        if (hnsw_is_hit(h, h->best[i].slot, accept, ctx)) {
            hits[count++] = hit_of(&h->best[i]);
        }
    }
    return failed != 0 ? failed : (int64_t)count;
}

bool hnsw_contains(const struct hnsw *h, uint32_t id) {
    return id_map_find(&h->slots_by_id, id) != NULL;
}

const float *hnsw_row(const struct hnsw *h, uint32_t id) {
    uint32_t slot;
    return id_map_index(&h->slots_by_id, id, &slot) ? hnsw_row_at(h, slot) : NULL;
}

size_t hnsw_live_count(const struct hnsw *h) {
    return h->live_count;
}

size_t hnsw_dead_count(const struct hnsw *h) {
    return h->dead_count;
}

size_t hnsw_memory_bytes(const struct hnsw *h) {
    size_t per_slot = h->rows.stride * sizeof(float) + (h->m_lowest + 1) * sizeof *h->lowest +
                      h->m_lowest * sizeof *h->lowest_notes + sizeof *h->upper + sizeof *h->ids +
                      sizeof *h->parents + sizeof *h->ties + sizeof *h->levels + sizeof *h->states +
                      sizeof *h->free_slots + sizeof *h->visited + sizeof *h->open;
    size_t bytes = sizeof *h + h->capacity * per_slot + h->best_capacity * sizeof *h->best;
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        if (h->upper[slot] != NULL) {
            bytes += upper_size(h, h->levels[slot]);
        }
    }
    return bytes;
}

uint64_t hnsw_compactions(const struct hnsw *h) {
    return h->compactions;
}

struct hnsw_cost hnsw_last_cost(const struct hnsw *h) {
    return h->cost;
}
