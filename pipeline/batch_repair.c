#include "pipeline/batch_repair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"

void kept_sales_forget(struct kept_sales *kept) {
    for (size_t i = 0; i < kept->count; i++) {
        free((char *)(uintptr_t)kept->rows[i].category.data);
    }
    kept->count = 0;
}

void kept_sales_release(struct kept_sales *kept) {
    kept_sales_forget(kept);
    free(kept->rows);
    *kept = (struct kept_sales){.rows = NULL};
}

int kept_sales_add(struct kept_sales *kept, const struct sales_row *row) {
    if (ARRAY_RESERVE(kept->rows, kept->capacity, kept->count + 1) != 0) {
        return -ENOMEM;
    }
    char *copy = malloc(row->category.len + 1);
    if (copy == NULL) {
        return -ENOMEM;
    }
    if (row->category.len > 0) {
        memcpy(copy, row->category.data, row->category.len);
    }
    kept->rows[kept->count] = *row;
    kept->rows[kept->count++].category.data = copy;
    return 0;
}

bool kept_sales_have(const struct kept_sales *kept, struct bytes category, vtime hour) {
    for (size_t i = 0; i < kept->count; i++) {
        if (kept->rows[i].hour.ns == hour.ns && bytes_equal(kept->rows[i].category, category)) {
            return true;
        }
    }
    return false;
}

struct sales_row *kept_sales_copy(const struct kept_sales *kept, struct effects *effects,
                                  struct effect *effect) {
    struct sales_row *rows = effect_alloc(effects, effect, kept->count * sizeof *rows);
    for (size_t i = 0; rows != NULL && i < kept->count; i++) {
        rows[i] = kept->rows[i];
        rows[i].category = effect_copy(effects, effect, rows[i].category);
    }
    return effects->out_of_memory ? NULL : rows;
}

int batch_repair_orders(const struct batch_sales *sales, const struct kept_sales *which,
                        struct effects *effects, struct effect *load) {
    struct order_row *rows = effect_alloc(effects, load, (sales->order_count + 1) * sizeof *rows);
    if (rows == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < sales->order_count; i++) {
        const struct batch_order *order = &sales->orders[i];
        struct bytes category = {sales->order_text.bytes + order->category, order->category_len};
        if (kept_sales_have(which, category, sales_hour(order->placed))) {
            rows[load->warehouse.order_count++] = (struct order_row){
                .order_id = order->order_id,
                .listing_id = order->listing_id,
                .stamp = order->stamp,
                .placed = order->placed,
                .quantity = order->quantity,
                .amount = order->amount,
                .category = effect_copy(effects, load, category),
            };
        }
    }
    load->warehouse.orders = rows;
    load->warehouse.repair = true;
    return effects->out_of_memory ? -ENOMEM : 0;
}
