/* The page of a sweep (D5, D9): what did not hold, with its command; cells that are empty and cells
 * that cannot be, with the reason; everything from outside escaped. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reports/sweep_html.h"

static const char summary[] =
    "{'murphy': '0.1.0', 'verdict': 'fail', 'runs': 1200, 'passed': 1199, 'failed': 1, 'slo': 0,"
    " 'error': 0, 'missing': 3, 'scenarios': [{'name': 'swarm', 'runs': 1200, 'passed': 1199,"
    " 'failed': 1, 'slo': 0, 'error': 0}],"
    " 'failures': [{'scenario': 'swarm', 'seed': 7, 'verdict': 'fail', 'cause': 'a <b> & c',"
    " 'reproduce': 'murphy run swarm --seed 7'}],"
    " 'drawn': [{'scenario': 'swarm', 'setting': 'vectors.profile', 'value': 'milvus-like',"
    " 'runs': 9, 'held': 9}],"
    " 'coverage': {'sink-crash': {'steady': {'runs': 12, 'strikes': 40},"
    " 'batch': {'runs': 0, 'strikes': 0},"
    " 'erasing': {'runs': 0, 'strikes': 0, 'impossible': 'nobody <asks>'}}},"
    " 'left_out': {'model-drift': 'vectors stay wrong'}}";

static json_t *document(void) {
    char text[sizeof summary];
    memcpy(text, summary, sizeof text);
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    json_t *parsed = json_loads(text, 0, NULL);
    assert_non_null(parsed);
    return parsed;
}

static char *page_of(const json_t *from) {
    static char text[65536];
    char folder[] = "/tmp/sweep-html.XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/report.html", folder);
    struct report_error error;
    assert_int_equal(sweep_html_save(from, path, &error), 0);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    unlink(path);
    rmdir(folder);
    return text;
}

static void assert_says(const char *html, const char *what) {
    if (strstr(html, what) == NULL) {
        fail_msg("%s is missing", what);
    }
}

/* Every part that there is to tell stands on the page, and nothing is taken for markup. */
static void page_tells_all(void **state) {
    (void)state;
    static const char *const parts[] = {
        "<title>FAIL sweep</title>",
        "of 1,200 runs",
        "3 runs that were asked for are missing",
        "a &lt;b&gt; &amp; c",
        "murphy run swarm --seed 7",
        "milvus-like",
        "<td title=\"sink-crash, steady: 40 strikes\">12</td>",
        "<td class=\"empty\" title=\"sink-crash, batch: never reached\">0</td>",
        "<td class=\"never\" title=\"sink-crash, erasing: nobody &lt;asks&gt;\">",
        "Declared impossible",
        "<dt>sink-crash, erasing</dt><dd>nobody &lt;asks&gt;</dd>",
        "<dt>model-drift</dt><dd>vectors stay wrong</dd>"};
    json_t *from = document();
    const char *html = page_of(from);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        assert_says(html, parts[i]);
    }
    json_decref(from);
}

/* A sweep without faults or failures has no section of them; a folder that is not there is said. */
static void nothing_to_tell_is_left_out(void **state) {
    (void)state;
    json_t *from = document();
    json_object_set_new(from, "verdict", json_string("pass"));
    json_object_clear(json_object_get(from, "coverage"));
    json_array_clear(json_object_get(from, "failures"));
    json_array_clear(json_object_get(from, "drawn"));
    const char *html = page_of(from);
    assert_says(html, "<title>PASS sweep</title>");
    assert_null(strstr(html, "id=\"failures\""));
    assert_null(strstr(html, "id=\"drawn\""));
    assert_null(strstr(html, "id=\"coverage\""));
    struct report_error error;
    assert_int_equal(sweep_html_save(from, "/nonexistent/report.html", &error), -1);
    assert_says(error.text, "/nonexistent/report.html");
    json_decref(from);
}

/* Of very many failures the first stand there, and how many more there are. */
static void failures_are_bounded(void **state) {
    (void)state;
    json_t *from = document();
    json_t *failures = json_object_get(from, "failures");
    json_t *one = json_array_get(failures, 0);
    for (int i = 0; i < SWEEP_HTML_FAILURES_MAX + 9; i++) {
        json_array_append(failures, one);
    }
    struct report_error error;
    char path[] = "/tmp/sweep-html-many.XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(sweep_html_save(from, path, &error), 0);
    static char text[400000];
    FILE *in = fopen(path, "r");
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    unlink(path);
    assert_says(text, "and 10 more");
    json_decref(from);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_tells_all),
        cmocka_unit_test(nothing_to_tell_is_left_out),
        cmocka_unit_test(failures_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
