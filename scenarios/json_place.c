#include "scenarios/json_place.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct cursor {
    const char *text;
    size_t length;
    size_t at;
};

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '+' || c == '.' || c == '$';
}

static bool at_end(const struct cursor *c) {
    return c->at >= c->length;
}

static void skip_space(struct cursor *c) {
    while (!at_end(c) && is_space(c->text[c->at])) {
        c->at++;
    }
}

/* Past the closing quote, or to the end. */
static void skip_string(struct cursor *c) {
    c->at++;
    while (!at_end(c) && c->text[c->at] != '"') {
        c->at += c->text[c->at] == '\\' ? 2 : 1;
    }
    c->at = at_end(c) ? c->length : c->at + 1;
}

static void skip_token(struct cursor *c) {
    if (c->text[c->at] == '"') {
        skip_string(c);
        return;
    }
    size_t begin = c->at;
    while (!at_end(c) && is_word(c->text[c->at])) {
        c->at++;
    }
    if (c->at == begin) {
        c->at++;
    }
}

/* Past a whole value, however deep. */
static void skip_value(struct cursor *c) {
    size_t depth = 0;
    do {
        skip_space(c);
        if (at_end(c)) {
            return;
        }
        char first = c->text[c->at];
        depth += first == '{' || first == '[';
        depth -= first == '}' || first == ']';
        skip_token(c);
    } while (depth > 0);
}

/* ---- Paths ---- */

static bool is_plain(const char *key) {
    for (const char *c = key; *c != '\0'; c++) {
        if (!is_word(*c) || *c == '.' || *c == '+') {
            return false;
        }
    }
    return *key != '\0';
}

void json_path_format(const struct json_path *path, char text[JSON_PATH_TEXT_SIZE]) {
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < path->depth && length < JSON_PATH_TEXT_SIZE; i++) {
        const struct json_step *step = &path->steps[i];
        char *at = text + length;
        size_t size = JSON_PATH_TEXT_SIZE - length;
        if (step->key == NULL) {
            length += (size_t)snprintf(at, size, "[%zu]", step->index);
        } else if (is_plain(step->key)) {
            length += (size_t)snprintf(at, size, "%s%s", i == 0 ? "" : ".", step->key);
        } else {
            length += (size_t)snprintf(at, size, "[\"%.60s\"]", step->key);
        }
    }
}

/* An index in brackets, at most 6 digits; NULL when there is none, else behind it. */
static char *parse_index(char *at, struct json_step *step) {
    size_t digits = 0;
    *step = (struct json_step){NULL, 0};
    for (at++; *at >= '0' && *at <= '9' && digits < 7; at++, digits++) {
        step->index = step->index * 10 + (size_t)(*at - '0');
    }
    return digits > 0 && digits < 7 && *at == ']' ? at + 1 : NULL;
}

bool json_path_parse(char *text, struct json_path *path) {
    char *at = text;
    bool key_next = true;
    path->depth = 0;
    do {
        if (path->depth == JSON_PATH_MAX) {
            return false;
        }
        struct json_step *step = &path->steps[path->depth++];
        if (key_next) {
            *step = (struct json_step){at, 0};
            while (is_word(*at) && *at != '.') {
                at++;
            }
            if (at == step->key) {
                return false;
            }
        } else {
            /* The key before it ends here. */
            char *bracket = at;
            at = parse_index(at, step);
            *bracket = '\0';
            if (at == NULL) {
                return false;
            }
        }
        key_next = *at == '.';
        if (key_next) {
            *at++ = '\0';
        } else if (*at != '[' && *at != '\0') {
            return false;
        }
    } while (key_next || *at != '\0');
    return true;
}

void json_path_push(struct json_path *path, const char *key, size_t index) {
    assert(path->depth < JSON_PATH_MAX);
    path->steps[path->depth++] = (struct json_step){key, index};
}

void json_path_pop(struct json_path *path) {
    assert(path->depth > 0);
    path->depth--;
}

bool json_path_within(const struct json_path *path, const struct json_path *above) {
    if (path->depth < above->depth) {
        return false;
    }
    for (size_t i = 0; i < above->depth; i++) {
        const struct json_step *a = &path->steps[i], *b = &above->steps[i];
        bool same = (a->key == NULL) == (b->key == NULL) &&
                    (a->key == NULL ? a->index == b->index : strcmp(a->key, b->key) == 0);
        if (!same) {
            return false;
        }
    }
    return true;
}

/* ---- Finding ---- */

/* Is the string of the text, quotes and escapes and all, that key? */
static bool string_is(const char *text, size_t length, const char *key) {
    if (memchr(text, '\\', length) == NULL) {
        return strlen(key) == length - 2 && memcmp(text + 1, key, length - 2) == 0;
    }
    json_t *decoded = json_loadb(text, length, JSON_DECODE_ANY, NULL);
    bool same = decoded != NULL && strcmp(json_string_value(decoded), key) == 0;
    json_decref(decoded);
    return same;
}

/* Moves from the '{' to the value of the key; *key_at is where the key stands. */
static bool enter_member(struct cursor *c, const char *key, size_t *key_at) {
    do {
        c->at++; /* { or , */
        skip_space(c);
        if (at_end(c) || c->text[c->at] != '"') {
            return false;
        }
        *key_at = c->at;
        skip_string(c);
        bool found = string_is(c->text + *key_at, c->at - *key_at, key);
        skip_space(c);
        c->at++; /* : */
        skip_space(c);
        if (found) {
            return true;
        }
        skip_value(c);
        skip_space(c);
    } while (!at_end(c) && c->text[c->at] == ',');
    return false;
}

/* Moves from the '[' to the element. */
static bool enter_element(struct cursor *c, size_t index) {
    for (size_t i = 0;; i++) {
        c->at++; /* [ or , */
        skip_space(c);
        if (at_end(c) || c->text[c->at] == ']') {
            return false;
        }
        if (i == index) {
            return true;
        }
        skip_value(c);
        skip_space(c);
        if (at_end(c) || c->text[c->at] != ',') {
            return false;
        }
    }
}

struct json_place json_place_find(const char *text, size_t length, const struct json_path *path) {
    struct cursor c = {text, length, 0};
    skip_space(&c);
    struct json_place place = {.key = c.at, .value = c.at};
    while (place.depth < path->depth && !at_end(&c)) {
        const struct json_step *step = &path->steps[place.depth];
        size_t key_at = 0;
        bool found = step->key != NULL ? text[c.at] == '{' && enter_member(&c, step->key, &key_at)
                                       : text[c.at] == '[' && enter_element(&c, step->index);
        if (!found) {
            break;
        }
        place.depth++;
        place.value = c.at;
        place.key = step->key != NULL ? key_at : c.at;
    }
    return place;
}

struct json_position json_position_of(const char *text, size_t offset) {
    struct json_position position = {1, 1};
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            position.line++;
            position.column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            position.column++;
        }
    }
    return position;
}

struct json_token json_token_at(const char *text, size_t length, size_t offset) {
    struct cursor c = {text, length, 0};
    size_t begin;
    do {
        skip_space(&c);
        begin = c.at;
        if (at_end(&c)) {
            break;
        }
        skip_token(&c);
    } while (c.at < offset);
    return (struct json_token){begin, c.at - begin};
}
