/*
 * The oracle on small worlds: real stores, and a pipeline without faults that the test plays by
 * hand, step by step, so that it can leave a step out or do it wrong. Each check is seen to fail
 * on what it is there for, and to pass on the same story told right (D2).
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/memory.h"
#include "sim/prng.h"
#include "tests/sim/oracle_world.h"

/* The maps of the core and of the oracle ask here, so a test can say no. */
static bool memory_is_out;
void *memory_resize(void *old, size_t size) {
    return memory_is_out ? NULL : realloc(old, size);
}

/* A second model is tried and given up, then served. */
static void upgrade(struct world *w) {
    order_model(w, CONTROL_UPGRADE, 2);
    make_collections(w, 2);
    order_model(w, CONTROL_ABANDON, 0);
    drop(w, 2);
    order_model(w, CONTROL_UPGRADE, 2);
    make_collections(w, 2);
    for (uint64_t id = 1; id <= 3; id++) {
        deliver_model(w, 2, id);
    }
    order_model(w, CONTROL_CUTOVER, 0);
    switch_to(w, 2);
}

/* A story in which everything happens, told right. */
static void whole_story(struct world *w) {
    struct message m;
    done(w, creation(w, 1));
    done(w, image(w, 2, RECORD_UPSERT)); /* before its listing */
    done(w, creation(w, 2));
    done(w, creation(w, 3));
    done(w, image(w, 1, RECORD_UPSERT));
    done(w, price_change(w, 1, 99900));
    done(w, title_change(w, 2, "blue kettle"));
    m = policy(w, POLICY_SUPPRESSED);
    said(w, OP_POLICY, &m);
    fed(w, &m);
    fan_out(w, &m, 1, 3);
    done(w, price_change(w, 2, 5)); /* while suppressed */
    m = policy(w, POLICY_ACTIVE);
    said(w, OP_POLICY, &m);
    fed(w, &m);
    fan_out(w, &m, 1, 3);
    done(w, image(w, 2, RECORD_DELETE));
    done(w, deletion(w, 1));
    done(w, deletion(w, 3));
    done(w, creation(w, 3));
    pass(w, BOUND_S + 60);
    upgrade(w);
    done(w, title_change(w, 2, "green kettle"));
    place_order(w, 1, 2, true);
    place_order(w, 2, 3, true);
    poison(w, &m);
    assert_false(oracle_settled(w->o));
    dead_letter(w, &m);
    probe(w, 2);
    pass(w, 2 * BOUND_S);
}

/* ---- Tests ---- */

/* Told right, a story passes every check, and none of them for want of anything to look at. */
static void a_good_run_passes(void **state) {
    (void)state;
    struct world *w = world_new();
    whole_story(w);
    assert_string_equal(oracle_waits_for(w->o), "nothing");
    assert_true(oracle_settled(w->o));
    finish(w);
    size_t count;
    const struct oracle_check *checks = oracle_checks(w->o, &count);
    for (size_t i = 0; i < count; i++) {
        assert_status(w, checks[i].name, ORACLE_PASS);
    }
    assert_int_equal(oracle_drift_total(w->o), 0);
    assert_int_equal(oracle_difference_count(w->o), 0);
    assert_int_equal(oracle_compared(w->o, STORE_VECTOR_FUSED), 2);
    assert_int_equal(oracle_compared(w->o, STORE_GOLD), 3);
    assert_true(oracle_counts(w->o).needless_embeddings == 0);
    world_free(w);
}

/* Of a run in which nothing happened nothing can be said. */
static void no_data_is_no_pass(void **state) {
    (void)state;
    struct world *w = world_new();
    finish(w);
    size_t count;
    size_t named;
    const struct oracle_check *checks = oracle_checks(w->o, &count);
    const struct oracle_check_about *about = oracle_check_table(&named);
    assert_int_equal(count, named);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(checks[i].status, ORACLE_NO_DATA);
        assert_string_equal(checks[i].name, about[i].name);
    }
    world_free(w);
}

/* What is judged at the end says nothing before it. */
static void end_checks_wait_for_the_end(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    assert_status(w, "convergence", ORACLE_NO_DATA);
    assert_status(w, "all-visible", ORACLE_NO_DATA);
    assert_status(w, "version-monotone", ORACLE_PASS);
    finish(w);
    assert_status(w, "convergence", ORACLE_PASS);
    world_free(w);
}

/* ---- version-monotone ---- */

/* An older write that the store lets through takes the row back. */
static void version_goes_back(void **state) {
    (void)state;
    struct world *w = world_new();
    struct made made;
    done(w, creation(w, 1));
    make_vectors(w, &w->folded[1], 1u << MODALITY_TEXT, &made);
    struct row_meta old = folded_row_meta(&w->folded[1]);
    done(w, title_change(w, 1, "blue kettle"));
    struct vector_write write = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    write.meta.version = old.version;
    write_vector(w, MODALITY_TEXT, &write); /* refused: nothing happened */
    assert_only(w, "");
    write.rule = VERSION_IGNORED;
    write.meta.whole_hash = old.whole_hash;
    write.meta.content_hash = 5;
    write_vector(w, MODALITY_TEXT, &write);
    assert_only(w, "version-monotone");
    finish(w);
    assert_drift(w, STORE_VECTOR_TEXT, DRIFT_STALE, 1);
    world_free(w);
}

/* The version was forgotten with its tombstone: what readers saw still counts. */
static void version_goes_back_behind_a_deletion(void **state) {
    (void)state;
    struct world *w = world_new();
    struct made made;
    done(w, creation(w, 1));
    make_vectors(w, &w->folded[1], 1u << MODALITY_TEXT, &made);
    struct vector_write late = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    char category[16];
    memcpy(category, late.meta.category.data, late.meta.category.len);
    late.meta.category.data = category;
    late.meta.locale = (struct bytes){0};
    done(w, deletion(w, 1));
    write_vector(w, MODALITY_TEXT, &late);
    assert_only(w, "");
    fake_vector_db_forget(w->vectors);
    write_vector(w, MODALITY_TEXT, &late);
    assert_only(w, "version-monotone");
    world_free(w);
}

/* One version has one content. */
static void two_contents_of_a_version(void **state) {
    (void)state;
    struct world *w = world_new();
    struct made made;
    done(w, creation(w, 1));
    make_vectors(w, &w->folded[1], 1u << MODALITY_TEXT, &made);
    struct vector_write write = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    write.rule = VERSION_GREATER_OR_EQUAL;
    write.meta.content_hash = 77; /* else it would be needless too */
    write_vector(w, MODALITY_TEXT, &write);
    assert_only(w, "");
    write.meta.whole_hash ^= 1;
    write.meta.content_hash = 78;
    write_vector(w, MODALITY_TEXT, &write);
    assert_only(w, "version-monotone");
    world_free(w);
}

/* A fault spoilt the row behind everybody's back: mending it is no violation. */
static void repair_of_a_spoilt_row_is_fine(void **state) {
    (void)state;
    struct world *w = world_new();
    struct made made;
    done(w, creation(w, 1));
    assert_int_equal(
        fake_vector_db_corrupt_row(w->vectors, w->now, MODALITY_TEXT, 1, 1, VECTOR_CORRUPT_HASHES),
        0);
    make_vectors(w, &w->folded[1], 1u << MODALITY_TEXT, &made);
    struct vector_write write = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    write.rule = VERSION_GREATER_OR_EQUAL;
    write_vector(w, MODALITY_TEXT, &write);
    assert_int_equal(oracle_counts(w->o).tampered_rows, 1);
    finish(w);
    assert_only(w, "");
    world_free(w);
}

/* ---- no-duplicate-row, history ---- */

/* Plain inserts of what is there already make second rows. */
static void duplicate_rows(void **state) {
    (void)state;
    for (int gold = 0; gold < 2; gold++) {
        struct world *w = world_new();
        struct row_texts texts;
        done(w, creation(w, 1));
        struct document_row row = row_of(&w->folded[1], &texts);
        load(w, &row, &row, true); /* repeated: does no harm */
        assert_only(w, "");
        load(w, gold ? NULL : &row, gold ? &row : NULL, false);
        assert_only(w, "no-duplicate-row");
        finish(w);
        assert_drift(w, gold ? STORE_GOLD : STORE_SILVER, DRIFT_DUPLICATE, 1);
        world_free(w);
    }
}

/* A version that says what the one before it said is a change that was none. */
static void version_without_a_change(void **state) {
    (void)state;
    struct world *w = world_new();
    struct row_texts texts;
    struct message m = price_change(w, 1, 129900); /* what it is already */
    done(w, creation(w, 1));
    tell(w, m);
    struct document_row row = row_of(&w->folded[1], &texts);
    row.version = doc_version_pack(0, w->offsets[TOPIC_LISTING_LOG] - 1);
    load(w, &row, NULL, true);
    finish(w);
    assert_only(w, "no-duplicate-row");
    world_free(w);
}

/* A version that history lacks. */
static void missing_version(void **state) {
    (void)state;
    struct world *w = world_new();
    struct row_texts texts;
    done(w, creation(w, 1));
    tell(w, price_change(w, 1, 5));
    struct document_row row = row_of(&w->folded[1], &texts);
    load(w, NULL, &row, true);
    deliver_vectors(w, 1);
    deliver_keyword(w, 1);
    finish(w);
    assert_only(w, "history");
    assert_drift(w, STORE_SILVER, DRIFT_MISSING, 1);
    world_free(w);
}

/* Two rows of one key in the vector database. */
static void duplicate_vector_row(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    assert_int_equal(fake_vector_db_duplicate_row(w->vectors, w->now, MODALITY_FUSED, 1, 1), 0);
    finish(w);
    assert_only(w, "no-duplicate-row convergence");
    assert_drift(w, STORE_VECTOR_FUSED, DRIFT_DUPLICATE, 1);
    world_free(w);
}

/* ---- gone-in-time, served-gone ---- */

/* A deletion that the stores do not carry out in time; the same one in time. */
static void deleted_and_still_there(void **state) {
    (void)state;
    for (int in_time = 0; in_time < 2; in_time++) {
        struct world *w = world_new();
        done(w, creation(w, 1));
        tell(w, deletion(w, 1));
        assert_false(oracle_settled(w->o));
        pass(w, in_time ? BOUND_S - 10 : BOUND_S + 10);
        deliver(w, 1);
        pass(w, BOUND_S);
        assert_true(oracle_settled(w->o));
        finish(w);
        assert_only(w, in_time ? "" : "gone-in-time");
        assert_status(w, "gone-in-time", in_time ? ORACLE_PASS : ORACLE_FAIL);
        world_free(w);
    }
}

/* A listing that never leaves is found out at its deadline, or when the run ends. */
static void deleted_and_never_gone(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, deletion(w, 1));
    vtime deadline = vtime_add(w->now, (BOUND_S - 1) * VTIME_SECOND); /* fed a second ago */
    pass(w, 2 * BOUND_S);
    finish(w);
    struct oracle_check c = check(w, "gone-in-time");
    assert_int_equal(c.status, ORACLE_FAIL);
    assert_int_equal(c.at.ns, deadline.ns);
    assert_non_null(strstr(c.evidence, "listing 1 still in vector-text"));
    world_free(w);
}

/* Created again before the deadline, it may stay. */
static void creation_cancels_a_deadline(void **state) {
    (void)state;
    struct world *w = world_new();
    w->loads_at_once = true;
    done(w, creation(w, 1));
    tell(w, deletion(w, 1));
    pass(w, BOUND_S / 2);
    done(w, creation(w, 1));
    pass(w, 2 * BOUND_S);
    finish(w);
    assert_only(w, "");
    world_free(w);
}

/* Saying again that it is gone gives it no more time. */
static void repeated_deletion_renews_no_deadline(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    struct message m = deletion(w, 1);
    tell(w, m);
    pass(w, BOUND_S / 2);
    fed(w, &m);
    tell(w, deletion(w, 1));
    pass(w, BOUND_S / 2 + 10);
    deliver(w, 1);
    finish(w);
    assert_only(w, "gone-in-time");
    world_free(w);
}

/* Gone, back and gone again: the time runs from the second deletion. */
static void second_deletion_has_its_own_deadline(void **state) {
    (void)state;
    struct world *w = world_new();
    w->loads_at_once = true;
    done(w, creation(w, 1));
    tell(w, deletion(w, 1));
    tell(w, creation(w, 1));
    pass(w, BOUND_S - 20);
    tell(w, deletion(w, 1));
    pass(w, 100);
    probe(w, 1);
    deliver(w, 1);
    finish(w);
    assert_only(w, "");
    world_free(w);
}

/* What left comes back by a delayed write, long after. */
static void gone_and_back(void **state) {
    (void)state;
    struct world *w = world_new();
    struct made made;
    done(w, creation(w, 1));
    make_vectors(w, &w->folded[1], 1u << MODALITY_TEXT, &made);
    struct vector_write late = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    late.meta.category = late.meta.locale = (struct bytes){0};
    done(w, deletion(w, 1));
    pass(w, 2 * BOUND_S);
    late.rule = VERSION_IGNORED;
    write_vector(w, MODALITY_TEXT, &late);
    assert_only(w, "version-monotone gone-in-time");
    finish(w);
    assert_drift(w, STORE_VECTOR_TEXT, DRIFT_RESURRECTED, 1);
    world_free(w);
}

/* A suppression that reaches the feed and never the listings: the log knows of nothing. */
static void suppression_without_fan_out(void **state) {
    (void)state;
    for (int fanned = 0; fanned < 2; fanned++) {
        struct world *w = world_new();
        done(w, creation(w, 1));
        struct message m = policy(w, POLICY_SUPPRESSED);
        said(w, OP_POLICY, &m);
        fed(w, &m);
        assert_false(oracle_settled(w->o));
        if (fanned) {
            fan_out(w, &m, 1, 1);
            assert_true(oracle_settled(w->o));
        }
        pass(w, 2 * BOUND_S);
        finish(w);
        if (fanned) {
            assert_only(w, "");
        } else {
            assert_only(w, "gone-in-time convergence");
            assert_drift(w, STORE_VECTOR_FUSED, DRIFT_SUPPRESSED_SERVED, 1);
            assert_drift(w, STORE_GOLD, DRIFT_SUPPRESSED_SERVED, 1);
        }
        world_free(w);
    }
}

/* A record for the late queue is in nobody's way until the queue hands it on. */
static void late_queue_postpones(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    struct message m = deletion(w, 1);
    said(w, OP_LISTING_DELETE, &m);
    pass(w, 3 * 3600);
    fed(w, &m);
    struct message routed = routed_form(&m, 1);
    append(w, TOPIC_LATE, message_bytes(&routed));
    assert_false(oracle_settled(w->o));
    pass(w, 3600);
    logged(w, &m, 1);
    pass(w, BOUND_S - 10);
    deliver(w, 1);
    pass(w, 2 * BOUND_S);
    assert_true(oracle_settled(w->o));
    finish(w);
    assert_only(w, "");
    /* It is visible, and no sample of the objective: the lag would be an hour. */
    struct oracle_freshness f = oracle_freshness(w->o, 0);
    assert_int_equal(f.late, 1);
    assert_true(f.visibility->max_ns < VTIME_MINUTE);
    world_free(w);
}

/* An ordinary record that takes the way of the late queue is late all the same. */
static void late_queue_is_no_excuse(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    struct message m = deletion(w, 1);
    said(w, OP_LISTING_DELETE, &m);
    fed(w, &m);
    struct message routed = routed_form(&m, 1);
    append(w, TOPIC_LATE, message_bytes(&routed));
    pass(w, 3600);
    logged(w, &m, 1);
    deliver(w, 1);
    finish(w);
    assert_only(w, "gone-in-time");
    assert_int_equal(oracle_freshness(w->o, 0).late, 0);
    assert_int_equal(oracle_freshness(w->o, 0).visibility->max_ns, VTIME_HOUR);
    world_free(w);
}

/* A search may find a listing that just went, and none that went long ago. */
static void search_finds_who_is_gone(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    done(w, deletion(w, 1));
    probe(w, 1);
    assert_status(w, "served-gone", ORACLE_PASS);
    pass(w, 2 * BOUND_S);
    probe(w, 1);
    assert_only(w, "served-gone");
    world_free(w);
}

/* ---- embedding-economy, no-lost-embedding, rows-agree ---- */

/* A vector written anew over the same content is needless, unless some are allowed. */
static void needless_embedding(void **state) {
    (void)state;
    static const uint64_t allowances_ppm[] = {0, 500000};
    for (size_t i = 0; i < 2; i++) {
        struct world *w =
            world_of((struct oracle_options){.needless_embeddings_max_ppm = allowances_ppm[i]});
        struct made made;
        done(w, creation(w, 1));
        tell(w, price_change(w, 1, 5));
        make_vectors(w, &w->folded[1], 1u << MODALITY_TEXT, &made);
        struct vector_write write = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
        write_vector(w, MODALITY_TEXT, &write);
        deliver(w, 1);
        finish(w);
        assert_int_equal(oracle_counts(w->o).needless_embeddings, 1);
        assert_int_equal(check(w, "embedding-economy").status, i == 0 ? ORACLE_FAIL : ORACLE_PASS);
        assert_status(w, "convergence", ORACLE_PASS);
        world_free(w);
    }
}

/* The same content by another model is another vector. */
static void another_model_is_not_needless(void **state) {
    (void)state;
    struct world *w = world_new();
    struct made made;
    done(w, creation(w, 1));
    make_vectors(w, &w->folded[1], 1u << MODALITY_TEXT, &made);
    struct vector_write write = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    write.meta.model_version = 2;
    write.rule = VERSION_GREATER_OR_EQUAL;
    write_vector(w, MODALITY_TEXT, &write);
    assert_only(w, "");
    write_vector(w, MODALITY_TEXT, &write);
    assert_only(w, "embedding-economy");
    world_free(w);
}

/* The row says the right hash and holds the vector of the text before. */
static void lost_embedding(void **state) {
    (void)state;
    struct world *w = world_new();
    struct made made;
    done(w, creation(w, 1));
    make_vectors(w, &w->folded[1], 1u << MODALITY_TEXT, &made);
    tell(w, title_change(w, 1, "blue kettle"));
    struct vector_write write = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    write_vector(w, MODALITY_TEXT, &write);
    deliver(w, 1);
    finish(w);
    assert_only(w, "no-lost-embedding convergence");
    assert_drift(w, STORE_VECTOR_TEXT, DRIFT_MISMATCH, 1);
    world_free(w);
}

/* Rows of one listing at different versions. */
static void rows_disagree(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, price_change(w, 1, 5));
    deliver_vector(w, 1, MODALITY_FUSED);
    deliver_keyword(w, 1);
    deliver_warehouse(w, 1);
    finish(w);
    assert_only(w, "rows-agree convergence");
    assert_drift(w, STORE_VECTOR_TEXT, DRIFT_STALE, 1);
    world_free(w);
}

/* ---- dead-letters ---- */

/* A poison without a letter; a letter for a good record. */
static void dead_letters(void **state) {
    (void)state;
    struct world *w = world_new();
    struct message bad;
    poison(w, &bad);
    finish(w);
    assert_only(w, "dead-letters");
    world_free(w);

    w = world_new();
    struct message good = creation(w, 1);
    said(w, OP_LISTING_CREATE, &good);
    fed(w, &good);
    dead_letter(w, &good);
    assert_only(w, "dead-letters");
    assert_non_null(strstr(check(w, "dead-letters").evidence, "because"));
    world_free(w);

    w = world_new();
    poison(w, &bad);
    dead_letter(w, &bad);
    dead_letter(w, &bad); /* once more after a crash: does no harm */
    finish(w);
    assert_only(w, "");
    assert_status(w, "dead-letters", ORACLE_PASS);
    world_free(w);
}

/* A store that refuses a good listing's row for good: the letter has no bytes of a record. */
static void letter_for_a_refused_row(void **state) {
    (void)state;
    struct world *w = world_new();
    struct message none = {.topic = TOPIC_LISTING_LOG};
    dead_letter(w, &none);
    assert_only(w, "dead-letters");
    world_free(w);
}

/* Broken on the way: no seller sent it so, and refusing it is right. */
static void letter_for_broken_bytes(void **state) {
    (void)state;
    struct world *w = world_new();
    struct message broken = creation(w, 1);
    broken.bytes[30] ^= 1;
    fed(w, &broken);
    dead_letter(w, &broken);
    assert_only(w, "");
    assert_true(oracle_settled(w->o));
    world_free(w);
}

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

/* ---- Freshness ---- */

/* Lags run from the feed's append, and beside it from the seller's moment, to the store's write. */
static void lags_are_measured(void **state) {
    (void)state;
    struct world *w = world_new();
    struct message m = creation(w, 1);
    said(w, OP_LISTING_CREATE, &m);
    pass(w, 10);
    fed(w, &m);
    pass(w, 1);
    logged(w, &m, 1);
    assert_int_equal(oracle_freshness(w->o, 0).pending, 1);
    pass(w, 4);
    deliver_vectors(w, 1);
    pass(w, 5);
    deliver_keyword(w, 1);
    pass(w, 20);
    deliver_warehouse(w, 1);
    static const int64_t lags_s[ORACLE_FRESH_STORES] = {5, 10, 30};
    for (size_t i = 0; i < ORACLE_FRESH_STORES; i++) {
        struct oracle_freshness f = oracle_freshness(w->o, i);
        assert_int_equal(f.pending, 0);
        assert_int_equal(f.visibility->count, 1);
        assert_int_equal(f.visibility->max_ns, lags_s[i] * VTIME_SECOND);
        assert_int_equal(f.event->max_ns, (lags_s[i] + 10) * VTIME_SECOND);
        assert_int_equal(oracle_quantile_ns(f.visibility, 950), lags_s[i] * VTIME_SECOND);
        assert_int_equal(f.worst_listing, 1);
    }
    assert_int_equal(oracle_feed_lag(w->o, TOPIC_LISTING)->max_ns, 10 * VTIME_SECOND);
    world_free(w);
}

/* A newer version shows the older changes too; what is suppressed is seen in gold alone. */
static void newer_versions_show_older_changes(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, price_change(w, 1, 5));
    tell(w, price_change(w, 1, 6));
    tell(w, price_change(w, 1, 6)); /* no change: no sample */
    assert_int_equal(oracle_freshness(w->o, 0).pending, 2);
    deliver(w, 1);
    assert_int_equal(oracle_freshness(w->o, 0).pending, 0);
    assert_int_equal(oracle_freshness(w->o, 0).visibility->count, 3);
    struct message m = policy(w, POLICY_SUPPRESSED);
    said(w, OP_POLICY, &m);
    fed(w, &m);
    fan_out(w, &m, 1, 1);
    tell(w, price_change(w, 1, 7));
    assert_int_equal(oracle_freshness(w->o, 0).pending, 0);
    assert_int_equal(oracle_freshness(w->o, 1).pending, 0);
    assert_int_equal(oracle_freshness(w->o, 2).pending, 1);
    world_free(w);
}

/* A removal is visible when readers no longer see the listing; before that an update of what is on
 * its way out is not waited for. */
static void removals_are_measured(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, price_change(w, 1, 5));
    tell(w, deletion(w, 1));
    assert_int_equal(oracle_freshness(w->o, 0).pending, 2);
    pass(w, 8);
    deliver(w, 1);
    assert_int_equal(oracle_freshness(w->o, 0).pending, 0);
    assert_int_equal(oracle_freshness(w->o, 0).visibility->count, 3);
    assert_int_equal(oracle_freshness(w->o, 0).visibility->max_ns, 11 * VTIME_SECOND);
    /* Created and deleted before any store heard of it: nobody sees it, and nothing is waited for
     * but gold. */
    tell(w, creation(w, 2));
    tell(w, deletion(w, 2));
    assert_int_equal(oracle_freshness(w->o, 0).pending, 0);
    assert_int_equal(oracle_freshness(w->o, 2).pending, 2);
    world_free(w);
}

/* The store is at the first of two deletions: the second is not visible yet. */
static void a_removal_is_not_the_next_one(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, deletion(w, 1));
    struct vector_write gone = {.listing_id = 1, .kind = ROW_DELETE, .rule = VERSION_GREATER};
    gone.meta.version = w->folded[1].visible_version;
    tell(w, creation(w, 1));
    tell(w, deletion(w, 1));
    assert_int_equal(oracle_freshness(w->o, 0).pending, 3);
    write_vector(w, MODALITY_FUSED, &gone);
    assert_int_equal(oracle_freshness(w->o, 0).pending, 2);
    deliver_vectors(w, 1);
    assert_int_equal(oracle_freshness(w->o, 0).pending, 0);
    world_free(w);
}

/* A change that never becomes visible is in no quantile and fails a check of its own. */
static void never_visible(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    tell(w, price_change(w, 1, 5));
    deliver_keyword(w, 1);
    deliver_warehouse(w, 1);
    assert_false(oracle_settled(w->o));
    assert_non_null(strstr(oracle_waits_for(w->o), "vector-fused"));
    finish(w);
    assert_only(w, "all-visible convergence");
    assert_int_equal(oracle_freshness(w->o, 0).pending, 1);
    assert_int_equal(oracle_freshness(w->o, 0).visibility->count, 1);
    world_free(w);
}

/* A feed's record that is not routed is waited for. */
static void unrouted_records_are_waited_for(void **state) {
    (void)state;
    struct world *w = world_new();
    struct message m = image(w, 1, RECORD_UPSERT); /* nothing that a reader would see */
    said(w, OP_MEDIA, &m);
    assert_true(oracle_settled(w->o));
    fed(w, &m);
    assert_false(oracle_settled(w->o));
    assert_non_null(strstr(oracle_waits_for(w->o), "media"));
    logged(w, &m, 1);
    deliver_warehouse(w, 1);
    assert_true(oracle_settled(w->o));
    world_free(w);
}

/* Minute by minute: what became visible, what still waits, and how silent the feed is. */
static void minutes(void **state) {
    (void)state;
    struct world *w = world_new();
    tell(w, creation(w, 1)); /* fed at second 1 */
    pass(w, 28);
    deliver(w, 1); /* at second 30: lag 29 s */
    pass(w, 40);
    tell(w, price_change(w, 1, 5)); /* fed at 71 */
    pass(w, 108);
    deliver(w, 1); /* at 180: lag 109 s */
    pass(w, 5);
    finish(w);
    size_t count;
    const struct oracle_minute *m = oracle_minutes(w->o, 0, &count);
    assert_int_equal(count, 4);
    assert_int_equal(oracle_minute_ns(w->o), VTIME_MINUTE);
    assert_int_equal(m[0].samples, 1);
    assert_int_equal(m[0].lag_max_ns, 29 * VTIME_SECOND);
    assert_int_equal(m[0].lag_p95_ns, 29 * VTIME_SECOND);
    assert_int_equal(m[0].pending_age_ns, 0);
    assert_int_equal(m[1].samples, 0);
    assert_int_equal(m[1].pending_age_ns, 49 * VTIME_SECOND);
    assert_int_equal(m[2].pending_age_ns, 109 * VTIME_SECOND);
    assert_int_equal(m[3].samples, 1);
    assert_int_equal(m[3].lag_max_ns, 109 * VTIME_SECOND);
    const struct oracle_feed_minute *f = oracle_feed_minutes(w->o, TOPIC_LISTING, &count);
    assert_int_equal(count, 4);
    assert_int_equal(f[0].records, 1);
    assert_int_equal(f[0].lag_max_ns, VTIME_SECOND);
    assert_int_equal(f[0].silence_ns, 59 * VTIME_SECOND);
    assert_int_equal(f[1].silence_ns, 49 * VTIME_SECOND);
    assert_int_equal(f[2].records, 0);
    assert_int_equal(f[2].silence_ns, 109 * VTIME_SECOND);
    f = oracle_feed_minutes(w->o, TOPIC_ORDER, &count);
    assert_int_equal(f[3].silence_ns, -1);
    world_free(w);
}

/* A long run's minutes grow longer, and no spike is lost in them. */
static void minutes_of_a_long_run(void **state) {
    (void)state;
    struct world *w = world_new();
    tell(w, creation(w, 1));
    pass(w, 600);
    deliver(w, 1);
    for (int day = 0; day < 30; day++) {
        pass(w, 86400);
        probe(w, 1);
        tell(w, price_change(w, 1, day));
        deliver(w, 1);
    }
    finish(w);
    size_t count;
    const struct oracle_minute *m = oracle_minutes(w->o, 0, &count);
    assert_true(count <= 4096);
    assert_int_equal(oracle_minute_ns(w->o), 16 * VTIME_MINUTE);
    uint64_t samples = 0;
    int64_t worst_ns = 0;
    for (size_t i = 0; i < count; i++) {
        samples += m[i].samples;
        worst_ns = m[i].samples > 0 && m[i].lag_max_ns > worst_ns ? m[i].lag_max_ns : worst_ns;
    }
    assert_int_equal(samples, 31);
    assert_int_equal(worst_ns, 601 * VTIME_SECOND);
    int64_t elapsed_ns = vtime_diff(w->now, START);
    assert_int_equal(count, (elapsed_ns + oracle_minute_ns(w->o) - 1) / oracle_minute_ns(w->o));
    world_free(w);
}

/* Quantiles are at most a 32nd too high and never too low. */
static void quantiles(void **state) {
    (void)state;
    struct world *w = world_new();
    struct prng p;
    prng_init(&p, 6, "quantiles");
    int64_t lags_ms[200];
    for (int i = 0; i < 200; i++) {
        tell(w, price_change(w, 1, i));
        lags_ms[i] = prng_range(&p, 0, prng_ratio(&p, 1, 2) ? 100 : 1000000);
        w->now = vtime_add(w->now, lags_ms[i] * VTIME_MILLISECOND);
        deliver_warehouse(w, 1);
        lags_ms[i] += 1000; /* from the feed to the log */
    }
    struct oracle_freshness f = oracle_freshness(w->o, 2);
    assert_int_equal(f.visibility->count, 200);
    static const int permilles[] = {1, 500, 900, 950, 990, 1000};
    for (size_t q = 0; q < sizeof permilles / sizeof *permilles; q++) {
        int64_t said_ns = oracle_quantile_ns(f.visibility, permilles[q]);
        int below = 0;
        int64_t exact_ms = 0;
        for (int i = 0; i < 200; i++) {
            below += lags_ms[i] * VTIME_MILLISECOND <= said_ns;
        }
        assert_true(below * 1000 >= 200 * permilles[q]);
        /* The exact one is the smallest with that many at or below it. */
        for (int i = 0; i < 200; i++) {
            int at_most = 0;
            for (int k = 0; k < 200; k++) {
                at_most += lags_ms[k] <= lags_ms[i];
            }
            if (at_most * 1000 >= 200 * permilles[q] && (exact_ms == 0 || lags_ms[i] < exact_ms)) {
                exact_ms = lags_ms[i];
            }
        }
        assert_true(said_ns <= (exact_ms + 1) * VTIME_MILLISECOND * 33 / 32 + VTIME_MILLISECOND);
    }
    world_free(w);
}

/* ---- At random ---- */

static struct message random_message(struct world *w, struct prng *p) {
    uint64_t id = prng_below(p, LISTINGS) + 1;
    switch (prng_below(p, 8)) {
    case 0:
    case 1:
        return creation(w, id);
    case 2:
        return price_change(w, id, prng_range(p, 0, 3));
    case 3:
        return title_change(w, id, prng_ratio(p, 1, 3) ? "" : "green kettle");
    case 4:
        return deletion(w, id);
    case 5:
        return image(w, id, prng_ratio(p, 1, 3) ? RECORD_DELETE : RECORD_UPSERT);
    case 6: {
        struct field field = integer_field(FIELD_SELLER, prng_range(p, 1, 2));
        return listing_message(w, id, RECORD_UPSERT, &field, 1);
    }
    default:
        return policy(w, prng_ratio(p, 1, 2) ? POLICY_ACTIVE : POLICY_SUPPRESSED);
    }
}

/* Every listing that was ever the first seller's, by the documents as they are in the router. */
static void random_step(struct world *w, struct prng *p, struct message *delayed, bool *waiting) {
    struct message m = random_message(w, p);
    said(w, kind_of(&m), &m);
    pass(w, 1);
    fed(w, &m);
    if (m.topic == TOPIC_POLICY) {
        for (uint64_t id = 1; id <= LISTINGS; id++) {
            logged(w, &m, id);
        }
    } else if (!*waiting && prng_ratio(p, 1, 4)) {
        *delayed = m; /* it comes to the log out of order */
        *waiting = true;
    } else {
        logged(w, &m, m.record.subject_id);
        if (prng_ratio(p, 1, 5)) {
            logged(w, &m, m.record.subject_id); /* the router repeats itself after a crash */
        }
    }
    if (*waiting && prng_ratio(p, 1, 4)) {
        *waiting = false;
        logged(w, delayed, delayed->record.subject_id);
    }
}

static void random_delivery(struct world *w, struct prng *p) {
    for (uint64_t id = 1; id <= LISTINGS; id++) {
        if (w->folded[id].visible_version == DOC_VERSION_NONE) {
            continue;
        }
        if (prng_ratio(p, 1, 3)) {
            deliver_vectors(w, id);
        }
        if (prng_ratio(p, 1, 3)) {
            deliver_keyword(w, id);
        }
    }
}

/* Random stories told right raise no alarm: out of order, repeated, with seller and policy changes.
 * Versions, samples and classes of the oracle and the core then mean the same. */
static void random_good_runs_pass(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 7, "good runs");
    for (int run = 0; run < 60; run++) {
        struct world *w = world_new();
        w->loads_at_once = true;
        struct message delayed;
        bool waiting = false;
        for (int i = 0; i < 60; i++) {
            random_step(w, &p, &delayed, &waiting);
            pass(w, 1);
            random_delivery(w, &p);
        }
        if (waiting) {
            logged(w, &delayed, delayed.record.subject_id);
        }
        for (uint64_t id = 1; id <= LISTINGS; id++) {
            if (w->folded[id].visible_version != DOC_VERSION_NONE) {
                deliver(w, id);
            }
        }
        assert_string_equal(oracle_waits_for(w->o), "nothing");
        assert_true(oracle_settled(w->o));
        finish(w);
        assert_only(w, "");
        world_free(w);
    }
}

/* ---- Memory ---- */

/* Once memory ran out the oracle says so and passes no judgement. */
static void out_of_memory_is_said(void **state) {
    (void)state;
    struct world *w = world_new();
    struct message m = creation(w, 1);
    memory_is_out = true;
    said(w, OP_MEDIA, &m); /* no row of it in the OLTP store, which has maps too */
    memory_is_out = false;
    assert_true(oracle_out_of_memory(w->o));
    size_t count;
    assert_null(oracle_checks(w->o, &count));
    assert_int_equal(count, 0);
    world_free(w);

    w = world_new();
    memory_is_out = true;
    fed(w, &m);
    memory_is_out = false;
    assert_true(oracle_out_of_memory(w->o));
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_run_passes),
        cmocka_unit_test(no_data_is_no_pass),
        cmocka_unit_test(end_checks_wait_for_the_end),
        cmocka_unit_test(version_goes_back),
        cmocka_unit_test(version_goes_back_behind_a_deletion),
        cmocka_unit_test(two_contents_of_a_version),
        cmocka_unit_test(repair_of_a_spoilt_row_is_fine),
        cmocka_unit_test(duplicate_rows),
        cmocka_unit_test(version_without_a_change),
        cmocka_unit_test(missing_version),
        cmocka_unit_test(duplicate_vector_row),
        cmocka_unit_test(deleted_and_still_there),
        cmocka_unit_test(deleted_and_never_gone),
        cmocka_unit_test(creation_cancels_a_deadline),
        cmocka_unit_test(repeated_deletion_renews_no_deadline),
        cmocka_unit_test(second_deletion_has_its_own_deadline),
        cmocka_unit_test(gone_and_back),
        cmocka_unit_test(suppression_without_fan_out),
        cmocka_unit_test(late_queue_postpones),
        cmocka_unit_test(late_queue_is_no_excuse),
        cmocka_unit_test(search_finds_who_is_gone),
        cmocka_unit_test(needless_embedding),
        cmocka_unit_test(another_model_is_not_needless),
        cmocka_unit_test(lost_embedding),
        cmocka_unit_test(rows_disagree),
        cmocka_unit_test(dead_letters),
        cmocka_unit_test(letter_for_a_refused_row),
        cmocka_unit_test(letter_for_broken_bytes),
        cmocka_unit_test(metadata_mismatches),
        cmocka_unit_test(planting_what_is_right),
        cmocka_unit_test(missing_by_any_path),
        cmocka_unit_test(orphans),
        cmocka_unit_test(lost_change_is_stale),
        cmocka_unit_test(lost_creation_is_missing),
        cmocka_unit_test(rows_that_should_be_gone),
        cmocka_unit_test(wrong_model),
        cmocka_unit_test(row_of_a_withdrawn_image),
        cmocka_unit_test(keyword_text_mismatch),
        cmocka_unit_test(keyword_hash_mismatch),
        cmocka_unit_test(warehouse_columns),
        cmocka_unit_test(gold_and_silver_disagree),
        cmocka_unit_test(json_is_compared_by_meaning),
        cmocka_unit_test(dashboard_lags),
        cmocka_unit_test(source_differs),
        cmocka_unit_test(source_orders_differ),
        cmocka_unit_test(lags_are_measured),
        cmocka_unit_test(newer_versions_show_older_changes),
        cmocka_unit_test(removals_are_measured),
        cmocka_unit_test(a_removal_is_not_the_next_one),
        cmocka_unit_test(never_visible),
        cmocka_unit_test(unrouted_records_are_waited_for),
        cmocka_unit_test(minutes),
        cmocka_unit_test(minutes_of_a_long_run),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(random_good_runs_pass),
        cmocka_unit_test(out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
