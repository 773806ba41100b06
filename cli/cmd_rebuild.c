/*
 * murphy rebuild: the layers of a finished run made anew from the layer that they were made of, and
 * what differs (B4).
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/murphy.h"
#include "cli/rebuild.h"
#include "cli/run_stores.h"

static const char help[] =
    "usage: murphy rebuild RUN --from bronze [--layer NAME]... [--at TIME]\n"
    "                      [--limit N] [--json]\n"
    "       murphy rebuild RUN --from audit [--listing ID] [--limit N] [--json]\n\n"
    "Makes the layers of a finished run anew and proves them equal, row by row, to\n"
    "those that the stream made; or verifies and replays the audit stream of every\n"
    "listing.\n\n"
    "  RUN            the directory that `murphy run --out DIR` wrote, or its\n"
    "                 stores.db\n"
    "  --from bronze  replays the raw records, with the pipeline's own decoding and\n"
    "                 fold\n"
    "  --layer NAME   bronze, silver, orders, gold, sales, dashboard, keywords,\n"
    "                 vectors or audit; all of them\n"
    "  --at TIME      as of that moment: 2026-01-05T03:00:00Z, or +2h30m after the\n"
    "                 start; then without dashboard, keywords and vectors, which lag\n"
    "                 behind\n"
    "  --from audit   verifies the chain of each stream, its end against the root in\n"
    "                 run.json, and the documents that its events make against gold\n"
    "  --listing ID   shows and verifies the stream of one listing\n"
    "  --limit N      differences that are shown; 20, and 1000 with --json\n"
    "  --json         one JSON document\n\n"
    "Exit status: 0 all equal, 1 something differs or was tampered with.\n";

/* ---- The command line ---- */

static int parse_layer(struct rebuild_arguments *a, const char *name) {
    int layer = rebuilt_layer_find(name);
    if (layer < 0) {
        return usage_error("rebuild",
                           "the layers are bronze, silver, orders, gold, sales, dashboard, "
                           "keywords, vectors and audit; there is no",
                           name);
    }
    a->layers |= 1u << layer;
    return EXIT_HELD;
}

static int parse_value(struct rebuild_arguments *a, const char *option, const char *value) {
    if (strcmp(option, "--layer") == 0) {
        return parse_layer(a, value);
    }
    if (strcmp(option, "--limit") == 0) {
        if (!parse_seed(value, &a->limit) || a->limit > 1000000) {
            return usage_error("rebuild", "a limit is a number from 0 to 1000000, not", value);
        }
        a->limited = true;
        return EXIT_HELD;
    }
    if (strcmp(option, "--listing") == 0) {
        a->has_listing = true;
        return parse_seed(value, &a->listing)
                   ? EXIT_HELD
                   : usage_error("rebuild", "a listing is a whole number, not", value);
    }
    *(strcmp(option, "--at") == 0 ? &a->at : &a->from) = value;
    return EXIT_HELD;
}

static int parse(struct rebuild_arguments *a, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        int status = EXIT_HELD;
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            a->help = true;
        } else if (strcmp(arg, "--json") == 0) {
            a->json = true;
        } else if (strcmp(arg, "--from") == 0 || strcmp(arg, "--layer") == 0 ||
                   strcmp(arg, "--at") == 0 || strcmp(arg, "--limit") == 0 ||
                   strcmp(arg, "--listing") == 0) {
            status = i + 1 < argc ? parse_value(a, arg, argv[i + 1])
                                  : usage_error("rebuild", "a value is missing after", arg);
            i++;
        } else if (arg[0] == '-') {
            return usage_error("rebuild", "there is no option", arg);
        } else if (a->run != NULL) {
            return usage_error("rebuild", "one RUN at a time; not wanted:", arg);
        } else {
            a->run = arg;
        }
        if (status != EXIT_HELD) {
            return status;
        }
    }
    if (a->help) {
        return EXIT_HELD;
    }
    if (a->run == NULL) {
        return usage_error("rebuild", "a RUN is missing", NULL);
    }
    if (a->from == NULL) {
        return usage_error("rebuild", "say from what: --from bronze or --from audit", NULL);
    }
    bool audit = strcmp(a->from, "audit") == 0;
    if (!audit && strcmp(a->from, "bronze") != 0) {
        return usage_error("rebuild", "layers are made from bronze or audit, not from", a->from);
    }
    if (audit && (a->layers != 0 || a->at != NULL)) {
        return usage_error("rebuild",
                           "this goes with --from bronze:", a->at != NULL ? "--at" : "--layer");
    }
    return !audit && a->has_listing
               ? usage_error("rebuild", "this goes with --from audit:", "--listing")
               : EXIT_HELD;
}

int cmd_rebuild(int argc, char **argv) {
    struct rebuild_arguments a = {.run = NULL};
    int status = parse(&a, argc, argv);
    if (status != EXIT_HELD) {
        return status;
    }
    if (a.help) {
        fputs(help, stdout);
        return EXIT_HELD;
    }
    if (!a.limited) {
        a.limit = a.json ? 1000 : 20;
    }
    return strcmp(a.from, "audit") == 0 ? rebuild_from_audit(&a) : rebuild_from_bronze(&a);
}
