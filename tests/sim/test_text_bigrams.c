/* Texts without spaces between their words (A4): cut into pairs, found by the words within them,
 * and embedded near each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/embedding_model.h"
#include "sim/fake_keyword.h"
#include "sim/prng.h"
#include "sim/text_bigrams.h"
#include "sim/vector_math.h"

static void assert_cut(const char *text, const char *expected) {
    char out[256];
    size_t length = bigrams_spaced(bytes_of(text), out, sizeof out - 1);
    assert_true(length < sizeof out);
    out[length] = '\0';
    assert_string_equal(out, expected);
}

/* Runs of letters become overlapping pairs; what has spaces of its own stays as it is. */
static void pairs_of_letters(void **state) {
    (void)state;
    assert_cut("", "");
    assert_cut("red kettle", "red kettle");
    assert_cut("防水", "防水");
    assert_cut("防水カメラ", "防水 水カ カメ メラ");
    assert_cut("SONY防水カメラ2台", "SONY 防水 水カ カメ メラ 2 台");
    assert_cut("防、水", "防 、 水");
    assert_cut("陶器のマグカップ", "陶器 器の のマ マグ グカ カッ ップ");
    assert_cut("全棉衬衫", "全棉 棉衬 衬衫");
    assert_cut("데스크 램프", "데스 스크   램프");
}

/* A letter at the end of the text, cut off bytes and bytes that are no text do no harm. */
static void any_bytes_are_cut(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 1, "bytes");
    for (int i = 0; i < 20000; i++) {
        char text[24];
        char out[sizeof text * 3];
        size_t length = prng_below(&p, sizeof text + 1);
        for (size_t k = 0; k < length; k++) {
            static const unsigned char some[] = {'a',  ' ',  0xE3, 0x81, 0x82,
                                                 0xF0, 0xA0, 0x80, 0xE9};
            text[k] = (char)some[prng_below(&p, sizeof some)];
        }
        struct bytes whole = {text, length};
        size_t at = 0;
        size_t covered = 0;
        struct bytes piece;
        while (bigrams_next(whole, &at, &piece)) {
            assert_true(piece.len > 0 && piece.data >= text);
            size_t begin = (size_t)(piece.data - text);
            assert_true(begin <= covered); /* nothing is left out */
            covered = begin + piece.len;
            assert_true(covered <= length);
        }
        assert_int_equal(covered, length);
        assert_true(bigrams_spaced(whole, out, sizeof out) <= 2 * length + length / 3 + 1);
    }
}

static float likeness(const struct embedding_model *m, enum tokeniser tokeniser, const char *a,
                      const char *b) {
    static float x[EMBED_TEXT_DIM], y[EMBED_TEXT_DIM];
    struct text_piece one = {bytes_of(a), TEXT_TITLE};
    struct text_piece other = {bytes_of(b), TEXT_TITLE};
    embed_text_cut(m, tokeniser, &one, 1, x);
    embed_text_cut(m, tokeniser, &other, 1, y);
    return vector_dot(x, y, EMBED_TEXT_DIM);
}

/* Two titles that share a word without spaces around it are near each other only when they are cut;
 * a text with spaces is the same either way. */
static void cut_texts_are_near(void **state) {
    (void)state;
    struct embedding_model m;
    embedding_model_init(&m, 1, 1);
    const char *camera = "防水カメラ";
    const char *small = "小型カメラ";
    assert_true(likeness(&m, TOKENISER_BIGRAM, camera, small) > 0.3F);
    assert_true(likeness(&m, TOKENISER_WORD, camera, small) < 0.2F);
    static float word[EMBED_TEXT_DIM], cut[EMBED_TEXT_DIM];
    struct text_piece plain = {bytes_of("red kettle, 2 l"), TEXT_TITLE};
    embed_text_cut(&m, TOKENISER_WORD, &plain, 1, word);
    embed_text_cut(&m, TOKENISER_BIGRAM, &plain, 1, cut);
    assert_memory_equal(word, cut, sizeof word);
}

static void put(struct fake_keyword *k, uint64_t id, doc_version version, const char *title,
                enum tokeniser tokeniser) {
    struct keyword_port port = fake_keyword_port(k);
    struct keyword_write write = {
        .listing_id = id,
        .kind = ROW_UPSERT,
        .rule = VERSION_GREATER,
        .meta = {.version = version, .policy = POLICY_ACTIVE, .active = true},
        .title = bytes_of(title),
        .tokeniser = tokeniser,
    };
    enum item_status status;
    assert_int_equal(port.ops->write(port.ctx, (vtime){version}, &write, 1, &status), 0);
    assert_int_equal(status, ITEM_APPLIED);
    fake_keyword_check(k);
}

static size_t hits_of(struct fake_keyword *k, const char *words) {
    struct keyword_port port = fake_keyword_port(k);
    struct search_hit hits[8];
    size_t count = 0;
    assert_int_equal(port.ops->search(port.ctx, (vtime){9}, bytes_of(words), 8, NULL, hits, &count),
                     0);
    return count;
}

/* The keyword index finds a word within a longer run where the locale asks for pairs, also when
 * only that changed, and the run as a whole where it does not. */
static void words_within_are_found(void **state) {
    (void)state;
    struct fake_keyword *k = fake_keyword_new(&(struct fake_keyword_options){.journal = true});
    assert_non_null(k);
    put(k, 1, 1, "防水カメラ", TOKENISER_WORD);
    put(k, 2, 1, "red kettle", TOKENISER_BIGRAM);
    assert_int_equal(hits_of(k, "カメラ"), 0);
    assert_int_equal(hits_of(k, "防水カメラ"), 1);
    put(k, 1, 2, "防水カメラ", TOKENISER_BIGRAM);
    assert_int_equal(hits_of(k, "カメラ"), 1);
    assert_int_equal(hits_of(k, "防水カメラ"), 1);
    assert_int_equal(hits_of(k, "kettle"), 1);
    fake_keyword_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_of_letters),
        cmocka_unit_test(any_bytes_are_cut),
        cmocka_unit_test(cut_texts_are_near),
        cmocka_unit_test(words_within_are_found),
    };
    return cmocka_run_group_tests_name("text_bigrams", tests, NULL, NULL);
}
