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

/* ---- Presence ---- */

struct served_rows served_take(struct scanned scanned[SCAN_PATH_COUNT], uint64_t id) {
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

bool presence_compare(struct comparison *c, const struct oracle_listing *l,
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
    } else if (f->model_version > 0 && rows->any->model_version != f->model_version) {
        f->class = DRIFT_WRONG_MODEL;
        finding_number(f, "model version", f->model_version, rows->any->model_version);
    } else if (f->observed_version != f->expected_version) {
        f->class = f->observed_version < f->expected_version ? DRIFT_STALE : DRIFT_MISMATCH;
        finding_words(f, "what it says at that version", "what it said");
    } else {
        return true;
    }
    finding_add(c, f);
    return false;
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
    struct row_state text = fake_vector_db_row(
        c->stores->vectors, MODALITY_TEXT, c->models[LANE_SERVED][MODALITY_TEXT], d->listing_id);
    if (text.present && text.version == f.observed_version &&
        text.content_hash != rows.any->content_hash) {
        f.class = DRIFT_MISMATCH;
        finding_words(&f, "the text of the vector row", "another text");
        finding_add(c, &f);
    }
}

/* Places of cells in the keyword index's journal. */
enum {
    KEYWORD_VERSION = 1,
    KEYWORD_CATEGORY = 5,
    KEYWORD_LOCALE,
    KEYWORD_TITLE = 11,
    KEYWORD_DESCRIPTION,
    KEYWORD_ATTRIBUTES
};

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
    if (finding_text_differs(&f, "category", d.category_path, row->cells[KEYWORD_CATEGORY].text) ||
        finding_text_differs(&f, "locale", d.locale_tag, row->cells[KEYWORD_LOCALE].text) ||
        finding_text_differs(&f, "title", d.title, row->cells[KEYWORD_TITLE].text) ||
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
    for (int m = 0; m < MODALITY_COUNT; m++) {
        c->models[LANE_SERVED][m] = c->o->served[m];
        c->models[LANE_STANDBY][m] = upgrade_standby(c->o, (enum modality)m);
    }
    c->embedding = fake_embedding_new(NULL);
    for (int m = 0; m < MODALITY_COUNT; m++) {
        c->made[m] = malloc(modality_dimension((enum modality)m) * sizeof(float));
    }
    return c->embedding != NULL && c->made[0] != NULL && c->made[1] != NULL && c->made[2] != NULL &&
           comparison_read(c);
}

static void comparison_release(struct comparison *c) {
    for (int path = 0; path < SCAN_PATH_COUNT; path++) {
        for (int m = 0; m < MODALITY_COUNT; m++) {
            free(c->vectors[LANE_SERVED][m][path].rows);
            free(c->vectors[LANE_STANDBY][m][path].rows);
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
        remade_compare(c, l, &d);
    }
    vectors_compared(c);
    if (row_journal_each(fake_keyword_journal(c->stores->keyword), keyword_text_compare, c) != 0) {
        o->out_of_memory = true;
    }
}

/* A total order: which of two equal ones sort leaves first differs between libraries. */
static int finding_order(const void *left, const void *right) {
    const struct finding *a = left;
    const struct finding *b = right;
    if (a->store != b->store) {
        return a->store < b->store ? -1 : 1;
    }
    if (a->listing_id != b->listing_id) {
        return a->listing_id < b->listing_id ? -1 : 1;
    }
    if (a->class != b->class) {
        return a->class < b->class ? -1 : 1;
    }
    if (a->model_version != b->model_version) {
        return a->model_version < b->model_version ? -1 : 1;
    }
    if (a->check != b->check) {
        return a->check < b->check ? -1 : 1;
    }
    int order = strcmp(a->expected, b->expected);
    return order != 0 ? order : strcmp(a->observed, b->observed);
}

void oracle_finish_stores(struct oracle *o, vtime now, const struct oracle_stores *stores) {
    struct comparison c = {.o = o, .now = now, .stores = stores};
    gone_tick(o, now);
    freshness_finish(o, now);
    safety_finish(o, now);
    upgrade_finish(o, now, stores->vectors);
    erasure_finish(o, now);
    o->finished = true;
    o->finished_at = now;
    if (comparison_make(&c)) {
        listings_compare(&c);
        stream_compare_all(&c);
        silver_compare(&c);
        dashboard_compare(&c);
        audit_compare(&c);
        losses_compare(&c);
        batch_compare(&c);
        retention_compare(&c);
        source_orders_compare(&c);
    } else {
        o->out_of_memory = true;
    }
    comparison_release(&c);
    if (o->difference_count > 0) {
        qsort(o->differences, o->difference_count, sizeof *o->differences, finding_order);
    }
}
