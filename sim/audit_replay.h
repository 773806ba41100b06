/*
 * The audit streams of a finished run, verified and replayed (B8):
 *
 *     chain    each listing's events follow each other from 1 on, and each has the digest that
 *              follows from what it says and the one before it
 *     heads    each stream ends where its head says, and all heads together have the root that was
 *              anchored outside of the file
 *     payload  bronze holds the bytes that each event tells of, or they were erased (A12) or
 *              expired (A16); and each told something, as the event says
 *     model    the documents that come of replaying the events alone are those of gold
 *
 * Of each listing the first bad record is told, with what can be said of it. What is behind it in
 * the chain cannot be judged.
 */
#ifndef MURPHY_SIM_AUDIT_REPLAY_H
#define MURPHY_SIM_AUDIT_REPLAY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline/sha256.h"
#include "sim/rebuilt_layers.h"

struct audit_replay_options {
    const uint64_t *listing;     /* this one alone; NULL: all */
    const struct sha256 *anchor; /* the root that was kept elsewhere; NULL: none */
    vtime start, warehouse_from; /* of the run */
    /* A bad record; sequence 0: none in particular. Nonzero stops. */
    int (*bad)(void *ctx, uint64_t listing_id, uint64_t sequence, const char *sentence);
    int (*different)(void *ctx, enum rebuilt_layer layer, const struct table_difference *d);
    void *ctx;
};

struct audit_replay_report {
    uint64_t listings, events;
    uint64_t erased, expired; /* events whose payload is gone for that reason */
    uint64_t beside;          /* events that the log took back when a leader lost records */
    uint64_t bad;
    bool anchored;      /* the root is that of the anchor */
    struct sha256 root; /* of the heads as they are stored */
    struct table_counts gold;
};

/* On a connection that stores_export_views was called on for the end of the run. */
enum rebuilt_status audit_replay(sqlite3 *run, const struct audit_replay_options *options,
                                 struct audit_replay_report *report);

#endif
