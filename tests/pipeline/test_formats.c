/*
 * Two versions of the code in one group (C6): what each writes the other reads until an operator
 * finalises the later formats; after that the earlier version leaves them alone, and damage to a
 * sealed checkpoint is found.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/checkpoint_seal.h"
#include "pipeline/format.h"
#include "tests/support/builder_script.h"

/* ---- Seals ---- */

enum { KEY = 7, BODY_MAX = 40 };

/* A sealed body of `length` bytes in a buffer of the caller's. */
static struct bytes sealed_in(char *buffer, uint8_t format, uint64_t key, size_t length) {
    for (size_t i = 0; i < length; i++) {
        buffer[CHECKPOINT_SEAL_BYTES + i] = (char)(i * 31);
    }
    checkpoint_seal(buffer, format, key, (struct bytes){buffer + CHECKPOINT_SEAL_BYTES, length});
    return (struct bytes){buffer, CHECKPOINT_SEAL_BYTES + length};
}

/* What was sealed is found behind the seal, under the same key alone. */
static void seal_is_opened(void **state) {
    (void)state;
    char buffer[CHECKPOINT_SEAL_BYTES + BODY_MAX];
    for (size_t length = 0; length <= BODY_MAX; length++) {
        struct bytes body, stored = sealed_in(buffer, FORMAT_SEALED, KEY, length);
        assert_int_equal(checkpoint_open(stored, KEY, FORMAT_SEALED, &body), 0);
        assert_int_equal(body.len, length);
        assert_ptr_equal(body.data, buffer + CHECKPOINT_SEAL_BYTES);
        assert_int_equal(checkpoint_open(stored, KEY + 1, FORMAT_SEALED, &body), -EINVAL);
    }
}

/* Any one bit that is wrong anywhere is found, and so is any byte that is missing. */
static void damage_is_found(void **state) {
    (void)state;
    char buffer[CHECKPOINT_SEAL_BYTES + BODY_MAX];
    struct bytes body, stored = sealed_in(buffer, FORMAT_SEALED, KEY, BODY_MAX);
    for (size_t bit = 0; bit < 8 * stored.len; bit++) {
        buffer[bit / 8] = (char)(buffer[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(checkpoint_open(stored, KEY, FORMAT_NEWEST, &body), -EINVAL);
        buffer[bit / 8] = (char)(buffer[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t length = 6; length < stored.len; length++) {
        assert_int_equal(checkpoint_open((struct bytes){buffer, length}, KEY, FORMAT_NEWEST, &body),
                         -EINVAL);
    }
}

/* A later format is told from damage: its seal is the same. */
static void later_format_is_told(void **state) {
    (void)state;
    char buffer[CHECKPOINT_SEAL_BYTES + BODY_MAX];
    struct bytes body, stored = sealed_in(buffer, FORMAT_NEWEST + 1, KEY, BODY_MAX);
    assert_int_equal(checkpoint_open(stored, KEY, FORMAT_NEWEST, &body), -ENOTSUP);
    assert_int_equal(checkpoint_open(stored, KEY, FORMAT_NEWEST + 1, &body), 0);
    stored = sealed_in(buffer, FORMAT_SEALED, KEY, BODY_MAX);
    assert_int_equal(checkpoint_open(stored, KEY, FORMAT_BARE, &body), -ENOTSUP);
}

/* ---- Checkpoints across versions ---- */

static struct script *builder_of(uint32_t version) {
    struct pipeline_config config = {.partitions = 1, .code_version = version};
    return builder_begun(&config, NULL);
}

static void finalise(struct script *s) {
    script_step(s, &(struct event){.kind = EVENT_COMMAND,
                                   .command = {.kind = COMMAND_FINALISE, .level = FORMAT_NEWEST}});
}

static bool is_sealed(struct script *s, uint64_t key) {
    struct bytes body;
    return checkpoint_open(*script_entry(s, 0, key), key, FORMAT_BARE, &body) == -ENOTSUP;
}

/* A builder that has written listing 7 with its vectors, and saved; what it says is forgotten. */
static struct script *lamp_saved(uint32_t version, bool finalised) {
    struct script *s = builder_of(version);
    if (finalised) {
        finalise(s);
    }
    builder_log(s, TEXTS("listing 7 @1 title=Lamp"));
    builder_settle(s);
    builder_checkpoint(s);
    assert_int_equal(is_sealed(s, 7), finalised && version >= FORMAT_SEALED);
    script_skip(s);
    return s;
}

/* A process of the other version takes over what is saved. */
static void take_over(struct script *s, uint32_t version, uint32_t generation) {
    s->config.code_version = version;
    builder_restart(s, generation);
}

/* It knows the lamp and its vectors: a change of the price at that second writes metadata alone. */
static void goes_on(struct script *s, unsigned second) {
    script_skip(s);
    char text[40];
    snprintf(text, sizeof text, "listing 7 @%u price=%u", second, second);
    builder_log(s, TEXTS(text));
    assert_true(script_said(s, "write-vectors text\n    metadata 7 v"));
    builder_settle(s);
    builder_checkpoint(s);
}

/* Until the later format is finalised, partitions go from either version to the other and back. */
static void both_ways_before(void **state) {
    (void)state;
    for (uint32_t first = FORMAT_BARE; first <= FORMAT_NEWEST; first++) {
        struct script *s = lamp_saved(first, false);
        for (uint32_t generation = 2; generation < 6; generation++) {
            take_over(s, 1 + (first + generation) % FORMAT_NEWEST, generation);
            goes_on(s, generation);
            assert_false(is_sealed(s, 7));
        }
        script_free(s);
    }
}

/* A process of the later version that is told of it, or starts after it, seals what it saves, and
 * reads what is not sealed yet. One of the earlier version never does. */
static void sealed_after(void **state) {
    (void)state;
    script_free(lamp_saved(FORMAT_SEALED, true));
    script_free(lamp_saved(FORMAT_BARE, true));
    struct script *s = lamp_saved(FORMAT_SEALED, false);
    s->config.format_level = FORMAT_SEALED;
    take_over(s, FORMAT_SEALED, 2);
    goes_on(s, 2);
    assert_true(is_sealed(s, 7));
    take_over(s, FORMAT_SEALED, 3);
    goes_on(s, 3);
    script_free(s);
}

/* The earlier version meets a sealed checkpoint: it says so, asks for nothing, saves nothing, and
 * bears commands meanwhile; the later one goes on from it as if nothing had been. */
static void earlier_version_leaves_it_alone(void **state) {
    (void)state;
    struct script *s = lamp_saved(FORMAT_SEALED, true);
    size_t saves = s->saves;
    s->config.code_version = FORMAT_BARE;
    builder_reload(s, 2);
    script_expect(s, "alert format-unknown builder error: the checkpoint of partition 0 is in a "
                     "format that code version 1 does not know: the partition is left alone\n");
    script_command(s, COMMAND_REPAIR, SCAN_VECTOR_TEXT, 1, (const uint64_t[]){7});
    script_expect(s, "");
    assert_int_equal(script_waiting(s), 0);
    assert_int_equal(s->saves, saves);
    take_over(s, FORMAT_SEALED, 3);
    goes_on(s, 2);
    script_free(s);
}

/* A sealed entry with a wrong bit is found, whichever it is: that listing is made again from the
 * log, and nothing is guessed. */
static void damaged_entry_is_made_again(void **state) {
    (void)state;
    struct script *s = lamp_saved(FORMAT_SEALED, true);
    s->config.format_level = FORMAT_SEALED;
    struct bytes *entry = script_entry(s, 0, 7);
    for (size_t at = 0; at < entry->len; at += 5) {
        char *byte = (char *)entry->data + at;
        *byte = (char)(*byte ^ 4);
        builder_restart(s, 2 + (uint32_t)at);
        *byte = (char)(*byte ^ 4);
        assert_true(script_said(s, "alert checkpoint-corrupt builder error:"));
        assert_int_equal(script_request(s, builder_fetch(s, TOPIC_LISTING_LOG))->fetch.offset, 0);
        script_skip(s);
    }
    script_free(s);
}

/* ---- Records across versions ---- */

/* Once it is finalised the router says in each record of the log who wrote it; before that, and in
 * what it puts aside, nobody does. */
static void router_signs(void **state) {
    (void)state;
    struct pipeline_config config = {.partitions = 1};
    struct script *s = script_new(MACHINE_ROUTER, &config, NULL);
    script_begin(s);
    s->quiet_fetch = true;
    uint64_t fetch = script_newest_of(s, TOPIC_LISTING);
    script_records(s, fetch, 0, TEXTS("listing 7 @1 title=Lamp"));
    assert_null(strstr(script_told(s), "writer="));
    finalise(s);
    script_answer(s, script_newest(s, EFFECT_PRODUCE));
    script_skip(s);
    script_records(s, script_newest_of(s, TOPIC_LISTING), 1, TEXTS("listing 7 @2 price=3"));
    assert_non_null(strstr(script_told(s), "listing 7 @2 price=3 writer=2/0/1 origin="));
    script_free(s);
}

/* The earlier version reads up to the first record of a later format, and no further: no letter,
 * no guess. The later one reads on from there. */
static void earlier_version_stops_at_a_record(void **state) {
    (void)state;
    struct script *s = builder_of(FORMAT_BARE);
    builder_log(s, TEXTS("listing 7 @1 title=Lamp", "signed listing 8 @1 title=Desk",
                         "listing 9 @1 title=Chair"));
    assert_true(script_said(s, "'Lamp'"));
    assert_false(script_said(s, "'Desk'"));
    assert_false(script_said(s, "'Chair'"));
    builder_settle(s);
    builder_checkpoint(s);
    script_skip(s);
    assert_int_equal(script_request(s, builder_fetch(s, TOPIC_LISTING_LOG))->fetch.offset, 1);
    builder_log(s, TEXTS("signed listing 8 @1 title=Desk", "listing 9 @1 title=Chair"));
    script_expect(s, "alert format-unknown builder error: a record in the log of partition 0 is in "
                     "a format that code version 1 does not know: the partition is left alone\n");
    assert_int_equal(builder_fetch(s, TOPIC_LISTING_LOG), 0);
    take_over(s, FORMAT_SEALED, 2);
    script_skip(s);
    builder_log(s, TEXTS("signed listing 8 @1 title=Desk", "listing 9 @1 title=Chair"));
    assert_true(script_said(s, "'Desk'"));
    assert_true(script_said(s, "'Chair'"));
    script_free(s);
}

/* The newest version does the same at what comes after it, whichever machine reads the log; bytes
 * that only look so are malformed and get their dead letter. */
static void newest_version_stops_at_what_follows(void **state) {
    (void)state;
    static const enum machine_kind readers[] = {MACHINE_BUILDER, MACHINE_LOADER};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        struct pipeline_config config = {.partitions = 1, .audit_off = true};
        struct script *s = script_new(readers[i], &config, NULL);
        script_begin(s);
        if (readers[i] == MACHINE_BUILDER) {
            script_records(s, script_newest(s, EFFECT_FETCH), 0, TEXTS(NULL));
        } else {
            script_answer(s, script_newest(s, EFFECT_OPEN_CHANNELS));
        }
        script_skip(s);
        uint64_t fetch = script_newest_of(s, TOPIC_LISTING_LOG);
        script_records(s, fetch, 0, TEXTS("beyond listing 7 @1 title=Lamp"));
        assert_true(script_said(s, "alert format-unknown"));
        assert_false(script_said(s, "dead-letter"));
        assert_int_equal(script_newest_of(s, TOPIC_LISTING_LOG), 0);
        script_free(s);
    }
    struct script *s = builder_of(FORMAT_BARE);
    builder_log(s, TEXTS("!\x09 no frame"));
    assert_true(script_said(s, "dead-letter"));
    assert_false(script_said(s, "format-unknown"));
    script_free(s);
}

/* Dead letters have one format: those of either version are the same, finalised or not. */
static void letters_are_the_same(void **state) {
    (void)state;
    struct script *earlier = builder_of(FORMAT_BARE), *later = builder_of(FORMAT_SEALED);
    finalise(later);
    script_skip(earlier);
    script_skip(later);
    builder_log(earlier, TEXTS("!poison"));
    builder_log(later, TEXTS("!poison"));
    assert_true(script_said(earlier, "dead-letter"));
    assert_string_equal(script_told(earlier), script_told(later));
    script_free(earlier);
    script_free(later);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seal_is_opened),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(later_format_is_told),
        cmocka_unit_test(both_ways_before),
        cmocka_unit_test(sealed_after),
        cmocka_unit_test(earlier_version_leaves_it_alone),
        cmocka_unit_test(damaged_entry_is_made_again),
        cmocka_unit_test(router_signs),
        cmocka_unit_test(earlier_version_stops_at_a_record),
        cmocka_unit_test(newest_version_stops_at_what_follows),
        cmocka_unit_test(letters_are_the_same),
    };
    return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
