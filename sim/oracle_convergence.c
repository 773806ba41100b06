/*
 * The end: every listing that the reference or any store knows is folded once by the reference and
 * compared with the rows of each store, by each access path.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "sim/fake_embedding.h"
#include "sim/oracle_parts.h"

/* ---- Findings ---- */

/* At most `room` bytes of a text that end where a character ends. */
static int excerpt(struct bytes text, size_t room) {
    if (text.len <= room) {
        return (int)text.len;
    }
    while (room > 0 && ((unsigned char)text.data[room] & 0xC0) == 0x80) {
        room--;
    }
    return (int)room;
}

enum { EXCERPT_BYTES = 60 };

static void side_text(char side[192], const char *what, struct bytes text) {
    if (text.data == NULL) {
        snprintf(side, 192, "%s none", what);
        return;
    }
    int shown = excerpt(text, EXCERPT_BYTES);
    snprintf(side, 192, "%s \"%.*s\"%s", what, shown, text.data,
             (size_t)shown < text.len ? "..." : "");
}

void finding_text(struct finding *f, const char *what, struct bytes expected,
                  struct bytes observed) {
    side_text(f->expected, what, expected);
    side_text(f->observed, what, observed);
}

void finding_number(struct finding *f, const char *what, int64_t expected, int64_t observed) {
    snprintf(f->expected, sizeof f->expected, "%s %" PRId64, what, expected);
    snprintf(f->observed, sizeof f->observed, "%s %" PRId64, what, observed);
}

bool finding_text_differs(struct finding *f, const char *what, struct bytes expected,
                          struct bytes observed) {
    if (bytes_equal(expected, observed)) {
        return false;
    }
    finding_text(f, what, expected, observed);
    return true;
}

static void finding_words(struct finding *f, const char *expected, const char *observed) {
    snprintf(f->expected, sizeof f->expected, "%s", expected);
    snprintf(f->observed, sizeof f->observed, "%s", observed);
}

void finding_add(struct comparison *c, const struct finding *f) {
    struct oracle *o = c->o;
    o->drift[f->store][f->class]++;
    check_violated(o, f->check, c->now,
                   "%s: listing %" PRIu64 " is %s: version %" PRId64 " with %s, expected version "
                   "%" PRId64 " with %s",
                   store_name(f->store), f->listing_id, drift_class_name(f->class),
                   f->observed_version, f->observed, f->expected_version, f->expected);
    if (o->kept[f->store] >= DIFFERENCES_PER_STORE) {
        return;
    }
    if (ARRAY_RESERVE(o->differences, o->difference_capacity, o->difference_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    o->kept[f->store]++;
    o->differences[o->difference_count++] = *f;
}

enum drift_class content_class(const struct oracle_listing *l, const struct reference_document *d) {
    bool heard = l != NULL && l->view.seen.alive == d->alive &&
                 (l->view.seen.policy == POLICY_SUPPRESSED) == d->suppressed &&
                 stamp_compare(l->view.last, d->last) >= 0;
    return heard ? DRIFT_MISMATCH : DRIFT_STALE;
}

/* ---- Reading ---- */

struct scanned_rows scanned_take(struct scanned *s, uint64_t id) {
    while (s->at < s->count && s->rows[s->at].listing_id < id) {
        s->at++;
    }
    struct scanned_rows rows = {0};
    while (s->at < s->count && s->rows[s->at].listing_id == id) {
        rows.first = rows.count == 0 ? &s->rows[s->at] : rows.first;
        rows.count++;
        s->at++;
    }
    return rows;
}

/* One call of a scan; modality is meant for vectors only. */
static int scan_once(struct comparison *c, enum store_id store, enum scan_path path,
                     struct scanned *s) {
    s->count = 0;
    if (store == STORE_GOLD) {
        struct warehouse_port port = fake_warehouse_port(c->stores->warehouse);
        return port.ops->scan(port.ctx, c->now, 0, UINT64_MAX, s->rows, s->capacity, &s->count);
    }
    if (store == STORE_KEYWORD) {
        struct keyword_port port = fake_keyword_port(c->stores->keyword);
        return port.ops->scan(port.ctx, c->now, path, 0, UINT64_MAX, s->rows, s->capacity,
                              &s->count);
    }
    struct vector_port port = fake_vector_db_port(c->stores->vectors);
    return port.ops->scan(port.ctx, c->now, (enum modality)store, c->o->options.model_version, path,
                          0, UINT64_MAX, s->rows, s->capacity, &s->count);
}

/* All rows of a store by one path, twins included: read again with more room until all fit. */
static bool scan_all(struct comparison *c, enum store_id store, enum scan_path path,
                     struct scanned *s) {
    size_t wanted = c->o->listing_count + 64;
    do {
        if (ARRAY_RESERVE(s->rows, s->capacity, wanted) != 0) {
            return false;
        }
        int error = scan_once(c, store, path, s);
        if (error == PORT_NOT_FOUND) {
            return true; /* no such collection: every row is missing */
        }
        if (error != PORT_OK) {
            return false;
        }
        wanted = 2 * s->capacity;
    } while (s->count == s->capacity);
    return true;
}

static bool ids_add(struct comparison *c, uint64_t id) {
    if (ARRAY_RESERVE(c->ids, c->id_capacity, c->id_count + 1) != 0) {
        return false;
    }
    c->ids[c->id_count++] = id;
    return true;
}

static bool ids_of(struct comparison *c, const struct scanned *s) {
    for (size_t i = 0; i < s->count; i++) {
        if ((i == 0 || s->rows[i].listing_id != s->rows[i - 1].listing_id) &&
            !ids_add(c, s->rows[i].listing_id)) {
            return false;
        }
    }
    return true;
}

static int id_order_of(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool read_stores(struct comparison *c) {
    const uint64_t *ids;
    size_t count;
    if (reference_ids(c->o->reference, &ids, &count) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!ids_add(c, ids[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < c->o->listing_count; i++) {
        if (!ids_add(c, c->o->listings[i].id)) {
            return false;
        }
    }
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        for (int m = 0; m < MODALITY_COUNT; m++) {
            if (!scan_all(c, (enum store_id)m, (enum scan_path)path, &c->vectors[m][path]) ||
                !ids_of(c, &c->vectors[m][path])) {
                return false;
            }
        }
        if (!scan_all(c, STORE_KEYWORD, (enum scan_path)path, &c->keyword[path]) ||
            !ids_of(c, &c->keyword[path])) {
            return false;
        }
    }
    if (!scan_all(c, STORE_GOLD, SCAN_BY_SCAN, &c->gold) || !ids_of(c, &c->gold)) {
        return false;
    }
    if (c->id_count > 0) {
        qsort(c->ids, c->id_count, sizeof *c->ids, id_order_of);
    }
    size_t kept = 0;
    for (size_t i = 0; i < c->id_count; i++) {
        if (kept == 0 || c->ids[kept - 1] != c->ids[i]) {
            c->ids[kept++] = c->ids[i];
        }
    }
    c->id_count = kept;
    return true;
}

/* ---- Presence ---- */

/* The rows of one listing in one serving store, by each path. */
struct served_rows {
    const struct scan_row *any;
    size_t least, most; /* rows by the path that found fewest and most */
    enum scan_path blind;
};

static struct served_rows served_take(struct scanned scanned[SCAN_PATH_COUNT], uint64_t id) {
    struct served_rows out = {.least = SIZE_MAX};
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        struct scanned_rows rows = scanned_take(&scanned[path], id);
        if (rows.count < out.least) {
            out.least = rows.count;
            out.blind = (enum scan_path)path;
        }
        if (rows.count > out.most) {
            out.most = rows.count;
            out.any = rows.first;
        }
    }
    return out;
}

/* A row that should not be there. */
static enum drift_class unwanted_class(const struct oracle_listing *l,
                                       const struct reference_document *d, enum store_id store) {
    if (d->alive && d->suppressed) {
        return DRIFT_SUPPRESSED_SERVED;
    }
    bool log_says_gone = l != NULL && l->view.known && !seen_served(&l->view.seen);
    return log_says_gone || (l != NULL && l->rows[store].left) ? DRIFT_RESURRECTED : DRIFT_ORPHAN;
}

/*
 * Presence, twins, model and version of a serving store's row. True when a row is there and its
 * content is worth comparing.
 */
static bool presence_compare(struct comparison *c, const struct oracle_listing *l,
                             const struct reference_document *d, bool wanted,
                             const struct served_rows *rows, struct finding *f) {
    static const char *const path_names[SCAN_PATH_COUNT] = {"a scan", "its id", "a search"};
    f->observed_version = rows->any != NULL ? rows->any->version : DOC_VERSION_NONE;
    f->expected_version = wanted && l != NULL ? l->visible : DOC_VERSION_NONE;
    if (!wanted) {
        if (rows->most == 0) {
            return false;
        }
        f->class = unwanted_class(l, d, f->store);
        finding_words(f,
                      !d->alive       ? "no row of a listing that is gone"
                      : d->suppressed ? "no row of a suppressed seller"
                                      : "no row: there is nothing to make it of",
                      "a row");
    } else if (rows->most == 0) {
        f->class = DRIFT_MISSING;
        finding_words(f, "a row", "none");
    } else if (rows->least == 0) {
        f->class = DRIFT_MISSING;
        finding_words(f, "a row by every path", "none");
        snprintf(f->observed, sizeof f->observed, "a row that %s does not find",
                 path_names[rows->blind]);
    } else if (rows->most > 1) {
        f->class = DRIFT_DUPLICATE;
        finding_number(f, "rows", 1, (int64_t)rows->most);
        check_violated(c->o, CHECK_NO_DUPLICATE_ROW, c->now, "%s: listing %" PRIu64 " has %zu rows",
                       store_name(f->store), f->listing_id, rows->most);
    } else if (f->store <= STORE_VECTOR_FUSED &&
               rows->any->model_version != c->o->options.model_version) {
        f->class = DRIFT_WRONG_MODEL;
        finding_number(f, "model version", c->o->options.model_version, rows->any->model_version);
    } else if (f->observed_version != f->expected_version) {
        f->class = f->observed_version < f->expected_version ? DRIFT_STALE : DRIFT_MISMATCH;
        finding_words(f, "what it says at that version", "what it said");
    } else {
        return true;
    }
    finding_add(c, f);
    return false;
}

/* ---- Vectors ---- */

static uint8_t modalities_of(const struct reference_document *d) {
    bool text = reference_has_text(d);
    bool image = d->image_count > 0;
    return (uint8_t)(text << MODALITY_TEXT | image << MODALITY_IMAGE |
                     (text || image) << MODALITY_FUSED);
}

/* True when the metadata differ; both sides are then in the finding. */
static bool meta_differs(const struct row_meta *meta, const struct reference_document *d,
                         struct finding *f) {
    if (!bytes_equal(meta->category, d->category)) {
        finding_text(f, "category", d->category, meta->category);
    } else if (!bytes_equal(meta->locale, d->locale)) {
        finding_text(f, "locale", d->locale, meta->locale);
    } else if (meta->seller_id != d->seller_id) {
        finding_number(f, "seller", (int64_t)d->seller_id, (int64_t)meta->seller_id);
    } else if (meta->price != d->price) {
        finding_number(f, "price", d->price, meta->price);
    } else if (meta->policy != POLICY_ACTIVE) {
        finding_number(f, "policy status", POLICY_ACTIVE, meta->policy);
    } else if (!meta->active) {
        finding_words(f, "active", "not active");
    } else if (meta->modalities != modalities_of(d)) {
        finding_number(f, "modalities", modalities_of(d), meta->modalities);
    } else {
        return false;
    }
    return true;
}

/* Makes the vectors of what the reference says; false when there is no memory. */
static bool vectors_make(struct comparison *c, const struct reference_document *d) {
    size_t length = reference_attributes_text(d, NULL, 0);
    if (ARRAY_RESERVE(c->attributes, c->attributes_capacity, length + 1) != 0 ||
        ARRAY_RESERVE(c->images, c->image_capacity, d->image_count + 1) != 0) {
        return false;
    }
    reference_attributes_text(d, c->attributes, length);
    for (size_t i = 0; i < d->image_count; i++) {
        c->images[i] = (struct image_input){d->images[i].image_id, d->images[i].descriptor};
    }
    struct embed_item item = {
        .listing_id = d->listing_id,
        .modalities = modalities_of(d),
        .text = {d->title, d->description, {c->attributes, length}, d->locale},
        .images = c->images,
        .image_count = d->image_count,
    };
    struct embed_result result = {0};
    for (int m = 0; m < MODALITY_COUNT; m++) {
        result.vectors[m] = item.modalities >> m & 1 ? c->made[m] : NULL;
    }
    struct embedding_port port = fake_embedding_port(c->embedding);
    return port.ops->embed(port.ctx, c->now, c->o->options.model_version, &item, 1, &result) == 0 &&
           result.status == ITEM_APPLIED;
}

static void vector_compare(struct comparison *c, const struct vector_row_view *view,
                           enum modality m, struct finding *f) {
    struct oracle *o = c->o;
    o->checks[CHECK_NO_LOST_EMBEDDING].looked_at++;
    size_t size = modality_dimension(m) * sizeof(float);
    if (view->vector == NULL || memcmp(view->vector, c->made[m], size) != 0) {
        f->class = DRIFT_MISMATCH;
        finding_words(f, "the vector of what the listing says", "another vector");
        finding_add(c, f);
        check_violated(o, CHECK_NO_LOST_EMBEDDING, c->now,
                       "%s: the vector of listing %" PRIu64 " at version %" PRId64
                       " is not that of its content",
                       store_name(f->store), f->listing_id, f->observed_version);
    }
}

static void vectors_compare(struct comparison *c, const struct oracle_listing *l,
                            const struct reference_document *d) {
    struct oracle *o = c->o;
    uint8_t wanted = reference_served(d) ? modalities_of(d) : 0;
    bool verify = wanted != 0 && d->listing_id % o->options.vectors_every == 0;
    if (verify && !vectors_make(c, d)) {
        o->out_of_memory = true;
        return;
    }
    for (int m = 0; m < MODALITY_COUNT; m++) {
        struct served_rows rows = served_take(c->vectors[m], d->listing_id);
        struct finding f = {
            .check = CHECK_CONVERGENCE, .store = (enum store_id)m, .listing_id = d->listing_id};
        bool want = wanted >> m & 1;
        if (want || rows.most > 0) {
            o->compared[m]++;
            o->checks[CHECK_CONVERGENCE].looked_at++;
        }
        struct vector_row_view view;
        if (!presence_compare(c, l, d, want, &rows, &f) ||
            !fake_vector_db_find(c->stores->vectors, (enum modality)m, o->options.model_version,
                                 d->listing_id, &view)) {
            continue;
        }
        if (meta_differs(&view.meta, d, &f)) {
            f.class = content_class(l, d);
            finding_add(c, &f);
        } else if (verify) {
            vector_compare(c, &view, (enum modality)m, &f);
        }
    }
}

/* Rows of one listing in the vector collections and the version of each (A6). */
static void rows_agree(struct comparison *c, uint64_t listing_id) {
    doc_version first = DOC_VERSION_NONE;
    enum modality first_of = MODALITY_TEXT;
    for (int m = 0; m < MODALITY_COUNT; m++) {
        struct row_state row = fake_vector_db_row(c->stores->vectors, (enum modality)m,
                                                  c->o->options.model_version, listing_id);
        if (!row.present) {
            continue;
        }
        if (first == DOC_VERSION_NONE) {
            first = row.version;
            first_of = (enum modality)m;
            continue;
        }
        c->o->checks[CHECK_ROWS_AGREE].looked_at++;
        if (row.version != first) {
            check_violated(c->o, CHECK_ROWS_AGREE, c->now,
                           "listing %" PRIu64 ": %s holds version %" PRId64 ", %s version %" PRId64,
                           listing_id, store_name((enum store_id)first_of), first,
                           store_name((enum store_id)m), row.version);
            return;
        }
    }
}

/* ---- Keyword index ---- */

static void keyword_compare(struct comparison *c, const struct oracle_listing *l,
                            const struct reference_document *d) {
    struct oracle *o = c->o;
    struct served_rows rows = served_take(c->keyword, d->listing_id);
    bool wanted = reference_served(d) && reference_has_text(d);
    struct finding f = {
        .check = CHECK_CONVERGENCE, .store = STORE_KEYWORD, .listing_id = d->listing_id};
    if (wanted || rows.most > 0) {
        o->compared[STORE_KEYWORD]++;
        o->checks[CHECK_CONVERGENCE].looked_at++;
    }
    if (!presence_compare(c, l, d, wanted, &rows, &f)) {
        return;
    }
    /* Both say which text they were made of; that of the vector is checked to the bit. */
    struct row_state text = fake_vector_db_row(c->stores->vectors, MODALITY_TEXT,
                                               o->options.model_version, d->listing_id);
    if (text.present && text.version == f.observed_version &&
        text.content_hash != rows.any->content_hash) {
        f.class = DRIFT_MISMATCH;
        finding_words(&f, "the text of the vector row", "another text");
        finding_add(c, &f);
    }
}

/* Places of cells in the keyword index's journal. */
enum { KEYWORD_VERSION = 1, KEYWORD_TITLE = 11, KEYWORD_DESCRIPTION, KEYWORD_ATTRIBUTES };

/* The texts that the index holds, where a journal lets them be read. */
static int keyword_text_compare(void *ctx, const struct row_version *row) {
    struct comparison *c = ctx;
    struct reference_document d;
    if (row->to.ns != VTIME_NEVER.ns) {
        return 0;
    }
    if (reference_listing(c->o->reference, row->key.key, &d) < 0) {
        return -1;
    }
    size_t length = reference_attributes_text(&d, NULL, 0);
    if (ARRAY_RESERVE(c->attributes, c->attributes_capacity, length + 1) != 0) {
        return -1;
    }
    reference_attributes_text(&d, c->attributes, length);
    struct finding f = {
        .check = CHECK_CONVERGENCE, .store = STORE_KEYWORD, .listing_id = row->key.key};
    f.observed_version = row->cells[KEYWORD_VERSION].integer;
    const struct oracle_listing *l = oracle_listing_find(c->o, row->key.key);
    f.expected_version = l != NULL ? l->visible : DOC_VERSION_NONE;
    if (!reference_served(&d) || f.observed_version != f.expected_version) {
        return 0; /* found out already */
    }
    if (finding_text_differs(&f, "title", d.title, row->cells[KEYWORD_TITLE].text) ||
        finding_text_differs(&f, "description", d.description,
                             row->cells[KEYWORD_DESCRIPTION].text) ||
        finding_text_differs(&f, "attributes", (struct bytes){c->attributes, length},
                             row->cells[KEYWORD_ATTRIBUTES].text)) {
        f.class = content_class(l, &d);
        finding_add(c, &f);
    }
    return 0;
}

/* ---- All of it ---- */

static bool comparison_make(struct comparison *c) {
    c->embedding = fake_embedding_new(NULL);
    for (int m = 0; m < MODALITY_COUNT; m++) {
        c->made[m] = malloc(modality_dimension((enum modality)m) * sizeof(float));
    }
    return c->embedding != NULL && c->made[0] != NULL && c->made[1] != NULL && c->made[2] != NULL &&
           read_stores(c);
}

static void comparison_release(struct comparison *c) {
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        for (int m = 0; m < MODALITY_COUNT; m++) {
            free(c->vectors[m][path].rows);
        }
        free(c->keyword[path].rows);
    }
    for (int m = 0; m < MODALITY_COUNT; m++) {
        free(c->made[m]);
    }
    free(c->gold.rows);
    free(c->ids);
    free(c->attributes);
    free(c->images);
    fake_embedding_free(c->embedding);
}

static void listings_compare(struct comparison *c) {
    struct oracle *o = c->o;
    for (size_t i = 0; i < c->id_count; i++) {
        struct reference_document d;
        if (reference_listing(o->reference, c->ids[i], &d) < 0) {
            o->out_of_memory = true;
            return;
        }
        const struct oracle_listing *l = oracle_listing_find(o, c->ids[i]);
        vectors_compare(c, l, &d);
        keyword_compare(c, l, &d);
        gold_compare(c, l, &d);
        source_compare(c, l, &d);
        rows_agree(c, c->ids[i]);
    }
    if (row_journal_each(fake_keyword_journal(c->stores->keyword), keyword_text_compare, c) != 0) {
        o->out_of_memory = true;
    }
}

static int finding_order(const void *left, const void *right) {
    const struct finding *a = left;
    const struct finding *b = right;
    if (a->store != b->store) {
        return a->store < b->store ? -1 : 1;
    }
    if (a->listing_id != b->listing_id) {
        return a->listing_id < b->listing_id ? -1 : 1;
    }
    return (a->class > b->class) - (a->class < b->class);
}

void oracle_finish_stores(struct oracle *o, vtime now, const struct oracle_stores *stores) {
    struct comparison c = {.o = o, .now = now, .stores = stores};
    gone_tick(o, now);
    freshness_finish(o, now);
    safety_finish(o, now);
    o->finished = true;
    o->finished_at = now;
    if (comparison_make(&c)) {
        listings_compare(&c);
        silver_compare(&c);
        dashboard_compare(&c);
        source_orders_compare(&c);
    } else {
        o->out_of_memory = true;
    }
    comparison_release(&c);
    if (o->difference_count > 0) {
        qsort(o->differences, o->difference_count, sizeof *o->differences, finding_order);
    }
}
