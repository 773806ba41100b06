/*
 * The nightly batch against the stream (A17): what a page of each says differently, by class.
 * Private to the batch.
 */
#ifndef MURPHY_PIPELINE_BATCH_COMPARE_H
#define MURPHY_PIPELINE_BATCH_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/effects.h"

struct batch_scope {
    vtime from;      /* earlier changes were not made anew; 0: everything was */
    vtime settled;   /* what changed since may be on its way: not drift */
    vtime kept_from; /* of listings that were gone before, bronze keeps nothing (A16) */
};

/*
 * Gold rows and made ones of one range of ids, each in id order. The batch takes the log's word: a
 * row that gold has and the log does not know is an ORPHAN, one that gold has twice a DUPLICATE; an
 * older version is STALE, a newer one or other content of the same a MISMATCH.
 */
void batch_compare_documents(const struct batch_scope *scope, const struct scan_row *gold,
                             size_t gold_count, const struct scan_row *made, size_t made_count,
                             uint64_t counts[DRIFT_CLASS_COUNT]);

/* Buckets of the view and made ones, each by hour and category. Returns negative, zero or positive
 * as bucket a comes before b, is the same, or comes after it. */
int batch_sales_order_of(const struct sales_row *view, const struct sales_row *made);
/* One bucket of both; NULL for one that is not there. Where both sides have one the checksums are
 * compared too. */
void batch_compare_sales(const struct batch_scope *scope, const struct sales_row *view,
                         const struct sales_row *made, uint64_t counts[DRIFT_CLASS_COUNT]);

#endif
