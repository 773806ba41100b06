#define _POSIX_C_SOURCE 200809L

#include "scenarios/fault_guide.h"

#include <stdlib.h>
#include <string.h>

#include "faults/faults.h"
#include "faults/pipeline_states.h"

void fault_guide_parameters(FILE *out, unsigned bits) {
    const char *between = "";
    const char *name;
    unsigned bit;
    for (size_t i = 0; (name = fault_parameter_name(i, &bit)) != NULL; i++) {
        if ((bits & bit) != 0) {
            fprintf(out, "%s`%s`", between, name);
            between = ", ";
        }
    }
}

/* Names with a blank between, each as code. */
static void write_names(FILE *out, const char *names) {
    for (const char *between = ""; *names != '\0'; between = ", ") {
        size_t length = strcspn(names, " ");
        fprintf(out, "%s`%.*s`", between, (int)length, names);
        names += length + strspn(names + length, " ");
    }
}

static void write_kind(FILE *out, const struct fault_about *about) {
    char places[FAULT_PLACES_TEXT];
    fault_places_text(about->places, ", ", places);
    fprintf(out, "| `%s` | %s | ", about->name, places);
    fault_guide_parameters(out, about->required | about->optional);
    fprintf(out, " | %s | %s | %s%s%s | ", about->about, about->models,
            fault_survival_name(about->survival), about->bounds[0] == '\0' ? "" : ": ",
            about->bounds);
    write_names(out, about->checks);
    fputs(" | ", out);
    write_names(out, about->bugs);
    fprintf(out, " | %s |\n", about->no_swarm[0] == '\0' ? "yes" : about->no_swarm);
}

/* What write() makes, allocated; NULL when out of memory. */
static char *text_of(void (*write)(FILE *out)) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    write(out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static void write_kinds(FILE *out) {
    fputs("| kind | strikes | takes | what it does | what it models [source] | survivable | "
          "noticed by, when the protection is missing | bugs that take it away | in the swarm |\n"
          "|---|---|---|---|---|---|---|---|---|\n",
          out);
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        write_kind(out, &fault_table()[i]);
    }
}

char *fault_guide_text(void) {
    return text_of(write_kinds);
}

static void write_states(FILE *out) {
    fputs("| state | holds while |\n|---|---|\n", out);
    for (int i = 0; i < PIPELINE_STATE_COUNT; i++) {
        fprintf(out, "| `%s` | %s |\n", pipeline_state_table()[i].name,
                pipeline_state_table()[i].about);
    }
}

char *state_guide_text(void) {
    return text_of(write_states);
}

static void write_impossible(FILE *out) {
    fputs("| kind | state | why |\n|---|---|---|\n", out);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        for (int i = 0; i < PIPELINE_STATE_COUNT; i++) {
            const char *reason = pipeline_state_impossible(kind, i);
            if (reason != NULL) {
                fprintf(out, "| `%s` | `%s` | %s |\n", fault_table()[kind].name,
                        pipeline_state_table()[i].name, reason);
            }
        }
    }
}

char *impossible_guide_text(void) {
    return text_of(write_impossible);
}
