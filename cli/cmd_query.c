#define _POSIX_C_SOURCE 200809L

#include "cli/murphy.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/moment.h"
#include "cli/query_rows.h"
#include "cli/run_stores.h"
#include "pipeline/stamp.h"
#include "sim/stores_export.h"

static const char help[] =
    "usage: murphy query RUN [--at TIME] [--json|--csv] SQL\n\n"
    "Asks the stores of a finished run, as they were at the end or at any moment.\n"
    "\n"
    "  RUN          the directory that `murphy run --out DIR` wrote, or its " STORES_FILE "\n"
    "  --at TIME    as of that moment: 2026-01-05T03:00:00Z, or +2h30m after the\n"
    "               start\n"
    "  --json       an array of objects; --csv: RFC 4180\n"
    "  SQL          one statement that reads (SQLite's dialect)\n"
    "\n"
    "Every table shows what it held at the moment; NAME_history has every state with\n"
    "recorded_from_ns and recorded_to_ns (NULL: to the end), or recorded_at_ns.\n"
    "Columns in _ns are nanoseconds, prices and amounts are 1/10,000 of the currency\n"
    "unit. Functions: iso(NS) makes a date of a moment, ns(TEXT) a moment of a date\n"
    "or of +2h30m; version_epoch(V) and version_offset(V) take a version apart.\n"
    "\n"
    "  murphy query out \"SELECT listing_id, title FROM gold_document WHERE alive\"\n"
    "  murphy query out --at +1h \"SELECT count(*) FROM keyword_row\"\n";

struct query {
    const char *run;
    const char *at; /* NULL: the end */
    const char *sql;
    enum query_form form;
    bool help;

    struct run_stores stores;
};

/* ---- the command line ---- */

/* Takes one argument, or two of an option with a value: how many, or 0 after an error. */
static int take_option(struct query *q, int argc, char **argv, int i) {
    const char *option = argv[i];
    if (strcmp(option, "--json") == 0 || strcmp(option, "--csv") == 0) {
        if (q->form != QUERY_TABLE) {
            usage_error("query", "only one form can be had, and this is the second:", option);
            return 0;
        }
        q->form = strcmp(option, "--json") == 0 ? QUERY_JSON : QUERY_CSV;
        return 1;
    }
    if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
        q->help = true;
        return 1;
    }
    if (strncmp(option, "--at=", 5) == 0) {
        q->at = option + 5;
        return 1;
    }
    if (strcmp(option, "--at") == 0) {
        if (i + 1 == argc) {
            usage_error("query", "a time is missing after", option);
            return 0;
        }
        q->at = argv[i + 1];
        return 2;
    }
    usage_error("query", "there is no option", option);
    return 0;
}

static int parse_arguments(struct query *q, int argc, char **argv) {
    bool options = true;
    for (int i = 1; i < argc;) {
        const char *argument = argv[i];
        if (options && strcmp(argument, "--") == 0) {
            options = false;
            i++;
        } else if (options && argument[0] == '-' && argument[1] == '-') {
            int taken = take_option(q, argc, argv, i);
            if (taken == 0) {
                return EXIT_USAGE;
            }
            i += taken;
        } else if (q->run == 0) {
            q->run = argument;
            i++;
        } else if (q->sql == 0) {
            q->sql = argument;
            i++;
        } else {
            return usage_error("query", "one RUN and one SQL only (is the SQL in quotes?), not",
                               argument);
        }
    }
    if (!q->help && q->sql == 0) {
        return usage_error("query", q->run == 0 ? "a RUN is missing" : "SQL is missing", NULL);
    }
    return 0;
}

/* ---- functions of SQL ---- */

static void sql_iso(sqlite3_context *result, int count, sqlite3_value **values) {
    (void)count;
    if (sqlite3_value_type(values[0]) == SQLITE_INTEGER) {
        char text[MOMENT_TEXT_MAX];
        moment_format((vtime){sqlite3_value_int64(values[0])}, text);
        sqlite3_result_text(result, text, -1, SQLITE_TRANSIENT);
    }
}

static void sql_ns(sqlite3_context *result, int count, sqlite3_value **values) {
    const struct query *q = sqlite3_user_data(result);
    const char *text = (const char *)sqlite3_value_text(values[0]);
    vtime moment;
    (void)count;
    if (text == 0) {
        return;
    }
    if (moment_parse(text, q->stores.start, &moment)) {
        sqlite3_result_int64(result, moment.ns);
    } else {
        sqlite3_result_error(result, "ns() knows 2026-01-05T03:00:00Z and +2h30m", -1);
    }
}

static void sql_version_epoch(sqlite3_context *result, int count, sqlite3_value **values) {
    (void)count;
    int64_t version = sqlite3_value_int64(values[0]);
    if (version > 0) {
        sqlite3_result_int(result, (int)doc_version_epoch(version));
    }
}

static void sql_version_offset(sqlite3_context *result, int count, sqlite3_value **values) {
    (void)count;
    int64_t version = sqlite3_value_int64(values[0]);
    if (version > 0) {
        sqlite3_result_int64(result, doc_version_offset(version));
    }
}

static int add_functions(struct query *q) {
    static const struct {
        const char *name;
        void (*call)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {{"iso", sql_iso},
                     {"ns", sql_ns},
                     {"version_epoch", sql_version_epoch},
                     {"version_offset", sql_version_offset}};
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && rc == SQLITE_OK; i++) {
        rc = sqlite3_create_function_v2(q->stores.db, functions[i].name, 1,
                                        SQLITE_UTF8 | SQLITE_DETERMINISTIC, q, functions[i].call, 0,
                                        0, 0);
    }
    return rc;
}

/* Reading is allowed, and asking for the columns of a table. */
static int allow(void *ctx, int action, const char *first, const char *second, const char *database,
                 const char *trigger) {
    (void)ctx;
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return strcmp(second, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA:
        return strcmp(first, "table_info") == 0 || strcmp(first, "table_list") == 0 ? SQLITE_OK
                                                                                    : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

/* Shows the run as of the moment asked for, and lets nothing but reading through from here on. */
static int set_moment(struct query *q) {
    vtime at;
    int status = run_stores_as_of(&q->stores, q->at, &at);
    if (status != 0) {
        return status;
    }
    if (add_functions(q) != SQLITE_OK) {
        return run_stores_failed(&q->stores);
    }
    sqlite3_set_authorizer(q->stores.db, allow, 0);
    return 0;
}

/* ---- the statement ---- */

static int sql_error(const struct query *q) {
    int code = sqlite3_errcode(q->stores.db);
    if (code == SQLITE_AUTH) {
        return run_stores_complain(&q->stores, EXIT_INPUT,
                                   "SQL: only statements that read are allowed");
    }
    int at = sqlite3_error_offset(q->stores.db);
    if (at >= 0) {
        return run_stores_complain(&q->stores, EXIT_INPUT, "SQL, character %d: %s", at + 1,
                                   sqlite3_errmsg(q->stores.db));
    }
    return run_stores_complain(&q->stores, code == SQLITE_NOMEM ? EXIT_INTERNAL : EXIT_INPUT,
                               "SQL: %s", sqlite3_errmsg(q->stores.db));
}

/* Whether a second statement follows; comments and semicolons are none. */
static bool more_follows(const struct query *q, const char *rest) {
    while (*rest != 0) {
        sqlite3_stmt *next = 0;
        const char *after = rest;
        int rc = sqlite3_prepare_v2(q->stores.db, rest, -1, &next, &after);
        sqlite3_finalize(next);
        if (rc != SQLITE_OK || next != 0) {
            return true;
        }
        rest = after;
    }
    return false;
}

/* Prepares the one statement: 0 and *out, or an exit status. */
static int prepare(struct query *q, sqlite3_stmt **out) {
    const char *rest = q->sql;
    *out = 0;
    while (*out == 0 && *rest != 0) {
        if (sqlite3_prepare_v2(q->stores.db, rest, -1, out, &rest) != SQLITE_OK) {
            return sql_error(q);
        }
    }
    if (*out == 0) {
        return run_stores_complain(&q->stores, EXIT_INPUT, "SQL: there is no statement in it");
    }
    if (more_follows(q, rest)) {
        return run_stores_complain(&q->stores, EXIT_INPUT, "SQL: one statement only");
    }
    if (sqlite3_stmt_readonly(*out) == 0 || sqlite3_column_count(*out) == 0) {
        return run_stores_complain(&q->stores, EXIT_INPUT,
                                   "SQL: only statements that read are allowed");
    }
    return 0;
}

/* What Ctrl-C interrupts. */
static sqlite3 *volatile interruptible;

static void interrupt(int signal_number) {
    (void)signal_number;
    sqlite3_interrupt(interruptible);
}

static int run_statement(struct query *q, sqlite3_stmt *statement) {
    struct sigaction action = {.sa_handler = interrupt};
    struct sigaction before;
    sigemptyset(&action.sa_mask);
    interruptible = q->stores.db;
    sigaction(SIGINT, &action, &before);
    int rc = query_rows_write(statement, q->form, stdout);
    sigaction(SIGINT, &before, 0);
    switch (rc) {
    case SQLITE_DONE:
        return EXIT_HELD;
    case SQLITE_INTERRUPT:
        return EXIT_INTERRUPTED;
    case SQLITE_NOMEM:
        return run_stores_complain(&q->stores, EXIT_INTERNAL,
                                   "no memory for a result of that size");
    case SQLITE_IOERR:
        return run_stores_complain(&q->stores, EXIT_INTERNAL,
                                   "the result could not be written to stdout");
    default:
        return sql_error(q);
    }
}

static int run_query(struct query *q) {
    int status = run_stores_open(&q->stores, "query", q->run);
    if (status == 0) {
        status = set_moment(q);
    }
    sqlite3_stmt *statement = 0;
    if (status == 0) {
        status = prepare(q, &statement);
    }
    if (status == 0) {
        status = run_statement(q, statement);
    }
    sqlite3_finalize(statement);
    run_stores_close(&q->stores);
    return status;
}

int cmd_query(int argc, char **argv) {
    struct query q = {.form = QUERY_TABLE};
    int status = parse_arguments(&q, argc, argv);
    if (status != 0) {
        return status;
    }
    if (q.help) {
        fputs(help, stdout);
        fputs("\nTables:", stdout);
        int column = 7;
        for (const char *const *name = stores_export_tables(); *name != 0; name++) {
            int width = (int)strlen(*name) + 1;
            bool wrap = column + width > 80;
            printf("%s %s", wrap ? "\n " : "", *name);
            column = width + (wrap ? 1 : column);
        }
        putchar('\n');
        return EXIT_HELD;
    }
    return run_query(&q);
}
