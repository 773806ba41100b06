/*
 * Rows of float32 in one block of memory: each begins at a multiple of 64 bytes and is padded with
 * zeros to a multiple of 16 elements, which changes no sum (sim/vector_math.h). Large blocks ask
 * for huge pages, since searches jump between rows.
 */
#ifndef MURPHY_SIM_VECTOR_ROWS_H
#define MURPHY_SIM_VECTOR_ROWS_H

#include <stddef.h>

struct vector_rows {
    float *data; /* row i at data + i * stride */
    void *block; /* owned */
    size_t dim;
    size_t stride;
    size_t capacity;
};

void vector_rows_init(struct vector_rows *r, size_t dim);
void vector_rows_release(struct vector_rows *r);

/* Room for `capacity` rows at least; rows already there are copied, and the rest is zeros. Pointers
 * into the block become stale. 0, or -ENOMEM with everything as it was. */
int vector_rows_reserve(struct vector_rows *r, size_t capacity);

static inline float *vector_rows_at(const struct vector_rows *r, size_t i) {
    return r->data + i * r->stride;
}

#endif
