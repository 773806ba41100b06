/*
 * What a run knows of one listing, and its updates.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/murphy.h"
#include "cli/way_parts.h"
#include "pipeline/array.h"
#include "pipeline/record.h"
#include "sim/sqlite_host.h"

/* ---- Asking ---- */

void ways_fail(struct ways *w) {
    if (!w->failed) {
        w->failed = true;
        w->status = run_stores_failed(w->stores);
    }
}

static void no_memory(struct ways *w) {
    if (!w->failed) {
        w->failed = true;
        w->status = run_stores_complain(w->stores, EXIT_INTERNAL, "no memory");
    }
}

static sqlite3_stmt *ask(struct ways *w, const char *sql, const char *types, va_list values) {
    sqlite3_stmt *s = NULL;
    if (w->failed) {
        return NULL;
    }
    int rc = sqlite3_prepare_v2(w->stores->db, sql, -1, &s, NULL);
    for (int i = 0; rc == SQLITE_OK && types[i] != '\0'; i++) {
        if (types[i] == 'i') {
            rc = sqlite3_bind_int64(s, i + 1, va_arg(values, int64_t));
        } else {
            rc = sqlite3_bind_text(s, i + 1, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
        }
    }
    if (rc != SQLITE_OK) {
        ways_fail(w);
    } else if (ways_next(w, s)) {
        return s;
    }
    sqlite3_finalize(s);
    return NULL;
}

sqlite3_stmt *ways_ask(struct ways *w, const char *sql, const char *types, ...) {
    va_list values;
    va_start(values, types);
    sqlite3_stmt *s = ask(w, sql, types, values);
    va_end(values);
    return s;
}

bool ways_next(struct ways *w, sqlite3_stmt *s) {
    int rc = sqlite3_step(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        ways_fail(w);
    }
    return rc == SQLITE_ROW;
}

bool ways_number(struct ways *w, int64_t *out, const char *sql, const char *types, ...) {
    va_list values;
    va_start(values, types);
    sqlite3_stmt *s = ask(w, sql, types, values);
    va_end(values);
    bool there = s != NULL && sqlite3_column_type(s, 0) != SQLITE_NULL;
    if (there) {
        *out = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    return there;
}

char *ways_text(struct ways *w, const char *format, ...) {
    char text[512];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy == NULL) {
        no_memory(w);
        return NULL;
    }
    return memcpy(copy, text, size);
}

/* ---- Gathering ---- */

/* The event id that an outbox row carries, as text; NULL of bytes that are no record. */
static void sql_record_event(sqlite3_context *result, int count, sqlite3_value **values) {
    (void)count;
    struct bytes value = {sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0])};
    struct record record;
    struct record_error error;
    if (value.len == 0 || record_decode_claimed(value, &record, &error) != 0) {
        return;
    }
    uint64_t hi = record.stamp.id.hi;
    uint64_t lo = record.stamp.id.lo;
    char text[40];
    snprintf(text, sizeof text,
             "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, hi >> 32,
             hi >> 16 & 0xffff, hi & 0xffff, lo >> 48, lo & UINT64_C(0xffffffffffff));
    sqlite3_result_text(result, text, -1, SQLITE_TRANSIENT);
}

/* ?1 is the listing, ?2 the moment. Feeds that are keyed by something else are found by the events
 * that reached the listing through them. */
static const char *const gathering[] = {
    "CREATE TEMP TABLE w_record AS SELECT rowid AS place, 0 AS lost, * FROM main.topic_record"
    " WHERE recorded_at_ns <= ?2 AND subject_id = ?1"
    " AND topic NOT IN ('seller-policy', 'privacy', 'reference-data', 'erasure-certificates')",

    "INSERT INTO w_record SELECT rowid, 0, * FROM main.topic_record WHERE recorded_at_ns <= ?2 AND"
    " topic IN ('seller-policy', 'privacy', 'reference-data', 'erasure-certificates') AND ?1 = ?1"
    " AND event_id IN (SELECT event_id FROM w_record WHERE type IN"
    " ('policy', 'erasure', 'reference'))",

    "CREATE TEMP TABLE w_epoch AS SELECT topic, partition, epoch, min(\"offset\") AS first"
    " FROM main.topic_record WHERE epoch > 0 AND recorded_at_ns <= ?2 AND ?1 = ?1"
    " GROUP BY 1, 2, 3",

    /* What a leader change cut off: whoever had not read it never will. */
    "UPDATE w_record SET lost = 1 WHERE ?1 = ?1 AND ?2 = ?2 AND EXISTS (SELECT 1 FROM w_epoch e"
    " WHERE e.topic = w_record.topic AND e.partition = w_record.partition"
    " AND e.epoch > w_record.epoch AND e.first <= w_record.\"offset\")",

    "CREATE INDEX w_record_by_event ON w_record(event_id, topic)",
    "CREATE INDEX w_record_by_place ON w_record(topic, \"offset\")",

    "CREATE TEMP TABLE w_commit AS SELECT event_id, min(recorded_from_ns) AS at_ns,"
    " updated_at_ns AS event_at_ns, 'listing' AS type,"
    " CASE deleted WHEN 1 THEN 'delete' ELSE 'upsert' END AS op FROM main.oltp_listing"
    " WHERE listing_id = ?1 AND recorded_from_ns <= ?2 GROUP BY event_id"
    " UNION ALL SELECT event_id, min(recorded_from_ns), event_at_ns, 'order', 'upsert'"
    " FROM main.oltp_order WHERE listing_id = ?1 AND recorded_from_ns <= ?2 GROUP BY event_id"
    " UNION ALL SELECT event_id, min(recorded_from_ns), updated_at_ns, 'policy', 'upsert'"
    " FROM main.oltp_seller WHERE recorded_from_ns <= ?2"
    " AND event_id IN (SELECT event_id FROM w_record WHERE type = 'policy') GROUP BY event_id",

    /* What the row says that it did not say before. */
    "CREATE TEMP TABLE w_said AS SELECT event_id, seller_id, deleted,"
    " row_number() OVER w = 1 AS first, deleted AND NOT lag(deleted) OVER w AS gone,"
    " lag(deleted) OVER w AND NOT deleted AS back,"
    " CASE WHEN title IS NOT lag(title) OVER w THEN ', title' ELSE '' END ||"
    " CASE WHEN description IS NOT lag(description) OVER w THEN ', description' ELSE '' END ||"
    " CASE WHEN locale IS NOT lag(locale) OVER w THEN ', locale' ELSE '' END ||"
    " CASE WHEN category IS NOT lag(category) OVER w THEN ', category' ELSE '' END ||"
    " CASE WHEN price IS NOT lag(price) OVER w THEN ', price' ELSE '' END ||"
    " CASE WHEN image_ids IS NOT lag(image_ids) OVER w THEN ', images' ELSE '' END ||"
    " CASE WHEN attributes IS NOT lag(attributes) OVER w THEN ', attributes' ELSE '' END ||"
    " CASE WHEN seller_id IS NOT lag(seller_id) OVER w THEN ', seller' ELSE '' END AS fields"
    " FROM main.oltp_listing WHERE listing_id = ?1 AND recorded_from_ns <= ?2"
    " WINDOW w AS (ORDER BY recorded_from_ns, rowid)",
    "CREATE INDEX w_said_by_event ON w_said(event_id)",

    "CREATE TEMP TABLE w_outbox AS SELECT record_event(value) AS event_id, sequence, topic,"
    " created_at_ns AS at_ns, CASE WHEN recorded_to_ns <= ?2 THEN recorded_to_ns END AS to_ns"
    " FROM main.outbox WHERE key = ?1 AND recorded_from_ns <= ?2"
    " AND topic IN ('listing-changes', 'orders')"
    " UNION ALL SELECT * FROM (SELECT record_event(value) AS event_id, sequence, topic,"
    " created_at_ns, CASE WHEN recorded_to_ns <= ?2 THEN recorded_to_ns END FROM main.outbox"
    " WHERE topic = 'seller-policy' AND recorded_from_ns <= ?2)"
    " WHERE event_id IN (SELECT event_id FROM w_record WHERE type = 'policy')",

    "CREATE TEMP TABLE w_read AS SELECT machine, topic, partition, first_offset, next_offset,"
    " recorded_at_ns AS at_ns FROM main.log_read WHERE recorded_at_ns <= ?2 AND ?1 = ?1"
    " AND (topic = 'outbox' OR (topic, partition) IN (SELECT topic, partition FROM w_record))",
    "CREATE INDEX w_read_by_place ON w_read(topic, partition, first_offset)",

    "CREATE TEMP TABLE w_change AS SELECT version, recorded_at_ns AS at_ns, seen, text, image,"
    " fused, lag(text, 1, 0) OVER w AS text_before, lag(image, 1, 0) OVER w AS image_before,"
    " lag(fused, 1, 0) OVER w AS fused_before FROM main.visible_change"
    " WHERE listing_id = ?1 AND recorded_at_ns <= ?2 WINDOW w AS (ORDER BY rowid)",

    "CREATE TEMP TABLE w_row AS SELECT 'vector-' || modality AS store, model_version AS model,"
    " version, content_hash, recorded_from_ns AS from_ns,"
    " CASE WHEN recorded_to_ns <= ?2 THEN recorded_to_ns END AS to_ns FROM main.vector_row"
    " WHERE listing_id = ?1 AND recorded_from_ns <= ?2"
    " UNION ALL SELECT 'keyword', NULL, version, content_hash, recorded_from_ns,"
    " CASE WHEN recorded_to_ns <= ?2 THEN recorded_to_ns END FROM main.keyword_row"
    " WHERE listing_id = ?1 AND recorded_from_ns <= ?2",

    "CREATE TEMP TABLE w_gone AS SELECT store, model_version AS model, version,"
    " recorded_at_ns AS at_ns FROM main.row_gone WHERE listing_id = ?1 AND recorded_at_ns <= ?2",

    "CREATE TEMP TABLE w_alias AS SELECT 'vector-' || modality AS store, model_version AS model,"
    " recorded_at_ns AS from_ns, lead(recorded_at_ns) OVER"
    " (PARTITION BY modality ORDER BY recorded_at_ns, rowid) AS to_ns FROM main.alias_switch"
    " WHERE recorded_at_ns <= ?2 AND ?1 = ?1"
    " UNION ALL SELECT 'keyword', NULL, -9223372036854775807, NULL",

    "CREATE TEMP TABLE w_embed AS SELECT model_version AS model, text_hash, image_hash, fused_hash,"
    " asked_at_ns, CASE WHEN returned_at_ns <= ?2 THEN returned_at_ns END AS returned_at_ns,"
    " CASE WHEN returned_at_ns <= ?2 THEN status END AS status, reused FROM main.embedding_call"
    " WHERE listing_id = ?1 AND asked_at_ns <= ?2",

    "CREATE TEMP TABLE w_letter AS SELECT topic, partition, \"offset\", field, reason, expected,"
    " recorded_at_ns AS at_ns FROM main.dead_letter WHERE recorded_at_ns <= ?2 AND ?1 = ?1"
    " AND (topic, partition, \"offset\") IN (SELECT topic, partition, \"offset\" FROM w_record)",

    "CREATE TEMP TABLE w_refused AS SELECT store, model_version AS model, version, reason, times,"
    " recorded_at_ns AS from_ns, last_at_ns FROM main.refused_write"
    " WHERE listing_id = ?1 AND recorded_at_ns <= ?2",

    "CREATE TEMP TABLE w_bronze AS SELECT topic, partition, \"offset\", epoch,"
    " min(recorded_at_ns) AS at_ns FROM main.bronze_event WHERE subject_id = ?1"
    " AND recorded_at_ns <= ?2 GROUP BY 1, 2, 3, 4",

    "CREATE TEMP TABLE w_silver AS SELECT version, alive, policy, valid_from_ns, valid_to_ns,"
    " min(recorded_at_ns) AS at_ns FROM main.silver_listing WHERE listing_id = ?1"
    " AND recorded_at_ns <= ?2 GROUP BY version",

    "CREATE TEMP TABLE w_gold AS SELECT version, alive, min(recorded_from_ns) AS at_ns"
    " FROM main.gold_document WHERE listing_id = ?1 AND recorded_from_ns <= ?2 GROUP BY version",

    "CREATE TEMP TABLE w_order AS SELECT order_id, event_id, category, hour_ns,"
    " min(recorded_from_ns) AS at_ns FROM main.silver_order WHERE listing_id = ?1"
    " AND recorded_from_ns <= ?2 GROUP BY order_id, event_id",
};

/* A run can be asked of one listing after the other. */
static void forget(struct ways *w) {
    static const char *const tables[] = {
        "w_record",  "w_epoch",  "w_commit", "w_said",  "w_outbox", "w_read",
        "w_change",  "w_row",    "w_gone",   "w_alias", "w_embed",  "w_letter",
        "w_refused", "w_bronze", "w_silver", "w_gold",  "w_order"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables && !w->failed; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS temp.%s", tables[i]);
        sqlite3_finalize(ways_ask(w, sql, ""));
    }
}

static void gather(struct ways *w) {
    if (sqlite3_create_function_v2(w->stores->db, "record_event", 1,
                                   SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sql_record_event, NULL,
                                   NULL, NULL) != SQLITE_OK) {
        ways_fail(w);
    }
    for (size_t i = 0; i < sizeof gathering / sizeof *gathering && !w->failed; i++) {
        bool bound = strchr(gathering[i], '?') != NULL;
        sqlite3_finalize(ways_ask(w, gathering[i], bound ? "ii" : "", w->listing_id, w->at.ns));
    }
}

/* ---- Updates ---- */

/* Every event of the listing once, and bytes that are none, by when they were first heard of; what
 * is told of a seller or of a table is heard of when it reaches the listing. */
static const char updates_sql[] =
    "SELECT event_id, coalesce(max(CASE WHEN place > 0 THEN type END), max(type)),"
    " coalesce(max(CASE WHEN place > 0 THEN op END), max(op)), min(event_at_ns),"
    " min(CASE WHEN own THEN at_ns END) AS first_at, topic, partition, \"offset\","
    " max(image_id), min(place) FROM ("
    " SELECT event_id, type, op, event_at_ns, recorded_at_ns AS at_ns, topic, partition,"
    " \"offset\", image_id, place,"
    " topic NOT IN ('seller-policy', 'privacy', 'reference-data', 'erasure-certificates') AS own"
    " FROM w_record WHERE type IS NOT 'certificate'"
    " UNION ALL SELECT event_id, type, op, event_at_ns, at_ns, NULL, NULL, NULL, NULL, 0,"
    " type <> 'policy' FROM w_commit)"
    " GROUP BY event_id, CASE WHEN event_id IS NULL THEN topic || partition || ' ' || \"offset\""
    " END ORDER BY first_at, min(place), event_id";

static char *say_listing(struct ways *w, const struct update *u) {
    sqlite3_stmt *s = ways_ask(w,
                               "SELECT CASE WHEN first THEN 'created' WHEN gone THEN 'deleted'"
                               " WHEN back THEN 'put up again' ELSE substr(fields, 3) END"
                               " FROM w_said WHERE event_id = ?",
                               "t", u->event);
    const char *fields = s == NULL ? "" : (const char *)sqlite3_column_text(s, 0);
    bool verb =
        fields != NULL && (strcmp(fields, "created") == 0 || strcmp(fields, "deleted") == 0 ||
                           strcmp(fields, "put up again") == 0);
    char *text = verb                                  ? ways_text(w, "listing %s", fields)
                 : u->delete                           ? ways_text(w, "listing deleted")
                 : fields != NULL && fields[0] != '\0' ? ways_text(w, "%s changed", fields)
                                                       : ways_text(w, "listing changed");
    sqlite3_finalize(s);
    return text;
}

static char *say_what(struct ways *w, const struct update *u, int64_t image_id) {
    if (strcmp(u->type, "listing") == 0) {
        return say_listing(w, u);
    }
    if (strcmp(u->type, "media") == 0) {
        return ways_text(w, "image %" PRIu64 " %s", (uint64_t)image_id,
                         u->delete ? "withdrawn" : "delivered");
    }
    if (strcmp(u->type, "policy") == 0) {
        sqlite3_stmt *s = ways_ask(w,
                                   "SELECT seller_id, status FROM main.oltp_seller"
                                   " WHERE event_id = ?",
                                   "t", u->event);
        char *text = s == NULL ? ways_text(w, "its seller's status changed")
                               : ways_text(w, "its seller %" PRIu64 " is %s",
                                           (uint64_t)sqlite3_column_int64(s, 0),
                                           (const char *)sqlite3_column_text(s, 1));
        sqlite3_finalize(s);
        return text;
    }
    return ways_text(w, "%s",
                     strcmp(u->type, "order") == 0     ? "an order of it"
                     : strcmp(u->type, "erasure") == 0 ? "everything known of it is to be erased"
                     : strcmp(u->type, "reference") == 0
                         ? "a row of a reference table that it names"
                         : "bytes that are no record");
}

static char *column_copy(struct ways *w, sqlite3_stmt *s, int column) {
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text == NULL ? NULL : ways_text(w, "%s", text);
}

static void add_update(struct ways *w, sqlite3_stmt *s) {
    size_t capacity = (size_t)w->capacity;
    if (ARRAY_RESERVE(w->updates, capacity, (size_t)w->count + 1) != 0) {
        no_memory(w);
        return;
    }
    w->capacity = (int)capacity;
    struct update *u = &w->updates[w->count++];
    *u = (struct update){.number = w->count, .event_at = VTIME_NEVER, .partition = -1};
    u->event = column_copy(w, s, 0);
    const char *type = (const char *)sqlite3_column_text(s, 1);
    snprintf(u->type, sizeof u->type, "%s", type == NULL ? "unreadable" : type);
    const char *op = (const char *)sqlite3_column_text(s, 2);
    u->delete = op != NULL && strcmp(op, "delete") == 0;
    if (u->event != NULL) {
        u->event_at = (vtime){sqlite3_column_int64(s, 3)};
    }
    u->first_at = (vtime){sqlite3_column_int64(s, 4)};
    u->topic = column_copy(w, s, 5);
    u->partition = sqlite3_column_int64(s, 6);
    u->offset = sqlite3_column_int64(s, 7);
    u->what = say_what(w, u, sqlite3_column_int64(s, 8));
}

static void read_updates(struct ways *w) {
    sqlite3_stmt *s = ways_ask(w, updates_sql, "");
    for (bool more = s != NULL; more && !w->failed; more = ways_next(w, s)) {
        add_update(w, s);
    }
    sqlite3_finalize(s);
}

static bool known_later(struct ways *w) {
    int64_t at_ns;
    return ways_number(w, &at_ns,
                       "SELECT min(t) FROM (SELECT min(recorded_from_ns) AS t FROM"
                       " main.oltp_listing WHERE listing_id = ?1 UNION ALL SELECT"
                       " min(recorded_at_ns) FROM main.topic_record WHERE subject_id = ?1)",
                       "i", w->listing_id);
}

int ways_open(struct run_stores *stores, uint64_t listing_id, vtime at, struct ways **out) {
    struct ways *w = *out = calloc(1, sizeof *w);
    if (w == NULL) {
        return run_stores_complain(stores, EXIT_INTERNAL, "no memory");
    }
    w->stores = stores;
    w->listing_id = (int64_t)listing_id;
    w->at = at;
    forget(w);
    gather(w);
    ways_number(w, &w->read_max, "SELECT max(next_offset - first_offset) FROM w_read", "");
    read_updates(w);
    if (w->failed) {
        return w->status;
    }
    if (w->count == 0) {
        return run_stores_complain(stores, EXIT_USAGE,
                                   known_later(w) ? "nothing was known of listing %" PRIu64
                                                    " at that moment"
                                                  : "there is no listing %" PRIu64 " in this run",
                                   listing_id);
    }
    return 0;
}

void ways_close(struct ways *w) {
    if (w == NULL) {
        return;
    }
    for (int i = 0; i < w->count; i++) {
        free(w->updates[i].event);
        free(w->updates[i].what);
        free(w->updates[i].topic);
    }
    free(w->updates);
    free(w);
}

int ways_count(const struct ways *w) {
    return w->count;
}

const struct update *ways_update(const struct ways *w, int i) {
    assert(i >= 0 && i < w->count);
    return &w->updates[i];
}
