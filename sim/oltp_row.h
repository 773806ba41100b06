/*
 * Rows of the marketplace's operational database as records say them: what any database behind the
 * oltp port (pipeline/ports.h) puts into its outbox when a row is to be said again as a whole, and
 * the hash that reconciliation compares.
 */
#ifndef MURPHY_SIM_OLTP_ROW_H
#define MURPHY_SIM_OLTP_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/record.h"
#include "pipeline/rows.h"
#include "pipeline/stamp.h"

/*
 * A whole row of oltp_listing. Text whose data is NULL is a NULL column; an empty text has data.
 * Any listing id will do; seller ids start at 1. A column or attribute that was set to nothing is
 * NULL, and an attribute that was taken away stays in the row as VALUE_NULL, so that republishing
 * the row can say so.
 */
struct oltp_listing {
    uint64_t listing_id;
    uint64_t seller_id; /* 0: NULL */
    struct bytes title;
    struct bytes description;
    struct bytes locale;
    struct bytes category;
    int64_t price;                  /* 1/10,000 of the currency unit; -1: NULL */
    struct bytes image_ids;         /* packed as in a VALUE_IDS field */
    const struct field *attributes; /* FIELD_ATTRIBUTE, in name order, no name twice */
    size_t attribute_count;
    bool deleted;
    struct stamp stamp; /* updated_at and event_id of the last change */
};

/* True when a row says anything of its listing but when it last changed. */
bool oltp_listing_says(const struct oltp_listing *row);

/* Attributes as one column. A buffer for them needs oltp_attributes_bound bytes; pack returns how
 * many it took. next reads the i-th of a packed column; *at starts at 0; false at the end. */
size_t oltp_attributes_bound(const struct field *attributes, size_t count);
size_t oltp_attributes_pack(const struct field *attributes, size_t count, char *buffer);
bool oltp_attribute_next(struct bytes packed, size_t *at, struct field *out);

/* Buffers that are used again; all zero at first. */
struct oltp_encoder {
    char *encoded;
    size_t encoded_capacity;
    struct field *fields;
    size_t field_capacity;
};
void oltp_encoder_release(struct oltp_encoder *e);

/* Reads a packed column into the row, whose attributes then stand in the encoder until its next
 * call of this function. 0 or PORT_NO_MEMORY, as the functions below. */
int oltp_attributes_unpack(struct oltp_encoder *e, struct bytes packed, struct oltp_listing *row);
/* The i-th of them, for whoever moves its text elsewhere. */
struct field *oltp_attribute(struct oltp_encoder *e, size_t i);

/* A listing record with SECTION_REPAIR: an UPSERT of every column, absent ones null, or without a
 * row a DELETE. The record is good until the next call. The row's attributes are those that the
 * encoder unpacked last, or none. */
int oltp_encode_listing(struct oltp_encoder *e, uint64_t listing_id, struct stamp stamp,
                        const struct oltp_listing *row, struct bytes *out);
/* Records of a seller's status and of a reference table's row, likewise. */
int oltp_encode_seller(struct oltp_encoder *e, uint64_t seller_id, enum policy_status status,
                       struct stamp stamp, struct bytes *out);
int oltp_encode_reference(struct oltp_encoder *e, const struct reference_row *row,
                          struct stamp stamp, struct bytes *out);

/* Of an order. */
int oltp_encode_order(struct oltp_encoder *e, const struct order_row *order, struct bytes *out);

/* The source hash that a document holds which was told this row and nothing else; 0 for a row that
 * breaks the contract, which no document can equal. */
int oltp_hash_listing(struct oltp_encoder *e, const struct oltp_listing *row, uint64_t *hash);

#endif
