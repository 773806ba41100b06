#include "pipeline/memory.h"

#include <assert.h>
#include <stdlib.h>

void *memory_resize(void *old, size_t size) {
    assert(size > 0);
    return realloc(old, size);
}
