/*
 * How the document builder writes to stores that forget tombstones, that write whatever they are
 * given, that may hold a key twice, or that take no more than so much (C3, A9).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/builder_script.h"

/* A builder that has written listing 7, a lamp. */
static struct script *settled_lamp(const struct pipeline_config *config, const struct bugs *bugs) {
    struct script *s = builder_begun(config, bugs);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp price=5 seller=3"));
    builder_settle(s);
    script_skip(s);
    return s;
}

/* Where tombstones are forgotten a deletion is a row of its own, also over one that the store left
 * at the same version; its absence is then acknowledged like any other. */
static void test_deletions_are_rows(void **state) {
    (void)state;
    struct pipeline_config config = {
        .partitions = 1, .vector_tombstone_rows = true, .keyword_tombstone_rows = true};
    struct script *s = settled_lamp(&config, NULL);
    builder_log(s, TEXTS("listing 7 @2 delete"));
    assert_true(script_said(s, "write-vectors text\n    tombstone 7 v1 or equal\n"));
    assert_true(script_said(s, "write-vectors fused\n    tombstone 7 v1 or equal\n"));
    assert_true(script_said(s, "write-keywords\n    tombstone 7 v1 or equal\n"));
    builder_settle(s);
    script_skip(s);
    builder_checkpoint(s);
    builder_restart(s, 2);
    assert_false(script_said(s, "tombstone"));
    script_free(s);
}

/* Each store has its own way: the one that remembers is told to delete. */
static void test_each_store_has_its_way(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .vector_tombstone_rows = true};
    struct script *s = settled_lamp(&config, NULL);
    builder_log(s, TEXTS("listing 7 @2 delete"));
    assert_true(script_said(s, "write-vectors text\n    tombstone 7 v1"));
    assert_true(script_said(s, "write-keywords\n    delete 7 v1\n"));
    script_free(s);
}

/* A store that changes metadata without a look at the content gets whole rows, of vectors that are
 * asked for by their content. */
static void test_rows_are_written_whole(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .vector_whole_rows = true};
    struct script *s = settled_lamp(&config, NULL);
    builder_log(s, TEXTS("listing 7 @2 price=6"));
    assert_true(script_said(s, "embed\n    7 text fused 'Lamp'\n"));
    assert_true(script_said(s, "write-keywords\n    metadata 7 v1\n"));
    const struct effect *embed = script_request(s, script_newest(s, EFFECT_EMBED));
    assert_true(embed->embed.items[0].content[MODALITY_TEXT] != 0);
    builder_settle(s);
    assert_true(script_said(s, "upsert 7 v1\n"));
    assert_false(script_said(s, "write-vectors text\n    metadata"));
    script_free(s);
}

/* Where a key may have several rows and a delete takes one, a repair deletes several times before
 * it writes, goes on with that after a crash, and ends. */
static void test_a_repair_deletes_first(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .vector_repair_deletes = true};
    struct script *s = settled_lamp(&config, NULL);
    script_command(s, COMMAND_REPAIR, SCAN_VECTOR_TEXT, 1, (const uint64_t[]){7});
    for (int i = 0; i < 4; i++) {
        if (i == 2) {
            builder_checkpoint(s);
            builder_restart(s, 2);
        }
        assert_true(script_said(s, "write-vectors text\n    delete 7 v0 or equal\n"));
        script_skip(s);
        script_answer(s, script_newest(s, EFFECT_WRITE_VECTORS));
    }
    assert_true(script_said(s, "embed\n    7 text 'Lamp'\n"));
    script_skip(s);
    script_answer(s, script_newest(s, EFFECT_EMBED));
    assert_true(script_said(s, "write-vectors text\n    upsert 7 v0 or equal\n"));
    script_skip(s);
    builder_settle(s);
    assert_false(script_said(s, "write-vectors"));
    script_free(s);
}

/* The keyword index has keys: its repair writes over what is there. */
static void test_a_repair_of_texts_writes_over(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1, .vector_repair_deletes = true};
    struct script *s = settled_lamp(&config, NULL);
    script_command(s, COMMAND_REPAIR, SCAN_KEYWORD, 1, (const uint64_t[]){7});
    assert_true(script_said(s, "write-keywords\n    upsert 7 v0 or equal\n"));
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deletions_are_rows),
        cmocka_unit_test(test_each_store_has_its_way),
        cmocka_unit_test(test_rows_are_written_whole),
        cmocka_unit_test(test_a_repair_deletes_first),
        cmocka_unit_test(test_a_repair_of_texts_writes_over),
    };
    return cmocka_run_group_tests_name("builder stores", tests, NULL, NULL);
}
