/*
 * The end of the source of truth: the OLTP rows say what the sellers said.
 */
#include <inttypes.h>
#include <stdio.h>

#include "sim/oracle_parts.h"

static bool same_attribute(const struct field *a, const struct field *b) {
    return a->type == b->type && bytes_equal(a->name, b->name) &&
           (a->type == VALUE_INTEGER ? a->integer == b->integer : bytes_equal(a->text, b->text));
}

/* Attributes of the row that are not null are just those of the reference. */
static bool attributes_equal(const struct oltp_listing *row, const struct reference_document *d) {
    size_t at = 0;
    for (size_t i = 0; i < row->attribute_count; i++) {
        if (row->attributes[i].type == VALUE_NULL) {
            continue;
        }
        if (at == d->attribute_count || !same_attribute(&row->attributes[i], &d->attributes[at])) {
            return false;
        }
        at++;
    }
    return at == d->attribute_count;
}

/* Here an empty text is not the same as none. */
static bool column_differs(struct finding *f, const char *what, struct bytes expected,
                           struct bytes observed) {
    if ((expected.data == NULL) != (observed.data == NULL)) {
        finding_text(f, what, expected, observed);
        return true;
    }
    return finding_text_differs(f, what, expected, observed);
}

static bool row_differs(const struct oltp_listing *row, const struct reference_document *d,
                        struct finding *f) {
    if (column_differs(f, "title", d->title, row->title) ||
        column_differs(f, "description", d->description, row->description) ||
        column_differs(f, "locale", d->locale, row->locale) ||
        column_differs(f, "category", d->category, row->category)) {
        return true;
    }
    if (row->seller_id != d->seller_id) {
        finding_number(f, "seller", (int64_t)d->seller_id, (int64_t)row->seller_id);
    } else if (row->price != d->price) {
        finding_number(f, "price", d->price, row->price);
    } else if (!bytes_equal(row->image_ids, d->image_ids)) {
        finding_number(f, "images named", (int64_t)(d->image_ids.len / 8),
                       (int64_t)(row->image_ids.len / 8));
    } else if (!attributes_equal(row, d)) {
        finding_number(f, "attributes", (int64_t)d->attribute_count, (int64_t)row->attribute_count);
    } else {
        return false;
    }
    return true;
}

void source_compare(struct comparison *c, const struct oracle_listing *l,
                    const struct reference_document *d) {
    struct oracle *o = c->o;
    if (l == NULL || !l->in_oltp) {
        return; /* no operation ever wrote its row: media may come for what never was */
    }
    struct oltp_listing row;
    int found = fake_oltp_read_listing(c->stores->oltp, d->listing_id, &row);
    if (found < 0) {
        o->out_of_memory = true;
        return;
    }
    bool there = found == 1 && !row.deleted;
    struct finding f = {.check = CHECK_SOURCE, .store = STORE_OLTP, .listing_id = d->listing_id};
    o->compared[STORE_OLTP]++;
    o->checks[CHECK_SOURCE].looked_at++;
    if (there != d->alive) {
        f.class = there ? DRIFT_ORPHAN : DRIFT_MISSING;
        finding_number(&f, "alive", d->alive, there);
        finding_add(c, &f);
    } else if (there && row_differs(&row, d, &f)) {
        f.class = DRIFT_MISMATCH;
        finding_add(c, &f);
    }
}

/* ---- Orders ---- */

struct order_walk {
    struct comparison *c;
    const struct reference_order *orders;
    size_t count, at;
};

static int order_compare(void *ctx, vtime created, const struct order_row *row) {
    struct order_walk *walk = ctx;
    struct oracle *o = walk->c->o;
    (void)created;
    o->checks[CHECK_SOURCE].looked_at++;
    while (walk->at < walk->count && walk->orders[walk->at].order_id < row->order_id) {
        check_violated(o, CHECK_SOURCE, walk->c->now, "oltp: order %" PRIu64 " is missing",
                       walk->orders[walk->at++].order_id);
    }
    if (walk->at == walk->count || walk->orders[walk->at].order_id != row->order_id) {
        check_violated(o, CHECK_SOURCE, walk->c->now, "oltp: nobody placed order %" PRIu64,
                       row->order_id);
        return 0;
    }
    const struct reference_order *wanted = &walk->orders[walk->at++];
    if (wanted->listing_id != row->listing_id || wanted->quantity != row->quantity ||
        wanted->amount != row->amount || wanted->placed.ns != row->placed.ns ||
        !bytes_equal(wanted->category, row->category)) {
        check_violated(o, CHECK_SOURCE, walk->c->now,
                       "oltp: order %" PRIu64 " has quantity %" PRId64 " and amount %" PRId64
                       ", expected %" PRId64 " and %" PRId64,
                       row->order_id, row->quantity, row->amount, wanted->quantity, wanted->amount);
    }
    return 0;
}

void source_orders_compare(struct comparison *c) {
    struct order_walk walk = {.c = c};
    if (reference_orders(c->o->reference, &walk.orders, &walk.count) != 0 ||
        fake_oltp_each_order(c->stores->oltp, order_compare, &walk) != 0) {
        c->o->out_of_memory = true;
        return;
    }
    while (walk.at < walk.count) {
        check_violated(c->o, CHECK_SOURCE, c->now, "oltp: order %" PRIu64 " is missing",
                       walk.orders[walk.at++].order_id);
    }
}
