/*
 * Reading the contracts of the seams (B2, D12): what is refused, word for word, and what the files
 * of the project say.
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/contract.h"
#include "scenarios/contract_set.h"
#include "scenarios/quantity.h"

#define OURS "contracts"
#define BAD "tests/scenarios/bad_contracts"
#define GUIDE "docs/contracts.md"

static const char *file_text(const char *path) {
    static char text[1 << 18];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

static bool writes_anew(void) {
    return getenv("MURPHY_WRITE") != NULL;
}

/* ---- What is refused ---- */

/* Each bad file gives its sentence: with file, line, column, path where it has them. */
static void bad_files_are_refused_word_for_word(void **state) {
    (void)state;
    DIR *folder = opendir(BAD);
    assert_non_null(folder);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const char *suffix = strstr(entry->d_name, ".odcs.");
        char path[300], wanted[300];
        struct scenario_error error = {.text = ""};
        if (suffix == NULL) {
            continue;
        }
        count++;
        snprintf(path, sizeof path, "%s/%s", BAD, entry->d_name);
        snprintf(wanted, sizeof wanted, "%s/%.*s.txt", BAD, (int)(suffix - entry->d_name),
                 entry->d_name);
        if (contract_file_check(path, &error) == 0) {
            fail_msg("%s was taken", path);
        }
        if (writes_anew()) {
            char line[sizeof error.text + 2];
            snprintf(line, sizeof line, "%s\n", error.text);
            write_text(wanted, line);
        }
        char *expected = (char *)file_text(wanted);
        assert_non_null(expected);
        expected[strcspn(expected, "\n")] = '\0';
        assert_string_equal(error.text, expected);
    }
    closedir(folder);
    assert_true(count > 100);
}

struct folder {
    char path[64];
};

static struct folder folder_new(void) {
    struct folder folder = {"/tmp/murphy-contracts-XXXXXX"};
    assert_non_null(mkdtemp(folder.path));
    return folder;
}

/* A copy of one of our files under another name, with one word replaced. */
static void put_copy(const struct folder *to, const char *file, const char *as, const char *word,
                     const char *by) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s.odcs.yaml", OURS, file);
    const char *from = file_text(path);
    assert_non_null(from);
    const char *at = strstr(from, word);
    assert_non_null(at);
    snprintf(path, sizeof path, "%s/%s.odcs.yaml", to->path, as);
    FILE *copy = fopen(path, "wb");
    assert_non_null(copy);
    fprintf(copy, "%.*s%s%s", (int)(at - from), from, by, at + strlen(word));
    fclose(copy);
}

static void folder_remove(const struct folder *folder) {
    DIR *directory = opendir(folder->path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", folder->path, entry->d_name);
        unlink(path);
    }
    closedir(directory);
    rmdir(folder->path);
}

static void assert_folder_refused(const struct folder *folder, const char *format, ...) {
    struct contract_set set;
    struct scenario_error error;
    char wanted[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(wanted, sizeof wanted, format, arguments);
    va_end(arguments);
    assert_int_equal(contract_set_load(folder->path, &set, &error), -1);
    assert_string_equal(error.text, wanted);
    assert_null(set.memory);
}

/* A folder holds one contract for each seam, no more and no less, each by an id of its own. */
static void a_folder_has_one_contract_for_each_seam(void **state) {
    (void)state;
    struct folder folder = folder_new();
    assert_folder_refused(&folder, "%s: the seam \"outbox\" has no contract here", folder.path);
    put_copy(&folder, "outbox", "a", "", "");
    assert_folder_refused(&folder, "%s: the seam \"listing-changes\" has no contract here",
                          folder.path);
    put_copy(&folder, "outbox", "b", "id: outbox", "id: other");
    assert_folder_refused(&folder,
                          "%s/b.odcs.yaml: the seam \"outbox\" has its contract in %s/a.odcs.yaml",
                          folder.path, folder.path);
    put_copy(&folder, "vectors", "b", "id: vectors", "id: outbox");
    assert_folder_refused(&folder,
                          "%s/b.odcs.yaml: the id \"outbox\" is that of %s/a.odcs.yaml too",
                          folder.path, folder.path);
    folder_remove(&folder);
    assert_folder_refused(&folder, "%s: no folder of contracts: No such file or directory",
                          folder.path);
}

/* ---- What is read ---- */

static void load(const char *path, struct contract_set *set) {
    struct scenario_error error;
    if (contract_set_load(path, set, &error) != 0) {
        fail_msg("%s", error.text);
    }
}

/* What our contracts of the feeds ask for is what the wire carries: no record that decodes is held
 * against them once more. */
static void our_feeds_take_what_the_wire_carries(void **state) {
    (void)state;
    struct contract_set set;
    load(OURS, &set);
    for (int seam = 0; seam < SEAM_COUNT; seam++) {
        enum topic_id feed = seam_feed((enum seam)seam);
        const struct seam_contract *contract = &set.contracts[seam];
        assert_int_equal(contract->seam, seam);
        if (feed == TOPIC_FEED_COUNT) {
            assert_null(contract->schema);
            continue;
        }
        struct bytes carried = contract_carried(feed);
        assert_int_equal(strlen(contract->schema), carried.len);
        assert_memory_equal(contract->schema, carried.data, carried.len);
    }
    contract_set_release(&set);
}

/* Types, limits, defaults, single attributes and the mode come into the registry's text. */
static void schemas_become_what_the_registry_takes(void **state) {
    (void)state;
    struct folder folder = folder_new();
    struct contract_set set;
    for (int seam = 0; seam < SEAM_COUNT; seam++) {
        put_copy(&folder, seam_name((enum seam)seam), seam_name((enum seam)seam), "", "");
    }
    put_copy(
        &folder, "listing-changes", "listing-changes",
        "          - name: \"*\"\n            physicalType: text, integer, number, null\n",
        "          - name: eco_score\n            logicalType: integer\n"
        "            required: true\n            logicalTypeOptions: {minimum: 1, maximum: 7}\n"
        "            customProperties: [{property: default, value: 7}]\n");
    put_copy(&folder, "orders", "orders", "  - property: producer",
             "  - {property: compatibility, value: full}\n  - property: producer");
    load(folder.path, &set);
    assert_string_equal(set.contracts[SEAM_LISTING_CHANGES].schema,
                        "version 1\ntitle: text, null\ndescription: text, null\n"
                        "locale: text, null\ncategory: text, null\nseller: integer, null\n"
                        "price: integer, null, min 0\nimage_ids: ids, null\n"
                        "attribute.eco_score: integer, required, min 1, max 7, default 7\n");
    assert_non_null(strstr(set.contracts[SEAM_ORDERS].schema, "version 1\nmode full\n"));
    contract_set_release(&set);
    folder_remove(&folder);
}

/* Service levels become nanoseconds, whatever the unit and the word for it. */
static void service_levels_are_read(void **state) {
    (void)state;
    struct contract_set set;
    load(OURS, &set);
    const struct seam_contract *media = &set.contracts[SEAM_MEDIA_INGEST];
    assert_int_equal(media->levels_ns[LEVEL_FRESHNESS], 3 * VTIME_HOUR);
    assert_int_equal(media->freshness_warn_ns, 90 * VTIME_MINUTE);
    assert_int_equal(media->levels_ns[LEVEL_RETENTION], 14 * VTIME_DAY);
    assert_int_equal(media->levels_ns[LEVEL_LATENCY], 0);
    assert_int_equal(set.contracts[SEAM_SILVER].levels_ns[LEVEL_RETENTION], 730 * VTIME_DAY);
    assert_string_equal(service_level_of(SEAM_SILVER, LEVEL_LATENCY), "silver.latency");
    contract_set_release(&set);
}

/* The standard's library of metrics, its operators and units, as SQL. */
static void rules_become_sql(void **state) {
    (void)state;
    static const struct {
        const char *rule, *sql, *wants;
    } cases[] = {
        {"metric: rowCount, mustBeBetween: [1, 9]", "SELECT count(*) FROM \"gold_document\"",
         "from 1 to 9"},
        {"metric: duplicateValues, arguments: {properties: [version, alive]}, mustBeLessThan: 5, "
         "unit: percent",
         "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM \"gold_document\" GROUP "
         "BY \"version\", \"alive\")",
         "< 5 %"},
        {"type: sql, query: 'SELECT max(version) FROM {object} WHERE ''{'' < ''}''', mustNotBe: 3",
         "SELECT max(version) FROM \"gold_document\" WHERE '{' < '}'", "not 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct folder folder = folder_new();
        struct contract_set set;
        char rule[400];
        for (int seam = 0; seam < SEAM_COUNT; seam++) {
            put_copy(&folder, seam_name((enum seam)seam), seam_name((enum seam)seam), "", "");
        }
        snprintf(rule, sizeof rule, "    quality:\n      - {%s}\n", cases[i].rule);
        put_copy(&folder, "gold-document", "gold-document", "    quality:\n", rule);
        load(folder.path, &set);
        const struct contract_rule *read = &set.contracts[SEAM_GOLD_DOCUMENT].rules[2];
        char wants[RULE_TEXT_SIZE];
        contract_rule_wants(read, wants);
        assert_string_equal(read->sql, cases[i].sql);
        assert_string_equal(wants, cases[i].wants);
        contract_set_release(&set);
        folder_remove(&folder);
    }
}

/* Each operator, at its edge and on both sides of it. */
static void operators_hold_where_they_say(void **state) {
    (void)state;
    static const bool holds[RULE_OPERATOR_COUNT][5] = {
        /* of 1, 2, 3, 4, 5 with low 2 and high 4 */
        [RULE_BE] = {false, true, false, false, false},
        [RULE_NOT_BE] = {true, false, true, true, true},
        [RULE_GREATER] = {false, false, true, true, true},
        [RULE_GREATER_OR_EQUAL] = {false, true, true, true, true},
        [RULE_LESS] = {true, false, false, false, false},
        [RULE_LESS_OR_EQUAL] = {true, true, false, false, false},
        [RULE_BETWEEN] = {false, true, true, true, false},
        [RULE_NOT_BETWEEN] = {true, false, false, false, true},
    };
    for (int i = 0; i < RULE_OPERATOR_COUNT; i++) {
        for (int value = 1; value <= 5; value++) {
            struct contract_rule rule = {.compare = (enum rule_operator)i, .low = 2, .high = 4};
            assert_int_equal(contract_rule_holds(&rule, value), holds[i][value - 1]);
        }
    }
}

/* A contract may be written as JSON, which is YAML. */
static void json_is_read_too(void **state) {
    (void)state;
    struct scenario_error error = {.text = ""};
    const char *json =
        "{\"apiVersion\":\"v3.1.0\",\"kind\":\"DataContract\",\"id\":\"late\",\n"
        "\t\"version\":\"1.0.0\",\"status\":\"active\",\"team\":{\"name\":\"a \\u00fc\"},\n"
        " \"description\":{\"purpose\":\"p\"},\"schema\":[{\"name\":\"late-queue\"}],\n"
        " \"slaProperties\":[{\"property\":\"retention\",\"value\":1.5e1,\"unit\":\"days\"}],\n"
        " \"customProperties\":[{\"property\":\"seam\",\"value\":\"late-queue\"},\n"
        "  "
        "{\"property\":\"producer\",\"value\":\"a\"},{\"property\":\"consumer\",\"value\":\"b\"},\n"
        "  {\"property\":\"deliveryGuarantee\",\"value\":\"c\"},\n"
        "  {\"property\":\"consumerIdempotency\",\"value\":\"d\"},\n"
        "  {\"property\":\"reconciliation\",\"value\":\"e\"}]}\n";
    struct folder folder = folder_new();
    char path[128];
    snprintf(path, sizeof path, "%s/late.odcs.json", folder.path);
    write_text(path, json);
    if (contract_file_check(path, &error) != 0) {
        fail_msg("%s", error.text);
    }
    folder_remove(&folder);
}

/* ---- The guide ---- */

struct page {
    char text[1 << 17];
    size_t length;
};

static void say(struct page *page, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length =
        vsnprintf(page->text + page->length, sizeof page->text - page->length, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && page->length + (size_t)length < sizeof page->text);
    page->length += (size_t)length;
}

static void say_levels(struct page *page, const struct seam_contract *c) {
    bool first = true;
    for (int level = 0; level < LEVEL_COUNT; level++) {
        char text[DURATION_TEXT_SIZE];
        if (c->levels_ns[level] > 0) {
            quantity_duration_format(c->levels_ns[level], text);
            say(page, "%s%s %s", first ? "" : "<br>", service_level_name((enum service_level)level),
                text);
            first = false;
        }
    }
}

static void say_table(struct page *page, const struct contract_set *set) {
    say(page,
        "\n| contract | owner | from, to | delivery | the consumer is idempotent because | "
        "service levels | rules | drift is repaired by |\n|---|---|---|---|---|---|---|---|\n");
    for (int seam = 0; seam < SEAM_COUNT; seam++) {
        const struct seam_contract *c = &set->contracts[seam];
        say(page, "| [%s](../contracts/%s.odcs.yaml) %s | %s | %s to %s | %s | %s | ", c->id,
            seam_name((enum seam)seam), c->version, c->owner, c->producer, c->consumer, c->delivery,
            c->idempotent_by);
        say_levels(page, c);
        say(page, " | %zu | %s |\n", c->rule_count, c->reconciliation);
    }
    say(page, "\n");
}

/* The guide's table says what the files say; MURPHY_WRITE=1 writes it anew. */
static void the_guide_shows_every_contract(void **state) {
    (void)state;
    static struct page page;
    struct contract_set set;
    load(OURS, &set);
    const char *guide = file_text(GUIDE);
    assert_non_null(guide);
    const char *mark = strstr(guide, "<!-- seams:");
    assert_non_null(mark);
    const char *body = strchr(mark, '\n') + 1;
    const char *end = strstr(body, "<!-- end -->");
    assert_non_null(end);
    say(&page, "%.*s", (int)(body - guide), guide);
    say_table(&page, &set);
    say(&page, "%s", end);
    contract_set_release(&set);
    if (writes_anew()) {
        write_text(GUIDE, page.text);
        return;
    }
    assert_string_equal(guide, page.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files_are_refused_word_for_word),
        cmocka_unit_test(a_folder_has_one_contract_for_each_seam),
        cmocka_unit_test(our_feeds_take_what_the_wire_carries),
        cmocka_unit_test(schemas_become_what_the_registry_takes),
        cmocka_unit_test(service_levels_are_read),
        cmocka_unit_test(rules_become_sql),
        cmocka_unit_test(operators_hold_where_they_say),
        cmocka_unit_test(json_is_read_too),
        cmocka_unit_test(the_guide_shows_every_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
