/*
 * A JSON file, read whole: its text, kept for positions, and its value.
 *
 * Errors are one sentence each, with file, line and column: no such file (and which names are near
 * it), a directory, too large, empty, not UTF-8, not JSON, a key twice in one object.
 */
#ifndef MURPHY_SCENARIOS_JSON_SOURCE_H
#define MURPHY_SCENARIOS_JSON_SOURCE_H

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>

#include "scenarios/scenario.h"

/* Larger files are refused. */
enum { JSON_SOURCE_SIZE_MAX = 1 << 20 };

struct json_source {
    const char *path; /* the caller's */
    char *text;
    size_t length;
    json_t *root;
};

/* 0, or -1 with *error filled and nothing held. */
int json_source_read(const char *path, struct json_source *out, struct scenario_error *error);
void json_source_release(struct json_source *source);

/*
 * Fills *error and returns -1. The sentence is held to one line of valid UTF-8 whatever went into
 * it: bytes that are none, and control characters, become '?'.
 */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int scenario_error_set(struct scenario_error *error, const char *format, ...);
int scenario_error_set_v(struct scenario_error *error, const char *format, va_list arguments);
int scenario_error_memory(struct scenario_error *error);

#endif
