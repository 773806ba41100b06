/*
 * What the reference tables touch (A4): when the path of a category or the meaning of a locale
 * changes, just the listings that name it, or ever did, are told of it; the others are left alone,
 * and none of the former is forgotten.
 */
#include <inttypes.h>
#include <xxhash.h>

#include "pipeline/fact.h"
#include "sim/oracle_parts.h"

static uint64_t naming(enum fact_kind kind, uint64_t key, uint64_t listing_id) {
    uint64_t parts[3] = {kind, key, listing_id};
    return XXH3_64bits(parts, sizeof parts);
}

void remade_feed(struct oracle *o, struct bytes value) {
    struct record record;
    struct record_error error;
    if (record_decode_claimed(value, &record, &error) != 0 || record.type != RECORD_LISTING) {
        return;
    }
    struct field field;
    enum fact_kind kind;
    uint64_t key;
    for (struct field_cursor c = record_fields(&record); record_fields_next(&c, &field);) {
        if (fact_named(&field, &kind, &key) &&
            id_map_put_index(&o->named, naming(kind, key, record.subject_id), 1) != 0) {
            o->out_of_memory = true;
        }
    }
}

void remade_log(struct oracle *o, vtime now, const struct record *record) {
    struct fact fact;
    if (record->type != RECORD_REFERENCE || !fact_of_record(record, &fact)) {
        return;
    }
    o->checks[CHECK_REMADE_EXACTLY].looked_at++;
    if (id_map_get(&o->named, naming(fact.kind, fact.key, record->subject_id)) == ID_MAP_NONE) {
        check_violated(o, CHECK_REMADE_EXACTLY, now,
                       "listing %" PRIu64 " was told what becomes of %.*s, which it never named",
                       record->subject_id, (int)record->reference.key.len,
                       record->reference.key.data);
    }
}

void remade_compare(struct comparison *c, const struct oracle_listing *l,
                    const struct reference_document *d) {
    bool joined = d->category_path.data != d->category.data || d->locale_tag.data != d->locale.data;
    if (l == NULL || !l->view.known || !d->alive || !joined) {
        return;
    }
    c->o->checks[CHECK_REMADE_EXACTLY].looked_at++;
    if (!view_joins(&l->view, d)) {
        check_violated(c->o, CHECK_REMADE_EXACTLY, c->now,
                       "listing %" PRIu64 " was not told what the tables say of what it names",
                       d->listing_id);
    }
}
