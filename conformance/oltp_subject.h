/*
 * What the conformance suite of the OLTP port is run against: the port, and the application's side
 * of the database. One subject is the fake, another is a PostgreSQL.
 */
#ifndef MURPHY_CONFORMANCE_OLTP_SUBJECT_H
#define MURPHY_CONFORMANCE_OLTP_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"
#include "sim/fake_oltp.h"

/* The functions of sim/fake_oltp.h by the same names, with the same meaning. */
struct oltp_subject_ops {
    void (*begin)(void *ctx);
    void (*commit)(void *ctx);
    void (*rollback)(void *ctx);
    void (*write_listing)(void *ctx, vtime now, const struct oltp_listing *row,
                          const struct outbox_item *item);
    void (*write_seller)(void *ctx, vtime now, uint64_t seller_id, enum policy_status status,
                         struct stamp stamp, const struct outbox_item *item);
    void (*write_reference)(void *ctx, vtime now, const struct reference_row *row,
                            struct stamp stamp, const struct outbox_item *item);
    void (*write_order)(void *ctx, vtime now, const struct order_row *order,
                        const struct outbox_item *item);
    size_t (*count_orders)(void *ctx);
};

struct oltp_subject {
    struct oltp_port port;
    const struct oltp_subject_ops *ops;
    void (*free)(void *ctx);
    void *ctx;
};

/* False when it cannot be had; then it has said why. */
bool oltp_subject_fake(struct oltp_subject *out);
bool oltp_subject_postgres(struct oltp_subject *out);

/* Holds subjects to the port (see conformance/suite.h). */
int oltp_suite_run(const char *name, bool (*make)(struct oltp_subject *out));

#endif
