/*
 * Little-endian integers in byte strings: the one place that says how checkpoints and dead letters
 * are laid out. The reader never passes its end: it then reads zeros and remembers the failure.
 */
#ifndef MURPHY_PIPELINE_WIRE_H
#define MURPHY_PIPELINE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pipeline/bytes.h"

/* Writes the low `size` bytes of value; returns the position behind them. */
static inline char *wire_put(char *at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++) {
        at[i] = (char)(unsigned char)(value >> (8 * i));
    }
    return at + size;
}

/* A length in 4 bytes, then the bytes. */
static inline char *wire_put_bytes(char *at, struct bytes bytes) {
    at = wire_put(at, bytes.len, 4);
    if (bytes.len > 0) {
        memcpy(at, bytes.data, bytes.len);
    }
    return at + bytes.len;
}

struct wire_reader {
    const char *at;
    const char *end;
    bool failed;
};

static inline struct wire_reader wire_reader_of(struct bytes input) {
    const char *end =
        input.len > 0 ? input.data + input.len : input.data; /* NULL plus 0 is no sum */
    return (struct wire_reader){input.data, end, false};
}

static inline uint64_t wire_get(struct wire_reader *reader, size_t size) {
    if ((size_t)(reader->end - reader->at) < size) {
        reader->failed = true;
        reader->at = reader->end;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)(unsigned char)reader->at[i] << (8 * i);
    }
    reader->at += size;
    return value;
}

static inline struct bytes wire_get_bytes(struct wire_reader *reader) {
    size_t len = (size_t)wire_get(reader, 4);
    if ((size_t)(reader->end - reader->at) < len) {
        reader->failed = true;
        reader->at = reader->end;
        return (struct bytes){NULL, 0};
    }
    struct bytes bytes = {reader->at, len};
    reader->at += len;
    return bytes;
}

#endif
