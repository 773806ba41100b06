/*
 * The audit streams of listings (B8), read from the warehouse at the end: of each listing the
 * events are numbered without gap, each verifies against the one before it, and those that readers
 * saw are the positions at which the log changed what readers see, no more and no fewer. Of a
 * sample, or of all in a small run, the raw records behind the events are read too: they have the
 * hash that the stream tells, none is there twice, and folded by the reference they are the
 * listing as it is.
 */
#include <inttypes.h>
#include <stdlib.h>

#include <xxhash.h>

#include "pipeline/array.h"
#include "sim/oracle_parts.h"

/* Events whose raw records are read: reading all of a large run would double the judgement. */
enum { EVENTS_READ_MAX = 1024 };

struct streams {
    struct comparison *c;
    const struct warehouse_events *events;
    uint32_t *order;             /* of the rows */
    size_t at;                   /* in the order */
    size_t position;             /* in the oracle's positions */
    size_t listings, read_every; /* every how-manyeth listing's records are read */
    struct audit_event *line;    /* events of the listing at hand, then those on its line alone */
    enum audit_place *places;
    size_t *parents;
    size_t count, capacity, place_capacity, parent_capacity;
    uint64_t *seen; /* hashes of the records of the listing at hand */
    size_t seen_capacity;
    char *bytes;
    size_t bytes_capacity;
};

static const struct audit_event *event_at(const struct streams *s, size_t i) {
    return &s->events->rows[s->order[i]].event;
}

static void violated(struct streams *s, const struct audit_event *event, const char *what) {
    check_violated(s->c->o, CHECK_AUDIT_STREAM, s->c->now,
                   "listing %" PRIu64 ", event %" PRIu64 ", version %" PRId64 ": %s",
                   event->listing_id, event->sequence, event->version, what);
}

/* ---- The chain ---- */

/* Event i follows from none before it, or it should not be there. */
static void tell_broken(struct streams *s, size_t i) {
    const struct audit_event *event = &s->line[i];
    uint64_t before = i == 0 ? 0 : s->line[i - 1].sequence;
    violated(s, event,
             event->sequence == before       ? "is there twice"
             : event->sequence == before + 1 ? "its digest is not that of what it says and the one "
                                               "before it"
                                             : "the one before it is missing");
}

/* Takes the events of the next listing, and leaves those of its line: false when they do not hold.
 */
static int take_line(struct streams *s, bool *holds) {
    uint64_t id = event_at(s, s->at)->listing_id;
    for (s->count = 0; s->at < s->events->count && event_at(s, s->at)->listing_id == id; s->at++) {
        if (ARRAY_RESERVE(s->line, s->capacity, s->count + 1) != 0) {
            return -1;
        }
        s->line[s->count++] = *event_at(s, s->at);
    }
    if (ARRAY_RESERVE(s->places, s->place_capacity, s->count) != 0 ||
        ARRAY_RESERVE(s->parents, s->parent_capacity, s->count) != 0) {
        return -1;
    }
    s->c->o->checks[CHECK_AUDIT_STREAM].looked_at += s->count;
    size_t broken = audit_line(s->line, s->count, s->places, s->parents);
    *holds = broken == s->count;
    if (!*holds) {
        tell_broken(s, broken);
        return 0;
    }
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->places[i] == AUDIT_ON_LINE) {
            s->line[kept++] = s->line[i];
        }
    }
    s->count = kept;
    for (size_t i = 1; i < kept; i++) {
        if (s->line[i].version <= s->line[i - 1].version) {
            violated(s, &s->line[i], "is no later in the log than the one before it");
        }
    }
    return 0;
}

static void untold(struct streams *s, const struct position *position) {
    const struct oracle_listing *l = oracle_listing_find(s->c->o, position->listing_id);
    if (!is_torn(l, position->version)) {
        check_violated(s->c->o, CHECK_AUDIT_STREAM, s->c->now,
                       "listing %" PRIu64 ": version %" PRId64
                       ", which readers saw, is no event of its stream",
                       position->listing_id, position->version);
    }
}

/* The events that readers saw against the positions of the log. Where the log lost records it is
 * not told whether a reader had seen them. */
static void visible_compare(struct streams *s) {
    struct oracle *o = s->c->o;
    uint64_t id = s->line[0].listing_id;
    const struct oracle_listing *l = oracle_listing_find(o, id);
    for (; s->position < o->position_count && o->positions[s->position].listing_id < id;
         s->position++) {
        untold(s, &o->positions[s->position]);
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct audit_event *event = &s->line[i];
        bool there = false;
        if (!event->visible) {
            continue;
        }
        for (; s->position < o->position_count && o->positions[s->position].listing_id == id &&
               o->positions[s->position].version <= event->version;
             s->position++) {
            there = o->positions[s->position].version == event->version;
            if (!there) {
                untold(s, &o->positions[s->position]);
            }
        }
        if (!there && !is_torn(l, event->version)) {
            violated(s, event, "readers saw nothing of it");
        }
    }
    for (; s->position < o->position_count && o->positions[s->position].listing_id == id;
         s->position++) {
        untold(s, &o->positions[s->position]);
    }
}

/* ---- The records behind the events ---- */

/* The record without the place in its feed where it came from and who wrote it, as a hash: a repeat
 * has the same. */
static int content_hash(struct streams *s, struct bytes value, uint64_t *hash) {
    struct record record;
    struct record_error error;
    if (record_decode(value, &record, &error) != 0) {
        *hash = XXH3_64bits(value.data, value.len);
        return 0;
    }
    record.sections &= ~(unsigned)(SECTION_ORIGIN | SECTION_WRITER);
    if (ARRAY_RESERVE(s->bytes, s->bytes_capacity, value.len + RECORD_SECTIONS_MAX) != 0) {
        return -1;
    }
    int64_t length = record_reframe(value, &record, s->bytes, s->bytes_capacity);
    *hash = XXH3_64bits(s->bytes, (size_t)length);
    return 0;
}

/* Said again because a log, or its reader, may have lost it: an event of its own. */
static bool is_retold(const struct streams *s, struct bytes value,
                      const struct audit_event *event) {
    struct record record;
    struct record_error error;
    if (is_torn(oracle_listing_find(s->c->o, event->listing_id), event->version)) {
        return true;
    }
    return record_decode(value, &record, &error) == 0 &&
           ((record.sections & SECTION_REPAIR) != 0 ||
            ((record.sections & SECTION_AGAIN) != 0 && doc_version_epoch(event->version) > 0));
}

/* 1 when the record is read and in order, 0 when bronze does not hold it, -1 without memory. */
static int record_read(struct streams *s, const struct audit_event *event, size_t seen,
                       struct reference *fold) {
    struct bytes value;
    int found = fake_warehouse_raw(s->c->stores->warehouse, TOPIC_LISTING_LOG,
                                   topic_partition(event->listing_id, s->c->stores->partitions),
                                   doc_version_epoch(event->version),
                                   doc_version_offset(event->version), &value);
    if (found != 1) {
        return found;
    }
    struct sha256 hash = sha256_of(value.data, value.len);
    if (memcmp(hash.bytes, event->payload.bytes, SHA256_BYTES) != 0) {
        violated(s, event, "bronze has other bytes than it tells of");
    }
    if (content_hash(s, value, &s->seen[seen]) != 0 || reference_add(fold, value) < 0) {
        return -1;
    }
    for (size_t i = 0; i < seen && !is_retold(s, value, event); i++) {
        if (s->seen[i] == s->seen[seen]) {
            violated(s, event, "says once more what an earlier one said");
            break;
        }
    }
    return 1;
}

static bool same_text(struct bytes a, struct bytes b) {
    return (a.data == NULL) == (b.data == NULL) && bytes_equal(a, b);
}

static bool same_images(const struct reference_document *a, const struct reference_document *b) {
    bool same = a->image_count == b->image_count;
    for (size_t i = 0; same && i < a->image_count; i++) {
        same = a->images[i].image_id == b->images[i].image_id &&
               bytes_equal(a->images[i].descriptor, b->images[i].descriptor);
    }
    return same;
}

static bool same_attributes(const struct reference_document *a,
                            const struct reference_document *b) {
    bool same = a->attribute_count == b->attribute_count;
    for (size_t i = 0; same && i < a->attribute_count; i++) {
        const struct field *x = &a->attributes[i], *y = &b->attributes[i];
        same = bytes_equal(x->name, y->name) && x->type == y->type && x->integer == y->integer &&
               bytes_equal(x->text, y->text);
    }
    return same;
}

/* What the listing's own events say of it; the tables' part is told with them. */
static const char *fold_differs(const struct reference_document *a,
                                const struct reference_document *b) {
    if (a->alive != b->alive) {
        return "alive";
    }
    if (!a->alive) {
        return NULL;
    }
    return a->suppressed != b->suppressed               ? "policy status"
           : a->seller_id != b->seller_id               ? "seller"
           : a->price != b->price                       ? "price"
           : !same_text(a->title, b->title)             ? "title"
           : !same_text(a->description, b->description) ? "description"
           : !same_text(a->locale, b->locale)           ? "locale"
           : !same_text(a->category, b->category)       ? "category"
           : !same_attributes(a, b)                     ? "attributes"
           : !same_images(a, b)                         ? "images"
                                                        : NULL;
}

/* Folds the records of a listing's events, where bronze holds them all. */
static int records_compare(struct streams *s) {
    struct oracle *o = s->c->o;
    struct reference *fold = reference_new();
    int answer = 1;
    if (fold == NULL || ARRAY_RESERVE(s->seen, s->seen_capacity, s->count) != 0) {
        answer = -1;
    } else {
        reference_orphans_after(fold, o->options.orphan_after_ns);
    }
    for (size_t i = 0; i < s->count && answer == 1; i++) {
        answer = record_read(s, &s->line[i], i, fold);
    }
    uint64_t id = s->line[0].listing_id;
    struct reference_document replayed, present;
    if (answer == 1 && (reference_listing(fold, id, &replayed) < 0 ||
                        reference_listing(o->reference, id, &present) < 0)) {
        answer = -1;
    }
    const char *differs = answer == 1 ? fold_differs(&replayed, &present) : NULL;
    if (differs != NULL) {
        check_violated(o, CHECK_AUDIT_STREAM, s->c->now,
                       "listing %" PRIu64 ": its %zu events, replayed, are not what it is: %s", id,
                       s->count, differs);
    }
    reference_free(fold);
    return answer < 0 ? -1 : 0;
}

/* ---- The whole ---- */

static int stream_compare(struct streams *s) {
    bool holds;
    if (take_line(s, &holds) != 0) {
        return -1;
    }
    visible_compare(s);
    return holds && s->listings++ % s->read_every == 0 ? records_compare(s) : 0;
}

void stream_compare_all(struct comparison *c) {
    struct oracle *o = c->o;
    struct streams s = {.c = c, .events = fake_warehouse_events(c->stores->warehouse)};
    s.read_every = 1 + s.events->count / EVENTS_READ_MAX;
    int failed = warehouse_events_sorted(s.events, &s.order);
    if (o->position_count > 0) {
        qsort(o->positions, o->position_count, sizeof *o->positions, position_order);
    }
    while (failed == 0 && s.at < s.events->count) {
        failed = stream_compare(&s);
    }
    for (; failed == 0 && s.position < o->position_count; s.position++) {
        untold(&s, &o->positions[s.position]);
    }
    o->out_of_memory = o->out_of_memory || failed != 0;
    free(s.order);
    free(s.line);
    free(s.places);
    free(s.parents);
    free(s.seen);
    free(s.bytes);
}
