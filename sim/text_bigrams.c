#include "sim/text_bigrams.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the letter at the start of the text when it is one that has no words of its own; 0 when
 * it is something else. */
static size_t letter_length(struct bytes text) {
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x3005, 0x3007},                                       /* iteration marks, zero */
        {0x3041, 0x309F},   {0x30A1, 0x30FA}, {0x30FC, 0x30FF}, /* Hiragana, Katakana */
        {0x31F0, 0x31FF},   {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, /* small Katakana, Han */
        {0xAC00, 0xD7A3},   {0xF900, 0xFAFF}, {0xFF66, 0xFF9F}, /* Hangul, compatibility forms */
        {0x20000, 0x3FFFF},
    };
    const unsigned char *s = (const unsigned char *)text.data;
    size_t length = text.len == 0 ? 0 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE3 ? 3 : 0;
    if (length == 0 || length > text.len) {
        return 0;
    }
    uint32_t letter = s[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
        letter = letter << 6 | (s[i] & 0x3F);
    }
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (letter >= ranges[i].first && letter <= ranges[i].last) {
            return length;
        }
    }
    return 0;
}

static struct bytes rest_of(struct bytes text, size_t at) {
    return (struct bytes){text.data + at, text.len - at};
}

/* The letter right before `at`, which stands behind one. */
static bool follows_letter(struct bytes text, size_t at) {
    for (size_t back = 3; back <= 4 && back <= at; back++) {
        if (letter_length((struct bytes){text.data + at - back, back}) == back) {
            return true;
        }
    }
    return false;
}

bool bigrams_next(struct bytes text, size_t *at, struct bytes *piece) {
    while (*at < text.len) {
        size_t begin = *at;
        size_t letter = letter_length(rest_of(text, begin));
        if (letter == 0) {
            while (*at < text.len && letter_length(rest_of(text, *at)) == 0) {
                ++*at;
            }
            *piece = (struct bytes){text.data + begin, *at - begin};
            return true;
        }
        size_t second = letter_length(rest_of(text, begin + letter));
        *at = begin + letter;
        if (second > 0 || !follows_letter(text, begin)) {
            *piece = (struct bytes){text.data + begin, letter + second};
            return true;
        }
        /* the last letter of a run is in the pair before it */
    }
    return false;
}

bool bigrams_letters(struct bytes piece) {
    return letter_length(piece) > 0;
}

size_t bigrams_spaced(struct bytes text, char *out, size_t capacity) {
    size_t length = 0;
    struct bytes piece;
    for (size_t at = 0; bigrams_next(text, &at, &piece);) {
        bool space = length > 0;
        if (length + space + piece.len <= capacity) {
            memset(out + length, ' ', space);
            memcpy(out + length + space, piece.data, piece.len);
        }
        length += space + piece.len;
    }
    return length;
}
