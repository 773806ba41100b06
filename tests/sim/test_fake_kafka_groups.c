/*
 * Groups of the fake Kafka under the protocols in which members are waited for (A15, C2), and what
 * becomes of committed offsets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/fake_kafka.h"
#include "sim/prng.h"

#define START INT64_C(1700000000000000000)
#define GROUP "builder"

static vtime at(int64_t ns) {
    return (vtime){START + ns};
}

static struct fake_kafka *grouped(uint32_t partitions, enum fake_kafka_protocol protocol) {
    struct fake_kafka_options options = {
        .session_timeout_ns = 100, .poll_timeout_ns = 1000, .protocol = protocol};
    options.topics[TOPIC_LISTING_LOG].partitions = partitions;
    struct fake_kafka *k = fake_kafka_new(&options);
    assert_non_null(k);
    return k;
}

static void join(struct fake_kafka *k, int64_t ns, uint32_t member) {
    assert_int_equal(fake_kafka_group_join(k, at(ns), GROUP, member, 1u << TOPIC_LISTING_LOG), 0);
}

static int commit(struct fake_kafka *k, int64_t ns, uint32_t member, uint32_t generation,
                  int64_t offset) {
    struct log_port port = fake_kafka_port(k);
    return port.ops->commit(port.ctx, at(ns), GROUP, member, generation, TOPIC_LISTING_LOG, 0,
                            offset);
}

/* What members are told, as text: "member/generation:partitions ", with a * where the member is
 * waited for. */
static const char *changes(struct fake_kafka *k) {
    static char text[512];
    size_t used = 0;
    struct fake_kafka_change c;
    text[0] = '\0';
    while (fake_kafka_group_next_change(k, &c)) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%u/%u:", (unsigned)c.member,
                                 (unsigned)c.generation);
        for (size_t i = 0; i < c.count; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used, i == 0 ? "%u" : ",%u",
                                     (unsigned)c.partitions[i]);
        }
        used += (size_t)snprintf(text + used, sizeof text - used, c.rejoin ? "* " : " ");
    }
    fake_kafka_check(k);
    return text;
}

/* Eager: everybody gives up everything, and nobody works until the last one has joined again. */
static void eager_members_wait_for_each_other(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(4, FAKE_KAFKA_EAGER);
    join(k, 0, 1);
    assert_string_equal(changes(k), "1/1:0,1,2,3 ");
    join(k, 1, 2);
    assert_string_equal(changes(k), "1/2:* 2/2: ");
    assert_int_equal(fake_kafka_group_owner(k, GROUP, 0), FAKE_KAFKA_NOBODY);
    fake_kafka_group_rejoin(k, at(2), GROUP, 1);
    assert_string_equal(changes(k), "1/3:0,1 2/3:2,3 ");
    join(k, 3, 3);
    assert_string_equal(changes(k), "1/4:* 2/4:* 3/4: ");
    fake_kafka_group_rejoin(k, at(4), GROUP, 2);
    assert_string_equal(changes(k), "");
    fake_kafka_group_rejoin(k, at(5), GROUP, 1);
    assert_string_equal(changes(k), "1/5:0,1 2/5:2 3/5:3 ");
    fake_kafka_free(k);
}

/* Who does not answer holds everybody up until its session is over. */
static void a_silent_member_holds_the_group_up(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(4, FAKE_KAFKA_EAGER);
    join(k, 0, 1);
    join(k, 0, 2);
    (void)changes(k);
    fake_kafka_group_rejoin(k, at(1), GROUP, 1);
    (void)changes(k);
    vtime verdict = fake_kafka_group_silence(k, at(2), GROUP, 1);
    assert_int_equal(verdict.ns, at(102).ns);
    join(k, 3, 3);
    assert_string_equal(changes(k), "2/4:* 3/4: ");
    fake_kafka_group_rejoin(k, at(4), GROUP, 2);
    assert_string_equal(changes(k), "");
    (void)fake_kafka_group_check(k, verdict);
    assert_string_equal(changes(k), "2/5:* 3/5:* ");
    fake_kafka_group_rejoin(k, at(110), GROUP, 2);
    fake_kafka_group_rejoin(k, at(110), GROUP, 3);
    assert_string_equal(changes(k), "2/6:0,1 3/6:2,3 ");
    fake_kafka_free(k);
}

/* Cooperative: what stays is kept all the while, and a partition goes to its next owner only after
 * the former one gave it up. */
static void cooperative_members_keep_what_stays(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(4, FAKE_KAFKA_COOPERATIVE);
    join(k, 0, 1);
    assert_string_equal(changes(k), "1/1:0,1,2,3 ");
    join(k, 1, 2);
    assert_string_equal(changes(k), "1/2:0,1* 2/2: ");
    assert_int_equal(fake_kafka_group_owner(k, GROUP, 1), 1);
    assert_int_equal(fake_kafka_group_owner(k, GROUP, 2), FAKE_KAFKA_NOBODY);
    fake_kafka_group_rejoin(k, at(2), GROUP, 1);
    assert_string_equal(changes(k), "1/3:0,1 2/3:2,3 ");
    /* Whoever is gone need not give anything up. */
    fake_kafka_group_leave(k, at(3), GROUP, 1);
    assert_string_equal(changes(k), "2/4:0,1,2,3 ");
    fake_kafka_free(k);
}

/* What a member has not given up yet nobody gets, however often the membership changes meanwhile;
 * once its session is over there is nothing left to give up (KIP-429). */
static void cooperative_members_wait_through_another_change(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(4, FAKE_KAFKA_COOPERATIVE);
    join(k, 0, 1);
    join(k, 1, 2);
    (void)changes(k);
    join(k, 2, 3);
    assert_string_equal(changes(k), "1/3:0,1* 2/3: 3/3: ");
    assert_int_equal(fake_kafka_group_owner(k, GROUP, 2), FAKE_KAFKA_NOBODY);
    fake_kafka_group_leave(k, at(3), GROUP, 2);
    assert_string_equal(changes(k), "1/4:0,1* 3/4: ");
    fake_kafka_group_rejoin(k, at(4), GROUP, 1);
    assert_string_equal(changes(k), "1/5:0,1 3/5:2,3 ");
    join(k, 5, 2);
    (void)changes(k);
    vtime verdict = fake_kafka_group_silence(k, at(6), GROUP, 3);
    (void)fake_kafka_group_check(k, verdict);
    fake_kafka_group_rejoin(k, at(110), GROUP, 1);
    for (uint32_t p = 0; p < 4; p++) {
        assert_int_equal(fake_kafka_group_owner(k, GROUP, p), p < 2 ? 1 : 2);
    }
    fake_kafka_free(k);
}

/* A member that lives and does not poll leaves at the poll timeout, not at the session's; one that
 * polls in time stays (max.poll.interval.ms). */
static void a_stuck_member_leaves_after_the_poll_timeout(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(2, FAKE_KAFKA_INSTANT);
    join(k, 0, 1);
    join(k, 0, 2);
    (void)changes(k);
    assert_int_equal(fake_kafka_group_stall(k, at(10), GROUP, 1).ns, at(1010).ns);
    assert_int_equal(fake_kafka_group_check(k, at(500)).ns, at(1010).ns);
    assert_int_equal(fake_kafka_group_speak(k, at(600), GROUP, 1), 0);
    assert_int_equal(fake_kafka_group_check(k, at(5000)).ns, VTIME_NEVER.ns);
    assert_int_equal(fake_kafka_group_stall(k, at(6000), GROUP, 2).ns, at(7000).ns);
    (void)fake_kafka_group_check(k, at(7000));
    assert_string_equal(changes(k), "1/3:0,1 ");
    assert_int_equal(fake_kafka_group_speak(k, at(7001), GROUP, 2), PORT_FENCED);
    assert_int_equal(commit(k, 7002, 2, 2, 5), PORT_FENCED);
    fake_kafka_free(k);
}

/* A group's offset is told as it was committed last, also when that goes back; nothing when it was
 * never committed or the commits were lost. */
static void committed_offsets_come_and_go(void **state) {
    (void)state;
    struct fake_kafka *k = grouped(1, FAKE_KAFKA_INSTANT);
    struct log_port port = fake_kafka_port(k);
    int64_t offset = -7;
    assert_int_equal(port.ops->committed(port.ctx, at(0), GROUP, TOPIC_LISTING_LOG, 0, &offset),
                     PORT_NOT_FOUND);
    join(k, 0, 1);
    assert_int_equal(port.ops->committed(port.ctx, at(0), GROUP, TOPIC_LISTING_LOG, 0, &offset),
                     PORT_NOT_FOUND);
    assert_int_equal(commit(k, 1, 1, 1, 12), 0);
    assert_int_equal(commit(k, 2, 1, 1, 9), 0);
    assert_int_equal(port.ops->committed(port.ctx, at(3), GROUP, TOPIC_LISTING_LOG, 0, &offset), 0);
    assert_int_equal(offset, 9);
    assert_int_equal(port.ops->committed(port.ctx, at(3), GROUP, TOPIC_LISTING_LOG, 1, &offset),
                     PORT_NOT_FOUND);
    fake_kafka_group_forget(k, GROUP);
    assert_int_equal(port.ops->committed(port.ctx, at(4), GROUP, TOPIC_LISTING_LOG, 0, &offset),
                     PORT_NOT_FOUND);
    assert_int_equal(fake_kafka_group_generation(k, GROUP), 1);
    fake_kafka_free(k);
}

/* Whatever members do, nobody owns a partition with somebody else, who is told last is told the
 * truth, and once nobody is waited for every partition has an owner. */
static void play(uint64_t seed, enum fake_kafka_protocol protocol) {
    enum { MEMBERS = 6, PARTITIONS = 7 };
    struct fake_kafka *k = grouped(PARTITIONS, protocol);
    struct prng p;
    prng_init(&p, seed, "members");
    bool waits[MEMBERS] = {0};
    int64_t clock = 0;
    for (int step = 0; step < 400; step++) {
        uint32_t member = (uint32_t)prng_below(&p, MEMBERS);
        clock += prng_range(&p, 1, 40);
        switch (prng_below(&p, 6)) {
        case 0:
            join(k, clock, member);
            break;
        case 1:
            fake_kafka_group_leave(k, at(clock), GROUP, member);
            break;
        case 2:
            (void)fake_kafka_group_silence(k, at(clock), GROUP, member);
            break;
        case 3:
            (void)fake_kafka_group_speak(k, at(clock), GROUP, member);
            break;
        default:
            if (waits[member]) {
                waits[member] = false;
                fake_kafka_group_rejoin(k, at(clock), GROUP, member);
            }
            break;
        }
        (void)fake_kafka_group_check(k, at(clock));
        struct fake_kafka_change c;
        while (fake_kafka_group_next_change(k, &c)) {
            assert_int_equal(c.generation, fake_kafka_group_generation(k, GROUP));
            waits[c.member] = c.rejoin;
            for (size_t i = 0; i < c.count; i++) {
                assert_int_equal(fake_kafka_group_owner(k, GROUP, c.partitions[i]), c.member);
            }
        }
        fake_kafka_check(k);
    }
    /* Everybody answers in the end. */
    join(k, clock + 1, 0);
    for (int round = 0; round < 4; round++) {
        for (uint32_t member = 0; member < MEMBERS; member++) {
            (void)fake_kafka_group_speak(k, at(clock + 2), GROUP, member);
            fake_kafka_group_rejoin(k, at(clock + 2), GROUP, member);
        }
    }
    for (uint32_t partition = 0; partition < PARTITIONS; partition++) {
        assert_int_not_equal(fake_kafka_group_owner(k, GROUP, partition), FAKE_KAFKA_NOBODY);
    }
    fake_kafka_free(k);
}

static void any_play_ends_with_owners(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        for (int protocol = 0; protocol < FAKE_KAFKA_PROTOCOL_COUNT; protocol++) {
            play(seed, (enum fake_kafka_protocol)protocol);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eager_members_wait_for_each_other),
        cmocka_unit_test(a_silent_member_holds_the_group_up),
        cmocka_unit_test(cooperative_members_keep_what_stays),
        cmocka_unit_test(cooperative_members_wait_through_another_change),
        cmocka_unit_test(a_stuck_member_leaves_after_the_poll_timeout),
        cmocka_unit_test(committed_offsets_come_and_go),
        cmocka_unit_test(any_play_ends_with_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
