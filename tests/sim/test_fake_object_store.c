/*
 * The object store for artifacts, and the embedding service's archive in it (A5, A12, A16): what is
 * kept is found by what it was made of, goes after its lifecycle or with its listing, and is not
 * made again while it is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/embedding_archive.h"
#include "sim/fake_embedding.h"
#include "sim/fake_object_store.h"
#include "sim/prng.h"
#include "sim/vector_math.h"

static const vtime start = {INT64_C(1772409600) * VTIME_SECOND}; /* midnight */

static vtime day(int64_t days, int64_t hours) {
    return vtime_add(start, days * VTIME_DAY + hours * VTIME_HOUR);
}

static struct artifact_key key_of(uint64_t listing, uint64_t content) {
    return (struct artifact_key){listing, content, 1, MODALITY_TEXT};
}

static void put(struct fake_object_store *o, vtime now, struct artifact_key key, float value) {
    static float vector[FUSED_DIMENSION];
    for (size_t i = 0; i < modality_dimension(key.modality); i++) {
        vector[i] = value;
    }
    const float *vectors[] = {vector};
    struct object_port port = fake_object_store_port(o);
    assert_int_equal(port.ops->put(port.ctx, now, &key, vectors, 1), PORT_OK);
}

/* The value that every float of the kept vector has; -1: it is not kept. */
static float get(struct fake_object_store *o, vtime now, struct artifact_key key) {
    static float vector[FUSED_DIMENSION];
    float *vectors[] = {vector};
    bool found;
    struct object_port port = fake_object_store_port(o);
    assert_int_equal(port.ops->get(port.ctx, now, &key, 1, vectors, &found), PORT_OK);
    size_t last = modality_dimension(key.modality) - 1;
    assert_true(!found || memcmp(&vector[0], &vector[last], sizeof vector[0]) == 0);
    return found ? vector[0] : -1;
}

static uint64_t count(struct fake_object_store *o, vtime now, uint64_t listing) {
    uint64_t objects;
    struct object_port port = fake_object_store_port(o);
    assert_int_equal(port.ops->count(port.ctx, now, &listing, 1, now, &objects), PORT_OK);
    return objects;
}

/* A vector is found under its listing, content, model and modality, and under no other key. */
static void keys_tell_apart(void **state) {
    (void)state;
    struct fake_object_store *o = fake_object_store_new(NULL);
    struct artifact_key key = key_of(7, 100);
    put(o, start, key, 1);
    assert_true(get(o, start, key) > 0);
    struct artifact_key others[] = {key, key, key, key};
    others[0].listing_id = 8;
    others[1].content_hash = 101;
    others[2].model_version = 2;
    others[3].modality = MODALITY_FUSED;
    for (size_t i = 0; i < 4; i++) {
        assert_true(get(o, start, others[i]) < 0);
    }
    fake_object_store_check(o);
    fake_object_store_free(o);
}

/* An object is kept for ninety days and to the midnight after them, from its last put on. */
static void the_lifecycle_ends_at_midnight(void **state) {
    (void)state;
    struct fake_object_store *o = fake_object_store_new(NULL);
    put(o, day(0, 5), key_of(1, 1), 1);
    put(o, day(0, 5), key_of(2, 2), 2);
    put(o, day(10, 0), key_of(2, 2), 2);
    assert_true(get(o, day(90, 23), key_of(1, 1)) > 0);
    assert_true(get(o, day(91, 0), key_of(1, 1)) < 0);
    assert_true(get(o, day(99, 23), key_of(2, 2)) > 0);
    assert_true(get(o, day(100, 0), key_of(2, 2)) < 0);
    assert_int_equal(fake_object_store_count(o, day(100, 0)), 3);
    assert_int_equal(fake_object_store_object(o, 0).end, OBJECT_EXPIRED);
    assert_int_equal(fake_object_store_object(o, 0).ended.ns, day(91, 0).ns);
    assert_int_equal(fake_object_store_object(o, 1).end, OBJECT_OVERWRITTEN);
    assert_int_equal(fake_object_store_counts(o).kept, 0);
    assert_int_equal(fake_object_store_counts(o).bytes, 0);
    fake_object_store_check(o);
    fake_object_store_free(o);
}

/* Erasing a listing drops all that is kept of it and leaves its neighbours; it may be repeated. */
static void a_listing_is_erased(void **state) {
    (void)state;
    struct fake_object_store *o = fake_object_store_new(NULL);
    for (uint64_t content = 1; content <= 5; content++) {
        put(o, start, key_of(7, content), 1);
        put(o, start, key_of(8, content), 1);
    }
    struct object_port port = fake_object_store_port(o);
    const uint64_t erased[] = {7, 9};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(port.ops->erase(port.ctx, day(1, 0), erased, 2, day(1, 0)), PORT_OK);
        assert_int_equal(count(o, day(1, 0), 7), 0);
        assert_int_equal(count(o, day(1, 0), 8), 5);
    }
    put(o, day(2, 0), key_of(7, 3), 1);
    assert_int_equal(count(o, day(2, 0), 7), 1);
    fake_object_store_check(o);
    fake_object_store_free(o);
}

enum { LISTINGS = 20, CONTENTS = 6 };

/* Random puts, reads and erasures over half a year agree with a plain table. */
static void agrees_with_a_table(void **state) {
    (void)state;
    struct fake_object_store *o = fake_object_store_new(NULL);
    int64_t stored[LISTINGS][CONTENTS];
    memset(stored, -1, sizeof stored);
    struct prng p;
    prng_init(&p, 3, "test");
    struct object_port port = fake_object_store_port(o);
    for (int step = 0; step < 6000; step++) {
        vtime now = vtime_add(start, step * (180 * VTIME_DAY / 6000));
        uint64_t listing = prng_below(&p, LISTINGS), content = prng_below(&p, CONTENTS);
        switch (prng_below(&p, 8)) {
        case 0:
            put(o, now, key_of(listing, content), (float)content);
            stored[listing][content] = now.ns;
            break;
        case 1:
            if (prng_ratio(&p, 1, 20)) {
                assert_int_equal(port.ops->erase(port.ctx, now, &listing, 1, now), PORT_OK);
                memset(stored[listing], -1, sizeof stored[listing]);
            }
            break;
        default: {
            int64_t at_ns = stored[listing][content];
            int64_t due_ns = (at_ns + 91 * VTIME_DAY - 1) / VTIME_DAY * VTIME_DAY;
            bool kept = at_ns >= 0 && now.ns < due_ns;
            assert_int_equal(get(o, now, key_of(listing, content)) >= 0, kept);
        }
        }
    }
    fake_object_store_check(o);
    fake_object_store_free(o);
}

/* ---- The archive ---- */

struct service {
    struct fake_embedding *model;
    struct fake_object_store *objects;
    struct object_port port;
    struct embedding_port inner;
    struct embedding_archive archive;
    float vectors[3][TEXT_DIMENSION];
    struct embed_result results[3];
};

static void service_open(struct service *s) {
    *s =
        (struct service){.model = fake_embedding_new(NULL), .objects = fake_object_store_new(NULL)};
    s->port = fake_object_store_port(s->objects);
    s->inner = fake_embedding_port(s->model);
    s->archive = (struct embedding_archive){.inner = &s->inner, .objects = &s->port};
}

static void service_close(struct service *s) {
    embedding_archive_release(&s->archive);
    fake_embedding_free(s->model);
    fake_object_store_free(s->objects);
}

/* Embeds three listings by these contents of theirs. Returns how many vectors the model made. */
static uint64_t embed(struct service *s, vtime now, const uint64_t contents[3]) {
    struct embed_item items[3];
    uint64_t before = fake_embedding_counts(s->model).items;
    for (size_t i = 0; i < 3; i++) {
        items[i] = (struct embed_item){.listing_id = i + 1,
                                       .modalities = 1u << MODALITY_TEXT,
                                       .content = {contents[i]},
                                       .text = {.title = bytes_of("a lamp of brass")}};
        s->results[i] = (struct embed_result){.vectors = {s->vectors[i]}};
    }
    struct embedding_port port = embedding_archive_port(&s->archive);
    assert_int_equal(port.ops->embed(port.ctx, now, 1, items, 3, s->results), PORT_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s->results[i].status, ITEM_APPLIED);
        assert_int_equal(s->results[i].model_version, 1);
        assert_memory_equal(s->vectors[i], s->vectors[0], sizeof s->vectors[0]);
    }
    return fake_embedding_counts(s->model).items - before;
}

/* What was made of the same content is taken from the archive, and only that. */
static void nothing_is_made_twice(void **state) {
    (void)state;
    struct service s;
    service_open(&s);
    assert_int_equal(embed(&s, start, (uint64_t[]){10, 11, 12}), 3);
    assert_false(s.results[1].reused);
    assert_int_equal(embed(&s, day(5, 0), (uint64_t[]){10, 99, 12}), 1);
    assert_true(s.results[0].reused && !s.results[1].reused && s.results[2].reused);
    assert_int_equal(embed(&s, day(100, 0), (uint64_t[]){10, 99, 12}), 3);
    assert_int_equal(s.archive.reused[MODALITY_TEXT], 2);
    service_close(&s);
}

/* Where a part of what a listing wants was kept, the model makes the rest alone. */
static void a_part_is_not_made_twice(void **state) {
    (void)state;
    struct service s;
    service_open(&s);
    embed(&s, start, (uint64_t[]){10, 11, 12});
    static float fused[FUSED_DIMENSION];
    struct embed_item item = {.listing_id = 1,
                              .modalities = 1u << MODALITY_TEXT | 1u << MODALITY_FUSED,
                              .content = {10, 0, 20},
                              .text = {.title = bytes_of("a lamp of brass")}};
    struct embed_result result = {.vectors = {s.vectors[1], NULL, fused}};
    struct fake_embedding_counts before = fake_embedding_counts(s.model);
    struct embedding_port port = embedding_archive_port(&s.archive);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(port.ops->embed(port.ctx, start, 1, &item, 1, &result), PORT_OK);
        assert_int_equal(result.status, ITEM_APPLIED);
        assert_int_equal(result.reused, round == 0 ? 1u << MODALITY_TEXT : item.modalities);
        assert_int_equal(result.dimensions[MODALITY_FUSED], FUSED_DIMENSION);
        assert_memory_equal(s.vectors[1], s.vectors[0], sizeof s.vectors[0]);
        assert_true(vector_dot(fused, fused, FUSED_DIMENSION) > 0.98F);
    }
    struct fake_embedding_counts after = fake_embedding_counts(s.model);
    assert_int_equal(after.vectors[MODALITY_TEXT][0], before.vectors[MODALITY_TEXT][0]);
    assert_int_equal(after.vectors[MODALITY_FUSED][0], before.vectors[MODALITY_FUSED][0] + 1);
    service_close(&s);
}

/* What readers ask for belongs to no listing and has no content hash: two queries are never taken
 * for one another. */
static void queries_are_not_kept(void **state) {
    (void)state;
    struct service s;
    service_open(&s);
    assert_int_equal(embed(&s, start, (uint64_t[]){0, 0, 0}), 3);
    assert_int_equal(embed(&s, day(0, 1), (uint64_t[]){0, 0, 0}), 3);
    assert_int_equal(s.archive.reused[MODALITY_TEXT], 0);
    service_close(&s);
}

/* A service that answers well-formed vectors of another kind, or (flawed) of half the dimension. */
struct wrong_service {
    struct embedding_port inner;
    bool flawed;
};

static int embed_wrongly(void *ctx, vtime now, uint32_t model_version,
                         const struct embed_item *items, size_t n, struct embed_result *results) {
    const struct wrong_service *wrong = ctx;
    int error = wrong->inner.ops->embed(wrong->inner.ctx, now, model_version, items, n, results);
    for (size_t i = 0; i < n; i++) {
        results[i].vectors[MODALITY_TEXT][5] += 1;
        results[i].dimensions[MODALITY_TEXT] /= wrong->flawed ? 2 : 1;
    }
    return error;
}

static const struct embedding_port_ops wrong_ops = {.embed = embed_wrongly};

/* What was kept is passed over when somebody wants it anew, and replaced: what a wrong model made
 * does not come again (C5). */
static void a_vector_can_be_asked_for_anew(void **state) {
    (void)state;
    struct service s;
    service_open(&s);
    struct wrong_service wrong = {.inner = s.inner};
    s.inner = (struct embedding_port){&wrong_ops, &wrong};
    embed(&s, start, (uint64_t[]){10, 11, 12});
    float made_wrongly = s.vectors[0][5];
    s.inner = wrong.inner;
    assert_int_equal(embed(&s, start, (uint64_t[]){10, 11, 12}), 0);
    assert_memory_equal(&s.vectors[0][5], &made_wrongly, sizeof(float));
    for (size_t i = 0; i < 3; i++) {
        put(s.objects, start, key_of(i + 1, 10 + i), made_wrongly);
    }
    struct embed_item item = {.listing_id = 1,
                              .modalities = 1u << MODALITY_TEXT,
                              .content = {10},
                              .anew = true,
                              .text = {.title = bytes_of("a lamp of brass")}};
    struct embed_result result = {.vectors = {s.vectors[0]}};
    struct embedding_port port = embedding_archive_port(&s.archive);
    assert_int_equal(port.ops->embed(port.ctx, start, 1, &item, 1, &result), PORT_OK);
    assert_false(result.reused);
    static float kept[TEXT_DIMENSION];
    float *out[] = {kept};
    bool found;
    struct artifact_key key = key_of(1, 10);
    assert_int_equal(s.port.ops->get(s.port.ctx, start, &key, 1, out, &found), PORT_OK);
    assert_true(found);
    assert_memory_equal(kept, s.vectors[0], sizeof kept);
    service_close(&s);
}

/* A flawed answer is handed on, and not kept (C5). */
static void flawed_vectors_are_not_kept(void **state) {
    (void)state;
    struct service s;
    service_open(&s);
    struct wrong_service wrong = {.inner = s.inner, .flawed = true};
    s.inner = (struct embedding_port){&wrong_ops, &wrong};
    assert_int_equal(embed(&s, start, (uint64_t[]){10, 11, 12}), 3);
    assert_int_equal(fake_object_store_counts(s.objects).kept, 0);
    service_close(&s);
}

static int refuse_put(void *ctx, vtime now, const struct artifact_key *keys,
                      const float *const *vectors, size_t n) {
    (void)ctx;
    (void)now;
    (void)keys;
    (void)vectors;
    (void)n;
    return PORT_UNAVAILABLE;
}

static int refuse_get(void *ctx, vtime now, const struct artifact_key *keys, size_t n,
                      float *const *vectors, bool *found) {
    (void)ctx;
    (void)now;
    (void)keys;
    (void)n;
    (void)vectors;
    (void)found;
    return PORT_UNAVAILABLE;
}

/* An object store that is down costs its benefit and nothing else. */
static void embedding_goes_on_without_the_archive(void **state) {
    (void)state;
    static const struct object_port_ops down = {.put = refuse_put, .get = refuse_get};
    struct service s;
    service_open(&s);
    s.port = (struct object_port){&down, NULL};
    assert_int_equal(embed(&s, start, (uint64_t[]){10, 11, 12}), 3);
    assert_int_equal(embed(&s, start, (uint64_t[]){10, 11, 12}), 3);
    assert_int_equal(s.archive.unkept, 6);
    service_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_tell_apart),
        cmocka_unit_test(the_lifecycle_ends_at_midnight),
        cmocka_unit_test(a_listing_is_erased),
        cmocka_unit_test(agrees_with_a_table),
        cmocka_unit_test(nothing_is_made_twice),
        cmocka_unit_test(a_part_is_not_made_twice),
        cmocka_unit_test(queries_are_not_kept),
        cmocka_unit_test(a_vector_can_be_asked_for_anew),
        cmocka_unit_test(flawed_vectors_are_not_kept),
        cmocka_unit_test(embedding_goes_on_without_the_archive),
    };
    return cmocka_run_group_tests_name("fake object store", tests, NULL, NULL);
}
