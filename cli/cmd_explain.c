/*
 * murphy explain: what became of one update, and where one number comes from.
 */
#include <stdio.h>
#include <string.h>

#include "cli/explain.h"
#include "cli/moment.h"
#include "cli/murphy.h"

static void help(void) {
    puts("usage: murphy explain RUN --listing ID [--update N] [--at TIME] [--json]\n"
         "       murphy explain RUN --metric NAME [--at TIME] [--json]\n\n"
         "--listing follows one update of a listing through every hop, with its position,\n"
         "its virtual time and its lag, or says where it waits and why. --metric walks\n"
         "from a number of the dashboard back to the rows of OLTP and names the layer\n"
         "that is wrong.\n\n"
         "  RUN            the directory that `murphy run --out DIR` wrote, or its\n"
         "                 stores.db\n"
         "  --update N     the N-th update of the listing, or the one with that event id;\n"
         "                 the last\n"
         "  --metric NAME  sales_amount, sales_quantity or sales_orders, of all or of a\n"
         "                 part: 'sales_amount{category=\"Furniture > Sofas\", hour=\"+2h\"}'\n"
         "  --at TIME      as of that moment: 2026-01-05T03:00:00Z, or +2h30m after the\n"
         "                 start; the end\n"
         "  --json         one JSON document");
}

struct arguments {
    const char *run, *listing, *update, *metric, *at;
    bool json, help;
};

/* Where the value of an option belongs; NULL when there is no such option. */
static const char **slot_of(struct arguments *a, const char *option) {
    return strcmp(option, "--listing") == 0  ? &a->listing
           : strcmp(option, "--update") == 0 ? &a->update
           : strcmp(option, "--metric") == 0 ? &a->metric
           : strcmp(option, "--at") == 0     ? &a->at
                                             : NULL;
}

static int parse(struct arguments *a, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        const char **slot = slot_of(a, arg);
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            a->help = true;
        } else if (strcmp(arg, "--json") == 0) {
            a->json = true;
        } else if (slot != NULL) {
            if (i + 1 == argc) {
                return usage_error("explain", "a value is missing after", arg);
            }
            *slot = argv[++i];
        } else if (arg[0] == '-') {
            return usage_error("explain", "unknown option", arg);
        } else if (a->run != NULL) {
            return usage_error("explain", "one run at a time; not wanted:", arg);
        } else {
            a->run = arg;
        }
    }
    return EXIT_HELD;
}

static int check(const struct arguments *a) {
    uint64_t id;
    if (a->run == NULL) {
        return usage_error("explain", "say which run", NULL);
    }
    if ((a->listing == NULL) == (a->metric == NULL)) {
        return usage_error("explain", "say either --listing ID or --metric NAME", NULL);
    }
    if (a->metric != NULL && a->update != NULL) {
        return usage_error("explain", "--update belongs to --listing", NULL);
    }
    if (a->listing != NULL && !parse_seed(a->listing, &id)) {
        return usage_error("explain", "a listing id is a whole number, not", a->listing);
    }
    return EXIT_HELD;
}

int cmd_explain(int argc, char **argv) {
    struct arguments a = {0};
    int status = parse(&a, argc, argv);
    if (status == EXIT_HELD && a.help) {
        help();
        return EXIT_HELD;
    }
    if (status == EXIT_HELD) {
        status = check(&a);
    }
    if (status != EXIT_HELD) {
        return status;
    }
    struct explain e = {
        .listing = a.listing, .update = a.update, .metric = a.metric, .json = a.json};
    status = run_stores_open(&e.stores, "explain", a.run);
    if (status == EXIT_HELD) {
        status = run_stores_as_of(&e.stores, a.at, &e.at);
    }
    if (status == EXIT_HELD) {
        e.at = vtime_before(e.at, e.stores.end) ? e.at : e.stores.end;
        status = e.listing != NULL ? explain_listing(&e) : explain_metric(&e);
    }
    run_stores_close(&e.stores);
    return status;
}
