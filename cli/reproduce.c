#include "cli/reproduce.h"

#include <stdio.h>
#include <string.h>

/* Appends as much as there is room for. */
static void append(char *text, size_t size, const char *more) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

/* A word as a shell reads it back: quoted where it would take it apart or change it. */
static void append_word(char *text, size_t size, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./=:,@%+";
    append(text, size, " ");
    if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
        append(text, size, word);
        return;
    }
    append(text, size, "'");
    for (const char *at = word; *at != '\0'; at++) {
        append(text, size, *at == '\'' ? "'\\''" : (char[]){*at, '\0'});
    }
    append(text, size, "'");
}

void reproduce_line(const struct run_words *a, char *text, size_t size) {
    snprintf(text, size, "murphy run");
    append_word(text, size, a->scenario);
    size_t used = strlen(text);
    snprintf(text + used, size - used, " --seed %llu", (unsigned long long)a->seed);
    if (a->bug != NULL) {
        append_word(text, size, "--bug");
        append_word(text, size, a->bug);
    }
    for (size_t i = 0; i < a->setting_count; i++) {
        append_word(text, size, "--set");
        append_word(text, size, a->settings[i].text);
    }
}
