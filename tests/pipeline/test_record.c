/* The wire format (A1, A13): what is encoded comes back, and nothing malformed gets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <xxhash.h>

#include "pipeline/field_check.h"
#include "pipeline/little_endian.h"
#include "pipeline/record.h"
#include "pipeline/topics.h"

/* ---- a generator of records ---- */

struct rng {
    uint64_t s;
};

static uint64_t rng_next(struct rng *g) {
    g->s ^= g->s << 13;
    g->s ^= g->s >> 7;
    g->s ^= g->s << 17;
    return g->s * UINT64_C(0x2545F4914F6CDD1D) >> 11;
}

static uint64_t rng_below(struct rng *g, uint64_t n) {
    return rng_next(g) % n;
}

#define MOST_FIELDS 16

struct sample {
    struct record record;
    struct field fields[MOST_FIELDS];
    size_t field_count;
    char text[8192]; /* what the fields point into */
    size_t text_len;
};

static struct bytes sample_text(struct sample *s, struct rng *g, size_t most) {
    static const char *const pieces[] = {
        "a", "Z", " ", "lamp", "\xC3\xA9", "\xE7\x81\xAF", "\xF0\x9F\x92\xA1", "0123456789abcdef"};
    char *from = s->text + s->text_len;
    size_t wanted = (size_t)rng_below(g, most + 1);
    size_t len = 0;
    for (;;) {
        struct bytes piece = bytes_of(pieces[rng_below(g, 8)]);
        if (len + piece.len > wanted) {
            break;
        }
        memcpy(from + len, piece.data, piece.len);
        len += piece.len;
    }
    s->text_len += len;
    assert_true(s->text_len <= sizeof s->text);
    return (struct bytes){from, len};
}

static struct bytes sample_ids(struct sample *s, struct rng *g) {
    size_t count = (size_t)rng_below(g, 6);
    char *from = s->text + s->text_len;
    for (size_t i = 0; i < count; i++) {
        le64_put(from + 8 * i, rng_below(g, 1000) * 8 + i);
    }
    s->text_len += 8 * count;
    return (struct bytes){from, 8 * count};
}

static void sample_value(struct sample *s, struct rng *g, struct field *f) {
    static const char *const numbers[] = {"0.5", "-0", "1e9", "18446744073709551616", "-1.25E-7"};
    f->type = VALUE_NULL;
    if (rng_below(g, 8) == 0) {
        return;
    }
    switch (f->id) {
    case FIELD_SELLER:
    case FIELD_PRICE:
        f->type = VALUE_INTEGER;
        f->integer = (int64_t)rng_below(g, UINT64_C(1) << 50);
        return;
    case FIELD_IMAGE_IDS:
        f->type = VALUE_IDS;
        f->text = sample_ids(s, g);
        return;
    case FIELD_ATTRIBUTE:
        if (rng_below(g, 3) == 0) {
            f->type = VALUE_INTEGER;
            f->integer = -(int64_t)rng_below(g, 1000);
            return;
        }
        if (rng_below(g, 3) == 0) {
            f->type = VALUE_NUMBER;
            f->text = bytes_of(numbers[rng_below(g, 5)]);
            return;
        }
        break;
    default:
        break;
    }
    f->type = VALUE_TEXT;
    f->text = sample_text(s, g, f->id == FIELD_DESCRIPTION ? 600 : 60);
}

static void sample_fields(struct sample *s, struct rng *g) {
    static const char *const names[] = {"brand", "colour", "colour2", "gr\xC3\xB6\xC3\x9F", "zip"};
    for (enum field_id id = FIELD_TITLE; id < FIELD_ATTRIBUTE; id++) {
        if (rng_below(g, 3) != 0) {
            struct field f = {.id = id};
            sample_value(s, g, &f);
            s->fields[s->field_count++] = f;
        }
    }
    for (size_t i = 0; i < 5; i++) {
        if (rng_below(g, 2) == 0) {
            struct field f = {.id = FIELD_ATTRIBUTE, .name = bytes_of(names[i])};
            sample_value(s, g, &f);
            s->fields[s->field_count++] = f;
        }
    }
}

static struct stamp sample_stamp(struct rng *g) {
    return (struct stamp){{(int64_t)rng_next(g)}, {rng_next(g), rng_next(g)}};
}

static void sample_sections(struct record *r, struct rng *g) {
    r->sections = (unsigned)rng_below(g, 4) | (rng_below(g, 4) == 0 ? SECTION_FACTS : 0) |
                  (rng_below(g, 3) == 0 ? SECTION_WRITER : 0);
    r->fact_count = 0;
    if (r->sections & SECTION_ORIGIN) {
        r->origin = (struct origin){.topic = (uint8_t)rng_below(g, TOPIC_COUNT),
                                    .partition = (uint32_t)rng_next(g),
                                    .offset = (int64_t)rng_next(g),
                                    .append = {(int64_t)rng_next(g)}};
    }
    if (r->sections & SECTION_POLICY) {
        r->policy = (struct policy_note){.seller_id = rng_next(g),
                                         .status = POLICY_ACTIVE + (unsigned)rng_below(g, 2),
                                         .stamp = sample_stamp(g)};
    }
    if (r->sections & SECTION_WRITER) {
        r->writer = (struct record_writer){2, (uint32_t)rng_next(g), (uint32_t)rng_next(g)};
    }
    if (r->sections & SECTION_FACTS) {
        r->fact_count = 1 + rng_below(g, RECORD_FACTS_MAX);
        for (size_t i = 0; i < r->fact_count; i++) {
            bool locale = rng_below(g, 2) == 0;
            r->facts[i] = (struct fact){.kind = locale ? FACT_LOCALE : FACT_CATEGORY,
                                        .key = rng_next(g),
                                        .code = locale ? TOKENISER_BIGRAM : 0,
                                        .stamp = {{(int64_t)rng_below(g, 1000)}, {rng_next(g), 1}},
                                        .value = bytes_of(locale ? "ja-JP" : "Home > Lamps")};
        }
    }
}

static void sample_reference(struct record *r, struct rng *g) {
    bool locale = rng_below(g, 2) == 0;
    r->reference = (struct reference_row){
        .table = locale ? FACT_LOCALE : FACT_CATEGORY,
        .tokeniser = locale ? TOKENISER_WORD : (enum tokeniser)0,
        .key = bytes_of("a key"),
        .value = bytes_of("a value"),
    };
}

static void sample_record(struct sample *s, struct rng *g) {
    s->field_count = 0;
    s->text_len = 0;
    struct record *r = &s->record;
    *r = (struct record){
        .type = RECORD_LISTING + (unsigned)rng_below(g, RECORD_TYPE_END - RECORD_LISTING),
        .op = RECORD_UPSERT,
        .contract_version = RECORD_CONTRACT_VERSION,
        .stamp = sample_stamp(g),
        .subject_id = rng_next(g),
    };
    if (r->type <= RECORD_MEDIA && rng_below(g, 4) == 0) {
        r->op = RECORD_DELETE;
    }
    if (r->type == RECORD_LISTING && r->op == RECORD_UPSERT) {
        sample_fields(s, g);
    } else if (r->type == RECORD_MEDIA) {
        r->image_id = rng_next(g);
        r->image_descriptor = sample_text(s, g, 80);
    } else if (r->type == RECORD_POLICY) {
        r->seller_id = rng_next(g);
        r->status = POLICY_ACTIVE + (unsigned)rng_below(g, 2);
    } else if (r->type == RECORD_ORDER) {
        r->order_id = rng_next(g);
        r->placed = (vtime){(int64_t)rng_below(g, 1000000)};
        r->quantity = 1 + (int64_t)rng_below(g, 9);
        r->amount = (int64_t)rng_below(g, 1000000);
        r->order_category = sample_text(s, g, 30);
    } else if (r->type == RECORD_REFERENCE) {
        sample_reference(r, g);
    } else if (r->type == RECORD_ERASURE) {
        r->erasure_scope = ERASURE_LISTING + (unsigned)rng_below(g, 2);
        r->erasure_id = rng_next(g);
        r->erasure_part = (uint32_t)rng_next(g);
    } else if (r->type == RECORD_CERTIFICATE) {
        r->erasure_scope = ERASURE_LISTING + (unsigned)rng_below(g, 2);
        r->erasure_id = rng_next(g);
        r->certificate_wave = (uint32_t)rng_next(g);
        r->certificate_looks = sample_text(s, g, 60);
        r->certificate_ids = sample_ids(s, g);
    } else if (r->type == RECORD_CONTROL) {
        r->control = (struct control){.kind = (uint16_t)rng_next(g),
                                      .model_version = (uint32_t)rng_next(g),
                                      .model_other = (uint32_t)rng_next(g),
                                      .from = {(int64_t)rng_next(g)},
                                      .to = {(int64_t)rng_next(g)},
                                      .id = rng_next(g),
                                      .text = sample_text(s, g, 60)};
    }
    sample_sections(r, g);
}

/* ---- bytes that end where their heap block ends, so that a sanitizer sees one read too many ----
 */

static struct bytes exact_copy(const char *data, size_t len) {
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    return (struct bytes){copy, len};
}

static void drop(struct bytes b) {
    free((void *)(uintptr_t)b.data);
}

static struct bytes encoded(const struct record *r, const struct field *fields, size_t count) {
    size_t size = record_encoded_bound(r, fields, count);
    char *buffer = malloc(size);
    assert_non_null(buffer);
    assert_int_equal(record_encode(r, fields, count, buffer, size), size);
    return (struct bytes){buffer, size};
}

static struct bytes encoded_sample(const struct sample *s) {
    return encoded(&s->record, s->fields, s->field_count);
}

/* Makes the checksum right again, as the header describes it, so that a test reaches the checks
 * behind it. */
static void reseal(struct bytes b) {
    char *data = (char *)(uintptr_t)b.data;
    uint32_t sum = (uint32_t)XXH3_64bits(data + 12, b.len - 12) + le32_get(data) * 0x9E3779B1u;
    le32_put(data + 8, sum);
}

/* ---- comparing ---- */

static void assert_same_field(const struct field *a, const struct field *b) {
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->integer, b->integer);
    assert_true(bytes_equal(a->name, b->name));
    assert_true(bytes_equal(a->text, b->text));
}

static void assert_same_note(const struct policy_note *a, const struct policy_note *b) {
    assert_int_equal(a->seller_id, b->seller_id);
    assert_int_equal(a->status, b->status);
    assert_int_equal(stamp_compare(a->stamp, b->stamp), 0);
}

static void assert_same_facts(const struct record *a, const struct record *b) {
    assert_int_equal(a->reference.table, b->reference.table);
    assert_int_equal(a->reference.tokeniser, b->reference.tokeniser);
    assert_true(bytes_equal(a->reference.key, b->reference.key));
    assert_true(bytes_equal(a->reference.value, b->reference.value));
    assert_int_equal(a->fact_count, b->fact_count);
    for (size_t i = 0; i < a->fact_count; i++) {
        assert_int_equal(a->facts[i].kind, b->facts[i].kind);
        assert_int_equal(a->facts[i].key, b->facts[i].key);
        assert_int_equal(a->facts[i].code, b->facts[i].code);
        assert_int_equal(stamp_compare(a->facts[i].stamp, b->facts[i].stamp), 0);
        assert_true(bytes_equal(a->facts[i].value, b->facts[i].value));
    }
}

static void assert_same_origin(const struct origin *a, const struct origin *b) {
    assert_int_equal(a->topic, b->topic);
    assert_int_equal(a->partition, b->partition);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->append.ns, b->append.ns);
}

static void assert_same_record(const struct sample *want, const struct record *got) {
    const struct record *r = &want->record;
    assert_int_equal(got->type, r->type);
    assert_int_equal(got->op, r->op);
    assert_int_equal(got->contract_version, r->contract_version);
    assert_int_equal(stamp_compare(got->stamp, r->stamp), 0);
    assert_int_equal(got->subject_id, r->subject_id);
    assert_int_equal(got->image_id, r->image_id);
    assert_true(bytes_equal(got->image_descriptor, r->image_descriptor));
    assert_int_equal(got->seller_id, r->seller_id);
    assert_int_equal(got->status, r->status);
    assert_int_equal(got->order_id, r->order_id);
    assert_int_equal(got->placed.ns, r->placed.ns);
    assert_int_equal(got->quantity, r->quantity);
    assert_int_equal(got->amount, r->amount);
    assert_true(bytes_equal(got->order_category, r->order_category));
    assert_int_equal(got->control.kind, r->control.kind);
    assert_int_equal(got->control.model_version, r->control.model_version);
    assert_int_equal(got->control.model_other, r->control.model_other);
    assert_int_equal(got->control.from.ns, r->control.from.ns);
    assert_int_equal(got->control.to.ns, r->control.to.ns);
    assert_int_equal(got->control.id, r->control.id);
    assert_true(bytes_equal(got->control.text, r->control.text));
    assert_int_equal(got->erasure_scope, r->erasure_scope);
    assert_int_equal(got->erasure_id, r->erasure_id);
    assert_int_equal(got->erasure_part, r->erasure_part);
    assert_int_equal(got->certificate_wave, r->certificate_wave);
    assert_true(bytes_equal(got->certificate_looks, r->certificate_looks));
    assert_true(bytes_equal(got->certificate_ids, r->certificate_ids));
    assert_int_equal(got->sections, r->sections);
    assert_same_origin(&got->origin, &r->origin);
    assert_same_note(&got->policy, &r->policy);
    assert_same_facts(got, r);
    assert_int_equal(got->writer.code_version, r->writer.code_version);
    assert_int_equal(got->writer.member, r->writer.member);
    assert_int_equal(got->writer.generation, r->writer.generation);
    assert_int_equal(got->field_count, want->field_count);
    struct field f;
    size_t i = 0;
    for (struct field_cursor c = record_fields(got); record_fields_next(&c, &f); i++) {
        assert_same_field(&f, &want->fields[i]);
    }
    assert_int_equal(i, want->field_count);
}

static void decode_well(struct bytes b, struct record *r) {
    struct record_error error;
    if (record_decode(b, r, &error) != 0) {
        fail_msg("refused: %s: %s, not %s (%lld)", error.field, error.reason, error.expected,
                 (long long)error.actual);
    }
}

/* Refused, with every part of the reason given. */
static void assert_refused(struct bytes b, const char *reason, const char *field) {
    struct record r;
    struct record_error error = {0};
    assert_int_equal(record_decode(b, &r, &error), -1);
    assert_non_null(error.reason);
    assert_non_null(error.field);
    assert_non_null(error.expected);
    if (reason != NULL) {
        assert_string_equal(error.reason, reason);
        assert_string_equal(error.field, field);
    }
}

/* ---- tests ---- */

/* Every record comes back as it was, whatever the alignment of its bytes. */
static void round_trips(void **state) {
    (void)state;
    static struct sample s;
    struct rng g = {1};
    for (int i = 0; i < 5000; i++) {
        sample_record(&s, &g);
        struct bytes b = encoded_sample(&s);
        struct record r;
        decode_well(b, &r);
        assert_same_record(&s, &r);
        char *shifted = malloc(b.len + 8);
        assert_non_null(shifted);
        memcpy(shifted + i % 8, b.data, b.len);
        decode_well((struct bytes){shifted + i % 8, b.len}, &r);
        assert_same_record(&s, &r);
        free(shifted);
        drop(b);
    }
}

/* A buffer that is one byte short gets nothing. */
static void needs_its_room(void **state) {
    (void)state;
    static struct sample s;
    struct rng g = {2};
    for (int i = 0; i < 200; i++) {
        sample_record(&s, &g);
        size_t size = record_encoded_bound(&s.record, s.fields, s.field_count);
        char *buffer = malloc(size);
        assert_non_null(buffer);
        assert_int_equal(record_encode(&s.record, s.fields, s.field_count, buffer, size - 1), -1);
        free(buffer);
    }
}

/* Cut off at any length, a record is none; nor is one with a byte too many. */
static void truncation_is_noticed(void **state) {
    (void)state;
    static struct sample s;
    struct rng g = {3};
    for (int i = 0; i < 60; i++) {
        sample_record(&s, &g);
        struct bytes b = encoded_sample(&s);
        for (size_t len = 0; len < b.len; len++) {
            struct bytes cut = exact_copy(b.data, len);
            assert_refused(cut, NULL, NULL);
            if (len >= 48) {
                /* Also when the producer itself wrote too short a record and signed it. */
                le32_put((char *)(uintptr_t)cut.data + 4, (uint32_t)len);
                reseal(cut);
                assert_refused(cut, NULL, NULL);
            }
            drop(cut);
        }
        char *longer = malloc(b.len + 1);
        assert_non_null(longer);
        memcpy(longer, b.data, b.len);
        longer[b.len] = 0;
        assert_refused((struct bytes){longer, b.len + 1}, NULL, NULL);
        le32_put(longer + 4, (uint32_t)b.len + 1);
        reseal((struct bytes){longer, b.len + 1});
        assert_refused((struct bytes){longer, b.len + 1}, NULL, NULL);
        free(longer);
        drop(b);
    }
}

/* Any single byte that changed on the way is noticed, the first four (op!) included. */
static void flipped_byte_is_noticed(void **state) {
    (void)state;
    static struct sample s;
    struct rng g = {4};
    for (int i = 0; i < 300; i++) {
        sample_record(&s, &g);
        struct bytes b = encoded_sample(&s);
        char *data = (char *)(uintptr_t)b.data;
        for (size_t at = 0; at < b.len; at++) {
            char kept = data[at];
            for (int bit = 0; bit < 8; bit++) {
                data[at] = (char)(kept ^ (1 << bit));
                assert_refused(b, NULL, NULL);
            }
            data[at] = (char)(kept ^ (1 + (int)rng_below(&g, 255)));
            assert_refused(b, NULL, NULL);
            data[at] = kept;
        }
        drop(b);
    }
}

static void mutate(char *data, size_t len, struct rng *g) {
    static const unsigned char likely[] = {0, 1, 2, 3, 5, 7, 8, 9, 0x7F, 0x80, 0xC0, 0xED, 0xFF};
    for (uint64_t n = 1 + rng_below(g, 4); n > 0; n--) {
        size_t at = (size_t)rng_below(g, len);
        data[at] = (char)(rng_below(g, 2) == 0 ? likely[rng_below(g, sizeof likely)]
                                               : (unsigned char)rng_next(g));
    }
}

/*
 * Bytes that a producer got wrong but signed: refused, or a record within the limits that encodes
 * to those very bytes again. The sanitizers watch that nothing outside of them is read.
 */
static void mutations_are_refused_or_sound(void **state) {
    (void)state;
    static struct sample s;
    static struct field fields[RECORD_FIELDS_MAX];
    struct rng g = {5};
    int accepted = 0;
    int refused = 0;
    for (int i = 0; i < 60000; i++) {
        sample_record(&s, &g);
        struct bytes b = encoded_sample(&s);
        char *data = (char *)(uintptr_t)b.data;
        mutate(data, b.len, &g);
        le32_put(data + 4, (uint32_t)b.len);
        reseal(b);
        struct record r;
        struct record_error error = {0};
        if (record_decode(b, &r, &error) != 0) {
            assert_non_null(error.reason);
            refused++;
            drop(b);
            continue;
        }
        size_t count = 0;
        struct field f;
        for (struct field_cursor c = record_fields(&r); record_fields_next(&c, &f);) {
            assert_int_equal(field_check(&f, &error), 0);
            fields[count++] = f;
        }
        struct bytes again = encoded(&r, fields, count);
        assert_int_equal(again.len, b.len);
        assert_memory_equal(again.data, b.data, b.len);
        drop(again);
        drop(b);
        accepted++;
    }
    assert_true(accepted > 5000);
    assert_true(refused > 5000);
}

/* Reframing is encoding with other sections: the same bytes come out. */
static void reframe_changes_sections_only(void **state) {
    (void)state;
    static struct sample s;
    struct rng g = {6};
    for (int i = 0; i < 3000; i++) {
        sample_record(&s, &g);
        struct bytes b = encoded_sample(&s);
        struct record r;
        decode_well(b, &r);
        sample_sections(&r, &g);
        sample_sections(&s.record, &g);
        s.record.sections = r.sections;
        s.record.origin = r.origin;
        s.record.policy = r.policy;
        s.record.writer = r.writer;
        s.record.fact_count = r.fact_count;
        memcpy(s.record.facts, r.facts, sizeof r.facts);
        if (r.type == RECORD_POLICY || r.type == RECORD_REFERENCE) {
            s.record.subject_id = r.subject_id = rng_next(&g);
        }
        struct bytes want = encoded_sample(&s);
        char *buffer = malloc(b.len + RECORD_SECTIONS_MAX);
        assert_non_null(buffer);
        assert_int_equal(record_reframe(b, &r, buffer, want.len - 1), -1);
        assert_int_equal(record_reframe(b, &r, buffer, b.len + RECORD_SECTIONS_MAX), want.len);
        assert_memory_equal(buffer, want.data, want.len);
        free(buffer);
        drop(want);
        drop(b);
    }
}

/* ---- each rule by itself ---- */

static struct record plain(enum record_type type) {
    return (struct record){.type = type,
                           .op = RECORD_UPSERT,
                           .contract_version = 1,
                           .stamp = {{1}, {2, 3}},
                           .subject_id = 4,
                           .seller_id = 5,
                           .status = POLICY_ACTIVE,
                           .quantity = 1,
                           .reference = {FACT_CATEGORY, 0, {"k", 1}, {"v", 1}}};
}

static void assert_fields(const struct field *fields, size_t count, const char *reason,
                          const char *field) {
    struct record r = plain(RECORD_LISTING);
    struct bytes b = encoded(&r, fields, count);
    if (reason == NULL) {
        decode_well(b, &r);
        assert_int_equal(r.field_count, count);
    } else {
        assert_refused(b, reason, field);
    }
    drop(b);
}

static void assert_field(struct field f, const char *reason, const char *field) {
    assert_fields(&f, 1, reason, field);
}

/* One byte more than the limit is refused, the limit itself is not (A1, C7). */
static void limits_hold(void **state) {
    (void)state;
    static char text[RECORD_TEXT_MAX + 1];
    static char ids[8 * (RECORD_IMAGES_MAX + 1)];
    memset(text, 'x', sizeof text);
    for (uint64_t i = 0; i <= RECORD_IMAGES_MAX; i++) {
        le64_put(ids + 8 * i, i);
    }
    struct field f = {.id = FIELD_DESCRIPTION, .type = VALUE_TEXT, .text = {text, sizeof text - 1}};
    assert_field(f, NULL, NULL);
    f.text.len++;
    assert_field(f, "text is too long", "description");
    f = (struct field){.id = FIELD_IMAGE_IDS, .type = VALUE_IDS, .text = {ids, sizeof ids - 8}};
    assert_field(f, NULL, NULL);
    f.text.len += 8;
    assert_field(f, "too many images", "image_ids");
    f = (struct field){.id = FIELD_ATTRIBUTE, .type = VALUE_NULL, .name = {text, 255}};
    assert_field(f, NULL, NULL);
    f.name.len++;
    assert_field(f, "text is too long", "attribute name");
    f.name.len = 0;
    assert_field(f, "attribute has no name", "attribute");
}

/* A thousand fields are a record; one more is not, and neither is more than a mebibyte. */
static void record_limits_hold(void **state) {
    (void)state;
    static struct field fields[RECORD_FIELDS_MAX + 1];
    static char names[RECORD_FIELDS_MAX + 1][5];
    static char text[RECORD_TEXT_MAX];
    for (unsigned i = 0; i <= RECORD_FIELDS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "%04u", i);
        fields[i] =
            (struct field){.id = FIELD_ATTRIBUTE, .type = VALUE_NULL, .name = {names[i], 4}};
    }
    assert_fields(fields, RECORD_FIELDS_MAX, NULL, NULL);
    assert_fields(fields, RECORD_FIELDS_MAX + 1, "too many fields", "field_count");
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < 52; i++) {
        fields[i].type = VALUE_TEXT;
        fields[i].text = (struct bytes){text, sizeof text};
    }
    assert_fields(fields, 51, NULL, NULL);
    assert_fields(fields, 52, "record is too long", "record");
}

/* Text is UTF-8 without NUL, wherever it stands. */
static void text_is_checked_everywhere(void **state) {
    (void)state;
    struct field f = {.id = FIELD_TITLE, .type = VALUE_TEXT, .text = {"\xC0\x80", 2}};
    assert_field(f, "text is not valid UTF-8", "title");
    f.text = (struct bytes){"a\0b", 3};
    assert_field(f, "text holds a NUL", "title");
    f.id = FIELD_ATTRIBUTE;
    f.name = bytes_of("n");
    assert_field(f, "text holds a NUL", "attribute");
    f.name = bytes_of("\xED\xA0\x80");
    assert_field(f, "text is not valid UTF-8", "attribute name");
    struct record r = plain(RECORD_MEDIA);
    r.image_descriptor = bytes_of("\xFF");
    struct bytes b = encoded(&r, NULL, 0);
    assert_refused(b, "text is not valid UTF-8", "image_descriptor");
    drop(b);
    r = plain(RECORD_ORDER);
    r.order_category = bytes_of("\xFF");
    b = encoded(&r, NULL, 0);
    assert_refused(b, "text is not valid UTF-8", "order_category");
    drop(b);
}

/* Every pair of field and type: exactly those of record.h are taken. */
static void types_fit_fields(void **state) {
    (void)state;
    static const char *const takes[] = {
        [FIELD_TITLE] = "T",     [FIELD_DESCRIPTION] = "T", [FIELD_LOCALE] = "T",
        [FIELD_CATEGORY] = "T",  [FIELD_SELLER] = "I",      [FIELD_PRICE] = "I",
        [FIELD_IMAGE_IDS] = "L", [FIELD_ATTRIBUTE] = "TIN"};
    for (enum field_id id = FIELD_TITLE; id <= FIELD_ATTRIBUTE; id++) {
        for (enum value_type type = VALUE_NULL; type <= VALUE_IDS; type++) {
            struct field f = {.id = id, .type = type, .integer = 7};
            f.name = bytes_of(id == FIELD_ATTRIBUTE ? "name" : "");
            f.text = type == VALUE_INTEGER ? (struct bytes){0} : bytes_of("12345678");
            bool taken = type == VALUE_NULL || strchr(takes[id], "0TINL"[type - 1]) != NULL;
            assert_field(f, taken ? NULL : "value is of the wrong type", field_id_name(id));
        }
    }
}

/* Values: a price below 0, an image twice, half an id, a name where none belongs. */
static void values_are_checked(void **state) {
    (void)state;
    struct field f = {.id = FIELD_PRICE, .type = VALUE_INTEGER, .integer = 0};
    assert_field(f, NULL, NULL);
    f.integer = -1;
    assert_field(f, "price is negative", "price");
    f.id = FIELD_SELLER;
    assert_field(f, NULL, NULL);
    f = (struct field){
        .id = FIELD_IMAGE_IDS, .type = VALUE_IDS, .text = bytes_of("1234567812345678")};
    assert_field(f, "an image is named twice", "image_ids");
    f.text.len = 12;
    assert_field(f, "list of ids ends within an id", "image_ids");
    f = (struct field){.id = FIELD_TITLE, .type = VALUE_NULL, .name = bytes_of("x")};
    assert_field(f, "only attributes have names", "title");
}

/* A number is what JSON calls one. */
static void numbers_are_json(void **state) {
    (void)state;
    static const char *const good[] = {"0", "-0", "10", "0.0", "1e5", "1E+5", "-1.5e-10"};
    static const char *const bad[] = {"",    "-",   "01",       "+1",  ".5", "1.", "1e",
                                      "1e+", "NaN", "Infinity", "0x1", "1 ", " 1", "1.5.2"};
    struct field f = {.id = FIELD_ATTRIBUTE, .type = VALUE_NUMBER, .name = bytes_of("n")};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        f.text = bytes_of(good[i]);
        assert_field(f, NULL, NULL);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        f.text = bytes_of(bad[i]);
        assert_field(f, "number is not as JSON writes numbers", "attribute");
    }
}

/* Fields rise by (id, name): so none can come twice. */
static void fields_are_in_order(void **state) {
    (void)state;
    static const char reason[] = "fields are out of order or one comes twice";
    struct field title = {.id = FIELD_TITLE, .type = VALUE_NULL};
    struct field price = {.id = FIELD_PRICE, .type = VALUE_NULL};
    struct field a = {.id = FIELD_ATTRIBUTE, .type = VALUE_NULL, .name = bytes_of("a")};
    struct field ab = {.id = FIELD_ATTRIBUTE, .type = VALUE_NULL, .name = bytes_of("ab")};
    assert_fields((struct field[]){title, price, a, ab}, 4, NULL, NULL);
    assert_fields((struct field[]){title, title}, 2, reason, "title");
    assert_fields((struct field[]){price, title}, 2, reason, "title");
    assert_fields((struct field[]){a, a}, 2, reason, "attribute");
    assert_fields((struct field[]){ab, a}, 2, reason, "attribute");
}

struct edit {
    size_t at;
    uint64_t value;
    int width;
    enum record_type type;
    const char *reason;
    const char *field;
};

/* Header, bodies and sections, one wrong number at a time, signed by its producer. */
static void frame_is_checked(void **state) {
    (void)state;
    static const struct edit edits[] = {
        {0, 0, 1, RECORD_LISTING, "unknown format", "record"},
        {0, 3, 1, RECORD_LISTING, "unknown format", "record"},
        {0, 2, 1, RECORD_LISTING, "unknown format", "record"},
        {3, 32, 1, RECORD_LISTING, "unknown section", "sections"},
        {1, 0, 1, RECORD_LISTING, "unknown type of record", "type"},
        {1, RECORD_TYPE_END, 1, RECORD_LISTING, "unknown type of record", "type"},
        {2, 0, 1, RECORD_LISTING, "unknown operation", "op"},
        {2, 3, 1, RECORD_LISTING, "unknown operation", "op"},
        {2, 2, 1, RECORD_POLICY, "only listings and media can be deleted", "op"},
        {2, 2, 1, RECORD_ORDER, "only listings and media can be deleted", "op"},
        {3, 64, 1, RECORD_LISTING, "unknown section", "sections"},
        {3, 11, 1, RECORD_LISTING, "record is cut off", "record"},
        {48, 1, 1, RECORD_REFERENCE, "unknown reference table", "table"},
        {49, 3, 1, RECORD_REFERENCE, "unknown tokeniser", "tokeniser"},
        {50, 0, 4, RECORD_REFERENCE, "length of the texts is not what is left of the record",
         "key"},
        {40, 0, 8, RECORD_LISTING, "the id names no listing", "subject_id"},
        {40, 0, 8, RECORD_MEDIA, "the id names no listing", "subject_id"},
        {40, 0, 8, RECORD_ORDER, "the id names no listing", "subject_id"},
        {12, 0, 2, RECORD_LISTING, "unknown contract version", "contract_version"},
        {12, 1000, 2, RECORD_LISTING, "unknown contract version", "contract_version"},
        {14, 1, 2, RECORD_MEDIA, "fields in a record that has none", "field_count"},
        {14, 9, 2, RECORD_LISTING, "record ends within a field", "field_count"},
        {32, (uint64_t)-1, 8, RECORD_MEDIA, "time is before 1970", "event_ts"},
        {56, 1, 4, RECORD_MEDIA, "length of the text is not what is left of the record",
         "image_descriptor"},
        {56, 3, 1, RECORD_POLICY, "unknown policy status", "status"},
        {56, (uint64_t)-1, 8, RECORD_ORDER, "time is before 1970", "placed"},
        {64, 0, 8, RECORD_ORDER, "quantity is not positive", "quantity"},
        {72, (uint64_t)-5, 8, RECORD_ORDER, "amount is negative", "amount"},
        {48, 3, 1, RECORD_ERASURE, "unknown scope of an erasure", "scope"},
        {48, 0, 1, RECORD_CERTIFICATE, "unknown scope of an erasure", "scope"},
        {61, 1, 4, RECORD_CERTIFICATE, "looks and ids are not what is left of the record",
         "certificate_looks"},
        {57, TOPIC_COUNT, 1, RECORD_POLICY, "unknown topic", "origin"},
        {62, (uint64_t)-1, 8, RECORD_POLICY, "position is negative", "origin"},
        {70, (uint64_t)-1, 8, RECORD_POLICY, "position is negative", "origin"},
        {86, 0, 1, RECORD_POLICY, "unknown policy status", "policy"},
        {87, (uint64_t)-1, 8, RECORD_POLICY, "time is before 1970", "policy"},
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const struct edit *e = &edits[i];
        struct record r = plain(e->type);
        r.sections = SECTION_ORIGIN | SECTION_POLICY;
        r.policy = (struct policy_note){7, POLICY_ACTIVE, {{1}, {2, 3}}};
        struct bytes b = encoded(&r, NULL, 0);
        char *data = (char *)(uintptr_t)b.data;
        for (int n = 0; n < e->width; n++) {
            data[e->at + n] = (char)(e->value >> 8 * n);
        }
        reseal(b);
        assert_refused(b, e->reason, e->field);
        drop(b);
    }
}

/* An integer is 8 bytes and null is none, whatever length a producer signs. */
static void value_sizes_are_checked(void **state) {
    (void)state;
    struct record r = plain(RECORD_LISTING);
    for (size_t len = 0; len <= 9; len++) {
        struct field f = {.id = FIELD_ATTRIBUTE, .type = VALUE_TEXT, .name = bytes_of("n")};
        f.text = (struct bytes){"123456789", len};
        struct bytes b = encoded(&r, &f, 1);
        char *type = (char *)(uintptr_t)b.data + 49;
        struct record back;
        *type = VALUE_INTEGER;
        reseal(b);
        if (len == 8) {
            decode_well(b, &back);
        } else {
            assert_refused(b, "integer is not 8 bytes", "field");
        }
        *type = VALUE_NULL;
        reseal(b);
        if (len == 0) {
            decode_well(b, &back);
        } else {
            assert_refused(b, "null has a value", "field");
        }
        drop(b);
    }
}

/* A DELETE of a listing has no fields to set. */
static void delete_has_no_fields(void **state) {
    (void)state;
    struct record r = plain(RECORD_LISTING);
    struct field f = {.id = FIELD_TITLE, .type = VALUE_NULL};
    r.op = RECORD_DELETE;
    struct bytes b = encoded(&r, &f, 1);
    assert_refused(b, "fields in a record that has none", "field_count");
    drop(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(needs_its_room),
        cmocka_unit_test(truncation_is_noticed),
        cmocka_unit_test(flipped_byte_is_noticed),
        cmocka_unit_test(mutations_are_refused_or_sound),
        cmocka_unit_test(reframe_changes_sections_only),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(record_limits_hold),
        cmocka_unit_test(text_is_checked_everywhere),
        cmocka_unit_test(types_fit_fields),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(numbers_are_json),
        cmocka_unit_test(fields_are_in_order),
        cmocka_unit_test(frame_is_checked),
        cmocka_unit_test(value_sizes_are_checked),
        cmocka_unit_test(delete_has_no_fields),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
