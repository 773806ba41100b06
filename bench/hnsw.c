/*
 * Approximate search of 20,000 x 768 clustered vectors for 10 neighbours, M 16, efConstruction 200,
 * one thread (D8). The operating point is the least ef whose recall@10 is at least 0.95; against
 * hnswlib, whose own least ef of that recall is taken, ours is the least that reaches hnswlib's
 * recall too. So whoever is slower cannot say that the other one found less.
 *
 * Both are searched in turns with the same queries; rates are medians of the turns.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "sim/hnsw.h"
#include "sim/vector_clusters.h"
#include "sim/vector_search.h"
#ifdef MURPHY_HNSWLIB
#include "bench/hnswlib_peer.h"
#endif

enum {
    ROWS = 20000,
    DIM = 768,
    QUERIES = 1000,
    K = 10,
    M = 16,
    EF_CONSTRUCTION = 200,
    EF_MAX = 400,
    TURNS = 15,
    SEED = 1,
};
#define RECALL_MIN 0.95

/* One of the two indexes: searches into ids, and says how many it found or a negative number. */
struct contender {
    const char *name;
    void *index;
    int (*search)(void *index, const float *query, size_t ef, uint32_t *ids);
    double build_rate; /* vectors a second */
    size_t ef;
    double recall;
    double rates[TURNS]; /* queries a second */
};

struct material {
    struct vector_rows rows, queries;
    struct vector_hit *truth; /* K for each query */
};

static int die(const char *what) {
    fprintf(stderr, "murphy-bench: hnsw: %s\n", what);
    return 1;
}

static int draw(struct vector_clusters *clusters, struct vector_rows *rows, size_t count) {
    vector_rows_init(rows, DIM);
    if (vector_rows_reserve(rows, count) != 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        vector_clusters_draw(clusters, vector_rows_at(rows, i));
        vector_normalise(vector_rows_at(rows, i), DIM, vector_rows_at(rows, i));
    }
    return 0;
}

static int material_make(struct material *m) {
    const struct vector_clusters_options options = {
        .seed = SEED, .dim = DIM, .clusters = 200, .latent = 32, .spread = 1.0F};
    struct vector_clusters clusters;
    m->truth = malloc((size_t)QUERIES * K * sizeof *m->truth);
    if (m->truth == NULL || vector_clusters_init(&clusters, &options) != 0) {
        return -1;
    }
    int failed = draw(&clusters, &m->rows, ROWS) != 0 || draw(&clusters, &m->queries, QUERIES) != 0;
    vector_clusters_release(&clusters);
    for (size_t i = 0; i < QUERIES && !failed; i++) {
        failed =
            vector_search_exact(VECTOR_COSINE, &m->rows, NULL, ROWS, vector_rows_at(&m->queries, i),
                                K, NULL, NULL, m->truth + i * K) != K;
    }
    return failed ? -1 : 0;
}

static void material_release(struct material *m) {
    vector_rows_release(&m->rows);
    vector_rows_release(&m->queries);
    free(m->truth);
}

/* recall@10 of a pass over the queries; negative on failure. A hit is right when it is as near as
 * the farthest true one. */
static double recall_of(const struct contender *c, const struct material *m, size_t ef) {
    const struct vector_kernels *kernels = vector_math_kernels();
    size_t right = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        const float *query = vector_rows_at(&m->queries, i);
        uint32_t ids[K];
        int found = c->search(c->index, query, ef, ids);
        if (found < 0) {
            return -1;
        }
        for (int h = 0; h < found; h++) {
            float distance = vector_distance(kernels, VECTOR_COSINE, query,
                                             vector_rows_at(&m->rows, ids[h]), m->rows.stride);
            right += distance <= m->truth[i * K + K - 1].distance;
        }
    }
    return (double)right / (QUERIES * K);
}

/* The least ef that reaches the recall. 0 or -1. */
static int choose_ef(struct contender *c, const struct material *m, double recall) {
    for (c->ef = K; c->ef <= EF_MAX; c->ef++) {
        c->recall = recall_of(c, m, c->ef);
        if (c->recall < 0 || c->recall >= recall) {
            return c->recall < 0 ? -1 : 0;
        }
    }
    return -1;
}

static int take_turn(struct contender *c, const struct material *m, size_t turn) {
    uint32_t ids[K];
    double start = bench_cpu_seconds();
    for (size_t i = 0; i < QUERIES; i++) {
        if (c->search(c->index, vector_rows_at(&m->queries, i), c->ef, ids) < 0) {
            return -1;
        }
    }
    c->rates[turn] = QUERIES / (bench_cpu_seconds() - start);
    return 0;
}

/* ---- The two ---- */

static int ours_search(void *index, const float *query, size_t ef, uint32_t *ids) {
    struct vector_hit hits[K];
    int64_t found = hnsw_search(index, query, K, ef, NULL, NULL, hits);
    for (int64_t i = 0; i < found; i++) {
        ids[i] = hits[i].id;
    }
    return (int)found;
}

static int ours_build(struct contender *c, const struct material *m) {
    const struct hnsw_options options = {.metric = VECTOR_COSINE,
                                         .dim = DIM,
                                         .m = M,
                                         .ef_construction = EF_CONSTRUCTION,
                                         .seed = SEED,
                                         .rows_expected = ROWS};
    struct hnsw *index = NULL;
    *c = (struct contender){.name = "murphy", .search = ours_search};
    if (hnsw_new(&options, &index) != 0) {
        return -1;
    }
    c->index = index;
    double start = bench_cpu_seconds();
    for (uint32_t i = 0; i < ROWS; i++) {
        if (hnsw_put(index, i, vector_rows_at(&m->rows, i)) != 0) {
            return -1;
        }
    }
    c->build_rate = ROWS / (bench_cpu_seconds() - start);
    return 0;
}

#ifdef MURPHY_HNSWLIB
static int peer_search(void *index, const float *query, size_t ef, uint32_t *ids) {
    return hnswlib_peer_search(index, query, K, ef, ids);
}

static int peer_build(struct contender *c, const struct material *m) {
    *c = (struct contender){.name = "hnswlib", .search = peer_search};
    c->index = hnswlib_peer_new(DIM, ROWS, M, EF_CONSTRUCTION, SEED);
    if (c->index == NULL) {
        return -1;
    }
    double start = bench_cpu_seconds();
    for (uint32_t i = 0; i < ROWS; i++) {
        if (hnswlib_peer_put(c->index, i, vector_rows_at(&m->rows, i)) != 0) {
            return -1;
        }
    }
    c->build_rate = ROWS / (bench_cpu_seconds() - start);
    return 0;
}

static void peer_free(struct contender *c) {
    hnswlib_peer_free(c->index);
}
#else
static int peer_build(struct contender *c, const struct material *m) {
    (void)m;
    *c = (struct contender){.name = NULL};
    fprintf(stderr, "murphy-bench: hnswlib is not here (ci/install.sh bench installs it): "
                    "nothing to compare the search with\n");
    return 0;
}

static void peer_free(struct contender *c) {
    (void)c;
}
#endif

/* ---- The comparison ---- */

static int compete(struct contender *ours, struct contender *peer, const struct material *m) {
    bool alone = peer->name == NULL;
    if (!alone && choose_ef(peer, m, RECALL_MIN) != 0) {
        return die("hnswlib does not reach the recall");
    }
    double recall = !alone && peer->recall > RECALL_MIN ? peer->recall : RECALL_MIN;
    if (choose_ef(ours, m, recall) != 0) {
        return die("the graph does not reach the recall");
    }
    for (size_t turn = 0; turn < TURNS; turn++) {
        if (take_turn(ours, m, turn) != 0 || (!alone && take_turn(peer, m, turn) != 0)) {
            return die("a search failed");
        }
    }
    double rate = bench_median(ours->rates, TURNS);
    double peer_rate = alone ? 0 : bench_median(peer->rates, TURNS);
    bench_report("hnsw_build", ours->build_rate, "vectors/s", peer->build_rate, peer->name);
    bench_report("hnsw_ef_at_recall_0.95", (double)ours->ef, "candidates", (double)peer->ef,
                 peer->name);
    bench_report("hnsw_recall_at_10", 10000 * ours->recall, "of 10000", 10000 * peer->recall,
                 peer->name);
    bench_report("hnsw_search", rate, "queries/s", peer_rate, peer->name);
    return rate >= peer_rate ? 0 : die("hnswlib answers more queries a second at that recall");
}

int bench_hnsw(void) {
    struct material m = {.truth = NULL};
    struct contender ours = {.name = NULL}, peer = {.name = NULL};
    int status = material_make(&m) != 0 || ours_build(&ours, &m) != 0 || peer_build(&peer, &m) != 0
                     ? die("out of memory")
                     : compete(&ours, &peer, &m);
    hnsw_free(ours.index);
    peer_free(&peer);
    material_release(&m);
    return status;
}
