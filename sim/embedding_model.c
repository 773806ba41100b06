#include "sim/embedding_model.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "sim/prng.h"
#include "sim/text_bigrams.h"
#include "sim/vector_math.h"

/* --- letters --- */

#define SEPARATOR 0u

/*
 * The code point at the start of the text, and its length; SEPARATOR and 1 where there is no
 * well-formed sequence.
 */
static uint32_t decode(const unsigned char *s, size_t left, size_t *length) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    *length = 1;
    if (n == 0 || n > left) {
        return SEPARATOR;
    }
    uint32_t c = s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return SEPARATOR;
        }
        c = c << 6 | (s[i] & 0x3F);
    }
    if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        return SEPARATOR;
    }
    *length = n;
    return c;
}

/* Punctuation and spaces beyond ASCII: of Latin-1, general, and of Chinese and Japanese. */
static bool is_separator(uint32_t c) {
    return (c >= 0x80 && c < 0xC0 && c != 0xAA && c != 0xB5 && c != 0xBA) || c == 0xD7 ||
           c == 0xF7 || (c >= 0x2000 && c <= 0x206F) || (c >= 0x3000 && c <= 0x303F) ||
           c == 0xFEFF || c == 0xFFFD;
}

static uint32_t lower_beyond_ascii(uint32_t c) {
    if ((c >= 0xC0 && c <= 0xDE) || (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F)) {
        return c + 0x20;
    }
    if (c >= 0x400 && c <= 0x40F) {
        return c + 0x50;
    }
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E)) {
        return c + (c & 1);
    }
    if (c == 0x178) {
        return 0xFF;
    }
    if (c == 0x130) {
        return 'i';
    }
    return c >= 0x100 && c <= 0x177 && c != 0x138 ? c | 1 : c;
}

/* The letter without its accent, for lower-case letters from 0xDF to 0x17F. */
static uint32_t without_accent(uint32_t c) {
    static const char latin_1[] = "saaaaaaaceeeeiiiidnooooo/ouuuuyty";
    static const char latin_a[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkk"
                                  "llllllllllnnnnnnnnnoooooooorrrrrrsssssssstttttt"
                                  "uuuuuuuuuuuuwwyyyzzzzzzs";
    _Static_assert(sizeof latin_1 - 1 == 0xFF - 0xDF + 1, "one for each letter");
    _Static_assert(sizeof latin_a - 1 == 0x17F - 0x100 + 1, "one for each letter");
    if (c >= 0xDF && c <= 0xFF) {
        return (uint32_t)latin_1[c - 0xDF];
    }
    return c >= 0x100 && c <= 0x17F ? (uint32_t)latin_a[c - 0x100] : c;
}

/* --- features --- */

/* Scatters every bit of the key over the result (D. Stafford's thirteenth variant of the finaliser
 * of MurmurHash3). */
static inline uint64_t mix(uint64_t key) {
    key = (key ^ (key >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    key = (key ^ (key >> 27)) * UINT64_C(0x94D049BB133111EB);
    return key ^ (key >> 31);
}

/* Sums are small whole numbers: exact, so that no order shows. */
struct sums {
    const struct embedding_model *model;
    float *out;
    uint32_t dim;
    bool any;
};

static inline void add_feature(struct sums *s, uint64_t key, float weight) {
    uint64_t hash = mix(key);
    uint32_t element = (uint32_t)(((hash >> 32) * s->dim) >> 32);
    s->out[element] += (hash & 1) != 0 ? weight : -weight;
    s->any = true;
}

/* A word being read: its hash so far and its last three letters. */
struct word {
    uint64_t hash;
    uint64_t letters; /* 21 bits each */
    uint32_t length;
};

/* What stands before and after a word; no letter is so low. */
#define WORD_END 1u
#define PARTS_FROM_VERSION 2

static inline void word_begin(struct word *w) {
    *w = (struct word){.letters = WORD_END};
}

static inline void word_letter(struct word *w, struct sums *s, uint32_t letter, float weight) {
    w->hash = (w->hash ^ letter) * UINT64_C(0x9FB21C651E98DF25);
    w->hash ^= w->hash >> 32;
    w->letters = (w->letters << 21 | letter) & ((UINT64_C(1) << 63) - 1);
    w->length++;
    if (s->model->version >= PARTS_FROM_VERSION && w->length >= 2) {
        add_feature(s, w->letters ^ s->model->part_salt, weight);
    }
}

static inline void word_end(struct word *w, struct sums *s, float weight) {
    if (w->length == 0) {
        return;
    }
    uint64_t key = w->hash ^ s->model->word_salt;
    if (s->model->version < PARTS_FROM_VERSION) {
        add_feature(s, key, weight);
    } else {
        add_feature(s, key, w->length <= 3 ? weight : 2 * weight);
        uint64_t last = (w->letters << 21 | WORD_END) & ((UINT64_C(1) << 63) - 1);
        add_feature(s, last ^ s->model->part_salt, weight);
    }
    word_begin(w);
}

/* The code point as a letter of a word, or SEPARATOR. */
static inline uint32_t letter_of(const struct embedding_model *m, const unsigned char *s,
                                 size_t left, size_t *length) {
    if (s[0] < 0x80) {
        *length = 1;
        uint32_t lower = s[0] | 0x20u;
        if (lower >= 'a' && lower <= 'z') {
            return lower;
        }
        return s[0] >= '0' && s[0] <= '9' ? s[0] : SEPARATOR;
    }
    uint32_t c = decode(s, left, length);
    if (c == SEPARATOR || is_separator(c)) {
        return SEPARATOR;
    }
    c = lower_beyond_ascii(c);
    return m->version >= PARTS_FROM_VERSION ? without_accent(c) : c;
}

static void add_words(struct sums *s, struct bytes text, float weight) {
    const unsigned char *at = (const unsigned char *)text.data;
    struct word word;
    word_begin(&word);
    for (size_t i = 0; i < text.len;) {
        size_t length;
        uint32_t letter = letter_of(s->model, at + i, text.len - i, &length);
        if (letter == SEPARATOR) {
            word_end(&word, s, weight);
        } else {
            word_letter(&word, s, letter, weight);
        }
        i += length;
    }
    word_end(&word, s, weight);
}

static void add_text(struct sums *s, const struct text_piece *piece, enum tokeniser tokeniser,
                     float weight) {
    if (tokeniser != TOKENISER_BIGRAM) {
        add_words(s, piece->text, weight);
        return;
    }
    struct bytes part;
    for (size_t at = 0; bigrams_next(piece->text, &at, &part);) {
        add_words(s, part, weight);
    }
}

/* A little of the bytes as they are: they need not hold words. */
#define WHOLE_FEATURES 4

static void add_whole(struct sums *s, struct bytes text) {
    uint64_t hash = s->model->whole_salt;
    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x9FB21C651E98DF25);
        hash ^= hash >> 32;
    }
    for (uint64_t i = 0; i < WHOLE_FEATURES; i++) {
        add_feature(s, hash + i * UINT64_C(0x9E3779B97F4A7C15), 1);
    }
}

/* From sums to a vector of length 1. */
static void finish(struct sums *s) {
    if (s->model->version >= PARTS_FROM_VERSION) {
        for (uint32_t i = 0; i < s->dim; i++) {
            float root = sqrtf(fabsf(s->out[i]));
            s->out[i] = s->out[i] < 0 ? -root : root;
        }
    }
    if (s->any && vector_normalise(s->out, s->dim, s->out)) {
        return;
    }
    /* No word, or all cancelled out: still a direction. */
    memset(s->out, 0, s->dim * sizeof *s->out);
    s->out[mix(s->model->whole_salt) % s->dim] = 1;
}

/* --- models --- */

void embedding_model_init(struct embedding_model *m, uint32_t version, uint64_t seed) {
    assert(version >= 1);
    *m = (struct embedding_model){.version = version, .seed = seed};
    struct prng p;
    prng_init(&p, mix(seed) + version, "embedding model");
    m->word_salt = prng_next(&p);
    m->part_salt = prng_next(&p);
    m->whole_salt = prng_next(&p);
    for (size_t i = 0; i < EMBED_TEXT_DIM; i++) {
        m->text_signs[i] = (prng_next(&p) >> 63) != 0 ? 1.0f : -1.0f;
    }
    for (size_t i = 0; i < EMBED_IMAGE_DIM; i++) {
        m->image_signs[i] = (prng_next(&p) >> 63) != 0 ? 1.0f : -1.0f;
    }
}

void embed_text(const struct embedding_model *m, const struct text_piece *pieces, size_t count,
                float out[EMBED_TEXT_DIM]) {
    embed_text_cut(m, TOKENISER_WORD, pieces, count, out);
}

void embed_text_cut(const struct embedding_model *m, enum tokeniser tokeniser,
                    const struct text_piece *pieces, size_t count, float out[EMBED_TEXT_DIM]) {
    static const float weights[TEXT_FIELD_COUNT] = {
        [TEXT_TITLE] = 4,  [TEXT_DESCRIPTION] = 1, [TEXT_ATTRIBUTES] = 2,
        [TEXT_LOCALE] = 1, [TEXT_QUERY] = 4,
    };
    struct sums s = {.model = m, .out = out, .dim = EMBED_TEXT_DIM};
    memset(out, 0, EMBED_TEXT_DIM * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        assert((unsigned)pieces[i].field < TEXT_FIELD_COUNT);
        add_text(&s, &pieces[i], tokeniser, weights[pieces[i].field]);
    }
    finish(&s);
}

void embed_image(const struct embedding_model *m, const struct bytes *descriptors, size_t count,
                 float out[EMBED_IMAGE_DIM]) {
    struct sums s = {.model = m, .out = out, .dim = EMBED_IMAGE_DIM};
    memset(out, 0, EMBED_IMAGE_DIM * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        add_words(&s, descriptors[i], 4);
        add_whole(&s, descriptors[i]);
    }
    finish(&s);
}

/* Square roots of 0.6 and 0.4. */
#define TEXT_LENGTH 0.77459667f
#define IMAGE_LENGTH 0.63245553f
#define IMAGE_FIRST (EMBED_FUSED_DIM - EMBED_IMAGE_DIM)

void embed_fused(const struct embedding_model *m, const float *text, const float *image,
                 float out[EMBED_FUSED_DIM]) {
    assert(text != NULL || image != NULL);
    memset(out, 0, EMBED_FUSED_DIM * sizeof *out);
    for (size_t i = 0; text != NULL && i < EMBED_TEXT_DIM; i++) {
        out[i] = TEXT_LENGTH * (m->text_signs[i] * text[i]);
    }
    for (size_t i = 0; image != NULL && i < EMBED_IMAGE_DIM; i++) {
        out[IMAGE_FIRST + i] += IMAGE_LENGTH * (m->image_signs[i] * image[i]);
    }
    (void)vector_normalise(out, EMBED_FUSED_DIM, out);
}
