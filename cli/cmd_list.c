/*
 * murphy list: what there is.
 */
#define _POSIX_C_SOURCE 200809L

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/murphy.h"
#include "cli/scenario_run.h"
#include "faults/faults.h"
#include "faults/injector.h"
#include "pipeline/bugs.h"
#include "pipeline/control.h"
#include "reports/page.h"
#include "scenarios/contract_set.h"
#include "scenarios/quantity.h"
#include "scenarios/scenario.h"
#include "sim/oracle.h"

/* Rows of a listing, printed as text or gathered into JSON. */
struct listing {
    json_t *array;    /* NULL: text */
    const char *word; /* only what has it in its name or text; NULL: all */
    size_t shown;
    bool failed;
};

static bool is_wanted(struct listing *listing, const char *name, const char *about,
                      const char *more) {
    const char *word = listing->word;
    bool wanted = word == NULL || strstr(name, word) != NULL || strstr(about, word) != NULL ||
                  strstr(more, word) != NULL;
    listing->shown += wanted;
    return wanted;
}

/* A term below a name, or the name itself with an empty label. A terminal gets lines of 80 columns,
 * a file or another program one line for each term. */
static void print_term(const char *name, const char *label, const char *text) {
    char start[64];
    snprintf(start, sizeof start, "%-26s ", name);
    struct page p = {.out = stdout};
    page_put(&p, start);
    if (label[0] != '\0') {
        page_put(&p, label);
        page_put(&p, ": ");
    }
    if (isatty(STDOUT_FILENO) == 1) {
        page_wrap(&p, 27, text);
    } else {
        page_put(&p, text);
        page_newline(&p);
    }
}

static void listing_add(struct listing *listing, const char *name, const char *about,
                        const char *key, const char *value) {
    if (!is_wanted(listing, name, about, value == NULL ? "" : value)) {
        return;
    }
    if (listing->array == NULL) {
        print_term(name, "", about);
        if (value != NULL) {
            print_term("", key, value);
        }
        return;
    }
    json_t *row = json_pack("{s:s, s:s}", "name", name, "about", about);
    if (row != NULL && value != NULL && json_object_set_new(row, key, json_string(value)) != 0) {
        listing->failed = true;
    }
    if (row == NULL || json_array_append_new(listing->array, row) != 0) {
        listing->failed = true;
    }
}

static int list_scenarios(struct listing *listing) {
    struct scenario_list list;
    int status = scenarios_listed("list", &list);
    if (status != EXIT_HELD) {
        return status;
    }
    for (size_t i = 0; i < list.count; i++) {
        listing_add(listing, list.entries[i].name, list.entries[i].about, NULL, NULL);
    }
    scenario_list_release(&list);
    return EXIT_HELD;
}

static int list_operations(struct listing *listing) {
    for (enum control_kind kind = CONTROL_NONE + 1; kind < CONTROL_KIND_END; kind++) {
        const struct control_about *about = control_about(kind);
        if ((about->parameters & CONTROL_ANNOUNCED) == 0) {
            listing_add(listing, about->name, about->about, "precondition", about->precondition);
        }
    }
    return EXIT_HELD;
}

/* Names with a blank between. */
static json_t *names_json(const char *names) {
    json_t *array = json_array();
    while (*names != '\0') {
        size_t length = strcspn(names, " ");
        json_array_append_new(array, json_stringn(names, length));
        names += length + strspn(names + length, " ");
    }
    return array;
}

static json_t *parameters_json(unsigned bits) {
    json_t *array = json_array();
    const char *name;
    unsigned bit;
    for (size_t i = 0; (name = fault_parameter_name(i, &bit)) != NULL; i++) {
        if ((bits & bit) != 0) {
            json_array_append_new(array, json_string(name));
        }
    }
    return array;
}

/* Pairs of a scenario and a bug that it catches, which show what protects from the kind. */
static json_t *shown_json(const struct scenario_list *list, enum fault_kind kind) {
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        for (int bug = 0; bug < BUG_COUNT; bug++) {
            if (scenario_entry_shows(&list->entries[i], kind, (enum bug_id)bug)) {
                json_array_append_new(array,
                                      json_pack("{s:s, s:s}", "scenario", list->entries[i].name,
                                                "bug", bug_table()[bug].name));
            }
        }
    }
    return array;
}

static json_t *fault_json(enum fault_kind kind, const struct scenario_list *list) {
    const struct fault_about *about = &fault_table()[kind];
    char places[FAULT_PLACES_TEXT];
    fault_places_text(about->places, " ", places);
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:s}", "name",
                     about->name, "about", about->about, "strikes", names_json(places), "needs",
                     parameters_json(about->required), "may_have", parameters_json(about->optional),
                     "models", about->models, "survivable", fault_survival_name(about->survival),
                     "bounds", about->bounds, "checks", names_json(about->checks), "bugs",
                     names_json(about->bugs), "shown_by", shown_json(list, kind), "swarm",
                     about->no_swarm[0] == '\0', "no_swarm", about->no_swarm);
}

/* "no-version-check in crashed-sink, worker-slow-node" */
static void print_shown(const struct scenario_list *list, enum fault_kind kind) {
    for (int bug = 0; bug < BUG_COUNT; bug++) {
        char text[4096];
        size_t length = 0;
        for (size_t i = 0; i < list->count; i++) {
            if (scenario_entry_shows(&list->entries[i], kind, (enum bug_id)bug) &&
                length < sizeof text) {
                length += (size_t)snprintf(text + length, sizeof text - length, "%s%s%s",
                                           length == 0 ? bug_table()[bug].name : "",
                                           length == 0 ? " in " : ", ", list->entries[i].name);
            }
        }
        if (length > 0) {
            print_term("", "shown by", text);
        }
    }
}

static void fault_print(enum fault_kind kind, const struct scenario_list *list) {
    const struct fault_about *about = &fault_table()[kind];
    char places[FAULT_PLACES_TEXT];
    fault_places_text(about->places, ", ", places);
    char survivable[512];
    snprintf(survivable, sizeof survivable, "%s%s%s", fault_survival_name(about->survival),
             about->bounds[0] == '\0' ? "" : ": ", about->bounds);
    print_term(about->name, "", about->about);
    print_term("", "strikes", places);
    print_term("", "models", about->models);
    print_term("", "survivable", survivable);
    print_term("", "noticed by", about->checks);
    if (about->bugs[0] != '\0') {
        print_term("", "bugs", about->bugs);
    }
    print_shown(list, kind);
}

static int list_faults(struct listing *listing) {
    struct scenario_list list;
    int status = scenarios_listed("list", &list);
    if (status != EXIT_HELD) {
        return status;
    }
    for (int i = 0; i < FAULT_KIND_COUNT; i++) {
        const struct fault_about *about = &fault_table()[i];
        if (!is_wanted(listing, about->name, about->about, about->models)) {
            continue;
        }
        if (listing->array == NULL) {
            fault_print((enum fault_kind)i, &list);
        } else if (json_array_append_new(listing->array, fault_json((enum fault_kind)i, &list)) !=
                   0) {
            listing->failed = true;
        }
    }
    scenario_list_release(&list);
    return EXIT_HELD;
}

static int list_states(struct listing *listing) {
    for (int i = 0; i < PIPELINE_STATE_COUNT; i++) {
        listing_add(listing, pipeline_state_table()[i].name, pipeline_state_table()[i].about, NULL,
                    NULL);
    }
    return EXIT_HELD;
}

static void list_check_table(struct listing *listing, const struct oracle_check_about *table,
                             size_t count) {
    for (size_t i = 0; i < count; i++) {
        listing_add(listing, table[i].name, table[i].about, "requirement", table[i].requirement);
    }
}

static int list_checks(struct listing *listing) {
    size_t count;
    const struct oracle_check_about *table = oracle_check_table(&count);
    list_check_table(listing, table, count);
    table = scenario_run_check_table(&count);
    list_check_table(listing, table, count);
    return EXIT_HELD;
}

static int list_points(struct listing *listing) {
    const char *about;
    const char *name;
    for (size_t i = 0; (name = injector_point_about(i, &about)) != NULL; i++) {
        listing_add(listing, name, about, NULL, NULL);
    }
    return EXIT_HELD;
}

/* Every term that a contract has beside its schema. */
static json_t *contract_object(const struct seam_contract *c) {
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "name", c->id,
                  "about", c->about, "seam", seam_name(c->seam), "owner", c->owner, "version",
                  c->version, "status", c->status, "producer", c->producer, "consumer", c->consumer,
                  "delivery", c->delivery, "idempotent_by", c->idempotent_by, "reconciliation",
                  c->reconciliation, "quality_rules", (json_int_t)c->rule_count);
    for (int level = 0; row != NULL && level < LEVEL_COUNT; level++) {
        char text[DURATION_TEXT_SIZE];
        quantity_duration_format(c->levels_ns[level], text);
        json_object_set_new(row, service_level_name((enum service_level)level),
                            c->levels_ns[level] > 0 ? json_string(text) : json_null());
    }
    return row;
}

static void print_contract(const struct seam_contract *c) {
    print_term(c->id, "", c->about);
    printf("%-26s version %s, of %s\n", "", c->version, c->owner);
    print_term("", "delivery", c->delivery);
    print_term("", "idempotent by", c->idempotent_by);
    for (int level = 0; level < LEVEL_COUNT; level++) {
        char text[DURATION_TEXT_SIZE];
        quantity_duration_format(c->levels_ns[level], text);
        if (c->levels_ns[level] > 0) {
            printf("%-26s %s: %s\n", "", service_level_name((enum service_level)level), text);
        }
    }
    print_term("", "reconciliation", c->reconciliation);
}

static int list_contracts(struct listing *listing) {
    const char *directory = contract_directory();
    if (directory == NULL) {
        return EXIT_INTERNAL;
    }
    struct contract_set set;
    struct scenario_error error;
    if (contract_set_load(directory, &set, &error) != 0) {
        fprintf(stderr, "murphy list: %s\n", error.text);
        return EXIT_INPUT;
    }
    for (int seam = 0; seam < SEAM_COUNT; seam++) {
        if (!is_wanted(listing, set.contracts[seam].id, set.contracts[seam].about,
                       set.contracts[seam].owner)) {
            continue;
        }
        if (listing->array == NULL) {
            print_contract(&set.contracts[seam]);
            continue;
        }
        json_t *row = contract_object(&set.contracts[seam]);
        if (row == NULL || json_array_append_new(listing->array, row) != 0) {
            listing->failed = true;
        }
    }
    contract_set_release(&set);
    return EXIT_HELD;
}

/* The scenarios that catch a bug. */
static json_t *catchers_json(const struct scenario_list *list, enum bug_id bug) {
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].catches[bug]) {
            json_array_append_new(array, json_string(list->entries[i].name));
        }
    }
    return array;
}

static void bug_print(enum bug_id bug, const struct scenario_list *list) {
    const struct bug_about *about = &bug_table()[bug];
    char text[4096] = "";
    size_t length = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].catches[bug] && length < sizeof text) {
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s",
                                       length == 0 ? "" : ", ", list->entries[i].name);
        }
    }
    print_term(about->name, "", about->about);
    print_term("", "check", about->check);
    print_term("", "caught in", length == 0 ? "no scenario" : text);
}

static int list_bugs(struct listing *listing) {
    const struct bug_about *table = bug_table();
    struct scenario_list list;
    int status = scenarios_listed("list", &list);
    if (status != EXIT_HELD) {
        return status;
    }
    for (int i = 0; i < BUG_COUNT; i++) {
        enum bug_id bug = (enum bug_id)i;
        if (!is_wanted(listing, table[i].name, table[i].about, table[i].check)) {
            continue;
        }
        if (listing->array == NULL) {
            bug_print(bug, &list);
        } else if (json_array_append_new(listing->array,
                                         json_pack("{s:s, s:s, s:s, s:o}", "name", table[i].name,
                                                   "about", table[i].about, "check", table[i].check,
                                                   "caught_in", catchers_json(&list, bug))) != 0) {
            listing->failed = true;
        }
    }
    scenario_list_release(&list);
    return EXIT_HELD;
}

static const struct {
    const char *name;
    int (*list)(struct listing *listing);
} kinds[] = {
    {"scenarios", list_scenarios}, {"states", list_states},         {"faults", list_faults},
    {"checks", list_checks},       {"operations", list_operations}, {"points", list_points},
    {"bugs", list_bugs},           {"contracts", list_contracts},
};

static void help(void) {
    puts("usage: murphy list WHAT [WORD] [--json]\n\n"
         "WHAT is scenarios, faults, states, checks, operations, points, bugs or\n"
         "contracts. Prints what there is, and below each name what is to be said of it:\n"
         "in lines of 80 columns on a terminal, a line for each term elsewhere. With\n"
         "WORD only what has it in its name or text. --json prints an array of objects\n"
         "with at least `name` and `about`.");
}

int cmd_list(int argc, char **argv) {
    const char *what = NULL, *word = NULL;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            help();
            return EXIT_HELD;
        }
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (argv[i][0] == '-') {
            return usage_error("list", "unknown option", argv[i]);
        } else if (what == NULL) {
            what = argv[i];
        } else if (word == NULL) {
            word = argv[i];
        } else {
            return usage_error("list", "one kind and one word at a time; not wanted:", argv[i]);
        }
    }
    if (what == NULL) {
        return usage_error("list", "say what to list", NULL);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, what) != 0) {
            continue;
        }
        struct listing listing = {.array = json ? json_array() : NULL, .word = word};
        int status = kinds[i].list(&listing);
        if (!json && status == EXIT_HELD && listing.shown == 0) {
            return usage_error("list", "nothing has this in its name or text:", word);
        }
        if (json && status == EXIT_HELD) {
            listing.failed =
                listing.failed || json_dumpf(listing.array, stdout, JSON_INDENT(2)) != 0;
            putchar('\n');
        }
        json_decref(listing.array);
        return listing.failed ? EXIT_INTERNAL : status;
    }
    return usage_error("list", "there is no kind", what);
}
