/*
 * Whether one schema reads another's records. Fields are judged one by one: a record is read when
 * each of its fields is, and nothing that the reader needs is missing.
 */
#include "pipeline/schema.h"

#include <assert.h>

/* What the reader does with what it does not find, or does not know. */
struct terms {
    bool passes_over;  /* fields that the reader does not know */
    bool defaults;     /* stand for fields that are absent */
    const char *holds; /* what the first schema does with records: "reads" */
};
static const struct terms reading = {true, true, "reads"};
static const struct terms allowing = {false, false, "allows"};

/* "price: version 1 reads integer, and version 2 writes text" */
static bool differ(struct sentence *why, const struct schema_field *field,
                   const struct schema *reader, const struct schema *writer,
                   const struct terms *terms, const struct schema_field *wanted,
                   const struct schema_field *written, const char *gap) {
    *why = sentence_begin();
    schema_field_name(field, why);
    sentence_add(why, ": version ");
    sentence_add_number(why, reader->version);
    sentence_add(why, " ");
    sentence_add(why, wanted == NULL ? "does not know it" : terms->holds);
    if (wanted != NULL) {
        sentence_add(why, wanted->required ? " required " : " ");
        schema_expected(wanted, why);
    }
    sentence_add(why, ", and version ");
    sentence_add_number(why, writer->version);
    sentence_add(why, written == NULL ? " does not write it" : " writes ");
    if (written != NULL) {
        sentence_add(why, written->required ? "required " : gap);
        schema_expected(written, why);
    }
    return false;
}

/* An integer is a number too. */
static unsigned taken(const struct schema_field *field) {
    bool number = (field->types & SCHEMA_NUMBER) != 0;
    return field->types | (number ? (unsigned)SCHEMA_INTEGER : 0);
}

/* Limits stand only on fields of one type, null apart; null alone has none. */
static bool within(const struct schema_field *wanted, const struct schema_field *written) {
    bool limited = wanted->has_min || wanted->has_max;
    bool null_alone = written->types == SCHEMA_NULL;
    return !limited || null_alone || (written->min >= wanted->min && written->max <= wanted->max);
}

/* One name, with the statements that are in force for it on both sides. */
static bool field_reads(const struct schema *reader, const struct schema *writer,
                        const struct schema_field *named, const struct terms *terms,
                        struct sentence *why) {
    const struct schema_field *wanted = schema_find(reader, named->attribute, named->name);
    const struct schema_field *written = schema_find(writer, named->attribute, named->name);
    bool needed = wanted != NULL && wanted->required && !(terms->defaults && wanted->has_default);
    bool sure = written != NULL && written->required;
    bool fits = wanted == NULL ? written == NULL || terms->passes_over
                : written == NULL
                    ? true
                    : (written->types & ~taken(wanted)) == 0 && within(wanted, written);
    return (fits && (!needed || sure)) ||
           differ(why, named, reader, writer, terms, wanted, written, needed ? "optional " : "");
}

/* Every name that either side states, the rule for any other attribute included. */
static bool fields_read(const struct schema *reader, const struct schema *writer,
                        const struct terms *terms, struct sentence *why) {
    const struct schema *sides[2] = {reader, writer};
    for (size_t side = 0; side < 2; side++) {
        for (size_t i = 0; i < sides[side]->count; i++) {
            if (!field_reads(reader, writer, &sides[side]->fields[i], terms, why)) {
                return false;
            }
        }
    }
    return true;
}

bool schema_reads(const struct schema *reader, const struct schema *writer, struct sentence *why) {
    return fields_read(reader, writer, &reading, why);
}

bool schema_allows(const struct schema *outer, const struct schema *inner, struct sentence *why) {
    return fields_read(outer, inner, &allowing, why);
}

bool schema_compatible(enum schema_mode mode, const struct schema *older,
                       const struct schema *newer, struct sentence *why) {
    const struct schema_mode_about *about = schema_mode_about(mode);
    return (!about->backward || schema_reads(newer, older, why)) &&
           (!about->forward || schema_reads(older, newer, why));
}
