/* The way of single updates through every hop: a line of time for each (B3, D9). */
#include "reports/html_parts.h"

#include "reports/format.h"
#include "reports/markup.h"

/* The colour of a bar: done, waiting, stopped. */
static const char *colour_of(enum run_hop_state state) {
    return state == RUN_HOP_DONE ? "--p10" : state == RUN_HOP_WAITING ? "--p11" : "--bad";
}

/* Where in the whole time the hop began and ended, as a bar. */
static void bar(FILE *out, const struct run_way *w, const struct run_hop *h) {
    int64_t start_ns = w->hops[0].at_ns;
    int64_t whole_ns = 1;
    for (size_t i = 0; i < w->hop_count; i++)
        whole_ns = w->hops[i].at_ns - start_ns > whole_ns ? w->hops[i].at_ns - start_ns : whole_ns;
    double from = 100.0 * (double)(h->from_ns - start_ns) / (double)whole_ns;
    double width = 100.0 * (double)(h->at_ns - h->from_ns) / (double)whole_ns;
    if (from < 0)
        from = 0;
    if (width < 0)
        width = 0;
    fprintf(out,
            "<td style=\"width:38%%\"><span style=\"display:block;height:10px;margin-top:6px;"
            "min-width:2px;border-radius:2px;background:var(%s);margin-left:%.2f%%;width:%.2f%%\">"
            "</span></td>",
            colour_of(h->state), from, width);
}

static void hop_row(FILE *out, const struct run_result *r, const struct run_way *w,
                    const struct run_hop *h) {
    fputs("<tr><th scope=\"row\" class=\"name\">", out);
    markup_text(out, h->name);
    fputs("</th><td>", out);
    markup_text(out, h->place);
    if (*h->note) {
        fputs(*h->place ? "<br><span class=\"soft\">" : "<span class=\"soft\">", out);
        markup_text(out, h->note);
        fputs("</span>", out);
    }
    fputs("</td><td class=\"num\">", out);
    if (h->state == RUN_HOP_WAITING)
        html_tag(out, "warn", "waits");
    else
        html_moment(out, r, h->at_ns);
    fputs("</td>", out);
    html_number_cell(out, h == w->hops ? "-" : format_duration(h->at_ns - h->from_ns).text);
    bar(out, w, h);
    fputs("</tr>\n", out);
}

static void way(FILE *out, const struct run_result *r, const struct run_way *w) {
    fputs("<h3>Listing ", out);
    markup_text(out, w->listing);
    fputs(": ", out);
    markup_text(out, w->what);
    fputs("</h3><p>", out);
    markup_text(out, w->came_to);
    fputs(" <span class=\"soft\">Picked: ", out);
    markup_text(out, w->picked);
    fputs(".</span></p><div class=\"scroll\"><table><caption><span><code>", out);
    markup_text(out, w->command);
    fputs("</code></span></caption><thead><tr><th scope=\"col\">Hop</th><th scope=\"col\">Where"
          "</th><th scope=\"col\" class=\"num\">At</th><th scope=\"col\" class=\"num\">Lag</th>"
          "<th scope=\"col\">Time</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < w->hop_count; i++)
        hop_row(out, r, w, &w->hops[i]);
    fputs("</tbody></table></div>\n", out);
}

void html_ways(FILE *out, const struct run_result *r) {
    if (r->way_count == 0)
        return;
    html_section(out, "ways", "Single updates, hop by hop");
    fputs(
        "<p class=\"note\">Each bar runs from the hop before to this one; lags along a branch add "
        "up to the whole.</p>\n",
        out);
    for (size_t i = 0; i < r->way_count; i++)
        way(out, r, &r->ways[i]);
    html_section_end(out);
}
