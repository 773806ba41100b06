/*
 * The schema registry (B9): what is registered and what is refused in each mode, amendments, and
 * the checkpointed form.
 */
#include "pipeline/registry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/contract.h"

static int set_up(void **state) {
    struct registry *registry = malloc(sizeof *registry);
    *state = registry;
    return registry == NULL || registry_init(registry, NULL) != 0;
}

static int tear_down(void **state) {
    registry_release(*state);
    free(*state);
    return 0;
}

static int fold(struct registry *registry, const char *text, struct sentence *why) {
    *why = sentence_begin();
    return registry_fold(registry, TOPIC_LISTING, bytes_of(text), why);
}

static void assert_folds(struct registry *registry, const char *text, int expected) {
    struct sentence why;
    int outcome = fold(registry, text, &why);
    if (outcome != expected) {
        fail_msg("%s: %d (%.*s)", text, outcome, (int)why.length, why.text);
    }
}

static void assert_refuses(struct registry *registry, const char *text, const char *reason) {
    struct sentence why;
    char said[sizeof why.text + 1] = {0};
    assert_int_equal(fold(registry, text, &why), REGISTRY_REFUSED);
    memcpy(said, why.text, why.length);
    assert_string_equal(said, reason);
}

/* The built-in contract is version 1 of each feed, and anything that a later one can say is within
 * what the feed's records carry. */
static void test_builtin(void **state) {
    struct registry *registry = *state;
    for (int feed = 0; feed < TOPIC_FEED_COUNT; feed++) {
        const struct schema *schema = registry_find(registry, (enum topic_id)feed, 1);
        assert_non_null(schema);
        struct sentence why;
        assert_true(schema_allows(&registry->widest[feed], schema, &why));
        assert_null(registry_find(registry, (enum topic_id)feed, 2));
    }
    assert_folds(registry, "version 1; title: text", REGISTRY_REFUSED);
    assert_int_equal(registry_fold(registry, TOPIC_LISTING, contract_carried(TOPIC_LISTING),
                                   &(struct sentence){0}),
                     REGISTRY_REPEATED);
    assert_refuses(registry, "mode none; version 2; colour: text",
                   "colour: version 1 does not know it, and version 2 writes text: more than a "
                   "record of the feed can carry");
    assert_refuses(registry, "mode none; version 2; title: integer",
                   "title: version 1 allows text or null, and version 2 writes integer: more than "
                   "a record of the feed can carry");
}

#define OPEN "; attribute.*: text, integer, number, null"

/* A feed's mode decides; the same text sets it or leaves it; a refusal changes nothing. */
static void test_modes(void **state) {
    struct registry *registry = *state;
    const char *typed = "version 2; title: text, null" OPEN "; attribute.grade: integer";
    assert_refuses(registry, typed,
                   "attribute.grade: version 2 reads integer, and version 1 writes text, integer, "
                   "number or null (mode backward)");
    assert_null(registry_find(registry, TOPIC_LISTING, 2));
    assert_refuses(registry, "mode full; version 2; attribute.grade: integer" OPEN,
                   "attribute.grade: version 2 reads integer, and version 1 writes text, integer, "
                   "number or null (mode full)");
    assert_int_equal(registry->subjects[TOPIC_LISTING].mode, SCHEMA_MODE_BACKWARD);
    assert_folds(registry, "mode forward", REGISTRY_MODE_SET);
    assert_folds(registry, typed, REGISTRY_REGISTERED);
    assert_folds(registry, typed, REGISTRY_REPEATED);
    assert_non_null(registry_find(registry, TOPIC_LISTING, 2));
    assert_refuses(registry, "version 3; seller: ids" OPEN,
                   "seller: version 1 allows integer or null, and version 3 writes ids: more than "
                   "a record of the feed can carry");
    assert_folds(registry, "version 5; title: text" OPEN "; attribute.grade: integer",
                 REGISTRY_REGISTERED);
    assert_refuses(registry, "version 4; title: text" OPEN,
                   "a version that comes after 4 is registered already");
    struct sentence versions = sentence_begin();
    registry_versions(registry, TOPIC_LISTING, &versions);
    assert_true(bytes_equal(sentence_bytes(&versions), bytes_of("1, 2 or 5")));
}

/* Pairs of neighbours can be compatible while the ends are not: only a transitive mode sees it. */
static void test_transitive(void **state) {
    struct registry *registry = *state;
    const char *with = "mode none; version 2; attribute.grade: integer";
    const char *without = "version 3; title: text";
    const char *again = "version 4; title: text; attribute.grade: text";
    assert_folds(registry, with, REGISTRY_REGISTERED);
    assert_folds(registry, "mode forward", REGISTRY_MODE_SET);
    assert_folds(registry, without, REGISTRY_REGISTERED);
    struct sentence why;
    const struct schema *v2 = registry_find(registry, TOPIC_LISTING, 2);
    const struct schema *v3 = registry_find(registry, TOPIC_LISTING, 3);
    assert_true(schema_compatible(SCHEMA_MODE_FULL, v2, v3, &why));
    assert_refuses(registry,
                   "mode forward-transitive; version 4; title: text; attribute.grade: text",
                   "attribute.grade: version 2 reads integer, and version 4 writes text (mode "
                   "forward-transitive)");
    assert_folds(registry, again, REGISTRY_REGISTERED);
}

/* A version may be amended to allow more, not less, and still by the mode. */
static void test_amendment(void **state) {
    struct registry *registry = *state;
    assert_folds(registry, "mode forward; version 2; attribute.months: integer, min 0, max 24",
                 REGISTRY_REGISTERED);
    assert_refuses(registry, "version 2; attribute.months: integer, min 0, max 12",
                   "attribute.months: version 2 allows integer from 0 to 12, and version 2 writes "
                   "integer from 0 to 24: an amendment refuses what was accepted");
    assert_folds(registry, "version 2; attribute.months: integer, min 0, max 120",
                 REGISTRY_AMENDED);
    assert_int_equal(registry_find(registry, TOPIC_LISTING, 2)->fields[0].max, 120);
}

/* A checkpoint brings the same registry back. */
static void test_checkpoint(void **state) {
    struct registry *registry = *state;
    assert_folds(registry,
                 "mode none; version 2; price: decimal, min 0; attribute.a: text, "
                 "required, default ?",
                 REGISTRY_REGISTERED);
    assert_folds(registry, "mode full", REGISTRY_MODE_SET);
    assert_folds(registry, "nonsense", REGISTRY_REFUSED);
    size_t size = registry_encode(registry, NULL);
    char *first = malloc(size), *second = malloc(size);
    assert_int_equal(registry_encode(registry, first), size);
    struct registry other;
    assert_int_equal(registry_init(&other, NULL), 0);
    assert_int_equal(registry_decode(&other, (struct bytes){first, size}), 0);
    assert_int_equal(other.subjects[TOPIC_LISTING].mode, SCHEMA_MODE_FULL);
    assert_true(other.subjects[TOPIC_LISTING].refused);
    assert_int_equal(registry_encode(&other, second), size);
    assert_memory_equal(first, second, size);
    registry_release(&other);
    free(first);
    free(second);
}

/* Version 1 can be given: it may narrow what the wire carries and set the mode, which checkpoints
 * keep; where nothing is given, or what the wire carries, no record that decodes is looked at. */
static void test_first_version(void **state) {
    (void)state;
    struct bytes first[TOPIC_FEED_COUNT] = {
        [TOPIC_LISTING] = bytes_of("version 1; mode full; title: text, null, max 20"),
        [TOPIC_MEDIA] = contract_carried(TOPIC_MEDIA),
    };
    struct registry registry, other;
    char text[4096];
    assert_int_equal(registry_init(&registry, first), 0);
    assert_true(registry.subjects[TOPIC_LISTING].narrowed);
    assert_false(registry.subjects[TOPIC_MEDIA].narrowed);
    assert_false(registry.subjects[TOPIC_POLICY].narrowed);
    assert_int_equal(registry.subjects[TOPIC_LISTING].mode, SCHEMA_MODE_FULL);
    assert_int_equal(registry.subjects[TOPIC_MEDIA].mode, SCHEMA_MODE_BACKWARD);
    size_t size = registry_encode(&registry, NULL);
    assert_true(size <= sizeof text);
    registry_encode(&registry, text);
    assert_int_equal(registry_init(&other, NULL), 0);
    assert_int_equal(registry_decode(&other, (struct bytes){text, size}), 0);
    assert_true(other.subjects[TOPIC_LISTING].narrowed);
    assert_int_equal(registry_find(&other, TOPIC_LISTING, 1)->fields[0].max, 20);
    /* Corrupt bytes leave what was given at first. */
    assert_int_equal(registry_decode(&registry, (struct bytes){text, size - 1}), -EINVAL);
    assert_true(registry.subjects[TOPIC_LISTING].narrowed);
    registry_release(&other);
    registry_release(&registry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_builtin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_modes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transitive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_amendment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_checkpoint, set_up, tear_down),
        cmocka_unit_test(test_first_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
