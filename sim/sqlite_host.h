/*
 * SQLite inside a simulation: a VFS whose clock and randomness are the simulation's, and the one
 * way to open a database (D1, D3).
 *
 * SQLite asks its VFS for the time (datetime('now')), for sleep and for randomness (random(),
 * journal nonces). The VFS "murphy" answers from a virtual clock and from a generator seeded per
 * run, and hands files through to the default VFS. It is made the default, because SQLite seeds its
 * process-wide generator from the default VFS; sqlite_host_start resets that generator, so two runs
 * in one process draw the same numbers.
 *
 * Memory behaves the same everywhere: no statistics, no shared cache, no heap limit, no secure
 * delete, a fixed page size and text encoding; nothing is read from the environment.
 *
 * In-memory databases live in one transaction that is opened here and never ends: a transaction
 * per request cost 0.9 us of 1.8 us measured. They are for one thread.
 *
 * Limit: in a process's first open of a file SQLite resets its generator once more. Open files
 * (finished stores) outside of runs only; runs use in-memory databases.
 */
#ifndef MURPHY_SIM_SQLITE_HOST_H
#define MURPHY_SIM_SQLITE_HOST_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline/vtime.h"

/*
 * Begins a run: sets the clock and seeds randomness. Must be the first use of SQLite in the
 * process; later calls begin later runs. 0, or -1 when SQLite was already in use by others or has
 * no memory. Databases that are open stay usable.
 */
int sqlite_host_start(uint64_t seed, vtime now);

/* What SQLite takes for the present. Also moves it back. */
void sqlite_host_set_time(vtime now);
vtime sqlite_host_time(void);

/* Total time that SQLite asked to sleep; it never did. */
int64_t sqlite_host_slept_ns(void);

enum sqlite_host_mode {
    SQLITE_HOST_MEMORY, /* a database of this run, name ignored; a transaction is open, and nothing
                           in it is ever rolled back: there is no journal to do it with */
    SQLITE_HOST_UNDO,   /* the same with savepoints that can be rolled back to; its pages are
                           small, since each that a savepoint sees changed is copied */
    SQLITE_HOST_CREATE, /* a file; written without a rollback journal, for temp-and-rename */
    SQLITE_HOST_READ,   /* an existing file, never written */
};

/*
 * Opens a database; starts the host with seed 0 at time 0 if nobody did. Returns SQLITE_OK or a
 * SQLite error code with *db NULL. Close with sqlite3_close.
 */
int sqlite_host_open(sqlite3 **db, enum sqlite_host_mode mode, const char *name);

/* Prepares one statement that will be used often. SQLITE_OK or an error with *out NULL. */
int sqlite_host_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out);

#endif
