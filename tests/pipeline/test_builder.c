/* The document builder (A3 to A9): what each sink is told, and when. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/builder_script.h"

static const uint32_t only[] = {0};

static uint64_t log_fetch(struct script *s) {
    return builder_fetch(s, TOPIC_LISTING_LOG);
}

/* Hands records to the fetch that waits. */
static void log_records(struct script *s, int64_t offset, const char *const *texts) {
    script_records(s, log_fetch(s), offset, texts);
}

/* Listing 7 with text and no image, written everywhere; the log is at offset 1. */
static struct script *settled_lamp(const struct pipeline_config *config, const struct bugs *bugs) {
    struct script *s = builder_begun(config, bugs);
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp price=5 seller=3"));
    builder_settle(s);
    script_skip(s);
    return s;
}

/* A text is embedded, then all three vector rows are written in one step with one version; the row
 * that the listing does not have is deleted in case a zombie wrote it (A6). */
static void test_writes_every_row_of_a_listing(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    log_records(s, 4, TEXTS("listing 7 @1 title=Lamp price=5"));
    script_expect(s, "#5 embed\n"
                     "    7 text fused 'Lamp'\n"
                     "#6 write-keywords\n"
                     "    upsert 7 v4\n");
    script_answer(s, 5);
    script_expect(s, "#8 write-vectors text\n"
                     "    upsert 7 v4\n"
                     "#9 write-vectors image\n"
                     "    delete 7 v4\n"
                     "#10 write-vectors fused\n"
                     "    upsert 7 v4\n");
    const struct vector_write *row = &script_request(s, 10)->vectors.items[0];
    assert_true(row->vector[0] == 7.0f);
    assert_true(row->meta.active && row->meta.price == 5 && row->meta.model_version == 1);
    assert_int_equal(row->meta.modalities, 1u << MODALITY_TEXT | 1u << MODALITY_FUSED);
    builder_settle(s);
    script_expect(s, "");
    assert_int_equal(machine_counters(s->machine)[COUNTER_EMBEDDINGS_MADE], 2);
    script_free(s);
}

/* A change that no embedding depends on rewrites metadata alone (A5). */
static void test_metadata_change_makes_no_embedding(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 price=6"));
    script_expect(s, "#11 write-vectors text\n"
                     "    metadata 7 v1\n"
                     "#12 write-vectors fused\n"
                     "    metadata 7 v1\n"
                     "#13 write-keywords\n"
                     "    metadata 7 v1\n");
    /* It names the content that the row should hold, so it cannot land on another's. */
    assert_int_equal(script_request(s, 11)->vectors.items[0].meta.price, 6);
    assert_true(script_request(s, 11)->vectors.items[0].meta.content_hash != 0);
    assert_int_equal(machine_counters(s->machine)[COUNTER_EMBEDDINGS_AVOIDED], 2);
    script_free(s);
}

/* A repeat, and a change that loses against a newer one, cause no write at all. */
static void test_no_news_no_write(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @1 title=Lamp price=5 seller=3", "listing 7 @0 title=Old"));
    script_expect(s, "");
    assert_int_equal(machine_counters(s->machine)[COUNTER_NOT_NEWS], 2);
    script_free(s);
}

/* An image that comes after its listing changes image and fused rows; the text row follows by
 * metadata, so that all three agree on the version (A6). */
static void test_image_after_text(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 images=1"));
    builder_settle(s);
    script_skip(s);
    log_records(s, 2, TEXTS("media 7 @3 image=1 front"));
    uint64_t embed = script_newest(s, EFFECT_EMBED);
    assert_int_equal(script_request(s, embed)->embed.items[0].modalities,
                     1u << MODALITY_IMAGE | 1u << MODALITY_FUSED);
    script_skip(s);
    script_answer(s, embed);
    assert_non_null(strstr(script_told(s), "write-vectors text\n    metadata 7 v2\n"));
    assert_non_null(strstr(script_told(s), "write-vectors image\n    upsert 7 v2\n"));
    assert_non_null(strstr(script_told(s), "write-vectors fused\n    upsert 7 v2\n"));
    script_free(s);
}

/* A deleted, or suppressed, listing leaves every store; reinstated it comes back (A8). */
static void test_gone_and_back(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("policy 3 of 7 @2 suppressed"));
    script_expect(s, "#11 write-vectors text\n"
                     "    delete 7 v1\n"
                     "#12 write-vectors fused\n"
                     "    delete 7 v1\n"
                     "#13 write-keywords\n"
                     "    delete 7 v1\n");
    builder_settle(s);
    log_records(s, 2, TEXTS("policy 3 of 7 @3 active"));
    script_expect(s, "#15 embed\n"
                     "    7 text fused 'Lamp'\n"
                     "#16 write-keywords\n"
                     "    upsert 7 v2\n");
    builder_settle(s);
    script_skip(s);
    log_records(s, 3, TEXTS("listing 7 @4 delete"));
    assert_non_null(strstr(script_told(s), "write-vectors text\n    delete 7 v3\n"));
    assert_non_null(strstr(script_told(s), "write-keywords\n    delete 7 v3\n"));
    script_free(s);
}

/* While rows of a listing are under way its next version waits, and then goes as a whole: what is
 * acknowledged never goes back. */
static void test_one_write_under_way_per_listing_and_sink(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 price=6"));
    script_skip(s);
    log_records(s, 2, TEXTS("listing 7 @3 price=7"));
    script_expect(s, "");
    script_answer(s, 11);
    script_expect(s, "");
    script_answer(s, 12);
    script_expect(s, "#16 write-vectors text\n"
                     "    metadata 7 v2\n"
                     "#17 write-vectors fused\n"
                     "    metadata 7 v2\n");
    script_answer(s, 13);
    script_expect(s, "#18 write-keywords\n"
                     "    metadata 7 v2\n");
    script_free(s);
}

/* A row whose content is not what the metadata write expected is missing: it is made anew. */
static void test_missing_row_is_embedded_anew(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 price=6"));
    script_answer_items(s, 11, "m");
    script_skip(s);
    script_answer(s, 12);
    script_expect(s, "#15 embed\n"
                     "    7 text 'Lamp'\n");
    script_answer(s, 15);
    script_expect(s, "#16 write-vectors text\n"
                     "    upsert 7 v1\n");
    builder_settle(s);
    script_expect(s, "");
    script_free(s);
}

/* A vector that comes back after the document moved on is not written under the next version; the
 * text that is there now is embedded. */
static void test_outgrown_embedding_is_asked_for_again(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp"));
    log_records(s, 1, TEXTS("listing 7 @2 title=Desk"));
    script_skip(s);
    script_answer(s, 5);
    script_expect(s, "#9 embed\n"
                     "    7 text fused 'Desk'\n");
    script_answer(s, 9);
    assert_non_null(strstr(script_told(s), "upsert 7 v1"));
    assert_null(strstr(script_told(s), "v0"));
    script_free(s);
}

/* A vector that still fits is written with the newest version, although the document moved on. */
static void test_embedding_that_still_fits_is_used(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp"));
    log_records(s, 1, TEXTS("listing 7 @2 price=9"));
    script_skip(s);
    script_answer(s, 5);
    assert_non_null(strstr(script_told(s), "write-vectors text\n    upsert 7 v1\n"));
    assert_int_equal(script_newest(s, EFFECT_EMBED), 0);
    script_free(s);
}

/* A listing that is deleted while its vectors are being made goes at once, however long they take
 * (A8); what comes back is not written. */
static void test_deleted_while_being_embedded(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp"));
    log_records(s, 1, TEXTS("listing 7 @2 delete"));
    assert_non_null(strstr(script_told(s), "write-vectors fused\n    delete 7 v1\n"));
    script_skip(s);
    script_answer(s, 5);
    script_expect(s, "");
    script_free(s);
}

/* Content that went away and came back while a write was under way costs no embedding (A5): if
 * somebody else wrote what was in between, the metadata write finds out. */
static void test_content_that_came_back_is_not_embedded(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 price=6"));
    log_records(s, 2, TEXTS("listing 7 @3 title=Desk", "listing 7 @4 title=Lamp"));
    script_skip(s);
    script_answer(s, 11);
    script_answer(s, 12);
    assert_non_null(strstr(script_told(s), "metadata 7 v3"));
    assert_int_equal(script_newest(s, EFFECT_EMBED), 0);
    script_free(s);
}

/* An absence is acknowledged; but when the row was wanted for a while since, a zombie may have
 * written it, and it is deleted again at the newer version. */
static void test_delete_overrules_a_zombie(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 images=1"));
    builder_settle(s);
    script_skip(s);
    log_records(s, 2, TEXTS("media 7 @3 image=1 front", "media 7 @4 image=1 withdrawn"));
    assert_non_null(strstr(script_told(s), "write-vectors image\n    delete 7 v3\n"));
    script_free(s);
}

/* After a conflict the store holds this version or a newer one: nothing is left to do. */
static void test_conflict_settles_a_row(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 price=6"));
    script_answer_items(s, 11, "c");
    script_answer_items(s, 12, "c");
    script_skip(s);
    builder_settle(s);
    script_expect(s, "");
    assert_int_equal(machine_counters(s->machine)[COUNTER_STALE_REJECTED], 2);
    script_free(s);
}

/* Of a batch, only the items that may go through later are sent again, or one that fails now and
 * then would keep a large batch going for ever; until then nothing further goes to that sink, and
 * other sinks go on (A14). */
static void test_failing_sink_is_left_alone(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    log_records(s, 0, TEXTS("listing 7 @1 delete", "listing 8 @1 delete"));
    uint64_t keywords = script_newest(s, EFFECT_WRITE_KEYWORDS);
    script_answer_items(s, keywords, "ar");
    script_skip(s);
    log_records(s, 2, TEXTS("listing 9 @2 delete"));
    assert_non_null(strstr(script_told(s), "write-vectors"));
    assert_null(strstr(script_told(s), "write-keywords"));
    script_skip(s);
    assert_int_equal(script_request(s, keywords)->keywords.count, 1);
    assert_int_equal(script_request(s, keywords)->keywords.items[0].listing_id, 8);
    script_answer_items(s, keywords, "u");
    script_expect(s, "resend #8\n");
    script_fail(s, keywords, PORT_UNKNOWN);
    script_expect(s, "resend #8\n");
    script_answer_items(s, keywords, "c");
    assert_non_null(strstr(script_told(s), "write-keywords\n    delete 9 v2\n"));
    script_free(s);
}

/* While the embedding service is down, deletes still reach the vector database (A8). */
static void test_deletes_pass_a_failing_embedding_service(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 8 @2 title=Desk"));
    uint64_t embed = script_newest(s, EFFECT_EMBED);
    script_fail(s, embed, PORT_UNAVAILABLE);
    log_records(s, 2, TEXTS("listing 9 @2 title=Chair", "listing 7 @3 title=Torch"));
    script_skip(s);
    log_records(s, 4, TEXTS("listing 7 @4 delete"));
    assert_non_null(strstr(script_told(s), "write-vectors text\n    delete 7 v4\n"));
    builder_settle(s); /* the embedding service is back */
    assert_non_null(strstr(script_told(s), "9 text fused 'Chair'"));
    assert_null(strstr(script_told(s), "7 text fused"));
    script_free(s);
}

/* Too many listings wait for a sink: the log is not read on until there is room (A14). */
static void test_backpressure(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .backlog_max = 2};
    struct script *s = builder_begun(&config, NULL);
    log_records(s, 0, TEXTS("listing 7 @1 delete"));
    assert_true(log_fetch(s) != 0);
    uint64_t keywords = script_newest(s, EFFECT_WRITE_KEYWORDS);
    script_fail(s, keywords, PORT_UNAVAILABLE);
    log_records(s, 1, TEXTS("listing 8 @1 delete"));
    assert_int_equal(log_fetch(s), 0);
    /* One sink alone holds it up. */
    while (script_newest(s, EFFECT_WRITE_VECTORS) != 0) {
        script_answer(s, script_newest(s, EFFECT_WRITE_VECTORS));
    }
    assert_int_equal(log_fetch(s), 0);
    script_answer(s, keywords);
    assert_int_equal(script_request(s, log_fetch(s))->fetch.offset, 2);
    script_free(s);
}

/* A sink that does not answer at all holds the log up as well: what is under way is backlog. */
static void test_backpressure_of_a_silent_sink(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .backlog_max = 2};
    struct script *s = builder_begun(&config, NULL);
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp", "listing 8 @1 title=Desk"));
    assert_int_equal(log_fetch(s), 0);
    script_answer(s, script_newest(s, EFFECT_WRITE_KEYWORDS));
    script_answer(s, script_newest(s, EFFECT_EMBED));
    assert_int_equal(log_fetch(s), 0);
    while (script_newest(s, EFFECT_WRITE_VECTORS) != 0) {
        script_answer(s, script_newest(s, EFFECT_WRITE_VECTORS));
    }
    assert_true(log_fetch(s) != 0);
    script_free(s);
}

/* A row that the store refuses for good has its dead letter, is left alone, and is tried again with
 * the next version (A13). */
static void test_refused_row(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 price=6"));
    script_skip(s);
    script_answer_items(s, 11, "f");
    script_expect(s, "#15 produce\n"
                     "    dead-letter 7 letter listing-log/0/1 text: the store refuses the row for "
                     "good, expected a row that the store accepts, found 4\n");
    builder_settle(s);
    script_skip(s);
    log_records(s, 2, TEXTS("listing 7 @0 price=1")); /* no news */
    script_expect(s, "");
    log_records(s, 3, TEXTS("listing 7 @3 price=7"));
    assert_non_null(strstr(script_told(s), "write-vectors text\n    metadata 7 v3\n"));
    script_free(s);
}

/* What was refused of a version that the document has left behind says nothing of the next. */
static void test_refusal_of_an_old_version(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 price=6"));
    log_records(s, 2, TEXTS("listing 7 @3 price=7"));
    script_skip(s);
    script_answer_items(s, 11, "f");
    script_answer_items(s, 12, "f");
    script_expect(s, "#16 write-vectors text\n"
                     "    metadata 7 v2\n"
                     "#17 write-vectors fused\n"
                     "    metadata 7 v2\n");
    assert_int_equal(machine_counters(s->machine)[COUNTER_DEAD_LETTERED], 0);
    script_free(s);
}

/* Content that cannot be embedded is refused once for each modality; the listing's other rows are
 * written. */
static void test_refused_embedding(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_skip(s);
    script_answer_items(s, 5, "f");
    assert_non_null(strstr(script_told(s), "letter listing-log/0/0 text:"));
    assert_non_null(strstr(script_told(s), "letter listing-log/0/0 fused:"));
    assert_non_null(strstr(script_told(s), "write-vectors image\n    delete 7 v0\n"));
    builder_settle(s);
    script_skip(s);
    log_records(s, 1, TEXTS("listing 7 @2 title=Desk"));
    assert_non_null(strstr(script_told(s), "7 text fused 'Desk'"));
    script_free(s);
}

/* A refused row whose letter is not out yet is not forgotten by a crash: the checkpoint does not
 * say that the row is abandoned, so it is tried, and refused, and told of, again. */
static void test_crash_before_the_letter_is_out(void **state) {
    (void)state;
    for (int letter_out = 0; letter_out < 2; letter_out++) {
        struct script *s = settled_lamp(NULL, NULL);
        log_records(s, 1, TEXTS("listing 7 @2 price=6"));
        script_answer_items(s, 11, "f");
        script_answer(s, 12);
        script_answer(s, 13);
        builder_checkpoint(s);
        if (letter_out) {
            script_answer(s, script_newest(s, EFFECT_PRODUCE));
            builder_checkpoint(s);
        }
        builder_restart(s, 2);
        bool again = strstr(script_told(s), "write-vectors text\n    metadata 7 v1\n") != NULL;
        assert_int_equal(again, !letter_out);
        script_free(s);
    }
}

/* Malformed bytes in the log have their dead letter before a checkpoint passes them; a record of a
 * type that the log does not carry is malformed too. */
static void test_poison_in_the_log(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    log_records(s, 0, TEXTS("!rubbish", "order 9 of 7 @1", "listing 7 @1 delete"));
    assert_non_null(strstr(script_told(s), "letter listing-log/0/0 record:"));
    assert_non_null(strstr(script_told(s), "letter listing-log/0/1 type:"));
    s->quiet_fetch = false;
    builder_checkpoint(s);
    assert_non_null(strstr(script_told(s), "listing-log/0 at 0\n"));
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    script_skip(s);
    builder_checkpoint(s);
    assert_non_null(strstr(script_told(s), "listing-log/0 at 3\n"));
    script_free(s);
}

/* A restarted builder knows what was acknowledged: it writes what lagged at the crash, and that
 * alone. */
static void test_restart_writes_what_lagged(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 price=6", "listing 8 @2 delete"));
    while (script_newest(s, EFFECT_WRITE_VECTORS) != 0) {
        script_answer(s, script_newest(s, EFFECT_WRITE_VECTORS));
    }
    builder_checkpoint(s);
    builder_restart(s, 2);
    script_expect(s, "#2 write-keywords\n"
                     "    delete 8 v2\n"
                     "#3 write-keywords\n"
                     "    metadata 7 v1\n");
    assert_int_equal(script_request(s, log_fetch(s))->fetch.offset, 3);
    script_free(s);
}

/* Without a checkpoint everything is written again, harmlessly: stores refuse by version. */
static void test_restart_without_a_checkpoint(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    builder_restart(s, 2);
    script_expect(s, "");
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp price=5 seller=3"));
    assert_non_null(strstr(script_told(s), "upsert 7 v0"));
    script_free(s);
}

/* A repair writes one row anew over the same version; the other rows are left alone. */
static void test_repair(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    script_command(s, COMMAND_REPAIR, SCAN_VECTOR_TEXT, 2, (const uint64_t[]){7, 99});
    script_expect(s, "#11 embed\n"
                     "    7 text 'Lamp'\n");
    script_answer(s, 11);
    script_expect(s, "#12 write-vectors text\n"
                     "    upsert 7 v0 or equal\n");
    builder_settle(s);
    script_expect(s, "");
    script_command(s, COMMAND_REPAIR, SCAN_VECTOR_IMAGE, 1, (const uint64_t[]){7});
    script_expect(s, "#13 write-vectors image\n"
                     "    delete 7 v0 or equal\n");
    script_command(s, COMMAND_REPAIR, SCAN_KEYWORD, 1, (const uint64_t[]){7});
    script_expect(s, "#14 write-keywords\n"
                     "    upsert 7 v0 or equal\n");
    script_command(s, COMMAND_REPAIR, SCAN_GOLD, 1, (const uint64_t[]){7});
    script_expect(s, "");
    script_free(s);
}

/* A write that set out before the repair was asked for does not count as the repair. */
static void test_repair_while_a_write_is_under_way(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    log_records(s, 1, TEXTS("listing 7 @2 price=6"));
    script_command(s, COMMAND_REPAIR, SCAN_KEYWORD, 1, (const uint64_t[]){7});
    script_skip(s);
    script_answer_items(s, script_newest(s, EFFECT_WRITE_KEYWORDS), "c");
    script_expect(s, "#15 write-keywords\n"
                     "    upsert 7 v1 or equal\n");
    script_free(s);
}

/* A repair that was asked for is not forgotten by a crash. */
static void test_repair_survives_a_restart(void **state) {
    (void)state;
    struct script *s = settled_lamp(NULL, NULL);
    script_command(s, COMMAND_REPAIR, SCAN_KEYWORD, 1, (const uint64_t[]){7});
    builder_checkpoint(s);
    builder_restart(s, 2);
    script_expect(s, "#2 write-keywords\n"
                     "    upsert 7 v0 or equal\n");
    script_free(s);
}

/* The repair of a listing goes to the owner of its partition; others do not know it. */
static void test_repair_reaches_the_owner_alone(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 2};
    uint32_t mine = topic_partition(7, 2);
    for (uint32_t owned = 0; owned < 2; owned++) {
        struct script *s = script_new(MACHINE_BUILDER, &config, NULL);
        s->quiet_fetch = true;
        script_assign(s, 1, 1, &owned);
        script_load(s, 1);
        script_records(s, 2, 0, TEXTS(NULL));
        if (owned == mine) {
            log_records(s, 0, TEXTS("listing 7 @1 delete"));
            builder_settle(s);
        }
        script_skip(s);
        script_command(s, COMMAND_REPAIR, SCAN_KEYWORD, 1, (const uint64_t[]){7});
        assert_int_equal(strstr(script_told(s), "delete 7") != NULL, owned == mine);
        script_free(s);
    }
}

/* Embeddings are asked for in batches no larger than the service takes. */
static void test_embeds_in_batches(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .embed_batch_max = 2};
    struct script *s = builder_begun(&config, NULL);
    log_records(s, 0,
                TEXTS("listing 1 @1 title=A", "listing 2 @1 title=B", "listing 3 @1 title=C"));
    script_expect(s, "#5 embed\n"
                     "    1 text fused 'A'\n"
                     "    2 text fused 'B'\n"
                     "#6 embed\n"
                     "    3 text fused 'C'\n"
                     "#7 write-keywords\n"
                     "    upsert 1 v0\n"
                     "    upsert 2 v1\n"
                     "    upsert 3 v2\n");
    script_free(s);
}

/* Answers that come in another order than the requests went change nothing of the end. */
static void test_answers_out_of_order(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .embed_batch_max = 1};
    struct script *s = builder_begun(&config, NULL);
    log_records(s, 0, TEXTS("listing 1 @1 title=A", "listing 2 @1 title=B"));
    log_records(s, 2, TEXTS("listing 2 @2 title=C", "listing 1 @2 price=1"));
    script_answer(s, 7); /* keyword rows */
    script_answer(s, 6); /* B: outgrown */
    script_answer(s, 5); /* A */
    builder_settle(s);
    script_skip(s);
    log_records(s, 4, TEXTS("listing 1 @3 price=2", "listing 2 @3 price=2"));
    assert_non_null(strstr(script_told(s), "write-vectors text\n"
                                           "    metadata 1 v4\n"
                                           "    metadata 2 v5\n"));
    script_free(s);
}

/* Taken away in the next generation: what was under way for the partition is not heard. */
static void test_ignores_answers_of_a_former_assignment(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_assign(s, 3, 1, only);
    script_load(s, script_newest(s, EFFECT_LOAD_STATE));
    script_skip(s);
    script_answer(s, 5);
    script_answer(s, 6);
    script_expect(s, "");
    script_free(s);
}

/* Without the version check writes are unconditional: the planted bug does that. */
static void test_bug_no_version_check(void **state) {
    (void)state;
    struct bugs bugs = {.on[BUG_NO_VERSION_CHECK] = true};
    struct script *s = builder_begun(NULL, &bugs);
    log_records(s, 0, TEXTS("listing 7 @1 delete"));
    assert_non_null(strstr(script_told(s), "delete 7 v0 unconditional"));
    script_free(s);
}

/* Without the content hash every change makes embeddings anew: the planted bug does that. */
static void test_bug_always_reembed(void **state) {
    (void)state;
    struct bugs bugs = {.on[BUG_ALWAYS_REEMBED] = true};
    struct script *s = settled_lamp(NULL, &bugs);
    log_records(s, 1, TEXTS("listing 7 @2 price=6"));
    assert_non_null(strstr(script_told(s), "7 text fused 'Lamp'"));
    script_free(s);
}

/* An embedding that is kept whatever its text becomes: the planted bug does that. */
static void test_bug_never_reembed(void **state) {
    (void)state;
    struct bugs bugs = {.on[BUG_NEVER_REEMBED] = true};
    struct script *s = settled_lamp(NULL, &bugs);
    log_records(s, 1, TEXTS("listing 7 @2 title=Desk"));
    assert_int_equal(script_newest(s, EFFECT_EMBED), 0);
    assert_non_null(strstr(script_told(s), "write-vectors text\n    metadata 7 v1\n"));
    script_free(s);
}

/* Offsets ahead of the state that they stand for lose records in a crash: the planted bug does
 * that, and the sound builder does not. */
static void test_bug_offset_before_state(void **state) {
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct bugs bugs = {.on[BUG_OFFSET_BEFORE_STATE] = on};
        struct script *s = builder_begun(NULL, &bugs);
        log_records(s, 0, TEXTS("listing 7 @1 delete"));
        builder_checkpoint(s);
        builder_restart(s, 2);
        assert_int_equal(script_request(s, log_fetch(s))->fetch.offset, 1);
        assert_int_equal(strstr(script_told(s), "delete 7 v0") == NULL, on);
        script_free(s);
    }
}

/* Without a tombstone an older UPSERT revives what was deleted: the planted bug does that. */
static void test_bug_no_tombstone(void **state) {
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct bugs bugs = {.on[BUG_NO_TOMBSTONE] = on};
        struct script *s = builder_begun(NULL, &bugs);
        log_records(s, 0, TEXTS("listing 7 @9 delete"));
        builder_settle(s);
        script_skip(s);
        log_records(s, 1, TEXTS("listing 7 @8 title=Lamp"));
        assert_int_equal(script_newest(s, EFFECT_EMBED) != 0, on);
        script_free(s);
    }
}

/* What the topic does not keep any more is read on from bronze, page by page, until the topic has
 * it again; what bronze does not have either is lost, and an error says so (A16). */
static void test_reads_on_from_bronze(void **state) {
    (void)state;
    struct script *s = builder_begun(NULL, NULL);
    s->quiet_fetch = false;
    script_fail(s, log_fetch(s), PORT_OUT_OF_RANGE);
    assert_non_null(strstr(script_told(s), "alert offset-out-of-range listing-log warn"));
    assert_non_null(strstr(script_told(s), "fetch listing-log/0 from 0 in bronze\n"));
    script_skip(s);
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp", "listing 7 @2 price=5"));
    assert_non_null(strstr(script_told(s), "fetch listing-log/0 from 2\n"));
    builder_settle(s);
    script_skip(s);
    script_fail(s, log_fetch(s), PORT_OUT_OF_RANGE);
    script_expect(s, "#12 fetch listing-log/0 from 2 in bronze\n");
    log_records(s, 2, TEXTS(NULL));
    assert_non_null(strstr(script_told(s), "alert offset-out-of-range listing-log error"));
    assert_non_null(strstr(script_told(s), "fetch listing-log/0 from -1\n"));
    script_skip(s);
    log_records(s, 9, TEXTS("listing 7 @9 price=6"));
    assert_non_null(strstr(script_told(s), "alert offset-out-of-range listing-log cleared"));
    assert_non_null(strstr(script_told(s), "fetch listing-log/0 from 10\n"));
    script_free(s);
}

/* Of each visible version it is said which model makes its vectors, and which of them anew; nothing
 * of a version without vectors (A11). */
static void test_audits_every_version(void **state) {
    (void)state;
    struct script *s = builder_begun_auditing(NULL, NULL);
    log_records(s, 0,
                TEXTS("listing 7 @1 title=Lamp", "listing 7 @2 price=5", "listing 7 @3 title=Big",
                      "listing 7 @4 delete", "listing 8 @5 delete"));
    static const char said[] =
        " produce\n"
        "    embedding-audit 7 audit 7 @1 version=0 model=1 modalities=5 made=5\n"
        "    embedding-audit 7 audit 7 @2 version=1 model=1 modalities=5 made=0\n"
        "    embedding-audit 7 audit 7 @3 version=2 model=1 modalities=5 made=5\n";
    if (strstr(script_told(s), said) == NULL) {
        fail_msg("%s", script_told(s));
    }
    assert_null(strstr(script_told(s), "@4 version"));
    assert_int_equal(log_fetch(s), 0);
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    assert_int_equal(script_request(s, log_fetch(s))->fetch.offset, 5);
    script_free(s);
}

/* A checkpoint waits for the audit of what it holds: a crash would hide the version (A11). */
static void test_no_checkpoint_ahead_of_the_audit(void **state) {
    (void)state;
    struct script *s = builder_begun_auditing(NULL, NULL);
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp"));
    script_timer(s);
    assert_int_equal(script_newest(s, EFFECT_SAVE_STATE), 0);
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    assert_int_not_equal(script_newest(s, EFFECT_SAVE_STATE), 0);
    script_free(s);
}

/* A listing that the backfill brings into a shadow has all its vectors made there (A10, A11). */
static void test_audits_who_joins_a_lane(void **state) {
    (void)state;
    struct script *s = builder_begun_auditing(NULL, NULL);
    log_records(s, 0, TEXTS("listing 7 @1 title=Lamp"));
    builder_settle(s);
    script_records(s, builder_fetch(s, TOPIC_CONTROL), 0,
                   TEXTS("control models @2 model=1 other=2"));
    script_skip(s);
    script_step(s, &(struct event){.kind = EVENT_COMMAND,
                                   .command = {.kind = COMMAND_REPAIR,
                                               .store = SCAN_VECTOR_TEXT,
                                               .model_version = 2,
                                               .listing_ids = (const uint64_t[]){7},
                                               .count = 1}});
    const struct effect *produce = script_request(s, script_newest(s, EFFECT_PRODUCE));
    assert_int_equal(produce->produce.count, 1);
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode(produce->produce.items[0].value, &record, &error), 0);
    assert_int_equal(record.audit.model_version, 2);
    assert_int_equal(record.audit.made, 1u << MODALITY_TEXT | 1u << MODALITY_FUSED);
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_every_row_of_a_listing),
        cmocka_unit_test(test_metadata_change_makes_no_embedding),
        cmocka_unit_test(test_no_news_no_write),
        cmocka_unit_test(test_image_after_text),
        cmocka_unit_test(test_gone_and_back),
        cmocka_unit_test(test_one_write_under_way_per_listing_and_sink),
        cmocka_unit_test(test_missing_row_is_embedded_anew),
        cmocka_unit_test(test_outgrown_embedding_is_asked_for_again),
        cmocka_unit_test(test_embedding_that_still_fits_is_used),
        cmocka_unit_test(test_deleted_while_being_embedded),
        cmocka_unit_test(test_content_that_came_back_is_not_embedded),
        cmocka_unit_test(test_delete_overrules_a_zombie),
        cmocka_unit_test(test_reads_on_from_bronze),
        cmocka_unit_test(test_conflict_settles_a_row),
        cmocka_unit_test(test_failing_sink_is_left_alone),
        cmocka_unit_test(test_deletes_pass_a_failing_embedding_service),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_backpressure_of_a_silent_sink),
        cmocka_unit_test(test_refused_row),
        cmocka_unit_test(test_refusal_of_an_old_version),
        cmocka_unit_test(test_refused_embedding),
        cmocka_unit_test(test_crash_before_the_letter_is_out),
        cmocka_unit_test(test_poison_in_the_log),
        cmocka_unit_test(test_restart_writes_what_lagged),
        cmocka_unit_test(test_restart_without_a_checkpoint),
        cmocka_unit_test(test_repair),
        cmocka_unit_test(test_repair_while_a_write_is_under_way),
        cmocka_unit_test(test_repair_survives_a_restart),
        cmocka_unit_test(test_repair_reaches_the_owner_alone),
        cmocka_unit_test(test_embeds_in_batches),
        cmocka_unit_test(test_answers_out_of_order),
        cmocka_unit_test(test_ignores_answers_of_a_former_assignment),
        cmocka_unit_test(test_bug_no_version_check),
        cmocka_unit_test(test_bug_always_reembed),
        cmocka_unit_test(test_bug_never_reembed),
        cmocka_unit_test(test_bug_offset_before_state),
        cmocka_unit_test(test_bug_no_tombstone),
        cmocka_unit_test(test_audits_every_version),
        cmocka_unit_test(test_no_checkpoint_ahead_of_the_audit),
        cmocka_unit_test(test_audits_who_joins_a_lane),
    };
    return cmocka_run_group_tests_name("builder", tests, NULL, NULL);
}
