/*
 * SHA-256 (FIPS 180-4), by nettle, for what must not be forged: the audit stream of listings (B8).
 * Everything that only has to be told apart uses XXH3, which is ten times as fast.
 */
#ifndef MURPHY_PIPELINE_SHA256_H
#define MURPHY_PIPELINE_SHA256_H

#include <stddef.h>

enum { SHA256_BYTES = 32 };

struct sha256 {
    unsigned char bytes[SHA256_BYTES];
};

/* The hash of a whole message. */
struct sha256 sha256_of(const void *data, size_t size);

/* 64 hexadecimal digits and a zero byte. */
enum { SHA256_TEXT = 2 * SHA256_BYTES + 1 };
void sha256_text(const struct sha256 *hash, char text[SHA256_TEXT]);
/* Reads them back, of either case; 0, or -1 for anything else. */
int sha256_parse(const char *text, size_t length, struct sha256 *hash);

#endif
