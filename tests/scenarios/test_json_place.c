/*
 * Where a value stands in a JSON text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenarios/json_place.h"

static const char text[] = "{\n"
                           "  \"a\": [1, {\"b\": \"x, ] } \\\" y\", \"c\\u0041\": null}, []],\n"
                           "  \"é\": {\"a\": -1.5e3 },\n"
                           "  \"e\": {}, \"z\":0\n"
                           "}\n";

static struct json_place find(const char *path_text) {
    static char cut[100];
    static struct json_path path;
    strcpy(cut, path_text);
    assert_true(json_path_parse(cut, &path));
    return json_place_find(text, strlen(text), &path);
}

/* What stands at the place, compared as far as `begins` goes. */
static void assert_stands(const char *path, const char *key, const char *value) {
    struct json_place place = find(path);
    assert_memory_equal(text + place.key, key, strlen(key));
    assert_memory_equal(text + place.value, value, strlen(value));
}

/* Keys, indices, and both in turn; braces within strings do not count. */
static void values_are_found(void **state) {
    (void)state;
    assert_stands("a", "\"a\": [1", "[1,");
    assert_stands("a[0]", "1,", "1,");
    assert_stands("a[1]", "{\"b\"", "{\"b\"");
    assert_stands("a[1].b", "\"b\": ", "\"x, ] }");
    assert_stands("a[1].cA", "\"c\\u0041\"", "null");
    assert_stands("a[2]", "[]],", "[]],");
    assert_stands("e", "\"e\"", "{},");
    assert_stands("z", "\"z\"", "0\n");
}

/* A path that leads nowhere ends at the deepest value on its way. */
static void the_deepest_value_stands_for_what_is_missing(void **state) {
    (void)state;
    assert_int_equal(find("b.c").depth, 0);
    assert_int_equal(find("a[3]").depth, 1);
    assert_int_equal(find("a[1].x.y").depth, 2);
    assert_int_equal(find("a[2][0]").depth, 2);
    assert_int_equal(find("e.a").depth, 1);
    assert_int_equal(find("z.a").depth, 1);
    assert_int_equal(find("a.b").depth, 1);
    assert_stands("a[1].x", "{\"b\"", "{\"b\"");
}

/* Columns count characters. */
static void positions_count_characters(void **state) {
    (void)state;
    struct json_path path = {.depth = 0};
    json_path_push(&path, "é", 0);
    json_path_push(&path, "a", 0);
    struct json_place place = json_place_find(text, strlen(text), &path);
    struct json_position position = json_position_of(text, place.value);
    assert_int_equal(place.depth, 2);
    assert_int_equal(position.line, 3);
    assert_int_equal(position.column, 14);
}

/* Reading a path and writing it gives the same text. */
static void paths_come_back(void **state) {
    (void)state;
    static const char *const paths[] = {"a",       "a.b",      "a[0]", "a[12].b-c[3][4].d_e",
                                        "$schema", "a[999999]"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char cut[100], back[JSON_PATH_TEXT_SIZE];
        struct json_path path;
        strcpy(cut, paths[i]);
        assert_true(json_path_parse(cut, &path));
        json_path_format(&path, back);
        assert_string_equal(back, paths[i]);
    }
}

static void other_paths_are_refused(void **state) {
    (void)state;
    static const char *const paths[] = {"",     ".",
                                        "a.",   ".a",
                                        "a..b", "[0]",
                                        "a[",   "a[]",
                                        "a[x]", "a[-1]",
                                        "a[1",  "a[1]b",
                                        "a b",  "a[0].",
                                        "a]",   "a[1000000000000]",
                                        "a\"b", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char cut[100];
        struct json_path path;
        strcpy(cut, paths[i]);
        if (json_path_parse(cut, &path)) {
            fail_msg("taken for a path: %s", paths[i]);
        }
    }
}

/* A path is within those that it begins with, step by step. */
static void within_compares_steps(void **state) {
    (void)state;
    char a[] = "a.b[1].c", b[] = "a.b", c[] = "a.bb", d[] = "a.b[2]";
    struct json_path path, above, other, sibling;
    assert_true(json_path_parse(a, &path) && json_path_parse(b, &above) &&
                json_path_parse(c, &other) && json_path_parse(d, &sibling));
    assert_true(json_path_within(&path, &above));
    assert_true(json_path_within(&path, &path));
    assert_false(json_path_within(&above, &path));
    assert_false(json_path_within(&path, &other));
    assert_false(json_path_within(&path, &sibling));
}

/* The token at an offset is a whole string, number, word or mark. */
static void tokens_are_whole(void **state) {
    (void)state;
    static const char json[] = "{\"a b\": -1.5e3, [NaN}";
    static const struct {
        size_t offset;
        const char *token;
    } cases[] = {{0, "{"},      {3, "\"a b\""}, {6, "\"a b\""}, {7, ":"},
                 {9, "-1.5e3"}, {14, "-1.5e3"}, {18, "NaN"},    {21, "}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_token token = json_token_at(json, strlen(json), cases[i].offset);
        assert_int_equal(token.length, strlen(cases[i].token));
        assert_memory_equal(json + token.begin, cases[i].token, token.length);
    }
    assert_int_equal(json_token_at("  ", 2, 2).length, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found),
        cmocka_unit_test(the_deepest_value_stands_for_what_is_missing),
        cmocka_unit_test(positions_count_characters),
        cmocka_unit_test(paths_come_back),
        cmocka_unit_test(other_paths_are_refused),
        cmocka_unit_test(within_compares_steps),
        cmocka_unit_test(tokens_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
