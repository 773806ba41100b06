/*
 * Follows one update hop by hop.
 */
#include "cli/way.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/moment.h"
#include "cli/way_parts.h"

/* A hop that took longer is worth a word about the faults that struck meanwhile. */
#define SLOW_NS (2 * VTIME_SECOND)

struct follower {
    struct ways *w;
    struct way *way;
    const struct update *u;
    int64_t event_limit; /* moment */
};

/* A record of a topic. */
struct at_topic {
    char topic[32];
    int64_t partition, offset, epoch;
    vtime append;
    bool lost; /* cut off by a leader change since */
};

/* ---- Hops ---- */

static int add_hop(struct follower *f, enum hop_kind kind, int parent, vtime at) {
    struct way *way = f->way;
    if (way->count == HOPS_MAX) {
        return parent; /* a record that is refused and sent again for ever */
    }
    way->hops[way->count] = (struct hop){.kind = kind,
                                         .parent = parent,
                                         .at = at,
                                         .partition = -1,
                                         .offset = -1,
                                         .epoch = -1,
                                         .version = -1};
    return way->count++;
}

static int add_waiting(struct follower *f, enum hop_kind kind, int parent, char *note) {
    int hop = add_hop(f, kind, parent, f->way->hops[parent].at);
    f->way->hops[hop].status = HOP_WAITING;
    f->way->hops[hop].note = note;
    return hop;
}

static void set_place(struct follower *f, int hop, char *place) {
    free(f->way->hops[hop].place);
    f->way->hops[hop].place = place;
}

/* One more sentence. */
static void add_note(struct follower *f, int hop, char *note) {
    char **kept = &f->way->hops[hop].note;
    if (*kept != NULL && note != NULL) {
        char *both = ways_text(f->w, "%s; %s", *kept, note);
        free(*kept);
        free(note);
        *kept = both;
    } else if (note != NULL) {
        *kept = note;
    }
}

static int add_record(struct follower *f, enum hop_kind kind, int parent,
                      const struct at_topic *record) {
    int hop = add_hop(f, kind, parent, record->append);
    struct hop *h = &f->way->hops[hop];
    set_place(f, hop,
              ways_text(f->w, "%s %" PRId64 ":%" PRId64, record->topic, record->partition,
                        record->offset));
    snprintf(h->topic, sizeof h->topic, "%s", record->topic);
    h->partition = record->partition;
    h->offset = record->offset;
    h->epoch = record->epoch;
    if (record->lost) {
        add_note(f, hop,
                 ways_text(f->w, "a leader change cut it off later: whoever had not read it never "
                                 "will"));
    }
    return hop;
}

static struct at_topic record_of(sqlite3_stmt *s) {
    struct at_topic r = {.partition = sqlite3_column_int64(s, 1),
                         .offset = sqlite3_column_int64(s, 2),
                         .epoch = sqlite3_column_int64(s, 3),
                         .append = {sqlite3_column_int64(s, 4)},
                         .lost = sqlite3_column_int(s, 5) == 1};
    const char *topic = (const char *)sqlite3_column_text(s, 0);
    snprintf(r.topic, sizeof r.topic, "%s", topic == NULL ? "" : topic);
    return r;
}

/* The update's first record in a topic; false when it is not there. */
static bool find_record(struct follower *f, const char *topic, struct at_topic *out) {
    sqlite3_stmt *s = ways_ask(f->w,
                               "SELECT topic, partition, \"offset\", epoch, recorded_at_ns, lost"
                               " FROM w_record WHERE topic = ? AND event_id = ?"
                               " ORDER BY lost, place LIMIT 1",
                               "tt", topic, f->u->event);
    if (s == NULL) {
        return false;
    }
    *out = record_of(s);
    sqlite3_finalize(s);
    return true;
}

/* ---- Who read it ---- */

/* The hop of a machine that was handed the record: the last time before `by`, when its effect was
 * there, or the first time where there is none yet (VTIME_NEVER). HOP_NONE: it was not. */
static int add_read(struct follower *f, enum hop_kind kind, int parent, const char *machine,
                    const char *topic, int64_t partition, int64_t offset, vtime by) {
    bool known = by.ns != VTIME_NEVER.ns;
    sqlite3_stmt *s =
        ways_ask(f->w,
                 known ? "SELECT machine, at_ns, count(*) OVER () FROM w_read"
                         " WHERE topic = ?1 AND partition IS nullif(?2, -1)"
                         " AND first_offset BETWEEN ?3 - ?4 AND ?3 AND next_offset > ?3"
                         " AND machine LIKE ?5 AND at_ns BETWEEN ?6 AND ?7"
                         " ORDER BY at_ns DESC LIMIT 1"
                       : "SELECT machine, at_ns, count(*) OVER () FROM w_read"
                         " WHERE topic = ?1 AND partition IS nullif(?2, -1)"
                         " AND first_offset BETWEEN ?3 - ?4 AND ?3 AND next_offset > ?3"
                         " AND machine LIKE ?5 AND at_ns BETWEEN ?6 AND ?7"
                         " ORDER BY at_ns LIMIT 1",
                 "tiiitii", topic, partition, offset, f->w->read_max, machine,
                 f->way->hops[parent].at.ns, by.ns);
    if (s == NULL) {
        return HOP_NONE;
    }
    int hop = add_hop(f, kind, parent, (vtime){sqlite3_column_int64(s, 1)});
    set_place(f, hop, ways_text(f->w, "%s", (const char *)sqlite3_column_text(s, 0)));
    int times = sqlite3_column_int(s, 2);
    /* These feeds every task of the router reads. */
    bool by_all = strcmp(topic, "seller-policy") == 0 || strcmp(topic, "privacy") == 0 ||
                  strcmp(topic, "reference-data") == 0;
    if (times > 1 && !by_all) {
        add_note(f, hop,
                 ways_text(f->w,
                           known ? "read %d times by then, after restarts"
                                 : "read %d times, after restarts",
                           times));
    }
    sqlite3_finalize(s);
    return hop;
}

/* How far a reader is, where it has not come to the record yet. */
static char *say_behind(struct follower *f, const char *who, const char *machine, const char *topic,
                        int64_t partition, int64_t offset) {
    int64_t next = 0;
    bool begun = ways_number(f->w, &next,
                             "SELECT max(next_offset) FROM w_read WHERE topic = ?1 AND"
                             " partition IS nullif(?2, -1) AND machine LIKE ?3",
                             "tit", topic, partition, machine);
    if (!begun) {
        return ways_text(f->w, "%s has read nothing of it yet", who);
    }
    return offset < next
               ? ways_text(f->w, "%s was past it before", who)
               : ways_text(f->w, "%s has %" PRId64 " before it to read", who, offset - next);
}

/* ---- From the seller to the feed ---- */

/* The outbox and its reader. The hop to go on from, or HOP_NONE where it waits. */
static int follow_outbox(struct follower *f, int commit, bool in_feed, vtime feed_at) {
    sqlite3_stmt *s = ways_ask(f->w,
                               "SELECT sequence, at_ns FROM w_outbox WHERE event_id = ?"
                               " ORDER BY sequence LIMIT 1",
                               "t", f->u->event);
    if (s == NULL && in_feed) {
        return commit;
    }
    if (s == NULL) {
        int hop =
            add_waiting(f, HOP_OUTBOX, commit,
                        ways_text(f->w, "the application wrote its row and told nobody: there "
                                        "is no outbox row, so only reconciliation will find "
                                        "it"));
        int64_t later = 0;
        if (ways_number(f->w, &later, "SELECT count(*) FROM w_commit WHERE at_ns > ?", "i",
                        f->way->hops[commit].at.ns) &&
            later > 0) {
            add_note(f, hop,
                     ways_text(f->w, "%" PRId64 " later update%s may have said the same again",
                               later, later == 1 ? "" : "s"));
        }
        return HOP_NONE;
    }
    int64_t sequence = sqlite3_column_int64(s, 0);
    vtime at = {sqlite3_column_int64(s, 1)};
    sqlite3_finalize(s);
    int outbox = add_hop(f, HOP_OUTBOX, commit, at);
    set_place(f, outbox, ways_text(f->w, "sequence %" PRId64, sequence));
    f->way->hops[outbox].offset = sequence;
    if (vtime_before(f->way->hops[commit].at, at)) {
        add_note(f, outbox,
                 ways_text(f->w, "put there by reconciliation: the log had never got it"));
    }
    int relay = add_read(f, HOP_RELAY, outbox, "relay%", "outbox", -1, sequence, feed_at);
    if (relay == HOP_NONE && !in_feed) {
        add_waiting(f, HOP_RELAY, outbox,
                    say_behind(f, "the relay", "relay%", "outbox", -1, sequence));
        return HOP_NONE;
    }
    return relay == HOP_NONE ? outbox : relay;
}

static bool find_letter(struct follower *f, const struct at_topic *record, int parent, int *hop) {
    sqlite3_stmt *s = ways_ask(f->w,
                               "SELECT at_ns, reason, field, expected FROM w_letter WHERE"
                               " topic = ? AND partition = ? AND \"offset\" = ?"
                               " ORDER BY at_ns LIMIT 1",
                               "tii", record->topic, record->partition, record->offset);
    if (s == NULL) {
        return false;
    }
    *hop = add_hop(f, HOP_LETTER, parent, (vtime){sqlite3_column_int64(s, 0)});
    set_place(f, *hop, ways_text(f->w, "field %s", (const char *)sqlite3_column_text(s, 2)));
    add_note(f, *hop,
             ways_text(f->w, "refused: %s; expected was %s",
                       (const char *)sqlite3_column_text(s, 1),
                       (const char *)sqlite3_column_text(s, 3)));
    sqlite3_finalize(s);
    return true;
}

/* The update's first record in a feed behind a moment. Of bytes that are no record: they. */
static bool find_feed(struct follower *f, vtime from, struct at_topic *out) {
    sqlite3_stmt *s =
        f->u->event == NULL
            ? ways_ask(
                  f->w,
                  "SELECT topic, partition, \"offset\", epoch, recorded_at_ns, lost FROM w_record"
                  " WHERE topic = ? AND partition = ? AND \"offset\" = ?"
                  " AND recorded_at_ns >= ?",
                  "tiii", f->u->topic, f->u->partition, f->u->offset, from.ns)
            : ways_ask(
                  f->w,
                  "SELECT topic, partition, \"offset\", epoch, recorded_at_ns, lost FROM w_record"
                  " WHERE event_id = ? AND recorded_at_ns >= ? AND topic NOT IN"
                  " ('listing-log', 'listing-late', 'quarantine', 'erasure-certificates')"
                  " ORDER BY lost, place LIMIT 1",
                  "ti", f->u->event, from.ns);
    if (s == NULL) {
        return false;
    }
    *out = record_of(s);
    sqlite3_finalize(s);
    return true;
}

/* Where the record in the listing log came from, where that is known. */
static bool find_origin(struct follower *f, struct at_topic *out) {
    sqlite3_stmt *s =
        ways_ask(f->w,
                 "SELECT o.topic, o.partition, o.\"offset\", o.epoch,"
                 " o.recorded_at_ns, o.lost FROM (SELECT * FROM w_record WHERE"
                 " topic = 'listing-log' AND event_id = ? ORDER BY lost, place LIMIT 1) l"
                 " JOIN w_record o ON o.topic = l.origin_topic AND"
                 " o.partition = l.origin_partition AND"
                 " o.\"offset\" = l.origin_offset ORDER BY o.place DESC LIMIT 1",
                 "t", f->u->event);
    if (s == NULL) {
        return false;
    }
    *out = record_of(s);
    sqlite3_finalize(s);
    return true;
}

static void note_copies(struct follower *f, int feed) {
    int64_t copies = 0;
    if (f->u->event != NULL &&
        ways_number(f->w, &copies,
                    "SELECT count(*) FROM w_record WHERE event_id = ? AND topic NOT IN"
                    " ('listing-log', 'listing-late', 'quarantine', 'erasure-certificates')",
                    "t", f->u->event) &&
        copies > 1) {
        add_note(f, feed, ways_text(f->w, "%" PRId64 " times in the feed; one counts", copies));
    }
}

/* The feed, and the dead letters on its way. The hop to go on from with *record, or HOP_NONE. */
static int follow_feed(struct follower *f, int from, struct at_topic *record) {
    struct at_topic origin;
    bool routed = find_origin(f, &origin);
    int hop = add_record(f, HOP_FEED, from, record);
    int letter;
    bool refused = find_letter(f, record, hop, &letter);
    if (!refused) {
        if (routed && (strcmp(origin.topic, record->topic) != 0 ||
                       origin.partition != record->partition || origin.offset != record->offset)) {
            *record = origin; /* of several copies the one that counts */
            f->way->count--;
            free(f->way->hops[hop].place);
            hop = add_record(f, HOP_FEED, from, record);
        }
        note_copies(f, hop);
    }
    while (refused && find_feed(f, f->way->hops[letter].at, record) && f->u->event != NULL) {
        hop = add_record(f, HOP_AGAIN, letter, record);
        add_note(f, hop, ways_text(f->w, "after the fix the steward sent it to its feed again"));
        refused = find_letter(f, record, hop, &letter);
    }
    if (refused) {
        f->way->hops[letter].status = HOP_STOPPED;
        f->way->end = WAY_REFUSED;
        return HOP_NONE;
    }
    f->way->feed_at = record->append;
    return hop;
}

/* Up to the feed. */
static int follow_source(struct follower *f, struct at_topic *record) {
    bool in_feed = find_feed(f, (vtime){INT64_MIN}, record);
    int hop = HOP_NONE;
    if (f->u->event != NULL) {
        hop = add_hop(f, HOP_EVENT, HOP_NONE, f->u->event_at);
        set_place(f, hop, ways_text(f->w, "by the producer's clock"));
    }
    int64_t at_ns;
    if (f->u->event != NULL &&
        ways_number(f->w, &at_ns, "SELECT min(at_ns) FROM w_commit WHERE event_id = ?", "t",
                    f->u->event)) {
        hop = add_hop(f, HOP_COMMIT, hop, (vtime){at_ns});
        set_place(
            f, hop,
            ways_text(f->w, "%s row", strcmp(f->u->type, "media") == 0 ? "listing" : f->u->type));
        hop = follow_outbox(f, hop, in_feed, in_feed ? record->append : VTIME_NEVER);
        if (hop != HOP_NONE && !in_feed) {
            add_waiting(f, HOP_FEED, hop,
                        ways_text(f->w, "the relay has it; the log has not taken it"));
            return HOP_NONE;
        }
    }
    return in_feed && (hop != HOP_NONE || f->way->count == 0) ? follow_feed(f, hop, record)
                                                              : HOP_NONE;
}

/* ---- Through the router ---- */

/* When something erased what the update says. */
static bool erased(struct follower *f, vtime *at) {
    return ways_number(f->w, &at->ns,
                       "SELECT min(recorded_at_ns) FROM w_record WHERE topic = 'listing-log' AND"
                       " type = 'erasure' AND event_at_ns >= ? AND event_id IS NOT ?",
                       "it", f->u->event_at.ns, f->u->event);
}

/* What the router put it into before the log. */
static int follow_detour(struct follower *f, int router, enum hop_kind kind, const char *topic,
                         const char *why, bool logged, vtime log_at) {
    struct at_topic record;
    if (!find_record(f, topic, &record) || (logged && vtime_before(log_at, record.append))) {
        return router;
    }
    int hop = add_record(f, kind, router, &record);
    add_note(f, hop, ways_text(f->w, "%s", why));
    if (!logged) {
        int drained = add_read(f, HOP_ROUTER, hop, "router%", topic, record.partition,
                               record.offset, VTIME_NEVER);
        bool discarded = drained != HOP_NONE && kind == HOP_QUARANTINE;
        f->way->end = discarded ? WAY_DROPPED : WAY_HELD;
        return discarded ? drained : hop;
    }
    int again =
        add_read(f, HOP_ROUTER, hop, "router%", topic, record.partition, record.offset, log_at);
    return again == HOP_NONE ? hop : again;
}

static void wait_for_log(struct follower *f, int from) {
    vtime at;
    if (f->way->end == WAY_HELD) {
        add_waiting(f, HOP_LOG, from,
                    ways_text(f->w, f->way->hops[from].kind == HOP_LATE
                                        ? "the late queue is drained into the log once an hour"
                                        : "held back until an operator says what becomes of it"));
    } else if (f->way->end == WAY_DROPPED) {
        int hop = add_hop(f, HOP_LOG, from, f->way->hops[from].at);
        f->way->hops[hop].status = HOP_STOPPED;
        add_note(f, hop, ways_text(f->w, "an operator discarded what was held"));
    } else if (erased(f, &at)) {
        int hop = add_hop(f, HOP_LOG, from, vtime_max(at, f->way->hops[from].at));
        f->way->hops[hop].status = HOP_STOPPED;
        add_note(f, hop, ways_text(f->w, "the listing was erased, and this is older"));
        f->way->end = WAY_DROPPED;
    } else {
        add_waiting(f, HOP_LOG, from,
                    ways_text(f->w, "the router has it; the listing log does not"));
    }
}

/* From the feed to the listing log; the log's hop, or HOP_NONE. */
static int follow_router(struct follower *f, int feed, const struct at_topic *record) {
    struct at_topic log, detour;
    bool logged = find_record(f, "listing-log", &log);
    vtime log_at = logged ? log.append : VTIME_NEVER;
    bool detoured =
        find_record(f, "listing-late", &detour) || find_record(f, "quarantine", &detour);
    vtime by = detoured && vtime_before(detour.append, log_at) ? detour.append : log_at;
    int hop = add_read(f, HOP_ROUTER, feed, "router%", record->topic, record->partition,
                       record->offset, by);
    if (hop == HOP_NONE && !logged) {
        add_waiting(f, HOP_ROUTER, feed,
                    say_behind(f, "the router", "router%", record->topic, record->partition,
                               record->offset));
        return HOP_NONE;
    }
    hop = hop == HOP_NONE ? feed : hop;
    hop = follow_detour(f, hop, HOP_LATE, "listing-late", "older than the allowed lateness", logged,
                        by = logged ? log.append : VTIME_NEVER);
    hop = follow_detour(f, hop, HOP_QUARANTINE, "quarantine", "deletes looked like an accident",
                        logged, by);
    if (!logged) {
        wait_for_log(f, hop);
        return HOP_NONE;
    }
    f->way->end = WAY_VISIBLE;
    hop = add_record(f, HOP_LOG, hop, &log);
    f->way->version = doc_version_pack((uint32_t)log.epoch, log.offset);
    f->way->hops[hop].version = f->way->version;
    int64_t own;
    if (ways_number(f->w, &own,
                    "SELECT 1 FROM w_record WHERE topic = 'listing-log' AND event_id = ? AND"
                    " \"offset\" = ? AND epoch = ? AND origin_topic IS NULL",
                    "tii", f->u->event, log.offset, log.epoch)) {
        /* Nobody sent it on: the router said so itself. */
        f->way->feed_at = log.append;
        add_note(f, hop, ways_text(f->w, "the listing came after it, and it holds for it too"));
    }
    return hop;
}

/* ---- What readers of the search see ---- */

int ways_find_version(struct ways *w, doc_version version) {
    sqlite3_stmt *s =
        ways_ask(w,
                 "SELECT event_id FROM w_record WHERE topic = 'listing-log' AND"
                 " epoch = ? AND \"offset\" = ? LIMIT 1",
                 "ii", (int64_t)doc_version_epoch(version), doc_version_offset(version));
    int found = -1;
    for (int i = 0; s != NULL && i < w->count; i++) {
        const char *event = (const char *)sqlite3_column_text(s, 0);
        if (w->updates[i].event != NULL && event != NULL &&
            strcmp(w->updates[i].event, event) == 0) {
            found = i;
        }
    }
    sqlite3_finalize(s);
    return found;
}

/* How a store came to show the update. */
struct seen {
    bool there;
    vtime at;
    bool present; /* by a row; else since the listing is not found there any more */
    doc_version version;
    int64_t model; /* -1: the store has none */
    char content[24];
};

static void seen_earlier(struct seen *seen, sqlite3_stmt *s, bool present) {
    if (s == NULL) {
        return;
    }
    vtime at = {sqlite3_column_int64(s, 0)};
    if (!seen->there || vtime_before(at, seen->at)) {
        *seen = (struct seen){.there = true,
                              .at = at,
                              .present = present,
                              .version = sqlite3_column_int64(s, 1),
                              .model = -1};
        if (present) {
            seen->model =
                sqlite3_column_type(s, 2) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, 2);
            const char *content = (const char *)sqlite3_column_text(s, 3);
            snprintf(seen->content, sizeof seen->content, "%s", content == NULL ? "" : content);
        }
    }
    sqlite3_finalize(s);
}

/* The column of w_change that says whether a store is to have a row. */
static const char *column_of(enum hop_kind store) {
    return store == HOP_IMAGE ? "image" : store == HOP_FUSED ? "fused" : "text";
}

/*
 * When readers of a store see the update (the rule of sim/oracle_freshness.c): a row of its version
 * or a newer one where the alias leads them, or none any more where the update, or a later one,
 * takes the listing out.
 */
static struct seen seen_in(struct follower *f, enum hop_kind kind, vtime logged) {
    const char *store = hop_kind_name(kind);
    int64_t version = f->way->version;
    char sql[1024];
    struct seen seen = {.there = false};
    seen_earlier(&seen,
                 ways_ask(f->w,
                          "SELECT max(r.from_ns, a.from_ns) AS at, r.version, r.model,"
                          " r.content_hash FROM w_row r JOIN w_alias a ON a.store = r.store AND"
                          " a.model IS r.model AND (r.to_ns IS NULL OR r.to_ns > a.from_ns) AND"
                          " (a.to_ns IS NULL OR a.to_ns > r.from_ns) WHERE r.store = ?1 AND"
                          " r.version >= ?2 AND max(r.from_ns, a.from_ns) >= ?3"
                          " ORDER BY at, r.version LIMIT 1",
                          "tii", store, version, logged.ns),
                 true);
    snprintf(sql, sizeof sql,
             "SELECT g.at_ns, g.version FROM w_gone g JOIN w_alias a ON a.store = g.store AND"
             " a.model IS g.model AND g.at_ns >= a.from_ns AND (a.to_ns IS NULL OR"
             " g.at_ns < a.to_ns) WHERE g.store = ?1 AND g.at_ns >= ?3 AND (g.version >= ?2 OR"
             " (g.version IS NULL AND EXISTS (SELECT 1 FROM w_change c WHERE c.version >= ?2 AND"
             " c.at_ns <= g.at_ns AND c.seen AND NOT c.%s AND c.%s_before)))"
             " ORDER BY g.at_ns LIMIT 1",
             column_of(kind), column_of(kind));
    seen_earlier(&seen, ways_ask(f->w, sql, "tii", store, version, logged.ns), false);
    snprintf(sql, sizeof sql,
             "SELECT c.at_ns, c.version FROM w_change c WHERE c.version >= ?2 AND c.seen AND"
             " NOT c.%s AND c.%s_before AND c.at_ns >= ?3 AND NOT EXISTS (SELECT 1 FROM w_row r"
             " JOIN w_alias a ON a.store = r.store AND a.model IS r.model AND"
             " a.from_ns <= c.at_ns AND (a.to_ns IS NULL OR a.to_ns > c.at_ns) WHERE r.store = ?1"
             " AND r.from_ns <= c.at_ns AND (r.to_ns IS NULL OR r.to_ns > c.at_ns))"
             " ORDER BY c.at_ns LIMIT 1",
             column_of(kind), column_of(kind));
    seen_earlier(&seen, ways_ask(f->w, sql, "tii", store, version, logged.ns), false);
    return seen;
}

static void note_refusals(struct follower *f, int hop, enum hop_kind kind, doc_version to) {
    sqlite3_stmt *s =
        ways_ask(f->w,
                 "SELECT sum(times), reason, count(DISTINCT reason), max(last_at_ns) > ?4 FROM"
                 " w_refused WHERE store = ?1 AND version BETWEEN ?2 AND ?3",
                 "tiii", hop_kind_name(kind), f->way->version, to, f->w->at.ns);
    if (s != NULL && sqlite3_column_int64(s, 0) > 0) {
        const char *reason = (const char *)sqlite3_column_text(s, 1);
        const char *more = sqlite3_column_int(s, 2) > 1 ? " and others" : "";
        int64_t times = sqlite3_column_int64(s, 0);
        add_note(f, hop,
                 sqlite3_column_int(s, 3) == 1
                     ? ways_text(f->w, "the store refuses the write (%s%s)", reason, more)
                     : ways_text(f->w, "the store refused the write %" PRId64 " time%s (%s%s)",
                                 times, times == 1 ? "" : "s", reason, more));
    }
    sqlite3_finalize(s);
}

/* The hops of a call for vectors, once for all modalities that it made. Returns that of its answer.
 */
static int add_call(struct follower *f, int builder, int64_t asked, int64_t returned, bool reused,
                    enum hop_kind kind) {
    struct way *way = f->way;
    for (int i = 0; i < way->count; i++) {
        if (way->hops[i].kind == HOP_MADE && way->hops[i].at.ns == returned &&
            way->hops[way->hops[i].parent].at.ns == asked) {
            int asked_hop = way->hops[i].parent;
            char *both = ways_text(f->w, "%s, %s", way->hops[asked_hop].place, column_of(kind));
            set_place(f, asked_hop, both);
            return i;
        }
    }
    int first = add_hop(f, HOP_ASKED, builder, (vtime){asked});
    set_place(f, first, ways_text(f->w, "%s", column_of(kind)));
    int64_t failed = 0;
    if (ways_number(f->w, &failed,
                    "SELECT count(*) FROM w_embed WHERE asked_at_ns >= ? AND asked_at_ns < ?"
                    " AND status IS NOT 'applied'",
                    "ii", way->hops[builder].at.ns, asked) &&
        failed > 0) {
        add_note(f, first,
                 ways_text(f->w, "%" PRId64 " call%s before it came to nothing", failed,
                           failed == 1 ? "" : "s"));
    }
    int second = add_hop(f, HOP_MADE, first, (vtime){returned});
    set_place(f, second, ways_text(f->w, reused ? "kept from before" : "made by the model"));
    return second;
}

/* Where a vector that readers see came from: the call that made it for this update, or the builder
 * when it was there before. */
static int follow_vector(struct follower *f, int builder, enum hop_kind kind,
                         const struct seen *seen) {
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT asked_at_ns, returned_at_ns, reused FROM w_embed WHERE model = ? AND"
             " %s_hash = ? AND status = 'applied' AND returned_at_ns <= ? AND asked_at_ns >= ?"
             " ORDER BY returned_at_ns DESC LIMIT 1",
             column_of(kind));
    sqlite3_stmt *s = ways_ask(f->w, sql, "itii", seen->model, seen->content, seen->at.ns,
                               f->way->hops[builder].at.ns);
    if (s == NULL) {
        return builder;
    }
    int hop = add_call(f, builder, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                       sqlite3_column_int(s, 2) == 1, kind);
    sqlite3_finalize(s);
    return hop;
}

/* A row that does not show the update yet: does it wait for its vector, or for the store? */
static void wait_for_row(struct follower *f, int builder, enum hop_kind kind, bool removal) {
    int64_t from = f->way->hops[builder].at.ns;
    sqlite3_stmt *s = NULL;
    if (kind != HOP_KEYWORD && !removal) {
        char sql[320];
        snprintf(sql, sizeof sql,
                 "SELECT asked_at_ns, returned_at_ns, reused, status, count(*) OVER () FROM w_embed"
                 " WHERE asked_at_ns >= ? AND %s_hash IS NOT NULL ORDER BY"
                 " status IS NOT 'applied', asked_at_ns DESC LIMIT 1",
                 column_of(kind));
        s = ways_ask(f->w, sql, "i", from);
    }
    int parent = builder;
    if (s != NULL) {
        const char *status = (const char *)sqlite3_column_text(s, 3);
        if (status == NULL || strcmp(status, "applied") != 0) {
            int asked = add_hop(f, HOP_ASKED, builder, (vtime){sqlite3_column_int64(s, 0)});
            set_place(f, asked, ways_text(f->w, "%s", column_of(kind)));
            add_waiting(f, HOP_MADE, asked,
                        status == NULL ? ways_text(f->w, "the embedding service has not answered")
                                       : ways_text(f->w, "asked %d times; the last answer was %s",
                                                   sqlite3_column_int(s, 4), status));
            sqlite3_finalize(s);
            return;
        }
        parent = add_call(f, builder, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                          sqlite3_column_int(s, 2) == 1, kind);
        sqlite3_finalize(s);
    }
    int hop = add_waiting(f, kind, parent, NULL);
    note_refusals(f, hop, kind, INT64_MAX);
    if (f->way->hops[hop].note == NULL) {
        add_note(f, hop, ways_text(f->w, "the builder has not got its write of the row through"));
    }
}

static void follow_row(struct follower *f, int builder, enum hop_kind kind, bool wanted,
                       vtime logged) {
    struct seen seen = seen_in(f, kind, logged);
    if (!seen.there) {
        wait_for_row(f, builder, kind, !wanted);
        return;
    }
    bool early = vtime_before(seen.at, f->way->hops[builder].at);
    int parent = early ? f->way->hops[builder].parent : builder;
    if (seen.present && kind != HOP_KEYWORD && !early) {
        parent = follow_vector(f, builder, kind, &seen);
    }
    int hop = add_hop(f, kind, parent, seen.at);
    f->way->hops[hop].version = seen.version > 0 ? seen.version : -1;
    set_place(f, hop,
              seen.present ? seen.model > 0
                                 ? ways_text(f->w, "readers see it, model %" PRId64, seen.model)
                                 : ways_text(f->w, "readers see it")
                           : ways_text(f->w, "readers find it no more"));
    if (seen.present && parent == builder && kind != HOP_KEYWORD) {
        add_note(f, hop, ways_text(f->w, "the vector was there: its content did not change"));
    }
    if (seen.version > f->way->version) {
        int other = ways_find_version(f->w, seen.version);
        add_note(f, hop,
                 other >= 0 ? ways_text(f->w, "with update %d, which came meanwhile",
                                        f->w->updates[other].number)
                            : ways_text(f->w, "with a later version"));
    }
    note_refusals(f, hop, kind, seen.version > f->way->version ? seen.version : f->way->version);
}

/* Why no row is asked for. */
static void note_unserved(struct follower *f, int hop) {
    sqlite3_stmt *s = ways_ask(f->w, "SELECT alive, policy FROM w_silver WHERE version = ?", "i",
                               (int64_t)f->way->version);
    if (s == NULL) {
        return;
    }
    const char *policy = (const char *)sqlite3_column_text(s, 1);
    add_note(f, hop,
             ways_text(f->w, "%s: no row is wanted where readers search",
                       sqlite3_column_int(s, 0) == 0 ? "the listing is gone"
                       : policy != NULL && strcmp(policy, "suppressed") == 0
                           ? "its seller is suppressed"
                           : "it has no text and no image yet"));
    sqlite3_finalize(s);
}

static void follow_serving(struct follower *f, int log, const struct at_topic *record,
                           const bool wanted[4], const bool before[4]) {
    static const enum hop_kind stores[4] = {HOP_TEXT, HOP_IMAGE, HOP_FUSED, HOP_KEYWORD};
    vtime first = VTIME_NEVER;
    bool any = false;
    for (int i = 0; i < 4; i++) {
        if (wanted[i] || before[i]) {
            struct seen seen = seen_in(f, stores[i], record->append);
            first = seen.there && vtime_before(seen.at, first) ? seen.at : first;
            any = true;
        }
    }
    int builder = add_read(f, HOP_BUILDER, log, "builder%", record->topic, record->partition,
                           record->offset, first);
    if (builder == HOP_NONE) {
        builder = add_read(f, HOP_BUILDER, log, "builder%", record->topic, record->partition,
                           record->offset, VTIME_NEVER);
    }
    if (builder == HOP_NONE) {
        builder = add_waiting(f, HOP_BUILDER, log,
                              say_behind(f, "the builder", "builder%", record->topic,
                                         record->partition, record->offset));
        if (first.ns == VTIME_NEVER.ns) {
            return;
        }
    }
    for (int i = 0; i < 4; i++) {
        if (wanted[i] || before[i]) {
            follow_row(f, builder, stores[i], wanted[i], record->append);
        }
    }
    if (!any) {
        note_unserved(f, builder);
    }
}

/* ---- Warehouse ---- */

/* What was there and was taken out again. */
static void add_removed(struct follower *f, enum hop_kind kind, int parent, vtime at) {
    int hop = add_hop(f, kind, parent, at);
    f->way->hops[hop].status = HOP_STOPPED;
    add_note(f, hop, ways_text(f->w, "kept no more: the listing was erased"));
}

/* A step of the loader: done at the moment that the statement finds, or still to come. Returns the
 * hop to go on from. */
static int add_loaded(struct follower *f, enum hop_kind kind, int parent, bool there, int64_t at_ns,
                      char *place) {
    vtime at;
    if (there) {
        int hop = add_hop(f, kind, parent, (vtime){at_ns});
        set_place(f, hop, place);
        return hop;
    }
    free(place);
    if (f->u->event != NULL && erased(f, &at)) {
        add_removed(f, kind, parent, vtime_max(at, f->way->hops[parent].at));
    } else {
        add_waiting(f, kind, parent, ways_text(f->w, "the loader has it; the warehouse has not"));
    }
    return parent;
}

static int follow_bronze(struct follower *f, int from, const struct at_topic *record) {
    int64_t at_ns = 0;
    bool there =
        ways_number(f->w, &at_ns,
                    "SELECT at_ns FROM w_bronze WHERE topic = ? AND partition = ? AND"
                    " \"offset\" = ? AND epoch = ?",
                    "tiii", record->topic, record->partition, record->offset, record->epoch);
    int loader = add_read(f, HOP_LOADER, from, "loader%", record->topic, record->partition,
                          record->offset, there ? (vtime){at_ns} : VTIME_NEVER);
    if (loader == HOP_NONE && !there) {
        add_waiting(f, HOP_LOADER, from,
                    say_behind(f, "the loader", "loader%", record->topic, record->partition,
                               record->offset));
        return HOP_NONE;
    }
    loader = loader == HOP_NONE ? from : loader;
    return add_loaded(f, HOP_BRONZE, loader, there, at_ns,
                      ways_text(f->w, "%s %" PRId64 ":%" PRId64, record->topic, record->partition,
                                record->offset));
}

static void follow_warehouse(struct follower *f, int log, const struct at_topic *record,
                             bool changed) {
    int bronze = follow_bronze(f, log, record);
    if (bronze == HOP_NONE || !changed) {
        return;
    }
    int64_t at_ns = 0;
    sqlite3_stmt *s = ways_ask(f->w,
                               "SELECT at_ns, valid_from_ns, alive FROM w_silver"
                               " WHERE version = ?",
                               "i", (int64_t)f->way->version);
    bool there = s != NULL;
    at_ns = there ? sqlite3_column_int64(s, 0) : 0;
    bool alive = there && sqlite3_column_int(s, 2) == 1;
    sqlite3_finalize(s);
    int silver = add_loaded(
        f, HOP_SILVER, bronze, there, at_ns,
        ways_text(f->w, "version %" PRId64 "%s", (int64_t)f->way->version, alive ? "" : ", gone"));
    s = ways_ask(f->w,
                 "SELECT at_ns, version FROM w_gold WHERE version >= ? ORDER BY at_ns LIMIT 1", "i",
                 (int64_t)f->way->version);
    there = s != NULL;
    at_ns = there ? sqlite3_column_int64(s, 0) : 0;
    doc_version version = there ? sqlite3_column_int64(s, 1) : 0;
    sqlite3_finalize(s);
    int gold = add_loaded(f, HOP_GOLD, silver, there, at_ns,
                          ways_text(f->w, "document, version %" PRId64, (int64_t)version));
    if (there && version > f->way->version) {
        add_note(f, gold, ways_text(f->w, "with a later version"));
    }
}

/* The first state of a bucket of sales that was recorded at or behind a moment. */
static bool sales_at(struct follower *f, const char *table, const char *category, int64_t hour_ns,
                     vtime from, int64_t *at_ns) {
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT min(recorded_from_ns) FROM main.%s WHERE category IS ? AND hour_ns = ? AND"
             " recorded_from_ns BETWEEN ? AND ?",
             table);
    return ways_number(f->w, at_ns, sql, "tiii", category, hour_ns, from.ns, f->w->at.ns);
}

/* Gold counts the order with the load that brings it; the dashboard shows it at its next refresh.
 */
static void follow_sales(struct follower *f, int silver, const char *category, int64_t hour_ns) {
    char hour[MOMENT_TEXT_MAX];
    int64_t at_ns = 0;
    int from = silver;
    moment_format((vtime){hour_ns}, hour);
    if (sales_at(f, "gold_sales", category, hour_ns, f->way->hops[silver].at, &at_ns)) {
        from = add_hop(f, HOP_GOLD, silver, (vtime){at_ns});
        set_place(f, from, ways_text(f->w, "sales of the hour %.2sh", hour + 11));
    }
    bool shown = sales_at(f, "dashboard_sales", category, hour_ns, f->way->hops[silver].at, &at_ns);
    int hop = shown ? add_hop(f, HOP_DASHBOARD, from, (vtime){at_ns})
                    : add_waiting(f, HOP_DASHBOARD, from,
                                  ways_text(f->w, "the view is brought up to date now and then"));
    set_place(f, hop, ways_text(f->w, "%s", category == NULL ? "no category" : category));
}

static void follow_order(struct follower *f, int feed, const struct at_topic *record) {
    f->way->end = WAY_VISIBLE;
    int bronze = follow_bronze(f, feed, record);
    if (bronze == HOP_NONE) {
        return;
    }
    sqlite3_stmt *s = ways_ask(f->w,
                               "SELECT at_ns, order_id, category, hour_ns FROM w_order"
                               " WHERE event_id = ?",
                               "t", f->u->event);
    if (s == NULL) {
        add_waiting(f, HOP_SILVER, bronze, ways_text(f->w, "the warehouse has no row of it"));
        return;
    }
    int silver = add_hop(f, HOP_SILVER, bronze, (vtime){sqlite3_column_int64(s, 0)});
    set_place(f, silver, ways_text(f->w, "order %" PRIu64, (uint64_t)sqlite3_column_int64(s, 1)));
    follow_sales(f, silver, (const char *)sqlite3_column_text(s, 2), sqlite3_column_int64(s, 3));
    sqlite3_finalize(s);
}

/* ---- Behind the listing log ---- */

/* Why the update makes no difference to readers. */
static char *say_no_change(struct follower *f) {
    int64_t place = 0;
    ways_number(f->w, &place,
                "SELECT min(place) FROM w_record WHERE topic = 'listing-log' AND event_id = ?", "t",
                f->u->event);
    int64_t stands;
    if (ways_number(f->w, &stands,
                    "SELECT \"offset\" FROM w_record WHERE topic = 'listing-log' AND type = ? AND"
                    " place < ? AND event_at_ns > ? AND image_id IS (SELECT image_id FROM w_record"
                    " WHERE place = ?) ORDER BY event_at_ns DESC LIMIT 1",
                    "tiii", f->u->type, place, f->u->event_at.ns, place)) {
        return ways_text(f->w,
                         "nothing that readers see changed: a later word (listing-log offset "
                         "%" PRId64 ") had come before it",
                         stands);
    }
    int64_t known;
    if (strcmp(f->u->type, "media") == 0 &&
        !ways_number(f->w, &known,
                     "SELECT 1 FROM w_record WHERE topic = 'listing-log' AND type = 'listing' AND"
                     " place < ? LIMIT 1",
                     "i", place)) {
        return ways_text(f->w, "the image waits for a listing that names it");
    }
    return ways_text(f->w, "nothing that readers see changed: it says what was known, or concerns "
                           "what is not shown");
}

static void follow_certificate(struct follower *f, int log) {
    struct at_topic record;
    if (find_record(f, "erasure-certificates", &record)) {
        int hop = add_record(f, HOP_CERTIFICATE, log, &record);
        add_note(f, hop, ways_text(f->w, "every place was looked at and holds nothing of it"));
    } else {
        add_waiting(f, HOP_CERTIFICATE, log,
                    ways_text(f->w, "some place still holds something of it; the time allowed is "
                                    "72 h"));
    }
}

static void follow_logged(struct follower *f, int log, const struct at_topic *record) {
    sqlite3_stmt *s = ways_ask(f->w,
                               "SELECT seen, text, image, fused, text_before, image_before,"
                               " fused_before FROM w_change WHERE version = ?",
                               "i", (int64_t)f->way->version);
    bool changed = s != NULL && sqlite3_column_int(s, 0) == 1;
    bool wanted[4] = {false}, before[4] = {false};
    for (int i = 0; changed && i < 3; i++) {
        wanted[i] = sqlite3_column_int(s, 1 + i) == 1;
        before[i] = sqlite3_column_int(s, 4 + i) == 1;
    }
    sqlite3_finalize(s);
    wanted[3] = wanted[0];
    before[3] = before[0];
    if (!changed) {
        f->way->end = WAY_NO_CHANGE;
        add_note(f, log, say_no_change(f));
    }
    follow_serving(f, log, record, wanted, before);
    follow_warehouse(f, log, record, changed);
    if (strcmp(f->u->type, "erasure") == 0) {
        follow_certificate(f, log);
    }
}

/* Bytes that are no record, of which there is no dead letter: not yet, or not any more. */
static void follow_unreadable(struct follower *f, int feed, const struct at_topic *record) {
    bool order = strcmp(record->topic, "orders") == 0;
    const char *machine = order ? "loader%" : "router%";
    enum hop_kind kind = order ? HOP_LOADER : HOP_ROUTER;
    int hop = add_read(f, kind, feed, machine, record->topic, record->partition, record->offset,
                       VTIME_NEVER);
    if (hop == HOP_NONE) {
        add_waiting(f, kind, feed,
                    say_behind(f, order ? "the loader" : "the router", machine, record->topic,
                               record->partition, record->offset));
        return;
    }
    hop = add_hop(f, HOP_LETTER, hop, f->way->hops[hop].at);
    f->way->hops[hop].status = HOP_STOPPED;
    add_note(f, hop,
             ways_text(f->w, "refused: the bytes are no record; its letter is not out yet, "
                             "or went with an erasure"));
    f->way->end = WAY_REFUSED;
}

/* ---- The whole way ---- */

/* The hop is to come at once after the one before: it waits for no operator and no interval. */
static bool takes_time(const struct way *way, const struct hop *hop) {
    if (hop->parent == HOP_NONE || hop->status == HOP_STOPPED) {
        return false;
    }
    enum hop_kind before = way->hops[hop->parent].kind;
    return hop->kind != HOP_COMMIT && hop->kind != HOP_AGAIN && hop->kind != HOP_DASHBOARD &&
           hop->kind != HOP_CERTIFICATE && before != HOP_LATE && before != HOP_QUARANTINE;
}

/* What it came to, from its hops; and why slow ones were slow. */
static void conclude(struct follower *f) {
    struct way *way = f->way;
    int at_feed = way_find(way, HOP_FEED);
    const char *feed = at_feed == HOP_NONE ? "" : way->hops[at_feed].topic;
    for (int i = 0; i < way->count && !f->w->failed; i++) {
        struct hop *hop = &way->hops[i];
        bool waits = hop->status == HOP_WAITING;
        vtime to = waits ? f->w->at : hop->at;
        if (waits && way->end != WAY_HELD && way->end != WAY_NO_CHANGE) {
            way->end = WAY_UNDER_WAY;
        }
        if (hop->status == HOP_DONE && !vtime_before(hop->at, way->done_at)) {
            way->done_at = hop->at;
        }
        if (takes_time(way, hop) &&
            (waits || vtime_diff(to, way->hops[hop->parent].at) >= SLOW_NS)) {
            add_note(f, i, ways_faults(f->w, hop->kind, feed, way->hops[hop->parent].at, to));
        }
    }
}

int ways_follow(struct ways *w, int i, struct way *way) {
    assert(i >= 0 && i < w->count);
    struct follower f = {.w = w, .way = way, .u = &w->updates[i]};
    *way = (struct way){.update = w->updates[i],
                        .end = WAY_UNDER_WAY,
                        .feed_at = VTIME_NEVER,
                        .done_at = {INT64_MIN}};
    struct at_topic record;
    int feed = follow_source(&f, &record);
    if (feed != HOP_NONE && strcmp(f.u->type, "order") == 0) {
        follow_order(&f, feed, &record);
    } else if (feed != HOP_NONE && f.u->event != NULL) {
        int log = follow_router(&f, feed, &record);
        if (log != HOP_NONE && find_record(&f, "listing-log", &record)) {
            follow_logged(&f, log, &record);
        }
    } else if (feed != HOP_NONE) {
        follow_unreadable(&f, feed, &record);
    }
    conclude(&f);
    return w->failed ? w->status : 0;
}

void way_release(struct way *way) {
    for (int i = 0; i < way->count; i++) {
        free(way->hops[i].place);
        free(way->hops[i].note);
    }
    way->count = 0;
}

int64_t way_lag_ns(const struct way *way, int hop) {
    int parent = way->hops[hop].parent;
    return parent == HOP_NONE ? 0 : vtime_diff(way->hops[hop].at, way->hops[parent].at);
}

int64_t way_total_ns(const struct way *way, int hop) {
    return vtime_diff(way->hops[hop].at, way->hops[0].at);
}

int way_find(const struct way *way, enum hop_kind kind) {
    for (int i = 0; i < way->count; i++) {
        if (way->hops[i].kind == kind) {
            return i;
        }
    }
    return HOP_NONE;
}

/* ---- Names ---- */

const char *hop_kind_name(enum hop_kind kind) {
    static const char *const names[HOP_KIND_COUNT] = {
#define HOP_NAME(identifier, name, label) name,
        HOPS(HOP_NAME)
#undef HOP_NAME
    };
    return names[kind];
}

const char *hop_kind_label(enum hop_kind kind) {
    static const char *const labels[HOP_KIND_COUNT] = {
#define HOP_LABEL(identifier, name, label) label,
        HOPS(HOP_LABEL)
#undef HOP_LABEL
    };
    return labels[kind];
}

const char *hop_status_name(enum hop_status status) {
    static const char *const names[] = {
        [HOP_DONE] = "done", [HOP_WAITING] = "waiting", [HOP_STOPPED] = "stopped"};
    return names[status];
}

const char *way_end_name(enum way_end end) {
    static const char *const names[] = {
        [WAY_VISIBLE] = "visible",     [WAY_UNDER_WAY] = "under-way", [WAY_NO_CHANGE] = "no-change",
        [WAY_REFUSED] = "dead-letter", [WAY_HELD] = "held",           [WAY_DROPPED] = "dropped",
    };
    return names[end];
}
