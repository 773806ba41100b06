/*
 * murphy rebuild --from bronze.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli/moment.h"
#include "cli/murphy.h"
#include "cli/rebuild.h"
#include "cli/run_stores.h"

struct shown {
    const struct rebuild_arguments *a;
    json_t *differences; /* NULL: they are printed */
    uint64_t shown, kept_back;
    bool no_memory;
};

static int keep_difference(struct shown *s, enum rebuilt_layer layer,
                           const struct table_difference *d) {
    json_t *item = json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s}", "layer", rebuilt_layer_name(layer),
                             "table", d->table, "key", d->key, "column", d->column, "stored",
                             d->stored, "rebuilt", d->rebuilt);
    s->no_memory = item == NULL || json_array_append_new(s->differences, item) != 0;
    return s->no_memory;
}

/* The key, with the date of a moment in it, which is told in nanoseconds. */
static void show_key(const char *key) {
    const char *moment = strstr(key, "_ns ");
    int64_t ns;
    if (moment == NULL || sscanf(moment + 4, "%" SCNd64, &ns) != 1) {
        fputs(key, stdout);
        return;
    }
    char date[MOMENT_TEXT_MAX];
    moment_format((vtime){ns}, date);
    int end = (int)(moment - key) + 4 + (int)strspn(moment + 4, "-0123456789");
    printf("%.*s (%s)%s", end, key, date, key + end);
}

static int show_difference(void *ctx, enum rebuilt_layer layer, const struct table_difference *d) {
    struct shown *s = ctx;
    if (s->shown == s->a->limit) {
        s->kept_back++;
        return 0;
    }
    s->shown++;
    if (s->differences != NULL) {
        return keep_difference(s, layer, d);
    }
    printf("%s: %s of %s: ", rebuilt_layer_name(layer), d->column == NULL ? "a row" : d->column,
           d->table);
    show_key(d->key);
    printf(": stored %s, rebuilt %s\n", d->stored, d->rebuilt);
    return 0;
}

static uint64_t differing(const struct rebuilt_report *report) {
    uint64_t rows = 0;
    for (int i = 0; i < REBUILT_LAYER_COUNT; i++) {
        const struct table_counts *c = &report->counts[i];
        rows += c->different + c->missing + c->extra;
    }
    return rows;
}

static void show_table(const struct rebuilt_report *report) {
    printf("%-9s %-15s %9s %9s %9s %9s %9s\n", "layer", "table", "compared", "equal", "different",
           "missing", "extra");
    for (int i = 0; i < REBUILT_LAYER_COUNT; i++) {
        const struct table_counts *c = &report->counts[i];
        if (report->compared[i]) {
            printf("%-9s %-15s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n",
                   rebuilt_layer_name((enum rebuilt_layer)i),
                   rebuilt_layer_table((enum rebuilt_layer)i), c->equal + c->different, c->equal,
                   c->different, c->missing, c->extra);
        }
    }
}

static void show_text(const struct run_stores *run, const struct rebuilt_report *report,
                      const struct shown *s) {
    uint64_t rows = differing(report), excused = 0;
    for (int i = 0; i < REBUILT_LAYER_COUNT; i++) {
        excused += report->counts[i].excused;
    }
    if (s->kept_back > 0) {
        printf("and %" PRIu64 " more\n", s->kept_back);
    }
    if (s->shown + s->kept_back > 0) {
        putchar('\n');
    }
    show_table(report);
    printf("\n%" PRIu64 " raw records of bronze, %" PRIu64 " of them no records or refused.\n",
           report->records, report->refused);
    if (report->erasures > 0) {
        printf("%" PRIu64 " erasures: what was said before them is kept nowhere, and not made.\n",
               report->erasures);
    }
    if (report->holes > 0) {
        printf("%" PRIu64 " places of bronze are empty", report->holes);
        if (report->unread > 0) {
            printf("; the loader never read %" PRIu64
                   " of them, which had expired or were passed over",
                   report->unread);
        }
        puts(".");
    }
    if (report->torn > 0) {
        printf("Of %" PRIu64
               " listings the log lost records that bronze has: of silver their present "
               "versions are compared, and murphy rebuild --from audit verifies their streams.\n",
               report->torn);
    }
    if (report->put_aside > 0) {
        printf("%" PRIu64 " listings have audit streams that bronze cannot tell as a whole; murphy "
               "rebuild --from audit verifies them.\n",
               report->put_aside);
    }
    if (vtime_before(run->start, run->warehouse_from)) {
        printf("What was over when the warehouse's time began is not compared; %" PRIu64
               " listings of gold were gone by then.\n",
               excused);
    }
    if (rows == 0) {
        puts("EQUAL: every row is what bronze says.");
    } else {
        printf("DIFFERENT: %" PRIu64 " rows are not what bronze says.\n", rows);
    }
}

/* ---- JSON ---- */

static json_t *layers_json(const struct rebuilt_report *report) {
    json_t *layers = json_array();
    for (int i = 0; layers != NULL && i < REBUILT_LAYER_COUNT; i++) {
        const struct table_counts *c = &report->counts[i];
        if (report->compared[i]) {
            json_array_append_new(
                layers,
                json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "layer",
                          rebuilt_layer_name((enum rebuilt_layer)i), "table",
                          rebuilt_layer_table((enum rebuilt_layer)i), "compared",
                          (json_int_t)(c->equal + c->different), "equal", (json_int_t)c->equal,
                          "different", (json_int_t)c->different, "missing", (json_int_t)c->missing,
                          "extra", (json_int_t)c->extra, "excused", (json_int_t)c->excused));
        }
    }
    return layers;
}

static int show_json(const struct rebuild_arguments *a, const struct rebuilt_report *report,
                     const struct shown *s) {
    json_t *layers = layers_json(report);
    json_t *all =
        layers == NULL
            ? NULL
            : json_pack("{s:s, s:s, s:s?, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:O, s:I}",
                        "run", a->run, "from", a->from, "at", a->at, "verdict",
                        differing(report) == 0 ? "equal" : "different", "records",
                        (json_int_t)report->records, "refused", (json_int_t)report->refused,
                        "erasures", (json_int_t)report->erasures, "holes",
                        (json_int_t)report->holes, "unread", (json_int_t)report->unread, "torn",
                        (json_int_t)report->torn, "put_aside", (json_int_t)report->put_aside,
                        "layers", layers, "differences", s->differences, "not_shown",
                        (json_int_t)s->kept_back);
    int failed = all == NULL || json_dumpf(all, stdout, JSON_INDENT(2)) != 0;
    json_decref(all);
    putchar('\n');
    return failed;
}

/* ---- The command ---- */

static int compare(struct run_stores *run, const struct rebuild_arguments *a, vtime at,
                   struct shown *s) {
    struct rebuilt_report report;
    struct rebuilt_options options = {
        .at = at,
        .start = run->start,
        .warehouse_from = run->warehouse_from,
        .layers = a->layers == 0 ? UINT32_MAX : a->layers,
        .different = show_difference,
        .ctx = s,
    };
    switch (rebuilt_layers_compare(run->db, &options, &report)) {
    case REBUILT_BAD_RUN:
        return run_stores_complain(run, EXIT_INPUT, "%s: %s", a->run, sqlite3_errmsg(run->db));
    case REBUILT_NO_MEMORY:
    case REBUILT_STOPPED:
        return run_stores_complain(run, EXIT_INTERNAL, "no memory");
    case REBUILT_DONE:
        break;
    }
    if (a->json && show_json(a, &report, s) != 0) {
        return run_stores_complain(run, EXIT_INTERNAL, "no memory");
    }
    if (!a->json) {
        show_text(run, &report, s);
    }
    return differing(&report) == 0 ? EXIT_HELD : EXIT_CHECK_FAILED;
}

int rebuild_from_bronze(const struct rebuild_arguments *a) {
    struct run_stores run;
    struct shown s = {.a = a};
    vtime at;
    int status = run_stores_open(&run, "rebuild", a->run);
    if (status == 0) {
        status = run_stores_as_of(&run, a->at, &at);
    }
    if (status == 0 && vtime_before(at, run.warehouse_from)) {
        status = run_stores_complain(&run, EXIT_INPUT,
                                     "%s: bronze does not tell everything of that moment", a->run);
    }
    if (status == 0 && a->json) {
        s.differences = json_array();
        status = s.differences == NULL ? run_stores_complain(&run, EXIT_INTERNAL, "no memory") : 0;
    }
    if (status == 0) {
        status = compare(&run, a, at, &s);
    }
    json_decref(s.differences);
    run_stores_close(&run);
    return status;
}
