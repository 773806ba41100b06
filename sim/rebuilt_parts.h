/*
 * What the rebuild from bronze and the replay of audit streams share: the run that is read, and the
 * tables of what is made anew. Private to sim/rebuilt_layers.c and sim/audit_replay.c.
 */
#ifndef MURPHY_SIM_REBUILT_PARTS_H
#define MURPHY_SIM_REBUILT_PARTS_H

#include "pipeline/rebuild.h"
#include "sim/rebuilt_layers.h"
#include "sim/stores_export_parts.h"

struct remaking {
    sqlite3 *run;
    const struct rebuilt_options *options;
    struct rebuilt_report *report;
    struct stores_export *made; /* the tables of what is made anew */
    struct rebuild *rebuild;
    enum rebuilt_layer layer; /* that is being compared */
    bool holes;               /* bronze may lack records: some were erased, or came of age */
    struct bronze_row last;   /* raw record that was read last; offset -1: none */
    /* Of the collection whose rows are being made. */
    const char *collection;
    enum modality modality;
    uint32_t model_version;
};

/* Functions return 0, -ENOMEM, or -EIO after an error on the run's connection. */

/* A row of what is made; moments mean nothing there. */
int rebuilt_row(struct remaking *m, enum export_table table, const struct cell *cells,
                size_t count);
/* Runs SQL on what is made. */
int rebuilt_run(const struct remaking *m, const char *sql);
/* The gold row of a document; ctx is the remaking. */
int rebuilt_document(void *ctx, const struct folded *folded);
/* By what rule the run's pipeline told orphans. */
int rebuilt_rule_of_orphans(sqlite3 *run, struct pipeline_config *config);
/* The warehouse let go of what is older. */
bool rebuilt_has_edge(const struct remaking *m);
/* Holds a layer against that of the run; also what `different` answered. */
int rebuilt_compare(struct remaking *m, enum rebuilt_layer layer);

#endif
