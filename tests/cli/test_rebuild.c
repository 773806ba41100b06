/*
 * `murphy rebuild` on a finished run: layers made anew from bronze are those that the stream made
 * (B4), audit streams verify and make the documents that are live (B8), and whatever is changed in
 * the file afterwards is found and named.
 *
 * The program is taken from $MURPHY, or from where `make` puts it beside this test.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/rebuilt_layers.h"
#include "sim/sqlite_host.h"

static char folder[] = "/tmp/murphy-rebuild-XXXXXX";
static char program[4096];
static char output[1 << 20], errors[1 << 16];
static sqlite3 *stores; /* of the run, to be tampered with */

/* ---- the program ---- */

static void find_program(void) {
    const char *named = getenv("MURPHY");
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 32);
    assert_true(length > 0);
    program[length] = '\0';
    for (int up = 0; up < 3; up++) { /* tests/cli/test_rebuild */
        *strrchr(program, '/') = '\0';
    }
    strcat(program, "/murphy");
    if (named != NULL) {
        snprintf(program, sizeof program, "%s", named);
    }
}

static void read_back(const char *name, char *into, size_t size) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(into, 1, size - 1, file);
    into[length] = '\0';
    fclose(file);
}

/* Runs `murphy ...`; leaves what it printed in output and errors, returns the exit status. */
static int murphy(const char *format, ...) {
    char arguments[1024], command[8192];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "'%s' %s >'%s/out' 2>'%s/err'", program, arguments, folder,
             folder);
    int status = system(command);
    assert_true(WIFEXITED(status));
    read_back("out", output, sizeof output);
    read_back("err", errors, sizeof errors);
    return WEXITSTATUS(status);
}

static void open_stores(void) {
    char path[256];
    snprintf(path, sizeof path, "%s/run/stores.db", folder);
    assert_int_equal(sqlite3_open(path, &stores), SQLITE_OK);
    assert_int_equal(sqlite3_exec(stores, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
}

static int set_up(void **state) {
    (void)state;
    find_program();
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    assert_int_equal(murphy("run calm-day --seed 1 --set workload.events=1000 --set "
                            "workload.listings=60 --out %s/run",
                            folder),
                     0);
    open_stores();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char command[256];
    sqlite3_close(stores);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

/* ---- tampering ---- */

/* Runs SQL that answers nothing; how many rows it changed. */
static int change(const char *format, ...) {
    va_list list;
    va_start(list, format);
    char *sql = sqlite3_vmprintf(format, list);
    va_end(list);
    char *error = NULL;
    if (sqlite3_exec(stores, sql, NULL, NULL, &error) != SQLITE_OK) {
        fail_msg("%s: %s", sql, error);
    }
    sqlite3_free(sql);
    return sqlite3_changes(stores);
}

/* A row of the table in the middle of those that are there at the end. */
static int64_t a_row_of(const char *table, bool changing) {
    sqlite3_stmt *s;
    char *sql = sqlite3_mprintf("SELECT rowid FROM \"%w\" %s ORDER BY rowid LIMIT 1 OFFSET"
                                " (SELECT count(*) / 2 FROM \"%w\" %s)",
                                table, changing ? "WHERE recorded_to_ns IS NULL" : "", table,
                                changing ? "WHERE recorded_to_ns IS NULL" : "");
    assert_int_equal(sqlite3_prepare_v2(stores, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t row = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_free(sql);
    return row;
}

/* Columns of a table; *changing says that it holds rows that ended too. */
static int columns_of(const char *table, char names[32][64], bool *changing) {
    sqlite3_stmt *s;
    int count = 0;
    char *sql = sqlite3_mprintf("SELECT * FROM \"%w\" LIMIT 0", table);
    assert_int_equal(sqlite3_prepare_v2(stores, sql, -1, &s, NULL), SQLITE_OK);
    *changing = false;
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        const char *name = sqlite3_column_name(s, i);
        *changing = *changing || strcmp(name, "recorded_to_ns") == 0;
        if (strncmp(name, "recorded_", 9) != 0) {
            snprintf(names[count++], sizeof names[0], "%s", name);
        }
    }
    sqlite3_finalize(s);
    sqlite3_free(sql);
    return count;
}

/* Changes one value of a row to another one of its type. */
static void alter(const char *table, const char *column, int64_t row) {
    int changed = change("UPDATE \"%w\" SET \"%w\" = CASE typeof(\"%w\") WHEN 'null' THEN 7"
                         " WHEN 'integer' THEN \"%w\" + 1 WHEN 'text' THEN \"%w\" || 'x'"
                         " ELSE x'00' END WHERE rowid = %lld",
                         table, column, column, column, column, (long long)row);
    assert_int_equal(changed, 1);
}

/* Keeps the table as it is, and puts that back. */
static void remember(const char *table) {
    change("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT rowid AS place, * FROM \"%w\"",
           table);
}

static void restore(const char *table, char names[32][64], int count) {
    char list[2048] = "";
    for (int i = 0; i < count; i++) {
        snprintf(list + strlen(list), sizeof list - strlen(list), ", \"%s\"", names[i]);
    }
    bool changing;
    char all[32][64];
    columns_of(table, all, &changing);
    strcat(list, changing ? ", recorded_from_ns, recorded_to_ns" : ", recorded_at_ns");
    change("DELETE FROM \"%w\"; INSERT INTO \"%w\"(rowid%s) SELECT place%s FROM kept;"
           "DROP TABLE kept",
           table, table, list, list);
}

/* ---- tests ---- */

/* Every row of every layer is what bronze says, and the command says how many were compared. */
static void a_run_is_what_bronze_says(void **state) {
    (void)state;
    assert_int_equal(murphy("rebuild %s/run --from bronze", folder), 0);
    assert_non_null(strstr(output, "EQUAL: every row is what bronze says."));
    assert_int_equal(murphy("rebuild %s/run --from bronze --json", folder), 0);
    assert_non_null(strstr(output, "\"verdict\": \"equal\""));
    for (int i = 0; i < REBUILT_LAYER_COUNT; i++) {
        assert_non_null(strstr(output, rebuilt_layer_table((enum rebuilt_layer)i)));
    }
    assert_null(strstr(output, "\"compared\": 0,"));
}

/* The same as of any moment within the run, for the layers that do not lag. */
static void at_any_moment_too(void **state) {
    (void)state;
    for (int hour = 1; hour < 24; hour += 4) {
        assert_int_equal(murphy("rebuild %s/run --from bronze --at +%dh --json", folder, hour), 0);
        assert_non_null(strstr(output, "\"gold_document\""));
        assert_null(strstr(output, "\"dashboard_sales\""));
    }
}

/* Whatever value is changed in whichever column of whichever layer, it is found, and the layer, the
 * column and what stands there are named. */
static void every_column_is_held(void **state) {
    (void)state;
    for (int i = 0; i < REBUILT_LAYER_COUNT; i++) {
        const char *table = rebuilt_layer_table((enum rebuilt_layer)i);
        char names[32][64];
        bool changing;
        int count = columns_of(table, names, &changing);
        int64_t row = a_row_of(table, changing);
        for (int c = 0; c < count; c++) {
            /* When a row was written is the store's business; what the raw bytes and their append
             * time are, the layers behind show. */
            if (strcmp(names[c], "written_at_ns") == 0 ||
                (i == REBUILT_BRONZE && (strcmp(names[c], "append_at_ns") == 0))) {
                continue;
            }
            remember(table);
            alter(table, names[c], row);
            int status = murphy("rebuild %s/run --from bronze --json", folder);
            if (status != 1 || strstr(output, "\"verdict\": \"different\"") == NULL) {
                fail_msg("a changed %s of %s was not found (exit %d): %s", names[c], table, status,
                         errors);
            }
            char column[128];
            snprintf(column, sizeof column, "\"column\": \"%.64s\"", names[c]);
            if (strstr(output, column) == NULL && strstr(output, "\"column\": null") == NULL) {
                fail_msg("%s of %s is not named", names[c], table);
            }
            assert_non_null(strstr(output, rebuilt_layer_name((enum rebuilt_layer)i)));
            restore(table, names, count);
        }
    }
    assert_int_equal(murphy("rebuild %s/run --from bronze", folder), 0);
}

/* A row that is gone is missing, one that is there twice is surplus, in every layer. */
static void rows_gone_and_doubled(void **state) {
    (void)state;
    for (int i = 0; i < REBUILT_LAYER_COUNT; i++) {
        const char *table = rebuilt_layer_table((enum rebuilt_layer)i);
        char names[32][64];
        bool changing;
        int count = columns_of(table, names, &changing);
        int64_t row = a_row_of(table, changing);
        if (i == REBUILT_BRONZE) { /* whatever it told, its place is empty then */
            row = 1;
        }
        remember(table);
        assert_int_equal(change("DELETE FROM \"%w\" WHERE rowid = %lld", table, (long long)row), 1);
        assert_int_equal(murphy("rebuild %s/run --from bronze --json", folder), 1);
        assert_non_null(strstr(output, "\"stored\": \"no row\""));
        restore(table, names, count);
        remember(table);
        change("INSERT INTO \"%w\" SELECT * FROM \"%w\" WHERE rowid = %lld", table, table,
               (long long)row);
        assert_int_equal(murphy("rebuild %s/run --from bronze --json", folder), 1);
        assert_non_null(strstr(output, "\"stored\": \"a row\""));
        restore(table, names, count);
    }
    assert_int_equal(murphy("rebuild %s/run --from bronze", folder), 0);
}

/* One layer can be asked for; what is wrong in another is then not its business. */
static void one_layer(void **state) {
    (void)state;
    char names[32][64];
    bool changing;
    int count = columns_of("gold_document", names, &changing);
    remember("gold_document");
    alter("gold_document", "title", a_row_of("gold_document", true));
    assert_int_equal(murphy("rebuild %s/run --from bronze --layer silver", folder), 0);
    assert_int_equal(murphy("rebuild %s/run --from bronze --layer silver --layer gold", folder), 1);
    assert_non_null(strstr(output, "gold: title of gold_document: listing_id "));
    assert_non_null(strstr(output, "DIFFERENT: 1 rows are not what bronze says."));
    assert_int_equal(murphy("rebuild %s/run --from bronze --limit 0", folder), 1);
    assert_non_null(strstr(output, "and 1 more"));
    restore("gold_document", names, count);
}

/* Values of the wrong type in bronze's places are differences, and no reason to stop. */
static void places_of_nowhere(void **state) {
    (void)state;
    static const char *const places[] = {
        "partition = 'seven'", "partition = 5000", "epoch = -1",           "epoch = 1.5",
        "\"offset\" = 'x'",    "\"offset\" = -9",  "topic = NULL",         "topic = 7",
        "value = NULL",        "value = 12",       "append_at_ns = 'noon'"};
    char names[32][64];
    bool changing;
    int count = columns_of("bronze_event", names, &changing);
    int64_t row = a_row_of("bronze_event", false);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        remember("bronze_event");
        change("UPDATE bronze_event SET %s WHERE rowid = %lld", places[i], (long long)row);
        if (murphy("rebuild %s/run --from bronze", folder) != 1) {
            fail_msg("bronze with %s passes: %s", places[i], errors);
        }
        restore("bronze_event", names, count);
    }
}

/* ---- audit streams ---- */

/* A listing whose stream has many events, and how many. */
static uint64_t a_long_stream(int64_t *events) {
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(stores,
                                        "SELECT listing_id, events FROM audit_head"
                                        " ORDER BY events DESC, listing_id LIMIT 1",
                                        -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    uint64_t id = (uint64_t)sqlite3_column_int64(s, 0);
    *events = sqlite3_column_int64(s, 1);
    sqlite3_finalize(s);
    assert_true(*events >= 8);
    return id;
}

/* The streams as they are verify, and replayed they are the documents that are live. */
static void streams_verify(void **state) {
    (void)state;
    int64_t events;
    uint64_t id = a_long_stream(&events);
    assert_int_equal(murphy("rebuild %s/run --from audit", folder), 0);
    assert_non_null(strstr(output, "as run.json anchors it"));
    assert_non_null(strstr(output, "VERIFIED"));
    assert_int_equal(murphy("rebuild %s/run --from audit --json", folder), 0);
    assert_non_null(strstr(output, "\"verdict\": \"verified\""));
    assert_non_null(strstr(output, "\"anchored\": true"));
    assert_int_equal(
        murphy("rebuild %s/run --from audit --listing %llu", folder, (unsigned long long)id), 0);
    assert_non_null(strstr(output, "VERIFIED"));
    assert_int_equal(murphy("rebuild %s/run/stores.db --from audit", folder), 0);
    assert_non_null(strstr(output, "as run.json anchors it"));
}

/* Tampers with the stream of the listing, sees that it is found with these words, and mends it. */
static void tamper(uint64_t id, const char *says, const char *format, ...) {
    char sql[1024], names[32][64], expected[256];
    bool changing;
    int count = columns_of("audit_event", names, &changing);
    va_list list;
    va_start(list, format);
    vsnprintf(sql, sizeof sql, format, list);
    va_end(list);
    remember("audit_event");
    change("%s", sql);
    snprintf(expected, sizeof expected, "listing %llu: %s", (unsigned long long)id, says);
    int status = murphy("rebuild %s/run --from audit", folder);
    if (status != 1 || strstr(output, expected) == NULL || strstr(output, "TAMPERED") == NULL) {
        fail_msg("%s\nexit %d, expected %s, said: %s%s", sql, status, expected, output, errors);
    }
    restore("audit_event", names, count);
}

/* Every column of an event is chained: a changed value is found, and the event is named. */
static void changed_event(void **state) {
    (void)state;
    int64_t events;
    uint64_t id = a_long_stream(&events);
    static const char *const columns[] = {"version = version + 1",
                                          "type = iif(type = 'media', 'listing', 'media')",
                                          "event_at_ns = event_at_ns - 1",
                                          "event_id = '0' || substr(event_id, 2, 34) || '7'",
                                          "visible = 1 - visible",
                                          "payload_sha256 = '00' || substr(payload_sha256, 3)",
                                          "digest = '00' || substr(digest, 3)"};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        tamper(id, "event 4 was changed",
               "UPDATE audit_event SET %s WHERE listing_id = %lld AND sequence = 4", columns[i],
               (long long)id);
    }
    static const char *const nonsense[] = {"event_id = 'me'", "visible = 2", "digest = NULL",
                                           "type = 'gossip'", "payload_sha256 = 12"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        tamper(id, "event 4 was changed: its columns are not those of an event",
               "UPDATE audit_event SET %s WHERE listing_id = %lld AND sequence = 4", nonsense[i],
               (long long)id);
    }
}

/* An event that was taken out, whether the others were numbered anew or not, and from the end. */
static void removed_event(void **state) {
    (void)state;
    int64_t events;
    uint64_t id = a_long_stream(&events);
    long long l = (long long)id;
    char says[64];
    tamper(id, "event 4 is missing: 5 comes after 3",
           "DELETE FROM audit_event WHERE listing_id = %lld AND sequence = 4", l);
    tamper(
        id, "event 4 was changed, or one before it taken out",
        "DELETE FROM audit_event WHERE listing_id = %lld AND sequence = 4;"
        "UPDATE audit_event SET sequence = sequence - 1 WHERE listing_id = %lld AND sequence > 4",
        l, l);
    tamper(id, "event 1 is missing",
           "DELETE FROM audit_event WHERE listing_id = %lld AND"
           " sequence = 1",
           l);
    snprintf(says, sizeof says, "event %lld is missing: the stream ends at", (long long)events);
    tamper(id, says, "DELETE FROM audit_event WHERE listing_id = %lld AND sequence = %lld", l,
           (long long)events);
    tamper(id, "event 1 is missing: the stream ends at 0",
           "DELETE FROM audit_event WHERE listing_id = %lld", l);
}

/* Two events that change places, with their numbers. */
static void moved_event(void **state) {
    (void)state;
    int64_t events;
    uint64_t id = a_long_stream(&events);
    long long l = (long long)id;
    tamper(id, "event 4 was moved: it stands as number 5",
           "UPDATE audit_event SET sequence = 9 - sequence WHERE listing_id = %lld AND sequence IN"
           " (4, 5)",
           l);
    tamper(id, "event 3 was moved: it stands as number 5",
           "UPDATE audit_event SET sequence = 8 - sequence WHERE listing_id = %lld AND sequence IN"
           " (3, 5)",
           l);
}

/* An event that was put in: a copy, one that is numbered into the stream, one behind the end. */
static void added_event(void **state) {
    (void)state;
    int64_t events;
    uint64_t id = a_long_stream(&events);
    long long l = (long long)id, last = (long long)events;
    char says[64];
    tamper(id, "event 4 is there twice",
           "INSERT INTO audit_event SELECT * FROM audit_event WHERE listing_id = %lld AND"
           " sequence = 4",
           l);
    tamper(
        id, "event 5 was put in: it is the one before it",
        "UPDATE audit_event SET sequence = sequence + 1 WHERE listing_id = %lld AND sequence > 4;"
        "INSERT INTO audit_event SELECT listing_id, 5, version, type, event_at_ns, event_id,"
        " visible, payload_sha256, digest, recorded_at_ns FROM audit_event WHERE"
        " listing_id = %lld AND sequence = 4",
        l, l);
    tamper(
        id, "event 5 was put in: the next one follows from the one before it",
        "UPDATE audit_event SET sequence = sequence + 1 WHERE listing_id = %lld AND sequence > 4;"
        "INSERT INTO audit_event SELECT listing_id, 5, version, type, event_at_ns, event_id,"
        " visible, payload_sha256, '00' || substr(digest, 3), recorded_at_ns FROM audit_event"
        " WHERE listing_id = %lld AND sequence = 4",
        l, l);
    snprintf(says, sizeof says, "event %lld was put in", last + 1);
    tamper(id, says,
           "INSERT INTO audit_event SELECT listing_id, %lld, version + 1, type, event_at_ns,"
           " event_id, visible, payload_sha256, digest, recorded_at_ns FROM audit_event WHERE"
           " listing_id = %lld AND sequence = %lld",
           last + 1, l, last);
}

/* Whoever cuts a stream and mends its head too does not reach the root that run.json anchors. */
static void forged_head(void **state) {
    (void)state;
    int64_t events;
    long long l = (long long)a_long_stream(&events), last = (long long)events;
    char names[32][64], heads[32][64];
    bool changing;
    int count = columns_of("audit_event", names, &changing);
    remember("audit_event");
    change("DELETE FROM audit_event WHERE listing_id = %lld AND sequence = %lld;"
           "CREATE TABLE forged AS SELECT * FROM audit_head;"
           "UPDATE audit_head SET events = %lld, digest = (SELECT digest FROM audit_event WHERE"
           " listing_id = %lld AND sequence = %lld) WHERE listing_id = %lld",
           l, last, last - 1, l, last - 1, l);
    assert_int_equal(murphy("rebuild %s/run --from audit", folder), 1);
    assert_non_null(strstr(output, "NOT the one that run.json anchors"));
    columns_of("audit_head", heads, &changing);
    change(
        "DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM forged; DROP TABLE forged");
    restore("audit_event", names, count);
    assert_int_equal(murphy("rebuild %s/run --from audit", folder), 0);
}

/* A raw record that was replaced or is gone, and a live document that is not what was said. */
static void payloads_and_the_model(void **state) {
    (void)state;
    int64_t events;
    uint64_t id = a_long_stream(&events);
    char names[32][64], says[160];
    bool changing;
    int count = columns_of("bronze_event", names, &changing);
    static const char *const changes[][2] = {
        {"bronze has other bytes than event", "UPDATE bronze_event SET value = x'00' WHERE"},
        {"bronze does not have the record of event", "DELETE FROM bronze_event WHERE"}};
    for (int i = 0; i < 2; i++) {
        remember("bronze_event");
        assert_int_equal(change("%s topic = 'listing-log' AND subject_id = %lld AND \"offset\" ="
                                " (SELECT max(version) - 1 FROM audit_event WHERE listing_id"
                                " = %lld)",
                                changes[i][1], (long long)id, (long long)id),
                         1);
        snprintf(says, sizeof says, "listing %llu: %s", (unsigned long long)id, changes[i][0]);
        assert_int_equal(murphy("rebuild %s/run --from audit --limit 100", folder), 1);
        assert_non_null(strstr(output, says));
        restore("bronze_event", names, count);
    }
    count = columns_of("gold_document", names, &changing);
    remember("gold_document");
    change("UPDATE gold_document SET price = price + 1 WHERE listing_id = %lld AND recorded_to_ns"
           " IS NULL",
           (long long)id);
    assert_int_equal(
        murphy("rebuild %s/run --from audit --listing %llu", folder, (unsigned long long)id), 1);
    assert_non_null(strstr(output, "price of gold_document"));
    assert_non_null(strstr(output, "TAMPERED: the streams hold, and gold is not what they make."));
    restore("gold_document", names, count);
}

/* What is no command and no run is refused in one sentence. */
static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *arguments;
        int status;
        const char *says;
    } cases[] = {
        {"", 64, "a RUN is missing"},
        {"/nowhere", 64, "say from what"},
        {"/nowhere --from", 64, "a value is missing after '--from'"},
        {"/nowhere --from tea", 64, "not from 'tea'"},
        {"/nowhere --from audit", 65, "there is no such run"},
        {"/nowhere --from audit --at +1h", 64, "this goes with --from bronze: '--at'"},
        {"/nowhere --from audit --layer gold", 64, "this goes with --from bronze: '--layer'"},
        {"/nowhere --from bronze --listing 7", 64, "this goes with --from audit: '--listing'"},
        {"/nowhere --from audit --listing x", 64, "a listing is a whole number, not 'x'"},
        {"/nowhere --from bronze", 65, "/nowhere: there is no such run"},
        {"/nowhere --from bronze --layer tin", 64, "there is no 'tin'"},
        {"/nowhere --from bronze --limit many", 64, "not 'many'"},
        {"/nowhere /else --from bronze", 64, "one RUN at a time"},
        {"/nowhere --all", 64, "there is no option '--all'"},
        {"/dev/null --from bronze", 65, "is not the stores.db of a run"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(murphy("rebuild %s", cases[i].arguments), cases[i].status);
        if (strstr(errors, cases[i].says) == NULL) {
            fail_msg("'%s' says: %s", cases[i].arguments, errors);
        }
        assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1);
        assert_string_equal(output, "");
    }
    assert_int_equal(murphy("rebuild %s/run --from bronze --at noon", folder), 64);
    assert_int_equal(murphy("rebuild --help"), 0);
    assert_int_equal(murphy("rebuild %s/run --from audit --listing 12", folder), 64);
    assert_non_null(strstr(errors, "no listing 12 has an event"));
    assert_string_equal(output, "");
    change("ALTER TABLE gold_document RENAME COLUMN title TO name");
    assert_int_equal(murphy("rebuild %s/run --from bronze", folder), 65);
    change("ALTER TABLE gold_document RENAME COLUMN name TO title");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_what_bronze_says),
        cmocka_unit_test(at_any_moment_too),
        cmocka_unit_test(every_column_is_held),
        cmocka_unit_test(rows_gone_and_doubled),
        cmocka_unit_test(one_layer),
        cmocka_unit_test(places_of_nowhere),
        cmocka_unit_test(streams_verify),
        cmocka_unit_test(changed_event),
        cmocka_unit_test(removed_event),
        cmocka_unit_test(moved_event),
        cmocka_unit_test(added_event),
        cmocka_unit_test(forged_head),
        cmocka_unit_test(payloads_and_the_model),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
