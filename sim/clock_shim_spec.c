/*
 * The format of MURPHY_CLOCK and MURPHY_CLOCK_SEED. It calls nothing that the shim interposes,
 * since it runs before the program does.
 */
#include "sim/clock_shim_parts.h"
#include <stdio.h>
#include <string.h>

#define DAY_S INT64_C(86400)

/* The first that is wrong is what the user hears. */
struct parser {
    struct shim_spec *spec;
    char *why;
    size_t why_bytes;
    const char *word;
    int word_bytes;
    bool has_base;
    bool has_pace;
};

static int refuse(struct parser *p, const char *reason) {
    snprintf(p->why, p->why_bytes, "\"%.*s\" in MURPHY_CLOCK: %s", p->word_bytes, p->word, reason);
    return -1;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}

static bool at_end(const char *at) {
    return *at == '\0' || is_space(*at);
}

/* --- Numbers ---------------------------------------------------------------------------------- */

/* Digits, at most 18 of them. Moves `at` behind them; false if there is none or too many. */
static bool take_digits(const char **at, int64_t *value, int *count) {
    *value = 0;
    for (*count = 0; is_digit(**at); (*at)++) {
        if (++*count > 18) {
            return false;
        }
        *value = *value * 10 + (**at - '0');
    }
    return *count > 0;
}

/* "12" or "12.345", as value / divisor; at most nine digits after the point. */
static bool take_decimal(const char **at, int64_t *value, int64_t *divisor) {
    int count;
    *divisor = 1;
    if (!take_digits(at, value, &count)) {
        return false;
    }
    if (**at != '.') {
        return true;
    }
    (*at)++;
    int64_t fraction;
    if (!take_digits(at, &fraction, &count) || count > 9) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        *divisor *= 10;
    }
    shim_wide all = (shim_wide)*value * *divisor + fraction;
    *value = shim_narrow(all);
    return *value == all;
}

/* A number with two digits, as in dates. */
static bool take_two(const char **at, int64_t *value) {
    int count;
    return take_digits(at, value, &count) && count == 2;
}

static bool take_char(const char **at, char c) {
    if (**at != c) {
        return false;
    }
    (*at)++;
    return true;
}

static int64_t take_unit_ns(const char **at) {
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000000},
        {"s", SHIM_SECOND_NS},
        {"m", 60 * SHIM_SECOND_NS},
        {"h", 3600 * SHIM_SECOND_NS},
        {"d", DAY_S * SHIM_SECOND_NS},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t bytes = strlen(units[i].name);
        if (strncmp(*at, units[i].name, bytes) == 0) {
            *at += bytes;
            return units[i].ns;
        }
    }
    return 0;
}

/* "90", "1h30m", "1.5s", "20ms": a number without a unit counts seconds and stands alone. */
static bool parse_duration(const char *at, int64_t *duration_ns) {
    shim_wide sum = 0;
    const char *first = at;
    do {
        int64_t value;
        int64_t divisor;
        const char *number = at;
        if (!take_decimal(&at, &value, &divisor)) {
            return false;
        }
        int64_t unit_ns = take_unit_ns(&at);
        bool bare = unit_ns == 0;
        if (bare && (number != first || !at_end(at))) {
            return false;
        }
        sum += (shim_wide)value * (bare ? SHIM_SECOND_NS : unit_ns) / divisor;
        if (sum > INT64_MAX) {
            return false;
        }
    } while (!at_end(at));
    *duration_ns = (int64_t)sum;
    return true;
}

/* --- Moments ---------------------------------------------------------------------------------- */

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970-01-01, or -1 for a date that is none. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1) {
        return -1;
    }
    int64_t days = day - 1;
    for (int64_t y = 1970; y < year; y++) {
        days += is_leap(y) ? 366 : 365;
    }
    for (int64_t m = 1; m <= month; m++) {
        int64_t length = lengths[m - 1] + (m == 2 && is_leap(year));
        if (m == month && day > length) {
            return -1;
        }
        days += m < month ? length : 0;
    }
    return days;
}

static bool take_date(const char **at, int64_t *days) {
    int64_t year;
    int64_t month;
    int64_t day;
    int count;
    if (!take_digits(at, &year, &count) || count != 4 || !take_char(at, '-') ||
        !take_two(at, &month) || !take_char(at, '-') || !take_two(at, &day)) {
        return false;
    }
    *days = days_of(year, month, day);
    return *days >= 0;
}

/* "12:30" or "12:30:15.25" */
static bool take_time_of_day(const char **at, int64_t *ns) {
    int64_t hour;
    int64_t minute;
    int64_t second = 0;
    int64_t divisor = 1;
    if (!take_two(at, &hour) || !take_char(at, ':') || !take_two(at, &minute)) {
        return false;
    }
    if (take_char(at, ':') && !take_decimal(at, &second, &divisor)) {
        return false;
    }
    *ns = (hour * 3600 + minute * 60) * SHIM_SECOND_NS +
          shim_narrow((shim_wide)second * SHIM_SECOND_NS / divisor);
    return hour < 24 && minute < 60 && second / divisor < 60;
}

/* "Z" or "+05:30": what the moment is ahead of UTC. */
static bool take_zone(const char **at, int64_t *ahead_ns) {
    *ahead_ns = 0;
    if (take_char(at, 'Z')) {
        return true;
    }
    int64_t sign = **at == '-' ? -1 : 1;
    if (!take_char(at, '+') && !take_char(at, '-')) {
        return false;
    }
    int64_t hours;
    int64_t minutes;
    if (!take_two(at, &hours) || !take_char(at, ':') || !take_two(at, &minutes)) {
        return false;
    }
    *ahead_ns = sign * (hours * 60 + minutes) * 60 * SHIM_SECOND_NS;
    return hours <= 14 && minutes < 60;
}

static bool is_date(const char *at) {
    return strlen(at) > 4 && at[4] == '-';
}

static bool parse_moment(const char *at, int64_t *ns) {
    if (!is_date(at)) {
        int64_t seconds;
        int64_t divisor;
        if (!take_decimal(&at, &seconds, &divisor) || !at_end(at)) {
            return false;
        }
        shim_wide all = (shim_wide)seconds * SHIM_SECOND_NS / divisor;
        *ns = shim_narrow(all);
        return *ns == all;
    }
    int64_t days;
    int64_t of_day = 0;
    int64_t ahead = 0;
    if (!take_date(&at, &days)) {
        return false;
    }
    if (!at_end(at) &&
        (!take_char(&at, 'T') || !take_time_of_day(&at, &of_day) || !take_zone(&at, &ahead))) {
        return false;
    }
    *ns = days * DAY_S * SHIM_SECOND_NS + of_day - ahead;
    return at_end(at) && *ns >= 0;
}

/* --- Words ------------------------------------------------------------------------------------ */

static int set_base(struct parser *p) {
    if (p->has_base) {
        return refuse(p, "only one start or offset can be given.");
    }
    p->has_base = true;
    return 0;
}

static int set_pace(struct parser *p, enum shim_pace pace) {
    if (p->has_pace) {
        return refuse(p, "only one of a rate, frozen and step= can be given.");
    }
    p->has_pace = true;
    p->spec->pace = pace;
    return 0;
}

static int parse_start(struct parser *p) {
    p->spec->absolute = true;
    if (!parse_moment(p->word + 1, &p->spec->start_ns)) {
        return refuse(p, "a start from 1970 to 2261 is expected, such as @2026-03-02T00:00:00Z, "
                         "@2026-03-02 or @1772409600.");
    }
    return set_base(p);
}

static int parse_offset(struct parser *p) {
    if (!parse_duration(p->word + 1, &p->spec->offset_ns)) {
        return refuse(p, "an offset such as +90s, -1h30m or +2d is expected.");
    }
    if (p->word[0] == '-') {
        p->spec->offset_ns = -p->spec->offset_ns;
    }
    return set_base(p);
}

static int parse_rate(struct parser *p) {
    const char *at = p->word + 1;
    int64_t value;
    int64_t divisor;
    int64_t by = 1;
    bool good = take_decimal(&at, &value, &divisor);
    if (good && take_char(&at, '/')) {
        int count;
        good = take_digits(&at, &by, &count) && by > 0;
    }
    shim_wide whole = (shim_wide)divisor * by;
    if (!good || !at_end(at) || value > (shim_wide)1000000 * whole ||
        (shim_wide)value * 1000000 < whole) {
        return refuse(p, "a rate from 0.000001 to 1000000 is expected, such as x10, x0.5 or x1/3 "
                         "(a clock that stands is \"frozen\").");
    }
    p->spec->rate_numerator = value;
    p->spec->rate_denominator = shim_narrow(whole);
    return set_pace(p, SHIM_PACE_RATE);
}

static int parse_step(struct parser *p) {
    if (!parse_duration(p->word + strlen("step="), &p->spec->step_ns) || p->spec->step_ns == 0) {
        return refuse(p, "a step above zero such as step=1ms is expected.");
    }
    return set_pace(p, SHIM_PACE_STEPPED);
}

static bool word_is(const struct parser *p, const char *text) {
    return strlen(text) == (size_t)p->word_bytes && strncmp(p->word, text, strlen(text)) == 0;
}

static int parse_word(struct parser *p) {
    switch (p->word[0]) {
    case '@':
        return parse_start(p);
    case '+':
    case '-':
        return parse_offset(p);
    case 'x':
        return parse_rate(p);
    default:
        break;
    }
    if (word_is(p, "frozen")) {
        return set_pace(p, SHIM_PACE_FROZEN);
    }
    if (strncmp(p->word, "step=", 5) == 0) {
        return parse_step(p);
    }
    if (strncmp(p->word, "page=", 5) == 0) {
        return refuse(p, "page=FILE stands alone: the page says everything.");
    }
    return refuse(p, "@START, +OFFSET, -OFFSET, xRATE, frozen, step=DURATION or page=FILE is "
                     "expected.");
}

static const char *skip_spaces(const char *at) {
    while (is_space(*at)) {
        at++;
    }
    return at;
}

int shim_spec_parse(struct shim_spec *spec, const char *text, char *why, size_t why_bytes) {
    *spec = (struct shim_spec){.rate_numerator = 1, .rate_denominator = 1};
    struct parser p = {.spec = spec, .why = why, .why_bytes = why_bytes, .word = text};
    const char *at = skip_spaces(text);
    /* The path is the rest of the text, so that it may hold spaces. */
    if (strncmp(at, "page=", 5) == 0 && at[5] != '\0') {
        spec->pace = SHIM_PACE_PAGE;
        spec->page = at + 5;
        return 0;
    }
    if (*at == '\0') {
        return refuse(&p, "nothing is said; leave the variable unset for the real clock.");
    }
    for (; *at != '\0'; at = skip_spaces(at)) {
        p.word = at;
        while (!at_end(at)) {
            at++;
        }
        p.word_bytes = (int)(at - p.word);
        if (parse_word(&p) != 0) {
            return -1;
        }
    }
    return 0;
}

static int digit_of(char c) {
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

int shim_seed_parse(uint64_t *seed, const char *text, char *why, size_t why_bytes) {
    bool hexadecimal = text[0] == '0' && text[1] == 'x';
    const char *at = hexadecimal ? text + 2 : text;
    unsigned base = hexadecimal ? 16 : 10;
    uint64_t value = 0;
    bool good = *at != '\0';
    for (; good && *at != '\0'; at++) {
        unsigned digit = (unsigned)digit_of(*at);
        good = digit < base && value <= (UINT64_MAX - digit) / base;
        value = value * base + digit;
    }
    if (!good) {
        snprintf(why, why_bytes,
                 "\"%s\" in MURPHY_CLOCK_SEED: a number from 0 to 2^64-1 is expected, decimal or "
                 "0x hexadecimal.",
                 text);
        return -1;
    }
    *seed = value;
    return 0;
}
