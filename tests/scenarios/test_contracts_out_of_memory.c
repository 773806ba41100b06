/*
 * Reading a contract when memory runs out: it is repeated with the first, second, ... allocation of
 * what it keeps failing, until it succeeds. A reading that failed says so and holds nothing (the
 * leak checker looks).
 *
 * What hands out that memory is compiled into this program with an allocator that can be told to
 * fail.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NEVER_FAIL SIZE_MAX

/* Allocations that still succeed; the one after them fails, and then all go well again. */
static size_t successes_left = NEVER_FAIL;

static bool allocation_fails(void) {
    if (successes_left == NEVER_FAIL) {
        return false;
    }
    return successes_left-- == 0 ? (successes_left = NEVER_FAIL, true) : false;
}

static void *failing_calloc(size_t count, size_t size) {
    return allocation_fails() ? NULL : calloc(count, size);
}

#define calloc failing_calloc
#include "scenarios/scenario_reader.c"
#undef calloc

#include "scenarios/contract_set.h"

static const char message[] = "out of memory while reading a scenario";

/* Of a feed's contract and of a table's. */
static void a_file_says_that_memory_ran_out(void **state) {
    (void)state;
    static const char *const files[] = {"contracts/listing-changes.odcs.yaml",
                                        "contracts/gold-document.odcs.yaml"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct scenario_error error = {.text = ""};
        size_t allowed = 0;
        for (successes_left = 0; contract_file_check(files[i], &error) != 0;
             successes_left = ++allowed) {
            assert_string_equal(error.text, message);
            error.text[0] = '\0';
        }
        assert_true(allowed > 100);
        successes_left = NEVER_FAIL;
    }
}

/* Of a folder: its list of files. */
static void a_folder_says_that_memory_ran_out(void **state) {
    (void)state;
    for (size_t allowed = 0; allowed < 60; allowed++) {
        struct scenario_error error = {.text = ""};
        struct contract_set set;
        successes_left = allowed;
        assert_int_equal(contract_set_load("contracts", &set, &error), -1);
        assert_string_equal(error.text, message);
        assert_null(set.memory);
        successes_left = NEVER_FAIL;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_says_that_memory_ran_out),
        cmocka_unit_test(a_folder_says_that_memory_ran_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
