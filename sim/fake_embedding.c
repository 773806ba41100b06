#include "sim/fake_embedding.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "pipeline/array.h"
#include "sim/embedding_model.h"

_Static_assert(EMBED_TEXT_DIM == TEXT_DIMENSION && EMBED_IMAGE_DIM == IMAGE_DIMENSION &&
                   EMBED_FUSED_DIM == FUSED_DIMENSION,
               "the model makes vectors of the dimensions that the stores hold");

#define LATENCY_BASE_NS_DEFAULT (20 * VTIME_MILLISECOND)
#define LATENCY_ITEM_NS_DEFAULT (2 * VTIME_MILLISECOND)

/* All models are drawn from one seed: a vector does not depend on the run's. */
#define MODEL_SEED 1

struct fake_embedding {
    struct fake_embedding_options options;
    struct embedding_model models[FAKE_EMBEDDING_MODELS]; /* by version - 1 */
    struct bytes *descriptors;                            /* of the item at hand */
    size_t descriptor_capacity;
    float text[TEXT_DIMENSION]; /* for a fused vector alone */
    float image[IMAGE_DIMENSION];
    struct fake_embedding_counts counts;
};

struct fake_embedding *fake_embedding_new(const struct fake_embedding_options *options) {
    struct fake_embedding *e = calloc(1, sizeof(*e));
    if (e == 0) {
        return 0;
    }
    if (options != 0) {
        e->options = *options;
    }
    if (e->options.batch_items_max == 0) {
        e->options.batch_items_max = FAKE_EMBEDDING_BATCH_MAX;
    }
    if (e->options.latency_base_ns == 0) {
        e->options.latency_base_ns = LATENCY_BASE_NS_DEFAULT;
    }
    if (e->options.latency_item_ns == 0) {
        e->options.latency_item_ns = LATENCY_ITEM_NS_DEFAULT;
    }
    for (uint32_t i = 0; i < FAKE_EMBEDDING_MODELS; i++) {
        embedding_model_init(&e->models[i], i + 1, MODEL_SEED);
    }
    return e;
}

void fake_embedding_free(struct fake_embedding *e) {
    if (e != 0) {
        free(e->descriptors);
        free(e);
    }
}

int64_t fake_embedding_latency_ns(const struct fake_embedding *e, size_t count) {
    return e->options.latency_base_ns + (int64_t)count * e->options.latency_item_ns;
}

struct fake_embedding_counts fake_embedding_counts(const struct fake_embedding *e) {
    return e->counts;
}

static bool wants(const struct embed_item *item, enum modality m) {
    return (item->modalities >> m & 1) != 0;
}

static bool has_text(const struct embed_item *item) {
    return item->text.title.len > 0 || item->text.description.len > 0 ||
           item->text.attributes.len > 0;
}

/* Everything wanted can be made of what is there. */
static bool can_serve(const struct embed_item *item) {
    bool text = has_text(item);
    bool image = item->image_count > 0;
    bool anything = (item->modalities & ((1U << MODALITY_COUNT) - 1)) != 0;
    return anything && (text || !wants(item, MODALITY_TEXT)) &&
           (image || !wants(item, MODALITY_IMAGE)) &&
           (text || image || !wants(item, MODALITY_FUSED));
}

static void make_text(const struct embedding_model *model, const struct embed_item *item,
                      float *out) {
    const struct text_piece pieces[] = {
        {item->text.title, TEXT_TITLE},
        {item->text.description, TEXT_DESCRIPTION},
        {item->text.attributes, TEXT_ATTRIBUTES},
        {item->text.locale, TEXT_LOCALE},
    };
    embed_text_cut(model, item->text.tokeniser, pieces, sizeof(pieces) / sizeof(pieces[0]), out);
}

static int make_image(struct fake_embedding *e, const struct embedding_model *model,
                      const struct embed_item *item, float *out) {
    if (ARRAY_RESERVE(e->descriptors, e->descriptor_capacity, item->image_count) != 0) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = 0; i < item->image_count; i++) {
        e->descriptors[i] = item->images[i].descriptor;
    }
    embed_image(model, e->descriptors, item->image_count, out);
    return 0;
}

/* Makes what is wanted; a fused vector needs its parts whether they are wanted or not. */
static int make_vectors(struct fake_embedding *e, const struct embedding_model *model,
                        const struct embed_item *item, struct embed_result *result) {
    bool fused = wants(item, MODALITY_FUSED);
    float *text = 0;
    float *image = 0;
    if (wants(item, MODALITY_TEXT) || (fused && has_text(item))) {
        text = wants(item, MODALITY_TEXT) ? result->vectors[MODALITY_TEXT] : e->text;
        make_text(model, item, text);
    }
    if (wants(item, MODALITY_IMAGE) || (fused && item->image_count > 0)) {
        image = wants(item, MODALITY_IMAGE) ? result->vectors[MODALITY_IMAGE] : e->image;
        if (make_image(e, model, item, image) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    if (fused) {
        embed_fused(model, text, image, result->vectors[MODALITY_FUSED]);
    }
    return 0;
}

static int embed_one(struct fake_embedding *e, uint32_t model_version,
                     const struct embed_item *item, struct embed_result *result) {
    for (int m = 0; m < MODALITY_COUNT; m++) {
        assert((result->vectors[m] != 0) == wants(item, (enum modality)m));
    }
    result->model_version = model_version;
    e->counts.items++;
    if (!can_serve(item)) {
        result->status = ITEM_FATAL;
        e->counts.items_fatal++;
        return 0;
    }
    if (make_vectors(e, &e->models[model_version - 1], item, result) != 0) {
        return PORT_NO_MEMORY;
    }
    result->status = ITEM_APPLIED;
    for (int m = 0; m < MODALITY_COUNT; m++) {
        bool wanted = wants(item, (enum modality)m);
        result->dimensions[m] = wanted ? (uint32_t)modality_dimension((enum modality)m) : 0;
        e->counts.vectors[m][model_version - 1] += wanted;
    }
    return 0;
}

static int port_embed(void *ctx, vtime now, uint32_t model_version, const struct embed_item *items,
                      size_t count, struct embed_result *results) {
    struct fake_embedding *e = ctx;
    (void)now;
    bool known = model_version >= 1 && model_version <= FAKE_EMBEDDING_MODELS;
    if (!known || count > e->options.batch_items_max) {
        e->counts.requests_refused++;
        return known ? PORT_TOO_LARGE : PORT_NOT_FOUND;
    }
    e->counts.requests++;
    for (size_t i = 0; i < count; i++) {
        if (embed_one(e, model_version, &items[i], &results[i]) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    return 0;
}

struct embedding_port fake_embedding_port(struct fake_embedding *e) {
    static const struct embedding_port_ops ops = {.embed = port_embed};
    return (struct embedding_port){&ops, e};
}
