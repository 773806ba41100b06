/*
 * Fold and merge: both bring parts with stamps, in the order of their keys, and the greater stamp
 * stays.
 *
 * Each goes in two steps, so that lack of memory leaves the document as it was. The first makes
 * room: it widens the data of parts that will be overwritten, and builds parts that the document
 * does not have yet behind the end of the arrays, where no reader looks ("staged"). The second
 * cannot fail: it overwrites, moves the staged parts to their places and buries what the tombstone
 * covers.
 */
#include <assert.h>
#include <errno.h>

#include "pipeline/document_parts.h"
#include "pipeline/fact.h"

struct intake {
    struct document *d;
    struct stamp cut; /* nothing at or below it survives */
    bool repeats_win; /* BUG_NO_DEDUPE */
    bool changed;
    uint32_t staged_fields;
    uint32_t staged_images;
    uint32_t staged_facts;
};

static struct stamp stamp_max(struct stamp a, struct stamp b) {
    return stamp_compare(a, b) < 0 ? b : a;
}

/* Does an incoming stamp replace the one that is held? */
static inline bool wins(const struct intake *in, struct stamp incoming, struct stamp held) {
    int order = stamp_compare(incoming, held);
    return order > 0 || (order == 0 && in->repeats_win);
}

static inline bool buried(const struct intake *in, struct stamp incoming) {
    return stamp_compare(incoming, in->cut) <= 0;
}

/* ---- fields ---- */

/* The held field that f would replace, at or behind *from; NULL when there is none. */
static struct document_field *counterpart(const struct intake *in, uint32_t *from,
                                          const struct field *f) {
    struct document *d = in->d;
    *from = document_field_at(d, *from, f->id, f->name);
    if (*from == d->field_count) {
        return NULL;
    }
    struct document_field *held = &d->fields[*from];
    return held->id == f->id && bytes_equal(held_name(held), f->name) ? held : NULL;
}

static int stage_field(struct intake *in, const struct field *f, struct stamp stamp) {
    struct document *d = in->d;
    uint32_t at = d->field_count + in->staged_fields;
    if (document_reserve_fields(d, (size_t)at + 1) != 0) {
        return -ENOMEM;
    }
    struct document_field *fresh = &d->fields[at];
    *fresh = (struct document_field){0};
    if (document_reserve_data(&fresh->data, &fresh->capacity, f->name.len + f->text.len) != 0) {
        return -ENOMEM;
    }
    document_set_field(fresh, f, stamp);
    in->staged_fields++;
    return 0;
}

static int prepare_field(struct intake *in, uint32_t *from, const struct field *f,
                         struct stamp stamp) {
    if (buried(in, stamp)) {
        return 0;
    }
    struct document_field *held = counterpart(in, from, f);
    if (held == NULL) {
        return stage_field(in, f, stamp);
    }
    return wins(in, stamp, held->stamp)
               ? document_reserve_data(&held->data, &held->capacity, f->name.len + f->text.len)
               : 0;
}

static void apply_field(struct intake *in, uint32_t *from, const struct field *f,
                        struct stamp stamp) {
    if (buried(in, stamp)) {
        return;
    }
    struct document_field *held = counterpart(in, from, f);
    if (held != NULL && wins(in, stamp, held->stamp)) {
        document_set_field(held, f, stamp);
        in->changed = true;
    }
}

/* Staged fields rise among themselves, and each stands right behind the end when its turn comes. */
static void place_staged_fields(struct intake *in) {
    struct document *d = in->d;
    uint32_t from = 0;
    for (; in->staged_fields > 0; in->staged_fields--) {
        struct document_field fresh = d->fields[d->field_count];
        from = document_field_at(d, from, (enum field_id)fresh.id, held_name(&fresh));
        memmove(&d->fields[from + 1], &d->fields[from],
                (d->field_count - from) * sizeof *d->fields);
        d->fields[from] = fresh;
        d->field_count++;
        in->changed = true;
    }
}

/* ---- images ---- */

static struct document_image *image_counterpart(const struct intake *in, uint32_t *from,
                                                uint64_t image_id) {
    struct document *d = in->d;
    *from = document_image_at(d, *from, image_id);
    return *from < d->image_count && d->images[*from].image_id == image_id ? &d->images[*from]
                                                                           : NULL;
}

static int stage_image(struct intake *in, const struct document_image *image) {
    struct document *d = in->d;
    uint32_t at = d->image_count + in->staged_images;
    if (document_reserve_images(d, (size_t)at + 1) != 0) {
        return -ENOMEM;
    }
    struct document_image *fresh = &d->images[at];
    *fresh = (struct document_image){0};
    if (document_reserve_data(&fresh->data, &fresh->capacity, image->len) != 0) {
        return -ENOMEM;
    }
    document_set_image(fresh, image->image_id, image->delivered,
                       (struct bytes){image->data, image->len}, image->stamp);
    fresh->dropped = image->dropped;
    in->staged_images++;
    return 0;
}

/* The bytes of an orphan were dropped, and come once more. */
static bool brings_back(const struct document_image *image, const struct document_image *held) {
    return held->dropped && !image->dropped && image->delivered &&
           stamp_compare(image->stamp, held->stamp) == 0;
}

static int prepare_image(struct intake *in, uint32_t *from, const struct document_image *image) {
    if (buried(in, image->stamp)) {
        return 0;
    }
    struct document_image *held = image_counterpart(in, from, image->image_id);
    if (held == NULL) {
        return stage_image(in, image);
    }
    return wins(in, image->stamp, held->stamp) || brings_back(image, held)
               ? document_reserve_data(&held->data, &held->capacity, image->len)
               : 0;
}

static void apply_image(struct intake *in, uint32_t *from, const struct document_image *image) {
    if (buried(in, image->stamp)) {
        return;
    }
    struct document_image *held = image_counterpart(in, from, image->image_id);
    /* Those that nobody named in time stay dropped. */
    if (held != NULL && (wins(in, image->stamp, held->stamp) ||
                         (brings_back(image, held) && !document_image_orphaned(in->d, held)))) {
        document_set_image(held, image->image_id, image->delivered,
                           (struct bytes){image->data, image->len}, image->stamp);
        held->dropped = image->dropped;
        in->changed = true;
    }
}

static void place_staged_images(struct intake *in) {
    struct document *d = in->d;
    uint32_t from = 0;
    for (; in->staged_images > 0; in->staged_images--) {
        struct document_image fresh = d->images[d->image_count];
        from = document_image_at(d, from, fresh.image_id);
        memmove(&d->images[from + 1], &d->images[from],
                (d->image_count - from) * sizeof *d->images);
        d->images[from] = fresh;
        d->image_count++;
        in->changed = true;
    }
}

/* ---- namings ---- */

/* Room for whatever the record names, before anything of it is applied. */
static int prepare_namings(struct document *d, size_t count) {
    return stamp_is_none(d->erased) ? document_reserve_namings(d, d->naming_count + count) : 0;
}

/* The earliest naming counts. Nothing is remembered of an erased listing. */
static void apply_naming(struct intake *in, uint64_t image_id, struct stamp stamp) {
    struct document *d = in->d;
    if (!stamp_is_none(d->erased)) {
        return;
    }
    uint32_t at = document_naming_at(d, image_id);
    struct document_naming *held = &d->namings[at];
    if (at == d->naming_count || held->image_id != image_id) {
        memmove(held + 1, held, (d->naming_count - at) * sizeof *held);
        d->naming_count++;
    } else if (stamp_compare(stamp, held->first) >= 0) {
        return;
    }
    *held = (struct document_naming){image_id, stamp};
    in->changed = true;
}

/* The ids that a record names, if it names any. */
static struct field ids_named(const struct record *r) {
    struct field f;
    for (struct field_cursor c = record_fields(r); record_fields_next(&c, &f);) {
        if (f.id == FIELD_IMAGE_IDS && f.type == VALUE_IDS) {
            return f;
        }
    }
    return (struct field){.id = FIELD_IMAGE_IDS, .type = VALUE_IDS};
}

/* ---- facts ---- */

/* The fact that is held, or staged, of the same thing; NULL when there is none. */
static struct document_fact *fact_counterpart(const struct intake *in, const struct fact *fact) {
    struct document *d = in->d;
    if (document_fact_find(d, fact->kind, fact->key) != NULL) {
        return &d->facts[document_fact_at(d, fact->kind, fact->key)];
    }
    for (uint32_t i = 0; i < in->staged_facts; i++) {
        struct document_fact *staged = &d->facts[d->fact_count + i];
        if (staged->kind == (uint8_t)fact->kind && staged->key == fact->key) {
            return staged;
        }
    }
    return NULL;
}

static int stage_fact(struct intake *in, const struct fact *fact) {
    struct document *d = in->d;
    uint32_t at = d->fact_count + in->staged_facts;
    if (document_reserve_facts(d, (size_t)at + 1) != 0) {
        return -ENOMEM;
    }
    struct document_fact *fresh = &d->facts[at];
    *fresh = (struct document_fact){0};
    if (document_reserve_data(&fresh->data, &fresh->capacity, fact->value.len) != 0) {
        return -ENOMEM;
    }
    document_set_fact(fresh, fact);
    in->staged_facts++;
    return 0;
}

static int prepare_fact(struct intake *in, const struct fact *fact) {
    struct document_fact *held = fact_counterpart(in, fact);
    if (held == NULL) {
        return stage_fact(in, fact);
    }
    return wins(in, fact->stamp, held->stamp)
               ? document_reserve_data(&held->data, &held->capacity, fact->value.len)
               : 0;
}

static void apply_fact(struct intake *in, const struct fact *fact) {
    struct document_fact *held = fact_counterpart(in, fact);
    if (wins(in, fact->stamp, held->stamp)) {
        document_set_fact(held, fact);
        in->changed = true;
    }
}

static void place_staged_facts(struct intake *in) {
    struct document *d = in->d;
    for (; in->staged_facts > 0; in->staged_facts--) {
        struct document_fact fresh = d->facts[d->fact_count];
        uint32_t at = document_fact_at(d, (enum fact_kind)fresh.kind, fresh.key);
        memmove(&d->facts[at + 1], &d->facts[at], (d->fact_count - at) * sizeof *d->facts);
        d->facts[at] = fresh;
        d->fact_count++;
        in->changed = true;
    }
}

/* ---- the tombstone, and the end of an intake ---- */

static void bury_fields(struct intake *in) {
    struct document *d = in->d;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < d->field_count; i++) {
        if (buried(in, d->fields[i].stamp)) {
            document_free_data(d->fields[i].data, d->fields[i].capacity);
            in->changed = true;
        } else {
            d->fields[kept++] = d->fields[i];
        }
    }
    d->field_count = kept;
}

static void bury_images(struct intake *in) {
    struct document *d = in->d;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < d->image_count; i++) {
        if (buried(in, d->images[i].stamp)) {
            document_free_data(d->images[i].data, d->images[i].capacity);
            in->changed = true;
        } else {
            d->images[kept++] = d->images[i];
        }
    }
    d->image_count = kept;
}

/* Removes what is at or below the cut. */
static void bury(struct intake *in) {
    struct document *d = in->d;
    bury_fields(in);
    bury_images(in);
    if (!stamp_is_none(d->last_set) && buried(in, d->last_set)) {
        d->last_set = STAMP_NONE;
        in->changed = true;
    }
}

static void raise_tombstone(struct intake *in, struct stamp stamp) {
    if (wins(in, stamp, in->d->tombstone)) {
        in->d->tombstone = stamp;
        in->changed = true;
    }
}

static void raise_last_set(struct intake *in, struct stamp stamp) {
    if (!buried(in, stamp) && wins(in, stamp, in->d->last_set)) {
        in->d->last_set = stamp;
        in->changed = true;
    }
}

/* Forgets what was staged: there was no memory for all of it. */
static int give_up(struct intake *in) {
    struct document *d = in->d;
    for (uint32_t i = 0; i < in->staged_fields; i++) {
        const struct document_field *staged = &d->fields[d->field_count + i];
        document_free_data(staged->data, staged->capacity);
    }
    for (uint32_t i = 0; i < in->staged_images; i++) {
        const struct document_image *staged = &d->images[d->image_count + i];
        document_free_data(staged->data, staged->capacity);
    }
    for (uint32_t i = 0; i < in->staged_facts; i++) {
        const struct document_fact *staged = &d->facts[d->fact_count + i];
        document_free_data(staged->data, staged->capacity);
    }
    in->staged_fields = in->staged_images = in->staged_facts = 0;
    return -ENOMEM;
}

/* ---- fold ---- */

/* BUG_PARTIAL_NULLS: what the record does not name is set to nothing, as of it. */
static void null_unnamed(struct intake *in, struct stamp stamp) {
    struct document *d = in->d;
    for (uint32_t i = 0; i < d->field_count && !buried(in, stamp); i++) {
        struct document_field *held = &d->fields[i];
        if (stamp_compare(held->stamp, stamp) < 0) {
            held->stamp = stamp;
            held->type = VALUE_NULL;
            held->integer = 0;
            held->text_len = 0;
            in->changed = true;
        }
    }
}

static int fold_upsert(struct intake *in, const struct record *r, const struct bugs *bugs) {
    struct document *d = in->d;
    struct field f;
    uint32_t from = 0;
    struct field ids = ids_named(r);
    if (prepare_namings(d, field_id_count(&ids)) != 0) {
        return -ENOMEM;
    }
    if (d->field_count == 0 && !buried(in, r->stamp) &&
        document_reserve_fields(d, r->field_count) != 0) {
        return -ENOMEM;
    }
    for (struct field_cursor c = record_fields(r); record_fields_next(&c, &f);) {
        if (prepare_field(in, &from, &f, r->stamp) != 0) {
            return -ENOMEM;
        }
    }
    from = 0;
    for (struct field_cursor c = record_fields(r); record_fields_next(&c, &f);) {
        apply_field(in, &from, &f, r->stamp);
    }
    place_staged_fields(in);
    for (size_t i = 0; i < field_id_count(&ids); i++) {
        apply_naming(in, field_id_at(&ids, i), r->stamp);
    }
    if (bug_on(bugs, BUG_PARTIAL_NULLS)) {
        null_unnamed(in, r->stamp);
    }
    raise_last_set(in, r->stamp);
    return 0;
}

static void fold_delete(struct intake *in, const struct record *r, const struct bugs *bugs) {
    if (!bug_on(bugs, BUG_NO_TOMBSTONE)) {
        raise_tombstone(in, r->stamp);
    }
    in->cut = stamp_max(in->cut, r->stamp);
    bury(in);
}

/* A repeat raises nothing: it is no news, whatever the planted bugs make of other repeats. */
static void fold_erasure(struct intake *in, const struct record *r) {
    if (stamp_compare(r->stamp, in->d->erased) <= 0) {
        return;
    }
    in->d->erased = r->stamp;
    in->d->naming_count = 0;
    in->d->tombstone = stamp_max(in->d->tombstone, r->stamp);
    in->cut = stamp_max(in->cut, r->stamp);
    in->changed = true;
    bury(in);
}

static int fold_media(struct intake *in, const struct record *r) {
    bool delivered = r->op == RECORD_UPSERT;
    /* The data is only read: the casts away from const go no further than this intake. */
    struct document_image image = {
        .image_id = r->image_id,
        .stamp = r->stamp,
        .data = delivered ? (char *)r->image_descriptor.data : NULL,
        .len = delivered ? (uint32_t)r->image_descriptor.len : 0,
        .delivered = delivered,
    };
    uint32_t from = 0;
    if (prepare_image(in, &from, &image) != 0) {
        return -ENOMEM;
    }
    apply_image(in, &from, &image);
    place_staged_images(in);
    return 0;
}

/* The facts that a record tells: its own, and those that ride along. */
struct told_facts {
    struct fact items[2 + RECORD_FACTS_MAX];
    size_t count;
};

static struct told_facts told_by(const struct record *r) {
    struct told_facts told = {.count = 0};
    told.count += fact_of_record(r, &told.items[0]);
    if (r->sections & SECTION_POLICY) {
        told.items[told.count++] = fact_of_note(&r->policy);
    }
    for (size_t i = 0; r->sections & SECTION_FACTS && i < r->fact_count; i++) {
        told.items[told.count++] = r->facts[i];
    }
    return told;
}

static int prepare_facts(struct intake *in, const struct told_facts *told) {
    for (size_t i = 0; i < told->count; i++) {
        if (prepare_fact(in, &told->items[i]) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static void fold_facts(struct intake *in, const struct told_facts *told) {
    for (size_t i = 0; i < told->count; i++) {
        apply_fact(in, &told->items[i]);
    }
    place_staged_facts(in);
}

static int fold_body(struct intake *in, const struct record *r, const struct bugs *bugs) {
    switch (r->type) {
    case RECORD_LISTING:
        if (r->op == RECORD_UPSERT) {
            return fold_upsert(in, r, bugs);
        }
        fold_delete(in, r, bugs);
        return 0;
    case RECORD_MEDIA:
        return fold_media(in, r);
    case RECORD_POLICY:
    case RECORD_REFERENCE:
        return 0; /* a fact, and nothing else */
    case RECORD_ERASURE:
        fold_erasure(in, r);
        return 0;
    default:
        break;
    }
    assert(false && "the listing log carries nothing else");
    return 0;
}

/* Planted bug: half an hour after a deletion nobody remembers it. */
static void forget_tombstone(struct document *d, vtime append) {
    if (!stamp_is_none(d->tombstone) && stamp_is_none(d->last_set) &&
        vtime_diff(append, d->tombstone.ts) > 30 * VTIME_MINUTE) {
        d->tombstone = STAMP_NONE;
    }
}

int document_fold(struct document *d, const struct record *r, doc_version position, vtime append,
                  const struct bugs *bugs) {
    assert(r->subject_id == d->listing_id);
    assert(position > DOC_VERSION_NONE);
    if (bug_on(bugs, BUG_TOMBSTONE_EARLY)) {
        forget_tombstone(d, append);
    }
    struct intake in = {.d = d, .cut = d->tombstone, .repeats_win = bug_on(bugs, BUG_NO_DEDUPE)};
    struct told_facts told = told_by(r);
    if (prepare_facts(&in, &told) != 0 || fold_body(&in, r, bugs) != 0) {
        return give_up(&in);
    }
    fold_facts(&in, &told);
    if (in.changed && position > d->version) {
        d->version = position;
        d->changed_at = append;
    }
    return in.changed;
}

/* ---- merge ---- */

static int merge_prepare(struct intake *in, const struct document *b) {
    uint32_t from = 0;
    for (uint32_t i = 0; i < b->field_count; i++) {
        struct field f = held_field(&b->fields[i]);
        if (prepare_field(in, &from, &f, b->fields[i].stamp) != 0) {
            return -ENOMEM;
        }
    }
    from = 0;
    for (uint32_t i = 0; i < b->image_count; i++) {
        if (prepare_image(in, &from, &b->images[i]) != 0) {
            return -ENOMEM;
        }
    }
    if (prepare_namings(in->d, b->naming_count) != 0) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < b->fact_count; i++) {
        struct fact fact = held_fact(&b->facts[i]);
        if (prepare_fact(in, &fact) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static void merge_apply(struct intake *in, const struct document *b) {
    uint32_t from = 0;
    for (uint32_t i = 0; i < b->field_count; i++) {
        struct field f = held_field(&b->fields[i]);
        apply_field(in, &from, &f, b->fields[i].stamp);
    }
    place_staged_fields(in);
    from = 0;
    for (uint32_t i = 0; i < b->image_count; i++) {
        apply_image(in, &from, &b->images[i]);
    }
    place_staged_images(in);
    for (uint32_t i = 0; i < b->fact_count; i++) {
        struct fact fact = held_fact(&b->facts[i]);
        apply_fact(in, &fact);
    }
    place_staged_facts(in);
    raise_last_set(in, b->last_set);
    raise_tombstone(in, b->tombstone);
    for (uint32_t i = 0; i < b->naming_count; i++) {
        apply_naming(in, b->namings[i].image_id, b->namings[i].first);
    }
    if (stamp_compare(b->erased, in->d->erased) > 0) {
        in->d->erased = b->erased;
        in->d->naming_count = 0;
        in->changed = true;
    }
    bury(in);
}

int document_merge(struct document *a, const struct document *b) {
    assert(a->listing_id == b->listing_id);
    if (a == b) {
        return 0;
    }
    struct intake in = {.d = a, .cut = stamp_max(a->tombstone, b->tombstone)};
    if (merge_prepare(&in, b) != 0) {
        return give_up(&in);
    }
    merge_apply(&in, b);
    if (b->version > a->version) {
        a->version = b->version;
        a->changed_at = b->changed_at;
        in.changed = true;
    }
    return in.changed;
}
