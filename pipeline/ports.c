#include "pipeline/ports.h"

#include <assert.h>

const char *port_error_name(int error) {
    switch (error) {
    case PORT_OK:
        return "ok";
    case PORT_UNAVAILABLE:
        return "unavailable";
    case PORT_UNKNOWN:
        return "outcome unknown";
    case PORT_THROTTLED:
        return "throttled";
    case PORT_TOO_LARGE:
        return "too large";
    case PORT_FENCED:
        return "fenced";
    case PORT_OUT_OF_RANGE:
        return "offset out of range";
    case PORT_NO_MEMORY:
        return "out of memory";
    case PORT_AMBIGUOUS:
        return "ambiguous";
    case PORT_NOT_FOUND:
        return "not found";
    case PORT_TRUNCATED:
        return "log truncated";
    default:
        return "unnamed error";
    }
}

const char *vector_admin_kind_name(enum vector_admin_kind kind) {
    static const char *const names[VECTOR_ADMIN_KIND_COUNT] = {"create", "drop", "switch",
                                                               "targets", "compact"};
    assert(kind < VECTOR_ADMIN_KIND_COUNT);
    return names[kind];
}

uint8_t vector_targets_modalities(const struct vector_targets *targets, uint32_t model_version) {
    for (size_t i = 0; i < targets->model_count; i++) {
        if (targets->models[i].model_version == model_version) {
            return targets->models[i].modalities;
        }
    }
    return 0;
}

uint32_t vector_targets_served(const struct vector_targets *targets) {
    for (size_t m = 1; m < MODALITY_COUNT; m++) {
        if (targets->aliases[m] != targets->aliases[0]) {
            return 0;
        }
    }
    return targets->aliases[0];
}
