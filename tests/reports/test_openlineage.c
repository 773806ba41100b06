/*
 * Job runs as OpenLineage events (B6): every line is what version 2-0-2 of the specification asks
 * of a run event, and of the facets that it carries. The rules below say the same as the published
 * JSON Schema does of such an event, and are stricter where it is silent: no key that it does not
 * know, one beginning and one end for each run.
 *
 * MURPHY_EVENTS names a file of a real run to be held against them too.
 */
#define _POSIX_C_SOURCE 200809L

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "reports/openlineage.h"

/* ---- The rules ---- */

/* One of the kinds of value that the specification knows. */
static bool fits(const char *text, const char *pattern) {
    for (; *text != '\0' && *pattern != '\0'; text++, pattern++) {
        bool right = *pattern == 'x'
                         ? isxdigit((unsigned char)*text) && !isupper((unsigned char)*text)
                     : *pattern == '0' ? isdigit((unsigned char)*text) != 0
                                       : *pattern == *text;
        if (!right) {
            return false;
        }
    }
    return *text == *pattern;
}

static bool is_uuid(const char *text) {
    return fits(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
}

static bool is_moment(const char *text) {
    return fits(text, "0000-00-00T00:00:00.000Z");
}

/* A scheme, a colon, and no blank. */
static bool is_uri(const char *text) {
    size_t scheme = strcspn(text, ":");
    return isalpha((unsigned char)text[0]) && scheme > 1 && text[scheme] == ':' &&
           text[scheme + 1] != '\0' && strpbrk(text, " <>\"{}") == NULL;
}

/* Why an event is none; NULL when it is one. */
static const char *wrong;

static bool rule(bool holds, const char *what) {
    if (!holds && wrong == NULL) {
        wrong = what;
    }
    return holds;
}

static const char *string_of(const json_t *object, const char *key, const char *what) {
    const char *text = json_string_value(json_object_get(object, key));
    return rule(text != NULL && text[0] != '\0', what) ? text : "";
}

/* The object has just these keys; one in brackets may be absent. */
static void keys_are(const json_t *object, const char *const *keys, const char *what) {
    size_t known = 0;
    if (!rule(json_is_object(object), what)) {
        return;
    }
    for (size_t i = 0; keys[i] != NULL; i++) {
        bool optional = keys[i][0] == '[';
        bool there = json_object_get(object, keys[i] + optional) != NULL;
        known += there;
        rule(there || optional, what);
    }
    rule(known == json_object_size(object), what);
}

/* A facet says who made it and by which schema, and has what that schema asks for. */
static void facet_is_right(const char *name, json_t *facet) {
    static const struct {
        const char *name, *schema;
        const char *keys[7];
    } facets[] = {
        {"murphy_run", "OpenLineage.json", {"scenario", "seed", "[worker"}},
        {"nominalTime", "NominalTimeRunFacet.json", {"nominalStartTime", "nominalEndTime"}},
        {"errorMessage", "ErrorMessageRunFacet.json", {"message", "programmingLanguage"}},
        {"jobType", "JobTypeJobFacet.json", {"processingType", "integration", "jobType"}},
        {"schema", "SchemaDatasetFacet.json", {"fields"}},
        {"columnLineage", "ColumnLineageDatasetFacet.json", {"fields"}},
        {"dataQualityMetrics",
         "DataQualityMetricsInputDatasetFacet.json",
         {"rowCount", "columnMetrics"}},
        {"outputStatistics", "OutputStatisticsOutputDatasetFacet.json", {"rowCount"}},
    };
    for (size_t i = 0; i < sizeof facets / sizeof *facets; i++) {
        if (strcmp(facets[i].name, name) != 0) {
            continue;
        }
        const char *keys[10] = {"_producer", "_schemaURL"};
        for (size_t k = 0; facets[i].keys[k] != NULL; k++) {
            keys[k + 2] = facets[i].keys[k];
        }
        keys_are(facet, keys, "a facet has the keys of its kind");
        const char *url = string_of(facet, "_schemaURL", "a facet has a schema");
        rule(is_uri(string_of(facet, "_producer", "a facet has a producer")), "_producer is a URI");
        rule(is_uri(url) && strstr(url, facets[i].schema) != NULL &&
                 strncmp(url, "https://openlineage.io/spec/", 28) == 0,
             "_schemaURL is that of the facet");
        return;
    }
    rule(false, "a facet that nobody knows");
}

static void facets_are_right(json_t *facets) {
    const char *name;
    json_t *facet;
    rule(facets == NULL || json_is_object(facets), "facets are an object");
    json_object_foreach(facets, name, facet) {
        facet_is_right(name, facet);
    }
}

static void names_are_right(json_t *fields) {
    size_t i;
    json_t *field;
    rule(json_is_array(fields) && json_array_size(fields) > 0, "a schema has fields");
    json_array_foreach(fields, i, field) {
        string_of(field, "name", "a field has a name");
    }
}

static void columns_are_right(json_t *fields) {
    static const char *const keys[] = {"namespace", "name", "field", NULL};
    const char *name;
    json_t *field, *input;
    size_t i;
    json_object_foreach(fields, name, field) {
        json_t *inputs = json_object_get(field, "inputFields");
        rule(json_array_size(inputs) > 0, "a column is made of columns");
        json_array_foreach(inputs, i, input) {
            keys_are(input, keys, "a column has a dataset and a name");
        }
    }
}

static void dataset_is_right(json_t *dataset, const char *own_facets, const char *statistics) {
    const char *keys[] = {"namespace", "name", "[facets", own_facets, NULL};
    keys_are(dataset, keys, "a dataset has the keys of its kind");
    rule(is_uri(string_of(dataset, "namespace", "a dataset has a namespace")),
         "a namespace is a URI");
    string_of(dataset, "name", "a dataset has a name");
    json_t *facets = json_object_get(dataset, "facets");
    json_t *own = json_object_get(dataset, own_facets);
    facets_are_right(facets);
    facets_are_right(own);
    rule(json_is_integer(json_object_get(json_object_get(own, statistics), "rowCount")),
         "a row count is an integer");
    if (facets != NULL) {
        names_are_right(json_object_get(json_object_get(facets, "schema"), "fields"));
        columns_are_right(json_object_get(json_object_get(facets, "columnLineage"), "fields"));
    }
}

/* NULL, or what is wrong with it. */
static const char *event_wrong(json_t *event) {
    static const char *const keys[] = {"eventType", "eventTime", "run",       "job", "inputs",
                                       "outputs",   "producer",  "schemaURL", NULL};
    static const char *const run_keys[] = {"runId", "facets", NULL};
    static const char *const job_keys[] = {"namespace", "name", "facets", NULL};
    wrong = NULL;
    keys_are(event, keys, "an event has these keys and no others");
    const char *type = string_of(event, "eventType", "an event has a type");
    rule(strcmp(type, "START") == 0 || strcmp(type, "COMPLETE") == 0 || strcmp(type, "FAIL") == 0 ||
             strcmp(type, "ABORT") == 0,
         "the type is one of the known ones");
    rule(is_moment(string_of(event, "eventTime", "an event has a time")), "its time is a moment");
    rule(is_uri(string_of(event, "producer", "an event has a producer")), "producer is a URI");
    rule(strcmp(string_of(event, "schemaURL", "an event has a schema"),
                "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent") == 0,
         "its schema is that of a run event");
    json_t *run = json_object_get(event, "run"), *job = json_object_get(event, "job");
    keys_are(run, run_keys, "a run has an id and facets");
    keys_are(job, job_keys, "a job has a namespace, a name and facets");
    rule(is_uuid(string_of(run, "runId", "a run has an id")), "runId is a UUID");
    string_of(job, "namespace", "a job has a namespace");
    string_of(job, "name", "a job has a name");
    facets_are_right(json_object_get(run, "facets"));
    facets_are_right(json_object_get(job, "facets"));
    bool failed = strcmp(type, "FAIL") == 0 || strcmp(type, "ABORT") == 0;
    rule(failed == (json_object_get(json_object_get(run, "facets"), "errorMessage") != NULL),
         "what failed, and nothing else, says why");
    size_t i;
    json_t *dataset;
    rule(json_is_array(json_object_get(event, "inputs")), "inputs are a list");
    rule(json_is_array(json_object_get(event, "outputs")), "outputs are a list");
    json_array_foreach(json_object_get(event, "inputs"), i, dataset) {
        dataset_is_right(dataset, "inputFacets", "dataQualityMetrics");
    }
    json_array_foreach(json_object_get(event, "outputs"), i, dataset) {
        dataset_is_right(dataset, "outputFacets", "outputStatistics");
    }
    return wrong;
}

/* ---- A document ---- */

static const char *const order_columns[] = {"order_id", "amount"};
static const char *const sales_columns[] = {"orders", "amount"};
static const struct openlineage_dataset datasets[] = {
    {"oltp://murphy", "oltp_order", order_columns, 2},
    {"warehouse://murphy", "gold_sales", sales_columns, 2},
    {"kafka://murphy", "orders", NULL, 0},
};
static const struct openlineage_column columns[] = {
    {1, "amount", 0, "amount"}, {1, "orders", 0, "order_id"}, {1, "amount", 0, "order_id"}};
static const struct openlineage_use uses[] = {{0, 3}, {2, 5}, {1, 2}};

#define SECOND INT64_C(1000000000)
#define START (INT64_C(1772409600) * SECOND)
static const struct openlineage_run runs[] = {
    {.run_id = "0f91dea3-e442-8e1e-b142-cd6d139bf5fc",
     .job = "loader",
     .worker = "loader-1",
     .streaming = true,
     .started_ns = START,
     .ended_ns = START + 9 * SECOND,
     .end = OPENLINEAGE_FAIL,
     .message = "the process \"died\"",
     .inputs = uses,
     .input_count = 2,
     .outputs = uses + 2,
     .output_count = 1},
    {.run_id = "1f91dea3-e442-8e1e-b142-cd6d139bf5fc",
     .job = "batch.nightly",
     .started_ns = START + SECOND,
     .ended_ns = START + 2 * SECOND,
     .from_ns = START,
     .to_ns = START + SECOND,
     .outputs = uses + 2,
     .output_count = 1},
    {.run_id = "2f91dea3-e442-8e1e-b142-cd6d139bf5fc",
     .job = "erasure",
     .started_ns = START + 3 * SECOND,
     .ended_ns = START + 3 * SECOND,
     .end = OPENLINEAGE_ABORT,
     .message = "the simulation was over"},
};

/* The lines of the document, an array; the caller's. */
static json_t *written(void) {
    static const struct openlineage_document document = {datasets, 3, columns, 3, runs, 3};
    struct run_result result;
    struct report_error error;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    run_result_init(&result);
    result.murphy = "0.1.0";
    result.scenario = "calm-day";
    result.seed = UINT64_MAX;
    result.start_ns = START;
    assert_int_equal(run_openlineage_write(&result, &document, out, &error), 0);
    fclose(out);
    run_result_release(&result);
    json_t *events = json_array();
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *event = json_loads(line, 0, NULL);
        assert_non_null(event);
        json_array_append_new(events, event);
    }
    free(text);
    return events;
}

static const char *text_at(json_t *event, const char *outer, const char *inner) {
    return json_string_value(json_object_get(json_object_get(event, outer), inner));
}

/* Each run begins and ends once, in the order of time, and every event keeps the rules. */
static void events_are_right(void **state) {
    (void)state;
    static const char *const expected[][2] = {
        {"START", "loader"},  {"START", "batch.nightly"}, {"COMPLETE", "batch.nightly"},
        {"START", "erasure"}, {"ABORT", "erasure"},       {"FAIL", "loader"},
    };
    json_t *events = written();
    assert_int_equal(json_array_size(events), 6);
    for (size_t i = 0; i < 6; i++) {
        json_t *event = json_array_get(events, i);
        assert_null(event_wrong(event));
        assert_string_equal(json_string_value(json_object_get(event, "eventType")), expected[i][0]);
        assert_string_equal(text_at(event, "job", "name"), expected[i][1]);
    }
    json_decref(events);
}

/* The first event that names a dataset tells its columns and where they come from; rows are those
 * of each run; a seed is told as text, since it may be greater than numbers of JSON. */
static void facets_tell_what_is_known(void **state) {
    (void)state;
    json_t *events = written();
    json_t *batch = json_array_get(events, 2), *loader = json_array_get(events, 5);
    json_t *gold = json_array_get(json_object_get(batch, "outputs"), 0);
    json_t *made = json_object_get(
        json_object_get(json_object_get(json_object_get(gold, "facets"), "columnLineage"),
                        "fields"),
        "amount");
    assert_int_equal(json_array_size(json_object_get(made, "inputFields")), 2);
    gold = json_array_get(json_object_get(loader, "outputs"), 0);
    assert_null(json_object_get(gold, "facets"));
    json_t *orders = json_array_get(json_object_get(loader, "inputs"), 1);
    json_t *metrics = json_object_get(json_object_get(orders, "inputFacets"), "dataQualityMetrics");
    assert_int_equal(json_integer_value(json_object_get(metrics, "rowCount")), 5);
    json_t *facets = json_object_get(json_object_get(loader, "run"), "facets");
    assert_string_equal(text_at(facets, "murphy_run", "seed"), "18446744073709551615");
    assert_string_equal(text_at(facets, "errorMessage", "message"), "the process \"died\"");
    facets = json_object_get(json_object_get(batch, "run"), "facets");
    assert_string_equal(text_at(facets, "nominalTime", "nominalStartTime"),
                        "2026-03-02T00:00:00.000Z");
    json_decref(events);
}

/* The rules find what is taken away from an event, and what is wrong in it. */
static void rules_can_fail(void **state) {
    (void)state;
    static const char *const required[] = {"eventType", "eventTime", "run",      "job",
                                           "inputs",    "producer",  "schemaURL"};
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        json_t *events = written();
        json_object_del(json_array_get(events, 0), required[i]);
        assert_non_null(event_wrong(json_array_get(events, 0)));
        json_decref(events);
    }
    static const struct {
        const char *outer, *inner, *value;
    } spoils[] = {
        {"run", "runId", "0f91dea3-e442-8e1e-b142"},
        {"job", "name", ""},
        {"run", "eventType", "START"},
        {NULL, "eventTime", "yesterday"},
        {NULL, "producer", "murphy"},
        {NULL, "eventType", "DONE"},
        {NULL, "extra", "key"},
    };
    for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
        json_t *events = written();
        json_t *event = json_array_get(events, 0);
        json_t *object = spoils[i].outer == NULL ? event : json_object_get(event, spoils[i].outer);
        json_object_set_new(object, spoils[i].inner, json_string(spoils[i].value));
        assert_non_null(event_wrong(event));
        json_decref(events);
    }
    json_t *events = written();
    json_t *facets = json_object_get(json_object_get(json_array_get(events, 0), "job"), "facets");
    json_object_del(json_object_get(facets, "jobType"), "_producer");
    assert_non_null(event_wrong(json_array_get(events, 0)));
    json_decref(events);
}

/* ---- Events of a real run ---- */

/* Counts the run's events under its id: +1 for a beginning, +1000 for an end. */
static void tally(json_t *runs_seen, json_t *event) {
    const char *id = text_at(event, "run", "runId");
    bool begins = strcmp(json_string_value(json_object_get(event, "eventType")), "START") == 0;
    json_int_t so_far = json_integer_value(json_object_get(runs_seen, id));
    assert_true(begins ? so_far == 0 : so_far == 1);
    json_object_set_new(runs_seen, id, json_integer(so_far + (begins ? 1 : 1000)));
}

/* Every line keeps the rules; time does not go back; each run begins once and then ends once. */
static void real_events_are_right(void **state) {
    (void)state;
    const char *path = getenv("MURPHY_EVENTS");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    json_t *runs_seen = json_object();
    char *line = NULL, last[32] = "";
    size_t capacity = 0, count = 0;
    while (getline(&line, &capacity, file) > 0) {
        json_t *event = json_loads(line, 0, NULL);
        assert_non_null(event);
        const char *why = event_wrong(event);
        if (why != NULL) {
            fail_msg("line %zu: %s: %s", count + 1, why, line);
        }
        const char *at = json_string_value(json_object_get(event, "eventTime"));
        assert_true(strcmp(last, at) <= 0);
        snprintf(last, sizeof last, "%s", at);
        tally(runs_seen, event);
        json_decref(event);
        count++;
    }
    assert_true(count > 20);
    const char *id;
    json_t *seen;
    json_object_foreach(runs_seen, id, seen) {
        assert_int_equal(json_integer_value(seen), 1001);
    }
    json_decref(runs_seen);
    free(line);
    fclose(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_right),
        cmocka_unit_test(facets_tell_what_is_known),
        cmocka_unit_test(rules_can_fail),
    };
    const struct CMUnitTest real[] = {cmocka_unit_test(real_events_are_right)};
    return getenv("MURPHY_EVENTS") == NULL ? cmocka_run_group_tests(tests, NULL, NULL)
                                           : cmocka_run_group_tests(real, NULL, NULL);
}
