/*
 * Cutting texts of languages that put no spaces between their words (A4): Chinese, Japanese and
 * Korean letters become overlapping pairs, everything else stays as it is, to be cut at spaces and
 * punctuation. A pair matches wherever the two letters stand together, so a word is found within a
 * longer run of letters without a dictionary (Lucene's CJKAnalyzer does the same).
 *
 *     "SONY 防水カメラ"   ->   "SONY ", "防水", "水カ", "カメ", "メラ"
 *
 * A letter that stands alone is a piece of its own.
 */
#ifndef MURPHY_SIM_TEXT_BIGRAMS_H
#define MURPHY_SIM_TEXT_BIGRAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/bytes.h"

/* Walks the pieces of a text: *at starts at 0; false at the end. Pieces are parts of the text, and
 * those of one run of letters overlap. Bytes that are not UTF-8 are no letters. */
bool bigrams_next(struct bytes text, size_t *at, struct bytes *piece);

/* A piece of letters that are cut into pairs, not of anything else. */
bool bigrams_letters(struct bytes piece);

/* The pieces with a space between any two; returns the length, writes only when capacity suffices.
 * `2 * len + len / 3 + 1` bytes always do. */
size_t bigrams_spaced(struct bytes text, char *out, size_t capacity);

#endif
