#include "cli/run_ways.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/run_stores.h"
#include "cli/way.h"
#include "cli/way_text.h"
#include "sim/sqlite_host.h"

/* A way costs a reading of the run. */
enum { PICKED_MAX = 3 };

struct pick {
    uint64_t listing_id;
    doc_version version; /* of the update; DOC_VERSION_NONE: the listing's last */
    char why[80];
};

struct picks {
    struct pick items[PICKED_MAX];
    size_t count;
};

static void add_pick(struct picks *p, uint64_t listing_id, doc_version version, const char *format,
                     const char *store) {
    for (size_t i = 0; i < p->count; i++) {
        if (p->items[i].listing_id == listing_id) {
            return;
        }
    }
    if (p->count < PICKED_MAX) {
        struct pick *pick = &p->items[p->count++];
        *pick = (struct pick){.listing_id = listing_id, .version = version};
        snprintf(pick->why, sizeof pick->why, format, store);
    }
}

/* False after a message. */
static bool pick_slowest(struct run_stores *stores, struct picks *picks) {
    sqlite3_stmt *s = NULL;
    if (sqlite_host_prepare(stores->db,
                            "SELECT store, listing_id, version, max(visibility_lag_ns)"
                            " FROM main.freshness_sample GROUP BY store ORDER BY 4 DESC",
                            &s) != SQLITE_OK) {
        run_stores_failed(stores);
        return false;
    }
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        add_pick(picks, (uint64_t)sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2),
                 "slowest to be seen in %s", (const char *)sqlite3_column_text(s, 0));
    }
    sqlite3_finalize(s);
    if (rc != SQLITE_DONE) {
        run_stores_failed(stores);
    }
    return rc == SQLITE_DONE;
}

/* ---- Into the result ---- */

static int add_way(struct run_result *result, const struct run_stores *stores,
                   const struct pick *pick, const struct way *way) {
    struct run_hop hops[HOPS_MAX];
    char listing[24], sentence[700], command[120];
    for (int i = 0; i < way->count; i++) {
        const struct hop *h = &way->hops[i];
        bool waits = h->status == HOP_WAITING;
        int64_t from_ns = h->parent == HOP_NONE ? h->at.ns : way->hops[h->parent].at.ns;
        hops[i] = (struct run_hop){
            .name = hop_kind_label(h->kind),
            .place = h->place == NULL ? "" : h->place,
            .note = h->note == NULL ? "" : h->note,
            .state = waits                      ? RUN_HOP_WAITING
                     : h->status == HOP_STOPPED ? RUN_HOP_STOPPED
                                                : RUN_HOP_DONE,
            .from_ns = from_ns,
            .at_ns = waits ? stores->end.ns : h->at.ns,
        };
    }
    snprintf(listing, sizeof listing, "%" PRIu64, pick->listing_id);
    way_text_sentence(way, stores->end, sentence, sizeof sentence);
    snprintf(command, sizeof command, "murphy explain RUN --listing %s --update %d", listing,
             way->update.number);
    return run_result_add_way(result, &(struct run_way){.listing = listing,
                                                        .what = way->update.what,
                                                        .picked = pick->why,
                                                        .came_to = sentence,
                                                        .command = command,
                                                        .hops = hops,
                                                        .hop_count = (size_t)way->count});
}

static int follow(struct run_result *result, struct run_stores *stores, const struct pick *pick) {
    struct ways *ways;
    struct way way = {.count = 0};
    int status = ways_open(stores, pick->listing_id, stores->end, &ways);
    if (status == 0) {
        int last = ways_count(ways) - 1;
        int chosen =
            pick->version == DOC_VERSION_NONE ? last : ways_find_version(ways, pick->version);
        status = ways_follow(ways, chosen < 0 ? last : chosen, &way);
    }
    if (status == 0) {
        status = add_way(result, stores, pick, &way);
    }
    way_release(&way);
    ways_close(ways);
    return status;
}

int run_ways_add(struct run_result *result, const char *directory) {
    struct run_stores stores;
    struct picks picks = {.count = 0};
    int status = run_stores_open(&stores, "run", directory);
    if (status == 0 && result->reconciliation.sample_count > 0) {
        const struct run_drift_sample *sample = &result->reconciliation.samples[0];
        add_pick(&picks, strtoull(sample->listing, NULL, 10), DOC_VERSION_NONE,
                 "the first that reconciliation found different, in %s", sample->store);
    }
    if (status == 0 && !pick_slowest(&stores, &picks)) {
        status = -1;
    }
    for (size_t i = 0; i < picks.count && status == 0; i++) {
        status = follow(result, &stores, &picks.items[i]);
    }
    run_stores_close(&stores);
    return status == 0 ? 0 : -1;
}
