/*
 * The trace: one hash over everything that a run executed (D3).
 *
 * The trace hash is XXH3, 128 bit, over the run's events in the order in which they were executed,
 * each written as TRACE_EVENT_BYTES bytes: sequence, time, actor, kind and the payload's digest,
 * all little-endian, nothing between them. Two runs are the same if and only if (collisions aside)
 * their hashes are. Events are gathered before they are hashed, which does not show in the result.
 *
 * To find where two runs part, the hash of the events so far is kept at checkpoints: every N
 * events, N doubling and every second checkpoint being dropped when there are too many, so that
 * memory is bounded however long the run. trace_first_difference narrows two runs down to a window
 * of positions; run again with trace_record_window, they keep the window's events themselves, and
 * trace_window_difference finds the first that differs, for trace_event_format to print.
 *
 * A position counts executed events from 0. It is not the sequence, which the event queue gives
 * when an event is scheduled: cancelled events have a sequence and no position.
 */
#ifndef MURPHY_SIM_TRACE_H
#define MURPHY_SIM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/bytes.h"
#include "pipeline/vtime.h"

/* A 128-bit hash. Compare the fields, or trace_hash_equal. */
struct trace_hash {
    uint64_t hi;
    uint64_t lo;
};

static inline bool trace_hash_equal(struct trace_hash a, struct trace_hash b) {
    return a.hi == b.hi && a.lo == b.lo;
}

#define TRACE_HASH_TEXT_SIZE 33

/* 32 lowercase hex digits, most significant first, and a zero byte. */
void trace_hash_format(struct trace_hash hash, char text[TRACE_HASH_TEXT_SIZE]);

/* XXH3-128 of bytes that hold no padding, address or anything else outside the run's meaning. */
struct trace_hash trace_digest(struct bytes payload);

/* An executed event. Only the fields count; padding does not. */
struct trace_event {
    uint64_t sequence;
    vtime at;
    uint32_t actor;
    uint32_t kind;
    struct trace_hash digest; /* of the payload; a number may stand for itself in lo */
};

#define TRACE_EVENT_BYTES 40

bool trace_event_equal(const struct trace_event *a, const struct trace_event *b);

/* The hash of the first POSITION events of a run. */
struct trace_checkpoint {
    uint64_t position;
    struct trace_hash hash;
};

/* Positions from (included) to to (excluded). */
struct trace_window {
    uint64_t from;
    uint64_t to;
};

/* Zero means the default. */
struct trace_options {
    uint64_t checkpoint_every; /* N at first; 256 */
    size_t checkpoints_max;    /* at least 2; 4,096 (96 KB) */
};

#define TRACE_BATCH_EVENTS 102 /* just under 4 KB */

/* Caller-owned; the fields are the trace's business. */
struct trace {
    void *hasher; /* XXH3 state */
    struct trace_checkpoint *checkpoints;
    size_t checkpoint_count;
    size_t checkpoints_max;
    uint64_t checkpoint_every;
    uint64_t checkpoint_next;
    uint64_t position; /* events so far */
    struct trace_window window;
    struct trace_event *recorded;
    size_t batched;
    unsigned char batch[TRACE_BATCH_EVENTS * TRACE_EVENT_BYTES];
};

/* An empty trace. Options may be NULL. Returns 0, or -ENOMEM with nothing held. */
int trace_init(struct trace *t, const struct trace_options *options);
void trace_release(struct trace *t);

/*
 * Keeps the events of a window as they are added: 40 bytes for each position of the window, asked
 * for at once. The window lies ahead: from >= the events so far, from <= to. It replaces an earlier
 * one. Returns 0, or -ENOMEM with nothing recorded.
 */
int trace_record_window(struct trace *t, struct trace_window window);

/* Appends an executed event. It does not allocate and cannot fail. */
void trace_add(struct trace *t, const struct trace_event *event);

/* Events so far. */
uint64_t trace_count(const struct trace *t);

/* The hash of the events so far; more may follow. */
struct trace_hash trace_hash_of(struct trace *t);

/* The event at a position of the recorded window; NULL outside it, or if the run ended before. */
const struct trace_event *trace_recorded(const struct trace *t, uint64_t position);

/*
 * What is left of a run to compare it by. Checkpoints ascend by position, and are those of a trace,
 * which must outlive the outline, or read back from where a report has written them.
 */
struct trace_outline {
    const struct trace_checkpoint *checkpoints;
    size_t checkpoint_count;
    uint64_t count;         /* events of the run */
    struct trace_hash hash; /* of all of them */
};

struct trace_outline trace_outline_of(struct trace *t);

/*
 * False when two runs were the same. Else *window receives positions among which the first
 * difference lies: an event that differs, or that one run has and the other, at its end, has not.
 * The window is no wider than the checkpoints that both kept are apart or, past the last of those,
 * reaches to one position past the end of the shorter run.
 */
bool trace_first_difference(const struct trace_outline *a, const struct trace_outline *b,
                            struct trace_window *window);

/*
 * The first position at which two traces with recorded windows differ, among positions that both
 * windows hold; one may have ended there. False when there is none.
 */
bool trace_window_difference(const struct trace *a, const struct trace *b, uint64_t *position);

/* Turns actors and kinds into words. A callback may be NULL or return NULL: the number is shown. */
struct trace_names {
    const char *(*actor_name)(void *ctx, uint32_t actor);
    const char *(*kind_name)(void *ctx, uint32_t kind);
    void *ctx;
};

/*
 * One line without a line end, such as
 *   "#17 2026-03-02T08:00:00.000000250Z router record_polled 00000000000000000123456789abcdef"
 * sequence, time (UTC), actor, kind, digest. Cut to fit SIZE bytes with the zero byte, like
 * snprintf, whose return value it has. NAMES may be NULL.
 */
int trace_event_format(const struct trace_event *event, const struct trace_names *names, char *text,
                       size_t size);

#endif
