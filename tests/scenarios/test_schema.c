/*
 * The JSON Schema for editors and the guide's tables agree with the loader.
 *
 * scenario.schema.json is judged by a validator of JSON Schema draft-07 that knows the keywords
 * that occur in it, and fails on any other: what the schema refuses the loader refuses, and what
 * the loader takes the schema takes.
 *
 * With MURPHY_WRITE=1 in the environment the generated files are written anew instead of compared.
 */
#define _POSIX_C_SOURCE 200809L

#include <jansson.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "scenarios/fault_guide.h"
#include "scenarios/scenario_files.h"
#include "scenarios/scenario_keys.h"
#include "scenarios/scenario_schema.h"
#include "sim/prng.h"

#define SCHEMA "scenarios/scenario.schema.json"
#define GUIDE "docs/scenarios.md"
#define OPERATORS "docs/operators.md"
#define FAULTS_PAGE "docs/faults.md"
#define BAD "tests/scenarios/bad"

static char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s is missing", path);
    }
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static bool writing(void) {
    return getenv("MURPHY_WRITE") != NULL;
}

/* ---- The files are up to date ---- */

static void schema_is_that_of_the_keys(void **state) {
    (void)state;
    char *made = scenario_schema_text();
    assert_non_null(made);
    if (writing()) {
        write_file(SCHEMA, made);
    }
    char *text = read_file(SCHEMA);
    if (strcmp(text, made) != 0) {
        fail_msg("%s is out of date: run this test with MURPHY_WRITE=1", SCHEMA);
    }
    free(text);
    free(made);
}

/* Between two lines of a page stands what is made. */
static void page_holds(const char *page, const char *begin, const char *end, char *made) {
    char *text = read_file(page);
    assert_non_null(made);
    char *from = strstr(text, begin);
    assert_non_null(from);
    from += strlen(begin);
    char *to = strstr(from, end);
    assert_non_null(to);
    if (writing()) {
        FILE *file = fopen(page, "wb");
        assert_non_null(file);
        fprintf(file, "%.*s\n%s\n%s", (int)(from - text), text, made, to);
        assert_int_equal(fclose(file), 0);
    } else {
        *to = '\0';
        if (strlen(from) != strlen(made) + 2 || memcmp(from + 1, made, strlen(made)) != 0) {
            fail_msg("%s is out of date: run this test with MURPHY_WRITE=1", page);
        }
    }
    free(text);
    free(made);
}

static void guide_shows_every_key(void **state) {
    (void)state;
    page_holds(GUIDE, "<!-- keys -->\n", "<!-- end of keys -->\n", scenario_guide_text());
}

static void faults_page_shows_every_kind(void **state) {
    (void)state;
    struct scenario_list list;
    struct scenario_error error;
    assert_int_equal(scenario_list_load("scenarios", &list, &error), 0);
    page_holds(FAULTS_PAGE, "<!-- faults -->\n", "<!-- end of faults -->\n",
               fault_guide_text(&list));
    scenario_list_release(&list);
    page_holds(FAULTS_PAGE, "<!-- states -->\n", "<!-- end of states -->\n", state_guide_text());
    page_holds(FAULTS_PAGE, "<!-- impossible -->\n", "<!-- end of impossible -->\n",
               impossible_guide_text());
}

/* The page of operators has every command, and for each what a crash leaves, how it goes on, and a
 * test that is there and shows it (A10, A12, A17, C8). */
static void operators_know_every_command(void **state) {
    (void)state;
    page_holds(OPERATORS, "<!-- commands -->\n", "<!-- end of commands -->\n",
               operator_guide_text());
    for (enum control_kind kind = CONTROL_NONE + 1; kind < CONTROL_KIND_END; kind++) {
        const struct control_about *about = control_about(kind);
        if ((about->parameters & CONTROL_ANNOUNCED) != 0) {
            continue;
        }
        const char *colon = strchr(about->test, ':');
        if (about->precondition[0] == '\0' || about->crash[0] == '\0' ||
            about->resumes[0] == '\0' || colon == NULL) {
            fail_msg("%s: what its precondition is, what a crash leaves, how it goes on or what "
                     "shows it is not said",
                     about->name);
        }
        char path[160];
        snprintf(path, sizeof path, "%.*s", (int)(colon - about->test), about->test);
        char *text = read_file(path);
        if (strstr(text, colon + 1) == NULL) {
            fail_msg("%s: %s has no %s", about->name, path, colon + 1);
        }
        free(text);
    }
}

/* ---- A validator ---- */

struct validator {
    json_t *root;
    char why[200]; /* of the last refusal */
};

static bool valid(struct validator *v, const json_t *schema, const json_t *value);

static bool refuse(struct validator *v, const char *keyword, const char *detail) {
    snprintf(v->why, sizeof v->why, "%s %s", keyword, detail);
    return false;
}

static bool has_type(const json_t *value, const char *type) {
    if (strcmp(type, "integer") == 0) {
        double real = json_number_value(value);
        return json_is_integer(value) || (json_is_real(value) && real > -9e15 && real < 9e15 &&
                                          (double)(int64_t)real == real);
    }
    if (strcmp(type, "object") == 0) {
        return json_is_object(value);
    }
    if (strcmp(type, "array") == 0) {
        return json_is_array(value);
    }
    if (strcmp(type, "boolean") == 0) {
        return json_is_boolean(value);
    }
    if (strcmp(type, "number") == 0) {
        return json_is_number(value);
    }
    assert_string_equal(type, "string");
    return json_is_string(value);
}

static bool matches(const char *pattern, const char *text) {
    regex_t compiled;
    assert_int_equal(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

static const json_t *resolve(struct validator *v, const char *reference) {
    static const char prefix[] = "#/definitions/";
    assert_memory_equal(reference, prefix, strlen(prefix));
    const json_t *found =
        json_object_get(json_object_get(v->root, "definitions"), reference + strlen(prefix));
    assert_non_null(found);
    return found;
}

static bool among(const json_t *list, const json_t *value) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        if (json_equal(item, value)) {
            return true;
        }
    }
    return false;
}

static bool all_valid(struct validator *v, const json_t *schemas, const json_t *value) {
    size_t i;
    json_t *schema;
    json_array_foreach(schemas, i, schema) {
        if (!valid(v, schema, value)) {
            return false;
        }
    }
    return true;
}

static bool any_valid(struct validator *v, const json_t *schemas, const json_t *value) {
    size_t i;
    json_t *schema;
    json_array_foreach(schemas, i, schema) {
        if (valid(v, schema, value)) {
            return true;
        }
    }
    return false;
}

static bool properties_valid(struct validator *v, const json_t *schemas, json_t *object) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        const json_t *schema = json_object_get(schemas, key);
        if (schema != NULL && !valid(v, schema, value)) {
            return false;
        }
    }
    return true;
}

/* Is every key of the object one of `known`, a list of names or an object of them? */
static bool keys_known(struct validator *v, const json_t *known, json_t *object) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        json_t *name = json_string(key);
        bool found =
            json_is_array(known) ? among(known, name) : json_object_get(known, key) != NULL;
        json_decref(name);
        if (!found) {
            return refuse(v, "unknown key", key);
        }
    }
    return true;
}

static bool required_there(struct validator *v, const json_t *required, const json_t *object) {
    size_t i;
    json_t *name;
    json_array_foreach(required, i, name) {
        if (json_object_get(object, json_string_value(name)) == NULL) {
            return refuse(v, "required", json_string_value(name));
        }
    }
    return true;
}

static bool object_keyword(struct validator *v, const json_t *schema, const char *keyword,
                           const json_t *rule, json_t *object) {
    if (strcmp(keyword, "properties") == 0) {
        return properties_valid(v, rule, object);
    }
    if (strcmp(keyword, "required") == 0) {
        return required_there(v, rule, object);
    }
    if (strcmp(keyword, "propertyNames") == 0) {
        return keys_known(v, json_object_get(rule, "enum"), object);
    }
    assert_string_equal(keyword, "additionalProperties");
    assert_true(json_is_false(rule));
    return keys_known(v, json_object_get(schema, "properties"), object);
}

static bool array_keyword(struct validator *v, const char *keyword, const json_t *rule,
                          const json_t *array) {
    if (strcmp(keyword, "maxItems") == 0) {
        return (json_int_t)json_array_size(array) <= json_integer_value(rule) ||
               refuse(v, keyword, "");
    }
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item) {
        if (!valid(v, rule, item)) {
            return false;
        }
    }
    return true;
}

static bool number_keyword(struct validator *v, const char *keyword, const json_t *rule,
                           const json_t *value) {
    double number = json_number_value(value), bound = json_number_value(rule);
    bool holds = strcmp(keyword, "minimum") == 0   ? number >= bound
                 : strcmp(keyword, "maximum") == 0 ? number <= bound
                                                   : number > bound;
    return holds || refuse(v, keyword, "");
}

static bool string_keyword(struct validator *v, const char *keyword, const json_t *rule,
                           const json_t *value) {
    const char *text = json_string_value(value);
    bool holds = strcmp(keyword, "pattern") == 0
                     ? matches(json_string_value(rule), text)
                     : (json_int_t)strlen(text) >= json_integer_value(rule);
    return holds || refuse(v, keyword, text);
}

static bool one_of(const char *word, const char *const *words) {
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static bool keyword_holds(struct validator *v, const json_t *schema, const char *keyword,
                          const json_t *rule, const json_t *value) {
    static const char *const notes[] = {"$schema",  "title",   "description", "definitions",
                                        "examples", "default", "then",        NULL};
    static const char *const of_objects[] = {"properties", "required", "propertyNames",
                                             "additionalProperties", NULL};
    static const char *const of_arrays[] = {"items", "maxItems", NULL};
    static const char *const of_numbers[] = {"minimum", "maximum", "exclusiveMinimum", NULL};
    static const char *const of_strings[] = {"pattern", "minLength", NULL};
    if (one_of(keyword, notes)) {
        return true;
    }
    if (one_of(keyword, of_objects)) {
        return !json_is_object(value) ||
               object_keyword(v, schema, keyword, rule, (json_t *)(uintptr_t)value);
    }
    if (one_of(keyword, of_arrays)) {
        return !json_is_array(value) || array_keyword(v, keyword, rule, value);
    }
    if (one_of(keyword, of_numbers)) {
        return !json_is_number(value) || number_keyword(v, keyword, rule, value);
    }
    if (one_of(keyword, of_strings)) {
        return !json_is_string(value) || string_keyword(v, keyword, rule, value);
    }
    if (strcmp(keyword, "type") == 0) {
        return has_type(value, json_string_value(rule)) ||
               refuse(v, "type", json_string_value(rule));
    }
    if (strcmp(keyword, "enum") == 0) {
        return among(rule, value) || refuse(v, "enum", "");
    }
    if (strcmp(keyword, "const") == 0) {
        return json_equal(rule, value) || refuse(v, "const", "");
    }
    if (strcmp(keyword, "$ref") == 0) {
        return valid(v, resolve(v, json_string_value(rule)), value);
    }
    if (strcmp(keyword, "allOf") == 0) {
        return all_valid(v, rule, value);
    }
    if (strcmp(keyword, "anyOf") == 0) {
        return any_valid(v, rule, value);
    }
    if (strcmp(keyword, "if") == 0) {
        return !valid(v, rule, value) || valid(v, json_object_get(schema, "then"), value);
    }
    fail_msg("the validator does not know the keyword %s", keyword);
    return false;
}

static bool valid(struct validator *v, const json_t *schema, const json_t *value) {
    const char *keyword;
    json_t *rule;
    json_object_foreach((json_t *)(uintptr_t)schema, keyword, rule) {
        if (!keyword_holds(v, schema, keyword, rule, value)) {
            return false;
        }
    }
    return true;
}

static struct validator validator_new(void) {
    struct validator v = {.root = json_load_file(SCHEMA, JSON_REJECT_DUPLICATES, NULL)};
    assert_non_null(v.root);
    return v;
}

/* ---- Agreement ---- */

/* Scenarios that are shipped are valid. */
static void shipped_scenarios_are_valid(void **state) {
    (void)state;
    struct validator v = validator_new();
    struct scenario_names names;
    struct scenario_error error;
    assert_int_equal(scenario_names_read("scenarios", &names, &error), 0);
    for (size_t i = 0; i < names.count; i++) {
        char path[200];
        snprintf(path, sizeof path, "scenarios/%s.json", names.names[i]);
        json_t *value = json_load_file(path, 0, NULL);
        assert_non_null(value);
        if (!valid(&v, v.root, value)) {
            fail_msg("%s: %s", path, v.why);
        }
        assert_string_equal(json_string_value(json_object_get(value, "$schema")),
                            "./scenario.schema.json");
        json_decref(value);
    }
    scenario_names_release(&names);
    json_decref(v.root);
}

/* Of the bad files the schema refuses those named key- and value-; those named rule- break a rule
 * that no schema can state. */
static void bad_files_are_refused_where_a_schema_can(void **state) {
    (void)state;
    struct validator v = validator_new();
    struct scenario_names names;
    struct scenario_error error;
    size_t refused = 0, taken = 0;
    assert_int_equal(scenario_names_read(BAD, &names, &error), 0);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        char path[200];
        snprintf(path, sizeof path, "%s/%s.json", BAD, name);
        json_t *value = json_load_file(path, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
        bool syntax = strncmp(name, "syntax-", 7) == 0;
        assert_true(syntax == (value == NULL));
        if (value != NULL) {
            bool rule = strncmp(name, "rule-", 5) == 0;
            if (valid(&v, v.root, value) != rule) {
                fail_msg("%s: the schema says %s", name, rule ? v.why : "valid");
            }
            refused += !rule;
            taken += rule;
        }
        json_decref(value);
    }
    assert_true(refused > 80 && taken > 20);
    scenario_names_release(&names);
    json_decref(v.root);
}

static void section_agrees(struct validator *v, const struct section *section,
                           const json_t *schema);

static void names_agree(enum name_set set, const json_t *list) {
    const char *name;
    int value;
    size_t count = 0;
    for (; (name = name_set_item(set, count, &value)) != NULL; count++) {
        assert_string_equal(json_string_value(json_array_get(list, count)), name);
    }
    assert_int_equal(json_array_size(list), count);
}

static void key_agrees(struct validator *v, const struct key *key, const json_t *schema) {
    if (key->type == TAKES_OBJECT) {
        section_agrees(v, key->section, schema);
    }
    if (key->type == TAKES_NAME || key->type == TAKES_NAME_STATIC) {
        names_agree(key->names, json_object_get(schema, "enum"));
    }
    if (key->type == TAKES_LIST) {
        key_agrees(v, key->element, json_object_get(schema, "items"));
    }
    if (key->fallback != NULL) {
        json_t *fallback = json_loads(key->fallback, JSON_DECODE_ANY, NULL);
        assert_true(json_equal(fallback, json_object_get(schema, "default")));
        if (!valid(v, schema, fallback)) {
            fail_msg("the default of %s is not valid: %s", key->name, v->why);
        }
        json_decref(fallback);
    }
}

/* Every key of the table is in the schema with a description, and none else but the comment. */
static void section_agrees(struct validator *v, const struct section *section,
                           const json_t *schema) {
    const json_t *properties = json_object_get(schema, "properties");
    size_t required = 0;
    for (size_t i = 0; i < section->key_count; i++) {
        const struct key *key = &section->keys[i];
        const json_t *property = json_object_get(properties, key->name);
        if (property == NULL) {
            fail_msg("the schema lacks %s", key->name);
        }
        assert_true(json_string_length(json_object_get(property, "description")) > 0);
        key_agrees(v, key, property);
        required += key->required;
    }
    assert_non_null(json_object_get(properties, "comment"));
    assert_int_equal(json_object_size(properties), section->key_count + 1);
    assert_int_equal(json_array_size(json_object_get(schema, "required")), required);
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
}

static void every_key_and_name_is_in_the_schema(void **state) {
    (void)state;
    struct validator v = validator_new();
    section_agrees(&v, &scenario_section, v.root);
    json_decref(v.root);
}

/* ---- Random changes ---- */

/* A value to put somewhere. */
static json_t *random_value(struct prng *random) {
    static const char *const values[] = {
        "0",
        "1",
        "-1",
        "0.5",
        "1.5",
        "17",
        "100000000000",
        "null",
        "true",
        "\"\"",
        "\"5m\"",
        "\"90\"",
        "\"0s\"",
        "\"50%\"",
        "\"1/3\"",
        "\"0%\"",
        "\"off\"",
        "\"gold\"",
        "\"orders\"",
        "\"log\"",
        "[]",
        "{}",
        "[\"1h\"]",
        "\"error\"",
        "\"sink-outage\"",
        "\"item-failures\"",
        "\"dual-write\"",
        "\"replay\"",
        "\"vectors\"",
    };
    const char *text = values[prng_below(random, sizeof values / sizeof *values)];
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

/* Some key that some object knows. */
static const char *random_key(struct prng *random) {
    static const char *const keys[] = {"kind",  "feed",  "sink",  "point",   "ratio",  "every",
                                       "delay", "down",  "from",  "until",   "events", "file",
                                       "store", "class", "at",    "comment", "ef",     "recall",
                                       "mix",   "name",  "oddly", "workers", "warn",   "error"};
    return keys[prng_below(random, sizeof keys / sizeof *keys)];
}

/* Walks down at random and changes something there. */
static void change(struct prng *random, json_t *value) {
    for (;;) {
        size_t size = json_is_object(value) ? json_object_size(value) : json_array_size(value);
        if (size == 0 || prng_below(random, 4) == 0) {
            break;
        }
        size_t pick = (size_t)prng_below(random, size);
        json_t *next = json_array_get(value, pick);
        const char *key = NULL;
        json_t *member;
        json_object_foreach(value, key, member) {
            if (pick-- == 0) {
                next = member;
                break;
            }
        }
        if (!json_is_object(next) && !json_is_array(next)) {
            if (json_is_object(value) && prng_below(random, 3) == 0) {
                json_object_del(value, key);
            } else if (json_is_object(value)) {
                json_object_set_new(value, key, random_value(random));
            }
            return;
        }
        value = next;
    }
    if (json_is_object(value)) {
        json_object_set_new(value, random_key(random), random_value(random));
    } else {
        json_array_append_new(value, random_value(random));
    }
}

static bool loader_takes(const json_t *value) {
    char path[] = "/tmp/murphy-schema-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(json_dumpfd(value, fd, 0), 0);
    close(fd);
    struct scenario scenario;
    struct scenario_error error;
    bool taken = scenario_load(path, "scenarios", NULL, 0, &scenario, &error) == 0;
    scenario_release(&scenario);
    unlink(path);
    return taken;
}

/* However a scenario is changed, the loader takes nothing that the schema refuses. */
static void loader_takes_only_what_is_valid(void **state) {
    (void)state;
    static const char *const files[] = {"scenarios/bad-day.json", "scenarios/stalled-feed.json",
                                        "scenarios/dual-write-drift.json"};
    struct validator v = validator_new();
    struct prng random;
    prng_init(&random, 1, "changes");
    size_t both = 0, neither = 0, rules = 0;
    for (int i = 0; i < 1500; i++) {
        json_t *value = json_load_file(files[i % 3], 0, NULL);
        for (uint64_t n = 1 + prng_below(&random, 2); n > 0; n--) {
            change(&random, value);
        }
        bool taken = loader_takes(value), sound = valid(&v, v.root, value);
        if (taken && !sound) {
            fail_msg("taken but not valid (%s): %s", v.why, json_dumps(value, 0));
        }
        both += taken && sound;
        neither += !taken && !sound;
        rules += !taken && sound;
        json_decref(value);
    }
    assert_true(both > 50 && neither > 500 && rules > 5);
    json_decref(v.root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schema_is_that_of_the_keys),
        cmocka_unit_test(guide_shows_every_key),
        cmocka_unit_test(faults_page_shows_every_kind),
        cmocka_unit_test(operators_know_every_command),
        cmocka_unit_test(shipped_scenarios_are_valid),
        cmocka_unit_test(bad_files_are_refused_where_a_schema_can),
        cmocka_unit_test(every_key_and_name_is_in_the_schema),
        cmocka_unit_test(loader_takes_only_what_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
