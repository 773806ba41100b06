/*
 * Schemas of feeds' contracts (B9): the text that people write, and which schema reads which. The
 * relation between schemas is held against its meaning: records are drawn, those that the writer
 * allows are given to the reader.
 */
#include "pipeline/schema.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/contract.h"
#include "sim/prng.h"

static struct schema parsed(const char *text) {
    struct schema schema;
    struct sentence error;
    if (schema_parse(bytes_of(text), &schema, &error) != 0) {
        fail_msg("%.*s", (int)error.length, error.text);
    }
    return schema;
}

static bool reads(const char *reader, const char *writer, struct sentence *why) {
    struct schema r = parsed(reader), w = parsed(writer);
    bool read = schema_reads(&r, &w, why);
    schema_release(&r);
    schema_release(&w);
    return read;
}

static bool compatible(enum schema_mode mode, const char *older, const char *newer) {
    struct schema a = parsed(older), b = parsed(newer);
    struct sentence why;
    bool fits = schema_compatible(mode, &a, &b, &why);
    schema_release(&a);
    schema_release(&b);
    return fits;
}

static void assert_sentence(const struct sentence *sentence, const char *expected) {
    char text[sizeof sentence->text + 1] = {0};
    memcpy(text, sentence->text, sentence->length);
    assert_string_equal(text, expected);
}

/* ---- Text ---- */

/* What people write is kept in one canonical form, which reads as the same schema. */
static void test_text(void **state) {
    (void)state;
    struct schema schema =
        parsed("# contracts/listing\nversion 2; mode full ;\n"
               " attribute.*: null, text\nprice: min 0 , integer\n\n"
               "attribute.energy class: integer, required, max 7, min 1, default 7 # of the EU\n");
    char text[400];
    size_t length = schema_text(&schema, text, sizeof text - 1);
    text[length] = '\0';
    assert_string_equal(text,
                        "version 2\nmode full\nprice: integer, min 0\nattribute.*: text, null\n"
                        "attribute.energy class: integer, required, min 1, max 7, default 7\n");
    schema_release(&schema);
    schema = parsed(text);
    char again[400] = {0};
    assert_int_equal(schema_text(&schema, again, sizeof again - 1), length);
    assert_string_equal(again, text);
    schema_release(&schema);
}

/* What is no schema is refused with the words that are wrong. */
static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "neither a version nor a mode"},
        {"title: text", "fields without a version"},
        {"version 0", "version 0: one version from 1 to 999"},
        {"version 1000", "version 1000: one version from 1 to 999"},
        {"version 2; version 2", "version 2: one version from 1 to 999"},
        {"mode sideways", "mode sideways: one of none, backward, forward, full, each with or "
                          "without -transitive"},
        {"version 2; tittle", "tittle: not a statement"},
        {"version 2; title:", ": not a type (text, integer, number, ids, decimal, null) nor "
                              "required, min N, max N, default VALUE"},
        {"version 2; title: string", "string: not a type (text, integer, number, ids, decimal, "
                                     "null) nor required, min N, max N, default VALUE"},
        {"version 2; title: required", "title: has no type"},
        {"version 2; : text", ": a field without a name"},
        {"version 2; price: integer, min 2, max 1", "price: nothing lies between its min and its "
                                                    "max"},
        {"version 2; title: text, max 20481", "title: nothing lies between its min and its max"},
        {"version 2; attribute.a: text, integer, min 1",
         "a: min and max need one type of text, integer, ids and decimal"},
        {"version 2; price: integer, max 5, default 6", "price: its default is no value that it "
                                                        "takes"},
        {"version 2; title: text; title: null", "title: stated twice"},
        {"version 2; attribute.*: text, required",
         "*: what stands for any attribute cannot be required and has no default"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schema schema;
        struct sentence error;
        assert_int_equal(schema_parse(bytes_of(cases[i].text), &schema, &error), -EINVAL);
        assert_sentence(&error, cases[i].sentence);
        assert_null(schema.fields);
    }
}

/* ---- Compatibility ---- */

/* The first incompatibility is told in one sentence: the field, and what changed. */
static void test_sentences(void **state) {
    (void)state;
    struct sentence why;
    assert_false(reads("version 2; price: text", "version 1; price: integer, null", &why));
    assert_sentence(&why, "price: version 2 reads text, and version 1 writes integer or null");
    assert_false(
        reads("version 2; price: integer, max 9", "version 1; price: integer, min 0", &why));
    assert_sentence(&why, "price: version 2 reads integer at most 9, and version 1 writes integer "
                          "at least 0");
    assert_false(reads("version 2; title: text, required", "version 1; price: integer", &why));
    assert_sentence(&why, "title: version 2 reads required text, and version 1 does not write it");
    assert_false(reads("version 2; title: text, required", "version 1; title: text", &why));
    assert_sentence(&why,
                    "title: version 2 reads required text, and version 1 writes optional text");
}

/* Full is backward and forward at once; an optional field that is added to a closed schema is
 * compatible in every mode, a required one only forward, and one that has a default in every. */
static void test_modes(void **state) {
    (void)state;
    const char *base = "version 1; title: text, required";
    const char *optional = "version 2; title: text, required; price: integer";
    const char *required = "version 2; title: text, required; price: integer, required";
    const char *defaulted = "version 2; title: text, required; price: integer, required, default 0";
    const char *bare = "version 2; price: integer";
    assert_true(compatible(SCHEMA_MODE_FULL, base, optional));
    assert_true(compatible(SCHEMA_MODE_FULL, optional, base));
    assert_false(compatible(SCHEMA_MODE_BACKWARD, base, required));
    assert_true(compatible(SCHEMA_MODE_FORWARD, base, required));
    assert_true(compatible(SCHEMA_MODE_FULL, base, defaulted));
    assert_true(compatible(SCHEMA_MODE_BACKWARD, base, bare));
    assert_false(compatible(SCHEMA_MODE_FORWARD, base, bare));
    assert_true(compatible(SCHEMA_MODE_NONE, base, "version 2; title: ids"));
}

/* A field that is added to an open schema narrows what the records before could hold, unless it
 * takes all that any attribute could. */
static void test_open(void **state) {
    (void)state;
    const char *open = "version 1; attribute.*: text, integer, null";
    const char *typed = "version 2; attribute.*: text, integer, null; attribute.a: integer";
    const char *wide = "version 2; attribute.*: text, integer, null; attribute.a: text, integer, "
                       "null";
    assert_false(compatible(SCHEMA_MODE_BACKWARD, open, typed));
    assert_true(compatible(SCHEMA_MODE_FORWARD, open, typed));
    assert_true(compatible(SCHEMA_MODE_FULL, open, wide));
    struct sentence why;
    assert_true(reads("version 1; attribute.a: number", "version 2; attribute.a: integer", &why));
    assert_false(reads("version 1; attribute.a: integer", "version 2; attribute.a: number", &why));
}

/* ---- The relation and its meaning ---- */

static const char *const names[] = {"title", "price", "attribute.a", "attribute.b"};
enum { NAMES = sizeof names / sizeof *names, SAID = NAMES + 1 };

static size_t append(char *text, size_t length, size_t room, const char *more) {
    size_t size = strlen(more);
    assert_true(length + size < room);
    memcpy(text + length, more, size + 1);
    return length + size;
}

static const char *one_of(struct prng *p, const char *const *from, size_t count) {
    return from[prng_below(p, count)];
}

/* A schema over a few fields, each with or without limits, required or with a default. */
static struct schema draw_schema(struct prng *p) {
    static const char *const texts[] = {"text", "text, null", "null", "text, max 5",
                                        "text, min 1, null"};
    static const char *const integers[] = {"integer, min 0", "integer, null, min 0",
                                           "integer, min 1, max 6"};
    static const char *const any[] = {
        "text",           "integer",      "number",
        "text, integer",  "number, null", "integer, min 1, max 6",
        "text, max 5",    "null",         "text, integer, number, null",
        "integer, max 5", "text, min 1"};
    static const char *const more[] = {"", "", ", required"};
    char text[400];
    size_t length = append(text, 0, sizeof text, "version 1; seller: integer, required");
    for (size_t i = 0; i < NAMES; i++) {
        if (prng_ratio(p, 1, 3)) {
            continue;
        }
        length = append(text, length, sizeof text, "; ");
        length = append(text, length, sizeof text, names[i]);
        length = append(text, length, sizeof text, ": ");
        const char *types = i == 0   ? one_of(p, texts, 5)
                            : i == 1 ? one_of(p, integers, 3)
                                     : one_of(p, any, 11);
        length = append(text, length, sizeof text, types);
        length = append(text, length, sizeof text, one_of(p, more, 3));
        if (prng_ratio(p, 1, 4)) {
            length = append(text, length, sizeof text,
                            strstr(types, "text") != NULL   ? ", default x"
                            : strstr(types, "null") != NULL ? ", default null"
                                                            : ", default 2");
        }
    }
    if (prng_ratio(p, 1, 2)) {
        length = append(text, length, sizeof text, "; attribute.*: ");
        append(text, length, sizeof text, one_of(p, any, 11));
    }
    return parsed(text);
}

/* Values at and beside the limits that schemas have; 0 stands for absent. */
enum { VALUES = 15 };
static bool value_of(size_t value, struct field *field) {
    static const char *const texts[] = {"", "a", "aaaaa", "aaaaaa", "aaaaaaaaaaaaaaaaaaaaa"};
    static const int64_t integers[] = {-1, 0, 1, 5, 6, 7, 1000};
    if (value == 0) {
        return false;
    }
    if (value == 1) {
        field->type = VALUE_NULL;
    } else if (value == 2) {
        field->type = VALUE_NUMBER;
        field->text = bytes_of("1.5");
    } else if (value < 8) {
        field->type = VALUE_TEXT;
        field->text = bytes_of(texts[value - 3]);
    } else {
        field->type = VALUE_INTEGER;
        field->integer = integers[value - 8];
    }
    return true;
}

/* The record that says values[i] of name i, the last of an attribute that no schema names; names
 * that are not `known` are left out. Does it keep to the schema? */
static bool keeps(const struct schema *schema, const size_t values[SAID], const bool known[SAID]) {
    struct field fields[SAID + 1];
    size_t count = 0;
    for (size_t i = 0; i < SAID; i++) {
        if (i == 1) {
            fields[count++] =
                (struct field){.id = FIELD_SELLER, .type = VALUE_INTEGER, .integer = 1};
        }
        struct field field = {.id = FIELD_ATTRIBUTE};
        field.id = i == 0 ? FIELD_TITLE : i == 1 ? FIELD_PRICE : FIELD_ATTRIBUTE;
        field.name = bytes_of(i < 2 ? "" : i == 2 ? "a" : i == 3 ? "b" : "c");
        if (known[i] && value_of(values[i], &field)) {
            fields[count++] = field;
        }
    }
    struct record r = {
        .type = RECORD_LISTING, .op = RECORD_UPSERT, .contract_version = 1, .subject_id = 7};
    char buffer[512];
    int64_t length = record_encode(&r, fields, count, buffer, sizeof buffer);
    assert_true(length > 0);
    struct record_error error;
    struct contract_violation violation;
    return record_decode((struct bytes){buffer, (size_t)length}, &r, &error) == 0 &&
           contract_check(schema, &r, &violation) == 0;
}

/* The reader passes over what it does not know and takes its defaults. */
static bool can_read(const struct schema *reader, const size_t values[SAID]) {
    bool known[SAID];
    for (size_t i = 0; i < SAID; i++) {
        bool attribute = i >= 2;
        const char *name = i == 4                   ? "c"
                           : strrchr(names[i], '.') ? strrchr(names[i], '.') + 1
                                                    : names[i];
        const struct schema_field *field = schema_find(reader, attribute, bytes_of(name));
        known[i] = field != NULL;
    }
    /* A default stands for an absent field, so what is required and has one is never missing. */
    struct schema lenient = *reader;
    struct schema_field fields[16];
    assert_true(reader->count <= 16);
    for (size_t i = 0; i < reader->count; i++) {
        fields[i] = reader->fields[i];
        fields[i].required = fields[i].required && !fields[i].has_default;
    }
    lenient.fields = fields;
    return keeps(&lenient, values, known);
}

static const bool all_known[SAID] = {true, true, true, true, true};

/* A value of each name that the schema allows, absent where that is allowed; false when a drawn
 * schema leaves none among the values that are tried. */
static bool base_record(const struct schema *schema, size_t values[SAID]) {
    for (size_t i = 0; i < SAID; i++) {
        values[i] = 0;
    }
    static const char *const order[] = {"title", "price", "a", "b"};
    for (size_t i = 0; i < NAMES; i++) {
        const struct schema_field *field = schema_find(schema, i >= 2, bytes_of(order[i]));
        if (field == NULL || !field->required) {
            continue;
        }
        struct schema lone = {.fields = (struct schema_field[]){*field}, .count = 1};
        struct schema seller = parsed("version 1; seller: integer");
        struct schema_field two[2] = {seller.fields[0], lone.fields[0]};
        if (i == 1) {
            two[0] = lone.fields[0];
            two[1] = seller.fields[0];
        }
        struct schema pair = {.fields = two, .count = 2};
        size_t tried[SAID] = {0};
        for (tried[i] = 1; tried[i] < VALUES && !keeps(&pair, tried, all_known); tried[i]++) {
        }
        schema_release(&seller);
        if (tried[i] == VALUES) {
            return false;
        }
        values[i] = tried[i];
    }
    return keeps(schema, values, all_known);
}

/* schema_reads says yes only when every record that the writer allows can be read, and no only when
 * some record cannot: a field varies over all values while the others keep to the writer. */
static void test_relation_is_what_it_means(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 7, "schemas");
    size_t yes = 0, no = 0;
    for (int round = 0; round < 4000; round++) {
        struct schema reader = draw_schema(&p), writer = draw_schema(&p);
        struct sentence why;
        bool read = schema_reads(&reader, &writer, &why);
        size_t values[SAID];
        bool witness = false;
        bool drawn = base_record(&writer, values);
        for (size_t i = 0; drawn && i < SAID; i++) {
            size_t kept = values[i];
            for (values[i] = 0; values[i] < VALUES; values[i]++) {
                witness |= keeps(&writer, values, all_known) && !can_read(&reader, values);
            }
            values[i] = kept;
        }
        if (drawn) {
            assert_int_equal(read, !witness);
            yes += read;
            no += !read;
        }
        schema_release(&reader);
        schema_release(&writer);
    }
    assert_true(yes > 100 && no > 100);
}

/* A schema reads itself; full is backward and forward; whatever allows a schema reads it. */
static void test_relations(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 8, "schemas");
    size_t full = 0;
    for (int round = 0; round < 4000; round++) {
        struct schema a = draw_schema(&p), b = draw_schema(&p);
        struct sentence why;
        assert_true(schema_reads(&a, &a, &why) && schema_allows(&a, &a, &why));
        bool backward = schema_compatible(SCHEMA_MODE_BACKWARD, &a, &b, &why);
        bool forward = schema_compatible(SCHEMA_MODE_FORWARD, &a, &b, &why);
        assert_int_equal(schema_compatible(SCHEMA_MODE_FULL, &a, &b, &why), backward && forward);
        assert_int_equal(schema_compatible(SCHEMA_MODE_BACKWARD, &b, &a, &why), forward);
        assert_true(!schema_allows(&a, &b, &why) || schema_reads(&a, &b, &why));
        full += backward && forward;
        schema_release(&a);
        schema_release(&b);
    }
    assert_true(full > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_sentences), cmocka_unit_test(test_modes),
        cmocka_unit_test(test_open),      cmocka_unit_test(test_relation_is_what_it_means),
        cmocka_unit_test(test_relations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
