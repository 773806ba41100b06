#include "faults/injector_parts.h"

#include <string.h>

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
            if (results[k].status == ITEM_APPLIED && injector_draws(in, armed, now)) {
                injector_note(in, armed, PASS_EMBEDDING, now, now);
                drift(&results[k]);
            }
        }
    }
}

static int embed(void *ctx, vtime now, uint32_t model_version, const struct embed_item *items,
                 size_t count, struct embed_result *results) {
    struct injector *in = ctx;
    enum verdict verdict = injector_judge(in, SINK_EMBEDDING, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    const struct embedding_port *embedding = &in->inner.embedding;
    int error = embedding->ops->embed(embedding->ctx, now, model_version, items,
                                      verdict_share(verdict, count), results);
    if (error == PORT_OK) {
        embeddings_drift(in, now, results, verdict_share(verdict, count));
    }
    return verdict_outcome(verdict, error);
}

void injector_wrap_embedding(struct injector *in) {
    static const struct embedding_port_ops embedding = {embed};
    simulation_ports(in->simulation)->embedding = (struct embedding_port){&embedding, in};
}
