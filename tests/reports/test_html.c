/* The HTML page: self-contained, escaped, readable without plots, honest about missing data (D9).
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reports/html.h"
#include "reports/plots.h"
#include "tests/reports/fixture.h"

static const char *const no_gnuplot = "/nonexistent/gnuplot";

static char *html_of(const struct run_result *r, const char *gnuplot) {
    const struct run_html_options options = {.gnuplot = gnuplot, .without_wall = true};
    struct report_error error;
    static char *text;
    static size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(run_html_write(r, &options, out, &error), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

static bool have_gnuplot(void) {
    return system("command -v gnuplot >/dev/null 2>&1") == 0;
}

static size_t occurrences(const char *text, const char *what) {
    size_t n = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        n++;
    return n;
}

/* The tags of the page nest; void elements and the self-closed ones of SVG do not count. */
static void assert_tags_nest(const char *html) {
    static const char *const voids[] = {"meta", "link", "!DOCTYPE"};
    char stack[64][16];
    int depth = 0;
    for (const char *c = strchr(html, '<'); c; c = strchr(c, '<')) {
        const char *end = strchr(c, '>');
        char name[16];
        bool closing = c[1] == '/';
        size_t length = strcspn(c + 1 + closing, " >/\n");
        assert_non_null(end);
        snprintf(name, sizeof name, "%.*s", (int)length, c + 1 + closing);
        bool ignored = end[-1] == '/';
        for (size_t i = 0; i < sizeof voids / sizeof *voids; i++)
            ignored = ignored || strcmp(name, voids[i]) == 0;
        if (closing) {
            assert_true(depth > 0);
            assert_string_equal(stack[--depth], name);
        } else if (!ignored) {
            assert_true(depth < 64);
            strcpy(stack[depth++], name);
        }
        c = strcmp(name, "script") == 0 && !closing ? strstr(c, "</script") : end;
    }
    assert_int_equal(depth, 0);
}

/* Nothing is loaded from anywhere: no address, no import, no source. */
static void assert_self_contained(const char *html) {
    static const char *const banned[] = {"http:", "https:", "src=", "@import", "url(", "xmlns"};
    for (size_t i = 0; i < sizeof banned / sizeof *banned; i++) {
        if (strstr(html, banned[i]))
            fail_msg("the page holds %s", banned[i]);
    }
    assert_non_null(strstr(html, "default-src 'none'"));
}

/* The page of each fixture is one whole, with and without plots. */
static void test_page_is_self_contained(void **state) {
    (void)state;
    static void (*const fixtures[])(struct run_result *) = {fixture_failed, fixture_passed,
                                                            fixture_empty};
    for (int i = 0; i < 6; i++) {
        struct run_result r;
        fixtures[i % 3](&r);
        char *html = html_of(&r, i < 3 ? NULL : no_gnuplot);
        assert_self_contained(html);
        assert_tags_nest(html);
        assert_int_equal(strncmp(html, "<!DOCTYPE html>", 15), 0);
        free(html);
        run_result_release(&r);
    }
}

/* Markup in evidence, names and titles is shown, not obeyed; control characters and broken UTF-8 do
 * not reach the browser. */
static void test_hostile_text_is_shown(void **state) {
    (void)state;
    struct run_result r;
    fixture_failed(&r);
    r.scenario = r.about = r.bug = r.reproduce = r.trace_hash = r.murphy =
        run_result_text(&r, FIXTURE_HOSTILE);
    run_result_count_event(&r, FIXTURE_HOSTILE, 1);
    run_result_count_fault(&r, FIXTURE_HOSTILE, 1);
    run_result_count_reached(&r, FIXTURE_HOSTILE, 1);
    run_result_add_slo(&r, &(struct run_slo){.name = FIXTURE_HOSTILE, .unit = "<i>"});
    run_result_add_alert(&r, &(struct run_alert){.name = FIXTURE_HOSTILE,
                                                 .subject = FIXTURE_HOSTILE,
                                                 .evidence = FIXTURE_HOSTILE,
                                                 .raised = true,
                                                 .at_ns = FIXTURE_AT(1)});
    run_result_add_band(&r, &(struct run_band){.kind = FIXTURE_HOSTILE,
                                               .subject = "' ; system('touch /tmp/murphy-owned') '",
                                               .from_ns = FIXTURE_AT(1),
                                               .to_ns = FIXTURE_AT(2)});
    run_result_freshness(&r, FIXTURE_HOSTILE, 1);
    int series = run_result_series(&r, RUN_SERIES_FEED_LAG, FIXTURE_HOSTILE);
    run_series_append(&r, series, FIXTURE_AT(1), 1);
    unlink("/tmp/murphy-owned");
    char *html = html_of(&r, NULL);
    assert_tags_nest(html);
    assert_int_equal(occurrences(html, "<script"), 1);
    assert_true(occurrences(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") >= 14);
    assert_non_null(strstr(html, "\\x1B[31mred \\u202Etxet"));
    assert_null(strchr(html, '\x1b'));
    assert_null(strchr(html, '\xff'));
    assert_null(strstr(html, "\xE2\x80\xAE"));
    assert_int_not_equal(access("/tmp/murphy-owned", F_OK), 0);
    free(html);
    run_result_release(&r);
}

/* The verdict and the command stand before everything else; failures before the full list. */
static void test_page_order(void **state) {
    (void)state;
    static const char *const order[] = {">FAIL</div>",
                                        "4 of 12 checks failed",
                                        "id=\"command\"",
                                        "murphy run bad-day --seed 7",
                                        "What failed",
                                        "no_deleted_listing_served",
                                        "event 81204",
                                        "id=\"timeline\"",
                                        "id=\"objectives\"",
                                        "id=\"contracts\"",
                                        "0 of 3 contracts",
                                        ">broken<",
                                        ">waived<",
                                        "<details>",
                                        ">held<",
                                        "id=\"freshness\"",
                                        "id=\"reconciliation\"",
                                        "tombstone</td>",
                                        "id=\"search\"",
                                        "id=\"checks\"",
                                        "id=\"broken\"",
                                        ">never<",
                                        "id=\"costs\"",
                                        "Trace hash"};
    struct run_result r;
    fixture_failed(&r);
    char *html = html_of(&r, no_gnuplot);
    const char *place = html;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const char *found = strstr(place, order[i]);
        if (!found)
            fail_msg("%s is missing or too early", order[i]);
        place = found;
    }
    free(html);
    run_result_release(&r);
}

/* The way of an update stands on the page, each hop with its lag and a bar from the hop before;
 * what waits is said to wait (B3, D9). A page without one has no section of it. */
static void test_ways_have_hops(void **state) {
    (void)state;
    static const char *const parts[] = {
        "id=\"ways\"",
        "Listing 12: price changed",
        "WAITS at: keyword row.",
        "Picked: slowest",
        "murphy explain RUN --listing 12 --update 3",
        ">OLTP commit</th><td>row &lt;12&gt;</td>",
        "100 ms</td><td",
        "margin-left:0.00%;width:50.00%",
        "refused twice",
        ">waits</span>",
        "margin-left:50.00%;width:50.00%",
    };
    static struct run_hop hops[] = {
        {"seller's change", "", "", RUN_HOP_DONE, 5000000000, 5000000000},
        {"OLTP commit", "row <12>", "", RUN_HOP_DONE, 5000000000, 5100000000},
        {"keyword row", "", "refused twice", RUN_HOP_WAITING, 5100000000, 5200000000},
    };
    struct run_result r;
    fixture_failed(&r);
    char *html = html_of(&r, no_gnuplot);
    assert_null(strstr(html, "id=\"ways\""));
    free(html);
    assert_int_equal(
        run_result_add_way(&r, &(struct run_way){.listing = "12",
                                                 .what = "price changed",
                                                 .picked = "slowest",
                                                 .came_to = "WAITS at: keyword row.",
                                                 .command = "murphy explain RUN --listing 12 "
                                                            "--update 3",
                                                 .hops = hops,
                                                 .hop_count = 3}),
        0);
    html = html_of(&r, no_gnuplot);
    const char *place = html;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        place = strstr(place, parts[i]);
        if (place == NULL) {
            fail_msg("%s is missing or too early", parts[i]);
        }
    }
    free(html);
    run_result_release(&r);
}

/* What a run cost stands on the page, each figure in a row of its own (A5, A7, A9). */
static void test_costs_have_rows(void **state) {
    (void)state;
    static const char *const rows[] = {
        "Embeddings made</th><td class=\"num\">4,120",
        "Embeddings avoided</th><td class=\"num\">11,204",
        "Vectors written</th><td class=\"num\">9,001",
        "Metadata-only writes</th><td class=\"num\">3,222",
        "Stale writes rejected</th><td class=\"num\">412",
    };
    struct run_result r;
    fixture_failed(&r);
    char *html = html_of(&r, no_gnuplot);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strstr(html, rows[i]) == NULL) {
            fail_msg("the page has no row %s", rows[i]);
        }
    }
    free(html);
    run_result_release(&r);
}

/* Every table says what it is. */
static void test_tables_have_captions(void **state) {
    (void)state;
    struct run_result r;
    fixture_failed(&r);
    char *html = html_of(&r, NULL);
    assert_true(occurrences(html, "<table>") >= 10);
    assert_int_equal(occurrences(html, "<table>"), occurrences(html, "<table><caption>"));
    free(html);
    run_result_release(&r);
}

/* Missing data is named, and never in the colour of success. */
static void test_no_data_is_named(void **state) {
    (void)state;
    struct run_result r;
    fixture_empty(&r);
    char *html = html_of(&r, NULL);
    assert_null(strstr(html, "class=\"tag good\""));
    assert_null(strstr(html, "tile isgood"));
    assert_null(strstr(html, "PASS"));
    assert_non_null(strstr(html, ">ERROR</div>"));
    assert_true(occurrences(html, "no data") + occurrences(html, "No data") >= 6);
    free(html);
    run_result_release(&r);
}

/* Without gnuplot the page says so and keeps its tables. */
static void test_page_without_gnuplot(void **state) {
    (void)state;
    struct run_result r;
    fixture_failed(&r);
    char *html = html_of(&r, no_gnuplot);
    assert_int_equal(occurrences(html, "<svg"), 0);
    assert_non_null(strstr(html, "is not installed"));
    assert_non_null(strstr(html, "27 min 51 s"));
    free(html);
    html = html_of(&r, "/bin/false");
    assert_int_equal(occurrences(html, "<svg"), 0);
    assert_non_null(strstr(html, "Some plots are missing"));
    free(html);
    run_result_release(&r);
}

/* Each plot is there in both sizes, with a title of ours, ids of its own and colours of the page.
 */
static void test_plots(void **state) {
    (void)state;
    if (!have_gnuplot())
        skip();
    struct run_result r;
    struct plots plots;
    fixture_failed(&r);
    plots_draw(&plots, &r, NULL);
    assert_string_equal(plots.problem, "");
    for (int plot = 0; plot < PLOT_COUNT; plot++) {
        for (int size = 0; size < PLOT_SIZES; size++) {
            const char *svg = plots.svg[plot][size];
            char id[64];
            assert_non_null(svg);
            snprintf(id, sizeof id, "<title id=\"m%dx%dt\">", plot, size);
            assert_non_null(strstr(svg, id));
            assert_int_equal(occurrences(svg, "<title"), 1);
            assert_null(strstr(svg, "<?xml"));
            assert_null(strstr(svg, "rgb("));
            assert_null(strstr(svg, "black"));
            assert_null(strstr(svg, "id='gp"));
            assert_null(strstr(svg, "'#gp"));
            assert_non_null(strstr(svg, "var(--p0)"));
            assert_string_equal(svg + strlen(svg) - 7, "</svg>\n");
        }
    }
    assert_non_null(strstr(plots.svg[PLOT_TIMELINE][PLOT_WIDE], "feed.stall listing"));
    plots_release(&plots);
    run_result_release(&r);
}

/* A plot without data is not drawn, and that is no problem; one point, one moment and a run of
 * months are drawn. */
static void test_plots_of_little_and_of_much(void **state) {
    (void)state;
    if (!have_gnuplot())
        skip();
    struct run_result r;
    struct plots plots;
    fixture_empty(&r);
    plots_draw(&plots, &r, NULL);
    assert_string_equal(plots.problem, "");
    assert_null(plots.svg[PLOT_TIMELINE][PLOT_WIDE]);
    plots_release(&plots);

    r.start_ns = FIXTURE_START;
    r.virtual_ns = 160 * 1440 * FIXTURE_MINUTE;
    int series = run_result_series(&r, RUN_SERIES_FEED_LAG, "snapshots");
    run_series_append(&r, series, FIXTURE_START + 1, 0);
    for (int i = 0; i < 30; i++)
        run_result_add_band(&r,
                            &(struct run_band){.kind = "volume",
                                               .subject = run_result_textf(&r, "%d%% of 'x'", i),
                                               .from_ns = FIXTURE_AT(i * 1440),
                                               .to_ns = FIXTURE_AT(i * 1440)});
    int row = run_result_freshness(&r, "vector", 300 * FIXTURE_SECOND);
    histogram_add(&r.freshness[row].visibility, 0);
    run_result_add_curve_point(&r, &(struct run_curve_point){16, 200, 40, 1, 100, true});
    plots_draw(&plots, &r, NULL);
    assert_string_equal(plots.problem, "");
    for (int plot = 0; plot < PLOT_COUNT; plot++)
        assert_true(plots.svg[plot][PLOT_WIDE] || plot == PLOT_FRESHNESS);
    assert_non_null(strstr(plots.svg[PLOT_TIMELINE][PLOT_WIDE], " Feb<"));
    assert_non_null(strstr(plots.svg[PLOT_TIMELINE][PLOT_WIDE], "0% of 'x'"));
    assert_int_equal(plots_timeline_rows(&r), 30);
    plots_release(&plots);
    run_result_release(&r);
}

/* A store keeps its colour in every plot, and no two of a few stores share one. */
static void test_colours_are_stable(void **state) {
    (void)state;
    struct run_result r;
    fixture_failed(&r);
    int seen[PLOT_COLOURS] = {0};
    for (size_t i = 0; i < r.freshness_count; i++)
        seen[plots_store_colour(&r, r.freshness[i].store)]++;
    for (int i = 0; i < PLOT_COLOURS; i++)
        assert_true(seen[i] <= 1);
    for (size_t i = 0; i < r.series_count; i++) {
        if (r.series[i].kind == RUN_SERIES_STORE_LAG)
            assert_int_equal(plots_feed_colour(&r, i), plots_store_colour(&r, r.series[i].name));
    }
    assert_int_equal(plots_curve_line(&r, 0), 0);
    assert_int_equal(plots_curve_line(&r, r.recall.curve_count - 1), 2);
    run_result_release(&r);
}

/* A page that cannot be written is an error; one that can is saved whole. */
static void test_page_is_saved_whole(void **state) {
    (void)state;
    struct run_result r;
    struct report_error error;
    char path[] = "/tmp/murphy-page-XXXXXX", tail[16] = "";
    fixture_passed(&r);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(run_html_save(&r, NULL, path, &error), 0);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_int_equal(fseek(in, -8, SEEK_END), 0);
    assert_int_equal(fread(tail, 1, 7, in), 7);
    assert_string_equal(tail, "</html>");
    fclose(in);
    unlink(path);
    assert_int_equal(run_html_save(&r, NULL, "/nonexistent/page.html", &error), -1);
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        assert_int_equal(run_html_write(&r, NULL, full, &error), -1);
        fclose(full);
    }
    run_result_release(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_is_self_contained),
        cmocka_unit_test(test_hostile_text_is_shown),
        cmocka_unit_test(test_page_order),
        cmocka_unit_test(test_ways_have_hops),
        cmocka_unit_test(test_costs_have_rows),
        cmocka_unit_test(test_tables_have_captions),
        cmocka_unit_test(test_no_data_is_named),
        cmocka_unit_test(test_page_without_gnuplot),
        cmocka_unit_test(test_plots),
        cmocka_unit_test(test_plots_of_little_and_of_much),
        cmocka_unit_test(test_colours_are_stable),
        cmocka_unit_test(test_page_is_saved_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
