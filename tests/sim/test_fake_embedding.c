/*
 * The embedding service: what it makes of texts and pictures (A5), item by item, and what it
 * refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/fake_embedding.h"
#include "sim/vector_math.h"

#define ALL_MODALITIES ((1U << MODALITY_COUNT) - 1)
#define ONLY(m) ((uint8_t)(1U << (m)))

/* Room for the vectors of one item. */
struct room {
    float vectors[MODALITY_COUNT][FUSED_DIMENSION];
};

static const struct image_input photos[] = {{1, {"red running shoe photo side", 27}},
                                            {2, {"red running shoe photo sole", 27}}};

static struct embed_item shoe(uint8_t modalities) {
    return (struct embed_item){
        .listing_id = 1,
        .modalities = modalities,
        .text = {bytes_of("Red running shoe"), bytes_of("A light shoe for long distances"),
                 bytes_of("colour red\nsize 42\n"), bytes_of("en_US"), TOKENISER_WORD},
        .images = photos,
        .image_count = 2,
    };
}

static struct embed_result result_in(struct room *room, uint8_t modalities) {
    struct embed_result result = {.status = ITEM_STATUS_COUNT};
    for (unsigned m = 0; m < MODALITY_COUNT; m++) {
        result.vectors[m] = (modalities >> m & 1) != 0 ? room->vectors[m] : 0;
    }
    return result;
}

static enum item_status embed(struct fake_embedding *e, uint32_t model, struct embed_item item,
                              struct room *room) {
    struct embed_result result = result_in(room, item.modalities);
    struct embedding_port port = fake_embedding_port(e);
    assert_int_equal(port.ops->embed(port.ctx, (vtime){0}, model, &item, 1, &result), 0);
    assert_int_equal(result.model_version, model);
    return result.status;
}

static struct fake_embedding *new_service(void) {
    struct fake_embedding *e = fake_embedding_new(0);
    assert_non_null(e);
    return e;
}

static float similarity(const struct room *a, const struct room *b, enum modality m) {
    return vector_dot(a->vectors[m], b->vectors[m], modality_dimension(m));
}

/* Every wanted vector has length 1 and is the same however it is asked for: alone, with others, in
 * a batch, again, or of another instance (D3). */
static void vectors_do_not_depend_on_the_request(void **state) {
    (void)state;
    struct fake_embedding *e = new_service();
    struct fake_embedding *other = new_service();
    static struct room all, alone, batch[3];
    assert_int_equal(embed(e, 1, shoe(ALL_MODALITIES), &all), ITEM_APPLIED);
    for (int m = 0; m < MODALITY_COUNT; m++) {
        size_t bytes = modality_dimension((enum modality)m) * sizeof(float);
        float square = similarity(&all, &all, (enum modality)m);
        assert_true(square > 0.9999F && square < 1.0001F);
        assert_int_equal(embed(other, 1, shoe(ONLY(m)), &alone), ITEM_APPLIED);
        assert_memory_equal(alone.vectors[m], all.vectors[m], bytes);

        struct embed_item items[3] = {shoe(ONLY(m)), shoe(ALL_MODALITIES), shoe(ONLY(m))};
        items[0].text.title = bytes_of("Something else");
        struct embed_result results[3];
        for (size_t i = 0; i < 3; i++) {
            results[i] = result_in(&batch[i], items[i].modalities);
        }
        struct embedding_port port = fake_embedding_port(e);
        assert_int_equal(port.ops->embed(port.ctx, (vtime){0}, 1, items, 3, results), 0);
        assert_memory_equal(batch[1].vectors[m], all.vectors[m], bytes);
        assert_memory_equal(batch[2].vectors[m], all.vectors[m], bytes);
    }
    fake_embedding_free(e);
    fake_embedding_free(other);
}

/* A5: like is near like; a fused vector follows both its parts; models do not mix. */
static void similar_things_are_near(void **state) {
    (void)state;
    struct fake_embedding *e = new_service();
    static struct room a, near, far, retold, repictured, upgraded;
    struct embed_item item = shoe(ALL_MODALITIES);
    assert_int_equal(embed(e, 1, item, &a), ITEM_APPLIED);
    item.text.title = bytes_of("Red running shoes, light");
    item.image_count = 1;
    assert_int_equal(embed(e, 1, item, &near), ITEM_APPLIED);
    const struct image_input drill = {9, bytes_of("cordless drill in a case")};
    struct embed_item other = {
        .listing_id = 2,
        .modalities = ALL_MODALITIES,
        .text = {.title = bytes_of("Cordless drill"),
                 .description = bytes_of("Two batteries, 18 volts"),
                 .attributes = bytes_of("brand Acme\n"),
                 .locale = bytes_of("de_DE")},
        .images = &drill,
        .image_count = 1,
    };
    assert_int_equal(embed(e, 1, other, &far), ITEM_APPLIED);
    for (int m = 0; m < MODALITY_COUNT; m++) {
        assert_true(similarity(&a, &near, (enum modality)m) >
                    similarity(&a, &far, (enum modality)m) + 0.3F);
    }
    item = shoe(ALL_MODALITIES);
    item.text = other.text;
    assert_int_equal(embed(e, 1, item, &retold), ITEM_APPLIED);
    item = shoe(ALL_MODALITIES);
    item.images = &drill;
    item.image_count = 1;
    assert_int_equal(embed(e, 1, item, &repictured), ITEM_APPLIED);
    assert_true(similarity(&a, &retold, MODALITY_FUSED) < 0.9F);
    assert_true(similarity(&a, &repictured, MODALITY_FUSED) < 0.9F);
    assert_true(similarity(&a, &retold, MODALITY_FUSED) > 0.2F);
    assert_int_equal(embed(e, 2, shoe(ALL_MODALITIES), &upgraded), ITEM_APPLIED);
    for (int m = 0; m < MODALITY_COUNT; m++) {
        assert_true(similarity(&a, &upgraded, (enum modality)m) < 0.3F);
    }
    fake_embedding_free(e);
}

/* What cannot be made is a failure for good of its item alone; fused takes whichever is there. */
static void missing_input_fails_its_item(void **state) {
    (void)state;
    struct fake_embedding *e = new_service();
    static struct room room, text_only;
    struct embed_item textless = shoe(ALL_MODALITIES);
    textless.text = (struct text_input){.locale = bytes_of("en_US")};
    struct embed_item blind = shoe(ALL_MODALITIES);
    blind.image_count = 0;
    assert_int_equal(embed(e, 1, textless, &room), ITEM_FATAL);
    assert_int_equal(embed(e, 1, blind, &room), ITEM_FATAL);
    textless.modalities = blind.modalities = ONLY(MODALITY_FUSED);
    assert_int_equal(embed(e, 1, textless, &room), ITEM_APPLIED);
    assert_int_equal(embed(e, 1, blind, &text_only), ITEM_APPLIED);
    assert_true(similarity(&room, &text_only, MODALITY_FUSED) < 0.5F);
    textless.image_count = 0;
    assert_int_equal(embed(e, 1, textless, &room), ITEM_FATAL);
    assert_int_equal(embed(e, 1, shoe(0), &room), ITEM_FATAL);

    struct embed_item items[2] = {textless, blind};
    struct embed_result results[2] = {result_in(&room, items[0].modalities),
                                      result_in(&room, items[1].modalities)};
    struct embedding_port port = fake_embedding_port(e);
    assert_int_equal(port.ops->embed(port.ctx, (vtime){0}, 1, items, 2, results), 0);
    assert_int_equal(results[0].status, ITEM_FATAL);
    assert_int_equal(results[1].status, ITEM_APPLIED);
    struct fake_embedding_counts counts = fake_embedding_counts(e);
    assert_int_equal(counts.items, 8);
    assert_int_equal(counts.items_fatal, 5);
    assert_int_equal(counts.vectors[MODALITY_FUSED][0], 3);
    assert_int_equal(counts.vectors[MODALITY_TEXT][0], 0);
    fake_embedding_free(e);
}

/* Unknown models and too large batches are refused whole; a batch costs less than its items. */
static void limits_and_latency(void **state) {
    (void)state;
    struct fake_embedding_options options = {
        .batch_items_max = 1, .latency_base_ns = 1000, .latency_item_ns = 10};
    struct fake_embedding *e = fake_embedding_new(&options);
    static struct room room;
    struct embed_item items[2] = {shoe(ALL_MODALITIES), shoe(ALL_MODALITIES)};
    struct embed_result results[2] = {result_in(&room, ALL_MODALITIES),
                                      result_in(&room, ALL_MODALITIES)};
    struct embedding_port port = fake_embedding_port(e);
    assert_int_equal(port.ops->embed(port.ctx, (vtime){0}, 0, items, 1, results), PORT_NOT_FOUND);
    assert_int_equal(port.ops->embed(port.ctx, (vtime){0}, 3, items, 1, results), PORT_NOT_FOUND);
    assert_int_equal(port.ops->embed(port.ctx, (vtime){0}, 1, items, 2, results), PORT_TOO_LARGE);
    assert_int_equal(results[0].status, ITEM_STATUS_COUNT);
    assert_int_equal(fake_embedding_counts(e).requests_refused, 3);
    assert_int_equal(fake_embedding_counts(e).requests, 0);
    assert_int_equal(fake_embedding_latency_ns(e, 5), 1050);
    fake_embedding_free(e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_do_not_depend_on_the_request),
        cmocka_unit_test(similar_things_are_near),
        cmocka_unit_test(missing_input_fails_its_item),
        cmocka_unit_test(limits_and_latency),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
