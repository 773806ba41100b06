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
#include "pipeline/little_endian.h"

/* Writes the low `size` bytes of value; returns the position behind them. With the sizes that are
 * in use, which callers spell out, it is one store. */
static inline char *wire_put(char *at, uint64_t value, size_t size) {
    switch (size) {
    case 1:
        return le8_put(at, (uint8_t)value);
    case 4:
        return le32_put(at, (uint32_t)value);
    case 8:
        return le64_put(at, value);
    default:
        break;
    }
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
    const char *at = reader->at;
    reader->at += size;
    switch (size) {
    case 1:
        return le8_get(at);
    case 4:
        return le32_get(at);
    case 8:
        return le64_get(at);
    default:
        break;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    }
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
