#include "cli/explain_metric.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli/moment.h"
#include "cli/murphy.h"

enum { SHOWN_MAX = 12, NUMBER_TEXT = 40, SQL_TEXT = 1400, IDS_TEXT = 400 };

struct shown_text {
    char text[MOMENT_TEXT_MAX];
};

static struct shown_text moment(vtime t) {
    struct shown_text out;
    moment_format(t, out.text);
    return out;
}

/* To the millisecond, for people. */
static struct shown_text moment_short(vtime t) {
    return moment((vtime){t.ns - t.ns % VTIME_MILLISECOND});
}

/* Amounts in units of the currency. */
static void number(const struct metric_walk *w, int64_t value, char text[NUMBER_TEXT]) {
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (w->question->measure == LINEAGE_AMOUNT) {
        snprintf(text, NUMBER_TEXT, "%s%" PRIu64 ".%02" PRIu64, value < 0 ? "-" : "", size / 10000,
                 size % 10000 / 100);
    } else {
        snprintf(text, NUMBER_TEXT, "%" PRId64, value);
    }
}

static const char *layer_table(enum lineage_layer layer) {
    static const char *const tables[] = {"oltp_order",     "outbox",       "order_record",
                                         "bronze_event",   "silver_order", "gold_sales",
                                         "dashboard_sales"};
    return tables[layer];
}

static uint64_t order_of(const struct lineage_finding *f) {
    return f->oltp.order_id != 0 ? f->oltp.order_id : f->said.order_id;
}

static struct bytes category_of(const struct metric_walk *w, const struct lineage_finding *f) {
    uint32_t category = !f->is_order            ? f->shown.category
                        : f->oltp.order_id != 0 ? f->oltp.category
                                                : f->said.category;
    return lineage_category_name(w->l, category);
}

/* ---- SQL for the reader ---- */

static bool first_of(const struct metric_walk *w, size_t i) {
    return w->answer->findings[i].layer == w->answer->layer;
}

/* The orders that went wrong in the named layer, as a list of SQL. */
static void order_ids(const struct metric_walk *w, char text[IDS_TEXT]) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < w->answer->finding_count && i < SHOWN_MAX && first_of(w, i); i++) {
        used += (size_t)snprintf(text + used, IDS_TEXT - used, "%s%" PRIu64, i == 0 ? "" : ", ",
                                 order_of(&w->answer->findings[i]));
    }
}

/* Where in bronze the records lie that the topic has: OR-ed conditions. */
static void places(const struct metric_walk *w, char text[SQL_TEXT / 2]) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < w->answer->finding_count && i < SHOWN_MAX && first_of(w, i); i++) {
        const struct lineage_row *carried = &w->answer->findings[i].carried;
        if (carried->order_id != 0) {
            used += (size_t)snprintf(text + used, SQL_TEXT / 2 - used,
                                     "%s(partition = %u AND \"offset\" = %" PRId64 ")",
                                     used == 0 ? "" : " OR ", carried->partition, carried->offset);
        }
    }
}

/* Statements that show the difference: of the source, and of the layer that is wrong. */
static size_t statements(const struct metric_walk *w, char out[2][SQL_TEXT]) {
    const struct lineage_answer *a = w->answer;
    if (a->verdict != LINEAGE_WRONG) {
        return 0;
    }
    char ids[IDS_TEXT], where[SQL_TEXT / 2];
    order_ids(w, ids);
    places(w, where);
    if (a->layer >= LINEAGE_GOLD) {
        bool gold = a->layer == LINEAGE_GOLD;
        snprintf(out[0], SQL_TEXT, "SELECT category, hour_ns, orders, quantity, amount FROM %s%s",
                 gold ? "(SELECT category, hour_ns, count(*) AS orders, sum(quantity) AS quantity,"
                        " sum(amount) AS amount FROM silver_order GROUP BY category, hour_ns)"
                      : "gold_sales",
                 gold ? " EXCEPT SELECT category, hour_ns, orders, quantity, amount FROM gold_sales"
                      : " EXCEPT SELECT category, hour_ns, orders, quantity, amount FROM "
                        "dashboard_sales");
        snprintf(
            out[1], SQL_TEXT,
            "SELECT category, hour_ns, orders, quantity, amount FROM %s WHERE hour_ns = %" PRId64,
            layer_table(a->layer), a->findings[0].shown.hour.ns);
        return 2;
    }
    snprintf(out[0], SQL_TEXT, "SELECT * FROM oltp_order WHERE order_id IN (%s)", ids);
    switch (a->layer) {
    case LINEAGE_RELAY:
        snprintf(out[1], SQL_TEXT,
                 "SELECT sequence, \"key\", created_at_ns FROM outbox WHERE topic = 'orders'");
        break;
    case LINEAGE_BRONZE:
        snprintf(out[1], SQL_TEXT,
                 "SELECT partition, \"offset\", append_at_ns, event_id FROM bronze_event"
                 " WHERE topic = 'orders' AND (%s)",
                 where[0] == '\0' ? "1" : where);
        break;
    default:
        snprintf(out[1], SQL_TEXT, "SELECT * FROM %s WHERE order_id IN (%s)", layer_table(a->layer),
                 ids);
    }
    return 2;
}

/* ---- For people ---- */

static void show_title(const struct metric_walk *w) {
    const struct lineage_question *q = w->question;
    printf("%s", lineage_measure_name(q->measure));
    if (q->of_category) {
        struct bytes name = lineage_category_name(w->l, q->category);
        printf(" of \"%.*s\"", (int)name.len, name.data);
    }
    if (q->of_hour) {
        printf(" in the hour of %s", moment(q->hour).text);
    }
    printf(", as of %s%s\n\n", moment(q->at).text,
           q->at.ns == w->e->stores.end.ns ? ", the end of the run" : "");
}

static void show_verdict(const struct metric_walk *w) {
    const struct lineage_answer *a = w->answer;
    char shown[NUMBER_TEXT], expected[NUMBER_TEXT], difference[NUMBER_TEXT];
    number(w, a->shown, shown);
    number(w, a->expected, expected);
    number(w, a->shown - a->expected, difference);
    if (a->verdict == LINEAGE_NO_DATA) {
        puts("NO DATA: no layer has an order of it.");
        if (w->question->of_category) {
            printf(
                "Categories are written as in\n    murphy query %s \"SELECT DISTINCT category FROM "
                "gold_sales\"\n",
                w->e->stores.run);
        }
        return;
    }
    printf("The dashboard shows %s, OLTP says %s", shown, expected);
    if (a->shown != a->expected) {
        printf(" (difference %s)", difference);
    }
    if (a->verdict == LINEAGE_RIGHT) {
        puts(".\nRIGHT: no layer is wrong.");
    } else if (a->verdict == LINEAGE_IN_FLIGHT) {
        char sla[MOMENT_TEXT_MAX];
        duration_format(w->question->sla_ns, sla);
        printf(".\nIN FLIGHT: what differs is younger than its freshness SLA of %s.\n", sla);
    } else {
        printf(".\nWRONG: %s %s since %s,\n", lineage_layer_name(a->layer),
               lineage_cause_name(a->cause), moment_short(a->since).text);
        printf(a->until.ns == VTIME_NEVER.ns ? "not made good in this run.\n"
                                             : "made good by %s.\n",
               moment_short(a->until).text);
    }
}

static void show_layers(const struct metric_walk *w) {
    puts("\n  layer    number              from the one before  wrong");
    for (int i = 0; i < LINEAGE_LAYER_COUNT; i++) {
        const struct lineage_answer *a = w->answer;
        char value[NUMBER_TEXT], step[NUMBER_TEXT] = "";
        number(w, a->values[i], value);
        if (i > 0 && a->values[i] != a->values[i - 1]) {
            number(w, a->values[i] - a->values[i - 1], step);
        }
        bool named = a->verdict == LINEAGE_WRONG && (int)a->layer == i;
        printf("  %-8s %-19s %-19s  %5" PRIu64 "%s\n", lineage_layer_name((enum lineage_layer)i),
               value, step, a->wrong[i], named ? "  <- here" : "");
    }
    if (w->answer->verdict != LINEAGE_WRONG && w->answer->verdict != LINEAGE_IN_FLIGHT) {
        return;
    }
    puts("  wrong: orders and hours that went wrong there. What a layer took over from the\n"
         "  one before it, or what is on its way to it, makes a difference and is no wrong.");
}

static void show_said(const char *who, const struct metric_walk *w, const struct lineage_row *row) {
    struct bytes category = lineage_category_name(w->l, row->category);
    char amount[NUMBER_TEXT];
    snprintf(amount, sizeof amount, "%" PRId64 ".%02" PRId64, row->amount / 10000,
             row->amount % 10000 / 100);
    printf("      %-8s \"%.*s\", hour %s,\n               quantity %" PRId64 ", amount %s\n", who,
           (int)category.len, category.data, moment(row->hour).text, row->quantity, amount);
}

static void show_sums(const char *who, const struct lineage_sum *sum) {
    printf("      %-8s %" PRId64 " orders, quantity %" PRId64 ", amount %" PRId64 ".%02" PRId64
           "\n",
           who, sum->orders, sum->quantity, sum->amount / 10000,
           (sum->amount < 0 ? -sum->amount : sum->amount) % 10000 / 100);
}

static void show_finding(const struct metric_walk *w, const struct lineage_finding *f) {
    const char *layer = lineage_layer_name(f->layer);
    struct bytes category = category_of(w, f);
    if (f->is_order) {
        printf("\n    order %" PRIu64 " of listing %" PRIu64, order_of(f),
               f->oltp.order_id != 0 ? f->oltp.listing_id : f->said.listing_id);
    } else {
        printf("\n    \"%.*s\" in the hour of %s", (int)category.len, category.data,
               moment(f->shown.hour).text);
    }
    printf(": %s in %s\n      since %s, ", lineage_flaw_name(f->flaw), layer,
           moment_short(f->since).text);
    printf(f->until.ns == VTIME_NEVER.ns ? "not made good in this run\n" : "made good %s\n",
           moment_short(f->until).text);
    if (!f->is_order) {
        show_sums(f->layer == LINEAGE_GOLD ? "silver" : "gold", &f->upstream);
        show_sums(layer, &f->shown);
        return;
    }
    if (f->oltp.order_id != 0) {
        show_said("oltp", w, &f->oltp);
    }
    if (f->said.order_id != 0) {
        show_said(layer, w, &f->said);
    } else {
        printf("      %-8s nothing\n", layer);
    }
    if (f->carried.order_id != 0) {
        printf("      %-8s partition %u, offset %" PRId64 ", appended %s\n", "record",
               f->carried.partition, f->carried.offset, moment_short(f->carried.from).text);
    }
}

int explain_metric_show(const struct metric_walk *w) {
    const struct lineage_answer *a = w->answer;
    show_title(w);
    show_verdict(w);
    show_layers(w);
    for (size_t i = 0; i < a->finding_count && i < SHOWN_MAX; i++) {
        show_finding(w, &a->findings[i]);
    }
    if (a->finding_count > SHOWN_MAX) {
        printf("\n    and %zu more\n", a->finding_count - SHOWN_MAX);
    }
    char sql[2][SQL_TEXT];
    size_t count = statements(w, sql);
    if (count > 0) {
        puts("\n  See for yourself:");
    }
    for (size_t i = 0; i < count; i++) {
        printf("    murphy query %s --at %s '%s'\n", w->e->stores.run, moment(w->question->at).text,
               sql[i]);
    }
    return EXIT_HELD;
}

/* ---- JSON ---- */

static json_t *json_moment(vtime t) {
    return t.ns == VTIME_NEVER.ns ? json_null() : json_string(moment(t).text);
}

static json_t *json_row(const struct metric_walk *w, const struct lineage_row *row) {
    if (row->order_id == 0) {
        return json_null();
    }
    struct bytes category = lineage_category_name(w->l, row->category);
    return json_pack("{s:s%, s:o, s:I, s:I}", "category", category.data, category.len, "hour",
                     json_moment(row->hour), "quantity", (json_int_t)row->quantity, "amount",
                     (json_int_t)row->amount);
}

static json_t *json_sum(const struct lineage_sum *sum) {
    return json_pack("{s:I, s:I, s:I}", "orders", (json_int_t)sum->orders, "quantity",
                     (json_int_t)sum->quantity, "amount", (json_int_t)sum->amount);
}

static json_t *json_finding(const struct metric_walk *w, const struct lineage_finding *f) {
    struct bytes category = category_of(w, f);
    json_t *out = json_pack(
        "{s:s, s:s, s:s%, s:I, s:o, s:o}", "layer", lineage_layer_name(f->layer), "flaw",
        lineage_flaw_name(f->flaw), "category", category.data, category.len, "effect",
        (json_int_t)f->effect, "since", json_moment(f->since), "until", json_moment(f->until));
    if (!f->is_order) {
        json_object_set_new(out, "hour", json_moment(f->shown.hour));
        json_object_set_new(out, "expected", json_sum(&f->upstream));
        json_object_set_new(out, "said", json_sum(&f->shown));
        return out;
    }
    json_object_set_new(out, "order_id", json_integer((json_int_t)order_of(f)));
    json_object_set_new(out, "expected", json_row(w, &f->oltp));
    json_object_set_new(out, "said", json_row(w, &f->said));
    if (f->carried.order_id != 0) {
        json_object_set_new(out, "record",
                            json_pack("{s:i, s:I, s:o}", "partition", (int)f->carried.partition,
                                      "offset", (json_int_t)f->carried.offset, "append",
                                      json_moment(f->carried.from)));
    }
    return out;
}

static json_t *json_layers(const struct metric_walk *w) {
    json_t *layers = json_array();
    for (int i = 0; i < LINEAGE_LAYER_COUNT; i++) {
        json_array_append_new(layers, json_pack("{s:s, s:s, s:I, s:I}", "layer",
                                                lineage_layer_name((enum lineage_layer)i), "table",
                                                layer_table((enum lineage_layer)i), "value",
                                                (json_int_t)w->answer->values[i], "wrong",
                                                (json_int_t)w->answer->wrong[i]));
    }
    return layers;
}

int explain_metric_json(const struct metric_walk *w) {
    const struct lineage_answer *a = w->answer;
    bool wrong = a->verdict == LINEAGE_WRONG;
    json_t *findings = json_array(), *sql = json_array();
    for (size_t i = 0; i < a->finding_count; i++) {
        json_array_append_new(findings, json_finding(w, &a->findings[i]));
    }
    char text[2][SQL_TEXT];
    size_t count = statements(w, text);
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(sql, json_string(text[i]));
    }
    json_t *out = json_pack(
        "{s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "metric", w->e->metric,
        "at", json_moment(w->question->at), "verdict", lineage_verdict_name(a->verdict), "layer",
        wrong ? lineage_layer_name(a->layer) : "none", "cause", lineage_cause_name(a->cause),
        "expected", (json_int_t)a->expected, "shown", (json_int_t)a->shown, "in_flight",
        (json_int_t)a->in_flight, "since", wrong ? json_moment(a->since) : json_null(), "until",
        wrong ? json_moment(a->until) : json_null(), "layers", json_layers(w), "findings", findings,
        "sql", sql);
    int failed = out == NULL || json_dumpf(out, stdout, JSON_INDENT(2)) != 0 || putchar('\n') < 0;
    json_decref(out);
    return failed ? run_stores_complain(&w->e->stores, EXIT_INTERNAL, "out of memory") : EXIT_HELD;
}
