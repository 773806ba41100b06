/*
 * The door to the heap for what grows with the data: documents and maps of them. It stands alone in
 * its object file, so a test that defines memory_resize itself replaces it at link time and can
 * make the n-th allocation fail.
 */
#ifndef MURPHY_PIPELINE_MEMORY_H
#define MURPHY_PIPELINE_MEMORY_H

#include <stddef.h>

/* realloc: `old` may be NULL, `size` is above 0. NULL when there is no memory; old then stays. */
void *memory_resize(void *old, size_t size);

#endif
