#include "sim/replay.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/array.h"
#include "pipeline/field_check.h"
#include "pipeline/id_map.h"
#include "pipeline/utf8.h"
#include "sim/arena.h"
#include "sim/line_reader.h"
#include "sim/prng.h"
#include "sim/replay_line.h"

#define OWN_FIELDS 7 /* fields of a listing that are no attributes */

/* A listing: what the file says of it, up to the point where reading or replaying is. */
struct replayed {
    uint64_t id;
    struct bytes source_id; /* as in the file */
    struct field *row;      /* its fields in canonical order; the own seven first, or none at all */
    size_t row_count, row_capacity;
    uint32_t place; /* in `alive` */
    bool is_alive;
    bool delivered; /* its picture was sent in, in this life */
    uint64_t image_id;
};

/* One operation. Of listing events `first` and `count` are the fields of the record. */
struct replay_step {
    int64_t at_ns;
    uint64_t image_id;
    struct bytes descriptor;
    size_t first;
    uint32_t count;
    uint32_t listing;
    enum workload_op_kind kind;
    bool withdrawn; /* MEDIA */
};

struct replay {
    struct arena arena;
    struct replayed *listings;
    size_t listing_count, listing_capacity;
    struct id_map places; /* of listings by id */
    struct field *fields; /* of all records */
    size_t field_count, field_capacity;
    struct replay_step *steps;
    size_t step_count, step_capacity;
    uint32_t *alive; /* listings that live, without order */
    size_t alive_count, alive_capacity;

    uint64_t seed;
    struct prng ids;
    size_t next; /* step */
    char *encoded;
    size_t encoded_capacity;
};

/* Where reading stands. */
struct loading {
    struct replay *r;
    const struct workload_options *options;
    struct workload_error *error;
    struct line_reader reader;
    struct replay_fields fields;
    size_t group_first; /* step that opens the present timestamp */
    vtime group_at;
    size_t column; /* of what is wrong; 0: not known */
};

/* ---- sentences ---- */

/* Cuts off or overwrites what is no UTF-8: file names may hold anything. */
static void make_valid(char *text) {
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        at += utf8_valid_prefix((struct bytes){text + at, len - at});
        if (at < len) {
            text[at++] = '?';
        }
    }
}

/* "FILE: ...", "FILE:LINE: ..." or "FILE:LINE:COLUMN: ..."; returns -1. */
__attribute__((format(printf, 2, 3))) static int fail(struct loading *l, const char *format, ...) {
    char *text = l->error->text;
    size_t size = sizeof l->error->text;
    size_t used = (size_t)snprintf(text, size, "%.180s:", l->options->file);
    if (l->reader.line > 0) {
        used += (size_t)snprintf(text + used, size - used, "%zu:", l->reader.line);
    }
    if (l->column > 0) {
        used += (size_t)snprintf(text + used, size - used, "%zu:", l->column);
    }
    used += (size_t)snprintf(text + used, size - used, " ");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
    make_valid(text);
    return -1;
}

static int no_memory(struct loading *l) {
    return fail(l, "there is not enough memory for the rest of the file");
}

/* ---- listings ---- */

/* The place of the line's listing, which is made when it comes up for the first time. */
static int find_listing(struct loading *l, const struct replay_line *line, uint32_t *place) {
    struct replay *r = l->r;
    if (id_map_index(&r->places, line->listing_id, place)) {
        const struct bytes known = r->listings[*place].source_id;
        return bytes_equal(known, line->id)
                   ? 0
                   : fail(l, "the ids \"%.60s\" and \"%.60s\" have one hash; rename one of them",
                          known.data, line->id.data);
    }
    struct replayed listing = {.id = line->listing_id};
    struct bytes with_end = {line->id.data, line->id.len + 1}; /* jansson ends it with a NUL */
    if (r->listing_count == UINT32_MAX ||
        ARRAY_RESERVE(r->listings, r->listing_capacity, r->listing_count + 1) != 0 ||
        arena_copy(&r->arena, with_end, &listing.source_id) != 0 ||
        id_map_put_index(&r->places, listing.id, r->listing_count) < 0) {
        return no_memory(l);
    }
    listing.source_id.len--;
    *place = (uint32_t)r->listing_count;
    r->listings[r->listing_count++] = listing;
    return 0;
}

/* Changes the fields of a row that the record names. 0 or -ENOMEM. */
static int row_apply(struct replayed *listing, const struct field *named, size_t count) {
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        int order = -1;
        while (at < listing->row_count &&
               (order = field_order(listing->row[at].id, listing->row[at].name, named[i].id,
                                    named[i].name)) < 0) {
            at++;
        }
        if (at == listing->row_count || order != 0) {
            if (ARRAY_RESERVE(listing->row, listing->row_capacity, listing->row_count + 1) != 0) {
                return -ENOMEM;
            }
            memmove(listing->row + at + 1, listing->row + at,
                    (listing->row_count - at) * sizeof *listing->row);
            listing->row_count++;
        }
        listing->row[at] = named[i];
    }
    return 0;
}

/* What an operation does to its listing, while reading and while replaying alike. 0 or -ENOMEM. */
static int step_apply(struct replay *r, const struct replay_step *step) {
    struct replayed *listing = &r->listings[step->listing];
    if (step->kind == OP_LISTING_DELETE) {
        if (listing->is_alive) {
            listing->is_alive = false;
            uint32_t last = r->alive[--r->alive_count];
            r->alive[listing->place] = last;
            r->listings[last].place = listing->place;
        }
        return 0;
    }
    if (step->kind == OP_MEDIA) {
        return 0;
    }
    if (!listing->is_alive) {
        if (ARRAY_RESERVE(r->alive, r->alive_capacity, r->alive_count + 1) != 0) {
            return -ENOMEM;
        }
        listing->is_alive = true;
        listing->row_count = 0;
        listing->place = (uint32_t)r->alive_count;
        r->alive[r->alive_count++] = step->listing;
    }
    return row_apply(listing, r->fields + step->first, step->count);
}

static const struct field *row_field(const struct replayed *listing, enum field_id id) {
    assert(listing->row_count >= OWN_FIELDS && listing->row[id - FIELD_TITLE].id == id);
    return &listing->row[id - FIELD_TITLE];
}

/* ---- reading: one line ---- */

static int add_step(struct loading *l, struct replay_step step) {
    struct replay *r = l->r;
    if (ARRAY_RESERVE(r->steps, r->step_capacity, r->step_count + 1) != 0) {
        return no_memory(l);
    }
    r->steps[r->step_count++] = step;
    return step_apply(r, &step) == 0 ? 0 : no_memory(l);
}

/* Whole UPSERTs of a listing that lives say of what it had and has no more that it is null. */
static int add_taken_away(struct loading *l, const struct replayed *listing) {
    struct replay_fields *fields = &l->fields;
    size_t named = fields->count;
    size_t at = 0;
    for (size_t i = 0; i < listing->row_count; i++) {
        struct field had = listing->row[i];
        int order = -1;
        while (at < named && (order = field_order(fields->items[at].id, fields->items[at].name,
                                                  had.id, had.name)) < 0) {
            at++;
        }
        if (at == named || order != 0) {
            struct field null = {.id = had.id, .type = VALUE_NULL, .name = had.name};
            if (replay_fields_add(fields, null) != 0) {
                return no_memory(l);
            }
        }
    }
    replay_fields_sort(fields);
    return 0;
}

/* Adds the listing event with what is in l->fields. */
static int add_upsert(struct loading *l, enum workload_op_kind kind, uint32_t place) {
    struct replay *r = l->r;
    const struct replay_fields *named = &l->fields;
    struct record record = {.type = RECORD_LISTING, .op = RECORD_UPSERT};
    if (named->count > RECORD_FIELDS_MAX) {
        return fail(l, "the listing has %zu fields, more than %d", named->count, RECORD_FIELDS_MAX);
    }
    size_t bytes = record_encoded_bound(&record, named->items, named->count);
    if (bytes > RECORD_BYTES_MAX) {
        return fail(l, "the event takes %zu bytes, more than %d", bytes, RECORD_BYTES_MAX);
    }
    if (ARRAY_RESERVE(r->encoded, r->encoded_capacity, bytes) != 0 ||
        ARRAY_RESERVE(r->fields, r->field_capacity, r->field_count + named->count) != 0) {
        return no_memory(l);
    }
    struct replay_step step = {
        .kind = kind, .listing = place, .first = r->field_count, .count = (uint32_t)named->count};
    if (named->count > 0) {
        memcpy(r->fields + r->field_count, named->items, named->count * sizeof *named->items);
    }
    r->field_count += named->count;
    return add_step(l, step);
}

/* The first `max` bytes of a text, or fewer so that no character is cut. */
static struct bytes shortened(struct bytes text, size_t max) {
    if (text.len > max) {
        text.len = utf8_valid_prefix((struct bytes){text.data, max});
    }
    return text;
}

/* Name and category. */
static int make_descriptor(struct loading *l, const struct replayed *listing, struct bytes *out) {
    struct bytes name = row_field(listing, FIELD_TITLE)->text;
    struct bytes category = row_field(listing, FIELD_CATEGORY)->text;
    category = shortened(category, RECORD_TEXT_MAX / 4);
    name = shortened(name, RECORD_TEXT_MAX - category.len - 1);
    char *room = arena_room(&l->r->arena, name.len + 1 + category.len);
    if (room == NULL) {
        return no_memory(l);
    }
    size_t len = 0;
    if (name.len > 0) {
        memcpy(room, name.data, name.len);
        len = name.len;
    }
    if (category.len > 0) {
        if (len > 0) {
            room[len++] = ' ';
        }
        memcpy(room + len, category.data, category.len);
        len += category.len;
    }
    *out = (struct bytes){room, len};
    return 0;
}

/* Media events that follow from the picture that the event named. */
static int add_media(struct loading *l, uint32_t place) {
    struct replayed *listing = &l->r->listings[place];
    const struct replay_fields *named = &l->fields;
    bool same = named->has_image && listing->delivered && listing->image_id == named->image_id;
    if (!named->image_named || same) {
        return 0;
    }
    struct replay_step step = {.kind = OP_MEDIA, .listing = place};
    if (listing->delivered) {
        listing->delivered = false;
        step.image_id = listing->image_id;
        step.withdrawn = true;
        if (add_step(l, step) != 0) {
            return -1;
        }
    }
    if (!named->has_image) {
        return 0;
    }
    listing->delivered = true;
    step.image_id = listing->image_id = named->image_id;
    step.withdrawn = false;
    struct record record = {.type = RECORD_MEDIA};
    if (make_descriptor(l, listing, &record.image_descriptor) != 0) {
        return -1;
    }
    size_t bytes = record_encoded_bound(&record, NULL, 0);
    if (ARRAY_RESERVE(l->r->encoded, l->r->encoded_capacity, bytes) != 0) {
        return no_memory(l);
    }
    step.descriptor = record.image_descriptor;
    return add_step(l, step);
}

static int load_event(struct loading *l, const struct replay_line *line) {
    uint32_t place = 0;
    if (find_listing(l, line, &place) != 0) {
        return -1;
    }
    if (line->op == REPLAY_DELETE) {
        l->r->listings[place].delivered = false;
        return add_step(l, (struct replay_step){.kind = OP_LISTING_DELETE, .listing = place});
    }
    bool was_alive = l->r->listings[place].is_alive;
    bool whole = line->op == REPLAY_CREATE || line->changed == NULL || !was_alive;
    struct replay_complaint complaint;
    if (replay_line_fields(line, whole, &l->r->arena, &l->fields, &complaint) != 0) {
        return fail(l, "%s", complaint.text);
    }
    if (whole && was_alive && add_taken_away(l, &l->r->listings[place]) != 0) {
        return -1;
    }
    bool creates = line->op == REPLAY_CREATE;
    if (add_upsert(l, creates ? OP_LISTING_CREATE : OP_LISTING_UPDATE, place) != 0) {
        return -1;
    }
    return add_media(l, place);
}

/* ---- reading: time ---- */

/* Spreads the steps of one timestamp over what lies before the next. */
static int close_group(struct loading *l, int64_t next_ns) {
    struct replay *r = l->r;
    int64_t n = (int64_t)(r->step_count - l->group_first);
    int64_t at = l->group_at.ns;
    int64_t room = next_ns - at;
    int64_t width = l->options->spread_ns > n ? l->options->spread_ns : n;
    if (n > room) {
        return fail(l,
                    "there are %" PRId64 " events, media included, at one time, and %" PRId64
                    " nanoseconds to the next",
                    n, room);
    }
    width = width < room ? width : room;
    for (int64_t i = 0; i < n; i++) {
        /* i * width / n without the product, which could overflow */
        r->steps[l->group_first + (size_t)i].at_ns = at + width / n * i + width % n * i / n;
    }
    l->group_first = r->step_count;
    return 0;
}

static int load_line(struct loading *l, struct bytes text) {
    struct replay_line line;
    struct replay_complaint complaint;
    if (replay_line_parse(text, &line, &complaint) != 0) {
        l->column = (size_t)complaint.column;
        return fail(l, "%s", complaint.text);
    }
    int rc = 0;
    if (l->reader.line > 1 && vtime_before(line.at, l->group_at)) {
        rc = fail(l, "ts is before that of the line above; events must be in the order of time");
    } else if (l->reader.line > 1 && line.at.ns > l->group_at.ns) {
        rc = close_group(l, line.at.ns);
    }
    l->group_at = line.at;
    rc = rc == 0 ? load_event(l, &line) : rc;
    replay_line_release(&line);
    return rc;
}

static int load_lines(struct loading *l) {
    while (true) {
        struct bytes text = {NULL, 0};
        switch (line_reader_next(&l->reader, &text)) {
        case LINE_READ:
            if (load_line(l, text) != 0) {
                return -1;
            }
            break;
        case LINE_END:
            if (l->reader.line == 0) {
                return fail(l, "the file is empty");
            }
            return close_group(l, INT64_MAX);
        case LINE_TOO_LONG:
            return fail(l, "the line is longer than %u bytes", REPLAY_LINE_MAX);
        case LINE_DAMAGED:
            return fail(l, "%s", l->reader.damage);
        case LINE_NO_MEMORY:
            return no_memory(l);
        }
    }
}

static int load(struct loading *l) {
    if (l->options->spread_ns < 0) {
        snprintf(l->error->text, sizeof l->error->text, "workload.spread must be 0 or more");
        return -1;
    }
    int why = line_reader_open(&l->reader, l->options->file, REPLAY_LINE_MAX);
    if (why != 0) {
        return fail(l, "%s", strerror(why));
    }
    return load_lines(l);
}

/* ---- replaying ---- */

/* Back to before the first line. Every row keeps its room, which is all that it will need. */
static void rewind_listings(struct replay *r) {
    for (size_t i = 0; i < r->listing_count; i++) {
        r->listings[i].is_alive = false;
        r->listings[i].row_count = 0;
    }
    r->alive_count = 0;
}

struct replay *replay_new(const struct workload_options *options, struct workload_error *error) {
    replay_line_setup();
    struct replay *r = calloc(1, sizeof *r);
    if (r == NULL) {
        snprintf(error->text, sizeof error->text, "there is not enough memory for the workload");
        return NULL;
    }
    arena_init(&r->arena);
    id_map_init(&r->places);
    r->seed = options->seed;
    prng_init(&r->ids, options->seed, "workload.ids");
    struct loading l = {.r = r, .options = options, .error = error};
    int rc = load(&l);
    if (rc == 0 && ARRAY_RESERVE(r->encoded, r->encoded_capacity, 256) != 0) {
        rc = no_memory(&l); /* a DELETE or a withdrawal fits in 256 bytes */
    }
    line_reader_close(&l.reader);
    free(l.fields.items);
    if (rc != 0) {
        replay_free(r);
        return NULL;
    }
    rewind_listings(r);
    return r;
}

void replay_free(struct replay *r) {
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->listing_count; i++) {
        free(r->listings[i].row);
    }
    free(r->listings);
    id_map_release(&r->places);
    free(r->fields);
    free(r->steps);
    free(r->alive);
    free(r->encoded);
    arena_release(&r->arena);
    free(r);
}

static struct stamp draw_stamp(struct replay *r, int64_t at_ns) {
    uint64_t hi = prng_next(&r->ids);
    uint64_t lo = prng_next(&r->ids);
    /* Version 4 and the variant of RFC 9562. */
    hi = (hi & ~UINT64_C(0xf000)) | 0x4000;
    lo = (lo & (UINT64_MAX >> 2)) | UINT64_C(1) << 63;
    return (struct stamp){{at_ns}, {hi, lo}};
}

static void fill_row(const struct replayed *listing, struct workload_op *op) {
    op->listing = (struct oltp_listing){
        .listing_id = listing->id, .price = -1, .deleted = !listing->is_alive, .stamp = op->stamp};
    if (listing->row_count == 0) { /* deleted before anything was said of it */
        return;
    }
    const struct field *price = row_field(listing, FIELD_PRICE);
    op->listing.seller_id = (uint64_t)row_field(listing, FIELD_SELLER)->integer;
    op->listing.title = row_field(listing, FIELD_TITLE)->text;
    op->listing.description = row_field(listing, FIELD_DESCRIPTION)->text;
    op->listing.locale = row_field(listing, FIELD_LOCALE)->text;
    op->listing.category = row_field(listing, FIELD_CATEGORY)->text;
    op->listing.price = price->type == VALUE_NULL ? -1 : price->integer;
    op->listing.image_ids = row_field(listing, FIELD_IMAGE_IDS)->text;
    op->listing.attributes = listing->row + OWN_FIELDS;
    op->listing.attribute_count = listing->row_count - OWN_FIELDS;
}

static void encode(struct replay *r, const struct replay_step *step, struct workload_op *op) {
    bool gone = step->kind == OP_LISTING_DELETE || step->withdrawn;
    struct record record = {.type = step->kind == OP_MEDIA ? RECORD_MEDIA : RECORD_LISTING,
                            .op = gone ? RECORD_DELETE : RECORD_UPSERT,
                            .contract_version = RECORD_CONTRACT_VERSION,
                            .stamp = op->stamp,
                            .subject_id = op->key,
                            .image_id = step->image_id,
                            .image_descriptor = step->descriptor};
    const struct field *fields = step->count == 0 ? NULL : r->fields + step->first;
    int64_t len = record_encode(&record, fields, step->count, r->encoded, r->encoded_capacity);
    assert(len > 0);
    op->value = (struct bytes){r->encoded, (size_t)len};
}

bool replay_next(struct replay *r, struct workload_op *op) {
    if (r->next == r->step_count) {
        return false;
    }
    const struct replay_step *step = &r->steps[r->next++];
    int rc = step_apply(r, step);
    assert(rc == 0); /* all room was taken while reading */
    (void)rc;
    const struct replayed *listing = &r->listings[step->listing];
    *op = (struct workload_op){
        .kind = step->kind,
        .at = {step->at_ns},
        .topic = step->kind == OP_MEDIA ? TOPIC_MEDIA : TOPIC_LISTING,
        .key = listing->id,
        .through_oltp = step->kind != OP_MEDIA,
        .stamp = draw_stamp(r, step->at_ns),
    };
    if (step->kind != OP_MEDIA) {
        fill_row(listing, op);
    }
    encode(r, step, op);
    return true;
}

vtime replay_peek(const struct replay *r) {
    return r->next == r->step_count ? VTIME_NEVER : (vtime){r->steps[r->next].at_ns};
}

uint64_t replay_total(const struct replay *r) {
    return r->step_count;
}

vtime replay_end(const struct replay *r) {
    return (vtime){r->steps[r->step_count - 1].at_ns};
}

/* From one to three words of a text that stand together. */
static struct bytes draw_words(struct bytes text, struct prng *p) {
    size_t words = 1;
    for (size_t i = 0; i < text.len; i++) {
        words += text.data[i] == ' ';
    }
    uint64_t wanted = 1 + prng_below(p, 3);
    wanted = wanted < words ? wanted : words;
    uint64_t skip = prng_below(p, words - wanted + 1);
    const char *at = text.data;
    const char *end = text.data + text.len;
    for (; skip > 0; at++) {
        skip -= *at == ' ';
    }
    const char *stop = at;
    for (; stop < end && wanted > 0; stop++) {
        wanted -= *stop == ' ';
    }
    stop -= wanted == 0;
    return (struct bytes){at, (size_t)(stop - at)};
}

bool replay_query(struct replay *r, uint64_t i, struct workload_query *query) {
    struct prng p;
    prng_init(&p, r->seed ^ (i * UINT64_C(0x9e3779b97f4a7c15)), "workload.query");
    /* A listing without words is passed over, for a while. */
    for (int tries = 0; tries < 16 && r->alive_count > 0; tries++) {
        const struct replayed *listing = &r->listings[r->alive[prng_below(&p, r->alive_count)]];
        struct bytes category = row_field(listing, FIELD_CATEGORY)->text;
        struct bytes title = row_field(listing, FIELD_TITLE)->text;
        struct bytes words = draw_words(title.len > 0 ? title : category, &p);
        bool within = prng_ratio(&p, 1, 4) && category.len > 0;
        if (words.len > 0) {
            *query =
                (struct workload_query){.text = words,
                                        .category = within ? category : (struct bytes){NULL, 0},
                                        .listing_id = listing->id};
            return true;
        }
    }
    return false;
}
