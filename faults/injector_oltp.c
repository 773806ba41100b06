#include "faults/injector_parts.h"

/* True while the outbox cannot be read. */
static bool outbox_stalls(struct injector *in, vtime now) {
    bool stalls = false;
    in->passed[PASS_RELAY]++;
    for (size_t i = 0; i < in->count; i++) {
        struct armed *armed = &in->armed[i];
        if (armed->fault.kind == FAULT_OUTBOX_STALL && injector_in_window(in, armed, now)) {
            injector_note(in, armed, PASS_RELAY, now, now);
            stalls = true;
        }
    }
    return stalls;
}

static int outbox_read(void *ctx, vtime now, int64_t sequence, struct outbox_row *out, size_t max,
                       size_t *count) {
    struct injector *in = ctx;
    const struct oltp_port *oltp = &in->inner.oltp;
    if (outbox_stalls(in, now)) {
        return PORT_UNAVAILABLE;
    }
    return oltp->ops->outbox_read(oltp->ctx, now, sequence, out, max, count);
}

static int outbox_trim(void *ctx, vtime now, int64_t sequence) {
    const struct oltp_port *oltp = &((struct injector *)ctx)->inner.oltp;
    return oltp->ops->outbox_trim(oltp->ctx, now, sequence);
}

static int oltp_scan(void *ctx, vtime now, uint64_t first, uint64_t last, struct scan_row *out,
                     size_t max, size_t *count) {
    const struct oltp_port *oltp = &((struct injector *)ctx)->inner.oltp;
    return oltp->ops->scan(oltp->ctx, now, first, last, out, max, count);
}

static int republish(void *ctx, vtime now, const uint64_t *listing_ids, size_t count) {
    const struct oltp_port *oltp = &((struct injector *)ctx)->inner.oltp;
    return oltp->ops->republish(oltp->ctx, now, listing_ids, count);
}

static int oltp_erase(void *ctx, vtime now, const struct erasure_subject *subjects, size_t count,
                      struct erasure_look *looks) {
    const struct oltp_port *oltp = &((struct injector *)ctx)->inner.oltp;
    return oltp->ops->erase(oltp->ctx, now, subjects, count, looks);
}

void injector_wrap_oltp(struct injector *in) {
    static const struct oltp_port_ops oltp = {outbox_read, outbox_trim, oltp_scan, republish,
                                              oltp_erase};
    simulation_ports(in->simulation)->oltp = (struct oltp_port){&oltp, in};
}
