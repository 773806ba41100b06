/*
 * Embeddings without a neural network: text, image and fused vectors by feature hashing, the same
 * bits everywhere (D3), near each other when their sources share words, parts of words or picture
 * descriptors (A5).
 *
 * Text (K. Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009):
 * each word adds its field's weight to an element chosen by a hash, with a sign by the same hash;
 * the sum is scaled to length 1. Letters are lower-cased in ASCII, Latin-1, Latin Extended-A, Greek
 * and Cyrillic. Versions differ in kind, so that an upgrade has something to gain:
 *
 *   version 1    whole words only, one element each
 *   version 2    Latin letters lose their accents; words count twice, words of up to three letters
 *   and above    once; each three letters of a word, its ends included, add a feature of their own
 *                (P. Bojanowski et al., "Enriching word vectors with subword information", TACL 5,
 *                2017), so an inflection or a slip of the pen stays near; then each element becomes
 *                its signed square root (F. Perronnin et al., "Improving the Fisher kernel", ECCV
 *                2010), so a word said ten times does not drown the others
 *
 * Vectors of different versions or seeds have nothing to do with each other, as with real models.
 *
 * Image: the words of the descriptors (category, colour, ...) by the same rule, and a little of
 * each descriptor as a whole, so that two pictures are never quite the same. The order of images
 * does not matter.
 *
 * Fused: text with weight 0.6 and image with 0.4 of the squared length, each turned by random signs
 * into the first 768 and the last 1,024 of 1,536 elements: both keep their angles, and what is in
 * the shared 256 elements is noise. With one of them missing it is the other alone.
 *
 * Every vector has length 1. A text without words, such as the empty one, has a vector of its own.
 * Bytes that are not UTF-8 separate words. Only whole numbers are summed, so the order of pieces
 * does not matter either. No memory is asked for; a text of 60 words takes a few microseconds.
 */
#ifndef MURPHY_SIM_EMBEDDING_MODEL_H
#define MURPHY_SIM_EMBEDDING_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/record.h"

#define EMBED_TEXT_DIM 768
#define EMBED_IMAGE_DIM 1024
#define EMBED_FUSED_DIM 1536

/* Caller-owned, holds no resources, may be copied. Read-only after embedding_model_init. */
struct embedding_model {
    uint32_t version;
    uint64_t seed;
    uint64_t word_salt;
    uint64_t part_salt;
    uint64_t whole_salt;
    float text_signs[EMBED_TEXT_DIM];
    float image_signs[EMBED_IMAGE_DIM];
};

/* version is 1 or above. */
void embedding_model_init(struct embedding_model *m, uint32_t version, uint64_t seed);

/* Where a text stands, which says how much its words weigh. A query weighs like a title. */
enum text_field {
    TEXT_TITLE,       /* 4 */
    TEXT_DESCRIPTION, /* 1 */
    TEXT_ATTRIBUTES,  /* 2 */
    TEXT_LOCALE,      /* 1 */
    TEXT_QUERY,       /* 4 */
    TEXT_FIELD_COUNT
};

struct text_piece {
    struct bytes text;
    enum text_field field;
};

void embed_text(const struct embedding_model *m, const struct text_piece *pieces, size_t count,
                float out[EMBED_TEXT_DIM]);
/* The same of texts that the tokeniser cuts: TOKENISER_BIGRAM cuts them by sim/text_bigrams.h into
 * what are words then. */
void embed_text_cut(const struct embedding_model *m, enum tokeniser tokeniser,
                    const struct text_piece *pieces, size_t count, float out[EMBED_TEXT_DIM]);

void embed_image(const struct embedding_model *m, const struct bytes *descriptors, size_t count,
                 float out[EMBED_IMAGE_DIM]);

/* text or image may be NULL, not both; what is given comes from embed_text or embed_image. */
void embed_fused(const struct embedding_model *m, const float *text, const float *image,
                 float out[EMBED_FUSED_DIM]);

#endif
