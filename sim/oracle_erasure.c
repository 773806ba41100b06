/*
 * Whether erasures reach every store in time and for good (A12).
 *
 * The oracle hears who asked for what, and looks at the stores themselves: when a certificate is
 * written, which must not be earlier than the truth; when the time is up; and at the end, when
 * nothing may have come back. Which rows are from before an erasure it tells by the erasure's
 * position in the listing log, as it heard it appended; what a checkpoint must not hold, by the
 * texts that were said.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/dead_letter.h"
#include "pipeline/erasure.h"
#include "pipeline/little_endian.h"
#include "sim/fake_state_store.h"
#include "sim/oracle_parts.h"

void erasure_release(struct oracle *o) {
    for (size_t i = 0; i < o->erasure_count; i++) {
        id_map_release(&o->erasures[i].ids);
    }
    free(o->erasures);
    free(o->erasure_news);
}

static const char *scope_name(enum erasure_scope scope) {
    return scope == ERASURE_SELLER ? "seller" : "listing";
}

/* ---- Looking at the stores ---- */

struct erasure_eye {
    struct oracle *o;
    const struct erasure_case *of;
    vtime now;
    const char *when;
    uint64_t listing_id;
};

static void found(const struct erasure_eye *eye, const char *where, uint64_t count) {
    if (count > 0) {
        check_violated(eye->o, CHECK_ERASURE, eye->now,
                       "%s: %" PRIu64 " of listing %" PRIu64 " in %s, erased with %s %" PRIu64
                       " as of %s",
                       eye->when, count, eye->listing_id, where, scope_name(eye->of->scope),
                       eye->of->id, moment_text(eye->of->stamp.ts).text);
    }
}

/* A text that is looked for in a checkpoint. */
struct needle {
    const struct erasure_eye *eye;
    struct bytes text;
    bool said_since; /* after the erasure, so that its new life may hold it */
};

static bool holds(struct bytes hay, struct bytes text) {
    for (size_t at = 0; at + text.len <= hay.len; at++) {
        if (memcmp(hay.data + at, text.data, text.len) == 0) {
            return true;
        }
    }
    return false;
}

static void said_since(void *ctx, struct stamp stamp, struct bytes text) {
    struct needle *needle = ctx;
    if (stamp_compare(stamp, needle->eye->of->stamp) > 0 && holds(text, needle->text)) {
        needle->said_since = true;
    }
}

enum { NEEDLE_BYTES_MIN = 8 };

static void said(void *ctx, struct stamp stamp, struct bytes text) {
    const struct erasure_eye *eye = ctx;
    static const char *const groups[] = {"builder", "loader"};
    /* What the taxonomy says of a category is no seller's, and stays beside the erased listing. */
    if (stamp_compare(stamp, eye->of->stamp) > 0 || text.len < NEEDLE_BYTES_MIN ||
        reference_tables_name(eye->o->reference, text)) {
        return;
    }
    struct needle needle = {eye, text, false};
    reference_each_text(eye->o->reference, eye->listing_id, said_since, &needle);
    for (size_t i = 0; i < sizeof groups / sizeof *groups && !needle.said_since; i++) {
        const struct erasure_stores *stores = &eye->o->watched;
        uint32_t partitions = fake_kafka_partitions(stores->kafka, TOPIC_LISTING_LOG);
        uint32_t partition = topic_partition(eye->listing_id, partitions);
        struct bytes value =
            fake_state_store_value(stores->state, groups[i], partition, eye->listing_id);
        found(eye, groups[i], holds(value, text));
    }
}

/* The position below which nothing of the listing may be kept; NONE when the log never told. */
static doc_version erased_from(const struct erasure_eye *eye) {
    const struct oracle_listing *l = oracle_listing_find(eye->o, eye->listing_id);
    return l != NULL && stamp_compare(l->view.erased, eye->of->stamp) >= 0 ? l->history_from
                                                                           : DOC_VERSION_NONE;
}

/* When the log first told of an erasure that covers this one; the beginning of time when it did
 * not. */
static vtime told_at(const struct erasure_eye *eye) {
    for (size_t i = 0; i < eye->o->erasure_news_count; i++) {
        const struct erasure_news *news = &eye->o->erasure_news[i];
        if (news->listing_id == eye->listing_id &&
            stamp_compare(news->stamp, eye->of->stamp) >= 0) {
            return news->at;
        }
    }
    return (vtime){INT64_MIN};
}

/* Archived embeddings that were stored before the log told of the erasure. */
static void look_at_artifacts(const struct erasure_eye *eye) {
    struct fake_object_store *objects = eye->o->watched.objects;
    size_t count = fake_object_store_count(objects, eye->now);
    vtime told = told_at(eye);
    uint64_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct object_info object = fake_object_store_object(objects, i);
        kept += object.key.listing_id == eye->listing_id && object.end == OBJECT_KEPT &&
                object.stored.ns <= told.ns;
    }
    found(eye, "the artifacts", kept);
}

static void look_at_listing(struct erasure_eye *eye, uint64_t listing_id) {
    struct oracle *o = eye->o;
    const struct erasure_stores *stores = &o->watched;
    eye->listing_id = listing_id;
    o->checks[CHECK_ERASURE].looked_at++;
    doc_version version = erased_from(eye);
    struct warehouse_held held;
    if (fake_warehouse_held(stores->warehouse, eye->now, listing_id, eye->of->stamp, version,
                            &held) != 0) {
        o->out_of_memory = true;
        return;
    }
    found(eye, "the pipeline, which never told the log,", version == DOC_VERSION_NONE);
    found(eye, "bronze", held.bronze);
    found(eye, "silver", held.silver);
    found(eye, "gold", held.gold);
    found(eye, "the time travel", held.time_travel);
    found(eye, "the fail-safe", held.fail_safe);
    found(eye, "the vector collections", fake_vector_db_held(stores->vectors, listing_id, version));
    found(eye, "the keyword index", fake_keyword_held(stores->keyword, listing_id, version));
    int source = fake_oltp_held(stores->oltp, listing_id, eye->of->stamp);
    found(eye, "oltp", source == 1);
    look_at_artifacts(eye);
    reference_each_text(o->reference, listing_id, said, eye);
}

static bool is_subject(const struct oracle *o, const struct erasure_case *of, uint64_t listing_id) {
    return of->scope == ERASURE_LISTING ? of->id == listing_id
                                        : reference_names_seller(o->reference, listing_id, of->id);
}

/* What was sent before the erasure was asked for, whatever it is. Of the same bytes sent twice the
 * time of the first is known: the feed took what is meant within the allowed lateness. */
static bool letter_is_erased(const struct erasure_eye *eye, const struct dead_letter *letter) {
    const struct oracle *o = eye->o;
    bool by_listing = letter->topic == TOPIC_LISTING || letter->topic == TOPIC_MEDIA ||
                      letter->topic == TOPIC_ORDER || letter->topic == TOPIC_LISTING_LOG;
    uint32_t at = id_map_get(&o->poison_index, poison_key(letter->value));
    return by_listing && is_subject(o, eye->of, letter->key) && at != ID_MAP_NONE &&
           o->poisons[at].at.ns <= eye->of->stamp.ts.ns &&
           vtime_diff(letter->append, eye->of->stamp.ts) <= o->options.allowed_lateness_ns;
}

/* True when the ids of a certificate have this one; all have it where there is no certificate. */
static bool certificate_names(const struct record *certificate, uint64_t listing_id) {
    bool named = certificate == NULL;
    for (size_t i = 0; !named && i + 8 <= certificate->certificate_ids.len; i += 8) {
        named = le64_get(certificate->certificate_ids.data + i) == listing_id;
    }
    return named;
}

/* Looks for letters of the listings that a certificate names, or (NULL) of all. It speaks for no
 * others: a letter of theirs that a replay has just written again is not compacted away yet, and
 * what the log tells of later is named by another certificate. */
static void look_at_letters(struct erasure_eye *eye, const struct record *certificate) {
    struct fake_kafka *kafka = eye->o->watched.kafka;
    for (uint32_t p = 0; p < fake_kafka_partitions(kafka, TOPIC_DEAD_LETTER); p++) {
        struct fake_kafka_partition partition = fake_kafka_partition(kafka, TOPIC_DEAD_LETTER, p);
        for (int64_t at = partition.start; at < partition.end; at++) {
            const struct log_record *record = fake_kafka_record(kafka, TOPIC_DEAD_LETTER, p, at);
            struct dead_letter letter;
            if (record != NULL && record->value.len > 0 &&
                dead_letter_decode(record->value, &letter) == 0 &&
                certificate_names(certificate, letter.key) && letter_is_erased(eye, &letter)) {
                eye->listing_id = letter.key;
                found(eye, "the dead letters", 1);
            }
        }
    }
}

/* What was said of a listing in (after, until]. */
struct span {
    struct stamp after, until;
    bool any;
};

static void said_within(void *ctx, struct stamp stamp, struct bytes text) {
    struct span *span = ctx;
    (void)text;
    span->any |= stamp_compare(stamp, span->after) > 0 && stamp_compare(stamp, span->until) <= 0;
}

/* True when the listing's erasure by this request had something to erase: what an erasure before
 * it took, and with it whose listing it was, is that one's to certify. */
static bool had_something(const struct erasure_eye *eye, uint64_t listing_id) {
    const struct oracle *o = eye->o;
    struct span span = {.after = STAMP_NONE, .until = eye->of->stamp};
    for (size_t i = 0; i < o->erasure_count; i++) {
        const struct erasure_case *other = &o->erasures[i];
        if (stamp_compare(other->stamp, span.until) < 0 &&
            stamp_compare(other->stamp, span.after) > 0 && is_subject(o, other, listing_id)) {
            span.after = other->stamp;
        }
    }
    reference_each_text(o->reference, listing_id, said_within, &span);
    return span.any;
}

/* The log told of the listing's erasure, and there was something to erase. */
static bool is_to_be_certified(const struct erasure_eye *eye, uint64_t listing_id) {
    const struct oracle_listing *l = oracle_listing_find(eye->o, listing_id);
    return l != NULL && l->view.known && is_subject(eye->o, eye->of, listing_id) &&
           had_something(eye, listing_id);
}

static bool is_certified(const struct erasure_case *of, uint64_t listing_id) {
    return id_map_get(&of->ids, listing_id) != ID_MAP_NONE;
}

/* Ids of listings that are still to be certified; how many, with the first in *first. */
static uint64_t uncertified(struct oracle *o, const struct erasure_case *of, uint64_t *first) {
    struct erasure_eye eye = {.o = o, .of = of};
    const uint64_t *ids;
    size_t count;
    uint64_t found_count = 0;
    if (of->scope == ERASURE_LISTING) {
        return 0;
    }
    if (reference_ids(o->reference, &ids, &count) != 0) {
        o->out_of_memory = true;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_certified(of, ids[i]) && is_to_be_certified(&eye, ids[i])) {
            *first = found_count++ == 0 ? ids[i] : *first;
        }
    }
    return found_count;
}

/* Looks for every listing that was certified. */
static void look_at_certified(struct erasure_eye *eye) {
    const uint64_t *ids;
    size_t count;
    if (reference_ids(eye->o->reference, &ids, &count) != 0) {
        eye->o->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_certified(eye->of, ids[i])) {
            look_at_listing(eye, ids[i]);
        }
    }
}

/* ---- Hearing ---- */

void erasure_asked(struct oracle *o, vtime now, const struct workload_op *op) {
    if (ARRAY_RESERVE(o->erasures, o->erasure_capacity, o->erasure_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    o->erasures[o->erasure_count++] = (struct erasure_case){
        .scope = op->erasure, .id = op->key, .stamp = op->stamp, .asked = now};
    id_map_init(&o->erasures[o->erasure_count - 1].ids);
    o->erasures_open++;
}

void erasure_told(struct oracle *o, vtime at, uint64_t listing_id, struct stamp stamp) {
    if (ARRAY_RESERVE(o->erasure_news, o->erasure_news_capacity, o->erasure_news_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    o->erasure_news[o->erasure_news_count++] = (struct erasure_news){listing_id, stamp, at};
}

static struct erasure_case *case_of(struct oracle *o, const struct record *certificate) {
    for (size_t i = 0; i < o->erasure_count; i++) {
        struct erasure_case *of = &o->erasures[i];
        if (of->scope == certificate->erasure_scope && of->id == certificate->erasure_id &&
            stamp_compare(of->stamp, certificate->stamp) == 0) {
            return of;
        }
    }
    return NULL;
}

/* A certificate names every place, and found nothing there after it was asked for. */
static bool looks_hold(const struct erasure_case *of, const struct record *certificate, vtime now) {
    struct erasure_look looks[ERASURE_PLACE_COUNT];
    if (erasure_looks_decode(certificate->certificate_looks, looks) != ERASURE_PLACE_COUNT) {
        return false;
    }
    for (size_t i = 0; i < ERASURE_PLACE_COUNT; i++) {
        bool examined = looks[i].examined > 0 || certificate->certificate_ids.len == 0;
        if (!examined || looks[i].found != 0 || vtime_before(looks[i].at, of->asked) ||
            vtime_before(now, looks[i].at)) {
            return false;
        }
    }
    return true;
}

/* A later erasure of the listing is not certified yet: what it found of a new life may be there. */
static bool is_erased_again(const struct oracle *o, const struct erasure_case *of,
                            uint64_t listing_id) {
    for (size_t i = 0; i < o->erasure_count; i++) {
        const struct erasure_case *other = &o->erasures[i];
        if (stamp_compare(other->stamp, of->stamp) > 0 && is_subject(o, other, listing_id) &&
            !is_certified(other, listing_id)) {
            return true;
        }
    }
    return false;
}

void erasure_certified(struct oracle *o, vtime now, struct bytes value) {
    struct record record;
    struct record_error error;
    o->checks[CHECK_ERASURE].looked_at++;
    if (record_decode(value, &record, &error) != 0 || record.type != RECORD_CERTIFICATE) {
        check_violated(o, CHECK_ERASURE, now, "a certificate that cannot be read");
        return;
    }
    struct erasure_case *of = case_of(o, &record);
    if (of == NULL) {
        check_violated(o, CHECK_ERASURE, now, "a certificate that nobody asked for: %s %" PRIu64,
                       scope_name(record.erasure_scope), record.erasure_id);
        return;
    }
    if (!looks_hold(of, &record, now)) {
        check_violated(o, CHECK_ERASURE, now,
                       "the certificate of %s %" PRIu64 " does not say that every place is empty",
                       scope_name(of->scope), of->id);
    }
    if (record.certificate_wave == 0 && !of->certified) {
        of->certified = true;
        of->certified_at = now;
        o->erasures_open--;
        o->counts.erasures++;
        int64_t took_ns = vtime_diff(now, of->asked);
        o->erasure_longest_ns = took_ns > o->erasure_longest_ns ? took_ns : o->erasure_longest_ns;
    }
    struct erasure_eye eye = {.o = o, .of = of, .now = now, .when = "certified"};
    for (size_t i = 0; i + 8 <= record.certificate_ids.len; i += 8) {
        uint64_t listing_id = le64_get(record.certificate_ids.data + i);
        if (id_map_put_index(&of->ids, listing_id, 1) != 0) {
            o->out_of_memory = true;
            return;
        }
        if (o->watched.kafka != NULL && is_to_be_certified(&eye, listing_id) &&
            !is_erased_again(o, of, listing_id)) {
            look_at_listing(&eye, listing_id);
        }
    }
    if (o->watched.kafka != NULL) {
        look_at_letters(&eye, &record);
    }
}

void erasure_log(struct oracle *o, vtime now, enum topic_id topic, const struct record *record) {
    if (o->erasure_count == 0 || (record->type != RECORD_LISTING && record->type != RECORD_MEDIA)) {
        return;
    }
    for (size_t i = 0; i < o->erasure_count; i++) {
        const struct erasure_case *of = &o->erasures[i];
        if (stamp_compare(record->stamp, of->stamp) <= 0 && is_certified(of, record->subject_id)) {
            check_violated(o, CHECK_ERASURE, now,
                           "listing %" PRIu64 " came back into %s, erased with %s %" PRIu64
                           " and certified at %s",
                           record->subject_id, topic_name(topic), scope_name(of->scope), of->id,
                           moment_text(of->certified_at).text);
        }
    }
}

/* ---- Judgement ---- */

void erasure_tick(struct oracle *o, vtime now) {
    for (size_t i = 0; i < o->erasure_count && o->watched.kafka != NULL; i++) {
        struct erasure_case *of = &o->erasures[i];
        if (of->judged || vtime_diff(now, of->asked) <= o->options.erasure_within_ns) {
            continue;
        }
        of->judged = true;
        if (!of->certified) {
            check_violated(o, CHECK_ERASURE, now,
                           "%s %" PRIu64 ", asked to be erased at %s, has no certificate",
                           scope_name(of->scope), of->id, moment_text(of->asked).text);
        }
        struct erasure_eye eye = {.o = o, .of = of, .now = now, .when = "time is up"};
        look_at_certified(&eye);
        look_at_letters(&eye, NULL);
    }
}

/* What comes to light after another erasure of the same is certified with that one. */
static bool is_superseded(const struct oracle *o, const struct erasure_case *of) {
    for (size_t i = 0; i < o->erasure_count; i++) {
        const struct erasure_case *other = &o->erasures[i];
        if (other->scope == of->scope && other->id == of->id &&
            stamp_compare(other->stamp, of->stamp) > 0) {
            return true;
        }
    }
    return false;
}

/* How many requests have no certificate, or one that does not name all. */
static uint64_t cases_open(struct oracle *o) {
    uint64_t open = 0;
    for (size_t i = 0; i < o->erasure_count; i++) {
        const struct erasure_case *of = &o->erasures[i];
        uint64_t first;
        open += !of->certified || (!is_superseded(o, of) && uncertified(o, of, &first) > 0);
    }
    return open;
}

#define LOOK_EVERY_NS VTIME_MINUTE

uint64_t erasure_waiting(struct oracle *o) {
    if (o->erasures_open > 0 || o->erasure_count == 0) {
        return o->erasures_open;
    }
    /* Costly, and asked often: once in a while will do. */
    if (o->erasures_counted.ns == 0 || vtime_diff(o->now, o->erasures_counted) >= LOOK_EVERY_NS) {
        o->erasures_counted = o->now;
        o->erasures_waiting = cases_open(o);
    }
    return o->erasures_waiting;
}

void erasure_finish(struct oracle *o, vtime now) {
    for (size_t i = 0; i < o->erasure_count && o->watched.kafka != NULL; i++) {
        const struct erasure_case *of = &o->erasures[i];
        if (!of->certified) {
            continue; /* its time is not up, or it was judged when it was */
        }
        struct erasure_eye eye = {.o = o, .of = of, .now = now, .when = "at the end"};
        look_at_certified(&eye);
        look_at_letters(&eye, NULL);
        uint64_t first = 0;
        uint64_t left = is_superseded(o, of) ? 0 : uncertified(o, of, &first);
        if (left > 0) {
            check_violated(o, CHECK_ERASURE, now,
                           "the certificates of %s %" PRIu64 " do not name %" PRIu64
                           " listings, %" PRIu64 " the first of them",
                           scope_name(of->scope), of->id, left, first);
        }
    }
}

struct oracle_erasures oracle_erasures(const struct oracle *o) {
    return (struct oracle_erasures){.asked = o->erasure_count,
                                    .certified = o->counts.erasures,
                                    .longest_ns = o->erasure_longest_ns};
}

void erasure_watch(struct oracle *o, const struct erasure_stores *stores) {
    o->watched = *stores;
}

void oracle_watch(struct oracle *o, struct simulation *s) {
    log_history_watch(o, simulation_kafka(s));
    erasure_watch(o, &(struct erasure_stores){simulation_oltp(s), simulation_warehouse(s),
                                              simulation_vector_db(s), simulation_keyword(s),
                                              simulation_kafka(s), simulation_state_store(s),
                                              simulation_object_store(s)});
}
