/*
 * Loading scenarios: what a file becomes, and what is said of one that breaks a rule (D12).
 *
 * Folder bad/: each NAME.json is refused with the sentence in NAME.txt, word for word.
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

#include "pipeline/utf8.h"
#include "scenarios/scenario.h"
#include "scenarios/scenario_files.h"
#include "sim/prng.h"

#define BAD "tests/scenarios/bad"
#define FEW "tests/scenarios/few"
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* A file that is gone after the test. */
struct written {
    char path[64];
};

static struct written write_file(const char *text, size_t length) {
    struct written file = {"/tmp/murphy-scenario-XXXXXX"};
    int fd = mkstemp(file.path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), (ssize_t)length);
    close(fd);
    return file;
}

static int load_text(const char *text, struct scenario *out, struct scenario_error *error) {
    struct written file = write_file(text, strlen(text));
    int failed = scenario_load(file.path, "scenarios", NULL, 0, out, error);
    unlink(file.path);
    return failed;
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static char text[1 << 20];
    *length = fread(text, 1, sizeof text - 1, file);
    text[*length] = '\0';
    fclose(file);
    return text;
}

/* ---- Bad files ---- */

/* A list of known names in a sentence grows: MURPHY_WRITE=1 writes the sentences anew, to be read
 * before they are kept. */
static void keep_sentence(const char *name, const char *sentence) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s.txt", BAD, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "%s\n", sentence);
    assert_int_equal(fclose(file), 0);
}

/* Each bad file gives its sentence, and nothing of it is used. */
static void bad_files_are_refused_word_for_word(void **state) {
    (void)state;
    struct scenario_names names;
    struct scenario_error error;
    assert_int_equal(scenario_names_read(BAD, &names, &error), 0);
    assert_true(names.count > 100);
    for (size_t i = 0; i < names.count; i++) {
        char path[200];
        size_t length;
        struct scenario scenario, nothing = {0};
        snprintf(path, sizeof path, "%s/%s.txt", BAD, names.names[i]);
        char *expected = read_file(path, &length);
        expected[strcspn(expected, "\n")] = '\0';
        snprintf(path, sizeof path, "%s/%s.json", BAD, names.names[i]);
        if (scenario_load(path, "scenarios", NULL, 0, &scenario, &error) == 0) {
            fail_msg("%s was taken", path);
        }
        if (getenv("MURPHY_WRITE") != NULL) {
            keep_sentence(names.names[i], error.text);
        } else {
            assert_string_equal(error.text, expected);
        }
        assert_memory_equal(&scenario, &nothing, sizeof nothing);
    }
    scenario_names_release(&names);
}

static void assert_refused_in(const char *directory, const char *name_or_file,
                              const char *sentence) {
    struct scenario scenario;
    struct scenario_error error;
    assert_int_equal(scenario_load(name_or_file, directory, NULL, 0, &scenario, &error), -1);
    assert_string_equal(error.text, sentence);
    assert_null(scenario.memory);
}

static void assert_refused(const char *name_or_file, const char *sentence) {
    assert_refused_in("scenarios", name_or_file, sentence);
}

/* A name or file that is not there: what there is instead. */
static void missing_files_name_what_there_is(void **state) {
    (void)state;
    assert_refused("calm-dya", "there is no scenario \"calm-dya\"; did you mean \"calm-day\"?");
    assert_refused_in(FEW, "nowhere", "there is no scenario \"nowhere\"; there are alpha, beta");
    assert_refused_in(FEW, "", "there is no scenario \"\"; there are alpha, beta");
    assert_refused_in("no/such", "alpha", "there is no scenario \"alpha\"");
    assert_refused(FEW "/gamma.json",
                   FEW "/gamma.json: there is no such file; there are alpha, beta");
    assert_refused(FEW "/apha.json",
                   FEW "/apha.json: there is no such file; did you mean \"alpha\"?");
    assert_refused("no/such/folder.json", "no/such/folder.json: there is no such file");
    assert_refused("scenarios/", "scenarios/: is a directory, not a scenario file");
    assert_refused("./scenarios", "./scenarios: is a directory, not a scenario file");
    assert_refused("scenarios/calm-day.json/x",
                   "scenarios/calm-day.json/x: cannot be opened: Not a directory");
}

/* Scenarios are listed by name; schemas and other files are none. */
static void lists_are_sorted(void **state) {
    (void)state;
    struct scenario_list list;
    struct scenario_error error;
    assert_int_equal(scenario_list_load(FEW, &list, &error), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.entries[0].name, "alpha");
    assert_string_equal(list.entries[0].about, "the first");
    assert_string_equal(list.entries[1].name, "beta");
    scenario_list_release(&list);
    assert_null(list.entries);
    /* One that cannot be read spoils the list. */
    assert_int_equal(scenario_list_load(BAD, &list, &error), -1);
    assert_non_null(strstr(error.text, ".json:"));
    assert_int_equal(list.count, 0);
}

/* A file past the limit is not read into memory. */
static void large_files_are_refused(void **state) {
    (void)state;
    size_t size = (1 << 20) + 1;
    char *spaces = malloc(size);
    assert_non_null(spaces);
    memset(spaces, ' ', size);
    struct written file = write_file(spaces, size);
    char expected[200];
    snprintf(expected, sizeof expected, "%s: is larger than 1 MiB, which no scenario is",
             file.path);
    assert_refused(file.path, expected);
    unlink(file.path);
    free(spaces);
}

/* A folder of scenarios that is not there. */
static void missing_folders_are_named(void **state) {
    (void)state;
    struct scenario_list list;
    struct scenario_error error;
    assert_int_equal(scenario_list_load("no/such", &list, &error), -1);
    assert_string_equal(error.text, "no/such: no folder of scenarios: No such file or directory");
    assert_int_equal(list.count, 0);
}

/* ---- Random damage ---- */

/* One sentence: one line of valid UTF-8 that is not empty. */
static void assert_sentence(const struct scenario_error *error) {
    size_t length = strlen(error->text);
    assert_true(length > 0 && length < sizeof error->text);
    assert_int_equal(utf8_valid_prefix(bytes_of(error->text)), length);
    assert_null(strchr(error->text, '\n'));
}

/* However a file is damaged, it is taken or refused with a sentence; the sanitizers watch. */
static void damaged_files_are_taken_or_refused(void **state) {
    (void)state;
    static const char *const files[] = {"scenarios/bad-day.json", "scenarios/stalled-feed.json",
                                        "scenarios/dual-write-drift.json"};
    struct prng random;
    prng_init(&random, 1, "damage");
    size_t refused = 0;
    for (int i = 0; i < 3000; i++) {
        size_t length;
        char *text = read_file(files[i % (int)COUNT_OF(files)], &length);
        for (uint64_t hits = 1 + prng_below(&random, 3); hits > 0; hits--) {
            size_t at = (size_t)prng_below(&random, length);
            switch (prng_below(&random, 4)) {
            case 0:
                text[at] = (char)prng_below(&random, 256);
                break;
            case 1:
                text[at] = "{}[]\",:0-\\ .e"[prng_below(&random, 13)];
                break;
            case 2:
                length = at + 1;
                break;
            default:
                memmove(text + at, text + at + 1, length - at - 1);
                length = length > 1 ? length - 1 : 1;
            }
        }
        struct written file = write_file(text, length);
        struct scenario scenario;
        struct scenario_error error;
        if (scenario_load(file.path, "scenarios", NULL, 0, &scenario, &error) != 0) {
            assert_sentence(&error);
            refused++;
        }
        scenario_release(&scenario);
        unlink(file.path);
    }
    assert_true(refused > 2000 && refused < 3000);
}

/* ---- Good files ---- */

/* Everything that a file can say arrives where it belongs. */
static void every_value_arrives(void **state) {
    (void)state;
    static const char text[] =
        "{\"about\": \"x\", \"name\": \"all\", \"explore_ties\": true,\n"
        "\"workload\": {\"start\": \"2026-01-02T03:04:05Z\", \"duration\": \"6h\", \"listings\": 7,"
        " \"events\": 1e3, \"sellers\": 3, \"catalogue_load\": \"5m\", \"mix\": {\"delete\": 9},"
        " \"skew_quarters\": 8, \"media_first\": \"60%\", \"media_lead\": \"1h\","
        " \"media_lag\": \"2h\", \"description_words\": 11},\n"
        "\"pipeline\": {\"partitions\": 3, \"workers\": {\"builder\": 5}, \"model_version\": 2,"
        " \"allowed_lateness\": \"3h\", \"late_batch\": \"4h\", \"checkpoint\": \"6s\","
        " \"session_timeout\": \"7s\", \"offset_reset\": {\"loader\": \"latest\"},"
        " \"fetch_records\": 8, \"embed_batch\": 9, \"backlog\": 10,"
        " \"embed_requests\": 3, \"backfill_in_flight\": 4,"
        " \"retry_base\": \"11ms\", \"retry_max\": \"12s\", \"dashboard\": \"13s\","
        " \"watch\": \"14s\", \"feeds\": {\"orders\": {\"warn\": \"15s\", \"error\": \"16s\"}},"
        " \"volume\": {\"window\": \"17m\", \"deletes_min\": 18, \"factor\": 19}},\n"
        "\"faults\": [{\"kind\": \"sink-crash\", \"sink\": \"log\", \"point\": \"half\","
        " \"ratio\": \"2/6\", \"down\": \"20s\", \"from\": \"21s\", \"until\": \"22s\"},"
        " {\"kind\": \"worker-pause\", \"worker\": \"loader\", \"every\": \"23s\","
        " \"down\": \"24s\"},"
        " {\"kind\": \"late-records\", \"feed\": \"seller-policy\", \"ratio\": 0.25,"
        " \"delay\": \"25s\"}],\n"
        "\"probes\": {\"every\": \"26s\", \"queries\": 27, \"ef\": 28},\n"
        "\"reconcile\": {\"at_end\": false, \"at\": [\"29s\", \"30s\"], \"every\": \"31m\","
        " \"cutoff\": \"32s\", \"settle\": \"33s\", \"passes\": 34, \"repair\": false},\n"
        "\"objectives\": {\"freshness_p95\": \"35s\", \"gone_within\": \"36s\","
        " \"recall\": 0.9, \"search_p95\": \"37ms\", \"availability\": \"99%\","
        " \"convergence\": \"38m\", \"needless_embeddings\": \"1/1000\"},\n"
        "\"expect\": {\"alerts\": [{\"name\": \"feed-freshness\", \"topic\": \"orders\","
        " \"state\": \"warn\", \"after\": \"39s\", \"before\": \"40s\", \"cleared\": true,"
        " \"evidence\": \"y\"}], \"drift\": [{\"store\": \"keyword\", \"class\": \"stale\","
        " \"min\": 41}], \"breached\": [\"search_p95\"]}}";
    struct scenario s;
    struct scenario_error error;
    if (load_text(text, &s, &error) != 0) {
        fail_msg("%s", error.text);
    }
    assert_string_equal(s.name, "all");
    assert_string_equal(s.about, "x");
    assert_true(s.explore_ties);

    assert_int_equal(s.workload.start.ns, INT64_C(1767323045) * VTIME_SECOND);
    assert_int_equal(s.workload.duration_ns, 6 * VTIME_HOUR);
    assert_int_equal(s.workload.listings, 7);
    assert_int_equal(s.workload.events, 1000);
    assert_int_equal(s.workload.sellers, 3);
    assert_int_equal(s.workload.catalogue_load_ns, 5 * VTIME_MINUTE);
    assert_int_equal(s.workload.weight_delete, 9);
    assert_int_equal(s.workload.weight_price, 600);
    assert_int_equal(s.workload.skew_quarters, 8);
    assert_int_equal(s.workload.media_first_percent, 60);
    assert_int_equal(s.workload.media_lead_ns_max, VTIME_HOUR);
    assert_int_equal(s.workload.media_lag_ns_max, 2 * VTIME_HOUR);
    assert_int_equal(s.workload.description_words, 11);
    assert_null(s.workload.file);

    assert_int_equal(s.pipeline.partitions, 3);
    assert_int_equal(s.workers[MACHINE_BUILDER], 5);
    assert_int_equal(s.workers[MACHINE_ROUTER], 1);
    assert_int_equal(s.pipeline.model_version, 2);
    assert_int_equal(s.pipeline.allowed_lateness_ns, 3 * VTIME_HOUR);
    assert_int_equal(s.pipeline.late_batch_interval_ns, 4 * VTIME_HOUR);
    assert_int_equal(s.pipeline.checkpoint_interval_ns, 6 * VTIME_SECOND);
    assert_int_equal(s.session_timeout_ns, 7 * VTIME_SECOND);
    assert_int_equal(s.offset_reset[MACHINE_LOADER], OFFSET_RESET_LATEST);
    assert_int_equal(s.offset_reset[MACHINE_ROUTER], OFFSET_RESET_NONE);
    assert_int_equal(s.pipeline.fetch_records_max, 8);
    assert_int_equal(s.pipeline.embed_batch_max, 9);
    assert_int_equal(s.pipeline.backlog_max, 10);
    assert_int_equal(s.pipeline.embed_requests_max, 3);
    assert_int_equal(s.pipeline.backfill_in_flight_max, 4);
    assert_int_equal(s.pipeline.retry_base_ns, 11 * VTIME_MILLISECOND);
    assert_int_equal(s.pipeline.retry_max_ns, 12 * VTIME_SECOND);
    assert_int_equal(s.pipeline.dashboard_interval_ns, 13 * VTIME_SECOND);
    assert_int_equal(s.pipeline.watch_interval_ns, 14 * VTIME_SECOND);
    assert_int_equal(s.pipeline.feed_warn_ns[TOPIC_ORDER], 15 * VTIME_SECOND);
    assert_int_equal(s.pipeline.feed_error_ns[TOPIC_ORDER], 16 * VTIME_SECOND);
    assert_int_equal(s.pipeline.feed_error_ns[TOPIC_MEDIA], 0);
    assert_int_equal(s.pipeline.volume_window_ns, 17 * VTIME_MINUTE);
    assert_int_equal(s.pipeline.volume_deletes_min, 18);
    assert_int_equal(s.pipeline.volume_factor, 19);

    assert_int_equal(s.fault_count, 3);
    assert_int_equal(s.faults[0].kind, FAULT_SINK_CRASH);
    assert_int_equal(s.faults[0].sink, SINK_LOG);
    assert_int_equal(s.faults[0].point, POINT_HALF);
    assert_int_equal(s.faults[0].ratio_num, 1);
    assert_int_equal(s.faults[0].ratio_den, 3);
    assert_int_equal(s.faults[0].down_ns, 20 * VTIME_SECOND);
    assert_int_equal(s.faults[0].from_ns, 21 * VTIME_SECOND);
    assert_int_equal(s.faults[0].until_ns, 22 * VTIME_SECOND);
    assert_int_equal(s.faults[1].worker, MACHINE_LOADER);
    assert_int_equal(s.faults[1].every_ns, 23 * VTIME_SECOND);
    assert_int_equal(s.faults[1].down_ns, 24 * VTIME_SECOND);
    assert_int_equal(s.faults[2].feed, TOPIC_POLICY);
    assert_int_equal(s.faults[2].ratio_den, 4);
    assert_int_equal(s.faults[2].delay_ns, 25 * VTIME_SECOND);
    assert_int_equal(s.faults[2].until_ns, 0);

    assert_int_equal(s.probe_every_ns, 26 * VTIME_SECOND);
    assert_int_equal(s.probe_queries, 27);
    assert_int_equal(s.probe_ef, 28);
    assert_false(s.reconcile_at_end);
    assert_int_equal(s.reconcile_at_count, 2);
    assert_int_equal(s.reconcile_at_ns[1], 30 * VTIME_SECOND);
    assert_int_equal(s.pipeline.reconcile_interval_ns, 31 * VTIME_MINUTE);
    assert_int_equal(s.pipeline.reconcile_cutoff_ns, 32 * VTIME_SECOND);
    assert_int_equal(s.pipeline.reconcile_settle_ns, 33 * VTIME_SECOND);
    assert_int_equal(s.pipeline.reconcile_passes_max, 34);
    assert_true(s.pipeline.reconcile_repair_off);

    assert_int_equal(s.objectives.freshness_p95_ns, 35 * VTIME_SECOND);
    assert_int_equal(s.objectives.gone_within_ns, 36 * VTIME_SECOND);
    assert_int_equal(s.objectives.recall_ppm, 900000);
    assert_int_equal(s.objectives.search_p95_ns, 37 * VTIME_MILLISECOND);
    assert_int_equal(s.objectives.availability_ppm, 990000);
    assert_int_equal(s.objectives.convergence_ns, 38 * VTIME_MINUTE);
    assert_int_equal(s.objectives.needless_embeddings_ppm, 1000);

    assert_int_equal(s.alert_count, 1);
    assert_string_equal(s.alerts[0].name, "feed-freshness");
    assert_string_equal(s.alerts[0].topic, "orders");
    assert_int_equal(s.alerts[0].state, ALERT_WARN);
    assert_int_equal(s.alerts[0].after_ns, 39 * VTIME_SECOND);
    assert_int_equal(s.alerts[0].before_ns, 40 * VTIME_SECOND);
    assert_true(s.alerts[0].cleared);
    assert_string_equal(s.alerts[0].evidence, "y");
    assert_int_equal(s.drift_count, 1);
    assert_int_equal(s.drifts[0].store, SCAN_KEYWORD);
    assert_int_equal(s.drifts[0].drift, DRIFT_STALE);
    assert_int_equal(s.drifts[0].min, 41);
    assert_int_equal(s.breached_count, 1);
    assert_string_equal(s.breached[0], "search_p95");
    scenario_release(&s);
    assert_null(s.memory);
}

/* Defaults of the loader are those of the pipeline. */
static void defaults_are_those_of_the_pipeline(void **state) {
    (void)state;
    struct scenario s;
    struct scenario_error error;
    assert_int_equal(load_text("{\"about\": \"x\"}", &s, &error), 0);
    struct pipeline_config none = {0};
    struct pipeline_config wanted = pipeline_config_with_defaults(&none);
#define SAME(member) assert_int_equal(s.pipeline.member, wanted.member)
    SAME(partitions);
    SAME(model_version);
    SAME(allowed_lateness_ns);
    SAME(late_batch_interval_ns);
    SAME(checkpoint_interval_ns);
    SAME(fetch_records_max);
    SAME(embed_batch_max);
    SAME(backlog_max);
    SAME(embed_requests_max);
    SAME(backfill_in_flight_max);
    SAME(retry_base_ns);
    SAME(retry_max_ns);
    SAME(dashboard_interval_ns);
    SAME(watch_interval_ns);
    SAME(volume_window_ns);
    SAME(volume_deletes_min);
    SAME(volume_factor);
    SAME(reconcile_interval_ns);
    SAME(reconcile_cutoff_ns);
    SAME(reconcile_settle_ns);
    SAME(reconcile_passes_max);
    SAME(reconcile_repair_off);
    SAME(batch_interval_ns);
    SAME(batch_page_rows);
#undef SAME
    assert_int_equal(s.session_timeout_ns, 45 * VTIME_SECOND);
    assert_int_equal(s.objectives.freshness_p95_ns, 5 * VTIME_MINUTE);
    assert_int_equal(s.objectives.gone_within_ns, 5 * VTIME_MINUTE);
    assert_int_equal(s.objectives.availability_ppm, 999000);
    assert_int_equal(s.objectives.convergence_ns, 150 * VTIME_MINUTE);
    assert_int_equal(s.objectives.recall_ppm, 0);
    assert_int_equal(s.probe_every_ns, 0);
    assert_true(s.reconcile_at_end);
    assert_int_equal(s.fault_count, 0);
    assert_memory_equal(s.name, "murphy-scenario-", strlen("murphy-scenario-"));
    scenario_release(&s);
}

/* Each scenario that is shipped loads, under its own name. */
static void shipped_scenarios_load(void **state) {
    (void)state;
    struct scenario_list list;
    struct scenario_error error;
    assert_int_equal(scenario_list_load("scenarios", &list, &error), 0);
    assert_true(list.count >= 9);
    for (size_t i = 0; i < list.count; i++) {
        struct scenario_setting file = {"workload.file=changes.jsonl"};
        struct scenario s;
        bool replay = strcmp(list.entries[i].name, "real-catalogue") == 0;
        if (scenario_load(list.entries[i].name, "scenarios", &file, replay, &s, &error) != 0) {
            fail_msg("%s", error.text);
        }
        assert_string_equal(s.name, list.entries[i].name);
        assert_string_equal(s.about, list.entries[i].about);
        scenario_release(&s);
    }
    scenario_list_release(&list);
    assert_null(list.entries);
}

/* bad-day has the size that its benchmark promises. */
static void bad_day_has_its_size(void **state) {
    (void)state;
    struct scenario s;
    struct scenario_error error;
    assert_int_equal(scenario_load("bad-day", "scenarios", NULL, 0, &s, &error), 0);
    assert_int_equal(s.workload.duration_ns, 4 * VTIME_HOUR);
    assert_int_equal(s.workload.listings, 2000);
    assert_int_equal(s.workload.events, 20000);
    scenario_release(&s);
}

/* ---- Settings ---- */

static const char small[] = "{\n"
                            "  \"about\": \"x\",\n"
                            "  \"workload\": {\"listings\": 10, \"events\": 100},\n"
                            "  \"faults\": [{\"kind\": \"dual-write\", \"ratio\": \"1/2\"}]\n"
                            "}\n";

static int load_with(const char *setting, struct scenario *out, struct scenario_error *error) {
    struct written file = write_file(small, strlen(small));
    struct scenario_setting settings[] = {{setting}};
    int failed = scenario_load(file.path, "scenarios", settings, 1, out, error);
    unlink(file.path);
    return failed;
}

static struct scenario loaded_with(const char *setting) {
    struct scenario s;
    struct scenario_error error;
    if (load_with(setting, &s, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return s;
}

/* A value is replaced or added, objects and elements on the way with it. */
static void settings_replace_and_add(void **state) {
    (void)state;
    struct scenario s = loaded_with("workload.events=77");
    assert_int_equal(s.workload.events, 77);
    scenario_release(&s);
    s = loaded_with("workload.duration=2h");
    assert_int_equal(s.workload.duration_ns, 2 * VTIME_HOUR);
    scenario_release(&s);
    s = loaded_with("workload.duration=\"2h\"");
    assert_int_equal(s.workload.duration_ns, 2 * VTIME_HOUR);
    scenario_release(&s);
    s = loaded_with("faults[0].ratio=0.25");
    assert_int_equal(s.faults[0].ratio_den, 4);
    scenario_release(&s);
    s = loaded_with("faults[1]={\"kind\": \"sink-outage\", \"sink\": \"log\"}");
    assert_int_equal(s.fault_count, 2);
    assert_int_equal(s.faults[1].sink, SINK_LOG);
    scenario_release(&s);
    s = loaded_with("pipeline.workers.builder=4");
    assert_int_equal(s.workers[MACHINE_BUILDER], 4);
    scenario_release(&s);
    s = loaded_with("faults=[]");
    assert_int_equal(s.fault_count, 0);
    scenario_release(&s);
    s = loaded_with("about=a = b");
    assert_string_equal(s.about, "a = b");
    scenario_release(&s);
}

/* Later settings win, and build on earlier ones. */
static void settings_apply_in_order(void **state) {
    (void)state;
    static const struct scenario_setting settings[] = {
        {"workload.events=77"},
        {"workload.events=88"},
        {"faults[1].kind=sink-outage"},
        {"faults[1].sink=state"},
        {"expect.drift[0]={\"store\": \"gold\", \"class\": \"stale\"}"},
    };
    struct scenario s;
    struct scenario_error error;
    struct written file = write_file(small, strlen(small));
    assert_int_equal(
        scenario_load(file.path, "scenarios", settings, COUNT_OF(settings), &s, &error), 0);
    unlink(file.path);
    assert_int_equal(s.workload.events, 88);
    assert_int_equal(s.faults[1].sink, SINK_STATE);
    assert_int_equal(s.drift_count, 1);
    scenario_release(&s);
}

/* A replay says what to give; a file is looked for beside the scenario, or here. */
static void replays_ask_for_their_file(void **state) {
    (void)state;
    assert_refused("real-catalogue", "real-catalogue needs a file of changes: give --set "
                                     "workload.file=PATH (JSONL, plain or gzip)");
    struct scenario s = loaded_with("workload={\"kind\": \"replay\", \"file\": \"x.jsonl\"}");
    assert_string_equal(s.workload.file, "x.jsonl");
    assert_int_equal(s.workload.spread_ns, VTIME_HOUR);
    assert_int_equal(s.workload.start.ns, 0);
    assert_int_equal(s.workload.duration_ns, 0);
    scenario_release(&s);

    struct scenario_error error;
    assert_int_equal(load_text("{\"about\": \"x\", \"workload\": {\"kind\": \"replay\", "
                               "\"file\": \"changes/x.jsonl\"}}",
                               &s, &error),
                     0);
    assert_string_equal(s.workload.file, "/tmp/changes/x.jsonl");
    scenario_release(&s);
    assert_int_equal(load_text("{\"about\": \"x\", \"workload\": {\"kind\": \"replay\", "
                               "\"file\": \"/x.jsonl\"}}",
                               &s, &error),
                     0);
    assert_string_equal(s.workload.file, "/x.jsonl");
    scenario_release(&s);
}

/* What is wrong with a setting is said of the setting; of the file, where the file is to blame. */
static void wrong_settings_are_named(void **state) {
    (void)state;
    static const struct {
        const char *setting;
        const char *sentence;
    } cases[] = {
        {"workload.evnts=5", "unknown key; did you mean \"events\"?"},
        {"wrkload.events=5", "wrkload: unknown key; did you mean \"workload\"?"},
        {"workload.events=many", "takes a whole number from 1 to 100000000, not \"many\""},
        {"workload.events=NaN", "takes a whole number from 1 to 100000000, not \"NaN\""},
        {"workload.events=", "takes a whole number from 1 to 100000000, not \"\""},
        {"workload={\"events\": 0}",
         "workload.events: takes a whole number from 1 to 100000000, not 0"},
        {"workload=5", "takes an object, not 5"},
        {"workload.events.min=5", "workload.events is no object, so it has no keys"},
        {"workload[0]=5", "workload is no list, so it has no [0]"},
        {"faults.kind=x", "faults is no object, so it has no keys"},
        {"faults[3]={}", "the next element of faults is [1]"},
        {"faults[1].ratio=1", "faults[1]: the key \"kind\" is missing: what goes wrong"},
        {"faults[0].rato=1", "unknown key; did you mean \"ratio\"?"},
        {"faults[0].from=5h", "begins after the traffic, which lasts 4h"},
        {"expect.breached=[\"recall\"]",
         "expect.breached[0]: recall is not judged, so it cannot be breached"},
        {"events", "give PATH=VALUE, as in workload.events=5000"},
        {"=5", "give PATH=VALUE, as in workload.events=5000"},
        {"a..b=5", "the path is written as in workload.events or faults[0].ratio"},
        {"faults[x]=5", "the path is written as in workload.events or faults[0].ratio"},
        {"about=caf\xe9", "is not UTF-8"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scenario s;
        struct scenario_error error;
        assert_int_equal(load_with(cases[i].setting, &s, &error), -1);
        assert_memory_equal(error.text, "--set ", strlen("--set "));
        const char *colon = strstr(error.text, ": ");
        while (colon != NULL && strcmp(colon + 2, cases[i].sentence) != 0) {
            colon = strstr(colon + 2, ": ");
        }
        if (colon == NULL) {
            fail_msg("--set %s: %s", cases[i].setting, error.text);
        }
        assert_null(s.memory);
    }
    struct scenario s;
    struct scenario_error error;
    assert_int_equal(load_with("workload.listings=5000", &s, &error), -1);
    assert_non_null(strstr(error.text, ":3:42: workload.events: creating 5000 listings takes"));
}

/* Random settings are taken or refused with a sentence. */
static void random_settings_are_taken_or_refused(void **state) {
    (void)state;
    static const char *const pieces[] = {"workload", "faults", "[0]",   "[1]", ".",      "ratio",
                                         "events",   "kind",   "=",     "=",   "5",      "null",
                                         "{}",       "[]",     "\"x\"", "1h",  "expect", "drift"};
    struct prng random;
    prng_init(&random, 1, "settings");
    for (int i = 0; i < 5000; i++) {
        char setting[200] = "";
        for (uint64_t n = 1 + prng_below(&random, 7); n > 0; n--) {
            strcat(setting, pieces[prng_below(&random, COUNT_OF(pieces))]);
        }
        struct scenario_setting settings[] = {{setting}};
        struct scenario s;
        struct scenario_error error;
        if (scenario_load("stalled-feed", "scenarios", settings, 1, &s, &error) != 0) {
            assert_sentence(&error);
        }
        scenario_release(&s);
    }
}

/* The swarm has every kind of fault, but for those whose row in the table says why not; and every
 * store, feed and worker that it strikes is struck by something that it may do without (D5). */
static void swarm_has_every_kind(void **state) {
    (void)state;
    struct scenario scenario;
    struct scenario_error error;
    assert_int_equal(scenario_load("swarm", "scenarios", NULL, 0, &scenario, &error), 0);
    assert_true(scenario.swarm && scenario.focus_ppm > 0);
    bool has[FAULT_KIND_COUNT] = {false};
    for (size_t i = 0; i < scenario.fault_count; i++) {
        has[scenario.faults[i].kind] = true;
        assert_false(scenario.faults[i].always);
    }
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        const struct fault_about *about = &fault_table()[kind];
        if (has[kind] != (about->no_swarm[0] == '\0')) {
            fail_msg("%s: %s", about->name,
                     has[kind] ? "the table says why a swarm does without it"
                               : "scenarios/swarm.json lacks it, and the table does not say why");
        }
    }
    scenario_release(&scenario);
}

/* What the swarm does without since only a reconciliation or the nightly batch makes it good
 * strikes in swarm-repaired, which waits for both; but for what is left for an operator, and what
 * is left wrong in collections that readers are not led to, and what takes a version of the code
 * that no swarm has. */
static void what_is_repaired_has_a_swarm(void **state) {
    (void)state;
    static const enum fault_kind without[] = {
        FAULT_UNCLEAN_LEADER,  FAULT_MODEL_DRIFT,       FAULT_SILENT_MODEL,
        FAULT_EARLY_RETENTION, FAULT_UPSERT_DUPLICATES, FAULT_ROWS_LOST,
        FAULT_ROWS_SPOILED,    FAULT_ROWS_RETURN,       FAULT_ROTTEN_STATE};
    struct scenario scenario;
    struct scenario_error error;
    assert_int_equal(scenario_load("swarm-repaired", "scenarios", NULL, 0, &scenario, &error), 0);
    assert_true(scenario.swarm && scenario.focus_ppm > 0);
    bool has[FAULT_KIND_COUNT] = {false};
    for (size_t i = 0; i < scenario.fault_count; i++) {
        has[scenario.faults[i].kind] = true;
    }
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        assert_false(has[without[i]]);
        has[without[i]] = true;
    }
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        if (fault_table()[kind].no_swarm[0] != '\0' && !has[kind]) {
            fail_msg("%s is in neither swarm", fault_table()[kind].name);
        }
    }
    scenario_release(&scenario);
}

/* For every kind of fault there is a scenario in which it strikes on every seed and which catches
 * one of the bugs that take the kind's protection away (D4, D5). */
static void every_kind_is_shown(void **state) {
    (void)state;
    struct scenario_list list;
    struct scenario_error error;
    assert_int_equal(scenario_list_load("scenarios", &list, &error), 0);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        const char *name = fault_table()[kind].name;
        bool shown = false;
        for (size_t i = 0; i < list.count; i++) {
            for (int bug = 0; bug < BUG_COUNT; bug++) {
                shown = shown || scenario_entry_shows(&list.entries[i], (enum fault_kind)kind,
                                                      (enum bug_id)bug);
            }
        }
        if (!shown) {
            fail_msg("%s: no scenario in which it always strikes catches a bug of its row", name);
        }
    }
    scenario_list_release(&list);
}

/* A pair shows a kind only where the kind strikes, the bug is caught, and the bug is of its row. */
static void a_pair_shows_what_it_has(void **state) {
    (void)state;
    struct scenario_entry entry = {.name = NULL};
    assert_false(scenario_entry_shows(&entry, FAULT_DUPLICATE_RECORDS, BUG_NO_DEDUPE));
    entry.strikes[FAULT_DUPLICATE_RECORDS] = true;
    assert_false(scenario_entry_shows(&entry, FAULT_DUPLICATE_RECORDS, BUG_NO_DEDUPE));
    entry.catches[BUG_NO_DEDUPE] = entry.catches[BUG_NO_TOMBSTONE] = true;
    assert_true(scenario_entry_shows(&entry, FAULT_DUPLICATE_RECORDS, BUG_NO_DEDUPE));
    assert_false(scenario_entry_shows(&entry, FAULT_DUPLICATE_RECORDS, BUG_NO_TOMBSTONE));
    assert_false(scenario_entry_shows(&entry, FAULT_LATE_RECORDS, BUG_NO_TOMBSTONE));
}

/* What a scenario says it catches is read, and is in its entry of the list too. */
static void catches_are_read(void **state) {
    (void)state;
    struct scenario scenario;
    struct scenario_list list;
    struct scenario_error error;
    assert_int_equal(scenario_load("late-after-delete", "scenarios", NULL, 0, &scenario, &error),
                     0);
    assert_int_equal(scenario_list_load("scenarios", &list, &error), 0);
    const struct scenario_entry *entry = list.entries;
    while (strcmp(entry->name, "late-after-delete") != 0) {
        entry++;
    }
    assert_true(scenario.catch_count > 0 && entry->strikes[FAULT_LATE_RECORDS]);
    size_t caught = 0;
    for (int bug = 0; bug < BUG_COUNT; bug++) {
        caught += entry->catches[bug];
    }
    assert_int_equal(caught, scenario.catch_count);
    for (size_t i = 0; i < scenario.catch_count; i++) {
        assert_true(entry->catches[bug_find(scenario.catches[i])]);
    }
    scenario_release(&scenario);
    scenario_list_release(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swarm_has_every_kind),
        cmocka_unit_test(what_is_repaired_has_a_swarm),
        cmocka_unit_test(every_kind_is_shown),
        cmocka_unit_test(a_pair_shows_what_it_has),
        cmocka_unit_test(catches_are_read),
        cmocka_unit_test(bad_files_are_refused_word_for_word),
        cmocka_unit_test(missing_files_name_what_there_is),
        cmocka_unit_test(lists_are_sorted),
        cmocka_unit_test(large_files_are_refused),
        cmocka_unit_test(missing_folders_are_named),
        cmocka_unit_test(damaged_files_are_taken_or_refused),
        cmocka_unit_test(every_value_arrives),
        cmocka_unit_test(defaults_are_those_of_the_pipeline),
        cmocka_unit_test(shipped_scenarios_load),
        cmocka_unit_test(bad_day_has_its_size),
        cmocka_unit_test(settings_replace_and_add),
        cmocka_unit_test(settings_apply_in_order),
        cmocka_unit_test(replays_ask_for_their_file),
        cmocka_unit_test(wrong_settings_are_named),
        cmocka_unit_test(random_settings_are_taken_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
