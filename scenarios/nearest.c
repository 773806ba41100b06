#include "scenarios/nearest.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Not tolower: the locale has no say. */
static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t min2(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b) {
    size_t m = strlen(a), n = strlen(b);
    if (m > NEAREST_LENGTH_MAX || n > NEAREST_LENGTH_MAX) {
        return SIZE_MAX;
    }
    /* Rows i - 2, i - 1 and i of the table. */
    size_t rows[3][NEAREST_LENGTH_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n; j++) {
        above[j] = j;
    }
    for (size_t i = 1; i <= m; i++) {
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = min2(min2(above[j], row[j - 1]) + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1])) {
                row[j] = min2(row[j], before[j - 2] + 1);
            }
        }
        size_t *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[n];
}

struct nearest nearest_begin(const char *word) {
    return (struct nearest){.word = word, .distance = SIZE_MAX};
}

/* Both are at least three letters long and one begins with the other. */
static bool begins_alike(const char *a, const char *b) {
    size_t shorter = min2(strlen(a), strlen(b));
    return shorter >= 3 && strncmp(a, b, shorter) == 0;
}

void nearest_try(struct nearest *nearest, const char *candidate) {
    size_t distance = nearest_distance(nearest->word, candidate);
    size_t length = strlen(nearest->word);
    size_t allowed = length / 3 > 0 ? length / 3 : 1;
    bool near = distance <= allowed && distance < strlen(candidate) && distance < length;
    if (distance != SIZE_MAX && (near || begins_alike(nearest->word, candidate)) &&
        distance < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}
