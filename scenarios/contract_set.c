#define _POSIX_C_SOURCE 200809L

#include "scenarios/contract_set.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pipeline/array.h"
#include "scenarios/contract_parts.h"
#include "scenarios/nearest.h"
#include "scenarios/odcs_shape.h"

const char *seam_name(enum seam seam) {
    static const char *const names[SEAM_COUNT] = {
#define SEAM_NAME(identifier, name, about) [SEAM_##identifier] = name,
        SEAMS(SEAM_NAME)
#undef SEAM_NAME
    };
    assert(seam < SEAM_COUNT);
    return names[seam];
}

const char *seam_about(enum seam seam) {
    static const char *const abouts[SEAM_COUNT] = {
#define SEAM_ABOUT(identifier, name, about) [SEAM_##identifier] = about,
        SEAMS(SEAM_ABOUT)
#undef SEAM_ABOUT
    };
    assert(seam < SEAM_COUNT);
    return abouts[seam];
}

const char *service_level_name(enum service_level level) {
    static const char *const names[LEVEL_COUNT] = {"freshness", "latency", "retention"};
    assert(level < LEVEL_COUNT);
    return names[level];
}

const char *service_level_of(enum seam seam, enum service_level level) {
    static const char *const names[SEAM_COUNT][LEVEL_COUNT] = {
#define SEAM_LEVELS(identifier, name, about)                                                       \
    [SEAM_##identifier] = {name ".freshness", name ".latency", name ".retention"},
        SEAMS(SEAM_LEVELS)
#undef SEAM_LEVELS
    };
    assert(seam < SEAM_COUNT && level < LEVEL_COUNT);
    return names[seam][level];
}

enum topic_id seam_feed(enum seam seam) {
    int topic = 0;
    while (topic < TOPIC_FEED_COUNT &&
           strcmp(topic_name((enum topic_id)topic), seam_name(seam)) != 0) {
        topic++;
    }
    return (enum topic_id)topic;
}

const char *contract_textf(struct contract_reading *r, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    char *text = scenario_alloc(r->memory, (size_t)length + 1);
    if (text == NULL) {
        scenario_error_memory(r->error);
        return NULL;
    }
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

/* ---- Custom properties ---- */

const struct marked *contract_custom(const struct marked *holder, const char *property) {
    const struct marked *list = marked_find(holder, "customProperties");
    for (const struct marked *at = list == NULL ? NULL : list->first; at != NULL; at = at->next) {
        if (strcmp(marked_find(at, "property")->text, property) == 0) {
            return marked_find(at, "value");
        }
    }
    return NULL;
}

/* One that every contract states, as text. */
static const char *stated(struct contract_reading *r, const struct marked *root,
                          const char *property) {
    const struct marked *value = contract_custom(root, property);
    const struct marked *list = marked_find(root, "customProperties");
    if (value == NULL) {
        marked_fail(r->file, list == NULL ? root : list, true, r->error,
                    "the custom property \"%s\" is missing", property);
        return NULL;
    }
    if (value->kind != MARKED_TEXT || value->text[0] == '\0') {
        marked_fail(r->file, value, false, r->error, "%s takes a text, not %s", property,
                    marked_kind_name(value->kind));
        return NULL;
    }
    return value->text;
}

static int read_seam(struct contract_reading *r, const struct marked *root) {
    const char *name = stated(r, root, "seam");
    if (name == NULL) {
        return -1;
    }
    struct nearest nearest = nearest_begin(name);
    char all[400] = "";
    for (int seam = 0; seam < SEAM_COUNT; seam++) {
        const char *known = seam_name((enum seam)seam);
        if (strcmp(known, name) == 0) {
            r->out->seam = (enum seam)seam;
            return 0;
        }
        nearest_try(&nearest, known);
        size_t length = strlen(all);
        snprintf(all + length, sizeof all - length, "%s%s", seam == 0 ? "" : ", ", known);
    }
    const struct marked *value = contract_custom(root, "seam");
    return nearest.best != NULL
               ? marked_fail(r->file, value, false, r->error,
                             "there is no seam \"%.60s\"; did you mean \"%s\"?", name, nearest.best)
               : marked_fail(r->file, value, false, r->error,
                             "there is no seam \"%.60s\"; there are %s", name, all);
}

/* ---- Service levels ---- */

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {
    {"ms", VTIME_MILLISECOND}, {"millisecond", VTIME_MILLISECOND},
    {"s", VTIME_SECOND},       {"sec", VTIME_SECOND},
    {"second", VTIME_SECOND},  {"m", VTIME_MINUTE},
    {"min", VTIME_MINUTE},     {"minute", VTIME_MINUTE},
    {"h", VTIME_HOUR},         {"hr", VTIME_HOUR},
    {"hour", VTIME_HOUR},      {"d", VTIME_DAY},
    {"day", VTIME_DAY},        {"y", 365 * VTIME_DAY},
    {"yr", 365 * VTIME_DAY},   {"year", 365 * VTIME_DAY},
};

static bool same_unit(const char *known, const char *word) {
    size_t length = strlen(known);
    return strcmp(known, word) == 0 ||
           (length >= 3 && strncmp(known, word, length) == 0 && strcmp(word + length, "s") == 0);
}

static int read_unit(struct contract_reading *r, const struct marked *sla, int64_t *ns) {
    const struct marked *unit = marked_find(sla, "unit");
    if (unit == NULL) {
        return marked_fail(r->file, sla, false, r->error,
                           "the key \"unit\" is missing: ms, s, m, h, d or y");
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (same_unit(units[i].name, unit->text)) {
            *ns = units[i].ns;
            return 0;
        }
    }
    return marked_fail(r->file, unit, false, r->error,
                       "takes one of ms, s, m, h, d, y, not \"%.40s\"", unit->text);
}

static int read_duration(struct contract_reading *r, const struct marked *value, int64_t unit_ns,
                         int64_t *out) {
    bool number = value->kind == MARKED_INTEGER || value->kind == MARKED_NUMBER;
    double most = 100.0 * 365 * (double)VTIME_DAY;
    if (!number || value->number <= 0 || value->number * (double)unit_ns > most) {
        return marked_fail(r->file, value, false, r->error,
                           "takes a number above 0 that makes no more than 100 years");
    }
    *out = value->kind == MARKED_INTEGER ? value->integer * unit_ns
                                         : (int64_t)(value->number * (double)unit_ns);
    return *out > 0 ? 0 : marked_fail(r->file, value, false, r->error, "that is no time at all");
}

/* The one that a word of the standard names, by its name or its synonym; LEVEL_COUNT: none. */
static enum service_level level_named(const char *word) {
    static const char *const synonyms[LEVEL_COUNT] = {"fr", "ly", "re"};
    int level = 0;
    while (level < LEVEL_COUNT && strcasecmp(word, synonyms[level]) != 0 &&
           strcasecmp(word, service_level_name((enum service_level)level)) != 0) {
        level++;
    }
    return (enum service_level)level;
}

static int read_warning(struct contract_reading *r, const struct marked *warn,
                        enum service_level level, int64_t unit_ns) {
    struct seam_contract *c = r->out;
    if (level != LEVEL_FRESHNESS || seam_feed(c->seam) == TOPIC_FEED_COUNT) {
        return marked_fail(r->file, warn, true, r->error,
                           "only the freshness of a feed has a second threshold");
    }
    if (read_duration(r, warn, unit_ns, &c->freshness_warn_ns) != 0) {
        return -1;
    }
    return c->freshness_warn_ns < c->levels_ns[level]
               ? 0
               : marked_fail(r->file, warn, false, r->error,
                             "the watch warns before the value is reached, not after");
}

static int read_sla(struct contract_reading *r, const struct marked *sla) {
    const struct marked *property = marked_find(sla, "property");
    const struct marked *warn = marked_find(sla, "valueExt");
    enum service_level level = level_named(property->text);
    int64_t unit_ns = 0;
    if (level == LEVEL_COUNT) {
        return marked_fail(r->file, property, false, r->error,
                           "nobody measures \"%.40s\"; what is measured is freshness, latency and "
                           "retention",
                           property->text);
    }
    int64_t *target_ns = &r->out->levels_ns[level];
    if (*target_ns != 0) {
        return marked_fail(r->file, property, false, r->error, "%s is promised twice",
                           service_level_name(level));
    }
    if (read_unit(r, sla, &unit_ns) != 0 ||
        read_duration(r, marked_find(sla, "value"), unit_ns, target_ns) != 0) {
        return -1;
    }
    return warn == NULL ? 0 : read_warning(r, warn, level, unit_ns);
}

static int read_slas(struct contract_reading *r, const struct marked *root) {
    const struct marked *list = marked_find(root, "slaProperties");
    if (list == NULL) {
        return marked_fail(r->file, root, false, r->error, "the key \"slaProperties\" is missing");
    }
    int failed = 0;
    for (const struct marked *at = list->first; failed == 0 && at != NULL; at = at->next) {
        failed = read_sla(r, at);
    }
    return failed != 0 || list->count > 0
               ? failed
               : marked_fail(r->file, list, true, r->error, "promises nothing");
}

/* ---- One contract ---- */

/* A text below a map that may be missing, where the standard lets it. */
static const char *text_below(struct contract_reading *r, const struct marked *root,
                              const char *map, const char *key) {
    const struct marked *holder = marked_find(root, map);
    const struct marked *value = marked_find(holder, key);
    if (value == NULL) {
        marked_fail(r->file, holder == NULL ? root : holder, true, r->error,
                    "the key \"%s\" is missing", holder == NULL ? map : key);
        return NULL;
    }
    return value->text;
}

static int read_status(struct contract_reading *r, const struct marked *root) {
    const struct marked *status = marked_find(root, "status");
    r->out->status = status->text;
    return strcmp(status->text, "active") == 0 || strcmp(status->text, "deprecated") == 0
               ? 0
               : marked_fail(r->file, status, false, r->error,
                             "a seam stands on a contract that is active or deprecated, not "
                             "\"%.40s\"",
                             status->text);
}

static int read_texts(struct contract_reading *r, const struct marked *root) {
    struct seam_contract *c = r->out;
    const struct marked *name = marked_find(root, "name");
    c->id = marked_find(root, "id")->text;
    c->version = marked_find(root, "version")->text;
    c->name = name == NULL ? c->id : name->text;
    c->owner = text_below(r, root, "team", "name");
    c->about = c->owner == NULL ? NULL : text_below(r, root, "description", "purpose");
    if (c->about == NULL || read_status(r, root) != 0 || read_seam(r, root) != 0) {
        return -1;
    }
    return (c->producer = stated(r, root, "producer")) == NULL ||
                   (c->consumer = stated(r, root, "consumer")) == NULL ||
                   (c->delivery = stated(r, root, "deliveryGuarantee")) == NULL ||
                   (c->idempotent_by = stated(r, root, "consumerIdempotency")) == NULL ||
                   (c->reconciliation = stated(r, root, "reconciliation")) == NULL
               ? -1
               : 0;
}

static int read_contract(struct contract_reading *r) {
    const struct marked *root = marked_yaml_read(r->file, r->memory, r->error);
    if (root == NULL || odcs_shape_check(r->file, root, r->error) != 0 ||
        read_texts(r, root) != 0) {
        return -1;
    }
    if (marked_find(root, "schema") == NULL || marked_find(root, "schema")->count == 0) {
        return marked_fail(r->file, root, false, r->error, "the key \"schema\" is missing");
    }
    bool feed = seam_feed(r->out->seam) != TOPIC_FEED_COUNT;
    return read_slas(r, root) != 0 || (feed && contract_schema_read(r, root) != 0) ||
                   contract_rules_read(r, root) != 0
               ? -1
               : 0;
}

/* ---- A folder ---- */

struct files {
    char **names;
    size_t count, capacity;
};

static void files_release(struct files *files) {
    for (size_t i = 0; i < files->count; i++) {
        free(files->names[i]);
    }
    free(files->names);
}

static bool is_contract(const char *name) {
    static const char *const suffixes[] = {".odcs.yaml", ".odcs.yml", ".odcs.json"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t end = strlen(suffixes[i]);
        if (name[0] != '.' && length > end && strcmp(name + length - end, suffixes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int files_add(struct files *files, const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path == NULL || ARRAY_RESERVE(files->names, files->capacity, files->count + 1) != 0) {
        free(path);
        return -ENOMEM;
    }
    snprintf(path, size, "%s/%s", folder, name);
    files->names[files->count++] = path;
    return 0;
}

static int files_read(const char *folder, struct files *files, struct scenario_error *error) {
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return scenario_error_set(error, "%s: no folder of contracts: %s", folder, strerror(errno));
    }
    int failed = 0;
    for (struct dirent *entry; failed == 0 && (entry = readdir(directory)) != NULL;) {
        failed = is_contract(entry->d_name) ? files_add(files, folder, entry->d_name) : 0;
    }
    closedir(directory);
    if (failed != 0) {
        return scenario_error_memory(error);
    }
    if (files->count > 0) {
        qsort(files->names, files->count, sizeof *files->names, by_bytes);
    }
    return 0;
}

static int take(struct contract_set *set, const struct seam_contract *read,
                struct scenario_error *error) {
    for (int seam = 0; seam < SEAM_COUNT; seam++) {
        const struct seam_contract *other = &set->contracts[seam];
        if (other->id != NULL && strcmp(other->id, read->id) == 0) {
            return scenario_error_set(error, "%s: the id \"%.60s\" is that of %s too", read->file,
                                      read->id, other->file);
        }
    }
    struct seam_contract *place = &set->contracts[read->seam];
    if (place->id != NULL) {
        return scenario_error_set(error, "%s: the seam \"%s\" has its contract in %s", read->file,
                                  seam_name(read->seam), place->file);
    }
    *place = *read;
    return 0;
}

static int complete(const struct contract_set *set, const char *folder,
                    struct scenario_error *error) {
    for (int seam = 0; seam < SEAM_COUNT; seam++) {
        if (set->contracts[seam].id == NULL) {
            return scenario_error_set(error, "%s: the seam \"%s\" has no contract here", folder,
                                      seam_name((enum seam)seam));
        }
    }
    return 0;
}

int contract_file_check(const char *path, struct scenario_error *error) {
    struct scenario_memory memory = {NULL};
    struct seam_contract read = {.id = NULL};
    struct contract_reading r = {.file = path, .memory = &memory, .error = error, .out = &read};
    r.tables = store_tables_new(NULL);
    int failed = r.tables == NULL ? scenario_error_memory(error) : read_contract(&r);
    store_tables_free(r.tables);
    scenario_memory_release(&memory);
    return failed;
}

static int read_files(const struct files *files, struct contract_set *set,
                      struct scenario_memory *memory, struct scenario_error *error) {
    struct contract_reading r = {.memory = memory, .error = error};
    r.tables = store_tables_new(NULL);
    int failed = r.tables == NULL ? scenario_error_memory(error) : 0;
    for (size_t i = 0; failed == 0 && i < files->count; i++) {
        struct seam_contract read = {0};
        r.out = &read;
        r.rule_capacity = 0;
        r.file = contract_textf(&r, "%s", files->names[i]);
        read.file = r.file;
        failed = r.file == NULL || read_contract(&r) != 0 || take(set, &read, error) != 0 ? -1 : 0;
    }
    store_tables_free(r.tables);
    return failed;
}

int contract_set_load(const char *folder, struct contract_set *out, struct scenario_error *error) {
    *out = (struct contract_set){.memory = calloc(1, sizeof(struct scenario_memory))};
    struct files files = {0};
    int failed = out->memory == NULL ? scenario_error_memory(error) : 0;
    if (failed == 0) {
        failed = files_read(folder, &files, error) != 0 ||
                         read_files(&files, out, out->memory, error) != 0 ||
                         complete(out, folder, error) != 0
                     ? -1
                     : 0;
    }
    files_release(&files);
    if (failed != 0) {
        contract_set_release(out);
    }
    return failed;
}

void contract_set_release(struct contract_set *set) {
    if (set->memory != NULL) {
        scenario_memory_release(set->memory);
        free(set->memory);
    }
    *set = (struct contract_set){0};
}
