/*
 * What the nightly batch mends (A1, A17, B6): categories and hours whose sales differ.
 *
 * Where the dashboard is not what bronze says, silver's orders, gold's sums and the view of those
 * hours are made from bronze anew. Where bronze is not what OLTP says, something between the two
 * lost it: OLTP tells the orders of those hours once more, and they take the ordinary way. Both may
 * be repeated, since an order has a key and a stamp. Private to the batch.
 */
#ifndef MURPHY_PIPELINE_BATCH_REPAIR_H
#define MURPHY_PIPELINE_BATCH_REPAIR_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/batch_sales.h"
#include "pipeline/effects.h"

/* Rows of sales that are kept, with categories of their own. */
struct kept_sales {
    struct sales_row *rows;
    size_t count, capacity;
};
void kept_sales_forget(struct kept_sales *kept); /* the room stays */
void kept_sales_release(struct kept_sales *kept);
/* 0 or -ENOMEM. */
int kept_sales_add(struct kept_sales *kept, const struct sales_row *row);
bool kept_sales_have(const struct kept_sales *kept, struct bytes category, vtime hour);
/* A copy in an effect's memory; NULL without memory. */
struct sales_row *kept_sales_copy(const struct kept_sales *kept, struct effects *effects,
                                  struct effect *effect);

/* The orders that were read last and are of those hours, as rows of a load that repairs. 0 or
 * -ENOMEM. */
int batch_repair_orders(const struct batch_sales *sales, const struct kept_sales *which,
                        struct effects *effects, struct effect *load);

#endif
