/*
 * Inside the HNSW index: shared by sim/hnsw*.c and by nothing else.
 *
 * A row of the index has a slot, a small number that indexes every array here. Invariants, which
 * hnsw_check verifies:
 *
 *   1. A slot below slot_count is live, dead or free; above it there is nothing.
 *   2. The map holds exactly the ids of live slots.
 *   3. A list holds no more links than its level's cap, none twice, none to its own slot, none to a
 *      free slot, and on level l only slots whose level is at least l.
 *   4. A link's distance is that of the two rows.
 *   5. The slots that are not free form a tree: each has a parent but the root, which is its own.
 *      Parent and child hold each other's links on the lowest level, and no such link is ever given
 *      up, so whatever else the heuristic prunes, the lowest level stays connected both ways.
 *      `ties` counts a slot's links of this kind.
 *   6. The entry point is a slot that is not free, on a level that no other exceeds; there is one
 *      unless the index is empty.
 *   7. Lists are in ascending order of (distance, id).
 *   8. Of two diverse links of a list, neither row stands for the other by the heuristic's rule.
 */
#ifndef MURPHY_SIM_HNSW_PARTS_H
#define MURPHY_SIM_HNSW_PARTS_H

#include "pipeline/id_map.h"
#include "sim/hnsw.h"
#include "sim/vector_rows.h"

#define HNSW_LEVELS_MAX 16
#define HNSW_LINKS_MAX (2 * HNSW_M_MAX)
#define HNSW_NO_SLOT UINT32_MAX /* as a parent: not in the tree */

enum hnsw_slot_state { HNSW_FREE, HNSW_LIVE, HNSW_DEAD };

/* A row on the way: ordered by rank, which is (distance, id). */
struct hnsw_near {
    uint64_t rank;
    uint32_t slot;
    bool diverse; /* as in struct hnsw_note */
};

/* What is known of a link besides its slot. */
struct hnsw_note {
    float distance;
    uint32_t diverse; /* 1: the heuristic wants it; 0: it fills a place that would be empty */
};

struct hnsw {
    struct hnsw_options options;
    uint32_t m_lowest; /* cap of the lowest level's lists: 2 m, as the paper advises */
    uint64_t level_below[HNSW_LEVELS_MAX]; /* a draw under [l] is on level l or above */
    const struct vector_kernels *kernels;  /* of the operation under way */

    /* by slot */
    struct vector_rows rows;
    uint32_t *lowest;               /* m_lowest + 1 each: how many, then slots */
    struct hnsw_note *lowest_notes; /* m_lowest each */
    uint32_t **upper;               /* level times (m + 1), then the notes; NULL on level 0 */
    uint32_t *ids;
    uint32_t *parents;
    uint16_t *ties;
    uint8_t *levels;
    uint8_t *states;
    uint32_t *free_slots;
    uint16_t *visited; /* equal to epoch: seen by this traversal */
    struct hnsw_near *open;

    size_t capacity;
    uint32_t slot_count;
    uint32_t free_count;
    uint32_t live_count;
    uint32_t dead_count;
    uint32_t entry; /* HNSW_NO_SLOT when empty */
    uint16_t epoch;
    struct id_map slots_by_id;

    bool blind;             /* dead rows are candidates too */
    struct hnsw_near *best; /* of the latest traversal; none is diverse */
    size_t best_capacity;
    size_t best_count;
    float *query; /* prepared, rows.stride elements */

    struct hnsw_cost cost;
    uint64_t compactions;
};

static inline uint32_t hnsw_cap(const struct hnsw *h, uint32_t level) {
    return level == 0 ? h->m_lowest : h->options.m;
}

/* The list of a slot on one of its levels: how many links, then their slots. */
static inline uint32_t *hnsw_list(const struct hnsw *h, uint32_t slot, uint32_t level) {
    return level == 0 ? h->lowest + (size_t)slot * (h->m_lowest + 1)
                      : h->upper[slot] + (size_t)(level - 1) * (h->options.m + 1);
}

/* What goes with the slots of hnsw_list. */
static inline struct hnsw_note *hnsw_list_notes(const struct hnsw *h, uint32_t slot,
                                                uint32_t level) {
    if (level == 0) {
        return h->lowest_notes + (size_t)slot * h->m_lowest;
    }
    uint32_t *links_end = h->upper[slot] + (size_t)h->levels[slot] * (h->options.m + 1);
    return (struct hnsw_note *)links_end + (size_t)(level - 1) * h->options.m;
}

static inline const float *hnsw_row_at(const struct hnsw *h, uint32_t slot) {
    return vector_rows_at(&h->rows, slot);
}

/* Sends for a row before it is needed. */
static inline void hnsw_prefetch_row(const struct hnsw *h, uint32_t slot) {
    const float *row = hnsw_row_at(h, slot);
    for (size_t i = 0; i < h->rows.stride; i += 16) {
        __builtin_prefetch(row + i, 0, 3);
    }
}

/* The same of its first lines, where most rows are near by: the processor goes on by itself. */
static inline void hnsw_prefetch_start(const struct hnsw *h, uint32_t slot) {
    const float *row = hnsw_row_at(h, slot);
    for (size_t i = 0; i < 64 && i < h->rows.stride; i += 16) {
        __builtin_prefetch(row + i, 0, 3);
    }
}

static inline float hnsw_distance(struct hnsw *h, const float *a, const float *b) {
    h->cost.distances++;
    return vector_distance(h->kernels, h->options.metric, a, b, h->rows.stride);
}

/* --- sim/hnsw_traverse.c --- */

/* Begins a traversal: no slot is visited. */
void hnsw_forget_visited(struct hnsw *h);

/* From the entry point down to above `level`, always to the nearest: where to begin on `level`. */
struct hnsw_near hnsw_descend(struct hnsw *h, const float *query, uint32_t level);

/* The row is live, and accepted. */
bool hnsw_is_hit(const struct hnsw *h, uint32_t slot, vector_accept *accept, void *ctx);

/*
 * The paper's algorithm 2 from one row on: leaves the ef nearest live and accepted rows in h->best,
 * nearest first. There must be room for ef + 1 in h->best.
 */
void hnsw_traverse(struct hnsw *h, const float *query, struct hnsw_near from, uint32_t level,
                   size_t ef, vector_accept *accept, void *ctx);

/* Puts into ascending order of rank. */
void hnsw_sort(struct hnsw_near *near, size_t count);

/* --- sim/hnsw_link.c --- */

/*
 * The rule of the heuristic: a row chosen before stands for this one when it is nearer to it than
 * the row that chooses is. As near is not enough, so that a chosen row equal to the choosing one
 * does not stand for all others; but of rows equal among each other one is enough, or a heap of
 * duplicates would link to nothing else.
 */
static inline bool hnsw_stands_for(float between, float own, float chosen_own) {
    return between < own || (between <= own && chosen_own >= own);
}

/*
 * The paper's algorithm 4 with keepPrunedConnections: of the candidates (ascending, ranked by the
 * distance to the row that chooses), takes at most `room`, moves them to the front in ascending
 * order, says of each whether it is diverse, and returns how many. Candidates that are diverse
 * beforehand are so in the present list of the row that chooses: invariant 8 holds among them.
 */
size_t hnsw_choose(struct hnsw *h, struct hnsw_near *candidates, size_t count, size_t room);

/* Replaces a list. */
void hnsw_list_set(struct hnsw *h, uint32_t slot, uint32_t level, const struct hnsw_near *links,
                   size_t count);

/* Links a slot that is on its levels but in no list, and lets its neighbours link back. */
void hnsw_link_slot(struct hnsw *h, uint32_t slot);

/*
 * Ties the slot to the nearest row in h->best that has room for a child, or else to one below
 * those in the tree; both get their links. The slot must not be in the tree, h->best must.
 */
void hnsw_attach(struct hnsw *h, uint32_t slot);

/* Puts a link into a list that may be full, and then gives up the farthest that may go. */
void hnsw_list_force(struct hnsw *h, uint32_t slot, uint32_t level, struct hnsw_near added);

/* --- sim/hnsw.c --- */

/* Makes a slot free; its lists are empty. */
void hnsw_release_slot(struct hnsw *h, uint32_t slot);

/* --- sim/hnsw_repair.c --- */

/* Marks what the lowest level's links lead to from the entry point; returns how many live ones. */
size_t hnsw_mark_reachable(struct hnsw *h);

static inline bool hnsw_is_visited(const struct hnsw *h, uint32_t slot) {
    return h->visited[slot] == h->epoch;
}

#endif
