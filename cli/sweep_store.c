#define _XOPEN_SOURCE 700

#include "cli/sweep_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/murphy.h"
#include "cli/run_files.h"
#include "sim/sqlite_host.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS scenario (name TEXT PRIMARY KEY, digest TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS asked (scenario TEXT NOT NULL, bug TEXT NOT NULL,"
    " seed_from INTEGER NOT NULL,"
    " seed_to INTEGER NOT NULL, shard INTEGER NOT NULL, shards INTEGER NOT NULL,"
    " PRIMARY KEY (scenario, bug, seed_from, seed_to, shard, shards)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS run (scenario TEXT NOT NULL, bug TEXT NOT NULL,"
    " seed INTEGER NOT NULL, verdict TEXT NOT NULL, trace_hash TEXT, end_state TEXT, wall_ns "
    "INTEGER NOT NULL,"
    " cause TEXT NOT NULL, error TEXT NOT NULL, failed_checks TEXT NOT NULL,"
    " breached TEXT NOT NULL, coverage TEXT NOT NULL, drawn TEXT NOT NULL,"
    " allowed TEXT NOT NULL, reproduce TEXT NOT NULL,"
    " PRIMARY KEY (scenario, bug, seed)) WITHOUT ROWID;";

int sweep_store_fail(struct sweep_store *store, int status, const char *what) {
    snprintf(store->error, sizeof store->error, "%.400s: %.200s", what, sqlite3_errmsg(store->db));
    return status;
}

static int execute(struct sweep_store *store, const char *sql, const char *what) {
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? EXIT_HELD
               : sweep_store_fail(store, EXIT_INTERNAL, what);
}

static int prepare(struct sweep_store *store, const char *sql, sqlite3_stmt **out) {
    return sqlite_host_prepare(store->db, sql, out) == SQLITE_OK
               ? EXIT_HELD
               : sweep_store_fail(store, EXIT_INTERNAL, "the results cannot be used");
}

/* The simulator's own way of opening a database gives it the simulator's clock and no journal: a
 * store of results goes the plain way. The simulator configures SQLite first, as it must. */
static int open_file(struct sweep_store *store, const char *path, int flags) {
    *store = (struct sweep_store){.folder = -1};
    if (sqlite_host_start(0, (vtime){0}) != 0) {
        snprintf(store->error, sizeof store->error, "SQLite does not start");
        return EXIT_INTERNAL;
    }
    if (sqlite3_open_v2(path, &store->db, flags | SQLITE_OPEN_NOMUTEX, "unix") != SQLITE_OK) {
        return sweep_store_fail(store, EXIT_INPUT, path);
    }
    sqlite3_busy_timeout(store->db, 5000);
    return EXIT_HELD;
}

static int make_tables(struct sweep_store *store) {
    int status = execute(store, schema, "the results cannot be written");
    return status != EXIT_HELD
               ? status
               : prepare(store,
                         "INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                         &store->insert);
}

int sweep_store_memory(struct sweep_store *store) {
    int status = open_file(store, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    return status != EXIT_HELD ? status : make_tables(store);
}

int sweep_store_file(struct sweep_store *store, const char *path) {
    int status = open_file(store, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (status == EXIT_HELD) {
        status = execute(store, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", path);
    }
    return status != EXIT_HELD ? status : make_tables(store);
}

static int lock(struct sweep_store *store, const char *folder) {
    store->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder >= 0 && flock(store->folder, LOCK_EX | LOCK_NB) != 0 &&
        errno == EWOULDBLOCK) {
        snprintf(store->error, sizeof store->error, "another sweep is at work in %s", folder);
        return EXIT_USAGE;
    }
    return EXIT_HELD;
}

int sweep_store_open(struct sweep_store *store, const char *folder) {
    char path[PATH_MAX];
    *store = (struct sweep_store){.folder = -1};
    if (snprintf(path, sizeof path, "%s/" SWEEP_FILE, folder) >= (int)sizeof path ||
        run_files_folder(folder) != 0) {
        snprintf(store->error, sizeof store->error, "the results have no place");
        return EXIT_USAGE;
    }
    struct sweep_store locked = {.folder = -1};
    int status = lock(&locked, folder);
    if (status != EXIT_HELD) {
        snprintf(store->error, sizeof store->error, "%s", locked.error);
        close(locked.folder);
        return status;
    }
    status = open_file(store, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    store->folder = locked.folder;
    if (status == EXIT_HELD) {
        status = execute(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", path);
    }
    return status != EXIT_HELD ? status : make_tables(store);
}

int sweep_store_read(struct sweep_store *store, const char *folder) {
    char path[PATH_MAX];
    struct stat about;
    *store = (struct sweep_store){.folder = -1};
    if (snprintf(path, sizeof path, "%s/" SWEEP_FILE, folder) >= (int)sizeof path ||
        stat(path, &about) != 0) {
        snprintf(store->error, sizeof store->error, "there is no " SWEEP_FILE " in %s", folder);
        return EXIT_INPUT;
    }
    /* What a killed sweep left in its log is read too, which takes writing. */
    int status = open_file(store, path, SQLITE_OPEN_READWRITE);
    sqlite3_stmt *s = NULL;
    if (status == EXIT_HELD &&
        (sqlite_host_prepare(store->db,
                             "SELECT count(*), (SELECT value = '" SWEEP_EACH_BUG
                             "' FROM about WHERE key = 'bug') FROM asked",
                             &s) != SQLITE_OK ||
         sqlite3_step(s) != SQLITE_ROW)) {
        status = sweep_store_fail(store, EXIT_INPUT, path);
    } else if (status == EXIT_HELD && sqlite3_column_int64(s, 0) == 0) {
        /* Killed before it began: nothing asked and nothing found is no pass. */
        snprintf(store->error, sizeof store->error, "nothing was asked in %.500s", path);
        status = EXIT_INPUT;
    } else if (status == EXIT_HELD && sqlite3_column_int(s, 1) != 0) {
        snprintf(store->error, sizeof store->error,
                 "%.500s is of murphy bugs, which says itself what it came to", path);
        status = EXIT_INPUT;
    }
    sqlite3_finalize(s);
    return status;
}

/* ---- What all rows have in common ---- */

/* A value that all rows share: written unless there is one; another one is refused. `sql` inserts
 * (key, value) or returns the value that is there. */
static int same(struct sweep_store *store, const char *sql, const char *what, const char *key,
                const char *value) {
    sqlite3_stmt *statement;
    int status = prepare(store, sql, &statement);
    if (status != EXIT_HELD) {
        return status;
    }
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_ROW) {
        status = sweep_store_fail(store, EXIT_INTERNAL, "the results cannot be written");
    } else if (strcmp((const char *)sqlite3_column_text(statement, 0), value) != 0) {
        snprintf(store->error, sizeof store->error,
                 "results of another %s%s are there: give another folder", what, key);
        status = EXIT_USAGE;
    }
    sqlite3_finalize(statement);
    return status;
}

static int same_about(struct sweep_store *store, const char *key, const char *value) {
    return same(store,
                "INSERT INTO about VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value "
                "RETURNING value",
                "", key, value);
}

static int same_scenario(struct sweep_store *store, const char *name, const char *digest) {
    return same(store,
                "INSERT INTO scenario VALUES (?1, ?2) ON CONFLICT DO UPDATE SET digest = digest "
                "RETURNING digest",
                "text of the scenario ", name, digest);
}

static const char *bug_text(const char *bug) {
    return bug == NULL ? "" : bug;
}

static int ask(struct sweep_store *store, const struct sweep *sweep,
               const struct sweep_case *asked) {
    sqlite3_stmt *statement;
    int status =
        prepare(store, "INSERT OR IGNORE INTO asked VALUES (?, ?, ?, ?, ?, ?)", &statement);
    if (status != EXIT_HELD) {
        return status;
    }
    const char *scenario = sweep->scenarios[asked->scenario].loaded.name;
    sqlite3_bind_text(statement, 1, scenario, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, bug_text(asked->bug), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)sweep->seed_from);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)sweep->seed_to);
    sqlite3_bind_int64(statement, 5, (sqlite3_int64)sweep->shard);
    sqlite3_bind_int64(statement, 6, (sqlite3_int64)sweep->shards);
    if (sqlite3_step(statement) != SQLITE_DONE) {
        status = sweep_store_fail(store, EXIT_INTERNAL, "the results cannot be written");
    }
    sqlite3_finalize(statement);
    return status;
}

/* All settings in one text, in their order. */
static char *settings_text(const struct sweep *sweep) {
    size_t size = 1;
    for (size_t i = 0; i < sweep->setting_count; i++) {
        size += strlen(sweep->settings[i].text) + 1;
    }
    char *text = calloc(size, 1);
    for (size_t i = 0; text != NULL && i < sweep->setting_count; i++) {
        strcat(strcat(text, i == 0 ? "" : "\n"), sweep->settings[i].text);
    }
    return text;
}

int sweep_store_begin(struct sweep_store *store, const struct sweep *sweep) {
    char *settings = settings_text(sweep);
    if (settings == NULL) {
        snprintf(store->error, sizeof store->error, "out of memory");
        return EXIT_INTERNAL;
    }
    int status = execute(store, "BEGIN IMMEDIATE", "the results cannot be written");
    if (status == EXIT_HELD) {
        status = same_about(store, "version", MURPHY_VERSION);
    }
    if (status == EXIT_HELD) {
        status = same_about(store, "build", sweep->build);
    }
    if (status == EXIT_HELD) {
        status = same_about(store, "bug", bug_text(sweep->bug));
    }
    if (status == EXIT_HELD) {
        status = same_about(store, "settings", settings);
    }
    for (size_t i = 0; status == EXIT_HELD && i < sweep->scenario_count; i++) {
        const struct sweep_scenario *scenario = &sweep->scenarios[i];
        status = same_scenario(store, scenario->loaded.name, scenario->digest);
    }
    for (size_t i = 0; status == EXIT_HELD && i < sweep->case_count; i++) {
        status = ask(store, sweep, &sweep->cases[i]);
    }
    free(settings);
    if (status != EXIT_HELD) {
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        return status;
    }
    return execute(store, "COMMIT", "the results cannot be written");
}

/* ---- Rows ---- */

static void bind(sqlite3_stmt *s, int at, const char *text) {
    sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

int sweep_store_add(struct sweep_store *store, const struct sweep_row *row) {
    sqlite3_stmt *s = store->insert;
    const struct sweep_outcome *o = &row->outcome;
    bind(s, 1, row->scenario);
    bind(s, 2, bug_text(row->bug));
    sqlite3_bind_int64(s, 3, (sqlite3_int64)row->seed);
    bind(s, 4, run_verdict_name(o->verdict));
    bind(s, 5, o->trace_hash[0] == '\0' ? NULL : o->trace_hash);
    bind(s, 6, o->end_state[0] == '\0' ? NULL : o->end_state);
    sqlite3_bind_int64(s, 7, o->wall_ns);
    bind(s, 8, o->cause);
    bind(s, 9, o->error);
    bind(s, 10, o->failed_checks);
    bind(s, 11, o->breached);
    bind(s, 12, o->coverage);
    bind(s, 13, o->drawn);
    bind(s, 14, o->allowed);
    bind(s, 15, row->reproduce);
    bool written = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    return written ? EXIT_HELD
                   : sweep_store_fail(store, EXIT_INTERNAL, "a result cannot be written");
}

static const char *column(sqlite3_stmt *s, int at) {
    const char *text = (const char *)sqlite3_column_text(s, at);
    return text == NULL ? "" : text;
}

static enum run_verdict verdict_of(const char *name) {
    for (int v = RUN_ERROR; v <= RUN_SLO; v++) {
        if (strcmp(run_verdict_name((enum run_verdict)v), name) == 0) {
            return (enum run_verdict)v;
        }
    }
    return RUN_ERROR;
}

void sweep_row_read(sqlite3_stmt *s, struct sweep_row *row) {
    const char *bug = column(s, 1);
    *row = (struct sweep_row){
        .scenario = column(s, 0),
        .bug = bug[0] == '\0' ? NULL : bug,
        .seed = (uint64_t)sqlite3_column_int64(s, 2),
        .outcome = {.verdict = verdict_of(column(s, 3)),
                    .trace_hash = column(s, 4),
                    .end_state = column(s, 5),
                    .wall_ns = sqlite3_column_int64(s, 6),
                    .cause = column(s, 7),
                    .error = column(s, 8),
                    .failed_checks = column(s, 9),
                    .breached = column(s, 10),
                    .coverage = column(s, 11),
                    .drawn = column(s, 12),
                    .allowed = column(s, 13)},
        .reproduce = column(s, 14),
    };
}

static int64_t mark(struct sweep_store *store, const struct sweep *sweep, size_t at,
                    unsigned char *bits) {
    const struct sweep_case *played = &sweep->cases[at];
    sqlite3_stmt *s;
    int64_t marked = 0;
    if (prepare(store,
                "SELECT seed FROM run WHERE scenario = ? AND bug = ? AND seed BETWEEN ? AND ?",
                &s) != EXIT_HELD) {
        return -1;
    }
    bind(s, 1, sweep->scenarios[played->scenario].loaded.name);
    bind(s, 2, bug_text(played->bug));
    sqlite3_bind_int64(s, 3, (sqlite3_int64)sweep->seed_from);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)sweep->seed_to);
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        uint64_t ahead = (uint64_t)sqlite3_column_int64(s, 0) - sweep->seed_from;
        if (ahead % sweep->shards == sweep->shard - 1) {
            uint64_t run = ahead / sweep->shards * sweep->case_count + at;
            bits[run / 8] |= (unsigned char)(1u << run % 8);
            marked++;
        }
    }
    sqlite3_finalize(s);
    return step == SQLITE_DONE ? marked : -1;
}

int64_t sweep_store_marks(struct sweep_store *store, const struct sweep *sweep,
                          unsigned char *bits) {
    int64_t marked = 0;
    for (size_t i = 0; i < sweep->case_count; i++) {
        int64_t more = mark(store, sweep, i, bits);
        if (more < 0) {
            (void)sweep_store_fail(store, EXIT_INTERNAL, "the results cannot be read");
            return -1;
        }
        marked += more;
    }
    return marked;
}

/* ---- The end ---- */

int sweep_store_finish(struct sweep_store *store) {
    sqlite3_finalize(store->insert);
    store->insert = NULL;
    return execute(store, "PRAGMA journal_mode=DELETE", "the results cannot be closed");
}

void sweep_store_close(struct sweep_store *store) {
    sqlite3_finalize(store->insert);
    sqlite3_close(store->db);
    if (store->folder >= 0) {
        close(store->folder);
    }
}

void sweep_store_forked(struct sweep_store *store) {
    if (store->folder >= 0) {
        close(store->folder);
    }
}
