/*
 * Approximate and exact vector search (D3, D8, A7, A8): recall floors against exact search under
 * deletes, filters and updates; the invariants after every operation; the same graph and results
 * from every instruction set; known answers.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/memory.h"
#include "sim/hnsw.h"
#include "sim/prng.h"
#include "sim/vector_clusters.h"
#include "sim/vector_rows.h"
#include "sim/vector_search.h"

#define K 10

/* --- the allocator, which can be made to fail --- */

static int64_t allocations_left = INT64_MAX;

void *memory_resize(void *old, size_t size) {
    if (allocations_left-- <= 0) {
        return NULL;
    }
    return realloc(old, size);
}

/* --- a set of vectors, and the plain model of what is in the index --- */

struct set {
    struct vector_rows rows;
    struct vector_rows queries;
    bool *gone;
    size_t count;
    size_t query_count;
    enum vector_metric metric;
};

static void draw_rows(struct vector_clusters *c, struct vector_rows *rows, size_t dim, size_t count,
                      enum vector_metric metric) {
    vector_rows_init(rows, dim);
    assert_int_equal(vector_rows_reserve(rows, count), 0);
    for (size_t i = 0; i < count; i++) {
        float *row = vector_rows_at(rows, i);
        vector_clusters_draw(c, row);
        if (metric == VECTOR_COSINE) {
            vector_normalise(row, dim, row);
        }
    }
}

static struct set *set_new(enum vector_metric metric, size_t dim, size_t count, uint64_t seed) {
    struct set *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->metric = metric;
    s->count = count;
    s->query_count = 50;
    s->gone = calloc(count, sizeof *s->gone);
    assert_non_null(s->gone);
    struct vector_clusters c;
    struct vector_clusters_options options = {.seed = seed, .dim = dim, .clusters = 50};
    assert_int_equal(vector_clusters_init(&c, &options), 0);
    draw_rows(&c, &s->rows, dim, count, metric);
    draw_rows(&c, &s->queries, dim, s->query_count, metric);
    vector_clusters_release(&c);
    return s;
}

static void set_free(struct set *s) {
    vector_rows_release(&s->rows);
    vector_rows_release(&s->queries);
    free(s->gone);
    free(s);
}

static struct hnsw *index_new(const struct hnsw_options *options) {
    struct hnsw *h;
    assert_int_equal(hnsw_new(options, &h), 0);
    return h;
}

static struct hnsw_options options_of(const struct set *s) {
    return (struct hnsw_options){.metric = s->metric,
                                 .dim = (uint32_t)s->rows.dim,
                                 .m = 12,
                                 .ef_construction = 80,
                                 .seed = 1};
}

static void put_all(struct hnsw *h, const struct set *s) {
    for (size_t i = 0; i < s->count; i++) {
        assert_int_equal(hnsw_put(h, (uint32_t)i, vector_rows_at(&s->rows, i)), 0);
    }
}

static struct hnsw *index_of(const struct set *s) {
    struct hnsw_options options = options_of(s);
    struct hnsw *h = index_new(&options);
    put_all(h, s);
    return h;
}

static void assert_good(struct hnsw *h) {
    struct hnsw_findings findings;
    if (!hnsw_check(h, &findings)) {
        fail_msg("%s", findings.broken);
    }
    assert_int_equal(findings.unreachable, 0);
}

/* A filter that lets one id in `one_in` pass, and none that is gone. */
struct filter {
    const struct set *set;
    uint32_t one_in;
};

static bool passes(void *ctx, uint32_t id) {
    const struct filter *f = ctx;
    return id % f->one_in == 0 && !f->set->gone[id];
}

static bool passes_index(void *ctx, uint32_t id) {
    const struct filter *f = ctx;
    return id % f->one_in == 0;
}

/* recall@10 in per mille over all queries; each query must give as many hits as exact search. */
static size_t recall_permille(struct hnsw *h, const struct set *s, size_t ef, uint32_t one_in) {
    struct filter filter = {s, one_in};
    size_t shared = 0;
    size_t wanted = 0;
    for (size_t q = 0; q < s->query_count; q++) {
        struct vector_hit truth[K];
        struct vector_hit found[K];
        const float *query = vector_rows_at(&s->queries, q);
        int64_t expected = vector_search_exact(s->metric, &s->rows, NULL, s->count, query, K,
                                               passes, &filter, truth);
        int64_t count = hnsw_search(h, query, K, ef, passes_index, &filter, found);
        assert_true(expected >= 0);
        assert_int_equal(count, expected);
        for (int64_t i = 0; i < count; i++) {
            assert_true(passes(&filter, found[i].id));
            assert_true(i == 0 || vector_rank(found[i - 1].distance, found[i - 1].id) <
                                      vector_rank(found[i].distance, found[i].id));
        }
        shared += vector_hits_shared(found, (size_t)count, truth, (size_t)expected);
        wanted += (size_t)expected;
    }
    return shared * 1000 / wanted;
}

/* --- exact search --- */

/* Exact search gives what sorting all (distance, id) gives, ties and filters included. */
static void exact_search_is_a_sort(void **state) {
    (void)state;
    struct prng p;
    struct vector_rows rows;
    prng_init(&p, 1, "exact");
    vector_rows_init(&rows, 3);
    assert_int_equal(vector_rows_reserve(&rows, 200), 0);
    for (int round = 0; round < 300; round++) {
        size_t count = (size_t)prng_below(&p, 200);
        size_t k = (size_t)prng_below(&p, 30);
        uint32_t ids[200];
        for (size_t i = 0; i < count; i++) {
            ids[i] = (uint32_t)(i * 7919 % 1000);
            for (size_t d = 0; d < 3; d++) {
                vector_rows_at(&rows, i)[d] = (float)prng_below(&p, 3);
            }
        }
        struct set none = {.gone = (bool[1000]){false}};
        struct filter filter = {&none, 1 + (uint32_t)prng_below(&p, 3)};
        float query[3] = {1, 1, 0};
        uint64_t expected[200];
        size_t left = 0;
        for (size_t i = 0; i < count; i++) {
            if (passes(&filter, ids[i])) {
                uint64_t rank =
                    vector_rank(vector_l2_squared(query, vector_rows_at(&rows, i), 3), ids[i]);
                size_t hole = left++;
                for (; hole > 0 && expected[hole - 1] > rank; hole--) {
                    expected[hole] = expected[hole - 1];
                }
                expected[hole] = rank;
            }
        }
        struct vector_hit hits[30];
        int64_t found =
            vector_search_exact(VECTOR_L2, &rows, ids, count, query, k, passes, &filter, hits);
        assert_int_equal(found, left < k ? left : k);
        for (int64_t i = 0; i < found; i++) {
            assert_true(vector_rank(hits[i].distance, hits[i].id) == expected[i]);
        }
    }
    vector_rows_release(&rows);
}

/* --- recall --- */

/* On clustered vectors nearly all of the ten nearest are found, with both metrics (D8). */
static void recall_has_a_floor(void **state) {
    (void)state;
    for (unsigned metric = 0; metric < VECTOR_METRIC_COUNT; metric++) {
        struct set *s = set_new((enum vector_metric)metric, 96, 2500, 1);
        struct hnsw *h = index_of(s);
        assert_good(h);
        assert_true(recall_permille(h, s, 20, 1) >= 950);
        assert_true(recall_permille(h, s, 80, 1) >= 995);
        hnsw_free(h);
        set_free(s);
    }
}

/* More candidates find no less, and cost more. */
static void ef_trades_cost_for_recall(void **state) {
    (void)state;
    struct set *s = set_new(VECTOR_L2, 64, 3000, 2);
    struct hnsw *h = index_of(s);
    assert_true(recall_permille(h, s, 10, 1) < recall_permille(h, s, 100, 1));
    struct vector_hit hits[K];
    hnsw_search(h, vector_rows_at(&s->queries, 0), K, 10, NULL, NULL, hits);
    struct hnsw_cost cheap = hnsw_last_cost(h);
    hnsw_search(h, vector_rows_at(&s->queries, 0), K, 100, NULL, NULL, hits);
    assert_true(hnsw_last_cost(h).distances > cheap.distances);
    assert_true(cheap.hops > 0 && cheap.distances < s->count / 2);
    hnsw_free(h);
    set_free(s);
}

/* A filter of 50, 10 or 1 in a hundred costs no recall and always gives ten hits (A7). */
static void filters_work_inside_the_traversal(void **state) {
    (void)state;
    struct set *s = set_new(VECTOR_COSINE, 96, 2500, 3);
    struct hnsw *h = index_of(s);
    assert_true(recall_permille(h, s, 40, 2) >= 980);
    assert_true(recall_permille(h, s, 40, 10) >= 980);
    assert_true(recall_permille(h, s, 40, 100) >= 980);
    assert_true(recall_permille(h, s, 40, 2499) >= 980);
    hnsw_free(h);
    set_free(s);
}

static void remove_share(struct hnsw *h, struct set *s, uint64_t num, uint64_t den) {
    struct prng p;
    prng_init(&p, 4, "removals");
    for (uint32_t id = 0; id < s->count; id++) {
        if (prng_ratio(&p, num, den)) {
            assert_true(hnsw_remove(h, id));
            s->gone[id] = true;
        }
    }
}

/* Half of the rows removed: the recall of the rest stands, whether dead rows go or stay (D8). */
static void recall_survives_deletes(void **state) {
    (void)state;
    for (uint32_t dead_percent_max = 20; dead_percent_max <= 100; dead_percent_max += 80) {
        struct set *s = set_new(VECTOR_L2, 96, 2500, 5);
        struct hnsw_options options = options_of(s);
        options.dead_percent_max = dead_percent_max;
        struct hnsw *h = index_new(&options);
        put_all(h, s);
        remove_share(h, s, 1, 2);
        assert_int_equal(hnsw_compactions(h) > 0, dead_percent_max < 100);
        assert_true(recall_permille(h, s, 20, 1) >= 950);
        assert_true(recall_permille(h, s, 40, 10) >= 980);
        hnsw_compact(h);
        assert_int_equal(hnsw_dead_count(h), 0);
        assert_good(h);
        assert_true(recall_permille(h, s, 20, 1) >= 950);
        hnsw_free(h);
        set_free(s);
    }
}

/* The hundred nearest are dead and not collected: they do not use up ef = 10. */
static void dead_rows_do_not_use_up_ef(void **state) {
    (void)state;
    struct set *s = set_new(VECTOR_L2, 32, 1000, 6);
    struct hnsw_options options = options_of(s);
    options.dead_percent_max = 100;
    struct hnsw *h = index_new(&options);
    put_all(h, s);
    struct vector_hit nearest[100];
    const float *query = vector_rows_at(&s->queries, 0);
    assert_int_equal(
        vector_search_exact(VECTOR_L2, &s->rows, NULL, s->count, query, 100, NULL, NULL, nearest),
        100);
    for (size_t i = 0; i < 100; i++) {
        assert_true(hnsw_remove(h, nearest[i].id));
        s->gone[nearest[i].id] = true;
    }
    assert_int_equal(hnsw_dead_count(h), 100);
    assert_true(recall_permille(h, s, 10, 1) >= 900);
    hnsw_free(h);
    set_free(s);
}

/* Whole clusters go, whose rows were each other's only neighbours: the rest stays in reach. */
static void the_rest_stays_connected(void **state) {
    (void)state;
    struct set *s = set_new(VECTOR_L2, 48, 2600, 7);
    struct hnsw *h = index_of(s);
    float pivot[48];
    for (int round = 0; round < 8; round++) {
        memcpy(pivot, vector_rows_at(&s->queries, (size_t)round), sizeof pivot);
        struct vector_hit near[300];
        struct filter alive = {s, 1};
        int64_t count = vector_search_exact(VECTOR_L2, &s->rows, NULL, s->count, pivot, 300, passes,
                                            &alive, near);
        for (int64_t i = 0; i < count; i++) {
            assert_true(hnsw_remove(h, near[i].id));
            s->gone[near[i].id] = true;
        }
        hnsw_compact(h);
        assert_good(h);
    }
    assert_true(recall_permille(h, s, 40, 1) >= 980);
    hnsw_free(h);
    set_free(s);
}

/* Every row moves, some often: the index holds the last vector of each id and no other (A9). */
static void updates_replace(void **state) {
    (void)state;
    struct set *s = set_new(VECTOR_COSINE, 64, 2000, 8);
    struct set *before = set_new(VECTOR_COSINE, 64, 2000, 9);
    struct hnsw *h = index_of(before);
    put_all(h, s);
    assert_int_equal(hnsw_live_count(h), 2000);
    assert_good(h);
    assert_true(recall_permille(h, s, 40, 1) >= 980);
    for (uint32_t id = 0; id < 2000; id += 50) {
        struct vector_hit hit;
        const float *row = vector_rows_at(&s->rows, id);
        assert_int_equal(hnsw_search(h, row, 1, 40, NULL, NULL, &hit), 1);
        assert_int_equal(hit.id, id);
    }
    uint64_t digest = hnsw_digest(h);
    put_all(h, s);
    assert_true(hnsw_digest(h) == digest);
    hnsw_free(h);
    set_free(before);
    set_free(s);
}

/* A row that goes and comes back with the vector that it had stands beside what is left of it, with
 * one id and one distance: nothing is cut off for that (A9). */
static void rows_come_back_as_they_were(void **state) {
    (void)state;
    struct set *s = set_new(VECTOR_COSINE, 32, 300, 11);
    struct hnsw_options options = options_of(s);
    options.dead_percent_max = 100;
    struct hnsw *h = index_new(&options);
    put_all(h, s);
    for (uint32_t turn = 0; turn < 6; turn++) {
        for (uint32_t id = turn % 2; id < 300; id += 1 + turn % 3) {
            assert_true(hnsw_remove(h, id));
        }
        put_all(h, s);
        assert_int_equal(hnsw_live_count(h), 300);
        assert_good(h);
    }
    hnsw_compact(h);
    assert_good(h);
    assert_true(recall_permille(h, s, 40, 1) >= 980);
    hnsw_free(h);
    set_free(s);
}

/* A thousand equal vectors do not shut themselves in, and ties come by id. */
static void duplicates_stay_in_reach(void **state) {
    (void)state;
    struct set *s = set_new(VECTOR_L2, 32, 2000, 10);
    for (size_t i = 500; i < 1500; i++) {
        memcpy(vector_rows_at(&s->rows, i), vector_rows_at(&s->rows, 500), 32 * sizeof(float));
    }
    struct hnsw *h = index_of(s);
    assert_good(h);
    assert_true(recall_permille(h, s, 40, 1) >= 950);
    struct vector_hit hits[1200];
    int64_t count = hnsw_search(h, vector_rows_at(&s->rows, 500), 1000, 1200, NULL, NULL, hits);
    assert_int_equal(count, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(hits[i].distance == 0);
        assert_int_equal(hits[i].id, 500 + i);
    }
    hnsw_free(h);
    set_free(s);
}

/* --- determinism --- */

struct outcome {
    uint64_t digest;
    struct vector_hit hits[100][K];
};

/* Builds, updates, removes, compacts and searches. */
static void play(const struct set *s, struct outcome *out) {
    struct hnsw *h = index_of(s);
    for (uint32_t id = 0; id < s->count; id += 3) {
        assert_int_equal(hnsw_put(h, id, vector_rows_at(&s->rows, (id + 7) % s->count)), 0);
    }
    for (uint32_t id = 0; id < s->count; id += 4) {
        assert_true(hnsw_remove(h, id));
    }
    out->digest = hnsw_digest(h);
    for (size_t q = 0; q < s->query_count; q++) {
        assert_int_equal(
            hnsw_search(h, vector_rows_at(&s->queries, q), K, 30, NULL, NULL, out->hits[q]), K);
    }
    assert_true(hnsw_digest(h) == out->digest);
    hnsw_free(h);
}

/* Graph and results are the same bits from plain C, AVX2 and AVX-512, and a second time (D3). */
static void every_instruction_set_builds_the_same_graph(void **state) {
    (void)state;
    static const char *const variants[] = {"plain", "avx2", "avx512", "plain"};
    static const size_t dims[] = {768, 100};
    for (size_t d = 0; d < 2; d++) {
        for (unsigned metric = 0; metric < VECTOR_METRIC_COUNT; metric++) {
            struct set *s = set_new((enum vector_metric)metric, dims[d], 180, 11);
            struct outcome *first = calloc(1, sizeof *first);
            struct outcome *other = calloc(1, sizeof *other);
            assert_true(first != NULL && other != NULL);
            play(s, first);
            for (size_t v = 0; v < 4; v++) {
                if (vector_math_select(variants[v])) {
                    play(s, other);
                    assert_true(other->digest == first->digest);
                    assert_memory_equal(other->hits, first->hits, sizeof first->hits);
                }
            }
            vector_math_select(NULL);
            free(first);
            free(other);
            set_free(s);
        }
    }
}

/* The graph of old: a change of algorithm, compiler or level that alters it is noticed (D3). */
static void digests_are_those_known(void **state) {
    (void)state;
    static const uint64_t known[VECTOR_METRIC_COUNT] = {UINT64_C(0xCEE214077978B7D0),
                                                        UINT64_C(0x9A684590C7FE7F5B)};
    for (unsigned metric = 0; metric < VECTOR_METRIC_COUNT; metric++) {
        struct set *s = set_new((enum vector_metric)metric, 100, 400, 12);
        struct outcome *out = calloc(1, sizeof *out);
        assert_non_null(out);
        play(s, out);
        if (out->digest != known[metric]) {
            fail_msg("metric %u: 0x%016llX", metric, (unsigned long long)out->digest);
        }
        free(out);
        set_free(s);
    }
}

/* Another seed draws other levels; how a row is padded or the room asked for does not show. */
static void only_what_should_changes_the_graph(void **state) {
    (void)state;
    struct set *s = set_new(VECTOR_L2, 30, 600, 13);
    struct hnsw_options options = options_of(s);
    struct hnsw *plain = index_of(s);
    options.rows_expected = 5000;
    struct hnsw *roomy = index_new(&options);
    put_all(roomy, s);
    options.seed = 2;
    struct hnsw *reseeded = index_new(&options);
    put_all(reseeded, s);
    assert_true(hnsw_digest(plain) == hnsw_digest(roomy));
    assert_true(hnsw_digest(plain) != hnsw_digest(reseeded));
    hnsw_free(plain);
    hnsw_free(roomy);
    hnsw_free(reseeded);
    set_free(s);
}

/* --- invariants --- */

#define IDS 120

/* Whether the index holds exactly what the model holds, by id and by search. */
static void compare_with_model(struct hnsw *h, const struct set *s, const int *held) {
    size_t live = 0;
    for (uint32_t id = 0; id < IDS; id++) {
        live += held[id] >= 0;
        assert_int_equal(hnsw_contains(h, id), held[id] >= 0);
        if (held[id] >= 0) {
            assert_memory_equal(hnsw_row(h, id), vector_rows_at(&s->rows, (size_t)held[id]),
                                s->rows.dim * sizeof(float));
        }
    }
    assert_int_equal(hnsw_live_count(h), live);
    struct vector_hit hits[IDS];
    bool seen[IDS] = {false};
    int64_t count = hnsw_search(h, vector_rows_at(&s->queries, 0), IDS, IDS, NULL, NULL, hits);
    assert_int_equal(count, live);
    for (int64_t i = 0; i < count; i++) {
        assert_true(held[hits[i].id] >= 0 && !seen[hits[i].id]);
        seen[hits[i].id] = true;
    }
}

/* Random puts, updates, removes and compactions, few links, every invariant after each. */
static void invariants_hold_after_every_operation(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct prng p;
        prng_init(&p, seed, "operations");
        struct set *s = set_new(VECTOR_L2, 8, 300, seed);
        struct hnsw_options options = {.dim = 8,
                                       .m = 2 + (uint32_t)prng_below(&p, 4),
                                       .ef_construction = 8 + (uint32_t)prng_below(&p, 20),
                                       .seed = seed,
                                       .dead_percent_max = prng_ratio(&p, 1, 3) ? 100 : 30};
        struct hnsw *h = index_new(&options);
        int held[IDS];
        for (size_t i = 0; i < IDS; i++) {
            held[i] = -1;
        }
        for (int step = 0; step < 600; step++) {
            uint32_t id = (uint32_t)prng_below(&p, IDS);
            bool emptying = step % 200 >= 150;
            if (prng_ratio(&p, emptying ? 9 : 3, 10)) {
                assert_int_equal(hnsw_remove(h, id), held[id] >= 0);
                held[id] = -1;
            } else {
                held[id] = (int)prng_below(&p, 300);
                assert_int_equal(hnsw_put(h, id, vector_rows_at(&s->rows, (size_t)held[id])), 0);
            }
            if (prng_ratio(&p, 1, 40)) {
                hnsw_compact(h);
            }
            struct hnsw_findings findings;
            if (!hnsw_check(h, &findings)) {
                fail_msg("seed %d, step %d: %s", (int)seed, step, findings.broken);
            }
            assert_int_equal(findings.unreachable, 0);
            compare_with_model(h, s, held);
        }
        hnsw_free(h);
        set_free(s);
    }
}

/* --- edges --- */

/* An index without rows, or without live ones, finds nothing and takes rows again. */
static void empty_is_a_state(void **state) {
    (void)state;
    struct hnsw_options options = {.dim = 2, .dead_percent_max = 100};
    struct hnsw *h = index_new(&options);
    float a[2] = {1, 2};
    struct vector_hit hits[8];
    for (int round = 0; round < 3; round++) {
        assert_int_equal(hnsw_search(h, a, 3, 10, NULL, NULL, hits), 0);
        assert_false(hnsw_remove(h, 0));
        hnsw_compact(h);
        for (uint32_t id = 0; id < 5; id++) {
            float row[2] = {(float)id, 2};
            assert_int_equal(hnsw_put(h, id, row), 0);
        }
        assert_int_equal(hnsw_search(h, a, 0, 10, NULL, NULL, hits), 0);
        assert_int_equal(hnsw_search(h, a, 8, 1, NULL, NULL, hits), 5);
        assert_int_equal(hits[0].id, 1);
        assert_int_equal(hits[1].id, 0);
        assert_int_equal(hits[2].id, 2);
        assert_good(h);
        for (uint32_t id = 0; id < 5; id++) {
            assert_true(hnsw_remove(h, id));
        }
        assert_int_equal(hnsw_live_count(h), 0);
        assert_good(h);
    }
    hnsw_free(h);
    hnsw_free(NULL);
}

/* What cannot be searched is refused and changes nothing (C5). */
static void bad_vectors_are_refused(void **state) {
    (void)state;
    struct hnsw_options options = {.dim = 3, .metric = VECTOR_COSINE};
    struct hnsw *h = index_new(&options);
    float good[3] = {1, 0, 0};
    float zero[3] = {0, 0, 0};
    float bad[2][3] = {{1, NAN, 0}, {0, 0, -INFINITY}};
    struct vector_hit hits[2];
    assert_int_equal(hnsw_put(h, 1, good), 0);
    uint64_t digest = hnsw_digest(h);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(hnsw_put(h, 1, bad[i]), -EINVAL);
        assert_int_equal(hnsw_put(h, 2, bad[i]), -EINVAL);
        assert_int_equal(hnsw_search(h, bad[i], 1, 1, NULL, NULL, hits), -EINVAL);
    }
    assert_int_equal(hnsw_search(h, good, 1, HNSW_EF_MAX + 1, NULL, NULL, hits), -EINVAL);
    assert_true(hnsw_digest(h) == digest);
    assert_int_equal(hnsw_put(h, 2, zero), 0);
    assert_int_equal(hnsw_search(h, good, 2, 2, NULL, NULL, hits), 2);
    assert_true(hits[0].id == 1 && hits[0].distance == 0);
    assert_true(hits[1].id == 2 && hits[1].distance == 1);
    hnsw_free(h);
}

/* Options are held to their bounds; zero means the default. */
static void options_are_checked(void **state) {
    (void)state;
    static const struct hnsw_options wrong[] = {
        {.dim = 0},
        {.dim = HNSW_DIM_MAX + 1},
        {.dim = 4, .m = 1},
        {.dim = 4, .m = HNSW_M_MAX + 1},
        {.dim = 4, .ef_construction = HNSW_EF_MAX + 1},
        {.dim = 4, .dead_percent_max = 101},
        {.dim = 4, .metric = VECTOR_METRIC_COUNT},
    };
    struct hnsw *h;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(hnsw_new(&wrong[i], &h), -EINVAL);
    }
    struct hnsw_options largest = {.dim = HNSW_DIM_MAX, .m = HNSW_M_MAX};
    h = index_new(&largest);
    static float row[HNSW_DIM_MAX];
    for (uint32_t id = 0; id < 300; id++) {
        row[id] = 1;
        assert_int_equal(hnsw_put(h, id, row), 0);
    }
    assert_good(h);
    assert_true(hnsw_memory_bytes(h) > 300 * sizeof row);
    hnsw_free(h);
}

/* A put that found no memory has changed nothing and can be made again; so can a search. */
static void memory_running_out_changes_nothing(void **state) {
    (void)state;
    struct set *s = set_new(VECTOR_L2, 8, 400, 14);
    struct hnsw_options options = {.dim = 8, .m = 2, .ef_construction = 10, .seed = 3};
    struct hnsw *h;
    for (int64_t fail_at = 0; fail_at < 3; fail_at++) {
        allocations_left = fail_at;
        assert_int_equal(hnsw_new(&options, &h), -ENOMEM);
    }
    allocations_left = INT64_MAX;
    h = index_new(&options);
    struct hnsw *untroubled = index_new(&options);
    struct vector_hit hits[300];
    size_t refused = 0;
    for (uint32_t i = 0; i < 400; i++) {
        const float *row = vector_rows_at(&s->rows, i);
        for (int64_t fail_at = 0;; fail_at++) {
            uint64_t digest = hnsw_digest(h);
            allocations_left = fail_at;
            int rc = hnsw_put(h, i % 150, row);
            allocations_left = INT64_MAX;
            if (rc == 0) {
                break;
            }
            refused++;
            assert_int_equal(rc, -ENOMEM);
            assert_true(hnsw_digest(h) == digest);
            assert_int_equal(hnsw_contains(h, i % 150), i >= 150);
        }
        assert_int_equal(hnsw_put(untroubled, i % 150, row), 0);
    }
    assert_true(refused > 20);
    assert_true(hnsw_digest(h) == hnsw_digest(untroubled));
    assert_good(h);
    allocations_left = 0;
    assert_int_equal(hnsw_search(h, vector_rows_at(&s->rows, 0), 300, 300, NULL, NULL, hits),
                     -ENOMEM);
    assert_int_equal(vector_search_exact(VECTOR_L2, &s->rows, NULL, 9, vector_rows_at(&s->rows, 0),
                                         3, NULL, NULL, hits),
                     -ENOMEM);
    allocations_left = INT64_MAX;
    assert_int_equal(hnsw_search(h, vector_rows_at(&s->rows, 0), 300, 300, NULL, NULL, hits), 150);
    hnsw_free(h);
    hnsw_free(untroubled);
    set_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_search_is_a_sort),
        cmocka_unit_test(recall_has_a_floor),
        cmocka_unit_test(ef_trades_cost_for_recall),
        cmocka_unit_test(filters_work_inside_the_traversal),
        cmocka_unit_test(recall_survives_deletes),
        cmocka_unit_test(dead_rows_do_not_use_up_ef),
        cmocka_unit_test(the_rest_stays_connected),
        cmocka_unit_test(updates_replace),
        cmocka_unit_test(rows_come_back_as_they_were),
        cmocka_unit_test(duplicates_stay_in_reach),
        cmocka_unit_test(every_instruction_set_builds_the_same_graph),
        cmocka_unit_test(digests_are_those_known),
        cmocka_unit_test(only_what_should_changes_the_graph),
        cmocka_unit_test(invariants_hold_after_every_operation),
        cmocka_unit_test(empty_is_a_state),
        cmocka_unit_test(bad_vectors_are_refused),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(memory_running_out_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
