/* The join of orders with their listings as of the moment of the order (B5): nothing of what became
 * known later is in it, and a join that lets it in is seen to. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "sim/stores_export.h"

#define START INT64_C(1772409600000000000)
static char folder[] = "/tmp/murphy-as-of-XXXXXX";

static vtime after(int64_t seconds) {
    return (vtime){START + seconds * VTIME_SECOND};
}

/* A version of listing 7 that happened and was recorded so many seconds after the start. */
static void load_version(struct fake_warehouse *w, int64_t version, int64_t changed,
                         int64_t recorded, int64_t price) {
    struct document_row row = {.listing_id = 7,
                               .version = version,
                               .changed_at = after(changed),
                               .alive = true,
                               .policy = POLICY_ACTIVE,
                               .price = price};
    struct warehouse_port port = fake_warehouse_port(w);
    struct warehouse_batch batch = {.silver = &row, .silver_count = 1, .dedupe = true};
    assert_int_equal(port.ops->load(port.ctx, after(recorded), &batch), 0);
}

static void load_order(struct fake_warehouse *w, uint64_t id, int64_t placed, int64_t loaded) {
    struct order_row order = {.order_id = id,
                              .listing_id = 7,
                              .stamp = {after(placed), {0, id}},
                              .placed = after(placed),
                              .quantity = 1,
                              .amount = 10,
                              .category = bytes_of("lamps")};
    struct warehouse_port port = fake_warehouse_port(w);
    struct warehouse_batch batch = {.orders = &order, .order_count = 1, .dedupe = true};
    assert_int_equal(port.ops->load(port.ctx, after(loaded), &batch), 0);
}

static sqlite3 *exported(struct fake_warehouse *w) {
    assert_non_null(mkdtemp(folder));
    struct stores_export *x = stores_export_new(
        folder, &(struct export_run){"0.1", "test", 1, "", after(0), after(1000), 0, 0, 0});
    assert_int_equal(stores_export_warehouse(x, w), 0);
    assert_int_equal(stores_export_finish(x), 0);
    stores_export_free(x);
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, STORES_FILE);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(stores_export_views(db, VTIME_NEVER), SQLITE_OK);
    remove(path);
    remove(folder);
    return db;
}

/* "order:version" of each row, in order. */
static const char *versions_of(sqlite3 *db, const char *join) {
    static char text[200];
    char sql[600];
    snprintf(sql, sizeof sql,
             "SELECT group_concat(order_id || ':' || coalesce(version, '-'), ' ') FROM"
             " (SELECT * FROM (%s) ORDER BY order_id)",
             join);
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    return text;
}

/* Rows of a join that say what was not known when the order was placed. */
static int leaks_of(sqlite3 *db, const char *join) {
    char sql[800];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM (%s) j JOIN silver_order o USING (order_id)"
             " JOIN silver_listing_history l ON l.listing_id = 7 AND l.version = j.version"
             " WHERE l.recorded_at_ns > o.ordered_at_ns OR l.changed_at_ns > o.ordered_at_ns",
             join);
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int count = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return count;
}

/* An order sees the last version that had happened and was recorded when it was placed, however
 * late the order itself came; the joins that people write instead leak, each in its own way. */
static void nothing_from_the_future(void **state) {
    (void)state;
    struct fake_warehouse *w =
        fake_warehouse_new(&(struct fake_warehouse_options){.journal = true});
    load_version(w, 1, 10, 11, 100);
    load_version(w, 2, 30, 50, 200); /* recorded late */
    load_order(w, 1, 5, 60);         /* before the listing */
    load_order(w, 2, 20, 60);
    load_order(w, 3, 40, 60); /* version 2 had happened, and nobody knew */
    load_order(w, 4, 55, 60);
    load_version(w, 3, 70, 71, 300);
    sqlite3 *db = exported(w);
    static const char as_of[] = "SELECT order_id, listing_version AS version FROM order_as_of";
    static const char present[] = "SELECT order_id, l.version FROM silver_order o"
                                  " JOIN silver_listing l USING (listing_id) WHERE is_current";
    static const char valid_alone[] =
        "SELECT order_id, l.version FROM silver_order o JOIN silver_listing l ON"
        " l.listing_id = o.listing_id AND l.valid_from_ns <= o.ordered_at_ns AND"
        " (l.valid_to_ns IS NULL OR l.valid_to_ns > o.ordered_at_ns)";
    assert_string_equal(versions_of(db, as_of), "1:- 2:1 3:1 4:2");
    assert_int_equal(leaks_of(db, as_of), 0);
    assert_string_equal(versions_of(db, present), "1:3 2:3 3:3 4:3");
    assert_int_equal(leaks_of(db, present), 4);
    assert_string_equal(versions_of(db, valid_alone), "2:1 3:2 4:2");
    assert_int_equal(leaks_of(db, valid_alone), 1);
    sqlite3_close(db);
    fake_warehouse_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_from_the_future),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
