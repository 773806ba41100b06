#include "faults/injector_parts.h"

#include <math.h>
#include <string.h>

/* ---- What the service does to vectors: inside of the archive, which keeps what it is told ---- */

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

/* Every seventh component is no number. */
static void spoil(struct embed_result *result) {
    for (int m = 0; m < MODALITY_COUNT; m++) {
        for (size_t i = 0; result->vectors[m] != NULL && i < result->dimensions[m]; i += 7) {
            result->vectors[m][i] = NAN;
        }
    }
}

/* A model of half the size made the vectors. */
static void halve(struct embed_result *result) {
    for (int m = 0; m < MODALITY_COUNT; m++) {
        float *vector = result->vectors[m];
        if (vector != NULL) {
            uint32_t half = result->dimensions[m] / 2;
            memset(vector + half, 0, (result->dimensions[m] - half) * sizeof *vector);
            result->dimensions[m] = half;
        }
    }
}

/* The faults of single vectors: what each does to the items that it strikes. */
static void strike_items(struct injector *in, vtime now, struct embed_result *results,
                         size_t count) {
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        bool drifts = armed->fault.kind == FAULT_MODEL_DRIFT;
        for (size_t k = 0; (drifts || armed->fault.kind == FAULT_NAN_VECTORS) && k < count; k++) {
            if (results[k].status == ITEM_APPLIED && injector_draws(in, armed, now)) {
                injector_note(in, armed, PASS_EMBEDDING, now, now);
                (drifts ? drift : spoil)(&results[k]);
            }
        }
    }
}

/* Which of the faults of whole requests strikes, or NULL. */
static struct armed *strike_request(struct injector *in, vtime now) {
    struct armed *first = NULL;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        enum fault_kind kind = armed->fault.kind;
        if ((kind == FAULT_WRONG_DIMENSION || kind == FAULT_OTHER_MODEL ||
             kind == FAULT_SILENT_MODEL) &&
            injector_draws(in, armed, now) && first == NULL) {
            injector_note(in, armed, PASS_EMBEDDING, now, now);
            first = armed;
        }
    }
    return first;
}

static int make(void *ctx, vtime now, uint32_t model_version, const struct embed_item *items,
                size_t count, struct embed_result *results) {
    struct injector *in = ctx;
    const struct embedding_port *model = &in->inner.model;
    const struct armed *struck = strike_request(in, now);
    enum fault_kind kind = struck == NULL ? FAULT_KIND_COUNT : struck->fault.kind;
    bool other = kind == FAULT_OTHER_MODEL || kind == FAULT_SILENT_MODEL;
    uint32_t made_by = !other ? model_version : model_version == 1 ? 2 : 1;
    int error = model->ops->embed(model->ctx, now, made_by, items, count, results);
    for (size_t i = 0; i < count && error == PORT_OK; i++) {
        bool applied = results[i].status == ITEM_APPLIED;
        if (applied && kind == FAULT_WRONG_DIMENSION) {
            halve(&results[i]);
        }
        if (applied && kind == FAULT_SILENT_MODEL) {
            results[i].model_version = model_version;
        }
    }
    if (error == PORT_OK) {
        strike_items(in, now, results, count);
    }
    return error;
}

/* ---- Requests ---- */

/* True when the caller gets a timeout, which takes its time; *done: the service did its work all
 * the same. */
static bool times_out(struct injector *in, vtime now, bool *done) {
    bool out = false;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind != FAULT_EMBED_TIMEOUTS || !injector_draws(in, armed, now)) {
            continue;
        }
        bool does = prng_next(&armed->stream) >> 63 != 0;
        if (!out) {
            out = true;
            *done = does;
            injector_note(in, armed, PASS_EMBEDDING, now, vtime_add(now, armed->fault.delay_ns));
            simulation_hold_reply(in->simulation, armed->fault.delay_ns);
        }
    }
    return out;
}

static int embed(void *ctx, vtime now, uint32_t model_version, const struct embed_item *items,
                 size_t count, struct embed_result *results) {
    struct injector *in = ctx;
    enum verdict verdict = injector_judge(in, SINK_EMBEDDING, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    bool done = true;
    bool out = times_out(in, now, &done);
    if (!done) {
        return PORT_UNKNOWN;
    }
    const struct embedding_port *embedding = &in->inner.embedding;
    int error = embedding->ops->embed(embedding->ctx, now, model_version, items,
                                      verdict_share(verdict, count), results);
    return out && error == PORT_OK ? PORT_UNKNOWN : verdict_outcome(verdict, error);
}

void injector_wrap_embedding(struct injector *in) {
    static const struct embedding_port_ops embedding = {embed};
    static const struct embedding_port_ops model = {make};
    struct simulation_ports *ports = simulation_ports(in->simulation);
    ports->embedding = (struct embedding_port){&embedding, in};
    ports->model = (struct embedding_port){&model, in};
}
