/*
 * Producers that move to another version of their feed's contract (B9): what a workload says, as
 * those producers write it.
 *
 * A share of the listings (of the sellers, in the policy feed) have a producer that has moved, from
 * some moment on: always the same ones, chosen by a hash of the key. Each of their records then
 * names the version, and what else changed with it:
 *
 *     attribute      each UPSERT names one attribute more, an integer from 1 to `attribute_max`,
 *                    and goes on to when the producer moves on
 *     price_as_text  prices are written as decimal text
 *
 * The application's row has the attribute too, from the first such UPSERT on: since each names it,
 * nothing has to be remembered.
 */
#ifndef MURPHY_SIM_PRODUCERS_H
#define MURPHY_SIM_PRODUCERS_H

#include "sim/workload.h"

struct producers;

/* NULL when out of memory. The contracts must outlive it. */
struct producers *producers_new(const struct workload_contract *contracts, size_t count,
                                vtime start, uint64_t seed);
void producers_free(struct producers *p);

/* Rewrites the operation; what it points to then is the producers', good until the next call. */
void producers_write(struct producers *p, struct workload_op *op);

#endif
