/*
 * What the nightly batch made from bronze (A17): a document for each listing, and sales by category
 * and hour, beside those that the stream keeps.
 *
 * Fidelity: a document is kept as what a scan shows of it, since its columns are in the batch that
 * loads it and its hashes tell any two apart.
 */
#ifndef MURPHY_SIM_WAREHOUSE_REBUILT_H
#define MURPHY_SIM_WAREHOUSE_REBUILT_H

#include <stddef.h>

#include "pipeline/rows.h"

struct warehouse_rebuilt {
    struct scan_row *documents; /* in id order */
    size_t count, capacity;
    struct sales_row *sales; /* by hour, then category; categories are owned */
    size_t sales_count, sales_capacity;
};

void warehouse_rebuilt_init(struct warehouse_rebuilt *r);
void warehouse_rebuilt_release(struct warehouse_rebuilt *r);
/* Takes in the parts of a batch that are meant for it. 0 or -ENOMEM. */
int warehouse_rebuilt_load(struct warehouse_rebuilt *r, const struct warehouse_batch *batch);
/* At most max documents with first <= id <= last; how many. */
size_t warehouse_rebuilt_scan(const struct warehouse_rebuilt *r, uint64_t first, uint64_t last,
                              struct scan_row *out, size_t max);
/* At most max buckets of hours in [from, to), without the first `skip`; how many. */
size_t warehouse_rebuilt_sales(const struct warehouse_rebuilt *r, vtime from, vtime to, size_t skip,
                               struct sales_row *out, size_t max);

#endif
