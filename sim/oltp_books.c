#include "sim/oltp_books.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"

void oltp_books_init(struct oltp_books *b, struct fake_oltp *oltp) {
    *b = (struct oltp_books){.oltp = oltp};
}

void oltp_books_release(struct oltp_books *b) {
    oltp_encoder_release(&b->encoder);
    free(b->orders);
    free(b->text);
    oltp_books_init(b, NULL);
}

static vtime hour_of(const struct order_row *order) {
    return sales_hour(order_placed(order->placed, order->stamp));
}

/* Which orders are to be read: of a range of hours, or of some categories and hours. */
struct wanted {
    struct oltp_books *books;
    vtime from, to;
    const struct sales_row *rows;
    size_t count;
};

static bool is_wanted(const struct wanted *wanted, const struct order_row *order) {
    vtime hour = hour_of(order);
    for (size_t i = 0; i < wanted->count; i++) {
        if (wanted->rows[i].hour.ns == hour.ns &&
            bytes_equal(wanted->rows[i].category, order->category)) {
            return true;
        }
    }
    return wanted->count == 0 && !vtime_before(hour, wanted->from) &&
           vtime_before(hour, wanted->to);
}

static int take(void *ctx, vtime created, const struct order_row *order) {
    const struct wanted *wanted = ctx;
    struct oltp_books *b = wanted->books;
    (void)created;
    if (!is_wanted(wanted, order)) {
        return 0;
    }
    struct bytes category = order->category;
    if (ARRAY_RESERVE(b->orders, b->capacity, b->count + 1) != 0 ||
        ARRAY_RESERVE(b->text, b->text_capacity, b->text_len + category.len + 1) != 0) {
        return PORT_NO_MEMORY;
    }
    if (category.len > 0) {
        memcpy(b->text + b->text_len, category.data, category.len);
    }
    b->orders[b->count++] = (struct books_order){*order, b->text_len, category.len};
    b->text_len += category.len;
    return 0;
}

static int order_of(const void *left, const void *right) {
    const struct books_order *a = left, *b = right;
    vtime x = hour_of(&a->order), y = hour_of(&b->order);
    if (x.ns != y.ns) {
        return x.ns < y.ns ? -1 : 1;
    }
    int order = bytes_compare(a->order.category, b->order.category);
    return order != 0
               ? order
               : (a->order.order_id > b->order.order_id) - (a->order.order_id < b->order.order_id);
}

/* The orders that are wanted, by hour, category and id. */
static int gather(struct wanted *wanted) {
    struct oltp_books *b = wanted->books;
    b->count = b->text_len = 0;
    int rc = fake_oltp_each_order(b->oltp, take, wanted);
    for (size_t i = 0; i < b->count; i++) { /* the text no longer moves */
        b->orders[i].order.category =
            (struct bytes){b->text + b->orders[i].category, b->orders[i].category_len};
    }
    if (b->count > 1) {
        qsort(b->orders, b->count, sizeof *b->orders, order_of);
    }
    return rc;
}

/* Adds the orders from `at` on that are of one category and hour; returns the next one's place. */
static size_t add_up(const struct oltp_books *b, size_t at, struct sales_row *sum) {
    const struct order_row *first = &b->orders[at].order;
    *sum = (struct sales_row){.category = first->category, .hour = hour_of(first)};
    for (; at < b->count; at++) {
        const struct order_row *order = &b->orders[at].order;
        if (hour_of(order).ns != sum->hour.ns || !bytes_equal(order->category, sum->category)) {
            break;
        }
        /* Sums wrap around as those of the view do. */
        sum->orders++;
        sum->quantity = (int64_t)((uint64_t)sum->quantity + (uint64_t)order->quantity);
        sum->amount = (int64_t)((uint64_t)sum->amount + (uint64_t)order->amount);
        sum->checksum += sales_checksum(order->order_id, order->stamp);
        sum->changed_at = vtime_max(sum->changed_at, order->stamp.ts);
    }
    return at;
}

static int read_sales(void *ctx, vtime now, vtime from, vtime to, size_t skip,
                      struct sales_row *out, size_t max, size_t *count) {
    struct oltp_books *b = ctx;
    struct wanted wanted = {.books = b, .from = from, .to = to};
    (void)now;
    *count = 0;
    if (gather(&wanted) != 0) {
        return PORT_NO_MEMORY;
    }
    size_t seen = 0;
    for (size_t at = 0; at < b->count && *count < max; seen++) {
        struct sales_row sum;
        at = add_up(b, at, &sum);
        if (seen >= skip) {
            out[(*count)++] = sum;
        }
    }
    return 0;
}

static int republish(void *ctx, vtime now, const struct sales_row *rows, size_t count) {
    struct oltp_books *b = ctx;
    struct wanted wanted = {.books = b, .rows = rows, .count = count};
    if (count == 0) {
        return 0;
    }
    int rc = gather(&wanted);
    for (size_t i = 0; i < b->count && rc == 0; i++) {
        struct outbox_item item = {.topic = TOPIC_ORDER, .key = b->orders[i].order.listing_id};
        rc = oltp_encode_order(&b->encoder, &b->orders[i].order, &item.value);
        rc = rc == 0 ? fake_oltp_publish(b->oltp, now, &item) : rc;
    }
    return rc;
}

struct books_port oltp_books_port(struct oltp_books *b) {
    static const struct books_port_ops ops = {read_sales, republish};
    return (struct books_port){&ops, b};
}
