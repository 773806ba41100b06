#include "sim/warehouse_audit.h"

#include <errno.h>
#include <stdlib.h>

#include <xxhash.h>

#include "pipeline/array.h"

void warehouse_audit_init(struct warehouse_audit *a) {
    *a = (struct warehouse_audit){.count = 0};
    id_map_init(&a->by_key);
}

void warehouse_audit_release(struct warehouse_audit *a) {
    free(a->entries);
    id_map_release(&a->by_key);
}

static bool has_key(const struct audit_row *row, uint64_t listing_id, doc_version version,
                    enum modality modality, uint32_t model_version) {
    return row->listing_id == listing_id && row->version == version && row->modality == modality &&
           row->model_version == model_version;
}

/* The hash under which the key is, or would be, in the map; keys of one hash stand one behind the
 * other. */
static uint64_t place_of(const struct warehouse_audit *a, uint64_t listing_id, doc_version version,
                         enum modality modality, uint32_t model_version, uint32_t *at) {
    const uint64_t words[] = {listing_id, (uint64_t)version,
                              (uint64_t)modality << 32 | model_version};
    uint64_t hash = XXH3_64bits(words, sizeof words);
    for (;; hash++) {
        *at = id_map_get(&a->by_key, hash);
        if (*at == ID_MAP_NONE ||
            has_key(&a->entries[*at].row, listing_id, version, modality, model_version)) {
            return hash;
        }
    }
}

int warehouse_audit_add(struct warehouse_audit *a, vtime now, const struct audit_row *row,
                        bool dedupe) {
    uint32_t at;
    uint64_t hash =
        place_of(a, row->listing_id, row->version, row->modality, row->model_version, &at);
    if (at != ID_MAP_NONE && dedupe) {
        return 0;
    }
    if (ARRAY_RESERVE(a->entries, a->capacity, a->count + 1) != 0 ||
        (at == ID_MAP_NONE && id_map_put_index(&a->by_key, hash, (uint32_t)a->count) != 0)) {
        return -ENOMEM;
    }
    a->entries[a->count++] = (struct audit_entry){*row, now};
    return 1;
}

const struct audit_row *warehouse_audit_find(const struct warehouse_audit *a, uint64_t listing_id,
                                             doc_version version, enum modality modality,
                                             uint32_t model_version) {
    uint32_t at;
    place_of(a, listing_id, version, modality, model_version, &at);
    return at == ID_MAP_NONE ? NULL : &a->entries[at].row;
}

int warehouse_audit_retain(struct warehouse_audit *a,
                           bool (*stays)(void *ctx, const struct audit_entry *entry), void *ctx) {
    size_t first = 0;
    while (first < a->count && stays(ctx, &a->entries[first])) {
        first++;
    }
    if (first == a->count) {
        return 0;
    }
    size_t count = a->count;
    id_map_release(&a->by_key);
    id_map_init(&a->by_key);
    a->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i < first || (i > first && stays(ctx, &a->entries[i]))) {
            struct audit_entry entry = a->entries[i];
            if (warehouse_audit_add(a, entry.recorded, &entry.row, false) < 0) {
                return -ENOMEM;
            }
        }
    }
    return 0;
}
