/*
 * The stores of a run as tables for the quality rules of contracts (B2): they hold what the stores
 * hold, conditions on them mean what SQL means, and nothing but a question for one number is taken.
 */
#include "sim/store_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const vtime start = {INT64_C(1772409600) * VTIME_SECOND};

struct world {
    struct workload *workload;
    struct simulation *simulation;
    struct store_tables *tables;
};

static int set_up(void **state) {
    static struct world w;
    struct workload_options options = {.seed = 3,
                                       .start = start,
                                       .duration_ns = 20 * VTIME_MINUTE,
                                       .catalogue_load_ns = VTIME_MINUTE,
                                       .listings = 40,
                                       .events = 500,
                                       .sellers = 8,
                                       .skew_quarters = 4,
                                       .weight_poison = 20,
                                       .weight_order = 100,
                                       .weight_price = 300,
                                       .weight_images = 100,
                                       .weight_delete = 20,
                                       .description_words = 12};
    struct workload_error error;
    w.workload = workload_new(&options, &error);
    if (w.workload == NULL) {
        fail_msg("%s", error.text);
    }
    w.simulation = simulation_new(
        &(struct simulation_options){
            .seed = 3, .start = start, .session_timeout_ns = 10 * VTIME_SECOND},
        w.workload);
    assert_non_null(w.simulation);
    simulation_run(w.simulation, vtime_add(workload_end(w.workload), 10 * VTIME_MINUTE));
    w.tables = store_tables_new(w.simulation);
    *state = &w;
    return w.tables == NULL;
}

static int tear_down(void **state) {
    struct world *w = *state;
    store_tables_free(w->tables);
    simulation_free(w->simulation);
    workload_free(w->workload);
    return 0;
}

static double ask(void **state, const char *sql) {
    struct world *w = *state;
    char error[200];
    double number = -1;
    int known = store_tables_ask(w->tables, sql, &number, error, sizeof error);
    if (known < 0) {
        fail_msg("%s: %s", sql, error);
    }
    return known == 1 ? number : -1;
}

/* As many rows as the stores count, and of their keys none twice. */
static void tables_hold_what_the_stores_hold(void **state) {
    struct world *w = *state;
    struct fake_warehouse_counts counts =
        fake_warehouse_counts(simulation_warehouse(w->simulation));
    assert_true(counts.bronze > 300 && counts.orders > 10);
    assert_int_equal((uint64_t)ask(state, "SELECT count(*) FROM bronze_event"), counts.bronze);
    assert_int_equal((uint64_t)ask(state, "SELECT count(*) FROM silver_listing"), counts.silver);
    assert_int_equal((uint64_t)ask(state, "SELECT count(*) FROM gold_document"), counts.gold);
    assert_int_equal((uint64_t)ask(state, "SELECT count(*) FROM silver_order"), counts.orders);
    assert_int_equal((uint64_t)ask(state, "SELECT count(DISTINCT listing_id) FROM gold_document"),
                     counts.gold);
    assert_int_equal((uint64_t)ask(state, "SELECT count(*) FROM embedding_audit"),
                     fake_warehouse_audit(simulation_warehouse(w->simulation))->count);
    assert_int_equal((uint64_t)ask(state, "SELECT count(*) FROM keyword_row"),
                     fake_keyword_counts(simulation_keyword(w->simulation)).rows);
    assert_int_equal((uint64_t)ask(state, "SELECT count(*) FROM outbox"), 0);
    assert_true(ask(state, "SELECT count(*) FROM dead_letter WHERE reason <> ''") > 3);
    assert_true(ask(state, "SELECT count(*) FROM artifact WHERE expires_at_ns > stored_at_ns") > 9);
    assert_true(ask(state, "SELECT count(*) FROM oltp_listing WHERE deleted = 1") > 0);
}

/* What stores say of one thing agrees across them. */
static void tables_can_be_joined(void **state) {
    assert_int_equal((int)ask(state, "SELECT count(*) FROM (SELECT listing_id, version FROM "
                                     "gold_document EXCEPT SELECT listing_id, version FROM "
                                     "silver_listing WHERE is_current = 1)"),
                     0);
    assert_int_equal((int)ask(state, "SELECT (SELECT sum(amount) FROM gold_sales) - (SELECT "
                                     "sum(amount) FROM silver_order)"),
                     0);
    assert_int_equal((int)ask(state, "SELECT (SELECT sum(orders) FROM dashboard_sales) - (SELECT "
                                     "count(*) FROM silver_order)"),
                     0);
    assert_int_equal((int)ask(state, "SELECT count(*) FROM vector_row v LEFT JOIN gold_document g "
                                     "ON g.listing_id = v.listing_id WHERE g.alive IS NOT 1"),
                     0);
}

/* A condition with = goes past SQLite: it finds the same as one that does not. */
static void equality_means_what_it_means_in_sql(void **state) {
    static const char *const pairs[][2] = {
        {"topic = 'orders'", "+topic = 'orders'"},
        {"partition = 3", "+partition = 3"},
        {"partition = 3.0", "+partition = 3.0"},
        {"partition = 3.5", "+partition = 3.5"},
        {"partition = '3'", "+partition = '3'"},
        {"partition = NULL", "+partition = NULL"},
        {"type = 'order' AND partition = 1", "+type = 'order' AND +partition = 1"},
        {"topic = 5", "+topic = 5"},
        {"partition IN (1, 2, 1)", "+partition IN (1, 2, 1)"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char with[200], without[200];
        snprintf(with, sizeof with, "SELECT count(*) FROM bronze_event WHERE %s", pairs[i][0]);
        snprintf(without, sizeof without, "SELECT count(*) FROM bronze_event WHERE %s",
                 pairs[i][1]);
        assert_int_equal((int)ask(state, with), (int)ask(state, without));
    }
    assert_true(ask(state, "SELECT count(*) FROM bronze_event WHERE type = 'order'") > 10);
}

/* Columns of documents are read only where they are asked for, also after others were. */
static void dear_columns_come_when_asked_for(void **state) {
    double rows = ask(state, "SELECT count(version) FROM silver_listing");
    assert_int_equal((int)ask(state, "SELECT count(changed_at_ns) FROM silver_listing"), (int)rows);
    assert_true(ask(state, "SELECT count(title) FROM silver_listing WHERE alive = 1") > 10);
    assert_true(ask(state, "SELECT max(length(category)) FROM silver_listing") > 3);
    assert_int_equal((int)ask(state, "SELECT count(version) FROM silver_listing"), (int)rows);
}

/* What is counted without SQLite is what SQLite counts. */
static void counts_are_those_of_sql(void **state) {
    struct world *w = *state;
    static const char *const key[] = {"topic", "partition", "epoch", "offset"};
    static const char *const some[] = {"type", "partition"};
    static const char *const open_end[] = {"version", "valid_to_ns"};
    static const char *const dear[] = {"title"};
    static const struct {
        enum store_count what;
        const char *table;
        const char *const *columns;
        size_t count;
        const char *sql;
    } cases[] = {
        {STORE_COUNT_ROWS, "bronze_event", NULL, 0, "SELECT count(*) FROM bronze_event"},
        {STORE_COUNT_DUPLICATES, "bronze_event", key, 4, "SELECT 0"},
        {STORE_COUNT_DUPLICATES, "bronze_event", some, 2,
         "SELECT sum(n - 1) FROM (SELECT count(*) AS n FROM bronze_event GROUP BY type, "
         "partition)"},
        {STORE_COUNT_DUPLICATES, "silver_listing", open_end + 1, 1,
         "SELECT sum(n - 1) FROM (SELECT count(*) AS n FROM silver_listing GROUP BY "
         "valid_to_ns)"},
        {STORE_COUNT_NULLS, "silver_listing", open_end, 2,
         "SELECT count(*) FROM silver_listing WHERE is_current = 1"},
        {STORE_COUNT_NULLS, "silver_listing", dear, 1,
         "SELECT count(*) FROM silver_listing WHERE title IS NULL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(store_tables_count(w->tables, cases[i].what, cases[i].table,
                                            cases[i].columns, cases[i].count),
                         (int64_t)ask(state, cases[i].sql));
    }
}

/* No answer and NULL are no number. */
static void no_number(void **state) {
    assert_int_equal((int)ask(state, "SELECT NULL"), -1);
    assert_int_equal((int)ask(state, "SELECT version FROM gold_document WHERE listing_id = 1"), -1);
}

static void assert_refused(struct store_tables *tables, const char *sql, const char *why) {
    char error[200];
    assert_int_equal(store_tables_check(tables, sql, error, sizeof error), -1);
    assert_string_equal(error, why);
}

/* Without a run the tables are there, hold nothing, and say what could not be asked. */
static void questions_are_checked_without_a_run(void **state) {
    (void)state;
    struct store_tables *t = store_tables_new(NULL);
    char error[200];
    double number;
    assert_int_equal(
        store_tables_ask(t, "SELECT count(*) FROM bronze_event", &number, error, sizeof error), 1);
    assert_int_equal((int)number, 0);
    assert_refused(t, "SELECT count(*) FROM goldd", "SQL: no such table: goldd");
    assert_refused(t, "SELECT price FROM gold_document", "SQL: no such column: price");
    assert_refused(t, "CREATE TABLE x(a)", "SQL: a rule asks and changes nothing");
    assert_refused(t, "SELECT 1; SELECT 2", "SQL: one statement is asked, not several");
    assert_refused(t, "SELECT 1, 2", "SQL: a rule asks for one number, not for 2 columns");
    assert_refused(t, "", "SQL: there is no statement");
    assert_string_equal(store_tables_column("gold_document", 0), "listing_id");
    assert_null(store_tables_column("gold_document", 5));
    assert_null(store_tables_column("goldd", 0));
    store_tables_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_hold_what_the_stores_hold),
        cmocka_unit_test(tables_can_be_joined),
        cmocka_unit_test(equality_means_what_it_means_in_sql),
        cmocka_unit_test(dear_columns_come_when_asked_for),
        cmocka_unit_test(counts_are_those_of_sql),
        cmocka_unit_test(no_number),
        cmocka_unit_test(questions_are_checked_without_a_run),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
