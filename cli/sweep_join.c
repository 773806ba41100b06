#define _XOPEN_SOURCE 700

#include "cli/sweep_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/murphy.h"
#include "sim/sqlite_host.h"

/* Which folder brought what first: to name both sides of a contradiction. */
static const char origins[] =
    "CREATE TEMP TABLE IF NOT EXISTS origin (folder TEXT PRIMARY KEY);"
    "CREATE TEMP TABLE IF NOT EXISTS brought (scenario TEXT, bug TEXT, seed INTEGER,"
    " folder INTEGER, PRIMARY KEY (scenario, bug, seed)) WITHOUT ROWID;";

#define FIRST_FOLDER "(SELECT folder FROM origin ORDER BY rowid LIMIT 1)"

/* A row of any of these is a contradiction: one sentence about it, without the second folder. */
static const char *const contradictions[] = {
    "SELECT 'the ' || key || ' of ' || " FIRST_FOLDER
    " || ' is ''' || a.value || ''', not ''' || b.value || ''' as'"
    " FROM main.about a JOIN shard.about b USING (key)"
    " WHERE a.value <> b.value AND (key <> 'build' OR NOT ?1)",
    "SELECT 'the text of the scenario ' || name || ' in ' || " FIRST_FOLDER
    " || ' or another folder before is not the one in'"
    " FROM main.scenario a JOIN shard.scenario b USING (name) WHERE a.digest <> b.digest",
    /* A run that did not come to its end has no hash, and contradicts nothing. */
    "SELECT scenario || ', seed ' || seed || ': trace hash ' || a.trace_hash || ', end state ' ||"
    " a.end_state || ', ' || a.verdict || ' in ' || o.folder || ', but ' || b.trace_hash ||"
    " ', end state ' || b.end_state || ', ' || b.verdict || ' in'"
    " FROM shard.run b JOIN main.run a USING (scenario, bug, seed) JOIN brought USING (scenario, "
    "bug, seed)"
    " JOIN origin o ON o.rowid = brought.folder"
    " WHERE a.trace_hash <> b.trace_hash OR (a.trace_hash = b.trace_hash AND"
    " (a.end_state <> b.end_state OR a.verdict <> b.verdict))",
};

/* A run that ended in an error somewhere stays one: it is not hidden by a shard where it did not.
 */
static const char copy[] =
    "INSERT OR IGNORE INTO main.about SELECT * FROM shard.about;"
    "INSERT OR IGNORE INTO main.scenario SELECT * FROM shard.scenario;"
    "INSERT OR IGNORE INTO main.asked SELECT * FROM shard.asked;"
    "INSERT OR IGNORE INTO brought SELECT scenario, bug, seed, (SELECT max(rowid) FROM origin)"
    " FROM shard.run;"
    "DELETE FROM main.run WHERE trace_hash IS NOT NULL AND EXISTS (SELECT 1 FROM shard.run b"
    " WHERE b.scenario = run.scenario AND b.bug = run.bug AND b.seed = run.seed AND b.trace_hash "
    "IS NULL);"
    "INSERT OR IGNORE INTO main.run SELECT * FROM shard.run;";

static int contradicted(struct sweep_store *store, const char *sql, const char *folder,
                        bool any_build) {
    sqlite3_stmt *s;
    if (sqlite_host_prepare(store->db, sql, &s) != SQLITE_OK) {
        return sweep_store_fail(store, EXIT_INPUT, folder);
    }
    sqlite3_bind_int(s, 1, any_build); /* only the first one asks */
    int status = EXIT_HELD, step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        snprintf(store->error, sizeof store->error, "%s %s",
                 (const char *)sqlite3_column_text(s, 0), folder);
        status = EXIT_INPUT;
    } else if (step != SQLITE_DONE) {
        status = sweep_store_fail(store, EXIT_INPUT, folder);
    }
    sqlite3_finalize(s);
    return status;
}

/* One statement with the text as its parameter. */
static int execute_with(struct sweep_store *store, const char *sql, const char *text) {
    sqlite3_stmt *s;
    if (sqlite_host_prepare(store->db, sql, &s) != SQLITE_OK) {
        return sweep_store_fail(store, EXIT_INTERNAL, text);
    }
    sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
    int status =
        sqlite3_step(s) == SQLITE_DONE ? EXIT_HELD : sweep_store_fail(store, EXIT_INPUT, text);
    sqlite3_finalize(s);
    return status;
}

int sweep_store_join(struct sweep_store *store, const char *folder, bool any_build) {
    char path[4096];
    snprintf(path, sizeof path, "%s/" SWEEP_FILE, folder);
    if (sqlite3_exec(store->db, origins, NULL, NULL, NULL) != SQLITE_OK) {
        return sweep_store_fail(store, EXIT_INTERNAL, folder);
    }
    int status = execute_with(store, "INSERT OR IGNORE INTO origin VALUES (?)", folder);
    if (status == EXIT_HELD) {
        status = execute_with(store, "ATTACH ? AS shard", path);
    }
    if (status != EXIT_HELD) {
        return status;
    }
    for (size_t i = 0; status == EXIT_HELD && i < sizeof contradictions / sizeof *contradictions;
         i++) {
        status = contradicted(store, contradictions[i], folder, any_build);
    }
    if (status == EXIT_HELD && sqlite3_exec(store->db, copy, NULL, NULL, NULL) != SQLITE_OK) {
        status = sweep_store_fail(store, EXIT_INPUT, folder);
    }
    sqlite3_exec(store->db, "DETACH shard", NULL, NULL, NULL);
    return status;
}
