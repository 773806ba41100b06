#include "sim/embedding_archive.h"

#include "pipeline/embed_flaw.h"

/* The artifacts of what an item wants: keys, and where their vectors are or go. Returns how many;
 * none of what has no content hash, as a query of a reader. */
static size_t wanted_of(uint32_t model_version, const struct embed_item *item,
                        const struct embed_result *result, struct artifact_key keys[MODALITY_COUNT],
                        float *vectors[MODALITY_COUNT]) {
    size_t count = 0;
    for (int m = 0; m < MODALITY_COUNT; m++) {
        if ((item->modalities >> m & 1) != 0 && item->content[m] != 0) {
            keys[count] = (struct artifact_key){item->listing_id, item->content[m], model_version,
                                                (enum modality)m};
            vectors[count++] = result->vectors[m];
        }
    }
    return count;
}

/* True when every wanted vector was kept; they stand in the result then. */
static bool take_kept(struct embedding_archive *archive, vtime now, uint32_t model_version,
                      const struct embed_item *item, struct embed_result *result) {
    struct artifact_key keys[MODALITY_COUNT];
    float *vectors[MODALITY_COUNT];
    bool found[MODALITY_COUNT];
    size_t count = wanted_of(model_version, item, result, keys, vectors);
    const struct object_port *objects = archive->objects;
    if (count == 0 || item->anew ||
        objects->ops->get(objects->ctx, now, keys, count, vectors, found) != PORT_OK) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!found[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        archive->reused[keys[i].modality]++;
        result->dimensions[keys[i].modality] = (uint32_t)modality_dimension(keys[i].modality);
    }
    result->status = ITEM_APPLIED;
    result->model_version = model_version;
    result->reused = true;
    return true;
}

static int keep(struct embedding_archive *archive, vtime now, const struct embed_item *item,
                const struct embed_result *result) {
    struct artifact_key keys[MODALITY_COUNT];
    float *vectors[MODALITY_COUNT];
    size_t count = wanted_of(result->model_version, item, result, keys, vectors);
    const struct object_port *objects = archive->objects;
    if (count == 0) {
        return PORT_OK;
    }
    int error = objects->ops->put(objects->ctx, now, keys, (const float *const *)vectors, count);
    archive->unkept += error != PORT_OK ? count : 0;
    return error;
}

/* Lets the model make these, and keeps what it made. */
static int make(struct embedding_archive *archive, vtime now, uint32_t model_version,
                const struct embed_item *items, size_t count, struct embed_result *results) {
    const struct embedding_port *inner = archive->inner;
    int error = inner->ops->embed(inner->ctx, now, model_version, items, count, results);
    for (size_t i = 0; i < count && error == PORT_OK; i++) {
        if (results[i].status == ITEM_APPLIED &&
            embed_flaw_of(model_version, &results[i], NULL) == EMBED_SOUND &&
            keep(archive, now, &items[i], &results[i]) == PORT_NO_MEMORY) {
            error = PORT_NO_MEMORY;
        }
    }
    return error;
}

static int port_embed(void *ctx, vtime now, uint32_t model_version, const struct embed_item *items,
                      size_t count, struct embed_result *results) {
    struct embedding_archive *archive = ctx;
    size_t first = 0; /* of those in front of i that are to be made */
    for (size_t i = 0; i <= count; i++) {
        if (i < count && !take_kept(archive, now, model_version, &items[i], &results[i])) {
            results[i].reused = false;
            continue;
        }
        int error = i == first ? PORT_OK
                               : make(archive, now, model_version, items + first, i - first,
                                      results + first);
        if (error != PORT_OK) {
            return error;
        }
        first = i + 1;
    }
    return PORT_OK;
}

struct embedding_port embedding_archive_port(struct embedding_archive *archive) {
    static const struct embedding_port_ops ops = {.embed = port_embed};
    return (struct embedding_port){&ops, archive};
}
