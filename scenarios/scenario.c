#include "scenarios/scenario.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/json_source.h"
#include "scenarios/scenario_files.h"
#include "scenarios/scenario_reader.h"

/* The file's name without folder and .json. */
static char *base_name(struct scenario_memory *memory, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *file = slash == NULL ? path : slash + 1;
    const char *suffix = strstr(file, ".json");
    size_t length = suffix == NULL ? strlen(file) : (size_t)(suffix - file);
    char *name = scenario_alloc(memory, length + 1);
    if (name != NULL) {
        memcpy(name, file, length);
    }
    return name;
}

static char *copy_text(struct scenario_memory *memory, const char *text) {
    char *copy = scenario_alloc(memory, strlen(text) + 1);
    if (copy != NULL) {
        memcpy(copy, text, strlen(text));
    }
    return copy;
}

static int fill(struct reader *r, struct draft *draft) {
    struct scenario *scenario = &draft->scenario;
    if (reader_read(r, draft) != 0) {
        return -1;
    }
    scenario->path = copy_text(r->memory, r->source->path);
    if (scenario->name == NULL) {
        scenario->name = base_name(r->memory, r->source->path);
    }
    if (scenario->path == NULL || scenario->name == NULL) {
        return scenario_error_memory(r->error);
    }
    return scenario_check(r, draft);
}

int scenario_load(const char *name_or_file, const char *directory,
                  const struct scenario_setting *settings, size_t setting_count,
                  struct scenario *out, struct scenario_error *error) {
    *out = (struct scenario){0};
    *error = (struct scenario_error){0};
    struct json_source source = {0};
    struct scenario_memory *memory = calloc(1, sizeof *memory);
    char *path = scenario_file_find(name_or_file, directory, error);
    struct reader reader = {.source = &source, .memory = memory, .error = error};
    struct draft draft = {0};
    int failed = -1;
    if (memory == NULL) {
        scenario_error_memory(error);
    } else if (path != NULL && json_source_read(path, &source, error) == 0 &&
               scenario_settings_apply(&reader, settings, setting_count) == 0 &&
               fill(&reader, &draft) == 0) {
        failed = 0;
        *out = draft.scenario;
        out->memory = memory;
    }
    json_source_release(&source);
    free(path);
    if (failed != 0 && memory != NULL) {
        scenario_memory_release(memory);
        free(memory);
    }
    return failed;
}

void scenario_release(struct scenario *scenario) {
    if (scenario->memory != NULL) {
        scenario_memory_release(scenario->memory);
        free(scenario->memory);
    }
    *scenario = (struct scenario){0};
}

/* ---- Lists ---- */

/* A fault that a swarm may do without strikes on some seeds only. */
static void mark_faults(struct scenario_entry *entry, const json_t *root) {
    bool swarm = json_is_true(json_object_get(root, "swarm"));
    size_t i;
    json_t *fault;
    json_array_foreach(json_object_get(root, "faults"), i, fault) {
        const char *name = json_string_value(json_object_get(fault, "kind"));
        int kind = name == NULL ? -1 : fault_find(name);
        if (kind >= 0 && (!swarm || json_is_true(json_object_get(fault, "always")))) {
            entry->strikes[kind] = true;
        }
    }
}

static void mark_catches(struct scenario_entry *entry, const json_t *root) {
    size_t i;
    json_t *bug;
    json_array_foreach(json_object_get(root, "catches"), i, bug) {
        const char *name = json_string_value(bug);
        int id = name == NULL ? -1 : bug_find(name);
        if (id >= 0) {
            entry->catches[id] = true;
        }
    }
}

/* All but the name, straight from the file: a scenario that waits for another file is listed too.
 */
static int read_entry(struct scenario_entry *entry, const char *directory, const char *name,
                      struct scenario_error *error) {
    char *path = scenario_file_find(name, directory, error);
    struct json_source source = {0};
    if (path != NULL && json_source_read(path, &source, error) == 0) {
        const char *text = json_string_value(json_object_get(source.root, "about"));
        if (text == NULL) {
            scenario_error_set(error, "%s: does not say what it shows: \"about\" is missing", path);
        } else {
            entry->about = malloc(strlen(text) + 1);
            if (entry->about == NULL) {
                scenario_error_memory(error);
            } else {
                strcpy(entry->about, text);
            }
        }
        mark_faults(entry, source.root);
        mark_catches(entry, source.root);
    }
    json_source_release(&source);
    free(path);
    return entry->about == NULL ? -1 : 0;
}

bool scenario_entry_shows(const struct scenario_entry *entry, enum fault_kind kind,
                          enum bug_id bug) {
    return entry->strikes[kind] && entry->catches[bug] &&
           fault_has_bug(kind, bug_table()[bug].name);
}

int scenario_list_load(const char *directory, struct scenario_list *out,
                       struct scenario_error *error) {
    struct scenario_names names;
    *out = (struct scenario_list){0};
    if (scenario_names_read(directory, &names, error) != 0) {
        return -1;
    }
    out->entries = calloc(names.count + 1, sizeof *out->entries);
    int failed = out->entries == NULL ? scenario_error_memory(error) : 0;
    for (size_t i = 0; failed == 0 && i < names.count; i++) {
        struct scenario_entry *entry = &out->entries[out->count];
        failed = read_entry(entry, directory, names.names[i], error);
        if (failed == 0) {
            entry->name = names.names[i];
            names.names[i] = NULL;
            out->count++;
        }
    }
    scenario_names_release(&names);
    if (failed != 0) {
        scenario_list_release(out);
    }
    return failed;
}

void scenario_list_release(struct scenario_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].name);
        free(list->entries[i].about);
    }
    free(list->entries);
    *list = (struct scenario_list){0};
}
