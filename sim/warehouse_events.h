/*
 * The warehouse's audit streams of listings (B8): rows are added, a repeat of a key (listing,
 * version and digest) is turned away, and nothing is ever changed or removed, not by an erasure
 * either, since a row holds no content (pipeline/audit_stream.h).
 */
#ifndef MURPHY_SIM_WAREHOUSE_EVENTS_H
#define MURPHY_SIM_WAREHOUSE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/audit_stream.h"
#include "pipeline/id_map.h"
#include "pipeline/rows.h"

struct kept_event {
    struct audit_event event;
    vtime recorded;
    uint32_t before; /* the listing's row that came before it, or ID_MAP_NONE */
};

struct warehouse_events {
    struct kept_event *rows; /* in the order of arrival */
    size_t count, capacity;
    struct id_map last; /* by listing: its row that came last */
    bool forked;        /* some stream went on from before its end */
};

void warehouse_events_init(struct warehouse_events *e);
void warehouse_events_release(struct warehouse_events *e);
/* Takes the row in unless its key is there; without `dedupe` it is there twice then. 1 when it came
 * in, 0 or -ENOMEM. */
int warehouse_events_add(struct warehouse_events *e, vtime now, const struct audit_event *event,
                         bool dedupe);

/* The rows by listing, sequence and version: row i is rows[order[i]]. The caller frees *order. 0 or
 * -ENOMEM. */
int warehouse_events_sorted(const struct warehouse_events *e, uint32_t **order);
/* Where each listing's stream ends (audit_later), in the order of ids. The caller frees
 * *heads. 0 or -ENOMEM. */
int warehouse_events_heads(const struct warehouse_events *e, struct audit_head **heads,
                           size_t *count);

#endif
