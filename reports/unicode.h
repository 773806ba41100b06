/*
 * Text from a run may hold anything: listing titles in any script, control characters, terminal
 * escapes, broken UTF-8. Writers decode it here, one code point at a time, so that none of it
 * reaches a terminal, a browser or an XML parser raw (C7).
 */
#ifndef MURPHY_REPORTS_UNICODE_H
#define MURPHY_REPORTS_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNICODE_REPLACEMENT UINT32_C(0xFFFD)

/*
 * The code point at *text, which advances past it; 0 at the end (and stays there). Ill-formed bytes
 * (overlong forms, surrogates, values past U+10FFFF, cut sequences) each give U+FFFD.
 */
uint32_t unicode_next(const char **text);

/* Writes the UTF-8 form and a NUL; returns its length without the NUL, 1 to 4. */
int unicode_encode(uint32_t code_point, char out[5]);

/*
 * True for what must not be shown as it is: control characters (line feed and tab too), code
 * points that turn the direction of the text around, and noncharacters. Writers show them by
 * number.
 */
bool unicode_is_hidden(uint32_t code_point);

/* Columns on a terminal: 0 for combining marks, 2 for East Asian wide characters and emoji. */
int unicode_width(uint32_t code_point);

/* Columns of a text as it is, without escapes. */
size_t unicode_text_width(const char *text);

/* A copy that is well-formed UTF-8, on the heap; NULL when memory ran out. */
char *unicode_clean(const char *text);

#endif
