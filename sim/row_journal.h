/*
 * What a mutable table held at every moment: an append-only list of row states, from which the
 * export makes recorded_from and recorded_to (A11, time travel).
 *
 * A fake puts the whole row each time it changes and says when it is gone. Nothing is looked up or
 * sorted until the run is over: a put is a copy of the row. A journal that is off keeps nothing and
 * costs a branch.
 */
#ifndef MURPHY_SIM_ROW_JOURNAL_H
#define MURPHY_SIM_ROW_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/vtime.h"
#include "sim/cell.h"

#define ROW_JOURNAL_CELLS_MAX 32

struct journal_chunk;
struct row_journal {
    bool on;
    struct journal_chunk *last; /* chunks are linked from the last to the first */
    uint64_t count;
};

/* Which row: `copy` tells rows of one key apart where a store can hold duplicates, else 0. */
struct row_key {
    uint64_t key;
    uint32_t copy;
};

void row_journal_init(struct row_journal *j, bool on);
void row_journal_release(struct row_journal *j);

/* The row has these cells from now on. Moments do not go back. 0 or -ENOMEM. */
int row_journal_put(struct row_journal *j, vtime now, struct row_key key, const struct cell *cells,
                    size_t count);
/* The row is gone from now on. */
int row_journal_gone(struct row_journal *j, vtime now, struct row_key key);

/* A place to go back to: a transaction that may be rolled back. */
struct journal_mark {
    struct journal_chunk *chunk;
    size_t used;
    uint64_t count;
};
struct journal_mark row_journal_mark(const struct row_journal *j);
void row_journal_rewind(struct row_journal *j, struct journal_mark mark);

/* One state of one row: it held for from <= t < to. */
struct row_version {
    struct row_key key;
    vtime from;
    vtime to; /* VTIME_NEVER: still holds */
    const struct cell *cells;
    size_t count;
};

/*
 * Calls each() for every state, by key, then copy, then time. States that did not last (two changes
 * at one moment) have from equal to to. Stops at the first nonzero answer and returns it; returns
 * -ENOMEM when there is no memory.
 */
int row_journal_each(const struct row_journal *j,
                     int (*each)(void *ctx, const struct row_version *version), void *ctx);

#endif
