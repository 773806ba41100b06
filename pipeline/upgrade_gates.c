#include "pipeline/upgrade_gates.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/memory.h"
#include "pipeline/wire.h"

const char *upgrade_gate_name(enum upgrade_gate gate) {
    static const char *const names[GATE_COUNT] = {
#define GATE_NAME(identifier, name) [GATE_##identifier] = name,
        UPGRADE_GATES(GATE_NAME)
#undef GATE_NAME
    };
    assert(gate < GATE_COUNT);
    return names[gate];
}

void upgrade_gates_begin(struct upgrade_gates *gates) {
    memset(gates, 0, sizeof *gates);
}

void upgrade_gates_count(struct upgrade_gates *gates, const struct page_counts *counts) {
    gates->counts.wanted += counts->wanted;
    gates->counts.missing += counts->missing;
    gates->counts.behind += counts->behind;
    gates->counts.extra += counts->extra;
    gates->counts.young += counts->young;
}

/* ---- Sampling ---- */

static uint64_t sample_hash(uint64_t listing_id) {
    char bytes[8];
    wire_put(bytes, listing_id, sizeof bytes);
    return XXH3_64bits(bytes, sizeof bytes);
}

void upgrade_gates_sample(struct upgrade_gates *gates, enum modality m,
                          const struct scan_row *row) {
    struct gate_row *rows = gates->sample[m];
    size_t *count = &gates->sample_counts[m];
    uint64_t hash = sample_hash(row->listing_id);
    for (size_t i = 0; i < *count; i++) {
        if (rows[i].listing_id == row->listing_id) {
            rows[i].written = row->changed_at; /* a page that was looked at again */
            return;
        }
    }
    if (*count == GATE_SAMPLE && hash >= rows[*count - 1].hash) {
        return;
    }
    /* Insertion from the end keeps the rows in the order of hashes. */
    size_t at = *count < GATE_SAMPLE ? (*count)++ : GATE_SAMPLE - 1;
    while (at > 0 && rows[at - 1].hash > hash) {
        rows[at] = rows[at - 1];
        at--;
    }
    rows[at] = (struct gate_row){hash, row->listing_id, row->changed_at};
}

/* ---- Reading and searching ---- */

int upgrade_gates_read(const struct upgrade_gates *gates, enum modality m, struct effects *effects,
                       struct effect *read) {
    size_t count = gates->sample_counts[m];
    size_t floats = count * modality_dimension(m);
    read->read.modality = m;
    read->read.count = count;
    read->read.listing_ids = effect_alloc(effects, read, count * sizeof(uint64_t));
    read->read.vectors = effect_alloc(effects, read, floats * sizeof(float));
    read->read.found = effect_alloc(effects, read, count * sizeof(bool));
    if (read->read.listing_ids == NULL || read->read.vectors == NULL || read->read.found == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        read->read.listing_ids[i] = gates->sample[m][i].listing_id;
    }
    return 0;
}

int upgrade_gates_search(struct upgrade_gates *gates, enum gate_search which,
                         const struct effect *read, struct effects *effects,
                         struct effect *search) {
    struct gate_found *found = &gates->found[which];
    enum modality m = read->read.modality;
    size_t dimension = modality_dimension(m);
    size_t room = read->read.count < GATE_QUERIES ? read->read.count : GATE_QUERIES;
    float *queries = effect_alloc(effects, search, (room + 1) * dimension * sizeof *queries);
    search->search.hits =
        effect_alloc(effects, search, (room + 1) * GATE_HITS * sizeof *search->search.hits);
    search->search.hit_counts =
        effect_alloc(effects, search, (room + 1) * sizeof *search->search.hit_counts);
    if (queries == NULL || search->search.hits == NULL || search->search.hit_counts == NULL) {
        return -ENOMEM;
    }
    found->count = 0;
    for (size_t i = 0; i < room; i++) {
        if (read->read.found[i]) {
            memcpy(queries + found->count * dimension, read->read.vectors + i * dimension,
                   dimension * sizeof *queries);
            found->listing_ids[found->count++] = read->read.listing_ids[i];
        }
    }
    search->search.modality = m;
    search->search.model_version = read->read.model_version;
    search->search.queries = queries;
    search->search.count = found->count;
    search->search.k = GATE_HITS;
    search->search.exact = which != SEARCH_SHADOW;
    return 0;
}

void upgrade_gates_found(struct upgrade_gates *gates, enum gate_search which,
                         const struct effect *search) {
    struct gate_found *found = &gates->found[which];
    assert(search->search.count == found->count && search->search.k == GATE_HITS);
    for (size_t i = 0; i < found->count; i++) {
        size_t count = search->search.hit_counts[i];
        memcpy(found->hits[i], search->search.hits + i * GATE_HITS, count * sizeof *found->hits[i]);
        found->hit_counts[i] = count;
    }
}

/* ---- Drift ---- */

static bool written_before(const struct gate_row *a, const struct gate_row *b) {
    return vtime_before(a->written, b->written) ||
           (a->written.ns == b->written.ns && a->hash < b->hash);
}

/* Places of the rows that were found, in the order in which they were written. */
static size_t by_writing(const struct gate_row *rows, const struct effect *read,
                         size_t order[GATE_SAMPLE]) {
    size_t count = 0;
    for (size_t i = 0; i < read->read.count; i++) {
        if (!read->read.found[i]) {
            continue;
        }
        size_t at = count++;
        while (at > 0 && written_before(&rows[i], &rows[order[at - 1]])) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    return count;
}

int upgrade_gates_drift(struct upgrade_gates *gates, enum modality m, enum gate_side side,
                        const struct effect *read) {
    struct gate_drift *drift = &gates->drift[side];
    size_t order[GATE_SAMPLE];
    assert(read->read.count <= GATE_SAMPLE);
    size_t half = by_writing(gates->sample[m], read, order) / 2;
    drift->measured = half >= DRIFT_ROWS_MIN;
    if (!drift->measured) {
        return 0;
    }
    size_t dimension = modality_dimension(m);
    float *sorted = memory_resize(NULL, 2 * half * dimension * sizeof *sorted);
    if (sorted == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < 2 * half; i++) {
        memcpy(sorted + i * dimension, read->read.vectors + order[i] * dimension,
               dimension * sizeof *sorted);
    }
    struct vector_sample first = {sorted, half, (uint32_t)dimension};
    struct vector_sample last = {sorted + half * dimension, half, (uint32_t)dimension};
    int error = drift_measure(first, last, &drift->values);
    drift->limits = drift_limits_for(half, half);
    free(sorted);
    return error;
}

/* How far a measure is from that of equal samples. */
static double apart(const struct gate_drift *drift, unsigned measure) {
    double equal = measure == DRIFT_MEASURE_SEPARATION ? 0.5 : 0;
    double value = drift->measured ? drift->values.of[measure] - equal : 0;
    return value > 0 ? value : 0;
}

/* Measures by which the shadow's vectors drifted, and the old ones did not so half as much. */
static unsigned drifted(const struct upgrade_gates *gates) {
    const struct gate_drift *shadow = &gates->drift[GATE_SHADOW];
    unsigned exceeded = shadow->measured ? drift_exceeded(&shadow->values, &shadow->limits) : 0;
    for (unsigned measure = 0; measure < DRIFT_MEASURE_COUNT; measure++) {
        if (apart(shadow, measure) <= 2 * apart(&gates->drift[GATE_OLD], measure)) {
            exceeded &= ~(1u << measure);
        }
    }
    return exceeded;
}

/* ---- Comparing ---- */

/* The neighbours of query i: the best hits without the listing itself. */
static size_t neighbours(const struct gate_found *found, size_t i,
                         struct search_hit out[GATE_NEIGHBOURS]) {
    size_t count = 0;
    for (size_t h = 0; h < found->hit_counts[i] && count < GATE_NEIGHBOURS; h++) {
        if (found->hits[i][h].listing_id != found->listing_ids[i]) {
            out[count++] = found->hits[i][h];
        }
    }
    return count;
}

/* By score and not by id: of many equal vectors any ten are right. */
static uint64_t as_near(const struct search_hit *hits, size_t count, float score) {
    uint64_t near = 0;
    for (size_t i = 0; i < count; i++) {
        near += hits[i].score >= score;
    }
    return near;
}

static uint64_t shared(const struct search_hit *a, size_t a_count, const struct search_hit *b,
                       size_t b_count) {
    uint64_t both = 0;
    for (size_t i = 0; i < a_count; i++) {
        for (size_t k = 0; k < b_count; k++) {
            both += a[i].listing_id == b[k].listing_id;
        }
    }
    return both;
}

void upgrade_gates_compare(struct upgrade_gates *gates, enum modality m) {
    gates->drifted[m] = drifted(gates);
    const struct gate_found *shadow = &gates->found[SEARCH_SHADOW];
    const struct gate_found *exact = &gates->found[SEARCH_SHADOW_EXACT];
    const struct gate_found *old = &gates->found[SEARCH_OLD_EXACT];
    assert(shadow->count == exact->count);
    struct search_hit near[GATE_NEIGHBOURS], truth[GATE_NEIGHBOURS], before[GATE_NEIGHBOURS];
    size_t at_old = 0;
    for (size_t i = 0; i < exact->count; i++) {
        size_t truth_count = neighbours(exact, i, truth);
        size_t near_count = neighbours(shadow, i, near);
        gates->recall[m].whole += truth_count;
        if (truth_count > 0) {
            uint64_t part = as_near(near, near_count, truth[truth_count - 1].score);
            gates->recall[m].part += part < truth_count ? part : truth_count;
        }
        /* Both follow the order of the sample; some rows the old collections may lack. */
        size_t found = at_old;
        while (found < old->count && old->listing_ids[found] != exact->listing_ids[i]) {
            found++;
        }
        if (found < old->count) {
            at_old = found + 1;
            size_t before_count = neighbours(old, found, before);
            gates->overlap[m].whole += before_count < truth_count ? before_count : truth_count;
            gates->overlap[m].part += shared(before, before_count, truth, truth_count);
        }
    }
}

/* ---- Judging ---- */

static void say_count(struct sentence *why, uint64_t part, uint64_t whole, const char *what) {
    sentence_add_number(why, part);
    sentence_add(why, " of ");
    sentence_add_number(why, whole);
    sentence_add(why, what);
}

/* The first modality whose ratio is below so many thousandths, or MODALITY_COUNT. */
static enum modality below(const struct gate_ratio *ratios, uint32_t permille) {
    int m = 0;
    while (m < MODALITY_COUNT && ratios[m].part * 1000 >= ratios[m].whole * permille) {
        m++;
    }
    return (enum modality)m;
}

static bool ratio_fails(const char *what, const struct gate_ratio *ratios, uint32_t permille,
                        struct sentence *why) {
    enum modality m = below(ratios, permille);
    if (m == MODALITY_COUNT) {
        return false;
    }
    sentence_add(why, what);
    sentence_add(why, modality_name(m));
    sentence_add(why, " is ");
    sentence_add_number(why, ratios[m].part * 1000 / ratios[m].whole);
    sentence_add(why, " in 1000, and ");
    sentence_add_number(why, permille);
    sentence_add(why, " are asked for");
    return true;
}

static bool drift_fails(const struct upgrade_gates *gates, struct sentence *why) {
    for (int m = 0; m < MODALITY_COUNT; m++) {
        for (unsigned measure = 0; measure < DRIFT_MEASURE_COUNT; measure++) {
            if ((gates->drifted[m] >> measure & 1) != 0) {
                sentence_add(why, "the vectors of ");
                sentence_add(why, modality_name((enum modality)m));
                sentence_add(why, " written first and last are not of one distribution: ");
                sentence_add(why, drift_measure_name((enum drift_measure)measure));
                return true;
            }
        }
    }
    return false;
}

enum upgrade_gate upgrade_gates_judge(const struct upgrade_gates *gates,
                                      const struct pipeline_config *config, struct sentence *why) {
    const struct page_counts *counts = &gates->counts;
    *why = sentence_begin();
    if (counts->missing > 0) {
        say_count(why, counts->missing, counts->wanted, " rows that gold serves are missing");
        return GATE_COVERAGE;
    }
    if (counts->behind + counts->extra > 0) {
        say_count(why, counts->behind, counts->wanted, " rows are not in gold's version, and ");
        sentence_add_number(why, counts->extra);
        sentence_add(why, " are there that gold does not serve");
        return GATE_VERSIONS;
    }
    if (ratio_fails("recall@10 of ", gates->recall, config->upgrade_recall_permille, why)) {
        return GATE_RECALL;
    }
    if (ratio_fails("overlap@10 with the old model of ", gates->overlap,
                    config->upgrade_overlap_permille, why)) {
        return GATE_OVERLAP;
    }
    return drift_fails(gates, why) ? GATE_DRIFT : GATE_COUNT;
}
