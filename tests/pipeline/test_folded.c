/* A folded document: which records readers must be told of, under what version, and how its parts
 * read as text (A3, A9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/folded.h"
#include "tests/support/record_text.h"

/* Folds the record of that text at an offset, appended at that many seconds. */
static int fold(struct folded *folded, int64_t offset, const char *text, const struct bugs *bugs) {
    struct bytes value = record_from_text(text);
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode(value, &record, &error), 0);
    struct log_record logged = {.offset = offset, .append = text_time(offset), .value = value};
    int outcome = folded_fold(folded, &record, &logged, bugs);
    free((char *)value.data);
    return outcome;
}

static doc_version at(int64_t offset) {
    return doc_version_pack(0, offset);
}

/* The version moves with what readers can see, and with nothing else. */
static void test_version_is_of_the_last_visible_change(void **state) {
    (void)state;
    struct folded folded;
    folded_init(&folded, 7);
    assert_int_equal(folded.visible_version, DOC_VERSION_NONE);
    assert_int_equal(fold(&folded, 3, "listing 7 @10 title=Lamp", NULL), FOLD_VISIBLE);
    assert_int_equal(folded.visible_version, at(3));
    assert_int_equal(fold(&folded, 4, "listing 7 @10 title=Lamp", NULL), FOLD_NOT_NEWS);
    assert_int_equal(fold(&folded, 5, "listing 7 @9 title=Old", NULL), FOLD_NOT_NEWS);
    /* The same value by a later event, an image that is not shown: knowledge, but not visible. */
    assert_int_equal(fold(&folded, 6, "listing 7 @11 title=Lamp", NULL), FOLD_LEARNED);
    assert_int_equal(fold(&folded, 7, "media 7 @12 image=1 front", NULL), FOLD_LEARNED);
    assert_int_equal(folded.visible_version, at(3));
    assert_int_equal(folded.visible_at.ns, text_time(3).ns);
    assert_int_equal(folded.visible_stamp.ts.ns, text_time(10).ns);
    assert_int_equal(fold(&folded, 8, "listing 7 @13 images=1", NULL), FOLD_VISIBLE);
    assert_int_equal(folded.visible_version, at(8));
    folded_release(&folded);
}

/* The first record counts as visible even when it is a deletion: it says that the listing is
 * gone. */
static void test_first_record_is_visible(void **state) {
    (void)state;
    struct folded folded;
    folded_init(&folded, 7);
    assert_int_equal(fold(&folded, 0, "listing 7 @10 delete", NULL), FOLD_VISIBLE);
    assert_int_equal(fold(&folded, 1, "listing 7 @11 delete", NULL), FOLD_LEARNED);
    assert_int_equal(fold(&folded, 2, "listing 7 @9 title=Lamp", NULL), FOLD_NOT_NEWS);
    assert_false(document_alive(&folded.document));
    folded_release(&folded);
}

/* Content that comes back has a version of its own: writes of what was in between are refused. */
static void test_there_and_back(void **state) {
    (void)state;
    struct folded folded;
    folded_init(&folded, 7);
    fold(&folded, 0, "listing 7 @1 title=Lamp", NULL);
    uint64_t whole = folded_digest(&folded).whole;
    fold(&folded, 1, "listing 7 @2 title=Desk", NULL);
    assert_true(folded_digest(&folded).whole != whole);
    assert_int_equal(fold(&folded, 2, "listing 7 @3 title=Lamp", NULL), FOLD_VISIBLE);
    assert_int_equal(folded_digest(&folded).whole, whole);
    assert_int_equal(folded.visible_version, at(2));
    folded_release(&folded);
}

/* The planted bug makes every repeat a change. */
static void test_bug_no_dedupe(void **state) {
    (void)state;
    struct bugs bugs = {.on[BUG_NO_DEDUPE] = true};
    struct folded folded;
    folded_init(&folded, 7);
    fold(&folded, 0, "listing 7 @1 title=Lamp", &bugs);
    assert_int_equal(fold(&folded, 1, "listing 7 @1 title=Lamp", &bugs), FOLD_VISIBLE);
    assert_int_equal(folded.visible_version, at(1));
    folded_release(&folded);
}

static void fill(struct folded *folded) {
    folded_init(folded, 7);
    fold(folded, 0,
         "listing 7 @1 title=Lamp price=5 seller=3 locale=de category=lamps images=2,1 "
         "colour=red size=\"L\\ none=null",
         NULL);
    fold(folded, 1, "media 7 @2 image=1 front", NULL);
    fold(folded, 2, "media 7 @3 image=2 back", NULL);
    fold(folded, 3, "policy 3 of 7 @4 suppressed", NULL);
}

/* What a checkpoint keeps comes back whole. */
static void test_checkpointed_form(void **state) {
    (void)state;
    struct folded folded, copy;
    fill(&folded);
    size_t size = folded_encoded_size(&folded);
    char *buffer = malloc(size);
    size_t length = folded_encode(&folded, buffer);
    assert_true(length <= size);
    folded_init(&copy, 7);
    struct wire_reader reader = wire_reader_of((struct bytes){buffer, length});
    assert_int_equal(folded_decode(&copy, &reader), 0);
    assert_true(reader.at == reader.end);
    struct document_digest copied = folded_digest(&copy), digest = folded_digest(&folded);
    assert_memory_equal(&copied, &digest, sizeof digest);
    assert_int_equal(copy.visible_version, folded.visible_version);
    assert_int_equal(copy.visible_at.ns, folded.visible_at.ns);
    assert_int_equal(stamp_compare(copy.visible_stamp, folded.visible_stamp), 0);
    assert_int_equal(fold(&copy, 4, "media 7 @3 image=2 back", NULL), FOLD_NOT_NEWS);
    folded_release(&copy);
    /* Cut off it is refused. */
    for (size_t cut = 0; cut < length; cut++) {
        folded_init(&copy, 7);
        reader = wire_reader_of((struct bytes){buffer, cut});
        assert_true(folded_decode(&copy, &reader) != 0);
        folded_release(&copy);
    }
    free(buffer);
    folded_release(&folded);
}

/* An erasure is a version of its own for every store, also of a listing that was deleted before;
 * one that is known, or is covered by a greater one, is none (A12). */
static void test_erasure_is_visible(void **state) {
    (void)state;
    struct folded folded;
    folded_init(&folded, 7);
    fold(&folded, 0, "listing 7 @10 title=Lamp", NULL);
    fold(&folded, 1, "listing 7 @20 delete", NULL);
    assert_int_equal(fold(&folded, 2, "erasure listing 7 @15", NULL), FOLD_VISIBLE);
    assert_int_equal(folded.visible_version, at(2));
    assert_int_equal(fold(&folded, 3, "erasure listing 7 @15", NULL), FOLD_NOT_NEWS);
    assert_int_equal(fold(&folded, 4, "erasure seller 3 of 7 @14", NULL), FOLD_NOT_NEWS);
    assert_int_equal(fold(&folded, 5, "media 7 @18 image=1 front", NULL), FOLD_NOT_NEWS);
    assert_int_equal(fold(&folded, 6, "erasure seller 3 of 7 @30", NULL), FOLD_VISIBLE);
    assert_int_equal(fold(&folded, 7, "listing 7 @29 title=Old", NULL), FOLD_NOT_NEWS);
    assert_int_equal(fold(&folded, 8, "listing 7 @31 title=Lamp", NULL), FOLD_VISIBLE);
    folded_release(&folded);
}

/* A checkpoint's entry keeps what was said until it is taken after the erasure. */
static void test_keeps_until_it_is_erased(void **state) {
    (void)state;
    struct folded folded;
    folded_init(&folded, 7);
    fold(&folded, 0, "listing 7 @10 title=Lamp", NULL);
    struct stamp stamp = {text_time(15), {0, 15}};
    for (int erased = 0; erased < 2; erased++) {
        char *buffer = malloc(folded_encoded_size(&folded));
        struct bytes entry = {buffer, folded_encode(&folded, buffer)};
        assert_int_equal(folded_keeps(entry, stamp), !erased);
        assert_true(folded_keeps((struct bytes){buffer, 20}, stamp)); /* cannot be told */
        free(buffer);
        fold(&folded, 1, "erasure listing 7 @15", NULL);
    }
    folded_release(&folded);
}

static void expect_text(size_t (*text)(const struct folded *, char *, size_t),
                        const struct folded *folded, const char *expected) {
    char buffer[256];
    size_t length = text(folded, buffer, sizeof buffer);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(buffer, expected, length);
    assert_int_equal(text(folded, NULL, 0), length);
}

/* Attributes and images as texts: JSON is escaped, ids are strings, null attributes are left out.
 */
static void test_texts(void **state) {
    (void)state;
    struct folded folded;
    fill(&folded);
    expect_text(folded_attributes_text, &folded, "colour red\nsize \"L\\\n");
    expect_text(folded_attributes_json, &folded, "{\"colour\":\"red\",\"size\":\"\\\"L\\\\\"}");
    expect_text(folded_images_json, &folded, "[\"2\",\"1\"]");
    fold(&folded, 9, "listing 7 @9 delete", NULL);
    expect_text(folded_attributes_text, &folded, "");
    expect_text(folded_attributes_json, &folded, "{}");
    expect_text(folded_images_json, &folded, "[]");
    folded_release(&folded);
}

/* Control characters in JSON are written as escapes (RFC 8259, section 7). */
static void test_control_characters(void **state) {
    (void)state;
    struct folded folded;
    folded_init(&folded, 7);
    fold(&folded, 0, "listing 7 @1 a=x\x01y\tz\x1f", NULL);
    expect_text(folded_attributes_json, &folded, "{\"a\":\"x\\u0001y\\u0009z\\u001f\"}");
    folded_release(&folded);
}

/* Metadata of a row: what filters and reconciliation read. */
static void test_row_meta(void **state) {
    (void)state;
    struct folded folded;
    fill(&folded);
    struct row_meta meta = folded_row_meta(&folded);
    assert_int_equal(meta.version, at(3));
    assert_int_equal(meta.whole_hash, folded_digest(&folded).whole);
    assert_int_equal(meta.seller_id, 3);
    assert_int_equal(meta.price, 5);
    assert_true(bytes_equal(meta.category, bytes_of("lamps")));
    assert_true(bytes_equal(meta.locale, bytes_of("de")));
    assert_int_equal(meta.policy, POLICY_SUPPRESSED);
    assert_true(meta.active);
    assert_int_equal(meta.modalities, 7);
    fold(&folded, 4,
         "listing 7 @9 price=null seller=null category=null title=null colour=null "
         "size=null",
         NULL);
    meta = folded_row_meta(&folded);
    assert_int_equal(meta.price, -1);
    assert_int_equal(meta.seller_id, 0);
    assert_int_equal(meta.category.len, 0);
    assert_int_equal(meta.modalities, 1u << MODALITY_IMAGE | 1u << MODALITY_FUSED);
    folded_release(&folded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_is_of_the_last_visible_change),
        cmocka_unit_test(test_first_record_is_visible),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_bug_no_dedupe),
        cmocka_unit_test(test_checkpointed_form),
        cmocka_unit_test(test_erasure_is_visible),
        cmocka_unit_test(test_keeps_until_it_is_erased),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_row_meta),
    };
    return cmocka_run_group_tests_name("folded documents", tests, NULL, NULL);
}
