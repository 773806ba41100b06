/*
 * The records of the order feed that a topic has now, read for what they say.
 */
#ifndef MURPHY_SIM_ORDER_RECORDS_H
#define MURPHY_SIM_ORDER_RECORDS_H

#include <stdint.h>

#include "pipeline/record.h"
#include "sim/fake_kafka.h"

/* By partition and offset; bytes that are no order are passed over. Stops at the first nonzero
 * answer and returns it. */
int order_records_each(const struct fake_kafka *k,
                       int (*each)(void *ctx, uint32_t partition, const struct log_record *logged,
                                   const struct record *record),
                       void *ctx);

#endif
