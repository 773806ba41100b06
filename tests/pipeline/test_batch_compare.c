/* The nightly batch against the stream (A17): each class of difference, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/batch_compare.h"
#include "pipeline/batch_sales.h"

static const struct batch_scope whole = {.settled = {100}};

static struct scan_row row(uint64_t id, doc_version version, int64_t changed_at) {
    return (struct scan_row){.listing_id = id,
                             .version = version,
                             .source_hash = (uint64_t)version,
                             .whole_hash = (uint64_t)version,
                             .changed_at = {changed_at},
                             .alive = true};
}

/* The only class that a comparison counted, or -1. */
static int only(const uint64_t counts[DRIFT_CLASS_COUNT]) {
    int found = -1;
    for (int c = 0; c < DRIFT_CLASS_COUNT; c++) {
        if (counts[c] > 0) {
            assert_int_equal(found, -1);
            assert_int_equal(counts[c], 1);
            found = c;
        }
    }
    return found;
}

static int class_of(const struct batch_scope *scope, const struct scan_row *gold, size_t gold_count,
                    const struct scan_row *made, size_t made_count) {
    uint64_t counts[DRIFT_CLASS_COUNT] = {0};
    batch_compare_documents(scope, gold, gold_count, made, made_count, counts);
    return only(counts);
}

static void documents_differ(void **state) {
    (void)state;
    struct scan_row old = row(7, 1, 10), new = row(7, 2, 20), young = row(7, 2, 100);
    struct scan_row twins[] = {old, old};
    struct scan_row other = old;
    other.whole_hash = 99;
    assert_int_equal(class_of(&whole, &old, 1, &old, 1), -1);
    assert_int_equal(class_of(&whole, NULL, 0, &old, 1), DRIFT_MISSING);
    assert_int_equal(class_of(&whole, &old, 1, NULL, 0), DRIFT_ORPHAN);
    assert_int_equal(class_of(&whole, twins, 2, &old, 1), DRIFT_DUPLICATE);
    assert_int_equal(class_of(&whole, &old, 1, &new, 1), DRIFT_STALE);
    assert_int_equal(class_of(&whole, &new, 1, &old, 1), DRIFT_MISMATCH);
    assert_int_equal(class_of(&whole, &other, 1, &old, 1), DRIFT_MISMATCH);
    assert_int_equal(class_of(&whole, &young, 1, &old, 1), DRIFT_IN_FLIGHT);
    assert_int_equal(class_of(&whole, NULL, 0, &young, 1), DRIFT_IN_FLIGHT);
    assert_int_equal(class_of(&whole, &young, 1, NULL, 0), DRIFT_IN_FLIGHT);
}

/* A run over a range says nothing of what changed before it. */
static void before_the_range(void **state) {
    (void)state;
    const struct batch_scope part = {.from = {50}, .settled = {100}};
    struct scan_row old = row(7, 1, 10), new = row(7, 2, 20), in_range = row(7, 3, 60);
    assert_int_equal(class_of(&part, &old, 1, NULL, 0), -1);
    assert_int_equal(class_of(&part, &new, 1, &old, 1), -1);
    assert_int_equal(class_of(&part, &in_range, 1, &old, 1), DRIFT_MISMATCH);
    assert_int_equal(class_of(&part, &new, 1, &in_range, 1), DRIFT_STALE);
}

/* Of a listing that was gone before bronze begins, bronze knows nothing, and that is right; of one
 * that is there it must (A16). */
static void before_bronze(void **state) {
    (void)state;
    const struct batch_scope kept = {.settled = {100}, .kept_from = {50}};
    struct scan_row gone = row(7, 1, 10), there = gone, later = row(7, 1, 60);
    gone.alive = later.alive = false;
    assert_int_equal(class_of(&kept, &gone, 1, NULL, 0), -1);
    assert_int_equal(class_of(&kept, &there, 1, NULL, 0), DRIFT_ORPHAN);
    assert_int_equal(class_of(&kept, &later, 1, NULL, 0), DRIFT_ORPHAN);
}

static void sales_differ(void **state) {
    (void)state;
    struct sales_row a = {.category = bytes_of("toys"), .orders = 1, .quantity = 1, .amount = 5};
    struct sales_row b = a, young = a;
    b.amount = 6;
    young.amount = 7;
    young.changed_at = (vtime){100};
    const struct {
        const struct sales_row *view, *made;
        int class;
    } cases[] = {
        {&a, &a, -1},
        {NULL, &a, DRIFT_MISSING},
        {&a, NULL, DRIFT_ORPHAN},
        {&a, &b, DRIFT_MISMATCH},
        {&young, &a, DRIFT_IN_FLIGHT},
        {NULL, &young, DRIFT_IN_FLIGHT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t counts[DRIFT_CLASS_COUNT] = {0};
        batch_compare_sales(&whole, cases[i].view, cases[i].made, counts);
        assert_int_equal(only(counts), cases[i].class);
    }
}

/* Of an order that came several times, in any order, the greatest stamp counts, in the hour in
 * which it was placed; orders outside of the range do not (A1). */
static void last_word_counts(void **state) {
    (void)state;
    struct batch_sales s;
    batch_sales_init(&s);
    struct record placed = {.type = RECORD_ORDER,
                            .stamp = {{VTIME_HOUR + 5}, {0, 1}},
                            .order_id = 9,
                            .quantity = 1,
                            .amount = 10,
                            .order_category = bytes_of("toys")};
    struct record corrected = placed, later = placed;
    corrected.stamp = (struct stamp){{5 * VTIME_HOUR}, {0, 2}};
    corrected.placed = placed.stamp.ts;
    corrected.amount = 8;
    later.order_id = 10;
    later.stamp.ts = (vtime){3 * VTIME_HOUR};
    for (int again = 0; again < 2; again++) {
        assert_int_equal(batch_sales_order(&s, &corrected, (vtime){70}), 0);
        assert_int_equal(batch_sales_order(&s, &placed, (vtime){60}), 0);
        assert_int_equal(batch_sales_order(&s, &later, (vtime){80}), 0);
    }
    assert_int_equal(batch_sales_close(&s, (vtime){0}, (vtime){3 * VTIME_HOUR}), 0);
    assert_int_equal(s.bucket_count, 1);
    struct sales_row sales = batch_sales_row(&s, 0);
    assert_int_equal(sales.hour.ns, VTIME_HOUR);
    assert_int_equal(sales.orders, 1);
    assert_int_equal(sales.amount, 8);
    assert_int_equal(sales.changed_at.ns, 70);
    batch_sales_release(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_differ), cmocka_unit_test(before_the_range),
        cmocka_unit_test(before_bronze),    cmocka_unit_test(sales_differ),
        cmocka_unit_test(last_word_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
