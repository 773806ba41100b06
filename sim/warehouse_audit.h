/*
 * The warehouse's table of embeddings: which model version made the vector of each listing's
 * version (A11). Rows come, and go with the version that they are about; a repeat of a key is
 * turned away, as the warehouse does with every key.
 */
#ifndef MURPHY_SIM_WAREHOUSE_AUDIT_H
#define MURPHY_SIM_WAREHOUSE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/id_map.h"
#include "pipeline/rows.h"

struct audit_entry {
    struct audit_row row;
    vtime recorded;
};

struct warehouse_audit {
    struct audit_entry *entries;
    size_t count, capacity;
    struct id_map by_key;
};

void warehouse_audit_init(struct warehouse_audit *a);
void warehouse_audit_release(struct warehouse_audit *a);
/* Takes the row in unless its key is there; without `dedupe` it is there twice then. 1 when it came
 * in, 0 or -ENOMEM. */
int warehouse_audit_add(struct warehouse_audit *a, vtime now, const struct audit_row *row,
                        bool dedupe);
/* The row of that key, or NULL; good until the next addition. */
const struct audit_row *warehouse_audit_find(const struct warehouse_audit *a, uint64_t listing_id,
                                             doc_version version, enum modality modality,
                                             uint32_t model_version);

/* Drops the rows that are not to stay. 0 or -ENOMEM. */
int warehouse_audit_retain(struct warehouse_audit *a,
                           bool (*stays)(void *ctx, const struct audit_entry *entry), void *ctx);

#endif
