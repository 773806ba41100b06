#include "sim/warehouse_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/array.h"

/* The bucket of a category and hour, made when there is none; NONE without memory. */
static uint32_t ensure_bucket(struct fake_warehouse *w, struct bytes category, int64_t hour_ns) {
    uint64_t hash = XXH3_64bits_withSeed(category.data, category.len, (XXH64_hash_t)hour_ns);
    for (;; hash++) {
        uint32_t at = id_map_get(&w->bucket_by_hash, hash);
        if (at == NONE) {
            break;
        }
        const struct bucket *b = &w->buckets[at];
        if (b->hour_ns == hour_ns &&
            bytes_equal((struct bytes){b->category, b->category_len}, category)) {
            return at;
        }
    }
    if (ARRAY_RESERVE(w->buckets, w->bucket_capacity, w->bucket_count + 1) != 0 ||
        ARRAY_RESERVE(w->touched, w->touched_capacity, w->bucket_count + 1) != 0 ||
        ARRAY_RESERVE(w->moved, w->moved_capacity, w->bucket_count + 1) != 0) {
        return NONE;
    }
    char *copy = malloc(category.len + 1);
    if (copy == 0 || id_map_put_index(&w->bucket_by_hash, hash, (uint32_t)w->bucket_count) != 0) {
        free(copy);
        return NONE;
    }
    if (category.len > 0) {
        memcpy(copy, category.data, category.len);
    }
    w->buckets[w->bucket_count] =
        (struct bucket){.category = copy, .category_len = category.len, .hour_ns = hour_ns};
    return (uint32_t)w->bucket_count++;
}

static int keep_order_history(struct fake_warehouse *w, vtime now, const struct order_row *order,
                              uint32_t copy) {
    struct cell cells[ORDER_CELLS + 1];
    order_cells(order, cells);
    cells[ORDER_CELLS] = cell_integer(copy);
    struct row_key key = {order->order_id, copy};
    int rc = row_journal_put(&w->order_journal, now, key, cells, ORDER_CELLS + 1);
    return rc == 0 ? 0 : PORT_NO_MEMORY;
}

/* An order as its bucket counts it. */
struct counted_order {
    uint32_t bucket;
    int64_t quantity;
    int64_t amount;
    struct stamp stamp;
};

static int read_order(struct fake_warehouse *w, uint64_t order_id, struct counted_order *out) {
    sqlite3_stmt *s = w->statements[READ_ORDER];
    sqlite3_bind_int64(s, 1, warehouse_key(order_id));
    int found = statement_row(s);
    if (found < 0) {
        return PORT_NO_MEMORY;
    }
    assert(found == 1);
    *out = (struct counted_order){(uint32_t)sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 3),
                                  sqlite3_column_int64(s, 4), warehouse_stamp(s, 5)};
    sqlite3_reset(s);
    return 0;
}

/* Gold's sums of it changed: the next refresh and the history take them over. */
static void bucket_moved(struct fake_warehouse *w, vtime now, uint32_t at) {
    struct bucket *b = &w->buckets[at];
    w->unshown_since = w->touched_count == 0 ? now : w->unshown_since;
    if (!b->touched) {
        b->touched = true;
        b->touched_at = b->present.changed_at;
        w->touched[w->touched_count++] = at;
    }
    if (!b->moved) {
        b->moved = true;
        w->moved[w->moved_count++] = at;
    }
}

/* Counts an order into its bucket (sign 1) or out of it (-1). Sums wrap around, so what goes in
 * comes out exactly. */
static void count_order(struct fake_warehouse *w, vtime now, const struct counted_order *order,
                        int sign) {
    struct bucket *b = &w->buckets[order->bucket];
    if (w->gold_held) {
        return;
    }
    uint64_t factor = (uint64_t)(int64_t)sign;
    b->present.changed_at = now;
    b->present.orders += sign;
    b->present.quantity =
        (int64_t)((uint64_t)b->present.quantity + factor * (uint64_t)order->quantity);
    b->present.amount = (int64_t)((uint64_t)b->present.amount + factor * (uint64_t)order->amount);
    bucket_moved(w, now, order->bucket);
}

/* Something was said of its orders. What a repair writes was said before. */
static void bucket_heard(struct fake_warehouse *w, vtime now, uint32_t at, bool repair) {
    w->buckets[at].heard_at = repair ? w->buckets[at].heard_at : now;
}

int warehouse_load_order(struct fake_warehouse *w, vtime now, const struct order_row *order,
                         bool dedupe, bool repair) {
    int64_t hour_ns = sales_hour(order_placed(order->placed, order->stamp)).ns;
    struct counted_order counted = {ensure_bucket(w, order->category, hour_ns), order->quantity,
                                    order->amount, order->stamp};
    if (counted.bucket == NONE) {
        return PORT_NO_MEMORY;
    }
    struct cell cells[] = {
        cell_integer(warehouse_key(order->order_id)),
        cell_integer(counted.bucket),
        cell_pattern(order->listing_id),
        cell_integer(order->quantity),
        cell_integer(order->amount),
        cell_integer(order->stamp.ts.ns),
        cell_pattern(order->stamp.id.hi),
        cell_pattern(order->stamp.id.lo),
    };
    enum merge_turn turn = warehouse_merge_turn(w, MERGE_ORDERS, order->order_id, 0);
    if (dedupe && turn == MERGE_REFUSED) {
        return PORT_AMBIGUOUS;
    }
    if (warehouse_run(w, ADD_ORDER, cells, 8) != 0) {
        return PORT_NO_MEMORY;
    }
    bool added = sqlite3_changes(w->db) == 1;
    uint32_t copy = 0;
    if (!added) {
        struct counted_order old;
        if (read_order(w, order->order_id, &old) != 0) {
            return PORT_NO_MEMORY;
        }
        int order_of_stamps = stamp_compare(order->stamp, old.stamp);
        bool differs = counted.bucket != old.bucket || counted.quantity != old.quantity ||
                       counted.amount != old.amount;
        bool newer = order_of_stamps > 0 || (repair && order_of_stamps == 0 && differs);
        if (dedupe && turn != MERGE_FIRST) {
            newer = turn == MERGE_WINS;
            dedupe = turn != MERGE_INSERTS;
        }
        if (!newer && dedupe) {
            return 0;
        }
        if (warehouse_run(w, newer ? PUT_ORDER : PUT_ORDER_SECOND, cells, 8) != 0) {
            return PORT_NO_MEMORY;
        }
        if (newer) {
            count_order(w, now, &old, -1);
            bucket_heard(w, now, old.bucket, repair);
        } else {
            copy = ++w->order_copies;
            w->counts.duplicates++;
        }
    }
    count_order(w, now, &counted, 1);
    bucket_heard(w, now, counted.bucket, repair);
    w->counts.orders += added || copy != 0;
    int rc = warehouse_merge_took(w, MERGE_ORDERS, order->order_id, 0, !added && copy == 0);
    return rc != 0 ? rc : keep_order_history(w, now, order, copy);
}

static struct sales_row row_of(const struct bucket *b, const struct sales_row *sums) {
    struct sales_row row = *sums;
    row.category = (struct bytes){b->category, b->category_len};
    row.hour = (vtime){b->hour_ns};
    return row;
}

bool fake_warehouse_sales(const struct fake_warehouse *w, size_t i, struct sales_row *out) {
    if (i >= w->bucket_count) {
        return false;
    }
    *out = row_of(&w->buckets[i], &w->buckets[i].shown);
    return true;
}

bool fake_warehouse_gold_sales(const struct fake_warehouse *w, size_t i, struct sales_row *out) {
    if (i >= w->bucket_count) {
        return false;
    }
    *out = row_of(&w->buckets[i], &w->buckets[i].present);
    return true;
}

void fake_warehouse_hold_gold(struct fake_warehouse *w, bool held) {
    w->gold_held = held;
}

/* What a bucket says goes into a history; 0 or -ENOMEM. */
static int keep_sums(struct row_journal *journal, vtime now, uint32_t at, const struct bucket *b,
                     const struct sales_row *sums) {
    struct row_key key = {at, 0};
    if (sums->orders == 0) { /* its orders moved to other buckets */
        return row_journal_gone(journal, now, key);
    }
    struct sales_row row = row_of(b, sums);
    struct cell cells[SALES_CELLS];
    sales_cells(&row, cells);
    return row_journal_put(journal, now, key, cells, SALES_CELLS);
}

int warehouse_keep_sales(struct fake_warehouse *w, vtime now) {
    int failed = 0;
    for (size_t i = 0; i < w->moved_count; i++) {
        struct bucket *b = &w->buckets[w->moved[i]];
        b->moved = false;
        failed |= keep_sums(&w->gold_sales_journal, now, w->moved[i], b, &b->present);
    }
    w->moved_count = 0;
    return failed != 0 ? PORT_NO_MEMORY : 0;
}

static int refresh_bucket(struct fake_warehouse *w, vtime now, uint32_t at) {
    struct bucket *b = &w->buckets[at];
    b->shown = b->present;
    b->touched = false;
    return keep_sums(&w->sales_journal, now, at, b, &b->shown);
}

int fake_warehouse_each_order(struct fake_warehouse *w,
                              int (*each)(void *ctx, const struct order_row *order, uint32_t copy),
                              void *ctx) {
    sqlite3_stmt *s = w->statements[READ_ORDERS];
    int more = statement_row(s);
    for (; more == 1; more = statement_row(s)) {
        const struct bucket *b = &w->buckets[sqlite3_column_int64(s, 2)];
        struct order_row order = {
            .order_id = warehouse_id(sqlite3_column_int64(s, 1)),
            .listing_id = (uint64_t)sqlite3_column_int64(s, 3),
            .quantity = sqlite3_column_int64(s, 4),
            .amount = sqlite3_column_int64(s, 5),
            .stamp = warehouse_stamp(s, 6),
            .placed = {b->hour_ns},
            .category = {b->category, b->category_len},
        };
        int rc = each(ctx, &order, (uint32_t)sqlite3_column_int64(s, 0));
        if (rc != 0) {
            sqlite3_reset(s);
            return rc;
        }
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

/* The changes that a refresh goes by are kept for so long and no longer. */
static bool stream_is_stale(const struct fake_warehouse *w, vtime now) {
    bool stale = w->stream_stale;
    for (size_t i = 0; i < w->touched_count && w->stream_kept_ns > 0; i++) {
        vtime since = w->buckets[w->touched[i]].touched_at;
        stale = stale || vtime_diff(now, since) > w->stream_kept_ns;
    }
    return stale;
}

/* What changed after the view's moment waits for the next refresh. */
static int refresh_touched(struct fake_warehouse *w, vtime now) {
    size_t left = 0;
    for (size_t i = 0; i < w->touched_count; i++) {
        uint32_t at = w->touched[i];
        if (vtime_before(w->view_as_of, w->buckets[at].present.changed_at)) {
            w->touched[left++] = at;
        } else if (refresh_bucket(w, now, at) != 0) {
            return PORT_NO_MEMORY;
        }
    }
    if (w->touched_count > 0) {
        lag_histogram_count(&w->behind, vtime_diff(now, w->unshown_since));
    }
    w->touched_count = left;
    for (size_t i = 0; i < left; i++) {
        vtime since = w->buckets[w->touched[i]].touched_at;
        w->unshown_since =
            i == 0 || vtime_before(since, w->unshown_since) ? since : w->unshown_since;
    }
    return 0;
}

int warehouse_refresh_sales(void *ctx, vtime now, bool whole, vtime *as_of) {
    struct fake_warehouse *w = ctx;
    bool soon = w->view_made && vtime_diff(now, w->refreshed_at) < w->view_lag_min_ns;
    *as_of = w->view_as_of;
    if (soon && !whole) {
        return 0;
    }
    if (!whole && stream_is_stale(w, now)) {
        w->stream_stale = true;
        return PORT_OUT_OF_RANGE;
    }
    for (uint32_t i = 0; whole && i < w->bucket_count; i++) {
        const struct bucket *b = &w->buckets[i];
        if (b->shown.orders != b->present.orders || b->shown.quantity != b->present.quantity ||
            b->shown.amount != b->present.amount) {
            bucket_moved(w, now, i);
        }
    }
    w->view_made = true;
    w->refreshed_at = now;
    w->stream_stale = false;
    w->view_as_of = vtime_max(w->view_as_of, vtime_add(now, -w->view_lag_ns));
    *as_of = w->view_as_of;
    return refresh_touched(w, now);
}

void fake_warehouse_lag_view(struct fake_warehouse *w, int64_t lag_ns) {
    w->view_lag_ns = lag_ns;
}

void fake_warehouse_stale_stream(struct fake_warehouse *w) {
    w->stream_stale = true;
}

static int bucket_order(const void *left, const void *right) {
    const struct bucket *a = *(const struct bucket *const *)left;
    const struct bucket *b = *(const struct bucket *const *)right;
    if (a->hour_ns != b->hour_ns) {
        return a->hour_ns < b->hour_ns ? -1 : 1;
    }
    return bytes_compare((struct bytes){a->category, a->category_len},
                         (struct bytes){b->category, b->category_len});
}

int warehouse_read_sales(void *ctx, vtime now, bool rebuilt, vtime from, vtime to, size_t skip,
                         struct sales_row *out, size_t max, size_t *count) {
    struct fake_warehouse *w = ctx;
    (void)now;
    *count = 0;
    if (rebuilt) {
        *count = warehouse_rebuilt_sales(&w->rebuilt, from, to, skip, out, max);
        return 0;
    }
    if (ARRAY_RESERVE(w->shown, w->shown_capacity, w->bucket_count + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    size_t shown = 0;
    for (size_t i = 0; i < w->bucket_count; i++) {
        const struct bucket *b = &w->buckets[i];
        if (b->shown.orders != 0 && b->hour_ns >= from.ns && b->hour_ns < to.ns) {
            w->shown[shown++] = b;
        }
    }
    qsort(w->shown, shown, sizeof *w->shown, bucket_order);
    for (size_t i = skip; i < shown && *count < max; i++) {
        out[*count] = w->shown[i]->shown;
        out[*count].changed_at = w->shown[i]->heard_at; /* shown or not */
        out[*count].category = (struct bytes){w->shown[i]->category, w->shown[i]->category_len};
        out[(*count)++].hour = (vtime){w->shown[i]->hour_ns};
    }
    return 0;
}

/* Adds up a bucket's orders from the tables: 0, or PORT_NO_MEMORY. Sums wrap around. */
static int add_up(struct fake_warehouse *w, uint32_t at, struct sales_row *sum) {
    *sum = (struct sales_row){.orders = 0};
    sqlite3_stmt *s = w->statements[SUM_BUCKET];
    sqlite3_bind_int64(s, 1, at);
    int more;
    while ((more = statement_row(s)) == 1) {
        sum->orders++;
        sum->quantity = (int64_t)((uint64_t)sum->quantity + (uint64_t)sqlite3_column_int64(s, 0));
        sum->amount = (int64_t)((uint64_t)sum->amount + (uint64_t)sqlite3_column_int64(s, 1));
    }
    return more < 0 ? PORT_NO_MEMORY : 0;
}

int warehouse_remake_sales(struct fake_warehouse *w, vtime now, const struct sales_row *which) {
    uint32_t at = ensure_bucket(w, which->category, which->hour.ns);
    struct sales_row sum;
    if (at == NONE || add_up(w, at, &sum) != 0) {
        return PORT_NO_MEMORY;
    }
    sum.changed_at = now;
    w->buckets[at].present = sum;
    bucket_moved(w, now, at);
    return 0;
}

void warehouse_check_sales(struct fake_warehouse *w, uint32_t at) {
    struct sales_row sum;
    int failed = add_up(w, at, &sum);
    assert(failed == 0);
    const struct sales_row *present = &w->buckets[at].present;
    assert(sum.orders == present->orders && sum.quantity == present->quantity);
    assert(sum.amount == present->amount);
}
