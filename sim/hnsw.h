/*
 * Approximate search for the k nearest vectors by a hierarchical navigable small world graph (Y.
 * Malkov and D. Yashunin, "Efficient and robust approximate nearest neighbor search using
 * hierarchical navigable small world graphs", IEEE TPAMI 42(4), 2020; arXiv:1603.09320). It is the
 * project's own because graph and results are the same bits on every instruction set, compiler and
 * run (D3), which no library promises.
 *
 * What makes it so: distances have a fixed order of summation (sim/vector_math.h); a vector's
 * level is drawn by a hash of the seed and its id; whatever is ordered by distance is ordered by id
 * next; nothing looks at an address. The graph is a function of the options and of the sequence of
 * hnsw_put, hnsw_remove and hnsw_compact. Searches leave it as it is.
 *
 * Deletes. A removed vector stays in the graph as a stepping stone (dead) and is never a hit, nor
 * does it use up ef. When dead rows pass dead_percent_max of all rows, hnsw_compact runs: each live
 * row that has dead neighbours chooses again among its live neighbours and those of the dead ones
 * (A. Singh et al., "FreshDiskANN", arXiv:2105.09613, section 5.3), rows that were held only by
 * dead ones are tied in again, and the dead rows' places are free. An update is a removal and an
 * insert under one id, unless the vector is the one already there.
 *
 * Filters work inside the traversal: rows that are not accepted are walked over, are no hits and do
 * not use up ef. So a search returns k hits whenever so many accepted rows can be reached, however
 * rare they are, at the price of walking further; where fewer than about one row in a hundred is
 * accepted, exact search over those (sim/vector_search.h) is cheaper.
 *
 * Every live row can be reached: a spanning tree of links that are never pruned holds the lowest
 * level together, also among a thousand equal vectors. (The paper's graph may lose rows to
 * pruning.) Whether a search comes by is a matter of ef, as in the paper.
 *
 * One thread at a time, searches included: they share scratch memory.
 */
#ifndef MURPHY_SIM_HNSW_H
#define MURPHY_SIM_HNSW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/vector_math.h"
#include "sim/vector_search.h"

#define HNSW_DIM_MAX 4096
#define HNSW_M_MAX 128
#define HNSW_EF_MAX 65536

struct hnsw_options {
    enum vector_metric metric;
    uint32_t dim;              /* 1 to HNSW_DIM_MAX */
    uint32_t m;                /* links that a row chooses; 2 to HNSW_M_MAX; 0: 16 */
    uint32_t ef_construction;  /* candidates to choose from; to HNSW_EF_MAX; 0: 200 */
    uint32_t dead_percent_max; /* of all rows, from which on removals compact; 100: never; 0: 20 */
    uint64_t seed;
    size_t rows_expected; /* room to begin with; it grows by doubling */
};

/* What the latest put or search did: the measure of its cost that does not depend on a clock. */
struct hnsw_cost {
    uint64_t distances;
    uint64_t hops; /* rows whose links were followed */
};

struct hnsw;

/* 0 and *out, to be freed by hnsw_free; -EINVAL for options out of bounds; -ENOMEM. */
int hnsw_new(const struct hnsw_options *options, struct hnsw **out);
void hnsw_free(struct hnsw *h);

/*
 * Inserts the vector (dim elements, copied) under the id, or replaces the one there. Returns 0;
 * -EINVAL when an element is a NaN or an infinity; -ENOMEM; on errors nothing has changed.
 * For VECTOR_COSINE the normalised vector is kept; a zero vector is at distance 1 from all.
 */
int hnsw_put(struct hnsw *h, uint32_t id, const float *vector);

/* False when there is none under the id. */
bool hnsw_remove(struct hnsw *h, uint32_t id);

/* Frees the places of dead rows now. Needs no memory. */
void hnsw_compact(struct hnsw *h);

/*
 * At most k hits in the order of sim/vector_search.h; ef, the number of candidates kept, is raised
 * to k when lower. accept may be NULL. The distances are exact. Returns how many; -EINVAL for a
 * query with a NaN or an infinity, or k or ef above HNSW_EF_MAX; -ENOMEM.
 */
int64_t hnsw_search(struct hnsw *h, const float *query, size_t k, size_t ef, vector_accept *accept,
                    void *ctx, struct vector_hit *hits);

/*
 * The same by an index that does not know which of its rows are dead: they are candidates, use up
 * ef, and are thrown away at the end, so that fewer than k hits may be left although there are more
 * (pgvector). ef is not raised to k.
 */
int64_t hnsw_search_blind(struct hnsw *h, const float *query, size_t k, size_t ef,
                          vector_accept *accept, void *ctx, struct vector_hit *hits);

bool hnsw_contains(const struct hnsw *h, uint32_t id);

/* The row as kept (normalised for VECTOR_COSINE), dim elements; NULL when there is none. Good until
 * the next put, remove or compact. */
const float *hnsw_row(const struct hnsw *h, uint32_t id);

size_t hnsw_live_count(const struct hnsw *h);
size_t hnsw_dead_count(const struct hnsw *h);

/* Bytes held for rows, links and scratch. */
size_t hnsw_memory_bytes(const struct hnsw *h);

/* How often compaction ran, asked for or not. */
uint64_t hnsw_compactions(const struct hnsw *h);

struct hnsw_cost hnsw_last_cost(const struct hnsw *h);

/* Of rows, ids, levels, links and entry point: equal graphs, equal digest. */
uint64_t hnsw_digest(const struct hnsw *h);

struct hnsw_findings {
    size_t unreachable; /* live rows that no path on the lowest level leads to: none */
    char broken[200];   /* the first broken invariant, empty when all hold */
};

/*
 * Checks the invariants at the top of sim/hnsw_parts.h, in time proportional to all pairs of links
 * of one row times the dimension. False when one is broken.
 */
bool hnsw_check(struct hnsw *h, struct hnsw_findings *findings);

#endif
