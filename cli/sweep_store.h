/*
 * Results of a sweep: the SQLite file sweep.db in its folder, or memory.
 *
 *   run    a row for each run: scenario, bug ('' for none), seed, verdict, trace_hash, end_state,
 *          wall_ns, cause, error, failed_checks and breached (JSON arrays), coverage, drawn and
 *          allowed (JSON objects), reproduce
 *   asked  what was asked for: a scenario's seeds from..to with a bug or none, of those a shard
 *   about  the version, the digest of the program, the planted bug, the settings: the same for
 *          all rows
 *   scenario  the digest of each scenario's file
 *
 * Every row is committed as it comes (write-ahead log), so a sweep that is killed at any moment
 * keeps all that it had. A folder is locked while a sweep is on it. A sweep that ended leaves one
 * file; one that was killed also leaves sweep.db-wal, which belongs to it.
 */
#ifndef MURPHY_CLI_SWEEP_STORE_H
#define MURPHY_CLI_SWEEP_STORE_H

#include <sqlite3.h>

#include "cli/sweep.h"

#define SWEEP_FILE "sweep.db"

struct sweep_store {
    sqlite3 *db;
    sqlite3_stmt *insert;
    int folder;      /* locked; -1: none */
    char error[640]; /* one sentence */
};

/* A run as it is in the store. Texts live until the next step. */
struct sweep_row {
    const char *scenario;
    const char *bug; /* NULL: none */
    uint64_t seed;
    struct sweep_outcome outcome;
    const char *reproduce;
};

/* Results in memory. All of these: an exit status, EXIT_HELD or with a sentence in `error`. */
int sweep_store_memory(struct sweep_store *store);
/* Opens or makes the one in a folder, which is made if need be. */
int sweep_store_open(struct sweep_store *store, const char *folder);
/* Makes one in a file of that name, for a time: without a lock or a log. */
int sweep_store_file(struct sweep_store *store, const char *path);
/* Opens the file in a folder for reading. */
int sweep_store_read(struct sweep_store *store, const char *folder);
/* Writes the request down. EXIT_USAGE when what is there was made by another build, bug, setting
 * or scenario text. */
int sweep_store_begin(struct sweep_store *store, const struct sweep *sweep);
int sweep_store_add(struct sweep_store *store, const struct sweep_row *row);
/* Adds all that a folder holds. EXIT_INPUT when it contradicts what is there: another version, bug
 * or setting, another build unless any will do, another text of a scenario, or the same scenario
 * and seed with another trace hash, end state or verdict; the error names both folders. */
int sweep_store_join(struct sweep_store *store, const char *folder, bool any_build);
/* Folds the log into the file. */
int sweep_store_finish(struct sweep_store *store);
void sweep_store_close(struct sweep_store *store);
/* In a forked process, which is not to hold the folder. */
void sweep_store_forked(struct sweep_store *store);

/* Sets the bit of each run of the sweep that is there; returns how many, or -1. */
int64_t sweep_store_marks(struct sweep_store *store, const struct sweep *sweep,
                          unsigned char *bits);

/* Steps a statement that selects SWEEP_ROW_COLUMNS. */
#define SWEEP_ROW_COLUMNS                                                                          \
    "scenario, bug, seed, verdict, trace_hash, end_state, wall_ns, cause, error, failed_checks, "  \
    "breached, coverage, drawn, allowed, reproduce"
void sweep_row_read(sqlite3_stmt *statement, struct sweep_row *row);

int sweep_store_fail(struct sweep_store *store, int status, const char *what);

#endif
