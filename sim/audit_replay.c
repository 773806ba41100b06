#include "sim/audit_replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/audit_stream.h"
#include "sim/rebuilt_parts.h"
#include "sim/sqlite_host.h"

/* A listing's stream as far as it verified. */
struct stream {
    uint64_t listing_id;
    struct audit_chain chain;
    bool told;       /* of a bad record */
    bool incomplete; /* bronze lacks a payload, so its fold may go another way */
};

struct replay {
    struct remaking m;
    struct rebuilt_options rebuilt;
    const struct audit_replay_options *options;
    struct audit_replay_report *report;
    struct stream *streams; /* in the order of ids */
    size_t stream_count, stream_capacity;
    struct audit_event *events; /* of the listing whose chain is being verified */
    enum audit_place *places;
    size_t *parents;
    size_t event_count, event_capacity, place_capacity, parent_capacity;
    struct audit_event *beside; /* events whose history the log took back, of all listings */
    size_t beside_count, beside_capacity;
    bool saw; /* readers saw what the record just replayed changed */
};

/* ---- Findings ---- */

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static int
tell(struct replay *r, struct stream *stream, uint64_t sequence, const char *format, ...) {
    char sentence[256];
    if (stream->told) {
        return 0;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    stream->told = true;
    r->report->bad++;
    return r->options->bad(r->options->ctx, stream->listing_id, sequence, sentence);
}

static struct stream *stream_find(struct replay *r, uint64_t listing_id) {
    size_t low = 0, high = r->stream_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->streams[middle].listing_id < listing_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < r->stream_count && r->streams[low].listing_id == listing_id ? &r->streams[low]
                                                                             : NULL;
}

/* ---- The columns of an event ---- */

enum { E_LISTING, E_SEQUENCE, E_VERSION, E_TYPE, E_EVENT_AT, E_ID, E_VISIBLE, E_PAYLOAD, E_DIGEST };
#define EVENT_COLUMNS                                                                              \
    "listing_id, sequence, version, type, event_at_ns, event_id, visible, payload_sha256, digest"

static struct bytes text_at(sqlite3_stmt *s, int column) {
    return sqlite3_column_type(s, column) == SQLITE_TEXT ? statement_bytes(s, column)
                                                         : (struct bytes){NULL, 0};
}

static int hash_at(sqlite3_stmt *s, int column, struct sha256 *hash) {
    struct bytes text = text_at(s, column);
    return sha256_parse(text.data, text.len, hash);
}

/* 0, or -1 when it is no UUID as the export writes it. */
static int id_at(sqlite3_stmt *s, int column, struct event_id *id) {
    struct bytes text = text_at(s, column);
    uint64_t halves[2] = {0, 0};
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (dash != (c == '-') || (!dash && digit < 0) || text.len != 36) {
            return -1;
        }
        if (!dash) {
            halves[digits / 16] = halves[digits / 16] << 4 | (unsigned)digit;
            digits++;
        }
    }
    *id = (struct event_id){halves[0], halves[1]};
    return digits == 32 ? 0 : -1;
}

static enum record_type type_at(sqlite3_stmt *s, int column) {
    struct bytes text = text_at(s, column);
    for (int type = 1; text.data != NULL && type < RECORD_TYPE_END; type++) {
        if (bytes_equal(text, bytes_of(record_type_name((enum record_type)type)))) {
            return (enum record_type)type;
        }
    }
    return 0;
}

/* False when the columns are not those of any event; what can be read is there all the same. */
static bool read_event(sqlite3_stmt *s, struct audit_event *event) {
    bool numbers = true;
    for (int column = E_LISTING; column <= E_EVENT_AT; column++) {
        numbers = numbers && (column == E_TYPE || sqlite3_column_type(s, column) == SQLITE_INTEGER);
    }
    *event = (struct audit_event){
        .listing_id = (uint64_t)sqlite3_column_int64(s, E_LISTING),
        .sequence = (uint64_t)sqlite3_column_int64(s, E_SEQUENCE),
        .version = sqlite3_column_int64(s, E_VERSION),
        .type = type_at(s, E_TYPE),
        .stamp.ts.ns = sqlite3_column_int64(s, E_EVENT_AT),
        .visible = sqlite3_column_int64(s, E_VISIBLE) == 1,
    };
    int64_t visible = sqlite3_column_int64(s, E_VISIBLE);
    return numbers && event->type != 0 && (visible == 0 || visible == 1) &&
           id_at(s, E_ID, &event->stamp.id) == 0 && hash_at(s, E_PAYLOAD, &event->payload) == 0 &&
           hash_at(s, E_DIGEST, &event->digest) == 0;
}

/* ---- The chain ---- */

static bool same_hash(const struct sha256 *a, const struct sha256 *b) {
    return memcmp(a->bytes, b->bytes, SHA256_BYTES) == 0;
}

/* Whether the event is the one that follows the chain; then the chain is advanced. */
static bool follows(struct audit_chain *chain, const struct audit_event *event) {
    struct audit_chain next = *chain;
    struct audit_event again = *event;
    audit_chain_add(&next, &again);
    if (!same_hash(&again.digest, &event->digest)) {
        return false;
    }
    *chain = next;
    return true;
}

/* Event i does not follow: says what can be said of it. `before` is the chain before event i - 1.
 */
static int tell_broken(struct replay *r, struct stream *stream, const struct audit_chain *before,
                       size_t i) {
    const struct audit_event *event = &r->events[i];
    uint64_t expected = stream->chain.sequence + 1;
    struct audit_chain chain = *before;
    if (i > 0 && same_hash(&event->digest, &r->events[i - 1].digest)) {
        return tell(r, stream, expected, "event %" PRIu64 " was put in: it is the one before it",
                    expected);
    }
    if (i > 0 && follows(&chain, event)) {
        return tell(r, stream, expected - 1,
                    "event %" PRIu64 " was put in: the next one follows from the one before it",
                    expected - 1);
    }
    chain = stream->chain;
    if (i + 1 < r->event_count && follows(&chain, &r->events[i + 1]) && !follows(&chain, event)) {
        return tell(r, stream, expected,
                    "event %" PRIu64 " was put in: the next one follows from the one before it",
                    expected);
    }
    for (size_t j = 0; j < r->event_count; j++) {
        chain = stream->chain;
        if (j != i && follows(&chain, &r->events[j])) {
            return tell(r, stream, expected,
                        "event %" PRIu64 " was moved: it stands as number %" PRIu64, expected,
                        r->events[j].sequence);
        }
    }
    if (event->sequence > expected) {
        return tell(r, stream, expected,
                    "event %" PRIu64 " is missing: %" PRIu64 " comes after %" PRIu64, expected,
                    event->sequence, expected - 1);
    }
    return tell(r, stream, expected,
                "event %" PRIu64
                " was changed, or one before it taken out: its digest does not follow",
                expected);
}

/* Leaves of the events those on the line that leads to the latest version: 1, 0 when some event has
 * no place, or -ENOMEM. */
static int keep_line(struct replay *r) {
    if (ARRAY_RESERVE(r->places, r->place_capacity, r->event_count) != 0 ||
        ARRAY_RESERVE(r->parents, r->parent_capacity, r->event_count) != 0 ||
        ARRAY_RESERVE(r->beside, r->beside_capacity, r->beside_count + r->event_count) != 0) {
        return -ENOMEM;
    }
    if (audit_line(r->events, r->event_count, r->places, r->parents) < r->event_count) {
        return 0;
    }
    size_t kept = 0;
    for (size_t i = 0; i < r->event_count; i++) {
        if (r->places[i] == AUDIT_ON_LINE) {
            r->events[kept++] = r->events[i];
        } else {
            r->beside[r->beside_count++] = r->events[i];
        }
    }
    r->event_count = kept;
    return 1;
}

static int verify_listing(struct replay *r) {
    struct stream *stream = &r->streams[r->stream_count - 1];
    int line = stream->told ? 0 : keep_line(r);
    if (line < 0) {
        return line;
    }
    struct audit_chain before = {0};
    for (size_t i = 0; i < r->event_count && !stream->told; i++) {
        const struct audit_event *event = &r->events[i];
        struct audit_chain here = stream->chain;
        if (event->sequence == stream->chain.sequence && event->sequence > 0) {
            return tell(r, stream, event->sequence, "event %" PRIu64 " is there twice",
                        event->sequence);
        }
        if (event->sequence != here.sequence + 1 || !follows(&stream->chain, event)) {
            return tell_broken(r, stream, &before, i);
        }
        before = here;
    }
    return 0;
}

static int stream_begin(struct replay *r, uint64_t listing_id) {
    if (ARRAY_RESERVE(r->streams, r->stream_capacity, r->stream_count + 1) != 0) {
        return -ENOMEM;
    }
    r->streams[r->stream_count++] = (struct stream){.listing_id = listing_id};
    r->event_count = 0;
    return 0;
}

static int take_event(struct replay *r, sqlite3_stmt *s) {
    struct audit_event event;
    bool well = read_event(s, &event);
    struct stream *last = r->stream_count > 0 ? &r->streams[r->stream_count - 1] : NULL;
    int answer = 0;
    if (last == NULL || last->listing_id != event.listing_id) {
        answer = last == NULL ? 0 : verify_listing(r);
        answer = answer == 0 ? stream_begin(r, event.listing_id) : answer;
    }
    if (answer == 0 && !well) {
        answer = tell(r, &r->streams[r->stream_count - 1], event.sequence,
                      "event %" PRIu64 " was changed: its columns are not those of an event",
                      event.sequence);
    }
    if (answer != 0 || ARRAY_RESERVE(r->events, r->event_capacity, r->event_count + 1) != 0) {
        return answer != 0 ? answer : -ENOMEM;
    }
    r->events[r->event_count++] = event;
    r->report->events++;
    return 0;
}

/* Calls take() for each row of a query on the run. */
static int each_row(struct replay *r, const char *sql,
                    int (*take)(struct replay *r, sqlite3_stmt *s)) {
    sqlite3_stmt *s = NULL;
    if (sqlite_host_prepare(r->m.run, sql, &s) != SQLITE_OK) {
        return -EIO;
    }
    int rc = SQLITE_DONE, answer = 0;
    while (answer == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        answer = take(r, s);
    }
    sqlite3_finalize(s);
    return answer != 0 ? answer : rc == SQLITE_DONE ? 0 : -EIO;
}

/* " WHERE NAME = ID", or nothing where all listings are asked for. */
static void listing_condition(const struct replay *r, const char *name, char *out, size_t size) {
    out[0] = '\0';
    if (r->options->listing != NULL) {
        snprintf(out, size, " WHERE %s = %" PRId64, name, (int64_t)*r->options->listing);
    }
}

static int verify_chains(struct replay *r) {
    char where[64], sql[512];
    listing_condition(r, "listing_id", where, sizeof where);
    snprintf(sql, sizeof sql,
             "SELECT " EVENT_COLUMNS " FROM audit_event%s ORDER BY listing_id, sequence, version",
             where);
    int answer = each_row(r, sql, take_event);
    if (answer == 0 && r->stream_count > 0) {
        answer = verify_listing(r);
    }
    r->report->listings = r->stream_count;
    return answer;
}

/* ---- Heads ---- */

struct heads {
    struct audit_head *items;
    size_t count, capacity;
};

static int take_head(struct replay *r, struct heads *heads, sqlite3_stmt *s) {
    struct audit_head head = {.listing_id = (uint64_t)sqlite3_column_int64(s, 0),
                              .chain.sequence = (uint64_t)sqlite3_column_int64(s, 1)};
    bool well = hash_at(s, 2, &head.chain.head) == 0;
    struct stream nobody = {.listing_id = head.listing_id};
    struct stream *stream = stream_find(r, head.listing_id);
    stream = stream == NULL ? &nobody : stream;
    if (ARRAY_RESERVE(heads->items, heads->capacity, heads->count + 1) != 0) {
        return -ENOMEM;
    }
    heads->items[heads->count++] = head;
    if (head.chain.sequence > stream->chain.sequence && !stream->told) {
        return tell(r, stream, stream->chain.sequence + 1,
                    "event %" PRIu64 " is missing: the stream ends at %" PRIu64
                    ", its head says %" PRIu64,
                    stream->chain.sequence + 1, stream->chain.sequence, head.chain.sequence);
    }
    if (head.chain.sequence < stream->chain.sequence) {
        return tell(r, stream, head.chain.sequence + 1,
                    "event %" PRIu64 " was added later: its head says that the stream ends at"
                    " %" PRIu64,
                    head.chain.sequence + 1, head.chain.sequence);
    }
    if (!well || !same_hash(&head.chain.head, &stream->chain.head)) {
        return tell(r, stream, head.chain.sequence,
                    "event %" PRIu64 " is not the one that the head was made of",
                    head.chain.sequence);
    }
    return 0;
}

static int verify_heads(struct replay *r) {
    char where[64], sql[160];
    sqlite3_stmt *s = NULL;
    struct heads heads = {NULL, 0, 0};
    listing_condition(r, "listing_id", where, sizeof where);
    snprintf(sql, sizeof sql,
             "SELECT listing_id, events, digest FROM audit_head%s ORDER BY listing_id", where);
    if (sqlite_host_prepare(r->m.run, sql, &s) != SQLITE_OK) {
        return -EIO;
    }
    int rc = SQLITE_DONE, answer = 0;
    while (answer == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        answer = take_head(r, &heads, s);
    }
    sqlite3_finalize(s);
    r->report->root = audit_root(heads.items, heads.count);
    size_t h = 0;
    for (size_t i = 0; i < r->stream_count && answer == 0; i++) {
        while (h < heads.count && heads.items[h].listing_id < r->streams[i].listing_id) {
            h++;
        }
        if (h == heads.count || heads.items[h].listing_id != r->streams[i].listing_id) {
            answer = tell(r, &r->streams[i], 1, "the stream has no head");
        }
    }
    free(heads.items);
    return answer != 0 ? answer : rc == SQLITE_DONE ? 0 : -EIO;
}

/* ---- Payloads and the replay ---- */

enum {
    P_LISTING,
    P_SEQUENCE,
    P_VERSION,
    P_VISIBLE,
    P_PAYLOAD,
    P_RECORDED,
    P_ERASED,
    P_PARTITION,
    P_APPEND,
    P_VALUE
};

/* Each event with its raw record, if bronze has it, in the order of the log. */
static const char payload_places[] =
    "CREATE TEMP TABLE raw_place AS SELECT subject_id AS listing_id, (epoch << %d) + \"offset\" + 1"
    " AS version, rowid AS place FROM main.bronze_event WHERE topic = 'listing-log';"
    "CREATE INDEX temp.raw_by_version ON raw_place(listing_id, version);"
    "CREATE TEMP TABLE erased_to AS SELECT listing_id, max(event_at_ns) AS stamp FROM audit_event"
    " WHERE type = 'erasure' GROUP BY 1;";
static const char payloads[] =
    "SELECT e.listing_id, e.sequence, e.version, e.visible, e.payload_sha256, e.recorded_at_ns,"
    " e.type IN ('listing', 'media') AND coalesce(x.stamp >= e.event_at_ns, 0), b.partition,"
    " b.append_at_ns, b.value FROM audit_event e LEFT JOIN erased_to x USING(listing_id)"
    " LEFT JOIN raw_place r ON r.listing_id = e.listing_id AND r.version = e.version"
    " LEFT JOIN main.bronze_event b ON b.rowid = r.place%s ORDER BY b.partition, e.version";

static int payload_gone(struct replay *r, struct stream *stream, sqlite3_stmt *s) {
    stream->incomplete = true;
    if (sqlite3_column_int64(s, P_ERASED) == 1) {
        r->report->erased++;
        return 0;
    }
    if (rebuilt_has_edge(&r->m) &&
        sqlite3_column_int64(s, P_RECORDED) < r->options->warehouse_from.ns) {
        r->report->expired++;
        return 0;
    }
    uint64_t sequence = (uint64_t)sqlite3_column_int64(s, P_SEQUENCE);
    return tell(r, stream, sequence,
                "bronze does not have the record of event %" PRIu64
                ", which was neither erased nor has expired",
                sequence);
}

static int replay_record(struct replay *r, struct stream *stream, sqlite3_stmt *s) {
    uint64_t sequence = (uint64_t)sqlite3_column_int64(s, P_SEQUENCE);
    doc_version version = sqlite3_column_int64(s, P_VERSION);
    struct log_record logged = {.offset = doc_version_offset(version),
                                .epoch = doc_version_epoch(version),
                                .append = {sqlite3_column_int64(s, P_APPEND)},
                                .value = statement_bytes(s, P_VALUE)};
    struct sha256 told, hash = sha256_of(logged.value.data, logged.value.len);
    if (hash_at(s, P_PAYLOAD, &told) != 0 || !same_hash(&told, &hash)) {
        return tell(r, stream, sequence, "bronze has other bytes than event %" PRIu64 " tells of",
                    sequence);
    }
    struct record record;
    uint32_t partition = (uint32_t)sqlite3_column_int64(s, P_PARTITION) & 1023;
    int taken = rebuild_take(r->m.rebuild, TOPIC_LISTING_LOG, partition, &logged, &record);
    if (taken < 0) {
        return taken;
    }
    bool visible = sqlite3_column_int64(s, P_VISIBLE) == 1;
    if (stream->incomplete || (taken != REBUILD_NOT_NEWS && taken != REBUILD_NO_RECORD &&
                               (taken == REBUILD_VISIBLE) == visible)) {
        return 0;
    }
    return tell(r, stream, sequence, "event %" PRIu64 " %s", sequence,
                taken == REBUILD_NO_RECORD  ? "is no record"
                : taken == REBUILD_NOT_NEWS ? "told nothing that was not known"
                : visible                   ? "changed nothing that readers see"
                                            : "changed what readers see");
}

static bool is_beside(const struct replay *r, uint64_t listing_id, doc_version version,
                      uint64_t sequence) {
    size_t i = 0;
    while (i < r->beside_count &&
           (r->beside[i].listing_id != listing_id || r->beside[i].version != version ||
            r->beside[i].sequence != sequence)) {
        i++;
    }
    return i < r->beside_count;
}

static int take_payload(struct replay *r, sqlite3_stmt *s) {
    uint64_t listing_id = (uint64_t)sqlite3_column_int64(s, P_LISTING);
    struct stream *stream = stream_find(r, listing_id);
    doc_version version = sqlite3_column_int64(s, P_VERSION);
    if (is_beside(r, listing_id, version, (uint64_t)sqlite3_column_int64(s, P_SEQUENCE))) {
        return 0;
    }
    if (stream == NULL || version <= 0 || doc_version_epoch(version) >= 1u << 12) {
        return 0; /* its columns were changed, which was told */
    }
    return sqlite3_column_type(s, P_PARTITION) == SQLITE_NULL ? payload_gone(r, stream, s)
                                                              : replay_record(r, stream, s);
}

static int no_version(void *ctx, const struct document_row *row) {
    (void)ctx;
    (void)row;
    return 0;
}

static int no_erasure(void *ctx, const struct erasure_row *erasure) {
    (void)ctx;
    (void)erasure;
    return 0;
}

static int replay_all(struct replay *r) {
    char where[64], sql[sizeof payloads + 64 + sizeof payload_places];
    struct pipeline_config config = {.partitions = 0};
    struct rebuild_listener listener = {r, no_version, no_erasure, NULL};
    int answer = rebuilt_rule_of_orphans(r->m.run, &config);
    if (answer != 0) {
        return answer;
    }
    r->m.rebuild = rebuild_new(&config, &listener);
    r->m.made = stores_export_memory();
    if (r->m.rebuild == NULL || r->m.made == NULL) {
        return -ENOMEM;
    }
    snprintf(sql, sizeof sql, payload_places, DOC_VERSION_OFFSET_BITS);
    if (sqlite3_exec(r->m.run, sql, 0, 0, 0) != SQLITE_OK) {
        return -EIO;
    }
    listing_condition(r, "e.listing_id", where, sizeof where);
    snprintf(sql, sizeof sql, payloads, where);
    return each_row(r, sql, take_payload);
}

/* The read model that came of it against the live one. */
static int compare_model(struct replay *r) {
    int answer = rebuild_each_listing(r->m.rebuild, rebuilt_document, &r->m);
    if (answer == 0 && stores_export_views(stores_export_database(r->m.made),
                                           (vtime){VTIME_NEVER.ns - 1}) != SQLITE_OK) {
        return -ENOMEM;
    }
    answer = answer == 0 ? rebuilt_compare(&r->m, REBUILT_GOLD) : answer;
    r->report->gold = r->m.report->counts[REBUILT_GOLD];
    return answer;
}

/* ---- The whole ---- */

static int verify_and_replay(struct replay *r) {
    int answer = verify_chains(r);
    r->report->beside = r->beside_count;
    answer = answer == 0 ? verify_heads(r) : answer;
    r->report->anchored = r->options->anchor != NULL && r->options->listing == NULL &&
                          same_hash(r->options->anchor, &r->report->root);
    answer = answer == 0 ? replay_all(r) : answer;
    return answer == 0 ? compare_model(r) : answer;
}

enum rebuilt_status audit_replay(sqlite3 *run, const struct audit_replay_options *options,
                                 struct audit_replay_report *report) {
    struct rebuilt_report counts = {.records = 0};
    struct replay r = {.options = options, .report = report};
    r.rebuilt = (struct rebuilt_options){.at = VTIME_NEVER,
                                         .start = options->start,
                                         .warehouse_from = options->warehouse_from,
                                         .listing = options->listing,
                                         .layers = 1u << REBUILT_GOLD,
                                         .different = options->different,
                                         .ctx = options->ctx};
    r.m = (struct remaking){.run = run, .options = &r.rebuilt, .report = &counts};
    *report = (struct audit_replay_report){.listings = 0};
    int answer = verify_and_replay(&r);
    rebuild_free(r.m.rebuild);
    stores_export_free(r.m.made);
    free(r.streams);
    free(r.events);
    free(r.places);
    free(r.parents);
    free(r.beside);
    return answer == 0         ? REBUILT_DONE
           : answer == -ENOMEM ? REBUILT_NO_MEMORY
           : answer == -EIO    ? REBUILT_BAD_RUN
                               : REBUILT_STOPPED;
}
