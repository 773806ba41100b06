/*
 * The vector database when memory runs out: each call is repeated with the first, second, ...
 * allocation failing until it succeeds. A failed call breaks no invariant, and in the end
 * everything is as if memory had never run out.
 *
 * The database is compiled into this program with an allocator that can be told to fail.
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEVER_FAIL SIZE_MAX

/* Allocations that still succeed; the one after them fails, and then all go well again. */
static size_t successes_left = NEVER_FAIL;
static size_t failures;

static int allocation_fails(void) {
    if (successes_left == NEVER_FAIL) {
        return 0;
    }
    if (successes_left == 0) {
        successes_left = NEVER_FAIL;
        failures++;
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
#include "sim/fake_vector_db.c"
#include "sim/id_order.c"
#include "sim/label_set.c"
#include "sim/vector_collection.c"
#include "sim/vector_segments.c"

#include "pipeline/memory.h"
#include "sim/prng.h"

/* Id map, rows of floats and graph allocate through here. */
void *memory_resize(void *old, size_t size) {
    return failing_realloc(old, size);
}

enum { IDS = 150, STEPS = 400, K = 10 };
static const vtime now = {INT64_C(1700000000000000000)};

static struct vector_write random_write(struct prng *p, int step, float *vector) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (size_t i = 0; i < TEXT_DIMENSION; i++) {
        vector[i] = (float)prng_range(p, -1000, 1000);
    }
    assert_true(vector_normalise(vector, TEXT_DIMENSION, vector));
    uint64_t kind = prng_below(p, 6);
    return (struct vector_write){
        .listing_id = 1 + prng_below(p, IDS),
        .kind = kind < 4    ? ROW_UPSERT
                : kind == 4 ? ROW_METADATA
                            : ROW_DELETE,
        .rule = VERSION_GREATER,
        .meta = {.version = step,
                 .category = bytes_of(names[prng_below(p, 7)]),
                 .locale = bytes_of(names[prng_below(p, 7)]),
                 .policy = POLICY_ACTIVE,
                 .active = true},
        .vector = vector,
    };
}

/* One thing that a caller does; everything that comes of it is compared. */
struct step {
    struct vector_write write;
    const float *query;
    int number;
};
struct outcome {
    int rc;
    enum item_status status;
    size_t count;
    struct search_hit hits[K];
    struct scan_row rows[IDS * 3];
};

static void do_step(struct fake_vector_db *db, const struct step *step, struct outcome *out) {
    struct vector_port port = fake_vector_db_port(db);
    uint64_t id = step->write.listing_id;
    memset(out, 0, sizeof(*out));
    switch (step->number % 8) {
    case 0:
        out->rc = port.ops->search(port.ctx, now, MODALITY_TEXT, 0, step->query, K, 20,
                                   step->number % 16 == 0, 0, out->hits, &out->count);
        break;
    case 1:
        out->rc = port.ops->scan(port.ctx, now, MODALITY_TEXT, 1,
                                 (enum scan_path)(step->number / 8 % SCAN_PATH_COUNT), 0,
                                 UINT64_MAX, out->rows, IDS * 3, &out->count);
        break;
    case 2:
        if (step->number % 24 == 2) {
            out->rc = fake_vector_db_duplicate_row(db, now, MODALITY_TEXT, 1, id);
            break;
        }
        if (step->number % 24 == 10) {
            out->rc = fake_vector_db_lose_row(db, now, MODALITY_TEXT, 1, id, 1U << SCAN_BY_ID);
            break;
        } /* fallthrough */
    default:
        out->rc = port.ops->write(port.ctx, now, MODALITY_TEXT, 1, &step->write, 1, &out->status);
    }
}

static void expect_equal(const struct outcome *a, const struct outcome *b) {
    assert_int_equal(a->rc, b->rc);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->rows[i].listing_id, b->rows[i].listing_id);
        assert_int_equal(a->rows[i].version, b->rows[i].version);
    }
    for (size_t i = 0; i < K; i++) {
        assert_int_equal(a->hits[i].listing_id, b->hits[i].listing_id);
        assert_int_equal(a->hits[i].version, b->hits[i].version);
    }
}

static struct fake_vector_db *make(void) {
    struct fake_vector_db_options options = {
        .index[MODALITY_TEXT] = {.on = true, .m = 4, .ef_construction = 10, .seal_rows_min = 30}};
    return fake_vector_db_new(&options);
}

static void set_up(struct fake_vector_db *db) {
    const struct vector_alias alias = {MODALITY_TEXT, 1};
    int rc = PORT_NO_MEMORY;
    for (size_t n = 0; rc == PORT_NO_MEMORY; n++) {
        successes_left = n;
        rc = fake_vector_db_create_collection(db, MODALITY_TEXT, 1);
    }
    successes_left = NEVER_FAIL;
    assert_int_equal(rc, 0);
    assert_int_equal(fake_vector_db_switch_aliases(db, now, &alias, 1), 0);
}

/* Every step fails at each of its allocations in turn, and then does what it does elsewhere. */
static void failed_calls_leave_no_trace(void **state) {
    (void)state;
    struct prng p;
    prng_init(&p, 1, "test-out-of-memory");
    struct fake_vector_db *starved = NULL;
    for (size_t n = 0; starved == NULL; n++) {
        successes_left = n;
        starved = make();
    }
    successes_left = NEVER_FAIL;
    struct fake_vector_db *rich = make();
    assert_non_null(rich);
    set_up(starved);
    set_up(rich);
    static struct outcome expected, got;
    failures = 0;
    for (int i = 1; i <= STEPS; i++) {
        float vector[TEXT_DIMENSION];
        float query[TEXT_DIMENSION];
        (void)random_write(&p, i, query);
        struct step step = {random_write(&p, i, vector), query, i};
        do_step(rich, &step, &expected);
        got.rc = PORT_NO_MEMORY;
        for (size_t n = 0; got.rc == PORT_NO_MEMORY; n++) {
            successes_left = n;
            do_step(starved, &step, &got);
            successes_left = NEVER_FAIL;
            fake_vector_db_check(starved);
        }
        expect_equal(&got, &expected);
    }
    assert_true(failures > 100);
    fake_vector_db_free(rich);
    fake_vector_db_free(starved);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(failed_calls_leave_no_trace)};
    return cmocka_run_group_tests(tests, 0, 0);
}
