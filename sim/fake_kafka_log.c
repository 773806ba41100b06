#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "sim/fake_kafka_parts.h"

#define SEGMENT_RECORDS_FIRST 64
/* What released values are overwritten with: no record starts so. */
#define POISON 0xDB

static struct kafka_partition *partition_of(const struct fake_kafka *k, enum topic_id topic,
                                            uint32_t partition) {
    assert(topic < TOPIC_COUNT);
    assert(partition < k->topics[topic].partition_count);
    return &k->topics[topic].partitions[partition];
}

static bool partition_exists(const struct fake_kafka *k, enum topic_id topic, uint32_t partition) {
    return (unsigned)topic < TOPIC_COUNT && partition < k->topics[topic].partition_count;
}

/* ---- Segments ---- */

static void segment_release(struct kafka_segment *s) {
    memset(s->block, POISON, s->block_used);
    free(s->block);
    free(s->records);
}

/* Index of the first record at or above the offset; count when there is none. */
static size_t segment_find(const struct kafka_segment *s, int64_t offset) {
    if (offset <= s->base) {
        return 0;
    }
    /* Without holes below it the record is where its distance from the base says. */
    uint64_t guess = (uint64_t)(offset - s->base);
    if (guess < s->count && s->records[guess].offset == offset) {
        return (size_t)guess;
    }
    size_t low = 0;
    size_t high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->records[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Drops the records from index `keep` on; keep > 0. */
static void segment_truncate(struct kafka_segment *s, size_t keep) {
    assert(keep > 0 && keep <= s->count);
    const struct bytes *last = &s->records[keep - 1].value;
    size_t used = (size_t)(last->data + last->len - s->block);
    memset(s->block + used, POISON, s->block_used - used);
    s->block_used = used;
    s->count = keep;
    s->last_append = s->records[keep - 1].append;
}

/* ---- Partitions ---- */

static struct kafka_segment *partition_last(const struct kafka_partition *p) {
    return p->segment_count == 0 ? NULL : &p->segments[p->segment_count - 1];
}

/* Index of the last segment whose base is at or below the offset; 0 when none is. */
static size_t partition_find(const struct kafka_partition *p, int64_t offset) {
    size_t low = 0;
    size_t high = p->segment_count;
    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;
        if (p->segments[middle].base <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Drops the n oldest segments. */
static void partition_drop_front(struct kafka_partition *p, size_t n) {
    if (n == 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        p->bytes -= p->segments[i].block_used;
        segment_release(&p->segments[i]);
    }
    p->segment_count -= n;
    memmove(p->segments, p->segments + n, p->segment_count * sizeof *p->segments);
}

/* The newest segment never goes for its size: retention_bytes is above 0 when there is a limit. */
static void partition_expire(struct kafka_partition *p, const struct kafka_topic *t, vtime now) {
    uint64_t left = p->bytes;
    size_t n = 0;
    for (; n < p->segment_count; n++) {
        const struct kafka_segment *s = &p->segments[n];
        bool old = t->retention_ns >= 0 && vtime_diff(now, s->last_append) > t->retention_ns;
        bool surplus =
            t->retention_bytes >= 0 && left - s->block_used >= (uint64_t)t->retention_bytes;
        if (!old && !surplus) {
            break;
        }
        left -= s->block_used;
    }
    if (n == 0) {
        return;
    }
    partition_drop_front(p, n);
    int64_t kept = p->segment_count == 0 ? p->end : p->segments[0].base;
    assert(p->start <= kept);
    p->start = kept;
}

static bool partition_reserve_segment(struct kafka_partition *p) {
    if (p->segment_count < p->segment_capacity) {
        return true;
    }
    size_t capacity = p->segment_capacity == 0 ? 4 : 2 * p->segment_capacity;
    struct kafka_segment *grown = realloc(p->segments, capacity * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    p->segments = grown;
    p->segment_capacity = capacity;
    return true;
}

static struct kafka_segment *partition_open_segment(struct kafka_partition *p, size_t block_size,
                                                    vtime append) {
    if (!partition_reserve_segment(p)) {
        return NULL;
    }
    char *block = malloc(block_size);
    struct log_record *records = malloc(SEGMENT_RECORDS_FIRST * sizeof *records);
    if (block == NULL || records == NULL) {
        free(block);
        free(records);
        return NULL;
    }
    struct kafka_segment *s = &p->segments[p->segment_count++];
    *s = (struct kafka_segment){.base = p->end,
                                .first_append = append,
                                .last_append = append,
                                .records = records,
                                .capacity = SEGMENT_RECORDS_FIRST,
                                .block = block,
                                .block_size = block_size};
    return s;
}

static bool segment_reserve_record(struct kafka_segment *s) {
    if (s->count < s->capacity) {
        return true;
    }
    struct log_record *grown = realloc(s->records, 2 * s->capacity * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    s->records = grown;
    s->capacity *= 2;
    return true;
}

/* The segment that takes the next record, with room for it; NULL when memory is out. */
static struct kafka_segment *partition_segment_for(const struct fake_kafka *k,
                                                   struct kafka_partition *p, size_t len,
                                                   vtime append) {
    struct kafka_segment *s = partition_last(p);
    bool roll = s == NULL || len > s->block_size - s->block_used ||
                vtime_diff(append, s->first_append) > k->segment_ns;
    if (roll) {
        /* A record above segment.bytes gets a block of its own size. One byte at least: a block
         * is never NULL. */
        size_t size = len > k->segment_bytes ? len : k->segment_bytes;
        return partition_open_segment(p, size == 0 ? 1 : size, append);
    }
    return segment_reserve_record(s) ? s : NULL;
}

/* NULL when memory is out; the partition is then as it was. */
static const struct log_record *partition_append(const struct fake_kafka *k,
                                                 struct kafka_partition *p, vtime now,
                                                 const struct produce_item *item,
                                                 const struct producer_mark *mark) {
    vtime append = vtime_max(now, p->last_append);
    struct kafka_segment *s = partition_segment_for(k, p, item->value.len, append);
    if (s == NULL) {
        return NULL;
    }
    char *at = s->block + s->block_used;
    if (item->value.len > 0) {
        memcpy(at, item->value.data, item->value.len);
    }
    struct log_record *r = &s->records[s->count++];
    *r = (struct log_record){.offset = p->end,
                             .epoch = p->epoch,
                             .append = append,
                             .key = item->key,
                             .value = {at, item->value.len},
                             .mark = *mark};
    s->block_used += item->value.len;
    s->last_append = append;
    p->bytes += item->value.len;
    p->last_append = append;
    p->end++;
    return r;
}

/* ---- Compaction ---- */

/* Takes the record at that index out of its segment, overwriting its value. */
static void segment_take_out(struct kafka_segment *s, size_t i) {
    memset((char *)s->block + (s->records[i].value.data - s->block), POISON,
           s->records[i].value.len);
    s->count--;
    memmove(s->records + i, s->records + i + 1, (s->count - i) * sizeof *s->records);
}

static void partition_drop_segment(struct kafka_partition *p, size_t at) {
    p->bytes -= p->segments[at].block_used;
    segment_release(&p->segments[at]);
    p->segment_count--;
    memmove(p->segments + at, p->segments + at + 1, (p->segment_count - at) * sizeof *p->segments);
}

/* The tombstone stands behind all that it takes out, so the last segment never empties. */
static void partition_compact_key(struct kafka_partition *p, const struct kafka_tombstone *t) {
    for (size_t at = 0; at < p->segment_count; at++) {
        struct kafka_segment *s = &p->segments[at];
        for (size_t i = s->count; i > 0; i--) {
            if (s->records[i - 1].key == t->key && s->records[i - 1].offset < t->offset) {
                segment_take_out(s, i - 1);
            }
        }
        if (s->count == 0) {
            partition_drop_segment(p, at--);
        } else {
            s->last_append = s->records[s->count - 1].append;
        }
    }
}

static void partition_compact(struct kafka_partition *p, int64_t lag_ns, vtime now) {
    size_t done = 0;
    while (done < p->tombstone_count && vtime_diff(now, p->tombstones[done].append) >= lag_ns) {
        partition_compact_key(p, &p->tombstones[done++]);
    }
    if (done > 0) {
        p->tombstone_count -= done;
        memmove(p->tombstones, p->tombstones + done, p->tombstone_count * sizeof *p->tombstones);
    }
}

static void topic_compact(const struct fake_kafka *k, struct kafka_topic *t, vtime now) {
    for (uint32_t i = 0; t->compacted && i < t->partition_count; i++) {
        partition_compact(&t->partitions[i], k->compaction_lag_ns, now);
    }
}

void fake_kafka_compact(struct fake_kafka *k, vtime now) {
    assert(!k->telling);
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        topic_compact(k, &k->topics[i], now);
    }
}

/* ---- The port ---- */

static int produce_one(struct fake_kafka *k, vtime now, const struct produce_item *item,
                       const struct producer_mark *mark, struct produce_result *result) {
    struct kafka_topic *t = &k->topics[item->topic];
    uint32_t partition = topic_partition(item->key, t->partition_count);
    struct kafka_partition *p = &t->partitions[partition];
    *result = (struct produce_result){
        .status = ITEM_RETRYABLE, .partition = partition, .offset = FAKE_KAFKA_NO_OFFSET};
    if (p->offline) {
        return 0;
    }
    if (!fake_kafka_producer_admits(p, mark, result)) {
        bool repeat = result->status == ITEM_APPLIED;
        if (repeat && k->observer.repeated != NULL) {
            k->telling = true;
            k->observer.repeated(k->observer.ctx, now, item, partition, result->offset);
            k->telling = false;
        }
        return 0;
    }
    partition_expire(p, t, now);
    topic_compact(k, t, now);
    bool tombstone = t->compacted && item->value.len == 0;
    if (tombstone &&
        ARRAY_RESERVE(p->tombstones, p->tombstone_capacity, p->tombstone_count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    const struct log_record *r = partition_append(k, p, now, item, mark);
    if (r == NULL || fake_kafka_producer_learn(p, r) != 0) {
        return PORT_NO_MEMORY;
    }
    if (tombstone) {
        p->tombstones[p->tombstone_count++] =
            (struct kafka_tombstone){r->key, r->offset, r->append};
    }
    k->appended++;
    result->status = ITEM_APPLIED;
    result->epoch = r->epoch;
    result->offset = r->offset;
    if (k->observer.appended != NULL) {
        k->telling = true;
        k->observer.appended(k->observer.ctx, now, item->topic, partition, r);
        k->telling = false;
    }
    return 0;
}

static int produce_as(void *ctx, vtime now, const struct producer_mark *first,
                      const struct produce_item *items, size_t count,
                      struct produce_result *results) {
    struct fake_kafka *k = ctx;
    assert(!k->telling);
    for (size_t i = 0; i < count; i++) {
        assert((unsigned)items[i].topic < TOPIC_COUNT);
        if (items[i].value.len > k->record_bytes_max) {
            return PORT_TOO_LARGE;
        }
    }
    int error = 0;
    for (size_t i = 0; i < count; i++) {
        struct producer_mark mark = *first;
        mark.sequence += (uint32_t)i;
        int one = produce_one(k, now, &items[i], &mark, &results[i]);
        error = error != 0 ? error : one;
    }
    return error;
}

static int produce(void *ctx, vtime now, const struct produce_item *items, size_t count,
                   struct produce_result *results) {
    static const struct producer_mark none;
    return produce_as(ctx, now, &none, items, count, results);
}

/* What a request to a partition meets before it gets to the log. */
static int request_error(const struct fake_kafka *k, enum topic_id topic, uint32_t partition) {
    if (!partition_exists(k, topic, partition)) {
        return PORT_NOT_FOUND;
    }
    return partition_of(k, topic, partition)->offline ? PORT_UNAVAILABLE : 0;
}

static int fetch(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t offset,
                 struct log_record *out, size_t max, size_t *count) {
    struct fake_kafka *k = ctx;
    *count = 0;
    int error = request_error(k, topic, partition);
    if (error != 0) {
        return error;
    }
    topic_compact(k, &k->topics[topic], now);
    const struct kafka_partition *p = partition_of(k, topic, partition);
    if (offset < p->start || offset > p->end) {
        return PORT_OUT_OF_RANGE;
    }
    for (size_t i = partition_find(p, offset); i < p->segment_count && *count < max; i++) {
        const struct kafka_segment *s = &p->segments[i];
        size_t from = segment_find(s, offset);
        size_t n = s->count - from < max - *count ? s->count - from : max - *count;
        if (n > 0) {
            memcpy(out + *count, s->records + from, n * sizeof *out);
        }
        *count += n;
    }
    return 0;
}

static int bounds(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t *start,
                  int64_t *end) {
    const struct fake_kafka *k = ctx;
    (void)now;
    int error = request_error(k, topic, partition);
    if (error == 0) {
        const struct kafka_partition *p = partition_of(k, topic, partition);
        *start = p->start;
        *end = p->end;
    }
    return error;
}

static int epoch_end(void *ctx, vtime now, enum topic_id topic, uint32_t partition, uint32_t epoch,
                     int64_t *end) {
    const struct fake_kafka *k = ctx;
    (void)now;
    int error = request_error(k, topic, partition);
    if (error == 0) {
        *end = fake_kafka_epoch_end(k, topic, partition, epoch);
    }
    return error;
}

int64_t fake_kafka_epoch_end(const struct fake_kafka *k, enum topic_id topic, uint32_t partition,
                             uint32_t epoch) {
    const struct kafka_partition *p = partition_of(k, topic, partition);
    for (size_t i = 0; i < p->epoch_count; i++) {
        if (p->epochs[i].epoch > epoch) {
            return p->epochs[i].start;
        }
    }
    return p->end;
}

struct log_port fake_kafka_port(struct fake_kafka *k) {
    static const struct log_port_ops ops = {
        .produce = produce,
        .produce_as = produce_as,
        .fetch = fetch,
        .bounds = bounds,
        .commit = fake_kafka_commit,
        .epoch_end = epoch_end,
        .committed = fake_kafka_committed,
    };
    return (struct log_port){&ops, k};
}

/* ---- Life ---- */

static bool topic_init(struct kafka_topic *t, const struct fake_kafka_topic_options *o) {
    uint32_t n = o->partitions == 0 ? FAKE_KAFKA_PARTITIONS_DEFAULT : o->partitions;
    t->partitions = calloc(n, sizeof *t->partitions);
    if (t->partitions == NULL) {
        return false;
    }
    t->partition_count = n;
    t->retention_ns = o->retention_ns == 0 ? FAKE_KAFKA_RETENTION_NS_DEFAULT : o->retention_ns;
    t->retention_bytes = o->retention_bytes == 0 ? -1 : o->retention_bytes;
    t->compacted = o->compacted;
    for (uint32_t i = 0; i < n; i++) {
        t->partitions[i].last_append = (vtime){INT64_MIN};
    }
    return true;
}

static void topic_release(struct kafka_topic *t) {
    for (uint32_t i = 0; i < t->partition_count; i++) {
        partition_drop_front(&t->partitions[i], t->partitions[i].segment_count);
        free(t->partitions[i].segments);
        free(t->partitions[i].tombstones);
        free(t->partitions[i].epochs);
        free(t->partitions[i].producers);
    }
    free(t->partitions);
}

struct fake_kafka *fake_kafka_new(const struct fake_kafka_options *options) {
    static const struct fake_kafka_options defaults;
    const struct fake_kafka_options *o = options == NULL ? &defaults : options;
    struct fake_kafka *k = calloc(1, sizeof *k);
    if (k == NULL) {
        return NULL;
    }
    k->segment_bytes = o->segment_bytes == 0 ? FAKE_KAFKA_SEGMENT_BYTES_DEFAULT : o->segment_bytes;
    k->segment_ns = o->segment_ns == 0 ? FAKE_KAFKA_SEGMENT_NS_DEFAULT : o->segment_ns;
    k->compaction_lag_ns =
        o->compaction_lag_ns == 0 ? FAKE_KAFKA_COMPACTION_NS_DEFAULT : o->compaction_lag_ns;
    k->record_bytes_max =
        o->record_bytes_max == 0 ? FAKE_KAFKA_RECORD_BYTES_DEFAULT : o->record_bytes_max;
    k->session_timeout_ns =
        o->session_timeout_ns == 0 ? FAKE_KAFKA_SESSION_NS_DEFAULT : o->session_timeout_ns;
    k->poll_timeout_ns = o->poll_timeout_ns == 0 ? FAKE_KAFKA_POLL_NS_DEFAULT : o->poll_timeout_ns;
    k->protocol = o->protocol;
    k->assignor = o->protocol == FAKE_KAFKA_COOPERATIVE ? FAKE_KAFKA_STICKY : o->assignor;
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        if (!topic_init(&k->topics[i], &o->topics[i])) {
            fake_kafka_free(k);
            return NULL;
        }
    }
    return k;
}

void fake_kafka_free(struct fake_kafka *k) {
    if (k == NULL) {
        return;
    }
    fake_kafka_groups_release(k);
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        topic_release(&k->topics[i]);
    }
    free(k);
}

void fake_kafka_observe(struct fake_kafka *k, struct fake_kafka_observer observer) {
    k->observer = observer;
}

/* ---- What can be seen ---- */

uint32_t fake_kafka_partitions(const struct fake_kafka *k, enum topic_id topic) {
    assert((unsigned)topic < TOPIC_COUNT);
    return k->topics[topic].partition_count;
}

struct fake_kafka_partition fake_kafka_partition(const struct fake_kafka *k, enum topic_id topic,
                                                 uint32_t partition) {
    const struct kafka_partition *p = partition_of(k, topic, partition);
    return (struct fake_kafka_partition){.start = p->start,
                                         .end = p->end,
                                         .epoch = p->epoch,
                                         .online = !p->offline,
                                         .bytes = p->bytes,
                                         .segments = p->segment_count};
}

const struct log_record *fake_kafka_record(const struct fake_kafka *k, enum topic_id topic,
                                           uint32_t partition, int64_t offset) {
    const struct kafka_partition *p = partition_of(k, topic, partition);
    if (offset < p->start || offset >= p->end || p->segment_count == 0) {
        return NULL;
    }
    const struct kafka_segment *s = &p->segments[partition_find(p, offset)];
    size_t i = segment_find(s, offset);
    return i < s->count && s->records[i].offset == offset ? &s->records[i] : NULL;
}

uint64_t fake_kafka_appended(const struct fake_kafka *k) {
    return k->appended;
}

/* ---- What happens to a log ---- */

void fake_kafka_expire(struct fake_kafka *k, vtime now) {
    assert(!k->telling);
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        struct kafka_topic *t = &k->topics[i];
        for (uint32_t j = 0; j < t->partition_count; j++) {
            partition_expire(&t->partitions[j], t, now);
        }
    }
}

int fake_kafka_delete_records(struct fake_kafka *k, enum topic_id topic, uint32_t partition,
                              int64_t before) {
    assert(!k->telling);
    struct kafka_partition *p = partition_of(k, topic, partition);
    if (before > p->end) {
        return PORT_OUT_OF_RANGE;
    }
    if (before <= p->start) {
        return 0;
    }
    p->start = before;
    size_t n = 0;
    while (n < p->segment_count &&
           p->segments[n].records[p->segments[n].count - 1].offset < before) {
        n++;
    }
    partition_drop_front(p, n);
    return 0;
}

static void tell_truncated(struct fake_kafka *k, vtime now, enum topic_id topic, uint32_t partition,
                           int64_t offset) {
    if (k->observer.truncated == NULL) {
        return;
    }
    const struct kafka_partition *p = partition_of(k, topic, partition);
    k->telling = true;
    for (size_t i = partition_find(p, offset); i < p->segment_count; i++) {
        const struct kafka_segment *s = &p->segments[i];
        for (size_t j = segment_find(s, offset); j < s->count; j++) {
            k->observer.truncated(k->observer.ctx, now, topic, partition, &s->records[j]);
        }
    }
    k->telling = false;
}

int fake_kafka_truncate(struct fake_kafka *k, vtime now, enum topic_id topic, uint32_t partition,
                        int64_t offset) {
    assert(!k->telling);
    struct kafka_partition *p = partition_of(k, topic, partition);
    if (offset < p->start || offset > p->end) {
        return PORT_OUT_OF_RANGE;
    }
    if (ARRAY_RESERVE(p->epochs, p->epoch_capacity, p->epoch_count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    tell_truncated(k, now, topic, partition, offset);
    while (p->segment_count > 0) {
        struct kafka_segment *s = partition_last(p);
        size_t keep = segment_find(s, offset);
        p->bytes -= s->block_used;
        if (keep > 0) {
            segment_truncate(s, keep);
            p->bytes += s->block_used;
            break;
        }
        segment_release(s);
        p->segment_count--;
    }
    while (p->tombstone_count > 0 && p->tombstones[p->tombstone_count - 1].offset >= offset) {
        p->tombstone_count--;
    }
    p->end = offset;
    fake_kafka_producers_rewind(p);
    while (p->epoch_count > 0 && p->epochs[p->epoch_count - 1].start >= offset) {
        p->epoch_count--;
    }
    assert(p->epoch < UINT16_MAX);
    p->epoch++;
    p->epochs[p->epoch_count++] = (struct kafka_epoch){p->epoch, offset};
    if (k->observer.led != NULL) {
        k->telling = true;
        k->observer.led(k->observer.ctx, now, topic, partition);
        k->telling = false;
    }
    return 0;
}

void fake_kafka_set_online(struct fake_kafka *k, enum topic_id topic, uint32_t partition,
                           bool online) {
    partition_of(k, topic, partition)->offline = !online;
}

size_t fake_kafka_forget_producers(struct fake_kafka *k, enum topic_id topic, uint32_t partition) {
    struct kafka_partition *p = partition_of(k, topic, partition);
    size_t known = p->producer_count;
    p->producer_count = 0;
    return known;
}

void fake_kafka_skip(struct fake_kafka *k, enum topic_id topic, uint32_t partition, int64_t count) {
    assert(count >= 0 && !k->telling);
    partition_of(k, topic, partition)->end += count;
}

/* ---- Invariants ---- */

static void segment_check(const struct kafka_partition *p, const struct kafka_segment *s) {
    assert(s->count > 0 && s->count <= s->capacity && s->block_used <= s->block_size);
    const char *at = s->block;
    for (size_t i = 0; i < s->count; i++) {
        const struct log_record *r = &s->records[i];
        assert(r->offset >= s->base && r->offset < p->end && r->epoch <= p->epoch);
        assert(r->value.data >= at);
        at = r->value.data + r->value.len;
        if (i > 0) {
            const struct log_record *before = &s->records[i - 1];
            assert(before->offset < r->offset && before->epoch <= r->epoch);
            assert(!vtime_before(r->append, before->append));
        }
    }
    assert(at <= s->block + s->block_used);
    assert(s->last_append.ns == s->records[s->count - 1].append.ns);
}

static void partition_check(const struct kafka_partition *p) {
    uint64_t bytes = 0;
    assert(p->start >= 0 && p->start <= p->end);
    for (size_t i = 0; i < p->epoch_count; i++) {
        assert(p->epochs[i].start <= p->end && p->epochs[i].epoch <= p->epoch);
        assert(i == 0 || (p->epochs[i - 1].start < p->epochs[i].start &&
                          p->epochs[i - 1].epoch < p->epochs[i].epoch));
    }
    for (size_t i = 0; i < p->producer_count; i++) {
        assert(p->producers[i].offset < p->end);
    }
    for (size_t i = 0; i < p->segment_count; i++) {
        const struct kafka_segment *s = &p->segments[i];
        segment_check(p, s);
        bytes += s->block_used;
        if (i > 0) {
            const struct kafka_segment *before = &p->segments[i - 1];
            const struct log_record *last = &before->records[before->count - 1];
            assert(last->offset < s->base && last->epoch <= s->records[0].epoch);
            assert(!vtime_before(s->records[0].append, last->append));
        }
    }
    assert(bytes == p->bytes);
}

void fake_kafka_check(const struct fake_kafka *k) {
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        for (uint32_t j = 0; j < k->topics[i].partition_count; j++) {
            partition_check(&k->topics[i].partitions[j]);
        }
    }
    fake_kafka_groups_check(k);
}
