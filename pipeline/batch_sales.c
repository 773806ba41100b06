#include "pipeline/batch_sales.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/array.h"

void batch_sales_init(struct batch_sales *s) {
    *s = (struct batch_sales){.order_count = 0};
    id_map_init(&s->order_index);
    id_map_init(&s->bucket_index);
}

void batch_sales_release(struct batch_sales *s) {
    free(s->orders);
    free(s->order_text.bytes);
    free(s->buckets);
    free(s->bucket_text.bytes);
    id_map_release(&s->order_index);
    id_map_release(&s->bucket_index);
}

/* Where the copy stands, or -ENOMEM. */
static int64_t keep(struct batch_text *text, struct bytes bytes) {
    if (ARRAY_RESERVE(text->bytes, text->capacity, text->count + bytes.len + 1) != 0) {
        return -ENOMEM;
    }
    size_t at = text->count;
    if (bytes.len > 0) {
        memcpy(text->bytes + at, bytes.data, bytes.len);
    }
    text->count += bytes.len;
    return (int64_t)at;
}

int batch_sales_order(struct batch_sales *s, const struct record *record, vtime append) {
    uint32_t at = id_map_get(&s->order_index, record->order_id);
    if (at != ID_MAP_NONE && stamp_compare(record->stamp, s->orders[at].stamp) <= 0) {
        return 0;
    }
    int64_t category = keep(&s->order_text, record->order_category);
    if (category < 0) {
        return -ENOMEM;
    }
    if (at == ID_MAP_NONE) {
        at = (uint32_t)s->order_count;
        if (ARRAY_RESERVE(s->orders, s->order_capacity, s->order_count + 1) != 0 ||
            id_map_put_index(&s->order_index, record->order_id, at) != 0) {
            return -ENOMEM;
        }
        s->order_count++;
    }
    s->orders[at] = (struct batch_order){
        .order_id = record->order_id,
        .listing_id = record->subject_id,
        .stamp = record->stamp,
        .placed = order_placed(record->placed, record->stamp),
        .append = append,
        .quantity = record->quantity,
        .amount = record->amount,
        .category = (size_t)category,
        .category_len = record->order_category.len,
    };
    return 0;
}

struct order_row batch_sales_order_row(const struct batch_sales *s, size_t i) {
    const struct batch_order *order = &s->orders[i];
    return (struct order_row){
        .order_id = order->order_id,
        .listing_id = order->listing_id,
        .stamp = order->stamp,
        .placed = order->placed,
        .quantity = order->quantity,
        .amount = order->amount,
        .category = {s->order_text.bytes + order->category, order->category_len},
    };
}

static struct bytes category_of(const struct batch_sales *s, const struct batch_bucket *bucket) {
    return (struct bytes){s->bucket_text.bytes + bucket->category, bucket->category_len};
}

/* The bucket of a category and hour, made if need be; NULL without memory. */
static struct batch_bucket *bucket_of(struct batch_sales *s, struct bytes category, vtime hour) {
    uint64_t hash = XXH3_64bits_withSeed(category.data, category.len, (uint64_t)hour.ns);
    for (;; hash++) {
        uint32_t at = id_map_get(&s->bucket_index, hash);
        if (at == ID_MAP_NONE) {
            break;
        }
        struct batch_bucket *bucket = &s->buckets[at];
        if (bucket->row.hour.ns == hour.ns && bytes_equal(category_of(s, bucket), category)) {
            return bucket;
        }
    }
    int64_t text = keep(&s->bucket_text, category);
    if (text < 0 || ARRAY_RESERVE(s->buckets, s->bucket_capacity, s->bucket_count + 1) != 0 ||
        id_map_put_index(&s->bucket_index, hash, (uint32_t)s->bucket_count) != 0) {
        return NULL;
    }
    s->buckets[s->bucket_count] = (struct batch_bucket){
        .row = {.hour = hour}, .category = (size_t)text, .category_len = category.len};
    return &s->buckets[s->bucket_count++];
}

int batch_sales_close(struct batch_sales *s, vtime from, vtime to) {
    for (size_t i = 0; i < s->order_count; i++) {
        const struct batch_order *order = &s->orders[i];
        vtime hour = sales_hour(order->placed);
        if (vtime_before(hour, from) || !vtime_before(hour, to)) {
            continue;
        }
        struct bytes category = {s->order_text.bytes + order->category, order->category_len};
        struct batch_bucket *bucket = bucket_of(s, category, hour);
        if (bucket == NULL) {
            return -ENOMEM;
        }
        /* Sums wrap around as those of the view do. */
        bucket->row.orders++;
        bucket->row.quantity =
            (int64_t)((uint64_t)bucket->row.quantity + (uint64_t)order->quantity);
        bucket->row.amount = (int64_t)((uint64_t)bucket->row.amount + (uint64_t)order->amount);
        bucket->row.checksum += sales_checksum(order->order_id, order->stamp);
        bucket->row.changed_at = vtime_max(bucket->row.changed_at, order->append);
    }
    batch_sales_forget(s);
    return 0;
}

void batch_sales_forget(struct batch_sales *s) {
    s->order_count = 0;
    s->order_text.count = 0;
    id_map_release(&s->order_index);
    id_map_init(&s->order_index);
}

struct sales_row batch_sales_row(const struct batch_sales *s, size_t i) {
    struct sales_row row = s->buckets[i].row;
    row.category = category_of(s, &s->buckets[i]);
    return row;
}
