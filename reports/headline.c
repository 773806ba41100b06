#include "reports/headline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reports/format.h"

uint64_t run_faults_injected(const struct run_result *r) {
    uint64_t injected = 0;
    for (size_t i = 0; i < r->faults.count; i++)
        injected += r->faults.items[i].count;
    return injected;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
add(struct headline *h, const char *format, ...) {
    size_t used = strlen(h->text);
    va_list args;
    va_start(args, format);
    vsnprintf(h->text + used, sizeof h->text - used, format, args);
    va_end(args);
}

/* Joins clauses: "A; b; c." */
static void clause(struct headline *h) {
    if (*h->text)
        add(h, "; ");
}

static const char *plural(uint64_t n) {
    return n == 1 ? "" : "s";
}

static void add_failures(struct headline *h, const struct run_result *r) {
    size_t failed = run_checks_with(r, RUN_CHECK_FAIL);
    size_t unknown = run_checks_with(r, RUN_CHECK_NO_DATA);
    size_t breached = run_slos_with(r, RUN_SLO_BREACHED);
    size_t unmeasured = run_slos_with(r, RUN_SLO_NO_DATA);
    if (failed)
        add(h, "%zu of %zu check%s failed", failed, r->check_count, plural(r->check_count));
    if (unknown) {
        clause(h);
        add(h, "%zu check%s had no data", unknown, plural(unknown));
    }
    if (breached) {
        clause(h);
        add(h, "%zu of %zu objective%s breached", breached, r->slo_count, plural(r->slo_count));
    }
    if (unmeasured) {
        clause(h);
        add(h, "%zu objective%s had no data", unmeasured, plural(unmeasured));
    }
}

static void add_drift(struct headline *h, const struct run_result *r) {
    const struct run_reconciliation *rec = &r->reconciliation;
    uint64_t before = run_drift_total(rec->before), after = run_drift_total(rec->after);
    if (!rec->present || before + after == 0)
        return;
    clause(h);
    add(h, "%s row%s had drifted, ", format_count(before).text, plural(before));
    if (after)
        add(h, "%s still differ%s after repair", format_count(after).text, after == 1 ? "s" : "");
    else
        add(h, "%s after repair", before == 1 ? "and is right" : "none");
}

struct headline run_headline(const struct run_result *r) {
    struct headline h = {""};
    if (r->verdict == RUN_ERROR) {
        if (*r->error)
            add(&h, "Murphy could not judge this run: %.300s", r->error);
        else
            add(&h, "Nothing was checked, so nothing was shown.");
        return h;
    }
    add_failures(&h, r);
    if (!*h.text) {
        add(&h, "%s %zu check%s held", r->check_count == 1 ? "The" : "All", r->check_count,
            plural(r->check_count));
        if (r->slo_count == 1)
            add(&h, " and the objective was met");
        else if (r->slo_count)
            add(&h, " and all %zu objectives were met", r->slo_count);
        uint64_t injected = run_faults_injected(r);
        add(&h, ", under %s injected fault%s", injected ? format_count(injected).text : "no",
            plural(injected));
    }
    add_drift(&h, r);
    add(&h, ".");
    return h;
}
