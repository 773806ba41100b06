/*
 * Vectors of words and documents, learned from a catalogue alone (B7).
 *
 * Words that stand in the same products come to lie in the same direction, so a query for a laptop
 * finds notebooks without a word in common. This is latent semantic analysis (S. Deerwester et al.,
 * "Indexing by Latent Semantic Analysis", JASIS 41(6), 1990): a document is the vector of its
 * words' weights, (1 + ln frequency) x ln(1 + documents / documents with the word), at unit length;
 * the vectors of words are an orthonormal base of the directions in which documents spread most,
 * found by subspace iteration from a seeded random start (N. Halko, P. Martinsson and J. Tropp,
 * "Finding Structure with Randomness", SIAM Review 53(2), 2011), orthonormal again after each round
 * by a Cholesky factor of the Gram matrix. A text's vector is the weighted sum of its words',
 * at unit length.
 *
 * The same bits everywhere: the four operations and sqrt in a fixed order, and the logarithm of
 * sim/fts_bm25.h (D3).
 */
#ifndef MURPHY_SIM_TERM_VECTORS_H
#define MURPHY_SIM_TERM_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"

/* A member that is zero means its default. */
struct term_vectors_options {
    size_t dimension; /* 128 */
    uint32_t rounds;  /* 6 */
    uint64_t seed;
};

/* Part of a document: each of its words counts this often. */
struct term_field {
    struct bytes text;
    float weight;
};

struct term_vectors;

/* NULL when there is no memory. */
struct term_vectors *term_vectors_new(const struct term_vectors_options *options);
void term_vectors_free(struct term_vectors *v);
size_t term_vectors_dimension(const struct term_vectors *v);

/* The next document, numbered from 0; before learning. 0 or -ENOMEM. */
int term_vectors_add(struct term_vectors *v, const struct term_field *fields, size_t count);

/* Once, when all documents are there. Words of a single document are dropped: they stand beside
 * nothing that another document has. 0 or -ENOMEM. */
int term_vectors_learn(struct term_vectors *v);

/* Unit vectors of term_vectors_dimension floats; false, with zeros, where no word is known. */
bool term_vectors_document(const struct term_vectors *v, size_t document, float *out);
bool term_vectors_text(const struct term_vectors *v, struct bytes text, float *out);

#endif
