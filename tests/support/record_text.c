#include "tests/support/record_text.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/control.h"
#include "pipeline/dead_letter.h"
#include "pipeline/erasure.h"
#include "pipeline/fact.h"
#include "pipeline/little_endian.h"
#include "pipeline/topics.h"
#include "pipeline/wire.h"

enum { FIELDS_MAX = 32, WORDS_MAX = 40, TEXT_BYTES_MAX = 4096, IDS_MAX = 64 };

vtime text_time(int64_t seconds) {
    return vtime_add(TEXT_EPOCH, seconds * VTIME_SECOND);
}

/* ---- Reading ---- */

/* A line under reading: its words, and the fields that they make. */
struct reading {
    char text[TEXT_BYTES_MAX];
    char *words[WORDS_MAX];
    size_t count, at;
    struct record record;
    struct field fields[FIELDS_MAX];
    size_t field_count;
    char ids[8 * IDS_MAX];
};

static char *next_word(struct reading *in) {
    if (in->at == in->count) {
        fail_msg("a record ends too early");
    }
    return in->words[in->at++];
}

static uint64_t next_number(struct reading *in) {
    return strtoull(next_word(in), NULL, 10);
}

static void split(struct reading *in, const char *text) {
    size_t length = strlen(text);
    assert_true(length < sizeof in->text);
    memcpy(in->text, text, length + 1);
    char *at = in->text;
    while (at != NULL) {
        assert_true(in->count < WORDS_MAX);
        in->words[in->count++] = at;
        at = strchr(at, ' ');
        if (at != NULL) {
            *at++ = '\0';
        }
    }
}

static void read_stamp(struct reading *in) {
    const char *word = next_word(in);
    if (*word != '@') {
        fail_msg("a record has no time: %s", word);
    }
    char *end;
    int64_t seconds = strtoll(word + 1, &end, 10);
    in->record.stamp.ts = text_time(seconds);
    in->record.stamp.id.lo = *end == '.' ? strtoull(end + 1, &end, 10) : (uint64_t)seconds;
    if (*end == 'v') {
        in->record.contract_version = (uint16_t)strtoul(end + 1, NULL, 10);
    }
}

static enum policy_status read_status(const char *word) {
    assert_true(strcmp(word, "suppressed") == 0 || strcmp(word, "active") == 0);
    return *word == 's' ? POLICY_SUPPRESSED : POLICY_ACTIVE;
}

static enum field_id field_of(const char *name) {
    static const char *const names[] = {
        [FIELD_TITLE] = "title",      [FIELD_DESCRIPTION] = "description",
        [FIELD_LOCALE] = "locale",    [FIELD_CATEGORY] = "category",
        [FIELD_SELLER] = "seller",    [FIELD_PRICE] = "price",
        [FIELD_IMAGE_IDS] = "images",
    };
    for (int id = FIELD_TITLE; id < FIELD_ATTRIBUTE; id++) {
        if (strcmp(names[id], name) == 0) {
            return (enum field_id)id;
        }
    }
    return FIELD_ATTRIBUTE;
}

static void read_ids(struct reading *in, struct field *field, char *value) {
    char *at = in->ids;
    while (*value != '\0') {
        assert_true(at < in->ids + sizeof in->ids);
        at = wire_put(at, strtoull(value, &value, 10), 8);
        value += *value == ',';
    }
    field->text = (struct bytes){in->ids, (size_t)(at - in->ids)};
}

static void read_field(struct reading *in, char *word) {
    char *value = strchr(word, '=');
    if (value == NULL) {
        fail_msg("no field: %s", word);
    }
    *value++ = '\0';
    assert_true(in->field_count < FIELDS_MAX);
    struct field *field = &in->fields[in->field_count++];
    field->id = field_of(word);
    if (field->id == FIELD_ATTRIBUTE) {
        field->name = bytes_of(word);
    }
    if (strcmp(value, "null") == 0) {
        field->type = VALUE_NULL;
    } else if (field->id == FIELD_IMAGE_IDS) {
        field->type = VALUE_IDS;
        read_ids(in, field, value);
    } else if (*value == '+' || field->id == FIELD_SELLER ||
               (field->id == FIELD_PRICE && strchr(value, '.') == NULL)) {
        field->type = VALUE_INTEGER;
        field->integer = (int64_t)strtoull(value + (*value == '+'), NULL, 10);
    } else {
        field->type = VALUE_TEXT;
        field->text = bytes_of(value);
    }
}

static int field_order(const void *a, const void *b) {
    const struct field *x = a, *y = b;
    return x->id != y->id ? (x->id < y->id ? -1 : 1) : bytes_compare(x->name, y->name);
}

static void read_listing(struct reading *in) {
    in->record.type = RECORD_LISTING;
    in->record.subject_id = next_number(in);
    read_stamp(in);
    if (in->at < in->count && strcmp(in->words[in->at], "delete") == 0) {
        in->record.op = RECORD_DELETE;
        return;
    }
    while (in->at < in->count) {
        read_field(in, next_word(in));
    }
    qsort(in->fields, in->field_count, sizeof *in->fields, field_order);
}

static void read_media(struct reading *in) {
    in->record.type = RECORD_MEDIA;
    in->record.subject_id = next_number(in);
    read_stamp(in);
    in->record.image_id = strtoull(next_word(in) + strlen("image="), NULL, 10);
    const char *what = next_word(in);
    if (strcmp(what, "withdrawn") == 0) {
        in->record.op = RECORD_DELETE;
    } else {
        in->record.image_descriptor = bytes_of(what);
    }
}

/* "of LISTING", when it comes. */
static bool read_of(struct reading *in) {
    if (strcmp(in->words[in->at], "of") != 0) {
        return false;
    }
    in->at++;
    in->record.subject_id = next_number(in);
    return true;
}

static void read_policy(struct reading *in) {
    in->record.type = RECORD_POLICY;
    in->record.seller_id = in->record.subject_id = next_number(in);
    read_of(in);
    read_stamp(in);
    in->record.status = read_status(next_word(in));
}

/* "erasure listing 7 @10", "erasure seller 3 @10", in the listing log "erasure seller 3 of 7 @10".
 */
static void read_erasure(struct reading *in) {
    in->record.type = RECORD_ERASURE;
    in->record.erasure_scope =
        strcmp(next_word(in), "seller") == 0 ? ERASURE_SELLER : ERASURE_LISTING;
    in->record.erasure_id = in->record.subject_id = next_number(in);
    read_of(in);
    read_stamp(in);
    if (in->at < in->count) {
        in->record.erasure_part = (uint32_t)strtoul(next_word(in) + strlen("part="), NULL, 10);
    }
}

static void read_reference(struct reading *in) {
    struct reference_row *row = &in->record.reference;
    in->record.type = RECORD_REFERENCE;
    row->table = strcmp(next_word(in), "locale") == 0 ? FACT_LOCALE : FACT_CATEGORY;
    row->key = bytes_of(next_word(in));
    in->record.subject_id = reference_key(row);
    read_of(in);
    read_stamp(in);
    row->value = bytes_of(next_word(in));
    if (row->table == FACT_LOCALE) {
        row->tokeniser = strcmp(next_word(in), "bigram") == 0 ? TOKENISER_BIGRAM : TOKENISER_WORD;
    }
}

static void read_order(struct reading *in) {
    in->record.type = RECORD_ORDER;
    in->record.order_id = next_number(in);
    assert_true(read_of(in));
    read_stamp(in);
    in->record.quantity = 1;
    while (in->at < in->count) {
        char *word = next_word(in);
        char *value = strchr(word, '=') + 1;
        switch (*word) {
        case 'q':
            in->record.quantity = strtoll(value, NULL, 10);
            break;
        case 'a':
            in->record.amount = strtoll(value, NULL, 10);
            break;
        default:
            in->record.order_category = bytes_of(value);
        }
    }
}

static void read_control(struct reading *in) {
    in->record.type = RECORD_CONTROL;
    struct control *control = &in->record.control;
    control->kind = (uint16_t)control_find(next_word(in));
    assert_int_not_equal(control->kind, CONTROL_NONE);
    read_stamp(in);
    while (in->at < in->count) {
        char *word = next_word(in);
        char *value = strchr(word, '=') + 1;
        if (strncmp(word, "model=", 6) == 0) {
            control->model_version = (uint32_t)strtoul(value, NULL, 10);
        } else if (strncmp(word, "other=", 6) == 0) {
            control->model_other = (uint32_t)strtoul(value, NULL, 10);
        } else if (strncmp(word, "from=", 5) == 0) {
            control->from = text_time(strtoll(value, NULL, 10));
        } else if (strncmp(word, "to=", 3) == 0) {
            control->to = text_time(strtoll(value, NULL, 10));
        } else if (strncmp(word, "id=", 3) == 0) {
            control->id = strtoull(value, NULL, 10);
        } else {
            control->text = bytes_of(value);
        }
    }
}

static void read_audit(struct reading *in) {
    in->record.type = RECORD_AUDIT;
    in->record.subject_id = next_number(in);
    read_stamp(in);
    struct audit_note *audit = &in->record.audit;
    while (in->at < in->count) {
        char *word = next_word(in);
        uint64_t value = strtoull(strchr(word, '=') + 1, NULL, 10);
        if (strncmp(word, "version=", 8) == 0) {
            audit->version = doc_version_pack(0, (int64_t)value);
        } else if (strncmp(word, "model=", 6) == 0) {
            audit->model_version = (uint32_t)value;
        } else if (strncmp(word, "modalities=", 11) == 0) {
            audit->modalities = (uint8_t)value;
        } else {
            audit->made = (uint8_t)value;
        }
    }
}

static struct bytes copy_of(const char *data, size_t length) {
    char *copy = malloc(length + 1);
    assert_non_null(copy);
    memcpy(copy, data, length);
    return (struct bytes){copy, length};
}

/* The dead letter of a record, as in "letter listing-changes/0/5 listing 7 @1 title=Lamp". */
static struct bytes letter_from_text(const char *text) {
    char topic[32];
    struct dead_letter letter = {.topic = TOPIC_COUNT, .contract_version = 1};
    int used = 0;
    assert_int_equal(sscanf(text, "%31[^/]/%" SCNu32 "/%" SCNd64 " %n", topic, &letter.partition,
                            &letter.offset, &used),
                     3);
    for (int i = 0; i < TOPIC_COUNT; i++) {
        letter.topic =
            strcmp(topic_name((enum topic_id)i), topic) == 0 ? (enum topic_id)i : letter.topic;
    }
    assert_true(letter.topic < TOPIC_COUNT);
    letter.value = text[used] == '\0' ? (struct bytes){NULL, 0} : record_from_text(text + used);
    letter.key = letter.value.len == 0 ? 0 : record_subject(letter.value);
    size_t size = dead_letter_size(&letter);
    char *buffer = malloc(size);
    assert_non_null(buffer);
    dead_letter_encode(&letter, buffer);
    free((char *)letter.value.data);
    return (struct bytes){buffer, size};
}

/* The record as the router of code version 2 writes it to the log. */
static struct bytes signed_from_text(const char *text) {
    struct bytes plain = record_from_text(text);
    struct record record;
    struct record_error error;
    assert_int_equal(record_decode_claimed(plain, &record, &error), 0);
    record.sections |= SECTION_WRITER;
    record.writer = (struct record_writer){2, 0, 1};
    char buffer[TEXT_BYTES_MAX + 512];
    int64_t length = record_reframe(plain, &record, buffer, sizeof buffer);
    assert_true(length > 0);
    free((char *)plain.data);
    return copy_of(buffer, (size_t)length);
}

/* The record under a format that nobody knows yet, its frame whole. */
static struct bytes beyond_from_text(const char *text) {
    struct bytes known = record_from_text(text);
    char *data = (char *)known.data;
    uint32_t before = le32_get(data);
    data[0] = 9;
    le32_put(data + 8, le32_get(data + 8) + (le32_get(data) - before) * 0x9E3779B1u);
    return known;
}

struct bytes record_from_text(const char *text) {
    if (strncmp(text, "signed ", 7) == 0) {
        return signed_from_text(text + 7);
    }
    if (strncmp(text, "beyond ", 7) == 0) {
        return beyond_from_text(text + 7);
    }
    if (*text == '!') {
        return copy_of(text, strlen(text));
    }
    if (strncmp(text, "letter ", 7) == 0) {
        return letter_from_text(text + 7);
    }
    struct reading in = {.record = {.op = RECORD_UPSERT, .contract_version = 1}};
    split(&in, text);
    const char *type = next_word(&in);
    if (strcmp(type, "listing") == 0) {
        read_listing(&in);
    } else if (strcmp(type, "media") == 0) {
        read_media(&in);
    } else if (strcmp(type, "policy") == 0) {
        read_policy(&in);
    } else if (strcmp(type, "erasure") == 0) {
        read_erasure(&in);
    } else if (strcmp(type, "reference") == 0) {
        read_reference(&in);
    } else if (strcmp(type, "order") == 0) {
        read_order(&in);
    } else if (strcmp(type, "control") == 0) {
        read_control(&in);
    } else if (strcmp(type, "audit") == 0) {
        read_audit(&in);
    } else {
        fail_msg("no record: %s", text);
    }
    char buffer[TEXT_BYTES_MAX + 512];
    int64_t length = record_encode(&in.record, in.fields, in.field_count, buffer, sizeof buffer);
    assert_true(length > 0);
    struct record decoded;
    struct record_error error;
    if (record_decode_claimed((struct bytes){buffer, (size_t)length}, &decoded, &error) != 0) {
        fail_msg("%s: %s: %s", text, error.field, error.reason);
    }
    return copy_of(buffer, (size_t)length);
}

uint64_t record_subject(struct bytes value) {
    struct record record;
    struct record_error error;
    struct dead_letter letter;
    if (record_decode_claimed(value, &record, &error) == 0) {
        return record.subject_id;
    }
    return dead_letter_decode(value, &letter) == 0 && letter.value.len > 0
               ? record_subject(letter.value)
               : 0;
}

/* ---- Writing ---- */

struct writing {
    char *buffer;
    size_t capacity, length;
};

__attribute__((format(printf, 2, 3))) static void put(struct writing *out, const char *format,
                                                      ...) {
    va_list arguments;
    va_start(arguments, format);
    int wanted =
        vsnprintf(out->buffer + out->length, out->capacity - out->length, format, arguments);
    va_end(arguments);
    size_t room = out->capacity - out->length - 1;
    out->length += (size_t)wanted < room ? (size_t)wanted : room;
}

static void put_stamp(struct writing *out, const struct record *r) {
    struct stamp stamp = r->stamp;
    int64_t seconds = vtime_diff(stamp.ts, TEXT_EPOCH) / VTIME_SECOND;
    put(out, "@%" PRId64, seconds);
    if (stamp.id.hi != 0 || stamp.id.lo != (uint64_t)seconds) {
        put(out, ".%" PRIu64, stamp.id.lo);
    }
    if (r->contract_version != RECORD_CONTRACT_VERSION) {
        put(out, "v%u", r->contract_version);
    }
}

static const char *tokeniser_text(unsigned tokeniser) {
    return tokeniser == TOKENISER_BIGRAM ? "bigram" : "word";
}

static void put_field(struct writing *out, const struct field *field) {
    static const char *const names[] = {
        [FIELD_TITLE] = "title",      [FIELD_DESCRIPTION] = "description",
        [FIELD_LOCALE] = "locale",    [FIELD_CATEGORY] = "category",
        [FIELD_SELLER] = "seller",    [FIELD_PRICE] = "price",
        [FIELD_IMAGE_IDS] = "images",
    };
    if (field->id == FIELD_ATTRIBUTE) {
        put(out, " %.*s=", (int)field->name.len, field->name.data);
    } else {
        put(out, " %s=", names[field->id]);
    }
    switch (field->type) {
    case VALUE_NULL:
        put(out, "null");
        break;
    case VALUE_INTEGER:
        put(out, "%s%" PRId64, field->id == FIELD_ATTRIBUTE ? "+" : "", field->integer);
        break;
    case VALUE_IDS:
        for (size_t i = 0; i < field_id_count(field); i++) {
            put(out, "%s%" PRIu64, i == 0 ? "" : ",", field_id_at(field, i));
        }
        break;
    default:
        put(out, "%.*s", (int)field->text.len, field->text.data);
    }
}

static const char *status_text(enum policy_status status) {
    return status == POLICY_SUPPRESSED ? "suppressed" : "active";
}

static int64_t text_seconds(vtime t) {
    return vtime_diff(t, TEXT_EPOCH) / VTIME_SECOND;
}

static void put_control(struct writing *out, const struct control *control) {
    if (control->model_version != 0) {
        put(out, " model=%u", control->model_version);
    }
    if (control->model_other != 0) {
        put(out, " other=%u", control->model_other);
    }
    if (control->to.ns != 0) {
        put(out, " from=%" PRId64 " to=%" PRId64, text_seconds(control->from),
            text_seconds(control->to));
    }
    if (control->id != 0) {
        put(out, " id=%" PRIu64, control->id);
    }
    if (control->text.len > 0) {
        put(out, " text=%.*s", (int)control->text.len, control->text.data);
    }
}

/* "listings=2", then of each place where something was found "gold:1". */
static void put_looks(struct writing *out, const struct record *r) {
    struct erasure_look looks[ERASURE_PLACE_COUNT];
    size_t count = erasure_looks_decode(r->certificate_looks, looks);
    if (r->certificate_wave > 0) {
        put(out, " wave=%u", r->certificate_wave);
    }
    put(out, " listings=%zu places=%zu", r->certificate_ids.len / 8, count);
    for (size_t i = 0; i < count; i++) {
        if (looks[i].found > 0) {
            put(out, " %s:%" PRIu64, erasure_place_name((enum erasure_place)i), looks[i].found);
        }
    }
}

static void put_body(struct writing *out, const struct record *r) {
    switch (r->type) {
    case RECORD_LISTING:
        put(out, "listing %" PRIu64 " ", r->subject_id);
        put_stamp(out, r);
        if (r->op == RECORD_DELETE) {
            put(out, " delete");
            break;
        }
        struct field field;
        for (struct field_cursor c = record_fields(r); record_fields_next(&c, &field);) {
            put_field(out, &field);
        }
        break;
    case RECORD_MEDIA:
        put(out, "media %" PRIu64 " ", r->subject_id);
        put_stamp(out, r);
        put(out, " image=%" PRIu64 " ", r->image_id);
        if (r->op == RECORD_DELETE) {
            put(out, "withdrawn");
        } else {
            put(out, "%.*s", (int)r->image_descriptor.len, r->image_descriptor.data);
        }
        break;
    case RECORD_POLICY:
        put(out, "policy %" PRIu64 " ", r->seller_id);
        if (r->subject_id != r->seller_id) {
            put(out, "of %" PRIu64 " ", r->subject_id);
        }
        put_stamp(out, r);
        put(out, " %s", status_text(r->status));
        break;
    case RECORD_ORDER:
        put(out, "order %" PRIu64 " of %" PRIu64 " ", r->order_id, r->subject_id);
        put_stamp(out, r);
        put(out, " quantity=%" PRId64 " amount=%" PRId64, r->quantity, r->amount);
        break;
    case RECORD_CONTROL:
        put(out, "control %s ", control_about((enum control_kind)r->control.kind)->name);
        put_stamp(out, r);
        put_control(out, &r->control);
        break;
    case RECORD_ERASURE:
        put(out, "erasure %s %" PRIu64 " ",
            r->erasure_scope == ERASURE_SELLER ? "seller" : "listing", r->erasure_id);
        if (r->subject_id != r->erasure_id) {
            put(out, "of %" PRIu64 " ", r->subject_id);
        }
        put_stamp(out, r);
        if (r->erasure_part != 0) {
            put(out, " part=%u", r->erasure_part);
        }
        break;
    case RECORD_CERTIFICATE:
        put(out, "certificate %s %" PRIu64 " ",
            r->erasure_scope == ERASURE_SELLER ? "seller" : "listing", r->erasure_id);
        put_stamp(out, r);
        put_looks(out, r);
        break;
    case RECORD_AUDIT:
        put(out, "audit %" PRIu64 " ", r->subject_id);
        put_stamp(out, r);
        put(out, " version=%" PRId64 " model=%u modalities=%u made=%u",
            doc_version_offset(r->audit.version), r->audit.model_version, r->audit.modalities,
            r->audit.made);
        break;
    case RECORD_REFERENCE:
        put(out, "reference %s %.*s ", r->reference.table == FACT_LOCALE ? "locale" : "category",
            (int)r->reference.key.len, r->reference.key.data);
        if (r->subject_id != reference_key(&r->reference)) {
            put(out, "of %" PRIu64 " ", r->subject_id);
        }
        put_stamp(out, r);
        put(out, " %.*s", (int)r->reference.value.len, r->reference.value.data);
        if (r->reference.table == FACT_LOCALE) {
            put(out, " %s", tokeniser_text(r->reference.tokeniser));
        }
        break;
    case RECORD_TYPE_END:
        break;
    }
}

static void put_fact(struct writing *out, const struct fact *fact) {
    put(out, " told=%.*s", (int)fact->value.len, fact->value.data);
    if (fact->kind == FACT_LOCALE) {
        put(out, ":%s", tokeniser_text(fact->code));
    }
}

size_t record_to_text(struct bytes value, char *buffer, size_t capacity) {
    struct writing out = {buffer, capacity, 0};
    buffer[0] = '\0';
    struct record record;
    struct record_error error;
    if (record_decode_claimed(value, &record, &error) != 0) {
        put(&out, "no record");
        return out.length;
    }
    put_body(&out, &record);
    if ((record.sections & SECTION_POLICY) != 0) {
        put(&out, " policy=%" PRIu64 ":%s", record.policy.seller_id,
            status_text(record.policy.status));
    }
    for (size_t i = 0; i < record.fact_count; i++) {
        put_fact(&out, &record.facts[i]);
    }
    if ((record.sections & SECTION_WRITER) != 0) {
        put(&out, " writer=%u/%u/%u", record.writer.code_version, record.writer.member,
            record.writer.generation);
    }
    if ((record.sections & SECTION_ORIGIN) != 0) {
        put(&out, " origin=%s/%u/%" PRId64, topic_name((enum topic_id)record.origin.topic),
            record.origin.partition, record.origin.offset);
    }
    return out.length;
}
