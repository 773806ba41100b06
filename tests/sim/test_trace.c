/*
 * The trace hash (D3): what it covers, that batching and padding do not show, and that two runs are
 * narrowed down to their first differing event wherever it is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "sim/trace.h"

static struct trace_event event_number(uint64_t i) {
    return (struct trace_event){
        .sequence = i * 3,
        .at = {(int64_t)i * 1000003},
        .actor = (uint32_t)(i % 11),
        .kind = (uint32_t)(i % 5),
        .digest = {i * UINT64_C(0x9e3779b97f4a7c15), i},
    };
}

static void init(struct trace *t, uint64_t every, size_t max) {
    const struct trace_options options = {.checkpoint_every = every, .checkpoints_max = max};
    assert_int_equal(trace_init(t, &options), 0);
}

/* Adds events 0 to count - 1, the one at PLANTED (if below count) with another kind. */
static void add_events(struct trace *t, uint64_t count, uint64_t planted) {
    for (uint64_t i = 0; i < count; i++) {
        struct trace_event e = event_number(i);
        e.kind += i == planted;
        trace_add(t, &e);
    }
}

#define NOT_PLANTED UINT64_MAX

/* The hash of this run is part of what every release must reproduce. */
static void hash_matches_its_known_answer(void **state) {
    (void)state;
    struct trace t;
    char text[TRACE_HASH_TEXT_SIZE];
    assert_int_equal(trace_init(&t, NULL), 0);
    trace_hash_format(trace_hash_of(&t), text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f"); /* XXH3-128 of nothing */
    add_events(&t, 1000, NOT_PLANTED);
    trace_hash_format(trace_hash_of(&t), text);
    assert_string_equal(text, "3aa3b5e09498ef8b195d6bd49770d4c7");
    assert_true(trace_count(&t) == 1000);
    trace_release(&t);
}

static void put_le(unsigned char **out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        *(*out)++ = (unsigned char)(value >> (8 * i));
    }
}

static struct trace_hash hash_in_one_go(uint64_t count) {
    unsigned char *bytes = malloc(count * TRACE_EVENT_BYTES + 1);
    unsigned char *out = bytes;
    assert_non_null(bytes);
    for (uint64_t i = 0; i < count; i++) {
        struct trace_event e = event_number(i);
        put_le(&out, e.sequence, 8);
        put_le(&out, (uint64_t)e.at.ns, 8);
        put_le(&out, e.actor, 4);
        put_le(&out, e.kind, 4);
        put_le(&out, e.digest.lo, 8);
        put_le(&out, e.digest.hi, 8);
    }
    XXH128_hash_t hash = XXH3_128bits(bytes, count * TRACE_EVENT_BYTES);
    free(bytes);
    return (struct trace_hash){hash.high64, hash.low64};
}

/* Gathering, checkpoints and looking at the hash on the way leave it that of the plain bytes. */
static void batching_does_not_show(void **state) {
    (void)state;
    static const uint64_t counts[] = {0, 1, 6, 7, 101, 102, 103, 203, 204, 205, 1000, 5000};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        struct trace_hash expected = hash_in_one_go(counts[c]);
        for (uint64_t every = 1; every <= 2000; every = every * 5 + 2) {
            struct trace t;
            init(&t, every, 2 + every % 5);
            for (uint64_t i = 0; i < counts[c]; i++) {
                struct trace_event e = event_number(i);
                trace_add(&t, &e);
                if (i % 37 == every % 37) {
                    trace_hash_of(&t);
                }
            }
            assert_true(trace_hash_equal(trace_hash_of(&t), expected));
            trace_release(&t);
        }
    }
}

/* Every bit of every field counts. */
static void each_field_is_covered(void **state) {
    (void)state;
    enum { BITS = TRACE_EVENT_BYTES * 8 };
    struct trace_hash seen[BITS];
    for (int bit = 0; bit < BITS; bit++) {
        struct trace t;
        struct trace_event e = {0};
        uint64_t mask = UINT64_C(1) << bit % 64;
        e.sequence = bit / 64 == 0 ? mask : 0;
        e.at.ns = (int64_t)(bit / 64 == 1 ? mask : 0);
        e.actor = (uint32_t)(bit / 64 == 2 ? mask : 0);
        e.kind = (uint32_t)(bit / 64 == 2 ? mask >> 32 : 0);
        e.digest.lo = bit / 64 == 3 ? mask : 0;
        e.digest.hi = bit / 64 == 4 ? mask : 0;
        init(&t, 1, 2);
        trace_add(&t, &e);
        seen[bit] = trace_hash_of(&t);
        for (int other = 0; other < bit; other++) {
            assert_false(trace_hash_equal(seen[bit], seen[other]));
        }
        trace_release(&t);
    }
}

/* What lies in an event's memory beside its fields does not reach the hash. */
static void padding_does_not_show(void **state) {
    (void)state;
    struct trace_hash hashes[2];
    for (int i = 0; i < 2; i++) {
        struct trace t;
        struct trace_event e;
        init(&t, 8, 2);
        memset(&e, i == 0 ? 0x00 : 0xff, sizeof e);
        memset(t.batch, i == 0 ? 0x00 : 0xff, sizeof t.batch);
        e.sequence = 1;
        e.at.ns = 2;
        e.actor = 3;
        e.kind = 4;
        e.digest = (struct trace_hash){5, 6};
        trace_add(&t, &e);
        hashes[i] = trace_hash_of(&t);
        trace_release(&t);
    }
    assert_true(trace_hash_equal(hashes[0], hashes[1]));
}

/* However long the run, checkpoints stay within their bound, evenly apart, each a true prefix hash.
 */
static void checkpoints_stay_bounded_and_true(void **state) {
    (void)state;
    for (size_t max = 2; max < 12; max++) {
        struct trace t;
        init(&t, 3, max);
        for (uint64_t i = 0; i < 700; i++) {
            struct trace_event e = event_number(i);
            trace_add(&t, &e);
            assert_true(t.checkpoint_count <= max);
            assert_int_equal(t.checkpoint_count, t.position / t.checkpoint_every);
        }
        struct trace_outline o = trace_outline_of(&t);
        assert_true(o.checkpoint_count >= max / 2);
        for (size_t i = 0; i < o.checkpoint_count; i++) {
            assert_true(o.checkpoints[i].position == (i + 1) * t.checkpoint_every);
            assert_true(
                trace_hash_equal(o.checkpoints[i].hash, hash_in_one_go(o.checkpoints[i].position)));
        }
        trace_release(&t);
    }
}

/* Runs both once for the outline, again for the window, as a comparison of two runs does. */
static uint64_t find_difference(uint64_t count_a, uint64_t count_b, uint64_t planted, size_t max_b,
                                uint64_t *width) {
    struct trace a;
    struct trace b;
    struct trace_window window;
    uint64_t position = UINT64_MAX - 1;
    init(&a, 4, 8);
    init(&b, 4, max_b);
    add_events(&a, count_a, NOT_PLANTED);
    add_events(&b, count_b, planted);
    struct trace_outline outline_a = trace_outline_of(&a);
    struct trace_outline outline_b = trace_outline_of(&b);
    bool differ = trace_first_difference(&outline_a, &outline_b, &window);
    struct trace_window mirrored;
    assert_true(trace_first_difference(&outline_b, &outline_a, &mirrored) == differ);
    trace_release(&a);
    trace_release(&b);
    if (!differ) {
        return NOT_PLANTED;
    }
    assert_true(mirrored.from == window.from && mirrored.to == window.to);
    *width = window.to - window.from;
    init(&a, 4, 8);
    init(&b, 4, max_b);
    assert_int_equal(trace_record_window(&a, window), 0);
    assert_int_equal(trace_record_window(&b, window), 0);
    add_events(&a, count_a, NOT_PLANTED);
    add_events(&b, count_b, planted);
    assert_true(trace_window_difference(&a, &b, &position));
    trace_release(&a);
    trace_release(&b);
    return position;
}

/* A difference planted at any position of runs of many lengths is found there, in a narrow window.
 */
static void planted_difference_is_found_at_every_position(void **state) {
    (void)state;
    static const uint64_t counts[] = {1, 3, 4, 5, 31, 32, 33, 64, 150};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        for (uint64_t planted = 0; planted < counts[c]; planted++) {
            uint64_t width;
            assert_true(find_difference(counts[c], counts[c], planted, 8, &width) == planted);
            assert_in_range(width, 1, counts[c] <= 32 ? 4 : 32);
        }
    }
}

/* The same when the runs kept checkpoints at different distances or ended at different lengths. */
static void difference_is_found_between_unlike_runs(void **state) {
    (void)state;
    for (uint64_t longer = 40; longer < 120; longer += 13) {
        for (uint64_t planted = 0; planted < 40; planted++) {
            uint64_t width;
            assert_true(find_difference(longer, 40, planted, 3, &width) == planted);
            assert_true(find_difference(40, longer, planted, 20, &width) == planted);
        }
    }
}

/* Where one run is the beginning of the other, the first event too many is the difference. */
static void shorter_run_differs_at_its_end(void **state) {
    (void)state;
    for (uint64_t count = 0; count < 100; count++) {
        uint64_t width;
        assert_true(find_difference(count, count + 1, NOT_PLANTED, 8, &width) == count);
        assert_true(find_difference(count + 30, count, NOT_PLANTED, 5, &width) == count);
    }
}

/* Equal runs do not differ, whatever checkpoints they kept. */
static void equal_runs_do_not_differ(void **state) {
    (void)state;
    for (uint64_t count = 0; count < 100; count++) {
        uint64_t width;
        assert_true(find_difference(count, count, NOT_PLANTED, 3, &width) == NOT_PLANTED);
    }
}

/* The window keeps exactly its events; beside it, and past the end of the run, there is nothing. */
static void window_keeps_exactly_its_events(void **state) {
    (void)state;
    struct trace t;
    init(&t, 4, 8);
    add_events(&t, 5, NOT_PLANTED);
    assert_int_equal(trace_record_window(&t, (struct trace_window){10, 20}), 0);
    for (uint64_t i = 5; i < 15; i++) {
        struct trace_event e = event_number(i);
        trace_add(&t, &e);
    }
    for (uint64_t i = 0; i < 30; i++) {
        const struct trace_event *kept = trace_recorded(&t, i);
        struct trace_event e = event_number(i);
        assert_true((kept != NULL) == (i >= 10 && i < 15));
        assert_true(kept == NULL || trace_event_equal(kept, &e));
    }
    trace_release(&t);
}

/* A window that memory cannot hold is refused, an empty one is not, and recording never shows. */
static void window_that_cannot_be_held_is_refused(void **state) {
    (void)state;
    struct trace t;
    init(&t, 4, 8);
    assert_int_equal(trace_record_window(&t, (struct trace_window){0, UINT64_MAX}), -ENOMEM);
    assert_int_equal(trace_record_window(&t, (struct trace_window){3, 3}), 0);
    add_events(&t, 100, NOT_PLANTED);
    assert_null(trace_recorded(&t, 3));
    assert_true(trace_hash_equal(trace_hash_of(&t), hash_in_one_go(100)));
    trace_release(&t);
}

static const char *actor_name(void *ctx, uint32_t actor) {
    return actor == 3 ? ctx : NULL;
}

static const char *kind_name(void *ctx, uint32_t kind) {
    (void)ctx;
    return kind == 9 ? "record_polled" : NULL;
}

/* An event in words, with numbers where nobody knows a name. */
static void event_is_formatted_with_names(void **state) {
    (void)state;
    char router[] = "router";
    const struct trace_names names = {actor_name, kind_name, router};
    struct trace_event e = {
        .sequence = 17,
        .at = {INT64_C(1772438400) * VTIME_SECOND + 250},
        .actor = 3,
        .kind = 9,
        .digest = {0, UINT64_C(0x0123456789abcdef)},
    };
    char text[160];
    trace_event_format(&e, &names, text, sizeof text);
    assert_string_equal(text, "#17 2026-03-02T08:00:00.000000250Z router record_polled "
                              "00000000000000000123456789abcdef");
    e.actor = 4;
    e.kind = UINT32_MAX;
    trace_event_format(&e, &names, text, sizeof text);
    assert_string_equal(text, "#17 2026-03-02T08:00:00.000000250Z actor-4 kind-4294967295 "
                              "00000000000000000123456789abcdef");
    char cut[10];
    assert_int_equal(trace_event_format(&e, NULL, cut, sizeof cut), strlen(text));
    assert_string_equal(cut, "#17 2026-");
}

/* Days at the borders of months, leap years and centuries, and both ends of time. */
static void times_are_formatted_as_dates(void **state) {
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00"},          {-1, "1969-12-31T23:59:59"},
        {951782400, "2000-02-29T00:00:00"},  {951868800, "2000-03-01T00:00:00"},
        {1709164800, "2024-02-29T00:00:00"}, {1735689599, "2024-12-31T23:59:59"},
        {4107542400, "2100-03-01T00:00:00"}, {4107542399, "2100-02-28T23:59:59"},
        {9223372036, "2262-04-11T23:47:16"}, {-9223372036, "1677-09-21T00:12:44"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trace_event e = {.at = {cases[i].seconds * VTIME_SECOND}};
        char text[160];
        trace_event_format(&e, NULL, text, sizeof text);
        text[3 + 19] = '\0';
        assert_string_equal(text + 3, cases[i].text);
    }
}

/* Digests are XXH3-128 of the payload's bytes. */
static void digest_is_that_of_the_bytes(void **state) {
    (void)state;
    char text[TRACE_HASH_TEXT_SIZE];
    trace_hash_format(trace_digest((struct bytes){NULL, 0}), text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
    trace_hash_format(trace_digest(bytes_of("a")), text);
    assert_string_equal(text, "a96faf705af16834e6c632b61e964e1f");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_matches_its_known_answer),
        cmocka_unit_test(batching_does_not_show),
        cmocka_unit_test(each_field_is_covered),
        cmocka_unit_test(padding_does_not_show),
        cmocka_unit_test(checkpoints_stay_bounded_and_true),
        cmocka_unit_test(planted_difference_is_found_at_every_position),
        cmocka_unit_test(difference_is_found_between_unlike_runs),
        cmocka_unit_test(shorter_run_differs_at_its_end),
        cmocka_unit_test(equal_runs_do_not_differ),
        cmocka_unit_test(window_keeps_exactly_its_events),
        cmocka_unit_test(window_that_cannot_be_held_is_refused),
        cmocka_unit_test(event_is_formatted_with_names),
        cmocka_unit_test(times_are_formatted_as_dates),
        cmocka_unit_test(digest_is_that_of_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
