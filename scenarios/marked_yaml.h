/*
 * A YAML file, read whole into a tree in which every value knows where it stands. JSON is read too,
 * being YAML.
 *
 * Read are maps with text keys, lists and scalars of YAML 1.2's core schema: null, true, false,
 * whole numbers, decimal numbers; everything else, and whatever is quoted, is text. Refused are
 * anchors, aliases, tags, merge keys, further documents, a key twice in one map, nesting deeper
 * than 16 and files of more than 1 MiB: no contract needs them, and each hides what is in force.
 *
 * Errors are one sentence each with file, line and column (D12).
 */
#ifndef MURPHY_SCENARIOS_MARKED_YAML_H
#define MURPHY_SCENARIOS_MARKED_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenarios/json_place.h"
#include "scenarios/scenario.h"
#include "scenarios/scenario_reader.h"

enum { MARKED_SIZE_MAX = 1 << 20, MARKED_DEPTH_MAX = JSON_PATH_MAX };

enum marked_kind {
    MARKED_NULL,
    MARKED_FLAG,
    MARKED_INTEGER,
    MARKED_NUMBER, /* with a fraction, or too large for an integer */
    MARKED_TEXT,
    MARKED_LIST,
    MARKED_MAP,
    MARKED_KIND_COUNT
};
/* "a text", "a list", ... */
const char *marked_kind_name(enum marked_kind kind);

struct marked {
    enum marked_kind kind;
    struct json_position at;
    const char *key; /* in a map; else NULL */
    struct json_position key_at;
    const char *text; /* of a scalar: as it is written, without quotes */
    bool flag;
    int64_t integer;
    double number; /* of INTEGER and NUMBER */
    const struct marked *parent;
    size_t index;         /* in the parent */
    struct marked *first; /* of LIST and MAP, in the order of the file */
    struct marked *last;
    struct marked *next;
    size_t count;
};

/* The tree, in `memory`; NULL with *error filled. */
const struct marked *marked_yaml_read(const char *path, struct scenario_memory *memory,
                                      struct scenario_error *error);

/* What a map holds under a key; NULL: nothing, or no map. */
const struct marked *marked_find(const struct marked *map, const char *key);

/* Does a map hold `true` under a key? */
bool marked_is_set(const struct marked *map, const char *key);

/* Sets the error: file, line, column, path, sentence; about the value, or with `key` about the key
 * that it stands under. Returns -1. */
#if defined(__GNUC__)
__attribute__((format(printf, 5, 6)))
#endif
int marked_fail(const char *file, const struct marked *value, bool key,
                struct scenario_error *error, const char *format, ...);

#endif
