/*
 * The way of one update of a listing through a finished run (B3): every hop from the seller's
 * change to the last store, with its position, its virtual time and what came before it; or where
 * the update waits, and why.
 *
 *   seller's change -> OLTP commit -> outbox -> relay -> feed -> router -> listing log
 *        listing log -> builder -> embedding -> text, image, fused vector
 *                          |-------------------> keyword row
 *        listing log -> loader -> bronze -> silver -> gold
 *        orders feed -> loader -> bronze -> silver -> gold -> dashboard
 *   detours: outbox again (reconciliation), dead letter, sent again, late queue, quarantine
 *
 * Everything is read from the tables of the run as they were at one moment; what happened later is
 * not known to it. A hop's lag runs from the hop before it, so the lags along a branch add up to
 * the time that it took in all. When a row is visible is computed from the histories of the stores,
 * by the same rule as the oracle's freshness: a reader sees this version or a newer one, or sees
 * the listing no more where the update, or a later one, took it out.
 */
#ifndef MURPHY_CLI_WAY_H
#define MURPHY_CLI_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/run_stores.h"
#include "pipeline/stamp.h"
#include "pipeline/vtime.h"

/* X(identifier, "name of JSON", "name for people") */
#define HOPS(X)                                                                                    \
    X(EVENT, "event", "seller's change")                                                           \
    X(COMMIT, "oltp", "OLTP commit")                                                               \
    X(OUTBOX, "outbox", "outbox")                                                                  \
    X(RELAY, "relay", "relay reads")                                                               \
    X(FEED, "feed", "feed")                                                                        \
    X(LETTER, "dead-letter", "dead letter")                                                        \
    X(AGAIN, "feed-again", "sent again")                                                           \
    X(ROUTER, "router", "router reads")                                                            \
    X(LATE, "late-queue", "late queue")                                                            \
    X(QUARANTINE, "quarantine", "quarantine")                                                      \
    X(LOG, "listing-log", "listing log")                                                           \
    X(BUILDER, "builder", "builder folds")                                                         \
    X(ASKED, "embedding-asked", "vectors asked")                                                   \
    X(MADE, "embedding-returned", "vectors back")                                                  \
    X(TEXT, "vector-text", "text vector")                                                          \
    X(IMAGE, "vector-image", "image vector")                                                       \
    X(FUSED, "vector-fused", "fused vector")                                                       \
    X(KEYWORD, "keyword", "keyword row")                                                           \
    X(LOADER, "loader", "loader reads")                                                            \
    X(BRONZE, "bronze", "bronze")                                                                  \
    X(SILVER, "silver", "silver")                                                                  \
    X(GOLD, "gold", "gold")                                                                        \
    X(DASHBOARD, "dashboard", "dashboard")                                                         \
    X(CERTIFICATE, "certificate", "certificate")

enum hop_kind {
#define HOP_ENUM(identifier, name, label) HOP_##identifier,
    HOPS(HOP_ENUM)
#undef HOP_ENUM
        HOP_KIND_COUNT
};
const char *hop_kind_name(enum hop_kind kind);
const char *hop_kind_label(enum hop_kind kind);

enum hop_status {
    HOP_DONE,
    HOP_WAITING, /* the update is not there yet: it waits behind the hop before, since then */
    HOP_STOPPED, /* it will not come: refused, dropped, or nothing new */
};
const char *hop_status_name(enum hop_status status);

#define HOP_NONE (-1)
struct hop {
    enum hop_kind kind;
    enum hop_status status;
    int parent;  /* the hop before; HOP_NONE of the first */
    vtime at;    /* done or stopped: when; waiting: since when */
    char *place; /* position, for people */
    char *note;  /* what else is to be said of it; NULL: nothing */

    /* The position in numbers; "" or -1 where there is none. The outbox's sequence is an offset. */
    char topic[32];
    int64_t partition, offset, epoch;
    int64_t version;
};

struct update {
    int number;    /* of the listing's, from 1, by when they were first heard of */
    char *event;   /* id; NULL of bytes that are no record */
    char *what;    /* for people: "price and title changed" */
    char type[16]; /* of the record: "listing", "media", "order", ...; "unreadable" */
    bool delete;
    vtime event_at; /* producer's time; VTIME_NEVER: nobody can tell */
    vtime first_at; /* first seen in OLTP or a topic */
    /* Of bytes that are no record: where they stand. */
    char *topic;
    int64_t partition, offset;
};

/* What an update came to. */
enum way_end {
    WAY_VISIBLE,   /* readers of every store that it concerns see it, or something newer */
    WAY_UNDER_WAY, /* it waits somewhere */
    WAY_NO_CHANGE, /* nothing that readers see changed */
    WAY_REFUSED,   /* a dead letter, so far */
    WAY_HELD,      /* late queue or quarantine, so far */
    WAY_DROPPED,   /* of an erased listing */
};
const char *way_end_name(enum way_end end);

enum { HOPS_MAX = 28 };
struct way {
    struct update update; /* borrowed from the list of updates */
    struct hop hops[HOPS_MAX];
    int count;
    enum way_end end;
    vtime feed_at; /* append to its feed: from when visibility is counted; VTIME_NEVER: not yet */
    vtime done_at; /* WAY_VISIBLE: the last store */
    doc_version version; /* its position in the listing log; DOC_VERSION_NONE: none */
};

/* The updates of one listing, and what is needed to follow each. */
struct ways;

/* What is known of the listing at the moment. 0, or an exit status after a message: there is no
 * such listing, no memory, a damaged file. */
int ways_open(struct run_stores *stores, uint64_t listing_id, vtime at, struct ways **out);
void ways_close(struct ways *ways); /* NULL is fine */

int ways_count(const struct ways *ways);
const struct update *ways_update(const struct ways *ways, int i);

/* The update whose record in the listing log made that version: from 0, or -1. */
int ways_find_version(struct ways *ways, doc_version version);

/* Follows update i (from 0). 0, or an exit status after a message. Release it in either case. */
int ways_follow(struct ways *ways, int i, struct way *way);
void way_release(struct way *way);

/* Time from the hop before; of the first hop 0. Meaningless while waiting. */
int64_t way_lag_ns(const struct way *way, int hop);
/* Time since the first hop. */
int64_t way_total_ns(const struct way *way, int hop);
/* The first hop of that kind, or HOP_NONE. */
int way_find(const struct way *way, enum hop_kind kind);

#endif
