#include <assert.h>
#include <string.h>

#include "sim/hnsw_parts.h"

/* Rows compared with a candidate at once before looking whether it is out. */
#define BATCH 4

/* The candidate is nearer to where it would be linked from than to each row chosen so far. */
static bool is_diverse(struct hnsw *h, const struct hnsw_near *candidate,
                       const float *const *chosen, size_t chosen_count) {
    float own = vector_rank_distance(candidate->rank);
    const float *row = hnsw_row_at(h, candidate->slot);
    for (size_t i = 0; i < chosen_count; i += BATCH) {
        float distances[BATCH];
        size_t now = chosen_count - i < BATCH ? chosen_count - i : BATCH;
        vector_distances(h->kernels, h->options.metric, row, chosen + i, now, h->rows.stride,
                         distances);
        h->cost.distances += now;
        for (size_t j = 0; j < now; j++) {
            if (distances[j] <= own) {
                return false;
            }
        }
    }
    return true;
}

size_t hnsw_choose(struct hnsw *h, struct hnsw_near *candidates, size_t count, size_t room) {
    if (count <= room) {
        return count;
    }
    const float *rows[HNSW_LINKS_MAX];
    struct hnsw_near chosen[HNSW_LINKS_MAX];
    struct hnsw_near pruned[HNSW_LINKS_MAX];
    size_t chosen_count = 0;
    size_t pruned_count = 0;
    assert(room <= HNSW_LINKS_MAX);
    for (size_t i = 0; i < count && chosen_count < room; i++) {
        if (is_diverse(h, &candidates[i], rows, chosen_count)) {
            rows[chosen_count] = hnsw_row_at(h, candidates[i].slot);
            chosen[chosen_count++] = candidates[i];
        } else if (pruned_count < room) {
            pruned[pruned_count++] = candidates[i];
        }
    }
    size_t kept = room - chosen_count < pruned_count ? room - chosen_count : pruned_count;
    memcpy(candidates, chosen, chosen_count * sizeof *candidates);
    memcpy(candidates + chosen_count, pruned, kept * sizeof *candidates);
    hnsw_sort(candidates, chosen_count + kept);
    return chosen_count + kept;
}

void hnsw_list_set(struct hnsw *h, uint32_t slot, uint32_t level, const struct hnsw_near *links,
                   size_t count) {
    assert(count <= hnsw_cap(h, level));
    uint32_t *list = hnsw_list(h, slot, level);
    float *distances = hnsw_list_distances(h, slot, level);
    if (level == 0) {
        for (uint32_t i = 1; i <= list[0]; i++) {
            h->indegree[list[i]]--;
        }
        for (size_t i = 0; i < count; i++) {
            h->indegree[links[i].slot]++;
        }
    }
    list[0] = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        list[1 + i] = links[i].slot;
        distances[i] = vector_rank_distance(links[i].rank);
    }
}

/* The list of a slot as candidates, with one more in its place; returns how many. */
static size_t list_with(const struct hnsw *h, uint32_t slot, uint32_t level, struct hnsw_near added,
                        struct hnsw_near *out) {
    const uint32_t *list = hnsw_list(h, slot, level);
    const float *distances = hnsw_list_distances(h, slot, level);
    size_t count = 0;
    bool placed = false;
    for (uint32_t i = 0; i < list[0]; i++) {
        uint32_t other = list[1 + i];
        uint64_t rank = vector_rank(distances[i], h->ids[other]);
        if (!placed && added.rank < rank) {
            out[count++] = added;
            placed = true;
        }
        out[count++] = (struct hnsw_near){rank, other};
    }
    if (!placed) {
        out[count++] = added;
    }
    return count;
}

/* Without this link nothing would lead to a live row. */
static bool is_last_way(const struct hnsw *h, uint32_t slot) {
    return h->states[slot] == HNSW_LIVE && h->indegree[slot] <= 1;
}

/*
 * A full list is to lose one of cap + 1: the farthest that is not diverse, else the farthest; but
 * not the last link to a row if another can go.
 */
static void shrink(struct hnsw *h, uint32_t slot, uint32_t level, struct hnsw_near *links,
                   size_t count) {
    struct hnsw_near all[HNSW_LINKS_MAX + 1];
    memcpy(all, links, count * sizeof *all);
    size_t kept = hnsw_choose(h, links, count, count - 1);
    assert(kept == count - 1);
    size_t lost = 0;
    while (lost < kept && links[lost].slot == all[lost].slot) {
        lost++;
    }
    if (level == 0 && is_last_way(h, all[lost].slot)) {
        size_t other = count;
        while (other > 0 && is_last_way(h, all[other - 1].slot)) {
            other--;
        }
        lost = other > 0 ? other - 1 : lost;
    }
    memmove(all + lost, all + lost + 1, (count - lost - 1) * sizeof *all);
    hnsw_list_set(h, slot, level, all, kept);
}

/* Adds a link back. */
static void link_back(struct hnsw *h, uint32_t slot, uint32_t level, struct hnsw_near added) {
    struct hnsw_near links[HNSW_LINKS_MAX + 1];
    size_t count = list_with(h, slot, level, added, links);
    if (count <= hnsw_cap(h, level)) {
        hnsw_list_set(h, slot, level, links, count);
    } else {
        shrink(h, slot, level, links, count);
    }
}

bool hnsw_adopt(struct hnsw *h, uint32_t slot) {
    struct hnsw_near links[HNSW_LINKS_MAX + 1];
    for (size_t i = 0; i < h->best_count; i++) {
        uint32_t parent = h->best[i].slot;
        float distance = vector_rank_distance(h->best[i].rank);
        struct hnsw_near added = {vector_rank(distance, h->ids[slot]), slot};
        size_t count = list_with(h, parent, 0, added, links);
        if (count > h->m_lowest) {
            size_t lost = count;
            while (lost > 0 &&
                   (links[lost - 1].slot == slot || is_last_way(h, links[lost - 1].slot))) {
                lost--;
            }
            if (lost == 0) {
                continue;
            }
            memmove(links + lost - 1, links + lost, (count - lost) * sizeof *links);
            count--;
        }
        hnsw_list_set(h, parent, 0, links, count);
        return true;
    }
    return false;
}

/* Links the slot on one level to what the traversal left in h->best. */
static void link_level(struct hnsw *h, uint32_t slot, uint32_t level) {
    struct hnsw_near nearest[HNSW_M_MAX];
    size_t found = h->best_count;
    size_t count = hnsw_choose(h, h->best, found, h->options.m);
    memcpy(nearest, h->best, count * sizeof *nearest);
    h->best_count = count;
    hnsw_list_set(h, slot, level, nearest, count);
    for (size_t i = 0; i < count; i++) {
        float distance = vector_rank_distance(nearest[i].rank);
        struct hnsw_near back = {vector_rank(distance, h->ids[slot]), slot};
        link_back(h, nearest[i].slot, level, back);
    }
    if (level == 0 && h->indegree[slot] == 0) {
        (void)hnsw_adopt(h, slot);
    }
}

void hnsw_link_slot(struct hnsw *h, uint32_t slot) {
    const float *row = hnsw_row_at(h, slot);
    uint32_t own = h->levels[slot];
    uint32_t top = h->levels[h->entry];
    uint32_t first = own < top ? own : top;
    struct hnsw_near from = hnsw_descend(h, row, first);
    for (uint32_t level = first + 1; level-- > 0;) {
        hnsw_traverse(h, row, from, level, h->options.ef_construction, NULL, NULL);
        if (h->best_count > 0) {
            from = h->best[0];
        }
        link_level(h, slot, level);
    }
    if (own > top) {
        h->entry = slot;
    }
}
