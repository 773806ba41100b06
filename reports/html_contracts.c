/*
 * The contracts of the seams, and whether each held (B2).
 */
#include <stdio.h>

#include "reports/html_parts.h"
#include "reports/markup.h"

static const char *look_of(enum run_term_status status) {
    return status == RUN_TERM_BROKEN   ? "bad"
           : status == RUN_TERM_WAIVED ? "warn"
           : status == RUN_TERM_IDLE   ? "none"
                                       : "good";
}

static void term_row(FILE *out, const struct run_contract *c, const struct run_contract_term *t) {
    fputs("<tr><td>", out);
    html_tag(out, look_of(t->status), run_term_status_name(t->status));
    fputs("</td><th scope=\"row\" class=\"name\">", out);
    markup_text(out, c->id);
    fputs("</th>", out);
    html_text_cell(out, c->version);
    html_text_cell(out, c->owner);
    html_text_cell(out, t->name);
    html_text_cell(out, t->wanted);
    html_text_cell(out, t->observed);
    fputs("</tr>\n", out);
}

static size_t terms_with(const struct run_result *r, enum run_term_status status) {
    size_t count = 0;
    for (size_t i = 0; i < r->contract_count; i++) {
        for (size_t t = 0; t < r->contracts[i].term_count; t++) {
            count += r->contracts[i].terms[t].status == status;
        }
    }
    return count;
}

/* The terms of two statuses, in that order. */
static void table(FILE *out, const struct run_result *r, enum run_term_status first,
                  enum run_term_status second, const char *caption) {
    fprintf(out,
            "<div class=\"scroll\"><table><caption><span>%s</span></caption><thead>"
            "<tr><th scope=\"col\">Status</th><th scope=\"col\">Contract</th>"
            "<th scope=\"col\">Version</th><th scope=\"col\">Owner</th>"
            "<th scope=\"col\">Term</th><th scope=\"col\">Wanted</th>"
            "<th scope=\"col\">Observed</th></tr></thead><tbody>\n",
            caption);
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < r->contract_count; i++) {
            const struct run_contract *c = &r->contracts[i];
            for (size_t t = 0; t < c->term_count; t++) {
                if (c->terms[t].status == (k == 0 ? first : second)) {
                    term_row(out, c, &c->terms[t]);
                }
            }
        }
    }
    fputs("</tbody></table></div>\n", out);
}

/* What needs attention in the open; what held can be unfolded. */
void html_contracts(FILE *out, const struct run_result *r) {
    if (r->contract_count == 0) {
        return;
    }
    html_section(out, "contracts", "Contracts of the seams");
    fprintf(out, "<p>%zu of %zu contracts held.</p>\n", run_contracts_with(r, RUN_TERM_HELD),
            r->contract_count);
    if (terms_with(r, RUN_TERM_BROKEN) + terms_with(r, RUN_TERM_WAIVED) > 0) {
        table(out, r, RUN_TERM_BROKEN, RUN_TERM_WAIVED, "Terms that did not hold, or were waived");
    }
    fprintf(out, "<details><summary>%zu terms held, %zu had nothing to be judged by</summary>\n",
            terms_with(r, RUN_TERM_HELD), terms_with(r, RUN_TERM_IDLE));
    table(out, r, RUN_TERM_HELD, RUN_TERM_IDLE, "Terms that held");
    fputs("</details>\n", out);
    html_section_end(out);
}
