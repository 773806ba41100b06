#include "pipeline/batch_compare.h"

static bool is_young(const struct batch_scope *scope, vtime changed_at) {
    return !vtime_before(changed_at, scope->settled);
}

/* What the stream changed before the range that was made anew is none of this run's business. */
static bool out_of_scope(const struct batch_scope *scope, const struct scan_row *gold) {
    return scope->from.ns != 0 && vtime_before(gold->changed_at, scope->from);
}

static void document_differs(const struct batch_scope *scope, const struct scan_row *gold,
                             const struct scan_row *made, uint64_t counts[DRIFT_CLASS_COUNT]) {
    bool equal = gold->version == made->version && gold->whole_hash == made->whole_hash &&
                 gold->source_hash == made->source_hash && gold->alive == made->alive &&
                 gold->suppressed == made->suppressed;
    if (equal || (gold->version > made->version && out_of_scope(scope, gold))) {
        return;
    }
    bool young = is_young(scope, gold->changed_at) || is_young(scope, made->changed_at);
    counts[young                           ? DRIFT_IN_FLIGHT
           : gold->version < made->version ? DRIFT_STALE
                                           : DRIFT_MISMATCH]++;
}

static void document_missing(const struct batch_scope *scope, const struct scan_row *made,
                             uint64_t counts[DRIFT_CLASS_COUNT]) {
    counts[is_young(scope, made->changed_at) ? DRIFT_IN_FLIGHT : DRIFT_MISSING]++;
}

static void document_surplus(const struct batch_scope *scope, const struct scan_row *gold,
                             uint64_t counts[DRIFT_CLASS_COUNT]) {
    bool forgotten = !gold->alive && vtime_before(gold->changed_at, scope->kept_from);
    if (scope->from.ns == 0 && !forgotten) {
        counts[is_young(scope, gold->changed_at) ? DRIFT_IN_FLIGHT : DRIFT_ORPHAN]++;
    }
}

void batch_compare_documents(const struct batch_scope *scope, const struct scan_row *gold,
                             size_t gold_count, const struct scan_row *made, size_t made_count,
                             uint64_t counts[DRIFT_CLASS_COUNT]) {
    size_t g = 0, m = 0;
    while (g < gold_count || m < made_count) {
        if (g > 0 && g < gold_count && gold[g].listing_id == gold[g - 1].listing_id) {
            counts[DRIFT_DUPLICATE]++;
            g++;
        } else if (g == gold_count || (m < made_count && made[m].listing_id < gold[g].listing_id)) {
            document_missing(scope, &made[m++], counts);
        } else if (m == made_count || gold[g].listing_id < made[m].listing_id) {
            document_surplus(scope, &gold[g++], counts);
        } else {
            document_differs(scope, &gold[g++], &made[m++], counts);
        }
    }
}

int batch_sales_order_of(const struct sales_row *view, const struct sales_row *made) {
    if (view->hour.ns != made->hour.ns) {
        return view->hour.ns < made->hour.ns ? -1 : 1;
    }
    return bytes_compare(view->category, made->category);
}

void batch_compare_sales(const struct batch_scope *scope, const struct sales_row *view,
                         const struct sales_row *made, uint64_t counts[DRIFT_CLASS_COUNT]) {
    if (view != NULL && made != NULL && view->orders == made->orders &&
        view->quantity == made->quantity && view->amount == made->amount &&
        (view->checksum == 0 || made->checksum == 0 || view->checksum == made->checksum)) {
        return;
    }
    bool young = (view != NULL && is_young(scope, view->changed_at)) ||
                 (made != NULL && is_young(scope, made->changed_at));
    counts[young          ? DRIFT_IN_FLIGHT
           : view == NULL ? DRIFT_MISSING
           : made == NULL ? DRIFT_ORPHAN
                          : DRIFT_MISMATCH]++;
}
