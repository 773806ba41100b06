/* Effects and their memory: order, ownership, reuse; the names of what they carry; digests of
 * scans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/effects.h"

/* Effects come out in the order in which they went in, and the list can be filled again. */
static void test_first_in_first_out(void **state) {
    (void)state;
    struct effect_pool pool;
    struct effects effects;
    effect_pool_init(&pool);
    effects_init(&effects, &pool);
    for (int round = 0; round < 2; round++) {
        for (uint64_t request = 1; request <= 3; request++) {
            assert_non_null(effects_add(&effects, EFFECT_FETCH, request, 0));
        }
        for (uint64_t request = 1; request <= 3; request++) {
            struct effect *effect = effects_take(&effects);
            assert_int_equal(effect->request, request);
            assert_null(effect->next);
            effect_release(&pool, effect);
        }
        assert_null(effects_take(&effects));
    }
    effect_pool_release(&pool);
}

/* Memory of an effect is zeroed, aligned for vectors, and lives as long as the effect, whatever is
 * asked for after it. */
static void test_memory_of_an_effect(void **state) {
    (void)state;
    struct effect_pool pool;
    struct effects effects;
    effect_pool_init(&pool);
    effects_init(&effects, &pool);
    for (int round = 0; round < 3; round++) {
        struct effect *effect = effects_add(&effects, EFFECT_PRODUCE, 1, 0);
        static const size_t sizes[] = {1, 0, 63, 64, 65, 4000, 7, 100000, 40000000, 12};
        unsigned char *memory[10];
        for (size_t i = 0; i < 10; i++) {
            memory[i] = effect_alloc(&effects, effect, sizes[i]);
            assert_non_null(memory[i]);
            assert_int_equal((uintptr_t)memory[i] % 64, 0);
            for (size_t k = 0; k < sizes[i]; k += 997) {
                assert_int_equal(memory[i][k], 0);
            }
            memset(memory[i], (int)i + 1, sizes[i]);
        }
        for (size_t i = 0; i < 10; i++) {
            assert_true(sizes[i] == 0 || memory[i][0] == i + 1);
            assert_true(sizes[i] == 0 || memory[i][sizes[i] - 1] == i + 1);
        }
        assert_ptr_equal(effects_take(&effects), effect);
        effect_release(&pool, effect);
    }
    effect_pool_release(&pool);
}

/* A copy is the effect's own; empty bytes need none. */
static void test_copies(void **state) {
    (void)state;
    struct effect_pool pool;
    struct effects effects;
    effect_pool_init(&pool);
    effects_init(&effects, &pool);
    struct effect *effect = effects_add(&effects, EFFECT_ALERT, 0, 0);
    char text[] = "lamp";
    struct bytes copy = effect_copy(&effects, effect, bytes_of(text));
    text[0] = 'd';
    assert_true(bytes_equal(copy, bytes_of("lamp")));
    assert_int_equal(effect_copy(&effects, effect, (struct bytes){NULL, 0}).len, 0);
    effect_release(&pool, effects_take(&effects));
    effect_pool_release(&pool);
}

/* A running pipeline allocates nothing: released memory is used again. */
static void test_memory_is_reused(void **state) {
    (void)state;
    struct effect_pool pool;
    effect_pool_init(&pool);
    uint64_t allocated = 0;
    for (int round = 0; round < 100; round++) {
        struct effects effects;
        effects_init(&effects, &pool);
        for (int i = 0; i < 20; i++) {
            struct effect *effect = effects_add(&effects, EFFECT_WRITE_VECTORS, 1, 0);
            assert_non_null(effect_alloc(&effects, effect, (size_t)(1 + i) * 3000));
        }
        struct effect *effect;
        while ((effect = effects_take(&effects)) != NULL) {
            effect_release(&pool, effect);
        }
        if (round == 0) {
            allocated = pool.blocks_allocated;
        }
    }
    assert_true(allocated > 0);
    assert_int_equal(pool.blocks_allocated, allocated);
    effect_pool_release(&pool);
}

/* Every kind, store, class and state has a name of its own. */
static void test_names(void **state) {
    (void)state;
    for (int a = 0; a < EFFECT_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(effect_kind_name((enum effect_kind)a),
                                    effect_kind_name((enum effect_kind)b));
        }
    }
    assert_string_equal(scan_store_name(SCAN_VECTOR_FUSED), "vector-fused");
    assert_string_equal(drift_class_name(DRIFT_SUPPRESSED_SERVED), "suppressed_served");
    assert_string_equal(drift_class_name(DRIFT_IN_FLIGHT), "in_flight");
    assert_string_equal(alert_state_name(ALERT_NO_DATA), "no_data");
}

/* ---- Digests of scans ---- */

static struct scan_row row_of(uint64_t id) {
    return (struct scan_row){.listing_id = id,
                             .version = (doc_version)(id + 1),
                             .source_hash = id * 7,
                             .whole_hash = id * 11,
                             .model_version = 1,
                             .modalities = 1u << MODALITY_TEXT | 1u << MODALITY_FUSED,
                             .alive = true};
}

static struct scan_digest digest_of(enum scan_store store, const uint64_t *ids, size_t count) {
    struct scan_digest digest;
    memset(&digest, 0, sizeof digest);
    for (size_t i = 0; i < count; i++) {
        struct scan_row row = row_of(ids[i]);
        scan_digest_add(&digest, store, &row);
    }
    return digest;
}

/* Digests do not depend on the order of rows; a serving store's agrees with gold's in its view. */
static void test_digests_compare_stores(void **state) {
    (void)state;
    struct scan_digest gold = digest_of(SCAN_GOLD, (uint64_t[]){1, 2, 3}, 3);
    struct scan_digest text = digest_of(SCAN_VECTOR_TEXT, (uint64_t[]){3, 1, 2}, 3);
    struct scan_digest image = digest_of(SCAN_VECTOR_IMAGE, (uint64_t[]){1}, 1);
    assert_int_equal(gold.rows[VIEW_TEXT], 3);
    assert_int_equal(gold.rows[VIEW_IMAGE], 0);
    assert_int_equal(text.rows[VIEW_TEXT], 3);
    assert_int_equal(text.rows[VIEW_FUSED], 0);
    assert_int_equal(image.rows[VIEW_IMAGE], 1);
    assert_int_equal(gold.whole_sum[VIEW_TEXT], text.whole_sum[VIEW_TEXT]);
    assert_int_equal(gold.source_sum[VIEW_ALIVE], text.source_sum[VIEW_ALIVE]);
    assert_int_equal(gold.id_first, 1);
    assert_int_equal(text.id_last, 3);
}

/* Each part of a row that stores must agree on moves a sum. */
static void test_digests_see_differences(void **state) {
    (void)state;
    for (int part = 0; part < 4; part++) {
        struct scan_digest a = digest_of(SCAN_GOLD, (uint64_t[]){1, 2}, 2);
        struct scan_digest b = digest_of(SCAN_GOLD, (uint64_t[]){1}, 1);
        struct scan_row row = row_of(part == 0 ? 3 : 2);
        row.version += part == 1;
        row.whole_hash += part == 2;
        row.source_hash += part == 3;
        scan_digest_add(&b, SCAN_GOLD, &row);
        assert_int_equal(a.rows[VIEW_SERVED], b.rows[VIEW_SERVED]);
        assert_int_equal(a.whole_sum[VIEW_SERVED] != b.whole_sum[VIEW_SERVED], part != 3);
        assert_int_equal(a.source_sum[VIEW_SERVED] != b.source_sum[VIEW_SERVED],
                         part == 0 || part == 3);
    }
}

/* The dead count in no view, the suppressed among the living alone. */
static void test_digests_of_the_dead_and_the_suppressed(void **state) {
    (void)state;
    struct scan_digest digest;
    memset(&digest, 0, sizeof digest);
    struct scan_row row = row_of(4);
    row.alive = false;
    scan_digest_add(&digest, SCAN_GOLD, &row);
    row = row_of(9);
    row.suppressed = true;
    row.model_version = 3;
    scan_digest_add(&digest, SCAN_GOLD, &row);
    assert_int_equal(digest.rows_total, 2);
    assert_int_equal(digest.rows[VIEW_ALIVE], 1);
    assert_int_equal(digest.rows[VIEW_SERVED], 0);
    assert_int_equal(digest.rows[VIEW_TEXT], 0);
    assert_int_equal(digest.id_first, 4);
    assert_int_equal(digest.id_last, 9);
    assert_int_equal(digest.model_least, 1);
    assert_int_equal(digest.model_greatest, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_memory_of_an_effect),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_memory_is_reused),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_digests_compare_stores),
        cmocka_unit_test(test_digests_see_differences),
        cmocka_unit_test(test_digests_of_the_dead_and_the_suppressed),
    };
    return cmocka_run_group_tests_name("effects", tests, NULL, NULL);
}
