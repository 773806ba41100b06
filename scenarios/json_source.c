#define _POSIX_C_SOURCE 200809L

#include "scenarios/json_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/utf8.h"
#include "scenarios/json_place.h"
#include "scenarios/scenario_files.h"

/* Longest token that a message shows. */
enum { TOKEN_SHOWN_MAX = 24 };

/* ---- Reading ---- */

static int read_all(FILE *file, struct json_source *source, struct scenario_error *error) {
    size_t size = JSON_SOURCE_SIZE_MAX;
    source->text = malloc(size + 1);
    if (source->text == NULL) {
        return scenario_error_memory(error);
    }
    source->length = fread(source->text, 1, size + 1, file);
    if (ferror(file)) {
        return scenario_error_set(error, "%s: cannot be read: %s", source->path, strerror(errno));
    }
    if (source->length > size) {
        return scenario_error_set(error, "%s: is larger than 1 MiB, which no scenario is",
                                  source->path);
    }
    source->text[source->length] = '\0';
    return 0;
}

static int read_file(struct json_source *source, struct scenario_error *error) {
    struct stat status;
    FILE *file = fopen(source->path, "rb");
    if (file == NULL) {
        int cause = errno;
        return cause == ENOENT ? scenario_file_missing(source->path, error)
                               : scenario_error_set(error, "%s: cannot be opened: %s", source->path,
                                                    strerror(cause));
    }
    int failed = -1;
    if (fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode)) {
        scenario_error_set(error, "%s: is a directory, not a scenario file", source->path);
    } else {
        failed = read_all(file, source, error);
    }
    fclose(file);
    return failed;
}

/* ---- What is wrong with the text ---- */

static int fail_at(const struct json_source *source, size_t offset, struct scenario_error *error,
                   const char *sentence) {
    struct json_position position = json_position_of(source->text, offset);
    return scenario_error_set(error, "%s:%zu:%zu: %s", source->path, position.line, position.column,
                              sentence);
}

/* The token for people; "the end of the file" when there is none. */
static void show_token(const struct json_source *source, struct json_token token,
                       char text[TOKEN_SHOWN_MAX + 16]) {
    const char *begin = source->text + token.begin;
    size_t length = token.length;
    if (length == 0) {
        snprintf(text, TOKEN_SHOWN_MAX + 16, "the end of the file");
        return;
    }
    length = strcspn(begin, "\n") < length ? strcspn(begin, "\n") : length;
    /* A character of several bytes is shown whole. */
    while (begin[length] != '\0' && ((unsigned char)begin[length] & 0xc0) == 0x80) {
        length++;
    }
    const char *more = "";
    if (length > TOKEN_SHOWN_MAX) {
        for (length = TOKEN_SHOWN_MAX; ((unsigned char)begin[length] & 0xc0) == 0x80;) {
            length--;
        }
        more = "...";
    }
    snprintf(text, TOKEN_SHOWN_MAX + 16, "%.*s%s", (int)length, begin, more);
}

static bool token_is(const struct json_source *source, struct json_token token, const char *word) {
    return token.length == strlen(word) &&
           memcmp(source->text + token.begin, word, token.length) == 0;
}

/* The last character before the token that is no space; '\0' at the beginning. */
static char before(const struct json_source *source, struct json_token token) {
    for (size_t i = token.begin; i > 0; i--) {
        if (strchr(" \t\r\n", source->text[i - 1]) == NULL) {
            return source->text[i - 1];
        }
    }
    return '\0';
}

/* A string that a line break or the end of the file cuts off. */
static bool is_open_string(const struct json_source *source, struct json_token token) {
    const char *begin = source->text + token.begin;
    if (token.length == 0 || *begin != '"') {
        return false;
    }
    bool closed = token.length > 1 && begin[token.length - 1] == '"';
    return !closed || memchr(begin, '\n', token.length) != NULL;
}

/* A hint for mistakes that are often made; NULL when there is none. */
static const char *usual_mistake(const struct json_source *source, struct json_token token) {
    static const char *const not_numbers[] = {"NaN", "-NaN", "nan", "Infinity", "-Infinity"};
    for (size_t i = 0; i < sizeof not_numbers / sizeof *not_numbers; i++) {
        if (token_is(source, token, not_numbers[i])) {
            return "is no JSON number";
        }
    }
    if (is_open_string(source, token)) {
        return "begins a string without a closing quote in its line";
    }
    char first = token.length > 0 ? source->text[token.begin] : '\0';
    if ((first == '}' || first == ']') && before(source, token) == ',') {
        return "follows a comma that is one too many";
    }
    if (first == '\'') {
        return "begins no string: JSON has double quotes only";
    }
    if (first == '/' || first == '#') {
        return "begins no comment: JSON has none; give a key \"comment\"";
    }
    return NULL;
}

/* jansson's "X expected near 'Y'" as "expected X, found Y". */
static void expectation(const char *theirs, const char *shown, char *sentence, size_t size) {
    const char *end = strstr(theirs, " expected");
    if (strncmp(theirs, "string or '}'", strlen("string or '}'")) == 0) {
        snprintf(sentence, size, "not JSON: expected a key in double quotes or '}', found %s",
                 shown);
    } else if (end != NULL) {
        snprintf(sentence, size, "not JSON: expected %.*s, found %s", (int)(end - theirs), theirs,
                 shown);
    } else if (strstr(theirs, "escape") != NULL || strstr(theirs, "Unicode") != NULL) {
        snprintf(sentence, size, "not JSON: %s holds an escape that stands for no character",
                 shown);
    } else if (strstr(theirs, "control character") != NULL) {
        snprintf(sentence, size, "not JSON: %s holds a control character", shown);
    } else {
        snprintf(sentence, size, "not JSON: expected a value, found %s", shown);
    }
}

static int not_json(const struct json_source *source, const json_error_t *theirs,
                    struct scenario_error *error) {
    struct json_token token =
        strstr(theirs->text, "near end of file") != NULL
            ? (struct json_token){source->length, 0}
            : json_token_at(source->text, source->length, (size_t)theirs->position);
    char shown[TOKEN_SHOWN_MAX + 16];
    char sentence[256];
    show_token(source, token, shown);
    const char *mistake = usual_mistake(source, token);
    if (theirs->text[0] == '\0' || json_error_code(theirs) == json_error_out_of_memory) {
        return scenario_error_memory(error); /* of which jansson says nothing */
    }
    switch (json_error_code(theirs)) {
    case json_error_duplicate_key:
        snprintf(sentence, sizeof sentence, "the key %s stands twice in one object", shown);
        break;
    case json_error_numeric_overflow:
        snprintf(sentence, sizeof sentence, "the number %s is too large", shown);
        break;
    case json_error_stack_overflow:
        snprintf(sentence, sizeof sentence, "nested deeper than any scenario");
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        snprintf(sentence, sizeof sentence, "%s holds \\u0000, which ends texts elsewhere", shown);
        break;
    case json_error_end_of_input_expected:
        snprintf(sentence, sizeof sentence, "not JSON: %s stands behind the end of the scenario",
                 shown);
        break;
    default:
        if (mistake != NULL) {
            snprintf(sentence, sizeof sentence, "not JSON: %s %s", shown, mistake);
        } else {
            expectation(theirs->text, shown, sentence, sizeof sentence);
        }
    }
    return fail_at(source, token.begin, error, sentence);
}

/* What jansson need not see to refuse it. */
static int check_text(const struct json_source *source, struct scenario_error *error) {
    if (source->length >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0) {
        return fail_at(source, 0, error,
                       "begins with a byte order mark; save it as UTF-8 without one");
    }
    size_t valid = utf8_valid_prefix((struct bytes){source->text, source->length});
    if (valid < source->length) {
        unsigned byte = (unsigned char)source->text[valid];
        char sentence[64];
        snprintf(sentence, sizeof sentence, "the byte 0x%02x %s", byte,
                 byte == 0 ? "has no place in JSON" : "is not UTF-8 here");
        return fail_at(source, valid, error, sentence);
    }
    if (strspn(source->text, " \t\r\n") == source->length) {
        return fail_at(source, 0, error, "is empty; a scenario is a JSON object");
    }
    return 0;
}

static int parse(struct json_source *source, struct scenario_error *error) {
    json_error_t theirs;
    source->root =
        json_loadb(source->text, source->length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &theirs);
    return source->root == NULL ? not_json(source, &theirs, error) : 0;
}

int json_source_read(const char *path, struct json_source *out, struct scenario_error *error) {
    *out = (struct json_source){.path = path};
    if (read_file(out, error) != 0 || check_text(out, error) != 0 || parse(out, error) != 0) {
        json_source_release(out);
        return -1;
    }
    return 0;
}

void json_source_release(struct json_source *source) {
    json_decref(source->root);
    free(source->text);
    *source = (struct json_source){0};
}
