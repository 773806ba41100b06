#include "sim/label_set.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/array.h"

void label_set_init(struct label_set *set) {
    *set = (struct label_set){0};
}

void label_set_release(struct label_set *set) {
    for (size_t i = 1; i < set->count; i++) {
        free((void *)(uintptr_t)set->texts[i].data);
    }
    free(set->texts);
    free(set->slots);
    label_set_init(set);
}

/* The slot that holds the text, or the free one where it belongs; slots is not empty. */
static size_t slot_of(const struct label_set *set, struct bytes text) {
    size_t mask = set->slot_count - 1;
    size_t slot = (size_t)XXH3_64bits(text.data, text.len) & mask;
    while (set->slots[slot] != 0 && !bytes_equal(set->texts[set->slots[slot]], text)) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

uint32_t label_set_find(const struct label_set *set, struct bytes text) {
    if (text.len == 0) {
        return LABEL_EMPTY;
    }
    uint32_t label = set->slot_count == 0 ? 0 : set->slots[slot_of(set, text)];
    return label == 0 ? LABEL_NONE : label;
}

static int grow(struct label_set *set) {
    struct label_set more = *set;
    more.slot_count = set->slot_count == 0 ? 64 : 2 * set->slot_count;
    more.slots = calloc(more.slot_count, sizeof(*more.slots));
    if (more.slots == 0) {
        return -ENOMEM;
    }
    for (uint32_t label = 1; label < more.count; label++) {
        more.slots[slot_of(&more, more.texts[label])] = label;
    }
    free(set->slots);
    *set = more;
    return 0;
}

static int add(struct label_set *set, struct bytes text, uint32_t *label) {
    if (ARRAY_RESERVE(set->texts, set->capacity, set->count + 2) != 0 ||
        (2 * (set->count + 2) > set->slot_count && grow(set) != 0)) {
        return -ENOMEM;
    }
    char *copy = malloc(text.len);
    if (copy == 0) {
        return -ENOMEM;
    }
    memcpy(copy, text.data, text.len);
    if (set->count == 0) {
        set->texts[set->count++] = (struct bytes){0, 0};
    }
    assert(set->count < LABEL_NONE);
    *label = (uint32_t)set->count;
    set->slots[slot_of(set, text)] = *label;
    set->texts[set->count++] = (struct bytes){copy, text.len};
    return 0;
}

int label_set_intern(struct label_set *set, struct bytes text, uint32_t *label) {
    *label = label_set_find(set, text);
    return *label == LABEL_NONE ? add(set, text, label) : 0;
}

struct bytes label_set_text(const struct label_set *set, uint32_t label) {
    if (label == LABEL_EMPTY) {
        return (struct bytes){0, 0};
    }
    assert(label < set->count);
    return set->texts[label];
}
