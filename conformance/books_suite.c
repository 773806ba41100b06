/*
 * The conformance suite of the books port (B1, A17): what the nightly batch leans on when it holds
 * bronze against the source, held by the fake and by a PostgreSQL; and a long random play in which
 * a subject must answer as the fake does, to the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/books_subject.h"
#include "conformance/suite.h"
#include "sim/prng.h"

enum { ROWS_MAX = 128, PLAY_HOURS = 5, PLAY_ORDERS = 24 };

SUITE_SUBJECTS(books)

/* ---- What the tests say ---- */

/* The hour in which `at` speaks of second 0 begins a while before it. */
static vtime hour(int64_t number) {
    return vtime_add(sales_hour(at(0)), number * VTIME_HOUR);
}

static struct order_row order(uint64_t id, int64_t number, const char *category, int64_t amount) {
    vtime placed = vtime_add(hour(number), (int64_t)id * VTIME_SECOND);
    return (struct order_row){.order_id = id,
                              .listing_id = 100 + id,
                              .stamp = {placed, {7, id}},
                              .placed = placed,
                              .quantity = 2,
                              .amount = amount,
                              .category = bytes_of(category)};
}

static void write(struct books_subject *s, struct order_row row) {
    s->oltp.ops->write_order(s->oltp.ctx, at(0), &row, NULL);
}

static size_t read_sales(struct books_subject *s, vtime from, vtime to, size_t skip,
                         struct sales_row *rows, size_t max) {
    size_t count = 0;
    assert_int_equal(s->port.ops->read_sales(s->port.ctx, at(0), from, to, skip, rows, max, &count),
                     0);
    return count;
}

static size_t read_all(struct books_subject *s, struct sales_row *rows) {
    return read_sales(s, (vtime){0}, VTIME_NEVER, 0, rows, ROWS_MAX);
}

static void republish(struct books_subject *s, const struct sales_row *rows, size_t count) {
    assert_int_equal(s->port.ops->republish(s->port.ctx, at(9), rows, count), 0);
}

static size_t read_outbox(struct books_subject *s, int64_t sequence, struct outbox_row *rows,
                          size_t max) {
    size_t count = 0;
    struct oltp_port port = s->oltp.port;
    assert_int_equal(port.ops->outbox_read(port.ctx, at(0), sequence, rows, max, &count), 0);
    return count;
}

static struct record decoded(const struct outbox_row *row) {
    struct record record;
    struct record_error error;
    assert_int_equal(row->topic, TOPIC_ORDER);
    assert_int_equal(record_decode(row->value, &record, &error), 0);
    assert_int_equal(record.type, RECORD_ORDER);
    assert_true((record.sections & SECTION_REPAIR) != 0);
    return record;
}

/* ---- Sums ---- */

/* Orders add up by hour and category, in that order, categories as bytes; an order whose category
 * is not known has a row of its own. */
static void orders_add_up(void **state) {
    struct books_subject *s = *state;
    struct order_row nowhere = order(5, 1, "", 3);
    nowhere.category = (struct bytes){NULL, 0};
    write(s, order(1, 1, "home", 700));
    write(s, order(2, 0, "home", 50));
    write(s, order(3, 1, "\xc3\xa9t\xc3\xa9", 9));
    write(s, order(4, 1, "home", 1));
    write(s, nowhere);
    struct sales_row rows[8];
    assert_int_equal(read_sales(s, (vtime){0}, VTIME_NEVER, 0, rows, 8), 4);
    assert_int_equal(rows[0].hour.ns, hour(0).ns);
    assert_int_equal(rows[0].amount, 50);
    assert_int_equal(rows[1].category.len, 0);
    assert_int_equal(rows[1].orders, 1);
    assert_true(bytes_equal(rows[2].category, bytes_of("home")));
    assert_int_equal(rows[2].hour.ns, hour(1).ns);
    assert_int_equal(rows[2].orders, 2);
    assert_int_equal(rows[2].quantity, 4);
    assert_int_equal(rows[2].amount, 701);
    assert_int_equal(rows[2].changed_at.ns, order(4, 1, "home", 1).stamp.ts.ns);
    assert_true(bytes_equal(rows[3].category, bytes_of("\xc3\xa9t\xc3\xa9")));
}

/* A range of hours has its begin and not its end; what was read before is passed over, and no more
 * comes than is wanted. */
static void hours_are_read_in_pieces(void **state) {
    struct books_subject *s = *state;
    for (uint64_t i = 0; i < 6; i++) {
        write(s, order(i + 1, (int64_t)i / 2, i % 2 == 0 ? "a" : "b", 1));
    }
    struct sales_row rows[8];
    assert_int_equal(read_sales(s, hour(0), hour(2), 0, rows, 8), 4);
    assert_int_equal(read_sales(s, hour(1), hour(1), 0, rows, 8), 0);
    assert_int_equal(read_sales(s, hour(0), hour(3), 3, rows, 2), 2);
    assert_int_equal(rows[0].hour.ns, hour(1).ns);
    assert_true(bytes_equal(rows[0].category, bytes_of("b")));
    assert_int_equal(rows[1].hour.ns, hour(2).ns);
    assert_int_equal(read_sales(s, hour(0), hour(3), 6, rows, 8), 0);
}

/* An order counts once, as it was told last, in the hour in which it was placed. */
static void corrections_stay_in_their_hour(void **state) {
    struct books_subject *s = *state;
    struct order_row row = order(1, 0, "home", 700);
    struct sales_row before[2];
    struct sales_row after[2];
    write(s, row);
    assert_int_equal(read_all(s, before), 1);
    row.amount = 650;
    row.category = bytes_of("garden");
    row.stamp.ts = hour(5);
    write(s, row);
    assert_int_equal(read_all(s, after), 1);
    assert_int_equal(after[0].hour.ns, before[0].hour.ns);
    assert_true(bytes_equal(after[0].category, bytes_of("garden")));
    assert_int_equal(after[0].orders, 1);
    assert_int_equal(after[0].amount, 650);
    assert_int_equal(after[0].changed_at.ns, hour(5).ns);
    assert_true(after[0].checksum != before[0].checksum);
}

/* The checksum is made of ids and stamps as the pipeline makes it, also of those with high bits. */
static void checksums_are_the_pipelines(void **state) {
    struct books_subject *s = *state;
    struct order_row rows[] = {order(1, 0, "home", 1), order(2, 0, "home", 1)};
    rows[1].order_id = UINT64_MAX - 4;
    rows[1].stamp.id = (struct event_id){UINT64_C(0xfedcba9876543210), UINT64_MAX};
    struct sales_row sum;
    write(s, rows[0]);
    write(s, rows[1]);
    assert_int_equal(read_sales(s, (vtime){0}, VTIME_NEVER, 0, &sum, 1), 1);
    assert_true(sum.checksum ==
                sales_checksum(1, rows[0].stamp) + sales_checksum(UINT64_MAX - 4, rows[1].stamp));
}

/* The books are the source's own table: an order counts although nothing was told of it, and one
 * that was rolled back does not. */
static void books_need_no_outbox(void **state) {
    struct books_subject *s = *state;
    struct sales_row rows[4];
    struct outbox_row told;
    s->oltp.ops->begin(s->oltp.ctx);
    write(s, order(1, 0, "home", 1));
    s->oltp.ops->rollback(s->oltp.ctx);
    assert_int_equal(read_all(s, rows), 0);
    write(s, order(2, 0, "home", 5));
    assert_int_equal(read_outbox(s, 0, &told, 1), 0);
    assert_int_equal(read_all(s, rows), 1);
    assert_int_equal(rows[0].amount, 5);
}

/* Sums that grow beyond 64 bits wrap around, as those of the view do. */
static void sums_wrap_around(void **state) {
    struct books_subject *s = *state;
    struct sales_row sum;
    write(s, order(1, 0, "home", INT64_MAX));
    write(s, order(2, 0, "home", 2));
    assert_int_equal(read_sales(s, (vtime){0}, VTIME_NEVER, 0, &sum, 1), 1);
    assert_true(sum.amount == INT64_MIN + 1);
}

/* ---- Told once more ---- */

/* The orders of the hours and categories that are named come into the outbox as they stand, each
 * with its own stamp, and no others do. */
static void named_hours_are_told_again(void **state) {
    struct books_subject *s = *state;
    struct order_row corrected = order(3, 0, "home", 30);
    write(s, order(1, 0, "home", 10));
    write(s, order(2, 0, "garden", 20));
    write(s, corrected);
    write(s, order(4, 1, "home", 40));
    corrected.amount = 33;
    corrected.stamp.ts = hour(7);
    write(s, corrected);
    struct sales_row named[] = {{.hour = hour(0), .category = bytes_of("home")},
                                {.hour = hour(2), .category = bytes_of("home")},
                                {.hour = hour(0), .category = bytes_of("home")}};
    republish(s, named, 3);
    struct outbox_row rows[8];
    assert_int_equal(read_outbox(s, 0, rows, 8), 2);
    struct record first = decoded(&rows[0]);
    assert_int_equal(first.order_id, 1);
    assert_int_equal(first.subject_id, 101);
    assert_int_equal(rows[0].key, 101);
    struct record second = decoded(&rows[1]);
    assert_int_equal(second.order_id, 3);
    assert_int_equal(second.amount, 33);
    assert_int_equal(second.stamp.ts.ns, hour(7).ns);
    assert_int_equal(order_placed(second.placed, second.stamp).ns, corrected.placed.ns);
    republish(s, NULL, 0);
    assert_int_equal(read_outbox(s, 2, rows, 8), 0);
}

/* ---- Random plays beside the fake ---- */

static struct bytes play_category(struct prng *p) {
    static const char *const names[] = {"home", "", "garden", "caf\xc3\xa9", "\xff\x01", "homes"};
    return prng_ratio(p, 1, 6) ? (struct bytes){NULL, 0} : bytes_of(names[prng_below(p, 6)]);
}

static void play_order(struct books_subject *const both[2], struct prng *p, int64_t step) {
    uint64_t id = prng_below(p, PLAY_ORDERS);
    struct order_row row = order(id, (int64_t)prng_below(p, PLAY_HOURS), "", 0);
    row.order_id = prng_ratio(p, 1, 2) ? id : UINT64_MAX - id;
    row.stamp = stamp_of(step);
    row.stamp.id.lo = prng_next(p);
    row.quantity = prng_range(p, -3, 9);
    row.amount = prng_ratio(p, 1, 8) ? (int64_t)prng_next(p) : prng_range(p, -500, 90000);
    row.category = play_category(p);
    if (prng_ratio(p, 1, 4)) {
        row.placed.ns = 0;
    }
    write(both[0], row);
    write(both[1], row);
}

static void play_republish(struct books_subject *const both[2], struct prng *p) {
    struct sales_row rows[3];
    size_t count = prng_below(p, 4);
    for (size_t i = 0; i < count; i++) {
        rows[i] = (struct sales_row){.hour = hour((int64_t)prng_below(p, PLAY_HOURS)),
                                     .category = play_category(p)};
    }
    republish(both[0], rows, count);
    republish(both[1], rows, count);
}

static void assert_same_sales(struct books_subject *const both[2], struct prng *p) {
    static struct sales_row rows[2][ROWS_MAX];
    vtime from = hour(prng_range(p, -1, PLAY_HOURS));
    vtime to = hour(prng_range(p, 0, PLAY_HOURS + 1));
    size_t skip = prng_below(p, 4);
    size_t max = 1 + prng_below(p, ROWS_MAX);
    size_t count = read_sales(both[0], from, to, skip, rows[0], max);
    assert_int_equal(count, read_sales(both[1], from, to, skip, rows[1], max));
    for (size_t i = 0; i < count; i++) {
        assert_true(bytes_equal(rows[0][i].category, rows[1][i].category));
        assert_int_equal(rows[0][i].hour.ns, rows[1][i].hour.ns);
        assert_int_equal(rows[0][i].orders, rows[1][i].orders);
        assert_true(rows[0][i].quantity == rows[1][i].quantity);
        assert_true(rows[0][i].amount == rows[1][i].amount);
        assert_int_equal(rows[0][i].changed_at.ns, rows[1][i].changed_at.ns);
        assert_true(rows[0][i].checksum == rows[1][i].checksum);
    }
}

/* Both outboxes hold the same; they are emptied. */
static void assert_same_outbox(struct books_subject *const both[2]) {
    static struct outbox_row rows[2][ROWS_MAX];
    size_t count = read_outbox(both[0], 0, rows[0], ROWS_MAX);
    assert_int_equal(count, read_outbox(both[1], 0, rows[1], ROWS_MAX));
    int64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[0][i].sequence, rows[1][i].sequence);
        assert_true(rows[0][i].key == rows[1][i].key);
        assert_true(bytes_equal(rows[0][i].value, rows[1][i].value));
        last = rows[0][i].sequence;
    }
    for (int i = 0; i < 2; i++) {
        struct oltp_port port = both[i]->oltp.port;
        assert_int_equal(port.ops->outbox_trim(port.ctx, at(0), last), 0);
    }
}

/* Whatever is ordered, corrected and told again, a subject answers as the fake does. */
static void random_plays_agree_with_the_fake(void **state) {
    struct books_subject fake;
    assert_true(books_subject_fake(&fake));
    struct books_subject *const both[] = {*state, &fake};
    struct prng p;
    prng_init(&p, 23, "books conformance");
    for (int64_t step = 0; step < 600; step++) {
        if (prng_ratio(&p, 1, 12)) {
            play_republish(both, &p);
        } else {
            play_order(both, &p, step);
        }
        if (step % 10 == 9) {
            assert_same_sales(both, &p);
            assert_same_outbox(both);
        }
    }
    fake.free(fake.ctx);
}

int books_suite_run(const char *name, bool (*make)(struct books_subject *out)) {
    const struct CMUnitTest tests[] = {
        TEST(orders_add_up),
        TEST(hours_are_read_in_pieces),
        TEST(corrections_stay_in_their_hour),
        TEST(checksums_are_the_pipelines),
        TEST(books_need_no_outbox),
        TEST(sums_wrap_around),
        TEST(named_hours_are_told_again),
        TEST(random_plays_agree_with_the_fake),
    };
    make_subject = make;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
