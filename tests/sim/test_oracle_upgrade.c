/*
 * The oracle on model upgrades (A10): aliases of a real database are switched by hand, rightly and
 * wrongly, and the orders that an operator would have given are told or left out.
 */
#include "tests/sim/oracle_world.h"

enum { IN_FLIGHT_S = 300, LIVE = 4 };

/* A few listings that readers see, the last of them gone again; all of it long ago. */
static struct world *traded_in(struct oracle_options options) {
    struct world *w = world_of(options);
    for (uint64_t id = 1; id <= LIVE; id++) {
        done(w, creation(w, id));
        done(w, image(w, id, RECORD_UPSERT));
    }
    done(w, title_change(w, 1, "blue kettle"));
    done(w, deletion(w, LIVE));
    pass(w, IN_FLIGHT_S + 60);
    return w;
}

static struct world *traded(void) {
    return traded_in((struct oracle_options){.gone_within_ns = BOUND_S * VTIME_SECOND});
}

/* From here on changes go to both models; what was there before is written too when asked. */
static void upgrade_begins(struct world *w, bool backfill) {
    order_model(w, CONTROL_UPGRADE, 2);
    make_collections(w, 2);
    w->standby = 2;
    for (uint64_t id = 1; backfill && id <= LIVE; id++) {
        deliver_model(w, 2, id);
    }
}

static void cutover(struct world *w) {
    order_model(w, CONTROL_CUTOVER, 0);
    switch_to(w, 2);
}

static void assert_settled(struct world *w) {
    assert_string_equal(oracle_waits_for(w->o), "nothing");
    assert_true(oracle_settled(w->o));
}

/* ---- Told right ---- */

/* Backfill, cutover, retirement, with writes before and after each: nothing to complain of, and the
 * vectors at the end are those of the second model. */
static void a_whole_upgrade(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    done(w, price_change(w, 1, 5));
    done(w, title_change(w, 2, "green kettle"));
    cutover(w);
    assert_int_equal(oracle_counts(w->o).switches, 2 * MODALITY_COUNT);
    done(w, title_change(w, 3, "grey kettle"));
    done(w, deletion(w, 2));
    assert_settled(w);
    order_model(w, CONTROL_RETIRE, 0);
    assert_false(oracle_settled(w->o));
    drop(w, 1);
    done(w, price_change(w, 3, 7));
    assert_settled(w);
    finish(w);
    assert_only(w, "");
    static const char *const judged[] = {"alias-switch", "orders-obeyed", "retired", "convergence"};
    for (size_t i = 0; i < sizeof judged / sizeof *judged; i++) {
        assert_status(w, judged[i], ORACLE_PASS);
    }
    assert_int_equal(oracle_counts(w->o).needless_embeddings, 0);
    world_free(w);
}

/* Readers are led back and forth; whoever is written all along shows the writes made since. */
static void rollback_and_a_second_cutover(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    cutover(w);
    done(w, title_change(w, 1, "new kettle"));
    pass(w, IN_FLIGHT_S + 60);
    order_model(w, CONTROL_ROLLBACK, 0);
    switch_to(w, 1);
    done(w, deletion(w, 3));
    pass(w, IN_FLIGHT_S + 60);
    cutover(w);
    assert_settled(w);
    finish(w);
    assert_only(w, "");
    assert_status(w, "standby-complete", ORACLE_PASS);
    world_free(w);
}

/* Given up before the cutover: readers never knew, and the collections go. */
static void abandoned(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, false);
    done(w, title_change(w, 1, "new kettle"));
    order_model(w, CONTROL_ABANDON, 0);
    drop(w, 2);
    assert_settled(w);
    finish(w);
    assert_only(w, "");
    world_free(w);
}

/* A repeated order changes nothing. */
static void orders_given_twice(void **state) {
    (void)state;
    struct world *w = traded();
    order_model(w, CONTROL_UPGRADE, 2);
    upgrade_begins(w, true);
    order_model(w, CONTROL_CUTOVER, 0);
    cutover(w);
    order_model(w, CONTROL_UPGRADE, 2);
    order_model(w, CONTROL_RETIRE, 0);
    order_model(w, CONTROL_RETIRE, 0);
    drop(w, 1);
    finish(w);
    assert_only(w, "");
    world_free(w);
}

/* ---- alias-switch ---- */

/* Before the backfill is complete, listings vanish for readers. */
static void cutover_without_backfill(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, false);
    done(w, title_change(w, 1, "new kettle"));
    cutover(w);
    assert_only(w, "alias-switch");
    /* 2 and 3 in three collections each; 1 was written since, 4 is gone. */
    assert_non_null(strstr(check(w, "alias-switch").observed, "6 violations"));
    world_free(w);
}

/* A write that came between snapshot and dual writes is missing: the listing grows older. */
static void cutover_without_a_live_write(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    w->standby = 0;
    done(w, price_change(w, 2, 5));
    pass(w, IN_FLIGHT_S + 1);
    cutover(w);
    assert_only(w, "alias-switch");
    world_free(w);
}

/* Where any write applies, a retry that arrives behind the alias makes a row older that was right:
 * the switch is not to blame for it. What never was there is missed all the same, and a store that
 * compares versions is granted nothing. */
static void late_write_behind_the_alias(void **state) {
    (void)state;
    for (int variant = 0; variant < 3; variant++) {
        bool never_written = variant == 1, conditional = variant == 2;
        struct world *w = traded_in((struct oracle_options){
            .gone_within_ns = BOUND_S * VTIME_SECOND, .vectors_unconditional = !conditional});
        upgrade_begins(w, true);
        struct made made;
        make_vectors_by(w, 2, &w->folded[2], 1u << MODALITY_TEXT, &made);
        struct vector_write old = vector_write_of(&w->folded[2], MODALITY_TEXT, &made);
        old.meta.model_version = 2;
        old.rule = conditional ? VERSION_IGNORED : VERSION_GREATER;
        w->standby = never_written ? 0 : 2;
        done(w, price_change(w, 2, 5));
        write_vector_to(w, 2, MODALITY_TEXT, &old);
        pass(w, IN_FLIGHT_S + 1);
        cutover(w);
        assert_status(w, "alias-switch", variant == 0 ? ORACLE_PASS : ORACLE_FAIL);
        world_free(w);
    }
}

/* A deletion that came between is missing: the listing comes back. */
static void cutover_without_a_deletion(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    w->standby = 0;
    done(w, deletion(w, 2));
    pass(w, IN_FLIGHT_S / 2);
    cutover(w);
    assert_only(w, ""); /* young enough to be on its way */
    w->standby = 0;
    pass(w, IN_FLIGHT_S);
    order_model(w, CONTROL_ROLLBACK, 0);
    switch_to(w, 1);
    cutover(w);
    assert_true(check(w, "alias-switch").status == ORACLE_FAIL);
    world_free(w);
}

/* A change every minute is no excuse for a collection that lags by ten. */
static void only_the_young_changes_are_in_flight(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    w->standby = 0;
    for (int i = 0; i < 10; i++) {
        done(w, price_change(w, 2, 5 + i));
        pass(w, 60);
    }
    cutover(w);
    assert_only(w, "alias-switch");
    world_free(w);
}

/* Rows of one version that say opposite things of whether the listing is there. */
static void switched_to_a_hole(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    assert_int_equal(
        fake_vector_db_lose_row(w->vectors, w->now, MODALITY_TEXT, 2, 2,
                                1u << SCAN_BY_SCAN | 1u << SCAN_BY_ID | 1u << SCAN_BY_SEARCH),
        0);
    cutover(w);
    assert_only(w, "alias-switch");
    world_free(w);
}

/* Rollback to collections that were not written since the cutover loses the writes made since. */
static void rollback_that_loses_writes(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    cutover(w);
    w->standby = 0;
    done(w, title_change(w, 1, "new kettle"));
    pass(w, IN_FLIGHT_S + 60);
    assert_only(w, "");
    order_model(w, CONTROL_ROLLBACK, 0);
    switch_to(w, 1);
    assert_only(w, "alias-switch");
    world_free(w);
}

/* Text is searched in one model and pictures in another for a while. */
static void aliases_that_come_apart(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    order_model(w, CONTROL_CUTOVER, 0);
    struct vector_alias alias = {MODALITY_TEXT, 2};
    assert_int_equal(fake_vector_db_switch_aliases(w->vectors, w->now, &alias, 1), 0);
    assert_only(w, "");
    pass(w, 1);
    done(w, price_change(w, 1, 5));
    assert_true(check(w, "alias-switch").status == ORACLE_FAIL);
    world_free(w);
}

/* Readers who are led nowhere lose everything. */
static void served_collection_dropped(void **state) {
    (void)state;
    struct world *w = traded();
    drop(w, 1);
    assert_only(w, "alias-switch orders-obeyed");
    world_free(w);
}

/* A search that finds no collection is downtime; one of a database that is down is not the
 * upgrade's. */
static void searches_that_lead_nowhere(void **state) {
    (void)state;
    struct world *w = traded();
    oracle_search_failed(w->o, w->now, STORE_VECTOR_TEXT, PORT_UNAVAILABLE);
    oracle_search_failed(w->o, w->now, STORE_KEYWORD, PORT_NOT_FOUND);
    assert_only(w, "");
    oracle_search_failed(w->o, w->now, STORE_VECTOR_TEXT, PORT_NOT_FOUND);
    assert_only(w, "alias-switch");
    world_free(w);
}

/* ---- What readers see through the alias ---- */

/* A change that only the standby collection shows is not visible; the switch makes it so. */
static void samples_wait_for_the_alias(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    tell(w, title_change(w, 1, "new kettle"));
    uint64_t pending = oracle_freshness(w->o, 0).pending;
    deliver_model(w, 2, 1);
    assert_int_equal(oracle_freshness(w->o, 0).pending, pending);
    cutover(w);
    assert_int_equal(oracle_freshness(w->o, 0).pending, pending - 1);
    world_free(w);
}

/* What is gone and served again by the switch is noticed as soon as any row is. */
static void gone_listing_served_by_the_switch(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    w->standby = 0;
    done(w, deletion(w, 2));
    pass(w, 2 * BOUND_S);
    cutover(w);
    assert_only(w, "alias-switch gone-in-time");
    assert_false(oracle_settled(w->o));
    world_free(w);
}

/* A row of the former model in the served collection is found by a query of the other model. */
static void hits_of_another_model(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    cutover(w);
    probe(w, 1);
    assert_only(w, "");
    assert_status(w, "one-model", ORACLE_PASS);
    assert_int_equal(
        fake_vector_db_corrupt_row(w->vectors, w->now, MODALITY_FUSED, 2, 1, VECTOR_CORRUPT_MODEL),
        0);
    probe(w, 1);
    assert_only(w, "one-model");
    finish(w);
    assert_drift(w, STORE_VECTOR_FUSED, DRIFT_WRONG_MODEL, 1);
    world_free(w);
}

/* A query of the former model is asked of the collection of the next. */
static void query_of_another_model(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    cutover(w);
    w->served = 1;
    probe(w, 1);
    assert_only(w, "one-model");
    world_free(w);
}

/* The second model's collections, filled with vectors of the first. */
static void vectors_of_the_wrong_model(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    struct made made;
    make_vectors(w, &w->folded[1], 1u << MODALITY_TEXT, &made);
    struct vector_write row = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    row.meta.model_version = 2;
    assert_int_equal(fake_vector_db_put_row(w->vectors, w->now, MODALITY_TEXT, 2, &row), 0);
    cutover(w);
    finish(w);
    assert_only(w, "convergence no-lost-embedding");
    world_free(w);
}

/* ---- orders-obeyed ---- */

/* A switch that nobody ordered, or that should have been refused and is not told as an order. */
static void switch_without_an_order(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    switch_to(w, 2);
    assert_only(w, "orders-obeyed");
    world_free(w);
}

/* A cutover that comes once more after the rollback, as from a zombie. */
static void cutover_repeated_after_rollback(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    cutover(w);
    order_model(w, CONTROL_ROLLBACK, 0);
    switch_to(w, 1);
    assert_only(w, "");
    switch_to(w, 2);
    assert_only(w, "orders-obeyed");
    world_free(w);
}

/* An order that nobody carries out. */
static void cutover_that_never_comes(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    order_model(w, CONTROL_CUTOVER, 0);
    assert_false(oracle_settled(w->o));
    assert_non_null(strstr(oracle_waits_for(w->o), "points to model 1"));
    finish(w);
    assert_only(w, "orders-obeyed");
    world_free(w);
}

/* An order that the pipeline may refuse, and does, is none; what comes after it means what it does
 * without it. */
static void a_refused_order_is_none(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    order_model(w, CONTROL_CUTOVER, 0);
    order_model(w, CONTROL_ROLLBACK, 0);
    oracle_refused(w->o, CONTROL_CUTOVER);
    assert_settled(w);
    cutover(w);
    assert_settled(w);
    oracle_refused(w->o, CONTROL_CUTOVER); /* the one that was carried out is not */
    order_model(w, CONTROL_ROLLBACK, 0);
    assert_false(oracle_settled(w->o));
    oracle_refused(w->o, CONTROL_ROLLBACK);
    oracle_refused(w->o, CONTROL_ROLLBACK);
    assert_settled(w);
    finish(w);
    assert_only(w, "");
    world_free(w);
}

/* Of two upgrades the one that led to a cutover was obeyed: what is refused is the other. */
static void the_second_upgrade_is_refused(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    cutover(w);
    order_model(w, CONTROL_RETIRE, 0);
    order_model(w, CONTROL_UPGRADE, 1);
    assert_int_equal(oracle_standby_model(w->o), 1);
    oracle_refused(w->o, CONTROL_UPGRADE);
    assert_int_equal(oracle_standby_model(w->o), 0);
    world_free(w);
}

/* Where the cutover never came, the collections that it should have led to are looked at too. */
static void collections_of_a_cutover_that_never_came(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    order_model(w, CONTROL_CUTOVER, 0);
    w->standby = 0;
    done(w, price_change(w, 1, 5));
    finish(w);
    assert_only(w, "orders-obeyed standby-complete");
    world_free(w);
}

/* ---- standby-complete, retired ---- */

/* Collections that are to be written and are not: never made, not filled, not kept up. */
static void standby_that_lags(void **state) {
    (void)state;
    for (int variant = 0; variant < 3; variant++) {
        struct world *w = traded();
        if (variant == 0) {
            order_model(w, CONTROL_UPGRADE, 2);
        } else {
            upgrade_begins(w, variant == 2);
        }
        w->standby = 0;
        if (variant == 2) {
            done(w, price_change(w, 1, 5));
        }
        assert_false(oracle_settled(w->o));
        assert_non_null(strstr(oracle_waits_for(w->o), "differ from what the log says"));
        finish(w);
        assert_only(w, "standby-complete");
        assert_non_null(strstr(check(w, "standby-complete").evidence, "of model 2"));
        world_free(w);
    }
}

/* Collections of a model that is no longer wanted: retired, abandoned, or never asked for. */
static void collections_that_are_left(void **state) {
    (void)state;
    for (int variant = 0; variant < 3; variant++) {
        struct world *w = traded();
        if (variant < 2) {
            upgrade_begins(w, true);
        } else {
            make_collections(w, 2);
        }
        if (variant == 0) {
            cutover(w);
        }
        order_model(w, variant == 0 ? CONTROL_RETIRE : CONTROL_ABANDON, 0);
        assert_false(oracle_settled(w->o));
        assert_non_null(strstr(oracle_waits_for(w->o), "still there"));
        finish(w);
        assert_only(w, "retired");
        world_free(w);
    }
}

/* ---- What nobody sees is judged too ---- */

/* A backfill makes every vector once; making one twice for the same content is needless. */
static void economy_of_the_backfill(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    assert_only(w, "");
    struct made made;
    make_vectors_by(w, 2, &w->folded[1], 1u << MODALITY_TEXT, &made);
    struct vector_write again = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    again.meta.model_version = 2;
    again.rule = VERSION_GREATER_OR_EQUAL;
    write_vector_to(w, 2, MODALITY_TEXT, &again);
    assert_only(w, "embedding-economy");
    world_free(w);
}

/* A stale write that the standby collection lets through. */
static void standby_goes_back(void **state) {
    (void)state;
    struct world *w = traded();
    upgrade_begins(w, true);
    struct made made;
    make_vectors_by(w, 2, &w->folded[1], 1u << MODALITY_TEXT, &made);
    struct vector_write old = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    old.meta.model_version = 2;
    old.meta.version--;
    old.meta.content_hash = 5;
    old.rule = VERSION_IGNORED;
    write_vector_to(w, 2, MODALITY_TEXT, &old);
    assert_only(w, "version-monotone");
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_upgrade),
        cmocka_unit_test(rollback_and_a_second_cutover),
        cmocka_unit_test(abandoned),
        cmocka_unit_test(orders_given_twice),
        cmocka_unit_test(cutover_without_backfill),
        cmocka_unit_test(cutover_without_a_live_write),
        cmocka_unit_test(late_write_behind_the_alias),
        cmocka_unit_test(cutover_without_a_deletion),
        cmocka_unit_test(only_the_young_changes_are_in_flight),
        cmocka_unit_test(switched_to_a_hole),
        cmocka_unit_test(rollback_that_loses_writes),
        cmocka_unit_test(aliases_that_come_apart),
        cmocka_unit_test(served_collection_dropped),
        cmocka_unit_test(searches_that_lead_nowhere),
        cmocka_unit_test(samples_wait_for_the_alias),
        cmocka_unit_test(gone_listing_served_by_the_switch),
        cmocka_unit_test(hits_of_another_model),
        cmocka_unit_test(query_of_another_model),
        cmocka_unit_test(vectors_of_the_wrong_model),
        cmocka_unit_test(switch_without_an_order),
        cmocka_unit_test(cutover_repeated_after_rollback),
        cmocka_unit_test(cutover_that_never_comes),
        cmocka_unit_test(a_refused_order_is_none),
        cmocka_unit_test(the_second_upgrade_is_refused),
        cmocka_unit_test(collections_of_a_cutover_that_never_came),
        cmocka_unit_test(standby_that_lags),
        cmocka_unit_test(collections_that_are_left),
        cmocka_unit_test(economy_of_the_backfill),
        cmocka_unit_test(standby_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
