/*
 * The vectors of one collection, and searching them: a growing segment that is searched exactly and
 * a sealed one, the graph. Rows are numbers that the collection gives out; an id belongs to a row
 * for good.
 *
 *                  put                         search that finds growing too large
 *     absent ------------------> growing ------------------------------------------> sealed
 *        ^                         |  ^                                                |  |
 *        |         remove          |  |        put: masked in the graph                |  |
 *        +-------------------------+  +------------------------------------------------+  |
 *        +--------------------------------------- remove: masked in the graph ------------+
 *
 * A search whose filter accepts fewer than one row in a hundred is exact: that is cheaper than a
 * walk over the whole graph. A search that finds more than half of the graph masked has it
 * compacted. With the index off everything stays growing, and every search is exact.
 *
 * Sealing is put off until somebody searches, so that a run that writes and seldom searches does
 * not pay for a graph of every version of a row.
 */
#ifndef MURPHY_SIM_VECTOR_SEGMENTS_H
#define MURPHY_SIM_VECTOR_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_ROW_NONE UINT32_MAX

struct vector_segments_options {
    size_t dimension;
    bool index_on;
    uint32_t m;
    uint32_t ef_construction;
    uint32_t seal_rows_min;
    uint64_t seed;
    bool blind;  /* masked rows use up ef; ef is not raised */
    bool manual; /* compacted by vector_segments_compact alone */
};

struct vector_segments;

/* NULL when there is no memory. */
struct vector_segments *vector_segments_new(const struct vector_segments_options *options);
void vector_segments_free(struct vector_segments *s);

/* Sets the vector of a row (copied). 0 or -ENOMEM with the row as it was. */
int vector_segments_put(struct vector_segments *s, uint32_t row, uint64_t id, const float *vector);
/* No effect on a row without a vector. */
void vector_segments_remove(struct vector_segments *s, uint32_t row);

/* The graph still holds a vector of the row that no search returns. */
bool vector_segments_masks(const struct vector_segments *s, uint32_t row);
/* No compaction happens, whoever asks, until it is released. */
void vector_segments_hold(struct vector_segments *s, bool held);
/* Makes the graph anew without masked vectors, and overwrites the places of removed ones. */
void vector_segments_compact(struct vector_segments *s);

/* The vector of a row, NULL when there is none. Good until the row's next put or remove. */
const float *vector_segments_vector(const struct vector_segments *s, uint32_t row);

/* Which rows a search may return. */
struct segment_filter {
    bool (*accept)(const void *ctx, uint32_t row); /* NULL: all */
    const void *ctx;
};
struct segment_hit {
    uint64_t id;
    uint32_t row;
    float score; /* cosine similarity */
};
/* The best k accepted rows, by score and then id. query has unit norm. 0 or -ENOMEM. */
int vector_segments_search(struct vector_segments *s, const float *query, size_t k, uint32_t ef,
                           bool exact, struct segment_filter filter, struct segment_hit *hits,
                           size_t *count);

/*
 * Walks what a search could return, in id order: vector_segments_walk puts the cursor at the first
 * row whose id is not below `first` (0 or -ENOMEM); vector_segments_next returns rows up to id
 * `last`, then SEGMENT_ROW_NONE. Nothing is put in between.
 */
int vector_segments_walk(struct vector_segments *s, uint64_t first, size_t *cursor);
uint32_t vector_segments_next(const struct vector_segments *s, size_t *cursor, uint64_t last);

struct vector_segments_counts {
    uint64_t growing; /* live rows */
    uint64_t sealed;
    uint64_t masked;
    uint64_t graph_inserts;
    uint64_t graph_compactions;
    uint64_t held_back; /* compactions that had something to do */
};
struct vector_segments_counts vector_segments_counts(const struct vector_segments *s);

/* Asserts that entries, places and graph say the same. */
void vector_segments_check(const struct vector_segments *s);

#endif
