#include "scenarios/quantity.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/vtime.h"

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"d", VTIME_DAY},          {"h", VTIME_HOUR},         {"m", VTIME_MINUTE}, {"s", VTIME_SECOND},
    {"ms", VTIME_MILLISECOND}, {"us", VTIME_MICROSECOND}, {"ns", 1},
};
enum { UNIT_COUNT = sizeof units / sizeof *units };

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Reads digits; false when there are none or the number passes `max`. */
static bool take_number(const char **at, int64_t max, int64_t *number, bool *too_large) {
    const char *begin = *at;
    *number = 0;
    for (; is_digit(**at); (*at)++) {
        int digit = **at - '0';
        if (*number > (max - digit) / 10) {
            *too_large = true;
            return false;
        }
        *number = *number * 10 + digit;
    }
    return *at > begin;
}

/* ---- Times ---- */

/* The unit that stands at `at`, of index `from` or behind; UNIT_COUNT when there is none. */
static size_t take_unit(const char **at, size_t from) {
    size_t length = 0;
    while ((*at)[length] >= 'a' && (*at)[length] <= 'z') {
        length++;
    }
    for (size_t i = from; i < UNIT_COUNT; i++) {
        if (strlen(units[i].name) == length && strncmp(units[i].name, *at, length) == 0) {
            *at += length;
            return i;
        }
    }
    return UNIT_COUNT;
}

enum quantity_status quantity_duration_parse(const char *text, int64_t *ns) {
    const char *at = text;
    int64_t sum = 0;
    size_t from = 0;
    do {
        int64_t number;
        bool too_large = false;
        if (!take_number(&at, INT64_MAX, &number, &too_large)) {
            return too_large ? QUANTITY_TOO_LARGE : QUANTITY_MALFORMED;
        }
        if (*at == '\0') {
            return QUANTITY_NO_UNIT;
        }
        size_t unit = take_unit(&at, from);
        if (unit == UNIT_COUNT) {
            return QUANTITY_MALFORMED;
        }
        if (number > (INT64_MAX - sum) / units[unit].ns) {
            return QUANTITY_TOO_LARGE;
        }
        sum += number * units[unit].ns;
        from = unit + 1;
    } while (*at != '\0');
    *ns = sum;
    return QUANTITY_OK;
}

void quantity_duration_format(int64_t ns, char text[DURATION_TEXT_SIZE]) {
    size_t length = 0;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        int64_t number = ns / units[i].ns;
        if (number > 0) {
            length += (size_t)snprintf(text + length, DURATION_TEXT_SIZE - length, "%lld%s",
                                       (long long)number, units[i].name);
            ns %= units[i].ns;
        }
    }
    if (length == 0) {
        snprintf(text, DURATION_TEXT_SIZE, "0s");
    }
}

/* ---- Shares ---- */

static enum quantity_status reduce(int64_t num, int64_t den, struct share *share) {
    if (den == 0 || num > den) {
        return QUANTITY_NOT_A_SHARE;
    }
    int64_t a = den, b = num;
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    *share = (struct share){(uint32_t)(num / a), (uint32_t)(den / a)};
    return QUANTITY_OK;
}

/* The decimals of a percentage behind its point; scales both to them. */
static enum quantity_status take_decimals(const char **at, int64_t *num, int64_t *den) {
    size_t decimals = 0;
    for (; is_digit(**at); (*at)++) {
        if (++decimals > 4) {
            return QUANTITY_TOO_FINE;
        }
        *num = *num * 10 + (**at - '0');
        *den *= 10;
    }
    return decimals == 0 ? QUANTITY_MALFORMED : QUANTITY_OK;
}

enum quantity_status quantity_share_parse(const char *text, struct share *share) {
    const char *at = text;
    int64_t num, den = 100;
    bool too_large = false;
    enum quantity_status status = QUANTITY_OK;
    if (!take_number(&at, UINT32_MAX, &num, &too_large)) {
        return too_large ? QUANTITY_TOO_LARGE : QUANTITY_MALFORMED;
    }
    if (*at == '/') {
        at++;
        if (!take_number(&at, UINT32_MAX, &den, &too_large)) {
            return too_large ? QUANTITY_TOO_LARGE : QUANTITY_MALFORMED;
        }
    } else {
        if (*at == '.') {
            at++;
            status = take_decimals(&at, &num, &den);
        }
        if (status == QUANTITY_OK && *at++ != '%') {
            return QUANTITY_MALFORMED;
        }
    }
    if (status != QUANTITY_OK) {
        return status;
    }
    return *at != '\0' ? QUANTITY_MALFORMED : reduce(num, den, share);
}

enum quantity_status quantity_share_of_number(double number, struct share *share) {
    if (!(number >= 0) || number > 1) {
        return QUANTITY_NOT_A_SHARE;
    }
    int64_t millionths = (int64_t)(number * 1e6 + 0.5);
    /* Division rounds to the nearest double, as reading the decimals did. */
    if ((double)millionths / 1e6 != number) {
        return QUANTITY_TOO_FINE;
    }
    return reduce(millionths, 1000000, share);
}

bool quantity_share_ppm(struct share share, uint32_t *ppm) {
    uint64_t scaled = (uint64_t)share.num * 1000000;
    *ppm = (uint32_t)(scaled / share.den);
    return scaled % share.den == 0;
}

/* ---- Moments ---- */

/* Days from 1970-01-01 to a date of the Gregorian calendar, year >= 1970. */
static int64_t days_to(int year, int month, int day) {
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int full = year - 1; /* leap days of all full years since year 1, less those up to 1969 */
    int64_t leap_days = full / 4 - full / 100 + full / 400 - 477;
    return (int64_t)(year - 1970) * 365 + leap_days + before[month - 1] + (leap && month > 2) +
           day - 1;
}

static int days_of(int year, int month) {
    return (int)(month == 12 ? days_to(year + 1, 1, 1) - days_to(year, 12, 1)
                             : days_to(year, month + 1, 1) - days_to(year, month, 1));
}

enum quantity_status quantity_moment_parse(const char *text, int64_t *ns) {
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    int fields[6] = {0};
    size_t field = 0;
    if (strlen(text) != sizeof form - 1) {
        return QUANTITY_MALFORMED;
    }
    for (size_t i = 0; form[i] != '\0'; i++) {
        if (form[i] != 'd') {
            if (text[i] != form[i]) {
                return QUANTITY_MALFORMED;
            }
            field++;
        } else if (!is_digit(text[i])) {
            return QUANTITY_MALFORMED;
        } else {
            fields[field] = fields[field] * 10 + (text[i] - '0');
        }
    }
    int year = fields[0], month = fields[1], day = fields[2];
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 ||
        day > days_of(year, month) || fields[3] > 23 || fields[4] > 59 || fields[5] > 59) {
        return QUANTITY_MALFORMED;
    }
    *ns = days_to(year, month, day) * VTIME_DAY + fields[3] * VTIME_HOUR +
          fields[4] * VTIME_MINUTE + fields[5] * VTIME_SECOND;
    return QUANTITY_OK;
}
