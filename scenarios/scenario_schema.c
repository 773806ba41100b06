#include "scenarios/scenario_schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/quantity.h"
#include "scenarios/scenario_keys.h"

/*
 * jansson's functions take over a NULL and fail, so a value that could not be made spoils what it
 * goes into; `failed` keeps that in mind.
 */
struct schema {
    bool failed;
};

static void put(struct schema *s, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0) {
        s->failed = true;
    }
}

static void append(struct schema *s, json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0) {
        s->failed = true;
    }
}

static json_t *names_of(struct schema *s, enum name_set set) {
    json_t *names = json_array();
    const char *name;
    int value;
    for (size_t i = 0; (name = name_set_item(set, i, &value)) != NULL; i++) {
        append(s, names, json_string(name));
    }
    return names;
}

/* ---- Single values ---- */

static json_t *reference(const char *definition) {
    return json_pack("{s:[{s:s+}]}", "allOf", "$ref", "#/definitions/", definition);
}

static json_t *text_type(void) {
    return json_pack("{s:s, s:i}", "type", "string", "minLength", 1);
}

/* A quantity that has a definition of its own, or "off" where that may stand for it. */
static json_t *quantity(const struct key *key, const char *definition) {
    return key->may_be_off ? json_pack("{s:[{s:s+}, {s:s}]}", "anyOf", "$ref", "#/definitions/",
                                       definition, "const", "off")
                           : reference(definition);
}

static json_t *object_of(struct schema *s, const struct section *section);
static json_t *key_schema(struct schema *s, const struct key *key);

static json_t *type_of(struct schema *s, const struct key *key) {
    switch (key->type) {
    case TAKES_IGNORED:
        return json_pack("{s:s}", "type", "string");
    case TAKES_TEXT:
    case TAKES_FILE:
        return text_type();
    case TAKES_FLAG:
    case TAKES_FLAG_OFF:
        return json_pack("{s:s}", "type", "boolean");
    case TAKES_COUNT32:
    case TAKES_COUNT64:
        return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)key->min,
                         "maximum", (json_int_t)key->max);
    case TAKES_DURATION:
        return quantity(key, "time");
    case TAKES_MOMENT:
        return reference("moment");
    case TAKES_SHARE:
    case TAKES_SHARE_PPM:
    case TAKES_PERCENT:
        return quantity(key, key->min > 0 ? "positive_share" : "share");
    case TAKES_NAME:
    case TAKES_NAME_STATIC:
        return json_pack("{s:o}", "enum", names_of(s, key->names));
    case TAKES_OBJECT:
        return object_of(s, key->section);
    case TAKES_LIST:
        return json_pack("{s:s, s:i, s:o}", "type", "array", "maxItems", LIST_LENGTH_MAX, "items",
                         key_schema(s, key->element));
    }
    return NULL;
}

/* Times have no bounds in a schema: the description says them. */
static json_t *description(const struct key *key) {
    if (key->type != TAKES_DURATION) {
        return json_string(key->about);
    }
    char low[DURATION_TEXT_SIZE], high[DURATION_TEXT_SIZE];
    quantity_duration_format(key->min, low);
    quantity_duration_format(key->max, high);
    return json_sprintf("%s (%s to %s)", key->about, low, high);
}

static json_t *key_schema(struct schema *s, const struct key *key) {
    json_t *schema = type_of(s, key);
    if (key->about != NULL) {
        put(s, schema, "description", description(key));
    }
    if (key->fallback != NULL) {
        put(s, schema, "default", json_loads(key->fallback, JSON_DECODE_ANY, NULL));
    }
    return schema;
}

/* ---- Objects ---- */

/* The keys that an object of one kind takes and needs. */
static json_t *then_of(struct schema *s, const struct section *section, int kind) {
    json_t *names = json_array();
    json_t *required = json_array();
    for (size_t i = 0; i < section->key_count; i++) {
        const struct key *key = &section->keys[i];
        enum key_use use = i == 0 ? KEY_OPTIONAL : section->use(kind, key->use);
        if (use != KEY_REFUSED) {
            append(s, names, json_string(key->name));
        }
        if (use == KEY_REQUIRED) {
            append(s, required, json_string(key->name));
        }
    }
    append(s, names, json_string(COMMENT_KEY));
    return json_pack("{s:{s:o}, s:o}", "propertyNames", "enum", names, "required", required);
}

/* Only some stores can be struck by that kind of fault. */
static void add_sinks(struct schema *s, json_t *then, enum fault_kind kind) {
    const struct fault_about *about = &fault_table()[kind];
    if ((about->required & FAULT_SINK) == 0 || (about->places & PLACE_SINKS) == PLACE_SINKS) {
        return;
    }
    json_t *sinks = json_array();
    for (int i = 0; i < SINK_COUNT; i++) {
        if ((about->places >> i & 1) != 0) {
            append(s, sinks, json_string(fault_sink_name((enum fault_sink)i)));
        }
    }
    put(s, then, "properties", json_pack("{s:{s:o}}", "sink", "enum", sinks));
}

/* if kind is X, then these keys; where kind has a default, it may also be absent. */
static json_t *kinds_of(struct schema *s, const struct section *section) {
    const struct key *by = &section->keys[0];
    json_t *all = json_array();
    const char *name;
    int kind;
    for (size_t i = 0; (name = name_set_item(by->names, i, &kind)) != NULL; i++) {
        char as_json[64];
        snprintf(as_json, sizeof as_json, "\"%s\"", name);
        bool absent = by->fallback != NULL && strcmp(by->fallback, as_json) == 0;
        json_t *condition = json_pack("{s:{s:{s:s}}}", "properties", by->name, "const", name);
        if (!absent) {
            put(s, condition, "required", json_pack("[s]", by->name));
        }
        json_t *then = then_of(s, section, kind);
        if (by->names == NAMES_FAULT_KINDS) {
            add_sinks(s, then, (enum fault_kind)kind);
        }
        append(s, all, json_pack("{s:o, s:o}", "if", condition, "then", then));
    }
    return all;
}

static json_t *object_of(struct schema *s, const struct section *section) {
    json_t *schema = json_object();
    json_t *properties = json_object();
    json_t *required = json_array();
    for (size_t i = 0; i < section->key_count; i++) {
        const struct key *key = &section->keys[i];
        put(s, properties, key->name, key_schema(s, key));
        if (key->required) {
            append(s, required, json_string(key->name));
        }
    }
    put(s, properties, COMMENT_KEY, json_pack("{s:s}", "$ref", "#/definitions/comment"));
    put(s, schema, "description", json_string(section->about));
    put(s, schema, "type", json_string("object"));
    put(s, schema, "properties", properties);
    put(s, schema, "required", required);
    put(s, schema, "additionalProperties", json_false());
    if (section->use != NULL) {
        put(s, schema, "allOf", kinds_of(s, section));
    }
    return schema;
}

/* ---- The whole ---- */

/* As quantity.h reads them, but for what no pattern can tell: too much, and more than the whole. */
#define TIME_PATTERN "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?([0-9]+us)?([0-9]+ns)?$"
#define SHARE_PATTERN "^[0-9]+(/[0-9]+|(\\.[0-9]{1,4})?%)$"
#define POSITIVE_PATTERN "^(0*[1-9][0-9]*/[0-9]+|[0-9.]*[1-9][0-9.]*%)$"
#define MOMENT_PATTERN "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"

static json_t *definitions(struct schema *s) {
    json_t *all = json_object();
    put(s, all, "comment",
        json_pack("{s:s, s:[{s:s}, {s:s, s:{s:s}}]}", "description", "for readers", "anyOf", "type",
                  "string", "type", "array", "items", "type", "string"));
    put(s, all, "time",
        json_pack("{s:s, s:i, s:s, s:[s,s,s]}", "type", "string", "minLength", 2, "pattern",
                  TIME_PATTERN, "examples", "90s", "5m", "2h30m"));
    put(s, all, "moment", json_pack("{s:s, s:s}", "type", "string", "pattern", MOMENT_PATTERN));
    put(s, all, "share",
        json_pack("{s:[{s:s, s:i, s:i}, {s:s, s:s}], s:[s,s,f]}", "anyOf", "type", "number",
                  "minimum", 0, "maximum", 1, "type", "string", "pattern", SHARE_PATTERN,
                  "examples", "5%", "1/20", 0.05));
    put(s, all, "positive_share",
        json_pack("{s:[{s:s, s:i, s:i}, {s:s, s:s, s:[{s:s}]}], s:[s,s,f]}", "anyOf", "type",
                  "number", "exclusiveMinimum", 0, "maximum", 1, "type", "string", "pattern",
                  SHARE_PATTERN, "allOf", "pattern", POSITIVE_PATTERN, "examples", "5%", "1/20",
                  0.05));
    return all;
}

char *scenario_schema_text(void) {
    struct schema s = {false};
    json_t *root = object_of(&s, &scenario_section);
    json_t *whole = json_object();
    put(&s, whole, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    put(&s, whole, "title", json_string("Murphy scenario"));
    if (json_object_update(whole, root) != 0) {
        s.failed = true;
    }
    put(&s, whole, "definitions", definitions(&s));
    char *text = s.failed ? NULL : json_dumps(whole, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    json_decref(whole);
    size_t length = text == NULL ? 0 : strlen(text);
    char *line = text == NULL ? NULL : realloc(text, length + 2);
    if (line == NULL) {
        free(text);
        return NULL;
    }
    strcpy(line + length, "\n");
    return line;
}
