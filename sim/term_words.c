#include "sim/term_words.h"

#include <string.h>

#include "sim/text_bigrams.h"

struct term_walk term_walk_begin(struct bytes text) {
    return (struct term_walk){.text = text};
}

static bool is_ascii_word(unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Bytes of the letter or digit at the start of text, 0 when something else stands there. Signs
 * beyond ASCII that catalogues use between words: U+0080 to U+00BF, U+2000 to U+21FF. */
static size_t word_letter(struct bytes text) {
    const unsigned char *s = (const unsigned char *)text.data;
    if (s[0] < 0x80) {
        return is_ascii_word(s[0]);
    }
    bool sign = s[0] == 0xC2 || (s[0] == 0xE2 && text.len > 1 && s[1] >= 0x80 && s[1] <= 0x87);
    return sign || (s[0] & 0xC0) == 0x80 ? 0 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
}

/* A plural's ending in a word of ASCII letters; "glass", "bus" and "chassis" are none. */
static size_t without_plural(const char *word, size_t len) {
    if (len < 4 || word[len - 1] != 's' || strchr("sui", word[len - 2]) != NULL ||
        (word[len - 2] >= '0' && word[len - 2] <= '9')) {
        return len;
    }
    return len - 1;
}

static struct bytes settle_word(struct term_walk *walk, struct bytes raw) {
    size_t len = raw.len < TERM_WORD_MAX ? raw.len : TERM_WORD_MAX;
    for (size_t i = 0; i < len; i++) {
        char c = raw.data[i];
        walk->word[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return (struct bytes){walk->word, without_plural(walk->word, len)};
}

/* The next word of the piece; false when it has no more. */
static bool next_in_piece(struct term_walk *walk, struct bytes *word) {
    const struct bytes piece = walk->piece;
    size_t begin = walk->piece_at;
    while (begin < piece.len &&
           word_letter((struct bytes){piece.data + begin, piece.len - begin}) == 0) {
        begin++;
    }
    size_t end = begin;
    while (end < piece.len) {
        size_t letter = word_letter((struct bytes){piece.data + end, piece.len - end});
        if (letter == 0) {
            break;
        }
        end = piece.len - end < letter ? piece.len : end + letter;
    }
    walk->piece_at = end;
    *word = settle_word(walk, (struct bytes){piece.data + begin, end - begin});
    return end > begin;
}

bool term_walk_next(struct term_walk *walk, struct bytes *word) {
    while (!next_in_piece(walk, word)) {
        if (!bigrams_next(walk->text, &walk->at, &walk->piece)) {
            return false;
        }
        walk->piece_at = 0;
        if (bigrams_letters(walk->piece)) {
            walk->piece_at = walk->piece.len;
            *word = settle_word(walk, walk->piece);
            return true;
        }
    }
    return true;
}
