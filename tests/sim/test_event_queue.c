/*
 * The event queue against a reference that keeps a sorted array; order of equal times, cancelling,
 * growth, memory that runs out, and the invariant check itself (D3).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/event_queue.h"
#include "sim/prng.h"

static void assert_sound(const struct event_queue *q) {
    const char *broken = event_queue_check(q);
    if (broken != NULL) {
        fail_msg("invariant %s", broken);
    }
}

static struct sim_event event_at(int64_t at_ns, uint16_t tie, uint64_t arg) {
    return (struct sim_event){.at = {at_ns}, .tie = tie, .arg = arg};
}

static struct event_handle push_at(struct event_queue *q, int64_t at_ns, uint16_t tie,
                                   uint64_t arg) {
    struct sim_event e = event_at(at_ns, tie, arg);
    struct event_handle handle;
    assert_int_equal(event_queue_push(q, &e, &handle), 0);
    return handle;
}

static uint64_t pop_arg(struct event_queue *q) {
    struct sim_event e;
    assert_true(event_queue_pop(q, &e));
    assert_sound(q);
    return e.arg;
}

/* --- the reference: an array kept sorted by insertion ----------------------------------------- */

#define REFERENCE_MAX 4096

struct reference {
    struct sim_event events[REFERENCE_MAX];
    struct event_handle handles[REFERENCE_MAX];
    size_t count;
};

static bool comes_before(const struct sim_event *a, const struct sim_event *b) {
    if (a->at.ns != b->at.ns) {
        return a->at.ns < b->at.ns;
    }
    return a->tie != b->tie ? a->tie < b->tie : a->sequence < b->sequence;
}

static void reference_insert(struct reference *r, const struct sim_event *e,
                             struct event_handle handle) {
    size_t i = r->count++;
    assert_true(r->count <= REFERENCE_MAX);
    for (; i > 0 && comes_before(e, &r->events[i - 1]); i--) {
        r->events[i] = r->events[i - 1];
        r->handles[i] = r->handles[i - 1];
    }
    r->events[i] = *e;
    r->handles[i] = handle;
}

static void reference_remove(struct reference *r, size_t i) {
    r->count--;
    memmove(&r->events[i], &r->events[i + 1], (r->count - i) * sizeof r->events[0]);
    memmove(&r->handles[i], &r->handles[i + 1], (r->count - i) * sizeof r->handles[0]);
}

static void assert_same_event(const struct sim_event *a, const struct sim_event *b) {
    assert_true(a->at.ns == b->at.ns && a->sequence == b->sequence && a->tie == b->tie);
    assert_true(a->actor == b->actor && a->kind == b->kind && a->arg == b->arg);
    assert_ptr_equal(a->payload, b->payload);
}

/* --- random operations on both ---------------------------------------------------------------- */

struct pair {
    struct event_queue queue;
    struct reference reference;
    struct prng p;
    struct event_handle stale; /* of an event that is gone */
    int64_t spread_ns;         /* times are drawn from 0 to this, so small means many equal */
};

static void push_both(struct pair *t) {
    struct sim_event e = {
        .at = {prng_range(&t->p, -t->spread_ns, t->spread_ns)},
        .sequence = 12345, /* ignored */
        .tie = prng_ratio(&t->p, 1, 4) ? (uint16_t)prng_next(&t->p) : 0,
        .actor = (uint32_t)prng_next(&t->p),
        .kind = (uint32_t)prng_next(&t->p),
        .arg = prng_next(&t->p),
        .payload = &t->reference.events[prng_below(&t->p, REFERENCE_MAX)],
    };
    struct event_handle handle;
    assert_int_equal(event_queue_push(&t->queue, &e, &handle), 0);
    assert_true(event_queue_is_pending(&t->queue, handle));
    e.sequence = handle.sequence;
    reference_insert(&t->reference, &e, handle);
}

static void pop_both(struct pair *t) {
    struct sim_event peeked;
    struct sim_event popped;
    bool peek_first = prng_ratio(&t->p, 1, 2);
    bool shown = peek_first && event_queue_peek(&t->queue, &peeked);
    bool taken = event_queue_pop(&t->queue, &popped);
    assert_true(taken == (t->reference.count != 0));
    if (taken) {
        assert_same_event(&popped, &t->reference.events[0]);
        assert_true(!peek_first || shown);
        t->stale = t->reference.handles[0];
        reference_remove(&t->reference, 0);
    }
    if (shown) {
        assert_same_event(&peeked, &popped);
    }
}

static void cancel_both(struct pair *t) {
    if (t->reference.count == 0) {
        return;
    }
    size_t i = (size_t)prng_below(&t->p, t->reference.count);
    void *payload = NULL;
    assert_true(event_queue_cancel(&t->queue, t->reference.handles[i], &payload));
    assert_ptr_equal(payload, t->reference.events[i].payload);
    t->stale = t->reference.handles[i];
    reference_remove(&t->reference, i);
}

static void cancel_stale(struct pair *t) {
    void *payload = t;
    assert_false(event_queue_is_pending(&t->queue, t->stale));
    assert_false(event_queue_cancel(&t->queue, t->stale, &payload));
    assert_ptr_equal(payload, t);
}

/* In phases that mostly push, mostly pop, or mostly cancel, so that the queue swells and empties.
 */
static void operate(struct pair *t) {
    static const uint64_t mixes[4][4] = {
        {60, 20, 15, 5}, {30, 60, 5, 5}, {45, 5, 48, 2}, {48, 48, 2, 2}};
    const uint64_t *mix = mixes[prng_below(&t->p, 4)];
    uint64_t operations = prng_below(&t->p, 400);
    for (uint64_t i = 0; i < operations; i++) {
        switch (prng_weighted(&t->p, mix, 4)) {
        case 0:
            push_both(t);
            break;
        case 1:
            pop_both(t);
            break;
        case 2:
            cancel_both(t);
            break;
        default:
            cancel_stale(t);
            break;
        }
        assert_sound(&t->queue);
        assert_int_equal(event_queue_count(&t->queue), t->reference.count);
    }
}

/* Random pushes, pops, peeks and cancels give what the sorted array gives, at every step. */
static void agrees_with_a_sorted_array(void **state) {
    (void)state;
    static struct pair t;
    for (uint64_t seed = 0; seed < 300; seed++) {
        t.reference.count = 0;
        t.stale = (struct event_handle){0};
        prng_init(&t.p, seed, "operations");
        t.spread_ns = INT64_MAX >> prng_below(&t.p, 64);
        event_queue_init(&t.queue);
        for (int phase = 0; phase < 8; phase++) {
            operate(&t);
        }
        while (t.reference.count != 0) {
            pop_both(&t);
        }
        assert_sound(&t.queue);
        event_queue_release(&t.queue);
    }
}

/* Events of one moment come out in the order in which they went in, also when pushed between pops.
 */
static void equal_times_are_first_in_first_out(void **state) {
    (void)state;
    struct event_queue q;
    event_queue_init(&q);
    for (uint64_t i = 0; i < 1000; i++) {
        push_at(&q, 7, 0, i);
    }
    for (uint64_t i = 0; i < 2000; i++) {
        assert_true(pop_arg(&q) == i);
        if (i < 1000) {
            push_at(&q, 7, 0, 1000 + i);
        }
    }
    event_queue_release(&q);
}

/* Time goes before tie and tie before sequence; times before the epoch come first. */
static void order_is_time_then_tie_then_sequence(void **state) {
    (void)state;
    struct event_queue q;
    event_queue_init(&q);
    push_at(&q, 5, 2, 5);
    push_at(&q, 5, 1, 3);
    push_at(&q, 5, 1, 4);
    push_at(&q, 4, UINT16_MAX, 2);
    push_at(&q, INT64_MAX, 0, 7);
    push_at(&q, INT64_MAX, UINT16_MAX, 8);
    push_at(&q, -1, 9, 1);
    push_at(&q, INT64_MIN, 9, 0);
    push_at(&q, 6, 0, 6);
    for (uint64_t i = 0; i < 9; i++) {
        assert_true(pop_arg(&q) == i);
    }
    event_queue_release(&q);
}

/* Nothing comes out of an empty queue, one without memory included, and outputs stay as they were.
 */
static void empty_queue_gives_nothing(void **state) {
    (void)state;
    struct event_queue q;
    struct sim_event e = event_at(1, 2, 3);
    event_queue_init(&q);
    assert_sound(&q);
    for (int round = 0; round < 2; round++) {
        assert_false(event_queue_pop(&q, &e));
        assert_false(event_queue_peek(&q, &e));
        assert_false(event_queue_cancel(&q, (struct event_handle){0}, NULL));
        assert_false(event_queue_is_pending(&q, (struct event_handle){1, 70}));
        assert_true(e.at.ns == 1 && e.arg == 3);
        push_at(&q, 9, 0, 9);
        assert_true(pop_arg(&q) == 9);
    }
    event_queue_release(&q);
}

/* A handle goes stale with its event, though the slot serves the next one. */
static void handle_does_not_reach_the_next_event_in_its_slot(void **state) {
    (void)state;
    struct event_queue q;
    event_queue_init(&q);
    struct event_handle first = push_at(&q, 1, 0, 1);
    assert_true(event_queue_cancel(&q, first, NULL));
    struct event_handle second = push_at(&q, 1, 0, 2);
    assert_int_equal(second.slot, first.slot);
    assert_false(event_queue_cancel(&q, first, NULL));
    assert_true(event_queue_is_pending(&q, second));
    assert_true(pop_arg(&q) == 2);
    assert_false(event_queue_cancel(&q, second, NULL));
    event_queue_release(&q);
}

/* With room for many, the keys of cancelled events are still shed before they outnumber the rest.
 */
static void cancelled_keys_do_not_pile_up(void **state) {
    (void)state;
    struct event_queue q;
    event_queue_init(&q);
    assert_int_equal(event_queue_reserve(&q, 10000), 0);
    push_at(&q, 0, 0, 0);
    for (uint64_t i = 0; i < 10000; i++) {
        assert_true(event_queue_cancel(&q, push_at(&q, 1000, 0, i), NULL));
        assert_true(q.keys_end <= 3 + 2 + EVENT_QUEUE_DEAD_SLACK + 1);
    }
    assert_true(pop_arg(&q) == 0);
    event_queue_release(&q);
}

static size_t allocations;
static size_t allocations_allowed;

static void *counting_allocate(size_t alignment, size_t size) {
    if (allocations >= allocations_allowed) {
        return NULL;
    }
    allocations++;
    return aligned_alloc(alignment, size);
}

static void init_counting(struct event_queue *q, size_t allowed) {
    event_queue_init(q);
    q->allocate = counting_allocate;
    allocations = 0;
    allocations_allowed = allowed;
}

/*
 * Timeouts that are armed far ahead and cancelled soon, a hundred for each that is pending, stay
 * within what was reserved.
 */
static void cancelled_timers_need_no_more_memory(void **state) {
    (void)state;
    enum { PENDING = 1000 };
    struct event_queue q;
    struct event_handle timers[PENDING];
    init_counting(&q, 3);
    assert_int_equal(event_queue_reserve(&q, PENDING), 0);
    for (size_t i = 0; i < PENDING; i++) {
        timers[i] = push_at(&q, 1000000 + (int64_t)i, 0, i);
    }
    for (size_t i = 0; i < 100 * PENDING; i++) {
        assert_true(event_queue_cancel(&q, timers[i % PENDING], NULL));
        timers[i % PENDING] = push_at(&q, 1000000 + (int64_t)i, 0, i);
        if (i % 64 == 0) {
            assert_sound(&q);
        }
    }
    assert_int_equal(event_queue_count(&q), PENDING);
    assert_int_equal(allocations, 3);
    for (uint64_t i = 0; i < PENDING; i++) {
        assert_true(pop_arg(&q) == 99 * PENDING + i);
    }
    event_queue_release(&q);
}

/* When memory runs out, at whichever allocation, push says so and the queue works as before. */
static void out_of_memory_leaves_the_queue_as_it_was(void **state) {
    (void)state;
    for (size_t allowed = 0; allowed < 9; allowed++) {
        struct event_queue q;
        struct sim_event e = event_at(1, 0, 0);
        size_t pushed = 0;
        init_counting(&q, allowed);
        while (event_queue_push(&q, &e, NULL) == 0) {
            pushed++;
        }
        assert_int_equal(event_queue_push(&q, &e, NULL), -ENOMEM);
        assert_int_equal(event_queue_reserve(&q, pushed + 1), -ENOMEM);
        assert_int_equal(pushed, allowed < 3 ? 0 : allowed < 6 ? 64 : 128);
        assert_int_equal(event_queue_count(&q), pushed);
        assert_sound(&q);
        allocations_allowed += 3;
        push_at(&q, 0, 0, 77);
        assert_true(pop_arg(&q) == 77);
        event_queue_release(&q);
    }
}

/* More than the queue is made for, and sizes whose product would wrap, are refused. */
static void absurd_reservation_is_refused(void **state) {
    (void)state;
    struct event_queue q;
    event_queue_init(&q);
    assert_int_equal(event_queue_reserve(&q, (size_t)EVENT_QUEUE_PENDING_MAX + 1), -ENOMEM);
    assert_int_equal(event_queue_reserve(&q, SIZE_MAX), -ENOMEM);
    assert_sound(&q);
    event_queue_release(&q);
}

/* After the last sequence that a key can hold, push refuses rather than break the order. */
static void exhausted_sequence_is_refused(void **state) {
    (void)state;
    struct event_queue q;
    struct sim_event e = event_at(1, 0, 0);
    event_queue_init(&q);
    q.sequence = EVENT_QUEUE_SEQUENCE_MAX - 1;
    push_at(&q, 1, 0, 1);
    assert_int_equal(event_queue_push(&q, &e, NULL), -EOVERFLOW);
    assert_sound(&q);
    assert_true(pop_arg(&q) == 1);
    event_queue_release(&q);
}

/* A million pending, a third of them cancelled, come out complete and in order. */
static void a_million_pending_come_out_in_order(void **state) {
    (void)state;
    enum { PENDING = 1000000 };
    struct event_queue q;
    struct prng p;
    struct sim_event e;
    event_queue_init(&q);
    prng_init(&p, 1, "million");
    size_t cancelled = 0;
    for (uint64_t i = 0; i < PENDING; i++) {
        struct event_handle h = push_at(&q, prng_range(&p, 0, 500000), 0, i);
        if (prng_ratio(&p, 1, 3)) {
            assert_true(event_queue_cancel(&q, h, NULL));
            cancelled++;
        }
    }
    assert_sound(&q);
    struct sim_event before = event_at(INT64_MIN, 0, 0);
    size_t popped = 0;
    for (; event_queue_pop(&q, &e); popped++) {
        assert_true(comes_before(&before, &e));
        before = e;
    }
    assert_int_equal(popped + cancelled, PENDING);
    assert_true(cancelled > PENDING / 4);
    assert_sound(&q);
    event_queue_release(&q);
}

/* A queue of fifty with some cancelled, for breaking. */
static void fill_for_breaking(struct event_queue *q) {
    struct event_handle handles[50];
    event_queue_init(q);
    for (size_t i = 0; i < 50; i++) {
        handles[i] = push_at(q, (int64_t)(i * 7 % 50), 0, i);
    }
    for (size_t i = 1; i < 50; i += 5) {
        assert_true(event_queue_cancel(q, handles[i], NULL));
    }
    assert_sound(q);
}

static void assert_broken(const struct event_queue *q, char invariant) {
    const char *broken = event_queue_check(q);
    assert_non_null(broken);
    assert_int_equal(broken[0], invariant);
}

/* The check can fail: each invariant, broken on purpose, is reported by its number. */
static void check_reports_each_broken_invariant(void **state) {
    (void)state;
    struct event_queue q;
    fill_for_breaking(&q);
    __extension__ unsigned __int128 kept = q.keys[3];
    q.keys[3] = q.keys[q.keys_end - 1];
    assert_broken(&q, '1');
    q.keys[3] = kept;
    assert_sound(&q);

    q.keys[q.keys_end] = 0;
    assert_broken(&q, '2');
    q.keys[q.keys_end] = ~q.keys[q.keys_end];
    assert_sound(&q);

    uint32_t free_slot = q.free_slot;
    q.free_slot = UINT32_MAX; /* empty: the cancelled slots are lost */
    assert_broken(&q, '3');
    q.free_slot = q.slot_of[q.keys_end - 1]; /* a pending one */
    assert_broken(&q, '3');
    q.free_slot = free_slot;

    uint32_t slot = q.slot_of[3];
    q.slot_of[3] = 1000;
    assert_broken(&q, '3');
    q.slot_of[3] = slot;
    assert_sound(&q);

    q.live++;
    assert_broken(&q, '4');
    q.live--;
    assert_sound(&q);
    event_queue_release(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_sorted_array),
        cmocka_unit_test(equal_times_are_first_in_first_out),
        cmocka_unit_test(order_is_time_then_tie_then_sequence),
        cmocka_unit_test(empty_queue_gives_nothing),
        cmocka_unit_test(handle_does_not_reach_the_next_event_in_its_slot),
        cmocka_unit_test(cancelled_keys_do_not_pile_up),
        cmocka_unit_test(cancelled_timers_need_no_more_memory),
        cmocka_unit_test(out_of_memory_leaves_the_queue_as_it_was),
        cmocka_unit_test(absurd_reservation_is_refused),
        cmocka_unit_test(exhausted_sequence_is_refused),
        cmocka_unit_test(a_million_pending_come_out_in_order),
        cmocka_unit_test(check_reports_each_broken_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
