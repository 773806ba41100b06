/*
 * What a feed's contract says of its records, as the text that the core's registry takes (B9).
 *
 * A property's name is the registry's name of the field; properties with the tag `envelope` stand
 * in every record and are no matter of the registry. The types are in physicalType, in the words of
 * pipeline/schema.h ("text, null"), or follow from logicalType: a property that is not required may
 * be null then. Limits come from logicalTypeOptions, a default from the custom property of that
 * name. What sellers say freely is an object `attributes`; its property `*` is any attribute.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/contract.h"
#include "pipeline/schema.h"
#include "scenarios/contract_parts.h"

enum { STATEMENT_MAX = 300, TEXT_MAX = 16 << 10 };

struct statement {
    char text[STATEMENT_MAX];
};

static const char *text_of(const struct marked *map, const char *key) {
    const struct marked *value = marked_find(map, key);
    return value == NULL ? NULL : value->text;
}

static bool has_tag(const struct marked *property, const char *tag) {
    const struct marked *tags = marked_find(property, "tags");
    for (const struct marked *at = tags == NULL ? NULL : tags->first; at != NULL; at = at->next) {
        if (strcmp(at->text, tag) == 0) {
            return true;
        }
    }
    return false;
}

static void add(struct statement *out, const char *text) {
    size_t length = strlen(out->text);
    snprintf(out->text + length, sizeof out->text - length, "%s", text);
}

/* ---- Types ---- */

static const struct logical {
    const char *name;     /* in the standard */
    const char *physical; /* what it is when physicalType says nothing */
    unsigned may_be;      /* what physicalType may say */
    const char *least, *most;
} logicals[] = {
    {"string", "text", SCHEMA_TEXT | SCHEMA_DECIMAL | SCHEMA_NULL, "minLength", "maxLength"},
    {"integer", "integer", SCHEMA_INTEGER | SCHEMA_NULL, "minimum", "maximum"},
    {"number", "number", SCHEMA_NUMBER | SCHEMA_INTEGER | SCHEMA_DECIMAL | SCHEMA_NULL, "minimum",
     "maximum"},
    {"array", "ids", SCHEMA_IDS | SCHEMA_NULL, "minItems", "maxItems"},
};

/* NULL with the error set when no value of a record is of that type; any when it is not said. */
static const struct logical *logical_of(struct contract_reading *r, const struct marked *property) {
    const struct marked *type = marked_find(property, "logicalType");
    for (size_t i = 0; type != NULL && i < sizeof logicals / sizeof *logicals; i++) {
        if (strcmp(logicals[i].name, type->text) == 0) {
            return &logicals[i];
        }
    }
    if (type == NULL) {
        marked_fail(r->file, property, false, r->error, "the key \"logicalType\" is missing");
    } else {
        marked_fail(r->file, type, false, r->error,
                    "a field of a record is a string, an integer, a number or an array, not \"%s\"",
                    type->text);
    }
    return NULL;
}

static int add_types(struct contract_reading *r, const struct marked *property,
                     const struct logical *logical, struct statement *out) {
    const char *physical = text_of(property, "physicalType");
    if (physical != NULL) {
        add(out, physical);
        return 0;
    }
    if (logical == NULL) {
        return marked_fail(r->file, property, false, r->error,
                           "the key \"physicalType\" is missing: the types, as in \"text, null\"");
    }
    add(out, logical->physical);
    add(out, marked_is_set(property, "required") ? "" : ", null");
    return 0;
}

/* ---- Limits ---- */

static int add_limit(struct contract_reading *r, const struct marked *option, const char *word,
                     struct statement *out) {
    char text[48];
    if (option->kind != MARKED_INTEGER) {
        return marked_fail(r->file, option, false, r->error, "takes a whole number, not %s",
                           marked_kind_name(option->kind));
    }
    snprintf(text, sizeof text, ", %s %lld", word, (long long)option->integer);
    add(out, text);
    return 0;
}

static int add_limits(struct contract_reading *r, const struct marked *property,
                      const struct logical *logical, struct statement *out) {
    const struct marked *options = marked_find(property, "logicalTypeOptions");
    for (const struct marked *at = options == NULL ? NULL : options->first; at != NULL;
         at = at->next) {
        bool least = logical != NULL && strcmp(at->key, logical->least) == 0;
        bool most = logical != NULL && strcmp(at->key, logical->most) == 0;
        if (strcmp(at->key, "format") == 0) {
            continue; /* says how it is laid out, and limits nothing */
        }
        if (!least && !most) {
            return marked_fail(r->file, at, true, r->error,
                               "is not checked at ingest; what is checked is %s and %s",
                               logical == NULL ? "minimum" : logical->least,
                               logical == NULL ? "maximum" : logical->most);
        }
        if (add_limit(r, at, least ? "min" : "max", out) != 0) {
            return -1;
        }
    }
    return 0;
}

static int add_default(struct contract_reading *r, const struct marked *property,
                       struct statement *out) {
    const struct marked *value = contract_custom(property, "default");
    if (value == NULL) {
        return 0;
    }
    if (value->text == NULL || value->text[0] == '\0') {
        return marked_fail(r->file, value, false, r->error, "a default is a text or a number");
    }
    add(out, ", default ");
    add(out, value->text);
    return 0;
}

/* ---- Statements ---- */

/* What pipeline/schema.h makes of one statement: it must be one, and agree with logicalType. */
static int check_statement(struct contract_reading *r, const struct marked *property,
                           const struct logical *logical, const struct statement *statement) {
    struct schema schema;
    struct sentence why;
    char text[STATEMENT_MAX + 16];
    snprintf(text, sizeof text, "version 1\n%s\n", statement->text);
    bool one = strpbrk(statement->text, "\n;#") == NULL &&
               strlen(statement->text) + 1 < sizeof statement->text;
    int failed = one ? schema_parse(bytes_of(text), &schema, &why) : -EINVAL;
    if (failed == -ENOMEM) {
        return scenario_error_memory(r->error);
    }
    if (failed != 0) {
        return marked_fail(r->file, property, false, r->error, "is no field of a record: %.*s",
                           one ? (int)why.length : 9, one ? why.text : "too much");
    }
    unsigned types = schema.fields[0].types;
    schema_release(&schema);
    if (logical != NULL && (types & ~logical->may_be) != 0) {
        const struct marked *physical = marked_find(property, "physicalType");
        return marked_fail(r->file, physical == NULL ? property : physical, false, r->error,
                           "\"%.60s\" is more than the logicalType \"%s\" says",
                           physical == NULL ? "" : physical->text, logical->name);
    }
    return 0;
}

static int add_statement(struct contract_reading *r, const struct marked *property,
                         const char *prefix, char *text) {
    struct statement statement = {.text = ""};
    const struct logical *logical = NULL;
    /* Of several types none is the one. */
    bool typed = marked_find(property, "logicalType") != NULL ||
                 marked_find(property, "physicalType") == NULL;
    if (typed && (logical = logical_of(r, property)) == NULL) {
        return -1;
    }
    add(&statement, prefix);
    add(&statement, text_of(property, "name"));
    add(&statement, ": ");
    if (add_types(r, property, logical, &statement) != 0) {
        return -1;
    }
    add(&statement, marked_is_set(property, "required") ? ", required" : "");
    if (add_limits(r, property, logical, &statement) != 0 ||
        add_default(r, property, &statement) != 0 ||
        check_statement(r, property, logical, &statement) != 0) {
        return -1;
    }
    size_t length = strlen(text);
    if (length + strlen(statement.text) + 2 > TEXT_MAX) {
        return marked_fail(r->file, property, false, r->error, "one field too many");
    }
    snprintf(text + length, TEXT_MAX - length, "%s\n", statement.text);
    return 0;
}

static int add_properties(struct contract_reading *r, const struct marked *object,
                          const char *prefix, char *text) {
    const struct marked *list = marked_find(object, "properties");
    int failed = 0;
    for (const struct marked *at = list == NULL ? NULL : list->first; failed == 0 && at != NULL;
         at = at->next) {
        if (has_tag(at, "envelope")) {
            continue;
        }
        bool attributes = prefix[0] == '\0' && strcmp(text_of(at, "name"), "attributes") == 0;
        failed = attributes ? add_properties(r, at, "attribute.", text)
                            : add_statement(r, at, prefix, text);
    }
    return failed;
}

/* ---- The whole ---- */

/* Records name the first number of the version that they keep to. */
static int add_version(struct contract_reading *r, const struct marked *root, char *text) {
    const struct marked *version = marked_find(root, "version");
    const struct marked *mode = contract_custom(root, "compatibility");
    if (strtol(version->text, NULL, 10) != RECORD_CONTRACT_VERSION) {
        return marked_fail(r->file, version, false, r->error,
                           "the records of the feed name version %d, so this begins with \"%d.\"; "
                           "operators register later versions",
                           RECORD_CONTRACT_VERSION, RECORD_CONTRACT_VERSION);
    }
    int length = snprintf(text, TEXT_MAX, "version %d\n", RECORD_CONTRACT_VERSION);
    if (mode == NULL) {
        return 0;
    }
    for (int m = SCHEMA_MODE_UNSAID + 1; m < SCHEMA_MODE_COUNT; m++) {
        const char *name = schema_mode_about((enum schema_mode)m)->name;
        if (mode->kind == MARKED_TEXT && strcmp(mode->text, name) == 0) {
            snprintf(text + length, TEXT_MAX - (size_t)length, "mode %s\n", name);
            return 0;
        }
    }
    return marked_fail(r->file, mode, false, r->error,
                       "takes none, backward, forward or full, or one of them with -transitive");
}

/* The first field that the one has and the other has not, or has not required; NULL: none. */
static const struct schema_field *field_beyond(const struct schema *schema,
                                               const struct schema *other, bool required) {
    for (size_t i = 0; i < schema->count; i++) {
        const struct schema_field *field = &schema->fields[i];
        const struct schema_field *there = schema_find(other, field->attribute, field->name);
        bool lacks =
            required ? field->required && (there == NULL || !there->required) : there == NULL;
        if (lacks) {
            return field;
        }
    }
    return NULL;
}

static int not_carried(struct contract_reading *r, const struct marked *object,
                       const struct schema *widest, const struct schema *schema,
                       const struct sentence *why) {
    struct sentence name = sentence_begin();
    const struct schema_field *unknown = field_beyond(schema, widest, false);
    const struct schema_field *always = field_beyond(widest, schema, true);
    if (unknown != NULL || always != NULL) {
        schema_field_name(unknown != NULL ? unknown : always, &name);
        return marked_fail(r->file, object, false, r->error, "%.*s: %s", (int)name.length,
                           name.text,
                           unknown != NULL ? "no record of the feed has such a field"
                                           : "every record of the feed has it, so it is required");
    }
    return marked_fail(r->file, object, false, r->error,
                       "%.*s: more than a record of the feed can carry", (int)why->length,
                       why->text);
}

/* The registry holds nothing that a record could not carry. */
static int check_whole(struct contract_reading *r, const struct marked *object, const char *text) {
    struct schema schema, widest;
    struct sentence why;
    int failed = schema_parse(bytes_of(text), &schema, &why);
    if (failed == -EINVAL) {
        return marked_fail(r->file, object, false, r->error, "%.*s", (int)why.length, why.text);
    }
    if (failed != 0 || contract_widest(seam_feed(r->out->seam), &widest) != 0) {
        schema_release(&schema);
        return scenario_error_memory(r->error);
    }
    failed =
        schema_allows(&widest, &schema, &why) ? 0 : not_carried(r, object, &widest, &schema, &why);
    schema_release(&schema);
    schema_release(&widest);
    return failed;
}

int contract_schema_read(struct contract_reading *r, const struct marked *root) {
    const struct marked *objects = marked_find(root, "schema");
    if (objects->count != 1) {
        return marked_fail(r->file, objects, true, r->error,
                           "a feed carries one kind of record, so this is one object");
    }
    char *text = scenario_alloc(r->memory, TEXT_MAX);
    if (text == NULL) {
        return scenario_error_memory(r->error);
    }
    if (add_version(r, root, text) != 0 || add_properties(r, objects->first, "", text) != 0 ||
        check_whole(r, objects->first, text) != 0) {
        return -1;
    }
    r->out->schema = text;
    return 0;
}
