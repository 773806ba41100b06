/*
 * The conformance suite of the embedding port (A5, A11): what the builder, the archive and the
 * upgrader lean on, held by the fake and by a model that was trained on texts; and a random play in
 * which a subject must answer as the fake does. What the vectors are is each model's own: which
 * must be equal, and which nearer, is said test by test.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/embedding_subject.h"
#include "conformance/suite.h"
#include "sim/prng.h"

enum { D = TEXT_DIMENSION, BATCH_MAX = 8 };

SUITE_SUBJECTS(embedding)

/* ---- What the tests say ---- */

static struct embed_item listing(uint64_t id, const char *title) {
    return (struct embed_item){
        .listing_id = id,
        .modalities = 1U << MODALITY_TEXT,
        .text = {.title = bytes_of(title), .locale = bytes_of("en"), .tokeniser = TOKENISER_WORD}};
}

/* The batch's text vectors, one after the other. */
static int embed(struct embedding_subject *s, uint32_t model, const struct embed_item *items,
                 size_t count, struct embed_result *results, float vectors[][D]) {
    for (size_t i = 0; i < count; i++) {
        results[i] = (struct embed_result){.status = ITEM_UNKNOWN};
        if (items[i].modalities != 0) {
            results[i].vectors[MODALITY_TEXT] = vectors[i];
        }
        for (size_t d = 0; d < D; d++) {
            vectors[i][d] = 7; /* what is not filled shows */
        }
    }
    return s->port.ops->embed(s->port.ctx, at(1), model, items, count, results);
}

static void embed_item(struct embedding_subject *s, struct embed_item item, float vector[D]) {
    struct embed_result result;
    float vectors[1][D];
    assert_int_equal(embed(s, 1, &item, 1, &result, vectors), 0);
    assert_int_equal(result.status, ITEM_APPLIED);
    assert_int_equal(result.model_version, 1);
    assert_false(result.reused);
    memcpy(vector, vectors[0], sizeof vectors[0]);
}

static void embed_title(struct embedding_subject *s, const char *title, float vector[D]) {
    embed_item(s, listing(1, title), vector);
}

static double cosine(const float a[D], const float b[D]) {
    double sum = 0;
    for (int i = 0; i < D; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* Equal but for the last bits: the kernels of a trained model add up in an order that depends on
 * what else is in the batch. */
static void assert_same_vector(const float a[D], const float b[D]) {
    for (int i = 0; i < D; i++) {
        assert_float_equal(a[i], b[i], 1e-5);
    }
}

/* ---- Vectors ---- */

/* A vector has the length that the answer tells, nothing behind it, and a norm of one, as the
 * stores demand. */
static void vectors_are_of_unit_norm(void **state) {
    struct embedding_subject *s = *state;
    struct embed_item item = listing(1, "red reading lamp");
    struct embed_result result;
    float vectors[1][D];
    assert_int_equal(embed(s, 1, &item, 1, &result, vectors), 0);
    assert_int_equal(result.dimensions[MODALITY_TEXT], s->dimensions[MODALITY_TEXT]);
    assert_int_equal(result.dimensions[MODALITY_IMAGE], 0);
    for (uint32_t i = s->dimensions[MODALITY_TEXT]; i < D; i++) {
        assert_true(vectors[0][i] == 0);
    }
    assert_float_equal(cosine(vectors[0], vectors[0]), 1, 1e-3);
}

/* The same text has the same vector, to the bit: again, for another listing, in whatever company
 * and at whatever place of a batch. So a vector that is made anew is the one that was lost. */
static void equal_texts_have_equal_vectors(void **state) {
    struct embedding_subject *s = *state;
    struct embed_item items[] = {listing(1, "oak chair"), listing(2, "red reading lamp"),
                                 listing(3, "a garden hose of twenty metres, with all couplings"),
                                 listing(4, "red reading lamp")};
    struct embed_result results[4];
    float vectors[4][D];
    float alone[D];
    embed_title(s, "red reading lamp", alone);
    assert_int_equal(embed(s, 1, items, 4, results, vectors), 0);
    assert_same_vector(vectors[1], alone);
    assert_same_vector(vectors[3], alone);
    assert_true(cosine(vectors[0], alone) < 0.999);
    embed_title(s, "red reading lamp", vectors[0]);
    assert_same_vector(vectors[0], alone);
}

/* Title, description and attributes all count. */
static void every_text_counts(void **state) {
    struct embedding_subject *s = *state;
    struct embed_item item = listing(1, "lamp");
    float title[D], described[D], whole[D];
    embed_item(s, item, title);
    item.text.description = bytes_of("of brass, for the desk");
    embed_item(s, item, described);
    item.text.attributes = bytes_of("colour=green");
    embed_item(s, item, whole);
    assert_true(cosine(title, described) < 0.9999);
    assert_true(cosine(described, whole) < 0.9999);
    item.text.title = item.text.description = (struct bytes){NULL, 0};
    embed_item(s, item, whole);
}

/* Texts that say nearly the same are nearer to each other than to texts of other things. */
static void similar_texts_are_near(void **state) {
    struct embedding_subject *s = *state;
    static const char *const near[][2] = {
        {"red reading lamp for the desk", "reading lamp, red, for a desk"},
        {"bicycle chain oil", "oil for a bicycle chain"},
        {"wooden garden chair", "garden chair made of wooden planks"},
    };
    enum { PAIRS = sizeof near / sizeof near[0] };
    float vectors[PAIRS][2][D];
    for (int i = 0; i < PAIRS; i++) {
        embed_title(s, near[i][0], vectors[i][0]);
        embed_title(s, near[i][1], vectors[i][1]);
    }
    for (int i = 0; i < PAIRS; i++) {
        for (int j = 0; j < PAIRS; j++) {
            if (i != j) {
                assert_true(cosine(vectors[i][0], vectors[i][1]) >
                            cosine(vectors[i][0], vectors[j][1]));
            }
        }
    }
}

/* Texts come through as they are: quotes, ends of lines, letters of all languages. */
static void any_text_can_be_embedded(void **state) {
    struct embedding_subject *s = *state;
    static const char *const texts[] = {
        "\"lamp\", 'red' \\ {}", "lamp\n\tred\r\n",
        "\x01\x1f lamp",         "caf\xc3\xa9 \xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9",
        "\xf0\x9f\x92\xa1 lamp", "x"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        float once[D], again[D];
        embed_title(s, texts[i], once);
        embed_title(s, texts[i], again);
        assert_float_equal(cosine(once, once), 1, 1e-3);
        assert_same_vector(once, again);
    }
}

/* ---- Answers ---- */

/* Items are answered one by one: one that has no text, or of which nothing is wanted, fails for
 * good and keeps no other from its vector. */
static void items_are_answered_one_by_one(void **state) {
    struct embedding_subject *s = *state;
    struct embed_item items[] = {listing(1, "lamp"), listing(2, ""), listing(3, "chair"),
                                 listing(4, "lamp")};
    items[3].modalities = 0;
    struct embed_result results[4];
    float vectors[4][D];
    float lamp[D], chair[D];
    embed_title(s, "lamp", lamp);
    embed_title(s, "chair", chair);
    assert_int_equal(embed(s, 1, items, 4, results, vectors), 0);
    assert_int_equal(results[0].status, ITEM_APPLIED);
    assert_int_equal(results[1].status, ITEM_FATAL);
    assert_int_equal(results[2].status, ITEM_APPLIED);
    assert_int_equal(results[3].status, ITEM_FATAL);
    assert_same_vector(vectors[0], lamp);
    assert_same_vector(vectors[2], chair);
    assert_int_equal(embed(s, 1, items, 0, results, vectors), 0);
}

/* A model version that is not there is refused, and is told apart from a service that is not. */
static void unknown_models_are_not_found(void **state) {
    struct embedding_subject *s = *state;
    struct embed_item item = listing(1, "lamp");
    struct embed_result result;
    float vectors[1][D];
    assert_int_equal(embed(s, EMBEDDING_SUBJECT_UNKNOWN, &item, 1, &result, vectors),
                     PORT_NOT_FOUND);
}

/* More items than a request may have are refused as a whole, and say that size is the reason. */
static void batches_have_a_limit(void **state) {
    struct embedding_subject *s = *state;
    enum { MANY = EMBEDDING_SUBJECT_ITEMS_MAX + 1 };
    static struct embed_item items[MANY];
    static struct embed_result results[MANY];
    static float vectors[MANY][D];
    for (size_t i = 0; i < MANY; i++) {
        items[i] = listing(i, "lamp");
    }
    assert_int_equal(embed(s, 1, items, MANY, results, vectors), PORT_TOO_LARGE);
}

/* ---- A random play beside the fake ---- */

static const char *const titles[] = {
    "",         "lamp",      "red lamp",       "oak chair, used", "caf\xc3\xa9 table",
    "40W bulb", "lamp lamp", "chain oil 50 ml"};
enum { TITLES = sizeof titles / sizeof titles[0] };

/* What a subject said of a title first. */
struct heard {
    bool known[TITLES];
    float vectors[TITLES][D];
};

struct batch {
    struct embed_item items[BATCH_MAX];
    int titles[BATCH_MAX];
    size_t count;
    bool asks; /* there is something to send */
};

static void play_batch(struct prng *p, struct batch *batch) {
    *batch = (struct batch){.count = prng_below(p, BATCH_MAX + 1)};
    for (size_t i = 0; i < batch->count; i++) {
        batch->titles[i] = (int)prng_below(p, TITLES);
        batch->items[i] = listing(prng_below(p, 100), titles[batch->titles[i]]);
        if (prng_ratio(p, 1, 8)) {
            batch->items[i].modalities = 0;
        }
        batch->asks |= batch->items[i].modalities != 0 && batch->items[i].text.title.len > 0;
    }
}

static void hear(struct heard *heard, int title, const float vector[D]) {
    if (!heard->known[title]) {
        heard->known[title] = true;
        memcpy(heard->vectors[title], vector, D * sizeof vector[0]);
    }
    assert_same_vector(heard->vectors[title], vector);
}

/* Whatever is asked for together, a subject answers as the fake does, and each says of a text what
 * it said of it before. */
static void random_plays_agree_with_the_fake(void **state) {
    struct embedding_subject fake;
    assert_true(embedding_subject_fake(&fake));
    struct embedding_subject *const both[] = {*state, &fake};
    static struct heard heard[2];
    memset(heard, 0, sizeof heard);
    struct prng p;
    prng_init(&p, 37, "embedding conformance");
    for (int step = 0; step < 40; step++) {
        struct batch batch;
        static float vectors[2][BATCH_MAX][D];
        struct embed_result results[2][BATCH_MAX];
        play_batch(&p, &batch);
        bool unknown = prng_ratio(&p, 1, 10) && batch.asks;
        uint32_t model = unknown ? EMBEDDING_SUBJECT_UNKNOWN : 1;
        int rc = embed(both[0], model, batch.items, batch.count, results[0], vectors[0]);
        assert_int_equal(rc,
                         embed(both[1], model, batch.items, batch.count, results[1], vectors[1]));
        for (size_t i = 0; i < batch.count && rc == 0; i++) {
            assert_int_equal(results[0][i].status, results[1][i].status);
            assert_int_equal(results[0][i].model_version, results[1][i].model_version);
            for (int b = 0; b < 2 && results[0][i].status == ITEM_APPLIED; b++) {
                hear(&heard[b], batch.titles[i], vectors[b][i]);
            }
        }
    }
    fake.free(fake.ctx);
}

int embedding_suite_run(const char *name, bool (*make)(struct embedding_subject *out)) {
    const struct CMUnitTest tests[] = {
        TEST(vectors_are_of_unit_norm),
        TEST(equal_texts_have_equal_vectors),
        TEST(every_text_counts),
        TEST(similar_texts_are_near),
        TEST(any_text_can_be_embedded),
        TEST(items_are_answered_one_by_one),
        TEST(unknown_models_are_not_found),
        TEST(batches_have_a_limit),
        TEST(random_plays_agree_with_the_fake),
    };
    make_subject = make;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
