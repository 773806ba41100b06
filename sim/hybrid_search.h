/*
 * Search by words and by meaning at once (B7): the keyword index and the vector database are asked
 * for the same filter, and their answers become one ranking.
 */
#ifndef MURPHY_SIM_HYBRID_SEARCH_H
#define MURPHY_SIM_HYBRID_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"
#include "sim/fusion.h"

#define HYBRID_DEPTH 1000 /* hits that each side is asked for */

struct hybrid_search {
    struct keyword_port keyword;
    struct vector_port vectors;
    enum modality modality;
    uint32_t model_version; /* 0: through the alias */
    uint32_t ef;
    bool exact; /* compare with every vector */
};

/* What a user asks. */
struct hybrid_query {
    struct bytes words;
    const float *vector; /* of the modality's dimension; NULL: none of the words has one */
    const struct row_filter *filter; /* may be NULL */
};

/* Answers of both sides; good until the next question. */
struct hybrid_answers {
    struct search_hit keyword[HYBRID_DEPTH];
    struct search_hit vector[HYBRID_DEPTH];
    size_t keyword_count, vector_count;
};

/* 0, or the PORT_ error of the side that failed. */
int hybrid_search_ask(const struct hybrid_search *search, vtime now,
                      const struct hybrid_query *query, struct hybrid_answers *answers);

/* Both answers as one ranking; out has room for 2 * HYBRID_DEPTH. */
size_t hybrid_search_fuse(const struct hybrid_answers *answers, const struct fusion *fusion,
                          struct fused_hit *out);

#endif
