/*
 * What the warehouse remembers of erasures: of each listing the stamp and the position of its
 * greatest erasure, which every later load is held against, and how long removed rows can still be
 * brought back (A12).
 *
 * A warehouse keeps what was removed for its time travel, and its operator some days longer (fail
 * safe): three deadlines, of which a reader sees the first alone. Rows are counted here, not kept.
 * Private to the warehouse.
 */
#ifndef MURPHY_SIM_ERASURE_MARKS_H
#define MURPHY_SIM_ERASURE_MARKS_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/id_map.h"
#include "pipeline/record.h"
#include "pipeline/stamp.h"
#include "pipeline/vtime.h"

struct erasure_mark {
    uint64_t listing_id;
    struct stamp stamp;  /* raw records at or below it are removed and refused */
    doc_version version; /* as are document rows below it */
    struct stamp before; /* of the erasure before it, or STAMP_NONE */
};

/* Rows that were removed at one moment. What they said is above that stamp: what was at or below it
 * went with an earlier erasure. */
struct removed_rows {
    uint64_t listing_id;
    uint64_t count;
    vtime at;
    struct stamp above;
};

struct erasure_marks {
    struct id_map index;
    struct erasure_mark *items;
    size_t count, capacity;
    struct removed_rows *removed;
    size_t removed_count, removed_capacity;
};

void erasure_marks_init(struct erasure_marks *marks);
void erasure_marks_release(struct erasure_marks *marks);
/* NULL when the listing was never erased. */
const struct erasure_mark *erasure_marks_find(const struct erasure_marks *marks,
                                              uint64_t listing_id);
/* Raises the listing's mark to the greater stamp and the greater version. 0 or -ENOMEM. */
int erasure_marks_raise(struct erasure_marks *marks, const struct erasure_mark *mark);
/* Rows of the mark's listing were removed. 0 or -ENOMEM. */
int erasure_marks_removed(struct erasure_marks *marks, vtime now, const struct erasure_mark *mark,
                          uint64_t count);
/* Removed rows of the listing that may say what an erasure with that stamp covers, whose age is at
 * least from_ns and below until_ns. */
uint64_t erasure_marks_lingering(const struct erasure_marks *marks, vtime now, uint64_t listing_id,
                                 struct stamp stamp, int64_t from_ns, int64_t until_ns);

#endif
