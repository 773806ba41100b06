/*
 * Contracts at ingest: what a feed's records can carry at all, and whether a record keeps to the
 * schema of the contract version that it names (B9, A13).
 *
 * What the wire format can carry and documents can hold is said here, and decoding checks it; it is
 * version 1 of a feed for which the configuration says nothing. Every version may narrow it, since
 * whatever passes must be foldable. The one value that
 * is told otherwise on the wire than in a document is a price as decimal text: such records are
 * written anew, with the price in the unit of FIELD_PRICE, before they go into the listing log. So
 * behind the router there is one form, whatever contract versions producers use.
 *
 * Of a listing record, which may name only what changed, a required field is asked for only when
 * the record is whole: it is when it names the seller, as every record does that opens a listing.
 * What is named is checked in every record: types, null, limits, names that are not in the
 * contract. A default is what readers of a feed take for an absent field; into documents it is not
 * written, since absent is not null.
 */
#ifndef MURPHY_PIPELINE_CONTRACT_H
#define MURPHY_PIPELINE_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/record.h"
#include "pipeline/schema.h"
#include "pipeline/topics.h"

/* What records of a feed can carry, as people write contracts. Static. */
struct bytes contract_carried(enum topic_id feed);

/* The widest schema that the feed's records and documents allow. 0 or -ENOMEM. */
int contract_widest(enum topic_id feed, struct schema *out);

/* What a record does that its contract forbids: the words of a dead letter. */
struct contract_violation {
    const char *reason; /* static */
    struct sentence field;
    struct sentence expected;
    int64_t actual; /* a type of value, a length, a count, the value itself */
};

/* 0, or -1 with *violation filled. */
int contract_check(const struct schema *schema, const struct record *record,
                   struct contract_violation *violation);

/* True when the record names a price as decimal text: it must be written anew. */
bool contract_rewrites(const struct record *record);
/*
 * Writes a record that passed contract_check with its price in the unit of FIELD_PRICE.
 * record->field_bytes.len + 64 bytes behind the header suffice: contract_rewrite_bound. Returns the
 * length. `room` has place for record->field_count fields.
 */
size_t contract_rewrite_bound(struct bytes value);
int64_t contract_rewrite(const struct record *record, struct field *room, char *buffer,
                         size_t capacity);

/* Reads a number with at most 4 decimal places as 1/10,000; false when the text is none. */
bool contract_decimal(struct bytes text, int64_t *out);

#endif
