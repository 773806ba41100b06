/*
 * The nearest of some known words to one that was mistyped, for "did you mean ...?".
 *
 * Distance is that of Damerau and Levenshtein in its restricted form (optimal string alignment):
 * insertions, deletions, substitutions and swaps of neighbours count one each, and letters of
 * either case are the same. A word is near when it takes at most a third of its length, at least
 * one, or when one of both begins with the other. Among equals the first tried wins.
 */
#ifndef MURPHY_SCENARIOS_NEAREST_H
#define MURPHY_SCENARIOS_NEAREST_H

#include <stddef.h>

/* Longer words have no near ones. */
enum { NEAREST_LENGTH_MAX = 63 };

struct nearest {
    const char *word;
    const char *best; /* NULL: none is near */
    size_t distance;  /* of best */
};

struct nearest nearest_begin(const char *word);
/* The candidate must outlive the search. */
void nearest_try(struct nearest *nearest, const char *candidate);

/* The distance itself; SIZE_MAX when either is too long. */
size_t nearest_distance(const char *a, const char *b);

#endif
