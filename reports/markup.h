/*
 * Text into XML and HTML: the five special characters become references, what cannot or should not
 * be shown (control characters, direction overrides, noncharacters) is shown by number, broken
 * UTF-8 becomes U+FFFD. The result is safe both between tags and in a quoted attribute.
 */
#ifndef MURPHY_REPORTS_MARKUP_H
#define MURPHY_REPORTS_MARKUP_H

#include <stdio.h>

/* Line feeds and tabs are kept. */
void markup_text(FILE *out, const char *text);

/* For attributes: line feeds and tabs as references, which parsers do not normalise away. */
void markup_attribute(FILE *out, const char *text);

#endif
