#include "sim/log_consumer.h"

#include "pipeline/effects.h"

const char *offset_reset_name(enum offset_reset policy) {
    static const char *const names[] = {"none", "earliest", "latest"};
    return names[policy];
}

static int bounds(const struct log_port *log, vtime now, const struct log_poll *poll,
                  int64_t *start, int64_t *end) {
    return log->ops->bounds(log->ctx, now, poll->topic, poll->partition, start, end);
}

/* The log has not what is to be read: the policy decides, or whoever reads. */
static int out_of_range(const struct log_port *log, vtime now, const struct log_poll *poll,
                        struct log_polled *polled) {
    int64_t start, end;
    int error = bounds(log, now, poll, &start, &end);
    if (poll->policy == OFFSET_RESET_NONE) {
        if (error == PORT_OK) {
            polled->start = start;
            polled->end = end;
            polled->bounded = true;
        }
        return PORT_OUT_OF_RANGE;
    }
    polled->moved = error == PORT_OK;
    polled->position = poll->policy == OFFSET_RESET_EARLIEST ? start : end;
    return error;
}

/* Of a group that committed nothing there is no position. */
static int resolve(const struct log_port *log, vtime now, const struct log_poll *poll,
                   int64_t *offset) {
    int64_t end;
    if (poll->offset == FETCH_OLDEST) {
        return bounds(log, now, poll, offset, &end);
    }
    if (poll->offset == FETCH_COMMITTED) {
        int error =
            log->ops->committed(log->ctx, now, poll->group, poll->topic, poll->partition, offset);
        return error == PORT_NOT_FOUND ? PORT_OUT_OF_RANGE : error;
    }
    *offset = poll->offset;
    return PORT_OK;
}

/* Whoever knows under which leader the record before his offset was appended asks whether the
 * present leader has it too (KIP-320). */
static int truncated(const struct log_port *log, vtime now, const struct log_poll *poll,
                     struct log_polled *polled) {
    int64_t end;
    int error = log->ops->epoch_end(log->ctx, now, poll->topic, poll->partition,
                                    poll->after_epoch - 1, &end);
    if (error != PORT_OK || end >= poll->offset) {
        return error;
    }
    polled->moved = poll->policy != OFFSET_RESET_NONE;
    polled->position = polled->end = end;
    return polled->moved ? PORT_OK : PORT_TRUNCATED;
}

int log_consumer_poll(const struct log_port *log, vtime now, const struct log_poll *poll,
                      struct log_record *out, struct log_polled *polled) {
    *polled = (struct log_polled){0};
    int error = resolve(log, now, poll, &polled->position);
    if (error == PORT_OK && poll->offset >= 0 && poll->after_epoch != 0) {
        error = truncated(log, now, poll, polled);
    }
    if (error == PORT_OK && !polled->moved) {
        error = log->ops->fetch(log->ctx, now, poll->topic, poll->partition, polled->position, out,
                                poll->max, &polled->count);
    }
    return error == PORT_OUT_OF_RANGE ? out_of_range(log, now, poll, polled) : error;
}
