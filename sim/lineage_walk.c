#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/array.h"
#include "sim/lineage_parts.h"

bool lineage_asks_for(const struct lineage_question *q, uint32_t category, vtime hour) {
    return (!q->of_category || category == q->category) && (!q->of_hour || hour.ns == q->hour.ns);
}

static int64_t measured(const struct lineage_question *q, int64_t orders, int64_t quantity,
                        int64_t amount) {
    return q->measure == LINEAGE_ORDERS     ? orders
           : q->measure == LINEAGE_QUANTITY ? quantity
                                            : amount;
}

int64_t lineage_measure_row(const struct lineage_question *q, const struct lineage_row *row) {
    return row != NULL && lineage_asks_for(q, row->category, row->hour)
               ? measured(q, 1, row->quantity, row->amount)
               : 0;
}

int64_t lineage_measure_sum(const struct lineage_question *q, const struct lineage_sum *sum) {
    return lineage_asks_for(q, sum->category, sum->hour)
               ? measured(q, sum->orders, sum->quantity, sum->amount)
               : 0;
}

int lineage_find(struct lineage_answer *answer, const struct lineage_finding *finding) {
    if (ARRAY_RESERVE(answer->findings, answer->finding_capacity, answer->finding_count + 1) != 0) {
        return -ENOMEM;
    }
    answer->findings[answer->finding_count++] = *finding;
    answer->wrong[finding->layer]++;
    return 0;
}

/* ---- One order ---- */

struct followed {
    const struct lineage *l;
    const struct lineage_question *q;
    uint64_t order_id;
    const struct lineage_row *oltp; /* its rows there */
    size_t oltp_count;
};

static bool holds(const struct lineage_row *row, vtime t) {
    return !vtime_before(t, row->from) && vtime_before(t, row->to);
}

/* What a layer says of the order at the moment; NULL: nothing. */
static const struct lineage_row *state(const struct followed *f, enum lineage_layer layer) {
    size_t count;
    const struct lineage_row *rows = lineage_rows_of(f->l, layer, f->order_id, &count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].copy == 0 && holds(&rows[i], f->q->at)) {
            return &rows[i];
        }
    }
    return NULL;
}

/* They count alike. */
static bool same_sale(const struct lineage_row *a, const struct lineage_row *b) {
    return a->category == b->category && a->hour.ns == b->hour.ns && a->quantity == b->quantity &&
           a->amount == b->amount;
}

static bool same_content(const struct lineage_row *a, const struct lineage_row *b) {
    return stamp_compare(a->stamp, b->stamp) == 0 && same_sale(a, b);
}

/* OLTP said so, or said nothing, at some moment of the last sla_ns. */
static bool acceptable(const struct followed *f, const struct lineage_row *said) {
    vtime from = vtime_add(f->q->at, -f->q->sla_ns);
    if (said == NULL) {
        return f->oltp_count == 0 || vtime_before(from, f->oltp[0].from);
    }
    for (size_t i = 0; i < f->oltp_count; i++) {
        bool overlaps =
            !vtime_before(f->q->at, f->oltp[i].from) && vtime_before(from, f->oltp[i].to);
        if (overlaps && same_content(&f->oltp[i], said)) {
            return true;
        }
    }
    return false;
}

/* The layer where the order went wrong: from silver back for as long as the one before is wrong. */
static enum lineage_layer culprit(const struct followed *f) {
    enum lineage_layer layer = LINEAGE_SILVER;
    while (layer > LINEAGE_RELAY && !acceptable(f, state(f, layer - 1))) {
        layer--;
    }
    return layer;
}

static enum lineage_flaw flaw_of(const struct followed *f, const struct lineage_row *said) {
    if (said == NULL) {
        return LINEAGE_MISSING;
    }
    for (size_t i = 0; i < f->oltp_count; i++) {
        if (same_content(&f->oltp[i], said)) {
            return LINEAGE_STALE;
        }
    }
    return f->oltp_count == 0 ? LINEAGE_SURPLUS : LINEAGE_ALTERED;
}

static vtime owed_since(const struct followed *f, const struct lineage_row *said,
                        enum lineage_flaw flaw) {
    if (flaw == LINEAGE_ALTERED || flaw == LINEAGE_SURPLUS) {
        return said->from;
    }
    for (size_t i = 0; i < f->oltp_count; i++) {
        if (said == NULL || stamp_compare(f->oltp[i].stamp, said->stamp) > 0) {
            return f->oltp[i].from;
        }
    }
    return f->q->at;
}

/* When the layer says what OLTP says at the moment, or something newer. */
static vtime made_good(const struct followed *f, enum lineage_layer layer,
                       const struct lineage_row *now) {
    size_t count;
    const struct lineage_row *rows = lineage_rows_of(f->l, layer, f->order_id, &count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].copy != 0 || !vtime_before(f->q->at, rows[i].from)) {
            continue;
        }
        for (size_t k = 0; k < f->oltp_count; k++) {
            if (same_content(&f->oltp[k], &rows[i]) && now != NULL &&
                stamp_compare(rows[i].stamp, now->stamp) >= 0) {
                return rows[i].from;
            }
        }
    }
    return VTIME_NEVER;
}

/* When a layer first said that, or something newer. */
static vtime arrival(const struct followed *f, enum lineage_layer layer, struct stamp stamp) {
    size_t count;
    const struct lineage_row *rows = lineage_rows_of(f->l, layer, f->order_id, &count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].copy == 0 && stamp_compare(rows[i].stamp, stamp) >= 0) {
            return rows[i].from;
        }
    }
    return VTIME_NEVER;
}

/* Of what `layer` has not yet said: the layer that kept it longest. That may be one before, when
 * this one got it just now. */
static enum lineage_layer kept_longest(const struct followed *f, enum lineage_layer layer,
                                       const struct lineage_row *said) {
    size_t next = 0;
    while (next + 1 < f->oltp_count && said != NULL &&
           stamp_compare(f->oltp[next].stamp, said->stamp) <= 0) {
        next++;
    }
    vtime came = f->oltp[next].from;
    enum lineage_layer longest = layer;
    int64_t longest_ns = -1;
    for (enum lineage_layer at = LINEAGE_RELAY; at <= layer; at++) {
        vtime left = arrival(f, at, f->oltp[next].stamp);
        left = at == layer || vtime_before(f->q->at, left) ? f->q->at : left;
        if (vtime_diff(left, came) > longest_ns) {
            longest = at;
            longest_ns = vtime_diff(left, came);
        }
        came = left;
    }
    return longest;
}

/* Rows that count the order once more. */
static int follow_copies(const struct followed *f, struct lineage_answer *answer) {
    size_t count;
    const struct lineage_row *rows = lineage_rows_of(f->l, LINEAGE_SILVER, f->order_id, &count);
    const struct lineage_row *now = state(f, LINEAGE_OLTP);
    for (size_t i = 0; i < count; i++) {
        int64_t effect = lineage_measure_row(f->q, &rows[i]);
        if (rows[i].copy == 0 || !holds(&rows[i], f->q->at) || (effect == 0 && !f->q->each)) {
            continue;
        }
        struct lineage_finding finding = {.layer = LINEAGE_SILVER,
                                          .flaw = LINEAGE_TWICE,
                                          .is_order = true,
                                          .said = rows[i],
                                          .effect = effect,
                                          .since = rows[i].from,
                                          .until = rows[i].to};
        finding.oltp = now != NULL ? *now : finding.oltp;
        if (lineage_find(answer, &finding) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int follow(const struct followed *f, struct lineage_answer *answer) {
    const struct lineage_row *now = state(f, LINEAGE_OLTP), *seen = state(f, LINEAGE_SILVER);
    int64_t effect = lineage_measure_row(f->q, seen) - lineage_measure_row(f->q, now);
    bool right = acceptable(f, seen);
    answer->in_flight += right && effect != 0;
    bool same = (seen == NULL) == (now == NULL) && (seen == NULL || same_sale(seen, now));
    if (right || same || (effect == 0 && !f->q->each)) {
        return follow_copies(f, answer);
    }
    enum lineage_layer layer = culprit(f);
    const struct lineage_row *said = state(f, layer), *carried = state(f, LINEAGE_TOPIC);
    struct lineage_finding finding = {.is_order = true, .effect = effect};
    finding.oltp = now != NULL ? *now : finding.oltp;
    finding.said = said != NULL ? *said : finding.said;
    finding.carried = carried != NULL ? *carried : finding.carried;
    finding.flaw = flaw_of(f, said);
    finding.since = owed_since(f, said, finding.flaw);
    finding.layer = finding.flaw == LINEAGE_MISSING || finding.flaw == LINEAGE_STALE
                        ? kept_longest(f, layer, said)
                        : layer;
    finding.until = finding.layer != layer && now != NULL ? arrival(f, finding.layer, now->stamp)
                                                          : made_good(f, layer, now);
    return lineage_find(answer, &finding) != 0 ? -ENOMEM : follow_copies(f, answer);
}

/* Every order that OLTP or silver knows. */
static int follow_all(const struct lineage *l, const struct lineage_question *q,
                      struct lineage_answer *answer) {
    const struct lineage_rows *oltp = &l->rows[LINEAGE_OLTP], *silver = &l->rows[LINEAGE_SILVER];
    for (size_t o = 0, s = 0; o < oltp->count || s < silver->count;) {
        bool known = o < oltp->count &&
                     (s == silver->count || oltp->items[o].order_id <= silver->items[s].order_id);
        struct followed f = {.l = l,
                             .q = q,
                             .order_id =
                                 known ? oltp->items[o].order_id : silver->items[s].order_id};
        f.oltp = lineage_rows_of(l, LINEAGE_OLTP, f.order_id, &f.oltp_count);
        if (follow(&f, answer) != 0) {
            return -ENOMEM;
        }
        o += f.oltp_count;
        while (s < silver->count && silver->items[s].order_id <= f.order_id) {
            s++;
        }
    }
    return 0;
}

/* ---- All of it ---- */

/* What the number is as made from each layer; whether any layer has an order of it. */
static bool values_make(const struct lineage *l, const struct lineage_question *q,
                        struct lineage_answer *answer) {
    bool any = false;
    for (int layer = 0; layer < LINEAGE_ORDER_LAYERS; layer++) {
        for (size_t i = 0; i < l->rows[layer].count; i++) {
            const struct lineage_row *row = &l->rows[layer].items[i];
            if (holds(row, q->at) && lineage_asks_for(q, row->category, row->hour)) {
                answer->values[layer] += lineage_measure_row(q, row);
                any = true;
            }
        }
    }
    for (int layer = LINEAGE_GOLD; layer < LINEAGE_LAYER_COUNT; layer++) {
        for (size_t i = 0; i < l->sums[layer].count; i++) {
            const struct lineage_sum *sum = &l->sums[layer].items[i];
            bool now = !vtime_before(q->at, sum->from) && vtime_before(q->at, sum->to);
            answer->values[layer] += now ? lineage_measure_sum(q, sum) : 0;
            any = any || (now && sum->orders != 0 && lineage_asks_for(q, sum->category, sum->hour));
        }
    }
    answer->expected = answer->values[LINEAGE_OLTP];
    answer->shown = answer->values[LINEAGE_VIEW];
    return any;
}

static int finding_order(const void *left, const void *right) {
    const struct lineage_finding *a = left, *b = right;
    if (a->layer != b->layer) {
        return a->layer < b->layer ? -1 : 1;
    }
    if (a->since.ns != b->since.ns) {
        return a->since.ns < b->since.ns ? -1 : 1;
    }
    uint64_t x = a->oltp.order_id | a->said.order_id, y = b->oltp.order_id | b->said.order_id;
    if (x != y) {
        return x < y ? -1 : 1;
    }
    if (a->shown.hour.ns != b->shown.hour.ns) {
        return a->shown.hour.ns < b->shown.hour.ns ? -1 : 1;
    }
    if (a->shown.category != b->shown.category) {
        return a->shown.category < b->shown.category ? -1 : 1;
    }
    /* Of one order: two of its rows, or two flaws of one. */
    if (a->said.copy != b->said.copy) {
        return a->said.copy < b->said.copy ? -1 : 1;
    }
    return (a->flaw > b->flaw) - (a->flaw < b->flaw);
}

/* What happened in the layer, and for how long. */
static void sum_up(const struct lineage *l, struct lineage_answer *answer) {
    bool corrupted = false, lost = false;
    answer->since = VTIME_NEVER;
    answer->until = (vtime){INT64_MIN};
    for (size_t i = 0; i < answer->finding_count; i++) {
        const struct lineage_finding *finding = &answer->findings[i];
        if (finding->layer != answer->layer) {
            break;
        }
        bool absent = finding->flaw == LINEAGE_MISSING || finding->flaw == LINEAGE_STALE;
        corrupted = corrupted || !absent;
        lost = lost || (absent && finding->is_order &&
                        (finding->until.ns == VTIME_NEVER.ns ||
                         lineage_told_again(l, &finding->oltp, finding->until)));
        answer->since =
            vtime_before(finding->since, answer->since) ? finding->since : answer->since;
        answer->until = vtime_max(answer->until, finding->until);
    }
    /* What waits in the outbox is not lost. */
    lost = lost && answer->layer != LINEAGE_RELAY;
    answer->cause = corrupted ? LINEAGE_CORRUPTED : lost ? LINEAGE_LOST : LINEAGE_STALLED;
}

int lineage_walk(struct lineage *l, const struct lineage_question *question,
                 struct lineage_answer *answer) {
    *answer = (struct lineage_answer){.verdict = LINEAGE_RIGHT};
    if (lineage_close(l) != 0 || follow_all(l, question, answer) != 0 ||
        lineage_compare_sums(l, question, LINEAGE_GOLD, answer) != 0 ||
        lineage_compare_sums(l, question, LINEAGE_VIEW, answer) != 0) {
        return -ENOMEM;
    }
    bool any = values_make(l, question, answer);
    if (answer->finding_count > 0) {
        qsort(answer->findings, answer->finding_count, sizeof *answer->findings, finding_order);
        answer->verdict = LINEAGE_WRONG;
        answer->layer = answer->findings[0].layer;
        sum_up(l, answer);
    } else if (!any) {
        answer->verdict = LINEAGE_NO_DATA;
    } else if (answer->shown != answer->expected) {
        answer->verdict = LINEAGE_IN_FLIGHT;
    }
    return 0;
}

void lineage_sentence(const struct lineage_answer *answer, char text[LINEAGE_SENTENCE]) {
    long long shown = (long long)answer->shown, expected = (long long)answer->expected;
    if (answer->verdict != LINEAGE_WRONG) {
        snprintf(text, LINEAGE_SENTENCE, "%s: %lld shown, OLTP says %lld, %llu orders on their way",
                 lineage_verdict_name(answer->verdict), shown, expected,
                 (unsigned long long)answer->in_flight);
        return;
    }
    snprintf(text, LINEAGE_SENTENCE, "%s %s: %lld shown, OLTP says %lld, %llu of it wrong there",
             lineage_layer_name(answer->layer), lineage_cause_name(answer->cause), shown, expected,
             (unsigned long long)answer->wrong[answer->layer]);
}

void lineage_answer_release(struct lineage_answer *answer) {
    free(answer->findings);
    *answer = (struct lineage_answer){.verdict = LINEAGE_NO_DATA};
}
