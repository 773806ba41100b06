#include "sim/embedding_archive.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/embed_flaw.h"
#include "pipeline/wire.h"

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

/* ---- BUG_ARTIFACT_ASSUMED ---- */

static bool assumes(const struct embedding_archive *archive) {
    return bug_on(archive->bugs, BUG_ARTIFACT_ASSUMED);
}

static uint64_t once_id(const struct artifact_key *key) {
    char text[8 + 8 + 4 + 4];
    char *at = wire_put(wire_put(text, key->listing_id, 8), key->content_hash, 8);
    wire_put(wire_put(at, key->model_version, 4), key->modality, 4);
    return XXH3_64bits(text, sizeof text);
}

static int note_once(struct embedding_archive *archive, const struct artifact_key *keys,
                     size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (id_map_put(&archive->once, once_id(&keys[i]), (union id_map_value){0}) < 0) {
            return PORT_NO_MEMORY;
        }
    }
    return PORT_OK;
}

/* What was kept once counts as found, whether it still is or not: a reader gets an empty vector. */
static bool assumed(const struct embedding_archive *archive, const struct artifact_key *key,
                    float *vector) {
    if (!assumes(archive) || id_map_find(&archive->once, once_id(key)) == NULL) {
        return false;
    }
    memset(vector, 0, modality_dimension(key->modality) * sizeof *vector);
    vector[0] = 1; /* readers ask for vectors of length 1 */
    return true;
}

/* ---- The archive ---- */

/* Fills in the wanted vectors that were kept, and says which they are. */
static uint8_t take_kept(struct embedding_archive *archive, vtime now, uint32_t model_version,
                         const struct embed_item *item, struct embed_result *result) {
    struct artifact_key keys[MODALITY_COUNT];
    float *vectors[MODALITY_COUNT];
    bool found[MODALITY_COUNT];
    size_t count = wanted_of(model_version, item, result, keys, vectors);
    const struct object_port *objects = archive->objects;
    if (count == 0 || item->anew ||
        objects->ops->get(objects->ctx, now, keys, count, vectors, found) != PORT_OK) {
        return 0;
    }
    uint8_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        enum modality m = keys[i].modality;
        if (found[i] || assumed(archive, &keys[i], vectors[i])) {
            archive->reused[m]++;
            result->dimensions[m] = (uint32_t)modality_dimension(m);
            taken |= (uint8_t)(1U << m);
        }
    }
    return taken;
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
    return error == PORT_OK && assumes(archive) ? note_once(archive, keys, count) : error;
}

/* Copies of a part of a request, without the vectors that were kept. */
static int ask_for_rest(struct embedding_archive *archive, const struct embed_item *items,
                        const struct embed_result *results, size_t count) {
    if (ARRAY_RESERVE(archive->items, archive->item_capacity, count) != 0 ||
        ARRAY_RESERVE(archive->results, archive->result_capacity, count) != 0) {
        return PORT_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        archive->items[i] = items[i];
        archive->items[i].modalities &= (uint8_t)~results[i].reused;
        archive->results[i] = results[i];
        for (size_t m = 0; m < MODALITY_COUNT; m++) {
            if ((results[i].reused >> m & 1) != 0) {
                archive->results[i].vectors[m] = NULL;
            }
        }
    }
    return PORT_OK;
}

static void answer(struct embed_result *result, const struct embed_result *made) {
    result->status = made->status;
    result->model_version = made->model_version;
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        if ((result->reused >> m & 1) == 0) {
            result->dimensions[m] = made->dimensions[m];
        }
    }
}

/* Lets the model make what is lacking of these, and keeps what it made. */
static int make(struct embedding_archive *archive, vtime now, uint32_t model_version,
                const struct embed_item *items, size_t count, struct embed_result *results) {
    const struct embedding_port *inner = archive->inner;
    int error = ask_for_rest(archive, items, results, count);
    if (error == PORT_OK) {
        error = inner->ops->embed(inner->ctx, now, model_version, archive->items, count,
                                  archive->results);
    }
    for (size_t i = 0; i < count && error == PORT_OK; i++) {
        const struct embed_result *made = &archive->results[i];
        answer(&results[i], made);
        if (made->status == ITEM_APPLIED &&
            embed_flaw_of(model_version, made, NULL) == EMBED_SOUND &&
            keep(archive, now, &archive->items[i], made) == PORT_NO_MEMORY) {
            error = PORT_NO_MEMORY;
        }
    }
    return error;
}

/* Everything that the item wants was kept. */
static bool is_served(struct embedding_archive *archive, vtime now, uint32_t model_version,
                      const struct embed_item *item, struct embed_result *result) {
    result->reused = take_kept(archive, now, model_version, item, result);
    if (result->reused == 0 || result->reused != item->modalities) {
        return false;
    }
    result->status = ITEM_APPLIED;
    result->model_version = model_version;
    return true;
}

static int port_embed(void *ctx, vtime now, uint32_t model_version, const struct embed_item *items,
                      size_t count, struct embed_result *results) {
    struct embedding_archive *archive = ctx;
    size_t first = 0; /* of those in front of i that are to be made */
    for (size_t i = 0; i <= count; i++) {
        if (i < count && !is_served(archive, now, model_version, &items[i], &results[i])) {
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

void embedding_archive_release(struct embedding_archive *archive) {
    id_map_release(&archive->once);
    free(archive->items);
    free(archive->results);
    archive->items = NULL;
    archive->results = NULL;
    archive->item_capacity = archive->result_capacity = 0;
}

struct embedding_port embedding_archive_port(struct embedding_archive *archive) {
    static const struct embedding_port_ops ops = {.embed = port_embed};
    return (struct embedding_port){&ops, archive};
}
