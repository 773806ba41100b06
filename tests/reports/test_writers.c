/* The writers: what run.json, the text summary and JUnit say, that hostile text cannot act, and
 * that a report appears whole or not at all (D9, D12, C7). */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reports/format.h"
#include "reports/json.h"
#include "reports/junit.h"
#include "reports/text.h"
#include "reports/unicode.h"
#include "tests/reports/fixture.h"

/* --- into memory -------------------------------------------------------------------------------
 */

struct memory {
    char *text;
    size_t size;
    FILE *out;
};

static FILE *memory_open(struct memory *m) {
    m->out = open_memstream(&m->text, &m->size);
    assert_non_null(m->out);
    return m->out;
}

static char *memory_take(struct memory *m) {
    assert_int_equal(fclose(m->out), 0);
    return m->text;
}

static char *text_of(const struct run_result *r, const struct run_text_options *options) {
    struct memory m;
    struct report_error error;
    assert_int_equal(run_text_write(r, options, memory_open(&m), &error), 0);
    return memory_take(&m);
}

static char *json_of(const struct run_result *r, const struct run_json_options *options) {
    struct memory m;
    struct report_error error;
    assert_int_equal(run_json_write(r, options, memory_open(&m), &error), 0);
    return memory_take(&m);
}

static char *junit_of(const struct run_result *r) {
    struct memory m;
    struct report_error error;
    assert_int_equal(run_junit_write(r, NULL, memory_open(&m), &error), 0);
    return memory_take(&m);
}

static size_t occurrences(const char *text, const char *what) {
    size_t n = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        n++;
    return n;
}

/* --- run.json ----------------------------------------------------------------------------------
 */

/* The keys of the contract, in their order, with their types. */
static void test_json_is_the_contract(void **state) {
    (void)state;
    static const char *const keys[] = {
        "murphy",         "scenario",        "seed",    "verdict",  "trace_hash",
        "end_state",      "virtual_seconds", "events",  "checks",   "slos",
        "reconciliation", "faults",          "reached", "reproduce"};
    struct run_result r;
    fixture_failed(&r);
    char *text = json_of(&r, NULL);
    json_error_t error;
    json_t *run = json_loads(text, 0, &error);
    assert_non_null(run);
    const char *before = text;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char quoted[40];
        snprintf(quoted, sizeof quoted, "\n  \"%s\":", keys[i]);
        const char *place = strstr(text, quoted);
        assert_non_null(place);
        assert_true(place >= before);
        before = place;
    }
    assert_string_equal(json_string_value(json_object_get(run, "verdict")), "fail");
    assert_int_equal(json_integer_value(json_object_get(run, "seed")), 7);
    assert_true(json_number_value(json_object_get(run, "virtual_seconds")) > 14399.9);
    json_t *events = json_object_get(run, "events");
    assert_int_equal(json_integer_value(json_object_get(events, "dead_lettered")), 3);
    json_t *end_states = json_object_get(run, "end_states");
    assert_string_equal(json_string_value(json_object_get(end_states, "gold")), "f1c2ab4d07e55318");
    json_t *drawn = json_object_get(run, "drawn");
    assert_string_equal(json_string_value(json_object_get(drawn, "vectors.profile")),
                        "milvus-like");
    json_t *allowances = json_object_get(run, "allowances"); /* needed once is needed */
    assert_int_equal(json_array_size(allowances), 2);
    assert_true(json_is_false(json_object_get(json_array_get(allowances, 0), "needed")));
    assert_true(json_is_true(json_object_get(json_array_get(allowances, 1), "needed")));
    json_t *reached = json_object_get(run, "reached");
    assert_int_equal(json_integer_value(json_object_get(reached, "kafka.zombie_fenced")), 0);
    json_decref(run);
    free(text);
    run_result_release(&r);
}

/* Each contract stands with its terms and the worst of them; the text names those that are broken
 * or waived (B2). */
static void test_contracts_are_told(void **state) {
    (void)state;
    static const char *const statuses[] = {"broken", "waived", "idle"};
    struct run_result r;
    fixture_failed(&r);
    char *text = json_of(&r, NULL);
    json_t *run = json_loads(text, 0, NULL);
    json_t *contracts = json_object_get(run, "contracts");
    assert_int_equal(json_array_size(contracts), 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *contract = json_array_get(contracts, i);
        assert_string_equal(json_string_value(json_object_get(contract, "status")), statuses[i]);
    }
    json_t *first = json_array_get(contracts, 0);
    assert_string_equal(json_string_value(json_object_get(first, "id")), "vectors");
    json_t *term = json_array_get(json_object_get(first, "terms"), 1);
    assert_string_equal(json_string_value(json_object_get(term, "wanted")), "95 % within 5m");
    assert_string_equal(json_string_value(json_object_get(term, "status")), "held");
    assert_int_equal(run_contracts_with(&r, RUN_TERM_HELD), 0);
    json_decref(run);
    free(text);
    text = text_of(&r, NULL);
    assert_non_null(strstr(text, "Contracts  0 of 3 held, 1 broken, 1 waived"));
    assert_non_null(strstr(text, "vectors 1.0.0, of search: freshness 1h4m, wanted something"));
    free(text);
    run_result_release(&r);
}

/* A check and an objective carry the contract's fields; what has no data is null. */
static void test_json_checks_and_slos(void **state) {
    (void)state;
    struct run_result r;
    fixture_failed(&r);
    char *text = json_of(&r, NULL);
    json_t *run = json_loads(text, 0, NULL);
    json_t *check = json_array_get(json_object_get(run, "checks"), 1);
    assert_string_equal(json_string_value(json_object_get(check, "status")), "fail");
    assert_string_equal(json_string_value(json_object_get(check, "at")),
                        "2026-01-01T01:14:00.123Z");
    assert_non_null(strstr(json_string_value(json_object_get(check, "evidence")), "\x1b[31m"));
    check = json_array_get(json_object_get(run, "checks"), 8);
    assert_string_equal(json_string_value(json_object_get(check, "status")), "no_data");
    assert_true(json_is_null(json_object_get(check, "at")));
    json_t *slo = json_array_get(json_object_get(run, "slos"), 0);
    assert_string_equal(json_string_value(json_object_get(slo, "status")), "breached");
    assert_true(json_number_value(json_object_get(slo, "budget_remaining")) < -0.79);
    slo = json_array_get(json_object_get(run, "slos"), 4);
    assert_string_equal(json_string_value(json_object_get(slo, "status")), "no_data");
    assert_true(json_is_null(json_object_get(slo, "observed")));
    assert_true(json_is_null(json_object_get(slo, "budget_remaining")));
    json_decref(run);
    free(text);
    run_result_release(&r);
}

/* One count per class, and what is left after repair. */
static void test_json_reconciliation(void **state) {
    (void)state;
    struct run_result r;
    fixture_failed(&r);
    char *text = json_of(&r, NULL);
    json_t *run = json_loads(text, 0, NULL);
    json_t *rec = json_object_get(run, "reconciliation");
    json_t *classes = json_object_get(rec, "classes");
    assert_int_equal(json_object_size(classes), RUN_DRIFT_COUNT);
    assert_int_equal(json_integer_value(json_object_get(classes, "suppressed_served")), 5);
    assert_int_equal(json_integer_value(json_object_get(rec, "repaired")), 72);
    assert_int_equal(json_integer_value(json_object_get(rec, "remaining")), 3);
    assert_string_equal(json_string_value(json_object_get(rec, "status")), "drift");
    json_decref(run);
    free(text);
    run_result_release(&r);
    fixture_empty(&r);
    text = json_of(&r, NULL);
    run = json_loads(text, 0, NULL);
    rec = json_object_get(run, "reconciliation");
    assert_string_equal(json_string_value(json_object_get(rec, "status")), "no_data");
    assert_true(json_is_null(json_object_get(rec, "remaining")));
    assert_true(json_is_null(json_object_get(json_object_get(rec, "classes"), "missing")));
    json_decref(run);
    free(text);
    run_result_release(&r);
}

/* Only wall_seconds differs between two runs of a seed, and it can be left out. */
static void test_json_differs_in_wall_time_only(void **state) {
    (void)state;
    struct run_result a, b;
    const struct run_json_options without = {.without_wall = true, .with_series = true};
    fixture_failed(&a);
    fixture_failed(&b);
    b.wall_ns = 1;
    char *first = json_of(&a, &without), *second = json_of(&b, &without);
    assert_string_equal(first, second);
    assert_null(strstr(first, "wall_seconds"));
    free(second);
    second = json_of(&b, NULL);
    assert_non_null(strstr(second, "\"wall_seconds\""));
    free(first);
    free(second);
    run_result_release(&a);
    run_result_release(&b);
}

/* Series appear when asked for, with null where there was no data. */
static void test_json_series(void **state) {
    (void)state;
    struct run_result r;
    fixture_failed(&r);
    const struct run_json_options with = {.with_series = true};
    char *text = json_of(&r, &with);
    json_t *run = json_loads(text, 0, NULL);
    json_t *series = json_object_get(run, "series");
    assert_int_equal(json_array_size(series), 9);
    json_t *points = json_object_get(json_array_get(series, 3), "points");
    size_t nulls = 0, index;
    json_t *point;
    json_array_foreach(points, index, point) {
        nulls += json_is_null(json_array_get(point, 1));
    }
    assert_true(nulls > 10 && nulls < index);
    json_decref(run);
    free(text);
    run_result_release(&r);
}

/* Seeds beyond JSON's integers keep every digit; figures that are no numbers become null. */
static void test_json_extremes(void **state) {
    (void)state;
    struct run_result r;
    fixture_passed(&r);
    r.seed = UINT64_MAX;
    run_result_add_slo(&r, &(struct run_slo){.name = "nan",
                                             .unit = "s",
                                             .objective = 1,
                                             .observed = (double)NAN,
                                             .status = RUN_SLO_BREACHED});
    run_result_count_fault(&r, "bad \xff key", UINT64_MAX);
    run_result_count_reached(&r, "bad \xff key", 1);
    char *text = json_of(&r, NULL);
    json_t *run = json_loads(text, 0, NULL);
    assert_non_null(run);
    assert_string_equal(json_string_value(json_object_get(run, "seed")), "18446744073709551615");
    assert_true(
        json_is_null(json_object_get(json_array_get(json_object_get(run, "slos"), 1), "observed")));
    json_decref(run);
    free(text);
    run_result_release(&r);
}

static long json_allocations_left;

static void *failing_malloc(size_t size) {
    return json_allocations_left-- > 0 ? malloc(size) : NULL;
}

/* Whichever allocation of jansson fails, the writer says so and leaves no file; at last it
 * succeeds. */
static void test_json_survives_lack_of_memory(void **state) {
    (void)state;
    struct run_result r;
    fixture_passed(&r);
    json_set_alloc_funcs(failing_malloc, free);
    int status = -1;
    long n = 0;
    for (; status != 0 && n < 100000; n++) {
        struct report_error error = {""};
        struct memory m;
        json_allocations_left = n;
        status = run_json_write(&r, NULL, memory_open(&m), &error);
        free(memory_take(&m));
        assert_true(status == 0 || strstr(error.text, "memory ran out"));
    }
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(status, 0);
    assert_true(n > 100);
    run_result_release(&r);
}

/* --- text --------------------------------------------------------------------------------------
 */

/* No line is wider than a terminal, in any variant, whatever the run says. */
static void test_text_fits_80_columns(void **state) {
    (void)state;
    static void (*const fixtures[])(struct run_result *) = {fixture_failed, fixture_passed,
                                                            fixture_empty};
    char huge[3000];
    memset(huge, 'w', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    for (int variant = 0; variant < 6; variant++) {
        struct run_result r;
        const struct run_text_options options = {.ascii = variant >= 3};
        fixtures[variant % 3](&r);
        run_result_add_check(&r, &(struct run_check){.name = huge,
                                                     .kind = huge,
                                                     .status = (enum run_check_status)(variant % 3),
                                                     .expected = huge,
                                                     .observed = FIXTURE_HOSTILE FIXTURE_HOSTILE,
                                                     .evidence = huge});
        run_result_add_slo(&r, &(struct run_slo){.name = huge, .unit = huge, .objective = 1e300});
        run_result_add_alert(&r, &(struct run_alert){.name = huge, .subject = huge, .at_ns = 1});
        run_result_freshness(&r, huge, INT64_MAX);
        run_result_add_store_drift(&r,
                                   &(struct run_store_drift){huge, RUN_DRIFT_STALE, 1, UINT32_MAX});
        run_result_count_fault(&r, huge, UINT64_MAX);
        run_result_count_event(&r, huge, UINT64_MAX);
        r.about = run_result_text(&r, FIXTURE_HOSTILE FIXTURE_HOSTILE FIXTURE_HOSTILE);
        r.scenario = r.bug = run_result_text(&r, huge);
        char *text = text_of(&r, &options);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            if (unicode_text_width(line) > 80)
                fail_msg("%zu columns: %s", unicode_text_width(line), line);
            for (const char *c = line; *c && options.ascii; c++)
                assert_true(*c >= ' ' && *c <= '~');
        }
        free(text);
        run_result_release(&r);
    }
}

/* The verdict comes first, the command last; a failure shows before what held; nothing in evidence
 * reaches the terminal raw. */
static void test_text_order(void **state) {
    (void)state;
    struct run_result r;
    fixture_failed(&r);
    char *text = text_of(&r, NULL);
    static const char *const order[] = {
        "FAIL  bad-day", "Broken on purpose", "\nFailed",         "no_deleted_listing_served",
        "event 81204",   "\nNo data",         "erasure_complete", "\nHeld",
        "\nObjectives",  "\nFreshness",       "\nReconciliation", "\nCosts",
        "murphy run"};
    const char *place = text;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        place = strstr(place, order[i]);
        assert_non_null(place);
    }
    assert_int_equal(strncmp(text, "FAIL", 4), 0);
    assert_null(strchr(text, '\x1b'));
    assert_null(strstr(text, "\xE2\x80\xAE"));
    assert_null(strchr(text, '\xff'));
    assert_non_null(strstr(text, "\\x1B[31mred \\u202Etxet"));
    free(text);
    run_result_release(&r);
}

/* What a run cost stands in the text and in run.json: embeddings made and avoided, vectors written
 * and rows of which only metadata were, and writes that the stores rejected as stale (A5, A7, A9).
 */
static void test_costs_are_told(void **state) {
    (void)state;
    static const char *const keys[] = {"embeddings_made", "embeddings_reused", "embeddings_avoided",
                                       "vectors_written", "metadata_writes",   "stale_rejected"};
    static const json_int_t figures[] = {4120, 77, 11204, 9001, 3222, 412};
    struct run_result r;
    fixture_failed(&r);
    char *text = text_of(&r, NULL);
    assert_non_null(strstr(text, "4,120 made, 11,204 avoided"));
    assert_non_null(strstr(text, "77 embeddings were kept from before"));
    assert_non_null(strstr(text, "9,001 vectors, 3,222 metadata only, 412 stale ones rejected"));
    char *printed = json_of(&r, NULL);
    json_t *json = json_loads(printed, 0, NULL);
    json_t *costs = json_object_get(json, "costs");
    assert_int_equal(json_object_size(costs), sizeof keys / sizeof *keys);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_int_equal(json_integer_value(json_object_get(costs, keys[i])), figures[i]);
    }
    json_decref(json);
    free(printed);
    free(text);
    run_result_release(&r);
}

/* The command survives its line breaks: a shell that joins the lines sees the same words. */
static void test_text_command_can_be_copied(void **state) {
    (void)state;
    struct run_result r;
    fixture_failed(&r);
    char *text = text_of(&r, NULL), joined[1000] = "";
    const char *c = strstr(text, "\n  murphy run");
    assert_non_null(c);
    size_t used = 0;
    for (c += 3; *c && *c != '\n'; c++) {
        if (strncmp(c, " \\\n", 3) == 0) {
            c += 3;
            while (c[1] == ' ')
                c++;
        }
        joined[used++] = *c;
    }
    assert_string_equal(joined, r.reproduce);
    free(text);
    run_result_release(&r);
}

/* Without data nothing is ticked off, in any report. */
static void test_no_data_is_no_pass(void **state) {
    (void)state;
    struct run_result r;
    run_result_init(&r);
    run_result_add_check(&r, &(struct run_check){.name = "only", .kind = "safety"});
    run_result_add_slo(&r, &(struct run_slo){.name = "slo", .unit = "s", .objective = 1});
    run_result_freshness(&r, "vector", 1);
    r.verdict = run_result_judge(&r);
    char *text = text_of(&r, NULL);
    assert_null(strstr(text, "PASS"));
    assert_null(strstr(text, "\xE2\x9C\x93"));
    assert_int_equal(occurrences(text, "\n? "), 3);
    free(text);
    text = json_of(&r, NULL);
    assert_null(strstr(text, "\"pass\""));
    assert_null(strstr(text, "\"met\""));
    free(text);
    text = junit_of(&r);
    assert_non_null(strstr(text, "tests=\"2\" failures=\"0\" errors=\"2\""));
    assert_int_equal(occurrences(text, "<error "), 2);
    free(text);
    run_result_release(&r);
}

/* Colour only when asked for. */
static void test_text_colour(void **state) {
    (void)state;
    struct run_result r;
    fixture_passed(&r);
    const struct run_text_options colour = {.colour = true};
    char *text = text_of(&r, &colour);
    assert_int_equal(strncmp(text, "\x1b[1;32mPASS\x1b[0m", 15), 0);
    free(text);
    text = text_of(&r, NULL);
    assert_null(strchr(text, '\x1b'));
    free(text);
    run_result_release(&r);
}

/* Counts, durations, moments and figures each have one form. */
static void test_formats(void **state) {
    (void)state;
    assert_string_equal(format_count(0).text, "0");
    assert_string_equal(format_count(999).text, "999");
    assert_string_equal(format_count(UINT64_MAX).text, "18,446,744,073,709,551,615");
    assert_string_equal(format_duration(0).text, "0 s");
    assert_string_equal(format_duration(740000).text, "740 us");
    assert_string_equal(format_duration(12512345).text, "12.5 ms");
    assert_string_equal(format_duration(-3204 * INT64_C(1000000)).text, "-3.20 s");
    assert_string_equal(format_duration(300 * FIXTURE_SECOND).text, "5 min");
    assert_string_equal(format_duration(245 * FIXTURE_SECOND).text, "4 min 05 s");
    assert_string_equal(format_duration(123 * FIXTURE_MINUTE).text, "2 h 03 min");
    assert_string_equal(format_duration(INT64_MIN).text, "-106751 d 23 h");
    assert_string_equal(format_moment(FIXTURE_START).text, "2026-01-01T00:00:00.000Z");
    assert_string_equal(format_moment(INT64_C(1709251199999000000)).text,
                        "2024-02-29T23:59:59.999Z");
    assert_string_equal(format_moment(-1).text, "1969-12-31T23:59:59.999Z");
    assert_string_equal(format_moment(0).text, "-");
    assert_string_equal(format_figure(0.9995, "ratio").text, "99.95 %");
    assert_string_equal(format_figure(1, "ratio").text, "100 %");
    assert_string_equal(format_figure((double)NAN, "s").text, "-");
    assert_string_equal(format_figure(12, "events").text, "12 events");
    assert_string_equal(format_share(1, 0).text, "-");
    struct run_result r;
    run_result_init(&r);
    r.start_ns = FIXTURE_START;
    r.virtual_ns = FIXTURE_SPAN;
    assert_string_equal(format_run_moment(&r, FIXTURE_AT(74) + 123000000).text, "T+01:14:00.123");
    r.virtual_ns = 100 * 1440 * FIXTURE_MINUTE;
    assert_string_equal(format_run_moment(&r, FIXTURE_AT(74)).text, "2026-01-01 01:14");
    run_result_release(&r);
}

/* Any bytes decode to code points that encode to well-formed UTF-8, and decoding always advances.
 */
static void test_unicode_survives_any_bytes(void **state) {
    (void)state;
    uint64_t seed = 77;
    for (int round = 0; round < 2000; round++) {
        char bytes[40];
        size_t n = fixture_next(&seed) % (sizeof bytes - 1);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(1 + fixture_next(&seed) % 255);
        bytes[n] = '\0';
        char *clean = unicode_clean(bytes);
        assert_non_null(clean);
        json_t *accepted = json_string(clean);
        assert_non_null(accepted);
        json_decref(accepted);
        free(clean);
    }
    const char *cut = "\xE6\x97";
    assert_int_equal(unicode_next(&cut), UNICODE_REPLACEMENT);
    const char *surrogate = "\xED\xA0\x80";
    assert_int_equal(unicode_next(&surrogate), UNICODE_REPLACEMENT);
}

/* --- JUnit -------------------------------------------------------------------------------------
 */

/* Parses the text with xmllint when it is installed. */
static void assert_well_formed(const char *xml) {
    if (system("command -v xmllint >/dev/null 2>&1") != 0)
        return;
    char path[] = "/tmp/murphy-junit-XXXXXX", command[80];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, xml, strlen(xml)), (ssize_t)strlen(xml));
    close(fd);
    snprintf(command, sizeof command, "xmllint --noout %s", path);
    int status = system(command);
    unlink(path);
    assert_int_equal(status, 0);
}

/* One case per check and objective; failures carry their evidence, escaped; the file is XML. */
static void test_junit(void **state) {
    (void)state;
    struct run_result r;
    fixture_failed(&r);
    char *xml = junit_of(&r);
    assert_well_formed(xml);
    assert_non_null(
        strstr(xml, "<testsuite name=\"bad-day\" tests=\"18\" failures=\"5\" errors=\"2\""));
    assert_int_equal(occurrences(xml, "<testcase "), 18);
    assert_int_equal(occurrences(xml, "<failure "), 5);
    assert_int_equal(occurrences(xml, "<error "), 2);
    assert_int_equal(occurrences(xml, "<skipped"), 0);
    assert_non_null(strstr(xml, "&lt;script&gt;alert(&#39;x&#39;)"));
    assert_non_null(strstr(xml, "\\x1B[31mred"));
    assert_null(strstr(xml, "<script"));
    assert_null(strchr(xml, '\x1b'));
    free(xml);
    run_result_release(&r);
}

/* A run that checked nothing has a case of its own, which is an error. */
static void test_junit_empty_run_is_an_error(void **state) {
    (void)state;
    struct run_result r;
    fixture_empty(&r);
    char *xml = junit_of(&r);
    assert_well_formed(xml);
    assert_non_null(strstr(xml, "tests=\"1\" failures=\"0\" errors=\"1\""));
    assert_int_equal(occurrences(xml, "<error "), 1);
    free(xml);
    run_result_release(&r);
}

/* --- files -------------------------------------------------------------------------------------
 */

static size_t files_in(const char *folder) {
    size_t n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static int failing_writer(const struct run_result *r, const void *options, FILE *out,
                          struct report_error *error) {
    (void)r;
    (void)options;
    fputs("half a rep", out);
    return report_fail(error, "The disk was full.");
}

/* A failed save leaves what was there and no temporary file, and its sentence names the path. */
static void test_save_is_all_or_nothing(void **state) {
    (void)state;
    char folder[] = "/tmp/murphy-save-XXXXXX", path[64], text[16] = "";
    struct report_error error;
    struct run_result r;
    fixture_passed(&r);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/run.json", folder);
    assert_int_equal(report_save(failing_writer, &r, NULL, path, &error), -1);
    assert_int_equal(files_in(folder), 0);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, "The disk was full."));

    assert_int_equal(run_json_save(&r, NULL, path, &error), 0);
    assert_int_equal(files_in(folder), 1);
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(report_save(failing_writer, &r, NULL, path, &error), -1);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(files_in(folder), 1);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_int_equal(fread(text, 1, 1, in), 1);
    assert_int_equal(text[0], '{');
    fclose(in);

    /* A folder in the way: the rename fails, the temporary file goes. */
    unlink(path);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_int_equal(run_text_save(&r, NULL, path, &error), -1);
    assert_int_equal(files_in(folder), 1);
    rmdir(path);
    assert_int_equal(run_junit_save(&r, NULL, "/nonexistent/folder/j.xml", &error), -1);
    assert_non_null(strstr(error.text, "/nonexistent/folder/j.xml"));
    rmdir(folder);
    run_result_release(&r);
}

/* A full device is noticed, not taken for success. */
static void test_write_errors_are_noticed(void **state) {
    (void)state;
    struct report_error error;
    struct run_result r;
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        skip();
    fixture_passed(&r);
    assert_int_equal(run_text_write(&r, NULL, full, &error), -1);
    assert_int_equal(run_json_write(&r, NULL, full, &error), -1);
    assert_int_equal(run_junit_write(&r, NULL, full, &error), -1);
    fclose(full);
    run_result_release(&r);
}

/* A result that lost something is refused by every writer: it could look like a pass. */
static void test_incomplete_result_is_refused(void **state) {
    (void)state;
    struct report_error error;
    struct run_result r;
    fixture_passed(&r);
    r.allocations_left = 0;
    char huge[9000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_int_equal(run_result_add_check(&r, &(struct run_check){.evidence = huge}), -1);
    struct memory m;
    FILE *out = memory_open(&m);
    assert_int_equal(run_text_write(&r, NULL, out, &error), -1);
    assert_int_equal(run_json_write(&r, NULL, out, &error), -1);
    assert_int_equal(run_junit_write(&r, NULL, out, &error), -1);
    free(memory_take(&m));
    assert_int_equal(m.size, 0);
    run_result_release(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_is_the_contract),
        cmocka_unit_test(test_contracts_are_told),
        cmocka_unit_test(test_json_checks_and_slos),
        cmocka_unit_test(test_json_reconciliation),
        cmocka_unit_test(test_json_differs_in_wall_time_only),
        cmocka_unit_test(test_json_series),
        cmocka_unit_test(test_json_extremes),
        cmocka_unit_test(test_json_survives_lack_of_memory),
        cmocka_unit_test(test_text_fits_80_columns),
        cmocka_unit_test(test_text_order),
        cmocka_unit_test(test_costs_are_told),
        cmocka_unit_test(test_text_command_can_be_copied),
        cmocka_unit_test(test_no_data_is_no_pass),
        cmocka_unit_test(test_text_colour),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_unicode_survives_any_bytes),
        cmocka_unit_test(test_junit),
        cmocka_unit_test(test_junit_empty_run_is_an_error),
        cmocka_unit_test(test_save_is_all_or_nothing),
        cmocka_unit_test(test_write_errors_are_noticed),
        cmocka_unit_test(test_incomplete_result_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
