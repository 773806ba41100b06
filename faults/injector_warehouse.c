#include "faults/injector_parts.h"

#include <stdlib.h>
#include <string.h>

/* What goes wrong with the orders of a load that is answered as done. */
struct strikes {
    bool lost, skipped;
    struct order_row *corrupted; /* owned; NULL: as they came */
};

static void orders_corrupt(struct injector *in, struct armed *armed, vtime now,
                           const struct warehouse_batch *batch, struct strikes *strikes) {
    if (strikes->corrupted == NULL) {
        strikes->corrupted = malloc(batch->order_count * sizeof *strikes->corrupted);
        if (strikes->corrupted == NULL) {
            in->out_of_memory = true;
            return;
        }
        memcpy(strikes->corrupted, batch->orders, batch->order_count * sizeof *batch->orders);
    }
    for (size_t i = 0; i < batch->order_count; i++) {
        if (injector_draws(in, armed, now)) {
            strikes->corrupted[i].amount =
                (int64_t)((uint64_t)strikes->corrupted[i].amount * UINT64_C(100));
            injector_note(in, armed, PASS_WAREHOUSE, now, now);
        }
    }
}

/* Loads of the order feed alone: what repairs them later has no raw records. */
static struct strikes orders_strike(struct injector *in, vtime now,
                                    const struct warehouse_batch *batch) {
    struct strikes strikes = {.lost = false};
    for (size_t i = 0; i < in->count && batch->order_count > 0 && batch->bronze_count > 0; i++) {
        struct armed *armed = &in->armed[i];
        enum fault_kind kind = armed->fault.kind;
        if (kind == FAULT_MERGE_CORRUPT && injector_in_window(in, armed, now)) {
            orders_corrupt(in, armed, now, batch, &strikes);
        } else if ((kind == FAULT_LOAD_LOSS || kind == FAULT_GOLD_SKIP) &&
                   injector_draws(in, armed, now)) {
            injector_note(in, armed, PASS_WAREHOUSE, now, now);
            strikes.lost = strikes.lost || kind == FAULT_LOAD_LOSS;
            strikes.skipped = strikes.skipped || kind == FAULT_GOLD_SKIP;
        }
    }
    return strikes;
}

static int warehouse_load_struck(struct injector *in, vtime now, struct warehouse_batch *batch) {
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    struct strikes strikes = orders_strike(in, now, batch);
    if (strikes.lost) {
        batch->bronze_count = batch->order_count = 0;
    }
    if (strikes.corrupted != NULL) {
        batch->orders = strikes.corrupted;
    }
    fake_warehouse_hold_gold(simulation_warehouse(in->simulation), strikes.skipped);
    int error = warehouse->ops->load(warehouse->ctx, now, batch);
    fake_warehouse_hold_gold(simulation_warehouse(in->simulation), false);
    free(strikes.corrupted);
    return error;
}

static size_t torn(struct armed *armed, size_t count) {
    return (size_t)prng_below(&armed->stream, count + 1);
}

/* A load that is torn: of each table a part of its own is in, drawn by itself, since nobody
 * promises in which order they go in; nobody knows which. */
static bool load_tears(struct injector *in, vtime now, struct warehouse_batch *batch) {
    bool tears = false;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind != FAULT_TORN_LOAD || !injector_draws(in, armed, now)) {
            continue;
        }
        injector_note(in, armed, PASS_WAREHOUSE, now, now);
        batch->erasure_count = torn(armed, batch->erasure_count);
        batch->bronze_count = torn(armed, batch->bronze_count);
        batch->silver_count = torn(armed, batch->silver_count);
        batch->gold_count = torn(armed, batch->gold_count);
        batch->order_count = torn(armed, batch->order_count);
        batch->audit_count = torn(armed, batch->audit_count);
        batch->event_count = torn(armed, batch->event_count);
        batch->rebuilt_count = torn(armed, batch->rebuilt_count);
        batch->channelled = false;
        tears = true;
    }
    return tears;
}

/* After a load an operator sets its channel's token, to less or to more than is in. */
static void tokens_overwritten(struct injector *in, vtime now,
                               const struct warehouse_batch *batch) {
    for (size_t i = 0; i < in->count && batch->channelled; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind != FAULT_TOKEN_OVERWRITTEN || !injector_draws(in, armed, now)) {
            continue;
        }
        struct fake_warehouse *store = simulation_warehouse(in->simulation);
        int64_t token = batch->token + prng_range(&armed->stream, -100, 100);
        token = token < 0 ? 0 : token;
        if (token != fake_warehouse_token(store, batch->channel_topic, batch->channel_partition)) {
            injector_note(in, armed, PASS_WAREHOUSE, now, now);
        }
        if (fake_warehouse_set_token(store, batch->channel_topic, batch->channel_partition,
                                     token) != 0) {
            in->out_of_memory = true;
        }
    }
}

static int warehouse_load(void *ctx, vtime now, const struct warehouse_batch *batch) {
    struct injector *in = ctx;
    enum verdict verdict = injector_judge_call(in, SINK_WAREHOUSE, PASS_WAREHOUSE_BATCH, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    struct warehouse_batch part = *batch;
    if (verdict == HALF_DONE) {
        part.channelled = false;
        part.silver_count /= 2;
        part.gold_count = 0;
        part.order_count /= 2;
        part.audit_count /= 2;
        part.event_count /= 2;
        part.rebuilt_count /= 2;
        part.rebuilt_sales_count /= 2;
    }
    bool tears = load_tears(in, now, &part);
    int error = warehouse_load_struck(in, now, &part);
    tokens_overwritten(in, now, &part);
    return tears && error == PORT_OK ? PORT_UNKNOWN : verdict_outcome(verdict, error);
}

static int open_channels(void *ctx, vtime now, struct warehouse_channel *channels, size_t count) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    return injector_unreachable(in, SINK_WAREHOUSE, now)
               ? PORT_UNAVAILABLE
               : warehouse->ops->open_channels(warehouse->ctx, now, channels, count);
}

static int warehouse_scan(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                          size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    if (injector_unreachable(in, SINK_WAREHOUSE, now)) {
        return PORT_UNAVAILABLE;
    }
    return warehouse->ops->scan(warehouse->ctx, now, first, last, out, max, count);
}

static int warehouse_read_log(void *ctx, vtime now, enum topic_id topic, uint32_t partition,
                              int64_t offset, struct log_record *out, size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    if (injector_unreachable(in, SINK_WAREHOUSE, now)) {
        return PORT_UNAVAILABLE;
    }
    return warehouse->ops->read_log(warehouse->ctx, now, topic, partition, offset, out, max, count);
}

static int warehouse_scan_rebuilt(void *ctx, vtime now, uint64_t first, uint64_t last,
                                  struct scan_row *out, size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    if (injector_unreachable(in, SINK_WAREHOUSE, now)) {
        return PORT_UNAVAILABLE;
    }
    return warehouse->ops->scan_rebuilt(warehouse->ctx, now, first, last, out, max, count);
}

static int warehouse_read_sales(void *ctx, vtime now, bool rebuilt, vtime from, vtime to,
                                size_t skip, struct sales_row *out, size_t max, size_t *count) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    if (injector_unreachable(in, SINK_WAREHOUSE, now)) {
        return PORT_UNAVAILABLE;
    }
    return warehouse->ops->read_sales(warehouse->ctx, now, rebuilt, from, to, skip, out, max,
                                      count);
}

/* A refresh that is answered as done and is not. */
static bool refresh_swallowed(struct injector *in, vtime now) {
    bool swallowed = false;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind == FAULT_STALE_VIEW && injector_draws(in, armed, now)) {
            injector_note(in, armed, PASS_WAREHOUSE, now, now);
            swallowed = true;
        }
    }
    return swallowed;
}

/* How far behind the view is made; the store is told when its changes are gone. */
static int64_t view_lag_ns(struct injector *in, vtime now, bool whole) {
    int64_t lag_ns = 0;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        bool slow = armed->fault.kind == FAULT_SLOW_VIEW;
        bool stale = armed->fault.kind == FAULT_STALE_STREAM && !whole;
        if ((!slow && !stale) || !injector_draws(in, armed, now)) {
            continue;
        }
        injector_note(in, armed, PASS_WAREHOUSE, now, now);
        if (stale) {
            fake_warehouse_stale_stream(simulation_warehouse(in->simulation));
        } else {
            lag_ns += prng_range(&armed->stream, 1, armed->fault.delay_ns);
        }
    }
    return lag_ns;
}

static int refresh_dashboard(void *ctx, vtime now, bool whole, vtime *as_of) {
    struct injector *in = ctx;
    enum verdict verdict = injector_judge_call(in, SINK_WAREHOUSE, PASS_WAREHOUSE_REFRESH, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    if (refresh_swallowed(in, now)) {
        *as_of = now;
        return verdict_outcome(verdict, PORT_OK);
    }
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    struct fake_warehouse *store = simulation_warehouse(in->simulation);
    fake_warehouse_lag_view(store, view_lag_ns(in, now, whole));
    int error = warehouse->ops->refresh_dashboard(warehouse->ctx, now, whole, as_of);
    fake_warehouse_lag_view(store, 0);
    return verdict_outcome(verdict, error);
}

/* An operator has removed rows kept for longer; the store forgets them later than anybody was told.
 */
static void stretch_time_travel(struct injector *in, vtime now) {
    int64_t extra_ns = 0;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind != FAULT_LONGER_TIME_TRAVEL || !injector_in_window(in, armed, now)) {
            continue;
        }
        extra_ns = armed->fault.delay_ns > extra_ns ? armed->fault.delay_ns : extra_ns;
    }
    fake_warehouse_stretch_time_travel(simulation_warehouse(in->simulation), extra_ns);
}

/* The erasure found what would have been out of reach by now. */
static void overstayed(struct injector *in, vtime now) {
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind == FAULT_LONGER_TIME_TRAVEL && injector_in_window(in, armed, now)) {
            injector_note(in, armed, PASS_WAREHOUSE, now, now);
        }
    }
}

static int warehouse_erase(void *ctx, vtime now, struct erasure_subject *subjects, size_t count,
                           struct erasure_look *looks) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    stretch_time_travel(in, now);
    enum verdict verdict = injector_judge_call(in, SINK_WAREHOUSE, PASS_WAREHOUSE_ERASE, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    const struct fake_warehouse *store = simulation_warehouse(in->simulation);
    uint64_t before = fake_warehouse_overstayed(store);
    int error =
        warehouse->ops->erase(warehouse->ctx, now, subjects, verdict_share(verdict, count), looks);
    if (fake_warehouse_overstayed(store) > before) {
        overstayed(in, now);
    }
    return verdict_outcome(verdict, error);
}

void injector_wrap_warehouse(struct injector *in) {
    static const struct warehouse_port_ops warehouse = {
        .open_channels = open_channels,
        .load = warehouse_load,
        .scan = warehouse_scan,
        .read_log = warehouse_read_log,
        .scan_rebuilt = warehouse_scan_rebuilt,
        .read_sales = warehouse_read_sales,
        .refresh_dashboard = refresh_dashboard,
        .erase = warehouse_erase,
    };
    simulation_ports(in->simulation)->warehouse = (struct warehouse_port){&warehouse, in};
}
