/*
 * A workload from a file of real changes, one JSON object a line (JSONL), plain or gzip (A1):
 *
 *     {"op": "create|update|price_change|delete", "ts", "id", "doc"?, "changed"?, "old"?}
 *
 *   op       create: an UPSERT that names every field; it needs a doc. update, price_change: an
 *            UPSERT that names what `changed` names, or every field when there is no `changed` or
 *            the listing is not alive. delete: a DELETE; a doc is not looked at.
 *   ts       when it happened: YYYY-MM-DDTHH:MM:SS, up to nine digits of a fraction, Z. Lines come
 *            in the order of time.
 *   id       text. A decimal below 2^61 without leading zeros is the listing id; any other text
 *            gives an id from its hash, at or above 2^61, and stays as the attribute `source_id`.
 *            Two texts with one hash are an error, never a mix-up.
 *   doc      the listing after the change, an object
 *   changed  names of fields of doc; one that doc lacks was taken away and becomes null
 *   old      what the fields were before; not looked at
 *
 * Fields of doc, all kept: name is the title, top_category the category, description, locale (es-ES
 * where none is given) and price what they say; prices are null or at most 9 * 10^11 and whole
 * ten-thousandths, exactly. seller_id, a whole number from 1, is the seller; without one, `seller`
 * is where it is such a number; else the seller is 1. Every other field (`seller` too) is an
 * attribute under its own name: text and integers as they are, other numbers as the shortest text
 * that reads back the same, booleans as "true" or "false", objects and arrays as JSON text, null as
 * null. `id`, when there, must repeat the line's id.
 *
 * thumbnail, a text, is an attribute and also the listing's one image: its id is a hash of the
 * address up to the `?` (where variants of one picture differ), its descriptor the name and the
 * category, shortened to fit. A media event delivers it right after the listing's event; one that
 * is replaced is withdrawn. After a deletion it is delivered again.
 *
 * Time: the n events of one timestamp t, media included, happen in the order of the file at
 * t + i * w / n for i from 0, where w is spread_ns or, when that is less, the time to the next
 * timestamp; w is at least n nanoseconds. A file in which a timestamp has no room for its events
 * is refused.
 *
 * There are no orders, policy events or poison.
 */
#ifndef MURPHY_SIM_REPLAY_H
#define MURPHY_SIM_REPLAY_H

#include "sim/workload.h"

#define REPLAY_LINE_MAX (16u << 20) /* bytes */

struct replay;

/* As the functions of the same names in sim/workload.h, which calls these. */
struct replay *replay_new(const struct workload_options *options, struct workload_error *error);
void replay_free(struct replay *r);
bool replay_next(struct replay *r, struct workload_op *op);
vtime replay_peek(const struct replay *r);
uint64_t replay_total(const struct replay *r);
vtime replay_end(const struct replay *r);
bool replay_query(struct replay *r, uint64_t i, struct workload_query *query);

#endif
