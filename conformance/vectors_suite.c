/*
 * The conformance suite of the vector port (C3, A7, A8, A9, A12): what the builder, the upgrader,
 * the gate, the reconciler and the eraser lean on, held by the fake and by a PostgreSQL with
 * pgvector; and a long random play in which a subject must answer as the fake does.
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

#include "conformance/suite.h"
#include "conformance/vectors_subject.h"
#include "sim/prng.h"

enum { D = TEXT_DIMENSION, HITS_MAX = 64, ROWS_MAX = 512, CLUSTERS = 16 };

SUITE_SUBJECTS(vectors)

/* ---- What the tests say ---- */

static enum item_status admin(struct vectors_subject *s, enum vector_admin_kind kind,
                              enum modality modality, uint32_t version, uint32_t from) {
    struct vector_admin asked = {kind, modality, version, from};
    enum item_status status;
    assert_int_equal(s->port.ops->admin(s->port.ctx, at(0), &asked, &status, NULL), 0);
    return status;
}

static struct vector_targets targets_of(struct vectors_subject *s) {
    struct vector_admin asked = {.kind = VECTOR_TARGETS};
    struct vector_targets targets;
    enum item_status status;
    assert_int_equal(s->port.ops->admin(s->port.ctx, at(0), &asked, &status, &targets), 0);
    return targets;
}

/* Every modality has a collection of model 1, to which its alias points. */
static int with_collections(void **state) {
    if (setup(state) != 0) {
        return -1;
    }
    for (enum modality m = 0; m < MODALITY_COUNT; m++) {
        if (admin(*state, VECTOR_CREATE, m, 1, 0) != ITEM_APPLIED) {
            return -1;
        }
    }
    return admin(*state, VECTOR_SWITCH, MODALITY_TEXT, 1, 0) == ITEM_APPLIED ? 0 : -1;
}

static void normalise(float *vector) {
    float sum = 0;
    for (int i = 0; i < D; i++) {
        sum += vector[i] * vector[i];
    }
    float scale = 1 / sqrtf(sum);
    for (int i = 0; i < D; i++) {
        vector[i] *= scale;
    }
}

/* A vector near the centre of its cluster. */
static void draw_vector(struct prng *p, uint64_t cluster, float *vector) {
    for (int i = 0; i < D; i++) {
        float centre = (float)((cluster * 7919 + (uint64_t)i * 104729) % 2003) / 1001.5F - 1;
        vector[i] = centre + (float)prng_range(p, -1000, 1000) / 1500.0F;
    }
    normalise(vector);
}

/* Each number has a direction of its own; neighbours are no nearer than others. */
static const float *direction(uint64_t number) {
    static float vector[D];
    struct prng p;
    prng_init(&p, number, "direction");
    draw_vector(&p, number, vector);
    return vector;
}

static struct vector_write upsert(uint64_t id, doc_version version) {
    return (struct vector_write){.listing_id = id,
                                 .kind = ROW_UPSERT,
                                 .rule = VERSION_GREATER,
                                 .meta = {.version = version,
                                          .source_hash = id * 31 + version,
                                          .whole_hash = id * 37 + version,
                                          .content_hash = 1000 + id,
                                          .model_version = 1,
                                          .seller_id = 7,
                                          .price = 500,
                                          .category = bytes_of("home"),
                                          .locale = bytes_of("en"),
                                          .policy = POLICY_ACTIVE,
                                          .active = true,
                                          .modalities = 1},
                                 .vector = direction(id)};
}

static struct vector_write removal(uint64_t id, doc_version version) {
    return (struct vector_write){.listing_id = id,
                                 .kind = ROW_DELETE,
                                 .rule = VERSION_GREATER,
                                 .meta = {.version = version}};
}

static enum item_status write_to(struct vectors_subject *s, uint32_t model, struct vector_write w) {
    enum item_status status;
    assert_int_equal(s->port.ops->write(s->port.ctx, at(1), MODALITY_TEXT, model, &w, 1, &status),
                     0);
    return status;
}

static enum item_status write(struct vectors_subject *s, struct vector_write w) {
    return write_to(s, 1, w);
}

static size_t scan(struct vectors_subject *s, enum scan_path path, uint64_t first, uint64_t last,
                   struct scan_row *rows, size_t max) {
    size_t count = 0;
    assert_int_equal(s->port.ops->scan(s->port.ctx, at(2), MODALITY_TEXT, 1, path, first, last,
                                       rows, max, &count),
                     0);
    return count;
}

static size_t search(struct vectors_subject *s, const float *query, size_t k, bool exact,
                     const struct row_filter *filter, struct search_hit *hits) {
    size_t count = 0;
    assert_int_equal(s->port.ops->search(s->port.ctx, at(2), MODALITY_TEXT, 0, query, k, 64, exact,
                                         filter, hits, &count),
                     0);
    return count;
}

/* The nearest row to the direction of a listing, or 0. */
static uint64_t nearest(struct vectors_subject *s, uint64_t id, const struct row_filter *filter) {
    struct search_hit hit;
    return search(s, direction(id), 1, true, filter, &hit) == 1 ? hit.listing_id : 0;
}

static bool reads(struct vectors_subject *s, uint64_t id, float *vector) {
    bool found = false;
    assert_int_equal(
        s->port.ops->read(s->port.ctx, at(2), MODALITY_TEXT, 1, &id, 1, vector, &found), 0);
    return found;
}

/* ---- Writes ---- */

/* A row gives way to a higher version only, or to the same where a repair says so; a deletion is
 * remembered at its version, so nothing older brings the row back, and something newer does. */
static void versions_guard_rows_and_deletions(void **state) {
    struct vectors_subject *s = *state;
    struct vector_write again = upsert(1, 5);
    again.rule = VERSION_GREATER_OR_EQUAL;
    assert_int_equal(write(s, upsert(1, 5)), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(1, 4)), ITEM_CONFLICT);
    assert_int_equal(write(s, upsert(1, 5)), ITEM_CONFLICT);
    assert_int_equal(write(s, again), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(1, 6)), ITEM_APPLIED);
    assert_int_equal(write(s, removal(1, 6)), ITEM_CONFLICT);
    assert_int_equal(write(s, removal(1, 8)), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(1, 7)), ITEM_CONFLICT);
    assert_int_equal(write(s, upsert(1, 8)), ITEM_CONFLICT);
    assert_int_equal(nearest(s, 1, NULL), 0);
    assert_int_equal(write(s, removal(2, 3)), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(2, 3)), ITEM_CONFLICT);
    assert_int_equal(write(s, upsert(1, 9)), ITEM_APPLIED);
    assert_int_equal(nearest(s, 1, NULL), 1);
}

/* Items are answered one by one and in order; what is wrong with one keeps no other out. */
static void items_are_answered_one_by_one(void **state) {
    struct vectors_subject *s = *state;
    static float zero[D];
    static float endless[D];
    endless[3] = NAN;
    float copy[2][D];
    struct vector_write items[] = {upsert(1, 2), upsert(2, 2), upsert(3, 2), upsert(1, 1),
                                   upsert(4, 2)};
    memcpy(copy[0], direction(1), sizeof copy[0]);
    memcpy(copy[1], direction(4), sizeof copy[1]);
    items[0].vector = items[3].vector = copy[0];
    items[1].vector = zero;
    items[2].vector = endless;
    items[4].vector = copy[1];
    enum item_status statuses[5];
    assert_int_equal(s->port.ops->write(s->port.ctx, at(1), MODALITY_TEXT, 1, items, 5, statuses),
                     0);
    assert_int_equal(statuses[0], ITEM_APPLIED);
    assert_int_equal(statuses[1], ITEM_FATAL);
    assert_int_equal(statuses[2], ITEM_FATAL);
    assert_int_equal(statuses[3], ITEM_CONFLICT);
    assert_int_equal(statuses[4], ITEM_APPLIED);
    struct scan_row rows[8];
    assert_int_equal(scan(s, SCAN_BY_SCAN, 0, UINT64_MAX, rows, 8), 2);
}

/* Metadata alone leaves the vector as it is, changes what filters see, and is refused where the
 * vector is of other content, or none is there. */
static void metadata_goes_alone(void **state) {
    struct vectors_subject *s = *state;
    struct vector_write meta = upsert(1, 2);
    meta.kind = ROW_METADATA;
    meta.vector = NULL;
    assert_int_equal(write(s, meta), ITEM_MISSING);
    assert_int_equal(write(s, upsert(1, 1)), ITEM_APPLIED);
    meta.meta.category = bytes_of("garden");
    assert_int_equal(write(s, meta), ITEM_APPLIED);
    static float vector[D];
    assert_true(reads(s, 1, vector));
    assert_memory_equal(vector, direction(1), sizeof vector);
    assert_int_equal(nearest(s, 1, &(struct row_filter){.category = bytes_of("home")}), 0);
    assert_int_equal(nearest(s, 1, &(struct row_filter){.category = bytes_of("garden")}), 1);
    meta.meta.version = 3;
    meta.meta.content_hash++;
    assert_int_equal(write(s, meta), ITEM_MISSING);
    assert_int_equal(write(s, removal(1, 3)), ITEM_APPLIED);
    meta.meta = upsert(1, 4).meta;
    assert_int_equal(write(s, meta), ITEM_MISSING);
}

/* A write to a collection that is not there does nothing and says so. */
static void unknown_collections_are_not_found(void **state) {
    struct vectors_subject *s = *state;
    struct vector_write item = upsert(1, 1);
    enum item_status status;
    size_t count;
    struct scan_row row;
    assert_int_equal(s->port.ops->write(s->port.ctx, at(1), MODALITY_TEXT, 9, &item, 1, &status),
                     PORT_NOT_FOUND);
    assert_int_equal(s->port.ops->scan(s->port.ctx, at(1), MODALITY_TEXT, 9, SCAN_BY_SCAN, 0, 9,
                                       &row, 1, &count),
                     PORT_NOT_FOUND);
}

/* ---- Reads ---- */

/* Rows come in the order of ids as unsigned numbers, ends included, no more than wanted, with what
 * was written of them; deleted rows do not come, on no path. */
static void scans_tell_what_was_written(void **state) {
    struct vectors_subject *s = *state;
    const uint64_t ids[] = {UINT64_MAX, 3, UINT64_C(1) << 63, 1, 2};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(write(s, upsert(ids[i], 1)), ITEM_APPLIED);
    }
    struct vector_write hidden = upsert(3, 2);
    hidden.meta.policy = POLICY_SUPPRESSED;
    assert_int_equal(write(s, hidden), ITEM_APPLIED);
    assert_int_equal(write(s, removal(2, 2)), ITEM_APPLIED);
    for (enum scan_path path = 0; path < SCAN_PATH_COUNT; path++) {
        struct scan_row rows[8];
        assert_int_equal(scan(s, path, 2, UINT64_MAX, rows, 8), 3);
        assert_int_equal(rows[0].listing_id, 3);
        assert_int_equal(rows[0].version, 2);
        assert_true(rows[0].suppressed);
        assert_true(rows[1].listing_id == UINT64_C(1) << 63);
        assert_true(rows[2].listing_id == UINT64_MAX);
        assert_false(rows[2].suppressed);
        assert_true(rows[2].alive);
        assert_true(rows[2].source_hash == upsert(UINT64_MAX, 1).meta.source_hash);
        assert_true(rows[2].whole_hash == upsert(UINT64_MAX, 1).meta.whole_hash);
        assert_true(rows[2].content_hash == upsert(UINT64_MAX, 1).meta.content_hash);
        assert_int_equal(rows[2].model_version, 1);
        assert_int_equal(rows[2].changed_at.ns, at(1).ns);
        assert_int_equal(scan(s, path, 0, UINT64_MAX, rows, 2), 2);
    }
}

/* What is read is what was written, to the bit; what is not there is told apart. */
static void vectors_are_read_back_to_the_bit(void **state) {
    struct vectors_subject *s = *state;
    static float vectors[2 * D];
    const uint64_t ids[] = {404, 5};
    bool found[2];
    assert_int_equal(write(s, upsert(5, 1)), ITEM_APPLIED);
    assert_int_equal(
        s->port.ops->read(s->port.ctx, at(2), MODALITY_TEXT, 1, ids, 2, vectors, found), 0);
    assert_false(found[0]);
    assert_true(found[1]);
    assert_memory_equal(vectors + D, direction(5), D * sizeof(float));
}

struct cosine {
    uint64_t id;
    double score;
};

static int best_first(const void *a, const void *b) {
    const struct cosine *x = a;
    const struct cosine *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

enum { SET_ROWS = 240 };
static float set_vectors[SET_ROWS][D];

/* A clustered set, ids from 1; every third row in the garden. */
static void write_set(struct vectors_subject *s) {
    struct prng p;
    prng_init(&p, 5, "clustered set");
    for (uint64_t i = 0; i < SET_ROWS; i++) {
        draw_vector(&p, i % CLUSTERS, set_vectors[i]);
        struct vector_write item = upsert(i + 1, 1);
        item.vector = set_vectors[i];
        if (i % 3 == 0) {
            item.meta.category = bytes_of("garden");
        }
        assert_int_equal(write(s, item), ITEM_APPLIED);
    }
}

static size_t expected_hits(const float *query, bool garden_only, struct cosine *out) {
    size_t count = 0;
    for (uint64_t i = 0; i < SET_ROWS; i++) {
        if (garden_only && i % 3 != 0) {
            continue;
        }
        double score = 0;
        for (int d = 0; d < D; d++) {
            score += (double)query[d] * (double)set_vectors[i][d];
        }
        out[count++] = (struct cosine){i + 1, score};
    }
    qsort(out, count, sizeof *out, best_first);
    return count;
}

/* An exact search gives the nearest rows by cosine, best first, with their scores. */
static void exact_search_is_exact(void **state) {
    struct vectors_subject *s = *state;
    write_set(s);
    struct prng p;
    prng_init(&p, 6, "queries");
    for (int q = 0; q < 10; q++) {
        float query[D];
        struct cosine expected[SET_ROWS];
        struct search_hit hits[HITS_MAX];
        draw_vector(&p, (uint64_t)q, query);
        (void)expected_hits(query, false, expected);
        assert_int_equal(search(s, query, 10, true, NULL, hits), 10);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(hits[i].listing_id, expected[i].id);
            assert_float_equal(hits[i].score, expected[i].score, 1e-4);
            assert_int_equal(hits[i].version, 1);
        }
    }
}

/* A filter is not what is left of the nearest rows: it gives k rows where k pass, all of them
 * passing, also in an approximate search; and recall stays. */
static void filters_do_not_eat_results(void **state) {
    struct vectors_subject *s = *state;
    write_set(s);
    struct row_filter garden = {.category = bytes_of("garden")};
    struct prng p;
    prng_init(&p, 7, "queries");
    size_t right = 0;
    size_t filtered_right = 0;
    for (int q = 0; q < 20; q++) {
        float query[D];
        struct cosine expected[SET_ROWS];
        struct search_hit hits[HITS_MAX];
        draw_vector(&p, (uint64_t)q, query);
        (void)expected_hits(query, false, expected);
        assert_int_equal(search(s, query, 10, false, NULL, hits), 10);
        for (int i = 0; i < 10; i++) {
            for (int j = 0; j < 10; j++) {
                right += hits[i].listing_id == expected[j].id;
            }
        }
        (void)expected_hits(query, true, expected);
        assert_int_equal(search(s, query, 10, false, &garden, hits), 10);
        for (int i = 0; i < 10; i++) {
            assert_int_equal((hits[i].listing_id - 1) % 3, 0);
            for (int j = 0; j < 10; j++) {
                filtered_right += hits[i].listing_id == expected[j].id;
            }
        }
    }
    assert_true(right >= 190);
    assert_true(filtered_right >= 180);
}

/* Filters on category, locale, seller and what may be served, alone and together. */
static void filters_mean_what_they_say(void **state) {
    struct vectors_subject *s = *state;
    struct vector_write item = upsert(1, 1);
    item.meta.locale = bytes_of("de");
    assert_int_equal(write(s, item), ITEM_APPLIED);
    item = upsert(2, 1);
    item.meta.seller_id = 8;
    assert_int_equal(write(s, item), ITEM_APPLIED);
    item = upsert(3, 1);
    item.meta.policy = POLICY_SUPPRESSED;
    assert_int_equal(write(s, item), ITEM_APPLIED);
    item = upsert(4, 1);
    item.meta.active = false;
    assert_int_equal(write(s, item), ITEM_APPLIED);
    const struct {
        struct row_filter filter;
        const char *passing;
    } cases[] = {{{.servable_only = true}, "12"},
                 {{.locale = bytes_of("en")}, "234"},
                 {{.locale = bytes_of("de"), .category = bytes_of("home")}, "1"},
                 {{.seller_id = 8}, "2"},
                 {{.seller_id = 7, .locale = bytes_of("en"), .servable_only = true}, ""},
                 {{.category = bytes_of("nowhere")}, ""},
                 {{.seller_id = 0}, "1234"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct search_hit hits[8];
        char passing[8] = "";
        size_t count = search(s, direction(1), 8, true, &cases[i].filter, hits);
        bool in[10] = {false};
        for (size_t h = 0; h < count; h++) {
            in[hits[h].listing_id] = true;
        }
        for (int id = 1, n = 0; id <= 4; id++) {
            if (in[id]) {
                passing[n++] = (char)('0' + id);
            }
        }
        assert_string_equal(passing, cases[i].passing);
    }
}

/* ---- Aliases ---- */

/* Readers go where the aliases lead, all of them in one step; a step from elsewhere, or to what is
 * not all there, leads nowhere; what is repeated does no harm. */
static void aliases_move_together(void **state) {
    struct vectors_subject *s = *state;
    assert_int_equal(write(s, upsert(1, 1)), ITEM_APPLIED);
    assert_int_equal(admin(s, VECTOR_CREATE, MODALITY_TEXT, 2, 0), ITEM_APPLIED);
    assert_int_equal(admin(s, VECTOR_CREATE, MODALITY_TEXT, 2, 0), ITEM_APPLIED);
    assert_int_equal(admin(s, VECTOR_SWITCH, MODALITY_TEXT, 2, 1), ITEM_MISSING);
    assert_int_equal(nearest(s, 1, NULL), 1);
    assert_int_equal(admin(s, VECTOR_CREATE, MODALITY_IMAGE, 2, 0), ITEM_APPLIED);
    assert_int_equal(admin(s, VECTOR_CREATE, MODALITY_FUSED, 2, 0), ITEM_APPLIED);
    assert_int_equal(admin(s, VECTOR_SWITCH, MODALITY_TEXT, 2, 3), ITEM_CONFLICT);
    assert_int_equal(write_to(s, 2, upsert(1, 1)), ITEM_APPLIED);
    assert_int_equal(write_to(s, 2, upsert(2, 1)), ITEM_APPLIED);
    assert_int_equal(nearest(s, 2, NULL), 1);
    assert_int_equal(admin(s, VECTOR_SWITCH, MODALITY_TEXT, 2, 1), ITEM_APPLIED);
    assert_int_equal(admin(s, VECTOR_SWITCH, MODALITY_TEXT, 2, 1), ITEM_APPLIED);
    assert_int_equal(nearest(s, 2, NULL), 2);
    struct vector_targets targets = targets_of(s);
    assert_int_equal(vector_targets_served(&targets), 2);
    assert_int_equal(targets.model_count, 2);
    assert_int_equal(vector_targets_modalities(&targets, 1), 7);
    assert_int_equal(admin(s, VECTOR_DROP, MODALITY_TEXT, 1, 0), ITEM_APPLIED);
    assert_int_equal(admin(s, VECTOR_DROP, MODALITY_TEXT, 1, 0), ITEM_MISSING);
    targets = targets_of(s);
    assert_int_equal(vector_targets_modalities(&targets, 1), 6);
    assert_int_equal(nearest(s, 2, NULL), 2);
}

/* ---- Sellers and erasures ---- */

static void block(struct vectors_subject *s, enum policy_status status, int64_t second) {
    struct seller_block item = {7, status, {at(second), {0, 1}}};
    assert_int_equal(s->port.ops->block(s->port.ctx, at(second), &item, 1), 0);
}

/* A blocked seller's rows are kept from searches for what may be served, at once and whatever the
 * rows say; the later word counts. */
static void blocks_go_ahead_of_rows(void **state) {
    struct vectors_subject *s = *state;
    struct row_filter servable = {.servable_only = true};
    assert_int_equal(write(s, upsert(1, 1)), ITEM_APPLIED);
    block(s, POLICY_SUPPRESSED, 10);
    assert_int_equal(nearest(s, 1, &servable), 0);
    assert_int_equal(nearest(s, 1, NULL), 1);
    block(s, POLICY_ACTIVE, 9);
    assert_int_equal(nearest(s, 1, &servable), 0);
    block(s, POLICY_ACTIVE, 11);
    assert_int_equal(nearest(s, 1, &servable), 1);
    block(s, POLICY_SUPPRESSED, 10);
    assert_int_equal(nearest(s, 1, &servable), 1);
}

static uint64_t erase(struct vectors_subject *s, uint64_t id, doc_version version) {
    struct erasure_look looks[ERASURE_PLACE_COUNT] = {{0}};
    struct erasure_subject subject = {.listing_id = id, .version = version};
    assert_int_equal(s->port.ops->erase(s->port.ctx, at(3), 0, &subject, 1, looks), 0);
    assert_true(looks[ERASED_IN_VECTORS].examined >= MODALITY_COUNT);
    return looks[ERASED_IN_VECTORS].found;
}

/* An erasure takes what is below its version and finds nothing a second time; what it took does not
 * come back with a write of before, and what came after stays. */
static void erasures_leave_nothing(void **state) {
    struct vectors_subject *s = *state;
    static float vector[D];
    assert_int_equal(write(s, upsert(1, 5)), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(2, 5)), ITEM_APPLIED);
    assert_int_equal(erase(s, 1, 8), 1);
    assert_int_equal(erase(s, 1, 8), 0);
    assert_int_equal(erase(s, 2, 5), 0);
    assert_false(reads(s, 1, vector));
    assert_true(reads(s, 2, vector));
    assert_int_equal(write(s, upsert(1, 7)), ITEM_CONFLICT);
    assert_int_equal(write(s, upsert(1, 9)), ITEM_APPLIED);
    assert_int_equal(erase(s, 1, 8), 0);
    assert_true(reads(s, 1, vector));
}

/* ---- A random play beside the fake ---- */

static void assert_same(struct vectors_subject *both[2], uint64_t cluster, struct prng *p) {
    static struct scan_row rows[2][ROWS_MAX];
    struct search_hit hits[2][HITS_MAX];
    struct row_filter filter = {.category = bytes_of(prng_ratio(p, 1, 2) ? "" : "garden"),
                                .servable_only = prng_ratio(p, 1, 2)};
    float query[D];
    size_t counts[2];
    draw_vector(p, cluster, query);
    for (int i = 0; i < 2; i++) {
        counts[i] = scan(both[i], SCAN_BY_ID, 0, UINT64_MAX, rows[i], ROWS_MAX);
    }
    assert_int_equal(counts[0], counts[1]);
    for (size_t i = 0; i < counts[0]; i++) {
        assert_memory_equal(&rows[0][i], &rows[1][i], sizeof rows[0][i]);
    }
    for (int i = 0; i < 2; i++) {
        counts[i] = search(both[i], query, 5, true, &filter, hits[i]);
    }
    assert_int_equal(counts[0], counts[1]);
    for (size_t i = 0; i < counts[0]; i++) {
        assert_int_equal(hits[0][i].listing_id, hits[1][i].listing_id);
        assert_int_equal(hits[0][i].version, hits[1][i].version);
        assert_float_equal(hits[0][i].score, hits[1][i].score, 1e-4);
    }
}

static void play_write(struct vectors_subject *both[2], struct prng *p) {
    static float vector[D];
    struct vector_write item = upsert(1 + prng_below(p, 20), 1 + prng_below(p, 30));
    draw_vector(p, prng_below(p, CLUSTERS), vector);
    item.vector = vector;
    item.kind = (enum row_write_kind)prng_below(p, ROW_WRITE_KIND_COUNT);
    item.rule = (enum version_rule)prng_below(p, 2);
    item.meta.content_hash = prng_below(p, 2);
    item.meta.seller_id = 7 + prng_below(p, 2);
    item.meta.active = prng_ratio(p, 3, 4);
    if (prng_ratio(p, 1, 2)) {
        item.meta.category = bytes_of("garden");
    }
    assert_int_equal(write(both[0], item), write(both[1], item));
}

/* Whatever writers, the gate and the eraser do, a subject answers as the fake does. */
static void random_plays_agree_with_the_fake(void **state) {
    struct vectors_subject *s = *state;
    void *fake_state = NULL;
    bool (*own)(struct vectors_subject *) = make_subject;
    make_subject = vectors_subject_fake;
    assert_int_equal(with_collections(&fake_state), 0);
    make_subject = own;
    struct vectors_subject *both[2] = {s, fake_state};
    struct prng p;
    prng_init(&p, 17, "vectors conformance");
    for (int step = 0; step < 600; step++) {
        uint64_t id = 1 + prng_below(&p, 20);
        doc_version version = 1 + prng_below(&p, 30);
        if (prng_ratio(&p, 1, 20)) {
            assert_int_equal(erase(both[0], id, version), erase(both[1], id, version));
        } else if (prng_ratio(&p, 1, 20)) {
            enum policy_status status = id % 2 == 0 ? POLICY_ACTIVE : POLICY_SUPPRESSED;
            block(both[0], status, (int64_t)version);
            block(both[1], status, (int64_t)version);
        } else {
            play_write(both, &p);
        }
        if (step % 10 == 9) {
            assert_same(both, prng_below(&p, CLUSTERS), &p);
        }
    }
    (void)teardown(&fake_state);
}

/* ---- What the profile pgvector-like claims ---- */

/* A row is guarded by its version for as long as it is there; deleted, it leaves nothing, and an
 * older write brings it back. A row that says that there is none stays. */
static void plain_deletions_leave_nothing(void **state) {
    struct vectors_subject *s = *state;
    enum item_status status;
    struct vector_write gone = removal(2, 6);
    gone.kind = ROW_TOMBSTONE;
    assert_int_equal(write(s, upsert(1, 5)), ITEM_APPLIED);
    assert_int_equal(write(s, upsert(1, 4)), ITEM_CONFLICT);
    assert_int_equal(write(s, removal(1, 6)), ITEM_APPLIED);
    assert_int_equal(write(s, gone), ITEM_APPLIED);
    assert_int_equal(nearest(s, 1, NULL), 0);
    struct vector_write stale[] = {upsert(1, 4), upsert(2, 4)};
    static const enum item_status expected[] = {ITEM_APPLIED, ITEM_CONFLICT};
    for (int i = 0; i < 2; i++) { /* a moment later */
        assert_int_equal(
            s->port.ops->write(s->port.ctx, at(9), MODALITY_TEXT, 1, &stale[i], 1, &status), 0);
        assert_int_equal(status, expected[i]);
    }
    assert_int_equal(nearest(s, 1, NULL), 1);
}

enum { DEAD_ROWS = 30, ALL_ROWS = 60, NARROW_EF = 20 };

/* How many of the ten rows next to direction 1 an index of that breadth finds. */
static size_t found_narrowly(struct vectors_subject *s) {
    struct search_hit hits[10];
    size_t count = 0;
    assert_int_equal(s->port.ops->search(s->port.ctx, at(2), MODALITY_TEXT, 0, direction(1), 10,
                                         NARROW_EF, false, NULL, hits, &count),
                     0);
    return count;
}

/* Deleted rows use up the candidates of a search, until a vacuum takes them out of the index
 * (pgvector#244). */
static void dead_rows_use_up_searches(void **state) {
    struct vectors_subject *s = *state;
    float near[D];
    float slant[D];
    memcpy(near, direction(1), sizeof near);
    memcpy(slant, direction(2), sizeof slant);
    for (uint64_t id = 1; id <= ALL_ROWS; id++) {
        float vector[D];
        for (int d = 0; d < D; d++) {
            vector[d] = near[d] + slant[d] * (float)id / 100;
        }
        normalise(vector);
        struct vector_write item = upsert(id, 1);
        item.vector = vector;
        assert_int_equal(write(s, item), ITEM_APPLIED);
    }
    assert_int_equal(found_narrowly(s), 10);
    for (uint64_t id = 1; id <= DEAD_ROWS; id++) {
        assert_int_equal(write(s, removal(id, 2)), ITEM_APPLIED);
    }
    assert_int_equal(found_narrowly(s), 0);
    assert_int_equal(admin(s, VECTOR_COMPACT, MODALITY_TEXT, 0, 0), ITEM_APPLIED);
    assert_int_equal(found_narrowly(s), 10);
}

int pgvector_suite_run(const char *name, bool (*make)(struct vectors_subject *out)) {
    const struct CMUnitTest tests[] = {
        TEST_AFTER(with_collections, plain_deletions_leave_nothing),
        TEST_AFTER(with_collections, dead_rows_use_up_searches),
    };
    make_subject = make;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int vectors_suite_run(const char *name, bool (*make)(struct vectors_subject *out)) {
    const struct CMUnitTest tests[] = {
        TEST_AFTER(with_collections, versions_guard_rows_and_deletions),
        TEST_AFTER(with_collections, items_are_answered_one_by_one),
        TEST_AFTER(with_collections, metadata_goes_alone),
        TEST_AFTER(with_collections, unknown_collections_are_not_found),
        TEST_AFTER(with_collections, scans_tell_what_was_written),
        TEST_AFTER(with_collections, vectors_are_read_back_to_the_bit),
        TEST_AFTER(with_collections, exact_search_is_exact),
        TEST_AFTER(with_collections, filters_do_not_eat_results),
        TEST_AFTER(with_collections, filters_mean_what_they_say),
        TEST_AFTER(with_collections, aliases_move_together),
        TEST_AFTER(with_collections, blocks_go_ahead_of_rows),
        TEST_AFTER(with_collections, erasures_leave_nothing),
        TEST_AFTER(with_collections, random_plays_agree_with_the_fake),
    };
    make_subject = make;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
