/*
 * SQLite on the simulation's clock and randomness (D1, D3), and the two small structures that the
 * SQLite fakes lean on: the id map and the journal of row states.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/prng.h"
#include "sim/row_journal.h"
#include "sim/sqlite_host.h"

static const vtime start = {INT64_C(1767571200) * VTIME_SECOND}; /* 2026-01-05 */

/* The single value of a query as text. */
static const char *answer(sqlite3 *db, const char *sql) {
    static char text[256];
    sqlite3_stmt *statement = 0;
    assert_int_equal(sqlite_host_prepare(db, sql, &statement), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    snprintf(text, sizeof(text), "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return text;
}

/* SQL's present is the virtual present, to the millisecond, and follows sqlite_host_set_time. */
static void time_is_virtual(void **state) {
    (void)state;
    sqlite3 *db = 0;
    assert_int_equal(sqlite_host_start(1, start), 0);
    assert_int_equal(sqlite_host_open(&db, SQLITE_HOST_MEMORY, 0), SQLITE_OK);
    assert_string_equal(answer(db, "SELECT datetime('now')"), "2026-01-05 00:00:00");
    sqlite_host_set_time(vtime_add(start, 90 * VTIME_MINUTE + 250 * VTIME_MILLISECOND));
    assert_string_equal(answer(db, "SELECT strftime('%Y-%m-%d %H:%M:%f','now')"),
                        "2026-01-05 01:30:00.250");
    sqlite_host_set_time((vtime){0});
    assert_string_equal(answer(db, "SELECT julianday('now')"), "2440587.5");
    sqlite3_close(db);
}

/* Two runs of one seed in one process draw the same numbers; another seed draws others. */
static void randomness_is_the_seeds(void **state) {
    (void)state;
    char drawn[3][256];
    const uint64_t seeds[3] = {7, 7, 8};
    for (int run = 0; run < 3; run++) {
        sqlite3 *db = 0;
        assert_int_equal(sqlite_host_start(seeds[run], start), 0);
        assert_int_equal(sqlite_host_open(&db, SQLITE_HOST_MEMORY, 0), SQLITE_OK);
        snprintf(drawn[run], sizeof(drawn[run]), "%s",
                 answer(db, "SELECT random() || ' ' || hex(randomblob(30))"));
        sqlite3_close(db);
    }
    assert_string_equal(drawn[0], drawn[1]);
    assert_string_not_equal(drawn[0], drawn[2]);
}

/* Sleep costs no time, and is counted. */
static void sleep_returns_at_once(void **state) {
    (void)state;
    sqlite_host_start(1, start);
    assert_int_equal(sqlite3_sleep(1500), 1500);
    assert_int_equal(sqlite_host_slept_ns(), 1500 * VTIME_MILLISECOND);
}

/* Files go through to the operating system, and a file opened for reading cannot be written. */
static void files_pass_through(void **state) {
    (void)state;
    char path[] = "/tmp/murphy-host-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    sqlite3 *db = 0;
    assert_int_equal(sqlite_host_open(&db, SQLITE_HOST_CREATE, path), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(42)", 0, 0, 0),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(sqlite_host_open(&db, SQLITE_HOST_READ, path), SQLITE_OK);
    assert_string_equal(answer(db, "SELECT x FROM t"), "42");
    assert_int_equal(sqlite3_exec(db, "INSERT INTO t VALUES(43)", 0, 0, 0), SQLITE_READONLY);
    sqlite3_close(db);
    unlink(path);
    assert_int_not_equal(sqlite_host_open(&db, SQLITE_HOST_READ, path), SQLITE_OK);
    assert_null(db);
}

/* Settings that could differ between machines are fixed. */
static void settings_are_fixed(void **state) {
    (void)state;
    sqlite3 *db = 0;
    assert_int_equal(sqlite_host_open(&db, SQLITE_HOST_MEMORY, 0), SQLITE_OK);
    assert_string_equal(answer(db, "PRAGMA page_size"), "16384");
    assert_string_equal(answer(db, "PRAGMA encoding"), "UTF-8");
    assert_string_equal(answer(db, "PRAGMA secure_delete"), "0");
    assert_string_equal(answer(db, "PRAGMA journal_mode"), "off");
    assert_true(sqlite3_memory_used() == 0);
    assert_true(sqlite3_soft_heap_limit64(-1) == 0);
    assert_true(sqlite3_get_autocommit(db) == 0);
    sqlite3_close(db);
}

/* A database that is opened for it rolls back to a savepoint. */
static void savepoints_are_undone(void **state) {
    (void)state;
    sqlite3 *db = 0;
    assert_int_equal(sqlite_host_open(&db, SQLITE_HOST_UNDO, 0), SQLITE_OK);
    assert_string_equal(answer(db, "PRAGMA journal_mode"), "memory");
    assert_true(sqlite3_get_autocommit(db) == 0);
    const char *steps = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SAVEPOINT s;"
                        " UPDATE t SET a = 2; INSERT INTO t VALUES(zeroblob(20000));"
                        " ROLLBACK TO s; RELEASE s;";
    assert_int_equal(sqlite3_exec(db, steps, 0, 0, 0), SQLITE_OK);
    assert_string_equal(answer(db, "SELECT group_concat(a) FROM t"), "1");
    sqlite3_close(db);
}

struct journal_case {
    struct row_journal journal;
    char seen[4096];
};

static int note_version(void *ctx, const struct row_version *v) {
    struct journal_case *c = ctx;
    size_t used = strlen(c->seen);
    snprintf(c->seen + used, sizeof(c->seen) - used, "%d.%d [%d,%d) %d %.*s;", (int)v->key.key,
             (int)v->key.copy, (int)v->from.ns, v->to.ns == INT64_MAX ? -1 : (int)v->to.ns,
             (int)v->cells[0].integer, (int)v->cells[1].text.len, v->cells[1].text.data);
    return 0;
}

static void put(struct journal_case *c, int at, int key, int copy, int number, const char *text) {
    struct cell cells[] = {cell_integer(number), cell_text(bytes_of(text)), cell_null()};
    assert_int_equal(row_journal_put(&c->journal, (vtime){at},
                                     (struct row_key){(uint64_t)key, (uint32_t)copy}, cells, 3),
                     0);
}

/* Each state holds until the row's next change or end; rows do not disturb each other. */
static void journal_gives_intervals(void **state) {
    (void)state;
    static struct journal_case c;
    row_journal_init(&c.journal, true);
    put(&c, 1, 9, 0, 90, "a");
    put(&c, 2, 5, 0, 50, "b");
    put(&c, 3, 9, 0, 91, "");
    put(&c, 3, 9, 1, 95, "copy");
    row_journal_gone(&c.journal, (vtime){4}, (struct row_key){5, 0});
    put(&c, 6, 5, 0, 51, "again");
    assert_int_equal(row_journal_each(&c.journal, note_version, &c), 0);
    assert_string_equal(c.seen, "5.0 [2,4) 50 b;5.0 [6,-1) 51 again;9.0 [1,3) 90 a;"
                                "9.0 [3,-1) 91 ;9.1 [3,-1) 95 copy;");
    row_journal_release(&c.journal);
}

/* A rewind forgets exactly what came after the mark, over chunk borders too. */
static void journal_rewinds(void **state) {
    (void)state;
    static struct journal_case c;
    static char large[600000];
    memset(large, 'x', sizeof(large) - 1);
    row_journal_init(&c.journal, true);
    struct journal_mark empty = row_journal_mark(&c.journal);
    put(&c, 1, 1, 0, 10, "kept");
    struct journal_mark mark = row_journal_mark(&c.journal);
    for (int i = 0; i < 4; i++) {
        put(&c, 2, 2, 0, 20, large);
    }
    row_journal_rewind(&c.journal, mark);
    put(&c, 3, 3, 0, 30, "after");
    assert_int_equal(row_journal_each(&c.journal, note_version, &c), 0);
    assert_string_equal(c.seen, "1.0 [1,-1) 10 kept;3.0 [3,-1) 30 after;");
    row_journal_rewind(&c.journal, empty);
    assert_int_equal(c.journal.count, 0);
    row_journal_release(&c.journal);
}

/* A journal that is off keeps nothing. */
static void journal_can_be_off(void **state) {
    (void)state;
    static struct journal_case c;
    row_journal_init(&c.journal, false);
    put(&c, 1, 1, 0, 10, "x");
    assert_int_equal(c.journal.count, 0);
    assert_null(c.journal.last);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_is_virtual),       cmocka_unit_test(randomness_is_the_seeds),
        cmocka_unit_test(sleep_returns_at_once), cmocka_unit_test(files_pass_through),
        cmocka_unit_test(settings_are_fixed),    cmocka_unit_test(journal_gives_intervals),
        cmocka_unit_test(savepoints_are_undone), cmocka_unit_test(journal_rewinds),
        cmocka_unit_test(journal_can_be_off),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
