#include "reports/sweep_html.h"

#include <inttypes.h>
#include <string.h>

#include "reports/format.h"
#include "reports/html_parts.h"
#include "reports/html_style.h"
#include "reports/markup.h"

#define STYLE                                                                                      \
    ".matrix th[scope=col]{height:9em;vertical-align:bottom;padding:0 2px 6px}"                    \
    ".matrix th[scope=col] span{writing-mode:vertical-rl;transform:rotate(180deg)}"                \
    ".matrix td{text-align:right;padding:3px 6px;font-variant-numeric:tabular-nums;"               \
    "border-left:1px solid var(--line)}"                                                           \
    ".matrix tbody th{font-weight:400;white-space:nowrap;padding:3px 10px 3px 0}"                  \
    ".matrix .empty{background:var(--badbg);color:var(--bad)}"                                     \
    ".matrix .never{color:var(--soft)}"

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static int64_t number_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static void number_cell(FILE *out, const json_t *object, const char *key) {
    html_number_cell(out, format_count((uint64_t)number_of(object, key)).text);
}

/* ---- The top ---- */

static void verdict(FILE *out, const json_t *summary) {
    static const struct {
        const char *verdict, *word, *look;
    } words[] = {{"pass", "PASS", "good"},
                 {"fail", "FAIL", "bad"},
                 {"slo", "SLO MISSED", "warn"},
                 {"error", "ERROR", "bad"}};
    size_t i = 0;
    while (i < 3 && strcmp(words[i].verdict, text_of(summary, "verdict")) != 0) {
        i++;
    }
    html_head(out, words[i].word, "sweep", STYLE);
    fprintf(out,
            "<header><div class=\"verdict\"><div class=\"pill %s\" style=\"flex:none\">%s</div>"
            "<div><h1>Sweep <span class=\"soft\">of %s runs</span></h1><p class=\"head\">",
            words[i].look, words[i].word, format_count((uint64_t)number_of(summary, "runs")).text);
    fprintf(out, "%s passed, ", format_count((uint64_t)number_of(summary, "passed")).text);
    fprintf(out, "%s failed a check, ", format_count((uint64_t)number_of(summary, "failed")).text);
    fprintf(out, "%s only an objective, ", format_count((uint64_t)number_of(summary, "slo")).text);
    fprintf(out, "%s did not come to their end.</p>",
            format_count((uint64_t)number_of(summary, "error")).text);
    if (number_of(summary, "missing") > 0) {
        fprintf(out,
                "<p><span class=\"tag warn\">not whole</span> %s runs that were asked for are "
                "missing.</p>",
                format_count((uint64_t)number_of(summary, "missing")).text);
    }
    fputs("</div></div></header>\n<main>\n", out);
}

/* ---- Failures ---- */

static void failures(FILE *out, const json_t *summary) {
    const json_t *all = json_object_get(summary, "failures"), *failure;
    size_t i;
    if (json_array_size(all) == 0) {
        return;
    }
    html_section(out, "failures", "What did not hold");
    json_array_foreach(all, i, failure) {
        if (i == SWEEP_HTML_FAILURES_MAX) {
            fprintf(out, "<p>and %s more</p>\n", format_count(json_array_size(all) - i).text);
            break;
        }
        fputs("<div class=\"problem\"><h3>", out);
        markup_text(out, text_of(failure, "scenario"));
        fprintf(out, ", seed %" PRId64 " <span class=\"soft\">%s</span></h3><p>",
                number_of(failure, "seed"), text_of(failure, "verdict"));
        const char *cause = text_of(failure, "cause");
        markup_text(out, *cause != '\0' ? cause : text_of(failure, "error"));
        fputs("</p><code>", out);
        markup_text(out, text_of(failure, "reproduce"));
        fputs("</code></div>\n", out);
    }
    html_section_end(out);
}

/* ---- By scenario, and by what seeds drew ---- */

static void scenarios(FILE *out, const json_t *summary) {
    const json_t *row;
    size_t i;
    html_section(out, "scenarios", "Scenarios");
    fputs("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Scenario</th>"
          "<th scope=\"col\" class=\"num\">Runs</th><th scope=\"col\" class=\"num\">Passed</th>"
          "<th scope=\"col\" class=\"num\">Failed</th><th scope=\"col\" class=\"num\">Objective "
          "missed</th><th scope=\"col\" class=\"num\">Error</th></tr></thead><tbody>\n",
          out);
    json_array_foreach(json_object_get(summary, "scenarios"), i, row) {
        static const char *const keys[] = {"runs", "passed", "failed", "slo", "error"};
        fputs("<tr><th scope=\"row\" class=\"name\">", out);
        markup_text(out, text_of(row, "name"));
        fputs("</th>", out);
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            number_cell(out, row, keys[k]);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
    html_section_end(out);
}

static void drawn(FILE *out, const json_t *summary) {
    const json_t *all = json_object_get(summary, "drawn"), *row;
    size_t i;
    if (json_array_size(all) == 0) {
        return;
    }
    html_section(out, "drawn", "What seeds drew");
    fputs("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Scenario</th>"
          "<th scope=\"col\">Setting</th><th scope=\"col\">Value</th>"
          "<th scope=\"col\" class=\"num\">Runs</th><th scope=\"col\" class=\"num\">Held</th></tr>"
          "</thead><tbody>\n",
          out);
    json_array_foreach(all, i, row) {
        fputs("<tr>", out);
        html_text_cell(out, text_of(row, "scenario"));
        html_text_cell(out, text_of(row, "setting"));
        html_text_cell(out, text_of(row, "value"));
        number_cell(out, row, "runs");
        number_cell(out, row, "held");
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
    html_section_end(out);
}

/* ---- Kinds of faults and states ---- */

static void matrix_row(FILE *out, const char *kind, const json_t *states) {
    const char *state;
    json_t *cell;
    fputs("<tr><th scope=\"row\">", out);
    markup_text(out, kind);
    fputs("</th>", out);
    json_object_foreach((json_t *)states, state, cell) {
        const char *impossible = text_of(cell, "impossible");
        int64_t runs = number_of(cell, "runs");
        fprintf(out, "<td%s title=\"",
                runs > 0              ? ""
                : *impossible != '\0' ? " class=\"never\""
                                      : " class=\"empty\"");
        markup_attribute(out, kind);
        fputs(", ", out);
        markup_attribute(out, state);
        if (runs > 0) {
            fprintf(out, ": %" PRId64 " strikes\">%" PRId64 "</td>", number_of(cell, "strikes"),
                    runs);
        } else {
            fputs(": ", out);
            markup_attribute(out, *impossible != '\0' ? impossible : "never reached");
            fprintf(out, "\">%s</td>", *impossible != '\0' ? "&#8211;" : "0");
        }
    }
    fputs("</tr>\n", out);
}

/* The reasons for cells that cannot be, each with its kind and state. */
static void impossible_cells(FILE *out, const json_t *coverage) {
    const char *kind, *state;
    json_t *states, *cell;
    bool any = false;
    json_object_foreach((json_t *)coverage, kind, states) {
        json_object_foreach(states, state, cell) {
            if (json_object_get(cell, "impossible") == NULL) {
                continue;
            }
            fputs(any ? "<dt>" : "<h3>Declared impossible</h3><dl class=\"facts\"><dt>", out);
            any = true;
            markup_text(out, kind);
            fputs(", ", out);
            markup_text(out, state);
            fputs("</dt><dd>", out);
            markup_text(out, text_of(cell, "impossible"));
            fputs("</dd>\n", out);
        }
    }
    fputs(any ? "</dl>\n" : "", out);
}

static void left_out(FILE *out, const json_t *summary) {
    const json_t *kinds = json_object_get(summary, "left_out");
    const char *kind;
    json_t *reason;
    if (json_object_size(kinds) == 0) {
        return;
    }
    fputs("<h3>Kinds that a swarm of all faults does without</h3><dl class=\"facts\">\n", out);
    json_object_foreach((json_t *)kinds, kind, reason) {
        fputs("<dt>", out);
        markup_text(out, kind);
        fputs("</dt><dd>", out);
        markup_text(out, json_string_value(reason));
        fputs("</dd>\n", out);
    }
    fputs("</dl>\n", out);
}

static void coverage(FILE *out, const json_t *summary) {
    const json_t *kinds = json_object_get(summary, "coverage");
    const char *kind, *state;
    json_t *states, *cell;
    if (json_object_size(kinds) == 0) {
        return;
    }
    html_section(out, "coverage", "Kinds of faults in states of the pipeline");
    fputs(
        "<div class=\"scroll\"><table class=\"matrix\"><caption><span>Runs in which a fault of "
        "the kind struck while the pipeline was in the state</span></caption><thead><tr><td></td>",
        out);
    states = json_object_iter_value(json_object_iter((json_t *)kinds));
    json_object_foreach(states, state, cell) {
        fputs("<th scope=\"col\"><span>", out);
        markup_text(out, state);
        fputs("</span></th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    json_object_foreach((json_t *)kinds, kind, states) {
        matrix_row(out, kind, states);
    }
    fputs("</tbody></table></div>\n", out);
    impossible_cells(out, kinds);
    left_out(out, summary);
    html_section_end(out);
}

/* ---- All of it ---- */

static int write_page(const struct run_result *none, const void *options, FILE *out,
                      struct report_error *error) {
    const json_t *summary = options;
    (void)none;
    verdict(out, summary);
    failures(out, summary);
    scenarios(out, summary);
    drawn(out, summary);
    coverage(out, summary);
    fprintf(out, "</main><footer><p class=\"soft\">Murphy %s</p></footer></body></html>\n",
            text_of(summary, "murphy"));
    return report_finish(out, error);
}

int sweep_html_save(const json_t *summary, const char *path, struct report_error *error) {
    return report_save(write_page, NULL, summary, path, error);
}
