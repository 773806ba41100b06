/*
 * SHA-256 (FIPS 180-4), for what must not be forged: the audit stream of listings (B8). Everything
 * that only has to be told apart uses XXH3, which is ten times as fast.
 *
 * The compression function is picked once by whoever hashes, and handed over: processors with the
 * instructions for it do 1.5 GB/s in place of 0.3. Either gives the same bits. The core keeps no
 * global, so the choice lives with the caller.
 */
#ifndef MURPHY_PIPELINE_SHA256_H
#define MURPHY_PIPELINE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32 };

struct sha256 {
    unsigned char bytes[SHA256_BYTES];
};

/* Takes `count` blocks of 64 bytes into the state. */
typedef void (*sha256_blocks)(uint32_t state[8], const unsigned char *data, size_t count);
/* Of the 64 rounds. */
extern const uint32_t sha256_constants[64];
/* In plain C. */
void sha256_blocks_portable(uint32_t state[8], const unsigned char *data, size_t count);
/* With the x86 extensions; NULL where there are none. */
sha256_blocks sha256_blocks_x86(void);
/* The fastest there is. Asks the processor, which takes microseconds on a virtual one. */
sha256_blocks sha256_blocks_best(void);

/* The hash of a whole message. */
struct sha256 sha256_of(sha256_blocks blocks, const void *data, size_t size);

/* 64 hexadecimal digits and a zero byte. */
enum { SHA256_TEXT = 2 * SHA256_BYTES + 1 };
void sha256_text(const struct sha256 *hash, char text[SHA256_TEXT]);
/* Reads them back, of either case; 0, or -1 for anything else. */
int sha256_parse(const char *text, size_t length, struct sha256 *hash);

#endif
