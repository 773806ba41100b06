#include "faults/injector_parts.h"

/* Whether a fault of requests strikes this one. */
static bool strikes(struct injector *in, struct armed *armed, vtime now) {
    switch (armed->fault.kind) {
    case FAULT_SINK_OUTAGE:
    case FAULT_DISK_FULL:
        return injector_in_window(in, armed, now);
    case FAULT_SINK_THROTTLE:
    case FAULT_SINK_CRASH:
    case FAULT_WORKER_CRASH_AT_WRITE:
        return injector_draws(in, armed, now);
    default:
        return false;
    }
}

bool injector_store_is_down(const struct injector *in, enum fault_sink sink, vtime now) {
    return !in->healed && vtime_before(now, in->down_until[sink]);
}

void injector_store_down(struct injector *in, enum fault_sink sink, vtime now, vtime until) {
    if (!injector_store_is_down(in, sink, now)) {
        in->down_from[sink] = now;
    }
    in->down_until[sink] = until;
}

/* The store's process ended: what it held in memory only is lost. How much that was. */
static size_t memory_lost(struct injector *in, enum fault_sink sink, vtime now) {
    size_t lost = 0;
    if (sink == SINK_VECTORS &&
        fake_vector_db_restart(simulation_vector_db(in->simulation), now, &lost) != 0) {
        in->out_of_memory = true;
    } else if (sink == SINK_KEYWORDS) {
        lost = fake_keyword_restart(simulation_keyword(in->simulation));
    }
    return lost;
}

/* Somebody is not answered by a store that is down. */
static void turned_away(struct injector *in, enum fault_sink sink, vtime now) {
    struct idle_restart *idle = &in->idle_restarts[sink];
    if (idle->armed != NULL && vtime_before(now, idle->until)) {
        injector_note(in, idle->armed, (enum point)sink, now, idle->until);
        idle->armed = NULL;
    }
}

/* Whoever is no worker sends record by record, and again each second what did not go in: of one
 * second that is one strike, as of one batch. */
static bool counts(const struct injector *in, struct armed *armed, vtime now) {
    bool worker = simulation_caller(in->simulation) != SIMULATION_ACTOR_NONE;
    if (!worker && armed->refused.ns != 0 && vtime_diff(now, armed->refused) < VTIME_SECOND) {
        return false;
    }
    armed->refused = worker ? armed->refused : now;
    return true;
}

/* What a fault that strikes does to a request; the caller may be crashed on the way. */
static enum verdict strike(struct injector *in, struct armed *armed, enum fault_sink sink,
                           vtime now) {
    enum point point = (enum point)sink;
    if (armed->fault.kind == FAULT_WORKER_CRASH_AT_WRITE) {
        if (simulation_caller_up(in->simulation)) {
            injector_crash_worker(in, armed, simulation_caller(in->simulation), point, now);
        }
        return PASSES;
    }
    if (armed->fault.kind != FAULT_SINK_CRASH) {
        bool by_record = sink == SINK_LOG && armed->fault.kind == FAULT_SINK_OUTAGE;
        if (!by_record || counts(in, armed, now)) {
            injector_note(in, armed, point, now, now);
        }
        return armed->fault.kind == FAULT_SINK_THROTTLE ? THROTTLED : FAILS_BEFORE;
    }
    vtime until = vtime_add(now, injector_down_ns(armed, SINK_DOWN_NS));
    injector_store_down(in, sink, now, until);
    memory_lost(in, sink, now);
    injector_note(in, armed, point, now, until);
    return armed->fault.point == POINT_BEFORE  ? FAILS_BEFORE
           : armed->fault.point == POINT_AFTER ? REPLY_LOST
                                               : HALF_DONE;
}

static void restart_due(void *ctx, vtime now, uint64_t index) {
    struct injector *in = ctx;
    struct armed *armed = &in->armed[index];
    enum fault_sink sink = armed->fault.sink;
    if (injector_is_over(in, armed, now)) {
        return;
    }
    if (injector_in_window(in, armed, now)) {
        vtime until = vtime_add(now, injector_down_ns(armed, SINK_DOWN_NS));
        injector_store_down(in, sink, now, vtime_max(in->down_until[sink], until));
        in->idle_restarts[sink] = (struct idle_restart){NULL, until};
        if (memory_lost(in, sink, now) > 0) {
            injector_note(in, armed, (enum point)sink, now, until);
        } else {
            in->idle_restarts[sink].armed = armed;
        }
    }
    injector_restart_arm(in, armed, now);
}

void injector_restart_arm(struct injector *in, struct armed *armed, vtime now) {
    vtime at = vtime_add(now, prng_exponential_ns(&armed->stream, armed->fault.every_ns));
    uint64_t index = (uint64_t)(armed - in->armed);
    if (simulation_schedule(in->simulation, at, "restart-store", index, restart_due, in, index) !=
        0) {
        in->out_of_memory = true;
    }
}

/* Who only calls a store at work is at work. */
static void sign(struct injector *in, enum fault_sink sink, vtime now) {
    if (sink != SINK_STATE && sink != SINK_LOG) {
        injector_sign(in, now, MACHINE_RECONCILER, STATE_RECONCILING);
        injector_sign(in, now, MACHINE_BATCH, STATE_BATCH);
    }
}

/* The fault, which is about that store, is about requests of that name or of any. */
static bool is_about(const struct armed *armed, enum fault_sink sink, enum point call) {
    uint32_t wanted = armed->fault.call;
    return wanted == 0 || wanted - 1 == (uint32_t)call || wanted - 1 == (uint32_t)sink;
}

enum verdict injector_judge(struct injector *in, enum fault_sink sink, vtime now) {
    return injector_judge_call(in, sink, (enum point)sink, now);
}

enum verdict injector_judge_call(struct injector *in, enum fault_sink sink, enum point call,
                                 vtime now) {
    sign(in, sink, now);
    in->passed[sink]++;
    in->passed[call] += call != (enum point)sink;
    enum verdict verdict = PASSES;
    if (injector_store_is_down(in, sink, now)) {
        turned_away(in, sink, now);
        verdict = FAILS_BEFORE;
    }
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (injector_about(in, i, sink) && is_about(armed, sink, call) && strikes(in, armed, now) &&
            verdict == PASSES) {
            verdict = strike(in, armed, sink, now);
        }
    }
    return verdict;
}

bool injector_unreachable(struct injector *in, enum fault_sink sink, vtime now) {
    sign(in, sink, now);
    bool out = injector_store_is_down(in, sink, now);
    if (out) {
        turned_away(in, sink, now);
    }
    for (size_t i = 0; i < in->count && !out; i++) {
        out = injector_about(in, i, sink) && in->armed[i].fault.kind == FAULT_SINK_OUTAGE &&
              injector_in_window(in, &in->armed[i], now);
    }
    return out;
}

enum item_status injector_item_fate(struct injector *in, enum fault_sink sink,
                                    enum row_write_kind kind, vtime now) {
    enum item_status fate = ITEM_APPLIED;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (!injector_about(in, i, sink)) {
            continue;
        }
        bool for_good = armed->fault.kind == FAULT_ITEM_REFUSALS;
        if (for_good && kind != ROW_UPSERT) {
            continue;
        }
        if ((for_good || armed->fault.kind == FAULT_ITEM_FAILURES) &&
            injector_draws(in, armed, now) && fate == ITEM_APPLIED) {
            injector_note(in, armed, (enum point)sink, now, now);
            fate = for_good ? ITEM_FATAL : ITEM_RETRYABLE;
        }
    }
    return fate;
}

int verdict_refusal(enum verdict verdict) {
    return verdict == THROTTLED ? PORT_THROTTLED : PORT_UNAVAILABLE;
}

bool verdict_refused(enum verdict verdict) {
    return verdict == FAILS_BEFORE || verdict == THROTTLED;
}

size_t verdict_share(enum verdict verdict, size_t n) {
    return verdict == HALF_DONE ? n / 2 : n;
}

int verdict_outcome(enum verdict verdict, int error) {
    return error == PORT_OK && verdict != PASSES ? PORT_UNKNOWN : error;
}
