/*
 * From a number of the dashboard back to the rows of OLTP (B6).
 */
#include "cli/explain_metric.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "cli/moment.h"
#include "cli/murphy.h"
#include "pipeline/machine_parts.h"
#include "sim/lineage_simulation.h"
#include "sim/sqlite_host.h"

/* ---- Reading the run ---- */

struct reading {
    struct explain *e;
    struct lineage *l;
    sqlite3_stmt *s;
    bool no_memory;
};

static struct bytes column_bytes(sqlite3_stmt *s, int column) {
    const char *data = sqlite3_column_blob(s, column);
    return (struct bytes){data, data == NULL ? 0 : (size_t)sqlite3_column_bytes(s, column)};
}

/* An event id as the tables show it. */
static struct stamp column_stamp(sqlite3_stmt *s, int at, int id) {
    struct stamp stamp = {{sqlite3_column_int64(s, at)}, {0, 0}};
    const char *text = (const char *)sqlite3_column_text(s, id);
    int digits = 0;
    for (; text != NULL && *text != '\0' && digits < 32; text++) {
        const char *known = strchr("0123456789abcdef", *text);
        if (known == NULL) {
            continue;
        }
        uint64_t *half = digits < 16 ? &stamp.id.hi : &stamp.id.lo;
        *half = *half << 4 | (uint64_t)(known - "0123456789abcdef");
        digits++;
    }
    return stamp;
}

static vtime column_until(sqlite3_stmt *s, int column) {
    return sqlite3_column_type(s, column) == SQLITE_NULL ? VTIME_NEVER
                                                         : (vtime){sqlite3_column_int64(s, column)};
}

static uint32_t category_of(struct reading *r, struct bytes category) {
    int64_t number = lineage_category(r->l, category);
    r->no_memory = r->no_memory || number < 0;
    return (uint32_t)number;
}

static void say(struct reading *r, enum lineage_layer layer, const struct lineage_row *row) {
    r->no_memory = r->no_memory || lineage_say(r->l, layer, row) != 0;
}

/* Columns: order, listing, category, hour, quantity, amount, event moment, event id, from, to. */
static struct lineage_row order_row(struct reading *r) {
    sqlite3_stmt *s = r->s;
    return (struct lineage_row){
        .order_id = (uint64_t)sqlite3_column_int64(s, 0),
        .listing_id = (uint64_t)sqlite3_column_int64(s, 1),
        .category = category_of(r, column_bytes(s, 2)),
        .hour = sales_hour((vtime){sqlite3_column_int64(s, 3)}),
        .quantity = sqlite3_column_int64(s, 4),
        .amount = sqlite3_column_int64(s, 5),
        .stamp = column_stamp(s, 6, 7),
        .from = {sqlite3_column_int64(s, 8)},
        .to = column_until(s, 9),
    };
}

static void take_oltp(struct reading *r) {
    struct lineage_row row = order_row(r);
    say(r, LINEAGE_OLTP, &row);
}

static void take_topic(struct reading *r) {
    struct lineage_row row = order_row(r);
    row.partition = (uint32_t)sqlite3_column_int64(r->s, 10);
    row.epoch = (uint32_t)sqlite3_column_int64(r->s, 11);
    row.offset = sqlite3_column_int64(r->s, 12);
    say(r, LINEAGE_TOPIC, &row);
}

/* Rows that hold at one time for one order are second rows of it. */
static void take_silver(struct reading *r) {
    struct lineage_row row = order_row(r);
    row.copy = (uint32_t)sqlite3_column_int64(r->s, 10);
    say(r, LINEAGE_SILVER, &row);
}

/* Columns: value, from, to, partition, epoch, offset. */
static void take_record(struct reading *r, enum lineage_layer layer) {
    struct record record;
    struct record_error error;
    struct lineage_row row;
    if (record_of_topic(TOPIC_ORDER, column_bytes(r->s, 0), &record, &error) != 0) {
        return; /* no order */
    }
    if (lineage_row_of_record(r->l, &record, &row) != 0) {
        r->no_memory = true;
        return;
    }
    row.from.ns = sqlite3_column_int64(r->s, 1);
    row.to = column_until(r->s, 2);
    row.partition = (uint32_t)sqlite3_column_int64(r->s, 3);
    row.epoch = (uint32_t)sqlite3_column_int64(r->s, 4);
    row.offset = sqlite3_column_int64(r->s, 5);
    say(r, layer, &row);
}

static void take_outbox(struct reading *r) {
    take_record(r, LINEAGE_RELAY);
}
static void take_bronze(struct reading *r) {
    take_record(r, LINEAGE_BRONZE);
}

/* Columns: category, hour, orders, quantity, amount, from, to. */
static void take_sum(struct reading *r, enum lineage_layer layer) {
    sqlite3_stmt *s = r->s;
    struct lineage_sum sum = {
        .category = category_of(r, column_bytes(s, 0)),
        .hour = {sqlite3_column_int64(s, 1)},
        .orders = sqlite3_column_int64(s, 2),
        .quantity = sqlite3_column_int64(s, 3),
        .amount = sqlite3_column_int64(s, 4),
        .from = {sqlite3_column_int64(s, 5)},
        .to = column_until(s, 6),
    };
    r->no_memory = r->no_memory || lineage_show(r->l, layer, &sum) != 0;
}

static void take_gold(struct reading *r) {
    take_sum(r, LINEAGE_GOLD);
}
static void take_view(struct reading *r) {
    take_sum(r, LINEAGE_VIEW);
}

#define ORDER_COLUMNS "order_id, listing_id, category"
static const struct {
    const char *sql;
    void (*take)(struct reading *r);
} sources[] = {
    {"SELECT " ORDER_COLUMNS ", ordered_at_ns, quantity, amount, event_at_ns, event_id,"
     " recorded_from_ns, recorded_to_ns FROM oltp_order_history",
     take_oltp},
    {"SELECT value, recorded_from_ns, recorded_to_ns, 0, 0, -1 FROM outbox_history"
     " WHERE topic = 'orders'",
     take_outbox},
    {"SELECT " ORDER_COLUMNS ", hour_ns, quantity, amount, event_at_ns, event_id,"
     " recorded_at_ns, NULL, partition, epoch, \"offset\" FROM order_record_history",
     take_topic},
    {"SELECT value, recorded_at_ns, NULL, partition, epoch, \"offset\" FROM bronze_event_history"
     " WHERE topic = 'orders'",
     take_bronze},
    {"SELECT " ORDER_COLUMNS ", hour_ns, quantity, amount, event_at_ns, event_id, recorded_from_ns,"
     " recorded_to_ns, copy FROM silver_order_history",
     take_silver},
    {"SELECT category, hour_ns, orders, quantity, amount, recorded_from_ns, recorded_to_ns"
     " FROM gold_sales_history",
     take_gold},
    {"SELECT category, hour_ns, orders, quantity, amount, recorded_from_ns, recorded_to_ns"
     " FROM dashboard_sales_history",
     take_view},
};

static int read_source(struct reading *r, size_t source) {
    if (sqlite_host_prepare(r->e->stores.db, sources[source].sql, &r->s) != SQLITE_OK) {
        return run_stores_failed(&r->e->stores);
    }
    int rc;
    while ((rc = sqlite3_step(r->s)) == SQLITE_ROW && !r->no_memory) {
        sources[source].take(r);
    }
    sqlite3_finalize(r->s);
    if (rc != SQLITE_DONE && !r->no_memory) {
        return run_stores_failed(&r->e->stores);
    }
    return EXIT_HELD;
}

static int out_of_memory(const struct explain *e) {
    return run_stores_complain(&e->stores, EXIT_INTERNAL, "out of memory");
}

static int read_all(struct explain *e, struct lineage *l) {
    struct reading reading = {.e = e, .l = l};
    int status = EXIT_HELD;
    for (size_t i = 0; i < sizeof sources / sizeof *sources && status == EXIT_HELD; i++) {
        status = read_source(&reading, i);
    }
    return status == EXIT_HELD && reading.no_memory ? out_of_memory(e) : status;
}

/* ---- The question: NAME, or NAME{category="...", hour="..."} ---- */

struct text {
    const char *at;
};

static void skip_spaces(struct text *t) {
    t->at += strspn(t->at, " \t");
}

static bool take(struct text *t, char c) {
    skip_spaces(t);
    if (*t->at != c) {
        return false;
    }
    t->at++;
    return true;
}

/* A word of letters, or what stands in quotes. */
static struct bytes take_word(struct text *t) {
    skip_spaces(t);
    bool quoted = *t->at == '"';
    t->at += quoted;
    const char *start = t->at;
    t->at += quoted ? strcspn(t->at, "\"") : strcspn(t->at, "={},\"");
    struct bytes word = {start, (size_t)(t->at - start)};
    t->at += quoted && *t->at == '"';
    return word;
}

static bool is_word(struct bytes word, const char *text) {
    return bytes_equal(word, bytes_of(text));
}

/* One NAME=VALUE; false where it is none. */
static bool take_label(struct explain *e, struct lineage *l, struct text *t,
                       struct lineage_question *q) {
    struct bytes name = take_word(t);
    if (!take(t, '=')) {
        return false;
    }
    struct bytes value = take_word(t);
    if (is_word(name, "category") && !q->of_category) {
        int64_t category = lineage_category(l, value);
        q->of_category = true;
        q->category = (uint32_t)category;
        return category >= 0;
    }
    char text[MOMENT_TEXT_MAX];
    if (!is_word(name, "hour") || q->of_hour || value.len >= sizeof text) {
        return false;
    }
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    q->of_hour = moment_parse(text, e->stores.start, &q->hour);
    q->hour = sales_hour(q->hour);
    return q->of_hour;
}

static int parse(struct explain *e, struct lineage *l, struct lineage_question *q) {
    size_t name = strcspn(e->metric, "{ ");
    int measure = lineage_measure_find(e->metric, name);
    if (measure < 0) {
        return run_stores_complain(&e->stores, EXIT_USAGE,
                                   "there is no metric '%.*s': the dashboard shows sales_orders, "
                                   "sales_quantity and sales_amount",
                                   (int)name, e->metric);
    }
    *q = (struct lineage_question){.measure = (enum lineage_measure)measure,
                                   .at = e->at,
                                   .sla_ns = e->stores.dashboard_sla_ns};
    struct text t = {e->metric + name};
    skip_spaces(&t);
    bool good = true;
    if (*t.at != '\0') {
        good = take(&t, '{') && take_label(e, l, &t, q);
        while (good && take(&t, ',')) {
            good = take_label(e, l, &t, q);
        }
        good = good && take(&t, '}') && *t.at == '\0';
    }
    return good ? EXIT_HELD
                : run_stores_complain(&e->stores, EXIT_USAGE,
                                      "'%s' is no metric: write %s, or with one or both of "
                                      "{category=\"Furniture > Sofas\", hour=\"+2h\"}",
                                      e->metric,
                                      lineage_measure_name((enum lineage_measure)measure));
}

int explain_metric(struct explain *e) {
    struct lineage l;
    struct lineage_question question;
    struct lineage_answer answer = {.verdict = LINEAGE_NO_DATA};
    lineage_init(&l);
    int status = parse(e, &l, &question);
    if (status == EXIT_HELD) {
        status = read_all(e, &l);
    }
    if (status == EXIT_HELD) {
        struct metric_walk walk = {e, &l, &question, &answer};
        status = lineage_walk(&l, &question, &answer) != 0 ? out_of_memory(e)
                 : e->json                                 ? explain_metric_json(&walk)
                                                           : explain_metric_show(&walk);
    }
    lineage_answer_release(&answer);
    lineage_release(&l);
    return status;
}
