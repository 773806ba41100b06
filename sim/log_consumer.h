/*
 * What a consumer's client does by itself, between whoever reads and the log: it looks up what its
 * group committed, asks a leader whether it has what was read before, and puts a reader whose
 * position the log does not have where the group's reset policy says (auto.offset.reset).
 *
 * Fidelity
 *
 *   modelled
 *     none, earliest, latest    librdkafka calls the first one `error`
 *     no committed offset       as a position that is out of range: the policy decides
 *     a refusal that is wrong   the policy decides all the same: a client believes its broker
 *     truncation (KIP-320)      with a policy: to where the two logs part, and nothing is said of
 *                               it; without one: an error
 *   approximated
 *     who is told of a move     a client moves in silence and its position() shows it afterwards;
 *                               here the poll that moved says so and hands out nothing, as a host
 *                               that compares positions would have it
 *   not modelled
 *     by_duration (KIP-1106), auto.commit
 */
#ifndef MURPHY_SIM_LOG_CONSUMER_H
#define MURPHY_SIM_LOG_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"

enum offset_reset { OFFSET_RESET_NONE, OFFSET_RESET_EARLIEST, OFFSET_RESET_LATEST, OFFSET_RESETS };
const char *offset_reset_name(enum offset_reset policy);

struct log_poll {
    const char *group; /* whose commits FETCH_COMMITTED means */
    enum offset_reset policy;
    enum topic_id topic;
    uint32_t partition;
    int64_t offset;       /* or FETCH_OLDEST, FETCH_COMMITTED */
    uint32_t after_epoch; /* 1 + leader epoch of the record before `offset`; 0: not known */
    size_t max;
};

struct log_polled {
    int64_t position; /* of the first record, or where it would stand */
    bool moved;       /* the policy put the reader at `position`; there are no records */
    size_t count;
    /* PORT_OUT_OF_RANGE: what the log keeps, if `bounded`. PORT_TRUNCATED: `end` is where the
     * records part that were read before from those that are there now. */
    int64_t start, end;
    bool bounded;
};

/*
 * Records from the position on; none when there are none yet. Errors: those of log_port.fetch;
 * without a policy also PORT_OUT_OF_RANGE (outside the log, or the group committed nothing) and
 * PORT_TRUNCATED.
 */
int log_consumer_poll(const struct log_port *log, vtime now, const struct log_poll *poll,
                      struct log_record *out, struct log_polled *polled);

#endif
