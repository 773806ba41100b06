#include "pipeline/rebuild.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "pipeline/array.h"
#include "pipeline/audit_stream.h"
#include "pipeline/batch_sales.h"
#include "pipeline/document_rows.h"
#include "pipeline/listings.h"
#include "pipeline/machine_parts.h"

struct remade {
    struct listing_head head;
    struct audit_chain chain;
};

struct rebuild {
    struct pipeline_config config;
    struct rebuild_listener listener;
    struct listings *parts; /* of each partition of the log */
    size_t part_count, part_capacity;
    struct batch_sales sales;
    struct effect_pool pool; /* the texts of the row that was made last live in an effect */
    struct effects effects;
    struct effect *row;
};

struct rebuild *rebuild_new(const struct pipeline_config *config,
                            const struct rebuild_listener *listener) {
    struct rebuild *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->config = pipeline_config_with_defaults(config);
    r->listener = *listener;
    batch_sales_init(&r->sales);
    effect_pool_init(&r->pool);
    effects_init(&r->effects, &r->pool);
    return r;
}

static void row_forget(struct rebuild *r) {
    if (r->row != NULL) {
        struct effect *row = effects_take(&r->effects);
        assert(row == r->row);
        effect_release(&r->pool, row);
        r->row = NULL;
    }
}

void rebuild_free(struct rebuild *r) {
    if (r == NULL) {
        return;
    }
    row_forget(r);
    for (size_t i = 0; i < r->part_count; i++) {
        listings_release(&r->parts[i]);
    }
    free(r->parts);
    batch_sales_release(&r->sales);
    effect_pool_release(&r->pool);
    free(r);
}

/* The listings of a partition; NULL without memory. */
static struct listings *part_of(struct rebuild *r, uint32_t partition) {
    if (ARRAY_RESERVE(r->parts, r->part_capacity, (size_t)partition + 1) != 0) {
        return NULL;
    }
    while (r->part_count <= partition) {
        listings_init(&r->parts[r->part_count++], sizeof(struct remade), &r->config, NULL);
    }
    return &r->parts[partition];
}

int rebuild_document_row(struct rebuild *r, const struct folded *folded, struct document_row *row) {
    row_forget(r);
    r->row = effects_add(&r->effects, EFFECT_LOAD_WAREHOUSE, 0, 0);
    return r->row == NULL ? -ENOMEM : document_row_of(&r->effects, r->row, folded, row);
}

/* Tells of the version that the record made. */
static int tell(struct rebuild *r, const struct folded *folded, const struct record *record) {
    if (record->type == RECORD_ERASURE) {
        struct erasure_row erasure = {record->subject_id, folded->document.erased,
                                      folded->visible_version};
        int answer = r->listener.erased(r->listener.ctx, &erasure);
        if (answer != 0) {
            return answer;
        }
    }
    struct document_row row;
    int failed = rebuild_document_row(r, folded, &row);
    return failed != 0 ? failed : r->listener.version(r->listener.ctx, &row);
}

static int tell_event(struct rebuild *r, struct remade *listing, const struct log_record *logged,
                      const struct record *record, bool visible) {
    if (r->listener.event == NULL) {
        return 0;
    }
    struct audit_event event = audit_event_of(&listing->chain, logged, record, visible);
    return r->listener.event(r->listener.ctx, &event);
}

static int take_logged(struct rebuild *r, uint32_t partition, const struct log_record *logged,
                       const struct record *record) {
    struct listings *part = part_of(r, partition);
    int64_t at = part == NULL ? -ENOMEM : listings_make(part, record->subject_id);
    if (at < 0) {
        return -ENOMEM;
    }
    struct remade *listing = listings_at(part, (size_t)at);
    int outcome = folded_fold(&listing->head.folded, record, logged, NULL);
    if (outcome < 0 || listings_age(part, record, logged->append) < 0) {
        return -ENOMEM;
    }
    if (outcome == FOLD_NOT_NEWS) {
        return REBUILD_NOT_NEWS;
    }
    int answer = tell_event(r, listing, logged, record, outcome == FOLD_VISIBLE);
    if (answer == 0 && outcome == FOLD_VISIBLE) {
        answer = tell(r, &listing->head.folded, record);
    }
    return answer != 0 ? answer : outcome == FOLD_VISIBLE ? REBUILD_VISIBLE : REBUILD_TAKEN;
}

int rebuild_take(struct rebuild *r, enum topic_id topic, uint32_t partition,
                 const struct log_record *logged, struct record *record) {
    struct record_error error;
    assert(topic == TOPIC_LISTING_LOG || topic == TOPIC_ORDER);
    if (record_of_topic(topic, logged->value, record, &error) != 0) {
        return REBUILD_NO_RECORD;
    }
    if (topic == TOPIC_LISTING_LOG) {
        return take_logged(r, partition, logged, record);
    }
    return batch_sales_order(&r->sales, record, logged->append) != 0 ? -ENOMEM : REBUILD_TAKEN;
}

int rebuild_each_listing(const struct rebuild *r,
                         int (*each)(void *ctx, const struct folded *folded), void *ctx) {
    for (size_t p = 0; p < r->part_count; p++) {
        for (size_t i = 0; i < r->parts[p].count; i++) {
            const struct remade *listing = listings_at(&r->parts[p], i);
            int answer = each(ctx, &listing->head.folded);
            if (answer != 0) {
                return answer;
            }
        }
    }
    return 0;
}

int rebuild_each_order(const struct rebuild *r,
                       int (*each)(void *ctx, const struct order_row *order), void *ctx) {
    for (size_t i = 0; i < r->sales.order_count; i++) {
        struct order_row order = batch_sales_order_row(&r->sales, i);
        int answer = each(ctx, &order);
        if (answer != 0) {
            return answer;
        }
    }
    return 0;
}

int rebuild_each_sales(struct rebuild *r, vtime from,
                       int (*each)(void *ctx, const struct sales_row *sales), void *ctx) {
    int answer = batch_sales_close(&r->sales, from, VTIME_NEVER) != 0 ? -ENOMEM : 0;
    for (size_t i = 0; answer == 0 && i < r->sales.bucket_count; i++) {
        struct sales_row sales = batch_sales_row(&r->sales, i);
        answer = each(ctx, &sales);
    }
    return answer;
}
