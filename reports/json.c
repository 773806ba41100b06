#include "reports/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/format.h"
#include "reports/unicode.h"

/*
 * Memory can run out in every call. `put` and `push` take ownership of the value, also when they
 * fail or when the value is NULL (an earlier allocation failed), and count the failure in one
 * place, so that the builders below read as the document does.
 */
struct builder {
    const struct run_result *r;
    bool failed;
};

static void put(struct builder *b, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0)
        b->failed = true;
}

static void push(struct builder *b, json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0)
        b->failed = true;
}

static json_t *text(const char *s) {
    json_t *plain = json_string(s);
    if (plain)
        return plain;
    char *clean = unicode_clean(s);
    if (!clean)
        return NULL;
    json_t *value = json_string(clean);
    free(clean);
    return value;
}

static json_t *count(uint64_t n) {
    return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *seconds(int64_t ns) {
    return json_real((double)ns / 1e9);
}

static json_t *moment(int64_t at_ns) {
    return at_ns ? json_string(format_moment(at_ns).text) : json_null();
}

static json_t *seed(uint64_t n) {
    if (n <= INT64_MAX)
        return json_integer((json_int_t)n);
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    return json_string(digits);
}

/* Counter names come from the run and may be ill-formed; jansson refuses such keys. */
static void put_count(struct builder *b, json_t *object, const struct run_count *c) {
    char *key = unicode_clean(c->name);
    if (key)
        put(b, object, key, count(c->count));
    else
        b->failed = true;
    free(key);
}

static json_t *counts_object(struct builder *b, const struct run_counts *counts) {
    json_t *object = json_object();
    for (size_t i = 0; i < counts->count; i++)
        put_count(b, object, &counts->items[i]);
    return object;
}

/* 64 bits are more than a JSON number surely holds. */
static json_t *digests_object(struct builder *b, const struct run_counts *digests) {
    json_t *object = json_object();
    for (size_t i = 0; i < digests->count; i++) {
        char hex[24];
        snprintf(hex, sizeof hex, "%016llx", (unsigned long long)digests->items[i].count);
        put(b, object, digests->items[i].name, text(hex));
    }
    return object;
}

static json_t *drawn_object(struct builder *b) {
    json_t *object = json_object();
    for (size_t i = 0; i < b->r->drawn_count; i++)
        put(b, object, b->r->drawn[i].key, text(b->r->drawn[i].value));
    return object;
}

static json_t *allowances_array(struct builder *b) {
    json_t *array = json_array();
    for (size_t i = 0; i < b->r->allowance_count; i++) {
        json_t *o = json_object();
        put(b, o, "name", text(b->r->allowances[i].name));
        put(b, o, "needed", json_boolean(b->r->allowances[i].needed));
        push(b, array, o);
    }
    return array;
}

static json_t *checks_array(struct builder *b) {
    json_t *array = json_array();
    for (size_t i = 0; i < b->r->check_count; i++) {
        const struct run_check *c = &b->r->checks[i];
        json_t *o = json_object();
        put(b, o, "name", text(c->name));
        put(b, o, "kind", text(c->kind));
        put(b, o, "status", json_string(run_check_status_name(c->status)));
        put(b, o, "expected", text(c->expected));
        put(b, o, "observed", text(c->observed));
        put(b, o, "at", moment(c->at_ns));
        put(b, o, "evidence", text(c->evidence));
        push(b, array, o);
    }
    return array;
}

static json_t *slos_array(struct builder *b) {
    json_t *array = json_array();
    for (size_t i = 0; i < b->r->slo_count; i++) {
        const struct run_slo *s = &b->r->slos[i];
        bool data = s->status != RUN_SLO_NO_DATA;
        json_t *o = json_object();
        put(b, o, "name", text(s->name));
        put(b, o, "objective", number(s->objective));
        put(b, o, "direction",
            json_string(s->direction == RUN_AT_LEAST ? "at_least" : "less_than"));
        put(b, o, "observed", data ? number(s->observed) : json_null());
        put(b, o, "unit", text(s->unit));
        put(b, o, "status", json_string(run_slo_status_name(s->status)));
        put(b, o, "budget_remaining",
            data && s->budget_known ? number(s->budget_remaining) : json_null());
        push(b, array, o);
    }
    return array;
}

static json_t *terms_array(struct builder *b, const struct run_contract *contract) {
    json_t *array = json_array();
    for (size_t i = 0; i < contract->term_count; i++) {
        const struct run_contract_term *t = &contract->terms[i];
        json_t *o = json_object();
        put(b, o, "name", text(t->name));
        put(b, o, "wanted", text(t->wanted));
        put(b, o, "observed", text(t->observed));
        put(b, o, "status", json_string(run_term_status_name(t->status)));
        push(b, array, o);
    }
    return array;
}

static json_t *contracts_array(struct builder *b) {
    json_t *array = json_array();
    for (size_t i = 0; i < b->r->contract_count; i++) {
        const struct run_contract *c = &b->r->contracts[i];
        json_t *o = json_object();
        put(b, o, "id", text(c->id));
        put(b, o, "name", text(c->about));
        put(b, o, "version", text(c->version));
        put(b, o, "owner", text(c->owner));
        put(b, o, "status", json_string(run_term_status_name(run_contract_status(c))));
        put(b, o, "terms", terms_array(b, c));
        push(b, array, o);
    }
    return array;
}

static json_t *classes_object(struct builder *b, const uint64_t counts[RUN_DRIFT_COUNT]) {
    json_t *object = json_object();
    bool present = b->r->reconciliation.present;
    for (int i = 0; i < RUN_DRIFT_COUNT; i++)
        put(b, object, run_drift_name((enum run_drift)i), present ? count(counts[i]) : json_null());
    return object;
}

static json_t *store_drift_array(struct builder *b) {
    const struct run_reconciliation *rec = &b->r->reconciliation;
    json_t *array = json_array();
    for (size_t i = 0; i < rec->store_count; i++) {
        const struct run_store_drift *d = &rec->stores[i];
        json_t *o = json_object();
        put(b, o, "store", text(d->store));
        put(b, o, "class", json_string(run_drift_name(d->drift)));
        put(b, o, "before", count(d->before));
        put(b, o, "after", count(d->after));
        push(b, array, o);
    }
    return array;
}

static json_t *samples_array(struct builder *b) {
    const struct run_reconciliation *rec = &b->r->reconciliation;
    json_t *array = json_array();
    for (size_t i = 0; i < rec->sample_count; i++) {
        const struct run_drift_sample *s = &rec->samples[i];
        json_t *o = json_object();
        put(b, o, "store", text(s->store));
        put(b, o, "listing", text(s->listing));
        put(b, o, "class", json_string(run_drift_name(s->drift)));
        put(b, o, "expected", text(s->expected));
        put(b, o, "observed", text(s->observed));
        put(b, o, "reason", text(s->reason));
        push(b, array, o);
    }
    return array;
}

static const char *reconciliation_status(const struct run_reconciliation *rec) {
    if (!rec->present)
        return "no_data";
    if (run_drift_total(rec->after))
        return "drift";
    return run_drift_total(rec->before) ? "repaired" : "clean";
}

static json_t *reconciliation_object(struct builder *b) {
    const struct run_reconciliation *rec = &b->r->reconciliation;
    json_t *o = json_object();
    put(b, o, "status", json_string(reconciliation_status(rec)));
    put(b, o, "cutoff", moment(rec->cutoff_ns));
    put(b, o, "compared", rec->compared ? count(rec->compared) : json_null());
    put(b, o, "classes", classes_object(b, rec->before));
    put(b, o, "repaired", rec->present ? count(rec->repaired) : json_null());
    put(b, o, "remaining", rec->present ? count(run_drift_total(rec->after)) : json_null());
    put(b, o, "remaining_classes", classes_object(b, rec->after));
    put(b, o, "stores", store_drift_array(b));
    put(b, o, "samples", samples_array(b));
    return o;
}

static json_t *faults_array(struct builder *b) {
    json_t *array = json_array();
    for (size_t i = 0; i < b->r->faults.count; i++) {
        json_t *o = json_object();
        put(b, o, "kind", text(b->r->faults.items[i].name));
        put(b, o, "injected", count(b->r->faults.items[i].count));
        push(b, array, o);
    }
    return array;
}

static json_t *bands_array(struct builder *b) {
    json_t *array = json_array();
    for (size_t i = 0; i < b->r->band_count; i++) {
        const struct run_band *band = &b->r->bands[i];
        json_t *o = json_object();
        put(b, o, "kind", text(band->kind));
        put(b, o, "subject", text(band->subject));
        put(b, o, "from", moment(band->from_ns));
        put(b, o, "to", moment(band->to_ns));
        push(b, array, o);
    }
    return array;
}

static json_t *alerts_array(struct builder *b) {
    json_t *array = json_array();
    for (size_t i = 0; i < b->r->alert_count; i++) {
        const struct run_alert *a = &b->r->alerts[i];
        json_t *o = json_object();
        put(b, o, "at", moment(a->at_ns));
        put(b, o, "name", text(a->name));
        put(b, o, "subject", text(a->subject));
        put(b, o, "state", json_string(run_alert_word(a)));
        put(b, o, "evidence", text(a->evidence));
        push(b, array, o);
    }
    return array;
}

static json_t *quantiles_object(struct builder *b, const struct histogram *h) {
    static const struct {
        const char *key;
        int permille;
    } quantiles[] = {{"p50", 500}, {"p95", 950}, {"p99", 990}};
    json_t *o = json_object();
    put(b, o, "count", count(h->count));
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        int64_t q = histogram_quantile_ns(h, quantiles[i].permille);
        put(b, o, quantiles[i].key, h->count ? seconds(q) : json_null());
    }
    put(b, o, "max", h->count ? seconds(h->max_ns) : json_null());
    return o;
}

static json_t *freshness_array(struct builder *b) {
    json_t *array = json_array();
    for (size_t i = 0; i < b->r->freshness_count; i++) {
        const struct run_freshness *f = &b->r->freshness[i];
        json_t *o = json_object();
        put(b, o, "store", text(f->store));
        put(b, o, "status", json_string(run_slo_status_name(run_freshness_status(f))));
        put(b, o, "objective", f->objective_ns ? seconds(f->objective_ns) : json_null());
        put(b, o, "quantile", json_real(run_freshness_permille(f) / 1000.0));
        put(b, o, "visibility_lag", quantiles_object(b, &f->visibility));
        put(b, o, "event_lag", quantiles_object(b, &f->event));
        put(b, o, "pending", count(f->pending));
        push(b, array, o);
    }
    return array;
}

static json_t *curve_array(struct builder *b) {
    json_t *array = json_array();
    for (size_t i = 0; i < b->r->recall.curve_count; i++) {
        const struct run_curve_point *p = &b->r->recall.curve[i];
        json_t *o = json_object();
        put(b, o, "m", json_integer(p->m));
        put(b, o, "ef_construction", json_integer(p->ef_construction));
        put(b, o, "ef", json_integer(p->ef));
        put(b, o, "recall", number(p->recall));
        put(b, o, "latency_us", number(p->latency_us));
        put(b, o, "chosen", json_boolean(p->chosen));
        push(b, array, o);
    }
    return array;
}

static json_t *recall_object(struct builder *b) {
    const struct run_recall *recall = &b->r->recall;
    json_t *o = json_object();
    put(b, o, "probes", count(recall->probes));
    put(b, o, "mean", recall->probes ? number(recall->mean) : json_null());
    put(b, o, "min", recall->probes ? number(recall->min) : json_null());
    put(b, o, "objective", recall->objective > 0 ? number(recall->objective) : json_null());
    put(b, o, "asked", count(recall->asked));
    put(b, o, "answered", count(recall->answered));
    put(b, o, "latency", quantiles_object(b, &recall->latency));
    put(b, o, "curve", curve_array(b));
    return o;
}

static json_t *costs_object(struct builder *b) {
    const struct run_costs *c = &b->r->costs;
    json_t *o = json_object();
    put(b, o, "embeddings_made", count(c->embeddings_made));
    put(b, o, "embeddings_reused", count(c->embeddings_reused));
    put(b, o, "embeddings_avoided", count(c->embeddings_avoided));
    put(b, o, "vectors_written", count(c->vectors_written));
    put(b, o, "metadata_writes", count(c->metadata_writes));
    put(b, o, "stale_rejected", count(c->stale_rejected));
    return o;
}

static json_t *points_array(struct builder *b, const struct run_series *s) {
    json_t *array = json_array();
    for (size_t i = 0; i < s->count; i++) {
        json_t *pair = json_array();
        push(b, pair, moment(s->points[i].at_ns));
        push(b, pair, number(s->points[i].value));
        push(b, array, pair);
    }
    return array;
}

/* By kind of fault, then by state; cells without a strike are left out. */
static json_t *coverage_object(struct builder *b) {
    json_t *o = json_object();
    for (size_t i = 0; i < b->r->cell_count; i++) {
        const struct run_cell *cell = &b->r->cells[i];
        json_t *row = json_object_get(o, cell->fault);
        if (row == NULL) {
            row = json_object();
            put(b, o, cell->fault, row);
        }
        put(b, row, cell->state, json_integer((json_int_t)cell->strikes));
    }
    return o;
}

static json_t *series_array(struct builder *b) {
    static const char *const kinds[] = {[RUN_SERIES_FEED_LAG] = "feed_lag",
                                        [RUN_SERIES_STORE_LAG] = "store_lag",
                                        [RUN_SERIES_RECALL] = "recall"};
    json_t *array = json_array();
    for (size_t i = 0; i < b->r->series_count; i++) {
        const struct run_series *s = &b->r->series[i];
        json_t *o = json_object();
        put(b, o, "kind", json_string(kinds[s->kind]));
        put(b, o, "name", text(s->name));
        put(b, o, "points", points_array(b, s));
        push(b, array, o);
    }
    return array;
}

static json_t *audit_object(struct builder *b, const struct run_audit *audit) {
    if (audit->root == NULL) {
        return json_null();
    }
    json_t *o = json_object();
    put(b, o, "listings", json_integer((json_int_t)audit->listings));
    put(b, o, "events", json_integer((json_int_t)audit->events));
    put(b, o, "root", text(audit->root));
    return o;
}

static json_t *run_object(struct builder *b, const struct run_json_options *options) {
    const struct run_result *r = b->r;
    json_t *o = json_object();
    put(b, o, "murphy", text(r->murphy));
    put(b, o, "scenario", text(r->scenario));
    put(b, o, "about", text(r->about));
    put(b, o, "seed", seed(r->seed));
    put(b, o, "bug", *r->bug ? text(r->bug) : json_null());
    put(b, o, "verdict", json_string(run_verdict_name(r->verdict)));
    put(b, o, "error", *r->error ? text(r->error) : json_null());
    put(b, o, "trace_hash", text(r->trace_hash));
    put(b, o, "end_state", text(r->end_state));
    put(b, o, "end_states", digests_object(b, &r->end_states));
    put(b, o, "drawn", drawn_object(b));
    put(b, o, "allowances", allowances_array(b));
    put(b, o, "audit", audit_object(b, &r->audit));
    put(b, o, "start", moment(r->start_ns));
    put(b, o, "virtual_seconds", seconds(r->virtual_ns));
    if (!options->without_wall)
        put(b, o, "wall_seconds", seconds(r->wall_ns));
    put(b, o, "events", counts_object(b, &r->events));
    put(b, o, "checks", checks_array(b));
    put(b, o, "slos", slos_array(b));
    put(b, o, "contracts", contracts_array(b));
    put(b, o, "reconciliation", reconciliation_object(b));
    put(b, o, "freshness", freshness_array(b));
    put(b, o, "recall", recall_object(b));
    put(b, o, "costs", costs_object(b));
    put(b, o, "alerts", alerts_array(b));
    put(b, o, "faults", faults_array(b));
    put(b, o, "coverage", coverage_object(b));
    put(b, o, "bands", bands_array(b));
    put(b, o, "reached", counts_object(b, &r->reached));
    if (options->with_series)
        put(b, o, "series", series_array(b));
    put(b, o, "reproduce", text(r->reproduce));
    return o;
}

static int dump(const char *buffer, size_t size, void *out) {
    return fwrite(buffer, 1, size, out) == size ? 0 : -1;
}

int run_json_write(const struct run_result *r, const struct run_json_options *options, FILE *out,
                   struct report_error *error) {
    static const struct run_json_options plain;
    if (report_refuse_incomplete(r, error) != 0)
        return -1;
    const struct run_json_options *o = options ? options : &plain;
    struct builder b = {.r = r};
    json_t *run = run_object(&b, o);
    if (!run || b.failed) {
        json_decref(run);
        return report_fail(error, "The report could not be written: memory ran out.");
    }
    /* Twelve places hold every figure here and spare the reader 0.10000000000000001. */
    size_t flags = JSON_REAL_PRECISION(12) | (o->compact ? JSON_COMPACT : JSON_INDENT(2));
    int status = json_dump_callback(run, dump, out, flags);
    json_decref(run);
    if (status != 0 && !ferror(out))
        return report_fail(error, "The report could not be written: memory ran out.");
    fputc('\n', out);
    return report_finish(out, error);
}

static int write_any(const struct run_result *r, const void *options, FILE *out,
                     struct report_error *error) {
    return run_json_write(r, options, out, error);
}

int run_json_save(const struct run_result *r, const struct run_json_options *options,
                  const char *path, struct report_error *error) {
    return report_save(write_any, r, options, path, error);
}
