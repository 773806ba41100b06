#include "reports/openlineage.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "reports/format.h"

#define SPEC "https://openlineage.io/spec/"
#define RUN_EVENT SPEC "2-0-2/OpenLineage.json#/$defs/RunEvent"
#define FACET(version, name) SPEC "facets/" version "/" name ".json#/$defs/" name

/* `put` takes the value, also when it fails or when there is none, and counts the failure in one
 * place. */
struct writer {
    const struct run_result *r;
    const struct openlineage_document *document;
    bool *told; /* by dataset: its columns were named */
    char producer[64];
    bool failed;
};

static void put(struct writer *w, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0) {
        w->failed = true;
    }
}

static void push(struct writer *w, json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0) {
        w->failed = true;
    }
}

static json_t *count(uint64_t n) {
    return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *moment(int64_t at_ns) {
    return json_string(format_moment(at_ns).text);
}

static json_t *facet(struct writer *w, const char *schema) {
    json_t *out = json_object();
    put(w, out, "_producer", json_string(w->producer));
    put(w, out, "_schemaURL", json_string(schema));
    return out;
}

/* ---- Datasets ---- */

static json_t *schema_facet(struct writer *w, const struct openlineage_dataset *dataset) {
    json_t *fields = json_array();
    for (size_t i = 0; i < dataset->column_count; i++) {
        json_t *field = json_object();
        put(w, field, "name", json_string(dataset->columns[i]));
        push(w, fields, field);
    }
    json_t *out = facet(w, FACET("1-1-1", "SchemaDatasetFacet"));
    put(w, out, "fields", fields);
    return out;
}

static json_t *input_field(struct writer *w, const struct openlineage_column *column) {
    const struct openlineage_dataset *source = &w->document->datasets[column->source];
    json_t *out = json_object();
    put(w, out, "namespace", json_string(source->space));
    put(w, out, "name", json_string(source->name));
    put(w, out, "field", json_string(column->source_column));
    return out;
}

/* NULL when nothing is known of the dataset's columns. */
static json_t *columns_facet(struct writer *w, size_t dataset) {
    json_t *fields = NULL;
    for (size_t i = 0; i < w->document->column_count; i++) {
        const struct openlineage_column *column = &w->document->columns[i];
        if (column->dataset != dataset) {
            continue;
        }
        fields = fields == NULL ? json_object() : fields;
        json_t *field = json_object_get(fields, column->column);
        if (field == NULL) {
            field = json_object();
            put(w, field, "inputFields", json_array());
            put(w, fields, column->column, field);
            field = json_object_get(fields, column->column);
        }
        push(w, json_object_get(field, "inputFields"), input_field(w, column));
    }
    if (fields == NULL) {
        return NULL;
    }
    json_t *out = facet(w, FACET("1-2-0", "ColumnLineageDatasetFacet"));
    put(w, out, "fields", fields);
    return out;
}

static json_t *dataset_of(struct writer *w, size_t at) {
    const struct openlineage_dataset *dataset = &w->document->datasets[at];
    json_t *out = json_object();
    put(w, out, "namespace", json_string(dataset->space));
    put(w, out, "name", json_string(dataset->name));
    if (!w->told[at] && dataset->column_count > 0) {
        json_t *facets = json_object(), *columns = columns_facet(w, at);
        put(w, facets, "schema", schema_facet(w, dataset));
        if (columns != NULL) {
            put(w, facets, "columnLineage", columns);
        }
        put(w, out, "facets", facets);
        w->told[at] = true;
    }
    return out;
}

static json_t *input_of(struct writer *w, const struct openlineage_use *use) {
    json_t *out = dataset_of(w, use->dataset), *facets = json_object();
    json_t *metrics = facet(w, FACET("1-0-2", "DataQualityMetricsInputDatasetFacet"));
    put(w, metrics, "rowCount", count(use->rows));
    put(w, metrics, "columnMetrics", json_object());
    put(w, facets, "dataQualityMetrics", metrics);
    put(w, out, "inputFacets", facets);
    return out;
}

static json_t *output_of(struct writer *w, const struct openlineage_use *use) {
    json_t *out = dataset_of(w, use->dataset), *facets = json_object();
    json_t *statistics = facet(w, FACET("1-0-2", "OutputStatisticsOutputDatasetFacet"));
    put(w, statistics, "rowCount", count(use->rows));
    put(w, facets, "outputStatistics", statistics);
    put(w, out, "outputFacets", facets);
    return out;
}

static json_t *uses_of(struct writer *w, const struct openlineage_use *uses, size_t n,
                       json_t *(*make)(struct writer *w, const struct openlineage_use *use)) {
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        push(w, out, make(w, &uses[i]));
    }
    return out;
}

/* ---- Runs and jobs ---- */

static json_t *own_facet(struct writer *w, const struct openlineage_run *run) {
    json_t *out = facet(w, SPEC "2-0-2/OpenLineage.json#/$defs/RunFacet");
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)w->r->seed);
    put(w, out, "scenario", json_string(w->r->scenario));
    put(w, out, "seed", json_string(seed));
    if (run->worker != NULL) {
        put(w, out, "worker", json_string(run->worker));
    }
    return out;
}

static json_t *run_of(struct writer *w, const struct openlineage_run *run, bool ended) {
    json_t *out = json_object(), *facets = json_object();
    put(w, facets, "murphy_run", own_facet(w, run));
    if (run->to_ns != 0) {
        json_t *nominal = facet(w, FACET("1-0-1", "NominalTimeRunFacet"));
        put(w, nominal, "nominalStartTime",
            moment(run->from_ns != 0 ? run->from_ns : w->r->start_ns));
        put(w, nominal, "nominalEndTime", moment(run->to_ns));
        put(w, facets, "nominalTime", nominal);
    }
    if (ended && run->end != OPENLINEAGE_COMPLETE) {
        json_t *message = facet(w, FACET("1-0-0", "ErrorMessageRunFacet"));
        put(w, message, "message", json_string(run->message));
        put(w, message, "programmingLanguage", json_string("C"));
        put(w, facets, "errorMessage", message);
    }
    put(w, out, "runId", json_string(run->run_id));
    put(w, out, "facets", facets);
    return out;
}

static json_t *job_of(struct writer *w, const struct openlineage_run *run) {
    json_t *out = json_object(), *facets = json_object();
    json_t *type = facet(w, FACET("2-0-3", "JobTypeJobFacet"));
    put(w, type, "processingType", json_string(run->streaming ? "STREAMING" : "BATCH"));
    put(w, type, "integration", json_string("MURPHY"));
    put(w, type, "jobType", json_string("JOB"));
    put(w, facets, "jobType", type);
    put(w, out, "namespace", json_string("murphy"));
    put(w, out, "name", json_string(run->job));
    put(w, out, "facets", facets);
    return out;
}

/* ---- Events ---- */

struct event {
    int64_t at_ns;
    size_t run;
    bool ended;
};

static int event_order(const void *left, const void *right) {
    const struct event *a = left, *b = right;
    if (a->at_ns != b->at_ns) {
        return a->at_ns < b->at_ns ? -1 : 1;
    }
    if (a->run != b->run) {
        return a->run < b->run ? -1 : 1;
    }
    return (int)a->ended - (int)b->ended;
}

static json_t *event_of(struct writer *w, const struct event *event) {
    static const char *const ends[] = {"COMPLETE", "FAIL", "ABORT"};
    const struct openlineage_run *run = &w->document->runs[event->run];
    json_t *out = json_object();
    put(w, out, "eventType", json_string(event->ended ? ends[run->end] : "START"));
    put(w, out, "eventTime", moment(event->at_ns));
    put(w, out, "run", run_of(w, run, event->ended));
    put(w, out, "job", job_of(w, run));
    put(w, out, "inputs", uses_of(w, run->inputs, event->ended ? run->input_count : 0, input_of));
    put(w, out, "outputs",
        uses_of(w, run->outputs, event->ended ? run->output_count : 0, output_of));
    put(w, out, "producer", json_string(w->producer));
    put(w, out, "schemaURL", json_string(RUN_EVENT));
    return out;
}

static void write_events(struct writer *w, const struct event *events, size_t n, FILE *out) {
    for (size_t i = 0; i < n && !w->failed; i++) {
        json_t *event = event_of(w, &events[i]);
        if (event == NULL || json_dumpf(event, out, JSON_COMPACT) != 0 || fputc('\n', out) == EOF) {
            w->failed = true;
        }
        json_decref(event);
    }
}

int run_openlineage_write(const struct run_result *r, const struct openlineage_document *document,
                          FILE *out, struct report_error *error) {
    struct writer w = {.r = r, .document = document};
    size_t n = 2 * document->run_count;
    struct event *events = malloc((n + 1) * sizeof *events);
    w.told = calloc(document->dataset_count + 1, sizeof *w.told);
    snprintf(w.producer, sizeof w.producer, "urn:murphy:%s", r->murphy);
    w.failed = events == NULL || w.told == NULL;
    if (!w.failed) {
        for (size_t i = 0; i < document->run_count; i++) {
            events[2 * i] = (struct event){document->runs[i].started_ns, i, false};
            events[2 * i + 1] = (struct event){document->runs[i].ended_ns, i, true};
        }
        qsort(events, n, sizeof *events, event_order);
        write_events(&w, events, n, out);
    }
    free(events);
    free(w.told);
    return w.failed ? report_fail(error, "The lineage events could not be written: no memory, or "
                                         "the file takes no more.")
                    : report_finish(out, error);
}

static int write_any(const struct run_result *r, const void *options, FILE *out,
                     struct report_error *error) {
    return run_openlineage_write(r, options, out, error);
}

int run_openlineage_save(const struct run_result *r, const struct openlineage_document *document,
                         const char *path, struct report_error *error) {
    return report_save(write_any, r, document, path, error);
}
