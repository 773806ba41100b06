#define _POSIX_C_SOURCE 200809L

#include "scenarios/scenario_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/array.h"
#include "scenarios/json_source.h"
#include "scenarios/nearest.h"

static const char json_suffix[] = ".json";
static const char schema_suffix[] = ".schema.json";

static bool ends_with(const char *text, const char *suffix) {
    size_t length = strlen(text), end = strlen(suffix);
    return length >= end && strcmp(text + length - end, suffix) == 0;
}

static char *join(const char *a, size_t a_length, const char *b, const char *c) {
    size_t size = a_length + strlen(b) + strlen(c) + 1;
    char *text = malloc(size);
    if (text != NULL) {
        snprintf(text, size, "%.*s%s%s", (int)a_length, a, b, c);
    }
    return text;
}

/* ---- Names ---- */

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct scenario_names *names, const char *file) {
    if (file[0] == '.' || !ends_with(file, json_suffix) || ends_with(file, schema_suffix)) {
        return 0;
    }
    if (ARRAY_RESERVE(names->names, names->capacity, names->count + 1) != 0) {
        return -ENOMEM;
    }
    char *name = join(file, strlen(file) - strlen(json_suffix), "", "");
    if (name == NULL) {
        return -ENOMEM;
    }
    names->names[names->count++] = name;
    return 0;
}

int scenario_names_read(const char *directory, struct scenario_names *out,
                        struct scenario_error *error) {
    *out = (struct scenario_names){0};
    DIR *folder = opendir(directory);
    if (folder == NULL) {
        return scenario_error_set(error, "%s: no folder of scenarios: %s", directory,
                                  strerror(errno));
    }
    int failed = 0;
    for (struct dirent *entry; failed == 0 && (entry = readdir(folder)) != NULL;) {
        failed = add_name(out, entry->d_name);
    }
    closedir(folder);
    if (failed != 0) {
        scenario_names_release(out);
        return scenario_error_memory(error);
    }
    if (out->count > 0) {
        qsort(out->names, out->count, sizeof *out->names, by_bytes);
    }
    return 0;
}

void scenario_names_release(struct scenario_names *names) {
    for (size_t i = 0; i < names->count; i++) {
        free(names->names[i]);
    }
    free(names->names);
    *names = (struct scenario_names){0};
}

/* ---- Files ---- */

/* Adds "did you mean" or else all names to a sentence. */
static int missing(const char *sentence, const char *word, const char *directory,
                   struct scenario_error *error) {
    struct scenario_names names;
    struct scenario_error ignored;
    if (scenario_names_read(directory, &names, &ignored) != 0 || names.count == 0) {
        return scenario_error_set(error, "%s", sentence);
    }
    struct nearest nearest = nearest_begin(word);
    char all[300];
    size_t length = 0;
    for (size_t i = 0; i < names.count; i++) {
        nearest_try(&nearest, names.names[i]);
        if (length < sizeof all) {
            length += (size_t)snprintf(all + length, sizeof all - length, "%s%s",
                                       i == 0 ? "" : ", ", names.names[i]);
        }
    }
    if (nearest.best != NULL) {
        scenario_error_set(error, "%s; did you mean \"%s\"?", sentence, nearest.best);
    } else {
        scenario_error_set(error, "%s; there are %s", sentence, all);
    }
    scenario_names_release(&names);
    return -1;
}

static bool is_file(const char *name_or_file) {
    return strchr(name_or_file, '/') != NULL || ends_with(name_or_file, json_suffix);
}

char *scenario_file_find(const char *name_or_file, const char *directory,
                         struct scenario_error *error) {
    bool file = is_file(name_or_file);
    char *path = file ? join(name_or_file, strlen(name_or_file), "", "")
                      : join(directory, strlen(directory), "/", name_or_file);
    if (path != NULL && !file) {
        char *name = path;
        path = join(name, strlen(name), json_suffix, "");
        free(name);
    }
    if (path == NULL) {
        scenario_error_memory(error);
        return NULL;
    }
    if (!file && (name_or_file[0] == '\0' || access(path, F_OK) != 0)) {
        char sentence[200];
        snprintf(sentence, sizeof sentence, "there is no scenario \"%.100s\"", name_or_file);
        missing(sentence, name_or_file, directory, error);
        free(path);
        return NULL;
    }
    return path;
}

int scenario_file_missing(const char *path, struct scenario_error *error) {
    const char *slash = strrchr(path, '/');
    const char *file = slash == NULL ? path : slash + 1;
    char *directory =
        slash == NULL ? join(".", 1, "", "") : join(path, (size_t)(slash - path) + 1, "", "");
    size_t length = strlen(file);
    char *word =
        join(file, ends_with(file, json_suffix) ? length - strlen(json_suffix) : length, "", "");
    char sentence[300];
    snprintf(sentence, sizeof sentence, "%.250s: there is no such file", path);
    if (directory == NULL || word == NULL) {
        scenario_error_memory(error);
    } else {
        missing(sentence, word, directory, error);
    }
    free(directory);
    free(word);
    return -1;
}
