/* The fake keyword index as a subject. */
#include <stdio.h>

#include "conformance/keywords_subject.h"
#include "sim/fake_keyword.h"

static void release(void *ctx) {
    fake_keyword_check(ctx);
    fake_keyword_free(ctx);
}

bool keywords_subject_fake(struct keywords_subject *out) {
    struct fake_keyword *k = fake_keyword_new(&(struct fake_keyword_options){.journal = false});
    if (k == NULL) {
        fprintf(stderr, "out of memory\n");
        return false;
    }
    *out = (struct keywords_subject){fake_keyword_port(k), release, k};
    return true;
}
