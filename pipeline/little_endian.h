/*
 * Integers in bytes, least significant first, at any alignment: the byte order of every format of
 * the core. Written with shifts so that the host's own order does not matter; compilers make a
 * single load or store of each.
 */
#ifndef MURPHY_PIPELINE_LITTLE_ENDIAN_H
#define MURPHY_PIPELINE_LITTLE_ENDIAN_H

#include <stdint.h>

static inline uint8_t le8_get(const char *at) {
    return (uint8_t)*at;
}

static inline uint16_t le16_get(const char *at) {
    const unsigned char *b = (const unsigned char *)at;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t le32_get(const char *at) {
    const unsigned char *b = (const unsigned char *)at;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t le64_get(const char *at) {
    const unsigned char *b = (const unsigned char *)at;
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
           (uint64_t)b[7] << 56;
}

/* Each returns the byte after what it wrote. */
static inline char *le8_put(char *at, uint8_t v) {
    *(unsigned char *)at = v;
    return at + 1;
}

static inline char *le16_put(char *at, uint16_t v) {
    unsigned char *b = (unsigned char *)at;
    b[0] = (unsigned char)v;
    b[1] = (unsigned char)(v >> 8);
    return at + 2;
}

static inline char *le32_put(char *at, uint32_t v) {
    unsigned char *b = (unsigned char *)at;
    b[0] = (unsigned char)v;
    b[1] = (unsigned char)(v >> 8);
    b[2] = (unsigned char)(v >> 16);
    b[3] = (unsigned char)(v >> 24);
    return at + 4;
}

static inline char *le64_put(char *at, uint64_t v) {
    unsigned char *b = (unsigned char *)at;
    b[0] = (unsigned char)v;
    b[1] = (unsigned char)(v >> 8);
    b[2] = (unsigned char)(v >> 16);
    b[3] = (unsigned char)(v >> 24);
    b[4] = (unsigned char)(v >> 32);
    b[5] = (unsigned char)(v >> 40);
    b[6] = (unsigned char)(v >> 48);
    b[7] = (unsigned char)(v >> 56);
    return at + 8;
}

#endif
