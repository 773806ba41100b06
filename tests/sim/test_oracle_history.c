/*
 * What the oracle says of a history that does not tile. The fake warehouse tiles by construction,
 * so its silver is played by a script here, compiled into the oracle's part in its place (B4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/fake_warehouse.h"

struct span {
    uint64_t listing_id;
    doc_version version;
    int64_t from, to; /* to 0: the present version */
};

static const struct span *script;
static size_t script_count;

static int scripted_each_silver(struct fake_warehouse *w,
                                int (*each)(void *ctx, const struct silver_row *row), void *ctx) {
    (void)w;
    for (size_t i = 0; i < script_count; i++) {
        const struct span *span = &script[i];
        struct silver_row row = {
            .document = {.listing_id = span->listing_id,
                         .version = span->version,
                         .policy = POLICY_ACTIVE,
                         .price = -1,
                         .attributes = {"{}", 2},
                         .images = {"[]", 2},
                         .tokeniser = TOKENISER_WORD},
            .valid_from = {span->from},
            .valid_to = span->to == 0 ? VTIME_NEVER : (vtime){span->to},
        };
        int stopped = each(ctx, &row);
        if (stopped != 0) {
            return stopped;
        }
    }
    return 0;
}

#define fake_warehouse_each_silver scripted_each_silver
#include "sim/oracle_warehouse.c"

/* Checks that failed, as bits, of a silver that holds the script. Versions 1, 2 and 3 of listing 1
 * and 4 of listing 2 were visible. */
static unsigned failed(const struct span *spans, size_t count) {
    static const struct position visible[] = {{.listing_id = 1, .version = 3},
                                              {.listing_id = 1, .version = 1},
                                              {.listing_id = 2, .version = 4},
                                              {.listing_id = 1, .version = 2}};
    script = spans;
    script_count = count;
    struct oracle *o = oracle_new(NULL);
    struct fake_warehouse *warehouse = fake_warehouse_new(&(struct fake_warehouse_options){0});
    assert_true(o != NULL && warehouse != NULL);
    o->positions = malloc(sizeof visible);
    memcpy(o->positions, visible, sizeof visible);
    o->position_count = o->position_capacity = 4;
    struct oracle_stores stores = {.warehouse = warehouse};
    struct comparison c = {.o = o, .stores = &stores};
    silver_compare(&c);
    unsigned bits = 0;
    for (int i = 0; i < CHECK_COUNT; i++) {
        bits |= (unsigned)(o->checks[i].violations > 0) << i;
    }
    fake_warehouse_free(warehouse);
    oracle_free(o);
    return bits;
}

#define FAILED(...)                                                                                \
    failed((const struct span[]){__VA_ARGS__},                                                     \
           sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span))

/* Every version once, in whatever order they came, each beginning where the one before it ends. */
static void whole_history(void **state) {
    (void)state;
    assert_int_equal(FAILED({1, 2, 20, 30}, {1, 1, 10, 20}, {2, 4, 10, 0}, {1, 3, 30, 0}), 0);
    /* Two versions of one moment: the first lasted no time. */
    assert_int_equal(FAILED({1, 2, 20, 20}, {1, 1, 10, 20}, {2, 4, 10, 0}, {1, 3, 20, 0}), 0);
}

/* A gap, an overlap, and a last version that ended. */
static void intervals_that_do_not_tile(void **state) {
    (void)state;
    unsigned history = 1u << CHECK_HISTORY;
    assert_int_equal(FAILED({1, 1, 10, 19}, {1, 2, 20, 30}, {1, 3, 30, 0}, {2, 4, 10, 0}), history);
    assert_int_equal(FAILED({1, 1, 10, 20}, {1, 2, 20, 31}, {1, 3, 30, 0}, {2, 4, 10, 0}), history);
    assert_int_equal(FAILED({1, 1, 10, 20}, {1, 2, 20, 30}, {1, 3, 30, 40}, {2, 4, 10, 0}),
                     history);
}

/* A version that is missing first, in the middle and last; one too many; one twice. */
static void versions_missing_and_surplus(void **state) {
    (void)state;
    unsigned history = 1u << CHECK_HISTORY;
    unsigned twice = 1u << CHECK_NO_DUPLICATE_ROW;
    assert_int_equal(FAILED({1, 2, 20, 30}, {1, 3, 30, 0}, {2, 4, 10, 0}), history);
    assert_int_equal(FAILED({1, 1, 10, 30}, {1, 3, 30, 0}, {2, 4, 10, 0}), history);
    assert_int_equal(FAILED({1, 1, 10, 20}, {1, 2, 20, 30}, {1, 3, 30, 0}), history);
    assert_int_equal(
        FAILED({1, 1, 10, 20}, {1, 2, 20, 30}, {1, 3, 30, 0}, {2, 4, 10, 50}, {2, 5, 50, 0}),
        twice);
    assert_int_equal(
        FAILED({1, 1, 10, 20}, {1, 2, 20, 30}, {1, 2, 20, 30}, {1, 3, 30, 0}, {2, 4, 10, 0}),
        twice);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_history),
        cmocka_unit_test(intervals_that_do_not_tile),
        cmocka_unit_test(versions_missing_and_surplus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
