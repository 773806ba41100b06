/* The marketplace's reference tables (A4), by themselves and in the stream of operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/fact.h"
#include "sim/fake_oltp.h"
#include "sim/reference_tables.h"
#include "sim/workload.h"

/* No two rows of a table have one key, nor two keys one hash, and each key is explained. */
static void keys_are_unique(void **state) {
    (void)state;
    struct catalogue *c = catalogue_new(0);
    static struct reference_tables t;
    reference_tables_init(&t, c);
    for (size_t i = 0; i < REFERENCE_ROWS; i++) {
        assert_true(t.rows[i].row.key.len > 0 && t.rows[i].row.value.len > 0);
        for (size_t k = 0; k < i; k++) {
            assert_true(reference_key(&t.rows[i].row) != reference_key(&t.rows[k].row));
        }
    }
    assert_true(
        bytes_equal(reference_tables_category(&t, 0)->value, catalogue_category_path(c, 0)));
    catalogue_free(c);
}

/* A row that changes says something else than before, and no other row does. */
static void a_change_changes_one_row(void **state) {
    (void)state;
    struct catalogue *c = catalogue_new(0);
    static struct reference_tables t, before;
    struct prng p;
    prng_init(&p, 1, "changes");
    reference_tables_init(&t, c);
    size_t tokenisers = 0;
    for (int i = 0; i < 2000; i++) {
        before = t;
        size_t at = reference_tables_change(&t, &p);
        for (size_t k = 0; k < REFERENCE_ROWS; k++) {
            struct bytes was = {before.rows[k].value, before.rows[k].row.value.len};
            struct bytes is = {t.rows[k].value, t.rows[k].row.value.len};
            bool same = bytes_equal(k < CATALOGUE_CATEGORIES ? was : before.rows[k].row.value,
                                    k < CATALOGUE_CATEGORIES ? is : t.rows[k].row.value) &&
                        before.rows[k].row.tokeniser == t.rows[k].row.tokeniser;
            assert_int_equal(same, k != at);
        }
        tokenisers += before.rows[at].row.tokeniser != t.rows[at].row.tokeniser;
    }
    assert_in_range(tokenisers, 400, 700);
    catalogue_free(c);
}

/* With a weight the stream sets every row once, beside its events, and goes on changing them; what
 * listings name is always explained by then. Without one there is no table. */
static void the_stream_sets_rows(void **state) {
    (void)state;
    struct workload_options options = {
        .seed = 3,
        .duration_ns = VTIME_DAY,
        .catalogue_load_ns = VTIME_HOUR,
        .listings = 60,
        .events = 800,
        .sellers = 5,
        .weight_price = 1,
        .weight_reference = 1,
    };
    struct workload_error error;
    struct workload *w = workload_new(&options, &error);
    assert_non_null(w);
    assert_int_equal(workload_total(w), 800 + REFERENCE_ROWS);
    struct workload_op op;
    size_t rows = 0, updates = 0, total = 0;
    while (workload_next(w, &op)) {
        struct record record;
        struct record_error refused;
        assert_int_equal(record_decode(op.value, &record, &refused), 0);
        total++;
        if (op.kind == OP_REFERENCE) {
            assert_int_equal(op.topic, TOPIC_REFERENCE);
            assert_true(op.through_oltp && op.key == reference_key(&record.reference));
            assert_true(bytes_equal(op.reference.value, record.reference.value));
            rows++;
        }
        updates += op.kind == OP_LISTING_UPDATE && record.field_count == 1;
    }
    assert_int_equal(total, 800 + REFERENCE_ROWS);
    assert_true(rows > REFERENCE_ROWS + 100 && updates > 300);
    workload_free(w);
    options.weight_reference = 0;
    w = workload_new(&options, &error);
    while (workload_next(w, &op)) {
        assert_int_not_equal(op.kind, OP_REFERENCE);
    }
    workload_free(w);
}

static size_t outbox(struct fake_oltp *o, struct outbox_row *rows, size_t max) {
    struct oltp_port port = fake_oltp_port(o);
    size_t count = 0;
    assert_int_equal(port.ops->outbox_read(port.ctx, (vtime){9}, 0, rows, max, &count), 0);
    return count;
}

/* The application keeps each row and publishes it; a listing that is republished brings along what
 * the tables say of it, with the stamp of the row. */
static void the_application_keeps_rows(void **state) {
    (void)state;
    struct fake_oltp *o = fake_oltp_new(&(struct fake_oltp_options){0});
    struct oltp_port port = fake_oltp_port(o);
    struct reference_row row = {FACT_CATEGORY, (enum tokeniser)0, bytes_of("lamps"),
                                bytes_of("Home > Lamps")};
    struct stamp stamp = {{5}, {1, 2}};
    assert_int_equal(fake_oltp_write_reference(o, (vtime){5}, &row, stamp, NULL), 0);
    row.value = bytes_of("Garden > Lamps");
    stamp.ts.ns = 6;
    assert_int_equal(fake_oltp_write_reference(o, (vtime){6}, &row, stamp, NULL), 0);
    struct reference_row back;
    struct stamp of;
    assert_int_equal(fake_oltp_read_reference(o, FACT_LOCALE, bytes_of("lamps"), &back, &of), 0);
    assert_int_equal(fake_oltp_read_reference(o, FACT_CATEGORY, bytes_of("lamps"), &back, &of), 1);
    assert_true(bytes_equal(back.value, bytes_of("Garden > Lamps")));
    assert_int_equal(stamp_compare(of, stamp), 0);
    struct oltp_listing listing = {.listing_id = 7,
                                   .price = -1,
                                   .category = bytes_of("lamps"),
                                   .locale = bytes_of("xx"),
                                   .stamp = {{4}, {1, 1}}};
    assert_int_equal(fake_oltp_write_listing(o, (vtime){7}, &listing, NULL), 0);
    uint64_t id = 7;
    assert_int_equal(port.ops->republish(port.ctx, (vtime){8}, &id, 1), 0);
    struct outbox_row rows[4];
    assert_int_equal(outbox(o, rows, 4), 2);
    struct record record;
    struct record_error error;
    assert_int_equal(rows[1].topic, TOPIC_REFERENCE);
    assert_int_equal(record_decode(rows[1].value, &record, &error), 0);
    assert_true(bytes_equal(record.reference.value, bytes_of("Garden > Lamps")));
    assert_int_equal(stamp_compare(record.stamp, stamp), 0);
    fake_oltp_free(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_unique),
        cmocka_unit_test(a_change_changes_one_row),
        cmocka_unit_test(the_stream_sets_rows),
        cmocka_unit_test(the_application_keeps_rows),
    };
    return cmocka_run_group_tests_name("reference_tables", tests, NULL, NULL);
}
