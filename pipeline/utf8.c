#include "pipeline/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/*
 * Nonzero when a byte of the word is NUL or not ASCII. Without a high bit in the word, the
 * subtraction sets one exactly when some byte was zero.
 */
static inline uint64_t word_special(uint64_t word) {
    return ((word - EACH_BYTE(1)) | word) & EACH_BYTE(0x80);
}

static inline uint64_t word_at(const unsigned char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline bool is_between(unsigned char b, unsigned char low, unsigned char high) {
    return b >= low && b <= high;
}

static inline bool is_continuation(unsigned char b) {
    return (b & 0xC0) == 0x80;
}

/* Length of the well-formed sequence of two bytes or more at s; 0 when there is none. */
static inline size_t sequence_length(const unsigned char *s, size_t left) {
    unsigned char lead = s[0];
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    if (lead < 0xE0) {
        return left >= 2 && is_continuation(s[1]) ? 2 : 0;
    }
    if (lead < 0xF0) {
        unsigned char low = lead == 0xE0 ? 0xA0 : 0x80;
        unsigned char high = lead == 0xED ? 0x9F : 0xBF;
        return left >= 3 && is_between(s[1], low, high) && is_continuation(s[2]) ? 3 : 0;
    }
    unsigned char low = lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xF4 ? 0x8F : 0xBF;
    return left >= 4 && is_between(s[1], low, high) && is_continuation(s[2]) &&
                   is_continuation(s[3])
               ? 4
               : 0;
}

/* First position from i on that is not plain ASCII, or len. */
static inline size_t skip_ascii(const unsigned char *s, size_t i, size_t len) {
    while (len - i >= 32 &&
           (word_special(word_at(s + i)) | word_special(word_at(s + i + 8)) |
            word_special(word_at(s + i + 16)) | word_special(word_at(s + i + 24))) == 0) {
        i += 32;
    }
    while (len - i >= 8 && word_special(word_at(s + i)) == 0) {
        i += 8;
    }
    /* Less than a word is left: looked at together with what stands in front of it. */
    if (len - i < 8 && len >= 8 && word_special(word_at(s + len - 8)) == 0) {
        return len;
    }
    while (i < len && is_between(s[i], 0x01, 0x7F)) {
        i++;
    }
    return i;
}

size_t utf8_valid_prefix(struct bytes text) {
    const unsigned char *s = (const unsigned char *)text.data;
    size_t i = 0;
    for (;;) {
        i = skip_ascii(s, i, text.len);
        if (i == text.len) {
            return i;
        }
        /* Scripts other than Latin come in runs of such sequences. */
        do {
            size_t length = sequence_length(s + i, text.len - i);
            if (length == 0) {
                return i;
            }
            i += length;
        } while (i < text.len && s[i] >= 0x80);
    }
}
