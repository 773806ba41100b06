/*
 * Rules between the keys of a scenario.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "faults/injector.h"
#include "scenarios/quantity.h"
#include "scenarios/scenario_reader.h"

/* A path written out; its text lives in `text`. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static struct json_path
path_of(char text[JSON_PATH_TEXT_SIZE], const char *format, ...) {
    struct json_path path;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, JSON_PATH_TEXT_SIZE, format, arguments);
    va_end(arguments);
    bool is_path = json_path_parse(text, &path);
    assert(is_path);
    return path;
}

/* A named moment must lie before the end of the traffic; a replay's end is not known yet. */
static int check_before_end(struct reader *r, const struct draft *draft, int64_t ns,
                            const struct json_path *path, const char *what) {
    int64_t end_ns = draft->scenario.workload.duration_ns;
    if (draft->workload_kind == WORKLOAD_REPLAY || ns < end_ns) {
        return 0;
    }
    char end[DURATION_TEXT_SIZE];
    quantity_duration_format(end_ns, end);
    return reader_fail(r, path, PLACE_VALUE, "%s after the traffic, which lasts %s", what, end);
}

static int check_replay(struct reader *r, const struct draft *draft) {
    if (draft->scenario.workload.file != NULL) {
        return 0;
    }
    /* Nothing is wrong with the scenario: it waits for its file. */
    return scenario_error_set(r->error,
                              "%s needs a file of changes: give --set workload.file=PATH (JSONL, "
                              "plain or gzip)",
                              draft->scenario.name);
}

static int check_workload(struct reader *r, const struct draft *draft) {
    const struct workload_options *w = &draft->scenario.workload;
    char text[JSON_PATH_TEXT_SIZE];
    if (draft->workload_kind == WORKLOAD_REPLAY) {
        return check_replay(r, draft);
    }
    if (w->catalogue_load_ns > w->duration_ns) {
        struct json_path path = path_of(text, "workload.catalogue_load");
        return reader_fail(r, &path, PLACE_VALUE, "the catalogue load is longer than the traffic");
    }
    if (!pace_peaks_valid(w->peaks, w->peak_count)) {
        struct json_path path = path_of(text, "workload.peaks");
        return reader_fail(r, &path, PLACE_VALUE,
                           "peaks follow each other in time, and each ends after it begins");
    }
    for (size_t i = 0; i < w->policy_count; i++) {
        struct json_path path = path_of(text, "workload.policies[%zu].at", i);
        if (check_before_end(r, draft, w->policies[i].at_ns, &path, "is") != 0) {
            return -1;
        }
        if (w->policies[i].seller_id > w->sellers) {
            path = path_of(text, "workload.policies[%zu].seller", i);
            return reader_fail(r, &path, PLACE_VALUE, "there are only %llu sellers",
                               (unsigned long long)w->sellers);
        }
    }
    for (size_t i = 0; i < w->anomaly_count; i++) {
        const struct workload_anomaly *anomaly = &w->anomalies[i];
        if (anomaly->from_ns < w->catalogue_load_ns) {
            struct json_path path = path_of(text, "workload.anomalies[%zu].from", i);
            return reader_fail(r, &path, PLACE_VALUE, "is before the end of the catalogue load");
        }
        if (anomaly->until_ns <= anomaly->from_ns || anomaly->until_ns > w->duration_ns) {
            struct json_path path = path_of(text, "workload.anomalies[%zu].until", i);
            return reader_fail(r, &path, PLACE_VALUE,
                               "is not after `from` and within the duration");
        }
    }
    if (w->events < w->listings) {
        struct json_path path = path_of(text, "workload.events");
        return reader_fail(r, &path, PLACE_VALUE,
                           "creating %llu listings takes at least as many events, not %llu",
                           (unsigned long long)w->listings, (unsigned long long)w->events);
    }
    for (size_t i = 0; i < w->contract_count; i++) {
        struct json_path path = path_of(text, "workload.contracts[%zu].from", i);
        if (check_before_end(r, draft, w->contracts[i].from_ns, &path, "is") != 0) {
            return -1;
        }
    }
    uint64_t weights = (uint64_t)w->weight_create + w->weight_price + w->weight_text +
                       w->weight_attributes + w->weight_images + w->weight_delete +
                       w->weight_recreate + w->weight_policy + w->weight_order + w->weight_poison +
                       w->weight_correction + w->weight_erase_listing + w->weight_erase_seller +
                       w->weight_reference;
    if (weights == 0) {
        struct json_path path = path_of(text, "workload.mix");
        return reader_fail(r, &path, PLACE_VALUE, "all weights are 0: nothing would happen");
    }
    return 0;
}

static int check_pipeline(struct reader *r, const struct draft *draft) {
    const struct pipeline_config *p = &draft->scenario.pipeline;
    char text[JSON_PATH_TEXT_SIZE];
    if (p->retry_base_ns > p->retry_max_ns) {
        struct json_path path = path_of(text, "pipeline.retry_base");
        return reader_fail(r, &path, PLACE_VALUE, "is longer than retry_max");
    }
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        if (p->feed_warn_ns[topic] > p->feed_error_ns[topic]) {
            struct json_path path =
                path_of(text, "pipeline.feeds.%s.warn", topic_name((enum topic_id)topic));
            return reader_fail(r, &path, PLACE_VALUE, "warns later than the error");
        }
    }
    return 0;
}

static int check_fault(struct reader *r, const struct draft *draft, size_t i) {
    const struct fault *fault = &draft->scenario.faults[i];
    const struct fault_about *about = &fault_table()[fault->kind];
    char text[JSON_PATH_TEXT_SIZE];
    if (fault->until_ns != 0 && fault->from_ns >= fault->until_ns) {
        struct json_path path = path_of(text, "faults[%zu].until", i);
        return reader_fail(r, &path, PLACE_VALUE, "is not after \"from\"");
    }
    if ((about->required & FAULT_SINK) != 0 && (about->places >> fault->sink & 1) == 0) {
        struct json_path path = path_of(text, "faults[%zu].sink", i);
        char places[FAULT_PLACES_TEXT];
        fault_places_text(about->places, " or ", places);
        return reader_fail(r, &path, PLACE_VALUE, "%s strikes %s, not %s", about->name, places,
                           fault_sink_name(fault->sink));
    }
    if (fault->call != 0 && injector_point_place(fault->call - 1) != 1u << fault->sink) {
        const char *call_about;
        struct json_path path = path_of(text, "faults[%zu].call", i);
        return reader_fail(r, &path, PLACE_VALUE, "%s is no request to %s",
                           injector_point_about(fault->call - 1, &call_about),
                           fault_sink_name(fault->sink));
    }
    struct json_path path = path_of(text, "faults[%zu].from", i);
    return check_before_end(r, draft, fault->from_ns, &path, "begins");
}

static int check_operation(struct reader *r, const struct draft *draft, size_t i) {
    const struct operation *operation = &draft->scenario.operations[i];
    char text[JSON_PATH_TEXT_SIZE];
    if (operation->to_ns != 0 && operation->from_ns >= operation->to_ns) {
        struct json_path path = path_of(text, "operations[%zu].to", i);
        return reader_fail(r, &path, PLACE_VALUE, "is not after \"from\"");
    }
    struct json_path path = path_of(text, "operations[%zu].at", i);
    return check_before_end(r, draft, operation->at_ns + operation->within_ns, &path, "is");
}

static int check_probes(struct reader *r, const struct draft *draft) {
    const struct scenario *s = &draft->scenario;
    char text[JSON_PATH_TEXT_SIZE];
    const char *wants = s->objectives.recall_ppm > 0      ? "recall"
                        : s->objectives.search_p95_ns > 0 ? "search_p95"
                                                          : NULL;
    if (s->probe_every_ns == 0 && wants != NULL) {
        struct json_path path = path_of(text, "objectives.%s", wants);
        return reader_fail(r, &path, PLACE_VALUE, "cannot be judged without probes.every");
    }
    return 0;
}

static int check_reconcile(struct reader *r, const struct draft *draft) {
    const struct scenario *s = &draft->scenario;
    char text[JSON_PATH_TEXT_SIZE];
    for (size_t i = 0; i < s->reconcile_at_count; i++) {
        struct json_path path = path_of(text, "reconcile.at[%zu]", i);
        if (check_before_end(r, draft, s->reconcile_at_ns[i], &path, "is") != 0) {
            return -1;
        }
    }
    bool ever =
        s->reconcile_at_end || s->reconcile_at_count > 0 || s->pipeline.reconcile_interval_ns > 0;
    if (s->drift_count > 0 && !ever) {
        struct json_path path = path_of(text, "expect.drift");
        return reader_fail(r, &path, PLACE_VALUE, "cannot be found: nothing reconciles");
    }
    return 0;
}

static bool topic_watched(const struct pipeline_config *p, const char *name) {
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        if (strcmp(topic_name((enum topic_id)topic), name) == 0) {
            return p->feed_error_ns[topic] > 0;
        }
    }
    return false;
}

static int check_alert(struct reader *r, const struct draft *draft, size_t i) {
    const struct expected_alert *alert = &draft->scenario.alerts[i];
    char text[JSON_PATH_TEXT_SIZE];
    if ((alert->topic == NULL) == (alert->subject == NULL)) {
        struct json_path path = path_of(text, "expect.alerts[%zu]", i);
        return reader_fail(r, &path, PLACE_VALUE, "is about a \"topic\" or about a \"subject\"");
    }
    if (alert->before_ns != 0 && alert->before_ns <= alert->after_ns) {
        struct json_path path = path_of(text, "expect.alerts[%zu].before", i);
        return reader_fail(r, &path, PLACE_VALUE, "is not after \"after\"");
    }
    if (alert->again_ns != 0 && (alert->before_ns == 0 || alert->again_ns < alert->before_ns)) {
        struct json_path path = path_of(text, "expect.alerts[%zu].again", i);
        return reader_fail(r, &path, PLACE_VALUE, "is not after `before`");
    }
    if (strcmp(alert->name, "feed-freshness") == 0 &&
        (alert->topic == NULL || !topic_watched(&draft->scenario.pipeline, alert->topic))) {
        struct json_path path = path_of(text, "expect.alerts[%zu].topic", i);
        return reader_fail(r, &path, PLACE_VALUE,
                           "%s is not watched: give its thresholds in pipeline.feeds",
                           expected_alert_subject(alert));
    }
    return 0;
}

/* A service level of a contract, as "vectors.latency", is judged unless it is waived. */
static bool level_stands(const struct scenario *s, const char *name) {
    const char *level = strchr(name, '.') + 1;
    for (size_t i = 0; i < s->waived_count; i++) {
        if (strcmp(s->waived[i], name) == 0 || strcmp(s->waived[i], level) == 0) {
            return false;
        }
    }
    return true;
}

static bool objective_stated(const struct scenario *s, const char *name) {
    const struct objectives *o = &s->objectives;
    return strchr(name, '.') != NULL            ? level_stands(s, name)
           : strcmp(name, "freshness_p95") == 0 ? o->freshness_p95_ns > 0
           : strcmp(name, "recall") == 0        ? o->recall_ppm > 0
           : strcmp(name, "search_p95") == 0    ? o->search_p95_ns > 0
                                                : o->availability_ppm > 0 && s->probe_every_ns > 0;
}

static int check_expectations(struct reader *r, const struct draft *draft) {
    const struct scenario *s = &draft->scenario;
    for (size_t i = 0; i < s->alert_count; i++) {
        if (check_alert(r, draft, i) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < s->breached_count; i++) {
        if (!objective_stated(s, s->breached[i])) {
            char text[JSON_PATH_TEXT_SIZE];
            struct json_path path = path_of(text, "expect.breached[%zu]", i);
            return reader_fail(r, &path, PLACE_VALUE, "%s is not judged, so it cannot be breached",
                               s->breached[i]);
        }
    }
    return 0;
}

static int check_catches(struct reader *r, const struct draft *draft) {
    const struct scenario *s = &draft->scenario;
    for (size_t i = 0; i < s->catch_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(s->catches[i], s->catches[k]) == 0) {
                char text[JSON_PATH_TEXT_SIZE];
                struct json_path path = path_of(text, "catches[%zu]", i);
                return reader_fail(r, &path, PLACE_VALUE, "is named twice");
            }
        }
    }
    return 0;
}

int scenario_check(struct reader *r, const struct draft *draft) {
    if (check_workload(r, draft) != 0 || check_pipeline(r, draft) != 0 ||
        check_catches(r, draft) != 0) {
        return -1;
    }
    for (size_t i = 0; i < draft->scenario.fault_count; i++) {
        if (check_fault(r, draft, i) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < draft->scenario.operation_count; i++) {
        if (check_operation(r, draft, i) != 0) {
            return -1;
        }
    }
    return check_probes(r, draft) != 0 || check_reconcile(r, draft) != 0
               ? -1
               : check_expectations(r, draft);
}
