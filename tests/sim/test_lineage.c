/* The way back from a number of the dashboard (B6): for facts that are made by hand it names the
 * layer, what it did, since when and until when; and it names none where nothing is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/lineage.h"

static vtime at(int64_t minutes) {
    return (vtime){1000 * VTIME_HOUR + minutes * VTIME_MINUTE};
}
#define NEVER VTIME_NEVER

static struct lineage_row row(uint64_t order_id, int64_t said, int64_t amount, vtime from,
                              vtime to) {
    return (struct lineage_row){.order_id = order_id,
                                .listing_id = 7,
                                .stamp = {at(said), {1, order_id}},
                                .hour = at(0),
                                .quantity = 1,
                                .amount = amount,
                                .from = from,
                                .to = to,
                                .offset = (int64_t)order_id};
}

static void say(struct lineage *l, enum lineage_layer layer, struct lineage_row said) {
    assert_int_equal(lineage_say(l, layer, &said), 0);
}

static void show(struct lineage *l, enum lineage_layer layer, int64_t orders, int64_t amount,
                 vtime from, vtime to) {
    struct lineage_sum sum = {.hour = at(0),
                              .orders = orders,
                              .quantity = orders,
                              .amount = amount,
                              .from = from,
                              .to = to};
    assert_int_equal(lineage_show(l, layer, &sum), 0);
}

static void begin(struct lineage *l) {
    lineage_init(l);
    assert_int_equal(lineage_category(l, bytes_of("lamps")), 0);
}

/* Order 1 of 100, placed in minute 0, in every layer up to `last` a minute later each. */
static void order_flows(struct lineage *l, enum lineage_layer last) {
    say(l, LINEAGE_OLTP, row(1, 0, 100, at(0), NEVER));
    say(l, LINEAGE_RELAY, row(1, 0, 100, at(0), last >= LINEAGE_RELAY ? at(1) : NEVER));
    for (enum lineage_layer layer = LINEAGE_TOPIC; layer <= last && layer < LINEAGE_GOLD; layer++) {
        say(l, layer, row(1, 0, 100, at(layer), NEVER));
    }
    for (enum lineage_layer layer = LINEAGE_GOLD; layer <= last; layer++) {
        show(l, layer, 1, 100, at(layer), NEVER);
    }
}

static struct lineage_answer ask_with(struct lineage *l, int64_t minute, int64_t sla_minutes) {
    struct lineage_question question = {
        .measure = LINEAGE_AMOUNT, .at = at(minute), .sla_ns = sla_minutes * VTIME_MINUTE};
    struct lineage_answer answer;
    assert_int_equal(lineage_walk(l, &question, &answer), 0);
    return answer;
}

static struct lineage_answer ask(struct lineage *l, int64_t minute) {
    return ask_with(l, minute, 5);
}

static void names(const struct lineage_answer *answer, enum lineage_layer layer,
                  enum lineage_cause cause) {
    assert_int_equal(answer->verdict, LINEAGE_WRONG);
    assert_string_equal(lineage_layer_name(answer->layer), lineage_layer_name(layer));
    assert_string_equal(lineage_cause_name(answer->cause), lineage_cause_name(cause));
}

/* An order that went all the way is right, in every layer. */
static void nothing_is_wrong(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    order_flows(&l, LINEAGE_VIEW);
    struct lineage_answer answer = ask(&l, 30);
    assert_int_equal(answer.verdict, LINEAGE_RIGHT);
    assert_int_equal(answer.layer, LINEAGE_OLTP);
    for (int i = 0; i < LINEAGE_LAYER_COUNT; i++) {
        assert_int_equal(answer.values[i], 100);
        assert_int_equal(answer.wrong[i], 0);
    }
    lineage_answer_release(&answer);
    lineage_release(&l);
}

/* A number of which no layer has an order says so, and is no pass. */
static void no_data_is_said(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    order_flows(&l, LINEAGE_VIEW);
    struct lineage_question question = {
        .measure = LINEAGE_AMOUNT, .of_hour = true, .hour = at(60), .at = at(30)};
    struct lineage_answer answer;
    assert_int_equal(lineage_walk(&l, &question, &answer), 0);
    assert_int_equal(answer.verdict, LINEAGE_NO_DATA);
    lineage_answer_release(&answer);
    lineage_release(&l);
}

/* Younger than its SLA an order is on its way, wherever it is; older than that it is owed. */
static void what_is_young_is_in_flight(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    order_flows(&l, LINEAGE_TOPIC);
    struct lineage_answer answer = ask(&l, 4);
    assert_int_equal(answer.verdict, LINEAGE_IN_FLIGHT);
    assert_int_equal(answer.in_flight, 1);
    lineage_answer_release(&answer);
    answer = ask(&l, 6);
    names(&answer, LINEAGE_BRONZE, LINEAGE_LOST);
    lineage_answer_release(&answer);
    lineage_release(&l);
}

/* Where the order stopped is named, from the relay to silver. */
static void the_layer_where_it_stopped_is_named(void **state) {
    (void)state;
    for (enum lineage_layer last = LINEAGE_OLTP; last < LINEAGE_SILVER; last++) {
        struct lineage l;
        begin(&l);
        order_flows(&l, last);
        struct lineage_answer answer = ask(&l, 30);
        names(&answer, last + 1, last == LINEAGE_OLTP ? LINEAGE_STALLED : LINEAGE_LOST);
        assert_int_equal(answer.finding_count, 1);
        assert_int_equal(answer.findings[0].flaw, LINEAGE_MISSING);
        assert_int_equal(answer.findings[0].since.ns, at(0).ns);
        assert_int_equal(answer.findings[0].effect, -100);
        lineage_answer_release(&answer);
        lineage_release(&l);
    }
}

/* What comes later was stalled, and the walk says until when. */
static void what_came_later_was_stalled(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    order_flows(&l, LINEAGE_TOPIC);
    say(&l, LINEAGE_BRONZE, row(1, 0, 100, at(50), NEVER));
    say(&l, LINEAGE_SILVER, row(1, 0, 100, at(50), NEVER));
    show(&l, LINEAGE_GOLD, 1, 100, at(50), NEVER);
    show(&l, LINEAGE_VIEW, 1, 100, at(51), NEVER);
    struct lineage_answer answer = ask(&l, 30);
    names(&answer, LINEAGE_BRONZE, LINEAGE_STALLED);
    assert_int_equal(answer.until.ns, at(50).ns);
    lineage_answer_release(&answer);
    lineage_release(&l);
}

/* What came only because OLTP told it once more was lost. */
static void what_was_told_again_was_lost(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    order_flows(&l, LINEAGE_RELAY);
    say(&l, LINEAGE_RELAY, row(1, 0, 100, at(40), at(41)));
    for (enum lineage_layer layer = LINEAGE_TOPIC; layer < LINEAGE_GOLD; layer++) {
        say(&l, layer, row(1, 0, 100, at(41), NEVER));
    }
    show(&l, LINEAGE_GOLD, 1, 100, at(41), NEVER);
    show(&l, LINEAGE_VIEW, 1, 100, at(42), NEVER);
    struct lineage_answer answer = ask(&l, 30);
    names(&answer, LINEAGE_TOPIC, LINEAGE_LOST);
    assert_int_equal(answer.until.ns, at(41).ns);
    lineage_answer_release(&answer);
    lineage_release(&l);
}

/* A layer that got the order just now is not blamed for the one that kept it. */
static void who_kept_it_longest_is_named(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    say(&l, LINEAGE_OLTP, row(1, 0, 100, at(0), NEVER));
    say(&l, LINEAGE_RELAY, row(1, 0, 100, at(0), at(1)));
    say(&l, LINEAGE_TOPIC, row(1, 0, 100, at(30), NEVER));
    struct lineage_answer answer = ask(&l, 30);
    names(&answer, LINEAGE_TOPIC, LINEAGE_STALLED);
    assert_int_equal(answer.until.ns, at(30).ns);
    lineage_answer_release(&answer);
    lineage_release(&l);
}

/* A correction that a layer has not heard of makes its row stale; silver follows the greatest stamp
 * of what bronze has, in whatever order it came. */
static void corrections_are_followed(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    say(&l, LINEAGE_OLTP, row(1, 0, 100, at(0), at(2)));
    say(&l, LINEAGE_OLTP, row(1, 2, 70, at(2), NEVER));
    for (int64_t said = 0; said <= 2; said += 2) {
        int64_t amount = said == 0 ? 100 : 70;
        say(&l, LINEAGE_RELAY, row(1, said, amount, at(said), at(said + 1)));
        /* The correction overtakes the order. */
        say(&l, LINEAGE_TOPIC, row(1, said, amount, at(said == 0 ? 5 : 4), NEVER));
    }
    say(&l, LINEAGE_BRONZE, row(1, 0, 100, at(6), NEVER));
    say(&l, LINEAGE_SILVER, row(1, 0, 100, at(6), NEVER));
    show(&l, LINEAGE_GOLD, 1, 100, at(6), NEVER);
    show(&l, LINEAGE_VIEW, 1, 100, at(7), NEVER);
    struct lineage_answer answer = ask(&l, 30);
    names(&answer, LINEAGE_BRONZE, LINEAGE_LOST);
    assert_int_equal(answer.values[LINEAGE_TOPIC], 70);
    assert_int_equal(answer.findings[0].flaw, LINEAGE_STALE);
    assert_int_equal(answer.findings[0].since.ns, at(2).ns);
    assert_int_equal(answer.findings[0].effect, 30);
    lineage_answer_release(&answer);
    lineage_release(&l);
}

/* A row that says what never was is corrupted, in the first layer that says so. */
static void alterations_are_told_from_delay(void **state) {
    (void)state;
    for (enum lineage_layer broken = LINEAGE_TOPIC; broken <= LINEAGE_SILVER; broken++) {
        struct lineage l;
        begin(&l);
        say(&l, LINEAGE_OLTP, row(1, 0, 100, at(0), NEVER));
        say(&l, LINEAGE_RELAY, row(1, 0, 100, at(0), at(1)));
        for (enum lineage_layer layer = LINEAGE_TOPIC; layer < LINEAGE_GOLD; layer++) {
            say(&l, layer, row(1, 0, layer >= broken ? 999 : 100, at(layer), NEVER));
        }
        show(&l, LINEAGE_GOLD, 1, 999, at(5), NEVER);
        show(&l, LINEAGE_VIEW, 1, 999, at(6), NEVER);
        struct lineage_answer answer = ask(&l, 30);
        names(&answer, broken, LINEAGE_CORRUPTED);
        assert_int_equal(answer.findings[0].flaw, LINEAGE_ALTERED);
        assert_int_equal(answer.findings[0].effect, 899);
        lineage_answer_release(&answer);
        lineage_release(&l);
    }
}

/* An order that counts twice, and one that nobody placed. */
static void what_is_too_much_is_found(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    order_flows(&l, LINEAGE_SILVER);
    struct lineage_row second = row(1, 0, 100, at(6), NEVER);
    second.copy = 1;
    say(&l, LINEAGE_SILVER, second);
    say(&l, LINEAGE_SILVER, row(9, 0, 50, at(6), NEVER));
    show(&l, LINEAGE_GOLD, 3, 250, at(6), NEVER);
    show(&l, LINEAGE_VIEW, 3, 250, at(6), NEVER);
    struct lineage_answer answer = ask(&l, 30);
    names(&answer, LINEAGE_SILVER, LINEAGE_CORRUPTED);
    assert_int_equal(answer.finding_count, 2);
    assert_int_equal(answer.findings[0].flaw + answer.findings[1].flaw,
                     LINEAGE_TWICE + LINEAGE_SURPLUS);
    lineage_answer_release(&answer);
    lineage_release(&l);
}

/* Gold that is not what silver adds up to, and a view that shows former sums of gold. */
static void sums_are_held_against_the_layer_before(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    order_flows(&l, LINEAGE_SILVER);
    show(&l, LINEAGE_GOLD, 2, 130, at(5), at(40));
    show(&l, LINEAGE_GOLD, 1, 100, at(40), NEVER);
    show(&l, LINEAGE_VIEW, 2, 130, at(6), at(41));
    show(&l, LINEAGE_VIEW, 1, 100, at(41), NEVER);
    struct lineage_answer answer = ask(&l, 30);
    names(&answer, LINEAGE_GOLD, LINEAGE_CORRUPTED);
    assert_int_equal(answer.until.ns, at(40).ns);
    assert_int_equal(answer.wrong[LINEAGE_VIEW], 0);
    lineage_answer_release(&answer);
    lineage_release(&l);

    begin(&l);
    order_flows(&l, LINEAGE_SILVER);
    say(&l, LINEAGE_OLTP, row(2, 8, 40, at(8), NEVER));
    say(&l, LINEAGE_TOPIC, row(2, 8, 40, at(9), NEVER));
    say(&l, LINEAGE_BRONZE, row(2, 8, 40, at(10), NEVER));
    say(&l, LINEAGE_SILVER, row(2, 8, 40, at(10), NEVER));
    show(&l, LINEAGE_GOLD, 1, 100, at(5), at(10));
    show(&l, LINEAGE_GOLD, 2, 140, at(10), NEVER);
    show(&l, LINEAGE_VIEW, 1, 100, at(6), NEVER);
    answer = ask(&l, 30);
    names(&answer, LINEAGE_VIEW, LINEAGE_STALLED);
    assert_int_equal(answer.findings[0].flaw, LINEAGE_STALE);
    assert_int_equal(answer.since.ns, at(10).ns);
    lineage_answer_release(&answer);
    lineage_release(&l);
}

/* A category's hour that is empty by now, and whose row is still shown. */
static void an_empty_hour_is_a_sum_too(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    struct lineage_row elsewhere = row(1, 2, 100, at(2), NEVER);
    assert_int_equal(lineage_category(&l, bytes_of("chairs")), 1);
    elsewhere.category = 1;
    say(&l, LINEAGE_OLTP, row(1, 0, 100, at(0), at(2)));
    say(&l, LINEAGE_OLTP, elsewhere);
    for (enum lineage_layer layer = LINEAGE_TOPIC; layer < LINEAGE_GOLD; layer++) {
        say(&l, layer, row(1, 0, 100, at(1), layer == LINEAGE_SILVER ? at(2) : NEVER));
        say(&l, layer, elsewhere);
    }
    struct lineage_sum chairs = {
        .category = 1, .hour = at(0), .orders = 1, .quantity = 1, .amount = 100, .to = NEVER};
    chairs.from = at(2);
    show(&l, LINEAGE_GOLD, 1, 100, at(1), at(2));
    assert_int_equal(lineage_show(&l, LINEAGE_GOLD, &chairs), 0);
    chairs.from = at(3);
    assert_int_equal(lineage_show(&l, LINEAGE_VIEW, &chairs), 0);
    show(&l, LINEAGE_VIEW, 1, 100, at(1), NEVER);
    struct lineage_answer answer = ask(&l, 30);
    names(&answer, LINEAGE_VIEW, LINEAGE_STALLED);
    assert_int_equal(answer.finding_count, 1);
    assert_int_equal(answer.findings[0].effect, 100);
    lineage_answer_release(&answer);
    lineage_release(&l);
}

/* A record that the topic has no more, since it expired, is not missed where silver has it. */
static void what_expired_is_not_missed(void **state) {
    (void)state;
    struct lineage l;
    begin(&l);
    say(&l, LINEAGE_OLTP, row(1, 0, 100, at(0), NEVER));
    say(&l, LINEAGE_RELAY, row(1, 0, 100, at(0), at(1)));
    say(&l, LINEAGE_SILVER, row(1, 0, 100, at(2), NEVER));
    show(&l, LINEAGE_GOLD, 1, 100, at(2), NEVER);
    show(&l, LINEAGE_VIEW, 1, 100, at(3), NEVER);
    struct lineage_answer answer = ask(&l, 30);
    assert_int_equal(answer.verdict, LINEAGE_RIGHT);
    lineage_answer_release(&answer);
    lineage_release(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_wrong),
        cmocka_unit_test(no_data_is_said),
        cmocka_unit_test(what_is_young_is_in_flight),
        cmocka_unit_test(the_layer_where_it_stopped_is_named),
        cmocka_unit_test(what_came_later_was_stalled),
        cmocka_unit_test(what_was_told_again_was_lost),
        cmocka_unit_test(who_kept_it_longest_is_named),
        cmocka_unit_test(corrections_are_followed),
        cmocka_unit_test(alterations_are_told_from_delay),
        cmocka_unit_test(what_is_too_much_is_found),
        cmocka_unit_test(sums_are_held_against_the_layer_before),
        cmocka_unit_test(an_empty_hour_is_a_sum_too),
        cmocka_unit_test(what_expired_is_not_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
