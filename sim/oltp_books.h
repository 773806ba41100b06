/*
 * The books of the marketplace: its orders summed up by category and hour, and told once more on
 * request. It reads the operational database's own table, never what was made of it elsewhere, and
 * implements struct books_port.
 *
 * Memory: what is handed out is good until the next call.
 */
#ifndef MURPHY_SIM_OLTP_BOOKS_H
#define MURPHY_SIM_OLTP_BOOKS_H

#include "pipeline/ports.h"
#include "sim/fake_oltp.h"
#include "sim/oltp_row.h"

struct books_order {
    struct order_row order; /* without its category */
    size_t category, category_len;
};

struct oltp_books {
    struct fake_oltp *oltp;
    struct oltp_encoder encoder;
    struct books_order *orders; /* that were read last, by hour, category and id */
    size_t count, capacity;
    char *text;
    size_t text_len, text_capacity;
};

void oltp_books_init(struct oltp_books *b, struct fake_oltp *oltp);
void oltp_books_release(struct oltp_books *b);

/* Errors: PORT_NO_MEMORY. */
struct books_port oltp_books_port(struct oltp_books *b);

#endif
