/*
 * Which faults struck where a hop is carried out, while an update waited there.
 */
#include <stdio.h>
#include <string.h>

#include "cli/moment.h"
#include "cli/way_parts.h"

/* A second fault is named only if its stretch is that much like the wait. */
#define LIKENESS_MIN 0.02

/* What a hop leans on besides its feed, as the subjects of faults name it; NULL: nothing that a
 * fault strikes. */
static const char *subjects_of(enum hop_kind kind) {
    switch (kind) {
    case HOP_OUTBOX:
        return "'oltp'";
    case HOP_RELAY:
        return "'relay', 'oltp', 'state'";
    case HOP_FEED:
    case HOP_AGAIN:
        return "'log'";
    case HOP_ROUTER:
        return "'router', 'log', 'state'";
    case HOP_LOG:
        return "'router', 'listing-log', 'log'";
    case HOP_BUILDER:
        return "'builder', 'listing-log', 'log', 'state'";
    case HOP_ASKED:
    case HOP_MADE:
        return "'builder', 'embedding', 'vectors', 'objects'";
    case HOP_TEXT:
    case HOP_IMAGE:
    case HOP_FUSED:
        return "'builder', 'vectors', 'embedding'";
    case HOP_KEYWORD:
        return "'builder', 'keywords'";
    case HOP_LOADER:
        return "'loader', 'listing-log', 'log', 'state'";
    case HOP_BRONZE:
    case HOP_SILVER:
    case HOP_GOLD:
    case HOP_DASHBOARD:
        return "'loader', 'warehouse'";
    default:
        return NULL;
    }
}

static bool reads_feed(enum hop_kind kind) {
    return kind == HOP_FEED || kind == HOP_AGAIN || kind == HOP_ROUTER;
}

static void clock_of(const struct ways *w, int64_t at_ns, char *text, size_t size) {
    int64_t since_ns = at_ns - w->stores->start.ns;
    snprintf(text, size, "T+%02lld:%02lld:%02lld", (long long)(since_ns / VTIME_HOUR),
             (long long)(since_ns / VTIME_MINUTE % 60), (long long)(since_ns / VTIME_SECOND % 60));
}

/*
 * Those first whose stretch of time is most like that of the wait (what both share, as part of what
 * either covers): what strikes all day explains less. Faults that repeat records hold nothing up,
 * and those that delay them strike before the feed. What the moment does not know is not told.
 */
char *ways_faults(struct ways *w, enum hop_kind kind, const char *topic, vtime from, vtime to) {
    const char *subjects = subjects_of(kind);
    char sql[800];
    if (subjects == NULL) {
        return NULL;
    }
    snprintf(sql, sizeof sql,
             "SELECT kind, subject, began, ended, ended > ?3, (min(ended, ?1, ?3) - max(began, ?2))"
             " * 1.0 / (max(min(ended, ?3), ?1) - min(began, ?2) + 1) AS likeness FROM"
             " (SELECT kind, subject, from_ns AS began, to_ns AS ended FROM main.fault_band WHERE"
             " subject IN (%s, ?4) AND from_ns <= ?1 AND to_ns >= ?2 AND from_ns <= ?3 AND"
             " kind NOT IN ('duplicate-records', 'stale-write'%s))"
             " ORDER BY likeness DESC, began LIMIT 2",
             subjects, kind == HOP_FEED ? "" : ", 'late-records'");
    sqlite3_stmt *s =
        ways_ask(w, sql, "iiit", to.ns, from.ns, w->at.ns, reads_feed(kind) ? topic : NULL);
    char text[320] = "";
    size_t used = 0;
    for (bool more = s != NULL; more && used < sizeof text; more = ways_next(w, s)) {
        char began[32], ended[32];
        clock_of(w, sqlite3_column_int64(s, 2), began, sizeof began);
        clock_of(w, sqlite3_column_int64(s, 3), ended, sizeof ended);
        char span[80];
        bool goes_on = sqlite3_column_int(s, 4) == 1;
        if (goes_on) {
            snprintf(span, sizeof span, "since %s", began);
        } else {
            snprintf(span, sizeof span, "%s to %s", began, ended);
        }
        if (used > 0 && sqlite3_column_double(s, 5) < LIKENESS_MIN) {
            break;
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s on %s (%s)",
                                 used == 0 ? "" : ", ", (const char *)sqlite3_column_text(s, 0),
                                 (const char *)sqlite3_column_text(s, 1), span);
    }
    sqlite3_finalize(s);
    return used == 0 ? NULL : ways_text(w, "meanwhile faults struck: %s", text);
}
