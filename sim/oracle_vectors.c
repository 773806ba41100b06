/*
 * The end: the vector collections. Those that readers see and those that are written beside them
 * (A10) are held against the same listings, each with the vectors of its own model.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/array.h"
#include "sim/fake_embedding.h"
#include "sim/oracle_parts.h"

static uint8_t modalities_of(const struct reference_document *d) {
    bool text = reference_has_text(d);
    bool image = d->image_count > 0;
    return (uint8_t)(text << MODALITY_TEXT | image << MODALITY_IMAGE |
                     (text || image) << MODALITY_FUSED);
}

/* True when the metadata differ; both sides are then in the finding. */
static bool meta_differs(const struct row_meta *meta, const struct reference_document *d,
                         struct finding *f) {
    if (!bytes_equal(meta->category, d->category_path)) {
        finding_text(f, "category", d->category_path, meta->category);
    } else if (!bytes_equal(meta->locale, d->locale_tag)) {
        finding_text(f, "locale", d->locale_tag, meta->locale);
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

/* Makes the vectors of what the reference says by a model; false when there is no memory. */
static bool vectors_make(struct comparison *c, const struct reference_document *d,
                         uint32_t model_version) {
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
        .text = {d->title, d->description, {c->attributes, length}, d->locale_tag, d->tokeniser},
        .images = c->images,
        .image_count = d->image_count,
    };
    struct embed_result result = {0};
    for (int m = 0; m < MODALITY_COUNT; m++) {
        result.vectors[m] = item.modalities >> m & 1 ? c->made[m] : NULL;
    }
    struct embedding_port port = fake_embedding_port(c->embedding);
    return port.ops->embed(port.ctx, c->now, model_version, &item, 1, &result) == 0 &&
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

/* One row of one collection. `verify`: the vectors of this listing and model were made. */
static void row_compare(struct comparison *c, enum lane lane, enum modality m,
                        const struct oracle_listing *l, const struct reference_document *d,
                        bool wanted, bool verify) {
    struct oracle *o = c->o;
    struct served_rows rows = served_take(c->vectors[lane][m], d->listing_id);
    struct finding f = {
        .check = lane == LANE_SERVED ? CHECK_CONVERGENCE : CHECK_STANDBY_COMPLETE,
        .store = (enum store_id)m,
        .model_version = c->models[lane][m],
        .listing_id = d->listing_id,
    };
    if (wanted || rows.most > 0) {
        o->compared[m] += lane == LANE_SERVED;
        o->checks[f.check].looked_at++;
    }
    struct vector_row_view view;
    if (!presence_compare(c, l, d, wanted, &rows, &f) ||
        !fake_vector_db_find(c->stores->vectors, m, f.model_version, d->listing_id, &view)) {
        return;
    }
    if (meta_differs(&view.meta, d, &f)) {
        f.class = content_class(l, d);
        finding_add(c, &f);
    } else if (verify) {
        vector_compare(c, &view, m, &f);
    }
}

/* Rows of one listing in the vector collections of a lane and the version of each (A6). */
static void rows_agree(struct comparison *c, enum lane lane, uint64_t listing_id) {
    doc_version first = DOC_VERSION_NONE;
    enum modality first_of = MODALITY_TEXT;
    for (int m = 0; m < MODALITY_COUNT; m++) {
        struct row_state row = fake_vector_db_row(c->stores->vectors, (enum modality)m,
                                                  c->models[lane][m], listing_id);
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

static void lane_compare(struct comparison *c, enum lane lane, const struct oracle_listing *l,
                         const struct reference_document *d) {
    struct oracle *o = c->o;
    uint8_t wanted = reference_served(d) ? modalities_of(d) : 0;
    c->served = c->served || wanted != 0;
    uint32_t made_by = 0; /* model of the vectors at hand */
    for (int m = 0; m < MODALITY_COUNT; m++) {
        uint32_t model = c->models[lane][m];
        bool verify = model != 0 && wanted != 0 && d->listing_id % o->options.vectors_every == 0;
        if (verify && model != made_by && !vectors_make(c, d, model)) {
            o->out_of_memory = true;
            return;
        }
        made_by = verify ? model : made_by;
        if (model != 0 || lane == LANE_SERVED) {
            row_compare(c, lane, (enum modality)m, l, d, wanted >> m & 1, verify);
        }
    }
    rows_agree(c, lane, d->listing_id);
}

void vectors_compare(struct comparison *c, const struct oracle_listing *l,
                     const struct reference_document *d) {
    lane_compare(c, LANE_SERVED, l, d);
    lane_compare(c, LANE_STANDBY, l, d);
}

void vectors_compared(struct comparison *c) {
    static const enum check_id checks[] = {CHECK_ROWS_AGREE, CHECK_NO_LOST_EMBEDDING,
                                           CHECK_STANDBY_COMPLETE};
    bool standby = c->models[LANE_STANDBY][MODALITY_TEXT] != 0;
    for (size_t i = 0; !c->served && i < (standby ? 3 : 2); i++) {
        c->o->checks[checks[i]].looked_at += c->id_count;
    }
}
