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

void html_contracts(FILE *out, const struct run_result *r) {
    static const enum run_term_status order[] = {RUN_TERM_BROKEN, RUN_TERM_WAIVED, RUN_TERM_HELD,
                                                 RUN_TERM_IDLE};
    if (r->contract_count == 0)
        return;
    html_section(out, "contracts", "Contracts of the seams");
    fprintf(out,
            "<div class=\"scroll\"><table><caption><span>%zu of %zu held</span></caption><thead>"
            "<tr><th scope=\"col\">Status</th><th scope=\"col\">Contract</th>"
            "<th scope=\"col\">Version</th><th scope=\"col\">Owner</th>"
            "<th scope=\"col\">Term</th><th scope=\"col\">Wanted</th>"
            "<th scope=\"col\">Observed</th></tr></thead><tbody>\n",
            run_contracts_with(r, RUN_TERM_HELD), r->contract_count);
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        for (size_t i = 0; i < r->contract_count; i++) {
            const struct run_contract *c = &r->contracts[i];
            for (size_t t = 0; t < c->term_count; t++) {
                if (c->terms[t].status == order[k])
                    term_row(out, c, &c->terms[t]);
            }
        }
    }
    fputs("</tbody></table></div>\n", out);
    html_section_end(out);
}
