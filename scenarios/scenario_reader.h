/*
 * Reads a scenario's JSON into a struct draft by the table of keys, and says of anything that is
 * wrong where it stands.
 */
#ifndef MURPHY_SCENARIOS_SCENARIO_READER_H
#define MURPHY_SCENARIOS_SCENARIO_READER_H

#include <jansson.h>
#include <stddef.h>

#include "scenarios/json_place.h"
#include "scenarios/json_source.h"
#include "scenarios/scenario.h"
#include "scenarios/scenario_keys.h"

/* Memory of one scenario: blocks, released together. */
struct scenario_memory {
    struct scenario_block *blocks;
};
/* Zeroed, aligned for any type; NULL when out of memory. */
void *scenario_alloc(struct scenario_memory *memory, size_t size);
void scenario_memory_release(struct scenario_memory *memory);

/* A PATH=VALUE, taken apart. */
struct setting {
    const char *text; /* the caller's */
    struct json_path path;
};

struct reader {
    const struct json_source *source;
    struct setting *settings;
    size_t setting_count;
    struct scenario_memory *memory;
    struct scenario_error *error;
    struct json_path path; /* of what is being read */
};

/* Puts the settings into source->root. `texts` are cut into paths and must live as long as the
 * reader. 0 or -1 with the error set. */
int scenario_settings_apply(struct reader *r, const struct scenario_setting *given, size_t count);

/* Fills the draft from source->root. 0 or -1 with the error set. */
int reader_read(struct reader *r, struct draft *draft);

/* What no single key can tell: rules between keys. 0 or -1 with the error set. */
int scenario_check(struct reader *r, const struct draft *draft);

/* Which part of the value at a path a message is about. */
enum place_part { PLACE_KEY, PLACE_VALUE };

/* Sets the error: place, path, sentence. Returns -1. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
int reader_fail(struct reader *r, const struct json_path *path, enum place_part part,
                const char *format, ...);

/* The setting that gave the value at the path, or NULL: it stands in the file. */
const struct setting *reader_setting(const struct reader *r, const struct json_path *path);

#endif
