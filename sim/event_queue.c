#include "sim/event_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 event_key;

#define KEY_GREATEST (~(event_key)0)
#define CACHE_LINE 64
#define NO_SLOT UINT32_MAX

/*
 * The root is at place 3, so that the four children of place p, from 4 (p - 2), begin a cache line.
 */
#define ROOT ((size_t)3)

struct event_slot {
    uint64_t sequence; /* 0 while free */
    uint64_t arg;
    union {
        void *payload;
        uint32_t next_free;
    } u;
    uint32_t actor;
    uint32_t kind;
};

static inline size_t first_child(size_t place) {
    return 4 * (place - 2);
}

static inline size_t parent_of(size_t place) {
    return place / 4 + 2;
}

/* Time, tie and sequence from the top, so that one comparison orders all three. */
static inline event_key key_of(vtime at, uint16_t tie, uint64_t sequence) {
    uint64_t time = (uint64_t)at.ns ^ (UINT64_C(1) << 63);
    return ((event_key)time << 64) | ((uint64_t)tie << 48) | sequence;
}

static inline uint64_t key_sequence(event_key key) {
    return (uint64_t)key & EVENT_QUEUE_SEQUENCE_MAX;
}

static inline uint16_t key_tie(event_key key) {
    return (uint16_t)((uint64_t)key >> 48);
}

static inline vtime key_time(event_key key) {
    return (vtime){(int64_t)((uint64_t)(key >> 64) ^ (UINT64_C(1) << 63))};
}

static inline bool is_live(const struct event_queue *q, size_t place) {
    return q->slots[q->slot_of[place]].sequence == key_sequence(q->keys[place]);
}

static size_t dead_count(const struct event_queue *q) {
    return q->keys_end - ROOT - q->live;
}

/* Places for the keys of this many slots: twice as many, and a full line of siblings at the end. */
static size_t places_for(size_t capacity) {
    return (ROOT + 2 * capacity + 4) / 4 * 4;
}

void event_queue_init(struct event_queue *q) {
    *q = (struct event_queue){
        .keys_end = ROOT,
        .free_slot = NO_SLOT,
        .allocate = aligned_alloc,
    };
}

void event_queue_release(struct event_queue *q) {
    free(q->keys);
    free(q->slot_of);
    free(q->slots);
    event_queue_init(q);
}

/* aligned_alloc wants sizes that are multiples of the alignment. */
static void *allocate_lines(const struct event_queue *q, size_t count, size_t size) {
    size_t bytes = (count * size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return q->allocate(CACHE_LINE, bytes);
}

/* Moves into larger arrays. Places past the last key get the greatest one (invariant 2). */
static void move_into(struct event_queue *q, event_key *keys, uint32_t *slot_of,
                      struct event_slot *slots, size_t capacity) {
    size_t places = places_for(capacity);
    size_t kept = q->capacity == 0 ? 0 : q->keys_end;
    if (kept != 0) {
        memcpy(keys, q->keys, kept * sizeof *keys);
        memcpy(slot_of, q->slot_of, kept * sizeof *slot_of);
        memcpy(slots, q->slots, q->slots_used * sizeof *slots);
    }
    memset(keys + kept, 0xff, (places - kept) * sizeof *keys);
    memset(slot_of + kept, 0, (places - kept) * sizeof *slot_of);
    free(q->keys);
    free(q->slot_of);
    free(q->slots);
    q->keys = keys;
    q->slot_of = slot_of;
    q->slots = slots;
    q->capacity = capacity;
}

int event_queue_reserve(struct event_queue *q, size_t pending) {
    if (pending <= q->capacity) {
        return 0;
    }
    if (pending > EVENT_QUEUE_PENDING_MAX) {
        return -ENOMEM;
    }
    event_key *keys = allocate_lines(q, places_for(pending), sizeof *keys);
    uint32_t *slot_of = allocate_lines(q, places_for(pending), sizeof *slot_of);
    struct event_slot *slots = allocate_lines(q, pending, sizeof *slots);
    if (keys == NULL || slot_of == NULL || slots == NULL) {
        free(keys);
        free(slot_of);
        free(slots);
        return -ENOMEM;
    }
    move_into(q, keys, slot_of, slots, pending);
    return 0;
}

static inline void place_key(struct event_queue *q, size_t place, event_key key, uint32_t slot) {
    q->keys[place] = key;
    q->slot_of[place] = slot;
}

/* Lifts a key from a hole to where its parent is less. */
static inline void lift(struct event_queue *q, size_t hole, event_key key, uint32_t slot) {
    while (hole > ROOT) {
        size_t parent = parent_of(hole);
        if (q->keys[parent] <= key) {
            break;
        }
        place_key(q, hole, q->keys[parent], q->slot_of[parent]);
        hole = parent;
    }
    place_key(q, hole, key, slot);
}

/*
 * The least of the four siblings at keys[first], chosen by conditional moves and masks: which of
 * them it is cannot be predicted, and a mispredicted branch costs more than the whole choice. The
 * mask is there because compilers make a branch of a conditional in its place. Places past the last
 * key take part, and lose, being the greatest (invariant 2).
 */
static inline size_t least_of_four(const event_key *keys, size_t first) {
    event_key k0 = keys[first];
    event_key k1 = keys[first + 1];
    event_key k2 = keys[first + 2];
    event_key k3 = keys[first + 3];
    bool low_second = k1 < k0;
    bool high_second = k3 < k2;
    event_key low = low_second ? k1 : k0;
    event_key high = high_second ? k3 : k2;
    size_t low_place = first + low_second;
    size_t high_place = first + 2 + high_second;
    size_t in_high = 0 - (size_t)(high < low);
    return low_place ^ ((low_place ^ high_place) & in_high);
}

/*
 * Fills the hole at the root from below until it is at a leaf; returns where that is. The sixteen
 * grandchildren are four lines of keys and one of slots that are needed one level further down.
 * Fetching them stands here and not in a function of its own, which gcc 12 takes to have no effect.
 */
static inline size_t sink_hole(struct event_queue *q) {
    size_t hole = ROOT;
    for (size_t child = first_child(hole); child < q->keys_end; child = first_child(hole)) {
        size_t below = first_child(child);
        if (below + 16 <= q->keys_end) {
            __builtin_prefetch(&q->keys[below]);
            __builtin_prefetch(&q->keys[below + 4]);
            __builtin_prefetch(&q->keys[below + 8]);
            __builtin_prefetch(&q->keys[below + 12]);
            __builtin_prefetch(&q->slot_of[below]);
        }
        size_t least = least_of_four(q->keys, child);
        place_key(q, hole, q->keys[least], q->slot_of[least]);
        hole = least;
    }
    return hole;
}

static void remove_root(struct event_queue *q) {
    size_t last = --q->keys_end;
    event_key key = q->keys[last];
    uint32_t slot = q->slot_of[last];
    q->keys[last] = KEY_GREATEST;
    if (last > ROOT) {
        lift(q, sink_hole(q), key, slot);
    }
}

/* Sinks a key from a place whose subtrees are heaps already. */
static void settle(struct event_queue *q, size_t place) {
    event_key key = q->keys[place];
    uint32_t slot = q->slot_of[place];
    for (size_t child = first_child(place); child < q->keys_end; child = first_child(place)) {
        size_t least = least_of_four(q->keys, child);
        if (key <= q->keys[least]) {
            break;
        }
        place_key(q, place, q->keys[least], q->slot_of[least]);
        place = least;
    }
    place_key(q, place, key, slot);
}

/* Drops dead keys and builds the heap again from the others (Floyd), in place and linear time. */
static void drop_dead_keys(struct event_queue *q) {
    size_t kept = ROOT;
    for (size_t place = ROOT; place < q->keys_end; place++) {
        if (is_live(q, place)) {
            place_key(q, kept++, q->keys[place], q->slot_of[place]);
        }
    }
    memset(q->keys + kept, 0xff, (q->keys_end - kept) * sizeof *q->keys);
    q->keys_end = kept;
    if (kept > ROOT + 1) {
        for (size_t place = parent_of(kept - 1) + 1; place-- > ROOT;) {
            settle(q, place);
        }
    }
}

/* Room for one more slot and key. With twice as many places as slots, only slots ever run out. */
static int make_room(struct event_queue *q) {
    if (q->live == q->capacity) {
        return event_queue_reserve(q, q->capacity == 0 ? 64 : 2 * q->capacity);
    }
    if (q->keys_end == ROOT + 2 * q->capacity) {
        drop_dead_keys(q);
    }
    return 0;
}

/* The free slot that take_slot would be given next. */
static uint32_t next_slot(const struct event_queue *q) {
    return q->free_slot == NO_SLOT ? (uint32_t)q->slots_used : q->free_slot;
}

static void take_slot(struct event_queue *q, uint32_t slot) {
    if (slot == q->free_slot) {
        q->free_slot = q->slots[slot].u.next_free;
    } else {
        q->slots_used++;
    }
    q->live++;
}

static void give_slot(struct event_queue *q, uint32_t slot) {
    q->slots[slot].sequence = 0;
    q->slots[slot].u.next_free = q->free_slot;
    q->free_slot = slot;
    q->live--;
}

/* A dead root, which every pop leaves, is replaced: one walk down instead of a walk each way. */
static void insert_key(struct event_queue *q, event_key key, uint32_t slot) {
    if (q->keys_end > ROOT && !is_live(q, ROOT)) {
        lift(q, sink_hole(q), key, slot);
    } else {
        lift(q, q->keys_end++, key, slot);
    }
}

int event_queue_push(struct event_queue *q, const struct sim_event *event,
                     struct event_handle *handle) {
    if (q->sequence == EVENT_QUEUE_SEQUENCE_MAX) {
        return -EOVERFLOW;
    }
    if (q->live == q->capacity || q->keys_end == ROOT + 2 * q->capacity) {
        int status = make_room(q);
        if (status != 0) {
            return status;
        }
    }
    uint64_t sequence = ++q->sequence;
    uint32_t slot = next_slot(q);
    insert_key(q, key_of(event->at, event->tie, sequence), slot);
    take_slot(q, slot);
    q->slots[slot] = (struct event_slot){
        .sequence = sequence,
        .arg = event->arg,
        .u.payload = event->payload,
        .actor = event->actor,
        .kind = event->kind,
    };
    if (handle != NULL) {
        *handle = (struct event_handle){sequence, slot};
    }
    return 0;
}

static void read_event(const struct event_queue *q, event_key key, uint32_t slot,
                       struct sim_event *event) {
    const struct event_slot *s = &q->slots[slot];
    event->at = key_time(key);
    event->sequence = s->sequence;
    event->tie = key_tie(key);
    event->actor = s->actor;
    event->kind = s->kind;
    event->arg = s->arg;
    event->payload = s->u.payload;
}

/* Brings the least live key to the root; false when there is none. */
static bool surface_live(struct event_queue *q) {
    while (q->keys_end > ROOT) {
        if (is_live(q, ROOT)) {
            return true;
        }
        remove_root(q);
    }
    return false;
}

bool event_queue_pop(struct event_queue *q, struct sim_event *event) {
    if (!surface_live(q)) {
        return false;
    }
    uint32_t slot = q->slot_of[ROOT];
    read_event(q, q->keys[ROOT], slot, event);
    give_slot(q, slot); /* the key stays, dead, for the next push to replace */
    return true;
}

bool event_queue_peek(struct event_queue *q, struct sim_event *event) {
    if (!surface_live(q)) {
        return false;
    }
    read_event(q, q->keys[ROOT], q->slot_of[ROOT], event);
    return true;
}

bool event_queue_is_pending(const struct event_queue *q, struct event_handle handle) {
    return handle.sequence != 0 && handle.slot < q->slots_used &&
           q->slots[handle.slot].sequence == handle.sequence;
}

bool event_queue_cancel(struct event_queue *q, struct event_handle handle, void **payload) {
    if (!event_queue_is_pending(q, handle)) {
        return false;
    }
    if (payload != NULL) {
        *payload = q->slots[handle.slot].u.payload;
    }
    give_slot(q, handle.slot);
    if (dead_count(q) > q->live + EVENT_QUEUE_DEAD_SLACK) {
        drop_dead_keys(q);
    }
    return true;
}

size_t event_queue_count(const struct event_queue *q) {
    return q->live;
}

static const char *check_keys(const struct event_queue *q) {
    size_t live = 0;
    for (size_t place = ROOT; place < q->keys_end; place++) {
        if (place > ROOT && q->keys[place] < q->keys[parent_of(place)]) {
            return "1: a key is less than its parent's";
        }
        if (q->slot_of[place] >= q->slots_used) {
            return "3: a key stands for a slot that was never used";
        }
        live += is_live(q, place);
    }
    for (size_t place = q->keys_end; place < places_for(q->capacity); place++) {
        if (q->keys[place] != KEY_GREATEST) {
            return "2: a place past the last key does not hold the greatest one";
        }
    }
    return live == q->live ? NULL : "4: live and dead keys do not add up to those in the heap";
}

/*
 * Sequences are unique, so at most one key is live for a slot; as many live keys as pending slots
 * means one each.
 */
static const char *check_slots(const struct event_queue *q) {
    size_t pending = 0;
    size_t free_slots = 0;
    for (size_t slot = 0; slot < q->slots_used; slot++) {
        pending += q->slots[slot].sequence != 0;
    }
    uint32_t slot = q->free_slot;
    for (; slot != NO_SLOT && free_slots < q->slots_used; free_slots++) {
        if (slot >= q->slots_used || q->slots[slot].sequence != 0) {
            return "3: the free list holds a slot that is pending or was never used";
        }
        slot = q->slots[slot].u.next_free;
    }
    if (slot != NO_SLOT || pending + free_slots != q->slots_used) {
        return "3: a slot is neither pending nor free, or free twice";
    }
    return pending == q->live ? NULL : "4: pending slots are not as many as live keys";
}

const char *event_queue_check(const struct event_queue *q) {
    if (q->capacity == 0) {
        return q->live == 0 && q->keys_end == ROOT ? NULL : "4: keys without room for any";
    }
    if (q->keys_end > ROOT + 2 * q->capacity || q->slots_used > q->capacity) {
        return "4: more keys or slots than there is room for";
    }
    const char *broken = check_keys(q);
    return broken != NULL ? broken : check_slots(q);
}
