#include "faults/injector.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "sim/prng.h"

/* How long a store stays down after a crash, and a worker, unless the fault says. */
#define SINK_DOWN_NS (20 * VTIME_SECOND)
#define WORKER_DOWN_NS (5 * VTIME_SECOND)

/* Named points where faults strike. */
enum point {
    PASS_VECTORS,
    PASS_KEYWORDS,
    PASS_WAREHOUSE,
    PASS_EMBEDDING,
    PASS_STATE,
    PASS_PRODUCE, /* these six in the order of enum fault_sink */
    PASS_APPEND,  /* a record on its way to a feed */
    PASS_OUTBOX,  /* a change with its outbox row */
    PASS_WORKER,  /* a worker's next misfortune */
    PASS_COUNT
};
static const struct {
    const char *name;
    const char *about;
} points[PASS_COUNT] = {
    {"vectors.write", "a write request reaches the vector database"},
    {"keywords.write", "a write request reaches the keyword index"},
    {"warehouse.load", "a micro-batch or a refresh reaches the warehouse"},
    {"embedding.embed", "a request reaches the embedding service"},
    {"state.save", "a checkpoint reaches the state store"},
    {"log.produce", "a produce request reaches the log"},
    {"feed.append", "a record is about to be appended to a topic"},
    {"oltp.commit", "a change of a listing is committed with its outbox row"},
    {"worker.run", "a worker is chosen for a misfortune"},
};

struct armed {
    struct fault fault;
    struct prng stream;
    uint64_t struck;
    bool banded; /* it has struck: its latest band is */
    size_t band;
};

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

/* A write that will be carried out once more. */
struct repeat {
    struct repeat *next, **previous;
    struct injector *injector;
    bool done; /* carried out already, when the run healed */
    bool keyword;
    enum modality modality;
    uint32_t model_version;
    size_t count;
    struct vector_write *vectors;
    struct keyword_write *keywords;
    struct effect_pool pool;
    struct effect *memory;
};

struct injector {
    struct simulation *simulation;
    struct simulation_ports inner; /* what the ports were */
    struct armed *armed;
    size_t count;
    bool healed;
    vtime start;
    vtime down_until[SINK_COUNT];
    vtime *paused_until; /* by actor */
    uint64_t passed[PASS_COUNT];
    struct held *held, **held_end; /* in the order in which they were taken */
    struct repeat *repeats;
    struct decision *decisions;
    size_t decision_count, decision_capacity;
    struct fault_band *bands;
    size_t band_count, band_capacity;
    bool out_of_memory;
};

/* ---- Deciding ---- */

static bool in_window(const struct injector *in, const struct armed *armed, vtime now) {
    int64_t since_ns = vtime_diff(now, in->start);
    return !in->healed && !armed->fault.off && since_ns >= armed->fault.from_ns &&
           (armed->fault.until_ns == 0 || since_ns < armed->fault.until_ns);
}

/* Strikes of one fault that follow each other closely are one band: a report draws dozens. Faults
 * that strike single records or requests are one band from the first strike to the last. */
static int64_t band_gap_ns(enum fault_kind kind) {
    switch (kind) {
    case FAULT_STALLED_FEED:
    case FAULT_SINK_CRASH:
    case FAULT_SINK_OUTAGE:
    case FAULT_WORKER_CRASH:
    case FAULT_WORKER_CRASH_AT_WRITE:
    case FAULT_WORKER_PAUSE:
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
static void struck(struct injector *in, struct armed *armed, enum point point, vtime now,
                   vtime until) {
    uint32_t index = (uint32_t)(armed - in->armed);
    armed->struck++;
    band_add(in, armed, now, until);
    if (ARRAY_RESERVE(in->decisions, in->decision_capacity, in->decision_count + 1) != 0) {
        in->out_of_memory = true;
        return;
    }
    in->decisions[in->decision_count++] =
        (struct decision){index, now, points[point].name, in->passed[point]};
}

/* True when the fault strikes this time. Draws only inside its window. */
static bool draws(struct injector *in, struct armed *armed, vtime now) {
    return in_window(in, armed, now) &&
           prng_ratio(&armed->stream, armed->fault.ratio_num, armed->fault.ratio_den);
}

static int64_t down_ns(const struct armed *armed, int64_t otherwise_ns) {
    return armed->fault.down_ns > 0 ? armed->fault.down_ns : otherwise_ns;
}

/* ---- Workers ---- */

static void restart_due(void *ctx, vtime now, uint64_t actor) {
    struct injector *in = ctx;
    (void)now;
    simulation_restart(in->simulation, (uint32_t)actor);
}

static void resume_due(void *ctx, vtime now, uint64_t actor) {
    struct injector *in = ctx;
    /* A later pause may hold the worker longer, or another one that took its place. */
    if (!vtime_before(now, in->paused_until[actor])) {
        simulation_resume(in->simulation, (uint32_t)actor);
    }
}

static void crash(struct injector *in, struct armed *armed, uint32_t actor, enum point point,
                  vtime now) {
    vtime until = vtime_add(now, down_ns(armed, WORKER_DOWN_NS));
    struck(in, armed, point, now, until);
    in->paused_until[actor] = now;
    simulation_crash(in->simulation, actor);
    simulation_schedule(in->simulation, until, "restart-worker", actor, restart_due, in, actor);
}

static void worker_misfortune(void *ctx, vtime now, uint64_t index);

static void worker_arm(struct injector *in, struct armed *armed, vtime now) {
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

static void worker_misfortune(void *ctx, vtime now, uint64_t index) {
    struct injector *in = ctx;
    struct armed *armed = &in->armed[index];
    if (in->healed ||
        (armed->fault.until_ns != 0 && vtime_diff(now, in->start) >= armed->fault.until_ns)) {
        return;
    }
    uint32_t actor = worker_up(in, armed);
    in->passed[PASS_WORKER]++;
    if (actor != SIMULATION_ACTOR_NONE) {
        if (armed->fault.kind == FAULT_WORKER_CRASH) {
            crash(in, armed, actor, PASS_WORKER, now);
        } else {
            vtime until = vtime_add(now, armed->fault.down_ns);
            struck(in, armed, PASS_WORKER, now, until);
            in->paused_until[actor] = vtime_max(in->paused_until[actor], until);
            simulation_pause(in->simulation, actor);
            simulation_schedule(in->simulation, until, "resume-worker", actor, resume_due, in,
                                actor);
        }
    }
    worker_arm(in, armed, now);
}

/* ---- Records on their way to a feed ---- */

static void held_unlink(struct held *held) {
    *held->previous = held->next;
    if (held->next != NULL) {
        held->next->previous = held->previous;
    } else {
        held->injector->held_end = held->previous;
    }
}

static void held_append(struct held *held, vtime now) {
    struct produce_item item = {held->topic, held->key, {held->value, held->length}};
    struct produce_result result;
    const struct log_port *log = &held->injector->inner.log;
    if (log->ops->produce(log->ctx, now, &item, 1, &result) == PORT_NO_MEMORY) {
        held->injector->out_of_memory = true;
    }
}

/* When a stall of the feed that holds now is over; `now` when there is none. Healing ends a stall
 * without an end; until then it is as good as never. */
static vtime stalled_until(struct injector *in, enum topic_id feed, vtime now) {
    vtime until = now;
    for (size_t i = 0; i < in->count; i++) {
        const struct fault *fault = &in->armed[i].fault;
        if (fault->kind == FAULT_STALLED_FEED && fault->feed == feed &&
            in_window(in, &in->armed[i], now)) {
            vtime end = fault->until_ns == 0 ? vtime_add(now, 365 * VTIME_DAY)
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
    if (!held->released && vtime_before(now, until)) {
        if (simulation_schedule(in->simulation, until, "held-record", held->key, held_due, held,
                                0) != 0) {
            in->out_of_memory = true;
        }
        return;
    }
    held_unlink(held);
    if (!held->released) {
        held_append(held, now);
    }
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
            if (draws(in, armed, now)) {
                at = vtime_add(now, prng_range(&armed->stream, 1, fault->delay_ns + 1));
                hold(in, item, at);
                struck(in, armed, PASS_APPEND, now, now);
            }
            break;
        case FAULT_LATE_RECORDS:
            if (draws(in, armed, now)) {
                at = vtime_add(now, prng_range(&armed->stream, 1, fault->delay_ns));
                if (passes) {
                    hold(in, item, at);
                    struck(in, armed, PASS_APPEND, now, now);
                }
                passes = false;
            }
            break;
        case FAULT_STALLED_FEED:
            if (in_window(in, armed, now) && passes) {
                at = stalled_until(in, item->topic, now);
                hold(in, item, at);
                struck(in, armed, PASS_APPEND, now, at);
                passes = false;
            }
            break;
        default:
            break;
        }
    }
    return passes;
}

/* ---- Requests to a store ---- */

enum verdict { PASSES, FAILS_BEFORE, REPLY_LOST, HALF_DONE, THROTTLED };

/* Whether a fault of requests strikes this one. */
static bool strikes(struct injector *in, struct armed *armed, vtime now) {
    switch (armed->fault.kind) {
    case FAULT_SINK_OUTAGE:
        return in_window(in, armed, now);
    case FAULT_SINK_THROTTLE:
    case FAULT_SINK_CRASH:
    case FAULT_WORKER_CRASH_AT_WRITE:
        return draws(in, armed, now);
    default:
        return false;
    }
}

/* What a fault that strikes does to a request; the caller may be crashed on the way. */
static enum verdict strike(struct injector *in, struct armed *armed, enum fault_sink sink,
                           vtime now) {
    enum point point = (enum point)sink;
    if (armed->fault.kind == FAULT_WORKER_CRASH_AT_WRITE) {
        if (simulation_caller_up(in->simulation)) {
            crash(in, armed, simulation_caller(in->simulation), point, now);
        }
        return PASSES;
    }
    if (armed->fault.kind != FAULT_SINK_CRASH) {
        struck(in, armed, point, now, now);
        return armed->fault.kind == FAULT_SINK_THROTTLE ? THROTTLED : FAILS_BEFORE;
    }
    in->down_until[sink] = vtime_add(now, down_ns(armed, SINK_DOWN_NS));
    struck(in, armed, point, now, in->down_until[sink]);
    return armed->fault.point == POINT_BEFORE  ? FAILS_BEFORE
           : armed->fault.point == POINT_AFTER ? REPLY_LOST
                                               : HALF_DONE;
}

static bool is_down(const struct injector *in, enum fault_sink sink, vtime now) {
    return !in->healed && vtime_before(now, in->down_until[sink]);
}

/* What happens to a request. Every fault draws, also when another one was first: how often its
 * stream was asked depends on how many requests came, and not on its neighbours. */
static enum verdict judge(struct injector *in, enum fault_sink sink, vtime now) {
    in->passed[sink]++;
    enum verdict verdict = is_down(in, sink, now) ? FAILS_BEFORE : PASSES;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.sink == sink && strikes(in, armed, now) && verdict == PASSES) {
            verdict = strike(in, armed, sink, now);
        }
    }
    return verdict;
}

/* Reads are not struck one by one; but a store that is down, or out, answers nobody. */
static bool is_unreachable(const struct injector *in, enum fault_sink sink, vtime now) {
    bool out = is_down(in, sink, now);
    for (size_t i = 0; i < in->count && !out; i++) {
        out = in->armed[i].fault.kind == FAULT_SINK_OUTAGE && in->armed[i].fault.sink == sink &&
              in_window(in, &in->armed[i], now);
    }
    return out;
}

/* Items that fail for now, one by one; statuses are already filled for those carried out. */
/* What becomes of an item: APPLIED when it goes its way. What an index has against content it has
 * not against a deletion. */
static enum item_status item_fate(struct injector *in, enum fault_sink sink,
                                  enum row_write_kind kind, vtime now) {
    enum item_status fate = ITEM_APPLIED;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        bool for_good = armed->fault.kind == FAULT_ITEM_REFUSALS;
        if (for_good && kind != ROW_UPSERT) {
            continue;
        }
        if ((for_good || armed->fault.kind == FAULT_ITEM_FAILURES) && armed->fault.sink == sink &&
            draws(in, armed, now) && fate == ITEM_APPLIED) {
            struck(in, armed, (enum point)sink, now, now);
            fate = for_good ? ITEM_FATAL : ITEM_RETRYABLE;
        }
    }
    return fate;
}

static int refusal(enum verdict verdict) {
    return verdict == THROTTLED ? PORT_THROTTLED : PORT_UNAVAILABLE;
}

static bool refused(enum verdict verdict) {
    return verdict == FAILS_BEFORE || verdict == THROTTLED;
}

/* How many of n items are carried out. */
static size_t share(enum verdict verdict, size_t n) {
    return verdict == HALF_DONE ? n / 2 : n;
}

static int outcome(enum verdict verdict, int error) {
    return error == PORT_OK && verdict != PASSES ? PORT_UNKNOWN : error;
}

/* ---- Writes that come again ---- */

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

/* Draws whether a write comes again, and when; VTIME_NEVER when not. What was not carried out at
 * all cannot. */
static vtime repeat_draw(struct injector *in, enum fault_sink sink, vtime now, size_t carried_out) {
    vtime again = VTIME_NEVER;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind != FAULT_STALE_WRITE || armed->fault.sink != sink ||
            !draws(in, armed, now)) {
            continue;
        }
        vtime at = vtime_add(now, prng_range(&armed->stream, 1, armed->fault.delay_ns));
        if (carried_out > 0 && again.ns == VTIME_NEVER.ns) {
            struck(in, armed, (enum point)sink, now, now);
            again = at;
        }
    }
    return again;
}

static struct repeat *repeat_new(struct injector *in, struct effects *effects) {
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

static void repeat_schedule(struct injector *in, struct repeat *repeat, struct effects *effects,
                            vtime at) {
    if (effects->out_of_memory || simulation_schedule(in->simulation, at, "stale-write",
                                                      repeat->count, repeat_due, repeat, 0) != 0) {
        in->out_of_memory = true;
        repeat_free(repeat);
    }
}

static size_t carried_out(const enum item_status *statuses, size_t count) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        n += statuses[i] != ITEM_RETRYABLE;
    }
    return n;
}

static void meta_copy(struct effects *effects, struct effect *memory, struct row_meta *meta) {
    meta->category = effect_copy(effects, memory, meta->category);
    meta->locale = effect_copy(effects, memory, meta->locale);
}

/* Copies the items that were carried out; the others' statuses are RETRYABLE. */
static void repeat_vectors(struct injector *in, vtime at, enum modality modality,
                           uint32_t model_version, const struct vector_write *items,
                           const enum item_status *statuses, size_t count) {
    struct effects effects;
    struct repeat *repeat = repeat_new(in, &effects);
    if (repeat == NULL) {
        in->out_of_memory = true;
        return;
    }
    repeat->modality = modality;
    repeat->model_version = model_version;
    repeat->vectors = effect_alloc(&effects, repeat->memory, count * sizeof *items);
    size_t size = modality_dimension(modality) * sizeof(float);
    for (size_t i = 0; repeat->vectors != NULL && i < count; i++) {
        if (statuses[i] == ITEM_RETRYABLE) {
            continue;
        }
        struct vector_write *item = &repeat->vectors[repeat->count++];
        *item = items[i];
        meta_copy(&effects, repeat->memory, &item->meta);
        if (item->vector != NULL) {
            item->vector =
                (const float *)(const void *)effect_copy(
                    &effects, repeat->memory, (struct bytes){(const char *)item->vector, size})
                    .data;
        }
    }
    repeat_schedule(in, repeat, &effects, at);
}

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
        meta_copy(&effects, repeat->memory, &item->meta);
        item->title = effect_copy(&effects, repeat->memory, item->title);
        item->description = effect_copy(&effects, repeat->memory, item->description);
        item->attributes = effect_copy(&effects, repeat->memory, item->attributes);
    }
    repeat_schedule(in, repeat, &effects, at);
}

/* ---- The wrapped ports ---- */

static int log_produce(void *ctx, vtime now, const struct produce_item *items, size_t count,
                       struct produce_result *results) {
    struct injector *in = ctx;
    enum verdict verdict = judge(in, SINK_LOG, now);
    if (refused(verdict)) {
        return refusal(verdict);
    }
    size_t done = share(verdict, count);
    const struct log_port *log = &in->inner.log;
    for (size_t i = 0; i < done; i++) {
        if (!append_passes(in, &items[i], now)) {
            /* Taken over by what stands between producer and feed: the producer is done with it. */
            results[i] = (struct produce_result){.status = ITEM_APPLIED, .offset = -1};
            continue;
        }
        int error = log->ops->produce(log->ctx, now, &items[i], 1, &results[i]);
        if (error != PORT_OK) {
            return error;
        }
    }
    return outcome(verdict, PORT_OK);
}

static int log_fetch(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t offset,
                     struct log_record *out, size_t max, size_t *count) {
    const struct log_port *log = &((struct injector *)ctx)->inner.log;
    return log->ops->fetch(log->ctx, now, topic, partition, offset, out, max, count);
}

static int log_bounds(void *ctx, vtime now, enum topic_id topic, uint32_t partition, int64_t *start,
                      int64_t *end) {
    const struct log_port *log = &((struct injector *)ctx)->inner.log;
    return log->ops->bounds(log->ctx, now, topic, partition, start, end);
}

static int log_commit(void *ctx, vtime now, const char *group, uint32_t member, uint32_t generation,
                      enum topic_id topic, uint32_t partition, int64_t offset) {
    const struct log_port *log = &((struct injector *)ctx)->inner.log;
    return log->ops->commit(log->ctx, now, group, member, generation, topic, partition, offset);
}

/* Each vector turned by a third of its length, every other component to the other side: angles
 * among such vectors stay, those to all others are lost. */
static void drift(struct embed_result *result) {
    float turned[FUSED_DIMENSION];
    for (int m = 0; m < MODALITY_COUNT; m++) {
        float *vector = result->vectors[m];
        size_t dimension = modality_dimension((enum modality)m);
        for (size_t i = 0; vector != NULL && i < dimension; i++) {
            float value = vector[(i + dimension / 3) % dimension];
            turned[i] = i % 2 == 0 ? value : -value;
        }
        if (vector != NULL) {
            memcpy(vector, turned, dimension * sizeof *vector);
        }
    }
}

static void embeddings_drift(struct injector *in, vtime now, struct embed_result *results,
                             size_t count) {
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        for (size_t k = 0; armed->fault.kind == FAULT_MODEL_DRIFT && k < count; k++) {
            if (results[k].status == ITEM_APPLIED && draws(in, armed, now)) {
                struck(in, armed, PASS_EMBEDDING, now, now);
                drift(&results[k]);
            }
        }
    }
}

static int embed(void *ctx, vtime now, uint32_t model_version, const struct embed_item *items,
                 size_t count, struct embed_result *results) {
    struct injector *in = ctx;
    enum verdict verdict = judge(in, SINK_EMBEDDING, now);
    if (refused(verdict)) {
        return refusal(verdict);
    }
    const struct embedding_port *embedding = &in->inner.embedding;
    int error = embedding->ops->embed(embedding->ctx, now, model_version, items,
                                      share(verdict, count), results);
    if (error == PORT_OK) {
        embeddings_drift(in, now, results, share(verdict, count));
    }
    return outcome(verdict, error);
}

static int vectors_write(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                         const struct vector_write *items, size_t count,
                         enum item_status *statuses) {
    struct injector *in = ctx;
    enum verdict verdict = judge(in, SINK_VECTORS, now);
    if (refused(verdict)) {
        repeat_draw(in, SINK_VECTORS, now, 0);
        return refusal(verdict);
    }
    const struct vector_port *vectors = &in->inner.vectors;
    size_t done = share(verdict, count);
    for (size_t i = 0; i < done;) {
        /* A run of items that are carried out, then one that fails. */
        size_t run = i;
        enum item_status fate = ITEM_APPLIED;
        while (run < done &&
               (fate = item_fate(in, SINK_VECTORS, items[run].kind, now)) == ITEM_APPLIED) {
            run++;
        }
        if (run > i) {
            int error = vectors->ops->write(vectors->ctx, now, modality, model_version, items + i,
                                            run - i, statuses + i);
            if (error != PORT_OK) {
                return error;
            }
        }
        if (run < done) {
            statuses[run++] = fate;
        }
        i = run;
    }
    vtime again = repeat_draw(in, SINK_VECTORS, now, carried_out(statuses, done));
    if (again.ns != VTIME_NEVER.ns) {
        repeat_vectors(in, again, modality, model_version, items, statuses, done);
    }
    return outcome(verdict, PORT_OK);
}

static int vectors_scan(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                        enum scan_path path, uint64_t first, uint64_t last, struct scan_row *out,
                        size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    if (is_unreachable(in, SINK_VECTORS, now)) {
        return PORT_UNAVAILABLE;
    }
    return vectors->ops->scan(vectors->ctx, now, modality, model_version, path, first, last, out,
                              max, count);
}

static int vectors_search(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                          const float *query, size_t k, uint32_t ef, bool exact,
                          const struct row_filter *filter, struct search_hit *hits, size_t *count) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    if (is_unreachable(in, SINK_VECTORS, now)) {
        return PORT_UNAVAILABLE;
    }
    return vectors->ops->search(vectors->ctx, now, modality, model_version, query, k, ef, exact,
                                filter, hits, count);
}

static int vectors_read(void *ctx, vtime now, enum modality modality, uint32_t model_version,
                        const uint64_t *listing_ids, size_t count, float *out, bool *found) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    if (is_unreachable(in, SINK_VECTORS, now)) {
        return PORT_UNAVAILABLE;
    }
    return vectors->ops->read(vectors->ctx, now, modality, model_version, listing_ids, count, out,
                              found);
}

static int vectors_admin(void *ctx, vtime now, const struct vector_admin *admin,
                         enum item_status *status, struct vector_targets *targets) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    if (admin->kind == VECTOR_TARGETS) {
        return is_unreachable(in, SINK_VECTORS, now)
                   ? PORT_UNAVAILABLE
                   : vectors->ops->admin(vectors->ctx, now, admin, status, targets);
    }
    enum verdict verdict = judge(in, SINK_VECTORS, now);
    if (refused(verdict)) {
        return refusal(verdict);
    }
    /* One action cannot be done by half: it is done or not. */
    int error = share(verdict, 1) == 0
                    ? PORT_OK
                    : vectors->ops->admin(vectors->ctx, now, admin, status, targets);
    return outcome(verdict, error);
}

static int vectors_block(void *ctx, vtime now, const struct seller_block *items, size_t count) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    enum verdict verdict = judge(in, SINK_VECTORS, now);
    if (refused(verdict)) {
        return refusal(verdict);
    }
    return outcome(verdict, vectors->ops->block(vectors->ctx, now, items, share(verdict, count)));
}

static int vectors_erase(void *ctx, vtime now, uint32_t model_version,
                         const struct erasure_subject *subjects, size_t count,
                         struct erasure_look *looks) {
    struct injector *in = ctx;
    const struct vector_port *vectors = &in->inner.vectors;
    enum verdict verdict = judge(in, SINK_VECTORS, now);
    if (refused(verdict)) {
        return refusal(verdict);
    }
    return outcome(verdict, vectors->ops->erase(vectors->ctx, now, model_version, subjects,
                                                share(verdict, count), looks));
}

static int keywords_erase(void *ctx, vtime now, const struct erasure_subject *subjects,
                          size_t count, struct erasure_look *looks) {
    struct injector *in = ctx;
    const struct keyword_port *keywords = &in->inner.keywords;
    enum verdict verdict = judge(in, SINK_KEYWORDS, now);
    if (refused(verdict)) {
        return refusal(verdict);
    }
    return outcome(
        verdict, keywords->ops->erase(keywords->ctx, now, subjects, share(verdict, count), looks));
}

static int keywords_block(void *ctx, vtime now, const struct seller_block *items, size_t count) {
    struct injector *in = ctx;
    const struct keyword_port *keywords = &in->inner.keywords;
    enum verdict verdict = judge(in, SINK_KEYWORDS, now);
    if (refused(verdict)) {
        return refusal(verdict);
    }
    return outcome(verdict, keywords->ops->block(keywords->ctx, now, items, share(verdict, count)));
}

static int keywords_write(void *ctx, vtime now, const struct keyword_write *items, size_t count,
                          enum item_status *statuses) {
    struct injector *in = ctx;
    enum verdict verdict = judge(in, SINK_KEYWORDS, now);
    if (refused(verdict)) {
        repeat_draw(in, SINK_KEYWORDS, now, 0);
        return refusal(verdict);
    }
    const struct keyword_port *keywords = &in->inner.keywords;
    size_t done = share(verdict, count);
    for (size_t i = 0; i < done;) {
        size_t run = i;
        enum item_status fate = ITEM_APPLIED;
        while (run < done &&
               (fate = item_fate(in, SINK_KEYWORDS, items[run].kind, now)) == ITEM_APPLIED) {
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
    vtime again = repeat_draw(in, SINK_KEYWORDS, now, carried_out(statuses, done));
    if (again.ns != VTIME_NEVER.ns) {
        repeat_keywords(in, again, items, statuses, done);
    }
    return outcome(verdict, PORT_OK);
}

static int keywords_scan(void *ctx, vtime now, enum scan_path path, uint64_t first, uint64_t last,
                         struct scan_row *out, size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct keyword_port *keywords = &in->inner.keywords;
    if (is_unreachable(in, SINK_KEYWORDS, now)) {
        return PORT_UNAVAILABLE;
    }
    return keywords->ops->scan(keywords->ctx, now, path, first, last, out, max, count);
}

static int keywords_search(void *ctx, vtime now, struct bytes query, size_t k,
                           const struct row_filter *filter, struct search_hit *hits,
                           size_t *count) {
    struct injector *in = ctx;
    const struct keyword_port *keywords = &in->inner.keywords;
    if (is_unreachable(in, SINK_KEYWORDS, now)) {
        return PORT_UNAVAILABLE;
    }
    return keywords->ops->search(keywords->ctx, now, query, k, filter, hits, count);
}

static int warehouse_load(void *ctx, vtime now, const struct warehouse_batch *batch) {
    struct injector *in = ctx;
    enum verdict verdict = judge(in, SINK_WAREHOUSE, now);
    if (refused(verdict)) {
        return refusal(verdict);
    }
    struct warehouse_batch torn = *batch;
    if (verdict == HALF_DONE) {
        torn.silver_count /= 2;
        torn.gold_count = 0;
        torn.order_count /= 2;
        torn.audit_count /= 2;
        torn.rebuilt_count /= 2;
        torn.rebuilt_sales_count /= 2;
    }
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    return outcome(verdict, warehouse->ops->load(warehouse->ctx, now, &torn));
}

static int warehouse_scan(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                          size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    if (is_unreachable(in, SINK_WAREHOUSE, now)) {
        return PORT_UNAVAILABLE;
    }
    return warehouse->ops->scan(warehouse->ctx, now, first, last, out, max, count);
}

static int warehouse_read_log(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                              int64_t offset, struct log_record *out, size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    if (is_unreachable(in, SINK_WAREHOUSE, now)) {
        return PORT_UNAVAILABLE;
    }
    return warehouse->ops->read_log(warehouse->ctx, now, topic, partition, offset, out, max, count);
}

static int warehouse_scan_rebuilt(void *ctx, vtime now, uint64_t first, uint64_t last,
                                  struct scan_row *out, size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    if (is_unreachable(in, SINK_WAREHOUSE, now)) {
        return PORT_UNAVAILABLE;
    }
    return warehouse->ops->scan_rebuilt(warehouse->ctx, now, first, last, out, max, count);
}

static int warehouse_read_sales(void *ctx, vtime now, bool rebuilt, vtime from, vtime to,
                                size_t skip, struct sales_row *out, size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    if (is_unreachable(in, SINK_WAREHOUSE, now)) {
        return PORT_UNAVAILABLE;
    }
    return warehouse->ops->read_sales(warehouse->ctx, now, rebuilt, from, to, skip, out, max,
                                      count);
}

static int refresh_dashboard(void *ctx, vtime now) {
    struct injector *in = ctx;
    enum verdict verdict = judge(in, SINK_WAREHOUSE, now);
    if (refused(verdict)) {
        return refusal(verdict);
    }
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    return outcome(verdict, warehouse->ops->refresh_dashboard(warehouse->ctx, now));
}

static int warehouse_erase(void *ctx, vtime now, struct erasure_subject *subjects, size_t count,
                           struct erasure_look *looks) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    enum verdict verdict = judge(in, SINK_WAREHOUSE, now);
    if (refused(verdict)) {
        return refusal(verdict);
    }
    return outcome(verdict, warehouse->ops->erase(warehouse->ctx, now, subjects,
                                                  share(verdict, count), looks));
}

static int state_save(void *ctx, vtime now, const char *group, uint32_t partition,
                      uint32_t generation, struct bytes offsets, const struct state_entry *entries,
                      size_t count) {
    struct injector *in = ctx;
    enum verdict verdict = judge(in, SINK_STATE, now);
    /* A checkpoint is atomic: half of one is none. */
    if (refused(verdict) || verdict == HALF_DONE) {
        return refused(verdict) ? refusal(verdict) : PORT_UNKNOWN;
    }
    const struct state_port *state = &in->inner.state;
    return outcome(verdict, state->ops->save(state->ctx, now, group, partition, generation, offsets,
                                             entries, count));
}

static int state_load(void *ctx, vtime now, const char *group, uint32_t partition,
                      uint32_t generation, struct bytes *offsets,
                      int (*entry)(void *entry_ctx, uint64_t key, struct bytes value),
                      void *entry_ctx) {
    struct injector *in = ctx;
    const struct state_port *state = &in->inner.state;
    if (is_unreachable(in, SINK_STATE, now)) {
        return PORT_UNAVAILABLE;
    }
    return state->ops->load(state->ctx, now, group, partition, generation, offsets, entry,
                            entry_ctx);
}

static int state_peek(void *ctx, vtime now, const char *group, uint32_t partition, uint64_t key,
                      struct bytes *value) {
    struct injector *in = ctx;
    const struct state_port *state = &in->inner.state;
    return is_unreachable(in, SINK_STATE, now)
               ? PORT_UNAVAILABLE
               : state->ops->peek(state->ctx, now, group, partition, key, value);
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
        if (armed->fault.kind == FAULT_DUAL_WRITE && draws(in, armed, now) && publishes) {
            struck(in, armed, PASS_OUTBOX, now, now);
            publishes = false;
        }
    }
    return publishes;
}

static void wrap(struct injector *in) {
    static const struct log_port_ops log = {log_produce, log_fetch, log_bounds, log_commit};
    static const struct embedding_port_ops embedding = {embed};
    static const struct vector_port_ops vectors = {vectors_write, vectors_scan,  vectors_search,
                                                   vectors_read,  vectors_admin, vectors_block,
                                                   vectors_erase};
    static const struct keyword_port_ops keywords = {keywords_write, keywords_scan, keywords_search,
                                                     keywords_block, keywords_erase};
    static const struct warehouse_port_ops warehouse = {
        warehouse_load,       warehouse_scan,    warehouse_read_log, warehouse_scan_rebuilt,
        warehouse_read_sales, refresh_dashboard, warehouse_erase};
    static const struct state_port_ops state = {state_save, state_load, state_peek};
    struct simulation_ports *ports = simulation_ports(in->simulation);
    in->inner = *ports;
    ports->log = (struct log_port){&log, in};
    ports->embedding = (struct embedding_port){&embedding, in};
    ports->vectors = (struct vector_port){&vectors, in};
    ports->keywords = (struct keyword_port){&keywords, in};
    ports->warehouse = (struct warehouse_port){&warehouse, in};
    ports->state = (struct state_port){&state, in};
    *simulation_outbox_gate(in->simulation) = (struct outbox_gate){outbox_publish, in};
}

/* ---- Life ---- */

static void stream_open(struct injector *in, const struct fault *faults, size_t i) {
    char name[FAULT_STREAM_TEXT];
    fault_stream_name(faults, i, "fault", name);
    prng_init(&in->armed[i].stream, simulation_seed(in->simulation), name);
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
    in->paused_until = calloc(simulation_actor_count(simulation), sizeof *in->paused_until);
    if (in->armed == NULL || in->paused_until == NULL) {
        free(in->armed);
        free(in->paused_until);
        free(in);
        return NULL;
    }
    wrap(in);
    for (size_t i = 0; i < count; i++) {
        struct armed *armed = &in->armed[i];
        armed->fault = faults[i];
        stream_open(in, faults, i);
        if (faults[i].every_ns > 0 && !faults[i].off) {
            worker_arm(in, armed, vtime_add(in->start, faults[i].from_ns));
        }
    }
    return in;
}

void injector_free(struct injector *in) {
    if (in == NULL) {
        return;
    }
    while (in->held != NULL) {
        struct held *held = in->held;
        held_unlink(held);
        free(held);
    }
    while (in->repeats != NULL) {
        repeat_free(in->repeats);
    }
    free(in->armed);
    free(in->paused_until);
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
    for (struct held *held = in->held; held != NULL; held = held->next) {
        if (!held->released) {
            held_append(held, now);
            held->released = true;
        }
    }
    for (struct repeat *repeat = in->repeats; repeat != NULL; repeat = repeat->next) {
        if (!repeat->done) {
            repeat_carry_out(repeat, now);
            repeat->done = true;
        }
    }
    for (uint32_t actor = 0; actor < simulation_actor_count(in->simulation); actor++) {
        simulation_resume(in->simulation, actor);
        simulation_restart(in->simulation, actor);
    }
}

uint64_t injector_struck(const struct injector *in, size_t i) {
    assert(i < in->count);
    return in->armed[i].struck;
}

bool injector_out_of_memory(const struct injector *in) {
    return in->out_of_memory;
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

const char *injector_point_about(size_t i, const char **about) {
    if (i >= PASS_COUNT) {
        return NULL;
    }
    *about = points[i].about;
    return points[i].name;
}
