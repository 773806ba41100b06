#include "pipeline/sentence.h"

#include <stdbool.h>
#include <string.h>

struct sentence sentence_begin(void) {
    return (struct sentence){.length = 0};
}

static void add_bytes(struct sentence *sentence, const char *text, size_t length) {
    size_t room = sizeof sentence->text - sentence->length;
    if (length > room) {
        length = room;
    }
    if (length > 0) {
        memcpy(sentence->text + sentence->length, text, length);
        sentence->length += length;
    }
}

void sentence_add_bytes(struct sentence *sentence, struct bytes text) {
    add_bytes(sentence, text.data, text.len);
}

void sentence_add(struct sentence *sentence, const char *text) {
    add_bytes(sentence, text, strlen(text));
}

/* At least `width` digits, with zeros in front. */
static void add_digits(struct sentence *sentence, uint64_t number, size_t width) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || sizeof digits - at < width);
    add_bytes(sentence, digits + at, sizeof digits - at);
}

void sentence_add_number(struct sentence *sentence, uint64_t number) {
    add_digits(sentence, number, 1);
}

void sentence_add_integer(struct sentence *sentence, int64_t number) {
    if (number < 0) {
        sentence_add(sentence, "-");
    }
    sentence_add_number(sentence, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void sentence_add_time(struct sentence *sentence, vtime time) {
    int64_t seconds = time.ns / VTIME_SECOND;
    uint64_t of_day = (uint64_t)(seconds % 86400);
    /* Days to a civil date, by counting from 1 March of year 0, when leap days come last. */
    int64_t days = seconds / 86400 + 719468;
    int64_t era = days / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    add_digits(sentence, (uint64_t)year, 4);
    sentence_add(sentence, "-");
    add_digits(sentence, (uint64_t)month, 2);
    sentence_add(sentence, "-");
    add_digits(sentence, (uint64_t)day, 2);
    sentence_add(sentence, "T");
    add_digits(sentence, of_day / 3600, 2);
    sentence_add(sentence, ":");
    add_digits(sentence, of_day / 60 % 60, 2);
    sentence_add(sentence, ":");
    add_digits(sentence, of_day % 60, 2);
    sentence_add(sentence, "Z");
}

void sentence_add_duration(struct sentence *sentence, int64_t duration_ns) {
    uint64_t seconds = duration_ns > 0 ? (uint64_t)(duration_ns / VTIME_SECOND) : 0;
    uint64_t hours = seconds / 3600, minutes = seconds / 60 % 60;
    if (hours > 0) {
        add_digits(sentence, hours, 1);
        sentence_add(sentence, "h");
        add_digits(sentence, minutes, 2);
        sentence_add(sentence, "m");
    } else if (minutes > 0) {
        add_digits(sentence, minutes, 1);
        sentence_add(sentence, "m");
        add_digits(sentence, seconds % 60, 2);
        sentence_add(sentence, "s");
    } else {
        add_digits(sentence, seconds, 1);
        sentence_add(sentence, "s");
    }
}
