#include "sim/lineage.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/array.h"
#include "sim/lineage_parts.h"

const char *lineage_layer_name(enum lineage_layer layer) {
    static const char *const names[] = {"oltp",   "relay", "topic", "bronze",
                                        "silver", "gold",  "view"};
    return names[layer];
}

int lineage_layer_find(const char *name) {
    for (int i = LINEAGE_RELAY; i < LINEAGE_LAYER_COUNT; i++) {
        if (strcmp(name, lineage_layer_name((enum lineage_layer)i)) == 0) {
            return i;
        }
    }
    return strcmp(name, "none") == 0 ? LINEAGE_OLTP : -1;
}

const char *lineage_measure_name(enum lineage_measure measure) {
    static const char *const names[] = {"sales_orders", "sales_quantity", "sales_amount"};
    return names[measure];
}

int lineage_measure_find(const char *name, size_t length) {
    for (int i = 0; i < LINEAGE_MEASURE_COUNT; i++) {
        const char *known = lineage_measure_name((enum lineage_measure)i);
        if (strlen(known) == length && memcmp(known, name, length) == 0) {
            return i;
        }
    }
    return -1;
}

const char *lineage_flaw_name(enum lineage_flaw flaw) {
    static const char *const names[] = {"missing", "stale", "altered", "surplus", "twice"};
    return names[flaw];
}

const char *lineage_verdict_name(enum lineage_verdict verdict) {
    static const char *const names[] = {"right", "in flight", "wrong", "no data"};
    return names[verdict];
}

const char *lineage_cause_name(enum lineage_cause cause) {
    static const char *const names[] = {"none", "stalled", "lost", "corrupted"};
    return names[cause];
}

/* ---- Life ---- */

void lineage_init(struct lineage *l) {
    *l = (struct lineage){.closed = false};
    id_map_init(&l->category_by_hash);
}

void lineage_release(struct lineage *l) {
    for (int i = 0; i < LINEAGE_ORDER_LAYERS; i++) {
        free(l->rows[i].items);
    }
    free(l->outbox.items);
    for (int i = 0; i < LINEAGE_LAYER_COUNT; i++) {
        free(l->sums[i].items);
    }
    for (size_t i = 0; i < l->category_count; i++) {
        free(l->categories[i]);
    }
    free(l->categories);
    free(l->category_lens);
    id_map_release(&l->category_by_hash);
    lineage_init(l);
}

struct bytes lineage_category_name(const struct lineage *l, uint32_t category) {
    return (struct bytes){l->categories[category], l->category_lens[category]};
}

int64_t lineage_category(struct lineage *l, struct bytes category) {
    uint64_t hash = XXH3_64bits(category.data, category.len);
    for (;; hash++) {
        uint32_t at = id_map_get(&l->category_by_hash, hash);
        if (at == ID_MAP_NONE) {
            break;
        }
        if (bytes_equal(lineage_category_name(l, at), category)) {
            return at;
        }
    }
    size_t count = l->category_count;
    char *copy = malloc(category.len + 1);
    if (copy == NULL || ARRAY_RESERVE(l->categories, l->category_capacity, count + 1) != 0 ||
        ARRAY_RESERVE(l->category_lens, l->category_len_capacity, count + 1) != 0 ||
        id_map_put_index(&l->category_by_hash, hash, count) != 0) {
        free(copy);
        return -ENOMEM;
    }
    if (category.len > 0) {
        memcpy(copy, category.data, category.len);
    }
    l->categories[count] = copy;
    l->category_lens[count] = category.len;
    return (int64_t)l->category_count++;
}

static int rows_add(struct lineage_rows *rows, const struct lineage_row *row) {
    if (ARRAY_RESERVE(rows->items, rows->capacity, rows->count + 1) != 0) {
        return -ENOMEM;
    }
    rows->items[rows->count++] = *row;
    return 0;
}

static int sums_add(struct lineage_sums *sums, const struct lineage_sum *sum) {
    if (ARRAY_RESERVE(sums->items, sums->capacity, sums->count + 1) != 0) {
        return -ENOMEM;
    }
    sums->items[sums->count++] = *sum;
    return 0;
}

int lineage_say(struct lineage *l, enum lineage_layer layer, const struct lineage_row *row) {
    assert(!l->closed && layer < LINEAGE_ORDER_LAYERS);
    return rows_add(&l->rows[layer], row);
}

int lineage_show(struct lineage *l, enum lineage_layer layer, const struct lineage_sum *sum) {
    assert(!l->closed && layer >= LINEAGE_ORDER_LAYERS);
    return sums_add(&l->sums[layer], sum);
}

/* ---- Putting facts in order ---- */

static int compare_ns(vtime a, vtime b) {
    return (a.ns > b.ns) - (a.ns < b.ns);
}

static int row_order(const void *left, const void *right) {
    const struct lineage_row *a = left, *b = right;
    if (a->order_id != b->order_id) {
        return a->order_id < b->order_id ? -1 : 1;
    }
    if (a->copy != b->copy) {
        return a->copy < b->copy ? -1 : 1;
    }
    int order = compare_ns(a->from, b->from);
    order = order != 0 ? order : stamp_compare(a->stamp, b->stamp);
    order = order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
    return order != 0 ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

static void rows_sort(struct lineage_rows *rows) {
    if (rows->count > 1) {
        qsort(rows->items, rows->count, sizeof *rows->items, row_order);
    }
}

/* Of sorted records those stay that said something newer than all before them; each holds until the
 * next. */
static void rows_fold(struct lineage_rows *rows) {
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        struct lineage_row row = rows->items[i];
        struct lineage_row *last = kept > 0 ? &rows->items[kept - 1] : NULL;
        row.to = VTIME_NEVER;
        if (last != NULL && last->order_id == row.order_id) {
            if (stamp_compare(row.stamp, last->stamp) <= 0) {
                continue;
            }
            last->to = row.from;
        }
        rows->items[kept++] = row;
    }
    rows->count = kept;
}

static const struct lineage_row *rows_of(const struct lineage_rows *rows, uint64_t order_id,
                                         size_t *count) {
    size_t first = 0, end = rows->count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (rows->items[middle].order_id < order_id) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    *count = 0;
    while (first + *count < rows->count && rows->items[first + *count].order_id == order_id) {
        ++*count;
    }
    return *count == 0 ? NULL : rows->items + first;
}

const struct lineage_row *lineage_rows_of(const struct lineage *l, enum lineage_layer layer,
                                          uint64_t order_id, size_t *count) {
    return rows_of(&l->rows[layer], order_id, count);
}

bool lineage_told_again(const struct lineage *l, const struct lineage_row *said, vtime by) {
    size_t count, times = 0;
    const struct lineage_row *rows = rows_of(&l->outbox, said->order_id, &count);
    for (size_t i = 0; i < count; i++) {
        times += stamp_compare(rows[i].stamp, said->stamp) == 0 && !vtime_before(by, rows[i].from);
    }
    return times > 1;
}

/* When the relay was done with what OLTP said: it left the outbox, or it is in the topic already.
 */
static vtime handed_on(const struct lineage *l, const struct lineage_row *said) {
    size_t count;
    const struct lineage_row *waiting = lineage_rows_of(l, LINEAGE_RELAY, said->order_id, &count);
    vtime done = VTIME_NEVER;
    bool waited = false;
    for (size_t i = 0; i < count; i++) {
        if (stamp_compare(waiting[i].stamp, said->stamp) == 0) {
            done = vtime_before(waiting[i].to, done) ? waiting[i].to : done;
            waited = true;
        }
    }
    if (!waited) {
        return said->from;
    }
    const struct lineage_row *records = lineage_rows_of(l, LINEAGE_TOPIC, said->order_id, &count);
    for (size_t i = 0; i < count; i++) {
        if (stamp_compare(records[i].stamp, said->stamp) == 0) {
            done = vtime_before(records[i].from, done) ? records[i].from : done;
        }
    }
    return done;
}

/* Turns the rows of the outbox into what the relay had handed on. */
static int relay_make(struct lineage *l) {
    struct lineage_rows made = {0};
    for (size_t i = 0; i < l->rows[LINEAGE_OLTP].count; i++) {
        struct lineage_row row = l->rows[LINEAGE_OLTP].items[i];
        row.from = handed_on(l, &row);
        if (row.from.ns != VTIME_NEVER.ns && rows_add(&made, &row) != 0) {
            free(made.items);
            return -ENOMEM;
        }
    }
    l->outbox = l->rows[LINEAGE_RELAY];
    l->rows[LINEAGE_RELAY] = made;
    rows_sort(&l->rows[LINEAGE_RELAY]);
    rows_fold(&l->rows[LINEAGE_RELAY]);
    return 0;
}

static int sum_order(const void *left, const void *right) {
    const struct lineage_sum *a = left, *b = right;
    if (a->category != b->category) {
        return a->category < b->category ? -1 : 1;
    }
    int order = compare_ns(a->hour, b->hour);
    return order != 0 ? order : compare_ns(a->from, b->from);
}

static void sums_sort(struct lineage_sums *sums) {
    if (sums->count > 1) {
        qsort(sums->items, sums->count, sizeof *sums->items, sum_order);
    }
}

/* A row comes into its hour or leaves it. Sums wrap around, as those of the warehouse do. */
static struct lineage_sum step_of(const struct lineage_row *row, int sign, vtime at) {
    uint64_t factor = (uint64_t)(int64_t)sign;
    return (struct lineage_sum){.category = row->category,
                                .hour = row->hour,
                                .orders = sign,
                                .quantity = (int64_t)(factor * (uint64_t)row->quantity),
                                .amount = (int64_t)(factor * (uint64_t)row->amount),
                                .from = at,
                                .to = VTIME_NEVER};
}

/* What silver's rows add up to, at every moment. */
static int silver_add_up(struct lineage *l) {
    struct lineage_sums *sums = &l->sums[LINEAGE_SILVER];
    const struct lineage_rows *rows = &l->rows[LINEAGE_SILVER];
    for (size_t i = 0; i < rows->count; i++) {
        const struct lineage_row *row = &rows->items[i];
        struct lineage_sum comes = step_of(row, 1, row->from), goes = step_of(row, -1, row->to);
        if (sums_add(sums, &comes) != 0 ||
            (row->to.ns != VTIME_NEVER.ns && sums_add(sums, &goes) != 0)) {
            return -ENOMEM;
        }
    }
    sums_sort(sums);
    size_t kept = 0;
    for (size_t i = 0; i < sums->count; i++) {
        struct lineage_sum sum = sums->items[i];
        struct lineage_sum *last = kept > 0 ? &sums->items[kept - 1] : NULL;
        if (last != NULL && last->category == sum.category && last->hour.ns == sum.hour.ns) {
            sum.orders += last->orders;
            sum.quantity = (int64_t)((uint64_t)sum.quantity + (uint64_t)last->quantity);
            sum.amount = (int64_t)((uint64_t)sum.amount + (uint64_t)last->amount);
            last->to = sum.from;
            kept -= last->from.ns == sum.from.ns; /* moments in between nobody saw */
        }
        sums->items[kept++] = sum;
    }
    sums->count = kept;
    return 0;
}

/* Says of the time in between, and after the last, that nothing was sold. */
static int sums_fill(struct lineage_sums *sums) {
    size_t said = sums->count;
    for (size_t i = 0; i < said; i++) {
        struct lineage_sum sum = sums->items[i];
        const struct lineage_sum *next = i + 1 < said ? &sums->items[i + 1] : NULL;
        bool last = next == NULL || next->category != sum.category || next->hour.ns != sum.hour.ns;
        vtime until = last ? VTIME_NEVER : next->from;
        struct lineage_sum nothing = {
            .category = sum.category, .hour = sum.hour, .from = sum.to, .to = until};
        if (sum.to.ns != until.ns && sums_add(sums, &nothing) != 0) {
            return -ENOMEM;
        }
    }
    sums_sort(sums);
    return 0;
}

int lineage_close(struct lineage *l) {
    if (l->closed) {
        return 0;
    }
    for (int layer = 0; layer < LINEAGE_ORDER_LAYERS; layer++) {
        rows_sort(&l->rows[layer]);
    }
    if (relay_make(l) != 0 || silver_add_up(l) != 0) {
        return -ENOMEM;
    }
    rows_fold(&l->rows[LINEAGE_TOPIC]);
    rows_fold(&l->rows[LINEAGE_BRONZE]);
    sums_sort(&l->sums[LINEAGE_GOLD]);
    sums_sort(&l->sums[LINEAGE_VIEW]);
    if (sums_fill(&l->sums[LINEAGE_GOLD]) != 0 || sums_fill(&l->sums[LINEAGE_VIEW]) != 0) {
        return -ENOMEM;
    }
    l->closed = true;
    return 0;
}
