/*
 * The simulator's pending events, earliest first, ordered by (time, tie, sequence).
 *
 * The sequence counts pushes from 1, so events of equal time and tie come out in the order in which
 * they went in. The tie is 0 unless a scenario asks for seeded exploration of equal-time orders.
 * Keys are unique, so the order of pops is a function of the pushes alone: how the heap happens to
 * lie in memory can never show (D3).
 *
 * It is a 4-ary heap (D. B. Johnson, "Priority queues with update and finding minimum spanning
 * trees", IPL 4(3), 1975), as three arrays: 16-byte keys, four siblings to a cache line; the number
 * of the slot that each key stands for; and the slots with the events themselves, which never move.
 * A pop leaves the root's key as dead. The push that usually follows takes its place: it walks the
 * hole down to a leaf and lifts its own key into it (I. Wegener, "Bottom-up heapsort", TCS 118(1),
 * 1993), choosing among siblings without a branch. Without a push the last key is lifted instead.
 *
 * Popping and cancelling free the slot and leave the key; a key whose slot has moved on to another
 * sequence is dead and is dropped when it surfaces. A cancel that leaves more dead keys than live
 * ones (by EVENT_QUEUE_DEAD_SLACK) rebuilds the heap without them, and so does a push that finds no
 * place free, so timers that are nearly always cancelled, such as timeouts, cost constant time each
 * and no memory beyond what was reserved.
 *
 * Invariants, numbered as event_queue_check reports them:
 *   1. no key is less than its parent's;
 *   2. every place past the last key, to the end of capacity, holds the greatest key;
 *   3. a slot is either pending, with exactly one key, or on the free list, and none is both;
 *   4. live and dead keys add up to the keys in the heap.
 */
#ifndef MURPHY_SIM_EVENT_QUEUE_H
#define MURPHY_SIM_EVENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/vtime.h"

/* What is to happen, when, and to whom. The queue reads only at and tie. */
struct sim_event {
    vtime at;
    uint64_t sequence; /* set by the queue; ignored by push */
    uint16_t tie;
    uint32_t actor;
    uint32_t kind;
    uint64_t arg;  /* for events that need no more than a number */
    void *payload; /* owned by whoever pushed it, then by whoever pops or cancels it */
};

/* Names one push for as long as it is pending. Zeroed, it names none; it is never reused. */
struct event_handle {
    uint64_t sequence;
    uint32_t slot;
};

struct event_slot;

#define EVENT_QUEUE_DEAD_SLACK 64
#define EVENT_QUEUE_SEQUENCE_MAX ((UINT64_C(1) << 48) - 1)
#define EVENT_QUEUE_PENDING_MAX (UINT32_C(1) << 30)

/* Caller-owned; the fields are the queue's business, except allocate. */
struct event_queue {
    __extension__ unsigned __int128 *keys;
    uint32_t *slot_of;
    struct event_slot *slots;
    size_t keys_end;   /* one past the last key */
    size_t live;       /* pending events */
    size_t capacity;   /* slots; there is room for twice as many keys */
    size_t slots_used; /* slots below this have been in use; the others were never touched */
    uint32_t free_slot;
    uint64_t sequence; /* of the latest push */
    /* Gets memory like aligned_alloc, which it is unless a test makes it fail. */
    void *(*allocate)(size_t alignment, size_t size);
};

/* An empty queue without memory; it cannot fail. Release gives back what was allocated since. */
void event_queue_init(struct event_queue *q);

/* Pending events are forgotten: pop them first where payloads are owned. */
void event_queue_release(struct event_queue *q);

/*
 * Makes room for this many pending events, after which pushes up to that number do not allocate
 * (72 bytes each). Returns 0, or -ENOMEM with the queue as it was.
 */
int event_queue_reserve(struct event_queue *q, size_t pending);

/*
 * Adds an event. HANDLE, unless NULL, receives its name for cancelling. Returns 0; -ENOMEM with the
 * queue as it was when room had to grow and could not; -EOVERFLOW after 2^48 pushes.
 */
int event_queue_push(struct event_queue *q, const struct sim_event *event,
                     struct event_handle *handle);

/* Takes the least event. False, with *event untouched, when none is pending. */
bool event_queue_pop(struct event_queue *q, struct sim_event *event);

/* Shows the least event and leaves it. False, with *event untouched, when none is pending. */
bool event_queue_peek(struct event_queue *q, struct sim_event *event);

/*
 * Takes a pending event out of turn; *payload, unless NULL, receives its payload to be let go.
 * False, with *payload untouched, when it has been popped or cancelled before, or the handle names
 * none.
 */
bool event_queue_cancel(struct event_queue *q, struct event_handle handle, void **payload);

bool event_queue_is_pending(const struct event_queue *q, struct event_handle handle);

/* Pending events; cancelled ones do not count. */
size_t event_queue_count(const struct event_queue *q);

/* Verifies the invariants in linear time: NULL, or a sentence naming the one that is broken. */
const char *event_queue_check(const struct event_queue *q);

#endif
