/*
 * The layers of the warehouse, and what the serving stores are told, made anew from raw records
 * (B4): the fold of the loader and the sums of the nightly batch, without their stores. A pipeline
 * job like the batch, but for whoever has all of bronze at hand and needs no pages, no checkpoint
 * and no range.
 *
 * Records of a partition come in the order of bronze, (epoch, offset); partitions in any order.
 * What bronze does not hold any more, because it was erased or expired, is not made: an erasure
 * says so by itself, an edge has to be known to whoever compares.
 *
 * Memory: every listing's document is kept until rebuild_free.
 */
#ifndef MURPHY_PIPELINE_REBUILD_H
#define MURPHY_PIPELINE_REBUILD_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/folded.h"
#include "pipeline/machine.h"
#include "pipeline/rows.h"

struct rebuild;

/* Who takes what is made. What is handed over is good for the call; a nonzero answer stops the
 * rebuild, which returns it. */
struct rebuild_listener {
    void *ctx;
    /* A version of a listing that readers were told of: a row of silver. */
    int (*version)(void *ctx, const struct document_row *row);
    /* A listing was erased: versions below this one, and raw content at or below the stamp, are
     * kept nowhere. Comes before the version that says so. */
    int (*erased)(void *ctx, const struct erasure_row *row);
    /* The next event of a listing's audit stream (B8); NULL: they are not asked for. Comes before
     * what else the record made. */
    int (*event)(void *ctx, const struct audit_event *event);
};

/* The configuration and the listener are copied. NULL when out of memory. */
struct rebuild *rebuild_new(const struct pipeline_config *config,
                            const struct rebuild_listener *listener);
void rebuild_free(struct rebuild *r);

/* What became of a raw record. */
enum rebuild_taken {
    REBUILD_TAKEN,     /* folded without a change that readers see, or counted */
    REBUILD_VISIBLE,   /* folded, and readers see a change */
    REBUILD_NOT_NEWS,  /* it told nothing that was not known */
    REBUILD_NO_RECORD, /* the bytes are no record of that topic */
};

/* Takes a record of the listing log or of the order feed; *record is what was decoded, unless it is
 * no record. A rebuild_taken, -ENOMEM, or what the listener answered. */
int rebuild_take(struct rebuild *r, enum topic_id topic, uint32_t partition,
                 const struct log_record *logged, struct record *record);

/* The present document of each listing, by partition and in the order of first mention. */
int rebuild_each_listing(const struct rebuild *r,
                         int (*each)(void *ctx, const struct folded *folded), void *ctx);
/* The row of the warehouse that a document makes; its texts are good until the next call. 0 or
 * -ENOMEM. */
int rebuild_document_row(struct rebuild *r, const struct folded *folded, struct document_row *row);

/* Each order as its last word has it. */
int rebuild_each_order(const struct rebuild *r,
                       int (*each)(void *ctx, const struct order_row *order), void *ctx);
/* The sales of the hours from `from` on, by category and hour in the order of first mention; the
 * orders are gone then. */
int rebuild_each_sales(struct rebuild *r, vtime from,
                       int (*each)(void *ctx, const struct sales_row *sales), void *ctx);

#endif
