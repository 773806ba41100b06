/*
 * The generated workload: sellers who list, change, delete and list again, media ingest that
 * follows them, moderators and buyers. sim/workload.h says what the operations are like.
 *
 * Listings are kept as a few numbers each (sim/catalogue.h makes their texts when asked), media
 * events that are still to come stand in a heap by time. Each kind of decision draws from a stream
 * of its own.
 *
 * Ids: listings from 4,000,000,000 with gaps, sellers from 1, images from 7 * 10^12, orders from
 * 5 * 10^15; an image or order id is used once.
 */
#ifndef MURPHY_SIM_MARKETPLACE_H
#define MURPHY_SIM_MARKETPLACE_H

#include "sim/workload.h"

struct marketplace;

/* As the functions of the same names in sim/workload.h, which calls these. */
struct marketplace *marketplace_new(const struct workload_options *options,
                                    struct workload_error *error);
void marketplace_free(struct marketplace *m);
bool marketplace_next(struct marketplace *m, struct workload_op *op);
vtime marketplace_peek(const struct marketplace *m);
uint64_t marketplace_total(const struct marketplace *m);
vtime marketplace_end(const struct marketplace *m);
bool marketplace_query(struct marketplace *m, uint64_t i, struct workload_query *query);

#endif
