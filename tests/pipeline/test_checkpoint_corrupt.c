/* Checkpoints that nobody wrote (A15): bytes from outside are refused with an alert, or read as
 * what they say; no machine falls over them. The sanitizers watch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/checkpoint_seal.h"
#include "pipeline/format.h"
#include "tests/support/machine_script.h"

static const uint32_t only[] = {0};

static const enum machine_kind kinds[] = {
    MACHINE_ROUTER, MACHINE_BUILDER, MACHINE_LOADER, MACHINE_GATE,    MACHINE_UPGRADER,
    MACHINE_BATCH,  MACHINE_STEWARD, MACHINE_ERASER, MACHINE_QUALITY,
};

/* A machine that is handed the checkpoint as its own. */
static struct script *restored(enum machine_kind kind, struct bytes offsets, size_t count,
                               const struct state_entry *entries) {
    static const struct pipeline_config config = {.partitions = 2};
    struct script *s = script_new(kind, &config, NULL);
    script_assign(s, 1, 1, only);
    uint64_t request = script_newest(s, EFFECT_LOAD_STATE);
    struct event event = {.kind = EVENT_STATE,
                          .request = request,
                          .answered = script_request(s, request),
                          .state = {offsets, entries, count}};
    script_skip(s);
    script_step(s, &event);
    return s;
}

static uint32_t next(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Every kind bears entries of any length and of any bytes, under low keys and high ones. */
static void any_bytes_are_borne(void **state) {
    (void)state;
    uint32_t random = 7;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (int round = 0; round < 400; round++) {
            char bytes[4][256];
            struct state_entry entries[4];
            uint64_t key = next(&random) % 3;
            for (size_t i = 0; i < 4; i++) {
                entries[i].key = key;
                entries[i].value = (struct bytes){bytes[i], 1 + next(&random) % 256};
                key += 1 + (next(&random) % 4 == 0 ? UINT64_C(1) << 62 : next(&random) % 3);
                bool sparse = next(&random) % 2 == 0;
                for (size_t b = 0; b < sizeof bytes[i]; b++) {
                    uint32_t byte = next(&random);
                    bytes[i][b] = (char)(sparse && byte % 8 != 0 ? 0 : byte >> 3);
                }
                bytes[i][0] = (char)(next(&random) % 8);
            }
            script_free(
                restored(kinds[k], (struct bytes){NULL, 0}, 1 + next(&random) % 4, entries));
        }
    }
}

/* The same of bytes behind a seal that is whole: what a bug, not a disk, has written. */
static void any_bytes_behind_a_seal_are_borne(void **state) {
    (void)state;
    uint32_t random = 11;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (int round = 0; round < 400; round++) {
            char bytes[CHECKPOINT_SEAL_BYTES + 256];
            char *body = bytes + CHECKPOINT_SEAL_BYTES;
            uint64_t key = next(&random) % 3;
            size_t length = next(&random) % 256;
            bool sparse = next(&random) % 2 == 0;
            for (size_t b = 0; b < length; b++) {
                uint32_t byte = next(&random);
                body[b] = (char)(sparse && byte % 8 != 0 ? 0 : byte >> 3);
            }
            checkpoint_seal(bytes, FORMAT_SEALED, key, (struct bytes){body, length});
            struct state_entry entry = {key, {bytes, CHECKPOINT_SEAL_BYTES + length}};
            script_free(restored(kinds[k], (struct bytes){NULL, 0}, 1, &entry));
        }
    }
}

/* One entry that no machine can have written, for those that keep one of a fixed shape: an alert
 * says so. */
static void what_cannot_be_is_told(void **state) {
    (void)state;
    static const enum machine_kind fixed[] = {MACHINE_GATE, MACHINE_UPGRADER, MACHINE_BATCH,
                                              MACHINE_STEWARD, MACHINE_ERASER};
    static const char value[3] = {(char)0xff, (char)0xff, (char)0xff};
    const struct state_entry entry = {0, {value, sizeof value}};
    for (size_t k = 0; k < sizeof fixed / sizeof *fixed; k++) {
        struct script *s = restored(fixed[k], (struct bytes){NULL, 0}, 1, &entry);
        assert_non_null(strstr(script_told(s), "alert checkpoint-corrupt"));
        script_free(s);
    }
}

/* Offsets that are cut, or below every offset, are read as none at all. */
static void offsets_that_cannot_be(void **state) {
    (void)state;
    static const char cut[] = {0, 0, 0, 0, 0, 9};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct script *s = restored(kinds[k], (struct bytes){cut, sizeof cut}, 0, NULL);
        assert_non_null(strstr(script_told(s), "alert checkpoint-corrupt"));
        script_free(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_are_borne),
        cmocka_unit_test(any_bytes_behind_a_seal_are_borne),
        cmocka_unit_test(what_cannot_be_is_told),
        cmocka_unit_test(offsets_that_cannot_be),
    };
    return cmocka_run_group_tests_name("checkpoint corrupt", tests, NULL, NULL);
}
