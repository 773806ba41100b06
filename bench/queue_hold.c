/*
 * The hold model (D. W. Jones, "An empirical comparison of priority-queue and event-set
 * implementations", CACM 29(4), 1986): with N events pending, pop the least and push one an
 * exponentially distributed while later. One hold is one event of a simulation at rest.
 *
 * The peer is the binary heap of the textbooks with the same order and the same event contents,
 * holding its entries in one array, moving a hole rather than swapping, no cancelling. Both replay
 * the same increments, drawn beforehand, and must end at the same virtual time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "sim/event_queue.h"
#include "sim/prng.h"

#define INCREMENTS ((size_t)1 << 16)
#define ROUNDS_MAX 16

struct heap_entry {
    int64_t time_ns;
    uint64_t order; /* tie above sequence */
    void *payload;
    uint32_t actor;
    uint32_t kind;
};

struct binary_heap {
    struct heap_entry *entries;
    size_t count;
    uint64_t sequence;
};

static bool entry_before(const struct heap_entry *a, const struct heap_entry *b) {
    return a->time_ns < b->time_ns || (a->time_ns == b->time_ns && a->order < b->order);
}

static void binary_heap_push(struct binary_heap *h, struct heap_entry entry) {
    size_t hole = h->count++;
    entry.order = ++h->sequence;
    while (hole > 0 && entry_before(&entry, &h->entries[(hole - 1) / 2])) {
        h->entries[hole] = h->entries[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    h->entries[hole] = entry;
}

static struct heap_entry binary_heap_pop(struct binary_heap *h) {
    struct heap_entry least = h->entries[0];
    struct heap_entry last = h->entries[--h->count];
    size_t hole = 0;
    for (size_t child = 1; child < h->count; child = 2 * hole + 1) {
        if (child + 1 < h->count && entry_before(&h->entries[child + 1], &h->entries[child])) {
            child++;
        }
        if (!entry_before(&h->entries[child], &last)) {
            break;
        }
        h->entries[hole] = h->entries[child];
        hole = child;
    }
    h->entries[hole] = last;
    return least;
}

struct hold_case {
    const char *name;
    size_t pending;
    size_t holds; /* in one round */
    size_t rounds;
    int64_t *increment_ns;
};

static int64_t increment_of(const struct hold_case *c, size_t i) {
    return c->increment_ns[i % INCREMENTS];
}

/* Holds a second; *end_ns is the time of the last event popped, the same whatever the queue. */
static double time_queue(struct event_queue *q, const struct hold_case *c, int64_t *end_ns) {
    struct sim_event e = {0};
    double start = bench_cpu_seconds();
    for (size_t i = 0; i < c->holds; i++) {
        event_queue_pop(q, &e);
        e.at = vtime_add(e.at, increment_of(c, i));
        if (event_queue_push(q, &e, NULL) != 0) {
            abort();
        }
    }
    double seconds = bench_cpu_seconds() - start;
    event_queue_peek(q, &e);
    *end_ns = e.at.ns;
    return (double)c->holds / seconds;
}

static double time_binary_heap(struct binary_heap *h, const struct hold_case *c, int64_t *end_ns) {
    double start = bench_cpu_seconds();
    for (size_t i = 0; i < c->holds; i++) {
        struct heap_entry e = binary_heap_pop(h);
        e.time_ns += increment_of(c, i);
        binary_heap_push(h, e);
    }
    double seconds = bench_cpu_seconds() - start;
    *end_ns = h->entries[0].time_ns;
    return (double)c->holds / seconds;
}

static int fill(struct event_queue *q, struct binary_heap *h, const struct hold_case *c) {
    h->entries = malloc(c->pending * sizeof *h->entries);
    if (h->entries == NULL || event_queue_reserve(q, c->pending) != 0) {
        return -1;
    }
    for (size_t i = 0; i < c->pending; i++) {
        int64_t at_ns = increment_of(c, i);
        struct sim_event e = {.at = {at_ns}, .actor = (uint32_t)i, .kind = 1};
        binary_heap_push(h, (struct heap_entry){.time_ns = at_ns, .actor = (uint32_t)i, .kind = 1});
        if (event_queue_push(q, &e, NULL) != 0) {
            return -1;
        }
    }
    return 0;
}

static int run_rounds(struct event_queue *q, struct binary_heap *h, const struct hold_case *c) {
    double ours[ROUNDS_MAX];
    double peers[ROUNDS_MAX];
    int64_t our_end;
    int64_t peer_end;
    /* The first round of each warms caches and spreads the times; it is not counted. */
    for (size_t round = 0; round <= c->rounds; round++) {
        size_t at = round == 0 ? 0 : round - 1;
        ours[at] = time_queue(q, c, &our_end);
        peers[at] = time_binary_heap(h, c, &peer_end);
        if (our_end != peer_end) {
            fprintf(stderr, "%s: the two queues ended at different times\n", c->name);
            return 1;
        }
    }
    bench_report(c->name, bench_median(ours, c->rounds), "events/s", bench_median(peers, c->rounds),
                 "binary heap");
    return 0;
}

static int run_case(const struct hold_case *c) {
    struct event_queue q;
    struct binary_heap h = {0};
    event_queue_init(&q);
    int status = fill(&q, &h, c);
    if (status != 0) {
        fprintf(stderr, "%s: out of memory\n", c->name);
    } else {
        status = run_rounds(&q, &h, c);
    }
    event_queue_release(&q);
    free(h.entries);
    return status == 0 ? 0 : 1;
}

int bench_queue_hold(void) {
    static int64_t increment_ns[INCREMENTS];
    struct prng p;
    prng_init(&p, 1, "queue-hold");
    for (size_t i = 0; i < INCREMENTS; i++) {
        increment_ns[i] = prng_exponential_ns(&p, 1000 * VTIME_MILLISECOND);
    }
    const struct hold_case cases[] = {
        {"queue_hold_100", 100, 400000, 9, increment_ns},
        {"queue_hold_10000", 10000, 400000, 15, increment_ns},
        {"queue_hold_1000000", 1000000, 400000, 5, increment_ns},
    };
    int status = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0] && status == 0; i++) {
        status = run_case(&cases[i]);
    }
    return status;
}
