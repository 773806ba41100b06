/*
 * The inside of the export of a run's stores: its tables, and how a row gets into one.
 */
#ifndef MURPHY_SIM_STORES_EXPORT_PARTS_H
#define MURPHY_SIM_STORES_EXPORT_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "sim/cell.h"
#include "sim/stores_export.h"

enum export_table {
    OLTP_LISTING,
    OLTP_SELLER,
    OLTP_ORDER,
    OUTBOX,
    ORDER_RECORD,
    BRONZE_EVENT,
    SILVER_LISTING,
    SILVER_ORDER,
    GOLD_DOCUMENT,
    GOLD_SALES,
    DASHBOARD_SALES,
    GOLD_BATCH,
    SALES_BATCH,
    VECTOR_ROW,
    KEYWORD_ROW,
    ARTIFACT,
    EMBEDDING_AUDIT,
    DEAD_LETTER,
    FRESHNESS_SAMPLE,
    CHECK_RESULT,
    TOPIC_RECORD,
    LOG_READ,
    EMBEDDING_CALL,
    VISIBLE_CHANGE,
    ROW_GONE,
    REFUSED_WRITE,
    ALIAS_SWITCH,
    SELLER_GATE,
    FAULT_BAND,
    AUDIT_EVENT,
    AUDIT_HEAD,
    LOG_GAP,
    TABLE_COUNT
};

/* Adds a row; `from` is its recorded_at_ns, or the start of the time that it held to `to`. 0, or -1
 * with the export's error. */
int stores_export_row(struct stores_export *x, enum export_table id, const struct cell *cells,
                      size_t count, vtime from, vtime to);
/* The end of the run. */
vtime stores_export_end(const struct stores_export *x);
/* Keeps that memory ran out; -1. */
int stores_export_no_memory(struct stores_export *x);

#endif
