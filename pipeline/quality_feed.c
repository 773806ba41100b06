#include "pipeline/quality_feed.h"

#include <assert.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/field_check.h"

enum {
    WINDOWS_LEARNT = 2,   /* before anything is judged */
    UPSERTS_LEARNT = 150, /* likewise */
    ALL_MIN = 20,         /* fewer say nothing of a share */
    HITS_MIN = 12,
    USUAL_ALL_MIN = 60,   /* fewer do not say what is usual */
    WHOLE_FIELDS_MIN = 4, /* of the seven that are no attributes: no partial update */
    SCHEMA_MIN = 10,
    FUTURE_MIN = 3,
    REFUSED_MIN = 5,
    USUAL_UPSERTS_MAX = 100000, /* then what was counts half */
    RELEARN_WINDOWS = 3,
};

const char *quality_monitor_name(enum quality_monitor monitor) {
    static const char *const names[QUALITY_MONITOR_COUNT] = {
#define QUALITY_NAME(identifier, name) [QUALITY_##identifier] = name,
        QUALITY_MONITORS(QUALITY_NAME)
#undef QUALITY_NAME
    };
    assert(monitor < QUALITY_MONITOR_COUNT);
    return names[monitor];
}

static bool is_learnt(const struct quality_feed *feed) {
    return feed->windows >= WINDOWS_LEARNT && feed->usual.upserts >= UPSERTS_LEARNT;
}

/* ---- Taking in ---- */

static void example_set(struct quality_feed *feed, struct bytes name) {
    size_t length = name.len < sizeof feed->example ? name.len : sizeof feed->example - 1;
    memset(feed->example, 0, sizeof feed->example);
    memcpy(feed->example, name.data, length);
}

static struct quality_name *name_find(struct quality_feed *feed, uint64_t hash) {
    for (size_t i = 0; i < feed->name_count; i++) {
        if (feed->names[i].hash == hash) {
            return &feed->names[i];
        }
    }
    return NULL;
}

static void attribute_take(struct quality_feed *feed, const struct field *field) {
    bool teaches = !is_learnt(feed) || feed->relearn > 0;
    uint64_t hash = XXH3_64bits(field->name.data, field->name.len);
    uint8_t type = (uint8_t)(1u << field->type);
    struct quality_name *name = name_find(feed, hash);
    if (name == NULL && feed->name_count < QUALITY_NAMES_MAX) {
        name = &feed->names[feed->name_count++];
        *name = (struct quality_name){hash, type, !teaches};
    }
    if (name == NULL) {
        return;
    }
    if (teaches) {
        name->types |= type;
        name->fresh = false;
    } else if (name->fresh) {
        feed->window.unknown_names++;
        example_set(feed, field->name);
    } else if (field->type != VALUE_NULL && (name->types & ~(1u << VALUE_NULL)) == 0) {
        name->types |= type; /* only ever null so far: that is its type */
    } else if (field->type != VALUE_NULL && (name->types & type) == 0) {
        feed->window.other_types++;
        example_set(feed, field->name);
    }
}

static void version_take(struct quality_feed *feed, uint16_t version, bool registered) {
    if (!registered) {
        feed->window.unknown_versions++;
        return;
    }
    for (size_t i = 0; i < feed->version_count; i++) {
        if (feed->versions[i] == version) {
            return;
        }
    }
    if (feed->version_count < QUALITY_VERSIONS_MAX) {
        feed->versions[feed->version_count++] = version;
        feed->relearn = RELEARN_WINDOWS;
    }
}

/* Fields of a record, as bits 1 << enum field_id. */
struct record_fields_seen {
    unsigned named, nulls;
    uint64_t attributes, null_attributes;
};

static struct record_fields_seen fields_take(struct quality_feed *feed,
                                             const struct record *record) {
    struct record_fields_seen seen = {0};
    struct field field;
    for (struct field_cursor c = record_fields(record); record_fields_next(&c, &field);) {
        bool null = field.type == VALUE_NULL;
        if (field.id == FIELD_ATTRIBUTE) {
            attribute_take(feed, &field);
            seen.attributes++;
            seen.null_attributes += null;
        } else {
            seen.named |= 1u << field.id;
            seen.nulls |= (unsigned)null << field.id;
        }
    }
    return seen;
}

static bool is_whole(const struct record_fields_seen *seen) {
    unsigned count = 0;
    for (size_t id = FIELD_TITLE; id < FIELD_ATTRIBUTE; id++) {
        count += seen->named >> id & 1;
    }
    return count >= WHOLE_FIELDS_MIN;
}

static void whole_count(struct quality_counts *window, const struct record_fields_seen *seen) {
    window->wholes++;
    for (size_t id = FIELD_TITLE; id < FIELD_ATTRIBUTE; id++) {
        window->empty[id] += (seen->named >> id & 1) == 0 || (seen->nulls >> id & 1) != 0;
    }
}

static void update_count(struct quality_counts *window, const struct record_fields_seen *seen) {
    for (size_t id = FIELD_TITLE; id < FIELD_ATTRIBUTE; id++) {
        window->fields[id].named += seen->named >> id & 1;
        window->fields[id].nulls += seen->nulls >> id & 1;
    }
    window->fields[FIELD_ATTRIBUTE].named += seen->attributes;
    window->fields[FIELD_ATTRIBUTE].nulls += seen->null_attributes;
}

void quality_feed_record(struct quality_feed *feed, const struct record *record, vtime append,
                         int64_t future_max_ns, bool registered) {
    int64_t ahead_ns = vtime_diff(record->stamp.ts, append);
    if (ahead_ns > future_max_ns) {
        feed->window.future++;
        if (ahead_ns > feed->future_ns_max) {
            feed->future_ns_max = ahead_ns;
            feed->future_listing = record->subject_id;
        }
        return;
    }
    version_take(feed, record->contract_version, registered);
    if (record->op != RECORD_UPSERT) {
        return;
    }
    feed->window.upserts++;
    struct record_fields_seen seen = fields_take(feed, record);
    if (is_whole(&seen)) {
        whole_count(&feed->window, &seen);
    } else {
        update_count(&feed->window, &seen);
    }
}

void quality_feed_refused(struct quality_feed *feed, uint64_t rows) {
    feed->window.refused_rows += rows;
}

/* ---- Judging ---- */

/* More than four times the usual share and a tenth of all; of what was hardly ever seen one in 20
 * is taken for usual. */
static bool share_strikes(uint64_t hits, uint64_t all, uint64_t usual_hits, uint64_t usual_all) {
    if (all < ALL_MIN || hits < HITS_MIN || usual_all < USUAL_ALL_MIN) {
        return false;
    }
    usual_hits += 1;
    usual_all += 20;
    return 10 * hits * usual_all > 40 * usual_hits * all + all * usual_all;
}

static void share_tell(struct sentence *evidence, size_t id, const char *what, uint64_t hits,
                       uint64_t all, uint64_t usual_hits, uint64_t usual_all) {
    sentence_add(evidence,
                 id == FIELD_ATTRIBUTE ? "an attribute" : field_id_name((enum field_id)id));
    sentence_add(evidence, what);
    sentence_add_number(evidence, hits);
    sentence_add(evidence, " of ");
    sentence_add_number(evidence, all);
    sentence_add(evidence, "; usual are ");
    sentence_add_number(evidence, usual_hits);
    sentence_add(evidence, " of ");
    sentence_add_number(evidence, usual_all);
}

static bool nulls_strike(const struct quality_feed *feed, struct sentence *evidence) {
    for (size_t id = FIELD_TITLE; id < QUALITY_FIELDS; id++) {
        const struct quality_share *now = &feed->window.fields[id];
        const struct quality_share *usual = &feed->usual.fields[id];
        if (share_strikes(now->nulls, now->named, usual->nulls, usual->named)) {
            share_tell(evidence, id, " is null where it is named in ", now->nulls, now->named,
                       usual->nulls, usual->named);
            return true;
        }
    }
    return false;
}

static bool absence_strikes(const struct quality_feed *feed, struct sentence *evidence) {
    const struct quality_counts *now = &feed->window, *usual = &feed->usual;
    for (size_t id = FIELD_TITLE; id < FIELD_ATTRIBUTE; id++) {
        if (share_strikes(now->empty[id], now->wholes, usual->empty[id], usual->wholes)) {
            share_tell(evidence, id, " is missing or null in whole documents: in ", now->empty[id],
                       now->wholes, usual->empty[id], usual->wholes);
            return true;
        }
    }
    return false;
}

static bool schema_strikes(const struct quality_feed *feed, struct sentence *evidence) {
    const struct quality_counts *window = &feed->window;
    uint64_t strange = window->unknown_names + window->other_types + window->unknown_versions;
    if (strange < SCHEMA_MIN || 50 * strange < window->upserts) {
        return false;
    }
    sentence_add_number(evidence, window->unknown_names);
    sentence_add(evidence, " attributes that nobody knew, ");
    sentence_add_number(evidence, window->other_types);
    sentence_add(evidence, " of another type, ");
    sentence_add_number(evidence, window->unknown_versions);
    sentence_add(evidence, " unknown contract versions in ");
    sentence_add_number(evidence, window->upserts);
    sentence_add(evidence, " changes");
    if (feed->example[0] != '\0') {
        sentence_add(evidence, "; the last was ");
        sentence_add(evidence, feed->example);
    }
    return true;
}

static bool future_strikes(const struct quality_feed *feed, struct sentence *evidence) {
    if (feed->window.future < FUTURE_MIN) {
        return false;
    }
    sentence_add_number(evidence, feed->window.future);
    sentence_add(evidence, " events are dated ahead of their append, one of listing ");
    sentence_add_number(evidence, feed->future_listing);
    sentence_add(evidence, " by ");
    sentence_add_duration(evidence, feed->future_ns_max);
    return true;
}

static bool loads_strike(const struct quality_feed *feed, struct sentence *evidence) {
    const struct quality_counts *window = &feed->window;
    if (window->refused_rows < REFUSED_MIN || 100 * window->refused_rows < window->upserts) {
        return false;
    }
    sentence_add(evidence, "stores refused ");
    sentence_add_number(evidence, window->refused_rows);
    sentence_add(evidence, " rows for good, of ");
    sentence_add_number(evidence, window->upserts);
    sentence_add(evidence, " changes");
    return true;
}

static bool strikes(const struct quality_feed *feed, enum quality_monitor monitor,
                    struct sentence *evidence) {
    switch (monitor) {
    case QUALITY_NULLS:
        return is_learnt(feed) && nulls_strike(feed, evidence);
    case QUALITY_SCHEMA:
        return schema_strikes(feed, evidence);
    case QUALITY_FUTURE:
        return future_strikes(feed, evidence);
    case QUALITY_ABSENCE:
        return is_learnt(feed) && absence_strikes(feed, evidence);
    case QUALITY_LOADS:
        return loads_strike(feed, evidence);
    default:
        assert(0 && "unknown monitor");
        return false;
    }
}

bool quality_feed_strikes(struct quality_feed *feed, enum quality_monitor monitor,
                          struct sentence *evidence) {
    *evidence = sentence_begin();
    if (!strikes(feed, monitor, evidence)) {
        return false;
    }
    feed->struck[monitor] = true;
    bool news = !feed->raised[monitor];
    feed->raised[monitor] = true;
    return news;
}

/* ---- Teaching ---- */

static void shares_learn(struct quality_feed *feed) {
    if (feed->usual.upserts > USUAL_UPSERTS_MAX) {
        feed->usual.upserts /= 2;
        feed->usual.wholes /= 2;
        for (size_t id = 0; id < QUALITY_FIELDS; id++) {
            feed->usual.empty[id] /= 2;
            feed->usual.fields[id].named /= 2;
            feed->usual.fields[id].nulls /= 2;
        }
    }
    feed->usual.upserts += feed->window.upserts;
    feed->usual.wholes += feed->window.wholes;
    for (size_t id = 0; id < QUALITY_FIELDS; id++) {
        feed->usual.empty[id] += feed->window.empty[id];
        feed->usual.fields[id].named += feed->window.fields[id].named;
        feed->usual.fields[id].nulls += feed->window.fields[id].nulls;
    }
}

/* Names that came in this window are known from here on, or forgotten until they come again. */
static void names_learn(struct quality_feed *feed, bool teaches) {
    size_t kept = 0;
    for (size_t i = 0; i < feed->name_count; i++) {
        struct quality_name name = feed->names[i];
        if (name.fresh && !teaches) {
            continue;
        }
        name.fresh = false;
        feed->names[kept++] = name;
    }
    feed->name_count = kept;
}

unsigned quality_feed_close(struct quality_feed *feed) {
    unsigned cleared = 0;
    for (size_t i = 0; i < QUALITY_MONITOR_COUNT; i++) {
        if (feed->raised[i] && !feed->struck[i]) {
            feed->raised[i] = false;
            cleared |= 1u << i;
        }
    }
    if (!feed->struck[QUALITY_NULLS] && !feed->struck[QUALITY_ABSENCE]) {
        shares_learn(feed);
    }
    names_learn(feed, !feed->struck[QUALITY_SCHEMA]);
    feed->windows += feed->window.upserts > 0;
    feed->relearn -= feed->relearn > 0;
    feed->window = (struct quality_counts){0};
    feed->future_ns_max = 0;
    memset(feed->struck, 0, sizeof feed->struck);
    return cleared;
}

/* ---- Checkpoints ---- */

static char *counts_put(char *at, const struct quality_counts *counts) {
    at = wire_put(at, counts->upserts, 8);
    for (size_t i = 0; i < QUALITY_FIELDS; i++) {
        at = wire_put(at, counts->fields[i].named, 8);
        at = wire_put(at, counts->fields[i].nulls, 8);
        at = wire_put(at, counts->empty[i], 8);
    }
    at = wire_put(at, counts->wholes, 8);
    at = wire_put(at, counts->unknown_names, 8);
    at = wire_put(at, counts->other_types, 8);
    at = wire_put(at, counts->unknown_versions, 8);
    at = wire_put(at, counts->future, 8);
    return wire_put(at, counts->refused_rows, 8);
}

static void counts_get(struct quality_counts *counts, struct wire_reader *reader) {
    counts->upserts = wire_get(reader, 8);
    for (size_t i = 0; i < QUALITY_FIELDS; i++) {
        counts->fields[i].named = wire_get(reader, 8);
        counts->fields[i].nulls = wire_get(reader, 8);
        counts->empty[i] = wire_get(reader, 8);
    }
    counts->wholes = wire_get(reader, 8);
    counts->unknown_names = wire_get(reader, 8);
    counts->other_types = wire_get(reader, 8);
    counts->unknown_versions = wire_get(reader, 8);
    counts->future = wire_get(reader, 8);
    counts->refused_rows = wire_get(reader, 8);
}

_Static_assert(QUALITY_NAMES_MAX * 10 + QUALITY_VERSIONS_MAX * 2 +
                       2 * 8 * (3 * QUALITY_FIELDS + 7) + 256 <
                   QUALITY_FEED_BYTES_MAX,
               "what is known fits the room of a checkpoint");

char *quality_feed_encode(const struct quality_feed *feed, char *at) {
    at = counts_put(at, &feed->window);
    at = counts_put(at, &feed->usual);
    at = wire_put(at, feed->windows, 8);
    at = wire_put(at, feed->relearn, 8);
    for (size_t i = 0; i < QUALITY_MONITOR_COUNT; i++) {
        at = wire_put(at, (uint64_t)(feed->struck[i] | feed->raised[i] << 1), 1);
    }
    at = wire_put(at, feed->name_count, 4);
    for (size_t i = 0; i < feed->name_count; i++) {
        at = wire_put(at, feed->names[i].hash, 8);
        at = wire_put(at, feed->names[i].types, 1);
        at = wire_put(at, feed->names[i].fresh, 1);
    }
    at = wire_put(at, feed->version_count, 4);
    for (size_t i = 0; i < feed->version_count; i++) {
        at = wire_put(at, feed->versions[i], 2);
    }
    return at;
}

void quality_feed_decode(struct quality_feed *feed, struct wire_reader *reader) {
    counts_get(&feed->window, reader);
    counts_get(&feed->usual, reader);
    feed->windows = wire_get(reader, 8);
    feed->relearn = wire_get(reader, 8);
    for (size_t i = 0; i < QUALITY_MONITOR_COUNT; i++) {
        uint64_t flags = wire_get(reader, 1);
        feed->struck[i] = (flags & 1) != 0;
        feed->raised[i] = (flags & 2) != 0;
    }
    size_t names = (size_t)wire_get(reader, 4);
    for (size_t i = 0; i < names && i < QUALITY_NAMES_MAX && !reader->failed; i++) {
        struct quality_name *name = &feed->names[feed->name_count++];
        name->hash = wire_get(reader, 8);
        name->types = (uint8_t)wire_get(reader, 1);
        name->fresh = wire_get(reader, 1) != 0;
    }
    size_t versions = (size_t)wire_get(reader, 4);
    for (size_t i = 0; i < versions && i < QUALITY_VERSIONS_MAX && !reader->failed; i++) {
        feed->versions[feed->version_count++] = (uint16_t)wire_get(reader, 2);
    }
}
