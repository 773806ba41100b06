/*
 * The rows of the stores as cells: what a fake binds and journals, what an export writes, and what
 * a rebuild of a layer makes to be held against it. One place, so that the three name the same
 * columns in the same order.
 */
#ifndef MURPHY_SIM_ROW_CELLS_H
#define MURPHY_SIM_ROW_CELLS_H

#include "pipeline/audit_stream.h"
#include "pipeline/rows.h"
#include "sim/cell.h"

enum {
    DOCUMENT_CELLS = 20, /* the columns that silver and gold share, behind the listing's id */
    ORDER_CELLS = 10,
    SALES_CELLS = 5,
    KEYWORD_CELLS = 14,
    VECTOR_CELLS = 13,
    EVENT_CELLS = 10,
    HEAD_CELLS = 3
};

void document_cells(const struct document_row *d, struct cell cells[DOCUMENT_CELLS]);
/* The hour is that in which the order was placed. */
void order_cells(const struct order_row *order, struct cell cells[ORDER_CELLS]);
void sales_cells(const struct sales_row *sales, struct cell cells[SALES_CELLS]);
void keyword_cells(uint64_t listing_id, const struct row_meta *meta, struct bytes title,
                   struct bytes description, struct bytes attributes,
                   struct cell cells[KEYWORD_CELLS]);
void vector_cells(uint64_t listing_id, const struct row_meta *meta,
                  struct cell cells[VECTOR_CELLS]);
/* The digests are borrowed from the event, and from the head. */
void event_cells(const struct audit_event *event, struct cell cells[EVENT_CELLS]);
void head_cells(const struct audit_head *head, struct cell cells[HEAD_CELLS]);

#endif
