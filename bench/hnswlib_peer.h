/*
 * hnswlib (https://github.com/nmslib/hnswlib, Debian's libhnswlib-dev) behind a C interface: the
 * peer that approximate search is measured against. Built where its headers are there; it is no
 * part of the program.
 */
#ifndef MURPHY_BENCH_HNSWLIB_PEER_H
#define MURPHY_BENCH_HNSWLIB_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hnswlib_peer;

/* By inner product, for normalised vectors. NULL when it cannot be made. */
struct hnswlib_peer *hnswlib_peer_new(size_t dim, size_t rows_max, size_t m, size_t ef_construction,
                                      size_t seed);
void hnswlib_peer_free(struct hnswlib_peer *peer);
/* 0 or -1. */
int hnswlib_peer_put(struct hnswlib_peer *peer, uint32_t id, const float *vector);
/* Ids of at most k hits, in no order that matters; how many, or -1. */
int hnswlib_peer_search(struct hnswlib_peer *peer, const float *query, size_t k, size_t ef,
                        uint32_t *ids);

#ifdef __cplusplus
}
#endif

#endif
