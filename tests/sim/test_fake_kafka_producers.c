/*
 * Producers of the fake Kafka (C2): what an idempotent one sends twice is there once, an overtaken
 * one is fenced, and a leader change takes back what the broker knew with the records that told it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/fake_kafka.h"
#include "sim/prng.h"

#define START INT64_C(1700000000000000000)

static vtime at(int64_t ns) {
    return (vtime){START + ns};
}

static struct fake_kafka *one_partition(void) {
    struct fake_kafka_options options = {.segment_bytes = 4};
    options.topics[TOPIC_LISTING].partitions = 1;
    struct fake_kafka *k = fake_kafka_new(&options);
    assert_non_null(k);
    return k;
}

/* Produces one record under the mark. */
static struct produce_result produce(struct fake_kafka *k, uint64_t producer, uint32_t epoch,
                                     uint32_t sequence, const char *value) {
    struct log_port port = fake_kafka_port(k);
    struct produce_item item = {TOPIC_LISTING, 1, bytes_of(value)};
    struct producer_mark mark = {producer, epoch, sequence};
    struct produce_result result;
    assert_int_equal(port.ops->produce_as(port.ctx, at(0), &mark, &item, 1, &result), 0);
    fake_kafka_check(k);
    return result;
}

static void assert_taken(struct produce_result result, enum item_status status, int64_t offset) {
    assert_int_equal(result.status, status);
    assert_int_equal(result.offset, offset);
}

static int64_t end(struct fake_kafka *k) {
    return fake_kafka_partition(k, TOPIC_LISTING, 0).end;
}

struct heard {
    unsigned repeats;
    int64_t offset;
};

static void note_repeat(void *ctx, vtime now, const struct produce_item *item, uint32_t partition,
                        int64_t offset) {
    struct heard *heard = ctx;
    (void)now;
    (void)partition;
    assert_int_equal(item->topic, TOPIC_LISTING);
    heard->repeats++;
    heard->offset = offset;
}

/* A retry is acknowledged with the offset of what it repeats, and not appended; the observer hears
 * of it. Without a mark every retry is a record. */
static void retries_are_dropped(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition();
    struct heard heard = {0};
    fake_kafka_observe(k, (struct fake_kafka_observer){.repeated = note_repeat, .ctx = &heard});
    assert_taken(produce(k, 9, 1, 1, "a"), ITEM_APPLIED, 0);
    assert_taken(produce(k, 9, 1, 2, "b"), ITEM_APPLIED, 1);
    assert_taken(produce(k, 9, 1, 1, "a"), ITEM_APPLIED, 0);
    assert_taken(produce(k, 9, 1, 2, "b"), ITEM_APPLIED, 1);
    assert_int_equal(heard.repeats, 2);
    assert_int_equal(heard.offset, 1);
    assert_taken(produce(k, 8, 1, 1, "c"), ITEM_APPLIED, 2);
    assert_taken(produce(k, 0, 0, 1, "d"), ITEM_APPLIED, 3);
    assert_taken(produce(k, 0, 0, 1, "d"), ITEM_APPLIED, 4);
    fake_kafka_free(k);
}

/* A batch has rising numbers; of one that was taken in by half the rest goes in when it comes
 * again. */
static void half_a_batch_is_completed(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition();
    struct log_port port = fake_kafka_port(k);
    struct produce_item items[3];
    for (uint64_t i = 0; i < 3; i++) {
        items[i] = (struct produce_item){TOPIC_LISTING, i, bytes_of("abc")};
    }
    struct producer_mark first = {9, 1, 5};
    struct produce_result results[3];
    assert_int_equal(port.ops->produce_as(port.ctx, at(0), &first, items, 1, results), 0);
    assert_int_equal(port.ops->produce_as(port.ctx, at(0), &first, items, 3, results), 0);
    for (int64_t i = 0; i < 3; i++) {
        assert_taken(results[i], ITEM_APPLIED, i);
    }
    assert_int_equal(end(k), 3);
    fake_kafka_free(k);
}

/* Who starts anew takes a higher epoch and may number from 1; its forerunner is fenced. Under the
 * former epoch the same numbers look like repeats, and are lost: that is the accident. */
static void epochs_fence_and_begin_anew(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition();
    produce(k, 9, 1, 1, "a");
    produce(k, 9, 1, 2, "b");
    assert_taken(produce(k, 9, 1, 1, "lost"), ITEM_APPLIED, 0);
    assert_taken(produce(k, 9, 2, 1, "c"), ITEM_APPLIED, 2);
    assert_int_equal(produce(k, 9, 1, 3, "zombie").status, ITEM_FATAL);
    assert_int_equal(end(k), 3);
    fake_kafka_free(k);
}

/* What a leader change takes away is not known as sent any more: a retry of it goes in. */
static void a_lost_record_may_come_again(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition();
    for (uint32_t i = 1; i <= 5; i++) {
        produce(k, 9, 1, i, "xyz");
    }
    assert_int_equal(fake_kafka_truncate(k, at(1), TOPIC_LISTING, 0, 3), 0);
    assert_taken(produce(k, 9, 1, 3, "xyz"), ITEM_APPLIED, 2);
    struct produce_result again = produce(k, 9, 1, 4, "xyz");
    assert_taken(again, ITEM_APPLIED, 3);
    assert_int_equal(again.epoch, 1);
    assert_int_equal(fake_kafka_truncate(k, at(2), TOPIC_LISTING, 0, 0), 0);
    assert_taken(produce(k, 9, 1, 1, "xyz"), ITEM_APPLIED, 0);
    fake_kafka_free(k);
}

/* A broker that forgot its producers takes everything in, repeats too (producer.id.expiration.ms).
 */
static void forgotten_producers_repeat(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition();
    produce(k, 9, 1, 1, "a");
    fake_kafka_forget_producers(k, TOPIC_LISTING, 0);
    assert_taken(produce(k, 9, 1, 1, "a"), ITEM_APPLIED, 1);
    assert_taken(produce(k, 9, 1, 1, "a"), ITEM_APPLIED, 1);
    fake_kafka_free(k);
}

static int64_t epoch_end(struct fake_kafka *k, uint32_t epoch) {
    struct log_port port = fake_kafka_port(k);
    int64_t offset = -7;
    assert_int_equal(port.ops->epoch_end(port.ctx, at(0), TOPIC_LISTING, 0, epoch, &offset), 0);
    return offset;
}

/* A reader of an epoch learns where it ends for the present leader: whoever read further read what
 * is lost, also when those offsets have been given out again (KIP-320). */
static void epochs_tell_where_logs_part(void **state) {
    (void)state;
    struct fake_kafka *k = one_partition();
    for (uint32_t i = 0; i < 10; i++) {
        produce(k, 0, 0, 0, "x");
    }
    assert_int_equal(epoch_end(k, 0), 10);
    assert_int_equal(fake_kafka_truncate(k, at(1), TOPIC_LISTING, 0, 10), 0);
    assert_int_equal(epoch_end(k, 0), 10);
    produce(k, 0, 0, 0, "y");
    assert_int_equal(epoch_end(k, 0), 10);
    assert_int_equal(epoch_end(k, 1), 11);
    /* The next leader has 6 of the first epoch and none of the second. */
    assert_int_equal(fake_kafka_truncate(k, at(2), TOPIC_LISTING, 0, 6), 0);
    for (uint32_t i = 0; i < 8; i++) {
        produce(k, 0, 0, 0, "z");
    }
    assert_int_equal(epoch_end(k, 0), 6);
    assert_int_equal(epoch_end(k, 1), 6);
    assert_int_equal(epoch_end(k, 2), 14);
    fake_kafka_set_online(k, TOPIC_LISTING, 0, false);
    struct log_port port = fake_kafka_port(k);
    int64_t offset;
    assert_int_equal(port.ops->epoch_end(port.ctx, at(3), TOPIC_LISTING, 0, 0, &offset),
                     PORT_UNAVAILABLE);
    fake_kafka_free(k);
}

/* Against a plain list: whatever is sent, lost and sent again, each number of an epoch is in the
 * log at most once, and what was acknowledged is there unless it was lost since. */
static void play(uint64_t seed) {
    enum { NUMBERS = 60 };
    struct fake_kafka *k = one_partition();
    struct prng p;
    prng_init(&p, seed, "producers");
    int64_t where[NUMBERS];
    memset(where, -1, sizeof where);
    uint32_t next = 0;
    for (int step = 0; step < 300; step++) {
        uint64_t what = prng_below(&p, 12);
        if (what == 0) {
            int64_t cut = prng_range(&p, 0, end(k));
            assert_int_equal(fake_kafka_truncate(k, at(step), TOPIC_LISTING, 0, cut), 0);
            for (uint32_t i = 0; i < NUMBERS; i++) {
                where[i] = where[i] < cut ? where[i] : -1;
            }
            /* The client goes on from the first number that it lost, as it numbers in order. */
            for (next = 0; next < NUMBERS && where[next] >= 0; next++) {
            }
        } else if (what < 6 && next < NUMBERS) {
            struct produce_result r = produce(k, 9, 1, next + 1, "v");
            assert_taken(r, ITEM_APPLIED, end(k) - 1);
            where[next++] = r.offset;
        } else if (next > 0) {
            uint32_t i = (uint32_t)prng_below(&p, next);
            assert_taken(produce(k, 9, 1, i + 1, "v"), ITEM_APPLIED, where[i]);
        }
    }
    assert_int_equal(end(k), next);
    fake_kafka_free(k);
}

static void any_play_equals_a_plain_list(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        play(seed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_are_dropped),
        cmocka_unit_test(half_a_batch_is_completed),
        cmocka_unit_test(epochs_fence_and_begin_anew),
        cmocka_unit_test(a_lost_record_may_come_again),
        cmocka_unit_test(forgotten_producers_repeat),
        cmocka_unit_test(epochs_tell_where_logs_part),
        cmocka_unit_test(any_play_equals_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
