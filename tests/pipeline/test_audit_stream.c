/* The chain of audit streams (B8): which events make a listing's stream, and which have no place in
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/audit_stream.h"

enum { EVENTS = 8 };

static struct audit_event events[EVENTS];
static enum audit_place places[EVENTS];
static size_t parents[EVENTS];

/* The event that follows the chain, of that epoch and offset. */
static struct audit_event next(struct audit_chain *chain, uint32_t epoch, int64_t offset) {
    struct audit_event event = {.listing_id = 7, .version = doc_version_pack(epoch, offset)};
    audit_chain_add(chain, &event);
    return event;
}

static void make_line(size_t count) {
    struct audit_chain chain = {0};
    for (size_t i = 0; i < count; i++) {
        events[i] = next(&chain, 0, (int64_t)i);
    }
}

/* Events that follow each other are the line, and whichever is missing, changed or there twice, it
 * is found where it shows. */
static void one_line(void **state) {
    (void)state;
    for (size_t count = 0; count <= EVENTS; count++) {
        make_line(count);
        assert_int_equal(audit_line(events, count, places, parents), count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(places[i], AUDIT_ON_LINE);
        }
    }
    for (size_t i = 0; i + 1 < EVENTS; i++) {
        make_line(EVENTS);
        memmove(&events[i], &events[i + 1], (EVENTS - 1 - i) * sizeof *events);
        assert_int_equal(audit_line(events, EVENTS - 1, places, parents), i);
        make_line(EVENTS);
        events[i].stamp.ts.ns++;
        assert_int_equal(audit_line(events, EVENTS, places, parents), i);
        make_line(EVENTS - 1);
        memmove(&events[i + 1], &events[i], (EVENTS - 1 - i) * sizeof *events);
        assert_int_equal(audit_line(events, EVENTS, places, parents), i + 1);
    }
}

/* Where a leader lost records, two lines part: the one to the latest version is the stream, however
 * long the other is. Without a leader change there is no reason for a second one. */
static void two_lines(void **state) {
    (void)state;
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        struct audit_chain chain = {0};
        events[0] = next(&chain, 0, 10);
        struct audit_chain lost = chain;
        events[1] = next(&lost, 0, 11);
        events[2] = next(&chain, epoch, 12);
        events[3] = next(&lost, 0, 11);
        size_t broken = audit_line(events, 4, places, parents);
        assert_int_equal(broken, epoch == 0 ? 1 : 4);
        if (epoch > 0) {
            static const enum audit_place expected[] = {AUDIT_ON_LINE, AUDIT_BESIDE, AUDIT_ON_LINE,
                                                        AUDIT_BESIDE};
            assert_memory_equal(places, expected, sizeof expected);
        }
    }
}

/* A chain comes back from a checkpoint as it was. */
static void checkpointed(void **state) {
    (void)state;
    struct audit_chain chain = {0}, back;
    next(&chain, 3, 9);
    next(&chain, 3, 12);
    char bytes[AUDIT_CHAIN_BYTES];
    assert_ptr_equal(audit_chain_encode(&chain, bytes), bytes + sizeof bytes);
    struct wire_reader reader = wire_reader_of((struct bytes){bytes, sizeof bytes});
    audit_chain_decode(&back, &reader);
    assert_false(reader.failed);
    assert_int_equal(back.sequence, 2);
    assert_memory_equal(back.head.bytes, chain.head.bytes, SHA256_BYTES);
}

/* The root tells any two sets of heads apart. */
static void roots_differ(void **state) {
    (void)state;
    struct audit_head heads[2] = {{.listing_id = 1}, {.listing_id = 2}};
    next(&heads[0].chain, 0, 1);
    next(&heads[1].chain, 0, 2);
    struct sha256 root = audit_root(heads, 2), shorter = audit_root(heads, 1);
    assert_memory_not_equal(root.bytes, shorter.bytes, SHA256_BYTES);
    heads[1].listing_id = 3;
    struct sha256 renamed = audit_root(heads, 2);
    assert_memory_not_equal(root.bytes, renamed.bytes, SHA256_BYTES);
    heads[1].listing_id = 2;
    next(&heads[1].chain, 0, 3);
    struct sha256 longer = audit_root(heads, 2);
    assert_memory_not_equal(root.bytes, longer.bytes, SHA256_BYTES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line),
        cmocka_unit_test(two_lines),
        cmocka_unit_test(checkpointed),
        cmocka_unit_test(roots_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
