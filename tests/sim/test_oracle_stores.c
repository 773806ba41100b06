/*
 * The oracle at the end of a run: what each store holds against the reference, store by store. Each
 * difference is planted by hand (D2).
 */
#include "tests/sim/oracle_world.h"

/* ---- convergence, store by store ---- */

/* The same vector row as the pipeline would write, with something of the caller's. */
static struct vector_write planted(struct world *w, uint64_t id, struct made *made) {
    make_vectors(w, &w->folded[id], 1u << MODALITY_TEXT, made);
    return vector_write_of(&w->folded[id], MODALITY_TEXT, made);
}

static void plant(struct world *w, const struct vector_write *row) {
    assert_int_equal(fake_vector_db_put_row(w->vectors, w->now, MODALITY_TEXT, 1, row), 0);
}

/* Each member of the metadata is looked at. */
static void metadata_mismatches(void **state) {
    (void)state;
    for (int i = 0; i < 7; i++) {
        struct world *w = world_new();
        struct made made;
        done(w, creation(w, 1));
        struct vector_write row = planted(w, 1, &made);
        row.meta.category = i == 0 ? bytes_of("toys") : row.meta.category;
        row.meta.locale = i == 1 ? bytes_of("fr-FR") : row.meta.locale;
        row.meta.seller_id += i == 2;
        row.meta.price += i == 3;
        row.meta.policy = i == 4 ? POLICY_SUPPRESSED : row.meta.policy;
        row.meta.active = i != 5;
        row.meta.modalities ^= (uint8_t)(i == 6);
        plant(w, &row);
        finish(w);
        assert_only(w, "convergence");
        assert_drift(w, STORE_VECTOR_TEXT, DRIFT_MISMATCH, 1);
        assert_int_equal(oracle_difference_count(w->o), 1);
        world_free(w);
    }
}

/* A planted row as it is meant to be changes nothing. */
static void planting_what_is_right(void **state) {
    (void)state;
    struct world *w = world_new();
    struct made made;
    done(w, creation(w, 1));
    struct vector_write row = planted(w, 1, &made);
    plant(w, &row);
    finish(w);
    assert_only(w, "");
    world_free(w);
}

/* Lost from one access path or from all of them. */
static void missing_by_any_path(void **state) {
    (void)state;
    static const unsigned paths[] = {1u << SCAN_BY_SCAN, 1u << SCAN_BY_ID, 1u << SCAN_BY_SEARCH,
                                     1u << SCAN_BY_SCAN | 1u << SCAN_BY_ID | 1u << SCAN_BY_SEARCH};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct world *w = world_new();
        done(w, creation(w, 1));
        assert_int_equal(fake_vector_db_lose_row(w->vectors, w->now, MODALITY_TEXT, 1, 1, paths[i]),
                         0);
        finish(w);
        assert_only(w, "convergence");
        assert_drift(w, STORE_VECTOR_TEXT, DRIFT_MISSING, 1);
        world_free(w);
    }
    struct world *w = world_new();
    done(w, creation(w, 1));
    assert_int_equal(fake_keyword_hide(w->keyword, 1, SCAN_BY_SEARCH, true), 0);
    finish(w);
    assert_only(w, "convergence");
    assert_drift(w, STORE_KEYWORD, DRIFT_MISSING, 1);
    assert_non_null(strstr(oracle_difference(w->o, 0).observed, "search"));
    world_free(w);
}

/* A row of a listing that nobody ever heard of, and of one whose deletion the log never got. */
static void orphans(void **state) {
    (void)state;
    struct world *w = world_new();
    struct made made;
    done(w, creation(w, 1));
    struct vector_write row = planted(w, 1, &made);
    row.listing_id = 4000;
    plant(w, &row);
    struct message m = deletion(w, 1);
    said(w, OP_LISTING_DELETE, &m); /* its outbox row is lost */
    finish(w);
    assert_only(w, "convergence");
    assert_drift(w, STORE_VECTOR_TEXT, DRIFT_ORPHAN, 2);
    assert_drift(w, STORE_KEYWORD, DRIFT_ORPHAN, 1);
    assert_drift(w, STORE_GOLD, DRIFT_ORPHAN, 1);
    assert_int_equal(oracle_difference(w->o, 0).listing_id, 1);
    assert_int_equal(oracle_difference(w->o, 1).listing_id, 4000);
    world_free(w);
}

/* A change that the log never got leaves every store stale: the dual write's drift (A2). */
static void lost_change_is_stale(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    struct message m = price_change(w, 1, 5);
    said(w, OP_LISTING_UPDATE, &m);
    pass(w, 10);
    assert_true(oracle_settled(w->o));
    finish(w);
    assert_only(w, "convergence");
    for (int store = 0; store <= STORE_GOLD; store++) {
        bool has_row = store != STORE_VECTOR_IMAGE && store != STORE_KEYWORD;
        assert_drift(w, (enum store_id)store, DRIFT_STALE, has_row);
    }
    assert_non_null(strstr(oracle_difference(w->o, 0).expected, "price 5"));
    assert_non_null(strstr(oracle_difference(w->o, 0).observed, "price 129900"));
    world_free(w);
}

/* A creation that the log never got is missing everywhere. */
static void lost_creation_is_missing(void **state) {
    (void)state;
    struct world *w = world_new();
    struct message m = creation(w, 1);
    said(w, OP_LISTING_CREATE, &m);
    finish(w);
    assert_only(w, "convergence");
    assert_drift(w, STORE_VECTOR_TEXT, DRIFT_MISSING, 1);
    assert_drift(w, STORE_VECTOR_IMAGE, DRIFT_MISSING, 0);
    assert_drift(w, STORE_VECTOR_FUSED, DRIFT_MISSING, 1);
    assert_drift(w, STORE_KEYWORD, DRIFT_MISSING, 1);
    assert_drift(w, STORE_GOLD, DRIFT_MISSING, 1);
    world_free(w);
}

/* Rows of the dead and of the suppressed, planted behind everybody's back. */
static void rows_that_should_be_gone(void **state) {
    (void)state;
    struct world *w = world_new();
    struct made made;
    done(w, creation(w, 1));
    done(w, creation(w, 2));
    struct vector_write row = planted(w, 1, &made);
    row.meta.category = row.meta.locale = (struct bytes){0};
    done(w, deletion(w, 1));
    struct message m = policy(w, POLICY_SUPPRESSED);
    said(w, OP_POLICY, &m);
    fed(w, &m);
    fan_out(w, &m, 2, 2);
    plant(w, &row);
    row.listing_id = 2;
    plant(w, &row);
    finish(w);
    assert_only(w, "convergence");
    assert_drift(w, STORE_VECTOR_TEXT, DRIFT_RESURRECTED, 1);
    assert_drift(w, STORE_VECTOR_TEXT, DRIFT_SUPPRESSED_SERVED, 1);
    world_free(w);
}

/* An image row that left with its image and is back without it. */
static void row_of_a_withdrawn_image(void **state) {
    (void)state;
    for (int left = 0; left < 2; left++) {
        struct world *w = world_new();
        struct made made;
        done(w, creation(w, 1));
        done(w, image(w, 1, RECORD_UPSERT));
        make_vectors(w, &w->folded[1], 1u << MODALITY_IMAGE, &made);
        struct vector_write row = vector_write_of(&w->folded[1], MODALITY_IMAGE, &made);
        if (left) {
            done(w, image(w, 1, RECORD_DELETE));
        } else {
            row.listing_id = 2;
            done(w, creation(w, 2));
        }
        assert_int_equal(fake_vector_db_put_row(w->vectors, w->now, MODALITY_IMAGE, 1, &row), 0);
        finish(w);
        assert_drift(w, STORE_VECTOR_IMAGE, left ? DRIFT_RESURRECTED : DRIFT_ORPHAN, 1);
        assert_int_equal(oracle_drift_total(w->o), 1);
        world_free(w);
    }
}

/* A row that says that another model made it. */
static void wrong_model(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    assert_int_equal(
        fake_vector_db_corrupt_row(w->vectors, w->now, MODALITY_TEXT, 1, 1, VECTOR_CORRUPT_MODEL),
        0);
    finish(w);
    assert_only(w, "convergence");
    assert_drift(w, STORE_VECTOR_TEXT, DRIFT_WRONG_MODEL, 1);
    world_free(w);
}

/* The index holds another text than the one whose hash it names. */
static void keyword_text_mismatch(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct world *w = world_new();
        done(w, creation(w, 1));
        tell(w, title_change(w, 1, "blue kettle"));
        const struct folded *f = &w->folded[1];
        char attributes[TEXT_ROOM];
        struct keyword_write write = {
            .listing_id = 1,
            .kind = ROW_UPSERT,
            .meta = folded_row_meta(f),
            .title = i == 0 ? bytes_of("red kettle") : folded_text(f, FIELD_TITLE),
            .description = i == 1 ? bytes_of("none") : folded_text(f, FIELD_DESCRIPTION),
            .attributes = {attributes, folded_attributes_text(f, attributes, sizeof attributes)},
        };
        write.attributes.len -= i == 2;
        write.meta.content_hash = f->digest.text;
        struct keyword_port port = fake_keyword_port(w->keyword);
        enum item_status status;
        assert_int_equal(port.ops->write(port.ctx, w->now, &write, 1, &status), 0);
        deliver_vectors(w, 1);
        deliver_warehouse(w, 1);
        finish(w);
        assert_only(w, "convergence");
        assert_drift(w, STORE_KEYWORD, DRIFT_MISMATCH, 1);
        world_free(w);
    }
}

/* The index says that its row was made of another text than the vector's. */
static void keyword_hash_mismatch(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, title_change(w, 1, "blue kettle"));
    const struct folded *f = &w->folded[1];
    char attributes[TEXT_ROOM];
    struct keyword_write write = {
        .listing_id = 1,
        .kind = ROW_UPSERT,
        .meta = folded_row_meta(f),
        .title = folded_text(f, FIELD_TITLE),
        .description = folded_text(f, FIELD_DESCRIPTION),
        .attributes = {attributes, folded_attributes_text(f, attributes, sizeof attributes)},
    };
    write.meta.content_hash = f->digest.text ^ 1;
    struct keyword_port port = fake_keyword_port(w->keyword);
    enum item_status status;
    assert_int_equal(port.ops->write(port.ctx, w->now, &write, 1, &status), 0);
    deliver_vectors(w, 1);
    deliver_warehouse(w, 1);
    finish(w);
    assert_only(w, "convergence");
    assert_drift(w, STORE_KEYWORD, DRIFT_MISMATCH, 1);
    world_free(w);
}

static void spoil(struct document_row *row, int i) {
    row->alive = i == 0 ? false : row->alive;
    row->policy = i == 1 ? POLICY_SUPPRESSED : row->policy;
    row->seller_id += i == 2;
    row->price += i == 3;
    row->title = i == 4 ? bytes_of("x") : row->title;
    row->description = i == 5 ? bytes_of("x") : row->description;
    row->locale = i == 6 ? bytes_of("x") : row->locale;
    row->category = i == 7 ? bytes_of("x") : row->category;
    row->attributes =
        i == 8 ? bytes_of("{\"colour\":\"red\\ttin\",\"litres\":3}") : row->attributes;
    row->images = i == 9 ? bytes_of("[\"6\"]") : row->images;
    row->images = i == 10 ? bytes_of("[\"5\",\"6\"]") : row->images;
    row->attributes =
        i == 11 ? bytes_of("{\"colour\":\"red\\ttin\",\"litres\":2,\"x\":1}") : row->attributes;
}

/* Each column of gold, and of silver's present version, is looked at. */
static void warehouse_columns(void **state) {
    (void)state;
    for (int gold = 0; gold < 2; gold++) {
        for (int i = 0; i < 12; i++) {
            struct world *w = world_new();
            struct row_texts texts;
            done(w, creation(w, 1));
            tell(w, image(w, 1, RECORD_UPSERT));
            deliver_vectors(w, 1);
            deliver_keyword(w, 1);
            struct document_row right = row_of(&w->folded[1], &texts);
            struct document_row wrong = right;
            spoil(&wrong, i);
            load(w, gold ? &right : &wrong, gold ? &wrong : &right, true);
            finish(w);
            assert_only(w, "convergence");
            assert_int_equal(oracle_drift_total(w->o), 1);
            assert_drift(w, gold ? STORE_GOLD : STORE_SILVER, DRIFT_MISMATCH, 1);
            world_free(w);
        }
    }
}

/* Gold and silver say different things about one version. */
static void gold_and_silver_disagree(void **state) {
    (void)state;
    struct world *w = world_new();
    struct row_texts texts;
    done(w, creation(w, 1));
    tell(w, price_change(w, 1, 5));
    deliver_vectors(w, 1);
    deliver_keyword(w, 1);
    struct document_row silver = row_of(&w->folded[1], &texts);
    struct document_row gold = silver;
    gold.whole_hash ^= 1;
    load(w, &silver, &gold, true);
    finish(w);
    assert_only(w, "convergence");
    assert_drift(w, STORE_GOLD, DRIFT_MISMATCH, 1);
    world_free(w);
}

/* JSON written otherwise and meaning the same is the same. */
static void json_is_compared_by_meaning(void **state) {
    (void)state;
    struct world *w = world_new();
    struct row_texts texts;
    done(w, creation(w, 1));
    tell(w, image(w, 1, RECORD_UPSERT));
    deliver_vectors(w, 1);
    deliver_keyword(w, 1);
    struct document_row row = row_of(&w->folded[1], &texts);
    row.attributes = bytes_of("{\"colo\\u0075r\":\"red\\u0009tin\",\"litres\":2}");
    load(w, &row, &row, true);
    finish(w);
    assert_only(w, "");
    world_free(w);
}

/* The dashboard was not brought up to date. */
static void dashboard_lags(void **state) {
    (void)state;
    struct world *w = world_new();
    place_order(w, 1, 2, true);
    place_order(w, 2, 3, false);
    finish(w);
    assert_only(w, "dashboard");
    assert_non_null(strstr(check(w, "dashboard").evidence, "1 orders, quantity 2"));
    world_free(w);
}

/* The source of truth lost a row, or says something else. */
static void source_differs(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct world *w = world_new();
        done(w, creation(w, 1));
        struct oltp_listing row;
        assert_int_equal(fake_oltp_read_listing(w->oltp, 1, &row), 1);
        row.price += i == 0;
        row.deleted = i == 1;
        row.attribute_count -= i == 2;
        assert_int_equal(fake_oltp_write_listing(w->oltp, w->now, &row, NULL), 0);
        finish(w);
        assert_only(w, "source");
        assert_drift(w, STORE_OLTP, i == 1 ? DRIFT_MISSING : DRIFT_MISMATCH, 1);
        world_free(w);
    }
}

/* Orders of the source of truth: one changed, one lost, one that nobody placed. */
static void source_orders_differ(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct world *w = world_new();
        place_order(w, 1, 2, true);
        place_order(w, 2, 3, true);
        struct order_row row = {.order_id = i == 1 ? 9 : 2,
                                .listing_id = 1,
                                .stamp = {w->now, {1, 99}},
                                .quantity = 3,
                                .amount = 3 * 129900 + (i == 0),
                                .category = bytes_of("kitchen")};
        if (i == 2) {
            struct message m = order(w, 3, 1);
            said(w, OP_ORDER, &m);
        } else {
            assert_int_equal(fake_oltp_write_order(w->oltp, w->now, &row, NULL), 0);
        }
        finish(w);
        assert_only(w, i == 2 ? "source dashboard" : "source");
        world_free(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_mismatches),      cmocka_unit_test(planting_what_is_right),
        cmocka_unit_test(missing_by_any_path),      cmocka_unit_test(orphans),
        cmocka_unit_test(lost_change_is_stale),     cmocka_unit_test(lost_creation_is_missing),
        cmocka_unit_test(rows_that_should_be_gone), cmocka_unit_test(wrong_model),
        cmocka_unit_test(row_of_a_withdrawn_image), cmocka_unit_test(keyword_text_mismatch),
        cmocka_unit_test(keyword_hash_mismatch),    cmocka_unit_test(warehouse_columns),
        cmocka_unit_test(gold_and_silver_disagree), cmocka_unit_test(json_is_compared_by_meaning),
        cmocka_unit_test(dashboard_lags),           cmocka_unit_test(source_differs),
        cmocka_unit_test(source_orders_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
