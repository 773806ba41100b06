/* Settings that each seed draws (D5, scenario_draw.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenarios/scenario_draw.h"

enum { SEEDS = 400 };

static struct scenario load(const char *setting, const char *more) {
    struct scenario_setting settings[] = {{setting}, {more}};
    struct scenario scenario;
    struct scenario_error error;
    size_t count = more == NULL ? 1 : 2;
    if (scenario_load("calm-day", "scenarios", settings, count, &scenario, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return scenario;
}

/* The scenario as a seed has it. */
static struct scenario drawn_by(const struct scenario *scenario, uint64_t seed) {
    struct scenario drawn = *scenario;
    scenario_draw(&drawn, seed);
    return drawn;
}

/* Each value of a list comes about as often as the others, and what is not listed never. */
static void values_come_equally_often(void **state) {
    (void)state;
    struct scenario scenario =
        load("draw.vector_profile=[\"plain\", \"milvus-like\", \"pgvector-like\"]", NULL);
    unsigned seen[VECTOR_PROFILE_COUNT] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        seen[drawn_by(&scenario, seed).vectors.profile]++;
    }
    assert_int_equal(seen[VECTORS_PLAIN] + seen[VECTORS_MILVUS] + seen[VECTORS_PGVECTOR], SEEDS);
    assert_true(seen[VECTORS_PLAIN] > SEEDS / 4 && seen[VECTORS_MILVUS] > SEEDS / 4 &&
                seen[VECTORS_PGVECTOR] > SEEDS / 4);
    scenario_release(&scenario);
}

/* A list more does not change what is drawn of another. */
static void lists_draw_for_themselves(void **state) {
    (void)state;
    static const char profiles[] = "draw.vector_profile=[\"plain\", \"milvus-like\"]";
    struct scenario one = load(profiles, NULL);
    struct scenario two = load(profiles, "draw.explore_ties=[true, false]");
    unsigned together = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct scenario a = drawn_by(&one, seed), b = drawn_by(&two, seed);
        assert_int_equal(a.vectors.profile, b.vectors.profile);
        together += (b.vectors.profile == VECTORS_PLAIN) == b.explore_ties;
    }
    assert_true(together > SEEDS / 4 && together < 3 * SEEDS / 4);
    scenario_release(&one);
    scenario_release(&two);
}

/* What is not drawn is as it is stated; what is drawn is told in the words of the file. */
static void drawn_is_told(void **state) {
    (void)state;
    struct scenario scenario =
        load("keywords.gc_deletes=30s",
             "draw={\"vector_profile\": [\"pinecone-like\"], \"rebalance\": [\"eager\"],"
             " \"idempotent_producers\": [true], \"keyword_gc_deletes\": [],"
             " \"explore_ties\": [false]}");
    struct scenario seeds = drawn_by(&scenario, 7);
    assert_int_equal(seeds.keyword_gc_deletes_ns, 30 * VTIME_SECOND);
    assert_int_equal(seeds.vectors.profile, VECTORS_PINECONE);
    assert_int_equal(seeds.rebalance, FAKE_KAFKA_EAGER);
    assert_true(seeds.pipeline.idempotent);
    static const char *const told[][2] = {{"vectors.profile", "pinecone-like"},
                                          {"pipeline.rebalance", "eager"},
                                          {"pipeline.idempotent_producers", "true"},
                                          {"explore_ties", "false"}};
    struct scenario_drawn drawn;
    size_t i = 0;
    for (; scenario_drawn(&seeds, i, &drawn); i++) {
        assert_true(i < sizeof told / sizeof *told);
        assert_string_equal(drawn.key, told[i][0]);
        assert_string_equal(drawn.value, told[i][1]);
    }
    assert_int_equal(i, sizeof told / sizeof *told);
    scenario_release(&scenario);
}

/* A duration is told with its unit, and none as off. */
static void durations_are_told(void **state) {
    (void)state;
    static const char *const lists[][2] = {{"draw.keyword_gc_deletes=[\"60s\"]", "1m"},
                                           {"draw.keyword_gc_deletes=[\"off\"]", "off"}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct scenario scenario = load(lists[i][0], NULL);
        struct scenario seeds = drawn_by(&scenario, 1);
        struct scenario_drawn drawn;
        assert_true(scenario_drawn(&seeds, 0, &drawn));
        assert_string_equal(drawn.value, lists[i][1]);
        scenario_release(&scenario);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_equally_often),
        cmocka_unit_test(lists_draw_for_themselves),
        cmocka_unit_test(drawn_is_told),
        cmocka_unit_test(durations_are_told),
    };
    return cmocka_run_group_tests_name("scenario_draw", tests, NULL, NULL);
}
