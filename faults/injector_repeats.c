#include "faults/injector_parts.h"

#include <stdlib.h>

static void repeat_free(struct repeat *repeat) {
    *repeat->previous = repeat->next;
    if (repeat->next != NULL) {
        repeat->next->previous = repeat->previous;
    }
    effect_release(&repeat->pool, repeat->memory);
    effect_pool_release(&repeat->pool);
    free(repeat);
}

static void repeat_carry_out(struct repeat *repeat, vtime now) {
    const struct simulation_ports *inner = &repeat->injector->inner;
    enum item_status *statuses = calloc(repeat->count, sizeof *statuses);
    if (statuses == NULL) {
        repeat->injector->out_of_memory = true;
    } else if (repeat->keyword) {
        inner->keywords.ops->write(inner->keywords.ctx, now, repeat->keywords, repeat->count,
                                   statuses);
    } else {
        inner->vectors.ops->write(inner->vectors.ctx, now, repeat->modality, repeat->model_version,
                                  repeat->vectors, repeat->count, statuses);
    }
    free(statuses);
}

static void repeat_due(void *ctx, vtime now, uint64_t arg) {
    struct repeat *repeat = ctx;
    (void)arg;
    if (!repeat->done) {
        repeat_carry_out(repeat, now);
    }
    repeat_free(repeat);
}

vtime injector_repeat_draw(struct injector *in, enum fault_sink sink, vtime now,
                           size_t carried_out) {
    vtime again = VTIME_NEVER;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (!injector_about(in, i, sink) || armed->fault.kind != FAULT_STALE_WRITE ||
            !injector_draws(in, armed, now)) {
            continue;
        }
        vtime at = vtime_add(now, prng_range(&armed->stream, 1, armed->fault.delay_ns));
        if (carried_out > 0 && again.ns == VTIME_NEVER.ns) {
            injector_note(in, armed, (enum point)sink, now, now);
            again = at;
        }
    }
    return again;
}

struct repeat *repeat_new(struct injector *in, struct effects *effects) {
    struct repeat *repeat = calloc(1, sizeof *repeat);
    if (repeat == NULL) {
        return NULL;
    }
    repeat->injector = in;
    effect_pool_init(&repeat->pool);
    effects_init(effects, &repeat->pool);
    repeat->memory = effects_add(effects, EFFECT_COUNT, 0, 0);
    if (repeat->memory == NULL) {
        free(repeat);
        return NULL;
    }
    effects_take(effects);
    repeat->next = in->repeats;
    repeat->previous = &in->repeats;
    if (in->repeats != NULL) {
        in->repeats->previous = &repeat->next;
    }
    in->repeats = repeat;
    return repeat;
}

void repeat_schedule(struct injector *in, struct repeat *repeat, struct effects *effects,
                     vtime at) {
    if (effects->out_of_memory || simulation_schedule(in->simulation, at, "stale-write",
                                                      repeat->count, repeat_due, repeat, 0) != 0) {
        in->out_of_memory = true;
        repeat_free(repeat);
    }
}

size_t repeat_carried_out(const enum item_status *statuses, size_t count) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        n += statuses[i] != ITEM_RETRYABLE;
    }
    return n;
}

void repeat_copy_meta(struct effects *effects, struct effect *memory, struct row_meta *meta) {
    meta->category = effect_copy(effects, memory, meta->category);
    meta->locale = effect_copy(effects, memory, meta->locale);
}

void injector_repeats_heal(struct injector *in, vtime now) {
    for (struct repeat *repeat = in->repeats; repeat != NULL; repeat = repeat->next) {
        if (!repeat->done) {
            repeat_carry_out(repeat, now);
            repeat->done = true;
        }
    }
}

void injector_repeats_release(struct injector *in) {
    while (in->repeats != NULL) {
        repeat_free(in->repeats);
    }
}
