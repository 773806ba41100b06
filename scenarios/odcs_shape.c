#include "scenarios/odcs_shape.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/nearest.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

enum shape_type {
    SHAPE_TEXT,
    SHAPE_WORD, /* one of `words` */
    SHAPE_FLAG,
    SHAPE_WHOLE,  /* a whole number from 0 */
    SHAPE_NUMBER, /* any number */
    SHAPE_SCALAR, /* no list and no map */
    SHAPE_ANY,
    SHAPE_TEXTS,  /* a list of texts */
    SHAPE_RANGE,  /* two numbers, the smaller one first */
    SHAPE_OBJECT, /* by `shape` */
    SHAPE_LIST,   /* of objects by `shape` */
    SHAPE_OPEN,   /* a map of whatever */
};

struct shape_key {
    const char *name;
    enum shape_type type;
    bool required;
    const struct shape *shape;
    const char *const *words;
};

struct shape {
    const char *what;
    const struct shape_key *keys;
    size_t count;
    bool open; /* further keys may stand there */
};

#define SHAPE(identifier, what_, ...)                                                              \
    static const struct shape_key identifier##_keys[] = {__VA_ARGS__};                             \
    static const struct shape identifier = {what_, identifier##_keys, COUNT_OF(identifier##_keys), \
                                            false}

/* ---- The standard ---- */

SHAPE(custom_property, "a custom property", {"property", SHAPE_TEXT, true, NULL, NULL},
      {"value", SHAPE_ANY, true, NULL, NULL}, {"description", SHAPE_TEXT, false, NULL, NULL});
SHAPE(definition, "an authoritative definition", {"url", SHAPE_TEXT, true, NULL, NULL},
      {"type", SHAPE_TEXT, true, NULL, NULL}, {"description", SHAPE_TEXT, false, NULL, NULL});

#define CUSTOM                                                                                     \
    { "customProperties", SHAPE_LIST, false, &custom_property, NULL }
#define DEFINITIONS                                                                                \
    { "authoritativeDefinitions", SHAPE_LIST, false, &definition, NULL }
#define TAGS                                                                                       \
    { "tags", SHAPE_TEXTS, false, NULL, NULL }
#define TEXT(name)                                                                                 \
    { name, SHAPE_TEXT, false, NULL, NULL }
#define NEEDED(name)                                                                               \
    { name, SHAPE_TEXT, true, NULL, NULL }
#define WORD(name, words)                                                                          \
    { name, SHAPE_WORD, false, NULL, words }
#define FLAG(name)                                                                                 \
    { name, SHAPE_FLAG, false, NULL, NULL }
#define WHOLE(name)                                                                                \
    { name, SHAPE_WHOLE, false, NULL, NULL }
#define NUMBER(name)                                                                               \
    { name, SHAPE_NUMBER, false, NULL, NULL }
#define ANY(name)                                                                                  \
    { name, SHAPE_ANY, false, NULL, NULL }
#define OPEN(name)                                                                                 \
    { name, SHAPE_OPEN, false, NULL, NULL }
#define LIST(name, shape)                                                                          \
    { name, SHAPE_LIST, false, &shape, NULL }
#define RANGE(name)                                                                                \
    { name, SHAPE_RANGE, false, NULL, NULL }

static const char *const dimensions[] = {"accuracy", "completeness", "conformity", "consistency",
                                         "coverage", "timeliness",   "uniqueness", NULL};
static const char *const rule_types[] = {"text", "library", "sql", "custom", NULL};
static const char *const metrics[] = {"nullValues",      "missingValues", "invalidValues",
                                      "duplicateValues", "rowCount",      NULL};
SHAPE(quality, "a quality rule", TEXT("name"), TEXT("description"), WORD("type", rule_types),
      WORD("metric", metrics), OPEN("arguments"), TEXT("query"), TEXT("engine"),
      ANY("implementation"), ANY("mustBe"), ANY("mustNotBe"), NUMBER("mustBeGreaterThan"),
      NUMBER("mustBeGreaterOrEqualTo"), NUMBER("mustBeLessThan"), NUMBER("mustBeLessOrEqualTo"),
      RANGE("mustBeBetween"), RANGE("mustNotBeBetween"), TEXT("unit"),
      WORD("dimension", dimensions), TEXT("method"), TEXT("severity"), TEXT("businessImpact"),
      TEXT("scheduler"), TEXT("schedule"), TAGS, CUSTOM, DEFINITIONS);

static const char *const logical_types[] = {"string",  "date",   "timestamp", "time",    "number",
                                            "integer", "object", "array",     "boolean", NULL};
static const char *const object_types[] = {"object", NULL};

/* What follows holds itself: objects have properties and arrays items. */
static const struct shape property;
static const struct shape items;

#define PROPERTY_KEYS                                                                              \
    TEXT("description"), TEXT("businessName"), TEXT("physicalName"), TEXT("physicalType"),         \
        WORD("logicalType", logical_types), OPEN("logicalTypeOptions"), FLAG("primaryKey"),        \
        WHOLE("primaryKeyPosition"), FLAG("required"), FLAG("unique"), FLAG("partitioned"),        \
        WHOLE("partitionKeyPosition"), TEXT("classification"), TEXT("encryptedName"),              \
        {"transformSourceObjects", SHAPE_TEXTS, false, NULL, NULL}, TEXT("transformLogic"),        \
        TEXT("transformDescription"), ANY("examples"), FLAG("criticalDataElement"),                \
        ANY("relationships"), LIST("quality", quality), LIST("properties", property),              \
        {"items", SHAPE_OBJECT, false, &items, NULL}, TAGS, CUSTOM, DEFINITIONS

static const struct shape_key property_keys[] = {NEEDED("name"), PROPERTY_KEYS};
static const struct shape property = {"a property", property_keys, COUNT_OF(property_keys), false};
static const struct shape_key items_keys[] = {TEXT("name"), PROPERTY_KEYS};
static const struct shape items = {"what an array holds", items_keys, COUNT_OF(items_keys), false};

SHAPE(object, "a schema object", NEEDED("name"), TEXT("description"), TEXT("businessName"),
      TEXT("physicalName"), TEXT("physicalType"), WORD("logicalType", object_types),
      TEXT("dataGranularityDescription"), LIST("properties", property), ANY("relationships"),
      LIST("quality", quality), TAGS, CUSTOM, DEFINITIONS);

SHAPE(sla, "a service level", NEEDED("property"), {"value", SHAPE_SCALAR, true, NULL, NULL},
      {"valueExt", SHAPE_SCALAR, false, NULL, NULL}, TEXT("unit"), TEXT("element"), TEXT("driver"),
      TEXT("description"), TEXT("scheduler"), TEXT("schedule"));

SHAPE(member, "a member of the team", NEEDED("username"), TEXT("name"), TEXT("description"),
      TEXT("role"), TEXT("dateIn"), TEXT("dateOut"), TEXT("replacedByUsername"), TAGS, CUSTOM,
      DEFINITIONS);
SHAPE(team, "the team", TEXT("name"), TEXT("description"), LIST("members", member), TAGS, CUSTOM,
      DEFINITIONS);
SHAPE(role, "a role", NEEDED("role"), TEXT("description"), TEXT("access"),
      TEXT("firstLevelApprovers"), TEXT("secondLevelApprovers"), CUSTOM);
SHAPE(channel, "a support channel", NEEDED("channel"), TEXT("url"), TEXT("description"),
      TEXT("tool"), TEXT("scope"), TEXT("invitationUrl"), CUSTOM);
SHAPE(price, "the price", NUMBER("priceAmount"), TEXT("priceCurrency"), TEXT("priceUnit"));
SHAPE(description, "the description", TEXT("purpose"), TEXT("usage"), TEXT("limitations"), CUSTOM,
      DEFINITIONS);

static const struct shape_key server_keys[] = {NEEDED("server"),    NEEDED("type"),
                                               TEXT("description"), TEXT("environment"),
                                               LIST("roles", role), CUSTOM};
static const struct shape server = {"a server", server_keys, COUNT_OF(server_keys), true};

static const char *const kinds[] = {"DataContract", NULL};
static const char *const versions[] = {ODCS_VERSION, NULL};
SHAPE(contract, "a contract", {"apiVersion", SHAPE_WORD, true, NULL, versions},
      {"kind", SHAPE_WORD, true, NULL, kinds}, NEEDED("id"), NEEDED("version"), NEEDED("status"),
      TEXT("name"), TEXT("tenant"), TEXT("domain"), TEXT("dataProduct"),
      {"description", SHAPE_OBJECT, false, &description, NULL}, LIST("schema", object),
      LIST("servers", server), LIST("slaProperties", sla), TEXT("slaDefaultElement"),
      {"team", SHAPE_OBJECT, false, &team, NULL}, LIST("roles", role), LIST("support", channel),
      {"price", SHAPE_OBJECT, false, &price, NULL}, TAGS, CUSTOM, DEFINITIONS,
      TEXT("contractCreatedTs"));

const char *odcs_operator(size_t i) {
    static const char *const operators[] = {
        "mustBe",         "mustNotBe",           "mustBeGreaterThan", "mustBeGreaterOrEqualTo",
        "mustBeLessThan", "mustBeLessOrEqualTo", "mustBeBetween",     "mustNotBeBetween"};
    return i < COUNT_OF(operators) ? operators[i] : NULL;
}

/* ---- Checking ---- */

struct checking {
    const char *file;
    struct scenario_error *error;
};

enum { LISTED_MAX = 360 };

static void list_word(char text[LISTED_MAX], const char *word) {
    size_t length = strlen(text);
    snprintf(text + length, LISTED_MAX - length, "%s%s", length == 0 ? "" : ", ", word);
}

static int unknown_key(const struct checking *c, const struct shape *shape,
                       const struct marked *value) {
    struct nearest nearest = nearest_begin(value->key);
    char all[LISTED_MAX] = "";
    for (size_t i = 0; i < shape->count; i++) {
        nearest_try(&nearest, shape->keys[i].name);
        list_word(all, shape->keys[i].name);
    }
    return nearest.best != NULL ? marked_fail(c->file, value, true, c->error,
                                              "unknown key; did you mean \"%s\"?", nearest.best)
                                : marked_fail(c->file, value, true, c->error,
                                              "unknown key; %s has %s", shape->what, all);
}

static const char *wanted_text(const struct shape_key *key) {
    static const char *const texts[] = {
        [SHAPE_TEXT] = "a text",
        [SHAPE_WORD] = "a text",
        [SHAPE_FLAG] = "true or false",
        [SHAPE_WHOLE] = "a whole number from 0",
        [SHAPE_NUMBER] = "a number",
        [SHAPE_SCALAR] = "a text or a number",
        [SHAPE_ANY] = "a value",
        [SHAPE_TEXTS] = "a list of texts",
        [SHAPE_RANGE] = "a list of two numbers, the smaller one first",
        [SHAPE_OBJECT] = "a map of keys",
        [SHAPE_LIST] = "a list",
        [SHAPE_OPEN] = "a map of keys",
    };
    return texts[key->type];
}

static int wrong_type(const struct checking *c, const struct shape_key *key,
                      const struct marked *value) {
    bool empty = value->kind == MARKED_TEXT && value->text[0] == '\0';
    bool is_list = value->kind == MARKED_LIST; /* of something else */
    if (empty || is_list) {
        return marked_fail(c->file, value, false, c->error, "takes %s%s", wanted_text(key),
                           empty ? ", and this is empty" : "");
    }
    bool quotable = value->text != NULL && value->text[0] != '\0' &&
                    (key->type == SHAPE_TEXT || key->type == SHAPE_WORD);
    if (quotable) {
        return marked_fail(c->file, value, false, c->error,
                           "takes %s, not %s; in quotes \"%.40s\" is a text", wanted_text(key),
                           marked_kind_name(value->kind), value->text);
    }
    return marked_fail(c->file, value, false, c->error, "takes %s, not %s", wanted_text(key),
                       marked_kind_name(value->kind));
}

static int check_word(const struct checking *c, const struct shape_key *key,
                      const struct marked *value) {
    struct nearest nearest = nearest_begin(value->text);
    char all[LISTED_MAX] = "";
    for (const char *const *word = key->words; *word != NULL; word++) {
        if (strcmp(*word, value->text) == 0) {
            return 0;
        }
        nearest_try(&nearest, *word);
        list_word(all, *word);
    }
    return marked_fail(c->file, value, false, c->error, "takes %s%s, not \"%.40s\"%s%s%s",
                       key->words[1] == NULL ? "" : "one of ", all, value->text,
                       nearest.best == NULL ? "" : "; did you mean \"",
                       nearest.best == NULL ? "" : nearest.best, nearest.best == NULL ? "" : "\"?");
}

static bool is_numeric(const struct marked *value) {
    return value->kind == MARKED_INTEGER || value->kind == MARKED_NUMBER;
}

static bool all_texts(const struct marked *list) {
    bool all = list->kind == MARKED_LIST;
    for (const struct marked *at = list->first; all && at != NULL; at = at->next) {
        all = at->kind == MARKED_TEXT;
    }
    return all;
}

static bool is_range(const struct marked *list) {
    return list->kind == MARKED_LIST && list->count == 2 && is_numeric(list->first) &&
           is_numeric(list->last) && list->first->number < list->last->number;
}

static bool has_type(enum shape_type type, const struct marked *value) {
    switch (type) {
    case SHAPE_TEXT:
    case SHAPE_WORD:
        return value->kind == MARKED_TEXT && value->text[0] != '\0';
    case SHAPE_FLAG:
        return value->kind == MARKED_FLAG;
    case SHAPE_WHOLE:
        return value->kind == MARKED_INTEGER && value->integer >= 0;
    case SHAPE_NUMBER:
        return is_numeric(value);
    case SHAPE_SCALAR:
        return value->kind != MARKED_LIST && value->kind != MARKED_MAP;
    case SHAPE_ANY:
        return true;
    case SHAPE_TEXTS:
        return all_texts(value);
    case SHAPE_RANGE:
        return is_range(value);
    case SHAPE_OBJECT:
    case SHAPE_OPEN:
        return value->kind == MARKED_MAP;
    case SHAPE_LIST:
        return value->kind == MARKED_LIST;
    }
    return false;
}

static int check_shape(const struct checking *c, const struct shape *shape,
                       const struct marked *map);

static int check_list(const struct checking *c, const struct shape *shape,
                      const struct marked *list) {
    int failed = 0;
    for (const struct marked *at = list->first; failed == 0 && at != NULL; at = at->next) {
        failed = at->kind == MARKED_MAP
                     ? check_shape(c, shape, at)
                     : marked_fail(c->file, at, false, c->error, "%s is a map of keys, not %s",
                                   shape->what, marked_kind_name(at->kind));
    }
    return failed;
}

static int check_value(const struct checking *c, const struct shape_key *key,
                       const struct marked *value) {
    if (!has_type(key->type, value)) {
        return wrong_type(c, key, value);
    }
    return key->type == SHAPE_WORD     ? check_word(c, key, value)
           : key->type == SHAPE_OBJECT ? check_shape(c, key->shape, value)
           : key->type == SHAPE_LIST   ? check_list(c, key->shape, value)
                                       : 0;
}

static int check_shape(const struct checking *c, const struct shape *shape,
                       const struct marked *map) {
    for (const struct marked *at = map->first; at != NULL; at = at->next) {
        const struct shape_key *key = NULL;
        for (size_t i = 0; key == NULL && i < shape->count; i++) {
            key = strcmp(shape->keys[i].name, at->key) == 0 ? &shape->keys[i] : NULL;
        }
        if (key == NULL && !shape->open) {
            return unknown_key(c, shape, at);
        }
        if (key != NULL && check_value(c, key, at) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->keys[i].required && marked_find(map, shape->keys[i].name) == NULL) {
            return marked_fail(c->file, map, false, c->error, "the key \"%s\" is missing",
                               shape->keys[i].name);
        }
    }
    return 0;
}

int odcs_shape_check(const char *file, const struct marked *root, struct scenario_error *error) {
    struct checking c = {file, error};
    if (root->kind != MARKED_MAP) {
        return marked_fail(file, root, false, error, "a contract is a map of keys, not %s",
                           marked_kind_name(root->kind));
    }
    return check_shape(&c, &contract, root);
}
