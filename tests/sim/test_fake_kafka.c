/*
 * The fake Kafka (A15, A16, C2): the log by its contract and against a naive model, consumer groups
 * by their rules and against a naive model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/fake_kafka.h"
#include "sim/prng.h"

#define START INT64_C(1700000000000000000)
#define GROUP "router"

static vtime at(int64_t ns) {
    return (vtime){START + ns};
}

/* A fake whose topic LISTING has one partition, so that every key goes there. */
static struct fake_kafka *one_partition(struct fake_kafka_options options) {
    options.topics[TOPIC_LISTING].partitions = 1;
    struct fake_kafka *k = fake_kafka_new(&options);
    assert_non_null(k);
    return k;
}

static struct produce_result append(struct fake_kafka *k, vtime now, uint64_t key,
                                    const char *value) {
    struct log_port port = fake_kafka_port(k);
    struct produce_item item = {TOPIC_LISTING, key, bytes_of(value)};
    struct produce_result result;
    assert_int_equal(port.ops->produce(port.ctx, now, &item, 1, &result), 0);
    return result;
}

static int fetch(struct fake_kafka *k, int64_t offset, struct log_record *out, size_t max,
                 size_t *count) {
    struct log_port port = fake_kafka_port(k);
    return port.ops->fetch(port.ctx, at(0), TOPIC_LISTING, 0, offset, out, max, count);
}

static void assert_value(const struct log_record *r, const char *value) {
    assert_true(bytes_equal(r->value, bytes_of(value)));
}

static void assert_bounds(struct fake_kafka *k, int64_t start, int64_t end) {
    struct log_port port = fake_kafka_port(k);
    int64_t s = -1;
    int64_t e = -1;
    assert_int_equal(port.ops->bounds(port.ctx, at(0), TOPIC_LISTING, 0, &s, &e), 0);
    assert_int_equal(s, start);
    assert_int_equal(e, end);
}

/* ---- The log ---- */

/* A key always goes to the partition that every other part of Murphy computes for it, and each
 * partition counts its own offsets. */
static void keys_decide_partitions(void **state) {
    (void)state;
    struct fake_kafka_options options = {.topics[TOPIC_LISTING].partitions = 5};
    struct fake_kafka *k = fake_kafka_new(&options);
    assert_int_equal(fake_kafka_partitions(k, TOPIC_LISTING), 5);
    assert_int_equal(fake_kafka_partitions(k, TOPIC_ORDER), FAKE_KAFKA_PARTITIONS_DEFAULT);
    int64_t next[5] = {0};
    for (uint64_t key = 0; key < 100; key++) {
        struct produce_result r = append(k, at(0), key, "x");
        assert_int_equal(r.partition, topic_partition(key, 5));
        assert_int_equal(r.offset, next[r.partition]++);
        const struct log_record *kept = fake_kafka_record(k, TOPIC_LISTING, r.partition, r.offset);
        assert_int_equal(kept->key, key);
    }
    for (uint32_t p = 0; p < 5; p++) {
        assert_true(next[p] > 5);
        assert_int_equal(fake_kafka_partition(k, TOPIC_LISTING, p).end, next[p]);
    }
    assert_int_equal(fake_kafka_appended(k), 100);
    fake_kafka_free(k);
}

/* A fetch gives records in order, no more than asked for; none at the end; an error beyond it. */
static void fetch_reads_in_order(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition((struct fake_kafka_options){0});
    append(k, at(1), 7, "a");
    append(k, at(2), 8, "");
    append(k, at(3), 9, "ccc");
    struct log_record out[4];
    size_t count = 99;
    assert_int_equal(fetch(k, 0, out, 2, &count), 0);
    assert_int_equal(count, 2);
    assert_value(&out[0], "a");
    assert_value(&out[1], "");
    assert_int_equal(out[1].append.ns, at(2).ns);
    assert_int_equal(out[1].key, 8);
    assert_int_equal(fetch(k, 2, out, 4, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(out[0].offset, 2);
    assert_value(&out[0], "ccc");
    assert_int_equal(fetch(k, 3, out, 4, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(fetch(k, 4, out, 4, &count), PORT_OUT_OF_RANGE);
    assert_int_equal(fetch(k, -1, out, 4, &count), PORT_OUT_OF_RANGE);
    fake_kafka_free(k);
}

/* A partition that does not exist is an error of its own, for every request. */
static void unknown_partitions_are_not_found(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition((struct fake_kafka_options){0});
    struct log_port port = fake_kafka_port(k);
    struct log_record out[1];
    size_t count = 0;
    int64_t start = 0;
    int64_t end = 0;
    assert_int_equal(port.ops->fetch(port.ctx, at(0), TOPIC_LISTING, 1, 0, out, 1, &count),
                     PORT_NOT_FOUND);
    assert_int_equal(port.ops->bounds(port.ctx, at(0), TOPIC_LISTING, 1, &start, &end),
                     PORT_NOT_FOUND);
    assert_int_equal(fake_kafka_group_join(k, at(0), GROUP, 1, 1u << TOPIC_LISTING), 0);
    assert_int_equal(port.ops->commit(port.ctx, at(0), GROUP, 1, 1, TOPIC_LISTING, 1, 0),
                     PORT_NOT_FOUND);
    fake_kafka_free(k);
}

/* Append time is the broker's and never falls, even when a request arrives with an earlier one. */
static void append_time_never_falls(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition((struct fake_kafka_options){0});
    append(k, at(10), 1, "a");
    append(k, at(5), 1, "b");
    append(k, at(11), 1, "c");
    assert_int_equal(fake_kafka_record(k, TOPIC_LISTING, 0, 0)->append.ns, at(10).ns);
    assert_int_equal(fake_kafka_record(k, TOPIC_LISTING, 0, 1)->append.ns, at(10).ns);
    assert_int_equal(fake_kafka_record(k, TOPIC_LISTING, 0, 2)->append.ns, at(11).ns);
    fake_kafka_free(k);
}

/* Values are copied, and stay at their address while the log grows by thousands of records. */
static void values_stay_where_they_are(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition((struct fake_kafka_options){.segment_bytes = 1000});
    char value[] = "first";
    append(k, at(0), 1, value);
    memset(value, 'x', sizeof value - 1);
    struct bytes kept = fake_kafka_record(k, TOPIC_LISTING, 0, 0)->value;
    for (int i = 0; i < 5000; i++) {
        append(k, at(i), 1, "more");
    }
    assert_ptr_equal(fake_kafka_record(k, TOPIC_LISTING, 0, 0)->value.data, kept.data);
    assert_true(bytes_equal(kept, bytes_of("first")));
    fake_kafka_check(k);
    fake_kafka_free(k);
}

/* A record above the limit refuses the whole request with nothing done; one larger than a segment
 * but within the limit goes in. */
static void large_records_go_in_up_to_the_limit(void **state) {
    (void)state;
    struct fake_kafka *k =
        one_partition((struct fake_kafka_options){.segment_bytes = 100, .record_bytes_max = 500});
    char value[501];
    memset(value, 'v', sizeof value);
    struct produce_item items[2] = {{TOPIC_LISTING, 1, {value, 500}},
                                    {TOPIC_LISTING, 1, {value, 501}}};
    struct produce_result results[2];
    struct log_port port = fake_kafka_port(k);
    assert_int_equal(port.ops->produce(port.ctx, at(0), items, 2, results), PORT_TOO_LARGE);
    assert_bounds(k, 0, 0);
    assert_int_equal(port.ops->produce(port.ctx, at(0), items, 1, results), 0);
    assert_int_equal(fake_kafka_record(k, TOPIC_LISTING, 0, 0)->value.len, 500);
    fake_kafka_check(k);
    fake_kafka_free(k);
}

/* Whole segments go once their last record is older than the retention; a fetch below the start is
 * out of range (A16); later offsets go on where they were. */
static void retention_by_time_drops_whole_segments(void **state) {
    (void)state;
    struct fake_kafka_options options = {.segment_bytes = 4};
    options.topics[TOPIC_LISTING].retention_ns = 100;
    struct fake_kafka *k = one_partition(options);
    append(k, at(0), 1, "aa"); /* segment 1: offsets 0 and 1 */
    append(k, at(50), 1, "bb");
    append(k, at(60), 1, "cc"); /* segment 2: offset 2 */
    fake_kafka_expire(k, at(150));
    assert_bounds(k, 0, 3);
    fake_kafka_expire(k, at(151));
    assert_bounds(k, 2, 3);
    struct log_record out[1];
    size_t count = 0;
    assert_int_equal(fetch(k, 1, out, 1, &count), PORT_OUT_OF_RANGE);
    assert_null(fake_kafka_record(k, TOPIC_LISTING, 0, 1));
    assert_int_equal(append(k, at(161), 1, "dd").offset, 3); /* the append expires offset 2 */
    assert_bounds(k, 3, 4);
    assert_int_equal(fake_kafka_partition(k, TOPIC_LISTING, 0).bytes, 2);
    fake_kafka_expire(k, at(1000));
    assert_bounds(k, 4, 4);
    assert_int_equal(fake_kafka_partition(k, TOPIC_LISTING, 0).segments, 0);
    fake_kafka_free(k);
}

/* Without options a record is kept for 14 days and no longer (A16). */
static void retention_is_fourteen_days(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition((struct fake_kafka_options){0});
    append(k, at(0), 1, "a");
    fake_kafka_expire(k, at(14 * VTIME_DAY));
    assert_bounds(k, 0, 1);
    fake_kafka_expire(k, at(14 * VTIME_DAY + 1));
    assert_bounds(k, 1, 1);
    fake_kafka_free(k);
}

/* In a compacted topic a tombstone takes the records of its key that stand before it, some time
 * later and from every segment; what comes after it stays, and offsets are as they were (A12). */
static void tombstones_take_their_key(void **state) {
    (void)state;
    struct fake_kafka_options options = {.segment_bytes = 4, .compaction_lag_ns = 100};
    options.topics[TOPIC_LISTING].compacted = true;
    struct fake_kafka *k = one_partition(options);
    append(k, at(0), 1, "aaaa");
    append(k, at(1), 2, "bb");
    append(k, at(2), 1, "cc");
    append(k, at(3), 1, "");
    append(k, at(4), 1, "dd");
    fake_kafka_compact(k, at(102));
    assert_non_null(fake_kafka_record(k, TOPIC_LISTING, 0, 0));
    fake_kafka_compact(k, at(103));
    fake_kafka_check(k);
    assert_null(fake_kafka_record(k, TOPIC_LISTING, 0, 0));
    assert_null(fake_kafka_record(k, TOPIC_LISTING, 0, 2));
    assert_bounds(k, 0, 5);
    struct log_record out[8];
    size_t count;
    assert_int_equal(fetch(k, 0, out, 8, &count), 0);
    assert_int_equal(count, 3);
    assert_value(&out[0], "bb");
    assert_value(&out[1], "");
    assert_value(&out[2], "dd");
    assert_int_equal(fake_kafka_truncate(k, at(104), TOPIC_LISTING, 0, 4), 0);
    fake_kafka_check(k);
    fake_kafka_free(k);
}

/* A tombstone that a leader change loses takes nothing; a topic that is not compacted has none. */
static void lost_tombstones_take_nothing(void **state) {
    (void)state;
    struct fake_kafka_options options = {.compaction_lag_ns = 100};
    options.topics[TOPIC_LISTING].compacted = true;
    struct fake_kafka *k = one_partition(options);
    append(k, at(0), 1, "a");
    append(k, at(1), 1, "");
    assert_int_equal(fake_kafka_truncate(k, at(2), TOPIC_LISTING, 0, 1), 0);
    fake_kafka_compact(k, at(1000));
    assert_non_null(fake_kafka_record(k, TOPIC_LISTING, 0, 0));
    fake_kafka_free(k);
    k = one_partition((struct fake_kafka_options){0});
    append(k, at(0), 1, "a");
    append(k, at(1), 1, "");
    fake_kafka_compact(k, at(VTIME_DAY));
    assert_non_null(fake_kafka_record(k, TOPIC_LISTING, 0, 0));
    fake_kafka_free(k);
}

/* A trickle of records does not keep old ones for ever: segments are closed by age as well. */
static void segments_are_closed_by_age(void **state) {
    (void)state;
    struct fake_kafka_options options = {.segment_ns = 10};
    options.topics[TOPIC_LISTING].retention_ns = 100;
    struct fake_kafka *k = one_partition(options);
    for (int i = 0; i < 100; i++) {
        append(k, at(i * 5), 1, "a");
    }
    assert_bounds(k, 78, 100); /* three records a segment; 78 is at 390, and 495 - 100 = 395 */
    fake_kafka_check(k);
    fake_kafka_free(k);
}

/* By size, the oldest segments go while what is left still holds retention.bytes. */
static void retention_by_bytes_keeps_at_least_that_much(void **state) {
    (void)state;
    struct fake_kafka_options options = {.segment_bytes = 4};
    options.topics[TOPIC_LISTING].retention_ns = -1;
    options.topics[TOPIC_LISTING].retention_bytes = 6;
    struct fake_kafka *k = one_partition(options);
    for (int i = 0; i < 5; i++) {
        append(k, at(i * VTIME_DAY), 1, "aa");
    }
    assert_bounds(k, 0, 5);
    fake_kafka_expire(k, at(0)); /* 4 + 4 + 2 bytes: without the first segment 6 are left */
    assert_bounds(k, 2, 5);
    assert_int_equal(fake_kafka_partition(k, TOPIC_LISTING, 0).bytes, 6);
    fake_kafka_free(k);
}

/* DeleteRecords moves the start to the very offset, inside of a segment too, and never back. */
static void delete_records_moves_the_start(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition((struct fake_kafka_options){.segment_bytes = 4});
    for (int i = 0; i < 6; i++) {
        append(k, at(0), 1, "aa");
    }
    assert_int_equal(fake_kafka_delete_records(k, TOPIC_LISTING, 0, 3), 0);
    assert_bounds(k, 3, 6);
    assert_int_equal(fake_kafka_delete_records(k, TOPIC_LISTING, 0, 1), 0);
    assert_bounds(k, 3, 6);
    struct log_record out[6];
    size_t count = 0;
    assert_int_equal(fetch(k, 2, out, 6, &count), PORT_OUT_OF_RANGE);
    assert_int_equal(fetch(k, 3, out, 6, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(out[0].offset, 3);
    assert_int_equal(fake_kafka_delete_records(k, TOPIC_LISTING, 0, 7), PORT_OUT_OF_RANGE);
    assert_int_equal(fake_kafka_delete_records(k, TOPIC_LISTING, 0, 6), 0);
    assert_bounds(k, 6, 6);
    assert_int_equal(fake_kafka_partition(k, TOPIC_LISTING, 0).bytes, 0);
    fake_kafka_free(k);
}

struct heard {
    struct fake_kafka *k;
    char text[256];
};

static void note(void *ctx, char what, vtime now, const struct log_record *r) {
    struct heard *h = ctx;
    size_t used = strlen(h->text);
    (void)snprintf(h->text + used, sizeof h->text - used, "%c%d@%d.%u=%.*s ", what, (int)r->offset,
                   (int)(now.ns - START), (unsigned)r->epoch, (int)r->value.len, r->value.data);
}

static void note_appended(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                          const struct log_record *r) {
    struct heard *h = ctx;
    assert_ptr_equal(fake_kafka_record(h->k, topic, partition, r->offset), r);
    note(ctx, '+', now, r);
}

static void note_truncated(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                           const struct log_record *r) {
    (void)topic;
    (void)partition;
    note(ctx, '-', now, r);
}

/* An unclean leader change loses the tail and gives its offsets out again under the next epoch; the
 * observer hears of each record that comes and goes (C2). */
static void truncation_reuses_offsets_under_the_next_epoch(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition((struct fake_kafka_options){.segment_bytes = 2});
    struct heard heard = {.k = k};
    fake_kafka_observe(k, (struct fake_kafka_observer){.appended = note_appended,
                                                       .truncated = note_truncated,
                                                       .ctx = &heard});
    append(k, at(1), 1, "a");
    append(k, at(2), 1, "b");
    append(k, at(3), 1, "c");
    assert_int_equal(fake_kafka_truncate(k, at(4), TOPIC_LISTING, 0, 1), 0);
    assert_bounds(k, 0, 1);
    append(k, at(5), 1, "d");
    assert_string_equal(heard.text, "+0@1.0=a +1@2.0=b +2@3.0=c -1@4.0=b -2@4.0=c +1@5.1=d ");
    assert_int_equal(fake_kafka_partition(k, TOPIC_LISTING, 0).epoch, 1);
    fake_kafka_check(k);
    fake_kafka_free(k);
}

/* A clean leader change loses nothing and still raises the epoch; a change to an offset outside the
 * log is refused and changes nothing. */
static void clean_leader_change_keeps_everything(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition((struct fake_kafka_options){0});
    append(k, at(1), 1, "a");
    assert_int_equal(fake_kafka_truncate(k, at(2), TOPIC_LISTING, 0, 2), PORT_OUT_OF_RANGE);
    assert_int_equal(fake_kafka_partition(k, TOPIC_LISTING, 0).epoch, 0);
    assert_int_equal(fake_kafka_truncate(k, at(2), TOPIC_LISTING, 0, 1), 0);
    append(k, at(3), 1, "b");
    assert_int_equal(fake_kafka_record(k, TOPIC_LISTING, 0, 0)->epoch, 0);
    assert_int_equal(fake_kafka_record(k, TOPIC_LISTING, 0, 1)->epoch, 1);
    assert_int_equal(fake_kafka_delete_records(k, TOPIC_LISTING, 0, 1), 0);
    assert_int_equal(fake_kafka_truncate(k, at(4), TOPIC_LISTING, 0, 0), PORT_OUT_OF_RANGE);
    fake_kafka_free(k);
}

/* A partition without a leader refuses its own records, item by item, and its reads; the others of
 * the same request go in, and afterwards everything works again. */
static void offline_partitions_refuse_requests(void **state) {
    (void)state;
    struct fake_kafka_options options = {.topics[TOPIC_LISTING].partitions = 2};
    struct fake_kafka *k = fake_kafka_new(&options);
    struct log_port port = fake_kafka_port(k);
    struct produce_item items[8];
    struct produce_result results[8];
    for (uint64_t i = 0; i < 8; i++) {
        items[i] = (struct produce_item){TOPIC_LISTING, i, bytes_of("v")};
    }
    fake_kafka_set_online(k, TOPIC_LISTING, 1, false);
    assert_int_equal(port.ops->produce(port.ctx, at(0), items, 8, results), 0);
    size_t refused = 0;
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(results[i].status,
                         results[i].partition == 1 ? ITEM_RETRYABLE : ITEM_APPLIED);
        refused += results[i].partition == 1;
    }
    assert_in_range(refused, 1, 7);
    assert_int_equal(fake_kafka_partition(k, TOPIC_LISTING, 0).end, 8 - refused);
    struct log_record out[1];
    size_t count = 0;
    int64_t start = 0;
    int64_t end = 0;
    assert_int_equal(port.ops->fetch(port.ctx, at(0), TOPIC_LISTING, 1, 0, out, 1, &count),
                     PORT_UNAVAILABLE);
    assert_int_equal(port.ops->bounds(port.ctx, at(0), TOPIC_LISTING, 1, &start, &end),
                     PORT_UNAVAILABLE);
    fake_kafka_set_online(k, TOPIC_LISTING, 1, true);
    assert_int_equal(port.ops->bounds(port.ctx, at(0), TOPIC_LISTING, 1, &start, &end), 0);
    assert_int_equal(end, 0);
    fake_kafka_free(k);
}

/* Offsets may have holes: a fetch within one begins at the next record. */
static void fetch_passes_over_holes(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition((struct fake_kafka_options){.segment_bytes = 2});
    append(k, at(0), 1, "a");
    fake_kafka_skip(k, TOPIC_LISTING, 0, 3);
    append(k, at(0), 1, "b");
    fake_kafka_skip(k, TOPIC_LISTING, 0, 1);
    assert_bounds(k, 0, 6);
    struct log_record out[3];
    size_t count = 0;
    assert_int_equal(fetch(k, 2, out, 3, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(out[0].offset, 4);
    assert_int_equal(fetch(k, 5, out, 3, &count), 0);
    assert_int_equal(count, 0);
    assert_null(fake_kafka_record(k, TOPIC_LISTING, 0, 2));
    fake_kafka_check(k);
    fake_kafka_free(k);
}

/* ---- The log against a naive model ---- */

#define MODEL_MAX 6000

/* One partition as a plain list of everything ever appended and not truncated. */
struct model_record {
    int64_t offset;
    uint32_t epoch;
    vtime append;
    uint64_t key;
    uint64_t value;
    size_t len;
    int64_t segment; /* number of its segment */
    size_t segment_bytes;
};
struct model {
    struct model_record records[MODEL_MAX];
    size_t count;
    int64_t start, end;
    uint32_t epoch;
    vtime last;
    int64_t segments;
    size_t block;
    int64_t segment_ns, retention_ns, retention_bytes;
};

/* What expires is found from the list alone: the first segments whose newest record is too old, or
 * without which enough bytes are left. */
static void model_expire(struct model *m, vtime now) {
    while (m->count > 0) {
        size_t next = 0;
        int64_t rest = 0;
        while (next < m->count && m->records[next].segment == m->records[0].segment) {
            next++;
        }
        for (size_t i = next; i < m->count; i++) {
            rest += (int64_t)m->records[i].len;
        }
        bool old = vtime_diff(now, m->records[next - 1].append) > m->retention_ns;
        if (!old && rest < m->retention_bytes) {
            return;
        }
        m->start = next < m->count ? m->records[next].offset : m->end;
        m->count -= next;
        memmove(m->records, m->records + next, m->count * sizeof m->records[0]);
    }
}

static void model_append(struct model *m, vtime now, uint64_t key, uint64_t value, size_t len) {
    model_expire(m, now);
    vtime append = vtime_max(now, m->last);
    size_t used = len;
    bool roll = m->count == 0;
    if (!roll) {
        int64_t last = m->records[m->count - 1].segment;
        size_t first = m->count;
        size_t biggest = 0;
        while (first > 0 && m->records[first - 1].segment == last) {
            first--;
            used += m->records[first].len;
            biggest = m->records[first].segment_bytes;
        }
        roll = used > biggest || vtime_diff(append, m->records[first].append) > m->segment_ns;
    }
    const struct model_record *before = roll ? NULL : &m->records[m->count - 1];
    int64_t segment = roll ? ++m->segments : before->segment;
    size_t size = roll ? (len > m->block ? len : m->block) : before->segment_bytes;
    assert_in_range(m->count, 0, MODEL_MAX - 1);
    m->records[m->count++] =
        (struct model_record){m->end, m->epoch, append, key, value, len, segment, size};
    m->last = append;
    m->end++;
}

static void model_truncate(struct model *m, int64_t offset) {
    while (m->count > 0 && m->records[m->count - 1].offset >= offset) {
        m->count--;
    }
    m->end = offset;
    m->epoch++;
}

/* Dropped segments matter to later expiry, so the model drops them as the fake says it does. */
static void model_delete(struct model *m, int64_t before) {
    if (before <= m->start) {
        return;
    }
    m->start = before;
    size_t dropped = 0;
    for (size_t i = 0; i < m->count && m->records[i].offset < before; i++) {
        if (i + 1 == m->count || m->records[i + 1].segment != m->records[i].segment) {
            dropped = i + 1;
        }
    }
    m->count -= dropped;
    memmove(m->records, m->records + dropped, m->count * sizeof m->records[0]);
}

static void value_fill(char *buffer, uint64_t value, size_t len) {
    for (size_t i = 0; i < len; i++) {
        buffer[i] = (char)('a' + (value + i) % 26);
    }
}

static void assert_same_record(const struct log_record *r, const struct model_record *expected) {
    char value[64];
    value_fill(value, expected->value, expected->len);
    assert_int_equal(r->offset, expected->offset);
    assert_int_equal(r->epoch, expected->epoch);
    assert_int_equal(r->append.ns, expected->append.ns);
    assert_int_equal(r->key, expected->key);
    assert_true(bytes_equal(r->value, (struct bytes){value, expected->len}));
}

static void compare_fetch(struct fake_kafka *k, const struct model *m, int64_t offset, size_t max) {
    struct log_record out[64];
    size_t count = 0;
    int error = fetch(k, offset, out, max, &count);
    if (offset < m->start || offset > m->end) {
        assert_int_equal(error, PORT_OUT_OF_RANGE);
        return;
    }
    assert_int_equal(error, 0);
    size_t from = 0;
    while (from < m->count && m->records[from].offset < offset) {
        from++;
    }
    size_t expected = m->count - from < max ? m->count - from : max;
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        assert_same_record(&out[i], &m->records[from + i]);
    }
}

static void play_log(uint64_t seed) {
    static struct model m;
    struct prng p;
    prng_init(&p, seed, "test.fake_kafka.log");
    struct fake_kafka_options options = {.segment_bytes = 1 + prng_below(&p, 300),
                                         .segment_ns = prng_range(&p, 1, 2000)};
    options.topics[TOPIC_LISTING].retention_ns = prng_range(&p, 1, 5000);
    options.topics[TOPIC_LISTING].retention_bytes = prng_range(&p, 1, 10000);
    m = (struct model){.block = options.segment_bytes,
                       .segment_ns = options.segment_ns,
                       .retention_ns = options.topics[TOPIC_LISTING].retention_ns,
                       .retention_bytes = options.topics[TOPIC_LISTING].retention_bytes,
                       .last = {INT64_MIN}};
    struct fake_kafka *k = one_partition(options);
    struct log_port port = fake_kafka_port(k);
    int64_t clock = 0;
    static const uint64_t weights[] = {60, 30, 2, 2, 3, 3};
    for (int step = 0; step < 400; step++) {
        clock += prng_range(&p, -5, 60);
        int64_t offset = prng_range(&p, m.start - 2, m.end + 2);
        switch (prng_weighted(&p, weights, 6)) {
        case 0: {
            char value[64];
            uint64_t seed_of_value = prng_below(&p, 1000);
            size_t len = prng_below(&p, sizeof value + 1);
            value_fill(value, seed_of_value, len);
            struct produce_item item = {TOPIC_LISTING, prng_next(&p), {value, len}};
            struct produce_result result;
            assert_int_equal(port.ops->produce(port.ctx, at(clock), &item, 1, &result), 0);
            assert_int_equal(result.offset, m.end);
            model_append(&m, at(clock), item.key, seed_of_value, len);
            break;
        }
        case 1:
            compare_fetch(k, &m, offset, 1 + prng_below(&p, 64));
            break;
        case 2: {
            bool valid = offset >= m.start && offset <= m.end;
            assert_int_equal(fake_kafka_truncate(k, at(clock), TOPIC_LISTING, 0, offset),
                             valid ? 0 : PORT_OUT_OF_RANGE);
            if (valid) {
                model_truncate(&m, offset);
            }
            break;
        }
        case 3:
            assert_int_equal(fake_kafka_delete_records(k, TOPIC_LISTING, 0, offset),
                             offset <= m.end ? 0 : PORT_OUT_OF_RANGE);
            if (offset <= m.end) {
                model_delete(&m, offset);
            }
            break;
        case 4:
            fake_kafka_expire(k, at(clock));
            model_expire(&m, at(clock));
            break;
        default: {
            int64_t hole = prng_range(&p, 0, 5);
            fake_kafka_skip(k, TOPIC_LISTING, 0, hole);
            m.end += hole;
        }
        }
        assert_bounds(k, m.start, m.end);
        fake_kafka_check(k);
    }
    compare_fetch(k, &m, m.start, 64);
    fake_kafka_free(k);
}

/* Whatever is appended, fetched, truncated, deleted and expired, in any order, the log holds what a
 * plain list would. */
static void log_equals_a_plain_list(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        play_log(seed);
    }
}

/* ---- Groups ---- */

#define READS ((1u << TOPIC_LISTING) | (1u << TOPIC_MEDIA))

static struct fake_kafka *grouped(uint32_t partitions, enum fake_kafka_assignor assignor) {
    struct fake_kafka_options options = {.session_timeout_ns = 100, .assignor = assignor};
    options.topics[TOPIC_LISTING].partitions = partitions;
    options.topics[TOPIC_MEDIA].partitions = partitions;
    struct fake_kafka *k = fake_kafka_new(&options);
    assert_non_null(k);
    return k;
}

static void join(struct fake_kafka *k, int64_t ns, uint32_t member) {
    assert_int_equal(fake_kafka_group_join(k, at(ns), GROUP, member, READS), 0);
}

static int commit(struct fake_kafka *k, int64_t ns, uint32_t member, uint32_t generation,
                  uint32_t partition, int64_t offset) {
    struct log_port port = fake_kafka_port(k);
    return port.ops->commit(port.ctx, at(ns), GROUP, member, generation, TOPIC_LISTING, partition,
                            offset);
}

/* Every change that is pending, as text: "member/generation:partitions ". */
static const char *changes(struct fake_kafka *k) {
    static char text[512];
    size_t used = 0;
    struct fake_kafka_change c;
    text[0] = '\0';
    while (fake_kafka_group_next_change(k, &c)) {
        assert_string_equal(c.group, GROUP);
        used += (size_t)snprintf(text + used, sizeof text - used, "%u/%u:", (unsigned)c.member,
                                 (unsigned)c.generation);
        for (size_t i = 0; i < c.count; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used, i == 0 ? "%u" : ",%u",
                                     (unsigned)c.partitions[i]);
        }
        used += (size_t)snprintf(text + used, sizeof text - used, " ");
    }
    return text;
}

/* Each join and each leave starts a generation in which everybody's partitions are dealt anew; a
 * member that is told late is told the latest only (A15). */
static void membership_changes_deal_partitions_anew(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(5, FAKE_KAFKA_RANGE);
    join(k, 0, 20);
    assert_string_equal(changes(k), "20/1:0,1,2,3,4 ");
    assert_string_equal(changes(k), "");
    join(k, 1, 10);
    join(k, 2, 30);
    assert_string_equal(changes(k), "10/3:0,1 20/3:2,3 30/3:4 ");
    fake_kafka_group_leave(k, at(3), GROUP, 10);
    assert_string_equal(changes(k), "20/4:0,1,2 30/4:3,4 ");
    fake_kafka_group_leave(k, at(3), GROUP, 10);
    assert_string_equal(changes(k), "");
    assert_int_equal(fake_kafka_group_owner(k, GROUP, 3), 30);
    fake_kafka_group_leave(k, at(4), GROUP, 20);
    fake_kafka_group_leave(k, at(4), GROUP, 30);
    assert_int_equal(fake_kafka_group_generation(k, GROUP), 6);
    assert_int_equal(fake_kafka_group_members(k, GROUP), 0);
    assert_int_equal(fake_kafka_group_owner(k, GROUP, 3), FAKE_KAFKA_NOBODY);
    fake_kafka_free(k);
}

/* More members than partitions: those without work are told so. */
static void surplus_members_get_nothing(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(1, FAKE_KAFKA_RANGE);
    join(k, 0, 1);
    join(k, 0, 2);
    assert_string_equal(changes(k), "1/2:0 2/2: ");
    fake_kafka_free(k);
}

/* The sticky assignor moves only what balance demands. */
static void sticky_assignment_moves_little(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(6, FAKE_KAFKA_STICKY);
    join(k, 0, 2);
    join(k, 0, 1);
    assert_string_equal(changes(k), "1/2:3,4,5 2/2:0,1,2 ");
    join(k, 0, 3);
    assert_string_equal(changes(k), "1/3:3,4 2/3:0,1 3/3:2,5 ");
    fake_kafka_group_leave(k, at(0), GROUP, 2);
    assert_string_equal(changes(k), "1/4:0,3,4 3/4:1,2,5 ");
    fake_kafka_free(k);
}

/* A silent member keeps its partitions until the verdict and not a nanosecond longer. */
static void silent_members_are_evicted_at_the_deadline(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(2, FAKE_KAFKA_RANGE);
    join(k, 0, 1);
    join(k, 0, 2);
    (void)changes(k);
    assert_int_equal(fake_kafka_group_check(k, at(0)).ns, VTIME_NEVER.ns);
    assert_int_equal(fake_kafka_group_silence(k, at(10), GROUP, 1).ns, at(110).ns);
    assert_int_equal(fake_kafka_group_silence(k, at(20), GROUP, 1).ns, at(110).ns);
    assert_int_equal(fake_kafka_group_check(k, at(109)).ns, at(110).ns);
    assert_string_equal(changes(k), "");
    assert_int_equal(fake_kafka_group_check(k, at(110)).ns, VTIME_NEVER.ns);
    assert_string_equal(changes(k), "2/3:0,1 ");
    assert_int_equal(fake_kafka_group_silence(k, at(111), GROUP, 1).ns, VTIME_NEVER.ns);
    fake_kafka_free(k);
}

/* One that speaks before its deadline stays, without a rebalance, and gets what it missed; one that
 * speaks at its deadline is too late, whether or not the host came to check. */
static void speaking_in_time_keeps_the_membership(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(2, FAKE_KAFKA_RANGE);
    join(k, 0, 1);
    (void)changes(k);
    (void)fake_kafka_group_silence(k, at(0), GROUP, 1);
    join(k, 50, 2);
    assert_string_equal(changes(k), "2/2:1 ");
    assert_int_equal(fake_kafka_group_speak(k, at(99), GROUP, 1), 0);
    assert_string_equal(changes(k), "1/2:0 ");
    assert_int_equal(fake_kafka_group_check(k, at(1000)).ns, VTIME_NEVER.ns);
    assert_int_equal(fake_kafka_group_members(k, GROUP), 2);
    (void)fake_kafka_group_silence(k, at(1000), GROUP, 1);
    assert_int_equal(fake_kafka_group_speak(k, at(1100), GROUP, 1), PORT_FENCED);
    assert_string_equal(changes(k), "2/3:0,1 ");
    assert_int_equal(fake_kafka_group_speak(k, at(1100), "nobody", 1), PORT_FENCED);
    fake_kafka_free(k);
}

/* A commit is a sign of life: it puts the verdict off by a session timeout, and no more. */
static void commits_put_the_verdict_off(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(2, FAKE_KAFKA_RANGE);
    join(k, 0, 1);
    (void)fake_kafka_group_silence(k, at(0), GROUP, 1);
    assert_int_equal(commit(k, 40, 1, 1, 0, 5), 0);
    assert_int_equal(fake_kafka_group_check(k, at(100)).ns, at(140).ns);
    assert_int_equal(fake_kafka_group_members(k, GROUP), 1);
    (void)fake_kafka_group_check(k, at(140));
    assert_int_equal(fake_kafka_group_members(k, GROUP), 0);
    fake_kafka_free(k);
}

/* Commits of a past generation, of a generation to come and of strangers change nothing (C2). */
static void commits_are_fenced_by_generation(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(2, FAKE_KAFKA_RANGE);
    assert_int_equal(commit(k, 0, 1, 0, 0, 3), PORT_FENCED);
    join(k, 0, 1);
    assert_int_equal(fake_kafka_group_committed(k, GROUP, TOPIC_LISTING, 0), FAKE_KAFKA_NO_OFFSET);
    assert_int_equal(commit(k, 0, 1, 1, 0, 3), 0);
    join(k, 0, 2);
    assert_int_equal(commit(k, 0, 1, 1, 0, 4), PORT_FENCED);
    assert_int_equal(commit(k, 0, 1, 3, 0, 4), PORT_FENCED);
    assert_int_equal(commit(k, 0, 9, 2, 0, 4), PORT_FENCED);
    assert_int_equal(fake_kafka_group_committed(k, GROUP, TOPIC_LISTING, 0), 3);
    assert_int_equal(fake_kafka_group_committed(k, GROUP, TOPIC_LISTING, 1), FAKE_KAFKA_NO_OFFSET);
    assert_int_equal(fake_kafka_group_committed(k, GROUP, TOPIC_MEDIA, 0), FAKE_KAFKA_NO_OFFSET);
    assert_int_equal(commit(k, 0, 1, 2, 0, 1), 0); /* back: Kafka takes what it is told */
    assert_int_equal(fake_kafka_group_committed(k, GROUP, TOPIC_LISTING, 0), 1);
    fake_kafka_free(k);
}

/* An evicted member goes on fetching and producing; only its commit is refused (A15, C2). */
static void zombies_fetch_and_produce_but_cannot_commit(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(1, FAKE_KAFKA_RANGE);
    join(k, 0, 1);
    join(k, 0, 2);
    (void)fake_kafka_group_silence(k, at(0), GROUP, 1);
    (void)fake_kafka_group_check(k, at(100));
    assert_int_equal(append(k, at(101), 1, "zombie").status, ITEM_APPLIED);
    struct log_record out[1];
    size_t count = 0;
    assert_int_equal(fetch(k, 0, out, 1, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(commit(k, 102, 1, 2, 0, 1), PORT_FENCED);
    assert_int_equal(commit(k, 102, 1, 3, 0, 1), PORT_FENCED);
    assert_int_equal(commit(k, 102, 2, 3, 0, 1), 0);
    fake_kafka_free(k);
}

/* A restarted member joins under its own number before anybody noticed its crash: a generation of
 * its own keeps its former self's commits out, and the old verdict is void. */
static void rejoining_fences_the_former_self(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(2, FAKE_KAFKA_RANGE);
    join(k, 0, 1);
    (void)changes(k);
    (void)fake_kafka_group_silence(k, at(0), GROUP, 1);
    join(k, 50, 1);
    assert_string_equal(changes(k), "1/2:0,1 ");
    assert_int_equal(commit(k, 60, 1, 1, 0, 7), PORT_FENCED);
    (void)fake_kafka_group_check(k, at(100));
    assert_int_equal(fake_kafka_group_members(k, GROUP), 1);
    fake_kafka_free(k);
}

/* Committed offsets outlive the members, and lag is counted from them. */
static void lag_counts_from_the_committed_offset(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(1, FAKE_KAFKA_RANGE);
    for (int i = 0; i < 5; i++) {
        append(k, at(0), 1, "a");
    }
    assert_int_equal(fake_kafka_group_lag(k, GROUP, TOPIC_LISTING, 0), 5);
    join(k, 0, 1);
    assert_int_equal(commit(k, 0, 1, 1, 0, 4), 0);
    fake_kafka_group_leave(k, at(0), GROUP, 1);
    assert_int_equal(fake_kafka_group_lag(k, GROUP, TOPIC_LISTING, 0), 1);
    assert_int_equal(fake_kafka_truncate(k, at(1), TOPIC_LISTING, 0, 2), 0);
    assert_int_equal(fake_kafka_group_committed(k, GROUP, TOPIC_LISTING, 0), 4);
    assert_int_equal(fake_kafka_group_lag(k, GROUP, TOPIC_LISTING, 0), 0);
    fake_kafka_free(k);
}

/* Groups know nothing of each other, and changes come in the order in which groups were made. */
static void groups_are_independent(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(2, FAKE_KAFKA_RANGE);
    assert_int_equal(fake_kafka_group_join(k, at(0), "z", 1, 1u << TOPIC_LISTING), 0);
    assert_int_equal(fake_kafka_group_join(k, at(0), "a", 1, 1u << TOPIC_ORDER), 0);
    assert_int_equal(fake_kafka_group_join(k, at(0), "a", 2, 1u << TOPIC_ORDER), 0);
    struct fake_kafka_change c;
    assert_true(fake_kafka_group_next_change(k, &c));
    assert_string_equal(c.group, "z");
    assert_int_equal(c.count, 2);
    assert_int_equal(c.generation, 1);
    assert_true(fake_kafka_group_next_change(k, &c));
    assert_string_equal(c.group, "a");
    assert_int_equal(c.generation, 2);
    assert_int_equal(c.count, FAKE_KAFKA_PARTITIONS_DEFAULT / 2);
    fake_kafka_free(k);
}

/* ---- Groups against a naive model ---- */

#define PEOPLE 6
#define PARTS_MAX 12

/* What one person believes, from what it was told, and what the coordinator must think of it. */
struct person {
    bool member;
    bool silent;
    int64_t deadline;
    uint32_t told; /* generation of the last change delivered */
};

struct play {
    struct fake_kafka *k;
    struct prng p;
    uint32_t partitions;
    struct person people[PEOPLE];
    uint32_t generation;
    int64_t clock;
    int64_t committed[PARTS_MAX];
};

static size_t play_members(const struct play *g) {
    size_t n = 0;
    for (size_t i = 0; i < PEOPLE; i++) {
        n += g->people[i].member;
    }
    return n;
}

static void play_evict(struct play *g) {
    for (size_t i = 0; i < PEOPLE; i++) {
        struct person *one = &g->people[i];
        if (one->member && one->silent && one->deadline <= g->clock) {
            *one = (struct person){.told = one->told};
            g->generation++;
        }
    }
}

/* A change goes to a speaking member, of the present generation, with exactly its partitions. */
static void play_deliver(struct play *g) {
    struct fake_kafka_change c;
    while (fake_kafka_group_next_change(g->k, &c)) {
        struct person *one = &g->people[c.member];
        assert_true(one->member && !one->silent);
        assert_int_equal(c.generation, g->generation);
        assert_true(c.generation > one->told);
        one->told = c.generation;
        size_t owned = 0;
        for (uint32_t p = 0; p < g->partitions; p++) {
            owned += fake_kafka_group_owner(g->k, GROUP, p) == c.member;
        }
        assert_int_equal(owned, c.count);
        for (size_t i = 0; i < c.count; i++) {
            assert_int_equal(fake_kafka_group_owner(g->k, GROUP, c.partitions[i]), c.member);
        }
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        const struct person *one = &g->people[i];
        assert_true(!one->member || one->silent || one->told == g->generation);
    }
}

static void play_commit(struct play *g, uint32_t member) {
    struct person *one = &g->people[member];
    uint32_t partition = (uint32_t)prng_below(&g->p, g->partitions);
    int64_t offset = prng_range(&g->p, 0, 1000);
    play_evict(g);
    uint32_t generation = prng_ratio(&g->p, 1, 10) ? g->generation : one->told;
    bool valid = one->member && generation == g->generation;
    assert_int_equal(commit(g->k, g->clock, member, generation, partition, offset),
                     valid ? 0 : PORT_FENCED);
    if (valid) {
        g->committed[partition] = offset;
        one->deadline = g->clock + 100;
    }
}

static void play_step(struct play *g) {
    uint32_t member = (uint32_t)prng_below(&g->p, PEOPLE);
    struct person *one = &g->people[member];
    static const uint64_t weights[] = {10, 5, 15, 15, 20, 30, 20};
    g->clock += prng_range(&g->p, 0, 30);
    switch (prng_weighted(&g->p, weights, 7)) {
    case 0:
        play_evict(g);
        join(g->k, g->clock, member);
        *one = (struct person){.member = true, .told = one->told};
        g->generation++;
        break;
    case 1:
        play_evict(g);
        fake_kafka_group_leave(g->k, at(g->clock), GROUP, member);
        g->generation += one->member;
        *one = (struct person){.told = one->told};
        break;
    case 2: {
        play_evict(g);
        if (one->member && !one->silent) {
            one->silent = true;
            one->deadline = g->clock + 100;
        }
        vtime deadline = fake_kafka_group_silence(g->k, at(g->clock), GROUP, member);
        assert_int_equal(deadline.ns, one->member ? START + one->deadline : VTIME_NEVER.ns);
        break;
    }
    case 3:
        play_evict(g);
        assert_int_equal(fake_kafka_group_speak(g->k, at(g->clock), GROUP, member),
                         one->member ? 0 : PORT_FENCED);
        one->silent = false;
        break;
    case 4:
        play_evict(g);
        (void)fake_kafka_group_check(g->k, at(g->clock));
        break;
    case 5:
        play_commit(g, member);
        break;
    default:
        play_deliver(g);
    }
}

/* Every partition has exactly one owner, a member; shares differ by at most one; the generation is
 * the count of changes so far; offsets are those of the commits that were not fenced. */
static void play_compare(struct play *g) {
    size_t shares[PEOPLE] = {0};
    size_t members = play_members(g);
    assert_int_equal(fake_kafka_group_generation(g->k, GROUP), g->generation);
    assert_int_equal(fake_kafka_group_members(g->k, GROUP), members);
    for (uint32_t p = 0; p < g->partitions; p++) {
        uint32_t owner = fake_kafka_group_owner(g->k, GROUP, p);
        assert_int_equal(fake_kafka_group_committed(g->k, GROUP, TOPIC_LISTING, p),
                         g->committed[p]);
        assert_true((owner == FAKE_KAFKA_NOBODY) == (members == 0));
        if (members > 0) {
            assert_in_range(owner, 0, PEOPLE - 1);
            assert_true(g->people[owner].member);
            shares[owner]++;
        }
    }
    for (size_t i = 0; i < PEOPLE && members > 0; i++) {
        size_t low = g->partitions / members;
        assert_true(!g->people[i].member || shares[i] == low || shares[i] == low + 1);
    }
    fake_kafka_check(g->k);
}

static void play_groups(uint64_t seed) {
    struct play g = {0};
    prng_init(&g.p, seed, "test.fake_kafka.groups");
    g.partitions = (uint32_t)prng_range(&g.p, 1, PARTS_MAX);
    g.k = grouped(g.partitions, (seed & 1) != 0 ? FAKE_KAFKA_STICKY : FAKE_KAFKA_RANGE);
    for (size_t i = 0; i < PARTS_MAX; i++) {
        g.committed[i] = FAKE_KAFKA_NO_OFFSET;
    }
    join(g.k, 0, 0);
    g.people[0].member = true;
    g.generation = 1;
    for (int step = 0; step < 300; step++) {
        play_step(&g);
        play_compare(&g);
    }
    fake_kafka_free(g.k);
}

/* Through random joins, leaves, silences, verdicts and commits the group stays what the model says.
 */
static void groups_equal_a_plain_model(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        play_groups(seed);
    }
}

/* How many partitions the members can keep at most in an even deal, from what each owned before. */
static size_t keepable(struct fake_kafka *k, const size_t *owned, size_t n) {
    size_t members = fake_kafka_group_members(k, GROUP);
    size_t larger = members == 0 ? 0 : n % members;
    size_t most = 0;
    struct fake_kafka_change c;
    while (fake_kafka_group_next_change(k, &c)) {
        size_t low = n / members;
        bool more = owned[c.member] > low && larger > 0;
        larger -= more;
        most += owned[c.member] < low + more ? owned[c.member] : low + more;
    }
    return most;
}

static void sticky_step(struct fake_kafka *k, struct prng *p, uint32_t n, int64_t ns) {
    uint32_t before[PARTS_MAX];
    size_t owned[PEOPLE] = {0};
    uint32_t generation = fake_kafka_group_generation(k, GROUP);
    for (uint32_t i = 0; i < n; i++) {
        before[i] = fake_kafka_group_owner(k, GROUP, i);
        if (before[i] != FAKE_KAFKA_NOBODY) {
            owned[before[i]]++;
        }
    }
    uint32_t who = (uint32_t)prng_below(p, PEOPLE);
    if (prng_ratio(p, 1, 2)) {
        join(k, ns, who);
    } else {
        fake_kafka_group_leave(k, at(ns), GROUP, who);
    }
    if (fake_kafka_group_generation(k, GROUP) == generation) {
        return; /* a stranger left */
    }
    size_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t owner = fake_kafka_group_owner(k, GROUP, i);
        kept += owner != FAKE_KAFKA_NOBODY && owner == before[i];
    }
    assert_int_equal(kept, keepable(k, owned, n));
}

/* Joining and leaving one at a time, the sticky assignor keeps as much as any even deal can. */
static void sticky_assignment_is_as_sticky_as_can_be(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct prng p;
        prng_init(&p, seed, "test.fake_kafka.sticky");
        uint32_t n = (uint32_t)prng_range(&p, 1, PARTS_MAX);
        struct fake_kafka *k = grouped(n, FAKE_KAFKA_STICKY);
        for (int step = 0; step < 30; step++) {
            sticky_step(k, &p, n, step);
        }
        fake_kafka_free(k);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_decide_partitions),
        cmocka_unit_test(fetch_reads_in_order),
        cmocka_unit_test(unknown_partitions_are_not_found),
        cmocka_unit_test(append_time_never_falls),
        cmocka_unit_test(values_stay_where_they_are),
        cmocka_unit_test(large_records_go_in_up_to_the_limit),
        cmocka_unit_test(retention_by_time_drops_whole_segments),
        cmocka_unit_test(retention_is_fourteen_days),
        cmocka_unit_test(tombstones_take_their_key),
        cmocka_unit_test(lost_tombstones_take_nothing),
        cmocka_unit_test(segments_are_closed_by_age),
        cmocka_unit_test(retention_by_bytes_keeps_at_least_that_much),
        cmocka_unit_test(delete_records_moves_the_start),
        cmocka_unit_test(truncation_reuses_offsets_under_the_next_epoch),
        cmocka_unit_test(clean_leader_change_keeps_everything),
        cmocka_unit_test(offline_partitions_refuse_requests),
        cmocka_unit_test(fetch_passes_over_holes),
        cmocka_unit_test(log_equals_a_plain_list),
        cmocka_unit_test(membership_changes_deal_partitions_anew),
        cmocka_unit_test(surplus_members_get_nothing),
        cmocka_unit_test(sticky_assignment_moves_little),
        cmocka_unit_test(silent_members_are_evicted_at_the_deadline),
        cmocka_unit_test(speaking_in_time_keeps_the_membership),
        cmocka_unit_test(commits_put_the_verdict_off),
        cmocka_unit_test(commits_are_fenced_by_generation),
        cmocka_unit_test(zombies_fetch_and_produce_but_cannot_commit),
        cmocka_unit_test(rejoining_fences_the_former_self),
        cmocka_unit_test(lag_counts_from_the_committed_offset),
        cmocka_unit_test(groups_are_independent),
        cmocka_unit_test(groups_equal_a_plain_model),
        cmocka_unit_test(sticky_assignment_is_as_sticky_as_can_be),
    };
    return cmocka_run_group_tests_name("fake_kafka", tests, NULL, NULL);
}
