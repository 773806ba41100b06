#include "cli/prober.h"

#include <string.h>

#include "pipeline/embed_flaw.h"

enum { PROBE_K = 10 };

/* A search's way there and back beside the work itself. */
#define SEARCH_P50_NS (6 * VTIME_MILLISECOND)
#define SEARCH_P99_NS (60 * VTIME_MILLISECOND)
#define SEARCH_MAX_NS VTIME_SECOND

static bool seen_before(const struct search_hit *hits, size_t i) {
    for (size_t k = 0; k < i; k++) {
        if (hits[k].listing_id == hits[i].listing_id) {
            return true;
        }
    }
    return false;
}

/* Share of the exact answer that was found. A hit is right when it is as near as the farthest exact
 * one: among equally near listings any will do (ANN-Benchmarks counts so too), each of them once.
 */
static double overlap(const struct search_hit *found, size_t found_count,
                      const struct search_hit *exact, size_t exact_count) {
    size_t right = 0;
    for (size_t i = 0; i < found_count; i++) {
        right += found[i].score >= exact[exact_count - 1].score && !seen_before(found, i);
    }
    return (double)(right < exact_count ? right : exact_count) / (double)exact_count;
}

/* Bit for bit: an index that finds its hits another way makes another run (D3). */
static void note_hits(struct prober *p, const struct search_hit *hits, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t score;
        memcpy(&score, &hits[i].score, sizeof score);
        simulation_note(p->simulation, hits[i].listing_id);
        simulation_note(p->simulation, (uint64_t)hits[i].version);
        simulation_note(p->simulation, score);
    }
}

/* False when there was no memory for it: that says nothing about the store. */
static bool answered(struct prober *p, enum store_id store, uint32_t model, vtime now, int error,
                     const struct row_filter *filter, const struct search_hit *hits, size_t count) {
    if (error == PORT_NO_MEMORY) {
        simulation_give_up(p->simulation);
        return false;
    }
    struct run_recall *recall = &p->result->recall;
    int64_t latency_ns = latency_model_draw_ns(&p->latency, &p->stream);
    recall->asked++;
    simulation_note(p->simulation, (uint64_t)(int64_t)error);
    if (error != PORT_OK) {
        oracle_search_failed(p->oracle, now, store, error);
        return true;
    }
    note_hits(p, hits, count);
    recall->answered++;
    histogram_add(&recall->latency, latency_ns);
    oracle_hits(p->oracle, now, store, model, hits, count);
    oracle_filtered(p->oracle, now, store, filter, hits, count);
    return true;
}

/* A query that a model made a vector of. */
struct vector_query {
    uint32_t model;
    int error;
    float vector[TEXT_DIMENSION];
};

/* One search, and what it would have found exactly. The best hit's listing, or 0. False: the run is
 * given up. */
static bool probe_filter(struct prober *p, vtime now, const struct vector_query *query,
                         const struct row_filter *filter, uint64_t *best) {
    const struct vector_port *vectors = &simulation_ports(p->simulation)->vectors;
    struct search_hit found[PROBE_K], exact[PROBE_K];
    size_t found_count = 0, exact_count = 0;
    int error = query->error;
    *best = 0;
    if (error == PORT_OK) {
        error = vectors->ops->search(vectors->ctx, now, MODALITY_TEXT, 0, query->vector, PROBE_K,
                                     p->scenario->probe_ef, false, filter, found, &found_count);
    }
    if (!answered(p, STORE_VECTOR_TEXT, query->model, now, error, filter, found, found_count)) {
        return false;
    }
    if (error != PORT_OK) {
        return true;
    }
    *best = found_count > 0 ? found[0].listing_id : 0;
    error = vectors->ops->search(vectors->ctx, now, MODALITY_TEXT, 0, query->vector, PROBE_K, 0,
                                 true, filter, exact, &exact_count);
    if (error == PORT_NO_MEMORY) {
        simulation_give_up(p->simulation);
        return false;
    }
    if (error != PORT_OK || exact_count == 0) {
        return true;
    }
    note_hits(p, exact, exact_count);
    struct run_recall *recall = &p->result->recall;
    double share = overlap(found, found_count, exact, exact_count);
    recall->min = recall->probes == 0 || share < recall->min ? share : recall->min;
    recall->probes++;
    p->recall_sum += share;
    run_series_append(p->result, p->series, now.ns, share);
    return true;
}

/* The same query by the category that a hit's row names, which is not always one that is asked for:
 * a row that was left behind is found by where its listing once stood (A7). */
static bool probe_category(struct prober *p, vtime now, const struct vector_query *query,
                           uint64_t listing_id) {
    struct fake_vector_db *db = simulation_vector_db(p->simulation);
    struct vector_row_view row;
    char category[128];
    if (listing_id == 0 ||
        !fake_vector_db_find(db, MODALITY_TEXT, query->model, listing_id, &row) ||
        row.meta.category.len == 0 || row.meta.category.len > sizeof category) {
        return true;
    }
    size_t length = row.meta.category.len;
    memcpy(category, row.meta.category.data, length);
    struct row_filter filter = {.category = {category, length}, .servable_only = true};
    uint64_t best;
    return probe_filter(p, now, query, &filter, &best);
}

/* The same query by every filter that lets the best hit through (A7). */
static bool probe_filters(struct prober *p, vtime now, const struct vector_query *query,
                          uint64_t best) {
    struct fake_vector_db *db = simulation_vector_db(p->simulation);
    struct vector_row_view row;
    if (!fake_vector_db_find(db, MODALITY_TEXT, query->model, best, &row)) {
        return true;
    }
    /* A search may show what was written meanwhile, so the texts are the prober's own. */
    char locale[64];
    size_t length = row.meta.locale.len < sizeof locale ? row.meta.locale.len : 0;
    memcpy(locale, length > 0 ? row.meta.locale.data : "", length);
    const struct row_filter filters[] = {
        {.seller_id = row.meta.seller_id, .servable_only = true},
        {.locale = {locale, length}, .servable_only = true},
        {.locale = {locale, length}, .seller_id = row.meta.seller_id},
    };
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        if (!probe_filter(p, now, query, &filters[i], &best)) {
            return false;
        }
    }
    return probe_category(p, now, query, best);
}

static bool probe_vectors(struct prober *p, vtime now, const struct workload_query *query,
                          const struct row_filter *filter) {
    struct simulation_ports *ports = simulation_ports(p->simulation);
    struct vector_query asked = {
        .model = fake_vector_db_alias_target(simulation_vector_db(p->simulation), MODALITY_TEXT)};
    struct embed_item item = {.modalities = 1u << MODALITY_TEXT, .text = {.title = query->text}};
    struct embed_result embedded = {.vectors = {[MODALITY_TEXT] = asked.vector}};
    asked.error =
        ports->embedding.ops->embed(ports->embedding.ctx, now, asked.model, &item, 1, &embedded);
    /* Whoever serves searches asks with no vector that is none, as the builder writes none. */
    if (asked.error == PORT_OK && (embedded.status != ITEM_APPLIED ||
                                   embed_flaw_of(asked.model, &embedded, NULL) != EMBED_SOUND)) {
        asked.error = PORT_UNAVAILABLE;
    }
    uint64_t best;
    return probe_filter(p, now, &asked, filter, &best) &&
           (!p->scenario->probe_filters || best == 0 || probe_filters(p, now, &asked, best));
}

static bool probe_keywords(struct prober *p, vtime now, const struct workload_query *query,
                           const struct row_filter *filter) {
    const struct keyword_port *keywords = &simulation_ports(p->simulation)->keywords;
    struct search_hit hits[PROBE_K];
    size_t count = 0;
    int error =
        keywords->ops->search(keywords->ctx, now, query->text, PROBE_K, filter, hits, &count);
    return answered(p, STORE_KEYWORD, 0, now, error, filter, hits, count);
}

/* False: the run is given up. */
static bool ask_round(struct prober *p, vtime now) {
    for (uint32_t i = 0; i < p->scenario->probe_queries; i++) {
        struct workload_query query;
        if (!workload_query(p->workload, p->asked++, &query)) {
            break;
        }
        struct row_filter filter = {.category = query.category, .servable_only = true};
        if (!probe_vectors(p, now, &query, &filter) || !probe_keywords(p, now, &query, &filter)) {
            return false;
        }
    }
    return true;
}

static void round_due(void *ctx, vtime now, uint64_t arg) {
    struct prober *p = ctx;
    (void)arg;
    if (ask_round(p, now) && !simulation_workload_done(p->simulation)) {
        simulation_schedule(p->simulation, vtime_add(now, p->scenario->probe_every_ns), "probe",
                            p->asked, round_due, p, 0);
    }
}

static void switch_due(void *ctx, vtime now, uint64_t arg) {
    (void)arg;
    ask_round(ctx, now);
}

void prober_alias_switched(struct prober *p, vtime now) {
    if (p->scenario->probe_every_ns > 0 &&
        simulation_schedule(p->simulation, now, "probe at a switch", p->asked, switch_due, p, 0) !=
            0) {
        simulation_give_up(p->simulation);
    }
}

int prober_start(struct prober *p) {
    if (p->scenario->probe_every_ns == 0) {
        return 0;
    }
    prng_init(&p->stream, simulation_seed(p->simulation), "probe");
    latency_model_init(&p->latency, SEARCH_P50_NS, SEARCH_P99_NS, SEARCH_MAX_NS);
    histogram_init(&p->result->recall.latency, VTIME_MICROSECOND);
    p->series = run_result_series(p->result, RUN_SERIES_RECALL, "recall@10");
    vtime first = vtime_add(simulation_now(p->simulation), p->scenario->probe_every_ns);
    return simulation_schedule(p->simulation, first, "probe", 0, round_due, p, 0);
}

void prober_finish(struct prober *p) {
    struct run_recall *recall = &p->result->recall;
    if (recall->probes > 0) {
        recall->mean = p->recall_sum / (double)recall->probes;
    }
}
