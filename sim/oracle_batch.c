/*
 * The stream against the nightly batch (A17): when a run of it is over and nothing came since, gold
 * and the dashboard say what a rebuild from bronze says. Read from the tables, past both.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "pipeline/array.h"
#include "sim/oracle_parts.h"

/* A record went with a leader after gold had taken it, and was said again: gold names the first
 * telling, and a rebuild the one that is in the log. Both say the same. */
static bool said_again(struct oracle *o, const struct scan_row *gold, const struct scan_row *made) {
    return gold->version < made->version &&
           is_torn(oracle_listing_find(o, made->listing_id), gold->version);
}

static void document_compare(struct comparison *c, const struct scan_row *made,
                             const struct scanned_rows *gold) {
    struct oracle *o = c->o;
    const struct scan_row *row = gold->first;
    o->checks[CHECK_BATCH_EQUALS_STREAM].looked_at++;
    if (row == NULL) {
        check_violated(o, CHECK_BATCH_EQUALS_STREAM, c->now,
                       "gold has no listing %" PRIu64 ", bronze has version %" PRId64,
                       made->listing_id, made->version);
    } else if ((row->version != made->version && !said_again(o, row, made)) ||
               row->whole_hash != made->whole_hash || row->source_hash != made->source_hash ||
               row->alive != made->alive || row->suppressed != made->suppressed) {
        check_violated(o, CHECK_BATCH_EQUALS_STREAM, c->now,
                       "gold has version %" PRId64 " of listing %" PRIu64
                       ", bronze makes version %" PRId64 "%s",
                       row->version, made->listing_id, made->version,
                       row->version == made->version ? " with other content" : "");
    }
}

static void documents_compare(struct comparison *c, const struct warehouse_rebuilt *made) {
    c->gold.at = 0;
    size_t rows = 0;
    for (size_t i = 0; i < made->count; i++) {
        struct scanned_rows gold = scanned_take(&c->gold, made->documents[i].listing_id);
        rows += gold.count > 0;
        document_compare(c, &made->documents[i], &gold);
    }
    size_t listings = 0;
    vtime edge = retention_edge(c);
    for (size_t i = 0; i < c->gold.count; i++) {
        uint64_t id = c->gold.rows[i].listing_id;
        struct scan_row row;
        bool forgotten = retention_gone(oracle_listing_find(c->o, id), edge) &&
                         warehouse_rebuilt_scan(made, id, id, &row, 1) == 0;
        listings += (i == 0 || id != c->gold.rows[i - 1].listing_id) && !forgotten;
    }
    if (listings > rows) {
        check_violated(c->o, CHECK_BATCH_EQUALS_STREAM, c->now,
                       "gold has %zu listings that bronze does not know", listings - rows);
    }
}

static void sales_compare(struct comparison *c) {
    struct warehouse_port port = fake_warehouse_port(c->stores->warehouse);
    const struct warehouse_rebuilt *made = fake_warehouse_rebuilt(c->stores->warehouse);
    struct sales_row *view = NULL;
    size_t capacity = 0, count = 0;
    /* Of hours before the edge bronze has no orders to make sales of. */
    vtime first = retention_edge(c);
    const struct sales_row *sales = made->sales;
    size_t sales_count = made->sales_count;
    for (; sales_count > 0 && vtime_before(sales->hour, first); sales_count--) {
        sales++;
    }
    /* One more than there should be shows that there are too many. */
    if (ARRAY_RESERVE(view, capacity, sales_count + 1) != 0 ||
        port.ops->read_sales(port.ctx, c->now, false, first, VTIME_NEVER, 0, view, sales_count + 1,
                             &count) != 0) {
        c->o->out_of_memory = true;
        free(view);
        return;
    }
    c->o->checks[CHECK_BATCH_EQUALS_STREAM].looked_at += sales_count;
    if (count != sales_count) {
        check_violated(c->o, CHECK_BATCH_EQUALS_STREAM, c->now,
                       "the dashboard has %zu%s buckets, bronze makes %zu", count,
                       count > sales_count ? " or more" : "", sales_count);
    }
    for (size_t i = 0; i < count && i < sales_count; i++) {
        const struct sales_row *a = &view[i], *b = &sales[i];
        if (a->hour.ns != b->hour.ns || !bytes_equal(a->category, b->category) ||
            a->orders != b->orders || a->quantity != b->quantity || a->amount != b->amount) {
            check_violated(c->o, CHECK_BATCH_EQUALS_STREAM, c->now,
                           "bronze makes %" PRId64 " orders and amount %" PRId64
                           " of \"%.*s\" in the hour of %s, the dashboard has %" PRId64
                           " and %" PRId64,
                           b->orders, b->amount, b->category.len < 60 ? (int)b->category.len : 60,
                           b->category.data, moment_text(b->hour).text, a->orders, a->amount);
            break; /* those behind it would differ by their places alone */
        }
    }
    free(view);
}

void batch_compare(struct comparison *c) {
    if (c->o->batch_runs > 0) {
        documents_compare(c, fake_warehouse_rebuilt(c->stores->warehouse));
        sales_compare(c);
    }
}
