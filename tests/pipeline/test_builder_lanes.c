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

#include "tests/support/machine_script.h"

static const uint32_t only[] = {0};

/* The newest fetch of a topic that waits, or 0. */
static uint64_t fetch_of(struct script *s, enum topic_id topic) {
    for (uint64_t i = script_newest(s, EFFECT_FETCH); i > 0; i--) {
        if (script_waits(s, i) && script_request(s, i)->kind == EFFECT_FETCH &&
            script_request(s, i)->fetch.topic == topic) {
            return i;
        }
    }
    return 0;
}

/* Hands records to the fetch of their topic, behind those that it had before. */
static void log_records(struct script *s, const char *const *texts) {
    uint64_t fetch = fetch_of(s, TOPIC_LISTING_LOG);
    script_records(s, fetch, script_request(s, fetch)->fetch.offset, texts);
}

static void announce(struct script *s, const char *const *texts) {
    uint64_t fetch = fetch_of(s, TOPIC_CONTROL);
    script_records(s, fetch, script_request(s, fetch)->fetch.offset, texts);
}

static void backfill(struct script *s, size_t count, const uint64_t *ids) {
    script_command_model(s, COMMAND_REPAIR, SCAN_VECTOR_TEXT, 2, count, ids);
}

static bool told(const struct script *s, const char *text) {
    return strstr(script_told(s), text) != NULL;
}

/* The oldest request of a kind and a model version that waits, or 0. */
static uint64_t request_of(struct script *s, enum effect_kind kind, uint32_t model) {
    for (uint64_t i = 1; i <= script_newest(s, kind); i++) {
        if (!script_waits(s, i) || script_request(s, i)->kind != kind) {
            continue;
        }
        const struct effect *e = script_request(s, i);
        if (kind == EFFECT_EMBED ? e->embed.model_version == model
                                 : e->vectors.model_version == model) {
            return i;
        }
    }
    return 0;
}

static size_t requests_of(struct script *s, enum effect_kind kind, uint32_t model) {
    size_t count = 0;
    for (uint64_t i = 1; i <= script_newest(s, kind); i++) {
        if (script_waits(s, i) && script_request(s, i)->kind == kind) {
            const struct effect *e = script_request(s, i);
            count +=
                (kind == EFFECT_EMBED ? e->embed.model_version : e->vectors.model_version) == model;
        }
    }
    return count;
}

/* Answers what is under way for a model, and what that brings. */
static void settle_model(struct script *s, uint32_t model) {
    uint64_t request;
    while ((request = request_of(s, EFFECT_EMBED, model)) != 0 ||
           (request = request_of(s, EFFECT_WRITE_VECTORS, model)) != 0) {
        script_answer(s, request);
    }
}

static void settle(struct script *s) {
    static const enum effect_kind kinds[] = {EFFECT_EMBED, EFFECT_WRITE_VECTORS,
                                             EFFECT_WRITE_KEYWORDS, EFFECT_PRODUCE,
                                             EFFECT_SAVE_STATE};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds;) {
        uint64_t request = script_newest(s, kinds[i]);
        if (request == 0) {
            i++;
            continue;
        }
        script_answer(s, request);
        i = 0;
    }
}

static void checkpoint(struct script *s) {
    while (script_newest(s, EFFECT_SAVE_STATE) == 0) {
        script_timer(s);
    }
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
}

static void restart(struct script *s, uint32_t generation) {
    script_restart(s);
    script_assign(s, generation, 1, only);
    script_skip(s);
    script_load(s, 1);
}

static struct script *begun(const struct pipeline_config *config, const struct bugs *bugs) {
    struct script *s = script_new(MACHINE_BUILDER, config, bugs);
    script_begin(s);
    s->quiet_fetch = true;
    return s;
}

/* Listings 7 and 8 are written for model 1, and model 2 is written beside it. */
static struct script *shadowed_with(const struct pipeline_config *config, const struct bugs *bugs) {
    struct script *s = begun(config, bugs);
    log_records(s, TEXTS("listing 7 @1 title=Lamp seller=3", "listing 8 @1 title=Desk seller=3"));
    settle(s);
    announce(s, TEXTS("control models @10 model=1 other=2"));
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
    log_records(s, TEXTS("listing 7 @11 title=Torch"));
    assert_true(told(s, "embed\n    7 text fused 'Torch'\n"));
    assert_true(told(s, "embed v2\n    7 text fused 'Torch'\n"));
    script_skip(s);
    settle_model(s, 2);
    assert_true(told(s, "write-vectors text v2\n    upsert 7 v2\n"));
    assert_true(told(s, "write-vectors image v2\n    delete 7 v2\n"));
    assert_false(told(s, " 8 "));
    settle(s);
    script_skip(s);
    log_records(s, TEXTS("listing 7 @12 price=4"));
    assert_true(told(s, "write-vectors text v2\n    metadata 7 v3\n"));
    assert_true(told(s, "write-vectors text\n    metadata 7 v3\n"));
    script_free(s);
}

/* What is written to a collection names its model version. */
static void test_rows_name_their_model(void **state) {
    (void)state;
    struct script *s = shadowed();
    log_records(s, TEXTS("listing 7 @11 price=5"));
    assert_int_equal(request_of(s, EFFECT_EMBED, 1), 0);
    settle_model(s, 1);
    script_answer(s, request_of(s, EFFECT_EMBED, 2));
    const struct effect *write = script_request(s, request_of(s, EFFECT_WRITE_VECTORS, 2));
    assert_int_equal(write->vectors.items[0].meta.model_version, 2);
    script_free(s);
}

/* A repair that names the shadow takes the listing in with all its rows, once, whichever row it
 * names first (backfill); from then on its changes go there too. */
static void test_backfill_joins(void **state) {
    (void)state;
    struct script *s = shadowed();
    backfill(s, 2, (const uint64_t[]){7, 99});
    script_expect(s, "#11 embed v2\n    7 text fused 'Lamp'\n");
    script_command_model(s, COMMAND_REPAIR, SCAN_VECTOR_FUSED, 2, 1, (const uint64_t[]){7});
    script_expect(s, "");
    settle(s);
    assert_true(told(s, "write-vectors fused v2\n    upsert 7 v0\n"));
    assert_true(told(s, "write-vectors image v2\n    delete 7 v0\n"));
    script_skip(s);
    log_records(s, TEXTS("listing 7 @12 price=4"));
    assert_true(told(s, "write-vectors text v2\n    metadata 7 v2\n"));
    settle(s);
    script_skip(s);
    /* A row of a listing that has joined is repaired like a served one. */
    script_command_model(s, COMMAND_REPAIR, SCAN_VECTOR_TEXT, 2, 1, (const uint64_t[]){7});
    settle(s);
    assert_true(told(s, "write-vectors text v2\n    upsert 7 v2 or equal\n"));
    assert_false(told(s, "write-vectors text\n"));
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
            script_answer(s, request_of(s, EFFECT_EMBED, 2));
        }
        if (steps > 2) {
            settle_model(s, 2);
        }
        if (steps > 3) {
            log_records(s, TEXTS("listing 7 @12 price=4"));
        }
        checkpoint(s);
        restart(s, 2);
        assert_int_equal(script_request(s, fetch_of(s, TOPIC_CONTROL))->fetch.offset, 1);
        assert_int_equal(told(s, "embed v2\n    7"), steps == 1 || steps == 2);
        assert_int_equal(told(s, "write-vectors text v2\n    metadata 7 v2\n"), steps == 4);
        settle(s);
        script_skip(s);
        log_records(s, TEXTS("listing 7 @20 price=9", "listing 8 @20 price=9"));
        assert_int_equal(told(s, "write-vectors text v2\n    metadata 7"), steps > 0);
        assert_int_equal(told(s, "embed v2\n    7 text fused"), steps == 0);
        script_free(s);
    }
}

/* Without a checkpoint the announcements are read again, and nothing goes wrong. */
static void test_restart_without_a_checkpoint(void **state) {
    (void)state;
    struct script *s = shadowed();
    restart(s, 2);
    announce(s, TEXTS("control models @10 model=1 other=2"));
    log_records(s, TEXTS("listing 7 @1 title=Lamp seller=3"));
    assert_true(told(s, "embed\n    7 text fused 'Lamp'\n"));
    assert_true(told(s, "embed v2\n    7 text fused 'Lamp'\n"));
    script_free(s);
}

/* An announcement that is read again changes nothing; one that is older than what was obeyed is the
 * word of a controller that was replaced. */
static void test_announcements_repeat(void **state) {
    (void)state;
    struct script *s = shadowed();
    backfill(s, 1, (const uint64_t[]){7});
    settle(s);
    script_skip(s);
    announce(s, TEXTS("control models @10 model=1 other=2", "control models @9 model=1",
                      "control upgrade @11 model=3", "!rubbish"));
    assert_true(told(s, "letter control/0/4 record:"));
    settle(s);
    script_skip(s);
    log_records(s, TEXTS("listing 7 @12 price=4"));
    assert_true(told(s, "write-vectors text v2\n    metadata 7 v2\n"));
    script_free(s);
}

/* A closed lane is forgotten: what was under way for it is not heard, and not sent again, whatever
 * its collections say. Opened again it is another: nothing of the former one is taken for granted.
 */
static void test_close(void **state) {
    (void)state;
    struct script *s = shadowed();
    backfill(s, 2, (const uint64_t[]){7, 8});
    script_answer(s, request_of(s, EFFECT_EMBED, 2));
    uint64_t write = request_of(s, EFFECT_WRITE_VECTORS, 2);
    script_fail(s, write, PORT_NOT_FOUND);
    assert_true(told(s, "resend"));
    announce(s, TEXTS("control models @20 model=1"));
    script_skip(s);
    script_fail(s, write, PORT_NOT_FOUND);
    script_answer_items(s, request_of(s, EFFECT_WRITE_VECTORS, 2), "ru");
    script_answer(s, request_of(s, EFFECT_WRITE_VECTORS, 2));
    script_expect(s, "");
    assert_int_equal(script_newest(s, EFFECT_WRITE_VECTORS), 0);
    log_records(s, TEXTS("listing 7 @21 price=4"));
    assert_false(told(s, "v2\n    7"));
    settle(s);
    checkpoint(s);
    announce(s, TEXTS("control models @30 model=1 other=2"));
    script_skip(s);
    log_records(s, TEXTS("listing 7 @31 price=5"));
    assert_true(told(s, "embed v2\n    7 text fused 'Lamp'\n"));
    script_free(s);
}

/* The checkpoint of a listing that was not saved since its lane was closed and opened again names
 * the former lane: it counts for nothing. */
static void test_reopened_lane_after_a_restart(void **state) {
    (void)state;
    struct script *s = shadowed();
    backfill(s, 1, (const uint64_t[]){7});
    settle(s);
    checkpoint(s);
    announce(s, TEXTS("control models @20 model=1", "control models @30 model=1 other=2"));
    checkpoint(s);
    restart(s, 2);
    script_expect(s, "");
    log_records(s, TEXTS("listing 7 @31 price=5"));
    assert_true(told(s, "embed v2\n    7 text fused 'Lamp'\n"));
    script_free(s);
}

/* After the cutover the former model is written on, so that a rollback finds every write that was
 * made since; a rollback needs no embedding. */
static void test_cutover_and_rollback(void **state) {
    (void)state;
    struct script *s = shadowed();
    backfill(s, 2, (const uint64_t[]){7, 8});
    settle(s);
    script_skip(s);
    announce(s, TEXTS("control models @20 model=2 other=1"));
    script_expect(s, "");
    log_records(s, TEXTS("listing 8 @21 price=4"));
    assert_true(told(s, "write-vectors text\n    metadata 8 v2\n"));
    assert_true(told(s, "write-vectors text v2\n    metadata 8 v2\n"));
    settle(s);
    checkpoint(s);
    restart(s, 2);
    script_skip(s);
    announce(s, TEXTS("control models @30 model=1 other=2"));
    settle(s);
    script_expect(s, "");
    script_free(s);
}

/* A shadow that is served before its backfill is complete has every listing joined at once. */
static void test_cutover_too_early(void **state) {
    (void)state;
    struct script *s = shadowed();
    announce(s, TEXTS("control models @20 model=2 other=1"));
    script_expect(s, "#11 embed v2\n"
                     "    7 text fused 'Lamp'\n"
                     "    8 text fused 'Desk'\n");
    script_free(s);
}

/* A shadow whose store and embedding service fail holds up neither the served model, nor the
 * keyword row, nor the log. */
static void test_failing_shadow_holds_nothing_up(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .backlog_max = 2};
    struct script *s = begun(&config, NULL);
    announce(s, TEXTS("control models @10 model=1 other=2"));
    for (uint64_t i = 0; i < 4; i++) {
        char change[64];
        snprintf(change, sizeof change, "listing %d @%d title=Lamp", (int)i + 1, (int)i + 11);
        log_records(s, TEXTS(change));
        uint64_t shadow = request_of(s, EFFECT_EMBED, 2);
        if (i == 0) {
            script_fail(s, shadow, PORT_UNAVAILABLE);
        }
        settle_model(s, 1);
        script_answer(s, script_newest(s, EFFECT_WRITE_KEYWORDS));
        assert_true(fetch_of(s, TOPIC_LISTING_LOG) != 0);
        assert_int_equal(requests_of(s, EFFECT_EMBED, 2), 1);
    }
    /* The service is back: what waited goes, and each listing once. */
    script_skip(s);
    settle(s);
    assert_true(told(s, "embed v2\n"
                        "    2 text fused 'Lamp'\n"
                        "    3 text fused 'Lamp'\n"
                        "    4 text fused 'Lamp'\n"));
    script_free(s);
}

/* What readers see goes first. */
static void test_served_lane_first(void **state) {
    (void)state;
    struct script *s = shadowed();
    announce(s, TEXTS("control models @20 model=2 other=1"));
    settle(s);
    script_skip(s);
    log_records(s, TEXTS("listing 7 @21 delete"));
    script_expect(s, "#16 write-vectors text v2\n    delete 7 v2\n"
                     "#17 write-vectors fused v2\n    delete 7 v2\n"
                     "#18 write-keywords\n    delete 7 v2\n"
                     "#19 write-vectors text\n    delete 7 v2\n"
                     "#20 write-vectors fused\n    delete 7 v2\n");
    script_free(s);
}

/* No more listings than allowed are under way for the backfill, and live changes pass it. */
static void test_backfill_is_bounded(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .backfill_in_flight_max = 1};
    struct script *s = shadowed_with(&config, NULL);
    log_records(s, TEXTS("listing 9 @10 title=Chair"));
    settle(s);
    script_skip(s);
    backfill(s, 2, (const uint64_t[]){7, 8});
    assert_true(told(s, "embed v2\n    7 text fused 'Lamp'\n"));
    assert_false(told(s, "Desk"));
    script_skip(s);
    log_records(s, TEXTS("listing 9 @12 title=Stool"));
    assert_true(told(s, "embed v2\n    9 text fused 'Stool'\n"));
    settle_model(s, 1);
    assert_false(told(s, "Desk"));
    script_answer(s, request_of(s, EFFECT_EMBED, 2));
    assert_false(told(s, "Desk"));
    settle_model(s, 2);
    assert_true(told(s, "embed v2\n    8 text fused 'Desk'\n"));
    script_free(s);
}

/* While the served model waits for the embedding service, backfill does not add to its load. */
static void test_backfill_gives_way(void **state) {
    (void)state;
    struct pipeline_config config = {
        .partitions = 1, .embed_requests_max = 1, .embed_batch_max = 1};
    struct script *s = begun(&config, NULL);
    log_records(s, TEXTS("listing 7 @1 title=Lamp"));
    settle(s);
    announce(s, TEXTS("control models @10 model=1 other=2"));
    log_records(s, TEXTS("listing 8 @11 title=Desk", "listing 9 @11 title=Chair"));
    settle_model(s, 2);
    script_skip(s);
    backfill(s, 1, (const uint64_t[]){7});
    script_expect(s, "");
    script_answer(s, request_of(s, EFFECT_EMBED, 1));
    assert_true(told(s, "embed v2\n    7 text fused 'Lamp'\n"));
    script_free(s);
}

/* A listing that changes while it waits for the backfill is a live change, and goes ahead. */
static void test_live_change_overtakes_the_backfill(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .backfill_in_flight_max = 1};
    struct script *s = shadowed_with(&config, NULL);
    backfill(s, 2, (const uint64_t[]){7, 8});
    script_skip(s);
    log_records(s, TEXTS("listing 8 @12 delete"));
    assert_true(told(s, "write-vectors text v2\n    delete 8 v2\n"));
    settle(s);
    script_skip(s);
    log_records(s, TEXTS("listing 8 @13 title=Sofa"));
    settle(s);
    assert_true(told(s, "write-vectors text v2\n    upsert 8 v3\n"));
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dual_write),
        cmocka_unit_test(test_rows_name_their_model),
        cmocka_unit_test(test_backfill_joins),
        cmocka_unit_test(test_repair_of_another_model),
        cmocka_unit_test(test_restart_at_every_step),
        cmocka_unit_test(test_restart_without_a_checkpoint),
        cmocka_unit_test(test_announcements_repeat),
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
