/* The router and what listings name (A4, A8): rows of reference tables go to just the listings that
 * name them, and ride along with those that come later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/machine_script.h"

enum { FETCH_LISTING = 2, FETCH_POLICY = 4, FETCH_REFERENCE = 6 };

static struct script *begun(const struct bugs *bugs) {
    struct pipeline_config config = {.partitions = 1, .checkpoint_interval_ns = 10 * VTIME_SECOND};
    struct script *s = script_new(MACHINE_ROUTER, &config, bugs);
    script_begin(s);
    s->quiet_fetch = true;
    return s;
}

static struct script *with_listings(const struct bugs *bugs) {
    struct script *s = begun(bugs);
    script_records(s, FETCH_LISTING, 0,
                   TEXTS("listing 7 @1 locale=ja_JP category=shoes",
                         "listing 8 @2 locale=en_US category=shoes", "listing 9 @3 category=lamps",
                         "listing 8 @4 category=lamps"));
    script_skip(s);
    return s;
}

/* A row of the taxonomy goes to all that ever named the category, and to nobody else. */
static void test_a_path_goes_to_those_that_name_it(void **state) {
    (void)state;
    struct script *s = with_listings(NULL);
    script_records(s, FETCH_REFERENCE, 0, TEXTS("reference category shoes @9 Clothing>Shoes"));
    script_expect(s, "#9 produce\n"
                     "#10 produce\n"
                     "    listing-log 7 reference category shoes of 7 @9 Clothing>Shoes "
                     "origin=reference-data/0/0\n"
                     "    listing-log 8 reference category shoes of 8 @9 Clothing>Shoes "
                     "origin=reference-data/0/0\n");
    assert_int_equal(machine_counters(s->machine)[COUNTER_REFERENCE_FANOUT], 2);
    script_free(s);
}

/* What a spelling of a locale stands for goes to the listings that spell it so. */
static void test_a_tag_goes_to_those_that_spell_it_so(void **state) {
    (void)state;
    struct script *s = with_listings(NULL);
    script_records(s, FETCH_REFERENCE, 0, TEXTS("reference locale ja_JP @9 ja-JP bigram"));
    script_expect(s, "#9 produce\n"
                     "#10 produce\n"
                     "    listing-log 7 reference locale ja_JP of 7 @9 ja-JP bigram "
                     "origin=reference-data/0/0\n");
    script_free(s);
}

/* A category and a locale of one name are two things. */
static void test_tables_are_apart(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_LISTING, 0,
                   TEXTS("listing 7 @1 category=de", "listing 8 @2 locale=de"));
    script_skip(s);
    script_records(s, FETCH_REFERENCE, 0, TEXTS("reference locale de @9 de-DE word"));
    script_expect(s, "#9 produce\n"
                     "#10 produce\n"
                     "    listing-log 8 reference locale de of 8 @9 de-DE word "
                     "origin=reference-data/0/0\n");
    script_free(s);
}

/* A listing that comes later is told with its own record; one that names nothing else is not. */
static void test_rows_ride_along(void **state) {
    (void)state;
    struct script *s = begun(NULL);
    script_records(s, FETCH_REFERENCE, 0,
                   TEXTS("reference category shoes @9 Clothing>Shoes",
                         "reference locale ja_JP @10 ja-JP bigram"));
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 suppressed"));
    script_skip(s);
    script_records(s, FETCH_LISTING, 0,
                   TEXTS("listing 7 @11 locale=ja_JP category=shoes seller=3",
                         "listing 8 @12 category=shoes", "listing 7 @13 title=Boot"));
    script_expect(s, "#10 produce\n"
                     "    listing-log 7 listing 7 @11 locale=ja_JP category=shoes seller=3 "
                     "policy=3:suppressed told=ja-JP:bigram told=Clothing>Shoes "
                     "origin=listing-changes/0/0\n"
                     "    listing-log 8 listing 8 @12 category=shoes told=Clothing>Shoes "
                     "origin=listing-changes/0/1\n"
                     "    listing-log 7 listing 7 @13 title=Boot origin=listing-changes/0/2\n");
    script_free(s);
}

/* Of two rows of one category the greater stamp counts, whichever comes last. */
static void test_an_older_row_is_no_news(void **state) {
    (void)state;
    struct script *s = with_listings(NULL);
    script_records(s, FETCH_REFERENCE, 0,
                   TEXTS("reference category lamps @9 Home>Lamps",
                         "reference category lamps @8 Garden>Lamps"));
    script_skip(s);
    script_records(s, script_newest(s, EFFECT_FETCH), 4, TEXTS("listing 1 @10 category=lamps"));
    script_answer(s, 8);
    script_skip(s);
    script_records(s, script_newest(s, EFFECT_FETCH), 5, TEXTS("listing 2 @10 category=lamps"));
    assert_non_null(strstr(script_told(s), "told=Home>Lamps"));
    script_free(s);
}

/* A suppression overtakes a row that is being fanned out: it waits for one slice at most (A8). */
static void test_whoever_must_go_comes_first(void **state) {
    (void)state;
    enum { LISTINGS = 600 };
    struct script *s = begun(NULL);
    uint64_t fetch = FETCH_LISTING;
    for (int64_t first = 0; first < LISTINGS; first += 10) {
        char texts[10][64];
        const char *lines[11] = {0};
        for (int i = 0; i < 10; i++) {
            snprintf(texts[i], sizeof texts[i], "listing %d @1 category=shoes seller=3",
                     (int)first + i + 1);
            lines[i] = texts[i];
        }
        script_records(s, fetch, first, lines);
        script_answer(s, script_newest(s, EFFECT_PRODUCE));
        fetch = script_newest(s, EFFECT_FETCH);
        script_skip(s);
    }
    script_records(s, FETCH_REFERENCE, 0, TEXTS("reference category shoes @9 Clothing>Shoes"));
    uint64_t slice = script_newest(s, EFFECT_PRODUCE);
    assert_int_equal(script_request(s, slice)->produce.count, 512);
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 suppressed"));
    script_skip(s);
    script_answer(s, slice);
    assert_non_null(strstr(script_told(s), "policy 3 of 1 @9 suppressed"));
    script_free(s);
}

/* Who named what, and what was told of it, outlives a restart. */
static void test_rows_survive_a_restart(void **state) {
    (void)state;
    struct script *s = with_listings(NULL);
    script_answer(s, 8);
    script_records(s, FETCH_REFERENCE, 0, TEXTS("reference locale ja_JP @9 ja-JP bigram"));
    script_timer(s);
    script_answer(s, script_newest(s, EFFECT_SAVE_STATE));
    script_restart(s);
    script_assign(s, 2, 1, (const uint32_t[]){0});
    script_load(s, 1);
    script_skip(s);
    script_records(s, FETCH_LISTING, 4, TEXTS("listing 1 @10 locale=ja_JP"));
    assert_non_null(strstr(script_told(s), "told=ja-JP:bigram"));
    script_records(s, FETCH_REFERENCE, 0, TEXTS("reference category lamps @9 Home>Lamps"));
    const char *told = script_told(s);
    assert_non_null(strstr(told, "listing-log 9 reference category lamps of 9"));
    assert_non_null(strstr(told, "listing-log 8 reference category lamps of 8"));
    assert_null(strstr(told, "of 7"));
    script_free(s);
}

/* The planted bugs do what they say. */
static void test_bugs(void **state) {
    (void)state;
    struct bugs none = {.on[BUG_REFERENCE_NO_FANOUT] = true};
    struct script *s = with_listings(&none);
    script_records(s, FETCH_REFERENCE, 0, TEXTS("reference category shoes @9 Clothing>Shoes"));
    script_expect(s, "#9 produce\n");
    script_free(s);
    struct bugs all = {.on[BUG_REFERENCE_TO_ALL] = true};
    s = with_listings(&all);
    script_records(s, FETCH_REFERENCE, 0, TEXTS("reference category shoes @9 Clothing>Shoes"));
    assert_non_null(strstr(script_told(s), "listing-log 9 reference category shoes of 9"));
    script_free(s);
    struct bugs existing = {.on[BUG_SUPPRESSION_EXISTING_ONLY] = true};
    s = begun(&existing);
    script_records(s, FETCH_POLICY, 0, TEXTS("policy 3 @9 suppressed"));
    script_skip(s);
    script_records(s, FETCH_LISTING, 0, TEXTS("listing 7 @10 seller=3"));
    assert_null(strstr(script_told(s), "policy=3:suppressed"));
    script_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path_goes_to_those_that_name_it),
        cmocka_unit_test(test_a_tag_goes_to_those_that_spell_it_so),
        cmocka_unit_test(test_tables_are_apart),
        cmocka_unit_test(test_rows_ride_along),
        cmocka_unit_test(test_an_older_row_is_no_news),
        cmocka_unit_test(test_whoever_must_go_comes_first),
        cmocka_unit_test(test_rows_survive_a_restart),
        cmocka_unit_test(test_bugs),
    };
    return cmocka_run_group_tests_name("router_facts", tests, NULL, NULL);
}
