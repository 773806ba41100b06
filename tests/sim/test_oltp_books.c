/* The books of the marketplace (A1, B6): orders as OLTP has them, summed up by hour and category,
 * and told once more as they stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/record.h"
#include "sim/oltp_books.h"

static vtime at(int64_t minutes) {
    return (vtime){1000 * VTIME_HOUR + minutes * VTIME_MINUTE};
}

static void place(struct fake_oltp *o, uint64_t id, int64_t placed, int64_t said,
                  const char *category, int64_t amount) {
    struct order_row order = {.order_id = id,
                              .listing_id = 40 + id,
                              .stamp = {at(said), {9, (uint64_t)said}},
                              .placed = at(placed),
                              .quantity = 1,
                              .amount = amount,
                              .category = bytes_of(category)};
    assert_int_equal(fake_oltp_write_order(o, at(said), &order, NULL), 0);
}

/* Two hours, two categories, one order corrected into another category. */
static struct fake_oltp *with_orders(void) {
    struct fake_oltp *o = fake_oltp_new(&(struct fake_oltp_options){.journal = true});
    assert_non_null(o);
    place(o, 3, 70, 70, "lamps", 30);
    place(o, 1, 5, 5, "lamps", 10);
    place(o, 2, 10, 10, "lamps", 20);
    place(o, 4, 15, 15, "chairs", 40);
    place(o, 2, 10, 80, "chairs", 25);
    return o;
}

static size_t read(struct oltp_books *b, int64_t from, int64_t to, size_t skip,
                   struct sales_row *rows, size_t max) {
    struct books_port port = oltp_books_port(b);
    size_t count = 99;
    assert_int_equal(
        port.ops->read_sales(port.ctx, at(90), at(from), at(to), skip, rows, max, &count), 0);
    return count;
}

/* Sums come by hour and category, with the youngest change and a checksum of just these orders. */
static void orders_are_summed_up(void **state) {
    (void)state;
    struct fake_oltp *o = with_orders();
    struct oltp_books b;
    oltp_books_init(&b, o);
    struct sales_row rows[4];
    assert_int_equal(read(&b, 0, 120, 0, rows, 4), 3);
    assert_true(bytes_equal(rows[0].category, bytes_of("chairs")) && rows[0].hour.ns == at(0).ns);
    assert_int_equal(rows[0].orders, 2);
    assert_int_equal(rows[0].amount, 65);
    assert_int_equal(rows[0].changed_at.ns, at(80).ns);
    assert_true(bytes_equal(rows[1].category, bytes_of("lamps")));
    assert_int_equal(rows[1].amount, 10);
    assert_true(rows[1].checksum == sales_checksum(1, (struct stamp){at(5), {9, 5}}));
    assert_int_equal(rows[2].hour.ns, at(60).ns);
    assert_int_equal(read(&b, 0, 60, 0, rows, 4), 2);
    oltp_books_release(&b);
    fake_oltp_free(o);
}

/* Page by page the same rows come as at once. */
static void pages_join(void **state) {
    (void)state;
    struct fake_oltp *o = with_orders();
    struct oltp_books b;
    oltp_books_init(&b, o);
    struct sales_row rows[1];
    int64_t amount = 0;
    size_t pages = 0;
    while (read(&b, 0, 120, pages, rows, 1) == 1) {
        amount = amount * 100 + rows[0].amount;
        pages++;
    }
    assert_int_equal(pages, 3);
    assert_int_equal(amount, 651030);
    oltp_books_release(&b);
    fake_oltp_free(o);
}

/* The orders of an hour go through the outbox once more, as they stand and with the stamps of their
 * last changes; a correction says when its order was placed. */
static void an_hour_is_told_again(void **state) {
    (void)state;
    struct fake_oltp *o = with_orders();
    struct oltp_books b;
    oltp_books_init(&b, o);
    struct books_port port = oltp_books_port(&b);
    struct sales_row which = {.category = bytes_of("chairs"), .hour = at(0)};
    assert_int_equal(port.ops->republish(port.ctx, at(90), &which, 1), 0);
    struct outbox_row rows[8];
    size_t count = 0;
    struct oltp_port oltp = fake_oltp_port(o);
    assert_int_equal(oltp.ops->outbox_read(oltp.ctx, at(91), 0, rows, 8, &count), 0);
    assert_int_equal(count, 2);
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode(rows[0].value, &record, &error), 0);
    assert_true(record.type == RECORD_ORDER && rows[0].topic == TOPIC_ORDER);
    assert_int_equal(record.order_id, 2);
    assert_int_equal(rows[0].key, record.subject_id);
    assert_int_equal(record.amount, 25);
    assert_int_equal(record.stamp.ts.ns, at(80).ns);
    assert_int_equal(order_placed(record.placed, record.stamp).ns, at(10).ns);
    assert_int_equal(record_decode(rows[1].value, &record, &error), 0);
    assert_int_equal(record.order_id, 4);
    assert_int_equal(record.placed.ns, 0);
    assert_int_equal(port.ops->republish(port.ctx, at(92), &which, 0), 0);
    assert_int_equal(fake_oltp_outbox_count(o), 2);
    oltp_books_release(&b);
    fake_oltp_free(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_summed_up),
        cmocka_unit_test(pages_join),
        cmocka_unit_test(an_hour_is_told_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
