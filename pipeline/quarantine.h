/*
 * Quarantine of mass deletes that look like an accident (B10): which deletes of one partition of
 * the listing feed are held back, and what an operator said of them.
 *
 * Deletes are counted by window of their append, and held against the usual windows as the watch
 * does it (pipeline/watch.c, which guards the feed as a whole; this guards a partition, where it
 * can still stop what it sees). From the delete on that is too many, deletes are held back until an
 * operator releases or discards them.
 *
 *              too many deletes
 *     passing -----------------> holding
 *        ^                          |
 *        +--- release, discard -----+
 *
 * An operator's word is about event times, not about what stands in quarantine when it is heard:
 * after a crash, records and commands may be read again in another order, and a delete that the
 * word is about must meet the same end whether it comes first or last. So:
 *  1. deletes dated before the end of a word are neither held nor counted any more; those of a
 *     discarded stretch are dropped, also those that come late or twice, the others pass;
 *  2. of a repair, which reconciliation publishes again, only rule 3 is true: what was discarded
 * and is true all the same comes back that way;
 *  3. while deletes are held, all deletes are.
 *
 * Counts go with the offsets: a checkpoint holds those of what is dealt with, since what was
 * fetched beyond it is counted again (quarantine_dealt).
 */
#ifndef MURPHY_PIPELINE_QUARANTINE_H
#define MURPHY_PIPELINE_QUARANTINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/machine.h"
#include "pipeline/record.h"
#include "pipeline/usual.h"

/* What the feed told. */
struct quarantine_count {
    bool open;    /* a window began */
    bool holding; /* deletes are held back */
    bool struck;  /* they were, in this window: it does not teach */
    int64_t window;
    uint64_t deletes; /* of the window */
    struct usual usual;
};

/* A stretch of event time that was discarded: [from, to). */
struct quarantine_discard {
    vtime from, to;
};

/* Caller-owned; zeroed is empty. */
struct quarantine {
    struct quarantine_count seen;  /* with everything that was fetched */
    struct quarantine_count dealt; /* with what a checkpoint may say */
    vtime decided;                 /* what is dated before was decided on; 0: nothing */
    struct quarantine_discard *discards;
    size_t discard_count, discard_capacity;
};

void quarantine_release(struct quarantine *q);

enum quarantine_verdict {
    QUARANTINE_PASS,
    QUARANTINE_HOLD, /* keep it for the operator */
    QUARANTINE_DROP, /* keep it as discarded */
};

/* Judges a record of the listing feed, in the order of the feed; those that are no deletes pass and
 * move time on. *began says that deletes are held from this one on. */
enum quarantine_verdict quarantine_judge(struct quarantine *q, const struct pipeline_config *config,
                                         const struct record *record, vtime append, bool *began);
/* Everything judged so far is dealt with. */
void quarantine_dealt(struct quarantine *q);

/* The operator's word on deletes dated in [from, to); deletes before `from` are let go. 0 or
 * -ENOMEM. */
int quarantine_decide(struct quarantine *q, bool discard, vtime from, vtime to);
/* A delete that is held was discarded. */
bool quarantine_is_discarded(const struct quarantine *q, const struct record *record);

/* For checkpoints. quarantine_decode: 0, or -ENOMEM. */
size_t quarantine_size(const struct quarantine *q);
char *quarantine_encode(const struct quarantine *q, char *at);
int quarantine_decode(struct quarantine *q, struct wire_reader *reader);

#endif
