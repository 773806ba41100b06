#include "sim/sqlite_host.h"

#include "sim/prng.h"

/* SQLite's epoch is noon of 24 November 4714 BC; this is 1970 in its milliseconds. */
#define JULIAN_1970_MS INT64_C(210866760000000)
#define DAY_MS 86400000.0

/* One per process, because SQLite's default VFS is. */
static struct {
    bool started;
    sqlite3_vfs *base;
    vtime now;
    int64_t slept_ns;
    struct prng random;
} host;

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *out_flags) {
    (void)vfs;
    return host.base->xOpen(host.base, name, file, flags, out_flags);
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    (void)vfs;
    return host.base->xDelete(host.base, name, sync);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result) {
    (void)vfs;
    return host.base->xAccess(host.base, name, flags, result);
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int capacity, char *out) {
    (void)vfs;
    return host.base->xFullPathname(host.base, name, capacity, out);
}

static int vfs_randomness(sqlite3_vfs *vfs, int count, char *out) {
    (void)vfs;
    for (int i = 0; i < count; i += 8) {
        uint64_t word = prng_next(&host.random);
        for (int k = i; k < count && k < i + 8; k++) {
            out[k] = (char)(word & 0xff);
            word >>= 8;
        }
    }
    return count;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds) {
    (void)vfs;
    host.slept_ns += microseconds * VTIME_MICROSECOND;
    return microseconds;
}

static int vfs_current_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *out) {
    (void)vfs;
    *out = JULIAN_1970_MS + host.now.ns / VTIME_MILLISECOND;
    return SQLITE_OK;
}

static int vfs_current_time(sqlite3_vfs *vfs, double *out) {
    sqlite3_int64 ms = 0;
    int rc = vfs_current_time_int64(vfs, &ms);
    *out = (double)ms / DAY_MS;
    return rc;
}

static int vfs_last_error(sqlite3_vfs *vfs, int capacity, char *out) {
    (void)vfs;
    return host.base->xGetLastError(host.base, capacity, out);
}

static sqlite3_vfs vfs = {
    .iVersion = 2,
    .zName = "murphy",
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_pathname,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_current_time,
    .xCurrentTimeInt64 = vfs_current_time_int64,
    .xGetLastError = vfs_last_error,
};

/* Settings that hold for the process; SQLite takes them only before its first use. */
static int configure(void) {
    if (sqlite3_config(SQLITE_CONFIG_MULTITHREAD) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK ||
        sqlite3_initialize() != SQLITE_OK) {
        return -1;
    }
    host.base = sqlite3_vfs_find(0);
    if (host.base == 0) {
        return -1;
    }
    vfs.szOsFile = host.base->szOsFile;
    vfs.mxPathname = host.base->mxPathname;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) {
        return -1;
    }
    host.started = true;
    return 0;
}

int sqlite_host_start(uint64_t seed, vtime now) {
    if (!host.started && configure() != 0) {
        return -1;
    }
    host.now = now;
    host.slept_ns = 0;
    prng_init(&host.random, seed, "sqlite");
    sqlite3_soft_heap_limit64(0);
    sqlite3_hard_heap_limit64(0);
    sqlite3_randomness(0, 0); /* forget what was drawn; the next draw asks the VFS for a seed */
    return 0;
}

void sqlite_host_set_time(vtime now) {
    host.now = now;
}

vtime sqlite_host_time(void) {
    return host.now;
}

int64_t sqlite_host_slept_ns(void) {
    return host.slept_ns;
}

int sqlite_host_open(sqlite3 **db, enum sqlite_host_mode mode, const char *name) {
    static const int flags[] = {
        [SQLITE_HOST_MEMORY] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        [SQLITE_HOST_UNDO] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        [SQLITE_HOST_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        [SQLITE_HOST_READ] = SQLITE_OPEN_READONLY,
    };
    static const char *const setup[] = {
        [SQLITE_HOST_MEMORY] = "PRAGMA page_size=16384; PRAGMA encoding='UTF-8';"
                               "PRAGMA secure_delete=OFF; PRAGMA auto_vacuum=NONE;"
                               "PRAGMA temp_store=MEMORY; PRAGMA journal_mode=OFF;"
                               "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; BEGIN;",
        [SQLITE_HOST_UNDO] = "PRAGMA page_size=4096; PRAGMA encoding='UTF-8';"
                             "PRAGMA secure_delete=OFF; PRAGMA auto_vacuum=NONE;"
                             "PRAGMA temp_store=MEMORY; PRAGMA journal_mode=MEMORY;"
                             "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; BEGIN;",
        [SQLITE_HOST_CREATE] = "PRAGMA page_size=4096; PRAGMA encoding='UTF-8';"
                               "PRAGMA secure_delete=OFF; PRAGMA auto_vacuum=NONE;"
                               "PRAGMA temp_store=MEMORY; PRAGMA journal_mode=OFF;"
                               "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF;"
                               "PRAGMA cache_size=-65536;",
        [SQLITE_HOST_READ] = "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536;",
    };
    *db = 0;
    if (!host.started && sqlite_host_start(0, (vtime){0}) != 0) {
        return SQLITE_MISUSE;
    }
    sqlite3 *opened = 0;
    bool in_memory = mode == SQLITE_HOST_MEMORY || mode == SQLITE_HOST_UNDO;
    int rc =
        sqlite3_open_v2(in_memory ? ":memory:" : name, &opened,
                        flags[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, "murphy");
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(opened, setup[mode], 0, 0, 0);
    }
    if (rc != SQLITE_OK) {
        sqlite3_close(opened);
        return rc;
    }
    *db = opened;
    return SQLITE_OK;
}

int sqlite_host_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out) {
    *out = 0;
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, 0);
}
