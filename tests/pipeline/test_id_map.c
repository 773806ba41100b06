/* The map against a list that is searched from end to end, and what it does without memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/id_map.h"
#include "pipeline/memory.h"

/* The library's memory_resize gives way to this one: from `allocations_left` on, there is none. */
static long allocations_left = -1;

void *memory_resize(void *old, size_t size) {
    if (allocations_left == 0) {
        return NULL;
    }
    allocations_left -= allocations_left > 0;
    return realloc(old, size);
}

struct rng {
    uint64_t s;
};

static uint64_t rng_below(struct rng *g, uint64_t n) {
    g->s ^= g->s << 13;
    g->s ^= g->s >> 7;
    g->s ^= g->s << 17;
    return (g->s * UINT64_C(0x2545F4914F6CDD1D) >> 11) % n;
}

/* The list: ids and values in the order in which they were put. */
struct list {
    uint64_t ids[4096], values[4096];
    size_t count;
};

static size_t list_at(const struct list *l, uint64_t id) {
    size_t i = 0;
    while (i < l->count && l->ids[i] != id) {
        i++;
    }
    return i;
}

static bool list_put(struct list *l, uint64_t id, uint64_t value) {
    size_t at = list_at(l, id);
    bool fresh = at == l->count;
    l->ids[at] = id;
    l->values[at] = value;
    l->count += fresh;
    return fresh;
}

static bool list_remove(struct list *l, uint64_t id) {
    size_t at = list_at(l, id);
    if (at == l->count) {
        return false;
    }
    memmove(&l->ids[at], &l->ids[at + 1], (l->count - at - 1) * sizeof *l->ids);
    memmove(&l->values[at], &l->values[at + 1], (l->count - at - 1) * sizeof *l->values);
    l->count--;
    return true;
}

static void assert_same(const struct id_map *m, const struct list *l) {
    size_t cursor = 0;
    id_map_check(m);
    assert_int_equal(id_map_count(m), l->count);
    for (size_t i = 0; i < l->count; i++) {
        const struct id_map_entry *e = id_map_next(m, &cursor);
        assert_non_null(e);
        assert_int_equal(e->id, l->ids[i]);
        assert_int_equal(e->value.number, l->values[i]);
    }
    assert_null(id_map_next(m, &cursor));
}

static int put_number(struct id_map *m, uint64_t id, uint64_t number) {
    return id_map_put(m, id, (union id_map_value){.number = number});
}

/* Any series of puts and removals leaves what the list says, in the list's order. */
static void agrees_with_a_list(void **state) {
    (void)state;
    static struct list l;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct rng g = {seed * 7919};
        struct id_map m;
        uint64_t ids = UINT64_C(1) << (2 + seed % 8);
        uint64_t stride = seed % 3 == 0 ? UINT64_C(1) << 40 : 1;
        id_map_init(&m);
        l.count = 0;
        for (uint64_t i = 0; i < 3000; i++) {
            uint64_t id = rng_below(&g, ids) * stride;
            /* Phases of growth and of decline. */
            if (rng_below(&g, 10) < (i / 500 % 2 == 0 ? 7u : 3u)) {
                assert_int_equal(put_number(&m, id, i), list_put(&l, id, i));
            } else {
                assert_int_equal(id_map_remove(&m, id), list_remove(&l, id));
            }
            assert_int_equal(id_map_find(&m, id) != NULL, list_at(&l, id) < l.count);
            if (i % 50 == 0) {
                assert_same(&m, &l);
            }
        }
        assert_same(&m, &l);
        id_map_release(&m);
        assert_int_equal(id_map_count(&m), 0);
    }
}

/* An empty map answers. */
static void empty_map_answers(void **state) {
    (void)state;
    struct id_map m;
    size_t cursor = 0;
    id_map_init(&m);
    assert_null(id_map_find(&m, 0));
    assert_false(id_map_remove(&m, 0));
    assert_null(id_map_next(&m, &cursor));
    id_map_check(&m);
    id_map_release(&m);
}

/* Whoever walks the map may remove what the walk has shown. */
static void walk_may_remove(void **state) {
    (void)state;
    struct id_map m;
    id_map_init(&m);
    for (uint64_t id = 0; id < 100; id++) {
        put_number(&m, id, id);
    }
    size_t cursor = 0;
    size_t seen = 0;
    for (const struct id_map_entry *e; (e = id_map_next(&m, &cursor)) != NULL; seen++) {
        assert_int_equal(e->id, seen);
        if (e->id % 3 != 0) {
            assert_true(id_map_remove(&m, e->id));
        }
    }
    assert_int_equal(seen, 100);
    assert_int_equal(id_map_count(&m), 34);
    id_map_check(&m);
    id_map_release(&m);
}

/* Putting and removing in turn for long takes no more room than what lives at once. */
static void churn_takes_no_room(void **state) {
    (void)state;
    struct id_map m;
    id_map_init(&m);
    for (uint64_t id = 0; id < 100000; id++) {
        assert_int_equal(put_number(&m, id, id), 1);
        if (id >= 100) {
            assert_true(id_map_remove(&m, id - 100));
        }
    }
    assert_true(m.entry_capacity <= 300);
    assert_true(m.slot_count <= 512);
    id_map_check(&m);
    id_map_release(&m);
}

/* Within what was reserved, nothing is allocated, dead entries or not. */
static void reserved_room_is_enough(void **state) {
    (void)state;
    struct id_map m;
    id_map_init(&m);
    assert_int_equal(id_map_reserve(&m, 1000), 0);
    allocations_left = 0;
    for (uint64_t id = 0; id < 1000; id++) {
        assert_int_equal(put_number(&m, id, id), 1);
    }
    assert_int_equal(put_number(&m, 5000, 0), -ENOMEM);
    for (uint64_t id = 0; id < 10; id++) {
        assert_true(id_map_remove(&m, id));
        assert_int_equal(put_number(&m, 2000 + id, id), 1);
    }
    allocations_left = -1;
    id_map_check(&m);
    assert_int_equal(id_map_reserve(&m, SIZE_MAX / 2), -ENOMEM);
    assert_int_equal(id_map_count(&m), 1000);
    id_map_release(&m);
}

/* Whichever allocation fails, the map stays as it was, and the same put succeeds later. */
static void lack_of_memory_is_reported(void **state) {
    (void)state;
    struct id_map m;
    id_map_init(&m);
    int failures = 0;
    for (uint64_t id = 0; id < 2000; id++) {
        for (long left = 0;; left++) {
            allocations_left = left;
            int status = put_number(&m, id, id);
            allocations_left = -1;
            id_map_check(&m);
            if (status == 1) {
                break;
            }
            assert_int_equal(status, -ENOMEM);
            assert_int_equal(id_map_count(&m), id);
            assert_null(id_map_find(&m, id));
            failures++;
        }
    }
    assert_true(failures >= 20);
    id_map_release(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_list),      cmocka_unit_test(empty_map_answers),
        cmocka_unit_test(walk_may_remove),         cmocka_unit_test(churn_takes_no_room),
        cmocka_unit_test(reserved_room_is_enough), cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("id_map", tests, NULL, NULL);
}
