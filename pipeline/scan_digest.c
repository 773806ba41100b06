#include "pipeline/effects.h"
#include "pipeline/wire.h"
#include "pipeline/xxh3.h"

static uint64_t hash(uint64_t a, uint64_t b, uint64_t c) {
    char bytes[24];
    wire_put(wire_put(wire_put(bytes, a, 8), b, 8), c, 8);
    return XXH3_64bits(bytes, sizeof bytes);
}

static void add(struct scan_digest *digest, enum scan_view view, const struct scan_row *row) {
    digest->rows[view]++;
    digest->source_sum[view] += hash(row->listing_id, row->source_hash, 0);
    digest->whole_sum[view] += hash(row->listing_id, row->whole_hash, (uint64_t)row->version);
}

/* Views by modality: what gold says a listing has, or what a serving store holds. */
static bool row_has(enum scan_store store, const struct scan_row *row, enum modality m) {
    switch (store) {
    case SCAN_GOLD:
        return (row->modalities >> m & 1) != 0;
    case SCAN_VECTOR_TEXT:
    case SCAN_KEYWORD:
        return m == MODALITY_TEXT;
    case SCAN_VECTOR_IMAGE:
        return m == MODALITY_IMAGE;
    case SCAN_VECTOR_FUSED:
        return m == MODALITY_FUSED;
    default:
        return false;
    }
}

void scan_digest_add(struct scan_digest *digest, enum scan_store store,
                     const struct scan_row *row) {
    if (digest->rows_total == 0 || row->listing_id < digest->id_first) {
        digest->id_first = row->listing_id;
    }
    if (digest->rows_total == 0 || row->listing_id > digest->id_last) {
        digest->id_last = row->listing_id;
    }
    if (digest->rows_total == 0 || row->model_version < digest->model_least) {
        digest->model_least = row->model_version;
    }
    if (digest->rows_total == 0 || row->model_version > digest->model_greatest) {
        digest->model_greatest = row->model_version;
    }
    digest->rows_total++;
    if (!row->alive) {
        return;
    }
    add(digest, VIEW_ALIVE, row);
    if (row->suppressed) {
        return;
    }
    add(digest, VIEW_SERVED, row);
    for (int m = 0; m < MODALITY_COUNT; m++) {
        if (row_has(store, row, (enum modality)m)) {
            add(digest, (enum scan_view)(VIEW_TEXT + m), row);
        }
    }
}
