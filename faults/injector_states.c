#include "faults/injector_parts.h"

/* A store that has been down, or is out, for longer than this moment. */
static bool some_store_is_down(struct injector *in, const struct armed *but, vtime now) {
    for (int sink = 0; sink < SINK_COUNT; sink++) {
        if (injector_store_is_down(in, (enum fault_sink)sink, now) &&
            vtime_before(in->down_from[sink], now)) {
            return true;
        }
    }
    for (size_t i = 0; i < in->count; i++) {
        const struct armed *armed = &in->armed[i];
        if (armed != but && armed->fault.kind == FAULT_SINK_OUTAGE && armed->fault.when == 0 &&
            injector_is_its_time(in, armed, now)) {
            return true;
        }
    }
    return false;
}

static uint32_t states_of_workers(const struct injector *in, vtime now) {
    uint32_t states = 0;
    for (uint32_t actor = 0; actor < simulation_actor_count(in->simulation); actor++) {
        const struct misfortune *worker = &in->workers[actor];
        if (vtime_before(worker->crashed, now) && vtime_before(now, worker->down_until)) {
            states |= UINT32_C(1) << STATE_WORKER_DOWN;
        }
        if (worker->paused.ns != 0 && vtime_before(worker->paused, now) &&
            vtime_before(now, vtime_add(worker->paused_until, PIPELINE_STATE_TAIL_NS))) {
            states |= UINT32_C(1) << STATE_ZOMBIE;
        }
    }
    return states;
}

uint32_t injector_states(struct injector *in, const struct armed *but, vtime now) {
    uint32_t states = states_of_workers(in, now);
    if (some_store_is_down(in, but, now)) {
        states |= UINT32_C(1) << STATE_STORE_DOWN;
    }
    return state_watch_now(&in->states, now, states);
}

void injector_reach(struct injector *in, const struct armed *armed, vtime now) {
    uint32_t states = injector_states(in, armed, now);
    for (int state = 0; state < PIPELINE_STATE_COUNT; state++) {
        in->reached[armed->fault.kind][state] += states >> state & 1;
    }
}

uint64_t injector_reached(const struct injector *in, enum fault_kind kind,
                          enum pipeline_state state) {
    return in->reached[kind][state];
}

void injector_sign(struct injector *in, vtime now, enum machine_kind caller,
                   enum pipeline_state state) {
    uint32_t actor = simulation_caller(in->simulation);
    if (actor != SIMULATION_ACTOR_NONE && simulation_actor_kind(in->simulation, actor) == caller) {
        state_watch_sign(&in->states, now, state);
    }
}

static void hear_appended(void *ctx, vtime now, enum topic_id topic,
                          const struct log_record *record) {
    state_watch_appended(&((struct injector *)ctx)->states, now, topic, record);
}

static void hear_alert(void *ctx, vtime now, const char *name, const char *subject,
                       enum alert_state state) {
    state_watch_alert(&((struct injector *)ctx)->states, now, name, subject, state);
}

static void hear_reconciled(void *ctx, vtime now, const struct reconciliation_report *report) {
    state_watch_reconciled(&((struct injector *)ctx)->states, now, report);
}

void injector_listen(struct injector *in) {
    in->states.simulation = in->simulation;
    simulation_listen(in->simulation, &(struct simulation_listener){in, hear_appended, hear_alert,
                                                                    hear_reconciled});
}
