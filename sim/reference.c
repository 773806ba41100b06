#include "sim/reference.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/id_map.h"

enum said_kind { LISTING_SET, LISTING_DELETED, IMAGE_DELIVERED, IMAGE_WITHDRAWN };

struct said {
    struct stamp stamp;
    uint32_t arrival; /* order among the events of the listing */
    uint16_t field_count;
    uint8_t kind;
    uint64_t image_id;
    struct bytes
        bytes; /* LISTING_SET: fields as the record had them; IMAGE_DELIVERED: descriptor */
};

struct listing {
    uint64_t id;
    struct said *events;
    size_t count, capacity;
    bool sorted;
    struct stamp erased; /* of the greatest erasure of the listing itself */
};

struct seller {
    struct stamp stamp; /* STAMP_NONE: nothing was said */
    enum policy_status status;
};

/* An erasure of all of a seller's listings. */
struct seller_erasure {
    uint64_t seller_id;
    struct stamp stamp;
};

/* A row of a reference table. */
struct table_row {
    enum fact_kind table;
    struct stamp stamp;
    struct bytes key, value;
    enum tokeniser tokeniser;
};

/* Copied bytes, never moved and never given back before the end. */
struct chunk {
    struct chunk *before;
    size_t used, size;
    char bytes[];
};
#define CHUNK_BYTES ((size_t)256 * 1024)

/* What a fold has set so far. */
struct set_field {
    struct field field;
    struct stamp stamp;
};
struct set_image {
    uint64_t id;
    struct stamp stamp;
    bool delivered;
    struct bytes descriptor;
};

struct reference {
    int64_t orphan_after_ns;
    struct id_map listing_index, seller_index, order_index;
    struct listing *listings;
    size_t listing_count, listing_capacity;
    struct seller *sellers;
    size_t seller_count, seller_capacity;
    struct reference_order *orders;
    size_t order_count, order_capacity;
    struct table_row *rows;
    size_t row_count, row_capacity;
    struct seller_erasure *erasures;
    size_t erasure_count, erasure_capacity;
    struct chunk *chunks;

    /* The listing folded last; fields by (id, name), images by id. */
    struct set_field *fields;
    size_t field_count, field_capacity;
    struct set_image *images;
    size_t image_count, image_capacity;

    /* What was handed out last. */
    struct field *attributes;
    size_t attribute_capacity;
    struct reference_image *visible;
    size_t visible_capacity;
    uint64_t *ids;
    size_t id_capacity;
    struct reference_order *orders_out;
    size_t order_out_capacity;
    struct reference_sales *sales;
    size_t sales_capacity;
};

struct reference *reference_new(void) {
    struct reference *r = calloc(1, sizeof *r);
    if (r != NULL) {
        r->orphan_after_ns = 7 * VTIME_DAY;
        id_map_init(&r->listing_index);
        id_map_init(&r->seller_index);
        id_map_init(&r->order_index);
    }
    return r;
}

void reference_orphans_after(struct reference *r, int64_t after_ns) {
    r->orphan_after_ns = after_ns;
}

void reference_free(struct reference *r) {
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->listing_count; i++) {
        free(r->listings[i].events);
    }
    while (r->chunks != NULL) {
        struct chunk *chunk = r->chunks;
        r->chunks = chunk->before;
        free(chunk);
    }
    id_map_release(&r->listing_index);
    id_map_release(&r->seller_index);
    id_map_release(&r->order_index);
    free(r->listings);
    free(r->sellers);
    free(r->orders);
    free(r->erasures);
    free(r->rows);
    free(r->fields);
    free(r->images);
    free(r->attributes);
    free(r->visible);
    free(r->ids);
    free(r->orders_out);
    free(r->sales);
    free(r);
}

/* ---- Taking events in ---- */

/* A copy of the bytes in *out; empty bytes keep a pointer, so that they differ from none. */
static int keep(struct reference *r, struct bytes bytes, struct bytes *out) {
    if (r->chunks == NULL || r->chunks->size - r->chunks->used < bytes.len) {
        size_t size = bytes.len > CHUNK_BYTES ? bytes.len : CHUNK_BYTES;
        struct chunk *chunk = malloc(sizeof *chunk + size);
        if (chunk == NULL) {
            return -ENOMEM;
        }
        chunk->before = r->chunks;
        chunk->used = 0;
        chunk->size = size;
        r->chunks = chunk;
    }
    char *place = r->chunks->bytes + r->chunks->used;
    if (bytes.len > 0) {
        memcpy(place, bytes.data, bytes.len);
    }
    r->chunks->used += bytes.len;
    *out = (struct bytes){place, bytes.len};
    return 0;
}

/* Index of the listing, made if need be; -ENOMEM when out of memory. */
static int64_t listing_of(struct reference *r, uint64_t id) {
    uint32_t at = id_map_get(&r->listing_index, id);
    if (at != ID_MAP_NONE) {
        return at;
    }
    if (ARRAY_RESERVE(r->listings, r->listing_capacity, r->listing_count + 1) != 0 ||
        id_map_put_index(&r->listing_index, id, (uint32_t)r->listing_count) != 0) {
        return -ENOMEM;
    }
    r->listings[r->listing_count] =
        (struct listing){.id = id, .sorted = true, .erased = STAMP_NONE};
    return (int64_t)r->listing_count++;
}

static int64_t seller_of(struct reference *r, uint64_t id) {
    uint32_t at = id_map_get(&r->seller_index, id);
    if (at != ID_MAP_NONE) {
        return at;
    }
    if (ARRAY_RESERVE(r->sellers, r->seller_capacity, r->seller_count + 1) != 0 ||
        id_map_put_index(&r->seller_index, id, (uint32_t)r->seller_count) != 0) {
        return -ENOMEM;
    }
    r->sellers[r->seller_count] = (struct seller){STAMP_NONE, POLICY_ACTIVE};
    return (int64_t)r->seller_count++;
}

/* Order of folding. At one stamp a deletion comes after what it deletes. */
static int event_order(const struct said *a, const struct said *b) {
    int order = stamp_compare(a->stamp, b->stamp);
    if (order == 0) {
        order = (a->kind == LISTING_DELETED) - (b->kind == LISTING_DELETED);
    }
    return order != 0 ? order : (a->arrival > b->arrival) - (a->arrival < b->arrival);
}

static int event_order_of(const void *a, const void *b) {
    return event_order(a, b);
}

static int event_add(struct reference *r, uint64_t listing_id, struct said event) {
    int64_t at = listing_of(r, listing_id);
    if (at < 0) {
        return -ENOMEM;
    }
    struct listing *listing = &r->listings[at];
    if (ARRAY_RESERVE(listing->events, listing->capacity, listing->count + 1) != 0 ||
        keep(r, event.bytes, &event.bytes) != 0) {
        return -ENOMEM;
    }
    event.arrival = (uint32_t)listing->count;
    if (listing->count > 0 && event_order(&listing->events[listing->count - 1], &event) > 0) {
        listing->sorted = false;
    }
    listing->events[listing->count++] = event;
    return 0;
}

static void seller_learn(struct seller *seller, enum policy_status status, struct stamp stamp) {
    if (stamp_compare(stamp, seller->stamp) > 0) {
        *seller = (struct seller){stamp, status};
    }
}

static int listing_add(struct reference *r, const struct record *record) {
    int64_t seller = -1;
    if (record->sections & SECTION_POLICY) {
        seller = seller_of(r, record->policy.seller_id);
        if (seller < 0) {
            return -ENOMEM;
        }
    }
    bool deleted = record->op == RECORD_DELETE;
    struct said event = {.stamp = record->stamp, .kind = LISTING_DELETED};
    if (!deleted) {
        event.kind = LISTING_SET;
        event.field_count = record->field_count;
        event.bytes = record->field_bytes;
    }
    if (event_add(r, record->subject_id, event) != 0) {
        return -ENOMEM;
    }
    if (seller >= 0) {
        seller_learn(&r->sellers[seller], record->policy.status, record->policy.stamp);
    }
    return 0;
}

static int media_add(struct reference *r, const struct record *record) {
    struct said event = {
        .stamp = record->stamp,
        .kind = IMAGE_WITHDRAWN,
        .image_id = record->image_id,
    };
    if (record->op == RECORD_UPSERT) {
        event.kind = IMAGE_DELIVERED;
        event.bytes = record->image_descriptor;
    }
    return event_add(r, record->subject_id, event);
}

static int order_add(struct reference *r, const struct record *record) {
    uint32_t at = id_map_get(&r->order_index, record->order_id);
    if (at != ID_MAP_NONE && stamp_compare(record->stamp, r->orders[at].stamp) <= 0) {
        return 0;
    }
    struct reference_order order = {
        .order_id = record->order_id,
        .listing_id = record->subject_id,
        .stamp = record->stamp,
        .placed = record->placed.ns != 0 ? record->placed : record->stamp.ts,
        .quantity = record->quantity,
        .amount = record->amount,
    };
    if (keep(r, record->order_category, &order.category) != 0) {
        return -ENOMEM;
    }
    if (at == ID_MAP_NONE) {
        if (ARRAY_RESERVE(r->orders, r->order_capacity, r->order_count + 1) != 0 ||
            id_map_put_index(&r->order_index, order.order_id, (uint32_t)r->order_count) != 0) {
            return -ENOMEM;
        }
        at = (uint32_t)r->order_count++;
    }
    r->orders[at] = order;
    return 0;
}

static int policy_add(struct reference *r, const struct record *record) {
    int64_t seller = seller_of(r, record->seller_id);
    if (seller < 0) {
        return -ENOMEM;
    }
    seller_learn(&r->sellers[seller], record->status, record->stamp);
    return 0;
}

static int erasure_add(struct reference *r, const struct record *record) {
    if (record->erasure_scope == ERASURE_SELLER) {
        if (ARRAY_RESERVE(r->erasures, r->erasure_capacity, r->erasure_count + 1) != 0) {
            return -ENOMEM;
        }
        r->erasures[r->erasure_count++] =
            (struct seller_erasure){record->erasure_id, record->stamp};
        return 0;
    }
    int64_t at = listing_of(r, record->erasure_id);
    if (at < 0) {
        return -ENOMEM;
    }
    if (stamp_compare(record->stamp, r->listings[at].erased) > 0) {
        r->listings[at].erased = record->stamp;
    }
    return 0;
}

static struct table_row *row_find(struct reference *r, enum fact_kind table, struct bytes key) {
    for (size_t i = 0; i < r->row_count; i++) {
        if (r->rows[i].table == table && bytes_equal(r->rows[i].key, key)) {
            return &r->rows[i];
        }
    }
    return NULL;
}

bool reference_tables_name(const struct reference *r, struct bytes text) {
    for (size_t i = 0; i < r->row_count; i++) {
        if (bytes_equal(r->rows[i].key, text)) {
            return true;
        }
    }
    return false;
}

static int row_add(struct reference *r, const struct record *record) {
    const struct reference_row *said = &record->reference;
    struct table_row *held = row_find(r, said->table, said->key);
    if (held != NULL && stamp_compare(record->stamp, held->stamp) <= 0) {
        return 0;
    }
    struct table_row row = {
        .table = said->table, .stamp = record->stamp, .tokeniser = said->tokeniser};
    if (ARRAY_RESERVE(r->rows, r->row_capacity, r->row_count + 1) != 0 ||
        keep(r, said->key, &row.key) != 0 || keep(r, said->value, &row.value) != 0) {
        return -ENOMEM;
    }
    held = row_find(r, said->table, said->key);
    if (held == NULL) {
        held = &r->rows[r->row_count++];
    }
    *held = row;
    return 0;
}

int reference_add(struct reference *r, struct bytes input) {
    struct record record;
    struct record_error error;
    if (record_decode(input, &record, &error) != 0) {
        return 0;
    }
    int failed = 0;
    switch (record.type) {
    case RECORD_LISTING:
        failed = listing_add(r, &record);
        break;
    case RECORD_MEDIA:
        failed = media_add(r, &record);
        break;
    case RECORD_POLICY:
        failed = policy_add(r, &record);
        break;
    case RECORD_ORDER:
        failed = order_add(r, &record);
        break;
    case RECORD_ERASURE:
        failed = erasure_add(r, &record);
        break;
    case RECORD_REFERENCE:
        failed = row_add(r, &record);
        break;
    default:
        break;
    }
    return failed != 0 ? failed : 1;
}

/* ---- The fold ---- */

static int field_order(const struct field *a, const struct field *b) {
    if (a->id != b->id) {
        return a->id < b->id ? -1 : 1;
    }
    return bytes_compare(a->name, b->name);
}

/* The place of a field at or after `from`, whether it is there or not. */
static size_t field_place(const struct reference *r, size_t from, const struct field *field) {
    size_t end = r->field_count;
    while (from < end) {
        size_t middle = from + (end - from) / 2;
        if (field_order(&r->fields[middle].field, field) < 0) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from;
}

static int field_set(struct reference *r, size_t *from, const struct field *field,
                     struct stamp stamp) {
    size_t at = field_place(r, *from, field);
    *from = at + 1;
    if (at < r->field_count && field_order(&r->fields[at].field, field) == 0) {
        if (stamp_compare(stamp, r->fields[at].stamp) > 0) {
            r->fields[at] = (struct set_field){*field, stamp};
        }
        return 0;
    }
    if (ARRAY_RESERVE(r->fields, r->field_capacity, r->field_count + 1) != 0) {
        return -ENOMEM;
    }
    memmove(&r->fields[at + 1], &r->fields[at], (r->field_count - at) * sizeof *r->fields);
    r->fields[at] = (struct set_field){*field, stamp};
    r->field_count++;
    return 0;
}

static const struct set_image *image_find(const struct reference *r, uint64_t id) {
    for (size_t i = 0; i < r->image_count; i++) {
        if (r->images[i].id == id) {
            return &r->images[i];
        }
    }
    return NULL;
}

static int image_set(struct reference *r, const struct said *event) {
    struct set_image image = {event->image_id, event->stamp, event->kind == IMAGE_DELIVERED,
                              event->bytes};
    for (size_t i = 0; i < r->image_count; i++) {
        if (r->images[i].id == image.id) {
            if (stamp_compare(image.stamp, r->images[i].stamp) > 0) {
                r->images[i] = image;
            }
            return 0;
        }
    }
    if (ARRAY_RESERVE(r->images, r->image_capacity, r->image_count + 1) != 0) {
        return -ENOMEM;
    }
    r->images[r->image_count++] = image;
    return 0;
}

static bool event_names_seller(const struct said *event, uint64_t seller_id) {
    struct record record = {
        .type = RECORD_LISTING, .field_count = event->field_count, .field_bytes = event->bytes};
    struct field field;
    for (struct field_cursor c = record_fields(&record);
         event->kind == LISTING_SET && record_fields_next(&c, &field);) {
        if (field.id == FIELD_SELLER && field.type == VALUE_INTEGER &&
            (uint64_t)field.integer == seller_id) {
            return true;
        }
    }
    return false;
}

static struct stamp erased_until(const struct reference *r, const struct listing *listing) {
    struct stamp until = listing->erased;
    for (size_t i = 0; i < r->erasure_count; i++) {
        const struct seller_erasure *erasure = &r->erasures[i];
        for (size_t k = 0; k < listing->count && stamp_compare(erasure->stamp, until) > 0; k++) {
            if (event_names_seller(&listing->events[k], erasure->seller_id)) {
                until = erasure->stamp;
            }
        }
    }
    return until;
}

bool reference_names_seller(const struct reference *r, uint64_t listing_id, uint64_t seller_id) {
    uint32_t at = id_map_get(&r->listing_index, listing_id);
    const struct listing *listing = at == ID_MAP_NONE ? NULL : &r->listings[at];
    for (size_t i = 0; listing != NULL && i < listing->count; i++) {
        if (event_names_seller(&listing->events[i], seller_id)) {
            return true;
        }
    }
    return false;
}

void reference_each_text(const struct reference *r, uint64_t listing_id,
                         void (*said)(void *ctx, struct stamp stamp, struct bytes text),
                         void *ctx) {
    uint32_t at = id_map_get(&r->listing_index, listing_id);
    const struct listing *listing = at == ID_MAP_NONE ? NULL : &r->listings[at];
    for (size_t i = 0; listing != NULL && i < listing->count; i++) {
        const struct said *event = &listing->events[i];
        if (event->kind == IMAGE_DELIVERED) {
            said(ctx, event->stamp, event->bytes);
        }
        struct record record = {
            .type = RECORD_LISTING, .field_count = event->field_count, .field_bytes = event->bytes};
        struct field field;
        for (struct field_cursor c = record_fields(&record);
             event->kind == LISTING_SET && record_fields_next(&c, &field);) {
            if (field.type == VALUE_TEXT) {
                said(ctx, event->stamp, field.text);
            }
        }
    }
}

struct stamp reference_erased(struct reference *r, uint64_t listing_id) {
    uint32_t at = id_map_get(&r->listing_index, listing_id);
    return at == ID_MAP_NONE ? STAMP_NONE : erased_until(r, &r->listings[at]);
}

static int event_fold(struct reference *r, const struct said *event, bool *alive) {
    if (event->kind == LISTING_DELETED) {
        r->field_count = 0;
        r->image_count = 0;
        *alive = false;
        return 0;
    }
    if (event->kind != LISTING_SET) {
        return image_set(r, event);
    }
    *alive = true;
    struct record record = {
        .type = RECORD_LISTING, .field_count = event->field_count, .field_bytes = event->bytes};
    struct field field;
    size_t from = 0;
    for (struct field_cursor c = record_fields(&record); record_fields_next(&c, &field);) {
        if (field_set(r, &from, &field, event->stamp) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- Handing out ---- */

static int take_attribute(struct reference *r, struct reference_document *out,
                          const struct field *field) {
    if (ARRAY_RESERVE(r->attributes, r->attribute_capacity, out->attribute_count + 1) != 0) {
        return -ENOMEM;
    }
    r->attributes[out->attribute_count++] = *field;
    return 0;
}

static int take_fields(struct reference *r, struct reference_document *out) {
    for (size_t i = 0; i < r->field_count; i++) {
        const struct field *field = &r->fields[i].field;
        if (field->type == VALUE_NULL) {
            continue;
        }
        switch (field->id) {
        case FIELD_TITLE:
            out->title = field->text;
            break;
        case FIELD_DESCRIPTION:
            out->description = field->text;
            break;
        case FIELD_LOCALE:
            out->locale = field->text;
            break;
        case FIELD_CATEGORY:
            out->category = field->text;
            break;
        case FIELD_SELLER:
            out->has_seller = true;
            out->seller_id = (uint64_t)field->integer;
            break;
        case FIELD_PRICE:
            out->price = field->integer;
            break;
        case FIELD_IMAGE_IDS:
            out->image_ids = field->text;
            break;
        case FIELD_ATTRIBUTE:
            if (take_attribute(r, out, field) != 0) {
                return -ENOMEM;
            }
            break;
        }
    }
    out->attributes = r->attributes;
    return 0;
}

static bool event_names_image(const struct said *event, uint64_t image_id) {
    struct record record = {
        .type = RECORD_LISTING, .field_count = event->field_count, .field_bytes = event->bytes};
    struct field field;
    for (struct field_cursor c = record_fields(&record);
         event->kind == LISTING_SET && record_fields_next(&c, &field);) {
        for (size_t i = 0;
             field.id == FIELD_IMAGE_IDS && field.type == VALUE_IDS && i < field_id_count(&field);
             i++) {
            if (field_id_at(&field, i) == image_id) {
                return true;
            }
        }
    }
    return false;
}

/* Did any event of any life name the image in time? */
static bool named_in_time(const struct reference *r, const struct listing *listing,
                          const struct set_image *image) {
    for (size_t i = 0; i < listing->count; i++) {
        const struct said *event = &listing->events[i];
        if (vtime_diff(event->stamp.ts, image->stamp.ts) <= r->orphan_after_ns &&
            event_names_image(event, image->id)) {
            return true;
        }
    }
    return false;
}

static int take_images(struct reference *r, const struct listing *listing, bool erased,
                       struct reference_document *out) {
    struct field ids = {.id = FIELD_IMAGE_IDS, .type = VALUE_IDS, .text = out->image_ids};
    for (size_t i = 0; i < field_id_count(&ids); i++) {
        const struct set_image *image = image_find(r, field_id_at(&ids, i));
        if (image == NULL || !image->delivered || (!erased && !named_in_time(r, listing, image))) {
            continue;
        }
        if (ARRAY_RESERVE(r->visible, r->visible_capacity, out->image_count + 1) != 0) {
            return -ENOMEM;
        }
        r->visible[out->image_count++] = (struct reference_image){image->id, image->descriptor};
    }
    out->images = r->visible;
    return 0;
}

/* Joins the tables. */
static void join_tables(struct reference *r, struct reference_document *out) {
    const struct table_row *category = row_find(r, FACT_CATEGORY, out->category);
    const struct table_row *locale = row_find(r, FACT_LOCALE, out->locale);
    bool named = out->category.data != NULL, spelled = out->locale.data != NULL;
    out->category_path = named && category != NULL ? category->value : out->category;
    out->locale_tag = spelled && locale != NULL ? locale->value : out->locale;
    out->tokeniser = spelled && locale != NULL ? locale->tokeniser : TOKENISER_WORD;
}

int reference_listing(struct reference *r, uint64_t listing_id, struct reference_document *out) {
    *out = (struct reference_document){
        .listing_id = listing_id, .price = -1, .tokeniser = TOKENISER_WORD, .last = STAMP_NONE};
    uint32_t at = id_map_get(&r->listing_index, listing_id);
    if (at == ID_MAP_NONE || r->listings[at].count == 0) {
        return 0;
    }
    struct listing *listing = &r->listings[at];
    if (!listing->sorted) {
        qsort(listing->events, listing->count, sizeof *listing->events, event_order_of);
        listing->sorted = true;
    }
    r->field_count = 0;
    r->image_count = 0;
    struct stamp erased = erased_until(r, listing);
    for (size_t i = 0; i < listing->count; i++) {
        if (stamp_compare(listing->events[i].stamp, erased) <= 0) {
            continue;
        }
        if (event_fold(r, &listing->events[i], &out->alive) != 0) {
            return -ENOMEM;
        }
    }
    out->last = listing->events[listing->count - 1].stamp;
    if (take_fields(r, out) != 0 || take_images(r, listing, !stamp_is_none(erased), out) != 0) {
        return -ENOMEM;
    }
    join_tables(r, out);
    if (out->has_seller) {
        uint32_t seller = id_map_get(&r->seller_index, out->seller_id);
        out->suppressed = seller != ID_MAP_NONE && r->sellers[seller].status == POLICY_SUPPRESSED;
    }
    return 1;
}

static int id_order(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int reference_ids(struct reference *r, const uint64_t **ids, size_t *count) {
    *count = 0;
    if (ARRAY_RESERVE(r->ids, r->id_capacity, r->listing_count) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < r->listing_count; i++) {
        /* One without events was named by a record for which there was no memory. */
        if (r->listings[i].count > 0) {
            r->ids[(*count)++] = r->listings[i].id;
        }
    }
    if (*count > 0) {
        qsort(r->ids, *count, sizeof *r->ids, id_order);
    }
    *ids = r->ids;
    return 0;
}

bool reference_has_text(const struct reference_document *d) {
    return d->title.len > 0 || d->description.len > 0 || d->attribute_count > 0;
}

/* Appends to a text that may not fit, counting what it would need. */
static size_t text_add(char *buffer, size_t capacity, size_t length, struct bytes bytes) {
    if (bytes.len > 0 && length + bytes.len <= capacity) {
        memcpy(buffer + length, bytes.data, bytes.len);
    }
    return length + bytes.len;
}

size_t reference_attributes_text(const struct reference_document *d, char *buffer,
                                 size_t capacity) {
    size_t length = 0;
    for (size_t i = 0; i < d->attribute_count; i++) {
        const struct field *attribute = &d->attributes[i];
        struct bytes value = attribute->text;
        char digits[24];
        if (attribute->type == VALUE_INTEGER) {
            int len = snprintf(digits, sizeof digits, "%" PRId64, attribute->integer);
            value = (struct bytes){digits, (size_t)len};
        }
        length = text_add(buffer, capacity, length, attribute->name);
        length = text_add(buffer, capacity, length, (struct bytes){" ", 1});
        length = text_add(buffer, capacity, length, value);
        length = text_add(buffer, capacity, length, (struct bytes){"\n", 1});
    }
    return length;
}

/* ---- Orders ---- */

static int order_by_id(const void *a, const void *b) {
    const struct reference_order *x = a;
    const struct reference_order *y = b;
    return (x->order_id > y->order_id) - (x->order_id < y->order_id);
}

static vtime hour_of(vtime t) {
    return (vtime){t.ns - t.ns % VTIME_HOUR}; /* no record is from before 1970 */
}

static int order_by_bucket(const void *a, const void *b) {
    const struct reference_order *x = a;
    const struct reference_order *y = b;
    int order = bytes_compare(x->category, y->category);
    if (order != 0) {
        return order;
    }
    int64_t hour_x = hour_of(x->placed).ns;
    int64_t hour_y = hour_of(y->placed).ns;
    return (hour_x > hour_y) - (hour_x < hour_y);
}

static int orders_copy(struct reference *r, int (*order)(const void *, const void *)) {
    if (ARRAY_RESERVE(r->orders_out, r->order_out_capacity, r->order_count) != 0) {
        return -ENOMEM;
    }
    if (r->order_count > 0) {
        memcpy(r->orders_out, r->orders, r->order_count * sizeof *r->orders);
        qsort(r->orders_out, r->order_count, sizeof *r->orders_out, order);
    }
    return 0;
}

int reference_orders(struct reference *r, const struct reference_order **orders, size_t *count) {
    if (orders_copy(r, order_by_id) != 0) {
        return -ENOMEM;
    }
    *orders = r->orders_out;
    *count = r->order_count;
    return 0;
}

int reference_sales(struct reference *r, const struct reference_sales **sales, size_t *count) {
    size_t buckets = 0;
    if (orders_copy(r, order_by_bucket) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < r->order_count; i++) {
        const struct reference_order *order = &r->orders_out[i];
        if (i == 0 || order_by_bucket(order - 1, order) != 0) {
            if (ARRAY_RESERVE(r->sales, r->sales_capacity, buckets + 1) != 0) {
                return -ENOMEM;
            }
            r->sales[buckets++] = (struct reference_sales){.category = order->category,
                                                           .hour = hour_of(order->placed)};
        }
        struct reference_sales *bucket = &r->sales[buckets - 1];
        bucket->orders++;
        bucket->quantity += order->quantity;
        bucket->amount += order->amount;
    }
    *sales = r->sales;
    *count = buckets;
    return 0;
}
