/* madvise */
#define _DEFAULT_SOURCE

#include "sim/vector_rows.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pipeline/memory.h"

#define LINE ((uintptr_t)64)
#define HUGE_PAGE ((uintptr_t)2 << 20)

void vector_rows_init(struct vector_rows *r, size_t dim) {
    *r = (struct vector_rows){.dim = dim, .stride = (dim + 15) / 16 * 16};
}

void vector_rows_release(struct vector_rows *r) {
    free(r->block);
    vector_rows_init(r, r->dim);
}

/* Only advice: without huge pages everything works, slower. */
static void advise_huge(uintptr_t begin, size_t size) {
#ifdef MADV_HUGEPAGE
    uintptr_t first = (begin + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    uintptr_t end = (begin + size) & ~(HUGE_PAGE - 1);
    if (first < end) {
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
    }
#else
    (void)begin;
    (void)size;
#endif
}

int vector_rows_reserve(struct vector_rows *r, size_t capacity) {
    if (capacity <= r->capacity) {
        return 0;
    }
    size_t row_bytes = r->stride * sizeof(float);
    if (capacity > (SIZE_MAX - LINE) / row_bytes) {
        return -ENOMEM;
    }
    size_t size = capacity * row_bytes;
    void *block = memory_resize(NULL, size + LINE);
    if (block == NULL) {
        return -ENOMEM;
    }
    uintptr_t aligned = ((uintptr_t)block + LINE - 1) & ~(LINE - 1);
    float *data = (float *)aligned;
    advise_huge(aligned, size);
    size_t kept = r->capacity * row_bytes;
    if (kept > 0) {
        memcpy(data, r->data, kept);
    }
    memset((char *)data + kept, 0, size - kept);
    free(r->block);
    r->block = block;
    r->data = data;
    r->capacity = capacity;
    return 0;
}
