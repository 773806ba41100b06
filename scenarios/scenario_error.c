#include <stdio.h>
#include <string.h>

#include "pipeline/utf8.h"
#include "scenarios/json_source.h"

/* One line of valid UTF-8, whatever names and values of others it quotes. */
static void clean(char *text) {
    size_t length = strlen(text), at = 0;
    while (at < length) {
        at += utf8_valid_prefix((struct bytes){text + at, length - at});
        if (at < length) {
            text[at] = '?';
        }
    }
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

int scenario_error_set_v(struct scenario_error *error, const char *format, va_list arguments) {
    size_t size = sizeof error->text;
    int length = vsnprintf(error->text, size, format, arguments);
    if (length < 0) {
        error->text[0] = '\0';
    } else if ((size_t)length >= size) {
        size_t kept = size - sizeof "...";
        while (((unsigned char)error->text[kept] & 0xc0) == 0x80) {
            kept--; /* a character goes as a whole */
        }
        strcpy(error->text + kept, "...");
    }
    clean(error->text);
    return -1;
}

int scenario_error_set(struct scenario_error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    scenario_error_set_v(error, format, arguments);
    va_end(arguments);
    return -1;
}

int scenario_error_memory(struct scenario_error *error) {
    return scenario_error_set(error, "out of memory while reading a scenario");
}
