/* The fake object store as a subject. */
#include <stdio.h>

#include "conformance/objects_subject.h"
#include "sim/fake_object_store.h"

static void release(void *ctx) {
    fake_object_store_check(ctx);
    fake_object_store_free(ctx);
}

bool objects_subject_fake(struct objects_subject *out) {
    struct fake_object_store *o =
        fake_object_store_new(&(struct fake_object_store_options){.retention_ns = -1});
    if (o == NULL) {
        fprintf(stderr, "out of memory\n");
        return false;
    }
    *out = (struct objects_subject){fake_object_store_port(o), release, o};
    return true;
}
