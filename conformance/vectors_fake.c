/* The fake vector database as a subject, with an index for every modality. */
#include <stdio.h>

#include "conformance/vectors_subject.h"
#include "sim/fake_vector_db.h"

static void release(void *ctx) {
    fake_vector_db_free(ctx);
}

static bool open_like(enum vector_profile_id profile, struct vectors_subject *out) {
    struct fake_vector_db_options options = {.seed = 1, .profile = vector_profile_of(profile)};
    for (size_t m = 0; m < MODALITY_COUNT; m++) {
        options.index[m].on = true;
        options.index[m].seal_rows_min = profile == VECTORS_PGVECTOR ? 1 : 0; /* one index */
    }
    struct fake_vector_db *db = fake_vector_db_new(&options);
    if (db == NULL) {
        fprintf(stderr, "out of memory\n");
        return false;
    }
    *out = (struct vectors_subject){fake_vector_db_port(db), release, db};
    return true;
}

bool vectors_subject_fake(struct vectors_subject *out) {
    return open_like(VECTORS_PLAIN, out);
}

bool pgvector_subject_fake(struct vectors_subject *out) {
    return open_like(VECTORS_PGVECTOR, out);
}
