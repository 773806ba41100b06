/* The fake state store as a subject. */
#include <stdio.h>

#include "conformance/state_subject.h"
#include "sim/fake_state_store.h"

static void release(void *ctx) {
    fake_state_store_free(ctx);
}

bool state_subject_fake(struct state_subject *out) {
    struct fake_state_store *s = fake_state_store_new();
    if (s == NULL) {
        fprintf(stderr, "out of memory\n");
        return false;
    }
    *out = (struct state_subject){fake_state_store_port(s), release, s};
    return true;
}
