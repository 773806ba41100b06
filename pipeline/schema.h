/*
 * A schema: what one version of a feed's contract says of its records, and whether two schemas can
 * read each other's records (B9).
 *
 * People write it as statements, one a line or parted by semicolons; `#` begins a comment:
 *
 *     version 2
 *     mode forward-transitive
 *     title: text, null, max 300
 *     price: integer, min 0
 *     attribute.eco_score: integer, required, min 1, max 7, default 7
 *     attribute.*: text, integer, number, null
 *
 * A field statement names the types that a value can have, then what else holds of it: `required`
 * (it stands in every whole record), `min` and `max` (of an integer or decimal its value, of a text
 * its bytes, of ids their number; only where the field has one type, null apart), `default` (what
 * a reader takes when it is absent). `attribute.*` is the rule of every attribute that has no
 * statement of its own: with it the schema is open, without it closed. `mode` sets the feed's mode
 * of compatibility from then on; text that says a mode alone has no version.
 *
 * schema_text writes the one canonical form; it is what checkpoints hold.
 *
 * Compatibility. A schema R reads a schema W when each record that W allows can be read by who
 * knows R: a field that R does not know is passed over, one that is absent takes R's default, an
 * integer does where R wants a number. The modes are those of Confluent's Schema Registry ("Schema
 * Evolution and Compatibility"): backward, the schema reads the one before it; forward, the one
 * before reads it; full, both; none, nothing is asked; transitive, the same towards every one
 * before. As in that registry's rules for JSON Schema, a field that is added to an open schema
 * narrows what the records before could hold, unless its statement allows all that `attribute.*`
 * did.
 */
#ifndef MURPHY_PIPELINE_SCHEMA_H
#define MURPHY_PIPELINE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/sentence.h"

/* X(identifier, "name") of the types of values, in the order of the canonical form. */
#define SCHEMA_TYPES(X)                                                                            \
    X(TEXT, "text")                                                                                \
    X(INTEGER, "integer")                                                                          \
    X(NUMBER, "number")   /* as JSON writes it */                                                  \
    X(IDS, "ids")         /* a list of 64-bit ids */                                               \
    X(DECIMAL, "decimal") /* text of a number with at most 4 places, read as 1/10,000 */           \
    X(NULL, "null")

enum schema_type_order {
#define SCHEMA_TYPE_ORDER(identifier, name) SCHEMA_ORDER_##identifier,
    SCHEMA_TYPES(SCHEMA_TYPE_ORDER)
#undef SCHEMA_TYPE_ORDER
        SCHEMA_TYPE_COUNT
};
enum schema_type {
#define SCHEMA_TYPE_BIT(identifier, name) SCHEMA_##identifier = 1 << SCHEMA_ORDER_##identifier,
    SCHEMA_TYPES(SCHEMA_TYPE_BIT)
#undef SCHEMA_TYPE_BIT
};

/* X(identifier, "name", reads the ones before, is read by them, all of them, "about") */
#define SCHEMA_MODES(X)                                                                            \
    X(UNSAID, "", false, false, false, "")                                                         \
    X(NONE, "none", false, false, false, "anything is accepted")                                   \
    X(BACKWARD, "backward", true, false, false, "reads the records of the version before it")      \
    X(BACKWARD_TRANSITIVE, "backward-transitive", true, false, true,                               \
      "reads the records of every version before it")                                              \
    X(FORWARD, "forward", false, true, false, "is read by the version before it")                  \
    X(FORWARD_TRANSITIVE, "forward-transitive", false, true, true,                                 \
      "is read by every version before it")                                                        \
    X(FULL, "full", true, true, false, "reads the version before it and is read by it")            \
    X(FULL_TRANSITIVE, "full-transitive", true, true, true,                                        \
      "reads every version before it and is read by each")

enum schema_mode {
#define SCHEMA_MODE_ENUM(identifier, name, backward, forward, transitive, about)                   \
    SCHEMA_MODE_##identifier,
    SCHEMA_MODES(SCHEMA_MODE_ENUM)
#undef SCHEMA_MODE_ENUM
        SCHEMA_MODE_COUNT
};
struct schema_mode_about {
    const char *name;
    bool backward, forward, transitive;
    const char *about;
};
const struct schema_mode_about *schema_mode_about(enum schema_mode mode);

struct schema_field {
    bool attribute;    /* else one of the record's own fields */
    struct bytes name; /* of an attribute without "attribute."; "*": any other */
    unsigned types;    /* bits of enum schema_type */
    bool required;
    bool has_min, has_max; /* as written; min and max are in force with or without */
    int64_t min, max;      /* meaningless when the field has several types */
    bool has_default;
    struct bytes fallback;
};

struct schema {
    uint16_t version; /* 0: none, the text says a mode alone */
    enum schema_mode mode;
    struct schema_field *fields; /* own fields first, then attributes, by name */
    size_t count, capacity;
    char *text; /* what names and defaults point into */
};

/* Reads what people write, or what schema_text wrote. 0, -EINVAL with a sentence that says what is
 * wrong, or -ENOMEM; on failure *out is as after schema_release. */
int schema_parse(struct bytes text, struct schema *out, struct sentence *error);
void schema_release(struct schema *schema);

/* The canonical form. Returns its length; writes only when capacity suffices. */
size_t schema_text(const struct schema *schema, char *buffer, size_t capacity);

/* The statement that is in force for a field, or NULL when the schema does not know it. */
const struct schema_field *schema_find(const struct schema *schema, bool attribute,
                                       struct bytes name);

/* Adds what a field takes, as in "an integer from 1 to 7 or null". */
void schema_expected(const struct schema_field *field, struct sentence *out);
/* Adds "attribute.colour" or "price". */
void schema_field_name(const struct schema_field *field, struct sentence *out);

/* True when `reader` reads every record that `writer` allows; else *why is one sentence that names
 * the first field at which it does not and what changed. */
bool schema_reads(const struct schema *reader, const struct schema *writer, struct sentence *why);

/* True when every record that `inner` allows is allowed by `outer` too, without passing anything
 * over and without defaults: what an amendment of a version must keep to. */
bool schema_allows(const struct schema *outer, const struct schema *inner, struct sentence *why);

/* Whether `newer` may follow `older` by a mode, transitive or not. */
bool schema_compatible(enum schema_mode mode, const struct schema *older,
                       const struct schema *newer, struct sentence *why);

#endif
