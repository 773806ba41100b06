#include "faults/injector_parts.h"

#include <stdlib.h>

/* A delete that the store has confirmed and not carried out. */
struct late_delete {
    struct late_delete *next;
    struct injector *injector;
    uint64_t listing_id;
    vtime until;
    bool done;
};

/* ---- Surprises of the store itself ---- */

/* The longest that a fault of that kind asks for now; the one that begins is put on record. */
static int64_t asked_ns(struct injector *in, enum fault_kind kind, vtime now, bool begins) {
    int64_t longest_ns = 0;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind != kind || !injector_in_window(in, armed, now)) {
            continue;
        }
        longest_ns = armed->fault.delay_ns > longest_ns ? armed->fault.delay_ns : longest_ns;
        if (begins) {
            int64_t until_ns = armed->fault.until_ns;
            vtime until = until_ns == 0 ? VTIME_NEVER : vtime_add(in->start, until_ns);
            injector_note(in, armed, PASS_OBJECTS, now, until);
        }
    }
    return longest_ns;
}

/* Makes the store as the faults of this moment want it. */
static void surprise(struct injector *in, vtime now) {
    struct fake_object_store *store = simulation_object_store(in->simulation);
    int64_t lag_ns = asked_ns(in, FAULT_SLOW_LISTING, now, in->listing_lag_ns == 0);
    int64_t shift_ns = asked_ns(in, FAULT_LATE_LIFECYCLE, now, in->lifecycle_shift_ns == 0) -
                       asked_ns(in, FAULT_EARLY_LIFECYCLE, now, in->lifecycle_shift_ns == 0);
    if (lag_ns != in->listing_lag_ns) {
        in->listing_lag_ns = lag_ns;
        fake_object_store_list_late(store, lag_ns);
    }
    if (shift_ns != in->lifecycle_shift_ns) {
        in->lifecycle_shift_ns = shift_ns;
        fake_object_store_shift_lifecycle(store, now, shift_ns);
    }
}

static enum verdict judge(struct injector *in, vtime now) {
    surprise(in, now);
    return injector_judge(in, SINK_OBJECTS, now);
}

/* ---- Deletes ---- */

static void delete_late(void *ctx, vtime now, uint64_t unused) {
    struct late_delete *late = ctx;
    (void)unused;
    if (!late->done) {
        const struct object_port *objects = &late->injector->inner.objects;
        late->done = true;
        if (objects->ops->erase(objects->ctx, now, &late->listing_id, 1, late->until) != PORT_OK) {
            late->injector->out_of_memory = true;
        }
    }
}

static void delete_later(struct injector *in, uint64_t listing_id, vtime until, vtime at) {
    struct late_delete *late = malloc(sizeof *late);
    if (late == NULL) {
        in->out_of_memory = true;
        return;
    }
    *late = (struct late_delete){in->late_deletes, in, listing_id, until, false};
    in->late_deletes = late;
    if (simulation_schedule(in->simulation, at, "fault: late delete", listing_id, delete_late, late,
                            0) != 0) {
        in->out_of_memory = true;
    }
}

/* When the delete is carried out: VTIME_NEVER when it is lost. */
static vtime deleted_at(struct injector *in, vtime now) {
    vtime at = now;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        bool late = armed->fault.kind == FAULT_LATE_DELETES;
        if ((!late && armed->fault.kind != FAULT_LOST_DELETES) || !injector_draws(in, armed, now)) {
            continue;
        }
        vtime then = late ? vtime_add(now, prng_range(&armed->stream, 1, armed->fault.delay_ns))
                          : VTIME_NEVER;
        if (at.ns == now.ns) {
            injector_note(in, armed, PASS_OBJECTS, now, late ? then : now);
            at = then;
        }
    }
    return at;
}

static int erase(void *ctx, vtime now, const uint64_t *listing_ids, size_t count, vtime until) {
    struct injector *in = ctx;
    enum verdict verdict = judge(in, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    const struct object_port *objects = &in->inner.objects;
    int error = PORT_OK;
    for (size_t i = 0; i < verdict_share(verdict, count) && error == PORT_OK; i++) {
        vtime at = deleted_at(in, now);
        if (at.ns == now.ns) {
            error = objects->ops->erase(objects->ctx, now, &listing_ids[i], 1, until);
        } else if (at.ns != VTIME_NEVER.ns) {
            delete_later(in, listing_ids[i], until, at);
        }
    }
    return verdict_outcome(verdict, error);
}

/* ---- The others ---- */

static int put(void *ctx, vtime now, const struct artifact_key *keys, const float *const *vectors,
               size_t count) {
    struct injector *in = ctx;
    enum verdict verdict = judge(in, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    const struct object_port *objects = &in->inner.objects;
    return verdict_outcome(verdict, objects->ops->put(objects->ctx, now, keys, vectors,
                                                      verdict_share(verdict, count)));
}

static int get(void *ctx, vtime now, const struct artifact_key *keys, size_t count,
               float *const *vectors, bool *found) {
    struct injector *in = ctx;
    surprise(in, now);
    const struct object_port *objects = &in->inner.objects;
    return injector_unreachable(in, SINK_OBJECTS, now)
               ? PORT_UNAVAILABLE
               : objects->ops->get(objects->ctx, now, keys, count, vectors, found);
}

static int purge(void *ctx, vtime now, vtime from, vtime to) {
    struct injector *in = ctx;
    enum verdict verdict = judge(in, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    const struct object_port *objects = &in->inner.objects;
    int error = verdict == HALF_DONE ? PORT_OK : objects->ops->purge(objects->ctx, now, from, to);
    return verdict_outcome(verdict, error);
}

static int count_objects(void *ctx, vtime now, const uint64_t *listing_ids, size_t count,
                         vtime until, uint64_t *found) {
    struct injector *in = ctx;
    surprise(in, now);
    const struct object_port *objects = &in->inner.objects;
    return injector_unreachable(in, SINK_OBJECTS, now)
               ? PORT_UNAVAILABLE
               : objects->ops->count(objects->ctx, now, listing_ids, count, until, found);
}

/* ---- Life ---- */

void injector_wrap_objects(struct injector *in) {
    static const struct object_port_ops objects = {put, get, erase, purge, count_objects};
    simulation_ports(in->simulation)->objects = (struct object_port){&objects, in};
}

void injector_objects_heal(struct injector *in, vtime now) {
    surprise(in, now);
    for (struct late_delete *late = in->late_deletes; late != NULL; late = late->next) {
        delete_late(late, now, 0);
    }
}

void injector_objects_release(struct injector *in) {
    while (in->late_deletes != NULL) {
        struct late_delete *late = in->late_deletes;
        in->late_deletes = late->next;
        free(late);
    }
}
