/* The document builder writes the vectors of several model versions (A10): which listings go where,
 * in which order, and what is remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/builder_script.h"

static void backfill(struct script *s, size_t count, const uint64_t *ids) {
    script_command_model(s, COMMAND_REPAIR, SCAN_VECTOR_TEXT, 2, count, ids);
}

/* Listings 7 and 8 are written for model 1, and model 2 is written beside it. */
static struct script *shadowed_with(const struct pipeline_config *config, const struct bugs *bugs) {
    struct script *s = builder_begun(config, bugs);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp seller=3", "listing 8 @1 title=Desk seller=3"));
    builder_settle(s);
    builder_announce(s, TEXTS("control models @10 model=1 other=2"));
    script_skip(s);
    return s;
}

static struct script *shadowed(void) {
    return shadowed_with(NULL, NULL);
}

/* A change while a shadow is open goes to both models, each with its own vectors; the keyword row
 * is written once. Listings that do not change stay out of the shadow. */
static void test_dual_write(void **state) {
    (void)state;
    struct script *s = shadowed();
    builder_log(s, TEXTS("listing 7 @11 title=Torch"));
    assert_true(script_said(s, "embed\n    7 text fused 'Torch'\n"));
    assert_true(script_said(s, "embed v2\n    7 text fused 'Torch'\n"));
    script_skip(s);
    builder_settle_model(s, 2);
    assert_true(script_said(s, "write-vectors text v2\n    upsert 7 v2\n"));
    assert_true(script_said(s, "write-vectors image v2\n    delete 7 v2\n"));
    assert_false(script_said(s, " 8 "));
    builder_settle(s);
    script_skip(s);
    builder_log(s, TEXTS("listing 7 @12 price=4"));
    assert_true(script_said(s, "write-vectors text v2\n    metadata 7 v3\n"));
    assert_true(script_said(s, "write-vectors text\n    metadata 7 v3\n"));
    script_free(s);
}

/* What is gone is deleted in a shadow as it opens, nobody being there to name it: collections of
 * that name may have been dropped, and a write that was meant for them comes late (A8, A10). */
static void test_what_is_gone_stays_gone_in_a_shadow(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp seller=3", "listing 8 @1 title=Desk seller=3"));
    builder_settle(s);
    builder_log(s, TEXTS("listing 7 @2 delete"));
    builder_settle(s);
    script_skip(s);
    builder_announce(s, TEXTS("control models @10 model=1 other=2"));
    assert_true(script_said(s, "write-vectors text v2\n    delete 7 v2\n"));
    assert_true(script_said(s, "write-vectors fused v2\n    delete 7 v2\n"));
    assert_false(script_said(s, " 8 "));
    script_free(s);
}

/* While two models are written, no vector is before the audit tells of it (A11): after a crash one
 * of the models may be retired, and nobody would tell of it later. With one model it need not wait.
 */
static void test_two_models_wait_for_the_audit(void **state) {
    (void)state;
    struct script *s = builder_begun_auditing(NULL, NULL);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp seller=3"));
    uint64_t audit = script_newest(s, EFFECT_PRODUCE);
    script_answer(s, builder_request(s, EFFECT_EMBED, 1));
    assert_int_not_equal(builder_request(s, EFFECT_WRITE_VECTORS, 1), 0);
    script_answer(s, audit);
    builder_settle(s);
    builder_announce(s, TEXTS("control models @10 model=1 other=2"));
    builder_log(s, TEXTS("listing 7 @12 price=4"));
    audit = script_newest(s, EFFECT_PRODUCE);
    assert_int_not_equal(audit, 0);
    assert_int_equal(builder_request(s, EFFECT_WRITE_VECTORS, 1), 0);
    script_answer(s, audit);
    assert_int_not_equal(builder_request(s, EFFECT_WRITE_VECTORS, 1), 0);
    script_free(s);
}

/* What is written to a collection names its model version. */
static void test_rows_name_their_model(void **state) {
    (void)state;
    struct script *s = shadowed();
    builder_log(s, TEXTS("listing 7 @11 price=5"));
    assert_int_equal(builder_request(s, EFFECT_EMBED, 1), 0);
    builder_settle_model(s, 1);
    script_answer(s, builder_request(s, EFFECT_EMBED, 2));
    const struct effect *write = script_request(s, builder_request(s, EFFECT_WRITE_VECTORS, 2));
    assert_int_equal(write->vectors.items[0].meta.model_version, 2);
    script_free(s);
}

/* A repair that names the shadow takes the listing in with all its rows, once, whichever row it
 * names first (backfill); from then on its changes go there too. */
static void test_backfill_joins(void **state) {
    (void)state;
    struct script *s = shadowed();
    backfill(s, 2, (const uint64_t[]){7, 99});
    script_expect(s, "#12 embed v2\n    7 text fused 'Lamp'\n");
    script_command_model(s, COMMAND_REPAIR, SCAN_VECTOR_FUSED, 2, 1, (const uint64_t[]){7});
    script_expect(s, "");
    builder_settle(s);
    assert_true(script_said(s, "write-vectors fused v2\n    upsert 7 v0\n"));
    assert_true(script_said(s, "write-vectors image v2\n    delete 7 v0\n"));
    script_skip(s);
    builder_log(s, TEXTS("listing 7 @12 price=4"));
    assert_true(script_said(s, "write-vectors text v2\n    metadata 7 v2\n"));
    builder_settle(s);
    script_skip(s);
    /* A row of a listing that has joined is repaired like a served one. */
    script_command_model(s, COMMAND_REPAIR, SCAN_VECTOR_TEXT, 2, 1, (const uint64_t[]){7});
    builder_settle(s);
    assert_true(script_said(s, "write-vectors text v2\n    upsert 7 v2 or equal\n"));
    assert_false(script_said(s, "write-vectors text\n"));
    script_free(s);
}

/* A repair of a model that is not written is none of the builder's business. */
static void test_repair_of_another_model(void **state) {
    (void)state;
    struct script *s = shadowed();
    script_command_model(s, COMMAND_REPAIR, SCAN_VECTOR_TEXT, 3, 1, (const uint64_t[]){7});
    script_expect(s, "");
    script_free(s);
}

/* Lanes, and who has joined them, are in the checkpoint: a builder that restarts at any moment goes
 * on where it was, and writes what it must, once more if need be. */
static void test_restart_at_every_step(void **state) {
    (void)state;
    for (int steps = 0; steps < 5; steps++) {
        struct script *s = shadowed();
        if (steps > 0) {
            backfill(s, 1, (const uint64_t[]){7});
        }
        if (steps > 1) {
            script_answer(s, builder_request(s, EFFECT_EMBED, 2));
        }
        if (steps > 2) {
            builder_settle_model(s, 2);
        }
        if (steps > 3) {
            builder_log(s, TEXTS("listing 7 @12 price=4"));
        }
        builder_checkpoint(s);
        builder_restart(s, 2);
        assert_int_equal(script_request(s, builder_fetch(s, TOPIC_CONTROL))->fetch.offset, 1);
        assert_int_equal(script_said(s, "embed v2\n    7"), steps == 1 || steps == 2);
        assert_int_equal(script_said(s, "write-vectors text v2\n    metadata 7 v2\n"), steps == 4);
        builder_settle(s);
        script_skip(s);
        builder_log(s, TEXTS("listing 7 @20 price=9", "listing 8 @20 price=9"));
        assert_int_equal(script_said(s, "write-vectors text v2\n    metadata 7"), steps > 0);
        assert_int_equal(script_said(s, "embed v2\n    7 text fused"), steps == 0);
        script_free(s);
    }
}

/* A change that was written to a shadow, and is folded anew after a crash, goes there again: the
 * log is not read before the announcements are. */
static void test_restart_without_a_checkpoint(void **state) {
    (void)state;
    struct script *s = shadowed();
    builder_reload(s, 2);
    assert_int_equal(builder_fetch(s, TOPIC_LISTING_LOG), 0);
    builder_announce(s, TEXTS("control models @10 model=1 other=2"));
    assert_int_equal(builder_fetch(s, TOPIC_LISTING_LOG), 0);
    builder_announce(s, TEXTS(NULL));
    builder_log(s, TEXTS("listing 7 @1 title=Lamp seller=3"));
    assert_true(script_said(s, "embed\n    7 text fused 'Lamp'\n"));
    assert_true(script_said(s, "embed v2\n    7 text fused 'Lamp'\n"));
    script_free(s);
}

/* An announcement that is read again changes nothing; one that is older than what was obeyed is the
 * word of a controller that was replaced. */
static void test_announcements_repeat(void **state) {
    (void)state;
    struct script *s = shadowed();
    backfill(s, 1, (const uint64_t[]){7});
    builder_settle(s);
    script_skip(s);
    builder_announce(s, TEXTS("control models @10 model=1 other=2", "control models @9 model=1",
                              "control upgrade @11 model=3", "!rubbish"));
    assert_true(script_said(s, "letter control/0/4 record:"));
    builder_settle(s);
    script_skip(s);
    builder_log(s, TEXTS("listing 7 @12 price=4"));
    assert_true(script_said(s, "write-vectors text v2\n    metadata 7 v2\n"));
    script_free(s);
}

/* An upgrader that was replaced and does not know it yet has a later clock and a lower number: the
 * number counts. */
static void test_overtaken_announcement(void **state) {
    (void)state;
    struct script *s = shadowed();
    builder_announce(
        s, TEXTS("control models @20 model=1 other=2 id=7", "control models @30 model=1 id=6"));
    builder_settle(s);
    script_skip(s);
    builder_log(s, TEXTS("listing 7 @31 price=4"));
    builder_settle(s);
    assert_true(script_said(s, "write-vectors text v2\n"));
    script_free(s);
}

/* A closed lane is forgotten: what was under way for it is not heard, and not sent again, whatever
 * its collections say. Opened again it is another: nothing of the former one is taken for granted.
 */
static void test_close(void **state) {
    (void)state;
    struct script *s = shadowed();
    backfill(s, 2, (const uint64_t[]){7, 8});
    script_answer(s, builder_request(s, EFFECT_EMBED, 2));
    uint64_t write = builder_request(s, EFFECT_WRITE_VECTORS, 2);
    script_fail(s, write, PORT_NOT_FOUND);
    assert_true(script_said(s, "resend"));
    builder_announce(s, TEXTS("control models @20 model=1"));
    script_skip(s);
    script_fail(s, write, PORT_NOT_FOUND);
    script_answer_items(s, builder_request(s, EFFECT_WRITE_VECTORS, 2), "ru");
    script_answer(s, builder_request(s, EFFECT_WRITE_VECTORS, 2));
    script_expect(s, "");
    assert_int_equal(script_newest(s, EFFECT_WRITE_VECTORS), 0);
    builder_log(s, TEXTS("listing 7 @21 price=4"));
    assert_false(script_said(s, "v2\n    7"));
    builder_settle(s);
    builder_checkpoint(s);
    builder_announce(s, TEXTS("control models @30 model=1 other=2"));
    script_skip(s);
    builder_log(s, TEXTS("listing 7 @31 price=5"));
    assert_true(script_said(s, "embed v2\n    7 text fused 'Lamp'\n"));
    script_free(s);
}

/* The checkpoint of a listing that was not saved since its lane was closed and opened again names
 * the former lane: it counts for nothing. */
static void test_reopened_lane_after_a_restart(void **state) {
    (void)state;
    struct script *s = shadowed();
    backfill(s, 1, (const uint64_t[]){7});
    builder_settle(s);
    builder_checkpoint(s);
    builder_announce(s, TEXTS("control models @20 model=1", "control models @30 model=1 other=2"));
    builder_checkpoint(s);
    builder_restart(s, 2);
    script_expect(s, "");
    builder_log(s, TEXTS("listing 7 @31 price=5"));
    assert_true(script_said(s, "embed v2\n    7 text fused 'Lamp'\n"));
    script_free(s);
}

/* After the cutover the former model is written on, so that a rollback finds every write that was
 * made since; a rollback needs no embedding. */
static void test_cutover_and_rollback(void **state) {
    (void)state;
    struct script *s = shadowed();
    backfill(s, 2, (const uint64_t[]){7, 8});
    builder_settle(s);
    script_skip(s);
    builder_announce(s, TEXTS("control models @20 model=2 other=1"));
    script_expect(s, "");
    builder_log(s, TEXTS("listing 8 @21 price=4"));
    assert_true(script_said(s, "write-vectors text\n    metadata 8 v2\n"));
    assert_true(script_said(s, "write-vectors text v2\n    metadata 8 v2\n"));
    builder_settle(s);
    builder_checkpoint(s);
    builder_restart(s, 2);
    script_skip(s);
    builder_announce(s, TEXTS("control models @30 model=1 other=2"));
    builder_settle(s);
    script_expect(s, "");
    script_free(s);
}

/* A shadow that is served before its backfill is complete has every listing joined at once. */
static void test_cutover_too_early(void **state) {
    (void)state;
    struct script *s = shadowed();
    builder_announce(s, TEXTS("control models @20 model=2 other=1"));
    script_expect(s, "#12 embed v2\n"
                     "    7 text fused 'Lamp'\n"
                     "    8 text fused 'Desk'\n");
    script_free(s);
}

/* A shadow whose store and embedding service fail holds up neither the served model, nor the
 * keyword row, nor the log. */
static void test_failing_shadow_holds_nothing_up(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .backlog_max = 2};
    struct script *s = builder_begun(&config, NULL);
    builder_announce(s, TEXTS("control models @10 model=1 other=2"));
    for (uint64_t i = 0; i < 4; i++) {
        char change[64];
        snprintf(change, sizeof change, "listing %d @%d title=Lamp", (int)i + 1, (int)i + 11);
        builder_log(s, TEXTS(change));
        uint64_t shadow = builder_request(s, EFFECT_EMBED, 2);
        if (i == 0) {
            script_fail(s, shadow, PORT_UNAVAILABLE);
        }
        builder_settle_model(s, 1);
        script_answer(s, script_newest(s, EFFECT_WRITE_KEYWORDS));
        assert_true(builder_fetch(s, TOPIC_LISTING_LOG) != 0);
        assert_int_equal(builder_requests(s, EFFECT_EMBED, 2), 1);
    }
    /* The service is back: what waited goes, and each listing once. */
    script_skip(s);
    builder_settle(s);
    assert_true(script_said(s, "embed v2\n"
                               "    2 text fused 'Lamp'\n"
                               "    3 text fused 'Lamp'\n"
                               "    4 text fused 'Lamp'\n"));
    script_free(s);
}

/* What readers see goes first. */
static void test_served_lane_first(void **state) {
    (void)state;
    struct script *s = shadowed();
    builder_announce(s, TEXTS("control models @20 model=2 other=1"));
    builder_settle(s);
    script_skip(s);
    builder_log(s, TEXTS("listing 7 @21 delete"));
    script_expect(s, "#17 write-vectors text v2\n    delete 7 v2\n"
                     "#18 write-vectors fused v2\n    delete 7 v2\n"
                     "#19 write-keywords\n    delete 7 v2\n"
                     "#20 write-vectors text\n    delete 7 v2\n"
                     "#21 write-vectors fused\n    delete 7 v2\n");
    script_free(s);
}

/* No more listings than allowed are under way for the backfill, and live changes pass it. */
static void test_backfill_is_bounded(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .backfill_in_flight_max = 1};
    struct script *s = shadowed_with(&config, NULL);
    builder_log(s, TEXTS("listing 9 @10 title=Chair"));
    builder_settle(s);
    script_skip(s);
    backfill(s, 2, (const uint64_t[]){7, 8});
    assert_true(script_said(s, "embed v2\n    7 text fused 'Lamp'\n"));
    assert_false(script_said(s, "Desk"));
    script_skip(s);
    builder_log(s, TEXTS("listing 9 @12 title=Stool"));
    assert_true(script_said(s, "embed v2\n    9 text fused 'Stool'\n"));
    builder_settle_model(s, 1);
    assert_false(script_said(s, "Desk"));
    script_answer(s, builder_request(s, EFFECT_EMBED, 2));
    assert_false(script_said(s, "Desk"));
    builder_settle_model(s, 2);
    assert_true(script_said(s, "embed v2\n    8 text fused 'Desk'\n"));
    script_free(s);
}

/* While the served model waits for the embedding service, backfill does not add to its load. */
static void test_backfill_gives_way(void **state) {
    (void)state;
    struct pipeline_config config = {
        .partitions = 1, .embed_requests_max = 1, .embed_batch_max = 1};
    struct script *s = builder_begun(&config, NULL);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp"));
    builder_settle(s);
    builder_announce(s, TEXTS("control models @10 model=1 other=2"));
    builder_log(s, TEXTS("listing 8 @11 title=Desk", "listing 9 @11 title=Chair"));
    builder_settle_model(s, 2);
    script_skip(s);
    backfill(s, 1, (const uint64_t[]){7});
    script_expect(s, "");
    script_answer(s, builder_request(s, EFFECT_EMBED, 1));
    assert_true(script_said(s, "embed v2\n    7 text fused 'Lamp'\n"));
    script_free(s);
}

/* A listing that changes while it waits for the backfill is a live change, and goes ahead. */
static void test_live_change_overtakes_the_backfill(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .backfill_in_flight_max = 1};
    struct script *s = shadowed_with(&config, NULL);
    backfill(s, 2, (const uint64_t[]){7, 8});
    script_skip(s);
    builder_log(s, TEXTS("listing 8 @12 delete"));
    assert_true(script_said(s, "write-vectors text v2\n    delete 8 v2\n"));
    builder_settle(s);
    script_skip(s);
    builder_log(s, TEXTS("listing 8 @13 title=Sofa"));
    builder_settle(s);
    assert_true(script_said(s, "write-vectors text v2\n    upsert 8 v3\n"));
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dual_write),
        cmocka_unit_test(test_what_is_gone_stays_gone_in_a_shadow),
        cmocka_unit_test(test_two_models_wait_for_the_audit),
        cmocka_unit_test(test_rows_name_their_model),
        cmocka_unit_test(test_backfill_joins),
        cmocka_unit_test(test_repair_of_another_model),
        cmocka_unit_test(test_restart_at_every_step),
        cmocka_unit_test(test_restart_without_a_checkpoint),
        cmocka_unit_test(test_announcements_repeat),
        cmocka_unit_test(test_overtaken_announcement),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_reopened_lane_after_a_restart),
        cmocka_unit_test(test_cutover_and_rollback),
        cmocka_unit_test(test_cutover_too_early),
        cmocka_unit_test(test_failing_shadow_holds_nothing_up),
        cmocka_unit_test(test_served_lane_first),
        cmocka_unit_test(test_backfill_is_bounded),
        cmocka_unit_test(test_backfill_gives_way),
        cmocka_unit_test(test_live_change_overtakes_the_backfill),
    };
    return cmocka_run_group_tests_name("builder lanes", tests, NULL, NULL);
}
