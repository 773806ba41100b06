#include "pipeline/sha256.h"

#include <nettle/sha2.h>

struct sha256 sha256_of(const void *data, size_t size) {
    struct sha256_ctx context;
    struct sha256 hash;
    sha256_init(&context);
    sha256_update(&context, size, data);
    sha256_digest(&context, sizeof hash.bytes, hash.bytes);
    return hash;
}

void sha256_text(const struct sha256 *hash, char text[SHA256_TEXT]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        text[2 * i] = digits[hash->bytes[i] >> 4];
        text[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    text[SHA256_TEXT - 1] = '\0';
}

static int digit_of(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int sha256_parse(const char *text, size_t length, struct sha256 *hash) {
    if (text == NULL || length != SHA256_TEXT - 1) {
        return -1;
    }
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return -1;
        }
        hash->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return 0;
}
