/*
 * The vector database against a naive model that knows one row per id and searches by brute force:
 * versions and tombstones (A9), metadata without vectors (A7), the three access paths (A11),
 * aliases (A8), filters and recall (D8), and the faults that strike the store itself.
 */
#include <assert.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "sim/fake_vector_db.h"
#include "sim/prng.h"
#include "sim/vector_math.h"

#define TEXT MODALITY_TEXT
#define ALL_IDS 0, UINT64_MAX

enum { POOL = 300, CLUSTERS = 15, IDS = 120, ROOM = 4096 };

static const vtime start = {INT64_C(1700000000000000000)};
static float pool[POOL][FUSED_DIMENSION]; /* unit vectors in clusters */

static vtime at(int64_t seconds) {
    return vtime_add(start, seconds * VTIME_SECOND);
}

/* ---- material ---- */

/* Near a bell curve around 0. */
static float noise(struct prng *p) {
    int64_t sum = 0;
    for (int i = 0; i < 4; i++) {
        sum += prng_range(p, -1000, 1000);
    }
    return (float)sum / 1000.0F;
}

static void random_near(struct prng *p, const float *centre, float spread, size_t dimension,
                        float *out) {
    for (size_t i = 0; i < dimension; i++) {
        out[i] = (centre == 0 ? 0 : centre[i]) + spread * noise(p);
    }
    assert_true(vector_normalise(out, dimension, out));
}

static int make_pool(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 1, "test-vectors");
    for (size_t i = 0; i < POOL; i++) {
        bool centre = i < CLUSTERS;
        random_near(&p, centre ? 0 : pool[i % CLUSTERS], centre ? 1 : 0.02F, TEXT_DIMENSION,
                    pool[i]);
    }
    return 0;
}

static struct fake_vector_db *new_db(const struct fake_vector_db_options *options) {
    struct fake_vector_db *db = fake_vector_db_new(options);
    assert_non_null(db);
    assert_int_equal(fake_vector_db_create_collection(db, TEXT, 1), 0);
    const struct vector_alias alias = {TEXT, 1};
    assert_int_equal(fake_vector_db_switch_aliases(db, start, &alias, 1), 0);
    return db;
}

static struct vector_write write_of(enum row_write_kind kind, uint64_t id, doc_version version,
                                    size_t vector) {
    return (struct vector_write){
        .listing_id = id,
        .kind = kind,
        .rule = VERSION_GREATER,
        .meta = {.version = version,
                 .source_hash = id * 1000 + (uint64_t)version,
                 .whole_hash = id * 2000 + (uint64_t)version,
                 .content_hash = vector,
                 .model_version = 1,
                 .seller_id = id % 7 + 1,
                 .price = 100,
                 .category = bytes_of("shoes"),
                 .locale = bytes_of("en_US"),
                 .policy = POLICY_ACTIVE,
                 .active = true,
                 .modalities = 7},
        .vector = kind == ROW_UPSERT ? pool[vector] : 0,
    };
}

static enum item_status put(struct fake_vector_db *db, vtime now, struct vector_write w) {
    enum item_status status = ITEM_STATUS_COUNT;
    struct vector_port port = fake_vector_db_port(db);
    assert_int_equal(port.ops->write(port.ctx, now, TEXT, 1, &w, 1, &status), 0);
    return status;
}

static size_t scan(struct fake_vector_db *db, enum scan_path path, struct scan_row *out) {
    size_t count = 0;
    struct vector_port port = fake_vector_db_port(db);
    assert_int_equal(port.ops->scan(port.ctx, start, TEXT, 1, path, ALL_IDS, out, ROOM, &count), 0);
    return count;
}

static size_t search(struct fake_vector_db *db, const float *query, size_t k, uint32_t ef,
                     bool exact, const struct row_filter *filter, struct search_hit *hits) {
    size_t count = 0;
    struct vector_port port = fake_vector_db_port(db);
    assert_int_equal(
        port.ops->search(port.ctx, start, TEXT, 0, query, k, ef, exact, filter, hits, &count), 0);
    return count;
}

/* ---- the naive model ---- */

struct model_row {
    bool known, present;
    size_t vector;
    vtime written;
    struct row_meta meta;
};
struct model {
    struct model_row rows[IDS + 1]; /* by id, from 1 */
    int64_t gc_ns;
};

static bool model_remembers(const struct model *model, const struct model_row *row, vtime now) {
    return row->known &&
           (row->present || model->gc_ns == 0 || vtime_diff(now, row->written) < model->gc_ns);
}

static enum item_status model_write(struct model *model, vtime now, const struct vector_write *w,
                                    size_t vector) {
    struct model_row *row = &model->rows[w->listing_id];
    bool held = model_remembers(model, row, now);
    if (w->rule == VERSION_GREATER && held && w->meta.version <= row->meta.version) {
        return ITEM_CONFLICT;
    }
    if (w->rule == VERSION_GREATER_OR_EQUAL && held && w->meta.version < row->meta.version) {
        return ITEM_CONFLICT;
    }
    if (w->kind == ROW_METADATA &&
        (!row->present || row->meta.content_hash != w->meta.content_hash)) {
        return ITEM_MISSING;
    }
    row->meta = w->meta;
    row->written = now;
    row->present = w->kind != ROW_DELETE;
    row->known = row->present || w->rule != VERSION_IGNORED;
    row->vector = w->kind == ROW_UPSERT ? vector : row->vector;
    return ITEM_APPLIED;
}

static bool model_suppressed(const struct model_row *row) {
    return row->meta.policy == POLICY_SUPPRESSED || !row->meta.active;
}

static bool model_accepts(const struct model_row *row, const struct row_filter *filter) {
    return row->present &&
           (filter->category.len == 0 || bytes_equal(filter->category, row->meta.category)) &&
           (filter->locale.len == 0 || bytes_equal(filter->locale, row->meta.locale)) &&
           (filter->seller_id == 0 || filter->seller_id == row->meta.seller_id) &&
           (!filter->servable_only || !model_suppressed(row));
}

static int hit_compare(const void *left, const void *right) {
    const struct search_hit *a = left;
    const struct search_hit *b = right;
    if (a->score > b->score || a->score < b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return a->listing_id < b->listing_id ? -1 : a->listing_id > b->listing_id;
}

/* All accepted rows by brute force, best first. */
static size_t model_search(const struct model *model, const float *query,
                           const struct row_filter *filter, struct search_hit *hits) {
    size_t count = 0;
    for (uint64_t id = 1; id <= IDS; id++) {
        const struct model_row *row = &model->rows[id];
        if (model_accepts(row, filter)) {
            float distance = 1 - vector_dot(query, pool[row->vector], TEXT_DIMENSION);
            hits[count++] = (struct search_hit){id, 1 - distance, row->meta.version};
        }
    }
    qsort(hits, count, sizeof(*hits), hit_compare);
    return count;
}

static const char *const categories[] = {"", "shoes", "toys", "tools"};
static const char *const locales[] = {"", "en_US", "de_DE"};

static struct vector_write random_write(struct prng *p, size_t *vector) {
    *vector = prng_below(p, POOL);
    uint64_t kind = prng_below(p, 10);
    struct vector_write w =
        write_of(kind < 5   ? ROW_UPSERT
                 : kind < 8 ? ROW_METADATA
                            : ROW_DELETE,
                 1 + prng_below(p, IDS), 1 + (doc_version)prng_below(p, 60), *vector);
    uint64_t rule = prng_below(p, 12);
    w.rule = rule == 0 ? VERSION_IGNORED : rule <= 3 ? VERSION_GREATER_OR_EQUAL : VERSION_GREATER;
    w.meta.content_hash = w.kind == ROW_METADATA ? 1 + prng_below(p, 3) : 1 + *vector % 3;
    w.meta.category = bytes_of(categories[prng_below(p, 4)]);
    w.meta.locale = bytes_of(locales[prng_below(p, 3)]);
    w.meta.policy = prng_ratio(p, 1, 5) ? POLICY_SUPPRESSED : POLICY_ACTIVE;
    w.meta.active = prng_ratio(p, 4, 5);
    w.meta.source_hash = prng_next(p);
    w.meta.whole_hash = prng_next(p);
    return w;
}

static struct row_filter random_filter(struct prng *p) {
    return (struct row_filter){
        .category = bytes_of(prng_ratio(p, 1, 20) ? "unheard of" : categories[prng_below(p, 4)]),
        .locale = bytes_of(locales[prng_below(p, 3)]),
        .seller_id = prng_ratio(p, 1, 3) ? 1 + prng_below(p, 7) : 0,
        .servable_only = prng_ratio(p, 1, 2),
    };
}

static void expect_scans(struct fake_vector_db *db, const struct model *model,
                         struct scan_row *rows) {
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        size_t count = scan(db, (enum scan_path)path, rows);
        size_t i = 0;
        for (uint64_t id = 1; id <= IDS; id++) {
            const struct model_row *row = &model->rows[id];
            if (!row->present) {
                continue;
            }
            assert_true(i < count);
            assert_int_equal(rows[i].listing_id, id);
            assert_int_equal(rows[i].version, row->meta.version);
            assert_int_equal(rows[i].source_hash, row->meta.source_hash);
            assert_int_equal(rows[i].whole_hash, row->meta.whole_hash);
            assert_int_equal(rows[i].content_hash, row->meta.content_hash);
            assert_int_equal(rows[i].model_version, row->meta.model_version);
            assert_int_equal(rows[i].changed_at.ns, row->written.ns);
            assert_true(rows[i].alive);
            assert_int_equal(rows[i].suppressed, model_suppressed(row));
            i++;
        }
        assert_int_equal(i, count);
    }
}

static void expect_searches(struct fake_vector_db *db, const struct model *model, struct prng *p) {
    struct search_hit expected[IDS];
    struct search_hit hits[IDS];
    const float *query = pool[prng_below(p, POOL)];
    struct row_filter filter = random_filter(p);
    size_t k = 1 + prng_below(p, 30);
    size_t matching = model_search(model, query, &filter, expected);
    size_t count = search(db, query, k, 0, true, &filter, hits);
    assert_int_equal(count, matching < k ? matching : k);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(hits[i].listing_id, expected[i].listing_id);
        assert_int_equal(hits[i].version, expected[i].version);
        assert_true(hits[i].score >= expected[i].score && hits[i].score <= expected[i].score);
    }
    /* An approximate search may miss a row, but makes none up and returns as many as there are. */
    count = search(db, query, k, 64, false, &filter, hits);
    assert_int_equal(count, matching < k ? matching : k);
    for (size_t i = 0; i < count; i++) {
        assert_true(model_accepts(&model->rows[hits[i].listing_id], &filter));
        assert_true(i == 0 || hit_compare(&hits[i - 1], &hits[i]) < 0);
    }
}

static void run_against_model(uint64_t seed, bool index_on, int64_t gc_ns) {
    struct prng p;
    prng_init(&p, seed, "test-writes");
    struct fake_vector_db_options options = {
        .profile = {.gc_deletes_ns = gc_ns},
        .seed = seed,
        .index[TEXT] = {.on = index_on, .m = 8, .ef_construction = 40, .seal_rows_min = 20},
    };
    struct fake_vector_db *db = new_db(&options);
    struct model *model = calloc(1, sizeof(*model));
    struct scan_row *rows = malloc(ROOM * sizeof(*rows));
    assert_non_null(model);
    assert_non_null(rows);
    model->gc_ns = gc_ns;
    struct vector_port port = fake_vector_db_port(db);
    for (int64_t round = 0; round < 150; round++) {
        struct vector_write items[20];
        enum item_status statuses[20];
        enum item_status expected[20];
        vtime now = at(round);
        for (size_t i = 0; i < 20; i++) {
            size_t vector = 0;
            items[i] = random_write(&p, &vector);
            expected[i] = model_write(model, now, &items[i], vector);
        }
        assert_int_equal(port.ops->write(port.ctx, now, TEXT, 1, items, 20, statuses), 0);
        assert_memory_equal(statuses, expected, sizeof(expected));
        fake_vector_db_check(db);
        expect_searches(db, model, &p);
        if (round % 10 == 9) {
            expect_scans(db, model, rows);
        }
        for (uint64_t id = 1; id <= IDS; id++) {
            struct row_state state = fake_vector_db_row(db, TEXT, 1, id);
            const struct model_row *row = &model->rows[id];
            assert_int_equal(state.present, row->present);
            assert_int_equal(state.version,
                             model_remembers(model, row, now) ? row->meta.version : 0);
        }
    }
    free(rows);
    free(model);
    fake_vector_db_free(db);
}

/* Under random writes of all kinds and rules, every status, scan and search is the model's. */
static void agrees_with_the_model(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        run_against_model(seed, seed % 2 == 0, seed > 2 ? 20 * VTIME_SECOND : 0);
    }
}

/* ---- writes ---- */

/* A9: of a tombstone only newer writes revive the row; an unconditional delete leaves none. */
static void tombstones_hold(void **state) {
    (void)state;
    struct fake_vector_db_options options = {.profile = {.gc_deletes_ns = 60 * VTIME_SECOND}};
    struct fake_vector_db *db = new_db(&options);
    assert_int_equal(put(db, at(0), write_of(ROW_DELETE, 1, 5, 0)), ITEM_APPLIED);
    assert_int_equal(put(db, at(1), write_of(ROW_UPSERT, 1, 5, 0)), ITEM_CONFLICT);
    assert_int_equal(put(db, at(2), write_of(ROW_METADATA, 1, 5, 0)), ITEM_CONFLICT);
    assert_int_equal(put(db, at(2), write_of(ROW_METADATA, 1, 6, 0)), ITEM_MISSING);
    assert_int_equal(fake_vector_db_row(db, TEXT, 1, 1).version, 5);
    /* Forgotten after gc_deletes: the stale write revives it. */
    assert_int_equal(put(db, at(60), write_of(ROW_UPSERT, 1, 3, 0)), ITEM_APPLIED);

    struct vector_write unconditional = write_of(ROW_DELETE, 1, 9, 0);
    unconditional.rule = VERSION_IGNORED;
    assert_int_equal(put(db, at(61), unconditional), ITEM_APPLIED);
    assert_int_equal(fake_vector_db_row(db, TEXT, 1, 1).version, DOC_VERSION_NONE);
    assert_int_equal(put(db, at(62), write_of(ROW_UPSERT, 1, 1, 0)), ITEM_APPLIED);

    assert_int_equal(put(db, at(63), write_of(ROW_DELETE, 1, 9, 0)), ITEM_APPLIED);
    fake_vector_db_forget(db);
    assert_int_equal(put(db, at(64), write_of(ROW_UPSERT, 1, 2, 0)), ITEM_APPLIED);
    fake_vector_db_free(db);
}

/* A vector with a NaN, an infinity or a length far from 1 is refused, and nothing of it is kept. */
static void bad_vectors_are_refused(void **state) {
    (void)state;
    struct fake_vector_db *db = new_db(&(struct fake_vector_db_options){0});
    const float bad[] = {NAN, INFINITY, -INFINITY, 1.5F, 3e38F};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        float vector[TEXT_DIMENSION];
        memcpy(vector, pool[0], sizeof(vector));
        vector[i * 191] = bad[i];
        struct vector_write w = write_of(ROW_UPSERT, 1, 1, 0);
        w.vector = vector;
        assert_int_equal(put(db, at(0), w), ITEM_FATAL);
    }
    float zero[TEXT_DIMENSION] = {0};
    struct vector_write w = write_of(ROW_UPSERT, 1, 1, 0);
    w.vector = zero;
    assert_int_equal(put(db, at(0), w), ITEM_FATAL);
    assert_false(fake_vector_db_row(db, TEXT, 1, 1).present);
    assert_int_equal(fake_vector_db_counts(db).writes[TEXT][ROW_UPSERT][ITEM_FATAL], 6);
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

/* A batch goes on after a failed item; one that is too large, or for nobody, does nothing. */
static void batches_and_limits(void **state) {
    (void)state;
    struct fake_vector_db *db =
        new_db(&(struct fake_vector_db_options){.profile = {.batch_items_max = 3}});
    struct vector_write items[4] = {write_of(ROW_UPSERT, 1, 1, 1), write_of(ROW_UPSERT, 1, 1, 1),
                                    write_of(ROW_METADATA, 2, 1, 1), write_of(ROW_UPSERT, 2, 1, 1)};
    enum item_status statuses[4];
    struct vector_port port = fake_vector_db_port(db);
    assert_int_equal(port.ops->write(port.ctx, at(0), TEXT, 1, items, 4, statuses), PORT_TOO_LARGE);
    assert_int_equal(port.ops->write(port.ctx, at(0), TEXT, 2, items, 3, statuses), PORT_NOT_FOUND);
    assert_int_equal(fake_vector_db_collection(db, 0).rows, 0);
    assert_int_equal(port.ops->write(port.ctx, at(0), TEXT, 1, items, 3, statuses), 0);
    assert_int_equal(statuses[0], ITEM_APPLIED);
    assert_int_equal(statuses[1], ITEM_CONFLICT);
    assert_int_equal(statuses[2], ITEM_MISSING);
    assert_int_equal(port.ops->write(port.ctx, at(0), TEXT, 1, items + 3, 1, statuses), 0);
    struct fake_vector_db_counts counts = fake_vector_db_counts(db);
    assert_int_equal(counts.batches_refused, 2);
    assert_int_equal(counts.writes[TEXT][ROW_UPSERT][ITEM_APPLIED], 2);
    assert_int_equal(counts.writes[TEXT][ROW_UPSERT][ITEM_CONFLICT], 1);
    assert_int_equal(counts.writes[TEXT][ROW_METADATA][ITEM_MISSING], 1);
    fake_vector_db_free(db);
}

/* A7: metadata writes change filters and leave vector and graph alone; so does the same vector
 * written again. */
static void metadata_spares_the_graph(void **state) {
    (void)state;
    struct fake_vector_db_options options = {.index[TEXT] = {.on = true, .seal_rows_min = 50}};
    struct fake_vector_db *db = new_db(&options);
    struct search_hit hits[10];
    for (uint64_t id = 1; id <= 60; id++) {
        assert_int_equal(put(db, at(0), write_of(ROW_UPSERT, id, 1, id)), ITEM_APPLIED);
        if (id == 50) {
            assert_int_equal(search(db, pool[0], 10, 20, false, 0, hits), 10);
            assert_int_equal(fake_vector_db_collection(db, 0).growing, 50);
        }
    }
    assert_int_equal(search(db, pool[0], 10, 20, false, 0, hits), 10);
    assert_int_equal(fake_vector_db_collection(db, 0).sealed, 60);
    for (uint64_t id = 1; id <= 60; id++) {
        struct vector_write w = write_of(id % 2 ? ROW_METADATA : ROW_UPSERT, id, 2, id);
        w.meta.category = bytes_of("toys");
        assert_int_equal(put(db, at(1), w), ITEM_APPLIED);
    }
    struct row_filter toys = {.category = bytes_of("toys")};
    struct row_filter shoes = {.category = bytes_of("shoes")};
    assert_int_equal(search(db, pool[0], 10, 20, false, &toys, hits), 10);
    assert_int_equal(search(db, pool[0], 10, 20, false, &shoes, hits), 0);
    assert_int_equal(hits[0].version, 2);
    struct vector_collection_info info = fake_vector_db_collection(db, 0);
    assert_int_equal(info.graph_inserts, 60);
    assert_int_equal(info.sealed, 60);
    assert_int_equal(info.masked, 0);
    fake_vector_db_free(db);
}

/* ---- searching ---- */

enum { LARGE = 3000 };

struct large {
    struct fake_vector_db *db;
    float (*vectors)[TEXT_DIMENSION]; /* by id, from 1 */
};

/* Clustered vectors; then every fifth row deleted and every seventh changed. */
static struct large make_large(uint64_t seed) {
    struct fake_vector_db_options options = {.seed = seed, .index[TEXT] = {.on = true}};
    struct large large = {new_db(&options), calloc(LARGE + 1, sizeof(*large.vectors))};
    struct search_hit hit;
    assert_non_null(large.vectors);
    struct prng p;
    prng_init(&p, seed, "test-large");
    for (uint64_t id = 1; id <= LARGE; id++) {
        random_near(&p, pool[id % CLUSTERS], 0.02F, TEXT_DIMENSION, large.vectors[id]);
        struct vector_write w = write_of(ROW_UPSERT, id, 1, 0);
        w.meta.category = bytes_of(categories[1 + id % 3]);
        w.vector = large.vectors[id];
        assert_int_equal(put(large.db, at(0), w), ITEM_APPLIED);
        if (id % 1000 == 0) {
            assert_int_equal(search(large.db, pool[0], 1, 10, false, 0, &hit), 1);
        }
    }
    for (uint64_t id = 5; id <= LARGE; id += 5) {
        assert_int_equal(put(large.db, at(1), write_of(ROW_DELETE, id, 2, 0)), ITEM_APPLIED);
    }
    for (uint64_t id = 7; id <= LARGE; id += 7) {
        random_near(&p, pool[(id + 1) % CLUSTERS], 0.02F, TEXT_DIMENSION, large.vectors[id]);
        struct vector_write w = write_of(ROW_UPSERT, id, 3, 1);
        w.meta.category = bytes_of(categories[1 + id % 3]);
        w.vector = large.vectors[id];
        assert_int_equal(put(large.db, at(2), w), ITEM_APPLIED);
    }
    return large;
}

static void free_large(struct large *large) {
    fake_vector_db_free(large->db);
    free(large->vectors);
}

/* Share of the exact best 10 that the graph finds, over 100 queries, in percent. */
static double recall_percent(struct large *large, uint32_t ef, const struct row_filter *filter) {
    struct prng p;
    prng_init(&p, 9, "test-queries");
    size_t found = 0;
    for (size_t q = 0; q < 100; q++) {
        float query[TEXT_DIMENSION];
        struct search_hit exact[10];
        struct search_hit near[10];
        random_near(&p, pool[q % CLUSTERS], 0.02F, TEXT_DIMENSION, query);
        assert_int_equal(search(large->db, query, 10, 0, true, filter, exact), 10);
        assert_int_equal(search(large->db, query, 10, ef, false, filter, near), 10);
        for (size_t i = 0; i < 100; i++) {
            bool same = near[i % 10].listing_id == exact[i / 10].listing_id;
            found += same;
            /* Scores of one row are the same bits on both ways. */
            assert_true(!same ||
                        memcmp(&near[i % 10].score, &exact[i / 10].score, sizeof(float)) == 0);
        }
    }
    return (double)found / 10;
}

/* D8: recall@10 at ef 64 is at least 0.95 with deletes, changed rows and filters. */
static void recall_is_good(void **state) {
    (void)state;
    struct large large = make_large(3);
    struct row_filter toys = {.category = bytes_of("toys"), .servable_only = true};
    struct row_filter seller = {.seller_id = 3};
    assert_true(recall_percent(&large, 64, 0) >= 95);
    assert_true(recall_percent(&large, 64, &toys) >= 95);
    assert_true(recall_percent(&large, 64, &seller) >= 95);
    assert_true(fake_vector_db_collection(large.db, 0).sealed > LARGE / 2);
    fake_vector_db_check(large.db);
    free_large(&large);
}

/* A graph of which more than half is masked is compacted by the next search; nothing deleted is
 * ever returned, and all that is left can still be found. */
static void masked_rows_go(void **state) {
    (void)state;
    struct fake_vector_db_options options = {.index[TEXT] = {.on = true, .seal_rows_min = 100}};
    struct fake_vector_db *db = new_db(&options);
    struct search_hit hits[POOL];
    for (uint64_t id = 1; id < POOL; id++) {
        assert_int_equal(put(db, at(0), write_of(ROW_UPSERT, id, 1, id)), ITEM_APPLIED);
    }
    assert_int_equal(search(db, pool[0], 10, 20, false, 0, hits), 10);
    for (uint64_t id = 1; id < POOL; id += 2) {
        assert_int_equal(put(db, at(1), write_of(ROW_DELETE, id, 2, 0)), ITEM_APPLIED);
    }
    assert_int_equal(fake_vector_db_collection(db, 0).masked, POOL / 2);
    size_t count = search(db, pool[0], POOL, POOL, false, 0, hits);
    assert_int_equal(count, POOL / 2 - 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(hits[i].listing_id % 2, 0);
    }
    struct vector_collection_info info = fake_vector_db_collection(db, 0);
    assert_int_equal(info.masked, 0);
    assert_int_equal(info.graph_compactions, 1);
    assert_int_equal(info.graph_inserts, POOL - 1);
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

/* D3: the same writes and searches give the same bits, whatever else lives in the process. */
static void two_instances_agree(void **state) {
    (void)state;
    struct large a = make_large(5);
    char *between = malloc(12345);
    struct large b = make_large(5);
    struct search_hit hits[2][20];
    for (size_t q = 0; q < 50; q++) {
        assert_int_equal(search(a.db, pool[q], 20, 30, false, 0, hits[0]), 20);
        assert_int_equal(search(b.db, pool[q], 20, 30, false, 0, hits[1]), 20);
        for (size_t i = 0; i < 20; i++) {
            assert_int_equal(hits[0][i].listing_id, hits[1][i].listing_id);
            assert_memory_equal(&hits[0][i].score, &hits[1][i].score, sizeof(float));
        }
    }
    free(between);
    free_large(&a);
    free_large(&b);
}

/* D3: what exact searches answered when this was written, every compiler and processor answers. The
 * graph has pins of its own. */
static void results_are_pinned(void **state) {
    (void)state;
    struct large large = make_large(5);
    XXH3_state_t *digest = XXH3_createState();
    XXH3_64bits_reset(digest);
    for (size_t q = 0; q < 50; q++) {
        struct search_hit hits[20];
        size_t count = search(large.db, pool[q], 20, 0, true, 0, hits);
        for (size_t i = 0; i < count; i++) {
            XXH3_64bits_update(digest, &hits[i].listing_id, sizeof(hits[i].listing_id));
            XXH3_64bits_update(digest, &hits[i].score, sizeof(hits[i].score));
        }
    }
    assert_int_equal(XXH3_64bits_digest(digest), UINT64_C(0x5a47d34d2a59bf32));
    XXH3_freeState(digest);
    free_large(&large);
}

/* ---- aliases and collections ---- */

struct switches {
    size_t count;
    uint32_t from, to;
    struct fake_vector_db *db;
    uint32_t image_seen; /* where the image alias pointed when the text alias was told */
};

static void note_switch(void *ctx, vtime now, enum modality modality, uint32_t from, uint32_t to) {
    struct switches *switches = ctx;
    (void)now;
    switches->count++;
    if (modality == TEXT) {
        switches->from = from;
        switches->to = to;
        switches->image_seen = fake_vector_db_alias_target(switches->db, MODALITY_IMAGE);
    }
}

/* A8: several aliases switch in one action, and all or none. */
static void aliases_switch_atomically(void **state) {
    (void)state;
    struct switches switches = {0};
    struct fake_vector_db_options options = {
        .alias_observer = {.alias_switched = note_switch, .ctx = &switches}};
    struct fake_vector_db *db = switches.db = fake_vector_db_new(&options);
    struct vector_port port = fake_vector_db_port(db);
    struct search_hit hits[4];
    size_t count = 0;
    assert_int_equal(
        port.ops->search(port.ctx, at(0), TEXT, 0, pool[0], 1, 0, true, 0, hits, &count),
        PORT_NOT_FOUND);
    for (uint32_t version = 1; version <= 2; version++) {
        assert_int_equal(fake_vector_db_create_collection(db, TEXT, version), 0);
        assert_int_equal(fake_vector_db_create_collection(db, TEXT, version), 0);
        enum item_status status;
        struct vector_write w = write_of(ROW_UPSERT, version, 1, 0);
        assert_int_equal(port.ops->write(port.ctx, at(0), TEXT, version, &w, 1, &status), 0);
    }
    assert_int_equal(fake_vector_db_create_collection(db, MODALITY_IMAGE, 2), 0);
    const struct vector_alias first = {TEXT, 1};
    assert_int_equal(fake_vector_db_switch_aliases(db, at(1), &first, 1), 0);
    const struct vector_alias missing[] = {{TEXT, 2}, {MODALITY_IMAGE, 3}};
    assert_int_equal(fake_vector_db_switch_aliases(db, at(2), missing, 2), PORT_NOT_FOUND);
    assert_int_equal(fake_vector_db_alias_target(db, TEXT), 1);
    assert_int_equal(search(db, pool[0], 4, 0, true, 0, hits), 1);
    assert_int_equal(hits[0].listing_id, 1);
    assert_int_equal(switches.count, 1);

    const struct vector_alias both[] = {{TEXT, 2}, {MODALITY_IMAGE, 2}};
    assert_int_equal(fake_vector_db_switch_aliases(db, at(3), both, 2), 0);
    assert_int_equal(search(db, pool[0], 4, 0, true, 0, hits), 1);
    assert_int_equal(hits[0].listing_id, 2);
    assert_int_equal(switches.count, 3);
    assert_int_equal(switches.from, 1);
    assert_int_equal(switches.to, 2);
    assert_int_equal(switches.image_seen, 2);
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

/* A dropped collection takes its alias along; one made again under the name is empty, and the
 * history of the first stays. */
static void dropping_a_collection(void **state) {
    (void)state;
    struct fake_vector_db *db = new_db(&(struct fake_vector_db_options){.journal = true});
    assert_int_equal(put(db, at(1), write_of(ROW_UPSERT, 1, 5, 0)), ITEM_APPLIED);
    assert_int_equal(fake_vector_db_drop_collection(db, at(2), TEXT, 1), 0);
    assert_int_equal(fake_vector_db_drop_collection(db, at(2), TEXT, 1), PORT_NOT_FOUND);
    assert_int_equal(fake_vector_db_alias_target(db, TEXT), 0);
    assert_int_equal(fake_vector_db_create_collection(db, TEXT, 1), 0);
    assert_int_equal(put(db, at(3), write_of(ROW_UPSERT, 1, 1, 0)), ITEM_APPLIED);
    assert_int_equal(fake_vector_db_collection_count(db), 2);
    struct vector_collection_info first = fake_vector_db_collection(db, 0);
    assert_string_equal(first.name, "listing-text-v1");
    assert_true(first.dropped);
    assert_int_equal(first.rows, 0);
    assert_int_equal(first.journal->count, 2);
    assert_int_equal(fake_vector_db_collection(db, 1).rows, 1);
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

/* ---- the port's administration ---- */

static enum item_status administer(struct fake_vector_db *db, vtime now, struct vector_admin admin,
                                   struct vector_targets *targets) {
    enum item_status status = ITEM_STATUS_COUNT;
    struct vector_port port = fake_vector_db_port(db);
    assert_int_equal(port.ops->admin(port.ctx, now, &admin, &status, targets), 0);
    return status;
}

static void administer_all(struct fake_vector_db *db, enum vector_admin_kind kind,
                           uint32_t version) {
    for (int m = 0; m < MODALITY_COUNT; m++) {
        struct vector_admin admin = {kind, (enum modality)m, version, 0};
        assert_int_equal(administer(db, at(0), admin, 0), ITEM_APPLIED);
    }
}

/* A10: all aliases switch in one action; doing it again is no news, and an action whose premise is
 * gone is refused and changes nothing. */
static void switching_by_the_port(void **state) {
    (void)state;
    struct switches switches = {0};
    struct fake_vector_db_options options = {
        .alias_observer = {.alias_switched = note_switch, .ctx = &switches}};
    struct fake_vector_db *db = switches.db = fake_vector_db_new(&options);
    const struct vector_admin begin = {VECTOR_SWITCH, 0, 1, 0};
    const struct vector_admin forth = {VECTOR_SWITCH, 0, 2, 1};
    const struct vector_admin further = {VECTOR_SWITCH, 0, 3, 1};
    administer_all(db, VECTOR_CREATE, 1);
    assert_int_equal(administer(db, at(1), begin, 0), ITEM_APPLIED);
    assert_int_equal(administer(db, at(1), forth, 0), ITEM_MISSING);
    administer_all(db, VECTOR_CREATE, 2);
    administer_all(db, VECTOR_CREATE, 2);
    switches.count = 0;
    assert_int_equal(administer(db, at(2), forth, 0), ITEM_APPLIED);
    assert_int_equal(switches.count, MODALITY_COUNT);
    assert_int_equal(administer(db, at(3), forth, 0), ITEM_APPLIED);
    assert_int_equal(switches.count, MODALITY_COUNT);
    administer_all(db, VECTOR_CREATE, 3);
    assert_int_equal(administer(db, at(4), further, 0), ITEM_CONFLICT);
    for (int m = 0; m < MODALITY_COUNT; m++) {
        assert_int_equal(fake_vector_db_alias_target(db, (enum modality)m), 2);
    }
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

/* A10: the targets say where aliases point and which collections there are, in the order of model
 * versions, up to as many as they have room for. */
static void targets_by_the_port(void **state) {
    (void)state;
    struct fake_vector_db *db = fake_vector_db_new(&(struct fake_vector_db_options){0});
    const struct vector_admin ask = {.kind = VECTOR_TARGETS};
    struct vector_targets targets;
    administer_all(db, VECTOR_CREATE, 7);
    assert_int_equal(administer(db, at(0), (struct vector_admin){VECTOR_CREATE, TEXT, 2, 0}, 0),
                     ITEM_APPLIED);
    assert_int_equal(administer(db, at(0), (struct vector_admin){VECTOR_SWITCH, 0, 7, 0}, 0),
                     ITEM_APPLIED);
    assert_int_equal(administer(db, at(0), ask, &targets), ITEM_APPLIED);
    assert_int_equal(vector_targets_served(&targets), 7);
    assert_int_equal(targets.model_count, 2);
    assert_int_equal(targets.models[0].model_version, 2);
    assert_int_equal(vector_targets_modalities(&targets, 2), 1u << TEXT);
    assert_int_equal(vector_targets_modalities(&targets, 7), 7);
    assert_int_equal(vector_targets_modalities(&targets, 8), 0);

    const struct vector_admin drop = {VECTOR_DROP, TEXT, 2, 0};
    assert_int_equal(administer(db, at(1), drop, 0), ITEM_APPLIED);
    assert_int_equal(administer(db, at(1), drop, 0), ITEM_MISSING);
    assert_int_equal(administer(db, at(1), (struct vector_admin){VECTOR_DROP, TEXT, 7, 0}, 0),
                     ITEM_APPLIED);
    assert_int_equal(administer(db, at(1), ask, &targets), ITEM_APPLIED);
    assert_int_equal(vector_targets_served(&targets), 0);
    assert_int_equal(targets.model_count, 1);

    for (uint32_t version = 20 + VECTOR_MODELS_MAX; version > 20; version--) {
        administer_all(db, VECTOR_CREATE, version);
    }
    assert_int_equal(administer(db, at(2), ask, &targets), ITEM_APPLIED);
    assert_int_equal(targets.model_count, VECTOR_MODELS_MAX);
    assert_int_equal(targets.models[0].model_version, 7);
    assert_int_equal(targets.models[VECTOR_MODELS_MAX - 1].model_version,
                     20 + VECTOR_MODELS_MAX - 1);
    fake_vector_db_free(db);
}

/* A10: a collection that no alias points to can be searched and its vectors read; what is not there
 * is said to be so. */
static void shadow_collections_by_the_port(void **state) {
    (void)state;
    struct fake_vector_db *db = new_db(&(struct fake_vector_db_options){0});
    struct vector_port port = fake_vector_db_port(db);
    assert_int_equal(fake_vector_db_create_collection(db, TEXT, 2), 0);
    assert_int_equal(put(db, at(0), write_of(ROW_UPSERT, 1, 1, 3)), ITEM_APPLIED);
    struct vector_write shadow[] = {write_of(ROW_UPSERT, 2, 1, 4), write_of(ROW_UPSERT, 5, 1, 5)};
    enum item_status statuses[2];
    assert_int_equal(port.ops->write(port.ctx, at(0), TEXT, 2, shadow, 2, statuses), 0);

    struct search_hit hits[4];
    size_t count = 0;
    assert_int_equal(
        port.ops->search(port.ctx, at(1), TEXT, 2, pool[4], 4, 0, true, 0, hits, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(hits[0].listing_id, 2);
    assert_int_equal(
        port.ops->search(port.ctx, at(1), TEXT, 3, pool[4], 4, 0, true, 0, hits, &count),
        PORT_NOT_FOUND);

    static float vectors[3 * TEXT_DIMENSION];
    bool found[3];
    const uint64_t ids[] = {5, 1, 2};
    assert_int_equal(port.ops->read(port.ctx, at(1), TEXT, 2, ids, 3, vectors, found), 0);
    assert_true(found[0]);
    assert_false(found[1]);
    assert_true(found[2]);
    assert_memory_equal(vectors, pool[5], TEXT_DIMENSION * sizeof(float));
    assert_memory_equal(vectors + 2 * (size_t)TEXT_DIMENSION, pool[4],
                        TEXT_DIMENSION * sizeof(float));
    assert_int_equal(port.ops->read(port.ctx, at(1), TEXT, 3, ids, 3, vectors, found),
                     PORT_NOT_FOUND);
    fake_vector_db_free(db);
}

/* ---- observer and history ---- */

struct changes {
    size_t count;
    struct row_change last;
};

static void note_change(void *ctx, vtime now, const struct row_change *change) {
    struct changes *changes = ctx;
    (void)now;
    changes->count++;
    changes->last = *change;
}

/* D2: the observer hears of applied writes to what readers see, and of no others. */
static void observer_hears_what_readers_see(void **state) {
    (void)state;
    struct changes changes = {0};
    struct fake_vector_db_options options = {
        .observer = {.row_changed = note_change, .ctx = &changes}};
    struct fake_vector_db *db = new_db(&options);
    struct vector_port port = fake_vector_db_port(db);
    assert_int_equal(put(db, at(0), write_of(ROW_UPSERT, 1, 1, 0)), ITEM_APPLIED);
    assert_int_equal(put(db, at(0), write_of(ROW_UPSERT, 1, 1, 0)), ITEM_CONFLICT);
    assert_int_equal(changes.count, 1);
    assert_int_equal(changes.last.store, STORE_VECTOR_TEXT);
    assert_false(changes.last.before.present);
    assert_true(changes.last.after.present);
    assert_int_equal(put(db, at(1), write_of(ROW_DELETE, 1, 4, 0)), ITEM_APPLIED);
    assert_int_equal(changes.count, 2);
    assert_int_equal(changes.last.kind, ROW_DELETE);
    assert_int_equal(changes.last.before.version, 1);
    assert_false(changes.last.after.present);
    assert_int_equal(changes.last.after.version, 4);

    enum item_status status;
    struct vector_write shadow = write_of(ROW_UPSERT, 1, 1, 0);
    assert_int_equal(fake_vector_db_create_collection(db, TEXT, 2), 0);
    assert_int_equal(port.ops->write(port.ctx, at(2), TEXT, 2, &shadow, 1, &status), 0);
    assert_int_equal(status, ITEM_APPLIED);
    assert_int_equal(changes.count, 2);
    fake_vector_db_free(db);
}

struct history {
    char text[400];
};

static int note_version(void *ctx, const struct row_version *v) {
    struct history *history = ctx;
    size_t used = strlen(history->text);
    long long from = (v->from.ns - start.ns) / VTIME_SECOND;
    long long to = v->to.ns == VTIME_NEVER.ns ? -1 : (v->to.ns - start.ns) / VTIME_SECOND;
    assert_int_equal(v->count, 14);
    (void)snprintf(history->text + used, sizeof(history->text) - used,
                   "%llu.%u %lld..%lld kind %d v%d %.*s; ", (unsigned long long)v->key.key,
                   v->key.copy, from, to, (int)v->cells[1].integer, (int)v->cells[2].integer,
                   (int)v->cells[7].text.len, v->cells[7].text.data);
    return 0;
}

/* A11: what a row was at every moment can be told when the run is over. */
static void journal_tells_the_past(void **state) {
    (void)state;
    struct fake_vector_db *db = new_db(&(struct fake_vector_db_options){.journal = true});
    struct history history = {""};
    assert_int_equal(put(db, at(1), write_of(ROW_UPSERT, 7, 1, 0)), ITEM_APPLIED);
    struct vector_write w = write_of(ROW_METADATA, 7, 2, 0);
    w.meta.category = bytes_of("toys");
    assert_int_equal(put(db, at(2), w), ITEM_APPLIED);
    assert_int_equal(fake_vector_db_duplicate_row(db, at(3), TEXT, 1, 7), 0);
    assert_int_equal(put(db, at(4), write_of(ROW_DELETE, 7, 3, 0)), ITEM_APPLIED);
    assert_int_equal(put(db, at(5), write_of(ROW_UPSERT, 7, 4, 0)), ITEM_APPLIED);
    assert_int_equal(fake_vector_db_duplicate_row(db, at(6), TEXT, 1, 7), 0);
    assert_int_equal(fake_vector_db_lose_row(db, at(7), TEXT, 1, 7, 1U << SCAN_BY_ID), 0);
    assert_int_equal(put(db, at(8), write_of(ROW_UPSERT, 7, 5, 0)), ITEM_APPLIED);
    assert_int_equal(
        row_journal_each(fake_vector_db_collection(db, 0).journal, note_version, &history), 0);
    assert_string_equal(history.text, "7.0 1..2 kind 0 v1 shoes; 7.0 2..4 kind 1 v2 toys; "
                                      "7.0 5..-1 kind 0 v4 shoes; 7.1 3..4 kind 0 v2 toys; "
                                      "7.1 6..-1 kind 0 v4 shoes; 7.2 8..-1 kind 0 v5 shoes; ");
    fake_vector_db_free(db);
}

/* ---- faults ---- */

static void expect_paths(struct fake_vector_db *db, size_t by_scan, size_t by_id,
                         size_t by_search) {
    struct scan_row rows[16];
    struct vector_port port = fake_vector_db_port(db);
    const size_t expected[SCAN_PATH_COUNT] = {by_scan, by_id, by_search};
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        size_t count = 0;
        assert_int_equal(
            port.ops->scan(port.ctx, start, TEXT, 1, (enum scan_path)path, 1, 9, rows, 16, &count),
            0);
        assert_int_equal(count, expected[path]);
    }
}

/* A row lost from one structure is missed by that path alone, and an upsert puts it back. */
static void paths_can_disagree(void **state) {
    (void)state;
    struct fake_vector_db *db = new_db(&(struct fake_vector_db_options){0});
    struct search_hit hits[4];
    assert_int_equal(put(db, at(0), write_of(ROW_UPSERT, 1, 5, 0)), ITEM_APPLIED);
    assert_int_equal(put(db, at(0), write_of(ROW_UPSERT, 2, 5, 1)), ITEM_APPLIED);
    struct vector_write repair = write_of(ROW_UPSERT, 1, 5, 0);
    repair.rule = VERSION_GREATER_OR_EQUAL;

    assert_int_equal(fake_vector_db_lose_row(db, at(1), TEXT, 1, 1, 1U << SCAN_BY_SCAN), 0);
    expect_paths(db, 1, 2, 2);
    assert_int_equal(put(db, at(2), repair), ITEM_APPLIED);
    expect_paths(db, 2, 2, 2);

    assert_int_equal(fake_vector_db_lose_row(db, at(3), TEXT, 1, 1, 1U << SCAN_BY_SEARCH), 0);
    expect_paths(db, 2, 2, 1);
    assert_int_equal(search(db, pool[0], 4, 0, true, 0, hits), 1);
    assert_int_equal(put(db, at(4), write_of(ROW_METADATA, 1, 6, 0)), ITEM_APPLIED);
    expect_paths(db, 2, 2, 1);
    repair.meta.version = 6;
    assert_int_equal(put(db, at(4), repair), ITEM_APPLIED);
    expect_paths(db, 2, 2, 2);
    fake_vector_db_check(db);

    /* Lost by id: a delete does not reach it, the next write puts a second row beside it. */
    assert_int_equal(fake_vector_db_lose_row(db, at(5), TEXT, 1, 1, 1U << SCAN_BY_ID), 0);
    expect_paths(db, 2, 1, 2);
    assert_int_equal(fake_vector_db_lose_row(db, at(5), TEXT, 1, 1, 1), PORT_NOT_FOUND);
    assert_int_equal(put(db, at(6), write_of(ROW_DELETE, 1, 7, 0)), ITEM_APPLIED);
    assert_int_equal(search(db, pool[0], 1, 0, true, 0, hits), 1);
    assert_int_equal(hits[0].listing_id, 1);
    assert_int_equal(put(db, at(7), write_of(ROW_DELETE, 1, 8, 0)), ITEM_APPLIED);
    expect_paths(db, 1, 1, 1);

    assert_int_equal(fake_vector_db_lose_row(db, at(8), TEXT, 1, 2, 7), 0);
    expect_paths(db, 0, 0, 0);
    assert_int_equal(fake_vector_db_row(db, TEXT, 1, 2).version, DOC_VERSION_NONE);
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

/* A lost id and a write after it make two rows of one key; the next upsert leaves one. */
static void duplicates_come_and_go(void **state) {
    (void)state;
    struct fake_vector_db *db = new_db(&(struct fake_vector_db_options){0});
    struct search_hit hits[4];
    assert_int_equal(put(db, at(0), write_of(ROW_UPSERT, 1, 5, 0)), ITEM_APPLIED);
    assert_int_equal(fake_vector_db_lose_row(db, at(1), TEXT, 1, 1, 1U << SCAN_BY_ID), 0);
    assert_int_equal(put(db, at(2), write_of(ROW_UPSERT, 1, 6, 0)), ITEM_APPLIED);
    expect_paths(db, 2, 1, 2);
    assert_int_equal(fake_vector_db_duplicate_row(db, at(3), TEXT, 1, 1), 0);
    expect_paths(db, 3, 1, 3);
    assert_int_equal(search(db, pool[0], 4, 0, true, 0, hits), 3);
    assert_int_equal(put(db, at(4), write_of(ROW_METADATA, 1, 7, 0)), ITEM_APPLIED);
    expect_paths(db, 3, 1, 3);
    assert_int_equal(put(db, at(5), write_of(ROW_UPSERT, 1, 8, 2)), ITEM_APPLIED);
    expect_paths(db, 1, 1, 1);
    assert_int_equal(fake_vector_db_collection(db, 0).rows, 1);
    fake_vector_db_check(db);
    assert_int_equal(fake_vector_db_duplicate_row(db, at(6), TEXT, 1, 2), PORT_NOT_FOUND);
    fake_vector_db_free(db);
}

/* A planted row ignores versions; a corrupted one differs where asked; nobody is told. */
static void rows_can_be_planted_and_corrupted(void **state) {
    (void)state;
    struct changes changes = {0};
    struct fake_vector_db_options options = {
        .observer = {.row_changed = note_change, .ctx = &changes}};
    struct fake_vector_db *db = new_db(&options);
    struct vector_row_view view;
    struct vector_write w = write_of(ROW_UPSERT, 1, 3, 0);
    assert_int_equal(put(db, at(0), write_of(ROW_DELETE, 1, 9, 0)), ITEM_APPLIED);
    assert_int_equal(fake_vector_db_put_row(db, at(1), TEXT, 1, &w), 0);
    expect_paths(db, 1, 1, 1);
    assert_int_equal(fake_vector_db_row(db, TEXT, 1, 1).version, 3);

    assert_int_equal(fake_vector_db_corrupt_row(db, at(2), TEXT, 1, 1, VECTOR_CORRUPT_HASHES), 0);
    assert_int_equal(fake_vector_db_row(db, TEXT, 1, 1).whole_hash, ~w.meta.whole_hash);
    assert_int_equal(fake_vector_db_corrupt_row(db, at(2), TEXT, 1, 1, VECTOR_CORRUPT_MODEL), 0);
    assert_int_equal(fake_vector_db_row(db, TEXT, 1, 1).model_version, 2);
    assert_int_equal(fake_vector_db_corrupt_row(db, at(2), TEXT, 1, 1, VECTOR_CORRUPT_POLICY), 0);
    assert_int_equal(fake_vector_db_corrupt_row(db, at(2), TEXT, 1, 1, VECTOR_CORRUPT_VECTOR), 0);
    assert_true(fake_vector_db_find(db, TEXT, 1, 1, &view));
    assert_int_equal(view.meta.policy, POLICY_SUPPRESSED);
    assert_true(vector_dot(view.vector, pool[0], TEXT_DIMENSION) < -0.9F);
    assert_int_equal(view.changed_at.ns, at(1).ns);
    assert_int_equal(changes.count, 1);
    assert_int_equal(fake_vector_db_corrupt_row(db, at(2), TEXT, 1, 2, VECTOR_CORRUPT_MODEL),
                     PORT_NOT_FOUND);
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

/* A scan hands out as many rows as there is room, and goes on from the next id. */
static void scans_page(void **state) {
    (void)state;
    struct fake_vector_db *db = new_db(&(struct fake_vector_db_options){0});
    struct vector_port port = fake_vector_db_port(db);
    for (uint64_t i = 0; i < 50; i++) {
        uint64_t id = 1 + i * 37 % 50;
        assert_int_equal(put(db, at(0), write_of(ROW_UPSERT, id * 10, 1, i)), ITEM_APPLIED);
    }
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        struct scan_row rows[7];
        uint64_t next = 15;
        size_t seen = 0;
        for (size_t count = 7; count == 7; seen += count) {
            assert_int_equal(port.ops->scan(port.ctx, start, TEXT, 1, (enum scan_path)path, next,
                                            490, rows, 7, &count),
                             0);
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(rows[i].listing_id, (seen + i + 2) * 10);
                next = rows[i].listing_id + 1;
            }
        }
        assert_int_equal(seen, 48);
    }
    fake_vector_db_free(db);
}

/* With its last live row a graph drops the others, and then masks nothing that an erasure would
 * have to wait for (A12). */
static void an_empty_graph_masks_nothing(void **state) {
    (void)state;
    struct fake_vector_db_options options = {0};
    options.index[TEXT] = (struct vector_index_options){.on = true, .seal_rows_min = 4};
    struct fake_vector_db *db = new_db(&options);
    for (uint64_t id = 1; id <= 12; id++) {
        put(db, at(0), write_of(ROW_UPSERT, id, 10, id));
    }
    struct search_hit hits[ROOM];
    search(db, pool[1], 3, 32, false, 0, hits); /* seals */
    for (uint64_t id = 1; id < 12; id++) {
        put(db, at(1), write_of(ROW_DELETE, id, 20, 0));
    }
    assert_int_equal(fake_vector_db_held(db, 1, 20), 1);
    put(db, at(2), write_of(ROW_DELETE, 12, 20, 0));
    for (uint64_t id = 1; id <= 12; id++) {
        assert_int_equal(fake_vector_db_held(db, id, 20), 0);
    }
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

/* An erasure takes rows below its position from every collection, and the vectors that a graph
 * masks; what a new life wrote stays (A12). */
static void erasure_reaches_every_collection(void **state) {
    (void)state;
    struct fake_vector_db_options options = {0};
    options.index[TEXT] = (struct vector_index_options){.on = true, .seal_rows_min = 4};
    struct fake_vector_db *db = new_db(&options);
    struct vector_port port = fake_vector_db_port(db);
    assert_int_equal(fake_vector_db_create_collection(db, TEXT, 2), 0);
    for (uint64_t id = 1; id <= 12; id++) {
        put(db, at(0), write_of(ROW_UPSERT, id, 10, id));
    }
    struct vector_write other = write_of(ROW_UPSERT, 1, 10, 1);
    enum item_status status;
    assert_int_equal(port.ops->write(port.ctx, at(0), TEXT, 2, &other, 1, &status), 0);
    struct search_hit hits[ROOM];
    search(db, pool[1], 3, 32, false, 0, hits); /* seals */
    put(db, at(1), write_of(ROW_DELETE, 1, 20, 0));
    assert_int_equal(fake_vector_db_held(db, 1, 20), 2); /* masked here, there in the other */
    struct erasure_subject subject = {1, STAMP_NONE, 20};
    struct erasure_look looks[ERASURE_PLACE_COUNT] = {{0}};
    assert_int_equal(port.ops->erase(port.ctx, at(2), 1, &subject, 1, looks), 0);
    assert_int_equal(looks[ERASED_IN_VECTORS].found, 1);
    assert_int_equal(looks[ERASED_IN_VECTORS].examined, 1);
    assert_int_equal(fake_vector_db_held(db, 1, 20), 1);
    assert_int_equal(port.ops->erase(port.ctx, at(3), 0, &subject, 1, looks), 0);
    assert_int_equal(fake_vector_db_held(db, 1, 20), 0);
    put(db, at(4), write_of(ROW_UPSERT, 1, 30, 2));
    put(db, at(5), write_of(ROW_UPSERT, 1, 31, 3));
    assert_int_equal(fake_vector_db_held(db, 1, 20), 0);
    assert_true(fake_vector_db_row(db, TEXT, 1, 1).present);
    fake_vector_db_check(db);
    fake_vector_db_free(db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(erasure_reaches_every_collection),
        cmocka_unit_test(an_empty_graph_masks_nothing),
        cmocka_unit_test(agrees_with_the_model),
        cmocka_unit_test(tombstones_hold),
        cmocka_unit_test(bad_vectors_are_refused),
        cmocka_unit_test(batches_and_limits),
        cmocka_unit_test(metadata_spares_the_graph),
        cmocka_unit_test(recall_is_good),
        cmocka_unit_test(masked_rows_go),
        cmocka_unit_test(two_instances_agree),
        cmocka_unit_test(results_are_pinned),
        cmocka_unit_test(aliases_switch_atomically),
        cmocka_unit_test(dropping_a_collection),
        cmocka_unit_test(switching_by_the_port),
        cmocka_unit_test(targets_by_the_port),
        cmocka_unit_test(shadow_collections_by_the_port),
        cmocka_unit_test(observer_hears_what_readers_see),
        cmocka_unit_test(journal_tells_the_past),
        cmocka_unit_test(paths_can_disagree),
        cmocka_unit_test(duplicates_come_and_go),
        cmocka_unit_test(rows_can_be_planted_and_corrupted),
        cmocka_unit_test(scans_page),
    };
    return cmocka_run_group_tests(tests, make_pool, 0);
}
