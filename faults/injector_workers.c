#include "faults/injector_parts.h"

static void restart_due(void *ctx, vtime now, uint64_t actor) {
    struct injector *in = ctx;
    (void)now;
    simulation_restart(in->simulation, (uint32_t)actor);
}

static void resume_due(void *ctx, vtime now, uint64_t actor) {
    struct injector *in = ctx;
    /* A later pause may hold the worker longer, or another one that took its place. */
    if (!vtime_before(now, in->workers[actor].paused_until)) {
        simulation_resume(in->simulation, (uint32_t)actor);
    }
}

void injector_crash_worker(struct injector *in, struct armed *armed, uint32_t actor,
                           enum point point, vtime now) {
    vtime until = vtime_add(now, injector_down_ns(armed, WORKER_DOWN_NS));
    injector_note(in, armed, point, now, until);
    in->workers[actor] =
        (struct misfortune){.crashed = now, .down_until = until, .paused_until = now};
    simulation_crash(in->simulation, actor);
    simulation_schedule(in->simulation, until, "restart-worker", actor, restart_due, in, actor);
}

static void worker_misfortune(void *ctx, vtime now, uint64_t index);

void injector_worker_arm(struct injector *in, struct armed *armed, vtime now) {
    vtime at = vtime_add(now, prng_exponential_ns(&armed->stream, armed->fault.every_ns));
    simulation_schedule(in->simulation, at, "worker-fault", (uint64_t)(armed - in->armed),
                        worker_misfortune, in, (uint64_t)(armed - in->armed));
}

/* One of the fault's workers that are up, or SIMULATION_ACTOR_NONE; one draw either way. */
static uint32_t worker_up(struct injector *in, struct armed *armed) {
    uint32_t up[SIMULATION_WORKERS_MAX], count = 0, actor;
    for (uint32_t member = 0; (actor = simulation_actor_find(in->simulation, armed->fault.worker,
                                                             member)) != SIMULATION_ACTOR_NONE;
         member++) {
        if (simulation_actor_up(in->simulation, actor)) {
            up[count++] = actor;
        }
    }
    uint64_t drawn = prng_next(&armed->stream);
    return count == 0 ? SIMULATION_ACTOR_NONE : up[drawn % count];
}

static void hold_up(struct injector *in, struct armed *armed, uint32_t actor, vtime now) {
    struct misfortune *worker = &in->workers[actor];
    vtime until = vtime_add(now, armed->fault.down_ns);
    injector_note(in, armed, PASS_WORKER, now, until);
    worker->paused_until = vtime_max(worker->paused_until, until);
    worker->paused = now;
    if (armed->fault.kind == FAULT_WORKER_STUCK) {
        simulation_stick(in->simulation, actor);
    } else {
        simulation_pause(in->simulation, actor);
    }
    simulation_schedule(in->simulation, until, "resume-worker", actor, resume_due, in, actor);
}

static void quick_due(void *ctx, vtime now, uint64_t actor) {
    struct injector *in = ctx;
    /* Another fault may keep it slow for longer. */
    if (!vtime_before(now, in->workers[actor].slow_until)) {
        simulation_slow(in->simulation, (uint32_t)actor, 0);
    }
}

static void slow_down(struct injector *in, struct armed *armed, uint32_t actor, vtime now) {
    struct misfortune *worker = &in->workers[actor];
    vtime until = vtime_add(now, armed->fault.down_ns);
    injector_note(in, armed, PASS_WORKER, now, until);
    worker->slow_until = vtime_max(worker->slow_until, until);
    simulation_slow(in->simulation, actor,
                    prng_range(&armed->stream, armed->fault.delay_ns / 2, armed->fault.delay_ns));
    simulation_schedule(in->simulation, until, "quick-worker", actor, quick_due, in, actor);
}

static void drain_due(void *ctx, vtime now, uint64_t actor) {
    struct injector *in = ctx;
    (void)now;
    if (!in->healed) {
        simulation_drain(in->simulation, (uint32_t)actor);
    }
}

/* The next one goes when the one before it is back. */
static void roll(struct injector *in, struct armed *armed, vtime now) {
    struct simulation *simulation = in->simulation;
    int64_t down_ns = injector_down_ns(armed, WORKER_DOWN_NS);
    uint32_t actor;
    vtime at = now;
    for (uint32_t member = 0; (actor = simulation_actor_find(simulation, armed->fault.worker,
                                                             member)) != SIMULATION_ACTOR_NONE;
         member++) {
        simulation_schedule(simulation, at, "drain-worker", actor, drain_due, in, actor);
        at = vtime_add(at, down_ns);
        simulation_schedule(simulation, at, "restart-worker", actor, restart_due, in, actor);
        at = vtime_add(at, down_ns);
    }
    injector_note(in, armed, PASS_WORKER, now, at);
}

static void befall(struct injector *in, struct armed *armed, uint32_t actor, vtime now) {
    switch (armed->fault.kind) {
    case FAULT_WORKER_CRASH:
        injector_crash_worker(in, armed, actor, PASS_WORKER, now);
        break;
    case FAULT_MEMBER_FLAPS:
        injector_note(in, armed, PASS_WORKER, now, now);
        simulation_flap(in->simulation, actor);
        break;
    case FAULT_SLOW_WORKER:
        slow_down(in, armed, actor, now);
        break;
    case FAULT_ROLLING_RESTART:
        roll(in, armed, now);
        break;
    default:
        hold_up(in, armed, actor, now);
    }
}

static void worker_misfortune(void *ctx, vtime now, uint64_t index) {
    struct injector *in = ctx;
    struct armed *armed = &in->armed[index];
    if (injector_is_over(in, armed, now)) {
        return;
    }
    uint32_t actor = worker_up(in, armed);
    in->passed[PASS_WORKER]++;
    if (actor != SIMULATION_ACTOR_NONE && injector_in_window(in, armed, now)) {
        befall(in, armed, actor, now);
    }
    injector_worker_arm(in, armed, now);
}

static int state_save(void *ctx, vtime now, const char *group, uint32_t partition,
                      uint32_t generation, struct bytes offsets, const struct state_entry *entries,
                      size_t count) {
    struct injector *in = ctx;
    enum verdict verdict = injector_judge(in, SINK_STATE, now);
    /* A checkpoint is atomic: half of one is none. */
    if (verdict_refused(verdict) || verdict == HALF_DONE) {
        return verdict_refused(verdict) ? verdict_refusal(verdict) : PORT_UNKNOWN;
    }
    const struct state_port *state = &in->inner.state;
    return verdict_outcome(verdict, state->ops->save(state->ctx, now, group, partition, generation,
                                                     offsets, entries, count));
}

/* Members of a group read checkpoints when partitions were dealt out anew. */
static void sign_of_restoring(struct injector *in, vtime now) {
    uint32_t actor = simulation_caller(in->simulation);
    if (actor == SIMULATION_ACTOR_NONE) {
        return;
    }
    state_watch_sign(&in->states, now, STATE_RESTORING);
    if (machine_tenure(simulation_actor_kind(in->simulation, actor)) == MACHINE_GROUPED) {
        state_watch_sign(&in->states, now, STATE_REBALANCING);
    }
}

static void rot(struct injector *in, const char *group, uint32_t partition, vtime now) {
    struct fake_state_store *store = simulation_state_store(in->simulation);
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind == FAULT_ROTTEN_STATE && injector_draws(in, armed, now) &&
            fake_state_store_rot(store, group, partition, prng_next(&armed->stream))) {
            injector_note(in, armed, PASS_STATE, now, now);
        }
    }
}

static int state_load(void *ctx, vtime now, const char *group, uint32_t partition,
                      uint32_t generation, struct bytes *offsets,
                      int (*entry)(void *entry_ctx, uint64_t key, struct bytes value),
                      void *entry_ctx) {
    struct injector *in = ctx;
    const struct state_port *state = &in->inner.state;
    sign_of_restoring(in, now);
    if (injector_unreachable(in, SINK_STATE, now)) {
        return PORT_UNAVAILABLE;
    }
    rot(in, group, partition, now);
    return state->ops->load(state->ctx, now, group, partition, generation, offsets, entry,
                            entry_ctx);
}

static int state_peek(void *ctx, vtime now, const char *group, uint32_t partition, uint64_t key,
                      struct bytes *value) {
    struct injector *in = ctx;
    const struct state_port *state = &in->inner.state;
    return injector_unreachable(in, SINK_STATE, now)
               ? PORT_UNAVAILABLE
               : state->ops->peek(state->ctx, now, group, partition, key, value);
}

void injector_wrap_state(struct injector *in) {
    static const struct state_port_ops state = {state_save, state_load, state_peek};
    simulation_ports(in->simulation)->state = (struct state_port){&state, in};
}

void injector_workers_heal(struct injector *in) {
    for (uint32_t actor = 0; actor < simulation_actor_count(in->simulation); actor++) {
        simulation_slow(in->simulation, actor, 0);
        simulation_resume(in->simulation, actor);
        simulation_restart(in->simulation, actor);
    }
}
