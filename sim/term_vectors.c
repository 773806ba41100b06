#include "sim/term_vectors.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "sim/fts_bm25.h"
#include "sim/label_set.h"
#include "sim/prng.h"
#include "sim/term_words.h"
#include "sim/vector_math.h"

#define DIMENSION_DEFAULT 128
#define ROUNDS_DEFAULT 6

struct entry {
    uint32_t word; /* label, or row of `vectors` once learned */
    float weight;
};

struct term_vectors {
    size_t dimension;
    uint32_t rounds;
    uint64_t seed;
    bool learned;

    struct label_set words;
    uint32_t *holders; /* per label: documents with it */
    size_t holder_capacity;
    size_t *place; /* per label: 1 + its entry, while that is one of the present document */
    size_t place_capacity;

    struct entry *entries; /* of all documents, one after the other */
    size_t entry_count, entry_capacity;
    size_t *first; /* per document: its first entry; one more marks the end */
    size_t document_count, first_capacity;

    uint32_t *row;    /* per label: its row, or LABEL_NONE */
    float *rarity;    /* per row */
    float *vectors;   /* rows of `dimension` */
    size_t row_count; /* words in two documents or more */
};

struct term_vectors *term_vectors_new(const struct term_vectors_options *options) {
    struct term_vectors *v = calloc(1, sizeof *v);
    if (v == NULL) {
        return NULL;
    }
    v->dimension = options->dimension == 0 ? DIMENSION_DEFAULT : options->dimension;
    v->rounds = options->rounds == 0 ? ROUNDS_DEFAULT : options->rounds;
    v->seed = options->seed;
    label_set_init(&v->words);
    if (ARRAY_RESERVE(v->first, v->first_capacity, 1) != 0) {
        term_vectors_free(v);
        return NULL;
    }
    v->first[0] = 0;
    return v;
}

void term_vectors_free(struct term_vectors *v) {
    if (v == NULL) {
        return;
    }
    label_set_release(&v->words);
    free(v->holders);
    free(v->place);
    free(v->entries);
    free(v->first);
    free(v->row);
    free(v->rarity);
    free(v->vectors);
    free(v);
}

size_t term_vectors_dimension(const struct term_vectors *v) {
    return v->dimension;
}

/* ---- documents ---- */

static int add_word(struct term_vectors *v, struct bytes word, float weight) {
    uint32_t label;
    size_t known = v->words.count;
    if (label_set_intern(&v->words, word, &label) != 0 ||
        ARRAY_RESERVE(v->holders, v->holder_capacity, v->words.count) != 0 ||
        ARRAY_RESERVE(v->place, v->place_capacity, v->words.count) != 0 ||
        ARRAY_RESERVE(v->entries, v->entry_capacity, v->entry_count + 1) != 0) {
        return -ENOMEM;
    }
    for (; known < v->words.count; known++) {
        v->holders[known] = 0;
        v->place[known] = 0;
    }
    if (v->place[label] <= v->first[v->document_count]) {
        v->holders[label]++;
        v->entries[v->entry_count++] = (struct entry){label, 0};
        v->place[label] = v->entry_count;
    }
    v->entries[v->place[label] - 1].weight += weight;
    return 0;
}

int term_vectors_add(struct term_vectors *v, const struct term_field *fields, size_t count) {
    assert(!v->learned);
    if (ARRAY_RESERVE(v->first, v->first_capacity, v->document_count + 2) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        struct term_walk walk = term_walk_begin(fields[i].text);
        for (struct bytes word; term_walk_next(&walk, &word);) {
            if (add_word(v, word, fields[i].weight) != 0) {
                return -ENOMEM;
            }
        }
    }
    v->first[++v->document_count] = v->entry_count;
    return 0;
}

/* ---- weights ---- */

static float damped(float frequency) {
    return frequency > 1 ? 1 + (float)fts_bm25_ln(frequency) : frequency;
}

/* Gives a row to each word that two documents share. */
static int number_words(struct term_vectors *v) {
    v->row = malloc((v->words.count + 1) * sizeof *v->row);
    v->rarity = malloc((v->words.count + 1) * sizeof *v->rarity);
    if (v->row == NULL || v->rarity == NULL) {
        return -ENOMEM;
    }
    for (size_t label = 0; label < v->words.count; label++) {
        v->row[label] = LABEL_NONE;
        if (label != LABEL_EMPTY && v->holders[label] >= 2) {
            double share = (double)v->document_count / (double)v->holders[label];
            v->rarity[v->row_count] = (float)fts_bm25_ln(1 + share);
            v->row[label] = (uint32_t)v->row_count++;
        }
    }
    return 0;
}

/* Puts weights in the place of frequencies and drops what has no row; documents end at length 1. */
static void weigh_documents(struct term_vectors *v) {
    size_t kept = 0;
    for (size_t d = 0; d < v->document_count; d++) {
        size_t begin = v->first[d];
        size_t end = v->first[d + 1];
        double square = 0;
        v->first[d] = kept;
        for (size_t i = begin; i < end; i++) {
            uint32_t row = v->row[v->entries[i].word];
            if (row != LABEL_NONE) {
                float weight = damped(v->entries[i].weight) * v->rarity[row];
                square += (double)weight * weight;
                v->entries[kept++] = (struct entry){row, weight};
            }
        }
        float scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
        for (size_t i = v->first[d]; i < kept; i++) {
            v->entries[i].weight *= scale;
        }
    }
    v->first[v->document_count] = kept;
    v->entry_count = kept;
}

/* ---- subspace iteration ---- */

static void add_scaled(float *restrict sum, const float *restrict row, float factor, size_t count) {
    for (size_t i = 0; i < count; i++) {
        sum[i] += factor * row[i];
    }
}

static void sum_document(const struct term_vectors *v, size_t document, float *out) {
    memset(out, 0, v->dimension * sizeof *out);
    for (size_t i = v->first[document]; i < v->first[document + 1]; i++) {
        const float *row = v->vectors + v->entries[i].word * v->dimension;
        add_scaled(out, row, v->entries[i].weight, v->dimension);
    }
}

/* image = A' A vectors, where A has a row per document. */
static void multiply(const struct term_vectors *v, float *image, float *document) {
    memset(image, 0, v->row_count * v->dimension * sizeof *image);
    for (size_t d = 0; d < v->document_count; d++) {
        sum_document(v, d, document);
        for (size_t i = v->first[d]; i < v->first[d + 1]; i++) {
            add_scaled(image + v->entries[i].word * v->dimension, document, v->entries[i].weight,
                       v->dimension);
        }
    }
}

/* Upper half of the products of columns, summed row by row. */
static void gram_of(const float *rows, size_t count, size_t dimension, double *gram) {
    memset(gram, 0, dimension * dimension * sizeof *gram);
    for (size_t r = 0; r < count; r++) {
        const float *row = rows + r * dimension;
        for (size_t i = 0; i < dimension; i++) {
            double factor = row[i];
            double *line = gram + i * dimension;
            for (size_t j = i; j < dimension; j++) {
                line[j] += factor * row[j];
            }
        }
    }
}

/* gram = R'R in place, R above. A direction that the others hold already gets a 0 on the diagonal.
 */
static void cholesky(double *gram, size_t dimension) {
    double largest = 0;
    for (size_t i = 0; i < dimension; i++) {
        double own = gram[i * dimension + i];
        largest = own > largest ? own : largest;
    }
    for (size_t i = 0; i < dimension; i++) {
        double *line = gram + i * dimension;
        bool spent = !(line[i] > largest * 1e-13);
        double root = spent ? 0 : sqrt(line[i]);
        line[i] = root;
        for (size_t j = i + 1; j < dimension; j++) {
            line[j] = spent ? 0 : line[j] / root;
        }
        for (size_t below = i + 1; below < dimension; below++) {
            for (size_t j = below; j < dimension; j++) {
                gram[below * dimension + j] -= line[below] * line[j];
            }
        }
    }
}

/* rows = image R^-1; `row` has room for one. */
static void divide(const float *image, const double *r, size_t count, size_t dimension, double *row,
                   float *rows) {
    for (size_t at = 0; at < count; at++) {
        for (size_t i = 0; i < dimension; i++) {
            row[i] = image[at * dimension + i];
        }
        for (size_t i = 0; i < dimension; i++) {
            const double *line = r + i * dimension;
            double value = line[i] > 0 ? row[i] / line[i] : 0;
            rows[at * dimension + i] = (float)value;
            for (size_t j = i + 1; j < dimension; j++) {
                row[j] -= value * line[j];
            }
        }
    }
}

static void start_anywhere(struct term_vectors *v) {
    struct prng p;
    prng_init(&p, v->seed, "term-vectors");
    size_t count = v->row_count * v->dimension;
    for (size_t i = 0; i < count;) {
        uint64_t bits = prng_next(&p);
        for (int b = 0; b < 64 && i < count; b++, i++) {
            v->vectors[i] = (bits >> b & 1) != 0 ? 1.0f : -1.0f;
        }
    }
}

int term_vectors_learn(struct term_vectors *v) {
    assert(!v->learned);
    if (number_words(v) != 0) {
        return -ENOMEM;
    }
    weigh_documents(v);
    size_t k = v->dimension;
    v->vectors = malloc((v->row_count * k + 1) * sizeof *v->vectors);
    float *image = malloc((v->row_count * k + 1) * sizeof *image);
    float *document = malloc(k * sizeof *document);
    double *gram = malloc((k + 1) * k * sizeof *gram);
    int rc = -ENOMEM;
    if (v->vectors != NULL && image != NULL && document != NULL && gram != NULL) {
        start_anywhere(v);
        for (uint32_t round = 0; round < v->rounds; round++) {
            multiply(v, image, document);
            gram_of(image, v->row_count, k, gram);
            cholesky(gram, k);
            divide(image, gram, v->row_count, k, gram + k * k, v->vectors);
        }
        v->learned = true;
        rc = 0;
    }
    free(image);
    free(document);
    free(gram);
    return rc;
}

/* ---- vectors ---- */

bool term_vectors_document(const struct term_vectors *v, size_t document, float *out) {
    assert(v->learned && document < v->document_count);
    sum_document(v, document, out);
    return vector_normalise(out, v->dimension, out);
}

bool term_vectors_text(const struct term_vectors *v, struct bytes text, float *out) {
    assert(v->learned);
    memset(out, 0, v->dimension * sizeof *out);
    struct term_walk walk = term_walk_begin(text);
    for (struct bytes word; term_walk_next(&walk, &word);) {
        uint32_t label = label_set_find(&v->words, word);
        uint32_t row = label == LABEL_NONE ? LABEL_NONE : v->row[label];
        if (row != LABEL_NONE) {
            add_scaled(out, v->vectors + row * v->dimension, v->rarity[row], v->dimension);
        }
    }
    return vector_normalise(out, v->dimension, out);
}
