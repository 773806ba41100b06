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

/* The longest that a fault of that kind asks for now. */
static int64_t asked_ns(struct injector *in, enum fault_kind kind, vtime now) {
    int64_t longest_ns = 0;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind == kind && armed->fault.delay_ns > longest_ns &&
            injector_in_window(in, armed, now)) {
            longest_ns = armed->fault.delay_ns;
        }
    }
    return longest_ns;
}

/* Makes the store as the faults of this moment want it. */
static void surprise(struct injector *in, vtime now) {
    struct fake_object_store *store = simulation_object_store(in->simulation);
    int64_t lag_ns = asked_ns(in, FAULT_SLOW_LISTING, now);
    int64_t shift_ns =
        asked_ns(in, FAULT_LATE_LIFECYCLE, now) - asked_ns(in, FAULT_EARLY_LIFECYCLE, now);
    if (lag_ns != in->listing_lag_ns) {
        in->listing_lag_ns = lag_ns;
        fake_object_store_list_late(store, lag_ns);
    }
    if (shift_ns != in->lifecycle_shift_ns) {
        in->lifecycle_shift_ns = shift_ns;
        fake_object_store_shift_lifecycle(store, now, shift_ns);
    }
}

/* Puts what the surprises did since to the account of the faults that asked for them. */
static void surprised(struct injector *in, vtime now, const struct fake_object_store_counts *then) {
    struct fake_object_store_counts counts =
        fake_object_store_counts(simulation_object_store(in->simulation));
    const struct {
        enum fault_kind kind;
        bool acted;
    } did[] = {{FAULT_SLOW_LISTING, counts.mislisted > then->mislisted},
               {FAULT_EARLY_LIFECYCLE, counts.early > then->early},
               {FAULT_LATE_LIFECYCLE, counts.late > then->late}};
    for (size_t k = 0; k < sizeof did / sizeof *did; k++) {
        for (size_t i = 0; did[k].acted && i < in->count; i++) {
            if (in->armed[i].fault.kind == did[k].kind &&
                injector_in_window(in, &in->armed[i], now)) {
                injector_note(in, &in->armed[i], PASS_OBJECTS, now, now);
            }
        }
    }
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

/* When the delete is carried out: VTIME_NEVER when it is lost. `something`: there is something to
 * be deleted. */
static vtime deleted_at(struct injector *in, bool something, vtime now) {
    vtime at = now;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        bool late = armed->fault.kind == FAULT_LATE_DELETES;
        if ((!late && armed->fault.kind != FAULT_LOST_DELETES) || !injector_draws(in, armed, now)) {
            continue;
        }
        vtime then = late ? vtime_add(now, prng_range(&armed->stream, 1, armed->fault.delay_ns))
                          : VTIME_NEVER;
        if (at.ns == now.ns && something) {
            injector_note(in, armed, PASS_OBJECTS, now, late ? then : now);
            at = then;
        }
    }
    return at;
}

static int erase_struck(struct injector *in, vtime now, const uint64_t *listing_ids, size_t count,
                        vtime until) {
    enum verdict verdict = injector_judge(in, SINK_OBJECTS, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    const struct object_port *objects = &in->inner.objects;
    const struct fake_object_store *store = simulation_object_store(in->simulation);
    int error = PORT_OK;
    for (size_t i = 0; i < verdict_share(verdict, count) && error == PORT_OK; i++) {
        bool something = fake_object_store_holds(store, listing_ids[i], until);
        vtime at = deleted_at(in, something, now);
        if (at.ns == now.ns) {
            error = objects->ops->erase(objects->ctx, now, &listing_ids[i], 1, until);
        } else if (at.ns != VTIME_NEVER.ns) {
            delete_later(in, listing_ids[i], until, at);
        }
    }
    return verdict_outcome(verdict, error);
}

/* ---- The others ---- */

static int put_struck(struct injector *in, vtime now, const struct artifact_key *keys,
                      const float *const *vectors, size_t count) {
    enum verdict verdict = injector_judge(in, SINK_OBJECTS, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    const struct object_port *objects = &in->inner.objects;
    return verdict_outcome(verdict, objects->ops->put(objects->ctx, now, keys, vectors,
                                                      verdict_share(verdict, count)));
}

static int purge_struck(struct injector *in, vtime now, vtime from, vtime to) {
    enum verdict verdict = injector_judge(in, SINK_OBJECTS, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    const struct object_port *objects = &in->inner.objects;
    int error = verdict == HALF_DONE ? PORT_OK : objects->ops->purge(objects->ctx, now, from, to);
    return verdict_outcome(verdict, error);
}

/* ---- The port ---- */

static struct fake_object_store_counts begin(struct injector *in, vtime now) {
    struct fake_object_store_counts counts =
        fake_object_store_counts(simulation_object_store(in->simulation));
    surprise(in, now);
    return counts;
}

static int put(void *ctx, vtime now, const struct artifact_key *keys, const float *const *vectors,
               size_t count) {
    struct fake_object_store_counts then = begin(ctx, now);
    int error = put_struck(ctx, now, keys, vectors, count);
    surprised(ctx, now, &then);
    return error;
}

static int get(void *ctx, vtime now, const struct artifact_key *keys, size_t count,
               float *const *vectors, bool *found) {
    struct injector *in = ctx;
    const struct object_port *objects = &in->inner.objects;
    struct fake_object_store_counts then = begin(in, now);
    int error = injector_unreachable(in, SINK_OBJECTS, now)
                    ? PORT_UNAVAILABLE
                    : objects->ops->get(objects->ctx, now, keys, count, vectors, found);
    surprised(in, now, &then);
    return error;
}

static int erase(void *ctx, vtime now, const uint64_t *listing_ids, size_t count, vtime until) {
    struct fake_object_store_counts then = begin(ctx, now);
    int error = erase_struck(ctx, now, listing_ids, count, until);
    surprised(ctx, now, &then);
    return error;
}

static int purge(void *ctx, vtime now, vtime from, vtime to) {
    struct fake_object_store_counts then = begin(ctx, now);
    int error = purge_struck(ctx, now, from, to);
    surprised(ctx, now, &then);
    return error;
}

static int count_objects(void *ctx, vtime now, const uint64_t *listing_ids, size_t count,
                         vtime until, uint64_t *found) {
    struct injector *in = ctx;
    const struct object_port *objects = &in->inner.objects;
    struct fake_object_store_counts then = begin(in, now);
    int error = injector_unreachable(in, SINK_OBJECTS, now)
                    ? PORT_UNAVAILABLE
                    : objects->ops->count(objects->ctx, now, listing_ids, count, until, found);
    surprised(in, now, &then);
    return error;
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
