/*
 * The log itself (C2), in the words of Jepsen's tests of Kafka: what producers were told is held
 * against what was appended, and what readers were told against both.
 *
 *   lost-write            acknowledged, and not there: never appended, or gone with a leader and
 *                         not said again
 *   inconsistent-offsets  one offset of one leader holds one record for its producer and another
 *                         for a reader
 *   nonmonotonic-poll     an answer goes back, or begins before what was asked for
 *   poll-skip             a group went on behind records that nobody of it had read
 *   unseen                a record that a group had not read in the end
 *
 * A group need not read what came of age unread, nor what went with a leader. What a feed passed on
 * to the listing log is not lost with the feed. Facts (a seller's
 * status, a row of a table) that are overtaken need not be said again; listings, media, orders and
 * erasures must be.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/xxh3.h"
#include "sim/oracle_parts.h"

/* A record that was appended. */
struct log_entry {
    int64_t offset;
    uint64_t hash; /* of its bytes */
    uint32_t epoch;
    uint64_t event;      /* where leaders may be unclean: as of a loss, or 0 */
    uint64_t listing_id; /* of the listing log and the audit topic: whom it is about, or 0 */
    doc_version version; /* of the audit topic: of which version */
};

/* One that went with its leader. */
struct log_loss {
    uint64_t event; /* hash of what it says of whom */
    bool listing;   /* by a seller, of a listing's own fields */
    bool whole;     /* of all of them: what came before is said with it */
    uint64_t listing_id;
    struct stamp stamp;
    int64_t offset;
    uint32_t partition;
    uint32_t epoch;
    vtime at;
};

/* One that was taken for a repeat of what is not there. It may be on its way: late, by a feed that
 * holds it back. */
struct log_promise {
    uint64_t hash;
    uint32_t partition;
    vtime at;
};

struct log_partition {
    struct log_entry *entries; /* ascending offsets */
    size_t count, capacity;
    int64_t read_upto[MACHINE_KIND_COUNT]; /* by group: all below it that is there was read */
    int64_t routed_at_cut; /* of a feed: the last that had been passed on when a leader went */
};

struct log_topic {
    struct log_partition *partitions;
    size_t partition_count, partition_capacity;
    struct log_loss *losses;
    size_t loss_count, loss_capacity;
    struct log_promise *promises;
    size_t promise_count, promise_capacity;
    uint64_t lost; /* ever, before anybody passed it on */
};

/* What expired before the loader read it. */
struct unread {
    struct gap_row *ranges;
    size_t range_count, range_capacity;
    struct log_entry *audits; /* of the audit topic */
    size_t audit_count, audit_capacity;
};

struct log_history {
    struct unread unread;
    struct log_topic topics[TOPIC_COUNT];
    const struct fake_kafka *kafka; /* what it keeps; NULL: everything */
    bool told;                      /* readers and producers are heard at all */
};

void log_history_release(struct oracle *o) {
    for (size_t i = 0; o->log != NULL && i < TOPIC_COUNT; i++) {
        struct log_topic *topic = &o->log->topics[i];
        for (size_t p = 0; p < topic->partition_count; p++) {
            free(topic->partitions[p].entries);
        }
        free(topic->partitions);
        free(topic->losses);
        free(topic->promises);
    }
    if (o->log != NULL) {
        free(o->log->unread.ranges);
        free(o->log->unread.audits);
    }
    free(o->log);
}

void log_history_watch(struct oracle *o, const struct fake_kafka *kafka) {
    o->log = o->log == NULL ? calloc(1, sizeof *o->log) : o->log;
    if (o->log == NULL) {
        o->out_of_memory = true;
        return;
    }
    o->log->kafka = kafka;
}

/* NULL when out of memory. */
static struct log_partition *partition_at(struct oracle *o, enum topic_id topic,
                                          uint32_t partition) {
    if (o->log == NULL) {
        o->log = calloc(1, sizeof *o->log);
    }
    if (o->log == NULL) {
        o->out_of_memory = true;
        return NULL;
    }
    struct log_topic *t = &o->log->topics[topic];
    while (t->partition_count <= partition) {
        if (ARRAY_RESERVE(t->partitions, t->partition_capacity, (size_t)partition + 1) != 0) {
            o->out_of_memory = true;
            return NULL;
        }
        t->partitions[t->partition_count++] = (struct log_partition){.routed_at_cut = -1};
    }
    return &t->partitions[partition];
}

/* Index of the first entry at or above the offset. */
static size_t entry_place(const struct log_partition *p, int64_t offset) {
    size_t low = 0, high = p->count;
    if (high > 0 && offset > p->entries[0].offset) {
        /* It is no further on than this, and mostly there: few offsets are left out. */
        uint64_t furthest = (uint64_t)offset - (uint64_t)p->entries[0].offset;
        if (furthest < high && p->entries[furthest].offset == offset) {
            return (size_t)furthest;
        }
        high = furthest < high ? (size_t)furthest : high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->entries[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct log_entry *entry_find(const struct log_partition *p, int64_t offset) {
    size_t at = entry_place(p, offset);
    return at < p->count && p->entries[at].offset == offset ? &p->entries[at] : NULL;
}

static uint64_t hash_of(struct bytes value) {
    return XXH3_64bits(value.data, value.len);
}

/* What a record says of whom: the same when it is said again. False when it need not be. */
static bool loss_of(enum topic_id topic, struct bytes value, struct log_loss *loss) {
    struct record record;
    struct record_error error;
    bool feed = topic < TOPIC_FEED_COUNT;
    if ((!feed && topic != TOPIC_LISTING_LOG && topic != TOPIC_LATE) ||
        (feed ? record_decode_claimed(value, &record, &error)
              : record_decode(value, &record, &error)) != 0) {
        return false;
    }
    if (record.type != RECORD_LISTING && record.type != RECORD_MEDIA &&
        record.type != RECORD_ORDER && record.type != RECORD_ERASURE) {
        return false;
    }
    uint64_t parts[] = {record.type, record.subject_id, (uint64_t)record.stamp.ts.ns,
                        record.stamp.id.hi, record.stamp.id.lo};
    loss->event = XXH3_64bits(parts, sizeof parts);
    loss->listing_id = record.subject_id;
    loss->stamp = record.stamp;
    loss->listing = record.type == RECORD_LISTING;
    loss->whole = loss->listing && (record.sections & SECTION_REPAIR) != 0;
    return true;
}

/* By the same record, or by reconciliation, which publishes the whole row once more. */
static bool says(const struct log_loss *again, const struct log_loss *loss) {
    return loss->event == again->event ||
           (again->whole && loss->listing && loss->listing_id == again->listing_id &&
            stamp_compare(loss->stamp, again->stamp) <= 0);
}

static void said_again(struct log_topic *t, enum topic_id topic, struct bytes value) {
    struct log_loss again;
    if (t->loss_count == 0 || !loss_of(topic, value, &again)) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < t->loss_count; i++) {
        if (!says(&again, &t->losses[i])) {
            t->losses[kept++] = t->losses[i];
        }
    }
    t->loss_count = kept;
}

static void promise_kept(struct log_topic *t, uint32_t partition, uint64_t hash) {
    size_t left = 0;
    for (size_t i = 0; i < t->promise_count; i++) {
        if (t->promises[i].partition != partition || t->promises[i].hash != hash) {
            t->promises[left++] = t->promises[i];
        }
    }
    t->promise_count = left;
}

void log_appended_note(struct oracle *o, enum topic_id topic, uint32_t partition,
                       const struct log_record *record) {
    struct log_partition *p = partition_at(o, topic, partition);
    if (p == NULL || ARRAY_RESERVE(p->entries, p->capacity, p->count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    struct log_loss said = {.event = 0};
    if (o->options.leaders_unclean) {
        loss_of(topic, record->value, &said);
    }
    p->entries[p->count++] = (struct log_entry){.offset = record->offset,
                                                .hash = hash_of(record->value),
                                                .epoch = record->epoch,
                                                .event = said.event};
    promise_kept(&o->log->topics[topic], partition, p->entries[p->count - 1].hash);
    said_again(&o->log->topics[topic], topic, record->value);
    if (topic == TOPIC_LISTING_LOG || topic == TOPIC_LATE) {
        said_again(&o->log->topics[TOPIC_LISTING], topic, record->value);
        said_again(&o->log->topics[TOPIC_MEDIA], topic, record->value);
    }
}

void log_subject_note(struct oracle *o, enum topic_id topic, uint32_t partition,
                      uint64_t listing_id, doc_version version) {
    struct log_partition *p = partition_at(o, topic, partition);
    if (p != NULL && p->count > 0) {
        p->entries[p->count - 1].listing_id = listing_id;
        p->entries[p->count - 1].version = version;
    }
}

/* What is left of the partition says it too: the record was a repeat, as of a feed that an operator
 * had read again. */
static bool still_said(const struct log_partition *p, uint64_t event) {
    for (size_t i = 0; i < p->count; i++) {
        if (p->entries[i].event == event) {
            return true;
        }
    }
    return false;
}

/* Records go from the lowest offset on; the entries that follow it go with the first of them. */
void log_truncated_note(struct oracle *o, vtime now, enum topic_id topic, uint32_t partition,
                        const struct log_record *record) {
    struct log_partition *p = partition_at(o, topic, partition);
    if (p == NULL) {
        return;
    }
    size_t kept = entry_place(p, record->offset);
    if (kept < p->count && topic < FEED_COUNT && partition < o->progress_count[topic]) {
        p->routed_at_cut = o->progress[topic][partition].routed;
    }
    p->count = kept;
    for (int kind = 0; kind < MACHINE_KIND_COUNT; kind++) {
        if (p->read_upto[kind] > record->offset) {
            p->read_upto[kind] = record->offset;
        }
    }
    bool routed = topic < FEED_COUNT && p->routed_at_cut >= record->offset;
    struct log_topic *t = &o->log->topics[topic];
    struct log_loss loss = {
        .offset = record->offset, .partition = partition, .epoch = record->epoch, .at = now};
    if (routed || !loss_of(topic, record->value, &loss) || still_said(p, loss.event)) {
        return; /* the feed has passed it on, or need not */
    }
    if (ARRAY_RESERVE(t->losses, t->loss_capacity, t->loss_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    t->losses[t->loss_count++] = loss;
    t->lost++;
}

uint64_t oracle_losses(const struct oracle *o, enum topic_id topic) {
    return o->log == NULL ? 0 : o->log->topics[topic].lost;
}

/* ---- Producers ---- */

void log_repeated_note(struct oracle *o, vtime now, const struct produce_item *item,
                       uint32_t partition, int64_t offset) {
    struct log_partition *p = partition_at(o, item->topic, partition);
    if (p == NULL) {
        return;
    }
    uint64_t hash = hash_of(item->value);
    bool there = false;
    if (offset >= 0) {
        const struct log_entry *entry = entry_find(p, offset);
        there = entry != NULL && entry->hash == hash;
    }
    for (size_t i = p->count; offset < 0 && i > 0 && !there; i--) {
        there = p->entries[i - 1].hash == hash;
    }
    o->checks[CHECK_LOG_WRITTEN].looked_at++;
    struct log_topic *t = &o->log->topics[item->topic];
    if (there) {
        return;
    }
    if (ARRAY_RESERVE(t->promises, t->promise_capacity, t->promise_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    t->promises[t->promise_count++] = (struct log_promise){hash, partition, now};
}

static void promises_judge(struct oracle *o, enum topic_id topic) {
    const struct log_topic *t = &o->log->topics[topic];
    for (size_t i = 0; i < t->promise_count; i++) {
        check_violated(o, CHECK_LOG_WRITTEN, t->promises[i].at,
                       "lost-write: %s/%" PRIu32 " took a record for a repeat that it never had",
                       topic_name(topic), t->promises[i].partition);
    }
}

static void produced(struct oracle *o, const struct event *event) {
    const struct effect *produce = event->answered;
    for (size_t i = 0; i < produce->produce.count; i++) {
        const struct produce_item *item = &produce->produce.items[i];
        const struct produce_result *result = &produce->produce.results[i];
        if (result->status != ITEM_APPLIED || result->offset < 0) {
            continue;
        }
        struct log_partition *p = partition_at(o, item->topic, result->partition);
        if (p == NULL) {
            return;
        }
        const struct log_entry *entry = entry_find(p, result->offset);
        o->checks[CHECK_LOG_WRITTEN].looked_at++;
        /* Another leader may have come while the answer was on its way; what it has not is a loss
         * that has to be said again. */
        uint32_t leader =
            o->log->kafka == NULL
                ? result->epoch
                : fake_kafka_partition(o->log->kafka, item->topic, result->partition).epoch;
        bool there = entry != NULL && entry->hash == hash_of(item->value);
        if (!there && leader == result->epoch) {
            check_violated(o, CHECK_LOG_WRITTEN, event->now,
                           "lost-write: %s/%" PRIu32 " acknowledged a record at offset %" PRId64
                           " and does not have it there",
                           topic_name(item->topic), result->partition, result->offset);
        }
    }
}

/* ---- Readers ---- */

static int64_t start_of(const struct oracle *o, enum topic_id topic, uint32_t partition) {
    return o->log->kafka == NULL ? 0 : fake_kafka_partition(o->log->kafka, topic, partition).start;
}

/* Which groups read a topic to its end. */
static unsigned readers_of(enum topic_id topic) {
    switch (topic) {
    case TOPIC_LISTING:
    case TOPIC_MEDIA:
    case TOPIC_POLICY:
    case TOPIC_PRIVACY:
    case TOPIC_REFERENCE:
        return 1u << MACHINE_ROUTER;
    case TOPIC_LISTING_LOG:
        return 1u << MACHINE_BUILDER | 1u << MACHINE_LOADER;
    case TOPIC_ORDER:
    case TOPIC_AUDIT:
        return 1u << MACHINE_LOADER;
    default:
        return 0;
    }
}

/* Records from the first that the group has not read up to `before` that it could still read. */
static size_t skipped(const struct oracle *o, const struct log_partition *p, enum topic_id topic,
                      uint32_t partition, int64_t from, int64_t before) {
    int64_t start = start_of(o, topic, partition);
    return entry_place(p, before) - entry_place(p, from > start ? from : start);
}

static void answer_check(struct oracle *o, const struct event *event,
                         const struct log_partition *p) {
    const struct effect *fetch = event->answered;
    int64_t least = fetch->fetch.offset;
    for (size_t i = 0; i < event->records.count; i++) {
        const struct log_record *record = &event->records.records[i];
        if (record->offset < least) {
            check_violated(o, CHECK_LOG_READ, event->now,
                           "nonmonotonic-poll: %s/%" PRIu32 " gave offset %" PRId64
                           " where %" PRId64 " was next",
                           topic_name(fetch->fetch.topic), fetch->fetch.partition, record->offset,
                           least);
            return;
        }
        least = record->offset + 1;
        const struct log_entry *entry = entry_find(p, record->offset);
        if (entry != NULL && entry->epoch == record->epoch &&
            entry->hash != hash_of(record->value)) {
            check_violated(o, CHECK_LOG_READ, event->now,
                           "inconsistent-offsets: %s/%" PRIu32 " gave a reader another record at "
                           "offset %" PRId64 " than it took there",
                           topic_name(fetch->fetch.topic), fetch->fetch.partition, record->offset);
        }
    }
}

/* ---- What the loader lost unread (A16) ---- */

static void unread_entry(struct oracle *o, enum topic_id topic, const struct log_entry *entry) {
    struct unread *unread = &o->log->unread;
    o->counts.lost_unread++;
    uint32_t listing = topic == TOPIC_LISTING_LOG && entry->listing_id != 0
                           ? oracle_listing_of(o, entry->listing_id)
                           : UINT32_MAX;
    if (listing != UINT32_MAX) {
        torn_lost(&o->listings[listing], doc_version_pack(entry->epoch, entry->offset));
    }
    if (topic != TOPIC_AUDIT) {
        return;
    }
    if (ARRAY_RESERVE(unread->audits, unread->audit_capacity, unread->audit_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    unread->audits[unread->audit_count++] = *entry;
}

/* The loader goes on at `first`: what is not kept of the records from `from` on is lost to every
 * layer of the warehouse. */
static void unread_note(struct oracle *o, const struct log_partition *p, enum topic_id topic,
                        uint32_t partition, int64_t from, int64_t first) {
    struct unread *unread = &o->log->unread;
    int64_t start = start_of(o, topic, partition);
    size_t end = entry_place(p, first < start ? first : start);
    size_t at = entry_place(p, from);
    if (at >= end) {
        return;
    }
    if (ARRAY_RESERVE(unread->ranges, unread->range_capacity, unread->range_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    unread->ranges[unread->range_count++] = (struct gap_row){.topic = topic,
                                                             .partition = partition,
                                                             .from = p->entries[at].offset,
                                                             .to = p->entries[end - 1].offset + 1};
    for (; at < end; at++) {
        unread_entry(o, topic, &p->entries[at]);
    }
}

bool log_audit_unread(const struct oracle *o, uint64_t listing_id, doc_version version) {
    for (size_t i = 0; o->log != NULL && i < o->log->unread.audit_count; i++) {
        const struct log_entry *entry = &o->log->unread.audits[i];
        if (entry->listing_id == listing_id && entry->version == version) {
            return true;
        }
    }
    return false;
}

static bool marked(const struct gap_row *lost, const struct gap_row *marks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (marks[i].topic == lost->topic && marks[i].partition == lost->partition &&
            marks[i].from <= lost->from && marks[i].to >= lost->to) {
            return true;
        }
    }
    return false;
}

void losses_compare(struct comparison *c) {
    struct oracle *o = c->o;
    size_t count;
    const struct gap_row *marks = fake_warehouse_gaps(c->stores->warehouse, &count);
    const struct unread *unread = o->log == NULL ? NULL : &o->log->unread;
    o->checks[CHECK_LOSSES_MARKED].looked_at += count + o->counts.lost_unread;
    for (size_t i = 0; unread != NULL && i < unread->range_count; i++) {
        const struct gap_row *lost = &unread->ranges[i];
        if (!marked(lost, marks, count)) {
            check_violated(o, CHECK_LOSSES_MARKED, c->now,
                           "offsets %" PRId64 " to %" PRId64 " of %s/%" PRIu32
                           " expired before the loader read them, and no mark says so",
                           lost->from, lost->to - 1, topic_name(lost->topic), lost->partition);
        }
    }
    for (size_t i = 0; o->log != NULL && i < count; i++) {
        const struct gap_row *mark = &marks[i];
        if (mark->to <= mark->from || mark->to > start_of(o, mark->topic, mark->partition)) {
            check_violated(o, CHECK_LOSSES_MARKED, c->now,
                           "a mark says that offsets %" PRId64 " to %" PRId64 " of %s/%" PRIu32
                           " are lost, which are kept",
                           mark->from, mark->to - 1, topic_name(mark->topic), mark->partition);
        }
    }
}

static void polled(struct oracle *o, enum machine_kind kind, const struct event *event) {
    const struct effect *fetch = event->answered;
    size_t count = event->records.count;
    struct log_partition *p = partition_at(o, fetch->fetch.topic, fetch->fetch.partition);
    if (p == NULL || count == 0) {
        return;
    }
    o->checks[CHECK_LOG_READ].looked_at += count;
    if (!fetch->fetch.bronze) {
        answer_check(o, event, p);
    }
    int64_t first = event->records.records[0].offset;
    int64_t *upto = &p->read_upto[kind];
    bool member = (readers_of(fetch->fetch.topic) >> kind & 1) != 0;
    size_t missed = first <= *upto || !member
                        ? 0
                        : skipped(o, p, fetch->fetch.topic, fetch->fetch.partition, *upto, first);
    if (missed > 0) {
        check_violated(o, CHECK_LOG_READ, event->now,
                       "poll-skip: %s read %s/%" PRIu32 " from offset %" PRId64
                       " on, and %zu records from offset %" PRId64 " on were never read",
                       machine_kind_name(kind), topic_name(fetch->fetch.topic),
                       fetch->fetch.partition, first, missed, *upto);
    }
    if (member && kind == MACHINE_LOADER && first > *upto) {
        unread_note(o, p, fetch->fetch.topic, fetch->fetch.partition, *upto, first);
    }
    int64_t last = event->records.records[count - 1].offset;
    if (last >= *upto) {
        *upto = last + 1;
    }
}

void oracle_told(struct oracle *o, enum machine_kind kind, const struct event *event) {
    if (event->answered == NULL || event->error != PORT_OK || o->log == NULL) {
        return;
    }
    o->log->told = true;
    if (event->kind == EVENT_PRODUCED) {
        produced(o, event);
    } else if (event->kind == EVENT_RECORDS) {
        polled(o, kind, event);
    }
}

/* ---- The end ---- */

static void losses_judge(struct oracle *o, vtime now, enum topic_id topic) {
    const struct log_topic *t = &o->log->topics[topic];
    for (size_t i = 0; i < t->loss_count; i++) {
        const struct log_loss *loss = &t->losses[i];
        struct stamp erased = reference_erased(o->reference, loss->listing_id);
        if (stamp_compare(loss->stamp, erased) <= 0) {
            continue;
        }
        if ((o->options.losses_expected >> topic & 1) != 0) {
            continue;
        }
        check_violated(o, CHECK_LOG_WRITTEN, now,
                       "lost-write: offset %" PRId64 " of %s/%" PRIu32 ", leader epoch %" PRIu32
                       ", went with its leader at %s and was not said "
                       "again",
                       loss->offset, topic_name(topic), loss->partition, loss->epoch,
                       moment_text(loss->at).text);
    }
}

static void unseen_judge(struct oracle *o, vtime now, enum topic_id topic, uint32_t partition) {
    const struct log_partition *p = &o->log->topics[topic].partitions[partition];
    for (int kind = 0; kind < MACHINE_KIND_COUNT; kind++) {
        size_t left = (readers_of(topic) >> kind & 1) == 0
                          ? 0
                          : skipped(o, p, topic, partition, p->read_upto[kind], INT64_MAX);
        if (left > 0) {
            check_violated(o, CHECK_LOG_READ, now,
                           "unseen: %s did not read the last %zu records of %s/%" PRIu32
                           ", from offset %" PRId64 " on",
                           machine_kind_name((enum machine_kind)kind), left, topic_name(topic),
                           partition, p->read_upto[kind]);
        }
    }
}

void log_history_judge(struct oracle *o, vtime now) {
    for (size_t i = 0; o->log != NULL && i < TOPIC_COUNT; i++) {
        losses_judge(o, now, (enum topic_id)i);
        promises_judge(o, (enum topic_id)i);
        for (size_t p = 0; o->log->told && p < o->log->topics[i].partition_count; p++) {
            unseen_judge(o, now, (enum topic_id)i, (uint32_t)p);
        }
    }
}

/* ---- Listings whose history was torn ---- */

void torn_lost(struct oracle_listing *l, doc_version position) {
    bool before = l->torn_from == DOC_VERSION_NONE || position < l->torn_from;
    l->torn_from = before ? position : l->torn_from;
    l->torn_until = INT64_MAX;
}

void torn_told(struct oracle_listing *l, doc_version position) {
    if (l->torn_from != DOC_VERSION_NONE) {
        l->torn_until = position;
    }
}

bool is_torn(const struct oracle_listing *l, doc_version version) {
    return l != NULL && l->torn_from != DOC_VERSION_NONE && version >= l->torn_from &&
           version <= l->torn_until;
}
