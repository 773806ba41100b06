/*
 * The conformance suite of the object port (A5, A12, A16): what the archive of embeddings, the
 * eraser and the upgrader lean on, held by the fake and by a server that speaks the protocol of
 * Amazon S3; and a long random play in which a subject must answer as the fake does, to the bit.
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

#include "conformance/objects_subject.h"
#include "conformance/suite.h"
#include "sim/prng.h"

enum { FLOATS = FUSED_DIMENSION, PLAY_LISTINGS = 4, PLAY_BATCH = 4 };

SUITE_SUBJECTS(objects)

/* ---- What the tests say ---- */

static struct artifact_key key(uint64_t listing_id, uint64_t content_hash) {
    return (struct artifact_key){listing_id, content_hash, 1, MODALITY_TEXT};
}

/* Each number has a vector of its own, of which a third are zeros. */
static void fill(float vector[FLOATS], uint64_t number) {
    for (size_t i = 0; i < FLOATS; i++) {
        vector[i] = i % 3 == 0 ? 0 : (float)(number * 1000 + i) / 7;
    }
}

static void put(struct objects_subject *s, int64_t second, struct artifact_key k, uint64_t number) {
    float vector[FLOATS];
    const float *vectors[] = {vector};
    fill(vector, number);
    assert_int_equal(s->port.ops->put(s->port.ctx, at(second), &k, vectors, 1), 0);
}

static bool get(struct objects_subject *s, struct artifact_key k, float vector[FLOATS]) {
    float *vectors[] = {vector};
    bool found = false;
    assert_int_equal(s->port.ops->get(s->port.ctx, at(1000), &k, 1, vectors, &found), 0);
    return found;
}

/* Whether the key leads to that vector. */
static bool holds(struct objects_subject *s, struct artifact_key k, uint64_t number) {
    float expected[FLOATS];
    float vector[FLOATS];
    fill(expected, number);
    return get(s, k, vector) &&
           memcmp(vector, expected, modality_dimension(k.modality) * sizeof(float)) == 0;
}

static bool kept(struct objects_subject *s, struct artifact_key k) {
    float vector[FLOATS];
    return get(s, k, vector);
}

static uint64_t count(struct objects_subject *s, uint64_t listing_id, int64_t until) {
    uint64_t objects = UINT64_MAX;
    assert_int_equal(s->port.ops->count(s->port.ctx, at(1000), &listing_id, 1, at(until), &objects),
                     0);
    return objects;
}

static void erase(struct objects_subject *s, uint64_t listing_id, int64_t until) {
    assert_int_equal(s->port.ops->erase(s->port.ctx, at(1000), &listing_id, 1, at(until)), 0);
}

static void purge(struct objects_subject *s, int64_t from, int64_t to) {
    assert_int_equal(s->port.ops->purge(s->port.ctx, at(1000), at(from), at(to)), 0);
}

/* ---- Keeping ---- */

/* What is read is what was put, to the bit, whatever the floats are; what is not there is told
 * apart, item by item. */
static void vectors_are_read_back_to_the_bit(void **state) {
    struct objects_subject *s = *state;
    static float vectors[MODALITY_COUNT + 1][FLOATS];
    struct artifact_key keys[MODALITY_COUNT + 1];
    const float *given[MODALITY_COUNT];
    for (enum modality m = 0; m < MODALITY_COUNT; m++) {
        keys[m] = (struct artifact_key){UINT64_MAX, 5, 1, m};
        fill(vectors[m], m + 1);
        vectors[m][0] = -0.0F;
        vectors[m][1] = NAN;
        vectors[m][2] = 1e-42F;
        vectors[m][modality_dimension(m) - 1] = -INFINITY;
        given[m] = vectors[m];
    }
    keys[MODALITY_COUNT] = key(404, 5);
    assert_int_equal(s->port.ops->put(s->port.ctx, at(1), keys, given, MODALITY_COUNT), 0);
    static float read[MODALITY_COUNT + 1][FLOATS];
    float *out[MODALITY_COUNT + 1] = {read[0], read[1], read[2], read[3]};
    bool found[MODALITY_COUNT + 1];
    assert_int_equal(s->port.ops->get(s->port.ctx, at(1), keys, MODALITY_COUNT + 1, out, found), 0);
    for (enum modality m = 0; m < MODALITY_COUNT; m++) {
        assert_true(found[m]);
        assert_memory_equal(read[m], vectors[m], modality_dimension(m) * sizeof(float));
    }
    assert_false(found[MODALITY_COUNT]);
}

/* Every part of a key tells objects apart. */
static void keys_are_told_apart(void **state) {
    struct objects_subject *s = *state;
    const struct artifact_key keys[] = {
        {1, 7, 1, MODALITY_TEXT},  {2, 7, 1, MODALITY_TEXT},  {1, UINT64_MAX, 1, MODALITY_TEXT},
        {1, 7, 2, MODALITY_TEXT},  {1, 7, 1, MODALITY_FUSED}, {16, 7, 1, MODALITY_TEXT},
        {7, 1, 1, MODALITY_IMAGE},
    };
    enum { KEYS = sizeof keys / sizeof keys[0] };
    for (uint64_t i = 0; i < KEYS; i++) {
        assert_false(kept(s, keys[i]));
        put(s, 1, keys[i], i);
    }
    for (uint64_t i = 0; i < KEYS; i++) {
        assert_true(holds(s, keys[i], i));
    }
    assert_int_equal(count(s, 1, 1), 4);
}

/* The last put of a key holds, at once, and it is one object, stored then. */
static void last_put_holds(void **state) {
    struct objects_subject *s = *state;
    put(s, 1, key(1, 7), 10);
    put(s, 5, key(1, 7), 11);
    assert_true(holds(s, key(1, 7), 11));
    assert_int_equal(count(s, 1, 9), 1);
    assert_int_equal(count(s, 1, 4), 0);
    erase(s, 1, 4);
    assert_true(holds(s, key(1, 7), 11));
}

/* Nothing asked for is nothing done. */
static void empty_requests_do_nothing(void **state) {
    struct objects_subject *s = *state;
    uint64_t objects = 9;
    put(s, 1, key(1, 7), 1);
    assert_int_equal(s->port.ops->put(s->port.ctx, at(1), NULL, NULL, 0), 0);
    assert_int_equal(s->port.ops->get(s->port.ctx, at(1), NULL, 0, NULL, NULL), 0);
    assert_int_equal(s->port.ops->erase(s->port.ctx, at(1), NULL, 0, at(9)), 0);
    assert_int_equal(s->port.ops->count(s->port.ctx, at(1), NULL, 0, at(9), &objects), 0);
    assert_int_equal(objects, 0);
    assert_true(kept(s, key(1, 7)));
}

/* ---- Dropping ---- */

/* An erasure takes what was stored of its listings up to that moment, of every model and modality,
 * leaves what came after and what is of others, and may be repeated. */
static void erasures_take_listings(void **state) {
    struct objects_subject *s = *state;
    struct artifact_key picture = {1, 8, 2, MODALITY_IMAGE};
    put(s, 1, key(1, 7), 1);
    put(s, 1, key(16, 7), 4);
    put(s, 1, key(2, 7), 5);
    put(s, 5, picture, 2);
    put(s, 6, key(1, 9), 3);
    const uint64_t listings[] = {1, 2, 404};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s->port.ops->erase(s->port.ctx, at(9), listings, 3, at(5)), 0);
        assert_false(kept(s, key(1, 7)));
        assert_false(kept(s, picture));
        assert_false(kept(s, key(2, 7)));
        assert_true(holds(s, key(1, 9), 3));
        assert_true(holds(s, key(16, 7), 4));
        assert_int_equal(count(s, 1, 5), 0);
        assert_int_equal(count(s, 1, 6), 1);
    }
    put(s, 10, key(1, 7), 6);
    assert_true(holds(s, key(1, 7), 6));
}

/* An erasure takes all of it, also of a listing with more objects than a page of a listing names.
 */
static void erasures_go_through_all_pages(void **state) {
    struct objects_subject *s = *state;
    put(s, 0, key(2, 1), 1);
    for (uint64_t i = 0; i < 23; i++) {
        put(s, (int64_t)i, key(1, i * UINT64_C(0x9e3779b97f4a7c15)), i);
    }
    assert_int_equal(count(s, 1, 100), 23);
    assert_int_equal(count(s, 1, 9), 10);
    const uint64_t listings[] = {1, 2};
    uint64_t objects;
    assert_int_equal(s->port.ops->count(s->port.ctx, at(99), listings, 2, at(99), &objects), 0);
    assert_int_equal(objects, 24);
    erase(s, 1, 11);
    assert_int_equal(count(s, 1, 100), 11);
    erase(s, 1, 100);
    assert_int_equal(count(s, 1, 100), 0);
    assert_int_equal(count(s, 2, 100), 1);
}

/* A purge takes what was stored in a stretch, its begin included and its end not, of all listings.
 */
static void purges_take_stretches(void **state) {
    struct objects_subject *s = *state;
    for (uint64_t i = 1; i <= 8; i++) {
        put(s, (int64_t)i, key(i, 7), i);
    }
    purge(s, 3, 7);
    for (uint64_t i = 1; i <= 8; i++) {
        assert_int_equal(kept(s, key(i, 7)), i < 3 || i >= 7);
    }
    purge(s, 5, 5);
    assert_true(holds(s, key(7, 7), 7));
}

/* ---- A random play beside the fake ---- */

static struct artifact_key play_key(struct prng *p) {
    return (struct artifact_key){1 + prng_below(p, PLAY_LISTINGS), prng_below(p, 4),
                                 1 + (uint32_t)prng_below(p, 2),
                                 (enum modality)prng_below(p, MODALITY_COUNT)};
}

static void play_put(struct objects_subject *const both[2], struct prng *p, int64_t second) {
    static float vectors[PLAY_BATCH][FLOATS];
    struct artifact_key keys[PLAY_BATCH];
    const float *given[PLAY_BATCH];
    size_t items = prng_below(p, PLAY_BATCH + 1);
    for (size_t i = 0; i < items; i++) {
        keys[i] = play_key(p);
        fill(vectors[i], prng_below(p, 1000));
        given[i] = vectors[i];
    }
    for (int i = 0; i < 2; i++) {
        struct object_port port = both[i]->port;
        assert_int_equal(port.ops->put(port.ctx, at(second), keys, given, items), 0);
    }
}

static void play_drop(struct objects_subject *const both[2], struct prng *p, int64_t second) {
    uint64_t listing = 1 + prng_below(p, PLAY_LISTINGS);
    int64_t until = second - (int64_t)prng_below(p, 20);
    bool stretch = prng_ratio(p, 1, 3);
    for (int i = 0; i < 2; i++) {
        if (stretch) {
            purge(both[i], until - 5, until);
        } else {
            erase(both[i], listing, until);
        }
    }
}

static void assert_same(struct objects_subject *const both[2], struct prng *p, int64_t second) {
    static float vectors[2][FLOATS];
    uint64_t listing = 1 + prng_below(p, PLAY_LISTINGS);
    int64_t until = second - (int64_t)prng_below(p, 20);
    assert_int_equal(count(both[0], listing, until), count(both[1], listing, until));
    for (int i = 0; i < 12; i++) {
        struct artifact_key k = play_key(p);
        bool found = get(both[0], k, vectors[0]);
        assert_int_equal(found, get(both[1], k, vectors[1]));
        if (found) {
            assert_memory_equal(vectors[0], vectors[1],
                                modality_dimension(k.modality) * sizeof(float));
        }
    }
}

/* Whatever is put, put again, erased and purged, a subject answers as the fake does. */
static void random_plays_agree_with_the_fake(void **state) {
    struct objects_subject fake;
    assert_true(objects_subject_fake(&fake));
    struct objects_subject *const both[] = {*state, &fake};
    struct prng p;
    prng_init(&p, 31, "objects conformance");
    for (int64_t second = 0; second < 240; second++) {
        if (prng_ratio(&p, 1, 8)) {
            play_drop(both, &p, second);
        } else {
            play_put(both, &p, second);
        }
        if (second % 6 == 5) {
            assert_same(both, &p, second);
        }
    }
    fake.free(fake.ctx);
}

int objects_suite_run(const char *name, bool (*make)(struct objects_subject *out)) {
    const struct CMUnitTest tests[] = {
        TEST(vectors_are_read_back_to_the_bit),
        TEST(keys_are_told_apart),
        TEST(last_put_holds),
        TEST(empty_requests_do_nothing),
        TEST(erasures_take_listings),
        TEST(erasures_go_through_all_pages),
        TEST(purges_take_stretches),
        TEST(random_plays_agree_with_the_fake),
    };
    make_subject = make;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
