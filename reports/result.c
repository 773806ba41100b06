#include "reports/result.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Strings live in blocks, freed together. */
struct run_text_block {
    struct run_text_block *next;
    size_t used, size;
    char bytes[];
};

#define TEXT_BLOCK_SIZE 4096
#define SERIES_WIDTH_FIRST_NS INT64_C(1000000)

void run_result_init(struct run_result *r) {
    memset(r, 0, sizeof *r);
    r->murphy = r->scenario = r->about = r->bug = r->error = r->trace_hash = r->end_state =
        r->reproduce = "";
    r->allocations_left = -1;
    histogram_init(&r->recall.latency, 1000);
}

void run_result_release(struct run_result *r) {
    for (struct run_text_block *b = r->texts, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    for (size_t i = 0; i < r->series_count; i++)
        free(r->series[i].points);
    free(r->events.items);
    free(r->faults.items);
    free(r->reached.items);
    free(r->states.items);
    free(r->cells);
    free(r->end_states.items);
    free(r->drawn);
    free(r->allowances);
    free(r->checks);
    free(r->slos);
    for (size_t i = 0; i < r->contract_count; i++)
        free(r->contracts[i].terms);
    free(r->contracts);
    free(r->reconciliation.stores);
    free(r->reconciliation.samples);
    free(r->bands);
    for (size_t i = 0; i < r->way_count; i++)
        free(r->ways[i].hops);
    free(r->ways);
    free(r->series);
    free(r->alerts);
    free(r->freshness);
    free(r->recall.curve);
    run_result_init(r);
}

bool run_result_incomplete(const struct run_result *r) {
    return r->incomplete;
}

/* Every allocation of a result passes here, so that tests can fail each in turn. */
static void *reallocate(struct run_result *r, void *old, size_t size) {
    if (r->allocations_left == 0)
        return NULL;
    if (r->allocations_left > 0)
        r->allocations_left--;
    return realloc(old, size);
}

static int out_of_memory(struct run_result *r) {
    r->incomplete = true;
    return -1;
}

/* Room for one more item in an array; the items' address may change. NULL when memory ran out. */
static void *grown(struct run_result *r, void *items, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity)
        return items;
    size_t wanted = *capacity ? *capacity * 2 : 8;
    if (wanted > SIZE_MAX / size) {
        out_of_memory(r);
        return NULL;
    }
    void *moved = reallocate(r, items, wanted * size);
    if (!moved) {
        out_of_memory(r);
        return NULL;
    }
    *capacity = wanted;
    return moved;
}

/* Appends a copy of *item to the array; the macro keeps the pointer's type. */
#define APPEND(r, items, count, capacity, item)                                                    \
    do {                                                                                           \
        void *grown_items = grown((r), (items), (count), &(capacity), sizeof *(items));            \
        if (!grown_items)                                                                          \
            return -1;                                                                             \
        (items) = grown_items;                                                                     \
        (items)[(count)++] = *(item);                                                              \
    } while (0)

static char *text_room(struct run_result *r, size_t size) {
    struct run_text_block *b = r->texts;
    if (!b || b->size - b->used < size) {
        size_t block_size = size > TEXT_BLOCK_SIZE ? size : TEXT_BLOCK_SIZE;
        b = size > SIZE_MAX / 2 ? NULL : reallocate(r, NULL, sizeof *b + block_size);
        if (!b) {
            out_of_memory(r);
            return NULL;
        }
        b->next = r->texts;
        b->used = 0;
        b->size = block_size;
        r->texts = b;
    }
    char *room = b->bytes + b->used;
    b->used += size;
    return room;
}

const char *run_result_text(struct run_result *r, const char *text) {
    if (!text || !*text)
        return "";
    size_t size = strlen(text) + 1;
    char *room = text_room(r, size);
    if (!room)
        return "";
    memcpy(room, text, size);
    return room;
}

const char *run_result_textf(struct run_result *r, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);
    char *room = text_room(r, (size_t)length + 1);
    if (!room)
        return "";
    va_start(args, format);
    vsnprintf(room, (size_t)length + 1, format, args);
    va_end(args);
    return room;
}

static int add_count(struct run_result *r, struct run_counts *counts, const char *name,
                     uint64_t count) {
    assert(name);
    for (size_t i = 0; i < counts->count; i++) {
        if (strcmp(counts->items[i].name, name) == 0) {
            counts->items[i].count += count;
            return 0;
        }
    }
    struct run_count item = {run_result_text(r, name), count};
    APPEND(r, counts->items, counts->count, counts->capacity, &item);
    return r->incomplete ? -1 : 0;
}

int run_result_count_event(struct run_result *r, const char *name, uint64_t count) {
    return add_count(r, &r->events, name, count);
}

int run_result_count_fault(struct run_result *r, const char *kind, uint64_t injected) {
    return add_count(r, &r->faults, kind, injected);
}

int run_result_count_reached(struct run_result *r, const char *point, uint64_t count) {
    return add_count(r, &r->reached, point, count);
}

int run_result_count_cell(struct run_result *r, const char *fault, const char *state,
                          uint64_t strikes) {
    if (add_count(r, &r->states, state, strikes) != 0 || strikes == 0) {
        return r->incomplete ? -1 : 0;
    }
    struct run_cell cell = {run_result_text(r, fault), run_result_text(r, state), strikes};
    APPEND(r, r->cells, r->cell_count, r->cell_capacity, &cell);
    return r->incomplete ? -1 : 0;
}

int run_result_add_end_state(struct run_result *r, const char *store, uint64_t digest) {
    return add_count(r, &r->end_states, store, digest);
}

int run_result_add_drawn(struct run_result *r, const struct run_drawn *drawn) {
    struct run_drawn d = {run_result_text(r, drawn->key), run_result_text(r, drawn->value)};
    APPEND(r, r->drawn, r->drawn_count, r->drawn_capacity, &d);
    return r->incomplete ? -1 : 0;
}

int run_result_allow(struct run_result *r, const char *name, bool needed) {
    for (size_t i = 0; i < r->allowance_count; i++) {
        if (strcmp(r->allowances[i].name, name) == 0) {
            r->allowances[i].needed |= needed;
            return 0;
        }
    }
    struct run_allowance a = {run_result_text(r, name), needed};
    APPEND(r, r->allowances, r->allowance_count, r->allowance_capacity, &a);
    return r->incomplete ? -1 : 0;
}

int run_result_add_check(struct run_result *r, const struct run_check *check) {
    struct run_check c = *check;
    c.name = run_result_text(r, check->name);
    c.kind = run_result_text(r, check->kind);
    c.expected = run_result_text(r, check->expected);
    c.observed = run_result_text(r, check->observed);
    c.evidence = run_result_text(r, check->evidence);
    APPEND(r, r->checks, r->check_count, r->check_capacity, &c);
    return r->incomplete ? -1 : 0;
}

int run_result_add_slo(struct run_result *r, const struct run_slo *slo) {
    struct run_slo s = *slo;
    s.name = run_result_text(r, slo->name);
    s.unit = run_result_text(r, slo->unit);
    APPEND(r, r->slos, r->slo_count, r->slo_capacity, &s);
    return r->incomplete ? -1 : 0;
}

int run_result_add_contract(struct run_result *r, const struct run_contract *contract) {
    struct run_contract c = {.id = run_result_text(r, contract->id),
                             .version = run_result_text(r, contract->version),
                             .owner = run_result_text(r, contract->owner),
                             .about = run_result_text(r, contract->about)};
    APPEND(r, r->contracts, r->contract_count, r->contract_capacity, &c);
    return r->incomplete ? -1 : 0;
}

int run_result_add_term(struct run_result *r, const struct run_contract_term *term) {
    if (r->contract_count == 0)
        return -1; /* memory ran out before */
    struct run_contract *c = &r->contracts[r->contract_count - 1];
    struct run_contract_term t = *term;
    t.name = run_result_text(r, term->name);
    t.wanted = run_result_text(r, term->wanted);
    t.observed = run_result_text(r, term->observed);
    APPEND(r, c->terms, c->term_count, c->term_capacity, &t);
    return r->incomplete ? -1 : 0;
}

enum run_term_status run_contract_status(const struct run_contract *contract) {
    static const enum run_term_status order[] = {RUN_TERM_BROKEN, RUN_TERM_WAIVED, RUN_TERM_HELD};
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        for (size_t i = 0; i < contract->term_count; i++) {
            if (contract->terms[i].status == order[k])
                return order[k];
        }
    }
    return RUN_TERM_IDLE;
}

const char *run_term_status_name(enum run_term_status status) {
    static const char *const names[] = {
        [RUN_TERM_HELD] = "held",
        [RUN_TERM_BROKEN] = "broken",
        [RUN_TERM_WAIVED] = "waived",
        [RUN_TERM_IDLE] = "idle",
    };
    return names[status];
}

size_t run_contracts_with(const struct run_result *r, enum run_term_status status) {
    size_t n = 0;
    for (size_t i = 0; i < r->contract_count; i++)
        n += run_contract_status(&r->contracts[i]) == status;
    return n;
}

int run_result_add_band(struct run_result *r, const struct run_band *band) {
    struct run_band b = *band;
    b.kind = run_result_text(r, band->kind);
    b.subject = run_result_text(r, band->subject);
    if (b.to_ns < b.from_ns)
        b.to_ns = b.from_ns;
    APPEND(r, r->bands, r->band_count, r->band_capacity, &b);
    return r->incomplete ? -1 : 0;
}

int run_result_add_way(struct run_result *r, const struct run_way *way) {
    struct run_way w = *way;
    w.listing = run_result_text(r, way->listing);
    w.what = run_result_text(r, way->what);
    w.picked = run_result_text(r, way->picked);
    w.came_to = run_result_text(r, way->came_to);
    w.command = run_result_text(r, way->command);
    w.hops = reallocate(r, NULL, (way->hop_count + 1) * sizeof *w.hops);
    if (!w.hops)
        return -1;
    for (size_t i = 0; i < way->hop_count; i++) {
        w.hops[i] = way->hops[i];
        w.hops[i].name = run_result_text(r, way->hops[i].name);
        w.hops[i].place = run_result_text(r, way->hops[i].place);
        w.hops[i].note = run_result_text(r, way->hops[i].note);
    }
    void *ways = grown(r, r->ways, r->way_count, &r->way_capacity, sizeof *r->ways);
    if (!ways) {
        free(w.hops);
        return -1;
    }
    r->ways = ways;
    r->ways[r->way_count++] = w;
    return r->incomplete ? -1 : 0;
}

int run_result_add_alert(struct run_result *r, const struct run_alert *alert) {
    struct run_alert a = *alert;
    a.name = run_result_text(r, alert->name);
    a.subject = run_result_text(r, alert->subject);
    a.evidence = run_result_text(r, alert->evidence);
    APPEND(r, r->alerts, r->alert_count, r->alert_capacity, &a);
    return r->incomplete ? -1 : 0;
}

int run_result_add_curve_point(struct run_result *r, const struct run_curve_point *point) {
    struct run_recall *recall = &r->recall;
    APPEND(r, recall->curve, recall->curve_count, recall->curve_capacity, point);
    return 0;
}

int run_result_add_store_drift(struct run_result *r, const struct run_store_drift *drift) {
    struct run_reconciliation *rec = &r->reconciliation;
    struct run_store_drift d = *drift;
    assert(d.drift < RUN_DRIFT_COUNT);
    d.store = run_result_text(r, drift->store);
    APPEND(r, rec->stores, rec->store_count, rec->store_capacity, &d);
    rec->present = true;
    rec->before[d.drift] += d.before;
    rec->after[d.drift] += d.after;
    return r->incomplete ? -1 : 0;
}

int run_result_add_sample(struct run_result *r, const struct run_drift_sample *sample) {
    struct run_reconciliation *rec = &r->reconciliation;
    struct run_drift_sample s = *sample;
    assert(s.drift < RUN_DRIFT_COUNT);
    s.store = run_result_text(r, sample->store);
    s.listing = run_result_text(r, sample->listing);
    s.expected = run_result_text(r, sample->expected);
    s.observed = run_result_text(r, sample->observed);
    s.reason = run_result_text(r, sample->reason);
    APPEND(r, rec->samples, rec->sample_count, rec->sample_capacity, &s);
    return r->incomplete ? -1 : 0;
}

int run_result_series(struct run_result *r, enum run_series_kind kind, const char *name) {
    for (size_t i = 0; i < r->series_count; i++) {
        if (r->series[i].kind == kind && strcmp(r->series[i].name, name) == 0)
            return (int)i;
    }
    struct run_series s = {.kind = kind, .name = run_result_text(r, name)};
    APPEND(r, r->series, r->series_count, r->series_capacity, &s);
    struct run_series *added = &r->series[r->series_count - 1];
    added->points = reallocate(r, NULL, RUN_SERIES_POINTS * sizeof *added->points);
    if (!added->points) {
        r->series_count--;
        return out_of_memory(r);
    }
    return r->incomplete ? -1 : (int)r->series_count - 1;
}

int run_result_freshness(struct run_result *r, const char *store, int64_t objective_ns) {
    for (size_t i = 0; i < r->freshness_count; i++) {
        if (strcmp(r->freshness[i].store, store) == 0)
            return (int)i;
    }
    void *items =
        grown(r, r->freshness, r->freshness_count, &r->freshness_capacity, sizeof *r->freshness);
    if (!items)
        return -1;
    r->freshness = items;
    struct run_freshness *f = &r->freshness[r->freshness_count++];
    memset(f, 0, sizeof *f);
    f->store = run_result_text(r, store);
    f->objective_ns = objective_ns;
    return r->incomplete ? -1 : (int)r->freshness_count - 1;
}

/* Points before the start share the first stretch. */
static int64_t stretch_of(const struct run_series *s, int64_t at_ns) {
    return at_ns > s->start_ns ? (at_ns - s->start_ns) / s->width_ns : 0;
}

/* The worse of two points survives: the longer lag, the lower recall. */
static bool outranks(const struct run_series *s, double a, double b) {
    bool worse = s->kind == RUN_SERIES_RECALL ? a < b : a > b;
    return !isnan(a) && (isnan(b) || worse);
}

/* Doubles the stretch and keeps the worse of the points that now share one. */
static void series_coarsen(struct run_series *s) {
    s->width_ns *= 2;
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct run_point p = s->points[i];
        struct run_point *last = kept ? &s->points[kept - 1] : NULL;
        if (last && stretch_of(s, last->at_ns) == stretch_of(s, p.at_ns)) {
            if (outranks(s, p.value, last->value))
                *last = p;
        } else {
            s->points[kept++] = p;
        }
    }
    s->count = kept;
}

static void series_insert(struct run_series *s, struct run_point p) {
    int64_t stretch = stretch_of(s, p.at_ns);
    size_t place = s->count;
    while (place > 0 && stretch_of(s, s->points[place - 1].at_ns) > stretch)
        place--;
    if (place > 0 && stretch_of(s, s->points[place - 1].at_ns) == stretch) {
        if (outranks(s, p.value, s->points[place - 1].value))
            s->points[place - 1] = p;
        return;
    }
    assert(s->count < RUN_SERIES_POINTS);
    memmove(&s->points[place + 1], &s->points[place], (s->count - place) * sizeof *s->points);
    s->points[place] = p;
    s->count++;
}

void run_series_append(struct run_result *r, int index, int64_t at_ns, double value) {
    if (index < 0)
        return;
    assert((size_t)index < r->series_count);
    struct run_series *s = &r->series[index];
    if (s->count == 0) {
        s->start_ns = at_ns;
        s->width_ns = SERIES_WIDTH_FIRST_NS;
    }
    while (stretch_of(s, at_ns) >= RUN_SERIES_POINTS)
        series_coarsen(s);
    double finite = isfinite(value) ? value : (double)NAN;
    series_insert(s, (struct run_point){at_ns, finite});
}

uint64_t run_drift_total(const uint64_t counts[RUN_DRIFT_COUNT]) {
    uint64_t total = 0;
    for (int i = 0; i < RUN_DRIFT_COUNT; i++)
        total += i == RUN_DRIFT_IN_FLIGHT ? 0 : counts[i];
    return total;
}

size_t run_checks_with(const struct run_result *r, enum run_check_status status) {
    size_t n = 0;
    for (size_t i = 0; i < r->check_count; i++)
        n += r->checks[i].status == status;
    return n;
}

size_t run_slos_with(const struct run_result *r, enum run_slo_status status) {
    size_t n = 0;
    for (size_t i = 0; i < r->slo_count; i++)
        n += r->slos[i].status == status;
    return n;
}

int run_freshness_permille(const struct run_freshness *f) {
    return f->objective_permille ? f->objective_permille : 950;
}

enum run_slo_status run_freshness_status(const struct run_freshness *f) {
    if (f->visibility.count == 0 || f->objective_ns == 0)
        return RUN_SLO_NO_DATA;
    int64_t observed_ns = histogram_quantile_ns(&f->visibility, run_freshness_permille(f));
    return observed_ns < f->objective_ns ? RUN_SLO_MET : RUN_SLO_BREACHED;
}

enum run_verdict run_result_judge(const struct run_result *r) {
    if (r->incomplete || *r->error || r->check_count + r->slo_count == 0)
        return RUN_ERROR;
    bool late = run_slos_with(r, RUN_SLO_MET) < r->slo_count;
    for (size_t i = 0; i < r->check_count; i++) {
        if (r->checks[i].status == RUN_CHECK_PASS)
            continue;
        if (strcmp(r->checks[i].kind, "freshness") != 0)
            return RUN_FAIL;
        late = true;
    }
    return late ? RUN_SLO : RUN_PASS;
}

int run_verdict_exit_status(enum run_verdict verdict) {
    switch (verdict) {
    case RUN_PASS:
        return 0;
    case RUN_FAIL:
        return 1;
    case RUN_SLO:
        return 2;
    case RUN_ERROR:
        break;
    }
    return 70;
}

const char *run_verdict_name(enum run_verdict verdict) {
    static const char *const names[] = {
        [RUN_ERROR] = "error", [RUN_PASS] = "pass", [RUN_FAIL] = "fail", [RUN_SLO] = "slo"};
    assert(verdict <= RUN_SLO);
    return names[verdict];
}

const char *run_check_status_name(enum run_check_status status) {
    static const char *const names[] = {
        [RUN_CHECK_NO_DATA] = "no_data", [RUN_CHECK_PASS] = "pass", [RUN_CHECK_FAIL] = "fail"};
    assert(status <= RUN_CHECK_FAIL);
    return names[status];
}

const char *run_slo_status_name(enum run_slo_status status) {
    static const char *const names[] = {
        [RUN_SLO_NO_DATA] = "no_data", [RUN_SLO_MET] = "met", [RUN_SLO_BREACHED] = "breached"};
    assert(status <= RUN_SLO_BREACHED);
    return names[status];
}

const char *run_drift_name(enum run_drift drift) {
    static const char *const names[] = {
#define X(id, name) [RUN_DRIFT_##id] = name,
        RUN_DRIFT_CLASSES(X)
#undef X
    };
    assert(drift < RUN_DRIFT_COUNT);
    return names[drift];
}

const char *run_alert_word(const struct run_alert *alert) {
    return alert->told ? "told" : alert->raised ? "raised" : "cleared";
}
