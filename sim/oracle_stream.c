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
    uint64_t *seen;              /* hashes of the records of the listing at hand */
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

/* One event behind the other; false when nothing behind it can be judged. */
static bool link_holds(struct streams *s, struct audit_chain *chain,
                       const struct audit_event *event, doc_version before) {
    if (event->sequence != chain->sequence + 1) {
        violated(s, event,
                 event->sequence == chain->sequence ? "is there twice"
                                                    : "the one before it is missing");
        return false;
    }
    if (event->version <= before) {
        violated(s, event, "is no later in the log than the one before it");
    }
    struct audit_event again = *event;
    audit_chain_add(chain, &again);
    if (memcmp(again.digest.bytes, event->digest.bytes, SHA256_BYTES) != 0) {
        violated(s, event, "its digest is not that of what it says and the one before it");
        return false;
    }
    return true;
}

/* Passes over positions up to that version of which not everybody knows. */
static void positions_pass_torn(struct streams *s, const struct oracle_listing *l,
                                doc_version upto) {
    const struct oracle *o = s->c->o;
    while (l != NULL && s->position < o->position_count &&
           o->positions[s->position].listing_id == l->id &&
           o->positions[s->position].version <= upto &&
           is_torn(l, o->positions[s->position].version)) {
        s->position++;
    }
}

/* Events that readers saw, [first, last), against the positions of the log. */
static void visible_compare(struct streams *s, size_t first, size_t last) {
    struct oracle *o = s->c->o;
    uint64_t id = event_at(s, first)->listing_id;
    for (; s->position < o->position_count && o->positions[s->position].listing_id < id;
         s->position++) {
        check_violated(o, CHECK_AUDIT_STREAM, s->c->now, "listing %" PRIu64 " has no event",
                       o->positions[s->position].listing_id);
    }
    const struct oracle_listing *l = oracle_listing_find(o, id);
    for (size_t i = first; i < last; i++) {
        const struct audit_event *event = event_at(s, i);
        positions_pass_torn(s, l, event->version);
        if (is_torn(l, event->version)) {
            continue;
        }
        bool more = s->position < o->position_count && o->positions[s->position].listing_id == id;
        if (!event->visible) {
            continue;
        }
        if (more && o->positions[s->position].version == event->version) {
            s->position++;
            continue;
        }
        violated(s, event,
                 more && o->positions[s->position].version < event->version
                     ? "one that readers saw before it is missing"
                     : "readers saw nothing of it");
        break;
    }
    positions_pass_torn(s, l, INT64_MAX);
    for (; s->position < o->position_count && o->positions[s->position].listing_id == id;
         s->position++) {
        check_violated(o, CHECK_AUDIT_STREAM, s->c->now,
                       "listing %" PRIu64 ": version %" PRId64
                       ", which readers saw, is no event of its stream",
                       id, o->positions[s->position].version);
    }
}

/* ---- The records behind the events ---- */

/* The record without the place in its feed where it came from, as a hash: a repeat has the same. */
static int content_hash(struct streams *s, struct bytes value, uint64_t *hash) {
    struct record record;
    struct record_error error;
    if (record_decode(value, &record, &error) != 0) {
        *hash = XXH3_64bits(value.data, value.len);
        return 0;
    }
    record.sections &= ~(unsigned)SECTION_ORIGIN;
    if (ARRAY_RESERVE(s->bytes, s->bytes_capacity, value.len + RECORD_SECTIONS_MAX) != 0) {
        return -1;
    }
    int64_t length = record_reframe(value, &record, s->bytes, s->bytes_capacity);
    *hash = XXH3_64bits(s->bytes, (size_t)length);
    return 0;
}

/* It is told once more since a leader change may have lost it: an event of its own. */
static bool told_again(struct bytes value, doc_version version) {
    struct record record;
    struct record_error error;
    return doc_version_epoch(version) > 0 && record_decode(value, &record, &error) == 0 &&
           (record.sections & (SECTION_REPAIR | SECTION_AGAIN)) != 0;
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
    for (size_t i = 0; i < seen; i++) {
        if (s->seen[i] == s->seen[seen] && !told_again(value, event->version)) {
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

/* Folds the records of a listing's events, [first, last), where bronze holds them all. */
static int records_compare(struct streams *s, size_t first, size_t last) {
    struct oracle *o = s->c->o;
    struct reference *fold = reference_new();
    int answer = 1;
    if (fold == NULL || ARRAY_RESERVE(s->seen, s->seen_capacity, last - first) != 0) {
        answer = -1;
    } else {
        reference_orphans_after(fold, o->options.orphan_after_ns);
    }
    for (size_t i = first; i < last && answer == 1; i++) {
        answer = record_read(s, event_at(s, i), i - first, fold);
    }
    uint64_t id = event_at(s, first)->listing_id;
    struct reference_document replayed, present;
    if (answer == 1 && (reference_listing(fold, id, &replayed) < 0 ||
                        reference_listing(o->reference, id, &present) < 0)) {
        answer = -1;
    }
    const char *differs = answer == 1 ? fold_differs(&replayed, &present) : NULL;
    if (differs != NULL) {
        check_violated(o, CHECK_AUDIT_STREAM, s->c->now,
                       "listing %" PRIu64 ": its %zu events, replayed, are not what it is: %s", id,
                       last - first, differs);
    }
    reference_free(fold);
    return answer < 0 ? -1 : 0;
}

/* ---- The whole ---- */

static int stream_compare(struct streams *s) {
    size_t first = s->at;
    uint64_t id = event_at(s, first)->listing_id;
    struct audit_chain chain = {0};
    doc_version before = DOC_VERSION_NONE;
    bool holds = true;
    for (; s->at < s->events->count && event_at(s, s->at)->listing_id == id; s->at++) {
        const struct audit_event *event = event_at(s, s->at);
        holds = holds && link_holds(s, &chain, event, before);
        before = event->version;
    }
    s->c->o->checks[CHECK_AUDIT_STREAM].looked_at += s->at - first;
    visible_compare(s, first, s->at);
    return s->listings++ % s->read_every == 0 ? records_compare(s, first, s->at) : 0;
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
        check_violated(o, CHECK_AUDIT_STREAM, c->now, "listing %" PRIu64 " has no event",
                       o->positions[s.position].listing_id);
    }
    o->out_of_memory = o->out_of_memory || failed != 0;
    free(s.order);
    free(s.seen);
    free(s.bytes);
}
