/* The fake warehouse as a subject. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "conformance/warehouse_subject.h"
#include "sim/fake_warehouse.h"

struct looking {
    uint64_t listing_id;
    struct silver_span *out;
    size_t count, max;
};

static int take(void *ctx, const struct silver_row *row) {
    struct looking *l = ctx;
    if (row->document.listing_id == l->listing_id && l->count < l->max) {
        l->out[l->count++] =
            (struct silver_span){row->document.version, row->valid_from, row->valid_to};
    }
    return 0;
}

static int by_version(const void *a, const void *b) {
    const struct silver_span *x = a;
    const struct silver_span *y = b;
    return (x->version > y->version) - (x->version < y->version);
}

static size_t silver(void *ctx, uint64_t listing_id, struct silver_span *out, size_t max) {
    struct looking l = {listing_id, out, 0, max};
    int rc = fake_warehouse_each_version(ctx, take, &l);
    assert(rc == 0);
    (void)rc;
    qsort(out, l.count, sizeof *out, by_version);
    return l.count;
}

static void release(void *ctx) {
    fake_warehouse_free(ctx);
}

bool warehouse_subject_fake(struct warehouse_subject *out) {
    struct fake_warehouse *w = fake_warehouse_new(&(struct fake_warehouse_options){.kept_ns = -1});
    if (w == NULL) {
        fprintf(stderr, "out of memory\n");
        return false;
    }
    *out = (struct warehouse_subject){fake_warehouse_port(w), silver, release, w};
    return true;
}
