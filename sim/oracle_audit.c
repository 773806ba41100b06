/*
 * The audit of embeddings (A11): for each version of a listing that readers saw in a vector
 * collection there is one row that names the model version and the content, no matter who died
 * between the write and the word about it. Heard from the stores, never from the pipeline.
 */
#include <inttypes.h>

#include "pipeline/array.h"
#include "sim/oracle_parts.h"
#include "sim/warehouse_audit.h"

void audit_heard(struct oracle *o, vtime now, const struct row_change *change) {
    if (change->store > STORE_VECTOR_FUSED || !change->after.present || change->duplicate) {
        return;
    }
    if (ARRAY_RESERVE(o->seen_vectors, o->seen_vector_capacity, o->seen_vector_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    o->seen_vectors[o->seen_vector_count++] =
        (struct seen_vector){change->listing_id,
                             change->after.version,
                             change->after.content_hash,
                             change->after.model_version,
                             (enum modality)(change->store - STORE_VECTOR_TEXT),
                             now};
}

/* Two rows of one key would answer the question twice. */
static void audit_single(struct comparison *c, const struct warehouse_audit *audit) {
    for (size_t i = 0; i < audit->count; i++) {
        const struct audit_row *row = &audit->entries[i].row;
        if (warehouse_audit_find(audit, row->listing_id, row->version, row->modality,
                                 row->model_version) != row) {
            check_violated(c->o, CHECK_AUDIT_COMPLETE, c->now,
                           "version %" PRId64 " of listing %" PRIu64
                           " is there twice for the %s vector of model %" PRIu32,
                           row->version, row->listing_id, modality_name(row->modality),
                           row->model_version);
        }
    }
}

void audit_compare(struct comparison *c) {
    struct oracle *o = c->o;
    const struct warehouse_audit *audit = fake_warehouse_audit(c->stores->warehouse);
    vtime edge = retention_edge(c);
    o->checks[CHECK_AUDIT_COMPLETE].looked_at += o->seen_vector_count;
    for (size_t i = 0; i < o->seen_vector_count; i++) {
        const struct seen_vector *seen = &o->seen_vectors[i];
        const struct audit_row *row = warehouse_audit_find(audit, seen->listing_id, seen->version,
                                                           seen->modality, seen->model_version);
        if (row == NULL && vtime_before(seen->at, edge) &&
            retention_over(o, seen->listing_id, seen->version)) {
            continue; /* it went with the version */
        }
        if (row == NULL && log_audit_unread(o, seen->listing_id, seen->version)) {
            continue; /* what was said of it expired unread */
        }
        if (row == NULL || row->content_hash != seen->content_hash) {
            check_violated(
                o, CHECK_AUDIT_COMPLETE, c->now,
                "readers saw version %" PRId64 " of listing %" PRIu64
                " with a %s vector of model %" PRIu32 ": %s",
                seen->version, seen->listing_id, modality_name(seen->modality), seen->model_version,
                row == NULL ? "nobody says what made it" : "the audit tells of other content");
        }
    }
    audit_single(c, audit);
}
