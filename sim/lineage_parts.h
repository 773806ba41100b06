/*
 * What the files of the lineage share. Private to them.
 */
#ifndef MURPHY_SIM_LINEAGE_PARTS_H
#define MURPHY_SIM_LINEAGE_PARTS_H

#include "sim/lineage.h"

/* Puts the facts in order, makes what the relay had handed on and what silver adds up to. */
int lineage_close(struct lineage *l);

/* The order's rows of a layer, by moment. */
const struct lineage_row *lineage_rows_of(const struct lineage *l, enum lineage_layer layer,
                                          uint64_t order_id, size_t *count);

/* By that moment OLTP had told it more than once. */
bool lineage_told_again(const struct lineage *l, const struct lineage_row *said, vtime by);

int lineage_find(struct lineage_answer *answer, const struct lineage_finding *finding);

bool lineage_asks_for(const struct lineage_question *q, uint32_t category, vtime hour);
int64_t lineage_measure_row(const struct lineage_question *q, const struct lineage_row *row);
int64_t lineage_measure_sum(const struct lineage_question *q, const struct lineage_sum *sum);

/* Sums of a layer against those of the layer before it. */
int lineage_compare_sums(const struct lineage *l, const struct lineage_question *q,
                         enum lineage_layer layer, struct lineage_answer *answer);

#endif
