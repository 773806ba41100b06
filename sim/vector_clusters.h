/*
 * Generated vectors that lie as embeddings do: in clusters, and near a surface of far fewer
 * dimensions than they have elements. (Vectors of independent random numbers are all equally far
 * from each other; no index can search them, and none has to.)
 *
 * A vector is (centre of its cluster + spread * g) * B + noise, where centres and g are points of
 * `latent` dimensions with about normal coordinates, and B is one random matrix of signs. Centres
 * are one apart per coordinate, so `spread` is the width of a cluster in distances of clusters.
 * Everything is drawn by sim/prng.h without libm, so the same options give the same bits (D3).
 */
#ifndef MURPHY_SIM_VECTOR_CLUSTERS_H
#define MURPHY_SIM_VECTOR_CLUSTERS_H

#include <stddef.h>
#include <stdint.h>

#include "sim/prng.h"

struct vector_clusters_options {
    uint64_t seed;
    size_t dim;      /* above 0 */
    size_t clusters; /* above 0 */
    size_t latent;   /* 0: 24, or dim if that is less */
    float spread;    /* 0: 0.3 */
    float noise;     /* of each element; 0: 0.05 */
};

struct vector_clusters {
    struct vector_clusters_options options;
    float *centres; /* clusters times latent */
    float *basis;   /* latent times dim */
    struct prng draws;
};

/* 0 or -ENOMEM with nothing held; after success the caller releases it. */
int vector_clusters_init(struct vector_clusters *c, const struct vector_clusters_options *options);
void vector_clusters_release(struct vector_clusters *c);

/* Draws one more vector, of a cluster picked at random; returns which. */
size_t vector_clusters_draw(struct vector_clusters *c, float *out);

#endif
