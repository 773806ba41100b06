/*
 * Rows come out by id and then by number, however they came in and whenever they were sorted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/id_order.h"
#include "sim/prng.h"

/* Nothing is lost, all is in order, and seek finds the first item of what is asked for. */
static void expect_order(struct id_order *order, size_t count) {
    assert_int_equal(id_order_sort(order), 0);
    assert_int_equal(order->count, count);
    uint64_t row_sum = 0;
    for (size_t i = 0; i < count; i++) {
        const struct id_order_item *item = &order->items[i];
        row_sum += item->row;
        size_t first = i;
        if (i > 0) {
            assert_true(item[-1].id < item->id ||
                        (item[-1].id == item->id && item[-1].row < item->row));
            first = item[-1].id == item->id ? SIZE_MAX : i;
        }
        if (first == i) {
            assert_int_equal(id_order_seek(order, item->id), i);
        }
    }
    assert_int_equal(row_sum, count * (count - 1) / 2);
    assert_int_equal(id_order_seek(order, 1000), count);
    assert_int_equal(id_order_seek(order, 0), 0);
}

static void sorts_what_comes_in_pieces(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 1, "test-id-order");
    for (int round = 0; round < 200; round++) {
        struct id_order order;
        uint32_t count = 0;
        id_order_init(&order);
        for (int piece = 0; piece < 8; piece++) {
            for (uint64_t n = prng_below(&p, 12); n > 0; n--) {
                /* At times behind everything there, at times among it. */
                uint64_t id = piece % 2 ? 100 * (uint64_t)piece + n : 1 + prng_below(&p, 900);
                assert_int_equal(id_order_reserve(&order), 0);
                id_order_add(&order, id, count++);
            }
            expect_order(&order, count);
        }
        id_order_release(&order);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sorts_what_comes_in_pieces)};
    return cmocka_run_group_tests(tests, 0, 0);
}
