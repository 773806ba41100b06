/*
 * The stores of a finished run as one SQLite file, DIR/stores.db: what `murphy query` reads.
 *
 * Each table holds every state that its rows ever had (A11). In a table of rows that change, a
 * state held for recorded_from_ns <= t < recorded_to_ns (NULL: to the end of the run); in a table
 * that only grows, a row is there from recorded_at_ns on. stores_export_views puts views over the
 * tables that show them as of one moment.
 *
 *   changing   oltp_listing oltp_seller oltp_order outbox gold_document silver_order gold_sales
 *              dashboard_sales vector_row keyword_row artifact
 *   at the end gold_batch sales_batch (what the nightly batch made)
 *   growing    order_record bronze_event silver_listing embedding_audit dead_letter
 *              freshness_sample check_result log_gap
 *   the way    topic_record log_read embedding_call visible_change row_gone refused_write
 *              alias_switch seller_gate fault_band: growing too; what each change passed and when
 *              (sim/hop_log.h), and the faults that struck meanwhile
 *   one row    run_info
 *
 * Units and forms: moments and durations in nanoseconds, columns end in _ns; prices and amounts in
 * 1/10,000 of the currency unit; hashes as 16 hexadecimal digits; event ids as UUIDs; image_ids and
 * attributes as JSON; flags 0 or 1. A silver_listing row that was recorded late was not seen by
 * earlier moments: the views compute the intervals that silver had then.
 *
 * The file appears whole or not at all: it is written under another name in DIR and renamed.
 *
 * Errors: functions return 0, or -1; the first failure is kept, later calls do nothing, and
 * stores_export_error says it in one sentence. So a caller may export everything and look once.
 */
#ifndef MURPHY_SIM_STORES_EXPORT_H
#define MURPHY_SIM_STORES_EXPORT_H

#include <sqlite3.h>
#include <stdint.h>

#include "pipeline/dead_letter.h"
#include "pipeline/vtime.h"
#include "sim/fake_keyword.h"
#include "sim/fake_object_store.h"
#include "sim/fake_oltp.h"
#include "sim/fake_vector_db.h"
#include "sim/fake_warehouse.h"
#include "sim/hop_log.h"

#define STORES_FILE "stores.db"
/* Which tables and columns there are, as SQLite's user_version: one more whenever they change, so
 * that a file of another layout is refused instead of misread. */
#define STORES_LAYOUT 5

struct stores_export;

/* What run_info says. Strings may be NULL. */
struct export_run {
    const char *murphy; /* version */
    const char *scenario;
    uint64_t seed;
    const char *trace_hash;
    vtime start;
    vtime end;
    /* When an image is an orphan, and how long its bytes stay (A6): whoever folds the records once
     * more must fold them by the same rule. */
    int64_t orphan_after_ns, orphan_kept_ns;
    int64_t dashboard_sla_ns; /* how old an order may be that it does not show yet */
};

/* Never NULL but without memory; a directory that cannot be written to shows at the first error.
 * The directory exists; the stores' journals were on from the start. */
struct stores_export *stores_export_new(const char *directory, const struct export_run *run);

/* The same tables in memory, for rows that are made by other means and are to be held against those
 * of a run. Moments mean nothing in it, and there is nothing to finish. NULL without memory. */
struct stores_export *stores_export_memory(void);
sqlite3 *stores_export_database(struct stores_export *x);

/* Each at most once, in any order. */
int stores_export_oltp(struct stores_export *x, struct fake_oltp *o);
int stores_export_keyword(struct stores_export *x, const struct fake_keyword *k);
int stores_export_warehouse(struct stores_export *x, struct fake_warehouse *w);
/* audit_event, and audit_head: where each stream ends. */
int stores_export_streams(struct stores_export *x, const struct warehouse_events *events);
/* vector_row, of every collection. */
int stores_export_vector_db(struct stores_export *x, const struct fake_vector_db *db);

/* artifact: every vector that was ever kept, until it expired, was erased or was stored again. */
int stores_export_objects(struct stores_export *x, struct fake_object_store *o);

/* A record of the order feed, as the topic has it; `record` is what it says. */
int stores_export_order(struct stores_export *x, uint32_t partition,
                        const struct log_record *logged, const struct record *record);

/* Rows that the host kept. */
int stores_export_dead_letter(struct stores_export *x, vtime recorded,
                              const struct dead_letter *letter);

/* One accepted change on its way to one store. */
struct export_freshness {
    const char *feed;
    const char *store;
    uint64_t listing_id;
    doc_version version; /* position of the change in the listing log */
    vtime event;         /* producer's time */
    vtime log;           /* append to its feed */
    vtime visible;       /* first seen by a reader; VTIME_NEVER: not in this run */
};
int stores_export_freshness(struct stores_export *x, const struct export_freshness *sample);

/* topic_record and the others of the way but fault_band. */
int stores_export_hops(struct stores_export *x, const struct hop_log *hops);

/* A stretch of time in which a fault struck. */
int stores_export_band(struct stores_export *x, const char *kind, const char *subject, vtime from,
                       vtime to);

struct export_check {
    const char *name, *kind, *status, *expected, *observed, *evidence;
    vtime at; /* 0: judged at the end */
};
int stores_export_check(struct stores_export *x, const struct export_check *check);

/* Writes the file under its name. On -1 there is none, or the one that was there before. */
int stores_export_finish(struct stores_export *x);
const char *stores_export_error(const struct stores_export *x);

/* Ends an export; an unfinished one leaves nothing behind. */
void stores_export_free(struct stores_export *x);

/* Names of the tables, NULL at the end. */
const char *const *stores_export_tables(void);
/* The i-th column of a table, without those of its history; NULL behind the last, and of a table
 * that there is not. */
const char *stores_export_column(const char *table, size_t i);

/*
 * On a connection that reads such a file: temporary views that shadow the tables and show them as
 * of `at` (VTIME_NEVER: at the end), without the columns recorded_from_ns and recorded_to_ns, and
 * NAME_history for each table as it is, and order_as_of: orders joined with the version of their
 * listing that was valid and known when they were placed. Returns SQLITE_OK or a SQLite error.
 */
int stores_export_views(sqlite3 *db, vtime at);

#endif
