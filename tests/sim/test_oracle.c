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
    done(w, classification(w, 2, "kettles"));
    m = taxonomy(w, "kettles", "Kitchen > Kettles");
    said(w, OP_REFERENCE, &m);
    fed(w, &m);
    fan_out(w, &m, 2, 2);
    done(w, deletion(w, 1));
    done(w, deletion(w, 3));
    done(w, creation(w, 3));
    pass(w, BOUND_S + 60);
    upgrade(w);
    registers(w, "version 2; title: text, null", false);
    struct message retitled = title_change(w, 2, "green kettle");
    done(w, versioned(&retitled, 2));
    place_order(w, 1, 2, true);
    place_order(w, 2, 3, true);
    poison(w, &m);
    assert_false(oracle_settled(w->o));
    dead_letter(w, &m);
    probe(w, 2);
    pass(w, 2 * BOUND_S);
}

/* ---- Tests ---- */

/* Told right, a story passes every check, and none of them for want of anything to look at. What an
 * erasure asks for takes a pipeline that certifies: scenarios tell that story. */
static void a_good_run_passes(void **state) {
    (void)state;
    struct world *w = world_new();
    whole_story(w);
    assert_string_equal(oracle_waits_for(w->o), "nothing");
    assert_true(oracle_settled(w->o));
    rebuild(w);
    finish(w);
    size_t count;
    const struct oracle_check *checks = oracle_checks(w->o, &count);
    for (size_t i = 0; i < count; i++) {
        bool untold = strcmp(checks[i].name, "erasure") == 0 ||
                      strcmp(checks[i].name, "filters-right") == 0 ||
                      strcmp(checks[i].name, "losses-marked") == 0 ||
                      strncmp(checks[i].name, "log-", 4) == 0;
        assert_status(w, checks[i].name, untold ? ORACLE_NO_DATA : ORACLE_PASS);
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

/* That nothing is to be there, and nothing is, was looked at like any row. */
static void nothing_left_is_data(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    done(w, deletion(w, 1));
    finish(w);
    assert_status(w, "rows-agree", ORACLE_PASS);
    assert_status(w, "no-lost-embedding", ORACLE_PASS);
    assert_status(w, "standby-complete", ORACLE_NO_DATA);
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
    assert_only(w, "no-duplicate-row audit-stream"); /* nor is it an event that readers saw */
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
    tell_stream(w, &row);
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

/* Where rows are written as a whole, a vector that was kept is as good as metadata alone; one that
 * was made anew is needless. */
static void needless_only_when_made(void **state) {
    (void)state;
    struct world *w = world_of((struct oracle_options){.vectors_whole = true});
    struct made made;
    done(w, creation(w, 1));
    tell(w, price_change(w, 1, 5));
    make_vectors(w, &w->folded[1], 1u << MODALITY_TEXT, &made);
    struct vector_write write = vector_write_of(&w->folded[1], MODALITY_TEXT, &made);
    struct embed_item item = {
        .listing_id = 1, .modalities = 1u << MODALITY_TEXT, .content = {write.meta.content_hash}};
    struct embed_result result = {
        .status = ITEM_APPLIED, .model_version = 1, .reused = 1u << MODALITY_TEXT};
    oracle_embedded(w->o, w->now, &item, &result, 1);
    write_vector(w, MODALITY_TEXT, &write);
    assert_only(w, "");
    result.reused = 0;
    oracle_embedded(w->o, w->now, &item, &result, 1);
    assert_only(w, "embedding-economy");
    world_free(w);
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

/* A version that readers saw, and of which nobody says what made it (A11): however the listing goes
 * on, and although its present version is accounted for. */
static void nobody_says_what_made_it(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    w->audit_off = true;
    done(w, price_change(w, 1, 5));
    w->audit_off = false;
    done(w, price_change(w, 1, 6));
    finish(w);
    assert_only(w, "audit-complete");
    world_free(w);
}

/* What the nightly batch makes of bronze is not what the stream made: another document, one that
 * gold does not have, one that bronze does not know, another bucket of sales (A17). */
static void batch_differs(void **state) {
    (void)state;
    struct document_row other = {.listing_id = 1, .version = 99, .alive = true};
    struct document_row more = {.listing_id = 77, .version = 1, .alive = true};
    struct sales_row sales = {
        .category = bytes_of("toys"), .hour = {1800000 * VTIME_SECOND * 1000}, .orders = 1};
    const struct warehouse_batch batches[] = {
        {.rebuilt = &other, .rebuilt_count = 1},
        {.rebuilt = &more, .rebuilt_count = 1},
        {.rebuilt_sales_given = true,
         .rebuilt_to = VTIME_NEVER,
         .rebuilt_sales = &sales,
         .rebuilt_sales_count = 1},
    };
    for (size_t i = 0; i < 4; i++) {
        struct world *w = world_new();
        done(w, creation(w, 1));
        rebuild(w);
        if (i < 3) {
            struct warehouse_port port = fake_warehouse_port(w->warehouse);
            assert_int_equal(port.ops->load(port.ctx, w->now, &batches[i]), 0);
        } else {
            done(w, creation(w, 2)); /* bronze lost its record */
        }
        finish(w);
        assert_only(w, "batch-equals-stream");
        world_free(w);
    }
}

/* The log lost a record that gold had taken, and it was said again: the batch makes the same of it
 * in a later version. Where the log lost nothing, or in an earlier one, that is a difference. */
static void batch_of_what_was_said_again(void **state) {
    (void)state;
    static const struct {
        bool lost;
        doc_version later;
        enum oracle_status status;
    } cases[] = {{true, 3, ORACLE_PASS}, {false, 3, ORACLE_FAIL}, {true, -1, ORACLE_FAIL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new();
        struct message m = creation(w, 1);
        done(w, m);
        struct message routed = routed_form(&m, 1);
        struct log_record record = {.offset = w->offsets[TOPIC_LISTING_LOG] - 1,
                                    .append = w->now,
                                    .value = message_bytes(&routed)};
        if (cases[i].lost) {
            oracle_truncated(w->o, w->now, TOPIC_LISTING_LOG, 0, &record);
        }
        rebuild_later(w, cases[i].later);
        finish(w);
        assert_status(w, "batch-equals-stream", cases[i].status);
        world_free(w);
    }
}

/* After its two years a warehouse still has a version that was over long ago, and its audit row
 * (A16). */
static void kept_too_long(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    done(w, price_change(w, 1, 5));
    w->now = vtime_add(w->now, 800 * VTIME_DAY);
    finish(w);
    assert_only(w, "retention");
    world_free(w);
}

/* Once all that was dropped, nothing is missed. */
static void dropped_in_time(void **state) {
    (void)state;
    struct world *w = world_new();
    done(w, creation(w, 1));
    done(w, price_change(w, 1, 5));
    w->now = vtime_add(w->now, 800 * VTIME_DAY);
    assert_int_equal(fake_warehouse_expire(w->warehouse, w->now), 0);
    finish(w);
    assert_only(w, "");
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
        cmocka_unit_test(nothing_left_is_data),
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
        cmocka_unit_test(needless_only_when_made),
        cmocka_unit_test(another_model_is_not_needless),
        cmocka_unit_test(lost_embedding),
        cmocka_unit_test(nobody_says_what_made_it),
        cmocka_unit_test(batch_differs),
        cmocka_unit_test(batch_of_what_was_said_again),
        cmocka_unit_test(kept_too_long),
        cmocka_unit_test(dropped_in_time),
        cmocka_unit_test(rows_disagree),
        cmocka_unit_test(dead_letters),
        cmocka_unit_test(letter_for_a_refused_row),
        cmocka_unit_test(letter_for_broken_bytes),
        cmocka_unit_test(random_good_runs_pass),
        cmocka_unit_test(out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
