#include <stdlib.h>
#include <string.h>

#include "pipeline/utf8.h"
#include "scenarios/scenario_reader.h"

/* The value as JSON if it is some, else as a string. NULL when out of memory. */
static json_t *setting_value(const char *text) {
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    return value != NULL ? value : json_string(text);
}

/* The value at a step, or NULL. */
static json_t *step_get(json_t *container, const struct json_step *step) {
    return step->key != NULL ? json_object_get(container, step->key)
                             : json_array_get(container, step->index);
}

/* Takes the value over. */
static int step_set(json_t *container, const struct json_step *step, json_t *value) {
    if (step->key != NULL) {
        return json_object_set_new(container, step->key, value);
    }
    return step->index == json_array_size(container)
               ? json_array_append_new(container, value)
               : json_array_set_new(container, step->index, value);
}

/* Can the step be taken from the container? An element can be replaced, or added at the end. */
static int check_step(struct reader *r, const struct setting *setting, size_t depth,
                      const json_t *container) {
    const struct json_step *step = &setting->path.steps[depth];
    struct json_path above = setting->path;
    above.depth = depth;
    char shown[JSON_PATH_TEXT_SIZE];
    json_path_format(&above, shown);
    const char *name = depth == 0 ? "the scenario" : shown;
    if (step->key != NULL && !json_is_object(container)) {
        return reader_fail(r, &setting->path, PLACE_VALUE, "%s is no object, so it has no keys",
                           name);
    }
    if (step->key == NULL && !json_is_array(container)) {
        return reader_fail(r, &setting->path, PLACE_VALUE, "%s is no list, so it has no [%zu]",
                           name, step->index);
    }
    if (step->key == NULL && step->index > json_array_size(container)) {
        return reader_fail(r, &setting->path, PLACE_VALUE, "the next element of %s is [%zu]", name,
                           json_array_size(container));
    }
    return 0;
}

/* Goes down the path, making what is not there, and puts the value at its end. */
static int put_value(struct reader *r, const struct setting *setting, json_t *value) {
    json_t *container = r->source->root;
    size_t last = setting->path.depth - 1;
    for (size_t depth = 0; depth <= last; depth++) {
        const struct json_step *step = &setting->path.steps[depth];
        if (check_step(r, setting, depth, container) != 0) {
            json_decref(value);
            return -1;
        }
        json_t *next = step_get(container, step);
        if (depth < last && next == NULL) {
            next = setting->path.steps[depth + 1].key != NULL ? json_object() : json_array();
            if (next == NULL || step_set(container, step, next) != 0) {
                json_decref(value);
                return scenario_error_memory(r->error);
            }
        }
        if (depth == last) {
            return step_set(container, step, value) != 0 ? scenario_error_memory(r->error) : 0;
        }
        container = next;
    }
    return 0;
}

static int apply(struct reader *r, const char *text) {
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return scenario_error_set(
            r->error, "--set %.100s: give PATH=VALUE, as in workload.events=5000", text);
    }
    if (utf8_valid_prefix(bytes_of(text)) < strlen(text)) {
        return scenario_error_set(r->error, "--set %.100s: is not UTF-8", text);
    }
    struct setting *setting = &r->settings[r->setting_count];
    char *path = scenario_alloc(r->memory, (size_t)(equals - text) + 1);
    if (path == NULL) {
        return scenario_error_memory(r->error);
    }
    memcpy(path, text, (size_t)(equals - text));
    setting->text = text;
    if (!json_path_parse(path, &setting->path)) {
        return scenario_error_set(r->error,
                                  "--set %.100s: the path is written as in workload.events or "
                                  "faults[0].ratio",
                                  text);
    }
    r->setting_count++;
    json_t *value = setting_value(equals + 1);
    return value == NULL ? scenario_error_memory(r->error) : put_value(r, setting, value);
}

int scenario_settings_apply(struct reader *r, const struct scenario_setting *given, size_t count) {
    if (count == 0) {
        return 0;
    }
    r->settings = scenario_alloc(r->memory, count * sizeof *r->settings);
    if (r->settings == NULL) {
        return scenario_error_memory(r->error);
    }
    for (size_t i = 0; i < count; i++) {
        if (apply(r, given[i].text) != 0) {
            return -1;
        }
    }
    return 0;
}
