#include "sim/lineage_simulation.h"

#include <errno.h>

#include "pipeline/machine_parts.h"
#include "sim/order_records.h"

static const vtime ever = {INT64_MIN};

int lineage_row_of_record(struct lineage *l, const struct record *record, struct lineage_row *row) {
    int64_t category = lineage_category(l, record->order_category);
    *row = (struct lineage_row){
        .order_id = record->order_id,
        .listing_id = record->subject_id,
        .stamp = record->stamp,
        .category = (uint32_t)category,
        .hour = sales_hour(order_placed(record->placed, record->stamp)),
        .quantity = record->quantity,
        .amount = record->amount,
        .from = ever,
        .to = VTIME_NEVER,
    };
    return category < 0 ? -ENOMEM : 0;
}

static int say_order(struct lineage *l, enum lineage_layer layer, const struct order_row *order,
                     uint32_t copy, vtime from, vtime to) {
    int64_t category = lineage_category(l, order->category);
    struct lineage_row row = {
        .order_id = order->order_id,
        .copy = copy,
        .listing_id = order->listing_id,
        .stamp = order->stamp,
        .category = (uint32_t)category,
        .hour = sales_hour(order->placed),
        .quantity = order->quantity,
        .amount = order->amount,
        .from = from,
        .to = to,
    };
    return category < 0 ? -ENOMEM : lineage_say(l, layer, &row);
}

static struct stamp stamp_of(const struct cell *cells) {
    return (struct stamp){{cells[0].integer},
                          {(uint64_t)cells[1].integer, (uint64_t)cells[2].integer}};
}

/* ---- OLTP and its outbox ---- */

static int oltp_version(void *ctx, const struct row_version *v) {
    const struct cell *cells = v->cells;
    struct order_row order = {
        .order_id = v->key.key,
        .listing_id = (uint64_t)cells[1].integer,
        .category = cells[2].text,
        .quantity = cells[3].integer,
        .amount = cells[4].integer,
        .placed = {cells[5].integer},
        .stamp = stamp_of(&cells[6]),
    };
    return say_order(ctx, LINEAGE_OLTP, &order, 0, v->from, v->to);
}

static int oltp_order(void *ctx, vtime created, const struct order_row *order) {
    return say_order(ctx, LINEAGE_OLTP, order, 0, created, VTIME_NEVER);
}

static int say_waiting(struct lineage *l, struct bytes value, vtime from, vtime to) {
    struct record record;
    struct record_error error;
    struct lineage_row row;
    if (record_of_topic(TOPIC_ORDER, value, &record, &error) != 0) {
        return 0;
    }
    if (lineage_row_of_record(l, &record, &row) != 0) {
        return -ENOMEM;
    }
    row.from = from;
    row.to = to;
    return lineage_say(l, LINEAGE_RELAY, &row);
}

static int outbox_version(void *ctx, const struct row_version *v) {
    return v->cells[1].integer == TOPIC_ORDER ? say_waiting(ctx, v->cells[3].text, v->from, v->to)
                                              : 0;
}

static int outbox_now(struct lineage *l, struct fake_oltp *o, vtime now) {
    enum { SLICE = 64 };
    struct outbox_row rows[SLICE];
    struct oltp_port port = fake_oltp_port(o);
    int64_t sequence = 0;
    size_t count = SLICE;
    while (count == SLICE) {
        if (port.ops->outbox_read(port.ctx, now, sequence, rows, SLICE, &count) != 0) {
            return -ENOMEM;
        }
        for (size_t i = 0; i < count; i++) {
            sequence = rows[i].sequence;
            if (rows[i].topic == TOPIC_ORDER &&
                say_waiting(l, rows[i].value, ever, VTIME_NEVER) != 0) {
                return -ENOMEM;
            }
        }
    }
    return 0;
}

/* ---- Records ---- */

static int topic_record(void *ctx, uint32_t partition, const struct log_record *logged,
                        const struct record *record) {
    struct lineage_row row;
    if (lineage_row_of_record(ctx, record, &row) != 0) {
        return -ENOMEM;
    }
    row.from = logged->append;
    row.partition = partition;
    row.epoch = logged->epoch;
    row.offset = logged->offset;
    return lineage_say(ctx, LINEAGE_TOPIC, &row);
}

static int bronze_record(void *ctx, vtime ingested, const struct bronze_row *raw) {
    struct record record;
    struct record_error error;
    struct lineage_row row;
    if (record_of_topic(TOPIC_ORDER, raw->value, &record, &error) != 0) {
        return 0;
    }
    if (lineage_row_of_record(ctx, &record, &row) != 0) {
        return -ENOMEM;
    }
    row.from = ingested;
    row.partition = raw->partition;
    row.epoch = raw->epoch;
    row.offset = raw->offset;
    return lineage_say(ctx, LINEAGE_BRONZE, &row);
}

/* ---- Silver, gold and the view ---- */

static int silver_version(void *ctx, const struct row_version *v) {
    const struct cell *cells = v->cells;
    struct order_row order = {
        .order_id = v->key.key,
        .listing_id = (uint64_t)cells[1].integer,
        .category = cells[2].text,
        .placed = {cells[3].integer},
        .quantity = cells[4].integer,
        .amount = cells[5].integer,
        .stamp = stamp_of(&cells[6]),
    };
    return say_order(ctx, LINEAGE_SILVER, &order, v->key.copy, v->from, v->to);
}

static int silver_order(void *ctx, const struct order_row *order, uint32_t copy) {
    return say_order(ctx, LINEAGE_SILVER, order, copy, ever, VTIME_NEVER);
}

struct showing {
    struct lineage *l;
    enum lineage_layer layer;
};

static int show(const struct showing *to, const struct sales_row *sales, vtime from, vtime until) {
    int64_t category = lineage_category(to->l, sales->category);
    struct lineage_sum sum = {
        .category = (uint32_t)category,
        .hour = sales->hour,
        .orders = sales->orders,
        .quantity = sales->quantity,
        .amount = sales->amount,
        .from = from,
        .to = until,
    };
    return category < 0 ? -ENOMEM : lineage_show(to->l, to->layer, &sum);
}

static int sales_version(void *ctx, const struct row_version *v) {
    const struct cell *cells = v->cells;
    struct sales_row sales = {
        .category = cells[0].text,
        .hour = {cells[1].integer},
        .orders = cells[2].integer,
        .quantity = cells[3].integer,
        .amount = cells[4].integer,
    };
    return show(ctx, &sales, v->from, v->to);
}

static int sales_now(const struct showing *to, const struct fake_warehouse *w,
                     bool (*read)(const struct fake_warehouse *w, size_t i,
                                  struct sales_row *out)) {
    struct sales_row sales;
    int failed = 0;
    for (size_t i = 0; failed == 0 && read(w, i, &sales); i++) {
        failed = sales.orders == 0 ? 0 : show(to, &sales, ever, VTIME_NEVER);
    }
    return failed;
}

/* ---- All ---- */

static int gather_histories(struct lineage *l, struct simulation *s) {
    struct fake_oltp *o = simulation_oltp(s);
    struct fake_warehouse *w = simulation_warehouse(s);
    struct showing gold = {l, LINEAGE_GOLD}, view = {l, LINEAGE_VIEW};
    bool failed =
        row_journal_each(fake_oltp_order_journal(o), oltp_version, l) != 0 ||
        row_journal_each(fake_oltp_outbox_journal(o), outbox_version, l) != 0 ||
        row_journal_each(fake_warehouse_order_journal(w), silver_version, l) != 0 ||
        row_journal_each(fake_warehouse_gold_sales_journal(w), sales_version, &gold) != 0 ||
        row_journal_each(fake_warehouse_sales_journal(w), sales_version, &view) != 0;
    return failed ? -ENOMEM : 0;
}

static int gather_present(struct lineage *l, struct simulation *s) {
    struct fake_warehouse *w = simulation_warehouse(s);
    struct showing gold = {l, LINEAGE_GOLD}, view = {l, LINEAGE_VIEW};
    bool failed = fake_oltp_each_order(simulation_oltp(s), oltp_order, l) != 0 ||
                  outbox_now(l, simulation_oltp(s), simulation_now(s)) != 0 ||
                  fake_warehouse_each_order(w, silver_order, l) != 0 ||
                  sales_now(&gold, w, fake_warehouse_gold_sales) != 0 ||
                  sales_now(&view, w, fake_warehouse_sales) != 0;
    return failed ? -ENOMEM : 0;
}

int lineage_of_simulation(struct lineage *l, struct simulation *s, bool histories) {
    int failed = histories ? gather_histories(l, s) : gather_present(l, s);
    if (failed != 0 || order_records_each(simulation_kafka(s), topic_record, l) != 0 ||
        fake_warehouse_each_bronze_of(simulation_warehouse(s), TOPIC_ORDER, bronze_record, l) !=
            0) {
        return -ENOMEM;
    }
    return 0;
}
