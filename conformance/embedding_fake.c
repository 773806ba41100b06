/* The fake embedding service as a subject. */
#include <stdio.h>

#include "conformance/embedding_subject.h"
#include "sim/fake_embedding.h"

static void release(void *ctx) {
    fake_embedding_free(ctx);
}

bool embedding_subject_fake(struct embedding_subject *out) {
    struct fake_embedding *e = fake_embedding_new(
        &(struct fake_embedding_options){.batch_items_max = EMBEDDING_SUBJECT_ITEMS_MAX});
    if (e == NULL) {
        fprintf(stderr, "out of memory\n");
        return false;
    }
    *out = (struct embedding_subject){.port = fake_embedding_port(e), .free = release, .ctx = e};
    for (enum modality m = 0; m < MODALITY_COUNT; m++) {
        out->dimensions[m] = (uint32_t)modality_dimension(m);
    }
    return true;
}
