#include "faults/injector_parts.h"

static void repeat_keywords(struct injector *in, vtime at, const struct keyword_write *items,
                            const enum item_status *statuses, size_t count) {
    struct effects effects;
    struct repeat *repeat = repeat_new(in, &effects);
    if (repeat == NULL) {
        in->out_of_memory = true;
        return;
    }
    repeat->keyword = true;
    repeat->keywords = effect_alloc(&effects, repeat->memory, count * sizeof *items);
    for (size_t i = 0; repeat->keywords != NULL && i < count; i++) {
        if (statuses[i] == ITEM_RETRYABLE) {
            continue;
        }
        struct keyword_write *item = &repeat->keywords[repeat->count++];
        *item = items[i];
        repeat_copy_meta(&effects, repeat->memory, &item->meta);
        item->title = effect_copy(&effects, repeat->memory, item->title);
        item->description = effect_copy(&effects, repeat->memory, item->description);
        item->attributes = effect_copy(&effects, repeat->memory, item->attributes);
    }
    repeat_schedule(in, repeat, &effects, at);
}

static enum point write_call(const struct keyword_write *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind != ROW_DELETE) {
            return PASS_KEYWORDS_UPSERT;
        }
    }
    return PASS_KEYWORDS_DELETE;
}

static int keywords_write(void *ctx, vtime now, const struct keyword_write *items, size_t count,
                          enum item_status *statuses) {
    struct injector *in = ctx;
    enum verdict verdict = injector_judge_call(in, SINK_KEYWORDS, write_call(items, count), now);
    if (verdict_refused(verdict)) {
        injector_repeat_draw(in, SINK_KEYWORDS, now, 0);
        return verdict_refusal(verdict);
    }
    const struct keyword_port *keywords = &in->inner.keywords;
    size_t done = verdict_share(verdict, count);
    for (size_t i = 0; i < done;) {
        size_t run = i;
        enum item_status fate = ITEM_APPLIED;
        while (run < done && (fate = injector_item_fate(in, SINK_KEYWORDS, items[run].kind, now)) ==
                                 ITEM_APPLIED) {
            run++;
        }
        if (run > i) {
            int error = keywords->ops->write(keywords->ctx, now, items + i, run - i, statuses + i);
            if (error != PORT_OK) {
                return error;
            }
        }
        if (run < done) {
            statuses[run++] = fate;
        }
        i = run;
    }
    vtime again = injector_repeat_draw(in, SINK_KEYWORDS, now, repeat_carried_out(statuses, done));
    if (again.ns != VTIME_NEVER.ns) {
        repeat_keywords(in, again, items, statuses, done);
    }
    return verdict_outcome(verdict, PORT_OK);
}

static int keywords_scan(void *ctx, vtime now, enum scan_path path, uint64_t first, uint64_t last,
                         struct scan_row *out, size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct keyword_port *keywords = &in->inner.keywords;
    if (injector_unreachable(in, SINK_KEYWORDS, now)) {
        return PORT_UNAVAILABLE;
    }
    return keywords->ops->scan(keywords->ctx, now, path, first, last, out, max, count);
}

static int keywords_search(void *ctx, vtime now, struct bytes query, size_t k,
                           const struct row_filter *filter, struct search_hit *hits,
                           size_t *count) {
    struct injector *in = ctx;
    const struct keyword_port *keywords = &in->inner.keywords;
    if (injector_unreachable(in, SINK_KEYWORDS, now)) {
        return PORT_UNAVAILABLE;
    }
    return keywords->ops->search(keywords->ctx, now, query, k, filter, hits, count);
}

static int keywords_block(void *ctx, vtime now, const struct seller_block *items, size_t count) {
    struct injector *in = ctx;
    const struct keyword_port *keywords = &in->inner.keywords;
    enum verdict verdict = injector_judge_call(in, SINK_KEYWORDS, PASS_KEYWORDS_BLOCK, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    return verdict_outcome(
        verdict, keywords->ops->block(keywords->ctx, now, items, verdict_share(verdict, count)));
}

static int keywords_erase(void *ctx, vtime now, const struct erasure_subject *subjects,
                          size_t count, struct erasure_look *looks) {
    struct injector *in = ctx;
    const struct keyword_port *keywords = &in->inner.keywords;
    enum verdict verdict = injector_judge_call(in, SINK_KEYWORDS, PASS_KEYWORDS_ERASE, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    return verdict_outcome(verdict, keywords->ops->erase(keywords->ctx, now, subjects,
                                                         verdict_share(verdict, count), looks));
}

void injector_wrap_keywords(struct injector *in) {
    static const struct keyword_port_ops keywords = {keywords_write, keywords_scan, keywords_search,
                                                     keywords_block, keywords_erase};
    simulation_ports(in->simulation)->keywords = (struct keyword_port){&keywords, in};
}
