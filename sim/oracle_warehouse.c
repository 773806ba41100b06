/*
 * The end of the warehouse: gold and silver against the reference and the log, the dashboard
 * against the orders.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "sim/oracle_parts.h"

/* ---- Documents ---- */

static bool number_differs(struct finding *f, const char *what, int64_t expected,
                           int64_t observed) {
    if (expected == observed) {
        return false;
    }
    finding_number(f, what, expected, observed);
    return true;
}

/* True when a row says something else than the reference; both sides are then in the finding. */
static bool document_differs(const struct document_row *row, const struct reference_document *d,
                             struct finding *f) {
    enum policy_status policy = d->suppressed ? POLICY_SUPPRESSED : POLICY_ACTIVE;
    if (number_differs(f, "alive", d->alive, row->alive) ||
        number_differs(f, "policy status", policy, row->policy) ||
        number_differs(f, "seller", (int64_t)d->seller_id, (int64_t)row->seller_id) ||
        number_differs(f, "price", d->price, row->price) ||
        finding_text_differs(f, "title", d->title, row->title) ||
        finding_text_differs(f, "description", d->description, row->description) ||
        finding_text_differs(f, "locale", d->locale, row->locale) ||
        finding_text_differs(f, "category", d->category, row->category) ||
        finding_text_differs(f, "category path", d->category_path, row->category_path) ||
        finding_text_differs(f, "locale tag", d->locale_tag, row->locale_tag) ||
        number_differs(f, "tokeniser", d->tokeniser, row->tokeniser)) {
        return true;
    }
    if (!json_is_attributes(row->attributes, d)) {
        finding_text(f, "attributes", (struct bytes){0}, row->attributes);
        snprintf(f->expected, sizeof f->expected, "%zu attributes, as the seller said them",
                 d->attribute_count);
        return true;
    }
    if (!json_is_images(row->images, d)) {
        finding_text(f, "images", (struct bytes){0}, row->images);
        snprintf(f->expected, sizeof f->expected, "the %zu visible images in their order",
                 d->image_count);
        return true;
    }
    return false;
}

/* ---- Gold ---- */

/* A listing that the log names has a gold row, dead or alive. */
static bool gold_differs(const struct scan_row *row, const struct oracle_listing *l,
                         const struct reference_document *d, struct finding *f) {
    if (row->alive && !d->alive) {
        bool heard = l != NULL && l->view.known && !l->view.seen.alive;
        f->class = heard ? DRIFT_RESURRECTED : DRIFT_ORPHAN;
        finding_number(f, "alive", 0, 1);
    } else if (row->alive && d->suppressed && !row->suppressed) {
        f->class = DRIFT_SUPPRESSED_SERVED;
        finding_number(f, "policy status", POLICY_SUPPRESSED, POLICY_ACTIVE);
    } else if (row->alive != d->alive) {
        f->class = content_class(l, d);
        finding_number(f, "alive", d->alive, row->alive);
    } else if (row->suppressed != d->suppressed) {
        f->class = content_class(l, d);
        finding_number(f, "suppressed", d->suppressed, row->suppressed);
    } else if (f->observed_version != f->expected_version) {
        f->class = f->observed_version < f->expected_version ? DRIFT_STALE : DRIFT_MISMATCH;
        finding_text(f, "content", bytes_of("of that version"), bytes_of("of its version"));
    } else {
        return false;
    }
    return true;
}

void gold_compare(struct comparison *c, const struct oracle_listing *l,
                  const struct reference_document *d) {
    struct oracle *o = c->o;
    struct scanned_rows rows = scanned_take(&c->gold, d->listing_id);
    bool wanted = d->alive || (l != NULL && l->view.known);
    struct finding f = {
        .check = CHECK_CONVERGENCE, .store = STORE_GOLD, .listing_id = d->listing_id};
    f.expected_version = wanted && l != NULL ? l->visible : DOC_VERSION_NONE;
    f.observed_version = rows.count > 0 ? rows.first->version : DOC_VERSION_NONE;
    if (wanted || rows.count > 0) {
        o->compared[STORE_GOLD]++;
        o->checks[CHECK_CONVERGENCE].looked_at++;
    }
    if (rows.count == 0 && !wanted) {
        return;
    }
    if (rows.count == 0) {
        f.class = DRIFT_MISSING;
        finding_number(&f, "rows", 1, 0);
    } else if (!wanted) {
        f.class = DRIFT_ORPHAN;
        finding_number(&f, "rows", 0, (int64_t)rows.count);
    } else if (rows.count > 1) {
        f.class = DRIFT_DUPLICATE;
        finding_number(&f, "rows", 1, (int64_t)rows.count);
        check_violated(o, CHECK_NO_DUPLICATE_ROW, c->now, "gold: listing %" PRIu64 " has %zu rows",
                       d->listing_id, rows.count);
    } else if (!gold_differs(rows.first, l, d, &f)) {
        return;
    }
    finding_add(c, &f);
}

/* Places of cells in gold's journal: those of a document come after the listing's id. */
enum {
    GOLD_VERSION = 1,
    GOLD_SOURCE_HASH = 6,
    GOLD_WHOLE_HASH,
    GOLD_ALIVE,
    GOLD_POLICY,
    GOLD_SELLER,
    GOLD_PRICE,
    GOLD_TITLE,
    GOLD_DESCRIPTION,
    GOLD_LOCALE,
    GOLD_CATEGORY,
    GOLD_ATTRIBUTES,
    GOLD_IMAGES,
    GOLD_CATEGORY_PATH,
    GOLD_LOCALE_TAG,
    GOLD_TOKENISER
};

/* The columns of gold, where a journal lets them be read. */
static int gold_columns_compare(void *ctx, const struct row_version *version) {
    struct comparison *c = ctx;
    const struct cell *cells = version->cells;
    if (version->to.ns != VTIME_NEVER.ns || version->key.copy != 0) {
        return 0;
    }
    struct reference_document d;
    if (reference_listing(c->o->reference, version->key.key, &d) < 0) {
        return -1;
    }
    struct document_row row = {
        .alive = cells[GOLD_ALIVE].integer != 0,
        .policy = (enum policy_status)cells[GOLD_POLICY].integer,
        .seller_id = (uint64_t)cells[GOLD_SELLER].integer,
        .price = cells[GOLD_PRICE].type == CELL_NULL ? -1 : cells[GOLD_PRICE].integer,
        .title = cells[GOLD_TITLE].text,
        .description = cells[GOLD_DESCRIPTION].text,
        .locale = cells[GOLD_LOCALE].text,
        .category = cells[GOLD_CATEGORY].text,
        .attributes = cells[GOLD_ATTRIBUTES].text,
        .images = cells[GOLD_IMAGES].text,
        .category_path = cells[GOLD_CATEGORY_PATH].text,
        .locale_tag = cells[GOLD_LOCALE_TAG].text,
        .tokeniser = (enum tokeniser)cells[GOLD_TOKENISER].integer,
    };
    const struct oracle_listing *l = oracle_listing_find(c->o, version->key.key);
    struct finding f = {
        .check = CHECK_CONVERGENCE, .store = STORE_GOLD, .listing_id = version->key.key};
    f.observed_version = cells[GOLD_VERSION].integer;
    f.expected_version = l != NULL ? l->visible : DOC_VERSION_NONE;
    /* What a scan shows of a row was compared already. */
    if (f.observed_version == f.expected_version && row.alive == d.alive &&
        (row.policy == POLICY_SUPPRESSED) == d.suppressed && document_differs(&row, &d, &f)) {
        f.class = content_class(l, &d);
        finding_add(c, &f);
    }
    return 0;
}

/* ---- Silver ---- */

struct silver_brief {
    uint64_t listing_id;
    doc_version version;
    vtime from, to;
};

struct silver {
    struct comparison *c;
    struct silver_brief *rows;
    size_t count, capacity;
};

/* The present version of a listing says what the reference says, and gold has the same. */
static int silver_current(struct comparison *c, const struct document_row *row) {
    struct oracle *o = c->o;
    struct reference_document d;
    if (reference_listing(o->reference, row->listing_id, &d) < 0) {
        return -1;
    }
    const struct oracle_listing *l = oracle_listing_find(o, row->listing_id);
    o->compared[STORE_SILVER]++;
    o->checks[CHECK_CONVERGENCE].looked_at++;
    struct finding f = {
        .check = CHECK_CONVERGENCE, .store = STORE_SILVER, .listing_id = row->listing_id};
    f.observed_version = row->version;
    f.expected_version = l != NULL ? l->visible : DOC_VERSION_NONE;
    struct row_state gold = fake_warehouse_gold(c->stores->warehouse, row->listing_id);
    if (f.observed_version < f.expected_version) {
        return 0; /* a version is missing, which the history says */
    }
    if (document_differs(row, &d, &f)) {
        f.class = content_class(l, &d);
        finding_add(c, &f);
    } else if (gold.version == row->version &&
               (gold.whole_hash != row->whole_hash || gold.source_hash != row->source_hash)) {
        f.store = STORE_GOLD;
        f.class = DRIFT_MISMATCH;
        finding_number(&f, "hash of silver", (int64_t)row->whole_hash, (int64_t)gold.whole_hash);
        finding_add(c, &f);
    }
    return 0;
}

static int silver_take(void *ctx, const struct silver_row *row) {
    struct silver *silver = ctx;
    if (!vtime_before(retention_edge(silver->c), row->valid_to)) {
        return 0; /* it should not be there: retention_compare says so */
    }
    if (ARRAY_RESERVE(silver->rows, silver->capacity, silver->count + 1) != 0) {
        return -1;
    }
    silver->rows[silver->count++] = (struct silver_brief){
        row->document.listing_id, row->document.version, row->valid_from, row->valid_to};
    return row->valid_to.ns == VTIME_NEVER.ns ? silver_current(silver->c, &row->document) : 0;
}

static int key_order(uint64_t id_a, doc_version a, uint64_t id_b, doc_version b) {
    if (id_a != id_b) {
        return id_a < id_b ? -1 : 1;
    }
    return (a > b) - (a < b);
}

static int silver_order_of_keys(const struct silver_brief *a, const struct silver_brief *b) {
    return key_order(a->listing_id, a->version, b->listing_id, b->version);
}

static int silver_order(const void *left, const void *right) {
    const struct silver_brief *a = left;
    const struct silver_brief *b = right;
    int order = silver_order_of_keys(a, b);
    return order != 0 ? order : (a->from.ns > b->from.ns) - (a->from.ns < b->from.ns);
}

int position_order(const void *left, const void *right) {
    const struct position *a = left;
    const struct position *b = right;
    return key_order(a->listing_id, a->version, b->listing_id, b->version);
}

/* Two neighbours of one listing; b comes after a or is NULL. */
static void silver_neighbours(struct comparison *c, const struct silver_brief *a,
                              const struct silver_brief *b) {
    struct oracle *o = c->o;
    bool last = b == NULL || b->listing_id != a->listing_id;
    if (last) {
        if (a->to.ns != VTIME_NEVER.ns) {
            check_violated(o, CHECK_HISTORY, c->now,
                           "silver: the last version %" PRId64 " of listing %" PRIu64
                           " ended at %s",
                           a->version, a->listing_id, moment_text(a->to).text);
        }
        return;
    }
    if (a->version == b->version) {
        check_violated(o, CHECK_NO_DUPLICATE_ROW, b->from,
                       "silver: version %" PRId64 " of listing %" PRIu64 " is there twice",
                       a->version, a->listing_id);
        o->drift[STORE_SILVER][DRIFT_DUPLICATE]++;
        return;
    }
    if (a->to.ns != b->from.ns) {
        check_violated(o, CHECK_HISTORY, b->from,
                       "silver: version %" PRId64 " of listing %" PRIu64
                       " ends at %s, version %" PRId64 " begins at %s",
                       a->version, a->listing_id, moment_text(a->to).text, b->version,
                       moment_text(b->from).text);
    }
}

static void silver_missing(struct comparison *c, const struct position *position) {
    if (is_torn(oracle_listing_find(c->o, position->listing_id), position->version)) {
        return;
    }
    c->o->drift[STORE_SILVER][DRIFT_MISSING]++;
    check_violated(c->o, CHECK_HISTORY, c->now,
                   "silver: version %" PRId64 " of listing %" PRIu64 " is missing",
                   position->version, position->listing_id);
}

/* A version at whose position nothing changed says what the one before it said. */
static void silver_surplus(struct oracle *o, const struct silver_brief *row) {
    if (is_torn(oracle_listing_find(o, row->listing_id), row->version)) {
        return;
    }
    check_violated(o, CHECK_NO_DUPLICATE_ROW, row->from,
                   "silver: version %" PRId64 " of listing %" PRIu64
                   " says what the version before it said",
                   row->version, row->listing_id);
}

/* Every position that changed what readers see is a version of silver, and no other is. */
static void silver_complete(struct comparison *c, const struct silver *silver) {
    struct oracle *o = c->o;
    size_t at = 0;
    for (size_t i = 0; i < silver->count;) {
        const struct silver_brief *row = &silver->rows[i];
        int order = -1;
        if (at < o->position_count) {
            order = key_order(row->listing_id, row->version, o->positions[at].listing_id,
                              o->positions[at].version);
        }
        if (order > 0) {
            silver_missing(c, &o->positions[at]);
        } else if (order < 0) {
            silver_surplus(o, row);
        }
        at += order >= 0;
        /* Twins were found out already. */
        size_t next = i + 1;
        while (next < silver->count && silver_order_of_keys(row, &silver->rows[next]) == 0) {
            next++;
        }
        i = order <= 0 ? next : i;
    }
    for (; at < o->position_count; at++) {
        silver_missing(c, &o->positions[at]);
    }
}

/* Versions from before an erasure are not expected any more. */
static void positions_keep_history(struct oracle *o) {
    size_t kept = 0;
    for (size_t i = 0; i < o->position_count; i++) {
        const struct oracle_listing *l = oracle_listing_find(o, o->positions[i].listing_id);
        if (l == NULL || o->positions[i].version >= l->history_from) {
            o->positions[kept++] = o->positions[i];
        }
    }
    o->position_count = kept;
}

void silver_compare(struct comparison *c) {
    struct oracle *o = c->o;
    struct silver silver = {.c = c};
    if (fake_warehouse_each_silver(c->stores->warehouse, silver_take, &silver) != 0 ||
        row_journal_each(fake_warehouse_gold_journal(c->stores->warehouse), gold_columns_compare,
                         c) != 0) {
        o->out_of_memory = true;
        free(silver.rows);
        return;
    }
    if (silver.count > 0) {
        qsort(silver.rows, silver.count, sizeof *silver.rows, silver_order);
    }
    positions_keep_history(o);
    if (o->position_count > 0) {
        qsort(o->positions, o->position_count, sizeof *o->positions, position_order);
    }
    retention_positions(o, retention_edge(c));
    o->checks[CHECK_HISTORY].looked_at += silver.count + o->position_count;
    for (size_t i = 0; i < silver.count; i++) {
        silver_neighbours(c, &silver.rows[i], i + 1 < silver.count ? &silver.rows[i + 1] : NULL);
    }
    silver_complete(c, &silver);
    free(silver.rows);
}

/* ---- Dashboard ---- */

static int sales_order(const void *left, const void *right) {
    const struct sales_row *a = left;
    const struct sales_row *b = right;
    int order = bytes_compare(a->category, b->category);
    return order != 0 ? order : (a->hour.ns > b->hour.ns) - (a->hour.ns < b->hour.ns);
}

static void sales_violated(struct comparison *c, const struct reference_sales *wanted,
                           const struct sales_row *row) {
    struct bytes category = wanted != NULL ? wanted->category : row->category;
    vtime hour = wanted != NULL ? wanted->hour : row->hour;
    check_violated(c->o, CHECK_DASHBOARD, c->now,
                   "sales of \"%.*s\" in the hour of %s: %" PRId64 " orders, quantity %" PRId64
                   ", amount %" PRId64 "; expected %" PRId64 ", %" PRId64 ", %" PRId64,
                   category.len < 60 ? (int)category.len : 60, category.data,
                   moment_text(hour).text, row != NULL ? row->orders : 0,
                   row != NULL ? row->quantity : 0, row != NULL ? row->amount : 0,
                   wanted != NULL ? wanted->orders : 0, wanted != NULL ? wanted->quantity : 0,
                   wanted != NULL ? wanted->amount : 0);
}

static bool sales_equal(const struct reference_sales *a, const struct sales_row *b) {
    return a->orders == b->orders && a->quantity == b->quantity && a->amount == b->amount;
}

void dashboard_compare(struct comparison *c) {
    struct sales_row *rows = NULL;
    size_t count = 0;
    size_t capacity = 0;
    struct sales_row row;
    for (size_t i = 0; fake_warehouse_sales(c->stores->warehouse, i, &row); i++) {
        if (row.orders == 0 && row.quantity == 0 && row.amount == 0) {
            continue;
        }
        if (ARRAY_RESERVE(rows, capacity, count + 1) != 0) {
            c->o->out_of_memory = true;
            free(rows);
            return;
        }
        rows[count++] = row;
    }
    if (count > 0) {
        qsort(rows, count, sizeof *rows, sales_order);
    }
    const struct reference_sales *wanted;
    size_t wanted_count;
    if (reference_sales(c->o->reference, &wanted, &wanted_count) != 0) {
        c->o->out_of_memory = true;
        free(rows);
        return;
    }
    c->o->checks[CHECK_DASHBOARD].looked_at += wanted_count + count;
    size_t at = 0;
    for (size_t i = 0; i < wanted_count || at < count;) {
        int order = i == wanted_count ? 1 : at == count ? -1 : 0;
        if (order == 0) {
            struct sales_row key = {.category = wanted[i].category, .hour = wanted[i].hour};
            order = sales_order(&key, &rows[at]);
        }
        if (order != 0 || !sales_equal(&wanted[i], &rows[at])) {
            sales_violated(c, order <= 0 ? &wanted[i] : NULL, order >= 0 ? &rows[at] : NULL);
        }
        i += order <= 0;
        at += order >= 0;
    }
    free(rows);
}
