#include "sim/vector_clusters.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "pipeline/memory.h"

#define DEFAULT_LATENT 24
#define DEFAULT_SPREAD 0.3f
#define DEFAULT_NOISE 0.05f
#define LATENT_MAX 256

/*
 * About normal, mean 0, deviation 1: the sum of four uniform numbers of 16 bits, each exact, less
 * its mean and over its deviation.
 */
static float normal(struct prng *p) {
    uint64_t bits = prng_next(p);
    int32_t sum = (int32_t)((bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) +
                            (bits >> 48));
    return (float)(sum - 2 * 65535) * (1.0f / 37837.2f);
}

static void fill_normal(struct prng *p, float *out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        out[i] = normal(p);
    }
}

static void fill_signs(struct prng *p, float *out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        out[i] = (prng_next(p) >> 63) != 0 ? 1.0f : -1.0f;
    }
}

int vector_clusters_init(struct vector_clusters *c, const struct vector_clusters_options *options) {
    *c = (struct vector_clusters){.options = *options};
    struct vector_clusters_options *o = &c->options;
    assert(o->dim > 0 && o->clusters > 0 && o->latent <= LATENT_MAX);
    if (o->latent == 0) {
        o->latent = o->dim < DEFAULT_LATENT ? o->dim : DEFAULT_LATENT;
    }
    o->spread = o->spread > 0 ? o->spread : DEFAULT_SPREAD;
    o->noise = o->noise > 0 ? o->noise : DEFAULT_NOISE;
    c->centres = memory_resize(NULL, o->clusters * o->latent * sizeof *c->centres);
    c->basis = memory_resize(NULL, o->latent * o->dim * sizeof *c->basis);
    if (c->centres == NULL || c->basis == NULL) {
        vector_clusters_release(c);
        return -ENOMEM;
    }
    prng_init(&c->draws, o->seed, "vector clusters");
    fill_normal(&c->draws, c->centres, o->clusters * o->latent);
    fill_signs(&c->draws, c->basis, o->latent * o->dim);
    return 0;
}

void vector_clusters_release(struct vector_clusters *c) {
    free(c->centres);
    free(c->basis);
    c->centres = NULL;
    c->basis = NULL;
}

size_t vector_clusters_draw(struct vector_clusters *c, float *out) {
    const struct vector_clusters_options *o = &c->options;
    size_t cluster = (size_t)prng_below(&c->draws, o->clusters);
    const float *centre = c->centres + cluster * o->latent;
    for (size_t i = 0; i < o->dim; i++) {
        out[i] = o->noise * normal(&c->draws);
    }
    for (size_t l = 0; l < o->latent; l++) {
        float coordinate = centre[l] + o->spread * normal(&c->draws);
        const float *axis = c->basis + l * o->dim;
        for (size_t i = 0; i < o->dim; i++) {
            out[i] += coordinate * axis[i];
        }
    }
    return cluster;
}
