/*
 * What the warehouse need not tell of any more (A16): from the edge on it tells of everything, and
 * what only told of the time before is gone. What the oracle expects of silver, the audit and the
 * batch leaves that out.
 */
#include <inttypes.h>

#include "pipeline/retention.h"
#include "sim/oracle_parts.h"

vtime retention_edge(const struct comparison *c) {
    return warehouse_edge(c->o->options.warehouse_kept_ns, c->now);
}

/* Loaders may have been so long behind: by then the warehouse has heard of it. */
#define HEARD_WITHIN_NS (31 * VTIME_DAY)

bool retention_gone(const struct oracle_listing *l, vtime edge) {
    return l != NULL && l->view.known && !l->view.seen.alive && vtime_before(l->visible_at, edge);
}

void retention_positions(struct oracle *o, vtime edge) {
    size_t kept = 0;
    for (size_t i = 0; i < o->position_count; i++) {
        bool last = i + 1 == o->position_count ||
                    o->positions[i + 1].listing_id != o->positions[i].listing_id;
        if (last || vtime_before(edge, o->positions[i + 1].at)) {
            o->positions[kept++] = o->positions[i];
        }
    }
    o->position_count = kept;
}

bool retention_over(const struct oracle *o, uint64_t listing_id, doc_version version) {
    size_t low = 0;
    for (size_t high = o->position_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (o->positions[middle].listing_id < listing_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < o->position_count && o->positions[low].listing_id == listing_id &&
           version < o->positions[low].version;
}

/* Raw records of orders, bytes that are no record, and content of listings that are long gone. */
static int bronze_look(void *ctx, vtime ingested, const struct bronze_row *row) {
    struct comparison *c = ctx;
    vtime edge = retention_edge(c);
    (void)ingested;
    c->o->checks[CHECK_RETENTION].looked_at++;
    if (!vtime_before(row->append, edge)) {
        return 0;
    }
    const struct oracle_listing *l = oracle_listing_find(c->o, row->subject_id);
    bool content = row->type == RECORD_LISTING || row->type == RECORD_MEDIA;
    bool stays = row->topic == TOPIC_LISTING_LOG && row->type != 0 &&
                 !(content && retention_gone(l, vtime_add(edge, -HEARD_WITHIN_NS)) &&
                   doc_version_pack(row->epoch, row->offset) != l->visible);
    if (!stays) {
        check_violated(c->o, CHECK_RETENTION, c->now,
                       "bronze still has offset %" PRId64 " of %s/%" PRIu32 ", appended at %s",
                       row->offset, topic_name(row->topic), row->partition,
                       moment_text(row->append).text);
    }
    return 0;
}

static int silver_look(void *ctx, const struct silver_row *row) {
    struct comparison *c = ctx;
    c->o->checks[CHECK_RETENTION].looked_at++;
    if (!vtime_before(retention_edge(c), row->valid_to)) {
        check_violated(
            c->o, CHECK_RETENTION, c->now,
            "silver still has version %" PRId64 " of listing %" PRIu64 ", which was over at %s",
            row->document.version, row->document.listing_id, moment_text(row->valid_to).text);
    }
    return 0;
}

static void audit_look(struct comparison *c) {
    const struct warehouse_audit *audit = fake_warehouse_audit(c->stores->warehouse);
    vtime edge = retention_edge(c);
    c->o->checks[CHECK_RETENTION].looked_at += audit->count;
    for (size_t i = 0; i < audit->count; i++) {
        const struct audit_row *row = &audit->entries[i].row;
        if (vtime_before(audit->entries[i].recorded, edge) &&
            retention_over(c->o, row->listing_id, row->version)) {
            check_violated(c->o, CHECK_RETENTION, c->now,
                           "the audit still tells of version %" PRId64 " of listing %" PRIu64
                           ", which silver has not any more",
                           row->version, row->listing_id);
        }
    }
}

void retention_compare(struct comparison *c) {
    audit_look(c);
    if (fake_warehouse_each_bronze(c->stores->warehouse, bronze_look, c) != 0 ||
        fake_warehouse_each_version(c->stores->warehouse, silver_look, c) != 0) {
        c->o->out_of_memory = true;
    }
}
