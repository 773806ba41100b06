#include "sim/relevance_trial.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "sim/fake_keyword.h"
#include "sim/fake_vector_db.h"
#include "sim/hybrid_search.h"
#include "sim/term_vectors.h"

#define MODEL 1
#define LEARNING_ROUNDS 3
#define PRODUCTS_PER_DIRECTION 8

/* How often a word of each field counts: as in the keyword index. */
#define TITLE_WEIGHT 4.0f
#define DESCRIPTION_WEIGHT 1.0f
#define ATTRIBUTES_WEIGHT 1.5f

static const struct fusion fusions[FUSION_CHOICES] = {
    {FUSION_WEIGHTED, 0.1},        {FUSION_WEIGHTED, 0.2},        {FUSION_WEIGHTED, 0.3},
    {FUSION_WEIGHTED, 0.4},        {FUSION_WEIGHTED, 0.5},        {FUSION_WEIGHTED, 0.6},
    {FUSION_WEIGHTED, 0.7},        {FUSION_WEIGHTED, 0.8},        {FUSION_RECIPROCAL_RANK, 0.2},
    {FUSION_RECIPROCAL_RANK, 0.3}, {FUSION_RECIPROCAL_RANK, 0.4}, {FUSION_RECIPROCAL_RANK, 0.5},
    {FUSION_RECIPROCAL_RANK, 0.6}, {FUSION_RECIPROCAL_RANK, 0.7},
};

/* One query's scores. */
struct scored {
    uint32_t query;
    uint64_t hash;
    int half;
    struct relevance bm25, vector, fused[FUSION_CHOICES];
};

struct trial {
    const struct relevance_set *set;
    struct term_vectors *terms;
    struct fake_keyword *keyword;
    struct fake_vector_db *vectors;
    struct hybrid_answers *answers;
    struct fused_hit *hits;
    uint8_t *rating; /* per product, of the present query */
    uint8_t *judged; /* all ratings of the present query */
    struct scored *scored;
    size_t count;
};

/* ---- life ---- */

/* A small catalogue has fewer directions in which its products spread in earnest. */
static size_t directions(size_t products) {
    size_t some = products / PRODUCTS_PER_DIRECTION + 1;
    return some < TEXT_DIMENSION ? some : TEXT_DIMENSION;
}

static int trial_open(struct trial *t, const struct relevance_set *set, uint64_t seed) {
    *t = (struct trial){
        .set = set,
        .terms = term_vectors_new(&(struct term_vectors_options){
            .dimension = directions(set->product_count), .rounds = LEARNING_ROUNDS, .seed = seed}),
        .keyword = fake_keyword_new(&(struct fake_keyword_options){.journal = false}),
        .vectors = fake_vector_db_new(&(struct fake_vector_db_options){.seed = seed}),
        .answers = malloc(sizeof *t->answers),
        .hits = malloc(2 * HYBRID_DEPTH * sizeof *t->hits),
        .rating = calloc(set->product_count + 1, 1),
        .judged = malloc(set->judgment_count + 1),
        .scored = calloc(set->query_count + 1, sizeof *t->scored),
    };
    bool room = t->terms != NULL && t->keyword != NULL && t->vectors != NULL &&
                t->answers != NULL && t->hits != NULL && t->rating != NULL && t->judged != NULL &&
                t->scored != NULL;
    return room && fake_vector_db_create_collection(t->vectors, MODALITY_TEXT, MODEL) == 0
               ? 0
               : -ENOMEM;
}

static void trial_close(struct trial *t) {
    term_vectors_free(t->terms);
    fake_keyword_free(t->keyword);
    fake_vector_db_free(t->vectors);
    free(t->answers);
    free(t->hits);
    free(t->rating);
    free(t->judged);
    free(t->scored);
}

/* ---- products ---- */

static struct row_meta meta_of(const struct relevance_product *product) {
    return (struct row_meta){.version = 1,
                             .model_version = MODEL,
                             .seller_id = 1,
                             .price = -1,
                             .locale = product->locale,
                             .policy = POLICY_ACTIVE,
                             .active = true,
                             .modalities = 1u << MODALITY_TEXT};
}

static int add_words(struct trial *t, size_t i) {
    const struct relevance_product *p = &t->set->products[i];
    struct keyword_write write = {
        .listing_id = i + 1,
        .kind = ROW_UPSERT,
        .meta = meta_of(p),
        .title = p->title,
        .description = p->description,
        .attributes = p->attributes,
        .tokeniser = p->unspaced ? TOKENISER_BIGRAM : TOKENISER_WORD,
    };
    struct term_field fields[] = {{p->title, TITLE_WEIGHT},
                                  {p->description, DESCRIPTION_WEIGHT},
                                  {p->attributes, ATTRIBUTES_WEIGHT}};
    struct keyword_port port = fake_keyword_port(t->keyword);
    enum item_status status;
    return port.ops->write(port.ctx, (vtime){0}, &write, 1, &status) == 0 &&
                   term_vectors_add(t->terms, fields, sizeof fields / sizeof fields[0]) == 0
               ? 0
               : -ENOMEM;
}

/* Elements of a row beyond the learned ones are 0. */
static int add_vector(struct trial *t, size_t i) {
    float vector[TEXT_DIMENSION] = {0};
    if (!term_vectors_document(t->terms, i, vector)) {
        return 0;
    }
    struct vector_write write = {.listing_id = i + 1,
                                 .kind = ROW_UPSERT,
                                 .meta = meta_of(&t->set->products[i]),
                                 .vector = vector};
    struct vector_port port = fake_vector_db_port(t->vectors);
    enum item_status status;
    int rc = port.ops->write(port.ctx, (vtime){0}, MODALITY_TEXT, MODEL, &write, 1, &status);
    assert(rc != 0 || status == ITEM_APPLIED);
    return rc == 0 ? 0 : -ENOMEM;
}

static int index_products(struct trial *t) {
    assert(term_vectors_dimension(t->terms) <= TEXT_DIMENSION);
    for (size_t i = 0; i < t->set->product_count; i++) {
        if (add_words(t, i) != 0) {
            return -ENOMEM;
        }
    }
    if (term_vectors_learn(t->terms) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < t->set->product_count; i++) {
        if (add_vector(t, i) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- queries ---- */

static struct relevance score_ids(const struct trial *t, const uint64_t *ids, size_t count,
                                  size_t judged) {
    uint8_t ratings[RELEVANCE_DEPTH];
    for (size_t i = 0; i < count; i++) {
        ratings[i] = t->rating[ids[i] - 1];
    }
    return relevance_of(ratings, count, t->judged, judged);
}

static struct relevance score_hits(const struct trial *t, const struct search_hit *hits,
                                   size_t count, size_t judged) {
    uint64_t ids[RELEVANCE_DEPTH];
    count = count < RELEVANCE_DEPTH ? count : RELEVANCE_DEPTH;
    for (size_t i = 0; i < count; i++) {
        ids[i] = hits[i].listing_id;
    }
    return score_ids(t, ids, count, judged);
}

static struct relevance score_fused(struct trial *t, const struct fusion *fusion, size_t judged) {
    uint64_t ids[RELEVANCE_DEPTH];
    size_t count = hybrid_search_fuse(t->answers, fusion, t->hits);
    count = count < RELEVANCE_DEPTH ? count : RELEVANCE_DEPTH;
    for (size_t i = 0; i < count; i++) {
        ids[i] = t->hits[i].listing_id;
    }
    return score_ids(t, ids, count, judged);
}

static int ask(struct trial *t, const struct relevance_query *query) {
    float vector[TEXT_DIMENSION] = {0};
    struct row_filter filter = {.locale = query->locale};
    struct hybrid_search search = {.keyword = fake_keyword_port(t->keyword),
                                   .vectors = fake_vector_db_port(t->vectors),
                                   .modality = MODALITY_TEXT,
                                   .model_version = MODEL,
                                   .exact = true};
    struct hybrid_query asked = {.words = query->text, .filter = &filter};
    asked.vector = term_vectors_text(t->terms, query->text, vector) ? vector : NULL;
    return hybrid_search_ask(&search, (vtime){0}, &asked, t->answers) == 0 ? 0 : -ENOMEM;
}

/* Judgments from `first` to `end` are those of the query. */
static int score_query(struct trial *t, uint32_t query, size_t first, size_t end) {
    const struct relevance_query *q = &t->set->queries[query];
    const struct relevance_judgment *judgments = t->set->judgments;
    if (ask(t, q) != 0) {
        return -ENOMEM;
    }
    for (size_t i = first; i < end; i++) {
        t->judged[i - first] = judgments[i].rating;
        if (judgments[i].product != RELEVANCE_STRANGER) {
            t->rating[judgments[i].product] = judgments[i].rating;
        }
    }
    struct scored *s = &t->scored[t->count++];
    const struct hybrid_answers *a = t->answers;
    s->query = query;
    s->hash = XXH3_64bits(q->text.data, q->text.len);
    s->bm25 = score_hits(t, a->keyword, a->keyword_count, end - first);
    s->vector = score_hits(t, a->vector, a->vector_count, end - first);
    for (size_t f = 0; f < FUSION_CHOICES; f++) {
        s->fused[f] = score_fused(t, &fusions[f], end - first);
    }
    for (size_t i = first; i < end; i++) {
        if (judgments[i].product != RELEVANCE_STRANGER) {
            t->rating[judgments[i].product] = 0;
        }
    }
    return 0;
}

static int score_queries(struct trial *t) {
    const struct relevance_set *set = t->set;
    for (size_t first = 0, end; first < set->judgment_count; first = end) {
        uint32_t query = set->judgments[first].query;
        end = first;
        while (end < set->judgment_count && set->judgments[end].query == query) {
            end++;
        }
        if (set->queries[query].useful && score_query(t, query, first, end) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- choosing and summing up ---- */

static int by_hash(const void *left, const void *right) {
    const struct scored *a = left;
    const struct scored *b = right;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return a->query < b->query ? -1 : a->query > b->query;
}

static void halve(struct trial *t) {
    qsort(t->scored, t->count, sizeof *t->scored, by_hash);
    for (size_t i = 0; i < t->count; i++) {
        t->scored[i].half = (int)(i % 2);
    }
}

/* The fusion that is best on one half. */
static size_t best_fusion(const struct trial *t, int half) {
    size_t best = 0;
    double most = -1;
    for (size_t f = 0; f < FUSION_CHOICES; f++) {
        double sum = 0;
        for (size_t i = 0; i < t->count; i++) {
            sum += t->scored[i].half == half ? t->scored[i].fused[f].ndcg10 : 0;
        }
        if (sum > most) {
            most = sum;
            best = f;
        }
    }
    return best;
}

static void add_relevance(struct relevance *sum, const struct relevance *part, double share) {
    sum->ndcg10 += part->ndcg10 * share;
    sum->mrr += part->mrr * share;
    sum->recall100 += part->recall100 * share;
}

static int sum_up(struct trial *t, uint64_t seed, struct relevance_report *report) {
    *report = (struct relevance_report){.queries = t->count};
    double *differences = malloc((t->count + 1) * sizeof *differences);
    if (differences == NULL) {
        return -ENOMEM;
    }
    size_t chosen[2] = {best_fusion(t, 1), best_fusion(t, 0)};
    double share = 1.0 / (double)t->count;
    for (size_t i = 0; i < t->count; i++) {
        const struct scored *s = &t->scored[i];
        add_relevance(&report->bm25, &s->bm25, share);
        add_relevance(&report->vector, &s->vector, share);
        add_relevance(&report->hybrid, &s->fused[chosen[s->half]], share);
    }
    bool vector_better = report->vector.ndcg10 > report->bm25.ndcg10;
    for (size_t i = 0; i < t->count; i++) {
        const struct scored *s = &t->scored[i];
        double before = vector_better ? s->vector.ndcg10 : s->bm25.ndcg10;
        differences[i] = s->fused[chosen[s->half]].ndcg10 - before;
        report->better += differences[i] > 0;
        report->equal += differences[i] == 0;
        report->worse += differences[i] < 0;
    }
    report->fused[0] = fusions[chosen[0]];
    report->fused[1] = fusions[chosen[1]];
    report->lift =
        report->hybrid.ndcg10 - (vector_better ? report->vector.ndcg10 : report->bm25.ndcg10);
    int rc = relevance_bootstrap(differences, t->count, seed, &report->lift_ci95);
    free(differences);
    return rc;
}

int relevance_trial(const struct relevance_set *set, uint64_t seed,
                    struct relevance_report *report) {
    struct trial t;
    int rc = trial_open(&t, set, seed);
    if (rc == 0) {
        rc = index_products(&t);
    }
    if (rc == 0) {
        rc = score_queries(&t);
    }
    if (rc == 0) {
        assert(t.count > 0);
        halve(&t);
        rc = sum_up(&t, seed, report);
    }
    trial_close(&t);
    return rc;
}
