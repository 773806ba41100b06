#include "sim/hybrid_search.h"

int hybrid_search_ask(const struct hybrid_search *search, vtime now,
                      const struct hybrid_query *query, struct hybrid_answers *answers) {
    answers->vector_count = 0;
    int rc = search->keyword.ops->search(search->keyword.ctx, now, query->words, HYBRID_DEPTH,
                                         query->filter, answers->keyword, &answers->keyword_count);
    if (rc != 0 || query->vector == NULL) {
        return rc;
    }
    return search->vectors.ops->search(search->vectors.ctx, now, search->modality,
                                       search->model_version, query->vector, HYBRID_DEPTH,
                                       search->ef, search->exact, query->filter, answers->vector,
                                       &answers->vector_count);
}

size_t hybrid_search_fuse(const struct hybrid_answers *answers, const struct fusion *fusion,
                          struct fused_hit *out) {
    return fusion_rank(fusion, (struct ranking){answers->keyword, answers->keyword_count},
                       (struct ranking){answers->vector, answers->vector_count}, out);
}
