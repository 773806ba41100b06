#include "reports/junit.h"

#include <string.h>

#include "reports/format.h"
#include "reports/headline.h"
#include "reports/markup.h"

static void attribute(FILE *out, const char *name, const char *value) {
    fprintf(out, " %s=\"", name);
    markup_attribute(out, value);
    fputc('"', out);
}

/* classname groups cases in a CI system's tree: scenario.kind */
static void open_case(FILE *out, const struct run_result *r, const char *name, const char *kind) {
    fputs("    <testcase", out);
    attribute(out, "name", name);
    fputs(" classname=\"", out);
    markup_attribute(out, *r->scenario ? r->scenario : "murphy");
    fputc('.', out);
    markup_attribute(out, *kind ? kind : "check");
    fputc('"', out);
}

/* element: "failure" or "error" */
static void open_problem(FILE *out, const char *element, const char *message, const char *type) {
    fprintf(out, ">\n      <%s", element);
    attribute(out, "message", message);
    attribute(out, "type", type);
    fputc('>', out);
}

static void detail(FILE *out, const char *label, const char *value) {
    if (!*value)
        return;
    fprintf(out, "%s: ", label);
    markup_text(out, value);
    fputc('\n', out);
}

static void close_problem(FILE *out, const struct run_result *r, const char *element) {
    detail(out, "reproduce", r->reproduce);
    fprintf(out, "</%s>\n    </testcase>\n", element);
}

static void check_case(FILE *out, const struct run_result *r, const struct run_check *c) {
    open_case(out, r, c->name, c->kind);
    if (c->status == RUN_CHECK_PASS) {
        fputs("/>\n", out);
        return;
    }
    bool failed = c->status == RUN_CHECK_FAIL;
    const char *element = failed ? "failure" : "error";
    const char *message = *c->observed ? c->observed : failed ? "failed" : "no data";
    open_problem(out, element, message, failed ? c->kind : "no_data");
    detail(out, "expected", c->expected);
    detail(out, "observed", c->observed);
    if (c->at_ns)
        detail(out, "at", format_moment(c->at_ns).text);
    detail(out, "evidence", c->evidence);
    close_problem(out, r, element);
}

static void slo_case(FILE *out, const struct run_result *r, const struct run_slo *s) {
    open_case(out, r, s->name, "slo");
    if (s->status == RUN_SLO_MET) {
        fputs("/>\n", out);
        return;
    }
    bool breached = s->status == RUN_SLO_BREACHED;
    const char *element = breached ? "failure" : "error";
    char message[200] = "no data";
    struct formatted objective = format_objective(s);
    if (breached)
        snprintf(message, sizeof message, "observed %s, objective %s",
                 format_figure(s->observed, s->unit).text, objective.text);
    open_problem(out, element, message, breached ? "slo" : "no_data");
    detail(out, "objective", objective.text);
    close_problem(out, r, element);
}

/* A run that could not be judged must not look like a suite without failures. */
static bool needs_error_case(const struct run_result *r) {
    return r->verdict == RUN_ERROR || r->check_count + r->slo_count == 0;
}

static void error_case(FILE *out, const struct run_result *r) {
    open_case(out, r, "run", "run");
    open_problem(out, "error", *r->error ? r->error : "nothing was checked", "error");
    close_problem(out, r, "error");
}

static void suite_attributes(FILE *out, const struct run_result *r,
                             const struct run_junit_options *options) {
    bool extra = needs_error_case(r);
    size_t failures = run_checks_with(r, RUN_CHECK_FAIL) + run_slos_with(r, RUN_SLO_BREACHED);
    size_t errors =
        run_checks_with(r, RUN_CHECK_NO_DATA) + run_slos_with(r, RUN_SLO_NO_DATA) + extra;
    fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\"",
            r->check_count + r->slo_count + extra, failures, errors);
    if (!options->without_wall)
        fprintf(out, " time=\"%.3f\"", (double)r->wall_ns / 1e9);
}

static void property(FILE *out, const char *name, const char *value) {
    fputs("      <property", out);
    attribute(out, "name", name);
    attribute(out, "value", value);
    fputs("/>\n", out);
}

static void properties(FILE *out, const struct run_result *r) {
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)r->seed);
    fputs("    <properties>\n", out);
    property(out, "murphy", r->murphy);
    property(out, "seed", seed);
    property(out, "bug", r->bug);
    property(out, "verdict", run_verdict_name(r->verdict));
    property(out, "trace_hash", r->trace_hash);
    property(out, "reproduce", r->reproduce);
    fputs("    </properties>\n", out);
}

int run_junit_write(const struct run_result *r, const struct run_junit_options *options, FILE *out,
                    struct report_error *error) {
    static const struct run_junit_options plain;
    if (report_refuse_incomplete(r, error) != 0)
        return -1;
    const struct run_junit_options *o = options ? options : &plain;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"murphy\"", out);
    suite_attributes(out, r, o);
    fputs(">\n  <testsuite", out);
    attribute(out, "name", *r->scenario ? r->scenario : "murphy");
    suite_attributes(out, r, o);
    fputs(">\n", out);
    properties(out, r);
    if (needs_error_case(r))
        error_case(out, r);
    for (size_t i = 0; i < r->check_count; i++)
        check_case(out, r, &r->checks[i]);
    for (size_t i = 0; i < r->slo_count; i++)
        slo_case(out, r, &r->slos[i]);
    fputs("    <system-out>", out);
    markup_text(out, run_headline(r).text);
    fputs("</system-out>\n  </testsuite>\n</testsuites>\n", out);
    return report_finish(out, error);
}

static int write_any(const struct run_result *r, const void *options, FILE *out,
                     struct report_error *error) {
    return run_junit_write(r, options, out, error);
}

int run_junit_save(const struct run_result *r, const struct run_junit_options *options,
                   const char *path, struct report_error *error) {
    return report_save(write_any, r, options, path, error);
}
