/*
 * What every store says in the end, as one number: equal for two runs when readers of no store
 * could tell them apart (A15, A17).
 *
 * In it goes what a row says: source, whole and content hash, model version, presence, policy; the
 * sums of sales by category and hour; each refused record with its topic. Out of it stays what
 * depends on who worked when: log positions, versions, moments of writing, how often a record was
 * refused. History stays out too: a version that one run skipped while a sink was slow is none that
 * a reader must have seen.
 *
 * Rows are hashed one by one and summed, so that their order does not matter; a second row of a key
 * counts as one more.
 */
#ifndef MURPHY_SIM_END_STATE_H
#define MURPHY_SIM_END_STATE_H

#include "sim/simulation.h"
#include "sim/trace.h"

enum end_state_part {
    END_STATE_OLTP,
    END_STATE_GOLD,
    END_STATE_SILVER, /* the present versions */
    END_STATE_VECTORS,
    END_STATE_KEYWORDS,
    END_STATE_SALES,
    END_STATE_LETTERS,
    END_STATE_PARTS
};
const char *end_state_part_name(enum end_state_part part);

struct end_state {
    struct trace_hash whole;
    uint64_t parts[END_STATE_PARTS]; /* to tell which one differs */
};

/* Reads the stores themselves, past every fault. 0 or -ENOMEM. */
int end_state_read(struct simulation *s, struct end_state *out);

#endif
