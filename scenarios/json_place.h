/*
 * Where in a JSON text a value stands. jansson keeps no positions, so the text is walked once more
 * when one is needed: for a message. The text must be valid JSON (jansson has read it).
 */
#ifndef MURPHY_SCENARIOS_JSON_PLACE_H
#define MURPHY_SCENARIOS_JSON_PLACE_H

#include <stdbool.h>
#include <stddef.h>

/* One step into a value: a key of an object, or with key NULL an index of an array. */
struct json_step {
    const char *key; /* not owned */
    size_t index;
};

enum { JSON_PATH_MAX = 16, JSON_PATH_TEXT_SIZE = 200 };
struct json_path {
    struct json_step steps[JSON_PATH_MAX];
    size_t depth;
};

/* One step down, and up again. No deeper than JSON_PATH_MAX. */
void json_path_push(struct json_path *path, const char *key, size_t index);
void json_path_pop(struct json_path *path);
/* As in `faults[1].ratio`; keys of other characters than letters, digits, _ - $ as in `["a b"]`.
 * Cut off when it is too long. */
void json_path_format(const struct json_path *path, char text[JSON_PATH_TEXT_SIZE]);
/*
 * The reverse, for keys of plain characters. Cuts `text` into the keys, which therefore must
 * outlive the path. False when it is no path.
 */
bool json_path_parse(char *text, struct json_path *path);
/* Is `path` at or below `above`? */
bool json_path_within(const struct json_path *path, const struct json_path *above);

struct json_place {
    size_t depth; /* steps of the path that were found */
    size_t key;   /* offset of the key of the last step found; of the value where it has none */
    size_t value; /* offset of the value */
};
/* The value at a path, or the deepest there is on the way to it. */
struct json_place json_place_find(const char *text, size_t length, const struct json_path *path);

/* Line and column, both from 1; a column is a character, not a byte. */
struct json_position {
    size_t line, column;
};
struct json_position json_position_of(const char *text, size_t offset);

/*
 * The token that holds or ends at the offset, in a text that is valid up to there: a string with
 * its quotes, a run of letters, digits and + - . _, or one character. Length 0 at the end.
 */
struct json_token {
    size_t begin, length;
};
struct json_token json_token_at(const char *text, size_t length, size_t offset);

#endif
