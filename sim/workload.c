#include "sim/workload.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/marketplace.h"
#include "sim/producers.h"
#include "sim/replay.h"

/* One of the first two. */
struct workload {
    struct marketplace *marketplace;
    struct replay *replay;
    struct producers *producers; /* NULL: nobody moves to another contract */
};

const char *workload_op_name(enum workload_op_kind kind) {
    static const char *const names[OP_KIND_COUNT] = {
        [OP_LISTING_CREATE] = "listing-create",
        [OP_LISTING_UPDATE] = "listing-update",
        [OP_LISTING_DELETE] = "listing-delete",
        [OP_MEDIA] = "media",
        [OP_POLICY] = "policy",
        [OP_ORDER] = "order",
        [OP_ERASURE] = "erasure",
        [OP_POISON] = "poison",
        [OP_REFERENCE] = "reference",
    };
    assert(kind < OP_KIND_COUNT);
    return names[kind];
}

const char *anomaly_kind_name(enum anomaly_kind kind) {
    static const char *const names[ANOMALY_KIND_COUNT] = {
        [ANOMALY_NULLS] = "nulls",
        [ANOMALY_SCHEMA] = "schema",
        [ANOMALY_MASS_DELETE] = "mass-delete",
        [ANOMALY_MASS_RESTORE] = "mass-restore",
        [ANOMALY_FUTURE] = "future",
        [ANOMALY_VOLUME] = "volume",
    };
    assert(kind < ANOMALY_KIND_COUNT);
    return names[kind];
}

struct workload *workload_new(const struct workload_options *options,
                              struct workload_error *error) {
    struct workload *w = calloc(1, sizeof *w);
    if (w == NULL) {
        snprintf(error->text, sizeof error->text, "there is not enough memory for the workload");
        return NULL;
    }
    if (options->file != NULL) {
        w->replay = replay_new(options, error);
    } else {
        w->marketplace = marketplace_new(options, error);
    }
    if (w->replay == NULL && w->marketplace == NULL) {
        free(w);
        return NULL;
    }
    if (options->contract_count > 0) {
        vtime start = w->replay != NULL ? replay_peek(w->replay) : options->start;
        w->producers =
            producers_new(options->contracts, options->contract_count, start, options->seed);
        if (w->producers == NULL) {
            snprintf(error->text, sizeof error->text,
                     "there is not enough memory for the workload");
            workload_free(w);
            return NULL;
        }
    }
    return w;
}

void workload_free(struct workload *w) {
    if (w != NULL) {
        replay_free(w->replay);
        marketplace_free(w->marketplace);
        producers_free(w->producers);
        free(w);
    }
}

bool workload_next(struct workload *w, struct workload_op *op) {
    bool more =
        w->replay != NULL ? replay_next(w->replay, op) : marketplace_next(w->marketplace, op);
    if (more && w->producers != NULL) {
        producers_write(w->producers, op);
    } else if (more) {
        op->meaning = op->value;
    }
    return more;
}

vtime workload_peek(const struct workload *w) {
    return w->replay != NULL ? replay_peek(w->replay) : marketplace_peek(w->marketplace);
}

uint64_t workload_total(const struct workload *w) {
    return w->replay != NULL ? replay_total(w->replay) : marketplace_total(w->marketplace);
}

vtime workload_end(const struct workload *w) {
    return w->replay != NULL ? replay_end(w->replay) : marketplace_end(w->marketplace);
}

bool workload_query(struct workload *w, uint64_t i, struct workload_query *query) {
    return w->replay != NULL ? replay_query(w->replay, i, query)
                             : marketplace_query(w->marketplace, i, query);
}
