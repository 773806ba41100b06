/*
 * The inside of cli/way.h: what was gathered of the listing, and how it is asked.
 *
 * Temporary tables hold what the run knows of the one listing up to the moment, so that each of
 * hundreds of updates can be followed without reading the whole run again:
 *
 *   w_record  records of topics     w_commit  OLTP rows by event     w_outbox  outbox rows by event
 *   w_said    what each OLTP row says that the one before did not
 *   w_epoch   first offset of each leader epoch: what a leader change cut off
 *   w_read    who was handed what   w_change  positions that made it another listing
 *   w_row     states of rows that readers see, per store             w_gone    when they went
 *   w_alias   which model readers of a store were led to             w_embed   calls for vectors
 *   w_letter  dead letters          w_refused writes that were not done
 *   w_bronze, w_silver, w_gold, w_order  the warehouse
 */
#ifndef MURPHY_CLI_WAY_PARTS_H
#define MURPHY_CLI_WAY_PARTS_H

#include <sqlite3.h>

#include "cli/way.h"

struct ways {
    struct run_stores *stores;
    int64_t listing_id;
    vtime at;
    int64_t read_max; /* records that one read handed over at most */
    struct update *updates;
    int count, capacity;
    bool failed; /* a statement did, or memory ran out; the message is written */
    int status;  /* to leave with then */
};

/*
 * Prepares, binds and steps once: the statement at its first row, or NULL when there is none or it
 * failed. `types`: i (int64_t), t (const char *, NULL is NULL), one of each value. Finalize it.
 */
sqlite3_stmt *ways_ask(struct ways *w, const char *sql, const char *types, ...);
/* To the next row; false at the end or after a failure. */
bool ways_next(struct ways *w, sqlite3_stmt *s);
/* The one number of the one row; false when there is no row or it is NULL. */
bool ways_number(struct ways *w, int64_t *out, const char *sql, const char *types, ...);

/* Out of memory, or a failed statement: says so once. */
void ways_fail(struct ways *w);

/* On the heap; NULL after ways_fail. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
char *
ways_text(struct ways *w, const char *format, ...);

/* Why a hop took or takes its time, as a sentence on the heap, or NULL: faults that struck in
 * [from, to] where that hop is carried out. Those of a feed are looked for by `topic`. */
char *ways_faults(struct ways *w, enum hop_kind kind, const char *topic, vtime from, vtime to);

#endif
