#include "pipeline/document.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/document_parts.h"
#include "pipeline/fact.h"
#include "pipeline/memory.h"

void document_init(struct document *d, uint64_t listing_id) {
    *d = (struct document){
        .listing_id = listing_id,
        .version = DOC_VERSION_NONE,
        .tombstone = STAMP_NONE,
        .erased = STAMP_NONE,
        .orphan_after_ns = DOCUMENT_ORPHAN_AFTER,
        .last_set = STAMP_NONE,
    };
}

static void free_array(const struct document *d, enum document_array which, void *array) {
    if ((d->in_block & which) == 0) {
        free(array);
    }
}

void document_release(struct document *d) {
    for (uint32_t i = 0; i < d->field_count; i++) {
        document_free_data(d->fields[i].data, d->fields[i].capacity);
    }
    for (uint32_t i = 0; i < d->image_count; i++) {
        document_free_data(d->images[i].data, d->images[i].capacity);
    }
    for (uint32_t i = 0; i < d->fact_count; i++) {
        document_free_data(d->facts[i].data, d->facts[i].capacity);
    }
    free_array(d, ARRAY_FIELDS, d->fields);
    free_array(d, ARRAY_IMAGES, d->images);
    free_array(d, ARRAY_FACTS, d->facts);
    free_array(d, ARRAY_NAMINGS, d->namings);
    free(d->block);
    document_init(d, d->listing_id);
}

/* ---- finding ---- */

uint32_t document_field_at(const struct document *d, uint32_t from, enum field_id id,
                           struct bytes name) {
    uint32_t end = d->field_count;
    while (from < end) {
        uint32_t middle = from + (end - from) / 2;
        const struct document_field *held = &d->fields[middle];
        if (field_order((enum field_id)held->id, held_name(held), id, name) < 0) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from;
}

uint32_t document_image_at(const struct document *d, uint32_t from, uint64_t image_id) {
    uint32_t end = d->image_count;
    while (from < end) {
        uint32_t middle = from + (end - from) / 2;
        if (d->images[middle].image_id < image_id) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from;
}

uint32_t document_naming_at(const struct document *d, uint64_t image_id) {
    uint32_t from = 0;
    for (uint32_t end = d->naming_count; from < end;) {
        uint32_t middle = from + (end - from) / 2;
        if (d->namings[middle].image_id < image_id) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from;
}

uint32_t document_fact_at(const struct document *d, enum fact_kind kind, uint64_t key) {
    uint32_t from = 0;
    for (uint32_t end = d->fact_count; from < end;) {
        uint32_t middle = from + (end - from) / 2;
        const struct document_fact *held = &d->facts[middle];
        bool before = held->kind != (uint8_t)kind ? held->kind < (uint8_t)kind : held->key < key;
        if (before) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from;
}

const struct document_field *document_find(const struct document *d, enum field_id id) {
    assert(id != FIELD_ATTRIBUTE);
    uint32_t at = document_field_at(d, 0, id, (struct bytes){0});
    return at < d->field_count && d->fields[at].id == id ? &d->fields[at] : NULL;
}

const struct document_image *document_image_find(const struct document *d, uint64_t image_id) {
    uint32_t at = document_image_at(d, 0, image_id);
    return at < d->image_count && d->images[at].image_id == image_id ? &d->images[at] : NULL;
}

const struct document_fact *document_fact_find(const struct document *d, enum fact_kind kind,
                                               uint64_t key) {
    uint32_t at = document_fact_at(d, kind, key);
    bool found =
        at < d->fact_count && d->facts[at].kind == (uint8_t)kind && d->facts[at].key == key;
    return found ? &d->facts[at] : NULL;
}

bool document_image_orphaned(const struct document *d, const struct document_image *image) {
    if (!stamp_is_none(d->erased)) {
        return false;
    }
    uint32_t at = document_naming_at(d, image->image_id);
    if (at == d->naming_count || d->namings[at].image_id != image->image_id) {
        return true;
    }
    return vtime_diff(d->namings[at].first.ts, image->stamp.ts) > d->orphan_after_ns;
}

const struct document_image *document_image_ready(const struct document *d, uint64_t image_id) {
    const struct document_image *image = document_image_find(d, image_id);
    bool ready =
        image != NULL && image->delivered && !image->dropped && !document_image_orphaned(d, image);
    return ready ? image : NULL;
}

uint32_t document_drop_orphans(struct document *d, vtime horizon) {
    uint32_t dropped = 0;
    for (uint32_t i = 0; i < d->image_count; i++) {
        struct document_image *image = &d->images[i];
        bool due = horizon.ns - image->stamp.ts.ns > d->orphan_after_ns;
        if (image->delivered && !image->dropped && due && document_image_orphaned(d, image)) {
            document_free_data(image->data, image->capacity);
            image->data = NULL;
            image->capacity = image->len = 0;
            image->dropped = true;
            dropped++;
        }
    }
    return dropped;
}

/* ---- room ---- */

/* `array` with room for `need` items, *capacity raised, or NULL. Half as much again, so that the
 * cost of growing is spread; the first time exactly, since most documents are filled at once. What
 * the block holds moves out of it. */
static void *grown(struct document *d, enum document_array which, void *array, uint32_t *capacity,
                   size_t need, size_t item_bytes) {
    size_t wanted = *capacity + *capacity / 2;
    bool in_block = (d->in_block & which) != 0;
    if (wanted < need) {
        wanted = need;
    }
    if (wanted > UINT32_MAX) {
        return NULL;
    }
    void *moved = memory_resize(in_block ? NULL : array, wanted * item_bytes);
    if (moved == NULL) {
        return NULL;
    }
    if (in_block && *capacity > 0) {
        memcpy(moved, array, *capacity * item_bytes);
    }
    d->in_block &= ~(uint32_t)which;
    *capacity = (uint32_t)wanted;
    return moved;
}

int document_reserve_fields(struct document *d, size_t count) {
    if (count > d->field_capacity) {
        struct document_field *moved =
            grown(d, ARRAY_FIELDS, d->fields, &d->field_capacity, count, sizeof *d->fields);
        if (moved == NULL) {
            return -ENOMEM;
        }
        d->fields = moved;
    }
    return 0;
}

int document_reserve_images(struct document *d, size_t count) {
    if (count > d->image_capacity) {
        struct document_image *moved =
            grown(d, ARRAY_IMAGES, d->images, &d->image_capacity, count, sizeof *d->images);
        if (moved == NULL) {
            return -ENOMEM;
        }
        d->images = moved;
    }
    return 0;
}

int document_reserve_facts(struct document *d, size_t count) {
    if (count > d->fact_capacity) {
        struct document_fact *moved =
            grown(d, ARRAY_FACTS, d->facts, &d->fact_capacity, count, sizeof *d->facts);
        if (moved == NULL) {
            return -ENOMEM;
        }
        d->facts = moved;
    }
    return 0;
}

int document_reserve_namings(struct document *d, size_t count) {
    if (count > d->naming_capacity) {
        struct document_naming *moved =
            grown(d, ARRAY_NAMINGS, d->namings, &d->naming_capacity, count, sizeof *d->namings);
        if (moved == NULL) {
            return -ENOMEM;
        }
        d->namings = moved;
    }
    return 0;
}

/* A slice is never freed alone, and its room tells it: an odd multiple of 8. */
static bool is_slice(uint32_t capacity) {
    return capacity % 16 == 8;
}

uint32_t document_slice_room(size_t size) {
    assert(size <= UINT32_MAX - 16);
    return size == 0 ? 0 : (uint32_t)((size + 7) & ~(size_t)15) + 8;
}

void document_free_data(char *data, uint32_t capacity) {
    if (!is_slice(capacity)) {
        free(data);
    }
}

int document_reserve_data(char **data, uint32_t *capacity, size_t size) {
    if (size > *capacity) {
        /* Heaps hand out multiples of 16 anyway. */
        size_t rounded = (size + 15) & ~(size_t)15;
        bool slice = is_slice(*capacity);
        char *moved = rounded <= UINT32_MAX ? memory_resize(slice ? NULL : *data, rounded) : NULL;
        if (moved == NULL) {
            return -ENOMEM;
        }
        if (slice) {
            memcpy(moved, *data, *capacity);
        }
        *data = moved;
        *capacity = (uint32_t)rounded;
    }
    return 0;
}

/* ---- filling ---- */

void document_set_field(struct document_field *held, const struct field *f, struct stamp stamp) {
    assert(f->name.len + f->text.len <= held->capacity);
    held->stamp = stamp;
    held->id = (uint8_t)f->id;
    held->type = (uint8_t)f->type;
    held->integer = f->integer;
    held->name_len = (uint16_t)f->name.len;
    held->text_len = (uint32_t)f->text.len;
    if (f->name.len > 0) {
        memcpy(held->data, f->name.data, f->name.len);
    }
    if (f->text.len > 0) {
        memcpy(held->data + f->name.len, f->text.data, f->text.len);
    }
}

void document_set_image(struct document_image *held, uint64_t image_id, bool delivered,
                        struct bytes descriptor, struct stamp stamp) {
    assert(descriptor.len <= held->capacity);
    held->image_id = image_id;
    held->delivered = delivered;
    held->dropped = false;
    held->stamp = stamp;
    held->len = (uint32_t)descriptor.len;
    if (descriptor.len > 0) {
        memcpy(held->data, descriptor.data, descriptor.len);
    }
}

void document_set_fact(struct document_fact *held, const struct fact *fact) {
    assert(fact->value.len <= held->capacity && fact->value.len <= FACT_VALUE_MAX);
    held->key = fact->key;
    held->kind = (uint8_t)fact->kind;
    held->code = fact->code;
    held->stamp = fact->stamp;
    held->len = (uint8_t)fact->value.len;
    if (fact->value.len > 0) {
        memcpy(held->data, fact->value.data, fact->value.len);
    }
}

/* ---- reading ---- */

bool document_alive(const struct document *d) {
    return !stamp_is_none(d->last_set);
}

/* What is told of what a field names, or NULL. */
static const struct document_fact *told(const struct document *d, enum field_id id) {
    /* Most documents have no fact of a category or a locale, and hashing their names costs. */
    enum fact_kind least = id == FIELD_LOCALE     ? FACT_LOCALE
                           : id == FIELD_CATEGORY ? FACT_CATEGORY
                                                  : FACT_SELLER;
    if (d->fact_count == 0 || d->facts[d->fact_count - 1].kind < (uint8_t)least) {
        return NULL;
    }
    const struct document_field *held = document_find(d, id);
    enum fact_kind kind;
    uint64_t key;
    if (held == NULL) {
        return NULL;
    }
    struct field field = held_field(held);
    return fact_named(&field, &kind, &key) ? document_fact_find(d, kind, key) : NULL;
}

enum policy_status document_policy(const struct document *d) {
    const struct document_fact *fact = told(d, FIELD_SELLER);
    return fact != NULL ? (enum policy_status)fact->code : POLICY_ACTIVE;
}

/* A text field as it is shown. */
static struct bytes shown(const struct document *d, enum field_id id) {
    const struct document_fact *fact = told(d, id);
    return fact != NULL ? (struct bytes){fact->data, fact->len} : document_field(d, id).text;
}

struct bytes document_category(const struct document *d) {
    return shown(d, FIELD_CATEGORY);
}

struct bytes document_locale(const struct document *d) {
    return shown(d, FIELD_LOCALE);
}

enum tokeniser document_tokeniser(const struct document *d) {
    const struct document_fact *fact = told(d, FIELD_LOCALE);
    return fact != NULL ? (enum tokeniser)fact->code : TOKENISER_WORD;
}

bool document_served(const struct document *d) {
    return document_alive(d) && document_policy(d) == POLICY_ACTIVE;
}

struct field document_field(const struct document *d, enum field_id id) {
    const struct document_field *held = document_find(d, id);
    return held != NULL ? held_field(held) : (struct field){.id = id, .type = VALUE_NULL};
}

bool document_attribute(const struct document *d, size_t i, struct field *out) {
    uint32_t at = document_field_at(d, 0, FIELD_ATTRIBUTE, (struct bytes){0});
    for (; at < d->field_count; at++) {
        if (d->fields[at].type != VALUE_NULL && i-- == 0) {
            *out = held_field(&d->fields[at]);
            return true;
        }
    }
    return false;
}

bool document_visible_image(const struct document *d, size_t i, uint64_t *image_id,
                            struct bytes *descriptor) {
    struct field ids = document_field(d, FIELD_IMAGE_IDS);
    if (ids.type != VALUE_IDS) {
        return false;
    }
    for (size_t n = 0; n < field_id_count(&ids); n++) {
        const struct document_image *image = document_image_ready(d, field_id_at(&ids, n));
        if (image != NULL && i-- == 0) {
            *image_id = image->image_id;
            *descriptor = (struct bytes){image->data, image->len};
            return true;
        }
    }
    return false;
}

size_t document_visible_image_count(const struct document *d) {
    uint64_t image_id;
    struct bytes descriptor;
    size_t count = 0;
    while (document_visible_image(d, count, &image_id, &descriptor)) {
        count++;
    }
    return count;
}

bool document_image_told(const struct document *d, size_t i, struct image_told *out) {
    for (size_t n = 0; n < d->image_count; n++) {
        const struct document_image *image = &d->images[n];
        if (image->dropped || i-- > 0) {
            continue;
        }
        uint32_t at = document_naming_at(d, image->image_id);
        bool named = at < d->naming_count && d->namings[at].image_id == image->image_id;
        *out = (struct image_told){
            .image_id = image->image_id,
            .stamp = image->stamp,
            .named = named ? d->namings[at].first : STAMP_NONE,
            .descriptor = {image->data, image->len},
            .delivered = image->delivered,
        };
        return true;
    }
    return false;
}

/* ---- invariants ---- */

/* Does a value hold only what its type calls for? So equal values are equal bytes. */
static bool is_bare(const struct field *f) {
    bool has_text = f->type != VALUE_NULL && f->type != VALUE_INTEGER;
    return (has_text || f->text.len == 0) && (f->type == VALUE_INTEGER || f->integer == 0);
}

static void check_fields(const struct document *d) {
    assert(d->field_count <= d->field_capacity);
    for (uint32_t i = 0; i < d->field_count; i++) {
        const struct document_field *held = &d->fields[i];
        struct field f = held_field(held);
        struct record_error error;
        assert(field_check(&f, &error) == 0);
        assert(is_bare(&f));
        assert((size_t)held->name_len + held->text_len <= held->capacity);
        assert(stamp_compare(held->stamp, d->tombstone) > 0);
        assert(stamp_compare(held->stamp, d->last_set) <= 0);
        if (i > 0) {
            struct field before = held_field(held - 1);
            assert(field_order(before.id, before.name, f.id, f.name) < 0);
        }
    }
}

static void check_images(const struct document *d) {
    assert(d->image_count <= d->image_capacity);
    for (uint32_t i = 0; i < d->image_count; i++) {
        const struct document_image *held = &d->images[i];
        assert(held->len <= held->capacity);
        assert(held->delivered || (held->len == 0 && !held->dropped));
        assert(!held->dropped || held->len == 0);
        assert(stamp_compare(held->stamp, d->tombstone) > 0);
        assert(i == 0 || d->images[i - 1].image_id < held->image_id);
    }
}

static void check_facts(const struct document *d) {
    assert(d->fact_count <= d->fact_capacity);
    for (uint32_t i = 0; i < d->fact_count; i++) {
        const struct document_fact *held = &d->facts[i];
        struct fact fact = held_fact(held);
        assert(fact_sound(&fact));
        assert(held->len <= held->capacity);
        assert(i == 0 || document_fact_at(d, fact.kind, fact.key) == i);
    }
}

static void check_namings(const struct document *d) {
    assert(d->naming_count <= d->naming_capacity);
    assert(d->naming_count == 0 || stamp_is_none(d->erased));
    for (uint32_t i = 0; i < d->naming_count; i++) {
        assert(!stamp_is_none(d->namings[i].first));
        assert(i == 0 || d->namings[i - 1].image_id < d->namings[i].image_id);
    }
}

void document_check(const struct document *d) {
    assert(d->version >= DOC_VERSION_NONE);
    assert(stamp_is_none(d->last_set) || stamp_compare(d->last_set, d->tombstone) > 0);
    assert(stamp_compare(d->erased, d->tombstone) <= 0);
    check_fields(d);
    check_images(d);
    check_facts(d);
    check_namings(d);
}
