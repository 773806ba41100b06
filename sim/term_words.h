/*
 * The words of a text as the term vectors count them (B7): ASCII letters in lower case, an English
 * plural without its ending, so that "headphones" and "headphone" are one word; letters of
 * languages without spaces in overlapping pairs, as in the keyword index (A4).
 */
#ifndef MURPHY_SIM_TERM_WORDS_H
#define MURPHY_SIM_TERM_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/bytes.h"

#define TERM_WORD_MAX 48 /* bytes; of a longer word the rest is not looked at */

struct term_walk {
    struct bytes text;
    size_t at;
    struct bytes piece; /* being cut into words */
    size_t piece_at;
    char word[TERM_WORD_MAX];
};

struct term_walk term_walk_begin(struct bytes text);
/* The next word, good until the next call; false at the end. */
bool term_walk_next(struct term_walk *walk, struct bytes *word);

#endif
