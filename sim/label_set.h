/*
 * Texts that many rows share (categories, locales), kept once each and named by small numbers, so
 * that a filter compares numbers and a row owns no text. Numbers go up in the order of arrival and
 * are never given back; the set only grows, which it does by as many labels as a catalogue has.
 */
#ifndef MURPHY_SIM_LABEL_SET_H
#define MURPHY_SIM_LABEL_SET_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"

#define LABEL_EMPTY 0 /* the empty text */
#define LABEL_NONE UINT32_MAX

struct label_set {
    struct bytes *texts; /* by number; texts[0] is the empty one */
    size_t count, capacity;
    uint32_t *slots; /* open addressing, linear probing, at most half full: number, or 0 */
    size_t slot_count;
};

void label_set_init(struct label_set *set);
void label_set_release(struct label_set *set);

/* The number of a text, or LABEL_NONE. */
uint32_t label_set_find(const struct label_set *set, struct bytes text);
/* The same, with the text added where it is not known. 0 or -ENOMEM. */
int label_set_intern(struct label_set *set, struct bytes text, uint32_t *label);
/* Good until label_set_release; data is NULL for the empty text. */
struct bytes label_set_text(const struct label_set *set, uint32_t label);

#endif
