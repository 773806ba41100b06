#include "sim/store.h"

#include <assert.h>

const char *store_name(enum store_id store) {
    static const char *const names[STORE_COUNT] = {
        "vector-text", "vector-image", "vector-fused", "keyword", "silver", "gold", "oltp",
    };
    assert(store < STORE_COUNT);
    return names[store];
}
