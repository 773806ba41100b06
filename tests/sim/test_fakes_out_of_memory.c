/*
 * The fakes of Kafka and of the checkpoint store when memory runs out: each call is repeated with
 * the first, second, ... allocation failing, until it succeeds. A failed call leaves no trace.
 *
 * The fakes are compiled into this program with an allocator that can be told to fail.
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEVER_FAIL SIZE_MAX

/* Allocations that still succeed; the one after them fails, and then all go well again. */
static size_t successes_left = NEVER_FAIL;

static int allocation_fails(void) {
    if (successes_left == NEVER_FAIL) {
        return 0;
    }
    if (successes_left == 0) {
        successes_left = NEVER_FAIL;
        return 1;
    }
    successes_left--;
    return 0;
}

static void *failing_malloc(size_t size) {
    return allocation_fails() ? NULL : malloc(size);
}

static void *failing_calloc(size_t count, size_t size) {
    return allocation_fails() ? NULL : calloc(count, size);
}

static void *failing_realloc(void *old, size_t size) {
    return allocation_fails() ? NULL : realloc(old, size);
}

#define malloc failing_malloc
#define calloc failing_calloc
#define realloc failing_realloc
#include "sim/fake_kafka_group.c"
#include "sim/fake_kafka_log.c"
#include "sim/fake_state_store.c"

#define NOW ((vtime){INT64_C(1700000000000000000)})

/* The fake is not made, and nothing is left behind (the leak checker looks). */
static void creation_fails_cleanly(void **state) {
    (void)state;
    struct fake_kafka *k = NULL;
    size_t n = 0;
    for (; k == NULL; n++) {
        successes_left = n;
        k = fake_kafka_new(NULL);
    }
    successes_left = NEVER_FAIL;
    assert_int_equal(n, 1 + 1 + TOPIC_COUNT);
    fake_kafka_free(k);
}

/* An item that finds no memory is retryable, says so by the error, and is not in the log. */
static void appending_fails_item_by_item(void **state) {
    (void)state;
    int error = PORT_NO_MEMORY;
    for (size_t n = 0; error != 0; n++) {
        struct fake_kafka_options options = {.segment_bytes = 2,
                                             .topics[TOPIC_LISTING].partitions = 1};
        struct fake_kafka *k = fake_kafka_new(&options);
        struct produce_item items[12];
        struct produce_result results[12];
        for (size_t i = 0; i < 12; i++) {
            items[i] = (struct produce_item){TOPIC_LISTING, i, bytes_of("v")};
        }
        struct log_port port = fake_kafka_port(k);
        successes_left = n;
        error = port.ops->produce(port.ctx, NOW, items, 12, results);
        successes_left = NEVER_FAIL;
        assert_true(error == 0 || error == PORT_NO_MEMORY);
        int64_t applied = 0;
        for (size_t i = 0; i < 12; i++) {
            if (results[i].status == ITEM_APPLIED) {
                assert_int_equal(results[i].offset, applied++);
                const struct log_record *r =
                    fake_kafka_record(k, TOPIC_LISTING, 0, results[i].offset);
                assert_int_equal(r->key, i);
            }
        }
        assert_int_equal(applied, error == 0 ? 12 : 11);
        assert_int_equal(fake_kafka_partition(k, TOPIC_LISTING, 0).end, applied);
        fake_kafka_check(k);
        fake_kafka_free(k);
    }
}

/* A member that cannot be taken in is no member, and the others notice nothing. */
static void joining_fails_cleanly(void **state) {
    (void)state;
    struct fake_kafka *k = fake_kafka_new(NULL);
    for (uint32_t member = 0; member < 6; member++) {
        int error = PORT_NO_MEMORY;
        for (size_t n = 0; error != 0; n++) {
            successes_left = n;
            error = fake_kafka_group_join(k, NOW, "g", member, 1u << TOPIC_LISTING);
            successes_left = NEVER_FAIL;
            assert_true(error == 0 || error == PORT_NO_MEMORY);
            assert_int_equal(fake_kafka_group_generation(k, "g"), member + (error == 0));
            assert_int_equal(fake_kafka_group_members(k, "g"), member + (error == 0));
            fake_kafka_check(k);
        }
    }
    fake_kafka_free(k);
}

static int count_entry(void *ctx, uint64_t key, struct bytes value) {
    uint64_t *sum = ctx;
    *sum = *sum * 31 + key * 7 + value.len;
    return 0;
}

static uint64_t stored(struct fake_state_store *s) {
    struct state_port port = fake_state_store_port(s);
    struct bytes offsets;
    uint64_t sum = 0;
    assert_int_equal(port.ops->load(port.ctx, NOW, "g", 0, 1, &offsets, count_entry, &sum), 0);
    return sum * 31 + offsets.len;
}

static int save_many(struct fake_state_store *s, uint64_t first, size_t value_len,
                     size_t offsets_len) {
    static const char text[200];
    struct state_entry entries[30];
    struct state_port port = fake_state_store_port(s);
    for (uint64_t i = 0; i < 30; i++) {
        entries[i] = (struct state_entry){first + i, {text, i % 5 == 4 ? 0 : value_len}};
    }
    return port.ops->save(port.ctx, NOW, "g", 0, 1, (struct bytes){text, offsets_len}, entries, 30);
}

/* A save that finds no memory for its offsets, its map or any one value changes nothing (A15). */
static void saving_is_whole_or_nothing(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    assert_int_equal(save_many(s, 0, 10, 10), 0);
    for (size_t round = 1; round < 5; round++) {
        uint64_t before = stored(s);
        int error = PORT_NO_MEMORY;
        size_t n = 0;
        for (; error != 0; n++) {
            successes_left = n;
            error = save_many(s, round * 10, 10 + 40 * round, 10 + 40 * round);
            successes_left = NEVER_FAIL;
            assert_true(error == 0 || error == PORT_NO_MEMORY);
            assert_true((stored(s) == before) == (error != 0));
            fake_state_store_check(s);
        }
        assert_true(n > 24); /* at least one allocation for each of 24 values */
    }
    fake_state_store_free(s);
}

/* Values that shrink and grow back within the room they had are saved without any allocation. */
static void steady_state_allocates_nothing(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    assert_int_equal(save_many(s, 0, 100, 100), 0);
    assert_int_equal(save_many(s, 0, 40, 40), 0);
    successes_left = 0;
    assert_int_equal(save_many(s, 0, 100, 100), 0);
    assert_int_equal(successes_left, 0);
    successes_left = NEVER_FAIL;
    fake_state_store_free(s);
}

/* A load that finds no memory hands out nothing and fences nobody. */
static void loading_fails_cleanly(void **state) {
    (void)state;
    struct fake_state_store *s = fake_state_store_new();
    struct state_port port = fake_state_store_port(s);
    struct bytes offsets;
    uint64_t sum = 0;
    assert_int_equal(save_many(s, 0, 10, 10), 0);
    successes_left = 0;
    assert_int_equal(port.ops->load(port.ctx, NOW, "g", 0, 9, &offsets, count_entry, &sum),
                     PORT_NO_MEMORY);
    assert_int_equal(sum, 0);
    assert_int_equal(offsets.len, 0);
    assert_int_equal(save_many(s, 0, 10, 10), 0);
    fake_state_store_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation_fails_cleanly),
        cmocka_unit_test(appending_fails_item_by_item),
        cmocka_unit_test(joining_fails_cleanly),
        cmocka_unit_test(saving_is_whole_or_nothing),
        cmocka_unit_test(steady_state_allocates_nothing),
        cmocka_unit_test(loading_fails_cleanly),
    };
    return cmocka_run_group_tests_name("fakes_out_of_memory", tests, NULL, NULL);
}
