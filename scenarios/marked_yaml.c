#define _POSIX_C_SOURCE 200809L

#include "scenarios/marked_yaml.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "pipeline/utf8.h"

const char *marked_kind_name(enum marked_kind kind) {
    static const char *const names[MARKED_KIND_COUNT] = {
        [MARKED_NULL] = "nothing",      [MARKED_FLAG] = "true or false",
        [MARKED_INTEGER] = "a number",  [MARKED_NUMBER] = "a number with a fraction",
        [MARKED_TEXT] = "a text",       [MARKED_LIST] = "a list",
        [MARKED_MAP] = "a map of keys",
    };
    assert(kind < MARKED_KIND_COUNT);
    return names[kind];
}

const struct marked *marked_find(const struct marked *map, const char *key) {
    if (map == NULL || map->kind != MARKED_MAP) {
        return NULL;
    }
    for (const struct marked *at = map->first; at != NULL; at = at->next) {
        if (strcmp(at->key, key) == 0) {
            return at;
        }
    }
    return NULL;
}

bool marked_is_set(const struct marked *map, const char *key) {
    const struct marked *value = marked_find(map, key);
    return value != NULL && value->flag;
}

/* ---- Errors ---- */

static void path_of(const struct marked *value, struct json_path *path) {
    if (value->parent != NULL) {
        path_of(value->parent, path);
        json_path_push(path, value->key, value->index);
    }
}

int marked_fail(const char *file, const struct marked *value, bool key,
                struct scenario_error *error, const char *format, ...) {
    char sentence[480];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    struct json_path path = {.depth = 0};
    char shown[JSON_PATH_TEXT_SIZE];
    path_of(value, &path);
    json_path_format(&path, shown);
    struct json_position at = key && value->key != NULL ? value->key_at : value->at;
    return scenario_error_set(error, "%s:%zu:%zu: %s%s%s", file, at.line, at.column, shown,
                              shown[0] == '\0' ? "" : ": ", sentence);
}

/* ---- Bytes ---- */

/* The file's text, which the caller frees; NULL with the error set. */
static char *read_text(const char *path, size_t *length, struct scenario_error *error) {
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        scenario_error_set(error, "%s: cannot be opened: %s", path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        scenario_error_set(error, "%s: is no file", path);
    } else if (status.st_size > MARKED_SIZE_MAX) {
        scenario_error_set(error, "%s: is larger than 1 MiB, which no contract is", path);
    } else if ((text = malloc((size_t)status.st_size + 1)) == NULL) {
        scenario_error_memory(error);
    } else {
        *length = fread(text, 1, (size_t)status.st_size, file);
        if (ferror(file)) {
            scenario_error_set(error, "%s: cannot be read: %s", path, strerror(errno));
            free(text);
            text = NULL;
        }
    }
    fclose(file);
    return text;
}

/* libyaml says where only in bytes, and takes other encodings too. */
static int check_bytes(const char *path, const char *text, size_t length,
                       struct scenario_error *error) {
    size_t valid = utf8_valid_prefix((struct bytes){text, length});
    const char *zero = memchr(text, '\0', length);
    size_t at = zero != NULL && (size_t)(zero - text) < valid ? (size_t)(zero - text) : valid;
    if (at == length) {
        return 0;
    }
    struct json_position place = json_position_of(text, at);
    return scenario_error_set(error, "%s:%zu:%zu: the byte 0x%02x %s", path, place.line,
                              place.column, (unsigned char)text[at],
                              text[at] == '\0' ? "has no place in YAML" : "is not UTF-8 here");
}

/* ---- Scalars ---- */

static bool one_of(const char *text, const char *const *words) {
    for (; *words != NULL; words++) {
        if (strcmp(text, *words) == 0) {
            return true;
        }
    }
    return false;
}

static size_t digits_of(const char *text) {
    return strspn(text, "0123456789");
}

/* As YAML's core schema writes a decimal number; *whole when it has neither point nor exponent. */
static bool is_number(const char *text, bool *whole) {
    text += *text == '-' || *text == '+';
    size_t before = digits_of(text), after = 0;
    text += before;
    *whole = *text == '\0';
    if (*text == '.') {
        after = digits_of(++text);
        text += after;
    }
    if (before + after > 0 && (*text == 'e' || *text == 'E')) {
        text++;
        text += *text == '-' || *text == '+';
        size_t exponent = digits_of(text);
        text += exponent;
        return exponent > 0 && *text == '\0';
    }
    return before + after > 0 && *text == '\0';
}

static void resolve(struct marked *value) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    bool whole;
    if (one_of(value->text, nulls)) {
        value->kind = MARKED_NULL;
    } else if (one_of(value->text, trues) || one_of(value->text, falses)) {
        value->kind = MARKED_FLAG;
        value->flag = one_of(value->text, trues);
    } else if (is_number(value->text, &whole)) {
        errno = 0;
        value->integer = whole ? strtoll(value->text, NULL, 10) : 0;
        value->kind = whole && errno == 0 ? MARKED_INTEGER : MARKED_NUMBER;
        value->number = strtod(value->text, NULL);
    }
}

/* ---- The tree ---- */

struct reading {
    const char *path;
    yaml_parser_t parser;
    struct scenario_memory *memory;
    struct scenario_error *error;
    struct marked *open; /* the map or list that is being filled; NULL: none */
    struct marked *root;
    size_t depth;
    const char *key; /* that waits for its value */
    struct json_position key_at;
    bool over;
};

static int refuse(struct reading *r, yaml_mark_t at, const char *sentence) {
    return scenario_error_set(r->error, "%s:%zu:%zu: %s", r->path, at.line + 1, at.column + 1,
                              sentence);
}

static const char *copy_text(struct reading *r, const char *text, size_t length) {
    char *copy = scenario_alloc(r->memory, length + 1);
    if (copy == NULL) {
        scenario_error_memory(r->error);
    } else {
        memcpy(copy, text, length);
    }
    return copy;
}

/* Hangs a value into what is open. */
static int put(struct reading *r, struct marked *value) {
    struct marked *parent = r->open;
    value->parent = parent;
    if (parent == NULL) {
        r->root = value;
        return 0;
    }
    value->key = r->key;
    value->key_at = r->key_at;
    value->index = parent->count++;
    *(parent->last == NULL ? &parent->first : &parent->last->next) = value;
    parent->last = value;
    r->key = NULL;
    return 0;
}

static struct marked *value_new(struct reading *r, const yaml_event_t *event,
                                enum marked_kind kind) {
    struct marked *value = scenario_alloc(r->memory, sizeof *value);
    if (value == NULL) {
        scenario_error_memory(r->error);
        return NULL;
    }
    value->kind = kind;
    value->at = (struct json_position){event->start_mark.line + 1, event->start_mark.column + 1};
    return value;
}

static bool wants_key(const struct reading *r) {
    return r->open != NULL && r->open->kind == MARKED_MAP && r->key == NULL;
}

static int take_key(struct reading *r, const yaml_event_t *event) {
    const char *key = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    char sentence[160];
    if (strcmp(key, "<<") == 0) {
        return refuse(r, event->start_mark, "merge keys are not read: write it out");
    }
    if (strlen(key) != length) {
        return refuse(r, event->start_mark, "a key holds \\0, which ends texts elsewhere");
    }
    if (marked_find(r->open, key) != NULL) {
        snprintf(sentence, sizeof sentence, "the key \"%.60s\" stands twice in one map", key);
        return refuse(r, event->start_mark, sentence);
    }
    r->key = copy_text(r, key, length);
    r->key_at = (struct json_position){event->start_mark.line + 1, event->start_mark.column + 1};
    return r->key == NULL ? -1 : 0;
}

static int take_scalar(struct reading *r, const yaml_event_t *event) {
    if (wants_key(r)) {
        return take_key(r, event);
    }
    struct marked *value = value_new(r, event, MARKED_TEXT);
    if (value == NULL) {
        return -1;
    }
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        return refuse(r, event->start_mark, "a text holds \\0, which ends texts elsewhere");
    }
    value->text = copy_text(r, text, event->data.scalar.length);
    if (value->text == NULL) {
        return -1;
    }
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        resolve(value);
    }
    return put(r, value);
}

static int take_start(struct reading *r, const yaml_event_t *event, enum marked_kind kind) {
    if (wants_key(r)) {
        return refuse(r, event->start_mark, "a key is a text");
    }
    if (r->depth == MARKED_DEPTH_MAX) {
        return refuse(r, event->start_mark, "nested deeper than any contract");
    }
    struct marked *value = value_new(r, event, kind);
    if (value == NULL || put(r, value) != 0) {
        return -1;
    }
    r->depth++;
    r->open = value;
    return 0;
}

static void take_end(struct reading *r) {
    r->open = (struct marked *)r->open->parent;
    r->depth--;
}

/* What a value is given beside its content, and may not be. */
static const char *ornament(const yaml_event_t *event) {
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    case YAML_ALIAS_EVENT:
        return "aliases are not read: write it out";
    default:
        break;
    }
    return anchor != NULL ? "anchors are not read: write it out"
           : tag != NULL  ? "tags are not read"
                          : NULL;
}

static int take(struct reading *r, const yaml_event_t *event) {
    const char *refused = ornament(event);
    if (refused != NULL) {
        return refuse(r, event->start_mark, refused);
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return r->root == NULL ? 0
                               : refuse(r, event->start_mark,
                                        "a second document begins here: a "
                                        "file holds one contract");
    case YAML_SCALAR_EVENT:
        return take_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return take_start(r, event, MARKED_LIST);
    case YAML_MAPPING_START_EVENT:
        return take_start(r, event, MARKED_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        take_end(r);
        return 0;
    case YAML_STREAM_END_EVENT:
        r->over = true;
        return 0;
    default:
        return 0;
    }
}

/* The scanner's complaint; where it tells what it was reading, that comes first. */
static int not_yaml(struct reading *r) {
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        return scenario_error_memory(r->error);
    }
    const char *problem = p->problem == NULL ? "it cannot be read" : p->problem;
    return scenario_error_set(r->error, "%s:%zu:%zu: not YAML: %s%s%s", r->path,
                              p->problem_mark.line + 1, p->problem_mark.column + 1,
                              p->context == NULL ? "" : p->context, p->context == NULL ? "" : ": ",
                              problem);
}

static int parse(struct reading *r) {
    int failed = 0;
    while (!r->over && failed == 0) {
        yaml_event_t event;
        if (yaml_parser_parse(&r->parser, &event) == 0) {
            return not_yaml(r);
        }
        failed = take(r, &event);
        yaml_event_delete(&event);
    }
    return failed;
}

const struct marked *marked_yaml_read(const char *path, struct scenario_memory *memory,
                                      struct scenario_error *error) {
    size_t length = 0;
    char *text = read_text(path, &length, error);
    if (text == NULL) {
        return NULL;
    }
    struct reading r = {.path = path, .memory = memory, .error = error};
    text[length] = '\0';
    int failed = check_bytes(path, text, length, error);
    if (failed == 0 && yaml_parser_initialize(&r.parser) == 0) {
        failed = scenario_error_memory(error);
    } else if (failed == 0) {
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
        failed = parse(&r);
        yaml_parser_delete(&r.parser);
    }
    if (failed == 0 && r.root == NULL) {
        failed = scenario_error_set(error, "%s:1:1: is empty; a contract is a map of keys", path);
    }
    free(text);
    return failed == 0 ? r.root : NULL;
}
