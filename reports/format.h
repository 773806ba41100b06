/*
 * How the reports say counts, durations, moments and figures with a unit: one form each, short, the
 * same in text and HTML, and independent of the locale.
 */
#ifndef MURPHY_REPORTS_FORMAT_H
#define MURPHY_REPORTS_FORMAT_H

#include <stdint.h>

#include "reports/result.h"

/* Long enough for everything below. */
#define FORMAT_SIZE 48

struct formatted {
    char text[FORMAT_SIZE];
};

/* 20000 -> "20,000". */
struct formatted format_count(uint64_t count);

/* Three significant places: "740 us", "12.5 ms", "3.20 s", "4 min 05 s", "2 h 03 min", "5 d";
 * negative durations carry a minus sign. */
struct formatted format_duration(int64_t duration_ns);

/* RFC 3339 in UTC with milliseconds: "2026-03-02T01:31:01.000Z"; "-" for no moment (0). */
struct formatted format_moment(int64_t at_ns);

/* Where in the run: "T+01:12:30.250" for runs of up to two days (a sign before the run's start),
 * the date and minute for longer ones, "-" for no moment. */
struct formatted format_run_moment(const struct run_result *r, int64_t at_ns);

/* A figure in its unit: seconds as a duration, "ratio" as per cent (with as many places as tell
 * 99.95 % from 100 %), anything else as the figure and the word. Not finite: "-". */
struct formatted format_figure(double value, const char *unit);

/* "< 5 min" or ">= 99.9 %". */
struct formatted format_objective(const struct run_slo *slo);

/* Share of `part` in `whole`, "83.1 %"; "-" when whole is 0. */
struct formatted format_share(uint64_t part, uint64_t whole);

/* What the seed drew, "vectors.profile milvus-like, keywords.gc_deletes off"; "" for nothing. */
void format_drawn(const struct run_result *r, char *text, size_t size);

/* The UTC date of a moment. */
void format_civil_date(int64_t at_ns, int *year, int *month, int *day);

#endif
