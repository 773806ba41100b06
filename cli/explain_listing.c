/*
 * What became of one update of a listing (B3).
 */
#include <stdio.h>

#include "cli/explain.h"
#include "cli/moment.h"
#include "cli/murphy.h"
#include "sim/sqlite_host.h"

/* The states that OLTP gave the listing, oldest first: each is an update. */
static int list_updates(struct explain *e, int64_t listing_id) {
    sqlite3_stmt *s = 0;
    if (sqlite_host_prepare(e->stores.db,
                            "SELECT recorded_from_ns, event_id, deleted FROM oltp_listing_history"
                            " WHERE listing_id = ? ORDER BY recorded_from_ns",
                            &s) != SQLITE_OK) {
        return run_stores_failed(&e->stores);
    }
    sqlite3_bind_int64(s, 1, listing_id);
    int n = 0;
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        char at[MOMENT_TEXT_MAX];
        moment_format((vtime){sqlite3_column_int64(s, 0)}, at);
        printf("%4d  %-30s %s%s\n", ++n, at, sqlite3_column_text(s, 1),
               sqlite3_column_int(s, 2) == 1 ? " (deleted)" : "");
    }
    sqlite3_finalize(s);
    if (rc != SQLITE_DONE) {
        return run_stores_failed(&e->stores);
    }
    return n > 0 ? EXIT_HELD
                 : run_stores_complain(&e->stores, EXIT_USAGE, "there is no listing %s in this run",
                                       e->listing);
}

int explain_listing(struct explain *e) {
    uint64_t listing_id = 0;
    parse_seed(e->listing, &listing_id);
    return list_updates(e, (int64_t)listing_id);
}
