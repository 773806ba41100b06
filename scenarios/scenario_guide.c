#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/fault_guide.h"
#include "scenarios/quantity.h"
#include "scenarios/scenario_keys.h"
#include "scenarios/scenario_schema.h"

static void write_names(FILE *out, enum name_set set) {
    const char *name;
    int value;
    for (size_t i = 0; (name = name_set_item(set, i, &value)) != NULL; i++) {
        fprintf(out, "%s`%s`", i == 0 ? "" : ", ", name);
    }
}

static void write_type(FILE *out, const struct key *key) {
    char low[DURATION_TEXT_SIZE], high[DURATION_TEXT_SIZE];
    switch (key->type) {
    case TAKES_IGNORED:
    case TAKES_TEXT:
    case TAKES_FILE:
        fprintf(out, "%s", key->type == TAKES_FILE ? "a file" : "text");
        break;
    case TAKES_FLAG:
    case TAKES_FLAG_OFF:
        fputs("true, false", out);
        break;
    case TAKES_COUNT32:
    case TAKES_COUNT64:
        fprintf(out, "%lld to %lld", (long long)key->min, (long long)key->max);
        break;
    case TAKES_DURATION:
        quantity_duration_format(key->min, low);
        quantity_duration_format(key->max, high);
        fprintf(out, "time, %s to %s", low, high);
        break;
    case TAKES_MOMENT:
        fputs("moment", out);
        break;
    case TAKES_SHARE:
    case TAKES_SHARE_PPM:
    case TAKES_PERCENT:
        fprintf(out, "%s", key->min > 0 ? "share above 0" : "share");
        break;
    case TAKES_NAME:
    case TAKES_NAME_STATIC:
        write_names(out, key->names);
        break;
    case TAKES_OBJECT:
        fputs("an object", out);
        break;
    case TAKES_LIST:
        fputs("a list of: ", out);
        write_type(out, key->element);
        break;
    }
    fputs(key->may_be_off ? ", `\"off\"`" : "", out);
}

/* "`replay` only: " and the like. */
static void write_kinds(FILE *out, const struct section *section, const struct key *key) {
    const char *name;
    int kind;
    for (size_t i = 0; (name = name_set_item(section->keys[0].names, i, &kind)) != NULL; i++) {
        if (section->use(kind, key->use) != KEY_REFUSED) {
            fprintf(out, "`%s` only: ", name);
        }
    }
}

static void write_row(FILE *out, const struct section *section, const struct key *key) {
    fprintf(out, "| `%s` | ", key->name);
    write_type(out, key);
    fputs(" | ", out);
    bool by_kind = section->use != NULL && key->use != 0;
    if (key->fallback != NULL) {
        fprintf(out, "`%s`", key->fallback);
    } else if (key->required) {
        fputs("required", out);
    } else if (by_kind && section->keys[0].names == NAMES_FAULT_KINDS) {
        fputs("by kind", out);
    }
    fputs(" | ", out);
    if (by_kind && section->keys[0].names == NAMES_WORKLOAD_KINDS) {
        write_kinds(out, section, key);
    }
    fprintf(out, "%s |\n", key->about);
}

/* The section's table, then those of the objects in it. */
static void write_section(FILE *out, const struct section *section, const char *path) {
    bool lower = section->about[0] >= 'a' && section->about[0] <= 'z';
    fprintf(out, "### %s\n\n%c%s.\n\n| key | takes | default | meaning |\n|---|---|---|---|\n",
            path[0] == '\0' ? "The scenario" : path,
            lower ? section->about[0] - 'a' + 'A' : section->about[0], section->about + 1);
    for (size_t i = 0; i < section->key_count; i++) {
        write_row(out, section, &section->keys[i]);
    }
    fputc('\n', out);
    const struct section *written = NULL;
    for (size_t i = 0; i < section->key_count; i++) {
        const struct key *key = &section->keys[i];
        bool list = key->type == TAKES_LIST;
        const struct section *inner = list ? key->element->section : key->section;
        if (inner == NULL || inner == written) {
            continue;
        }
        /* Feeds share one table. */
        bool shared = i + 1 < section->key_count && section->keys[i + 1].section == inner;
        char below[100];
        snprintf(below, sizeof below, "%s%s%s%s", path, path[0] == '\0' ? "" : ".",
                 shared ? "FEED" : key->name, list ? "[]" : "");
        write_section(out, inner, below);
        written = inner;
    }
}

static void write_faults(FILE *out) {
    fputs(
        "### Kinds of faults\n\nAll take `from`, `until` and `always` too. [faults.md](faults.md) "
        "says what each models and what the pipeline makes of it.\n\n"
        "| kind | needs | may have | what it does |\n|---|---|---|---|\n",
        out);
    const struct fault_about *table = fault_table();
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        fprintf(out, "| `%s` | ", table[i].name);
        fault_guide_parameters(out, table[i].required);
        fputs(" | ", out);
        fault_guide_parameters(out, table[i].optional);
        fprintf(out, " | %s |\n", table[i].about);
    }
}

char *scenario_guide_text(void) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    write_section(out, &scenario_section, "");
    write_faults(out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
