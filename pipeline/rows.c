#include "pipeline/rows.h"

#include <assert.h>

const char *item_status_name(enum item_status status) {
    static const char *const names[ITEM_STATUS_COUNT] = {"applied",   "conflict", "missing",
                                                         "retryable", "fatal",    "unknown"};
    assert(status < ITEM_STATUS_COUNT);
    return names[status];
}

const char *modality_name(enum modality m) {
    static const char *const names[MODALITY_COUNT] = {"text", "image", "fused"};
    assert(m < MODALITY_COUNT);
    return names[m];
}

size_t modality_dimension(enum modality m) {
    static const size_t dimensions[MODALITY_COUNT] = {TEXT_DIMENSION, IMAGE_DIMENSION,
                                                      FUSED_DIMENSION};
    assert(m < MODALITY_COUNT);
    return dimensions[m];
}
