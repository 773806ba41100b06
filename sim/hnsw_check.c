/* The state of a streaming hash, to have it on the stack. */
#define XXH_STATIC_LINKING_ONLY

#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "sim/hnsw_parts.h"

/* --- digest --- */

static void add_number(XXH3_state_t *state, uint64_t number) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(number >> (8 * i));
    }
    XXH3_64bits_update(state, bytes, sizeof bytes);
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void add_slot(XXH3_state_t *state, const struct hnsw *h, uint32_t slot) {
    add_number(state, h->states[slot]);
    if (h->states[slot] == HNSW_FREE) {
        return;
    }
    add_number(state, h->ids[slot]);
    add_number(state, h->levels[slot]);
    for (uint32_t level = 0; level <= h->levels[slot]; level++) {
        const uint32_t *list = hnsw_list(h, slot, level);
        const struct hnsw_note *notes = hnsw_list_notes(h, slot, level);
        add_number(state, list[0]);
        for (uint32_t i = 0; i < list[0]; i++) {
            add_number(state, (uint64_t)notes[i].diverse << 32 | list[1 + i]);
        }
    }
    const float *row = hnsw_row_at(h, slot);
    for (uint32_t i = 0; i < h->options.dim; i++) {
        add_number(state, bits_of(row[i]));
    }
}

uint64_t hnsw_digest(const struct hnsw *h) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    add_number(&state, h->options.metric);
    add_number(&state, h->options.dim);
    add_number(&state, h->options.m);
    add_number(&state, h->options.ef_construction);
    add_number(&state, h->entry);
    add_number(&state, h->slot_count);
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        add_slot(&state, h, slot);
    }
    return XXH3_64bits_digest(&state);
}

/* --- invariants, numbered as in sim/hnsw_parts.h --- */

#define BROKEN(findings, ...)                                                                      \
    ((void)snprintf((findings)->broken, sizeof(findings)->broken, __VA_ARGS__), false)

static bool slot_is_known(const struct hnsw *h, uint32_t slot, struct hnsw_findings *f) {
    uint32_t mapped;
    bool in_map = id_map_index(&h->slots_by_id, h->ids[slot], &mapped) && mapped == slot;
    if (in_map != (h->states[slot] == HNSW_LIVE)) {
        return BROKEN(f, "2: slot %u, id %u, state %d, is%s the one in the map", slot, h->ids[slot],
                      h->states[slot], in_map ? "" : " not");
    }
    if (h->states[slot] != HNSW_FREE && h->levels[slot] > h->levels[h->entry]) {
        return BROKEN(f, "6: slot %u is on a higher level than the entry point", slot);
    }
    return true;
}

static bool link_is_good(struct hnsw *h, uint32_t slot, uint32_t level, uint32_t i,
                         struct hnsw_findings *f) {
    const uint32_t *list = hnsw_list(h, slot, level);
    const struct hnsw_note *notes = hnsw_list_notes(h, slot, level);
    uint32_t other = list[1 + i];
    if (other >= h->slot_count || other == slot || h->states[other] == HNSW_FREE ||
        h->levels[other] < level) {
        return BROKEN(f, "3: slot %u on level %u links to slot %u", slot, level, other);
    }
    float distance = hnsw_distance(h, hnsw_row_at(h, slot), hnsw_row_at(h, other));
    if (bits_of(distance) != bits_of(notes[i].distance)) {
        return BROKEN(f, "4: slots %u and %u are %a apart, not %a", slot, other, (double)distance,
                      (double)notes[i].distance);
    }
    /* Ascending; of one rank are a row and what is left of it, each in a slot of its own. */
    uint64_t rank = vector_rank(notes[i].distance, h->ids[other]);
    if (i > 0 && vector_rank(notes[i - 1].distance, h->ids[list[i]]) > rank) {
        return BROKEN(f, "7: slot %u on level %u has links out of order", slot, level);
    }
    for (uint32_t k = i; k > 0; k--) {
        if (list[k] == other) {
            return BROKEN(f, "3: slot %u on level %u links to slot %u twice", slot, level, other);
        }
    }
    return true;
}

/* Of the diverse links, the nearer ones do not stand for the i-th. */
static bool link_is_diverse(struct hnsw *h, uint32_t slot, uint32_t level, uint32_t i,
                            struct hnsw_findings *f) {
    const uint32_t *list = hnsw_list(h, slot, level);
    const struct hnsw_note *notes = hnsw_list_notes(h, slot, level);
    const float *row = hnsw_row_at(h, list[1 + i]);
    for (uint32_t j = 0; j < i && notes[i].diverse; j++) {
        if (notes[j].diverse && hnsw_stands_for(hnsw_distance(h, row, hnsw_row_at(h, list[1 + j])),
                                                notes[i].distance, notes[j].distance)) {
            return BROKEN(f, "8: slot %u on level %u has slot %u as diverse, and slot %u for it",
                          slot, level, list[1 + i], list[1 + j]);
        }
    }
    return true;
}

static bool lists_are_good(struct hnsw *h, uint32_t slot, struct hnsw_findings *f) {
    for (uint32_t level = 0; level <= h->levels[slot]; level++) {
        const uint32_t *list = hnsw_list(h, slot, level);
        if (list[0] > hnsw_cap(h, level)) {
            return BROKEN(f, "3: slot %u has %u links on level %u", slot, list[0], level);
        }
        for (uint32_t i = 0; i < list[0]; i++) {
            if (!link_is_good(h, slot, level, i, f) || !link_is_diverse(h, slot, level, i, f)) {
                return false;
            }
        }
    }
    return true;
}

static bool links_to(const struct hnsw *h, uint32_t from, uint32_t to) {
    const uint32_t *list = hnsw_list(h, from, 0);
    for (uint32_t i = 1; i <= list[0]; i++) {
        if (list[i] == to) {
            return true;
        }
    }
    return false;
}

/* More steps up the tree than there are slots: a circle. */
static bool place_in_tree_is_good(const struct hnsw *h, uint32_t slot, struct hnsw_findings *f) {
    uint32_t parent = h->parents[slot];
    if (parent >= h->slot_count || h->states[parent] == HNSW_FREE ||
        (parent != slot && (!links_to(h, slot, parent) || !links_to(h, parent, slot)))) {
        return BROKEN(f, "5: slot %u and its parent %u do not link to each other", slot, parent);
    }
    uint32_t steps = 0;
    for (uint32_t at = slot; h->parents[at] != at; at = h->parents[at]) {
        if (++steps > h->slot_count) {
            return BROKEN(f, "5: above slot %u there is no root", slot);
        }
    }
    const uint32_t *list = hnsw_list(h, slot, 0);
    uint32_t ties = 0;
    for (uint32_t i = 1; i <= list[0]; i++) {
        ties += list[i] == parent || h->parents[list[i]] == slot;
    }
    if (ties != h->ties[slot]) {
        return BROKEN(f, "5: slot %u has %u ties, not %u", slot, ties, h->ties[slot]);
    }
    return true;
}

static bool counts_are_good(const struct hnsw *h, struct hnsw_findings *f) {
    uint32_t counts[3] = {0};
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        counts[h->states[slot]]++;
    }
    if (counts[HNSW_LIVE] != h->live_count || counts[HNSW_DEAD] != h->dead_count ||
        counts[HNSW_FREE] != h->free_count || h->live_count != id_map_count(&h->slots_by_id)) {
        return BROKEN(f, "1: %u live, %u dead and %u free slots are not what was counted",
                      counts[HNSW_LIVE], counts[HNSW_DEAD], counts[HNSW_FREE]);
    }
    if ((h->entry == HNSW_NO_SLOT) != (h->slot_count == h->free_count) ||
        (h->entry != HNSW_NO_SLOT && h->states[h->entry] == HNSW_FREE)) {
        return BROKEN(f, "6: the entry point is slot %u", h->entry);
    }
    return true;
}

static bool graph_is_good(struct hnsw *h, struct hnsw_findings *f) {
    uint32_t roots = 0;
    for (uint32_t slot = 0; slot < h->slot_count; slot++) {
        if (!slot_is_known(h, slot, f)) {
            return false;
        }
        if (h->states[slot] == HNSW_FREE) {
            continue;
        }
        if (!lists_are_good(h, slot, f) || !place_in_tree_is_good(h, slot, f)) {
            return false;
        }
        roots += h->parents[slot] == slot;
    }
    if (roots != (h->entry != HNSW_NO_SLOT)) {
        return BROKEN(f, "5: there are %u roots", roots);
    }
    return true;
}

bool hnsw_check(struct hnsw *h, struct hnsw_findings *findings) {
    *findings = (struct hnsw_findings){0};
    h->kernels = vector_math_kernels();
    if (!counts_are_good(h, findings) || !graph_is_good(h, findings)) {
        return false;
    }
    findings->unreachable = h->live_count - hnsw_mark_reachable(h);
    return true;
}
