/*
 * The marketplace's operational database with a transactional outbox, on SQLite: what sellers'
 * applications write to and what the relay reads from. It implements struct oltp_port; the
 * functions below it are the application's side, called by the workload.
 *
 * Fidelity
 *
 *   modelled
 *     atomic outbox      a change and its outbox rows are in together or not at all (A2)
 *     commit order       outbox sequences are dense in commit order; rows of an open transaction
 *                        are not seen by the relay, and a rollback gives its sequences back
 *     dual write         a change without an outbox row: the drift that reconciliation must find
 *     erasure            columns are emptied; the row stays as a tombstone without content (A12)
 *     last deletion      kept beside the row, so that a republished listing does not revive fields
 *                        of an earlier life
 *     scan               source_hash is made from the row's columns at the time of the scan, by
 *                        folding them into an empty document
 *   approximated
 *     isolation          one writer at a time; the application's transaction is the only one
 *     time               changes happen at the caller's `now`; a commit takes no time
 *   not modelled
 *     locks, deadlocks, replicas and their lag, gaps in sequences (PostgreSQL's sequences leave
 *     them and are not in commit order), schema changes
 *
 * Memory: everything handed in is copied; what is handed out is good until the next call.
 * Functions return 0 or PORT_NO_MEMORY except where said.
 */
#ifndef MURPHY_SIM_FAKE_OLTP_H
#define MURPHY_SIM_FAKE_OLTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"
#include "pipeline/record.h"
#include "pipeline/rows.h"
#include "sim/oltp_row.h"
#include "sim/row_journal.h"

struct fake_oltp;

struct fake_oltp_options {
    bool journal; /* keep what every row was at every moment, for the export */
};

/* NULL when there is no memory. */
struct fake_oltp *fake_oltp_new(const struct fake_oltp_options *options);
void fake_oltp_free(struct fake_oltp *o);

struct oltp_port fake_oltp_port(struct fake_oltp *o);

/* What goes into the outbox with a change. NULL in place of one: the change is not published. */
struct outbox_item {
    enum topic_id topic;
    uint64_t key;
    struct bytes value;
};

/*
 * A transaction over several writes. Without one each write commits by itself. Between begin and
 * commit the port must not be used. Rollback undoes every write since begin.
 */
int fake_oltp_begin(struct fake_oltp *o);
int fake_oltp_commit(struct fake_oltp *o);
int fake_oltp_rollback(struct fake_oltp *o);

/* The row after the change, all of it; it replaces what was there. */
int fake_oltp_write_listing(struct fake_oltp *o, vtime now, const struct oltp_listing *row,
                            const struct outbox_item *item);

int fake_oltp_write_seller(struct fake_oltp *o, vtime now, uint64_t seller_id,
                           enum policy_status status, struct stamp stamp,
                           const struct outbox_item *item);

/* A row of a reference table: of a category, or of a spelling of a locale (A4). */
int fake_oltp_write_reference(struct fake_oltp *o, vtime now, const struct reference_row *row,
                              struct stamp stamp, const struct outbox_item *item);
/* What the table says of that text: 1, 0 when it says nothing, or PORT_NO_MEMORY. The value is good
 * until the next call. */
int fake_oltp_read_reference(struct fake_oltp *o, enum fact_kind table, struct bytes text,
                             struct reference_row *out, struct stamp *stamp);

int fake_oltp_write_order(struct fake_oltp *o, vtime now, const struct order_row *order,
                          const struct outbox_item *item);

/*
 * Erases a listing, or the listings of a seller, by that request (A12): of each row whose last
 * change is at or below the stamp its id, the stamp and the mark that it is deleted stay, and
 * nothing else. Orders stay: the books must be kept, and an order says no more of a listing than
 * its number.
 */
int fake_oltp_erase(struct fake_oltp *o, vtime now, enum erasure_scope scope, uint64_t id,
                    struct stamp stamp, const struct outbox_item *item);

/* 1 when the row says anything that was said at or below the stamp, 0, or PORT_NO_MEMORY. */
int fake_oltp_held(struct fake_oltp *o, uint64_t listing_id, struct stamp stamp);

/* An outbox row alone. */
int fake_oltp_publish(struct fake_oltp *o, vtime now, const struct outbox_item *item);

/* Fills *out and returns 1; 0 when there is no such row. */
int fake_oltp_read_listing(struct fake_oltp *o, uint64_t listing_id, struct oltp_listing *out);

/* Outbox rows that are committed and not trimmed, and the last committed sequence. */
int64_t fake_oltp_outbox_count(const struct fake_oltp *o);
int64_t fake_oltp_last_sequence(const struct fake_oltp *o);

/*
 * For the export of a finished run. Cells of a listing: listing_id, seller_id, title, description,
 * locale, category, price, image_ids, attributes (both packed, see oltp_attribute_next),
 * deleted, updated_at_ns, event id high and low half. Of a seller: seller_id, status,
 * updated_at_ns, event id halves. Of an order: order_id, listing_id, category, quantity, amount,
 * ordered_at_ns, event_at_ns, event id halves. Of an outbox row: sequence, topic, key, value,
 * created_at_ns.
 */
const struct row_journal *fake_oltp_listing_journal(const struct fake_oltp *o);
const struct row_journal *fake_oltp_seller_journal(const struct fake_oltp *o);
const struct row_journal *fake_oltp_order_journal(const struct fake_oltp *o);
const struct row_journal *fake_oltp_outbox_journal(const struct fake_oltp *o);

/* Orders by id; stops at the first nonzero answer and returns it. */
int fake_oltp_each_order(struct fake_oltp *o,
                         int (*each)(void *ctx, vtime created, const struct order_row *order),
                         void *ctx);

#endif
