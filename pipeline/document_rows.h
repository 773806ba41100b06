/*
 * A document as the warehouse gets it: the one place that says what its columns are, for the stream
 * and for the batch.
 */
#ifndef MURPHY_PIPELINE_DOCUMENT_ROWS_H
#define MURPHY_PIPELINE_DOCUMENT_ROWS_H

#include "pipeline/effects.h"
#include "pipeline/folded.h"

/* Fills the row; its texts live in the effect. 0 or -ENOMEM. */
int document_row_of(struct effects *effects, struct effect *load, const struct folded *folded,
                    struct document_row *row);

#endif
