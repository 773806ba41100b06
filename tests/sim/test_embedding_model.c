/*
 * Embedding model (A5, A6, D3): what is alike lies near, versions differ and the second is better,
 * any bytes are taken, and the bits are those known.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "sim/embedding_model.h"
#include "sim/prng.h"
#include "sim/vector_math.h"

static struct embedding_model v1;
static struct embedding_model v2;

static int make_models(void **state) {
    (void)state;
    embedding_model_init(&v1, 1, 42);
    embedding_model_init(&v2, 2, 42);
    return 0;
}

static void embed_title(const struct embedding_model *m, const char *title, float *out) {
    struct text_piece piece = {bytes_of(title), TEXT_TITLE};
    embed_text(m, &piece, 1, out);
}

static float titles_cosine(const struct embedding_model *m, const char *a, const char *b) {
    float x[EMBED_TEXT_DIM];
    float y[EMBED_TEXT_DIM];
    embed_title(m, a, x);
    embed_title(m, b, y);
    return vector_dot(x, y, EMBED_TEXT_DIM);
}

static float images_cosine(const struct embedding_model *m, const char *a, const char *b) {
    float x[EMBED_IMAGE_DIM];
    float y[EMBED_IMAGE_DIM];
    struct bytes left = bytes_of(a);
    struct bytes right = bytes_of(b);
    embed_image(m, &left, 1, x);
    embed_image(m, &right, 1, y);
    return vector_dot(x, y, EMBED_IMAGE_DIM);
}

static void assert_unit(const float *v, size_t dim) {
    assert_true(vector_is_finite(v, dim));
    assert_true(fabsf(vector_norm(v, dim) - 1) < 1e-5f);
}

/* Texts that share words are nearer than texts that share none, in both versions. */
static void shared_words_bring_texts_near(void **state) {
    (void)state;
    const struct embedding_model *models[] = {&v1, &v2};
    for (size_t i = 0; i < 2; i++) {
        float near = titles_cosine(models[i], "red leather running shoes", "blue running shoes");
        float far = titles_cosine(models[i], "red leather running shoes", "oak garden table");
        assert_true(near > 0.3f);
        assert_true(near > far + 0.2f);
    }
}

/* Case does not matter in any version, accents not from version 2 on, and separators never. */
static void letters_are_folded(void **state) {
    (void)state;
    assert_true(titles_cosine(&v1, "CAFÉ Ñandú ŽLUTÝ ΩΜΕΓΑ ЁЖ", "café ñandú žlutý ωμεγα ёж") >
                0.9999f);
    assert_true(titles_cosine(&v2, "Café con LECHE", "cafe, con... leche!") > 0.9999f);
    assert_true(titles_cosine(&v1, "café con leche", "cafe con leche") < 0.9f);
    assert_true(titles_cosine(&v2, "smørrebrød ÿ Ÿ İ ß", "SMORREBROD y y i s") > 0.9999f);
}

/* An inflection or a slip of the pen stays near in version 2, whose words have parts. */
static void parts_of_words_count_in_version_2(void **state) {
    (void)state;
    assert_true(titles_cosine(&v1, "chocolate", "chocolates") < 0.2f);
    assert_true(titles_cosine(&v2, "chocolate", "chocolates") > 0.6f);
    assert_true(titles_cosine(&v2, "chocolate", "choclate") > 0.4f);
    assert_true(titles_cosine(&v2, "chocolate", "furniture") < 0.2f);
}

/* A title weighs more than a description. */
static void titles_weigh_more(void **state) {
    (void)state;
    struct text_piece pieces[] = {{bytes_of("kettle"), TEXT_TITLE},
                                  {bytes_of("toaster"), TEXT_DESCRIPTION}};
    float both[EMBED_TEXT_DIM];
    float kettle[EMBED_TEXT_DIM];
    float toaster[EMBED_TEXT_DIM];
    embed_text(&v2, pieces, 2, both);
    embed_title(&v2, "kettle", kettle);
    embed_title(&v2, "toaster", toaster);
    assert_true(vector_dot(both, kettle, EMBED_TEXT_DIM) >
                vector_dot(both, toaster, EMBED_TEXT_DIM) + 0.2f);
}

/* The order of pieces and of images changes no bit (D3). */
static void order_does_not_matter(void **state) {
    (void)state;
    struct text_piece there[] = {{bytes_of("steel water bottle"), TEXT_TITLE},
                                 {bytes_of("keeps water cold, water tight"), TEXT_DESCRIPTION},
                                 {bytes_of("colour blue"), TEXT_ATTRIBUTES}};
    struct text_piece back[] = {there[2], there[1], there[0]};
    float a[EMBED_FUSED_DIM];
    float b[EMBED_FUSED_DIM];
    embed_text(&v2, there, 3, a);
    embed_text(&v2, back, 3, b);
    assert_memory_equal(a, b, EMBED_TEXT_DIM * sizeof *a);
    struct bytes images[] = {bytes_of("bottle blue 1"), bytes_of("bottle blue 2"),
                             bytes_of("label")};
    struct bytes turned[] = {images[1], images[2], images[0]};
    embed_image(&v2, images, 3, a);
    embed_image(&v2, turned, 3, b);
    assert_memory_equal(a, b, EMBED_IMAGE_DIM * sizeof *a);
}

/* Pictures of a category are near each other and never the same. */
static void pictures_of_a_kind_are_near(void **state) {
    (void)state;
    const struct embedding_model *models[] = {&v1, &v2};
    for (size_t i = 0; i < 2; i++) {
        float kind = images_cosine(models[i], "shoe red studio 1f", "shoe red studio 2e");
        float other = images_cosine(models[i], "shoe red studio 1f", "sofa green room 77");
        assert_true(kind > 0.5f);
        assert_true(kind < 0.999f);
        assert_true(other < 0.3f);
    }
}

/* Fused: keeps what is near in either, and stands on one leg too (A6). */
static void fused_keeps_both(void **state) {
    (void)state;
    float shoes[EMBED_TEXT_DIM];
    float table[EMBED_TEXT_DIM];
    float picture[EMBED_IMAGE_DIM];
    struct bytes descriptor = bytes_of("shoe red studio 1f");
    embed_title(&v1, "red running shoes", shoes);
    embed_title(&v1, "oak garden table", table);
    embed_image(&v1, &descriptor, 1, picture);
    float both[EMBED_FUSED_DIM];
    float text_only[EMBED_FUSED_DIM];
    float image_only[EMBED_FUSED_DIM];
    float other_text[EMBED_FUSED_DIM];
    embed_fused(&v1, shoes, picture, both);
    embed_fused(&v1, shoes, NULL, text_only);
    embed_fused(&v1, NULL, picture, image_only);
    embed_fused(&v1, table, picture, other_text);
    assert_unit(both, EMBED_FUSED_DIM);
    assert_unit(text_only, EMBED_FUSED_DIM);
    assert_unit(image_only, EMBED_FUSED_DIM);
    assert_true(vector_dot(both, text_only, EMBED_FUSED_DIM) > 0.6f);
    assert_true(vector_dot(both, image_only, EMBED_FUSED_DIM) > 0.5f);
    assert_true(vector_dot(both, other_text, EMBED_FUSED_DIM) > 0.3f);
    assert_true(vector_dot(text_only, image_only, EMBED_FUSED_DIM) < 0.2f);
}

/* Angles between texts survive fusing without images. */
static void fusing_one_keeps_angles(void **state) {
    (void)state;
    float a[EMBED_TEXT_DIM];
    float b[EMBED_TEXT_DIM];
    float fused_a[EMBED_FUSED_DIM];
    float fused_b[EMBED_FUSED_DIM];
    embed_title(&v2, "red running shoes", a);
    embed_title(&v2, "blue running socks", b);
    embed_fused(&v2, a, NULL, fused_a);
    embed_fused(&v2, b, NULL, fused_b);
    float apart = vector_dot(a, b, EMBED_TEXT_DIM) - vector_dot(fused_a, fused_b, EMBED_FUSED_DIM);
    assert_true(fabsf(apart) < 1e-5f);
}

/* A vector of one version or seed says nothing to another. */
static void versions_do_not_mix(void **state) {
    (void)state;
    struct embedding_model other_seed;
    struct embedding_model v3;
    embedding_model_init(&other_seed, 1, 43);
    embedding_model_init(&v3, 3, 42);
    const struct embedding_model *models[] = {&v1, &v2, &v3, &other_seed};
    float vectors[4][EMBED_TEXT_DIM];
    for (size_t i = 0; i < 4; i++) {
        embed_title(models[i], "red leather running shoes for long distances", vectors[i]);
        for (size_t j = 0; j < i; j++) {
            assert_true(fabsf(vector_dot(vectors[i], vectors[j], EMBED_TEXT_DIM)) < 0.35f);
        }
    }
}

/* Nothing, no words, NULs, cut and overlong sequences, random bytes: always a vector of length 1.
 */
static void any_bytes_give_a_unit_vector(void **state) {
    (void)state;
    static const struct bytes odd[] = {
        {NULL, 0},           {"", 0},         {"---", 3},          {"\0\0\0", 3},
        {"\xC3", 1},         {"\xE2\x82", 2}, {"\xF0\x9F\x98", 3}, {"\xC0\x80", 2},
        {"\xED\xA0\x80", 3}, {"\xFF\xFE", 2}, {"a\xC3", 2},        {"\xF4\x90\x80\x80", 4},
    };
    float out[EMBED_IMAGE_DIM];
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct text_piece piece = {odd[i], TEXT_TITLE};
        embed_text(&v1, &piece, 1, out);
        assert_unit(out, EMBED_TEXT_DIM);
        embed_text(&v2, &piece, 1, out);
        assert_unit(out, EMBED_TEXT_DIM);
        embed_image(&v2, &odd[i], 1, out);
        assert_unit(out, EMBED_IMAGE_DIM);
    }
    embed_text(&v1, NULL, 0, out);
    assert_unit(out, EMBED_TEXT_DIM);
    struct prng p;
    prng_init(&p, 1, "bytes");
    for (int i = 0; i < 20000; i++) {
        /* On the heap in its true size: reading past the end is seen by the sanitizer. */
        size_t length = 1 + (size_t)prng_below(&p, 40);
        char *text = malloc(length);
        assert_non_null(text);
        for (size_t b = 0; b < length; b++) {
            text[b] = (char)prng_next(&p);
        }
        struct text_piece piece = {{text, length}, TEXT_DESCRIPTION};
        embed_text(&v2, &piece, 1, out);
        assert_unit(out, EMBED_TEXT_DIM);
        free(text);
    }
}

/* --- relevance --- */

#define PRODUCTS 600
#define STEMS 260

/* Words that do not exist, built of syllables. */
static void make_stem(struct prng *p, char *out) {
    static const char *const syllables[] = {"ka",  "lo", "mi",  "ten", "sor", "ba",  "ri", "que",
                                            "dun", "fe", "gar", "pi",  "zu",  "ver", "na", "cho"};
    out[0] = '\0';
    for (uint64_t left = 2 + prng_below(p, 3); left > 0; left--) {
        strcat(out, syllables[prng_below(p, 16)]);
    }
}

struct corpus {
    char stems[STEMS][24];
    unsigned words[PRODUCTS][4];
    float vectors[PRODUCTS][EMBED_TEXT_DIM];
};

/* Every word with an ending of its own: what shops write. */
static void title_of(const struct corpus *c, struct prng *p, size_t product, size_t words,
                     char *out) {
    static const char *const endings[] = {"", "s", "es", "ado", "ing"};
    out[0] = '\0';
    for (size_t w = 0; w < words; w++) {
        strcat(out, c->stems[c->words[product][w]]);
        strcat(out, endings[prng_below(p, 5)]);
        strcat(out, " ");
    }
}

/* Of 600 queries that say a product's words with other endings, how many find it first. */
static size_t found_first(const struct embedding_model *m, struct corpus *c) {
    struct prng p;
    char title[256];
    prng_init(&p, 5, "relevance");
    for (size_t i = 0; i < STEMS; i++) {
        make_stem(&p, c->stems[i]);
    }
    for (size_t i = 0; i < PRODUCTS; i++) {
        for (size_t w = 0; w < 4; w++) {
            c->words[i][w] = (unsigned)prng_below(&p, STEMS);
        }
        title_of(c, &p, i, 4, title);
        embed_title(m, title, c->vectors[i]);
    }
    size_t found = 0;
    for (size_t i = 0; i < PRODUCTS; i++) {
        float query[EMBED_TEXT_DIM];
        title_of(c, &p, i, 3, title);
        struct text_piece piece = {bytes_of(title), TEXT_QUERY};
        embed_text(m, &piece, 1, query);
        size_t best = 0;
        float best_cosine = -2;
        for (size_t j = 0; j < PRODUCTS; j++) {
            float cosine = vector_dot(query, c->vectors[j], EMBED_TEXT_DIM);
            if (cosine > best_cosine) {
                best_cosine = cosine;
                best = j;
            }
        }
        found += best == i;
    }
    return found;
}

/* An upgrade is worth its while: version 2 finds what version 1 misses, by a wide margin. */
static void version_2_finds_more(void **state) {
    (void)state;
    struct corpus *c = malloc(sizeof *c);
    assert_non_null(c);
    size_t first = found_first(&v1, c);
    size_t second = found_first(&v2, c);
    free(c);
    print_message("of %d queries version 1 finds %zu, version 2 %zu\n", PRODUCTS, first, second);
    assert_true(first > PRODUCTS / 10);
    assert_true(second > PRODUCTS * 4 / 5);
    assert_true(second > first + PRODUCTS / 5);
}

/* The bits of all three vectors in both versions: whatever compiler and level (D3). */
static void bits_are_those_known(void **state) {
    (void)state;
    static const uint64_t known[2][3] = {
        {UINT64_C(0x698DD6439E5D1FAC), UINT64_C(0x7B3498B432E0139D), UINT64_C(0xC81EA548AA48678B)},
        {UINT64_C(0x5A166CAF7B3D4F16), UINT64_C(0xC2E17DB0D7DA48C9), UINT64_C(0x09209DE31C4133B7)}};
    const struct embedding_model *models[] = {&v1, &v2};
    struct text_piece pieces[] = {
        {bytes_of("Chocolate líquido a la taza"), TEXT_TITLE},
        {bytes_of("Cacao, café e infusiones. Listo para tomar, caliente o frío."),
         TEXT_DESCRIPTION},
        {bytes_of("brand=Hacendado size=1l"), TEXT_ATTRIBUTES},
        {bytes_of("es-ES"), TEXT_LOCALE}};
    struct bytes images[] = {bytes_of("cacao brown carton 1"), bytes_of("cacao brown cup 2")};
    for (size_t m = 0; m < 2; m++) {
        float text[EMBED_TEXT_DIM];
        float image[EMBED_IMAGE_DIM];
        float fused[EMBED_FUSED_DIM];
        embed_text(models[m], pieces, 4, text);
        embed_image(models[m], images, 2, image);
        embed_fused(models[m], text, image, fused);
        uint64_t hashes[3] = {XXH3_64bits(text, sizeof text), XXH3_64bits(image, sizeof image),
                              XXH3_64bits(fused, sizeof fused)};
        for (size_t i = 0; i < 3; i++) {
            if (hashes[i] != known[m][i]) {
                fail_msg("version %zu, vector %zu: 0x%016llX", m + 1, i,
                         (unsigned long long)hashes[i]);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_words_bring_texts_near),
        cmocka_unit_test(letters_are_folded),
        cmocka_unit_test(parts_of_words_count_in_version_2),
        cmocka_unit_test(titles_weigh_more),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(pictures_of_a_kind_are_near),
        cmocka_unit_test(fused_keeps_both),
        cmocka_unit_test(fusing_one_keeps_angles),
        cmocka_unit_test(versions_do_not_mix),
        cmocka_unit_test(any_bytes_give_a_unit_vector),
        cmocka_unit_test(version_2_finds_more),
        cmocka_unit_test(bits_are_those_known),
    };
    return cmocka_run_group_tests(tests, make_models, NULL);
}
