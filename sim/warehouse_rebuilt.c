#include "sim/warehouse_rebuilt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"

void warehouse_rebuilt_init(struct warehouse_rebuilt *r) {
    *r = (struct warehouse_rebuilt){.count = 0};
}

void warehouse_rebuilt_release(struct warehouse_rebuilt *r) {
    for (size_t i = 0; i < r->sales_count; i++) {
        free((char *)(uintptr_t)r->sales[i].category.data);
    }
    free(r->sales);
    free(r->documents);
}

/* ---- Documents ---- */

static struct scan_row scan_row_of(const struct document_row *d) {
    return (struct scan_row){
        .listing_id = d->listing_id,
        .version = d->version,
        .source_hash = d->source_hash,
        .whole_hash = d->whole_hash,
        .changed_at = d->changed_at,
        .alive = d->alive,
        .suppressed = d->policy == POLICY_SUPPRESSED,
    };
}

static int document_order(const void *left, const void *right) {
    const struct scan_row *a = left;
    const struct scan_row *b = right;
    if (a->listing_id != b->listing_id) {
        return a->listing_id < b->listing_id ? -1 : 1;
    }
    return (a->version > b->version) - (a->version < b->version);
}

/* Puts the rows beside those that are there, sorts all, and keeps the greatest version of each. */
static int load_documents(struct warehouse_rebuilt *r, const struct document_row *rows,
                          size_t count) {
    if (count == 0) {
        return 0;
    }
    if (ARRAY_RESERVE(r->documents, r->capacity, r->count + count) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        r->documents[r->count + i] = scan_row_of(&rows[i]);
    }
    size_t all = r->count + count;
    qsort(r->documents, all, sizeof *r->documents, document_order);
    r->count = 0;
    for (size_t i = 0; i < all; i++) {
        if (i + 1 == all || r->documents[i].listing_id != r->documents[i + 1].listing_id) {
            r->documents[r->count++] = r->documents[i];
        }
    }
    return 0;
}

size_t warehouse_rebuilt_scan(const struct warehouse_rebuilt *r, uint64_t first, uint64_t last,
                              struct scan_row *out, size_t max) {
    size_t low = 0;
    for (size_t high = r->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (r->documents[middle].listing_id < first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t count = 0;
    while (count < max && low < r->count && r->documents[low].listing_id <= last) {
        out[count++] = r->documents[low++];
    }
    return count;
}

/* ---- Sales ---- */

static bool hour_within(const struct sales_row *row, vtime from, vtime to) {
    return row->hour.ns >= from.ns && row->hour.ns < to.ns;
}

static int sales_order(const void *left, const void *right) {
    const struct sales_row *a = left;
    const struct sales_row *b = right;
    if (a->hour.ns != b->hour.ns) {
        return a->hour.ns < b->hour.ns ? -1 : 1;
    }
    return bytes_compare(a->category, b->category);
}

static void drop_sales(struct warehouse_rebuilt *r, vtime from, vtime to) {
    size_t kept = 0;
    for (size_t i = 0; i < r->sales_count; i++) {
        if (hour_within(&r->sales[i], from, to)) {
            free((char *)(uintptr_t)r->sales[i].category.data);
        } else {
            r->sales[kept++] = r->sales[i];
        }
    }
    r->sales_count = kept;
}

static int load_sales(struct warehouse_rebuilt *r, const struct warehouse_batch *batch) {
    if (ARRAY_RESERVE(r->sales, r->sales_capacity, r->sales_count + batch->rebuilt_sales_count) !=
        0) {
        return -ENOMEM;
    }
    drop_sales(r, batch->rebuilt_from, batch->rebuilt_to);
    for (size_t i = 0; i < batch->rebuilt_sales_count; i++) {
        struct sales_row row = batch->rebuilt_sales[i];
        char *copy = malloc(row.category.len + 1);
        if (copy == NULL) {
            return -ENOMEM;
        }
        if (row.category.len > 0) {
            memcpy(copy, row.category.data, row.category.len);
        }
        row.category.data = copy;
        r->sales[r->sales_count++] = row;
    }
    if (r->sales_count > 0) {
        qsort(r->sales, r->sales_count, sizeof *r->sales, sales_order);
    }
    return 0;
}

size_t warehouse_rebuilt_sales(const struct warehouse_rebuilt *r, vtime from, vtime to, size_t skip,
                               struct sales_row *out, size_t max) {
    size_t count = 0;
    for (size_t i = 0; i < r->sales_count && count < max; i++) {
        if (!hour_within(&r->sales[i], from, to)) {
            continue;
        }
        if (skip > 0) {
            skip--;
        } else {
            out[count++] = r->sales[i];
        }
    }
    return count;
}

/* Of an erased listing nothing stays that was made of what it said before (A12). */
static void drop_erased(struct warehouse_rebuilt *r, const struct erasure_row *erasure) {
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct scan_row *row = &r->documents[i];
        if (row->listing_id != erasure->listing_id || row->version >= erasure->version) {
            r->documents[kept++] = *row;
        }
    }
    r->count = kept;
}

int warehouse_rebuilt_load(struct warehouse_rebuilt *r, const struct warehouse_batch *batch) {
    for (size_t i = 0; i < batch->erasure_count; i++) {
        drop_erased(r, &batch->erasures[i]);
    }
    if (load_documents(r, batch->rebuilt, batch->rebuilt_count) != 0) {
        return -ENOMEM;
    }
    return batch->rebuilt_sales_given ? load_sales(r, batch) : 0;
}
