/*
 * Search by words and vectors (B7): the measures against values worked out by hand, two rankings
 * made one, filters on both sides, and vectors that know what words do not share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/fake_keyword.h"
#include "sim/fake_vector_db.h"
#include "sim/hybrid_search.h"
#include "sim/relevance.h"
#include "sim/relevance_set.h"
#include "sim/relevance_trial.h"
#include "sim/term_vectors.h"
#include "sim/term_words.h"
#include "sim/vector_math.h"

static void assert_near(double got, double wanted) {
    assert_true(got > wanted - 1e-9 && got < wanted + 1e-9);
}

/* ---- measures ---- */

/* Gains 7, 0, 1 at ranks 1 to 3 give 7 + 1/2; the best order of 3, 2, 1 gives 7 + 3/log2(3) + 1/2.
 */
static void measures_by_hand(void **state) {
    (void)state;
    const uint8_t ratings[] = {3, 0, 1};
    const uint8_t judged[] = {1, 0, 3, 2};
    struct relevance r = relevance_of(ratings, 3, judged, 4);
    assert_near(r.ndcg10, 7.5 / (7.5 + 3 / 1.5849625007211562));
    assert_near(r.mrr, 1);
    assert_near(r.recall100, 2.0 / 3);
}

/* What stands at rank 11 counts for recall alone, and what stands behind rank 100 for nothing. */
static void measures_have_an_end(void **state) {
    (void)state;
    uint8_t ratings[120] = {0};
    ratings[10] = 3;
    ratings[100] = 3;
    const uint8_t judged[] = {3, 3};
    struct relevance r = relevance_of(ratings, 120, judged, 2);
    assert_near(r.ndcg10, 0);
    assert_near(r.mrr, 1.0 / 11);
    assert_near(r.recall100, 0.5);
    r = relevance_of(ratings, 0, judged, 2);
    assert_near(r.ndcg10 + r.mrr + r.recall100, 0);
}

/* A ranking in the best order has an nDCG of 1, however many more there are to be found. */
static void best_order_is_one(void **state) {
    (void)state;
    uint8_t judged[30];
    memset(judged, 2, sizeof judged);
    assert_near(relevance_of(judged, 10, judged, 30).ndcg10, 1);
    assert_near(relevance_of(judged, 10, judged, 30).recall100, 1.0 / 3);
}

/* The same seed gives the same interval, another one another; it holds the mean, and of equal
 * differences it is that difference. */
static void bootstrap_is_repeatable(void **state) {
    (void)state;
    double differences[40];
    for (int i = 0; i < 40; i++) {
        differences[i] = i % 4 == 0 ? 0.5 : -0.1;
    }
    struct interval a, b, c;
    assert_int_equal(relevance_bootstrap(differences, 40, 1, &a), 0);
    assert_int_equal(relevance_bootstrap(differences, 40, 1, &b), 0);
    assert_int_equal(relevance_bootstrap(differences, 40, 2, &c), 0);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
    assert_true(a.low < 0.05 && 0.05 < a.high && a.high - a.low < 0.2);
    const double same[] = {0.25, 0.25};
    assert_int_equal(relevance_bootstrap(same, 2, 1, &a), 0);
    assert_near(a.low, 0.25);
    assert_near(a.high, 0.25);
}

/* ---- fusion ---- */

static const struct search_hit by_words[] = {{1, 9, 0}, {2, 6, 0}, {3, 3, 0}};
static const struct search_hit by_vectors[] = {{3, 0.9f, 0}, {4, 0.4f, 0}};

static size_t fuse(enum fusion_kind kind, double weight, struct fused_hit out[5]) {
    return fusion_rank(&(struct fusion){kind, weight}, (struct ranking){by_words, 3},
                       (struct ranking){by_vectors, 2}, out);
}

/* Listing 3 stands in both lists, third and first: 1/63 + 1/61, halved. */
static void fuses_ranks(void **state) {
    (void)state;
    struct fused_hit hits[5];
    assert_int_equal(fuse(FUSION_RECIPROCAL_RANK, 0.5, hits), 4);
    assert_int_equal(hits[0].listing_id, 3);
    assert_near(hits[0].score, (1.0 / 63 + 1.0 / 61) / 2);
    assert_int_equal(hits[1].listing_id, 1);
    assert_int_equal(hits[2].listing_id, 2); /* as far up as 4, and with the lower id */
    assert_int_equal(hits[3].listing_id, 4);
}

/* Scores 9, 6, 3 become 1, 1/2, 0; the weights say which list has the word. */
static void fuses_scores(void **state) {
    (void)state;
    struct fused_hit hits[5];
    assert_int_equal(fuse(FUSION_WEIGHTED, 0.25, hits), 4);
    assert_int_equal(hits[0].listing_id, 1);
    assert_near(hits[0].score, 0.75);
    assert_int_equal(hits[1].listing_id, 2);
    assert_near(hits[1].score, 0.375);
    assert_int_equal(hits[2].listing_id, 3);
    assert_near(hits[2].score, 0.25);
    fuse(FUSION_WEIGHTED, 0.75, hits);
    assert_int_equal(hits[0].listing_id, 3);
    assert_int_equal(fusion_rank(&(struct fusion){FUSION_WEIGHTED, 0.5}, (struct ranking){0},
                                 (struct ranking){by_vectors, 1}, hits),
                     1);
    assert_near(hits[0].score, 0.5);
}

/* ---- both sides ---- */

static void write_both(struct fake_keyword *k, struct fake_vector_db *db, uint64_t id,
                       const char *locale, const float *vector) {
    struct row_meta meta = {.version = 1,
                            .model_version = 1,
                            .locale = bytes_of(locale),
                            .policy = POLICY_ACTIVE,
                            .active = true};
    struct keyword_write words = {
        .listing_id = id, .kind = ROW_UPSERT, .meta = meta, .title = bytes_of("oak table")};
    struct vector_write row = {
        .listing_id = id, .kind = ROW_UPSERT, .meta = meta, .vector = vector};
    struct keyword_port keyword = fake_keyword_port(k);
    struct vector_port vectors = fake_vector_db_port(db);
    enum item_status status;
    assert_int_equal(keyword.ops->write(keyword.ctx, (vtime){0}, &words, 1, &status), 0);
    assert_int_equal(
        vectors.ops->write(vectors.ctx, (vtime){0}, MODALITY_TEXT, 1, &row, 1, &status), 0);
    assert_int_equal(status, ITEM_APPLIED);
}

/* A filter holds on both sides, so no hit of the fused ranking escapes it. */
static void filters_hold_on_both_sides(void **state) {
    (void)state;
    struct fake_keyword *k = fake_keyword_new(&(struct fake_keyword_options){.journal = false});
    struct fake_vector_db *db = fake_vector_db_new(&(struct fake_vector_db_options){.seed = 1});
    assert_int_equal(fake_vector_db_create_collection(db, MODALITY_TEXT, 1), 0);
    static float vector[TEXT_DIMENSION] = {1};
    for (uint64_t id = 1; id <= 10; id++) {
        write_both(k, db, id, id % 2 == 0 ? "en-GB" : "de-DE", vector);
    }
    struct hybrid_search search = {.keyword = fake_keyword_port(k),
                                   .vectors = fake_vector_db_port(db),
                                   .modality = MODALITY_TEXT,
                                   .model_version = 1,
                                   .exact = true};
    struct row_filter filter = {.locale = bytes_of("de-DE")};
    static struct hybrid_answers answers;
    static struct fused_hit hits[2 * HYBRID_DEPTH];
    struct hybrid_query query = {bytes_of("table"), vector, &filter};
    assert_int_equal(hybrid_search_ask(&search, (vtime){0}, &query, &answers), 0);
    assert_int_equal(answers.keyword_count, 5);
    assert_int_equal(answers.vector_count, 5);
    size_t count = hybrid_search_fuse(&answers, &(struct fusion){FUSION_WEIGHTED, 0.5}, hits);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(hits[i].listing_id, 2 * i + 1);
    }
    query.vector = NULL;
    assert_int_equal(hybrid_search_ask(&search, (vtime){0}, &query, &answers), 0);
    assert_int_equal(answers.vector_count, 0);
    fake_keyword_free(k);
    fake_vector_db_free(db);
}

/* ---- words and vectors ---- */

static const char *words_of(const char *text) {
    static char out[256];
    struct term_walk walk = term_walk_begin(bytes_of(text));
    out[0] = '\0';
    for (struct bytes word; term_walk_next(&walk, &word);) {
        size_t used = strlen(out);
        snprintf(out + used, sizeof out - used, "%s%.*s", used == 0 ? "" : "|", (int)word.len,
                 word.data);
    }
    return out;
}

/* Case and plural go, signs part, letters without spaces go in pairs; cut-off bytes do no harm. */
static void words(void **state) {
    (void)state;
    assert_string_equal(words_of("Over-ear Headphones, 2 hubs"), "over|ear|headphone|2|hub");
    assert_string_equal(words_of("GLASS bus 1080s Gerät\xC2\xAE – x"), "glass|bus|1080s|gerät|x");
    assert_string_equal(words_of("SONY 防水カメラ"), "sony|防水|水カ|カメ|メラ");
    assert_string_equal(words_of(" ...\xF0\x9F"), "\xF0\x9F");
    assert_string_equal(words_of(""), "");
}

static struct term_vectors *learn(uint64_t seed) {
    static const char *const texts[] = {
        "laptop computer keyboard battery", "notebook computer keyboard battery",
        "laptop computer screen battery",   "notebook computer screen battery",
        "kettle water kitchen steel",       "pan water kitchen steel",
        "kettle boil kitchen steel handle", "pan boil kitchen steel handle",
    };
    struct term_vectors *v =
        term_vectors_new(&(struct term_vectors_options){.dimension = 2, .seed = seed});
    assert_non_null(v);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct term_field field = {bytes_of(texts[i]), 1};
        assert_int_equal(term_vectors_add(v, &field, 1), 0);
    }
    assert_int_equal(term_vectors_learn(v), 0);
    return v;
}

/* No product holds both "laptop" and "notebook", and yet one is found by the other: both stand
 * beside the same words. A word that nobody knows has no vector. */
static void vectors_know_more_than_words(void **state) {
    (void)state;
    struct term_vectors *v = learn(1);
    float query[2], notebook[2], kettle[2];
    assert_true(term_vectors_text(v, bytes_of("laptops"), query));
    assert_true(term_vectors_document(v, 1, notebook));
    assert_true(term_vectors_document(v, 4, kettle));
    assert_true(vector_dot(query, notebook, 2) > 0.95f);
    assert_true(vector_dot(query, kettle, 2) < 0.3f);
    assert_false(term_vectors_text(v, bytes_of("zeppelin"), query));
    assert_true(query[0] == 0 && query[1] == 0);
    term_vectors_free(v);
}

/* More directions than documents have: those to spare are empty and break nothing. */
static void more_directions_than_documents(void **state) {
    (void)state;
    struct term_vectors *v = term_vectors_new(&(struct term_vectors_options){.dimension = 16});
    struct term_field field = {bytes_of("red chair"), 1};
    assert_int_equal(term_vectors_add(v, &field, 1), 0);
    assert_int_equal(term_vectors_add(v, &field, 1), 0);
    assert_int_equal(term_vectors_add(v, &(struct term_field){bytes_of(""), 1}, 1), 0);
    assert_int_equal(term_vectors_learn(v), 0);
    float a[16], b[16];
    assert_true(term_vectors_document(v, 0, a));
    assert_true(term_vectors_text(v, bytes_of("chair"), b));
    assert_true(vector_is_finite(a, 16) && vector_dot(a, b, 16) > 0.99f);
    assert_false(term_vectors_document(v, 2, a));
    term_vectors_free(v);
}

/* ---- the labelled set ---- */

/* The generated set has judgments of every grade, all of them within the locale that the query
 * looks in; the same seed makes the same set. */
static void generated_set(void **state) {
    (void)state;
    struct relevance_set set, again;
    relevance_set_init(&set);
    relevance_set_init(&again);
    assert_int_equal(relevance_set_generate(&set, 1), 0);
    assert_int_equal(relevance_set_generate(&again, 1), 0);
    assert_int_equal(set.query_count, RELEVANCE_QUERIES);
    assert_int_equal(set.judgment_count, again.judgment_count);
    size_t grades[4] = {0};
    for (size_t i = 0; i < set.judgment_count; i++) {
        const struct relevance_judgment *j = &set.judgments[i];
        assert_true(bytes_equal(set.products[j->product].locale, set.queries[j->query].locale));
        assert_memory_equal(j, &again.judgments[i], sizeof *j);
        grades[j->rating]++;
    }
    assert_true(grades[0] == 0 && grades[1] > 0 && grades[2] > 0 && grades[3] > 0);
    relevance_set_release(&set);
    relevance_set_release(&again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_by_hand),
        cmocka_unit_test(measures_have_an_end),
        cmocka_unit_test(best_order_is_one),
        cmocka_unit_test(bootstrap_is_repeatable),
        cmocka_unit_test(fuses_ranks),
        cmocka_unit_test(fuses_scores),
        cmocka_unit_test(filters_hold_on_both_sides),
        cmocka_unit_test(words),
        cmocka_unit_test(vectors_know_more_than_words),
        cmocka_unit_test(more_directions_than_documents),
        cmocka_unit_test(generated_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
