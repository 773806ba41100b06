/*
 * Random streams (D3): known answers, so that a change of generator or distribution is noticed;
 * independence of streams; distributions within integer bounds. Bounds on counts are six standard
 * deviations or wider, and the seeds are fixed, so a test passes always or never.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/prng.h"

/* FNV-1a over draws: one number that stands for a whole sequence. */
static uint64_t fold(uint64_t sum, uint64_t value) {
    for (int i = 0; i < 8; i++) {
        sum = (sum ^ ((value >> (8 * i)) & 0xff)) * UINT64_C(0x100000001b3);
    }
    return sum;
}

#define FOLD_START UINT64_C(0xcbf29ce484222325)

static void assert_between(uint64_t value, uint64_t low, uint64_t high) {
    assert_in_range(value, low, high);
}

/* The generator is xoshiro256**: the outputs that its reference code gives from state 1, 2, 3, 4.
 */
static void generator_matches_its_reference(void **state) {
    (void)state;
    static const uint64_t expected[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    struct prng p = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(prng_next(&p) == expected[i]);
    }
}

/* Streams as they were when traces were first kept: seeding and every distribution. */
static void draws_match_known_answers(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 1, "workload");
    assert_true(prng_next(&p) == UINT64_C(0x39636d45d7a49db4));
    prng_init(&p, 1, "faults");
    assert_true(prng_next(&p) == UINT64_C(0x14d07e0d1cb0e3a3));
    prng_init(&p, 2, "workload");
    assert_true(prng_next(&p) == UINT64_C(0x664524116ee5870e));

    uint64_t sum = FOLD_START;
    prng_init(&p, 42, "answers");
    for (int i = 0; i < 1000; i++) {
        sum = fold(sum, prng_below(&p, UINT64_C(1000003) * (uint64_t)(i + 1)));
        sum = fold(sum, (uint64_t)prng_range(&p, -i, INT64_MAX));
        sum = fold(sum, prng_ratio(&p, 1, 3));
        sum = fold(sum, (uint64_t)prng_exponential_ns(&p, 1000000));
    }
    assert_true(sum == UINT64_C(0x92bb4764db7f078c));
}

/* Tables of skew and latency as they were when traces were first kept. */
static void tables_match_known_answers(void **state) {
    (void)state;
    struct prng p;
    struct latency_model latency;
    uint64_t sum = FOLD_START;
    prng_init(&p, 42, "tables");
    assert_int_equal(latency_model_init(&latency, 5000000, 80000000, 30000000000), 0);
    for (int i = 0; i < 1000; i++) {
        sum = fold(sum, (uint64_t)latency_model_draw_ns(&latency, &p));
    }
    for (unsigned bit = 0; bit < 63; bit++) {
        sum = fold(sum, (uint64_t)latency_model_quantile_ns(&latency, UINT64_C(1) << bit));
        sum = fold(sum, (uint64_t)latency_model_quantile_ns(&latency, ~(UINT64_C(1) << bit)));
    }
    for (unsigned quarters = 0; quarters <= ZIPF_QUARTERS_MAX; quarters++) {
        struct zipf z;
        assert_int_equal(zipf_init(&z, 100000, quarters), 0);
        for (int i = 0; i < 1000; i++) {
            sum = fold(sum, zipf_pick(&z, &p));
        }
        zipf_release(&z);
    }
    assert_true(sum == UINT64_C(0xf55456fd4477ebdf));
}

/* Neither a shared prefix, nor an overlap of name and seed, nor the same name makes two streams
 * one. */
static void streams_differ_by_name_and_seed(void **state) {
    (void)state;
    enum { STREAMS = 2000 };
    static uint64_t first[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        char name[32];
        struct prng p;
        snprintf(name, sizeof name, "partition-%d", i / 2);
        prng_init(&p, (uint64_t)(i % 2), name);
        first[i] = prng_next(&p);
        for (int j = 0; j < i; j++) {
            assert_true(first[i] != first[j]);
        }
    }
}

/* Two streams agree in about half of their bits, as unrelated ones do. */
static void streams_are_unrelated(void **state) {
    (void)state;
    struct prng a;
    struct prng b;
    uint64_t agreeing = 0;
    prng_init(&a, 7, "workload");
    prng_init(&b, 7, "workloae");
    for (int i = 0; i < 10000; i++) {
        agreeing += (uint64_t)__builtin_popcountll(~(prng_next(&a) ^ prng_next(&b)));
    }
    assert_between(agreeing, 320000 - 2400, 320000 + 2400);
}

/* Drawing from one stream leaves the others as they were. */
static void draws_do_not_disturb_other_streams(void **state) {
    (void)state;
    struct prng faults;
    struct prng workload;
    prng_init(&faults, 3, "faults");
    uint64_t alone = prng_next(&faults);
    prng_init(&faults, 3, "faults");
    prng_init(&workload, 3, "workload");
    for (int i = 0; i < 100; i++) {
        prng_next(&workload);
    }
    assert_true(prng_next(&faults) == alone);
}

/* A bound is never reached, small bounds are hit evenly, and a bound of 1 leaves one answer. */
static void below_is_uniform(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 1, "below");
    uint64_t hits[7] = {0};
    for (int i = 0; i < 70000; i++) {
        hits[prng_below(&p, 7)]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_between(hits[i], 10000 - 600, 10000 + 600);
    }
    assert_true(prng_below(&p, 1) == 0);
}

/* Without rejection the thirds of 3 * 2^62 would come out 2 : 1 : 1. */
static void below_has_no_bias_at_large_bounds(void **state) {
    (void)state;
    struct prng p;
    const uint64_t third = UINT64_C(1) << 62;
    uint64_t hits[3] = {0};
    prng_init(&p, 2, "below");
    for (int i = 0; i < 30000; i++) {
        hits[prng_below(&p, 3 * third) / third]++;
    }
    for (int i = 0; i < 3; i++) {
        assert_between(hits[i], 10000 - 500, 10000 + 500);
    }
}

/* Both ends of a range are drawn, nothing outside it, and the widest range works. */
static void range_includes_both_ends(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 1, "range");
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t value = prng_range(&p, -2, 2);
        assert_true(value >= -2 && value <= 2);
        seen |= 1u << (value + 2);
    }
    assert_int_equal(seen, 31);
    assert_true(prng_range(&p, INT64_MIN, INT64_MIN) == INT64_MIN);
    int negative = 0;
    for (int i = 0; i < 1000; i++) {
        negative += prng_range(&p, INT64_MIN, INT64_MAX) < 0;
    }
    assert_between((uint64_t)negative, 400, 600);
}

/* Ratios hold, 0 never and 1 always, and the certain ones draw as often as the others. */
static void ratio_holds_and_always_draws(void **state) {
    (void)state;
    struct prng p;
    struct prng q;
    uint64_t hits = 0;
    prng_init(&p, 1, "ratio");
    q = p;
    for (int i = 0; i < 30000; i++) {
        assert_false(prng_ratio(&p, 0, 10));
        assert_true(prng_ratio(&p, 10, 10));
        hits += prng_ratio(&p, 1, 10);
        for (int draws = 0; draws < 3; draws++) {
            prng_next(&q);
        }
    }
    assert_between(hits, 3000 - 330, 3000 + 330);
    assert_true(prng_next(&p) == prng_next(&q));
}

/* Every order of four comes equally often, whatever the element size. */
static void shuffle_reaches_every_order_evenly(void **state) {
    (void)state;
    struct prng p;
    uint64_t hits[256] = {0};
    prng_init(&p, 1, "shuffle");
    for (int i = 0; i < 24000; i++) {
        unsigned char order[4] = {0, 1, 2, 3};
        prng_shuffle(&p, order, 4, 1);
        hits[order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3]]++;
    }
    int orders = 0;
    for (int i = 0; i < 256; i++) {
        if (hits[i] != 0) {
            assert_between(hits[i], 1000 - 190, 1000 + 190);
            orders++;
        }
    }
    assert_int_equal(orders, 24);
}

/* Elements wider than the piece that is swapped at once stay whole; none is lost. */
static void shuffle_keeps_wide_elements_whole(void **state) {
    (void)state;
    enum { COUNT = 50, WIDTH = 150 };
    static unsigned char cards[COUNT][WIDTH];
    struct prng p;
    uint64_t seen = 0;
    for (int i = 0; i < COUNT; i++) {
        memset(cards[i], i, WIDTH);
    }
    prng_init(&p, 2, "shuffle");
    prng_shuffle(&p, cards, COUNT, WIDTH);
    for (int i = 0; i < COUNT; i++) {
        for (int j = 1; j < WIDTH; j++) {
            assert_int_equal(cards[i][j], cards[i][0]);
        }
        seen |= UINT64_C(1) << cards[i][0];
    }
    assert_true(seen == (UINT64_C(1) << COUNT) - 1);
    prng_shuffle(&p, NULL, 0, 8);
}

/* A mix follows its weights, and a weight of zero is never drawn, first or last. */
static void weighted_follows_the_weights(void **state) {
    (void)state;
    static const uint64_t weights[] = {0, 70, 0, 25, 5, 0};
    struct prng p;
    uint64_t hits[6] = {0};
    prng_init(&p, 1, "weighted");
    for (int i = 0; i < 10000; i++) {
        hits[prng_weighted(&p, weights, 6)]++;
    }
    assert_true(hits[0] == 0 && hits[2] == 0 && hits[5] == 0);
    assert_between(hits[1], 7000 - 280, 7000 + 280);
    assert_between(hits[3], 2500 - 260, 2500 + 260);
    assert_between(hits[4], 500 - 135, 500 + 135);
}

/*
 * Exponential: the mean, and the share above k means, which is e^-k: 367,879, 135,335, 49,787 and
 * 18,316 in a million for k = 1 to 4; half of the draws are below ln 2 means.
 */
static void exponential_has_its_mean_and_tail(void **state) {
    (void)state;
    static const uint64_t above_expected[] = {1000000, 367879, 135335, 49787, 18316};
    enum { DRAWS = 1000000, MEAN = 1000000 };
    struct prng p;
    uint64_t sum = 0;
    uint64_t above[5] = {0};
    uint64_t below_median = 0;
    prng_init(&p, 1, "exponential");
    for (int i = 0; i < DRAWS; i++) {
        int64_t x = prng_exponential_ns(&p, MEAN);
        assert_true(x >= 0);
        sum += (uint64_t)x;
        below_median += x < 693147;
        for (int k = 0; k < 5; k++) {
            above[k] += x >= (int64_t)k * MEAN;
        }
    }
    assert_between(sum / DRAWS, MEAN - 6000, MEAN + 6000);
    assert_true(sum ==
                UINT64_C(999568075492)); /* exactly, so that a slip in the table is noticed */
    assert_between(below_median, 500000 - 3000, 500000 + 3000);
    for (int k = 0; k < 5; k++) {
        assert_between(above[k], above_expected[k] - 3000 * (k > 0), above_expected[k] + 3000);
    }
}

/* A mean of zero gives zero, and a huge one stays within the type. */
static void exponential_takes_extreme_means(void **state) {
    (void)state;
    struct prng p;
    bool held = false;
    prng_init(&p, 2, "exponential");
    for (int i = 0; i < 100; i++) {
        assert_true(prng_exponential_ns(&p, 0) == 0);
        int64_t x = prng_exponential_ns(&p, INT64_MAX);
        assert_true(x >= 0);
        held = held || x == INT64_MAX;
    }
    assert_true(held);
}

/* Classic Zipf over 1,000 ranks: rank r is drawn 1/(r+1) as often as rank 0, 1 in 7.485. */
static void zipf_follows_one_over_rank(void **state) {
    (void)state;
    enum { DRAWS = 1000000 };
    static uint64_t hits[1000];
    struct zipf z;
    struct prng p;
    assert_int_equal(zipf_init(&z, 1000, 4), 0);
    prng_init(&p, 1, "zipf");
    memset(hits, 0, sizeof hits);
    for (int i = 0; i < DRAWS; i++) {
        hits[zipf_pick(&z, &p)]++;
    }
    assert_between(hits[0], 133592 - 2100, 133592 + 2100);
    assert_between(hits[1], 66796 - 1500, 66796 + 1500);
    assert_between(hits[9], 13359 - 700, 13359 + 700);
    assert_between(hits[99], 1336 - 220, 1336 + 220);
    assert_between(hits[999], 134 - 70, 134 + 70);
    zipf_release(&z);
}

/* With exponent 0 ranks are drawn evenly across the border between exact ranks and bands. */
static void zipf_of_exponent_zero_is_uniform(void **state) {
    (void)state;
    enum { RANKS = 5000, DRAWS = 1000000 };
    static uint64_t hits[RANKS];
    struct zipf z;
    struct prng p;
    assert_int_equal(zipf_init(&z, RANKS, 0), 0);
    prng_init(&p, 2, "zipf");
    memset(hits, 0, sizeof hits);
    for (int i = 0; i < DRAWS; i++) {
        hits[zipf_pick(&z, &p)]++;
    }
    for (int i = 0; i < RANKS; i++) {
        assert_between(hits[i], 200 - 86, 200 + 86);
    }
    zipf_release(&z);
}

/*
 * Over a million ranks, s = 1/2: the share of the first quarter of the ranks is one half, since the
 * sum of r^(-1/2) grows like the square root. For s = 1, ranks up to 1,000 take 7.4855 / 14.3927.
 */
static void zipf_shares_hold_over_a_million_ranks(void **state) {
    (void)state;
    enum { DRAWS = 1000000 };
    static const struct {
        unsigned quarters;
        uint64_t ranks;
        uint64_t expected;
    } cases[] = {{2, 250000, 499635}, {4, 1000, 520086}, {8, 10, 942134}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct zipf z;
        struct prng p;
        uint64_t head = 0;
        assert_int_equal(zipf_init(&z, 1000000, cases[c].quarters), 0);
        prng_init(&p, 3, "zipf");
        for (int i = 0; i < DRAWS; i++) {
            head += zipf_pick(&z, &p) < cases[c].ranks;
        }
        assert_between(head, cases[c].expected - 3000, cases[c].expected + 3000);
        zipf_release(&z);
    }
}

/* Every size around the borders of bands draws below n, and reaches both its first and last rank.
 */
static void zipf_stays_within_every_size(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1,    2,    3,    1023, 1024, 1025,    1028,
                                     1029, 2047, 2048, 2049, 2056, 1000003, ZIPF_RANKS_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct zipf z;
        struct prng p;
        uint64_t greatest = 0;
        assert_int_equal(zipf_init(&z, sizes[i], 0), 0);
        prng_init(&p, i, "zipf");
        for (int j = 0; j < 40000; j++) {
            uint64_t rank = zipf_pick(&z, &p);
            assert_true(rank < sizes[i]);
            greatest = rank > greatest ? rank : greatest;
        }
        assert_true(greatest >= sizes[i] - 1 - sizes[i] / 1000);
        zipf_release(&z);
    }
}

/* The stated quantiles come out, to the nanosecond, and the lowest is p50^2 over the highest knot.
 */
static void latency_has_the_quantiles_it_was_given(void **state) {
    (void)state;
    struct latency_model m;
    assert_int_equal(latency_model_init(&m, 5000000, 80000000, 30000000000), 0);
    assert_true(latency_model_quantile_ns(&m, UINT64_C(1) << 63) >= 5000000);
    assert_true(latency_model_quantile_ns(&m, (UINT64_C(1) << 63) + (UINT64_C(1) << 40)) < 5000100);
    uint64_t p99 = UINT64_MAX - UINT64_C(0x028f5c28f5c28f5c);
    assert_true(latency_model_quantile_ns(&m, p99) == 80000000);
    assert_true(latency_model_quantile_ns(&m, UINT64_MAX) == 30000000000);
    assert_true(latency_model_quantile_ns(&m, 0) == 19531);
}

/* A lognormal is symmetric about its median on the scale of ratios: p10 * p90 = p50^2. */
static void latency_is_symmetric_in_ratio(void **state) {
    (void)state;
    struct latency_model m;
    assert_int_equal(latency_model_init(&m, 1000000, 16000000, INT64_MAX), 0);
    for (uint64_t tenth = 1; tenth < 5; tenth++) {
        uint64_t q = UINT64_MAX / 10 * tenth;
        uint64_t low = (uint64_t)latency_model_quantile_ns(&m, q);
        uint64_t high = (uint64_t)latency_model_quantile_ns(&m, ~q);
        /* Straight lines between knots err upwards, here by up to 3 in 100. */
        assert_between(low * high / 1000000, 999000, 1035000);
    }
}

/* Random models never fall from one quantile to the next, and stay between 0 and the maximum. */
static void latency_is_monotone(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 1, "latency");
    for (int i = 0; i < 2000; i++) {
        struct latency_model m;
        unsigned scale = (unsigned)prng_below(&p, 63);
        int64_t max = (int64_t)(prng_next(&p) >> 1 >> scale);
        int64_t p99 = prng_range(&p, 0, max >> prng_below(&p, 20));
        int64_t p50 = prng_range(&p, 0, p99 >> prng_below(&p, 20));
        assert_int_equal(latency_model_init(&m, p50, p99, max), 0);
        int64_t before = 0;
        for (uint64_t q = 0; q < 1024; q++) {
            int64_t value = latency_model_quantile_ns(&m, q << 54);
            assert_true(value >= before && value <= max);
            before = value;
        }
        assert_true(latency_model_quantile_ns(&m, UINT64_MAX - UINT64_C(0x028f5c28f5c28f5c)) ==
                    p99);
    }
}

/* Draws follow the model: half above the median, a hundredth above p99. */
static void latency_draws_follow_the_model(void **state) {
    (void)state;
    struct latency_model m;
    struct prng p;
    uint64_t slow = 0;
    uint64_t slowest = 0;
    prng_init(&p, 2, "latency");
    assert_int_equal(latency_model_init(&m, 5000, 50000, 1000000), 0);
    for (int i = 0; i < 100000; i++) {
        int64_t x = latency_model_draw_ns(&m, &p);
        slow += x > 5000;
        slowest += x > 50000;
    }
    assert_between(slow, 50000 - 1000, 50000 + 1000);
    assert_between(slowest, 1000 - 190, 1000 + 190);
}

/* Three equal quantiles are a constant; zero is "no latency"; quantiles out of order are refused.
 */
static void latency_takes_constants_and_refuses_disorder(void **state) {
    (void)state;
    struct latency_model m;
    struct prng p;
    prng_init(&p, 3, "latency");
    assert_int_equal(latency_model_init(&m, 0, 0, 0), 0);
    assert_true(latency_model_draw_ns(&m, &p) == 0);
    assert_int_equal(latency_model_init(&m, 1000, 1000, 1000), 0);
    assert_true(latency_model_draw_ns(&m, &p) == 1000);
    assert_int_equal(latency_model_init(&m, -1, 0, 0), -EINVAL);
    assert_int_equal(latency_model_init(&m, 2, 1, 3), -EINVAL);
    assert_int_equal(latency_model_init(&m, 1, 3, 2), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generator_matches_its_reference),
        cmocka_unit_test(draws_match_known_answers),
        cmocka_unit_test(tables_match_known_answers),
        cmocka_unit_test(streams_differ_by_name_and_seed),
        cmocka_unit_test(streams_are_unrelated),
        cmocka_unit_test(draws_do_not_disturb_other_streams),
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(below_has_no_bias_at_large_bounds),
        cmocka_unit_test(range_includes_both_ends),
        cmocka_unit_test(ratio_holds_and_always_draws),
        cmocka_unit_test(shuffle_reaches_every_order_evenly),
        cmocka_unit_test(shuffle_keeps_wide_elements_whole),
        cmocka_unit_test(weighted_follows_the_weights),
        cmocka_unit_test(exponential_has_its_mean_and_tail),
        cmocka_unit_test(exponential_takes_extreme_means),
        cmocka_unit_test(zipf_follows_one_over_rank),
        cmocka_unit_test(zipf_of_exponent_zero_is_uniform),
        cmocka_unit_test(zipf_shares_hold_over_a_million_ranks),
        cmocka_unit_test(zipf_stays_within_every_size),
        cmocka_unit_test(latency_has_the_quantiles_it_was_given),
        cmocka_unit_test(latency_is_symmetric_in_ratio),
        cmocka_unit_test(latency_is_monotone),
        cmocka_unit_test(latency_draws_follow_the_model),
        cmocka_unit_test(latency_takes_constants_and_refuses_disorder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
