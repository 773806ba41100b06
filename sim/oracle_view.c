/*
 * A listing as the log has told it so far, in the order of the log, reduced to hashes: enough to
 * say whether a record changed what a reader sees, without keeping a text.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/array.h"
#include "pipeline/fact.h"
#include "sim/oracle_parts.h"

void view_init(struct view *v, int64_t orphan_after_ns) {
    *v = (struct view){
        .tombstone = STAMP_NONE, .last_set = STAMP_NONE, .erased = STAMP_NONE, .last = STAMP_NONE};
    for (int i = 0; i < FIELD_ATTRIBUTE; i++) {
        v->fields[i].stamp = STAMP_NONE;
    }
    v->orphan_after_ns = orphan_after_ns;
    v->seen.policy = POLICY_ACTIVE;
}

void view_release(struct view *v) {
    free(v->attributes);
    free(v->images);
    free(v->policies);
    free(v->namings);
    free(v->tables);
    free(v->image_ids);
}

/* ---- Hashes ---- */

/* Never 0, which stands for null. */
static uint64_t hash_of(struct bytes bytes, uint64_t seed) {
    uint64_t hash = XXH3_64bits_withSeed(bytes.data, bytes.len, seed);
    return hash != 0 ? hash : 1;
}

static uint64_t mix(uint64_t a, uint64_t b) {
    uint64_t x = (a ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9) + b;
    x ^= x >> 29;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 32;
}

static uint64_t value_hash(const struct field *field) {
    switch (field->type) {
    case VALUE_NULL:
        return 0;
    case VALUE_INTEGER:
        return hash_of((struct bytes){(const char *)&field->integer, sizeof field->integer},
                       VALUE_INTEGER);
    default:
        return hash_of(field->text, field->type);
    }
}

/* ---- Policies ---- */

static int policy_learn(struct view *v, uint64_t seller, enum policy_status status,
                        struct stamp stamp) {
    for (size_t i = 0; i < v->policy_count; i++) {
        if (v->policies[i].seller == seller) {
            if (stamp_compare(stamp, v->policies[i].stamp) > 0) {
                v->policies[i] = (struct view_policy){seller, stamp, status};
            }
            return 0;
        }
    }
    if (ARRAY_RESERVE(v->policies, v->policy_capacity, v->policy_count + 1) != 0) {
        return -ENOMEM;
    }
    v->policies[v->policy_count++] = (struct view_policy){seller, stamp, status};
    return 0;
}

static enum policy_status policy_of(const struct view *v) {
    const struct view_field *seller = &v->fields[FIELD_SELLER];
    if (stamp_is_none(seller->stamp) || seller->null) {
        return POLICY_ACTIVE;
    }
    for (size_t i = 0; i < v->policy_count; i++) {
        if (v->policies[i].seller == seller->value) {
            return v->policies[i].status;
        }
    }
    return POLICY_ACTIVE;
}

/* ---- Reference tables ---- */

static struct view_table *table_find(const struct view *v, enum fact_kind kind, uint64_t key) {
    for (size_t i = 0; i < v->table_count; i++) {
        if (v->tables[i].kind == kind && v->tables[i].key == key) {
            return &v->tables[i];
        }
    }
    return NULL;
}

static int table_learn(struct view *v, const struct fact *fact) {
    struct view_table said = {fact->kind, fact->key, fact->stamp, hash_of(fact->value, VALUE_TEXT),
                              fact->code};
    struct view_table *held = table_find(v, fact->kind, fact->key);
    if (held != NULL) {
        *held = stamp_compare(said.stamp, held->stamp) > 0 ? said : *held;
        return 0;
    }
    if (ARRAY_RESERVE(v->tables, v->table_capacity, v->table_count + 1) != 0) {
        return -ENOMEM;
    }
    v->tables[v->table_count++] = said;
    return 0;
}

static int tables_learn(struct view *v, const struct record *record) {
    struct fact fact;
    if (record->type == RECORD_REFERENCE && fact_of_record(record, &fact) &&
        table_learn(v, &fact) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < record->fact_count; i++) {
        if (table_learn(v, &record->facts[i]) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* What a field shows, by what the tables say. */
static uint64_t table_shows(const struct view *v, enum field_id id, enum fact_kind kind,
                            uint8_t *tokeniser) {
    const struct view_field *field = &v->fields[id];
    if (stamp_is_none(field->stamp) || field->null) {
        return 0;
    }
    const struct view_table *said = table_find(v, kind, field->named);
    *tokeniser = said != NULL ? said->tokeniser : *tokeniser;
    return said != NULL ? said->value : field->value;
}

static uint64_t tables_seen(const struct view *v) {
    uint8_t none = 0;
    uint8_t tokeniser = TOKENISER_WORD;
    uint64_t path = table_shows(v, FIELD_CATEGORY, FACT_CATEGORY, &none);
    uint64_t tag = table_shows(v, FIELD_LOCALE, FACT_LOCALE, &tokeniser);
    return path == 0 && tag == 0 ? 0 : mix(mix(path, tag), tokeniser);
}

bool view_joins(const struct view *v, const struct reference_document *d) {
    uint8_t none = 0;
    uint8_t tokeniser = TOKENISER_WORD;
    uint64_t path = table_shows(v, FIELD_CATEGORY, FACT_CATEGORY, &none);
    uint64_t tag = table_shows(v, FIELD_LOCALE, FACT_LOCALE, &tokeniser);
    return (d->category_path.data == NULL || path == hash_of(d->category_path, VALUE_TEXT)) &&
           (d->locale_tag.data == NULL || tag == hash_of(d->locale_tag, VALUE_TEXT)) &&
           tokeniser == d->tokeniser;
}

bool view_passes(const struct view *v, const struct row_filter *filter) {
    uint8_t none = 0;
    uint64_t path = table_shows(v, FIELD_CATEGORY, FACT_CATEGORY, &none);
    uint64_t tag = table_shows(v, FIELD_LOCALE, FACT_LOCALE, &none);
    return (filter->category.len == 0 || path == hash_of(filter->category, VALUE_TEXT)) &&
           (filter->locale.len == 0 || tag == hash_of(filter->locale, VALUE_TEXT)) &&
           (filter->seller_id == 0 || v->fields[FIELD_SELLER].value == filter->seller_id);
}

/* ---- Fields ---- */

static int image_ids_keep(struct view *v, const struct field *field) {
    size_t count = field->type == VALUE_IDS ? field_id_count(field) : 0;
    if (ARRAY_RESERVE(v->image_ids, v->image_id_capacity, count) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        v->image_ids[i] = field_id_at(field, i);
    }
    v->image_id_count = count;
    return 0;
}

static int attribute_set(struct view *v, const struct field *field, struct stamp stamp) {
    uint64_t name = hash_of(field->name, FIELD_ATTRIBUTE);
    struct view_attribute set = {name, value_hash(field), stamp};
    size_t at = 0;
    for (size_t end = v->attribute_count; at < end;) {
        size_t middle = at + (end - at) / 2;
        if (v->attributes[middle].name < name) {
            at = middle + 1;
        } else {
            end = middle;
        }
    }
    if (at < v->attribute_count && v->attributes[at].name == name) {
        if (stamp_compare(stamp, v->attributes[at].stamp) > 0) {
            v->attributes[at] = set;
        }
        return 0;
    }
    if (ARRAY_RESERVE(v->attributes, v->attribute_capacity, v->attribute_count + 1) != 0) {
        return -ENOMEM;
    }
    memmove(&v->attributes[at + 1], &v->attributes[at],
            (v->attribute_count - at) * sizeof *v->attributes);
    v->attributes[at] = set;
    v->attribute_count++;
    return 0;
}

static int field_set(struct view *v, const struct field *field, struct stamp stamp) {
    if (field->id == FIELD_ATTRIBUTE) {
        return attribute_set(v, field, stamp);
    }
    struct view_field *held = &v->fields[field->id];
    if (stamp_compare(stamp, held->stamp) <= 0) {
        return 0;
    }
    if (field->id == FIELD_IMAGE_IDS && image_ids_keep(v, field) != 0) {
        return -ENOMEM;
    }
    held->stamp = stamp;
    held->null = field->type == VALUE_NULL;
    held->empty = field->text.len == 0;
    uint64_t named;
    enum fact_kind kind;
    held->named = fact_named(field, &kind, &named) ? named : 0;
    held->value = field->id == FIELD_SELLER ? (uint64_t)field->integer : value_hash(field);
    return 0;
}

static int image_named(struct view *v, uint64_t id, vtime at) {
    for (size_t i = 0; i < v->naming_count; i++) {
        if (v->namings[i].id == id) {
            v->namings[i].first.ns =
                at.ns < v->namings[i].first.ns ? at.ns : v->namings[i].first.ns;
            return 0;
        }
    }
    if (ARRAY_RESERVE(v->namings, v->naming_capacity, v->naming_count + 1) != 0) {
        return -ENOMEM;
    }
    v->namings[v->naming_count++] = (struct view_naming){id, at};
    return 0;
}

/* Also what an event names that has no other say: an older one, one of a former life. */
static int images_named(struct view *v, const struct record *record) {
    struct field field;
    for (struct field_cursor c = record_fields(record); record_fields_next(&c, &field);) {
        for (size_t i = 0;
             field.id == FIELD_IMAGE_IDS && field.type == VALUE_IDS && i < field_id_count(&field);
             i++) {
            if (image_named(v, field_id_at(&field, i), record->stamp.ts) != 0) {
                return -ENOMEM;
            }
        }
    }
    return 0;
}

static bool is_orphan(const struct view *v, const struct view_image *image) {
    if (!stamp_is_none(v->erased)) {
        return false;
    }
    for (size_t i = 0; i < v->naming_count; i++) {
        if (v->namings[i].id == image->id) {
            return vtime_diff(v->namings[i].first, image->stamp.ts) > v->orphan_after_ns;
        }
    }
    return true;
}

static int upsert(struct view *v, const struct record *record) {
    if (images_named(v, record) != 0) {
        return -ENOMEM;
    }
    if (stamp_compare(record->stamp, v->tombstone) <= 0) {
        return 0;
    }
    struct field field;
    for (struct field_cursor c = record_fields(record); record_fields_next(&c, &field);) {
        if (field_set(v, &field, record->stamp) != 0) {
            return -ENOMEM;
        }
    }
    if (stamp_compare(record->stamp, v->last_set) > 0) {
        v->last_set = record->stamp;
    }
    return 0;
}

static void bury(struct view *v, struct stamp stamp) {
    if (stamp_compare(stamp, v->tombstone) <= 0) {
        return;
    }
    v->tombstone = stamp;
    for (int i = 0; i < FIELD_ATTRIBUTE; i++) {
        if (stamp_compare(v->fields[i].stamp, stamp) <= 0) {
            v->fields[i] = (struct view_field){.stamp = STAMP_NONE};
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < v->attribute_count; i++) {
        if (stamp_compare(v->attributes[i].stamp, stamp) > 0) {
            v->attributes[kept++] = v->attributes[i];
        }
    }
    v->attribute_count = kept;
    kept = 0;
    for (size_t i = 0; i < v->image_count; i++) {
        if (stamp_compare(v->images[i].stamp, stamp) > 0) {
            v->images[kept++] = v->images[i];
        }
    }
    v->image_count = kept;
    if (stamp_compare(v->last_set, stamp) <= 0) {
        v->last_set = STAMP_NONE;
    }
}

static int media(struct view *v, const struct record *record) {
    if (stamp_compare(record->stamp, v->tombstone) <= 0) {
        return 0;
    }
    struct view_image set = {record->image_id, record->stamp, 0};
    if (record->op == RECORD_UPSERT) {
        set.descriptor = hash_of(record->image_descriptor, RECORD_MEDIA);
    }
    for (size_t i = 0; i < v->image_count; i++) {
        if (v->images[i].id == set.id) {
            if (stamp_compare(set.stamp, v->images[i].stamp) > 0) {
                v->images[i] = set;
            }
            return 0;
        }
    }
    if (ARRAY_RESERVE(v->images, v->image_capacity, v->image_count + 1) != 0) {
        return -ENOMEM;
    }
    v->images[v->image_count++] = set;
    return 0;
}

/* ---- What readers see ---- */

static uint64_t images_seen(const struct view *v) {
    if (stamp_is_none(v->fields[FIELD_IMAGE_IDS].stamp) || v->fields[FIELD_IMAGE_IDS].null) {
        return 0;
    }
    uint64_t hash = 0;
    for (size_t i = 0; i < v->image_id_count; i++) {
        for (size_t k = 0; k < v->image_count; k++) {
            if (v->images[k].id == v->image_ids[i] && v->images[k].descriptor != 0 &&
                !is_orphan(v, &v->images[k])) {
                hash = mix(hash, mix(v->images[k].id, v->images[k].descriptor)) | 1;
            }
        }
    }
    return hash;
}

static bool says_something(const struct view_field *field) {
    return !stamp_is_none(field->stamp) && !field->null && !field->empty;
}

static struct seen look(const struct view *v) {
    struct seen seen = {
        .alive = !stamp_is_none(v->last_set),
        .has_text = says_something(&v->fields[FIELD_TITLE]) ||
                    says_something(&v->fields[FIELD_DESCRIPTION]),
        .policy = policy_of(v),
        .images = images_seen(v),
        .tables = tables_seen(v),
    };
    for (int i = FIELD_TITLE; i < FIELD_ATTRIBUTE; i++) {
        if (!stamp_is_none(v->fields[i].stamp) && !v->fields[i].null) {
            seen.fields += mix((uint64_t)i, v->fields[i].value);
        }
    }
    for (size_t i = 0; i < v->attribute_count; i++) {
        if (v->attributes[i].value != 0) {
            seen.fields += mix(v->attributes[i].name, v->attributes[i].value);
            seen.has_text = true;
        }
    }
    return seen;
}

static bool seen_equal(const struct seen *a, const struct seen *b) {
    return a->fields == b->fields && a->images == b->images && a->tables == b->tables &&
           a->alive == b->alive && a->policy == b->policy;
}

int view_fold(struct view *v, const struct record *record) {
    int failed = 0;
    bool erased = false;
    switch (record->type) {
    case RECORD_LISTING:
        if (record->op == RECORD_DELETE) {
            bury(v, record->stamp);
        } else {
            failed = upsert(v, record);
        }
        break;
    case RECORD_MEDIA:
        failed = media(v, record);
        break;
    case RECORD_ERASURE:
        if (stamp_compare(record->stamp, v->erased) > 0) {
            v->erased = record->stamp;
            bury(v, record->stamp);
            erased = true;
        }
        break;
    case RECORD_REFERENCE:
        break;
    case RECORD_POLICY:
        failed = policy_learn(v, record->seller_id, record->status, record->stamp);
        break;
    default:
        return 0;
    }
    if (failed == 0 && record->sections & SECTION_POLICY) {
        failed =
            policy_learn(v, record->policy.seller_id, record->policy.status, record->policy.stamp);
    }
    if (failed == 0) {
        failed = tables_learn(v, record);
    }
    if (failed != 0) {
        return failed;
    }
    if ((record->type == RECORD_LISTING || record->type == RECORD_MEDIA) &&
        stamp_compare(record->stamp, v->last) > 0) {
        v->last = record->stamp;
    }
    v->known = true;
    struct seen before = v->seen;
    v->seen = look(v);
    return erased || !seen_equal(&before, &v->seen);
}
