#include <assert.h>
#include <string.h>

#include "sim/hnsw_parts.h"

void hnsw_forget_visited(struct hnsw *h) {
    if (++h->epoch == 0) {
        memset(h->visited, 0, h->capacity * sizeof *h->visited);
        h->epoch = 1;
    }
}

static struct hnsw_near near_of(const struct hnsw *h, float distance, uint32_t slot) {
    return (struct hnsw_near){.rank = vector_rank(distance, h->ids[slot]), .slot = slot};
}

/* --- heaps of struct hnsw_near; ranks differ, since ids do among rows that are not free --- */

static void open_push(struct hnsw *h, size_t *count, struct hnsw_near entry) {
    struct hnsw_near *heap = h->open;
    size_t hole = (*count)++;
    while (hole > 0 && entry.rank < heap[(hole - 1) / 2].rank) {
        heap[hole] = heap[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    heap[hole] = entry;
}

static struct hnsw_near open_pop(struct hnsw *h, size_t *count) {
    struct hnsw_near *heap = h->open;
    struct hnsw_near least = heap[0];
    struct hnsw_near last = heap[--*count];
    size_t hole = 0;
    for (;;) {
        size_t child = 2 * hole + 1;
        if (child >= *count) {
            break;
        }
        if (child + 1 < *count && heap[child + 1].rank < heap[child].rank) {
            child++;
        }
        if (heap[child].rank >= last.rank) {
            break;
        }
        heap[hole] = heap[child];
        hole = child;
    }
    heap[hole] = last;
    return least;
}

/*
 * h->best is kept in ascending order: ef is small, most rows that come in are near the end, and the
 * bound to beat is the last element.
 */
static void best_insert(struct hnsw *h, size_t ef, struct hnsw_near entry) {
    struct hnsw_near *best = h->best;
    size_t low = 0;
    size_t high = h->best_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (best[middle].rank < entry.rank) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == ef) {
        return;
    }
    size_t moved = h->best_count - low - (h->best_count == ef);
    memmove(best + low + 1, best + low, moved * sizeof *best);
    best[low] = entry;
    h->best_count += h->best_count < ef;
}

/* Shell's sort: mostly a few dozen entries, nearly in order. */
void hnsw_sort(struct hnsw_near *near, size_t count) {
    static const size_t gaps[] = {301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++) {
        size_t gap = gaps[g];
        for (size_t i = gap; i < count; i++) {
            struct hnsw_near entry = near[i];
            size_t hole = i;
            for (; hole >= gap && near[hole - gap].rank > entry.rank; hole -= gap) {
                near[hole] = near[hole - gap];
            }
            near[hole] = entry;
        }
    }
}

/* --- walking --- */

struct frontier {
    uint32_t slots[HNSW_LINKS_MAX];
    const float *rows[HNSW_LINKS_MAX];
    float distances[HNSW_LINKS_MAX];
    size_t count;
};

#define BATCH 4

/* Collects the neighbours not seen before and computes their distances. */
static void frontier_fill(struct hnsw *h, struct frontier *f, const float *query, uint32_t slot,
                          uint32_t level) {
    const uint32_t *list = hnsw_list(h, slot, level);
    f->count = 0;
    for (uint32_t i = 1; i <= list[0]; i++) {
        uint32_t next = list[i];
        if (!hnsw_is_visited(h, next)) {
            h->visited[next] = h->epoch;
            f->rows[f->count] = hnsw_row_at(h, next);
            f->slots[f->count++] = next;
        }
    }
    size_t stride = h->rows.stride;
    for (size_t i = 0; i < BATCH && i < f->count; i++) {
        hnsw_prefetch_row(h, f->slots[i]);
    }
    for (size_t i = 0; i < f->count; i += BATCH) {
        for (size_t ahead = i + BATCH; ahead < i + 2 * BATCH && ahead < f->count; ahead++) {
            hnsw_prefetch_row(h, f->slots[ahead]);
        }
        size_t now = f->count - i < BATCH ? f->count - i : BATCH;
        vector_distances(h->kernels, h->options.metric, query, f->rows + i, now, stride,
                         f->distances + i);
    }
    h->cost.distances += f->count;
    h->cost.hops++;
}

struct hnsw_near hnsw_descend(struct hnsw *h, const float *query, uint32_t level) {
    assert(h->entry != HNSW_NO_SLOT);
    struct frontier f;
    struct hnsw_near nearest =
        near_of(h, hnsw_distance(h, query, hnsw_row_at(h, h->entry)), h->entry);
    for (uint32_t at = h->levels[h->entry]; at > level; at--) {
        hnsw_forget_visited(h);
        h->visited[nearest.slot] = h->epoch;
        for (uint32_t from = HNSW_NO_SLOT; from != nearest.slot;) {
            from = nearest.slot;
            frontier_fill(h, &f, query, from, at);
            for (size_t i = 0; i < f.count; i++) {
                struct hnsw_near entry = near_of(h, f.distances[i], f.slots[i]);
                if (entry.rank < nearest.rank) {
                    nearest = entry;
                }
            }
        }
    }
    return nearest;
}

static bool is_hit(const struct hnsw *h, uint32_t slot, vector_accept *accept, void *ctx) {
    return (h->blind && h->states[slot] == HNSW_DEAD) || hnsw_is_hit(h, slot, accept, ctx);
}

bool hnsw_is_hit(const struct hnsw *h, uint32_t slot, vector_accept *accept, void *ctx) {
    return h->states[slot] == HNSW_LIVE && (accept == NULL || accept(ctx, h->ids[slot]));
}

void hnsw_traverse(struct hnsw *h, const float *query, struct hnsw_near from, uint32_t level,
                   size_t ef, vector_accept *accept, void *ctx) {
    assert(ef > 0 && ef < h->best_capacity);
    struct frontier f;
    size_t open_count = 0;
    hnsw_forget_visited(h);
    h->visited[from.slot] = h->epoch;
    h->best_count = 0;
    open_push(h, &open_count, from);
    if (is_hit(h, from.slot, accept, ctx)) {
        best_insert(h, ef, from);
    }
    while (open_count > 0) {
        struct hnsw_near nearest = open_pop(h, &open_count);
        if (h->best_count == ef && nearest.rank > h->best[ef - 1].rank) {
            break;
        }
        frontier_fill(h, &f, query, nearest.slot, level);
        for (size_t i = 0; i < f.count; i++) {
            struct hnsw_near entry = near_of(h, f.distances[i], f.slots[i]);
            if (h->best_count == ef && entry.rank > h->best[ef - 1].rank) {
                continue;
            }
            __builtin_prefetch(hnsw_list(h, entry.slot, level), 0, 3);
            open_push(h, &open_count, entry);
            if (is_hit(h, entry.slot, accept, ctx)) {
                best_insert(h, ef, entry);
            }
        }
    }
}
