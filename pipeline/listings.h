/*
 * The listings of a task: documents by id, which of them a checkpoint does not have yet, and their
 * checkpointed form. What the builder and the loader have in common; each keeps more of its own
 * behind the head of an item. Private to the machines.
 *
 * Items move when the table grows: hold indices, not pointers, across listings_make.
 */
#ifndef MURPHY_PIPELINE_LISTINGS_H
#define MURPHY_PIPELINE_LISTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/effects.h"
#include "pipeline/folded.h"
#include "pipeline/id_map.h"
#include "pipeline/machine.h"

/* Head of every item; the machine's own begins with it. */
struct listing_head {
    struct folded folded;
    uint8_t unsaved; /* 0: the last checkpoint has it; else how many checkpoints it waited, + 1 */
};

struct listings {
    struct id_map index;
    char *items;
    size_t item_size, count, capacity;
    size_t *unsaved;
    size_t unsaved_count, unsaved_capacity;
    int64_t orphan_after_ns, orphan_kept_ns;
    vtime watermark; /* event time that records have reached; INT64_MIN: none came */
    vtime swept;     /* up to which orphans were dropped */
};

/* The configuration says when an image is an orphan; bugs may be NULL. */
void listings_init(struct listings *listings, size_t item_size,
                   const struct pipeline_config *config, const struct bugs *bugs);
void listings_release(struct listings *listings);

static inline void *listings_at(const struct listings *listings, size_t at) {
    return listings->items + at * listings->item_size;
}

/* Index of the listing, made (zeroed behind its head) if need be; -ENOMEM. */
int64_t listings_make(struct listings *listings, uint64_t id);
/* Its index in *at; false when there is none. */
bool listings_find(const struct listings *listings, uint64_t id, size_t *at);

/* A record was folded. Once a day, by the records' own time, the bytes of orphans go that nobody
 * can name in time any more (A6). How many, or -ENOMEM. */
int64_t listings_age(struct listings *listings, const struct record *record, vtime append);

/* The item changed and belongs into the next checkpoint. 0 or -ENOMEM. */
int listings_unsaved(struct listings *listings, size_t at);

/* Reads the head of an item that was just made from a checkpoint. 0, -ENOMEM, or -EINVAL with the
 * head as it was. */
int listings_decode(struct listings *listings, size_t at, struct wire_reader *reader);

/* How a machine writes an item into a checkpoint. */
struct listing_codec {
    size_t (*room)(const void *item); /* an upper bound of what encode writes */
    /* Returns the length written. *again: the item belongs into the following checkpoint too. */
    size_t (*encode)(const void *item, char *buffer, bool *again, const void *ctx);
    const void *ctx;
};
/* Fills the entries of a checkpoint with the unsaved items, and leaves room for one more. `late` is
 * a planted bug: each waits for the checkpoint after. 0 or -ENOMEM. */
int listings_save(struct listings *listings, struct effect *save, struct effects *effects,
                  const struct listing_codec *codec, bool late);

#endif
