#include <assert.h>
#include <string.h>

#include "sim/hnsw_parts.h"

/* Rows compared with a candidate at once before looking whether it is out. */
#define BATCH 4

/* What was chosen so far. */
struct chosen {
    struct hnsw_near near[HNSW_LINKS_MAX];
    const float *rows[HNSW_LINKS_MAX];
    bool kept[HNSW_LINKS_MAX]; /* diverse in the list that is chosen anew */
    size_t count;
};

/*
 * Those of the chosen rows that may stand for the candidate; returns how many. Of two rows that
 * one list has as diverse neither stands for the other, which was found out when the second came.
 */
static size_t rivals_of(const struct chosen *chosen, bool kept, const float **rows, float *owns) {
    size_t count = 0;
    for (size_t i = 0; i < chosen->count; i++) {
        if (!kept || !chosen->kept[i]) {
            rows[count] = chosen->rows[i];
            owns[count++] = vector_rank_distance(chosen->near[i].rank);
        }
    }
    return count;
}

/* No row chosen so far stands for the candidate. */
static bool is_diverse(struct hnsw *h, const struct hnsw_near *candidate,
                       const struct chosen *chosen) {
    const float *rivals[HNSW_LINKS_MAX];
    float owns[HNSW_LINKS_MAX];
    float own = vector_rank_distance(candidate->rank);
    const float *row = hnsw_row_at(h, candidate->slot);
    size_t count = rivals_of(chosen, candidate->diverse, rivals, owns);
    for (size_t i = 0; i < count; i += BATCH) {
        float distances[BATCH];
        size_t now = count - i < BATCH ? count - i : BATCH;
        vector_distances(h->kernels, h->options.metric, row, rivals + i, now, h->rows.stride,
                         distances);
        h->cost.distances += now;
        for (size_t j = 0; j < now; j++) {
            if (hnsw_stands_for(distances[j], own, owns[i + j])) {
                return false;
            }
        }
    }
    return true;
}

size_t hnsw_choose(struct hnsw *h, struct hnsw_near *candidates, size_t count, size_t room) {
    struct chosen chosen;
    struct hnsw_near pruned[HNSW_LINKS_MAX];
    size_t pruned_count = 0;
    chosen.count = 0;
    assert(room <= HNSW_LINKS_MAX);
    for (size_t i = 0; i < count && chosen.count < room; i++) {
        bool kept = candidates[i].diverse;
        if (i + 1 < count) {
            hnsw_prefetch_start(h, candidates[i + 1].slot);
        }
        candidates[i].diverse = is_diverse(h, &candidates[i], &chosen);
        if (candidates[i].diverse) {
            chosen.rows[chosen.count] = hnsw_row_at(h, candidates[i].slot);
            chosen.kept[chosen.count] = kept;
            chosen.near[chosen.count++] = candidates[i];
        } else if (pruned_count < room) {
            pruned[pruned_count++] = candidates[i];
        }
    }
    size_t kept = room - chosen.count < pruned_count ? room - chosen.count : pruned_count;
    memcpy(candidates, chosen.near, chosen.count * sizeof *candidates);
    memcpy(candidates + chosen.count, pruned, kept * sizeof *candidates);
    hnsw_sort(candidates, chosen.count + kept);
    return chosen.count + kept;
}

void hnsw_list_set(struct hnsw *h, uint32_t slot, uint32_t level, const struct hnsw_near *links,
                   size_t count) {
    assert(count <= hnsw_cap(h, level));
    uint32_t *list = hnsw_list(h, slot, level);
    struct hnsw_note *notes = hnsw_list_notes(h, slot, level);
    list[0] = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        list[1 + i] = links[i].slot;
        notes[i] = (struct hnsw_note){vector_rank_distance(links[i].rank), links[i].diverse};
    }
}

static bool list_holds(const uint32_t *list, uint32_t slot) {
    for (uint32_t i = 1; i <= list[0]; i++) {
        if (list[i] == slot) {
            return true;
        }
    }
    return false;
}

/*
 * The list of a slot as candidates, with one more in its place, which is *place; returns how many.
 * Already there, it is not added. Slots tell links apart and not ranks: a row that went and came
 * back with the vector that it had stands in two slots with one id and one distance.
 */
static size_t list_with(const struct hnsw *h, uint32_t slot, uint32_t level, struct hnsw_near added,
                        struct hnsw_near *out, size_t *place) {
    const uint32_t *list = hnsw_list(h, slot, level);
    const struct hnsw_note *notes = hnsw_list_notes(h, slot, level);
    bool there = list_holds(list, added.slot);
    size_t count = 0;
    *place = SIZE_MAX;
    for (uint32_t i = 0; i < list[0]; i++) {
        uint32_t other = list[1 + i];
        uint64_t rank = vector_rank(notes[i].distance, h->ids[other]);
        if (there && other == added.slot) {
            *place = count;
        } else if (!there && *place == SIZE_MAX && added.rank <= rank) {
            *place = count;
            out[count++] = added;
        }
        out[count++] = (struct hnsw_near){rank, other, notes[i].diverse != 0};
    }
    if (*place == SIZE_MAX) {
        *place = count;
        out[count++] = added;
    }
    return count;
}

/*
 * Says of the link at `place` whether it is diverse, and of those behind it whether they still are.
 * Links that were not diverse stay so, even if what stood for them no longer does: choosing all
 * again would tell, at several times the distances and for no better recall.
 */
static void judge(struct hnsw *h, struct hnsw_near *links, size_t count, size_t place) {
    struct chosen chosen;
    float distances[HNSW_LINKS_MAX];
    float own = vector_rank_distance(links[place].rank);
    chosen.count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i != place && links[i].diverse) {
            chosen.rows[chosen.count] = hnsw_row_at(h, links[i].slot);
            chosen.near[chosen.count++] = links[i];
        }
    }
    vector_distances(h->kernels, h->options.metric, hnsw_row_at(h, links[place].slot), chosen.rows,
                     chosen.count, h->rows.stride, distances);
    h->cost.distances += chosen.count;
    links[place].diverse = true;
    size_t next = 0;
    for (size_t i = 0; i < count && links[place].diverse; i++) {
        if (i == place || !links[i].diverse) {
            continue;
        }
        float between = distances[next];
        float other_own = vector_rank_distance(chosen.near[next++].rank);
        if (i < place) {
            links[place].diverse = !hnsw_stands_for(between, own, other_own);
        } else {
            links[i].diverse = !hnsw_stands_for(between, other_own, own);
        }
    }
}

/* A link of the tree. */
static bool is_tie(const struct hnsw *h, uint32_t a, uint32_t b) {
    return h->parents[a] == b || h->parents[b] == a;
}

/*
 * Which of cap + 1 links goes: the farthest that is not diverse, else the farthest; but no tie.
 * There is one, for ties are never more than the cap.
 */
static size_t least_wanted(const struct hnsw *h, uint32_t slot, uint32_t level,
                           const struct hnsw_near *links, size_t count) {
    size_t lost = SIZE_MAX;
    for (size_t i = count; i-- > 0;) {
        if (level == 0 && is_tie(h, slot, links[i].slot)) {
            continue;
        }
        if (!links[i].diverse) {
            return i;
        }
        lost = lost == SIZE_MAX ? i : lost;
    }
    assert(lost != SIZE_MAX);
    return lost;
}

static void list_set_within_cap(struct hnsw *h, uint32_t slot, uint32_t level,
                                struct hnsw_near *links, size_t count) {
    if (count > hnsw_cap(h, level)) {
        size_t lost = least_wanted(h, slot, level, links, count);
        count--;
        memmove(links + lost, links + lost + 1, (count - lost) * sizeof *links);
    }
    hnsw_list_set(h, slot, level, links, count);
}

/* Adds a link back. */
static void link_back(struct hnsw *h, uint32_t slot, uint32_t level, struct hnsw_near added) {
    struct hnsw_near links[HNSW_LINKS_MAX + 1];
    size_t place;
    size_t count = list_with(h, slot, level, added, links, &place);
    judge(h, links, count, place);
    list_set_within_cap(h, slot, level, links, count);
}

void hnsw_list_force(struct hnsw *h, uint32_t slot, uint32_t level, struct hnsw_near added) {
    struct hnsw_near links[HNSW_LINKS_MAX + 1];
    size_t place;
    size_t count = list_with(h, slot, level, added, links, &place);
    list_set_within_cap(h, slot, level, links, count);
}

/* --- the tree --- */

/*
 * Below a full row in the tree there is one with room, a leaf at the latest: it is looked for
 * breadth first. h->open is the queue.
 */
static uint32_t room_below(struct hnsw *h, uint32_t slot) {
    size_t queued = 0;
    size_t at = 0;
    h->open[queued++].slot = slot;
    while (h->ties[h->open[at].slot] >= h->m_lowest) {
        uint32_t parent = h->open[at].slot;
        const uint32_t *list = hnsw_list(h, parent, 0);
        for (uint32_t i = 1; i <= list[0]; i++) {
            if (h->parents[list[i]] == parent && list[i] != parent) {
                h->open[queued++].slot = list[i];
            }
        }
        at++;
        assert(at < queued);
    }
    return h->open[at].slot;
}

/* The nearest that keeps half of its links free of ties, else the nearest with room. */
static uint32_t find_parent(struct hnsw *h) {
    assert(h->best_count > 0);
    for (size_t i = 0; i < h->best_count; i++) {
        if (h->ties[h->best[i].slot] < h->m_lowest / 2) {
            return h->best[i].slot;
        }
    }
    return room_below(h, h->best[0].slot);
}

void hnsw_attach(struct hnsw *h, uint32_t slot) {
    uint32_t parent = find_parent(h);
    float distance = hnsw_distance(h, hnsw_row_at(h, slot), hnsw_row_at(h, parent));
    assert(h->parents[slot] == HNSW_NO_SLOT && h->parents[parent] != HNSW_NO_SLOT);
    h->parents[slot] = parent;
    h->ties[slot]++;
    h->ties[parent]++;
    hnsw_list_force(
        h, slot, 0,
        (struct hnsw_near){.rank = vector_rank(distance, h->ids[parent]), .slot = parent});
    hnsw_list_force(h, parent, 0,
                    (struct hnsw_near){.rank = vector_rank(distance, h->ids[slot]), .slot = slot});
}

/* --- inserting --- */

/* Links the slot on one level to what the traversal left in h->best. */
static void link_level(struct hnsw *h, uint32_t slot, uint32_t level) {
    struct hnsw_near nearest[HNSW_M_MAX];
    size_t count = hnsw_choose(h, h->best, h->best_count, h->options.m);
    h->best_count = count;
    memcpy(nearest, h->best, count * sizeof *nearest);
    hnsw_list_set(h, slot, level, nearest, count);
    if (level == 0) {
        hnsw_attach(h, slot);
    }
    for (size_t i = 0; i < count; i++) {
        float distance = vector_rank_distance(nearest[i].rank);
        struct hnsw_near back = {.rank = vector_rank(distance, h->ids[slot]), .slot = slot};
        link_back(h, nearest[i].slot, level, back);
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
