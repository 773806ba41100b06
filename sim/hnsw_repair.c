#include <assert.h>
#include <string.h>

#include "sim/hnsw_parts.h"

/* --- compaction --- */

/* How far a row looks beyond its dead neighbours for others to link to. */
#define CANDIDATES_MAX 512

/* Rows whose distances are taken at once. */
#define BATCH 4

struct survivors {
    struct hnsw_near near[CANDIDATES_MAX];
    size_t count;
};

static void survivor_add(struct survivors *s, struct hnsw_near survivor) {
    if (s->count < CANDIDATES_MAX) {
        s->near[s->count++] = survivor;
    }
}

/* Gives those from `first` on, of which only the slots are known, their rank. */
static void rank_survivors(struct hnsw *h, uint32_t slot, struct survivors *s, size_t first) {
    const float *row = hnsw_row_at(h, slot);
    for (size_t i = first; i < s->count; i += BATCH) {
        const float *rows[BATCH];
        float distances[BATCH];
        size_t now = s->count - i < BATCH ? s->count - i : BATCH;
        for (size_t j = 0; j < now; j++) {
            rows[j] = hnsw_row_at(h, s->near[i + j].slot);
            hnsw_prefetch_start(h, s->near[i + j].slot);
        }
        vector_distances(h->kernels, h->options.metric, row, rows, now, h->rows.stride, distances);
        h->cost.distances += now;
        for (size_t j = 0; j < now; j++) {
            struct hnsw_near *near = &s->near[i + j];
            near->rank = vector_rank(distances[j], h->ids[near->slot]);
        }
    }
}

/*
 * The slot's live neighbours, and through its dead ones, dead ones behind those included, the live
 * rows that can be reached. h->open is the queue of dead slots.
 */
static bool collect_survivors(struct hnsw *h, uint32_t slot, uint32_t level, struct survivors *s) {
    const uint32_t *list = hnsw_list(h, slot, level);
    const struct hnsw_note *notes = hnsw_list_notes(h, slot, level);
    size_t dead = 0;
    s->count = 0;
    hnsw_forget_visited(h);
    h->visited[slot] = h->epoch;
    for (uint32_t i = 0; i < list[0]; i++) {
        uint32_t other = list[1 + i];
        h->visited[other] = h->epoch;
        if (h->states[other] == HNSW_DEAD) {
            h->open[dead++].slot = other;
        } else {
            survivor_add(s, (struct hnsw_near){vector_rank(notes[i].distance, h->ids[other]), other,
                                               notes[i].diverse != 0});
        }
    }
    bool any_dead = dead > 0;
    size_t near = s->count;
    for (size_t at = 0; at < dead && s->count < CANDIDATES_MAX; at++) {
        const uint32_t *beyond = hnsw_list(h, h->open[at].slot, level);
        for (uint32_t i = 1; i <= beyond[0]; i++) {
            uint32_t other = beyond[i];
            if (hnsw_is_visited(h, other)) {
                continue;
            }
            h->visited[other] = h->epoch;
            if (h->states[other] == HNSW_DEAD) {
                h->open[dead++].slot = other;
            } else {
                survivor_add(s, (struct hnsw_near){.slot = other});
            }
        }
    }
    rank_survivors(h, slot, s, near);
    return any_dead;
}

/* Gives every live slot lists without dead ones. Dead slots keep theirs until all are done. */
static void choose_again(struct hnsw *h) {
    struct survivors s;
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        if (h->states[slot] != HNSW_LIVE) {
            continue;
        }
        for (uint32_t level = 0; level <= h->levels[slot]; level++) {
            if (collect_survivors(h, slot, level, &s)) {
                hnsw_sort(s.near, s.count);
                size_t count = hnsw_choose(h, s.near, s.count, hnsw_cap(h, level));
                hnsw_list_set(h, slot, level, s.near, count);
            }
        }
    }
}

static void free_dead_slots(struct hnsw *h) {
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        if (h->states[slot] != HNSW_DEAD) {
            continue;
        }
        for (uint32_t level = 0; level <= h->levels[slot]; level++) {
            hnsw_list_set(h, slot, level, NULL, 0);
        }
    }
    for (uint32_t slot = h->slot_count; slot-- > 0;) {
        if (h->states[slot] == HNSW_DEAD) {
            hnsw_release_slot(h, slot);
        }
    }
    h->dead_count = 0;
}

/* The live slot on the highest level, of several the one with the lowest id. */
static uint32_t highest_live(const struct hnsw *h) {
    uint32_t highest = HNSW_NO_SLOT;
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        if (h->states[slot] != HNSW_LIVE) {
            continue;
        }
        if (highest == HNSW_NO_SLOT || h->levels[slot] > h->levels[highest] ||
            (h->levels[slot] == h->levels[highest] && h->ids[slot] < h->ids[highest])) {
            highest = slot;
        }
    }
    return highest;
}

size_t hnsw_mark_reachable(struct hnsw *h) {
    hnsw_forget_visited(h);
    if (h->entry == HNSW_NO_SLOT) {
        return 0;
    }
    size_t live = 0;
    size_t queued = 0;
    h->visited[h->entry] = h->epoch;
    h->open[queued++].slot = h->entry;
    for (size_t at = 0; at < queued; at++) {
        uint32_t slot = h->open[at].slot;
        live += h->states[slot] == HNSW_LIVE;
        const uint32_t *list = hnsw_list(h, slot, 0);
        for (uint32_t i = 1; i <= list[0]; i++) {
            if (!hnsw_is_visited(h, list[i])) {
                h->visited[list[i]] = h->epoch;
                h->open[queued++].slot = list[i];
            }
        }
    }
    return live;
}

/* --- the tree, made again --- */

/* Takes the slot's neighbours that are not in the tree as its children, and theirs, breadth first.
 * A row's own link to its parent comes first; it may cost another, before that is anyone's tie. */
static void grow_tree(struct hnsw *h, uint32_t from) {
    size_t queued = 0;
    h->open[queued++].slot = from;
    for (size_t at = 0; at < queued; at++) {
        uint32_t slot = h->open[at].slot;
        uint32_t parent = h->parents[slot];
        if (parent != slot) {
            hnsw_list_force(h, slot, 0,
                            (struct hnsw_near){.rank = h->open[at].rank, .slot = parent});
        }
        const uint32_t *list = hnsw_list(h, slot, 0);
        const struct hnsw_note *notes = hnsw_list_notes(h, slot, 0);
        for (uint32_t i = 0; i < list[0]; i++) {
            uint32_t child = list[1 + i];
            if (h->parents[child] == HNSW_NO_SLOT) {
                h->parents[child] = slot;
                h->ties[child]++;
                h->ties[slot]++;
                h->open[queued++] = (struct hnsw_near){
                    .rank = vector_rank(notes[i].distance, h->ids[slot]), .slot = child};
            }
        }
    }
}

/*
 * Every live slot gets a place in a tree that begins at the entry point: by the links that there
 * are, and where those do not lead, by new ones to the nearest in the tree.
 */
static void plant_tree(struct hnsw *h) {
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        h->parents[slot] = HNSW_NO_SLOT;
        h->ties[slot] = 0;
    }
    h->parents[h->entry] = h->entry;
    grow_tree(h, h->entry);
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        if (h->states[slot] != HNSW_LIVE || h->parents[slot] != HNSW_NO_SLOT) {
            continue;
        }
        /* From the entry point itself: higher levels may lead outside the tree. */
        const float *row = hnsw_row_at(h, slot);
        struct hnsw_near from = hnsw_descend(h, row, h->levels[h->entry]);
        hnsw_traverse(h, row, from, 0, h->options.ef_construction, NULL, NULL);
        hnsw_attach(h, slot);
        float distance = hnsw_distance(h, row, hnsw_row_at(h, h->parents[slot]));
        h->open[0].rank = vector_rank(distance, h->ids[h->parents[slot]]);
        grow_tree(h, slot);
    }
}

void hnsw_compact(struct hnsw *h) {
    if (h->dead_count == 0) {
        return;
    }
    h->kernels = vector_math_kernels();
    h->compactions++;
    choose_again(h);
    free_dead_slots(h);
    h->entry = highest_live(h);
    plant_tree(h);
}
