/*
 * The conformance suite of the log port (C2, A15). Each test says what the pipeline leans on; it
 * holds of the fake and of the real thing, so that the fake cannot drift into a fantasy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/log_subject.h"
#include "conformance/suite.h"
#include "pipeline/effects.h"

#define GROUP "conformance"
enum { BOTH = 1 << TOPIC_LISTING | 1 << TOPIC_MEDIA, FETCH_MAX = 64 };

SUITE_SUBJECTS(log)

/* ---- What the tests say ---- */

static int produce(struct log_subject *s, const struct produce_item *items, size_t count,
                   struct produce_result *results) {
    return s->port.ops->produce(s->port.ctx, s->ops->now(s->ctx), items, count, results);
}

static struct produce_result append(struct log_subject *s, uint64_t key, const char *value) {
    struct produce_item item = {TOPIC_LISTING, key, bytes_of(value)};
    struct produce_result result;
    assert_int_equal(produce(s, &item, 1, &result), 0);
    return result;
}

static int fetch(struct log_subject *s, uint32_t partition, int64_t offset, struct log_record *out,
                 size_t max, size_t *count) {
    return s->port.ops->fetch(s->port.ctx, s->ops->now(s->ctx), TOPIC_LISTING, partition, offset,
                              out, max, count);
}

static void assert_bounds(struct log_subject *s, uint32_t partition, int64_t start, int64_t end) {
    int64_t from = -1;
    int64_t to = -1;
    assert_int_equal(
        s->port.ops->bounds(s->port.ctx, s->ops->now(s->ctx), TOPIC_LISTING, partition, &from, &to),
        0);
    assert_int_equal(from, start);
    assert_int_equal(to, end);
}

static int commit(struct log_subject *s, uint32_t member, uint32_t generation, uint32_t partition,
                  int64_t offset) {
    return s->port.ops->commit(s->port.ctx, s->ops->now(s->ctx), GROUP, member, generation,
                               TOPIC_LISTING, partition, offset);
}

static int64_t committed(struct log_subject *s, uint32_t partition) {
    int64_t offset = s->ops->committed(s->ctx, GROUP, TOPIC_LISTING, partition);
    /* The port says the same. */
    int64_t told = -1;
    int error = s->port.ops->committed(s->port.ctx, s->ops->now(s->ctx), GROUP, TOPIC_LISTING,
                                       partition, &told);
    assert_int_equal(error, offset < 0 ? PORT_NOT_FOUND : PORT_OK);
    assert_true(offset < 0 || told == offset);
    return offset;
}

/* Keys of one partition, in ascending order. */
static uint64_t key_of(uint32_t partition, size_t i) {
    for (uint64_t key = 1;; key++) {
        if (topic_partition(key, LOG_SUBJECT_PARTITIONS) == partition && i-- == 0) {
            return key;
        }
    }
}

static void settle(struct log_subject *s, const uint32_t *members, size_t count,
                   struct log_share *shares) {
    assert_true(s->ops->settle(s->ctx, GROUP, members, count, shares));
}

/* ---- Records ---- */

/* A record goes to the partition of its key, for every producer alike: order per key needs it. */
static void keys_decide_partitions(void **state) {
    struct log_subject *s = *state;
    for (uint64_t key = 1; key <= 20; key++) {
        struct produce_result result = append(s, key, "x");
        assert_int_equal(result.status, ITEM_APPLIED);
        assert_int_equal(result.partition, topic_partition(key, LOG_SUBJECT_PARTITIONS));
    }
}

/* What is acknowledged is there, whole and in the order in which it was sent, at the offset that
 * was told; a fetch may begin anywhere and gives no more than asked for. */
static void records_come_back_in_order(void **state) {
    struct log_subject *s = *state;
    struct produce_item items[10];
    struct produce_result results[10];
    char values[10][16];
    for (int i = 0; i < 10; i++) {
        snprintf(values[i], sizeof values[i], "v%d", i);
        items[i] = (struct produce_item){TOPIC_LISTING, key_of(1, i % 3), bytes_of(values[i])};
    }
    assert_bounds(s, 1, 0, 0);
    assert_int_equal(produce(s, items, 10, results), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(results[i].status, ITEM_APPLIED);
        assert_int_equal(results[i].partition, 1);
        assert_int_equal(results[i].offset, i);
    }
    assert_bounds(s, 1, 0, 10);
    assert_bounds(s, 0, 0, 0);

    struct log_record out[FETCH_MAX];
    size_t count = 0;
    assert_int_equal(fetch(s, 1, 4, out, 3, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(fetch(s, 1, 0, out, FETCH_MAX, &count), 0);
    assert_int_equal(count, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(out[i].offset, i);
        assert_int_equal(out[i].key, items[i].key);
        assert_true(bytes_equal(out[i].value, items[i].value));
        assert_true(i == 0 || out[i].append.ns >= out[i - 1].append.ns);
        assert_true(i == 0 || out[i].epoch >= out[i - 1].epoch);
    }
}

/* Values are bytes: none at all (a tombstone), zeroes, whatever is no UTF-8, and up to the limit.
 */
static void values_are_any_bytes(void **state) {
    struct log_subject *s = *state;
    static char large[LOG_SUBJECT_VALUE_MAX - 256];
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (char)(i * 31 % 251);
    }
    const struct bytes values[] = {{"", 0}, {"\0\0\xff\xfe", 4}, {large, sizeof large}};
    for (size_t i = 0; i < 3; i++) {
        struct produce_item item = {TOPIC_LISTING, key_of(0, 0), values[i]};
        struct produce_result result;
        assert_int_equal(produce(s, &item, 1, &result), 0);
        assert_int_equal(result.status, ITEM_APPLIED);
    }
    struct log_record out[FETCH_MAX];
    size_t count = 0;
    assert_int_equal(fetch(s, 0, 0, out, FETCH_MAX, &count), 0);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(bytes_equal(out[i].value, values[i]));
    }
}

/* One item above the limit keeps the whole batch out. */
static void too_large_is_refused_whole(void **state) {
    struct log_subject *s = *state;
    static char large[LOG_SUBJECT_VALUE_MAX + 1];
    struct produce_item items[] = {{TOPIC_LISTING, key_of(2, 0), bytes_of("small")},
                                   {TOPIC_LISTING, key_of(2, 0), {large, sizeof large}}};
    struct produce_result results[2];
    assert_int_equal(produce(s, items, 2, results), PORT_TOO_LARGE);
    assert_bounds(s, 2, 0, 0);
}

/* At the end there is nothing yet, and that is no error; beyond it is out of range. */
static void the_end_is_no_error_beyond_is(void **state) {
    struct log_subject *s = *state;
    for (int i = 0; i < 3; i++) {
        append(s, key_of(3, 0), "x");
    }
    struct log_record out[FETCH_MAX];
    size_t count = 99;
    assert_int_equal(fetch(s, 3, 3, out, FETCH_MAX, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(fetch(s, 3, 4, out, FETCH_MAX, &count), PORT_OUT_OF_RANGE);
    assert_int_equal(fetch(s, 3, 0, out, FETCH_MAX, &count), 0);
    assert_int_equal(count, 3);
}

/* A partition that is not there is told apart from one that is empty. */
static void unknown_partitions_are_not_found(void **state) {
    struct log_subject *s = *state;
    struct log_record out[FETCH_MAX];
    size_t count = 0;
    int64_t from;
    int64_t to;
    assert_int_equal(fetch(s, LOG_SUBJECT_PARTITIONS, 0, out, FETCH_MAX, &count), PORT_NOT_FOUND);
    assert_int_equal(s->port.ops->bounds(s->port.ctx, s->ops->now(s->ctx), TOPIC_LISTING,
                                         LOG_SUBJECT_PARTITIONS, &from, &to),
                     PORT_NOT_FOUND);
}

/* After a clean change of the leader all that was acknowledged is there, and appends go on behind
 * it, under an epoch that is not lower. */
static void leader_changes_lose_nothing(void **state) {
    struct log_subject *s = *state;
    append(s, key_of(1, 0), "before");
    s->ops->change_leader(s->ctx, TOPIC_LISTING, 1);
    struct produce_result result = append(s, key_of(1, 0), "after");
    assert_int_equal(result.status, ITEM_APPLIED);
    assert_int_equal(result.offset, 1);
    struct log_record out[FETCH_MAX];
    size_t count = 0;
    assert_int_equal(fetch(s, 1, 0, out, FETCH_MAX, &count), 0);
    assert_int_equal(count, 2);
    assert_true(bytes_equal(out[0].value, bytes_of("before")));
    assert_true(bytes_equal(out[1].value, bytes_of("after")));
    assert_true(out[1].epoch >= out[0].epoch);
}

/* A log that cannot be reached says so for every item, and never that it took one; what it did not
 * take is not there afterwards, and goes in when it is sent again. */
static void unreachable_takes_nothing_and_says_so(void **state) {
    struct log_subject *s = *state;
    append(s, key_of(0, 0), "before");
    s->ops->set_reachable(s->ctx, false);
    struct produce_item item = {TOPIC_LISTING, key_of(0, 0), bytes_of("again")};
    struct produce_result result;
    int rc = produce(s, &item, 1, &result);
    assert_true(rc == PORT_UNAVAILABLE || (rc == 0 && item_unsettled(result.status)));
    bool may_be_in = rc == 0 && result.status == ITEM_UNKNOWN;
    struct log_record out[FETCH_MAX];
    size_t count = 0;
    assert_int_equal(fetch(s, 0, 0, out, FETCH_MAX, &count), PORT_UNAVAILABLE);
    s->ops->set_reachable(s->ctx, true);

    result = append(s, key_of(0, 0), "again");
    assert_int_equal(result.status, ITEM_APPLIED);
    assert_true(result.offset == 1 || (may_be_in && result.offset == 2));
    assert_int_equal(fetch(s, 0, 0, out, FETCH_MAX, &count), 0);
    assert_int_equal(count, result.offset + 1);
    for (size_t i = 1; i < count; i++) {
        assert_true(bytes_equal(out[i].value, bytes_of("again")));
    }
}

/* ---- Groups ---- */

static void assert_dealt_out(const struct log_share *shares, size_t count) {
    bool owned[LOG_SUBJECT_PARTITIONS] = {false};
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t p = 0; p < shares[i].count; p++) {
            assert_false(owned[shares[i].partitions[p]]);
            owned[shares[i].partitions[p]] = true;
            sum++;
        }
    }
    assert_int_equal(sum, LOG_SUBJECT_PARTITIONS);
}

/* Every partition has one owner; a member more takes its share, under a later generation, and one
 * that leaves gives it back. */
static void partitions_are_dealt_out(void **state) {
    struct log_subject *s = *state;
    const uint32_t members[] = {1, 2};
    struct log_share alone;
    struct log_share shares[2];
    s->ops->join(s->ctx, GROUP, 1, BOTH);
    settle(s, members, 1, &alone);
    assert_int_equal(alone.count, LOG_SUBJECT_PARTITIONS);
    s->ops->join(s->ctx, GROUP, 2, BOTH);
    settle(s, members, 2, shares);
    assert_dealt_out(shares, 2);
    assert_int_equal(shares[0].count, LOG_SUBJECT_PARTITIONS / 2);
    assert_true(shares[0].generation > alone.generation);
    s->ops->leave(s->ctx, GROUP, 2);
    struct log_share again;
    settle(s, members, 1, &again);
    assert_int_equal(again.count, LOG_SUBJECT_PARTITIONS);
    assert_true(again.generation > shares[0].generation);
}

/* What an owner commits is there for whoever owns the partition next. It may go back: the log takes
 * what it is told. */
static void commits_outlive_members(void **state) {
    struct log_subject *s = *state;
    const uint32_t member = 1;
    struct log_share share;
    assert_true(committed(s, 2) < 0);
    for (int i = 0; i < 8; i++) {
        append(s, key_of(2, 0), "x");
    }
    s->ops->join(s->ctx, GROUP, member, BOTH);
    settle(s, &member, 1, &share);
    assert_int_equal(commit(s, member, share.generation, 2, 7), 0);
    assert_int_equal(committed(s, 2), 7);
    assert_int_equal(commit(s, member, share.generation, 2, 5), 0);
    s->ops->leave(s->ctx, GROUP, member);
    assert_int_equal(committed(s, 2), 5);
    assert_true(committed(s, 3) < 0);
}

/* A member that the group went on without may still read and append, and finds out only when it
 * commits: that is refused, and changes nothing. */
static void zombies_read_and_append_but_cannot_commit(void **state) {
    struct log_subject *s = *state;
    const uint32_t members[] = {1, 2};
    struct log_share shares[2];
    struct log_share rest;
    for (uint32_t p = 0; p < LOG_SUBJECT_PARTITIONS; p++) {
        append(s, key_of(p, 0), "x");
    }
    s->ops->join(s->ctx, GROUP, 1, BOTH);
    s->ops->join(s->ctx, GROUP, 2, BOTH);
    settle(s, members, 2, shares);
    uint32_t lost = shares[0].partitions[0];
    assert_int_equal(commit(s, 1, shares[0].generation, lost, 0), 0);
    s->ops->stall(s->ctx, GROUP, 1);
    settle(s, members + 1, 1, &rest);
    assert_int_equal(rest.count, LOG_SUBJECT_PARTITIONS);
    assert_int_equal(commit(s, 2, rest.generation, lost, 1), 0);

    assert_int_equal(append(s, key_of(lost, 0), "of a zombie").status, ITEM_APPLIED);
    struct log_record out[FETCH_MAX];
    size_t count = 0;
    assert_int_equal(fetch(s, lost, 0, out, FETCH_MAX, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(commit(s, 1, shares[0].generation, lost, 0), PORT_FENCED);
    assert_int_equal(committed(s, lost), 1);
}

/* Who was never a member cannot move a group. */
static void strangers_cannot_commit(void **state) {
    struct log_subject *s = *state;
    const uint32_t member = 1;
    struct log_share share;
    s->ops->join(s->ctx, GROUP, member, BOTH);
    settle(s, &member, 1, &share);
    assert_int_equal(commit(s, 9, share.generation, 0, 3), PORT_FENCED);
    assert_true(committed(s, 0) < 0);
}

/* ---- Where a consumer begins ---- */

/* Fills the partition until it does not keep all of it any more: the first offset that it keeps,
 * and its end. */
static void overfill(struct log_subject *s, uint32_t partition, int64_t *start, int64_t *end) {
    enum { BATCH = 8, VALUE = 60 * 1024 };
    static char large[VALUE];
    *start = 0;
    for (int i = 0; i < 2 * LOG_SUBJECT_KEPT / VALUE / BATCH + 2; i++) {
        struct produce_item items[BATCH];
        struct produce_result results[BATCH];
        for (int j = 0; j < BATCH; j++) {
            items[j] =
                (struct produce_item){TOPIC_LISTING, key_of(partition, 0), {large, sizeof large}};
        }
        assert_int_equal(produce(s, items, BATCH, results), 0);
    }
    assert_int_equal(
        s->port.ops->bounds(s->port.ctx, s->ops->now(s->ctx), TOPIC_LISTING, partition, start, end),
        0);
    assert_true(*start > 0);
    assert_true(*end > *start);
}

static int64_t position(struct log_subject *s, enum offset_reset policy, uint32_t partition,
                        int64_t offset) {
    int64_t from = -1;
    assert_int_equal(
        s->ops->consume(s->ctx, GROUP, policy, TOPIC_LISTING, partition, offset, &from), PORT_OK);
    return from;
}

static void assert_refused(struct log_subject *s, uint32_t partition, int64_t offset) {
    int64_t from = -1;
    assert_int_equal(
        s->ops->consume(s->ctx, GROUP, OFFSET_RESET_NONE, TOPIC_LISTING, partition, offset, &from),
        PORT_OUT_OF_RANGE);
}

/* What a partition does not keep any more is out of range, and that is told apart from the end. */
static void what_is_not_kept_is_out_of_range(void **state) {
    struct log_subject *s = *state;
    int64_t start, end;
    overfill(s, 1, &start, &end);
    struct log_record out[FETCH_MAX];
    size_t count = 0;
    assert_int_equal(fetch(s, 1, 0, out, FETCH_MAX, &count), PORT_OUT_OF_RANGE);
    assert_int_equal(fetch(s, 1, start - 1, out, FETCH_MAX, &count), PORT_OUT_OF_RANGE);
    assert_int_equal(fetch(s, 1, start, out, 1, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(out[0].offset, start);
}

/* Outside of the log a consumer is where its policy says: at the oldest record, or at the end. In
 * between no policy has a say, and without one it is told. */
static void policies_decide_outside_the_log(void **state) {
    struct log_subject *s = *state;
    int64_t start, end;
    overfill(s, 1, &start, &end);
    const int64_t outside[] = {0, start - 1, end + 1, end + 1000};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(position(s, OFFSET_RESET_EARLIEST, 1, outside[i]), start);
        assert_int_equal(position(s, OFFSET_RESET_LATEST, 1, outside[i]), end);
        assert_refused(s, 1, outside[i]);
    }
    assert_int_equal(position(s, OFFSET_RESET_EARLIEST, 1, end - 1), end - 1);
    assert_int_equal(position(s, OFFSET_RESET_LATEST, 1, start), start);
    assert_int_equal(position(s, OFFSET_RESET_NONE, 1, end), end);
}

/* A group that committed nothing begins where its policy says, and without one not at all; one that
 * committed begins there, whatever the policy, unless the log has not that offset. */
static void commits_outrank_policies(void **state) {
    struct log_subject *s = *state;
    const uint32_t member = 1;
    struct log_share share;
    for (int i = 0; i < 6; i++) {
        append(s, key_of(2, 0), "x");
    }
    assert_int_equal(position(s, OFFSET_RESET_EARLIEST, 2, FETCH_COMMITTED), 0);
    assert_int_equal(position(s, OFFSET_RESET_LATEST, 2, FETCH_COMMITTED), 6);
    assert_refused(s, 2, FETCH_COMMITTED);

    s->ops->join(s->ctx, GROUP, member, BOTH);
    settle(s, &member, 1, &share);
    assert_int_equal(commit(s, member, share.generation, 2, 4), 0);
    for (int policy = 0; policy < OFFSET_RESETS; policy++) {
        assert_int_equal(position(s, (enum offset_reset)policy, 2, FETCH_COMMITTED), 4);
    }
    assert_int_equal(commit(s, member, share.generation, 2, 9), 0);
    s->ops->leave(s->ctx, GROUP, member);
    assert_int_equal(position(s, OFFSET_RESET_EARLIEST, 2, FETCH_COMMITTED), 0);
    assert_int_equal(position(s, OFFSET_RESET_LATEST, 2, FETCH_COMMITTED), 6);
    assert_refused(s, 2, FETCH_COMMITTED);
}

/* A client believes a broker that errs for a moment: its policy moves it away from an offset that
 * the log has. */
static void a_moments_error_moves_a_consumer(void **state) {
    struct log_subject *s = *state;
    for (int i = 0; i < 6; i++) {
        append(s, key_of(3, 0), "x");
    }
    s->ops->err_once(s->ctx);
    assert_int_equal(position(s, OFFSET_RESET_EARLIEST, 3, 3), 0);
    s->ops->err_once(s->ctx);
    assert_int_equal(position(s, OFFSET_RESET_LATEST, 3, 3), 6);
    s->ops->err_once(s->ctx);
    assert_refused(s, 3, 3);
    assert_int_equal(position(s, OFFSET_RESET_LATEST, 3, 3), 3);
}

int log_suite_run(const char *name, bool (*make)(struct log_subject *out)) {
    const struct CMUnitTest tests[] = {
        TEST(keys_decide_partitions),
        TEST(records_come_back_in_order),
        TEST(values_are_any_bytes),
        TEST(too_large_is_refused_whole),
        TEST(the_end_is_no_error_beyond_is),
        TEST(unknown_partitions_are_not_found),
        TEST(leader_changes_lose_nothing),
        TEST(unreachable_takes_nothing_and_says_so),
        TEST(partitions_are_dealt_out),
        TEST(commits_outlive_members),
        TEST(zombies_read_and_append_but_cannot_commit),
        TEST(strangers_cannot_commit),
        TEST(what_is_not_kept_is_out_of_range),
        TEST(policies_decide_outside_the_log),
        TEST(commits_outrank_policies),
        TEST(a_moments_error_moves_a_consumer),
    };
    make_subject = make;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
