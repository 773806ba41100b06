#define _POSIX_C_SOURCE 200809L

#include "cli/run_stores.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/moment.h"
#include "cli/murphy.h"
#include "sim/sqlite_host.h"
#include "sim/stores_export.h"

int run_stores_complain(const struct run_stores *r, int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "murphy %s: ", r->command);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return status;
}

/* The path of the run's file, on the heap; NULL after an error, with *status. */
static char *find_file(const struct run_stores *r, int *status) {
    struct stat info;
    *status = EXIT_INPUT;
    if (stat(r->run, &info) != 0) {
        run_stores_complain(r, 0, "%s: there is no such run", r->run);
        return 0;
    }
    bool directory = S_ISDIR(info.st_mode);
    size_t size = strlen(r->run) + sizeof("./"
                                          "/" STORES_FILE);
    char *path = malloc(size);
    if (path == 0) {
        *status = run_stores_complain(r, EXIT_INTERNAL, "no memory");
        return 0;
    }
    /* A name that starts like a URI is a name all the same. */
    snprintf(path, size, "%s%s%s", r->run[0] == '/' ? "" : "./", r->run,
             directory ? "/" STORES_FILE : "");
    if (directory && stat(path, &info) != 0) {
        run_stores_complain(
            r, 0, "%s: holds no " STORES_FILE "; was the run made with --out, and is it over?",
            r->run);
        free(path);
        return 0;
    }
    return path;
}

/* The first column of the first row of a statement; false when there is none. */
static bool read_number(sqlite3 *db, const char *sql, int64_t *out) {
    sqlite3_stmt *s = 0;
    bool ok = sqlite_host_prepare(db, sql, &s) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    if (ok) {
        *out = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    return ok;
}

static bool read_times(struct run_stores *r) {
    return read_number(r->db, "SELECT start_at_ns FROM run_info", &r->start.ns) &&
           read_number(r->db, "SELECT end_at_ns FROM run_info", &r->end.ns) &&
           read_number(r->db, "SELECT dashboard_sla_ns FROM run_info", &r->dashboard_sla_ns) &&
           read_number(r->db, "SELECT coalesce(warehouse_from_ns, start_at_ns) FROM run_info",
                       &r->warehouse_from.ns);
}

int run_stores_open(struct run_stores *r, const char *command, const char *run) {
    *r = (struct run_stores){.command = command, .run = run};
    int status = 0;
    char *path = find_file(r, &status);
    if (path == 0) {
        return status;
    }
    int rc = sqlite_host_open(&r->db, SQLITE_HOST_READ, path);
    free(path);
    if (rc == SQLITE_NOMEM) {
        return run_stores_complain(r, EXIT_INTERNAL, "no memory");
    }
    int64_t layout = 0;
    if (rc != SQLITE_OK || !read_times(r) || !read_number(r->db, "PRAGMA user_version", &layout)) {
        bool cut = (rc != SQLITE_OK ? rc : sqlite3_errcode(r->db)) == SQLITE_CORRUPT;
        return run_stores_complain(r, EXIT_INPUT, "%s: %s", run,
                                   cut ? "is damaged or was cut short; play the run again"
                                       : "is not the " STORES_FILE " of a run");
    }
    if (layout != STORES_LAYOUT) {
        return run_stores_complain(r, EXIT_INPUT,
                                   "%s: another version of Murphy wrote it (layout %lld, this one "
                                   "reads %d); play the run again",
                                   run, (long long)layout, STORES_LAYOUT);
    }
    return 0;
}

void run_stores_close(struct run_stores *r) {
    sqlite3_close(r->db);
    r->db = 0;
}

int run_stores_failed(const struct run_stores *r) {
    int code = sqlite3_errcode(r->db);
    /* SQLITE_ERROR: a table or column that every run has is not there. */
    bool input = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
    return run_stores_complain(r, input ? EXIT_INPUT : EXIT_INTERNAL, "%s: %s", r->run,
                               sqlite3_errmsg(r->db));
}

/* Silver, bronze and the audit would show a hole where nothing was missing at the time (A16). */
static void warn_of_hole(const struct run_stores *r, vtime at) {
    char text[MOMENT_TEXT_MAX];
    if (vtime_before(at, r->warehouse_from)) {
        moment_format(r->warehouse_from, text);
        run_stores_complain(
            r, 0,
            "the warehouse keeps silver, bronze and the audit from %s on; of the moment "
            "asked for they show only what was still kept at the end",
            text);
    }
}

int run_stores_as_of(struct run_stores *r, const char *text, vtime *at) {
    *at = VTIME_NEVER;
    if (text != 0 && !moment_parse(text, r->start, at)) {
        return usage_error(r->command, "a time is 2026-01-05T03:00:00Z or +2h30m, not", text);
    }
    warn_of_hole(r, *at);
    sqlite_host_set_time(text != 0 ? *at : r->end);
    return stores_export_views(r->db, *at) == SQLITE_OK ? 0 : run_stores_failed(r);
}
