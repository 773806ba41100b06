#include "sim/warehouse_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"

void warehouse_events_init(struct warehouse_events *e) {
    *e = (struct warehouse_events){.count = 0};
    id_map_init(&e->last);
}

void warehouse_events_release(struct warehouse_events *e) {
    free(e->rows);
    id_map_release(&e->last);
}

/* A stream mostly grows at its end; only a replay looks further back. */
static bool is_there(const struct warehouse_events *e, uint32_t at,
                     const struct audit_event *event) {
    if (!e->forked && at != ID_MAP_NONE && e->rows[at].event.version < event->version) {
        return false;
    }
    while (at != ID_MAP_NONE &&
           (e->rows[at].event.version != event->version ||
            memcmp(e->rows[at].event.digest.bytes, event->digest.bytes, SHA256_BYTES) != 0)) {
        at = e->rows[at].before;
    }
    return at != ID_MAP_NONE;
}

int warehouse_events_add(struct warehouse_events *e, vtime now, const struct audit_event *event,
                         bool dedupe) {
    uint32_t last = id_map_get(&e->last, event->listing_id);
    if (dedupe && is_there(e, last, event)) {
        return 0;
    }
    if (ARRAY_RESERVE(e->rows, e->capacity, e->count + 1) != 0 ||
        id_map_put_index(&e->last, event->listing_id, (uint32_t)e->count) != 0) {
        return -ENOMEM;
    }
    e->forked = e->forked || (last != ID_MAP_NONE && e->rows[last].event.version >= event->version);
    e->rows[e->count++] = (struct kept_event){*event, now, last};
    return 1;
}

struct sorted_event {
    uint64_t listing_id, sequence;
    doc_version version;
    uint32_t row;
};

static int event_order(const void *left, const void *right) {
    const struct sorted_event *a = left, *b = right;
    if (a->listing_id != b->listing_id) {
        return a->listing_id < b->listing_id ? -1 : 1;
    }
    if (a->sequence != b->sequence) {
        return a->sequence < b->sequence ? -1 : 1;
    }
    if (a->version != b->version) {
        return a->version < b->version ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

int warehouse_events_sorted(const struct warehouse_events *e, uint32_t **order) {
    struct sorted_event *sorted = malloc((e->count + 1) * sizeof *sorted);
    *order = malloc((e->count + 1) * sizeof **order);
    if (sorted == NULL || *order == NULL) {
        free(sorted);
        free(*order);
        *order = NULL;
        return -ENOMEM;
    }
    for (size_t i = 0; i < e->count; i++) {
        const struct audit_event *event = &e->rows[i].event;
        sorted[i] =
            (struct sorted_event){event->listing_id, event->sequence, event->version, (uint32_t)i};
    }
    qsort(sorted, e->count, sizeof *sorted, event_order);
    for (size_t i = 0; i < e->count; i++) {
        (*order)[i] = sorted[i].row;
    }
    free(sorted);
    return 0;
}

int warehouse_events_heads(const struct warehouse_events *e, struct audit_head **heads,
                           size_t *count) {
    uint32_t *order;
    *count = 0;
    *heads = NULL;
    if (warehouse_events_sorted(e, &order) != 0) {
        return -ENOMEM;
    }
    *heads = malloc((e->count + 1) * sizeof **heads);
    const struct audit_event *end = NULL; /* of the listing at hand, so far */
    for (size_t i = 0; *heads != NULL && i < e->count; i++) {
        const struct audit_event *event = &e->rows[order[i]].event;
        bool first = *count == 0 || (*heads)[*count - 1].listing_id != event->listing_id;
        if (first || audit_later(event, end)) {
            *count += first;
            end = event;
            (*heads)[*count - 1] =
                (struct audit_head){event->listing_id, {event->sequence, event->digest}};
        }
    }
    free(order);
    return *heads == NULL ? -ENOMEM : 0;
}
