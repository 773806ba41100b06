/*
 * Quantities as people write them in scenarios: times, shares, moments. All become exact integers;
 * nothing is rounded.
 */
#ifndef MURPHY_SCENARIOS_QUANTITY_H
#define MURPHY_SCENARIOS_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum quantity_status {
    QUANTITY_OK = 0,
    QUANTITY_NO_UNIT = -1,     /* a bare number where a time needs its unit */
    QUANTITY_MALFORMED = -2,   /* not of that form */
    QUANTITY_TOO_LARGE = -3,   /* past 64 bits of nanoseconds, or 32 bits of a share */
    QUANTITY_NOT_A_SHARE = -4, /* above the whole, or of nothing */
    QUANTITY_TOO_FINE = -5,    /* more decimals than are kept */
};

/* "90s", "2h30m", "250ms": whole numbers with the units d h m s ms us ns, each at most once, the
 * greater first. */
enum quantity_status quantity_duration_parse(const char *text, int64_t *ns);
/* The same form back, e.g. "2h30m"; "0s" for nothing. */
enum { DURATION_TEXT_SIZE = 64 };
void quantity_duration_format(int64_t ns, char text[DURATION_TEXT_SIZE]);

/* "1/20", "5%", "2.5%" (at most 4 decimals): a fraction from 0 to 1 in its lowest terms. */
struct share {
    uint32_t num, den;
};
enum quantity_status quantity_share_parse(const char *text, struct share *share);
/* A number from 0 to 1 with at most 6 decimals. */
enum quantity_status quantity_share_of_number(double number, struct share *share);
/* Parts per million; false when it is no whole number of them. */
bool quantity_share_ppm(struct share share, uint32_t *ppm);

/* "2026-03-02T08:00:00Z" in the years 1970 to 2261, as nanoseconds since 1970. */
enum quantity_status quantity_moment_parse(const char *text, int64_t *ns);

#endif
