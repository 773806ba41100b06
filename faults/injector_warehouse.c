#include "faults/injector_parts.h"

static int warehouse_load(void *ctx, vtime now, const struct warehouse_batch *batch) {
    struct injector *in = ctx;
    enum verdict verdict = injector_judge(in, SINK_WAREHOUSE, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    struct warehouse_batch torn = *batch;
    if (verdict == HALF_DONE) {
        torn.silver_count /= 2;
        torn.gold_count = 0;
        torn.order_count /= 2;
        torn.audit_count /= 2;
        torn.rebuilt_count /= 2;
        torn.rebuilt_sales_count /= 2;
    }
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    return verdict_outcome(verdict, warehouse->ops->load(warehouse->ctx, now, &torn));
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

static int refresh_dashboard(void *ctx, vtime now) {
    struct injector *in = ctx;
    enum verdict verdict = injector_judge(in, SINK_WAREHOUSE, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    return verdict_outcome(verdict, warehouse->ops->refresh_dashboard(warehouse->ctx, now));
}

static int warehouse_erase(void *ctx, vtime now, struct erasure_subject *subjects, size_t count,
                           struct erasure_look *looks) {
    struct injector *in = ctx;
    const struct warehouse_port *warehouse = &in->inner.warehouse;
    enum verdict verdict = injector_judge(in, SINK_WAREHOUSE, now);
    if (verdict_refused(verdict)) {
        return verdict_refusal(verdict);
    }
    return verdict_outcome(verdict, warehouse->ops->erase(warehouse->ctx, now, subjects,
                                                          verdict_share(verdict, count), looks));
}

void injector_wrap_warehouse(struct injector *in) {
    static const struct warehouse_port_ops warehouse = {
        warehouse_load,       warehouse_scan,    warehouse_read_log, warehouse_scan_rebuilt,
        warehouse_read_sales, refresh_dashboard, warehouse_erase};
    simulation_ports(in->simulation)->warehouse = (struct warehouse_port){&warehouse, in};
}
