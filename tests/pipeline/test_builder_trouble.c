/* What services and stores refuse, and how the document builder bears it (A8, A13, A14, A15). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/builder_script.h"

/* Listings 1 to 4 wait for their vectors in one request; keyword rows are written. */
static struct script *four_embedding(const struct pipeline_config *config) {
    struct script *s = builder_begun(config, NULL);
    builder_log(s, TEXTS("listing 1 @1 title=A", "listing 2 @1 title=B", "listing 3 @1 title=C",
                         "listing 4 @1 title=D"));
    script_answer(s, script_newest(s, EFFECT_WRITE_KEYWORDS));
    script_skip(s);
    return s;
}

static void by_another_model(struct embed_result *result) {
    result->model_version = 2;
}

static void of_another_dimension(struct embed_result *result) {
    result->dimensions[MODALITY_TEXT] /= 2;
}

static void no_number(struct embed_result *result) {
    result->vectors[MODALITY_TEXT][TEXT_DIMENSION - 1] = NAN;
}

static void beyond_numbers(struct embed_result *result) {
    result->vectors[MODALITY_TEXT][300] = INFINITY;
}

enum { FLAWS = 4 };
static const struct {
    void (*spoil)(struct embed_result *result);
    enum bug_id unchecked;
} flaws[FLAWS] = {
    {by_another_model, BUG_MODEL_UNCHECKED},
    {of_another_dimension, BUG_DIMENSION_UNCHECKED},
    {no_number, BUG_NUMBERS_UNCHECKED},
    {beyond_numbers, BUG_NUMBERS_UNCHECKED},
};

/* Vectors of another model or dimension than was asked for, and such as hold what is no number, are
 * not written; the service is asked again, and an alert says so once, and is taken back (C5). */
static void test_flawed_vectors(void **state) {
    (void)state;
    for (size_t f = 0; f < FLAWS; f++) {
        struct script *s = four_embedding(NULL);
        uint64_t embed = script_newest(s, EFFECT_EMBED);
        for (int i = 0; i < 2; i++) {
            script_spoil(s, embed, flaws[f].spoil);
            assert_int_equal(script_said(s, "alert embedding-model embedding error:"), i == 0);
            assert_true(script_said(s, "resend"));
            assert_int_equal(script_newest(s, EFFECT_WRITE_VECTORS), 0);
            script_skip(s);
        }
        script_answer(s, embed);
        assert_true(script_said(s, "alert embedding-model embedding cleared:"));
        assert_true(script_said(s, "write-vectors text\n    upsert 1 v0\n"));
        script_free(s);
    }
}

/* With the check taken away they are. */
static void test_flaws_unchecked(void **state) {
    (void)state;
    for (size_t f = 0; f < FLAWS; f++) {
        struct bugs bugs = {.on = {0}};
        bugs.on[flaws[f].unchecked] = true;
        struct script *s = builder_begun(NULL, &bugs);
        builder_log(s, TEXTS("listing 7 @1 title=Lamp"));
        script_spoil(s, script_newest(s, EFFECT_EMBED), flaws[f].spoil);
        assert_int_not_equal(script_newest(s, EFFECT_WRITE_VECTORS), 0);
        script_free(s);
    }
}

/* An operator's order to make a vector anew passes over what was kept, also of a request that is
 * under way, and survives a crash (C5). */
static void test_remake(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp"));
    uint64_t first = script_newest(s, EFFECT_EMBED);
    assert_false(script_request(s, first)->embed.items[0].anew);
    script_command(s, COMMAND_REMAKE, SCAN_VECTOR_TEXT, 1, (const uint64_t[]){7});
    uint64_t second = script_newest(s, EFFECT_EMBED);
    assert_int_not_equal(second, first);
    assert_true(script_request(s, second)->embed.items[0].anew);
    script_skip(s);
    script_answer(s, first);
    assert_false(script_said(s, "write-vectors"));
    builder_checkpoint(s);
    builder_restart(s, 2);
    assert_true(script_request(s, script_newest(s, EFFECT_EMBED))->embed.items[0].anew);
    builder_settle(s);
    script_command(s, COMMAND_REPAIR, SCAN_VECTOR_TEXT, 1, (const uint64_t[]){7});
    assert_false(script_request(s, script_newest(s, EFFECT_EMBED))->embed.items[0].anew);
    script_free(s);
}

/* A request that failed is not sent again with the content of a listing that was erased meanwhile:
 * its vectors would reach the archive after the erasure (A12). The others are asked for anew. */
static void test_gone_content_is_not_embedded(void **state) {
    (void)state;
    struct script *s = four_embedding(NULL);
    uint64_t embed = script_newest(s, EFFECT_EMBED);
    builder_log(s, TEXTS("erasure listing 2 @9"));
    script_skip(s);
    script_fail(s, embed, PORT_UNKNOWN);
    assert_false(script_said(s, "resend"));
    assert_true(script_said(
        s, "embed\n    1 text fused 'A'\n    3 text fused 'C'\n    4 text fused 'D'\n"));
    script_free(s);
}

/* A vector that the store refuses for good is made once more; refused again, it has its dead letter
 * and is left alone. */
static void test_refused_vector_is_made_once_more(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp"));
    script_answer(s, script_newest(s, EFFECT_EMBED));
    uint64_t text = builder_request(s, EFFECT_WRITE_VECTORS, 1);
    script_answer_items(s, text, "f");
    script_skip(s);
    builder_settle(s);
    assert_true(script_said(s, "embed\n    7 text 'Lamp'\n"));
    assert_true(script_said(s, "write-vectors text\n    upsert 7 v0\n"));
    assert_int_equal(machine_counters(s->machine)[COUNTER_DEAD_LETTERED], 0);
    builder_log(s, TEXTS("listing 7 @2 title=Desk"));
    for (int i = 0; i < 2; i++) {
        script_answer(s, script_newest(s, EFFECT_EMBED));
        script_skip(s);
        script_answer_items(s, builder_request(s, EFFECT_WRITE_VECTORS, 1), "f");
        assert_int_equal(script_said(s, "letter listing-log/0/1 text:"), i == 1);
        if (i == 0) {
            script_answer(s, builder_request(s, EFFECT_WRITE_VECTORS, 1));
        }
    }
    builder_settle(s);
    script_skip(s);
    builder_log(s, TEXTS("listing 7 @3 title=Sofa"));
    assert_true(script_said(s, "7 text fused 'Sofa'"));
    script_free(s);
}

/* An embed request that is too large is asked for in halves; what follows is no larger. */
static void test_embed_request_too_large(void **state) {
    (void)state;
    struct script *s = four_embedding(NULL);
    script_fail(s, script_newest(s, EFFECT_EMBED), PORT_TOO_LARGE);
    script_expect(s, "#8 embed\n    1 text fused 'A'\n    2 text fused 'B'\n"
                     "#9 embed\n    3 text fused 'C'\n    4 text fused 'D'\n");
    script_fail(s, 8, PORT_TOO_LARGE);
    script_expect(s, "#10 embed\n    1 text fused 'A'\n#11 embed\n    2 text fused 'B'\n");
    /* What is too large by itself is refused for good; its other rows are written. */
    script_fail(s, 10, PORT_TOO_LARGE);
    assert_true(script_said(s, "letter listing-log/0/0 text:"));
    assert_true(script_said(s, "write-vectors image\n    delete 1 v0\n"));
    script_skip(s);
    builder_settle(s);
    assert_true(script_said(s, "upsert 4 v3"));
    script_free(s);
}

/* A write of vectors that is too large goes in halves, with the vectors that it had. */
static void test_vector_write_too_large(void **state) {
    (void)state;
    struct script *s = four_embedding(NULL);
    script_answer(s, script_newest(s, EFFECT_EMBED));
    script_skip(s);
    uint64_t text = builder_request(s, EFFECT_WRITE_VECTORS, 1);
    script_fail(s, text, PORT_TOO_LARGE);
    script_expect(s, "#11 write-vectors text\n    upsert 1 v0\n    upsert 2 v1\n"
                     "#12 write-vectors text\n    upsert 3 v2\n    upsert 4 v3\n");
    assert_true(script_request(s, 12)->vectors.items[1].vector[0] == 4.0f);
    assert_int_equal(script_request(s, 12)->vectors.items[1].meta.model_version, 1);
    builder_settle(s);
    script_skip(s);
    builder_log(s, TEXTS("listing 1 @2 price=1", "listing 2 @2 price=1", "listing 3 @2 price=1"));
    assert_true(script_said(s, "write-vectors text\n    metadata 1 v4\n    metadata 2 v5\n#"));
    script_free(s);
}

/* A row that is too large by itself is refused for good. */
static void test_row_too_large(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_log(s, TEXTS("listing 7 @1 delete"));
    script_skip(s);
    script_fail(s, builder_request(s, EFFECT_WRITE_VECTORS, 1), PORT_TOO_LARGE);
    assert_true(script_said(s, "letter listing-log/0/0 text:"));
    script_fail(s, script_newest(s, EFFECT_WRITE_KEYWORDS), PORT_TOO_LARGE);
    assert_true(script_said(s, "letter listing-log/0/0 keyword row:"));
    assert_int_equal(script_newest(s, EFFECT_WRITE_KEYWORDS), 0);
    script_free(s);
}

/* A write of keyword rows that is too large goes in halves. */
static void test_keyword_write_too_large(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_log(s, TEXTS("listing 1 @1 title=A", "listing 2 @1 title=B", "listing 3 @1 title=C"));
    script_skip(s);
    script_fail(s, script_newest(s, EFFECT_WRITE_KEYWORDS), PORT_TOO_LARGE);
    script_expect(s, "#8 write-keywords\n    upsert 1 v0\n"
                     "#9 write-keywords\n    upsert 2 v1\n"
                     "#10 write-keywords\n    upsert 3 v2\n");
    script_free(s);
}

/* What fails otherwise is sent again as it is, a collection that does not exist yet included. */
static void test_missing_collection_is_waited_for(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_log(s, TEXTS("listing 7 @1 delete"));
    uint64_t write = builder_request(s, EFFECT_WRITE_VECTORS, 1);
    for (int i = 0; i < 3; i++) {
        script_skip(s);
        script_fail(s, write, PORT_NOT_FOUND);
        assert_true(script_said(s, "resend"));
    }
    script_answer(s, write);
    script_free(s);
}

/* No more embed requests are under way than allowed: what comes meanwhile fills the next ones, and
 * a service that is slow holds up the log in the end (A14). */
static void test_embed_requests_are_bounded(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .embed_requests_max = 2, .backlog_max = 5};
    struct script *s = builder_begun(&config, NULL);
    builder_log(s, TEXTS("listing 1 @1 title=A"));
    builder_log(s, TEXTS("listing 2 @1 title=B"));
    builder_log(s, TEXTS("listing 3 @1 title=C"));
    builder_log(s, TEXTS("listing 4 @1 title=D"));
    while (script_newest(s, EFFECT_WRITE_KEYWORDS) != 0) {
        script_answer(s, script_newest(s, EFFECT_WRITE_KEYWORDS));
    }
    assert_int_equal(builder_requests(s, EFFECT_EMBED, 1), 2);
    assert_true(builder_fetch(s, TOPIC_LISTING_LOG) != 0);
    builder_log(s, TEXTS("listing 5 @1 title=E"));
    assert_int_equal(builder_fetch(s, TOPIC_LISTING_LOG), 0);
    script_skip(s);
    script_answer(s, builder_request(s, EFFECT_EMBED, 1));
    assert_true(script_said(s, "embed\n    3 text fused 'C'\n    4 text fused 'D'\n"
                               "    5 text fused 'E'\n"));
    script_free(s);
}

/* What goes overtakes what comes: a suppression is written ahead of changes that wait longer, and a
 * batch of those that goes in circles does not hold it up (A8). */
static void test_what_goes_overtakes(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp seller=3", "listing 8 @1 title=Desk",
                         "listing 9 @1 title=Sofa"));
    builder_settle(s);
    builder_log(s, TEXTS("listing 8 @2 price=5"));
    script_fail(s, builder_request(s, EFFECT_WRITE_VECTORS, 1), PORT_UNAVAILABLE);
    script_fail(s, script_newest(s, EFFECT_WRITE_KEYWORDS), PORT_UNAVAILABLE);
    script_skip(s);
    builder_log(s, TEXTS("listing 9 @3 price=6", "policy 3 of 7 @3 suppressed"));
    assert_true(script_said(s, "write-vectors text\n    delete 7 v5\n"));
    assert_true(script_said(s, "write-keywords\n    delete 7 v5\n"));
    assert_false(script_said(s, " 9 "));
    script_free(s);
}

/* In one step, too, they go first. */
static void test_what_goes_goes_first(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp", "listing 8 @1 title=Desk"));
    builder_settle(s);
    script_skip(s);
    builder_log(s, TEXTS("listing 8 @2 price=5", "listing 7 @2 delete"));
    script_expect(s, "#11 write-vectors text\n    delete 7 v3\n"
                     "#12 write-vectors fused\n    delete 7 v3\n"
                     "#13 write-vectors text\n    metadata 8 v2\n"
                     "#14 write-vectors fused\n    metadata 8 v2\n"
                     "#15 write-keywords\n    delete 7 v3\n"
                     "#16 write-keywords\n    metadata 8 v2\n");
    script_free(s);
}

/* A listing that goes and comes back while its first vectors are still being made is not confused
 * by them. */
static void test_gone_and_back_while_embedding(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp seller=3"));
    uint64_t first = script_newest(s, EFFECT_EMBED);
    builder_log(s, TEXTS("policy 3 of 7 @2 suppressed"));
    while (script_newest(s, EFFECT_WRITE_VECTORS) != 0) {
        script_answer(s, script_newest(s, EFFECT_WRITE_VECTORS));
    }
    builder_log(s, TEXTS("policy 3 of 7 @3 active"));
    assert_int_equal(builder_requests(s, EFFECT_EMBED, 1), 2);
    script_skip(s);
    script_answer(s, first);
    script_expect(s, "");
    builder_settle(s);
    script_skip(s);
    builder_log(s, TEXTS("listing 7 @4 price=3"));
    assert_true(script_said(s, "write-vectors text\n    metadata 7 v3\n"));
    script_free(s);
}

/* An entry of a checkpoint that cannot be read costs that listing alone: the others are known, the
 * log is read again from its start, and an alert says so (A15). */
static void test_corrupt_entry(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp", "listing 8 @1 title=Desk"));
    builder_settle(s);
    builder_checkpoint(s);
    for (size_t cut = 1; cut < 300; cut += 37) {
        struct bytes *entry = script_entry(s, 0, 7);
        struct bytes whole = *entry;
        entry->len = whole.len > cut ? whole.len - cut : 0;
        builder_restart(s, 2);
        *entry = whole;
        assert_true(script_said(s, "alert checkpoint-corrupt builder error:"));
        assert_int_equal(script_request(s, builder_fetch(s, TOPIC_LISTING_LOG))->fetch.offset, 0);
        script_skip(s);
        builder_log(s, TEXTS("listing 7 @1 title=Lamp", "listing 8 @1 title=Desk"));
        assert_true(script_said(s, "embed\n    7 text fused 'Lamp'\n#"));
        assert_false(script_said(s, " 8 "));
    }
    script_free(s);
}

/* The entry of the lanes likewise: the announcements are read again. */
static void test_corrupt_lanes(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    builder_announce(s, TEXTS("control models @1 model=1 other=2"));
    builder_log(s, TEXTS("listing 7 @2 title=Lamp"));
    builder_settle(s);
    builder_checkpoint(s);
    script_entry(s, 0, 0)->len -= 3;
    builder_restart(s, 2);
    assert_true(script_said(s, "alert checkpoint-corrupt builder error:"));
    assert_int_equal(script_request(s, builder_fetch(s, TOPIC_CONTROL))->fetch.offset, 0);
    builder_announce(s, TEXTS("control models @1 model=1 other=2"));
    script_skip(s);
    builder_log(s, TEXTS("listing 7 @2 title=Lamp", "listing 7 @3 price=4"));
    builder_settle(s);
    assert_true(script_said(s, "write-vectors text\n    metadata 7 v1\n"));
    assert_true(script_said(s, "write-vectors text v2\n    upsert 7 v1\n"));
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flawed_vectors),
        cmocka_unit_test(test_flaws_unchecked),
        cmocka_unit_test(test_remake),
        cmocka_unit_test(test_gone_content_is_not_embedded),
        cmocka_unit_test(test_refused_vector_is_made_once_more),
        cmocka_unit_test(test_embed_request_too_large),
        cmocka_unit_test(test_vector_write_too_large),
        cmocka_unit_test(test_row_too_large),
        cmocka_unit_test(test_keyword_write_too_large),
        cmocka_unit_test(test_missing_collection_is_waited_for),
        cmocka_unit_test(test_embed_requests_are_bounded),
        cmocka_unit_test(test_what_goes_overtakes),
        cmocka_unit_test(test_what_goes_goes_first),
        cmocka_unit_test(test_gone_and_back_while_embedding),
        cmocka_unit_test(test_corrupt_entry),
        cmocka_unit_test(test_corrupt_lanes),
    };
    return cmocka_run_group_tests_name("builder trouble", tests, NULL, NULL);
}
