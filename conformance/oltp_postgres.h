/* The OLTP subject over PostgreSQL, for the books that stand in the same database.
 * They read its table orders (key, listing_id, category, quantity, amount, ordered_at, event_hi,
 * event_lo, placed_at). */
#ifndef MURPHY_CONFORMANCE_OLTP_POSTGRES_H
#define MURPHY_CONFORMANCE_OLTP_POSTGRES_H

#include "conformance/oltp_subject.h"
#include "conformance/postgres.h"

/* ctx is that of the subject. */
PGconn *oltp_postgres_connection(void *ctx);
void oltp_postgres_publish(void *ctx, enum topic_id topic, uint64_t key, struct bytes value);

#endif
