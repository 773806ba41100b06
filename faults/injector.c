#include "faults/injector_parts.h"

#include <assert.h>
#include <stdlib.h>

#include "pipeline/array.h"

static const struct {
    const char *name;
    const char *about;
    unsigned place; /* of enum fault_place, of calls to a store */
} points[PASS_COUNT] = {
    {"vectors.write", "a request that changes something reaches the vector database",
     PLACE_VECTORS},
    {"keywords.write", "a request that changes something reaches the keyword index",
     PLACE_KEYWORDS},
    {"warehouse.load", "a request that changes something reaches the warehouse", PLACE_WAREHOUSE},
    {"embedding.embed", "a request reaches the embedding service", PLACE_EMBEDDING},
    {"state.save", "a checkpoint reaches the state store", PLACE_STATE},
    {"log.produce", "a produce request reaches the log", PLACE_LOG},
    {"objects.request", "a request reaches the object store", PLACE_OBJECTS},
    {"feed.append", "a record is about to be appended to a topic", 0},
    {"oltp.commit", "a change of a listing is committed with its outbox row", 0},
    {"worker.run", "a worker is chosen for a misfortune", 0},
    {"outbox.read", "the relay asks for rows of the outbox", 0},
    {"vectors.upsert", "rows are written to the vector database, with or without vectors",
     PLACE_VECTORS},
    {"vectors.delete", "nothing but deletions is written to the vector database", PLACE_VECTORS},
    {"vectors.admin", "collections are made, dropped or put behind an alias", PLACE_VECTORS},
    {"vectors.block", "sellers' rows are hidden from readers, or shown", PLACE_VECTORS},
    {"vectors.erase", "the vector database is asked to erase listings", PLACE_VECTORS},
    {"keywords.upsert", "rows are written to the keyword index", PLACE_KEYWORDS},
    {"keywords.delete", "nothing but deletions is written to the keyword index", PLACE_KEYWORDS},
    {"keywords.block", "sellers' rows are hidden from readers, or shown", PLACE_KEYWORDS},
    {"keywords.erase", "the keyword index is asked to erase listings", PLACE_KEYWORDS},
    {"warehouse.batch", "a micro-batch reaches the warehouse", PLACE_WAREHOUSE},
    {"warehouse.refresh", "the dashboard's view is refreshed", PLACE_WAREHOUSE},
    {"warehouse.erase", "the warehouse is asked to erase listings", PLACE_WAREHOUSE},
    {"log.broker", "a partition of a topic, or a consumer group, is chosen for a misfortune", 0},
    {"log.commit", "a group's offset reaches its coordinator", 0},
    {"log.fetch", "a consumer's request for records reaches the log", 0},
};

/* ---- Deciding ---- */

bool injector_is_its_time(const struct injector *in, const struct armed *armed, vtime now) {
    int64_t since_ns = vtime_diff(now, in->start);
    return !in->healed && !armed->fault.off && since_ns >= armed->fault.from_ns &&
           (armed->fault.until_ns == 0 || since_ns < armed->fault.until_ns);
}

bool injector_is_over(const struct injector *in, const struct armed *armed, vtime now) {
    return in->healed ||
           (armed->fault.until_ns != 0 && vtime_diff(now, in->start) >= armed->fault.until_ns);
}

/* It has no ratio and no pace: it goes on for its window. */
static bool lasts(const struct fault *fault) {
    return (fault_table()[fault->kind].required & (FAULT_RATIO | FAULT_EVERY)) == 0;
}

bool injector_in_window(struct injector *in, struct armed *armed, vtime now) {
    struct fault *fault = &armed->fault;
    if (!injector_is_its_time(in, armed, now) ||
        (fault->when != 0 && (injector_states(in, armed, now) >> (fault->when - 1) & 1) == 0)) {
        return false;
    }
    if (fault->when != 0 && lasts(fault) && fault->down_ns > 0) {
        /* What the state begins goes on for its time, whatever becomes of the state. */
        fault->when = 0;
        fault->from_ns = vtime_diff(now, in->start);
        int64_t until_ns = fault->from_ns + fault->down_ns;
        fault->until_ns =
            fault->until_ns == 0 || until_ns < fault->until_ns ? until_ns : fault->until_ns;
    }
    return true;
}

/* Strikes of one fault that follow each other closely are one band: a report draws dozens. Faults
 * that strike single records or requests are one band from the first strike to the last. */
static int64_t band_gap_ns(enum fault_kind kind) {
    switch (kind) {
    case FAULT_STALLED_FEED:
    case FAULT_OUTBOX_STALL:
    case FAULT_SINK_CRASH:
    case FAULT_SINK_OUTAGE:
    case FAULT_DISK_FULL:
    case FAULT_SINK_RESTART:
    case FAULT_WORKER_CRASH:
    case FAULT_WORKER_CRASH_AT_WRITE:
    case FAULT_WORKER_PAUSE:
    case FAULT_WORKER_STUCK:
    case FAULT_SLOW_WORKER:
    case FAULT_ROLLING_RESTART:
    case FAULT_LEADER_CHANGE:
    case FAULT_UNCLEAN_LEADER:
        return 5 * VTIME_MINUTE;
    default:
        return INT64_MAX;
    }
}

static void band_add(struct injector *in, struct armed *armed, vtime from, vtime to) {
    if (armed->banded &&
        vtime_diff(from, in->bands[armed->band].to) < band_gap_ns(armed->fault.kind)) {
        struct fault_band *last = &in->bands[armed->band];
        last->to = vtime_max(last->to, to);
        return;
    }
    if (ARRAY_RESERVE(in->bands, in->band_capacity, in->band_count + 1) != 0) {
        in->out_of_memory = true;
        return;
    }
    armed->banded = true;
    armed->band = in->band_count;
    in->bands[in->band_count++] = (struct fault_band){(uint32_t)(armed - in->armed), from, to};
}

/* Puts a strike on record. */
void injector_note(struct injector *in, struct armed *armed, enum point point, vtime now,
                   vtime until) {
    uint32_t index = (uint32_t)(armed - in->armed);
    armed->struck++;
    injector_reach(in, armed, now);
    band_add(in, armed, now, until);
    if (ARRAY_RESERVE(in->decisions, in->decision_capacity, in->decision_count + 1) != 0) {
        in->out_of_memory = true;
        return;
    }
    in->decisions[in->decision_count++] =
        (struct decision){index, now, points[point].name, in->passed[point]};
}

/* True when the fault strikes this time. Draws only inside its window. */
bool injector_draws(struct injector *in, struct armed *armed, vtime now) {
    if (!injector_in_window(in, armed, now)) {
        return false;
    }
    bool hit = prng_ratio(&armed->stream, armed->fault.ratio_num, armed->fault.ratio_den);
    armed->met += hit;
    return hit && (armed->fault.occurrence == 0 || armed->met == armed->fault.occurrence);
}

int64_t injector_down_ns(const struct armed *armed, int64_t otherwise_ns) {
    return armed->fault.down_ns > 0 ? armed->fault.down_ns : otherwise_ns;
}

/* ---- Life ---- */

static void wrap(struct injector *in) {
    in->inner = *simulation_ports(in->simulation);
    injector_wrap_log(in);
    injector_wrap_embedding(in);
    injector_wrap_vectors(in);
    injector_wrap_keywords(in);
    injector_wrap_warehouse(in);
    injector_wrap_oltp(in);
    injector_wrap_objects(in);
    injector_wrap_state(in);
}

static void stream_open(struct injector *in, const struct fault *faults, size_t i) {
    char name[FAULT_STREAM_TEXT];
    fault_stream_name(faults, i, "fault", name);
    prng_init(&in->armed[i].stream, simulation_seed(in->simulation), name);
}

/* What stays down for a part of its window begins at a moment of the fault's own choice. */
static void window_draw(struct armed *armed) {
    struct fault *fault = &armed->fault;
    if (!lasts(fault) || fault->when != 0 || fault->down_ns == 0 || fault->until_ns == 0) {
        return;
    }
    int64_t room_ns = fault->until_ns - fault->from_ns - fault->down_ns;
    if (room_ns > 0) {
        fault->from_ns += prng_range(&armed->stream, 0, room_ns);
        fault->until_ns = fault->from_ns + fault->down_ns;
    }
}

struct injector *injector_new(struct simulation *simulation, const struct fault *faults,
                              size_t count) {
    struct injector *in = calloc(1, sizeof *in);
    if (in == NULL) {
        return NULL;
    }
    in->simulation = simulation;
    in->start = simulation_now(simulation);
    in->count = count;
    in->held_end = &in->held;
    in->armed = calloc(count + 1, sizeof *in->armed);
    in->sinks = calloc(count + 1, sizeof *in->sinks);
    in->workers = calloc(simulation_actor_count(simulation), sizeof *in->workers);
    if (in->armed == NULL || in->sinks == NULL || in->workers == NULL) {
        free(in->armed);
        free(in->sinks);
        free(in->workers);
        free(in);
        return NULL;
    }
    wrap(in);
    injector_listen(in);
    for (size_t i = 0; i < count; i++) {
        struct armed *armed = &in->armed[i];
        armed->fault = faults[i];
        in->sinks[i] = (uint8_t)faults[i].sink;
        stream_open(in, faults, i);
        window_draw(armed);
        if (faults[i].every_ns > 0 && !faults[i].off) {
            vtime from = vtime_add(in->start, faults[i].from_ns);
            if (faults[i].kind == FAULT_SINK_RESTART) {
                injector_restart_arm(in, armed, from);
            } else if (injector_strikes_brokers(faults[i].kind)) {
                injector_broker_arm(in, armed, from);
            } else {
                injector_worker_arm(in, armed, from);
            }
        }
    }
    return in;
}

void injector_free(struct injector *in) {
    if (in == NULL) {
        return;
    }
    injector_log_release(in);
    injector_brokers_release(in);
    injector_repeats_release(in);
    injector_rows_release(in);
    injector_objects_release(in);
    free(in->armed);
    free(in->sinks);
    free(in->workers);
    state_watch_release(&in->states);
    free(in->decisions);
    free(in->bands);
    free(in);
}

void injector_heal(struct injector *in) {
    in->healed = true;
    vtime now = simulation_now(in->simulation);
    for (size_t i = 0; i < in->band_count; i++) {
        if (vtime_before(now, in->bands[i].to)) {
            in->bands[i].to = now;
        }
    }
    injector_brokers_heal(in, now);
    injector_log_heal(in, now);
    injector_repeats_heal(in, now);
    injector_rows_heal(in);
    injector_objects_heal(in, now);
    injector_vectors_heal(in, now);
    injector_workers_heal(in);
}

uint64_t injector_struck(const struct injector *in, size_t i) {
    assert(i < in->count);
    return in->armed[i].struck;
}

bool injector_out_of_memory(const struct injector *in) {
    return in->out_of_memory || in->states.out_of_memory;
}

const struct decision *injector_decisions(const struct injector *in, size_t *count) {
    *count = in->decision_count;
    return in->decisions;
}

const struct fault_band *injector_bands(const struct injector *in, size_t *count) {
    *count = in->band_count;
    return in->bands;
}

const char *injector_point(const struct injector *in, size_t i, uint64_t *passed) {
    if (i >= PASS_COUNT) {
        return NULL;
    }
    *passed = in->passed[i];
    return points[i].name;
}

unsigned injector_point_place(size_t i) {
    assert(i < PASS_COUNT);
    return points[i].place;
}

const char *injector_point_about(size_t i, const char **about) {
    if (i >= PASS_COUNT) {
        return NULL;
    }
    *about = points[i].about;
    return points[i].name;
}
