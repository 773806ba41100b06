/*
 * Moments on the command line: how people write and read virtual time.
 *
 * Read are ISO 8601 moments in UTC (2026-01-05, 2026-01-05T03:00Z, 2026-01-05T03:00:00.25Z; the Z
 * may be left out) and moments after the run's start: a plus sign and a duration of whole numbers
 * with units, the larger first (+2h30m, +90s, +1d12h, +250ms; units d h m s ms us ns), or as
 * reports tell it (T+04:05:03.048).
 */
#ifndef MURPHY_CLI_MOMENT_H
#define MURPHY_CLI_MOMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/vtime.h"

/* False when the text is no moment, or one outside 1970 to 2262. */
bool moment_parse(const char *text, vtime start, vtime *out);

#define MOMENT_TEXT_MAX 40
/* "2026-01-05T03:00:00.25Z": as many decimals as it takes, in groups of three. */
void moment_format(vtime t, char out[MOMENT_TEXT_MAX]);

/* "1.5 s", "250 ms", "2.25 h": a duration for people, to three decimals of its largest unit. */
void duration_format(int64_t duration_ns, char out[MOMENT_TEXT_MAX]);

#endif
