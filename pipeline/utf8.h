/*
 * Is this UTF-8? As the Unicode Standard defines it (table 3-7, well-formed byte sequences): no
 * overlong form, no surrogate, nothing above U+10FFFF. NUL is refused too, because stores and
 * tools behind the pipeline end a text at it.
 */
#ifndef MURPHY_PIPELINE_UTF8_H
#define MURPHY_PIPELINE_UTF8_H

#include <stddef.h>

#include "pipeline/bytes.h"

/* How many bytes stand before the first NUL or malformed sequence; text.len when all is well. */
size_t utf8_valid_prefix(struct bytes text);

#endif
