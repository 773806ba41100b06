/*
 * How the walk back from a number is told: what explain_metric.c found out.
 */
#ifndef MURPHY_CLI_EXPLAIN_METRIC_H
#define MURPHY_CLI_EXPLAIN_METRIC_H

#include "cli/explain.h"
#include "sim/lineage.h"

struct metric_walk {
    struct explain *e;
    const struct lineage *l;
    const struct lineage_question *question;
    const struct lineage_answer *answer;
};

/* To stdout, for people or as JSON. Return the exit status. */
int explain_metric_show(const struct metric_walk *walk);
int explain_metric_json(const struct metric_walk *walk);

#endif
