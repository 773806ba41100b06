/*
 * A read-only view of bytes that somebody else owns. Text in the core is UTF-8 in such a view; it
 * is never terminated by a zero byte and may hold one.
 */
#ifndef MURPHY_PIPELINE_BYTES_H
#define MURPHY_PIPELINE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
    const char *data; /* may be NULL only when len is 0 */
    size_t len;
};

static inline struct bytes bytes_of(const char *text) {
    return (struct bytes){text, strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Byte order, a shorter prefix first: negative, zero or positive like memcmp. */
static inline int bytes_compare(struct bytes a, struct bytes b) {
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
    if (order != 0) {
        return order;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

#endif
