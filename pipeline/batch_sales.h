/*
 * Sales by category and hour, made from orders as bronze has them (A1, A17). Of an order that came
 * several times the greatest stamp counts, in the hour in which it was placed. Private to the
 * batch and the rebuild.
 */
#ifndef MURPHY_PIPELINE_BATCH_SALES_H
#define MURPHY_PIPELINE_BATCH_SALES_H

#include <stddef.h>

#include "pipeline/id_map.h"
#include "pipeline/record.h"
#include "pipeline/rows.h"

struct batch_text {
    char *bytes;
    size_t count, capacity;
};

struct batch_order {
    uint64_t order_id, listing_id;
    struct stamp stamp;
    vtime placed, append;
    int64_t quantity, amount;
    size_t category, category_len; /* in the text of the orders */
};

struct batch_bucket {
    struct sales_row row;          /* without its category */
    size_t category, category_len; /* in the text of the buckets */
};

struct batch_sales {
    /* Orders of the partition that is read. */
    struct batch_order *orders;
    size_t order_count, order_capacity;
    struct id_map order_index;
    struct batch_text order_text;
    /* Sums of the partitions that were read. */
    struct batch_bucket *buckets;
    size_t bucket_count, bucket_capacity;
    struct id_map bucket_index;
    struct batch_text bucket_text;
};

void batch_sales_init(struct batch_sales *s);
void batch_sales_release(struct batch_sales *s);
/* One record of the order feed. 0 or -ENOMEM. */
int batch_sales_order(struct batch_sales *s, const struct record *record, vtime append);
/* Order i < order_count of the partition that is read; its category is good until the next change.
 */
struct order_row batch_sales_order_row(const struct batch_sales *s, size_t i);
/* The partition is read: its orders placed in the hours of [from, to) are added up and forgotten. 0
 * or -ENOMEM. */
int batch_sales_close(struct batch_sales *s, vtime from, vtime to);
/* Forgets the orders of the partition that was read. */
void batch_sales_forget(struct batch_sales *s);
/* Bucket i < bucket_count; its category is good until the next change. */
struct sales_row batch_sales_row(const struct batch_sales *s, size_t i);

#endif
