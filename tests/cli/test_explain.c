/*
 * `murphy explain RUN --listing ID` (B3): what it says of an update is what the oracle measured,
 * its lags add up, and for one that did not arrive it says where it is and why.
 *
 * The program is taken from $MURPHY, or from where `make` puts it beside this test.
 */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "pipeline/vtime.h"
#include "reports/unicode.h"
#include "sim/sqlite_host.h"

static char folder[] = "/tmp/murphy-explain-XXXXXX";
static char program[4096];
static char output[1 << 20], errors[4096];

/* ---- Running ---- */

static void read_file(const char *name, char *out, size_t size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t len = fread(out, 1, size - 1, f);
    out[len] = '\0';
    fclose(f);
}

/* Runs `murphy ARGUMENTS` in the folder of the runs; its exit status. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
static int
murphy(const char *format, ...) {
    char arguments[2048], command[16384];
    va_list values;
    va_start(values, format);
    vsnprintf(arguments, sizeof arguments, format, values);
    va_end(values);
    snprintf(command, sizeof command, "cd '%s' && '%s' %s >out 2>err </dev/null", folder, program,
             arguments);
    int status = system(command);
    read_file("out", output, sizeof output);
    read_file("err", errors, sizeof errors);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static sqlite3 *open_run(const char *run) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/stores.db", folder, run);
    sqlite3 *db;
    assert_int_equal(sqlite_host_open(&db, SQLITE_HOST_READ, path), SQLITE_OK);
    return db;
}

/* Up to two numbers of the first row that the run answers. */
static void ask(const char *run, const char *sql, int64_t *first, int64_t *second) {
    sqlite3 *db = open_run(run);
    sqlite3_stmt *s;
    assert_int_equal(sqlite_host_prepare(db, sql, &s), SQLITE_OK);
    if (sqlite3_step(s) != SQLITE_ROW) {
        fail_msg("%s: nothing to be found by %s", run, sql);
    }
    *first = sqlite3_column_int64(s, 0);
    if (second != NULL) {
        *second = sqlite3_column_int64(s, 1);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
}

static int64_t start_of(const char *run) {
    int64_t start;
    ask(run, "SELECT start_at_ns FROM run_info", &start, NULL);
    return start;
}

/* What explain says in JSON; NULL for `update` or `at_ns` 0: not given. */
static json_t *explain(const char *run, int64_t listing, const char *update, int64_t at_ns) {
    char chosen[80] = "", moment[80] = "";
    if (update != NULL) {
        snprintf(chosen, sizeof chosen, "--update %s", update);
    }
    if (at_ns != 0) {
        snprintf(moment, sizeof moment, "--at +%lldns", (long long)(at_ns - start_of(run)));
    }
    int status =
        murphy("explain %s --listing %lld --json %s %s", run, (long long)listing, chosen, moment);
    if (status != 0) {
        fail_msg("listing %lld of %s: status %d: %s", (long long)listing, run, status, errors);
    }
    assert_string_equal(errors, "");
    json_error_t error;
    json_t *root = json_loads(output, 0, &error);
    if (root == NULL) {
        fail_msg("line %d: %s", error.line, error.text);
    }
    return root;
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static int64_t number_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static json_t *update_of(const json_t *root) {
    return json_object_get(root, "update");
}

/* The chosen update's first hop of that name, or NULL. */
static json_t *hop_of(const json_t *root, const char *name) {
    json_t *hops = json_object_get(update_of(root), "hops");
    for (size_t i = 0; i < json_array_size(hops); i++) {
        if (strcmp(text_of(json_array_get(hops, i), "hop"), name) == 0) {
            return json_array_get(hops, i);
        }
    }
    return NULL;
}

static void play(const char *scenario, const char *settings, const char *run) {
    /* Whether it passes is nothing to explain. */
    assert_true(murphy("run %s --seed 1 %s --out %s", scenario, settings, run) <= 2);
}

static int set_up(void **state) {
    (void)state;
    const char *named = getenv("MURPHY");
    if (named != NULL) {
        assert_non_null(realpath(named, program));
    } else {
        char self[2048];
        ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
        assert_true(len > 0);
        self[len] = '\0';
        for (int i = 0; i < 3; i++) {
            *strrchr(self, '/') = '\0';
        }
        snprintf(program, sizeof program, "%s/murphy", self);
    }
    assert_non_null(mkdtemp(folder));
    play("bad-day", "", "bad-day");
    play("upgrade-under-load", "", "upgrade-under-load");
    play("registry-breaking", "", "registry-breaking");
    play("quality-mass-delete", "", "quality-mass-delete");
    play("erasure-listing", "", "erasure-listing");
    play("kafka-truncation-reconciled", "", "cut");
    play("quality-mass-delete-discarded", "", "discarded");
    play("late-two-hours", "--set pipeline.allowed_lateness=1h", "late");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char command[4096];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* ---- What the oracle measured ---- */

static json_t *update_at_version(const json_t *updates, int64_t version) {
    for (size_t i = 0; i < json_array_size(updates); i++) {
        json_t *update = json_array_get(updates, i);
        if (number_of(update, "version") == version) {
            return update;
        }
    }
    return NULL;
}

/* Each sample of the listing is an update's, to the nanosecond. Returns how many there were. */
static size_t compare_samples(const char *run, int64_t listing) {
    json_t *root = explain(run, listing, NULL, 0);
    json_t *updates = json_object_get(root, "updates");
    sqlite3 *db = open_run(run);
    sqlite3_stmt *s;
    assert_int_equal(sqlite_host_prepare(db,
                                         "SELECT version, store, log_at_ns, visible_at_ns FROM"
                                         " freshness_sample WHERE listing_id = ?",
                                         &s),
                     SQLITE_OK);
    sqlite3_bind_int64(s, 1, listing);
    size_t count = 0;
    for (; sqlite3_step(s) == SQLITE_ROW; count++) {
        int64_t version = sqlite3_column_int64(s, 0);
        const char *store = (const char *)sqlite3_column_text(s, 1);
        json_t *update = update_at_version(updates, version);
        int64_t visible = number_of(json_object_get(update, "visible_at_ns"), store);
        if (update == NULL || number_of(update, "feed_at_ns") != sqlite3_column_int64(s, 2) ||
            visible != sqlite3_column_int64(s, 3)) {
            fail_msg("%s, listing %lld, version %lld, %s: visible at %lld, the oracle says %lld",
                     run, (long long)listing, (long long)version, store, (long long)visible,
                     (long long)sqlite3_column_int64(s, 3));
        }
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    json_decref(root);
    return count;
}

/* When readers of a store see an update is what the oracle heard when it happened: in outages,
 * across a change of the model, behind dead letters, in quarantine, before and after an erasure. */
static void visible_when_the_oracle_says(void **state) {
    (void)state;
    static const char *const runs[] = {"bad-day",           "upgrade-under-load",
                                       "registry-breaking", "quality-mass-delete",
                                       "erasure-listing",   "late"};
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        size_t compared = 0;
        for (int i = 0; i < 6; i++) {
            char sql[200];
            int64_t listing;
            snprintf(sql, sizeof sql,
                     "SELECT listing_id FROM freshness_sample GROUP BY 1 ORDER BY"
                     " count(*) DESC, listing_id LIMIT 1 OFFSET %d",
                     i * i * 2);
            ask(runs[r], sql, &listing, NULL);
            compared += compare_samples(runs[r], listing);
        }
        assert_true(compared > 100);
    }
}

/* ---- Hops ---- */

/* Back to the first hop the lags add up to what is said in all; none is negative. Returns false
 * when some hop waits. */
static void add_up(const json_t *root) {
    const json_t *update = update_of(root);
    json_t *hops = json_object_get(update, "hops");
    assert_true(json_array_size(hops) > 0);
    for (size_t i = 0; i < json_array_size(hops); i++) {
        int64_t sum = 0;
        json_t *hop = json_array_get(hops, i);
        if (strcmp(text_of(hop, "status"), "waiting") == 0) {
            continue;
        }
        for (json_t *at = hop;;) {
            json_t *after = json_object_get(at, "after");
            bool first = strcmp(text_of(at, "hop"), "oltp") == 0 || json_is_null(after);
            if (number_of(at, "lag_ns") < 0 && !first) {
                fail_msg("update %lld: %s is %lld ns before the hop before it",
                         (long long)number_of(update, "number"), text_of(at, "hop"),
                         (long long)number_of(at, "lag_ns"));
            }
            sum += number_of(at, "lag_ns");
            if (json_is_null(after)) {
                break;
            }
            at = json_array_get(hops, (size_t)json_integer_value(after));
        }
        assert_int_equal(sum, number_of(hop, "total_ns"));
    }
}

/* The lags along each branch are the time that it took in all, which is what the oracle calls the
 * event lag. */
static void lags_add_up(void **state) {
    (void)state;
    int64_t listing, lag;
    ask("bad-day",
        "SELECT listing_id, max(event_lag_ns) FROM freshness_sample WHERE store = 'keyword'"
        " GROUP BY 1 HAVING count(*) BETWEEN 8 AND 14 ORDER BY 2 DESC LIMIT 1",
        &listing, &lag);
    bool found = false;
    json_t *root = explain("bad-day", listing, NULL, 0);
    size_t count = json_array_size(json_object_get(root, "updates"));
    json_decref(root);
    for (size_t i = 1; i <= count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        root = explain("bad-day", listing, number, 0);
        add_up(root);
        found |= number_of(hop_of(root, "keyword"), "total_ns") == lag;
        json_decref(root);
    }
    assert_true(found);
}

/* An ordinary change passes every hop, each with its position. */
static void every_hop_has_its_place(void **state) {
    (void)state;
    int64_t listing, version;
    ask("bad-day",
        "SELECT s.listing_id, s.version FROM freshness_sample s JOIN embedding_audit a ON"
        " a.listing_id = s.listing_id AND a.version = s.version AND a.made = 1"
        " AND a.modality = 'text' JOIN keyword_row k ON k.listing_id = s.listing_id AND"
        " k.version = s.version JOIN oltp_listing o ON o.listing_id = s.listing_id"
        " WHERE s.store = 'keyword' AND s.visibility_lag_ns < 1000000000 LIMIT 1",
        &listing, &version);
    json_t *root = explain("bad-day", listing, NULL, 0);
    json_t *update = update_at_version(json_object_get(root, "updates"), version);
    char event[64];
    snprintf(event, sizeof event, "%s", text_of(update, "event_id"));
    json_decref(root);
    root = explain("bad-day", listing, event, 0);
    static const char *const hops[] = {
        "event",       "oltp",         "outbox",  "relay",           "feed",
        "router",      "listing-log",  "builder", "embedding-asked", "embedding-returned",
        "vector-text", "vector-fused", "keyword", "loader",          "bronze",
        "silver",      "gold"};
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
        json_t *hop = hop_of(root, hops[i]);
        if (hop == NULL || strcmp(text_of(hop, "status"), "done") != 0 ||
            text_of(hop, "place")[0] == '\0') {
            fail_msg("listing %lld, event %s: no %s", (long long)listing, event, hops[i]);
        }
    }
    assert_string_equal(text_of(update_of(root), "end"), "visible");
    assert_string_equal(text_of(hop_of(root, "listing-log"), "topic"), "listing-log");
    assert_int_equal(number_of(hop_of(root, "listing-log"), "offset") + 1, version);
    json_decref(root);
}

/* An order goes to the dashboard and to no search. */
static void orders_reach_the_dashboard(void **state) {
    (void)state;
    int64_t listing;
    ask("bad-day", "SELECT listing_id FROM oltp_order LIMIT 1", &listing, NULL);
    json_t *root = explain("bad-day", listing, NULL, 0);
    json_t *updates = json_object_get(root, "updates");
    bool found = false;
    for (size_t i = 0; i < json_array_size(updates) && !found; i++) {
        json_t *update = json_array_get(updates, i);
        if (strcmp(text_of(update, "type"), "order") == 0) {
            json_t *order = explain("bad-day", listing, text_of(update, "event_id"), 0);
            assert_non_null(hop_of(order, "dashboard"));
            assert_null(hop_of(order, "builder"));
            add_up(order);
            json_decref(order);
            found = true;
        }
    }
    assert_true(found);
    json_decref(root);
}

/* The event that the first row names. */
static void ask_event(const char *run, const char *sql, char out[64]) {
    sqlite3 *db = open_run(run);
    sqlite3_stmt *s;
    assert_int_equal(sqlite_host_prepare(db, sql, &s), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    snprintf(out, 64, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(db);
}

/* ---- Gaps ---- */

/* While the keyword index is down, the row is said to wait there, refused, and what struck; nothing
 * that came later is told. */
static void waits_in_an_outage(void **state) {
    (void)state;
    static const char from[] =
        " FROM refused_write r JOIN fault_band b ON b.kind = 'sink-outage' AND"
        " b.subject = 'keywords' AND r.recorded_at_ns BETWEEN b.from_ns AND b.to_ns JOIN"
        " topic_record l ON l.topic = 'listing-log' AND l.subject_id = r.listing_id AND"
        " l.epoch = 0 AND l.\"offset\" = r.version - 1 WHERE l.type = 'listing' AND r.store = "
        "'keyword' AND r.times > 9 AND EXISTS (SELECT 1 FROM gold_document g WHERE"
        " g.listing_id = r.listing_id AND g.version = r.version AND"
        " g.recorded_from_ns < r.recorded_at_ns)"
        " ORDER BY r.recorded_at_ns LIMIT 1";
    char sql[800], event[64];
    int64_t listing, at;
    snprintf(sql, sizeof sql, "SELECT r.listing_id, r.recorded_at_ns + 9000000000%s", from);
    ask("bad-day", sql, &listing, &at);
    snprintf(sql, sizeof sql, "SELECT l.event_id%s", from);
    ask_event("bad-day", sql, event);
    json_t *root = explain("bad-day", listing, event, at);
    json_t *row = hop_of(root, "keyword");
    assert_string_equal(text_of(update_of(root), "end"), "under-way");
    assert_string_equal(text_of(row, "status"), "waiting");
    assert_non_null(strstr(text_of(row, "why"), "refuses the write (unavailable)"));
    assert_non_null(strstr(text_of(row, "why"), "sink-outage on keywords (since T+"));
    assert_string_equal(text_of(hop_of(root, "gold"), "status"), "done");
    json_t *hops = json_object_get(update_of(root), "hops");
    for (size_t i = 0; i < json_array_size(hops); i++) {
        assert_true(number_of(json_array_get(hops, i), "at_ns") <= at);
    }
    json_decref(root);
}

/* Without an outbox row nobody but reconciliation can tell of a change. */
static void nobody_was_told(void **state) {
    (void)state;
    int64_t listing, at;
    ask("bad-day",
        "SELECT l.listing_id, l.recorded_from_ns + 1 FROM oltp_listing l WHERE NOT EXISTS"
        " (SELECT 1 FROM outbox o WHERE o.key = l.listing_id AND o.topic = 'listing-changes' AND"
        " o.created_at_ns = l.recorded_from_ns) AND l.recorded_to_ns IS NULL LIMIT 1",
        &listing, &at);
    json_t *root = explain("bad-day", listing, NULL, at);
    assert_string_equal(text_of(hop_of(root, "outbox"), "status"), "waiting");
    assert_non_null(strstr(text_of(hop_of(root, "outbox"), "why"), "reconciliation"));
    json_decref(root);
    root = explain("bad-day", listing, NULL, 0);
    assert_string_equal(text_of(update_of(root), "end"), "visible");
    json_decref(root);
}

/* A record of a contract that nobody registered is a dead letter, which says what is wrong; after
 * the fix it is sent again and arrives. */
static void dead_letters_say_why(void **state) {
    (void)state;
    static const char from[] =
        " FROM dead_letter d JOIN topic_record t ON t.topic = d.topic AND"
        " t.partition = d.partition AND t.\"offset\" = d.\"offset\" JOIN topic_record l ON"
        " l.event_id = t.event_id AND l.topic = 'listing-log' WHERE t.topic = 'listing-changes'"
        " AND d.field = 'contract_version' ORDER BY l.recorded_at_ns - d.recorded_at_ns DESC,"
        " l.rowid LIMIT 1";
    char sql[800], event[64];
    int64_t listing, at;
    snprintf(sql, sizeof sql, "SELECT t.subject_id, d.recorded_at_ns + 1%s", from);
    ask("registry-breaking", sql, &listing, &at);
    snprintf(sql, sizeof sql, "SELECT t.event_id%s", from);
    ask_event("registry-breaking", sql, event);
    json_t *root = explain("registry-breaking", listing, NULL, at);
    assert_string_equal(text_of(update_of(root), "end"), "dead-letter");
    assert_non_null(
        strstr(text_of(hop_of(root, "dead-letter"), "why"), "version is not registered"));
    assert_null(hop_of(root, "listing-log"));
    json_decref(root);
    root = explain("registry-breaking", listing, event, 0);
    assert_string_equal(text_of(update_of(root), "end"), "visible");
    assert_non_null(hop_of(root, "feed-again"));
    add_up(root);
    json_decref(root);
}

/* Bytes that are no record are a letter too, found by their key. */
static void unreadable_bytes_are_found(void **state) {
    (void)state;
    int64_t listing, at;
    ask("bad-day",
        "SELECT subject_id, recorded_at_ns + 500000000 FROM topic_record WHERE type IS NULL AND"
        " topic = 'listing-changes' AND subject_id IN (SELECT listing_id FROM oltp_listing)"
        " LIMIT 1",
        &listing, &at);
    json_t *root = explain("bad-day", listing, NULL, at);
    assert_string_equal(text_of(update_of(root), "type"), "unreadable");
    assert_string_equal(text_of(update_of(root), "end"), "dead-letter");
    assert_non_null(strstr(text_of(hop_of(root, "dead-letter"), "why"), "refused: "));
    json_decref(root);
}

/* What is older than the allowed lateness waits in the late queue; what looks like an accident in
 * quarantine. Both go on from there. */
static void held_back(void **state) {
    (void)state;
    static const char *const places[][3] = {
        {"late", "listing-late", "late-queue"},
        {"quality-mass-delete", "quarantine", "quarantine"},
    };
    for (size_t i = 0; i < 2; i++) {
        char sql[640], event[64];
        int64_t listing, at;
        static const char from[] = " FROM topic_record q JOIN topic_record l ON"
                                   " l.event_id = q.event_id AND l.topic = 'listing-log' AND"
                                   " l.rowid > q.rowid WHERE q.topic = '%s' AND NOT EXISTS"
                                   " (SELECT 1 FROM topic_record x WHERE x.topic = 'listing-log'"
                                   " AND x.event_id = q.event_id AND x.rowid < q.rowid) LIMIT 1";
        char tail[512];
        snprintf(tail, sizeof tail, from, places[i][1]);
        snprintf(sql, sizeof sql, "SELECT q.subject_id, q.recorded_at_ns + 1%s", tail);
        ask(places[i][0], sql, &listing, &at);
        snprintf(sql, sizeof sql, "SELECT q.event_id%s", tail);
        ask_event(places[i][0], sql, event);
        json_t *root = explain(places[i][0], listing, event, at);
        assert_string_equal(text_of(update_of(root), "end"), "held");
        assert_string_equal(text_of(hop_of(root, places[i][2]), "status"), "done");
        assert_string_equal(text_of(hop_of(root, "listing-log"), "status"), "waiting");
        json_decref(root);
        root = explain(places[i][0], listing, event, 0);
        assert_string_equal(text_of(hop_of(root, places[i][2]), "status"), "done");
        assert_string_equal(text_of(hop_of(root, "listing-log"), "status"), "done");
        add_up(root);
        json_decref(root);
    }
}

/* Where a leader change cut a record off that was read before, the update came all the same. */
static void cut_off_records_say_so(void **state) {
    (void)state;
    int64_t listing;
    char event[64];
    static const char from[] =
        " FROM topic_record t JOIN topic_record n ON n.topic = t.topic AND"
        " n.partition = t.partition AND n.epoch > t.epoch AND n.\"offset\" <= t.\"offset\" JOIN"
        " topic_record l ON l.topic = 'listing-log' AND l.event_id = t.event_id WHERE"
        " t.topic = 'listing-changes' AND NOT EXISTS (SELECT 1 FROM topic_record o WHERE"
        " o.event_id = t.event_id AND o.topic = t.topic AND o.rowid <> t.rowid) LIMIT 1";
    char sql[800];
    snprintf(sql, sizeof sql, "SELECT t.subject_id%s", from);
    ask("cut", sql, &listing, NULL);
    snprintf(sql, sizeof sql, "SELECT t.event_id%s", from);
    ask_event("cut", sql, event);
    json_t *root = explain("cut", listing, event, 0);
    assert_non_null(strstr(text_of(hop_of(root, "feed"), "why"), "leader change cut it off"));
    assert_string_equal(text_of(hop_of(root, "listing-log"), "status"), "done");
    json_decref(root);
}

/* What an operator discarded is said to be gone for good. */
static void discarded_deletes_say_so(void **state) {
    (void)state;
    static const char from[] = " FROM topic_record q WHERE q.topic = 'quarantine' AND NOT EXISTS"
                               " (SELECT 1 FROM topic_record l WHERE l.topic = 'listing-log' AND"
                               " l.event_id = q.event_id) LIMIT 1";
    char sql[400], event[64];
    int64_t listing;
    snprintf(sql, sizeof sql, "SELECT q.subject_id%s", from);
    ask("discarded", sql, &listing, NULL);
    snprintf(sql, sizeof sql, "SELECT q.event_id%s", from);
    ask_event("discarded", sql, event);
    json_t *root = explain("discarded", listing, event, 0);
    assert_string_equal(text_of(update_of(root), "end"), "dropped");
    assert_non_null(strstr(text_of(hop_of(root, "listing-log"), "why"), "discarded"));
    json_decref(root);
}

/* An erasure ends in its certificate; what it erased is said to be kept no more. */
static void erased_listings_say_so(void **state) {
    (void)state;
    static const char event_sql[] =
        "SELECT event_id FROM topic_record WHERE topic = 'listing-log' AND"
        " type = 'erasure' AND subject_id = %lld";
    char sql[300], event[64];
    int64_t listing, at;
    ask("erasure-listing",
        "SELECT subject_id, recorded_at_ns FROM topic_record WHERE topic = 'listing-log' AND"
        " type = 'erasure' LIMIT 1",
        &listing, &at);
    snprintf(sql, sizeof sql, event_sql, (long long)listing);
    ask_event("erasure-listing", sql, event);
    json_t *root = explain("erasure-listing", listing, event, at + VTIME_HOUR);
    assert_string_equal(text_of(hop_of(root, "certificate"), "status"), "waiting");
    json_decref(root);
    root = explain("erasure-listing", listing, event, 0);
    assert_string_equal(text_of(update_of(root), "type"), "erasure");
    assert_string_equal(text_of(hop_of(root, "certificate"), "status"), "done");
    json_decref(root);
    root = explain("erasure-listing", listing, "1", 0);
    assert_string_equal(text_of(hop_of(root, "bronze"), "status"), "stopped");
    assert_non_null(strstr(text_of(hop_of(root, "bronze"), "why"), "erased"));
    json_decref(root);
}

/* A change that comes after a later one makes no difference, and says which word stands. */
static void overtaken_changes_say_so(void **state) {
    (void)state;
    int64_t listing, version;
    ask("bad-day",
        "SELECT r.subject_id, r.\"offset\" + 1 FROM topic_record r WHERE r.topic = 'listing-log' "
        "AND"
        " r.type = 'media' AND r.epoch = 0 AND NOT EXISTS (SELECT 1 FROM visible_change c WHERE"
        " c.listing_id = r.subject_id AND c.version = r.\"offset\" + 1) AND NOT EXISTS (SELECT 1"
        " FROM topic_record d WHERE d.topic = 'listing-log' AND d.event_id = r.event_id AND"
        " d.rowid < r.rowid) AND EXISTS (SELECT 1 FROM topic_record b WHERE b.topic = 'listing-log'"
        " AND b.subject_id = r.subject_id AND b.image_id = r.image_id AND b.rowid < r.rowid AND"
        " b.event_at_ns > r.event_at_ns) LIMIT 1",
        &listing, &version);
    json_t *root = explain("bad-day", listing, NULL, 0);
    json_t *update = update_at_version(json_object_get(root, "updates"), version);
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)number_of(update, "number"));
    json_decref(root);
    root = explain("bad-day", listing, number, 0);
    assert_string_equal(text_of(update_of(root), "end"), "no-change");
    assert_non_null(strstr(text_of(hop_of(root, "listing-log"), "why"), "a later word"));
    json_decref(root);
}

/* ---- People ---- */

/* The page fits 80 columns and is plain off a terminal. */
static void pages_fit(void **state) {
    (void)state;
    static const char *const runs[] = {"bad-day", "registry-breaking", "erasure-listing"};
    for (size_t r = 0; r < 3; r++) {
        int64_t listing;
        ask(runs[r],
            "SELECT subject_id FROM topic_record WHERE topic = 'listing-changes' GROUP BY 1"
            " ORDER BY count(*) DESC LIMIT 1 OFFSET 3",
            &listing, NULL);
        assert_int_equal(murphy("explain %s --listing %lld", runs[r], (long long)listing), 0);
        assert_non_null(strstr(output, "seller's change"));
        assert_non_null(strstr(output, "--update N"));
        assert_null(strchr(output, '\033'));
        for (char *line = strtok(output, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            if (unicode_text_width(line) > 80) {
                fail_msg("wider than 80 columns: %s", line);
            }
        }
    }
}

/* A run's report shows the way of its slowest change. */
static void reports_show_ways(void **state) {
    (void)state;
    int64_t listing, lag;
    ask("bad-day",
        "SELECT listing_id, max(visibility_lag_ns) FROM freshness_sample WHERE store = 'keyword'",
        &listing, &lag);
    static char html[1 << 21];
    char wanted[64];
    snprintf(wanted, sizeof wanted, "<h3>Listing %lld: ", (long long)listing);
    read_file("bad-day/report.html", html, sizeof html);
    const char *section = strstr(html, "<section id=\"ways\">");
    assert_non_null(section);
    assert_non_null(strstr(section, wanted));
    assert_non_null(strstr(section, "Picked: slowest to be seen in keyword"));
}

/* What the demo told live is what explain finds afterwards: the same listing, to the millisecond.
 */
static void the_demo_is_live(void **state) {
    (void)state;
    assert_int_equal(murphy("demo flow --seed 3 --out demo"), 0);
    assert_null(strchr(output, '\033'));
    assert_non_null(strstr(output, "Everywhere "));
    long long listing = 0, hours = 0, minutes = 0, seconds = 0, ms = 0;
    const char *said = strstr(output, "text of listing ");
    const char *row = strstr(output, "keyword row");
    assert_true(said != NULL && sscanf(said, "text of listing %lld", &listing) == 1);
    assert_true(row != NULL && sscanf(strstr(row, "T+"), "T+%lld:%lld:%lld.%lld", &hours, &minutes,
                                      &seconds, &ms) == 4);
    int64_t told_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
    int64_t start = start_of("demo/flow");
    json_t *root = explain("demo/flow", listing, NULL, 0);
    json_t *updates = json_object_get(root, "updates");
    bool found = false;
    for (size_t i = 0; i < json_array_size(updates); i++) {
        const json_t *update = json_array_get(updates, i);
        int64_t seen = number_of(json_object_get(update, "visible_at_ns"), "keyword");
        bool text = strstr(text_of(update, "what"), "title") != NULL ||
                    strstr(text_of(update, "what"), "description") != NULL;
        found |= text && (seen - start) / VTIME_MILLISECOND == told_ms;
    }
    assert_true(found);
    json_decref(root);
}

/* ---- Refusals ---- */

struct refusal {
    const char *arguments;
    int status;
    const char *says;
};

/* One message and nothing else, for what is no run and what is not in it. */
static void refusals_say_why(void **state) {
    (void)state;
    char path[4096], command[16384];
    snprintf(path, sizeof path, "%s/bad-day/stores.db", folder);
    snprintf(command, sizeof command,
             "cd '%s' && head -c 100000 bad-day/stores.db >cut.db && cp erasure-listing/stores.db "
             "other.db && printf 'no database' >text.db && : >empty.db && cp bad-day/stores.db "
             "holes.db",
             folder);
    assert_int_equal(system(command), 0);
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/other.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 9999", 0, 0, 0), SQLITE_OK);
    sqlite3_close(db);
    snprintf(path, sizeof path, "%s/holes.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE gold_document", 0, 0, 0), SQLITE_OK);
    sqlite3_close(db);
    static const struct refusal refusals[] = {
        {"", 64, "say which run"},
        {"bad-day", 64, "either --listing ID or --metric NAME"},
        {"bad-day --listing 4000000001 --metric sales", 64, "either"},
        {"bad-day --metric sales --update 3", 64, "--update belongs to --listing"},
        {"bad-day --listing", 64, "missing after '--listing'"},
        {"bad-day --listing four", 64, "whole number, not 'four'"},
        {"bad-day --listing -4", 64, "whole number, not '-4'"},
        {"bad-day other --listing 1", 64, "not wanted: 'other'"},
        {"bad-day --listing 1 --speed", 64, "unknown option '--speed'"},
        {"bad-day --listing 1 --at noon", 64, "not 'noon'"},
        {"bad-day --listing 1", 64, "there is no listing 1 in this run"},
        {"bad-day --listing 4000000091 --at +0s", 64, "nothing was known of listing 4000000091"},
        {"bad-day --listing 4000000001 --update 9999", 64, "has no update '9999'"},
        {"bad-day --listing 4000000001 --update 0", 64, "has no update '0'"},
        {"bad-day --listing 4000000001 --update x", 64, "has no update 'x'"},
        {"nowhere --listing 1", 65, "there is no such run"},
        {". --listing 1", 65, "holds no stores.db"},
        {"cut.db --listing 1", 65, "cut short"},
        {"text.db --listing 1", 65, "is not the stores.db of a run"},
        {"empty.db --listing 1", 65, "is not the stores.db of a run"},
        {"holes.db --listing 4000000001", 65, "no such table"},
        {"other.db --listing 1", 65, "another version of Murphy wrote it (layout 9999"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        int status = murphy("explain %s", refusals[i].arguments);
        bool one_line = strchr(errors, '\n') == errors + strlen(errors) - 1;
        if (status != refusals[i].status || strstr(errors, refusals[i].says) == NULL ||
            output[0] != '\0' || !one_line) {
            fail_msg("%s: status %d\nstdout: %s\nstderr: %s", refusals[i].arguments, status, output,
                     errors);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visible_when_the_oracle_says),
        cmocka_unit_test(lags_add_up),
        cmocka_unit_test(every_hop_has_its_place),
        cmocka_unit_test(orders_reach_the_dashboard),
        cmocka_unit_test(waits_in_an_outage),
        cmocka_unit_test(nobody_was_told),
        cmocka_unit_test(dead_letters_say_why),
        cmocka_unit_test(unreadable_bytes_are_found),
        cmocka_unit_test(held_back),
        cmocka_unit_test(cut_off_records_say_so),
        cmocka_unit_test(discarded_deletes_say_so),
        cmocka_unit_test(erased_listings_say_so),
        cmocka_unit_test(overtaken_changes_say_so),
        cmocka_unit_test(pages_fit),
        cmocka_unit_test(reports_show_ways),
        cmocka_unit_test(the_demo_is_live),
        cmocka_unit_test(refusals_say_why),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
