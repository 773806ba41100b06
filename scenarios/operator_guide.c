#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>

#include "pipeline/control.h"
#include "scenarios/scenario_schema.h"

static void write_parameters(FILE *out, unsigned parameters) {
    static const struct {
        unsigned bit;
        const char *keys;
    } table[] = {
        {CONTROL_MODEL, "`model`"},
        {CONTROL_FEED, "`feed`"},
        {CONTROL_TEXT, "`text`"},
        {CONTROL_RANGE, "`from`, `to` (may be left out)"},
        {CONTROL_WORKERS, "`worker`, `workers`"},
        {CONTROL_VERSION, "`version`, `forced` (may be left out)"},
        {CONTROL_ROLL, "`worker`, `down` (may be left out)"},
    };
    const char *separator = "";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if ((parameters & table[i].bit) != 0) {
            fprintf(out, "%s%s", separator, table[i].keys);
            separator = ", ";
        }
    }
}

static void write_command(FILE *out, const struct control_about *about) {
    fprintf(out, "| `%s` | %s | ", about->name, about->obeys);
    write_parameters(out, about->parameters);
    fprintf(out, " | %s | %s | %s | %s | `test:%s` |\n", about->about, about->precondition,
            about->crash, about->resumes, about->test);
}

char *operator_guide_text(void) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    fputs("| command | obeyed by | takes | what it does | precondition | a crash in the middle "
          "leaves | how it goes on | shown by |\n|---|---|---|---|---|---|---|---|\n",
          out);
    for (enum control_kind kind = CONTROL_NONE + 1; kind < CONTROL_KIND_END; kind++) {
        const struct control_about *about = control_about(kind);
        if ((about->parameters & CONTROL_ANNOUNCED) == 0) {
            write_command(out, about);
        }
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
