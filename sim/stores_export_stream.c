/*
 * The audit streams of listings in the export of a run's stores (B8).
 */
#include <stdlib.h>

#include "sim/row_cells.h"
#include "sim/stores_export_parts.h"

int stores_export_streams(struct stores_export *x, const struct warehouse_events *events) {
    for (size_t i = 0; i < events->count; i++) {
        struct cell cells[EVENT_CELLS];
        event_cells(&events->rows[i].event, cells);
        if (stores_export_row(x, AUDIT_EVENT, cells, EVENT_CELLS, events->rows[i].recorded,
                              VTIME_NEVER) != 0) {
            return -1;
        }
    }
    struct audit_head *heads;
    size_t count;
    if (warehouse_events_heads(events, &heads, &count) != 0) {
        return stores_export_no_memory(x);
    }
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++) {
        struct cell cells[HEAD_CELLS];
        head_cells(&heads[i], cells);
        failed =
            stores_export_row(x, AUDIT_HEAD, cells, HEAD_CELLS, stores_export_end(x), VTIME_NEVER);
    }
    free(heads);
    return failed;
}
