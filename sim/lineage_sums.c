#include <stdlib.h>

#include "sim/lineage_parts.h"

/* The sums of one category's hour in a layer, by moment. */
struct slice {
    const struct lineage_sum *items;
    size_t count;
};

static int key_order(const struct lineage_sum *a, const struct lineage_sum *b) {
    if (a->category != b->category) {
        return a->category < b->category ? -1 : 1;
    }
    return (a->hour.ns > b->hour.ns) - (a->hour.ns < b->hour.ns);
}

/* The items from `at` on that are of the same category and hour as `key`. */
static struct slice slice_from(const struct lineage_sums *sums, size_t at,
                               const struct lineage_sum *key) {
    struct slice slice = {sums->items + at, 0};
    while (at + slice.count < sums->count && key_order(&slice.items[slice.count], key) == 0) {
        slice.count++;
    }
    return slice;
}

/* What it says at a moment: nothing sold while nothing holds. */
static struct lineage_sum sum_at(struct slice slice, vtime t) {
    for (size_t i = slice.count; i > 0; i--) {
        const struct lineage_sum *sum = &slice.items[i - 1];
        if (!vtime_before(t, sum->from) && vtime_before(t, sum->to)) {
            return *sum;
        }
    }
    return (struct lineage_sum){.from = {0}, .to = VTIME_NEVER};
}

static bool same(const struct lineage_sum *a, const struct lineage_sum *b) {
    return a->orders == b->orders && a->quantity == b->quantity && a->amount == b->amount;
}

/* It is what the slice said at some moment of [from, to]. */
static bool said_within(struct slice slice, vtime from, vtime to, const struct lineage_sum *sum) {
    struct lineage_sum then = sum_at(slice, from);
    if (same(&then, sum)) {
        return true;
    }
    for (size_t i = 0; i < slice.count; i++) {
        if (vtime_before(from, slice.items[i].from) && !vtime_before(to, slice.items[i].from) &&
            same(&slice.items[i], sum)) {
            return true;
        }
    }
    return false;
}

/* When the layer before went on from what is shown; where it never said that, when it was shown. */
static vtime wrong_since(struct slice before, const struct lineage_sum *shown, vtime at,
                         enum lineage_flaw *flaw) {
    vtime since = VTIME_NEVER;
    for (size_t i = before.count; i > 0 && since.ns == VTIME_NEVER.ns; i--) {
        const struct lineage_sum *sum = &before.items[i - 1];
        if (vtime_before(at, sum->from)) {
            continue;
        }
        struct lineage_sum former = i > 1 ? before.items[i - 2] : (struct lineage_sum){.orders = 0};
        since = same(&former, shown) ? sum->from : since;
    }
    *flaw = since.ns != VTIME_NEVER.ns ? LINEAGE_STALE : LINEAGE_ALTERED;
    return since.ns != VTIME_NEVER.ns ? since : shown->from;
}

/* When it says again what the layer before it says, or said within the SLA. */
static vtime made_good(struct slice before, struct slice own, vtime at, int64_t sla_ns) {
    for (size_t i = 0; i < own.count; i++) {
        vtime from = own.items[i].from;
        if (vtime_before(at, from) &&
            said_within(before, vtime_add(from, -sla_ns), from, &own.items[i])) {
            return from;
        }
    }
    return VTIME_NEVER;
}

static int compare_slices(const struct lineage_question *q, enum lineage_layer layer,
                          const struct lineage_sum *key, struct slice before, struct slice own,
                          struct lineage_answer *answer) {
    struct lineage_sum shown = sum_at(own, q->at), upstream = sum_at(before, q->at);
    if (!lineage_asks_for(q, key->category, key->hour) ||
        said_within(before, vtime_add(q->at, -q->sla_ns), q->at, &shown)) {
        return 0;
    }
    shown.category = upstream.category = key->category;
    shown.hour = upstream.hour = key->hour;
    struct lineage_finding finding = {
        .layer = layer,
        .upstream = upstream,
        .shown = shown,
        .effect = lineage_measure_sum(q, &shown) - lineage_measure_sum(q, &upstream),
        .until = made_good(before, own, q->at, q->sla_ns),
    };
    finding.since = wrong_since(before, &shown, q->at, &finding.flaw);
    return finding.effect == 0 && !q->each ? 0 : lineage_find(answer, &finding);
}

int lineage_compare_sums(const struct lineage *l, const struct lineage_question *q,
                         enum lineage_layer layer, struct lineage_answer *answer) {
    const struct lineage_sums *before = &l->sums[layer - 1], *own = &l->sums[layer];
    int failed = 0;
    for (size_t b = 0, o = 0; failed == 0 && (b < before->count || o < own->count);) {
        int order = b == before->count ? 1
                    : o == own->count  ? -1
                                       : key_order(&before->items[b], &own->items[o]);
        struct lineage_sum key = order <= 0 ? before->items[b] : own->items[o];
        struct slice first = slice_from(before, b, &key), second = slice_from(own, o, &key);
        failed = compare_slices(q, layer, &key, first, second, answer);
        b += first.count;
        o += second.count;
    }
    return failed;
}
