/*
 * The layers of a finished run made anew from its bronze, and held against those that the stream
 * kept (B4). The making is the pipeline's (pipeline/rebuild.h); the comparing is plain: two tables,
 * row by row, column by column.
 *
 *     bronze    bronze_event: what the bytes say of type, event and subject is what stands beside
 *               them, offsets follow each other up to the end of the topic, and of what was
 *               erased nothing is there; where
 *               something was erased or has expired, an empty place is no difference
 *     silver    silver_listing: every version with its interval
 *     orders    silver_order
 *     gold      gold_document
 *     sales     gold_sales
 *     dashboard  dashboard_sales, the view over it
 *     keywords  keyword_row: what the index was told; the text that it was told is compared too
 *     vectors   vector_row of every collection that holds rows: metadata and content hashes; the
 *               vectors themselves are the model's
 *
 *     audit     audit_event: each listing's audit stream with its digests (B8); where bronze lacks
 *               a record of a listing for a good reason, its stream is not compared
 *
 * What bronze cannot tell any more is left out on both sides, and said: versions that were over
 * when the warehouse's time began (A16), orders and sales from before it, listings that were gone
 * by then. An erasure (A12) needs no such care: bronze keeps the record that says so.
 *
 * Where an unclean leader took records of the log back, bronze has what some reader had seen and
 * others not: of those listings silver's present versions are compared, and their streams are not.
 *
 * As of a moment within the run the dashboard and the serving rows, which lag behind by nature, are
 * not compared, and neither are listings that were erased since.
 */
#ifndef MURPHY_SIM_REBUILT_LAYERS_H
#define MURPHY_SIM_REBUILT_LAYERS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline/vtime.h"
#include "sim/table_compare.h"

enum rebuilt_layer {
    REBUILT_BRONZE,
    REBUILT_SILVER,
    REBUILT_ORDERS,
    REBUILT_GOLD,
    REBUILT_SALES,
    REBUILT_DASHBOARD,
    REBUILT_KEYWORDS,
    REBUILT_VECTORS,
    REBUILT_AUDIT,
    REBUILT_LAYER_COUNT
};
/* "silver"; and its table. */
const char *rebuilt_layer_name(enum rebuilt_layer layer);
const char *rebuilt_layer_table(enum rebuilt_layer layer);
/* By name, or -1. */
int rebuilt_layer_find(const char *name);

struct rebuilt_options {
    vtime at;                /* of the views that the run's connection shows; VTIME_NEVER: end */
    vtime start;             /* of the run */
    vtime warehouse_from;    /* from when on the warehouse tells everything */
    const uint64_t *listing; /* of gold this one alone; NULL: all */
    uint32_t layers;         /* bits (1 << enum rebuilt_layer) */
    int (*different)(void *ctx, enum rebuilt_layer layer, const struct table_difference *d);
    void *ctx;
};

struct rebuilt_report {
    uint64_t records;   /* of bronze, read */
    uint64_t refused;   /* of them no records, or breaking their contract: in no layer behind */
    uint64_t erasures;  /* listings whose earlier content was erased */
    uint64_t holes;     /* places of bronze that are empty */
    uint64_t unread;    /* of them such that the loader never read: expired, or passed over */
    uint64_t torn;      /* listings of which the log lost a record that bronze has */
    uint64_t put_aside; /* listings whose audit stream cannot be made any more */
    bool compared[REBUILT_LAYER_COUNT];
    struct table_counts counts[REBUILT_LAYER_COUNT];
};

/*
 * Rebuilds from and compares with what a connection shows that stores_export_views was called on.
 * 0; REBUILT_STOPPED when `different` answered nonzero; otherwise a sentence is in error.
 */
enum rebuilt_status { REBUILT_DONE, REBUILT_STOPPED, REBUILT_BAD_RUN, REBUILT_NO_MEMORY };
enum rebuilt_status rebuilt_layers_compare(sqlite3 *run, const struct rebuilt_options *options,
                                           struct rebuilt_report *report);

#endif
