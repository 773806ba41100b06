/*
 * The way of every change as tables (B3): what sim/hop_log.h kept, a row each.
 */
#include "sim/stores_export_parts.h"

static struct cell name_cell(const char *name) {
    return name == 0 ? cell_null() : cell_text(bytes_of(name));
}

static struct cell hash_cell(bool there, uint64_t hash) {
    return there ? cell_pattern(hash) : cell_null();
}

static int add_records(struct stores_export *x, const struct hop_log *hops) {
    size_t count;
    const struct hop_record *records = hop_log_records(hops, &count);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct hop_record *r = &records[i];
        bool known = r->type != 0;
        struct cell cells[] = {
            cell_integer(r->topic),
            cell_integer(r->partition),
            cell_integer(r->epoch),
            cell_integer(r->offset),
            cell_integer(r->type),
            cell_integer(r->op),
            known ? cell_integer(r->stamp.ts.ns) : cell_null(),
            known ? cell_pattern(r->stamp.id.hi) : cell_null(),
            cell_pattern(r->stamp.id.lo),
            cell_pattern(r->subject_id),
            r->type == RECORD_MEDIA ? cell_pattern(r->image_id) : cell_null(),
            cell_integer(r->repair),
            r->routed ? cell_integer(r->origin.topic) : cell_null(),
            r->routed ? cell_integer(r->origin.partition) : cell_null(),
            r->routed ? cell_integer(r->origin.offset) : cell_null(),
        };
        rc = stores_export_row(x, TOPIC_RECORD, cells, sizeof cells / sizeof *cells, r->append,
                               VTIME_NEVER);
    }
    return rc;
}

static int add_reads(struct stores_export *x, const struct hop_log *hops) {
    size_t count;
    const struct hop_read *reads = hop_log_reads(hops, &count);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct hop_read *r = &reads[i];
        bool outbox = r->topic == HOP_LOG_OUTBOX;
        struct cell cells[] = {
            name_cell(r->machine),
            name_cell(outbox ? "outbox" : topic_name((enum topic_id)r->topic)),
            outbox ? cell_null() : cell_integer(r->partition),
            cell_integer(r->first),
            cell_integer(r->next),
            cell_integer(r->bronze),
        };
        rc = stores_export_row(x, LOG_READ, cells, 6, r->at, VTIME_NEVER);
    }
    return rc;
}

static int add_embeddings(struct stores_export *x, const struct hop_log *hops) {
    size_t count;
    const struct hop_embedding *calls = hop_log_embeddings(hops, &count);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct hop_embedding *e = &calls[i];
        bool answered = e->status != 0;
        struct cell cells[] = {
            cell_pattern(e->listing_id),
            cell_integer(e->model_version),
            hash_cell(e->modalities >> MODALITY_TEXT & 1, e->content[MODALITY_TEXT]),
            hash_cell(e->modalities >> MODALITY_IMAGE & 1, e->content[MODALITY_IMAGE]),
            hash_cell(e->modalities >> MODALITY_FUSED & 1, e->content[MODALITY_FUSED]),
            cell_integer(e->asked.ns),
            answered ? cell_integer(e->returned.ns) : cell_null(),
            name_cell(e->status),
            cell_integer(e->reused),
        };
        rc = stores_export_row(x, EMBEDDING_CALL, cells, 9, e->asked, VTIME_NEVER);
    }
    return rc;
}

static int add_changes(struct stores_export *x, const struct hop_log *hops) {
    size_t count;
    const struct oracle_change *changes = hop_log_changes(hops, &count);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct oracle_change *c = &changes[i];
        struct cell cells[] = {
            cell_pattern(c->listing_id),
            cell_integer(c->version),
            cell_integer(c->wanted >> MODALITY_TEXT & 1),
            cell_integer(c->wanted >> MODALITY_IMAGE & 1),
            cell_integer(c->wanted >> MODALITY_FUSED & 1),
            cell_integer(c->seen),
        };
        rc = stores_export_row(x, VISIBLE_CHANGE, cells, 6, c->at, VTIME_NEVER);
    }
    return rc;
}

static int add_gone(struct stores_export *x, const struct hop_log *hops) {
    size_t count;
    const struct hop_gone *gone = hop_log_gone(hops, &count);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct hop_gone *g = &gone[i];
        struct cell cells[] = {
            name_cell(store_name(g->store)),
            g->model_version == 0 ? cell_null() : cell_integer(g->model_version),
            cell_pattern(g->listing_id),
            g->version == DOC_VERSION_NONE ? cell_null() : cell_integer(g->version),
        };
        rc = stores_export_row(x, ROW_GONE, cells, 4, g->at, VTIME_NEVER);
    }
    return rc;
}

static int add_refusals(struct stores_export *x, const struct hop_log *hops) {
    size_t count;
    const struct hop_refusal *refusals = hop_log_refusals(hops, &count);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct hop_refusal *r = &refusals[i];
        struct cell cells[] = {
            name_cell(store_name(r->store)),
            r->model_version == 0 ? cell_null() : cell_integer(r->model_version),
            cell_pattern(r->listing_id),
            cell_integer(r->version),
            name_cell(r->reason),
            cell_integer(r->times),
            cell_integer(r->last.ns),
        };
        rc = stores_export_row(x, REFUSED_WRITE, cells, 7, r->first, VTIME_NEVER);
    }
    return rc;
}

static int add_readers(struct stores_export *x, const struct hop_log *hops) {
    size_t aliases, gates;
    const struct hop_alias *alias = hop_log_aliases(hops, &aliases);
    const struct hop_gate *gate = hop_log_gates(hops, &gates);
    int rc = 0;
    for (size_t i = 0; i < aliases && rc == 0; i++) {
        struct cell cells[] = {
            name_cell(modality_name(alias[i].modality)),
            alias[i].model_version == 0 ? cell_null() : cell_integer(alias[i].model_version),
        };
        rc = stores_export_row(x, ALIAS_SWITCH, cells, 2, alias[i].at, VTIME_NEVER);
    }
    for (size_t i = 0; i < gates && rc == 0; i++) {
        struct cell cells[] = {
            name_cell(store_name(gate[i].store)),
            cell_pattern(gate[i].seller_id),
            cell_integer(gate[i].status),
        };
        rc = stores_export_row(x, SELLER_GATE, cells, 3, gate[i].at, VTIME_NEVER);
    }
    return rc;
}

int stores_export_hops(struct stores_export *x, const struct hop_log *hops) {
    return add_records(x, hops) != 0 || add_reads(x, hops) != 0 || add_embeddings(x, hops) != 0 ||
                   add_changes(x, hops) != 0 || add_gone(x, hops) != 0 ||
                   add_refusals(x, hops) != 0 || add_readers(x, hops) != 0
               ? -1
               : 0;
}

int stores_export_band(struct stores_export *x, const char *kind, const char *subject, vtime from,
                       vtime to) {
    struct cell cells[] = {name_cell(kind), name_cell(subject), cell_integer(from.ns),
                           cell_integer(to.ns)};
    return stores_export_row(x, FAULT_BAND, cells, 4, from, VTIME_NEVER);
}
