/*
 * The loader when memory runs out: each load is repeated with the first, second, ... allocation
 * failing, its own or jansson's, until it succeeds. A failed load says so and holds nothing (the
 * leak checker looks). Where jansson runs out in the middle of a token it calls the token invalid,
 * so of its failures only that there is a sentence is asked.
 *
 * The loader is compiled into this program with an allocator that can be told to fail.
 */
#define _POSIX_C_SOURCE 200809L

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEVER_FAIL SIZE_MAX

static bool jansson_fails;

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

static void *jansson_malloc(size_t size) {
    return jansson_fails ? failing_malloc(size) : malloc(size);
}

static void *failing_calloc(size_t count, size_t size) {
    return allocation_fails() ? NULL : calloc(count, size);
}

#if defined(__GNUC__)
__attribute__((unused)) /* as long as growing arrays is no inline function */
#endif
static void *
failing_realloc(void *old, size_t size) {
    return allocation_fails() ? NULL : realloc(old, size);
}

#define malloc failing_malloc
#define calloc failing_calloc
#define realloc failing_realloc
#include "scenarios/json_source.c"
#include "scenarios/scenario.c"
#include "scenarios/scenario_files.c"
#include "scenarios/scenario_reader.c"
#include "scenarios/scenario_settings.c"
#undef malloc
#undef calloc
#undef realloc

static const char message[] = "out of memory while reading a scenario";

static void assert_says_so(const struct scenario_error *error) {
    if (!jansson_fails) {
        assert_string_equal(error->text, message);
    }
    assert_true(error->text[0] != '\0');
}

static void loads_or_says_so(const char *name, const struct scenario_setting *settings,
                             size_t setting_count) {
    int failed = -1;
    size_t n = 0;
    for (; failed != 0; n++) {
        struct scenario scenario;
        struct scenario_error error;
        successes_left = n;
        failed = scenario_load(name, "scenarios", settings, setting_count, &scenario, &error);
        bool ran_out = successes_left == NEVER_FAIL;
        successes_left = NEVER_FAIL;
        if (failed != 0) {
            assert_says_so(&error);
            assert_null(scenario.memory);
        } else {
            assert_true(jansson_fails || !ran_out);
        }
        scenario_release(&scenario);
    }
    assert_true(n > 5);
}

static void loading_fails_cleanly(void **state) {
    (void)state;
    static const struct scenario_setting settings[] = {
        {"workload.events=9000"},
        {"faults[1]={\"kind\": \"sink-outage\", \"sink\": \"keywords\"}"},
        {"reconcile.at[0]=1h"},
        {"name=other"},
    };
    for (int i = 0; i < 2; i++) {
        jansson_fails = i == 1;
        loads_or_says_so("stalled-feed", NULL, 0);
        loads_or_says_so("scenarios/stalled-feed.json", settings,
                         sizeof settings / sizeof *settings);
    }
}

static void listing_fails_cleanly(void **state) {
    (void)state;
    int failed = -1;
    jansson_fails = false;
    for (size_t n = 0; failed != 0; n++) {
        struct scenario_list list;
        struct scenario_error error;
        successes_left = n;
        failed = scenario_list_load("scenarios", &list, &error);
        successes_left = NEVER_FAIL;
        if (failed != 0) {
            assert_says_so(&error);
            assert_int_equal(list.count, 0);
        }
        scenario_list_release(&list);
    }
}

int main(void) {
    json_set_alloc_funcs(jansson_malloc, free);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_fails_cleanly),
        cmocka_unit_test(listing_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
