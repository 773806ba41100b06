/*
 * The warehouse, on SQLite: bronze (raw records as their topics carried them), silver (every
 * version of every document, SCD2; and orders), gold (the present document of every listing), the
 * dashboard's view of sales by category and hour, and the audit of embeddings. It implements struct
 * warehouse_port.
 *
 * Fidelity
 *
 *   modelled
 *     idempotent loads   every row goes in by its key, so a batch may be torn, repeated or out of
 *                        order (A9); without `dedupe` a row that its key would have turned away
 *                        becomes a second row, as plain inserts do
 *     history            silver's intervals tile the time since a listing's first version, without
 *                        gap or overlap, in whatever order the versions arrive; where the log's
 *                        clock went back, an interval starts when the one before it did
 *     expiry             once a day, at midnight UTC, goes what is not needed to tell of the time
 *                        that is kept (A16): versions of silver that were over by then; from
 *                        before, raw orders, bytes that are no record, and the raw content of
 *                        listings that were gone by then and since, but for the record that says
 *                        so; and the audit of versions that silver has not any more. The present
 *                        version of a listing stays with all that it was made from; gold, orders
 *                        and sales stay. What came of age is not taken in again
 *     channels           a load by a channel moves its offset token once all of it is in; whoever
 *                        opens the channel is told the token, which an operator can overwrite
 *     merges             several rows of a batch for one order, listing or audit key: an error, or
 *                        an arbitrary one stays; where the key is not there yet each is inserted
 *     late orders        correct the bucket of the hour in which they were placed
 *     erasure            what a listing's mark covers is removed and refused (A12); removed rows
 *                        can be brought back for the time travel and then the fail-safe
 *     stale dashboard    the view is what the last refresh made of it; target lag is 60 s at
 *                        least, an earlier refresh does nothing and tells of which moment the view
 * is stale stream       a refresh goes by the changes since the last one; those that are older than
 *                        their retention are gone, and only a refresh of the whole helps
 *   approximated
 *     storage            rows in memory; silver's intervals are kept beside its rows, as a
 *                        clustered warehouse keeps them in a column of their own
 *     loads              take effect at once; a torn load is a fault that hands over half a batch;
 *                        a merge that is refused has taken the rows before the second one in
 *     time travel        removed rows are counted and not kept: nobody reads them
 *   not modelled
 *     fencing of a channel's former owner (keys make its loads harmless), tables that are restored
 * to an earlier moment, files and compaction, concurrent loads and their snapshots, query cost
 *
 * Limits: partitions below 1,024, epochs below 4,096, offsets below 2^38, 2^32 - 2 silver rows.
 *
 * Invariants (fake_warehouse_check asserts them):
 *  1. a listing's silver rows are linked in version order, and their intervals tile;
 *  2. gold holds each listing once, apart from the rows that plain inserts added;
 *  3. the sums of a bucket, kept as orders come and go, are those of its orders in the table.
 *
 * Memory: everything handed in is copied; what is handed out is good until the next call.
 */
#ifndef MURPHY_SIM_FAKE_WAREHOUSE_H
#define MURPHY_SIM_FAKE_WAREHOUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"
#include "sim/pulse.h"
#include "sim/row_journal.h"
#include "sim/store.h"
#include "sim/warehouse_audit.h"
#include "sim/warehouse_events.h"
#include "sim/warehouse_rebuilt.h"

struct fake_warehouse;

/* What becomes of several rows of one batch that are for one row of the store. Those for a row that
 * is not there yet are inserted, each of them. */
enum warehouse_merge {
    WAREHOUSE_ROW_BY_ROW,    /* one after the other, as by single statements: no such trouble */
    WAREHOUSE_MERGE_REFUSES, /* PORT_AMBIGUOUS: MERGE's default */
    WAREHOUSE_MERGE_PICKS,   /* an arbitrary one stays: that error switched off */
};

struct fake_warehouse_options {
    enum warehouse_merge merge;
    int64_t view_lag_min_ns; /* the view is not refreshed more often; 0: whenever asked to */
    int64_t stream_kept_ns;  /* changes of orders are kept so long for refreshes; 0: for ever */
    struct store_observer observer; /* hears of STORE_SILVER and STORE_GOLD */
    bool journal;                   /* keep what every mutable row was at every moment */
    int64_t time_travel_ns;         /* removed rows can be brought back so long; 0: 24 h */
    int64_t fail_safe_ns;           /* and by the operator so long after that */
    int64_t kept_ns;                /* it tells of every moment so long; 0: 730 days; negative: for
                                       ever */
};

/* NULL when there is no memory. */
struct fake_warehouse *fake_warehouse_new(const struct fake_warehouse_options *options);
void fake_warehouse_free(struct fake_warehouse *w);

/* Errors: PORT_NO_MEMORY and PORT_AMBIGUOUS, with part of a batch in. */
struct warehouse_port fake_warehouse_port(struct fake_warehouse *w);

struct fake_warehouse_counts {
    uint64_t bronze, silver, gold, orders; /* rows, second rows included */
    uint64_t duplicates;                   /* second rows that plain inserts added, of any layer */
};
struct fake_warehouse_counts fake_warehouse_counts(const struct fake_warehouse *w);

/* When each layer got something that it did not have: bronze a record, silver a version, with how
 * long after its append. */
enum warehouse_pulse { WAREHOUSE_BRONZE, WAREHOUSE_SILVER, WAREHOUSE_PULSES };
const struct pulse *fake_warehouse_pulse(const struct fake_warehouse *w,
                                         enum warehouse_pulse which);
/* How long the dashboard was behind each time that a refresh showed something. */
const struct lag_histogram *fake_warehouse_behind(const struct fake_warehouse *w);
/* Silence after that moment is right. */
void fake_warehouse_quiet_after(struct fake_warehouse *w, vtime until);

/* The table of embeddings, in the order of arrival. */
const struct warehouse_audit *fake_warehouse_audit(const struct fake_warehouse *w);

/* Marks of what expired before it was loaded, in the order of arrival. */
const struct gap_row *fake_warehouse_gaps(const struct fake_warehouse *w, size_t *count);

/* The audit streams of listings. */
const struct warehouse_events *fake_warehouse_events(const struct fake_warehouse *w);
/* The bytes of the raw record at that place: 1, 0 when bronze does not hold it, or PORT_NO_MEMORY.
 * Good until the next call. */
int fake_warehouse_raw(struct fake_warehouse *w, enum topic_id topic, uint32_t partition,
                       uint32_t epoch, int64_t offset, struct bytes *value);

/* What the nightly batch made. */
const struct warehouse_rebuilt *fake_warehouse_rebuilt(const struct fake_warehouse *w);

/* What a reader sees of a listing in gold now. */
struct row_state fake_warehouse_gold(const struct fake_warehouse *w, uint64_t listing_id);

/* What is kept of a listing that was said at or below the stamp, and of its document versions below
 * `version`. */
struct warehouse_held {
    bool marked;             /* the loader brought that erasure, or a greater one */
    uint64_t bronze, silver; /* rows */
    uint64_t gold;
    uint64_t time_travel, fail_safe; /* rows that can be brought back */
};
/* 0 or PORT_NO_MEMORY. */
int fake_warehouse_held(struct fake_warehouse *w, vtime now, uint64_t listing_id,
                        struct stamp stamp, doc_version version, struct warehouse_held *held);

/* Surprises, which faults set: a refresh makes the view as of so long ago; the changes that the
 * next one would go by are gone. */
void fake_warehouse_lag_view(struct fake_warehouse *w, int64_t lag_ns);
void fake_warehouse_stale_stream(struct fake_warehouse *w);
/* From now on removed rows can be brought back for so much longer than is stated, those that were
 * removed before too. */
void fake_warehouse_stretch_time_travel(struct fake_warehouse *w, int64_t extra_ns);
/* Rows that an erasure found, or found elsewhere, for that alone: each time that it looked. */
uint64_t fake_warehouse_overstayed(const struct fake_warehouse *w);

/* Of a channel: an operator can set it to anything. */
int64_t fake_warehouse_token(const struct fake_warehouse *w, enum topic_id topic,
                             uint32_t partition);
/* 0 or PORT_NO_MEMORY. */
int fake_warehouse_set_token(struct fake_warehouse *w, enum topic_id topic, uint32_t partition,
                             int64_t token);

/* The dashboard as of the last refresh: buckets in the order in which an order first named them,
 * also those that hold none now; false when there is no i-th. */
bool fake_warehouse_sales(const struct fake_warehouse *w, size_t i, struct sales_row *out);
/* The same of gold, from which the refresh takes it. */
bool fake_warehouse_gold_sales(const struct fake_warehouse *w, size_t i, struct sales_row *out);
/* A fault: while held, silver's orders go in and gold does not follow. */
void fake_warehouse_hold_gold(struct fake_warehouse *w, bool held);

/* One silver row. */
struct silver_row {
    struct document_row document;
    vtime valid_from;
    vtime valid_to; /* VTIME_NEVER: the current version */
    vtime recorded;
};

/* Each stops at the first nonzero answer and returns it. Bronze comes by topic, partition, epoch
 * and offset, then second rows; silver in the order of arrival. */
int fake_warehouse_each_bronze(struct fake_warehouse *w,
                               int (*each)(void *ctx, vtime ingested, const struct bronze_row *row),
                               void *ctx);
/* Of one topic alone. */
int fake_warehouse_each_bronze_of(struct fake_warehouse *w, enum topic_id topic,
                                  int (*each)(void *ctx, vtime ingested,
                                              const struct bronze_row *row),
                                  void *ctx);
int fake_warehouse_each_silver(struct fake_warehouse *w,
                               int (*each)(void *ctx, const struct silver_row *row), void *ctx);
/* Silver's orders: of `placed` the hour alone is told; `copy` is 0 but for second rows. */
int fake_warehouse_each_order(struct fake_warehouse *w,
                              int (*each)(void *ctx, const struct order_row *order, uint32_t copy),
                              void *ctx);
/* The same rows, of whose documents only listing_id and version are read. */
int fake_warehouse_each_version(struct fake_warehouse *w,
                                int (*each)(void *ctx, const struct silver_row *row), void *ctx);
/* Those of the current versions. */
int fake_warehouse_each_current(struct fake_warehouse *w,
                                int (*each)(void *ctx, const struct silver_row *row), void *ctx);
/*
 * For the export. Cells of gold: listing_id, then those of a document (version, changed_at_ns,
 * event_ts_ns, event id halves, source_hash, whole_hash, alive, policy, seller_id, price, title,
 * description, locale, category, attributes, images), then written_at_ns. Of an order: order_id,
 * listing_id, category, hour_ns, quantity, amount, event_ts_ns, event id halves, ordered_at_ns,
 * copy (0, or which second row). Of
 * sales: category, hour_ns, orders, quantity, amount.
 */
const struct row_journal *fake_warehouse_gold_journal(const struct fake_warehouse *w);
const struct row_journal *fake_warehouse_order_journal(const struct fake_warehouse *w);
const struct row_journal *fake_warehouse_gold_sales_journal(const struct fake_warehouse *w);
const struct row_journal *fake_warehouse_sales_journal(const struct fake_warehouse *w);

/* Drops what has come of age by now (A16); reads of bronze and loads do so first. */
int fake_warehouse_expire(struct fake_warehouse *w, vtime now);
/* The first moment of which silver and bronze tell everything; INT64_MIN while nothing was dropped.
 */
vtime fake_warehouse_from(const struct fake_warehouse *w);

void fake_warehouse_check(struct fake_warehouse *w);

#endif
