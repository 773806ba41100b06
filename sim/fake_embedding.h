/*
 * The embedding service: text, image and fused vectors of listings, in batches. It implements
 * struct embedding_port on the model of sim/embedding_model.h.
 *
 * Fidelity
 *
 *   modelled
 *     determinism        equal input and model version give the same vector, in any batch and order
 *     similarity         similar texts and pictures get vectors near each other; another model
 *                        version puts everything elsewhere, so vectors of two versions do not mix
 *     items of a batch   answered one by one, in order; the batch goes on after a failure
 *     versions           an unknown model version is refused
 *     bad input          text of a listing without any, pictures of a listing without pictures:
 *                        a failure for good of that item
 *   approximated
 *     last bits          equal, where a trained model's depend on what else is in the batch; so
 *                        nothing may take vectors of one content for equal by their bits
 *     quality            neighbours by shared words and by picture descriptors, not by meaning
 *     latency            a base and so much per item: batches pay (fake_embedding_latency_ns); the
 *                        host makes it pass
 *   when a fault wants it (in its wrapper)
 *     timeouts           whose work is done or not; rate limits; vectors of half the dimension, or
 *                        with components that are no numbers; another model version, that says so
 *                        or does not; drift
 *   not modelled
 *     token limits and truncation, drift between replicas of one model, prices
 *
 * Memory: nothing of a request is kept.
 */
#ifndef MURPHY_SIM_FAKE_EMBEDDING_H
#define MURPHY_SIM_FAKE_EMBEDDING_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"
#include "pipeline/rows.h"

#define FAKE_EMBEDDING_MODELS 2 /* model versions 1 to this are known */
#define FAKE_EMBEDDING_BATCH_MAX 256

struct fake_embedding_options {
    size_t batch_items_max;  /* 0: FAKE_EMBEDDING_BATCH_MAX */
    int64_t latency_base_ns; /* 0: 20 ms */
    int64_t latency_item_ns; /* 0: 2 ms */
};

struct fake_embedding;

/* options may be NULL: defaults. NULL when there is no memory. */
struct fake_embedding *fake_embedding_new(const struct fake_embedding_options *options);
void fake_embedding_free(struct fake_embedding *e);

/*
 * Errors: PORT_NOT_FOUND (unknown model version), PORT_TOO_LARGE (batch), PORT_NO_MEMORY. Per item:
 * APPLIED with every wanted vector filled, each of unit norm; or FATAL with none: text wanted and
 * title, description and attributes empty, image wanted and no images, fused wanted and neither,
 * or nothing wanted. Before the call, results[i].vectors[m] holds the caller's buffer of
 * modality_dimension(m) floats exactly for the wanted modalities m, and NULL for the others.
 */
struct embedding_port fake_embedding_port(struct fake_embedding *e);

/* How long a request of `count` items takes inside the service. */
int64_t fake_embedding_latency_ns(const struct fake_embedding *e, size_t count);

struct fake_embedding_counts {
    uint64_t requests;
    uint64_t requests_refused;
    uint64_t items;
    uint64_t items_fatal;
    uint64_t vectors[MODALITY_COUNT][FAKE_EMBEDDING_MODELS]; /* [m][model version - 1] */
};
struct fake_embedding_counts fake_embedding_counts(const struct fake_embedding *e);

#endif
