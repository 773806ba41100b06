#include "reports/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct formatted format_count(uint64_t count) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    struct formatted f = {""};
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            f.text[used++] = ',';
        f.text[used++] = digits[i];
    }
    return f;
}

/* Three significant places of a quotient. */
static void format_small(struct formatted *f, const char *sign, int64_t value, int64_t unit,
                         const char *word) {
    double quotient = (double)value / (double)unit;
    int places = quotient < 9.995 ? 2 : quotient < 99.95 ? 1 : 0;
    if (value % unit == 0)
        places = 0;
    snprintf(f->text, sizeof f->text, "%s%.*f %s", sign, places, quotient, word);
}

static void format_pair(struct formatted *f, const char *sign, int64_t big, const char *big_word,
                        int64_t small, const char *small_word) {
    if (small == 0)
        snprintf(f->text, sizeof f->text, "%s%" PRId64 " %s", sign, big, big_word);
    else
        snprintf(f->text, sizeof f->text, "%s%" PRId64 " %s %02" PRId64 " %s", sign, big, big_word,
                 small, small_word);
}

struct formatted format_duration(int64_t duration_ns) {
    struct formatted f = {""};
    const char *sign = duration_ns < 0 ? "-" : "";
    if (duration_ns == INT64_MIN)
        duration_ns++;
    int64_t d = duration_ns < 0 ? -duration_ns : duration_ns;
    if (d == 0)
        snprintf(f.text, sizeof f.text, "0 s");
    else if (d < MS)
        format_small(&f, sign, d, 1000, "us");
    else if (d < SECOND)
        format_small(&f, sign, d, MS, "ms");
    else if (d < MINUTE)
        format_small(&f, sign, d, SECOND, "s");
    else if (d < HOUR)
        format_pair(&f, sign, d / MINUTE, "min", d % MINUTE / SECOND, "s");
    else if (d < DAY)
        format_pair(&f, sign, d / HOUR, "h", d % HOUR / MINUTE, "min");
    else
        format_pair(&f, sign, d / DAY, "d", d % DAY / HOUR, "h");
    return f;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days: years start in
 * March, so that the leap day is the last of its year. */
void format_civil_date(int64_t at_ns, int *year, int *month, int *day) {
    int64_t z = floor_div(at_ns, DAY) + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

struct formatted format_moment(int64_t at_ns) {
    struct formatted f = {"-"};
    if (at_ns == 0)
        return f;
    int year, month, day;
    format_civil_date(at_ns, &year, &month, &day);
    int ms = (int)((at_ns - floor_div(at_ns, DAY) * DAY) / MS);
    snprintf(f.text, sizeof f.text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
             ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
    return f;
}

struct formatted format_run_moment(const struct run_result *r, int64_t at_ns) {
    struct formatted f = {"-"};
    if (at_ns == 0)
        return f;
    if (r->virtual_ns > 2 * DAY) {
        f = format_moment(at_ns);
        f.text[10] = ' ';
        f.text[16] = '\0';
        return f;
    }
    int64_t offset = at_ns - r->start_ns;
    const char *sign = offset < 0 ? "-" : "+";
    int64_t ms = (offset < 0 ? -offset : offset) / MS;
    int used = snprintf(f.text, sizeof f.text, "T%s%02" PRId64 ":%02d:%02d", sign, ms / 3600000,
                        (int)(ms / 60000 % 60), (int)(ms / 1000 % 60));
    if (ms % 1000)
        snprintf(f.text + used, sizeof f.text - (size_t)used, ".%03d", (int)(ms % 1000));
    return f;
}

/* Per cent, with up to four places, as many as keep 0.9995 from being read as 1. */
static struct formatted format_ratio(double value) {
    struct formatted f;
    snprintf(f.text, sizeof f.text, "%.4f", value * 100);
    char *dot = strchr(f.text, '.');
    char *end = f.text + strlen(f.text);
    while (dot && end > dot + 2 && end[-1] == '0')
        *--end = '\0';
    if (dot && strcmp(dot, ".0") == 0)
        *dot = '\0';
    strcat(f.text, " %");
    return f;
}

struct formatted format_figure(double value, const char *unit) {
    struct formatted f = {"-"};
    if (!isfinite(value) || value > 1e15 || value < -1e15)
        return f;
    if (strcmp(unit, "s") == 0 && value < 9e9 && value > -9e9)
        return format_duration((int64_t)(value * 1e9 + (value < 0 ? -0.5 : 0.5)));
    if (strcmp(unit, "ratio") == 0)
        return format_ratio(value);
    snprintf(f.text, sizeof f.text, "%.6g%s%.20s", value, *unit ? " " : "", unit);
    return f;
}

struct formatted format_objective(const struct run_slo *slo) {
    struct formatted figure = format_figure(slo->objective, slo->unit), f;
    snprintf(f.text, sizeof f.text, "%s %.40s", slo->direction == RUN_AT_LEAST ? ">=" : "<",
             figure.text);
    return f;
}

struct formatted format_share(uint64_t part, uint64_t whole) {
    struct formatted f = {"-"};
    if (whole)
        snprintf(f.text, sizeof f.text, "%.1f %%", (double)part * 100 / (double)whole);
    return f;
}

void format_drawn(const struct run_result *r, char *text, size_t size) {
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < r->drawn_count && length < size; i++) {
        int added = snprintf(text + length, size - length, "%s%s %s", i == 0 ? "" : ", ",
                             r->drawn[i].key, r->drawn[i].value);
        length += added < 0 ? 0 : (size_t)added;
    }
}
