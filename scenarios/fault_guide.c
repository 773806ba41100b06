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

/* Scenarios that fail without the kind's protection, with the bug that takes it away. */
static void write_shown(FILE *out, enum fault_kind kind, const struct scenario_list *list) {
    const char *between = "";
    for (size_t i = 0; i < list->count; i++) {
        for (int bug = 0; bug < BUG_COUNT; bug++) {
            if (scenario_entry_shows(&list->entries[i], kind, (enum bug_id)bug)) {
                fprintf(out, "%s`%s` (%s)", between, list->entries[i].name, bug_table()[bug].name);
                between = ", ";
            }
        }
    }
}

static void write_kind(FILE *out, enum fault_kind kind, const struct scenario_list *list) {
    const struct fault_about *about = &fault_table()[kind];
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
    fputs(" | ", out);
    write_shown(out, kind, list);
    fprintf(out, " | %s |\n", about->no_swarm[0] == '\0' ? "yes" : about->no_swarm);
}

/* What write() makes, allocated; NULL when out of memory. */
static char *text_of(void (*write)(FILE *out, const struct scenario_list *list),
                     const struct scenario_list *list) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    write(out, list);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static void write_kinds(FILE *out, const struct scenario_list *list) {
    fputs("| kind | strikes | takes | what it does | what it models [source] | survivable | "
          "noticed by, when the protection is missing | bugs that take it away | shown by | in the "
          "swarm |\n"
          "|---|---|---|---|---|---|---|---|---|---|\n",
          out);
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        write_kind(out, (enum fault_kind)i, list);
    }
}

char *fault_guide_text(const struct scenario_list *list) {
    return text_of(write_kinds, list);
}

static void write_states(FILE *out, const struct scenario_list *list) {
    (void)list;
    fputs("| state | holds while |\n|---|---|\n", out);
    for (int i = 0; i < PIPELINE_STATE_COUNT; i++) {
        fprintf(out, "| `%s` | %s |\n", pipeline_state_table()[i].name,
                pipeline_state_table()[i].about);
    }
}

char *state_guide_text(void) {
    return text_of(write_states, NULL);
}

static void write_impossible(FILE *out, const struct scenario_list *list) {
    (void)list;
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
    return text_of(write_impossible, NULL);
}
