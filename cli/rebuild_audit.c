/*
 * murphy rebuild --from audit: verifies the audit streams of a finished run, replays them, and
 * holds the read model that comes of it against the live one (B8).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "cli/moment.h"
#include "cli/murphy.h"
#include "cli/rebuild.h"
#include "cli/run_stores.h"
#include "sim/audit_replay.h"
#include "sim/sqlite_host.h"

struct audit_shown {
    const struct rebuild_arguments *a;
    json_t *bad, *differences; /* NULL: they are printed */
    uint64_t shown, kept_back;
    bool no_memory;
};

/* ---- Findings ---- */

static bool room(struct audit_shown *s) {
    bool more = s->shown < s->a->limit;
    s->shown += more;
    s->kept_back += !more;
    return more;
}

static int keep(struct audit_shown *s, json_t *list, json_t *item) {
    s->no_memory = item == NULL || json_array_append_new(list, item) != 0;
    return s->no_memory;
}

static int show_bad(void *ctx, uint64_t listing_id, uint64_t sequence, const char *sentence) {
    struct audit_shown *s = ctx;
    if (!room(s)) {
        return 0;
    }
    if (s->bad != NULL) {
        return keep(s, s->bad,
                    json_pack("{s:I, s:I, s:s}", "listing_id", (json_int_t)listing_id, "sequence",
                              (json_int_t)sequence, "what", sentence));
    }
    printf("listing %" PRIu64 ": %s\n", listing_id, sentence);
    return 0;
}

static int show_different(void *ctx, enum rebuilt_layer layer, const struct table_difference *d) {
    struct audit_shown *s = ctx;
    (void)layer;
    if (!room(s)) {
        return 0;
    }
    if (s->differences != NULL) {
        return keep(s, s->differences,
                    json_pack("{s:s, s:s, s:s?, s:s, s:s}", "table", d->table, "key", d->key,
                              "column", d->column, "stored", d->stored, "replayed", d->rebuilt));
    }
    printf("%s of %s: %s: stored %s, replayed %s\n", d->column == NULL ? "a row" : d->column,
           d->table, d->key, d->stored, d->rebuilt);
    return 0;
}

/* ---- The anchor ---- */

/* The root in the run.json beside the stores; *found false when there is none. */
static int read_anchor(const struct run_stores *run, struct sha256 *anchor, bool *found) {
    struct stat info;
    char path[4096];
    const char *slash = strrchr(run->run, '/');
    int folder = slash == NULL ? 0 : (int)(slash - run->run) + 1;
    *found = false;
    if (stat(run->run, &info) == 0 && S_ISDIR(info.st_mode)) {
        snprintf(path, sizeof path, "%s/run.json", run->run);
    } else {
        snprintf(path, sizeof path, "%.*srun.json", folder, run->run);
    }
    if (stat(path, &info) != 0) {
        return 0;
    }
    json_error_t error;
    json_t *summary = json_load_file(path, 0, &error);
    if (summary == NULL) {
        return run_stores_complain(run, EXIT_INPUT, "%s:%d:%d: %s", path, error.line, error.column,
                                   error.text);
    }
    const char *root =
        json_string_value(json_object_get(json_object_get(summary, "audit"), "root"));
    *found = root != NULL && sha256_parse(root, strlen(root), anchor) == 0;
    json_decref(summary);
    return *found ? 0
                  : run_stores_complain(run, EXIT_INPUT,
                                        "%s: tells no root of the audit streams (audit.root, 64 "
                                        "hexadecimal digits)",
                                        path);
}

/* ---- One stream ---- */

static int show_stream(const struct run_stores *run, uint64_t listing_id) {
    static const char sql[] =
        "SELECT sequence, version, event_at_ns, event_id, type, visible, digest FROM audit_event"
        " WHERE listing_id = ? ORDER BY sequence, version";
    sqlite3_stmt *s = NULL;
    if (sqlite_host_prepare(run->db, sql, &s) != SQLITE_OK) {
        return run_stores_complain(run, EXIT_INPUT, "%s: %s", run->run, sqlite3_errmsg(run->db));
    }
    sqlite3_bind_int64(s, 1, (int64_t)listing_id);
    bool first = true;
    while (sqlite3_step(s) == SQLITE_ROW) {
        if (first) {
            printf("%5s  %-30s  %-36s  %-9s %-7s  %s\n", "event", "at", "id", "type", "visible",
                   "digest");
            first = false;
        }
        char at[MOMENT_TEXT_MAX];
        moment_format((vtime){sqlite3_column_int64(s, 2)}, at);
        const char *id = (const char *)sqlite3_column_text(s, 3);
        const char *type = (const char *)sqlite3_column_text(s, 4);
        const char *digest = (const char *)sqlite3_column_text(s, 6);
        printf("%5" PRId64 "  %-30s  %-36s  %-9s %-7s  %.16s...\n",
               (int64_t)sqlite3_column_int64(s, 0), at, id == NULL ? "" : id,
               type == NULL ? "" : type, sqlite3_column_int64(s, 5) == 1 ? "yes" : "no",
               digest == NULL ? "" : digest);
    }
    sqlite3_finalize(s);
    if (!first) {
        putchar('\n');
    }
    return 0;
}

/* ---- The result ---- */

static bool held(const struct rebuild_arguments *a, const struct audit_replay_report *report,
                 bool anchor) {
    const struct table_counts *gold = &report->gold;
    return report->bad + gold->different + gold->missing + gold->extra == 0 &&
           (!anchor || a->has_listing || report->anchored);
}

static void show_text(const struct rebuild_arguments *a, const struct audit_replay_report *report,
                      const struct audit_shown *s, bool anchor) {
    const struct table_counts *gold = &report->gold;
    char root[SHA256_TEXT];
    sha256_text(&report->root, root);
    if (s->kept_back > 0) {
        printf("and %" PRIu64 " more\n", s->kept_back);
    }
    if (s->shown + s->kept_back > 0) {
        putchar('\n');
    }
    printf("%" PRIu64 " events of %" PRIu64 " listings; the records of %" PRIu64
           " were erased, those of %" PRIu64 " have expired.\n",
           report->events, report->listings, report->erased, report->expired);
    if (report->beside > 0) {
        printf("%" PRIu64 " events lead to ends that the log took back, when a leader lost records."
               "\n",
               report->beside);
    }
    printf("The read model by replay: %" PRIu64 " rows of gold_document compared, %" PRIu64
           " equal, %" PRIu64 " not.\n",
           gold->equal + gold->different, gold->equal,
           gold->different + gold->missing + gold->extra);
    if (!a->has_listing) {
        printf("Root of all streams: %s, %s.\n", root,
               !anchor            ? "anchored nowhere: there is no run.json beside the stores"
               : report->anchored ? "as run.json anchors it"
                                  : "NOT the one that run.json anchors");
    }
    bool streams_hold = report->bad == 0 && (!anchor || a->has_listing || report->anchored);
    puts(held(a, report, anchor)
             ? "VERIFIED: each event follows from the one before it, and replayed they are what "
               "is live."
         : streams_hold ? "TAMPERED: the streams hold, and gold is not what they make."
                        : "TAMPERED: the streams are not what the pipeline wrote.");
}

static int show_json(const struct rebuild_arguments *a, const struct audit_replay_report *report,
                     const struct audit_shown *s, bool anchor) {
    const struct table_counts *gold = &report->gold;
    char root[SHA256_TEXT];
    sha256_text(&report->root, root);
    json_t *all = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I}, s:s, s:o, s:O, s:O, s:I}",
        "run", a->run, "from", a->from, "verdict",
        held(a, report, anchor) ? "verified" : "tampered", "listings", (json_int_t)report->listings,
        "events", (json_int_t)report->events, "erased", (json_int_t)report->erased, "expired",
        (json_int_t)report->expired, "taken_back", (json_int_t)report->beside, "model", "compared",
        (json_int_t)(gold->equal + gold->different), "equal", (json_int_t)gold->equal, "different",
        (json_int_t)(gold->different + gold->missing + gold->extra), "root", root, "anchored",
        anchor && !a->has_listing ? json_boolean(report->anchored) : json_null(), "bad", s->bad,
        "differences", s->differences, "not_shown", (json_int_t)s->kept_back);
    int failed = all == NULL || json_dumpf(all, stdout, JSON_INDENT(2)) != 0;
    json_decref(all);
    putchar('\n');
    return failed;
}

/* ---- The command ---- */

static int verify(struct run_stores *run, const struct rebuild_arguments *a, struct audit_shown *s,
                  const struct sha256 *anchor) {
    struct audit_replay_report report;
    struct audit_replay_options options = {.listing = a->has_listing ? &a->listing : NULL,
                                           .anchor = anchor,
                                           .start = run->start,
                                           .warehouse_from = run->warehouse_from,
                                           .bad = show_bad,
                                           .different = show_different,
                                           .ctx = s};
    switch (audit_replay(run->db, &options, &report)) {
    case REBUILT_BAD_RUN:
        return run_stores_complain(run, EXIT_INPUT, "%s: %s", a->run, sqlite3_errmsg(run->db));
    case REBUILT_NO_MEMORY:
    case REBUILT_STOPPED:
        return run_stores_complain(run, EXIT_INTERNAL, "no memory");
    case REBUILT_DONE:
        break;
    }
    if (a->has_listing && report.listings == 0 && report.bad == 0) {
        return run_stores_complain(run, EXIT_USAGE, "%s: no listing %" PRIu64 " has an event",
                                   a->run, a->listing);
    }
    if (a->json && show_json(a, &report, s, anchor != NULL) != 0) {
        return run_stores_complain(run, EXIT_INTERNAL, "no memory");
    }
    if (!a->json) {
        show_text(a, &report, s, anchor != NULL);
    }
    return held(a, &report, anchor != NULL) ? EXIT_HELD : EXIT_CHECK_FAILED;
}

int rebuild_from_audit(const struct rebuild_arguments *a) {
    struct run_stores run;
    struct audit_shown s = {.a = a};
    struct sha256 anchor;
    bool anchored = false;
    vtime at;
    int status = run_stores_open(&run, "rebuild", a->run);
    status = status == 0 ? run_stores_as_of(&run, NULL, &at) : status;
    status = status == 0 ? read_anchor(&run, &anchor, &anchored) : status;
    if (status == 0 && a->json) {
        s.bad = json_array();
        s.differences = json_array();
        bool made = s.bad != NULL && s.differences != NULL;
        status = made ? 0 : run_stores_complain(&run, EXIT_INTERNAL, "no memory");
    }
    if (status == 0 && a->has_listing && !a->json) {
        status = show_stream(&run, a->listing);
    }
    if (status == 0) {
        status = verify(&run, a, &s, anchored ? &anchor : NULL);
    }
    json_decref(s.bad);
    json_decref(s.differences);
    run_stores_close(&run);
    return status;
}
