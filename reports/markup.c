#include "reports/markup.h"

#include <stdbool.h>
#include <stdint.h>

#include "reports/unicode.h"

static void put_code_point(FILE *out, uint32_t c) {
    char utf8[5];
    switch (c) {
    case '&':
        fputs("&amp;", out);
        return;
    case '<':
        fputs("&lt;", out);
        return;
    case '>':
        fputs("&gt;", out);
        return;
    case '"':
        fputs("&quot;", out);
        return;
    case '\'':
        fputs("&#39;", out);
        return;
    default:
        break;
    }
    if (unicode_is_hidden(c)) {
        fprintf(out, c < 0x100 ? "\\x%02X" : "\\u%04X", (unsigned)c);
        return;
    }
    unicode_encode(c, utf8);
    fputs(utf8, out);
}

void markup_text(FILE *out, const char *text) {
    for (uint32_t c; (c = unicode_next(&text)) != 0;) {
        if (c == '\n' || c == '\t')
            fputc((int)c, out);
        else
            put_code_point(out, c);
    }
}

void markup_attribute(FILE *out, const char *text) {
    for (uint32_t c; (c = unicode_next(&text)) != 0;) {
        if (c == '\n' || c == '\t')
            fprintf(out, "&#%u;", (unsigned)c);
        else
            put_code_point(out, c);
    }
}
