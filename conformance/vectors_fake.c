/* The fake vector database as a subject, with an index for every modality. */
#include <stdio.h>

#include "conformance/vectors_subject.h"
#include "sim/fake_vector_db.h"

static void release(void *ctx) {
    fake_vector_db_free(ctx);
}

bool vectors_subject_fake(struct vectors_subject *out) {
    struct fake_vector_db_options options = {.seed = 1};
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        options.index[m].on = true;
    }
    struct fake_vector_db *db = fake_vector_db_new(&options);
    if (db == NULL) {
        fprintf(stderr, "out of memory\n");
        return false;
    }
    *out = (struct vectors_subject){fake_vector_db_port(db), release, db};
    return true;
}
