#include "cli/moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back: the year is taken to start
 * in March, so that the leap day is its last (E. G. Richards, "Explanatory Supplement to the
 * Astronomical Almanac", 3rd edition, section 15.11). */
static int64_t days_of(int year, int month, int day) {
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

struct date {
    int year, month, day;
};

static struct date date_of(int64_t days) {
    int64_t j = days + 719468;
    int64_t century = (4 * j + 3) / 146097;
    int64_t in_century = j - 146097 * century / 4;
    int64_t year = (4 * in_century + 3) / 1461;
    int64_t in_year = in_century - 1461 * year / 4;
    int64_t month = (5 * in_year + 2) / 153;
    struct date date = {(int)(100 * century + year), (int)(month < 10 ? month + 3 : month - 9),
                        (int)(in_year - (153 * month + 2) / 5 + 1)};
    date.year += date.month <= 2;
    return date;
}

/* Reads exactly `digits` digits. */
static bool read_digits(const char **at, int digits, int *out) {
    *out = 0;
    for (int i = 0; i < digits; i++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        *out = *out * 10 + (*(*at)++ - '0');
    }
    return true;
}

static bool take(const char **at, char c) {
    if (**at != c) {
        return false;
    }
    ++*at;
    return true;
}

static bool read_fraction(const char **at, int64_t *ns) {
    int64_t unit_ns = VTIME_SECOND / 10;
    if (**at < '0' || **at > '9') {
        return false;
    }
    for (; **at >= '0' && **at <= '9'; ++*at, unit_ns /= 10) {
        *ns += (**at - '0') * unit_ns;
    }
    return true;
}

static bool read_clock(const char **at, int64_t *ns) {
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!read_digits(at, 2, &hour) || !take(at, ':') || !read_digits(at, 2, &minute)) {
        return false;
    }
    if (take(at, ':')) {
        if (!read_digits(at, 2, &second) || (take(at, '.') && !read_fraction(at, ns))) {
            return false;
        }
    }
    *ns += hour * VTIME_HOUR + minute * VTIME_MINUTE + second * VTIME_SECOND;
    return hour < 24 && minute < 60 && second < 60;
}

static bool parse_iso(const char *text, vtime *out) {
    int year = 0;
    int month = 0;
    int day = 0;
    const char *at = text;
    if (!read_digits(&at, 4, &year) || !take(&at, '-') || !read_digits(&at, 2, &month) ||
        !take(&at, '-') || !read_digits(&at, 2, &day)) {
        return false;
    }
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > 31) {
        return false;
    }
    int64_t days = days_of(year, month, day);
    if (date_of(days).month != month) {
        return false; /* the month has no such day */
    }
    int64_t ns = 0;
    if ((take(&at, 'T') || take(&at, ' ')) && !read_clock(&at, &ns)) {
        return false;
    }
    take(&at, 'Z');
    *out = (vtime){days * VTIME_DAY + ns};
    return *at == 0;
}

struct unit {
    const char *name;
    int64_t ns;
};

/* By size; of two that start alike the longer name is tried first. */
static const struct unit units[] = {
    {"d", VTIME_DAY},    {"h", VTIME_HOUR},   {"ms", VTIME_MILLISECOND},
    {"m", VTIME_MINUTE}, {"s", VTIME_SECOND}, {"us", VTIME_MICROSECOND},
    {"ns", 1},
};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static const struct unit *read_unit(const char **at) {
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        size_t len = strlen(units[i].name);
        if (strncmp(*at, units[i].name, len) == 0) {
            *at += len;
            return &units[i];
        }
    }
    return 0;
}

static bool parse_duration(const char *at, int64_t *out) {
    int64_t total_ns = 0;
    int64_t smaller_than_ns = INT64_MAX;
    do {
        int64_t number = 0;
        if (*at < '0' || *at > '9') {
            return false;
        }
        for (; *at >= '0' && *at <= '9'; at++) {
            if (number > INT64_MAX / 10 - 1) {
                return false;
            }
            number = number * 10 + (*at - '0');
        }
        const struct unit *unit = read_unit(&at);
        if (unit == 0 || unit->ns >= smaller_than_ns ||
            number > (INT64_MAX - total_ns) / unit->ns) {
            return false;
        }
        total_ns += number * unit->ns;
        smaller_than_ns = unit->ns;
    } while (*at != 0);
    *out = total_ns;
    return true;
}

/* The form in which reports tell a moment: T+04:05:03.048. */
static bool parse_since(const char *at, int64_t *out) {
    return take(&at, 'T') && take(&at, '+') && read_clock(&at, out) && *at == 0;
}

bool moment_parse(const char *text, vtime start, vtime *out) {
    int64_t since_ns = 0;
    if (text[0] == 'T' && text[1] == '+') {
        if (!parse_since(text, &since_ns)) {
            return false;
        }
        *out = vtime_add(start, since_ns);
        return true;
    }
    if (*text != '+') {
        return parse_iso(text, out);
    }
    int64_t after_ns = 0;
    if (!parse_duration(text + 1, &after_ns) || after_ns > INT64_MAX - 1 - start.ns) {
        return false;
    }
    *out = vtime_add(start, after_ns);
    return true;
}

void moment_format(vtime t, char out[MOMENT_TEXT_MAX]) {
    int64_t days = t.ns / VTIME_DAY - (t.ns % VTIME_DAY < 0);
    int64_t ns = t.ns - days * VTIME_DAY;
    struct date date = date_of(days);
    int len = snprintf(out, MOMENT_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", date.year, date.month,
                       date.day, (int)(ns / VTIME_HOUR), (int)(ns / VTIME_MINUTE % 60),
                       (int)(ns / VTIME_SECOND % 60));
    int fraction = (int)(ns % VTIME_SECOND);
    for (int i = 0; fraction != 0 && i < 3; i++) {
        len += snprintf(out + len, MOMENT_TEXT_MAX - (size_t)len, "%s%03d", i == 0 ? "." : "",
                        fraction / 1000000);
        fraction = fraction % 1000000 * 1000;
    }
    snprintf(out + len, MOMENT_TEXT_MAX - (size_t)len, "Z");
}

void duration_format(int64_t duration_ns, char out[MOMENT_TEXT_MAX]) {
    static const struct unit shown[] = {{"d", VTIME_DAY},
                                        {"h", VTIME_HOUR},
                                        {"min", VTIME_MINUTE},
                                        {"s", VTIME_SECOND},
                                        {"ms", VTIME_MILLISECOND},
                                        {"us", VTIME_MICROSECOND},
                                        {"ns", 1}};
    const char *sign = duration_ns < 0 ? "-" : "";
    uint64_t size_ns = duration_ns < 0 ? 0 - (uint64_t)duration_ns : (uint64_t)duration_ns;
    size_t i = 0;
    while (i < 6 && size_ns < (uint64_t)shown[i].ns) {
        i++;
    }
    if (size_ns == 0) {
        i = 3;
    }
    uint64_t unit_ns = (uint64_t)shown[i].ns;
    uint64_t rest = size_ns % unit_ns;
    uint64_t thousandths = unit_ns >= 1000 ? rest / (unit_ns / 1000) : 0;
    int len = snprintf(out, MOMENT_TEXT_MAX, "%s%" PRIu64, sign, size_ns / unit_ns);
    if (thousandths != 0) {
        len += snprintf(out + len, MOMENT_TEXT_MAX - (size_t)len, ".%03" PRIu64, thousandths);
        while (out[len - 1] == '0') {
            out[--len] = 0;
        }
    }
    snprintf(out + len, MOMENT_TEXT_MAX - (size_t)len, " %s", shown[i].name);
}
