#include "faults/injector_parts.h"

#include <stdlib.h>
#include <string.h>

/* A record that is held back, or repeated later. */
struct held {
    struct held *next, **previous;
    struct injector *injector;
    enum topic_id topic;
    bool released; /* appended already, when the run healed */
    uint64_t key;
    size_t length;
    char value[];
};

static void held_unlink(struct held *held) {
    *held->previous = held->next;
    if (held->next != NULL) {
        held->next->previous = held->previous;
    } else {
        held->injector->held_end = held->previous;
    }
}

/* False when its partition has nobody who takes it. */
static bool held_append(struct held *held, vtime now) {
    struct produce_item item = {held->topic, held->key, {held->value, held->length}};
    struct produce_result result;
    const struct log_port *log = &held->injector->inner.log;
    int error = log->ops->produce(log->ctx, now, &item, 1, &result);
    if (error == PORT_NO_MEMORY) {
        held->injector->out_of_memory = true;
    }
    return error == PORT_OK && result.status == ITEM_APPLIED;
}

/* How often a stall that lasts as long as a state looks whether it still holds, and a record whose
 * partition has no leader is tried again: its producer was told that it is in. */
#define STATE_LOOK_NS VTIME_SECOND

/* When a stall of the feed that holds now is over; `now` when there is none. Healing ends a stall
 * without an end; until then it is as good as never. */
static vtime stalled_until(struct injector *in, enum topic_id feed, vtime now) {
    vtime until = now;
    for (size_t i = 0; i < in->count; i++) {
        const struct fault *fault = &in->armed[i].fault;
        if (fault->kind == FAULT_STALLED_FEED && fault->feed == feed &&
            injector_in_window(in, &in->armed[i], now)) {
            vtime end = fault->when != 0       ? vtime_add(now, STATE_LOOK_NS)
                        : fault->until_ns == 0 ? vtime_add(now, 365 * VTIME_DAY)
                                               : vtime_add(in->start, fault->until_ns);
            until = vtime_max(until, end);
        }
    }
    return until;
}

static void held_due(void *ctx, vtime now, uint64_t arg) {
    struct held *held = ctx;
    struct injector *in = held->injector;
    (void)arg;
    vtime until = stalled_until(in, held->topic, now);
    if (!held->released && !vtime_before(now, until) && !held_append(held, now)) {
        until = vtime_add(now, STATE_LOOK_NS);
    }
    if (!held->released && vtime_before(now, until)) {
        if (simulation_schedule(in->simulation, until, "held-record", held->key, held_due, held,
                                0) != 0) {
            in->out_of_memory = true;
        }
        return;
    }
    held_unlink(held);
    free(held);
}

/* Appends a copy of the record at a later moment. */
static void hold(struct injector *in, const struct produce_item *item, vtime until) {
    struct held *held = malloc(sizeof *held + item->value.len);
    if (held == NULL) {
        in->out_of_memory = true;
        return;
    }
    *held = (struct held){.previous = in->held_end,
                          .injector = in,
                          .topic = item->topic,
                          .key = item->key,
                          .length = item->value.len};
    if (item->value.len > 0) {
        memcpy(held->value, item->value.data, item->value.len);
    }
    *in->held_end = held;
    in->held_end = &held->next;
    if (simulation_schedule(in->simulation, until, "held-record", item->key, held_due, held, 0) !=
        0) {
        held_unlink(held);
        free(held);
        in->out_of_memory = true;
    }
}

/* True when the record goes its way now; false when it was taken in hand. */
static bool append_passes(struct injector *in, const struct produce_item *item, vtime now) {
    in->passed[PASS_APPEND]++;
    bool passes = true;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        const struct fault *fault = &armed->fault;
        if (fault->feed != item->topic) {
            continue;
        }
        vtime at = now;
        switch (fault->kind) {
        case FAULT_DUPLICATE_RECORDS:
            if (injector_draws(in, armed, now)) {
                at = vtime_add(now, prng_range(&armed->stream, 1, fault->delay_ns + 1));
                hold(in, item, at);
                injector_note(in, armed, PASS_APPEND, now, now);
            }
            break;
        case FAULT_LATE_RECORDS:
            if (injector_draws(in, armed, now)) {
                at = vtime_add(now, prng_range(&armed->stream, 1, fault->delay_ns));
                if (passes) {
                    hold(in, item, at);
                    injector_note(in, armed, PASS_APPEND, now, now);
                }
                passes = false;
            }
            break;
        case FAULT_ACKED_LOST:
            if (injector_draws(in, armed, now)) {
                injector_note(in, armed, PASS_APPEND, now, now);
                passes = false;
            }
            break;
        case FAULT_STALLED_FEED:
            if (injector_in_window(in, armed, now) && passes) {
                at = stalled_until(in, item->topic, now);
                hold(in, item, at);
                injector_note(in, armed, PASS_APPEND, now, at);
                passes = false;
            }
            break;
        default:
            break;
        }
    }
    return passes;
}

static int log_produce_as(void *ctx, vtime now, const struct producer_mark *first,
                          const struct produce_item *items, size_t count,
                          struct produce_result *results) {
    struct injector *in = ctx;
    injector_sign(in, now, MACHINE_STEWARD, STATE_REPLAYING);
    enum verdict verdict = injector_judge(in, SINK_LOG, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    size_t done = verdict_share(verdict, count);
    const struct log_port *log = &in->inner.log;
    injector_produce_begins(in, now);
    for (size_t i = 0; i < done; i++) {
        if (!append_passes(in, &items[i], now)) {
            /* Taken over by what stands between producer and feed: the producer is done with it. */
            results[i] = (struct produce_result){.status = ITEM_APPLIED, .offset = -1};
            continue;
        }
        struct producer_mark mark = *first;
        mark.sequence += (uint32_t)i;
        int error = PORT_OK;
        if (!injector_cut_off(in, now, &mark, &items[i], &results[i], &error)) {
            error = log->ops->produce_as(log->ctx, now, &mark, &items[i], 1, &results[i]);
        }
        if (error != PORT_OK) {
            return error;
        }
    }
    return verdict_outcome(verdict, PORT_OK);
}

static int log_produce(void *ctx, vtime now, const struct produce_item *items, size_t count,
                       struct produce_result *results) {
    static const struct producer_mark none;
    return log_produce_as(ctx, now, &none, items, count, results);
}

static int log_fetch(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t offset,
                     struct log_record *out, size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct log_port *log = &in->inner.log;
    bool refused = false;
    in->passed[PASS_FETCH]++;
    if (injector_unreachable(in, SINK_LOG, now)) {
        *count = 0;
        return PORT_UNAVAILABLE;
    }
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind == FAULT_FALSE_OUT_OF_RANGE && armed->fault.feed == topic &&
            injector_draws(in, armed, now)) {
            injector_note(in, armed, PASS_FETCH, now, now);
            refused = true;
        }
    }
    *count = 0;
    return refused ? PORT_OUT_OF_RANGE
                   : log->ops->fetch(log->ctx, now, topic, partition, offset, out, max, count);
}

static int log_bounds(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t *start,
                      int64_t *end) {
    const struct log_port *log = &((struct injector *)ctx)->inner.log;
    return injector_unreachable(ctx, SINK_LOG, now)
               ? PORT_UNAVAILABLE
               : log->ops->bounds(log->ctx, now, topic, partition, start, end);
}

static int log_commit(void *ctx, vtime now, const char *group, uint32_t member, uint32_t generation,
                      enum topic_id topic, uint32_t partition, int64_t offset) {
    return injector_unreachable(ctx, SINK_LOG, now)
               ? PORT_UNAVAILABLE
               : injector_commit(ctx, now, group, member, generation, topic, partition, offset);
}

static int log_epoch_end(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                         uint32_t epoch, int64_t *end) {
    const struct log_port *log = &((struct injector *)ctx)->inner.log;
    return injector_unreachable(ctx, SINK_LOG, now)
               ? PORT_UNAVAILABLE
               : log->ops->epoch_end(log->ctx, now, topic, partition, epoch, end);
}

static int log_committed(void *ctx, vtime now, const char *group, enum topic_id topic,
                         uint32_t partition, int64_t *offset) {
    const struct log_port *log = &((struct injector *)ctx)->inner.log;
    return injector_unreachable(ctx, SINK_LOG, now)
               ? PORT_UNAVAILABLE
               : log->ops->committed(log->ctx, now, group, topic, partition, offset);
}

static bool outbox_publish(void *ctx, vtime now, const struct workload_op *op) {
    struct injector *in = ctx;
    if (op->kind > OP_LISTING_DELETE && op->kind != OP_POLICY) {
        return true;
    }
    in->passed[PASS_OUTBOX]++;
    bool publishes = true;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind == FAULT_DUAL_WRITE && injector_draws(in, armed, now) && publishes) {
            injector_note(in, armed, PASS_OUTBOX, now, now);
            publishes = false;
        }
    }
    return publishes;
}

void injector_wrap_log(struct injector *in) {
    static const struct log_port_ops log = {
        .produce = log_produce,
        .produce_as = log_produce_as,
        .fetch = log_fetch,
        .bounds = log_bounds,
        .commit = log_commit,
        .epoch_end = log_epoch_end,
        .committed = log_committed,
    };
    simulation_ports(in->simulation)->log = (struct log_port){&log, in};
    *simulation_outbox_gate(in->simulation) = (struct outbox_gate){outbox_publish, in};
}

void injector_log_heal(struct injector *in, vtime now) {
    for (struct held *held = in->held; held != NULL; held = held->next) {
        if (!held->released) {
            held_append(held, now);
            held->released = true;
        }
    }
}

void injector_log_release(struct injector *in) {
    while (in->held != NULL) {
        struct held *held = in->held;
        held_unlink(held);
        free(held);
    }
}
