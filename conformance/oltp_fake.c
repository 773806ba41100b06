/* The fake OLTP store as a subject. */
#include <assert.h>
#include <stdio.h>

#include "conformance/oltp_subject.h"

static void must(int rc) {
    assert(rc == 0);
    (void)rc;
}

static void release(void *ctx) {
    fake_oltp_free(ctx);
}

static void begin(void *ctx) {
    must(fake_oltp_begin(ctx));
}

static void commit(void *ctx) {
    must(fake_oltp_commit(ctx));
}

static void rollback(void *ctx) {
    must(fake_oltp_rollback(ctx));
}

static void write_listing(void *ctx, vtime now, const struct oltp_listing *row,
                          const struct outbox_item *item) {
    must(fake_oltp_write_listing(ctx, now, row, item));
}

static void write_seller(void *ctx, vtime now, uint64_t seller_id, enum policy_status status,
                         struct stamp stamp, const struct outbox_item *item) {
    must(fake_oltp_write_seller(ctx, now, seller_id, status, stamp, item));
}

static void write_reference(void *ctx, vtime now, const struct reference_row *row,
                            struct stamp stamp, const struct outbox_item *item) {
    must(fake_oltp_write_reference(ctx, now, row, stamp, item));
}

static void write_order(void *ctx, vtime now, const struct order_row *order,
                        const struct outbox_item *item) {
    must(fake_oltp_write_order(ctx, now, order, item));
}

static int one_more(void *ctx, vtime created, const struct order_row *order) {
    (void)created;
    (void)order;
    ++*(size_t *)ctx;
    return 0;
}

static size_t count_orders(void *ctx) {
    size_t count = 0;
    must(fake_oltp_each_order(ctx, one_more, &count));
    return count;
}

static const struct oltp_subject_ops ops = {
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .write_listing = write_listing,
    .write_seller = write_seller,
    .write_reference = write_reference,
    .write_order = write_order,
    .count_orders = count_orders,
};

bool oltp_subject_fake(struct oltp_subject *out) {
    struct fake_oltp *o = fake_oltp_new(&(struct fake_oltp_options){.journal = false});
    if (o == NULL) {
        fprintf(stderr, "out of memory\n");
        return false;
    }
    *out = (struct oltp_subject){fake_oltp_port(o), &ops, release, o};
    return true;
}
